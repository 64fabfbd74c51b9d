/* json: strict reading, lookups, equality, one canonical text. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "parse/json.h"

enum { ROOM = 1 << 20, MUCH_ROOM = 256 << 20 };

static const char sample[] =
    "{\"b\":[1,-2.50,1e3,true,false,null],\"a\":{\"\":\"\\u20ac\\ud83d\\ude00\\n\",\"\xc3\xa9\":{}},\"c\":[[],[[\"x\"]]]}";

static enum json_error fault_of(struct slice text, const struct json_limits *limits, size_t *ret_offset)
{
	cleanup_arena struct arena a = ARENA_INIT(ROOM);
	struct json_fault fault = { .error = JSON_OK };
	struct json v = { .type = JSON_TRUE, .count = 77 };
	enum json_error error = json_parse(&a, text, limits, &v, &fault);

	assert_int_equal(error, fault.error);
	if (error)
		assert_true(v.type == JSON_TRUE && v.count == 77);
	*ret_offset = fault.offset;
	return error;
}

static enum json_error error_of(const char *text)
{
	size_t offset;

	return fault_of(slice_str(text), &json_limits_default, &offset);
}

static void parse(struct arena *a, const char *text, struct json *ret_value)
{
	assert_int_equal(json_parse(a, slice_str(text), &json_limits_default, ret_value, NULL), JSON_OK);
}

static void faults_and_their_places(void **state)
{
	static const struct {
		const char *text;
		enum json_error error;
		size_t offset;
	} cases[] = {
		{ "", JSON_SYNTAX, 0 },
		{ "  ", JSON_SYNTAX, 2 },
		{ "[1,]", JSON_SYNTAX, 3 },
		{ "[,1]", JSON_SYNTAX, 1 },
		{ "[1 2]", JSON_SYNTAX, 3 },
		{ "[}", JSON_SYNTAX, 1 },
		{ "[1}", JSON_SYNTAX, 2 },
		{ "{]", JSON_SYNTAX, 1 },
		{ "{\"a\"}", JSON_SYNTAX, 4 },
		{ "{\"a\":}", JSON_SYNTAX, 5 },
		{ "{\"a\":1,}", JSON_SYNTAX, 7 },
		{ "{a:1}", JSON_SYNTAX, 1 },
		{ "{1:1}", JSON_SYNTAX, 1 },
		{ "1 2", JSON_SYNTAX, 2 },
		{ "{}{}", JSON_SYNTAX, 2 },
		{ "]", JSON_SYNTAX, 0 },
		{ "tru", JSON_SYNTAX, 0 },
		{ "truE", JSON_SYNTAX, 0 },
		{ "nulll", JSON_SYNTAX, 4 },
		{ "NaN", JSON_SYNTAX, 0 },
		{ "Infinity", JSON_SYNTAX, 0 },
		{ "-", JSON_SYNTAX, 0 },
		{ "-Infinity", JSON_SYNTAX, 0 },
		{ "+1", JSON_SYNTAX, 0 },
		{ "01", JSON_SYNTAX, 0 },
		{ "1.", JSON_SYNTAX, 0 },
		{ ".5", JSON_SYNTAX, 0 },
		{ "1e", JSON_SYNTAX, 0 },
		{ "1e+", JSON_SYNTAX, 0 },
		{ "1.5.2", JSON_SYNTAX, 3 },
		{ "0x10", JSON_SYNTAX, 1 },
		{ "'a'", JSON_SYNTAX, 0 },
		{ "\"a", JSON_SYNTAX, 2 },
		{ "\"\t\"", JSON_SYNTAX, 1 },
		{ "\"a\nb\"", JSON_SYNTAX, 2 },
		{ "\"\\x\"", JSON_SYNTAX, 1 },
		{ "\"\\u12\"", JSON_SYNTAX, 1 },
		{ "\"\\u12g4\"", JSON_SYNTAX, 1 },
		{ "\"\\", JSON_SYNTAX, 1 },
		{ "\"\\\xe2\x82\xac\"", JSON_SYNTAX, 1 },
		{ "\"\\ud83d\\u12\"", JSON_SYNTAX, 7 },
		{ "[1] // x", JSON_SYNTAX, 4 },
		{ "[1,\f2]", JSON_SYNTAX, 3 },
		{ "\xc3\xa9", JSON_SYNTAX, 0 },
		{ "\xe2\x81\xa0[]", JSON_SYNTAX, 0 },
		{ "\xef\xbb\xbf[]", JSON_UTF8, 0 },
		{ "\xff\xfe[", JSON_UTF8, 0 },
		{ "[\xff]", JSON_UTF8, 1 },
		{ "\"ab\xff\"", JSON_UTF8, 3 },
		{ "\"\xc0\xaf\"", JSON_UTF8, 1 },
		{ "\"\xe0\x80\xaf\"", JSON_UTF8, 1 },
		{ "\"\xed\xa0\x80\"", JSON_UTF8, 1 },
		{ "\"\xf4\x90\x80\x80\"", JSON_UTF8, 1 },
		{ "\"\xe2\x82\"", JSON_UTF8, 1 },
		{ "\"\xe2\\u0041\"", JSON_UTF8, 1 },
		{ "\"\\n\xe2\x82\"", JSON_UTF8, 3 },
		{ "\"\\ud800\"", JSON_UTF8, 1 },
		{ "\"\\udc00\"", JSON_UTF8, 1 },
		{ "\"x\\ud83dx\"", JSON_UTF8, 2 },
		{ "\"\\ud83d\\n\"", JSON_UTF8, 1 },
		{ "\"\\ud83d\\ud83d\"", JSON_UTF8, 1 },
		{ "\"\\ude00\\ud83d\"", JSON_UTF8, 1 },
		{ "\"\\udc00\\udc00\"", JSON_UTF8, 1 },
		{ "{\"a\":1,\"a\":1}", JSON_DUPLICATE, 8 },
		{ "{\"a\":1,\"\\u0061\":2}", JSON_DUPLICATE, 8 },
		{ "{\"\":1,\"b\":0,\"\":2}", JSON_DUPLICATE, 13 },
		{ "[{\"a\":{\"b\":1,\"b\":1}}]", JSON_DUPLICATE, 14 },
		{ "[1e309]", JSON_RANGE, 1 },
		{ "[1,-1e99999]", JSON_RANGE, 3 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t offset;
		enum json_error error = fault_of(slice_str(cases[i].text), &json_limits_default, &offset);

		if (error != cases[i].error || offset != cases[i].offset)
			fail_msg("%s: %s at %zu", cases[i].text, json_error_text(error), offset);
	}
}

static void a_nul_is_a_byte_like_others(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT(ROOM);
	struct json v;
	size_t offset;

	(void)state;
	assert_int_equal(fault_of(slice_of("[1]\0", 4), &json_limits_default, &offset), JSON_SYNTAX);
	assert_int_equal(fault_of(slice_of("\"a\0b\"", 5), &json_limits_default, &offset), JSON_SYNTAX);
	assert_int_equal(offset, 2);
	parse(&a, "\"a\\u0000b\"", &v);
	assert_true(slice_eq(v.text, slice_of("a\0b", 3)));
}

static void no_truncation_is_accepted(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(sample) - 1; len++) {
		/* At the end of its own memory, so that a read past it is seen by the sanitizer. */
		cleanup_buf struct buf exact = BUF_INIT(len + 1);
		size_t offset;
		enum json_error error;

		assert_int_equal(buf_add(&exact, sample, len), 0);
		error = fault_of(buf_slice(&exact), &json_limits_default, &offset);
		assert_true(error == JSON_SYNTAX || error == JSON_UTF8);
		assert_true(offset <= len);
	}
	assert_int_equal(error_of(sample), JSON_OK);
}

