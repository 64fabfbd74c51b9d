/*
 * The documents against the source tree: what docs/architecture.md says of folders, processes and messages is what there is, and the other way
 * round; functions stand in the files where they are said to be; no document names a path, and no link leads, to what is not there.
 */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "ipc/process.h"
#include "policy/policy.h"

enum { JUDGE = 1, AUDIT = 2, LAUNCHER = 4, CONSOLE = 8, GATEWAY = 16, INIT = 32, CLI = 64, STORE = 128 };

static const struct {
	const char *name;
	unsigned senders, receivers;
} messages[] = {
#define MESSAGE(message_name, from, to, phases, often, ...) { .name = #message_name, .senders = from, .receivers = to },
#include "ipc/messages.tbl.h"
#undef MESSAGE
};
enum { MESSAGES = sizeof(messages) / sizeof(messages[0]) };

static int source = -1; /* the source folder */

static void read_text(const char *path, struct buf *out)
{
	if (io_read_file(source, path, out) < 0)
		fail_msg("there is no %s", path);
	assert_int_equal(buf_add_char(out, '\0'), 0);
}

static bool exists(struct slice path)
{
	char name[512];

	if (path.len >= sizeof(name))
		return false;
	memcpy(name, path.ptr, path.len);
	name[path.len] = '\0';
	return faccessat(source, name, F_OK, 0) == 0;
}

/* ---- rows of a table beneath a heading ---- */

struct row {
	struct slice cell[6]; /* blanks around left out */
	size_t count;
};

static struct slice trim(struct slice s)
{
	while (s.len && *s.ptr == ' ')
		s = slice_of(s.ptr + 1, s.len - 1);
	while (s.len && s.ptr[s.len - 1] == ' ')
		s.len--;
	return s;
}

static struct row split(struct slice line)
{
	struct row row = { .count = 0 };

	for (size_t at = 1; at < line.len && row.count < 6;) {
		const char *bar = memchr(line.ptr + at, '|', line.len - at);
		size_t end = bar ? (size_t)(bar - line.ptr) : line.len;

		row.cell[row.count++] = trim(slice_of(line.ptr + at, end - at));
		at = end + 1;
	}
	return row;
}

/* The next row whose first cell begins with a backquote, in the section of that heading only; *at is where to go on, NULL to begin. */
static bool next_row(const char *text, const char *heading, const char **at, struct row *ret)
{
	if (!*at) {
		*at = strstr(text, heading);
		if (!*at)
			fail_msg("there is no \"%s\"", heading);
		*at += strlen(heading);
	}
	while (**at) {
		struct slice line = slice_of(*at, strcspn(*at, "\n"));

		if (slice_starts(line, SLICE("## ")))
			return false;
		*at += line.len + ((*at)[line.len] == '\n');
		if (slice_starts(line, SLICE("| `"))) {
			*ret = split(line);
			return true;
		}
	}
	return false;
}

static struct slice unquote(struct slice cell)
{
	assert_true(cell.len >= 2 && cell.ptr[0] == '`' && cell.ptr[cell.len - 1] == '`');
	return slice_of(cell.ptr + 1, cell.len - 2);
}

/* The next of a list "a, b, c". */
static bool next_item(struct slice *list, struct slice *ret)
{
	const char *comma;

	*list = trim(*list);
	if (list->len == 0)
		return false;
	comma = memchr(list->ptr, ',', list->len);
	*ret = trim(slice_of(list->ptr, comma ? (size_t)(comma - list->ptr) : list->len));
	*list = comma ? slice_of(comma + 1, list->len - (size_t)(comma + 1 - list->ptr)) : slice_of(NULL, 0);
	return true;
}

/* ---- architecture.md ---- */

static void architecture(struct buf *out)
{
	read_text("docs/architecture.md", out);
}

static unsigned process_bit(struct slice name)
{
	static const struct {
		const char *name;
		unsigned bit;
	} bits[] = {
		{ "judge", JUDGE },	{ "audit", AUDIT }, { "launcher", LAUNCHER }, { "console", CONSOLE },
		{ "gateway", GATEWAY }, { "init", INIT },   { "cli", CLI }, { "store", STORE },
	};

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (slice_eq(name, slice_str(bits[i].name)))
			return bits[i].bit;
	fail_msg("there is no process %.*s", SLICE_ARG(name));
	return 0;
}

static unsigned process_set(struct slice list)
{
	struct slice name;
	unsigned set = 0;

	while (next_item(&list, &name))
		set |= process_bit(name);
	return set;
}

static void every_message_is_there_with_its_ends(void **state)
{
	cleanup_buf struct buf text = BUF_INIT(1 << 20);
	bool seen[MESSAGES] = { false };
	const char *at = NULL;
	struct row row;

	(void)state;
	architecture(&text);
	while (next_row(text.ptr, "\n## Messages\n", &at, &row)) {
		struct slice name = unquote(row.cell[0]);
		size_t i = 0;

		while (i < MESSAGES && !slice_eq(name, slice_str(messages[i].name)))
			i++;
		if (i == MESSAGES)
			fail_msg("there is no message %.*s", SLICE_ARG(name));
		if (process_set(row.cell[1]) != messages[i].senders || process_set(row.cell[2]) != messages[i].receivers)
			fail_msg("the message %s has other ends than the table says", messages[i].name);
		seen[i] = true;
	}
	for (size_t i = 0; i < MESSAGES; i++)
		if (!seen[i])
			fail_msg("the message %s is not in docs/architecture.md", messages[i].name);
}

