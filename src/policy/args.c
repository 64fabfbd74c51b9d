/* The `args` of a rule: one compiled schema for each argument. */
#include <errno.h>
#include <stdlib.h>

#include "policy/loader.h"

/* The schema without `optional`, which is the rule's word and none of JSON Schema's. Borrows its members. */
static struct json without_optional(struct loader *l, const struct json *schema)
{
	struct json copy = *schema;

	if (schema->type != JSON_OBJECT || !json_get(schema, SLICE("optional")))
		return copy;
	copy.count = 0;
	copy.members = loader_array(l, schema->count, sizeof(*copy.members));
	for (uint32_t i = 0; copy.members && i < schema->count; i++)
		if (!slice_eq(schema->members[i].name, SLICE("optional")))
			copy.members[copy.count++] = schema->members[i];
	return copy;
}

/* One part of a JSON Pointer, unescaped; the length that was read, with its "/". */
static size_t pointer_part(const char *pointer, char *out, size_t room)
{
	size_t at = 1, len = 0;

	for (; pointer[at] && pointer[at] != '/' && len + 1 < room; at++) {
		char c = pointer[at];

		if (c == '~' && (pointer[at + 1] == '0' || pointer[at + 1] == '1'))
			c = pointer[++at] == '0' ? '~' : '/';
		out[len++] = c;
	}
	out[len] = '\0';
	return at;
}

/* Where in the file a pointer into a schema leads: as deep as it can be followed, for it may have been cut. */
static void locate(const struct json *v, const char *pointer, uint32_t *line, uint32_t *column)
{
	char part[256];

	while (*pointer == '/') {
		const struct json *next = NULL;

		pointer += pointer_part(pointer, part, sizeof(part));
		for (uint32_t i = 0; v->type == JSON_OBJECT && i < v->count && !next; i++) {
			if (!slice_eq(v->members[i].name, slice_str(part)))
				continue;
			next = &v->members[i].value;
			*line = v->members[i].line;
			*column = v->members[i].column;
		}
		for (uint32_t i = 0; v->type == JSON_ARRAY && i < v->count && !next; i++) {
			char index[16] = "";
			struct buf digits = { .ptr = index, .cap = sizeof(index), .max = sizeof(index) };

			if (buf_add_u64(&digits, i) < 0 || !slice_eq(buf_slice(&digits), slice_str(part)))
				continue;
			next = &v->items[i];
			*line = next->line;
			*column = next->column;
		}
		if (!next)
			return;
		v = next;
	}
}

static void load_arg(struct loader *l, const struct json_member *m, struct rule *rule, struct rule_arg *arg)
{
	const struct json *optional = json_get(&m->value, SLICE("optional"));
	uint32_t line = m->line, column = m->column;
	struct schema_fault fault = { .what = "" };
	struct json schema;
	int r;

	arg->name = arena_copy(&l->policy->arena, m->name);
	if (m->value.type != JSON_OBJECT && m->value.type != JSON_TRUE) {
		problem_error(l, m->value.line, m->value.column,
			      "argument \"%s\" must be a JSON Schema: {type: string}, or true for any value",
			      problem_show(l, m->name));
		return;
	}
	if (optional && rule->list == LIST_DENY)
		problem_error(l, optional->line, optional->column,
			      "optional has no meaning in deny: a call without the argument is denied as well");
	else if (optional)
		expect_bool(l, optional, "optional", &arg->optional);
	schema = without_optional(l, &m->value);
	r = schema_compile(&schema, NULL, &arg->schema, &fault);
	if (r == -ENOMEM)
		l->out_of_memory = true;
	else if (r < 0) {
		locate(&m->value, fault.where, &line, &column);
		problem_error(l, line, column, "schema of argument \"%s\"%s%s: %s", problem_show(l, m->name),
			      fault.where[0] ? " at " : "", fault.where, fault.what);
	}
}

static int by_arg_name(const void *a, const void *b)
{
	const struct rule_arg *x = a, *y = b;

	return slice_cmp(x->name, y->name);
}

void load_args(struct loader *l, const struct json *args, struct rule *rule)
{
	if (!expect_type(l, args, JSON_OBJECT, "args"))
		return;
	rule->limited = true;
	rule->args_source = args;
	if (rule->list == LIST_DENY && args->count == 0)
		problem_error(l, args->line, args->column, "empty args in deny would deny every call: leave args out to say so");
	rule->args = loader_array(l, args->count, sizeof(*rule->args));
	if (!rule->args)
		return;
	for (uint32_t i = 0; i < args->count; i++)
		load_arg(l, &args->members[i], rule, &rule->args[i]);
	rule->arg_count = args->count;
	if (rule->arg_count)
		qsort(rule->args, rule->arg_count, sizeof(*rule->args), by_arg_name);
	for (size_t i = 0; i < rule->arg_count; i++)
		rule->required += !rule->args[i].optional;
}
