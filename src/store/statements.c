#include "store/statements.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "store/database.h"

enum { ROWS_ARENA_MAX = 64 * 1024 * 1024 };

static const char *const texts[STATEMENT_COUNT] = {
#define STATEMENT(name, roles, values, columns, sql) [STATEMENT_##name] = sql,
#include "ipc/statements.tbl.h"
#undef STATEMENT
};

/* No part wants a value that the table does not name, and the last one has the columns that it names. */
static bool matches_table(const struct statements *s, enum statement statement)
{
	const struct statement_rule *rule = statement_rule(statement);
	int columns = 0;

	for (size_t i = 0; i < STATEMENT_PARTS_MAX && s->part[statement][i]; i++) {
		if ((size_t)sqlite3_bind_parameter_count(s->part[statement][i]) > strlen(rule->values))
			return false;
		columns = sqlite3_column_count(s->part[statement][i]);
	}
	return (size_t)columns == strlen(rule->columns);
}

static int prepare(struct statements *s, enum statement statement)
{
	const char *sql = texts[statement];
	int r = SQLITE_OK;

	for (size_t i = 0; r == SQLITE_OK && sql[0] && i < STATEMENT_PARTS_MAX; i++)
		r = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->part[statement][i], &sql);
	if (r == SQLITE_OK && (sql[0] || !matches_table(s, statement)))
		r = SQLITE_MISUSE;
	return r;
}

int statements_prepare(struct statements *s, sqlite3 *db, const char **ret_name)
{
	int r = SQLITE_OK;

	memset(s, 0, sizeof(*s));
	s->db = db;
	for (int i = 0; r == SQLITE_OK && i < STATEMENT_COUNT; i++) {
		*ret_name = statement_rule((enum statement)i)->name;
		r = prepare(s, (enum statement)i);
	}
	if (r != SQLITE_OK)
		statements_finalize(s);
	return r;
}

void statements_finalize(struct statements *s)
{
	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		for (size_t k = 0; k < STATEMENT_PARTS_MAX; k++) {
			sqlite3_finalize(s->part[i][k]);
			s->part[i][k] = NULL;
		}
}

static bool fits(char letter, const struct json *value)
{
	int64_t n;

	switch (letter) {
	case 'T':
		return value->type == JSON_NULL || value->type == JSON_STRING;
	case 't':
		return value->type == JSON_STRING;
	case 'I':
		return value->type == JSON_NULL || (value->type == JSON_NUMBER && json_int64(value, &n) == 0);
	case 'i':
		return value->type == JSON_NUMBER && json_int64(value, &n) == 0;
	default:
		return false;
	}
}

int statements_check(enum process peer, uint32_t statement, const struct json *values)
{
	const struct statement_rule *rule;

	if (statement >= STATEMENT_COUNT)
		return -EPROTO;
	rule = statement_rule((enum statement)statement);
	if (!(rule->roles & 1U << peer) || values->type != JSON_ARRAY || values->count != strlen(rule->values))
		return -EPROTO;
	for (uint32_t i = 0; i < values->count; i++)
		if (!fits(rule->values[i], &values->items[i]))
			return -EPROTO;
	return 0;
}

/* Texts are borrowed: they outlive the run. */
static int bind(sqlite3_stmt *part, const struct json *values)
{
	int count = sqlite3_bind_parameter_count(part), r = SQLITE_OK;

	for (int i = 0; r == SQLITE_OK && i < count; i++) {
		const struct json *v = &values->items[i];
		int64_t n = 0;

		if (v->type == JSON_STRING) {
			r = sqlite3_bind_text64(part, i + 1, v->text.ptr ? v->text.ptr : "", v->text.len, SQLITE_STATIC, SQLITE_UTF8);
		} else if (v->type == JSON_NUMBER) {
			json_int64(v, &n);
			r = sqlite3_bind_int64(part, i + 1, n);
		} else {
			r = sqlite3_bind_null(part, i + 1);
		}
	}
	return r;
}

