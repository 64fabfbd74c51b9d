/* regex: what ECMA-262 says of patterns, what is refused, and that work is counted. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "parse/regex.h"

enum { MEMORY = 4 << 20, BUDGET = 100000 };

static struct regex_family *family;

static int start(void **state)
{
	(void)state;
	return regex_family_new(MEMORY, &family);
}

static int end(void **state)
{
	(void)state;
	regex_family_free(family);
	return 0;
}

struct take {
	const char *pattern, *subject;
	size_t len; /* of the subject where it holds NUL, else 0 */
	bool matches;
};

static void matches(void **state)
{
	static const struct take takes[] = {
		{ "", "", 0, true },
		{ "b", "abc", 0, true },
		{ "^b", "abc", 0, false },
		{ "^abc$", "abc", 0, true },
		{ "^abc$", "abc\n", 0, false },
		{ "^b", "a\nb", 0, false },
		{ "a.c", "abc", 0, true },
		{ "a.c", "a\nc", 0, false },
		{ "a.c", "a\rc", 0, false },
		{ "a.c", "a\xe2\x80\xa8" "c", 0, false },
		{ "^.$", "\xf0\x9f\x90\xb2", 0, true },
		{ "^\\d$", "5", 0, true },
		{ "^\\d$", "\xdf\x80", 0, false },
		{ "^\\D$", "\xdf\x80", 0, true },
		{ "^\\w$", "\xc3\xa9", 0, false },
		{ "^[\\W]$", "\xc3\xa9", 0, true },
		{ "^\\s$", "\xef\xbb\xbf", 0, true },
		{ "^\\s$", "\xe1\xa0\x8e", 0, false },
		{ "^\\S$", "\xe1\xa0\x8e", 0, true },
		{ "^[^\\S]$", "\xc2\xa0", 0, true },
		{ "\\bb", "\xc3\xa9" "b", 0, true },
		{ "^[]$", "", 0, false },
		{ "[]|a", "a", 0, true },
		{ "^[^]$", "\n", 0, true },
		{ "^[]{0,2}$", "", 0, true },
		{ "^[\\b]$", "\b", 0, true },
		{ "^[a\\-z]+$", "a-z", 0, true },
		{ "^[a\\-z]+$", "b", 0, false },
		{ "^[\\w-]+$", "a-b", 0, true },
		{ "^[-a]+$", "a-", 0, true },
		{ "^[a-c-]+$", "b-", 0, true },
		{ "^[[:]+$", "[:", 0, true },
		{ "^[\\]]$", "]", 0, true },
		{ "^[&&]$", "&", 0, true },
		{ "^\\u{1F432}$", "\xf0\x9f\x90\xb2", 0, true },
		{ "^\\uD83D\\uDC32$", "\xf0\x9f\x90\xb2", 0, true },
		{ "^\xf0\x9f\x90\xb2{2}$", "\xf0\x9f\x90\xb2\xf0\x9f\x90\xb2", 0, true },
		{ "^[\xf0\x9f\x90\xb2-\xf0\x9f\x90\xb4]$", "\xf0\x9f\x90\xb3", 0, true },
		{ "^\\cA\\t\\x41\\u0042$", "\001\tAB", 0, true },
		{ "^\\0$", "", 1, true },
		{ "a$", "a\0b", 3, false },
		{ "^a\\.b\\/c\\-d\\@e$", "a.b/c-d@e", 0, true },
		{ "^{a}]$", "{a}]", 0, true },
		{ "^x{a,2}$", "x{a,2}", 0, true },
		{ "^x{2}$", "xx", 0, true },
		{ "^x{2,}?$", "xxx", 0, true },
		{ "^x{2,3}$", "xxxx", 0, false },
		{ "^(?:a|b)+$", "abba", 0, true },
		{ "^(?=a)(?!ab)a", "ac", 0, true },
		{ "(?<=a)b", "ab", 0, true },
		{ "(?<!a)b", "ab", 0, false },
		{ "^(a|b)\\1$", "aa", 0, true },
		{ "^(a|b)\\1$", "ab", 0, false },
		{ "^(?<n>a|b)\\k<n>{2}$", "bbb", 0, true },
		{ "^(?:(a)|b)\\1$", "b", 0, true }, /* a group that has matched nothing is empty */
		{ "^\\1(a)$", "a", 0, true },
		{ "^(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)\\10$", "abcdefghijj", 0, true },
		{ "^\\p{Letter}\\p{Lu}\\P{L}$", "\xc3\xa9" "A1", 0, true },
		{ "^\\p{digit}$", "\xe0\xa7\xaa", 0, true },
		{ "^\\p{Script=Greek}$", "\xce\xb1", 0, true },
		{ "^\\p{sc=Greek}$", "a", 0, false },
		{ "^\\p{gc=Decimal_Number}$", "1", 0, true },
		{ "^[\\p{Alphabetic}\\P{ASCII}]+$", "a\xc2\xa0", 0, true },
		{ "^\\p{LC}+$", "aA\xc7\x85", 0, true },
		{ "^\\p{Any}\\p{Assigned}$", "\n\n", 0, true },
		{ "(?:)", "a", 0, true },
		{ "a||b", "c", 0, true },
		{ "#", "#", 0, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(takes) / sizeof(takes[0]); i++) {
		const struct take *t = &takes[i];
		struct slice subject = slice_of(t->subject, t->len ? t->len : strlen(t->subject));
		uint64_t budget = BUDGET;
		struct regex *regex;
		const char *fault;

		if (regex_compile(family, slice_str(t->pattern), &regex, &fault))
			fail_msg("%s: %s", t->pattern, fault);
		assert_true(regex_valid(slice_str(t->pattern)));
		if (regex_match(regex, subject, &budget) != (t->matches ? 0 : -ENOENT))
			fail_msg("%s on %s", t->pattern, t->subject);
		assert_true(budget < BUDGET);
	}
}

/* Other dialects, PCRE2's own among them, and what is no pattern at all. */
static void refused(void **state)
{
	static const char *const patterns[] = {
		"(", ")", "a)", "(a", "[", "[a", "\\", "a\\", "*", "+a", "?", "(*)", "a**", "a*+", "a++", "a?+", "a{2}{3}",
		"{2}", "(|*)", "^*", "$+", "\\b?", "(?=a)*", "(?!a)?", "(?<=a){2}", "[z-a]", "[\\w-a]", "[a-\\d]",
		"[a-\\p{L}]", "a{2,1}", "a{,2}", "a{70000}", "a{1,70000}", "(?i)a", "(?i:a)", "(?#c)", "(?P<n>a)", "(?P=n)",
		"(?P>n)", "(?>a)", "(?|a)", "(?R)", "(?0)", "(?1)", "(?&n)", "(?C)", "(?C1)", "(?{a})", "(*ACCEPT)",
		"(*COMMIT)a", "(*UTF8)", "(*LIMIT_MATCH=1)a", "(?'n'a)", "(?<1>a)", "(?<>a)", "(?<n>a)(?<n>b)", "(?<n>a",
		"(?<a-b>c)", "\\A", "\\a", "\\e", "\\z", "\\Z", "\\G", "\\K", "\\Q", "\\E", "\\R", "\\X", "\\C", "\\N",
		"\\h", "\\v1\\H", "\\o{7}", "\\g1", "\\g{1}", "\\k", "\\k<n>", "\\k{n}", "(?<n>a)\\k<m>", "\\1", "(a)\\2",
		"(a)\\99999999999", "\\01", "\\00", "\\c", "\\c1", "\\x4", "\\xZZ", "\\x{41}", "\\u004", "\\u{}",
		"\\u{110000}", "\\u{ffffffffff}", "\\uD83D", "\\uDC32", "\\u{D800}", "\\p", "\\pL", "\\p{}", "\\p{Greek}",
		"\\p{^L}", "\\p{Script=}", "\\p{L", "\\p{Nobody}", "\\p{sc:Greek}", "[[:alpha:]]",
		"[a[:^digit:]]", "[\\B]", "[\\a]", "[\\k]", "[\\1]", "_\\_a\\y", "\\p{Script=a b}", "\\p{scx=^Greek}", "(?:(a)|b)*\\1", "(a\\1)*", "((a)|b){2}\\2",
		
	};

	(void)state;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		struct regex *regex;
		const char *fault = NULL;

		if (regex_compile(family, slice_str(patterns[i]), &regex, &fault) != -EINVAL)
			fail_msg("%s: taken", patterns[i]);
		assert_non_null(fault);
		if (regex_valid(slice_str(patterns[i])))
			fail_msg("%s: valid", patterns[i]);
	}
}

