/*
 * The store: what its file refuses whoever asks, the conditions of each step of an approval, who may run what, how it opens what is damaged, newer,
 * locked or foreign, and the person's PIN.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/cleanup.h"
#include "store/database.h"
#include "store/person.h"
#include "store/statements.h"

struct fixture {
	char folder[64], path[96];
	sqlite3 *db;
	struct statements statements;
	/* Of the last run. */
	struct arena arena;
	struct buf rows_bytes;
	struct json rows;
	uint64_t changes;
	char why[STATEMENT_WHY];
};

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	(void)st;
	(void)flag;
	(void)at;
	return remove(path);
}

static void open_fixture(struct fixture *f)
{
	struct database_fault fault;
	const char *name = NULL;

	if (database_open(f->path, &f->db, &fault) < 0)
		fail_msg("%s", fault.text);
	if (statements_prepare(&f->statements, f->db, &name) != SQLITE_OK)
		fail_msg("%s: %s", name, sqlite3_errmsg(f->db));
}

static void close_fixture(struct fixture *f)
{
	statements_finalize(&f->statements);
	database_close(f->db);
	f->db = NULL;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->folder, sizeof(f->folder), "/tmp/bawn-store-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof(f->path), "%s/store.db", f->folder);
	f->arena = ARENA_INIT(64 << 20);
	f->rows_bytes = BUF_INIT(8 << 20);
	open_fixture(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->db)
		close_fixture(f);
	arena_free(&f->arena);
	buf_free(&f->rows_bytes);
	nftw(f->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

/* Runs a statement with values by the letters of the table: t const char *, i long long; T and I the same, a NULL text being null. */
static int run(struct fixture *f, enum statement statement, ...)
{
	const char *letters = statement_rule(statement)->values;
	struct json values[32] = { 0 }, all = { .type = JSON_ARRAY, .count = (uint32_t)strlen(letters), .items = values };
	va_list args;
	int r;

	arena_clear(&f->arena);
	va_start(args, statement);
	for (size_t i = 0; letters[i]; i++) {
		if (letters[i] == 't' || letters[i] == 'T') {
			const char *text = va_arg(args, const char *);

			values[i] = text ? (struct json){ .type = JSON_STRING, .text = slice_str(text) } : (struct json){ .type = JSON_NULL };
		} else {
			char *digits = arena_printf(&f->arena, "%lld", va_arg(args, long long));

			values[i] = (struct json){ .type = JSON_NUMBER, .text = slice_str(digits) };
		}
	}
	va_end(args);
	assert_int_equal(statements_check(statement_rule(statement)->roles & 1U << PROCESS_JUDGE ? PROCESS_JUDGE : PROCESS_CONSOLE, statement, &all), 0);
	buf_clear(&f->rows_bytes);
	assert_int_equal(sqlite3_exec(f->db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	r = statements_run(&f->statements, statement, &all, &f->rows_bytes, &f->changes, f->why);
	assert_int_equal(sqlite3_exec(f->db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	if (r == SQLITE_OK)
		assert_int_equal(json_unpack(&f->arena, buf_slice(&f->rows_bytes), &json_limits_default, &f->rows), 0);
	return r;
}

static void assert_cell(const struct fixture *f, uint32_t row, uint32_t column, const char *text)
{
	assert_true(row < f->rows.count && column < f->rows.items[row].count);
	if (!slice_eq(f->rows.items[row].items[column].text, slice_str(text)))
		fail_msg("row %u, column %u is \"%.*s\", not \"%s\"", row, column, SLICE_ARG(f->rows.items[row].items[column].text), text);
}

static int ask(struct fixture *f, const char *id, const char *subject, const char *agent, long long created, long long expires)
{
	return run(f, STATEMENT_approval_new, id, "digest", subject, agent, 7LL, 1000LL, "files", "move", "pin1", "destructive",
		   "agents.dev.ask[0]:9", "rule1", "{\"to\":\"/x\"}", created, expires, 12LL, "why", 3LL);
}

static void assert_state(struct fixture *f, const char *subject, const char *state)
{
	assert_int_equal(run(f, STATEMENT_approval_find, subject), SQLITE_OK);
	assert_cell(f, 0, 1, state);
}

/* ---- approvals ---- */

static void approval_goes_its_way(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, STATEMENT_approval_find, "s"), SQLITE_OK);
	assert_int_equal(f->rows.count, 0);
	assert_int_equal(ask(f, "a", "s", "dev", 100, 200), SQLITE_OK);
	assert_int_equal(f->changes, 1);
	assert_state(f, "s", "pending");
	assert_int_equal(run(f, STATEMENT_approval_decide, "a", "approved", 150LL, 1000LL, 1LL, (const char *)NULL), SQLITE_OK);
	assert_int_equal(f->changes, 1);
	assert_int_equal(run(f, STATEMENT_approval_consume, "a", "s", "rule1", "pin1", 160LL, 77LL), SQLITE_OK);
	assert_int_equal(f->changes, 1);
	assert_state(f, "s", "consumed");
	/* Not twice. */
	assert_int_equal(run(f, STATEMENT_approval_consume, "a", "s", "rule1", "pin1", 161LL, 78LL), SQLITE_OK);
	assert_int_equal(f->changes, 0);
	/* It all survives. */
	close_fixture(f);
	open_fixture(f);
	assert_int_equal(run(f, STATEMENT_approval_get, "a"), SQLITE_OK);
	assert_cell(f, 0, 17, "consumed");
	assert_cell(f, 0, 12, "{\"to\":\"/x\"}");
	assert_cell(f, 0, 23, "77");
	/* The subject is free again. */
	assert_int_equal(ask(f, "b", "s", "dev", 300, 400), SQLITE_OK);
	assert_state(f, "s", "pending");
}

/* Each condition of the consumption by itself. */
static void consume_checks_everything(void **state)
{
	static const struct {
		const char *id, *subject, *rule, *pin;
		long long now;
	} wrong[] = {
		{ "x", "s", "rule1", "pin1", 160 }, { "a", "x", "rule1", "pin1", 160 }, { "a", "s", "x", "pin1", 160 },
		{ "a", "s", "rule1", "x", 160 },    { "a", "s", "rule1", "pin1", 200 }, { "a", "s", "rule1", "pin1", 201 },
	};
	struct fixture *f = *state;

	ask(f, "a", "s", "dev", 100, 200);
	assert_int_equal(run(f, STATEMENT_approval_consume, "a", "s", "rule1", "pin1", 160LL, 77LL), SQLITE_OK);
	assert_int_equal(f->changes, 0); /* pending */
	run(f, STATEMENT_approval_decide, "a", "approved", 150LL, 0LL, 0LL, (const char *)NULL);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(run(f, STATEMENT_approval_consume, wrong[i].id, wrong[i].subject, wrong[i].rule, wrong[i].pin, wrong[i].now, 77LL),
				 SQLITE_OK);
		assert_int_equal(f->changes, 0);
		assert_state(f, "s", "approved");
	}
	run(f, STATEMENT_approval_consume, "a", "s", "rule1", "pin1", 199LL, 77LL);
	assert_int_equal(f->changes, 1);
}

static void decide_checks_everything(void **state)
{
	struct fixture *f = *state;

	ask(f, "a", "s", "dev", 100, 200);
	assert_int_equal(run(f, STATEMENT_approval_decide, "a", "approved", 200LL, 0LL, 0LL, (const char *)NULL), SQLITE_OK);
	assert_int_equal(f->changes, 0); /* too late */
	assert_int_equal(run(f, STATEMENT_approval_decide, "a", "consumed", 150LL, 0LL, 0LL, (const char *)NULL), SQLITE_OK);
	assert_int_equal(f->changes, 0); /* no such decision */
	assert_int_equal(run(f, STATEMENT_approval_decide, "a", "rejected", 150LL, 0LL, 0LL, "no"), SQLITE_OK);
	assert_int_equal(f->changes, 1);
	assert_int_equal(run(f, STATEMENT_approval_decide, "a", "approved", 151LL, 0LL, 0LL, (const char *)NULL), SQLITE_OK);
	assert_int_equal(f->changes, 0); /* decided */
	assert_int_equal(run(f, STATEMENT_approval_find, "s"), SQLITE_OK);
	assert_cell(f, 0, 4, "no");
}

static void one_live_record_of_a_subject(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, "a", "s", "dev", 100, 200), SQLITE_OK);
	assert_int_not_equal(ask(f, "b", "s", "dev", 101, 201), SQLITE_OK);
	assert_int_not_equal(ask(f, "a", "t", "dev", 101, 201), SQLITE_OK); /* an id is one record's */
	assert_true(f->why[0]);
}

static void pending_ones_of_an_agent_are_few(void **state)
{
	struct fixture *f = *state;

	ask(f, "a", "s1", "dev", 100, 200);
	ask(f, "b", "s2", "dev", 100, 200);
	ask(f, "c", "s3", "dev", 100, 200);
	assert_int_equal(ask(f, "d", "s4", "dev", 100, 200), SQLITE_OK);
	assert_int_equal(f->changes, 0);
	assert_int_equal(ask(f, "e", "s4", "other", 100, 200), SQLITE_OK);
	assert_int_equal(f->changes, 1);
	run(f, STATEMENT_approval_decide, "a", "rejected", 150LL, 0LL, 0LL, "no");
	ask(f, "f", "s5", "dev", 100, 200);
	assert_int_equal(f->changes, 1);
}

static void expiry_and_withdrawal(void **state)
{
	struct fixture *f = *state;

	ask(f, "a", "s1", "dev", 100, 200);
	ask(f, "b", "s2", "dev", 100, 201);
	run(f, STATEMENT_approval_decide, "b", "approved", 150LL, 0LL, 0LL, (const char *)NULL);
	run(f, STATEMENT_approval_expire, 200LL);
	assert_int_equal(f->rows.count, 1);
	assert_cell(f, 0, 0, "a");
	assert_state(f, "s1", "expired");
	ask(f, "c", "s3", "dev", 100, 200);
	assert_int_equal(run(f, STATEMENT_approval_bases), SQLITE_OK);
	assert_int_equal(f->rows.count, 1);
	assert_cell(f, 0, 0, "dev");
	assert_cell(f, 0, 4, "rule1");
	for (size_t i = 0; i < 5; i++) {
		static const char *const basis[] = { "dev", "files", "move", "destructive", "rule1" };
		const char *other[5];

		memcpy(other, basis, sizeof(other));
		other[i] = "another";
		run(f, STATEMENT_approval_withdraw_base, other[0], other[1], other[2], other[3], other[4], 160LL, "gone");
		assert_int_equal(f->rows.count, 0);
	}
	run(f, STATEMENT_approval_withdraw_base, "dev", "files", "move", "destructive", "rule1", 160LL, "gone");
	assert_int_equal(f->rows.count, 2);
	assert_state(f, "s1", "expired");
	assert_state(f, "s2", "withdrawn");
	assert_state(f, "s3", "withdrawn");
	assert_int_equal(run(f, STATEMENT_approval_bases), SQLITE_OK);
	assert_int_equal(f->rows.count, 0);
	assert_int_equal(run(f, STATEMENT_approval_waiting, "dev"), SQLITE_OK);
	assert_cell(f, 0, 0, "0");
	ask(f, "d", "s4", "dev", 100, 200);
	run(f, STATEMENT_approval_waiting, "dev");
	assert_cell(f, 0, 0, "1");
	assert_cell(f, 0, 1, "11"); /* {"to":"/x"} */
	run(f, STATEMENT_approval_waiting, "ops");
	assert_cell(f, 0, 0, "0");
	run(f, STATEMENT_approval_told, "a");
	assert_int_equal(f->changes, 1);
	run(f, STATEMENT_approval_told, "c");
	assert_int_equal(f->changes, 0); /* not expired */
}

/* A few at a time: each of them can be large. */
static void many_expire_in_turns(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 9; i++) {
		char id[16];

		snprintf(id, sizeof(id), "id%d", i);
		ask(f, id, id, id, 100, 200);
	}
	run(f, STATEMENT_approval_expire, 200LL);
	assert_int_equal(f->rows.count, 8);
	run(f, STATEMENT_approval_expire, 200LL);
	assert_int_equal(f->rows.count, 1);
	run(f, STATEMENT_approval_expire, 200LL);
	assert_int_equal(f->rows.count, 0);
}

