/*
 * What regex_ecma.c (groups, repeats, alternatives) and regex_class.c (characters and classes) share while they read a pattern by
 * ECMA-262 and write it for PCRE2.
 */
#pragma once

#include <errno.h>

#include "base/text.h"
#include "parse/regex_ecma.h"

/* A group as the first pass found it; 0 is the whole pattern. */
struct ecma_group {
	unsigned parent;
	unsigned capture; /* 1-based number among the capturing ones, 0 when it captures nothing */
	struct slice name;
	bool repeated; /* may run more than once */
	bool assertion;
};

/* An open group of the second pass. */
struct ecma_level {
	unsigned group;
	unsigned long weight, size; /* of what it holds so far */
};

struct ecma {
	struct slice in;
	size_t at;
	struct buf *out;
	const char *fault;
	bool backreferences; /* somewhere in the pattern, so groups must capture */
	unsigned n_groups, n_captures;
	unsigned next; /* the group that the second pass opens next */
	unsigned depth;
	struct ecma_level level[REGEX_DEPTH + 1];
	struct ecma_group group[REGEX_GROUPS + 1];
};

static inline int ecma_refuse(struct ecma *e, const char *fault)
{
	e->fault = fault;
	return -EINVAL;
}

static inline bool ecma_more(const struct ecma *e)
{
	return e->at < e->in.len;
}

static inline char ecma_peek(const struct ecma *e, size_t ahead)
{
	return ahead < e->in.len - e->at ? e->in.ptr[e->at + ahead] : '\0';
}

static inline bool ecma_take(struct ecma *e, const char *text)
{
	if (!slice_starts(slice_of(e->in.ptr + e->at, e->in.len - e->at), slice_str(text)))
		return false;
	e->at += strlen(text);
	return true;
}

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* ---- regex_class.c; each reads at the cursor and goes on behind what it has read. 0, -EINVAL with e->fault, a buf error ---- */

/* Writes one character so that it stands for itself, in a class too. */
int ecma_put_char(struct ecma *e, uint32_t c);

/* Behind a backslash: an escape that stands for one character. 1, 0 when it is no such escape, -EINVAL. */
int ecma_take_character(struct ecma *e, uint32_t *ret_c);

/* \d \D \s \S \w \W as members of a class, for PCRE2; NULL for others. */
const char *ecma_class_escape(char c);

/* \p{...} behind the backslash. */
int ecma_put_property(struct ecma *e);

/* Behind "[". */
int ecma_put_class(struct ecma *e);
