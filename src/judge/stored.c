#include "judge/stored.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { QUEUE_HIGH = 32 * 1024 * 1024, ROWS_ARENA_MAX = 128 * 1024 * 1024 };

struct stored_waiting {
	struct stored_waiting *next;
	uint64_t request;
	enum statement statement;
	stored_done *done;
	stored_person *person; /* one of the two is asked for; both NULL: forgotten, or nobody waits */
	bool about_person;
	void *ctx;
};

static void refuse(struct judge *judge, stored_done *done, void *ctx, const char *why)
{
	if (done)
		done(judge, ctx, NULL, 0, why);
}

static struct stored_waiting *wait_for(struct judge *judge, void *ctx)
{
	struct stored_waiting *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->request = ++judge->last_stored;
	w->ctx = ctx;
	w->next = judge->stored_waiting;
	judge->stored_waiting = w;
	return w;
}

static struct stored_waiting *take_waiting(struct judge *judge, uint64_t request, bool about_person)
{
	for (struct stored_waiting **at = &judge->stored_waiting; *at; at = &(*at)->next)
		if ((*at)->request == request && (*at)->about_person == about_person) {
			struct stored_waiting *w = *at;

			*at = w->next;
			return w;
		}
	return NULL;
}

void stored_run(struct judge *judge, enum statement statement, const struct json *values, size_t count, stored_done *done, void *ctx)
{
	cleanup_buf struct buf packed = BUF_INIT(message_rule(MSG_store_run)->max);
	struct json all = { .type = JSON_ARRAY, .count = (uint32_t)count, .items = (struct json *)(uintptr_t)values };
	struct msg_store_run m = { .statement = statement };
	struct stored_waiting *w;

	if (!judge->store) {
		refuse(judge, done, ctx, "the store is not there now");
		return;
	}
	if (channel_queued(judge->store) > QUEUE_HIGH) {
		refuse(judge, done, ctx, "the store is too far behind");
		return;
	}
	w = json_pack(&packed, &all) < 0 ? NULL : wait_for(judge, ctx);
	if (!w) {
		refuse(judge, done, ctx, "out of memory, or too large");
		return;
	}
	m.request = w->request;
	m.values = buf_slice(&packed);
	w->statement = statement;
	w->done = done;
	if (channel_send(judge->store, MSG_store_run, &m) < 0) {
		free(take_waiting(judge, m.request, false));
		refuse(judge, done, ctx, "the store cannot be reached");
	}
}

static void ask_person(struct judge *judge, enum message_type type, struct msg_person_set *m, stored_person *done, void *ctx)
{
	struct stored_waiting *w = judge->store ? wait_for(judge, ctx) : NULL;
	struct msg_person_check check;

	if (!w) {
		done(judge, ctx, PERSON_FAILED, 0);
		return;
	}
	w->about_person = true;
	w->person = done;
	m->request = w->request;
	check = (struct msg_person_check){ .request = m->request, .secret = m->secret };
	if (channel_send(judge->store, type, type == MSG_person_set ? (const void *)m : (const void *)&check) < 0) {
		free(take_waiting(judge, m->request, true));
		done(judge, ctx, PERSON_FAILED, 0);
	}
}

void stored_check_person(struct judge *judge, struct slice secret, stored_person *done, void *ctx)
{
	struct msg_person_set m = { .secret = secret };

	ask_person(judge, MSG_person_check, &m, done, ctx);
}

void stored_set_person(struct judge *judge, uint32_t uid, struct slice old, struct slice secret, stored_person *done, void *ctx)
{
	struct msg_person_set m = { .uid = uid, .old = old, .secret = secret };

	ask_person(judge, MSG_person_set, &m, done, ctx);
}

void stored_forget(struct judge *judge, const void *ctx)
{
	for (struct stored_waiting *w = judge->stored_waiting; w; w = w->next)
		if (w->ctx == ctx) {
			w->done = NULL;
			w->person = NULL;
		}
}

struct slice stored_column(const struct json *row, size_t column)
{
	return column < row->count && row->items[column].type == JSON_STRING ? row->items[column].text : (struct slice){ 0 };
}

uint64_t stored_u64(const struct json *row, size_t column)
{
	int64_t n = 0;

	if (column >= row->count || row->items[column].type != JSON_NUMBER || json_int64(&row->items[column], &n) < 0 || n < 0)
		return 0;
	return (uint64_t)n;
}

/* Each row has the columns that the table names. */
static bool rows_fit(enum statement statement, const struct json *rows)
{
	const char *columns = statement_rule(statement)->columns;

	if (rows->type != JSON_ARRAY)
		return false;
	for (uint32_t i = 0; i < rows->count; i++) {
		const struct json *row = &rows->items[i];

		if (row->type != JSON_ARRAY || row->count != strlen(columns))
			return false;
		for (uint32_t k = 0; k < row->count; k++) {
			bool text = columns[k] == 't' || columns[k] == 'T', null = columns[k] == 'T' || columns[k] == 'I';

			if (row->items[k].type != (text ? JSON_STRING : JSON_NUMBER) && !(null && row->items[k].type == JSON_NULL))
				return false;
		}
	}
	return true;
}

int stored_on_done(struct judge *judge, const struct msg_store_done *m)
{
	cleanup_arena struct arena arena = ARENA_INIT(ROWS_ARENA_MAX);
	struct stored_waiting *w = take_waiting(judge, m->request, false);
	struct json rows;
	int r = 0;

	if (!w)
		return -EPROTO;
	if (json_unpack(&arena, m->rows, &json_limits_default, &rows) < 0 || !rows_fit(w->statement, &rows)) {
		refuse(judge, w->done, w->ctx, "the store answered what cannot be read");
		r = -EPROTO;
	} else if (w->done) {
		w->done(judge, w->ctx, &rows, m->changes, NULL);
	}
	free(w);
	return r;
}

int stored_on_failed(struct judge *judge, const struct msg_store_failed *m)
{
	struct stored_waiting *w = take_waiting(judge, m->request, false);
	char why[257];

	if (!w)
		return -EPROTO;
	snprintf(why, sizeof(why), "%.*s", SLICE_ARG(m->why));
	refuse(judge, w->done, w->ctx, why);
	free(w);
	return 0;
}

int stored_on_person(struct judge *judge, const struct msg_person_answer *m)
{
	struct stored_waiting *w = take_waiting(judge, m->request, true);

	if (!w)
		return -EPROTO;
	if (w->person)
		w->person(judge, w->ctx, m->verdict > PERSON_FAILED ? PERSON_FAILED : (enum person_verdict)m->verdict, m->wait_ms);
	free(w);
	return 0;
}

void stored_on_lost(struct judge *judge)
{
	while (judge->stored_waiting) {
		struct stored_waiting *w = judge->stored_waiting;

		judge->stored_waiting = w->next;
		if (w->person)
			w->person(judge, w->ctx, PERSON_FAILED, 0);
		refuse(judge, w->done, w->ctx, "the store ended");
		free(w);
	}
}
