/*
 * Approvals: the record of a call that waits for a person, as everybody reads it who asks, shows, decides or uses one. Pure: no
 * clock, no store.
 *
 * What is approved is known by its *subject*: the SHA-256 over canonical JSON (RFC 8785) of agent, server, tool, effect, pin, the
 * digest of the deciding rule's canonical text, and the SHA-256 of the canonical arguments. Two calls have one subject exactly when
 * a person would approve the same. The *digest* of a record is the SHA-256 over canonical JSON of all of it that stands from the
 * start, the subject included; its *id* is the digest's first 20 hex digits. Both are computed again from the columns by whoever
 * reads a record, so that a damaged or altered one is refused.
 */
#pragma once

#include "base/buf.h"
#include "parse/json.h"

enum approval_state {
	APPROVAL_PENDING,
	APPROVAL_APPROVED,
	APPROVAL_REJECTED,  /* a person said no */
	APPROVAL_EXPIRED,   /* its time was over before it was decided or used */
	APPROVAL_WITHDRAWN, /* its rule or its tool's pin went, or a person took it back */
	APPROVAL_CONSUMED,  /* used, once */
	APPROVAL_STATES,
};

/* "pending" and so on, as stored. NULL for no state. */
const char *approval_state_name(enum approval_state state);
bool approval_state_find(struct slice name, enum approval_state *ret_state);

enum {
	APPROVAL_HEX = 64,          /* digits of a SHA-256 */
	APPROVAL_ID = 20,           /* digits of an id */
	APPROVAL_PENDING_MAX = 100, /* pending records of one agent */
	APPROVAL_PENDING_BYTES = 16 * 1024 * 1024, /* of their arguments together */
	APPROVAL_SWEPT_MAX = 8, /* rows of the statement approval_expire */
};

/* Times are microseconds since 1970-01-01T00:00:00Z. Slices borrow from whoever made the struct. */
struct approval {
	struct slice id, digest, subject; /* lower-case hex */

	/* What was asked; all of it is under the digest, but for `asked`. */
	struct slice agent;
	uint64_t session;
	uint32_t uid; /* the user that the agent's client runs as */
	struct slice server, tool;
	struct slice pin; /* of the tool's definition and its server's code, hex */
	struct slice effect;
	struct slice rule;        /* where the deciding rule stood: "agents.dev.ask[0]:12" */
	struct slice rule_digest; /* hex */
	struct slice arguments;   /* canonical JSON, whole */
	struct slice why;         /* why it waits */
	uint64_t created, expires;
	uint64_t asked; /* the entry of the log that says so; it is made with the id, so the digest cannot hold it */

	/* What became of it. */
	enum approval_state state;
	uint64_t decided;    /* when; 0 when nobody has */
	uint32_t decided_by; /* the user who decided, when somebody has */
	bool same_user;      /* who decided runs as the user that the agent's client runs as */
	struct slice reason; /* of a rejection or withdrawal, perhaps empty */
	uint64_t ended;      /* 0 while it lives */
	uint64_t intent;     /* the entry of the intent that used it, 0 when none did */
	bool told;           /* the agent has heard that it expired */
};

struct approval_seal {
	char subject[APPROVAL_HEX + 1], digest[APPROVAL_HEX + 1], id[APPROVAL_ID + 1]; /* NUL-terminated */
};

/* SHA-256 of any text, in hex. */
void approval_sha256(struct slice text, char ret_hex[APPROVAL_HEX + 1]);

/* Computed from what was asked; id, digest and subject of `a` are not looked at. 0, -EINVAL when a text is not UTF-8, -ENOMEM. */
int approval_subject(const struct approval *a, char ret_hex[APPROVAL_HEX + 1]);
int approval_seal(const struct approval *a, struct approval_seal *ret_seal);

/*
 * A row of the store's statement approval_get, as struct approval, borrowing from the row. 0; -EINVAL when it is no such row;
 * -EBADMSG when it is damaged: its id, digest or subject are not those of its columns; -ENOMEM.
 */
int approval_read(const struct json *row, struct approval *ret_approval);

/*
 * The values of the statement approval_new, an array in `arena` that borrows the texts: with id, digest and subject of the struct (from
 * approval_seal), and the most pending records that its agent may have. 0 or -ENOMEM.
 */
int approval_new_values(struct arena *arena, const struct approval *a, struct json *ret_values);
