/* yaml: the subset, its one reading, and where each fault is. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/text.h"
#include "parse/yaml.h"

#define ARENA_MOST ((size_t)64 << 20)

/* The tree as one line, so that a test reads at a glance: strings quoted, the rest as it is, @line:column when asked for. */
static void sketch(struct buf *out, const struct json *v, bool where)
{
	switch (v->type) {
	case JSON_NULL:
		buf_add_str(out, "null");
		break;
	case JSON_FALSE:
	case JSON_TRUE:
		buf_add_str(out, v->type == JSON_TRUE ? "true" : "false");
		break;
	case JSON_NUMBER:
		buf_add_slice(out, v->text);
		break;
	case JSON_STRING:
		buf_add_char(out, '\'');
		text_escape(out, v->text);
		buf_add_char(out, '\'');
		break;
	case JSON_ARRAY:
		buf_add_char(out, '[');
		for (size_t i = 0; i < v->count; i++) {
			buf_add_str(out, i ? ", " : "");
			sketch(out, &v->items[i], where);
		}
		buf_add_char(out, ']');
		break;
	case JSON_OBJECT:
		buf_add_char(out, '{');
		for (size_t i = 0; i < v->count; i++) {
			buf_add_str(out, i ? ", " : "");
			text_escape(out, v->members[i].name);
			if (where)
				buf_printf(out, "@%u:%u", v->members[i].line, v->members[i].column);
			buf_add_str(out, ": ");
			sketch(out, &v->members[i].value, where);
		}
		buf_add_char(out, '}');
		break;
	}
	if (where)
		buf_printf(out, "@%u:%u", v->line, v->column);
}

static void reads_as(struct slice yaml, const char *expected, bool where)
{
	cleanup_arena struct arena a = ARENA_INIT(ARENA_MOST);
	cleanup_buf struct buf out = BUF_INIT(100000);
	struct yaml_faults faults;
	struct json v;

	if (yaml_parse(&a, yaml, &yaml_limits_default, &v, &faults) < 0)
		fail_msg("%.*s: %u:%u: %s", SLICE_ARG(yaml), faults.list[0].line, faults.list[0].column, faults.list[0].text);
	sketch(&out, &v, where);
	buf_add_char(&out, '\0');
	assert_string_equal(out.ptr, expected);
}

/* `expected` is every fault as "line:column: text", one a line. */
static void refused_as(struct slice yaml, const char *expected)
{
	cleanup_arena struct arena a = ARENA_INIT(ARENA_MOST);
	cleanup_buf struct buf out = BUF_INIT(100000);
	struct yaml_faults faults;
	struct json v = { .line = 77 };

	assert_int_equal(yaml_parse(&a, yaml, &yaml_limits_default, &v, &faults), -EINVAL);
	assert_true(faults.count > 0);
	assert_true(faults.whole == (v.line != 77));
	for (size_t i = 0; i < faults.count; i++)
		buf_printf(&out, "%s%u:%u: %s", i ? "\n" : "", faults.list[i].line, faults.list[i].column, faults.list[i].text);
	buf_add_char(&out, '\0');
	assert_string_equal(out.ptr, expected);
}

static void plain_scalars_have_one_reading(void **state)
{
	(void)state;
	reads_as(SLICE("[null, Null, NULL, ~, true, True, TRUE, false, False, FALSE]"),
		 "[null, null, null, null, true, true, true, false, false, false]", false);
	reads_as(SLICE("[0, -0, 17, -3, 1.5, 1e5, 1E-3, -0.25e+2]"), "[0, -0, 17, -3, 1.5, 1e5, 1E-3, -0.25e+2]", false);
	reads_as(SLICE("[yes, no, on, off, y, n, Yes, NO]"), "['yes', 'no', 'on', 'off', 'y', 'n', 'Yes', 'NO']", false);
	reads_as(
		SLICE("[30s, 1.2.3, 127.0.0.1, 2026-01-02, -, +, a:b, 0xZ, 1:2x, e5, ., _1, nan, inf, nULL]"),
		"['30s', '1.2.3', '127.0.0.1', '2026-01-02', '-', '+', 'a:b', '0xZ', '1:2x', 'e5', '.', '_1', 'nan', 'inf', 'nULL']",
		false);
	reads_as(SLICE("- \"1\"\n- '0x10'\n- \"true\"\n- ''\n- |\n  12\n- >-\n  null\n"),
		 "['1', '0x10', 'true', '', '12\\x0a', 'null']", false);
	reads_as(SLICE("a:\nb: ''\n"), "{a: null, b: ''}", false);
	reads_as(SLICE("a b: c\n  d\n"), "{a b: 'c d'}", false);
	reads_as(SLICE("\"\\u202e\\0\\x41\""), "'\\u{202e}\\x00A'", false);
}

