/*
 * bawn restore: a backup takes the place of what is there. All of it is made ready and proven beside the state folder; then the two change places in one step, so
 * that whatever interrupts this leaves the old state or the new one, whole. The old one is kept.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auditlog/auditlog.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/bundle.h"
#include "cli/decide.h"
#include "init/lock.h"
#include "parse/fields.h"
#include "store/backup.h"
#include "store/database.h"

enum { IDS_MAX = 16 << 20 };

/* In the new state until it is in force: what has it is no state that was ever in force. */
static const char marker[] = "restoring";

struct restore_run {
	const struct place *place;
	struct bundle bundle;
	char parent[PATH_MAX], id[32], new_name[64], aside_name[96];
	int parent_fd, new_fd;
	struct buf withdrawn; /* the ids, each with its NUL */
	uint64_t withdrawn_count;
	bool no_memory;
};

static int failed(const struct restore_run *r, int error)
{
	return cli_error(CLI_REFUSED, "cannot write in %s: %s; the state is as it was", r->parent, strerror(-error));
}

/* ---- beside the state ---- */

static void name_aside(struct restore_run *r)
{
	char time[32];

	text_time(clock_wall_us(), time);
	snprintf(r->aside_name, sizeof(r->aside_name), "%s.before-%s", r->id, time);
}

