#include "launcher/sandbox_code.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "launcher/sandbox_code_tree.h"

enum { CODE_PARTS_MAX = 320 }; /* one for each word and mount, and some */

/* What counts, found before anything is read: places inside. */
struct code_parts {
	const struct sandbox_plan *plan;
	struct sandbox_report *report;
	char *file[CODE_PARTS_MAX]; /* files that count by themselves; owned */
	size_t file_count;
	bool mount[SANDBOX_MOUNTS_MAX]; /* mounts that count whole */
};

static bool within(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* The plan's mount that `path` lies in, or -1: the system's folders, or the sandbox's own. */
static int mount_of(const struct sandbox_plan *plan, const char *path)
{
	int found = -1;

	for (size_t i = 0; i < plan->mount_count; i++)
		if (within(path, plan->mounts[i].at) && (found < 0 || strlen(plan->mounts[i].at) > strlen(plan->mounts[found].at)))
			found = (int)i;
	return found;
}

static bool mount_counts(const struct sandbox_plan *plan, int mount)
{
	return mount >= 0 && !plan->mounts[mount].writable && !plan->mounts[mount].workspace;
}

/* ---- what is a program ---- */

static bool ends_as_program(const char *path)
{
	static const char *const ends[] = { "js", "mjs", "cjs", "ts", "mts", "cts", "jsx", "tsx", "py", "pyz", "pyc", "rb", "pl", "php", "lua", "sh",
					    "bash", "jar", "class", "wasm", "so", "dll", "exe", "ps1", "r", "R", "jl", "scm", "clj", "ex", "exs" };
	const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');

	for (size_t i = 0; dot && i < sizeof(ends) / sizeof(ends[0]); i++)
		if (strcmp(dot + 1, ends[i]) == 0)
			return true;
	return false;
}

/* For files where data lies as well: may be run, says that it is a program, or is named like one. */
static bool looks_like_program(const char *path, const struct stat *st)
{
	cleanup_fd int fd = -1;
	char head[4] = "";

	if ((st->st_mode & 0111) || ends_as_program(path))
		return true;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	return fd >= 0 && read(fd, head, 4) == 4 && (memcmp(head, "#!", 2) == 0 || memcmp(head, "\177ELF", 4) == 0);
}

/* ---- which parts there are ---- */

static int fail_parts(struct code_parts *p, int error, const char *path)
{
	return sandbox_fail(p->report, SANDBOX_STAGE_CODE, error, "cannot examine %s, which is part of the server's code", path);
}

static int part_add(struct code_parts *p, const char *path)
{
	for (size_t i = 0; i < p->file_count; i++)
		if (strcmp(p->file[i], path) == 0)
			return 0;
	if (p->file_count == CODE_PARTS_MAX)
		return fail_parts(p, E2BIG, path);
	p->file[p->file_count] = strdup(path);
	return p->file[p->file_count] ? (p->file_count++, 0) : fail_parts(p, ENOMEM, path);
}

/* Where a path leads, every link followed, as the kernel says it. */
static int place_of(const char *path, char *out, size_t size, struct stat *ret_st)
{
	cleanup_fd int fd = open(path, O_PATH | O_CLOEXEC);
	char self[40];
	ssize_t len;

	if (fd < 0 || fstat(fd, ret_st) < 0)
		return -errno;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	len = readlink(self, out, size);
	if (len < 0)
		return -errno;
	if ((size_t)len >= size)
		return -ENAMETOOLONG;
	out[len] = '\0';
	return 0;
}

/*
 * A file that the command names. `program`: it is what runs, so it counts wherever it lies. Not a file: nothing. The mount that the
 * name itself lies in counts too, where that differs from where its links lead.
 */
static int name_add(struct code_parts *p, const char *name, bool program)
{
	char path[PATH_MAX];
	struct stat st;
	int mount, r = place_of(name, path, sizeof(path), &st);

	if (r == -ENAMETOOLONG && !program)
		return 0;
	if (r < 0)
		return r == -ENOENT || r == -ENOTDIR || r == -EACCES || r == -ELOOP ? 0 : fail_parts(p, -r, name);
	if (!S_ISREG(st.st_mode) || within(path, "/proc") || within(path, "/dev"))
		return 0;
	mount = mount_of(p->plan, name);
	if (name[0] == '/' && mount_counts(p->plan, mount))
		p->mount[mount] = true;
	mount = mount_of(p->plan, path);
	if (mount_counts(p->plan, mount))
		p->mount[mount] = true;
	else if (!program && mount >= 0 && !looks_like_program(path, &st))
		return 0;
	return part_add(p, path);
}

/* The interpreters of scripts that start with "#!", as the kernel follows them. */
static int interpreters_add(struct code_parts *p, const char *program)
{
	char path[PATH_MAX];
	int r = 0;

	snprintf(path, sizeof(path), "%s", program);
	for (int i = 0; i < 5 && r == 0; i++) {
		cleanup_fd int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
		char line[257];
		ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
		char *at;

		if (n < 3 || line[0] != '#' || line[1] != '!')
			break;
		line[n] = '\0';
		at = line + 2 + strspn(line + 2, " \t");
		at[strcspn(at, " \t\n")] = '\0';
		if (!at[0])
			break;
		r = name_add(p, at, true);
		snprintf(path, sizeof(path), "%s", at);
	}
	return r;
}

/* Mounts that the environment names as places of code. */
static void environment_add(struct code_parts *p)
{
	static const char *const names[] = { "PYTHONPATH=", "NODE_PATH=", "PERL5LIB=", "RUBYLIB=", "CLASSPATH=", "LD_LIBRARY_PATH=", "LD_PRELOAD=", "GEM_PATH=",
					     "LUA_PATH=", "PATH=" };

	for (char *const *env = p->plan->env; env && *env; env++)
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			const char *at = *env + strlen(names[i]);

			if (strncmp(*env, names[i], strlen(names[i])) != 0)
				continue;
			while (*at) {
				char path[PATH_MAX];
				size_t len = strcspn(at, ":");
				int mount;

				snprintf(path, sizeof(path), "%.*s", (int)(len < sizeof(path) ? len : 0), at);
				mount = mount_of(p->plan, path);
				if (mount_counts(p->plan, mount))
					p->mount[mount] = true;
				at += len + (at[len] == ':');
			}
		}
}

