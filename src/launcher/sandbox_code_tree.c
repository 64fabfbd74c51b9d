/*
 * Theory of operation
 *
 * The same walk is made in two ways. A look computes, from stat(2) alone, a hash over device, inode, size, modification and change
 * time, mode and owner of everything in the tree. Reading computes in addition the digest of names and contents. When the look is
 * one that was seen before, its digest is the one that was read then.
 *
 * Security: whoever can write these files on the host must not be able to change them so that they look the same.
 *
 * - The change time (ctime) cannot be set by anybody but by setting the machine's clock; writing, truncating, renaming, linking and
 *   setting the other times all move it forward.
 * - It moves in steps: two writes within one tick of the clock leave the same time. So nothing is remembered of which any part had
 *   changed within the last CODE_SETTLE_S seconds when it was read, nor with a time from the future.
 * - A store through a shared mapping moves it only when the page is clean. So each file's dirty pages are written back before it is
 *   looked at and read: the next store meets a clean page again.
 * - That holds for file systems on this machine's disks. Others (tmpfs never cleans a page, a network's server has another clock,
 *   FUSE says what it likes) are read each time.
 *
 * Whoever can change the files may do so after they were read, too; a read-only mount shows what the host has. The digest says what
 * the program was when it started.
 */
#include "launcher/sandbox_code_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/cleanup.h"

static int fail(struct code_tree *t, int error, const char *what)
{
	return sandbox_fail(t->report, SANDBOX_STAGE_CODE, error, "cannot %s %s, which is part of the server's code", what, t->path);
}

static int too_much(struct code_tree *t, const char *what)
{
	return sandbox_fail_plain(t->report, SANDBOX_STAGE_CODE, E2BIG,
				  "the server's code is too much to be checked: %s, at %s; mount less than the whole folder", what, t->path);
}

int code_mount_at(const struct sandbox_plan *plan, const char *path)
{
	for (size_t i = 0; i < plan->mount_count; i++)
		if (strcmp(plan->mounts[i].at, path) == 0)
			return (int)i;
	return -1;
}

/* ---- the look ---- */

