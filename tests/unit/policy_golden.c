/*
 * golden/policy: each NAME.yaml is loaded, and what is said of it is NAME.expected, byte for byte. A file named good-* loads, every other one
 * does not. BAWN_GOLDEN=write makes the expected files anew, to be read through before they are kept.
 *
 * The shipped JSON Schema is held to the same files: it accepts what is good, examples included, and refuses each shape-*.
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
#include "parse/schema.h"
#include "parse/yaml.h"
#include "policy/policy.h"

enum { FILE_MOST = 1024 * 1024, NAMES_MOST = 512 };

static struct arena names = { .max = 1 << 20 };

static int open_folder(const char *folder)
{
	const char *source = getenv("BAWN_SOURCE");
	const char *path = arena_printf(&names, "%s/%s", source ? source : ".", folder);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return fd;
}

/* The *.yaml files of a folder, without the ending, in order; how many. */
static size_t list(const char *folder, const char **out)
{
	DIR *dir = fdopendir(open_folder(folder));
	size_t count = 0;

	assert_non_null(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		size_t len = strlen(e->d_name);

		if (len < 5 || strcmp(e->d_name + len - 5, ".yaml") != 0)
			continue;
		assert_true(count < NAMES_MOST);
		out[count++] = arena_printf(&names, "%.*s", (int)(len - 5), e->d_name);
	}
	closedir(dir);
	return count;
}

static void read_file(int dir, const char *name, const char *ending, struct buf *out)
{
	char path[256];

	snprintf(path, sizeof(path), "%s%s", name, ending);
	buf_clear(out);
	if (io_read_file(dir, path, out) < 0 && strcmp(ending, ".expected") != 0)
		fail_msg("%s cannot be read", path);
}

static int print_look(void *ctx, const struct policy_look *look)
{
	return buf_printf(ctx, "look %u:%u: [%s] %s\n", look->line, look->column, policy_look_name(look->kind), look->text);
}

/* A first line "# project: FOLDER" makes it a project's policy. */
static struct policy_options options_for(struct slice yaml)
{
	struct slice mark = SLICE("# project: ");
	struct policy_options o = { .base = SLICE("/srv/bawn"), .home = SLICE("/home/user") };

	if (slice_starts(yaml, mark)) {
		const char *end = memchr(yaml.ptr, '\n', yaml.len);

		o.project = slice_of(yaml.ptr + mark.len, (size_t)(end - yaml.ptr) - mark.len);
		o.base = o.project;
	}
	return o;
}

static bool is_good(const char *name)
{
	return strncmp(name, "good-", 5) == 0;
}

/* What is said of one file; true when it loaded. */
static bool describe(struct slice yaml, struct slice name, struct buf *out)
{
	struct policy_options o = options_for(yaml);
	struct policy_problems problems;
	struct policy *policy = NULL;
	int r = policy_load(yaml, &o, &policy, &problems);

	assert_true(r == 0 || r == -EINVAL);
	buf_clear(out);
	assert_int_equal(policy_problems_print(out, name, &problems), 0);
	if (r == 0)
		assert_int_equal(policy_review(policy, print_look, out), 0);
	policy_problems_free(&problems);
	policy_free(policy);
	return r == 0;
}

