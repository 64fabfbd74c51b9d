/* `tools` and `agents`: facts about tools, and the rules. */
#include <stdlib.h>

#include "base/text.h"
#include "policy/loader.h"

/* Splits "server.tool" at its first dot: a server's name has none. */
static bool split(struct slice name, struct slice *ret_server, struct slice *ret_tool)
{
	const char *dot = name.len ? memchr(name.ptr, '.', name.len) : NULL;

	if (!dot)
		return false;
	*ret_server = slice_of(name.ptr, (size_t)(dot - name.ptr));
	*ret_tool = slice_of(dot + 1, name.len - ret_server->len - 1);
	return true;
}

static bool known_server(struct loader *l, uint32_t line, uint32_t column, struct slice server, const struct json *servers)
{
	if (json_get(servers, server))
		return true;
	problem_error(l, line, column, "server \"%s\" does not exist%s", problem_show(l, server), did_you_mean(l, server, servers));
	return false;
}

/* A letter of another alphabet can look like the right one, so it is named. */
static void bad_tool_name(struct loader *l, uint32_t line, uint32_t column, struct slice name, const char *more)
{
	const char *alien = "";

	for (size_t at = 0, start = 0; at < name.len && !*alien; start = at) {
		int32_t c = utf8_next(name, &at);

		if (c < 0)
			break;
		if (at - start > 1)
			alien = arena_printf(&l->problems->arena, " (it holds U+%04X)", (unsigned)c);
		if (!alien) {
			l->out_of_memory = true;
			return;
		}
	}
	problem_error(l, line, column, "\"%s\": a tool's name is 1 to 128 of A-Z, a-z, 0-9, _ . / and -%s%s", problem_show(l, name),
		      more, alien);
}

/* ---- tools ---- */

static void load_effect(struct loader *l, const struct json_member *m, struct fact *out)
{
	static const char *const names[] = { "read", "write", "destructive" };
	const struct json *v = json_get(&m->value, SLICE("effect"));

	out->effect = EFFECT_DESTRUCTIVE;
	if (!v) {
		problem_error(l, m->value.line, m->value.column, "facts need effect: read, write or destructive");
		return;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!json_is(v, JSON_STRING) || !slice_eq(v->text, slice_str(names[i])))
			continue;
		out->effect = (enum policy_effect)i;
		return;
	}
	problem_error(l, v->line, v->column, "effect must be read, write or destructive");
}

static void load_fact(struct loader *l, const struct json_member *m, const struct json *servers, struct fact *out)
{
	struct slice server, tool;

	if (!split(m->name, &server, &tool))
		problem_error(l, m->line, m->column, "\"%s\": a tool is written server.tool", problem_show(l, m->name));
	else if (name_has_star(m->name))
		problem_error(l, m->line, m->column, "\"%s\": facts are of one tool each, without *", problem_show(l, m->name));
	else if (!name_is_tool(tool))
		bad_tool_name(l, m->line, m->column, m->name, "");
	else if (known_server(l, m->line, m->column, server, servers)) {
		out->server = arena_copy(&l->policy->arena, server);
		out->tool = arena_copy(&l->policy->arena, tool);
	}
	out->line = m->line;
	out->column = m->column;
	if (!expect_type(l, &m->value, JSON_OBJECT, "the facts of a tool"))
		return;
	keys_check(l, &m->value, KEYS_TOOL);
	load_effect(l, m, out);
}

static int by_tool(const void *a, const void *b)
{
	const struct fact *x = a, *y = b;

	return name_cmp(x->server, x->tool, y->server, y->tool);
}

void load_tools(struct loader *l, const struct json *tools, const struct json *servers)
{
	struct policy *p = l->policy;

	if (!tools || !expect_type(l, tools, JSON_OBJECT, "tools"))
		return;
	p->facts = loader_array(l, tools->count, sizeof(*p->facts));
	if (!p->facts)
		return;
	for (uint32_t i = 0; i < tools->count; i++)
		load_fact(l, &tools->members[i], servers, &p->facts[i]);
	p->fact_count = tools->count;
	if (p->fact_count)
		qsort(p->facts, p->fact_count, sizeof(*p->facts), by_tool);
}

