#include "launcher/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "launcher/sandbox_fence.h"
#include "launcher/sandbox_filter.h"
#include "launcher/sandbox_inside.h"
#include "launcher/sandbox_users.h"
#include "launcher/sandbox_view.h"

struct sandbox_maker {
	struct sandbox_common common;
	struct sandbox_users users;
};

static const unsigned mandatory = SANDBOX_USER_NS | SANDBOX_MOUNT_NS | SANDBOX_PID_NS | SANDBOX_NET_NS | SANDBOX_IPC_NS |
				  SANDBOX_UTS_NS | SANDBOX_CGROUP_NS | SANDBOX_NO_CAPABILITIES | SANDBOX_NO_NEW_PRIVS |
				  SANDBOX_SECCOMP | SANDBOX_LANDLOCK;

const char *sandbox_layer_name(enum sandbox_layer layer)
{
	switch (layer) {
	case SANDBOX_USER_NS:
		return "user";
	case SANDBOX_MOUNT_NS:
		return "mount";
	case SANDBOX_PID_NS:
		return "pid";
	case SANDBOX_NET_NS:
		return "net";
	case SANDBOX_IPC_NS:
		return "ipc";
	case SANDBOX_UTS_NS:
		return "uts";
	case SANDBOX_CGROUP_NS:
		return "cgroup";
	case SANDBOX_NO_CAPABILITIES:
		return "no-capabilities";
	case SANDBOX_NO_NEW_PRIVS:
		return "no-new-privs";
	case SANDBOX_SECCOMP:
		return "seccomp";
	case SANDBOX_LANDLOCK:
		return "landlock";
	case SANDBOX_IDMAP:
		return "idmap";
	}
	return "?";
}

static int give_up(const struct sandbox_report *report, struct sandbox_fault *ret_fault)
{
	struct sandbox_facts facts;

	sandbox_facts_read(&facts);
	return sandbox_fault_from(report, &facts, ret_fault);
}

/* ---- the maker ---- */

/* What may be seen in /proc besides processes; everything else there is the host's business. */
static bool proc_needed(const char *name)
{
	static const char *const needed[] = {
		"cgroups", "cpuinfo", "filesystems", "loadavg", "meminfo", "mounts", "net", "self", "stat", "sys", "sysvipc",
		"thread-self", "uptime", "version", "vmstat",
		/* Say nothing of anybody: the kernel's own tables, or addresses that show as zeros. */
		"buddyinfo", "consoles", "crypto", "devices", "dma", "execdomains", "iomem", "ioports", "misc", "mtrr",
		"pagetypeinfo", "zoneinfo",
	};

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (strcmp(name, needed[i]) == 0)
			return true;
	return name[0] >= '0' && name[0] <= '9';
}

/*
 * A name of /proc that is to be hidden. Inside nobody is kernel user 0, to whom these files belong, so one that others cannot read
 * needs no mask.
 */
static bool proc_masked(int dir, const char *name, bool *ret_folder)
{
	struct stat st;

	if (proc_needed(name) || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISLNK(st.st_mode) || !(st.st_mode & 0007))
		return false;
	*ret_folder = S_ISDIR(st.st_mode);
	return true;
}

static bool etc_extra(int dir, const char *name, bool *ret_folder)
{
	(void)dir;
	*ret_folder = true;
	return fnmatch("java*", name, 0) == 0 || fnmatch("python3.*", name, 0) == 0 || fnmatch("ImageMagick-*", name, 0) == 0;
}

/* The names in a folder that `take` wants. -E2BIG when there are more than there is room for: a mask left out would be a hole. */
static int names_collect(const char *path, bool (*take)(int dir, const char *name, bool *ret_folder), struct sandbox_names *names)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int r = 0;

	if (!dir)
		return -errno;
	while (r == 0 && (entry = readdir(dir))) {
		bool is_folder;

		if (entry->d_name[0] == '.' || !take(dirfd(dir), entry->d_name, &is_folder))
			continue;
		if (names->count == SANDBOX_NAMES_MAX || strlen(entry->d_name) >= sizeof(names->name[0])) {
			r = -E2BIG;
			break;
		}
		names->folder[names->count] = is_folder;
		snprintf(names->name[names->count++], sizeof(names->name[0]), "%s", entry->d_name);
	}
	closedir(dir);
	return r;
}

