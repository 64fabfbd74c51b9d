/* bawn backup: all that must not be lost, copied while the family runs, or without it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "auditlog/reader.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "cli/bundle.h"
#include "cli/control.h"
#include "init/lock.h"
#include "store/backup.h"
#include "store/database.h"

enum { TRIES = 50, WAIT_MS = 100 }; /* for a family that is just starting, ending, or starting its store again */

struct backup_run {
	const struct place *place;
	const char *path; /* of the backup */
	int state, dir;   /* folders: from, to */
	int lock;         /* the family's, while none runs; -1 */
};

static void pause_a_moment(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = WAIT_MS * 1000000L }, NULL);
}

static int not_written(const struct backup_run *b, int error)
{
	return cli_error(CLI_REFUSED, "cannot write %s: %s", b->path, strerror(-error));
}

/* ---- where it goes ---- */

static int count_entries(int fd)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), count = 0;
	DIR *dir = own < 0 ? NULL : fdopendir(own);
	struct dirent *entry;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	return count;
}

/* Whether the target is the state folder, or lies in it: a restore moves that aside, and whoever removes it then would lose the backup. */
static bool is_in_state(const struct backup_run *b)
{
	cleanup_fd int at = openat(b->dir, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat state, here, last = { .st_ino = 0 };

	if (fstat(b->state, &state) < 0)
		return false;
	while (at >= 0 && fstat(at, &here) == 0 && (here.st_ino != last.st_ino || here.st_dev != last.st_dev)) {
		int above;

		if (here.st_ino == state.st_ino && here.st_dev == state.st_dev)
			return true;
		last = here;
		above = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		fd_close(&at);
		at = above;
	}
	return false;
}

/* A folder that is new, or empty and this user's own: closed to everybody else before anything is in it. */
static int open_target(struct backup_run *b, bool *made)
{
	struct stat st;
	int count;

	*made = mkdir(b->path, 0700) == 0;
	if (!*made && errno != EEXIST)
		return cli_error(CLI_REFUSED, "cannot make %s: %s", b->path, strerror(errno));
	b->dir = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->dir < 0 || fstat(b->dir, &st) < 0)
		return cli_error(CLI_USAGE, "%s is no folder that can be written to: %s", b->path, strerror(errno));
	if (is_in_state(b)) {
		if (*made)
			rmdir(b->path);
		return cli_error(CLI_USAGE, "%s is in the folder that is backed up, %s: take another place, on another disk at best", b->path, b->place->state);
	}
	count = count_entries(b->dir);
	if (count != 0)
		return cli_error(CLI_USAGE, "%s is not empty: a backup is made in a new folder, or in an empty one", b->path);
	if (st.st_uid != geteuid() || fchmod(b->dir, 0700) < 0)
		return cli_error(CLI_REFUSED, "%s must be a folder of your own: a backup holds keys and tokens", b->path);
	return CLI_OK;
}

/* What was begun and cannot be finished is taken away again, so that nobody takes it for a backup. */
static void clear_target(const struct backup_run *b, bool made)
{
	for (int i = 0; i < BUNDLE_PARTS; i++)
		bundle_remove(b->dir, bundle_part_name((enum bundle_part)i));
	unlinkat(b->dir, "trusted", 0);
	unlinkat(b->dir, "manifest.json.new", 0);
	if (made)
		rmdir(b->path);
}

/* ---- the store ---- */

static int put_store(const struct backup_run *b, int copy)
{
	cleanup_fd int folder = bundle_folder(b->dir, bundle_part_name(BUNDLE_STORE));
	int r = folder < 0 ? folder : bundle_copy(copy, folder, "store.db", 0600, NULL, NULL);

	return r < 0 ? not_written(b, r) : CLI_OK;
}

