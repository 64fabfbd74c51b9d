/* `servers`: what to start, with which environment and files. */
#include <errno.h>
#include <stdlib.h>

#include "base/text.h"
#include "policy/loader.h"

/* ---- commands that fetch code when they start ---- */

/*
 * A help for whoever copies a server's README, and no guard: a sandbox has no network, so that such a command would only fail, and later.
 */
static const struct {
	const char *program, *verb; /* verb NULL: whatever it is told to do */
} fetchers[] = {
	{ "npx", NULL },   { "pnpx", NULL },   { "bunx", NULL },   { "uvx", NULL },     { "npm", "exec" }, { "npm", "x" },
	{ "pnpm", "dlx" }, { "pnpm", "exec" }, { "yarn", "dlx" },  { "bun", "x" },      { "uv", "tool" },  { "uv", "run" },
	{ "pipx", "run" }, { "docker", NULL }, { "podman", NULL }, { "nerdctl", NULL },
};

static bool is_engine(struct slice program)
{
	return slice_eq(program, SLICE("docker")) || slice_eq(program, SLICE("podman")) || slice_eq(program, SLICE("nerdctl"));
}

static struct slice last_part(struct slice path)
{
	for (size_t i = path.len; i > 0; i--)
		if (path.ptr[i - 1] == '/')
			return slice_of(path.ptr + i, path.len - i);
	return path;
}

/* The first argument that is no option. */
static struct slice verb_of(char *const *argv)
{
	for (size_t i = 1; argv[0] && argv[i]; i++)
		if (argv[i][0] != '-')
			return slice_str(argv[i]);
	return SLICE("");
}

static void check_fetcher(struct loader *l, const struct json *at, char *const *argv)
{
	struct slice program = last_part(slice_str(argv[0])), verb = verb_of(argv);

	for (size_t i = 0; i < sizeof(fetchers) / sizeof(fetchers[0]); i++) {
		const char *wanted = fetchers[i].verb;

		if (!slice_eq(program, slice_str(fetchers[i].program)) || (wanted && !slice_eq(verb, slice_str(wanted))))
			continue;
		problem_error(
			l, at->line, at->column,
			"%s%s%s %s: install the package, mount its folder by `files:`, and write `command: [node, /path/inside/to/its/entry.js]`",
			fetchers[i].program, wanted ? " " : "", wanted ? wanted : "",
			is_engine(program) ? "runs a container, which a sandbox cannot"
					   : "fetches code when it starts, and a sandbox has no network");
		return;
	}
}

/* ---- command, args ---- */

/* Appends the strings of a list to argv; how many. */
static size_t add_strings(struct loader *l, const struct json *list, const char *name, char **argv)
{
	size_t count = 0;

	for (uint32_t i = 0; i < list->count; i++) {
		struct slice text;

		if (expect_text(l, &list->items[i], name, &text))
			argv[count++] = loader_string(l, text);
	}
	return count;
}

static const struct json *string_list(struct loader *l, const struct json *server, const char *name, const char *example)
{
	const struct json *v = json_get(server, slice_str(name));

	if (v && v->type == JSON_STRING)
		problem_error(l, v->line, v->column, "%s must be a list: write %s", name, example);
	else if (v && expect_type(l, v, JSON_ARRAY, name))
		return v;
	return NULL;
}

static void load_command(struct loader *l, const struct json *server, const struct json_member *at, struct policy_server *out)
{
	const struct json *command = string_list(l, server, "command", "[node, /srv/server.js]");
	const struct json *args = string_list(l, server, "args", "[--flag, value]");
	size_t room = 1 + (command ? command->count : 0) + (args ? args->count : 0), count = 0;
	char **argv = loader_array(l, room, sizeof(*argv));

	if (!argv)
		return;
	if (!json_get(server, SLICE("command")))
		problem_error(l, at->line, at->column, "server \"%s\" has no command: what is to be started?",
			      problem_show(l, at->name));
	if (command)
		count = add_strings(l, command, "each part of command", argv);
	if (args)
		add_strings(l, args, "each of args", argv + count);
	if (command && (command->count == 0 || (count && argv[0] && !*argv[0])))
		problem_error(l, command->line, command->column, "command names no program");
	else if (count && argv[0])
		check_fetcher(l, &command->items[0], argv);
	out->command = argv;
}

/* ---- env ---- */

static bool env_name(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';

		if (!letter && (i == 0 || c < '0' || c > '9'))
			return false;
	}
	return s.len > 0;
}

