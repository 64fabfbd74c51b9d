/* policy: what a loaded one holds, and what it decides. The messages for bad ones are in golden/policy. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/text.h"
#include "policy/policy.h"

static struct policy *load_with(const char *yaml, struct policy_options options)
{
	struct policy_problems problems;
	struct policy *policy = NULL;

	if (policy_load(slice_str(yaml), &options, &policy, &problems) < 0)
		fail_msg("line %u:%u: %s\n%s", problems.list[0].line, problems.list[0].column, problems.list[0].text, yaml);
	policy_problems_free(&problems);
	return policy;
}

static struct policy *load(const char *yaml)
{
	return load_with(yaml, (struct policy_options){ .base = SLICE("/srv/bawn"), .home = SLICE("/home/user") });
}

/* ---- what is held ---- */

static void a_server_is_held_whole(void **state)
{
	struct policy *p = load("version: 1\n"
				"servers:\n"
				"  zeta: {command: [z]}\n"
				"  files:\n"
				"    command: [node, \"/x y/é.js\"]\n"
				"    args: [--flag, \"\"]\n"
				"    env: {B: \"2=3\", A: \"\"}\n"
				"    files: [{host: ~/notes, mode: rw}, {host: //srv//x/./y/, at: /in/}]\n"
				"    workspace: {host: ./data/., at: /work}\n"
				"    timeout: 90s\n");
	const struct policy_server *s = policy_server_find(p, SLICE("files"));

	(void)state;
	assert_int_equal(policy_server_count(p), 2);
	assert_string_equal(policy_server_at(p, 0)->name, "zeta");
	assert_null(policy_server_at(p, 2));
	assert_ptr_equal(policy_server_at(p, 1), s);
	assert_null(policy_server_find(p, SLICE("file")));
	assert_string_equal(s->command[0], "node");
	assert_string_equal(s->command[1], "/x y/é.js");
	assert_string_equal(s->command[2], "--flag");
	assert_string_equal(s->command[3], "");
	assert_null(s->command[4]);
	assert_string_equal(s->env[0], "B=2=3");
	assert_string_equal(s->env[1], "A=");
	assert_null(s->env[2]);
	assert_int_equal(s->mount_count, 3);
	assert_string_equal(s->mounts[0].host, "/srv/bawn/data");
	assert_string_equal(s->mounts[0].at, "/work");
	assert_int_equal(s->mounts[0].mode, MODE_READ_ONLY);
	assert_null(s->mounts[0].beneath);
	assert_string_equal(s->mounts[1].host, "/home/user/notes");
	assert_string_equal(s->mounts[1].at, "/home/user/notes");
	assert_int_equal(s->mounts[1].mode, MODE_READ_WRITE);
	assert_string_equal(s->mounts[2].host, "/srv/x/y");
	assert_string_equal(s->mounts[2].at, "/in");
	assert_string_equal(s->workdir, "/work");
	assert_int_equal(s->timeout_ms, 90000);
	assert_int_equal(s->line, 4);

	s = policy_server_at(p, 0);
	assert_null(s->command[1]);
	assert_null(s->env[0]);
	assert_int_equal(s->mount_count, 0);
	assert_string_equal(s->workdir, "/");
	assert_int_equal(s->timeout_ms, 60000);
	policy_free(p);
	policy_free(NULL);
}

static void a_projects_mounts_say_what_they_must_lie_beneath(void **state)
{
	struct policy *p = load_with(
		"version: 1\nservers: {a: {command: [x], files: [{host: ./sub, at: /sub}]}}\n",
		(struct policy_options){ .base = SLICE("/home/user/proj"), .project = SLICE("/home/user/proj") });

	(void)state;
	assert_string_equal(policy_server_at(p, 0)->mounts[0].beneath, "/home/user/proj");
	policy_free(p);
}

static bool fails_with(const char *yaml, struct policy_options options, const char *text)
{
	struct policy_problems problems;
	struct policy *policy = NULL;
	bool found = false;

	if (policy_load(slice_str(yaml), &options, &policy, &problems) == 0)
		policy_free(policy);
	else
		for (size_t i = 0; i < problems.count; i++)
			found |= strcmp(problems.list[i].text, text) == 0;
	policy_problems_free(&problems);
	return found;
}

