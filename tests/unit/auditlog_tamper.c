/* The audit log in a stranger's hands: whatever is changed without the key is found, and what is missing is not gone on with. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "auditlog/crc32c.h"
#include "auditlog/note.h"
#include "auditlog_folder.h"
#include "base/cleanup.h"

enum { ENTRIES = 6, RECORDS_MAX = 16 };

static const struct slice arguments = SLICE("{\"path\":\"/etc/passwd\"}");

/* Six entries, the second and the fifth with arguments, checkpoints after the third and the last. */
static int make_log(void)
{
	int dir_fd = folder_make();
	struct auditlog *log = folder_open(dir_fd);

	for (unsigned i = 1; i <= ENTRIES; i++) {
		folder_append(log, i, i == 2 || i == 5 ? arguments : slice_of(NULL, 0));
		if (i == 3 || i == ENTRIES)
			assert_int_equal(auditlog_checkpoint(log), 0);
	}
	auditlog_close(log);
	assert_int_equal(folder_verify(dir_fd, NULL, NULL), 0);
	return dir_fd;
}

/* Opening is refused, with a sentence that has `part` in it. */
static void refuses_to_open(int dir_fd, const char *part)
{
	struct auditlog_fault fault = { "" };
	struct auditlog *log = NULL;

	assert_int_equal(auditlog_open(dir_fd, NULL, &log, &fault), -EBADMSG);
	if (!strstr(fault.what, part))
		fail_msg("\"%s\" does not say \"%s\"", fault.what, part);
}

static void every_flipped_byte_is_found(void **state)
{
	static const char *const files[] = { "log", "checkpoint", "checkpoints", "key.pub", "frontier" };
	static const char flips[] = { 0x01, 0x20, (char)0x80, (char)0xff };
	int dir_fd = make_log();

	(void)state;
	for (size_t f = 0; f < sizeof(files) / sizeof(files[0]); f++) {
		cleanup_fd int fd = openat(dir_fd, files[f], O_RDWR | O_CLOEXEC);
		struct stat st;

		assert_int_equal(fstat(fd, &st), 0);
		for (off_t at = 0; at < st.st_size; at++) {
			char was, is;

			assert_int_equal(pread(fd, &was, 1, at), 1);
			for (size_t k = 0; k < sizeof(flips); k++) {
				is = (char)(was ^ flips[k]);
				assert_int_equal(pwrite(fd, &is, 1, at), 1);
				if (folder_verify(dir_fd, NULL, NULL) == 0)
					fail_msg("%s: byte %lld changed by %02x is not found", files[f], (long long)at, flips[k] & 0xff);
			}
			assert_int_equal(pwrite(fd, &was, 1, at), 1);
		}
	}
	assert_int_equal(folder_verify(dir_fd, NULL, NULL), 0);
	folder_remove(dir_fd);
}

static void the_first_bad_entry_is_named(void **state)
{
	cleanup_buf struct buf log = BUF_INIT(FOLDER_FILE_MAX);
	struct folder_record records[RECORDS_MAX];
	int dir_fd = make_log();
	char first[256], expected[64];
	size_t count, at;

	(void)state;
	folder_get(dir_fd, "log", &log);
	count = folder_cut_up(buf_slice(&log), records, RECORDS_MAX);
	assert_int_equal(count, ENTRIES);
	at = (size_t)(records[3].bytes.ptr - log.ptr);
	log.ptr[(size_t)(records[3].entry.ptr - log.ptr) + 10] ^= 1;
	folder_put(dir_fd, "log", buf_slice(&log));
	folder_verify(dir_fd, NULL, first);
	snprintf(expected, sizeof(expected), "log: entry 4 at %zu: does not match", at);
	assert_non_null(strstr(first, expected));
	/* The frontier is at the last checkpoint: only without it does opening read what lies before. */
	unlinkat(dir_fd, "frontier", 0);
	refuses_to_open(dir_fd, "log: entry 4 at byte");
	folder_remove(dir_fd);
}

/* Writes a log of those records in that order. */
static void put_records(int dir_fd, const struct folder_record *records, const size_t *order, size_t count)
{
	cleanup_buf struct buf log = BUF_INIT(FOLDER_FILE_MAX);

	buf_add_str(&log, FRAME_MAGIC);
	for (size_t i = 0; i < count; i++)
		buf_add_slice(&log, records[order[i]].bytes);
	folder_put(dir_fd, "log", buf_slice(&log));
}

