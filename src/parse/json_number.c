/* Numbers as exact decimals: grammar, range, comparison, and the way to and from doubles. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "parse/json_inner.h"

enum {
	DOUBLE_PLACE = 309,  /* the largest double is 0.17... x 10^309 */
	ENOUGH_DIGITS = 800, /* no double's midpoint has more than 768, so what follows only counts as "more" */
	EXACT_DIGITS = 15,   /* an integer of so many digits is an exact double; a decimal of so many survives one */
	EXACT_POWER = 22,    /* 10^22 is the last power of ten that is an exact double */
};

#define PLACE_LIMIT INT64_C(100000000000000000)

/* 2^1024 - 2^970: from here on a decimal rounds to infinity. */
static const struct slice overflow = {
	.ptr = "1797693134862315807937289714053034150799341327100378269361737789804449682927647509466490179775872070963"
	       "3028641669288791094655554785194040263065748867150582068190890200070838367627385484581771153176447573027"
	       "0069855571366959622842914819860834936475292719074168444365510704342711559699508093042880177904174497792",
	.len = DOUBLE_PLACE,
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *at, const char *end)
{
	while (at < end && is_digit(*at))
		at++;
	return at;
}

const char *json_number_scan(const char *at, const char *end)
{
	const char *from;

	if (at < end && *at == '-')
		at++;
	from = at;
	at = skip_digits(at, end);
	if (at == from || (*from == '0' && at - from > 1))
		return NULL;
	if (at < end && *at == '.') {
		from = ++at;
		at = skip_digits(at, end);
		if (at == from)
			return NULL;
	}
	if (at < end && (*at == 'e' || *at == 'E')) {
		at++;
		if (at < end && (*at == '+' || *at == '-'))
			at++;
		from = at;
		at = skip_digits(at, end);
		if (at == from)
			return NULL;
	}
	return at;
}

static void exponent_read(struct slice text, struct decimal *d)
{
	size_t at = 0;

	if (at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-'))
		d->exponent_negative = text.ptr[at++] == '-';
	while (at < text.len && text.ptr[at] == '0')
		at++;
	d->exponent = slice_of(text.ptr + at, text.len - at);
}

void decimal_read(struct slice text, struct decimal *ret_d)
{
	size_t begin = text.len && text.ptr[0] == '-', end = begin, dot, first, last;
	struct decimal d = { .negative = begin, .dot = SIZE_MAX };

	while (end < text.len && text.ptr[end] != 'e' && text.ptr[end] != 'E' && text.ptr[end] != '.')
		end++;
	dot = end;
	while (end < text.len && text.ptr[end] != 'e' && text.ptr[end] != 'E')
		end++;
	for (first = begin; first < end && (text.ptr[first] == '0' || text.ptr[first] == '.');)
		first++;
	if (first < end) {
		for (last = end - 1; text.ptr[last] == '0' || text.ptr[last] == '.';)
			last--;
		d.digits = text.ptr + first;
		d.count = last - first + 1 - (first < dot && dot < last);
		if (first < dot) {
			d.dot = dot - first;
			d.point = (int64_t)(dot - first);
		} else {
			d.point = -(int64_t)(first - dot - 1);
		}
		if (end < text.len)
			exponent_read(slice_of(text.ptr + end + 1, text.len - end - 1), &d);
	}
	*ret_d = d;
}

/* The i-th of `width` digits of a signed exponent, leading zeros supplied. */
static int exponent_digit(const struct decimal *d, size_t width, size_t i)
{
	size_t pad = width - d->exponent.len;
	int digit = i < pad ? 0 : d->exponent.ptr[i - pad] - '0';

	return d->exponent_negative ? -digit : digit;
}

/* a's exponent less b's. Once past the limit no later digit can bring the difference back, so it stops there. */
static int64_t exponent_difference(const struct decimal *a, const struct decimal *b)
{
	size_t width = a->exponent.len > b->exponent.len ? a->exponent.len : b->exponent.len;
	int64_t sum = 0;

	for (size_t i = 0; i < width; i++) {
		sum = sum * 10 + exponent_digit(a, width, i) - exponent_digit(b, width, i);
		if (sum > PLACE_LIMIT || sum < -PLACE_LIMIT)
			break;
	}
	return sum;
}

int64_t decimal_place(const struct decimal *d)
{
	static const struct decimal zero;
	int64_t place = exponent_difference(d, &zero) + d->point;

	return place > PLACE_LIMIT ? PLACE_LIMIT : place < -PLACE_LIMIT ? -PLACE_LIMIT : place;
}

static int decimal_sign(const struct decimal *d)
{
	return d->count == 0 ? 0 : d->negative ? -1 : 1;
}

/* Both not zero. */
static int magnitude_cmp(const struct decimal *a, const struct decimal *b)
{
	int64_t more = exponent_difference(a, b) + (a->point - b->point);
	size_t n = a->count < b->count ? a->count : b->count;

	if (more != 0)
		return more > 0 ? 1 : -1;
	for (size_t i = 0; i < n; i++) {
		int order = decimal_digit(a, i) - decimal_digit(b, i);

		if (order)
			return order;
	}
	return (a->count > b->count) - (a->count < b->count);
}

int json_number_cmp(struct slice a, struct slice b)
{
	struct decimal x, y;
	int sign, order;

	if (slice_eq(a, b))
		return 0;
	decimal_read(a, &x);
	decimal_read(b, &y);
	sign = decimal_sign(&x);
	if (sign == 0 || sign != decimal_sign(&y))
		return sign - decimal_sign(&y);
	order = magnitude_cmp(&x, &y);
	return sign < 0 ? -order : order;
}

bool is_short_integer(struct slice text)
{
	size_t sign = text.len && text.ptr[0] == '-';

	if (text.len - sign > EXACT_DIGITS)
		return false;
	for (size_t i = sign; i < text.len; i++) {
		if (!is_digit(text.ptr[i]))
			return false;
	}
	return true;
}

enum json_error json_number_range(struct slice text)
{
	struct decimal d, limit;
	int64_t place;

	if (text.len > JSON_NUMBER_BYTES)
		return JSON_RANGE;
	if (is_short_integer(text))
		return JSON_OK;
	decimal_read(text, &d);
	if (d.count > JSON_NUMBER_DIGITS)
		return JSON_RANGE;
	if (d.count == 0)
		return JSON_OK;
	place = decimal_place(&d);
	if (place <= -JSON_NUMBER_EXPONENT)
		return JSON_RANGE;
	if (place != DOUBLE_PLACE)
		return place > DOUBLE_PLACE ? JSON_RANGE : JSON_OK;
	decimal_read(overflow, &limit);
	return magnitude_cmp(&d, &limit) < 0 ? JSON_OK : JSON_RANGE;
}

enum json_error json_number_check(struct slice text)
{
	if (text.len == 0 || json_number_scan(text.ptr, text.ptr + text.len) != text.ptr + text.len)
		return JSON_SYNTAX;
	return json_number_range(text);
}

int json_int64(const struct json *number, int64_t *ret_n)
{
	struct decimal d;
	int64_t place, n = 0;

	decimal_read(number->text, &d);
	place = decimal_place(&d);
	if (d.count > 0 && (place <= 0 || (uint64_t)place < d.count))
		return -EINVAL;
	for (size_t i = 0; d.count > 0 && i < (size_t)place; i++) {
		int digit = i < d.count ? decimal_digit(&d, i) - '0' : 0;

		/* Counted downwards for a negative number, which reaches one further. */
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, d.negative ? -digit : digit, &n))
			return -ERANGE;
	}
	*ret_n = n;
	return 0;
}

