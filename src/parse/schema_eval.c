#include "parse/schema_eval.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/text.h"
#include "parse/format.h"

/* What the scratch may keep between evaluations; the steps bound what one may take. */
enum { WORDS_KEEP = 8 * 1024 };

static int eval_type(struct eval *e, const struct schema_rule *rule, const struct json *value, const struct path *path)
{
	if (rule->allowed & 1 << value->type)
		return 0;
	if (value->type == JSON_NUMBER && (rule->allowed & SCHEMA_INTEGER)) {
		if (!budget_take(&e->steps, value->text.len / 16))
			return -E2BIG;
		if (number_is_integer(value->text))
			return 0;
	}
	return report_type(e, path, rule->allowed, value);
}

static int eval_enum(struct eval *e, const struct schema_enum *wanted, const struct json *value, const struct path *path)
{
	uint64_t hash;
	uint32_t at;
	int r = value_hash(value, &e->steps, &hash);

	if (r)
		return r;
	for (at = (uint32_t)hash & wanted->mask; wanted->slots[at]; at = (at + 1) & wanted->mask) {
		uint32_t i = wanted->slots[at] - 1;

		if (!budget_take(&e->steps, 1))
			return -E2BIG;
		r = wanted->hashes[i] == hash ? value_equal(&wanted->values[i], value, &e->steps) : 0;
		if (r)
			return r < 0 ? r : 0;
	}
	return report_enum(e, path, wanted);
}

static int eval_const(struct eval *e, const struct json *wanted, const struct json *value, const struct path *path)
{
	int r = value_equal(wanted, value, &e->steps);

	if (r < 0)
		return r;
	return r ? 0 : report_const(e, path, wanted);
}

static int report_number(struct eval *e, const struct path *path, const char *before, struct slice number)
{
	return report(e, path, PROBLEM_OTHER, "%s %.*s", before, (int)(number.len < 80 ? number.len : 80), number.ptr);
}

static int eval_number(struct eval *e, const struct schema_rule *rule, struct slice number, const struct path *path)
{
	int order;

	if (!budget_take(&e->steps, number.len / 16))
		return -E2BIG;
	if (rule->op == OP_MULTIPLE_OF)
		return number_is_multiple(number, rule->divisor)
			   ? 0
			   : report_number(e, path, "must be a multiple of", rule->divisor->text);
	order = json_number_cmp(number, rule->number);
	if (rule->op == OP_MAXIMUM)
		return order <= 0 ? 0 : report_number(e, path, "must be at most", rule->number);
	if (rule->op == OP_MINIMUM)
		return order >= 0 ? 0 : report_number(e, path, "must be at least", rule->number);
	if (rule->op == OP_EXCLUSIVE_MAXIMUM)
		return order < 0 ? 0 : report_number(e, path, "must be less than", rule->number);
	return order > 0 ? 0 : report_number(e, path, "must be more than", rule->number);
}

static int report_count(struct eval *e, const struct path *path, const char *most, uint64_t limit, const char *unit)
{
	return report(e, path, PROBLEM_OTHER, "must have %s %" PRIu64 " %s%s", most, limit, unit, limit == 1 ? "" : "s");
}

static int eval_length(struct eval *e, const struct schema_rule *rule, struct slice text, const struct path *path)
{
	bool most = rule->op == OP_MAX_LENGTH;

	/* A character is one to four bytes. */
	if (most ? text.len <= rule->limit : text.len / 4 >= rule->limit)
		return 0;
	if (!budget_take(&e->steps, text.len / 16))
		return -E2BIG;
	if (most ? utf8_length(text) <= rule->limit : utf8_length(text) >= rule->limit)
		return 0;
	return report_count(e, path, most ? "at most" : "at least", rule->limit, "character");
}

static int eval_pattern(struct eval *e, const struct schema_pattern *pattern, struct slice text, const struct path *path)
{
	int r = regex_match(pattern->regex, text, &e->steps);

	return r == -ENOENT ? report_pattern(e, path, pattern->text) : r;
}

static int eval_format(struct eval *e, int format, struct slice text, const struct path *path)
{
	if (!budget_take(&e->steps, format_steps(format, text.len)))
		return -E2BIG;
	return format_check(format, text) ? 0 : report(e, path, PROBLEM_OTHER, "must be %s", format_what(format));
}

static int eval_count(struct eval *e, const struct schema_rule *rule, uint32_t count, const struct path *path)
{
	bool most = rule->op == OP_MAX_ITEMS || rule->op == OP_MAX_PROPERTIES;
	const char *unit = rule->op == OP_MAX_ITEMS || rule->op == OP_MIN_ITEMS ? "item" : "member";

	if (most ? count <= rule->limit : count >= rule->limit)
		return 0;
	return report_count(e, path, most ? "at most" : "at least", rule->limit, unit);
}

