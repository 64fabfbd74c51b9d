/* `workspace` and `files`: which of the host's files a server sees, and where. Paths are judged as text; nothing is looked up. */
#include <limits.h>

#include "policy/loader.h"

/* ---- paths ---- */

/* `path` is `folder`, or lies in it. Both without a trailing slash, except "/" itself. */
static bool path_within(struct slice path, struct slice folder)
{
	if (folder.len == 1)
		return true;
	return slice_starts(path, folder) && (path.len == folder.len || path.ptr[folder.len] == '/');
}

/*
 * Appends the parts of `path` to `out` (which holds an absolute path without trailing slash, or nothing for "/"): empty parts and "." are
 * dropped. False on "..": what it means depends on symbolic links, which text does not show.
 */
static bool add_parts(struct buf *out, struct slice path)
{
	for (size_t at = 0; at < path.len;) {
		size_t end = at;
		struct slice part;

		while (end < path.len && path.ptr[end] != '/')
			end++;
		part = slice_of(path.ptr + at, end - at);
		at = end + 1;
		if (part.len == 0 || slice_eq(part, SLICE(".")))
			continue;
		if (slice_eq(part, SLICE("..")) || buf_add_char(out, '/') < 0 || buf_add_slice(out, part) < 0)
			return false;
	}
	return true;
}

static const char *finish(struct loader *l, const struct json *at, struct buf *b, bool well)
{
	if (!well) {
		problem_error(l, at->line, at->column, "the path \"%s\" has a \"..\" part or is too long: write the whole path",
			      problem_show(l, at->text));
		return NULL;
	}
	return loader_string(l, b->len ? buf_slice(b) : SLICE("/"));
}

static const char *path_at(struct loader *l, const struct json *v)
{
	cleanup_buf struct buf b = BUF_INIT(PATH_MAX - 1);
	struct slice s;

	if (!expect_text(l, v, "at", &s))
		return NULL;
	if (!slice_starts(s, SLICE("/"))) {
		problem_error(l, v->line, v->column, "at must be an absolute path: \"%s\" does not begin with /",
			      problem_show(l, s));
		return NULL;
	}
	return finish(l, v, &b, add_parts(&b, s));
}

static const char *path_host(struct loader *l, const struct json *v)
{
	cleanup_buf struct buf b = BUF_INIT(PATH_MAX - 1);
	struct slice s, home = l->options->home, from = l->options->base;

	if (!expect_text(l, v, "host", &s))
		return NULL;
	if (s.len == 0) {
		problem_error(l, v->line, v->column, "host must not be empty: \".\" is the policy's own folder");
		return NULL;
	}
	if (slice_starts(s, SLICE("/"))) {
		from = SLICE("");
	} else if (s.ptr[0] == '~') {
		from = home;
		if (s.len > 1 && s.ptr[1] != '/')
			problem_error(l, v->line, v->column, "only your own home is known: write ~/ or the whole path");
		else if (home.len == 0)
			problem_error(l, v->line, v->column, "there is no home folder here for ~: write the whole path");
		s = slice_of(s.ptr + 1, s.len - 1);
	}
	return finish(l, v, &b, add_parts(&b, from) && add_parts(&b, s));
}

/* ---- places that no mount may take ---- */

/* The sandbox's own folders: hiding or adding to them would let a mounted file pass for the system's. */
static const char *const system_places[] = {
	"/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/sbin", "/sys", "/usr",
};

/* Private to each sandbox; a mount inside them is well, one over them is not. */
static const char *const private_places[] = { "/", "/run", "/tmp", "/var", "/var/tmp" };

static void check_at(struct loader *l, const struct json *where, const char *at)
{
	struct slice s = slice_str(at);

	for (size_t i = 0; i < sizeof(private_places) / sizeof(private_places[0]); i++)
		if (slice_eq(s, slice_str(private_places[i])))
			problem_error(l, where->line, where->column,
				      "nothing can be mounted over %s: choose a folder of its own, /work say", private_places[i]);
	for (size_t i = 0; i < sizeof(system_places) / sizeof(system_places[0]); i++)
		if (path_within(s, slice_str(system_places[i])))
			problem_error(l, where->line, where->column,
				      "nothing can be mounted in %s: it is the system's own; choose another place with `at:`",
				      system_places[i]);
}

