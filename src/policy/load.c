/* One YAML file into a compiled policy, or into everything that is wrong with it. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "parse/yaml.h"
#include "policy/loader.h"

enum { TREE_ARENA = 64 * 1024 * 1024, POLICY_ARENA = 128 * 1024 * 1024, PROBLEM_ARENA = 4 * 1024 * 1024 };

void *loader_array(struct loader *l, size_t count, size_t size)
{
	void *ptr = arena_array(&l->policy->arena, count, size);

	if (!ptr)
		l->out_of_memory = true;
	return ptr;
}

char *loader_string(struct loader *l, struct slice s)
{
	char *ptr = arena_cstr(&l->policy->arena, s);

	if (!ptr)
		l->out_of_memory = true;
	return ptr;
}

static void check_version(struct loader *l, const struct json *file)
{
	const struct json *v = json_get(file, SLICE("version"));
	int64_t n;

	if (!v)
		problem_error(l, file->line, file->column, "the file must say `version: 1`");
	else if (v->type != JSON_NUMBER || json_int64(v, &n) < 0 || n != 1)
		problem_error(l, v->line, v->column, "version must be 1: this program knows no other");
}

static void load_file(struct loader *l, const struct json *file)
{
	const struct json *servers = json_get(file, SLICE("servers"));

	if (!expect_type(l, file, JSON_OBJECT, "a policy"))
		return;
	keys_check(l, file, KEYS_TOP);
	check_version(l, file);
	load_servers(l, servers);
	/* Facts before rules: whether an allow rule needs `unattended` depends on them. */
	load_tools(l, json_get(file, SLICE("tools")), servers);
	load_agents(l, json_get(file, SLICE("agents")), servers);
}

/* -ENOMEM, or 0 with the tree when there is one to look at; its faults are among the problems. */
static int read_tree(struct loader *l, struct slice yaml, struct arena *arena, struct json *ret_tree, bool *ret_whole)
{
	cleanup_free struct yaml_faults *faults = calloc(1, sizeof(*faults));
	int r;

	if (!faults)
		return -ENOMEM;
	r = yaml_parse(arena, yaml, &yaml_limits_default, ret_tree, faults);
	if (r < 0 && r != -EINVAL)
		return r;
	for (size_t i = 0; i < faults->count; i++)
		problem_error(l, faults->list[i].line, faults->list[i].column, "%s", faults->list[i].text);
	l->tree_faults = l->problems->count;
	*ret_whole = faults->whole;
	return 0;
}

int policy_load(struct slice yaml, const struct policy_options *options, struct policy **ret_policy,
		struct policy_problems *ret_problems)
{
	cleanup_arena struct arena tree = ARENA_INIT(TREE_ARENA);
	struct loader l = { .options = options, .problems = ret_problems, .policy = calloc(1, sizeof(*l.policy)) };
	struct json file;
	bool whole = false;
	int r;

	*ret_problems = (struct policy_problems){ .arena = ARENA_INIT(PROBLEM_ARENA) };
	if (!l.policy)
		return -ENOMEM;
	l.policy->arena = ARENA_INIT(POLICY_ARENA);
	r = read_tree(&l, yaml, &tree, &file, &whole);
	if (r == 0) {
		l.policy->home = loader_string(&l, options->home);
		if (whole)
			load_file(&l, &file);
	}
	if (r == 0 && l.out_of_memory)
		r = -ENOMEM;
	if (r == 0 && l.errors)
		r = -EINVAL;
	problems_sort(ret_problems);
	if (r < 0)
		policy_free(l.policy);
	else
		*ret_policy = l.policy;
	return r;
}
