/*
 * The messages of messages.tbl.h as an enum, a struct for each, and one codec that walks the table. The decoder believes nothing:
 * a length past the end, a field over its maximum, text that is not UTF-8 or holds NUL, leftover bytes, a wrong number of descriptors are errors.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "ipc/process.h"

/* A list of texts as it travels; message_list_next walks it. */
struct message_list {
	uint32_t count;
	struct slice bytes; /* each item: u32 length, then the bytes */
};

#define U8(name) uint8_t name;
#define U32(name) uint32_t name;
#define U64(name) uint64_t name;
#define TEXT(name, max) struct slice name;
#define BYTES(name, max) struct slice name;
#define LIST(name, items, max) struct message_list name;
#define FD(name) int name;

#define MESSAGE(name, senders, receivers, phases, often, ...) MSG_##name,
enum message_type {
#include "ipc/messages.tbl.h"
	MESSAGE_COUNT
};
#undef MESSAGE

#define MESSAGE(name, senders, receivers, phases, often, ...)                                                                      \
	struct msg_##name {                                                                                                        \
		__VA_ARGS__                                                                                                        \
	};
#include "ipc/messages.tbl.h"
#undef MESSAGE

/* A decoded message. Slices borrow from the packet; descriptors belong to the message until a handler takes them (fd_take). */
struct message {
	enum message_type type;
	union {
#define MESSAGE(name, senders, receivers, phases, often, ...) struct msg_##name name;
#include "ipc/messages.tbl.h"
#undef MESSAGE
	};
};

#undef U8
#undef U32
#undef U64
#undef TEXT
#undef BYTES
#undef LIST
#undef FD

enum { MESSAGE_FDS_MAX = 3 };

/* What the table says of a message. */
struct message_rule {
	const char *name;
	unsigned senders, receivers; /* bits 1 << enum process */
	unsigned phases;             /* bits of enum channel_phase */
	bool once;
	size_t max; /* bytes of the longest encoding */
};

enum channel_phase { PHASE_SETUP = 1, PHASE_SERVING = 2 };

const struct message_rule *message_rule(enum message_type type);

/*
 * Appends the encoding of `msg` (a struct msg_X of that type) without its descriptors, which are listed, borrowed, in fds.
 * 0, -EMSGSIZE when a field is over its maximum or `out` is full, -EINVAL when a text is not text, -EBADF when a descriptor is missing, -ENOMEM.
 */
int message_encode(enum message_type type, const void *msg, struct buf *out, int fds[MESSAGE_FDS_MAX], size_t *ret_fd_count);

/*
 * Decodes one message; on success it owns the descriptors (message_clear closes what nobody took). 0, -EBADMSG with the reason
 * (a literal) in *ret_why; then the descriptors stay the caller's.
 */
int message_decode(enum message_type type, struct slice bytes, const int *fds, size_t fd_count, struct message *ret_message,
		   const char **ret_why);
void message_clear(struct message *message);

/* Walks a list: true and the next item, or false at its end. Start with *at = 0. */
bool message_list_next(const struct message_list *list, size_t *at, struct slice *ret_item);

/*
 * Makes a list from NULL-terminated strings into `out`, which must outlive it and not grow meanwhile: each list has a buffer of its own.
 * 0 or a buf error.
 */
int message_list_make(char *const *strings, struct buf *out, struct message_list *ret_list);