/* Whatever statement somebody might add: the file itself says no. */
static void file_refuses_what_must_not_be(void **state)
{
	static const char *const wrong[] = {
		"UPDATE approvals SET state = 'consumed' WHERE id = 'a'",
		"UPDATE approvals SET state = 'pending' WHERE id = 'r'",
		"UPDATE approvals SET state = 'approved' WHERE id = 'r'",
		"UPDATE approvals SET state = 'other' WHERE id = 'a'",
		"UPDATE approvals SET arguments = '{}' WHERE id = 'a'",
		"UPDATE approvals SET expires = 9999 WHERE id = 'a'",
		"UPDATE approvals SET subject = 'x' WHERE id = 'a'",
		"UPDATE approvals SET pin = 'x', rule_digest = 'y' WHERE id = 'a'",
		"DELETE FROM approvals WHERE id = 'r'",
		("INSERT INTO approvals SELECT 'n', digest, 'n', agent, session, uid, server, tool, pin, effect, rule, rule_digest, arguments, created,"
		" expires, asked, why, 'approved', NULL, NULL, NULL, NULL, NULL, NULL, 0 FROM approvals WHERE id = 'a'"),
		"INSERT INTO person VALUES (2, 'x', 0, 0, 0, 0)",
		"INSERT INTO pins VALUES ('s', 't', 'other', 'd', '{}', NULL, 0, NULL)",
	};
	struct fixture *f = *state;

	ask(f, "a", "s1", "dev", 100, 200);
	ask(f, "r", "s2", "dev", 100, 200);
	run(f, STATEMENT_approval_decide, "r", "rejected", 150LL, 0LL, 0LL, "no");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (sqlite3_exec(f->db, wrong[i], NULL, NULL, NULL) != SQLITE_CONSTRAINT && (sqlite3_extended_errcode(f->db) & 0xff) != SQLITE_CONSTRAINT)
			fail_msg("done: %s", wrong[i]);
}

