#include "judge/session.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "judge/call.h"
#include "judge/record.h"
#include "judge/server.h"

static uint32_t count_sessions(const struct judge *judge)
{
	uint32_t count = 0;

	for (const struct session *s = judge->sessions; s; s = s->next)
		count++;
	return count;
}

/* A client that waits for its session: between its request and the entry on the log. */
struct opening {
	struct judge *judge;
	uint64_t request;
	char agent[65], server[65];
	uint32_t uid;
	int input, output, leash;
	const char *code; /* NULL: granted */
	char why[512];
};

static void opening_free(struct opening *o)
{
	fd_close(&o->input);
	fd_close(&o->output);
	fd_close(&o->leash);
	free(o);
}

static void answer_refused(struct opening *o, uint64_t entry)
{
	struct msg_session_refused m = { .request = o->request, .code = slice_str(o->code), .why = slice_str(o->why), .entry = entry };

	if (o->judge->console)
		channel_send(o->judge->console, MSG_session_refused, &m);
}

/* ---- identify ---- */

static bool token_matches(const struct judge *judge, struct slice agent, struct slice token)
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(hash, (const unsigned char *)token.ptr, token.len);
	for (const struct agent_token *t = judge->tokens; t; t = t->next)
		if (slice_eq(slice_str(t->agent), agent))
			return token.len && sodium_memcmp(hash, t->hash, sizeof(hash)) == 0;
	return false;
}

/* Which agent is this? A wrong token, a missing one and an unknown name give the same answer. */
static bool identify(const struct judge *judge, const struct msg_session_open *m, char agent[65])
{
	bool single = policy_agent_count(judge->policy) == 1;
	struct slice name = m->agent;

	if (name.len == 0 && single)
		name = slice_str(policy_agent_at(judge->policy, 0));
	if (name.len == 0 || name.len > 64 || !policy_agent_exists(judge->policy, name))
		return false;
	if (!single && !token_matches(judge, name, m->token))
		return false;
	memcpy(agent, name.ptr, name.len);
	agent[name.len] = '\0';
	return true;
}

/* The server that was named, or the only one the agent may use; NULL with the sentence. */
static const struct policy_server *choose_server(const struct policy *policy, const char *agent, struct slice name, char why[512])
{
	const struct policy_server *found = NULL;
	cleanup_buf struct buf names = BUF_INIT(400);
	size_t usable = 0;

	for (size_t i = 0; i < policy_server_count(policy); i++) {
		const struct policy_server *s = policy_server_at(policy, i);

		if (!policy_agent_uses(policy, slice_str(agent), slice_str(s->name)))
			continue;
		usable++;
		if (buf_add_str(&names, names.len ? ", " : "") == 0)
			buf_add_str(&names, s->name);
		if (name.len == 0 || slice_eq(slice_str(s->name), name))
			found = s;
	}
	if (found && (name.len || usable == 1))
		return found;
	if (!usable)
		text_format(why, 512, "agent %s may use no server: no allow or ask rule of the policy is for a tool of one", agent);
	else if (name.len)
		text_format(why, 512, "there is no server \"%.*s\" that agent %s may use; it may use: %.*s", SLICE_ARG(name), agent,
			 (int)names.len, names.len ? names.ptr : "");
	else
		text_format(why, 512, "agent %s may use several servers; name one with --server: %.*s", agent, (int)names.len,
			 names.len ? names.ptr : "");
	return NULL;
}

static void on_refusal_recorded(struct judge *judge, void *ctx, uint64_t entry, const char *why)
{
	struct opening *o = ctx;

	(void)judge;
	(void)why;
	answer_refused(o, entry);
	opening_free(o);
}

static struct session *session_new(struct judge *judge, const struct opening *o, uint64_t id)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->judge = judge;
	s->id = id;
	memcpy(s->agent, o->agent, sizeof(s->agent));
	s->uid = o->uid;
	s->last_call = SERVER_ID_CALL_FIRST - 1;
	s->server = server_new(s, o->server);
	if (!s->server) {
		free(s);
		return NULL;
	}
	s->next = judge->sessions;
	judge->sessions = s;
	return s;
}

static void tell_count(struct judge *judge)
{
	struct msg_sessions_count m = { .sessions = count_sessions(judge) };

	channel_send(judge->init, MSG_sessions_count, &m);
}

