#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "parse/schema_eval.h"

enum {
	REPORT_STEPS = 32, /* what a text costs, next to a rule */
	SHOWN = 60,
};

static void put_path(struct text *where, const struct path *path)
{
	const struct path *chain[SCHEMA_DEPTH];
	unsigned n = 0;

	for (; path->up && n < SCHEMA_DEPTH; path = path->up)
		chain[n++] = path;
	while (n-- > 0) {
		if (chain[n]->indexed)
			text_addf(where, "/%u", (unsigned)chain[n]->index);
		else
			text_add_token(where, chain[n]->name);
	}
}

/* Opens the fault's text; NULL when nobody wants it. */
static struct text *begin(struct eval *e, const struct path *path, enum problem_kind kind, struct text *what)
{
	struct problem *p = e->problem;
	struct text where;

	if (!p || !budget_take(&e->steps, REPORT_STEPS))
		return NULL;
	p->kind = kind;
	p->depth = path->depth;
	p->allowed = 0;
	where = text_over(p->fault.where, sizeof(p->fault.where));
	put_path(&where, path);
	*what = text_over(p->fault.what, sizeof(p->fault.what));
	return what;
}

int report(struct eval *e, const struct path *path, enum problem_kind kind, const char *format, ...)
{
	struct text what;
	char line[256];
	va_list args;

	if (!begin(e, path, kind, &what))
		return -EINVAL;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	text_add(&what, line);
	return -EINVAL;
}

/* "a string", "a number or null" */
static void put_types(struct text *what, uint8_t allowed)
{
	static const struct {
		uint8_t bits;
		const char *name;
	} names[] = {
		{ 1 << JSON_STRING, "a string" },    { 1 << JSON_NUMBER, "a number" },  { SCHEMA_INTEGER, "an integer" },
		{ 1 << JSON_TRUE, "true or false" }, { 1 << JSON_OBJECT, "an object" }, { 1 << JSON_ARRAY, "an array" },
		{ 1 << JSON_NULL, "null" },
	};
	const char *join = "";

	if (allowed & 1 << JSON_NUMBER)
		allowed &= (uint8_t)~SCHEMA_INTEGER;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(allowed & names[i].bits))
			continue;
		allowed &= (uint8_t)~names[i].bits;
		text_addf(what, "%s%s", join, names[i].name);
		/* Only the bit of `true` stands for both booleans here. */
		join = (allowed & ~(1 << JSON_FALSE)) & ((allowed & ~(1 << JSON_FALSE)) - 1) ? ", " : " or ";
	}
}

static const char *type_name(enum json_type type)
{
	switch (type) {
	case JSON_NULL:
		return "null";
	case JSON_FALSE:
	case JSON_TRUE:
		return "a boolean";
	case JSON_NUMBER:
		return "a number";
	case JSON_STRING:
		return "a string";
	case JSON_ARRAY:
		return "an array";
	case JSON_OBJECT:
		return "an object";
	}
	return "something else";
}

static void write_types(struct schema_fault *fault, uint8_t allowed, const char *instead)
{
	struct text what = text_over(fault->what, sizeof(fault->what));

	text_add(&what, "must be ");
	put_types(&what, allowed);
	text_add(&what, instead);
}

int report_type(struct eval *e, const struct path *path, uint8_t allowed, const struct json *value)
{
	struct text what;
	char instead[32] = "";

	if (!begin(e, path, PROBLEM_TYPE, &what))
		return -EINVAL;
	e->problem->allowed = allowed;
	/* A number that had to be an integer is a number all the same. */
	if (value->type != JSON_NUMBER || !(allowed & SCHEMA_INTEGER))
		snprintf(instead, sizeof(instead), ", not %s", type_name(value->type));
	write_types(&e->problem->fault, allowed, instead);
	return -EINVAL;
}

static void put_value(struct text *what, const struct json *value)
{
	switch (value->type) {
	case JSON_NULL:
		text_add(what, "null");
		break;
	case JSON_FALSE:
		text_add(what, "false");
		break;
	case JSON_TRUE:
		text_add(what, "true");
		break;
	case JSON_NUMBER:
		text_add_shown(what, value->text, SHOWN);
		break;
	case JSON_STRING:
		text_add(what, "\"");
		text_add_shown(what, value->text, SHOWN);
		text_add(what, "\"");
		break;
	case JSON_ARRAY:
		text_add(what, "a certain array");
		break;
	case JSON_OBJECT:
		text_add(what, "a certain object");
		break;
	}
}

int report_const(struct eval *e, const struct path *path, const struct json *wanted)
{
	struct text what;

	if (begin(e, path, PROBLEM_VALUE, &what)) {
		text_add(&what, "must be ");
		put_value(&what, wanted);
	}
	return -EINVAL;
}

int report_enum(struct eval *e, const struct path *path, const struct schema_enum *wanted)
{
	struct text what;

	if (!begin(e, path, PROBLEM_VALUE, &what))
		return -EINVAL;
	text_add(&what, wanted->count == 0   ? "has no value that would be right"
			: wanted->count == 1 ? "must be "
					     : "must be one of ");
	for (uint32_t i = 0; i < wanted->count && !what.cut; i++) {
		if (i)
			text_add(&what, ", ");
		put_value(&what, &wanted->values[i]);
	}
	return -EINVAL;
}

int report_name(struct eval *e, const struct path *path, const char *before, struct slice name)
{
	struct text what;

	if (begin(e, path, PROBLEM_OTHER, &what)) {
		text_addf(&what, "%s \"", before);
		text_add_shown(&what, name, SHOWN);
		text_add(&what, "\"");
	}
	return -EINVAL;
}

int report_pattern(struct eval *e, const struct path *path, struct slice pattern)
{
	struct text what;

	if (begin(e, path, PROBLEM_OTHER, &what)) {
		text_add(&what, "must match ");
		text_add_pattern(&what, pattern, 3 * SHOWN);
	}
	return -EINVAL;
}

int report_in_name(struct eval *e)
{
	char old[sizeof(e->problem->fault.what)];
	struct text what;

	if (!e->problem)
		return -EINVAL;
	memcpy(old, e->problem->fault.what, sizeof(old));
	what = text_over(e->problem->fault.what, sizeof(e->problem->fault.what));
	text_add(&what, "has a name that ");
	text_add(&what, old);
	return -EINVAL;
}

/* How likely it is that the writer meant this branch: least when the value was of another kind altogether. */
static unsigned likelihood(const struct problem *p, unsigned depth)
{
	if (p->kind == PROBLEM_TYPE && p->depth == depth)
		return 0;
	/* A constant that tells the branches apart stands right here or in a member. */
	if (p->kind == PROBLEM_VALUE && p->depth <= depth + 1)
		return 1;
	return 2 + p->depth - (p->depth < depth ? p->depth : depth);
}

void problem_choose(struct problem *best, const struct problem *next, unsigned depth, bool first)
{
	unsigned a = first ? 0 : likelihood(best, depth), b = likelihood(next, depth);

	if (first || b > a) {
		*best = *next;
	} else if (a == 0 && b == 0) {
		best->allowed |= next->allowed;
		write_types(&best->fault, best->allowed, "");
	} else if (a == 1 && b == 1 && strcmp(best->fault.what, next->fault.what) != 0) {
		struct text what = text_over(best->fault.what, sizeof(best->fault.what));

		text_add(&what, "is none of the values that are allowed here");
	}
}