static void no_home_is_a_problem(void **state)
{
	(void)state;
	assert_true(fails_with("version: 1\nservers: {a: {command: [x], files: [{host: ~/x, at: /x}]}}\n",
			       (struct policy_options){ .base = SLICE("/b") },
			       "there is no home folder here for ~: write the whole path"));
}

static void many_problems_are_cut_and_said_so(void **state)
{
	cleanup_buf struct buf yaml = BUF_INIT(1 << 20);
	struct policy_options options = { .base = SLICE("/b") };
	struct policy_problems problems;
	struct policy *policy;

	(void)state;
	buf_add_str(&yaml, "version: 1\nservers: {a: {command: [x]}}\nagents:\n  dev:\n    deny:\n");
	for (int i = 0; i < 5000; i++)
		buf_printf(&yaml, "      - nobody%d.x\n", i);
	assert_int_equal(policy_load(buf_slice(&yaml), &options, &policy, &problems), -EINVAL);
	assert_int_equal(problems.count, 501);
	assert_int_equal(problems.list[499].line, 505);
	assert_int_equal(problems.list[500].line, 0);
	policy_problems_free(&problems);
}

static void more_than_the_limits_is_refused(void **state)
{
	cleanup_buf struct buf yaml = BUF_INIT(1 << 20);
	struct policy_options options = { .base = SLICE("/b") };

	(void)state;
	buf_add_str(&yaml, "version: 1\nservers: {a: {command: [x]}}\nagents:\n  dev:\n    deny:\n");
	for (int i = 0; i < 10001; i++)
		buf_printf(&yaml, "      - a.x%d\n", i);
	buf_add_char(&yaml, '\0');
	assert_true(fails_with(yaml.ptr, options, "more than 10000 rules for one agent"));

	buf_clear(&yaml);
	buf_add_str(&yaml, "version: 1\nservers:\n  a:\n    command: [x]\n    files:\n");
	for (int i = 0; i < 129; i++)
		buf_printf(&yaml, "      - {host: /srv/%d}\n", i);
	buf_add_char(&yaml, '\0');
	assert_true(fails_with(yaml.ptr, options, "more than 128 mounts in one server"));
}

static void problems_as_json(void **state)
{
	cleanup_buf struct buf out = BUF_INIT(100000);
	struct policy_options options = { .base = SLICE("/b") };
	struct policy_problems problems;
	struct policy *policy;

	(void)state;
	assert_int_equal(policy_load(SLICE("version: 1\nservers: {a: {command: [x], env: {ENV: \"\"}}}\negres: 1\n"), &options,
				     &policy, &problems),
			 -EINVAL);
	assert_int_equal(policy_problems_print_json(&out, SLICE("a\"b.yaml"), &problems), 0);
	buf_add_char(&out, '\0');
	assert_string_equal(
		out.ptr,
		"[{\"column\":35,\"file\":\"a\\\"b.yaml\",\"line\":2,\"severity\":\"warning\",\"text\":\"ENV changes which code the server runs\"},"
		"{\"column\":1,\"file\":\"a\\\"b.yaml\",\"line\":3,\"severity\":\"error\",\"text\":\"unknown key \\\"egres\\\" (did you mean \\\"egress\\\"?)\"}]");
	policy_problems_free(&problems);
}

static int stop_at_once(void *ctx, const struct policy_look *look)
{
	(void)look;
	++*(int *)ctx;
	return -ECANCELED;
}

static void a_review_can_be_ended(void **state)
{
	struct policy *p = load("version: 1\nservers: {a: {command: [x]}}\nagents: {dev: {ask: [a.x, a.y, a.z*]}}\n");
	int calls = 0;

	(void)state;
	assert_int_equal(policy_review(p, stop_at_once, &calls), -ECANCELED);
	assert_int_equal(calls, 1);
	policy_free(p);
}

/* ---- decisions ---- */

