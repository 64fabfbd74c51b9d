/*
 * The manual against the command table: every command has its page, every option of a command stands in its page, in the synopsis and
 * explained, with the same name for its value, and no page has an option or names a command that does not exist.
 */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/io.h"

#define OPTION(name, value, what) OPTION_##name,
enum option_number {
#include "cli/commands.tbl.h"
	OPTION_COUNT
};
#undef OPTION

static const struct {
	const char *name, *value;
} options[OPTION_COUNT] = {
#define OPTION(option_name, value_name, what) { .name = #option_name, .value = value_name },
#include "cli/commands.tbl.h"
#undef OPTION
};

static const struct command {
	const char *name, *operands;
	uint64_t takes;
} commands[] = {
#define OPT(name) | 1ULL << OPTION_##name
#define COMMAND(command_name, operand_names, most, what, taken) { .name = #command_name, .operands = operand_names, .takes = 0 taken },
#include "cli/commands.tbl.h"
#undef COMMAND
#undef OPT
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static int man_folder(void)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/man", getenv("BAWN_SOURCE"));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void read_page(const char *name, struct buf *out)
{
	cleanup_fd int folder = man_folder();

	if (io_read_file(folder, name, out) < 0)
		fail_msg("there is no man/%s", name);
	assert_int_equal(buf_add_char(out, '\0'), 0);
}

/* The option that mdoc calls "-token-file" where the table says token_file; -1 for none. */
static int find_option(const char *flag, size_t len)
{
	for (int i = 0; i < OPTION_COUNT; i++) {
		bool same = flag[0] == '-' && strlen(options[i].name) + 1 == len;

		for (size_t k = 1; same && k < len; k++)
			same = options[i].name[k - 1] == flag[k] || (options[i].name[k - 1] == '_' && flag[k] == '-');
		if (same)
			return i;
	}
	return -1;
}

struct found {
	uint64_t synopsis, explained; /* sets of 1 << option */
};

/* One "Fl -name", perhaps followed by "Ar VALUE". */
static void take_flag(const char *page, const char *flag, bool item, struct found *found)
{
	size_t len = strcspn(flag, " \n");
	int option = find_option(flag, len);
	const char *value = flag + len + (flag[len] == ' '), *name;

	if (strncmp(flag, "-version", len) == 0 && strcmp(page, "bawn.1") == 0)
		return;
	if (option < 0)
		fail_msg("man/%s: option -%.*s is not in the table", page, (int)len, flag);
	if (item)
		found->explained |= 1ULL << option;
	else
		found->synopsis |= 1ULL << option;
	name = options[option].value;
	if (!item)
		return;
	if (name[0] ? strncmp(value, "Ar ", 3) != 0 || strncasecmp(value + 3, name, strlen(name)) != 0 : flag[len] != '\n')
		fail_msg("man/%s: -%.*s takes \"%s\" in the table", page, (int)len, flag, name);
}

static void find_flags(const char *page, const char *text, struct found *found)
{
	*found = (struct found){ 0 };
	for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
		size_t len = strcspn(line, "\n");
		const char *flag = memmem(line, len, "Fl -", 4);

		if (line[0] != '.')
			continue;
		if (flag)
			take_flag(page, flag + 3, strncmp(line, ".It ", 4) == 0, found);
		if (!line[len])
			break;
	}
}

static void assert_operands(const struct command *c, const char *page, const char *text)
{
	for (const char *word = c->operands; *word;) {
		size_t len = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

		if (len > 0 && !memmem(text, strlen(text), word, len))
			fail_msg("man/%s: the operand %.*s is not in it", page, (int)len, word);
		word += len ? len : 1;
	}
}

static void every_command_and_option_is_in_its_page(void **state)
{
	(void)state;
	for (size_t i = 0; i < COMMANDS; i++) {
		cleanup_buf struct buf text = BUF_INIT(1 << 20);
		char page[64];
		struct found found;

		snprintf(page, sizeof(page), "bawn-%s.1", commands[i].name);
		read_page(page, &text);
		find_flags(page, text.ptr, &found);
		for (int option = 0; option < OPTION_COUNT; option++) {
			uint64_t bit = 1ULL << option;

			if (option == OPTION_help)
				continue; /* every command has it: bawn(1) */
			if (commands[i].takes & bit && !(found.explained & bit))
				fail_msg("man/%s: --%s is not explained", page, options[option].name);
			if (commands[i].takes & bit && !(found.synopsis & bit))
				fail_msg("man/%s: --%s is not in the synopsis", page, options[option].name);
			if (!(commands[i].takes & bit) && found.explained & bit)
				fail_msg("man/%s: --%s is not an option of this command", page, options[option].name);
		}
		assert_operands(&commands[i], page, text.ptr);
	}
}

static bool is_command(const char *name, size_t len)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strlen(commands[i].name) == len && strncmp(commands[i].name, name, len) == 0)
			return true;
	return false;
}

static void the_first_page_has_every_command(void **state)
{
	cleanup_buf struct buf text = BUF_INIT(1 << 20);
	struct found found;

	(void)state;
	read_page("bawn.1", &text);
	find_flags("bawn.1", text.ptr, &found);
	assert_true(found.synopsis >> OPTION_help & 1);
	for (size_t i = 0; i < COMMANDS; i++) {
		char item[64], reference[64];

		snprintf(item, sizeof(item), "\n.It Cm %s\n", commands[i].name);
		snprintf(reference, sizeof(reference), ".Xr bawn-%s 1", commands[i].name);
		if (!strstr(text.ptr, item) || !strstr(text.ptr, reference))
			fail_msg("man/bawn.1: the command %s is not in it", commands[i].name);
	}
}

static void no_page_is_about_nothing(void **state)
{
	cleanup_fd int folder = man_folder();
	DIR *dir = fdopendir(dup(folder));
	struct dirent *entry;
	size_t pages = 0;

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);
		cleanup_buf struct buf text = BUF_INIT(1 << 20);

		if (len < 2 || strcmp(entry->d_name + len - 2, ".1") != 0)
			continue;
		pages++;
		if (strcmp(entry->d_name, "bawn.1") != 0 && (len < 8 || !is_command(entry->d_name + 5, len - 7)))
			fail_msg("man/%s is about no command", entry->d_name);
		read_page(entry->d_name, &text);
		for (const char *at = text.ptr; (at = strstr(at, "bawn-")); at += 5) {
			size_t word = strspn(at + 5, "abcdefghijklmnopqrstuvwxyz");

			if (strncmp(at + 5 + word, " 1", 2) == 0 && !is_command(at + 5, word))
				fail_msg("man/%s refers to bawn-%.*s(1)", entry->d_name, (int)word, at + 5);
		}
	}
	closedir(dir);
	assert_int_equal(pages, COMMANDS + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_and_option_is_in_its_page),
		cmocka_unit_test(the_first_page_has_every_command),
		cmocka_unit_test(no_page_is_about_nothing),
	};

	if (!getenv("BAWN_SOURCE")) {
		printf("skipped: BAWN_SOURCE does not say where the source is\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
