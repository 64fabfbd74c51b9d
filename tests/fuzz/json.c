/* json_parse on any bytes: what it accepts survives writing and packing unchanged, and has one canonical text. */
#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"
#include "parse/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct json_limits limits = { .bytes = 65536, .depth = 100, .items = 5000 };
/* For what has been written out: escapes lengthen it sixfold at most. */
static const struct json_limits wide = { .bytes = 6 * 65536 + 2, .depth = 100, .items = 5000 };

static void require(bool held)
{
	if (!held)
		abort();
}

static void check_tree(const struct json *v, unsigned depth, size_t *items)
{
	require(++*items <= limits.items && depth <= limits.depth && v->line == 0 && v->column == 0);
	if (v->type == JSON_STRING)
		require(utf8_valid(v->text));
	if (v->type == JSON_NUMBER)
		require(json_number_check(v->text) == JSON_OK);
	for (uint32_t i = 0; v->type == JSON_ARRAY && i < v->count; i++)
		check_tree(&v->items[i], depth + 1, items);
	for (uint32_t i = 0; v->type == JSON_OBJECT && i < v->count; i++) {
		require(utf8_valid(v->members[i].name));
		for (uint32_t j = 0; j < i && v->count < 100; j++)
			require(!slice_eq(v->members[i].name, v->members[j].name));
		check_tree(&v->members[i].value, depth + 1, items);
	}
}

static void check_written(struct arena *a, const struct json *v)
{
	cleanup_buf struct buf first = BUF_INIT(wide.bytes), second = BUF_INIT(wide.bytes);
	struct json again;

	require(json_write(&first, v) == 0);
	require(json_parse(a, buf_slice(&first), &wide, &again, NULL) == JSON_OK);
	require(json_equal(v, &again) && json_equal(&again, v));
	require(json_write(&second, &again) == 0);
	require(slice_eq(buf_slice(&first), buf_slice(&second)));
}

static void check_packed(struct arena *a, const struct json *v, size_t size)
{
	cleanup_buf struct buf first = BUF_INIT(16 * size), second = BUF_INIT(16 * size);
	struct json_limits roomy = limits;
	struct json again;

	roomy.bytes = 16 * size;
	require(json_pack(&first, v) == 0);
	require(json_unpack(a, buf_slice(&first), &roomy, &again) == 0);
	require(json_equal(v, &again));
	require(json_pack(&second, &again) == 0);
	require(slice_eq(buf_slice(&first), buf_slice(&second)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_arena struct arena a = ARENA_INIT((size_t)16 << 20);
	struct json_fault fault = { .error = JSON_OK };
	size_t items = 0;
	struct json v;

	if (json_parse(&a, slice_of(data, size), &limits, &v, &fault) != JSON_OK) {
		require(fault.error != JSON_OK && fault.offset <= size);
		return 0;
	}
	check_tree(&v, 0, &items);
	check_written(&a, &v);
	check_packed(&a, &v, size);
	return 0;
}
