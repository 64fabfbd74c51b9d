/* The audit log: tree, notes, appending, reading, proving, group commit. Damage and crashes have files of their own. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "auditlog/crc32c.h"
#include "auditlog/entry.h"
#include "auditlog/note.h"
#include "auditlog_folder.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"

static void hex_is(const uint8_t hash[MERKLE_HASH], const char *expected)
{
	char hex[2 * MERKLE_HASH + 1] = "";

	text_hex(hash, MERKLE_HASH, hex);
	assert_string_equal(hex, expected);
}

static void checksum_is_crc32c(void **state)
{
	char zeros[32] = { 0 };

	(void)state;
	/* RFC 3720, appendix B.4, and the usual check value. */
	assert_int_equal(crc32c(0, SLICE("123456789")), 0xe3069283);
	assert_int_equal(crc32c(0, slice_of(zeros, sizeof(zeros))), 0x8a9136aa);
	assert_int_equal(crc32c(crc32c(0, SLICE("1234")), SLICE("56789")), 0xe3069283);
}

static const struct slice leaves[] = {
	SLICE(""), SLICE("\x00"), SLICE("\x10"), SLICE("\x20\x21"), SLICE("\x30\x31"), SLICE("\x40\x41\x42\x43"),
	SLICE("\x50\x51\x52\x53\x54\x55\x56\x57"), SLICE("\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f"),
};

static void tree_is_that_of_rfc_6962(void **state)
{
	/* The roots that Certificate Transparency's own tests have for these leaves. */
	static const char *const roots[] = {
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	};
	struct merkle tree = { 0 };
	uint8_t hash[MERKLE_HASH];

	(void)state;
	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		merkle_root(&tree, hash);
		hex_is(hash, roots[i]);
		if (i < 8) {
			merkle_leaf(leaves[i], hash);
			merkle_append(&tree, hash);
		}
	}
}

/* The root of a range of leaves, which are the decimal numbers. */
static void range_root(struct merkle_range range, uint8_t ret_root[MERKLE_HASH])
{
	struct merkle tree = { 0 };

	for (uint64_t i = range.first; i < range.first + range.count; i++) {
		uint8_t leaf[MERKLE_HASH];

		merkle_leaf(slice_of(&i, sizeof(i)), leaf);
		merkle_append(&tree, leaf);
	}
	merkle_root(&tree, ret_root);
}

static void inclusion_is_proven_for_every_leaf(void **state)
{
	(void)state;
	for (uint64_t size = 1; size <= 33; size++) {
		uint8_t root[MERKLE_HASH];

		range_root((struct merkle_range){ 0, size }, root);
		for (uint64_t index = 0; index < size; index++) {
			struct merkle_range path[MERKLE_LEVELS];
			uint8_t proof[MERKLE_LEVELS][MERKLE_HASH], leaf[MERKLE_HASH];
			size_t count = merkle_path(index, size, path);

			for (size_t i = 0; i < count; i++)
				range_root(path[i], proof[i]);
			range_root((struct merkle_range){ index, 1 }, leaf);
			assert_true(merkle_included(leaf, index, size, (const uint8_t(*)[MERKLE_HASH])proof, count, root));
			assert_false(merkle_included(leaf, index + 1, size, (const uint8_t(*)[MERKLE_HASH])proof, count, root));
			leaf[0] ^= 1;
			assert_false(merkle_included(leaf, index, size, (const uint8_t(*)[MERKLE_HASH])proof, count, root));
		}
	}
}

