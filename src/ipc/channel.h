/*
 * A channel: one end of a SOCK_SEQPACKET pair between two processes, driven by libevent. Who sent a message is known from the channel,
 * never from the message. A message longer than a packet travels in several, put together up to the maximum that the table states for it.
 *
 * A channel breaks when its peer closes it, sends what the table does not permit, or stops reading while the bounded queue fills.
 * Then `broken` is called once, from the event loop and never from inside channel_send; the owner frees the channel there or later.
 * What a peer sent before it closed is handed on first, also when it closed with messages of ours unread.
 */
#pragma once

#include "ipc/message.h"

struct event_base;
struct channel;

struct channel_ops {
	/* One message, which the peer was permitted to send. Freeing the channel in here is allowed. */
	void (*message)(void *ctx, struct channel *channel, struct message *message);
	/* `why` is printable and NULL when the peer simply closed. */
	void (*broken)(void *ctx, struct channel *channel, const char *why);
};

/* Takes `fd` over, also on failure. 0 or -errno. */
int channel_new(struct event_base *base, int fd, enum process self, enum process peer, const struct channel_ops *ops, void *ctx,
		struct channel **ret_channel);

/* Closes and forgets; what is queued is lost. NULL is fine. */
void channel_free(struct channel *channel);

/* Which messages are permitted now; a new channel is in PHASE_SETUP. */
void channel_set_phase(struct channel *channel, enum channel_phase phase);

/*
 * Sends, or queues what the socket does not take now. Descriptors are duplicated by the kernel and stay the caller's. The message must be one
 * that this end may send (asserted). 0; -EPIPE when the peer is gone or the channel broken; -ENOBUFS when its queue is full (it breaks then); or an encoding error.
 */
int channel_send(struct channel *channel, enum message_type type, const void *msg);

/*
 * As channel_send, but the message may wait a millisecond for the next one: for what nobody waits for, so that it costs the peer no wake-up
 * of its own. The order of messages stays.
 */
int channel_send_later(struct channel *channel, enum message_type type, const void *msg);

/* From now on this channel wakes nobody here: what arrives is handled when channel_drain is called, and only then; its end is not told. */
void channel_quiet(struct channel *channel);

/*
 * Handles what has arrived, without waiting. The owner uses it to read one peer before another. A handler may have freed the channel
 * by the time this returns; `broken` still comes from the event loop.
 */
void channel_drain(struct channel *channel);

/*
 * Blocks until what is queued is sent or the channel breaks; for the last words before an exit. A peer that takes nothing for two seconds
 * is given up.
 */
void channel_flush(struct channel *channel);

/*
 * Bytes of memory that wait to be sent; the channel breaks above 64 MiB. Who sends on behalf of a stranger looks here and refuses the
 * stranger long before, because a channel between two processes that breaks costs everybody.
 */
size_t channel_queued(const struct channel *channel);

enum process channel_peer(const struct channel *channel);
int channel_fd(const struct channel *channel);
