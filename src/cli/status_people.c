#include "cli/status_people.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/approval_view.h"
#include "parse/fields.h"

enum { COUNT_PENDING, COUNT_APPROVED, COUNT_SAME_USER };         /* columns of approval_counts */
enum { COUNT_ACCEPTED, COUNT_OFFERED };                          /* of pin_counts */
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

static int add_pins(const struct place *place, struct buf *members)
{
	cleanup_rows struct rows rows = { .list = { .type = JSON_ARRAY } };
	cleanup_arena struct arena arena = ARENA_INIT(65536);
	struct fields f = FIELDS_INIT(&arena);

	if (rows_try(place, STATEMENT_pin_counts, NULL, 0, &rows) != CLI_OK || rows.list.count != 1)
		return 0;
	fields_u64(&f, "accepted", rows_u64(&rows, 0, COUNT_ACCEPTED));
	fields_u64(&f, "offered", rows_u64(&rows, 0, COUNT_OFFERED));
	return add_object(members, "pins", &f);
}

int status_people_add(const struct place *place, struct buf *members)
{
	int r = add_counts(place, members);

	if (r == 0)
		r = add_pins(place, members);
	return r == 0 ? add_pin(place, members) : r;
}

/* ---- printing ---- */

static uint64_t number(const struct json *object, const char *name)
{
	const struct json *v = json_get_type(object, slice_str(name), JSON_NUMBER);
	int64_t n = 0;

	return v && json_int64(v, &n) == 0 && n > 0 ? (uint64_t)n : 0;
}

/* To the second, as people write it. */
static void print_time(struct slice time)
{
	if (time.len > 19)
		printf("%.10s %.8sZ", time.ptr, time.ptr + 11);
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
	printf("PIN       set ");
	print_time(at->text);
	printf(" by %s", user);
	if (number(pin, "failures"))
		printf(", WRONG %" PRIu64 " TIMES IN A ROW", number(pin, "failures"));
	if (until) {
		printf(", LOCKED UNTIL ");
		print_time(until->text);
	}
	printf("\n");
}

void status_people_print(const struct json *status)
{
	const struct json *counts = json_get_type(status, SLICE("approvals"), JSON_OBJECT), *pin = json_get_type(status, SLICE("pin"), JSON_OBJECT);
	uint64_t offered = number(json_get_type(status, SLICE("pins"), JSON_OBJECT), "offered");

	if (counts)
		print_counts(counts);
	if (offered)
		printf("pins      %" PRIu64 " WITHHELD: `bawn pins list`\n", offered);
	if (pin)
		print_pin(pin);
}