/* Good patterns by the grammar that PCRE2 cannot run as ECMA-262 means them. */
static void cannot_run(void **state)
{
	static const char *const patterns[] = { "(?<=a*)b", "(?<=\\1)(a)", "\\p{Script=Nobody}" };

	(void)state;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		struct regex *regex;
		const char *fault = NULL;

		assert_int_equal(regex_compile(family, slice_str(patterns[i]), &regex, &fault), -EINVAL);
		assert_int_equal(strncmp(fault, "cannot be run: ", 15), 0);
		assert_true(regex_valid(slice_str(patterns[i])));
	}
}

/* A pattern cut anywhere is taken or refused, and nothing else happens. */
static void truncated(void **state)
{
	static const char pattern[] = "^(?<n>a|\\u{1F432}[^\\d\\]\\p{Lu}-z]{1,3}?)\\k<n>(?:\\uD83D\\uDC32|(?<!b)\\cA\\x41)+$";

	(void)state;
	for (size_t len = 0; len < sizeof(pattern); len++) {
		struct regex *regex;
		const char *fault;
		int r = regex_compile(family, slice_of(pattern, len), &regex, &fault);

		assert_true(r == 0 || r == -EINVAL);
		assert_int_equal(r == 0, regex_valid(slice_of(pattern, len)));
	}
}

