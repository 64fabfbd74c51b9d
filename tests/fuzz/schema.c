/*
 * schema_compile and schema_validate on any bytes: the first half is the schema, the second the instance. Only what the header
 * promises comes back, every text is printable, and asking twice gives the same answer.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"
#include "parse/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct json_limits limits = { .bytes = 65536, .depth = 64, .items = 5000 };

static void require(bool held)
{
	if (!held)
		abort();
}

static void check_text(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	require(len < size && utf8_valid(slice_of(text, len)));
	for (size_t i = 0; i < len; i++)
		require((unsigned char)text[i] >= ' ' && text[i] != 0x7F);
}

static void check_fault(const struct schema_fault *fault)
{
	check_text(fault->where, sizeof(fault->where));
	check_text(fault->what, sizeof(fault->what));
	require(fault->what[0] != '\0');
}

static void check_instance(struct arena *arena, const struct schema *schema, struct slice text)
{
	struct schema_fault fault = { .what = "" };
	struct json value;
	int r;

	if (json_parse(arena, text, &limits, &value, NULL))
		return;
	r = schema_validate(schema, &value, &fault);
	require(r == 0 || r == -EINVAL || r == -E2BIG);
	require(schema_validate(schema, &value, NULL) == r);
	if (r)
		check_fault(&fault);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_arena struct arena arena = ARENA_INIT((size_t)64 << 20);
	struct schema_options options = { .allow_unknown = size & 1, .draft = size & 2 ? SCHEMA_DRAFT_07 : SCHEMA_2020_12 };
	struct slice all = slice_of(data, size);
	const char *cut = size ? memchr(data, '\n', size) : NULL;
	struct schema_fault fault = { .what = "" };
	struct schema *schema = NULL;
	struct json document;
	/* Seeds have a line for each; anything else is cut in the middle. */
	size_t half = cut ? (size_t)(cut - all.ptr) : size / 2;
	int r;

	if (json_parse(&arena, slice_of(all.ptr, half), &limits, &document, NULL))
		return 0;
	r = schema_compile(&document, &options, &schema, &fault);
	require(r == 0 || r == -EINVAL || r == -ENOMEM);
	if (r)
		check_fault(&fault);
	else
		check_instance(&arena, schema, slice_of(all.ptr + half, size - half));
	schema_free(schema);
	return 0;
}