/* Past the arena's first block the copy ends where its memory ends, so that the sanitizer sees a read beyond it. */
static void nothing_is_read_past_the_end(void **state)
{
	cleanup_buf struct buf b = BUF_INIT(ROOM);

	(void)state;
	for (size_t len = 4060; len < 4140; len++) {
		size_t offset;

		buf_clear(&b);
		buf_add_char(&b, '"');
		while (b.len < len)
			buf_add_char(&b, 'x');
		assert_int_equal(fault_of(buf_slice(&b), &json_limits_default, &offset), JSON_SYNTAX);
		assert_int_equal(offset, len);
		b.ptr[len - 1] = '\\';
		assert_int_equal(fault_of(buf_slice(&b), &json_limits_default, &offset), JSON_SYNTAX);
		memset(b.ptr, '[', len);
		assert_int_equal(fault_of(buf_slice(&b), &json_limits_default, &offset), JSON_DEPTH);
		memset(b.ptr, '1', len);
		assert_int_equal(fault_of(buf_slice(&b), &json_limits_default, &offset), JSON_RANGE);
	}
}

static void the_tree_owes_nothing_to_the_input(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT(ROOM);
	cleanup_buf struct buf before = BUF_INIT(ROOM), after = BUF_INIT(ROOM);
	char input[sizeof(sample)];
	struct json v;

	(void)state;
	memcpy(input, sample, sizeof(sample));
	parse(&a, input, &v);
	assert_int_equal(json_write(&before, &v), 0);
	memset(input, '?', sizeof(input));
	assert_int_equal(json_write(&after, &v), 0);
	assert_true(slice_eq(buf_slice(&before), buf_slice(&after)));
}

