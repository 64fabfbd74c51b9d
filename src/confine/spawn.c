/*
 * confine_spawn. Parent and child talk over a socket pair until the child is exec'd:
 *
 *   child: "I am there" (1)      parent: writes the child's user maps, says "go on"
 *   child: takes its identity, drops capabilities, arranges descriptors and signals,
 *          asks to be killed with its parent, says "I am ready" (2)
 *                                parent: "go on"
 *   child: execveat              parent: end of file, because the socket is close-on-exec
 *
 * At every point an error is one message with the step and the errno. The second exchange is what makes the parent-death signal
 * free of races: if the parent was already dead when it was set, the child reads end of file instead of "go on", and exits. It
 * comes after the change of identity because that clears the signal.
 */
#include "confine/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "confine/layers.h"
#include "confine/securebits.h"

enum {
	FDS_MAX = 64,
	FIRST_FD = 3,
	/* No distribution, user manager or container manager hands out ids here (systemd's docs/UIDS-GIDS.md lists who has which).
	 */
	HIGH_FIRST = 0x7ba00000,
	PEOPLE_END = 10000, /* above whatever a container's own users are */
};

enum step {
	STEP_THERE,
	STEP_READY,
	STEP_PARENT,
	STEP_IDENTITY,
	STEP_CAPABILITIES,
	STEP_DESCRIPTORS,
	STEP_FOLDER,
	STEP_DEATH,
	STEP_EXEC
};

static const char *const step_sentences[] = {
	[STEP_PARENT] = "its parent went away",
	[STEP_IDENTITY] = "cannot take its user id",
	[STEP_CAPABILITIES] = "cannot drop its capabilities",
	[STEP_DESCRIPTORS] = "cannot arrange its descriptors",
	[STEP_FOLDER] = "cannot leave the working folder",
	[STEP_DEATH] = "cannot be tied to init's life",
	[STEP_EXEC] = "cannot execute Bawn's own binary (it must be executable for the user the process runs as)",
};

struct message {
	uint32_t step;
	int32_t error;
};

/* Everything the child needs, worked out before it exists: between clone3 and exec it only makes system calls. */
struct child {
	const struct confine_spawn *spawn;
	bool change_user; /* root: to uid and gid, supplementary groups dropped */
	uid_t uid;
	gid_t gid;
	int null, channel;
};

/* ---- identity ---- */

uid_t confine_high_user(unsigned slot)
{
	return HIGH_FIRST + slot;
}

/*
 * Whether uid 0 here is the machine's. Root of a user namespace that stands for somebody else (a rootless container) is as an
 * ordinary user is; one that is mapped to 0, but not with everybody else, cannot be told from the machine's root and has nobody to
 * step down to.
 */
static int is_machine_root(const struct confine_spawn *spawn, bool *ret_is, struct confine_fault *fault)
{
	cleanup_buf struct buf map = BUF_INIT(65536);
	unsigned inside, outside, count;
	int r;

	*ret_is = false;
	if (geteuid() != 0)
		return 0;
	r = io_read_file(AT_FDCWD, "/proc/self/uid_map", &map);
	if (r == 0)
		r = buf_add_char(&map, '\0');
	if (r < 0)
		return confine_fail(fault, "user-namespaces", -r, "cannot read /proc/self/uid_map: %s", strerror(-r));
	if (sscanf(map.ptr, "%u %u %u", &inside, &outside, &count) != 3 || inside != 0)
		return confine_fail(fault, "user-namespaces", EINVAL, "/proc/self/uid_map is not understood");
	if (outside == 0 && count != UINT32_MAX)
		return confine_fail(
			fault, "user-namespaces", EPERM,
			"%s: Bawn is root in a user namespace whose root may be the machine's root: run it outside of it, or as "
			"an ordinary user",
			spawn->process);
	*ret_is = outside == 0;
	return 0;
}

static int choose_user(const struct confine_spawn *spawn, struct child *child, struct confine_fault *fault)
{
	bool root;
	int r = is_machine_root(spawn, &root, fault);

	if (r < 0)
		return r;
	child->uid = geteuid();
	child->gid = getegid();
	child->change_user = root && (spawn->namespaces & CLONE_NEWUSER);
	if (spawn->user == CONFINE_USER_HIGH && root)
		child->uid = child->gid = confine_high_user(spawn->slot);
	return 0;
}

/* ---- the child ---- */

static _Noreturn void child_fail(const struct child *child, enum step step, int error)
{
	struct message message = { .step = step, .error = error };

	send(child->channel, &message, sizeof(message), MSG_NOSIGNAL);
	_exit(127);
}

