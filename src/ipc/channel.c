#include "ipc/channel.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

static_assert(__BYTE_ORDER == __LITTLE_ENDIAN, "integers travel as they lie in memory");

/*
 * A packet: u16 type, u8 flags, u8 zero, then a piece of the encoding. Descriptors come with the first piece. Each piece but the last
 * is full, so that a message has one form and a peer cannot make many packets of few bytes.
 */
enum {
	PACKET_HEADER = 4,
	PACKET_MORE = 1,
	PACKET_MAX = 48 * 1024,
	QUEUE_MAX = 64 * 1024 * 1024, /* memory, not only what is to be sent */
	QUEUE_FDS_MAX = 192,          /* a peer that does not read may not use up this process's descriptors */
	KEEP_MAX = 128 * 1024,        /* a buffer larger than this is not kept for the next message */
	DRAIN_MOST = 4096,            /* more packets than a socket holds: what had arrived when draining began is handled */
	RETRY_MS = 10,
	LATER_MS = 1,
	FLUSH_TRIES = 200, /* of RETRY_MS each without anything sent */
};

struct queued {
	struct queued *next;
	size_t len, fd_count;
	int fds[MESSAGE_FDS_MAX];
	char bytes[];
};

struct channel {
	int fd;
	enum process self, peer;
	enum channel_phase phase;
	const struct channel_ops *ops;
	void *ctx;
	struct event *readable, *writable, *retry;
	struct queued *queue, **queue_end;
	size_t queue_bytes, queue_fds;
	unsigned char seen[MESSAGE_COUNT]; /* for messages that may come once */
	/* The message being put together. */
	struct buf partial;
	enum message_type partial_type;
	bool partial_open;
	int partial_fds[MESSAGE_FDS_MAX];
	size_t partial_fd_count;
	struct buf encoding; /* kept between sends, so that a send costs no malloc */
	bool lazy; /* what is queued only waits for the next message, not for the socket */
	bool gone; /* the peer takes nothing more; what it sent before is still read, then the channel breaks */
	bool broken;
	const char *broken_why;
	bool *freed; /* set for whoever is inside a callback when the channel is freed */
};

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);

int channel_new(struct event_base *base, int fd, enum process self, enum process peer, const struct channel_ops *ops, void *ctx,
		struct channel **ret_channel)
{
	struct channel *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return -ENOMEM;
	}
	c->fd = fd;
	c->self = self;
	c->peer = peer;
	c->phase = PHASE_SETUP;
	c->ops = ops;
	c->ctx = ctx;
	c->queue_end = &c->queue;
	c->encoding = BUF_INIT(16 * 1024 * 1024);
	c->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->writable = event_new(base, fd, EV_WRITE, on_writable, c);
	c->retry = event_new(base, -1, 0, on_writable, c);
	if (!c->readable || !c->writable || !c->retry || event_add(c->readable, NULL) < 0) {
		channel_free(c);
		return -ENOMEM;
	}
	*ret_channel = c;
	return 0;
}

static void close_all(int *fds, size_t *count)
{
	for (size_t i = 0; i < *count; i++)
		fd_close(&fds[i]);
	*count = 0;
}

static void queue_drop(struct channel *c)
{
	while (c->queue) {
		struct queued *q = c->queue;

		c->queue = q->next;
		close_all(q->fds, &q->fd_count);
		free(q);
	}
	c->queue_end = &c->queue;
	c->queue_bytes = c->queue_fds = 0;
}

static void partial_drop(struct channel *c)
{
	close_all(c->partial_fds, &c->partial_fd_count);
	buf_free(&c->partial);
	c->partial_open = false;
}

void channel_free(struct channel *c)
{
	if (!c)
		return;
	if (c->freed)
		*c->freed = true;
	if (c->readable)
		event_free(c->readable);
	if (c->writable)
		event_free(c->writable);
	if (c->retry)
		event_free(c->retry);
	queue_drop(c);
	partial_drop(c);
	buf_free(&c->encoding);
	close(c->fd);
	free(c);
}

void channel_set_phase(struct channel *c, enum channel_phase phase)
{
	c->phase = phase;
}

enum process channel_peer(const struct channel *c)
{
	return c->peer;
}

int channel_fd(const struct channel *c)
{
	return c->fd;
}

/* Notes that the channel is broken; the owner is told from the event loop. What was held for the peer is let go at once. */
static void break_later(struct channel *c, const char *why)
{
	if (c->broken)
		return;
	c->broken = true;
	c->broken_why = why;
	queue_drop(c);
	partial_drop(c);
	event_active(c->readable, EV_READ, 0);
}