/* 0.DIGITS x 10^place through strtod: an integer and an exponent, which every locale reads alike. */
static double digits_to_double(const char *digits, size_t count, int64_t place)
{
	char text[ENOUGH_DIGITS + 32];
	size_t kept = count < ENOUGH_DIGITS ? count : ENOUGH_DIGITS;

	memcpy(text, digits, kept);
	if (kept < count)
		text[kept++] = '1';
	if (place > 9999 || place < -99999)
		place = place > 0 ? 9999 : -99999;
	snprintf(text + kept, sizeof(text) - kept, "e%" PRId64, place - (int64_t)kept);
	return strtod(text, NULL);
}

double json_double(const struct json *number)
{
	static const double powers[EXACT_POWER + 1] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
							1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
	char digits[ENOUGH_DIGITS + 1];
	struct decimal d;
	int64_t place, power;
	double v = 0;

	decimal_read(number->text, &d);
	place = decimal_place(&d);
	power = place - (int64_t)d.count;
	if (d.count <= EXACT_DIGITS && power >= -EXACT_POWER && power <= EXACT_POWER) {
		/* Both operands are exact, so the one rounding is the right one. */
		for (size_t i = 0; i < d.count; i++)
			v = v * 10 + (decimal_digit(&d, i) - '0');
		v = power < 0 ? v / powers[-power] : v * powers[power];
	} else if (d.count > 0) {
		/* One digit more than is enough stands for all the rest. */
		size_t kept = d.count < sizeof(digits) ? d.count : sizeof(digits);

		for (size_t i = 0; i < kept; i++)
			digits[i] = decimal_digit(&d, i);
		v = digits_to_double(digits, kept, place);
	}
	return d.negative ? -v : v;
}

/* `v` rounded to `count` digits, as printf does: to nearest, a tie to even. The text's radix character depends on the locale. */
static int round_to_digits(double v, size_t count, char *digits)
{
	char text[SHORTEST_DIGITS + 32];
	size_t n = 0;
	char *at;

	snprintf(text, sizeof(text), "%.*e", (int)count - 1, v);
	for (at = text; *at && *at != 'e'; at++) {
		if (is_digit(*at) && n < count)
			digits[n++] = *at;
	}
	return (int)strtol(at + 1, NULL, 10) + 1;
}

/* One more in the last place. True when that is still `count` digits. */
static bool next_digits(char *digits, size_t count)
{
	while (count > 0 && digits[count - 1] == '9')
		digits[--count] = '0';
	if (count == 0)
		return false;
	digits[count - 1]++;
	return true;
}

size_t shortest_digits(double v, char digits[SHORTEST_DIGITS], int *ret_place)
{
	/* Where doubles are normal, different decimals of 15 digits are different doubles: nothing shorter is missed. */
	size_t count = fabs(v) < 1e-290 ? 1 : EXACT_DIGITS;
	int place = 0, exponent;
	bool power = frexp(fabs(v), &exponent) == 0.5;

	v = fabs(v);
	if (v == 0)
		return 0;
	for (;; count++) {
		place = round_to_digits(v, count, digits);
		if (count >= SHORTEST_DIGITS || digits_to_double(digits, count, place) == v)
			break;
		/* Below a power of two doubles lie closer: what rounds down too far may have a neighbour above that does not. */
		if (power && next_digits(digits, count) && digits_to_double(digits, count, place) == v)
			break;
	}
	while (count > 1 && digits[count - 1] == '0')
		count--;
	*ret_place = place;
	return count;
}
