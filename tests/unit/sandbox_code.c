/* The digest of a server's code: what changes it, what does not, what is remembered, what cannot be read. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/magic.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "launcher/sandbox_code_tree.h"

/* A folder of the host as two mounts, shown where they lie: the walk is that of the sandbox, without one around it. */
static char folder[] = "/tmp/bawn-code-XXXXXX";
static char app[64], work[64];
static struct sandbox_common common;
static struct sandbox_mount mounts[4];
static struct sandbox_plan plan;
static char words[6][128];
static char *argv[7], *env[3];

static const char *in(const char *name)
{
	static char path[4][300];
	static int next;

	next = (next + 1) % 4;
	snprintf(path[next], sizeof(path[next]), "%s/%s", folder, name);
	return path[next];
}

static void plant(const char *name, const char *content)
{
	cleanup_fd int fd = open(in(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, content, strlen(content)), 0);
}

static int unlink_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void command(const char *a, const char *b, const char *c)
{
	const char *const given[] = { a, b, c };

	memset(argv, 0, sizeof(argv));
	for (int i = 0; i < 3 && given[i]; i++) {
		snprintf(words[i], sizeof(words[i]), "%s", given[i]);
		argv[i] = words[i];
	}
}

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/bawn-code-XXXXXX");
	if (!mkdtemp(folder) || chmod(folder, 0755) < 0)
		return -1;
	snprintf(app, sizeof(app), "%s/app", folder);
	snprintf(work, sizeof(work), "%s/work", folder);
	if (mkdir(app, 0755) < 0 || mkdir(work, 0755) < 0 || mkdir(in("app/lib"), 0755) < 0 || chdir(work) < 0)
		return -1;
	plant("app/main.js", "main\n");
	plant("app/lib/part.js", "part\n");
	plant("work/notes", "data\n");
	plant("work/tool.py", "code\n");
	mounts[0] = (struct sandbox_mount){ .host = work, .at = work, .writable = true, .workspace = true };
	mounts[1] = (struct sandbox_mount){ .host = app, .at = app };
	memset(&common, 0, sizeof(common));
	memset(env, 0, sizeof(env));
	plan = (struct sandbox_plan){ .name = "test", .argv = argv, .env = env, .workdir = work, .mounts = mounts, .mount_count = 2 };
	command("/bin/true", in("app/main.js"), NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (chdir("/") < 0)
		return -1;
	return nftw(folder, unlink_one, 20, FTW_DEPTH | FTW_PHYS);
}

static struct sandbox_report report_of(void)
{
	struct sandbox_inside inside = { .common = &common, .plan = &plan };
	struct sandbox_report report = { 0 };

	sandbox_code(&inside, &report);
	return report;
}

static struct sandbox_code code_of(void)
{
	struct sandbox_report report = report_of();

	if (report.fault.error)
		fail_msg("%s", report.fault.text);
	return report.code;
}

static void assert_same(const struct sandbox_code *a, const struct sandbox_code *b)
{
	assert_memory_equal(a->digest, b->digest, SANDBOX_CODE_BYTES);
}

/* The digest is another one than `*last`, which becomes it. */
static void assert_changed(struct sandbox_code *last)
{
	struct sandbox_code now = code_of();

	assert_memory_not_equal(last->digest, now.digest, SANDBOX_CODE_BYTES);
	*last = now;
}

