/*
 * Theory of operation
 *
 * The audit process appends what the judge and init tell it to the log (src/auditlog), and answers with the entry's number: for an entry that must be
 * durable when it is on the disk, for any other as soon as it is appended; then a sync follows within SYNC_MS. Syncing and signing happen in
 * the log's own thread, so that an append never waits for the disk; everything that came while a sync ran is done with the next one.
 *
 * A full disk refuses single entries and is tried again with each. A failed sync ends the process: nobody knows what the disk holds then, and the next
 * audit process reads the log anew. A log that is not as it was signed ends the family.
 *
 * Security
 *
 * Holds: the log, open for appending, and its signing key. Reads: kinds, packed objects and canonical arguments, in bounded fields, from judge
 * and init only. It has no network, opens nothing outside the log's folder, and no code here rewrites an entry. Whoever took it over could append lies
 * under the key and cut what was not yet signed; what stands below a checkpoint that somebody else has seen, he could not change unnoticed.
 */
#include "audit/main.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>

#include "auditlog/auditlog.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "child/child.h"
#include "confine/landlock_abi.h"
#include "parse/json.h"

enum {
	SYNC_MS = 8, /* below the promised 10 */
	CHECKPOINT_MS = 5000,
	CHECKPOINT_ENTRIES = 1000,
	OPEN_TRIES = 50, /* of OPEN_WAIT_MS: the log of a family that was killed a moment ago may still be locked */
	OPEN_WAIT_MS = 100,
};

/* An answer that waits for the disk. */
struct owed {
	struct owed *next;
	struct channel *to; /* NULL: the peer is gone */
	uint64_t token, entry;
};

struct audit {
	struct child child;
	struct channel *judge;
	struct auditlog *log;
	struct event *news, *sync_timer, *checkpoint_timer;
	struct owed *owed, **owed_end; /* ascending by entry */
	uint64_t unsigned_entries;
	int checkpoint_error; /* as last told */
	int append_error;     /* the same of appending */
	bool opened;          /* "log.open" is on the log */
	bool stopping, failed;
};

static void answer(struct channel *to, uint64_t token, uint64_t entry)
{
	struct msg_audit_appended m = { .token = token, .entry = entry };

	if (to && token)
		channel_send(to, MSG_audit_appended, &m);
}

static void refuse(struct channel *to, uint64_t token, const char *why)
{
	struct msg_audit_failed m = { .token = token, .why = slice_str(why) };

	if (to && token)
		channel_send(to, MSG_audit_failed, &m);
}

/* ---- appending ---- */

static void owe(struct audit *a, struct channel *to, uint64_t token, uint64_t entry)
{
	struct owed *o = calloc(1, sizeof(*o));

	if (!o) {
		refuse(to, token, "out of memory");
		return;
	}
	*o = (struct owed){ .to = to, .token = token, .entry = entry };
	*a->owed_end = o;
	a->owed_end = &o->next;
	auditlog_want_sync(a->log);
}

static void start_timer(struct event *timer, long ms)
{
	if (!event_pending(timer, EV_TIMEOUT, NULL))
		event_add(timer, &(struct timeval){ .tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000 });
}

/* The first entry of this process: who writes from here on, under which key. Tried again with each entry until the disk takes it. */
static int record_open(struct audit *a)
{
	struct json_member members[] = {
		{ .name = SLICE("version"), .value = { .type = JSON_STRING, .text = SLICE(BAWN_VERSION) } },
		{ .name = SLICE("key"), .value = { .type = JSON_STRING, .text = auditlog_verifier_key(a->log) } },
	};
	struct json fields = { .type = JSON_OBJECT, .count = 2, .members = members };
	uint64_t entry;
	int r = a->opened ? 0 : auditlog_append(a->log, SLICE("log.open"), &fields, (struct slice){ 0 }, &entry);

	a->opened = a->opened || r == 0;
	return r;
}

static void forget_channel(struct audit *a, struct channel *channel);

/* What cannot be read was not written by a judge that works. */
static void on_malformed(struct audit *a, struct channel *from)
{
	if (from != a->judge) {
		log_error("init sent an entry that cannot be read");
		return;
	}
	child_misbehaved(&a->child, PROCESS_JUDGE, 0, "it sent an entry that cannot be read");
	forget_channel(a, from);
	a->judge = NULL;
}

static const char *why_not(int error)
{
	switch (error) {
	case -ENOSPC:
	case -EDQUOT:
	case -EFBIG:
		return "no space is left on the disk";
	case -EMSGSIZE:
		return "the entry is too large";
	case -EINVAL:
		return "the entry has a member that it cannot have";
	default:
		return strerror(-error);
	}
}

