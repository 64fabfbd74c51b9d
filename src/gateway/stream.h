/*
 * Lines over descriptors that belong to strangers: a reader that is bounded, and a writer that never blocks. The descriptors may be
 * pipes (non-blocking by whoever opened them) or sockets (then used with MSG_DONTWAIT, so that the flags of an inherited one are not touched).
 */
#pragma once

#include <event2/event.h>

#include "base/buf.h"

struct reader;

/* Who goes on with one line for so long never means to end it: skimming what is too large costs no memory, but time, and that of others. */
enum { LINE_ENDLESS = 64 * 1024 * 1024 };

struct reader_ops {
	/* One line without its newline, valid during the call. */
	void (*line)(void *ctx, struct slice line);
	/* A line over the maximum, piece by piece; `last` comes with its end. */
	void (*oversize)(void *ctx, struct slice piece, bool last);
	/* End of file (why is NULL), an error, or a line of more than LINE_ENDLESS bytes. Called once; nothing is read afterwards. */
	void (*end)(void *ctx, const char *why);
};

/* Takes `fd` over, also on failure. NULL when there is no memory. */
struct reader *reader_new(struct event_base *loop, int fd, size_t max_line, const struct reader_ops *ops, void *ctx);
void reader_free(struct reader *reader); /* also from inside its own callbacks */
void reader_pause(struct reader *reader, bool pause);

struct writer;

struct writer_ops {
	void (*drained)(void *ctx); /* everything queued has been written */
	void (*broken)(void *ctx);  /* the other end is gone or the queue is full; called once, from the event loop */
};

struct writer *writer_new(struct event_base *loop, int fd, size_t max_queue, const struct writer_ops *ops, void *ctx);
void writer_free(struct writer *writer);

/* Where the next line is built; writer_send writes what has been added. */
struct buf *writer_buf(struct writer *writer);
void writer_send(struct writer *writer);
size_t writer_queued(const struct writer *writer);
