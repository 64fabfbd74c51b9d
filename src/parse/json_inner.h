/* What the JSON files share among themselves; nobody else includes this. */
#pragma once

#include <endian.h>

#include "parse/json.h"

enum { FEW_MEMBERS = 16 }; /* up to here comparing all with all is the fastest */

#define BYTE_ONES UINT64_C(0x0101010101010101)
#define BYTE_TOPS (BYTE_ONES * 0x80)

static inline uint64_t load_word(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return le64toh(word);
}

/*
 * Marks by its top bit each of eight bytes that a string literal cannot simply contain: quote, backslash, control character. The
 * lowest mark is exact; above it there may be false ones, since borrows reach upwards.
 */
static inline uint64_t mark_special(uint64_t word)
{
	uint64_t quote = word ^ BYTE_ONES * '"', back = word ^ BYTE_ONES * '\\';

	return (((quote - BYTE_ONES) & ~quote) | ((back - BYTE_ONES) & ~back) | ((word - BYTE_ONES * 0x20) & ~word)) & BYTE_TOPS;
}

static inline size_t first_mark(uint64_t marks)
{
	return (size_t)__builtin_ctzll(marks) >> 3;
}

/*
 * A number's exact value, borrowed from its text: 0.DIGITS x 10^(point + exponent), no leading or trailing zero among DIGITS,
 * so that equal values have equal digits. Zero has no digits.
 */
struct decimal {
	const char *digits; /* the first significant digit, in the text */
	size_t count;       /* significant digits */
	size_t dot;         /* how many of them stand before the text's dot; SIZE_MAX when no dot follows the first */
	int64_t point;
	struct slice exponent; /* its digits as written, without leading zeros; empty when 0 */
	bool exponent_negative;
	bool negative; /* as written, so true for -0 */
};

enum { SHORTEST_DIGITS = 17 }; /* any double */

/* `text` must be a number by the grammar. */
void decimal_read(struct slice text, struct decimal *ret_d);

/* point + exponent; beyond +-10^17 it stays there. */
int64_t decimal_place(const struct decimal *d);

static inline char decimal_digit(const struct decimal *d, size_t i)
{
	return d->digits[i + (i >= d->dot)];
}

/*
 * The fewest digits that read back as `v`, nearest to it (ES6, Number::toString): v = 0.DIGITS x 10^*ret_place. How many; 0 for
 * zero. `v` must be finite; its sign is not looked at.
 */
size_t shortest_digits(double v, char digits[SHORTEST_DIGITS], int *ret_place);

/* Where a number by the grammar ends that starts at `at`; NULL when none does. */
const char *json_number_scan(const char *at, const char *end);

/* Whether a number by the grammar is an integer of at most 15 digits, as most are. */
bool is_short_integer(struct slice text);

/* JSON_OK or JSON_RANGE for a number by the grammar. */
enum json_error json_number_range(struct slice text);

/* Whether two members have one name: 0 no, 1 yes (*ret_index is the later one), -ENOMEM. Never quadratic. */
int json_names_repeat(const struct json_member *members, size_t count, size_t *ret_index);

/* As slice_cmp, by UTF-16 code units; both well-formed UTF-8. */
int json_name_cmp16(struct slice a, struct slice b);
