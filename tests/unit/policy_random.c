/*
 * Random policies and calls: the compiled decision is that of a slow evaluator which follows the documented rules word by word and shares no
 * code with it. The seed is fixed; BAWN_CASES=N runs N calls instead, BAWN_SEED another sequence.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/policy.h"

enum { CASES = 120000, CALLS_EACH = 60, RULES = 14, ARGS = 4 };

static uint64_t random_state;

static unsigned pick(unsigned below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)((random_state >> 11) % below);
}

static bool chance(unsigned percent)
{
	return pick(100) < percent;
}

/* ---- a policy as plain as can be ---- */

enum kind { ANY, TEXT, RANGE };
enum { DENY, ASK, ALLOW };

struct plain_arg {
	bool used, optional;
	enum kind kind;
	int low, high;
};

struct plain_rule {
	int list;
	int index; /* in its list */
	const char *server, *tool;
	bool limited, unattended;
	int turn; /* which argument is written first */
	struct plain_arg args[ARGS];
};

static const char *const servers[] = { "a", "b" };
static const char *const tools[] = { "x", "xy", "y", "read_x", "read_y", "read", "a.b/c" };
static const char *const patterns[] = { "x",  "xy", "y",      "read_x", "read_y", "read",  "a.b/c", "*",
					"x*", "*y", "read_*", "*x*",    "r*d_*",  "*.*/*", "*e*d*" };
static const char *const arg_names[ARGS] = { "p", "q", "r", "zz" };
static const char *const list_names[] = { "deny", "ask", "allow" };
static const char *const effects[] = { "read", "write", "destructive" };

#define COUNT(array) ((unsigned)(sizeof(array) / sizeof((array)[0])))

struct plain {
	int effect[COUNT(servers)][COUNT(tools)]; /* -1: no facts */
	struct plain_rule rules[RULES];
	int count;
};

static int effect_of(const struct plain *p, const char *server, const char *tool)
{
	for (unsigned s = 0; s < COUNT(servers); s++)
		for (unsigned t = 0; t < COUNT(tools); t++)
			if (strcmp(server, servers[s]) == 0 && strcmp(tool, tools[t]) == 0 && p->effect[s][t] >= 0)
				return p->effect[s][t];
	return EFFECT_DESTRUCTIVE;
}

static void rule_text(const struct plain_rule *r, int turn, struct buf *out)
{
	const char *comma = "";

	buf_printf(out, "tool: \"%s.%s\"", r->server, r->tool);
	if (r->limited)
		buf_add_str(out, ", args: {");
	for (int n = 0; r->limited && n < ARGS; n++) {
		int i = (n + turn) % ARGS;
		const struct plain_arg *a = &r->args[i];

		if (!a->used)
			continue;
		buf_printf(out, "%s%s: ", comma, arg_names[i]);
		if (a->kind == ANY && !a->optional)
			buf_add_str(out, "true");
		else if (a->kind == ANY)
			buf_add_str(out, "{optional: true}");
		else if (a->kind == TEXT)
			buf_printf(out, "{type: string%s}", a->optional ? ", optional: true" : "");
		else
			buf_printf(out, "{type: integer, minimum: %d%s, maximum: %d}", a->low,
				   a->optional ? ", optional: true" : "", a->high);
		comma = ", ";
	}
	if (r->limited)
		buf_add_char(out, '}');
}

static bool same_text(const struct plain_rule *a, const struct plain_rule *b)
{
	cleanup_buf struct buf x = BUF_INIT(4096), y = BUF_INIT(4096);

	rule_text(a, 0, &x);
	rule_text(b, 0, &y);
	return a->list == b->list && slice_eq(buf_slice(&x), buf_slice(&y));
}

static void random_arg(struct plain_arg *a, bool may_be_optional)
{
	a->used = true;
	a->optional = may_be_optional && chance(40);
	a->kind = pick(3);
	a->low = (int)pick(5);
	a->high = a->low + (int)pick(4);
}

static struct plain_rule random_rule(const struct plain *p)
{
	struct plain_rule r = { .list = (int)pick(3), .turn = (int)pick(ARGS) };
	bool star;

	r.server = r.list == DENY && chance(20) ? "*" : servers[pick(COUNT(servers))];
	r.tool = patterns[pick(COUNT(patterns))];
	r.limited = chance(60);
	for (int i = 0; r.limited && i < ARGS; i++)
		if (chance(45))
			random_arg(&r.args[i], r.list != DENY);
	/* An empty `args` in deny is an error. */
	if (r.list == DENY && r.limited)
		random_arg(&r.args[0], false);
	star = strchr(r.tool, '*') != NULL;
	if (r.list == ALLOW)
		r.unattended = chance(25) || (!star && effect_of(p, r.server, r.tool) == EFFECT_DESTRUCTIVE);
	return r;
}

