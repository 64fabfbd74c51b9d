/*
 * What a sandboxed program writes to its standard error, kept for a person who looks for a fault. The bytes are a stranger's:
 * nothing here reads them, and whoever shows them escapes them (base/text.h). Bounded: two files, NAME.log and NAME.log.1, that
 * take turns.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SIDE_LOG_NAME_MAX 72

struct side_log {
	int dir_fd;  /* borrowed */
	int fd;      /* the current file; -1 before the first byte */
	size_t used; /* bytes in it */
	size_t max;  /* bytes on disk, both files together */
	char name[SIDE_LOG_NAME_MAX + 5]; /* NAME.log */
};

/*
 * Ready to write into `dir_fd`, which must outlive it; what an earlier run left in NAME.log is kept and counted. Bytes of `name`
 * other than letters, digits, "-" and "_" become "_", so that a name can never be a path. `max` is at least 8192. 0 or -errno.
 */
int side_log_open(struct side_log *log, int dir_fd, const char *name, size_t max);

/*
 * Appends; when half the maximum is in the current file it becomes NAME.log.1 and a new one begins. 0 or -errno: then the bytes
 * are lost.
 */
int side_log_write(struct side_log *log, const void *bytes, size_t len);

void side_log_close(struct side_log *log);