/* A mounted node_modules that Node.js would search for the modules of one of these files. */
static void modules_add(struct code_parts *p)
{
	for (size_t i = 0; i < p->plan->mount_count; i++) {
		const char *at = p->plan->mounts[i].at, *last = strrchr(at, '/');
		char parent[PATH_MAX];

		if (!mount_counts(p->plan, (int)i) || !last || strcmp(last, "/node_modules") != 0)
			continue;
		snprintf(parent, sizeof(parent), "%.*s", (int)(last - at), at);
		for (size_t j = 0; j < p->file_count && !p->mount[i]; j++)
			p->mount[i] = within(p->file[j], parent);
	}
}

static int parts_find(struct code_parts *p)
{
	char program[PATH_MAX];
	int r = sandbox_program_path(p->plan, program, sizeof(program));

	if (r < 0)
		return r == -ENOENT ? 0 : fail_parts(p, -r, p->plan->argv[0]); /* the exec says it better */
	r = name_add(p, program, true);
	if (r == 0)
		r = interpreters_add(p, program);
	for (size_t i = 1; r == 0 && p->plan->argv[i]; i++)
		if (p->plan->argv[i][0])
			r = name_add(p, p->plan->argv[i], false);
	environment_add(p);
	modules_add(p);
	return r;
}

/* ---- their digest ---- */