static void what_readers_disagree_about_is_refused(void **state)
{
	static const char *const words[] = {
		"0x10",  "0X1f", "0o17", "0O7",   "0b101", "012",      "+5",         "-012", "+0x1",
		".5",    "5.",   "-.5",  "1_000", "1_0.5", "+.5e3",    "1.5e1_0",    ".inf", "-.inf",
		"+.Inf", ".INF", ".nan", ".NaN",  "1:30",  "-1:30:59", "12:30:00.5", "00",   "0_0",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		char yaml[64], expected[128];

		snprintf(yaml, sizeof(yaml), "a: %s", words[i]);
		snprintf(expected, sizeof(expected),
			 "1:4: YAML readers disagree about %s: write a plain decimal number, or quote it", words[i]);
		refused_as(slice_str(yaml), expected);
		snprintf(yaml, sizeof(yaml), "a: '%s'", words[i]);
		snprintf(expected, sizeof(expected), "{a: '%s'}", words[i]);
		reads_as(slice_str(yaml), expected, false);
	}
	refused_as(SLICE("a: 1e999"), "1:4: the number 1e999 is too large");
	refused_as(SLICE("a: -1e999"), "1:4: the number -1e999 is too large");
}

static void positions_count_characters(void **state)
{
	(void)state;
	reads_as(SLICE("a:\n  - é: [x, {b: 1}]\n"), "{a@1:1: [{é@2:5: ['x'@2:9, {b@2:13: 1@2:16}@2:12]@2:8}@2:5]@2:3}@1:1", true);
	reads_as(SLICE("# note\n\"k\":\r\n  v\r\n"), "{k@2:1: 'v'@3:3}@2:1", true);
	refused_as(SLICE("é: é\nüü: 0x1"), "2:5: YAML readers disagree about 0x1: write a plain decimal number, or quote it");
}

