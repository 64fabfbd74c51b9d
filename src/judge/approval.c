#include "judge/approval.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "judge/record.h"
#include "judge/stored.h"

enum {
	RETRY_PENDING_MS = 10 * 1000, /* a person takes a while */
	RETRY_STORE_MS = 1000,
	RETRY_FULL_MS = 60 * 1000,
	SWEEP_S = 10,
};

struct asking {
	struct asking *next;  /* of judge->askings: all that have begun and are not done, oldest first */
	struct asking *ready; /* of judge->askings_ready */
	struct asking *lost;  /* of judge->askings_lost: the store ended while it was used up */
	unsigned sweeps;      /* how often the timer has found it so */
	struct judge *judge;
	asking_done *done;
	void *ctx;
	bool making; /* a record of it is on its way into the store */
	struct approval act;
	uint32_t within_s;
	uint64_t intent;
	char rule_digest[APPROVAL_HEX + 1];
	struct approval_seal seal; /* the subject; the rest of it when a record is made */
	struct asking_answer answer;
};

/* ---- the life of an asking ---- */

struct asking *asking_new(struct judge *judge, const struct approval *act, struct slice rule_text, uint32_t within_s)
{
	struct asking *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->judge = judge;
	a->act = *act;
	a->within_s = within_s;
	approval_sha256(rule_text, a->rule_digest);
	a->act.rule_digest = slice_str(a->rule_digest);
	if (approval_subject(&a->act, a->seal.subject) < 0) {
		free(a);
		return NULL;
	}
	return a;
}

void asking_free(struct asking *a)
{
	free(a);
}

const struct asking_answer *asking_answer(const struct asking *a)
{
	return &a->answer;
}

void asking_sees(const struct asking *a, char *out, size_t size)
{
	enum { SHOWN = 1500 };
	cleanup_buf struct buf arguments = BUF_INIT(8 * SHOWN);
	struct slice s = a->act.arguments;

	if (s.len > SHOWN) {
		s.len = SHOWN;
		while (s.len && ((unsigned char)s.ptr[s.len] & 0xc0) == 0x80)
			s.len--;
	}
	if (text_escape(&arguments, s) < 0)
		buf_clear(&arguments);
	text_format(out, size, "agent %.*s asks to call %.*s.%.*s (%.*s) with %.*s%s", SLICE_ARG(a->act.agent), SLICE_ARG(a->act.server),
		    SLICE_ARG(a->act.tool), SLICE_ARG(a->act.effect), (int)arguments.len, arguments.len ? arguments.ptr : "",
		    s.len < a->act.arguments.len ? "... (a person sees all of it)" : "");
}

static bool same_subject(const struct asking *a, const struct asking *b)
{
	return strcmp(a->seal.subject, b->seal.subject) == 0;
}

static void find(struct asking *a);

/* Those whose turn has come; not from within each other, for there may be many. */
static void begin_ready(struct judge *judge)
{
	if (judge->askings_beginning)
		return;
	judge->askings_beginning = true;
	while (judge->askings_ready) {
		struct asking *a = judge->askings_ready;

		judge->askings_ready = a->ready;
		a->ready = NULL;
		find(a);
	}
	judge->askings_beginning = false;
}

/* It has its answer; the next one of the same subject has its turn. `a` may be gone afterwards. */
static void finish(struct asking *a)
{
	struct judge *judge = a->judge;
	struct asking *next = judge->askings;

	for (struct asking **at = &judge->askings; *at; at = &(*at)->next)
		if (*at == a) {
			*at = a->next;
			break;
		}
	for (next = judge->askings; next && !same_subject(next, a); next = next->next)
		;
	if (next) {
		next->ready = judge->askings_ready;
		judge->askings_ready = next;
	}
	a->making = false;
	a->done(judge, a->ctx);
	begin_ready(judge);
}

static void refuse(struct asking *a, const char *code, uint64_t retry_after_ms, const char *format, ...) __attribute__((format(printf, 4, 5)));

static void refuse(struct asking *a, const char *code, uint64_t retry_after_ms, const char *format, ...)
{
	va_list args;

	a->answer.granted = false;
	a->answer.code = code;
	a->answer.retry_after_ms = retry_after_ms;
	va_start(args, format);
	text_vformat(a->answer.why, sizeof(a->answer.why), format, args);
	va_end(args);
	finish(a);
}

