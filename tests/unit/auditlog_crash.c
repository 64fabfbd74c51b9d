/* The audit log through crashes, full disks and failing ones: nothing acknowledged is lost, nothing half-written is gone on with. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "auditlog/note.h"
#include "auditlog_folder.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"

enum { RECORDS_MAX = 16, SIGNED = 2, ALL = 5 };

static const struct slice arguments = SLICE("{\"path\":\"/etc/passwd\"}");

/* Two entries that are signed for and three that are not yet; the second and the fourth have arguments. */
static int make_log(void)
{
	int dir_fd = folder_make();
	struct auditlog *log = folder_open(dir_fd);

	for (unsigned i = 1; i <= ALL; i++) {
		folder_append(log, i, i % 2 == 0 ? arguments : slice_of(NULL, 0));
		if (i == SIGNED)
			assert_int_equal(auditlog_checkpoint(log), 0);
	}
	auditlog_close(log);
	return dir_fd;
}

/* The kind of the newest entry is `kind`; of its fields, `name` is `n`. */
static void newest_says(int dir_fd, uint64_t seq, struct slice kind, struct slice name, int64_t n)
{
	struct auditlog_reader *reader;
	struct auditlog_entry entry;
	int64_t is;

	assert_int_equal(auditlog_reader_open(dir_fd, &reader, NULL), 0);
	auditlog_reader_seek(reader, seq);
	assert_int_equal(auditlog_next(reader, &entry, NULL), 1);
	assert_true(slice_eq(json_get(&entry.value, SLICE("kind"))->text, kind));
	assert_int_equal(json_int64(json_get(&entry.value, name), &is), 0);
	assert_int_equal(is, n);
	assert_int_equal(auditlog_next(reader, &entry, NULL), 0);
	auditlog_reader_free(reader);
}

static void every_torn_end_is_mended(void **state)
{
	cleanup_buf struct buf log = BUF_INIT(FOLDER_FILE_MAX);
	struct folder_record records[RECORDS_MAX];
	int clean = make_log(), dir_fd = folder_make();
	struct auditlog_fault fault;
	size_t count, ends[ALL + 1];

	(void)state;
	folder_get(clean, "log", &log);
	count = folder_cut_up(buf_slice(&log), records, RECORDS_MAX);
	assert_int_equal(count, ALL);
	for (size_t i = 0; i <= ALL; i++)
		ends[i] = i < ALL ? (size_t)(records[i].bytes.ptr - log.ptr) : log.len;
	for (size_t len = log.len + 1; len-- > 0;) {
		struct auditlog *opened = NULL;
		size_t whole = 0;

		while (whole < ALL && ends[whole + 1] <= len)
			whole++;
		folder_copy(clean, dir_fd);
		folder_put(dir_fd, "log", slice_of(log.ptr, len));
		if (len < ends[SIGNED]) {
			assert_int_equal(auditlog_open(dir_fd, NULL, &opened, &fault), -EBADMSG);
			assert_int_equal(strncmp(fault.what, "log: ", 5), 0);
			continue;
		}
		opened = folder_open(dir_fd);
		assert_int_equal(auditlog_last(opened), whole + (len != ends[whole]));
		if (len != ends[whole])
			newest_says(dir_fd, whole + 1, SLICE("log.recovered"), SLICE("bytes"), (int64_t)(len - ends[whole]));
		auditlog_close(opened);
		assert_int_equal(folder_verify(dir_fd, NULL, NULL), 0);
		/* Once only. */
		opened = folder_open(dir_fd);
		assert_int_equal(auditlog_last(opened), whole + (len != ends[whole]));
		auditlog_close(opened);
	}
	folder_remove(clean);
	folder_remove(dir_fd);
}

static void an_end_of_zeros_or_noise_is_mended(void **state)
{
	cleanup_buf struct buf log = BUF_INIT(FOLDER_FILE_MAX);
	char tail[8192];
	int clean = make_log(), dir_fd = folder_make();

	(void)state;
	for (int noise = 0; noise < 2; noise++) {
		struct auditlog *opened;

		memset(tail, 0, sizeof(tail));
		if (noise)
			randombytes_buf(tail, sizeof(tail));
		folder_copy(clean, dir_fd);
		folder_get(dir_fd, "log", &log);
		buf_add(&log, tail, sizeof(tail));
		folder_put(dir_fd, "log", buf_slice(&log));
		opened = folder_open(dir_fd);
		assert_int_equal(auditlog_last(opened), ALL + 1);
		newest_says(dir_fd, ALL + 1, SLICE("log.recovered"), SLICE("bytes"), sizeof(tail));
		auditlog_close(opened);
		assert_int_equal(folder_verify(dir_fd, NULL, NULL), 0);
	}
	folder_remove(clean);
	folder_remove(dir_fd);
}

