/* What the keywords become that look at the value itself. */
#include <errno.h>
#include <stdlib.h>

#include "parse/format.h"
#include "parse/schema_compile.h"
#include "parse/schema_value.h"

enum {
	TYPE_STRING = 1 << JSON_STRING,
	TYPE_NUMBER = 1 << JSON_NUMBER,
	TYPE_ARRAY = 1 << JSON_ARRAY,
	TYPE_OBJECT = 1 << JSON_OBJECT,
	TYPE_ALL = 0x7F,
	ENUM_PROBES = 1000, /* values of an enum with one place in its table: nobody but an attacker has so many */
};

static const struct {
	const char *name;
	uint8_t bits;
} types[] = {
	{ "null", 1 << JSON_NULL },
	{ "boolean", 1 << JSON_FALSE | 1 << JSON_TRUE },
	{ "number", TYPE_NUMBER | SCHEMA_INTEGER },
	{ "integer", SCHEMA_INTEGER },
	{ "string", TYPE_STRING },
	{ "array", TYPE_ARRAY },
	{ "object", TYPE_OBJECT },
};

static int add_type(struct compiler *c, uint32_t place, const struct json *name, uint8_t *allowed)
{
	if (name->type == JSON_STRING)
		for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
			if (slice_eq(name->text, slice_str(types[i].name))) {
				*allowed |= types[i].bits;
				return 0;
			}
	return compile_refuse(
	    c, place, "type",
	    "must be one or several of \"null\", \"boolean\", \"integer\", \"number\", \"string\", \"array\", \"object\"");
}

int rule_type(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	struct schema_rule *rule;
	uint8_t allowed = 0;
	int r = 0;

	if (value->type == JSON_ARRAY && value->count == 0)
		return compile_refuse(c, place, keyword, "must name a type");
	if (value->type != JSON_ARRAY)
		r = add_type(c, place, value, &allowed);
	for (uint32_t i = 0; value->type == JSON_ARRAY && i < value->count && r == 0; i++)
		r = add_type(c, place, &value->items[i], &allowed);
	if (r)
		return r;
	rule = compile_rule(c, OP_TYPE, TYPE_ALL);
	if (!rule)
		return compile_rule_fault(c, place);
	rule->allowed = allowed;
	return 0;
}

int rule_const(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	struct schema_rule *rule = compile_rule(c, OP_CONST, TYPE_ALL);
	struct json *copy = arena_alloc(&c->schema->arena, sizeof(*copy));
	int r;

	if (!rule || !copy)
		return compile_rule_fault(c, place);
	r = value_copy(&c->schema->arena, value, copy);
	if (r)
		return r == -E2BIG ? compile_refuse(c, place, keyword, "is nested too deeply") : r;
	rule->value = copy;
	return 0;
}

/* Files values[i] under its hash. 0, -EEXIST for a double, -E2BIG when too many share one place. */
static int file_value(struct schema_enum *e, uint32_t i)
{
	uint32_t at = (uint32_t)e->hashes[i] & e->mask;
	uint64_t budget = UINT64_MAX;

	for (unsigned probe = 0; probe < ENUM_PROBES; probe++, at = (at + 1) & e->mask) {
		uint32_t other = e->slots[at];

		if (other == 0) {
			e->slots[at] = i + 1;
			return 0;
		}
		if (e->hashes[other - 1] == e->hashes[i] && value_equal(&e->values[other - 1], &e->values[i], &budget) == 1)
			return -EEXIST;
	}
	return -E2BIG;
}

static int fill_enum(struct arena *arena, struct schema_enum *e, const struct json *copy)
{
	uint64_t budget = UINT64_MAX;

	e->count = copy->count;
	e->values = copy->items;
	while (e->mask / 2 < e->count)
		e->mask = e->mask * 2 + 1;
	e->hashes = arena_array(arena, e->count, sizeof(*e->hashes));
	e->slots = arena_array(arena, (size_t)e->mask + 1, sizeof(*e->slots));
	if (!e->hashes || !e->slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < e->count; i++) {
		int r = value_hash(&e->values[i], &budget, &e->hashes[i]);

		r = r ? r : file_value(e, i);
		if (r && r != -EEXIST)
			return r;
	}
	return 0;
}

int rule_enum(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	struct schema_rule *rule = compile_rule(c, OP_ENUM, TYPE_ALL);
	struct arena *arena = &c->schema->arena;
	struct schema_enum *e = arena_alloc(arena, sizeof(*e));
	struct json copy;
	int r;

	if (!rule || !e)
		return compile_rule_fault(c, place);
	if (value->type != JSON_ARRAY)
		return compile_refuse(c, place, keyword, "must be an array");
	r = value_copy(arena, value, &copy);
	r = r ? r : fill_enum(arena, e, &copy);
	if (r)
		return r == -E2BIG ? compile_refuse(c, place, keyword, "is nested too deeply, or made to be slow") : r;
	rule->enumeration = e;
	return 0;
}