static void refuse_unstored(struct asking *a, const char *why)
{
	refuse(a, "not_stored", RETRY_STORE_MS, "Nothing was done, because approvals cannot be looked up or kept now (%s). Try again later.", why);
}

static void refuse_pending(struct asking *a)
{
	refuse(a, "needs_approval", RETRY_PENDING_MS,
	       "A person has to approve this call first; nothing was done. Go on with other work meanwhile, and repeat this call unchanged later: once it is "
	       "approved (approval %s), the repeated call runs; until then it only gets this answer again, and nobody is asked twice.",
	       a->answer.id);
}

/* ---- a new record ---- */

/* The log says that a person is asked, and there is nothing to decide. */
static void unmake(struct asking *a, const char *why)
{
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	struct fields f = FIELDS_INIT(&arena);

	fields_text(&f, "approval", slice_str(a->answer.id));
	fields_text(&f, "agent", a->act.agent);
	fields_text(&f, "why", slice_str(why));
	record_append(a->judge, "approval.withdrawn", &f, (struct slice){ 0 }, false, NULL, NULL);
	a->answer.id[0] = '\0';
	refuse_unstored(a, why);
}

static void on_kept(struct judge *judge, void *ctx, const struct json *rows, uint64_t changes, const char *why)
{
	struct asking *a = ctx;

	if (!rows || changes != 1) {
		unmake(a, rows ? "there are too many" : why);
		return;
	}
	approval_tell(judge, slice_str(a->answer.id), "pending");
	refuse_pending(a);
}

static void on_asked(struct judge *judge, void *ctx, uint64_t entry, const char *why)
{
	struct asking *a = ctx;
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	struct json values;

	if (!entry) {
		a->answer.id[0] = '\0';
		refuse(a, "not_recorded", RETRY_STORE_MS, "Nothing was done, because the record cannot be written (%s). Try again later.", why);
		return;
	}
	a->answer.recorded = true;
	a->act.asked = entry;
	if (approval_new_values(&arena, &a->act, &values) < 0)
		unmake(a, "out of memory");
	else
		stored_run(judge, STATEMENT_approval_new, values.items, values.count, on_kept, a);
}

/* First the log, then the store: no record can be decided that nobody could read of. */
static void ask(struct asking *a)
{
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	struct fields f = FIELDS_INIT(&arena);
	char expires[32];

	a->act.id = slice_str(a->seal.id);
	a->act.digest = slice_str(a->seal.digest);
	a->act.subject = slice_str(a->seal.subject);
	memcpy(a->answer.id, a->seal.id, sizeof(a->answer.id));
	a->answer.expires = a->act.expires;
	text_time(a->act.expires, expires);
	fields_text(&f, "approval", a->act.id);
	fields_text(&f, "digest", a->act.digest);
	fields_text(&f, "subject", a->act.subject);
	fields_u64(&f, "session", a->act.session);
	fields_text(&f, "agent", a->act.agent);
	fields_u64(&f, "uid", a->act.uid);
	fields_text(&f, "server", a->act.server);
	fields_text(&f, "tool", a->act.tool);
	fields_text(&f, "effect", a->act.effect);
	fields_text(&f, "rule", a->act.rule);
	fields_text(&f, "why", a->act.why);
	fields_text(&f, "expires", slice_str(expires));
	record_append(a->judge, "approval.asked", &f, a->act.arguments, true, on_asked, a);
}

/* How many the agent is having made just now, and their bytes. */
static uint64_t making(const struct asking *a, uint64_t *ret_bytes)
{
	uint64_t count = 0, bytes = 0;

	for (const struct asking *other = a->judge->askings; other; other = other->next)
		if (other->making && other != a && slice_eq(other->act.agent, a->act.agent)) {
			count++;
			bytes += other->act.arguments.len;
		}
	*ret_bytes = bytes;
	return count;
}

static void on_waiting(struct judge *judge, void *ctx, const struct json *rows, uint64_t changes, const char *why)
{
	struct asking *a = ctx;
	uint64_t count, bytes;

	(void)judge;
	(void)changes;
	if (!rows || rows->count != 1) {
		refuse_unstored(a, why ? why : "it cannot be read");
		return;
	}
	count = stored_u64(&rows->items[0], 0) + making(a, &bytes);
	bytes += stored_u64(&rows->items[0], 1) + a->act.arguments.len;
	if (count >= APPROVAL_PENDING_MAX || bytes > APPROVAL_PENDING_BYTES) {
		refuse(a, "too_many_pending", RETRY_FULL_MS,
		       "As much of this agent waits for a person already as may (%d calls, %d MiB of arguments together); nothing was done, and nobody is "
		       "asked. Wait until some are decided.",
		       APPROVAL_PENDING_MAX, APPROVAL_PENDING_BYTES >> 20);
		return;
	}
	a->making = true;
	ask(a);
}

