/*
 * bawn mcp: a client on standard input and output becomes a session of the family. The descriptors themselves go to the session's gateway
 * where that is sound, so this process then only waits; what cannot be handed over (terminals, files) is relayed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cli/control.h"

enum { LINGER_SECONDS = 300, TOKEN_MAX = 128, UNAVAILABLE_TRIES = 50, UNAVAILABLE_WAIT_MS = 100 };

/* ---- starting a family ---- */

/*
 * In the child: `bawn serve` as a background process of its own session, its log in the state folder. It serves others after this client, so it keeps
 * none of this client's folder, which somebody may want to unmount.
 */
static _Noreturn void become_family(const struct place *place, int ready)
{
	char log[PATH_MAX], fd_text[16], linger[16];
	const char *argv[] = { "bawn",	   "serve", "--policy", place->policy, "--ready-fd", fd_text, "--linger", linger,
			       place->project[0] ? "--project" : NULL, NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), out;

	snprintf(fd_text, sizeof(fd_text), "%d", ready);
	snprintf(linger, sizeof(linger), "%d", LINGER_SECONDS);
	/* A path that is too long has been refused before: the folder's own was made. */
	if ((size_t)snprintf(log, sizeof(log), "%s/bawn.log", place->state) >= sizeof(log))
		_exit(1);
	out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (null < 0 || out < 0 || setsid() < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0 ||
	    chdir("/") < 0 || fcntl(ready, F_SETFD, 0) < 0)
		_exit(1);
	execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
	_exit(1);
}

