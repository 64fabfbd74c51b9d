/*
 * What recording costs: one entry with 300 bytes of arguments, as for a call's intent. Appended only; appended and synced one by one; and with
 * group commit, each asking for a sync as it is appended. Beside it, in the same run and in turns, the least that a disk can do:
 * the same number of bytes written and synced with nothing else. Then reading the log again: the proof, and an opening.
 *
 * usage: bench-audit [FOLDER]     a folder on the disk that is to be measured; the working folder otherwise
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auditlog/reader.h"
#include "base/clock.h"

enum { APPENDS = 20000, SYNCED = 300, TURNS = 3, ARGUMENTS = 300 };

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static unsigned syncs;

static int count_sync(void *ctx, int fd)
{
	(void)ctx;
	__atomic_add_fetch(&syncs, 1, __ATOMIC_RELAXED);
	return fdatasync(fd);
}

static uint64_t append(struct auditlog *log)
{
	static char arguments[ARGUMENTS];
	struct json_member members[] = {
		{ .name = SLICE("session"), .value = { .type = JSON_NUMBER, .text = SLICE("12") } },
		{ .name = SLICE("agent"), .value = { .type = JSON_STRING, .text = SLICE("dev") } },
		{ .name = SLICE("server"), .value = { .type = JSON_STRING, .text = SLICE("files") } },
		{ .name = SLICE("tool"), .value = { .type = JSON_STRING, .text = SLICE("files.read_text_file") } },
		{ .name = SLICE("call"), .value = { .type = JSON_NUMBER, .text = SLICE("4711") } },
		{ .name = SLICE("effect"), .value = { .type = JSON_STRING, .text = SLICE("write") } },
		{ .name = SLICE("decision"), .value = { .type = JSON_STRING, .text = SLICE("allow") } },
		{ .name = SLICE("rule"), .value = { .type = JSON_STRING, .text = SLICE("agents.dev.allow[0]") } },
	};
	struct json fields = { .type = JSON_OBJECT, .count = sizeof(members) / sizeof(members[0]), .members = members };
	uint64_t seq;

	memset(arguments, 'a', sizeof(arguments));
	if (auditlog_append(log, SLICE("call.intent"), &fields, slice_of(arguments, sizeof(arguments)), &seq) < 0)
		die("append");
	return seq;
}

static void print(const char *what, uint64_t count, uint64_t ns)
{
	printf("%-44s %9.0f a second %9.1f us each\n", what, (double)count * 1e9 / (double)ns, (double)ns / 1e3 / (double)count);
}

static void appends(struct auditlog *log)
{
	uint64_t start = clock_monotonic_ns();

	for (int i = 0; i < APPENDS; i++)
		append(log);
	print("appended", APPENDS, clock_monotonic_ns() - start);
	if (auditlog_sync(log) < 0)
		die("sync");
}

static void synced_one_by_one(struct auditlog *log)
{
	uint64_t start = clock_monotonic_ns();

	for (int i = 0; i < SYNCED; i++) {
		append(log);
		if (auditlog_sync(log) < 0)
			die("sync");
	}
	print("appended and synced, one by one", SYNCED, clock_monotonic_ns() - start);
}

static void plain(int dir_fd, size_t bytes)
{
	int fd = openat(dir_fd, "plain", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	char *block = calloc(1, bytes);
	uint64_t start = clock_monotonic_ns();

	if (fd < 0 || !block)
		die("plain");
	for (int i = 0; i < SYNCED; i++)
		if (write(fd, block, bytes) != (ssize_t)bytes || fdatasync(fd) < 0)
			die("plain");
	print("as many bytes written and synced, nothing else", SYNCED, clock_monotonic_ns() - start);
	free(block);
	close(fd);
}

static void grouped(struct auditlog *log)
{
	uint64_t start = clock_monotonic_ns(), last = 0;
	struct auditlog_progress progress = { 0 };
	unsigned before;
	int event_fd;

	if (auditlog_start(log, &event_fd) < 0)
		die("thread");
	before = __atomic_load_n(&syncs, __ATOMIC_RELAXED);
	for (int i = 0; i < APPENDS; i++) {
		last = append(log);
		auditlog_want_sync(log);
	}
	while (progress.durable < last) {
		struct pollfd waiting = { .fd = event_fd, .events = POLLIN };

		if (poll(&waiting, 1, -1) < 0)
			die("poll");
		auditlog_progress(log, &progress);
	}
	print("appended, all durable, group commit", APPENDS, clock_monotonic_ns() - start);
	printf("%-44s %9.1f entries a sync\n", "", (double)APPENDS / (double)(__atomic_load_n(&syncs, __ATOMIC_RELAXED) - before));
	auditlog_want_checkpoint(log);
	auditlog_stop(log);
}

static void read_again(int dir_fd)
{
	struct auditlog_verified verified;
	struct auditlog *log;
	struct stat st;
	uint64_t start = clock_monotonic_ns(), ns;

	if (auditlog_verify(dir_fd, slice_of(NULL, 0), NULL, NULL, &verified) < 0 || verified.findings)
		die("verify");
	ns = clock_monotonic_ns() - start;
	if (fstatat(dir_fd, "log", &st, 0) < 0)
		die("log");
	print("proven by `bawn audit verify`", verified.entries, ns);
	printf("%-44s %9.1f MiB a second\n", "", (double)st.st_size / 1048576 * 1e9 / (double)ns);
	start = clock_monotonic_ns();
	if (auditlog_open(dir_fd, NULL, &log, NULL) < 0)
		die("open");
	printf("%-44s %9.1f ms for a log of %.0f MiB\n", "opened", (double)(clock_monotonic_ns() - start) / 1e6, (double)st.st_size / 1048576);
	auditlog_close(log);
}

int main(int argc, char **argv)
{
	static const char *const files[] = { "log", "checkpoint", "checkpoints", "key", "key.pub", "frontier", "plain" };
	struct auditlog_options options = { .sync = count_sync };
	char name[4096];
	struct auditlog *log;
	struct stat st;
	int dir_fd = -1;

	snprintf(name, sizeof(name), "%s/bench-audit-XXXXXX", argc > 1 ? argv[1] : ".");
	if (!mkdtemp(name))
		die(name);
	dir_fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		die(name);
	if (auditlog_open(dir_fd, &options, &log, NULL) < 0)
		die("open");
	appends(log);
	if (fstatat(dir_fd, "log", &st, 0) < 0)
		die("log");
	for (int i = 0; i < TURNS; i++) {
		synced_one_by_one(log);
		plain(dir_fd, (size_t)st.st_size / APPENDS);
	}
	for (int i = 0; i < TURNS; i++)
		grouped(log);
	auditlog_close(log);
	read_again(dir_fd);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlinkat(dir_fd, files[i], 0);
	close(dir_fd);
	return rmdir(name) < 0;
}
