#include "judge/people.h"

#include <inttypes.h>
#include <stdlib.h>

#include "approval/approval.h"
#include "base/clock.h"
#include "base/text.h"
#include "judge/approval.h"
#include "judge/record.h"
#include "judge/stored.h"

/* ---- telling ---- */

void people_answer(struct judge *judge, const struct person *person, uint8_t status, const char *code, const char *text, uint64_t entry)
{
	struct msg_person_done m = { .request = person->request, .status = status, .code = slice_str(code), .text = slice_str(text), .entry = entry };

	if (judge->console)
		channel_send(judge->console, MSG_person_done, &m);
}

static const struct {
	const char *code, *text;
} verdicts[] = {
	[PERSON_OK] = { "", "" },
	[PERSON_WRONG] = { "wrong_pin", "this is not the PIN" },
	[PERSON_LOCKED] = { "locked", "the PIN was wrong too often" },
	[PERSON_UNSET] = { "no_pin", "there is no PIN yet; `bawn approvals pin` sets one" },
	[PERSON_WEAK] = { "weak_pin", "this PIN is too short or too plain" },
	[PERSON_FAILED] = { "not_stored", "the PIN cannot be checked now: the store is restarting, or its disk is full; try again" },
};

void people_refuse(struct judge *judge, const struct person *person, const char *act, struct slice what, enum person_verdict verdict, uint64_t wait_ms)
{
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	struct fields f = FIELDS_INIT(&arena);
	char text[256];

	fields_text(&f, "act", slice_str(act));
	fields_text(&f, "approval", what);
	fields_text(&f, "code", slice_str(verdicts[verdict].code));
	fields_u64(&f, "uid", person->uid);
	fields_u64(&f, "pid", person->pid);
	record_append(judge, "person.refused", &f, (struct slice){ 0 }, false, NULL, NULL);
	if (wait_ms)
		text_format(text, sizeof(text), "%s; it is locked for %" PRIu64 " s", verdicts[verdict].text, (wait_ms + 999) / 1000);
	else
		text_format(text, sizeof(text), "%s", verdicts[verdict].text);
	people_answer(judge, person, 2, verdicts[verdict].code, text, 0);
}

/* ---- approve, reject ---- */

/* One decision on its way. At most one of an approval, so that the log never has two. */
struct deciding {
	struct deciding *next; /* of judge->decidings */
	struct judge *judge;
	struct person person;
	char id[33];
	bool approve, same_user;
	char reason[513];
	uint64_t entry;
};

static const char *state_of(const struct deciding *d)
{
	return approval_state_name(d->approve ? APPROVAL_APPROVED : APPROVAL_REJECTED);
}

static void drop(struct deciding *d)
{
	for (struct deciding **at = &d->judge->decidings; *at; at = &(*at)->next)
		if (*at == d) {
			*at = d->next;
			break;
		}
	free(d);
}

static void end(struct deciding *d, uint8_t status, const char *code, const char *text)
{
	people_answer(d->judge, &d->person, status, code, text, d->entry);
	drop(d);
}

/* The log says that it was decided, and it was not. */
static void end_undone(struct deciding *d, const char *why)
{
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	struct fields f = FIELDS_INIT(&arena);
	char text[512];

	fields_text(&f, "approval", slice_str(d->id));
	fields_u64(&f, "decision", d->entry);
	fields_text(&f, "why", slice_str(why));
	record_append(d->judge, "approval.undone", &f, (struct slice){ 0 }, false, NULL, NULL);
	text_format(text, sizeof(text), "nothing was decided: %s", why);
	end(d, 1, "not_stored", text);
}

static void on_decided(struct judge *judge, void *ctx, const struct json *rows, uint64_t changes, const char *why)
{
	struct deciding *d = ctx;

	if (!rows) {
		end_undone(d, why);
		return;
	}
	if (changes != 1) {
		end_undone(d, "it has ended meanwhile");
		return;
	}
	approval_tell(judge, slice_str(d->id), state_of(d));
	end(d, 0, "", d->same_user ? "decided as the user that the agent's client runs as; the record says so" : "");
}

static void on_decision_recorded(struct judge *judge, void *ctx, uint64_t entry, const char *why)
{
	struct deciding *d = ctx;
	cleanup_arena struct arena arena = ARENA_INIT(4096);
	struct json values[] = {
		json_text(slice_str(d->id)), json_text(slice_str(state_of(d))), json_u64(&arena, clock_wall_us()),
		json_u64(&arena, d->person.uid), json_u64(&arena, d->same_user), json_text(slice_str(d->reason)),
	};
	char text[512];

	if (!d->reason[0])
		values[5] = (struct json){ .type = JSON_NULL };
	d->entry = entry;
	if (entry) {
		stored_run(judge, STATEMENT_approval_decide, values, sizeof(values) / sizeof(values[0]), on_decided, d);
		return;
	}
	text_format(text, sizeof(text), "nothing was decided, because the record cannot be written: %s", why);
	end(d, 1, "not_recorded", text);
}

static void record_decision(struct deciding *d, const struct approval *a)
{
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	struct fields f = FIELDS_INIT(&arena);

	fields_text(&f, "approval", a->id);
	fields_text(&f, "digest", a->digest);
	fields_u64(&f, "asked", a->asked);
	fields_text(&f, "agent", a->agent);
	fields_text(&f, "server", a->server);
	fields_text(&f, "tool", a->tool);
	fields_text(&f, "reason", slice_str(d->reason));
	fields_u64(&f, "uid", d->person.uid);
	fields_u64(&f, "pid", d->person.pid);
	fields_bool(&f, "same_user", d->same_user);
	record_append(d->judge, d->approve ? "approval.approved" : "approval.rejected", &f, (struct slice){ 0 }, true, on_decision_recorded, d);
}

