/* schema: what each keyword takes and refuses, with its text; what a schema may not be. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/text.h"
#include "schema_tools.h"

struct take {
	const char *schema, *value;
	const char *where, *what; /* NULL where it is valid */
};

static void check(const struct take *t)
{
	struct schema_fault fault = { 0 };
	struct schema *schema = NULL;
	int r = compile(slice_str(t->schema), NULL, &schema, &fault);

	if (r)
		fail_msg("%s: refused: %s: %s", t->schema, fault.where, fault.what);
	r = validate(schema, slice_str(t->value), &fault);
	assert_int_equal(validate(schema, slice_str(t->value), NULL), r);
	schema_free(schema);
	if (!t->what && r)
		fail_msg("%s: %s: refused: %s: %s", t->schema, t->value, fault.where, fault.what);
	if (t->what && r == 0)
		fail_msg("%s: %s: taken", t->schema, t->value);
	if (t->what) {
		assert_int_equal(r, -EINVAL);
		assert_string_equal(fault.what, t->what);
		assert_string_equal(fault.where, t->where);
	}
}

#define CHECK_ALL(table) \
	for (size_t i = 0; i < sizeof(table) / sizeof((table)[0]); i++) \
	check(&(table)[i])

static void scalars(void **state)
{
	static const struct take takes[] = {
		{ "{\"type\":\"string\"}", "\"a\"", NULL, NULL },
		{ "{\"type\":\"string\"}", "5", "", "must be a string, not a number" },
		{ "{\"type\":[\"string\",\"null\"]}", "[]", "", "must be a string or null, not an array" },
		{ "{\"type\":[\"string\",\"boolean\",\"null\"]}", "{}", "", "must be a string, true or false or null, not an object" },
		{ "{\"type\":\"boolean\"}", "false", NULL, NULL },
		{ "{\"type\":\"integer\"}", "5.0", NULL, NULL },
		{ "{\"type\":\"integer\"}", "50e-1", NULL, NULL },
		{ "{\"type\":\"integer\"}", "123456789012345678901234567890", NULL, NULL },
		{ "{\"type\":\"integer\"}", "5.5", "", "must be an integer" },
		{ "{\"type\":\"integer\"}", "1e-400", "", "must be an integer" },
		{ "{\"const\":{\"a\":[1.0,2]}}", "{\"a\":[1,2e0]}", NULL, NULL },
		{ "{\"const\":\"a\"}", "\"b\"", "", "must be \"a\"" },
		{ "{\"const\":false}", "0", "", "must be false" },
		{ "{\"enum\":[\"a\",1,null]}", "1.0", NULL, NULL },
		{ "{\"enum\":[\"a\",1,null]}", "2", "", "must be one of \"a\", 1, null" },
		{ "{\"enum\":[]}", "2", "", "has no value that would be right" },
		{ "{\"maximum\":5000}", "5000", NULL, NULL },
		{ "{\"maximum\":5000}", "5000.0000000000000000000001", "", "must be at most 5000" },
		{ "{\"minimum\":1}", "0.9", "", "must be at least 1" },
		{ "{\"exclusiveMinimum\":1}", "1.0", "", "must be more than 1" },
		{ "{\"exclusiveMaximum\":9007199254740993}", "9007199254740992", NULL, NULL },
		{ "{\"exclusiveMaximum\":9007199254740993}", "9007199254740993", "", "must be less than 9007199254740993" },
		{ "{\"multipleOf\":0.1}", "0.3", NULL, NULL },
		{ "{\"multipleOf\":0.1}", "1e300", NULL, NULL },
		{ "{\"multipleOf\":0.01}", "4.35", NULL, NULL },
		{ "{\"multipleOf\":0.1}", "0.35", "", "must be a multiple of 0.1" },
		{ "{\"multipleOf\":0.3}", "1e300", "", "must be a multiple of 0.3" },
		{ "{\"multipleOf\":1e-300}", "1e300", NULL, NULL },
		{ "{\"multipleOf\":1e-300}", "1e-301", "", "must be a multiple of 1e-300" },
		{ "{\"multipleOf\":7}", "0", NULL, NULL },
		{ "{\"multipleOf\":7}", "-700000000000000000000000000000000000000000", NULL, NULL },
		{ "{\"multipleOf\":2}", "1e-400", "", "must be a multiple of 2" },
		{ "{\"multipleOf\":1e-400}", "3", NULL, NULL },
		{ "{\"maxLength\":2}", "\"\xf0\x9f\x92\xa9\xf0\x9f\x92\xa9\"", NULL, NULL },
		{ "{\"maxLength\":2}", "\"abc\"", "", "must have at most 2 characters" },
		{ "{\"minLength\":2.0}", "\"\xf0\x9f\x92\xa9\"", "", "must have at least 2 characters" },
		{ "{\"minLength\":1}", "\"\"", "", "must have at least 1 character" },
		{ "{\"maxLength\":1e300}", "\"abc\"", NULL, NULL },
		{ "{\"pattern\":\"^a+$\"}", "\"aa\"", NULL, NULL },
		{ "{\"pattern\":\"^a+$\"}", "\"ab\"", "", "must match ^a+$" },
		{ "{\"pattern\":\"^\\\\d+\\\\.md$\"}", "\"ab\"", "", "must match ^\\d+\\.md$" },
		{ "{\"pattern\":\"^\\u0001\\\\\\\\\"}", "\"ab\"", "", "must match ^\\x01\\\\" },
		{ "{\"format\":\"date\"}", "\"2024-02-30\"", "", "must be a date (RFC 3339)" },
		{ "{\"format\":\"email\"}", "\"a@example.com\"", NULL, NULL },
		{ "{\"format\":\"nobody-s\"}", "\"2024-02-30\"", NULL, NULL },
		{ "false", "1", "", "is not allowed here" },
		{ "true", "1", NULL, NULL },
	};

	(void)state;
	CHECK_ALL(takes);
}