static bool read_column(struct arena *arena, sqlite3_stmt *part, int column, struct json *ret_value)
{
	struct slice text;

	switch (sqlite3_column_type(part, column)) {
	case SQLITE_NULL:
		*ret_value = (struct json){ .type = JSON_NULL };
		return true;
	case SQLITE_INTEGER: {
		char *digits = arena_printf(arena, "%lld", (long long)sqlite3_column_int64(part, column));

		*ret_value = (struct json){ .type = JSON_NUMBER, .text = digits ? slice_str(digits) : (struct slice){ 0 } };
		return digits;
	}
	default:
		text.ptr = (const char *)sqlite3_column_text(part, column);
		text.len = (size_t)sqlite3_column_bytes(part, column);
		*ret_value = (struct json){ .type = JSON_STRING, .text = arena_copy(arena, text) };
		return ret_value->text.ptr;
	}
}

/* Rows as they come, in an array that doubles. */
struct rows {
	struct arena arena;
	struct json all;
	uint32_t room;
};

static int add_row(struct rows *rows, sqlite3_stmt *part)
{
	int columns = sqlite3_column_count(part);
	struct json row = { .type = JSON_ARRAY, .count = (uint32_t)columns, .items = arena_array(&rows->arena, (size_t)columns, sizeof(row)) };

	if (rows->all.count == rows->room) {
		uint32_t room = rows->room ? rows->room * 2 : 8;
		struct json *items = arena_array(&rows->arena, room, sizeof(*items));

		if (!items)
			return SQLITE_TOOBIG;
		if (rows->all.count)
			memcpy(items, rows->all.items, rows->all.count * sizeof(*items));
		rows->all.items = items;
		rows->room = room;
	}
	if (!row.items)
		return SQLITE_TOOBIG;
	for (int i = 0; i < columns; i++)
		if (!read_column(&rows->arena, part, i, &row.items[i]))
			return SQLITE_TOOBIG;
	rows->all.items[rows->all.count++] = row;
	return SQLITE_ROW;
}

static int run_part(sqlite3_stmt *part, const struct json *values, struct rows *rows)
{
	int r = bind(part, values);

	rows->all.count = 0;
	while (r == SQLITE_OK || r == SQLITE_ROW) {
		r = sqlite3_step(part);
		if (r == SQLITE_ROW)
			r = add_row(rows, part);
	}
	sqlite3_reset(part);
	sqlite3_clear_bindings(part);
	return r == SQLITE_DONE ? SQLITE_OK : r;
}

int statements_run(struct statements *s, enum statement statement, const struct json *values, struct buf *out, uint64_t *ret_changes,
		   char why[STATEMENT_WHY])
{
	struct rows rows = { .arena = ARENA_INIT(ROWS_ARENA_MAX), .all = { .type = JSON_ARRAY } };
	sqlite3_int64 before = sqlite3_total_changes64(s->db);
	int r = sqlite3_exec(s->db, "SAVEPOINT one", NULL, NULL, NULL);

	for (size_t i = 0; r == SQLITE_OK && i < STATEMENT_PARTS_MAX && s->part[statement][i]; i++)
		r = run_part(s->part[statement][i], values, &rows);
	if (r == SQLITE_OK && json_pack(out, &rows.all) < 0)
		r = SQLITE_TOOBIG;
	*ret_changes = (uint64_t)(sqlite3_total_changes64(s->db) - before);
	arena_free(&rows.arena);
	/* Rolling back forgets the message. */
	if (r != SQLITE_OK)
		text_format(why, STATEMENT_WHY, "%s", r == SQLITE_TOOBIG ? "the answer is too large" : database_why(s->db, r));
	/* After some failures SQLite has rolled the whole transaction back by itself; the caller sees that at its commit. */
	if (r != SQLITE_OK && !sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK TO one", NULL, NULL, NULL);
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "RELEASE one", NULL, NULL, NULL);
	return r;
}