static const char decisions_yaml[] =
	"version: 1\n"
	"servers:\n"
	"  files: {command: [f]}\n"
	"  pay: {command: [p]}\n"
	"tools:\n"
	"  files.read: {effect: read}\n"
	"  files.write: {effect: write}\n"
	"  files.list: {effect: read}\n"
	"  files.remove: {effect: destructive}\n"
	"  pay.look: {effect: read}\n"
	"agents:\n"
	"  dev:\n"
	"    allow:\n"
	"      - files.read\n"
	"      - files.li*\n"
	"      - {tool: files.write, args: {path: {type: string}, size: {type: integer, maximum: 10, optional: true}}}\n"
	"      - {tool: files.write, args: {size: {type: integer, minimum: 100}}}\n"
	"      - pay.look\n"
	"    deny:\n"
	"      - {tool: files.read, args: {depth: {type: integer, minimum: 5}}}\n"
	"      - files.list_secret\n"
	"  boss:\n"
	"    allow:\n"
	"      - {tool: pay.refund, unattended: \"small sums\", args: {cents: {type: integer, minimum: 1, maximum: 10000}, note: {type: string, optional: true}}}\n"
	"      - files.*\n"
	"      - {tool: files.remove, args: {path: {type: integer, maximum: 3}}, unattended: \"scratch\"}\n"
	"    ask:\n"
	"      - {tool: pay.refund, args: {cents: {type: integer, minimum: 100, maximum: 5000}}}\n"
	"    deny: [\"*.chmod\", pay.drop*]\n"
	"  idle: {}\n";

#define NO_TOOL "There is no such tool for this agent; use one from the list of tools."
#define NOT_THESE "This tool is granted, but not with these arguments"
#define APPROVE "A person has to approve this call first; it has not been made."

