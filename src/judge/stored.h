/* The store: what the judge has it run, and what happens when the answer is there. */
#pragma once

#include "ipc/statements.h"
#include "judge/judge.h"

/*
 * `rows` is an array of rows (arrays of columns, as statements.tbl.h has them), valid during the call; NULL when it failed, with `why`, and then
 * nothing of it happened. `changes`: how many rows were changed.
 */
typedef void stored_done(struct judge *judge, void *ctx, const struct json *rows, uint64_t changes, const char *why);

/*
 * Runs a statement with these values (json_text, json_u64; borrowed, `count` of them, of the types that the table names). `done` (may be NULL: nobody waits) is called later
 * from the event loop, after the commit; or at once with NULL rows when there is no store.
 */
void stored_run(struct judge *judge, enum statement statement, const struct json *values, size_t count, stored_done *done, void *ctx);

/* The same for the person's PIN. wait_ms: for how long it is locked. PERSON_FAILED at once when there is no store. */
typedef void stored_person(struct judge *judge, void *ctx, enum person_verdict verdict, uint64_t wait_ms);
void stored_check_person(struct judge *judge, struct slice secret, stored_person *done, void *ctx);
void stored_set_person(struct judge *judge, uint32_t uid, struct slice old, struct slice secret, stored_person *done, void *ctx);

/* Whoever waits with this ctx is forgotten; what was asked happens all the same. */
void stored_forget(struct judge *judge, const void *ctx);

/* Columns of a row; an empty text, or 0, for null. */
struct slice stored_column(const struct json *row, size_t column);
uint64_t stored_u64(const struct json *row, size_t column);

/* From the store. -EPROTO: it answered what was not asked, or malformed. */
int stored_on_done(struct judge *judge, const struct msg_store_done *m);
int stored_on_failed(struct judge *judge, const struct msg_store_failed *m);
int stored_on_person(struct judge *judge, const struct msg_person_answer *m);

/* The store is gone: everybody who waits is told so. What it had in hand may have happened or not. */
void stored_on_lost(struct judge *judge);
