/* confine: every layer of a confined process, tried from inside, and what the report says of it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <event2/event.h>
#include <sodium.h>

#include "base/cleanup.h"
#include "confine/confine.h"
#include "confine/landlock_abi.h"
#include "confine/layers.h"

static const struct confine_rule nothing[1];

/* What a process like the gateway has: the base and nothing else. */
static const struct confine_plan base_plan = {
	.process = "test",
	.allow = nothing,
	.landlock = true,
	.open_files = 64,
};

static const struct confine_plan denylist_plan = {
	.process = "test",
	.exec_memory = true,
	.open_files = 64,
};

static int confined_pipe[2];

/*
 * Runs `body` in a child: its wait status. The child's result is its exit code; 99 stands for "could not be confined". That it was
 * confined comes through the pipe, so that dying on the way there is not taken for being killed by what was tried afterwards.
 */
static int in_child(int (*body)(const void *), const void *arg)
{
	int status;
	char byte;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(body(arg));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (read(confined_pipe[0], &byte, 1) != 1 && WIFSIGNALED(status))
		fail_msg("ended by signal %d on the way", WTERMSIG(status));
	return status;
}

static void assert_exit(int status, int code)
{
	if (WIFSIGNALED(status))
		fail_msg("ended by signal %d", WTERMSIG(status));
	assert_int_equal(WEXITSTATUS(status), code);
}

static void must_confine(const struct confine_plan *plan)
{
	struct confine_report report;
	struct confine_fault fault;

	if (confine_self(plan, &report, &fault) < 0) {
		dprintf(2, "cannot be confined: %s\n", fault.text);
		_exit(99);
	}
	if (write(confined_pipe[1], "c", 1) != 1)
		_exit(99);
}

/* ---- seccomp: the allowlist ---- */

struct forbidden {
	const char *name;
	long number, args[6];
};

static const struct forbidden forbidden[] = {
	{ .name = "socket", SYS_socket, { AF_INET, SOCK_STREAM, 0 } },
	{ .name = "socket unix", SYS_socket, { AF_UNIX, SOCK_STREAM, 0 } },
	{ .name = "socketpair", SYS_socketpair, { AF_UNIX, SOCK_STREAM, 0, 0 } },
	{ .name = "connect", SYS_connect, { 0, 0, 0 } },
	{ .name = "bind", SYS_bind, { 0, 0, 0 } },
	{ .name = "accept4", SYS_accept4, { 0, 0, 0 } },
	{ .name = "execve", SYS_execve, { 0, 0, 0 } },
	{ .name = "execveat", SYS_execveat, { 0, 0, 0, 0, 0 } },
	{ .name = "fork", SYS_clone, { SIGCHLD } },
	{ .name = "clone3", SYS_clone3, { 0, 0 } },
	{ .name = "unshare", SYS_unshare, { CLONE_NEWUSER } },
	{ .name = "setns", SYS_setns, { 0, 0 } },
	{ .name = "mount", SYS_mount, { 0, 0, 0, 0, 0 } },
	{ .name = "chroot", SYS_chroot, { 0 } },
	{ .name = "kill", SYS_kill, { 1, 0 } },
	{ .name = "tgkill another", SYS_tgkill, { 1, 1, SIGABRT } },
	{ .name = "pidfd_open", SYS_pidfd_open, { 1, 0 } },
	{ .name = "ptrace", SYS_ptrace, { 0, 0, 0, 0 } },
	{ .name = "setuid", SYS_setuid, { 0 } },
	{ .name = "capset", SYS_capset, { 0, 0 } },
	{ .name = "prctl", SYS_prctl, { PR_SET_DUMPABLE, 1, 0, 0, 0 } },
	{ .name = "unlinkat", SYS_unlinkat, { AT_FDCWD, 0, 0 } },
	{ .name = "renameat2", SYS_renameat2, { AT_FDCWD, 0, AT_FDCWD, 0, 0 } },
	{ .name = "setrlimit", SYS_prlimit64, { 0, RLIMIT_NOFILE, 1, 0 } },
	{ .name = "fcntl lock", SYS_fcntl, { 0, F_SETLK, 0 } },
	{ .name = "fcntl owner", SYS_fcntl, { 0, F_SETOWN, 1 } },
	{ .name = "ioctl TIOCSTI", SYS_ioctl, { 0, TIOCSTI, 0 } },
	{ .name = "sendto address", SYS_sendto, { 1, 0, 0, 0, 1, 16 } },
	{ .name = "setsockopt", SYS_setsockopt, { 0, 0, 0, 0, 0 } },
	{ .name = "mmap exec", SYS_mmap, { 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 } },
	{ .name = "mprotect exec", SYS_mprotect, { 0, 4096, PROT_EXEC } },
	{ .name = "pkey_mprotect", SYS_pkey_mprotect, { 0, 4096, PROT_EXEC, 0 } },
	{ .name = "memfd_create", SYS_memfd_create, { 0, 0 } },
	{ .name = "pipe2 notification", SYS_pipe2, { 0, O_EXCL } },
	{ .name = "futex lock_pi", SYS_futex, { 0, FUTEX_LOCK_PI_PRIVATE, 0, 0, 0, 0 } },
	{ .name = "futex requeue_pi", SYS_futex, { 0, FUTEX_WAIT_REQUEUE_PI, 0, 0, 0, 0 } },
	{ .name = "bpf", SYS_bpf, { 0, 0, 0 } },
	{ .name = "io_uring_setup", SYS_io_uring_setup, { 1, 0 } },
	{ .name = "no such call", 9999, { 0 } },
};

