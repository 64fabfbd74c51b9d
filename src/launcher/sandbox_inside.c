#include "launcher/sandbox_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "launcher/sandbox_fence.h"
#include "launcher/sandbox_filter.h"
#include "launcher/sandbox_users.h"
#include "launcher/sandbox_view.h"

static int fail_other(struct sandbox_report *report, int error, const char *what)
{
	return sandbox_fail(report, SANDBOX_STAGE_OTHER, error, "cannot %s in the sandbox", what);
}

/*
 * Dying with the launcher: the signal first, then a look whether the launcher still holds its end of the pipe. Whichever way a
 * death falls, one of the two sees it. Again after each change of user, which clears the signal.
 */
static int tie_to_launcher(const struct sandbox_inside *inside, struct sandbox_report *report)
{
	struct pollfd go = { .fd = inside->go_fd };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return fail_other(report, errno, "tie the processes to the launcher's life");
	if (poll(&go, 1, 0) < 0 || go.revents & (POLLHUP | POLLERR | POLLNVAL))
		_exit(125);
	return 0;
}

/* One line into a file of /proc/self. */
static int self_write(const char *name, const char *line)
{
	char path[48];
	cleanup_fd int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, line, strlen(line));
	return n < 0 ? -errno : 0;
}

/* When the machine's memory runs out, a sandbox goes before the family and before what people run. */
static int expendable(struct sandbox_report *report)
{
	int r = self_write("oom_score_adj", "500");

	return r < 0 ? fail_other(report, -r, "make the processes the first to go when memory runs out") : 0;
}

/* As root: the launcher writes the map, then this process becomes the range's user, keeping its capabilities for now. */
static int user_ranged(const struct sandbox_inside *inside, struct sandbox_report *report)
{
	char byte;

	if (read(inside->go_fd, &byte, 1) != 1)
		_exit(125);
	if (expendable(report) < 0)
		return -report->fault.error;
	if (syscall(SYS_setgroups, 0, NULL) < 0)
		return sandbox_fail(report, SANDBOX_STAGE_USER, errno, "cannot drop supplementary groups in the sandbox");
	if (syscall(SYS_setresgid, inside->gid, inside->gid, inside->gid) < 0 ||
	    syscall(SYS_setresuid, inside->uid, inside->uid, inside->uid) < 0)
		return sandbox_fail(report, SANDBOX_STAGE_USER, errno, "cannot take the sandbox's user");
	return 0;
}

/*
 * As an ordinary user: the map is this user alone, under its own number, and supplementary groups can never be changed. The files
 * belong to root as long as the process is not dumpable; there is nothing of the launcher's in its memory that the same user could
 * not see anyway.
 */
static int user_single(const struct sandbox_inside *inside, struct sandbox_report *report)
{
	char line[64];
	int r;

	if (prctl(PR_SET_DUMPABLE, 1) < 0)
		return fail_other(report, errno, "open the user map");
	r = expendable(report);
	if (r < 0)
		return r;
	r = self_write("setgroups", "deny");
	snprintf(line, sizeof(line), "%u %u 1\n", inside->uid, inside->uid);
	if (r == 0)
		r = self_write("uid_map", line);
	snprintf(line, sizeof(line), "%u %u 1\n", inside->gid, inside->gid);
	if (r == 0)
		r = self_write("gid_map", line);
	return r < 0 ? sandbox_fail(report, SANDBOX_STAGE_USER, -r, "cannot map the sandbox's user") : 0;
}

static int user_enter(const struct sandbox_inside *inside, struct sandbox_report *report)
{
	int r = inside->ranged ? user_ranged(inside, report) : user_single(inside, report);

	if (r == 0 && prctl(PR_SET_DUMPABLE, 0) < 0)
		r = fail_other(report, errno, "close process 1 to others");
	return r < 0 ? r : tie_to_launcher(inside, report);
}

/* A name, and a loopback of its own that leads nowhere else. */
static int names_enter(const struct sandbox_inside *inside, struct sandbox_report *report)
{
	cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	(void)inside;
	if (sethostname("bawn", 4) < 0 || setdomainname("", 0) < 0)
		return fail_other(report, errno, "set the host name");
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) < 0)
		return fail_other(report, errno, "start the loopback");
	return 0;
}

static int limit(int which, uint64_t wanted, uint64_t fallback, const char *what, struct sandbox_report *report)
{
	struct rlimit now, set;

	if (getrlimit((__rlimit_resource_t)which, &now) < 0)
		return fail_other(report, errno, "read a limit");
	if (wanted > now.rlim_max)
		return sandbox_fail_plain(report, SANDBOX_STAGE_PLAN, EPERM,
					  "the limit %s is above Bawn's own, %llu; lower it, or raise Bawn's", what,
					  (unsigned long long)now.rlim_max);
	set.rlim_cur = wanted ? wanted : fallback < now.rlim_max ? fallback : now.rlim_max;
	set.rlim_max = set.rlim_cur;
	return setrlimit((__rlimit_resource_t)which, &set) < 0 ? fail_other(report, errno, "set a limit") : 0;
}

