/* Sessions: who is at the other end (the stage *identify*), and what belongs to one session. */
#pragma once

#include "judge/judge.h"

struct call;
struct server;

struct session {
	struct session *next;
	struct judge *judge;
	uint64_t id; /* the number of its session.open entry: unique for the log's life */
	char agent[65];
	uint32_t uid; /* the user that its client runs as */
	struct channel *gateway; /* NULL until init has connected it */
	struct channel *quiet;   /* to the gateway as well, for call_running: it wakes nobody */
	struct server *server;
	struct call *calls;
	size_t call_count;
	size_t undecided;   /* bytes of packed arguments, of calls that are not running yet */
	unsigned faults;    /* of its agent */
	uint64_t last_call; /* numbers only ascend */
};

/* console: a client wants a session. Takes the message's descriptors when it grants one. */
void session_on_open(struct judge *judge, struct msg_session_open *m);

/* init: the session's gateway is there, or could not be started. */
void session_on_gateway(struct judge *judge, uint64_t id, int fd);
void session_on_quiet(struct judge *judge, uint64_t id, int fd);
void session_on_gateway_failed(struct judge *judge, const struct msg_gateway_failed *m);

struct session *session_find(struct judge *judge, uint64_t id);

/* Ends a session: its calls fail, its server is killed, its gateway is dropped; `why` goes on the record. */
void session_close(struct session *session, const char *why);

/* session_close, because its gateway did what no sound gateway does: init kills it, and that is on the record. */
void session_violation(struct session *session, const char *why);

/* A new policy is in force: what each agent may see is worked out anew. */
void session_policy_changed(struct judge *judge);