static int call_forbidden(const void *arg)
{
	const struct forbidden *f = arg;

	must_confine(&base_plan);
	syscall(f->number, f->args[0], f->args[1], f->args[2], f->args[3], f->args[4], f->args[5]);
	return 0;
}

static void what_is_not_on_the_list_kills(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
		int status = in_child(call_forbidden, &forbidden[i]);

		if (!confine_killed_by_filter(status))
			fail_msg("%s: not killed (wait status %x)", forbidden[i].name, (unsigned)status);
	}
}

static int open_a_file(const void *arg)
{
	must_confine(arg);
	return open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0 ? 0 : errno;
}

static void opening_is_not_in_the_base(void **state)
{
	int status = in_child(open_a_file, &base_plan);

	(void)state;
	/* A sanitizer's report opens files; Landlock still refuses it. */
	if (confine_sanitized)
		assert_exit(status, EACCES);
	else
		assert_true(confine_killed_by_filter(status));
}

static int own_rules(const void *arg)
{
	static const struct confine_rule rules[] = {
		{ .syscall = SCMP_SYS(getppid), .why = "test" },
		{ .syscall = SCMP_SYS(socket), .why = "test", .error = EXFULL },
		{ .syscall = SCMP_SYS(umask),
		  .why = "test",
		  .when = { { .argument = 0, .check = CONFINE_BITS, .mask = 0700, .value = 0 } } },
	};
	struct confine_plan plan = base_plan;

	plan.allow = rules;
	plan.allow_count = sizeof(rules) / sizeof(rules[0]);
	must_confine(&plan);
	if (getppid() < 0 || socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EXFULL)
		return 1;
	syscall(SYS_umask, 077);
	if (arg)
		syscall(SYS_umask, 0177);
	return 0;
}

static void a_process_adds_its_own_rules(void **state)
{
	(void)state;
	assert_exit(in_child(own_rules, NULL), 0);
	assert_true(confine_killed_by_filter(in_child(own_rules, "beyond the condition")));
}

static void on_read(evutil_socket_t fd, short what, void *ctx)
{
	char byte;

	(void)what;
	if (read(fd, &byte, 1) == 1 && byte == 'x')
		event_base_loopbreak(ctx);
}