static int add_number(struct compiler *c, uint32_t place, const char *keyword, const struct json *value, enum schema_op op)
{
	struct schema_rule *rule = compile_rule(c, op, TYPE_NUMBER);

	if (!rule)
		return compile_rule_fault(c, place);
	if (value->type != JSON_NUMBER)
		return compile_refuse(c, place, keyword, "must be a number");
	rule->number = arena_copy(&c->schema->arena, value->text);
	return rule->number.ptr ? 0 : -ENOMEM;
}

int rule_maximum(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	return add_number(c, place, keyword, value, OP_MAXIMUM);
}

int rule_minimum(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	return add_number(c, place, keyword, value, OP_MINIMUM);
}

int rule_exclusive_maximum(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	return add_number(c, place, keyword, value, OP_EXCLUSIVE_MAXIMUM);
}

int rule_exclusive_minimum(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	return add_number(c, place, keyword, value, OP_EXCLUSIVE_MINIMUM);
}

int rule_multiple_of(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	struct schema_rule *rule = compile_rule(c, OP_MULTIPLE_OF, TYPE_NUMBER);
	struct number_divisor *divisor = arena_alloc(&c->schema->arena, sizeof(*divisor));
	int r;

	if (!rule || !divisor)
		return compile_rule_fault(c, place);
	if (value->type != JSON_NUMBER)
		return compile_refuse(c, place, keyword, "must be a number");
	r = number_divisor(value->text, divisor);
	if (r)
		return compile_refuse(c, place, keyword,
				      r == -ERANGE ? "must have at most 18 significant digits" : "must be more than 0");
	divisor->text = arena_copy(&c->schema->arena, value->text);
	rule->divisor = divisor;
	return divisor->text.ptr ? 0 : -ENOMEM;
}

static int add_limit(struct compiler *c, uint32_t place, const char *keyword, const struct json *value, enum schema_op op,
		     unsigned type)
{
	struct schema_rule *rule = compile_rule(c, op, type);

	if (!rule)
		return compile_rule_fault(c, place);
	if (value->type != JSON_NUMBER || number_count(value->text, &rule->limit))
		return compile_refuse(c, place, keyword, "must be an integer of 0 or more");
	return 0;
}

int rule_max_length(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	return add_limit(c, place, keyword, value, OP_MAX_LENGTH, TYPE_STRING);
}

int rule_min_length(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	return add_limit(c, place, keyword, value, OP_MIN_LENGTH, TYPE_STRING);
}

int rule_max_items(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	return add_limit(c, place, keyword, value, OP_MAX_ITEMS, TYPE_ARRAY);
}

int rule_min_items(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	return add_limit(c, place, keyword, value, OP_MIN_ITEMS, TYPE_ARRAY);
}

int rule_max_properties(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	return add_limit(c, place, keyword, value, OP_MAX_PROPERTIES, TYPE_OBJECT);
}

int rule_min_properties(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	return add_limit(c, place, keyword, value, OP_MIN_PROPERTIES, TYPE_OBJECT);
}

int rule_unique_items(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	if (!json_is_bool(value))
		return compile_refuse(c, place, keyword, "must be true or false");
	if (value->type == JSON_FALSE)
		return 0;
	return compile_rule(c, OP_UNIQUE_ITEMS, TYPE_ARRAY) ? 0 : compile_rule_fault(c, place);
}

int rule_regex(struct compiler *c, uint32_t place, const char *keyword, struct slice pattern, const struct regex **ret_regex)
{
	uint32_t known = table_find(&c->patterns, 0, pattern);
	struct regex *regex;
	const char *fault;
	int r;

	if (known != TABLE_NONE) {
		*ret_regex = c->regexes[known];
		return 0;
	}
	if (c->n_regexes >= SCHEMA_REGEXES)
		return compile_refuse(c, place, keyword, "is one pattern too many: more than %d in one schema", SCHEMA_REGEXES);
	r = compile_grow(&c->regexes, c->n_regexes, &c->regexes_cap, sizeof(*c->regexes));
	r = r ? r : table_add(&c->patterns, 0, pattern, c->n_regexes);
	if (r)
		return r;
	r = regex_compile(c->schema->regexes, pattern, &regex, &fault);
	if (r)
		return compile_refuse(c, place, keyword, "pattern \"%s\" %s", compile_shown(c, pattern),
				      r == -ENOMEM ? "needs more memory than patterns may have" : fault);
	c->regexes[c->n_regexes++] = regex;
	*ret_regex = regex;
	return 0;
}

