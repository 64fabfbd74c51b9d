#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/main.h"
#include "base/text.h"
#include "console/main.h"
#include "gateway/main.h"
#include "judge/main.h"
#include "launcher/main.h"
#include "store/main.h"
#include "ipc/process.h"

struct option {
	const char *name; /* with "_" for "-" */
	const char *value;
	const char *what;
};

static const struct option options[OPTION_COUNT] = {
#define OPTION(option_name, value_name, description) { #option_name, value_name, description },
#include "cli/commands.tbl.h"
#undef OPTION
};

struct command {
	const char *name;
	const char *operands;
	size_t most;
	const char *what;
	int (*run)(const struct cli_args *args);
	uint64_t takes; /* bits of enum cli_option */
};

static const struct command commands[] = {
#define OPT(name) | 1ULL << OPTION_##name
#define COMMAND(command_name, operand_names, most_operands, description, taken)                                                    \
	{ #command_name, operand_names, most_operands, description, cli_##command_name, 1ULL << OPTION_help taken },
#include "cli/commands.tbl.h"
#undef COMMAND
#undef OPT
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]), OPERANDS_COLUMNS = 19 };

int cli_error(int status, const char *format, ...)
{
	cleanup_buf struct buf line = BUF_INIT(16384);
	char text[4096];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (buf_add_str(&line, "bawn: ") == 0 && text_escape(&line, slice_str(text)) == 0 && buf_add_char(&line, '\n') == 0)
		fwrite(line.ptr, 1, line.len, stderr);
	return status;
}

int cli_number(const struct cli_args *args, enum cli_option option, uint64_t min, uint64_t max, uint64_t otherwise, uint64_t *ret_n)
{
	*ret_n = otherwise;
	if (args->value[option] && text_u64(slice_str(args->value[option]), min, max, ret_n) < 0)
		return cli_error(CLI_USAGE, "--%s takes a number from %llu to %llu", options[option].name, (unsigned long long)min,
				 (unsigned long long)max);
	return CLI_OK;
}

/* ---- help ---- */

static void print_option(const struct option *o)
{
	char flag[64];
	size_t at = (size_t)snprintf(flag, sizeof(flag), "--%s%s%s", o->name, o->value[0] ? " " : "", o->value);

	for (size_t i = 0; i < at && flag[i] != ' '; i++)
		if (flag[i] == '_')
			flag[i] = '-';
	printf("  %-20s %s\n", flag, o->what);
}

static int help(void)
{
	printf("usage: bawn COMMAND [OPTION...]\n\nBawn stands between an AI agent and the tools that it calls.\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		if (strlen(commands[i].operands) > OPERANDS_COLUMNS)
			printf("  %-9s %s\n  %*s %s\n", commands[i].name, commands[i].operands, 10 + OPERANDS_COLUMNS, "", commands[i].what);
		else
			printf("  %-9s %-*s %s\n", commands[i].name, OPERANDS_COLUMNS, commands[i].operands, commands[i].what);
	printf("\n`bawn COMMAND --help` shows a command's options; bawn(1) says more.\n"
	       "exit status: 0 done; 1 refused, or something is wrong; 2 wrong usage, or an\n"
	       "agent, a server or a command that is not known\n");
	return CLI_OK;
}

static int help_command(const struct command *c)
{
	printf("usage: bawn %s%s%s [OPTION...]\n\n%s\n\n", c->name, c->operands[0] ? " " : "", c->operands, c->what);
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (c->takes & 1ULL << i)
			print_option(&options[i]);
	return CLI_OK;
}

/* ---- parsing ---- */

/* "--token-file" and "token_file" are the same name. */
static bool name_is(const char *name, struct slice given)
{
	if (strlen(name) != given.len)
		return false;
	for (size_t i = 0; i < given.len; i++)
		if (name[i] != given.ptr[i] && !(name[i] == '_' && given.ptr[i] == '-'))
			return false;
	return true;
}

static int find_option(const struct command *c, struct slice given)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (c->takes & 1ULL << i && name_is(options[i].name, given))
			return (int)i;
	return -1;
}