static void lists_page(void **state)
{
	struct fixture *f = *state;

	ask(f, "a", "s1", "dev", 100, 200);
	ask(f, "b", "s2", "dev", 100, 200);
	ask(f, "c", "s3", "dev", 100, 200);
	run(f, STATEMENT_approval_decide, "b", "rejected", 150LL, 0LL, 0LL, "no");
	run(f, STATEMENT_approval_list_live, 0LL, 10LL);
	assert_int_equal(f->rows.count, 2);
	run(f, STATEMENT_approval_list, 0LL, 2LL);
	assert_int_equal(f->rows.count, 2);
	assert_cell(f, 0, 1, "c");
	run(f, STATEMENT_approval_list, 2LL, 2LL);
	assert_int_equal(f->rows.count, 1);
	assert_cell(f, 0, 1, "a");
	run(f, STATEMENT_approval_counts);
	assert_cell(f, 0, 0, "2");
}

/* ---- pins ---- */

static void pins_are_accepted_as_shown(void **state)
{
	struct fixture *f = *state;

	run(f, STATEMENT_pin_put, "files", "move", "accepted", "d1", "{}", (const char *)NULL, 100LL, 0LL);
	run(f, STATEMENT_pin_put, "files", "move", "offered", "d2", "{\"x\":1}", "changed", 110LL, 0LL);
	run(f, STATEMENT_pin_accept, "files", "move", "d3", 120LL, 1000LL, "other");
	assert_int_equal(f->changes, 0);
	run(f, STATEMENT_pin_accepted, "files");
	assert_cell(f, 0, 1, "d1");
	run(f, STATEMENT_pin_accept, "files", "move", "d2", 120LL, 1000LL, "other");
	run(f, STATEMENT_pin_accepted, "files");
	assert_int_equal(f->rows.count, 1);
	assert_cell(f, 0, 1, "d2");
	run(f, STATEMENT_pin_offered, "files");
	assert_int_equal(f->rows.count, 0);
	run(f, STATEMENT_pin_get, "files", "move", "accepted");
	assert_cell(f, 0, 4, "{\"x\":1}");
	run(f, STATEMENT_pin_put, "a", "", "accepted", "d", "{}", (const char *)NULL, 100LL, 0LL);
	run(f, STATEMENT_pin_list, "", "", "", "", 1LL);
	assert_cell(f, 0, 0, "a");
	run(f, STATEMENT_pin_list, "", "a", "", "accepted", 10LL);
	assert_int_equal(f->rows.count, 1);
	assert_cell(f, 0, 0, "files");
	run(f, STATEMENT_pin_forget, "files", "move", "accepted");
	run(f, STATEMENT_pin_list, "files", "", "", "", 10LL);
	assert_int_equal(f->rows.count, 0);
}