/* From the store process of a family that runs. */
static int ask_for_store(const struct backup_run *b, int fd, bool *again)
{
	struct msg_cli_backup m;
	struct control_answer answer;
	int r = control_ask(fd, MSG_cli_backup, &m, &answer);

	*again = r == -EPIPE;
	if (r < 0)
		return *again ? CLI_REFUSED : cli_error(CLI_REFUSED, "the family did not hand over its store: %s", strerror(-r));
	*again = strcmp(answer.code, "unavailable") == 0;
	if (*again)
		r = CLI_REFUSED;
	else if (answer.status != CLI_OK || answer.copy < 0)
		r = cli_error(CLI_REFUSED, "%.*s", (int)answer.text.len, answer.text.len ? answer.text.ptr : "");
	else
		r = put_store(b, answer.copy);
	control_answer_free(&answer);
	return r;
}

/* From its file, while no family may start. */
static int copy_store_file(const struct backup_run *b)
{
	char from[PATH_MAX + 32], to[PATH_MAX + 32], why[BACKUP_WHY];
	cleanup_fd int folder = -1;
	struct database_fault fault;
	struct backup *copy;
	sqlite3 *db;
	int r;

	snprintf(from, sizeof(from), "%s/store/store.db", b->place->state);
	snprintf(to, sizeof(to), "%s/store/store.db", b->path);
	if (access(from, F_OK) < 0)
		return CLI_OK; /* a family that never had one */
	folder = bundle_folder(b->dir, bundle_part_name(BUNDLE_STORE));
	if (folder < 0)
		return not_written(b, folder);
	if (database_open(from, &db, &fault) < 0)
		return cli_error(CLI_REFUSED, "%s", fault.text);
	r = backup_begin(db, to, &copy, why);
	if (r == 0) {
		while ((r = backup_step(copy, -1, why)) > 0)
			pause_a_moment();
		backup_free(copy);
	}
	database_close(db);
	return r < 0 ? cli_error(CLI_REFUSED, "%s", why) : CLI_OK;
}

static int back_up_store(struct backup_run *b)
{
	for (int tries = 0; tries < TRIES; tries++) {
		int fd = control_connect(b->place), r;
		bool again = true;

		if (fd == -EPERM)
			return cli_error(CLI_REFUSED, "%s/control.sock belongs to another user; nothing was said to it", b->place->runtime);
		if (fd >= 0) {
			r = ask_for_store(b, fd, &again);
			if (!again)
				return r;
		} else {
			r = family_lock(b->place->runtime, &b->lock);
			if (r == 0)
				return copy_store_file(b);
			if (r != -EWOULDBLOCK)
				return cli_error(CLI_REFUSED, "cannot lock %s/lock: %s", b->place->runtime, strerror(-r));
		}
		pause_a_moment();
	}
	return cli_error(CLI_REFUSED, "the family of %s is starting or ending, or its store does not come up (see `bawn status`)", b->place->policy);
}

/* It opens, is whole, and of this version; what that writes is synced when the manifest is made. */
static int check_store(const struct backup_run *b)
{
	char path[PATH_MAX + 32];
	struct database_fault fault;
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/store/store.db", b->path);
	if (access(path, F_OK) < 0)
		return CLI_OK;
	if (database_open(path, &db, &fault) < 0)
		return cli_error(CLI_REFUSED, "the copy of the store does not hold: %s", fault.text);
	database_close(db);
	return CLI_OK;
}

/* ---- the record, the tokens, the accepted digest ---- */

/* After the store: what an approval says of the record is in it then. */
static int back_up_record(const struct backup_run *b)
{
	cleanup_fd int from = openat(b->state, bundle_part_name(BUNDLE_AUDIT), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), to = -1;
	struct auditlog_fault fault;

	if (from < 0 && errno == ENOENT)
		return CLI_OK;
	if (from < 0)
		return cli_error(CLI_REFUSED, "%s/audit: %s", b->place->state, strerror(errno));
	to = bundle_folder(b->dir, bundle_part_name(BUNDLE_AUDIT));
	if (to < 0)
		return not_written(b, to);
	return auditlog_copy(from, to, &fault) < 0 ? cli_error(CLI_REFUSED, "the record cannot be copied: %s", fault.what) : CLI_OK;
}

