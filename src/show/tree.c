#include "show/show.h"

#include <stdio.h>

enum {
	INDENT = 2,
	DEPTH_MOST = 12,              /* what is nested deeper is shown as one text of JSON */
	JSON_MOST = 64 * 1024 * 1024,
};

static bool is_container(const struct json *v)
{
	return (v->type == JSON_ARRAY || v->type == JSON_OBJECT) && v->count > 0;
}

static bool is_too_deep(const struct show *s, unsigned indent)
{
	return indent / INDENT >= DEPTH_MOST || (s->columns && indent + INDENT > s->columns / 4);
}

static int show_as_json(struct show *s, const struct json *value)
{
	cleanup_buf struct buf json = BUF_INIT(JSON_MOST);
	int r = json_write(&json, value);

	if (r == 0)
		r = show_words(s, "JSON ");
	return r == 0 ? show_string(s, buf_slice(&json)) : r;
}

static int show_scalar(struct show *s, const struct json *v)
{
	switch (v->type) {
	case JSON_STRING:
		return show_string(s, v->text);
	case JSON_NUMBER:
		return show_text(s, v->text);
	case JSON_NULL:
		return show_words(s, "null");
	case JSON_FALSE:
		return show_words(s, "false");
	case JSON_TRUE:
		return show_words(s, "true");
	case JSON_ARRAY:
		return show_words(s, "[]");
	case JSON_OBJECT:
	default:
		return show_words(s, "{}");
	}
}

static int show_member(struct show *s, unsigned indent, const struct json *container, uint32_t i)
{
	char number[32];
	int r = show_begin(s, indent);

	snprintf(number, sizeof(number), "[%u]", i);
	if (r == 0)
		r = container->type == JSON_OBJECT ? show_name(s, container->members[i].name) : show_words(s, number);
	if (r == 0)
		r = show_words(s, ":");
	return r == 0 ? show_value(s, indent, container->type == JSON_OBJECT ? &container->members[i].value : &container->items[i]) : r;
}

static int show_members(struct show *s, unsigned indent, const struct json *container)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < container->count; i++)
		r = show_member(s, indent, container, i);
	return r;
}

int show_value(struct show *s, unsigned indent, const struct json *value)
{
	bool nested = is_container(value) && !is_too_deep(s, indent);
	int r = nested ? 0 : show_words(s, " ");

	if (r == 0 && !nested)
		r = is_container(value) ? show_as_json(s, value) : show_scalar(s, value);
	if (r == 0)
		r = show_end(s);
	return r == 0 && nested ? show_members(s, indent + INDENT, value) : r;
}

int show_tree(struct show *s, unsigned indent, const struct json *value)
{
	int r;

	if (is_container(value))
		return show_members(s, indent, value);
	r = show_begin(s, indent);
	if (r == 0)
		r = show_scalar(s, value);
	return r == 0 ? show_end(s) : r;
}