/* All that the base is for: an event loop, descriptors received, keys in locked memory, a large sort, a large reallocation. */
static int event_loop(const void *arg)
{
	unsigned char public[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES], signature[crypto_sign_BYTES];
	struct event_base *loop;
	struct event *event;
	unsigned char *guarded;
	int pair[2];
	char *large;

	(void)arg;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0 || sodium_init() < 0)
		return 98;
	must_confine(&base_plan);
	loop = event_base_new();
	event = event_new(loop, pair[0], EV_READ | EV_PERSIST, on_read, loop);
	if (!loop || !event || event_add(event, &(struct timeval){ .tv_sec = 60 }) < 0 || write(pair[1], "x", 1) != 1)
		return 1;
	if (event_base_dispatch(loop) < 0)
		return 2;
	event_free(event);
	event_base_free(loop);
	guarded = sodium_malloc(100);
	if (!guarded || sodium_mprotect_readonly(guarded) < 0)
		return 3;
	sodium_free(guarded);
	if (crypto_sign_keypair(public, secret) < 0 || crypto_sign_detached(signature, NULL, public, sizeof(public), secret) < 0)
		return 4;
	large = malloc(100);
	large = realloc(large, 50 << 20);
	if (!large)
		return 5;
	large[40 << 20] = 1;
	free(large);
	return 0;
}

static void the_base_is_enough_for_an_event_loop(void **state)
{
	(void)state;
	assert_exit(in_child(event_loop, NULL), 0);
}

static int by_number(const void *a, const void *b)
{
	return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

static int sort_much(const void *arg)
{
	static int numbers[100000];

	(void)arg;
	must_confine(&base_plan);
	for (int i = 0; i < 100000; i++)
		numbers[i] = i * 7919 % 100000;
	qsort(numbers, 100000, sizeof(int), by_number);
	return numbers[5] == 5 ? 0 : 1;
}

static int abort_in_there(const void *arg)
{
	(void)arg;
	must_confine(&base_plan);
	abort();
}

static void a_bug_is_not_taken_for_an_attack(void **state)
{
	int status = in_child(abort_in_there, NULL);

	(void)state;
	assert_exit(in_child(sort_much, NULL), 0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_false(confine_killed_by_filter(status));
}

static void *thread_main(void *arg)
{
	*(int *)arg = 7;
	return arg;
}

static int use_threads(const void *arg)
{
	struct confine_plan plan = base_plan;
	pthread_t thread;
	int seen = 0;

	plan.threads = true;
	must_confine(&plan);
	if (pthread_create(&thread, NULL, thread_main, &seen) || pthread_join(thread, NULL))
		return 1;
	if (arg)
		syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	return seen == 7 ? 0 : 1;
}

static void threads_are_not_processes(void **state)
{
	(void)state;
	/* ThreadSanitizer's sisters start threads in their own way. */
	if (!confine_sanitized)
		assert_exit(in_child(use_threads, NULL), 0);
	assert_true(confine_killed_by_filter(in_child(use_threads, "and a process")));
}

/* ---- seccomp: the denylist ---- */

static int try_denied(const void *arg)
{
	static const struct {
		const char *name;
		long number, args[3];
		int error;
	} calls[] = {
		{ "bpf", SYS_bpf, { 0 }, EPERM },
		{ "ptrace", SYS_ptrace, { 0 }, EPERM },
		{ "process_vm_readv", SYS_process_vm_readv, { 0 }, EPERM },
		{ "userfaultfd", SYS_userfaultfd, { 0 }, EPERM },
		{ "io_uring_setup", SYS_io_uring_setup, { 0 }, ENOSYS },
		{ "keyctl", SYS_keyctl, { 0 }, EPERM },
		{ "perf_event_open", SYS_perf_event_open, { 0 }, EPERM },
		{ "init_module", SYS_init_module, { 0 }, EPERM },
		{ "kexec_load", SYS_kexec_load, { 0 }, EPERM },
		{ "reboot", SYS_reboot, { 0 }, EPERM },
		{ "clock_settime", SYS_clock_settime, { 0 }, EPERM },
		{ "open_by_handle_at", SYS_open_by_handle_at, { 0 }, EPERM },
		{ "pidfd_getfd", SYS_pidfd_getfd, { 0 }, EPERM },
		{ "vsock", SYS_socket, { AF_VSOCK, SOCK_STREAM, 0 }, EAFNOSUPPORT },
		/* The kernel looks at 32 bits of a family and of a request; so must the filter. */
		{ "vsock in 64 bits", SYS_socket, { (long)(1ULL << 40 | AF_VSOCK), SOCK_STREAM, 0 }, EAFNOSUPPORT },
		{ "TIOCSTI", SYS_ioctl, { 0, TIOCSTI, 0 }, EPERM },
		{ "TIOCSTI in 64 bits", SYS_ioctl, { 0, (long)(1ULL << 32 | TIOCSTI), 0 }, EPERM },
	};

	(void)arg;
	must_confine(&denylist_plan);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		errno = 0;
		if (syscall(calls[i].number, calls[i].args[0], calls[i].args[1], calls[i].args[2], 0L, 0L, 0L) != -1 ||
		    errno != calls[i].error) {
			dprintf(2, "%s: errno %d\n", calls[i].name, errno);
			return 1;
		}
	}
	return 0;
}

/* What init and launcher need, and what every sandbox inherits from them. */
static int try_ordinary(const void *arg)
{
	int status;
	pid_t pid;

	(void)arg;
	must_confine(&denylist_plan);
	pid = fork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", "echo x | cat >/dev/null && ls / >/dev/null", NULL);
		_exit(1);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		return 1;
	if (mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		return 2;
	return socket(AF_UNIX, SOCK_STREAM, 0) < 0 ? 3 : 0;
}

static void init_and_launcher_are_refused_and_go_on(void **state)
{
	(void)state;
	assert_exit(in_child(try_denied, NULL), 0);
	assert_exit(in_child(try_ordinary, NULL), 0);
}

static int foreign_call(const void *arg)
{
	must_confine(arg);
#ifdef __x86_64__
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20L /* getpid of i386 */) : "memory");
	return (int)result;
#else
	raise(SIGSYS);
	return 0;
#endif
}

