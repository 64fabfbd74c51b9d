/*
 * An arena: many small allocations that end together, one arena for each request. It is made with its maximum;
 * an allocation that would pass it gives NULL. Memory is zeroed and aligned for any type.
 */
#pragma once

#include "base/slice.h"

struct arena_block;

struct arena {
	struct arena_block *blocks; /* newest first */
	size_t used;                /* bytes handed out, rounding included */
	size_t max;
};

#define ARENA_INIT(maximum) ((struct arena){ .max = (maximum) })

/* Zeroed memory, valid until arena_free or arena_clear; NULL when the maximum or the memory is reached. */
void *arena_alloc(struct arena *a, size_t size);

/* As arena_alloc for `count` items of `size` bytes; NULL also when the product overflows. */
void *arena_array(struct arena *a, size_t count, size_t size);

/* A copy of `s`; its ptr is NULL on failure (and only then, also for an empty slice). */
struct slice arena_copy(struct arena *a, struct slice s);

/* A NUL-terminated copy of `s`, NULL on failure. The caller has made sure that `s` holds no NUL. */
char *arena_cstr(struct arena *a, struct slice s);

/* Formatted text, NUL-terminated, NULL on failure. */
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Ends every allocation. arena_clear keeps one block, so that the next request costs no malloc. */
void arena_free(struct arena *a);
void arena_clear(struct arena *a);

#define cleanup_arena __attribute__((cleanup(arena_free)))
