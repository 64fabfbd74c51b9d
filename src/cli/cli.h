/*
 * The command line. main.c parses by the table; each verb is one function in one file. Exit codes: 0; 1 refused, or found
 * wrong; 2 wrong usage, or an unknown agent, server or verb.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define OPTION(name, value, what) OPTION_##name,
enum cli_option {
#include "cli/commands.tbl.h"
	OPTION_COUNT
};
#undef OPTION

enum { CLI_OK = 0, CLI_REFUSED = 1, CLI_USAGE = 2 };

struct cli_args {
	const char *command;
	const char *value[OPTION_COUNT]; /* NULL: not given; a flag that is given has "" */
	const char *operands[3];         /* NULL-filled */
};

#define COMMAND(name, operands, most, what, options) int cli_##name(const struct cli_args *args);
#include "cli/commands.tbl.h"
#undef COMMAND

static inline bool cli_has(const struct cli_args *args, enum cli_option option)
{
	return args->value[option] != NULL;
}

/* One line on standard error, "bawn: ...", escaped; gives back `status`. */
int cli_error(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* An option's value as a number in [min, max], `otherwise` when it is not given. CLI_OK, or CLI_USAGE with the line printed. */
int cli_number(const struct cli_args *args, enum cli_option option, uint64_t min, uint64_t max, uint64_t otherwise, uint64_t *ret_n);
