/* Screening: whatever a server's result is, what is handed on is writable, marked, and passes a second screening unchanged. */
#include <assert.h>
#include <stdint.h>

#include "screen/result.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_arena struct arena arena = ARENA_INIT(64 << 20);
	cleanup_buf struct buf once = BUF_INIT(8 << 20), twice = BUF_INIT(8 << 20);
	struct screen_report report;
	struct json in, out, again;

	if (json_parse(&arena, slice_of(data, size), &json_limits_default, &in, NULL) != JSON_OK || in.type != JSON_OBJECT)
		return 0;
	assert(screen_result(&arena, &in, 7, &out, &report) == 0);
	if (report.withheld)
		return 0;
	assert(json_write(&once, &out) == 0);
	assert(json_get(json_get(&out, SLICE("_meta")), SLICE("bawn/integrity")));
	assert(screen_result(&arena, &out, 7, &again, &report) == 0 && !report.withheld);
	assert(json_write(&twice, &again) == 0);
	assert(slice_eq(buf_slice(&once), buf_slice(&twice)));
	return 0;
}
