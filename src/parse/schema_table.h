/* A hash table from names (each in a numbered scope) or from addresses to numbers; for compile time, its memory is an arena's. */
#pragma once

#include <stdint.h>

#include "base/arena.h"

struct table_slot {
	const void *address; /* for a name: NULL */
	struct slice name;
	uint32_t scope, value;
	bool used;
};

struct table {
	struct arena *arena;
	struct table_slot *slots;
	size_t count, mask;
};

#define TABLE_NONE UINT32_MAX

/* The number, or TABLE_NONE. */
uint32_t table_find(const struct table *t, uint32_t scope, struct slice name);
uint32_t table_find_address(const struct table *t, const void *address);

/* Adds what is not there yet (the name stays borrowed). 0, -EEXIST, -ENOMEM. */
int table_add(struct table *t, uint32_t scope, struct slice name, uint32_t value);
int table_add_address(struct table *t, const void *address, uint32_t value);
