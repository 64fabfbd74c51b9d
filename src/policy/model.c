#include <stdlib.h>

#include "policy/model.h"

const char *rule_list_name(enum rule_list list)
{
	static const char *const names[] = { [LIST_DENY] = "deny", [LIST_ASK] = "ask", [LIST_ALLOW] = "allow" };

	return list < LIST_COUNT ? names[list] : "";
}

const char *policy_effect_name(enum policy_effect effect)
{
	static const char *const names[] = {
		[EFFECT_READ] = "read",
		[EFFECT_WRITE] = "write",
		[EFFECT_DESTRUCTIVE] = "destructive",
	};

	return effect <= EFFECT_DESTRUCTIVE ? names[effect] : "";
}

/* ---- names ---- */

static bool plain_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static bool tool_char(char c)
{
	return plain_char(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '/';
}

bool name_is_plain(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!plain_char(name.ptr[i]))
			return false;
	return name.len >= 1 && name.len <= NAME_MAX_LEN;
}

bool name_is_tool(struct slice tool)
{
	if (tool.len < 1 || tool.len > TOOL_MAX_LEN)
		return false;
	for (size_t i = 0; i < tool.len; i++)
		if (!tool_char(tool.ptr[i]))
			return false;
	return true;
}

bool name_is_tool_pattern(struct slice tool)
{
	if (tool.len < 1 || tool.len > TOOL_MAX_LEN)
		return false;
	for (size_t i = 0; i < tool.len; i++) {
		bool star = tool.ptr[i] == '*';

		if (!star && !tool_char(tool.ptr[i]))
			return false;
		if (star && i && tool.ptr[i - 1] == '*')
			return false;
	}
	return true;
}

bool name_has_star(struct slice name)
{
	return name.len && memchr(name.ptr, '*', name.len);
}

bool name_matches(struct slice pattern, struct slice name)
{
	size_t p = 0, n = 0, star = 0, retry = 0;
	bool starred = false;

	/* When a literal run does not fit, the last star takes one byte more; earlier stars never have to. */
	while (n < name.len) {
		if (p < pattern.len && pattern.ptr[p] == '*') {
			starred = true;
			star = ++p;
			retry = n;
		} else if (p < pattern.len && pattern.ptr[p] == name.ptr[n]) {
			p++;
			n++;
		} else if (starred) {
			p = star;
			n = ++retry;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.ptr[p] == '*')
		p++;
	return p == pattern.len;
}

int name_cmp(struct slice server_a, struct slice tool_a, struct slice server_b, struct slice tool_b)
{
	int order = slice_cmp(server_a, server_b);

	return order ? order : slice_cmp(tool_a, tool_b);
}

/* ---- looking up ---- */

const struct agent *model_agent(const struct policy *policy, struct slice name)
{
	size_t low = 0, high = policy->agent_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = slice_cmp(slice_str(policy->agents[middle].name), name);

		if (order == 0)
			return &policy->agents[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct fact *model_fact(const struct policy *policy, struct slice server, struct slice tool)
{
	size_t low = 0, high = policy->fact_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct fact *f = &policy->facts[middle];
		int order = name_cmp(f->server, f->tool, server, tool);

		if (order == 0)
			return f;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

enum policy_effect model_effect(const struct policy *policy, struct slice server, struct slice tool)
{
	const struct fact *f = model_fact(policy, server, tool);

	return f ? f->effect : EFFECT_DESTRUCTIVE;
}

size_t policy_server_count(const struct policy *policy)
{
	return policy->server_count;
}

const struct policy_server *policy_server_at(const struct policy *policy, size_t index)
{
	return index < policy->server_count ? &policy->servers[index] : NULL;
}

const struct policy_server *policy_server_find(const struct policy *policy, struct slice name)
{
	size_t low = 0, high = policy->server_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = slice_cmp(slice_str(policy->servers_by_name[middle]->name), name);

		if (order == 0)
			return policy->servers_by_name[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

size_t policy_agent_count(const struct policy *policy)
{
	return policy->agent_count;
}

const char *policy_agent_at(const struct policy *policy, size_t index)
{
	return index < policy->agent_count ? policy->agents[index].name : NULL;
}

bool policy_agent_exists(const struct policy *policy, struct slice agent)
{
	return model_agent(policy, agent) != NULL;
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	for (size_t a = 0; a < policy->agent_count; a++)
		for (size_t r = 0; r < policy->agents[a].rule_count; r++)
			for (size_t i = 0; i < policy->agents[a].rules[r].arg_count; i++)
				schema_free(policy->agents[a].rules[r].args[i].schema);
	arena_free(&policy->arena);
	free(policy);
}