/* The session is on the log: its gateway and its server may start. */
static void on_open_recorded(struct judge *judge, void *ctx, uint64_t entry, const char *why)
{
	struct opening *o = ctx;
	struct msg_gateway_spawn spawn = { .session = entry, .agent = slice_str(o->agent), .server = slice_str(o->server),
					   .input = o->input, .output = o->output, .leash = o->leash };
	struct msg_session_opened opened = { .request = o->request, .session = entry };
	struct session *s;

	if (!entry || judge->stopping) {
		o->code = "not_recorded";
		snprintf(o->why, sizeof(o->why), "%s, so no session is opened", why ? why : "bawn is shutting down");
		answer_refused(o, 0);
		opening_free(o);
		return;
	}
	s = session_new(judge, o, entry);
	if (!s || channel_send(judge->init, MSG_gateway_spawn, &spawn) < 0) {
		o->code = "server_failed";
		snprintf(o->why, sizeof(o->why), "the session could not be set up");
		answer_refused(o, entry);
		if (s)
			session_close(s, o->why);
	} else {
		server_start(s->server);
		if (judge->console)
			channel_send(judge->console, MSG_session_opened, &opened);
		tell_count(judge);
	}
	opening_free(o);
}

void session_on_open(struct judge *judge, struct msg_session_open *m)
{
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	struct fields f = FIELDS_INIT(&arena);
	struct opening *o = calloc(1, sizeof(*o));
	const struct policy_server *server;

	if (!o)
		return;
	*o = (struct opening){ .judge = judge, .request = m->request, .uid = m->uid, .input = fd_take(&m->input), .output = fd_take(&m->output),
			       .leash = fd_take(&m->leash) };
	if (!judge->policy) {
		/* A judge that has just begun; the client asks again. */
		o->code = "unavailable";
		snprintf(o->why, sizeof(o->why), "the policy is not in force yet; try again");
		answer_refused(o, 0);
		opening_free(o);
		return;
	}
	if (!identify(judge, m, o->agent)) {
		o->code = "unknown_agent";
		snprintf(o->why, sizeof(o->why), "no agent is known by this name and token (see `bawn agent --help`)");
	} else if (count_sessions(judge) >= SESSIONS_MAX) {
		o->code = "too_many_sessions";
		snprintf(o->why, sizeof(o->why), "there are %d sessions already; end some, then try again", SESSIONS_MAX);
	} else {
		server = choose_server(judge->policy, o->agent, m->server, o->why);
		if (server)
			snprintf(o->server, sizeof(o->server), "%s", server->name);
		else
			o->code = "unknown_server";
	}
	fields_text(&f, "agent", o->agent[0] ? slice_str(o->agent) : m->agent);
	fields_text(&f, "server", o->server[0] ? slice_str(o->server) : m->server);
	fields_u64(&f, "uid", m->uid);
	fields_u64(&f, "pid", m->pid);
	if (o->code) {
		fields_text(&f, "code", slice_str(o->code));
		fields_text(&f, "stage", SLICE("identify"));
		record_append(judge, "session.refused", &f, (struct slice){ 0 }, false, on_refusal_recorded, o);
	} else {
		record_append(judge, "session.open", &f, (struct slice){ 0 }, false, on_open_recorded, o);
	}
}

/* ---- the gateway's channel ---- */

static void on_gateway_message(void *ctx, struct channel *channel, struct message *m)
{
	struct session *s = ctx;
	char why[513];

	(void)channel;
	switch ((int)m->type) {
	case MSG_call_propose:
		call_on_propose(s, &m->call_propose);
		break;
	case MSG_call_malformed:
		call_on_malformed(s, &m->call_malformed);
		break;
	case MSG_call_cancel:
		call_on_cancel(s, &m->call_cancel);
		break;
	case MSG_call_outcome:
		call_on_outcome(s, &m->call_outcome);
		break;
	case MSG_agent_fault:
		call_record_fault(s, "agent", m->agent_fault.what);
		if (++s->faults > SESSION_FAULTS_MAX)
			session_violation(s, "the gateway goes on with an agent that cannot be read");
		break;
	case MSG_server_initialized:
		server_on_initialized(s->server, &m->server_initialized);
		break;
	case MSG_server_listed:
		server_on_listed(s->server, &m->server_listed);
		break;
	case MSG_server_changed:
		server_on_changed(s->server, m->server_changed.run);
		break;
	case MSG_server_asks:
		server_on_asks(s->server, &m->server_asks);
		break;
	case MSG_server_alive:
		server_on_alive(s->server, m->server_alive.run);
		break;
	case MSG_server_silent:
		server_on_silent(s->server, m->server_silent.run);
		break;
	case MSG_server_fault:
		server_on_fault(s->server, &m->server_fault);
		break;
	case MSG_session_end:
		snprintf(why, sizeof(why), "%.*s", SLICE_ARG(m->session_end.why));
		session_close(s, why);
		break;
	default: /* the table permits nothing else */
		break;
	}
}

