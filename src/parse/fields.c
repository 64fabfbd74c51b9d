#include "parse/fields.h"

#include <inttypes.h>

#include "base/text.h"

struct json json_u64(struct arena *arena, uint64_t n)
{
	char *text = arena_printf(arena, "%" PRIu64, n);

	return text ? (struct json){ .type = JSON_NUMBER, .text = slice_str(text) } : (struct json){ .type = JSON_NULL };
}

void fields_json(struct fields *f, const char *name, struct json value)
{
	if (f->count == FIELDS_MAX) {
		f->failed = true;
		return;
	}
	f->members[f->count++] = (struct json_member){ .name = slice_str(name), .value = value };
}

void fields_text(struct fields *f, const char *name, struct slice text)
{
	/* Half a character here would be a malformed message further on. */
	if (!utf8_valid(text))
		f->failed = true;
	else if (text.len)
		fields_json(f, name, json_text(text));
}

void fields_u64(struct fields *f, const char *name, uint64_t n)
{
	struct json value = json_u64(f->arena, n);

	if (value.type == JSON_NULL)
		f->failed = true;
	fields_json(f, name, value);
}

void fields_bool(struct fields *f, const char *name, bool value)
{
	fields_json(f, name, (struct json){ .type = value ? JSON_TRUE : JSON_FALSE });
}

struct json fields_object(struct fields *f)
{
	return (struct json){ .type = JSON_OBJECT, .count = f->count, .members = f->members };
}
