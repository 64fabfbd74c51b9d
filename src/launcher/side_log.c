#include "launcher/side_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"

static int file_open(struct side_log *log)
{
	struct stat st;

	log->fd = openat(log->dir_fd, log->name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (log->fd < 0)
		return -errno;
	if (fstat(log->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		fd_close(&log->fd);
		return -EINVAL;
	}
	log->used = (size_t)st.st_size;
	return 0;
}

int side_log_open(struct side_log *log, int dir_fd, const char *name, size_t max)
{
	size_t len = strlen(name);

	if (len == 0 || len > SIDE_LOG_NAME_MAX || max < 8192)
		return -EINVAL;
	*log = (struct side_log){ .dir_fd = dir_fd, .fd = -1, .max = max };
	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		log->name[i] = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ? c : '_';
	}
	memcpy(log->name + len, ".log", 5);
	return file_open(log);
}

static int turn(struct side_log *log)
{
	char old[sizeof(log->name) + 2];

	snprintf(old, sizeof(old), "%s.1", log->name);
	if (renameat(log->dir_fd, log->name, log->dir_fd, old) < 0 && errno != ENOENT)
		return -errno;
	fd_close(&log->fd);
	return file_open(log);
}

int side_log_write(struct side_log *log, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len) {
		size_t room = log->used < log->max / 2 ? log->max / 2 - log->used : 0;
		size_t part = len < room ? len : room;
		int r = log->fd < 0 || part == 0 ? turn(log) : io_write_all(log->fd, p, part);

		if (r < 0)
			return r;
		if (part == 0) {
			/* Somebody else keeps a file there that cannot be moved away: no room now, and no endless loop. */
			if (log->used >= log->max / 2)
				return -ENOSPC;
			continue;
		}
		log->used += part;
		p += part;
		len -= part;
	}
	return 0;
}

void side_log_close(struct side_log *log)
{
	fd_close(&log->fd);
}
