/* What a person is shown of a stranger's text: hostile samples, text of other scripts that stays readable, folding, trees, and differences. */
#include <fcntl.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "show/show.h"

enum { ROOM = 64 * 1024 * 1024 };

typedef int show_function(struct show *, struct slice);

static const char *shown(show_function *function, unsigned columns, struct slice text)
{
	static struct buf out = { .max = ROOM };
	struct show show;

	buf_clear(&out);
	show = SHOW_INIT(&out, columns);
	assert_int_equal(show_begin(&show, 0), 0);
	assert_int_equal(function(&show, text), 0);
	assert_int_equal(buf_add_char(&out, '\0'), 0);
	return out.ptr;
}

#define assert_text(text, expected) assert_string_equal(shown(show_text, 0, SLICE(text)), expected)
#define assert_quoted(text, expected) assert_string_equal(shown(show_string, 0, SLICE(text)), expected)
#define assert_named(text, expected) assert_string_equal(shown(show_name, 0, SLICE(text)), expected)

static void plain_text_stays(void **state)
{
	(void)state;
	assert_text("", "");
	assert_text("Pay 100 EUR to alice@example.com; `rm -rf /tmp/x` & $HOME #1 (a|b) [c] {d} ~ ^ % * = + <e> 'f' ?!",
		    "Pay 100 EUR to alice@example.com; `rm -rf /tmp/x` & $HOME #1 (a|b) [c] {d} ~ ^ % * = + <e> 'f' ?!");
	assert_quoted("plain", "\"plain\"");
}

static void what_moves_or_hides_text_is_escaped(void **state)
{
	(void)state;
	assert_text("a\x1b[2Kb", "a\\u{1b}[2Kb");
	assert_text("a\x7f" "b\xc2\x9b", "a\\u{7f}b\\u{9b}");
	assert_quoted("a\0b", "\"a\\u{0}b\"");
	assert_text("\u202egnp.exe\u2066\u061c", "\\u{202e}gnp.exe\\u{2066}\\u{61c}");
	assert_text("pay\u200bpal \u2060\ufeff\u00ad\u034f\u180e", "pay\\u{200b}pal \\u{2060}\\u{feff}\\u{ad}\\u{34f}\\u{180e}");
	assert_text("a\u00a0b\u2003\u3000\u2800\u3164\u115f\u2028\u2029", "a\\u{a0}b\\u{2003}\\u{3000}\\u{2800}\\u{3164}\\u{115f}\\u{2028}\\u{2029}");
	assert_text("x\ufe0f\U000e0041\U000e0101", "x\\u{fe0f}\\u{e0041}\\u{e0101}");
	assert_text("\ue000\U000f0000\U0010fffd\u0378\ufdd0\U0001fffe", "\\u{e000}\\u{f0000}\\u{10fffd}\\u{378}\\u{fdd0}\\u{1fffe}");
	assert_text("\xff\xc0\x80 \xed\xa0\x80 \xe2\x82", "\\xff\\xc0\\x80 \\xed\\xa0\\x80 \\xe2\\x82");
}

static void no_text_spells_an_escape(void **state)
{
	(void)state;
	assert_text("\\u{1b} \\n", "\\\\u{1b} \\\\n");
	assert_quoted("a\", \"to\": \"b", "\"a\\\", \\\"to\\\": \\\"b\"");
	assert_quoted("\\", "\"\\\\\"");
	assert_quoted("a\tb\r\nc", "\"a\\tb\\r\\n\n  | c\"");
	assert_text("a\nb: c", "a\\nb: c");
}