static void child_meet(const struct child *child, enum step step)
{
	struct message message = { .step = step };
	char go;

	if (send(child->channel, &message, sizeof(message), MSG_NOSIGNAL) < 0 || recv(child->channel, &go, 1, 0) != 1)
		_exit(127);
}

static void child_drop_capabilities(const struct child *child)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 } };

	/* Fails only where there is nothing to drop: an ordinary user without a user namespace. */
	for (int cap = 0; cap < 64 && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	if (prctl(PR_SET_SECUREBITS, CONFINE_SECUREBITS, 0, 0, 0) < 0 && child->uid == 0)
		child_fail(child, STEP_CAPABILITIES, errno);
	if (child->change_user && (syscall(SYS_setresgid, child->gid, child->gid, child->gid) < 0 ||
				   syscall(SYS_setresuid, child->uid, child->uid, child->uid) < 0))
		child_fail(child, STEP_IDENTITY, errno);
	if (syscall(SYS_capset, &header, none) < 0)
		child_fail(child, STEP_CAPABILITIES, errno);
}

/* Sources are first copied above all targets, so that none is overwritten before it was copied. */
static void child_arrange_fds(struct child *child, int *binary)
{
	const struct confine_spawn *spawn = child->spawn;
	int source[FIRST_FD + FDS_MAX], count = FIRST_FD + (int)spawn->fd_count;

	source[0] = source[1] = child->null;
	source[2] = spawn->log < 0 ? child->null : spawn->log;
	for (size_t i = 0; i < spawn->fd_count; i++)
		source[FIRST_FD + i] = spawn->fds[i];
	/* The way to report errors goes first: until then, it may sit where a target is. */
	child->channel = fcntl(child->channel, F_DUPFD_CLOEXEC, count);
	if (child->channel < 0)
		_exit(127);
	*binary = fcntl(spawn->binary, F_DUPFD_CLOEXEC, count);
	if (*binary < 0)
		child_fail(child, STEP_DESCRIPTORS, errno);
	for (int i = 0; i < count; i++) {
		source[i] = fcntl(source[i], F_DUPFD_CLOEXEC, count);
		if (source[i] < 0)
			child_fail(child, STEP_DESCRIPTORS, errno);
	}
	for (int i = 0; i < count; i++)
		if (dup2(source[i], i) < 0)
			child_fail(child, STEP_DESCRIPTORS, errno);
	if (syscall(SYS_close_range, (unsigned)count, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		child_fail(child, STEP_DESCRIPTORS, errno);
}

/* CLONE_CLEAR_SIGHAND has taken the handlers away; what init ignores or blocks is still ignored and blocked. */
static void child_reset_signals(void)
{
	struct sigaction standard = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int signal = 1; signal < NSIG; signal++)
		sigaction(signal, &standard, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void child_main(struct child *child)
{
	const struct confine_spawn *spawn = child->spawn;
	int binary = -1;

	/*
	 * init is not dumpable, which makes /proc/PID of its copy root's: an ordinary user could not write the maps. Until exec,
	 * this is a copy of init that knows nothing but init's memory, in a namespace of its own.
	 */
	if (spawn->namespaces & CLONE_NEWUSER)
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	child_meet(child, STEP_THERE);
	if (child->change_user && syscall(SYS_setgroups, 0, NULL) < 0)
		child_fail(child, STEP_IDENTITY, errno);
	if (!spawn->keep_capabilities)
		child_drop_capabilities(child);
	setsid(); /* away from the terminal: its ^C is init's business. Fails only for a leader, which a fresh process is not */
	umask(0077);
	if (chdir("/") < 0)
		child_fail(child, STEP_FOLDER, errno);
	child_reset_signals();
	child_arrange_fds(child, &binary);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		child_fail(child, STEP_DEATH, errno);
	child_meet(child, STEP_READY);
	/* execveat takes pointers to char that it does not write to. */
	syscall(SYS_execveat, binary, "", spawn->argv, confine_environment, AT_EMPTY_PATH);
	child_fail(child, STEP_EXEC, errno);
}

/* ---- the parent ---- */

static int write_proc(pid_t pid, const char *file, const char *text)
{
	char path[64];
	cleanup_fd int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : io_write_all(fd, text, strlen(text));
}

/* One id, mapped to itself. An ordinary user has to give up changing groups before the kernel lets it map its own. */
static int write_maps(const struct child *child, pid_t pid, struct confine_fault *fault)
{
	char uids[64], gids[64];
	int r = 0;

	snprintf(uids, sizeof(uids), "%u %u 1\n", child->uid, child->uid);
	snprintf(gids, sizeof(gids), "%u %u 1\n", child->gid, child->gid);
	if (!child->change_user)
		r = write_proc(pid, "setgroups", "deny");
	if (r == 0)
		r = write_proc(pid, "gid_map", gids);
	if (r == 0)
		r = write_proc(pid, "uid_map", uids);
	if (r < 0)
		return confine_fail(fault, "user-namespaces", -r, "%s: cannot map user %u into its user namespace: %s",
				    child->spawn->process, child->uid, strerror(-r));
	return 0;
}

/* The next message of the child: 0 for `step`, 1 for end of file, else its error as a fault. */
static int expect(const struct child *child, int channel, enum step step, struct confine_fault *fault)
{
	struct message message;
	ssize_t n;

	do
		n = recv(channel, &message, sizeof(message), 0);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 1;
	if (n != sizeof(message))
		return confine_fail(fault, "spawn", EPROTO, "%s: no word from it before it was executed", child->spawn->process);
	if (message.error == 0 && message.step == step)
		return 0;
	if (message.step > STEP_EXEC || !step_sentences[message.step])
		return confine_fail(fault, "spawn", EPROTO, "%s: an unexpected word from it before it was executed",
				    child->spawn->process);
	return confine_fail(fault, "spawn", message.error, "%s: %s: %s", child->spawn->process, step_sentences[message.step],
			    strerror(message.error));
}

static int go_on(const struct child *child, int channel, struct confine_fault *fault)
{
	if (send(channel, "g", 1, MSG_NOSIGNAL) == 1)
		return 0;
	return confine_fail(fault, "spawn", errno, "%s: it ended before it was executed", child->spawn->process);
}

static int accompany(const struct child *child, int channel, pid_t pid, struct confine_fault *fault)
{
	int r = expect(child, channel, STEP_THERE, fault);

	if (r == 0 && (child->spawn->namespaces & CLONE_NEWUSER))
		r = write_maps(child, pid, fault);
	if (r == 0)
		r = go_on(child, channel, fault);
	if (r == 0)
		r = expect(child, channel, STEP_READY, fault);
	if (r == 0)
		r = go_on(child, channel, fault);
	if (r == 1)
		return confine_fail(fault, "spawn", ECHILD, "%s: it ended before it was executed", child->spawn->process);
	if (r == 0)
		r = expect(child, channel, STEP_EXEC, fault);
	/* End of file is what exec looks like from here. */
	return r == 1 ? 0 : r;
}

static int check_spawn(const struct confine_spawn *spawn, struct confine_fault *fault)
{
	bool own_user = spawn->namespaces & CLONE_NEWUSER;

	if (spawn->fd_count > FDS_MAX || spawn->binary < 0 || !spawn->argv || !spawn->argv[0] || spawn->slot >= CONFINE_SLOTS)
		return confine_fail(fault, "spawn", EINVAL, "%s: not a process that can be started", spawn->process);
	if ((spawn->user == CONFINE_USER_HIGH && !own_user) || (spawn->keep_capabilities && own_user))
		return confine_fail(fault, "spawn", EINVAL, "%s: its user does not fit its namespaces", spawn->process);
	return 0;
}

static pid_t clone_child(const struct confine_spawn *spawn, int *ret_pidfd)
{
	struct clone_args args = {
		.flags = spawn->namespaces | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
	};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

int confine_spawn(const struct confine_spawn *spawn, pid_t *ret_pid, int *ret_pidfd, struct confine_fault *ret_fault)
{
	cleanup_fd int null = -1, ours = -1, theirs = -1, pidfd = -1;
	struct child child = { .spawn = spawn };
	int pair[2], r;
	pid_t pid;

	r = check_spawn(spawn, ret_fault);
	if (r == 0)
		r = choose_user(spawn, &child, ret_fault);
	if (r < 0)
		return r;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return confine_fail(ret_fault, "spawn", errno, "%s: no descriptors to start it with: %s", spawn->process,
				    strerror(errno));
	ours = pair[0];
	theirs = pair[1];
	child.null = null;
	child.channel = theirs;
	pid = clone_child(spawn, &pidfd);
	if (pid == 0) {
		close(ours); /* else the child would hold its own parent's end open */
		child_main(&child);
	}
	if (pid < 0)
		return confine_explain_namespaces(ret_fault, errno);
	fd_close(&theirs);
	r = accompany(&child, ours, pid, ret_fault);
	if (r < 0) {
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return r;
	}
	*ret_pid = pid;
	*ret_pidfd = fd_take(&pidfd);
	return 0;
}
