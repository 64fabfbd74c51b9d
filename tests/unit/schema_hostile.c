/* schema_hostile: schemas and values made to cost too much. Each ends by a count, so the results are exact and no clock is needed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "parse/schema_value.h"
#include "schema_tools.h"

static void hostile_patterns(void **state)
{
	static const char *const patterns[] = {
		"{\"pattern\":\"^(a+)+$\"}",	     "{\"pattern\":\"(a|aa)+$\"}",	 "{\"pattern\":\"(.*a){20}[bc]\"}",
		"{\"pattern\":\"(a*)*\\\\1[bc]\"}", "{\"pattern\":\"(?=(a*)*b)a*[bc]\"}", "{\"pattern\":\"(x+x+)+y|(a*a*)*[bc]\"}",
		"{\"pattern\":\"a{1000}a*[bc]\"}",  "{\"pattern\":\"a*?a*?a*?[bc]\"}",
	};
	cleanup_buf struct buf value = BUF_INIT(2 << 20);

	(void)state;
	repeat(&value, "\"", "aaaaaaaaaa", 20000, "!\"");
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		if (outcome(slice_str(patterns[i]), buf_slice(&value)) != -E2BIG)
			fail_msg("%s ended", patterns[i]);
	/* Linear ones pass however long the string is; a repeated group remembers each round, so that it needs memory as well. */
	assert_int_equal(outcome(SLICE("{\"pattern\":\"^[a-z]+!$\"}"), buf_slice(&value)), 0);
	buf_clear(&value);
	repeat(&value, "\"", "aaaaaaaaaa", 2000, "!\"");
	assert_int_equal(outcome(SLICE("{\"pattern\":\"^(?:a|b)+!$\"}"), buf_slice(&value)), 0);
}

static void hostile_sizes(void **state)
{
	cleanup_buf struct buf a = BUF_INIT(16 << 20), b = BUF_INIT(16 << 20), c = BUF_INIT(16 << 20), d = BUF_INIT(16 << 20);
	struct schema_fault fault = { 0 };
	struct schema *schema = NULL;

	(void)state;
	/* 100,000 alternatives are more schemas than one may have. */
	repeat(&a, "{\"anyOf\":[{\"type\":\"null\"}", ",{\"const\":@}", 100000, "]}");
	assert_int_equal(compile(buf_slice(&a), NULL, &schema, &fault), -EINVAL);
	assert_string_equal(fault.what, "is too large: more than 20000 schemas within schemas");
	/* An enum of 200,000 values is found in by hash. */
	repeat(&b, "{\"enum\":[null", ",\"v@\"", 200000, "]}");
	assert_int_equal(outcome(buf_slice(&b), SLICE("\"v199999\"")), 0);
	assert_int_equal(outcome(buf_slice(&b), SLICE("\"v\"")), -EINVAL);
	/* So are doubles among 100,000 items. */
	repeat(&c, "[-1", ",@", 100000, "]");
	assert_int_equal(outcome(SLICE("{\"uniqueItems\":true}"), buf_slice(&c)), 0);
	repeat(&d, "[77", ",@", 100000, "]");
	assert_int_equal(outcome(SLICE("{\"uniqueItems\":true}"), buf_slice(&d)), -EINVAL);
}

static void hostile_depth(void **state)
{
	cleanup_buf struct buf schema = BUF_INIT(1 << 20), value = BUF_INIT(1 << 20);

	(void)state;
	repeat(&schema, "", "{\"anyOf\":[{\"type\":\"null\"},", 150, "true");
	repeat(&schema, "", "]}", 150, "");
	assert_int_equal(outcome(buf_slice(&schema), SLICE("1")), 0);
	/* Every array is gone through twice, and so is each in it: the work doubles with each level. */
	repeat(&value, "", "[", 60, "");
	repeat(&value, "", "]", 60, "");
	assert_int_equal(outcome(SLICE("{\"allOf\":[{\"items\":{\"$ref\":\"#\"}},{\"items\":{\"$ref\":\"#\"}}]}"), buf_slice(&value)), -E2BIG);
}