static void nest(struct buf *b, size_t depth, const char *open, const char *close)
{
	buf_clear(b);
	for (size_t i = 0; i < depth; i++)
		buf_add_str(b, open);
	for (size_t i = 0; i < depth; i++)
		buf_add_str(b, close);
}

static void limits_hold_exactly(void **state)
{
	cleanup_buf struct buf b = BUF_INIT(ROOM);
	struct json_limits limits = { .bytes = 10, .depth = 3, .items = 4 };
	size_t offset;

	(void)state;
	assert_int_equal(fault_of(SLICE("[1,2,3   ]"), &limits, &offset), JSON_OK);
	assert_int_equal(fault_of(SLICE("[1,2,3    ]"), &limits, &offset), JSON_BYTES);
	assert_int_equal(offset, 10);
	assert_int_equal(fault_of(SLICE("[1,2,3,4]"), &limits, &offset), JSON_ITEMS);
	assert_int_equal(offset, 7);
	assert_int_equal(fault_of(SLICE("[[[1]]]"), &limits, &offset), JSON_OK);
	assert_int_equal(fault_of(SLICE("[[[[]]]]"), &limits, &offset), JSON_DEPTH);
	assert_int_equal(offset, 3);
	assert_int_equal(fault_of(SLICE("[[],[[]]]"), &limits, &offset), JSON_OK);

	limits = (struct json_limits){ .bytes = ROOM, .depth = 0, .items = 1 };
	assert_int_equal(fault_of(SLICE("1"), &limits, &offset), JSON_OK);
	assert_int_equal(fault_of(SLICE("[]"), &limits, &offset), JSON_DEPTH);
	limits.items = 0;
	assert_int_equal(fault_of(SLICE("1"), &limits, &offset), JSON_ITEMS);

	limits = (struct json_limits){ .bytes = ROOM, .depth = 1000000, .items = ROOM };
	nest(&b, JSON_DEPTH_MAX, "[", "]");
	assert_int_equal(fault_of(buf_slice(&b), &limits, &offset), JSON_OK);
	nest(&b, JSON_DEPTH_MAX + 1, "[", "]");
	assert_int_equal(fault_of(buf_slice(&b), &limits, &offset), JSON_DEPTH);
	nest(&b, 100000, "[", "");
	assert_int_equal(fault_of(buf_slice(&b), &limits, &offset), JSON_DEPTH);
}

static void little_memory_is_an_error(void **state)
{
	cleanup_buf struct buf b = BUF_INIT(ROOM);
	bool worked = false;
	struct json v;

	(void)state;
	buf_add_str(&b, "[{\"a\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30]},\"x\"]");
	for (size_t max = 0; max < 8192; max += 8) {
		cleanup_arena struct arena a = ARENA_INIT(max);
		enum json_error error = json_parse(&a, buf_slice(&b), &json_limits_default, &v, NULL);

		assert_true(error == JSON_MEMORY || error == JSON_OK);
		assert_true(!worked || error == JSON_OK);
		worked = error == JSON_OK;
	}
	assert_true(worked);
}

static void what_waits_is_counted_as_memory(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT(8192);
	cleanup_buf struct buf b = BUF_INIT(ROOM);
	struct json_fault fault;
	struct json v;

	(void)state;
	buf_add_char(&b, '[');
	for (int i = 0; i < 2000; i++)
		buf_add_str(&b, "1,");
	assert_int_equal(json_parse(&a, buf_slice(&b), &json_limits_default, &v, &fault), JSON_MEMORY);
	assert_true(fault.offset < b.len);
}

/* {"k0":0,"k1":1,...} with `last` as the name of one more. */
static void add_members(struct buf *b, size_t count, const char *last)
{
	buf_clear(b);
	buf_add_char(b, '{');
	for (size_t i = 0; i < count; i++)
		buf_printf(b, "\"k%zu\":%zu,", i, i);
	buf_printf(b, "\"%s\":0}", last);
}

