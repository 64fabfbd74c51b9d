/* What `bawn status` shows of servers, agents and sessions. */
#pragma once

#include "judge/judge.h"

/* Appends the members "servers", "agents" and "sessions" of a JSON object, without its braces. 0 or a buf error. */
int status_write(const struct judge *judge, struct buf *out);
