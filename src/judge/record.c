#include "judge/record.h"

#include <stdlib.h>

#include "base/log.h"

enum { QUEUE_HIGH = 32 * 1024 * 1024 }; /* bytes on their way to the audit process */

struct record_waiting {
	struct record_waiting *next;
	uint64_t token;
	record_done *done;
	void *ctx;
};

static void tell(struct judge *judge, record_done *done, void *ctx, uint64_t entry, const char *why)
{
	if (done)
		done(judge, ctx, entry, why);
}

void record_append(struct judge *judge, const char *kind, struct fields *fields, struct slice arguments, bool durable, record_done *done,
		   void *ctx)
{
	cleanup_buf struct buf packed = BUF_INIT(65536);
	struct msg_audit_append m = { .kind = slice_str(kind), .durable = durable, .arguments = arguments };
	struct json object = fields_object(fields);
	struct record_waiting *w = NULL;

	if (fields->failed || json_pack(&packed, &object) < 0) {
		log_error("an entry of kind %s is too large", kind);
		tell(judge, done, ctx, 0, "the entry is too large");
		return;
	}
	m.fields = buf_slice(&packed);
	if (done) {
		w = calloc(1, sizeof(*w));
		if (!w) {
			tell(judge, done, ctx, 0, "out of memory");
			return;
		}
		*w = (struct record_waiting){ .next = judge->waiting, .token = ++judge->last_token, .done = done, .ctx = ctx };
		m.token = w->token;
	}
	/* What somebody waits for can be refused; outcomes, which nobody waits for, keep the rest of the queue. */
	if (w && judge->audit && channel_queued(judge->audit) > QUEUE_HIGH) {
		free(w);
		tell(judge, done, ctx, 0, "the audit log is too far behind");
		return;
	}
	/* An entry that nobody waits for travels with the next one. */
	if (!judge->audit || (w ? channel_send : channel_send_later)(judge->audit, MSG_audit_append, &m) < 0) {
		free(w);
		tell(judge, done, ctx, 0, "the audit log cannot be reached");
		return;
	}
	if (w)
		judge->waiting = w;
}

static struct record_waiting *take_waiting(struct judge *judge, uint64_t token)
{
	for (struct record_waiting **at = &judge->waiting; *at; at = &(*at)->next)
		if ((*at)->token == token) {
			struct record_waiting *w = *at;

			*at = w->next;
			return w;
		}
	return NULL;
}

static void finish(struct judge *judge, uint64_t token, uint64_t entry, const char *why)
{
	struct record_waiting *w = take_waiting(judge, token);

	if (!w)
		return;
	tell(judge, w->done, w->ctx, entry, why);
	free(w);
}

void record_on_appended(struct judge *judge, const struct msg_audit_appended *m)
{
	finish(judge, m->token, m->entry, NULL);
}

void record_on_failed(struct judge *judge, const struct msg_audit_failed *m)
{
	char why[257];

	snprintf(why, sizeof(why), "%.*s", SLICE_ARG(m->why));
	finish(judge, m->token, 0, why);
}

void record_on_lost(struct judge *judge)
{
	while (judge->waiting)
		finish(judge, judge->waiting->token, 0, "the audit process ended");
}

void record_forget(struct judge *judge, const void *ctx)
{
	for (struct record_waiting *w = judge->waiting; w; w = w->next)
		if (w->ctx == ctx)
			w->done = NULL;
}