/* For `bawn status`: that nothing can be recorded, since when, and that it can again. An entry that itself is at fault says nothing of the log. */
static void tell_state(struct audit *a, int error)
{
	struct msg_audit_state m = { .why = error ? slice_str(why_not(error)) : (struct slice){ 0 }, .since_us = error ? clock_wall_us() : 0 };

	if (error == a->append_error || error == -EMSGSIZE || error == -EINVAL)
		return;
	if (error)
		log_error("nothing can be recorded: %s", why_not(error));
	else
		log_info("the record can be written again");
	a->append_error = error;
	channel_send(a->child.init, MSG_audit_state, &m);
}

static void on_append(struct audit *a, struct channel *from, const struct msg_audit_append *m)
{
	cleanup_arena struct arena arena = ARENA_INIT(1024 * 1024);
	struct json fields;
	uint64_t entry;
	int r;

	if (json_unpack(&arena, m->fields, &json_limits_default, &fields) < 0 || fields.type != JSON_OBJECT) {
		on_malformed(a, from);
		return;
	}
	r = record_open(a);
	if (r == 0)
		r = auditlog_append(a->log, m->kind, &fields, m->arguments, &entry);
	tell_state(a, r);
	if (r < 0) {
		refuse(from, m->token, why_not(r));
		return;
	}
	if (m->durable) {
		owe(a, from, m->token, entry);
	} else {
		answer(from, m->token, entry);
		start_timer(a->sync_timer, SYNC_MS);
	}
	if (++a->unsigned_entries >= CHECKPOINT_ENTRIES) {
		a->unsigned_entries = 0;
		auditlog_want_checkpoint(a->log);
	} else {
		start_timer(a->checkpoint_timer, CHECKPOINT_MS);
	}
}

static void on_sync_timer(evutil_socket_t fd, short what, void *arg)
{
	struct audit *a = arg;

	(void)fd;
	(void)what;
	auditlog_want_sync(a->log);
}

static void on_checkpoint_timer(evutil_socket_t fd, short what, void *arg)
{
	struct audit *a = arg;

	(void)fd;
	(void)what;
	a->unsigned_entries = 0;
	auditlog_want_checkpoint(a->log);
}

/* The disk has come further: whoever waited for it is answered. */
static void on_news(evutil_socket_t fd, short what, void *arg)
{
	struct audit *a = arg;
	struct auditlog_progress p;

	(void)fd;
	(void)what;
	auditlog_progress(a->log, &p);
	while (a->owed && (p.sync_error || a->owed->entry <= p.durable)) {
		struct owed *o = a->owed;

		a->owed = o->next;
		if (!a->owed)
			a->owed_end = &a->owed;
		if (o->entry <= p.durable)
			answer(o->to, o->token, o->entry);
		else
			refuse(o->to, o->token, "the disk refused to sync");
		free(o);
	}
	if (p.sync_error) {
		/* After a failed sync nobody knows what the disk holds: the log is opened anew, and checked, by the next audit process. */
		log_error("the log could not be synced: %s", strerror(-p.sync_error));
		a->failed = true;
		event_base_loopbreak(a->child.loop);
		return;
	}
	if (p.checkpoint_error) {
		if (p.checkpoint_error != a->checkpoint_error)
			log_warning("no checkpoint could be written: %s", strerror(-p.checkpoint_error));
		start_timer(a->checkpoint_timer, CHECKPOINT_MS);
	}
	a->checkpoint_error = p.checkpoint_error;
}

/* ---- peers ---- */

static void forget_channel(struct audit *a, struct channel *channel)
{
	for (struct owed *o = a->owed; o; o = o->next)
		if (o->to == channel)
			o->to = NULL;
	channel_free(channel);
}

static void on_judge(void *ctx, struct channel *channel, struct message *m)
{
	on_append(ctx, channel, &m->audit_append);
}

static void on_judge_broken(void *ctx, struct channel *channel, const char *why)
{
	struct audit *a = ctx;

	if (why)
		child_misbehaved(&a->child, PROCESS_JUDGE, 0, why);
	forget_channel(a, channel);
	a->judge = NULL;
	if (a->stopping)
		event_base_loopbreak(a->child.loop);
}

static void on_init(void *ctx, struct channel *channel, struct message *m)
{
	static const struct channel_ops ops = { on_judge, on_judge_broken };
	struct audit *a = ctx;

	if (m->type == MSG_audit_append) {
		on_append(a, channel, &m->audit_append);
	} else if (m->type == MSG_peer && m->peer.role == PROCESS_JUDGE) {
		if (a->judge)
			forget_channel(a, a->judge);
		a->judge = NULL;
		child_connect(&a->child, PROCESS_JUDGE, fd_take(&m->peer.channel), &ops, a, &a->judge);
	} else if (m->type == MSG_stop) {
		/* The judge has ended before: what it still said is read to its end. */
		a->stopping = true;
		if (!a->judge)
			event_base_loopbreak(a->child.loop);
	}
}

static void on_init_broken(void *ctx, struct channel *channel, const char *why)
{
	struct audit *a = ctx;

	(void)channel;
	if (why)
		log_error("the channel to init broke: %s", why);
	event_base_loopbreak(a->child.loop);
}