/* ---- one rule ---- */

/* False when the rule names nothing that could be meant. */
static bool load_pattern(struct loader *l, const struct json *v, const struct json *servers, struct rule *rule)
{
	struct slice server, tool;
	const char *shown;

	if (!expect_type(l, v, JSON_STRING, "the tool of a rule"))
		return false;
	shown = problem_show(l, v->text);
	if (!split(v->text, &server, &tool)) {
		problem_error(l, v->line, v->column, "\"%s\": a rule names server.tool, or server.* for all tools of a server",
			      shown);
		return false;
	}
	if (name_has_star(server) && (server.len > 1 || rule->list != LIST_DENY)) {
		problem_error(l, v->line, v->column, "\"%s\": * stands in the tool's name only%s", shown,
			      rule->list == LIST_DENY ? ", or alone for every server" : ": name the server");
		return false;
	}
	if (!name_is_tool_pattern(tool)) {
		bad_tool_name(l, v->line, v->column, v->text, ", with * for any run of them");
		return false;
	}
	if (!slice_eq(server, SLICE("*")) && !known_server(l, v->line, v->column, server, servers))
		return false;
	rule->server = arena_copy(&l->policy->arena, server);
	rule->tool = arena_copy(&l->policy->arena, tool);
	rule->wildcard = name_has_star(v->text);
	return true;
}

static void load_unattended(struct loader *l, const struct json *v, struct rule *rule)
{
	struct slice why;

	if (rule->list == LIST_ASK)
		problem_error(l, v->line, v->column, "unattended belongs to allow: what is under ask always waits for a person");
	else if (rule->list == LIST_DENY)
		problem_error(l, v->line, v->column, "unattended belongs to allow: what is under deny never runs");
	else if (v->type != JSON_STRING || v->text.len == 0)
		problem_error(l, v->line, v->column, "unattended must say why nobody has to approve, as a string");
	else if (expect_text(l, v, "unattended", &why))
		rule->unattended = loader_string(l, why);
}

static void load_within(struct loader *l, const struct json *v, struct rule *rule)
{
	uint64_t ms;

	if (rule->list == LIST_ALLOW)
		problem_error(l, v->line, v->column, "within belongs to ask: what waits under allow waits for 1h");
	else if (rule->list == LIST_DENY)
		problem_error(l, v->line, v->column, "within belongs to ask: what is under deny never runs");
	else if (v->type != JSON_STRING || duration_ms(v->text, UNIT_S | UNIT_M | UNIT_H | UNIT_D, &ms) < 0)
		problem_error(l, v->line, v->column, "within must be a whole number with its unit: 90s, 30m, 12h or 7d");
	else if (ms < WITHIN_LEAST_S * 1000ULL || ms > WITHIN_MOST_S * 1000ULL)
		problem_error(l, v->line, v->column, "within must be from 1m to 30d");
	else
		rule->within_s = (uint32_t)(ms / 1000);
}

/* What is destructive waits for a person, unless somebody has written down why not. */
static void check_effect(struct loader *l, const struct json *at, const struct rule *rule)
{
	enum policy_effect effect = model_effect(l->policy, rule->server, rule->tool);
	bool stated = model_fact(l->policy, rule->server, rule->tool) != NULL;
	const char *shown = problem_show(l, at->text);

	if (rule->list != LIST_ALLOW || rule->wildcard)
		return;
	if (effect != EFFECT_DESTRUCTIVE && rule->unattended)
		problem_warning(l, at->line, at->column, "unattended says nothing here: the effect of \"%s\" is %s", shown,
				policy_effect_name(effect));
	if (effect != EFFECT_DESTRUCTIVE || rule->unattended)
		return;
	if (stated)
		problem_error(
			l, at->line, at->column,
			"\"%s\" is destructive: put it under ask, or write `unattended: \"why nobody has to approve\"` beside it",
			shown);
	else
		problem_error(
			l, at->line, at->column,
			"\"%s\" has no facts and so counts as destructive: state its effect under tools, put it under ask, or write `unattended: \"why nobody has to approve\"` beside it",
			shown);
}

