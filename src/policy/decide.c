/*
 * The decision for one call. Grant first: is there a rule for the tool at all, and none that denies it whole? Then the arguments, deny before
 * ask before allow. Two readings of a rule's `args`:
 *
 *   open    every listed argument that is there fits, whatever else is there; one that is absent fits too. A deny rule denies, and an ask rule
 *           takes the call in hand, by this one: neither adding nor leaving out an argument gets round it.
 *   closed  nothing but the listed arguments, each of them fits, and all are there that are not optional. An allow rule and an ask rule grant
 *           by this one only.
 *
 * What is covered closed is also matched open, so a call that an ask rule has in hand is never looked for under allow.
 *
 * Where the server may read the arguments in another way than they are written (reading.h), both readings are decided, and the stricter
 * verdict stands.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "policy/model.h"
#include "policy/reading.h"

enum { OTHER_MAX = 256 * 1024 * 1024 }; /* bytes of a copy of the arguments */

/* ---- the rules of one list that are for one tool, in the order of the file ---- */

struct walk {
	const struct agent *agent;
	struct slice server, tool;
	enum rule_list list;
	size_t exact, wild;
};

/* The first rule without "*" that is not before (server, tool, list). */
static size_t exact_from(const struct agent *agent, struct slice server, struct slice tool, enum rule_list list)
{
	size_t low = 0, high = agent->exact_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct rule *r = agent->exact[middle];
		int order = name_cmp(r->server, r->tool, server, tool);

		if (order < 0 || (order == 0 && r->list < list))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct walk walk_start(const struct agent *agent, struct slice server, struct slice tool, enum rule_list list)
{
	return (struct walk){
		.agent = agent,
		.server = server,
		.tool = tool,
		.list = list,
		.exact = exact_from(agent, server, tool, list),
		.wild = agent->wild_from[list],
	};
}

static bool wild_covers(const struct rule *r, struct slice server, struct slice tool)
{
	return (slice_eq(r->server, server) || slice_eq(r->server, SLICE("*"))) && name_matches(r->tool, tool);
}

static const struct rule *walk_next(struct walk *w)
{
	const struct agent *a = w->agent;
	const struct rule *exact = NULL, *wild = NULL;

	if (w->exact < a->exact_count) {
		exact = a->exact[w->exact];
		if (exact->list != w->list || name_cmp(exact->server, exact->tool, w->server, w->tool) != 0)
			exact = NULL;
	}
	while (w->wild < a->wild_from[w->list + 1] && !wild_covers(a->wild[w->wild], w->server, w->tool))
		w->wild++;
	if (w->wild < a->wild_from[w->list + 1])
		wild = a->wild[w->wild];
	if (exact && (!wild || exact->index < wild->index)) {
		w->exact++;
		return exact;
	}
	w->wild += wild != NULL;
	return wild;
}

/* ---- a rule's arguments ---- */

static const struct rule_arg *arg_find(const struct rule *rule, struct slice name)
{
	size_t low = 0, high = rule->arg_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = slice_cmp(rule->args[middle].name, name);

		if (order == 0)
			return &rule->args[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* The reading: 1 it fits, 0 it does not, <0 it could not be found out. */
static int fits_open(const struct rule *rule, const struct json *args)
{
	if (!rule->limited)
		return 1;
	for (uint32_t i = 0; i < args->count; i++) {
		const struct rule_arg *arg = arg_find(rule, args->members[i].name);
		int r = arg ? schema_validate(arg->schema, &args->members[i].value, NULL) : 0;

		if (r < 0)
			return r == -EINVAL ? 0 : r;
	}
	return 1;
}

static int fits_closed(const struct rule *rule, const struct json *args)
{
	size_t required = 0;

	if (!rule->limited)
		return 1;
	if (args->count > rule->arg_count)
		return 0;
	for (uint32_t i = 0; i < args->count; i++) {
		const struct rule_arg *arg = arg_find(rule, args->members[i].name);
		int r = arg ? schema_validate(arg->schema, &args->members[i].value, NULL) : -EINVAL;

		if (r < 0)
			return r == -EINVAL ? 0 : r;
		required += !arg->optional;
	}
	return required == rule->required;
}

/* ---- telling the agent ---- */

static const char grant_why[] = "There is no such tool for this agent; use one from the list of tools.";
static const char limit_why[] = "These arguments could not be checked within the limits; send smaller or simpler ones.";
static const char deny_why[] =
	"This tool is granted, but a rule forbids it with these arguments; do not repeat the call with them.";
static const char ask_why[] = "A person has to approve this call first; it has not been made.";

struct name_text {
	char text[96];
};

/* An argument's name for a sentence: printable, cut. */
static struct name_text name_text(struct slice name)
{
	enum { SHOWN = 40 };
	struct name_text out = { .text = "" };
	struct buf b = { .ptr = out.text, .cap = sizeof(out.text) - 4, .max = sizeof(out.text) - 4 };
	bool cut = name.len > SHOWN;

	if (cut) {
		name.len = SHOWN;
		while (name.len && ((unsigned char)name.ptr[name.len] & 0xc0) == 0x80)
			name.len--;
	}
	if (text_escape(&b, name) < 0)
		cut = true;
	memcpy(out.text + b.len, cut ? "..." : "", cut ? 4 : 1);
	return out;
}

__attribute__((format(printf, 2, 3))) static void say(struct policy_verdict *v, const char *format, ...)
{
	va_list list;
	int len;

	va_start(list, format);
	len = vsnprintf(v->why, sizeof(v->why), format, list);
	va_end(list);
	if (len >= (int)sizeof(v->why)) {
		size_t end = sizeof(v->why) - 4;

		while (end && ((unsigned char)v->why[end] & 0xc0) == 0x80)
			end--;
		memcpy(v->why + end, "...", 4);
	}
}

/* Why `rule` does not cover the arguments. Called once for a refusal, never on the way to an allow. */
static void say_misfit(const struct rule *rule, const struct json *args, struct policy_verdict *v)
{
	static const char lead[] = "This tool is granted, but not with these arguments";
	struct schema_fault fault = { .what = "" };

	for (uint32_t i = 0; i < args->count; i++) {
		struct name_text name = name_text(args->members[i].name);
		const struct rule_arg *arg = arg_find(rule, args->members[i].name);

		if (!arg) {
			say(v, "%s: leave out %s.", lead, name.text);
			return;
		}
		if (schema_validate(arg->schema, &args->members[i].value, &fault) < 0) {
			say(v, "%s: %s%s %s.", lead, name.text, fault.where, fault.what);
			return;
		}
	}
	for (size_t i = 0; i < rule->arg_count; i++) {
		if (rule->args[i].optional || json_get(args, rule->args[i].name))
			continue;
		say(v, "%s: %s is missing.", lead, name_text(rule->args[i].name).text);
		return;
	}
	say(v, "%s.", lead);
}

static void refuse(struct policy_verdict *v, const char *stage, const char *code, const struct rule *rule)
{
	v->decision = DECISION_REFUSE;
	v->stage = stage;
	v->code = code;
	v->rule = rule ? rule->label : "";
	v->line = rule ? rule->line : 0;
	v->column = rule ? rule->column : 0;
	v->within_s = 0;
	v->rule_text = (struct slice){ 0 };
	v->asks = "";
}

static void not_granted(struct policy_verdict *v, const struct rule *rule)
{
	refuse(v, "grant", "not_granted", rule);
	say(v, "%s", grant_why);
}

static void unclear(struct policy_verdict *v, const struct rule *rule)
{
	refuse(v, "policy", "out_of_scope", rule);
	say(v, "%s", limit_why);
}

static void settle(struct policy_verdict *v, enum policy_decision decision, const struct rule *rule)
{
	refuse(v, decision == DECISION_ASK ? "approval" : "policy", decision == DECISION_ASK ? "needs_approval" : "", rule);
	v->decision = decision;
	if (decision != DECISION_ASK)
		return;
	v->within_s = rule->within_s;
	v->rule_text = rule->text;
	v->asks = rule->list == LIST_ASK ? "a rule asks for a person" : "the tool is destructive, and its rule does not say `unattended`";
	say(v, "%s", ask_why);
}

/* ---- deciding ---- */

/* True when the tool is granted at all. The rule that denies it whole is given back, if that is why. */
static bool granted(const struct agent *agent, struct slice server, struct slice tool, const struct rule **ret_denied)
{
	struct walk w = walk_start(agent, server, tool, LIST_DENY);

	/* A tool of another spelling than the policy can write is nobody's: no "*" reaches it. */
	if (!name_is_tool(tool))
		return false;
	for (const struct rule *r = walk_next(&w); r; r = walk_next(&w)) {
		if (r->limited)
			continue;
		*ret_denied = r;
		return false;
	}
	w = walk_start(agent, server, tool, LIST_ASK);
	if (walk_next(&w))
		return true;
	w = walk_start(agent, server, tool, LIST_ALLOW);
	return walk_next(&w) != NULL;
}

/* Each of these is true when it has settled the verdict. */
static bool try_deny(struct walk w, const struct json *args, struct policy_verdict *v)
{
	for (const struct rule *r = walk_next(&w); r; r = walk_next(&w)) {
		int fit = fits_open(r, args);

		if (fit < 0) {
			unclear(v, r);
			return true;
		}
		if (fit) {
			refuse(v, "policy", "out_of_scope", r);
			say(v, "%s", deny_why);
			return true;
		}
	}
	return false;
}

static bool try_ask(struct walk w, const struct json *args, struct policy_verdict *v)
{
	const struct rule *in_hand = NULL;

	for (const struct rule *r = walk_next(&w); r; r = walk_next(&w)) {
		int fit = fits_closed(r, args);

		if (fit > 0) {
			settle(v, DECISION_ASK, r);
			return true;
		}
		if (fit == 0 && !in_hand) {
			fit = fits_open(r, args);
			in_hand = fit > 0 ? r : NULL;
		}
		if (fit < 0) {
			unclear(v, r);
			return true;
		}
	}
	if (!in_hand)
		return false;
	refuse(v, "policy", "out_of_scope", in_hand);
	say_misfit(in_hand, args, v);
	return true;
}

static bool try_allow(struct walk w, const struct json *args, struct policy_verdict *v)
{
	const struct rule *waits = NULL;

	for (const struct rule *r = walk_next(&w); r; r = walk_next(&w)) {
		int fit = fits_closed(r, args);

		if (fit < 0) {
			unclear(v, r);
			return true;
		}
		if (fit && (v->effect != EFFECT_DESTRUCTIVE || r->unattended)) {
			settle(v, DECISION_ALLOW, r);
			return true;
		}
		if (fit && !waits)
			waits = r;
	}
	if (waits)
		settle(v, DECISION_ASK, waits);
	return waits != NULL;
}

/* No rule covers the call. The first one that could have says what is amiss. */
static void none_covers(const struct agent *agent, struct slice server, struct slice tool, const struct json *args,
			struct policy_verdict *v)
{
	struct walk w = walk_start(agent, server, tool, LIST_ALLOW);
	const struct rule *nearest = walk_next(&w);

	if (!nearest) {
		w = walk_start(agent, server, tool, LIST_ASK);
		nearest = walk_next(&w);
	}
	refuse(v, "policy", "out_of_scope", NULL);
	if (nearest)
		say_misfit(nearest, args, v);
}

static void decide(const struct agent *agent, struct slice server, struct slice tool, const struct json *args,
		   struct policy_verdict *v)
{
	const struct rule *denied = NULL;

	if (!granted(agent, server, tool, &denied)) {
		not_granted(v, denied);
		return;
	}
	if (!json_is(args, JSON_OBJECT)) {
		refuse(v, "policy", "out_of_scope", NULL);
		say(v, "%s", "The arguments must be one JSON object.");
		return;
	}
	if (!try_deny(walk_start(agent, server, tool, LIST_DENY), args, v) &&
	    !try_ask(walk_start(agent, server, tool, LIST_ASK), args, v) &&
	    !try_allow(walk_start(agent, server, tool, LIST_ALLOW), args, v))
		none_covers(agent, server, tool, args, v);
}

static void decide_other(const struct agent *agent, struct slice server, struct slice tool, const struct json *args,
			 struct policy_verdict *v)
{
	cleanup_arena struct arena arena = ARENA_INIT(OTHER_MAX);
	struct policy_verdict other = { .effect = v->effect };
	struct json read;
	int r = v->decision == DECISION_REFUSE ? 0 : reading_other(&arena, args, &read);

	if (r < 0) {
		unclear(v, NULL);
		return;
	}
	if (r == 0)
		return;
	decide(agent, server, tool, &read, &other);
	if (other.decision > v->decision)
		*v = other;
}

void policy_decide(const struct policy *policy, struct slice agent, struct slice server, struct slice tool, const struct json *args,
		   struct policy_verdict *ret_verdict)
{
	const struct agent *a = model_agent(policy, agent);
	struct policy_verdict *v = ret_verdict;

	v->effect = model_effect(policy, server, tool);
	v->why[0] = '\0';
	if (a) {
		decide(a, server, tool, args, v);
		decide_other(a, server, tool, args, v);
		return;
	}
	refuse(v, "identify", "unknown_agent", NULL);
	say(v, "%s", "This agent is not known here.");
}

bool policy_grants(const struct policy *policy, struct slice agent, struct slice server, struct slice tool)
{
	const struct agent *a = model_agent(policy, agent);
	const struct rule *denied;

	return a && granted(a, server, tool, &denied);
}

bool policy_may_ask(const struct policy *policy, struct slice agent, struct slice server, struct slice tool,
		    bool (*same)(void *ctx, struct slice rule_text), void *ctx)
{
	static const enum rule_list lists[] = { LIST_ASK, LIST_ALLOW };
	const struct agent *a = model_agent(policy, agent);
	const struct rule *denied;

	if (!a || !granted(a, server, tool, &denied))
		return false;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct walk w = walk_start(a, server, tool, lists[i]);

		for (const struct rule *r = walk_next(&w); r; r = walk_next(&w))
			if (rule_may_ask(r) && same(ctx, r->text))
				return true;
	}
	return false;
}

enum policy_effect policy_tool_effect(const struct policy *policy, struct slice server, struct slice tool)
{
	return model_effect(policy, server, tool);
}

bool policy_agent_uses(const struct policy *policy, struct slice agent, struct slice server)
{
	const struct agent *a = model_agent(policy, agent);

	for (size_t i = 0; a && i < a->rule_count; i++) {
		const struct rule *r = &a->rules[i];
		struct walk w = walk_start(a, server, r->tool, LIST_DENY);
		bool denied = false;

		if (r->list == LIST_DENY || !slice_eq(r->server, server))
			continue;
		/* A pattern taken as a name: a deny that matches it so covers all that it matches. */
		for (const struct rule *d = walk_next(&w); d && !denied; d = walk_next(&w))
			denied = !d->limited;
		if (!denied)
			return true;
	}
	return false;
}