static int find_names(struct restore_run *r)
{
	const char *slash = strrchr(r->place->state, '/');

	snprintf(r->parent, sizeof(r->parent), "%.*s", (int)(slash - r->place->state), r->place->state);
	snprintf(r->id, sizeof(r->id), "%.31s", slash + 1);
	snprintf(r->new_name, sizeof(r->new_name), "%s.restoring", r->id);
	name_aside(r);
	r->parent_fd = open(r->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return r->parent_fd < 0 ? failed(r, -errno) : CLI_OK;
}

/*
 * What an interrupted restore left: a copy that was never in force, which goes; or, if that was interrupted just after the change of places, the state before,
 * which is kept.
 */
static int clear_leftover(struct restore_run *r)
{
	char path[sizeof(r->new_name) + sizeof(marker) + 1];

	snprintf(path, sizeof(path), "%s/%s", r->new_name, marker);
	if (faccessat(r->parent_fd, r->new_name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return CLI_OK;
	if (faccessat(r->parent_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		bundle_remove(r->parent_fd, r->new_name);
		return CLI_OK;
	}
	if (renameat(r->parent_fd, r->new_name, r->parent_fd, r->aside_name) < 0)
		return failed(r, -errno);
	fprintf(stderr, "bawn: %s/%s is the state before a restore that was interrupted\n", r->parent, r->aside_name);
	name_aside(r);
	return CLI_OK;
}

static int begin_copy(struct restore_run *r)
{
	cleanup_fd int fd = -1;

	r->new_fd = bundle_folder(r->parent_fd, r->new_name);
	if (r->new_fd < 0)
		return failed(r, r->new_fd);
	fd = openat(r->new_fd, marker, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? failed(r, -errno) : CLI_OK;
}

/* ---- the store ---- */

static void on_withdrawn(void *ctx, const char *id)
{
	struct restore_run *r = ctx;

	r->withdrawn_count++;
	if (buf_add(&r->withdrawn, id, strlen(id) + 1) < 0)
		r->no_memory = true;
}

/* Opening it checks that it is whole and of no newer version, and brings an older one forward. */
static int prepare_store(struct restore_run *r)
{
	char path[PATH_MAX + 128];
	struct database_fault fault;
	sqlite3 *db;
	int e;

	snprintf(path, sizeof(path), "%s/%s/store/store.db", r->parent, r->new_name);
	if (access(path, F_OK) < 0)
		return CLI_OK;
	if (database_open(path, &db, &fault) < 0)
		return cli_error(CLI_REFUSED, "%s: %s", r->bundle.path, fault.text);
	e = backup_withdraw_approved(db, clock_wall_us(), on_withdrawn, r);
	if (e != SQLITE_OK)
		cli_error(0, "what was approved cannot be withdrawn: %s; the state is as it was", database_why(db, e));
	database_close(db);
	return e == SQLITE_OK && !r->no_memory ? CLI_OK : CLI_REFUSED;
}

/* ---- the record ---- */

static int append(struct auditlog *log, const char *kind, struct fields *fields)
{
	struct json object = fields_object(fields);
	uint64_t entry;

	return fields->failed ? -ENOMEM : auditlog_append(log, slice_str(kind), &object, (struct slice){ 0 }, &entry);
}

static int append_restored(struct restore_run *r, struct auditlog *log)
{
	cleanup_arena struct arena arena = ARENA_INIT(65536);
	struct fields f = FIELDS_INIT(&arena);

	fields_text(&f, "made", r->bundle.made);
	fields_u64(&f, "entries", r->bundle.entries);
	fields_u64(&f, "withdrawn", r->withdrawn_count);
	fields_u64(&f, "uid", geteuid());
	return append(log, "state.restored", &f);
}

static int append_withdrawn(struct auditlog *log, const char *id)
{
	cleanup_arena struct arena arena = ARENA_INIT(65536);
	struct fields f = FIELDS_INIT(&arena);

	fields_text(&f, "approval", slice_str(id));
	fields_text(&f, "why", SLICE("restored from a backup"));
	return append(log, "approval.withdrawn", &f);
}

/* The first entry after the backup's last says what happened; then each approval that is withdrawn. Signed, so that it cannot be cut off again. */
static int record_restore(struct restore_run *r)
{
	cleanup_fd int dir = openat(r->new_fd, bundle_part_name(BUNDLE_AUDIT), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct auditlog_fault fault;
	struct auditlog *log;
	int e;

	if (dir < 0 && errno == ENOENT) {
		dir = bundle_folder(r->new_fd, bundle_part_name(BUNDLE_AUDIT));
		if (dir < 0)
			return failed(r, dir);
	}
	if (dir < 0)
		return failed(r, -errno);
	if (auditlog_open(dir, NULL, &log, &fault) < 0)
		return cli_error(CLI_REFUSED, "%s: the record does not open: %s", r->bundle.path, fault.what);
	e = append_restored(r, log);
	for (size_t at = 0; e == 0 && at < r->withdrawn.len; at += strlen(r->withdrawn.ptr + at) + 1)
		e = append_withdrawn(log, r->withdrawn.ptr + at);
	if (e == 0)
		e = auditlog_checkpoint(log);
	auditlog_close(log);
	return e < 0 ? failed(r, e) : CLI_OK;
}

static int check_record(struct restore_run *r)
{
	uint64_t entries;
	int e = bundle_verify_record(r->new_fd, "the backup's record", &entries);

	if (e == CLI_OK && entries != r->bundle.entries)
		return cli_error(CLI_REFUSED, "the backup's record has %llu entries, and its manifest says %llu: it is damaged, or was changed",
				 (unsigned long long)entries, (unsigned long long)r->bundle.entries);
	return e;
}

/* ---- the change of places ---- */

/* The names; what stands in the files SQLite and the log have synced themselves. */
static int sync_all(struct restore_run *r)
{
	for (int i = 0; i < BUNDLE_PARTS; i++) {
		cleanup_fd int fd = openat(r->new_fd, bundle_part_name((enum bundle_part)i), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

		if (fd >= 0 && fsync(fd) < 0)
			return -errno;
	}
	return fsync(r->new_fd) < 0 ? -errno : 0;
}

static int change_places(struct restore_run *r)
{
	int e = sync_all(r);

	if (e == 0 && renameat2(r->parent_fd, r->new_name, r->parent_fd, r->id, RENAME_EXCHANGE) < 0)
		e = -errno;
	if (e == -EINVAL)
		return cli_error(CLI_REFUSED, "%s lies on a file system where two folders cannot change places in one step; the state is as it was", r->parent);
	if (e < 0)
		return failed(r, e);
	/* From here on it is done, whatever becomes of the names. */
	unlinkat(r->new_fd, marker, 0);
	if (renameat(r->parent_fd, r->new_name, r->parent_fd, r->aside_name) < 0)
		snprintf(r->aside_name, sizeof(r->aside_name), "%s", r->new_name);
	fsync(r->new_fd);
	fsync(r->parent_fd);
	return CLI_OK;
}

static int restore_all(struct restore_run *r)
{
	int e = clear_leftover(r);

	if (e == CLI_OK)
		e = begin_copy(r);
	if (e != CLI_OK)
		return e;
	e = bundle_unpack(&r->bundle, r->new_fd);
	if (e == CLI_OK)
		e = check_record(r);
	if (e == CLI_OK)
		e = prepare_store(r);
	if (e == CLI_OK)
		e = record_restore(r);
	if (e == CLI_OK)
		e = change_places(r);
	if (e != CLI_OK)
		bundle_remove(r->parent_fd, r->new_name);
	return e;
}

static int tell(const struct restore_run *r)
{
	cleanup_buf struct buf shown = BUF_INIT(4 * PATH_MAX);

	if (text_escape(&shown, slice_str(r->parent)) < 0)
		return cli_error(CLI_REFUSED, "no memory");
	printf("the state of %.*s is restored, with %llu entr%s of the record; what was there is in %.*s/%s\n", SLICE_ARG(r->bundle.made),
	       (unsigned long long)r->bundle.entries, r->bundle.entries == 1 ? "y" : "ies", (int)shown.len, shown.ptr, r->aside_name);
	if (r->withdrawn_count)
		printf("%llu approval%s that had not been used %s withdrawn: the calls have to be asked for again\n", (unsigned long long)r->withdrawn_count,
		       r->withdrawn_count == 1 ? "" : "s", r->withdrawn_count == 1 ? "is" : "are");
	return CLI_OK;
}

/*
 * A backup brings a PIN, accepted pins and counts of its own, and anybody can make one: whoever knows the PIN that is in force decides that another one
 * takes its place.
 */
static int ask_person(const struct restore_run *r)
{
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/store/store.db", r->place->state);
	return decide_unserved(path);
}

static int run(struct restore_run *r, int dir, const char *path)
{
	cleanup_fd int lock = -1;
	int e = family_lock(r->place->runtime, &lock);

	if (e == -EWOULDBLOCK)
		return cli_error(CLI_REFUSED, "a family of %s is running: end it with `bawn shutdown` first", r->place->policy);
	if (e < 0)
		return cli_error(CLI_REFUSED, "cannot lock %s/lock: %s", r->place->runtime, strerror(-e));
	e = bundle_read(dir, path, &r->bundle);
	if (e == CLI_OK)
		e = find_names(r);
	if (e == CLI_OK)
		e = ask_person(r);
	if (e == CLI_OK)
		e = restore_all(r);
	return e == CLI_OK ? tell(r) : e;
}

int cli_restore(const struct cli_args *args)
{
	const char *path = args->operands[0];
	struct place place;
	struct restore_run r = { .place = &place, .parent_fd = -1, .new_fd = -1, .withdrawn = BUF_INIT(IDS_MAX) };
	cleanup_fd int dir = -1;
	int e;

	if (!path || !path[0])
		return cli_error(CLI_USAGE, "usage: bawn restore DIR");
	e = place_find(args, NULL, &place);
	if (e != CLI_OK)
		return e;
	umask(077);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return cli_error(CLI_USAGE, "cannot read %s: %s", path, strerror(errno));
	e = place_make(&place);
	if (e == CLI_OK)
		e = run(&r, dir, path);
	arena_free(&r.bundle.arena);
	buf_free(&r.withdrawn);
	fd_close(&r.parent_fd);
	fd_close(&r.new_fd);
	return e;
}
