#include "store/database.h"

#include <string.h>

#include "base/text.h"
#include "store/schema.h"

enum {
	APPLICATION_ID = 0x4261776e, /* "Bawn" */
	BUSY_MS = 5000,              /* the store of a family that was killed a moment ago may still be locked */
};

static int fail(struct database_fault *fault, bool lasting, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int fail(struct database_fault *fault, bool lasting, const char *format, ...)
{
	va_list args;

	fault->lasting = lasting;
	fault->in_use = false;
	va_start(args, format);
	text_vformat(fault->text, sizeof(fault->text), format, args);
	va_end(args);
	return -1;
}

bool database_is_damaged(int code)
{
	return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
}

const char *database_why(sqlite3 *db, int code)
{
	switch (code & 0xff) {
	case SQLITE_FULL:
		return "no space is left on the disk";
	case SQLITE_CONSTRAINT:
		return sqlite3_errmsg(db);
	case SQLITE_NOMEM:
		return "out of memory";
	case SQLITE_TOOBIG:
		return "a value is too large";
	case SQLITE_READONLY:
		return "the store cannot be written";
	default:
		return database_is_damaged(code) ? "the store is damaged" : sqlite3_errstr(code);
	}
}

static int open_fault(struct database_fault *fault, sqlite3 *db, int code)
{
	if (database_is_damaged(code))
		return fail(fault, true, "the store is damaged: %s (`bawn restore` puts a backup in its place; the record is not touched by that)",
			    sqlite3_errmsg(db));
	if ((code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED) {
		fail(fault, true, "the store is in use by another family (started with another XDG_RUNTIME_DIR?)");
		fault->in_use = true;
		return -1;
	}
	return fail(fault, false, "the store cannot be opened: %s", db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
}

/* One number that the database answers. */
static int ask_number(sqlite3 *db, const char *sql, int *ret_n)
{
	sqlite3_stmt *s = NULL;
	int r = sqlite3_prepare_v2(db, sql, -1, &s, NULL);

	if (r == SQLITE_OK)
		r = sqlite3_step(s);
	if (r == SQLITE_ROW)
		*ret_n = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	return r == SQLITE_ROW ? SQLITE_OK : r == SQLITE_DONE ? SQLITE_ERROR : r;
}

/* Before anything else is believed: pages, indexes and constraints are whole. */
static int check_whole(sqlite3 *db, struct database_fault *fault)
{
	sqlite3_stmt *s = NULL;
	int r = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &s, NULL);
	int result = -1;

	if (r == SQLITE_OK)
		r = sqlite3_step(s);
	if (r != SQLITE_ROW)
		open_fault(fault, db, r);
	else if (strcmp((const char *)sqlite3_column_text(s, 0), "ok") != 0)
		fail(fault, true, "the store is damaged: %.300s (`bawn restore` puts a backup in its place; the record is not touched by that)",
		     (const char *)sqlite3_column_text(s, 0));
	else
		result = 0;
	sqlite3_finalize(s);
	return result;
}

/* Forward only, one version after the other, each step whole or not at all. */
static int migrate(sqlite3 *db, struct database_fault *fault)
{
	int version = 0, application = 0, tables = 0;
	int r = ask_number(db, "PRAGMA user_version", &version);

	if (r == SQLITE_OK)
		r = ask_number(db, "PRAGMA application_id", &application);
	if (r == SQLITE_OK)
		r = ask_number(db, "SELECT count(*) FROM sqlite_schema", &tables);
	if (r != SQLITE_OK)
		return open_fault(fault, db, r);
	if (application != APPLICATION_ID && (tables || version))
		return fail(fault, true, "the store's file store.db is not one of Bawn's");
	if (version > DATABASE_VERSION)
		return fail(fault, true, "the store was written by a newer Bawn (version %d; this one knows up to %d): use that one, or `bawn restore` an older backup",
			    version, DATABASE_VERSION);
	while (version < DATABASE_VERSION) {
		r = sqlite3_exec(db, schema_steps[version++], NULL, NULL, NULL);
		if (r != SQLITE_OK) {
			open_fault(fault, db, r);
			sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
			return -1;
		}
	}
	return 0;
}

int database_open(const char *path, sqlite3 **ret_db, struct database_fault *ret_fault)
{
	/* Exclusive from the first access: no shared memory file, and whoever else has it is met here. */
	static const char settings[] = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;"
				       "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
				       "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; BEGIN EXCLUSIVE; COMMIT";
	sqlite3 *db = NULL;
	int r = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);

	if (r == SQLITE_OK) {
		sqlite3_extended_result_codes(db, 1);
		sqlite3_busy_timeout(db, BUSY_MS);
		sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
		sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
		r = sqlite3_exec(db, settings, NULL, NULL, NULL);
	}
	if (r != SQLITE_OK)
		open_fault(ret_fault, db, r);
	if (r != SQLITE_OK || check_whole(db, ret_fault) < 0 || migrate(db, ret_fault) < 0) {
		sqlite3_close(db);
		return -1;
	}
	*ret_db = db;
	return 0;
}

void database_close(sqlite3 *db)
{
	sqlite3_close(db);
}