static void random_plain(struct plain *p)
{
	int tries = 1 + (int)pick(RULES);

	p->count = 0;
	for (unsigned s = 0; s < COUNT(servers); s++)
		for (unsigned t = 0; t < COUNT(tools); t++)
			p->effect[s][t] = (int)pick(4) - 1;
	while (tries--) {
		struct plain_rule r = random_rule(p);
		bool known = false;

		for (int i = 0; i < p->count; i++)
			known |= same_text(&r, &p->rules[i]);
		if (!known)
			p->rules[p->count++] = r;
	}
}

/* Writes it as YAML, and numbers the rules of each list as it goes. */
static void plain_yaml(struct plain *p, struct buf *out)
{
	buf_add_str(out, "version: 1\nservers:\n  a: {command: [x]}\n  b: {command: [x]}\n");
	buf_add_str(out, "agents:\n  other: {}\n  who:\n");
	for (int list = DENY; list <= ALLOW; list++) {
		int index = 0;

		buf_printf(out, "    %s:", list_names[list]);
		for (int i = 0; i < p->count; i++) {
			if (p->rules[i].list != list)
				continue;
			p->rules[i].index = index++;
			buf_add_str(out, "\n      - {");
			rule_text(&p->rules[i], p->rules[i].turn, out);
			buf_add_str(out, p->rules[i].unattended ? ", unattended: because}" : "}");
		}
		buf_add_str(out, index ? "\n" : " []\n");
	}
	buf_add_str(out, "tools:\n  b.unused: {effect: read}\n");
	for (unsigned s = 0; s < COUNT(servers); s++)
		for (unsigned t = 0; t < COUNT(tools); t++)
			if (p->effect[s][t] >= 0)
				buf_printf(out, "  %s.%s: {effect: %s}\n", servers[s], tools[t], effects[p->effect[s][t]]);
}

/* ---- a call ---- */

struct plain_call {
	const char *agent, *server, *tool;
	bool object;
	/* value[i] for arg_names[i]: absent, a string, or a number */
	enum { ABSENT, STRING, NUMBER } value[ARGS];
	int number[ARGS];
	bool extra;
};

static struct plain_call random_call(void)
{
	static const char *const odd[] = { "", "X", "x ", "r\320\265ad", "never", "xx" };
	struct plain_call c = {
		.agent = chance(96)   ? "who"
			 : chance(50) ? "other"
				      : "nobody",
		.server = chance(97) ? servers[pick(COUNT(servers))] : "c",
		.tool = chance(94) ? tools[pick(COUNT(tools))] : odd[pick(COUNT(odd))],
		.object = chance(98),
		.extra = chance(8),
	};

	for (int i = 0; i < ARGS; i++) {
		c.value[i] = pick(3);
		c.number[i] = (int)pick(9) - 1;
	}
	return c;
}

static void call_json(const struct plain_call *c, struct buf *out)
{
	unsigned turn = pick(ARGS);
	const char *comma = "";

	buf_add_str(out, c->object ? "{" : "[1]");
	for (unsigned n = 0; c->object && n < ARGS; n++) {
		unsigned i = (n + turn) % ARGS;

		if (c->value[i] == STRING)
			buf_printf(out, "%s\"%s\":\"t\"", comma, arg_names[i]);
		if (c->value[i] == NUMBER)
			buf_printf(out, "%s\"%s\":%d", comma, arg_names[i], c->number[i]);
		if (c->value[i] != ABSENT)
			comma = ",";
	}
	if (c->object && c->extra)
		buf_printf(out, "%s\"extra\":1", comma);
	if (c->object)
		buf_add_char(out, '}');
}

/* ---- the documented rules, word by word ---- */

static bool glob(const char *pattern, const char *name)
{
	if (!*pattern)
		return !*name;
	if (*pattern == '*')
		return glob(pattern + 1, name) || (*name && glob(pattern, name + 1));
	return *pattern == *name && glob(pattern + 1, name + 1);
}

static bool for_tool(const struct plain_rule *r, const struct plain_call *c)
{
	return (strcmp(r->server, "*") == 0 || strcmp(r->server, c->server) == 0) && glob(r->tool, c->tool);
}

static bool value_fits(const struct plain_arg *a, const struct plain_call *c, int i)
{
	if (a->kind == ANY)
		return true;
	if (a->kind == TEXT)
		return c->value[i] == STRING;
	return c->value[i] == NUMBER && c->number[i] >= a->low && c->number[i] <= a->high;
}