static void whole_entries_that_are_cut_off_are_kept_beside(void **state)
{
	cleanup_buf struct buf log = BUF_INIT(FOLDER_FILE_MAX), cut = BUF_INIT(FOLDER_FILE_MAX);
	struct folder_record records[RECORDS_MAX];
	int dir_fd = make_log();
	struct auditlog_reader *reader;
	struct auditlog_entry entry;
	size_t at;
	char saved[64] = "";

	(void)state;
	folder_get(dir_fd, "log", &log);
	folder_cut_up(buf_slice(&log), records, RECORDS_MAX);
	at = (size_t)(records[SIGNED].bytes.ptr - log.ptr);
	log.ptr[at + 20] ^= 1;
	folder_put(dir_fd, "log", buf_slice(&log));
	auditlog_close(folder_open(dir_fd));
	newest_says(dir_fd, SIGNED + 1, SLICE("log.recovered"), SLICE("entries"), ALL - SIGNED - 1);
	assert_int_equal(auditlog_reader_open(dir_fd, &reader, NULL), 0);
	auditlog_reader_seek(reader, SIGNED + 1);
	assert_int_equal(auditlog_next(reader, &entry, NULL), 1);
	snprintf(saved, sizeof(saved), "%.*s", SLICE_ARG(json_get(&entry.value, SLICE("saved"))->text));
	auditlog_reader_free(reader);
	folder_get(dir_fd, saved, &cut);
	assert_true(slice_eq(buf_slice(&cut), slice_of(log.ptr + at, log.len - at)));
	assert_int_equal(folder_verify(dir_fd, NULL, NULL), 0);
	folder_remove(dir_fd);
}

static void a_number_out_of_order_is_no_torn_end(void **state)
{
	cleanup_buf struct buf log = BUF_INIT(FOLDER_FILE_MAX);
	struct folder_record records[RECORDS_MAX];
	struct auditlog_fault fault;
	struct auditlog *opened;
	int dir_fd = make_log();

	(void)state;
	folder_get(dir_fd, "log", &log);
	folder_cut_up(buf_slice(&log), records, RECORDS_MAX);
	/* The last record twice: the slices point into `log`, so it must not move while it is copied. */
	assert_int_equal(buf_reserve(&log, records[ALL - 1].bytes.len), 0);
	folder_cut_up(buf_slice(&log), records, RECORDS_MAX);
	assert_int_equal(buf_add_slice(&log, records[ALL - 1].bytes), 0);
	folder_put(dir_fd, "log", buf_slice(&log));
	assert_int_equal(auditlog_open(dir_fd, NULL, &opened, &fault), -EBADMSG);
	assert_non_null(strstr(fault.what, "entry 5 at byte"));
	assert_non_null(strstr(fault.what, "where entry 6 is due"));
	folder_remove(dir_fd);
}

static void a_torn_history_is_mended_or_refused(void **state)
{
	cleanup_buf struct buf history = BUF_INIT(FOLDER_FILE_MAX), longer = BUF_INIT(FOLDER_FILE_MAX);
	int clean = make_log(), dir_fd = folder_make();
	struct auditlog_fault fault;
	struct auditlog *opened;

	(void)state;
	folder_get(clean, "checkpoints", &history);
	/* The history is written before `checkpoint`: it may have too much, never too little. */
	for (size_t len = 0; len < history.len; len++) {
		folder_copy(clean, dir_fd);
		folder_put(dir_fd, "checkpoints", slice_of(history.ptr, len));
		assert_int_equal(auditlog_open(dir_fd, NULL, &opened, &fault), -EBADMSG);
		assert_int_equal(strncmp(fault.what, "checkpoints: ", 13), 0);
	}
	for (size_t len = 1; len < history.len / 2; len += 3) {
		buf_clear(&longer);
		buf_add_slice(&longer, buf_slice(&history));
		buf_add(&longer, history.ptr, len);
		folder_copy(clean, dir_fd);
		folder_put(dir_fd, "checkpoints", buf_slice(&longer));
		opened = folder_open(dir_fd);
		assert_int_equal(auditlog_last(opened), ALL + 1);
		newest_says(dir_fd, ALL + 1, SLICE("log.recovered"), SLICE("bytes"), (int64_t)len);
		assert_int_equal(auditlog_checkpoint(opened), 0);
		auditlog_close(opened);
		assert_int_equal(folder_verify(dir_fd, NULL, NULL), 0);
	}
	folder_remove(clean);
	folder_remove(dir_fd);
}