/* ---- the beginning and the end ---- */

static int open_log(struct audit *a)
{
	struct auditlog_fault fault;
	int r = -EWOULDBLOCK;

	for (int i = 0; i < OPEN_TRIES && r == -EWOULDBLOCK; i++) {
		if (i)
			nanosleep(&(struct timespec){ .tv_nsec = OPEN_WAIT_MS * 1000000L }, NULL);
		r = auditlog_open(FD_FIRST_EXTRA, NULL, &a->log, &fault);
	}
	/* A log that is wrong stays wrong; anything else, a full disk say, may be over when init tries again. */
	if (r == -EBADMSG) {
		char line[sizeof(fault.what) + 160];

		snprintf(line, sizeof(line), "%s (`bawn audit verify` says more; to begin a new record, move the folder audit of the state folder away, "
			 "and keep it)", fault.what);
		child_fatal(&a->child, line);
	} else if (r < 0) {
		log_error("the log cannot be opened: %s", fault.what);
	}
	return r;
}

static int begin(struct audit *a)
{
	int news;

	a->owed_end = &a->owed;
	if (open_log(a) < 0 || auditlog_start(a->log, &news) < 0)
		return -EIO;
	a->news = event_new(a->child.loop, news, EV_READ | EV_PERSIST, on_news, a);
	a->sync_timer = evtimer_new(a->child.loop, on_sync_timer, a);
	a->checkpoint_timer = evtimer_new(a->child.loop, on_checkpoint_timer, a);
	if (!a->news || !a->sync_timer || !a->checkpoint_timer || event_add(a->news, NULL) < 0)
		return -ENOMEM;
	if (record_open(a) == 0)
		start_timer(a->checkpoint_timer, CHECKPOINT_MS);
	auditlog_want_sync(a->log);
	return 0;
}

static void record_close(struct audit *a)
{
	uint64_t entry;

	if (a->stopping)
		auditlog_append(a->log, SLICE("log.close"), NULL, (struct slice){ 0 }, &entry);
	auditlog_want_checkpoint(a->log);
	auditlog_stop(a->log);
	auditlog_close(a->log);
}

int audit_main(void)
{
	static const struct confine_rule allow[] = {
		{ .syscall = SCMP_SYS(fcntl), .why = "the log's lock", .when = { { .argument = 1, .check = CONFINE_IS, .value = F_OFD_SETLK } } },
		{ .syscall = SCMP_SYS(faccessat2), .why = "is there a log already?" },
		{ .syscall = SCMP_SYS(faccessat), .why = "the same" },
		{ .syscall = SCMP_SYS(clock_nanosleep), .why = "waiting for the lock of a family that was killed" },
		{ .syscall = SCMP_SYS(pwrite64), .why = "appending" },
		{ .syscall = SCMP_SYS(pwritev), .why = "appending" },
		{ .syscall = SCMP_SYS(pread64), .why = "reading the log's own files" },
		{ .syscall = SCMP_SYS(fdatasync), .why = "durability" },
		{ .syscall = SCMP_SYS(fsync), .why = "durability of replaced files" },
		{ .syscall = SCMP_SYS(ftruncate), .why = "taking back a torn append" },
		{ .syscall = SCMP_SYS(fstat), .why = "the log's size" },
		{ .syscall = SCMP_SYS(newfstatat), .why = "the log's size" },
		{ .syscall = SCMP_SYS(lseek), .why = "the end of the history" },
		{ .syscall = SCMP_SYS(openat), .why = "checkpoint files; Landlock keeps it in the folder" },
		{ .syscall = SCMP_SYS(renameat), .why = "replacing checkpoint and frontier" },
		{ .syscall = SCMP_SYS(renameat2), .why = "replacing checkpoint and frontier" },
		{ .syscall = SCMP_SYS(unlinkat), .why = "leftovers of a replacement" },
	};
	static const struct channel_ops ops = { on_init, on_init_broken };
	static struct audit a;
	struct confine_path folder = { .fd = FD_FIRST_EXTRA,
				       .access = CONFINE_FS_STORE };
	struct confine_plan plan = { .process = "audit", .allow = allow, .allow_count = sizeof(allow) / sizeof(allow[0]), .threads = true,
				     .landlock = true, .paths = &folder, .path_count = 1, .dies_with_parent = true, .open_files = 64 };
	int status;

	signal(SIGXFSZ, SIG_IGN); /* a full quota is an error of one append, not the end of the process */
	if (sodium_init() < 0 || child_begin(PROCESS_AUDIT, &ops, &a, &a.child) < 0)
		return 1;
	/* Confined first: opening the log reads files that somebody may have altered. */
	if (child_confine_self(&a.child, &plan) < 0 || begin(&a) < 0 || child_ready(&a.child) < 0)
		return 1;
	status = child_run(&a.child);
	record_close(&a);
	return a.failed ? 1 : status;
}