static int foreign_number(const void *arg)
{
	must_confine(arg);
	syscall(0x40000000L | 39 /* getpid of x32 */);
	return 0;
}

static void foreign_abis_are_killed(void **state)
{
	(void)state;
	assert_true(confine_killed_by_filter(in_child(foreign_call, &base_plan)));
	assert_true(confine_killed_by_filter(in_child(foreign_call, &denylist_plan)));
	assert_true(confine_killed_by_filter(in_child(foreign_number, &base_plan)));
	assert_true(confine_killed_by_filter(in_child(foreign_number, &denylist_plan)));
}

/* ---- Landlock ---- */

static const struct confine_rule file_rules[] = {
	{ .syscall = SCMP_SYS(openat), .why = "test" },   { .syscall = SCMP_SYS(mkdirat), .why = "test" },
	{ .syscall = SCMP_SYS(unlinkat), .why = "test" }, { .syscall = SCMP_SYS(kill), .why = "test" },
	{ .syscall = SCMP_SYS(connect), .why = "test" },  { .syscall = SCMP_SYS(socket), .why = "test" },
	{ .syscall = SCMP_SYS(truncate), .why = "test" },
};

/* Confined to the folder with these rights, and calls of file_rules allowed. */
static void confine_to(int folder, uint64_t access)
{
	struct confine_path path = { .fd = folder, .access = access };
	struct confine_plan plan = base_plan;

	plan.allow = file_rules;
	plan.allow_count = sizeof(file_rules) / sizeof(file_rules[0]);
	plan.paths = &path;
	plan.path_count = 1;
	must_confine(&plan);
}

static bool refused(int result, int error)
{
	return result < 0 && errno == error;
}

static int read_only_folder(const void *arg)
{
	int folder = open(arg, O_PATH | O_DIRECTORY | O_CLOEXEC), abi = confine_landlock_abi(&(struct confine_fault){ 0 });
	char file[64];

	snprintf(file, sizeof(file), "%s/file", (const char *)arg);
	confine_to(folder, CONFINE_FS_READ);
	if (abi >= 3 && !refused(truncate(file, 0), EACCES))
		return 5;
	if (openat(folder, "file", O_RDONLY) < 0)
		return 1;
	if (!refused(openat(folder, "file", O_WRONLY), EACCES) || !refused(openat(folder, "new", O_WRONLY | O_CREAT, 0600), EACCES))
		return 2;
	if (!refused(openat(folder, "../", O_RDONLY), EACCES) || !refused(openat(AT_FDCWD, "/etc/passwd", O_RDONLY), EACCES))
		return 3;
	if (!refused(mkdirat(folder, "folder", 0700), EACCES) || !refused(unlinkat(folder, "file", 0), EACCES))
		return 4;
	return 0;
}

