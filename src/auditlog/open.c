/* Opening: lock, key, newest checkpoint, and everything that comes after it. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>

#include "auditlog/entry.h"
#include "auditlog/scan.h"
#include "auditlog/state.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"

enum { ARENA_MAX = 8 << 20 }; /* for the tree of one entry of 64 KiB */

/* Opens or makes the file and locks it. An open file description's lock goes with the descriptor, whatever else the process closes. */
static int open_log(struct auditlog *log, struct auditlog_fault *fault)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
	struct stat st;

	log->fd = openat(log->dir_fd, "log", flags);
	if (log->fd < 0 && errno == ENOENT) {
		if (folder_has(log->dir_fd, "key"))
			return fault_set(fault, -EBADMSG, "log: is missing, though its key and checkpoints are there");
		log->fd = openat(log->dir_fd, "log", flags | O_CREAT, 0600);
	}
	if (log->fd < 0 || fstat(log->fd, &st) < 0)
		return fault_set(fault, -errno, "log: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fault_set(fault, -EBADMSG, "log: is not a file");
	if (fcntl(log->fd, F_OFD_SETLK, &lock) < 0) {
		if (errno == EAGAIN || errno == EACCES)
			return fault_set(fault, -EWOULDBLOCK, "log: another process is writing it");
		return fault_set(fault, -errno, "log: cannot lock: %s", strerror(errno));
	}
	return 0;
}

/* Loads the key, or makes a new log where there is none at all. */
static int load_or_create(struct auditlog *log, struct auditlog_fault *fault)
{
	struct stat st;
	int r = folder_load_key(log, fault);

	if (r != -ENOENT)
		return r;
	if (fstat(log->fd, &st) < 0)
		return fault_set(fault, -errno, "log: %s", strerror(errno));
	/* Making a log writes its key last: without a key nothing was ever appended. */
	if (st.st_size > FRAME_MAGIC_LEN)
		return fault_set(fault, -EBADMSG, "key: is missing, so that this log cannot be continued; keep the folder, and begin with an empty one");
	return folder_create(log, fault);
}

/* The sentence for a record that cannot be. */
static int bad_record(struct auditlog_fault *fault, uint64_t seq, uint64_t offset, const char *what)
{
	return fault_set(fault, -EBADMSG, "log: entry %llu at byte %llu %s", (unsigned long long)seq, (unsigned long long)offset, what);
}

/* Takes one record after the checkpoint: it must be the next entry, since the tree does not vouch for it. */
static int take_unsigned(struct auditlog *log, const struct record *record, struct auditlog_fault *fault)
{
	cleanup_arena struct arena arena = ARENA_INIT(ARENA_MAX);
	uint64_t due = log->tree.size + 1, seq = 0;
	struct json value;
	const char *wrong = entry_read(&arena, record->entry, &value, &seq);

	if (wrong)
		return bad_record(fault, due, record->offset, wrong);
	if (seq != due)
		return fault_set(fault, -EBADMSG, "log: entry %llu at byte %llu stands where entry %llu is due", (unsigned long long)seq,
				 (unsigned long long)record->offset, (unsigned long long)due);
	wrong = entry_check_arguments(&value, record);
	return wrong ? bad_record(fault, due, record->offset, wrong) : 0;
}

static int check_root(const struct auditlog *log, const struct checkpoint *newest, struct auditlog_fault *fault)
{
	uint8_t root[MERKLE_HASH];

	merkle_root(&log->tree, root);
	if (memcmp(root, newest->root, sizeof(root)) == 0)
		return 0;
	return fault_set(fault, -EBADMSG, "log: the first %llu entries are not those that were signed (`bawn audit verify` says more)",
			 (unsigned long long)newest->size);
}

/*
 * Follows the log from log->end, where log->tree stands, to its end. At the checkpoint the root must be the signed one; up to there every
 * record must be whole. A record that is not whole after it ends the log: *ret_torn.
 */
static int follow(struct auditlog *log, const struct checkpoint *newest, bool *ret_torn, struct auditlog_fault *fault)
{
	struct scan scan;
	int r = scan_begin(&scan, log->fd, log->end);

	*ret_torn = false;
	if (r == 0 && log->end > scan.end)
		r = fault_set(fault, -EBADMSG, "log: ends before byte %llu", (unsigned long long)log->end);
	while (r == 0) {
		struct record record;
		uint8_t leaf[MERKLE_HASH];
		int got;

		if (log->tree.size == newest->size)
			r = check_root(log, newest, fault);
		if (r < 0)
			break;
		got = scan_next(&scan, &record);
		if (got < 0 && got != -ENODATA && got != -EBADMSG) {
			r = fault_set(fault, got, "log: %s", strerror(-got));
			break;
		}
		if (log->tree.size < newest->size && (got <= 0 || record.fault)) {
			if (got == 0)
				r = fault_set(fault, -EBADMSG, "log: ends after entry %llu at byte %llu, but %llu were signed",
					      (unsigned long long)log->tree.size, (unsigned long long)scan.offset,
					      (unsigned long long)newest->size);
			else
				r = bad_record(fault, log->tree.size + 1, record.fault_offset, record.fault);
			break;
		}
		*ret_torn = got < 0 || (got > 0 && record.fault);
		if (got <= 0 || record.fault)
			break;
		if (log->tree.size >= newest->size)
			r = take_unsigned(log, &record, fault);
		merkle_leaf(record.entry, leaf);
		merkle_append(&log->tree, leaf);
		log->end = scan.offset;
	}
	scan_free(&scan);
	return r;
}

