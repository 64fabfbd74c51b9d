/* The family as init sees it: its members, and how each is started, wired, watched and ended. */
#pragma once

#include <event2/event.h>

#include "confine/spawn.h"
#include "init/init.h"
#include "ipc/channel.h"

struct family;

/* One process of the family. The core ones (judge, audit, store, launcher, console) have one member each for the family's life; gateways come and go. */
struct member {
	struct member *next;
	struct family *family;
	enum process role;
	uint64_t session; /* gateways */
	char server[65];
	int fds[3]; /* gateways: input, output, leash, until they are handed over; -1 */
	pid_t pid;  /* 0: not running */
	int pidfd;
	struct event *exited, *again; /* its end; its next start, for a gateway the end of its time to end */
	struct channel *channel;
	bool ready, stopping;
	struct confine_report report;
	unsigned restarts, failures; /* since the family began; in a row without having been ready for long */
	uint64_t started_ns;
	unsigned slot;
};

struct family {
	const struct init_options *options;
	struct event_base *loop;
	struct member *members;
	struct confine_report own;
	int binary, listener, audit_dir, store_dir, servers_dir;
	bool root;
	bool policy_accepted; /* the first one */
	bool policy_given;    /* the judge that runs now has been sent one */
	bool serving;         /* a policy is in force and everybody is connected */
	bool stopping;
	int status;    /* the exit status */
	uint64_t reload_request; /* console's number of the reload under way; 0: none */
	uint64_t policy_request;
	struct buf offered, accepted; /* policy bytes: last handed over; in force */
	struct event *linger, *deadline;
	uint64_t unrecorded_since_us; /* nothing can be recorded since then; 0: it can */
	char unrecorded_why[257];
	unsigned next_slot;
};

struct member *family_core(struct family *family, enum process role);

/* Starts a core process. 0 or -errno with the reason logged. */
int family_start(struct family *family, enum process role);

/* Starts a gateway for the session, taking the message's descriptors. */
void family_start_gateway(struct family *family, struct msg_gateway_spawn *m);

/* The judge says that this session is over: its gateway is killed unless it ends soon. */
void family_close_gateway(struct family *family, uint64_t session);

/* One member says that another sent what it may not: that one is killed, restarted if it is a core process, and on the record. */
void family_on_misbehaved(struct family *family, const struct msg_misbehaved *m);

/* Ends in order: console and judge first, the launcher after them, audit last. Goes on from the event loop. */
void family_stop(struct family *family, int status);

/* Called by member.c as things happen; main.c has them. */
void family_on_message(struct member *member, struct message *m);
void family_on_ready(struct member *member);

/* Nothing can be recorded from now on, or (since 0) it can again; for `bawn status`. */
void family_record_state(struct family *family, uint64_t since_us, struct slice why);

/* Puts an entry on the audit log, when there is an audit process. */
void family_record(struct family *family, const char *kind, struct member *about, const char *why);

/* Reports that the family cannot go on, to standard error and to whoever waits for it to be ready; then ends it. */
void family_fail(struct family *family, const char *why);