static void repeated_names_among_many(void **state)
{
	static const size_t counts[] = { 1, 2, 14, 15, 16, 17, 100, 3000 };
	cleanup_buf struct buf b = BUF_INIT(ROOM);
	size_t offset;

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		char name[32];

		add_members(&b, counts[i], "k");
		assert_int_equal(fault_of(buf_slice(&b), &json_limits_default, &offset), JSON_OK);
		for (size_t which = 0; which < counts[i]; which += 1 + which * 3) {
			snprintf(name, sizeof(name), "\\u006b%zu", which);
			add_members(&b, counts[i], name);
			assert_int_equal(fault_of(buf_slice(&b), &json_limits_default, &offset), JSON_DUPLICATE);
			assert_true(slice_starts(slice_of(b.ptr + offset, b.len - offset), slice_str(name)));
		}
	}
}

static void the_first_repetition_is_named(void **state)
{
	cleanup_buf struct buf b = BUF_INIT(ROOM);
	size_t offset;

	(void)state;
	buf_add_str(&b, "{\"x\":0,\"y\":0,\"x\":1,");
	for (size_t i = 0; i < 40; i++)
		buf_printf(&b, "\"k%zu\":0,\"k%zu\":1,", i, i);
	buf_add_str(&b, "\"y\":1}");
	assert_int_equal(fault_of(buf_slice(&b), &json_limits_default, &offset), JSON_DUPLICATE);
	assert_int_equal(offset, 14);
}

static void very_many_members_are_no_burden(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT(MUCH_ROOM);
	cleanup_buf struct buf b = BUF_INIT(16 << 20), written = BUF_INIT(16 << 20);
	struct json v, w;

	(void)state;
	/* Comparing each with each would be 10^11 comparisons, in parsing as in comparing. */
	add_members(&b, 300000, "k");
	assert_int_equal(json_parse(&a, buf_slice(&b), &json_limits_default, &v, NULL), JSON_OK);
	assert_int_equal(json_write(&written, &v), 0);
	assert_int_equal(json_parse(&a, buf_slice(&written), &json_limits_default, &w, NULL), JSON_OK);
	assert_false(slice_eq(v.members[2].name, w.members[2].name));
	assert_true(json_equal(&v, &w));
	w.members[150000].value.type = JSON_NULL;
	assert_false(json_equal(&v, &w));
}

static void lookups(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT(ROOM);
	struct json v;

	(void)state;
	parse(&a, sample, &v);
	assert_int_equal(v.count, 3);
	assert_true(slice_eq(v.members[0].name, SLICE("b")));
	assert_int_equal(json_get(&v, SLICE("b"))->count, 6);
	assert_true(json_is_bool(&json_get(&v, SLICE("b"))->items[3]));
	assert_non_null(json_get_type(&v, SLICE("a"), JSON_OBJECT));
	assert_null(json_get_type(&v, SLICE("a"), JSON_ARRAY));
	assert_true(slice_eq(json_get(json_get(&v, SLICE("a")), SLICE(""))->text, SLICE("\xe2\x82\xac\xf0\x9f\x98\x80\n")));
	assert_null(json_get(&v, SLICE("d")));
	assert_null(json_get(&v, SLICE("")));
	assert_null(json_get(NULL, SLICE("a")));
	assert_null(json_get(json_get(&v, SLICE("b")), SLICE("a")));
	assert_null(json_get_type(NULL, SLICE("a"), JSON_NULL));
}

static void check_equal(const char *x, const char *y, bool expected)
{
	cleanup_arena struct arena a = ARENA_INIT(ROOM);
	struct json v, w;

	parse(&a, x, &v);
	parse(&a, y, &w);
	if (json_equal(&v, &w) != expected || json_equal(&w, &v) != expected)
		fail_msg("%s and %s", x, y);
}