static void marks_do_not_pile_up(void **state)
{
	(void)state;
	assert_text("e\u0301\u0323 \u0e19\u0e49\u0e33", "e\u0301\u0323 \u0e19\u0e49\u0e33");
	assert_text("a\u0301\u0302\u0303\u0304\u0305", "a\u0301\u0302\u0303\\u{304}\\u{305}");
	assert_text("a\u0301\u0301", "a\u0301\\u{301}");
	assert_text("\u0301a 1\u0301 -\u0301 _\u0301", "\\u{301}a 1\\u{301} -\\u{301} _\\u{301}");
	assert_quoted("\u0301", "\"\\u{301}\"");
	assert_text("a\u0336b\u0338 c\u20e3", "a\\u{336}b\\u{338} c\\u{20e3}"); /* struck through, enclosed */
	assert_text("i\u0307j\u0307", "i\\u{307}j\\u{307}");
	assert_text("\u0441\u0301a", "\\u{441}\\u{301}a"); /* no mark goes on what became an escape */
}

static void look_alikes_are_escaped(void **state)
{
	(void)state;
	assert_text("p\u0430ypal.com", "p\\u{430}ypal.com");
	assert_text("\u0440\u0430\u0443\u0440\u0430l", "\\u{440}\\u{430}\\u{443}\\u{440}\\u{430}l");
	assert_text("\u0440\u0430\u0443.com", "\\u{440}\\u{430}\\u{443}.com");         /* nothing but look-alikes */
	assert_text("\u0391\u0392\u0395 \u0410\u0412\u0421", "\\u{391}\\u{392}\\u{395} \\u{410}\\u{412}\\u{421}");
	assert_text("\uff41\uff42 \U0001d429\u212a \u2167 \ufb01 \u24d0", "\\u{ff41}\\u{ff42} \\u{1d429}\\u{212a} \\u{2167} \\u{fb01} \\u{24d0}");
	assert_text("\uff11\uff10 \U0001d7cf", "\\u{ff11}\\u{ff10} \\u{1d7cf}");
	assert_text("a\u2044b\u2215c\u2024d\uff0fe\ua789", "a\\u{2044}b\\u{2215}c\\u{2024}d\\u{ff0f}e\\u{a789}");
	assert_text("\u201ca\u201d \u2018b\u2019 c\u2013d \u2026", "\\u{201c}a\\u{201d} \\u{2018}b\\u{2019} c\\u{2013}d \\u{2026}");
	assert_text("com\u30cepath", "com\\u{30ce}path");
	assert_text("foo_\u0441", "foo_\\u{441}");
}

