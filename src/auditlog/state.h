/* The log while it is open for appending. Private to this folder. */
#pragma once

#include <pthread.h>

#include "auditlog/auditlog.h"
#include "auditlog/frame.h"
#include "auditlog/note.h"

/* Bytes that a crash left and that were cut off; kept until an entry says so, which a full disk can delay. */
struct torn {
	const char *file;
	uint64_t offset, bytes, entries; /* whole entries among the bytes */
	char saved[48];                  /* the file that they were copied to, or empty */
};

struct auditlog {
	int dir_fd, fd, history_fd;
	struct auditlog_options options;
	struct note_key key;
	char key_line[128];
	uint8_t *secret; /* NOTE_SECRET bytes in guarded memory */

	/* Of the thread that appends. */
	struct buf entry, frames;
	bool tail_dirty; /* there may be bytes beyond `end`: a failed append could not take them back */
	struct torn torn[2];
	unsigned torn_count;

	/* Of the thread that syncs, or of the only one. */
	uint64_t history_end;
	bool history_dirty;
	uint64_t frontier_offset; /* of the one on the disk */

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	struct merkle tree; /* of everything appended */
	uint64_t end;       /* the log's size up to the last whole record */
	struct auditlog_progress progress;
	bool want_sync, want_checkpoint, stopping;
	bool running;
	pthread_t thread;
	int event_fd; /* -1 without the thread */
};

/* The tree's state at a checkpoint, as the file `frontier` keeps it. */
struct frontier {
	struct merkle tree;
	uint64_t offset; /* the log's size then */
};

/* Fills *fault and gives back `error`. */
int fault_set(struct auditlog_fault *fault, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

int sync_fd(struct auditlog *log, int fd);

/* Reads a regular file of at most `max` bytes, without following a link, into the empty buffer `out`. 0, -EMSGSIZE, -errno. */
int folder_read(int dir_fd, const char *name, size_t max, struct buf *out);

/* Whether there is a file of that name. */
bool folder_has(int dir_fd, const char *name);

/* Records what was cut off when the log was opened; 0 when there is nothing left to record. */
int append_torn(struct auditlog *log);

/* The key pair of the log: -ENOENT when there is none. */
int folder_load_key(struct auditlog *log, struct auditlog_fault *fault);

/* Makes key, log and first checkpoint in an empty folder; the key comes last, so that a key means that the rest was there. */
int folder_create(struct auditlog *log, struct auditlog_fault *fault);

/*
 * The newest checkpoint, from `checkpoint` and the end of `checkpoints` together. Opens the history for appending. A torn end of the history is
 * cut off and noted in log->torn.
 */
int folder_newest_checkpoint(struct auditlog *log, struct checkpoint *ret_newest, struct auditlog_fault *fault);

/* Appends to the history and syncs it, replaces `checkpoint`. 0 or -errno; *ret_lost is set when the history's state is unknown. */
int folder_add_checkpoint(struct auditlog *log, const struct checkpoint *checkpoint, bool *ret_lost);

/* The tree's state: 0, or -errno when it is missing or damaged, which only costs time. */
int folder_load_frontier(int dir_fd, struct frontier *ret_frontier);
int folder_save_frontier(int dir_fd, const struct frontier *frontier);
