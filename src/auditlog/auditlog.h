/*
 * The audit log: a file that only grows, whose entries are the leaves of a Merkle tree (RFC 6962) with signed checkpoints (C2SP).
 * docs/audit.md describes the files, the record and what can and cannot be proven.
 *
 * Everything lives under one directory descriptor and is reached by name beneath it only:
 *
 *     log           the entries and their arguments (frame.h)
 *     checkpoint    the newest signed checkpoint; `checkpoints` holds every one, oldest first
 *     frontier      the tree's state at a checkpoint, some MiB before the end at most, so that opening need not read the whole of a long log
 *     key, key.pub  the signing key (seed, 0600) and its verifier key line
 *     cut-...       bytes that were cut off after a crash although whole entries were among them
 *
 * One process appends: it holds an exclusive lock on `log`. Any number may read and verify meanwhile, without the key.
 * Functions give 0 or -errno and never log; where people need to know more there is a fault with a sentence.
 */
#pragma once

#include <stdint.h>

#include "parse/json.h"

enum {
	AUDITLOG_ENTRY_MAX = 64 << 10,    /* bytes of an entry's canonical JSON */
	AUDITLOG_ARGUMENTS_MAX = 4 << 20, /* bytes of canonical JSON */
	AUDITLOG_FIELDS_MAX = 64,         /* members of an entry that the caller gives */
	AUDITLOG_FRONTIER_BYTES = 4 << 20,
};

struct auditlog;

/* What went wrong, where. */
struct auditlog_fault {
	char what[384]; /* one printable sentence without a full stop: `log: entry 17 at byte 4711 does not match its checksum` */
};

/* For tests; all may be NULL or 0. */
struct auditlog_options {
	uint64_t (*now_us)(void *ctx);      /* wall clock, microseconds; NULL: the real one */
	int (*sync)(void *ctx, int fd);     /* fdatasync: 0 or -errno */
	void *ctx;
	uint64_t frontier_bytes; /* how much of the log opening may have to read again; 0: AUDITLOG_FRONTIER_BYTES */
};

/*
 * Opens the log for appending, and makes it on first use. 0 and *ret_log (caller: auditlog_close), or
 *   -EWOULDBLOCK  another process has it open,
 *   -EBADMSG      something is missing or altered below the newest checkpoint, or key, checkpoint and history do not agree,
 *   another -errno; all with *fault set.
 * A torn end of the log above the newest checkpoint is cut off and recorded (kind "log.recovered"). When this returns, everything that the log
 * holds is synced. `dir_fd` is duplicated; it must be open for reading (not O_PATH).
 */
int auditlog_open(int dir_fd, const struct auditlog_options *options, struct auditlog **ret_log, struct auditlog_fault *fault);

/* Stops the syncing thread if there is one, releases the lock and everything else. Makes no checkpoint. */
void auditlog_close(struct auditlog *log);

/*
 * Appends one entry: `kind`, the members of the object `fields` (NULL for none), and what this adds itself: "v", "seq", "time", "kind" and, with
 * `arguments` (canonical JSON, empty for none), a commitment to them. 0 and *ret_seq, the entry's number, counted from 1, or
 *   -EINVAL    a reserved or repeated name, more than AUDITLOG_FIELDS_MAX fields, malformed UTF-8, no kind,
 *   -EMSGSIZE  entry or arguments too long,
 *   -ENOSPC and the like: nothing was appended, and the next call tries anew,
 *   -EIO       also for good once a sync has failed, since nobody knows what the disk then holds; close and open again.
 * The entry is in the file, not yet on the disk.
 */
int auditlog_append(struct auditlog *log, struct slice kind, const struct json *fields, struct slice arguments, uint64_t *ret_seq);

/* The number of the last entry; 0 when there is none. */
uint64_t auditlog_last(const struct auditlog *log);

/* The public key as a verifier key line of C2SP, valid as long as the log. */
struct slice auditlog_verifier_key(const struct auditlog *log);

/* Waits until everything appended so far is on the disk. Not to be used while the syncing thread runs. */
int auditlog_sync(struct auditlog *log);

/* auditlog_sync, then a signed checkpoint of everything appended so far unless there is one already. Not while the syncing thread runs. */
int auditlog_checkpoint(struct auditlog *log);

/*
 * Group commit: a thread of the log's own that syncs and signs, so that appending never waits. auditlog_start gives a descriptor (the log's own) that
 * becomes readable whenever there is news, which auditlog_progress then tells. What is asked for while a sync runs is done with the next one.
 */
int auditlog_start(struct auditlog *log, int *ret_event_fd);
void auditlog_want_sync(struct auditlog *log);
void auditlog_want_checkpoint(struct auditlog *log); /* implies a sync */

struct auditlog_progress {
	uint64_t durable;      /* entries up to this number are on the disk */
	uint64_t checkpoint;   /* entries up to this number are signed for */
	int sync_error;        /* 0, or -errno for good: auditlog_append says -EIO from now on */
	int checkpoint_error;  /* 0, or why the newest checkpoint could not be written; the next one tries again */
};

/* Clears the descriptor and tells how far it has come. Also without the thread. */
void auditlog_progress(struct auditlog *log, struct auditlog_progress *ret_progress);

/* Has everything done that was asked for, then ends the thread. */
void auditlog_stop(struct auditlog *log);
