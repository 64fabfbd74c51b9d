#include "judge/pen.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "ipc/wire.h"

enum { PEN_QUEUE_MAX = 32 * 1024 * 1024 };

struct pen {
	int fd;
	struct event *writable;
	struct buf out;
	bool broken;
	const char *why;
	void (*on_broken)(void *ctx, const char *why);
	void *ctx;
};

static void on_writable(evutil_socket_t fd, short what, void *arg);

struct pen *pen_new(struct event_base *loop, int fd, void (*broken)(void *ctx, const char *why), void *ctx)
{
	struct pen *p = calloc(1, sizeof(*p));

	if (!p) {
		close(fd);
		return NULL;
	}
	*p = (struct pen){ .fd = fd, .out = BUF_INIT(PEN_QUEUE_MAX), .on_broken = broken, .ctx = ctx };
	p->writable = event_new(loop, fd, EV_WRITE, on_writable, p);
	if (!p->writable) {
		pen_free(p);
		return NULL;
	}
	return p;
}

void pen_free(struct pen *p)
{
	if (!p)
		return;
	if (p->writable)
		event_free(p->writable);
	buf_free(&p->out);
	close(p->fd);
	free(p);
}

static int break_later(struct pen *p, const char *why)
{
	if (!p->broken) {
		p->broken = true;
		p->why = why;
		event_active(p->writable, EV_WRITE, 0);
	}
	return -EPIPE;
}

static int flush(struct pen *p)
{
	size_t done = 0;

	while (done < p->out.len) {
		ssize_t n = write(p->fd, p->out.ptr + done, p->out.len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return break_later(p, "it closed its input");
		done += (size_t)n;
	}
	buf_consume(&p->out, done);
	if (p->out.len)
		event_add(p->writable, NULL);
	return 0;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct pen *p = arg;

	(void)fd;
	(void)what;
	if (p->broken)
		p->on_broken(p->ctx, p->why);
	else
		flush(p);
}

/* ---- lines, with their members in canonical order ---- */

/* Ends a line that began at `start`; a line that could not be built whole is taken back. */
static int finish(struct pen *p, size_t start, int r)
{
	if (p->broken)
		return -EPIPE;
	if (r == 0)
		r = buf_add_char(&p->out, '\n');
	if (r < 0) {
		p->out.len = start;
		return r == -EMSGSIZE ? break_later(p, "it does not read its input") : r;
	}
	return start ? 0 : flush(p); /* something queued already: its turn comes */
}

static int add(struct pen *p, int r, const char *text)
{
	return r < 0 ? r : buf_add_str(&p->out, text);
}

static int add_u64(struct pen *p, int r, uint64_t n)
{
	return r < 0 ? r : buf_add_u64(&p->out, n);
}

static int add_string(struct pen *p, int r, struct slice s)
{
	return r < 0 ? r : json_write_string(&p->out, s);
}

int pen_initialize(struct pen *p)
{
	size_t start = p->out.len;
	int r = add(p, 0, "{\"id\":");

	r = add_u64(p, r, SERVER_ID_INITIALIZE);
	r = add(p, r, ",\"jsonrpc\":\"2.0\",\"method\":\"initialize\",\"params\":{\"capabilities\":{},"
		      "\"clientInfo\":{\"name\":\"bawn\",\"version\":\"" BAWN_VERSION "\"},\"protocolVersion\":\"2025-11-25\"}}");
	return finish(p, start, r);
}

int pen_initialized(struct pen *p)
{
	size_t start = p->out.len;

	return finish(p, start, add(p, 0, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"));
}

int pen_list_tools(struct pen *p, uint32_t id, struct slice cursor)
{
	size_t start = p->out.len;
	int r = add(p, 0, "{\"id\":");

	r = add_u64(p, r, id);
	r = add(p, r, ",\"jsonrpc\":\"2.0\",\"method\":\"tools/list\",\"params\":{");
	if (cursor.len) {
		r = add(p, r, "\"cursor\":");
		r = add_string(p, r, cursor);
	}
	return finish(p, start, add(p, r, "}}"));
}

int pen_call(struct pen *p, uint64_t id, struct slice tool, struct slice arguments, bool progress)
{
	size_t start = p->out.len;
	int r = add(p, 0, "{\"id\":");

	r = add_u64(p, r, id);
	r = add(p, r, ",\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{");
	if (progress) {
		r = add(p, r, "\"_meta\":{\"progressToken\":");
		r = add_u64(p, r, id);
		r = add(p, r, "},");
	}
	r = add(p, r, "\"arguments\":");
	if (r == 0)
		r = buf_add_slice(&p->out, arguments);
	r = add(p, r, ",\"name\":");
	r = add_string(p, r, tool);
	return finish(p, start, add(p, r, "}}"));
}

int pen_ping(struct pen *p)
{
	size_t start = p->out.len;
	int r = add(p, 0, "{\"id\":");

	r = add_u64(p, r, SERVER_ID_PING);
	return finish(p, start, add(p, r, ",\"jsonrpc\":\"2.0\",\"method\":\"ping\"}"));
}

int pen_cancel(struct pen *p, uint64_t id, struct slice reason)
{
	size_t start = p->out.len;
	int r = add(p, 0, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{");

	if (reason.len) {
		r = add(p, r, "\"reason\":");
		r = add_string(p, r, reason);
		r = add(p, r, ",");
	}
	r = add(p, r, "\"requestId\":");
	r = add_u64(p, r, id);
	return finish(p, start, add(p, r, "}}"));
}

int pen_answer(struct pen *p, const struct json *id, struct slice method)
{
	size_t start = p->out.len;
	bool ping = slice_eq(method, SLICE("ping"));
	int r = add(p, 0, ping ? "{\"id\":" : "{\"error\":{\"code\":-32601,\"message\":\"method not found\"},\"id\":");

	if (r == 0)
		r = json_write(&p->out, id);
	r = add(p, r, ping ? ",\"jsonrpc\":\"2.0\",\"result\":{}}" : ",\"jsonrpc\":\"2.0\"}");
	return finish(p, start, r);
}
