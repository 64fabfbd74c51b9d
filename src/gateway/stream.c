#include "gateway/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	READ_PIECE = 65536,
	LINES_MOST = 64, /* handled before the loop turns to others */
};

/* ---- descriptors ---- */

static ssize_t take_bytes(int fd, bool *socket, char *bytes, size_t len)
{
	if (*socket) {
		struct iovec iov = { .iov_base = bytes, .iov_len = len };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);

		if (n >= 0 || errno != ENOTSOCK)
			return n;
		*socket = false;
	}
	return read(fd, bytes, len);
}

static ssize_t give_bytes(int fd, bool *socket, char *bytes, size_t len)
{
	if (*socket) {
		struct iovec iov = { .iov_base = bytes, .iov_len = len };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0 || errno != ENOTSOCK)
			return n;
		*socket = false;
	}
	return write(fd, bytes, len);
}

/* ---- reading ---- */

struct reader {
	int fd;
	bool socket, paused, ended, oversize;
	struct event *readable;
	struct buf in;
	size_t scanned; /* bytes of `in` that hold no newline */
	size_t max_line;
	size_t skimmed; /* bytes of the oversize line that were handed out */
	const struct reader_ops *ops;
	void *ctx;
	bool *freed;
};

static void on_readable(evutil_socket_t fd, short what, void *arg);

struct reader *reader_new(struct event_base *loop, int fd, size_t max_line, const struct reader_ops *ops, void *ctx)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (!r) {
		close(fd);
		return NULL;
	}
	*r = (struct reader){ .fd = fd, .socket = true, .in = BUF_INIT(max_line + READ_PIECE), .max_line = max_line, .ops = ops, .ctx = ctx };
	r->readable = event_new(loop, fd, EV_READ | EV_PERSIST, on_readable, r);
	if (!r->readable || event_add(r->readable, NULL) < 0) {
		reader_free(r);
		return NULL;
	}
	return r;
}

void reader_free(struct reader *r)
{
	if (!r)
		return;
	if (r->freed)
		*r->freed = true;
	if (r->readable)
		event_free(r->readable);
	buf_free(&r->in);
	close(r->fd);
	free(r);
}

void reader_pause(struct reader *r, bool pause)
{
	if (r->paused == pause || r->ended)
		return;
	r->paused = pause;
	if (pause) {
		event_del(r->readable);
	} else {
		event_add(r->readable, NULL);
		event_active(r->readable, EV_READ, 0); /* lines may be waiting in the buffer */
	}
}

static void finish(struct reader *r, const char *why, const bool *freed)
{
	r->ended = true;
	event_del(r->readable);
	/* A last line without its newline is a line. */
	if (!why && !r->oversize && r->in.len)
		r->ops->line(r->ctx, buf_slice(&r->in));
	if (!*freed)
		r->ops->end(r->ctx, why);
}

/* Hands out what is in the buffer; stops when the reader is freed meanwhile. */
static void hand_out(struct reader *r, bool *freed)
{
	size_t start = 0;
	int lines = 0;

	while (!r->paused && lines++ < LINES_MOST) {
		char *newline = r->in.len > r->scanned ? memchr(r->in.ptr + r->scanned, '\n', r->in.len - r->scanned) : NULL;
		size_t end = newline ? (size_t)(newline - r->in.ptr) : r->in.len;
		struct slice piece = slice_of(r->in.ptr + start, end - start);

		if (!newline && piece.len <= r->max_line) {
			r->scanned = r->in.len;
			break;
		}
		/* Advanced before the call: the callback may pause or free. */
		start = newline ? end + 1 : end;
		r->scanned = start;
		if (r->oversize || piece.len > r->max_line) {
			r->oversize = !newline;
			r->skimmed = newline ? 0 : r->skimmed + piece.len;
			r->ops->oversize(r->ctx, piece, newline);
		} else if (piece.len) {
			r->ops->line(r->ctx, piece);
		}
		if (*freed)
			return;
	}
	buf_consume(&r->in, start);
	r->scanned -= start;
	if (r->skimmed > LINE_ENDLESS) {
		finish(r, "it wrote a line of more than 64 MiB", freed);
		return;
	}
	if (r->in.len == 0 && r->in.cap > 256 * 1024)
		buf_free(&r->in);
	if (!r->paused && lines > LINES_MOST)
		event_active(r->readable, EV_READ, 0);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct reader *r = arg;
	bool freed = false;
	ssize_t n = -1;

	(void)what;
	if (r->ended)
		return;
	r->freed = &freed;
	errno = EAGAIN;
	/* While whole lines wait in the buffer there is no need for more. */
	if (r->scanned == r->in.len && buf_reserve(&r->in, READ_PIECE) == 0)
		n = take_bytes(fd, &r->socket, r->in.ptr + r->in.len, READ_PIECE);
	if (n > 0)
		r->in.len += (size_t)n;
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		finish(r, "reading it failed", &freed);
	else if (n == 0)
		finish(r, NULL, &freed);
	if (!freed && !r->ended)
		hand_out(r, &freed);
	if (!freed)
		r->freed = NULL;
}

/* ---- writing ---- */

struct writer {
	int fd;
	bool socket, broken;
	struct event *writable;
	struct buf out;
	size_t sent;
	const struct writer_ops *ops;
	void *ctx;
};

static void on_writable(evutil_socket_t fd, short what, void *arg);

struct writer *writer_new(struct event_base *loop, int fd, size_t max_queue, const struct writer_ops *ops, void *ctx)
{
	struct writer *w = calloc(1, sizeof(*w));

	if (!w) {
		close(fd);
		return NULL;
	}
	*w = (struct writer){ .fd = fd, .socket = true, .out = BUF_INIT(max_queue), .ops = ops, .ctx = ctx };
	w->writable = event_new(loop, fd, EV_WRITE, on_writable, w);
	if (!w->writable) {
		writer_free(w);
		return NULL;
	}
	return w;
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	if (w->writable)
		event_free(w->writable);
	buf_free(&w->out);
	close(w->fd);
	free(w);
}

struct buf *writer_buf(struct writer *w)
{
	return &w->out;
}

size_t writer_queued(const struct writer *w)
{
	return w->out.len - w->sent;
}

static void break_later(struct writer *w)
{
	w->broken = true;
	event_active(w->writable, EV_WRITE, 0);
}

/* Writes what it can; true when everything is out. */
static bool flush(struct writer *w)
{
	while (w->sent < w->out.len) {
		ssize_t n = give_bytes(w->fd, &w->socket, w->out.ptr + w->sent, w->out.len - w->sent);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			event_add(w->writable, NULL);
			/* Moved to the front only when that is most of it: moving costs, too. */
			if (w->sent > w->out.len / 2) {
				buf_consume(&w->out, w->sent);
				w->sent = 0;
			}
			return false;
		}
		if (n < 0) {
			break_later(w);
			return false;
		}
		w->sent += (size_t)n;
	}
	w->sent = 0;
	if (w->out.cap > 256 * 1024)
		buf_free(&w->out);
	buf_clear(&w->out);
	return true;
}

void writer_send(struct writer *w)
{
	if (!w->broken && !event_pending(w->writable, EV_WRITE, NULL))
		flush(w);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct writer *w = arg;

	(void)fd;
	(void)what;
	if (w->broken)
		w->ops->broken(w->ctx);
	else if (flush(w))
		w->ops->drained(w->ctx);
}