static void notes_are_those_of_others(void **state)
{
	/* The example of Go's sumdb/note package: another implementation's signature. */
	static const struct slice note = SLICE("If you think cryptography is the answer to your problem,\n"
					       "then you don't know what your problem is.\n"
					       "\n"
					       "\xe2\x80\x94 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqf"
					       "qdngotpRZb6KE6RyyBwJnAM=\n");
	struct note_key key = { .name = "PeterNeumann", .id = { 0xc7, 0x4f, 0x20, 0xa3 } };
	uint8_t typed[33];
	struct slice text;

	(void)state;
	assert_int_equal(sodium_base642bin(typed, sizeof(typed), "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", 44, NULL, NULL, NULL,
					   sodium_base64_VARIANT_ORIGINAL),
			 0);
	memcpy(key.public_key, typed + 1, sizeof(key.public_key));
	assert_int_equal(note_open(note, &key, &text), 0);
	assert_int_equal(text.len, 99);
	/* What a checkpoint is, it is not. */
	assert_int_equal(checkpoint_open(note, &key, &(struct checkpoint){ 0 }), -EBADMSG);
	key.id[0] ^= 1;
	assert_int_equal(note_open(note, &key, &text), -EBADMSG);
}

static void make_key(struct note_key *key, uint8_t secret[NOTE_SECRET])
{
	static const uint8_t seed[NOTE_SEED] = { 1, 2, 3 };
	uint8_t public_key[NOTE_PUBLIC];

	crypto_sign_seed_keypair(public_key, secret, seed);
	note_key_of(public_key, key);
}

static void checkpoints_are_signed_whole(void **state)
{
	struct checkpoint checkpoint = { .size = 20852163, .root = { 9, 8, 7 } }, back;
	cleanup_buf struct buf note = BUF_INIT(NOTE_MAX), longer = BUF_INIT(NOTE_MAX);
	uint8_t secret[NOTE_SECRET];
	struct note_key key, other;

	(void)state;
	make_key(&key, secret);
	assert_int_equal(checkpoint_sign(&note, &checkpoint, &key, secret), 0);
	assert_int_equal(checkpoint_open(buf_slice(&note), &key, &back), 0);
	assert_true(back.size == checkpoint.size && memcmp(back.root, checkpoint.root, MERKLE_HASH) == 0);
	assert_int_equal(note_length(buf_slice(&note)), note.len);
	for (size_t i = 0; i < note.len; i++) {
		assert_int_equal(checkpoint_open(slice_of(note.ptr, i), &key, &back), -EBADMSG);
		for (int bit = 0; bit < 8; bit++) {
			note.ptr[i] ^= (char)(1 << bit);
			assert_int_equal(checkpoint_open(buf_slice(&note), &key, &back), -EBADMSG);
			note.ptr[i] ^= (char)(1 << bit);
		}
	}
	/* A witness may add its line; another log's key opens nothing. */
	buf_add_slice(&longer, buf_slice(&note));
	buf_add_str(&longer, "\xe2\x80\x94 witness.example AAAAAAAA\n");
	assert_int_equal(checkpoint_open(buf_slice(&longer), &key, &back), 0);
	assert_int_equal(note_length(buf_slice(&longer)), longer.len);
	buf_add_str(&longer, "no newline");
	assert_int_equal(checkpoint_open(buf_slice(&longer), &key, &back), -EBADMSG);
	other = key;
	other.public_key[0] ^= 1;
	assert_int_equal(checkpoint_open(buf_slice(&note), &other, &back), -EBADMSG);
}

static void a_note_of_ours_need_not_be_a_checkpoint(void **state)
{
	static const char root[] = "\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
	static const struct { const char *origin, *size, *root; int result; } cases[] = {
		{ "bawn/", "\n7", root, 0 },
		{ "bawn/other", "\n7", root, -EBADMSG },
		{ "", "\n7", root, -EBADMSG },
		{ "bawn/", "\n07", root, -EBADMSG },
		{ "bawn/", "\n-7", root, -EBADMSG },
		{ "bawn/", "\n9223372036854775808", root, -EBADMSG },
		{ "bawn/", "\n7", "\nAAAA\n", -EBADMSG },
		{ "bawn/", "\n7", "\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n", -EBADMSG },
		{ "bawn/", "\n7", "\n", -EBADMSG },
	};
	uint8_t secret[NOTE_SECRET];
	struct checkpoint back;
	struct note_key key;

	(void)state;
	make_key(&key, secret);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_buf struct buf text = BUF_INIT(NOTE_MAX), note = BUF_INIT(NOTE_MAX);

		buf_add_str(&text, strcmp(cases[i].origin, "bawn/") == 0 ? key.name : cases[i].origin);
		buf_add_str(&text, cases[i].size);
		buf_add_str(&text, cases[i].root);
		assert_int_equal(note_sign(&note, buf_slice(&text), &key, secret), 0);
		assert_int_equal(checkpoint_open(buf_slice(&note), &key, &back), cases[i].result);
	}
}

