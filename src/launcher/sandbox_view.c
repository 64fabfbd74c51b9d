#include "launcher/sandbox_view.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"

/* A view in the making. */
struct view {
	const struct sandbox_inside *inside;
	struct sandbox_report *report;
	int root;  /* the new root, a tmpfs of our own */
	dev_t dev; /* its device: where folders may be made */
};

/* ---- the new root ---- */

static int fail(struct view *view, int error, const char *what, const char *path)
{
	return sandbox_fail(view->report, SANDBOX_STAGE_MOUNT, error, "cannot %s %s in the sandbox", what, path);
}

/* A new file system of this kind, detached. `options` are key, value, ..., NULL. */
static int new_fs(const char *type, const char *const *options, uint64_t attributes)
{
	cleanup_fd int context = fsopen(type, FSOPEN_CLOEXEC);
	int mounted;

	if (context < 0)
		return -errno;
	for (; options[0]; options += 2)
		if (fsconfig(context, FSCONFIG_SET_STRING, options[0], options[1], 0) < 0)
			return -errno;
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	mounted = fsmount(context, FSMOUNT_CLOEXEC, (unsigned)attributes);
	return mounted < 0 ? -errno : mounted;
}

/* Makes a folder of our own tmpfs, relative to the root; its parent exists. */
static int folder(struct view *view, const char *path, mode_t mode)
{
	if (mkdirat(view->root, path, mode) < 0 && errno != EEXIST)
		return fail(view, errno, "make", path);
	return 0;
}

/* An empty file to mount on. */
static int blank(struct view *view, const char *path)
{
	return mknodat(view->root, path, S_IFREG | 0644, 0) < 0 ? fail(view, errno, "make", path) : 0;
}