static void dropped_moved_and_doubled_entries_are_found(void **state)
{
	static const struct { size_t order[8], count; const char *first; } cases[] = {
		{ { 1, 2, 3, 4, 5 }, 5, "entry 1 at 16: is not where it should be: entry 2" },
		{ { 0, 1, 3, 4, 5 }, 5, "entry 3" },
		{ { 0, 1, 2, 3, 4 }, 5, "entry 6" },
		{ { 0 }, 1, "entry 2" },
		{ { 0 }, 0, "entry 1" },
		{ { 0, 2, 1, 3, 4, 5 }, 6, "entry 2" },
		{ { 0, 1, 2, 3, 5, 4 }, 6, "entry 5" },
		{ { 0, 0, 1, 2, 3, 4, 5 }, 7, "entry 2" },
		{ { 0, 1, 2, 3, 4, 5, 5 }, 7, "entry 7" },
	};
	cleanup_buf struct buf log = BUF_INIT(FOLDER_FILE_MAX);
	struct folder_record records[RECORDS_MAX];
	int dir_fd = make_log();
	char first[256];

	(void)state;
	folder_get(dir_fd, "log", &log);
	folder_cut_up(buf_slice(&log), records, RECORDS_MAX);
	unlinkat(dir_fd, "frontier", 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_records(dir_fd, records, cases[i].order, cases[i].count);
		assert_true(folder_verify(dir_fd, NULL, first) > 0);
		if (!strstr(first, cases[i].first))
			fail_msg("case %zu: \"%s\" does not say \"%s\"", i, first, cases[i].first);
		refuses_to_open(dir_fd, "log: ");
	}
	folder_remove(dir_fd);
}

/* Puts other text in an entry's place, with a right checksum, as somebody without the key could. */
static void replace_entry(int dir_fd, size_t which, const char *from, const char *to)
{
	cleanup_buf struct buf log = BUF_INIT(FOLDER_FILE_MAX), changed = BUF_INIT(FOLDER_FILE_MAX), entry = BUF_INIT(FRAME_ENTRY_MAX);
	struct folder_record records[RECORDS_MAX];
	size_t count;
	const char *at;

	folder_get(dir_fd, "log", &log);
	count = folder_cut_up(buf_slice(&log), records, RECORDS_MAX);
	buf_add_str(&changed, FRAME_MAGIC);
	for (size_t i = 0; i < count; i++) {
		if (i != which) {
			buf_add_slice(&changed, records[i].bytes);
			continue;
		}
		at = memmem(records[i].entry.ptr, records[i].entry.len, from, strlen(from));
		assert_non_null(at);
		buf_add(&entry, records[i].entry.ptr, (size_t)(at - records[i].entry.ptr));
		buf_add_str(&entry, to);
		at += strlen(from);
		buf_add(&entry, at, records[i].entry.len - (size_t)(at - records[i].entry.ptr));
		if (records[i].arguments.len)
			frame_add(&changed, FRAME_ARGUMENTS, records[i].arguments, slice_of(NULL, 0));
		frame_add(&changed, FRAME_ENTRY, buf_slice(&entry), slice_of(NULL, 0));
	}
	folder_put(dir_fd, "log", buf_slice(&changed));
}

static void rewritten_entries_are_found(void **state)
{
	static const struct { const char *from, *to, *first; } cases[] = {
		{ "\"agent\":\"dev\"", "\"agent\":\"eve\"", "entry 4 at 0: is the first of those up to 6" },
		{ "\"seq\":5", "\"seq\":7", "entry 5" },
		{ "\"v\":1", "\"v\":2", "entry 5" },
		{ "{\"agent\"", "{ \"agent\"", "entry 5" },
		{ "\"bytes\":", "\"b\":", "entry 5" },
		{ "\"arguments\":{", "\"argument\":{", "entry 5" },
	};
	int clean = make_log(), dir_fd = folder_make();
	char first[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		folder_copy(clean, dir_fd);
		unlinkat(dir_fd, "frontier", 0);
		replace_entry(dir_fd, 4, cases[i].from, cases[i].to);
		assert_true(folder_verify(dir_fd, NULL, first) > 0);
		if (!strstr(first, cases[i].first))
			fail_msg("case %zu: \"%s\" does not say \"%s\"", i, first, cases[i].first);
		refuses_to_open(dir_fd, "first 6 entries are not those that were signed");
	}
	folder_remove(clean);
	folder_remove(dir_fd);
}

