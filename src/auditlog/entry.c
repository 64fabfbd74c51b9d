#include "auditlog/entry.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "base/text.h"

static const struct slice reserved[] = { SLICE("v"), SLICE("seq"), SLICE("time"), SLICE("kind"), SLICE("arguments") };

enum { RESERVED = sizeof(reserved) / sizeof(reserved[0]) };

void entry_commit(const uint8_t nonce[FRAME_NONCE], struct slice arguments, uint8_t ret_commitment[ENTRY_COMMITMENT])
{
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, nonce, FRAME_NONCE);
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)arguments.ptr, arguments.len);
	crypto_auth_hmacsha256_final(&state, ret_commitment);
}

static struct json text_value(struct slice text)
{
	return (struct json){ .type = JSON_STRING, .text = text };
}

static struct json number_value(char *room, size_t size, uint64_t n)
{
	int len = snprintf(room, size, "%llu", (unsigned long long)n);

	return (struct json){ .type = JSON_NUMBER, .text = slice_of(room, (size_t)len) };
}

/* Neither a name of the log's own nor one that came before. */
static bool names_are_free(const struct json *fields)
{
	for (uint32_t i = 0; i < fields->count; i++) {
		for (size_t k = 0; k < RESERVED; k++)
			if (slice_eq(fields->members[i].name, reserved[k]))
				return false;
		for (uint32_t k = 0; k < i; k++)
			if (slice_eq(fields->members[i].name, fields->members[k].name))
				return false;
	}
	return true;
}

int entry_write(struct buf *out, uint64_t seq, uint64_t now_us, struct slice kind, const struct json *fields, struct slice arguments,
		const uint8_t *commitment)
{
	struct json_member members[AUDITLOG_FIELDS_MAX + RESERVED], promise[2];
	char time[32], seq_text[24], bytes_text[24], hex[2 * ENTRY_COMMITMENT];
	struct json entry = { .type = JSON_OBJECT, .members = members };
	size_t before = out->len;
	int r;

	if (kind.len == 0 || (fields && (fields->type != JSON_OBJECT || fields->count > AUDITLOG_FIELDS_MAX || !names_are_free(fields))))
		return -EINVAL;
	text_time(now_us, time);
	members[0] = (struct json_member){ .name = SLICE("v"), .value = { .type = JSON_NUMBER, .text = SLICE("1") } };
	members[1] = (struct json_member){ .name = SLICE("seq"), .value = number_value(seq_text, sizeof(seq_text), seq) };
	members[2] = (struct json_member){ .name = SLICE("time"), .value = text_value(slice_str(time)) };
	members[3] = (struct json_member){ .name = SLICE("kind"), .value = text_value(kind) };
	entry.count = 4;
	if (commitment) {
		text_hex(commitment, ENTRY_COMMITMENT, hex);
		promise[0] = (struct json_member){ .name = SLICE("bytes"), .value = number_value(bytes_text, sizeof(bytes_text), arguments.len) };
		promise[1] = (struct json_member){ .name = SLICE("commitment"), .value = text_value(slice_of(hex, sizeof(hex))) };
		members[entry.count++] = (struct json_member){ .name = SLICE("arguments"),
							       .value = { .type = JSON_OBJECT, .count = 2, .members = promise } };
	}
	for (uint32_t i = 0; fields && i < fields->count; i++)
		members[entry.count++] = fields->members[i];
	r = json_write(out, &entry);
	if (r < 0)
		out->len = before;
	return r;
}

const char *entry_read(struct arena *arena, struct slice text, struct json *ret_value, uint64_t *ret_seq)
{
	cleanup_buf struct buf again = BUF_INIT(FRAME_ENTRY_MAX);
	const struct json *version, *seq;
	int64_t n;

	if (json_parse(arena, text, &json_limits_default, ret_value, NULL) != JSON_OK || ret_value->type != JSON_OBJECT)
		return "is no JSON object";
	version = json_get_type(ret_value, SLICE("v"), JSON_NUMBER);
	if (!version || json_int64(version, &n) < 0 || n != 1)
		return "has a version that this program does not know";
	seq = json_get_type(ret_value, SLICE("seq"), JSON_NUMBER);
	if (!seq || json_int64(seq, &n) < 0 || n < 1)
		return "has no number";
	if (!json_get_type(ret_value, SLICE("kind"), JSON_STRING) || !json_get_type(ret_value, SLICE("time"), JSON_STRING))
		return "has no kind or no time";
	if (json_write(&again, ret_value) < 0 || !slice_eq(buf_slice(&again), text))
		return "is not in canonical form";
	*ret_seq = (uint64_t)n;
	return NULL;
}

const char *entry_check_arguments(const struct json *value, const struct record *record)
{
	const struct json *promise = json_get_type(value, SLICE("arguments"), JSON_OBJECT), *bytes, *commitment;
	uint8_t said[ENTRY_COMMITMENT], is[ENTRY_COMMITMENT];
	int64_t len;

	if (!promise)
		return record->arguments_len ? "has arguments that it does not mention" : NULL;
	if (record->arguments_len == 0)
		return "lacks the arguments that it mentions";
	bytes = json_get_type(promise, SLICE("bytes"), JSON_NUMBER);
	commitment = json_get_type(promise, SLICE("commitment"), JSON_STRING);
	if (!bytes || json_int64(bytes, &len) < 0 || !commitment || text_unhex(commitment->text, said, sizeof(said)) < 0)
		return "has a malformed commitment to its arguments";
	if (len < 0 || (uint64_t)len != record->arguments_len)
		return "has arguments of another length than it says";
	if (record->erased)
		return NULL;
	entry_commit((const uint8_t *)record->nonce.ptr, record->arguments, is);
	return sodium_memcmp(said, is, sizeof(is)) == 0 ? NULL : "has other arguments than it commits to";
}
