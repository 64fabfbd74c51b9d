/* Whole reads and writes on descriptors, and paths held in bounded buffers. 0 or -errno. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

/* Writes all of it to a blocking descriptor, going on after signals. */
int io_write_all(int fd, const void *bytes, size_t len);

/* Appends everything up to end of file; -EMSGSIZE when `out`'s maximum would be passed. */
int io_read_all(int fd, struct buf *out);

/* io_read_all of dir_fd/path, opened read-only without following a final symbolic link. */
int io_read_file(int dir_fd, const char *path, struct buf *out);

/* Writes dir_fd/path so that it is either the old content or all of the new, also after a crash. */
int io_replace_file(int dir_fd, const char *path, mode_t mode, const void *bytes, size_t len);

/* Makes each missing folder of an absolute path, mode 0700; -ENOTDIR where a part is something else. */
int io_make_folders(const char *path);
