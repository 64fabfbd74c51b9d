/* skim: what can be said of a line that is refused, and when nothing may be said. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/buf.h"
#include "parse/skim.h"

/* "id|method|tool": an integer id as it is, a string in quotes, "-" for what is not known. */
static void describe(const struct skim_found *found, struct buf *out)
{
	buf_clear(out);
	if (found->id.type == JSON_STRING)
		buf_printf(out, "\"%.*s\"|", SLICE_ARG(found->id.text));
	else if (found->id.type == JSON_NUMBER)
		buf_printf(out, "%.*s|", SLICE_ARG(found->id.text));
	else
		buf_add_str(out, "-|");
	if (found->method.ptr)
		buf_add_slice(out, found->method);
	else
		buf_add_char(out, '-');
	buf_add_char(out, '|');
	if (found->tool.ptr)
		buf_add_slice(out, found->tool);
	else
		buf_add_char(out, '-');
	buf_add_char(out, '\0');
}

static void skim_in_pieces(struct slice line, size_t piece, struct buf *out)
{
	struct skim_found found;
	struct skim s;

	skim_start(&s);
	for (size_t at = 0; at < line.len; at += piece)
		skim_feed(&s, slice_of(line.ptr + at, line.len - at < piece ? line.len - at : piece));
	skim_finish(&s, &found);
	describe(&found, out);
}

static void check_slice(struct slice line, const char *expected)
{
	static const size_t pieces[] = { 1, 2, 3, 7, 1 << 20 };
	cleanup_buf struct buf out = BUF_INIT(4096);

	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		skim_in_pieces(line, pieces[i], &out);
		if (strcmp(out.ptr, expected) != 0)
			fail_msg("%.*s\n in pieces of %zu: %s instead of %s", line.len < 200 ? (int)line.len : 200, line.ptr,
				 pieces[i], out.ptr, expected);
	}
}

static void check(const char *line, const char *expected)
{
	check_slice(slice_str(line), expected);
}

static void finds_what_is_there(void **state)
{
	(void)state;
	check("{\"jsonrpc\":\"2.0\",\"id\":17,\"method\":\"tools/call\",\"params\":{\"name\":\"read\",\"arguments\":{}}}",
	      "17|tools/call|read");
	check(" { \"params\" : { \"name\" : \"r\\u0065ad\" } , \"method\" : \"m\" , \"id\" : \"a b\" } \r\n", "\"a b\"|m|read");
	check("{\"i\\u0064\":-5,\"method\":\"\\ud83d\\ude00\\n\\/\"}", "-5|\xf0\x9f\x98\x80\n/|-");
	check("{\"id\":\"\xe2\x82\xac\",\"result\":{\"x\":[1,-0.5e+3,true,false,null,[],{}]}}", "\"\xe2\x82\xac\"|-|-");
	check("{\"id\":9007199254740992}", "9007199254740992|-|-");
	check("{\"id\":0,\"x\":\"\\ud83d\"}", "0|-|-");
	check("{}", "-|-|-");
}

static void a_repeated_name_elsewhere_does_not_matter(void **state)
{
	(void)state;
	check("{\"id\":1,\"method\":\"m\",\"params\":{\"name\":\"t\",\"arguments\":{\"a\":1,\"a\":2}}}", "1|m|t");
	check("{\"id\":1,\"method\":\"m\",\"x\":1,\"x\":2}", "1|m|-");
}

static void ambiguous_members_are_not_claimed(void **state)
{
	(void)state;
	check("{\"id\":1,\"id\":1,\"method\":\"m\"}", "-|m|-");
	check("{\"id\":1,\"\\u0069d\":2,\"method\":\"m\"}", "-|m|-");
	check("{\"id\":1,\"ID\":2,\"method\":\"m\"}", "-|m|-");
	check("{\"ID\":2,\"method\":\"m\"}", "-|m|-");
	check("{\"id\":1,\"method\":\"a\",\"method\":\"b\"}", "1|-|-");
	check("{\"id\":1,\"params\":{\"name\":\"a\",\"name\":\"b\"}}", "1|-|-");
	check("{\"id\":1,\"params\":{\"name\":\"a\"},\"params\":{}}", "1|-|-");
	check("{\"id\":1,\"params\":1,\"params\":{\"name\":\"a\"}}", "1|-|-");
	check("{\"id\":1,\"PARAMS\":{\"name\":\"a\"}}", "1|-|-");
	check("{\"id\":1,\"params\":{\"name\":\"a\",\"Name\":\"b\"}}", "1|-|-");
}

