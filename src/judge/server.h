/*
 * One session's server: its sandbox, the handshake, its tools, and the pen, which is the only way anything is ever written to it.
 * It starts with its session and again, with back-off, whenever it ends.
 */
#pragma once

#include "judge/session.h"
#include "parse/schema.h"

enum { TOOL_HEX = 64 }; /* digits of a SHA-256 */

/* What became of a tool when it was held against what was accepted of its server (pins.h). Only TOOL_ACCEPTED may be listed or called. */
enum tool_state { TOOL_UNCHECKED, TOOL_ACCEPTED, TOOL_CHANGED, TOOL_NEW, TOOL_RENAMED, TOOL_ALIKE, TOOL_CODE };

/* One tool as the server defined it. */
struct tool {
	struct slice name;
	const struct json *definition; /* what the agent may see of it */
	struct schema *schema;         /* NULL: withheld */
	const char *withheld;          /* why, or NULL */
	char digest[TOOL_HEX + 1];     /* SHA-256 of the canonical definition; empty when it could not be made */
	char pin[TOOL_HEX + 1];        /* SHA-256 over canonical JSON of {code, definition}: what an approval is bound to */
	size_t size;                   /* bytes of the canonical definition */
	enum tool_state state;
	bool known; /* a tool of this name was accepted before */
	bool alike; /* its name looks like that of another tool of this server */
};

enum server_state { SERVER_DOWN, SERVER_STARTING, SERVER_INITIALIZING, SERVER_LISTING, SERVER_READY };

struct server *server_new(struct session *session, const char *name);
void server_free(struct server *server);
void server_start(struct server *server);

const char *server_name(const struct server *server);
enum server_state server_state(const struct server *server);
uint32_t server_timeout_ms(const struct server *server);
const char *server_state_name(enum server_state state);
uint32_t server_pid(const struct server *server);
uint64_t server_starts(const struct server *server);
size_t server_tool_count(const struct server *server);

/* The server's tool of that name, NULL when it has none. Valid until the event loop goes on. */
const struct tool *server_tool(const struct server *server, struct slice name);

/* Nothing is known of what was accepted of it. */
bool server_unchecked(const struct server *server);

/* The pen: tools/call with canonical arguments, and its cancellation. 0, -EPIPE when there is no server or it does not read. */
int server_write_call(struct server *server, uint64_t call, struct slice tool, struct slice arguments, bool progress);
int server_write_cancel(struct server *server, uint64_t call, struct slice reason);

/* A call was given up: is the server still there? One that does not answer a ping either is ended and started anew. */
void server_probe(struct server *server);

/* What was accepted of the server of that name is known now, or is another: sessions that wait for that go on, the others check again. */
void server_on_pins(struct judge *judge, const char *name);

/* Tells the gateway what the agent may see, when that has changed. */
void server_show_tools(struct server *server);

/* The session's gateway is connected. */
void server_on_gateway(struct server *server);

/* From the launcher. */
void server_on_sandbox_started(struct judge *judge, struct msg_sandbox_started *m);
void server_on_sandbox_failed(struct judge *judge, const struct msg_sandbox_failed *m);
void server_on_sandbox_ended(struct judge *judge, const struct msg_sandbox_ended *m);
void server_on_launcher_lost(struct judge *judge);
void server_on_launcher_back(struct judge *judge);

/* From the gateway, which has decoded it. Numbers of an earlier run are passed over. */
void server_on_initialized(struct server *server, const struct msg_server_initialized *m);
void server_on_listed(struct server *server, const struct msg_server_listed *m);
void server_on_changed(struct server *server, uint64_t run);
void server_on_asks(struct server *server, const struct msg_server_asks *m);
void server_on_alive(struct server *server, uint64_t run);
void server_on_silent(struct server *server, uint64_t run);
void server_on_fault(struct server *server, const struct msg_server_fault *m);