/* All names are members: counted from the members' side, since those are few and have no doubles. */
static int eval_required(struct eval *e, const struct schema_names *names, const struct json *value, const struct path *path)
{
	uint32_t found = 0;

	if (!budget_take(&e->steps, value->count))
		return -E2BIG;
	for (uint32_t i = 0; i < value->count; i++)
		found += schema_names_find(names, value->members[i].name) != SCHEMA_NONE;
	if (found == names->count)
		return 0;
	for (uint32_t i = 0; e->problem; i++) {
		if (!budget_take(&e->steps, 1 + value->count / 4))
			return -E2BIG;
		if (!json_get(value, names->source[i]))
			return report_name(e, path, "must have the member", names->source[i]);
	}
	return -EINVAL;
}

static int eval_dependency(struct eval *e, const struct schema_rule *rule, const struct json *value, const struct path *path)
{
	if (!budget_take(&e->steps, value->count / 4))
		return -E2BIG;
	return json_get(value, rule->dependency->name) ? eval_required(e, &rule->dependency->names, value, path) : 0;
}

/* An item's hash, and the number of the item, in a table for uniqueItems. */
struct unique_slot {
	uint64_t hash;
	uint32_t item; /* 1 + its number; 0: free */
};

static int find_double(struct eval *e, const struct json *value, struct unique_slot *slots, size_t mask, uint32_t item,
		       uint32_t *ret_other)
{
	uint64_t hash;
	size_t at;
	int r = value_hash(&value->items[item], &e->steps, &hash);

	if (r)
		return r;
	for (at = (size_t)hash & mask; slots[at].item; at = (at + 1) & mask) {
		if (!budget_take(&e->steps, 1))
			return -E2BIG;
		r = slots[at].hash == hash ? value_equal(&value->items[slots[at].item - 1], &value->items[item], &e->steps) : 0;
		if (r) {
			*ret_other = slots[at].item - 1;
			return r < 0 ? r : -EEXIST;
		}
	}
	slots[at] = (struct unique_slot){ .hash = hash, .item = item + 1 };
	return 0;
}