static void each_refusal_has_its_own_message(void **state)
{
	(void)state;
	refused_as(SLICE(""), "1:1: the file is empty");
	refused_as(slice_of(NULL, 0), "1:1: the file is empty"); /* an empty buffer has no bytes at all */
	refused_as(SLICE("# only a comment\n"), "1:1: the file is empty");
	refused_as(SLICE("a: &x 1\n"), "1:4: the anchor \"&x\": anchors and aliases are not read: write the value out");
	refused_as(
		SLICE("a: [1, *x]\n"),
		"1:8: the alias \"*x\": anchors and aliases are not read: write the value out (a string that begins with * is quoted)");
	refused_as(SLICE("a: !!str 1\n"),
		   "1:4: the tag \"tag:yaml.org,2002:str\": tags are not read: quote a value that has to be a string");
	refused_as(SLICE("a: ! 1\n"), "1:4: the tag \"!\": tags are not read: quote a value that has to be a string");
	refused_as(SLICE("a: !x [1]\n"), "1:4: the tag \"!x\": tags are not read: quote a value that has to be a string");
	refused_as(SLICE("a: !x {b: 1}\n"), "1:4: the tag \"!x\": tags are not read: quote a value that has to be a string");
	refused_as(SLICE("a: 1\n<<: {b: 2}\n"), "2:1: the merge key \"<<\" is not read: write the keys out");
	refused_as(SLICE("a: 1\n---\nb: 2\n"), "2:1: a second document: one file is one document");
	refused_as(SLICE("%YAML 1.1\n---\na: 1\n"), "1:1: this is read as YAML 1.2: leave the %YAML directive out");
	refused_as(SLICE("%TAG ! tag:x,2000:\n---\na: 1\n"), "1:1: a %TAG directive: tags are not read");
	refused_as(SLICE("a: x\x7fy\n"), "1:5: the control character 0x7f");
	refused_as(SLICE("a: 1\nb: 2\na: 3\n\"a\": 4\n"),
		   "3:1: key \"a\" appears twice (first in line 1)\n4:1: key \"a\" appears twice (first in line 1)");
	refused_as(SLICE("{1: a}"), "1:2: a key must be a string: quote it");
	refused_as(SLICE("~: a"), "1:1: a key must be a string: quote it");
	refused_as(SLICE("true: a"), "1:1: a key must be a string: quote it");
	refused_as(SLICE("? [a, b]\n: 1\n? {c: d}\n: 2\n"),
		   "1:3: a key must be a string, not a list or a map\n3:3: a key must be a string, not a list or a map");
	refused_as(SLICE("\xef\xbb\xbf"
			 "a: 1"),
		   "1:1: the file begins with a byte order mark: save it as plain UTF-8");
	refused_as(SLICE("a: \xe2\x80\xae"
			 "b"),
		   "1:4: the invisible character U+202E: write it as an escape in double quotes, or leave it out");
	refused_as(SLICE("# \xc2\x85"
			 "a: 1"),
		   "1:3: the invisible character U+0085: write it as an escape in double quotes, or leave it out");
	refused_as(SLICE("# x\xe2\x80\xa8"
			 "a: 1"),
		   "1:4: the invisible character U+2028: write it as an escape in double quotes, or leave it out");
	refused_as(SLICE("a: 1 # x\rb: 2\n"), "1:9: a carriage return alone: lines end in LF or CR LF");
	refused_as(SLICE("a: 1\nb: \x01\n"), "2:4: the control character 0x01");
	refused_as(SLICE("a: 1\nb: \xff\n"), "2:4: not UTF-8 text (byte 0xff)");
	refused_as(SLICE("a: \xed\xa0\x80"), "1:4: not UTF-8 text (byte 0xed)");
	refused_as(SLICE("a:\n\tb: 1\n"), "2:1: not YAML: a tab cannot indent, use spaces");
	refused_as(SLICE("a:\n  b: 1\n c: 2\n"), "3:2: not YAML: did not find expected key while parsing a block mapping (is a line indented "
		   "differently from its neighbours?)");
	refused_as(SLICE("a: \"^\\.md$\"\n"), "1:6: not YAML: found unknown escape character while parsing a quoted scalar (in \"...\" a "
		   "backslash is written \\\\)");
	refused_as(SLICE("a: [1, 2\n"), "2:1: not YAML: did not find expected ',' or ']' while parsing a flow sequence");
	refused_as(SLICE("a: \"\\ud800\""),
		   "1:7: not YAML: found invalid Unicode character escape code while parsing a quoted scalar");
}

static void all_faults_come_at_once(void **state)
{
	(void)state;
	refused_as(
		SLICE("a: &x 1\nb: *x\na: 0x1\n1: !t 2\n"),
		"1:4: the anchor \"&x\": anchors and aliases are not read: write the value out\n"
		"2:4: the alias \"*x\": anchors and aliases are not read: write the value out (a string that begins with * is quoted)\n"
		"3:1: key \"a\" appears twice (first in line 1)\n"
		"3:4: YAML readers disagree about 0x1: write a plain decimal number, or quote it\n"
		"4:1: a key must be a string: quote it\n"
		"4:4: the tag \"!t\": tags are not read: quote a value that has to be a string");
}

static void a_quoted_key_may_look_like_anything(void **state)
{
	(void)state;
	reads_as(SLICE("{'1': a, \"true\": b, '<<': c, yes: d}"), "{1: 'a', true: 'b', <<: 'c', yes: 'd'}", false);
}

