#include "policy/reading.h"

#include <errno.h>
#include <string.h>

enum {
	SAFE_LENGTH = 15, /* so many digits survive a double */
	DOUBLE_LENGTH = 64,
};

/* 1 when it was copied changed, 0 when it is the same. */
static int read_value(struct arena *arena, const struct json *in, struct json *out, unsigned depth);

static int read_number(struct arena *arena, const struct json *in, struct json *out)
{
	char room[DOUBLE_LENGTH];
	struct buf text = { .ptr = room, .cap = sizeof(room), .max = sizeof(room) };
	int r;

	if (in->text.len <= SAFE_LENGTH && !memchr(in->text.ptr, 'e', in->text.len) && !memchr(in->text.ptr, 'E', in->text.len))
		return 0;
	r = json_write_double(&text, json_double(in));
	if (r < 0)
		return r;
	if (json_number_cmp(in->text, buf_slice(&text)) == 0)
		return 0;
	out->text = arena_copy(arena, buf_slice(&text));
	return out->text.ptr ? 1 : -ENOMEM;
}

static int read_string(const struct json *in, struct json *out)
{
	const char *nul = in->text.len ? memchr(in->text.ptr, '\0', in->text.len) : NULL;

	if (nul)
		out->text.len = (size_t)(nul - in->text.ptr);
	return nul != NULL;
}

static int read_items(struct arena *arena, const struct json *in, struct json *out, unsigned depth)
{
	struct json *copy = NULL;

	for (uint32_t i = 0; i < in->count; i++) {
		struct json item = in->items[i];
		int r = read_value(arena, &in->items[i], &item, depth);

		if (r < 0)
			return r;
		if (r == 0)
			continue;
		if (!copy) {
			copy = arena_array(arena, in->count, sizeof(*copy));
			if (!copy)
				return -ENOMEM;
			memcpy(copy, in->items, in->count * sizeof(*copy));
			out->items = copy;
		}
		copy[i] = item;
	}
	return copy != NULL;
}

static int read_members(struct arena *arena, const struct json *in, struct json *out, unsigned depth)
{
	struct json_member *copy = NULL;

	for (uint32_t i = 0; i < in->count; i++) {
		const struct json_member *m = &in->members[i];
		struct json value = m->value;
		int r = m->name.len && memchr(m->name.ptr, '\0', m->name.len) ? -EINVAL : read_value(arena, &m->value, &value, depth);

		if (r < 0)
			return r;
		if (r == 0)
			continue;
		if (!copy) {
			copy = arena_array(arena, in->count, sizeof(*copy));
			if (!copy)
				return -ENOMEM;
			memcpy(copy, in->members, in->count * sizeof(*copy));
			out->members = copy;
		}
		copy[i].value = value;
	}
	return copy != NULL;
}

static int read_value(struct arena *arena, const struct json *in, struct json *out, unsigned depth)
{
	switch (in->type) {
	case JSON_NULL:
	case JSON_FALSE:
	case JSON_TRUE:
		return 0;
	case JSON_NUMBER:
		return read_number(arena, in, out);
	case JSON_STRING:
		return read_string(in, out);
	case JSON_ARRAY:
		return depth < JSON_DEPTH_MAX ? read_items(arena, in, out, depth + 1) : -EMSGSIZE;
	case JSON_OBJECT:
		return depth < JSON_DEPTH_MAX ? read_members(arena, in, out, depth + 1) : -EMSGSIZE;
	}
	return -EINVAL;
}

int reading_other(struct arena *arena, const struct json *args, struct json *ret_other)
{
	struct json other = *args;
	int r = read_value(arena, args, &other, 0);

	if (r > 0)
		*ret_other = other;
	return r;
}