static const struct {
	const char *agent, *server, *tool, *args;
	enum policy_decision decision;
	const char *code, *stage, *rule, *why;
} decisions[] = {
	{ "nobody", "files", "read", "{}", DECISION_REFUSE, "unknown_agent", "identify", "", "This agent is not known here." },
	{ "", "files", "read", "{}", DECISION_REFUSE, "unknown_agent", "identify", "", "This agent is not known here." },
	{ "idle", "files", "read", "{}", DECISION_REFUSE, "not_granted", "grant", "", NO_TOOL },
	{ "dev", "files", "nothing", "{}", DECISION_REFUSE, "not_granted", "grant", "", NO_TOOL },
	{ "dev", "file", "read", "{}", DECISION_REFUSE, "not_granted", "grant", "", NO_TOOL },
	{ "dev", "pay", "read", "{}", DECISION_REFUSE, "not_granted", "grant", "", NO_TOOL },
	{ "dev", "files", "Read", "{}", DECISION_REFUSE, "not_granted", "grant", "", NO_TOOL },
	/* Allowed: by name, with any arguments. */
	{ "dev", "files", "read", "{\"path\":\"x\",\"depth\":0,\"more\":[1]}", DECISION_ALLOW, "", "policy", "agents.dev.allow[0]",
	  "" },
	/* A deny rule with args: extra arguments do not get round it, nor does leaving the argument out. */
	{ "dev", "files", "read", "{\"depth\":5}", DECISION_REFUSE, "out_of_scope", "policy", "agents.dev.deny[0]",
	  "This tool is granted, but a rule forbids it with these arguments; do not repeat the call with them." },
	{ "dev", "files", "read", "{\"a\":1,\"depth\":9,\"z\":1}", DECISION_REFUSE, "out_of_scope", "policy", "agents.dev.deny[0]",
	  "This tool is granted, but a rule forbids it with these arguments; do not repeat the call with them." },
	{ "dev", "files", "read", "{}", DECISION_REFUSE, "out_of_scope", "policy", "agents.dev.deny[0]",
	  "This tool is granted, but a rule forbids it with these arguments; do not repeat the call with them." },
	{ "dev", "files", "read", "{\"depth\":4}", DECISION_ALLOW, "", "policy", "agents.dev.allow[0]", "" },
	/* A wildcard does not reach what is destructive for want of facts, and a whole deny looks like no tool. */
	{ "dev", "files", "list", "{}", DECISION_ALLOW, "", "policy", "agents.dev.allow[1]", "" },
	{ "dev", "files", "list_new", "{}", DECISION_ASK, "needs_approval", "approval", "agents.dev.allow[1]", APPROVE },
	{ "dev", "files", "list_secret", "{}", DECISION_REFUSE, "not_granted", "grant", "agents.dev.deny[1]", NO_TOOL },
	/* Closed arguments: alternatives, none missing, none more. */
	{ "dev", "files", "write", "{\"path\":\"x\"}", DECISION_ALLOW, "", "policy", "agents.dev.allow[2]", "" },
	{ "dev", "files", "write", "{\"size\":10,\"path\":\"x\"}", DECISION_ALLOW, "", "policy", "agents.dev.allow[2]", "" },
	{ "dev", "files", "write", "{\"size\":100}", DECISION_ALLOW, "", "policy", "agents.dev.allow[3]", "" },
	{ "dev", "files", "write", "{}", DECISION_REFUSE, "out_of_scope", "policy", "", NOT_THESE ": path is missing." },
	{ "dev", "files", "write", "{\"path\":\"x\",\"size\":11}", DECISION_REFUSE, "out_of_scope", "policy", "",
	  NOT_THESE ": size must be at most 10." },
	{ "dev", "files", "write", "{\"path\":\"x\",\"mode\\n\":1}", DECISION_REFUSE, "out_of_scope", "policy", "",
	  NOT_THESE ": leave out mode\\x0a." },
	{ "dev", "files", "write", "[]", DECISION_REFUSE, "out_of_scope", "policy", "", "The arguments must be one JSON object." },
	{ "dev", "files", "write", "null", DECISION_REFUSE, "out_of_scope", "policy", "",
	  "The arguments must be one JSON object." },
	/* Ask beats allow: what the ask rule covers waits, what it has in hand and does not cover is refused, the rest is for allow. */
	{ "boss", "pay", "refund", "{\"cents\":200}", DECISION_ASK, "needs_approval", "approval", "agents.boss.ask[0]", APPROVE },
	{ "boss", "pay", "refund", "{\"cents\":200,\"note\":\"x\"}", DECISION_REFUSE, "out_of_scope", "policy",
	  "agents.boss.ask[0]", NOT_THESE ": leave out note." },
	{ "boss", "pay", "refund", "{\"note\":\"x\"}", DECISION_REFUSE, "out_of_scope", "policy", "agents.boss.ask[0]",
	  NOT_THESE ": leave out note." },
	{ "boss", "pay", "refund", "{}", DECISION_REFUSE, "out_of_scope", "policy", "agents.boss.ask[0]",
	  NOT_THESE ": cents is missing." },
	{ "boss", "pay", "refund", "{\"cents\":99,\"note\":\"x\"}", DECISION_ALLOW, "", "policy", "agents.boss.allow[0]", "" },
	{ "boss", "pay", "refund", "{\"cents\":10001}", DECISION_REFUSE, "out_of_scope", "policy", "",
	  NOT_THESE ": cents must be at most 10000." },
	/* A destructive tool through a wildcard waits; the rule that says why it need not comes first, wherever it stands. */
	{ "boss", "files", "read", "{}", DECISION_ALLOW, "", "policy", "agents.boss.allow[1]", "" },
	{ "boss", "files", "remove", "{\"path\":9}", DECISION_ASK, "needs_approval", "approval", "agents.boss.allow[1]", APPROVE },
	{ "boss", "files", "remove", "{\"path\":3}", DECISION_ALLOW, "", "policy", "agents.boss.allow[2]", "" },
	{ "boss", "files", "chmod", "{}", DECISION_REFUSE, "not_granted", "grant", "agents.boss.deny[0]", NO_TOOL },
};

static struct json parse(struct arena *arena, const char *text)
{
	struct json v = { .type = JSON_NULL };

	assert_int_equal(json_parse(arena, slice_str(text), &json_limits_default, &v, NULL), JSON_OK);
	return v;
}

static void each_call_is_decided_as_documented(void **state)
{
	struct policy *p = load(decisions_yaml);

	(void)state;
	for (size_t i = 0; i < sizeof(decisions) / sizeof(decisions[0]); i++) {
		cleanup_arena struct arena arena = ARENA_INIT(100000);
		struct slice agent = slice_str(decisions[i].agent), server = slice_str(decisions[i].server),
			     tool = slice_str(decisions[i].tool);
		struct json args = parse(&arena, decisions[i].args);
		struct policy_verdict v;

		policy_decide(p, agent, server, tool, &args, &v);
		if (v.decision != decisions[i].decision || strcmp(v.code, decisions[i].code) != 0 ||
		    strcmp(v.rule, decisions[i].rule) != 0)
			print_error("%s %s.%s %s: %d %s by %s\n", decisions[i].agent, decisions[i].server, decisions[i].tool,
				    decisions[i].args, v.decision, v.code, v.rule);
		assert_int_equal(v.decision, decisions[i].decision);
		assert_string_equal(v.code, decisions[i].code);
		assert_string_equal(v.stage, decisions[i].stage);
		assert_string_equal(v.rule, decisions[i].rule);
		assert_string_equal(v.why, decisions[i].why);
		assert_true((v.line == 0) == (v.rule[0] == '\0'));
		assert_int_equal(policy_grants(p, agent, server, tool),
				 strcmp(v.stage, "identify") != 0 && strcmp(v.stage, "grant") != 0);
	}
	policy_free(p);
}