static int new_for(struct fixture *f, const char *id, const char *server, const char *tool)
{
	return run(f, STATEMENT_approval_new, id, "digest", id, "dev", 7LL, 1000LL, server, tool, "pin1", "destructive", "agents.dev.ask[0]:9", "rule1",
		   "{}", 10LL, 1000LL, 12LL, "why", 10LL);
}

/* An approval of each of two tools of a server, and of another server, lives; the definition of one tool is accepted, then all that is offered. */
static void accepting_withdraws_what_was_approved_before(void **state)
{
	struct fixture *f = *state;
	static const char *const offered = "[[\"\",\"c2\"],[\"copy\",\"d4\"]]";

	assert_int_equal(new_for(f, "a1", "files", "move"), SQLITE_OK);
	assert_int_equal(new_for(f, "a2", "files", "copy"), SQLITE_OK);
	assert_int_equal(new_for(f, "a3", "mail", "move"), SQLITE_OK);
	run(f, STATEMENT_pin_put, "files", "move", "offered", "d2", "{}", "changed", 110LL, 0LL);
	run(f, STATEMENT_pin_accept, "files", "move", "d3", 120LL, 1000LL, "other");
	assert_int_equal(f->rows.count, 0);
	run(f, STATEMENT_pin_accept, "files", "move", "d2", 120LL, 1000LL, "other");
	assert_int_equal(f->rows.count, 1);
	assert_cell(f, 0, 0, "a1");
	/* New code: every tool of that server is another one. */
	run(f, STATEMENT_pin_put, "files", "", "offered", "c2", "{}", "code", 130LL, 0LL);
	run(f, STATEMENT_pin_put, "files", "copy", "offered", "d4", "{}", "changed", 130LL, 0LL);
	run(f, STATEMENT_pin_put, "mail", "copy", "offered", "d4", "{}", "changed", 130LL, 0LL);
	run(f, STATEMENT_pin_accept_all, "files", "[[\"\",\"c1\"],[\"copy\",\"d4\"]]", 140LL, 1000LL, "other");
	assert_int_equal(f->changes, 0);
	run(f, STATEMENT_pin_accept_all, "files", "[[\"copy\",\"d4\"]]", 140LL, 1000LL, "other");
	assert_int_equal(f->changes, 0);
	run(f, STATEMENT_pin_accept_all, "files", offered, 140LL, 1000LL, "other");
	assert_int_equal(f->rows.count, 1);
	assert_cell(f, 0, 0, "a2");
	run(f, STATEMENT_pin_accepted, "files");
	assert_int_equal(f->rows.count, 3);
	assert_cell(f, 0, 1, "c2");
	assert_cell(f, 1, 1, "d4");
	run(f, STATEMENT_pin_offered, "files");
	assert_int_equal(f->rows.count, 0);
	run(f, STATEMENT_pin_offered, "mail");
	assert_int_equal(f->rows.count, 1);
	run(f, STATEMENT_approval_get, "a3");
	assert_cell(f, 0, 17, "pending");
}