static int writable_folder(const void *arg)
{
	int folder = open(arg, O_PATH | O_DIRECTORY | O_CLOEXEC);

	confine_to(folder, CONFINE_FS_STORE);
	if (openat(folder, "new", O_WRONLY | O_CREAT | O_TRUNC, 0600) < 0 || unlinkat(folder, "new", 0) < 0)
		return 1;
	if (!refused(mkdirat(folder, "folder", 0700), EACCES) ||
	    !refused(openat(folder, "../file", O_WRONLY | O_CREAT, 0600), EACCES))
		return 2;
	return 0;
}

static void only_the_plans_paths_can_be_opened(void **state)
{
	char folder[] = "/tmp/bawn-confine-XXXXXX", file[64];
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/file", folder);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_exit(in_child(read_only_folder, folder), 0);
	assert_exit(in_child(writable_folder, folder), 0);
	unlink(file);
	assert_int_equal(rmdir(folder), 0);
}

/* Neither a signal nor an abstract socket reaches anybody outside, but what is connected already goes on working, descriptors
 * included. */
static int reach_out(const void *arg)
{
	const int *fds = arg;
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte;
	struct iovec bytes = { &byte, 1 };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "\0bawn-test-confine" };
	pid_t parent = getppid();
	int fd, abi = confine_landlock_abi(&(struct confine_fault){ 0 });

	confine_to(fds[0], 0);
	if (recvmsg(fds[0], &message, 0) != 1 || byte != 'd' || !CMSG_FIRSTHDR(&message))
		return 1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	if (write(fd, "through", 7) != 7 || send(fds[0], "y", 1, MSG_NOSIGNAL) != 1)
		return 2;
	if (abi < 6)
		return 0;
	if (!refused(kill(parent, 0), EPERM))
		return 3;
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (!refused(connect(fd, (struct sockaddr *)&address, offsetof(struct sockaddr_un, sun_path) + 18), EPERM))
		return 4;
	return 0;
}

static void send_fd(int channel, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec bytes = { (void *)(uintptr_t) "d", 1 };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	assert_int_equal(sendmsg(channel, &message, 0), 1);
}

static void nobody_outside_is_reached(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "\0bawn-test-confine" };
	int pair[2], pipes[2], listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[8] = "";

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, offsetof(struct sockaddr_un, sun_path) + 18), 0);
	assert_int_equal(listen(listener, 1), 0);
	send_fd(pair[1], pipes[1]);
	assert_exit(in_child(reach_out, pair), 0);
	assert_int_equal(read(pipes[0], text, 7), 7);
	assert_string_equal(text, "through");
	close(pair[0]);
	close(pair[1]);
	close(pipes[0]);
	close(pipes[1]);
	close(listener);
}

/* ---- the report ---- */

static int look_at_report(const void *arg)
{
	const struct confine_plan *plan = arg;
	struct confine_report r;
	struct confine_fault fault;

	if (confine_self(plan, &r, &fault) < 0) {
		dprintf(2, "%s\n", fault.text);
		return 99;
	}
	if (r.seccomp != 2 || r.filters != r.filters_inherited + 1 || !r.no_new_privs || r.dumpable || r.capabilities)
		return 1;
	if (r.open_files != 64 || r.core_bytes != 0 || r.uid != (plan->allow ? r.uid : geteuid()) || !r.namespaces[CONFINE_NS_NET])
		return 2;
	if (plan->landlock != (r.landlock >= CONFINE_LANDLOCK_LEAST) || plan->landlock != r.files_refused)
		return 3;
	if (r.landlock >= 4 && !r.tcp_refused)
		return 4;
	return r.exec_refused && plan->exec_memory ? 5 : 0;
}

static void the_report_says_what_the_kernel_says(void **state)
{
	(void)state;
	assert_exit(in_child(look_at_report, &base_plan), 0);
	assert_exit(in_child(look_at_report, &denylist_plan), 0);
}