static void load_rule(struct loader *l, const struct json *item, const struct json *servers, struct rule *rule)
{
	const struct json *tool = item, *args = NULL, *unattended = NULL, *within = NULL;

	if (item->type == JSON_OBJECT) {
		keys_check(l, item, KEYS_RULE);
		tool = json_get(item, SLICE("tool"));
		args = json_get(item, SLICE("args"));
		unattended = json_get(item, SLICE("unattended"));
		within = json_get(item, SLICE("within"));
	} else if (item->type != JSON_STRING) {
		problem_error(l, item->line, item->column, "a rule is server.tool, or a map {tool: server.tool, args: {...}}");
		return;
	}
	if (args)
		load_args(l, args, rule);
	if (unattended)
		load_unattended(l, unattended, rule);
	if (within)
		load_within(l, within, rule);
	if (!tool)
		problem_error(l, item->line, item->column, "a rule needs tool: server.tool");
	else if (load_pattern(l, tool, servers, rule) && !(unattended && !rule->unattended))
		check_effect(l, tool, rule);
	if (l->errors == 0)
		load_rule_text(l, rule);
}

/* ---- one agent ---- */

static int by_tool_list_index(const void *a, const void *b)
{
	const struct rule *x = *(const struct rule *const *)a, *y = *(const struct rule *const *)b;
	int order = name_cmp(x->server, x->tool, y->server, y->tool);

	return order ? order : (x > y) - (x < y);
}

static void index_rules(struct loader *l, struct agent *agent)
{
	const struct rule **exact = loader_array(l, agent->rule_count, sizeof(*exact));
	const struct rule **wild = loader_array(l, agent->rule_count, sizeof(*wild));

	if (!exact || !wild)
		return;
	for (size_t i = 0; i < agent->rule_count; i++) {
		if (agent->rules[i].wildcard)
			wild[agent->wild_count++] = &agent->rules[i];
		else
			exact[agent->exact_count++] = &agent->rules[i];
		agent->wild_from[agent->rules[i].list + 1] = agent->wild_count;
	}
	/* A list without rules ends where the one before it ends. */
	for (size_t list = 1; list <= LIST_COUNT; list++)
		if (agent->wild_from[list] < agent->wild_from[list - 1])
			agent->wild_from[list] = agent->wild_from[list - 1];
	if (agent->exact_count)
		qsort(exact, agent->exact_count, sizeof(*exact), by_tool_list_index);
	agent->exact = exact;
	agent->wild = wild;
}

/* A rule and what makes two of them the same. */
struct print {
	const struct rule *rule;
	struct slice args; /* canonical; empty for a rule without */
};

static int by_print(const void *a, const void *b)
{
	const struct print *x = a, *y = b;
	int order = name_cmp(x->rule->server, x->rule->tool, y->rule->server, y->rule->tool);

	order = order ? order : (int)x->rule->list - (int)y->rule->list;
	order = order ? order : slice_cmp(x->args, y->args);
	return order ? order : (x->rule > y->rule) - (x->rule < y->rule);
}

static void report_duplicates(struct loader *l, const struct print *prints, size_t count)
{
	for (size_t i = 1, first = 0; i < count; i++) {
		const struct rule *a = prints[first].rule, *b = prints[i].rule;
		bool same = a->list == b->list && name_cmp(a->server, a->tool, b->server, b->tool) == 0;

		if (same && slice_eq(prints[first].args, prints[i].args))
			problem_error(l, b->line, b->column, "this rule is in line %u already", (unsigned)a->line);
		else if (same && !a->limited && b->list != LIST_DENY && (a->unattended || !b->unattended))
			problem_warning(l, b->line, b->column,
					"these args limit nothing: line %u grants the tool with any arguments", (unsigned)a->line);
		else
			first = i;
	}
}