static void other_scripts_stay_readable(void **state)
{
	static const char *const samples[] = {
		"Переведи сто рублей Ивану, пожалуйста. Он поехал с другом в город, а у моря дождь.", "а у моря",
		"Καλημέρα κόσμε, πώς είσαι;",
		"请给张三转账，金额：一百元。（甲方）",
		"これはテストです。カタカナも読めます。",
		"안녕하세요 세계",
		"Zażółć gęślą jaźń, Zürich, naïve façade, ærø, straße, Łódź",
		"नमस्ते दुनिया",
		"สวัสดีชาวโลก น้ำ",
		"Tiếng Việt đẹp lắm",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		assert_string_equal(shown(show_text, 0, slice_str(samples[i])), samples[i]);
}

static void a_preposition_needs_a_neighbour_of_its_script(void **state)
{
	(void)state;
	assert_text("\u0441", "\\u{441}");
	assert_text("x \u0441 y", "x \\u{441} y");
	assert_text("дом \u0441", "дом \u0441");
	assert_text("дом \u0421", "дом \\u{421}");              /* a capital letter may be a code */
	assert_text("дом \u0441\u043e\u0440", "дом \\u{441}\\u{43e}\\u{440}");
	assert_text("дом \u0441.com", "дом \\u{441}.com");
	assert_text("дом, \u0441 x", "дом, \u0441 x");
	assert_text("дом x \u0441 y", "дом x \\u{441} y");
	assert_text("\u0441 \u0430 \u0443 \u043e \u0441 дом", "\\u{441} \\u{430} \u0443 \u043e \u0441 дом");
	assert_text("\u0441 \u0430 x", "\\u{441} \\u{430} x");
}

static void right_to_left_text_is_not_mixed(void **state)
{
	(void)state;
	assert_text("שלום עולם", "שלום עולם");
	assert_text("\u05d0\u05d1 100", "\\u{5d0}\\u{5d1} 100");
	assert_text("\u0645\u0631 x", "\\u{645}\\u{631} x");
	assert_text("1 \u061e 2", "1 \\u{61e} 2");
	assert_named("\u05d0\u05d1", "\"\\u{5d0}\\u{5d1}\""); /* what follows a name would change places with it */
}

/* To a terminal of an 8-bit character set, the second byte of the first letter here begins a control sequence. */
static void without_utf8_there_is_only_ascii(void **state)
{
	cleanup_buf struct buf out = BUF_INIT(ROOM);
	struct show show = SHOW_INIT(&out, 0);

	(void)state;
	show.ascii = true;
	assert_int_equal(show_text(&show, SLICE("\u00db2J Мир e\u0301 « 中，国 x")), 0);
	assert_true(slice_eq(buf_slice(&out), SLICE("\\u{db}2J \\u{41c}\\u{438}\\u{440} e\\u{301} \\u{ab} \\u{4e2d}\\u{ff0c}\\u{56fd} x")));
}

static void floods_are_counted(void **state)
{
	(void)state;
	assert_text("a        b", "a        b");
	assert_text("a         b", "a\\{9 spaces}b");
	assert_quoted("a\n\n\nb", "\"a\\n\n  | \\n\n  | \\n\n  | b\"");
	assert_quoted("a\n\n\n\nb", "\"a\\{4 line feeds}\n  | b\"");
	assert_text("\\{9 spaces}", "\\\\{9 spaces}");
}

static void names(void **state)
{
	(void)state;
	assert_named("read_text-file.v2", "read_text-file.v2");
	assert_named("", "\"\"");
	assert_named("a: b", "\"a: b\"");
	assert_named("[0]", "\"[0]\"");
	assert_named("a\nb", "\"a\\nb\"");
	assert_named("| a", "\"| a\"");
}

/* How many columns a line takes, as the C library has it. */
static unsigned width(struct slice line)
{
	unsigned columns = 0;

	for (size_t at = 0; at < line.len;) {
		int one = wcwidth((wchar_t)utf8_next(line, &at));

		assert_true(one >= 0);
		columns += (unsigned)one;
	}
	return columns;
}

/* Each line fits, and every line but the first begins with the mark. */
static size_t assert_folded(const char *text, unsigned columns)
{
	size_t lines = 0;

	for (const char *at = text; *at; lines++) {
		size_t len = strcspn(at, "\n");

		assert_true(width(slice_of(at, len)) < columns);
		if (lines > 0)
			assert_memory_equal(at, "  | ", 4);
		at += len + (at[len] == '\n');
	}
	return lines;
}

static void long_text_is_folded(void **state)
{
	static const char *const pieces[] = { "word ", "\u4e2d\u6587", "e\u0301\u0302\u0303", "\U0001f600", "\x1b", "\u202e", "a\n", "Ж", "\\", "\"", "          " };
	cleanup_buf struct buf text = BUF_INIT(ROOM);

	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		for (unsigned n = 0; n < 200; n++)
			assert_int_equal(buf_add_str(&text, pieces[n % 3 ? i : (i + n) % (sizeof(pieces) / sizeof(pieces[0]))]), 0);
	for (unsigned columns = 24; columns <= 200; columns += 11)
		assert_true(assert_folded(shown(show_string, columns, buf_slice(&text)), columns) > 10);
	assert_int_equal(assert_folded(shown(show_text, 24, SLICE("aaaaaaaaaaaaaaaaaaaaaaa")), 24), 1);
	assert_int_equal(assert_folded(shown(show_text, 24, SLICE("aaaaaaaaaaaaaaaaaaaaaaaa")), 24), 2);
	assert_null(strchr(shown(show_text, 0, buf_slice(&text)), '\n'));
}

/* A mark at the beginning of a line would go on the blank before it, and some terminals give a mark a column of its own. */
static void what_belongs_together_is_not_folded(void **state)
{
	(void)state;
	for (unsigned before = 0; before < 40; before++) {
		cleanup_buf struct buf text = BUF_INIT(1024);
		const char *out, *line;

		for (unsigned i = 0; i < before; i++)
			buf_add_char(&text, 'x');
		buf_add_str(&text, "e\u0301\u0302\u0303");
		out = shown(show_text, 24, buf_slice(&text));
		assert_folded(out, 24);
		line = strrchr(out, '\n');
		assert_non_null(strstr(line ? line : out, "e\u0301\u0302\u0303"));
		assert_true(utf8_length(slice_str(line ? line + 1 : out)) < 24);
		text.len = before;
		buf_add_str(&text, " two  words");
		assert_null(strstr(shown(show_text, 24, buf_slice(&text)), " \n"));
		assert_non_null(strstr(shown(show_text, 24, buf_slice(&text)), " two"));
		assert_non_null(strstr(shown(show_text, 24, buf_slice(&text)), "  words"));
		text.len = before;
		buf_add_str(&text, "\U000f1234");
		assert_non_null(strstr(shown(show_text, 24, buf_slice(&text)), "\\u{f1234}"));
	}
}

/* ---- trees ---- */

static const char *tree(const char *text, unsigned columns)
{
	static struct buf out = { .max = ROOM };
	cleanup_arena struct arena arena = ARENA_INIT(ROOM);
	struct json value;
	struct show show;

	buf_clear(&out);
	assert_int_equal(json_parse(&arena, slice_str(text), &json_limits_default, &value, NULL), JSON_OK);
	show = SHOW_INIT(&out, columns);
	assert_int_equal(show_tree(&show, 2, &value), 0);
	assert_int_equal(buf_add_char(&out, '\0'), 0);
	return out.ptr;
}

static void a_value_is_a_tree(void **state)
{
	(void)state;
	assert_string_equal(tree("{\"to\":\"a@b.c\",\"n\":1e3,\"ok\":true,\"no\":null,\"list\":[1,{\"x\":false},[],{}],\"a b\":\"c\"}", 80),
			    "  to: \"a@b.c\"\n"
			    "  n: 1e3\n"
			    "  ok: true\n"
			    "  no: null\n"
			    "  list:\n"
			    "    [0]: 1\n"
			    "    [1]:\n"
			    "      x: false\n"
			    "    [2]: []\n"
			    "    [3]: {}\n"
			    "  \"a b\": \"c\"\n");
	assert_string_equal(tree("\"x\"", 80), "  \"x\"\n");
	assert_string_equal(tree("{}", 80), "  {}\n");
}

static void no_text_makes_a_line_of_its_own(void **state)
{
	(void)state;
	assert_string_equal(tree("{\"body\":\"hi\\n  to: \\\"boss\\\"\\n| x\",\"x: \\\"1\\\"\\n  y\":2}", 80),
			    "  body: \"hi\\n\n"
			    "    |   to: \\\"boss\\\"\\n\n"
			    "    | | x\"\n"
			    "  \"x: \\\"1\\\"\\n  y\": 2\n");
	/* A line is as long as the terminal, and what follows would look like one more member: it is marked. */
	assert_string_equal(tree("{\"a\":\"0123456789012345bb: 1\"}", 24),
			    "  a: \"0123456789012345b\n"
			    "    | b: 1\"\n");
}

static void what_is_nested_deeply_is_json(void **state)
{
	const char *text = "[[[[[[[[[[[[[[[[\"a\\nb\"]]]]]]]]]]]]]]]]";
	const char *out;

	(void)state;
	out = tree(text, 0);
	assert_non_null(strstr(out, "[0]: JSON \"[[[[\\\"a\\\\nb\\\"]]]]\"\n"));
	out = tree(text, 40);
	assert_non_null(strstr(out, "[0]: JSON \"[[["));
}

/* Lines that are not marked are as many as the values. */
static void real_injections_stay_in_their_place(void **state)
{
	const char *source = getenv("BAWN_SOURCE"), *data = getenv("BAWN_DATA");
	cleanup_buf struct buf text = BUF_INIT(ROOM);
	char path[4096];
	size_t samples = 0;

	(void)state;
	snprintf(path, sizeof(path), data ? "%s/injection/dev.jsonl" : "%s/../shared/data/injection/dev.jsonl", data ? data : source ? source : ".");
	if (io_read_file(AT_FDCWD, path, &text) < 0) {
		print_message("skipped: there is no %s\n", path);
		return;
	}
	assert_int_equal(buf_add_char(&text, '\0'), 0);
	for (char *at = text.ptr, *end; (end = strchr(at, '\n')); at = end + 1, samples++) {
		const char *out;
		size_t lines = 0;

		*end = '\0';
		out = tree(at, 80);
		for (const char *line = out; *line; line += strcspn(line, "\n") + 1) {
			assert_true(width(slice_of(line, strcspn(line, "\n"))) < 80);
			lines += strncmp(line, "    | ", 6) != 0;
		}
		for (const char *c = out; *c; c++)
			assert_true((unsigned char)*c >= 0x20 || *c == '\n');
		assert_true(lines >= 1 && lines < 64);
	}
	assert_true(samples > 10);
}

/* ---- differences ---- */

static const char *difference(const char *before, const char *after, size_t expected)
{
	static struct buf out = { .max = ROOM };
	cleanup_arena struct arena arena = ARENA_INIT(ROOM);
	struct json a, b;
	struct show show;
	size_t count = 99;

	buf_clear(&out);
	assert_int_equal(json_parse(&arena, slice_str(before), &json_limits_default, &a, NULL), JSON_OK);
	assert_int_equal(json_parse(&arena, slice_str(after), &json_limits_default, &b, NULL), JSON_OK);
	show = SHOW_INIT(&out, 80);
	assert_int_equal(show_difference(&show, 2, &a, &b, &count), 0);
	assert_int_equal(buf_add_char(&out, '\0'), 0);
	assert_int_equal(count, expected);
	return out.ptr;
}

static void what_is_equal_does_not_differ(void **state)
{
	(void)state;
	assert_string_equal(difference("{\"a\":[1,{\"b\":null}],\"c\":1}", "{\"c\":1.0,\"a\":[1,{\"b\":null}]}", 0), "");
}

static void members_differ_by_path(void **state)
{
	(void)state;
	assert_string_equal(difference("{\"name\":\"send\",\"annotations\":{\"readOnlyHint\":true,\"x\":1},\"old\":{\"k\":[1]}}",
				       "{\"name\":\"send\",\"annotations\":{\"readOnlyHint\":false,\"x\":1},\"inputSchema\":{\"properties\":{\"bcc\":{}}}}", 3),
			    "  changed: annotations.readOnlyHint\n"
			    "  -   true\n"
			    "  +   false\n"
			    "  added: inputSchema\n"
			    "  +   properties:\n"
			    "  +     bcc: {}\n"
			    "  removed: old\n"
			    "  -   k:\n"
			    "  -     [0]: 1\n");
	assert_string_equal(difference("{\"a b\":{\"\":[[1,2]]}}", "{\"a b\":{\"\":[[1,3]]}}", 1),
			    "  changed: \"a b\".\"\"[0][1]\n  -   2\n  +   3\n");
	assert_string_equal(difference("1", "[]", 1), "  changed: all of it\n  -   1\n  +   []\n");
}

static void arrays_differ_in_one_place(void **state)
{
	(void)state;
	assert_string_equal(difference("[1,2,3]", "[1,9,2,3]", 1), "  added: [1]\n  +   9\n");
	assert_string_equal(difference("[1,2,3]", "[1,3]", 1), "  removed: [1]\n  -   2\n");
	assert_string_equal(difference("[{\"a\":1},2]", "[{\"a\":2},2]", 1), "  changed: [0].a\n  -   1\n  +   2\n");
}

static void texts_differ_by_line(void **state)
{
	(void)state;
	assert_string_equal(difference("{\"description\":\"one\\ntwo\\nthree\\nfour\\nfive\"}", "{\"description\":\"one\\ntwo!\\nthree\\nfour\\nfive\\nsix\"}", 1),
			    "  changed: description\n"
			    "      (1 line as before)\n"
			    "  -   \"two\\n\"\n"
			    "  +   \"two!\\n\"\n"
			    "      (2 lines as before)\n"
			    "  -   \"five\"\n"
			    "  +   \"five\\n\"\n"
			    "  +   \"six\"\n");
	assert_string_equal(difference("\"\"", "\"a\"", 1), "  changed: all of it\n  +   \"a\"\n");
}

static void a_difference_is_escaped_and_marked(void **state)
{
	(void)state;
	assert_string_equal(difference("{\"d\":\"pay\"}", "{\"d\":\"p\\u0430y \\u202e\"}", 1), "  changed: d\n  -   \"pay\"\n  +   \"p\\u{430}y \\u{202e}\"\n");
	assert_string_equal(difference("{}", "{\"d\":\"a\\n  removed: x\"}", 1), "  added: d\n  +   \"a\\n\n  +     |   removed: x\"\n");
	assert_string_equal(difference("{\"x\\n+ y\":1}", "{}", 1), "  removed: \"x\\n+ y\"\n  -   1\n");
}

/* As many lines as nobody wants to match one by one. */
static void a_large_text_is_compared_too(void **state)
{
	cleanup_buf struct buf a = BUF_INIT(ROOM), b = BUF_INIT(ROOM);
	const char *out;

	(void)state;
	buf_add_char(&a, '"');
	buf_add_char(&b, '"');
	for (unsigned i = 0; i < 20000; i++) {
		buf_printf(&a, "%u\\n", i);
		buf_printf(&b, "%u\\n", i % 2 ? i : i + 1);
	}
	buf_add(&a, "\"", 2);
	buf_add(&b, "\"", 2);
	out = difference(a.ptr, b.ptr, 1);
	assert_non_null(strstr(out, "  -   \"19998\\n\"\n  +   \"1\\n\"\n"));
	assert_non_null(strstr(out, "      (1 line as before)\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_text_stays),
		cmocka_unit_test(what_moves_or_hides_text_is_escaped),
		cmocka_unit_test(no_text_spells_an_escape),
		cmocka_unit_test(marks_do_not_pile_up),
		cmocka_unit_test(look_alikes_are_escaped),
		cmocka_unit_test(other_scripts_stay_readable),
		cmocka_unit_test(a_preposition_needs_a_neighbour_of_its_script),
		cmocka_unit_test(right_to_left_text_is_not_mixed),
		cmocka_unit_test(without_utf8_there_is_only_ascii),
		cmocka_unit_test(floods_are_counted),
		cmocka_unit_test(names),
		cmocka_unit_test(long_text_is_folded),
		cmocka_unit_test(what_belongs_together_is_not_folded),
		cmocka_unit_test(a_value_is_a_tree),
		cmocka_unit_test(no_text_makes_a_line_of_its_own),
		cmocka_unit_test(what_is_nested_deeply_is_json),
		cmocka_unit_test(real_injections_stay_in_their_place),
		cmocka_unit_test(what_is_equal_does_not_differ),
		cmocka_unit_test(members_differ_by_path),
		cmocka_unit_test(arrays_differ_in_one_place),
		cmocka_unit_test(texts_differ_by_line),
		cmocka_unit_test(a_difference_is_escaped_and_marked),
		cmocka_unit_test(a_large_text_is_compared_too),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