static void every_process_is_there(void **state)
{
	cleanup_buf struct buf text = BUF_INIT(1 << 20);
	unsigned rows[PROCESS_COUNT] = { 0 };
	const char *at = NULL;
	struct row row;

	(void)state;
	architecture(&text);
	while (next_row(text.ptr, "\n## Processes\n", &at, &row)) {
		struct slice name = unquote(row.cell[0]);
		unsigned i = 0;

		while (i < PROCESS_COUNT && !slice_eq(name, slice_str(process_name((enum process)i))))
			i++;
		if (i == PROCESS_COUNT)
			fail_msg("there is no process %.*s", SLICE_ARG(name));
		rows[i]++;
	}
	/* Once for what it does, once for what it is confined by; the command line is nobody that is confined. */
	for (unsigned i = 0; i < PROCESS_COUNT; i++)
		if (rows[i] != (i == PROCESS_CLI ? 1 : 2))
			fail_msg("the process %s is %u times in docs/architecture.md", process_name((enum process)i), rows[i]);
}

/* The list of what a folder may include, as src/meson.build has it: ['name', ['base', 'ipc'], [...]]. */
static struct slice built_with(const char *meson, struct slice folder)
{
	char start[64];
	const char *at;

	snprintf(start, sizeof(start), "\n  ['%.*s',", SLICE_ARG(folder));
	at = strstr(meson, start);
	if (!at)
		fail_msg("src/meson.build has no folder %.*s", SLICE_ARG(folder));
	at = strchr(at + strlen(start), '[');
	assert_non_null(at);
	return slice_of(at + 1, strcspn(at + 1, "]"));
}

static void assert_same_includes(struct slice folder, struct slice said, struct slice built)
{
	struct slice a, b;
	bool more_said, more_built;

	if (slice_eq(said, SLICE("–")))
		said = slice_of(NULL, 0);
	do {
		more_said = next_item(&said, &a);
		more_built = next_item(&built, &b);
		if (more_said != more_built || (more_said && (b.len < 2 || !slice_eq(a, slice_of(b.ptr + 1, b.len - 2)))))
			fail_msg("src/%.*s/ may include something else than docs/architecture.md says", SLICE_ARG(folder));
	} while (more_said);
}

static void every_folder_is_there_with_what_it_may_include(void **state)
{
	cleanup_buf struct buf text = BUF_INIT(1 << 20), meson = BUF_INIT(1 << 20), seen = BUF_INIT(4096);
	struct dirent *entry;
	const char *at = NULL;
	struct row row;
	DIR *folders;

	(void)state;
	architecture(&text);
	read_text("src/meson.build", &meson);
	while (next_row(text.ptr, "\n## Folders\n", &at, &row)) {
		struct slice path = unquote(row.cell[0]), folder;

		assert_true(slice_starts(path, SLICE("src/")) && path.ptr[path.len - 1] == '/');
		folder = slice_of(path.ptr + 4, path.len - 5);
		assert_same_includes(folder, row.cell[1], built_with(meson.ptr, folder));
		assert_int_equal(buf_printf(&seen, "/%.*s/", SLICE_ARG(folder)), 0);
	}
	assert_int_equal(buf_add_char(&seen, '\0'), 0);
	folders = fdopendir(openat(source, "src", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	assert_non_null(folders);
	while ((entry = readdir(folders))) {
		char name[300];

		snprintf(name, sizeof(name), "/%s/", entry->d_name);
		if (entry->d_name[0] != '.' && !strchr(entry->d_name, '.') && !strstr(seen.ptr, name))
			fail_msg("src%s is not in docs/architecture.md", name);
	}
	closedir(folders);
}

/* ---- all documents ---- */

/* README.md, SECURITY.md and everything in docs/. */
static void for_each_document(void (*read)(const char *document, const char *text))
{
	static const char *const others[] = { "README.md", "SECURITY.md" };
	DIR *folder = fdopendir(openat(source, "docs", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *entry;

	assert_non_null(folder);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		cleanup_buf struct buf text = BUF_INIT(1 << 20);

		read_text(others[i], &text);
		read(others[i], text.ptr);
	}
	while ((entry = readdir(folder))) {
		cleanup_buf struct buf text = BUF_INIT(1 << 20);
		char name[300];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "docs/%s", entry->d_name);
		read_text(name, &text);
		read(name, text.ptr);
	}
	closedir(folder);
}

static bool is_path(struct slice s)
{
	static const struct slice tops[] = {
		SLICE("src/"),	 SLICE("tests/"),    SLICE("docs/"),  SLICE("man/"),  SLICE("tools/"),
		SLICE("bench/"), SLICE("examples/"), SLICE("share/"), SLICE("web/"),
	};

	/* A pattern stands for files, but is none. */
	for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]); i++)
		if (slice_starts(s, tops[i]))
			return !memchr(s.ptr, '*', s.len);
	return false;
}

