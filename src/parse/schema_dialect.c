#include <errno.h>

#include "parse/schema_compile.h"

enum { VOCABULARY_ALL = (1 << 6) - 1 };

#define VOCABULARY_BASE "https://json-schema.org/draft/2020-12/vocab/"

const struct dialect dialect_default[] = {
	[SCHEMA_2020_12] = { .draft = SCHEMA_2020_12, .vocabularies = VOCABULARY_ALL, .format_asserts = true },
	[SCHEMA_DRAFT_07] = { .draft = SCHEMA_DRAFT_07, .vocabularies = VOCABULARY_ALL, .format_asserts = true },
};

static const struct {
	const char *name;
	unsigned bits;
} vocabularies[] = {
	{ "core", VOCABULARY_CORE },
	{ "applicator", VOCABULARY_APPLICATOR },
	{ "unevaluated", VOCABULARY_UNEVALUATED },
	{ "validation", VOCABULARY_VALIDATION },
	{ "meta-data", VOCABULARY_ANNOTATION },
	{ "content", VOCABULARY_ANNOTATION },
	{ "format-annotation", VOCABULARY_FORMAT },
	{ "format-assertion", VOCABULARY_FORMAT },
};

static struct dialect standard(const struct compiler *c, enum schema_draft draft)
{
	struct dialect d = dialect_default[draft];

	d.format_asserts = !c->options->format_annotation_only;
	return d;
}

static unsigned vocabulary_bits(struct slice uri, bool *asserts)
{
	if (!slice_starts(uri, SLICE(VOCABULARY_BASE)))
		return 0;
	uri = slice_of(uri.ptr + strlen(VOCABULARY_BASE), uri.len - strlen(VOCABULARY_BASE));
	*asserts |= slice_eq(uri, SLICE("format-assertion"));
	for (size_t i = 0; i < sizeof(vocabularies) / sizeof(vocabularies[0]); i++)
		if (slice_eq(uri, slice_str(vocabularies[i].name)))
			return vocabularies[i].bits;
	return 0;
}

/* A meta-schema of somebody's own, made of the vocabularies of 2020-12. */
static int custom(struct compiler *c, uint32_t place, const struct json *meta, struct dialect *ret_dialect)
{
	const struct json *base = json_get_type(meta, SLICE("$schema"), JSON_STRING);
	const struct json *listed = json_get_type(meta, SLICE("$vocabulary"), JSON_OBJECT);
	struct dialect d = standard(c, SCHEMA_2020_12);

	if (!base || !slice_eq(base->text, SLICE("https://json-schema.org/draft/2020-12/schema")))
		return compile_refuse(c, place, "$schema", "names a meta-schema that is not of draft 2020-12");
	if (listed)
		d.vocabularies = VOCABULARY_CORE;
	for (uint32_t i = 0; listed && i < listed->count; i++) {
		unsigned bits = vocabulary_bits(listed->members[i].name, &d.format_asserts);

		if (!bits && listed->members[i].value.type == JSON_TRUE)
			return compile_refuse(c, place, "$schema", "needs the vocabulary \"%s\", which is not supported",
					      compile_shown(c, listed->members[i].name));
		d.vocabularies |= bits;
	}
	*ret_dialect = d;
	return 0;
}

int dialect_of(struct compiler *c, uint32_t place, struct slice uri, struct dialect *ret_dialect)
{
	const struct json *meta;

	if (uri.len && uri.ptr[uri.len - 1] == '#')
		uri.len--;
	if (slice_eq(uri, SLICE("https://json-schema.org/draft/2020-12/schema"))) {
		*ret_dialect = standard(c, SCHEMA_2020_12);
		return 0;
	}
	if (slice_eq(uri, SLICE("http://json-schema.org/draft-07/schema")) ||
	    slice_eq(uri, SLICE("https://json-schema.org/draft-07/schema"))) {
		*ret_dialect = standard(c, SCHEMA_DRAFT_07);
		return 0;
	}
	meta = c->options->document ? c->options->document(c->options->ctx, uri) : NULL;
	if (meta)
		return custom(c, place, meta, ret_dialect);
	return compile_refuse(c, place, "$schema", "\"%s\" is not supported: draft 2020-12 and draft-07 are",
			      compile_shown(c, uri));
}