/* A dynamic reference makes a circle that only evaluation can see. */
static void dynamic_circle(void **state)
{
	(void)state;
	assert_int_equal(outcome(SLICE("{\"$dynamicAnchor\":\"a\",\"$dynamicRef\":\"#a\"}"), SLICE("1")), -E2BIG);
}

static void hostile_references(void **state)
{
	cleanup_buf struct buf chain = BUF_INIT(1 << 20), many = BUF_INIT(4 << 20), names = BUF_INIT(4 << 20);
	struct schema_fault fault = { 0 };
	struct schema *schema = NULL;

	(void)state;
	/* Each of 5,000 definitions leads to the next: no circle, but deeper than evaluation goes. */
	assert_int_equal(buf_add_str(&chain, "{\"$ref\":\"#/$defs/d0\",\"$defs\":{"), 0);
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(buf_printf(&chain, "\"d%u\":{\"$ref\":\"#/$defs/d%u\"},", i, i + 1), 0);
	assert_int_equal(buf_add_str(&chain, "\"d5000\":{\"type\":\"null\"}}}"), 0);
	assert_int_equal(outcome(buf_slice(&chain), SLICE("null")), -E2BIG);
	/* Each of 40 definitions applies the next one twice. */
	assert_int_equal(buf_add_str(&many, "{\"$ref\":\"#/$defs/d0\",\"$defs\":{"), 0);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(buf_printf(&many, "\"d%u\":{\"allOf\":[{\"$ref\":\"#/$defs/d%u\"},{\"$ref\":\"#/$defs/d%u\"}]},", i, i + 1,
					    i + 1), 0);
	assert_int_equal(buf_add_str(&many, "\"d40\":{\"type\":\"null\"}}}"), 0);
	assert_int_equal(outcome(buf_slice(&many), SLICE("null")), -E2BIG);
	repeat(&names, "{\"$defs\":{\"d\":true", ",\"d@\":{\"$anchor\":\"a@\"}", 5000, "}}");
	assert_int_equal(compile(buf_slice(&names), NULL, &schema, &fault), -EINVAL);
	assert_non_null(strstr(fault.what, "names for schemas"));
}

static void hostile_members(void **state)
{
	cleanup_buf struct buf schema = BUF_INIT(4 << 20), value = BUF_INIT(4 << 20), patterns = BUF_INIT(4 << 20);
	struct schema_fault fault = { 0 };
	struct schema *compiled = NULL;

	(void)state;
	repeat(&schema, "{\"required\":[\"a\"", ",\"m@\"", 50000, "]}");
	repeat(&value, "{\"a\":1", ",\"m@\":1", 50000, "}");
	assert_int_equal(outcome(buf_slice(&schema), buf_slice(&value)), 0);
	repeat(&patterns, "{\"patternProperties\":{\"a\":true", ",\"^(?:a|b@)*$\":true", 900, "}}");
	assert_int_equal(outcome(buf_slice(&patterns), buf_slice(&value)), -E2BIG);
	buf_clear(&patterns);
	repeat(&patterns, "{\"patternProperties\":{\"a\":true", ",\"b@\":true", 1000, "}}");
	assert_int_equal(compile(buf_slice(&patterns), NULL, &compiled, &fault), -EINVAL);
	assert_non_null(strstr(fault.what, "one pattern too many"));
}

