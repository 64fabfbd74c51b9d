#include "parse/schema_value.h"

#include <errno.h>

#include "parse/schema_number.h"

enum { VALUE_DEPTH = 512 };

static uint64_t mix(uint64_t h)
{
	h ^= h >> 33;
	h *= 0xFF51AFD7ED558CCDULL;
	h ^= h >> 33;
	h *= 0xC4CEB9FE1A85EC53ULL;
	return h ^ h >> 33;
}

static uint64_t hash_text(struct slice s)
{
	uint64_t h = 0xCBF29CE484222325ULL ^ s.len, word;
	size_t i = 0;

	for (; i + sizeof(word) <= s.len; i += sizeof(word)) {
		memcpy(&word, s.ptr + i, sizeof(word));
		h = (h ^ word) * 0x9FB21C651E98DF25ULL;
		h ^= h >> 32;
	}
	for (; i < s.len; i++)
		h = (h ^ (unsigned char)s.ptr[i]) * 0x100000001B3ULL;
	return mix(h);
}

static int hash_value(const struct json *value, unsigned depth, uint64_t *budget, uint64_t *ret_hash)
{
	uint64_t h = (uint64_t)value->type + 1, part;
	int r;

	if (depth > VALUE_DEPTH || !budget_take(budget, 1))
		return -E2BIG;
	switch (value->type) {
	case JSON_NULL:
	case JSON_FALSE:
	case JSON_TRUE:
		break;
	case JSON_NUMBER:
	case JSON_STRING:
		if (!budget_take(budget, value->text.len / 16))
			return -E2BIG;
		h ^= value->type == JSON_STRING ? hash_text(value->text) : number_hash(value->text);
		break;
	case JSON_ARRAY:
		for (uint32_t i = 0; i < value->count; i++) {
			r = hash_value(&value->items[i], depth + 1, budget, &part);
			if (r)
				return r;
			h = mix(h ^ part) + i;
		}
		break;
	case JSON_OBJECT:
		/* A sum, since the order of members does not count. */
		for (uint32_t i = 0; i < value->count; i++) {
			r = hash_value(&value->members[i].value, depth + 1, budget, &part);
			if (r || !budget_take(budget, value->members[i].name.len / 16))
				return -E2BIG;
			h += mix(part ^ hash_text(value->members[i].name));
		}
		break;
	}
	*ret_hash = mix(h);
	return 0;
}

int value_hash(const struct json *value, uint64_t *budget, uint64_t *ret_hash)
{
	return hash_value(value, 0, budget, ret_hash);
}

static int equal(const struct json *a, const struct json *b, unsigned depth, uint64_t *budget);

/* The member of that name; the one at `guess` is looked at first, since most writers keep their order. */
static int find_member(const struct json *object, struct slice name, uint32_t guess, uint64_t *budget,
		       const struct json **ret_value)
{
	if (slice_eq(object->members[guess].name, name)) {
		*ret_value = &object->members[guess].value;
		return 0;
	}
	if (!budget_take(budget, 1 + object->count / 4))
		return -E2BIG;
	*ret_value = json_get(object, name);
	return 0;
}

static int equal_members(const struct json *a, const struct json *b, unsigned depth, uint64_t *budget)
{
	for (uint32_t i = 0; i < a->count; i++) {
		const struct json *other;
		int r = find_member(b, a->members[i].name, i, budget, &other);

		if (r || !other)
			return r;
		r = equal(&a->members[i].value, other, depth + 1, budget);
		if (r != 1)
			return r;
	}
	return 1;
}

static int equal_items(const struct json *a, const struct json *b, unsigned depth, uint64_t *budget)
{
	for (uint32_t i = 0; i < a->count; i++) {
		int r = equal(&a->items[i], &b->items[i], depth + 1, budget);

		if (r != 1)
			return r;
	}
	return 1;
}

static int equal(const struct json *a, const struct json *b, unsigned depth, uint64_t *budget)
{
	if (depth > VALUE_DEPTH || !budget_take(budget, 1))
		return -E2BIG;
	if (a->type != b->type)
		return 0;
	switch (a->type) {
	case JSON_NULL:
	case JSON_FALSE:
	case JSON_TRUE:
		return 1;
	case JSON_NUMBER:
		if (!budget_take(budget, (a->text.len + b->text.len) / 16))
			return -E2BIG;
		return json_number_cmp(a->text, b->text) == 0;
	case JSON_STRING:
		if (a->text.len != b->text.len)
			return 0;
		return budget_take(budget, a->text.len / 64) ? slice_eq(a->text, b->text) : -E2BIG;
	case JSON_ARRAY:
		return a->count == b->count ? equal_items(a, b, depth, budget) : 0;
	case JSON_OBJECT:
		return a->count == b->count ? equal_members(a, b, depth, budget) : 0;
	}
	return 0;
}

int value_equal(const struct json *a, const struct json *b, uint64_t *budget)
{
	return equal(a, b, 0, budget);
}

static int copy(struct arena *arena, const struct json *value, unsigned depth, struct json *ret_copy)
{
	struct json c = { .type = value->type, .count = value->count };
	int r = 0;

	if (depth > VALUE_DEPTH)
		return -E2BIG;
	if (value->type == JSON_NUMBER || value->type == JSON_STRING) {
		c.text = arena_copy(arena, value->text);
		r = c.text.ptr ? 0 : -ENOMEM;
	} else if (value->type == JSON_ARRAY) {
		c.items = arena_array(arena, value->count, sizeof(*c.items));
		if (!c.items)
			return -ENOMEM;
		for (uint32_t i = 0; i < value->count && r == 0; i++)
			r = copy(arena, &value->items[i], depth + 1, &c.items[i]);
	} else if (value->type == JSON_OBJECT) {
		c.members = arena_array(arena, value->count, sizeof(*c.members));
		if (!c.members)
			return -ENOMEM;
		for (uint32_t i = 0; i < value->count && r == 0; i++) {
			c.members[i].name = arena_copy(arena, value->members[i].name);
			r = c.members[i].name.ptr ? copy(arena, &value->members[i].value, depth + 1, &c.members[i].value) : -ENOMEM;
		}
	}
	if (r == 0)
		*ret_copy = c;
	return r;
}

int value_copy(struct arena *arena, const struct json *value, struct json *ret_copy)
{
	return copy(arena, value, 0, ret_copy);
}
