/* confine_spawn: what a process has when its main starts, tried with this test program itself as Bawn's binary. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "confine/confine.h"
#include "confine/layers.h"
#include "confine/spawn.h"

extern char **environ;

enum {
	FULL = 1 << CONFINE_NS_USER | 1 << CONFINE_NS_PID | 1 << CONFINE_NS_NET | 1 << CONFINE_NS_IPC | 1 << CONFINE_NS_UTS |
	       1 << CONFINE_NS_CGROUP,
};

static const uint64_t full_flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
static const struct confine_rule nothing[1];
static const struct confine_plan plan = {
	.process = "child",
	.allow = nothing,
	.landlock = true,
	.dies_with_parent = true,
	.open_files = 64,
};

/* ---- the children: main of the spawned program, by its argument; 3 is a socket to the test ---- */

static int child_report(void)
{
	struct confine_report report;
	struct confine_fault fault;

	if (confine_self(&plan, &report, &fault) < 0) {
		dprintf(3, "%s", fault.text);
		return 1;
	}
	return write(3, &report, sizeof(report)) == sizeof(report) ? 0 : 1;
}

static int child_forbidden(void)
{
	struct confine_report report;
	struct confine_fault fault;

	if (confine_self(&plan, &report, &fault) < 0)
		return 1;
	return (int)syscall(SYS_unshare, CLONE_NEWUSER);
}

