/*
 * A growing byte buffer that is made with its maximum: an append that would pass it fails and leaves the buffer as it was.
 * The memory belongs to the buffer; a slice taken from it is valid until the next call that changes the buffer.
 */
#pragma once

#include <stdint.h>

#include "base/slice.h"

struct buf {
	char *ptr;
	size_t len; /* bytes used */
	size_t cap; /* bytes allocated */
	size_t max; /* bytes that len may never pass */
};

#define BUF_INIT(maximum) ((struct buf){ .max = (maximum) })

/* Releases the memory and empties the buffer; its maximum stays. */
void buf_free(struct buf *b);

/* Empties the buffer and keeps its memory. */
void buf_clear(struct buf *b);

/* All of these: 0, -EMSGSIZE when the maximum would be passed, -ENOMEM. */
int buf_reserve(struct buf *b, size_t more);
int buf_add(struct buf *b, const void *bytes, size_t len);
int buf_add_slice(struct buf *b, struct slice s);
int buf_add_str(struct buf *b, const char *s);
int buf_add_char(struct buf *b, char c);
int buf_add_u64(struct buf *b, uint64_t n); /* decimal digits */
int buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Drops the first `len` bytes (at most b->len) and moves the rest to the front. */
void buf_consume(struct buf *b, size_t len);

static inline struct slice buf_slice(const struct buf *b)
{
	return (struct slice){ .ptr = b->ptr, .len = b->len };
}

/* For __attribute__((cleanup)). */
#define cleanup_buf __attribute__((cleanup(buf_free)))