static int eval_unique(struct eval *e, const struct json *value, const struct path *path)
{
	struct unique_slot *slots;
	uint32_t other = 0, item;
	size_t mask = 3;
	int r = 0;

	if (value->count < 2)
		return 0;
	while (mask / 2 < value->count)
		mask = mask * 2 + 1;
	if (!budget_take(&e->steps, mask))
		return -E2BIG;
	slots = calloc(mask + 1, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (item = 0; item < value->count && r == 0; item++)
		r = find_double(e, value, slots, mask, item, &other);
	free(slots);
	if (r == -EEXIST)
		return report(e, path, PROBLEM_OTHER, "must have no item twice, but items %u and %u are equal", (unsigned)other,
			      (unsigned)item - 1);
	return r;
}

static int eval_rule(struct eval *e, const struct schema_rule *rule, const struct json *value, const struct path *path,
		     struct seen *seen)
{
	switch ((enum schema_op)rule->op) {
	case OP_TYPE:
		return eval_type(e, rule, value, path);
	case OP_CONST:
		return eval_const(e, rule->value, value, path);
	case OP_ENUM:
		return eval_enum(e, rule->enumeration, value, path);
	case OP_MAXIMUM:
	case OP_EXCLUSIVE_MAXIMUM:
	case OP_MINIMUM:
	case OP_EXCLUSIVE_MINIMUM:
	case OP_MULTIPLE_OF:
		return eval_number(e, rule, value->text, path);
	case OP_MAX_LENGTH:
	case OP_MIN_LENGTH:
		return eval_length(e, rule, value->text, path);
	case OP_PATTERN:
		return eval_pattern(e, rule->pattern, value->text, path);
	case OP_FORMAT:
		return eval_format(e, rule->format, value->text, path);
	case OP_MAX_ITEMS:
	case OP_MIN_ITEMS:
	case OP_MAX_PROPERTIES:
	case OP_MIN_PROPERTIES:
		return eval_count(e, rule, value->count, path);
	case OP_REQUIRED:
		return eval_required(e, rule->names, value, path);
	case OP_DEPENDENT_REQUIRED:
		return eval_dependency(e, rule, value, path);
	case OP_UNIQUE_ITEMS:
		return eval_unique(e, value, path);
	case OP_REF:
	case OP_DYNAMIC_REF:
	case OP_PROPERTY_NAMES:
	case OP_MEMBERS:
	case OP_ITEMS:
	case OP_CONTAINS:
	case OP_ALL_OF:
	case OP_ANY_OF:
	case OP_ONE_OF:
	case OP_NOT:
	case OP_IF:
	case OP_DEPENDENT_SCHEMA:
	case OP_UNEVALUATED_ITEMS:
	case OP_UNEVALUATED_PROPERTIES:
		return eval_apply(e, rule, value, path, seen);
	}
	return -EINVAL;
}

static int eval_rules(struct eval *e, const struct schema_node *node, const struct json *value, const struct path *path,
		      struct seen *seen)
{
	const struct schema_rule *rule = e->schema->rules + node->first, *end = rule + node->count;
	unsigned type = 1U << value->type;
	int r = 0;

	if (!budget_take(&e->steps, node->count))
		return -E2BIG;
	for (; rule < end && r == 0; rule++)
		if (rule->types & type)
			r = eval_rule(e, rule, value, path, seen);
	return r;
}

/* A node that reads what was evaluated sees its own rules' marks only, and hands them on when it has passed. */
static int eval_tracked(struct eval *e, const struct schema_node *node, const struct json *value, const struct path *path,
			struct seen *seen)
{
	struct seen own;
	int r = seen_push(e, value, &own);

	if (r)
		return r;
	r = eval_rules(e, node, value, path, &own);
	if (r == 0 && seen)
		seen_add(e, seen, &own);
	seen_pop(e, &own);
	return r;
}

int eval_node(struct eval *e, uint32_t number, const struct json *value, const struct path *path, struct seen *seen)
{
	const struct schema_node *node = &e->schema->nodes[number];
	uint32_t scopes = e->n_scopes;
	int r;

	if (node->kind == SCHEMA_ANY)
		return budget_take(&e->steps, 1) ? 0 : -E2BIG;
	if (node->kind == SCHEMA_NOTHING)
		return report(e, path, PROBLEM_OTHER, "is not allowed here");
	if (e->depth >= SCHEMA_DEPTH || !budget_take(&e->steps, 1))
		return -E2BIG;
	e->depth++;
	if (scopes == 0 || e->scopes[scopes - 1] != node->resource)
		e->scopes[e->n_scopes++] = node->resource;
	r = node->unevaluated ? eval_tracked(e, node, value, path, seen) : eval_rules(e, node, value, path, seen);
	e->n_scopes = scopes;
	e->depth--;
	return r;
}

static int run(const struct schema *schema, const struct json *value, struct problem *problem)
{
	/* The scratch is the schema's own so that an evaluation costs no malloc; nothing in it outlives this call. */
	struct schema_words *words = (struct schema_words *)&schema->words;
	struct eval e = { .schema = schema, .words = words, .steps = SCHEMA_STEPS, .problem = problem };
	const struct path root = { 0 };
	int r;

	words->used = 0;
	r = eval_node(&e, 0, value, &root, NULL);
	if (words->cap > WORDS_KEEP) {
		free(words->ptr);
		*words = (struct schema_words){ 0 };
	}
	return r;
}

int schema_validate(const struct schema *schema, const struct json *value, struct schema_fault *fault)
{
	int r = run(schema, value, NULL);
	const char *plain = r == -E2BIG ? "takes more work to check than is allowed" : "does not fit its schema";
	struct problem problem = { 0 };
	struct text what;

	if (r == 0 || !fault)
		return r;
	if (r == -EINVAL)
		run(schema, value, &problem);
	/* Texts cost steps too: where the second run has not enough of them, it comes back without one. */
	if (problem.fault.what[0] == '\0') {
		what = text_over(problem.fault.what, sizeof(problem.fault.what));
		text_add(&what, plain);
	}
	*fault = problem.fault;
	return r;
}

/* ---- the sets of what is evaluated ---- */

int seen_push(struct eval *e, const struct json *value, struct seen *ret_seen)
{
	struct schema_words *w = e->words;
	uint32_t count = value->type == JSON_ARRAY || value->type == JSON_OBJECT ? value->count : 0;
	size_t need = count / 64 + 1;

	if (!budget_take(&e->steps, need))
		return -E2BIG;
	if (w->used + need > w->cap) {
		size_t cap = (w->used + need) * 2;
		uint64_t *ptr = reallocarray(w->ptr, cap, sizeof(*ptr));

		if (!ptr)
			return -ENOMEM;
		w->ptr = ptr;
		w->cap = cap;
	}
	memset(w->ptr + w->used, 0, need * sizeof(*w->ptr));
	*ret_seen = (struct seen){ .offset = w->used, .count = count };
	w->used += need;
	return 0;
}

void seen_add(struct eval *e, struct seen *to, const struct seen *from)
{
	for (size_t i = 0; i <= from->count / 64; i++)
		e->words->ptr[to->offset + i] |= e->words->ptr[from->offset + i];
}

void seen_pop(struct eval *e, const struct seen *seen)
{
	e->words->used = seen->offset;
}