/* Thousands of references through one object of thousands of members, and thousands of patterns as values. */
static void hostile_walks(void **state)
{
	cleanup_buf struct buf text = BUF_INIT(16 << 20);
	struct schema_fault fault = { 0 };
	struct schema *schema = NULL;

	(void)state;
	repeat(&text, "{\"default\":{\"z\":1", ",\"m@\":true", 50000, "},\"allOf\":[true");
	repeat(&text, "", ",{\"$ref\":\"#/default/m@\"}", 2000, "]}");
	assert_int_equal(compile(buf_slice(&text), NULL, &schema, &fault), -EINVAL);
	assert_string_equal(fault.what, "takes more work to follow, with the references before it, than is allowed");
	buf_clear(&text);
	repeat(&text, "[\"\"", ",\"a@\"", 1000, "]");
	assert_int_equal(outcome(SLICE("{\"items\":{\"format\":\"regex\"}}"), buf_slice(&text)), 0);
	buf_clear(&text);
	repeat(&text, "[\"\"", ",\"a@\"", 20000, "]");
	assert_int_equal(outcome(SLICE("{\"items\":{\"format\":\"regex\"}}"), buf_slice(&text)), -E2BIG);
}

/* One keyword more than a schema may have, in fewer schemas than it may have; and more to keep than it may keep. */
static void too_much_to_keep(void **state)
{
	cleanup_buf struct buf text = BUF_INIT(32 << 20);
	struct schema_fault fault = { 0 };
	struct schema *schema = NULL;

	(void)state;
	repeat(&text, "{\"properties\":{\"z\":true",
	       ",\"m@\":{\"minimum\":1,\"maximum\":2,\"minLength\":1,\"maxLength\":2,\"minItems\":1,\"maxItems\":2}", 16667, "}}");
	assert_int_equal(compile(buf_slice(&text), NULL, &schema, &fault), -EINVAL);
	assert_string_equal(fault.what, "is too large: more than 100000 keywords");
	buf_clear(&text);
	repeat(&text, "{\"const\":\"", "0123456789abcdef", 1100000, "\"}");
	assert_int_equal(compile(buf_slice(&text), NULL, &schema, &fault), -ENOMEM);
	assert_string_equal(fault.what, "needs more memory than a schema may have");
	buf_clear(&text);
	repeat(&text, "{\"const\":", "[", 600, "");
	repeat(&text, "", "]", 600, "}");
	assert_int_equal(compile(buf_slice(&text), NULL, &schema, &fault), -EINVAL);
	assert_string_equal(fault.what, "is nested too deeply");
	buf_clear(&text);
	repeat(&text, "{\"$defs\":{\"d\":true", ",\"d@\":{\"$id\":\"https://e.example/@\"}", 5000, "}}");
	assert_int_equal(compile(buf_slice(&text), NULL, &schema, &fault), -EINVAL);
	assert_non_null(strstr(fault.what, "names for schemas"));
}

enum { COLLIDING = 2010, COLLIDING_BITS = 12 };

/* Strings that a table of 4,096 places files all in one. */
static void make_colliding(struct buf *out, unsigned count)
{
	char text[] = "aaaaaaaa";
	unsigned found = 0;

	while (found < count) {
		struct json value = { .type = JSON_STRING, .text = slice_str(text) };
		uint64_t budget = 100, hash;
		size_t at = 0;

		assert_int_equal(value_hash(&value, &budget, &hash), 0);
		if ((hash & ((1 << COLLIDING_BITS) - 1)) == 7)
			assert_int_equal(buf_printf(out, "%s\"%s\"", found++ ? "," : "", text), 0);
		while (text[at] == 'z')
			text[at++] = 'a';
		text[at]++;
	}
}

