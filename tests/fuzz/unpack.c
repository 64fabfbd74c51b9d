/* json_unpack on any bytes: it takes only what json_pack writes, byte for byte, and then what json_parse would have taken. */
#include <stdint.h>
#include <stdlib.h>

#include "parse/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct json_limits limits = { .bytes = 65536, .depth = 100, .items = 5000 };
static const struct json_limits wide = { .bytes = 6 * 65536 + 2, .depth = 100, .items = 5000 };

static void require(bool held)
{
	if (!held)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_arena struct arena a = ARENA_INIT((size_t)16 << 20);
	cleanup_buf struct buf packed = BUF_INIT(limits.bytes), text = BUF_INIT(wide.bytes);
	struct json v, again;

	if (json_unpack(&a, slice_of(data, size), &limits, &v) != 0)
		return 0;
	require(json_pack(&packed, &v) == 0);
	require(slice_eq(buf_slice(&packed), slice_of(data, size)));
	require(json_write(&text, &v) == 0);
	require(json_parse(&a, buf_slice(&text), &wide, &again, NULL) == JSON_OK);
	require(json_equal(&v, &again));
	return 0;
}
