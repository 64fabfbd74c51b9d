#include "parse/schema_number.h"

#include <errno.h>

enum { DIVISOR_DIGITS = 18 };

/* ±digits × 10^exponent; the digits begin and end with one that is not 0, a point may be among them, and none is the number 0. */
struct decimal {
	bool negative;
	struct slice digits;
	int64_t exponent;
};

/* More than any text of a number can make up for by its length. */
#define EXPONENT_MAX (INT64_C(1) << 60)

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int64_t read_exponent(struct slice text, size_t at)
{
	bool negative = at < text.len && text.ptr[at] == '-';
	int64_t n = 0;

	if (at < text.len && !is_digit(text.ptr[at]))
		at++;
	for (; at < text.len; at++)
		if (n < EXPONENT_MAX / 16)
			n = n * 10 + (text.ptr[at] - '0');
	return negative ? -n : n;
}

static struct decimal decimal_read(struct slice text)
{
	struct decimal d = { .negative = text.len && text.ptr[0] == '-' };
	size_t end = 0, first = text.len, last = 0, point = text.len, at;

	while (end < text.len && text.ptr[end] != 'e' && text.ptr[end] != 'E')
		end++;
	for (at = 0; at < end; at++) {
		if (text.ptr[at] == '.')
			point = at;
		if (text.ptr[at] < '1' || text.ptr[at] > '9')
			continue;
		if (first == text.len)
			first = at;
		last = at;
	}
	if (first == text.len)
		return d;
	d.digits = slice_of(text.ptr + first, last - first + 1);
	d.exponent = end < text.len ? read_exponent(text, end + 1) : 0;
	if (point > end)
		point = end;
	d.exponent += last < point ? (int64_t)(point - last - 1) : -(int64_t)(last - point);
	return d;
}

bool number_is_integer(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] != '-' && !is_digit(text.ptr[i]))
			return decimal_read(text).exponent >= 0;
	return true;
}

uint64_t number_hash(struct slice text)
{
	struct decimal d = decimal_read(text);
	uint64_t h = 0x9E3779B97F4A7C15ULL;

	if (d.digits.len == 0)
		return h;
	h ^= (uint64_t)d.exponent * 0xC2B2AE3D27D4EB4FUL + (uint64_t)d.negative;
	for (size_t i = 0; i < d.digits.len; i++)
		if (d.digits.ptr[i] != '.')
			h = (h ^ (unsigned char)d.digits.ptr[i]) * 0x100000001B3UL;
	return h;
}

int number_divisor(struct slice text, struct number_divisor *ret_divisor)
{
	struct decimal d = decimal_read(text);
	struct number_divisor n = { .exponent = d.exponent, .text = text };
	unsigned digits = 0;

	if (d.negative || d.digits.len == 0)
		return -EINVAL;
	for (size_t i = 0; i < d.digits.len; i++) {
		if (d.digits.ptr[i] == '.')
			continue;
		if (++digits > DIVISOR_DIGITS)
			return -ERANGE;
		n.digits = n.digits * 10 + (uint64_t)(d.digits.ptr[i] - '0');
	}
	*ret_divisor = n;
	return 0;
}

static uint64_t multiply_modulo(uint64_t a, uint64_t b, uint64_t m)
{
	return (uint64_t)((unsigned __int128)a * (unsigned __int128)b % (unsigned __int128)m);
}

static uint64_t power_of_ten_modulo(uint64_t exponent, uint64_t m)
{
	uint64_t result = 1 % m, base = 10 % m;

	for (; exponent; exponent >>= 1) {
		if (exponent & 1)
			result = multiply_modulo(result, base, m);
		base = multiply_modulo(base, base, m);
	}
	return result;
}

bool number_is_multiple(struct slice text, const struct number_divisor *divisor)
{
	struct decimal d = decimal_read(text);
	uint64_t rest = 0;

	if (d.digits.len == 0)
		return true;
	/* The digits do not end in 0, so a divisor with a higher power of ten cannot go into them. */
	if (d.exponent < divisor->exponent)
		return false;
	for (size_t i = 0; i < d.digits.len; i++)
		if (d.digits.ptr[i] != '.')
			rest = (multiply_modulo(rest, 10, divisor->digits) + (uint64_t)(d.digits.ptr[i] - '0')) % divisor->digits;
	return multiply_modulo(rest, power_of_ten_modulo((uint64_t)(d.exponent - divisor->exponent), divisor->digits),
			       divisor->digits) == 0;
}

int number_count(struct slice text, uint64_t *ret_n)
{
	struct decimal d = decimal_read(text);
	bool large = d.digits.len > 0 && d.exponent > 20;
	uint64_t n = 0;

	if (d.exponent < 0 || (d.negative && d.digits.len))
		return -EINVAL;
	for (size_t i = 0; i < d.digits.len && !large; i++)
		if (d.digits.ptr[i] != '.')
			large =
			    __builtin_mul_overflow(n, 10U, &n) || __builtin_add_overflow(n, (uint64_t)(d.digits.ptr[i] - '0'), &n);
	for (int64_t i = 0; i < d.exponent && !large; i++)
		large = __builtin_mul_overflow(n, 10U, &n);
	*ret_n = large ? UINT64_MAX : n;
	return 0;
}