static int limits_enter(const struct sandbox_inside *inside, struct sandbox_report *report)
{
	const struct sandbox_limits *limits = &inside->plan->limits;
	const struct {
		int which;
		uint64_t wanted, fallback;
		const char *name;
	} table[] = {
		{ RLIMIT_CORE, 0, 0, "core" },
		{ RLIMIT_NOFILE, limits->open_files, 1024, "open_files" },
		{ RLIMIT_NPROC, limits->processes, 512, "processes" },
		{ RLIMIT_FSIZE, limits->file_size, 4ull << 30, "file_size" },
		{ RLIMIT_DATA, limits->memory, 8ull << 30, "memory" },
		{ RLIMIT_AS, limits->address_space, RLIM_INFINITY, "address_space" },
		{ RLIMIT_MEMLOCK, 0, 8u << 20, "memlock" },
		{ RLIMIT_RTPRIO, 0, 0, "rtprio" },
		{ RLIMIT_NICE, 0, 0, "nice" },
		{ RLIMIT_MSGQUEUE, 0, 1u << 20, "msgqueue" },
		{ RLIMIT_SIGPENDING, 0, 1024, "sigpending" },
	};
	int r = 0;

	umask(022);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]) && r == 0; i++)
		r = limit(table[i].which, table[i].wanted, table[i].fallback, table[i].name, report);
	return r;
}

/* No capability in any set, none to come back with an exec or a change of user, and no new privilege ever. */
static int capabilities_drop(const struct sandbox_inside *inside, struct sandbox_report *report)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 }, { 0 } };
	unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED |
			     SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

	(void)inside;
	for (unsigned long cap = 0; cap < 64; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		/* EINVAL: the kernel knows no such capability, nor any above it. */
		if (errno != EINVAL || cap <= CAP_AUDIT_READ)
			return fail_other(report, errno, "drop capabilities");
		break;
	}
	if (prctl(PR_SET_SECUREBITS, bits) < 0 || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
	    syscall(SYS_capset, &header, none) < 0)
		return fail_other(report, errno, "drop capabilities");
	return 0;
}

static int privileges_drop(const struct sandbox_inside *inside, struct sandbox_report *report)
{
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail_other(report, errno, "set no_new_privs");
	r = sandbox_fence(inside, report);
	return r < 0 ? r : capabilities_drop(inside, report);
}

/* ---- the program ---- */

/* What the program's process shares with process 1 until it has become the program. */
struct program {
	const struct sandbox_inside *inside;
	struct sandbox_report *report;
};

static int fail_exec(struct sandbox_report *report, int error, const char *command, bool found)
{
	if (error == ENOENT && !found)
		return sandbox_fail_plain(
			report, SANDBOX_STAGE_EXEC, ENOENT,
			"command not found in the sandbox: %s (it sees /usr, /bin and what the policy shows under files)", command);
	if (error == ENOENT)
		return sandbox_fail_plain(
			report, SANDBOX_STAGE_EXEC, ENOENT,
			"%s cannot run in the sandbox: the interpreter or loader that it names does not exist there", command);
	return sandbox_fail(report, SANDBOX_STAGE_EXEC, error, "cannot run %s in the sandbox", command);
}

