#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct arena_block {
	struct arena_block *next;
	size_t used, cap;
	alignas(max_align_t) char bytes[];
};

enum { ARENA_BLOCK = 4096 - sizeof(struct arena_block), ARENA_KEEP = 64 * 1024 };

static struct arena_block *block_new(struct arena *a, size_t size)
{
	/* Blocks double with use, so that a large document costs few mallocs. */
	size_t cap = a->used > ARENA_BLOCK ? a->used : ARENA_BLOCK;
	struct arena_block *b;

	if (cap > a->max)
		cap = a->max;
	if (cap < size)
		cap = size;
	b = malloc(sizeof(*b) + cap);
	if (!b)
		return NULL;
	b->used = 0;
	b->cap = cap;
	b->next = a->blocks;
	a->blocks = b;
	return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
	const size_t align = alignof(max_align_t);
	struct arena_block *b = a->blocks;
	size_t rounded, used;
	void *ptr;

	if (__builtin_add_overflow(size ? size : 1, align - 1, &rounded))
		return NULL;
	rounded &= ~(align - 1);
	if (__builtin_add_overflow(a->used, rounded, &used) || used > a->max)
		return NULL;
	if (!b || b->cap - b->used < rounded) {
		b = block_new(a, rounded);
		if (!b)
			return NULL;
	}
	ptr = b->bytes + b->used;
	b->used += rounded;
	a->used = used;
	return memset(ptr, 0, rounded);
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		return NULL;
	return arena_alloc(a, bytes);
}

struct slice arena_copy(struct arena *a, struct slice s)
{
	char *ptr = arena_alloc(a, s.len);

	if (ptr && s.len)
		memcpy(ptr, s.ptr, s.len);
	return (struct slice){ .ptr = ptr, .len = ptr ? s.len : 0 };
}

char *arena_cstr(struct arena *a, struct slice s)
{
	char *ptr;

	if (s.len == SIZE_MAX)
		return NULL;
	ptr = arena_alloc(a, s.len + 1);
	if (ptr && s.len)
		memcpy(ptr, s.ptr, s.len);
	return ptr;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
	va_list args, again;
	char *ptr = NULL;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len >= 0)
		ptr = arena_alloc(a, (size_t)len + 1);
	if (ptr)
		vsnprintf(ptr, (size_t)len + 1, format, again);
	va_end(again);
	return ptr;
}

void arena_free(struct arena *a)
{
	while (a->blocks) {
		struct arena_block *b = a->blocks;

		a->blocks = b->next;
		free(b);
	}
	a->used = 0;
}

void arena_clear(struct arena *a)
{
	struct arena_block *keep = NULL;

	while (a->blocks) {
		struct arena_block *b = a->blocks;

		a->blocks = b->next;
		if (!keep && b->cap <= ARENA_KEEP)
			keep = b;
		else
			free(b);
	}
	if (keep) {
		keep->next = NULL;
		keep->used = 0;
	}
	a->blocks = keep;
	a->used = 0;
}
