/*
 * A copy of the store while it is in use, by SQLite's online backup: what is written meanwhile by the same connection is written to the copy as well, so
 * that the end is one state of the store, and what it holds is committed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sqlite3.h>

enum { BACKUP_WHY = 256 };

struct backup;

/* Begins to copy `db` to a new file; one that is there is removed first. 0, or -1 with a printable reason and nothing left. */
int backup_begin(sqlite3 *db, const char *path, struct backup **ret_backup, char why[BACKUP_WHY]);

/* Copies at most so many pages (-1: all). 1 while there is more, also when a transaction is open, which has to end first; 0 when the copy is whole; -1. */
int backup_step(struct backup *backup, int pages, char why[BACKUP_WHY]);

/* Closes the copy. It is removed unless backup_step said that it is whole. NULL is fine. */
void backup_free(struct backup *backup);

/*
 * What was approved and not used is withdrawn: since the backup was made it may have been used, and nothing may run twice. `withdrawn` hears of each. SQLITE_OK
 * or an error, and then nothing is changed.
 */
int backup_withdraw_approved(sqlite3 *db, uint64_t now_us, void (*withdrawn)(void *ctx, const char *id), void *ctx);