static void frames_are_bounded(void **state)
{
	static const struct { uint8_t kind; uint32_t len; enum frame_state state; } cases[] = {
		{ 'E', 0, FRAME_FORM },
		{ 'E', 1, FRAME_FORM },
		{ 'E', 2, FRAME_SHORT },
		{ 'E', FRAME_ENTRY_MAX, FRAME_SHORT },
		{ 'E', FRAME_ENTRY_MAX + 1, FRAME_FORM },
		{ 'A', FRAME_NONCE, FRAME_FORM },
		{ 'A', FRAME_NONCE + 1, FRAME_SHORT },
		{ 'X', FRAME_ARGUMENTS_MAX, FRAME_SHORT },
		{ 'X', FRAME_ARGUMENTS_MAX + 1, FRAME_FORM },
		{ 'A', UINT32_MAX, FRAME_FORM },
		{ 'B', 100, FRAME_FORM },
		{ 0, 0, FRAME_FORM },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t header[FRAME_HEADER] = { 0 };
		struct frame frame;

		put_u32(header, cases[i].len);
		header[8] = cases[i].kind;
		assert_int_equal(frame_read(slice_of(header, sizeof(header)), &frame), cases[i].state);
		assert_int_equal(frame_read(slice_of(header, sizeof(header) - 1), &frame), FRAME_SHORT);
	}
}

static void verifier_keys_have_one_spelling(void **state)
{
	cleanup_buf struct buf line = BUF_INIT(256);
	uint8_t secret[NOTE_SECRET];
	struct note_key key, back;

	(void)state;
	make_key(&key, secret);
	assert_int_equal(note_key_write(&line, &key), 0);
	assert_int_equal(note_key_read(buf_slice(&line), &back), 0);
	assert_memory_equal(&back, &key, sizeof(key));
	for (size_t i = 0; i < line.len; i++) {
		assert_int_equal(note_key_read(slice_of(line.ptr, i), &back), -EINVAL);
		line.ptr[i] ^= 1;
		assert_int_equal(note_key_read(buf_slice(&line), &back), -EINVAL);
		line.ptr[i] ^= 1;
	}
}