static int copy_named(int from_dir, int to_dir, const char *name)
{
	cleanup_fd int from = openat(from_dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	return from < 0 ? -errno : bundle_copy(from, to_dir, name, 0600, NULL, NULL);
}

static bool ends_with(const char *name, const char *end)
{
	size_t len = strlen(name), end_len = strlen(end);

	return len > end_len && strcmp(name + len - end_len, end) == 0;
}

static int back_up_tokens(const struct backup_run *b)
{
	int from = openat(b->state, bundle_part_name(BUNDLE_AGENTS), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = from < 0 ? NULL : fdopendir(from);
	cleanup_fd int to = -1;
	struct dirent *entry;
	int r;

	if (!dir)
		return from < 0 && errno == ENOENT ? CLI_OK : cli_error(CLI_REFUSED, "%s/agents: %s", b->place->state, strerror(errno));
	to = bundle_folder(b->dir, bundle_part_name(BUNDLE_AGENTS));
	r = to < 0 ? to : 0;
	while (r == 0 && (entry = readdir(dir)))
		if (ends_with(entry->d_name, ".token") || ends_with(entry->d_name, ".sha256"))
			r = copy_named(from, to, entry->d_name);
	closedir(dir);
	return r < 0 ? not_written(b, r) : CLI_OK;
}

static int back_up_trust(const struct backup_run *b)
{
	int r = copy_named(b->state, b->dir, "trusted");

	return r == 0 || r == -ENOENT ? CLI_OK : not_written(b, r);
}

static int back_up(struct backup_run *b, uint64_t *entries)
{
	int r = back_up_store(b);

	if (r == CLI_OK)
		r = check_store(b);
	if (r == CLI_OK)
		r = back_up_record(b);
	if (r == CLI_OK)
		r = bundle_verify_record(b->dir, "the copy of the record", entries);
	if (r == CLI_OK)
		r = back_up_tokens(b);
	if (r == CLI_OK)
		r = back_up_trust(b);
	return r == CLI_OK ? bundle_seal(b->dir, b->path, b->place, *entries) : r;
}

static int run(struct backup_run *b)
{
	cleanup_buf struct buf shown = BUF_INIT(4 * PATH_MAX);
	uint64_t entries = 0;
	bool made = false;
	int r = open_target(b, &made);

	if (r != CLI_OK)
		return r;
	r = back_up(b, &entries);
	if (r != CLI_OK) {
		clear_target(b, made);
		return r;
	}
	if (text_escape(&shown, slice_str(b->path)) < 0)
		return cli_error(CLI_REFUSED, "no memory");
	printf("%.*s holds the store and %llu entr%s of the record, with the signing key, and the agents' tokens: keep it as you would keep these\n", (int)shown.len, shown.ptr,
	       (unsigned long long)entries, entries == 1 ? "y" : "ies");
	return CLI_OK;
}

int cli_backup(const struct cli_args *args)
{
	struct place place;
	struct backup_run b = { .place = &place, .path = args->operands[0], .state = -1, .dir = -1, .lock = -1 };
	int r;

	if (!b.path || !b.path[0])
		return cli_error(CLI_USAGE, "usage: bawn backup DIR");
	if (strlen(b.path) > PATH_MAX - 64)
		return cli_error(CLI_USAGE, "a path is too long");
	r = place_find(args, NULL, &place);
	if (r != CLI_OK)
		return r;
	umask(077);
	b.state = open(place.state, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (b.state < 0 && errno == ENOENT)
		return cli_error(CLI_REFUSED, "nothing is kept for %s yet (there is no %s)", place.policy, place.state);
	if (b.state < 0)
		return cli_error(CLI_REFUSED, "%s: %s", place.state, strerror(errno));
	r = place_make(&place);
	if (r == CLI_OK)
		r = run(&b);
	fd_close(&b.state);
	fd_close(&b.dir);
	fd_close(&b.lock);
	return r;
}