/* Puts a log together in which the second record's arguments are this frame, or none (kind 0). */
static void put_arguments(int dir_fd, const struct buf *log, int kind, struct slice payload)
{
	cleanup_buf struct buf changed = BUF_INIT(FOLDER_FILE_MAX);
	struct folder_record records[RECORDS_MAX];
	size_t count = folder_cut_up(buf_slice(log), records, RECORDS_MAX);

	buf_add_str(&changed, FRAME_MAGIC);
	for (size_t i = 0; i < count; i++) {
		if (i != 1) {
			buf_add_slice(&changed, records[i].bytes);
			continue;
		}
		if (kind)
			frame_add(&changed, (enum frame_kind)kind, payload, slice_of(NULL, 0));
		frame_add(&changed, FRAME_ENTRY, records[i].entry, slice_of(NULL, 0));
	}
	folder_put(dir_fd, "log", buf_slice(&changed));
}

static void replaced_arguments_are_found(void **state)
{
	cleanup_buf struct buf log = BUF_INIT(FOLDER_FILE_MAX);
	static const char zeros[64] = { 0 };
	struct auditlog_reader *reader;
	struct auditlog_entry entry;
	int dir_fd = make_log();
	char payload[64] = { 0 }, first[256];

	(void)state;
	unlinkat(dir_fd, "frontier", 0);
	folder_get(dir_fd, "log", &log);
	memcpy(payload + FRAME_NONCE, "{\"path\":\"/etc/shadow\"}", arguments.len);
	put_arguments(dir_fd, &log, FRAME_ARGUMENTS, slice_of(payload, FRAME_NONCE + arguments.len));
	assert_int_equal(folder_verify(dir_fd, NULL, first), 1);
	assert_non_null(strstr(first, "entry 2 at "));
	assert_non_null(strstr(first, "other arguments"));
	assert_int_equal(auditlog_reader_open(dir_fd, &reader, NULL), 0);
	auditlog_reader_seek(reader, 2);
	assert_int_equal(auditlog_next(reader, &entry, NULL), 1);
	assert_int_equal(entry.arguments_state, ARGUMENTS_WRONG);
	assert_int_equal(entry.arguments.len, 0);
	auditlog_reader_free(reader);
	put_arguments(dir_fd, &log, FRAME_ARGUMENTS, slice_of(payload, FRAME_NONCE + arguments.len - 1));
	assert_int_equal(folder_verify(dir_fd, NULL, first), 1);
	assert_non_null(strstr(first, "another length"));
	put_arguments(dir_fd, &log, 0, slice_of(NULL, 0));
	assert_int_equal(folder_verify(dir_fd, NULL, first), 1);
	assert_non_null(strstr(first, "lacks the arguments"));
	put_arguments(dir_fd, &log, FRAME_ERASED, slice_of(payload, FRAME_NONCE + arguments.len));
	assert_true(folder_verify(dir_fd, NULL, first) > 0);
	assert_non_null(strstr(first, "erased and is not"));
	/* Erased by somebody who told nobody. */
	put_arguments(dir_fd, &log, FRAME_ERASED, slice_of(zeros, FRAME_NONCE + arguments.len));
	assert_int_equal(folder_verify(dir_fd, NULL, first), 1);
	assert_non_null(strstr(first, "no entry records"));
	folder_remove(dir_fd);
}