static void time_is_written_as_rfc_3339(void **state)
{
	static const struct { uint64_t us; const char *text; } cases[] = {
		{ 0, "1970-01-01T00:00:00.000000Z" },
		{ 951782399999999, "2000-02-28T23:59:59.999999Z" },
		{ 951782400000000, "2000-02-29T00:00:00.000000Z" },
		{ 951868800000001, "2000-03-01T00:00:00.000001Z" },
		{ 1709164800000000, "2024-02-29T00:00:00.000000Z" },
		{ 4107542400000000, "2100-03-01T00:00:00.000000Z" },
		{ 1767225599123456, "2025-12-31T23:59:59.123456Z" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[32];

		text_time(cases[i].us, text);
		assert_string_equal(text, cases[i].text);
	}
}

static uint64_t fixed_clock(void *ctx)
{
	(void)ctx;
	return 1767225599123456;
}

static void entries_are_canonical_and_come_back(void **state)
{
	struct json_member members[] = {
		{ .name = SLICE("tool"), .value = { .type = JSON_STRING, .text = SLICE("files.read \"\n") } },
		{ .name = SLICE("agent"), .value = { .type = JSON_STRING, .text = SLICE("dev") } },
	};
	struct json fields = { .type = JSON_OBJECT, .count = 2, .members = members };
	struct auditlog_options options = { .now_us = fixed_clock };
	struct auditlog_reader *reader;
	struct auditlog_entry entry;
	struct auditlog *log;
	int dir_fd = folder_make();
	uint64_t seq = 0;

	(void)state;
	assert_int_equal(auditlog_open(dir_fd, &options, &log, NULL), 0);
	assert_int_equal(auditlog_append(log, SLICE("call.intent"), &fields, slice_of(NULL, 0), &seq), 0);
	assert_int_equal(seq, 1);
	assert_int_equal(auditlog_append(log, SLICE("call.intent"), NULL, SLICE("{\"path\":\"/work/x\"}"), &seq), 0);
	assert_int_equal(seq, 2);
	assert_int_equal(auditlog_last(log), 2);
	auditlog_close(log);

	assert_int_equal(auditlog_reader_open(dir_fd, &reader, NULL), 0);
	assert_int_equal(auditlog_next(reader, &entry, NULL), 1);
	assert_true(slice_eq(entry.text, SLICE("{\"agent\":\"dev\",\"kind\":\"call.intent\",\"seq\":1,\"time\":\"2025-12-31T23:59:59.123456Z\","
					       "\"tool\":\"files.read \\\"\\n\",\"v\":1}")));
	assert_int_equal(entry.arguments_state, ARGUMENTS_NONE);
	assert_int_equal(auditlog_next(reader, &entry, NULL), 1);
	assert_int_equal(entry.arguments_state, ARGUMENTS_KEPT);
	assert_true(slice_eq(entry.arguments, SLICE("{\"path\":\"/work/x\"}")));
	assert_int_equal(auditlog_next(reader, &entry, NULL), 0);
	auditlog_reader_free(reader);
	folder_remove(dir_fd);
}

/* Appends with one field of that name and value, or with none. */
static int try_append(struct auditlog *log, struct slice kind, struct slice name, struct slice value, struct slice arguments)
{
	struct json_member member = { .name = name, .value = { .type = JSON_STRING, .text = value } };
	struct json fields = { .type = JSON_OBJECT, .count = 1, .members = &member };
	uint64_t seq;

	return auditlog_append(log, kind, &fields, arguments, &seq);
}

static void what_cannot_be_an_entry_is_refused(void **state)
{
	static const struct slice names[] = { SLICE("v"), SLICE("seq"), SLICE("time"), SLICE("kind"), SLICE("arguments") };
	struct slice none = slice_of(NULL, 0), kind = SLICE("call.intent");
	struct json_member members[AUDITLOG_FIELDS_MAX + 1];
	struct json fields = { .type = JSON_OBJECT, .count = 2, .members = members };
	cleanup_free char *big = calloc(1, AUDITLOG_ARGUMENTS_MAX + 1);
	int dir_fd = folder_make();
	struct auditlog *log = folder_open(dir_fd);
	uint64_t seq;

	(void)state;
	memset(big, 'x', AUDITLOG_ARGUMENTS_MAX + 1);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(try_append(log, kind, names[i], SLICE("1"), none), -EINVAL);
	assert_int_equal(try_append(log, none, SLICE("agent"), SLICE("dev"), none), -EINVAL);
	assert_int_equal(try_append(log, kind, SLICE("agent"), SLICE("\xff"), none), -EINVAL);
	assert_int_equal(try_append(log, SLICE("\xff"), SLICE("agent"), SLICE("dev"), none), -EINVAL);
	assert_int_equal(try_append(log, kind, SLICE("agent"), SLICE("dev"), SLICE("\"\xff\"")), -EINVAL);
	assert_int_equal(try_append(log, kind, SLICE("agent"), SLICE("dev"), SLICE("[1,\n2]")), -EINVAL);
	assert_int_equal(try_append(log, kind, SLICE("agent"), slice_of(big, AUDITLOG_ENTRY_MAX), none), -EMSGSIZE);
	assert_int_equal(try_append(log, kind, SLICE("agent"), SLICE("dev"), slice_of(big, AUDITLOG_ARGUMENTS_MAX + 1)), -EMSGSIZE);
	for (size_t i = 0; i <= AUDITLOG_FIELDS_MAX; i++)
		members[i] = (struct json_member){ .name = SLICE("same"), .value = { .type = JSON_TRUE } };
	assert_int_equal(auditlog_append(log, kind, &fields, none, &seq), -EINVAL);
	for (size_t i = 0; i <= AUDITLOG_FIELDS_MAX; i++)
		members[i].name = slice_of(big, i + 1);
	fields.count = AUDITLOG_FIELDS_MAX + 1;
	assert_int_equal(auditlog_append(log, kind, &fields, none, &seq), -EINVAL);
	assert_int_equal(auditlog_last(log), 0);
	/* The largest that may be, may be. */
	fields.count = AUDITLOG_FIELDS_MAX;
	assert_int_equal(auditlog_append(log, kind, &fields, slice_of(big, AUDITLOG_ARGUMENTS_MAX), &seq), 0);
	assert_int_equal(auditlog_checkpoint(log), 0);
	auditlog_close(log);
	assert_int_equal(folder_verify(dir_fd, NULL, NULL), 0);
	folder_remove(dir_fd);
}

static void one_process_writes(void **state)
{
	int dir_fd = folder_make();
	struct auditlog *log = folder_open(dir_fd), *second = NULL;
	struct auditlog_fault fault;

	(void)state;
	assert_int_equal(auditlog_open(dir_fd, NULL, &second, &fault), -EWOULDBLOCK);
	assert_string_equal(fault.what, "log: another process is writing it");
	auditlog_close(log);
	auditlog_close(folder_open(dir_fd));
	folder_remove(dir_fd);
}

static void opening_goes_on_where_it_ended(void **state)
{
	int dir_fd = folder_make();
	struct auditlog_verified verified;

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		struct auditlog *log = folder_open(dir_fd);

		assert_int_equal(folder_append(log, i, i % 3 ? SLICE("[1,2]") : slice_of(NULL, 0)), i + 1);
		if (i % 4 == 0) {
			assert_int_equal(auditlog_checkpoint(log), 0);
			assert_int_equal(auditlog_checkpoint(log), 0); /* nothing new: no other one */
		}
		auditlog_close(log);
		/* The frontier only saves time: without it, or with another, everything is read. */
		if (i % 5 == 0)
			unlinkat(dir_fd, "frontier", 0);
		if (i % 7 == 0)
			folder_put(dir_fd, "frontier", SLICE("nonsense"));
	}
	unlinkat(dir_fd, "frontier", 0);
	assert_int_equal(folder_verify(dir_fd, &verified, NULL), 0);
	assert_int_equal(verified.entries, 40);
	assert_int_equal(verified.signed_entries, 37);
	assert_int_equal(verified.checkpoints, 11);
	assert_int_equal(verified.arguments, 26);
	folder_remove(dir_fd);
}

