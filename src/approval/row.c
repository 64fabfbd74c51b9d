/* Between a record and the store's columns. */
#include <errno.h>

#include "approval/approval.h"
#include "parse/fields.h"

/* The columns of the statement approval_get, in its order. */
enum column {
	COLUMN_ID,
	COLUMN_DIGEST,
	COLUMN_SUBJECT,
	COLUMN_AGENT,
	COLUMN_SESSION,
	COLUMN_UID,
	COLUMN_SERVER,
	COLUMN_TOOL,
	COLUMN_PIN,
	COLUMN_EFFECT,
	COLUMN_RULE,
	COLUMN_RULE_DIGEST,
	COLUMN_ARGUMENTS,
	COLUMN_CREATED,
	COLUMN_EXPIRES,
	COLUMN_ASKED,
	COLUMN_WHY,
	COLUMN_STATE,
	COLUMN_DECIDED,
	COLUMN_DECIDED_BY,
	COLUMN_SAME_USER,
	COLUMN_REASON,
	COLUMN_ENDED,
	COLUMN_INTENT,
	COLUMN_TOLD,
	COLUMN_COUNT,
};

/* Reads column after column; the first that is not what it must be ends it. */
struct reading {
	const struct json *row;
	bool failed;
};

static struct slice text_at(struct reading *in, enum column column, bool optional)
{
	const struct json *v = &in->row->items[column];

	if (v->type == JSON_STRING)
		return v->text;
	if (!optional || v->type != JSON_NULL)
		in->failed = true;
	return (struct slice){0};
}

/* Null is 0: no number that is stored is 0 itself. */
static uint64_t number_at(struct reading *in, enum column column, uint64_t most)
{
	const struct json *v = &in->row->items[column];
	int64_t n = 0;

	if (v->type == JSON_NULL)
		return 0;
	if (v->type != JSON_NUMBER || json_int64(v, &n) < 0 || n < 0 || (uint64_t)n > most) {
		in->failed = true;
		return 0;
	}
	return (uint64_t)n;
}

static void read_asked(struct reading *in, struct approval *a)
{
	a->id = text_at(in, COLUMN_ID, false);
	a->digest = text_at(in, COLUMN_DIGEST, false);
	a->subject = text_at(in, COLUMN_SUBJECT, false);
	a->agent = text_at(in, COLUMN_AGENT, false);
	a->session = number_at(in, COLUMN_SESSION, INT64_MAX);
	a->uid = (uint32_t)number_at(in, COLUMN_UID, UINT32_MAX);
	a->server = text_at(in, COLUMN_SERVER, false);
	a->tool = text_at(in, COLUMN_TOOL, false);
	a->pin = text_at(in, COLUMN_PIN, false);
	a->effect = text_at(in, COLUMN_EFFECT, false);
	a->rule = text_at(in, COLUMN_RULE, false);
	a->rule_digest = text_at(in, COLUMN_RULE_DIGEST, false);
	a->arguments = text_at(in, COLUMN_ARGUMENTS, false);
	a->created = number_at(in, COLUMN_CREATED, INT64_MAX);
	a->expires = number_at(in, COLUMN_EXPIRES, INT64_MAX);
	a->asked = number_at(in, COLUMN_ASKED, INT64_MAX);
	a->why = text_at(in, COLUMN_WHY, false);
}

static void read_since(struct reading *in, struct approval *a)
{
	if (!approval_state_find(text_at(in, COLUMN_STATE, false), &a->state))
		in->failed = true;
	a->decided = number_at(in, COLUMN_DECIDED, INT64_MAX);
	a->decided_by = (uint32_t)number_at(in, COLUMN_DECIDED_BY, UINT32_MAX);
	a->same_user = number_at(in, COLUMN_SAME_USER, 1) == 1;
	a->reason = text_at(in, COLUMN_REASON, true);
	a->ended = number_at(in, COLUMN_ENDED, INT64_MAX);
	a->intent = number_at(in, COLUMN_INTENT, INT64_MAX);
	a->told = number_at(in, COLUMN_TOLD, 1) == 1;
}

int approval_read(const struct json *row, struct approval *ret_approval)
{
	struct reading in = {.row = row};
	struct approval a = {.state = APPROVAL_PENDING};
	struct approval_seal seal;
	int r;

	if (!json_is(row, JSON_ARRAY) || row->count != COLUMN_COUNT)
		return -EINVAL;
	read_asked(&in, &a);
	read_since(&in, &a);
	if (in.failed)
		return -EINVAL;
	r = approval_seal(&a, &seal);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	if (!slice_eq(a.id, slice_str(seal.id)) || !slice_eq(a.digest, slice_str(seal.digest)) ||
	    !slice_eq(a.subject, slice_str(seal.subject)))
		return -EBADMSG;
	*ret_approval = a;
	return 0;
}

int approval_new_values(struct arena *arena, const struct approval *a, struct json *ret_values)
{
	const struct json values[] = {
		json_text(a->id),
		json_text(a->digest),
		json_text(a->subject),
		json_text(a->agent),
		json_u64(arena, a->session),
		json_u64(arena, a->uid),
		json_text(a->server),
		json_text(a->tool),
		json_text(a->pin),
		json_text(a->effect),
		json_text(a->rule),
		json_text(a->rule_digest),
		json_text(a->arguments),
		json_u64(arena, a->created),
		json_u64(arena, a->expires),
		json_u64(arena, a->asked),
		json_text(a->why),
		json_u64(arena, APPROVAL_PENDING_MAX),
	};
	enum { COUNT = sizeof(values) / sizeof(values[0]) };
	struct json *items = arena_array(arena, COUNT, sizeof(*items));

	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < COUNT; i++)
		if (values[i].type == JSON_NULL)
			return -ENOMEM;
	memcpy(items, values, sizeof(values));
	*ret_values = (struct json){ .type = JSON_ARRAY, .count = COUNT, .items = items };
	return 0;
}