static void on_record(struct judge *judge, void *ctx, const struct json *rows, uint64_t changes, const char *why)
{
	struct deciding *d = ctx;
	uint64_t now = clock_wall_us();
	struct approval a;
	char text[512];

	(void)changes;
	if (!rows) {
		text_format(text, sizeof(text), "nothing was decided: %s", why);
		end(d, 1, "not_stored", text);
	} else if (rows->count == 0) {
		end(d, 2, "unknown", "there is no approval of this id");
	} else if (approval_read(&rows->items[0], &a) < 0 || !slice_eq(a.id, slice_str(d->id))) {
		end(d, 2, "damaged", "the stored record is not what it was made as, and cannot be decided");
	} else if (a.state != APPROVAL_PENDING) {
		text_format(text, sizeof(text), "it is %s already", approval_state_name(a.state));
		end(d, 2, "not_pending", text);
	} else if (a.expires <= now) {
		end(d, 2, "expired", "its time is over");
	} else if (!approval_stands(judge, &a)) {
		approval_review(judge);
		end(d, 2, "withdrawn", "the rule that asked, or what is stated of the tool, has changed");
	} else {
		d->same_user = a.uid == d->person.uid;
		record_decision(d, &a);
	}
}

static void on_checked(struct judge *judge, void *ctx, enum person_verdict verdict, uint64_t wait_ms)
{
	struct deciding *d = ctx;
	struct json id = json_text(slice_str(d->id));

	if (verdict == PERSON_OK) {
		stored_run(judge, STATEMENT_approval_get, &id, 1, on_record, d);
		return;
	}
	people_refuse(judge, &d->person, d->approve ? "approve" : "reject", slice_str(d->id), verdict, wait_ms);
	drop(d);
}

void people_on_decide(struct judge *judge, const struct msg_person_decide *m)
{
	struct person person = { .request = m->request, .uid = m->uid, .pid = m->pid };
	struct deciding *d;

	for (d = judge->decidings; d; d = d->next)
		if (slice_eq(m->id, slice_str(d->id))) {
			people_answer(judge, &person, 1, "busy", "somebody is deciding it just now", 0);
			return;
		}
	d = calloc(1, sizeof(*d));
	if (!d) {
		people_answer(judge, &person, 1, "failed", "out of memory", 0);
		return;
	}
	d->judge = judge;
	d->person = person;
	d->approve = m->approve != 0;
	snprintf(d->id, sizeof(d->id), "%.*s", SLICE_ARG(m->id));
	snprintf(d->reason, sizeof(d->reason), "%.*s", SLICE_ARG(m->reason));
	d->next = judge->decidings;
	judge->decidings = d;
	stored_check_person(judge, m->secret, on_checked, d);
}

/* ---- the PIN ---- */

enum { SECRET_MAX = 256 };

struct setting {
	struct person person;
	struct buf old, secret; /* until the store has them */
	uint64_t entry;
};

static void setting_free(struct setting *s)
{
	if (!s)
		return;
	if (s->old.cap)
		sodium_memzero(s->old.ptr, s->old.cap);
	if (s->secret.cap)
		sodium_memzero(s->secret.ptr, s->secret.cap);
	buf_free(&s->old);
	buf_free(&s->secret);
	free(s);
}

static void on_set(struct judge *judge, void *ctx, enum person_verdict verdict, uint64_t wait_ms)
{
	struct setting *s = ctx;

	if (verdict == PERSON_OK)
		people_answer(judge, &s->person, 0, "", "", s->entry);
	else
		people_refuse(judge, &s->person, "pin", (struct slice){ 0 }, verdict, wait_ms);
	setting_free(s);
}

static void on_setting_recorded(struct judge *judge, void *ctx, uint64_t entry, const char *why)
{
	struct setting *s = ctx;
	char text[512];

	s->entry = entry;
	if (entry) {
		stored_set_person(judge, s->person.uid, buf_slice(&s->old), buf_slice(&s->secret), on_set, s);
		return;
	}
	text_format(text, sizeof(text), "nothing was changed, because the record cannot be written: %s", why);
	people_answer(judge, &s->person, 1, "not_recorded", text, 0);
	setting_free(s);
}

/* The record says that it is to be set; when it is not, an entry after it says so. */
void people_on_secret(struct judge *judge, const struct msg_person_secret *m)
{
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	struct fields f = FIELDS_INIT(&arena);
	struct person person = { .request = m->request, .uid = m->uid, .pid = m->pid };
	struct setting *s = calloc(1, sizeof(*s));

	if (s) {
		s->person = person;
		s->old = s->secret = BUF_INIT(SECRET_MAX);
	}
	if (!s || buf_add_slice(&s->old, m->old) < 0 || buf_add_slice(&s->secret, m->secret) < 0) {
		setting_free(s);
		people_answer(judge, &person, 1, "failed", "out of memory", 0);
		return;
	}
	fields_u64(&f, "uid", person.uid);
	fields_u64(&f, "pid", person.pid);
	record_append(judge, "person.pin", &f, (struct slice){ 0 }, true, on_setting_recorded, s);
}