static void entries_are_found_by_number_and_by_field(void **state)
{
	struct auditlog_filter filter = { .agent = SLICE("dev"), .kind = SLICE("call.intent"), .since = 990 };
	static const uint64_t order[] = { 1000, 1, 257, 256, 258, 999, 3, 513, 1000 };
	struct auditlog_reader *reader;
	struct auditlog_entry entry;
	int dir_fd = folder_make();
	struct auditlog *log = folder_open(dir_fd);
	unsigned matches = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		folder_append(log, i, slice_of(NULL, 0));
	assert_int_equal(auditlog_reader_open(dir_fd, &reader, NULL), 0);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		auditlog_reader_seek(reader, order[i]);
		assert_int_equal(auditlog_next(reader, &entry, NULL), 1);
		assert_int_equal(entry.seq, order[i]);
	}
	assert_int_equal(auditlog_next(reader, &entry, NULL), 0);
	auditlog_reader_seek(reader, 1001);
	assert_int_equal(auditlog_next(reader, &entry, NULL), 0);
	folder_append(log, 1000, slice_of(NULL, 0));
	assert_int_equal(auditlog_next(reader, &entry, NULL), 0);
	assert_int_equal(auditlog_reader_extend(reader), 0);
	assert_int_equal(auditlog_next(reader, &entry, NULL), 1);
	assert_int_equal(entry.seq, 1001);
	auditlog_reader_seek(reader, 1);
	while (auditlog_next(reader, &entry, NULL) > 0)
		matches += auditlog_matches(&filter, &entry);
	assert_int_equal(matches, 12);
	auditlog_reader_seek(reader, 1001);
	assert_int_equal(auditlog_next(reader, &entry, NULL), 1);
	filter.kind = SLICE("call.");
	assert_true(auditlog_matches(&filter, &entry));
	filter.kind = SLICE("call.intention");
	assert_false(auditlog_matches(&filter, &entry));
	filter.kind = SLICE("");
	filter.agent = SLICE("another");
	assert_false(auditlog_matches(&filter, &entry));
	filter.agent = SLICE("");
	filter.session = SLICE("1000"); /* a number in the entry */
	assert_true(auditlog_matches(&filter, &entry));
	filter.tool = SLICE("files.read");
	assert_false(auditlog_matches(&filter, &entry));
	auditlog_reader_free(reader);
	auditlog_close(log);
	folder_remove(dir_fd);
}

