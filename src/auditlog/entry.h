/* The entry itself: what the log adds to the caller's fields, and the commitment to the arguments. */
#pragma once

#include "auditlog/auditlog.h"
#include "auditlog/scan.h"

enum { ENTRY_COMMITMENT = 32 };

/* HMAC-SHA-256 over the arguments, keyed with their nonce: binding, and says nothing of short arguments once the nonce is erased. */
void entry_commit(const uint8_t nonce[FRAME_NONCE], struct slice arguments, uint8_t ret_commitment[ENTRY_COMMITMENT]);

/* Appends the canonical JSON. `commitment` is NULL without arguments. As auditlog_append: 0, -EINVAL, -EMSGSIZE, -ENOMEM. */
int entry_write(struct buf *out, uint64_t seq, uint64_t now_us, struct slice kind, const struct json *fields, struct slice arguments,
		const uint8_t *commitment);

/*
 * Parses an entry and checks that it is what this library writes: an object in canonical form, "v" 1, a number, a kind. *ret_value lives in
 * `arena`. NULL, or a clause that says what is wrong.
 */
const char *entry_read(struct arena *arena, struct slice text, struct json *ret_value, uint64_t *ret_seq);

/* NULL when the record's arguments are those that the entry commits to (or both have none, or they are erased), else a clause. */
const char *entry_check_arguments(const struct json *value, const struct record *record);