static bool is_function(struct slice s)
{
	return s.len > 2 && slice_eq(slice_of(s.ptr + s.len - 2, 2), SLICE("()"));
}

/* A function stands behind the file that it is in. */
static void assert_function(const char *document, struct slice path, struct slice function)
{
	cleanup_buf struct buf text = BUF_INIT(8 << 20);
	char file[256], call[128];

	snprintf(file, sizeof(file), "%.*s", SLICE_ARG(path));
	snprintf(call, sizeof(call), "%.*s(", (int)function.len - 2, function.ptr);
	read_text(file, &text);
	if (!strstr(text.ptr, call))
		fail_msg("%s: %s has no %s)", document, file, call);
}

static void read_line(const char *document, struct slice line)
{
	struct slice file = { 0 };

	for (size_t at = 0; at < line.len;) {
		const char *open = memchr(line.ptr + at, '`', line.len - at), *close;
		struct slice s;

		if (!open)
			return;
		close = memchr(open + 1, '`', line.len - (size_t)(open + 1 - line.ptr));
		if (!close)
			return;
		s = slice_of(open + 1, (size_t)(close - open - 1));
		at = (size_t)(close + 1 - line.ptr);
		if (is_path(s)) {
			if (!exists(s))
				fail_msg("%s: there is no %.*s", document, SLICE_ARG(s));
			file = s;
		} else if (is_function(s) && file.len && file.ptr[file.len - 1] != '/') {
			assert_function(document, file, s);
		}
	}
}

static void read_paths(const char *document, const char *text)
{
	for (const char *at = text; *at;) {
		size_t len = strcspn(at, "\n");

		read_line(document, slice_of(at, len));
		at += len + (at[len] == '\n');
	}
}

static void what_documents_name_is_there(void **state)
{
	(void)state;
	for_each_document(read_paths);
}

/* Links within the repository: [text](path). */
static void read_links(const char *document, const char *text)
{
	const char *slash = strrchr(document, '/');

	for (const char *at = text; (at = strstr(at, "](")); at++) {
		char path[512];
		size_t len = strcspn(at + 2, ")#");

		if (len == 0 || strncmp(at + 2, "http", 4) == 0)
			continue;
		snprintf(path, sizeof(path), "%.*s%.*s", slash ? (int)(slash + 1 - document) : 0, document, (int)len, at + 2);
		if (!exists(slice_str(path)))
			fail_msg("%s: the link to %s leads nowhere", document, path);
	}
}

static void links_lead_somewhere(void **state)
{
	(void)state;
	for_each_document(read_links);
}

/* The map in the README has every document. */
static void the_readme_leads_to_every_document(void **state)
{
	cleanup_buf struct buf text = BUF_INIT(1 << 20);
	DIR *folder = fdopendir(openat(source, "docs", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *entry;

	(void)state;
	assert_non_null(folder);
	read_text("README.md", &text);
	while ((entry = readdir(folder))) {
		char link[300];

		snprintf(link, sizeof(link), "(docs/%s)", entry->d_name);
		if (entry->d_name[0] != '.' && !strstr(text.ptr, link))
			fail_msg("README.md does not lead to docs/%s: add it to the map", entry->d_name);
	}
	closedir(folder);
}

/* What the README shows can be used as it stands. */
static void the_readmes_policy_is_valid(void **state)
{
	struct policy_options options = { .base = SLICE("/home/you/.config/bawn"), .home = SLICE("/home/you") };
	cleanup_buf struct buf text = BUF_INIT(1 << 20);
	struct policy_problems problems = { 0 };
	struct policy *policy = NULL;
	const char *begin, *end;

	(void)state;
	read_text("README.md", &text);
	begin = strstr(text.ptr, "```yaml\n");
	assert_non_null(begin);
	begin += strlen("```yaml\n");
	end = strstr(begin, "```");
	assert_non_null(end);
	if (policy_load(slice_of(begin, (size_t)(end - begin)), &options, &policy, &problems) < 0 || problems.count)
		fail_msg("README.md: %s", problems.count ? problems.list[0].text : "the policy cannot be loaded");
	policy_problems_free(&problems);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_is_there_with_its_ends),
		cmocka_unit_test(every_process_is_there),
		cmocka_unit_test(every_folder_is_there_with_what_it_may_include),
		cmocka_unit_test(what_documents_name_is_there),
		cmocka_unit_test(links_lead_somewhere),
		cmocka_unit_test(the_readme_leads_to_every_document),
		cmocka_unit_test(the_readmes_policy_is_valid),
	};

	if (!getenv("BAWN_SOURCE")) {
		printf("skipped: BAWN_SOURCE does not say where the source is\n");
		return 0;
	}
	source = open(getenv("BAWN_SOURCE"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return source < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