static void a_tool_is_found_as_the_policy_names_it(void **state)
{
	static const struct { struct slice wanted; bool found; } cases[] = {
		{ SLICE(""), true },	    { SLICE("read.all"), true }, { SLICE("files.read.all"), true },   { SLICE("files."), false },
		{ SLICE("files"), false },  { SLICE("all"), false },	 { SLICE("files.read.al"), false },   { SLICE("file.read.all"), false },
		{ SLICE("filesread.all"), false }, { SLICE("files.read.all."), false }, { SLICE("other.read.all"), false },
	};
	struct json_member members[] = {
		{ .name = SLICE("server"), .value = { .type = JSON_STRING, .text = SLICE("files") } },
		{ .name = SLICE("tool"), .value = { .type = JSON_STRING, .text = SLICE("read.all") } },
	};
	struct json fields = { .type = JSON_OBJECT, .count = 2, .members = members };
	struct auditlog_reader *reader;
	struct auditlog_entry entry;
	int dir_fd = folder_make();
	struct auditlog *log = folder_open(dir_fd);
	uint64_t seq;

	(void)state;
	assert_int_equal(auditlog_append(log, SLICE("call.intent"), &fields, slice_of(NULL, 0), &seq), 0);
	assert_int_equal(auditlog_reader_open(dir_fd, &reader, NULL), 0);
	auditlog_reader_seek(reader, seq);
	assert_int_equal(auditlog_next(reader, &entry, NULL), 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct auditlog_filter filter = { .tool = cases[i].wanted };

		if (auditlog_matches(&filter, &entry) != cases[i].found)
			fail_msg("--tool %.*s", SLICE_ARG(cases[i].wanted));
	}
	auditlog_reader_free(reader);
	auditlog_close(log);
	folder_remove(dir_fd);
}