/* No "*" reaches a name that the policy could not write out: look-alikes, control characters, endless ones. */
static void names_of_another_spelling_are_nobodys(void **state)
{
	struct policy *p = load(decisions_yaml);
	struct json none = { .type = JSON_OBJECT };
	char longest[129];
	struct policy_verdict v;
	static const struct slice odd[] = {
		SLICE(""),
		SLICE("re ad"),
		SLICE("r\xd0\xb5"
		      "ad"),
		SLICE("read\0"),
		SLICE("*"),
		SLICE("li*"),
		SLICE("\xff"),
		SLICE("read\n"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		assert_false(policy_grants(p, SLICE("boss"), SLICE("files"), odd[i]));
		policy_decide(p, SLICE("boss"), SLICE("files"), odd[i], &none, &v);
		assert_string_equal(v.code, "not_granted");
	}
	memset(longest, 'a', sizeof(longest));
	assert_true(policy_grants(p, SLICE("boss"), SLICE("files"), slice_of(longest, 128)));
	assert_false(policy_grants(p, SLICE("boss"), SLICE("files"), slice_of(longest, 129)));
	policy_free(p);
}

static void who_uses_which_server(void **state)
{
	struct policy *p = load(
		"version: 1\n"
		"servers: {a: {command: [x]}, b: {command: [x]}, c: {command: [x]}, d: {command: [x]}}\n"
		"agents:\n"
		"  one: {ask: [a.x], allow: [b.*, c.read_*], deny: [a.x, \"b.*\", c.read_x, {tool: c.*, args: {p: true}}]}\n"
		"  two: {ask: [b.*, c.*], deny: [\"*.*\"]}\n"
				"  three: {deny: [{tool: d.x, args: {p: true}}]}\n");

	(void)state;
	assert_false(policy_agent_uses(p, SLICE("one"), SLICE("a")));
	assert_false(policy_agent_uses(p, SLICE("one"), SLICE("b")));
	assert_true(policy_agent_uses(p, SLICE("one"), SLICE("c")));
	assert_false(policy_agent_uses(p, SLICE("one"), SLICE("d")));
	assert_false(policy_agent_uses(p, SLICE("two"), SLICE("b")));
	assert_false(policy_agent_uses(p, SLICE("nobody"), SLICE("c")));
	assert_false(policy_agent_uses(p, SLICE("three"), SLICE("d")));
	assert_int_equal(policy_agent_count(p), 3);
	assert_string_equal(policy_agent_at(p, 1), "three");
	assert_string_equal(policy_agent_at(p, 2), "two");
	assert_null(policy_agent_at(p, 3));
	assert_true(policy_agent_exists(p, SLICE("one")));
	assert_false(policy_agent_exists(p, SLICE("on")));
	policy_free(p);
}

/* Nested quantifiers: a long run of "a" without its end makes the pattern try every split. */
#define SLOW "{tool: s.t, args: {p: {type: string, pattern: \"^(a+a+)+(a+a+)+$\"}}}"

/* An evaluation that passes its limit is a refusal in each list, whatever other rule would allow the call. */
static void what_cannot_be_evaluated_is_refused(void **state)
{
	static const struct {
		const char *rules, *rule;
	} cases[] = {
		{ "    deny: [" SLOW "]\n    allow: [s.*]\n", "agents.a.deny[0]" },
		{ "    ask: [" SLOW "]\n    allow: [s.*]\n", "agents.a.ask[0]" },
		{ "    allow: [" SLOW ", s.*]\n", "agents.a.allow[0]" },
	};
	cleanup_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	cleanup_buf struct buf text = BUF_INIT((size_t)4 << 20);
	struct json args;

	(void)state;
	buf_add_str(&text, "{\"p\":\"");
	for (int i = 0; i < 5000; i++)
		buf_add_char(&text, 'a');
	buf_add_str(&text, "b\"}");
	buf_add_char(&text, '\0');
	args = parse(&arena, text.ptr);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char yaml[600];
		struct policy_verdict v;
		struct policy *p;

		snprintf(yaml, sizeof(yaml),
			 "version: 1\nservers: {s: {command: [x]}}\ntools: {s.t: {effect: read}}\nagents:\n  a:\n%s",
			 cases[i].rules);
		p = load(yaml);
		policy_decide(p, SLICE("a"), SLICE("s"), SLICE("t"), &args, &v);
		assert_int_equal(v.decision, DECISION_REFUSE);
		assert_string_equal(v.code, "out_of_scope");
		assert_string_equal(v.rule, cases[i].rule);
		assert_string_equal(v.why, "These arguments could not be checked within the limits; send smaller or simpler ones.");
		policy_free(p);
	}
}