/* A parent with a seccomp filter of its own, as init is: its child must not pass that off as its own. */
static int leave_out(const void *arg)
{
	enum confine_layer layer = *(const enum confine_layer *)arg;
	static const char *const names[LAYERS] = {
		[LAYER_LIMITS] = "limits",         [LAYER_NO_NEW_PRIVS] = "no-new-privs", [LAYER_CAPABILITIES] = "capabilities",
		[LAYER_DUMPABLE] = "not-dumpable", [LAYER_LANDLOCK] = "landlock",         [LAYER_MEMORY] = "memory",
		[LAYER_SECCOMP] = "seccomp",
	};
	struct confine_report report;
	struct confine_fault fault = { .layer = "none" };
	scmp_filter_ctx inherited;

	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* which a change of user took away, and exec gives back */
	if (layer == LAYER_SECCOMP) {
		inherited = seccomp_init(SCMP_ACT_ALLOW);
		if (!inherited || seccomp_rule_add(inherited, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(reboot), 0) < 0 ||
		    seccomp_load(inherited) < 0)
			return 98;
	}
	if (layer == LAYER_MEMORY && prctl(66 /* PR_GET_MDWE */, 0, 0, 0, 0) < 0)
		return 0; /* an older kernel: there is nothing to miss */
	if (layer == LAYER_CAPABILITIES && geteuid() != 0)
		return 0; /* nor here */
	if (confine_put_on(&base_plan, 1u << layer, &report, &fault) == 0)
		return 1;
	/* Without no_new_privs the kernel itself takes no Landlock domain from somebody without capabilities. */
	if (strcmp(fault.layer, names[layer]) != 0 && layer != LAYER_NO_NEW_PRIVS) {
		dprintf(2, "%s blamed for %s\n", fault.layer, names[layer]);
		return 2;
	}
	return 0;
}

/* Root with its capabilities could have a filter without no_new_privs: it is not taken for granted. */
static int leave_out_privs_as_root(const void *arg)
{
	struct confine_plan plan = denylist_plan;
	struct confine_report report;
	struct confine_fault fault = { .layer = "none" };

	(void)arg;
	plan.capabilities = UINT64_MAX;
	confine_put_on(&plan, 1u << LAYER_NO_NEW_PRIVS, &report, &fault);
	return strcmp(fault.layer, geteuid() == 0 ? "no-new-privs" : "seccomp") == 0 ? 0 : 1;
}

static void each_missing_layer_is_noticed(void **state)
{
	(void)state;
	for (enum confine_layer layer = 0; layer < LAYERS; layer++)
		assert_exit(in_child(leave_out, &layer), 0);
	assert_exit(in_child(leave_out_privs_as_root, NULL), 0);
}

/* The judgement by itself: a report that is as it should be passes, and each way to fall short is named. */
static void each_shortfall_is_named(void **state)
{
	static const struct confine_state known = { .memory_known = true };
	static const struct confine_report good = {
		.seccomp = 2,
		.filters = 2,
		.filters_inherited = 1,
		.no_new_privs = 1,
		.exec_refused = 1,
		.landlock = 6,
		.files_refused = 1,
		.tcp_refused = 1,
		.scoped = 1,
		.death_signal = SIGKILL,
		.open_files = 64,
	};
	struct confine_report bad[12];
	static const char *const layers[12] = {
		"limits",   "limits",   "no-new-privs", "capabilities", "not-dumpable", "landlock",
		"landlock", "landlock", "landlock",     "memory",       "seccomp",      "parent-death",
	};
	struct confine_plan plan = base_plan;
	struct confine_fault fault;

	(void)state;
	plan.dies_with_parent = true;
	assert_int_equal(confine_judge_report(&plan, &known, &good, &fault), 0);
	for (size_t i = 0; i < 12; i++)
		bad[i] = good;
	bad[0].core_bytes = 1;
	bad[1].open_files = 65;
	bad[2].no_new_privs = 0;
	bad[3].capabilities = 1ULL << 40;
	bad[4].dumpable = 1;
	bad[5].landlock = 1;
	bad[6].files_refused = 0;
	bad[7].tcp_refused = 0;
	bad[8].scoped = 0;
	bad[9].exec_refused = 0;
	bad[10].filters = 1;
	bad[11].death_signal = SIGTERM;
	for (size_t i = 0; i < 12; i++) {
		assert_int_equal(confine_judge_report(&plan, &known, &bad[i], &fault), -EPERM);
		assert_string_equal(fault.layer, layers[i]);
	}
	bad[0] = good;
	bad[0].seccomp = 0;
	assert_int_equal(confine_judge_report(&plan, &known, &bad[0], &fault), -EPERM);
}

