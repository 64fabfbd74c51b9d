/* Landlock: a domain in which only the plan's paths can be opened, no TCP port used, and nobody outside signalled. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "confine/landlock_abi.h"
#include "confine/layers.h"

/* The numbers are the same on every architecture. */
enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446, GET_ABI = 1, RULE_PATH_BENEATH = 1 };

/* The kernel's own structs, in full: an older kernel takes a longer one as long as what it does not know is zero. */
struct ruleset {
	uint64_t files, net, scoped;
};

struct path_rule {
	uint64_t access;
	int32_t fd;
} __attribute__((packed));

enum { ALL_RIGHTS_ABI_1 = 13 };

static const uint64_t rights_of_files =
	CONFINE_FS_EXECUTE | CONFINE_FS_WRITE_FILE | CONFINE_FS_READ_FILE | CONFINE_FS_TRUNCATE | CONFINE_FS_IOCTL_DEV;

/* Paths of which at least one can be opened by anybody, and which no plan allows. */
static const char *const witnesses[] = { "/", "/proc", "/usr", "/etc" };

int confine_landlock_abi(struct confine_fault *fault)
{
	long abi = syscall(CREATE_RULESET, NULL, 0, GET_ABI);

	if (abi >= CONFINE_LANDLOCK_LEAST)
		return (int)abi;
	if (abi >= 0)
		return confine_fail(fault, "landlock", ENOTSUP,
				    "this kernel's Landlock has ABI %ld and Bawn needs %d: run Linux 6.1 or newer", abi,
				    CONFINE_LANDLOCK_LEAST);
	if (errno == EOPNOTSUPP)
		return confine_fail(fault, "landlock", errno,
				    "Landlock is built into this kernel but not switched on: add landlock to the lsm= list of the "
				    "kernel command line");
	if (errno == ENOSYS)
		return confine_fail(
			fault, "landlock", errno,
			"this kernel has no Landlock (CONFIG_SECURITY_LANDLOCK), or a container's seccomp profile hides it: "
			"run Linux 6.1 or newer, and allow landlock_create_ruleset, landlock_add_rule and "
			"landlock_restrict_self in the profile");
	return confine_fail(
		fault, "landlock", errno,
		"Landlock is refused (%s): allow landlock_create_ruleset, landlock_add_rule and landlock_restrict_self in the "
		"container's seccomp profile",
		strerror(errno));
}

static uint64_t rights_of_abi(int abi)
{
	uint64_t rights = (1ULL << ALL_RIGHTS_ABI_1) - 1;

	if (abi >= 2)
		rights |= CONFINE_FS_REFER;
	if (abi >= 3)
		rights |= CONFINE_FS_TRUNCATE;
	if (abi >= 5)
		rights |= CONFINE_FS_IOCTL_DEV;
	return rights;
}

static int add_path(int ruleset, uint64_t known, const struct confine_path *path, struct confine_fault *fault)
{
	struct path_rule rule = { .access = path->access & known, .fd = path->fd };
	struct stat st;

	if (fstat(path->fd, &st) < 0)
		return confine_fail(fault, "landlock", errno, "a path of the plan is not open: %s", strerror(errno));
	if (!S_ISDIR(st.st_mode))
		rule.access &= rights_of_files;
	if (rule.access == 0)
		return 0;
	if (syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0)
		return confine_fail(fault, "landlock", errno, "landlock_add_rule: %s", strerror(errno));
	return 0;
}

/* Opens what anybody may open: its number in `witnesses`, or -1. */
static int find_witness(void)
{
	for (size_t i = 0; i < sizeof(witnesses) / sizeof(witnesses[0]); i++) {
		cleanup_fd int fd = open(witnesses[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0)
			return (int)i;
	}
	return -1;
}

static bool open_is_refused(const char *path)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 && errno == EACCES;
}

/* True also where there is no TCP at all. */
static bool tcp_is_refused(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	cleanup_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno == EAFNOSUPPORT;
	return bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0 && errno == EACCES;
}

static int restrict_self(const struct confine_plan *plan, int abi, struct confine_fault *fault)
{
	struct ruleset rights = { .files = rights_of_abi(abi) };
	cleanup_fd int ruleset = -1;

	if (abi >= 4)
		rights.net = CONFINE_NET_BIND_TCP | CONFINE_NET_CONNECT_TCP;
	if (abi >= 6)
		rights.scoped = CONFINE_SCOPE_ABSTRACT_UNIX | CONFINE_SCOPE_SIGNAL;
	ruleset = (int)syscall(CREATE_RULESET, &rights, sizeof(rights), 0);
	if (ruleset < 0)
		return confine_fail(fault, "landlock", errno, "landlock_create_ruleset: %s", strerror(errno));
	for (size_t i = 0; i < plan->path_count; i++) {
		int r = add_path(ruleset, rights.files, &plan->paths[i], fault);

		if (r < 0)
			return r;
	}
	if (syscall(RESTRICT_SELF, ruleset, 0) < 0)
		return confine_fail(fault, "landlock", errno, "landlock_restrict_self: %s", strerror(errno));
	return 0;
}

int confine_landlock(const struct confine_plan *plan, struct confine_report *report, struct confine_fault *fault)
{
	int abi = confine_landlock_abi(fault), witness, r;

	if (abi < 0)
		return abi;
	if (abi > CONFINE_LANDLOCK_KNOWN)
		abi = CONFINE_LANDLOCK_KNOWN;
	witness = find_witness();
	if (witness < 0)
		return confine_fail(fault, "landlock", ENOENT,
				    "none of /, /proc, /usr and /etc can be opened, so that Landlock cannot be put to the test");
	r = restrict_self(plan, abi, fault);
	if (r < 0)
		return r;
	report->landlock = (uint8_t)abi;
	report->files_refused = open_is_refused(witnesses[witness]);
	report->tcp_refused = abi >= 4 && tcp_is_refused();
	report->scoped = abi >= 6; /* cannot be tried without a process outside; restrict_self took it */
	return 0;
}
