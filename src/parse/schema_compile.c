#include "parse/schema_compile.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "parse/schema_text.h"

enum { COMPILE_MEMORY = 64 << 20, SHOWN = 80 };

static void put_place(const struct compiler *c, struct text *where, uint32_t place)
{
	uint32_t *chain, depth = 0, at;

	for (at = place; at != SCHEMA_NONE; at = c->places[at].parent)
		depth++;
	chain = calloc(depth ? depth : 1, sizeof(*chain));
	if (!chain)
		return;
	for (at = place; at != SCHEMA_NONE; at = c->places[at].parent)
		chain[--depth] = at;
	/* Another document than the one that was given is named. */
	if (place != SCHEMA_NONE && chain[0] != 0) {
		text_add_shown(where, c->resources[c->places[chain[0]].resource].uri, SHOWN);
		text_add(where, "#");
	}
	for (at = place == SCHEMA_NONE ? SCHEMA_NONE : chain[0]; at != SCHEMA_NONE;
	     at = at == place ? SCHEMA_NONE : chain[++depth]) {
		const struct place *p = &c->places[at];

		if (p->parent == SCHEMA_NONE)
			continue;
		if (p->step.len && p->step.ptr[0] == '/')
			text_add_shown(where, p->step, sizeof(c->fault->where));
		else
			text_add_token(where, p->step);
		if (p->named)
			text_add_token(where, p->name);
		if (p->indexed)
			text_addf(where, "/%u", (unsigned)p->index);
	}
	free(chain);
}

int compile_refuse(struct compiler *c, uint32_t place, const char *keyword, const char *format, ...)
{
	struct text where = text_over(c->fault->where, sizeof(c->fault->where));
	struct text what = text_over(c->fault->what, sizeof(c->fault->what));
	char line[512];
	va_list args;

	put_place(c, &where, place);
	if (keyword)
		text_add_token(&where, slice_str(keyword));
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	text_add(&what, line);
	return -EINVAL;
}

const char *compile_shown(struct compiler *c, struct slice s)
{
	char shown[256];
	struct text t = text_over(shown, sizeof(shown));
	const char *kept;

	text_add_shown(&t, s, SHOWN);
	kept = arena_printf(&c->arena, "%s", shown);
	return kept ? kept : "...";
}

int compile_grow(void *array, uint32_t count, uint32_t *cap, size_t size)
{
	void **from = array;
	uint32_t more;
	void *to;

	if (count < *cap)
		return 0;
	more = *cap ? *cap * 2 : 16;
	to = reallocarray(*from, more, size);
	if (!to)
		return -ENOMEM;
	*from = to;
	*cap = more;
	return 0;
}

struct schema_rule *compile_rule(struct compiler *c, enum schema_op op, unsigned types)
{
	struct schema *s = c->schema;

	if (s->n_rules >= SCHEMA_RULES || compile_grow(&s->rules, s->n_rules, &c->rules_cap, sizeof(*s->rules)))
		return NULL;
	s->rules[s->n_rules] = (struct schema_rule){ .op = (uint8_t)op, .types = (uint8_t)types };
	return &s->rules[s->n_rules++];
}

int compile_rule_fault(struct compiler *c, uint32_t place)
{
	if (c->schema->n_rules >= SCHEMA_RULES)
		return compile_refuse(c, place, NULL, "is too large: more than %d keywords", SCHEMA_RULES);
	return -ENOMEM;
}

static int order_rules(const void *a, const void *b)
{
	return (int)((const struct schema_rule *)a)->op - (int)((const struct schema_rule *)b)->op;
}

static int compile_place(struct compiler *c, uint32_t place)
{
	uint32_t first = c->schema->n_rules;
	int r = keyword_compile(c, place);
	struct schema_node *node = &c->schema->nodes[place];

	if (r)
		return r;
	node->first = first;
	node->count = c->schema->n_rules - first;
	node->kind = SCHEMA_RULED;
	if (c->places[place].value->type == JSON_FALSE)
		node->kind = SCHEMA_NOTHING;
	else if (node->count == 0)
		node->kind = SCHEMA_ANY;
	else
		qsort(c->schema->rules + first, node->count, sizeof(*c->schema->rules), order_rules);
	return 0;
}

/* ---- schemas that apply themselves to the same value again would never end ---- */

/* The i-th schema that the rule applies to the value as it is; SCHEMA_NONE behind the last. */
static uint32_t in_place(const struct schema_rule *rule, uint32_t i)
{
	const struct schema_conditional *k = rule->conditional;

	switch (rule->op) {
	case OP_REF:
	case OP_NOT:
		return i == 0 ? rule->node : SCHEMA_NONE;
	case OP_ALL_OF:
	case OP_ANY_OF:
	case OP_ONE_OF:
		return i < rule->list->count ? rule->list->nodes[i] : SCHEMA_NONE;
	case OP_IF:
		if (i == 0)
			return k->condition;
		if (i == 1)
			return k->then != SCHEMA_NONE ? k->then : k->otherwise;
		return i == 2 && k->then != SCHEMA_NONE ? k->otherwise : SCHEMA_NONE;
	case OP_DEPENDENT_SCHEMA:
		return i == 0 ? rule->dependency->node : SCHEMA_NONE;
	default:
		return SCHEMA_NONE;
	}
}

