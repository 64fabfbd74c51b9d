/*
 * The pen: the only writer to a server. Each function writes one JSON-RPC line, made here from decoded parts, in canonical form.
 * What the pipe does not take is queued up to a maximum; a server that does not read breaks the pen.
 */
#pragma once

#include <event2/event.h>

#include "parse/json.h"

struct pen;

/* Takes `fd` (non-blocking) over, also on failure. `broken` is called once, from the event loop; the owner frees the pen there or later. */
struct pen *pen_new(struct event_base *loop, int fd, void (*broken)(void *ctx, const char *why), void *ctx);
void pen_free(struct pen *pen);

/* All of these: 0, -EPIPE when the pen is broken (or is now), -ENOMEM. */
int pen_initialize(struct pen *pen);
int pen_initialized(struct pen *pen);
int pen_list_tools(struct pen *pen, uint32_t id, struct slice cursor);
int pen_call(struct pen *pen, uint64_t id, struct slice tool, struct slice arguments, bool progress);
int pen_ping(struct pen *pen);
int pen_cancel(struct pen *pen, uint64_t id, struct slice reason);

/* Answers a request of the server's own: ping with {}, anything else with "method not found". */
int pen_answer(struct pen *pen, const struct json *id, struct slice method);
