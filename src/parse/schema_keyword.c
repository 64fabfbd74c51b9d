#include <errno.h>

#include "parse/schema_compile.h"

#define BOTH .draft_07 = true, .draft_2020 = true
#define ONLY_2020 .draft_2020 = true
#define CORE .vocabulary = VOCABULARY_CORE
#define APPLICATOR .vocabulary = VOCABULARY_APPLICATOR
#define UNEVALUATED .vocabulary = VOCABULARY_UNEVALUATED
#define VALIDATION .vocabulary = VOCABULARY_VALIDATION
#define ANNOTATION .vocabulary = VOCABULARY_ANNOTATION

/*
 * Every keyword of both drafts. "definitions", "dependencies", "additionalItems" and arrays as "items" are draft-07's, and common in
 * documents that say 2020-12 or nothing: they keep their meaning there. "$defs" is read in draft-07 too, since it asserts nothing.
 */
static const struct keyword keywords[] = {
	{ "$schema", BOTH, CORE, .compile = check_string },
	{ "$id", BOTH, CORE, .compile = check_string },
	{ "$comment", BOTH, CORE, .compile = check_string },
	{ "$ref", BOTH, CORE, .compile = rule_ref },
	{ "$defs", BOTH, CORE, .shape = SHAPE_MAP },
	{ "definitions", BOTH, CORE, .shape = SHAPE_MAP },
	{ "$anchor", ONLY_2020, CORE, .compile = check_anchor },
	{ "$dynamicAnchor", ONLY_2020, CORE, .compile = check_anchor },
	{ "$dynamicRef", ONLY_2020, CORE, .compile = rule_dynamic_ref },
	{ "$vocabulary", ONLY_2020, CORE, .compile = check_vocabulary },

	{ "allOf", BOTH, APPLICATOR, .shape = SHAPE_SCHEMAS, .compile = rule_all_of },
	{ "anyOf", BOTH, APPLICATOR, .shape = SHAPE_SCHEMAS, .compile = rule_any_of },
	{ "oneOf", BOTH, APPLICATOR, .shape = SHAPE_SCHEMAS, .compile = rule_one_of },
	{ "not", BOTH, APPLICATOR, .shape = SHAPE_SCHEMA, .compile = rule_not },
	{ "if", BOTH, APPLICATOR, .shape = SHAPE_SCHEMA, .compile = rule_if },
	{ "then", BOTH, APPLICATOR, .shape = SHAPE_SCHEMA },
	{ "else", BOTH, APPLICATOR, .shape = SHAPE_SCHEMA },
	{ "dependentSchemas", ONLY_2020, APPLICATOR, .shape = SHAPE_MAP, .compile = rule_dependent_schemas },
	{ "dependencies", BOTH, APPLICATOR, .shape = SHAPE_DEPENDENCIES, .compile = rule_dependencies },
	{ "properties", BOTH, APPLICATOR, .shape = SHAPE_MAP, .compile = rule_properties },
	{ "patternProperties", BOTH, APPLICATOR, .shape = SHAPE_MAP, .compile = rule_pattern_properties },
	{ "additionalProperties", BOTH, APPLICATOR, .shape = SHAPE_SCHEMA, .compile = rule_additional_properties },
	{ "propertyNames", BOTH, APPLICATOR, .shape = SHAPE_SCHEMA, .compile = rule_property_names },
	{ "prefixItems", ONLY_2020, APPLICATOR, .shape = SHAPE_SCHEMAS, .compile = rule_prefix_items },
	{ "items", BOTH, APPLICATOR, .shape = SHAPE_ITEMS, .compile = rule_items },
	{ "additionalItems", BOTH, APPLICATOR, .shape = SHAPE_SCHEMA },
	{ "contains", BOTH, APPLICATOR, .shape = SHAPE_SCHEMA, .compile = rule_contains },
	{ "minContains", ONLY_2020, VALIDATION, .compile = rule_min_contains },
	{ "maxContains", ONLY_2020, VALIDATION, .compile = rule_max_contains },
	{ "unevaluatedItems", ONLY_2020, UNEVALUATED, .shape = SHAPE_SCHEMA, .compile = rule_unevaluated_items },
	{ "unevaluatedProperties", ONLY_2020, UNEVALUATED, .shape = SHAPE_SCHEMA, .compile = rule_unevaluated_properties },

	{ "type", BOTH, VALIDATION, .compile = rule_type },
	{ "const", BOTH, VALIDATION, .compile = rule_const },
	{ "enum", BOTH, VALIDATION, .compile = rule_enum },
	{ "multipleOf", BOTH, VALIDATION, .compile = rule_multiple_of },
	{ "maximum", BOTH, VALIDATION, .compile = rule_maximum },
	{ "exclusiveMaximum", BOTH, VALIDATION, .compile = rule_exclusive_maximum },
	{ "minimum", BOTH, VALIDATION, .compile = rule_minimum },
	{ "exclusiveMinimum", BOTH, VALIDATION, .compile = rule_exclusive_minimum },
	{ "maxLength", BOTH, VALIDATION, .compile = rule_max_length },
	{ "minLength", BOTH, VALIDATION, .compile = rule_min_length },
	{ "pattern", BOTH, VALIDATION, .compile = rule_pattern },
	{ "maxItems", BOTH, VALIDATION, .compile = rule_max_items },
	{ "minItems", BOTH, VALIDATION, .compile = rule_min_items },
	{ "uniqueItems", BOTH, VALIDATION, .compile = rule_unique_items },
	{ "maxProperties", BOTH, VALIDATION, .compile = rule_max_properties },
	{ "minProperties", BOTH, VALIDATION, .compile = rule_min_properties },
	{ "required", BOTH, VALIDATION, .compile = rule_required },
	{ "dependentRequired", ONLY_2020, VALIDATION, .compile = rule_dependent_required },
	{ "format", BOTH, .vocabulary = VOCABULARY_FORMAT, .compile = rule_format },

	{ "title", BOTH, ANNOTATION, .compile = check_string },
	{ "description", BOTH, ANNOTATION, .compile = check_string },
	{ "default", BOTH, ANNOTATION },
	{ "deprecated", BOTH, ANNOTATION, .compile = check_boolean },
	{ "readOnly", BOTH, ANNOTATION, .compile = check_boolean },
	{ "writeOnly", BOTH, ANNOTATION, .compile = check_boolean },
	{ "examples", BOTH, ANNOTATION, .compile = check_array },
	{ "contentEncoding", BOTH, ANNOTATION, .compile = check_string },
	{ "contentMediaType", BOTH, ANNOTATION, .compile = check_string },
	{ "contentSchema", ONLY_2020, ANNOTATION, .shape = SHAPE_SCHEMA },
};

