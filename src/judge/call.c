#include "judge/call.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "judge/record.h"
#include "judge/server.h"

enum call_state {
	CALL_WAITING,   /* granted; its server is not ready yet, so its arguments cannot be checked */
	CALL_RECORDING, /* decided; its entry is awaited */
	CALL_RUNNING,   /* the server has it */
};

struct call {
	struct call *next;
	struct session *session; /* NULL when the session ended while the entry was awaited */
	struct judge *judge;
	uint64_t id;
	enum call_state state;
	char tool[257];
	char server[65], agent[65];
	uint64_t session_id;
	bool progress, cancelled;
	size_t undecided;     /* bytes of the packed arguments, until it runs or ends */
	struct buf packed;    /* the arguments as the gateway decoded them; only while waiting */
	struct buf canonical; /* the arguments as they are recorded and sent */
	struct policy_verdict verdict;
	char rule[192];
	uint64_t entry; /* of the intent */
	uint64_t proposed_ns, running_ns;
	struct event *timer;
};

/* ---- the life of a call ---- */

static struct call *call_find(const struct session *s, uint64_t id)
{
	for (struct call *c = s->calls; c; c = c->next)
		if (c->id == id)
			return c;
	return NULL;
}

/* Its arguments wait no longer. */
static void call_decided(struct call *c)
{
	if (c->session)
		c->session->undecided -= c->undecided;
	c->undecided = 0;
}

static void call_free(struct call *c)
{
	call_decided(c);
	if (c->session) {
		for (struct call **at = &c->session->calls; *at; at = &(*at)->next)
			if (*at == c) {
				*at = c->next;
				break;
			}
		c->session->call_count--;
	}
	if (c->timer)
		event_free(c->timer);
	buf_free(&c->packed);
	buf_free(&c->canonical);
	free(c);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg);

/* Numbers ascend, so that no answer can be taken for another call's; and a gateway that floods is no gateway of ours. */
static struct call *call_new(struct session *s, uint64_t id, struct slice tool)
{
	struct call *c;

