#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "channel_ends.h"

struct event_base *loop;
char *large;

int ends_prepare(void)
{
	large = malloc(LARGE + 1);
	for (size_t i = 0; large && i <= LARGE; i++)
		large[i] = (char)(i * 2654435761U >> 13);
	return !large;
}

int ends_finish(int failed)
{
	free(large);
	return failed;
}

static void take_fds(struct end *e, struct message *m)
{
	e->fds[0] = fd_take(&m->gateway_setup.input);
	e->fds[1] = fd_take(&m->gateway_setup.output);
	e->fds[2] = fd_take(&m->gateway_setup.leash);
}

static void on_message(void *ctx, struct channel *c, struct message *m)
{
	struct end *e = ctx;

	assert_int_equal(e->broken, 0);
	e->messages++;
	e->last = m->type;
	if (m->type == MSG_call_propose) {
		struct slice s = m->call_propose.arguments;

		e->last_len = s.len;
		e->last_intact = s.len <= LARGE && (s.len == 0 || memcmp(s.ptr, large, s.len) == 0);
	}
	if (e->take_fds && m->type == MSG_gateway_setup)
		take_fds(e, m);
	if (e->next_phase)
		channel_set_phase(c, e->next_phase);
	if (e->send_in_message)
		e->send_result = channel_send(c, MSG_call_running, &(struct msg_call_running){ .call = 1 });
	if (e->refills) {
		struct packet p;

		e->refills--;
		good_packet(&p);
		throw_packet(e->refill, &p, 0);
	}
	if (e->drain && e->drain->channel)
		channel_drain(e->drain->channel);
	if (e->also_free) {
		channel_free(*e->also_free);
		*e->also_free = NULL;
	}
	if (e->free_in_message) {
		channel_free(c);
		e->channel = NULL;
	}
}

static void on_broken(void *ctx, struct channel *c, const char *why)
{
	struct end *e = ctx;

	e->broken++;
	e->has_why = why != NULL;
	snprintf(e->why, sizeof(e->why), "%s", why ? why : "");
	if (e->free_in_broken) {
		channel_free(c);
		e->channel = NULL;
	}
}

const struct channel_ops end_ops = { on_message, on_broken };

/* ---- the ground: each test starts and ends with the same descriptors open ---- */

unsigned ends_open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static unsigned fds_before;

int ends_set_up(void **state)
{
	(void)state;
	fds_before = ends_open_fds();
	loop = event_base_new();
	return !loop;
}

int ends_tear_down(void **state)
{
	unsigned now;

	(void)state;
	event_base_free(loop);
	now = ends_open_fds();
	if (now != fds_before)
		print_error("descriptors: %u before, %u after\n", fds_before, now);
	return now != fds_before;
}

