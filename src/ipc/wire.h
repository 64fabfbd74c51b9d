/*
 * JSON-RPC ids towards a server. Calls carry the number that the gateway gave them, in one ascending row for each session; the
 * judge's own requests use the numbers below. So the gateway knows from an answer's id what kind of answer it must be.
 */
#pragma once

enum {
	SERVER_ID_INITIALIZE = 1,
	SERVER_ID_LIST_FIRST = 2, /* tools/list, one number after the other, then again from here */
	SERVER_ID_LIST_LAST = 998,
	SERVER_ID_PING = 999,
	SERVER_ID_CALL_FIRST = 1000,
};

/* What a family and one session may hold at most. */
enum {
	SESSIONS_MAX = 256,
	SESSION_CALLS_MAX = 256,          /* calls between proposal and outcome */
	SESSION_UNDECIDED_MAX = 4 * 1024 * 1024, /* bytes of packed arguments above which a gateway proposes nothing until some are decided */
	SESSION_FAULTS_MAX = 100,         /* unreadable messages of an agent, before its session ends */
	LINE_AGENT_MAX = 4 * 1024 * 1024, /* bytes of one message from the agent */
	LINE_SERVER_MAX = 16 * 1024 * 1024,
	SERVER_TOOLS_MAX = 1024,
	ARGUMENTS_MAX = 4 * 1024 * 1024, /* bytes of a call's canonical arguments */
};