/* File systems whose change times can be believed. */
static bool fs_settles(long type)
{
	static const unsigned long types[] = {
		EXT4_SUPER_MAGIC, BTRFS_SUPER_MAGIC, XFS_SUPER_MAGIC, F2FS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, SQUASHFS_MAGIC,
		0xe0f5e1e2 /* EROFS */,
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if ((unsigned long)type == types[i])
			return true;
	return false;
}

static bool settled(const struct timespec *at, const struct timespec *limit)
{
	return at->tv_sec < limit->tv_sec || (at->tv_sec == limit->tv_sec && at->tv_nsec < limit->tv_nsec);
}

static void look_at(struct code_tree *t, const struct stat *st)
{
	const uint64_t all[] = {
		st->st_dev, st->st_ino, st->st_mode, st->st_uid, st->st_gid, (uint64_t)st->st_size,
		(uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec, (uint64_t)st->st_ctim.tv_sec, (uint64_t)st->st_ctim.tv_nsec,
	};

	if (!settled(&st->st_ctim, &t->settled))
		t->cacheable = false;
	crypto_generichash_update(&t->look, (const unsigned char *)all, sizeof(all));
}

/* Its file system is one that can be believed; asked once for each. */
static void look_fs(struct code_tree *t, int fd, const struct stat *st)
{
	struct statfs fs;

	if (t->dev_known && t->dev == st->st_dev)
		return;
	t->dev = st->st_dev;
	t->dev_known = true;
	if (fstatfs(fd, &fs) < 0 || !fs_settles(fs.f_type))
		t->cacheable = false;
}

/* ---- contents ---- */

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mode == b->st_mode &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int read_contents(struct code_tree *t, int fd, uint64_t size, uint8_t ret_digest[SANDBOX_CODE_BYTES])
{
	crypto_generichash_state state;
	uint64_t done = 0;

	crypto_generichash_init(&state, NULL, 0, SANDBOX_CODE_BYTES);
	for (;;) {
		ssize_t n = read(fd, t->chunk, CODE_CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(t, errno, "read");
		if (n == 0)
			break;
		done += (uint64_t)n;
		/* A file that grows while it is read would never end. */
		if (done > size)
			return fail(t, EBUSY, "read");
		crypto_generichash_update(&state, (const unsigned char *)t->chunk, (size_t)n);
	}
	crypto_generichash_final(&state, ret_digest, SANDBOX_CODE_BYTES);
	return 0;
}

static int read_file(struct code_tree *t, int fd, struct stat *st, uint8_t ret_digest[SANDBOX_CODE_BYTES])
{
	struct stat after;
	int r;

	/* Clean pages, so that the next store through a mapping shows. What cannot be cleaned is not remembered. */
	if (sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) < 0)
		t->cacheable = false;
	if (fstat(fd, st) < 0)
		return fail(t, errno, "examine");
	r = read_contents(t, fd, (uint64_t)st->st_size, ret_digest);
	if (r < 0)
		return r;
	if (fstat(fd, &after) < 0 || !same(st, &after))
		return sandbox_fail_plain(t->report, SANDBOX_STAGE_CODE, EAGAIN, "%s, part of the server's code, changes while it is read", t->path);
	return 0;
}

/* ---- the walk ---- */

/* One entry as its folder's digest has it. Only what the program could notice: no owner, no time. */
static void entry_add(crypto_generichash_state *state, const char *name, char kind, const struct stat *st, const uint8_t digest[SANDBOX_CODE_BYTES])
{
	const uint32_t len = (uint32_t)strlen(name);
	const uint8_t head[] = { (uint8_t)kind, (uint8_t)(S_ISREG(st->st_mode) ? (st->st_mode & 0111) : 0), (uint8_t)len, (uint8_t)(len >> 8) };

	/* 0111 fits eight bits: 1, 8 and 64. */
	crypto_generichash_update(state, head, sizeof(head));
	crypto_generichash_update(state, (const unsigned char *)name, len);
	crypto_generichash_update(state, digest, SANDBOX_CODE_BYTES);
}

static int entry(struct code_tree *t, int dir, const char *name, unsigned depth, crypto_generichash_state *folder);

static int compare_names(const void *a, const void *b, void *base)
{
	const uint32_t *x = a, *y = b;

	return strcmp((char *)base + *x, (char *)base + *y);
}

/* The names of an open folder, onto the stack; their offsets, sorted, to *ret_list (caller frees). */
static int names_list(struct code_tree *t, int fd, uint32_t **ret_list, size_t *ret_count)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	DIR *dir = own < 0 ? NULL : fdopendir(own);
	cleanup_free uint32_t *list = NULL;
	const struct dirent *e;
	size_t count = 0, room = 0;
	int r = 0;

	if (!dir) {
		r = fail(t, errno, "list");
		fd_close(&own);
		return r;
	}
	while (r == 0 && (errno = 0, e = readdir(dir))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (count == room) {
			uint32_t *more = reallocarray(list, room ? room * 2 : 64, sizeof(*list));

			if (!more) {
				r = fail(t, ENOMEM, "list");
				break;
			}
			list = more;
			room = room ? room * 2 : 64;
		}
		list[count++] = (uint32_t)t->names.len;
		if (t->files + count > CODE_FILES_MAX || buf_add(&t->names, e->d_name, strlen(e->d_name) + 1) < 0)
			r = too_much(t, "it has more files than are looked at");
	}
	if (r == 0 && errno)
		r = fail(t, errno, "list");
	closedir(dir);
	if (r < 0)
		return r;
	if (count)
		qsort_r(list, count, sizeof(*list), compare_names, t->names.ptr);
	*ret_list = list;
	*ret_count = count;
	list = NULL;
	return 0;
}

static int walk_folder(struct code_tree *t, int fd, unsigned depth, uint8_t ret_digest[SANDBOX_CODE_BYTES])
{
	cleanup_free uint32_t *list = NULL;
	crypto_generichash_state state;
	const size_t names = t->names.len, path = t->path_len;
	size_t count = 0;
	int r;

	if (depth >= CODE_DEPTH_MAX)
		return too_much(t, "its folders lie too deep");
	r = names_list(t, fd, &list, &count);
	crypto_generichash_init(&state, NULL, 0, SANDBOX_CODE_BYTES);
	for (size_t i = 0; i < count && r == 0; i++) {
		char name[NAME_MAX + 1];
		int n = snprintf(name, sizeof(name), "%s", t->names.ptr + list[i]); /* the stack may move */

		if (n < 0 || path + 1 + (size_t)n + 1 > sizeof(t->path))
			return too_much(t, "its paths are too long");
		t->path[path] = '/';
		memcpy(t->path + path + 1, name, (size_t)n + 1);
		t->path_len = path + 1 + (size_t)n;
		r = entry(t, fd, name, depth + 1, &state);
		if (r < 0)
			return r; /* the path stays, for the fault */
		t->path_len = path;
		t->path[path] = '\0';
	}
	t->names.len = names;
	crypto_generichash_final(&state, ret_digest, SANDBOX_CODE_BYTES);
	return r;
}

/* Opens a file or folder, and makes sure that it is the one that was looked at. -EACCES stays without a fault. */
static int open_seen(struct code_tree *t, int dir, const char *name, int flags, struct stat *st)
{
	int fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | flags);
	struct stat now;
	int r;

	if (fd < 0)
		return errno == EACCES ? -EACCES : fail(t, errno, "open");
	if (fstat(fd, &now) < 0 || now.st_ino != st->st_ino || now.st_dev != st->st_dev || ((now.st_mode ^ st->st_mode) & S_IFMT)) {
		r = sandbox_fail_plain(t->report, SANDBOX_STAGE_CODE, EAGAIN, "%s, part of the server's code, changes while it is read", t->path);
		close(fd);
		return r;
	}
	return fd;
}

/*
 * What the program cannot read is no part of its code, unless it can run it, or reach into it, without reading: that is refused,
 * because it could not be checked.
 */
