/* Rules that apply other schemas, to the value itself or to what is in it. */
#include <errno.h>
#include <inttypes.h>

#include "parse/schema_eval.h"

static void mark(struct eval *e, const struct seen *seen, uint32_t i)
{
	if (seen)
		e->words->ptr[seen->offset + i / 64] |= UINT64_C(1) << i % 64;
}

static bool marked(const struct eval *e, const struct seen *seen, uint32_t i)
{
	return e->words->ptr[seen->offset + i / 64] >> i % 64 & 1;
}

static bool is_nothing(const struct eval *e, uint32_t node)
{
	return e->schema->nodes[node].kind == SCHEMA_NOTHING;
}

static int apply_item(struct eval *e, uint32_t node, const struct json *array, uint32_t i, const struct path *path)
{
	struct path here = { .up = path, .index = i, .indexed = true, .depth = path->depth + 1 };

	return eval_node(e, node, &array->items[i], &here, NULL);
}

static int apply_member(struct eval *e, uint32_t node, const struct json *object, uint32_t i, const struct path *path)
{
	struct path here = { .up = path, .name = object->members[i].name, .depth = path->depth + 1 };

	/* Said of the object, which is where the member has to go. */
	if (is_nothing(e, node))
		return report_name(e, path, "must not have the member", object->members[i].name);
	return eval_node(e, node, &object->members[i].value, &here, NULL);
}

/*
 * Applies a schema that may fail without the value being invalid: its violation goes to *problem, or nowhere, and its marks count
 * only when it has passed.
 */
static int apply_aside(struct eval *e, uint32_t node, const struct json *value, const struct path *path, struct seen *seen,
		       struct problem *problem)
{
	struct problem *outer = e->problem;
	struct seen own = { 0 };
	int r = seen ? seen_push(e, value, &own) : 0;

	if (r)
		return r;
	e->problem = problem;
	r = eval_node(e, node, value, path, seen ? &own : NULL);
	e->problem = outer;
	if (seen && r == 0)
		seen_add(e, seen, &own);
	if (seen)
		seen_pop(e, &own);
	return r;
}

/* How many of the schemas pass, counted up to `enough`. 0, or an error that ends everything. */
static int count_passing(struct eval *e, const struct schema_list *list, const struct json *value, const struct path *path,
			 struct seen *seen, uint32_t enough, uint32_t *ret_passed)
{
	uint32_t passed = 0;

	for (uint32_t i = 0; i < list->count && passed < enough; i++) {
		int r = apply_aside(e, list->nodes[i], value, path, seen, NULL);

		if (r && r != -EINVAL)
			return r;
		passed += r == 0;
	}
	*ret_passed = passed;
	return 0;
}

/* None of the schemas has passed: once more, for the text that helps most. */
static int report_union(struct eval *e, const struct schema_list *list, const struct json *value, const struct path *path)
{
	struct problem next = { 0 };

	if (!e->problem)
		return -EINVAL;
	for (uint32_t i = 0; i < list->count; i++) {
		int r = apply_aside(e, list->nodes[i], value, path, NULL, &next);

		if (r != -EINVAL)
			return r ? r : -EINVAL;
		problem_choose(e->problem, &next, path->depth, i == 0);
	}
	return -EINVAL;
}

static int apply_any_of(struct eval *e, const struct schema_list *list, const struct json *value, const struct path *path,
			struct seen *seen)
{
	uint32_t passed;
	/* Whoever asks what is evaluated needs to hear of all that pass. */
	int r = count_passing(e, list, value, path, seen, seen ? UINT32_MAX : 1, &passed);

	if (r)
		return r;
	return passed ? 0 : report_union(e, list, value, path);
}

static int apply_one_of(struct eval *e, const struct schema_list *list, const struct json *value, const struct path *path,
			struct seen *seen)
{
	uint32_t passed;
	int r = count_passing(e, list, value, path, seen, 2, &passed);

	if (r)
		return r;
	if (passed > 1)
		return report(e, path, PROBLEM_OTHER, "fits more than one alternative where exactly one must fit");
	return passed ? 0 : report_union(e, list, value, path);
}

static int apply_all_of(struct eval *e, const struct schema_list *list, const struct json *value, const struct path *path,
			struct seen *seen)
{
	int r = 0;