static void values_of_another_kind_are_not_claimed(void **state)
{
	static const char *const ids[] = { "null",
					   "true",
					   "false",
					   "{}",
					   "[]",
					   "[1]",
					   "{\"id\":1}",
					   "1.0",
					   "1e2",
					   "-0",
					   "1.5",
					   "9007199254740993",
					   "100000000000000000000000000000000000000000000" };
	char line[256];

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		snprintf(line, sizeof(line), "{\"method\":\"m\",\"id\":%s}", ids[i]);
		check(line, "-|m|-");
	}
	check("{\"id\":1,\"method\":5,\"params\":{\"name\":6}}", "1|-|-");
	check("{\"id\":1,\"method\":null,\"params\":[\"name\",\"x\"]}", "1|-|-");
	check("{\"id\":1,\"method\":{\"a\":\"b\"},\"params\":{\"name\":[\"x\"]}}", "1|-|-");
	check("{\"id\":\"\\ud83d\",\"method\":\"\\ude00x\",\"params\":{\"name\":\"\\ud83dx\"}}", "-|-|-");
}

static void nested_and_quoted_look_alikes_are_passed_over(void **state)
{
	(void)state;
	check("{\"a\":{\"id\":1,\"method\":\"x\"},\"b\":[{\"id\":2}],\"c\":\"\\\",\\\"id\\\":3\",\"params\":{\"a\":{\"name\":\"x\"}"
	      "}}",
	      "-|-|-");
	check("{\"id\":1,\"params\":{\"id\":2,\"method\":\"x\",\"params\":{\"name\":\"y\"}}}", "1|-|-");
	check("{\"name\":\"x\",\"params\":{},\"x\":{\"name\":\"y\"}}", "-|-|-");
	check("{\"params\":[{\"name\":\"x\"}]}", "-|-|-");
	check("{\"id\":1,\"method\\ud83d\\ude00\":\"x\",\"methods\":\"y\"}", "1|-|-");
	check("{\"id\":1,\"x\":\"id\",\"y\":\"params\",\"z\":{\"name\":\"x\"}}", "1|-|-");
}

