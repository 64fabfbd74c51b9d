/* What the keywords become that apply other schemas. The index has checked that those are schemas, and given each its place. */
#include <errno.h>

#include "parse/schema_compile.h"

enum { TYPE_ARRAY = 1 << JSON_ARRAY, TYPE_OBJECT = 1 << JSON_OBJECT, TYPE_ALL = 0x7F };

static const struct json *sibling(const struct compiler *c, uint32_t place, const char *name)
{
	return json_get(c->places[place].value, slice_str(name));
}

/* The sibling, when its keyword means something here: not when the draft or the meta-schema leaves it out. */
static const struct json *active_sibling(const struct compiler *c, uint32_t place, const char *name)
{
	const struct dialect *d = index_dialect(c, place);
	const struct keyword *k = keyword_find(slice_str(name));

	if (!(d->draft == SCHEMA_DRAFT_07 ? k->draft_07 : k->draft_2020) || !(k->vocabulary & d->vocabularies))
		return NULL;
	return sibling(c, place, name);
}

static uint32_t sibling_place(const struct compiler *c, uint32_t place, const char *name)
{
	const struct json *value = active_sibling(c, place, name);

	return value ? index_place(c, value) : SCHEMA_NONE;
}

static int add_node(struct compiler *c, uint32_t place, enum schema_op op, unsigned types, uint32_t node)
{
	struct schema_rule *rule = compile_rule(c, op, types);

	if (!rule)
		return compile_rule_fault(c, place);
	rule->node = node;
	return 0;
}

int rule_ref(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	uint32_t target, dynamic;
	int r;

	if (value->type != JSON_STRING)
		return compile_refuse(c, place, keyword, "must be a string");
	r = index_resolve(c, place, keyword, value->text, &target, &dynamic);
	return r ? r : add_node(c, place, OP_REF, TYPE_ALL, target);
}

int rule_dynamic_ref(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	struct schema_rule *rule;
	uint32_t target, dynamic;
	int r;

	if (value->type != JSON_STRING)
		return compile_refuse(c, place, keyword, "must be a string");
	r = index_resolve(c, place, keyword, value->text, &target, &dynamic);
	if (r)
		return r;
	if (dynamic == SCHEMA_NONE)
		return add_node(c, place, OP_REF, TYPE_ALL, target);
	rule = compile_rule(c, OP_DYNAMIC_REF, TYPE_ALL);
	if (!rule)
		return compile_rule_fault(c, place);
	rule->dynamic.node = target;
	rule->dynamic.name = dynamic;
	return 0;
}

static int fill_list(struct compiler *c, const struct json *value, struct schema_list *list)
{
	list->count = value->count;
	list->nodes = arena_array(&c->schema->arena, value->count, sizeof(*list->nodes));
	if (!list->nodes)
		return -ENOMEM;
	for (uint32_t i = 0; i < value->count; i++)
		list->nodes[i] = index_place(c, &value->items[i]);
	return 0;
}

static int add_list(struct compiler *c, uint32_t place, const char *keyword, const struct json *value, enum schema_op op)
{
	struct schema_rule *rule = compile_rule(c, op, TYPE_ALL);
	struct schema_list *list = arena_alloc(&c->schema->arena, sizeof(*list));

	if (!rule || !list)
		return compile_rule_fault(c, place);
	if (value->count == 0)
		return compile_refuse(c, place, keyword, "must hold a schema");
	rule->list = list;
	return fill_list(c, value, list);
}

int rule_all_of(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	return add_list(c, place, keyword, value, OP_ALL_OF);
}

int rule_any_of(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	return add_list(c, place, keyword, value, OP_ANY_OF);
}

int rule_one_of(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	return add_list(c, place, keyword, value, OP_ONE_OF);
}

int rule_not(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	(void)keyword;
	return add_node(c, place, OP_NOT, TYPE_ALL, index_place(c, value));
}

int rule_if(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	struct schema_rule *rule = compile_rule(c, OP_IF, TYPE_ALL);
	struct schema_conditional *conditional = arena_alloc(&c->schema->arena, sizeof(*conditional));

	(void)keyword;
	if (!rule || !conditional)
		return compile_rule_fault(c, place);
	conditional->condition = index_place(c, value);
	conditional->then = sibling_place(c, place, "then");
	conditional->otherwise = sibling_place(c, place, "else");
	rule->conditional = conditional;
	return 0;
}

static int fill_properties(struct compiler *c, const struct json *value, struct schema_names *names)
{
	struct arena *arena = &c->schema->arena;

	names->count = value->count;
	names->sorted = arena_array(arena, value->count, sizeof(*names->sorted));
	if (!names->sorted)
		return -ENOMEM;
	for (uint32_t i = 0; i < value->count; i++) {
		names->sorted[i].name = arena_copy(arena, value->members[i].name);
		names->sorted[i].node = index_place(c, &value->members[i].value);
		if (!names->sorted[i].name.ptr)
			return -ENOMEM;
	}
	rule_sort_names(names);
	return 0;
}