static void every_change_of_the_code_changes_it(void **state)
{
	struct sandbox_code last = code_of(), first = last;

	(void)state;
	plant("app/main.js", "mair\n");
	assert_changed(&last);
	plant("app/main.js", "main\n");
	last = code_of();
	assert_same(&last, &first);
	plant("app/lib/part.js", "parts\n");
	assert_changed(&last);
	assert_int_equal(rename(in("app/lib/part.js"), in("app/lib/paru.js")), 0);
	assert_changed(&last);
	assert_int_equal(rename(in("app/lib"), in("app/lic")), 0);
	assert_changed(&last);
	assert_int_equal(chmod(in("app/lic/paru.js"), 0744), 0);
	assert_changed(&last);
	plant("app/empty", "");
	assert_changed(&last);
	assert_int_equal(mkdir(in("app/none"), 0755), 0);
	assert_changed(&last);
	assert_int_equal(symlink("main.js", in("app/link")), 0);
	assert_changed(&last);
	assert_int_equal(unlink(in("app/link")), 0);
	assert_int_equal(symlink("empty", in("app/link")), 0);
	assert_changed(&last);
	assert_int_equal(unlink(in("app/empty")), 0);
	assert_int_equal(mkfifo(in("app/empty"), 0644), 0);
	assert_changed(&last);
	/* What a folder held is not what a file holds, nor two files what one does. */
	assert_int_equal(rmdir(in("app/none")), 0);
	plant("app/none", "");
	assert_changed(&last);
}

static void what_is_no_code_does_not_change_it(void **state)
{
	struct sandbox_code first = code_of(), now;
	const struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };

	(void)state;
	assert_int_equal(utimensat(AT_FDCWD, in("app/main.js"), times, 0), 0);
	assert_int_equal(chmod(in("app/main.js"), 0600), 0);
	now = code_of();
	assert_same(&first, &now);
	plant("work/notes", "other data\n");
	plant("work/tool.py", "other code\n");
	plant("work/more", "");
	now = code_of();
	assert_same(&first, &now);
}

/* A link out of the mount is told as a link; what it leads to is not read. */
static void a_link_is_not_followed(void **state)
{
	struct sandbox_code last, now;

	(void)state;
	assert_int_equal(symlink(work, in("app/out")), 0);
	assert_int_equal(symlink(in("work/notes"), in("app/note")), 0);
	last = code_of();
	plant("work/notes", "changed\n");
	now = code_of();
	assert_same(&last, &now);
}

/* In the workspace only what the command names, and only what looks like a program. */
static void the_workspace_counts_by_the_named_program(void **state)
{
	struct sandbox_code last, now;

	(void)state;
	command("/bin/true", "tool.py", "notes");
	last = code_of();
	plant("work/notes", "x\n");
	plant("work/beside.py", "x\n");
	now = code_of();
	assert_same(&last, &now);
	plant("work/tool.py", "x\n");
	assert_changed(&last);
	/* Without an ending, it counts once it may be run, or says that it is a script. */
	assert_int_equal(chmod(in("work/notes"), 0755), 0);
	assert_changed(&last);
	assert_int_equal(chmod(in("work/notes"), 0644), 0);
	plant("work/notes", "#!/bin/sh\n");
	last = code_of();
	plant("work/notes", "#!/bin/sh\nid\n");
	assert_changed(&last);
}

static void the_program_counts_wherever_it_lies(void **state)
{
	struct sandbox_code last;

	(void)state;
	command(in("work/notes"), NULL, NULL);
	last = code_of();
	plant("work/notes", "x\n");
	assert_changed(&last);
	command(in("app/main.js"), NULL, NULL);
	last = code_of();
	plant("app/lib/part.js", "x\n");
	assert_changed(&last);
	command("/bin/true", NULL, NULL);
	assert_changed(&last);
	command("/bin/false", NULL, NULL);
	assert_changed(&last);
	/* Found by its name as the exec will find it. */
	command("false", NULL, NULL);
	assert_same(&last, &(struct sandbox_code[]){ code_of() }[0]);
	/* The interpreter of a script. */
	plant("work/interpreter", "x\n");
	assert_int_equal(chmod(in("work/interpreter"), 0755), 0);
	{
		char line[200];

		snprintf(line, sizeof(line), "#! %s -x\n", in("work/interpreter"));
		plant("work/script", line);
	}
	command(in("work/script"), NULL, NULL);
	last = code_of();
	plant("work/interpreter", "y\n");
	assert_changed(&last);
}