static void a_half_made_log_is_made_anew(void **state)
{
	static const char *const made[] = { "log", "key.pub", "checkpoints", "checkpoint", "key" };
	cleanup_buf struct buf bytes = BUF_INIT(FOLDER_FILE_MAX);
	int clean = folder_make(), dir_fd = folder_make();

	(void)state;
	auditlog_close(folder_open(clean));
	/* The files in the order in which they are made; the process dies before number `n`, or while the log gets its first line. */
	for (size_t n = 0; n <= sizeof(made) / sizeof(made[0]); n++) {
		struct auditlog *log;

		for (size_t i = 0; i < n && i < 5; i++) {
			folder_get(clean, made[i], &bytes);
			folder_put(dir_fd, made[i], n == 1 ? slice_of(bytes.ptr, bytes.len / 2) : buf_slice(&bytes));
		}
		log = folder_open(dir_fd);
		assert_int_equal(folder_append(log, 1, arguments), 1);
		assert_int_equal(auditlog_checkpoint(log), 0);
		auditlog_close(log);
		assert_int_equal(folder_verify(dir_fd, NULL, NULL), 0);
		folder_remove(dir_fd);
		dir_fd = folder_make();
	}
	folder_remove(clean);
	folder_remove(dir_fd);
}

/* What a process may write to files, as a disk that is full at any byte. */
static void allow_bytes(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static off_t size_of(int dir_fd, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(dir_fd, name, &st, 0), 0);
	return st.st_size;
}

static void an_append_that_does_not_fit_leaves_nothing(void **state)
{
	int dir_fd = make_log();
	struct auditlog *log = folder_open(dir_fd);
	off_t size = size_of(dir_fd, "log");
	uint64_t seq = 0;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	for (rlim_t room = 0; room < 200; room++) {
		allow_bytes((rlim_t)size + room);
		assert_int_equal(auditlog_append(log, SLICE("call.intent"), NULL, arguments, &seq), -EFBIG);
		assert_int_equal(size_of(dir_fd, "log"), size);
		assert_int_equal(auditlog_last(log), ALL);
	}
	allow_bytes(RLIM_INFINITY);
	assert_int_equal(auditlog_append(log, SLICE("call.intent"), NULL, arguments, &seq), 0);
	assert_int_equal(seq, ALL + 1);
	/* A checkpoint that does not fit leaves nothing either, and is made the next time. */
	size = size_of(dir_fd, "checkpoints");
	for (rlim_t room = 0; room < 150; room += 10) {
		allow_bytes((rlim_t)size + room);
		assert_int_equal(auditlog_checkpoint(log), -EFBIG);
		assert_int_equal(size_of(dir_fd, "checkpoints"), size);
	}
	allow_bytes(RLIM_INFINITY);
	assert_int_equal(folder_append(log, 9, arguments), ALL + 2);
	assert_int_equal(auditlog_checkpoint(log), 0);
	auditlog_close(log);
	assert_int_equal(folder_verify(dir_fd, NULL, NULL), 0);
	folder_remove(dir_fd);
}

static void recovery_is_recorded_when_there_is_room_again(void **state)
{
	cleanup_buf struct buf log = BUF_INIT(FOLDER_FILE_MAX);
	int dir_fd = make_log();
	struct auditlog *opened = NULL;
	off_t size = size_of(dir_fd, "log");
	int r;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	folder_get(dir_fd, "log", &log);
	buf_add_str(&log, "torn");
	folder_put(dir_fd, "log", buf_slice(&log));
	allow_bytes((rlim_t)size);
	r = auditlog_open(dir_fd, NULL, &opened, NULL);
	allow_bytes(RLIM_INFINITY);
	assert_int_equal(r, 0);
	assert_int_equal(auditlog_last(opened), ALL);
	assert_int_equal(folder_append(opened, 1, arguments), ALL + 2);
	auditlog_close(opened);
	assert_int_equal(folder_verify(dir_fd, NULL, NULL), 0);
	folder_remove(dir_fd);
}

static bool write_text(const char *path, const char *text)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && io_write_all(fd, text, strlen(text)) == 0;
}

