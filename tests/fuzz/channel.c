/*
 * A channel whose peer sends arbitrary packets. The first byte says who both ends are and the phase. Then, for each packet: a byte of
 * flags (bits 0-2 descriptors, 3 the rest of a full piece follows as padding, 4 the handler frees the channel, 5 the phase changes,
 * 6 a message is sent the other way), u16 length, that many bytes.
 */
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/channel.h"

enum { FULL_PIECE = 4 + 48 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	struct channel *channel;
	unsigned broken;
	bool free_next;
} end;

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void on_message(void *ctx, struct channel *c, struct message *m)
{
	(void)ctx;
	must(c == end.channel && !end.broken);
	must(m->type < MESSAGE_COUNT && message_rule(m->type)->senders & 1U << channel_peer(c));
	if (end.free_next) {
		channel_free(c);
		end.channel = NULL;
	}
}

static void on_broken(void *ctx, struct channel *c, const char *why)
{
	(void)ctx;
	(void)why;
	must(c == end.channel && ++end.broken == 1);
}

/* False when the socket takes no more. */
static bool send_raw(int fd, const void *bytes, size_t len, unsigned fd_count, int null)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = len };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * 8)];
	} control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd_count) {
		struct cmsghdr *c;

		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		for (unsigned i = 0; i < fd_count; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &null, sizeof(int));
	}
	return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

static void send_back(void)
{
	switch (channel_peer(end.channel)) {
	case PROCESS_GATEWAY:
		channel_send(end.channel, MSG_call_running, &(struct msg_call_running){ .call = 1 });
		break;
	case PROCESS_CLI:
		channel_send(end.channel, MSG_cli_done, &(struct msg_cli_done){ .status = 1 });
		break;
	case PROCESS_INIT:
	case PROCESS_LAUNCHER:
	case PROCESS_JUDGE:
	case PROCESS_AUDIT:
	case PROCESS_STORE:
	case PROCESS_CONSOLE:
	case PROCESS_COUNT:
		break;
	}
}

static void play(const uint8_t *data, size_t size, struct event_base *base, int enemy, int null)
{
	static char piece[FULL_PIECE];

	while (size >= 3 && end.channel) {
		unsigned flags = data[0];
		size_t len = data[1] | (size_t)data[2] << 8;

		data += 3;
		size -= 3;
		if (len > size)
			len = size;
		if (len > FULL_PIECE)
			len = FULL_PIECE;
		memset(piece, 0, sizeof(piece));
		memcpy(piece, data, len);
		data += len;
		size -= len;
		end.free_next = flags & 16;
		if (flags & 32)
			channel_set_phase(end.channel, flags & 1 ? PHASE_SERVING : PHASE_SETUP);
		if (flags & 64)
			send_back();
		send_raw(enemy, piece, flags & 8 ? FULL_PIECE : len, flags & 7, null);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
}

/* Which of the first 40 descriptors are open, a bit for each: one run of the target needs fewer. */
static uint64_t open_fds(void)
{
	uint64_t open = 0;

	for (int fd = 0; fd < 40; fd++)
		open |= (uint64_t)(fcntl(fd, F_GETFD) >= 0) << fd;
	return open;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct channel_ops ops = { on_message, on_broken };
	/* Who may meet whom: self, peer. */
	static const enum process ends[][2] = {
		{ PROCESS_JUDGE, PROCESS_GATEWAY }, { PROCESS_GATEWAY, PROCESS_INIT }, { PROCESS_JUDGE, PROCESS_LAUNCHER },
		{ PROCESS_CONSOLE, PROCESS_CLI },   { PROCESS_INIT, PROCESS_JUDGE },   { PROCESS_AUDIT, PROCESS_JUDGE },
		{ PROCESS_LAUNCHER, PROCESS_JUDGE }, { PROCESS_JUDGE, PROCESS_CONSOLE }, { PROCESS_STORE, PROCESS_JUDGE },
		{ PROCESS_STORE, PROCESS_CONSOLE },
	};
	uint64_t before = open_fds();
	int pair[2], null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct event_base *base = event_base_new();

	must(base && null >= 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	end.broken = 0;
	if (size) {
		const enum process *who = ends[((data[0] & 7) | (data[0] & 16) >> 1) % (sizeof(ends) / sizeof(ends[0]))];

		must(channel_new(base, pair[1], who[0], who[1], &ops, NULL, &end.channel) == 0);
		channel_set_phase(end.channel, data[0] & 8 ? PHASE_SERVING : PHASE_SETUP);
		play(data + 1, size - 1, base, pair[0], null);
	} else {
		close(pair[1]);
	}
	close(pair[0]);
	for (int i = 0; i < 8; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	must(!end.channel || end.broken == 1);
	channel_free(end.channel);
	end.channel = NULL;
	event_base_free(base);
	close(null);
	must(open_fds() == before); /* nothing was left open */
	return 0;
}
