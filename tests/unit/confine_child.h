/* For the tests of confine: bodies run in children, which confine themselves, as root and as nobody. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "confine/confine.h"

static const struct confine_rule nothing[1];

/* What a process like the gateway has: the base and nothing else. */
static const struct confine_plan base_plan = {
	.process = "test",
	.allow = nothing,
	.landlock = true,
	.open_files = 64,
};

__attribute__((unused)) static const struct confine_plan denylist_plan = {
	.process = "test",
	.exec_memory = true,
	.open_files = 64,
};

static int confined_pipe[2];

/*
 * Runs `body` in a child: its wait status. The child's result is its exit code; 99 stands for "could not be confined". That it was
 * confined comes through the pipe, so that dying on the way there is not taken for being killed by what was tried afterwards.
 */
static inline int in_child(int (*body)(const void *), const void *arg)
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

static inline bool killed_by_filter(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

static inline void assert_exit(int status, int code)
{
	if (WIFSIGNALED(status))
		fail_msg("ended by signal %d", WTERMSIG(status));
	assert_int_equal(WEXITSTATUS(status), code);
}

static inline void must_confine(const struct confine_plan *plan)
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

/*
 * Runs the tests, and when that was as root and went well, once more as somebody who is nobody: a machine's root passes checks that stop
 * everybody else. What main returns.
 */
static inline int run_as_each(const char *group, const struct CMUnitTest *tests, size_t count)
{
	int failed, status;
	pid_t pid;

	if (pipe2(confined_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return 1;
	failed = _cmocka_run_group_tests(group, tests, count, NULL, NULL);
	if (failed || geteuid() != 0)
		return failed;
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0 ||
		      _cmocka_run_group_tests(group, tests, count, NULL, NULL) != 0);
	return pid < 0 || waitpid(pid, &status, 0) != pid || status != 0;
}
