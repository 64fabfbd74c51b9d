/*
 * The policy: one YAML file, compiled once, asked for every decision. Pure: no clock, no files, no network. Refusing is the default; deny
 * beats ask beats allow; an error while evaluating is a refusal; an empty list means nothing.
 */
#pragma once

#include "base/buf.h"
#include "parse/json.h"

struct policy; /* immutable once loaded */

enum policy_effect { EFFECT_READ, EFFECT_WRITE, EFFECT_DESTRUCTIVE };

/* "read", "write", "destructive". */
const char *policy_effect_name(enum policy_effect effect);

/* One thing that is wrong with a policy, or (warning) that deserves a second look. */
struct policy_problem {
	uint32_t line, column; /* 1-based; 0 when it belongs to the whole file */
	bool warning;
	const char *text; /* one printable line, owned by the list */
};

struct policy_problems {
	struct policy_problem *list; /* in order of line and column */
	size_t count;
	struct arena arena;
};

void policy_problems_free(struct policy_problems *problems);

/*
 * For people: a line for each, `bawn.yaml:14:7: text` or `bawn.yaml:14:7: warning: text`. For programs: one JSON array of objects
 * with column, file, line, severity ("error", "warning") and text. 0 or a buf error; -EINVAL when `file` is not UTF-8 (JSON only).
 */
int policy_problems_print(struct buf *out, struct slice file, const struct policy_problems *problems);
int policy_problems_print_json(struct buf *out, struct slice file, const struct policy_problems *problems);

struct policy_options {
	/*
	 * A project's file may name no host file outside its own folder: absolute path without a trailing slash, symbolic links resolved by the
	 * caller; empty for a policy of the user's or root's tier. "." and relative host paths are taken from `base`.
	 */
	struct slice project;
	struct slice base; /* absolute folder of the file */
	struct slice home; /* what a leading "~/" stands for; empty: such a path is a problem */
};

/*
 * Parses (libyaml, positions kept), validates and compiles. 0 with *ret_policy (caller: policy_free); -EINVAL when there is at
 * least one error. All errors are reported at once. Warnings come with either. -ENOMEM otherwise. `yaml` need not live on.
 * *ret_problems is written in each case (caller: policy_problems_free). The language is in docs/policy.md.
 */
int policy_load(struct slice yaml, const struct policy_options *options, struct policy **ret_policy, struct policy_problems *ret_problems);
void policy_free(struct policy *policy);

/* ---- servers ---- */

enum policy_mode { MODE_READ_ONLY, MODE_READ_WRITE };

struct policy_mount {
	const char *host; /* absolute path on the host, no "." or ".." part */
	const char *at;   /* absolute path inside */
	/*
	 * NULL, or a folder (the project's) that `host` lies in as text. Whoever opens it must hold to that with symbolic
	 * links followed (openat2 with RESOLVE_BENEATH): a project can hold a link to anywhere.
	 */
	const char *beneath;
	enum policy_mode mode;
	uint32_t line, column;
};

struct policy_server {
	const char *name;
	char *const *command; /* NULL-terminated argv: `command` followed by `args` */
	char *const *env;     /* NULL-terminated "NAME=value", exactly what the policy names */
	const struct policy_mount *mounts; /* workspace first, when there is one, then files; none lies in another; at most 128 */
	size_t mount_count;
	const char *workdir; /* where it starts inside: the workspace's `at`, else "/" */
	uint32_t timeout_ms; /* for one call */
	uint32_t line, column;
};

size_t policy_server_count(const struct policy *policy);
const struct policy_server *policy_server_at(const struct policy *policy, size_t index);
const struct policy_server *policy_server_find(const struct policy *policy, struct slice name);

/* ---- agents ---- */

size_t policy_agent_count(const struct policy *policy);
const char *policy_agent_at(const struct policy *policy, size_t index);
bool policy_agent_exists(const struct policy *policy, struct slice agent);

/* True when some rule of the agent could ever let it call a tool of this server. */
bool policy_agent_uses(const struct policy *policy, struct slice agent, struct slice server);

/* ---- decisions ---- */

enum policy_decision { DECISION_ALLOW, DECISION_ASK, DECISION_REFUSE }; /* the stricter, the higher */

struct policy_verdict {
	enum policy_decision decision;
	const char *code; /* for REFUSE: "unknown_agent", "not_granted", "out_of_scope"; for ASK "needs_approval"; for ALLOW "" */
	const char *stage; /* the stage of the call path that decided: "identify", "grant", "policy", "approval" */
	enum policy_effect effect; /* the tool's, also when refused */
	const char *rule; /* which rule decided: "agents.dev.allow[2]", or "" for the default; owned by the policy */
	uint32_t line, column; /* of that rule, 0 for the default */
	uint32_t within_s; /* for ASK: how long it may wait for a person and be used */
	struct slice rule_text; /* for ASK: the rule's canonical text (below); owned by the policy */
	const char *asks; /* for ASK: why it waits, for the person who decides; else "" */
	char why[256]; /* one printable sentence for the agent: what to do instead; names no rule text and no other agent's rights */
};

/*
 * Is this tool granted to this agent at all (may it be listed; do its arguments deserve a look)? Independent of arguments:
 * false looks the same whether the tool exists or not.
 */
bool policy_grants(const struct policy *policy, struct slice agent, struct slice server, struct slice tool);

/* The verdict for one call. `args` is an object. Never fails: what cannot be evaluated is refused. */
void policy_decide(const struct policy *policy, struct slice agent, struct slice server, struct slice tool, const struct json *args,
		   struct policy_verdict *ret_verdict);

/*
 * A rule by which a call may wait has a canonical text: a JSON object, written canonically, of all in it that decides (its list, tool, args and within).
 * What a person approved is bound to this text and to the tool's facts, not to the rule's place: so it outlives changes elsewhere in the file.
 *
 * True when the tool is granted to the agent, and one of the rules by which a call of it may wait has a text for which `same` is true.
 */
bool policy_may_ask(const struct policy *policy, struct slice agent, struct slice server, struct slice tool,
		    bool (*same)(void *ctx, struct slice rule_text), void *ctx);

/* The tool's facts; without any it is destructive. */
enum policy_effect policy_tool_effect(const struct policy *policy, struct slice server, struct slice tool);

/* ---- a second look ---- */

enum policy_look_kind {
	LOOK_UNATTENDED,  /* something destructive may run without a person */
	LOOK_WILDCARD,    /* an allow or ask rule that also grants tools which the server adds later */
	LOOK_NO_FACTS,    /* a tool is granted by name and nothing is said of it */
	LOOK_NO_EFFECT,   /* a rule that another one makes void, so that it does not do what its author thought */
	LOOK_WRITABLE,    /* files of the host may be changed */
	LOOK_HOME,        /* a whole home folder is seen */
	LOOK_CREDENTIALS, /* a place where keys and tokens are kept is seen, or other programs' sockets */
	LOOK_MISSING,     /* something of the host that the policy names is not there; told by who may look, not by policy_review() */
	LOOK_KINDS,
};

/* "unattended", "wildcard", "no facts", "no effect", "writable", "home", "credentials", "missing". */
const char *policy_look_name(enum policy_look_kind kind);

struct policy_look {
	enum policy_look_kind kind;
	uint32_t line, column;
	const char *text; /* one printable line, valid during the call */
};

/*
 * Everything in a valid policy that deserves a second look, servers first, then agents. A call that gives other than 0 ends it, and
 * its result is given back; else 0 or -ENOMEM.
 */
int policy_review(const struct policy *policy, int (*look)(void *ctx, const struct policy_look *look), void *ctx);