static void colliding_values(void **state)
{
	cleanup_buf struct buf values = BUF_INIT(1 << 20), text = BUF_INIT(4 << 20), items = BUF_INIT(4 << 20);
	struct schema_fault fault = { 0 };
	struct schema *schema = NULL;
	const char *last;

	(void)state;
	make_colliding(&values, COLLIDING);
	assert_int_equal(buf_printf(&text, "[%.*s]", (int)values.len, values.ptr), 0);
	assert_int_equal(outcome(SLICE("{\"uniqueItems\":true}"), buf_slice(&text)), -E2BIG);
	buf_clear(&text);
	assert_int_equal(buf_printf(&text, "{\"enum\":[%.*s]}", (int)values.len, values.ptr), 0);
	assert_int_equal(compile(buf_slice(&text), NULL, &schema, &fault), -EINVAL);
	assert_string_equal(fault.what, "is nested too deeply, or made to be slow");
	/* Few enough to be taken; each look at the last of them costs its way there. */
	buf_clear(&text);
	buf_clear(&values);
	make_colliding(&values, 900);
	assert_int_equal(buf_printf(&text, "{\"items\":{\"enum\":[%.*s]}}", (int)values.len, values.ptr), 0);
	last = memrchr(values.ptr, ',', values.len);
	assert_non_null(last);
	assert_int_equal(buf_add_char(&items, '['), 0);
	for (unsigned i = 0; i < 3000; i++)
		assert_int_equal(buf_add(&items, last + (i == 0), values.len - (size_t)(last - values.ptr) - (i == 0)), 0);
	assert_int_equal(buf_add_char(&items, ']'), 0);
	assert_int_equal(outcome(buf_slice(&text), buf_slice(&items)), -E2BIG);
}

/* Plenty of everything that is cheap once. */
static void every_step_counts(void **state)
{
	cleanup_buf struct buf text = BUF_INIT(8 << 20), value = BUF_INIT(8 << 20), chain = BUF_INIT(1 << 20);

	(void)state;
	repeat(&value, "[1", ",1", 150000, "]");
	assert_int_equal(outcome(SLICE("{\"items\":{\"minimum\":0,\"maximum\":5,\"exclusiveMinimum\":0,\"exclusiveMaximum\":5,\"multipleOf\":1,"
				       "\"type\":\"number\",\"minLength\":1,\"maxLength\":2,\"minItems\":1,\"maxItems\":2,\"uniqueItems\":true,"
				       "\"minProperties\":1,\"maxProperties\":2,\"required\":[\"a\"]}}"),
				 buf_slice(&value)),
			 -E2BIG);
	/* 25 times through the same 150,000 values: to hash them, and to compare them. */
	repeat(&text, "{\"allOf\":[true", ",{\"not\":{\"enum\":[1]}}", 25, "]}");
	assert_int_equal(outcome(buf_slice(&text), buf_slice(&value)), -E2BIG);
	buf_clear(&text);
	assert_int_equal(buf_printf(&text, "{\"$defs\":{\"c\":{\"const\":%.*s}}", (int)value.len, value.ptr), 0);
	repeat(&text, ",\"allOf\":[true", ",{\"$ref\":\"#/$defs/c\"}", 25, "]}");
	assert_int_equal(outcome(buf_slice(&text), buf_slice(&value)), -E2BIG);
	/* 45 times through 50,000 members. */
	buf_clear(&text);
	buf_clear(&value);
	repeat(&value, "{\"a\":1", ",\"m@\":1", 50000, "}");
	repeat(&text, "{\"allOf\":[true", ",{\"properties\":{\"zz\":true}}", 45, "]}");
	assert_int_equal(outcome(buf_slice(&text), buf_slice(&value)), -E2BIG);
	/* 300 documents within each other, and 10,000 questions which of them is the outermost with an anchor. */
	buf_clear(&value);
	repeat(&chain, "{\"$defs\":{", "", 0, "");
	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(buf_printf(&chain, "\"d%u\":{\"$id\":\"https://e.example/%u\",\"$ref\":\"https://e.example/%u\"},", i, i, i + 1), 0);
	repeat(&chain, "", "\"l\":{\"$id\":\"https://e.example/300\",\"items\":{\"$dynamicRef\":\"#a\"},\"$defs\":{\"a\":{\"$dynamicAnchor\":\"a\"}}}}", 1,
	       ",\"$ref\":\"https://e.example/0\"}");
	repeat(&value, "[1", ",1", 10000, "]");
	assert_int_equal(outcome(buf_slice(&chain), buf_slice(&value)), -E2BIG);
}