static void recorded_erasure_breaks_no_proof(void **state)
{
	struct json_member member = { .name = SLICE("entry"), .value = { .type = JSON_NUMBER, .text = SLICE("2") } };
	struct json fields = { .type = JSON_OBJECT, .count = 1, .members = &member };
	cleanup_buf struct buf bytes = BUF_INIT(FOLDER_FILE_MAX);
	static const char zeros[64] = { 0 };
	struct auditlog_verified verified;
	struct auditlog_reader *reader;
	struct auditlog_entry entry;
	int dir_fd = make_log();
	struct auditlog *log = folder_open(dir_fd);
	uint64_t seq;

	(void)state;
	assert_int_equal(auditlog_append(log, SLICE("arguments.erased"), &fields, slice_of(NULL, 0), &seq), 0);
	assert_int_equal(auditlog_checkpoint(log), 0);
	auditlog_close(log);
	folder_get(dir_fd, "log", &bytes);
	put_arguments(dir_fd, &bytes, FRAME_ERASED, slice_of(zeros, FRAME_NONCE + arguments.len));
	assert_int_equal(folder_verify(dir_fd, &verified, NULL), 0);
	assert_int_equal(verified.erased, 1);
	assert_int_equal(verified.arguments, 1);
	assert_int_equal(auditlog_reader_open(dir_fd, &reader, NULL), 0);
	auditlog_reader_seek(reader, 2);
	assert_int_equal(auditlog_next(reader, &entry, NULL), 1);
	assert_int_equal(entry.arguments_state, ARGUMENTS_ERASED);
	auditlog_reader_free(reader);
	unlinkat(dir_fd, "frontier", 0);
	auditlog_close(folder_open(dir_fd));
	folder_remove(dir_fd);
}

static void nothing_is_gone_on_with_when_a_part_is_missing(void **state)
{
	static const struct { const char *file, *says; } cases[] = {
		{ "log", "log: is missing" },
		{ "key", "key: is missing" },
		{ "checkpoint", "checkpoint: is missing" },
		{ "checkpoints", "checkpoints: is missing" },
	};
	int clean = make_log(), dir_fd = folder_make();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		folder_copy(clean, dir_fd);
		unlinkat(dir_fd, cases[i].file, 0);
		refuses_to_open(dir_fd, cases[i].says);
		if (strcmp(cases[i].file, "key") != 0)
			assert_true(folder_verify(dir_fd, NULL, NULL) > 0);
	}
	/* The verifier key follows from the key, and is made again. */
	folder_copy(clean, dir_fd);
	unlinkat(dir_fd, "key.pub", 0);
	assert_true(folder_verify(dir_fd, NULL, NULL) > 0);
	auditlog_close(folder_open(dir_fd));
	assert_int_equal(folder_verify(dir_fd, NULL, NULL), 0);
	folder_remove(clean);
	folder_remove(dir_fd);
}

static void keep_first(void *ctx, const struct auditlog_finding *finding)
{
	cleanup_buf struct buf text = BUF_INIT(512);
	char *first = ctx;

	assert_int_equal(auditlog_finding_text(&text, finding), 0);
	if (!first[0])
		snprintf(first, 256, "%.*s", SLICE_ARG(buf_slice(&text)));
}

static void a_key_must_be_the_right_one_and_private(void **state)
{
	cleanup_buf struct buf key = BUF_INIT(256);
	int dir_fd = make_log(), other = make_log(), third = make_log();
	struct auditlog_verified verified;
	char first[256] = "";

	(void)state;
	folder_get(other, "key", &key);
	folder_put(dir_fd, "key", buf_slice(&key));
	refuses_to_open(dir_fd, "key.pub: does not belong");
	folder_get(other, "key.pub", &key);
	folder_put(dir_fd, "key.pub", buf_slice(&key));
	refuses_to_open(dir_fd, "checkpoint: is not a checkpoint signed with this log's key");
	assert_true(folder_verify(dir_fd, NULL, NULL) > 0);
	folder_put(dir_fd, "key", SLICE("short"));
	refuses_to_open(dir_fd, "key: is not a signing key");
	assert_int_equal(fchmodat(other, "key", 0640, 0), 0);
	refuses_to_open(other, "key: may be read by others");
	/* A whole folder of somebody else's is told by the key that one trusts. */
	folder_get(third, "key.pub", &key);
	assert_int_equal(auditlog_verify(other, buf_slice(&key), keep_first, first, &verified), 0);
	assert_true(verified.findings > 0);
	assert_non_null(strstr(first, "key.pub: is another key than the one to trust"));
	assert_int_equal(auditlog_verify(other, SLICE("nonsense"), NULL, NULL, &verified), -EINVAL);
	folder_remove(third);
	folder_remove(dir_fd);
	folder_remove(other);
}

