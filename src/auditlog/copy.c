/* A copy of a log that may be written meanwhile. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auditlog/reader.h"
#include "auditlog/scan.h"
#include "auditlog/state.h"
#include "base/cleanup.h"
#include "base/io.h"

enum { PIECE = 256 << 10, NOTE_READ = 2 * NOTE_MAX };

struct copy {
	int from, to; /* folders */
	struct auditlog_fault *fault;
};

static int fail(const struct copy *c, int error, const char *name)
{
	return fault_set(c->fault, error, "%s: %s", name, strerror(-error));
}

static int write_new(const struct copy *c, const char *name, mode_t mode, int *ret_fd)
{
	*ret_fd = openat(c->to, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	return *ret_fd < 0 ? fail(c, -errno, name) : 0;
}

/* The bytes up to `end`, or up to where the file ends by now, synced. */
static int copy_bytes(const struct copy *c, int from, uint64_t end, const char *name, mode_t mode)
{
	cleanup_free char *piece = malloc(PIECE);
	cleanup_fd int to = -1;
	uint64_t at = 0;
	int r = piece ? write_new(c, name, mode, &to) : -ENOMEM;

	while (r == 0 && at < end) {
		ssize_t n = read_at(from, piece, end - at < PIECE ? (size_t)(end - at) : PIECE, at);

		if (n == 0)
			break;
		r = n < 0 ? (int)n : io_write_all(to, piece, (size_t)n);
		at += n < 0 ? 0 : (uint64_t)n;
		if (r < 0)
			fail(c, r, name);
	}
	if (r == 0 && fsync(to) < 0)
		r = fail(c, -errno, name);
	return r;
}

static int open_file(const struct copy *c, const char *name, int *ret_fd)
{
	struct stat st;

	*ret_fd = openat(c->from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (*ret_fd < 0 || fstat(*ret_fd, &st) < 0)
		return fail(c, -errno, name);
	return S_ISREG(st.st_mode) ? 0 : fail(c, -EINVAL, name);
}

static int copy_file(const struct copy *c, const char *name, mode_t mode)
{
	cleanup_fd int fd = -1;
	int r = open_file(c, name, &fd);

	return r == 0 ? copy_bytes(c, fd, UINT64_MAX, name, mode) : r;
}

/* Where in the history the note ends that `checkpoint` holds: it was appended there before. What stands behind it is of a newer one. */
static int note_end(int fd, struct slice note, uint64_t *ret_end)
{
	cleanup_buf struct buf tail = BUF_INIT(NOTE_READ + PIECE);
	struct stat st;
	uint64_t from;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (buf_reserve(&tail, NOTE_READ + PIECE) < 0)
		return -ENOMEM;
	from = (uint64_t)st.st_size;
	do {
		const char *found;
		ssize_t n;

		/* Each window reaches a note's length into the one behind it. */
		from = from > PIECE ? from - PIECE : 0;
		n = read_at(fd, tail.ptr, NOTE_READ + PIECE, from);
		if (n < 0)
			return (int)n;
		found = memmem(tail.ptr, (size_t)n, note.ptr, note.len);
		if (found) {
			*ret_end = from + (uint64_t)(found - tail.ptr) + note.len;
			return 0;
		}
	} while (from);
	return -EBADMSG;
}

/* The newest checkpoint first, then the history up to it, then the log: each is at least as far as what was copied before it. */
static int copy_checkpoints(const struct copy *c)
{
	cleanup_buf struct buf note = BUF_INIT(0);
	cleanup_fd int history = -1;
	uint64_t end = 0;
	int r = folder_read(c->from, "checkpoint", NOTE_MAX, &note);

	if (r < 0)
		return fail(c, r, "checkpoint");
	r = open_file(c, "checkpoints", &history);
	if (r == 0) {
		r = note_end(history, buf_slice(&note), &end);
		if (r == -EBADMSG) { /* somebody has signed it besides: then as it is */
			end = UINT64_MAX;
			r = 0;
		}
		if (r < 0)
			fail(c, r, "checkpoints");
	}
	if (r == 0)
		r = copy_bytes(c, history, end, "checkpoints", 0600);
	if (r == 0) {
		r = io_replace_file(c->to, "checkpoint", 0600, note.ptr, note.len);
		if (r < 0)
			fail(c, r, "checkpoint");
	}
	return r;
}

/* Up to the last whole record that is on the disk now: what is written meanwhile is after the copy. */
static int copy_log(const struct copy *c)
{
	cleanup_fd int fd = -1;
	struct record record;
	struct scan scan = { 0 };
	int r = open_file(c, "log", &fd);

	if (r < 0)
		return r;
	r = scan_begin(&scan, fd, FRAME_MAGIC_LEN);
	if (r == 0 && fdatasync(fd) < 0)
		r = -errno;
	while (r == 0 && (r = scan_next(&scan, &record)) > 0)
		r = 0;
	if (r == -ENODATA)
		r = 0; /* one that is just being written */
	if (r < 0)
		fault_set(c->fault, r, "log: at byte %llu: %s", (unsigned long long)scan.offset, r == -EBADMSG ? "it is damaged" : strerror(-r));
	if (r == 0)
		r = copy_bytes(c, fd, scan.offset, "log", 0600);
	scan_free(&scan);
	return r;
}

/* What was cut off after a crash, and kept. */
static int copy_cuts(const struct copy *c)
{
	int fd = openat(c->from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return fail(c, r, "the folder");
	}
	while (r == 0 && (entry = readdir(dir)))
		if (strncmp(entry->d_name, "cut-", 4) == 0)
			r = copy_file(c, entry->d_name, 0600);
	closedir(dir);
	return r;
}

int auditlog_copy(int from_dir_fd, int to_dir_fd, struct auditlog_fault *fault)
{
	struct copy c = { .from = from_dir_fd, .to = to_dir_fd, .fault = fault };
	int r = copy_file(&c, "key", 0600);

	if (r == 0)
		r = copy_file(&c, "key.pub", 0644);
	if (r == 0)
		r = copy_checkpoints(&c);
	if (r == 0)
		r = copy_log(&c);
	if (r == 0)
		r = copy_cuts(&c);
	if (r == 0 && fsync(to_dir_fd) < 0)
		r = fail(&c, -errno, "the folder");
	return r;
}