static void make(struct asking *a, uint64_t now)
{
	struct json agent = json_text(a->act.agent);

	a->act.created = now;
	a->act.expires = now + a->within_s * 1000000ULL;
	if (approval_seal(&a->act, &a->seal) < 0)
		refuse_unstored(a, "out of memory");
	else
		stored_run(a->judge, STATEMENT_approval_waiting, &agent, 1, on_waiting, a);
}

/* ---- finding ---- */

static void on_told(struct judge *judge, void *ctx, const struct json *rows, uint64_t changes, const char *why)
{
	struct asking *a = ctx;

	(void)judge;
	(void)changes;
	if (!rows)
		refuse_unstored(a, why);
	else
		refuse(a, "expired", 0,
		       "The time in which a person could approve this call, and it could be made, is over; nothing was done. If it is still wanted, repeat it to ask anew.");
}

static void tell_expired(struct asking *a)
{
	struct json id = json_text(slice_str(a->answer.id));

	stored_run(a->judge, STATEMENT_approval_told, &id, 1, on_told, a);
}

static void sweep(struct judge *judge, uint64_t now);

static void refuse_rejected(struct asking *a, struct slice reason)
{
	refuse(a, "rejected", 0, "A person has rejected this call; nothing was done. Do not repeat it.%s%.*s", reason.len ? " The reason: " : "",
	       SLICE_ARG(reason));
}

/* The columns of approval_find. */
enum { FOUND_ID, FOUND_STATE, FOUND_PIN, FOUND_EXPIRES, FOUND_REASON, FOUND_TOLD, FOUND_CREATED, FOUND_INTENT };

static void decide(struct asking *a, const struct json *row, uint64_t now)
{
	struct slice id = stored_column(row, FOUND_ID);
	enum approval_state state;
	bool over;

	if (id.len != APPROVAL_ID || !approval_state_find(stored_column(row, FOUND_STATE), &state)) {
		refuse_unstored(a, "the record of this call cannot be read");
		return;
	}
	memcpy(a->answer.id, id.ptr, APPROVAL_ID);
	a->answer.expires = stored_u64(row, FOUND_EXPIRES);
	a->answer.recorded = true;
	over = a->answer.expires <= now;
	switch (state) {
	case APPROVAL_PENDING:
	case APPROVAL_APPROVED:
		if (over) {
			sweep(a->judge, now);
			tell_expired(a);
		} else if (state == APPROVAL_PENDING) {
			refuse_pending(a);
		} else {
			a->answer.granted = true;
			finish(a);
		}
		return;
	case APPROVAL_REJECTED:
		if (!over) {
			refuse_rejected(a, stored_column(row, FOUND_REASON));
			return;
		}
		break;
	case APPROVAL_EXPIRED:
		if (stored_u64(row, FOUND_TOLD) == 0) {
			tell_expired(a);
			return;
		}
		break;
	case APPROVAL_WITHDRAWN:
	case APPROVAL_CONSUMED:
	case APPROVAL_STATES:
		break;
	}
	a->answer.id[0] = '\0';
	a->answer.recorded = false;
	make(a, now);
}

static void on_found(struct judge *judge, void *ctx, const struct json *rows, uint64_t changes, const char *why)
{
	uint64_t now = clock_wall_us();
	struct asking *a = ctx;

	(void)judge;
	(void)changes;
	if (!rows)
		refuse_unstored(a, why);
	else if (rows->count == 0)
		make(a, now);
	else
		decide(a, &rows->items[0], now);
}

static void find(struct asking *a)
{
	struct json subject = json_text(slice_str(a->seal.subject));

	stored_run(a->judge, STATEMENT_approval_find, &subject, 1, on_found, a);
}

void asking_begin(struct asking *a, asking_done *done, void *ctx)
{
	struct asking **at = &a->judge->askings;
	bool first = true;

	a->done = done;
	a->ctx = ctx;
	for (; *at; at = &(*at)->next)
		first = first && !same_subject(*at, a);
	*at = a;
	if (first)
		find(a);
}

