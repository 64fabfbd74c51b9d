/* A person accepts what a server offers: the PIN by the store, the decision on the record, then what is stored, in one statement. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "judge/approval.h"
#include "judge/people.h"
#include "judge/pins_inside.h"
#include "judge/stored.h"

struct accepting {
	struct pins *pins;
	struct person person;
	char tool[257]; /* empty: all that is offered */
	char digest[TOOL_HEX + 1];
	struct buf secret;    /* until it is checked */
	struct buf offered;   /* canonical JSON of what will be accepted, as pin_offered has it */
	struct pin_list list; /* the same */
	struct naming names;  /* with the digests of before */
	bool same_user;
	uint64_t entry;
};

static void accepting_free(struct accepting *a)
{
	a->pins->accepting = false;
	if (a->secret.ptr)
		sodium_memzero(a->secret.ptr, a->secret.cap);
	buf_free(&a->secret);
	buf_free(&a->offered);
	pin_list_clear(&a->list);
	arena_free(&a->names.arena);
	free(a);
}

static void accepting_end(struct accepting *a, uint8_t status, const char *code, const char *text)
{
	people_answer(a->pins->judge, &a->person, status, code, text, a->entry);
	accepting_free(a);
}

/* The log says that it was accepted, and it was not. */
static void accepting_undone(struct accepting *a, const char *why)
{
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	struct fields f = FIELDS_INIT(&arena);
	char text[512];

	fields_text(&f, "server", slice_str(a->pins->server));
	fields_text(&f, "tool", slice_str(a->tool));
	fields_u64(&f, "decision", a->entry);
	fields_text(&f, "why", slice_str(why));
	record_append(a->pins->judge, "pins.undone", &f, (struct slice){ 0 }, false, NULL, NULL);
	text_format(text, sizeof(text), "nothing was accepted: %s", why);
	accepting_end(a, 1, "not_stored", text);
}

#define OTHER_NOW "what was accepted of the tool is another now"

/* Approvals that were given for the tool as it was are no good any more. */
static void record_withdrawn(struct accepting *a, const struct json *rows)
{
	for (uint32_t i = 0; i < rows->count; i++) {
		cleanup_arena struct arena arena = ARENA_INIT(16384);
		struct fields f = FIELDS_INIT(&arena);

		fields_text(&f, "approval", stored_column(&rows->items[i], 0));
		fields_u64(&f, "decision", a->entry);
		fields_text(&f, "why", SLICE(OTHER_NOW));
		record_append(a->pins->judge, "approval.withdrawn", &f, (struct slice){ 0 }, false, NULL, NULL);
		approval_tell(a->pins->judge, stored_column(&rows->items[i], 0), "withdrawn");
	}
}

static void on_accept_stored(struct judge *judge, void *ctx, const struct json *rows, uint64_t changes, const char *why)
{
	struct accepting *a = ctx;
	struct pins *p = a->pins;

	if (!rows || changes == 0) {
		accepting_undone(a, rows ? "something else is offered by now; look at it again" : why);
		return;
	}
	record_withdrawn(a, rows);
	for (size_t i = 0; i < a->list.count; i++) {
		struct slice tool = slice_str(a->list.list[i].tool);

		if (pin_list_put(&p->accepted, tool, slice_str(a->list.list[i].digest)) < 0)
			pins_forget(p);
		if (pin_is(pin_list_find(&p->offered, tool), a->list.list[i].digest))
			pin_list_drop(&p->offered, tool);
	}
	accepting_end(a, 0, "", a->same_user ? "accepted as the user that an agent's client runs as; the record says so" : "");
	server_on_pins(judge, p->server);
}

/* All or one; the statement looks once more whether this is what is offered. */
static void on_accept_recorded(struct judge *judge, void *ctx, uint64_t entry, const char *why)
{
	cleanup_arena struct arena arena = ARENA_INIT(4096);
	struct accepting *a = ctx;
	const struct json server = json_text(slice_str(a->pins->server)), now = json_u64(&arena, clock_wall_us());
	const struct json uid = json_u64(&arena, a->person.uid), reason = json_text(SLICE(OTHER_NOW));
	const struct json all[] = { server, json_text(buf_slice(&a->offered)), now, uid, reason };
	const struct json one[] = { server, json_text(slice_str(a->tool)), json_text(slice_str(a->digest)), now, uid, reason };
	char text[512];

	a->entry = entry;
	if (!entry) {
		text_format(text, sizeof(text), "nothing was accepted, because the record cannot be written: %s", why);
		accepting_end(a, 1, "not_recorded", text);
	} else if (a->tool[0]) {
		stored_run(judge, STATEMENT_pin_accept, one, sizeof(one) / sizeof(one[0]), on_accept_stored, a);
	} else {
		stored_run(judge, STATEMENT_pin_accept_all, all, sizeof(all) / sizeof(all[0]), on_accept_stored, a);
	}
}