/* The same members in another order: looked for one by one, and that is counted. */
static void permuted_members(void **state)
{
	cleanup_buf struct buf value = BUF_INIT(4 << 20);

	(void)state;
	repeat(&value, "[{\"a\":1", ",\"m@\":1", 8000, "},{\"a\":1");
	for (unsigned i = 8000; i-- > 0;)
		assert_int_equal(buf_printf(&value, ",\"m%u\":1", i), 0);
	assert_int_equal(buf_add_str(&value, "}]"), 0);
	assert_int_equal(outcome(SLICE("{\"uniqueItems\":true}"), buf_slice(&value)), -E2BIG);
	/* Deeper than values are compared. */
	buf_clear(&value);
	repeat(&value, "", "[", 600, "");
	repeat(&value, "", "]", 600, "");
	assert_int_equal(outcome(SLICE("{\"enum\":[1]}"), buf_slice(&value)), -E2BIG);
}

/* Marks of what is evaluated are memory as well: 300 sets of 500,000 bits are too many. */
static void many_marks(void **state)
{
	cleanup_buf struct buf text = BUF_INIT(4 << 20), value = BUF_INIT(4 << 20);

	(void)state;
	repeat(&text, "", "{\"unevaluatedItems\":true,\"allOf\":[", 300, "true");
	repeat(&text, "", "]}", 300, "");
	repeat(&value, "[1", ",1", 500000, "]");
	assert_int_equal(outcome(buf_slice(&text), buf_slice(&value)), -E2BIG);
}

/* An invalid value, and in front of it `spent` items that take a few steps each. */
static int outcome_after(struct slice schema, unsigned spent)
{
	cleanup_buf struct buf value = BUF_INIT(4 << 20);

	repeat(&value, "[[0", ",0", spent, "],-1]");
	return outcome(schema, buf_slice(&value));
}

/* Saying what is wrong costs steps as well, and may be where they run out; the verdict stays, and some text is there. */
static void texts_cost_steps(void **state)
{
	const struct slice schema = SLICE("{\"prefixItems\":[{\"items\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1,\"exclusiveMaximum\":1,"
					  "\"minLength\":1,\"maxLength\":1,\"minItems\":1,\"maxItems\":1}},{\"anyOf\":[{\"const\":1},{\"const\":2}]}]}");
	unsigned enough = 0, too_many = SCHEMA_STEPS / 4;

	(void)state;
	while (too_many - enough > 1) {
		unsigned middle = enough + (too_many - enough) / 2;

		if (outcome_after(schema, middle) == -EINVAL)
			enough = middle;
		else
			too_many = middle;
	}
	assert_true(enough > SCHEMA_STEPS / 20);
	assert_int_equal(outcome_after(schema, enough), -EINVAL);
	assert_int_equal(outcome_after(schema, too_many), -E2BIG);
}

/* As many unions within each other as evaluation goes down, and each looks for the best text. */
static void nested_unions(void **state)
{
	cleanup_buf struct buf text = BUF_INIT(1 << 20);

	(void)state;
	assert_int_equal(buf_add_str(&text, "{\"$ref\":\"#/$defs/d0\",\"$defs\":{"), 0);
	for (unsigned i = 0; i < 490; i++)
		assert_int_equal(buf_printf(&text, "\"d%u\":{\"anyOf\":[{\"$ref\":\"#/$defs/d%u\"}]},", i, i + 1), 0);
	assert_int_equal(buf_add_str(&text, "\"d490\":{\"type\":\"null\"}}}"), 0);
	assert_int_equal(outcome(buf_slice(&text), SLICE("1")), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_patterns),
		cmocka_unit_test(hostile_sizes),
		cmocka_unit_test(hostile_depth),
		cmocka_unit_test(dynamic_circle),
		cmocka_unit_test(hostile_references),
		cmocka_unit_test(hostile_members),
		cmocka_unit_test(hostile_walks),
		cmocka_unit_test(too_much_to_keep),
		cmocka_unit_test(colliding_values),
		cmocka_unit_test(every_step_counts),
		cmocka_unit_test(permuted_members),
		cmocka_unit_test(many_marks),
		cmocka_unit_test(texts_cost_steps),
		cmocka_unit_test(nested_unions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