static void an_older_log_put_back_is_found(void **state)
{
	static const char *const parts[] = { "log", "checkpoint", "frontier" };
	cleanup_buf struct buf bytes = BUF_INIT(FOLDER_FILE_MAX);
	int dir_fd = make_log(), old = folder_make();
	struct auditlog *log;
	char first[256];

	(void)state;
	folder_copy(dir_fd, old);
	log = folder_open(dir_fd);
	for (unsigned i = 0; i < 5; i++)
		folder_append(log, i, arguments);
	assert_int_equal(auditlog_checkpoint(log), 0);
	auditlog_close(log);
	/* All but the history: it says that there was more. */
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		folder_get(old, parts[i], &bytes);
		folder_put(dir_fd, parts[i], buf_slice(&bytes));
	}
	assert_true(folder_verify(dir_fd, NULL, first) > 0);
	assert_non_null(strstr(first, "entry 7"));
	refuses_to_open(dir_fd, "log: ends after entry 6");
	/* The history alone: `checkpoint` says so. */
	folder_copy(old, dir_fd);
	log = folder_open(dir_fd);
	folder_append(log, 1, arguments);
	assert_int_equal(auditlog_checkpoint(log), 0);
	auditlog_close(log);
	folder_get(old, "checkpoints", &bytes);
	folder_put(dir_fd, "checkpoints", buf_slice(&bytes));
	assert_true(folder_verify(dir_fd, NULL, NULL) > 0);
	refuses_to_open(dir_fd, "checkpoints: ends with one for 6 entries, but `checkpoint` signs for 7");
	folder_remove(dir_fd);
	folder_remove(old);
}

static void an_older_checkpoint_alone_is_mended(void **state)
{
	cleanup_buf struct buf old = BUF_INIT(4096), now = BUF_INIT(4096);
	int dir_fd = make_log();
	struct auditlog *log;

	(void)state;
	folder_get(dir_fd, "checkpoint", &old);
	log = folder_open(dir_fd);
	folder_append(log, 1, arguments);
	assert_int_equal(auditlog_checkpoint(log), 0);
	auditlog_close(log);
	/* As a crash between the two leaves it. */
	folder_put(dir_fd, "checkpoint", buf_slice(&old));
	assert_int_equal(folder_verify(dir_fd, NULL, NULL), 0);
	log = folder_open(dir_fd);
	folder_append(log, 1, arguments);
	assert_int_equal(auditlog_checkpoint(log), 0);
	auditlog_close(log);
	folder_get(dir_fd, "checkpoint", &now);
	assert_false(slice_eq(buf_slice(&now), buf_slice(&old)));
	assert_int_equal(folder_verify(dir_fd, NULL, NULL), 0);
	folder_remove(dir_fd);
}

static void a_history_without_its_beginning_or_order_is_found(void **state)
{
	cleanup_buf struct buf history = BUF_INIT(FOLDER_FILE_MAX), changed = BUF_INIT(FOLDER_FILE_MAX);
	int dir_fd = make_log();
	size_t note;

	(void)state;
	folder_get(dir_fd, "checkpoints", &history);
	note = history.len / 3; /* three notes of one length: the sizes have one digit each */
	folder_put(dir_fd, "checkpoints", slice_of(history.ptr + note, history.len - note));
	assert_true(folder_verify(dir_fd, NULL, NULL) > 0);
	buf_add(&changed, history.ptr + note, note);
	buf_add(&changed, history.ptr, note);
	buf_add(&changed, history.ptr + 2 * note, note);
	folder_put(dir_fd, "checkpoints", buf_slice(&changed));
	assert_true(folder_verify(dir_fd, NULL, NULL) > 0);
	buf_clear(&changed);
	buf_add(&changed, history.ptr, note);
	buf_add(&changed, history.ptr + 2 * note, note);
	buf_add(&changed, history.ptr + note, note);
	folder_put(dir_fd, "checkpoints", buf_slice(&changed));
	assert_true(folder_verify(dir_fd, NULL, NULL) > 0);
	folder_put(dir_fd, "checkpoints", SLICE(""));
	assert_true(folder_verify(dir_fd, NULL, NULL) > 0);
	refuses_to_open(dir_fd, "checkpoints: holds no checkpoint");
	folder_remove(dir_fd);
}

