/*
 * The round trip of one message between two processes: a call_propose with 300 bytes of arguments out, a call_running back.
 * Beside it, in the same run and in turns: the same bytes over a bare socket pair, once with blocking reads (the least that two
 * processes can do) and once with epoll before each read (the least that an event loop can do). Then what a channel carries
 * when it is kept full: small messages a second, and MiB a second in messages of 8 MiB.
 *
 * usage: bench-ipc [round trips]
 */
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "ipc/channel.h"

enum { ARGUMENTS = 300, REQUEST = 4 + 8 + 4 + 10 + 1 + 4 + ARGUMENTS, ANSWER = 4 + 8 + 8, BATCH = 2000, LARGE = 8 * 1024 * 1024 };

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

struct figures {
	const char *what;
	uint64_t *ns;
	size_t count;
};

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void print_figures(struct figures *f)
{
	qsort(f->ns, f->count, sizeof(*f->ns), by_size);
	printf("%-34s p50 %6.2f us   p99 %6.2f us   (%zu round trips)\n", f->what, (double)f->ns[f->count / 2] / 1000,
	       (double)f->ns[f->count * 99 / 100] / 1000, f->count);
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- the peer: a bare socket pair ---- */

static void wait_readable(int epoll)
{
	struct epoll_event e;

	if (epoll >= 0 && epoll_wait(epoll, &e, 1, -1) < 0)
		die("epoll_wait");
}

static int watch(int fd, bool with_epoll)
{
	struct epoll_event e = { .events = EPOLLIN };
	int epoll = with_epoll ? epoll_create1(EPOLL_CLOEXEC) : -1;

	if (with_epoll && (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0))
		die("epoll");
	return epoll;
}

static void bare_echo(int fd, bool with_epoll)
{
	char bytes[REQUEST];
	int epoll = watch(fd, with_epoll);

	for (;;) {
		wait_readable(epoll);
		if (recv(fd, bytes, sizeof(bytes), 0) <= 0)
			_exit(0);
		if (send(fd, bytes, ANSWER, MSG_NOSIGNAL) < 0)
			_exit(1);
	}
}

static void bare_batch(int fd, int epoll, struct figures *f)
{
	char bytes[REQUEST] = { 0 };

	for (int i = 0; i < BATCH; i++) {
		uint64_t start = now_ns();

		if (send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL) < 0)
			die("send");
		wait_readable(epoll);
		if (recv(fd, bytes, sizeof(bytes), 0) <= 0)
			die("recv");
		f->ns[f->count++] = now_ns() - start;
	}
}

/* ---- a channel ---- */

struct far {
	struct event_base *base;
	uint64_t got, answer_every;
};

static void far_message(void *ctx, struct channel *channel, struct message *m)
{
	struct far *far = ctx;
	struct msg_call_running answer = { .call = m->call_propose.call };

	if (++far->got % far->answer_every == 0 && channel_send(channel, MSG_call_running, &answer) < 0)
		_exit(1);
}

static void far_broken(void *ctx, struct channel *channel, const char *why)
{
	(void)ctx;
	channel_free(channel);
	_exit(why != NULL);
}

static void channel_echo(int fd, uint64_t answer_every)
{
	static const struct channel_ops ops = { far_message, far_broken };
	struct far far = { .base = event_base_new(), .answer_every = answer_every };
	struct channel *channel;

	if (!far.base || channel_new(far.base, fd, PROCESS_JUDGE, PROCESS_GATEWAY, &ops, &far, &channel) < 0)
		_exit(1);
	channel_set_phase(channel, PHASE_SERVING);
	event_base_dispatch(far.base);
	_exit(1);
}

struct near {
	struct event_base *base;
	struct channel *channel;
};

static void near_message(void *ctx, struct channel *channel, struct message *m)
{
	(void)channel;
	(void)m;
	event_base_loopbreak(ctx);
}

static void near_broken(void *ctx, struct channel *channel, const char *why)
{
	(void)ctx;
	(void)channel;
	fprintf(stderr, "bench: the channel broke: %s\n", why ? why : "closed");
	exit(1);
}

static const struct channel_ops near_ops = { near_message, near_broken };

