#include "ipc/statements.h"

#define JUDGE (1U << PROCESS_JUDGE)
#define CONSOLE (1U << PROCESS_CONSOLE)

const struct statement_rule *statement_rule(enum statement statement)
{
	static const struct statement_rule rules[STATEMENT_COUNT] = {
#define STATEMENT(id, who, in, out, sql) [STATEMENT_##id] = { .name = #id, .roles = who, .values = in, .columns = out },
#include "ipc/statements.tbl.h"
#undef STATEMENT
	};

	return &rules[statement];
}
