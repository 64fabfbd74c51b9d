/* yaml_parse on any bytes: within its limits, only what its header promises, and every fault has a place in the file. */
#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"
#include "parse/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct json_limits limits = { .bytes = 65536, .depth = 16, .items = 2000 };

static void require(bool held)
{
	if (!held)
		abort();
}

static void check(const struct json *v, unsigned depth, size_t *items)
{
	require(++*items <= limits.items && depth <= limits.depth && v->line >= 1 && v->column >= 1);
	if (v->type == JSON_STRING || v->type == JSON_NUMBER)
		require(utf8_valid(v->text));
	for (uint32_t i = 0; v->type == JSON_ARRAY && i < v->count; i++)
		check(&v->items[i], depth + 1, items);
	for (uint32_t i = 0; v->type == JSON_OBJECT && i < v->count; i++) {
		require(utf8_valid(v->members[i].name));
		for (uint32_t j = 0; j < i && v->count < 50; j++)
			require(!slice_eq(v->members[i].name, v->members[j].name));
		check(&v->members[i].value, depth + 1, items);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_arena struct arena a = ARENA_INIT((size_t)16 << 20);
	struct yaml_faults faults;
	struct json v;
	size_t items = 0;

	if (yaml_parse(&a, slice_of(data, size), &limits, &v, &faults) == 0)
		check(&v, 0, &items);
	else
		for (size_t i = 0; i < faults.count; i++)
			require(faults.list[i].line >= 1 && faults.list[i].column >= 1 && faults.list[i].line <= size + 2 &&
				utf8_valid(slice_str(faults.list[i].text)));
	return 0;
}