int rule_pattern(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	struct schema_rule *rule = compile_rule(c, OP_PATTERN, TYPE_STRING);
	struct schema_pattern *pattern = arena_alloc(&c->schema->arena, sizeof(*pattern));
	int r;

	if (!rule || !pattern)
		return compile_rule_fault(c, place);
	if (value->type != JSON_STRING)
		return compile_refuse(c, place, keyword, "must be a string");
	r = rule_regex(c, place, keyword, value->text, &pattern->regex);
	if (r)
		return r;
	pattern->text = arena_copy(&c->schema->arena, value->text);
	rule->pattern = pattern;
	return pattern->text.ptr ? 0 : -ENOMEM;
}

int rule_format(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	struct schema_rule *rule;
	int format;

	if (value->type != JSON_STRING)
		return compile_refuse(c, place, keyword, "must be a string");
	format = format_find(value->text);
	if (!index_dialect(c, place)->format_asserts || format == FORMAT_UNKNOWN)
		return 0;
	if (format == FORMAT_REFUSED)
		return compile_refuse(c, place, keyword, "\"%s\" is not supported", compile_shown(c, value->text));
	rule = compile_rule(c, OP_FORMAT, TYPE_STRING);
	if (!rule)
		return compile_rule_fault(c, place);
	rule->format = format;
	return 0;
}

static int order_entries(const void *a, const void *b)
{
	return schema_name_cmp(((const struct schema_entry *)a)->name, ((const struct schema_entry *)b)->name);
}

void rule_sort_names(struct schema_names *names)
{
	uint32_t kept = 0;

	qsort(names->sorted, names->count, sizeof(*names->sorted), order_entries);
	for (uint32_t i = 0; i < names->count; i++)
		if (kept == 0 || !slice_eq(names->sorted[kept - 1].name, names->sorted[i].name))
			names->sorted[kept++] = names->sorted[i];
	names->count = kept;
}

/* An array of names: "required", or one entry of "dependentRequired". */
static int fill_names(struct compiler *c, uint32_t place, const char *keyword, const struct json *value, struct schema_names *names)
{
	struct arena *arena = &c->schema->arena;

	if (value->type != JSON_ARRAY)
		return compile_refuse(c, place, keyword, "must be an array of names");
	names->count = value->count;
	names->sorted = arena_array(arena, value->count, sizeof(*names->sorted));
	names->source = arena_array(arena, value->count, sizeof(*names->source));
	if (!names->sorted || !names->source)
		return -ENOMEM;
	for (uint32_t i = 0; i < value->count; i++) {
		if (value->items[i].type != JSON_STRING)
			return compile_refuse(c, place, keyword, "must be an array of names");
		names->source[i] = arena_copy(arena, value->items[i].text);
		if (!names->source[i].ptr)
			return -ENOMEM;
		names->sorted[i].name = names->source[i];
	}
	rule_sort_names(names);
	return 0;
}

int rule_required(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	struct schema_rule *rule = compile_rule(c, OP_REQUIRED, TYPE_OBJECT);
	struct schema_names *names = arena_alloc(&c->schema->arena, sizeof(*names));

	if (!rule || !names)
		return compile_rule_fault(c, place);
	rule->names = names;
	return fill_names(c, place, keyword, value, names);
}

static int add_dependency(struct compiler *c, uint32_t place, const char *keyword, const struct json_member *m)
{
	bool names = m->value.type == JSON_ARRAY;
	struct schema_rule *rule = compile_rule(c, names ? OP_DEPENDENT_REQUIRED : OP_DEPENDENT_SCHEMA, TYPE_OBJECT);
	struct schema_dependency *d = arena_alloc(&c->schema->arena, sizeof(*d));

	if (!rule || !d)
		return compile_rule_fault(c, place);
	rule->dependency = d;
	d->name = arena_copy(&c->schema->arena, m->name);
	if (!d->name.ptr)
		return -ENOMEM;
	d->node = SCHEMA_NONE;
	if (names)
		return fill_names(c, place, keyword, &m->value, &d->names);
	d->node = index_place(c, &m->value);
	return 0;
}

int rule_dependent_required(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	int r = 0;

	if (value->type != JSON_OBJECT)
		return compile_refuse(c, place, keyword, "must be an object");
	for (uint32_t i = 0; i < value->count && r == 0; i++)
		r = value->members[i].value.type == JSON_ARRAY ? add_dependency(c, place, keyword, &value->members[i])
							       : compile_refuse(c, place, keyword, "must hold arrays of names");
	return r;
}

/* The index has seen to it that the members are schemas, or arrays where those may be. */
int rule_dependent_schemas(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	int r = 0;

	for (uint32_t i = 0; i < value->count && r == 0; i++)
		r = add_dependency(c, place, keyword, &value->members[i]);
	return r;
}

int rule_dependencies(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	return rule_dependent_schemas(c, place, keyword, value);
}
