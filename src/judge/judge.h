/*
 * The judge's own state: one struct, passed along; nothing is global. See main.c for the theory of operation.
 */
#pragma once

#include <event2/event.h>
#include <sodium.h>

#include "child/child.h"
#include "ipc/channel.h"
#include "ipc/wire.h"
#include "parse/fields.h"
#include "policy/policy.h"

struct session;
struct record_waiting;
struct asking;
struct deciding;
struct stored_waiting;
struct pins;

/* The token of one agent, as its hash. */
struct agent_token {
	struct agent_token *next;
	char agent[65];
	unsigned char hash[crypto_hash_sha256_BYTES];
};

struct judge {
	struct child *child;
	struct event_base *loop;
	struct channel *init, *launcher, *audit, *store, *console;
	struct policy *policy;
	uint64_t policy_number; /* of the one in force: another one, another number */
	char *policy_path;
	struct agent_token *tokens, *tokens_next; /* in force; to be in force with the next policy */
	struct session *sessions;
	struct record_waiting *waiting; /* appends whose entry number is awaited */
	struct stored_waiting *stored_waiting; /* statements whose answer is awaited */
	struct asking *askings, *askings_ready; /* calls in the stage approval; those of them whose turn has come */
	struct asking *askings_lost; /* calls whose approval was being used up when the store ended */
	bool askings_beginning;
	struct deciding *decidings; /* what people are deciding */
	struct event *sweep_timer;
	struct pins *pins; /* of each server that was seen */
	uint64_t pins_round;
	uint64_t last_token, last_stored, last_sandbox;
	bool stopping;
	char layers[4096]; /* measured confinement, JSON */
};