static void containers(void **state)
{
	static const struct take takes[] = {
		{ "{\"properties\":{\"a\":{\"type\":\"string\"}}}", "{\"a\":1}", "/a", "must be a string, not a number" },
		{ "{\"properties\":{\"a\":{\"items\":{\"maximum\":3}}}}", "{\"a\":[1,9]}", "/a/1", "must be at most 3" },
		{ "{\"properties\":{\"a/~b\":{\"maximum\":3}}}", "{\"a/~b\":9}", "/a~1~0b", "must be at most 3" },
		{ "{\"properties\":{\"a\":true},\"additionalProperties\":false}", "{\"a\":1,\"x\":2}", "", "must not have the member \"x\"" },
		{ "{\"additionalProperties\":{\"type\":\"null\"}}", "{\"x\":2}", "/x", "must be null, not a number" },
		{ "{\"patternProperties\":{\"^x-\":{\"type\":\"null\"}},\"additionalProperties\":false}", "{\"x-a\":null}", NULL, NULL },
		{ "{\"patternProperties\":{\"^x-\":{\"type\":\"null\"}}}", "{\"x-a\":1}", "/x-a", "must be null, not a number" },
		{ "{\"required\":[\"path\"]}", "{\"p\":1}", "", "must have the member \"path\"" },
		{ "{\"required\":[\"b\",\"a\",\"b\"]}", "{\"a\":1,\"b\":1}", NULL, NULL },
		{ "{\"required\":[\"zz\",\"a\"]}", "{}", "", "must have the member \"zz\"" },
		{ "{\"additionalProperties\":false}",
		  "{\"a\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"
		  "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\":1}",
		  "",
		  "must not have the member \"a\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
		  "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9...\"" },
		{ "{\"minProperties\":2}", "{\"a\":1}", "", "must have at least 2 members" },
		{ "{\"maxProperties\":1}", "{\"a\":1,\"b\":2}", "", "must have at most 1 member" },
		{ "{\"propertyNames\":{\"maxLength\":1}}", "{\"ab\":1}", "/ab", "has a name that must have at most 1 character" },
		{ "{\"propertyNames\":false}", "{\"ab\":1}", "", "must not have the member \"ab\"" },
		{ "{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1}", "", "must have the member \"b\"" },
		{ "{\"dependentSchemas\":{\"a\":{\"maxProperties\":1}}}", "{\"a\":1,\"b\":2}", "", "must have at most 1 member" },
		{ "{\"dependencies\":{\"a\":[\"b\"],\"b\":{\"maxProperties\":2}}}", "{\"a\":1}", "", "must have the member \"b\"" },
		{ "{\"prefixItems\":[{\"type\":\"null\"}],\"items\":{\"type\":\"string\"}}", "[null,1]", "/1", "must be a string, not a number" },
		{ "{\"prefixItems\":[true],\"items\":false}", "[1,2]", "", "must have at most 1 item" },
		{ "{\"items\":[true,true],\"additionalItems\":false}", "[1,2,3]", "", "must have at most 2 items" },
		{ "{\"minItems\":1}", "[]", "", "must have at least 1 item" },
		{ "{\"maxItems\":1}", "[1,2]", "", "must have at most 1 item" },
		{ "{\"uniqueItems\":true}", "[1,{\"a\":1,\"b\":2},{\"b\":2.0,\"a\":1}]", "",
		  "must have no item twice, but items 1 and 2 are equal" },
		{ "{\"uniqueItems\":true}", "[1,true,0,false,\"1\",null,[],{},[1],[true]]", NULL, NULL },
		{ "{\"contains\":{\"const\":1}}", "[2]", "", "must have at least 1 item of the kind that \"contains\" describes" },
		{ "{\"contains\":{\"const\":1},\"maxContains\":1}", "[1,1]", "",
		  "must have at most 1 item of the kind that \"contains\" describes" },
		{ "{\"contains\":{\"const\":1},\"minContains\":0}", "[2]", NULL, NULL },
		{ "{\"properties\":{\"a\":true},\"unevaluatedProperties\":false}", "{\"a\":1,\"b\":2}", "", "must not have the member \"b\"" },
		{ "{\"anyOf\":[{\"properties\":{\"a\":true}},{\"properties\":{\"b\":true},\"required\":[\"b\"]}],\"unevaluatedProperties\":false}",
		  "{\"a\":1,\"b\":2}", NULL, NULL },
		{ "{\"anyOf\":[{\"properties\":{\"a\":true}},{\"properties\":{\"c\":true},\"required\":[\"b\",\"d\"]}],\"unevaluatedProperties\":false}",
		  "{\"a\":1,\"c\":2}", "", "must not have the member \"c\"" },
		{ "{\"prefixItems\":[true],\"unevaluatedItems\":{\"type\":\"null\"}}", "[1,2]", "/1", "must be null, not a number" },
		{ "{\"contains\":{\"const\":1},\"unevaluatedItems\":false}", "[1,2]", "/1", "is not allowed here" },
	};

	(void)state;
	CHECK_ALL(takes);
}

