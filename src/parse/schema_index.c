#include <errno.h>

#include "parse/schema_compile.h"
#include "parse/schema_uri.h"
#include "parse/schema_value.h"

static int add_place(struct compiler *c, struct place place, uint32_t *ret_place)
{
	uint32_t n = c->schema->n_nodes;
	int r;

	if (n >= SCHEMA_NODES)
		return compile_refuse(c, place.parent, NULL, "is too large: more than %d schemas within schemas", SCHEMA_NODES);
	r = compile_grow(&c->places, n, &c->places_cap, sizeof(*c->places));
	r = r ? r : compile_grow(&c->schema->nodes, n, &c->nodes_cap, sizeof(*c->schema->nodes));
	r = r ? r : table_add_address(&c->by_address, place.value, n);
	if (r)
		return r;
	c->places[n] = place;
	c->schema->nodes[n] = (struct schema_node){ .resource = place.resource };
	c->schema->n_nodes++;
	if (ret_place)
		*ret_place = n;
	return 0;
}

uint32_t index_place(const struct compiler *c, const struct json *schema)
{
	return table_find_address(&c->by_address, schema);
}

static int add_resource(struct compiler *c, uint32_t place, struct slice uri, struct dialect dialect)
{
	int r = compile_grow(&c->resources, c->n_resources, &c->resources_cap, sizeof(*c->resources));

	if (r)
		return r;
	if (++c->n_names > SCHEMA_NAMES)
		return compile_refuse(c, place, "$id", "is too much: more than %d names for schemas", SCHEMA_NAMES);
	if (uri.len) {
		r = table_add(&c->by_uri, 0, uri, c->n_resources);
		if (r)
			return r == -EEXIST ? compile_refuse(c, place, "$id", "is the name of another schema already") : r;
	}
	c->resources[c->n_resources] = (struct resource){ .uri = uri, .root = place, .dialect = dialect };
	c->places[place].resource = c->schema->nodes[place].resource = c->n_resources++;
	return 0;
}

static int add_anchor(struct compiler *c, uint32_t place, const char *keyword, struct slice name)
{
	int r;

	if (++c->n_names > SCHEMA_NAMES)
		return compile_refuse(c, place, keyword, "is too much: more than %d names for schemas", SCHEMA_NAMES);
	r = table_add(&c->by_anchor, c->places[place].resource, name, place);
	return r == -EEXIST ? compile_refuse(c, place, keyword, "is the name of another schema already") : r;
}

static int add_dynamic_anchor(struct compiler *c, uint32_t place, struct slice name)
{
	struct schema *s = c->schema;
	uint32_t number = table_find(&c->anchor_names, 0, name);
	int r = compile_grow(&s->anchors, s->n_anchors, &c->anchors_cap, sizeof(*s->anchors));

	if (r == 0 && number == TABLE_NONE) {
		number = (uint32_t)c->anchor_names.count;
		r = table_add(&c->anchor_names, 0, name, number);
	}
	if (r)
		return r;
	s->anchors[s->n_anchors++] =
	    (struct schema_dynamic_anchor){ .name = number, .resource = c->places[place].resource, .node = place };
	return add_anchor(c, place, "$dynamicAnchor", name);
}

bool index_only_ref(const struct compiler *c, uint32_t place)
{
	return index_dialect(c, place)->draft == SCHEMA_DRAFT_07 && json_get(c->places[place].value, SLICE("$ref"));
}

/* "$id": a new base for references below, and a name. */
static int scan_id(struct compiler *c, uint32_t place, const struct json *id, struct dialect dialect)
{
	const struct resource *resource = &c->resources[c->places[place].resource];
	struct uri_reference ref;
	int r;

	if (id->type != JSON_STRING)
		return compile_refuse(c, place, "$id", "must be a string");
	r = uri_resolve(&c->arena, resource->uri, id->text, &ref);
	if (r)
		return r == -EINVAL ? compile_refuse(c, place, "$id", "is not a URI reference") : r;
	if (ref.fragment.len && dialect.draft != SCHEMA_DRAFT_07)
		return compile_refuse(c, place, "$id", "must have no fragment");
	/* A document's own name replaces the address under which it was found, and both lead to it. */
	if (!ref.local && !(resource->root == place && slice_eq(resource->uri, ref.uri))) {
		r = add_resource(c, place, ref.uri, dialect);
		if (r)
			return r;
	}
	return ref.fragment.len ? add_anchor(c, place, "$id", ref.fragment) : 0;
}