static int common_make(struct sandbox_common *common, struct sandbox_report *report)
{
	int r = names_collect("/proc", proc_masked, &common->masks);

	if (r < 0)
		return sandbox_fail(report, SANDBOX_STAGE_OTHER, -r, "cannot list /proc");
	r = names_collect("/etc", etc_extra, &common->extra_etc);
	if (r < 0)
		return sandbox_fail(report, SANDBOX_STAGE_OTHER, -r, "cannot list /etc");
	r = sandbox_filter_program(false, &common->program);
	if (r == 0)
		r = sandbox_filter_program(true, &common->program_local);
	if (r == 0)
		r = sandbox_filter_keeper(&common->keeper);
	if (r < 0)
		return sandbox_fail(report, SANDBOX_STAGE_SECCOMP, -r, "cannot compile the sandbox's seccomp filter");
	common->landlock_abi = sandbox_fence_abi();
	if (common->landlock_abi < 0)
		return sandbox_fail(report, SANDBOX_STAGE_LANDLOCK, -common->landlock_abi, "this kernel has no Landlock");
	if (common->landlock_abi < 2)
		return sandbox_fail_plain(report, SANDBOX_STAGE_LANDLOCK, EOPNOTSUPP,
					  "this kernel's Landlock is too old (ABI %d, 2 is needed)", common->landlock_abi);
	return 0;
}

int sandbox_maker_new(struct sandbox_maker **ret_maker, struct sandbox_fault *fault)
{
	struct sandbox_report report = { 0 };
	struct sandbox_maker *maker = sodium_init() < 0 ? NULL : calloc(1, sizeof(*maker));
	int r;

	if (!maker) {
		sandbox_fail(&report, SANDBOX_STAGE_OTHER, ENOMEM, "cannot prepare sandboxes");
		return give_up(&report, fault);
	}
	r = sandbox_users_init(&maker->users, &report);
	if (r == 0)
		r = common_make(&maker->common, &report);
	if (r < 0) {
		sandbox_maker_free(maker);
		return give_up(&report, fault);
	}
	*ret_maker = maker;
	return 0;
}

void sandbox_maker_free(struct sandbox_maker *maker)
{
	if (!maker)
		return;
	free(maker->common.program.filter);
	free(maker->common.program_local.filter);
	free(maker->common.keeper.filter);
	free(maker);
}

/* ---- is the plan one that can be? ---- */

