/*
 * The packed form. Each value is one byte, its enum json_type, followed by:
 *   number, string: length, bytes
 *   array:          count, that many values
 *   object:         count, that many of: name's length, name's bytes, value
 * Lengths and counts are 32 bits, least significant byte first. Order and number text are kept as they are.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>

#include "base/text.h"
#include "parse/json_inner.h"

enum {
	LEAST_ITEM = 1,                      /* bytes that any value takes */
	LEAST_MEMBER = sizeof(uint32_t) + 1, /* bytes that any member takes */
	FIRST_OPEN = 16                      /* nested containers without an allocation */
};

static int pack_u32(struct buf *out, size_t n)
{
	uint32_t little = htole32((uint32_t)n);

	return n > UINT32_MAX ? -EMSGSIZE : buf_add(out, &little, sizeof(little));
}

static int pack_text(struct buf *out, struct slice s)
{
	int r = pack_u32(out, s.len);

	return r < 0 ? r : buf_add_slice(out, s);
}

static int pack_value(struct buf *out, const struct json *v, unsigned depth);

static int pack_items(struct buf *out, const struct json *array, unsigned depth)
{
	int r = pack_u32(out, array->count);

	for (uint32_t i = 0; r == 0 && i < array->count; i++)
		r = pack_value(out, &array->items[i], depth);
	return r;
}

static int pack_members(struct buf *out, const struct json *object, unsigned depth)
{
	int r = pack_u32(out, object->count);

	for (uint32_t i = 0; r == 0 && i < object->count; i++) {
		r = pack_text(out, object->members[i].name);
		if (r == 0)
			r = pack_value(out, &object->members[i].value, depth);
	}
	return r;
}

static int pack_value(struct buf *out, const struct json *v, unsigned depth)
{
	int r = buf_add_char(out, (char)v->type);

	if (r < 0)
		return r;
	switch (v->type) {
	case JSON_NULL:
	case JSON_FALSE:
	case JSON_TRUE:
		return 0;
	case JSON_NUMBER:
	case JSON_STRING:
		return pack_text(out, v->text);
	case JSON_ARRAY:
		return depth < JSON_DEPTH_MAX ? pack_items(out, v, depth + 1) : -EMSGSIZE;
	case JSON_OBJECT:
		return depth < JSON_DEPTH_MAX ? pack_members(out, v, depth + 1) : -EMSGSIZE;
	}
	return -EMSGSIZE;
}

int json_pack(struct buf *out, const struct json *value)
{
	size_t start = out->len;
	int r = pack_value(out, value, 0);

	if (r < 0)
		out->len = start;
	return r;
}

/* A container whose children are being read. */
struct opened {
	struct json *container;
	uint32_t next; /* child */
};

struct unpacker {
	struct arena *arena;
	const struct json_limits *limits;
	const char *at, *end;
	struct opened *open; /* `first`, or from malloc */
	size_t depth, cap;
	size_t items;
	struct opened first[FIRST_OPEN];
};

static size_t left(const struct unpacker *u)
{
	return (size_t)(u->end - u->at);
}

static int unpack_u32(struct unpacker *u, uint32_t *ret_n)
{
	uint32_t little;

	if (left(u) < sizeof(little))
		return -EBADMSG;
	memcpy(&little, u->at, sizeof(little));
	u->at += sizeof(little);
	*ret_n = le32toh(little);
	return 0;
}

static int unpack_bytes(struct unpacker *u, struct slice *ret_s)
{
	uint32_t len;
	int r = unpack_u32(u, &len);

	if (r < 0)
		return r;
	if (len > left(u))
		return -EBADMSG;
	*ret_s = slice_of(u->at, len);
	u->at += len;
	return 0;
}

static int unpack_string(struct unpacker *u, struct slice *ret_s)
{
	struct slice s;
	int r = unpack_bytes(u, &s);

	if (r < 0)
		return r;
	if (!utf8_valid(s))
		return -EBADMSG;
	*ret_s = s;
	return 0;
}