static void a_line_that_is_not_json_says_nothing(void **state)
{
	static const char *const lines[] = {
		"",
		" ",
		"1",
		"\"id\"",
		"[]",
		"[{\"id\":1}]",
		"{\"id\":1",
		"{\"id\":1}}",
		"{\"id\":1}]",
		"{\"id\":1} {\"id\":1}",
		"{\"id\":1} x",
		"{\"id\":1,}",
		"{,\"id\":1}",
		"{\"id\":1 \"a\":2}",
		"{\"id\" 1}",
		"{\"id\":1,\"a\":[}}",
		"{\"id\":1,\"a\":{]}",
		"{\"id\":1,\"a\":[1,]}",
		"{\"id\":1,\"a\":[1}}",
		"{\"id\":1,\"a\":{\"b\":1]}",
		"{\"id\":1]",
		"{\"id\":1:2}",
		"{\"id\":1,\"a\":[1:2]}",
		"{\"id\":1,\"a\":\"\xe2x\x82\xac\"}",
		"{\"id\":1,\"a\":\"\xe2\x82x\"}",
		"{\"id\":1,\"a\":\"\xe0\x80\xaf\"}",
		"{\"id\":1,\"a\":\"\xf0\x80\x80\xaf\"}",
		"{\"id\":1,\"a\":01}",
		"{\"id\":1,\"a\":1.}",
		"{\"id\":1,\"a\":.1}",
		"{\"id\":1,\"a\":+1}",
		"{\"id\":1,\"a\":1e}",
		"{\"id\":1,\"a\":-}",
		"{\"id\":1,\"a\":tru}",
		"{\"id\":1,\"a\":truex}",
		"{\"id\":1,\"a\":nul",
		"{\"id\":1,\"a\":\"\\x\"}",
		"{\"id\":1,\"a\":\"\\u12g4\"}",
		"{\"id\":1,\"a\":\"\t\"}",
		"{\"id\":1,\"a\":\"\xff\"}",
		"{\"id\":1,\"a\":\"\xc0\xa2,\\\"id\\\":2\"}",
		"{\"id\":1,\"a\":\"\xe2\x82\"}",
		"{\"id\":1,\"a\":\"\xed\xa0\x80\"}",
		"{\"id\":1,\"a\":\"\xf4\x90\x80\x80\"}",
		"{\"id\":1,\"a\":\"\xe2\\u0041\"}",
		"\xef\xbb\xbf{\"id\":1}",
		"{'id':1}",
		"{id:1}",
		"{\"id\":1,//\n\"a\":2}",
		"{\"id\":1,\"a\":NaN}",
		"{\"id\":1}\v",
		"{\"id\":1,\"a\":[1 2]}",
		"{\"id\":1,\"a\":{1:2}}",
		"{\"id\":1,\"id\\u0000\":2}",
		"{\"id\":1,\"id\\ud800\":2}",
		"{\"id\":1,\"\\udc00id\":2}",
		"{\"id\":1,\"params\":{\"name\\u0000\":2}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		check(lines[i], "-|-|-");
	check_slice(slice_of("{\"id\":1}\0", 9), "-|-|-");
}

static void no_truncation_says_anything(void **state)
{
	static const char line[] =
	    "{\"id\":17,\"method\":\"m\",\"params\":{\"name\":\"\xe2\x82\xac\\u00e9\",\"x\":[1.5e+10,null,{\"y\":[]}]}}";

	(void)state;
	for (size_t len = 0; len < sizeof(line) - 1; len++)
		check_slice(slice_of(line, len), "-|-|-");
	check(line, "17|m|\xe2\x82\xac\xc3\xa9");
}

static void lengths_are_bounded(void **state)
{
	char text[300], line[1200], expected[1200];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (int len = 255; len < 259; len++) {
		snprintf(line, sizeof(line), "{\"id\":\"%.*s\",\"method\":\"%.*s\",\"params\":{\"name\":\"%.*s\"}}", len, text, len,
			 text, len, text);
		snprintf(expected, sizeof(expected), "\"%.*s\"|%.*s|%.*s", len, text, len, text, len, text);
		check(line, len <= SKIM_BYTES ? expected : "-|-|-");
	}
	/* A euro sign that would pass the end by one byte is not cut in two. */
	snprintf(line, sizeof(line), "{\"id\":\"%.*s\\u20ac\",\"method\":\"%.*s\\u20ac\"}", 253, text, 254, text);
	snprintf(expected, sizeof(expected), "\"%.*s\xe2\x82\xac\"|-|-", 253, text);
	check(line, expected);
}

static void add_nested(struct buf *b, const char *before, const char *open, const char *middle, const char *close,
		       const char *after, size_t depth)
{
	buf_clear(b);
	buf_add_str(b, before);
	for (size_t i = 0; i < depth; i++)
		buf_add_str(b, open);
	buf_add_str(b, middle);
	for (size_t i = 0; i < depth; i++)
		buf_add_str(b, close);
	buf_add_str(b, after);
}

static void any_depth_is_passed(void **state)
{
	cleanup_buf struct buf b = BUF_INIT(64 << 20);
	static const size_t depths[] = { SKIM_EXACT - 3, SKIM_EXACT - 2, SKIM_EXACT - 1, SKIM_EXACT, SKIM_EXACT + 1, 100000 };

	(void)state;
	for (size_t i = 0; i < sizeof(depths) / sizeof(*depths); i++) {
		size_t depth = depths[i];

		add_nested(&b, "{\"a\":", "[", "", "]", ",\"id\":5}", depth);
		check_slice(buf_slice(&b), "5|-|-");
		add_nested(&b, "{\"a\":", "[1,{\"id\":", "\"id\"", ",\"id\":[],\"x\":2},\"id\",{}]", ",\"id\":5}", depth);
		check_slice(buf_slice(&b), "5|-|-");
		add_nested(&b, "{\"a\":", "{\"id\":", "0", "}", ",\"id\":5}", depth);
		check_slice(buf_slice(&b), "5|-|-");
		/* One bracket too few or too many is still noticed. */
		add_nested(&b, "{\"a\":[", "[", "", "]", ",\"id\":5}", depth);
		check_slice(buf_slice(&b), "-|-|-");
		add_nested(&b, "{\"a\":", "[", "", "]", "],\"id\":5}", depth);
		check_slice(buf_slice(&b), "-|-|-");
		add_nested(&b, "{\"a\":", "{\"id\":", "0", ",\"a\"}", ",\"id\":5}", depth);
		check_slice(buf_slice(&b), "-|-|-");
	}
	/* Even there a container that shows its kind, before or after another one in it, must end as it began. */
	add_nested(&b, "{\"a\":[", "[", "[],1}", "]", ",\"id\":5}", SKIM_EXACT + 9);
	check_slice(buf_slice(&b), "-|-|-");
	add_nested(&b, "{\"a\":[", "[", "[],\"x\"}", "]", ",\"id\":5}", SKIM_EXACT + 9);
	check_slice(buf_slice(&b), "-|-|-");
	add_nested(&b, "{\"a\":[", "[", "[],\"x\":1]", "]", ",\"id\":5}", SKIM_EXACT + 9);
	check_slice(buf_slice(&b), "-|-|-");
	add_nested(&b, "{\"a\":[", "[", "[1}", "]", ",\"id\":5}", SKIM_EXACT + 9);
	check_slice(buf_slice(&b), "-|-|-");
	add_nested(&b, "{\"a\":", "[", "[],\"x\"", "]", ",\"id\":5}", SKIM_EXACT + 9);
	check_slice(buf_slice(&b), "5|-|-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_is_there),
		cmocka_unit_test(a_repeated_name_elsewhere_does_not_matter),
		cmocka_unit_test(ambiguous_members_are_not_claimed),
		cmocka_unit_test(values_of_another_kind_are_not_claimed),
		cmocka_unit_test(nested_and_quoted_look_alikes_are_passed_over),
		cmocka_unit_test(a_line_that_is_not_json_says_nothing),
		cmocka_unit_test(no_truncation_says_anything),
		cmocka_unit_test(lengths_are_bounded),
		cmocka_unit_test(any_depth_is_passed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