static bool open_fit(const struct plain_rule *r, const struct plain_call *c)
{
	for (int i = 0; r->limited && i < ARGS; i++)
		if (r->args[i].used && c->value[i] != ABSENT && !value_fits(&r->args[i], c, i))
			return false;
	return true;
}

static bool closed_fit(const struct plain_rule *r, const struct plain_call *c)
{
	if (r->limited && c->extra)
		return false;
	for (int i = 0; r->limited && i < ARGS; i++) {
		if (!r->args[i].used && c->value[i] != ABSENT)
			return false;
		if (r->args[i].used && c->value[i] == ABSENT && !r->args[i].optional)
			return false;
	}
	return open_fit(r, c);
}

/* The first rule of a list for this tool that passes `test`, or NULL. */
static const struct plain_rule *first(const struct plain *p, const struct plain_call *c, int list,
				      bool (*test)(const struct plain_rule *, const struct plain_call *))
{
	for (int i = 0; i < p->count; i++)
		if (p->rules[i].list == list && for_tool(&p->rules[i], c) && test(&p->rules[i], c))
			return &p->rules[i];
	return NULL;
}

static bool any(const struct plain_rule *r, const struct plain_call *c)
{
	(void)r;
	(void)c;
	return true;
}

static bool unlimited(const struct plain_rule *r, const struct plain_call *c)
{
	(void)c;
	return !r->limited;
}

struct answer {
	enum policy_decision decision;
	const char *code, *stage;
	const struct plain_rule *rule;
};

static bool sound_name(const char *tool)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-";

	return *tool && strspn(tool, set) == strlen(tool);
}

static struct answer reference(const struct plain *p, const struct plain_call *c)
{
	const struct plain_rule *denied = first(p, c, DENY, unlimited), *r;
	bool destructive = effect_of(p, c->server, c->tool) == EFFECT_DESTRUCTIVE;

	if (strcmp(c->agent, "nobody") == 0)
		return (struct answer){ DECISION_REFUSE, "unknown_agent", "identify", NULL };
	if (strcmp(c->agent, "other") == 0 || !sound_name(c->tool))
		return (struct answer){ DECISION_REFUSE, "not_granted", "grant", NULL };
	if (denied || (!first(p, c, ASK, any) && !first(p, c, ALLOW, any)))
		return (struct answer){ DECISION_REFUSE, "not_granted", "grant", denied };
	if (!c->object)
		return (struct answer){ DECISION_REFUSE, "out_of_scope", "policy", NULL };
	r = first(p, c, DENY, open_fit);
	if (r)
		return (struct answer){ DECISION_REFUSE, "out_of_scope", "policy", r };
	r = first(p, c, ASK, closed_fit);
	if (r)
		return (struct answer){ DECISION_ASK, "needs_approval", "approval", r };
	r = first(p, c, ASK, open_fit);
	if (r)
		return (struct answer){ DECISION_REFUSE, "out_of_scope", "policy", r };
	for (int i = 0; i < p->count; i++) {
		r = &p->rules[i];
		if (r->list == ALLOW && for_tool(r, c) && closed_fit(r, c) && (!destructive || r->unattended))
			return (struct answer){ DECISION_ALLOW, "", "policy", r };
	}
	r = first(p, c, ALLOW, closed_fit);
	if (r)
		return (struct answer){ DECISION_ASK, "needs_approval", "approval", r };
	return (struct answer){ DECISION_REFUSE, "out_of_scope", "policy", NULL };
}

/* ---- side by side ---- */

static void compare(const struct policy *policy, const struct plain *p, const struct plain_call *c, unsigned *seen)
{
	cleanup_arena struct arena arena = ARENA_INIT(100000);
	cleanup_buf struct buf text = BUF_INIT(4096);
	struct answer expected = reference(p, c);
	struct policy_verdict v;
	char rule[64] = "";
	struct json args;

	call_json(c, &text);
	assert_int_equal(json_parse(&arena, buf_slice(&text), &json_limits_default, &args, NULL), JSON_OK);
	policy_decide(policy, slice_str(c->agent), slice_str(c->server), slice_str(c->tool), &args, &v);
	if (expected.rule)
		snprintf(rule, sizeof(rule), "agents.who.%s[%d]", list_names[expected.rule->list], expected.rule->index);
	if (v.decision != expected.decision || strcmp(v.code, expected.code) != 0 || strcmp(v.stage, expected.stage) != 0 ||
	    strcmp(v.rule, rule) != 0 || (int)v.effect != effect_of(p, c->server, c->tool))
		fail_msg("%s %s.%s %.*s: %d %s %s by \"%s\", expected %d %s %s by \"%s\"", c->agent, c->server, c->tool,
			 SLICE_ARG(text), v.decision, v.code, v.stage, v.rule, expected.decision, expected.code, expected.stage,
			 rule);
	assert_int_equal(policy_grants(policy, slice_str(c->agent), slice_str(c->server), slice_str(c->tool)),
			 strcmp(expected.stage, "identify") != 0 && strcmp(expected.stage, "grant") != 0);
	if (expected.decision != DECISION_REFUSE)
		assert_true(policy_agent_uses(policy, slice_str(c->agent), slice_str(c->server)));
	assert_true((v.decision == DECISION_ALLOW) == (v.why[0] == '\0'));
	seen[expected.decision]++;
}