	if (id <= s->last_call || id >= 1ULL << 53 || s->call_count >= SESSION_CALLS_MAX) {
		session_violation(s, "the gateway broke the numbering of calls");
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	if (!c || !(c->timer = evtimer_new(s->judge->loop, on_timeout, c))) {
		free(c);
		session_close(s, "out of memory");
		return NULL;
	}
	s->last_call = id;
	c->session = s;
	c->judge = s->judge;
	c->id = id;
	c->session_id = s->id;
	c->packed = BUF_INIT(message_rule(MSG_call_propose)->max);
	c->canonical = BUF_INIT(ARGUMENTS_MAX);
	snprintf(c->tool, sizeof(c->tool), "%.*s", SLICE_ARG(tool));
	snprintf(c->server, sizeof(c->server), "%s", server_name(s->server));
	snprintf(c->agent, sizeof(c->agent), "%s", s->agent);
	c->verdict.effect = EFFECT_DESTRUCTIVE;
	c->proposed_ns = clock_monotonic_ns();
	c->next = s->calls;
	s->calls = c;
	s->call_count++;
	return c;
}

static void describe(struct call *c, struct fields *f)
{
	fields_u64(f, "session", c->session_id);
	fields_text(f, "agent", slice_str(c->agent));
	fields_text(f, "server", slice_str(c->server));
	fields_text(f, "tool", slice_str(c->tool));
	fields_u64(f, "call", c->id);
}

/* ---- refusing ---- */

static void answer_refused(struct call *c, uint64_t retry_after_ms)
{
	struct msg_call_refused m = { .call = c->id, .entry = c->entry, .code = slice_str(c->verdict.code),
				      .stage = slice_str(c->verdict.stage), .why = slice_str(c->verdict.why),
				      .retry_after_ms = retry_after_ms };

	/* Also when it was cancelled: until then the gateway keeps it. */
	if (c->session && c->session->gateway)
		channel_send(c->session->gateway, MSG_call_refused, &m);
}

static void not_recorded(struct call *c, const char *why)
{
	c->verdict.code = "not_recorded";
	c->verdict.stage = "record";
	text_format(c->verdict.why, sizeof(c->verdict.why), "Nothing was done, because the record cannot be written (%s). Try again later.", why);
	answer_refused(c, 1000);
}

static void on_refusal_recorded(struct judge *judge, void *ctx, uint64_t entry, const char *why)
{
	struct call *c = ctx;

	(void)judge;
	c->entry = entry;
	if (entry)
		answer_refused(c, 0);
	else
		not_recorded(c, why);
	call_free(c);
}

/* Every refusal is on the record with its stage, code and rule, and with the arguments where they have a reading. */
static void refuse(struct call *c)
{
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	struct fields f = FIELDS_INIT(&arena);

	c->state = CALL_RECORDING;
	describe(c, &f);
	fields_text(&f, "effect", slice_str(policy_effect_name(c->verdict.effect)));
	fields_text(&f, "decision", SLICE("refuse"));
	fields_text(&f, "code", slice_str(c->verdict.code));
	fields_text(&f, "stage", slice_str(c->verdict.stage));
	fields_text(&f, "rule", slice_str(c->rule));
	fields_text(&f, "why", slice_str(c->verdict.why));
	record_append(c->judge, "call.refused", &f, buf_slice(&c->canonical), false, on_refusal_recorded, c);
}

static void refuse_as(struct call *c, const char *code, const char *stage, const char *format, ...) __attribute__((format(printf, 4, 5)));

static void refuse_as(struct call *c, const char *code, const char *stage, const char *format, ...)
{
	va_list args;

	c->verdict.code = code;
	c->verdict.stage = stage;
	va_start(args, format);
	text_vformat(c->verdict.why, sizeof(c->verdict.why), format, args);
	va_end(args);
	refuse(c);
}

/* A tool that is not granted, is unknown, or is withheld: one answer, so that asking tells nothing. */
static void refuse_grant(struct call *c)
{
	refuse_as(c, "not_granted", "grant", "There is no such tool for you; use one of those that tools/list names.");
}

/* ---- the stages ---- */

/* grant: is there a rule for this tool? */
static bool stage_grant(struct call *c)
{
	const struct policy *p = c->judge->policy;

	if (!policy_agent_exists(p, slice_str(c->agent))) {
		refuse_as(c, "unknown_agent", "identify", "This agent is no longer known; open a new session.");
		return false;
	}
	if (!policy_grants(p, slice_str(c->agent), slice_str(c->server), slice_str(c->tool))) {
		refuse_grant(c);
		return false;
	}
	return true;
}

/* arguments: one unambiguous JSON object, valid against the tool's own schema. Fills c->canonical. */
static bool stage_arguments(struct call *c, struct slice packed, struct arena *arena, struct json *args)
{
	const struct tool *tool = server_tool(c->session->server, slice_str(c->tool));
	struct schema_fault fault;
	int r;

	if (!tool || !tool->schema) {
		refuse_grant(c);
		return false;
	}
	if (json_unpack(arena, packed, &json_limits_default, args) < 0 || args->type != JSON_OBJECT) {
		/* The gateway packs what it parsed; anything else did not come from a sound gateway. */
		session_violation(c->session, "the gateway sent malformed arguments");
		return false;
	}
	if (json_write(&c->canonical, args) < 0) {
		buf_clear(&c->canonical);
		refuse_as(c, "bad_arguments", "arguments", "The arguments are too large: at most %d bytes.", ARGUMENTS_MAX);
		return false;
	}
	r = schema_validate(tool->schema, args, &fault);
	if (r == -EINVAL)
		refuse_as(c, "bad_arguments", "arguments", "The tool does not take these arguments: %s%s%s.", fault.where,
			  fault.where[0] ? " " : "", fault.what);
	else if (r < 0)
		refuse_as(c, "bad_arguments", "arguments", "The arguments could not be checked within the limits.");
	return r == 0;
}

/* policy and approval: the rules' argument scopes; then, whether a person must be asked. */
static bool stage_policy(struct call *c, const struct json *args)
{
	policy_decide(c->judge->policy, slice_str(c->agent), slice_str(c->server), slice_str(c->tool), args, &c->verdict);
	if (c->verdict.rule && c->verdict.rule[0])
		snprintf(c->rule, sizeof(c->rule), "%s:%u", c->verdict.rule, c->verdict.line);
	c->verdict.rule = NULL; /* it belongs to the policy, which may be replaced while the call lives */
	if (c->verdict.decision == DECISION_ALLOW)
		return true;
	refuse(c);
	return false;
}

static void on_intent_recorded(struct judge *judge, void *ctx, uint64_t entry, const char *why);

/* record intent: on the log before anything happens; for what changes the world also on the disk. */
static void stage_record(struct call *c)
{
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	struct fields f = FIELDS_INIT(&arena);

	c->state = CALL_RECORDING;
	describe(c, &f);
	fields_text(&f, "effect", slice_str(policy_effect_name(c->verdict.effect)));
	fields_text(&f, "decision", SLICE("allow"));
	fields_text(&f, "rule", slice_str(c->rule));
	record_append(c->judge, "call.intent", &f, buf_slice(&c->canonical), c->verdict.effect != EFFECT_READ, on_intent_recorded, c);
}

static void decide(struct call *c, struct slice packed)
{
	cleanup_arena struct arena arena = ARENA_INIT(256 * 1024 * 1024);
	struct json args;

	if (!stage_grant(c))
		return;
	if (!stage_arguments(c, packed, &arena, &args))
		return;
	if (!stage_policy(c, &args))
		return;
	stage_record(c);
}

/* record outcome: what became of it; nobody waits for this entry. */
static void record_outcome(struct call *c, struct slice outcome, uint64_t bytes, struct slice digest, struct slice what)
{
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	struct fields f = FIELDS_INIT(&arena);
	char hex[64];

	describe(c, &f);
	fields_u64(&f, "intent", c->entry);
	fields_text(&f, "outcome", outcome);
	fields_text(&f, "why", what);
	if (digest.len == 32) {
		text_hex(digest.ptr, 32, hex);
		fields_u64(&f, "bytes", bytes);
		fields_text(&f, "sha256", slice_of(hex, sizeof(hex)));
	}
	fields_u64(&f, "decided_us", ((c->running_ns ? c->running_ns : clock_monotonic_ns()) - c->proposed_ns) / 1000);
	if (c->running_ns)
		fields_u64(&f, "executed_us", (clock_monotonic_ns() - c->running_ns) / 1000);
	record_append(c->judge, "call.outcome", &f, (struct slice){ 0 }, false, NULL, NULL);
}

/* A call whose intent stands fails: the agent is told, the outcome recorded, the call over. */
static void fail(struct call *c, const char *why)
{
	c->verdict.code = "server_failed";
	c->verdict.stage = "execute";
	text_format(c->verdict.why, sizeof(c->verdict.why), "%s", why);
	answer_refused(c, 0);
	record_outcome(c, SLICE("server_failed"), 0, (struct slice){ 0 }, slice_str(c->verdict.why));
	call_free(c);
}

/* Its agent wants it no more; its intent stands. */
static void end_cancelled(struct call *c, struct slice reason)
{
	c->verdict.code = "cancelled";
	c->verdict.stage = "execute";
	c->verdict.why[0] = '\0';
	answer_refused(c, 0);
	record_outcome(c, SLICE("cancelled"), 0, (struct slice){ 0 }, reason);
	call_free(c);
}

/* execute: the gateway is told before the server is, so that it knows the number when the answer comes. */
static void on_intent_recorded(struct judge *judge, void *ctx, uint64_t entry, const char *why)
{
	struct call *c = ctx;
	struct msg_call_running running = { .call = c->id, .entry = entry };

	(void)judge;
	c->entry = entry;
	if (!entry) {
		not_recorded(c, why);
		call_free(c);
		return;
	}
	if (c->cancelled) {
		end_cancelled(c, (struct slice){ 0 });
		return;
	}
	if (!c->session) {
		record_outcome(c, SLICE("abandoned"), 0, (struct slice){ 0 }, (struct slice){ 0 });
		call_free(c);
		return;
	}
	c->state = CALL_RUNNING;
	call_decided(c);
	c->running_ns = clock_monotonic_ns();
	if (!c->session->quiet || channel_send(c->session->quiet, MSG_call_running, &running) < 0) {
		fail(c, "The gateway could not be told; nothing was done.");
		return;
	}
	if (server_write_call(c->session->server, c->id, slice_str(c->tool), buf_slice(&c->canonical), c->progress) < 0) {
		fail(c, "The server is not running; nothing was done.");
		return;
	}
	buf_free(&c->canonical);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct call *c = arg;

	(void)fd;
	(void)what;
	if (c->state == CALL_WAITING) {
		refuse_as(c, "server_failed", "execute", "The server did not become ready in time; nothing was done.");
	} else if (c->state == CALL_RUNNING) {
		struct server *server = c->session->server;

		server_write_cancel(server, c->id, SLICE("timed out"));
		fail(c, "The server did not answer in time; whether it acted is not known.");
		server_probe(server);
	}
	/* While the entry is awaited there is nothing to give up: the audit process answers or ends. */
}

/* ---- from the gateway ---- */

void call_on_propose(struct session *s, const struct msg_call_propose *m)
{
	struct call *c = call_new(s, m->call, m->tool);
	uint32_t ms;

	if (!c)
		return;
	if (s->undecided > SESSION_UNDECIDED_MAX) {
		session_violation(s, "the gateway proposed more than it may at once");
		return;
	}
	s->undecided += c->undecided = m->arguments.len;
	c->progress = m->progress;
	ms = server_timeout_ms(s->server);
	event_add(c->timer, &(struct timeval){ .tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000 });
	if (s->judge->stopping) {
		refuse_as(c, "server_failed", "identify", "Bawn is shutting down.");
		return;
	}
	if (server_state(s->server) == SERVER_READY) {
		decide(c, m->arguments);
		return;
	}
	/* What is not granted is refused at once; the rest needs the tool's schema, so it waits for the server. */
	if (!stage_grant(c))
		return;
	c->state = CALL_WAITING;
	if (buf_add_slice(&c->packed, m->arguments) < 0)
		refuse_as(c, "server_failed", "arguments", "There is no memory for this call now.");
}

void call_on_malformed(struct session *s, const struct msg_call_malformed *m)
{
	struct call *c = call_new(s, m->call, m->tool);

	if (!c)
		return;
	if (stage_grant(c))
		refuse_as(c, "bad_arguments", "arguments", "The call has no single clear reading: %.*s.", SLICE_ARG(m->what));
}

void call_on_cancel(struct session *s, const struct msg_call_cancel *m)
{
	struct call *c = call_find(s, m->call);

	if (!c)
		return; /* it ended while the cancellation was under way */
	c->cancelled = true;
	if (c->state == CALL_RECORDING)
		return; /* on_intent_recorded sees it */
	if (c->state == CALL_WAITING) {
		refuse_as(c, "cancelled", "execute", "The agent cancelled the call before it ran.");
		return;
	}
	server_write_cancel(s->server, c->id, m->reason);
	end_cancelled(c, m->reason);
}

void call_on_outcome(struct session *s, const struct msg_call_outcome *m)
{
	struct call *c = call_find(s, m->call);

	if (!c)
		return; /* the judge ended it first: timed out, or its server went */
	if (c->state != CALL_RUNNING) {
		session_violation(s, "the gateway reported the outcome of a call that was not running");
		return;
	}
	record_outcome(c, m->outcome, m->bytes, m->digest, m->what);
	call_free(c);
}

/* ---- from the server's life ---- */

void call_server_ready(struct session *s)
{
	struct judge *judge = s->judge;
	uint64_t session = s->id, next = 0;

	/* Oldest first. A decision may end the call or the whole session, so each is looked up anew. */
	while ((s = session_find(judge, session)) && server_state(s->server) == SERVER_READY) {
		struct call *first = NULL;
		struct buf packed;

		for (struct call *c = s->calls; c; c = c->next)
			if (c->state == CALL_WAITING && c->id > next && (!first || c->id < first->id))
				first = c;
		if (!first)
			return;
		next = first->id;
		packed = first->packed;
		first->packed = BUF_INIT(0);
		decide(first, buf_slice(&packed));
		buf_free(&packed);
	}
}

void call_server_gone(struct session *s, const char *why, bool waiting)
{
	for (struct call *c = s->calls, *next; c; c = next) {
		next = c->next;
		if (c->state == CALL_RUNNING)
			fail(c, why);
		else if (c->state == CALL_WAITING && waiting)
			refuse_as(c, "server_failed", "execute", "%s", why);
	}
}

void call_abandon_all(struct session *s, const char *why)
{
	while (s->calls) {
		struct call *c = s->calls;

		if (c->state == CALL_RUNNING) {
			record_outcome(c, SLICE("abandoned"), 0, (struct slice){ 0 }, slice_str(why));
			call_free(c);
		} else if (c->state == CALL_WAITING) {
			call_free(c);
		} else {
			/* Its entry is under way; the callback finishes it without a session. */
			s->calls = c->next;
			call_decided(c);
			c->session = NULL;
			event_del(c->timer);
		}
	}
}

void call_record_fault(struct session *s, const char *who, struct slice what)
{
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	struct fields f = FIELDS_INIT(&arena);

	fields_u64(&f, "session", s->id);
	fields_text(&f, "agent", slice_str(s->agent));
	fields_text(&f, "server", slice_str(server_name(s->server)));
	fields_text(&f, "who", slice_str(who));
	fields_text(&f, "why", what);
	record_append(s->judge, "peer.malformed", &f, (struct slice){ 0 }, false, NULL, NULL);
}
