/* json: the packed form, whose sender may be hostile. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "parse/json.h"

enum { ROOM = 1 << 20 };

static const char sample[] =
    "{\"b\":[1,-2.50,1e3,true,false,null],\"a\":{\"\":\"\\u20ac\\ud83d\\ude00\\n\",\"\xc3\xa9\":{}},\"c\":[[],[[\"x\"]]]}";

static void parse(struct arena *a, const char *text, struct json *ret_value)
{
	assert_int_equal(json_parse(a, slice_str(text), &json_limits_default, ret_value, NULL), JSON_OK);
}

static int unpack(struct slice packed, const struct json_limits *limits)
{
	cleanup_arena struct arena a = ARENA_INIT(ROOM);
	/* Memory of exactly its size, for the sanitizer. */
	cleanup_buf struct buf exact = BUF_INIT(packed.len + 1);
	struct json v;

	assert_int_equal(buf_add_slice(&exact, packed), 0);
	return json_unpack(&a, buf_slice(&exact), limits, &v);
}

static void packed_truncations_and_leftovers(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT(ROOM);
	cleanup_buf struct buf packed = BUF_INIT(ROOM);
	struct json v;

	(void)state;
	parse(&a, sample, &v);
	assert_int_equal(json_pack(&packed, &v), 0);
	for (size_t len = 0; len < packed.len; len++)
		assert_int_equal(unpack(slice_of(packed.ptr, len), &json_limits_default), -EBADMSG);
	assert_int_equal(unpack(buf_slice(&packed), &json_limits_default), 0);
	buf_add_char(&packed, '\0');
	assert_int_equal(unpack(buf_slice(&packed), &json_limits_default), -EBADMSG);
}

static void packed_is_not_read_past_its_end(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT(ROOM);
	cleanup_buf struct buf b = BUF_INIT(ROOM), packed = BUF_INIT(ROOM);
	struct json v;

	(void)state;
	buf_add_char(&b, '[');
	for (int i = 0; i < 250; i++)
		buf_add_str(&b, "[{\"abc\":\"defghij\"},1234567,null],");
	buf_add_str(&b, "0]");
	assert_int_equal(json_parse(&a, buf_slice(&b), &json_limits_default, &v, NULL), JSON_OK);
	assert_int_equal(json_pack(&packed, &v), 0);
	assert_true(packed.len > 5000);
	for (size_t len = 4060; len < 5000; len++)
		assert_int_equal(unpack(slice_of(packed.ptr, len), &json_limits_default), -EBADMSG);
}

static void packed_keeps_number_text_and_order(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT(ROOM);
	cleanup_buf struct buf packed = BUF_INIT(ROOM);
	struct json v, w;

	(void)state;
	parse(&a, "{\"b\":1.500E+2,\"a\":-0}", &v);
	assert_int_equal(json_pack(&packed, &v), 0);
	assert_int_equal(json_unpack(&a, buf_slice(&packed), &json_limits_default, &w), 0);
	assert_true(slice_eq(w.members[0].name, SLICE("b")));
	assert_true(slice_eq(w.members[0].value.text, SLICE("1.500E+2")));
	assert_true(slice_eq(w.members[1].value.text, SLICE("-0")));
}

/* A value that claims a length or a count, and what follows it. */
static int unpack_claim(int type, uint32_t claim, struct slice body)
{
	cleanup_buf struct buf b = BUF_INIT(ROOM);
	char head[5] = { (char)type, (char)claim, (char)(claim >> 8), (char)(claim >> 16), (char)(claim >> 24) };

	assert_int_equal(buf_add(&b, head, sizeof(head)), 0);
	assert_int_equal(buf_add_slice(&b, body), 0);
	return unpack(buf_slice(&b), &json_limits_default);
}