/* A name that is a link: both where it lies and where it leads. */
static void a_named_link_counts_with_where_it_leads(void **state)
{
	struct sandbox_code last;

	(void)state;
	assert_int_equal(mkdir(in("other"), 0755), 0);
	plant("other/real.js", "real\n");
	plant("other/more.js", "more\n");
	assert_int_equal(symlink("../other/real.js", in("app/start")), 0);
	mounts[2] = (struct sandbox_mount){ .host = in("other"), .at = strdup(in("other")) };
	plan.mount_count = 3;
	command("/bin/true", in("app/start"), NULL);
	last = code_of();
	plant("other/more.js", "mire\n");
	assert_changed(&last);
	plant("app/lib/part.js", "part of it\n");
	assert_changed(&last);
	free((char *)(uintptr_t)mounts[2].at);
}

/* Mounted modules that lie on the way up from the program, and those that the environment names; no other mount. */
static void mounted_modules_count(void **state)
{
	char *modules = strdup(in("node_modules")), *data = strdup(in("data")), *path;
	struct sandbox_code last, now;

	(void)state;
	assert_int_equal(mkdir(modules, 0755), 0);
	assert_int_equal(mkdir(data, 0755), 0);
	mounts[2] = (struct sandbox_mount){ .host = modules, .at = modules };
	mounts[3] = (struct sandbox_mount){ .host = data, .at = data };
	plan.mount_count = 4;
	last = code_of();
	plant("node_modules/a", "a\n");
	assert_changed(&last);
	plant("data/a", "a\n");
	now = code_of();
	assert_same(&last, &now);
	assert_true(asprintf(&path, "PYTHONPATH=/nowhere:%s", data) > 0);
	env[0] = path;
	last = code_of();
	plant("data/a", "b\n");
	assert_changed(&last);
	free(path);
	free(data);
	free(modules);
}

/* A writable place within a mount of code is not looked into. */
static void a_writable_place_within_is_left_out(void **state)
{
	char *inner = strdup(in("app/lib"));
	struct sandbox_code last, now;

	(void)state;
	mounts[2] = (struct sandbox_mount){ .host = inner, .at = inner, .writable = true };
	plan.mount_count = 3;
	last = code_of();
	plant("app/lib/part.js", "changed\n");
	now = code_of();
	assert_same(&last, &now);
	free(inner);
}

/* ---- what is remembered ---- */

static bool disk(void)
{
	struct statfs fs;

	return statfs(folder, &fs) == 0 && (fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == XFS_SUPER_MAGIC || fs.f_type == BTRFS_SUPER_MAGIC);
}

/* /bin/true has been there for long, the mount has just been made: the one is remembered, the other read again. */
static void only_what_has_settled_is_remembered(void **state)
{
	struct sandbox_code code = code_of();
	struct statfs fs;

	(void)state;
	if (statfs("/bin/true", &fs) < 0 || !disk())
		skip();
	assert_int_equal(code.fresh_count, 1);
	sandbox_code_learn(&common.code, &code);
	assert_int_equal(common.code.count, 1);
	assert_int_equal(code_of().fresh_count, 0);
	/* What is remembered is what counts: it is not read again. */
	common.code.known[0].digest[0] ^= 1;
	assert_changed(&code);
}

static void look_of(const char *path, uint8_t ret_look[SANDBOX_CODE_BYTES], bool contents, bool *ret_cacheable)
{
	struct sandbox_inside inside = { .common = &common, .plan = &plan };
	struct sandbox_report report = { 0 };
	struct code_tree tree = { .inside = &inside, .report = &report, .contents = contents, .names = BUF_INIT(CODE_NAMES_MAX), .chunk = malloc(CODE_CHUNK),
				  .settled = { .tv_sec = time(NULL) + 1000 } };
	uint8_t digest[SANDBOX_CODE_BYTES];

	assert_int_equal(code_tree(&tree, path, ret_look, digest), 0);
	*ret_cacheable = tree.cacheable;
	buf_free(&tree.names);
	free(tree.chunk);
}