/* Says what it sees of itself, one word for each thing that is not as it should be. */
static int child_look(void)
{
	struct stat null, st;
	struct sigaction action;
	sigset_t blocked;
	char folder[8];

	stat("/dev/null", &null);
	if (fstat(0, &st) < 0 || st.st_rdev != null.st_rdev || fstat(1, &st) < 0 || st.st_rdev != null.st_rdev)
		dprintf(3, "stdio ");
	if (fstat(4, &st) < 0 || !S_ISFIFO(st.st_mode))
		dprintf(3, "fd4 ");
	for (int fd = 5; fd < 200; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			dprintf(3, "fd%d ", fd);
	for (int i = 0; confine_environment[i] || environ[i]; i++)
		if (!confine_environment[i] || !environ[i] || strcmp(confine_environment[i], environ[i]) != 0) {
			dprintf(3, "environment ");
			break;
		}
	sigprocmask(SIG_BLOCK, NULL, &blocked);
	for (int signal = 1; signal < 32; signal++)
		if (sigismember(&blocked, signal) || (sigaction(signal, NULL, &action) == 0 && action.sa_handler != SIG_DFL))
			dprintf(3, "signal%d ", signal);
	if (geteuid() == confine_high_user(5) && getgroups(0, NULL) != 0)
		dprintf(3, "groups ");
	if (!getcwd(folder, sizeof(folder)) || strcmp(folder, "/") != 0)
		dprintf(3, "folder ");
	if (getsid(0) != getpid())
		dprintf(3, "session ");
	if ((umask(0) & 0777) != 077)
		dprintf(3, "umask ");
	return 0;
}

/* Holds 3 open until it is killed. */
static int child_wait(void)
{
	if (write(3, "r", 1) != 1)
		return 1;
	for (;;)
		pause();
}

static int child_exit(void)
{
	return 7;
}

static const struct {
	const char *name;
	int (*main)(void);
} children[] = {
	{ "report", child_report }, { "forbidden", child_forbidden }, { "look", child_look },
	{ "wait", child_wait },     { "exit", child_exit },
};

/* ---- the tests ---- */

static int binary = -1;

struct started {
	pid_t pid;
	int pidfd, channel;
};

static int start(const char *what, uint64_t namespaces, enum confine_user user, int extra, struct started *ret,
		 struct confine_fault *fault)
{
	const char *argv[] = { "unit-spawn", what, NULL };
	int pair[2], fds[2], r;
	struct confine_spawn spawn = {
		.process = what,
		.binary = binary,
		.argv = argv,
		.fds = fds,
		.fd_count = extra < 0 ? 1 : 2,
		.log = 2,
		.namespaces = namespaces,
		.user = user,
		.slot = 5,
	};

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	fds[0] = pair[1];
	fds[1] = extra;
	ret->channel = pair[0];
	r = confine_spawn(&spawn, &ret->pid, &ret->pidfd, fault);
	close(pair[1]);
	if (r < 0)
		close(pair[0]);
	return r;
}

static int finish(struct started *s)
{
	int status;

	assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
	close(s->pidfd);
	close(s->channel);
	return status;
}

/* This process's own numbers, as init would have them. */
static struct confine_report own_report(void)
{
	struct confine_state state = { .status = -1 };
	struct confine_report own = { 0 };
	struct confine_fault fault;

	assert_int_equal(confine_measure_first(&state, &own, &fault), 0);
	return own;
}

static void a_spawned_process_is_apart_and_holds_nothing(void **state)
{
	struct confine_report own = own_report(), report;
	struct confine_fault fault = { .text = "" };
	struct started s;

	(void)state;
	for (enum confine_user user = CONFINE_USER_SELF; user <= CONFINE_USER_HIGH; user++) {
		int r = start("report", full_flags, user, -1, &s, &fault);

		if (r < 0)
			fail_msg("%s", fault.text);
		if (read(s.channel, &report, sizeof(report)) != sizeof(report))
			fail_msg("%.*s", (int)sizeof(report), (const char *)&report);
		assert_int_equal(finish(&s), 0);
		assert_int_equal(confine_check_apart("report", &report, &own, FULL, &fault), 0);
		assert_int_equal(confine_apart(&report, &own), FULL);
		assert_int_equal(report.capabilities, 0);
		assert_int_equal(report.bounding, 0);
		assert_int_equal(report.death_signal, SIGKILL);
		assert_int_equal(report.uid, geteuid() == 0 && user == CONFINE_USER_HIGH ? confine_high_user(5) : geteuid());
	}
}

static void it_has_what_it_was_given_and_no_more(void **state)
{
	struct confine_fault fault = { .text = "" };
	struct started s;
	char seen[512] = "";
	sigset_t blocked;
	int pipes[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0); /* without close-on-exec, as a careless library's */
	setenv("SECRET", "of init", 1);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	if (start("look", full_flags, CONFINE_USER_HIGH, pipes[0], &s, &fault) < 0)
		fail_msg("%s", fault.text);
	while (read(s.channel, seen + strlen(seen), sizeof(seen) - strlen(seen) - 1) > 0)
		;
	assert_string_equal(seen, "");
	assert_int_equal(finish(&s), 0);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
	unsetenv("SECRET");
	close(pipes[0]);
	close(pipes[1]);
}

static void descriptors_are_placed_whatever_their_numbers(void **state)
{
	struct confine_fault fault = { .text = "" };
	struct started s;
	int pipes[2], low;

	(void)state;
	/* The source sits at 3 or 4 itself, where another one has to go. */
	low = dup(0);
	assert_int_equal(pipe(pipes), 0);
	for (int target = 3; target <= 4; target++) {
		cleanup_fd int there = fcntl(target, F_GETFD) < 0 ? dup3(pipes[0], target, O_CLOEXEC) : -1;
		char seen[64] = "";

		if (start("look", 0, CONFINE_USER_SELF, there < 0 ? pipes[0] : there, &s, &fault) < 0)
			fail_msg("%s", fault.text);
		while (read(s.channel, seen + strlen(seen), sizeof(seen) - strlen(seen) - 1) > 0)
			;
		assert_string_equal(seen, "");
		finish(&s);
	}
	close(low);
	close(pipes[0]);
	close(pipes[1]);
}

static bool killed_by_filter(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

/* Also as process 1 of its namespace, which the kernel shields from most signals. */
static void the_filter_kills_process_1_too(void **state)
{
	struct confine_fault fault = { .text = "" };
	struct started s;

	(void)state;
	if (start("forbidden", full_flags, CONFINE_USER_HIGH, -1, &s, &fault) < 0)
		fail_msg("%s", fault.text);
	assert_true(killed_by_filter(finish(&s)));
}

/* A stand-in for init starts a process and is killed: the process's end of the channel closes without anybody else doing anything.
 */
static void it_dies_with_its_parent(void **state)
{
	int report[2], status;
	char byte;
	pid_t init;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, report), 0);
	init = fork();
	if (init == 0) {
		const char *argv[] = { "unit-spawn", "wait", NULL };
		struct confine_spawn spawn = {
			.process = "wait",
			.binary = binary,
			.argv = argv,
			.fds = &report[1],
			.fd_count = 1,
			.log = 2,
			.namespaces = full_flags,
			.user = CONFINE_USER_HIGH,
		};
		struct confine_fault fault;
		int pidfd;
		pid_t pid;

		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* as init is */
		if (confine_spawn(&spawn, &pid, &pidfd, &fault) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	close(report[1]);
	assert_int_equal(read(report[0], &byte, 1), 1);
	kill(init, SIGKILL);
	assert_int_equal(waitpid(init, &status, 0), init);
	assert_int_equal(read(report[0], &byte, 1), 0);
	close(report[0]);
}

static void the_pidfd_is_the_childs(void **state)
{
	struct confine_fault fault = { .text = "" };
	struct started s;
	struct pollfd poll_for;

	(void)state;
	if (start("exit", full_flags, CONFINE_USER_HIGH, -1, &s, &fault) < 0)
		fail_msg("%s", fault.text);
	poll_for = (struct pollfd){ .fd = s.pidfd, .events = POLLIN };
	assert_int_equal(poll(&poll_for, 1, -1), 1);
	assert_int_equal(fcntl(s.pidfd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(WEXITSTATUS(finish(&s)), 7);
}

static size_t open_descriptors(void)
{
	size_t count = 0;

	for (int fd = 0; fd < 200; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void what_goes_wrong_is_one_sentence_and_leaves_nothing(void **state)
{
	struct confine_fault fault = { .text = "" };
	struct started s;
	const char *argv[] = { "x", NULL };
	struct confine_spawn odd = { .process = "odd", .binary = binary, .argv = argv, .user = CONFINE_USER_HIGH };
	int saved = binary;
	size_t before = open_descriptors();

	(void)state;
	binary = open("/etc/passwd", O_PATH | O_CLOEXEC);
	assert_int_equal(start("exit", full_flags, CONFINE_USER_HIGH, -1, &s, &fault), -EACCES);
	assert_non_null(strstr(fault.text, "cannot execute Bawn's own binary"));
	close(binary);
	binary = saved;
	assert_int_equal(confine_spawn(&odd, &s.pid, &s.pidfd, &fault), -EINVAL);
	odd.namespaces = full_flags;
	odd.keep_capabilities = true;
	assert_int_equal(confine_spawn(&odd, &s.pid, &s.pidfd, &fault), -EINVAL);
	assert_int_equal(open_descriptors(), before);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void this_machine_can_confine(void **state)
{
	struct confine_fault fault = { .text = "" };

	(void)state;
	if (confine_probe(&fault) < 0)
		fail_msg("%s", fault.text);
}

/* Without the system call, as under a container's profile: each is named. */
static int probe_without(int number, int error, const char *layer)
{
	struct confine_fault fault = { .layer = "none" };
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (!filter || seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint16_t)error), number, 0) < 0 || seccomp_load(filter) < 0)
		return 1;
	return confine_probe(&fault) < 0 && strcmp(fault.layer, layer) == 0 && fault.text[0] ? 0 : 1;
}

static void what_the_machine_lacks_is_named(void **state)
{
	static const struct {
		int number, error;
		const char *layer;
	} lacks[] = {
		{ SCMP_SYS(unshare), EPERM, "user-namespaces" },
		{ SCMP_SYS(unshare), ENOSPC, "user-namespaces" },
		{ SCMP_SYS(mount), EACCES, "user-namespaces" },
		{ SCMP_SYS(landlock_create_ruleset), ENOSYS, "landlock" },
		{ SCMP_SYS(landlock_create_ruleset), EOPNOTSUPP, "landlock" },
		{ SCMP_SYS(seccomp), ENOSYS, "seccomp" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(probe_without(lacks[i].number, lacks[i].error, lacks[i].layer));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

static int all_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_spawned_process_is_apart_and_holds_nothing),
		cmocka_unit_test(it_has_what_it_was_given_and_no_more),
		cmocka_unit_test(descriptors_are_placed_whatever_their_numbers),
		cmocka_unit_test(the_filter_kills_process_1_too),
		cmocka_unit_test(it_dies_with_its_parent),
		cmocka_unit_test(the_pidfd_is_the_childs),
		cmocka_unit_test(what_goes_wrong_is_one_sentence_and_leaves_nothing),
		cmocka_unit_test(this_machine_can_confine),
		cmocka_unit_test(what_the_machine_lacks_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	int failed, status;
	pid_t pid;

	for (size_t i = 0; argc == 2 && i < sizeof(children) / sizeof(children[0]); i++)
		if (strcmp(argv[1], children[i].name) == 0)
			return children[i].main();
	binary = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	if (binary < 0)
		return 1;
	if (geteuid() == 0 && setgroups(1, &(gid_t){ 4242 }) < 0)
		return 1;
	failed = all_tests();
	if (failed || geteuid() != 0)
		return failed;
	/* Once more as an ordinary user, to whom this program need not be readable. */
	pid = fork();
	if (pid == 0)
		_exit(setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0 || all_tests() != 0);
	return pid < 0 || waitpid(pid, &status, 0) != pid || status != 0;
}
