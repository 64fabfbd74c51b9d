/*
 * JSON Schema 2020-12 and draft-07 (chosen by "$schema"; 2020-12 when absent), compiled once, evaluated without allocation beyond
 * a scratch buffer. `format` is asserted for the formats listed in docs/schema.md; `pattern` is PCRE2 in UTF mode with ECMA-262
 * habits and match limits; "$ref" reaches inside the document only (and into the published meta-schemas); nothing is ever fetched.
 * A schema may come from a hostile server: compile and evaluation are bounded, and whatever is not understood is an error, never
 * ignored.
 */
#pragma once

#include "parse/json.h"

struct schema; /* immutable once compiled but for its scratch: for one thread at a time */

/* What a schema, and one evaluation, may cost at most. */
enum {
	SCHEMA_NODES = 20000,          /* schemas within schemas, the documents that it refers to included */
	SCHEMA_RULES = 100000,         /* keywords that assert something */
	SCHEMA_NAMES = 4096,           /* "$id", "$anchor" and "$dynamicAnchor" together */
	SCHEMA_FOLLOWED = 50000000,    /* members passed on the way along all references together */
	SCHEMA_REGEXES = 1000,         /* different patterns */
	SCHEMA_REGEX_MEMORY = 4 << 20, /* bytes, all compiled patterns together */
	SCHEMA_MEMORY = 16 << 20,      /* bytes, all else that is kept */
	SCHEMA_STEPS = 2000000,        /* of one evaluation: a rule tried, a member looked at, a step of a pattern, 16 bytes read */
	SCHEMA_DEPTH = 1000,           /* of one evaluation: schemas entered and not left yet */
};

enum schema_draft { SCHEMA_2020_12, SCHEMA_DRAFT_07 };

struct schema_options {
	bool format_annotation_only; /* for the conformance suite: `format` asserts nothing */
	bool allow_unknown;          /* for the conformance suite: a keyword that the draft does not have is ignored, not refused */
	enum schema_draft draft;     /* of a document without "$schema" */
	/* Further documents that "$ref" may name, for the conformance suite; NULL for none. The result must outlive the compile. */
	const struct json *(*document)(void *ctx, struct slice uri);
	void *ctx;
};

struct schema_fault {
	char where[256]; /* JSON Pointer into the schema or the instance, printable, cut with "..." */
	char what[256];  /* one plain clause, printable: `keyword "x" is not supported`, `must be at most 5000` */
};

/*
 * Compiles `document` (which need not live on; what is needed is copied). 0 and *ret_schema (caller: schema_free), -EINVAL with
 * *fault, -ENOMEM. Unknown keywords are refused except annotations of the vocabulary ("title", "$comment", "examples", "x-..." and
 * the like). `options` and `fault` may be NULL.
 */
int schema_compile(const struct json *document, const struct schema_options *options, struct schema **ret_schema,
		   struct schema_fault *fault);

/*
 * 0 when `value` is valid; -EINVAL with the first violation in *fault; -E2BIG when the evaluation passed its step or match limit (a
 * refusal as well); -ENOMEM. `fault` may be NULL; it is filled for -E2BIG too.
 */
int schema_validate(const struct schema *schema, const struct json *value, struct schema_fault *fault);

void schema_free(struct schema *schema);

/* Bytes that a compiled schema keeps, give or take what malloc adds. */
size_t schema_memory(const struct schema *schema);
