/*
 * Patterns of JSON Schema: ECMA-262 regular expressions with the `u` flag, run by PCRE2 with counted work.
 *
 * A pattern is parsed here first, by the grammar of ECMA-262, and written out anew for PCRE2; what the grammar does not have
 * (verbs, recursion, callouts, \K, possessive and atomic groups, inline flags) is refused, and \d \w \s mean what ECMA-262 says.
 * Patterns come from strangers and so do the strings, and PCRE2 backtracks: the written pattern therefore carries callouts that
 * charge each step, and each character walked, to the caller's budget. PCRE2's own limits on matches, depth and heap stand behind
 * that.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"

enum {
	REGEX_PATTERN = 8192,  /* bytes of a pattern at most */
	REGEX_DEPTH = 64,      /* nested groups */
	REGEX_GROUPS = 500,    /* groups of all kinds */
	REGEX_REPEAT = 65535,  /* the highest count in {n,m} */
	REGEX_WEIGHT = 200000, /* single characters that one attempt may have to compare, counted repeats multiplied out */
};

struct regex_family; /* shares the memory bound, the limits and the scratch; for one thread at a time */
struct regex;        /* belongs to its family */

/* At most `bytes` of memory for all patterns together. 0 or -ENOMEM. */
int regex_family_new(size_t bytes, struct regex_family **ret_family);
void regex_family_free(struct regex_family *family);

/* Bytes that its patterns take. */
size_t regex_family_memory(const struct regex_family *family);

/*
 * Compiles `pattern` (well-formed UTF-8). -EINVAL and one clause in *ret_fault ("has a group that is never closed"; a literal, or
 * text of the family, valid until its next call), -ENOMEM.
 */
int regex_compile(struct regex_family *family, struct slice pattern, struct regex **ret_regex, const char **ret_fault);

/*
 * Whether the pattern matches anywhere in `subject`: 0, -ENOENT (no match), -E2BIG when *budget is used up or a limit of PCRE2 is
 * reached, -EINVAL when the subject is not UTF-8, -ENOMEM. *budget falls by the work done.
 */
int regex_match(const struct regex *regex, struct slice subject, uint64_t *budget);

/* True when `pattern` is in the grammar that this module reads. */
bool regex_valid(struct slice pattern);
