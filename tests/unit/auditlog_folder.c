#include "auditlog_folder.h"

#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/io.h"

int folder_make(void)
{
	char name[] = "/tmp/bawn-auditlog-XXXXXX";
	int fd;

	assert_non_null(mkdtemp(name));
	fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void for_each_file(int dir_fd, void (*visit)(int dir_fd, const char *name, int arg), int arg)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fdopendir(fd);
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			visit(dir_fd, entry->d_name, arg);
	closedir(dir);
}

static void remove_file(int dir_fd, const char *name, int arg)
{
	(void)arg;
	unlinkat(dir_fd, name, 0);
}

void folder_remove(int dir_fd)
{
	char link[64], path[256];
	ssize_t n;

	for_each_file(dir_fd, remove_file, 0);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir_fd);
	n = readlink(link, path, sizeof(path) - 1);
	assert_true(n > 0);
	path[n] = '\0';
	close(dir_fd);
	rmdir(path);
}

void folder_get(int dir_fd, const char *name, struct buf *out)
{
	buf_clear(out);
	assert_int_equal(io_read_file(dir_fd, name, out), 0);
}

void folder_put(int dir_fd, const char *name, struct slice bytes)
{
	cleanup_fd int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, bytes.ptr, bytes.len), 0);
}

bool folder_there(int dir_fd, const char *name)
{
	return faccessat(dir_fd, name, F_OK, 0) == 0;
}

static void copy_file(int dir_fd, const char *name, int to)
{
	cleanup_buf struct buf bytes = BUF_INIT(FOLDER_FILE_MAX);

	folder_get(dir_fd, name, &bytes);
	folder_put(to, name, buf_slice(&bytes));
}

void folder_copy(int from, int to)
{
	for_each_file(to, remove_file, 0);
	for_each_file(from, copy_file, to);
}

struct auditlog *folder_open(int dir_fd)
{
	struct auditlog_fault fault = { "" };
	struct auditlog_options options = { .frontier_bytes = 1 };
	struct auditlog *log = NULL;
	int r = auditlog_open(dir_fd, &options, &log, &fault);

	if (r < 0)
		fail_msg("cannot open: %s (%d)", fault.what, r);
	return log;
}

uint64_t folder_append(struct auditlog *log, unsigned n, struct slice arguments)
{
	char number[16];
	struct json_member members[] = {
		{ .name = SLICE("session"), .value = { .type = JSON_NUMBER } },
		{ .name = SLICE("agent"), .value = { .type = JSON_STRING, .text = SLICE("dev") } },
	};
	struct json fields = { .type = JSON_OBJECT, .count = 2, .members = members };
	uint64_t seq = 0;

	snprintf(number, sizeof(number), "%u", n);
	members[0].value.text = slice_str(number);
	assert_int_equal(auditlog_append(log, SLICE("call.intent"), &fields, arguments, &seq), 0);
	return seq;
}

static void keep_first(void *ctx, const struct auditlog_finding *finding)
{
	char *first = ctx;

	if (first && !first[0])
		snprintf(first, 256, "%s: entry %llu at %llu: %.150s", finding->file, (unsigned long long)finding->seq,
			 (unsigned long long)finding->offset, finding->what);
}

uint64_t folder_verify(int dir_fd, struct auditlog_verified *ret_verified, char *ret_first)
{
	struct auditlog_verified verified;

	if (ret_first)
		ret_first[0] = '\0';
	assert_int_equal(auditlog_verify(dir_fd, slice_of(NULL, 0), keep_first, ret_first, &verified), 0);
	if (ret_verified)
		*ret_verified = verified;
	return verified.findings;
}

size_t folder_cut_up(struct slice log, struct folder_record *ret_records, size_t max)
{
	size_t at = FRAME_MAGIC_LEN, count = 0;

	while (at < log.len && count < max) {
		struct folder_record *record = &ret_records[count++];
		size_t start = at;
		struct frame frame;

		*record = (struct folder_record){ 0 };
		do {
			assert_int_equal(frame_read(slice_of(log.ptr + at, log.len - at), &frame), FRAME_OK);
			at += frame.size;
			if (frame.kind != FRAME_ENTRY)
				record->arguments = frame.payload;
		} while (frame.kind != FRAME_ENTRY);
		record->entry = frame.payload;
		record->bytes = slice_of(log.ptr + start, at - start);
	}
	return count;
}
