/* One question to a running family over its control socket, and the answer. */
#pragma once

#include "cli/place.h"
#include "ipc/message.h"

struct control_answer {
	uint8_t status;  /* CLI_OK, CLI_REFUSED or CLI_USAGE */
	char code[33];
	uint64_t entry;  /* on the log, 0: none */
	struct buf text; /* for people, may be empty */
	struct buf json; /* members of one object, when the question has such an answer */
	struct buf rows; /* of a statement of the store, packed */
	int copy;        /* of the store, open for reading; -1: not asked for */
};

struct channel;

/* A connected descriptor, or -errno: -ENOENT and -ECONNREFUSED when no family runs, -EPERM when another user listens there. */
int control_connect(const struct place *place);

/*
 * Sends one message over `fd` (taken over) and waits for the answer; a stopped family gives -EPIPE. 0 or -errno. The caller frees with control_answer_free.
 */
int control_ask(int fd, enum message_type type, const void *msg, struct control_answer *ret_answer);
void control_answer_free(struct control_answer *answer);

/* control_connect and control_ask, with every failure printed: CLI_OK or the exit status. */
int control_ask_running(const struct place *place, enum message_type type, const void *msg, struct control_answer *ret_answer);

/* control_connect, with every failure printed: 0 or the exit status. */
int control_connect_running(const struct place *place, int *ret_fd);

/*
 * Hears what becomes of approvals, over `fd` (taken over): `news` is called first with an empty id, once nothing is missed any more, and then with each. Gives
 * back what `news` did when that was not CLI_OK, and else, when the family is gone, CLI_REFUSED with the line printed.
 */
int control_watch(int fd, int (*news)(void *ctx, struct slice id, struct slice state), void *ctx);
