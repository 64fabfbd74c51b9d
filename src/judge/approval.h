/*
 * The stage *approval*: has a person approved exactly this call? No call waits here for a person; it is refused as needs_approval, and whoever repeats it
 * once it is approved has it run, once. The records lie in the store; what of them is said here is docs/approvals.md.
 *
 *   find the newest record of the subject -> refuse, or (approved) grant -> record intent -> use: consume it -> execute
 */
#pragma once

#include "approval/approval.h"
#include "judge/judge.h"

/* One call's way through the stage. */
struct asking;

typedef void asking_done(struct judge *judge, void *ctx);

/* What the stage has said. */
struct asking_answer {
	bool granted;
	const char *code; /* of the refusal */
	char why[768];
	uint64_t retry_after_ms;
	/* The record in question; id is "" when there is none. */
	char id[APPROVAL_ID + 1];
	uint64_t expires;
	/* The arguments are on the log already, with the entry that says that a person is asked. */
	bool recorded;
};

/*
 * `act` says what is asked: agent, session, uid, server, tool, pin, effect, rule, arguments and why, borrowed until `asking_free`; the rest of it is filled in
 * here. `rule_text` is the rule's canonical text. Calls of one subject go through the stage one after the other, so that they
 * make one record. NULL when there is no memory.
 */
struct asking *asking_new(struct judge *judge, const struct approval *act, struct slice rule_text, uint32_t within_s);

/* Begins; `done` is called once, perhaps at once. Until then the asking may not be freed. */
void asking_begin(struct asking *asking, asking_done *done, void *ctx);
const struct asking_answer *asking_answer(const struct asking *asking);

/*
 * The intent is on the record: uses the approval up, if everything that it was given for still stands. `pin` is what the tool's is now. `done` as above; the
 * answer then says whether the call may run. Nothing may run without.
 */
void asking_use(struct asking *asking, uint64_t intent, struct slice pin, asking_done *done, void *ctx);
void asking_free(struct asking *asking);

/* What a person will be shown of it, for the agent: one line. */
void asking_sees(const struct asking *asking, char *out, size_t size);

/* True when the policy in force has the record's rule for its tool still, and the same facts. */
bool approval_stands(const struct judge *judge, const struct approval *record);

/* Withdraws the live records whose rule or facts are no longer those of the policy in force; ends those whose time is over. */
void approval_review(struct judge *judge);

/* The store is connected: what was under way when the last one ended is settled, and approval_review. */
void approval_on_store(struct judge *judge);

/* Begins to look every few seconds for those whose time is over. 0 or -ENOMEM. */
int approval_watch_time(struct judge *judge);

/* Whoever watches hears of it. */
void approval_tell(struct judge *judge, struct slice id, const char *state);
