#include "parse/schema_table.h"

#include <errno.h>

static size_t hash_name(uint32_t scope, struct slice name)
{
	uint64_t h = 0xCBF29CE484222325ULL ^ scope;

	for (size_t i = 0; i < name.len; i++)
		h = (h ^ (unsigned char)name.ptr[i]) * 0x100000001B3ULL;
	return (size_t)(h ^ h >> 29);
}

static size_t hash_address(const void *address)
{
	uint64_t h = (uint64_t)(uintptr_t)address * 0x9E3779B97F4A7C15ULL;

	return (size_t)(h >> 20);
}

static size_t hash_slot(const struct table_slot *s)
{
	return s->address ? hash_address(s->address) : hash_name(s->scope, s->name);
}

static bool same(const struct table_slot *a, const struct table_slot *b)
{
	return a->address == b->address && a->scope == b->scope && slice_eq(a->name, b->name);
}

static struct table_slot *seek(const struct table *t, const struct table_slot *wanted)
{
	size_t at = hash_slot(wanted) & t->mask;

	while (t->slots[at].used && !same(&t->slots[at], wanted))
		at = (at + 1) & t->mask;
	return &t->slots[at];
}

static uint32_t find(const struct table *t, const struct table_slot *wanted)
{
	const struct table_slot *s = t->slots ? seek(t, wanted) : NULL;

	return s && s->used ? s->value : TABLE_NONE;
}

static int grow(struct table *t)
{
	struct table bigger = { .arena = t->arena, .mask = t->slots ? t->mask * 2 + 1 : 63, .count = t->count };

	bigger.slots = arena_array(t->arena, bigger.mask + 1, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; t->slots && i <= t->mask; i++)
		if (t->slots[i].used)
			*seek(&bigger, &t->slots[i]) = t->slots[i];
	*t = bigger;
	return 0;
}

static int add(struct table *t, struct table_slot slot)
{
	struct table_slot *s;

	if ((!t->slots || t->count * 2 > t->mask) && grow(t))
		return -ENOMEM;
	s = seek(t, &slot);
	if (s->used)
		return -EEXIST;
	*s = slot;
	t->count++;
	return 0;
}

uint32_t table_find(const struct table *t, uint32_t scope, struct slice name)
{
	return find(t, &(struct table_slot){ .scope = scope, .name = name });
}

uint32_t table_find_address(const struct table *t, const void *address)
{
	return find(t, &(struct table_slot){ .address = address });
}

int table_add(struct table *t, uint32_t scope, struct slice name, uint32_t value)
{
	return add(t, (struct table_slot){ .scope = scope, .name = name, .value = value, .used = true });
}

int table_add_address(struct table *t, const void *address, uint32_t value)
{
	return add(t, (struct table_slot){ .address = address, .value = value, .used = true });
}
