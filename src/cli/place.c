#include "cli/place.h"

#include <errno.h>
#include <pwd.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/text.h"

enum { ID_LEN = 16 };

/* An absolute path from the environment; anything else is as if it were not set, as the specification wants. */
static const char *absolute(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] == '/' ? value : NULL;
}

static int put(char out[PATH_MAX], const char *a, const char *b)
{
	int len = snprintf(out, PATH_MAX, "%s%s", a, b);

	return len < 0 || len >= PATH_MAX ? cli_error(CLI_REFUSED, "a path is too long: %.200s...", a) : CLI_OK;
}

static int join(char out[PATH_MAX], const char *folder, const char *name)
{
	char with_slash[PATH_MAX];

	return put(with_slash, folder, "/") || put(out, with_slash, name);
}

static int find_home(struct place *p)
{
	const char *home = absolute("HOME");
	const struct passwd *user = home ? NULL : getpwuid(geteuid());

	if (!home && user && user->pw_dir && user->pw_dir[0] == '/')
		home = user->pw_dir;
	return put(p->home, home ? home : "", "");
}

/* $NAME/bawn, or HOME/otherwise/bawn. */
static int under(char out[PATH_MAX], const struct place *p, const char *name, const char *otherwise)
{
	const char *value = absolute(name);
	char base[PATH_MAX];

	if (value)
		return put(out, value, "/bawn");
	if (!p->home[0])
		return cli_error(CLI_REFUSED, "neither HOME nor %s is set to an absolute path", name);
	return put(base, p->home, otherwise) || put(out, base, "/bawn");
}

/* The nearest bawn.yaml from the working folder upwards. */
static bool find_project(char out[PATH_MAX])
{
	char folder[PATH_MAX];

	if (!getcwd(folder, sizeof(folder)))
		return false;
	for (;;) {
		char *slash;

		if ((size_t)snprintf(out, PATH_MAX, "%s/bawn.yaml", strcmp(folder, "/") == 0 ? "" : folder) >= PATH_MAX)
			return false;
		if (access(out, F_OK) == 0)
			return true;
		slash = strrchr(folder, '/');
		if (!slash || folder[1] == '\0')
			return false;
		*(slash == folder ? slash + 1 : slash) = '\0';
	}
}

/*
 * The absolute path of the policy, with links followed. Of a file that is not there any more it is the folder's and the name: its family may
 * still run, and its record is still to be read.
 */
static int resolve(const struct cli_args *args, const char *named, char out[PATH_MAX])
{
	static const char *const without_file[] = { "approvals", "audit", "backup", "pins", "reload", "restore", "shutdown", "status" };
	const char *slash = strrchr(named, '/'), *name = slash ? slash + 1 : named;
	char folder[PATH_MAX], parent[PATH_MAX];
	struct stat st;

	if (realpath(named, out)) {
		if (stat(out, &st) == 0 && S_ISDIR(st.st_mode))
			return cli_error(CLI_USAGE, "%s is a folder; name the policy file in it", named);
		return CLI_OK;
	}
	for (size_t i = 0; errno == ENOENT && name[0] && i < sizeof(without_file) / sizeof(without_file[0]); i++) {
		if (strcmp(args->command, without_file[i]) != 0)
			continue;
		if ((size_t)snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(name - named) : 1, slash ? named : ".") < sizeof(parent) &&
		    realpath(parent, folder))
			return join(out, strcmp(folder, "/") == 0 ? "" : folder, name);
		errno = ENOENT;
	}
	return cli_error(CLI_USAGE, "cannot read the policy \"%s\": %s", named, strerror(errno));
}

static int find_policy(const struct cli_args *args, const char *named, struct place *p, bool *project)
{
	char path[PATH_MAX];

	*project = cli_has(args, OPTION_project);
	if (!named)
		named = args->value[OPTION_policy];
	if (!named) {
		if (put(path, p->config, "/bawn.yaml"))
			return CLI_REFUSED;
		named = path;
		if (access(path, F_OK) < 0) {
			if (!find_project(path))
				return cli_error(CLI_USAGE, "there is no policy: name one with --policy, or write %s/bawn.yaml", p->config);
			*project = true;
		}
	}
	return resolve(args, named, p->policy);
}

static int find_runtime(struct place *p, const char *id)
{
	const char *base = absolute("XDG_RUNTIME_DIR");
	char folder[PATH_MAX];

	if (base) {
		if (put(folder, base, "/bawn/"))
			return CLI_REFUSED;
	} else if (geteuid() == 0) {
		snprintf(folder, sizeof(folder), "/run/bawn/");
	} else {
		snprintf(folder, sizeof(folder), "/tmp/bawn-%u/", (unsigned)geteuid());
	}
	return put(p->runtime, folder, id);
}

int place_find(const struct cli_args *args, const char *named, struct place *p)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	char id[ID_LEN + 1] = { 0 }, folder[PATH_MAX], *slash;
	bool project;
	int r;

	memset(p, 0, sizeof(*p));
	r = find_home(p);
	if (r == CLI_OK)
		r = under(p->config, p, "XDG_CONFIG_HOME", "/.config");
	if (r == CLI_OK)
		r = find_policy(args, named, p, &project);
	if (r != CLI_OK)
		return r;
	memcpy(p->base, p->policy, sizeof(p->base));
	slash = strrchr(p->base, '/');
	*(slash == p->base ? slash + 1 : slash) = '\0';
	if (project)
		memcpy(p->project, p->base, sizeof(p->project));
	crypto_hash_sha256(hash, (const unsigned char *)p->policy, strlen(p->policy));
	text_hex(hash, ID_LEN / 2, id);
	r = under(folder, p, "XDG_STATE_HOME", "/.local/state");
	if (r == CLI_OK)
		r = join(p->state, folder, id) || put(p->trust, p->state, "/trusted") || put(p->agents, p->state, "/agents");
	return r == CLI_OK ? find_runtime(p, id) : r;
}

/* The last folder must be the user's own, and closed to others: in /tmp somebody else may have been there first. */
static int own_folder(const char *path, const char *variable)
{
	struct stat st;
	int r = io_make_folders(path);

	if (r < 0)
		return cli_error(CLI_REFUSED, "cannot make %s: %s (%s sets another place)", path, strerror(-r), variable);
	if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
		return cli_error(CLI_REFUSED, "%s must be a folder of your own that nobody else can enter (`chmod 700` makes it so)", path);
	return CLI_OK;
}

int place_make(const struct place *p)
{
	char parent[PATH_MAX], *slash;
	int r;

	memcpy(parent, p->runtime, sizeof(parent));
	slash = strrchr(parent, '/');
	*slash = '\0';
	r = own_folder(parent, "XDG_RUNTIME_DIR");
	if (r == CLI_OK)
		r = own_folder(p->runtime, "XDG_RUNTIME_DIR");
	return r == CLI_OK ? own_folder(p->state, "XDG_STATE_HOME") : r;
}

struct init_options place_options(const struct place *p)
{
	return (struct init_options){ .policy = p->policy, .base = p->base, .project = p->project, .trust = p->project[0] ? p->trust : NULL,
				      .home = p->home, .state = p->state, .runtime = p->runtime, .ready_fd = -1 };
}
