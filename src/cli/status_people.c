#include "cli/status_people.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/approval_view.h"
#include "parse/fields.h"

enum { COUNT_PENDING, COUNT_APPROVED, COUNT_SAME_USER };         /* columns of approval_counts */
enum { PERSON_SET_AT, PERSON_SET_BY, PERSON_FAILURES, PERSON_LOCKED_UNTIL }; /* of person_state */

static int add_object(struct buf *members, const char *name, struct fields *f)
{
	struct json object = fields_object(f);
	int r = f->failed ? -ENOMEM : buf_printf(members, ",\"%s\":", name);

	return r == 0 ? json_write(members, &object) : r;
}

static int add_counts(const struct place *place, struct buf *members)
{
	cleanup_rows struct rows rows = { .list = { .type = JSON_ARRAY } };
	cleanup_arena struct arena arena = ARENA_INIT(65536);
	struct fields f = FIELDS_INIT(&arena);

	if (rows_try(place, STATEMENT_approval_counts, NULL, 0, &rows) != CLI_OK || rows.list.count != 1)
		return 0;
	fields_u64(&f, "pending", rows_u64(&rows, 0, COUNT_PENDING));
	fields_u64(&f, "approved", rows_u64(&rows, 0, COUNT_APPROVED));
	fields_u64(&f, "same_user", rows_u64(&rows, 0, COUNT_SAME_USER));
	return add_object(members, "approvals", &f);
}

static int add_pin(const struct place *place, struct buf *members)
{
	cleanup_rows struct rows rows = { .list = { .type = JSON_ARRAY } };
	cleanup_arena struct arena arena = ARENA_INIT(65536);
	struct fields f = FIELDS_INIT(&arena);
	char set_at[TIME_TEXT], until[TIME_TEXT];

	if (rows_try(place, STATEMENT_person_state, NULL, 0, &rows) != CLI_OK)
		return 0;
	fields_bool(&f, "set", rows.list.count > 0);
	if (rows.list.count > 0) {
		view_time_exact(rows_u64(&rows, 0, PERSON_SET_AT), set_at);
		fields_text(&f, "set_at", slice_str(set_at));
		fields_u64(&f, "set_by", rows_u64(&rows, 0, PERSON_SET_BY));
		fields_u64(&f, "failures", rows_u64(&rows, 0, PERSON_FAILURES));
		view_time_exact(rows_u64(&rows, 0, PERSON_LOCKED_UNTIL), until);
		if (rows_u64(&rows, 0, PERSON_LOCKED_UNTIL) > clock_wall_us())
			fields_text(&f, "locked_until", slice_str(until));
	}
	return add_object(members, "pin", &f);
}

int status_people_add(const struct place *place, struct buf *members)
{
	int r = add_counts(place, members);

	return r == 0 ? add_pin(place, members) : r;
}

/* ---- printing ---- */

static uint64_t number(const struct json *object, const char *name)
{
	const struct json *v = json_get_type(object, slice_str(name), JSON_NUMBER);
	int64_t n = 0;

	return v && json_int64(v, &n) == 0 && n > 0 ? (uint64_t)n : 0;
}

/* Of a time: to the second. */
static int seconds(struct slice time)
{
	return (int)(time.len < 19 ? time.len : 19);
}

static void print_counts(const struct json *counts)
{
	uint64_t pending = number(counts, "pending"), approved = number(counts, "approved"), same_user = number(counts, "same_user");

	printf("approvals %" PRIu64 " %s, %" PRIu64 " approved and not used yet\n", pending, pending == 1 ? "waits" : "wait", approved);
	if (same_user)
		printf("          %" PRIu64 " DECIDED BY THE USER THAT THE AGENT'S CLIENT RAN AS\n", same_user);
}

static void print_pin(const struct json *pin)
{
	const struct json *at = json_get_type(pin, SLICE("set_at"), JSON_STRING), *until = json_get_type(pin, SLICE("locked_until"), JSON_STRING);
	char user[USER_TEXT];

	view_user((uint32_t)number(pin, "set_by"), user);
	if (!at) {
		printf("PIN       NOT SET: `bawn approvals pin` sets it\n");
		return;
	}
	printf("PIN       set %.*sZ by %s", seconds(at->text), at->text.ptr, user);
	if (number(pin, "failures"))
		printf(", WRONG %" PRIu64 " TIMES IN A ROW", number(pin, "failures"));
	if (until)
		printf(", LOCKED UNTIL %.*sZ", seconds(until->text), until->text.ptr);
	printf("\n");
}

void status_people_print(const struct json *status)
{
	const struct json *counts = json_get_type(status, SLICE("approvals"), JSON_OBJECT), *pin = json_get_type(status, SLICE("pin"), JSON_OBJECT);

	if (counts)
		print_counts(counts);
	if (pin)
		print_pin(pin);
}