static void equality(void **state)
{
	(void)state;
	check_equal("1", "1.0", true);
	check_equal("10", "1e1", true);
	check_equal("0", "-0.0e5", true);
	check_equal("9007199254740993", "9007199254740992", false);
	check_equal("0.1", "0.10000000000000000001", false);
	check_equal("1", "\"1\"", false);
	check_equal("true", "false", false);
	check_equal("null", "false", false);
	check_equal("\"\\u00e9\"", "\"\xc3\xa9\"", true);
	check_equal("\"\\u00e9\"", "\"e\\u0301\"", false);
	check_equal("[1,2]", "[2,1]", false);
	check_equal("[1]", "[1,1]", false);
	check_equal("{\"a\":1,\"b\":[{}]}", "{\"b\":[{}],\"a\":1.0}", true);
	check_equal("{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}", false);
	check_equal("{\"a\":1,\"b\":2}", "{\"a\":2,\"b\":1}", false);
	check_equal("{\"a\":1}", "{\"a\":1,\"b\":null}", false);
	check_equal("[]", "{}", false);
	check_equal("{\"a\":0,\"b\":0,\"c\":0,\"d\":0,\"e\":0,\"f\":0,\"g\":0,\"h\":0,\"i\":0,\"j\":0,\"k\":0,\"l\":0,\"m\":0,"
		    "\"n\":0,\"o\":0,\"p\":0,\"q\":0}",
		    "{\"b\":0,\"a\":0,\"c\":0,\"d\":0,\"e\":0,\"f\":0,\"g\":0,\"h\":0,\"i\":0,\"j\":0,\"k\":0,\"l\":0,\"m\":0,"
		    "\"n\":0,\"o\":0,\"p\":0,\"x\":0}",
		    false);
}

