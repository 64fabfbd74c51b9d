/* Reading everything again and proving it. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "auditlog/entry.h"
#include "auditlog/reader.h"
#include "auditlog/scan.h"
#include "auditlog/state.h"
#include "base/cleanup.h"

enum {
	ARENA_MAX = 8 << 20,    /* for the tree of one entry of 64 KiB */
	SETTLE_TRIES = 200,     /* milliseconds that a writer has to finish the record that is being written */
	ERASED_MAX = 10000000,  /* erased entries whose record is still awaited */
};

struct verifier {
	struct note_key key;
	void (*report)(void *ctx, const struct auditlog_finding *finding);
	void *ctx;
	struct auditlog_verified result;

	/* The history, one checkpoint ahead of the log. */
	int history_fd;
	uint64_t history_offset, history_end;
	struct checkpoint next;
	uint64_t next_offset;
	bool has_next, any_checkpoint;

	struct checkpoint single; /* the file `checkpoint` */
	bool has_single, single_in_history;

	struct frontier frontier;
	bool has_frontier;

	int log_fd;
	struct scan scan;
	struct merkle tree;
	uint64_t due;        /* the number that the next entry should have */
	bool root_reported;  /* one wrong root makes all later ones wrong */

	uint64_t *erased; /* numbers whose erasure no entry has recorded yet, ascending; 0 once it has */
	size_t erased_count, erased_cap;
};

