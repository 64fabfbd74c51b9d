/* Copies made while somebody writes: the store's by SQLite's online backup, the record's by auditlog_copy. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "auditlog_folder.h"
#include "base/cleanup.h"
#include "store/backup.h"
#include "store/database.h"

enum { ROWS = 2000 };

/* ---- the store ---- */

static char folder[64], from[96], to[96];

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/bawn-backup-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(from, sizeof(from), "%s/store.db", folder);
	snprintf(to, sizeof(to), "%s/copy.db", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(from);
	unlink(to);
	return rmdir(folder);
}

static void execute(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

static void put_pin(sqlite3 *db, int n, const char *digest)
{
	char sql[512];

	snprintf(sql, sizeof(sql), "INSERT OR REPLACE INTO pins VALUES ('s', 't%d', 'accepted', '%s', hex(zeroblob(500)), NULL, 1, NULL)", n, digest);
	execute(db, sql);
}

static int count(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *s;
	int n;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	n = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	return n;
}

static sqlite3 *open_store(const char *path)
{
	struct database_fault fault;
	sqlite3 *db;

	if (database_open(path, &db, &fault) < 0)
		fail_msg("%s", fault.text);
	return db;
}

static sqlite3 *filled_store(void)
{
	sqlite3 *db = open_store(from);

	execute(db, "BEGIN");
	for (int i = 0; i < ROWS; i++)
		put_pin(db, i, "old");
	execute(db, "COMMIT");
	return db;
}

/* Each transaction changes one row at the beginning and one at the end: a copy that has only one of them is not of one moment. */
static void a_copy_is_of_one_moment(void **state)
{
	sqlite3 *db = filled_store(), *copy;
	struct backup *b;
	char why[BACKUP_WHY];
	int r, steps = 0;

	(void)state;
	assert_int_equal(backup_begin(db, to, &b, why), 0);
	while ((r = backup_step(b, 8, why)) == 1 && steps < 100000) {
		char digest[32];

		snprintf(digest, sizeof(digest), "%d", ++steps);
		execute(db, "BEGIN");
		put_pin(db, 0, digest);
		put_pin(db, ROWS - 1, digest);
		/* In the middle of a transaction nothing is copied. */
		assert_int_equal(backup_step(b, 8, why), 1);
		execute(db, "COMMIT");
	}
	assert_int_equal(r, 0);
	assert_true(steps > 10);
	backup_free(b);
	database_close(db);
	copy = open_store(to); /* which checks that it is whole */
	assert_int_equal(count(copy, "SELECT count(*) FROM pins"), ROWS);
	assert_int_equal(count(copy, "SELECT count(DISTINCT digest) FROM pins WHERE tool IN ('t0', 't1999')"), 1);
	assert_int_equal(count(copy, "SELECT digest FROM pins WHERE tool = 't0'"), steps);
	database_close(copy);
}

static void a_copy_that_is_not_finished_goes(void **state)
{
	sqlite3 *db = filled_store();
	struct backup *b;
	char why[BACKUP_WHY];

	(void)state;
	assert_int_equal(backup_begin(db, to, &b, why), 0);
	assert_int_equal(backup_step(b, 8, why), 1);
	assert_int_equal(access(to, F_OK), 0);
	backup_free(b);
	assert_int_equal(access(to, F_OK), -1);
	backup_free(NULL);
	/* One that another left there is no obstacle. */
	close(open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_int_equal(backup_begin(db, to, &b, why), 0);
	assert_int_equal(backup_step(b, -1, why), 0);
	backup_free(b);
	assert_int_equal(access(to, F_OK), 0);
	/* Where nothing can be written there is a reason. */
	assert_int_equal(backup_begin(db, "/proc/none/copy.db", &b, why), -1);
	assert_non_null(strstr(why, "cannot be copied"));
	database_close(db);
}

static void remember(void *ctx, const char *id)
{
	assert_int_equal(buf_printf(ctx, "%s ", id), 0);
}

static void what_was_approved_is_withdrawn(void **state)
{
	static const char ask[] = "INSERT INTO approvals (id, digest, subject, agent, session, uid, server, tool, pin, effect, rule, rule_digest, arguments, created,"
				  " expires, why, state) VALUES ('%s', 'd', '%s', 'a', 1, 1, 's', 't', 'p', 'write', 'r', 'd', '{}', 1, 9, 'w', 'pending')";
	static const char *const ids[] = { "pending", "approved", "approved2", "rejected", "consumed" };
	sqlite3 *db = open_store(from);
	cleanup_buf struct buf said = BUF_INIT(64);

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		char *sql = sqlite3_mprintf(ask, ids[i], ids[i]);

		execute(db, sql);
		sqlite3_free(sql);
	}
	execute(db, "UPDATE approvals SET state = 'approved' WHERE id NOT IN ('pending', 'rejected'); UPDATE approvals SET state = id WHERE id IN ('rejected', 'consumed')");
	assert_int_equal(backup_withdraw_approved(db, 77, remember, &said), SQLITE_OK);
	assert_true(slice_eq(buf_slice(&said), SLICE("approved approved2 ")));
	assert_int_equal(count(db, "SELECT count(*) FROM approvals WHERE state = 'withdrawn' AND ended = 77 AND reason = 'restored from a backup'"), 2);
	assert_int_equal(count(db, "SELECT count(*) FROM approvals WHERE state = id"), 3);
	buf_clear(&said);
	assert_int_equal(backup_withdraw_approved(db, 78, remember, &said), SQLITE_OK);
	assert_int_equal(said.len, 0);
	database_close(db);
}

/* ---- the record ---- */

static int copy_holds(int dir_fd, uint64_t entries)
{
	struct auditlog_verified verified;
	struct auditlog_fault fault = { "" };
	int copy = folder_make();
	char first[256] = "";

	if (auditlog_copy(dir_fd, copy, &fault) < 0)
		fail_msg("%s", fault.what);
	if (folder_verify(copy, &verified, first))
		fail_msg("%s", first);
	assert_int_equal(verified.entries, entries);
	return copy;
}

/* As it is after each append and each checkpoint, also with half a record at the end, or half a checkpoint. */
static void a_copied_record_holds_at_any_moment(void **state)
{
	static const struct slice arguments = SLICE("{\"path\":\"/x\"}");
	cleanup_buf struct buf log_bytes = BUF_INIT(FOLDER_FILE_MAX);
	int dir_fd = folder_make();
	struct auditlog *log = folder_open(dir_fd);

	(void)state;
	for (unsigned i = 1; i <= 20; i++) {
		folder_append(log, i, i % 3 ? slice_of(NULL, 0) : arguments);
		if (i % 7 == 0)
			assert_int_equal(auditlog_checkpoint(log), 0);
		folder_remove(copy_holds(dir_fd, i));
	}
	folder_get(dir_fd, "log", &log_bytes);
	for (size_t cut = 1; cut < 90; cut += 7) {
		cleanup_fd int fd = openat(dir_fd, "log", O_WRONLY | O_APPEND | O_CLOEXEC);

		assert_true(write(fd, log_bytes.ptr + FRAME_MAGIC_LEN, cut) == (ssize_t)cut);
		folder_remove(copy_holds(dir_fd, 20));
		assert_int_equal(ftruncate(fd, (off_t)log_bytes.len), 0);
	}
	{
		cleanup_fd int fd = openat(dir_fd, "checkpoints", O_WRONLY | O_APPEND | O_CLOEXEC);

		assert_int_equal(write(fd, "bawn/0011", 9), 9);
		folder_remove(copy_holds(dir_fd, 20));
	}
	auditlog_close(log);
	folder_remove(dir_fd);
}

/* The copy is a log of its own, with the same key. */
static void a_copied_record_goes_on(void **state)
{
	int dir_fd = folder_make(), copy;
	struct auditlog *log = folder_open(dir_fd);

	(void)state;
	for (unsigned i = 1; i <= 5; i++)
		folder_append(log, i, slice_of(NULL, 0));
	assert_int_equal(auditlog_checkpoint(log), 0);
	folder_append(log, 6, slice_of(NULL, 0));
	folder_put(dir_fd, "cut-1", SLICE("what was cut off once"));
	copy = copy_holds(dir_fd, 6);
	assert_true(folder_there(copy, "cut-1"));
	auditlog_close(log);
	folder_remove(dir_fd);
	log = folder_open(copy);
	assert_int_equal(auditlog_last(log), 6);
	assert_int_equal(folder_append(log, 7, slice_of(NULL, 0)), 7);
	assert_int_equal(auditlog_checkpoint(log), 0);
	auditlog_close(log);
	assert_int_equal(folder_verify(copy, NULL, NULL), 0);
	folder_remove(copy);
}

static void what_cannot_be_copied_is_named(void **state)
{
	static const char *const files[] = { "key", "key.pub", "checkpoint", "checkpoints", "log" };

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int dir_fd = folder_make(), copy = folder_make();
		struct auditlog *log = folder_open(dir_fd);
		struct auditlog_fault fault = { "" };

		folder_append(log, 1, slice_of(NULL, 0));
		auditlog_close(log);
		assert_int_equal(unlinkat(dir_fd, files[i], 0), 0);
		assert_int_equal(auditlog_copy(dir_fd, copy, &fault), -ENOENT);
		if (strncmp(fault.what, files[i], strlen(files[i])) != 0)
			fail_msg("%s: \"%s\"", files[i], fault.what);
		folder_remove(dir_fd);
		folder_remove(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_copy_is_of_one_moment, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(a_copy_that_is_not_finished_goes, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(what_was_approved_is_withdrawn, make_folder, remove_folder),
		cmocka_unit_test(a_copied_record_holds_at_any_moment),
		cmocka_unit_test(a_copied_record_goes_on),
		cmocka_unit_test(what_cannot_be_copied_is_named),
	};

	return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