/* What of the host goes into no sandbox: the kernel's windows on the whole machine, and all of it. */
static void check_host(struct loader *l, const struct json *where, const char *host, bool writable)
{
	static const char *const kernel[] = { "/dev", "/proc", "/sys" };
	struct slice s = slice_str(host), project = l->options->project, base = l->options->base;

	if (slice_eq(s, SLICE("/"))) {
		problem_error(l, where->line, where->column, "the whole host cannot be mounted: name the folders that are needed");
		return;
	}
	for (size_t i = 0; i < sizeof(kernel) / sizeof(kernel[0]); i++)
		if (path_within(s, slice_str(kernel[i])))
			problem_error(l, where->line, where->column, "%s of the host cannot be mounted: it shows the whole machine",
				      kernel[i]);
	if (project.len && !path_within(s, project))
		problem_error(l, where->line, where->column,
			      "\"%s\" is outside the project: a project's policy can name its own files only", problem_show(l, s));
	/* Whoever may write the policy's folder can replace the policy. A project's policy is held by its accepted digest. */
	if (!writable || !base.len || !path_within(base, s))
		return;
	if (project.len)
		problem_warning(l, where->line, where->column,
				"the policy itself lies in this writable folder: a changed one stays inert until `bawn trust`");
	else
		problem_error(
			l, where->line, where->column,
			"the policy itself lies in this folder and could be changed from inside: keep it elsewhere, or mount a folder below");
}

/* ---- entries ---- */

static bool load_mode(struct loader *l, const struct json *entry, enum policy_mode *ret_mode)
{
	const struct json *v = json_get(entry, SLICE("mode"));

	*ret_mode = MODE_READ_ONLY;
	if (!v)
		return true;
	if (json_is(v, JSON_STRING) && slice_eq(v->text, SLICE("rw")))
		*ret_mode = MODE_READ_WRITE;
	else if (!json_is(v, JSON_STRING) || !slice_eq(v->text, SLICE("ro"))) {
		problem_error(l, v->line, v->column, "mode must be ro or rw");
		return false;
	}
	return true;
}

/* One mount at the end of the list; not there when something is wrong with it. */
static void load_mount(struct loader *l, const struct json *entry, bool workspace, struct policy_mount *list, size_t *count)
{
	const char *name = workspace ? "workspace" : "an entry of files";
	const struct json *host, *at;
	struct policy_mount m = { .line = entry->line, .column = entry->column };
	bool well;

	if (!expect_type(l, entry, JSON_OBJECT, name))
		return;
	keys_check(l, entry, workspace ? KEYS_WORKSPACE : KEYS_FILE);
	host = json_get(entry, SLICE("host"));
	at = json_get(entry, SLICE("at"));
	well = load_mode(l, entry, &m.mode);
	if (!host)
		problem_error(l, entry->line, entry->column, "%s needs host: which folder or file of the host?", name);
	if (!at && workspace)
		problem_error(l, entry->line, entry->column, "workspace needs at: where is it inside? /work, say");
	if (host)
		m.host = path_host(l, host);
	if (at)
		m.at = path_at(l, at);
	else if (!workspace)
		m.at = m.host;
	if (m.host)
		check_host(l, host, m.host, m.mode == MODE_READ_WRITE);
	if (m.at)
		check_at(l, at ? at : host, m.at);
	if (l->options->project.len)
		m.beneath = loader_string(l, l->options->project);
	if (well && m.host && m.at)
		list[(*count)++] = m;
}

/* A mount in another one would need a folder made on the host, or hide files of the outer one. */
static void check_overlap(struct loader *l, const struct policy_mount *list, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		for (size_t j = 0; j < i; j++) {
			struct slice a = slice_str(list[i].at), b = slice_str(list[j].at);

			if (slice_eq(a, b))
				problem_error(l, list[i].line, list[i].column, "%s is taken by the mount in line %u",
					      problem_show(l, a), (unsigned)list[j].line);
			else if (path_within(a, b) || path_within(b, a))
				problem_error(l, list[i].line, list[i].column,
					      "%s and %s (line %u): one mount lies in the other, they must stand side by side",
					      problem_show(l, a), problem_show(l, b), (unsigned)list[j].line);
			else
				continue;
			break;
		}
	}
}

void load_mounts(struct loader *l, const struct json *server, struct policy_server *out)
{
	const struct json *workspace = json_get(server, SLICE("workspace")), *files = json_get(server, SLICE("files"));
	struct policy_mount *list;
	size_t count = 0;

	out->workdir = "/";
	if (files && !expect_type(l, files, JSON_ARRAY, "files"))
		files = NULL;
	if ((files ? files->count : 0) + (workspace != NULL) > MOUNTS_MAX) {
		problem_error(l, files->line, files->column, "more than %d mounts in one server", MOUNTS_MAX);
		return;
	}
	list = loader_array(l, (files ? files->count : 0) + 1, sizeof(*list));
	if (!list)
		return;
	if (workspace)
		load_mount(l, workspace, true, list, &count);
	if (count)
		out->workdir = list[0].at;
	for (uint32_t i = 0; files && i < files->count; i++)
		load_mount(l, &files->items[i], false, list, &count);
	check_overlap(l, list, count);
	out->mounts = list;
	out->mount_count = count;
}
