#include "judge/call.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "judge/approval.h"
#include "judge/record.h"
#include "judge/server.h"
#include "judge/tools.h"

enum call_state {
	CALL_WAITING,   /* granted; its server is not ready yet, so its arguments cannot be checked */
	CALL_ASKING,    /* a person must have approved it; the store is asked */
	CALL_RECORDING, /* decided; its entry is awaited */
	CALL_USING,     /* its intent is on the record; its approval is being used up */
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
	struct policy_verdict verdict; /* its code and stage are those of whatever stage refused */
	uint64_t policy_number;        /* under which it was decided */
	char why[768];                 /* for the agent */
	uint64_t retry_after_ms;       /* when waiting helps */
	char rule[192];
	char pin[TOOL_HEX + 1]; /* the tool's, when it was decided */
	struct asking *asking; /* what the stage approval knows of it; NULL when nobody is asked */
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
	asking_free(c->asking);
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

/* The record that the call is refused for, when it is one that a person has or will have to do with. */
static const struct asking_answer *approval_of(const struct call *c)
{
	const struct asking_answer *answer = c->asking ? asking_answer(c->asking) : NULL;

	return answer && answer->id[0] ? answer : NULL;
}

static void answer_refused(struct call *c)
{
	struct msg_call_refused m = { .call = c->id, .entry = c->entry, .code = slice_str(c->verdict.code),
				      .stage = slice_str(c->verdict.stage), .why = slice_str(c->why),
				      .retry_after_ms = c->retry_after_ms };
	const struct asking_answer *approval = approval_of(c);
	char expires[32], sees[2048];

	if (approval) {
		text_time(approval->expires, expires);
		asking_sees(c->asking, sees, sizeof(sees));
		m.approval = slice_str(approval->id);
		m.expires = slice_str(expires);
		m.sees = slice_str(sees);
	}
	/* Also when it was cancelled: until then the gateway keeps it. */
	if (c->session && c->session->gateway)
		channel_send(c->session->gateway, MSG_call_refused, &m);
}

static void not_recorded(struct call *c, const char *why)
{
	c->verdict.code = "not_recorded";
	c->verdict.stage = "record";
	text_format(c->why, sizeof(c->why), "Nothing was done, because the record cannot be written (%s). Try again later.", why);
	c->retry_after_ms = 1000;
	answer_refused(c);
}

static void on_refusal_recorded(struct judge *judge, void *ctx, uint64_t entry, const char *why)
{
	struct call *c = ctx;

	(void)judge;
	c->entry = entry;
	if (entry)
		answer_refused(c);
	else
		not_recorded(c, why);
	call_free(c);
}

/* Every refusal is on the record with its stage, code and rule, and with the arguments where they have a reading and are not there already. */
static void refuse(struct call *c)
{
	const struct asking_answer *approval = approval_of(c);
	bool recorded = approval && approval->recorded;
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	struct fields f = FIELDS_INIT(&arena);

	c->state = CALL_RECORDING;
	describe(c, &f);
	fields_text(&f, "effect", slice_str(policy_effect_name(c->verdict.effect)));
	fields_text(&f, "decision", SLICE("refuse"));
	fields_text(&f, "code", slice_str(c->verdict.code));
	fields_text(&f, "stage", slice_str(c->verdict.stage));
	fields_text(&f, "rule", slice_str(c->rule));
	fields_text(&f, "why", slice_str(c->why));
	if (approval)
		fields_text(&f, "approval", slice_str(approval->id));
	record_append(c->judge, "call.refused", &f, recorded ? (struct slice){ 0 } : buf_slice(&c->canonical), false, on_refusal_recorded, c);
}

static void refuse_as(struct call *c, const char *code, const char *stage, const char *format, ...) __attribute__((format(printf, 4, 5)));

static void refuse_as(struct call *c, const char *code, const char *stage, const char *format, ...)
{
	va_list args;

	c->verdict.code = code;
	c->verdict.stage = stage;
	va_start(args, format);
	text_vformat(c->why, sizeof(c->why), format, args);
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

/*
 * A tool that is withheld because of its pin. Its agent is told so when it could have called it before, or when nothing is known of any tool; a new or
 * a renamed one, and one whose name looks like another's, do not exist for it.
 */
static bool stage_pin(struct call *c, const struct tool *tool)
{
	if (tool_usable(tool))
		return true;
	if (server_unchecked(c->session->server))
		refuse_as(c, "server_failed", "policy", "What was accepted of this server is not known now; nothing was done. Try again later.");
	else if (tool && tool->known && tool->state == TOOL_CODE)
		refuse_as(c, "changed_tool", "policy", "The program behind this tool is not the one that was accepted; a person has to look at it first, with `bawn pins list`.");
	else if (tool && tool->known && tool->state == TOOL_CHANGED)
		refuse_as(c, "changed_tool", "policy", "This tool is not as it was when it was accepted; a person has to look at it first, with `bawn pins list`.");
	else
		refuse_grant(c);
	return false;
}

/* arguments: one unambiguous JSON object, valid against the tool's own schema. Fills c->canonical. */
static bool stage_arguments(struct call *c, struct slice packed, struct arena *arena, struct json *args)
{
	const struct tool *tool = server_tool(c->session->server, slice_str(c->tool));
	struct schema_fault fault;
	int r;

	if (!stage_pin(c, tool))
		return false;
	memcpy(c->pin, tool->pin, sizeof(c->pin));
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

/* policy: the rules' argument scopes. */
static bool stage_policy(struct call *c, const struct json *args)
{
	c->policy_number = c->judge->policy_number;
	policy_decide(c->judge->policy, slice_str(c->agent), slice_str(c->server), slice_str(c->tool), args, &c->verdict);
	memcpy(c->why, c->verdict.why, sizeof(c->verdict.why));
	if (c->verdict.rule && c->verdict.rule[0])
		snprintf(c->rule, sizeof(c->rule), "%s:%u", c->verdict.rule, c->verdict.line);
	c->verdict.rule = NULL; /* it belongs to the policy, which may be replaced while the call lives */
	if (c->verdict.decision != DECISION_REFUSE)
		return true;
	refuse(c);
	return false;
}

static void stage_record(struct call *c);

/* The stage approval has its answer. */
static void on_asked(struct judge *judge, void *ctx)
{
	struct call *c = ctx;
	const struct asking_answer *answer = asking_answer(c->asking);

	(void)judge;
	if (answer->granted && !c->cancelled && c->session) {
		stage_record(c);
		return;
	}
	if (answer->granted) {
		refuse_as(c, "cancelled", "approval", "The call was given up before it ran; its approval stands.");
		return;
	}
	c->retry_after_ms = answer->retry_after_ms;
	refuse_as(c, answer->code, "approval", "%s", answer->why);
}

/* approval: has a person approved exactly this? False: the answer comes later. */
static bool stage_approval(struct call *c)
{
	struct approval act = {
		.agent = slice_str(c->agent),
		.session = c->session_id,
		.uid = c->session->uid,
		.server = slice_str(c->server),
		.tool = slice_str(c->tool),
		.effect = slice_str(policy_effect_name(c->verdict.effect)),
		.rule = slice_str(c->rule),
		.arguments = buf_slice(&c->canonical),
		.why = slice_str(c->verdict.asks),
	};

	if (c->verdict.decision == DECISION_ALLOW)
		return true;
	c->state = CALL_ASKING;
	act.pin = slice_str(c->pin);
	c->asking = asking_new(c->judge, &act, c->verdict.rule_text, c->verdict.within_s);
	c->verdict.rule_text = (struct slice){ 0 };
	if (c->asking)
		asking_begin(c->asking, on_asked, c);
	else
		refuse_as(c, "not_stored", "approval", "Nothing was done, because there is no memory for it now. Try again later.");
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
	if (c->asking)
		fields_text(&f, "approval", slice_str(asking_answer(c->asking)->id));
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
	if (!stage_approval(c))
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
	text_format(c->why, sizeof(c->why), "%s", why);
	answer_refused(c);
	record_outcome(c, SLICE("server_failed"), 0, (struct slice){ 0 }, slice_str(c->why));
	call_free(c);
}

/* Its agent wants it no more; its intent stands. */
static void end_cancelled(struct call *c, struct slice reason)
{
	c->verdict.code = "cancelled";
	c->verdict.stage = "execute";
	c->why[0] = '\0';
	answer_refused(c);
	record_outcome(c, SLICE("cancelled"), 0, (struct slice){ 0 }, reason);
	call_free(c);
}

/* While log and store were awaited, the server may have been started anew, from other code, or have listed other tools. */
static bool still_as_judged(const struct call *c)
{
	const struct tool *tool = server_tool(c->session->server, slice_str(c->tool));

	return server_state(c->session->server) == SERVER_READY && tool_usable(tool) && strcmp(tool->pin, c->pin) == 0;
}

/* While log and store were awaited, another policy may have been taken up: it is asked as well, and must be no stricter. */
static bool still_granted(const struct call *c)
{
	cleanup_arena struct arena arena = ARENA_INIT(256 * 1024 * 1024);
	struct policy_verdict verdict;
	struct json args;

	if (c->policy_number == c->judge->policy_number)
		return true;
	if (json_parse(&arena, buf_slice(&c->canonical), &json_limits_default, &args, NULL) != JSON_OK)
		return false;
	policy_decide(c->judge->policy, slice_str(c->agent), slice_str(c->server), slice_str(c->tool), &args, &verdict);
	return verdict.decision <= (c->asking ? DECISION_ASK : DECISION_ALLOW) && verdict.effect == c->verdict.effect;
}

/* Its intent stands, and it does not run: the agent is told why, the outcome is recorded, the call is over. */
static void end_unrun(struct call *c, const char *code, const char *stage, const char *why)
{
	c->verdict.code = code;
	c->verdict.stage = stage;
	text_format(c->why, sizeof(c->why), "%s", why);
	answer_refused(c);
	record_outcome(c, SLICE("not_run"), 0, (struct slice){ 0 }, slice_str(c->why));
	call_free(c);
}

static const char policy_changed[] = "The policy has changed since the call was judged, and does not let it run any more; nothing was done.";

/* execute: the gateway is told before the server is, so that it knows the number when the answer comes. */
static void execute(struct call *c)
{
	struct msg_call_running running = { .call = c->id, .entry = c->entry };

	if (!still_as_judged(c)) {
		fail(c, "The server is not running, or its tool is not what it was when the call was judged; nothing was done.");
		return;
	}
	if (!still_granted(c)) {
		end_unrun(c, "out_of_scope", "policy", policy_changed);
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

/* True when it was given up while somebody was asked for it: then it has ended. */
static bool given_up(struct call *c)
{
	if (c->cancelled) {
		end_cancelled(c, (struct slice){ 0 });
		return true;
	}
	if (!c->session) {
		record_outcome(c, SLICE("abandoned"), 0, (struct slice){ 0 }, (struct slice){ 0 });
		call_free(c);
		return true;
	}
	return false;
}

/* Its approval is used up, by this call and no other; or it is not, and then the call does not run. */
static void on_used(struct judge *judge, void *ctx)
{
	struct call *c = ctx;
	const struct asking_answer *answer = asking_answer(c->asking);

	(void)judge;
	if (answer->granted) {
		if (!given_up(c))
			execute(c);
		return;
	}
	c->retry_after_ms = answer->retry_after_ms;
	end_unrun(c, answer->code, "approval", answer->why);
}

/* What a person approved is used up between the intent and the act: so nothing runs without, and a crash in between loses none. */
static void use_approval(struct call *c)
{
	c->state = CALL_USING;
	if (!still_as_judged(c))
		fail(c, "The server is not running, or its tool is not what it was when the call was judged; nothing was done, and the approval stands.");
	else if (!still_granted(c))
		end_unrun(c, "out_of_scope", "policy", policy_changed);
	else
		asking_use(c->asking, c->entry, slice_str(c->pin), on_used, c);
}

static void on_intent_recorded(struct judge *judge, void *ctx, uint64_t entry, const char *why)
{
	struct call *c = ctx;

	(void)judge;
	c->entry = entry;
	if (!entry) {
		not_recorded(c, why);
		call_free(c);
		return;
	}
	if (given_up(c))
		return;
	if (c->asking)
		use_approval(c);
	else
		execute(c);
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
	/* While log or store are awaited there is nothing to give up: each of them answers or ends. */
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
	if (c->state == CALL_ASKING || c->state == CALL_RECORDING || c->state == CALL_USING)
		return; /* whoever was asked for it will answer, and then it is seen */
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
			/* Log or store have it in hand; the callback finishes it without a session. */
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
