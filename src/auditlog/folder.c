/* The files beside the log: key, checkpoints, frontier. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "auditlog/crc32c.h"
#include "auditlog/scan.h"
#include "auditlog/state.h"
#include "base/cleanup.h"
#include "base/io.h"

#define FRONTIER_MAGIC "bawnfr1\n"

enum {
	HISTORY_TAIL = 64 << 10, /* bytes of the history that opening reads: the last note is in there */
	FRONTIER_HEAD = 8 + 8 + 8,
	FRONTIER_MAX = FRONTIER_HEAD + MERKLE_LEVELS * MERKLE_HASH + 4,
};

int fault_set(struct auditlog_fault *fault, int error, const char *format, ...)
{
	va_list args;

	if (fault) {
		va_start(args, format);
		vsnprintf(fault->what, sizeof(fault->what), format, args);
		va_end(args);
	}
	return error;
}

int sync_fd(struct auditlog *log, int fd)
{
	if (log->options.sync)
		return log->options.sync(log->options.ctx, fd);
	return fdatasync(fd) < 0 ? -errno : 0;
}

int folder_read(int dir_fd, const char *name, size_t max, struct buf *out)
{
	cleanup_fd int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	*out = BUF_INIT(max);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? io_read_all(fd, out) : -EINVAL;
}

