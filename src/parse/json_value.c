/* Looking things up in a tree, and whether two trees are equal. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "parse/json_inner.h"

const struct json_limits json_limits_default = { .bytes = 16 << 20, .depth = 64, .items = 1000000 };

const char *json_error_text(enum json_error error)
{
	static const char *const texts[] = {
		[JSON_OK] = "no error",
		[JSON_SYNTAX] = "this is not JSON",
		[JSON_UTF8] = "text that is not well-formed UTF-8, a byte order mark, or half of a surrogate pair",
		[JSON_DUPLICATE] = "a member name appears twice",
		[JSON_DEPTH] = "arrays and objects are nested too deeply",
		[JSON_ITEMS] = "too many values",
		[JSON_BYTES] = "the input is too long",
		[JSON_RANGE] = "a number is too large or too long",
		[JSON_MEMORY] = "no memory is left for it",
	};
	size_t i = (size_t)error;

	return i < sizeof(texts) / sizeof(*texts) ? texts[i] : "unknown error";
}

const struct json *json_get(const struct json *object, struct slice name)
{
	if (!json_is(object, JSON_OBJECT))
		return NULL;
	for (uint32_t i = 0; i < object->count; i++) {
		if (slice_eq(object->members[i].name, name))
			return &object->members[i].value;
	}
	return NULL;
}

const struct json *json_get_type(const struct json *object, struct slice name, enum json_type type)
{
	const struct json *v = json_get(object, name);

	return json_is(v, type) ? v : NULL;
}

int json_name_cmp16(struct slice a, struct slice b)
{
	size_t n = a.len < b.len ? a.len : b.len, i = 0;
	unsigned char x, y;

	while (i < n && a.ptr[i] == b.ptr[i])
		i++;
	if (i == n)
		return (a.len > b.len) - (a.len < b.len);
	x = (unsigned char)a.ptr[i];
	y = (unsigned char)b.ptr[i];
	/*
	 * Bytes order as code points do. Code units differ in one place: U+10000 and above (lead byte f0 or more) are surrogates,
	 * which come before U+E000..U+FFFF (lead byte ee or ef).
	 */
	if ((x >= 0xf0) != (y >= 0xf0) && (x >= 0xf0 ? y : x) >= 0xee)
		return x >= 0xf0 ? -1 : 1;
	return x - y;
}

/* Names are sorted by a hash, so that most comparisons are of two integers; made-up collisions only cost those of bytes. */
struct key {
	uint64_t hash;
	const struct json_member *member;
};

static uint64_t hash_name(struct slice s)
{
	uint64_t hash = s.len, word;

	for (size_t at = 0; at < s.len; at += sizeof(word)) {
		size_t left = s.len - at;

		word = 0;
		memcpy(&word, s.ptr + at, left < sizeof(word) ? left : sizeof(word));
		hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	return hash;
}

static int key_cmp(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return slice_cmp(x->member->name, y->member->name);
}

static struct key *sorted_keys(const struct json_member *members, size_t count)
{
	struct key *keys = calloc(count, sizeof(*keys));

	if (!keys)
		return NULL;
	for (size_t i = 0; i < count; i++)
		keys[i] = (struct key){ hash_name(members[i].name), &members[i] };
	qsort(keys, count, sizeof(*keys), key_cmp);
	return keys;
}

static int few_repeat(const struct json_member *members, size_t count, size_t *ret_index)
{
	for (size_t i = 1; i < count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (slice_eq(members[i].name, members[j].name)) {
				*ret_index = i;
				return 1;
			}
		}
	}
	return 0;
}

int json_names_repeat(const struct json_member *members, size_t count, size_t *ret_index)
{
	cleanup_free struct key *keys = NULL;
	const struct json_member *first = NULL;

	if (count <= FEW_MEMBERS)
		return few_repeat(members, count, ret_index);
	keys = sorted_keys(members, count);
	if (!keys)
		return -ENOMEM;
	/* The earliest repetition in the order of the source, whatever the order of the hashes. */
	for (size_t i = 1; i < count; i++) {
		const struct json_member *a = keys[i - 1].member, *b = keys[i].member;

		if (keys[i - 1].hash == keys[i].hash && slice_eq(a->name, b->name)) {
			const struct json_member *later = a > b ? a : b;

			if (!first || later < first)
				first = later;
		}
	}
	if (first)
		*ret_index = (size_t)(first - members);
	return first != NULL;
}

static bool equal(const struct json *a, const struct json *b, unsigned depth);

static bool members_equal_in_order(const struct json *a, const struct json *b, unsigned depth)
{
	for (uint32_t i = 0; i < a->count; i++) {
		if (!equal(&a->members[i].value, &b->members[i].value, depth))
			return false;
	}
	return true;
}

static bool same_order(const struct json *a, const struct json *b)
{
	for (uint32_t i = 0; i < a->count; i++) {
		if (!slice_eq(a->members[i].name, b->members[i].name))
			return false;
	}
	return true;
}

/* Names in an object differ, so equally many of which each is found makes the same set. */
static bool members_equal_by_search(const struct json *a, const struct json *b, unsigned depth)
{
	for (uint32_t i = 0; i < a->count; i++) {
		const struct json *other = json_get(b, a->members[i].name);

		if (!other || !equal(&a->members[i].value, other, depth))
			return false;
	}
	return true;
}

static bool objects_equal(const struct json *a, const struct json *b, unsigned depth)
{
	cleanup_free struct key *x = NULL, *y = NULL;

	if (a->count != b->count)
		return false;
	if (same_order(a, b))
		return members_equal_in_order(a, b, depth);
	if (a->count > FEW_MEMBERS) {
		x = sorted_keys(a->members, a->count);
		y = sorted_keys(b->members, b->count);
	}
	/* Without memory the answer is the same, only slower. */
	if (!x || !y)
		return members_equal_by_search(a, b, depth);
	for (uint32_t i = 0; i < a->count; i++) {
		if (key_cmp(&x[i], &y[i]) != 0)
			return false;
	}
	for (uint32_t i = 0; i < a->count; i++) {
		if (!equal(&x[i].member->value, &y[i].member->value, depth))
			return false;
	}
	return true;
}

static bool arrays_equal(const struct json *a, const struct json *b, unsigned depth)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++) {
		if (!equal(&a->items[i], &b->items[i], depth))
			return false;
	}
	return true;
}

static bool equal(const struct json *a, const struct json *b, unsigned depth)
{
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case JSON_NULL:
	case JSON_FALSE:
	case JSON_TRUE:
		return true;
	case JSON_NUMBER:
		return json_number_cmp(a->text, b->text) == 0;
	case JSON_STRING:
		return slice_eq(a->text, b->text);
	case JSON_ARRAY:
		return depth < JSON_DEPTH_MAX && arrays_equal(a, b, depth + 1);
	case JSON_OBJECT:
		return depth < JSON_DEPTH_MAX && objects_equal(a, b, depth + 1);
	}
	return false;
}

bool json_equal(const struct json *a, const struct json *b)
{
	return equal(a, b, 0);
}