/* ---- who may run what ---- */

static int check(enum process peer, uint32_t statement, enum json_type type, const char *text, uint32_t count)
{
	struct json values[32], all = { .type = JSON_ARRAY, .count = count, .items = values };

	for (uint32_t i = 0; i < count; i++)
		values[i] = (struct json){ .type = type, .text = slice_str(text) };
	return statements_check(peer, statement, &all);
}

static void roles_and_types_are_kept(void **state)
{
	struct json object = { .type = JSON_OBJECT };

	(void)state;
	assert_int_equal(check(PROCESS_JUDGE, STATEMENT_approval_find, JSON_STRING, "s", 1), 0);
	assert_int_equal(check(PROCESS_CONSOLE, STATEMENT_approval_find, JSON_STRING, "s", 1), -EPROTO);
	assert_int_equal(check(PROCESS_CONSOLE, STATEMENT_approval_get, JSON_STRING, "s", 1), 0);
	assert_int_equal(check(PROCESS_CLI, STATEMENT_approval_get, JSON_STRING, "s", 1), -EPROTO);
	assert_int_equal(check(PROCESS_JUDGE, STATEMENT_approval_find, JSON_STRING, "s", 0), -EPROTO);
	assert_int_equal(check(PROCESS_JUDGE, STATEMENT_approval_find, JSON_STRING, "s", 2), -EPROTO);
	assert_int_equal(check(PROCESS_JUDGE, STATEMENT_approval_find, JSON_NUMBER, "1", 1), -EPROTO);
	assert_int_equal(check(PROCESS_JUDGE, STATEMENT_approval_find, JSON_NULL, "", 1), -EPROTO);
	assert_int_equal(check(PROCESS_JUDGE, STATEMENT_approval_expire, JSON_NUMBER, "1", 1), 0);
	assert_int_equal(check(PROCESS_JUDGE, STATEMENT_approval_expire, JSON_NUMBER, "1.5", 1), -EPROTO);
	assert_int_equal(check(PROCESS_JUDGE, STATEMENT_approval_expire, JSON_NUMBER, "99999999999999999999", 1), -EPROTO);
	assert_int_equal(check(PROCESS_JUDGE, STATEMENT_COUNT, JSON_STRING, "s", 1), -EPROTO);
	assert_int_equal(check(PROCESS_JUDGE, UINT32_MAX, JSON_STRING, "s", 1), -EPROTO);
	assert_int_equal(statements_check(PROCESS_JUDGE, STATEMENT_approval_counts, &object), -EPROTO);
	/* The console never changes anything. */
	for (int i = 0; i < STATEMENT_COUNT; i++)
		if (statement_rule((enum statement)i)->roles & 1U << PROCESS_CONSOLE) {
			struct fixture *f = *state;

			for (size_t k = 0; k < STATEMENT_PARTS_MAX && f->statements.part[i][k]; k++)
				assert_true(sqlite3_stmt_readonly(f->statements.part[i][k]));
		}
}