static void limits_hold(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT(ARENA_MOST);
	cleanup_buf struct buf b = BUF_INIT((size_t)4 << 20);
	struct yaml_faults faults;
	struct json v;

	(void)state;
	for (int i = 0; i < 64; i++)
		buf_add_char(&b, '[');
	for (int i = 0; i < 64; i++)
		buf_add_char(&b, ']');
	assert_int_equal(yaml_parse(&a, buf_slice(&b), &yaml_limits_default, &v, &faults), 0);
	buf_clear(&b);
	for (int i = 0; i < 70000; i++)
		buf_add_char(&b, '[');
	refused_as(buf_slice(&b), "1:65: nested more than 64 deep");

	buf_clear(&b);
	for (int i = 0; i < 99999; i++)
		buf_add_str(&b, "- 1\n");
	assert_int_equal(yaml_parse(&a, buf_slice(&b), &yaml_limits_default, &v, &faults), 0);
	assert_int_equal(v.count, 99999);
	buf_add_str(&b, "- 1\n");
	refused_as(buf_slice(&b), "100000:3: more than 100000 values in one file");

	buf_clear(&b);
	while (b.len < yaml_limits_default.bytes)
		buf_add_char(&b, '#');
	refused_as(buf_slice(&b), "1:1: the file is empty");
	buf_add_char(&b, '#');
	refused_as(buf_slice(&b), "1:1: the file is larger than 1048576 bytes");
}

static void keys_are_no_values(void **state)
{
	const struct json_limits limits = { .bytes = 100, .depth = 2, .items = 4 };
	struct yaml_faults faults;
	struct json v;

	(void)state;
	for (int extra = 0; extra < 2; extra++) {
		cleanup_arena struct arena a = ARENA_INIT(ARENA_MOST);
		struct slice yaml = extra ? SLICE("{a: 1, b: [2, 3]}") : SLICE("{a: 1, b: [2]}");

		assert_int_equal(yaml_parse(&a, yaml, &limits, &v, &faults), extra ? -EINVAL : 0);
	}
}

static void memory_that_runs_out_is_said(void **state)
{
	struct slice yaml = SLICE("a: [1, 2, 3]\nb: {c: d, e: f}\n");
	struct yaml_faults faults;
	int r = -ENOMEM;

	(void)state;
	for (size_t most = 0; r == -ENOMEM && most < 10000; most += 16) {
		cleanup_arena struct arena a = ARENA_INIT(most);
		struct json v;

		r = yaml_parse(&a, yaml, &yaml_limits_default, &v, &faults);
	}
	assert_int_equal(r, 0);
}

/* Every truncation is either read or refused with a fault inside the file, and nothing is read past the end. */
static void every_truncation(void **state)
{
	static const char text[] = "version: 1\nservers:\n  files: {command: [node, \"/a/\\u00e9.js\"], env: {A: 'b''c'}}\n"
				   "agents:\n  dev:\n    allow:\n      - files.read\n      - tool: files.x\n        args:\n"
				   "          é: {type: integer, maximum: 5e3}\n    note: |\n      two\n      lines\n...\n";

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++) {
		cleanup_arena struct arena a = ARENA_INIT(ARENA_MOST);
		struct yaml_faults faults;
		struct json v;
		char *exact = malloc(len ? len : 1);

		assert_non_null(exact);
		memcpy(exact, text, len);
		if (yaml_parse(&a, slice_of(exact, len), &yaml_limits_default, &v, &faults) < 0) {
			assert_true(faults.count >= 1);
			assert_true(faults.list[0].line >= 1 && faults.list[0].line <= 16);
			assert_true(faults.list[0].column >= 1);
		}
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_scalars_have_one_reading),
		cmocka_unit_test(what_readers_disagree_about_is_refused),
		cmocka_unit_test(positions_count_characters),
		cmocka_unit_test(each_refusal_has_its_own_message),
		cmocka_unit_test(all_faults_come_at_once),
		cmocka_unit_test(a_quoted_key_may_look_like_anything),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(keys_are_no_values),
		cmocka_unit_test(memory_that_runs_out_is_said),
		cmocka_unit_test(every_truncation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
