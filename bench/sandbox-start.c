/*
 * sandbox-start [ROUNDS]: start to end of /bin/true, in turn as a plain process, in bwrap --unshare-all, in bwrap with a view like
 * Bawn's, in a sandbox of a running launcher, and in a sandbox of a process that is started for it (which compiles its filters
 * first). Medians, and the ratio that docs/performance.md states. In turn, so that whatever else the machine does falls on all of
 * them alike.
 */
#include <errno.h>
#include <poll.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "launcher/sandbox.h"

enum { ROUNDS_MOST = 10000 };

static char *const no_env[] = { NULL };
static char *const plain[] = { (char *)"/bin/true", NULL };
static char *const bwrap[] = {
	(char *)"bwrap", (char *)"--unshare-all", (char *)"--ro-bind", (char *)"/", (char *)"/", (char *)"/bin/true", NULL
};
static char *const bwrap_view[] = {
	(char *)"bwrap",
	(char *)"--unshare-all",
	(char *)"--ro-bind",
	(char *)"/usr",
	(char *)"/usr",
	(char *)"--symlink",
	(char *)"usr/bin",
	(char *)"/bin",
	(char *)"--symlink",
	(char *)"usr/lib",
	(char *)"/lib",
	(char *)"--symlink",
	(char *)"usr/lib64",
	(char *)"/lib64",
	(char *)"--ro-bind",
	(char *)"/etc/ld.so.cache",
	(char *)"/etc/ld.so.cache",
	(char *)"--proc",
	(char *)"/proc",
	(char *)"--dev",
	(char *)"/dev",
	(char *)"--tmpfs",
	(char *)"/tmp",
	(char *)"/bin/true",
	NULL,
};
static char *once[] = { (char *)"/proc/self/exe", (char *)"--once", NULL };

static struct sandbox_maker *maker;

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "sandbox-start: %s: %s\n", what, why);
	exit(1);
}

static void run_process(char *const *argv)
{
	int status, r;
	pid_t pid;

	r = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (r)
		fail(argv[0], strerror(r));
	if (waitpid(pid, &status, 0) < 0 || status)
		fail(argv[0], "did not end well");
}

static void run_sandbox(void)
{
	static const struct sandbox_plan plan = { .name = "bench", .argv = plain, .env = no_env };
	struct sandbox sandbox;
	struct sandbox_fault fault;
	struct pollfd ended;
	int status;

	if (sandbox_start(maker, &plan, &sandbox, &fault) < 0)
		fail("sandbox", fault.text);
	ended = (struct pollfd){ .fd = sandbox.pidfd, .events = POLLIN };
	while (poll(&ended, 1, -1) < 0)
		;
	if (sandbox_reap(maker, &sandbox, &status) < 0 || status)
		fail("sandbox", "did not end well");
	sandbox_end(maker, &sandbox);
}

static void maker_make(void)
{
	struct sandbox_fault fault;

	if (sandbox_maker_new(&maker, &fault) < 0)
		fail("sandbox", fault.text);
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median_us(uint64_t *times, size_t count)
{
	qsort(times, count, sizeof(*times), by_size);
	return (double)times[count / 2] / 1000.0;
}

/* Processor time of this process and of everything it has waited for: what is left of a figure when other programs take turns. */
static uint64_t cpu_us(void)
{
	uint64_t us = 0;

	for (int i = 0; i < 2; i++) {
		struct rusage usage;

		getrusage(i ? RUSAGE_CHILDREN : RUSAGE_SELF, &usage);
		us += (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
		      (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
	}
	return us;
}

enum { PLAIN, BWRAP, BWRAP_VIEW, SANDBOX, ONCE, KINDS };

static void run_kind(int kind)
{
	char *const *const commands[KINDS] = { [PLAIN] = plain, [BWRAP] = bwrap, [BWRAP_VIEW] = bwrap_view, [ONCE] = once };

	if (kind == SANDBOX)
		run_sandbox();
	else
		run_process(commands[kind]);
}

int main(int argc, char **argv)
{
	static const char *const names[KINDS] = { "plain process", "bwrap --unshare-all", "bwrap, a view like Bawn's",
						  "Bawn, running launcher", "Bawn, process started for it" };
	static uint64_t times[KINDS][ROUNDS_MOST], cpu[KINDS];
	double medians[KINDS];
	size_t rounds;

	maker_make();
	if (argc == 2 && strcmp(argv[1], "--once") == 0) {
		run_sandbox();
		return 0;
	}
	rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 200;
	if (rounds == 0 || rounds > ROUNDS_MOST)
		fail("usage", "sandbox-start [ROUNDS]");
	for (size_t round = 0; round < rounds; round++) {
		for (int kind = 0; kind < KINDS; kind++) {
			uint64_t begin = clock_monotonic_ns(), cpu_begin = cpu_us();

			run_kind(kind);
			cpu[kind] += cpu_us() - cpu_begin;
			times[kind][round] = clock_monotonic_ns() - begin;
		}
	}
	printf("start to end of /bin/true, microseconds: median of %zu, and mean processor time\n", rounds);
	for (int kind = 0; kind < KINDS; kind++) {
		medians[kind] = median_us(times[kind], rounds);
		printf("  %-30s %7.0f %7.0f\n", names[kind], medians[kind], (double)cpu[kind] / (double)rounds);
	}
	printf("  Bawn in a running launcher / bwrap --unshare-all: %.2f; / bwrap with a view: %.2f\n",
	       medians[SANDBOX] / medians[BWRAP], medians[SANDBOX] / medians[BWRAP_VIEW]);
	sandbox_maker_free(maker);
	return 0;
}