static void found(struct verifier *v, const char *file, uint64_t seq, uint64_t offset, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

static void found(struct verifier *v, const char *file, uint64_t seq, uint64_t offset, const char *format, ...)
{
	struct auditlog_finding finding = { .file = file, .seq = seq, .offset = offset };
	va_list args;

	va_start(args, format);
	vsnprintf(finding.what, sizeof(finding.what), format, args);
	va_end(args);
	v->result.findings++;
	if (v->report)
		v->report(v->ctx, &finding);
}

int auditlog_finding_text(struct buf *out, const struct auditlog_finding *finding)
{
	int r = buf_printf(out, "%s:", finding->file);

	if (r == 0 && finding->seq)
		r = buf_printf(out, " entry %llu", (unsigned long long)finding->seq);
	if (r == 0 && finding->offset)
		r = buf_printf(out, " at byte %llu", (unsigned long long)finding->offset);
	return r == 0 ? buf_printf(out, " %s", finding->what) : r;
}

/* After a note that is none: the next line that could begin one. */
static uint64_t next_note(const struct verifier *v, struct slice chunk)
{
	char line[NOTE_NAME_MAX + 3];
	int len = snprintf(line, sizeof(line), "\n%s\n", v->key.name);
	const char *at = chunk.len ? memmem(chunk.ptr, chunk.len, line, (size_t)len) : NULL;

	return at ? v->history_offset + (uint64_t)(at - chunk.ptr) + 1 : v->history_end;
}

/* Reads the history on to the next good checkpoint. */
static int advance_history(struct verifier *v)
{
	char bytes[NOTE_MAX + 8];

	v->has_next = false;
	while (v->history_offset < v->history_end && !v->has_next) {
		uint64_t before = v->next.size;
		size_t want = sizeof(bytes), len;
		struct slice chunk;
		ssize_t n;

		if (want > v->history_end - v->history_offset)
			want = (size_t)(v->history_end - v->history_offset);
		n = read_at(v->history_fd, bytes, want, v->history_offset);
		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		chunk = slice_of(bytes, (size_t)n);
		len = note_length(chunk);
		if (len == 0 || checkpoint_open(slice_of(chunk.ptr, len), &v->key, &v->next) < 0) {
			found(v, "checkpoints", 0, v->history_offset, "holds something that is no checkpoint signed with this log's key");
			v->history_offset = next_note(v, chunk);
			continue;
		}
		v->next_offset = v->history_offset;
		v->history_offset += len;
		if (!v->any_checkpoint && v->next.size)
			found(v, "checkpoints", 0, v->next_offset, "does not begin with the empty log: its beginning is gone");
		if (v->any_checkpoint && v->next.size < before)
			found(v, "checkpoints", 0, v->next_offset, "signs for %llu entries after having signed for %llu",
			      (unsigned long long)v->next.size, (unsigned long long)before);
		v->any_checkpoint = v->has_next = true;
		if (v->has_single && v->next.size == v->single.size && memcmp(v->next.root, v->single.root, MERKLE_HASH) == 0)
			v->single_in_history = true;
	}
	return 0;
}

/* Compares the tree with every checkpoint of this size (and with those that come too late in the history). */
static int check_checkpoints(struct verifier *v)
{
	uint8_t root[MERKLE_HASH];

	if (!v->has_next || v->next.size > v->tree.size)
		return 0;
	merkle_root(&v->tree, root);
	while (v->has_next && v->next.size <= v->tree.size) {
		int r;

		if (v->next.size == v->tree.size && memcmp(v->next.root, root, MERKLE_HASH) == 0) {
			v->result.checkpoints++;
			v->result.signed_entries = v->tree.size;
		} else if (v->next.size == v->tree.size && !v->root_reported) {
			v->root_reported = true;
			found(v, "log", v->result.signed_entries + 1, 0,
			      "is the first of those up to %llu among which something was changed: the root is not the signed one",
			      (unsigned long long)v->tree.size);
		}
		r = advance_history(v);
		if (r < 0)
			return r;
	}
	return 0;
}

static void check_frontier(struct verifier *v)
{
	if (!v->has_frontier || v->frontier.tree.size != v->tree.size)
		return;
	v->has_frontier = false;
	if (v->frontier.offset != v->scan.offset)
		found(v, "frontier", 0, 16, "gives another length of the log for %llu entries", (unsigned long long)v->tree.size);
	for (unsigned level = 0; level < MERKLE_LEVELS; level++)
		if (v->tree.size >> level & 1 && memcmp(v->frontier.tree.nodes[level], v->tree.nodes[level], MERKLE_HASH) != 0) {
			found(v, "frontier", 0, 0, "does not belong to this log");
			return;
		}
}

/* An erasure must be recorded by an entry "arguments.erased" that names it, later in the log. */
static void note_erased(struct verifier *v, uint64_t seq, uint64_t offset)
{
	v->result.erased++;
	if (v->erased_count == v->erased_cap) {
		size_t cap = v->erased_cap ? 2 * v->erased_cap : 64;
		uint64_t *more = cap <= ERASED_MAX ? reallocarray(v->erased, cap, sizeof(*more)) : NULL;

		if (!more) {
			found(v, "log", seq, offset, "has erased arguments, too many to find who recorded it");
			return;
		}
		v->erased = more;
		v->erased_cap = cap;
	}
	v->erased[v->erased_count++] = seq;
}

static void match_erased(struct verifier *v, const struct json *value)
{
	const struct json *kind = json_get_type(value, SLICE("kind"), JSON_STRING);
	const struct json *of = json_get_type(value, SLICE("entry"), JSON_NUMBER);
	size_t low = 0, high = v->erased_count;
	int64_t seq;

	if (!kind || !slice_eq(kind->text, SLICE("arguments.erased")) || !of || json_int64(of, &seq) < 0 || seq < 1)
		return;
	/* Numbers were taken in as they came; where the log has them out of order that is a finding of its own. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if ((v->erased[middle] & INT64_MAX) < (uint64_t)seq)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < v->erased_count && v->erased[low] == (uint64_t)seq)
		v->erased[low] |= 1ULL << 63;
}

static void report_erased(struct verifier *v)
{
	for (size_t i = 0; i < v->erased_count; i++)
		if (!(v->erased[i] >> 63))
			found(v, "log", v->erased[i], 0, "has lost its arguments, and no entry records that they were erased");
}

/* Everything that one record can be checked for by itself. */
static void check_record(struct verifier *v, const struct record *record)
{
	cleanup_arena struct arena arena = ARENA_INIT(ARENA_MAX);
	struct json value;
	const char *wrong;
	uint64_t seq = v->due;

	if (record->fault)
		found(v, "log", v->due, record->fault_offset, "%s", record->fault);
	wrong = entry_read(&arena, record->entry, &value, &seq);
	if (wrong) {
		if (!record->fault)
			found(v, "log", v->due, record->offset, "%s", wrong);
		v->due++;
		return;
	}
	if (seq != v->due)
		found(v, "log", v->due, record->offset, "is not where it should be: entry %llu stands there", (unsigned long long)seq);
	v->due = seq + 1;
	wrong = entry_check_arguments(&value, record);
	if (wrong && !record->fault)
		found(v, "log", seq, record->offset, "%s", wrong);
	else if (record->erased)
		note_erased(v, seq, record->offset);
	else if (!wrong && record->arguments_len)
		v->result.arguments++;
	match_erased(v, &value);
}

/* Whether some process has the log open for writing. */
static bool being_written(int fd)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/*
 * The next record. At the very end of a log that is being written there may be half of one, which a moment later is whole or gone; then the scan
 * ends there.
 */
static int next_settled(struct verifier *v, struct record *ret_record)
{
	uint64_t at = v->scan.offset;
	int r = scan_next(&v->scan, ret_record);

	for (int i = 0; i < SETTLE_TRIES; i++) {
		bool at_end = r == -ENODATA || (r > 0 && ret_record->fault && v->scan.offset == v->scan.end);
		int extended;

		if (!at_end || !being_written(v->log_fd))
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		extended = scan_extend(&v->scan);
		if (extended < 0)
			return extended;
		scan_seek(&v->scan, at);
		r = scan_next(&v->scan, ret_record);
		if (r > 0 && !ret_record->fault)
			v->scan.end = v->scan.offset;
	}
	return r;
}

static int check_log(struct verifier *v)
{
	int r = scan_check_magic(v->log_fd);

	if (r == -EBADMSG)
		found(v, "log", 0, 0, "does not begin as an audit log");
	else if (r < 0)
		return r;
	for (;;) {
		uint8_t leaf[MERKLE_HASH];
		struct record record;

		check_frontier(v);
		r = check_checkpoints(v);
		if (r == 0)
			r = next_settled(v, &record);
		if (r == -ENODATA || r == -EBADMSG)
			found(v, "log", v->due, record.fault_offset, "%s; the %llu bytes from there on are not read", record.fault,
			      (unsigned long long)(v->scan.end - record.offset));
		if (r <= 0)
			return r == -ENODATA || r == -EBADMSG ? 0 : r;
		check_record(v, &record);
		merkle_leaf(record.entry, leaf);
		merkle_append(&v->tree, leaf);
		v->result.entries++;
	}
}

/* What was signed and is not there. */
static int check_missing(struct verifier *v)
{
	struct checkpoint most = { .size = v->has_single ? v->single.size : 0 };
	int r = 0;

	while (r == 0 && v->has_next) {
		if (v->next.size > most.size)
			most = v->next;
		r = advance_history(v);
	}
	if (r < 0)
		return r;
	if (most.size > v->tree.size)
		found(v, "log", v->tree.size + 1, v->scan.offset, "is missing: the log ends before it, but %llu entries were signed",
		      (unsigned long long)most.size);
	if (!v->any_checkpoint)
		found(v, "checkpoints", 0, 0, "holds no checkpoint, so that nothing is proven");
	if (v->has_single && !v->single_in_history)
		found(v, "checkpoint", 0, 0, "is not among those in checkpoints");
	report_erased(v);
	return 0;
}

/* The key to trust: the one given, and then the folder's own must be the same. */
static int take_key(struct verifier *v, int dir_fd, struct slice trusted)
{
	cleanup_buf struct buf text = BUF_INIT(0);
	struct note_key own;
	int r;

	if (trusted.len && note_key_read(trusted, &v->key) < 0)
		return -EINVAL;
	r = folder_read(dir_fd, "key.pub", 256, &text);
	if (r < 0 && r != -ENOENT && r != -EMSGSIZE)
		return r;
	if (r < 0 || note_key_read(buf_slice(&text), &own) < 0) {
		found(v, "key.pub", 0, 0, r == -ENOENT ? "is missing" : "is no verifier key of a log");
		return trusted.len ? 0 : -EBADMSG;
	}
	if (trusted.len && memcmp(own.public_key, v->key.public_key, NOTE_PUBLIC) != 0)
		found(v, "key.pub", 0, 0, "is another key than the one to trust");
	if (!trusted.len)
		v->key = own;
	return 0;
}

/* The small files, read before the log: the log is then at least as long as what they say. */
static int read_beside(struct verifier *v, int dir_fd)
{
	cleanup_buf struct buf note = BUF_INIT(0);
	struct stat st;
	int r = folder_read(dir_fd, "checkpoint", NOTE_MAX, &note);

	if (r < 0 && r != -ENOENT && r != -EMSGSIZE)
		return r;
	v->has_single = r == 0 && checkpoint_open(buf_slice(&note), &v->key, &v->single) == 0;
	if (!v->has_single)
		found(v, "checkpoint", 0, 0, r == -ENOENT ? "is missing" : "is not a checkpoint signed with this log's key");
	r = folder_load_frontier(dir_fd, &v->frontier);
	v->has_frontier = r == 0;
	if (r < 0 && r != -ENOENT)
		found(v, "frontier", 0, 0, "is damaged; it can be deleted, the next start makes another");
	v->history_fd = openat(dir_fd, "checkpoints", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (v->history_fd < 0 && errno == ENOENT) {
		found(v, "checkpoints", 0, 0, "is missing");
		return 0;
	}
	if (v->history_fd < 0 || fstat(v->history_fd, &st) < 0)
		return -errno;
	v->history_end = (uint64_t)st.st_size;
	return advance_history(v);
}

int auditlog_verify(int dir_fd, struct slice verifier_key, void (*report)(void *ctx, const struct auditlog_finding *finding), void *ctx,
		    struct auditlog_verified *ret_verified)
{
	struct verifier v = { .report = report, .ctx = ctx, .history_fd = -1, .log_fd = -1, .due = 1 };
	int r = sodium_init() < 0 ? -ENOSYS : take_key(&v, dir_fd, verifier_key);

	if (r == 0)
		r = read_beside(&v, dir_fd);
	if (r == 0) {
		v.log_fd = openat(dir_fd, "log", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		r = v.log_fd < 0 ? -errno : scan_begin(&v.scan, v.log_fd, FRAME_MAGIC_LEN);
	}
	if (r == -ENOENT)
		found(&v, "log", 0, 0, "is missing");
	else if (r == 0)
		r = check_log(&v);
	if (r == 0)
		r = check_missing(&v);
	merkle_root(&v.tree, v.result.root);
	scan_free(&v.scan);
	fd_close(&v.log_fd);
	fd_close(&v.history_fd);
	free(v.erased);
	if (r == -EBADMSG || r == -ENOENT)
		r = 0; /* found and reported */
	if (r == 0)
		*ret_verified = v.result;
	return r;
}
