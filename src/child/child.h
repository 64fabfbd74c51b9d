/*
 * How each process of the family but init begins: an event loop, the channel to init, confinement, and the word to init that it is
 * ready, with the measured layers. Only then does it read anything.
 */
#pragma once

#include <event2/event.h>

#include "confine/confine.h"
#include "ipc/channel.h"

struct child {
	enum process self;
	struct event_base *loop;
	struct channel *init;
	struct confine_report report;
};

/* Makes the loop and the channel on FD_INIT_CHANNEL. What else the process opens, it opens between this and child_confine. 0 or -errno. */
int child_begin(enum process self, const struct channel_ops *ops, void *ctx, struct child *ret_child);

/* Confines, tells init, and lets messages in. On failure the reason is logged and told to init; the process must exit. */
int child_confine(struct child *child, const struct confine_plan *plan);

/* The same in two steps, for a process that must read something of its own, confined, before it can say that it is ready. */
int child_confine_self(struct child *child, const struct confine_plan *plan);
int child_ready(struct child *child);

/*
 * A sibling broke the rules of its channel: says so in the log and to init, which kills it. `session` is 0 but for a gateway. A gateway itself
 * only logs it: init takes no such word from it.
 */
void child_misbehaved(struct child *child, enum process peer, uint64_t session, const char *why);

/* The process cannot go on, and a restart would not help: tells init why (a gateway: its log). The process must exit. */
void child_fatal(struct child *child, const char *why);

/* Handles events until event_base_loopbreak or loopexit; then sends what is queued for init. The exit status. */
int child_run(struct child *child);

/* For the `peer` message: a channel that may be used at once. 0 or -errno; `fd` is taken over. */
int child_connect(struct child *child, enum process peer, int fd, const struct channel_ops *ops, void *ctx, struct channel **ret_channel);