static void alternatives(void **state)
{
	static const struct take takes[] = {
		{ "{\"allOf\":[{\"minimum\":1},{\"maximum\":2}]}", "3", "", "must be at most 2" },
		{ "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}", "3", "", "must be a string or null" },
		{ "{\"anyOf\":[{\"const\":\"a\"},{\"const\":\"b\"}]}", "\"c\"", "", "is none of the values that are allowed here" },
		{ "{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"object\",\"required\":[\"a\"]}]}", "{}", "", "must have the member \"a\"" },
		{ "{\"oneOf\":[{\"properties\":{\"t\":{\"const\":\"x\"},\"v\":{\"type\":\"string\"}}},"
		  "{\"properties\":{\"t\":{\"const\":\"y\"},\"v\":{\"type\":\"number\"}}}]}",
		  "{\"t\":\"y\",\"v\":\"z\"}", "/v", "must be a number, not a string" },
		{ "{\"oneOf\":[{\"minimum\":1},{\"maximum\":2}]}", "1", "", "fits more than one alternative where exactly one must fit" },
		{ "{\"oneOf\":[{\"minimum\":1},{\"maximum\":2}]}", "3", NULL, NULL },
		{ "{\"not\":{\"type\":\"null\"}}", "null", "", "must not be what \"not\" describes" },
		{ "{\"if\":{\"type\":\"string\"},\"then\":{\"minLength\":1},\"else\":{\"minimum\":1}}", "\"\"", "",
		  "must have at least 1 character" },
		{ "{\"if\":{\"type\":\"string\"},\"then\":{\"minLength\":1},\"else\":{\"minimum\":1}}", "0", "", "must be at least 1" },
		{ "{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"type\":\"null\"}},\"maximum\":1}", "null", NULL, NULL },
		{ "{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"minimum\":0}},\"maximum\":1}", "2", "", "must be at most 1" },
		{ "{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"$ref\":\"#/definitions/a\",\"definitions\":{\"a\":{\"minimum\":0}},"
		  "\"maximum\":1}",
		  "2", NULL, NULL },
		{ "{\"$ref\":\"#b\",\"$defs\":{\"a\":{\"$anchor\":\"b\",\"minimum\":0}}}", "-1", "", "must be at least 0" },
		{ "{\"properties\":{\"a\":{\"$ref\":\"#\"}},\"additionalProperties\":false}", "{\"a\":{\"a\":{\"b\":1}}}", "/a/a",
		  "must not have the member \"b\"" },
		{ "{\"$ref\":\"http://json-schema.org/draft-07/schema#\"}", "{\"minLength\":-1}", "/minLength", "must be at least 0" },
		{ "{\"$ref\":\"https://json-schema.org/draft/2020-12/schema\"}", "{\"properties\":{\"a\":{\"type\":\"strin\"}}}",
		  "/properties/a/type", "must be one of \"array\", \"boolean\", \"integer\", \"null\", \"number\", \"object\", \"string\"" },
		{ "{\"$ref\":\"https://json-schema.org/draft/2020-12/schema\"}", "{\"pattern\":\"(?>a)\"}", "/pattern",
		  "must be a regular expression (ECMA-262)" },
		{ "{\"type\":\"object\",\"x-order\":1,\"discriminator\":{},\"title\":\"t\",\"default\":5,\"examples\":[1]}", "{}", NULL, NULL },
	};

	(void)state;
	CHECK_ALL(takes);
}