/* A statement that fails undoes itself and nothing else. */
static void failure_is_alone(void **state)
{
	struct fixture *f = *state;
	struct json values[1] = { { .type = JSON_STRING, .text = SLICE("a") } }, one = { .type = JSON_ARRAY, .count = 1, .items = values };

	ask(f, "a", "s", "dev", 100, 200);
	assert_int_not_equal(ask(f, "a", "t", "dev", 100, 200), SQLITE_OK);
	assert_non_null(strstr(f->why, "UNIQUE"));
	assert_int_equal(statements_check(PROCESS_JUDGE, STATEMENT_approval_find, &one), 0);
	assert_state(f, "s", "pending");
}

/* ---- opening ---- */

static void overwrite(const char *path, off_t at, const void *bytes, size_t len)
{
	cleanup_fd int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, at), (ssize_t)len);
}

static void assert_refused(struct fixture *f, const char *part, bool lasting)
{
	struct database_fault fault = { 0 };
	sqlite3 *db = NULL;

	assert_int_equal(database_open(f->path, &db, &fault), -1);
	assert_null(db);
	if (!strstr(fault.text, part))
		fail_msg("\"%s\" does not say \"%s\"", fault.text, part);
	assert_int_equal(fault.lasting, lasting);
}

static void damaged_files_are_refused(void **state)
{
	struct fixture *f = *state;
	char junk[4096];

	for (int i = 0; i < 200; i++) {
		char id[16], subject[16];

		snprintf(id, sizeof(id), "id%d", i);
		snprintf(subject, sizeof(subject), "s%d", i);
		ask(f, id, subject, id, 100, 200);
	}
	close_fixture(f);
	memset(junk, 0x5a, sizeof(junk));
	overwrite(f->path, 4096L * 3, junk, sizeof(junk));
	assert_refused(f, "damaged", true);
	overwrite(f->path, 0, junk, 100);
	assert_refused(f, "damaged", true);
}

