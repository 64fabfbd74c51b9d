/*
 * A slice is a borrowed run of bytes: it owns nothing, and whoever hands one out says how long it stays valid.
 * A slice is not NUL-terminated and may hold any byte; it becomes a C string only at a system call.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
	const char *ptr; /* may be NULL only when len is 0 */
	size_t len;      /* bytes */
};

/* A slice over a string literal, length known when compiled. */
#define SLICE(literal) ((struct slice){ .ptr = "" literal "", .len = sizeof(literal) - 1 })

/* For printf("%.*s"): the length as int, then the pointer. Only for slices already known to be printable and short. */
#define SLICE_ARG(s) (int)(s).len, (s).ptr

/* Over a NUL-terminated string; valid as long as the string. NULL gives the empty slice. */
static inline struct slice slice_str(const char *s)
{
	return (struct slice){ .ptr = s, .len = s ? strlen(s) : 0 };
}

static inline struct slice slice_of(const void *ptr, size_t len)
{
	return (struct slice){ .ptr = ptr, .len = len };
}

static inline bool slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Order by bytes, a shorter slice before its extensions: <0, 0, >0. */
static inline int slice_cmp(struct slice a, struct slice b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n ? memcmp(a.ptr, b.ptr, n) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

static inline bool slice_starts(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}
