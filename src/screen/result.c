#include "screen/result.h"

#include <errno.h>

#include "parse/fields.h"

/* The members of one type of content block that are handed on; the first `required` of them must be there. */
struct block_member {
	const char *name;
	enum json_type type;
};

enum { BLOCK_MEMBERS = 8 };

static const struct block_type {
	const char *type;
	size_t required;
	struct block_member members[BLOCK_MEMBERS];
} block_types[] = {
	{ "text", 1, { { "text", JSON_STRING }, { "annotations", JSON_OBJECT } } },
	{ "image", 2, { { "data", JSON_STRING }, { "mimeType", JSON_STRING }, { "annotations", JSON_OBJECT } } },
	{ "audio", 2, { { "data", JSON_STRING }, { "mimeType", JSON_STRING }, { "annotations", JSON_OBJECT } } },
	{ "resource", 1, { { "resource", JSON_OBJECT }, { "annotations", JSON_OBJECT } } },
	{ "resource_link", 2,
	  { { "uri", JSON_STRING }, { "name", JSON_STRING }, { "title", JSON_STRING }, { "description", JSON_STRING },
	    { "mimeType", JSON_STRING }, { "size", JSON_NUMBER }, { "annotations", JSON_OBJECT } } },
};

/* What stands in "resource": text or blob, and what it is. */
static const struct block_type embedded = {
	"", 1, { { "uri", JSON_STRING }, { "mimeType", JSON_STRING }, { "text", JSON_STRING }, { "blob", JSON_STRING } }
};

static const struct block_type annotations = {
	"", 0, { { "audience", JSON_ARRAY }, { "priority", JSON_NUMBER }, { "lastModified", JSON_STRING } }
};

/* Keeps the members that the type has, in the type's order. NULL, or why the object is not of that type. */
static const char *keep(struct arena *arena, const struct json *in, const struct block_type *type, struct json *out, unsigned *dropped)
{
	struct json_member *members = arena_array(arena, BLOCK_MEMBERS + 1, sizeof(*members));
	uint32_t count = 0;

	if (!members)
		return "out of memory";
	if (type->type[0])
		members[count++] = (struct json_member){ .name = SLICE("type"), .value = json_text(slice_str(type->type)) };
	for (size_t i = 0; i < BLOCK_MEMBERS && type->members[i].name; i++) {
		const struct block_member *m = &type->members[i];
		const struct json *v = json_get(in, slice_str(m->name));

		if (!v && i < type->required)
			return "a content block lacks a required member";
		if (!v)
			continue;
		if (v->type != m->type)
			return "a content block has a member of the wrong type";
		members[count++] = (struct json_member){ .name = slice_str(m->name), .value = *v };
	}
	*dropped += in->count - count;
	*out = (struct json){ .type = JSON_OBJECT, .count = count, .members = members };
	return NULL;
}

/* Applies keep to one member of an object that keep has made. */
static const char *keep_inside(struct arena *arena, struct json *object, const char *name, const struct block_type *type, unsigned *dropped)
{
	for (uint32_t i = 0; i < object->count; i++)
		if (slice_eq(object->members[i].name, slice_str(name))) {
			struct json inner = object->members[i].value;

			return keep(arena, &inner, type, &object->members[i].value, dropped);
		}
	return NULL;
}

static const char *screen_block(struct arena *arena, const struct json *in, struct json *out, unsigned *dropped)
{
	const struct json *type = json_get_type(in, SLICE("type"), JSON_STRING);
	const char *why;

	if (!type)
		return "a content block has no type";
	for (size_t i = 0; i < sizeof(block_types) / sizeof(block_types[0]); i++) {
		if (!slice_eq(type->text, slice_str(block_types[i].type)))
			continue;
		why = keep(arena, in, &block_types[i], out, dropped);
		if (!why)
			why = keep_inside(arena, out, "annotations", &annotations, dropped);
		if (!why && slice_eq(type->text, SLICE("resource")))
			why = keep_inside(arena, out, "resource", &embedded, dropped);
		return why;
	}
	return "a content block is of an unknown type";
}

static const char *screen_content(struct arena *arena, const struct json *in, struct json *out, unsigned *dropped)
{
	out->type = JSON_ARRAY;
	if (!in)
		return NULL;
	if (in->type != JSON_ARRAY)
		return "its content is not a list";
	out->items = arena_array(arena, in->count, sizeof(*out->items));
	if (!out->items)
		return "out of memory";
	for (; out->count < in->count; out->count++) {
		const char *why = screen_block(arena, &in->items[out->count], &out->items[out->count], dropped);

		if (why)
			return why;
	}
	return NULL;
}

static struct json mark(struct arena *arena, uint64_t entry)
{
	struct json_member *m = arena_array(arena, 2, sizeof(*m));

	if (!m)
		return (struct json){ .type = JSON_NULL };
	m[0] = (struct json_member){ .name = SLICE("bawn/entry"), .value = json_u64(arena, entry) };
	m[1] = (struct json_member){ .name = SLICE("bawn/integrity"), .value = json_text(SLICE("untrusted")) };
	return (struct json){ .type = JSON_OBJECT, .count = 2, .members = m };
}

int screen_result(struct arena *arena, const struct json *result, uint64_t entry, struct json *ret_result, struct screen_report *ret_report)
{
	const struct json *structured = json_get(result, SLICE("structuredContent")), *error = json_get(result, SLICE("isError"));
	struct json_member *members = arena_array(arena, 4, sizeof(*members));
	struct screen_report report = { .tool_error = json_is(error, JSON_TRUE) };
	struct json content = { 0 }, meta = mark(arena, entry);
	uint32_t count = 0, known = 0;

	if (!members || meta.type == JSON_NULL)
		return -ENOMEM;
	report.withheld = screen_content(arena, json_get(result, SLICE("content")), &content, &report.dropped);
	if (!report.withheld && error && !json_is_bool(error))
		report.withheld = "isError is not true or false";
	if (!report.withheld && structured && structured->type != JSON_OBJECT)
		report.withheld = "its structured content is not an object";
	known = (json_get(result, SLICE("content")) ? 1U : 0U) + (structured ? 1U : 0U) + (error ? 1U : 0U);
	report.dropped += result->count - known;
	*ret_report = report;
	if (report.withheld)
		return 0;
	members[count++] = (struct json_member){ .name = SLICE("_meta"), .value = meta };
	members[count++] = (struct json_member){ .name = SLICE("content"), .value = content };
	if (error)
		members[count++] = (struct json_member){ .name = SLICE("isError"), .value = *error };
	if (structured)
		members[count++] = (struct json_member){ .name = SLICE("structuredContent"), .value = *structured };
	*ret_result = (struct json){ .type = JSON_OBJECT, .count = count, .members = members };
	return 0;
}