static void newer_and_foreign_files_are_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(sqlite3_exec(f->db, "PRAGMA user_version = 2", NULL, NULL, NULL), SQLITE_OK);
	close_fixture(f);
	assert_refused(f, "newer", true);
	unlink(f->path);
	assert_int_equal(sqlite3_open(f->path, &f->db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(f->db, "CREATE TABLE other (x)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(f->db);
	f->db = NULL;
	assert_refused(f, "not one of Bawn's", true);
}

static void locked_file_is_refused(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		struct database_fault fault = { 0 };
		sqlite3 *db = NULL;

		_exit(database_open(f->path, &db, &fault) == -1 && fault.lasting && strstr(fault.text, "in use") ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Killed in the middle of many commits: what was acknowledged is there. */
static void killed_writer_loses_nothing(void **state)
{
	struct fixture *f = *state;
	char last = 0;
	int told[2], status;
	pid_t child;

	close_fixture(f);
	for (int round = 0; round < 10; round++) {
		assert_int_equal(pipe(told), 0);
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			open_fixture(f);
			for (char i = 0; i < 20; i++) {
				char id[16];

				snprintf(id, sizeof(id), "%d-%d", round, i);
				if (ask(f, id, id, id, 100, 200) == SQLITE_OK && write(told[1], &i, 1) != 1)
					_exit(1);
			}
			pause();
		}
		close(told[1]);
		while (last < 3 + round && read(told[0], &last, 1) == 1)
			;
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		while (read(told[0], &last, 1) == 1)
			; /* what it said before it died */
		close(told[0]);
		open_fixture(f);
		for (char i = 0; i <= last; i++) {
			char id[16];

			snprintf(id, sizeof(id), "%d-%d", round, i);
			assert_state(f, id, "pending");
		}
		close_fixture(f);
		last = 0;
	}
}

/* ---- the PIN ---- */

struct desk {
	struct event_base *loop;
	struct person *person;
	enum person_verdict verdict;
	uint64_t wait_ms;
	unsigned answers;
};

static int nothing_open(void *ctx)
{
	(void)ctx;
	return SQLITE_OK;
}

static void on_answer(void *ctx, uint64_t request, enum person_verdict verdict, uint64_t wait_ms)
{
	struct desk *d = ctx;

	(void)request;
	d->verdict = verdict;
	d->wait_ms = wait_ms;
	d->answers++;
}

static void open_desk(struct desk *d, struct fixture *f)
{
	struct person_options options = { .db = f->db, .before_write = nothing_open, .answer = on_answer, .ctx = d };

	memset(d, 0, sizeof(*d));
	d->loop = options.loop = event_base_new();
	d->person = person_new(&options);
	assert_non_null(d->person);
}

static void close_desk(struct desk *d)
{
	person_free(d->person);
	event_base_free(d->loop);
}

static enum person_verdict answered(struct desk *d, unsigned so_far)
{
	while (d->answers == so_far)
		event_base_loop(d->loop, EVLOOP_ONCE);
	return d->verdict;
}

static enum person_verdict say(struct desk *d, const char *secret)
{
	unsigned so_far = d->answers;

	person_check(d->person, 1, slice_str(secret));
	return answered(d, so_far);
}

static enum person_verdict change(struct desk *d, const char *old, const char *secret)
{
	unsigned so_far = d->answers;

	person_set(d->person, 1, 1000, slice_str(old), slice_str(secret));
	return answered(d, so_far);
}

static void pin_is_set_and_checked(void **state)
{
	struct fixture *f = *state;
	struct desk d;

	open_desk(&d, f);
	assert_int_equal(say(&d, "whatever"), PERSON_UNSET);
	assert_int_equal(change(&d, "old", "geheim9"), PERSON_UNSET);
	assert_int_equal(change(&d, "", "111111"), PERSON_WEAK);
	assert_int_equal(change(&d, "", "geheim9"), PERSON_OK);
	assert_int_equal(say(&d, "geheim9"), PERSON_OK);
	assert_int_equal(say(&d, "geheim"), PERSON_WRONG);
	assert_int_equal(say(&d, ""), PERSON_WRONG);
	assert_int_equal(change(&d, "", "another1"), PERSON_WRONG);
	assert_int_equal(change(&d, "geheim9", "another1"), PERSON_OK);
	assert_int_equal(say(&d, "geheim9"), PERSON_WRONG);
	assert_int_equal(say(&d, "another1"), PERSON_OK);
	run(f, STATEMENT_person_state);
	assert_cell(f, 0, 1, "1000");
	assert_cell(f, 0, 2, "0");
	close_desk(&d);
}

/* The try is on the disk before anybody knows whether it was right. */
static void tries_are_counted_first_and_locked(void **state)
{
	struct fixture *f = *state;
	struct desk d;

	open_desk(&d, f);
	assert_int_equal(change(&d, "", "geheim9"), PERSON_OK);
	person_check(d.person, 1, SLICE("geheim9"));
	run(f, STATEMENT_person_state);
	assert_cell(f, 0, 2, "1");
	assert_int_equal(answered(&d, 1), PERSON_OK);
	run(f, STATEMENT_person_state);
	assert_cell(f, 0, 2, "0");
	for (int i = 0; i < PERSON_TRIES - 1; i++) {
		assert_int_equal(say(&d, "wrong"), PERSON_WRONG);
		assert_int_equal(d.wait_ms, 0);
	}
	assert_int_equal(say(&d, "wrong"), PERSON_WRONG);
	assert_true(d.wait_ms > 0 && d.wait_ms <= PERSON_LOCK_FIRST_S * 1000);
	/* Not even the right one, also for another process, also when it is to be changed. */
	assert_int_equal(say(&d, "geheim9"), PERSON_LOCKED);
	close_desk(&d);
	close_fixture(f);
	open_fixture(f);
	open_desk(&d, f);
	assert_int_equal(say(&d, "geheim9"), PERSON_LOCKED);
	assert_int_equal(change(&d, "geheim9", "another1"), PERSON_LOCKED);
	/* Over, and one more wrong one locks it for longer; a right one ends it. */
	assert_int_equal(sqlite3_exec(f->db, "UPDATE person SET locked_until = 1", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(say(&d, "wrong"), PERSON_WRONG);
	assert_true(d.wait_ms > PERSON_LOCK_FIRST_S * 1000);
	assert_int_equal(sqlite3_exec(f->db, "UPDATE person SET locked_until = 1", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(say(&d, "geheim9"), PERSON_OK);
	run(f, STATEMENT_person_state);
	assert_cell(f, 0, 2, "0");
	assert_cell(f, 0, 3, "0");
	close_desk(&d);
}

/* All at once: each is answered, in order, and no more are kept than there is room for. */
static void many_at_once(void **state)
{
	struct fixture *f = *state;
	struct desk d;

	open_desk(&d, f);
	assert_int_equal(change(&d, "", "geheim9"), PERSON_OK);
	for (int i = 0; i < PERSON_WAITING_MAX + 3; i++)
		person_check(d.person, 1, SLICE("geheim9"));
	assert_int_equal(d.answers, 1 + 3);
	assert_int_equal(d.verdict, PERSON_FAILED);
	while (d.answers < 1 + 3 + PERSON_WAITING_MAX)
		answered(&d, d.answers);
	assert_int_equal(d.verdict, PERSON_OK);
	/* Given up in the middle. */
	person_check(d.person, 1, SLICE("geheim9"));
	close_desk(&d);
}

/* The judge that asked is gone: the next one counts its questions anew and must not get these answers. */
static void nobody_hears_what_was_forgotten(void **state)
{
	struct fixture *f = *state;
	struct desk d;

	open_desk(&d, f);
	assert_int_equal(change(&d, "", "geheim9"), PERSON_OK);
	person_check(d.person, 1, SLICE("wrong"));
	person_check(d.person, 2, SLICE("wrong"));
	person_set(d.person, 3, 0, SLICE("geheim9"), SLICE("another7"));
	person_forget(d.person);
	assert_int_equal(say(&d, "geheim9"), PERSON_OK);
	assert_int_equal(d.answers, 2);
	/* With nothing under way it does nothing. */
	person_forget(d.person);
	assert_int_equal(say(&d, "geheim9"), PERSON_OK);
	/* What was begun has been counted all the same; what was not, has not. */
	person_check(d.person, 1, SLICE("wrong"));
	person_check(d.person, 2, SLICE("wrong"));
	person_forget(d.person);
	run(f, STATEMENT_person_state);
	assert_cell(f, 0, 2, "1");
	close_desk(&d);
}

static void weak_pins(void **state)
{
	static const char *const weak[] = { "", "12345", "abcde", "123456", "987654", "111111", "121212", "abcdef", "\xff\xff\xff\xff\xff\xff\xff" };
	static const char *const fine[] = { "135790", "geheim9", "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xc3\xa9\xc3\xa8" };

	(void)state;
	for (size_t i = 0; i < sizeof(weak) / sizeof(weak[0]); i++)
		if (!person_is_weak(slice_str(weak[i])))
			fail_msg("\"%s\" would do", weak[i]);
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		if (person_is_weak(slice_str(fine[i])))
			fail_msg("\"%s\" would not do", fine[i]);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(approval_goes_its_way),
		WITH(consume_checks_everything),
		WITH(decide_checks_everything),
		WITH(one_live_record_of_a_subject),
		WITH(pending_ones_of_an_agent_are_few),
		WITH(expiry_and_withdrawal),
		WITH(many_expire_in_turns),
		WITH(file_refuses_what_must_not_be),
		WITH(lists_page),
		WITH(pins_are_accepted_as_shown),
		WITH(accepting_withdraws_what_was_approved_before),
		WITH(roles_and_types_are_kept),
		WITH(failure_is_alone),
		WITH(damaged_files_are_refused),
		WITH(newer_and_foreign_files_are_refused),
		WITH(locked_file_is_refused),
		WITH(killed_writer_loses_nothing),
		WITH(pin_is_set_and_checked),
		WITH(tries_are_counted_first_and_locked),
		WITH(many_at_once),
		WITH(nobody_hears_what_was_forgotten),
		cmocka_unit_test(weak_pins),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
