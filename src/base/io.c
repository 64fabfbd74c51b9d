#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

int io_write_all(int fd, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int io_read_all(int fd, struct buf *out)
{
	for (;;) {
		char chunk[16384];
		ssize_t n = read(fd, chunk, sizeof(chunk));
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		r = buf_add(out, chunk, (size_t)n);
		if (r < 0)
			return r;
	}
}

int io_read_file(int dir_fd, const char *path, struct buf *out)
{
	cleanup_fd int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	return fd < 0 ? -errno : io_read_all(fd, out);
}

int io_replace_file(int dir_fd, const char *path, mode_t mode, const void *bytes, size_t len)
{
	cleanup_fd int fd = -1;
	char temporary[PATH_MAX];
	int r;

	r = snprintf(temporary, sizeof(temporary), "%s.new", path);
	if (r < 0 || (size_t)r >= sizeof(temporary))
		return -ENAMETOOLONG;
	if (unlinkat(dir_fd, temporary, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return -errno;
	r = io_write_all(fd, bytes, len);
	if (r == 0 && (fsync(fd) < 0 || renameat(dir_fd, temporary, dir_fd, path) < 0))
		r = -errno;
	if (r < 0)
		unlinkat(dir_fd, temporary, 0);
	return r;
}

int io_make_folders(const char *path)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (path[0] != '/')
		return -EINVAL;
	if (len >= sizeof(part))
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= len; i++) {
		struct stat st;

		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0700) == 0)
			continue;
		if (errno != EEXIST)
			return -errno;
		if (stat(part, &st) < 0)
			return -errno;
		if (!S_ISDIR(st.st_mode))
			return -ENOTDIR;
	}
	return 0;
}
