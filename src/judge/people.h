/*
 * What people decide: approve, reject, set the PIN. Each goes the same way: the store checks the PIN, the decision is recorded on the disk, then it is
 * done, then whoever decided hears of it.
 */
#pragma once

#include "judge/judge.h"

void people_on_decide(struct judge *judge, const struct msg_person_decide *m);
void people_on_secret(struct judge *judge, const struct msg_person_secret *m);

/*
 * For who else acts by a PIN: tells the console how it went, with the sentence for a verdict that is not PERSON_OK, and records the failure as `act`.
 * `what` names what was to be decided, or is empty.
 */
struct person {
	uint64_t request;
	uint32_t uid, pid;
};

void people_answer(struct judge *judge, const struct person *person, uint8_t status, const char *code, const char *text, uint64_t entry);
void people_refuse(struct judge *judge, const struct person *person, const char *act, struct slice what, enum person_verdict verdict, uint64_t wait_ms);
