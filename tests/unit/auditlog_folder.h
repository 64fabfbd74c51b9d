/* For the tests of the audit log: a folder of its own for each test, and a stranger's hands on its files. */
#pragma once

#include "auditlog/auditlog.h"
#include "auditlog/frame.h"
#include "auditlog/reader.h"

enum { FOLDER_FILE_MAX = 64 << 20 };

/* A new empty folder, as a descriptor; its name is remembered for folder_remove. */
int folder_make(void);
void folder_remove(int dir_fd);

/* Whole files; these fail the test themselves. folder_put makes the file. */
void folder_get(int dir_fd, const char *name, struct buf *out);
void folder_put(int dir_fd, const char *name, struct slice bytes);
bool folder_there(int dir_fd, const char *name);
void folder_copy(int from, int to); /* every file */

/* The log opened, which must succeed, with a frontier at every checkpoint; and one entry {"agent": "dev", "session": n} of kind "call.intent" appended. */
struct auditlog *folder_open(int dir_fd);
uint64_t folder_append(struct auditlog *log, unsigned n, struct slice arguments);

/* How many findings there are; the first one's text is kept in `ret_first` (256 bytes) when that is not NULL. */
uint64_t folder_verify(int dir_fd, struct auditlog_verified *ret_verified, char *ret_first);

/* The records of a log, to be put together again otherwise. */
struct folder_record {
	struct slice bytes; /* both frames, within the buffer that was cut up */
	struct slice arguments, entry; /* the payloads; arguments with their nonce */
};
size_t folder_cut_up(struct slice log, struct folder_record *ret_records, size_t max);
