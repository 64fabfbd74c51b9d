/*
 * A policy from any bytes, and calls against it. Before a NUL byte stands the file, after it a JSON array of calls, each
 * ["agent", "server", "tool", arguments]. What is held: problems are in order, printable and inside the file; a verdict is one of the documented
 * ones, and agrees with policy_grants and policy_agent_uses.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"
#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool held)
{
	if (!held)
		abort();
}

static bool printable(const char *text)
{
	if (!utf8_valid(slice_str(text)))
		return false;
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

static void check_problems(const struct policy_problems *problems, bool loaded)
{
	cleanup_buf struct buf out = BUF_INIT((size_t)16 << 20);
	bool error = false;

	for (size_t i = 0; i < problems->count; i++) {
		const struct policy_problem *p = &problems->list[i];

		error |= !p->warning;
		require(printable(p->text));
		require(p->line == 0 || p->column > 0);
		require(i == 0 || p->line == 0 || problems->list[i - 1].line <= p->line);
	}
	require(error != loaded);
	require(policy_problems_print(&out, SLICE("bawn.yaml"), problems) == 0);
	require(policy_problems_print_json(&out, SLICE("bawn.yaml"), problems) == 0);
}

static int look(void *ctx, const struct policy_look *seen)
{
	(void)ctx;
	require(printable(seen->text) && seen->line > 0 && seen->column > 0 && policy_look_name(seen->kind)[0]);
	return 0;
}

static void check_servers(const struct policy *p)
{
	for (size_t i = 0; i < policy_server_count(p); i++) {
		const struct policy_server *s = policy_server_at(p, i);

		require(policy_server_find(p, slice_str(s->name)) == s);
		require(s->command[0] && s->command[0][0] && s->env && s->workdir[0] == '/' && s->timeout_ms >= 1000 &&
			s->timeout_ms <= 3600000);
		for (size_t j = 0; j < s->mount_count; j++) {
			require(s->mounts[j].host[0] == '/' && s->mounts[j].at[0] == '/' && s->mounts[j].at[1]);
			require(!strstr(s->mounts[j].host, "/../") && !strstr(s->mounts[j].at, "//"));
		}
	}
}

static void check_call(const struct policy *p, const struct json *call)
{
	struct policy_verdict v;
	struct slice agent, server, tool;
	bool granted;

	if (!json_is(call, JSON_ARRAY) || call->count != 4)
		return;
	for (int i = 0; i < 3; i++)
		if (call->items[i].type != JSON_STRING)
			return;
	agent = call->items[0].text;
	server = call->items[1].text;
	tool = call->items[2].text;
	policy_decide(p, agent, server, tool, &call->items[3], &v);
	granted = policy_grants(p, agent, server, tool);
	require(printable(v.why) && printable(v.rule));
	require((v.decision == DECISION_ALLOW) == (v.code[0] == '\0') && (v.decision == DECISION_ALLOW) == (v.why[0] == '\0'));
	require(granted == (strcmp(v.code, "not_granted") != 0 && strcmp(v.code, "unknown_agent") != 0));
	require(policy_agent_exists(p, agent) == (strcmp(v.code, "unknown_agent") != 0));
	if (v.decision != DECISION_REFUSE)
		require(v.line > 0 && v.rule[0] && policy_agent_uses(p, agent, server) && policy_server_find(p, server));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct json_limits limits = { .bytes = 65536, .depth = 16, .items = 1000 };
	struct policy_options options = { .base = SLICE("/home/user/proj"), .home = SLICE("/home/user") };
	const uint8_t *end = size ? memchr(data, 0, size) : NULL;
	size_t len = end ? (size_t)(end - data) : size;
	cleanup_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct policy_problems problems;
	struct policy *policy = NULL;
	struct json calls = { .type = JSON_NULL };
	int r;

	/* A file that says so is a project's. */
	if (len > 2 && memcmp(data, "#p", 2) == 0)
		options.project = options.base;
	r = policy_load(slice_of(data, len), &options, &policy, &problems);
	require(r == 0 || r == -EINVAL || r == -ENOMEM);
	if (r != -ENOMEM)
		check_problems(&problems, r == 0);
	policy_problems_free(&problems);
	if (r < 0)
		return 0;
	check_servers(policy);
	require(policy_review(policy, look, NULL) == 0);
	if (end && json_parse(&arena, slice_of(end + 1, size - len - 1), &limits, &calls, NULL) == JSON_OK &&
	    calls.type == JSON_ARRAY)
		for (uint32_t i = 0; i < calls.count; i++)
			check_call(policy, &calls.items[i]);
	policy_free(policy);
	return 0;
}