static int compile_repeated(const char *before, const char *again, unsigned times, const char *after)
{
	cleanup_buf struct buf pattern = BUF_INIT(1 << 20);
	struct regex *regex;
	const char *fault;
	int r;

	assert_int_equal(buf_add_str(&pattern, before), 0);
	for (unsigned i = 0; i < times; i++)
		assert_int_equal(buf_add_str(&pattern, again), 0);
	assert_int_equal(buf_add_str(&pattern, after), 0);
	r = regex_compile(family, buf_slice(&pattern), &regex, &fault);
	/* The limit is this module's, not what PCRE2 happens to refuse. */
	assert_true(r == 0 || strncmp(fault, "cannot", 6) != 0);
	return r;
}

static void limits(void **state)
{
	struct regex_family *small;
	struct regex *regex;
	const char *fault;

	(void)state;
	assert_int_equal(compile_repeated("", "a", REGEX_PATTERN, ""), 0);
	assert_int_equal(compile_repeated("", "a", REGEX_PATTERN + 1, ""), -EINVAL);
	assert_int_equal(compile_repeated("", "()", REGEX_GROUPS, ""), 0);
	assert_int_equal(compile_repeated("", "()", REGEX_GROUPS + 1, ""), -EINVAL);
	assert_int_equal(compile_repeated("", "(", REGEX_DEPTH, "))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))"),
			 0);
	assert_int_equal(
	    compile_repeated("", "(", REGEX_DEPTH + 1, ")))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))"),
	    -EINVAL);
	assert_int_equal(compile_repeated("", "a{60000}", 3, ""), 0);
	assert_int_equal(compile_repeated("", "a{60000}", 4, ""), -EINVAL);
	assert_int_equal(compile_repeated("(?:(?:a{1000}){1000}", "b", 1, "){1000}"), -EINVAL);
	assert_int_equal(compile_repeated("(?:(?:[ab]{0,1000}c){0,1000}", "b", 1, "){0,1000}"), -EINVAL);
	assert_int_equal(regex_family_new(8000, &small), 0);
	assert_int_equal(regex_compile(small, SLICE("(?:abc[^\\p{L}]){2000}"), &regex, &fault), -ENOMEM);
	assert_int_equal(regex_compile(small, SLICE("abc"), &regex, &fault), 0);
	regex_family_free(small);
}

/* What one match costs, whatever it is. */
static uint64_t cost(const char *pattern, struct slice subject, int result)
{
	uint64_t budget = BUDGET;
	struct regex *regex;
	const char *fault;
	int r;

	assert_int_equal(regex_compile(family, slice_str(pattern), &regex, &fault), 0);
	r = regex_match(regex, subject, &budget);
	if (r != result)
		fail_msg("%s: %d", pattern, r);
	return BUDGET - budget;
}

static void work_is_counted(void **state)
{
	enum { LONG = 20000 };
	char *text = malloc(LONG);

	(void)state;
	assert_non_null(text);
	memset(text, 'a', LONG);
	/* Ways back, new starts, and characters walked in one go all count. */
	assert_int_equal(cost("^(a+)+$", SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"), -E2BIG), BUDGET);
	assert_int_equal(cost("a*[bc]", slice_of(text, LONG), -E2BIG), BUDGET);
	assert_int_equal(cost("a{1000}[bc]", slice_of(text, LONG), -E2BIG), BUDGET);
	assert_int_equal(cost("(a*)\\1[bc]", slice_of(text, LONG), -E2BIG), BUDGET);
	assert_int_equal(cost("(?:ab|aab|aaab|aaaab|a)*[bc]", slice_of(text, LONG), -E2BIG), BUDGET);
	assert_true(cost("^(?:a|b)*$", slice_of(text, LONG), 0) >= LONG);
	/* A long way that fails before it comes to a callout costs its length all the same. */
	for (size_t i = 4999; i < LONG; i += 5000)
		text[i] = 'c';
	assert_int_equal(cost("a{5000}", slice_of(text, LONG), -E2BIG), BUDGET);
	memset(text, 'a', LONG);
	/* A plain one costs about what it reads. */
	assert_true(cost("^a*$", slice_of(text, LONG), 0) < LONG / 4);
	assert_true(cost("^[a-z]+b", slice_of(text, LONG), -ENOENT) < 3 * LONG);
	assert_true(cost("^a", slice_of(text, 10), 0) < 10);
	free(text);
}

static void subjects_are_checked(void **state)
{
	struct regex *regex;
	const char *fault;
	uint64_t budget = BUDGET;

	(void)state;
	assert_int_equal(regex_compile(family, SLICE("a"), &regex, &fault), 0);
	assert_int_equal(regex_match(regex,
				     SLICE("\xc0\x80"
					   "a"),
				     &budget),
			 -EINVAL);
	assert_int_equal(regex_compile(family, SLICE("\xc0\x80"), &regex, &fault), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(matches), cmocka_unit_test(refused), cmocka_unit_test(cannot_run),         cmocka_unit_test(truncated),
	    cmocka_unit_test(limits),  cmocka_unit_test(work_is_counted), cmocka_unit_test(subjects_are_checked),
	};

	return cmocka_run_group_tests(tests, start, end);
}