/* "$schema" and "$id", before anything else of the place means something. */
static int scan_identity(struct compiler *c, uint32_t place)
{
	const struct json *value = c->places[place].value;
	const struct json *meta = json_get(value, SLICE("$schema")), *id = json_get(value, SLICE("$id"));
	struct resource *resource = &c->resources[c->places[place].resource];
	struct dialect dialect = resource->dialect;
	int r;

	if (meta) {
		if (meta->type != JSON_STRING)
			return compile_refuse(c, place, "$schema", "must be a string");
		r = dialect_of(c, place, meta->text, &dialect);
		if (r)
			return r;
		if (resource->root == place)
			resource->dialect = dialect;
		else if (!id && dialect.draft != resource->dialect.draft)
			return compile_refuse(c, place, "$schema", "changes the draft inside a schema that has no \"$id\"");
	}
	if (!id || (dialect.draft == SCHEMA_DRAFT_07 && json_get(value, SLICE("$ref"))))
		return 0;
	return scan_id(c, place, id, dialect);
}

static int scan_anchors(struct compiler *c, uint32_t place)
{
	const struct json *anchor = json_get(c->places[place].value, SLICE("$anchor"));
	const struct json *dynamic = json_get(c->places[place].value, SLICE("$dynamicAnchor"));
	int r = 0;

	if (index_dialect(c, place)->draft == SCHEMA_DRAFT_07)
		return 0;
	if (json_is(anchor, JSON_STRING))
		r = add_anchor(c, place, "$anchor", anchor->text);
	if (r == 0 && json_is(dynamic, JSON_STRING) && !(json_is(anchor, JSON_STRING) && slice_eq(anchor->text, dynamic->text)))
		r = add_dynamic_anchor(c, place, dynamic->text);
	return r;
}

static int add_child(struct compiler *c, struct place child)
{
	if (child.value->type != JSON_OBJECT && !json_is_bool(child.value)) {
		if (!child.named && !child.indexed)
			return compile_refuse(c, child.parent, compile_shown(c, child.step),
					      "must be a schema (an object, true or false)");
		if (child.named)
			return compile_refuse(c, child.parent, compile_shown(c, child.step),
					      "must have a schema (an object, true or false) as \"%s\"",
					      compile_shown(c, child.name));
		return compile_refuse(c, child.parent, compile_shown(c, child.step),
				      "must have schemas (objects, true or false) as its items");
	}
	return add_place(c, child, NULL);
}

static int scan_array(struct compiler *c, struct place child, const struct json *value)
{
	int r = 0;

	if (value->type != JSON_ARRAY)
		return compile_refuse(c, child.parent, compile_shown(c, child.step), "must be an array of schemas");
	child.indexed = true;
	for (uint32_t i = 0; i < value->count && r == 0; i++) {
		child.value = &value->items[i];
		child.index = i;
		r = add_child(c, child);
	}
	return r;
}

static int scan_map(struct compiler *c, struct place child, const struct json *value, bool arrays)
{
	int r = 0;

	if (value->type != JSON_OBJECT)
		return compile_refuse(c, child.parent, compile_shown(c, child.step), "must be an object of schemas");
	child.named = true;
	for (uint32_t i = 0; i < value->count && r == 0; i++) {
		child.value = &value->members[i].value;
		child.name = value->members[i].name;
		if (!arrays || child.value->type != JSON_ARRAY)
			r = add_child(c, child);
	}
	return r;
}

static int scan_children(struct compiler *c, uint32_t place, const struct json_member *m, const struct keyword *k)
{
	struct place child = { .parent = place, .resource = c->places[place].resource, .step = m->name, .value = &m->value };

	switch (k->shape) {
	case SHAPE_NONE:
		return 0;
	case SHAPE_SCHEMA:
		return add_child(c, child);
	case SHAPE_ITEMS:
		return m->value.type == JSON_ARRAY ? scan_array(c, child, &m->value) : add_child(c, child);
	case SHAPE_SCHEMAS:
		return scan_array(c, child, &m->value);
	case SHAPE_MAP:
		return scan_map(c, child, &m->value, false);
	case SHAPE_DEPENDENCIES:
		return scan_map(c, child, &m->value, true);
	}
	return 0;
}