static void unknown_option(const struct command *c, const char *word, struct slice name)
{
	const char *names[OPTION_COUNT], *near;
	char meant[64] = "";
	size_t count = 0;

	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (c->takes & 1ULL << i)
			names[count++] = options[i].name;
	near = text_nearest(name, names, count);
	if (near)
		snprintf(meant, sizeof(meant), " (did you mean \"--%s\"?)", near);
	for (char *at = meant; *at; at++)
		if (*at == '_')
			*at = '-';
	cli_error(0, "%s has no option \"%s\"%s; see `bawn %s --help`", c->name, word, meant, c->name);
}

/* One "--name", "--name=value" or "--name value"; the number of words it took, or 0 with the line printed. */
static int parse_option(const struct command *c, char **word, struct cli_args *args)
{
	const char *equals = strchr(word[0], '=');
	struct slice name = slice_of(word[0] + 2, equals ? (size_t)(equals - word[0]) - 2 : strlen(word[0]) - 2);
	int option = find_option(c, name);

	if (option < 0) {
		unknown_option(c, word[0], name);
		return 0;
	}
	if (args->value[option]) {
		cli_error(0, "--%.*s is given twice", SLICE_ARG(name));
		return 0;
	}
	if (!options[option].value[0]) {
		if (equals) {
			cli_error(0, "--%.*s takes no value", SLICE_ARG(name));
			return 0;
		}
		args->value[option] = "";
		return 1;
	}
	args->value[option] = equals ? equals + 1 : word[1];
	if (!args->value[option]) {
		cli_error(0, "--%.*s needs a value: %s", SLICE_ARG(name), options[option].value);
		return 0;
	}
	return equals ? 1 : 2;
}

static int parse_and_run(const struct command *c, char **words)
{
	struct cli_args args = { .command = c->name };
	size_t operands = 0;

	while (*words) {
		if ((*words)[0] == '-' && (*words)[1] == '-' && (*words)[2]) {
			int taken = parse_option(c, words, &args);

			if (!taken)
				return CLI_USAGE;
			words += taken;
		} else if (strcmp(*words, "-h") == 0) {
			args.value[OPTION_help] = "";
			words++;
		} else if (operands < c->most && (*words)[0] != '-') {
			args.operands[operands++] = *words++;
		} else {
			return cli_error(CLI_USAGE, "%s does not take \"%s\"; see `bawn %s --help`", c->name, *words, c->name);
		}
	}
	if (cli_has(&args, OPTION_help))
		return help_command(c);
	return c->run(&args);
}

/* What was printed has to have arrived: a list on a full disk is no list. */
static int flushed(int status)
{
	if (fflush(stdout) == EOF || ferror(stdout))
		return cli_error(status == CLI_OK ? CLI_REFUSED : status, "standard output could not be written: %s", strerror(errno));
	return status;
}

/* How init starts the others; nobody else has a reason to. */
static int run_process(const char *name)
{
	static const struct { enum process process; int (*main)(void); } processes[] = {
		{ PROCESS_JUDGE, judge_main },	   { PROCESS_AUDIT, audit_main },     { PROCESS_LAUNCHER, launcher_main },
		{ PROCESS_STORE, store_main },	   { PROCESS_CONSOLE, console_main }, { PROCESS_GATEWAY, gateway_main },
	};

	for (size_t i = 0; i < sizeof(processes) / sizeof(processes[0]); i++)
		if (strcmp(name, process_name(processes[i].process)) == 0)
			return processes[i].main();
	return CLI_USAGE;
}

int main(int argc, char **argv)
{
	const char *names[COMMANDS], *near;

	if (argc == 3 && strcmp(argv[1], "--process") == 0)
		return run_process(argv[2]);
	if (argc < 2)
		return cli_error(CLI_USAGE, "no command; see `bawn --help`");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
		return help();
	if (strcmp(argv[1], "--version") == 0) {
		printf("bawn " BAWN_VERSION "\n");
		return CLI_OK;
	}
	for (size_t i = 0; i < COMMANDS; i++) {
		names[i] = commands[i].name;
		if (strcmp(argv[1], commands[i].name) == 0)
			return flushed(parse_and_run(&commands[i], argv + 2));
	}
	near = text_nearest(slice_str(argv[1]), names, COMMANDS);
	return cli_error(CLI_USAGE, "unknown command \"%s\"%s%s%s; see `bawn --help`", argv[1], near ? " (did you mean \"" : "", near ? near : "",
			 near ? "\"?)" : "");
}
