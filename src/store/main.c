/*
 * Theory of operation
 *
 * The store keeps what must survive: approvals, pins, the person's PIN. Its peers name a statement of one table and give values; what has arrived when the
 * loop comes round is one transaction, and everybody is answered only after its commit, which is synced: so many who come at once
 * share one sync of the disk. A statement that fails undoes itself alone.
 *
 * A full disk fails statements one by one and is over when there is space again. An error of the disk ends the process; the next one recovers from what is on
 * the disk. A store that is damaged, or of a newer version, ends the family.
 *
 * Security
 *
 * Holds: the database, in a folder of its own, and the hash of the person's PIN. Reads: names of statements and typed values, from judge and console,
 * whose roles the table knows; the console's only read. Texts in the values are strangers' (arguments, definitions): they are bound, never part of SQL.
 * It has no network and opens nothing outside the folder. Whoever took it over could say that something was approved which was not; the record, which
 * is the audit process's, would not have it.
 */
#include "store/main.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "child/child.h"
#include "confine/landlock_abi.h"
#include "store/backup.h"
#include "store/database.h"
#include "store/person.h"
#include "store/statements.h"

enum { BATCH_MAX = 256, BACKUP_PAGES = 64, /* of 4 KiB, between two looks at what else there is to do */ VALUES_ARENA_MAX = 64 * 1024 * 1024 };

/* One answer that waits for the commit. */
struct owed {
	struct channel *to; /* NULL: the peer is gone */
	uint64_t request, changes;
	struct buf rows;
	bool failed;
	char why[STATEMENT_WHY];
};

struct store {
	struct child child;
	struct channel *judge, *console;
	sqlite3 *db;
	struct statements statements;
	struct person *person;
	struct event *commit;
	struct owed owed[BATCH_MAX]; /* of the transaction that is open */
	size_t owed_count;
	bool failed, committing;
	struct backup *backup; /* under way */
	struct event *backup_step;
	uint64_t backup_request;
};

static const char backup_name[] = "backup.db";

/* ---- the transaction ---- */

static void answer(struct owed *o)
{
	struct msg_store_done done = { .request = o->request, .changes = o->changes, .rows = buf_slice(&o->rows) };
	struct msg_store_failed failed = { .request = o->request, .why = slice_str(o->why) };

	if (o->to && o->failed)
		channel_send(o->to, MSG_store_failed, &failed);
	else if (o->to)
		channel_send(o->to, MSG_store_done, &done);
	buf_free(&o->rows);
}

/* After these nothing that this process believes is sure: damage ends the family, a failing disk this process. */
static void on_bad_disk(struct store *s, int code)
{
	if (database_is_damaged(code))
		child_fatal(&s->child, "the store is damaged (`bawn restore` puts a backup in its place; the record is not touched by that)");
	else if ((code & 0xff) == SQLITE_IOERR)
		log_error("the store's disk failed: %s", sqlite3_errstr(code));
	else
		return;
	s->failed = true;
	event_base_loopbreak(s->child.loop);
}

