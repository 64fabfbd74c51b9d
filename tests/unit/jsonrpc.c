/* jsonrpc: what is a message and what is not, and the lines that are written. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "parse/jsonrpc.h"

enum { ROOM = 1 << 20 };

static enum jsonrpc_fault fault_of(const char *line)
{
	cleanup_arena struct arena a = ARENA_INIT(ROOM);
	struct jsonrpc_message m;

	return jsonrpc_parse(&a, slice_str(line), &json_limits_default, &m, NULL);
}

static void the_four_kinds(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT(ROOM);
	struct jsonrpc_message m;

	(void)state;
	assert_int_equal(
	    jsonrpc_parse(&a, SLICE("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":\"x\"}}\r\n"),
			  &json_limits_default, &m, NULL),
	    JSONRPC_OK);
	assert_int_equal(m.kind, JSONRPC_REQUEST);
	assert_true(slice_eq(m.id.text, SLICE("7")));
	assert_true(slice_eq(m.method, SLICE("tools/call")));
	assert_non_null(json_get_type(m.params, SLICE("name"), JSON_STRING));
	assert_null(m.result);
	assert_null(m.error);

	assert_int_equal(jsonrpc_parse(&a, SLICE("{\"method\":\"x\",\"jsonrpc\":\"2.0\"}"), &json_limits_default, &m, NULL),
			 JSONRPC_OK);
	assert_int_equal(m.kind, JSONRPC_NOTIFICATION);
	assert_int_equal(m.id.type, JSON_NULL);
	assert_null(m.params);

	assert_int_equal(
	    jsonrpc_parse(&a, SLICE("{\"jsonrpc\":\"2.0\",\"id\":\"\\u0061\",\"result\":{}}"), &json_limits_default, &m, NULL),
	    JSONRPC_OK);
	assert_int_equal(m.kind, JSONRPC_RESULT);
	assert_true(slice_eq(m.id.text, SLICE("a")));
	assert_non_null(m.result);

	assert_int_equal(
	    jsonrpc_parse(&a, SLICE("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-1,\"message\":\"m\",\"data\":[]}}"),
			  &json_limits_default, &m, NULL),
	    JSONRPC_OK);
	assert_int_equal(m.kind, JSONRPC_ERROR);
	assert_int_equal(m.id.type, JSON_NULL);
	assert_non_null(m.error);
}

static void each_fault(void **state)
{
	static const struct {
		const char *line;
		enum jsonrpc_fault fault;
	} cases[] = {
		{ "", JSONRPC_BAD_JSON },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":1,\"method\":\"x\"}", JSONRPC_BAD_JSON },
		{ "[]", JSONRPC_BATCH },
		{ "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\"}]", JSONRPC_BATCH },
		{ "\"x\"", JSONRPC_NOT_OBJECT },
		{ "null", JSONRPC_NOT_OBJECT },
		{ "{}", JSONRPC_BAD_VERSION },
		{ "{\"id\":1,\"method\":\"x\"}", JSONRPC_BAD_VERSION },
		{ "{\"jsonrpc\":2.0,\"id\":1,\"method\":\"x\"}", JSONRPC_BAD_VERSION },
		{ "{\"jsonrpc\":\"2.0 \",\"id\":1,\"method\":\"x\"}", JSONRPC_BAD_VERSION },
		{ "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"x\"}", JSONRPC_BAD_VERSION },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1}", JSONRPC_BAD_KIND },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"result\":{}}", JSONRPC_BAD_KIND },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"error\":{\"code\":1,\"message\":\"\"}}", JSONRPC_BAD_KIND },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"more\":1}", JSONRPC_BAD_MEMBER },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"ID\":2}", JSONRPC_BAD_MEMBER },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"params\":{}}", JSONRPC_BAD_MEMBER },
		{ "{\"jsonrpc\":\"2.0\",\"result\":{}}", JSONRPC_BAD_ID },
		{ "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":{}}", JSONRPC_BAD_ID },
		{ "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"x\"}", JSONRPC_BAD_ID },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"x\"}", JSONRPC_BAD_ID },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1.0,\"method\":\"x\"}", JSONRPC_BAD_ID },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1e2,\"method\":\"x\"}", JSONRPC_BAD_ID },
		{ "{\"jsonrpc\":\"2.0\",\"id\":-0,\"method\":\"x\"}", JSONRPC_BAD_ID },
		{ "{\"jsonrpc\":\"2.0\",\"id\":9007199254740993,\"method\":\"x\"}", JSONRPC_BAD_ID },
		{ "{\"jsonrpc\":\"2.0\",\"id\":-9007199254740993,\"method\":\"x\"}", JSONRPC_BAD_ID },
		{ "{\"jsonrpc\":\"2.0\",\"id\":100000000000000000000,\"method\":\"x\"}", JSONRPC_BAD_ID },
		{ "{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"x\"}", JSONRPC_BAD_ID },
		{ "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"x\"}", JSONRPC_BAD_ID },
		{ "{\"jsonrpc\":\"2.0\",\"id\":[1],\"error\":{\"code\":1,\"message\":\"\"}}", JSONRPC_BAD_ID },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\"}", JSONRPC_BAD_METHOD },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":5}", JSONRPC_BAD_METHOD },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":[]}", JSONRPC_BAD_PARAMS },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":null}", JSONRPC_BAD_PARAMS },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":\"\"}", JSONRPC_BAD_PARAMS },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}", JSONRPC_BAD_RESULT },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[]}", JSONRPC_BAD_RESULT },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":null}", JSONRPC_BAD_ERROR },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"message\":\"m\"}}", JSONRPC_BAD_ERROR },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1}}", JSONRPC_BAD_ERROR },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,\"message\":5}}", JSONRPC_BAD_ERROR },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,\"Message\":\"m\"}}", JSONRPC_BAD_ERROR },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1.5,\"message\":\"m\"}}", JSONRPC_BAD_ERROR },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,\"message\":\"m\",\"more\":1}}", JSONRPC_BAD_ERROR },
		{ "{\"jsonrpc\":\"2.0\",\"id\":9007199254740992,\"method\":\"x\"}", JSONRPC_OK },
		{ "{\"jsonrpc\":\"2.0\",\"id\":-9007199254740992,\"method\":\"x\"}", JSONRPC_OK },
		{ "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"x\",\"params\":{}}", JSONRPC_OK },
		{ "{\"jsonrpc\":\"2.0\",\"id\":\"\",\"method\":\"x\"}", JSONRPC_OK },
		{ "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":1,\"message\":\"m\"}}", JSONRPC_OK },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (fault_of(cases[i].line) != cases[i].fault)
			fail_msg("%s: %s", cases[i].line, jsonrpc_fault_text(fault_of(cases[i].line)));
	}
}

static void the_fault_in_the_json_is_told(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT(ROOM);
	struct jsonrpc_message m;
	struct json_fault fault;

	(void)state;
	assert_int_equal(jsonrpc_parse(&a, SLICE("{\"id\":1,\"id\":2}"), &json_limits_default, &m, &fault), JSONRPC_BAD_JSON);
	assert_int_equal(fault.error, JSON_DUPLICATE);
	assert_int_equal(fault.offset, 9);
}

static void lengths_of_id_and_method(void **state)
{
	char text[300], line[700];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (int len = 255; len < 259; len++) {
		snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":\"%.*s\",\"method\":\"m\"}", len, text);
		assert_int_equal(fault_of(line), len <= JSONRPC_ID_BYTES ? JSONRPC_OK : JSONRPC_BAD_ID);
		snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%.*s\"}", len, text);
		assert_int_equal(fault_of(line), len <= JSONRPC_METHOD_BYTES ? JSONRPC_OK : JSONRPC_BAD_METHOD);
	}
}

static void no_truncation_is_a_message(void **state)
{
	static const char line[] =
	    "{\"jsonrpc\":\"2.0\",\"id\":\"\\u20ac\",\"method\":\"tools/call\",\"params\":{\"arguments\":[1.5e3,true]}}";

	(void)state;
	for (size_t len = 0; len < sizeof(line) - 1; len++) {
		cleanup_arena struct arena a = ARENA_INIT(ROOM);
		struct jsonrpc_message m;

		assert_int_equal(jsonrpc_parse(&a, slice_of(line, len), &json_limits_default, &m, NULL), JSONRPC_BAD_JSON);
	}
	assert_int_equal(fault_of(line), JSONRPC_OK);
}

static void check_line(struct buf *out, int r, const char *line)
{
	assert_int_equal(r, 0);
	assert_int_equal(buf_add_char(out, '\0'), 0);
	assert_string_equal(out->ptr, line);
	assert_int_equal(fault_of(line), JSONRPC_OK);
	buf_clear(out);
}

static void lines_are_canonical(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT(ROOM);
	cleanup_buf struct buf out = BUF_INIT(ROOM);
	struct json id = { .type = JSON_STRING, .text = SLICE("a\"") }, number = { .type = JSON_NUMBER, .text = SLICE("12") }, v;

	(void)state;
	assert_int_equal(json_parse(&a, SLICE("{\"b\": 1.0, \"a\": [ ]}"), &json_limits_default, &v, NULL), JSON_OK);
	check_line(&out, jsonrpc_write_request(&out, &id, SLICE("tools/list"), &v),
		   "{\"id\":\"a\\\"\",\"jsonrpc\":\"2.0\",\"method\":\"tools/list\",\"params\":{\"a\":[],\"b\":1}}\n");
	check_line(&out, jsonrpc_write_request(&out, &number, SLICE("ping"), NULL),
		   "{\"id\":12,\"jsonrpc\":\"2.0\",\"method\":\"ping\"}\n");
	check_line(&out, jsonrpc_write_notification(&out, SLICE("n"), &v),
		   "{\"jsonrpc\":\"2.0\",\"method\":\"n\",\"params\":{\"a\":[],\"b\":1}}\n");
	check_line(&out, jsonrpc_write_notification(&out, SLICE("n"), NULL), "{\"jsonrpc\":\"2.0\",\"method\":\"n\"}\n");
	check_line(&out, jsonrpc_write_result(&out, &number, &v),
		   "{\"id\":12,\"jsonrpc\":\"2.0\",\"result\":{\"a\":[],\"b\":1}}\n");
	check_line(&out, jsonrpc_write_error(&out, &id, JSONRPC_INTERNAL_ERROR, SLICE("no\n"), &v),
		   "{\"error\":{\"code\":-32603,\"data\":{\"a\":[],\"b\":1},\"message\":\"no\\n\"},\"id\":\"a\\\"\",\"jsonrpc\":"
		   "\"2.0\"}\n");
	check_line(&out, jsonrpc_write_error(&out, NULL, JSONRPC_PARSE_ERROR, SLICE("no"), NULL),
		   "{\"error\":{\"code\":-32700,\"message\":\"no\"},\"id\":null,\"jsonrpc\":\"2.0\"}\n");
}

static void a_line_is_written_whole_or_not_at_all(void **state)
{
	struct json id = { .type = JSON_NUMBER, .text = SLICE("12") };
	size_t whole = strlen("{\"id\":12,\"jsonrpc\":\"2.0\",\"method\":\"ping\"}\n");

	(void)state;
	for (size_t max = 0; max <= whole; max++) {
		cleanup_buf struct buf out = BUF_INIT(max);

		assert_int_equal(jsonrpc_write_request(&out, &id, SLICE("ping"), NULL), max < whole ? -EMSGSIZE : 0);
		assert_int_equal(out.len, max < whole ? 0 : whole);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_four_kinds),
		cmocka_unit_test(each_fault),
		cmocka_unit_test(the_fault_in_the_json_is_told),
		cmocka_unit_test(lengths_of_id_and_method),
		cmocka_unit_test(no_truncation_is_a_message),
		cmocka_unit_test(lines_are_canonical),
		cmocka_unit_test(a_line_is_written_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
