/* confine: the system call filters, tried from inside. */
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <event2/event.h>
#include <sodium.h>

#include "base/cleanup.h"
#include "confine/layers.h"
#include "confine_child.h"

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

		if (!killed_by_filter(status))
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
		assert_true(killed_by_filter(status));
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
	assert_true(killed_by_filter(in_child(own_rules, "beyond the condition")));
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
	assert_false(killed_by_filter(status));
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
	assert_true(killed_by_filter(in_child(use_threads, "and a process")));
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
	assert_true(killed_by_filter(in_child(foreign_call, &base_plan)));
	assert_true(killed_by_filter(in_child(foreign_call, &denylist_plan)));
	assert_true(killed_by_filter(in_child(foreign_number, &base_plan)));
	assert_true(killed_by_filter(in_child(foreign_number, &denylist_plan)));
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
	};

	return run_as_each("confine", tests, sizeof(tests) / sizeof(tests[0]));
}