static void packed_lies(void **state)
{
	static const struct {
		int type;
		uint32_t claim;
		struct slice body;
	} cases[] = {
#define CASE(type, claim, body) { type, claim, { body, sizeof(body) - 1 } }
		CASE(7, 0, ""),
		CASE(255, 0, ""),
		CASE(JSON_NULL, 0, ""),
		CASE(JSON_NUMBER, 0, ""),
		CASE(JSON_NUMBER, 2, "01"),
		CASE(JSON_NUMBER, 2, "1 "),
		CASE(JSON_NUMBER, 3, "NaN"),
		CASE(JSON_NUMBER, 5, "1e309"),
		CASE(JSON_STRING, 1, "\xff"),
		CASE(JSON_STRING, 3, "\xed\xa0\x80"),
		CASE(JSON_STRING, UINT32_MAX, "a"),
		/* Counts that are too high; one for which the memory would not do. */
		CASE(JSON_ARRAY, 2, "\0"),
		CASE(JSON_ARRAY, 100000, "\0"),
		CASE(JSON_ARRAY, UINT32_MAX, "\0"),
		CASE(JSON_OBJECT, 1, "\0\0\0\0"),
		CASE(JSON_OBJECT, UINT32_MAX, "\0\0\0\0\0"),
		/* Names: not UTF-8, twice the same. */
		CASE(JSON_OBJECT, 1, "\1\0\0\0\xff\0"),
		CASE(JSON_OBJECT, 2, "\1\0\0\0a\0\1\0\0\0a\0"),
#undef CASE
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(unpack_claim(cases[i].type, cases[i].claim, cases[i].body), -EBADMSG);
	assert_int_equal(unpack_claim(JSON_NUMBER, 1, SLICE("1")), 0);
	assert_int_equal(unpack_claim(JSON_OBJECT, 2, SLICE("\1\0\0\0a\0\1\0\0\0b\0")), 0);
}

static void packed_limits_hold_exactly(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT(ROOM);
	cleanup_buf struct buf packed = BUF_INIT(ROOM);
	struct json_limits limits;
	struct json v;

	(void)state;
	parse(&a, "[[[1,2]],3]", &v);
	assert_int_equal(json_pack(&packed, &v), 0);
	limits = (struct json_limits){ .bytes = packed.len, .depth = 3, .items = 6 };
	assert_int_equal(unpack(buf_slice(&packed), &limits), 0);
	limits.bytes--;
	assert_int_equal(unpack(buf_slice(&packed), &limits), -EBADMSG);
	limits = (struct json_limits){ .bytes = packed.len, .depth = 2, .items = 6 };
	assert_int_equal(unpack(buf_slice(&packed), &limits), -EBADMSG);
	limits = (struct json_limits){ .bytes = packed.len, .depth = 3, .items = 5 };
	assert_int_equal(unpack(buf_slice(&packed), &limits), -EBADMSG);
	limits = (struct json_limits){ .bytes = packed.len, .depth = 3, .items = 0 };
	assert_int_equal(unpack(slice_of("\0", 1), &limits), -EBADMSG);

	/* Deeper than any tree may be, whatever the limits say. */
	buf_clear(&packed);
	for (size_t i = 0; i < JSON_DEPTH_MAX; i++)
		buf_add(&packed, "\x05\x01\0\0\0", 5);
	buf_add(&packed, "\x05\0\0\0\0", 5);
	limits = (struct json_limits){ .bytes = ROOM, .depth = 1000000, .items = ROOM };
	assert_int_equal(unpack(buf_slice(&packed), &limits), -EBADMSG);
	assert_int_equal(unpack(slice_of(packed.ptr + 5, packed.len - 5), &limits), 0);
}

static void packed_mutations_are_refused_or_mean_themselves(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT(ROOM), b = ARENA_INIT(ROOM);
	cleanup_buf struct buf packed = BUF_INIT(ROOM), again = BUF_INIT(ROOM);
	uint64_t random = 88172645463325252;
	struct json v;

	(void)state;
	parse(&a, sample, &v);
	assert_int_equal(json_pack(&packed, &v), 0);
	for (int round = 0; round < 50000; round++) {
		char before[3];
		size_t at[3];

		for (int i = 0; i < 3; i++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			at[i] = (size_t)(random >> 8) % packed.len;
			before[i] = packed.ptr[at[i]];
			packed.ptr[at[i]] = (char)(random & 7 ? random % 8 : random >> 32);
		}
		if (json_unpack(&b, buf_slice(&packed), &json_limits_default, &v) == 0) {
			buf_clear(&again);
			assert_int_equal(json_pack(&again, &v), 0);
			assert_true(slice_eq(buf_slice(&again), buf_slice(&packed)));
		}
		arena_clear(&b);
		for (int i = 3; i-- > 0;)
			packed.ptr[at[i]] = before[i];
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packed_truncations_and_leftovers),
		cmocka_unit_test(packed_is_not_read_past_its_end),
		cmocka_unit_test(packed_keeps_number_text_and_order),
		cmocka_unit_test(packed_lies),
		cmocka_unit_test(packed_limits_hold_exactly),
		cmocka_unit_test(packed_mutations_are_refused_or_mean_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