int sandbox_program_path(const struct sandbox_plan *plan, char *out, size_t size)
{
	static const char *const folders[] = { "/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin" };
	const char *command = plan->argv[0];

	if (strchr(command, '/'))
		return (size_t)snprintf(out, size, "%s", command) < size ? 0 : -ENAMETOOLONG;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		if ((size_t)snprintf(out, size, "%s/%s", folders[i], command) >= size)
			return -ENAMETOOLONG;
		/* There, or something is that hides whether it is. */
		if (faccessat(AT_FDCWD, out, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
			return 0;
	}
	return -ENOENT;
}

/* execve; returns only on failure, with the most telling error. */
static int exec_program(const struct sandbox_plan *plan, struct sandbox_report *report)
{
	const char *command = plan->argv[0];
	char path[PATH_MAX];
	int error = -sandbox_program_path(plan, path, sizeof(path));

	if (error)
		return fail_exec(report, error, command, false);
	execve(path, plan->argv, plan->env);
	error = errno;
	return fail_exec(report, error, command, faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
}

static int signals_reset(void)
{
	struct sigaction fresh = { .sa_handler = SIG_DFL };
	sigset_t none;

	/* The exec resets handlers by itself; what the launcher ignores would stay ignored. */
	for (int i = 1; i < 32; i++)
		if (i != SIGKILL && i != SIGSTOP && sigaction(i, &fresh, NULL) < 0)
			return -errno;
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}

/* The three pipes become 0, 1 and 2; everything else closes with the exec. */
static int descriptors_set(const struct sandbox_inside *inside)
{
	int from[3] = { inside->stdin_fd, inside->stdout_fd, inside->stderr_fd };

	/* Above 2 first, so that none is overwritten before it is placed. */
	for (int i = 0; i < 3; i++) {
		from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 3);
		if (from[i] < 0)
			return -errno;
	}
	for (int i = 0; i < 3; i++)
		if (dup2(from[i], i) < 0)
			return -errno;
	return close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0 ? -errno : 0;
}

static int program_become(void *arg)
{
	const struct program *program = arg;
	const struct sandbox_inside *inside = program->inside;
	bool local;
	int r;

	if (setsid() < 0)
		return fail_other(program->report, errno, "start a session");
	r = descriptors_set(inside);
	if (r == 0)
		r = signals_reset();
	if (r < 0)
		return fail_other(program->report, -r, "hand over the pipes");
	local = inside->plan->local_sockets || inside->common->landlock_abi >= SANDBOX_FENCE_SOCKETS;
	r = sandbox_filter_install(local ? &inside->common->program_local : &inside->common->program);
	if (r < 0)
		return sandbox_fail(program->report, SANDBOX_STAGE_SECCOMP, -r, "cannot install the sandbox's seccomp filter");
	return exec_program(inside->plan, program->report);
}

/* Starts the program in a child that borrows this memory until it execs, so nothing is copied. Its pid or -errno. */
static pid_t program_start(const struct sandbox_inside *inside, struct sandbox_report *report)
{
	static char stack[64 * 1024] __attribute__((aligned(16)));
	struct program program = { .inside = inside, .report = report };
	pid_t pid = clone(program_become, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, &program);

	if (pid < 0)
		return fail_other(report, errno, "start a process");
	/* Back here the child has become the program, or has said why not, or was killed on the way. */
	if (report->stage != SANDBOX_STAGE_RUNNING)
		return -report->fault.error;
	return pid;
}

/* ---- process 1 ---- */

/*
 * Tells the launcher that the program runs, waits for it and whatever is orphaned, and ends as the program ended. Its own end takes
 * everything inside with it: the kernel kills the whole process namespace. Bare system calls: its filter knows these, and not what
 * a library might add.
 */
static noreturn void keep(const struct sandbox_inside *inside, pid_t program, struct sandbox_report *report)
{
	int r = sandbox_filter_install(&inside->common->keeper);

	if (r < 0)
		sandbox_fail(report, SANDBOX_STAGE_SECCOMP, -r, "cannot install process 1's seccomp filter");
	if (syscall(SYS_write, inside->status_fd, report, sizeof(*report)) != sizeof(*report) || r < 0)
		syscall(SYS_exit_group, 125);
	syscall(SYS_close, inside->status_fd);
	for (;;) {
		int status = 0;
		long pid = syscall(SYS_wait4, -1, &status, 0, NULL);

		if (pid == program)
			syscall(SYS_exit_group, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
		else if (pid < 0 && errno != EINTR)
			syscall(SYS_exit_group, 125);
	}
}

/* Nothing of the host and none of the pipes stays with process 1, but the one for its report. */
static int let_go(const struct sandbox_inside *inside, struct sandbox_report *report)
{
	unsigned kept = (unsigned)inside->status_fd;

	if (chdir("/") < 0 || (kept > 0 && close_range(0, kept - 1, 0) < 0) || close_range(kept + 1, ~0u, 0) < 0)
		return fail_other(report, errno, "close descriptors");
	return 0;
}

static int build(const struct sandbox_inside *inside, struct sandbox_report *report)
{
	static int (*const steps[])(const struct sandbox_inside *, struct sandbox_report *) = {
		tie_to_launcher, user_enter, names_enter, sandbox_view_enter, privileges_drop,
	};
	const char *workdir = inside->plan->workdir ? inside->plan->workdir : "/";
	int r = 0;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && r == 0; i++)
		r = steps[i](inside, report);
	if (r == 0 && chdir(workdir) < 0)
		r = sandbox_fail(report, SANDBOX_STAGE_PLAN, errno, "cannot start in %s in the sandbox", workdir);
	/* As the program's own user, so that what counts is what it can read; before its limits, which are for the program. */
	if (r == 0 && inside->plan->argv)
		r = sandbox_code(inside, report);
	if (r == 0)
		r = limits_enter(inside, report);
	return r < 0 ? r : tie_to_launcher(inside, report);
}

noreturn void sandbox_inside(const struct sandbox_inside *inside)
{
	struct sandbox_report report = { .stage = SANDBOX_STAGE_RUNNING };
	pid_t program = 0;
	int r;

	prctl(PR_SET_NAME, "bawn-sandbox");
	r = build(inside, &report);
	if (r == 0 && inside->plan->argv)
		program = program_start(inside, &report);
	if (r == 0 && program >= 0)
		r = let_go(inside, &report);
	if (r == 0 && program > 0)
		keep(inside, program, &report);
	if (write(inside->status_fd, &report, sizeof(report)) != sizeof(report) || report.stage != SANDBOX_STAGE_RUNNING)
		_exit(125);
	_exit(0);
}