/* A server may read a number as the nearest double, and a string up to its first NUL: no rule is got round by that. */
static void the_stricter_reading_stands(void **state)
{
	static const char yaml[] = "version: 1\n"
				   "servers: {s: {command: [s]}}\n"
				   "tools: {s.below: {effect: read}, s.above: {effect: read}, s.free: {effect: read}, s.big: {effect: read}, s.end: {effect: read},\n"
				   "  s.deep: {effect: read}}\n"
				   "agents:\n"
				   "  a:\n"
				   "    allow:\n"
				   "      - {tool: s.below, args: {n: {type: number, exclusiveMaximum: 5000}}}\n"
				   "      - {tool: s.above, args: {n: {type: number, exclusiveMinimum: 0}}}\n"
				   "      - s.free\n"
				   "      - {tool: s.big, args: {n: {type: integer}}}\n"
				   "      - {tool: s.end, args: {s: {type: string, pattern: '[.]txt$'}}}\n"
				   "      - {tool: s.deep, args: {l: {type: array, items: {type: object, additionalProperties: {not: {const: 13}}}}}}\n"
				   "    ask: [{tool: s.free, args: {asked: {const: 7}}}]\n"
				   "    deny: [{tool: s.free, args: {n: {const: 9007199254740992}, asked: {const: 0}}}]\n";
	static const struct {
		const char *tool, *args;
		enum policy_decision decision;
	} cases[] = {
		{ "below", "{\"n\":4999.9999999999990}", DECISION_ALLOW },
		{ "below", "{\"n\":4999.99999999999999999}", DECISION_REFUSE },
		{ "below", "{\"n\":0.1}", DECISION_ALLOW },
		{ "above", "{\"n\":1e-300}", DECISION_ALLOW },
		{ "above", "{\"n\":1e-400}", DECISION_REFUSE },
		{ "free", "{\"n\":9007199254740991,\"asked\":0}", DECISION_ALLOW },
		{ "free", "{\"n\":9007199254740993,\"asked\":0}", DECISION_REFUSE },
		{ "free", "{\"n\":9007199254740992.5,\"asked\":0}", DECISION_REFUSE },
		{ "free", "{\"n\":1,\"asked\":6.99999999999999999999}", DECISION_REFUSE },
		{ "free", "{\"n\":1,\"asked\":1}", DECISION_ALLOW },
		{ "free", "{\"n\":1,\"asked\":1,\"any\\u0000name\":1}", DECISION_REFUSE },
		{ "free", "{\"n\":1,\"asked\":1,\"l\":[{\"any\\u0000name\":1}]}", DECISION_REFUSE },
		{ "big", "{\"n\":1234567890123456789}", DECISION_ALLOW },
		{ "end", "{\"s\":\"a.txt\"}", DECISION_ALLOW },
		{ "end", "{\"s\":\"a\\u0000.txt\"}", DECISION_REFUSE },
		{ "end", "{\"s\":\"a.txt\\u0000.txt\"}", DECISION_ALLOW },
		{ "deep", "{\"l\":[{\"a\":1},{\"a\":12.999999999999999}]}", DECISION_ALLOW },
		{ "deep", "{\"l\":[{\"a\":1},{\"a\":12.9999999999999999999}]}", DECISION_REFUSE },
	};
	struct policy *p = load(yaml);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_arena struct arena arena = ARENA_INIT(100000);
		struct json args = parse(&arena, cases[i].args);
		struct policy_verdict v;

		policy_decide(p, SLICE("a"), SLICE("s"), slice_str(cases[i].tool), &args, &v);
		if (v.decision != cases[i].decision)
			print_error("%s %s: %d %s\n", cases[i].tool, cases[i].args, v.decision, v.why);
		assert_int_equal(v.decision, cases[i].decision);
	}
	policy_free(p);
}