/* From the frontier if it fits, else from the beginning. */
static int follow_from_best(struct auditlog *log, const struct checkpoint *newest, bool *ret_torn, struct auditlog_fault *fault)
{
	struct frontier frontier;

	if (folder_load_frontier(log->dir_fd, &frontier) == 0 && frontier.tree.size <= newest->size) {
		log->tree = frontier.tree;
		log->end = frontier.offset;
		log->frontier_offset = frontier.offset;
		if (follow(log, newest, ret_torn, NULL) == 0)
			return 0;
	}
	/* No frontier, or one that does not lead to the signed root: whether the log itself does is found out by reading all of it. */
	log->tree = (struct merkle){ 0 };
	log->end = log->frontier_offset = FRAME_MAGIC_LEN;
	return follow(log, newest, ret_torn, fault);
}

/* Copies the bytes from `offset` on to a file of their own. */
static int save_cut(struct auditlog *log, uint64_t offset, const char *name)
{
	cleanup_fd int fd = openat(log->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	char chunk[16384];

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n = read_at(log->fd, chunk, sizeof(chunk), offset);
		int r = n > 0 ? io_write_all(fd, chunk, (size_t)n) : (int)n;

		if (r < 0)
			return r;
		if (n == 0)
			return fsync(fd) < 0 || fsync(log->dir_fd) < 0 ? -errno : 0;
		offset += (uint64_t)n;
	}
}

/* Cuts what follows log->end. Whole entries there can only be what a crash of the machine left out of order, but they are kept beside. */
static int cut_tail(struct auditlog *log, struct auditlog_fault *fault)
{
	struct torn torn = { .file = "log", .offset = log->end };
	struct stat st;
	int r;

	if (fstat(log->fd, &st) < 0)
		return fault_set(fault, -errno, "log: %s", strerror(errno));
	torn.bytes = (uint64_t)st.st_size - log->end;
	r = scan_count_lost(log->fd, log->end, &torn.entries);
	if (r == 0 && torn.entries) {
		uint64_t now = log->options.now_us ? log->options.now_us(log->options.ctx) : clock_wall_us();

		snprintf(torn.saved, sizeof(torn.saved), "cut-%llu-%llu", (unsigned long long)log->end, (unsigned long long)now);
		r = save_cut(log, log->end, torn.saved);
	}
	if (r == 0 && ftruncate(log->fd, (off_t)log->end) < 0)
		r = -errno;
	if (r < 0)
		return fault_set(fault, r, "log: cannot cut the torn end at byte %llu: %s", (unsigned long long)log->end, strerror(-r));
	log->torn[log->torn_count++] = torn;
	return 0;
}

static int recover(struct auditlog *log, struct auditlog_fault *fault)
{
	struct checkpoint newest;
	bool torn;
	int r = folder_newest_checkpoint(log, &newest, fault);

	if (r < 0)
		return r;
	r = scan_check_magic(log->fd);
	if (r < 0)
		return fault_set(fault, r, r == -EBADMSG ? "log: does not begin as an audit log" : "log: cannot be read");
	r = follow_from_best(log, &newest, &torn, fault);
	if (r == 0 && torn)
		r = cut_tail(log, fault);
	if (r < 0)
		return r;
	log->progress.checkpoint = newest.size;
	r = auditlog_sync(log);
	return r < 0 ? fault_set(fault, r, "log: cannot sync: %s", strerror(-r)) : 0;
}

int auditlog_open(int dir_fd, const struct auditlog_options *options, struct auditlog **ret_log, struct auditlog_fault *fault)
{
	struct auditlog *log;
	int r;

	if (sodium_init() < 0)
		return fault_set(fault, -ENOSYS, "libsodium cannot start");
	log = calloc(1, sizeof(*log));
	if (!log)
		return fault_set(fault, -ENOMEM, "no memory");
	log->fd = log->history_fd = log->event_fd = -1;
	log->options = options ? *options : (struct auditlog_options){ 0 };
	log->entry = BUF_INIT(AUDITLOG_ENTRY_MAX);
	log->frames = BUF_INIT(FRAME_RECORD_MAX);
	pthread_mutex_init(&log->lock, NULL);
	pthread_cond_init(&log->wake, NULL);
	log->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
	r = log->dir_fd < 0 ? fault_set(fault, -errno, "the log's folder: %s", strerror(errno)) : open_log(log, fault);
	if (r == 0)
		r = load_or_create(log, fault);
	if (r == 0)
		r = recover(log, fault);
	/* On a full disk the record of what was cut waits for the first append that succeeds. */
	if (r == 0 && append_torn(log) == 0 && auditlog_sync(log) < 0)
		r = fault_set(fault, -EIO, "log: cannot sync");
	if (r < 0) {
		auditlog_close(log);
		return r;
	}
	*ret_log = log;
	return 0;
}

void auditlog_close(struct auditlog *log)
{
	if (!log)
		return;
	auditlog_stop(log);
	fd_close(&log->dir_fd);
	fd_close(&log->fd);
	fd_close(&log->history_fd);
	sodium_free(log->secret);
	buf_free(&log->entry);
	buf_free(&log->frames);
	pthread_cond_destroy(&log->wake);
	pthread_mutex_destroy(&log->lock);
	free(log);
}
