/* What the tests of schemas share: texts made into schemas and values, and long texts made of short ones. cmocka.h comes before it. */
#pragma once

#include "parse/schema.h"

enum { ROOM = 512 << 20 };

/* More than strangers get, so that the limits of schemas are met and not those of JSON. */
static const struct json_limits wide = { .bytes = 64 << 20, .depth = 1000, .items = 4000000 };

static inline struct json parse(struct arena *a, struct slice text)
{
	struct json v;

	assert_int_equal(json_parse(a, text, &wide, &v, NULL), JSON_OK);
	return v;
}

static inline int compile(struct slice text, const struct schema_options *options, struct schema **ret_schema, struct schema_fault *fault)
{
	cleanup_arena struct arena a = ARENA_INIT(ROOM);
	struct json document = parse(&a, text);

	return schema_compile(&document, options, ret_schema, fault);
}

static inline int validate(const struct schema *schema, struct slice text, struct schema_fault *fault)
{
	cleanup_arena struct arena a = ARENA_INIT(ROOM);
	struct json value = parse(&a, text);

	return schema_validate(schema, &value, fault);
}

/* "before", `n` times "again" with every @ a running number, "after" */
static inline void repeat(struct buf *out, const char *before, const char *again, unsigned n, const char *after)
{
	assert_int_equal(buf_add_str(out, before), 0);
	for (unsigned i = 0; i < n; i++)
		for (const char *p = again; *p; p++)
			assert_int_equal(*p == '@' ? buf_add_u64(out, i) : buf_add_char(out, *p), 0);
	assert_int_equal(buf_add_str(out, after), 0);
}

static inline int outcome(struct slice schema_text, struct slice value)
{
	struct schema_fault fault = { 0 };
	struct schema *schema = NULL;
	int r = compile(schema_text, NULL, &schema, &fault);

	assert_int_equal(r, 0);
	r = validate(schema, value, &fault);
	schema_free(schema);
	assert_true(r == 0 || fault.what[0] != '\0');
	return r;
}
