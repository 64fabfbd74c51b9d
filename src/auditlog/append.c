/* Appending: one write for a record, taken back if it does not fit. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#include "auditlog/entry.h"
#include "auditlog/state.h"
#include "base/clock.h"
#include "base/text.h"

/* A buffer that held long arguments is given back rather than kept. */
enum { KEEP = 256 << 10 };

/*
 * Writes `bytes` at the end. After a failure the file is cut back to where it ended before; if even that fails, it is tried again before the next
 * write, and a reader or the next opening finds a torn end there.
 */
static int write_record(struct auditlog *log, struct slice bytes)
{
	size_t done = 0;
	int r = 0;

	if (log->tail_dirty && ftruncate(log->fd, (off_t)log->end) < 0)
		return -errno;
	log->tail_dirty = true;
	while (r == 0 && done < bytes.len) {
		ssize_t n = pwrite(log->fd, bytes.ptr + done, bytes.len - done, (off_t)(log->end + done));

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			r = n == 0 ? -ENOSPC : -errno;
	}
	log->tail_dirty = r < 0 && ftruncate(log->fd, (off_t)log->end) < 0;
	return r;
}

/* Canonical JSON has no control characters; that keeps frames from being met inside arguments. */
static bool plausible_arguments(struct slice arguments)
{
	for (size_t i = 0; i < arguments.len; i++)
		if ((unsigned char)arguments.ptr[i] < 0x20)
			return false;
	return utf8_valid(arguments);
}

/* Builds both frames of the record in log->frames, and the entry in log->entry. */
static int build_record(struct auditlog *log, struct slice kind, const struct json *fields, struct slice arguments)
{
	uint64_t now = log->options.now_us ? log->options.now_us(log->options.ctx) : clock_wall_us();
	uint8_t nonce[FRAME_NONCE], commitment[ENTRY_COMMITMENT];
	int r = 0;

	buf_clear(&log->entry);
	buf_clear(&log->frames);
	if (arguments.len) {
		randombytes_buf(nonce, sizeof(nonce));
		entry_commit(nonce, arguments, commitment);
		r = frame_add(&log->frames, FRAME_ARGUMENTS, slice_of(nonce, sizeof(nonce)), arguments);
	}
	if (r == 0)
		r = entry_write(&log->entry, log->tree.size + 1, now, kind, fields, arguments, arguments.len ? commitment : NULL);
	if (r == 0)
		r = frame_add(&log->frames, FRAME_ENTRY, buf_slice(&log->entry), slice_of(NULL, 0));
	sodium_memzero(nonce, sizeof(nonce));
	return r;
}

static int append(struct auditlog *log, struct slice kind, const struct json *fields, struct slice arguments)
{
	uint8_t leaf[MERKLE_HASH];
	int r;

	if (arguments.len > AUDITLOG_ARGUMENTS_MAX)
		return -EMSGSIZE;
	if (!plausible_arguments(arguments))
		return -EINVAL;
	r = build_record(log, kind, fields, arguments);
	if (r == 0)
		r = write_record(log, buf_slice(&log->frames));
	if (r == 0) {
		merkle_leaf(buf_slice(&log->entry), leaf);
		pthread_mutex_lock(&log->lock);
		merkle_append(&log->tree, leaf);
		log->end += log->frames.len;
		pthread_mutex_unlock(&log->lock);
	}
	if (log->frames.cap > KEEP)
		buf_free(&log->frames);
	return r;
}

static struct json_member number_member(struct slice name, char *room, size_t size, uint64_t n)
{
	int len = snprintf(room, size, "%llu", (unsigned long long)n);

	return (struct json_member){ .name = name, .value = { .type = JSON_NUMBER, .text = slice_of(room, (size_t)len) } };
}

int append_torn(struct auditlog *log)
{
	while (log->torn_count) {
		const struct torn *torn = &log->torn[log->torn_count - 1];
		char offset[24], bytes[24], entries[24];
		struct json_member members[] = {
			{ .name = SLICE("file"), .value = { .type = JSON_STRING, .text = slice_str(torn->file) } },
			number_member(SLICE("offset"), offset, sizeof(offset), torn->offset),
			number_member(SLICE("bytes"), bytes, sizeof(bytes), torn->bytes),
			number_member(SLICE("entries"), entries, sizeof(entries), torn->entries),
			{ .name = SLICE("saved"), .value = { .type = JSON_STRING, .text = slice_str(torn->saved) } },
		};
		struct json fields = { .type = JSON_OBJECT, .count = torn->saved[0] ? 5 : 4, .members = members };
		int r = append(log, SLICE("log.recovered"), &fields, slice_of(NULL, 0));

		if (r < 0)
			return r;
		log->torn_count--;
	}
	return 0;
}

int auditlog_append(struct auditlog *log, struct slice kind, const struct json *fields, struct slice arguments, uint64_t *ret_seq)
{
	int r;

	pthread_mutex_lock(&log->lock);
	r = log->progress.sync_error ? -EIO : 0;
	pthread_mutex_unlock(&log->lock);
	if (r == 0 && log->torn_count)
		r = append_torn(log);
	if (r == 0)
		r = append(log, kind, fields, arguments);
	if (r == 0)
		*ret_seq = log->tree.size;
	return r;
}

uint64_t auditlog_last(const struct auditlog *log)
{
	return log->tree.size;
}

struct slice auditlog_verifier_key(const struct auditlog *log)
{
	return slice_str(log->key_line);
}
