/* jsonrpc_parse on any line: a message that is accepted is the same message when it is written and read again. */
#include <stdint.h>
#include <stdlib.h>

#include "parse/jsonrpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct json_limits limits = { .bytes = 65536, .depth = 100, .items = 5000 };
static const struct json_limits wide = { .bytes = 6 * 65536 + 100, .depth = 100, .items = 5000 };

static void require(bool held)
{
	if (!held)
		abort();
}

static int write(struct buf *out, const struct jsonrpc_message *m)
{
	int64_t code = 0;

	switch (m->kind) {
	case JSONRPC_REQUEST:
		return jsonrpc_write_request(out, &m->id, m->method, m->params);
	case JSONRPC_NOTIFICATION:
		return jsonrpc_write_notification(out, m->method, m->params);
	case JSONRPC_RESULT:
		return jsonrpc_write_result(out, &m->id, m->result);
	case JSONRPC_ERROR:
		require(json_int64(json_get(m->error, SLICE("code")), &code) == 0);
		return jsonrpc_write_error(out, &m->id, code, json_get(m->error, SLICE("message"))->text,
					   json_get(m->error, SLICE("data")));
	}
	abort();
}

static bool same(const struct json *a, const struct json *b)
{
	return a == b || (a && b && json_equal(a, b));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_arena struct arena a = ARENA_INIT((size_t)16 << 20);
	cleanup_buf struct buf line = BUF_INIT(wide.bytes);
	struct jsonrpc_message m, again;

	if (jsonrpc_parse(&a, slice_of(data, size), &limits, &m, NULL) != JSONRPC_OK)
		return 0;
	require(m.id.type == JSON_NULL ? m.kind != JSONRPC_REQUEST && m.kind != JSONRPC_RESULT : jsonrpc_id_valid(&m.id));
	require(write(&line, &m) == 0);
	require(memchr(line.ptr, '\n', line.len) == line.ptr + line.len - 1);
	require(jsonrpc_parse(&a, buf_slice(&line), &wide, &again, NULL) == JSONRPC_OK);
	require(m.kind == again.kind && jsonrpc_id_equal(&m.id, &again.id) && slice_eq(m.method, again.method));
	require(same(m.params, again.params) && same(m.result, again.result) && same(m.error, again.error));
	return 0;
}
