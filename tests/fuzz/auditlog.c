/*
 * The files of an audit log, one of them any bytes: reading, proving and opening keep to what their headers promise. The first byte says
 * which file the rest becomes; what a stranger without the key could compute (checksums) is computed for him, so that he gets further.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auditlog/crc32c.h"
#include "auditlog/frame.h"
#include "auditlog/note.h"
#include "auditlog/reader.h"
#include "base/io.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILES = 5, FILE_MAX = 1 << 20 };

static const char *const files[FILES] = { "log", "checkpoint", "checkpoints", "key.pub", "frontier" };
static char folder[64];
static int dir_fd = -1;
static struct buf clean[FILES];

static void require(bool held)
{
	if (!held)
		abort();
}

static int no_sync(void *ctx, int fd)
{
	(void)ctx;
	(void)fd;
	return 0;
}

static uint64_t no_time(void *ctx)
{
	(void)ctx;
	return 1767225600000000;
}

static const struct auditlog_options options = { .now_us = no_time, .sync = no_sync, .frontier_bytes = 1 };

static void put(const char *name, struct slice bytes)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	require(fd >= 0 && io_write_all(fd, bytes.ptr, bytes.len) == 0);
	close(fd);
}

/* The same key and nonces in every run, so that seeds with signatures keep their worth. */
static uint32_t random_32(void)
{
	static uint32_t state = 1;

	return state = state * 1664525 + 1013904223;
}

static void random_bytes(void *const bytes, const size_t size)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)bytes)[i] = (uint8_t)(random_32() >> 24);
}

static const char *random_name(void)
{
	return "fuzz";
}

static randombytes_implementation not_random = { .implementation_name = random_name, .random = random_32, .buf = random_bytes };

/* Whatever an opening has left: cut-... files too. */
static void empty_folder(void)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fdopendir(fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			unlinkat(dir_fd, entry->d_name, 0);
	closedir(dir);
}

static void remove_folder(void)
{
	empty_folder();
	rmdir(folder);
}

static void make_clean(void)
{
	struct auditlog *log;
	uint64_t seq;

	/* Memory, where there is some to be had: syncing a disk for each input would be most of the work. */
	snprintf(folder, sizeof(folder), "%s/bawn-fuzz-auditlog-%d", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid());
	require(mkdir(folder, 0700) == 0);
	dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	atexit(remove_folder);
	randombytes_set_implementation(&not_random);
	require(auditlog_open(dir_fd, &options, &log, NULL) == 0);
	require(auditlog_append(log, SLICE("call.intent"), NULL, SLICE("{\"a\":1}"), &seq) == 0);
	require(auditlog_checkpoint(log) == 0);
	require(auditlog_append(log, SLICE("call.outcome"), NULL, slice_of(NULL, 0), &seq) == 0);
	auditlog_close(log);
	for (int i = 0; i < FILES; i++) {
		clean[i] = BUF_INIT(FILE_MAX);
		require(io_read_file(dir_fd, files[i], &clean[i]) == 0);
	}
}

/* Gives every frame that can be made out the checksum that it should have. */
static void mend(uint8_t *bytes, size_t size)
{
	size_t at = FRAME_MAGIC_LEN;
	struct frame frame;

	while (at < size && frame_read(slice_of(bytes + at, size - at), &frame) != FRAME_FORM && frame.payload.ptr) {
		put_u32(bytes + at + 4, crc32c(0, slice_of(bytes + at + 8, frame.size - 8)));
		at += frame.size;
	}
}

static void on_finding(void *ctx, const struct auditlog_finding *finding)
{
	cleanup_buf struct buf text = BUF_INIT(1024);

	require(auditlog_finding_text(&text, finding) == 0 && utf8_valid(buf_slice(&text)));
	++*(uint64_t *)ctx;
}

static void read_all(void)
{
	struct auditlog_reader *reader;
	struct auditlog_entry entry;
	struct auditlog_fault fault;
	struct auditlog_proof proof;
	uint64_t due = 1;

	if (auditlog_reader_open(dir_fd, &reader, &fault) < 0)
		return;
	while (auditlog_next(reader, &entry, &fault) > 0) {
		require(entry.seq == due++ && entry.value.type == JSON_OBJECT);
		require((entry.arguments_state == ARGUMENTS_KEPT) == (entry.arguments.len > 0));
	}
	if (auditlog_prove(reader, 1, 0, &proof, &fault) == 0)
		require(merkle_included(proof.leaf, 0, proof.size, (const uint8_t(*)[MERKLE_HASH])proof.path, proof.count, proof.root));
	auditlog_reader_free(reader);
}

static void open_it(void)
{
	struct auditlog_fault fault;
	struct auditlog *log;
	uint64_t seq, last;

	if (auditlog_open(dir_fd, &options, &log, &fault) < 0) {
		require(utf8_valid(slice_str(fault.what)));
		return;
	}
	last = auditlog_last(log);
	require(auditlog_append(log, SLICE("call.intent"), NULL, SLICE("{}"), &seq) == 0 && seq == last + 1);
	require(auditlog_checkpoint(log) == 0);
	auditlog_close(log);
}

static void read_notes(struct slice bytes)
{
	struct checkpoint checkpoint;
	struct note_key key;
	struct slice text;

	require(note_key_read(buf_slice(&clean[3]), &key) == 0);
	require(note_length(bytes) <= bytes.len);
	note_open(bytes, &key, &text);
	checkpoint_open(bytes, &key, &checkpoint);
	if (note_key_read(bytes, &key) == 0)
		require(bytes.len > 40);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_buf struct buf bytes = BUF_INIT(FILE_MAX);
	struct auditlog_verified verified;
	uint64_t findings = 0;
	unsigned which;

	if (dir_fd < 0)
		make_clean();
	if (size < 1 || buf_add(&bytes, data + 1, size - 1) < 0)
		return 0;
	which = data[0] % (FILES + 2);
	if (which > FILES) {
		read_notes(buf_slice(&bytes));
		return 0;
	}
	if (which == FILES) {
		if (bytes.len > FRAME_MAGIC_LEN)
			mend((uint8_t *)bytes.ptr, bytes.len);
		which = 0;
	}
	for (unsigned i = 0; i < FILES; i++)
		put(files[i], i == which ? buf_slice(&bytes) : buf_slice(&clean[i]));
	require(auditlog_verify(dir_fd, slice_of(NULL, 0), on_finding, &findings, &verified) == 0);
	require(findings == verified.findings);
	read_all();
	open_it();
	return 0;
}