/* A file system whose times say nothing, such as one in memory, is read each time, however old its files are. */
static void a_file_system_that_cannot_be_believed_is_not_remembered(void **state)
{
	uint8_t seen[SANDBOX_CODE_BYTES];
	char name[] = "/dev/shm/bawn-code-XXXXXX";
	cleanup_fd int fd = -1;
	bool cacheable;
	struct statfs fs;

	(void)state;
	if (!disk() || statfs("/dev/shm", &fs) < 0 || fs.f_type != TMPFS_MAGIC)
		skip();
	look_of(app, seen, true, &cacheable);
	assert_true(cacheable);
	fd = mkstemp(name);
	assert_true(fd >= 0);
	look_of(name, seen, true, &cacheable);
	assert_false(cacheable);
	unlink(name);
}

static void the_memory_is_bounded(void **state)
{
	struct sandbox_code code = { .fresh_count = SANDBOX_CODE_FRESH + 1000 };

	(void)state;
	for (unsigned round = 0; round < 100; round++) {
		for (unsigned i = 0; i < SANDBOX_CODE_FRESH; i++)
			memcpy(code.fresh[i].look, &(unsigned[2]){ round, i }, 8);
		sandbox_code_learn(&common.code, &code);
		sandbox_code_learn(&common.code, &code);
	}
	assert_int_equal(common.code.count, SANDBOX_CODE_CACHED);
}

static void look(uint8_t ret_look[SANDBOX_CODE_BYTES], bool contents, bool *ret_cacheable)
{
	look_of(app, ret_look, contents, ret_cacheable);
}

/* Whoever keeps a file mapped could store into a page that is dirty already, which moves no time. */
static void a_store_through_a_mapping_shows(void **state)
{
	cleanup_fd int fd = open(in("app/main.js"), O_RDWR | O_CLOEXEC);
	volatile char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	uint8_t before[SANDBOX_CODE_BYTES], after[SANDBOX_CODE_BYTES];
	bool cacheable;

	(void)state;
	assert_true(page != MAP_FAILED);
	page[0] = 'M';
	look(before, true, &cacheable);
	if (!cacheable)
		skip(); /* a file system that is never believed */
	page[0] = 'N';
	/* The clock may stand still between the two; CODE_SETTLE_S is for that. */
	for (int i = 0; i < 100000; i++) {
		look(after, false, &cacheable);
		if (memcmp(before, after, sizeof(before)) != 0)
			break;
		page[0] = 'N';
		msync((void *)(uintptr_t)page, 4096, 0);
	}
	assert_memory_not_equal(before, after, sizeof(before));
	munmap((void *)(uintptr_t)page, 4096);
}

/* Each attempt to change a file and make it look as it did before, without the machine's clock. */
static void a_change_cannot_be_made_to_look_the_same(void **state)
{
	uint8_t before[SANDBOX_CODE_BYTES], after[SANDBOX_CODE_BYTES];
	struct stat st;
	bool cacheable;

	(void)state;
	assert_int_equal(stat(in("app/main.js"), &st), 0);
	look(before, true, &cacheable);
	plant("app/main.js", "evil\n");
	assert_int_equal(utimensat(AT_FDCWD, in("app/main.js"), (struct timespec[2]){ st.st_atim, st.st_mtim }, 0), 0);
	look(after, false, &cacheable);
	assert_memory_not_equal(before, after, sizeof(before));
	/* Another file in its place, the first kept elsewhere. */
	look(before, true, &cacheable);
	plant("app2", "evil\n");
	assert_int_equal(utimensat(AT_FDCWD, in("app2"), (struct timespec[2]){ st.st_atim, st.st_mtim }, 0), 0);
	assert_int_equal(rename(in("app2"), in("app/main.js")), 0);
	look(after, false, &cacheable);
	assert_memory_not_equal(before, after, sizeof(before));
}

/* ---- what cannot be ---- */

