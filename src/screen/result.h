/*
 * Screening what a tool gives back, before the agent sees it (MCP 2025-11-25, server/tools, CallToolResult). Pure. Only what is known is kept:
 * content blocks of the known types with their known members, structured content, and the error flag. Everything kept is data from outside, and is marked so.
 */
#pragma once

#include "parse/json.h"

struct screen_report {
	bool tool_error;      /* the tool says that it failed */
	unsigned dropped;     /* members left out: unknown ones, and "_meta", by which a server would speak to the client */
	const char *withheld; /* why nothing is handed on; a literal; NULL when something is */
};

/*
 * Makes the result that the agent gets, in `arena`, borrowing strings from `result`. `entry` is the number of the call's intent on the record.
 * 0, also when it is withheld (then *ret_result is not written); -ENOMEM.
 */
int screen_result(struct arena *arena, const struct json *result, uint64_t entry, struct json *ret_result, struct screen_report *ret_report);
