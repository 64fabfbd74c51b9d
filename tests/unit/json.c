/* json: strict reading, one canonical text, the packed form. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "parse/json.h"

enum { ROOM = 1 << 20 };

static enum json_error error_of(struct slice text)
{
	cleanup_arena struct arena a = ARENA_INIT(ROOM);
	struct json_fault fault = { .error = JSON_OK };
	struct json v;
	enum json_error error = json_parse(&a, text, &json_limits_default, &v, &fault);

	assert_int_equal(error, fault.error);
	return error;
}

/* What `text` is in canonical form, straight from the tree and by way of the packed form. */
static void check_canonical(const char *text, const char *canonical)
{
	cleanup_arena struct arena a = ARENA_INIT(ROOM);
	cleanup_buf struct buf out = BUF_INIT(ROOM), packed = BUF_INIT(ROOM), again = BUF_INIT(ROOM);
	struct json v, w;

	assert_int_equal(json_parse(&a, slice_str(text), &json_limits_default, &v, NULL), JSON_OK);
	assert_int_equal(json_write(&out, &v), 0);
	assert_int_equal(buf_add_char(&out, '\0'), 0);
	assert_string_equal(out.ptr, canonical);
	assert_int_equal(json_pack(&packed, &v), 0);
	assert_int_equal(json_unpack(&a, buf_slice(&packed), &json_limits_default, &w), 0);
	assert_true(json_equal(&v, &w));
	assert_int_equal(json_write(&again, &w), 0);
	assert_int_equal(buf_add_char(&again, '\0'), 0);
	assert_string_equal(again.ptr, canonical);
}

static void canonical_text(void **state)
{
	(void)state;
	check_canonical(" [ 1 , 1.50 , -0 , 1e21 , 1E20, 0.000001 , 1e-7 ] ", "[1,1.5,0,1e+21,100000000000000000000,0.000001,1e-7]");
	check_canonical("{\"b\":[],\"a\":{\"\":null}}", "{\"a\":{\"\":null},\"b\":[]}");
	check_canonical("\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\"",
			"\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"");
}

static void strict_reading(void **state)
{
	(void)state;
	assert_int_equal(error_of(SLICE("{\"a\":1,\"\\u0061\":2}")), JSON_DUPLICATE);
	assert_int_equal(error_of(SLICE("[1,]")), JSON_SYNTAX);
	assert_int_equal(error_of(SLICE("1 2")), JSON_SYNTAX);
	assert_int_equal(error_of(SLICE("\"\\ud800\"")), JSON_UTF8);
	assert_int_equal(error_of(SLICE("\"\xc0\x80\"")), JSON_UTF8);
	assert_int_equal(error_of(SLICE("1e309")), JSON_RANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(canonical_text),
		cmocka_unit_test(strict_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