/* What `text` is in canonical form, straight from the tree and by way of the packed form. */
static void check_canonical(const char *text, const char *canonical)
{
	cleanup_arena struct arena a = ARENA_INIT(ROOM);
	cleanup_buf struct buf out = BUF_INIT(ROOM), packed = BUF_INIT(ROOM), again = BUF_INIT(ROOM);
	struct json v, w;

	parse(&a, text, &v);
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
	check_canonical(" [ 1 , 1.50 , -0 , true , false , null , \"\" , [ ] , { } ] ", "[1,1.5,0,true,false,null,\"\",[],{}]");
	check_canonical("{\"b\":[],\"a\":{\"\":null}}", "{\"a\":{\"\":null},\"b\":[]}");
	/* Every control character, with the short escapes where there are any; DEL and beyond as they are. */
	check_canonical("\"\\u0000\\u0001\\u0007\\b\\t\\n\\u000b\\f\\r\\u000E\\u001F\\u0020\\/"
			"\\\"\\\\\\u007f\\u0080\\u20ac\\uD83D\\uDE00\\uffff\"",
			"\"\\u0000\\u0001\\u0007\\b\\t\\n\\u000b\\f\\r\\u000e\\u001f "
			"/\\\"\\\\\x7f\xc2\x80\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbf\"");
	/* RFC 8785, 3.2.2 and 3.2.3, but for 333333333.33333329, which keeps its digits (json.h). */
	check_canonical("{\"numbers\":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"
			"\"string\":\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\",\"literals\":[null,true,false]}",
			"{\"literals\":[null,true,false],\"numbers\":[333333333.33333329,1e+30,4.5,0.002,1e-27],"
			"\"string\":\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
}

static void members_are_sorted_by_code_units(void **state)
{
	(void)state;
	/* RFC 8785, 3.2.3: the euro sign is U+20AC, the last but one U+1F600, a surrogate pair, the last U+FB33. */
	check_canonical(
	    "{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\",\"\\ufb33\":\"Hebrew Letter Dalet With Dagesh\",\"1\":\"One\","
	    "\"\\ud83d\\ude00\":\"Emoji: Grinning Face\",\"\\u0080\":\"Control\",\"\\u00f6\":\"Latin Small Letter O With "
	    "Diaeresis\"}",
	    "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\",\"\xc3\xb6\":\"Latin Small Letter O With "
	    "Diaeresis\","
	    "\"\xe2\x82\xac\":\"Euro Sign\",\"\xf0\x9f\x98\x80\":\"Emoji: Grinning Face\",\"\xef\xac\xb3\":\"Hebrew Letter Dalet "
	    "With Dagesh\"}");
	/* Around the surrogates: U+D7FF, then pairs, then U+E000 and U+FFFF; a name before those that it begins. */
	check_canonical(
	    "{\"\\uffff\":1,\"\\ue000\":2,\"\\udbff\\udfff\":3,\"\\ud800\\udc00\":4,\"\\ud7ff\":5,\"a\":6,\"\":7,\"ab\":8,\"B\":9,"
	    "\"a\\ue000\":10,\"a\\ud800\\udc00\":11}",
	    "{\"\":7,\"B\":9,\"a\":6,\"ab\":8,\"a\xf0\x90\x80\x80\":11,\"a\xee\x80\x80\":10,\"\xed\x9f\xbf\":5,"
	    "\"\xf0\x90\x80\x80\":4,"
	    "\"\xf4\x8f\xbf\xbf\":3,\"\xee\x80\x80\":2,\"\xef\xbf\xbf\":1}");
	/* More than are sorted in place. */
	check_canonical("{\"t\":1,\"s\":1,\"r\":1,\"q\":1,\"p\":1,\"o\":1,\"n\":1,\"m\":1,\"l\":1,\"k\":1,\"j\":1,\"i\":1,\"h\":1,"
			"\"g\":1,\"f\":1,"
			"\"e\":1,\"d\":1,\"c\":1,\"b\":1,\"a\":1}",
			"{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"j\":1,\"k\":1,\"l\":1,\"m\":1,"
			"\"n\":1,\"o\":1,\"p\":1,"
			"\"q\":1,\"r\":1,\"s\":1,\"t\":1}");
}

static void written_and_packed_whole_or_not_at_all(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT(ROOM);
	cleanup_buf struct buf text = BUF_INIT(ROOM), packed = BUF_INIT(ROOM);
	struct json v;

	(void)state;
	parse(&a, sample, &v);
	assert_int_equal(json_write(&text, &v), 0);
	assert_int_equal(json_pack(&packed, &v), 0);
	for (size_t max = 1; max <= packed.len + 1; max++) {
		cleanup_buf struct buf out = BUF_INIT(max);

		buf_add_char(&out, '#');
		assert_int_equal(json_write(&out, &v), max > text.len ? 0 : -EMSGSIZE);
		assert_int_equal(out.len, max > text.len ? text.len + 1 : 1);
		out.len = 1;
		assert_int_equal(json_pack(&out, &v), max > packed.len ? 0 : -EMSGSIZE);
		assert_int_equal(out.len, max > packed.len ? packed.len + 1 : 1);
	}
}

static void trees_that_no_parser_makes_are_not_written(void **state)
{
	cleanup_buf struct buf out = BUF_INIT(ROOM);
	struct json bad = { .type = JSON_STRING, .text = SLICE("0123456789\xff") };
	struct json list = { .type = JSON_ARRAY, .count = 1, .items = &bad }, deep[JSON_DEPTH_MAX + 1];

	(void)state;
	assert_int_equal(json_write(&out, &list), -EINVAL);
	assert_int_equal(json_write_string(&out, SLICE("\xed\xa0\x80")), -EINVAL);
	assert_int_equal(json_write_string(&out, SLICE("\xffxyzxyzxyz")), -EINVAL);
	assert_int_equal(json_write_string(&out, SLICE("\\\xff\\01234567")), -EINVAL);
	deep[JSON_DEPTH_MAX] = (struct json){ .type = JSON_ARRAY };
	for (size_t i = JSON_DEPTH_MAX; i-- > 0;)
		deep[i] = (struct json){ .type = JSON_ARRAY, .count = 1, .items = &deep[i + 1] };
	assert_int_equal(json_write(&out, &deep[0]), -EMSGSIZE);
	assert_int_equal(json_pack(&out, &deep[0]), -EMSGSIZE);
	assert_false(json_equal(&deep[0], &deep[0]));
	assert_int_equal(out.len, 0);
	assert_int_equal(json_write(&out, &deep[1]), 0);
	assert_int_equal(json_pack(&out, &deep[1]), 0);
	assert_true(json_equal(&deep[1], &deep[1]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults_and_their_places),
		cmocka_unit_test(a_nul_is_a_byte_like_others),
		cmocka_unit_test(no_truncation_is_accepted),
		cmocka_unit_test(nothing_is_read_past_the_end),
		cmocka_unit_test(the_tree_owes_nothing_to_the_input),
		cmocka_unit_test(limits_hold_exactly),
		cmocka_unit_test(little_memory_is_an_error),
		cmocka_unit_test(what_waits_is_counted_as_memory),
		cmocka_unit_test(repeated_names_among_many),
		cmocka_unit_test(the_first_repetition_is_named),
		cmocka_unit_test(very_many_members_are_no_burden),
		cmocka_unit_test(lookups),
		cmocka_unit_test(equality),
		cmocka_unit_test(canonical_text),
		cmocka_unit_test(members_are_sorted_by_code_units),
		cmocka_unit_test(written_and_packed_whole_or_not_at_all),
		cmocka_unit_test(trees_that_no_parser_makes_are_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