struct cycles {
	uint32_t *entries;  /* of each node: schemas not taken away yet that apply it in place */
	uint32_t *order, n; /* nodes taken away, because nothing left applies them */
	uint32_t *from;     /* of each node left: one that applies it */
};

static void count_entries(const struct schema *s, struct cycles *y, uint32_t node, bool away)
{
	for (uint32_t k = s->nodes[node].first; k < s->nodes[node].first + s->nodes[node].count; k++) {
		uint32_t to;

		for (uint32_t i = 0; (to = in_place(&s->rules[k], i)) != SCHEMA_NONE; i++) {
			y->from[to] = node;
			if (!away)
				y->entries[to]++;
			else if (--y->entries[to] == 0)
				y->order[y->n++] = to;
		}
	}
}

static int refuse_cycles(struct compiler *c)
{
	const struct schema *s = c->schema;
	struct cycles y = { .entries = arena_array(&c->arena, s->n_nodes, sizeof(uint32_t)),
			    .order = arena_array(&c->arena, s->n_nodes, sizeof(uint32_t)),
			    .from = arena_array(&c->arena, s->n_nodes, sizeof(uint32_t)) };
	uint32_t at;

	if (!y.entries || !y.order || !y.from)
		return -ENOMEM;
	for (uint32_t n = 0; n < s->n_nodes; n++)
		count_entries(s, &y, n, false);
	for (uint32_t n = 0; n < s->n_nodes; n++)
		if (y.entries[n] == 0)
			y.order[y.n++] = n;
	for (uint32_t i = 0; i < y.n; i++)
		count_entries(s, &y, y.order[i], true);
	if (y.n == s->n_nodes)
		return 0;
	/* Whatever is left is in a circle or behind one; going back from it leads into the circle. */
	for (uint32_t n = 0; n < s->n_nodes; n++)
		if (y.entries[n])
			count_entries(s, &y, n, false);
	for (at = 0; y.entries[at] == 0; at++)
		;
	for (uint32_t i = 0; i < s->n_nodes; i++)
		at = y.from[at];
	return compile_refuse(c, at, NULL, "applies itself to the same value again, without end");
}

static int order_anchors(const void *a, const void *b)
{
	const struct schema_dynamic_anchor *x = a, *y = b;

	if (x->name != y->name)
		return x->name < y->name ? -1 : 1;
	return (x->resource > y->resource) - (x->resource < y->resource);
}

static int compile_document(struct compiler *c, const struct json *document)
{
	struct dialect dialect = dialect_default[c->options->draft];
	uint32_t root;
	int r = regex_family_new(SCHEMA_REGEX_MEMORY, &c->schema->regexes);

	dialect.format_asserts = !c->options->format_annotation_only;
	r = r ? r : index_document(c, document, (struct slice){ 0 }, dialect, &root);
	for (uint32_t place = 0; r == 0 && place < c->schema->n_nodes; place++)
		r = compile_place(c, place);
	r = r ? r : refuse_cycles(c);
	if (r == 0 && c->schema->n_anchors)
		qsort(c->schema->anchors, c->schema->n_anchors, sizeof(*c->schema->anchors), order_anchors);
	return r;
}

static void free_compiler(struct compiler *c)
{
	arena_free(&c->arena);
	free(c->places);
	free(c->resources);
	free((void *)c->regexes);
}

int schema_compile(const struct json *document, const struct schema_options *options, struct schema **ret_schema,
		   struct schema_fault *fault)
{
	static const struct schema_options none = { 0 };
	struct schema_fault unused;
	struct compiler c = { .options = options ? options : &none,
			      .fault = fault ? fault : &unused,
			      .arena = ARENA_INIT(COMPILE_MEMORY),
			      .followed = SCHEMA_FOLLOWED };
	int r;

	*c.fault = (struct schema_fault){ 0 };
	c.by_uri.arena = c.by_anchor.arena = c.by_address.arena = c.anchor_names.arena = c.patterns.arena = &c.arena;
	c.schema = calloc(1, sizeof(*c.schema));
	if (!c.schema)
		return -ENOMEM;
	c.schema->arena = ARENA_INIT(SCHEMA_MEMORY);
	r = compile_document(&c, document);
	if (r == -ENOMEM)
		compile_refuse(&c, SCHEMA_NONE, NULL, "needs more memory than a schema may have");
	free_compiler(&c);
	if (r) {
		schema_free(c.schema);
		return r;
	}
	*ret_schema = c.schema;
	return 0;
}

size_t schema_memory(const struct schema *s)
{
	return s->arena.used + s->n_nodes * sizeof(*s->nodes) + s->n_rules * sizeof(*s->rules) + s->n_anchors * sizeof(*s->anchors) +
	       regex_family_memory(s->regexes);
}

void schema_free(struct schema *s)
{
	if (!s)
		return;
	arena_free(&s->arena);
	regex_family_free(s->regexes);
	free(s->nodes);
	free(s->rules);
	free(s->anchors);
	free(s->words.ptr);
	free(s);
}