static void every_file_is_said_as_expected(void **state)
{
	cleanup_buf struct buf yaml = BUF_INIT(FILE_MOST), said = BUF_INIT(FILE_MOST), expected = BUF_INIT(FILE_MOST);
	cleanup_fd int dir = open_folder("tests/golden/policy");
	const char *files[NAMES_MOST], *mode = getenv("BAWN_GOLDEN");
	size_t count = list("tests/golden/policy", files), wrong = 0;

	(void)state;
	assert_true(count >= 40);
	for (size_t i = 0; i < count; i++) {
		char path[256];
		bool loaded;

		read_file(dir, files[i], ".yaml", &yaml);
		loaded = describe(buf_slice(&yaml), SLICE("bawn.yaml"), &said);
		snprintf(path, sizeof(path), "%s.expected", files[i]);
		if (mode && strcmp(mode, "write") == 0)
			assert_int_equal(io_replace_file(dir, path, 0644, said.ptr, said.len), 0);
		read_file(dir, files[i], ".expected", &expected);
		if (loaded == is_good(files[i]) && slice_eq(buf_slice(&said), buf_slice(&expected)))
			continue;
		wrong++;
		print_error("%s: loaded: %d, said:\n%.*s\nexpected:\n%.*s\n", files[i], loaded, SLICE_ARG(said),
			    SLICE_ARG(expected));
	}
	assert_int_equal(wrong, 0);
}

static struct schema *shipped_schema(struct arena *arena)
{
	cleanup_buf struct buf text = BUF_INIT(FILE_MOST);
	cleanup_fd int dir = open_folder("share");
	struct schema_fault fault;
	struct schema *schema;
	struct json document;

	read_file(dir, "bawn.schema", ".json", &text);
	assert_int_equal(json_parse(arena, buf_slice(&text), &json_limits_default, &document, NULL), JSON_OK);
	if (schema_compile(&document, NULL, &schema, &fault) < 0)
		fail_msg("share/bawn.schema.json: %s: %s", fault.where, fault.what);
	return schema;
}

static size_t check_folder(const struct schema *schema, const char *folder, bool examples)
{
	cleanup_buf struct buf yaml = BUF_INIT(FILE_MOST);
	cleanup_fd int dir = open_folder(folder);
	const char *files[NAMES_MOST];
	size_t count = list(folder, files), wrong = 0;

	for (size_t i = 0; i < count; i++) {
		cleanup_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
		struct schema_fault fault = { .what = "" };
		struct yaml_faults faults;
		struct json v;
		bool good = examples || is_good(files[i]);
		int r;

		if (!good && strncmp(files[i], "shape-", 6) != 0)
			continue;
		read_file(dir, files[i], ".yaml", &yaml);
		assert_int_equal(yaml_parse(&arena, buf_slice(&yaml), &yaml_limits_default, &v, &faults), 0);
		r = schema_validate(schema, &v, &fault);
		if (r == (good ? 0 : -EINVAL))
			continue;
		wrong++;
		print_error("%s/%s.yaml: %d %s: %s\n", folder, files[i], r, fault.where, fault.what);
	}
	assert_int_equal(wrong, 0);
	return count;
}

static void the_shipped_schema_agrees(void **state)
{
	cleanup_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct schema *schema = shipped_schema(&arena);

	(void)state;
	check_folder(schema, "tests/golden/policy", false);
	assert_true(check_folder(schema, "examples", true) >= 3);
	schema_free(schema);
}

static void every_example_loads_without_a_word(void **state)
{
	cleanup_buf struct buf yaml = BUF_INIT(FILE_MOST), said = BUF_INIT(FILE_MOST);
	cleanup_fd int dir = open_folder("examples");
	const char *files[NAMES_MOST];
	size_t count = list("examples", files);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		struct policy_options o = { .base = SLICE("/home/user/proj"), .home = SLICE("/home/user") };
		struct policy_problems problems;
		struct policy *policy = NULL;

		read_file(dir, files[i], ".yaml", &yaml);
		if (policy_load(buf_slice(&yaml), &o, &policy, &problems) < 0 || problems.count) {
			buf_clear(&said);
			policy_problems_print(&said, slice_str(files[i]), &problems);
			fail_msg("%.*s", SLICE_ARG(said));
		}
		policy_problems_free(&problems);
		policy_free(policy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_file_is_said_as_expected),
		cmocka_unit_test(the_shipped_schema_agrees),
		cmocka_unit_test(every_example_loads_without_a_word),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	arena_free(&names);
	return failed;
}
