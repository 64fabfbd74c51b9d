/* The statements of statements.tbl.h as an enum, and what the table says of each but its SQL. */
#pragma once

#include "ipc/process.h"

#define STATEMENT(name, roles, values, columns, sql) STATEMENT_##name,
enum statement {
#include "ipc/statements.tbl.h"
	STATEMENT_COUNT
};
#undef STATEMENT

struct statement_rule {
	const char *name;
	unsigned roles;      /* bits 1 << enum process */
	const char *values;  /* a letter for each */
	const char *columns;
};

const struct statement_rule *statement_rule(enum statement statement);
