/* One approval's record, fetched and shown to a person, or as JSON. */
#pragma once

#include "approval/approval.h"
#include "cli/rows.h"
#include "show/show.h"

enum { TIME_TEXT = 32, USER_TEXT = 96, SENTENCE_TEXT = 1024 };

/* "2026-11-22 00:31:05Z", to the second; "-" for 0. */
void view_time(uint64_t us, char out[TIME_TEXT]);

/* As in JSON: RFC 3339, to the microsecond. */
void view_time_exact(uint64_t us, char out[TIME_TEXT]);

/* The same as a member of an object; a time that has not come (0) is left out. */
struct fields;
void view_json_time(struct fields *f, const char *name, uint64_t us);

/* How long it still is: "14 min left", "27 s left". */
void view_left(uint64_t until_us, char out[TIME_TEXT]);

/* "user alice (1000)" */
void view_user(uint32_t uid, char out[USER_TEXT]);

/* What an id looks like; no other one can exist. */
bool view_is_id(const char *id);

/*
 * The record, its id, digest and subject computed anew; it borrows from `rows`. CLI_OK, or the exit status with the line printed: there is none, or it is
 * damaged.
 */
int view_fetch(const struct place *place, const char *id, struct rows *ret_rows, struct approval *ret_approval);

/* What has become of it, as the rest of a sentence that begins "approval ID ". */
void view_sentence(const struct approval *approval, char out[SENTENCE_TEXT]);

/* All of it, the arguments whole. 0 or a buf error; -EBADMSG when the arguments are no JSON. */
int view_record(struct show *show, const struct approval *approval);

/* One JSON object, without a line feed. */
int view_json(struct buf *out, const struct approval *approval);