static bool has_keyword(const struct dialect *d, const struct keyword *k)
{
	return (d->draft == SCHEMA_DRAFT_07 ? k->draft_07 : k->draft_2020) && (k->vocabulary & d->vocabularies);
}

static int scan_place(struct compiler *c, uint32_t place)
{
	const struct json *value = c->places[place].value;
	bool only_ref;
	int r;

	if (value->type != JSON_OBJECT)
		return 0;
	r = scan_identity(c, place);
	only_ref = index_only_ref(c, place);
	if (r == 0 && !only_ref)
		r = scan_anchors(c, place);
	for (uint32_t i = 0; i < value->count && r == 0; i++) {
		const struct keyword *k = keyword_find(value->members[i].name);

		/* Beside a "$ref" of draft-07 only the store of definitions is worth looking into: references lead there. */
		if (k && has_keyword(index_dialect(c, place), k) && (!only_ref || k->vocabulary == VOCABULARY_CORE))
			r = scan_children(c, place, &value->members[i], k);
	}
	return r;
}

int index_scan(struct compiler *c)
{
	int r = 0;

	while (c->n_scanned < c->schema->n_nodes && r == 0)
		r = scan_place(c, c->n_scanned++);
	return r;
}

int index_document(struct compiler *c, const struct json *document, struct slice uri, struct dialect dialect, uint32_t *ret_place)
{
	uint32_t place;
	int r;

	if (document->type != JSON_OBJECT && !json_is_bool(document))
		return compile_refuse(c, SCHEMA_NONE, NULL, "must be a schema (an object, true or false)");
	r = add_place(c, (struct place){ .value = document, .parent = SCHEMA_NONE }, &place);
	r = r ? r : add_resource(c, place, uri, dialect);
	r = r ? r : index_scan(c);
	if (r == 0)
		*ret_place = place;
	return r;
}

/* ---- references ---- */

static int load_meta(struct compiler *c, struct slice uri, uint32_t *ret_place)
{
	const char *text = meta_find(uri);
	struct json *document = arena_alloc(&c->arena, sizeof(*document));
	struct dialect dialect = dialect_default[SCHEMA_2020_12];

	if (!document || json_parse(&c->arena, slice_str(text), &json_limits_default, document, NULL))
		return -ENOMEM;
	dialect.format_asserts = !c->options->format_annotation_only;
	return index_document(c, document, uri, dialect, ret_place);
}

/* The resource of that address; a document that is not known yet is taken in. */
static int find_resource(struct compiler *c, uint32_t place, const char *keyword, struct slice uri, uint32_t *ret_resource)
{
	const struct json *document;
	uint32_t root;
	int r;

	*ret_resource = table_find(&c->by_uri, 0, uri);
	if (*ret_resource != TABLE_NONE)
		return 0;
	document = c->options->document ? c->options->document(c->options->ctx, uri) : NULL;
	if (document)
		r = index_document(c, document, uri, *index_dialect(c, place), &root);
	else if (meta_find(uri))
		r = load_meta(c, uri, &root);
	else
		return compile_refuse(c, place, keyword, "leads to \"%s\", which is not in this document, and nothing is fetched",
				      compile_shown(c, uri));
	if (r == 0)
		*ret_resource = c->places[root].resource;
	return r;
}

/* The next token of a pointer, its escapes undone. 0, -EINVAL, -ENOMEM. */
static int take_token(struct arena *arena, struct slice pointer, size_t *at, struct slice *ret_token)
{
	size_t end = ++*at, len = 0;
	char *to;

	while (end < pointer.len && pointer.ptr[end] != '/')
		end++;
	to = arena_alloc(arena, end - *at);
	if (!to)
		return -ENOMEM;
	for (; *at < end; ++*at) {
		char c = pointer.ptr[*at];

		if (c == '~') {
			++*at;
			if (*at >= end || (pointer.ptr[*at] != '0' && pointer.ptr[*at] != '1'))
				return -EINVAL;
			c = pointer.ptr[*at] == '0' ? '~' : '/';
		}
		to[len++] = c;
	}
	*ret_token = slice_of(to, len);
	return 0;
}

