/* A PIN asked for on a real terminal: no echo, bounded, and the terminal is as it was after every way out. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/io.h"
#include "cli/terminal.h"

enum { PATIENCE_MS = 20000 }; /* of a test that would otherwise hang */

/* A child on a terminal of its own. */
struct asked {
	pid_t pid;
	int master;
	struct buf seen;
};

/* What the child says of what it was told: "got:LEN:BYTES\n" or "failed:ERRNO\n". It ends with 0. */
static void answer(void)
{
	cleanup_secret struct secret secret = { .len = 0 };
	int terminal = terminal_open(), r = terminal < 0 ? terminal : terminal_ask(terminal, "PIN: ", &secret);

	if (r == 0)
		dprintf(terminal, "got:%zu:%.*s:%d\n", secret.len, (int)(secret.len < 40 ? secret.len : 40), secret.bytes, prctl(PR_GET_DUMPABLE));
	else
		dprintf(terminal, "failed:%s\n", strerrorname_np(-r));
	_exit(0);
}

/* Whoever runs the tests may have had some ignored: nohup does, and a shell for what it runs in the background. */
static void take_signals(void)
{
	static const int numbers[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		signal(numbers[i], SIG_DFL);
}

static struct asked ask(void)
{
	struct asked a = { .seen = BUF_INIT(1 << 20) };

	a.pid = forkpty(&a.master, NULL, NULL, NULL);
	assert_true(a.pid >= 0);
	if (a.pid == 0) {
		take_signals();
		answer();
	}
	return a;
}

static void wait_for(struct asked *a, const char *text)
{
	while (a->seen.len < strlen(text) || !memmem(a->seen.ptr, a->seen.len, text, strlen(text))) {
		struct pollfd wait = { .fd = a->master, .events = POLLIN };
		char room[512];
		ssize_t n;

		assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
		n = read(a->master, room, sizeof(room));
		if (n <= 0)
			fail_msg("the terminal is gone; it showed: %.*s", (int)a->seen.len, a->seen.ptr);
		assert_int_equal(buf_add(&a->seen, room, (size_t)n), 0);
	}
}

static bool echoes(const struct asked *a)
{
	struct termios modes;

	assert_int_equal(tcgetattr(a->master, &modes), 0);
	return (modes.c_lflag & ECHO) != 0;
}

static void type(struct asked *a, const char *keys)
{
	assert_int_equal(io_write_all(a->master, keys, strlen(keys)), 0);
}

static int ended(struct asked *a)
{
	int status;

	assert_int_equal(waitpid(a->pid, &status, 0), a->pid);
	return status;
}

static void done(struct asked *a)
{
	close(a->master);
	buf_free(&a->seen);
}

static void assert_answered(struct asked *a, const char *keys, const char *says)
{
	wait_for(a, "PIN: ");
	assert_false(echoes(a));
	type(a, keys);
	wait_for(a, says);
	assert_true(echoes(a));
	assert_int_equal(ended(a), 0);
}

static void a_line_is_read_without_echo(void **state)
{
	struct asked a = ask();

	(void)state;
	assert_answered(&a, "4931-zebra\n", "got:10:4931-zebra:0\r\n"); /* 0: not dumpable */
	assert_null(memmem(a.seen.ptr, strcspn(a.seen.ptr, "g"), "4931", 4));
	done(&a);
}

static void the_line_can_be_corrected(void **state)
{
	struct asked a = ask();

	(void)state;
	assert_answered(&a, "wrong\x15" "wron\x7fx\r", "got:4:wrox:0\r\n");
	done(&a);
}

static void an_empty_line_is_empty(void **state)
{
	struct asked a = ask();

	(void)state;
	assert_answered(&a, "\n", "got:0::0\r\n");
	done(&a);
}

static void a_long_line_is_refused(void **state)
{
	char keys[SECRET_MAX + 3];
	struct asked a = ask();

	(void)state;
	memset(keys, 'x', sizeof(keys));
	keys[SECRET_MAX] = '\n';
	keys[SECRET_MAX + 1] = '\0';
	assert_answered(&a, keys, "got:256:");
	done(&a);
	a = ask();
	keys[SECRET_MAX] = 'x';
	keys[SECRET_MAX + 1] = '\n';
	keys[SECRET_MAX + 2] = '\0';
	assert_answered(&a, keys, "failed:EMSGSIZE\r\n");
	done(&a);
}

static void end_of_input_is_no_answer(void **state)
{
	struct asked a = ask();

	(void)state;
	assert_answered(&a, "\x04", "failed:ECANCELED\r\n");
	done(&a);
	a = ask();
	assert_answered(&a, "12\x04\x04", "failed:ECANCELED\r\n");
	done(&a);
}

static void what_ends_it_finds_the_terminal_as_it_was(void **state)
{
	static const struct { const char *keys; int number; } ways[] = { { "12\x03", SIGINT }, { "12\x1c", SIGQUIT }, { NULL, SIGTERM }, { NULL, SIGHUP } };

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct asked a = ask();
		int status, slave = open(ptsname(a.master), O_RDWR | O_NOCTTY | O_CLOEXEC); /* the modes stay while somebody has it open */

		wait_for(&a, "PIN: ");
		assert_false(echoes(&a));
		if (ways[i].keys)
			type(&a, ways[i].keys);
		else
			kill(a.pid, ways[i].number);
		status = ended(&a);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), ways[i].number);
		assert_true(echoes(&a));
		close(slave);
		done(&a);
	}
}

