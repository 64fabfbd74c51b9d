/*
 * The person's PIN: Argon2id (RFC 9106, by libsodium), checked in a thread, so that nobody's call waits for it. Each try is counted on the disk
 * before it is looked at, so that killing the process gives nobody another one; after PERSON_TRIES wrong ones in a row it is locked for a while, longer with each.
 */
#pragma once

#include <event2/event.h>
#include <sqlite3.h>

#include "base/slice.h"
#include "ipc/process.h"

enum { PERSON_TRIES = 5, PERSON_LOCK_FIRST_S = 30, PERSON_LOCK_MOST_S = 3600, PERSON_WAITING_MAX = 8 };

struct person;

struct person_options {
	sqlite3 *db;
	struct event_base *loop;
	int (*before_write)(void *ctx); /* ends a transaction that is open; an SQLite code */
	void (*answer)(void *ctx, uint64_t request, enum person_verdict verdict, uint64_t wait_ms);
	void *ctx;
};

/* NULL when there is no memory. person_free waits for a check that is under way. */
struct person *person_new(const struct person_options *options);
void person_free(struct person *person);

/* 0 or -EIO. */
int person_is_set(sqlite3 *db, bool *ret_set);

/* The answer comes later from the event loop, one for each. Copies the secrets, and wipes them. */
void person_check(struct person *person, uint64_t request, struct slice secret);

/* Sets the PIN. When there is one already, `old` must be it, which counts as a try; when there is none, `old` must be empty. */
void person_set(struct person *person, uint64_t request, uint32_t uid, struct slice old, struct slice secret);

/* Whoever asked is gone: none of what was asked until now is answered any more, and what has not begun does not happen. */
void person_forget(struct person *person);

/* Could it be guessed at once? Fewer than PERSON_SECRET_LEAST characters, fewer than three different ones, or a plain row like 123456. */
bool person_is_weak(struct slice secret);