static const struct sandbox_code_known *known_find(const struct sandbox_code_cache *cache, const uint8_t look[SANDBOX_CODE_BYTES])
{
	for (size_t i = 0; i < cache->count; i++)
		if (memcmp(cache->known[i].look, look, SANDBOX_CODE_BYTES) == 0)
			return &cache->known[i];
	return NULL;
}

/* One part into the whole: looked at, and read when it looks as nothing did before. */
static int part_digest(struct code_tree *t, const char *path, struct sandbox_code *code, crypto_generichash_state *whole)
{
	uint8_t look[SANDBOX_CODE_BYTES], digest[SANDBOX_CODE_BYTES];
	const struct sandbox_code_known *known;
	const uint64_t files = t->files, bytes = t->bytes;
	int r;

	t->contents = false;
	r = code_tree(t, path, look, digest);
	if (r < 0)
		return r;
	known = known_find(&t->inside->common->code, look);
	if (known) {
		memcpy(digest, known->digest, sizeof(digest));
	} else {
		t->files = files;
		t->bytes = bytes;
		t->contents = true;
		r = code_tree(t, path, look, digest);
		if (r < 0)
			return r;
		if (t->cacheable && code->fresh_count < SANDBOX_CODE_FRESH) {
			memcpy(code->fresh[code->fresh_count].look, look, sizeof(look));
			memcpy(code->fresh[code->fresh_count++].digest, digest, sizeof(digest));
		}
	}
	crypto_generichash_update(whole, digest, sizeof(digest));
	return 0;
}

static int parts_digest(const struct code_parts *p, struct code_tree *t, struct sandbox_code *code)
{
	static const char title[] = "bawn code 1";
	crypto_generichash_state whole;
	int r = 0;

	crypto_generichash_init(&whole, NULL, 0, SANDBOX_CODE_BYTES);
	crypto_generichash_update(&whole, (const unsigned char *)title, sizeof(title));
	for (size_t i = 0; i < p->file_count && r == 0; i++) {
		int mount = mount_of(p->plan, p->file[i]);

		/* In a mount that counts whole: which of its files it is. */
		crypto_generichash_update(&whole, (const unsigned char *)p->file[i], strlen(p->file[i]) + 1);
		if (mount < 0 || !p->mount[mount])
			r = part_digest(t, p->file[i], code, &whole);
	}
	for (size_t i = 0; i < p->plan->mount_count && r == 0; i++)
		if (p->mount[i])
			r = part_digest(t, p->plan->mounts[i].at, code, &whole);
	crypto_generichash_final(&whole, code->digest, SANDBOX_CODE_BYTES);
	return r;
}

int sandbox_code(const struct sandbox_inside *inside, struct sandbox_report *report)
{
	struct code_parts parts = { .plan = inside->plan, .report = report };
	struct code_tree tree = { .inside = inside, .report = report, .names = BUF_INIT(CODE_NAMES_MAX), .chunk = malloc(CODE_CHUNK) };
	int r;

	clock_gettime(CLOCK_REALTIME, &tree.settled);
	tree.settled.tv_sec -= CODE_SETTLE_S;
	r = tree.chunk ? parts_find(&parts) : sandbox_fail(report, SANDBOX_STAGE_CODE, ENOMEM, "cannot read the server's code");

	if (r == 0)
		r = parts_digest(&parts, &tree, &report->code);
	for (size_t i = 0; i < parts.file_count; i++)
		free(parts.file[i]);
	buf_free(&tree.names);
	free(tree.chunk);
	return r;
}

void sandbox_code_learn(struct sandbox_code_cache *cache, const struct sandbox_code *code)
{
	for (uint32_t i = 0; i < code->fresh_count && i < SANDBOX_CODE_FRESH; i++) {
		if (known_find(cache, code->fresh[i].look))
			continue;
		cache->known[cache->next] = code->fresh[i];
		cache->next = (cache->next + 1) % SANDBOX_CODE_CACHED;
		if (cache->count < SANDBOX_CODE_CACHED)
			cache->count++;
	}
}