static int unpack_number(struct unpacker *u, struct slice *ret_text)
{
	struct slice text;
	int r = unpack_bytes(u, &text);

	if (r < 0)
		return r;
	if (json_number_check(text) != JSON_OK)
		return -EBADMSG;
	*ret_text = text;
	return 0;
}

static int push(struct unpacker *u, struct json *container)
{
	if (u->depth == u->cap) {
		struct opened *more = realloc(u->open == u->first ? NULL : u->open, 2 * u->cap * sizeof(*more));

		if (!more)
			return -ENOMEM;
		if (u->open == u->first)
			memcpy(more, u->first, sizeof(u->first));
		u->open = more;
		u->cap *= 2;
	}
	u->open[u->depth++] = (struct opened){ .container = container };
	return 0;
}

/* Room for all children at once. Each takes at least `least` bytes of what is left, so a lie about the count reserves little. */
static int unpack_container(struct unpacker *u, struct json *v, size_t least, size_t size)
{
	uint32_t count;
	int r = unpack_u32(u, &count);

	if (r < 0)
		return r;
	if (u->depth >= u->limits->depth || u->depth >= JSON_DEPTH_MAX || count > left(u) / least ||
	    count > u->limits->items - u->items)
		return -EBADMSG;
	u->items += count;
	v->count = count;
	if (count == 0)
		return 0;
	/* `items` and `members` share their storage. */
	v->items = arena_array(u->arena, count, size);
	return v->items ? push(u, v) : -ENOMEM;
}

static int unpack_value(struct unpacker *u, struct json *v)
{
	if (u->at == u->end)
		return -EBADMSG;
	switch (*u->at++) {
	case JSON_NULL:
		v->type = JSON_NULL;
		return 0;
	case JSON_FALSE:
		v->type = JSON_FALSE;
		return 0;
	case JSON_TRUE:
		v->type = JSON_TRUE;
		return 0;
	case JSON_NUMBER:
		v->type = JSON_NUMBER;
		return unpack_number(u, &v->text);
	case JSON_STRING:
		v->type = JSON_STRING;
		return unpack_string(u, &v->text);
	case JSON_ARRAY:
		v->type = JSON_ARRAY;
		return unpack_container(u, v, LEAST_ITEM, sizeof(struct json));
	case JSON_OBJECT:
		v->type = JSON_OBJECT;
		return unpack_container(u, v, LEAST_MEMBER, sizeof(struct json_member));
	default:
		return -EBADMSG;
	}
}

/* The next child of the innermost open container, or its end. */
static int unpack_step(struct unpacker *u)
{
	struct opened *o = &u->open[u->depth - 1];
	struct json *c = o->container;
	size_t index;
	int r;

	if (o->next == c->count) {
		u->depth--;
		if (c->type == JSON_ARRAY)
			return 0;
		r = json_names_repeat(c->members, c->count, &index);
		return r > 0 ? -EBADMSG : r;
	}
	index = o->next++;
	if (c->type == JSON_ARRAY)
		return unpack_value(u, &c->items[index]);
	r = unpack_string(u, &c->members[index].name);
	return r < 0 ? r : unpack_value(u, &c->members[index].value);
}

int json_unpack(struct arena *arena, struct slice packed, const struct json_limits *limits, struct json *ret_value)
{
	struct unpacker u = { .arena = arena, .limits = limits, .items = 1, .cap = FIRST_OPEN };
	struct slice copy;
	struct json v = { 0 };
	int r;

	if (packed.len > limits->bytes || limits->items < 1)
		return -EBADMSG;
	copy = arena_copy(arena, packed);
	if (!copy.ptr)
		return -ENOMEM;
	u.at = copy.ptr;
	u.end = copy.ptr + copy.len;
	u.open = u.first;
	r = unpack_value(&u, &v);
	while (r == 0 && u.depth > 0)
		r = unpack_step(&u);
	if (r == 0 && u.at != u.end)
		r = -EBADMSG;
	if (u.open != u.first)
		free(u.open);
	if (r == 0)
		*ret_value = v;
	return r;
}
