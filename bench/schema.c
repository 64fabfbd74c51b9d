/*
 * The check of one call's arguments: about 1 KiB of JSON against a tool's schema of a common kind. Beside it, in the same run and
 * in turns: reading those bytes into a tree, which every call pays too, and writing them out again.
 *
 * usage: bench-schema [rounds]
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "parse/schema.h"

enum { BATCH = 200, ROOM = 1 << 20 };

static const char schema_text[] =
    "{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"type\":\"object\",\"properties\":{"
    "\"path\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":4096,\"description\":\"Where\"},"
    "\"mode\":{\"type\":\"string\",\"enum\":[\"append\",\"replace\",\"dry-run\"]},"
    "\"encoding\":{\"type\":\"string\",\"enum\":[\"utf-8\",\"base64\"],\"default\":\"utf-8\"},"
    "\"backup\":{\"type\":\"boolean\"},\"line\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100000},"
    "\"ratio\":{\"type\":\"number\",\"exclusiveMinimum\":0,\"maximum\":1},"
    "\"ticket\":{\"type\":\"string\",\"pattern\":\"^[A-Z]{2,5}-[0-9]+$\"},"
    "\"tags\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"maxLength\":32},\"maxItems\":16,\"uniqueItems\":true},"
    "\"edits\":{\"type\":\"array\",\"minItems\":1,\"items\":{\"type\":\"object\",\"properties\":{"
    "\"oldText\":{\"type\":\"string\"},\"newText\":{\"type\":\"string\"},\"at\":{\"anyOf\":[{\"type\":\"integer\"},{\"type\":"
    "\"null\"}]}},"
    "\"required\":[\"oldText\",\"newText\"],\"additionalProperties\":false}}},"
    "\"required\":[\"path\",\"edits\"],\"additionalProperties\":false}";

static const char value_text[] =
    "{\"path\":\"/work/project/src/server/handlers/customer_account_overview.ts\",\"mode\":\"replace\",\"encoding\":\"utf-8\","
    "\"backup\":true,\"line\":1281,\"ratio\":0.25,\"ticket\":\"SUP-40213\",\"tags\":[\"refactor\",\"customer\",\"overview\",\"q3\"]"
    ","
    "\"edits\":[{\"oldText\":\"const overview = await loadOverview(customer.id, { withInvoices: false });\","
    "\"newText\":\"const overview = await loadOverview(customer.id, { withInvoices: true, limit: 50 });\",\"at\":118},"
    "{\"oldText\":\"return render(overview);\",\"newText\":\"return render({ ...overview, generatedAt: clock.now() "
    "});\",\"at\":null},"
    "{\"oldText\":\"// the list is short, so it is sorted here\\n\",\"newText\":\"\",\"at\":131},"
    "{\"oldText\":\"import { render } from '../render';\",\"newText\":\"import { render } from '../render';\\nimport { clock } "
    "from "
    "'../clock';\",\"at\":4},{\"oldText\":\"export default handler;\",\"newText\":\"export { handler };\\nexport default "
    "handler;\\n\"},"
    "{\"oldText\":\"if (!customer) throw new NotFound();\",\"newText\":\"if (!customer) throw new "
    "NotFound('customer');\",\"at\":97}]}";

static void require(bool held, const char *what)
{
	if (held)
		return;
	fprintf(stderr, "%s failed\n", what);
	exit(1);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print_figures(const char *what, double *us, size_t count)
{
	qsort(us, count, sizeof(*us), by_size);
	printf("%-26s p50 %6.2f us   p99 %6.2f us\n", what, us[count / 2], us[count * 99 / 100]);
}

static double time_parse(void)
{
	struct arena a = ARENA_INIT(ROOM);
	uint64_t start = clock_monotonic_ns();
	struct json v;

	for (unsigned i = 0; i < BATCH; i++) {
		arena_clear(&a);
		require(json_parse(&a, slice_of(value_text, sizeof(value_text) - 1), &json_limits_default, &v, NULL) == JSON_OK,
			"parse");
	}
	start = clock_monotonic_ns() - start;
	arena_free(&a);
	return (double)start / BATCH / 1000;
}

static double time_write(const struct json *value)
{
	struct buf out = BUF_INIT(ROOM);
	uint64_t start = clock_monotonic_ns();

	for (unsigned i = 0; i < BATCH; i++) {
		buf_clear(&out);
		require(json_write(&out, value) == 0, "write");
	}
	start = clock_monotonic_ns() - start;
	buf_free(&out);
	return (double)start / BATCH / 1000;
}

static double time_validate(const struct schema *schema, const struct json *value)
{
	uint64_t start = clock_monotonic_ns();
	struct schema_fault fault;

	for (unsigned i = 0; i < BATCH; i++)
		require(schema_validate(schema, value, &fault) == 0, "validate");
	return (double)(clock_monotonic_ns() - start) / BATCH / 1000;
}

static double time_compile(const struct json *document)
{
	uint64_t start = clock_monotonic_ns();

	for (unsigned i = 0; i < BATCH / 10; i++) {
		struct schema *schema;

		require(schema_compile(document, NULL, &schema, NULL) == 0, "compile");
		schema_free(schema);
	}
	return (double)(clock_monotonic_ns() - start) / (BATCH / 10) / 1000;
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 500;
	cleanup_arena struct arena a = ARENA_INIT(ROOM);
	struct json document, value;
	struct schema *schema;
	double *us = calloc(rounds * 4, sizeof(*us));

	require(us && rounds > 0, "memory");
	require(json_parse(&a, slice_of(schema_text, sizeof(schema_text) - 1), &json_limits_default, &document, NULL) == JSON_OK,
		"parse");
	require(json_parse(&a, slice_of(value_text, sizeof(value_text) - 1), &json_limits_default, &value, NULL) == JSON_OK,
		"parse");
	require(schema_compile(&document, NULL, &schema, NULL) == 0, "compile");
	for (size_t i = 0; i < rounds; i++) {
		us[i] = time_validate(schema, &value);
		us[rounds + i] = time_parse();
		us[2 * rounds + i] = time_write(&value);
		us[3 * rounds + i] = time_compile(&document);
	}
	printf("%zu bytes of arguments, %zu rounds of %d\n", sizeof(value_text) - 1, rounds, BATCH);
	print_figures("schema_validate", us, rounds);
	print_figures("json_parse", us + rounds, rounds);
	print_figures("json_write", us + 2 * rounds, rounds);
	print_figures("schema_compile, once", us + 3 * rounds, rounds);
	schema_free(schema);
	free(us);
	return 0;
}