	for (uint32_t i = 0; i < list->count && r == 0; i++)
		r = eval_node(e, list->nodes[i], value, path, seen);
	return r;
}

static int apply_not(struct eval *e, uint32_t node, const struct json *value, const struct path *path)
{
	int r = apply_aside(e, node, value, path, NULL, NULL);

	if (r == 0)
		return report(e, path, PROBLEM_OTHER, "must not be what \"not\" describes");
	return r == -EINVAL ? 0 : r;
}

static int apply_if(struct eval *e, const struct schema_conditional *k, const struct json *value, const struct path *path,
		    struct seen *seen)
{
	int r = apply_aside(e, k->condition, value, path, seen, NULL);
	uint32_t node = r ? k->otherwise : k->then;

	if (r && r != -EINVAL)
		return r;
	return node == SCHEMA_NONE ? 0 : eval_node(e, node, value, path, seen);
}

static const struct schema_dynamic_anchor *find_anchor(const struct schema *s, uint32_t name, uint32_t resource)
{
	uint32_t low = 0, high = s->n_anchors;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct schema_dynamic_anchor *a = &s->anchors[middle];

		if (a->name == name && a->resource == resource)
			return a;
		if (a->name < name || (a->name == name && a->resource < resource))
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* The outermost resource on the way here that has the anchor decides. */
static int apply_dynamic_ref(struct eval *e, const struct schema_rule *rule, const struct json *value, const struct path *path,
			     struct seen *seen)
{
	uint32_t node = rule->dynamic.node;

	if (!budget_take(&e->steps, e->n_scopes))
		return -E2BIG;
	for (uint32_t i = 0; i < e->n_scopes; i++) {
		const struct schema_dynamic_anchor *a = find_anchor(e->schema, rule->dynamic.name, e->scopes[i]);

		if (a) {
			node = a->node;
			break;
		}
	}
	return eval_node(e, node, value, path, seen);
}

/* All schemas that one member falls under. */
static int apply_one_member(struct eval *e, const struct schema_members *m, const struct json *value, uint32_t i,
			    const struct path *path, struct seen *seen)
{
	struct slice name = value->members[i].name;
	uint32_t at = schema_names_find(&m->properties, name);
	bool matched = at != SCHEMA_NONE;
	int r = matched ? apply_member(e, m->properties.sorted[at].node, value, i, path) : 0;

	for (uint32_t p = 0; p < m->n_patterns && r == 0; p++) {
		r = regex_match(m->patterns[p].regex, name, &e->steps);
		if (r == 0) {
			matched = true;
			r = apply_member(e, m->patterns[p].node, value, i, path);
		} else if (r == -ENOENT) {
			r = 0;
		}
	}
	if (r == 0 && !matched && m->additional != SCHEMA_NONE) {
		matched = true;
		r = apply_member(e, m->additional, value, i, path);
	}
	if (r == 0 && matched)
		mark(e, seen, i);
	return r;
}

static int apply_members(struct eval *e, const struct schema_members *m, const struct json *value, const struct path *path,
			 struct seen *seen)
{
	int r = budget_take(&e->steps, value->count) ? 0 : -E2BIG;

	for (uint32_t i = 0; i < value->count && r == 0; i++)
		r = apply_one_member(e, m, value, i, path, seen);
	return r;
}

static int apply_names(struct eval *e, uint32_t node, const struct json *value, const struct path *path)
{
	int r = 0;

	for (uint32_t i = 0; i < value->count && r == 0; i++) {
		struct json name = { .type = JSON_STRING, .text = value->members[i].name };
		struct path here = { .up = path, .name = name.text, .depth = path->depth + 1 };

		if (is_nothing(e, node))
			return report_name(e, path, "must not have the member", name.text);
		r = eval_node(e, node, &name, &here, NULL);
		if (r == -EINVAL)
			return report_in_name(e);
	}
	return r;
}

static int apply_items(struct eval *e, const struct schema_items *items, const struct json *value, const struct path *path,
		       struct seen *seen)
{
	uint32_t i = 0;
	int r = budget_take(&e->steps, seen ? value->count : 0) ? 0 : -E2BIG;

	for (; i < value->count && i < items->prefix.count && r == 0; i++) {
		r = apply_item(e, items->prefix.nodes[i], value, i, path);
		mark(e, seen, i);
	}
	if (r || items->rest == SCHEMA_NONE || i >= value->count)
		return r;
	if (is_nothing(e, items->rest))
		return report(e, path, PROBLEM_OTHER, "must have at most %u item%s", (unsigned)i, i == 1 ? "" : "s");
	for (; i < value->count && r == 0; i++) {
		r = apply_item(e, items->rest, value, i, path);
		mark(e, seen, i);
	}
	return r;
}

static int report_contains(struct eval *e, const struct path *path, const char *most, uint64_t limit)
{
	return report(e, path, PROBLEM_OTHER, "must have %s %" PRIu64 " item%s of the kind that \"contains\" describes", most,
		      limit, limit == 1 ? "" : "s");
}

static int apply_contains(struct eval *e, const struct schema_contains *k, const struct json *value, const struct path *path,
			  struct seen *seen)
{
	struct problem *problem = e->problem;
	bool all = k->max != UINT64_MAX || (seen && k->evaluates);
	uint64_t found = 0;

	for (uint32_t i = 0; i < value->count && (all || found < k->min); i++) {
		int r;

		e->problem = NULL;
		r = apply_item(e, k->node, value, i, path);
		e->problem = problem;
		if (r && r != -EINVAL)
			return r;
		if (r)
			continue;
		found++;
		if (k->evaluates)
			mark(e, seen, i);
	}
	if (found < k->min)
		return report_contains(e, path, "at least", k->min);
	return found > k->max ? report_contains(e, path, "at most", k->max) : 0;
}

static int apply_unevaluated_items(struct eval *e, uint32_t node, const struct json *value, const struct path *path,
				   struct seen *seen)
{
	int r = budget_take(&e->steps, value->count) ? 0 : -E2BIG;

	for (uint32_t i = 0; i < value->count && r == 0; i++) {
		if (marked(e, seen, i))
			continue;
		r = apply_item(e, node, value, i, path);
		mark(e, seen, i);
	}
	return r;
}

static int apply_unevaluated_members(struct eval *e, uint32_t node, const struct json *value, const struct path *path,
				     struct seen *seen)
{
	int r = budget_take(&e->steps, value->count) ? 0 : -E2BIG;

	for (uint32_t i = 0; i < value->count && r == 0; i++) {
		if (marked(e, seen, i))
			continue;
		r = apply_member(e, node, value, i, path);
		mark(e, seen, i);
	}
	return r;
}

int eval_apply(struct eval *e, const struct schema_rule *rule, const struct json *value, const struct path *path, struct seen *seen)
{
	switch (rule->op) {
	case OP_REF:
		return eval_node(e, rule->node, value, path, seen);
	case OP_DYNAMIC_REF:
		return apply_dynamic_ref(e, rule, value, path, seen);
	case OP_PROPERTY_NAMES:
		return apply_names(e, rule->node, value, path);
	case OP_MEMBERS:
		return apply_members(e, rule->members, value, path, seen);
	case OP_ITEMS:
		return apply_items(e, rule->items, value, path, seen);
	case OP_CONTAINS:
		return apply_contains(e, rule->contains, value, path, seen);
	case OP_ALL_OF:
		return apply_all_of(e, rule->list, value, path, seen);
	case OP_ANY_OF:
		return apply_any_of(e, rule->list, value, path, seen);
	case OP_ONE_OF:
		return apply_one_of(e, rule->list, value, path, seen);
	case OP_NOT:
		return apply_not(e, rule->node, value, path);
	case OP_IF:
		return apply_if(e, rule->conditional, value, path, seen);
	case OP_DEPENDENT_SCHEMA:
		if (!budget_take(&e->steps, value->count / 4))
			return -E2BIG;
		return json_get(value, rule->dependency->name) ? eval_node(e, rule->dependency->node, value, path, seen) : 0;
	case OP_UNEVALUATED_ITEMS:
		return apply_unevaluated_items(e, rule->node, value, path, seen);
	case OP_UNEVALUATED_PROPERTIES:
		return apply_unevaluated_members(e, rule->node, value, path, seen);
	default:
		return -EINVAL;
	}
}
