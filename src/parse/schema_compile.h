/*
 * How a document becomes nodes and rules; shared by schema_compile.c (the order of work), schema_index.c (where schemas stand, what
 * they are called, where references lead), schema_keyword.c (which keywords there are) and schema_rules*.c (what each becomes).
 *
 * A place is a schema in its document, and has the number of its node. Places are found before anything is compiled, parents before
 * children, without recursion: what a stranger nests only makes the list longer.
 */
#pragma once

#include "parse/schema_node.h"
#include "parse/schema_table.h"

/* What a resource ("$schema", "$vocabulary") says that its keywords mean. */
struct dialect {
	enum schema_draft draft;
	unsigned vocabularies;
	bool format_asserts;
};

enum vocabulary {
	VOCABULARY_CORE = 1 << 0,
	VOCABULARY_APPLICATOR = 1 << 1,
	VOCABULARY_UNEVALUATED = 1 << 2,
	VOCABULARY_VALIDATION = 1 << 3,
	VOCABULARY_ANNOTATION = 1 << 4,
	VOCABULARY_FORMAT = 1 << 5,
};

struct place {
	const struct json *value;
	uint32_t parent; /* SCHEMA_NONE: the root of a document */
	uint32_t resource;
	struct slice step; /* from the parent: the keyword, or a whole pointer beginning with "/" */
	struct slice name; /* and the member's name below it, when named */
	uint32_t index;    /* or the element's number, when indexed */
	bool named, indexed;
};

struct resource {
	struct slice uri; /* absolute, or empty */
	uint32_t root;    /* place */
	struct dialect dialect;
};

struct compiler {
	const struct schema_options *options;
	struct schema_fault *fault;
	struct schema *schema;
	struct arena arena;   /* for what compile time alone needs */
	struct place *places; /* as many as schema->nodes */
	struct resource *resources;
	uint32_t places_cap, nodes_cap, rules_cap, resources_cap, anchors_cap;
	uint32_t n_resources, n_scanned, n_names;
	uint64_t followed;         /* members that references may still pass */
	struct table by_uri;       /* resource */
	struct table by_anchor;    /* scope: resource; place */
	struct table by_address;   /* of the schema's json; place */
	struct table anchor_names; /* number of a dynamic anchor's name */
	struct table patterns;     /* index into regexes */
	const struct regex **regexes;
	uint32_t n_regexes, regexes_cap;
};

/* Where the children of a keyword are. */
enum keyword_shape {
	SHAPE_NONE,
	SHAPE_SCHEMA,
	SHAPE_SCHEMAS,      /* an array of schemas */
	SHAPE_MAP,          /* an object of schemas */
	SHAPE_ITEMS,        /* one, or an array */
	SHAPE_DEPENDENCIES, /* an object of schemas and arrays */
};

struct keyword {
	const char *name;
	bool draft_07, draft_2020; /* the draft has it, or has another's here */
	enum keyword_shape shape;
	enum vocabulary vocabulary;
	/* Checks the value and adds its rules; NULL: nothing to check or keep. */
	int (*compile)(struct compiler *c, uint32_t place, const char *keyword, const struct json *value);
};

/* ---- schema_compile.c ---- */

/* Fills the fault with the place (and the keyword in it, unless NULL) and the clause. Always -EINVAL. */
int compile_refuse(struct compiler *c, uint32_t place, const char *keyword, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* For clauses: `s` made printable and short. Valid as long as the compiler. */
const char *compile_shown(struct compiler *c, struct slice s);

/* Appends a rule to the node that is being compiled: filled by the caller, valid until the next. NULL past the limit or without
 * memory. */
struct schema_rule *compile_rule(struct compiler *c, enum schema_op op, unsigned types);

/* What compile_rule's NULL means. */
int compile_rule_fault(struct compiler *c, uint32_t place);

/* Makes room for one more in a growing array. 0 or -ENOMEM. */
int compile_grow(void *array, uint32_t count, uint32_t *cap, size_t size);

/* ---- schema_index.c ---- */

int index_document(struct compiler *c, const struct json *document, struct slice uri, struct dialect dialect, uint32_t *ret_place);

/* Finds the children and names of all places that have not been looked through. */
int index_scan(struct compiler *c);

/* The place of a child schema, which is a member or element of a keyword's value. */
uint32_t index_place(const struct compiler *c, const struct json *schema);

/* Where a reference leads. *ret_dynamic is the number of the dynamic anchor's name when it leads to one, else SCHEMA_NONE. */
int index_resolve(struct compiler *c, uint32_t place, const char *keyword, struct slice reference, uint32_t *ret_place,
		  uint32_t *ret_dynamic);

/* Whether `place` is draft-07 and its "$ref" makes all its other members mean nothing. */
bool index_only_ref(const struct compiler *c, uint32_t place);

static inline const struct dialect *index_dialect(const struct compiler *c, uint32_t place)
{
	return &c->resources[c->places[place].resource].dialect;
}

/* ---- schema_dialect.c ---- */

/* What the "$schema" of the schema at `place` asks for. */
int dialect_of(struct compiler *c, uint32_t place, struct slice uri, struct dialect *ret_dialect);

extern const struct dialect dialect_default[]; /* by enum schema_draft */

/* ---- schema_keyword.c ---- */

/* NULL for a name that neither draft has. */
const struct keyword *keyword_find(struct slice name);

/* True for what says nothing about the value: "x-..." and the annotations of OpenAPI. */
bool keyword_is_annotation(struct slice name);

/* Compiles the keywords of one place into rules. */
int keyword_compile(struct compiler *c, uint32_t place);

/* ---- schema_meta.c ---- */

/* The text of a published meta-schema or vocabulary, or NULL. */
const char *meta_find(struct slice uri);

/* ---- schema_rules*.c: one for each keyword that asserts ---- */

typedef int keyword_compiler(struct compiler *c, uint32_t place, const char *keyword, const struct json *value);

keyword_compiler rule_type, rule_const, rule_enum, rule_maximum, rule_minimum, rule_exclusive_maximum, rule_exclusive_minimum,
    rule_multiple_of;
keyword_compiler rule_max_length, rule_min_length, rule_pattern, rule_format, rule_max_items, rule_min_items, rule_unique_items;
keyword_compiler rule_max_properties, rule_min_properties, rule_required, rule_dependent_required;
keyword_compiler rule_ref, rule_dynamic_ref, rule_properties, rule_pattern_properties, rule_additional_properties,
    rule_property_names;
keyword_compiler rule_prefix_items, rule_items, rule_contains, rule_min_contains, rule_max_contains;
keyword_compiler rule_all_of, rule_any_of, rule_one_of, rule_not, rule_if, rule_dependent_schemas, rule_dependencies;
keyword_compiler rule_unevaluated_items, rule_unevaluated_properties;

/* Checks of keywords that make no rule. */
keyword_compiler check_string, check_boolean, check_array, check_anchor, check_vocabulary;

/* The regex of a pattern, compiled once for the whole schema. */
int rule_regex(struct compiler *c, uint32_t place, const char *keyword, struct slice pattern, const struct regex **ret_regex);

/* Sorted by name, doubles dropped. */
void rule_sort_names(struct schema_names *names);
