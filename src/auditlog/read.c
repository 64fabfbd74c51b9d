/* Entries in order, and single ones by number. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>

#include "auditlog/entry.h"
#include "auditlog/reader.h"
#include "auditlog/state.h"
#include "base/cleanup.h"

enum {
	MARK_EVERY = 256,     /* entries between two remembered offsets */
	ARENA_MAX = 8 << 20,  /* for the tree of one entry of 64 KiB */
};

struct auditlog_reader {
	int fd;
	struct scan scan;
	uint64_t at;     /* number of the record at scan.offset */
	uint64_t wanted; /* the next entry to give */
	uint64_t *marks; /* [k]: offset of entry 1 + k * MARK_EVERY */
	size_t mark_count;
	struct arena arena;
};

int auditlog_reader_open(int dir_fd, struct auditlog_reader **ret_reader, struct auditlog_fault *fault)
{
	struct auditlog_reader *reader;
	int r;

	if (sodium_init() < 0)
		return fault_set(fault, -ENOSYS, "libsodium cannot start");
	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return fault_set(fault, -ENOMEM, "no memory");
	reader->at = reader->wanted = 1;
	reader->arena = ARENA_INIT(ARENA_MAX);
	reader->fd = openat(dir_fd, "log", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	r = reader->fd < 0 ? -errno : scan_begin(&reader->scan, reader->fd, FRAME_MAGIC_LEN);
	if (r < 0)
		fault_set(fault, r, "log: %s", strerror(-r));
	if (r == 0) {
		r = scan_check_magic(reader->fd);
		if (r < 0)
			fault_set(fault, r, "log: does not begin as an audit log");
	}
	if (r < 0) {
		auditlog_reader_free(reader);
		return r;
	}
	*ret_reader = reader;
	return 0;
}

void auditlog_reader_free(struct auditlog_reader *reader)
{
	if (!reader)
		return;
	scan_free(&reader->scan);
	arena_free(&reader->arena);
	fd_close(&reader->fd);
	free(reader->marks);
	free(reader);
}

int auditlog_reader_extend(struct auditlog_reader *reader)
{
	return scan_extend(&reader->scan);
}

/* Remembers where the record at hand begins, if it is one to remember. Without memory for it, seeking is only slower. */
static void mark(struct auditlog_reader *reader)
{
	size_t k = (size_t)((reader->at - 1) / MARK_EVERY);

	if ((reader->at - 1) % MARK_EVERY || k != reader->mark_count)
		return;
	if ((k & (k - 1)) == 0) {
		uint64_t *more = reallocarray(reader->marks, k ? 2 * k : 1, sizeof(*more));

		if (!more)
			return;
		reader->marks = more;
	}
	reader->marks[reader->mark_count++] = reader->scan.offset;
}

void auditlog_reader_seek(struct auditlog_reader *reader, uint64_t seq)
{
	uint64_t k = seq ? (seq - 1) / MARK_EVERY : 0;

	reader->wanted = seq ? seq : 1;
	if (reader->at <= reader->wanted && reader->at > k * MARK_EVERY)
		return; /* going on from here is nearest */
	if (k >= reader->mark_count)
		k = reader->mark_count ? reader->mark_count - 1 : 0;
	reader->at = 1 + k * MARK_EVERY;
	scan_seek(&reader->scan, reader->mark_count ? reader->marks[k] : FRAME_MAGIC_LEN);
}

static int bad(struct auditlog_fault *fault, uint64_t seq, uint64_t offset, const char *what)
{
	return fault_set(fault, -EBADMSG, "log: entry %llu at byte %llu %s", (unsigned long long)seq, (unsigned long long)offset, what);
}

/* Goes to the wanted record: as scan_next, but a torn end is the end. */
static int next_record(struct auditlog_reader *reader, struct record *ret_record, struct auditlog_fault *fault)
{
	for (;;) {
		int r;

		mark(reader);
		r = scan_next(&reader->scan, ret_record);
		if (r == 0 || r == -ENODATA)
			return 0;
		if (r == -EBADMSG || (r > 0 && ret_record->fault))
			return bad(fault, reader->at, ret_record->fault_offset, ret_record->fault);
		if (r < 0)
			return fault_set(fault, r, "log: %s", strerror(-r));
		if (reader->at++ == reader->wanted)
			return 1;
	}
}

int auditlog_next(struct auditlog_reader *reader, struct auditlog_entry *ret_entry, struct auditlog_fault *fault)
{
	struct auditlog_entry entry = { 0 };
	struct record record;
	const char *wrong;
	int r = next_record(reader, &record, fault);

	if (r <= 0)
		return r;
	arena_clear(&reader->arena);
	wrong = entry_read(&reader->arena, record.entry, &entry.value, &entry.seq);
	if (!wrong && entry.seq != reader->wanted)
		wrong = "has another number than its place";
	if (wrong)
		return bad(fault, reader->wanted, record.offset, wrong);
	entry.offset = record.offset;
	entry.text = record.entry;
	entry.arguments = record.arguments;
	if (entry_check_arguments(&entry.value, &record)) {
		entry.arguments_state = ARGUMENTS_WRONG;
		entry.arguments = slice_of(NULL, 0);
	} else if (record.arguments_len) {
		entry.arguments_state = record.erased ? ARGUMENTS_ERASED : ARGUMENTS_KEPT;
	}
	reader->wanted++;
	*ret_entry = entry;
	return 1;
}

/* Whether the member is that text, or that number as it is written. */
static bool member_is(const struct json *entry, struct slice name, struct slice wanted)
{
	const struct json *value;

	if (wanted.len == 0)
		return true;
	value = json_get(entry, name);
	return value && (value->type == JSON_STRING || value->type == JSON_NUMBER) && slice_eq(value->text, wanted);
}

/* A tool is meant by its own name, or by `server.tool` as the policy writes it. */
static bool tool_is(const struct json *entry, struct slice wanted)
{
	const struct json *server = json_get_type(entry, SLICE("server"), JSON_STRING);
	size_t len = server ? server->text.len : 0;

	if (member_is(entry, SLICE("tool"), wanted))
		return true;
	return server && wanted.len > len + 1 && slice_starts(wanted, server->text) && wanted.ptr[len] == '.' &&
	       member_is(entry, SLICE("tool"), slice_of(wanted.ptr + len + 1, wanted.len - len - 1));
}

bool auditlog_matches(const struct auditlog_filter *filter, const struct auditlog_entry *entry)
{
	const struct json *kind = json_get(&entry->value, SLICE("kind"));

	return entry->seq >= filter->since && slice_starts(kind->text, filter->kind) &&
	       member_is(&entry->value, SLICE("agent"), filter->agent) &&
	       member_is(&entry->value, SLICE("session"), filter->session) && tool_is(&entry->value, filter->tool);
}

/* Hashes the first `size` entries, each into the range of the path that it belongs to. */
static int hash_ranges(struct auditlog_reader *reader, struct auditlog_proof *proof, const struct merkle_range *path, struct merkle *trees,
		       struct merkle *whole, struct auditlog_fault *fault)
{
	auditlog_reader_seek(reader, 1);
	while (whole->size < proof->size) {
		uint64_t index = whole->size;
		uint8_t leaf[MERKLE_HASH];
		struct record record;
		int r = next_record(reader, &record, fault);

		if (r <= 0)
			return r < 0 ? r : fault_set(fault, -ENOENT, "log: has no entry %llu", (unsigned long long)index + 1);
		reader->wanted++;
		merkle_leaf(record.entry, leaf);
		merkle_append(whole, leaf);
		if (index == proof->seq - 1)
			memcpy(proof->leaf, leaf, sizeof(leaf));
		for (size_t i = 0; i < proof->count; i++)
			if (index - path[i].first < path[i].count)
				merkle_append(&trees[i], leaf);
	}
	return 0;
}

/* How many entries the log has as far as it can be followed. */
static int count_entries(struct auditlog_reader *reader, uint64_t *ret_count, struct auditlog_fault *fault)
{
	struct record record;
	int r;

	auditlog_reader_seek(reader, 1);
	while ((r = next_record(reader, &record, fault)) > 0)
		reader->wanted++;
	if (r == 0)
		*ret_count = reader->wanted - 1;
	return r;
}

int auditlog_prove(struct auditlog_reader *reader, uint64_t seq, uint64_t size, struct auditlog_proof *ret_proof, struct auditlog_fault *fault)
{
	struct auditlog_proof proof = { .seq = seq, .size = size };
	struct merkle_range path[MERKLE_LEVELS];
	cleanup_free struct merkle *trees = NULL;
	struct merkle whole = { 0 };
	int r = size ? 0 : count_entries(reader, &proof.size, fault);

	if (r < 0)
		return r;
	if (seq == 0 || seq > proof.size)
		return fault_set(fault, -ENOENT, "log: has no entry %llu among %llu", (unsigned long long)seq, (unsigned long long)proof.size);
	proof.count = merkle_path(seq - 1, proof.size, path);
	trees = calloc(MERKLE_LEVELS, sizeof(*trees));
	if (!trees)
		return fault_set(fault, -ENOMEM, "no memory");
	r = hash_ranges(reader, &proof, path, trees, &whole, fault);
	if (r < 0)
		return r;
	for (size_t i = 0; i < proof.count; i++)
		merkle_root(&trees[i], proof.path[i]);
	merkle_root(&whole, proof.root);
	*ret_proof = proof;
	return 0;
}
