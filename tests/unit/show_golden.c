/*
 * golden/show: what a person sees at 80 columns, byte for byte. NAME.json alone is shown as a tree; with NAME.after.json, as the difference from the one to
 * the other. BAWN_GOLDEN=write makes the expected files anew, to be read through before they are kept.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "show/show.h"

enum { ROOM = 16 * 1024 * 1024, NAME_MOST = 256, COLUMNS = 80 };

static int open_folder(void)
{
	const char *source = getenv("BAWN_SOURCE");
	char path[4096];

	snprintf(path, sizeof(path), "%s/tests/golden/show", source ? source : ".");
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool parse(struct arena *arena, int folder, const char *name, const char *ending, struct json *ret_value)
{
	cleanup_buf struct buf text = BUF_INIT(ROOM);
	char path[NAME_MOST + 16];
	int r;

	snprintf(path, sizeof(path), "%s%s", name, ending);
	r = io_read_file(folder, path, &text);
	if (r == -ENOENT)
		return false;
	assert_int_equal(r, 0);
	assert_int_equal(json_parse(arena, buf_slice(&text), &json_limits_default, ret_value, NULL), JSON_OK);
	return true;
}

static void show_one(int folder, const char *name, struct buf *out)
{
	cleanup_arena struct arena arena = ARENA_INIT(ROOM);
	struct show show = SHOW_INIT(out, COLUMNS);
	struct json before, after;
	size_t count;

	assert_true(parse(&arena, folder, name, ".json", &before));
	if (parse(&arena, folder, name, ".after.json", &after))
		assert_int_equal(show_difference(&show, 2, &before, &after, &count), 0);
	else
		assert_int_equal(show_tree(&show, 2, &before), 0);
}

static void check_one(int folder, const char *name)
{
	cleanup_buf struct buf out = BUF_INIT(ROOM), expected = BUF_INIT(ROOM);
	const char *mode = getenv("BAWN_GOLDEN");
	char path[NAME_MOST + 16];

	show_one(folder, name, &out);
	snprintf(path, sizeof(path), "%s.expected", name);
	if (mode && strcmp(mode, "write") == 0)
		assert_int_equal(io_replace_file(folder, path, 0644, out.ptr, out.len), 0);
	assert_int_equal(io_read_file(folder, path, &expected), 0);
	if (!slice_eq(buf_slice(&out), buf_slice(&expected)))
		fail_msg("%s is shown as:\n%.*s", name, (int)out.len, out.ptr);
}

static void each_is_shown_as_expected(void **state)
{
	int folder = open_folder();
	DIR *dir = fdopendir(dup(folder));
	size_t count = 0;

	(void)state;
	assert_non_null(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		size_t len = strlen(e->d_name);
		char name[NAME_MOST];

		if (len < 6 || strcmp(e->d_name + len - 5, ".json") != 0 || strstr(e->d_name, ".after.json"))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(len - 5), e->d_name);
		check_one(folder, name);
		count++;
	}
	closedir(dir);
	close(folder);
	assert_true(count >= 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_is_shown_as_expected) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