/* Ends the transaction that is open, if one is, and answers everybody in it. */
static int commit(void *ctx)
{
	struct store *s = ctx;
	int r = SQLITE_OK;

	if (!sqlite3_get_autocommit(s->db))
		r = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
	else if (s->owed_count)
		r = SQLITE_ABORT; /* SQLite had to roll all of it back */
	for (size_t i = 0; i < s->owed_count; i++) {
		struct owed *o = &s->owed[i];

		if (r != SQLITE_OK && !o->failed) {
			o->failed = true;
			snprintf(o->why, sizeof(o->why), "%.250s", r == SQLITE_ABORT ? "it was undone with another one that failed" : database_why(s->db, r));
		}
		answer(o);
	}
	s->owed_count = 0;
	if (r != SQLITE_OK && !sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	if (r != SQLITE_OK)
		on_bad_disk(s, r);
	return r;
}

/* What else has arrived meanwhile belongs to it. */
static void on_commit(evutil_socket_t fd, short what, void *arg)
{
	struct store *s = arg;

	(void)fd;
	(void)what;
	s->committing = true;
	if (s->judge)
		channel_drain(s->judge);
	if (s->console)
		channel_drain(s->console);
	s->committing = false;
	commit(s);
}

static int join_transaction(struct store *s)
{
	int r;

	if (s->owed_count == BATCH_MAX)
		commit(s);
	if (s->owed_count)
		return SQLITE_OK;
	r = sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (r == SQLITE_OK && !s->committing)
		event_add(s->commit, &(struct timeval){ 0 });
	return r;
}

/* ---- peers ---- */

static void backup_end(struct store *s)
{
	backup_free(s->backup);
	s->backup = NULL;
	event_del(s->backup_step);
}

static void forget(struct store *s, struct channel *channel)
{
	for (size_t i = 0; i < s->owed_count; i++)
		if (s->owed[i].to == channel)
			s->owed[i].to = NULL;
	/* The next judge, or console, counts its questions anew: an answer to the old one would be one to another question. */
	if (channel == s->judge) {
		s->judge = NULL;
		person_forget(s->person);
	} else if (channel == s->console) {
		s->console = NULL;
		backup_end(s);
	}
	channel_free(channel);
}

static void on_run(struct store *s, struct channel *from, const struct msg_store_run *m)
{
	cleanup_arena struct arena arena = ARENA_INIT(VALUES_ARENA_MAX);
	struct msg_store_failed malformed = { .request = m->request, .why = SLICE("the question cannot be read, or may not be asked from there") };
	struct owed *o;
	struct json values;
	int r;

	if (json_unpack(&arena, m->values, &json_limits_default, &values) < 0 ||
	    statements_check(channel_peer(from), m->statement, &values) < 0) {
		/* The console hands on unread what a person's command said: that is refused, and nothing more. */
		if (from == s->console) {
			channel_send(from, MSG_store_failed, &malformed);
			return;
		}
		child_misbehaved(&s->child, channel_peer(from), 0, "it asked the store for what it may not, or with malformed values");
		forget(s, from);
		return;
	}
	r = join_transaction(s);
	o = &s->owed[s->owed_count++];
	*o = (struct owed){ .to = from, .request = m->request, .rows = BUF_INIT(message_rule(MSG_store_done)->max), .failed = r != SQLITE_OK };
	if (r == SQLITE_OK) {
		r = statements_run(&s->statements, (enum statement)m->statement, &values, &o->rows, &o->changes, o->why);
		o->failed = r != SQLITE_OK;
	} else {
		snprintf(o->why, sizeof(o->why), "%.250s", database_why(s->db, r));
		event_add(s->commit, &(struct timeval){ 0 });
	}
	if (r != SQLITE_OK)
		on_bad_disk(s, r);
}

/* ---- a backup: some pages in each round of the loop, never in the middle of a transaction ---- */

static void backup_failed(struct store *s, uint64_t request, const char *why)
{
	struct msg_store_failed m = { .request = request, .why = slice_str(why) };

	channel_send(s->console, MSG_store_failed, &m);
}

/* The copy goes as a descriptor and loses its name, so that nothing is ever left here to clear away. */
static void backup_hand_over(struct store *s)
{
	cleanup_fd int copy = open(backup_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct msg_store_copied m = { .request = s->backup_request, .copy = copy };

	unlink(backup_name);
	if (copy < 0)
		backup_failed(s, s->backup_request, "the copy of the store cannot be opened");
	else
		channel_send(s->console, MSG_store_copied, &m);
}

static void on_backup_step(evutil_socket_t fd, short what, void *arg)
{
	struct store *s = arg;
	char why[BACKUP_WHY];
	int r = backup_step(s->backup, BACKUP_PAGES, why);

	(void)fd;
	(void)what;
	if (r > 0) {
		event_add(s->backup_step, &(struct timeval){ 0 });
		return;
	}
	backup_end(s);
	if (r < 0)
		backup_failed(s, s->backup_request, why);
	else
		backup_hand_over(s);
}

static void on_backup(struct store *s, uint64_t request)
{
	char why[BACKUP_WHY];

	if (s->backup) {
		backup_failed(s, request, "a backup is under way already");
		return;
	}
	if (backup_begin(s->db, backup_name, &s->backup, why) < 0) {
		s->backup = NULL;
		backup_failed(s, request, why);
		return;
	}
	s->backup_request = request;
	event_add(s->backup_step, &(struct timeval){ 0 });
}

static void on_person_answer(void *ctx, uint64_t request, enum person_verdict verdict, uint64_t wait_ms)
{
	struct store *s = ctx;
	struct msg_person_answer m = { .request = request, .verdict = (uint8_t)verdict, .wait_ms = wait_ms };

	if (s->judge)
		channel_send(s->judge, MSG_person_answer, &m);
}

static void on_peer(void *ctx, struct channel *channel, struct message *m)
{
	struct store *s = ctx;

	if (m->type == MSG_store_run)
		on_run(s, channel, &m->store_run);
	else if (m->type == MSG_store_backup)
		on_backup(s, m->store_backup.request);
	else if (m->type == MSG_person_check)
		person_check(s->person, m->person_check.request, m->person_check.secret);
	else if (m->type == MSG_person_set)
		person_set(s->person, m->person_set.request, m->person_set.uid, m->person_set.old, m->person_set.secret);
}

static void on_peer_broken(void *ctx, struct channel *channel, const char *why)
{
	struct store *s = ctx;

	if (why)
		child_misbehaved(&s->child, channel_peer(channel), 0, why);
	forget(s, channel);
}

static void connect_peer(struct store *s, enum process role, int fd, struct channel **slot)
{
	static const struct channel_ops ops = { on_peer, on_peer_broken };

	if (*slot)
		forget(s, *slot);
	child_connect(&s->child, role, fd, &ops, s, slot);
}

static void on_init(void *ctx, struct channel *channel, struct message *m)
{
	struct store *s = ctx;

	(void)channel;
	if (m->type == MSG_peer && m->peer.role == PROCESS_JUDGE)
		connect_peer(s, PROCESS_JUDGE, fd_take(&m->peer.channel), &s->judge);
	else if (m->type == MSG_peer && m->peer.role == PROCESS_CONSOLE)
		connect_peer(s, PROCESS_CONSOLE, fd_take(&m->peer.channel), &s->console);
	else if (m->type == MSG_stop)
		event_base_loopbreak(s->child.loop);
}

static void on_init_broken(void *ctx, struct channel *channel, const char *why)
{
	struct store *s = ctx;

	(void)channel;
	if (why)
		log_error("the channel to init broke: %s", why);
	event_base_loopbreak(s->child.loop);
}

/* ---- the beginning and the end ---- */

static int open_store(struct store *s)
{
	struct person_options person = { .loop = s->child.loop, .before_write = commit, .answer = on_person_answer, .ctx = s };
	struct database_fault fault;
	const char *name = "";

	/* SQLite knows paths, not descriptors: it gets one relative to the folder. */
	if (fchdir(FD_FIRST_EXTRA) < 0) {
		log_error("the store's folder cannot be entered: %s", strerror(errno));
		return -errno;
	}
	if (database_open("store.db", &s->db, &fault) < 0) {
		if (fault.lasting)
			child_fatal(&s->child, fault.text);
		else
			log_error("%s", fault.text);
		return -EIO;
	}
	if (statements_prepare(&s->statements, s->db, &name) != SQLITE_OK) {
		log_error("the statement %s cannot be prepared: %s", name, sqlite3_errmsg(s->db));
		return -EIO;
	}
	unlink(backup_name); /* of a store that was killed */
	person.db = s->db;
	s->person = person_new(&person);
	s->commit = evtimer_new(s->child.loop, on_commit, s);
	s->backup_step = evtimer_new(s->child.loop, on_backup_step, s);
	return s->person && s->commit && s->backup_step ? 0 : -ENOMEM;
}

static void close_store(struct store *s)
{
	if (!s->failed)
		commit(s);
	if (s->judge)
		channel_flush(s->judge);
	backup_free(s->backup);
	person_free(s->person);
	statements_finalize(&s->statements);
	database_close(s->db);
}

int store_main(void)
{
	static const struct confine_rule allow[] = {
		{ .syscall = SCMP_SYS(fcntl), .why = "the database's lock", .when = { { .argument = 1, .check = CONFINE_IS, .value = F_SETLK } } },
		{ .syscall = SCMP_SYS(fcntl), .why = "who has the lock", .when = { { .argument = 1, .check = CONFINE_IS, .value = F_GETLK } } },
		{ .syscall = SCMP_SYS(clock_nanosleep), .why = "waiting for the lock of a family that was killed" },
		{ .syscall = SCMP_SYS(fchdir), .why = "its own folder, for relative paths" },
		{ .syscall = SCMP_SYS(getcwd), .why = "SQLite makes its paths absolute" },
		{ .syscall = SCMP_SYS(readlink), .why = "the same" },
		{ .syscall = SCMP_SYS(readlinkat), .why = "the same" },
		{ .syscall = SCMP_SYS(openat), .why = "the database and its log; Landlock keeps it in the folder" },
		{ .syscall = SCMP_SYS(pread64), .why = "the database" },
		{ .syscall = SCMP_SYS(pwrite64), .why = "the database" },
		{ .syscall = SCMP_SYS(lseek), .why = "the database" },
		{ .syscall = SCMP_SYS(fdatasync), .why = "durability" },
		{ .syscall = SCMP_SYS(fsync), .why = "durability" },
		{ .syscall = SCMP_SYS(ftruncate), .why = "the log after a checkpoint" },
		{ .syscall = SCMP_SYS(fstat), .why = "sizes" },
		{ .syscall = SCMP_SYS(newfstatat), .why = "is there a log to recover from?" },
		{ .syscall = SCMP_SYS(faccessat), .why = "the same" },
		{ .syscall = SCMP_SYS(faccessat2), .why = "the same" },
		{ .syscall = SCMP_SYS(access), .why = "the same" },
		{ .syscall = SCMP_SYS(unlink), .why = "the log, once it is in the database" },
		{ .syscall = SCMP_SYS(unlinkat), .why = "the same" },
		{ .syscall = SCMP_SYS(geteuid), .why = "SQLite, whose the log file is to be" },
		{ .syscall = SCMP_SYS(fchown), .error = EPERM, .why = "SQLite as root gives its log the database's owner, which it has already" },
		{ .syscall = SCMP_SYS(fchmod), .error = EPERM, .why = "the same for its mode" },
		{ .syscall = SCMP_SYS(mremap), .why = "Argon2id's memory" },
	};
	static const struct channel_ops ops = { on_init, on_init_broken };
	static struct store s;
	struct confine_path folder = { .fd = FD_FIRST_EXTRA, .access = CONFINE_FS_STORE };
	struct confine_plan plan = { .process = "store", .allow = allow, .allow_count = sizeof(allow) / sizeof(allow[0]), .threads = true,
				     .landlock = true, .paths = &folder, .path_count = 1, .dies_with_parent = true, .open_files = 64 };
	int status;

	umask(077);
	signal(SIGXFSZ, SIG_IGN); /* a full quota is an error of one statement, not the end of the process */
	if (sodium_init() < 0 || child_begin(PROCESS_STORE, &ops, &s, &s.child) < 0)
		return 1;
	/* Confined first: opening the database reads a file that somebody may have altered. */
	if (child_confine_self(&s.child, &plan) < 0 || open_store(&s) < 0 || child_ready(&s.child) < 0) {
		channel_flush(s.child.init);
		return 1;
	}
	status = child_run(&s.child);
	close_store(&s);
	return s.failed ? 1 : status;
}