struct refusal {
	const char *schema, *where, *what;
};

static void refused_schemas(void **state)
{
	static const struct refusal refusals[] = {
		{ "5", "", "must be a schema (an object, true or false)" },
		{ "{\"nullable\":true}", "/nullable", "keyword \"nullable\" is not supported" },
		{ "{\"properties\":{\"a\":{\"maxlength\":1}}}", "/properties/a/maxlength", "keyword \"maxlength\" is not supported" },
		{ "{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"unevaluatedProperties\":false}", "/unevaluatedProperties",
		  "keyword \"unevaluatedProperties\" is not part of draft-07" },
		{ "{\"$schema\":\"http://json-schema.org/draft-04/schema#\"}", "/$schema",
		  "\"http://json-schema.org/draft-04/schema\" is not supported: draft 2020-12 and draft-07 are" },
		{ "{\"$ref\":\"https://example.com/a.json\"}", "/$ref",
		  "leads to \"https://example.com/a.json\", which is not in this document, and nothing is fetched" },
		{ "{\"$ref\":\"#/$defs/a\"}", "/$ref", "leads to \"#/$defs/a\", where there is no schema" },
		{ "{\"$ref\":\"#a\"}", "/$ref", "leads to \"#a\", where there is no schema" },
		{ "{\"$ref\":\"#/%zz\"}", "/$ref", "is not a URI reference" },
		{ "{\"$ref\":\"#\"}", "", "applies itself to the same value again, without end" },
		{ "{\"properties\":{\"a\":{\"allOf\":[{\"$ref\":\"#/properties/a\"}]}}}", "/properties/a/allOf/0",
		  "applies itself to the same value again, without end" },
		{ "{\"type\":\"text\"}", "/type",
		  "must be one or several of \"null\", \"boolean\", \"integer\", \"number\", \"string\", \"array\", \"object\"" },
		{ "{\"required\":true}", "/required", "must be an array of names" },
		{ "{\"exclusiveMinimum\":true}", "/exclusiveMinimum", "must be a number" },
		{ "{\"multipleOf\":0}", "/multipleOf", "must be more than 0" },
		{ "{\"multipleOf\":1234567890123456789.5}", "/multipleOf", "must have at most 18 significant digits" },
		{ "{\"minLength\":-1}", "/minLength", "must be an integer of 0 or more" },
		{ "{\"minLength\":1.5}", "/minLength", "must be an integer of 0 or more" },
		{ "{\"anyOf\":[]}", "/anyOf", "must hold a schema" },
		{ "{\"anyOf\":{}}", "/anyOf", "must be an array of schemas" },
		{ "{\"anyOf\":[1]}", "/anyOf", "must have schemas (objects, true or false) as its items" },
		{ "{\"not\":1}", "/not", "must be a schema (an object, true or false)" },
		{ "{\"properties\":{\"a\":1}}", "/properties", "must have a schema (an object, true or false) as \"a\"" },
		{ "{\"format\":\"idn-hostname\"}", "/format", "\"idn-hostname\" is not supported" },
		{ "{\"pattern\":\"(?>a)\"}", "/pattern", "pattern \"(?>a)\" has a group that ECMA-262 does not know" },
		{ "{\"patternProperties\":{\"(\":true}}", "/patternProperties", "pattern \"(\" has a group that is never closed" },
		{ "{\"pattern\":\"(?<=a+)b\"}", "/pattern", "pattern \"(?<=a+)b\" cannot be run: lookbehind assertion is not fixed length" },
		{ "{\"items\":{\"$id\":\"https://a.example/\"},\"not\":{\"$id\":\"https://a.example/\"}}", "/not/$id",
		  "is the name of another schema already" },
		{ "{\"prefixItems\":[true],\"items\":[true]}", "/items", "must be one schema beside \"prefixItems\"" },
		{ "{\"title\":1}", "/title", "must be a string" },
		{ "{\"allOf\":[{\"$anchor\":\"a\"},{\"$anchor\":\"a\"}]}", "/allOf/1/$anchor", "is the name of another schema already" },
		{ "{\"$ref\":\"#/x-~2\",\"x-/\":{}}", "/$ref", "leads to \"#/x-~2\", where there is no schema" },
		{ "{\"$ref\":\"#/x-~\",\"x-/\":{}}", "/$ref", "leads to \"#/x-~\", where there is no schema" },
		{ "{\"$ref\":\"#/default\",\"default\":5}", "/$ref", "leads to \"#/default\", where there is no schema" },
		{ "{\"$ref\":\"#/%ff\"}", "/$ref", "is not a URI reference" },
		{ "{\"$id\":\"https://a.example/#b\"}", "/$id", "must have no fragment" },
		{ "{\"not\":{\"$schema\":\"http://json-schema.org/draft-07/schema#\"}}", "/not/$schema",
		  "changes the draft inside a schema that has no \"$id\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct schema_fault fault = { 0 };
		struct schema *schema = NULL;

		if (compile(slice_str(refusals[i].schema), NULL, &schema, &fault) != -EINVAL)
			fail_msg("%s: taken", refusals[i].schema);
		assert_null(schema);
		assert_string_equal(fault.what, refusals[i].what);
		assert_string_equal(fault.where, refusals[i].where);
	}
}

/* A meta-schema of somebody's own, which only a caller that hands out documents can have. */
static const struct json *own_meta(void *ctx, struct slice uri)
{
	return slice_eq(uri, SLICE("https://m.example/meta")) ? ctx : NULL;
}

static int with_meta(const char *vocabularies, const char *schema_text, struct schema_fault *fault)
{
	cleanup_arena struct arena a = ARENA_INIT(ROOM);
	cleanup_buf struct buf text = BUF_INIT(4096);
	struct schema_options options = { .document = own_meta };
	struct schema *schema = NULL;
	struct json meta, document = parse(&a, slice_str(schema_text));
	int r;

	assert_int_equal(buf_printf(&text, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"$vocabulary\":{%s}}", vocabularies),
			 0);
	meta = parse(&a, buf_slice(&text));
	options.ctx = &meta;
	*fault = (struct schema_fault){ 0 };
	r = schema_compile(&document, &options, &schema, fault);
	schema_free(schema);
	return r;
}

static void dialects(void **state)
{
	static const char applicator[] = "\"https://json-schema.org/draft/2020-12/vocab/applicator\":true";
	static const char wanted[] = "\"https://v.example/v\":true", offered[] = "\"https://v.example/v\":false";
	static const char schema[] = "{\"$schema\":\"https://m.example/meta\",\"not\":{}}";
	struct schema_fault fault;

	(void)state;
	assert_int_equal(with_meta(applicator, schema, &fault), 0);
	assert_int_equal(with_meta(offered, "{\"$schema\":\"https://m.example/meta\"}", &fault), 0);
	assert_int_equal(with_meta(wanted, schema, &fault), -EINVAL);
	assert_string_equal(fault.what, "needs the vocabulary \"https://v.example/v\", which is not supported");
	assert_int_equal(with_meta(applicator, "{\"$schema\":\"https://m.example/meta\",\"minimum\":1}", &fault), -EINVAL);
	assert_string_equal(fault.what, "keyword \"minimum\" is of a vocabulary that the meta-schema leaves out");
}

/* Every text that comes back is printable, whatever the names were, and no longer than its field. */
static void texts_are_printable(void **state)
{
	static const char *const schemas[] = {
		"{\"\\u001b[31m\\u202e\":1}", "{\"pattern\":\"(\\u0007\"}", "{\"$ref\":\"#\\u202e\"}",
		"{\"properties\":{\"\\n\":{\"minLength\":-1}}}", "{\"$schema\":\"\\u0000\"}",
	};
	cleanup_buf struct buf value = BUF_INIT(1 << 16);
	struct schema_fault fault;
	struct schema *schema = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++) {
		assert_int_equal(compile(slice_str(schemas[i]), NULL, &schema, &fault), -EINVAL);
		for (const char *p = fault.what; *p; p++)
			assert_true((unsigned char)*p >= ' ' && (unsigned char)*p < 0x7F);
		for (const char *p = fault.where; *p; p++)
			assert_true((unsigned char)*p >= ' ' && (unsigned char)*p < 0x7F);
	}
	assert_int_equal(compile(SLICE("{\"additionalProperties\":{\"$ref\":\"#\"},\"type\":\"object\"}"), NULL, &schema, &fault), 0);
	repeat(&value, "", "{\"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\":", 50, "1");
	repeat(&value, "", "}", 50, "");
	assert_int_equal(validate(schema, buf_slice(&value), &fault), -EINVAL);
	assert_true(strlen(fault.where) < sizeof(fault.where) && utf8_valid(slice_str(fault.where)));
	assert_string_equal(fault.where + strlen(fault.where) - 3, "...");
	schema_free(schema);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scalars),
		cmocka_unit_test(containers),
		cmocka_unit_test(alternatives),
		cmocka_unit_test(refused_schemas),
		cmocka_unit_test(dialects),
		cmocka_unit_test(texts_are_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