static const struct json *step_into(const struct json *value, struct slice token)
{
	uint64_t index = 0;

	if (value->type == JSON_OBJECT)
		return json_get(value, token);
	if (value->type != JSON_ARRAY || token.len == 0 || token.len > 9 || (token.len > 1 && token.ptr[0] == '0'))
		return NULL;
	for (size_t i = 0; i < token.len; i++) {
		if (token.ptr[i] < '0' || token.ptr[i] > '9')
			return NULL;
		index = index * 10 + (uint64_t)(token.ptr[i] - '0');
	}
	return index < value->count ? &value->items[index] : NULL;
}

/* Follows a JSON Pointer; a schema that stands where none is expected becomes a place of its own. -EINVAL, -E2BIG, -ENOMEM. */
static int find_pointer(struct compiler *c, uint32_t root, struct slice pointer, uint32_t *ret_place)
{
	const struct json *value = c->places[root].value;
	uint32_t place = root;
	size_t at = 0, since = 0;

	while (at < pointer.len) {
		struct slice token;
		uint32_t here;
		int r = take_token(&c->arena, pointer, &at, &token);

		if (r)
			return r;
		if (value->type == JSON_OBJECT && !budget_take(&c->followed, value->count))
			return -E2BIG;
		value = step_into(value, token);
		if (!value)
			return -EINVAL;
		here = index_place(c, value);
		if (here != TABLE_NONE) {
			place = here;
			since = at;
		}
	}
	if (since < pointer.len) {
		struct place found = { .value = value, .parent = place, .resource = c->places[place].resource };
		int r;

		if (value->type != JSON_OBJECT && !json_is_bool(value))
			return -EINVAL;
		found.step = slice_of(pointer.ptr + since, pointer.len - since);
		r = add_place(c, found, &place);
		r = r ? r : index_scan(c);
		if (r)
			return r;
	}
	*ret_place = place;
	return 0;
}

static uint32_t dynamic_name(const struct compiler *c, uint32_t place, struct slice name)
{
	const struct schema *s = c->schema;
	uint32_t number = table_find(&c->anchor_names, 0, name);

	for (uint32_t i = 0; number != TABLE_NONE && i < s->n_anchors; i++)
		if (s->anchors[i].node == place && s->anchors[i].name == number)
			return number;
	return SCHEMA_NONE;
}

int index_resolve(struct compiler *c, uint32_t place, const char *keyword, struct slice reference, uint32_t *ret_place,
		  uint32_t *ret_dynamic)
{
	uint32_t resource = c->places[place].resource, found;
	struct uri_reference ref;
	int r = uri_resolve(&c->arena, c->resources[resource].uri, reference, &ref);

	if (r)
		return r == -EINVAL ? compile_refuse(c, place, keyword, "is not a URI reference") : r;
	if (!ref.local) {
		r = find_resource(c, place, keyword, ref.uri, &resource);
		if (r)
			return r;
	}
	*ret_dynamic = SCHEMA_NONE;
	found = c->resources[resource].root;
	/* A document found under one address may call itself by another; its anchors are filed under that one. */
	resource = c->places[found].resource;
	if (ref.fragment.len && ref.fragment.ptr[0] == '/') {
		r = find_pointer(c, found, ref.fragment, &found);
		if (r == -E2BIG)
			return compile_refuse(c, place, keyword,
					      "takes more work to follow, with the references before it, than is allowed");
		if (r == -EINVAL && c->fault->what[0] == '\0')
			return compile_refuse(c, place, keyword, "leads to \"%s\", where there is no schema",
					      compile_shown(c, reference));
		if (r)
			return r;
	} else if (ref.fragment.len) {
		found = table_find(&c->by_anchor, resource, ref.fragment);
		if (found == TABLE_NONE)
			return compile_refuse(c, place, keyword, "leads to \"%s\", where there is no schema",
					      compile_shown(c, reference));
		*ret_dynamic = dynamic_name(c, found, ref.fragment);
	}
	*ret_place = found;
	return 0;
}