/* ---- what an approval is bound to ---- */

struct text_wanted {
	struct slice text;
	unsigned asked;
};

static bool same_text(void *ctx, struct slice rule_text)
{
	struct text_wanted *w = ctx;

	w->asked++;
	return slice_eq(w->text, rule_text);
}

/* How the policy decides agent a's call of `tool` with {"n":1}. */
static void decide_one(const struct policy *p, const char *tool, struct policy_verdict *ret_verdict)
{
	cleanup_arena struct arena arena = ARENA_INIT(10000);
	struct json args = parse(&arena, "{\"n\":1}");

	policy_decide(p, SLICE("a"), SLICE("s"), slice_str(tool), &args, ret_verdict);
}

static void what_waits_says_how_long_and_by_which_text(void **state)
{
	struct policy *p = load("version: 1\n"
				"servers: {s: {command: [x]}}\n"
				"tools: {s.read: {effect: read}}\n"
				"agents:\n"
				"  a:\n"
				"    ask:\n"
				"      - {within: 12h, tool: s.limited, args: {n: {optional: true, minimum: 1.0, type: integer}, b: true}}\n"
				"      - {tool: s.limited, args: {n: true}, within: 30d}\n"
				"      - {tool: s.bare, within: 90s}\n"
				"      - s.plain\n"
				"      - {tool: s.none, args: {}}\n"
				"    allow: [s.r*, {tool: s.w*, unattended: y}]\n");
	static const struct {
		const char *tool;
		enum policy_decision decision;
		uint32_t within_s;
		const char *text;
	} cases[] = {
		{ "limited", DECISION_ASK, 30 * 86400, "{\"args\":{\"n\":true},\"list\":\"ask\",\"tool\":\"s.limited\",\"within\":2592000}" },
		{ "bare", DECISION_ASK, 90, "{\"list\":\"ask\",\"tool\":\"s.bare\",\"within\":90}" },
		{ "plain", DECISION_ASK, 3600, "{\"list\":\"ask\",\"tool\":\"s.plain\",\"within\":3600}" },
		{ "remove", DECISION_ASK, 3600, "{\"list\":\"allow\",\"tool\":\"s.r*\",\"within\":3600}" },
		{ "read", DECISION_ALLOW, 0, "" },
		{ "write", DECISION_ALLOW, 0, "" },
		{ "none", DECISION_REFUSE, 0, "" },
		{ "other", DECISION_REFUSE, 0, "" },
	};
	struct text_wanted first = { .text = SLICE(
		"{\"args\":{\"b\":true,\"n\":{\"minimum\":1,\"optional\":true,\"type\":\"integer\"}},\"list\":\"ask\",\"tool\":\"s.limited\",\"within\":43200}") };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct policy_verdict v;

		decide_one(p, cases[i].tool, &v);
		assert_int_equal(v.decision, cases[i].decision);
		assert_int_equal(v.within_s, cases[i].within_s);
		if (!slice_eq(v.rule_text, slice_str(cases[i].text)))
			fail_msg("%s: %.*s", cases[i].tool, SLICE_ARG(v.rule_text));
	}
	assert_true(policy_may_ask(p, SLICE("a"), SLICE("s"), SLICE("limited"), same_text, &first));
	assert_int_equal(first.asked, 1);
	policy_free(p);
}