/* ---- rules without effect: the review against asking each rule about each other one ---- */

static bool glob_all(const struct plain_rule *wide, const struct plain_rule *r)
{
	return !wide->limited && wide != r && (strcmp(wide->server, r->server) == 0 || strcmp(wide->server, "*") == 0) && glob(wide->tool, r->tool);
}

static bool in_vain(const struct plain *p, const struct plain_rule *r, struct buf *out)
{
	for (int list = DENY; list <= ALLOW; list++)
		for (int i = 0; i < p->count; i++) {
			const struct plain_rule *wide = &p->rules[i];
			const char *how = list == r->list ? ": its args limit nothing, " : " never applies: ";
			const char *what = list == DENY ? "denies the tool" : list == r->list ? "grants the tool with any" : "asks for every call";

			if (wide->list != list || !glob_all(wide, r) || list > r->list ||
			    (list == r->list && (!r->limited || (r->unattended && !wide->unattended))))
				continue;
			return buf_printf(out, "agents.who.%s[%d]%sagents.who.%s[%d] %s\n", list_names[r->list], r->index, how, list_names[list],
					  wide->index, what) == 0;
		}
	return false;
}

static int add_in_vain(void *ctx, const struct policy_look *look)
{
	return look->kind == LOOK_NO_EFFECT ? buf_printf(ctx, "%s\n", look->text) : 0;
}

static unsigned compare_review(const struct policy *policy, const struct plain *p)
{
	cleanup_buf struct buf expected = BUF_INIT(65536), told = BUF_INIT(65536);
	unsigned count = 0;

	for (int list = ASK; list <= ALLOW; list++)
		for (int i = 0; i < p->count; i++)
			if (p->rules[i].list == list)
				count += in_vain(p, &p->rules[i], &expected);
	assert_int_equal(policy_review(policy, add_in_vain, &told), 0);
	if (!slice_eq(buf_slice(&expected), buf_slice(&told)))
		fail_msg("told:\n%.*sexpected:\n%.*s", SLICE_ARG(told), SLICE_ARG(expected));
	return count;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void compiled_and_plain_agree(void **state)
{
	uint64_t cases = setting("BAWN_CASES", CASES), done = 0;
	unsigned seen[3] = { 0 }, vain = 0;

	(void)state;
	random_state = setting("BAWN_SEED", 1) * 0x9e3779b97f4a7c15ULL + 1;
	while (done < cases) {
		cleanup_buf struct buf yaml = BUF_INIT(100000);
		struct policy_options options = { .base = SLICE("/b") };
		struct policy_problems problems;
		struct policy *policy = NULL;
		struct plain p;

		random_plain(&p);
		plain_yaml(&p, &yaml);
		if (policy_load(buf_slice(&yaml), &options, &policy, &problems) < 0)
			fail_msg("%u:%u %s\n%.*s", problems.list[0].line, problems.list[0].column, problems.list[0].text,
				 SLICE_ARG(yaml));
		vain += compare_review(policy, &p);
		for (int i = 0; i < CALLS_EACH; i++, done++) {
			struct plain_call c = random_call();

			compare(policy, &p, &c, seen);
		}
		policy_problems_free(&problems);
		policy_free(policy);
	}
	/* A comparison that only ever sees refusals compares nothing. */
	for (int i = 0; i < 3; i++)
		assert_true(seen[i] > cases / 100);
	assert_true(vain > cases / CALLS_EACH / 10);
	print_message("%llu calls: %u allowed, %u asked, %u refused\n", (unsigned long long)done, seen[DECISION_ALLOW],
		      seen[DECISION_ASK], seen[DECISION_REFUSE]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(compiled_and_plain_agree) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
