/* The first half of regex.h: ECMA-262 (22.2.1, with the `u` flag) in, PCRE2 syntax with callouts out. */
#pragma once

#include "parse/regex.h"

enum {
	REGEX_CALLOUT_STEP = 0,     /* (?C0): charge one step and the characters walked */
	REGEX_CALLOUT_BACKWARD = 1, /* (?C1): a backreference follows, whose length nobody has counted */
};

/*
 * Appends the PCRE2 form to `out`, and gives the pattern's weight: how many characters one attempt compares at most between two
 * callouts. 0, -EINVAL with one clause in *ret_fault (a literal), a buf error.
 */
int regex_ecma(struct slice pattern, struct buf *out, unsigned *ret_weight, const char **ret_fault);
