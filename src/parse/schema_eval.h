/*
 * One evaluation; shared by schema_eval.c (the order of work, rules on the value itself), schema_apply.c (rules that apply other
 * schemas) and schema_report.c (what to say).
 *
 * A value is evaluated twice at most: once silently, and only when it is invalid and somebody asks, once more with texts.
 */
#pragma once

#include "parse/schema_node.h"
#include "parse/schema_text.h"
#include "parse/schema_value.h"

/* Where the value stands in the instance; on the C stack, going up. */
struct path {
	const struct path *up;
	struct slice name;
	uint32_t index;
	bool indexed;
	unsigned depth;
};

/* Which members or items have been evaluated: `count` bits in the words. */
struct seen {
	size_t offset;
	uint32_t count;
};

enum problem_kind { PROBLEM_TYPE, PROBLEM_VALUE, PROBLEM_OTHER };

/* The first violation, and what a union needs to choose among those of its branches. */
struct problem {
	enum problem_kind kind;
	unsigned depth;  /* of the place in the instance */
	uint8_t allowed; /* PROBLEM_TYPE */
	struct schema_fault fault;
};

struct eval {
	const struct schema *schema;
	struct schema_words *words;
	uint64_t steps; /* left */
	unsigned depth;
	struct problem *problem; /* NULL: silent */
	uint32_t n_scopes;
	uint32_t scopes[SCHEMA_DEPTH]; /* resources entered, the outermost first */
};

/* 0, -EINVAL, or -E2BIG or -ENOMEM, which end everything. `seen` may be NULL: nobody asks what is evaluated. */
int eval_node(struct eval *e, uint32_t node, const struct json *value, const struct path *path, struct seen *seen);

/* ---- schema_apply.c ---- */

/* One rule that applies schemas. */
int eval_apply(struct eval *e, const struct schema_rule *rule, const struct json *value, const struct path *path,
	       struct seen *seen);

/* A fresh set for the value, all unset. 0, -E2BIG, -ENOMEM. */
int seen_push(struct eval *e, const struct json *value, struct seen *ret_seen);
/* Adds what `from` has to `to`. */
void seen_add(struct eval *e, struct seen *to, const struct seen *from);
/* Gives the words back: those of `seen` and all pushed since. */
void seen_pop(struct eval *e, const struct seen *seen);

/* ---- schema_report.c; all give -EINVAL, and nothing more when the evaluation is silent ---- */

int report(struct eval *e, const struct path *path, enum problem_kind kind, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int report_type(struct eval *e, const struct path *path, uint8_t allowed, const struct json *value);
int report_const(struct eval *e, const struct path *path, const struct json *wanted);
int report_enum(struct eval *e, const struct path *path, const struct schema_enum *wanted);
int report_name(struct eval *e, const struct path *path, const char *before, struct slice name);
int report_pattern(struct eval *e, const struct path *path, struct slice pattern);

/* A name broke the rules for names: says so in front of what is wrong with it. */
int report_in_name(struct eval *e);

/* Of the problems of a union's branches, keeps the one that helps most. `depth` is the union's own. */
void problem_choose(struct problem *best, const struct problem *next, unsigned depth, bool first);