/* Waits for "ok" or the reason. */
static int await_family(const struct place *place, int ready)
{
	cleanup_buf struct buf line = BUF_INIT(4096);
	int r = 0;

	while (r == 0 && (line.len == 0 || line.ptr[line.len - 1] != '\n')) {
		char c;
		ssize_t n = read(ready, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		r = buf_add_char(&line, c);
	}
	if (slice_eq(buf_slice(&line), SLICE("ok\n")))
		return CLI_OK;
	if (line.len)
		return cli_error(CLI_REFUSED, "no family could be started: %.*s", (int)line.len - 1, line.ptr);
	return cli_error(CLI_REFUSED, "no family could be started; see %s/bawn.log", place->state);
}

static int start_family(const struct place *place)
{
	cleanup_fd int near = -1, far = -1;
	int pair[2];
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return cli_error(CLI_REFUSED, "no pipe: %s", strerror(errno));
	near = pair[0];
	far = pair[1];
	pid = fork();
	if (pid < 0)
		return cli_error(CLI_REFUSED, "cannot start a process: %s", strerror(errno));
	if (pid == 0)
		become_family(place, far);
	fd_close(&far);
	return await_family(place, near);
}

/* Connects, starting the family when none runs. However many try at once, the lock lets one start it. */
static int connect_or_start(const struct place *place, int *ret_fd)
{
	char path[PATH_MAX];
	cleanup_fd int lock = -1;
	int r;

	*ret_fd = control_connect(place);
	if (*ret_fd >= 0)
		return CLI_OK;
	r = place_make(place);
	if (r != CLI_OK)
		return r;
	if ((size_t)snprintf(path, sizeof(path), "%s/start", place->runtime) >= sizeof(path))
		return cli_error(CLI_REFUSED, "a path is too long");
	lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		return cli_error(CLI_REFUSED, "cannot lock %s: %s", path, strerror(errno));
	*ret_fd = control_connect(place);
	if (*ret_fd >= 0)
		return CLI_OK;
	r = start_family(place);
	if (r != CLI_OK)
		return r;
	*ret_fd = control_connect(place);
	return *ret_fd >= 0 ? CLI_OK : cli_error(CLI_REFUSED, "the family cannot be reached: %s", strerror(-*ret_fd));
}

/* ---- descriptors ---- */

/* What the gateway gets for one direction, and what this process relays when it is not the client's own descriptor. */
struct end {
	int give;  /* the gateway's */
	int local; /* ours, when relaying; -1 */
};

/*
 * A socket is handed over as it is: the gateway never changes its flags. A pipe is opened anew, since O_NONBLOCK belongs to the open file, which
 * others may share. Anything else is relayed over a socket pair.
 */
static int make_end(int fd, int mode, struct end *ret)
{
	char path[32];
	struct stat st;
	int pair[2];

	*ret = (struct end){ -1, -1 };
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISSOCK(st.st_mode)) {
		ret->give = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		return ret->give < 0 ? -errno : 0;
	}
	if (S_ISFIFO(st.st_mode)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		ret->give = open(path, mode | O_NONBLOCK | O_CLOEXEC);
		if (ret->give >= 0)
			return 0;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	ret->give = pair[0];
	ret->local = pair[1];
	return 0;
}

/* Moves what is there; false at the end of file or on an error. */
static bool move(int from, int to)
{
	char bytes[65536];
	ssize_t n = read(from, bytes, sizeof(bytes));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	return n > 0 && io_write_all(to, bytes, (size_t)n) == 0;
}

/* The gateway's last word: "ok", or why the session ended. No word: it was killed, or its family was. */
static int last_word(int leash)
{
	char word[600];
	ssize_t n = read(leash, word, sizeof(word) - 1);

	if (n <= 0)
		return cli_error(CLI_REFUSED, "the session was ended by Bawn; `bawn audit list` and `bawn status` say more");
	word[n - 1] = '\0'; /* its newline */
	return strcmp(word, "ok") == 0 ? CLI_OK : cli_error(CLI_REFUSED, "the session ended: %s", word);
}

/* Waits for the session's end, relaying meanwhile what could not be handed over. */
static void wait_for_end(int leash, struct end *in, struct end *out)
{
	struct pollfd p[3] = {
		{ .fd = leash, .events = POLLIN },
		{ .fd = in->local >= 0 ? STDIN_FILENO : -1, .events = POLLIN },
		{ .fd = out->local, .events = POLLIN },
	};

	while (!p[0].revents) {
		if (poll(p, 3, -1) < 0) {
			if (errno == EINTR)
				continue;
			return;
		}
		if (p[2].revents && !move(out->local, STDOUT_FILENO))
			p[2].fd = -1;
		if (p[1].revents && !move(STDIN_FILENO, in->local)) {
			shutdown(in->local, SHUT_WR);
			p[1].fd = -1;
		}
	}
	/* What the gateway wrote last may still be on its way through here. */
	while (out->local >= 0 && move(out->local, STDOUT_FILENO))
		;
}

/* ---- the token ---- */

/* The agent's token, from --token-file or the usual place; no file there is no token. */
static int read_token(const struct cli_args *args, const struct place *place, struct buf *out)
{
	const char *named = args->value[OPTION_token_file], *agent = args->value[OPTION_agent];
	char path[PATH_MAX];
	struct stat st;
	int r;

	if (!named) {
		if (!agent || strchr(agent, '/') || (size_t)snprintf(path, sizeof(path), "%s/%s.token", place->agents, agent) >= sizeof(path))
			return CLI_OK;
		named = path;
	}
	r = io_read_file(AT_FDCWD, named, out);
	if (r == -ENOENT && named == path)
		return CLI_OK;
	if (r < 0)
		return cli_error(CLI_USAGE, "cannot read %s: %s", named, strerror(-r));
	if (stat(named, &st) < 0 || (st.st_mode & 077))
		return cli_error(CLI_USAGE, "%s can be read by others; close it with `chmod 600 %s`", named, named);
	while (out->len && out->ptr[out->len - 1] == '\n')
		out->len--;
	return CLI_OK;
}

/* ---- the verb ---- */

/* What the family cannot know of the refusal: what was on the command line, and which file there was none of. */
static void add_hint(const struct control_answer *a, const struct cli_args *args, const struct place *place, bool token, char hint[PATH_MAX + 256])
{
	const char *agent = args->value[OPTION_agent];

	hint[0] = '\0';
	if (strcmp(a->code, "not_recorded") == 0)
		snprintf(hint, PATH_MAX + 256, " (the record is in %s/audit)", place->state);
	if (strcmp(a->code, "unknown_agent") != 0)
		return;
	if (!agent)
		snprintf(hint, PATH_MAX + 256, "; the policy %s has several agents: name one with --agent", place->policy);
	else if (!token)
		snprintf(hint, PATH_MAX + 256, "; there is no token in %s/%.64s.token: if the policy has this agent, make one with `bawn agent new %.64s`, then "
			 "`bawn reload`", place->agents, agent, agent);
}

static int report_refusal(const struct control_answer *a, const char *hint)
{
	char entry[48] = "";

	if (a->entry)
		snprintf(entry, sizeof(entry), " (entry %llu)", (unsigned long long)a->entry);
	return cli_error(a->status, "%s%s: %.*s%s", a->code, entry, (int)a->text.len, a->text.len ? a->text.ptr : "", hint);
}

/* Asks until the family can say yes or no: one that has just restarted a process cannot yet. */
static int ask_for_session(const struct place *place, const struct msg_cli_session *m, struct control_answer *answer)
{
	for (int tries = 0;; tries++) {
		int fd, r = connect_or_start(place, &fd);

		if (r != CLI_OK)
			return r;
		r = control_ask(fd, MSG_cli_session, m, answer);
		if (r == 0 && strcmp(answer->code, "unavailable") != 0)
			return CLI_OK;
		if (tries == UNAVAILABLE_TRIES) {
			if (r == 0)
				return CLI_OK;
			return cli_error(CLI_REFUSED, "the family did not answer: %s", strerror(-r));
		}
		if (r == 0)
			control_answer_free(answer);
		nanosleep(&(struct timespec){ .tv_nsec = UNAVAILABLE_WAIT_MS * 1000000L }, NULL);
	}
}

static int run_session(const struct cli_args *args, const struct place *place, struct slice token)
{
	struct msg_cli_session m = { .agent = slice_str(args->value[OPTION_agent]), .server = slice_str(args->value[OPTION_server]), .token = token };
	struct control_answer answer;
	char hint[PATH_MAX + 256];
	struct end in, out;
	int pair[2], r;

	if (m.agent.len > 64 || m.server.len > 64)
		return cli_error(CLI_USAGE, "names have at most 64 bytes");
	if (make_end(STDIN_FILENO, O_RDONLY, &in) < 0 || make_end(STDOUT_FILENO, O_WRONLY, &out) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return cli_error(CLI_REFUSED, "standard input and output must be open: %s", strerror(errno));
	m.input = in.give;
	m.output = out.give;
	m.leash = pair[1];
	r = ask_for_session(place, &m, &answer);
	if (r != CLI_OK)
		return r;
	fd_close(&in.give);
	fd_close(&out.give);
	fd_close(&pair[1]);
	if (answer.status != CLI_OK) {
		add_hint(&answer, args, place, token.len != 0, hint);
		r = report_refusal(&answer, hint);
	}
	control_answer_free(&answer);
	if (r != CLI_OK)
		return r;
	wait_for_end(pair[0], &in, &out);
	return last_word(pair[0]);
}

int cli_mcp(const struct cli_args *args)
{
	cleanup_buf struct buf token = BUF_INIT(TOKEN_MAX);
	struct place place;
	int r = place_find(args, NULL, &place);

	signal(SIGPIPE, SIG_IGN);
	if (r == CLI_OK && isatty(STDIN_FILENO))
		cli_error(0, "this speaks MCP on standard input and output, for a client that starts it; Ctrl-D ends it (see `bawn mcp --help`)");
	if (r == CLI_OK)
		r = read_token(args, &place, &token);
	return r == CLI_OK ? run_session(args, &place, buf_slice(&token)) : r;
}