/* The peer closed its end, or shut it for reading. Its last words may still lie in the socket, so that is read to its end first. */
static void peer_gone(struct channel *c)
{
	if (c->gone || c->broken)
		return;
	c->gone = true;
	queue_drop(c);
	event_active(c->readable, EV_READ, 0);
}

static bool is_gone(int r)
{
	return r == -EPIPE || r == -ECONNRESET || r == -ENOTCONN;
}

/* Also when too many descriptors of this user are on their way through sockets. */
static bool is_full(int r)
{
	return r == -EAGAIN || r == -ETOOMANYREFS;
}

size_t channel_queued(const struct channel *c)
{
	return c->queue_bytes;
}

/* ---- sending ---- */

static int send_packet(int fd, const void *bytes, size_t len, const int *fds, size_t fd_count)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = len };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX)];
	} control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (fd_count) {
		struct cmsghdr *c;

		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * fd_count);
	}
	do {
		n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static int queue_packet(struct channel *c, const char *bytes, size_t len, const int *fds, size_t fd_count)
{
	struct queued *q;

	if (c->queue_bytes + sizeof(*q) + len > QUEUE_MAX || c->queue_fds + fd_count > QUEUE_FDS_MAX) {
		break_later(c, "its queue is full: the peer does not read");
		return -ENOBUFS;
	}
	if (!c->lazy && event_add(c->writable, NULL) < 0)
		return -ENOMEM;
	q = malloc(sizeof(*q) + len);
	if (!q)
		return -ENOMEM;
	q->next = NULL;
	q->len = len;
	memcpy(q->bytes, bytes, len);
	for (q->fd_count = 0; q->fd_count < fd_count; q->fd_count++) {
		q->fds[q->fd_count] = fcntl(fds[q->fd_count], F_DUPFD_CLOEXEC, 0);
		if (q->fds[q->fd_count] < 0) {
			int r = -errno;

			close_all(q->fds, &q->fd_count);
			free(q);
			return r;
		}
	}
	*c->queue_end = q;
	c->queue_end = &q->next;
	c->queue_bytes += sizeof(*q) + len;
	c->queue_fds += fd_count;
	return 0;
}

static int send_or_queue(struct channel *c, const char *bytes, size_t len, const int *fds, size_t fd_count)
{
	int r;

	if (c->queue || c->lazy)
		return queue_packet(c, bytes, len, fds, fd_count);
	r = send_packet(c->fd, bytes, len, fds, fd_count);
	if (is_full(r))
		return queue_packet(c, bytes, len, fds, fd_count);
	if (is_gone(r)) {
		peer_gone(c);
		return -EPIPE;
	}
	return r;
}

/* Each packet's header is written over the last bytes of the piece before it, which has been sent. */
static int send_pieces(struct channel *c, enum message_type type, const int *fds, size_t fd_count)
{
	size_t at = 0, total = c->encoding.len - PACKET_HEADER;

	do {
		size_t left = total - at;
		size_t piece = left > PACKET_MAX ? PACKET_MAX : left;
		char *packet = c->encoding.ptr + at;
		int r;

		packet[0] = (char)(type & 0xff);
		packet[1] = (char)(type >> 8);
		packet[2] = piece < left ? PACKET_MORE : 0;
		packet[3] = 0;
		r = send_or_queue(c, packet, PACKET_HEADER + piece, fds, fd_count);
		if (r < 0) {
			if (at && !c->gone)
				break_later(c, "a message could not be sent whole");
			return r;
		}
		fd_count = 0;
		at += piece;
	} while (at < total);
	return 0;
}

static int encode_and_send(struct channel *c, enum message_type type, const void *msg)
{
	const struct message_rule *rule = message_rule(type);
	int fds[MESSAGE_FDS_MAX];
	size_t fd_count = 0;
	int r;

	assert(rule->senders & 1U << c->self && rule->receivers & 1U << c->peer);
	if (c->broken || c->gone)
		return -EPIPE;
	buf_clear(&c->encoding);
	r = buf_add(&c->encoding, "\0\0\0\0", PACKET_HEADER);
	if (r == 0)
		r = message_encode(type, msg, &c->encoding, fds, &fd_count);
	if (r == 0)
		r = send_pieces(c, type, fds, fd_count);
	if (c->encoding.cap > KEEP_MAX)
		buf_free(&c->encoding);
	return r;
}

int channel_send(struct channel *c, enum message_type type, const void *msg)
{
	int r = encode_and_send(c, type, msg);

	/* What was put off goes before it, in the same wake-up of the peer. */
	if (c->lazy)
		on_writable(c->fd, EV_WRITE, c);
	return r;
}

int channel_send_later(struct channel *c, enum message_type type, const void *msg)
{
	static const struct timeval later = { .tv_usec = LATER_MS * 1000 };

	if (!c->queue && !c->lazy && !c->broken && !c->gone) {
		if (event_add(c->retry, &later) < 0)
			return -ENOMEM;
		c->lazy = true;
	}
	return encode_and_send(c, type, msg);
}

/* Sends from the queue until it is empty (0) or the socket takes no more (-EAGAIN, -ETOOMANYREFS). A failure empties it. */
static int send_queue(struct channel *c)
{
	while (c->queue) {
		struct queued *q = c->queue;
		int r = send_packet(c->fd, q->bytes, q->len, q->fds, q->fd_count);

		if (is_full(r))
			return r;
		if (is_gone(r))
			peer_gone(c);
		else if (r < 0)
			break_later(c, "sending failed");
		if (r < 0)
			return 0;
		c->queue = q->next;
		if (!c->queue)
			c->queue_end = &c->queue;
		c->queue_bytes -= sizeof(*q) + q->len;
		c->queue_fds -= q->fd_count;
		close_all(q->fds, &q->fd_count);
		free(q);
	}
	return 0;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	/* The socket stays writable while others have too many descriptors on their way: asking it would spin. */
	static const struct timeval soon = { .tv_usec = RETRY_MS * 1000 };
	struct channel *c = arg;
	int r;

	(void)fd;
	(void)what;
	if (c->lazy) {
		c->lazy = false;
		event_del(c->retry);
	}
	r = send_queue(c);
	if ((r == -EAGAIN && event_add(c->writable, NULL) < 0) || (r == -ETOOMANYREFS && event_add(c->retry, &soon) < 0))
		break_later(c, "out of memory");
}

void channel_flush(struct channel *c)
{
	int tries = 0;

	while (c->queue && tries++ < FLUSH_TRIES) {
		struct pollfd p = { .fd = c->fd, .events = POLLOUT };
		const struct queued *first = c->queue;
		int r = send_queue(c);

		if (c->queue != first)
			tries = 0;
		if (c->queue)
			poll(&p, r == -ETOOMANYREFS ? 0 : 1, RETRY_MS);
	}
	if (c->queue)
		break_later(c, "its queue is full: the peer does not read");
}

/* ---- receiving ---- */

/* Takes the descriptors out of the control data; NULL, or why the packet is refused (they are listed all the same). */
static const char *take_descriptors(struct msghdr *msg, int *fds, size_t *fd_count)
{
	const char *why = NULL;

	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h; h = CMSG_NXTHDR(msg, h)) {
		size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(int));
			if (*fd_count < MESSAGE_FDS_MAX) {
				fds[(*fd_count)++] = fd;
			} else {
				close(fd);
				why = "too many descriptors";
			}
		}
	}
	if (msg->msg_flags & MSG_CTRUNC)
		return "too many descriptors";
	return msg->msg_flags & MSG_TRUNC ? "a packet is too large" : why;
}