/* Whether the approval of the first policy's rule for s.t still has its rule in the second. */
static void the_text_ends_with_the_rule_and_with_nothing_else(void **state)
{
#define HEAD "version: 1\nservers: {s: {command: [x]}, z: {command: [z]}}\n"
	static const char before[] = HEAD "agents: {a: {ask: [{tool: s.t, args: {n: {type: integer, maximum: 5}}}]}}\n";
	static const struct {
		const char *yaml;
		bool still;
	} cases[] = {
		{ before, true },
		{ HEAD "# a comment\nagents: {z: {allow: [z.*], deny: [s.t]},\n"
		       "  a: {ask: [z.t, {within: 60m, args: {n: {maximum: 5.0, type: integer}}, tool: s.t}], deny: [s.x]}}\n", true },
		{ HEAD "agents: {a: {ask: [{tool: s.t, args: {n: {type: integer, maximum: 6}}}]}}\n", false },
		{ HEAD "agents: {a: {ask: [{tool: s.t, within: 2h, args: {n: {type: integer, maximum: 5}}}]}}\n", false },
		{ HEAD "agents: {a: {ask: [{tool: s.t*, args: {n: {type: integer, maximum: 5}}}]}}\n", false },
		{ HEAD "agents: {a: {ask: [{tool: s.u, args: {n: {type: integer, maximum: 5}}}]}}\n", false },
		{ HEAD "agents: {a: {ask: [s.t]}}\n", false },
		{ HEAD "agents: {a: {allow: [{tool: s.t, unattended: x, args: {n: {type: integer, maximum: 5}}}]}}\n", false },
		{ HEAD "agents: {a: {ask: [{tool: s.t, args: {n: {type: integer, maximum: 5}}}], deny: [s.t]}}\n", false },
		{ HEAD "agents: {b: {ask: [{tool: s.t, args: {n: {type: integer, maximum: 5}}}]}}\n", false },
	};
	struct policy *old = load(before);
	struct policy_verdict v;

	(void)state;
	decide_one(old, "t", &v);
	assert_int_equal(v.decision, DECISION_ASK);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct policy *new = load(cases[i].yaml);
		struct text_wanted w = { .text = v.rule_text };
		bool still = policy_may_ask(new, SLICE("a"), SLICE("s"), SLICE("t"), same_text, &w);

		if (still != cases[i].still)
			fail_msg("%d for\n%s", still, cases[i].yaml);
		policy_free(new);
	}
	policy_free(old);
}

/* A rule under allow that waits only for what is destructive: its facts decide, and are asked for apart from its text. */
static void the_facts_are_told(void **state)
{
	struct policy *p = load("version: 1\nservers: {s: {command: [x]}}\ntools: {s.r: {effect: read}, s.w: {effect: write}}\n");

	(void)state;
	assert_int_equal(policy_tool_effect(p, SLICE("s"), SLICE("r")), EFFECT_READ);
	assert_int_equal(policy_tool_effect(p, SLICE("s"), SLICE("w")), EFFECT_WRITE);
	assert_int_equal(policy_tool_effect(p, SLICE("s"), SLICE("t")), EFFECT_DESTRUCTIVE);
	policy_free(p);
}

static void every_truncation(void **state)
{
	struct policy_options options = { .base = SLICE("/srv/bawn"), .home = SLICE("/home/user") };

	(void)state;
	for (size_t len = 0; len < sizeof(decisions_yaml); len++) {
		char *exact = malloc(len ? len : 1);
		struct policy_problems problems;
		struct policy *policy;
		int r;

		assert_non_null(exact);
		memcpy(exact, decisions_yaml, len);
		r = policy_load(slice_of(exact, len), &options, &policy, &problems);
		assert_true(r == 0 || (r == -EINVAL && problems.count > 0));
		if (r == 0)
			policy_free(policy);
		policy_problems_free(&problems);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_is_held_whole),
		cmocka_unit_test(a_projects_mounts_say_what_they_must_lie_beneath),
		cmocka_unit_test(no_home_is_a_problem),
		cmocka_unit_test(many_problems_are_cut_and_said_so),
		cmocka_unit_test(more_than_the_limits_is_refused),
		cmocka_unit_test(problems_as_json),
		cmocka_unit_test(a_review_can_be_ended),
		cmocka_unit_test(each_call_is_decided_as_documented),
		cmocka_unit_test(names_of_another_spelling_are_nobodys),
		cmocka_unit_test(who_uses_which_server),
		cmocka_unit_test(what_cannot_be_evaluated_is_refused),
		cmocka_unit_test(the_stricter_reading_stands),
		cmocka_unit_test(what_waits_says_how_long_and_by_which_text),
		cmocka_unit_test(the_text_ends_with_the_rule_and_with_nothing_else),
		cmocka_unit_test(the_facts_are_told),
		cmocka_unit_test(every_truncation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