static void on_gateway_broken(void *ctx, struct channel *channel, const char *why)
{
	struct session *s = ctx;

	(void)channel;
	if (why)
		child_misbehaved(s->judge->child, PROCESS_GATEWAY, s->id, why);
	session_close(s, why ? why : "the gateway ended");
}

void session_on_gateway(struct judge *judge, uint64_t id, int fd)
{
	static const struct channel_ops ops = { .message = on_gateway_message, .broken = on_gateway_broken };
	struct session *s = session_find(judge, id);

	if (!s || s->gateway) {
		close(fd);
		return;
	}
	if (channel_new(judge->loop, fd, PROCESS_JUDGE, PROCESS_GATEWAY, &ops, s, &s->gateway) < 0) {
		session_close(s, "out of memory");
		return;
	}
	channel_set_phase(s->gateway, PHASE_SERVING);
	server_on_gateway(s->server);
}

/* Nothing comes this way; the gateway's end is seen on the other channel. */
static void on_quiet_message(void *ctx, struct channel *channel, struct message *m)
{
	(void)ctx;
	(void)channel;
	(void)m;
}

static void on_quiet_broken(void *ctx, struct channel *channel, const char *why)
{
	struct session *s = ctx;

	(void)channel;
	(void)why;
	channel_free(s->quiet);
	s->quiet = NULL;
}

void session_on_quiet(struct judge *judge, uint64_t id, int fd)
{
	static const struct channel_ops ops = { .message = on_quiet_message, .broken = on_quiet_broken };
	struct session *s = session_find(judge, id);

	if (!s || s->quiet) {
		close(fd);
		return;
	}
	if (channel_new(judge->loop, fd, PROCESS_JUDGE, PROCESS_GATEWAY, &ops, s, &s->quiet) < 0)
		session_close(s, "out of memory");
}

void session_on_gateway_failed(struct judge *judge, const struct msg_gateway_failed *m)
{
	struct session *s = session_find(judge, m->session);
	char why[513];

	/* What it said before it ended is in its channel still: outcomes, and perhaps why it ended. */
	if (s && s->gateway) {
		channel_drain(s->gateway);
		s = session_find(judge, m->session);
	}
	snprintf(why, sizeof(why), "%.*s", SLICE_ARG(m->why));
	if (s)
		session_close(s, why);
}

struct session *session_find(struct judge *judge, uint64_t id)
{
	for (struct session *s = judge->sessions; s; s = s->next)
		if (s->id == id)
			return s;
	return NULL;
}

void session_close(struct session *s, const char *why)
{
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	struct fields f = FIELDS_INIT(&arena);
	struct judge *judge = s->judge;
	struct msg_gateway_close close_gateway = { .session = s->id };

	for (struct session **at = &judge->sessions; *at; at = &(*at)->next)
		if (*at == s) {
			*at = s->next;
			break;
		}
	call_abandon_all(s, why);
	server_free(s->server);
	channel_free(s->gateway);
	channel_free(s->quiet);
	channel_send(judge->init, MSG_gateway_close, &close_gateway);
	fields_u64(&f, "session", s->id);
	fields_text(&f, "agent", slice_str(s->agent));
	fields_text(&f, "why", slice_str(why));
	record_append(judge, "session.close", &f, (struct slice){ 0 }, false, NULL, NULL);
	free(s);
	tell_count(judge);
}

void session_violation(struct session *s, const char *why)
{
	child_misbehaved(s->judge->child, PROCESS_GATEWAY, s->id, why);
	session_close(s, why);
}

void session_policy_changed(struct judge *judge)
{
	for (struct session *s = judge->sessions; s; s = s->next)
		server_show_tools(s->server);
}
