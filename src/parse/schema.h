/*
 * JSON Schema 2020-12 and draft-07 (chosen by "$schema"; 2020-12 when absent), compiled once, evaluated without allocation beyond
 * a scratch arena. `format` is asserted for the formats listed in docs/schema.md; `pattern` is PCRE2 in UTF mode with ECMA-262 habits and
 * match limits; "$ref" reaches inside the document only (and into the published meta-schemas); nothing is ever fetched.
 * A schema may come from a hostile server: compile and evaluation are bounded, and whatever is not understood is an error, never ignored.
 */
#pragma once

#include "parse/json.h"

struct schema; /* immutable once compiled */

struct schema_options {
	bool format_annotation_only; /* for the conformance suite: `format` asserts nothing */
	/* Further documents that "$ref" may name, for the conformance suite; NULL for none. The result must outlive the compile. */
	const struct json *(*document)(void *ctx, struct slice uri);
	void *ctx;
};

struct schema_fault {
	char where[256]; /* JSON Pointer into the schema or the instance, printable, cut with "..." */
	char what[256];  /* one plain clause, printable: `keyword "x" is not supported`, `must be at most 5000` */
};

/*
 * Compiles `document` (which need not live on; what is needed is copied). 0 and *ret_schema (caller: schema_free), -EINVAL with *fault,
 * -ENOMEM. Unknown keywords are refused except annotations of the vocabulary ("title", "$comment", "examples", "x-..." and the like).
 */
int schema_compile(const struct json *document, const struct schema_options *options, struct schema **ret_schema, struct schema_fault *fault);

/*
 * 0 when `value` is valid; -EINVAL with the first violation in *fault; -E2BIG when the evaluation passed its step or match limit (a refusal
 * as well); -ENOMEM. `fault` may be NULL.
 */
int schema_validate(const struct schema *schema, const struct json *value, struct schema_fault *fault);

void schema_free(struct schema *schema);