static void an_entry_is_proven_against_a_checkpoint(void **state)
{
	cleanup_buf struct buf note = BUF_INIT(NOTE_MAX);
	struct auditlog_reader *reader;
	struct auditlog_proof proof;
	struct checkpoint checkpoint;
	int dir_fd = folder_make();
	struct auditlog *log = folder_open(dir_fd);
	struct note_key key;

	(void)state;
	for (unsigned i = 0; i < 21; i++)
		folder_append(log, i, SLICE("{}"));
	assert_int_equal(auditlog_checkpoint(log), 0);
	folder_append(log, 21, SLICE("{}"));
	assert_int_equal(note_key_read(auditlog_verifier_key(log), &key), 0);
	folder_get(dir_fd, "checkpoint", &note);
	assert_int_equal(checkpoint_open(buf_slice(&note), &key, &checkpoint), 0);
	assert_int_equal(auditlog_reader_open(dir_fd, &reader, NULL), 0);
	for (uint64_t seq = 1; seq <= 21; seq++) {
		assert_int_equal(auditlog_prove(reader, seq, checkpoint.size, &proof, NULL), 0);
		assert_true(merkle_included(proof.leaf, seq - 1, checkpoint.size, (const uint8_t(*)[MERKLE_HASH])proof.path, proof.count,
					    checkpoint.root));
	}
	assert_int_equal(auditlog_prove(reader, 22, 21, &proof, NULL), -ENOENT);
	assert_int_equal(auditlog_prove(reader, 22, 0, &proof, NULL), 0);
	assert_int_equal(proof.size, 22);
	auditlog_reader_free(reader);
	auditlog_close(log);
	folder_remove(dir_fd);
}

static int count_syncs(void *ctx, int fd)
{
	(void)fd;
	__atomic_add_fetch((unsigned *)ctx, 1, __ATOMIC_RELAXED);
	return 0;
}

static void a_thread_syncs_many_at_once(void **state)
{
	struct auditlog_progress progress = { 0 };
	unsigned syncs = 0;
	struct auditlog_options options = { .sync = count_syncs, .ctx = &syncs };
	struct auditlog_verified verified;
	int dir_fd = folder_make(), event_fd;
	struct auditlog *log;

	(void)state;
	assert_int_equal(auditlog_open(dir_fd, &options, &log, NULL), 0);
	assert_int_equal(auditlog_start(log, &event_fd), 0);
	for (unsigned i = 0; i < 1000; i++) {
		folder_append(log, i, slice_of(NULL, 0));
		auditlog_want_sync(log);
	}
	auditlog_want_checkpoint(log);
	while (progress.durable < 1000 || progress.checkpoint < 1000) {
		struct pollfd waiting = { .fd = event_fd, .events = POLLIN };

		assert_true(poll(&waiting, 1, -1) == 1);
		auditlog_progress(log, &progress);
		assert_int_equal(progress.sync_error, 0);
		assert_int_equal(progress.checkpoint_error, 0);
	}
	assert_true(__atomic_load_n(&syncs, __ATOMIC_RELAXED) <= 1005);
	folder_append(log, 1000, slice_of(NULL, 0));
	auditlog_want_checkpoint(log);
	auditlog_stop(log); /* what was asked for is done first */
	auditlog_progress(log, &progress);
	assert_int_equal(progress.checkpoint, 1001);
	auditlog_close(log);
	assert_int_equal(folder_verify(dir_fd, &verified, NULL), 0);
	assert_int_equal(verified.signed_entries, 1001);
	folder_remove(dir_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksum_is_crc32c),
		cmocka_unit_test(tree_is_that_of_rfc_6962),
		cmocka_unit_test(inclusion_is_proven_for_every_leaf),
		cmocka_unit_test(notes_are_those_of_others),
		cmocka_unit_test(checkpoints_are_signed_whole),
		cmocka_unit_test(a_note_of_ours_need_not_be_a_checkpoint),
		cmocka_unit_test(verifier_keys_have_one_spelling),
		cmocka_unit_test(frames_are_bounded),
		cmocka_unit_test(time_is_written_as_rfc_3339),
		cmocka_unit_test(entries_are_canonical_and_come_back),
		cmocka_unit_test(what_cannot_be_an_entry_is_refused),
		cmocka_unit_test(one_process_writes),
		cmocka_unit_test(opening_goes_on_where_it_ended),
		cmocka_unit_test(entries_are_found_by_number_and_by_field),
		cmocka_unit_test(a_tool_is_found_as_the_policy_names_it),
		cmocka_unit_test(an_entry_is_proven_against_a_checkpoint),
		cmocka_unit_test(a_thread_syncs_many_at_once),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("auditlog", tests, NULL, NULL);
}
