/* The compiled policy as the files of this folder see it. Strings and arrays belong to the policy's arena, schemas to their rule. */
#pragma once

#include "parse/schema.h"
#include "policy/policy.h"

enum {
	NAME_MAX_LEN = 64,        /* of a server or an agent */
	TOOL_MAX_LEN = 128,       /* of a tool; the protocol's own maximum */
	RULES_MAX = 10000,        /* of one agent */
	MOUNTS_MAX = 128,         /* of one server; the sandbox's own maximum */
	TIMEOUT_DEFAULT_MS = 60 * 1000,
	TIMEOUT_LEAST_MS = 1000,
	TIMEOUT_MOST_MS = 60 * 60 * 1000,
	WITHIN_DEFAULT_S = 60 * 60,
	WITHIN_LEAST_S = 60,
	WITHIN_MOST_S = 30 * 24 * 60 * 60,
};

/* In the order in which they are asked. */
enum rule_list { LIST_DENY, LIST_ASK, LIST_ALLOW, LIST_COUNT };

const char *rule_list_name(enum rule_list list);

struct rule_arg {
	struct slice name;
	struct schema *schema;
	bool optional;
};

struct rule {
	enum rule_list list;
	uint32_t index; /* in its list, from 0 */
	struct slice server; /* a server's name; "*" in a deny rule for every server */
	struct slice tool; /* may hold "*" when `wildcard` */
	bool wildcard; /* server or tool has a "*" */
	bool limited; /* has `args` */
	struct rule_arg *args; /* sorted by name */
	size_t arg_count;
	size_t required; /* how many of them are not optional */
	const struct json *args_source; /* while loading only */
	const char *unattended; /* why nobody has to approve, or NULL */
	uint32_t within_s; /* how long a call that waits by it may wait */
	struct slice text; /* canonical, of a rule that may make a call wait; else empty */
	const char *label; /* "agents.dev.allow[2]" */
	uint32_t line, column;
};

/* Under ask, or under allow without a word that nobody has to approve: then what is destructive waits. */
static inline bool rule_may_ask(const struct rule *rule)
{
	return rule->list == LIST_ASK || (rule->list == LIST_ALLOW && !rule->unattended);
}

struct agent {
	const char *name;
	uint32_t line, column;
	struct rule *rules; /* deny, then ask, then allow, each in the order of the file */
	size_t rule_count;
	/* Two indexes over `rules`: those without "*" by (server, tool, list, index), the others by (list, index). */
	const struct rule **exact, **wild;
	size_t exact_count, wild_count;
	size_t wild_from[LIST_COUNT + 1]; /* wild[wild_from[l]..wild_from[l + 1]) are those of list l */
};

/* What `tools` says of one tool. */
struct fact {
	struct slice server, tool;
	enum policy_effect effect;
	uint32_t line, column;
};

struct policy {
	struct arena arena;
	struct policy_server *servers; /* in the order of the file */
	size_t server_count;
	const struct policy_server **servers_by_name;
	struct fact *facts; /* by (server, tool) */
	size_t fact_count;
	struct agent *agents; /* by name */
	size_t agent_count;
	const char *home; /* for policy_review; "" when not known */
};

/* "server" or "server.tool" halves of a rule, and what names may be made of. */
bool name_is_plain(struct slice name);        /* [a-z0-9_-]{1,64} */
bool name_is_tool(struct slice tool);         /* [A-Za-z0-9_./-]{1,128} */
bool name_is_tool_pattern(struct slice tool); /* the same and "*", not twice in a row */
bool name_has_star(struct slice name);

/* Does `pattern` cover the whole of `name`, "*" standing for any run of bytes? At most pattern.len * name.len steps. */
bool name_matches(struct slice pattern, struct slice name);

/* Order by server, then tool. */
int name_cmp(struct slice server_a, struct slice tool_a, struct slice server_b, struct slice tool_b);

const struct agent *model_agent(const struct policy *policy, struct slice name);
const struct fact *model_fact(const struct policy *policy, struct slice server, struct slice tool);

/* What the facts say of a tool; without any it is destructive. */
enum policy_effect model_effect(const struct policy *policy, struct slice server, struct slice tool);