static int unreadable(struct code_tree *t, int dir, const char *name, char *ret_kind)
{
	if (faccessat(dir, name, X_OK, AT_EACCESS) == 0)
		return sandbox_fail_plain(t->report, SANDBOX_STAGE_CODE, EACCES,
					  "%s, part of the server's code, can be run but not read, so that it cannot be checked", t->path);
	*ret_kind = 'u';
	return 0;
}

static int visit_file(struct code_tree *t, int dir, const char *name, int flags, struct stat *st, char *ret_kind, uint8_t digest[SANDBOX_CODE_BYTES])
{
	cleanup_fd int fd = -1;

	*ret_kind = 'f';
	if (__builtin_add_overflow(t->bytes, (uint64_t)st->st_size, &t->bytes) || t->bytes > CODE_BYTES_MAX)
		return too_much(t, "it is larger than is read");
	if (!t->contents)
		return 0;
	fd = open_seen(t, dir, name, flags, st);
	if (fd == -EACCES)
		return unreadable(t, dir, name, ret_kind);
	if (fd < 0)
		return fd;
	look_fs(t, fd, st);
	return read_file(t, fd, st, digest);
}

static int visit_folder(struct code_tree *t, int dir, const char *name, int flags, unsigned depth, struct stat *st, char *ret_kind,
			uint8_t digest[SANDBOX_CODE_BYTES])
{
	cleanup_fd int fd = -1;

	*ret_kind = 'd';
	fd = open_seen(t, dir, name, O_DIRECTORY | flags, st);
	if (fd == -EACCES)
		return unreadable(t, dir, name, ret_kind);
	if (fd < 0)
		return fd;
	if (t->contents)
		look_fs(t, fd, st);
	return walk_folder(t, fd, depth, digest);
}

static int visit_link(struct code_tree *t, int dir, const char *name, char *ret_kind, uint8_t digest[SANDBOX_CODE_BYTES])
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(dir, name, target, sizeof(target));

	if (len < 0)
		return fail(t, errno, "read");
	*ret_kind = 'l';
	crypto_generichash(digest, SANDBOX_CODE_BYTES, (const unsigned char *)target, (size_t)len, NULL, 0);
	return 0;
}

/* A place where the plan shows something else that is no code: what lies there is not looked at. */
static bool elsewhere(const struct code_tree *t, unsigned depth)
{
	int mount = depth ? code_mount_at(t->inside->plan, t->path) : -1;

	return mount >= 0 && (t->inside->plan->mounts[mount].writable || t->inside->plan->mounts[mount].workspace);
}

/* One entry: its look, and into its folder's digest. Links are told, never followed; sockets and the like by their kind alone. */
static int entry(struct code_tree *t, int dir, const char *name, unsigned depth, crypto_generichash_state *folder)
{
	const int flags = depth ? O_NOFOLLOW : 0;
	uint8_t digest[SANDBOX_CODE_BYTES] = { 0 };
	char kind = 'o';
	struct stat st;
	int r = 0;

	if (++t->files > CODE_FILES_MAX)
		return too_much(t, "it has more files than are looked at");
	if (fstatat(dir, name, &st, depth ? AT_SYMLINK_NOFOLLOW : 0) < 0)
		return fail(t, errno, "examine");
	if (elsewhere(t, depth))
		st = (struct stat){ .st_mode = S_IFDIR };
	else if (S_ISREG(st.st_mode))
		r = visit_file(t, dir, name, flags, &st, &kind, digest);
	else if (S_ISDIR(st.st_mode))
		r = visit_folder(t, dir, name, flags, depth, &st, &kind, digest);
	else if (S_ISLNK(st.st_mode))
		r = visit_link(t, dir, name, &kind, digest);
	else
		kind = S_ISCHR(st.st_mode) ? 'c' : S_ISBLK(st.st_mode) ? 'b' : S_ISFIFO(st.st_mode) ? 'p' : 's';
	if (r < 0)
		return r;
	look_at(t, &st);
	crypto_generichash_update(&t->look, (const unsigned char *)name, strlen(name) + 1);
	if (S_ISLNK(st.st_mode))
		crypto_generichash_update(&t->look, digest, sizeof(digest));
	entry_add(folder, name, kind, &st, digest);
	return 0;
}

int code_tree(struct code_tree *t, const char *path, uint8_t ret_look[SANDBOX_CODE_BYTES], uint8_t ret_digest[SANDBOX_CODE_BYTES])
{
	crypto_generichash_state state;
	int n = snprintf(t->path, sizeof(t->path), "%s", path), r;

	if (n < 0 || (size_t)n >= sizeof(t->path))
		return too_much(t, "its path is too long");
	t->path_len = (size_t)n;
	t->cacheable = true;
	t->dev_known = false;
	t->names.len = 0;
	crypto_generichash_init(&t->look, NULL, 0, SANDBOX_CODE_BYTES);
	crypto_generichash_init(&state, NULL, 0, SANDBOX_CODE_BYTES);
	r = entry(t, AT_FDCWD, path, 0, &state);
	if (r < 0)
		return r;
	crypto_generichash_final(&t->look, ret_look, SANDBOX_CODE_BYTES);
	crypto_generichash_final(&state, ret_digest, SANDBOX_CODE_BYTES);
	return 0;
}
