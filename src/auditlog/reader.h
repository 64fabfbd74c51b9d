/* Reading and proving a log, from its folder alone: without the key, without a lock, while it is being written. */
#pragma once

#include "auditlog/auditlog.h"
#include "auditlog/merkle.h"

enum auditlog_arguments {
	ARGUMENTS_NONE,
	ARGUMENTS_KEPT,    /* and they are those of the commitment */
	ARGUMENTS_ERASED,
	ARGUMENTS_WRONG,   /* missing, or not those of the commitment */
};

/* One entry; everything in it is valid until the next call on its reader. */
struct auditlog_entry {
	uint64_t seq;
	uint64_t offset;    /* of its record in `log` */
	struct slice text;  /* the canonical JSON as it was written: the Merkle leaf */
	struct json value;
	enum auditlog_arguments arguments_state;
	struct slice arguments; /* canonical JSON when kept, else empty */
};

struct auditlog_reader;

/* Opens `log` for reading, up to its size now. 0 and *ret_reader (caller: auditlog_reader_free), or -errno with *fault. */
int auditlog_reader_open(int dir_fd, struct auditlog_reader **ret_reader, struct auditlog_fault *fault);
void auditlog_reader_free(struct auditlog_reader *reader);

/* Takes in what was appended since. */
int auditlog_reader_extend(struct auditlog_reader *reader);

/* The next auditlog_next gives entry `seq`, or the end. */
void auditlog_reader_seek(struct auditlog_reader *reader, uint64_t seq);

/* 1 with the next entry; 0 at the end (an entry that is just being written is the end); -EBADMSG with *fault where the log is damaged. */
int auditlog_next(struct auditlog_reader *reader, struct auditlog_entry *ret_entry, struct auditlog_fault *fault);

/* An empty slice and 0 mean: any. */
struct auditlog_filter {
	struct slice agent, session;
	struct slice tool; /* "read_text_file" or "files.read_text_file" */
	struct slice kind; /* this one, or those that begin so */
	uint64_t since; /* from this number on */
};

bool auditlog_matches(const struct auditlog_filter *filter, const struct auditlog_entry *entry);

/* One thing that is wrong. */
struct auditlog_finding {
	const char *file;  /* "log", "checkpoint", "checkpoints", "key.pub", "frontier" */
	uint64_t seq;      /* the entry, 0 where it is about none */
	uint64_t offset;   /* byte within `file` */
	char what[256];    /* a clause: "does not match its checksum" */
};

/* Appends the finding as a sentence: "log: entry 17 at byte 4711 does not match its checksum". 0 or a buf error. */
int auditlog_finding_text(struct buf *out, const struct auditlog_finding *finding);

struct auditlog_verified {
	uint64_t entries;
	uint64_t signed_entries; /* those that the newest good checkpoint signs for */
	uint64_t checkpoints;    /* how many checkpoints hold */
	uint64_t arguments;      /* kept, and equal to their commitment */
	uint64_t erased;
	uint64_t findings;       /* reported, the first bad entry first */
	uint8_t root[MERKLE_HASH]; /* of all entries */
};

/*
 * Reads everything again and proves it: checksums, numbers without a gap, canonical form, arguments against their commitments, and the root at
 * every checkpoint that was ever signed, which also shows that the log only grew. `verifier_key` is the key to trust, empty for the folder's own
 * key.pub. 0 when it could be read, whatever was found; -EINVAL for a verifier key that is none; -errno.
 */
int auditlog_verify(int dir_fd, struct slice verifier_key, void (*report)(void *ctx, const struct auditlog_finding *finding), void *ctx,
		    struct auditlog_verified *ret_verified);

/*
 * Copies the log, which may be written meanwhile, into an empty folder, synced: every entry that was on the disk when it began, its checkpoints, and its
 * signing key. 0, or -errno with *fault.
 */
int auditlog_copy(int from_dir_fd, int to_dir_fd, struct auditlog_fault *fault);

/* That an entry is in the tree of a checkpoint. merkle_included checks it. */
struct auditlog_proof {
	uint64_t seq, size; /* entry number; entries in the tree */
	uint8_t leaf[MERKLE_HASH], root[MERKLE_HASH];
	size_t count;
	uint8_t path[MERKLE_LEVELS][MERKLE_HASH];
};

/* The proof for entry `seq` in the tree of the first `size` entries (0: all). 0, -ENOENT when there are not so many, or as auditlog_next. */
int auditlog_prove(struct auditlog_reader *reader, uint64_t seq, uint64_t size, struct auditlog_proof *ret_proof, struct auditlog_fault *fault);