void pair_of(int pair[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

void open_end(struct end *e, int fd, enum process self, enum process peer)
{
	assert_int_equal(channel_new(loop, fd, self, peer, &end_ops, e, &e->channel), 0);
	channel_set_phase(e->channel, PHASE_SERVING);
}

/* A gateway and a judge. */
void open_both(struct end *gateway, struct end *judge)
{
	int pair[2];

	pair_of(pair);
	open_end(gateway, pair[0], PROCESS_GATEWAY, PROCESS_JUDGE);
	open_end(judge, pair[1], PROCESS_JUDGE, PROCESS_GATEWAY);
}

/* The judge's end of a channel whose other end, returned, belongs to the enemy. */
int open_enemy(struct end *judge)
{
	int pair[2];

	pair_of(pair);
	open_end(judge, pair[1], PROCESS_JUDGE, PROCESS_GATEWAY);
	return pair[0];
}

void end_close(struct end *e)
{
	channel_free(e->channel);
	e->channel = NULL;
}

/* Runs what is ready until nothing is. */
void settle(void)
{
	for (int i = 0; i < 32; i++)
		event_base_loop(loop, EVLOOP_NONBLOCK);
}

void run_until(const unsigned *count, unsigned wanted)
{
	while (*count < wanted)
		event_base_loop(loop, EVLOOP_ONCE);
}

int send_propose(struct end *e, size_t len)
{
	struct msg_call_propose m = { .call = len, .tool = SLICE("files.read"), .arguments = slice_of(large, len) };

	return channel_send(e->channel, MSG_call_propose, &m);
}

int send_output(struct end *e, int fd)
{
	return channel_send(e->channel, MSG_server_output, &(struct msg_server_output){ .run = 1, .output = fd });
}

/* ---- what the enemy sends ---- */

void start_packet(struct packet *p, unsigned type, unsigned flags)
{
	p->bytes[0] = (char)(type & 0xff);
	p->bytes[1] = (char)(type >> 8);
	p->bytes[2] = (char)flags;
	p->bytes[3] = 0;
	p->len = HEADER;
}

void packet_add(struct packet *p, uint64_t n, size_t size)
{
	for (size_t i = 0; i < size; i++)
		p->bytes[p->len++] = (char)(n >> (8 * i));
}

void packet_pad(struct packet *p, size_t len)
{
	memset(p->bytes + p->len, 'a', len - p->len);
	p->len = len;
}

/* Fds are copies of one end of a pipe when fd_count is not 0. */
void throw_bytes(int fd, const char *bytes, size_t len, size_t fd_count)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = len };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * 64)];
	} control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	if (fd_count) {
		struct cmsghdr *c;

		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		for (size_t i = 0; i < fd_count; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &p[1], sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &msg, MSG_NOSIGNAL), (ssize_t)len);
	close(p[0]);
	close(p[1]);
}

void throw_packet(int fd, const struct packet *p, size_t fd_count)
{
	throw_bytes(fd, p->bytes, p->len, fd_count);
}

/* A whole small message that a gateway may send. */
void good_packet(struct packet *p)
{
	start_packet(p, MSG_server_changed, 0);
	packet_add(p, 7, 8);
}

/* The first piece of a call_propose of `len` bytes of arguments. */
void first_piece(struct packet *p, uint32_t len)
{
	start_packet(p, MSG_call_propose, MORE);
	packet_add(p, 7, 8);
	packet_add(p, 0, 4);
	packet_add(p, 0, 1);
	packet_add(p, len, 4);
	packet_pad(p, HEADER + PIECE);
}

int send_something(struct end *e)
{
	if (channel_peer(e->channel) == PROCESS_JUDGE)
		return channel_send(e->channel, MSG_server_changed, &(struct msg_server_changed){ 0 });
	if (channel_peer(e->channel) == PROCESS_LAUNCHER)
		return channel_send(e->channel, MSG_sandbox_kill, &(struct msg_sandbox_kill){ 0 });
	return channel_send(e->channel, MSG_call_running, &(struct msg_call_running){ 0 });
}

/* The end is told once that its peer is refused, with a reason that has `part` in it (NULL: none), and got `messages` before. */
void assert_refused(struct end *e, int enemy, const char *part, unsigned messages)
{
	settle();
	assert_int_equal(e->broken, 1);
	assert_int_equal(e->messages, messages);
	assert_int_equal(e->has_why, part != NULL);
	if (part && !strstr(e->why, part))
		fail_msg("the reason is \"%s\", not \"%s\"", e->why, part);
	/* What comes afterwards is not read. */
	if (enemy >= 0) {
		struct packet p;

		good_packet(&p);
		if (e->channel)
			throw_packet(enemy, &p, 3);
		settle();
		close(enemy);
		settle();
	}
	if (e->channel)
		assert_int_equal(send_something(e), -EPIPE);
	settle();
	assert_int_equal(e->broken, 1);
	assert_int_equal(e->messages, messages);
	end_close(e);
}

void refuse_packet(const struct packet *p, size_t fd_count, const char *part)
{
	struct end judge = { 0 };
	int enemy = open_enemy(&judge);

	throw_packet(enemy, p, fd_count);
	assert_refused(&judge, enemy, part, 0);
}