/* ---- using ---- */

static bool same_rule(void *ctx, struct slice rule_text)
{
	const struct slice *wanted = ctx;
	char digest[APPROVAL_HEX + 1];

	approval_sha256(rule_text, digest);
	return slice_eq(slice_str(digest), *wanted);
}

bool approval_stands(const struct judge *judge, const struct approval *a)
{
	const struct policy *p = judge->policy;
	struct slice digest = a->rule_digest;

	return p && slice_eq(a->effect, slice_str(policy_effect_name(policy_tool_effect(p, a->server, a->tool)))) &&
	       policy_may_ask(p, a->agent, a->server, a->tool, same_rule, &digest);
}

static void deny(struct asking *a, const char *code, const char *why)
{
	a->answer.granted = false;
	a->answer.code = code;
	a->answer.retry_after_ms = strcmp(code, "not_stored") == 0 ? RETRY_STORE_MS : 0;
	text_format(a->answer.why, sizeof(a->answer.why), "%s", why);
	a->done(a->judge, a->ctx);
}

static void deny_unstored(struct asking *a)
{
	deny(a, "not_stored", "Nothing was done, because the approval of this call could not be marked as used. Try again later.");
}

static void used(struct asking *a)
{
	approval_tell(a->judge, slice_str(a->answer.id), "consumed");
	a->done(a->judge, a->ctx);
}

/* Whether it was used up the next store will say. */
static void lose(struct asking *a)
{
	a->sweeps = 0;
	a->lost = a->judge->askings_lost;
	a->judge->askings_lost = a;
}

/* Used up, says the store, and by this very intent: then what was not heard before is heard now. */
static void on_found_used(struct judge *judge, void *ctx, const struct json *rows, uint64_t changes, const char *why)
{
	const struct json *row = rows && rows->count ? &rows->items[0] : NULL;
	struct asking *a = ctx;
	enum approval_state state;

	(void)changes;
	(void)why;
	if (!rows && !judge->store)
		lose(a);
	else if (row && slice_eq(stored_column(row, FOUND_ID), slice_str(a->answer.id)) && approval_state_find(stored_column(row, FOUND_STATE), &state) &&
		 state == APPROVAL_CONSUMED && stored_u64(row, FOUND_INTENT) == a->intent)
		used(a);
	else
		deny_unstored(a);
}

/* The store ended while approvals were being used up. It may have done it and not said so; the store that comes after it knows. */
static void settle_lost(struct judge *judge)
{
	struct asking *list = judge->askings_lost;

	judge->askings_lost = NULL;
	while (list) {
		struct asking *a = list;
		struct json subject = json_text(slice_str(a->seal.subject));

		list = a->lost;
		stored_run(judge, STATEMENT_approval_find, &subject, 1, on_found_used, a);
	}
}

/* There is no store for a while: whoever has waited for more than one turn of the timer waits no longer. */
static void give_up_lost(struct judge *judge)
{
	struct asking *list = judge->askings_lost;

	judge->askings_lost = NULL;
	while (list) {
		struct asking *a = list;

		list = a->lost;
		if (a->sweeps++ == 0) {
			a->lost = judge->askings_lost;
			judge->askings_lost = a;
		} else {
			deny_unstored(a);
		}
	}
}

static void on_consumed(struct judge *judge, void *ctx, const struct json *rows, uint64_t changes, const char *why)
{
	struct asking *a = ctx;

	if (!rows && !judge->store) {
		lose(a);
	} else if (!rows) {
		log_warning("approval %s could not be used: %s", a->answer.id, why);
		deny_unstored(a);
	} else if (changes != 1) {
		deny(a, "needs_approval", "The approval of this call was used by another call, or has ended; nothing was done. Repeat the call to ask a person anew.");
	} else {
		used(a);
	}
}

void asking_use(struct asking *a, uint64_t intent, struct slice pin, asking_done *done, void *ctx)
{
	cleanup_arena struct arena arena = ARENA_INIT(4096);
	struct json values[] = {
		json_text(slice_str(a->answer.id)), json_text(slice_str(a->seal.subject)), json_text(slice_str(a->rule_digest)),
		json_text(a->act.pin), json_u64(&arena, clock_wall_us()), json_u64(&arena, intent),
	};

	a->done = done;
	a->ctx = ctx;
	a->intent = intent;
	if (!approval_stands(a->judge, &a->act) || !slice_eq(pin, a->act.pin))
		deny(a, "needs_approval", "The rule or the tool has changed since this call was approved; nothing was done. Repeat the call to ask a person anew.");
	else
		stored_run(a->judge, STATEMENT_approval_consume, values, sizeof(values) / sizeof(values[0]), on_consumed, a);
}