/* Two roots for one size, both signed: whoever has the key did that, or a log was copied and continued twice. */
static void two_roots_for_one_size_are_found(void **state)
{
	cleanup_buf struct buf seed = BUF_INIT(256), line = BUF_INIT(256), note = BUF_INIT(NOTE_MAX);
	struct checkpoint other = { .size = ENTRIES, .root = { 1, 2, 3 } };
	uint8_t public_key[NOTE_PUBLIC], secret[NOTE_SECRET];
	int dir_fd = make_log();
	struct note_key key;

	(void)state;
	folder_get(dir_fd, "key", &seed);
	folder_get(dir_fd, "key.pub", &line);
	crypto_sign_seed_keypair(public_key, secret, (const uint8_t *)seed.ptr);
	assert_int_equal(note_key_read(buf_slice(&line), &key), 0);
	assert_int_equal(checkpoint_sign(&note, &other, &key, secret), 0);
	folder_put(dir_fd, "checkpoint", buf_slice(&note));
	assert_true(folder_verify(dir_fd, NULL, NULL) > 0);
	refuses_to_open(dir_fd, "checkpoint: signs another root for 6 entries than checkpoints does");
	folder_remove(dir_fd);
}

/* Entries after the checkpoint are held by nothing but their form; what can be checked of them is. */
static void unsigned_entries_are_checked_as_far_as_can_be(void **state)
{
	cleanup_buf struct buf bytes = BUF_INIT(FOLDER_FILE_MAX);
	char payload[64] = { 0 };
	int dir_fd = folder_make();
	struct auditlog *log = folder_open(dir_fd);

	(void)state;
	folder_append(log, 1, slice_of(NULL, 0));
	folder_append(log, 2, arguments);
	auditlog_close(log);
	folder_get(dir_fd, "log", &bytes);
	memcpy(payload + FRAME_NONCE, arguments.ptr, arguments.len);
	put_arguments(dir_fd, &bytes, FRAME_ARGUMENTS, slice_of(payload, FRAME_NONCE + arguments.len));
	refuses_to_open(dir_fd, "log: entry 2 at byte");
	put_arguments(dir_fd, &bytes, 0, slice_of(NULL, 0));
	refuses_to_open(dir_fd, "lacks the arguments");
	folder_put(dir_fd, "log", buf_slice(&bytes));
	replace_entry(dir_fd, 1, "\"seq\":2", "\"seq\":3");
	refuses_to_open(dir_fd, "entry 3 at byte");
	folder_remove(dir_fd);
}

static void readers_stop_at_what_is_wrong(void **state)
{
	cleanup_buf struct buf bytes = BUF_INIT(FOLDER_FILE_MAX);
	struct folder_record records[RECORDS_MAX];
	static const size_t order[] = { 0, 2, 1 };
	struct auditlog_reader *reader;
	struct auditlog_entry entry;
	struct auditlog_fault fault;
	int dir_fd = make_log();

	(void)state;
	folder_get(dir_fd, "log", &bytes);
	folder_cut_up(buf_slice(&bytes), records, RECORDS_MAX);
	put_records(dir_fd, records, order, 3);
	assert_int_equal(auditlog_reader_open(dir_fd, &reader, NULL), 0);
	assert_int_equal(auditlog_next(reader, &entry, &fault), 1);
	assert_int_equal(auditlog_next(reader, &entry, &fault), -EBADMSG);
	assert_non_null(strstr(fault.what, "log: entry 2 at byte"));
	auditlog_reader_free(reader);
	/* One changed byte of the second entry, which no other check than the sum sees. */
	bytes.ptr[(size_t)(records[1].entry.ptr - bytes.ptr) + records[1].entry.len / 2] ^= 1;
	folder_put(dir_fd, "log", buf_slice(&bytes));
	assert_int_equal(auditlog_reader_open(dir_fd, &reader, NULL), 0);
	assert_int_equal(auditlog_next(reader, &entry, &fault), 1);
	assert_int_equal(auditlog_next(reader, &entry, &fault), -EBADMSG);
	assert_non_null(strstr(fault.what, "does not match its checksum"));
	auditlog_reader_free(reader);
	bytes.ptr[0] ^= 1;
	folder_put(dir_fd, "log", buf_slice(&bytes));
	assert_int_equal(auditlog_reader_open(dir_fd, &reader, &fault), -EBADMSG);
	folder_remove(dir_fd);
}

