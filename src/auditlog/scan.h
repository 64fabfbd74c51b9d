/* Reads a log file record after record through a window, up to the size that it had when the scan began. */
#pragma once

#include <sys/types.h>

#include "auditlog/frame.h"

struct record {
	uint64_t offset;  /* of its first byte */
	uint64_t size;    /* both frames; as far as it is known when there is a fault */
	struct slice entry;     /* canonical JSON; valid until the next call on the scan, like the two below */
	struct slice nonce;     /* empty when there are no arguments, or they are erased */
	struct slice arguments;
	size_t arguments_len;   /* as the frame says, erased or not; 0 for none */
	bool erased;
	uint64_t fault_offset;
	const char *fault; /* NULL, or a clause: "does not match its checksum" */
};

struct scan {
	int fd;              /* borrowed */
	uint64_t offset;     /* where the next record begins */
	uint64_t end;        /* the file's size, as taken by scan_begin or scan_extend */
	struct buf window;
	uint64_t window_offset;
};

/* Begins at byte `offset`. 0 or -errno. scan_free releases the window. */
int scan_begin(struct scan *scan, int fd, uint64_t offset);
void scan_free(struct scan *scan);

/* Takes the file's size anew and forgets what was read. */
int scan_extend(struct scan *scan);

/* The next record begins there. */
void scan_seek(struct scan *scan, uint64_t offset);

/*
 * 1 with a record, which may carry a fault that leaves its bounds certain (a checksum); 0 at the end; -ENODATA when the file ends inside a
 * record, -EBADMSG when no record can be made out here (both with *ret_record's offset and fault set, and the scan stays where it is);
 * another -errno when reading fails.
 */
int scan_next(struct scan *scan, struct record *ret_record);

/* How many whole entries there are from `offset` on, where records can no longer be followed. 0 or -errno. */
int scan_count_lost(int fd, uint64_t offset, uint64_t *ret_entries);

/* Whether the file's first line is that of a log: 0, -EBADMSG, -errno. */
int scan_check_magic(int fd);

/* pread of exactly `len` bytes, or up to the end of the file: how many, or -errno. */
ssize_t read_at(int fd, void *bytes, size_t len, uint64_t offset);