bool folder_has(int dir_fd, const char *name)
{
	return faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int use_seed(struct auditlog *log, const uint8_t *seed)
{
	cleanup_buf struct buf line = BUF_INIT(sizeof(log->key_line));
	uint8_t public_key[NOTE_PUBLIC];
	int r;

	log->secret = sodium_malloc(NOTE_SECRET);
	if (!log->secret)
		return -ENOMEM;
	crypto_sign_seed_keypair(public_key, log->secret, seed);
	sodium_mprotect_readonly(log->secret);
	note_key_of(public_key, &log->key);
	r = note_key_write(&line, &log->key);
	if (r < 0)
		return r;
	snprintf(log->key_line, sizeof(log->key_line), "%.*s", SLICE_ARG(buf_slice(&line)));
	return 0;
}

int folder_load_key(struct auditlog *log, struct auditlog_fault *fault)
{
	cleanup_fd int fd = openat(log->dir_fd, "key", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	uint8_t seed[NOTE_SEED];
	struct stat st;
	ssize_t n;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fault_set(fault, -errno, "key: %s", strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size != NOTE_SEED)
		return fault_set(fault, -EBADMSG, "key: is not a signing key of %d bytes", NOTE_SEED);
	if (st.st_mode & 077)
		return fault_set(fault, -EBADMSG, "key: may be read by others (mode %03o); anyone who read it can sign another log",
				 (unsigned)st.st_mode & 0777);
	n = read_at(fd, seed, sizeof(seed), 0);
	r = n < 0 ? (int)n : n != sizeof(seed) ? -EIO : use_seed(log, seed);
	sodium_memzero(seed, sizeof(seed));
	return r < 0 ? fault_set(fault, r, "key: %s", strerror(-r)) : 0;
}

/* The public key file must be that of the key; it is made again when it is gone, since it holds nothing of its own. */
static int check_key_file(struct auditlog *log, struct auditlog_fault *fault)
{
	cleanup_buf struct buf text = BUF_INIT(0);
	struct note_key said;
	int r = folder_read(log->dir_fd, "key.pub", 256, &text);

	if (r == -ENOENT) {
		r = buf_printf(&text, "%s\n", log->key_line);
		if (r < 0)
			return r;
		r = io_replace_file(log->dir_fd, "key.pub", 0644, text.ptr, text.len);
		return r < 0 ? fault_set(fault, r, "key.pub: %s", strerror(-r)) : 0;
	}
	if (r < 0)
		return fault_set(fault, r, "key.pub: %s", strerror(-r));
	if (note_key_read(buf_slice(&text), &said) < 0 || memcmp(said.public_key, log->key.public_key, NOTE_PUBLIC) != 0)
		return fault_set(fault, -EBADMSG, "key.pub: does not belong to the signing key in `key`");
	return 0;
}

int folder_create(struct auditlog *log, struct auditlog_fault *fault)
{
	struct checkpoint first = { .size = 0 };
	cleanup_buf struct buf text = BUF_INIT(2 * NOTE_MAX);
	uint8_t seed[NOTE_SEED];
	int r;

	randombytes_buf(seed, sizeof(seed));
	r = use_seed(log, seed);
	if (r == 0 && (ftruncate(log->fd, 0) < 0 || pwrite(log->fd, FRAME_MAGIC, FRAME_MAGIC_LEN, 0) != FRAME_MAGIC_LEN))
		r = errno ? -errno : -ENOSPC;
	if (r == 0)
		r = sync_fd(log, log->fd);
	if (r == 0)
		r = buf_printf(&text, "%s\n", log->key_line);
	if (r == 0)
		r = io_replace_file(log->dir_fd, "key.pub", 0644, text.ptr, text.len);
	buf_clear(&text);
	merkle_root(&log->tree, first.root);
	if (r == 0)
		r = checkpoint_sign(&text, &first, &log->key, log->secret);
	if (r == 0)
		r = io_replace_file(log->dir_fd, "checkpoints", 0600, text.ptr, text.len);
	if (r == 0)
		r = io_replace_file(log->dir_fd, "checkpoint", 0600, text.ptr, text.len);
	if (r == 0 && fsync(log->dir_fd) < 0)
		r = -errno;
	if (r == 0)
		r = io_replace_file(log->dir_fd, "key", 0600, seed, sizeof(seed));
	if (r == 0 && fsync(log->dir_fd) < 0)
		r = -errno;
	sodium_memzero(seed, sizeof(seed));
	return r < 0 ? fault_set(fault, r, "cannot make the audit log: %s", strerror(-r)) : 0;
}

/* The last whole, good note of `tail`, and where it ends. */
static bool last_note(struct slice tail, const struct note_key *key, struct checkpoint *ret_checkpoint, size_t *ret_end)
{
	size_t name_len = strlen(key->name);

	for (size_t at = tail.len; at-- > 0;) {
		struct slice rest = slice_of(tail.ptr + at, tail.len - at);
		size_t len;

		if ((at > 0 && tail.ptr[at - 1] != '\n') || rest.len <= name_len || rest.ptr[name_len] != '\n' ||
		    !slice_starts(rest, slice_str(key->name)))
			continue;
		len = note_length(rest);
		if (len && checkpoint_open(slice_of(rest.ptr, len), key, ret_checkpoint) == 0) {
			*ret_end = at + len;
			return true;
		}
	}
	return false;
}

static int read_checkpoint(struct auditlog *log, struct checkpoint *ret_checkpoint, struct auditlog_fault *fault)
{
	cleanup_buf struct buf note = BUF_INIT(0);
	int r = folder_read(log->dir_fd, "checkpoint", NOTE_MAX, &note);

	if (r == -ENOENT)
		return fault_set(fault, -EBADMSG, "checkpoint: is missing");
	if (r < 0 && r != -EMSGSIZE)
		return fault_set(fault, r, "checkpoint: %s", strerror(-r));
	if (r < 0 || checkpoint_open(buf_slice(&note), &log->key, ret_checkpoint) < 0)
		return fault_set(fault, -EBADMSG, "checkpoint: is not a checkpoint signed with this log's key");
	return 0;
}

/* Opens the history and finds its last good note, which ends at byte *ret_end of *ret_size. */
static int read_history(struct auditlog *log, struct checkpoint *ret_last, uint64_t *ret_end, uint64_t *ret_size, struct auditlog_fault *fault)
{
	cleanup_buf struct buf tail = BUF_INIT(HISTORY_TAIL);
	uint64_t from;
	struct stat st;
	size_t end;
	ssize_t n;

	log->history_fd = openat(log->dir_fd, "checkpoints", O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (log->history_fd < 0 && errno == ENOENT)
		return fault_set(fault, -EBADMSG, "checkpoints: is missing");
	if (log->history_fd < 0 || fstat(log->history_fd, &st) < 0)
		return fault_set(fault, -errno, "checkpoints: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fault_set(fault, -EBADMSG, "checkpoints: is not a file");
	from = st.st_size > HISTORY_TAIL ? (uint64_t)st.st_size - HISTORY_TAIL : 0;
	if (buf_reserve(&tail, HISTORY_TAIL) < 0)
		return -ENOMEM;
	n = read_at(log->history_fd, tail.ptr, HISTORY_TAIL, from);
	if (n < 0)
		return fault_set(fault, (int)n, "checkpoints: %s", strerror((int)-n));
	tail.len = (size_t)n;
	if (!last_note(buf_slice(&tail), &log->key, ret_last, &end))
		return fault_set(fault, -EBADMSG, "checkpoints: holds no checkpoint signed with this log's key");
	*ret_end = from + end;
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

int folder_newest_checkpoint(struct auditlog *log, struct checkpoint *ret_newest, struct auditlog_fault *fault)
{
	struct checkpoint last, single;
	uint64_t size;
	int r = check_key_file(log, fault);

	if (r == 0)
		r = read_checkpoint(log, &single, fault);
	if (r == 0)
		r = read_history(log, &last, &log->history_end, &size, fault);
	if (r < 0)
		return r;
	/* The history is synced before `checkpoint` is replaced: it can be ahead after a crash, never behind. */
	if (last.size < single.size)
		return fault_set(fault, -EBADMSG, "checkpoints: ends with one for %llu entries, but `checkpoint` signs for %llu",
				 (unsigned long long)last.size, (unsigned long long)single.size);
	if (last.size == single.size && memcmp(last.root, single.root, MERKLE_HASH) != 0)
		return fault_set(fault, -EBADMSG, "checkpoint: signs another root for %llu entries than checkpoints does",
				 (unsigned long long)last.size);
	if (log->history_end < size) {
		log->torn[log->torn_count++] =
			(struct torn){ .file = "checkpoints", .offset = log->history_end, .bytes = size - log->history_end };
		if (ftruncate(log->history_fd, (off_t)log->history_end) < 0)
			return fault_set(fault, -errno, "checkpoints: cannot cut the torn end: %s", strerror(errno));
	}
	*ret_newest = last;
	return 0;
}

/* Appends one note to the history, whole or not at all, and syncs it. */
static int append_history(struct auditlog *log, struct slice note, bool *ret_lost)
{
	size_t done = 0;
	int r = 0;

	if (log->history_dirty && ftruncate(log->history_fd, (off_t)log->history_end) < 0)
		return -errno;
	log->history_dirty = true;
	while (r == 0 && done < note.len) {
		ssize_t n = pwrite(log->history_fd, note.ptr + done, note.len - done, (off_t)(log->history_end + done));

		if (n <= 0 && errno != EINTR)
			r = n < 0 ? -errno : -ENOSPC;
		else if (n > 0)
			done += (size_t)n;
	}
	if (r < 0) {
		log->history_dirty = ftruncate(log->history_fd, (off_t)log->history_end) < 0;
		return r;
	}
	r = sync_fd(log, log->history_fd);
	if (r < 0) {
		*ret_lost = true;
		return r;
	}
	log->history_end += note.len;
	log->history_dirty = false;
	return 0;
}

int folder_add_checkpoint(struct auditlog *log, const struct checkpoint *checkpoint, bool *ret_lost)
{
	cleanup_buf struct buf note = BUF_INIT(NOTE_MAX);
	int r;

	*ret_lost = false;
	r = checkpoint_sign(&note, checkpoint, &log->key, log->secret);
	if (r == 0)
		r = append_history(log, buf_slice(&note), ret_lost);
	/* The folder is not synced: should the old `checkpoint` come back after a crash, the history, which is, stands in for it. */
	if (r == 0)
		r = io_replace_file(log->dir_fd, "checkpoint", 0600, note.ptr, note.len);
	return r;
}

static void put_u64(uint8_t *out, uint64_t n)
{
	put_u32(out, (uint32_t)n);
	put_u32(out + 4, (uint32_t)(n >> 32));
}

static uint64_t get_u64(const char *bytes)
{
	return get_u32(bytes) | (uint64_t)get_u32(bytes + 4) << 32;
}

int folder_save_frontier(int dir_fd, const struct frontier *frontier)
{
	uint8_t bytes[FRONTIER_MAX] = FRONTIER_MAGIC;
	size_t len = FRONTIER_HEAD;

	put_u64(bytes + 8, frontier->tree.size);
	put_u64(bytes + 16, frontier->offset);
	for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
		if (!(frontier->tree.size >> level & 1))
			continue;
		memcpy(bytes + len, frontier->tree.nodes[level], MERKLE_HASH);
		len += MERKLE_HASH;
	}
	put_u32(bytes + len, crc32c(0, slice_of(bytes, len)));
	return io_replace_file(dir_fd, "frontier", 0600, bytes, len + 4);
}

int folder_load_frontier(int dir_fd, struct frontier *ret_frontier)
{
	cleanup_buf struct buf file = BUF_INIT(0);
	struct frontier frontier = { 0 };
	size_t at = FRONTIER_HEAD;
	int r = folder_read(dir_fd, "frontier", FRONTIER_MAX, &file);

	if (r < 0)
		return r;
	if (file.len < FRONTIER_HEAD + 4 || memcmp(file.ptr, FRONTIER_MAGIC, 8) != 0 ||
	    crc32c(0, slice_of(file.ptr, file.len - 4)) != get_u32(file.ptr + file.len - 4))
		return -EBADMSG;
	frontier.tree.size = get_u64(file.ptr + 8);
	frontier.offset = get_u64(file.ptr + 16);
	if (file.len != FRONTIER_HEAD + 4 + (size_t)__builtin_popcountll(frontier.tree.size) * MERKLE_HASH)
		return -EBADMSG;
	for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
		if (!(frontier.tree.size >> level & 1))
			continue;
		memcpy(frontier.tree.nodes[level], file.ptr + at, MERKLE_HASH);
		at += MERKLE_HASH;
	}
	if (frontier.offset < FRAME_MAGIC_LEN || frontier.offset > INT64_MAX || frontier.tree.size > INT64_MAX)
		return -EBADMSG;
	*ret_frontier = frontier;
	return 0;
}
