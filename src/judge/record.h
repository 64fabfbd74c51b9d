/* The record: what the judge has the audit process append, and what happens when the entry is there. */
#pragma once

#include "judge/judge.h"

/* `entry` is the entry's number, or 0 when it could not be recorded, with `why`. */
typedef void record_done(struct judge *judge, void *ctx, uint64_t entry, const char *why);

/*
 * Appends an entry of that kind. `fields` is an object; `arguments` canonical JSON or empty; `durable`: `done` is called only after it is synced.
 * `done` (may be NULL: nobody waits) is called later from the event loop, or at once with entry 0 when there is no audit process.
 */
void record_append(struct judge *judge, const char *kind, struct fields *fields, struct slice arguments, bool durable, record_done *done,
		   void *ctx);

/* Whoever waits with this ctx is forgotten; the entry itself is made all the same. */
void record_forget(struct judge *judge, const void *ctx);

void record_on_appended(struct judge *judge, const struct msg_audit_appended *m);
void record_on_failed(struct judge *judge, const struct msg_audit_failed *m);

/* The audit process is gone: everybody who waits is told so. */
void record_on_lost(struct judge *judge);