static void check_duplicates(struct loader *l, const struct agent *agent)
{
	struct arena scratch = ARENA_INIT((size_t)64 << 20);
	struct print *prints = arena_array(&scratch, agent->rule_count, sizeof(*prints));
	cleanup_buf struct buf text = BUF_INIT((size_t)16 << 20);
	size_t count = 0;

	for (size_t i = 0; prints && i < agent->rule_count; i++) {
		const struct rule *rule = &agent->rules[i];

		if (!rule->tool.ptr) /* it has a mistake already */
			continue;
		buf_clear(&text);
		prints[count].rule = rule;
		if (rule->limited && rule->args_source) {
			if (json_write(&text, rule->args_source) < 0)
				l->out_of_memory = true;
			prints[count].args = arena_copy(&scratch, buf_slice(&text));
			if (!prints[count].args.ptr)
				l->out_of_memory = true;
		}
		count++;
	}
	if (!prints)
		l->out_of_memory = true;
	if (count)
		qsort(prints, count, sizeof(*prints), by_print);
	report_duplicates(l, prints, count);
	arena_free(&scratch);
}

static const struct json *rules_of(struct loader *l, const struct json *agent, enum rule_list list)
{
	const struct json *v = json_get(agent, slice_str(rule_list_name(list)));

	return v && expect_type(l, v, JSON_ARRAY, rule_list_name(list)) ? v : NULL;
}

static void load_rules(struct loader *l, const struct json *from, const struct json *servers, struct agent *agent)
{
	const struct json *lists[LIST_COUNT];
	size_t total = 0;

	for (enum rule_list list = 0; list < LIST_COUNT; list++) {
		lists[list] = rules_of(l, from, list);
		total += lists[list] ? lists[list]->count : 0;
	}
	if (total > RULES_MAX) {
		problem_error(l, agent->line, agent->column, "more than %d rules for one agent", RULES_MAX);
		return;
	}
	agent->rules = loader_array(l, total, sizeof(*agent->rules));
	if (!agent->rules)
		return;
	for (enum rule_list list = 0; list < LIST_COUNT; list++) {
		for (uint32_t i = 0; lists[list] && i < lists[list]->count; i++) {
			const struct json *item = &lists[list]->items[i];
			struct rule *rule = &agent->rules[agent->rule_count++];

			*rule = (struct rule){ .list = list, .index = i, .line = item->line, .column = item->column,
					 .within_s = WITHIN_DEFAULT_S };
			rule->label = arena_printf(&l->policy->arena, "agents.%s.%s[%u]", agent->name ? agent->name : "",
						   rule_list_name(list), (unsigned)i);
			if (!rule->label)
				l->out_of_memory = true;
			load_rule(l, item, servers, rule);
		}
	}
}

static void load_agent(struct loader *l, const struct json_member *m, const struct json *servers, struct agent *agent)
{
	agent->line = m->line;
	agent->column = m->column;
	if (name_is_plain(m->name))
		agent->name = loader_string(l, m->name);
	else
		problem_error(l, m->line, m->column, "\"%s\" is no name for an agent: 1 to 64 of a-z, 0-9, _ and -",
			      problem_show(l, m->name));
	if (!expect_type(l, &m->value, JSON_OBJECT, "an agent"))
		return;
	keys_check(l, &m->value, KEYS_AGENT);
	load_rules(l, &m->value, servers, agent);
	index_rules(l, agent);
	check_duplicates(l, agent);
}

static int by_agent_name(const void *a, const void *b)
{
	const struct agent *x = a, *y = b;

	return slice_cmp(slice_str(x->name), slice_str(y->name));
}

void load_agents(struct loader *l, const struct json *agents, const struct json *servers)
{
	struct policy *p = l->policy;

	if (!agents || !expect_type(l, agents, JSON_OBJECT, "agents"))
		return;
	p->agents = loader_array(l, agents->count, sizeof(*p->agents));
	if (!p->agents)
		return;
	for (uint32_t i = 0; i < agents->count; i++) {
		load_agent(l, &agents->members[i], servers, &p->agents[i]);
		p->agent_count = i + 1; /* for policy_free, whatever happens next */
	}
	if (p->agent_count)
		qsort(p->agents, p->agent_count, sizeof(*p->agents), by_agent_name);
}