/* Words of OpenAPI 3 that generators write into schemas, and that only describe. ("nullable" is not among them: it decides.) */
static const char *const annotations[] = { "discriminator", "example", "externalDocs", "xml" };

const struct keyword *keyword_find(struct slice name)
{
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (slice_eq(name, slice_str(keywords[i].name)))
			return &keywords[i];
	return NULL;
}

bool keyword_is_annotation(struct slice name)
{
	for (size_t i = 0; i < sizeof(annotations) / sizeof(annotations[0]); i++)
		if (slice_eq(name, slice_str(annotations[i])))
			return true;
	return slice_starts(name, SLICE("x-"));
}

static int compile_member(struct compiler *c, uint32_t place, const struct json_member *m)
{
	const struct keyword *k = keyword_find(m->name);
	const struct dialect *d = index_dialect(c, place);
	const char *shown;

	if (!k && keyword_is_annotation(m->name))
		return 0;
	if (k && (d->draft == SCHEMA_DRAFT_07 ? k->draft_07 : k->draft_2020) && (k->vocabulary & d->vocabularies))
		return k->compile ? k->compile(c, place, k->name, &m->value) : 0;
	if (c->options->allow_unknown)
		return 0;
	shown = compile_shown(c, m->name);
	if (!k)
		return compile_refuse(c, place, shown, "keyword \"%s\" is not supported", shown);
	if (d->draft == SCHEMA_DRAFT_07 && !k->draft_07)
		return compile_refuse(c, place, shown, "keyword \"%s\" is not part of draft-07", shown);
	return compile_refuse(c, place, shown, "keyword \"%s\" is of a vocabulary that the meta-schema leaves out", shown);
}

int keyword_compile(struct compiler *c, uint32_t place)
{
	const struct json *value = c->places[place].value;
	int r = 0;

	if (value->type != JSON_OBJECT)
		return 0;
	if (index_only_ref(c, place))
		return rule_ref(c, place, "$ref", json_get(value, SLICE("$ref")));
	for (uint32_t i = 0; i < value->count && r == 0; i++)
		r = compile_member(c, place, &value->members[i]);
	return r;
}

int check_string(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	return value->type == JSON_STRING ? 0 : compile_refuse(c, place, keyword, "must be a string");
}

int check_boolean(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	return json_is_bool(value) ? 0 : compile_refuse(c, place, keyword, "must be true or false");
}

int check_array(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	return value->type == JSON_ARRAY ? 0 : compile_refuse(c, place, keyword, "must be an array");
}

int check_anchor(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	const char *fault = "must be a name: a letter or _, then letters, digits, -, _ and .";
	char first;

	if (value->type != JSON_STRING || value->text.len == 0)
		return compile_refuse(c, place, keyword, "%s", fault);
	first = value->text.ptr[0];
	for (size_t i = 0; i < value->text.len; i++) {
		char b = value->text.ptr[i];

		if (!((b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || (b && strchr("-_.", b))))
			return compile_refuse(c, place, keyword, "%s", fault);
	}
	return (first >= '0' && first <= '9') || first == '-' || first == '.' ? compile_refuse(c, place, keyword, "%s", fault) : 0;
}

int check_vocabulary(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	return value->type == JSON_OBJECT ? 0 : compile_refuse(c, place, keyword, "must be an object");
}
