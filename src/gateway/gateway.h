/* The gateway's state: one session. See main.c for the theory of operation. */
#pragma once

#include <event2/event.h>

#include "child/child.h"
#include "gateway/stream.h"
#include "ipc/channel.h"
#include "ipc/wire.h"
#include "parse/jsonrpc.h"
#include "parse/skim.h"

/* A call between the agent's request and its answer. */
struct pending {
	struct pending *next;
	uint64_t call;  /* its number towards judge and server */
	uint64_t entry; /* of its intent */
	bool running;   /* the judge has let it through */
	bool cancelled; /* its agent wants no answer any more; it is kept until the judge has done with it */
	size_t undecided; /* bytes of its arguments, until it is running */
	struct json id, progress; /* the agent's; texts owned; `progress` is JSON_NULL when none is wanted */
};

struct gateway {
	struct child *child;
	struct event_base *loop;
	struct channel *judge;
	struct channel *quiet; /* from the judge as well: which calls may run */
	uint64_t session;
	char server_name[65];

	/* the agent's side */
	struct reader *agent_in;
	struct writer *agent_out;
	int leash;
	struct event *leash_event;
	bool initialized;   /* the agent has begun with initialize */
	bool agent_at_end;  /* it sends no more; what is under way is still answered */
	bool over;
	struct skim skim;   /* of the line that is over the maximum */
	bool skimming;
	uint64_t faults;

	/* calls */
	struct pending *calls;
	size_t call_count;
	uint64_t next_call;
	unsigned proposed;  /* since the quiet channel was last read */
	size_t undecided; /* bytes, all calls together */

	bool agent_slow;          /* what was written to the agent waits for it to read */
	struct event *pace_timer; /* pending while somebody waits for the judge */

	/* the server's side */
	struct reader *server_in;
	uint64_t run;
	bool server_initialized;
	struct skim server_skim;
	bool server_skimming;

	/* what the agent may see: the packed array, unpacked for each answer */
	struct buf tools;
	bool tools_known;
	struct pending *lists; /* tools/list requests that wait for the server */
};

/* ---- agent.c ---- */

/* The agent's descriptors are there. 0 or -errno. */
int agent_begin(struct gateway *g, int input, int output, int leash);

void agent_on_tools(struct gateway *g, const struct msg_server_tools *m);
void agent_on_refused(struct gateway *g, const struct msg_call_refused *m);
void agent_on_server_gone(struct gateway *g, struct slice why);

/* Answers with a result (an object); the canonical bytes of it, valid until the next answer, for the digest. */
struct slice agent_answer(struct gateway *g, const struct json *id, const struct json *result);
void agent_answer_error(struct gateway *g, const struct json *id, int64_t code, struct slice message);
void agent_notify(struct gateway *g, struct slice method, const struct json *params);

/* The session is over: tells the judge and, by a line on the leash, the client; and leaves the loop. `why` NULL: in good order. */
void agent_end(struct gateway *g, const char *why);

/* Ends the session when the agent has stopped sending and nothing is under way any more. */
void agent_end_if_idle(struct gateway *g);

/* ---- server.c ---- */

void server_begin(struct gateway *g, struct msg_server_output *m);
void server_end(struct gateway *g);

/* The judge has given up a call. A server that is in the middle of a message which is too large already is given up as well: the next answer could not be told from its rest. */
void server_on_given_up(struct gateway *g);

/* ---- pace.c ---- */

/*
 * Neither stranger is read faster than the judge takes what comes of it, nor the server faster than the agent. To be called whenever
 * something has changed that may hold one of them, or let it go on.
 */
void pace(struct gateway *g);

/* ---- calls.c ---- */

/* A new call with the next number; NULL when there is no memory. `progress` may be NULL. */
struct pending *calls_add(struct gateway *g, const struct json *id, const struct json *progress);
struct pending *calls_find(const struct gateway *g, uint64_t call);
struct pending *calls_find_id(const struct gateway *g, const struct json *id);
void calls_remove(struct gateway *g, struct pending *p);

/* The judge has decided it, or given it up: its arguments wait no longer. */
void calls_decided(struct gateway *g, struct pending *p);

/* A request that is only an id. NULL when there is no memory. */
struct pending *pending_new(const struct json *id, const struct json *progress);
void pending_free(struct pending *p);