/* ---- what ends without a call ---- */

void approval_tell(struct judge *judge, struct slice id, const char *state)
{
	struct msg_approval_news news = { .id = id, .state = slice_str(state) };

	if (judge->console)
		channel_send(judge->console, MSG_approval_news, &news);
}

static void record_end(struct judge *judge, struct slice id, const char *kind, const char *state, const char *why)
{
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	struct fields f = FIELDS_INIT(&arena);

	fields_text(&f, "approval", id);
	fields_text(&f, "why", slice_str(why));
	record_append(judge, kind, &f, (struct slice){ 0 }, false, NULL, NULL);
	approval_tell(judge, id, state);
}

static void on_swept(struct judge *judge, void *ctx, const struct json *rows, uint64_t changes, const char *why)
{
	(void)ctx;
	(void)changes;
	(void)why; /* the next time, then: what is over is not used, swept or not */
	for (uint32_t i = 0; rows && i < rows->count; i++)
		record_end(judge, stored_column(&rows->items[i], 0), "approval.expired", "expired", NULL);
	if (rows && rows->count == APPROVAL_SWEPT_MAX)
		sweep(judge, clock_wall_us());
}

static void sweep(struct judge *judge, uint64_t now)
{
	cleanup_arena struct arena arena = ARENA_INIT(4096);
	struct json value = json_u64(&arena, now);

	stored_run(judge, STATEMENT_approval_expire, &value, 1, on_swept, NULL);
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct judge *judge = arg;

	(void)fd;
	(void)what;
	if (judge->store)
		sweep(judge, clock_wall_us());
	else
		give_up_lost(judge);
}

int approval_watch_time(struct judge *judge)
{
	judge->sweep_timer = event_new(judge->loop, -1, EV_PERSIST, on_sweep, judge);
	return judge->sweep_timer && event_add(judge->sweep_timer, &(struct timeval){ .tv_sec = SWEEP_S }) == 0 ? 0 : -ENOMEM;
}

static const char rule_gone[] = "the rule that asked, or what is stated of the tool, has changed";

static void on_withdrawn(struct judge *judge, void *ctx, const struct json *rows, uint64_t changes, const char *why)
{
	(void)ctx;
	(void)changes;
	if (!rows)
		log_warning("approvals of a changed rule could not be withdrawn: %s", why);
	for (uint32_t i = 0; rows && i < rows->count; i++)
		record_end(judge, stored_column(&rows->items[i], 0), "approval.withdrawn", "withdrawn", rule_gone);
}

static void on_bases(struct judge *judge, void *ctx, const struct json *rows, uint64_t changes, const char *why)
{
	enum { AGENT, SERVER, TOOL, EFFECT, RULE, COUNT };
	cleanup_arena struct arena arena = ARENA_INIT(4096);
	struct json now = json_u64(&arena, clock_wall_us());

	(void)ctx;
	(void)changes;
	if (!rows)
		log_warning("approvals could not be held against the policy: %s", why);
	for (uint32_t i = 0; rows && i < rows->count; i++) {
		const struct json *row = &rows->items[i];
		struct approval basis = { .agent = stored_column(row, AGENT), .server = stored_column(row, SERVER), .tool = stored_column(row, TOOL),
					  .effect = stored_column(row, EFFECT), .rule_digest = stored_column(row, RULE) };
		struct json values[COUNT + 2] = { [COUNT] = now, [COUNT + 1] = json_text(slice_str(rule_gone)) };

		if (approval_stands(judge, &basis))
			continue;
		memcpy(values, row->items, COUNT * sizeof(values[0]));
		stored_run(judge, STATEMENT_approval_withdraw_base, values, COUNT + 2, on_withdrawn, NULL);
	}
}

void approval_on_store(struct judge *judge)
{
	settle_lost(judge);
	approval_review(judge);
}

void approval_review(struct judge *judge)
{
	if (!judge->store || !judge->policy)
		return;
	sweep(judge, clock_wall_us());
	stored_run(judge, STATEMENT_approval_bases, NULL, 0, on_bases, NULL);
}
