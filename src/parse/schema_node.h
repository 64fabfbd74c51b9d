/*
 * The compiled form of a schema, between schema_compile.c, which makes it, and schema_eval.c, which runs it: an array of nodes (one
 * for each schema within the schema), each a run of rules in one array, in the order in which they are tried.
 */
#pragma once

#include "parse/regex.h"
#include "parse/schema.h"
#include "parse/schema_number.h"

#define SCHEMA_NONE UINT32_MAX /* no node */

/* Cheap rules first; those that read what others have evaluated last. */
enum schema_op {
	OP_TYPE,
	OP_CONST,
	OP_ENUM,
	OP_MAXIMUM,
	OP_EXCLUSIVE_MAXIMUM,
	OP_MINIMUM,
	OP_EXCLUSIVE_MINIMUM,
	OP_MULTIPLE_OF,
	OP_MAX_LENGTH,
	OP_MIN_LENGTH,
	OP_PATTERN,
	OP_FORMAT,
	OP_MAX_ITEMS,
	OP_MIN_ITEMS,
	OP_MAX_PROPERTIES,
	OP_MIN_PROPERTIES,
	OP_REQUIRED,
	OP_DEPENDENT_REQUIRED,
	OP_UNIQUE_ITEMS,
	OP_REF,
	OP_DYNAMIC_REF,
	OP_PROPERTY_NAMES,
	OP_MEMBERS, /* properties, patternProperties, additionalProperties */
	OP_ITEMS,   /* prefixItems and items, or items and additionalItems */
	OP_CONTAINS,
	OP_ALL_OF,
	OP_ANY_OF,
	OP_ONE_OF,
	OP_NOT,
	OP_IF,
	OP_DEPENDENT_SCHEMA,
	OP_UNEVALUATED_ITEMS,
	OP_UNEVALUATED_PROPERTIES,
};

/* Bits of OP_TYPE; the bit of a JSON type is 1 << its number in enum json_type, and `true` stands for both booleans. */
enum { SCHEMA_INTEGER = 1 << 7 };

/* A name that leads to a node; tables of them are sorted by length, then bytes. */
struct schema_entry {
	struct slice name;
	uint32_t node;
};

struct schema_names {
	uint32_t count;
	struct schema_entry *sorted;
	struct slice *source; /* in the order of the schema, for messages; NULL where not needed */
};

struct schema_list {
	uint32_t count;
	uint32_t *nodes;
};

struct schema_enum {
	uint32_t count;
	uint32_t mask; /* slots - 1 */
	const struct json *values;
	uint64_t *hashes; /* of values[i] */
	uint32_t *slots;  /* 1 + index by hash, 0 for free */
};

struct schema_pattern {
	const struct regex *regex;
	struct slice text;
	uint32_t node;
};

struct schema_members {
	struct schema_names properties;
	uint32_t n_patterns;
	struct schema_pattern *patterns;
	uint32_t additional; /* or SCHEMA_NONE */
};

struct schema_items {
	struct schema_list prefix;
	uint32_t rest; /* or SCHEMA_NONE */
};

struct schema_contains {
	uint32_t node;
	uint64_t min, max;
	bool evaluates; /* what it matches counts as evaluated: from 2020-12 on */
};

struct schema_conditional {
	uint32_t condition, then, otherwise; /* the last two may be SCHEMA_NONE */
};

struct schema_dependency {
	struct slice name;
	uint32_t node;             /* OP_DEPENDENT_SCHEMA */
	struct schema_names names; /* OP_DEPENDENT_REQUIRED */
};

struct schema_rule {
	uint8_t op;
	uint8_t types; /* the bits of the JSON types that it looks at; others pass */
	union {
		uint8_t allowed;          /* OP_TYPE */
		uint32_t node;            /* OP_REF, OP_NOT, OP_PROPERTY_NAMES, OP_UNEVALUATED_* */
		uint64_t limit;           /* OP_MAX_*, OP_MIN_* */
		int format;               /* OP_FORMAT */
		struct slice number;      /* OP_MAXIMUM and its kin */
		const struct json *value; /* OP_CONST */
		const struct schema_enum *enumeration;
		const struct number_divisor *divisor;
		const struct schema_pattern *pattern;
		const struct schema_names *names; /* OP_REQUIRED */
		const struct schema_list *list;   /* OP_ALL_OF, OP_ANY_OF, OP_ONE_OF */
		const struct schema_members *members;
		const struct schema_items *items;
		const struct schema_contains *contains;
		const struct schema_conditional *conditional;
		const struct schema_dependency *dependency;
		struct {
			uint32_t node; /* where the reference leads without a dynamic scope */
			uint32_t name; /* of the dynamic anchor */
		} dynamic;
	};
};

enum schema_kind { SCHEMA_ANY, SCHEMA_NOTHING, SCHEMA_RULED };

struct schema_node {
	uint8_t kind;
	bool unevaluated; /* has a rule that reads what the others have evaluated */
	uint32_t resource;
	uint32_t first, count; /* its rules */
};

struct schema_dynamic_anchor {
	uint32_t name, resource, node;
};

/* Bit sets of evaluated members and items, one on top of the other as evaluation goes down. */
struct schema_words {
	uint64_t *ptr;
	size_t used, cap;
};

struct schema {
	struct arena arena;
	struct schema_node *nodes; /* [0] is the root */
	struct schema_rule *rules;
	uint32_t n_nodes, n_rules;
	struct schema_dynamic_anchor *anchors; /* sorted by name, then resource */
	uint32_t n_anchors;
	struct regex_family *regexes;
	struct schema_words words; /* scratch */
};

static inline int schema_name_cmp(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	return a.len ? memcmp(a.ptr, b.ptr, a.len) : 0;
}

/* The entry's position in names->sorted, or SCHEMA_NONE. */
static inline uint32_t schema_names_find(const struct schema_names *names, struct slice name)
{
	uint32_t low = 0, high = names->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = schema_name_cmp(name, names->sorted[middle].name);

		if (order == 0)
			return middle;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return SCHEMA_NONE;
}
