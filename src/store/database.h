/*
 * The store's file: opened, brought to this version's schema, closed. SQLite (https://www.sqlite.org) in WAL mode, every commit synced
 * (synchronous=FULL), locked for this process alone (locking_mode=EXCLUSIVE).
 */
#pragma once

#include <stdbool.h>
#include <sqlite3.h>

enum { DATABASE_VERSION = 1 }; /* of the schema; in the file as PRAGMA user_version */

/* Why it could not be opened. */
struct database_fault {
	bool lasting; /* a restart would not help: damaged, newer, no store at all */
	bool in_use;  /* it is lasting for that alone that another one has it open */
	char text[480];
};

/*
 * Opens `path` (relative to the working folder), making it when it is missing, checks it whole, and brings an older schema forward. 0 with
 * *ret_db (caller: database_close), or -1 with the fault.
 */
int database_open(const char *path, sqlite3 **ret_db, struct database_fault *ret_fault);

/* Puts what is in the log back into the file. NULL is fine. */
void database_close(sqlite3 *db);

/* What an error means for the caller of one statement: one printable line. */
const char *database_why(sqlite3 *db, int code);

/* The file's content is not what was written: nothing more may be believed of it. */
bool database_is_damaged(int code);
