/* schema_suite: the public conformance suite of JSON Schema, when it is there: BAWN_DATA/json-schema, or ../shared/data of the source. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "parse/schema.h"

enum { ROOM = 256 << 20, PATH = 512, REMOTES = 128 };

/* The suite, its documents by address, and the count of one run. */
struct suite {
	int folder;
	struct arena arena;
	struct {
		char path[PATH];
		struct json value;
	} remotes[REMOTES];
	size_t n_remotes;
	struct schema_options options;
	const char *now;
	unsigned passed, failed, refused;
};

static struct suite suite = { .folder = -1, .arena = ARENA_INIT(ROOM) };

static int open_data(void)
{
	const char *data = getenv("BAWN_DATA"), *source = getenv("BAWN_SOURCE");
	char path[PATH];

	if (data)
		snprintf(path, sizeof(path), "%s/json-schema", data);
	else
		snprintf(path, sizeof(path), "%s/../shared/data/json-schema", source ? source : ".");
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int load(const char *path, struct json *ret_value)
{
	cleanup_buf struct buf text = BUF_INIT(1 << 20);
	int r = io_read_file(suite.folder, path, &text);

	if (r)
		return r;
	return json_parse(&suite.arena, buf_slice(&text), &json_limits_default, ret_value, NULL) ? -EINVAL : 0;
}

static const struct json *remote(void *ctx, struct slice uri)
{
	const struct slice prefix = SLICE("http://localhost:1234/");
	char path[PATH];

	(void)ctx;
	if (!slice_starts(uri, prefix) || uri.len > 200)
		return NULL;
	snprintf(path, sizeof(path), "remotes/%.*s", (int)(uri.len - prefix.len), uri.ptr + prefix.len);
	for (size_t i = 0; i < suite.n_remotes; i++)
		if (strcmp(suite.remotes[i].path, path) == 0)
			return &suite.remotes[i].value;
	if (suite.n_remotes == REMOTES || load(path, &suite.remotes[suite.n_remotes].value))
		return NULL;
	snprintf(suite.remotes[suite.n_remotes].path, PATH, "%s", path);
	return &suite.remotes[suite.n_remotes++].value;
}

static const char *member_text(const struct json *object, const char *name)
{
	static char text[2][200];
	static unsigned turn;
	const struct json *v = json_get_type(object, slice_str(name), JSON_STRING);
	char *to = text[turn++ % 2];

	snprintf(to, sizeof(text[0]), "%.*s", v ? (int)v->text.len : 0, v ? v->text.ptr : "");
	return to;
}

static void run_group(const struct json *group)
{
	const struct json *tests = json_get_type(group, SLICE("tests"), JSON_ARRAY);
	struct schema_fault fault;
	struct schema *schema = NULL;
	int r = schema_compile(json_get(group, SLICE("schema")), &suite.options, &schema, &fault);

	assert_non_null(tests);
	if (r) {
		suite.refused += tests->count;
		print_message("  %s: %s: refused: %s: %s\n", suite.now, member_text(group, "description"), fault.where, fault.what);
		return;
	}
	for (uint32_t i = 0; i < tests->count; i++) {
		const struct json *test = &tests->items[i];
		bool wanted = json_get_type(test, SLICE("valid"), JSON_TRUE) != NULL;

		r = schema_validate(schema, json_get(test, SLICE("data")), &fault);
		if ((r == 0) == wanted && (r == 0 || r == -EINVAL)) {
			suite.passed++;
			continue;
		}
		suite.failed++;
		print_message("  %s: %s: %s: %d, %s\n", suite.now, member_text(group, "description"), member_text(test, "description"), r,
			      r ? fault.what : "taken as valid");
	}
	schema_free(schema);
}

static void run_file(const char *path)
{
	struct json groups;

	suite.now = path;
	assert_int_equal(load(path, &groups), 0);
	assert_int_equal(groups.type, JSON_ARRAY);
	for (uint32_t i = 0; i < groups.count; i++)
		run_group(&groups.items[i]);
}

static void run_folder(const char *folder)
{
	int fd = openat(suite.folder, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	suite.passed = suite.failed = suite.refused = 0;
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		const char *dot = strrchr(entry->d_name, '.');
		char path[PATH];

		if (!dot || strcmp(dot, ".json") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		run_file(path);
	}
	closedir(dir);
	print_message("%s: %u passed, %u failed, %u in schemas that are refused\n", folder, suite.passed, suite.failed, suite.refused);
}

static bool missing(void)
{
	if (suite.folder < 0)
		print_message("skipped: no BAWN_DATA/json-schema\n");
	return suite.folder < 0;
}

static void required_2020_12(void **state)
{
	(void)state;
	if (missing())
		return;
	suite.options = (struct schema_options){ .format_annotation_only = true, .allow_unknown = true, .document = remote };
	run_folder("tests/draft2020-12");
	assert_int_equal(suite.failed, 0);
	assert_int_equal(suite.refused, 0);
	assert_true(suite.passed >= 1299);
}

static void required_draft_07(void **state)
{
	(void)state;
	if (missing())
		return;
	suite.options = (struct schema_options){
		.format_annotation_only = true, .allow_unknown = true, .draft = SCHEMA_DRAFT_07, .document = remote
	};
	run_folder("tests/draft7");
	assert_int_equal(suite.failed, 0);
	assert_int_equal(suite.refused, 0);
	assert_true(suite.passed >= 927);
}

/* What the specification leaves open, as it stands: fewer than this is a step back. */
static void check_optional(const char *folder, enum schema_draft draft, unsigned passed, unsigned failed)
{
	if (missing())
		return;
	suite.options = (struct schema_options){ .allow_unknown = true, .draft = draft, .document = remote };
	run_folder(folder);
	assert_true(suite.passed >= passed);
	assert_true(suite.failed <= failed);
}

static void optional_2020_12(void **state)
{
	(void)state;
	check_optional("tests/draft2020-12/optional", SCHEMA_2020_12, 161, 0);
}

static void optional_draft_07(void **state)
{
	(void)state;
	check_optional("tests/draft7/optional", SCHEMA_DRAFT_07, 112, 4);
}

static void formats_2020_12(void **state)
{
	(void)state;
	check_optional("tests/draft2020-12/optional/format", SCHEMA_2020_12, 651, 23);
}

static void formats_draft_07(void **state)
{
	(void)state;
	check_optional("tests/draft7/optional/format", SCHEMA_DRAFT_07, 564, 23);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(required_2020_12), cmocka_unit_test(required_draft_07), cmocka_unit_test(optional_2020_12),
		cmocka_unit_test(optional_draft_07), cmocka_unit_test(formats_2020_12),	 cmocka_unit_test(formats_draft_07),
	};
	int failed;

	suite.folder = open_data();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_free(&suite.arena);
	fd_close(&suite.folder);
	return failed;
}