/* With a right checksum, as somebody could write it: at a byte `shift` further. */
static void shift_frontier(int dir_fd, int shift)
{
	cleanup_buf struct buf frontier = BUF_INIT(4096);

	folder_get(dir_fd, "frontier", &frontier);
	put_u32((uint8_t *)frontier.ptr + 16, get_u32(frontier.ptr + 16) + (uint32_t)shift);
	put_u32((uint8_t *)frontier.ptr + frontier.len - 4, crc32c(0, slice_of(frontier.ptr, frontier.len - 4)));
	folder_put(dir_fd, "frontier", buf_slice(&frontier));
}

static void a_frontier_cannot_hide_a_changed_entry(void **state)
{
	static const char *const parts[] = { "checkpoint", "checkpoints" };
	cleanup_buf struct buf bytes = BUF_INIT(4096);
	int dir_fd = make_log(), old = folder_make();
	struct auditlog *log;

	(void)state;
	shift_frontier(dir_fd, 1);
	assert_int_equal(folder_verify(dir_fd, NULL, NULL), 1);
	auditlog_close(folder_open(dir_fd));
	shift_frontier(dir_fd, -1);
	assert_int_equal(folder_verify(dir_fd, NULL, NULL), 0);
	/* A frontier that is ahead of the checkpoints, which were put back: the log is read from its beginning. */
	folder_copy(dir_fd, old);
	log = folder_open(dir_fd);
	folder_append(log, 7, arguments);
	assert_int_equal(auditlog_checkpoint(log), 0);
	auditlog_close(log);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		folder_get(old, parts[i], &bytes);
		folder_put(dir_fd, parts[i], buf_slice(&bytes));
	}
	replace_entry(dir_fd, 0, "\"agent\":\"dev\"", "\"agent\":\"eve\"");
	refuses_to_open(dir_fd, "first 6 entries are not those that were signed");
	folder_remove(dir_fd);
	folder_remove(old);
}

static void a_wrong_frontier_misleads_nobody(void **state)
{
	cleanup_buf struct buf frontier = BUF_INIT(4096);
	int dir_fd = make_log(), longer = folder_make();
	struct auditlog *log;

	(void)state;
	folder_copy(dir_fd, longer);
	log = folder_open(longer);
	folder_append(log, 1, arguments);
	assert_int_equal(auditlog_checkpoint(log), 0);
	auditlog_close(log);
	folder_get(longer, "frontier", &frontier);
	folder_put(dir_fd, "frontier", buf_slice(&frontier));
	log = folder_open(dir_fd);
	assert_int_equal(folder_append(log, 7, arguments), 7);
	assert_int_equal(auditlog_checkpoint(log), 0);
	auditlog_close(log);
	assert_int_equal(folder_verify(dir_fd, NULL, NULL), 0);
	folder_remove(dir_fd);
	folder_remove(longer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_flipped_byte_is_found),
		cmocka_unit_test(the_first_bad_entry_is_named),
		cmocka_unit_test(dropped_moved_and_doubled_entries_are_found),
		cmocka_unit_test(rewritten_entries_are_found),
		cmocka_unit_test(replaced_arguments_are_found),
		cmocka_unit_test(recorded_erasure_breaks_no_proof),
		cmocka_unit_test(nothing_is_gone_on_with_when_a_part_is_missing),
		cmocka_unit_test(a_key_must_be_the_right_one_and_private),
		cmocka_unit_test(an_older_log_put_back_is_found),
		cmocka_unit_test(an_older_checkpoint_alone_is_mended),
		cmocka_unit_test(a_history_without_its_beginning_or_order_is_found),
		cmocka_unit_test(two_roots_for_one_size_are_found),
		cmocka_unit_test(unsigned_entries_are_checked_as_far_as_can_be),
		cmocka_unit_test(readers_stop_at_what_is_wrong),
		cmocka_unit_test(a_frontier_cannot_hide_a_changed_entry),
		cmocka_unit_test(a_wrong_frontier_misleads_nobody),
	};

	return cmocka_run_group_tests_name("auditlog_tamper", tests, NULL, NULL);
}