static void on_accept_checked(struct judge *judge, void *ctx, enum person_verdict verdict, uint64_t wait_ms)
{
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	struct fields f = FIELDS_INIT(&arena);
	struct accepting *a = ctx;

	if (verdict != PERSON_OK) {
		people_refuse(judge, &a->person, "accept", slice_str(a->pins->server), verdict, wait_ms);
		accepting_free(a);
		return;
	}
	for (const struct session *s = judge->sessions; s; s = s->next)
		a->same_user = a->same_user || (s->uid == a->person.uid && strcmp(server_name(s->server), a->pins->server) == 0);
	fields_text(&f, "server", slice_str(a->pins->server));
	fields_text(&f, "tool", slice_str(a->tool));
	fields_text(&f, "digest", slice_str(a->digest));
	fields_u64(&f, "tools", a->names.count);
	fields_json(&f, "names", a->names.names);
	fields_u64(&f, "uid", a->person.uid);
	fields_u64(&f, "pid", a->person.pid);
	fields_bool(&f, "same_user", a->same_user);
	record_append(judge, "pins.accepted", &f, (struct slice){ 0 }, true, on_accept_recorded, a);
}

/* One offered row that is to be accepted: into the list, into the text that says what is offered, and what will be recorded of it. */
static int accepting_add(struct accepting *a, struct slice tool, struct slice digest, struct slice before)
{
	struct json pair[] = { json_text(tool), json_text(digest) };
	struct json row = { .type = JSON_ARRAY, .count = 2, .items = pair };
	char what[2 * TOOL_HEX + 16];
	int r = pin_list_put(&a->list, tool, digest);

	if (r == 0)
		r = buf_add_char(&a->offered, a->offered.len ? ',' : '[');
	if (r == 0)
		r = json_write(&a->offered, &row);
	snprintf(what, sizeof(what), "%.*s -> %.*s", SLICE_ARG(before.len ? before : SLICE("nothing")), SLICE_ARG(digest));
	naming_add(&a->names, tool.len ? tool : SLICE("(code)"), what);
	return r;
}

/* Takes what is stored of the server (tool, state, digest; what is accepted comes before what is offered): is it what the person saw? */
static bool accepting_matches(struct accepting *a, const struct json *rows)
{
	struct slice before = { 0 }, of = { 0 };
	unsigned char digest[crypto_hash_sha256_BYTES];
	char hex[TOOL_HEX];

	for (uint32_t i = 0; i < rows->count; i++) {
		struct slice tool = stored_column(&rows->items[i], 0);

		if (a->tool[0] && !slice_eq(tool, slice_str(a->tool)))
			continue;
		if (slice_eq(stored_column(&rows->items[i], 1), SLICE("accepted"))) {
			before = stored_column(&rows->items[i], 2);
			of = tool;
		} else if (accepting_add(a, tool, stored_column(&rows->items[i], 2), slice_eq(of, tool) ? before : (struct slice){ 0 }) < 0) {
			return false;
		}
	}
	if (a->list.count == 0 || buf_add_char(&a->offered, ']') < 0)
		return false;
	if (a->tool[0])
		return pin_is(&a->list.list[0], a->digest);
	crypto_hash_sha256(digest, (const unsigned char *)a->offered.ptr, a->offered.len);
	text_hex(digest, sizeof(digest), hex);
	return memcmp(hex, a->digest, TOOL_HEX) == 0;
}

static void on_accept_looked(struct judge *judge, void *ctx, const struct json *rows, uint64_t changes, const char *why)
{
	struct accepting *a = ctx;

	(void)changes;
	if (!rows)
		accepting_end(a, 1, "not_stored", why);
	else if (!accepting_matches(a, rows))
		accepting_end(a, 2, "not_offered", "this is not what is offered now; look at it again");
	else
		stored_check_person(judge, buf_slice(&a->secret), on_accept_checked, a);
}

void pins_on_accept(struct judge *judge, const struct msg_person_accept *m)
{
	const struct person person = { .request = m->request, .uid = m->uid, .pid = m->pid };
	const struct policy_server *server = judge->policy ? policy_server_find(judge->policy, m->server) : NULL;
	struct pins *p = server ? pins_of(judge, server->name) : NULL;
	struct accepting *a = p && !p->accepting && m->digest.len == TOOL_HEX / 2 ? calloc(1, sizeof(*a)) : NULL;
	struct json name = json_text(m->server);

	if (!server) {
		people_answer(judge, &person, 2, "unknown", "the policy has no such server", 0);
		return;
	}
	if (!a) {
		people_answer(judge, &person, 1, "busy", "somebody is accepting something of this server just now; try again", 0);
		return;
	}
	*a = (struct accepting){ .pins = p, .person = person, .secret = BUF_INIT(256), .offered = BUF_INIT(1024 * 1024) };
	naming_begin(&a->names);
	snprintf(a->tool, sizeof(a->tool), "%.*s", SLICE_ARG(m->tool));
	text_hex(m->digest.ptr, TOOL_HEX / 2, a->digest);
	p->accepting = true;
	if (buf_add_slice(&a->secret, m->secret) < 0)
		accepting_end(a, 1, "failed", "out of memory");
	else
		stored_run(judge, STATEMENT_pin_rows, &name, 1, on_accept_looked, a);
}
