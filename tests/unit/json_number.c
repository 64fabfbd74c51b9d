/*
 * json numbers: grammar and range, exact comparison, integers, doubles, and the one way in which each value is written.
 * BAWN_DOUBLES sets how many random doubles are tried.
 */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "parse/json.h"

enum { ROOM = 1 << 16, RANDOM_DOUBLES = 200000 };

/* 2^1024 - 2^970, halfway between the largest double and the power of two that would be next: the first that overflows. */
static const char overflow[] =
    "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977587207096330286416692887910946555"
    "547851940402630657488671505820681908902000708383676273854845817711531764475730270069855571366959622842914819860834936475292719"
    "074168444365510704342711559699508093042880177904174497792";

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static double double_of(uint64_t bits)
{
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

static struct json number(const char *text)
{
	return (struct json){ .type = JSON_NUMBER, .text = slice_str(text) };
}

static void range(void **state)
{
	cleanup_buf struct buf b = BUF_INIT(ROOM);

	(void)state;
	assert_int_equal(json_number_check(SLICE("1.7976931348623157e308")), JSON_OK);
	assert_int_equal(json_number_check(SLICE("-1.7976931348623158e+308")), JSON_OK);
	assert_int_equal(json_number_check(SLICE("1.7976931348623159e308")), JSON_RANGE);
	assert_int_equal(json_number_check(SLICE("1e309")), JSON_RANGE);
	assert_int_equal(json_number_check(SLICE("-1e309")), JSON_RANGE);
	assert_int_equal(json_number_check(SLICE("0.00001e313")), JSON_OK);
	assert_int_equal(json_number_check(SLICE("0.0001e313")), JSON_RANGE);
	assert_int_equal(json_number_check(SLICE("1e-400")), JSON_OK);

	/* To the last digit: what rounds to the largest double, and what rounds to infinity. */
	assert_true(isinf(strtod(overflow, NULL)));
	assert_int_equal(json_number_check(slice_str(overflow)), JSON_RANGE);
	assert_int_equal(buf_add_str(&b, overflow), 0);
	assert_int_equal(buf_add_str(&b, ".0"), 0);
	assert_int_equal(json_number_check(buf_slice(&b)), JSON_RANGE);
	b.ptr[308] = '1';
	b.ptr[310] = '9';
	assert_int_equal(json_number_check(buf_slice(&b)), JSON_OK);
	b.ptr[310] = '\0';
	assert_true(strtod(b.ptr, NULL) == DBL_MAX);
}

static void add_repeated(struct buf *b, const char *s, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_int_equal(buf_add_str(b, s), 0);
}

static enum json_error check_long(const char *before, const char *digit, size_t count, const char *after)
{
	cleanup_buf struct buf b = BUF_INIT(ROOM);

	add_repeated(&b, before, 1);
	add_repeated(&b, digit, count);
	add_repeated(&b, after, 1);
	return json_number_check(buf_slice(&b));
}

static void lengths(void **state)
{
	(void)state;
	assert_int_equal(check_long("0.", "0", JSON_NUMBER_BYTES - 3, "1"), JSON_OK);
	assert_int_equal(check_long("0.", "0", JSON_NUMBER_BYTES - 2, "1"), JSON_RANGE);
	assert_int_equal(check_long("0.", "3", JSON_NUMBER_DIGITS, ""), JSON_OK);
	assert_int_equal(check_long("0.", "3", JSON_NUMBER_DIGITS + 1, ""), JSON_RANGE);
	assert_int_equal(check_long("0.", "3", JSON_NUMBER_DIGITS, "00"), JSON_OK);
	assert_int_equal(check_long("1e-", "0", 100, "9999"), JSON_OK);
	assert_int_equal(json_number_check(SLICE("1e-10000")), JSON_RANGE);
	assert_int_equal(json_number_check(SLICE("0.1e-9999")), JSON_RANGE);
	assert_int_equal(json_number_check(SLICE("10e-10000")), JSON_OK);
	assert_int_equal(check_long("1e-", "9", 4000, ""), JSON_RANGE);
	assert_int_equal(check_long("1e", "9", 4000, ""), JSON_RANGE);
	assert_int_equal(json_number_check(SLICE("0e9999")), JSON_OK);
	assert_int_equal(json_number_check(SLICE("0e10000")), JSON_OK);
}

static void grammar(void **state)
{
	static const char *const good[] = {
		"0", "-0", "1", "10", "0.0", "1.50", "1e5", "1E+05", "1e-05", "-1.5e0", "123456789012345678901234567890"
	};
	static const char *const bad[] = { "",    "-",   "+1",    "01",  "-01",      "1.",   ".1",  "1e",
					   "1e+", "e1",  "1.e1",  "1 ",  " 1",       "1x",   "0x1", "1_0",
					   "1,0", "--1", "1e1.5", "NaN", "Infinity", "1.5.", "00",  "\xd9\xa1" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_int_equal(json_number_check(slice_str(good[i])), JSON_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(json_number_check(slice_str(bad[i])), JSON_SYNTAX);
	assert_int_equal(json_number_check(slice_of(NULL, 0)), JSON_SYNTAX);
}

static void comparison_is_exact(void **state)
{
	/* Ascending; those that are equal stand together in a row. */
	static const char *const rows[][4] = {
		{ "-1e100000000000000000000000", "-10e99999999999999999999999" },
		{ "-1e308" },
		{ "-9007199254740993" },
		{ "-9007199254740992", "-9007199254740992.000" },
		{ "-1.5", "-15e-1", "-0.015E+2" },
		{ "-1e-400" },
		{ "0", "-0", "0.000e5", "-0e-99999999999999999999" },
		{ "1e-100000000000000000000001" },
		{ "1e-100000000000000000000000", "0.1e-99999999999999999999999" },
		{ "1e-99999999999999999999999" },
		{ "1e-400" },
		{ "0.1", "1e-1", "0.10", "100e-3" },
		{ "0.1000000000000000055511151231257827" },
		{ "0.3" },
		{ "0.30000000000000004" },
		{ "5000", "5e3", "5000.0" },
		{ "5000.0000000000000000000001" },
		{ "9007199254740992", "9.007199254740992e15" },
		{ "9007199254740993" },
		{ "99999999999999999999" },
		{ "1e20", "100000000000000000000" },
		{ "1e99999999999999999999999" },
		{ "1e100000000000000000000000", "10e99999999999999999999999", "0.1e100000000000000000000001" },
	};
	size_t count = sizeof(rows) / sizeof(*rows);

	(void)state;
	for (size_t i = 0; i < count * 4; i++) {
		for (size_t j = 0; j < count * 4; j++) {
			const char *a = rows[i / 4][i % 4], *b = rows[j / 4][j % 4];
			int order, expected = (i / 4 > j / 4) - (i / 4 < j / 4);

			if (!a || !b)
				continue;
			order = json_number_cmp(slice_str(a), slice_str(b));
			if ((order > 0) - (order < 0) != expected)
				fail_msg("%s and %s: %d", a, b, order);
		}
	}
}

static void integers(void **state)
{
	static const struct {
		const char *text;
		int result;
		int64_t n;
	} cases[] = {
		{ "0", 0, 0 },
		{ "-0", 0, 0 },
		{ "0.0e-5", 0, 0 },
		{ "5", 0, 5 },
		{ "5.0", 0, 5 },
		{ "0.5e1", 0, 5 },
		{ "500e-2", 0, 5 },
		{ "-12345e3", 0, -12345000 },
		{ "9223372036854775807", 0, INT64_MAX },
		{ "922337203685477580.7e1", 0, INT64_MAX },
		{ "-9223372036854775808", 0, INT64_MIN },
		{ "9223372036854775808", -ERANGE, 0 },
		{ "-9223372036854775809", -ERANGE, 0 },
		{ "10000000000000000000", -ERANGE, 0 },
		{ "-10000000000000000000", -ERANGE, 0 },
		{ "99999999999999999999", -ERANGE, 0 },
		{ "1e300", -ERANGE, 0 },
		{ "0.5", -EINVAL, 0 },
		{ "1.5", -EINVAL, 0 },
		{ "1e-400", -EINVAL, 0 },
		{ "9223372036854775807.5", -EINVAL, 0 },
		{ "4503599627370496.00000000000000000001", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct json v = number(cases[i].text);
		int64_t n = 77;

		assert_int_equal(json_int64(&v, &n), cases[i].result);
		assert_true(n == (cases[i].result ? 77 : cases[i].n));
	}
}

static void check_double(const char *text)
{
	struct json v = number(text);
	double mine = json_double(&v), libc = strtod(text, NULL);

	if (mine != libc || signbit(mine) != signbit(libc))
		fail_msg("%s: %.17g instead of %.17g", text, mine, libc);
}

static void doubles_are_the_nearest(void **state)
{
	static const char *const texts[] = {
		"0",
		"-0",
		"-0.0e10",
		"1",
		"0.1",
		"-2.5e-3",
		"123456789012345",
		"1e22",
		"1e23",
		"123456789012345e22",
		"123456789012345e-22",
		"9007199254740993",
		"9007199254740993.00000000000000000000000000000001",
		"5e-324",
		"2.4703282292062327e-324",
		"2.4703282292062328e-324",
		"1e-400",
		"2.2250738585072011e-308",
		"1.7976931348623158e308",
		"0.500000000000000166533453693773481063544750213623046875",
	};
	uint64_t random = 362436069;
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		check_double(texts[i]);
	for (int i = 0; i < 100000; i++) {
		uint64_t r = next_random(&random);

		snprintf(text, sizeof(text), "%s%llu.%llue%d", r & 1 ? "-" : "", (unsigned long long)(r >> (r % 64)),
			 (unsigned long long)(r % 1000007), (int)(r >> 40) % 330 - (int)(r >> 20) % 340);
		if (json_number_check(slice_str(text)) == JSON_OK)
			check_double(text);
	}
}

/* Exactly halfway between two doubles, up to 767 digits; and again with a last digit far behind that decides. */
static void no_digit_is_too_far_behind_to_count(void **state)
{
	uint64_t random = 521288629;
	char text[JSON_NUMBER_BYTES + 1];

	(void)state;
	for (int exponent = -1074; exponent < 900; exponent += 7) {
		long double odd = (long double)((next_random(&random) >> 11 | UINT64_C(1) << 52) * 2 + 1);
		int len = snprintf(text, sizeof(text), "%.1075Lf", ldexpl(odd, exponent - 1));

		check_double(text);
		snprintf(text + len, sizeof(text) - (size_t)len, "%0900d", 1);
		check_double(text);
	}
}

static void write_text(const char *text, struct buf *out)
{
	struct json v = number(text);

	buf_clear(out);
	assert_int_equal(json_write(out, &v), 0);
	assert_int_equal(buf_add_char(out, '\0'), 0);
}

static void each_value_is_written_in_one_way(void **state)
{
	static const struct {
		const char *text, *written;
	} cases[] = {
		{ "0", "0" },
		{ "-0", "0" },
		{ "-0.00", "0" },
		{ "0e55", "0" },
		{ "1.0", "1" },
		{ "1e0", "1" },
		{ "10e-1", "1" },
		{ "-1.50", "-1.5" },
		{ "100", "100" },
		{ "1e2", "100" },
		{ "1e20", "100000000000000000000" },
		{ "1e21", "1e+21" },
		{ "1000000000000000000000", "1e+21" },
		{ "123456789012345600000", "123456789012345600000" },
		{ "1234567890123456000000", "1.234567890123456e+21" },
		{ "12345.678e-3", "12.345678" },
		{ "0.000001", "0.000001" },
		{ "0.0000001", "1e-7" },
		{ "0.00000123", "0.00000123" },
		{ "0.000000123", "1.23e-7" },
		{ "-12.5e-10", "-1.25e-9" },
		{ "1e-27", "1e-27" },
		{ "5e-324", "5e-324" },
		{ "1.7976931348623157e308", "1.7976931348623157e+308" },
		/* What a double would change keeps every digit. */
		{ "9007199254740993", "9007199254740993" },
		{ "9007199254740993.0", "9007199254740993" },
		{ "900719925474099300e-2", "9007199254740993" },
		{ "123456789012345678901", "123456789012345678901" },
		{ "1234567890123456789012345", "1234567890123456789012345" },
		{ "1234567890123456789012345e2", "123456789012345678901234500" },
		{ "-1234567890123456789012345.50", "-1234567890123456789012345.5" },
		{ "12345678901234567e6", "12345678901234567000000" },
		{ "12345678901234568e6", "1.2345678901234568e+22" },
		{ "12345678901234566e6", "1.2345678901234566e+22" },
		{ "333333333.33333329", "333333333.33333329" },
		{ "0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827" },
		{ "4.9406564584124654e-324", "4.9406564584124654e-324" },
		{ "1e-400", "1e-400" },
		{ "0.00000000000000000000123456789012345678901e3", "1.23456789012345678901e-18" },
	};
	cleanup_buf struct buf out = BUF_INIT(ROOM);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		write_text(cases[i].text, &out);
		assert_string_equal(out.ptr, cases[i].written);
		assert_int_equal(json_number_cmp(slice_str(cases[i].text), slice_str(out.ptr)), 0);
	}
}

/* The longest numbers that are read stay within the limits when they are written. */
static void what_is_written_can_be_read(void **state)
{
	static const struct {
		const char *before, *after;
	} forms[] = { { "", "e-4005" },     { "", "e-4006" },   { "0.", "e-9998" }, { "", "e-3691" },
		      { "0.00001", "e-1" }, { "1.", "e-9998" }, { "", "e-3999" } };
	cleanup_buf struct buf b = BUF_INIT(ROOM), out = BUF_INIT(ROOM);

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		for (size_t digits = JSON_NUMBER_DIGITS - 3; digits <= JSON_NUMBER_DIGITS + 1; digits++) {
			buf_clear(&b);
			add_repeated(&b, forms[i].before, 1);
			add_repeated(&b, "7", digits);
			add_repeated(&b, forms[i].after, 1);
			if (json_number_check(buf_slice(&b)) != JSON_OK)
				continue;
			assert_int_equal(buf_add_char(&b, '\0'), 0);
			write_text(b.ptr, &out);
			assert_int_equal(json_number_check(slice_str(out.ptr)), JSON_OK);
			assert_int_equal(json_number_cmp(slice_str(b.ptr), slice_str(out.ptr)), 0);
		}
	}
}

static void write_double(double v, char *text, size_t size)
{
	struct buf out = BUF_INIT(size - 1);

	assert_int_equal(json_write_double(&out, v), 0);
	memcpy(text, out.ptr, out.len);
	text[out.len] = '\0';
	buf_free(&out);
}

static void published_doubles(void **state)
{
	/* RFC 8785, appendix B. */
	static const struct {
		uint64_t bits;
		const char *text;
	} cases[] = {
		{ 0x0000000000000000, "0" },
		{ 0x8000000000000000, "0" },
		{ 0x0000000000000001, "5e-324" },
		{ 0x8000000000000001, "-5e-324" },
		{ 0x7fefffffffffffff, "1.7976931348623157e+308" },
		{ 0xffefffffffffffff, "-1.7976931348623157e+308" },
		{ 0x4340000000000000, "9007199254740992" },
		{ 0xc340000000000000, "-9007199254740992" },
		{ 0x4430000000000000, "295147905179352830000" },
		{ 0x44b52d02c7e14af5, "9.999999999999997e+22" },
		{ 0x44b52d02c7e14af6, "1e+23" },
		{ 0x44b52d02c7e14af7, "1.0000000000000001e+23" },
		{ 0x444b1ae4d6e2ef4e, "999999999999999700000" },
		{ 0x444b1ae4d6e2ef4f, "999999999999999900000" },
		{ 0x444b1ae4d6e2ef50, "1e+21" },
		{ 0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7" },
		{ 0x3eb0c6f7a0b5ed8d, "0.000001" },
		{ 0x41b3de4355555553, "333333333.3333332" },
		{ 0x41b3de4355555554, "333333333.33333325" },
		{ 0x41b3de4355555555, "333333333.3333333" },
		{ 0x41b3de4355555556, "333333333.3333334" },
		{ 0x41b3de4355555557, "333333333.33333343" },
		{ 0xbecbf647612f3696, "-0.0000033333333333333333" },
		{ 0x43143ff3c1cb0959, "1424953923781206.2" },
	};
	cleanup_buf struct buf out = BUF_INIT(ROOM);
	char text[40];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		write_double(double_of(cases[i].bits), text, sizeof(text));
		assert_string_equal(text, cases[i].text);
	}
	/* 2^-44: the nearest 16 digits lie below, where doubles are closer, and are another double; those above are this one. */
	write_double(0x1p-44, text, sizeof(text));
	assert_string_equal(text, "5.684341886080802e-14");
	assert_int_equal(json_write_double(&out, INFINITY), -EINVAL);
	assert_int_equal(json_write_double(&out, -INFINITY), -EINVAL);
	assert_int_equal(json_write_double(&out, NAN), -EINVAL);
	assert_int_equal(out.len, 0);
}

/* The digits of a written number, leading and trailing zeros left out. */
static int significant(const char *text)
{
	int count = 0, zeros = 0;

	for (; *text && *text != 'e'; text++) {
		if (*text >= '1' && *text <= '9') {
			count += zeros + 1;
			zeros = 0;
		} else if (*text == '0' && count > 0) {
			zeros++;
		}
	}
	return count;
}

/* Whether some decimal of `count` digits reads back as `v`: only the nearest and its neighbours can. */
static bool fits(double v, int count)
{
	long long mantissa = 0, exponent;
	char text[48];

	snprintf(text, sizeof(text), "%.*e", count - 1, fabs(v));
	for (const char *c = text; *c != 'e'; c++) {
		if (*c >= '0' && *c <= '9')
			mantissa = mantissa * 10 + (*c - '0');
	}
	exponent = strtoll(strchr(text, 'e') + 1, NULL, 10) - (count - 1);
	for (int i = -1; i <= 1; i++) {
		snprintf(text, sizeof(text), "%llde%lld", mantissa + i, exponent);
		if (strtod(text, NULL) == fabs(v))
			return true;
	}
	return false;
}

static void check_shortest(double v)
{
	cleanup_buf struct buf out = BUF_INIT(64);
	char text[40];
	int count;

	write_double(v, text, sizeof(text));
	count = significant(text);
	if (strtod(text, NULL) != v || count > 17)
		fail_msg("%.17g: %s", v, text);
	if (count > 1 && fits(v, count - 1))
		fail_msg("%.17g: %s is not the shortest", v, text);
	/* The canonical text of a double is canonical when it is read, too. */
	write_text(text, &out);
	assert_string_equal(out.ptr, text);
}

static void doubles_are_written_shortest(void **state)
{
	const char *wanted = getenv("BAWN_DOUBLES");
	long count = wanted ? strtol(wanted, NULL, 10) : RANDOM_DOUBLES;
	uint64_t random = 2463534242;

	(void)state;
	for (long i = 0; i < count; i++) {
		double v = double_of(next_random(&random));

		if (isfinite(v) && v != 0)
			check_shortest(v);
	}
}

static void check_neighbourhood(double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	for (uint64_t near = bits > 3 ? bits - 3 : 1; near <= bits + 3; near++)
		check_shortest(double_of(near));
}

static void powers_and_their_neighbours_are_written_shortest(void **state)
{
	(void)state;
	for (int exponent = -1074; exponent < 1024; exponent++)
		check_neighbourhood(ldexp(1, exponent));
	for (int exponent = -323; exponent <= 308; exponent++) {
		char text[16];

		snprintf(text, sizeof(text), "1e%d", exponent);
		check_neighbourhood(strtod(text, NULL));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grammar),
		cmocka_unit_test(range),
		cmocka_unit_test(lengths),
		cmocka_unit_test(comparison_is_exact),
		cmocka_unit_test(integers),
		cmocka_unit_test(doubles_are_the_nearest),
		cmocka_unit_test(no_digit_is_too_far_behind_to_count),
		cmocka_unit_test(each_value_is_written_in_one_way),
		cmocka_unit_test(what_is_written_can_be_read),
		cmocka_unit_test(published_doubles),
		cmocka_unit_test(doubles_are_written_shortest),
		cmocka_unit_test(powers_and_their_neighbours_are_written_shortest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