static void too_much_is_refused(void **state)
{
	struct sandbox_report report;

	(void)state;
	assert_int_equal(truncate(in("app/main.js"), (off_t)CODE_BYTES_MAX + 1), 0);
	report = report_of();
	assert_int_equal(report.fault.error, E2BIG);
	assert_int_equal(report.stage, SANDBOX_STAGE_CODE);
	assert_non_null(strstr(report.fault.text, "/app/main.js"));
	assert_int_equal(truncate(in("app/main.js"), 0), 0);
	assert_int_equal(report_of().fault.error, 0);
}

static void too_deep_is_refused(void **state)
{
	int at = open(app, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	for (unsigned i = 0; i <= CODE_DEPTH_MAX; i++) {
		int next;

		assert_int_equal(mkdirat(at, "d", 0755), 0);
		next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(at);
		at = next;
	}
	close(at);
	assert_int_equal(report_of().fault.error, E2BIG);
}

/* ---- in a sandbox ---- */

static int start(struct sandbox_maker *maker, uint8_t ret_code[32], struct sandbox_fault *fault)
{
	struct sandbox sandbox = SANDBOX_NONE;
	int r = sandbox_start(maker, &plan, &sandbox, fault);

	if (r < 0)
		return r;
	memcpy(ret_code, sandbox.code, 32);
	sandbox_end(maker, &sandbox);
	return 0;
}

static void a_sandbox_tells_it(void **state)
{
	const struct sandbox_code none = { 0 };
	struct sandbox_maker *maker;
	struct sandbox_fault fault;
	uint8_t first[32], second[32];

	(void)state;
	assert_int_equal(sandbox_maker_new(&maker, &fault), 0);
	mounts[0].at = "/work";
	mounts[1].at = "/app";
	plan.workdir = "/work";
	command("true", "/app/main.js", "tool.py");
	assert_int_equal(start(maker, first, &fault), 0);
	assert_memory_not_equal(first, none.digest, 32);
	assert_int_equal(start(maker, second, &fault), 0);
	assert_memory_equal(first, second, 32);
	plant("app/lib/part.js", "other\n");
	assert_int_equal(start(maker, second, &fault), 0);
	assert_memory_not_equal(first, second, 32);
	/* Relative to the working folder. */
	memcpy(first, second, 32);
	plant("work/tool.py", "other\n");
	assert_int_equal(start(maker, second, &fault), 0);
	assert_memory_not_equal(first, second, 32);
	/* What it could run and not read cannot be checked. */
	assert_int_equal(chmod(in("app/main.js"), 0111), 0);
	assert_int_equal(start(maker, second, &fault), -EACCES);
	assert_non_null(strstr(fault.text, "/app/main.js, part of the server's code, can be run but not read"));
	/* What it can neither read nor run is none of its code. */
	assert_int_equal(chmod(in("app/main.js"), 0644), 0);
	assert_int_equal(chmod(in("app/lib"), 0), 0);
	assert_int_equal(start(maker, second, &fault), 0);
	assert_int_equal(chmod(in("app/lib"), 0755), 0);
	sandbox_maker_free(maker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_change_of_the_code_changes_it, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_code_does_not_change_it, setup, teardown),
		cmocka_unit_test_setup_teardown(a_link_is_not_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(the_workspace_counts_by_the_named_program, setup, teardown),
		cmocka_unit_test_setup_teardown(the_program_counts_wherever_it_lies, setup, teardown),
		cmocka_unit_test_setup_teardown(a_named_link_counts_with_where_it_leads, setup, teardown),
		cmocka_unit_test_setup_teardown(mounted_modules_count, setup, teardown),
		cmocka_unit_test_setup_teardown(a_writable_place_within_is_left_out, setup, teardown),
		cmocka_unit_test_setup_teardown(only_what_has_settled_is_remembered, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_system_that_cannot_be_believed_is_not_remembered, setup, teardown),
		cmocka_unit_test_setup_teardown(the_memory_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(a_store_through_a_mapping_shows, setup, teardown),
		cmocka_unit_test_setup_teardown(a_change_cannot_be_made_to_look_the_same, setup, teardown),
		cmocka_unit_test_setup_teardown(too_much_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(too_deep_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_sandbox_tells_it, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