/* Nothing was read: either the peer closed, or it sent a packet without a byte, which no message is. */
static const char *end_why(const struct channel *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLRDHUP };

	if (poll(&p, 1, 0) <= 0)
		return "a malformed packet";
	return c->partial_open ? "it closed in the middle of a message" : NULL;
}

static ssize_t receive_some(int fd, struct msghdr *msg)
{
	ssize_t n;

	do {
		n = recvmsg(fd, msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	return n;
}

/* 1 a packet, 0 nothing now, -1 the channel is over (with *why, NULL for an orderly close). */
static int receive_packet(struct channel *c, char *packet, size_t *len, int *fds, size_t *fd_count, const char **why)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX)];
	} control;
	struct iovec iov = { .iov_base = packet, .iov_len = PACKET_HEADER + PACKET_MAX };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	ssize_t n = receive_some(c->fd, &msg);

	/* Said once, before what is still to be read, when the peer closed without reading everything. */
	if (n < 0 && errno == ECONNRESET) {
		peer_gone(c);
		n = receive_some(c->fd, &msg);
	}
	if (n < 0) {
		*why = "receiving failed";
		return errno == EAGAIN ? 0 : -1;
	}
	*fd_count = 0;
	*why = take_descriptors(&msg, fds, fd_count);
	if (!*why && n == 0)
		*why = *fd_count ? "a malformed packet" : end_why(c);
	else if (!*why) {
		*len = (size_t)n;
		return 1;
	}
	close_all(fds, fd_count);
	return -1;
}

static const char *permitted(const struct channel *c, enum message_type type)
{
	const struct message_rule *rule = message_rule(type);

	if (!rule)
		return "no such message";
	if (!(rule->senders & 1U << c->peer) || !(rule->receivers & 1U << c->self))
		return "a message that this peer may not send";
	if (!(rule->phases & c->phase))
		return "a message that is not permitted now";
	if (rule->once && c->seen[type])
		return "a message that may come only once";
	return NULL;
}