static int outlive(const void *arg)
{
	struct confine_plan plan = base_plan;
	struct confine_report report;
	struct confine_fault fault;

	(void)arg;
	plan.dies_with_parent = true;
	return confine_self(&plan, &report, &fault) == -EPERM && strcmp(fault.layer, "parent-death") == 0 ? 0 : 1;
}

static int not_whole(const void *arg)
{
	struct confine_plan plan = base_plan;
	struct confine_report report;
	struct confine_fault fault;

	(void)arg;
	plan.landlock = false;
	if (confine_self(&plan, &report, &fault) != -EINVAL)
		return 1;
	plan = base_plan;
	plan.open_files = 0;
	return confine_self(&plan, &report, &fault) == -EINVAL ? 0 : 2;
}

static void a_plan_is_held_to(void **state)
{
	(void)state;
	assert_exit(in_child(outlive, NULL), 0);
	assert_exit(in_child(not_whole, NULL), 0);
}

static void a_report_is_written_for_people_and_programs(void **state)
{
	struct confine_report own = { .namespaces = { 1, 2, 3, 4, 5, 6, 7 } }, other = own;
	cleanup_buf struct buf text = BUF_INIT(4096), json = BUF_INIT(4096);
	struct confine_fault fault;

	(void)state;
	other.namespaces[CONFINE_NS_USER] = 10;
	other.namespaces[CONFINE_NS_NET] = 40;
	other.seccomp = 2;
	other.filters = 2;
	other.landlock = 7;
	assert_int_equal(confine_apart(&other, &own), 1u << CONFINE_NS_USER | 1u << CONFINE_NS_NET);
	assert_int_equal(confine_check_apart("judge", &other, &own, 1u << CONFINE_NS_NET, &fault), 0);
	assert_int_equal(confine_check_apart("judge", &other, &own, 1u << CONFINE_NS_NET | 1u << CONFINE_NS_PID, &fault), -EPERM);
	assert_string_equal(fault.text, "judge: it shares the pid namespace with init");
	assert_int_equal(confine_report_text(&other, confine_apart(&other, &own), &text), 0);
	assert_non_null(memmem(text.ptr, text.len, "own namespaces: user,net", 24));
	assert_int_equal(confine_report_json(&other, confine_apart(&other, &own), &json), 0);
	assert_non_null(memmem(json.ptr, json.len, "\"namespaces\":[\"user\",\"net\"]}", 28));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_on_the_list_kills),
		cmocka_unit_test(opening_is_not_in_the_base),
		cmocka_unit_test(a_process_adds_its_own_rules),
		cmocka_unit_test(the_base_is_enough_for_an_event_loop),
		cmocka_unit_test(a_bug_is_not_taken_for_an_attack),
		cmocka_unit_test(threads_are_not_processes),
		cmocka_unit_test(init_and_launcher_are_refused_and_go_on),
		cmocka_unit_test(foreign_abis_are_killed),
		cmocka_unit_test(only_the_plans_paths_can_be_opened),
		cmocka_unit_test(nobody_outside_is_reached),
		cmocka_unit_test(the_report_says_what_the_kernel_says),
		cmocka_unit_test(each_missing_layer_is_noticed),
		cmocka_unit_test(each_shortfall_is_named),
		cmocka_unit_test(a_plan_is_held_to),
		cmocka_unit_test(a_report_is_written_for_people_and_programs),
	};
	int failed;

	if (pipe2(confined_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	/* Once more as somebody who is nobody: a machine's root passes checks that stop everybody else. */
	if (failed == 0 && geteuid() == 0) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0 ||
			      cmocka_run_group_tests(tests, NULL, NULL) != 0);
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
			return 1;
	}
	return failed;
}
