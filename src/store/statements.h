/* The statements of ipc/statements.tbl.h, prepared once. */
#pragma once

#include <sqlite3.h>

#include "ipc/statements.h"
#include "parse/json.h"

enum { STATEMENT_PARTS_MAX = 3, STATEMENT_WHY = 257 };

struct statements {
	sqlite3 *db;
	sqlite3_stmt *part[STATEMENT_COUNT][STATEMENT_PARTS_MAX]; /* in order; NULL after the last */
};

/* Prepares all of them, and holds them against what the table says of their values and columns. 0, or an SQLite code with the statement's name in *ret_name. */
int statements_prepare(struct statements *statements, sqlite3 *db, const char **ret_name);
void statements_finalize(struct statements *statements);

/* May this peer run it with these values? A wrong one is a violation by the peer: -EPROTO. */
int statements_check(enum process peer, uint32_t statement, const struct json *values);

/*
 * Runs one that was checked, inside the caller's transaction: all of its parts, or none. SQLITE_OK with its rows appended to `rows`, packed, and
 * the count of changed rows; else an SQLite code with a printable line in `why`. SQLITE_TOOBIG: more rows than fit.
 */
int statements_run(struct statements *statements, enum statement statement, const struct json *values, struct buf *rows, uint64_t *ret_changes,
		   char why[STATEMENT_WHY]);