/* Takes one packet into the message being put together; NULL, or why it is refused. *complete: the message is whole. */
static const char *take_packet(struct channel *c, struct slice packet, const int *fds, size_t fd_count, bool *complete)
{
	enum message_type type;
	const char *why;
	int r;

	*complete = false;
	if (packet.len < PACKET_HEADER || packet.ptr[3] || (unsigned char)packet.ptr[2] > PACKET_MORE)
		return "a malformed packet";
	if (packet.ptr[2] && packet.len != PACKET_HEADER + PACKET_MAX)
		return "a malformed packet";
	type = (enum message_type)((unsigned char)packet.ptr[0] | (unsigned)(unsigned char)packet.ptr[1] << 8);
	if (c->partial_open) {
		if (type != c->partial_type || fd_count || packet.len == PACKET_HEADER)
			return "a message is interrupted by another";
	} else {
		why = permitted(c, type);
		if (why)
			return why;
		c->partial_open = true;
		c->partial_type = type;
		c->partial.max = message_rule(type)->max;
		buf_clear(&c->partial);
		c->partial_fd_count = fd_count;
		if (fd_count)
			memcpy(c->partial_fds, fds, fd_count * sizeof(*fds));
	}
	r = buf_add(&c->partial, packet.ptr + PACKET_HEADER, packet.len - PACKET_HEADER);
	if (r < 0)
		return r == -ENOMEM ? "out of memory" : "a message is over its maximum";
	*complete = !(packet.ptr[2] & PACKET_MORE);
	return NULL;
}

/* Decodes and hands on the whole message. False when the channel was freed by its handler. */
static bool deliver(struct channel *c, const char **why)
{
	struct message m;
	bool freed = false, *outer = c->freed;
	struct buf bytes = c->partial;

	/* Again: the phase may have changed since the first piece came. */
	*why = permitted(c, c->partial_type);
	if (*why || message_decode(c->partial_type, buf_slice(&c->partial), c->partial_fds, c->partial_fd_count, &m, why) < 0)
		return true;
	c->partial_fd_count = 0; /* the message owns them now */
	c->partial_open = false;
	c->seen[c->partial_type] = 1;
	/* The bytes stay here while the handler runs, which may receive again (channel_drain) or free the channel. */
	c->partial = BUF_INIT(0);
	c->freed = &freed;
	c->ops->message(c->ctx, c, &m);
	message_clear(&m);
	if (!freed) {
		c->freed = outer;
		if (!c->partial.ptr && bytes.cap <= KEEP_MAX) {
			bytes.max = c->partial.max;
			bytes.len = 0;
			c->partial = bytes;
			bytes.ptr = NULL;
		}
	} else if (outer) {
		*outer = true;
	}
	buf_free(&bytes);
	return !freed;
}

/* Receives what there is; with `one`, no more than one message. */
static void receive(struct channel *c, bool one)
{
	static char packet[PACKET_HEADER + PACKET_MAX]; /* used up before any handler runs */

	for (int i = 0; i < DRAIN_MOST && !c->broken; i++) {
		int fds[MESSAGE_FDS_MAX];
		size_t fd_count = 0, len = 0;
		const char *why = NULL;
		bool complete = false;
		int r = receive_packet(c, packet, &len, fds, &fd_count, &why);

		if (r == 0)
			return;
		if (r > 0) {
			bool kept = !c->partial_open;

			why = take_packet(c, slice_of(packet, len), fds, fd_count, &complete);
			if (why && !(kept && c->partial_open))
				close_all(fds, &fd_count);
			if (!why && complete && !deliver(c, &why))
				return;
		}
		if (r < 0 || why)
			break_later(c, why);
		else if (complete && one)
			return;
	}
}

void channel_quiet(struct channel *c)
{
	event_del(c->readable);
}

void channel_drain(struct channel *c)
{
	receive(c, false);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct channel *c = arg;
	bool freed = false, last = c->gone, *outer = c->freed;

	(void)fd;
	(void)what;
	c->freed = &freed;
	/* One message: the loop says when there is another, which is cheaper than a read in vain and fairer to the other channels. */
	receive(c, !last);
	if (freed) {
		if (outer)
			*outer = true;
		return;
	}
	c->freed = outer;
	if (last)
		break_later(c, NULL);
	if (c->broken && event_pending(c->readable, EV_READ, NULL)) {
		event_del(c->readable);
		c->ops->broken(c->ctx, c, c->broken_why);
	}
}