/* Absolute, no empty, "." or ".." part, no part or whole too long. "/" alone is well-formed. */
static bool path_plain(const char *path)
{
	size_t whole = strnlen(path, PATH_MAX);

	if (path[0] != '/' || whole >= PATH_MAX)
		return false;
	if (!path[1])
		return true;
	for (const char *p = path; *p;) {
		size_t len = strcspn(++p, "/");

		if (len == 0 || len > NAME_MAX || (len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		p += len;
	}
	return true;
}

static bool within(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

/* Places that the sandbox itself makes: nothing may lie on top of them. */
static bool place_reserved(const char *at)
{
	static const char *const whole[] = { "/", "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc" };
	static const char *const below[] = { "/proc", "/sys", "/dev" };

	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
		if (strcmp(at, whole[i]) == 0)
			return true;
	for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++)
		if (within(at, below[i]))
			return true;
	return false;
}

static int mount_check(const struct sandbox_plan *plan, size_t index, struct sandbox_report *report)
{
	const struct sandbox_mount *mount = &plan->mounts[index];

	if (!mount->host || !mount->at || !path_plain(mount->host) || !path_plain(mount->at))
		return sandbox_fail_plain(report, SANDBOX_STAGE_PLAN, EINVAL,
					  "%s shown at %s: both must be absolute paths without . or .. parts",
					  mount->host ? mount->host : "?", mount->at ? mount->at : "?");
	if (place_reserved(mount->at))
		return sandbox_fail_plain(report, SANDBOX_STAGE_PLAN, EINVAL, "nothing can be shown at %s: the sandbox has its own",
					  mount->at);
	for (size_t i = 0; i < index; i++)
		if (strcmp(plan->mounts[i].at, mount->at) == 0)
			return sandbox_fail_plain(report, SANDBOX_STAGE_PLAN, EINVAL, "%s and %s are both shown at %s",
						  plan->mounts[i].host, mount->host, mount->at);
	return 0;
}

static int plan_check(const struct sandbox_plan *plan, struct sandbox_report *report)
{
	if (plan->argv && (!plan->argv[0] || !plan->argv[0][0]))
		return sandbox_fail_plain(report, SANDBOX_STAGE_PLAN, EINVAL, "the sandbox has no command");
	if (plan->mount_count > SANDBOX_MOUNTS_MAX)
		return sandbox_fail_plain(report, SANDBOX_STAGE_PLAN, E2BIG, "the sandbox shows %zu paths; %d are possible",
					  plan->mount_count, SANDBOX_MOUNTS_MAX);
	if (plan->workdir && !path_plain(plan->workdir))
		return sandbox_fail_plain(report, SANDBOX_STAGE_PLAN, EINVAL,
					  "%s, where the sandbox starts, must be an absolute path without . or .. parts",
					  plan->workdir);
	if (plan->limits.open_files > 4096)
		return sandbox_fail_plain(report, SANDBOX_STAGE_PLAN, EINVAL, "the limit open_files can be at most 4096");
	for (size_t i = 0; i < plan->mount_count; i++) {
		int r = mount_check(plan, i, report);

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- starting ---- */

/* One start in progress. */
struct start {
	struct sandbox_maker *maker;
	const struct sandbox_plan *plan;
	struct sandbox_report report;
	struct sandbox_inside inside;
	struct sandbox made;
	size_t tree_count;
};

/* As root: opens a mount of the plan, with its owner's files belonging to the sandbox's user. */
static int tree_mapped(struct start *start, const struct sandbox_mount *mount)
{
	cleanup_fd int host = sandbox_host_open(mount->host, mount->beneath, &start->report);
	cleanup_fd int userns = -1;
	struct stat st;
	int tree;

	if (host < 0)
		return host;
	if (fstat(host, &st) < 0)
		return sandbox_fail(&start->report, SANDBOX_STAGE_PLAN, errno, "cannot examine %s", mount->host);
	userns = sandbox_users_idmap(st.st_uid, st.st_gid, start->made.uid);
	if (userns < 0)
		return sandbox_fail(&start->report, SANDBOX_STAGE_IDMAP, -userns, "cannot make a user map for %s", mount->host);
	tree = sandbox_tree(host, mount->writable ? SANDBOX_WRITABLE : SANDBOX_READ_ONLY, userns);
	if (tree < 0)
		return sandbox_fail(&start->report, SANDBOX_STAGE_IDMAP, -tree, "cannot show %s in the sandbox under its user",
				    mount->host);
	return tree;
}

static int user_choose(struct start *start)
{
	start->made.slot = -1;
	start->made.uid = geteuid();
	start->inside.uid = geteuid();
	start->inside.gid = getegid();
	start->inside.ranged = start->maker->users.ranged;
	if (!start->inside.ranged)
		return 0;
	start->made.slot = sandbox_users_take(&start->maker->users);
	if (start->made.slot < 0)
		return sandbox_fail_plain(&start->report, SANDBOX_STAGE_OTHER, EAGAIN,
					  "all %u sandboxes that can run at once do run", SANDBOX_RANGES);
	start->made.uid = sandbox_users_kernel(start->made.slot);
	start->inside.uid = SANDBOX_USER_AS_ROOT;
	start->inside.gid = SANDBOX_USER_AS_ROOT;
	for (size_t i = 0; i < start->plan->mount_count; i++) {
		int tree = tree_mapped(start, &start->plan->mounts[i]);

		if (tree < 0)
			return tree;
		start->inside.trees[start->tree_count++] = tree;
	}
	return 0;
}

static int pipe_open(struct start *start, int *ret_read, int *ret_write)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return sandbox_fail(&start->report, SANDBOX_STAGE_OTHER, errno, "cannot make a pipe");
	*ret_read = ends[0];
	*ret_write = ends[1];
	return 0;
}

/*
 * The launcher's ends do not block; a program's output gets room for a large answer (and less where the user's quota of pipes
 * is used up).
 */
static int pipes_open(struct start *start)
{
	int r = pipe_open(start, &start->inside.stdin_fd, &start->made.stdin_fd);

	if (r == 0)
		r = pipe_open(start, &start->made.stdout_fd, &start->inside.stdout_fd);
	if (r == 0)
		r = pipe_open(start, &start->made.stderr_fd, &start->inside.stderr_fd);
	if (r == 0)
		r = pipe_open(start, &start->made.status_fd, &start->inside.status_fd);
	if (r == 0)
		r = pipe_open(start, &start->inside.go_fd, &start->made.go_fd);
	if (r < 0)
		return r;
	if (fcntl(start->made.stdin_fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(start->made.stdout_fd, F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(start->made.stderr_fd, F_SETFL, O_NONBLOCK) < 0)
		return sandbox_fail(&start->report, SANDBOX_STAGE_OTHER, errno, "cannot make a pipe");
	if (fcntl(start->made.stdout_fd, F_SETPIPE_SZ, 1 << 20) < 0 && errno != EPERM && errno != EBUSY)
		return sandbox_fail(&start->report, SANDBOX_STAGE_OTHER, errno, "cannot enlarge a pipe");
	return 0;
}

static int compare_ints(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/*
 * In the new process: closes everything that is not its own. The launcher's ends of the pipes that tell of its death, of this sandbox
 * and of others that are being built, must be the launcher's alone.
 */
static void descriptors_keep(const struct start *start)
{
	const struct sandbox_inside *inside = &start->inside;
	int keep[5 + SANDBOX_MOUNTS_MAX] = { inside->stdin_fd, inside->stdout_fd, inside->stderr_fd, inside->status_fd, inside->go_fd };
	size_t count = 5;
	unsigned next = 3;

	for (size_t i = 0; i < start->tree_count; i++)
		keep[count++] = inside->trees[i];
	qsort(keep, count, sizeof(keep[0]), compare_ints);
	for (size_t i = 0; i < count; i++) {
		if (keep[i] < (int)next)
			continue;
		if ((unsigned)keep[i] > next && close_range(next, (unsigned)keep[i] - 1, 0) < 0)
			_exit(125);
		next = (unsigned)keep[i] + 1;
	}
	if (close_range(next, ~0u, 0) < 0)
		_exit(125);
}

static int process_clone(struct start *start)
{
	struct clone_args args = {
		/* The launcher's signal handlers are not for process 1, whom those inside may signal. */
		.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP |
			 CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
		.pidfd = (uint64_t)(uintptr_t)&start->made.pidfd,
		.exit_signal = SIGCHLD,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid < 0)
		return sandbox_fail(&start->report, SANDBOX_STAGE_CLONE, errno, "cannot make the sandbox's namespaces");
	if (pid == 0) {
		descriptors_keep(start);
		sandbox_inside(&start->inside);
	}
	start->made.pid = (pid_t)pid;
	return 0;
}

/* Closes what only the new process needs. */
static void inside_close(struct start *start)
{
	fd_close(&start->inside.stdin_fd);
	fd_close(&start->inside.stdout_fd);
	fd_close(&start->inside.stderr_fd);
	fd_close(&start->inside.status_fd);
	fd_close(&start->inside.go_fd);
	while (start->tree_count)
		close(start->inside.trees[--start->tree_count]);
}

static int start_run(struct start *start)
{
	int r = plan_check(start->plan, &start->report);

	if (r == 0)
		r = user_choose(start);
	if (r == 0)
		r = pipes_open(start);
	if (r == 0)
		r = process_clone(start);
	if (r < 0)
		return r;
	inside_close(start);
	if (start->inside.ranged) {
		r = sandbox_users_map(start->made.pid, start->inside.uid, start->inside.gid, start->made.uid, start->made.uid);
		if (r < 0)
			return sandbox_fail(&start->report, SANDBOX_STAGE_IDMAP, -r, "cannot map the sandbox's user");
		if (write(start->made.go_fd, "", 1) != 1)
			return sandbox_fail_plain(&start->report, SANDBOX_STAGE_OTHER, ECHILD,
						  "the sandbox ended while it was being built");
	}
	return 0;
}

int sandbox_begin(struct sandbox_maker *maker, const struct sandbox_plan *plan, struct sandbox *ret_sandbox, struct sandbox_fault *fault)
{
	struct start start = {
		.maker = maker,
		.plan = plan,
		.inside = { .common = &maker->common,
			    .plan = plan,
			    .stdin_fd = -1,
			    .stdout_fd = -1,
			    .stderr_fd = -1,
			    .go_fd = -1,
			    .status_fd = -1 },
		.made = SANDBOX_NONE,
	};
	int r = start_run(&start);

	inside_close(&start);
	if (r < 0) {
		sandbox_end(maker, &start.made);
		return give_up(&start.report, fault);
	}
	start.made.layers = mandatory | (start.inside.ranged ? SANDBOX_IDMAP : 0);
	*ret_sandbox = start.made;
	return 0;
}

/* What the new process has to say, whole, or that it said nothing. */
static int report_read(const struct sandbox *sandbox, struct sandbox_report *ret_report)
{
	struct sandbox_report report = { 0 };
	ssize_t n;

	do
		n = read(sandbox->status_fd, &report, sizeof(report));
	while (n < 0 && errno == EINTR);
	if (n != sizeof(report))
		return sandbox_fail_plain(ret_report, SANDBOX_STAGE_OTHER, ECHILD,
					  "the sandbox ended while it was being built (out of memory?)");
	report.fault.text[sizeof(report.fault.text) - 1] = '\0';
	*ret_report = report;
	if (report.stage == SANDBOX_STAGE_RUNNING)
		return 0;
	return report.fault.error > 0 ? -report.fault.error : -EPROTO;
}

static int start_failed(struct sandbox_maker *maker, struct sandbox *sandbox, const struct sandbox_report *report, struct sandbox_fault *fault)
{
	sandbox_end(maker, sandbox);
	return give_up(report, fault);
}

int sandbox_ready(struct sandbox_maker *maker, struct sandbox *sandbox, struct sandbox_fault *fault)
{
	struct sandbox_report report = { 0 };

	_Static_assert(sizeof(report) <= PIPE_BUF, "the report must travel whole");
	if (report_read(sandbox, &report) < 0)
		return start_failed(maker, sandbox, &report, fault);
	fd_close(&sandbox->status_fd);
	fd_close(&sandbox->go_fd);
	memcpy(sandbox->code, report.code.digest, sizeof(sandbox->code));
	sandbox_code_learn(&maker->common.code, &report.code);
	return 0;
}

int sandbox_start(struct sandbox_maker *maker, const struct sandbox_plan *plan, struct sandbox *ret_sandbox, struct sandbox_fault *fault)
{
	const uint64_t deadline = clock_monotonic_ns() + SANDBOX_READY_MS * 1000000ULL;
	struct sandbox sandbox = SANDBOX_NONE;
	struct sandbox_report report = { 0 };
	int r = sandbox_begin(maker, plan, &sandbox, fault);

	while (r == 0) {
		struct pollfd wait = { .fd = sandbox.status_fd, .events = POLLIN };
		uint64_t now = clock_monotonic_ns();

		if (now >= deadline) {
			sandbox_fail_plain(&report, SANDBOX_STAGE_OTHER, ETIMEDOUT, "the sandbox was not ready in time");
			return start_failed(maker, &sandbox, &report, fault);
		}
		if (poll(&wait, 1, (int)((deadline - now) / 1000000) + 1) > 0)
			break;
	}
	if (r == 0)
		r = sandbox_ready(maker, &sandbox, fault);
	if (r == 0)
		*ret_sandbox = sandbox;
	return r;
}

int sandbox_probe(struct sandbox_maker *maker, struct sandbox_fault *fault)
{
	static char *const none[] = { NULL };
	const struct sandbox_mount sample = { .host = "/usr/bin", .at = "/probe" };
	const struct sandbox_plan plan = { .name = "probe", .env = none, .mounts = &sample, .mount_count = 1 };
	struct sandbox sandbox;
	int r = sandbox_start(maker, &plan, &sandbox, fault);

	if (r == 0)
		sandbox_end(maker, &sandbox);
	return r;
}

/* ---- ending ---- */

void sandbox_kill(const struct sandbox *sandbox)
{
	if (sandbox->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, sandbox->pidfd, SIGKILL, NULL, 0);
}

/* Waits for process 1 as `options` say; 0 with *ret_status, -EAGAIN. Its end means that everything inside has ended. */
static int reap(struct sandbox_maker *maker, struct sandbox *sandbox, int options, int *ret_status)
{
	siginfo_t info = { .si_pid = 0 };

	if (sandbox->pid < 0)
		return -ECHILD;
	while (waitid(P_PID, (id_t)sandbox->pid, &info, WEXITED | options) < 0)
		if (errno != EINTR)
			return -errno;
	if (info.si_pid == 0)
		return -EAGAIN;
	*ret_status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	sandbox_users_release(&maker->users, sandbox->slot);
	sandbox->slot = -1;
	sandbox->pid = -1;
	return 0;
}

int sandbox_reap(struct sandbox_maker *maker, struct sandbox *sandbox, int *ret_status)
{
	return reap(maker, sandbox, WNOHANG, ret_status);
}

void sandbox_end(struct sandbox_maker *maker, struct sandbox *sandbox)
{
	int status;

	sandbox_kill(sandbox);
	if (sandbox->pid > 0)
		reap(maker, sandbox, 0, &status);
	else
		sandbox_users_release(&maker->users, sandbox->slot);
	fd_close(&sandbox->pidfd);
	fd_close(&sandbox->stdin_fd);
	fd_close(&sandbox->stdout_fd);
	fd_close(&sandbox->stderr_fd);
	fd_close(&sandbox->status_fd);
	fd_close(&sandbox->go_fd);
	*sandbox = SANDBOX_NONE;
}

uint64_t sandbox_capabilities(void)
{
	if (geteuid() != 0)
		return 0;
	return 1ULL << CAP_SYS_ADMIN | 1ULL << CAP_SETUID | 1ULL << CAP_SETGID | 1ULL << CAP_DAC_READ_SEARCH;
}