/* Its parent is not of its session, so that a stop by the terminal would be ignored; SIGSTOP is what stops it. */
static void after_a_stop_it_asks_again(void **state)
{
	struct asked a = ask();
	struct termios modes;
	int status;

	(void)state;
	wait_for(&a, "PIN: ");
	type(&a, "12");
	kill(a.pid, SIGSTOP);
	assert_int_equal(waitpid(a.pid, &status, WUNTRACED), a.pid);
	assert_true(WIFSTOPPED(status));
	/* As a shell does. */
	assert_int_equal(tcgetattr(a.master, &modes), 0);
	modes.c_lflag |= ECHO;
	assert_int_equal(tcsetattr(a.master, TCSANOW, &modes), 0);
	buf_clear(&a.seen);
	kill(a.pid, SIGCONT);
	assert_answered(&a, "34\n", "got:2:34:0\r\n");
	done(&a);
}

/* In a group of its own, in the foreground of its session, Ctrl-Z stops it, with echo; continued, it asks again. */
static void ctrl_z_stops_it_with_echo(void **state)
{
	struct asked a = { .seen = BUF_INIT(1 << 20) };
	siginfo_t info;

	(void)state;
	a.pid = forkpty(&a.master, NULL, NULL, NULL);
	assert_true(a.pid >= 0);
	if (a.pid == 0) { /* the session's leader, as a shell is */
		pid_t child;
		int status;

		take_signals();
		signal(SIGTTOU, SIG_IGN);
		child = fork();
		if (child == 0) {
			setpgid(0, 0);
			tcsetpgrp(0, getpid());
			signal(SIGTTOU, SIG_DFL);
			answer();
		}
		setpgid(child, child);
		waitpid(child, &status, WUNTRACED);
		dprintf(1, "stopped:%d\n", WIFSTOPPED(status));
		raise(SIGSTOP);
		kill(child, SIGCONT);
		waitpid(child, &status, 0);
		_exit(0);
	}
	wait_for(&a, "PIN: ");
	assert_false(echoes(&a));
	type(&a, "12\x1a");
	wait_for(&a, "stopped:1\r\n");
	assert_true(echoes(&a));
	memset(&info, 0, sizeof(info));
	assert_int_equal(waitid(P_PID, (id_t)a.pid, &info, WSTOPPED), 0);
	buf_clear(&a.seen);
	kill(a.pid, SIGCONT);
	assert_answered(&a, "34\n", "got:2:34:0\r\n");
	done(&a);
}

static void without_a_terminal_there_is_none(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		setsid();
		_exit(terminal_open() == -ENXIO ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void its_shape(void **state)
{
	struct winsize size = { .ws_col = 0 };
	int master, slave, pipes[2];

	(void)state;
	assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
	assert_int_equal(terminal_columns(slave), 80);
	size.ws_col = 132;
	assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
	assert_int_equal(terminal_columns(slave), 132);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(terminal_columns(pipes[1]), 0);
	close(pipes[0]);
	close(pipes[1]);
	close(master);
	close(slave);
	unsetenv("LC_ALL");
	unsetenv("LC_CTYPE");
	setenv("LANG", "ja_JP.UTF-8", 1);
	assert_true(terminal_is_wide());
	assert_true(terminal_is_utf8());
	setenv("LC_ALL", "C.utf8", 1);
	assert_false(terminal_is_wide());
	assert_true(terminal_is_utf8());
	setenv("LC_ALL", "de_DE.ISO-8859-1", 1);
	assert_false(terminal_is_utf8());
	setenv("LC_ALL", "C", 1);
	assert_false(terminal_is_utf8());
	unsetenv("LC_ALL");
	unsetenv("LANG");
	assert_false(terminal_is_utf8());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_read_without_echo),
		cmocka_unit_test(the_line_can_be_corrected),
		cmocka_unit_test(an_empty_line_is_empty),
		cmocka_unit_test(a_long_line_is_refused),
		cmocka_unit_test(end_of_input_is_no_answer),
		cmocka_unit_test(what_ends_it_finds_the_terminal_as_it_was),
		cmocka_unit_test(after_a_stop_it_asks_again),
		cmocka_unit_test(ctrl_z_stops_it_with_echo),
		cmocka_unit_test(without_a_terminal_there_is_none),
		cmocka_unit_test(its_shape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
