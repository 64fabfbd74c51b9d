/* Builds one flat JSON object, member by member, for the record and for status. Errors are kept and told once, at the end. */
#pragma once

#include "parse/json.h"

enum { FIELDS_MAX = 32 };

struct fields {
	struct arena *arena; /* holds number texts; names and slices given in stay borrowed */
	struct json_member members[FIELDS_MAX];
	uint32_t count;
	bool failed; /* too many members, a text that is not UTF-8, or no memory */
};

#define FIELDS_INIT(in_arena) ((struct fields){ .arena = (in_arena) })

/* `name` is a string literal. fields_text leaves an empty text out. */
void fields_text(struct fields *f, const char *name, struct slice text);
void fields_u64(struct fields *f, const char *name, uint64_t n);
void fields_bool(struct fields *f, const char *name, bool value);
void fields_json(struct fields *f, const char *name, struct json value);

/* The object, borrowing from `f`. */
struct json fields_object(struct fields *f);

/* A string value over `text`. */
static inline struct json json_text(struct slice text)
{
	return (struct json){ .type = JSON_STRING, .text = text };
}

/* A number value, its digits in `arena`; JSON_NULL when there is no memory. */
struct json json_u64(struct arena *arena, uint64_t n);
