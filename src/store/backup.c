#include "store/backup.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/database.h"

struct backup {
	sqlite3 *copy;
	sqlite3_backup *run;
	bool whole;
	char path[PATH_MAX];
};

static int fail(struct backup *b, int code, char why[BACKUP_WHY])
{
	snprintf(why, BACKUP_WHY, "the store cannot be copied, within its own folder at first: %.180s", database_why(b->copy, code));
	return -1;
}

int backup_begin(sqlite3 *db, const char *path, struct backup **ret_backup, char why[BACKUP_WHY])
{
	struct backup *b = calloc(1, sizeof(*b));
	int r;

	snprintf(why, BACKUP_WHY, "out of memory");
	if (!b || (size_t)snprintf(b->path, sizeof(b->path), "%s", path) >= sizeof(b->path)) {
		free(b);
		return -1;
	}
	unlink(path);
	r = sqlite3_open_v2(path, &b->copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);
	/* Whoever takes it away syncs it; until then it is nothing that a crash could spoil. */
	if (r == SQLITE_OK)
		r = sqlite3_exec(b->copy, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0", NULL, NULL, NULL);
	if (r == SQLITE_OK) {
		b->run = sqlite3_backup_init(b->copy, "main", db, "main");
		r = b->run ? SQLITE_OK : sqlite3_errcode(b->copy);
	}
	if (r != SQLITE_OK) {
		fail(b, r, why);
		backup_free(b);
		return -1;
	}
	*ret_backup = b;
	return 0;
}

int backup_step(struct backup *b, int pages, char why[BACKUP_WHY])
{
	int r = sqlite3_backup_step(b->run, pages);

	if (r == SQLITE_OK || r == SQLITE_BUSY || r == SQLITE_LOCKED)
		return 1;
	if (r == SQLITE_DONE) {
		r = sqlite3_backup_finish(b->run);
		b->run = NULL;
		b->whole = r == SQLITE_OK;
	}
	return b->whole ? 0 : fail(b, r, why);
}

void backup_free(struct backup *b)
{
	if (!b)
		return;
	sqlite3_backup_finish(b->run);
	sqlite3_close(b->copy);
	if (!b->whole)
		unlink(b->path);
	free(b);
}

int backup_withdraw_approved(sqlite3 *db, uint64_t now_us, void (*withdrawn)(void *ctx, const char *id), void *ctx)
{
	static const char sql[] = "UPDATE approvals SET state = 'withdrawn', ended = ?1, reason = 'restored from a backup' WHERE state = 'approved' RETURNING id";
	sqlite3_stmt *s = NULL;
	int r = sqlite3_prepare_v2(db, sql, -1, &s, NULL);

	if (r == SQLITE_OK)
		r = sqlite3_bind_int64(s, 1, (sqlite3_int64)now_us);
	while (r == SQLITE_OK && (r = sqlite3_step(s)) == SQLITE_ROW) {
		withdrawn(ctx, (const char *)sqlite3_column_text(s, 0));
		r = SQLITE_OK;
	}
	sqlite3_finalize(s);
	return r == SQLITE_DONE ? SQLITE_OK : r;
}
