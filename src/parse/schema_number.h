/* Numbers as JSON writes them, judged by their exact decimal value in time linear in the text. */
#pragma once

#include <stdint.h>

#include "base/slice.h"

/* digits × 10^exponent */
struct number_divisor {
	uint64_t digits; /* not 0, at most 18 digits */
	int64_t exponent;
	struct slice text; /* as written, for messages; the caller's */
};

/* True when the number has no fraction: 5, 5.0 and 50e-1 alike. */
bool number_is_integer(struct slice text);

/* Equal for equal numbers however they are written. */
uint64_t number_hash(struct slice text);

/* 0; -EINVAL when it is not greater than 0; -ERANGE when it has more than 18 significant digits or an exponent beyond all use. */
int number_divisor(struct slice text, struct number_divisor *ret_divisor);

/* True when number / divisor is an integer. */
bool number_is_multiple(struct slice text, const struct number_divisor *divisor);

/* An integer from 0 up, however it is written; one beyond UINT64_MAX gives UINT64_MAX. 0 or -EINVAL. */
int number_count(struct slice text, uint64_t *ret_n);
