/*
 * What the files that read a policy share: the loader, how it notes what is wrong, and the checks that every part needs. Loading goes on
 * after a mistake, so that all of them are told at once; nothing that has a mistake is ever given out.
 */
#pragma once

#include "policy/model.h"

struct loader {
	const struct policy_options *options;
	struct policy *policy; /* being built */
	struct policy_problems *problems;
	size_t problem_room; /* entries allocated in problems->list */
	size_t errors;
	size_t tree_faults; /* the first problems: what YAML itself has against the file */
	bool out_of_memory; /* sticky: policy_load gives -ENOMEM */
};

/* ---- problems.c ---- */

void problem_error(struct loader *l, uint32_t line, uint32_t column, const char *format, ...) __attribute__((format(printf, 4, 5)));
void problem_warning(struct loader *l, uint32_t line, uint32_t column, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* A piece of the file for a message: escaped, cut at 64 bytes. Lives as long as the problems; "" when memory is out. */
const char *problem_show(struct loader *l, struct slice s);

/* True when further problems are only counted: then it is not worth looking for what may have been meant. */
bool problems_full(const struct loader *l);

/* By line and column, in the order of finding where these are equal. */
void problems_sort(struct policy_problems *problems);

/* ---- keys.c ---- */

enum key_place { KEYS_TOP, KEYS_SERVER, KEYS_WORKSPACE, KEYS_FILE, KEYS_TOOL, KEYS_AGENT, KEYS_RULE, KEYS_PLACES };

/* Reports each key of `map` that does not belong there: a slip of spelling, or something that this version does not have. */
void keys_check(struct loader *l, const struct json *map, enum key_place place);

/* True when `v` is of that type; else an error, `"servers" must be a map, not a list`. */
bool expect_type(struct loader *l, const struct json *v, enum json_type type, const char *name);

/* As expect_type for a string that may become a C string: without NUL. It may be empty. Also refuses "{secret:". */
bool expect_text(struct loader *l, const struct json *v, const char *name, struct slice *ret_text);

/* true or false, with a word for who wrote yes. */
bool expect_bool(struct loader *l, const struct json *v, const char *name, bool *ret_value);

enum duration_unit { UNIT_MS = 1, UNIT_S = 2, UNIT_M = 4, UNIT_H = 8, UNIT_D = 16 };

/* "30s" in milliseconds, of these units; a number that does not fit counts as too long. 0 or -EINVAL. */
int duration_ms(struct slice s, unsigned units, uint64_t *ret_ms);

/* The nearest of the names of `map`'s members to what was written, as ` (did you mean "x"?)`, or "". */
const char *did_you_mean(struct loader *l, struct slice word, const struct json *map);

/* ---- the parts of a file ---- */

/* The policy's arena; NULL marks the loader out of memory. */
void *loader_array(struct loader *l, size_t count, size_t size);
char *loader_string(struct loader *l, struct slice s);

void load_servers(struct loader *l, const struct json *servers);
void load_tools(struct loader *l, const struct json *tools, const struct json *servers);
void load_agents(struct loader *l, const struct json *agents, const struct json *servers);

/* args.c: the `args` of a rule, compiled into it. */
void load_args(struct loader *l, const struct json *args, struct rule *rule);

/* rule_text.c: the canonical text of a rule that may make a call wait; nothing for another. `args_source` must still be there. */
void load_rule_text(struct loader *l, struct rule *rule);

/* mounts.c: `workspace` and `files` of a server. */
void load_mounts(struct loader *l, const struct json *server, struct policy_server *out);