static int file(struct view *view, const char *path, const char *content)
{
	cleanup_fd int fd = openat(view->root, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	int r = fd < 0 ? -errno : io_write_all(fd, content, strlen(content));

	return r < 0 ? fail(view, -r, "make", path) : 0;
}

/* Puts a detached tree onto an existing file or folder of the new root. */
static int attach(struct view *view, int tree, const char *path)
{
	if (move_mount(tree, "", view->root, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return fail(view, errno, "mount", path);
	return 0;
}

/* Shows the host's `host` at `path` of the new root, which exists and is of the same kind. */
static int show(struct view *view, int host, const char *path, uint64_t attributes)
{
	cleanup_fd int tree = sandbox_tree(host, attributes, -1);

	return tree < 0 ? fail(view, -tree, "show", path) : attach(view, tree, path);
}

/* A part of our own tmpfs that stays writable when the root is not. */
static int writable(struct view *view, const char *path)
{
	struct mount_attr attr = { .attr_set = SANDBOX_WRITABLE };
	cleanup_fd int tree = open_tree(view->root, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return fail(view, errno, "open", path);
	return attach(view, tree, path);
}

static int root_new(struct view *view)
{
	uint64_t scratch = view->inside->plan->limits.scratch ? view->inside->plan->limits.scratch : 256u << 20;
	char size[24], inodes[24];
	const char *const options[] = { "mode", "0755", "size", size, "nr_inodes", inodes, NULL };
	struct stat st;

	snprintf(size, sizeof(size), "%llu", (unsigned long long)scratch);
	snprintf(inodes, sizeof(inodes), "%llu", (unsigned long long)(scratch / 4096 + 1024));
	view->root = new_fs("tmpfs", options, SANDBOX_WRITABLE);
	if (view->root < 0)
		return fail(view, -view->root, "make", "the root");
	/*
	 * Over the old "/": path walks do not see it there, because they begin beneath it; it only has to be somewhere to be
	 * moved into.
	 */
	if (move_mount(view->root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 || fstat(view->root, &st) < 0)
		return fail(view, errno, "mount", "the root");
	view->dev = st.st_dev;
	return 0;
}

/* /usr, and the old names for its parts as the host has them: links, or folders of their own. */
static int system_folders(struct view *view)
{
	static const char *const names[] = { "usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[16], target[256];
		cleanup_fd int host = -1;
		ssize_t len;
		int r;

		snprintf(path, sizeof(path), "/%s", names[i]);
		len = readlink(path, target, sizeof(target) - 1);
		if (len > 0) {
			target[len] = '\0';
			if (symlinkat(target, view->root, names[i]) < 0)
				return fail(view, errno, "link", path);
			continue;
		}
		host = sandbox_openat2(AT_FDCWD, path, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
		if (host == -ENOENT && i > 0)
			continue;
		if (host < 0)
			return fail(view, -host, "show", path);
		r = folder(view, names[i], 0755);
		if (r == 0)
			r = show(view, host, names[i], SANDBOX_READ_ONLY);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- /etc ---- */

/* Of the host's /etc only what describes the system's software to itself, and nobody's accounts, keys or passwords. */
static const char *const etc_names[] = {
	"ld.so.cache", "alternatives", "ssl/certs", "ssl/cert.pem", "ssl/openssl.cnf", "pki/ca-trust", "pki/tls/certs",
	"pki/tls/cert.pem", "pki/tls/openssl.cnf", "crypto-policies", "localtime", "timezone", "mime.types", "fonts",
	"services", "protocols", "os-release", "lsb-release", "debian_version", "locale.conf", "python3", "R", "maven",
};

/* The folders of our own that lead to `path`. */
static int parents(struct view *view, const char *path)
{
	char part[80];

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		int r;

		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		r = folder(view, part, 0755);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A name of /etc that is a link: made again when it leads into /usr. True when that settled it, or failed with *ret_r. */
static bool etc_link(struct view *view, int tree, const char *path, int *ret_r)
{
	char target[256];
	ssize_t len = readlinkat(tree, "", target, sizeof(target) - 1);

	target[len < 0 ? 0 : len] = '\0';
	if (strncmp(target, "/usr/", 5) != 0 && strncmp(target, "../usr/", 7) != 0)
		return false;
	*ret_r = symlinkat(target, view->root, path) < 0 ? fail(view, errno, "link", path) : 0;
	return true;
}

/* Shows one name of the host's /etc, if it is there: a link into /usr as a link, any other where it leads. */
static int etc_entry(struct view *view, int etc, const char *name)
{
	const int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;
	struct mount_attr attr = { .attr_set = SANDBOX_READ_ONLY | MOUNT_ATTR_NOEXEC, .propagation = (uint64_t)MS_PRIVATE };
	cleanup_fd int tree = open_tree(etc, name, (unsigned)(flags | AT_SYMLINK_NOFOLLOW));
	char path[80];
	struct stat st;
	int r;

	if (tree < 0 && (errno == ENOENT || errno == EACCES || errno == ENOTDIR))
		return 0;
	snprintf(path, sizeof(path), "etc/%s", name);
	if (tree < 0 || fstat(tree, &st) < 0)
		return fail(view, errno, "show", path);
	r = parents(view, path);
	if (r < 0 || (S_ISLNK(st.st_mode) && etc_link(view, tree, path, &r)))
		return r;
	if (S_ISLNK(st.st_mode)) {
		fd_close(&tree);
		tree = open_tree(etc, name, (unsigned)flags);
		if (tree < 0 || fstat(tree, &st) < 0)
			return 0;
	}
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return 0;
	r = S_ISDIR(st.st_mode) ? folder(view, path, 0755) : blank(view, path);
	if (r == 0 && mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		r = fail(view, errno, "protect", path);
	return r < 0 ? r : attach(view, tree, path);
}

/* Accounts, hosts and the resolver as they are inside: one user, no other host, no name service. */
static int etc_written(struct view *view)
{
	unsigned uid = view->inside->uid, gid = view->inside->gid;
	char passwd[256], group[256];
	int r;

	snprintf(passwd, sizeof(passwd), "%s%u:%u:user:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
		 uid ? "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\nuser:x:" : "root:x:", uid, gid);
	snprintf(group, sizeof(group), "%s%u:\nnogroup:x:65534:\n", gid ? "root:x:0:\nuser:x:" : "root:x:", gid);
	r = file(view, "etc/passwd", passwd);
	if (r == 0)
		r = file(view, "etc/group", group);
	if (r == 0)
		r = file(view, "etc/hosts", "127.0.0.1 localhost bawn\n::1 localhost bawn\n");
	if (r == 0)
		r = file(view, "etc/hostname", "bawn\n");
	if (r == 0)
		r = file(view, "etc/resolv.conf", "");
	if (r == 0)
		r = file(view, "etc/nsswitch.conf",
			 "passwd: files\ngroup: files\nshadow: files\nhosts: files\nnetworks: files\nprotocols: files\nservices: "
			 "files\nrpc: files\n");
	return r;
}

static int etc_build(struct view *view)
{
	const struct sandbox_names *extra = &view->inside->common->extra_etc;
	cleanup_fd int etc = open("/etc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = etc < 0 ? fail(view, errno, "read the host's", "/etc") : folder(view, "etc", 0755);

	for (size_t i = 0; i < sizeof(etc_names) / sizeof(etc_names[0]) && r == 0; i++)
		r = etc_entry(view, etc, etc_names[i]);
	for (size_t i = 0; i < extra->count && r == 0; i++)
		r = etc_entry(view, etc, extra->name[i]);
	return r < 0 ? r : etc_written(view);
}

/* ---- /dev, /proc, scratch ---- */

/* One of the host's device nodes, which cannot be made here. Needs no attribute: its own permissions say all. */
static int dev_node(struct view *view, const char *path, unsigned minor)
{
	char host[24];
	cleanup_fd int tree = -1;
	struct stat st;
	int r;

	snprintf(host, sizeof(host), "/%s", path);
	tree = open_tree(AT_FDCWD, host, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
	if (tree < 0 || fstat(tree, &st) < 0)
		return fail(view, errno, "show", path);
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, minor))
		return fail(view, ENODEV, "show", path);
	r = blank(view, path);
	return r < 0 ? r : attach(view, tree, path);
}

static int dev_build(struct view *view)
{
	static const struct {
		const char *path;
		unsigned minor;
	} nodes[] = { { "dev/null", 3 }, { "dev/zero", 5 }, { "dev/full", 7 }, { "dev/random", 8 }, { "dev/urandom", 9 } };
	static const char *const links[][2] = {
		{ "/proc/self/fd", "dev/fd" },
		{ "/proc/self/fd/0", "dev/stdin" },
		{ "/proc/self/fd/1", "dev/stdout" },
		{ "/proc/self/fd/2", "dev/stderr" },
	};
	int r = folder(view, "dev", 0755);

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]) && r == 0; i++)
		r = dev_node(view, nodes[i].path, nodes[i].minor);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]) && r == 0; i++)
		if (symlinkat(links[i][0], view->root, links[i][1]) < 0)
			r = fail(view, errno, "link", links[i][1]);
	return r;
}

/*
 * A /proc of the sandbox's own processes, read-only as a whole: no writing to /proc/self/mem, sysctls, sysrq-trigger or any
 * attribute. Process 1 does not show (hidepid): it is a copy of the launcher.
 */
static int proc_build(struct view *view)
{
	static const char *const options[] = { "hidepid", "invisible", NULL };
	cleanup_fd int proc = -1;
	int r = folder(view, "proc", 0555);

	if (r < 0)
		return r;
	proc = new_fs("proc", options, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (proc < 0)
		return sandbox_fail(view->report, SANDBOX_STAGE_PROC, -proc, "cannot mount a new /proc in the sandbox");
	return attach(view, proc, "proc");
}

/*
 * Hides what /proc tells of the host behind something empty. After moving in, by the one-call form of a bind mount: both paths lie
 * in what this process has just made, and nobody else is there yet.
 */
static int proc_mask(struct view *view)
{
	const struct sandbox_names *masks = &view->inside->common->masks;
	int r = folder(view, "dev/.empty", 0555);

	if (r == 0)
		r = blank(view, "dev/.none");
	for (size_t i = 0; i < masks->count && r == 0; i++) {
		char path[64];

		snprintf(path, sizeof(path), "proc/%s", masks->name[i]);
		if (mount(masks->folder[i] ? "dev/.empty" : "dev/.none", path, NULL, MS_BIND, NULL) < 0 && errno != ENOENT)
			r = fail(view, errno, "mask", path);
	}
	if (r == 0 && (unlinkat(view->root, "dev/.none", 0) < 0 || unlinkat(view->root, "dev/.empty", AT_REMOVEDIR) < 0))
		r = fail(view, errno, "clear", "dev");
	return r;
}

static int scratch_build(struct view *view)
{
	static const struct {
		const char *path;
		mode_t mode;
	} folders[] = { { "tmp", 01777 }, { "run", 0755 }, { "var/tmp", 01777 }, { "dev/shm", 01777 } };
	int r = folder(view, "var", 0755);

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]) && r == 0; i++) {
		r = folder(view, folders[i].path, 0755);
		if (r == 0 && fchmodat(view->root, folders[i].path, folders[i].mode, 0) < 0)
			r = fail(view, errno, "make", folders[i].path);
		if (r == 0)
			r = writable(view, folders[i].path);
	}
	if (r == 0 && symlinkat("/run", view->root, "var/run") < 0)
		r = fail(view, errno, "link", "var/run");
	return r;
}

/* ---- the plan's mounts ---- */

/*
 * The next part of a mount's place, made when it is missing and the folder is ours. In a folder of the host nothing is ever made: a
 * sandbox leaves no trace there.
 */
static int place_part(struct view *view, int at, const char *part, bool last, bool is_folder, const struct sandbox_mount *mount)
{
	int fd = sandbox_openat2(at, part, O_PATH, RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH);
	struct stat st;

	if (fd != -ENOENT)
		return fd;
	if (fstat(at, &st) < 0)
		return -errno;
	if (st.st_dev != view->dev)
		return sandbox_fail_plain(view->report, SANDBOX_STAGE_PLAN, ENOENT,
					  "%s cannot be shown at %s: that does not exist in what is already shown there; make it "
					  "on the host, or choose another place",
					  mount->host, mount->at);
	if (last && !is_folder) {
		cleanup_fd int made = openat(at, part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);

		if (made < 0)
			return -errno;
	} else if (mkdirat(at, part, 0755) < 0) {
		return -errno;
	}
	return sandbox_openat2(at, part, O_PATH, RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH);
}

/* The descriptor of the mount's place in the new root. */
static int place(struct view *view, const struct sandbox_mount *mount, bool is_folder)
{
	cleanup_fd int at = sandbox_openat2(view->root, ".", O_PATH | O_DIRECTORY, 0);
	const char *p = mount->at;

	while (at >= 0 && *p) {
		char part[NAME_MAX + 1];
		size_t len;
		int next;

		p += strspn(p, "/");
		len = strcspn(p, "/");
		if (len == 0)
			break;
		memcpy(part, p, len);
		part[len] = '\0';
		p += len;
		next = place_part(view, at, part, *p == '\0', is_folder, mount);
		fd_close(&at);
		at = next;
	}
	return fd_take(&at);
}

/* The detached tree of one plan mount. As root the launcher has opened it, because only it may read and map it. */
static int plan_tree(struct view *view, size_t index)
{
	const struct sandbox_mount *mount = &view->inside->plan->mounts[index];
	cleanup_fd int host = -1;
	int tree;

	if (view->inside->ranged)
		return view->inside->trees[index];
	host = sandbox_host_open(mount->host, mount->beneath, view->report);
	if (host < 0)
		return host;
	tree = sandbox_tree(host, mount->writable ? SANDBOX_WRITABLE : SANDBOX_READ_ONLY, -1);
	return tree < 0 ? fail(view, -tree, "show", mount->at) : tree;
}

static int plan_mount(struct view *view, size_t index)
{
	const struct sandbox_mount *mount = &view->inside->plan->mounts[index];
	cleanup_fd int tree = plan_tree(view, index), at = -1;
	struct stat from, to;

	if (tree < 0)
		return tree;
	if (fstat(tree, &from) < 0)
		return fail(view, errno, "show", mount->at);
	at = place(view, mount, S_ISDIR(from.st_mode));
	if (at == -ELOOP)
		return sandbox_fail_plain(view->report, SANDBOX_STAGE_PLAN, ELOOP,
					  "%s cannot be shown at %s: a part of that is a symbolic link inside", mount->host,
					  mount->at);
	if (at < 0 || fstat(at, &to) < 0)
		return view->report->fault.text[0] ? at : fail(view, at < 0 ? -at : errno, "show", mount->at);
	if (S_ISDIR(from.st_mode) != S_ISDIR(to.st_mode))
		return sandbox_fail_plain(view->report, SANDBOX_STAGE_PLAN, ENOTDIR,
					  "%s cannot be shown at %s: one is a folder, the other is not", mount->host, mount->at);
	if (move_mount(tree, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return fail(view, errno, "show", mount->at);
	return 0;
}

/* Shorter places first, so that one within another lies on top of it. */
static int plan_mounts(struct view *view)
{
	const struct sandbox_plan *plan = view->inside->plan;
	size_t order[SANDBOX_MOUNTS_MAX];
	int r = 0;

	for (size_t i = 0; i < plan->mount_count; i++) {
		size_t j = i;

		for (; j > 0 && strcmp(plan->mounts[order[j - 1]].at, plan->mounts[i].at) > 0; j--)
			order[j] = order[j - 1];
		order[j] = i;
	}
	for (size_t i = 0; i < plan->mount_count && r == 0; i++)
		r = plan_mount(view, order[i]);
	return r;
}

/* ---- moving in ---- */

/* The new root becomes "/", and the host's is let go. */
static int move_in(struct view *view)
{
	if (fchdir(view->root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return fail(view, errno, "move into", "the root");
	if (umount2(".", MNT_DETACH) < 0)
		return fail(view, errno, "leave", "the host's root");
	return chdir("/") < 0 ? fail(view, errno, "enter", "the root") : 0;
}

/* From here on nothing of our own but the scratch folders can be written. */
static int root_close(struct view *view)
{
	struct mount_attr attr = { .attr_set = SANDBOX_READ_ONLY };

	return mount_setattr(view->root, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ? fail(view, errno, "protect", "the root") : 0;
}

int sandbox_view_enter(const struct sandbox_inside *inside, struct sandbox_report *report)
{
	struct view view = { .inside = inside, .report = report, .root = -1 };
	int (*const steps[])(struct view *) = {
		root_new, system_folders, etc_build, dev_build, proc_build, scratch_build, plan_mounts, /* from outside */
		move_in, proc_mask, root_close,
	};
	int r = 0;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && r == 0; i++)
		r = steps[i](&view);
	fd_close(&view.root);
	return r;
}