/* In a mount namespace of its own, so that nothing is left behind; as an ordinary user in a user namespace. */
static bool own_mounts(void)
{
	char users[64], groups[64];

	snprintf(users, sizeof(users), "0 %u 1", (unsigned)getuid());
	snprintf(groups, sizeof(groups), "0 %u 1", (unsigned)getgid());
	if (unshare(CLONE_NEWNS) < 0 &&
	    (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 || !write_text("/proc/self/setgroups", "deny") ||
	     !write_text("/proc/self/uid_map", users) || !write_text("/proc/self/gid_map", groups)))
		return false;
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && mount("none", "/tmp", "tmpfs", 0, "size=512k") == 0;
}

/* Exit status 0 when all is well, 77 when this machine does not permit the mount, else the line. */
static void fill_the_disk(void)
{
	char block[4096] = { 0 };
	struct auditlog *log;
	int dir_fd, filler, failed = 0, r;
	uint64_t seq = 0, last;

	if (!own_mounts())
		_exit(77);
	dir_fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	filler = openat(dir_fd, "filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (filler < 0 || auditlog_open(dir_fd, NULL, &log, NULL) < 0)
		_exit(1);
	while (write(filler, block, sizeof(block)) > 0)
		;
	for (int i = 0; i < 1000; i++) {
		r = auditlog_append(log, SLICE("call.intent"), NULL, arguments, &seq);
		if (r < 0 && r != -ENOSPC)
			_exit(2);
		failed += r < 0;
	}
	last = auditlog_last(log);
	/* It may go on until its last page is full, and no further. */
	if (failed < 900 || seq != last || auditlog_sync(log) < 0 || auditlog_checkpoint(log) != -ENOSPC)
		_exit(3);
	unlinkat(dir_fd, "filler", 0);
	close(filler);
	if (auditlog_append(log, SLICE("call.intent"), NULL, arguments, &seq) < 0 || seq != last + 1 || auditlog_checkpoint(log) < 0)
		_exit(4);
	auditlog_close(log);
	_exit(folder_verify(dir_fd, NULL, NULL) == 0 ? 0 : 5);
}

static void a_full_disk_is_survived(void **state)
{
	pid_t child = fork();
	int status = 0;

	(void)state;
	assert_true(child >= 0);
	if (child == 0)
		fill_the_disk();
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("skipped: no mount for a small disk\n");
		skip();
	}
	assert_int_equal(status, 0);
}

/* Fails when *ctx says so. */
static int failing_sync(void *ctx, int fd)
{
	return *(const int *)ctx ? -EIO : fdatasync(fd) < 0 ? -errno : 0;
}

static void after_a_failed_sync_nothing_is_appended(void **state)
{
	int broken = 0, dir_fd = folder_make();
	struct auditlog_options options = { .sync = failing_sync, .ctx = &broken };
	struct auditlog_progress progress;
	struct auditlog *log;
	uint64_t seq;

	(void)state;
	assert_int_equal(auditlog_open(dir_fd, &options, &log, NULL), 0);
	folder_append(log, 1, arguments);
	assert_int_equal(auditlog_sync(log), 0);
	folder_append(log, 2, arguments);
	broken = 1;
	assert_int_equal(auditlog_sync(log), -EIO);
	broken = 0;
	assert_int_equal(auditlog_append(log, SLICE("call.intent"), NULL, arguments, &seq), -EIO);
	assert_int_equal(auditlog_sync(log), -EIO);
	auditlog_progress(log, &progress);
	assert_int_equal(progress.durable, 1);
	assert_int_equal(progress.sync_error, -EIO);
	auditlog_close(log);
	log = folder_open(dir_fd);
	assert_int_equal(folder_append(log, 3, arguments), 3);
	auditlog_close(log);
	folder_remove(dir_fd);
}

enum { BATCH = 100 };

/*
 * Appends and syncs for ever, telling each number when it is on the disk. With `in` it waits for a byte before each batch of entries.
 */
