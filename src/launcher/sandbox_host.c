/* Host paths, each opened once. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "launcher/sandbox_view.h"

int sandbox_openat2(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = resolve };
	long fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

int sandbox_tree(int fd, uint64_t attributes, int userns_fd)
{
	struct mount_attr attr = { .attr_set = attributes, .propagation = (uint64_t)MS_PRIVATE };
	cleanup_fd int tree = open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);

	if (tree < 0)
		return -errno;
	if (userns_fd >= 0) {
		attr.attr_set |= MOUNT_ATTR_IDMAP;
		attr.userns_fd = (unsigned)userns_fd;
	}
	if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return -errno;
	return fd_take(&tree);
}

/* One symbolic link: its target in `out`, when its owner is one whose links are followed. */
static int link_read(int fd, const struct stat *st, char *out, size_t size)
{
	ssize_t len;

	if (st->st_uid != 0 && st->st_uid != geteuid())
		return -EPERM;
	len = readlinkat(fd, "", out, size);
	if (len < 0)
		return -errno;
	return (size_t)len < size ? (int)len : -ENAMETOOLONG;
}

/* Walks `path` part by part, so that each symbolic link's owner is seen. `rest` holds what is still to walk. */
static int walk(const char *path)
{
	char rest[PATH_MAX], target[PATH_MAX];
	cleanup_fd int at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int links = 0;

	if (at < 0)
		return -errno;
	if ((size_t)snprintf(rest, sizeof(rest), "%s", path) >= sizeof(rest))
		return -ENAMETOOLONG;
	for (;;) {
		cleanup_fd int next = -1;
		char part[NAME_MAX + 1];
		size_t skip = strspn(rest, "/"), len = strcspn(rest + skip, "/");
		struct stat st;

		if (len == 0)
			return fd_take(&at);
		if (len > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(part, rest + skip, len);
		part[len] = '\0';
		memmove(rest, rest + skip + len, strlen(rest + skip + len) + 1);
		next = openat(at, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0 || fstat(next, &st) < 0)
			return -errno;
		if (S_ISLNK(st.st_mode)) {
			int n = ++links > 40 ? -ELOOP : link_read(next, &st, target, sizeof(target));

			if (n < 0)
				return n;
			if ((size_t)n + strlen(rest) + 2 > sizeof(rest))
				return -ENAMETOOLONG;
			memmove(rest + n, rest, strlen(rest) + 1);
			memcpy(rest, target, (size_t)n);
			if (target[0] != '/')
				continue;
			fd_close(&at);
			at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
			if (at < 0)
				return -errno;
			continue;
		}
		fd_close(&at);
		at = fd_take(&next);
	}
}

/* File systems that are the kernel's own face: through them a sandbox would see and steer the host. */
static bool kernel_fs(long type)
{
	static const unsigned long types[] = {
		PROC_SUPER_MAGIC, SYSFS_MAGIC, CGROUP_SUPER_MAGIC,
		CGROUP2_SUPER_MAGIC,
		DEBUGFS_MAGIC, TRACEFS_MAGIC, SECURITYFS_MAGIC, BPF_FS_MAGIC, DEVPTS_SUPER_MAGIC, BINFMTFS_MAGIC, NSFS_MAGIC,
		EFIVARFS_MAGIC, SELINUX_MAGIC, PSTOREFS_MAGIC,
		0x62656570 /* configfs */,
		0x19800202 /* mqueue */,
		0x65735543 /* fusectl */,
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if ((unsigned long)type == types[i])
			return true;
	return false;
}

static int host_check(int fd, const char *path, struct sandbox_report *report)
{
	struct stat st, root;
	struct statfs fs;

	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0 || stat("/", &root) < 0)
		return sandbox_fail(report, SANDBOX_STAGE_PLAN, errno, "cannot examine %s", path);
	if (kernel_fs(fs.f_type))
		return sandbox_fail_plain(report, SANDBOX_STAGE_PLAN, EPERM,
					  "%s belongs to a file system of the kernel; it cannot be shown in a sandbox", path);
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode) && !S_ISSOCK(st.st_mode) && !S_ISFIFO(st.st_mode))
		return sandbox_fail_plain(report, SANDBOX_STAGE_PLAN, EPERM, "%s is a device; it cannot be shown in a sandbox",
					  path);
	if (st.st_dev == root.st_dev && st.st_ino == root.st_ino)
		return sandbox_fail_plain(report, SANDBOX_STAGE_PLAN, EPERM,
					  "%s is the whole machine; name the folders that are needed", path);
	return 0;
}

static int open_anywhere(const char *path, struct sandbox_report *report)
{
	/* Nearly always there is no symbolic link at all, and one call does it. */
	cleanup_fd int fd = sandbox_openat2(AT_FDCWD, path, O_PATH, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	int r;

	if (fd == -ELOOP)
		fd = walk(path);
	if (fd == -EPERM)
		return sandbox_fail_plain(report, SANDBOX_STAGE_PLAN, EPERM,
					  "%s goes through a symbolic link that another user made; write the path without it",
					  path);
	if (fd < 0)
		return sandbox_fail(report, SANDBOX_STAGE_PLAN, -fd, "cannot open %s, which the policy shows in the sandbox", path);
	r = host_check(fd, path, report);
	return r < 0 ? r : fd_take(&fd);
}

/* Opens `path`, whose text begins with the folder `beneath`, without ever leaving that folder: no link, "..", or mount tricks lead out. */
static int open_beneath(const char *beneath, const char *path)
{
	size_t len = strlen(beneath);
	cleanup_fd int folder = walk(beneath);
	const char *rest = path + len;

	if (folder < 0)
		return folder;
	if (strncmp(path, beneath, len) != 0 || (*rest != '/' && *rest != '\0'))
		return -EXDEV;
	rest += strspn(rest, "/");
	return sandbox_openat2(folder, *rest ? rest : ".", O_PATH, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
}

static int open_within(const char *beneath, const char *path, struct sandbox_report *report)
{
	cleanup_fd int fd = open_beneath(beneath, path);
	int r;

	if (fd == -EXDEV)
		return sandbox_fail_plain(report, SANDBOX_STAGE_PLAN, EXDEV, "%s leads out of the project's folder %s", path, beneath);
	if (fd < 0)
		return sandbox_fail(report, SANDBOX_STAGE_PLAN, -fd, "cannot open %s, which the policy shows in the sandbox", path);
	r = host_check(fd, path, report);
	return r < 0 ? r : fd_take(&fd);
}

int sandbox_host_open(const char *path, const char *beneath, struct sandbox_report *report)
{
	return beneath ? open_within(beneath, path, report) : open_anywhere(path, report);
}