/* They change which code a program runs. Inside the sandbox that is the policy's to say, but it is worth a second look. */
static const char *const code_names[] = {
	"LD_PRELOAD",    "LD_LIBRARY_PATH",  "LD_AUDIT",        "NODE_OPTIONS", "NODE_PATH",
	"PYTHONSTARTUP", "PYTHONPATH",       "PYTHONHOME",      "BASH_ENV",     "ENV",
	"PERL5LIB",      "PERL5OPT",         "RUBYLIB",         "RUBYOPT",      "JAVA_TOOL_OPTIONS",
	"_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "GIT_SSH_COMMAND", "GCONV_PATH",
};

static void check_env_name(struct loader *l, const struct json_member *m)
{
	if (!env_name(m->name))
		problem_error(l, m->line, m->column,
			      "\"%s\" is no name for an environment variable: letters, digits and _, no digit first",
			      problem_show(l, m->name));
	for (size_t i = 0; i < sizeof(code_names) / sizeof(code_names[0]); i++)
		if (slice_eq(m->name, slice_str(code_names[i])))
			problem_warning(l, m->line, m->column, "%s changes which code the server runs", code_names[i]);
}

static void load_env(struct loader *l, const struct json *server, struct policy_server *out)
{
	const struct json *env = json_get(server, SLICE("env"));
	size_t count = 0;
	char **list;

	if (env && !expect_type(l, env, JSON_OBJECT, "env"))
		env = NULL;
	list = loader_array(l, (env ? env->count : 0) + 1, sizeof(*list));
	if (!list)
		return;
	for (uint32_t i = 0; env && i < env->count; i++) {
		const struct json_member *m = &env->members[i];
		struct slice value;

		check_env_name(l, m);
		if (!expect_text(l, &m->value, "the value of an environment variable", &value))
			continue;
		list[count] = arena_printf(&l->policy->arena, "%.*s=%.*s", SLICE_ARG(m->name), SLICE_ARG(value));
		if (!list[count++])
			l->out_of_memory = true;
	}
	out->env = list;
}

/* ---- timeout ---- */

static void load_timeout(struct loader *l, const struct json *server, struct policy_server *out)
{
	const struct json *v = json_get(server, SLICE("timeout"));
	uint64_t ms;

	out->timeout_ms = TIMEOUT_DEFAULT_MS;
	if (!v)
		return;
	if (v->type != JSON_STRING || duration_ms(v->text, UNIT_MS | UNIT_S | UNIT_M, &ms) < 0)
		problem_error(l, v->line, v->column, "timeout must be a whole number with its unit: 500ms, 30s or 5m");
	else if (ms < TIMEOUT_LEAST_MS || ms > TIMEOUT_MOST_MS)
		problem_error(l, v->line, v->column, "timeout must be from 1s to 60m");
	else
		out->timeout_ms = (uint32_t)ms;
}

/* ---- all of them ---- */

static void load_server(struct loader *l, const struct json_member *m, struct policy_server *out)
{
	if (!name_is_plain(m->name))
		problem_error(l, m->line, m->column, "\"%s\" is no name for a server: 1 to 64 of a-z, 0-9, _ and -",
			      problem_show(l, m->name));
	else
		out->name = loader_string(l, m->name);
	out->line = m->line;
	out->column = m->column;
	if (!expect_type(l, &m->value, JSON_OBJECT, "a server"))
		return;
	keys_check(l, &m->value, KEYS_SERVER);
	load_command(l, &m->value, m, out);
	load_env(l, &m->value, out);
	load_timeout(l, &m->value, out);
	load_mounts(l, &m->value, out);
}

static int by_server_name(const void *a, const void *b)
{
	const struct policy_server *const *x = a, *const *y = b;

	return slice_cmp(slice_str((*x)->name), slice_str((*y)->name));
}

void load_servers(struct loader *l, const struct json *servers)
{
	struct policy *p = l->policy;

	if (!servers || !expect_type(l, servers, JSON_OBJECT, "servers"))
		return;
	p->servers = loader_array(l, servers->count, sizeof(*p->servers));
	p->servers_by_name = loader_array(l, servers->count, sizeof(*p->servers_by_name));
	if (!p->servers || !p->servers_by_name)
		return;
	for (uint32_t i = 0; i < servers->count; i++) {
		load_server(l, &servers->members[i], &p->servers[i]);
		p->servers_by_name[i] = &p->servers[i];
	}
	p->server_count = servers->count;
	if (p->server_count)
		qsort(p->servers_by_name, p->server_count, sizeof(*p->servers_by_name), by_server_name);
}