static void append_for_ever(int dir_fd, int in, int out)
{
	cleanup_free char *long_arguments = malloc(100000);
	struct auditlog_progress progress = { 0 };
	struct auditlog *log;
	uint64_t seq = 0;
	int event_fd;

	memset(long_arguments, '7', 100000);
	if (auditlog_open(dir_fd, NULL, &log, NULL) < 0 || auditlog_start(log, &event_fd) < 0)
		_exit(1);
	for (;;) {
		uint64_t told = progress.durable;
		size_t len = randombytes_uniform(4) ? randombytes_uniform(200) : randombytes_uniform(100000);
		char go;

		if (in >= 0 && seq % BATCH == 0 && read(in, &go, 1) != 1)
			_exit(4);
		if (auditlog_append(log, SLICE("call.intent"), NULL, slice_of(long_arguments, len), &seq) < 0)
			_exit(2);
		auditlog_want_sync(log);
		if (seq % 8 == 0)
			auditlog_want_checkpoint(log);
		auditlog_progress(log, &progress);
		if (progress.durable > told && io_write_all(out, &progress.durable, sizeof(progress.durable)) < 0)
			_exit(3);
	}
}

static void kill_once(int dir_fd)
{
	unsigned after = randombytes_uniform(30);
	struct auditlog_verified verified;
	uint64_t told = 0, most = 0;
	struct auditlog *log;
	int pipe_fds[2];
	pid_t child;

	assert_int_equal(pipe(pipe_fds), 0);
	child = fork();
	if (child == 0) {
		close(pipe_fds[0]);
		append_for_ever(dir_fd, -1, pipe_fds[1]);
	}
	assert_true(child > 0);
	close(pipe_fds[1]);
	for (unsigned i = 0; i < after; i++)
		assert_int_equal(read(pipe_fds[0], &told, sizeof(told)), sizeof(told));
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	most = told;
	while (read(pipe_fds[0], &told, sizeof(told)) == sizeof(told))
		most = told;
	close(pipe_fds[0]);
	log = folder_open(dir_fd);
	assert_true(auditlog_last(log) >= most);
	auditlog_close(log);
	assert_int_equal(folder_verify(dir_fd, &verified, NULL), 0);
	assert_true(verified.entries >= most);
}

static void kill_9_loses_nothing_acknowledged(void **state)
{
	const char *text = getenv("BAWN_ROUNDS");
	uint64_t rounds = 20;
	int dir_fd = folder_make();

	(void)state;
	if (text)
		assert_int_equal(text_u64(slice_str(text), 1, 1000000, &rounds), 0);
	for (uint64_t i = 0; i < rounds; i++) {
		kill_once(dir_fd);
		/* A log of its own now and then, so that proving it stays quick and making one is interrupted too. */
		if (i % 10 == 9) {
			folder_remove(dir_fd);
			dir_fd = folder_make();
		}
	}
	folder_remove(dir_fd);
}

static void a_log_is_proven_while_it_grows(void **state)
{
	int dir_fd = folder_make(), tell[2], go[2];
	struct auditlog_verified verified;
	char first[256] = "";
	uint64_t seen = 0;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(tell), 0);
	assert_int_equal(pipe(go), 0);
	child = fork();
	if (child == 0)
		append_for_ever(dir_fd, go[0], tell[1]);
	assert_true(child > 0);
	/* The key comes last when a log is made. */
	assert_int_equal(write(go[1], "", 1), 1);
	while (!folder_there(dir_fd, "key"))
		sched_yield();
	for (unsigned i = 0; i < 10 && !first[0]; i++) {
		assert_int_equal(write(go[1], "", 1), 1);
		folder_verify(dir_fd, &verified, first);
		assert_true(verified.entries >= seen);
		seen = verified.entries;
	}
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	for (int i = 0; i < 2; i++) {
		close(tell[i]);
		close(go[i]);
	}
	assert_string_equal(first, "");
	folder_remove(dir_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_torn_end_is_mended),
		cmocka_unit_test(an_end_of_zeros_or_noise_is_mended),
		cmocka_unit_test(whole_entries_that_are_cut_off_are_kept_beside),
		cmocka_unit_test(a_number_out_of_order_is_no_torn_end),
		cmocka_unit_test(a_torn_history_is_mended_or_refused),
		cmocka_unit_test(a_half_made_log_is_made_anew),
		cmocka_unit_test(an_append_that_does_not_fit_leaves_nothing),
		cmocka_unit_test(recovery_is_recorded_when_there_is_room_again),
		cmocka_unit_test(a_full_disk_is_survived),
		cmocka_unit_test(after_a_failed_sync_nothing_is_appended),
		cmocka_unit_test(kill_9_loses_nothing_acknowledged),
		cmocka_unit_test(a_log_is_proven_while_it_grows),
	};

	return cmocka_run_group_tests_name("auditlog_crash", tests, NULL, NULL);
}
