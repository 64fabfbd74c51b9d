/*
 * The call path: one tool call through its stages, in the order of the functions in call.c:
 *
 *   identify -> grant -> arguments -> policy -> approval -> record intent -> execute -> (screen, in the gateway) -> record outcome
 */
#pragma once

#include "judge/session.h"

/* From the gateway. A number that does not ascend, or that is not known, ends the session. */
void call_on_propose(struct session *session, const struct msg_call_propose *m);
void call_on_malformed(struct session *session, const struct msg_call_malformed *m);
void call_on_cancel(struct session *session, const struct msg_call_cancel *m);
void call_on_outcome(struct session *session, const struct msg_call_outcome *m);

/* The server is ready: calls that waited for it are decided now. */
void call_server_ready(struct session *session);

/* The server is gone: calls that it was executing fail; with `waiting`, those that waited for it as well. */
void call_server_gone(struct session *session, const char *why, bool waiting);

/* The session ends: what runs is recorded as abandoned, everything is freed. */
void call_abandon_all(struct session *session, const char *why);

/* Records that an agent or a server sent what cannot be read. */
void call_record_fault(struct session *session, const char *who, struct slice what);
