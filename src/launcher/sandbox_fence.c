#include "launcher/sandbox_fence.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Rights that kernels newer than these headers have (landlock(7)). */
#define RIGHT_REFER (1ULL << 13)     /* ABI 2 */
#define RIGHT_TRUNCATE (1ULL << 14)  /* ABI 3 */
#define RIGHT_IOCTL_DEV (1ULL << 15) /* ABI 5 */
#define RIGHT_RESOLVE_UNIX (1ULL << 16) /* SANDBOX_FENCE_SOCKETS */
#define SCOPE_ABSTRACT_SOCKET (1ULL << 0) /* ABI 6 */
#define SCOPE_SIGNAL (1ULL << 1)

#define RIGHTS_READ (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RIGHTS_FILE                                                                                                                \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | RIGHT_TRUNCATE |              \
	 RIGHT_IOCTL_DEV)
/* Everything of ABI 1 but making devices. */
#define RIGHTS_WRITE (((1ULL << 13) - 1) & ~(LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK))
#define RIGHTS_ALL (((1ULL << 13) - 1))

/* As the newest kernel has it; an older one takes a shorter struct when the rest is zero. */
struct ruleset {
	uint64_t fs, net, scoped;
};

/*
 * Rights reach downwards from a folder, across mounts. "/" is the sandbox's own root, so reading there is reading the view; the
 * host's root is elsewhere, and a descriptor or a mount that led there would lead to nothing that is granted.
 */
static const struct {
	const char *path;
	uint64_t rights;
} system_rules[] = {
	{ "/", RIGHTS_READ },
	{ "/dev", LANDLOCK_ACCESS_FS_WRITE_FILE | RIGHT_TRUNCATE },
	{ "/dev/shm", RIGHTS_WRITE | RIGHT_REFER | RIGHT_TRUNCATE },
	{ "/tmp", RIGHTS_WRITE | RIGHT_REFER | RIGHT_TRUNCATE },
	{ "/var/tmp", RIGHTS_WRITE | RIGHT_REFER | RIGHT_TRUNCATE },
	{ "/run", RIGHTS_WRITE | RIGHT_REFER | RIGHT_TRUNCATE },
};

int sandbox_fence_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? -errno : (int)abi;
}

static uint64_t handled(int abi)
{
	return RIGHTS_ALL | (abi >= 2 ? RIGHT_REFER : 0) | (abi >= 3 ? RIGHT_TRUNCATE : 0) | (abi >= 5 ? RIGHT_IOCTL_DEV : 0) |
	       (abi >= SANDBOX_FENCE_SOCKETS ? RIGHT_RESOLVE_UNIX : 0);
}

/* Grants `rights` beneath an existing path; -ENOENT when there is none. */
static int grant(int ruleset, const char *path, uint64_t rights)
{
	cleanup_fd int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = { .allowed_access = rights, .parent_fd = fd };
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= RIGHTS_FILE;
	if (!rule.allowed_access)
		return 0;
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
}

static int grant_view(int ruleset, const struct sandbox_inside *inside, uint64_t mask, struct sandbox_report *report)
{
	for (size_t i = 0; i < sizeof(system_rules) / sizeof(system_rules[0]); i++) {
		int r = grant(ruleset, system_rules[i].path, system_rules[i].rights & mask);

		if (r < 0)
			return sandbox_fail(report, SANDBOX_STAGE_LANDLOCK, -r, "cannot fence %s with Landlock",
					    system_rules[i].path);
	}
	for (size_t i = 0; i < inside->plan->mount_count; i++) {
		const struct sandbox_mount *mount = &inside->plan->mounts[i];
		int r = mount->writable ? grant(ruleset, mount->at, (RIGHTS_WRITE | RIGHT_REFER | RIGHT_TRUNCATE) & mask) : 0;

		if (r < 0)
			return sandbox_fail(report, SANDBOX_STAGE_LANDLOCK, -r, "cannot fence %s with Landlock", mount->at);
	}
	return 0;
}

int sandbox_fence(const struct sandbox_inside *inside, struct sandbox_report *report)
{
	int abi = inside->common->landlock_abi;
	struct ruleset attr = { .fs = handled(abi), .scoped = abi >= 6 ? SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL : 0 };
	cleanup_fd int ruleset = -1;
	int r;

	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return sandbox_fail(report, SANDBOX_STAGE_LANDLOCK, errno, "cannot make a Landlock ruleset");
	r = grant_view(ruleset, inside, attr.fs, report);
	if (r < 0)
		return r;
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return sandbox_fail(report, SANDBOX_STAGE_LANDLOCK, errno, "cannot enter the Landlock fence");
	return 0;
}