static int fill_patterns(struct compiler *c, uint32_t place, const struct json *value, struct schema_members *members)
{
	members->n_patterns = value->count;
	members->patterns = arena_array(&c->schema->arena, value->count, sizeof(*members->patterns));
	if (!members->patterns)
		return -ENOMEM;
	for (uint32_t i = 0; i < value->count; i++) {
		struct schema_pattern *p = &members->patterns[i];
		int r = rule_regex(c, place, "patternProperties", value->members[i].name, &p->regex);

		if (r)
			return r;
		p->node = index_place(c, &value->members[i].value);
	}
	return 0;
}

/* The three keywords make one rule, since each member is looked at once. */
static int add_members(struct compiler *c, uint32_t place)
{
	const struct json *properties = sibling(c, place, "properties"), *patterns = sibling(c, place, "patternProperties");
	struct schema_rule *rule = compile_rule(c, OP_MEMBERS, TYPE_OBJECT);
	struct schema_members *members = arena_alloc(&c->schema->arena, sizeof(*members));
	int r = 0;

	if (!rule || !members)
		return compile_rule_fault(c, place);
	rule->members = members;
	members->additional = sibling_place(c, place, "additionalProperties");
	if (properties)
		r = fill_properties(c, properties, &members->properties);
	return r == 0 && patterns ? fill_patterns(c, place, patterns, members) : r;
}

int rule_properties(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	(void)keyword, (void)value;
	return add_members(c, place);
}

int rule_pattern_properties(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	(void)keyword, (void)value;
	return sibling(c, place, "properties") ? 0 : add_members(c, place);
}

int rule_additional_properties(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	(void)keyword, (void)value;
	return sibling(c, place, "properties") || sibling(c, place, "patternProperties") ? 0 : add_members(c, place);
}

int rule_property_names(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	(void)keyword;
	return add_node(c, place, OP_PROPERTY_NAMES, TYPE_OBJECT, index_place(c, value));
}

static int add_items(struct compiler *c, uint32_t place, const struct json *prefix, uint32_t rest)
{
	struct schema_rule *rule = compile_rule(c, OP_ITEMS, TYPE_ARRAY);
	struct schema_items *items = arena_alloc(&c->schema->arena, sizeof(*items));

	if (!rule || !items)
		return compile_rule_fault(c, place);
	rule->items = items;
	items->rest = rest;
	return prefix ? fill_list(c, prefix, &items->prefix) : 0;
}

int rule_prefix_items(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	const struct json *items = sibling(c, place, "items");

	if (value->count == 0)
		return compile_refuse(c, place, keyword, "must hold a schema");
	if (json_is(items, JSON_ARRAY))
		return compile_refuse(c, place, "items", "must be one schema beside \"prefixItems\"");
	return add_items(c, place, value, items ? index_place(c, items) : SCHEMA_NONE);
}

int rule_items(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	(void)keyword;
	if (value->type == JSON_ARRAY) {
		/* Beside "prefixItems" the array has been refused there. */
		if (active_sibling(c, place, "prefixItems"))
			return 0;
		return add_items(c, place, value, sibling_place(c, place, "additionalItems"));
	}
	return active_sibling(c, place, "prefixItems") ? 0 : add_items(c, place, NULL, index_place(c, value));
}

static int contains_count(struct compiler *c, uint32_t place, const char *name, uint64_t *count)
{
	const struct json *value = active_sibling(c, place, name);

	if (value && (value->type != JSON_NUMBER || number_count(value->text, count)))
		return compile_refuse(c, place, name, "must be an integer of 0 or more");
	return 0;
}

int rule_contains(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	struct schema_rule *rule = compile_rule(c, OP_CONTAINS, TYPE_ARRAY);
	struct schema_contains *contains = arena_alloc(&c->schema->arena, sizeof(*contains));
	int r;

	(void)keyword;
	if (!rule || !contains)
		return compile_rule_fault(c, place);
	rule->contains = contains;
	contains->node = index_place(c, value);
	contains->min = 1;
	contains->max = UINT64_MAX;
	contains->evaluates = index_dialect(c, place)->draft == SCHEMA_2020_12;
	r = contains_count(c, place, "minContains", &contains->min);
	return r ? r : contains_count(c, place, "maxContains", &contains->max);
}

/* "contains" has read them, or there is none and they mean nothing; their shape is checked all the same. */
int rule_min_contains(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	uint64_t count;

	if (value->type != JSON_NUMBER || number_count(value->text, &count))
		return compile_refuse(c, place, keyword, "must be an integer of 0 or more");
	return 0;
}

int rule_max_contains(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	return rule_min_contains(c, place, keyword, value);
}

int rule_unevaluated_items(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	(void)keyword;
	c->schema->nodes[place].unevaluated = true;
	return add_node(c, place, OP_UNEVALUATED_ITEMS, TYPE_ARRAY, index_place(c, value));
}

int rule_unevaluated_properties(struct compiler *c, uint32_t place, const char *keyword, const struct json *value)
{
	(void)keyword;
	c->schema->nodes[place].unevaluated = true;
	return add_node(c, place, OP_UNEVALUATED_PROPERTIES, TYPE_OBJECT, index_place(c, value));
}