static void propose(struct near *near, const char *bytes, size_t len)
{
	struct msg_call_propose m = { .call = 7, .tool = SLICE("files.read"), .arguments = slice_of(bytes, len) };

	if (channel_send(near->channel, MSG_call_propose, &m) < 0)
		die("channel_send");
}

static void channel_batch(struct near *near, struct figures *f)
{
	static const char arguments[ARGUMENTS];

	for (int i = 0; i < BATCH; i++) {
		uint64_t start = now_ns();

		propose(near, arguments, sizeof(arguments));
		event_base_dispatch(near->base);
		f->ns[f->count++] = now_ns() - start;
	}
}

/* Sends `count` messages in a row `rounds` times, an answer after each round; seconds. */
static double stream(struct near *near, const char *bytes, size_t len, int count, int rounds)
{
	uint64_t start = now_ns();

	for (int r = 0; r < rounds; r++) {
		for (int i = 0; i < count; i++)
			propose(near, bytes, len);
		event_base_dispatch(near->base);
	}
	return (double)(now_ns() - start) / 1e9;
}

/* Starts the other process on one end; returns this end. */
static int other(void (*run)(int fd, uint64_t n), uint64_t n, pid_t *pid)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		die("socketpair");
	*pid = fork();
	if (*pid < 0)
		die("fork");
	if (*pid == 0) {
		close(pair[0]);
		run(pair[1], n);
		_exit(1);
	}
	close(pair[1]);
	return pair[0];
}

static void run_bare(int fd, uint64_t with_epoll)
{
	bare_echo(fd, with_epoll != 0);
}

static struct near near_end(uint64_t answer_every, pid_t *pid)
{
	int fd = other(channel_echo, answer_every, pid);
	struct near near = { .base = event_base_new() };

	if (!near.base || channel_new(near.base, fd, PROCESS_GATEWAY, PROCESS_JUDGE, &near_ops, near.base, &near.channel) < 0)
		die("channel_new");
	channel_set_phase(near.channel, PHASE_SERVING);
	return near;
}

/* By signal: processes started later hold copies of the ends of the earlier ones. */
static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void near_close(struct near *near, pid_t pid)
{
	channel_free(near->channel);
	event_base_free(near->base);
	end(pid);
}

static void round_trips(size_t batches)
{
	struct figures f[3] = { { .what = "bare socket pair, blocking" }, { .what = "bare socket pair, epoll" }, { .what = "channel" } };
	pid_t pid[3];
	int bare = other(run_bare, 0, &pid[0]), polled = other(run_bare, 1, &pid[1]), epoll = watch(polled, true);
	struct near near = near_end(1, &pid[2]);

	for (int i = 0; i < 3; i++)
		if (!(f[i].ns = calloc(batches * BATCH, sizeof(uint64_t))))
			die("calloc");
	for (size_t i = 0; i < batches; i++) {
		bare_batch(bare, -1, &f[0]);
		bare_batch(polled, epoll, &f[1]);
		channel_batch(&near, &f[2]);
	}
	for (int i = 0; i < 3; i++) {
		print_figures(&f[i]);
		free(f[i].ns);
	}
	close(bare);
	close(polled);
	close(epoll);
	end(pid[0]);
	end(pid[1]);
	near_close(&near, pid[2]);
}

static void streams(void)
{
	static char large[LARGE];
	pid_t pid;
	struct near near = near_end(200, &pid);

	printf("%-34s %.0f messages a second\n", "channel, 300 bytes, 200 in a row", 200 * 200 / stream(&near, large, ARGUMENTS, 200, 200));
	near_close(&near, pid);
	near = near_end(1, &pid);
	printf("%-34s %.0f MiB a second\n", "channel, 8 MiB", 20 * 8 / stream(&near, large, sizeof(large), 1, 20));
	near_close(&near, pid);
}

int main(int argc, char **argv)
{
	uint64_t trips = 40000;

	if (argc > 1 && text_u64(slice_str(argv[1]), BATCH, 10000000, &trips) < 0) {
		fprintf(stderr, "usage: bench-ipc [round trips]\n");
		return 2;
	}
	round_trips((size_t)trips / BATCH);
	streams();
	return 0;
}
