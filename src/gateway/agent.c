/* The agent's side: what it may say, and what it is told. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "gateway/gateway.h"
#include "parse/fields.h"

enum {
	QUEUE_MAX = 64 * 1024 * 1024,  /* bytes that wait for an agent that does not read */
	QUEUE_HIGH = 1024 * 1024,      /* from here on the server is not read */
	ARENA_MAX = 512 * 1024 * 1024, /* of one message's tree */
	LISTS_MAX = 64,
	PROPOSED_MAX = 32, /* calls, between two looks into the quiet channel */
};

static const struct json_limits agent_limits = { .bytes = LINE_AGENT_MAX, .depth = 64, .items = 1000000 };

/* ---- telling ---- */

static void sent(struct gateway *g)
{
	writer_send(g->agent_out);
	if (writer_queued(g->agent_out) > QUEUE_HIGH) {
		g->agent_slow = true;
		pace(g);
	}
}

/* What could not be queued is lost, and with it the agent's trust in its answers: the session ends. */
static void check_sent(struct gateway *g, int r)
{
	if (r < 0)
		agent_end(g, "the agent does not read its answers");
	else
		sent(g);
}

struct slice agent_answer(struct gateway *g, const struct json *id, const struct json *result)
{
	struct buf *out = writer_buf(g->agent_out);
	size_t start = out->len, body = 0, body_len = 0;
	int r = buf_add_str(out, "{\"id\":");

	if (r == 0)
		r = json_write(out, id);
	if (r == 0)
		r = buf_add_str(out, ",\"jsonrpc\":\"2.0\",\"result\":");
	body = out->len;
	if (r == 0)
		r = json_write(out, result);
	body_len = out->len - body;
	if (r == 0)
		r = buf_add_str(out, "}\n");
	if (r < 0) {
		out->len = start;
		check_sent(g, r);
		return (struct slice){ 0 };
	}
	return slice_of(out->ptr + body, body_len);
}

void agent_answer_error(struct gateway *g, const struct json *id, int64_t code, struct slice message)
{
	check_sent(g, jsonrpc_write_error(writer_buf(g->agent_out), id, code, message, NULL));
	agent_end_if_idle(g);
}

void agent_notify(struct gateway *g, struct slice method, const struct json *params)
{
	check_sent(g, jsonrpc_write_notification(writer_buf(g->agent_out), method, params));
}

static void answer(struct gateway *g, const struct json *id, const struct json *result)
{
	if (agent_answer(g, id, result).ptr)
		sent(g);
	agent_end_if_idle(g);
}

void agent_end(struct gateway *g, const char *why)
{
	struct msg_session_end m = { .why = why ? slice_str(why) : SLICE("the agent closed its end") };
	char line[600];
	int len = snprintf(line, sizeof(line), "%s\n", why ? why : "ok");

	if (g->over)
		return;
	g->over = true;
	/* The client may be gone already. */
	if (g->leash >= 0 && len > 0 && write(g->leash, line, (size_t)len) < 0)
		log_debug("the client has ended before its session");
	if (g->judge)
		channel_send(g->judge, MSG_session_end, &m);
	event_base_loopbreak(g->loop);
}

void agent_end_if_idle(struct gateway *g)
{
	if (g->agent_at_end && !g->calls && !g->lists && writer_queued(g->agent_out) == 0)
		agent_end(g, NULL);
}

/* ---- tools/list ---- */

static void answer_tools(struct gateway *g, const struct json *id)
{
	cleanup_arena struct arena arena = ARENA_INIT(ARENA_MAX);
	struct fields f = FIELDS_INIT(&arena);
	struct json tools, result;

	/* The judge's own words; it packs nothing that does not unpack. */
	if (json_unpack(&arena, buf_slice(&g->tools), &json_limits_default, &tools) < 0) {
		agent_answer_error(g, id, JSONRPC_INTERNAL_ERROR, SLICE("the list of tools is not available"));
		return;
	}
	fields_json(&f, "tools", tools);
	result = fields_object(&f);
	answer(g, id, &result);
}

static void on_tools_list(struct gateway *g, const struct jsonrpc_message *m)
{
	struct pending *p;
	size_t waiting = 0;

	if (json_get(m->params, SLICE("cursor"))) {
		agent_answer_error(g, &m->id, JSONRPC_INVALID_PARAMS, SLICE("unknown cursor: the list has one page"));
		return;
	}
	if (g->tools_known) {
		answer_tools(g, &m->id);
		return;
	}
	for (p = g->lists; p; p = p->next)
		waiting++;
	p = waiting < LISTS_MAX ? pending_new(&m->id, NULL) : NULL;
	if (!p) {
		agent_answer_error(g, &m->id, JSONRPC_INTERNAL_ERROR, SLICE("too many requests are waiting"));
		return;
	}
	p->next = g->lists;
	g->lists = p;
}

void agent_on_tools(struct gateway *g, const struct msg_server_tools *m)
{
	bool changed = g->tools_known && g->initialized;

	buf_clear(&g->tools);
	if (buf_add_slice(&g->tools, m->tools) < 0) {
		agent_end(g, "out of memory");
		return;
	}
	g->tools_known = true;
	while (g->lists) {
		struct pending *p = g->lists;

		g->lists = p->next;
		answer_tools(g, &p->id);
		pending_free(p);
	}
	if (changed)
		agent_notify(g, SLICE("notifications/tools/list_changed"), NULL);
}

void agent_on_server_gone(struct gateway *g, struct slice why)
{
	while (g->lists) {
		struct pending *p = g->lists;

		g->lists = p->next;
		agent_answer_error(g, &p->id, JSONRPC_INTERNAL_ERROR, why);
		pending_free(p);
	}
}

/* ---- tools/call ---- */

static bool valid_token(const struct json *token)
{
	return token && jsonrpc_id_valid(token);
}

static void on_tools_call(struct gateway *g, const struct jsonrpc_message *m)
{
	const struct json *name = json_get_type(m->params, SLICE("name"), JSON_STRING);
	const struct json *arguments = json_get(m->params, SLICE("arguments"));
	const struct json *meta = json_get(m->params, SLICE("_meta"));
	const struct json *progress = json_get(meta, SLICE("progressToken"));
	const struct json none = { .type = JSON_OBJECT };
	cleanup_buf struct buf packed = BUF_INIT(message_rule(MSG_call_propose)->max);
	struct msg_call_propose propose = { .progress = valid_token(progress) };
	struct pending *p;

	if (!name || name->text.len == 0 || name->text.len > 256 || memchr(name->text.ptr, '\0', name->text.len)) {
		agent_answer_error(g, &m->id, JSONRPC_INVALID_PARAMS, SLICE("params.name must be a text of 1 to 256 bytes"));
		return;
	}
	if (json_get(m->params, SLICE("task"))) {
		agent_answer_error(g, &m->id, JSONRPC_INVALID_PARAMS, SLICE("tasks are not offered"));
		return;
	}
	if (calls_find_id(g, &m->id)) {
		agent_answer_error(g, &m->id, JSONRPC_INVALID_REQUEST, SLICE("a request with this id is still under way"));
		return;
	}
	p = calls_add(g, &m->id, propose.progress ? progress : NULL);
	if (!p) {
		agent_end(g, "out of memory");
		return;
	}
	propose.call = p->call;
	propose.tool = name->text;
	if (arguments && arguments->type != JSON_OBJECT) {
		struct msg_call_malformed bad = { .call = p->call, .tool = name->text, .what = SLICE("the arguments are not an object") };

		channel_send(g->judge, MSG_call_malformed, &bad);
	} else if (json_pack(&packed, arguments ? arguments : &none) < 0) {
		struct msg_call_malformed bad = { .call = p->call, .tool = name->text, .what = SLICE("the arguments are too large") };

		channel_send(g->judge, MSG_call_malformed, &bad);
	} else {
		propose.arguments = buf_slice(&packed);
		g->undecided += p->undecided = packed.len;
		channel_send(g->judge, MSG_call_propose, &propose);
	}
	/* So that it never fills while a server takes its time. */
	if (++g->proposed >= PROPOSED_MAX) {
		g->proposed = 0;
		channel_drain(g->quiet);
	}
	pace(g);
}

static void on_cancelled(struct gateway *g, const struct jsonrpc_message *m)
{
	const struct json *id = json_get(m->params, SLICE("requestId")), *reason = json_get_type(m->params, SLICE("reason"), JSON_STRING);
	struct msg_call_cancel cancel = { 0 };
	struct pending *p = id && jsonrpc_id_valid(id) ? calls_find_id(g, id) : NULL;

	if (!p || p->cancelled)
		return; /* answered already, or never asked */
	cancel.call = p->call;
	if (reason && reason->text.len <= 256 && (reason->text.len == 0 || !memchr(reason->text.ptr, '\0', reason->text.len)))
		cancel.reason = reason->text;
	p->cancelled = true;
	channel_send(g->judge, MSG_call_cancel, &cancel);
}

void agent_on_refused(struct gateway *g, const struct msg_call_refused *m)
{
	cleanup_arena struct arena arena = ARENA_INIT(65536);
	struct fields meta = FIELDS_INIT(&arena), approval = FIELDS_INIT(&arena), block = FIELDS_INIT(&arena), f = FIELDS_INIT(&arena);
	struct pending *p = calls_find(g, m->call);
	struct json text, content, result;
	char *line;

	if (!p)
		return;
	if (p->cancelled) {
		calls_remove(g, p);
		agent_end_if_idle(g);
		return;
	}
	line = arena_printf(&arena, "%.*s (entry %llu): %.*s", SLICE_ARG(m->code), (unsigned long long)m->entry, SLICE_ARG(m->why));
	fields_text(&meta, "bawn/code", m->code);
	fields_u64(&meta, "bawn/entry", m->entry);
	fields_text(&meta, "bawn/stage", m->stage);
	if (m->retry_after_ms)
		fields_u64(&meta, "bawn/retry_after_ms", m->retry_after_ms);
	if (m->approval.len) {
		fields_text(&approval, "id", m->approval);
		fields_text(&approval, "expires", m->expires);
		fields_text(&approval, "sees", m->sees);
		fields_json(&meta, "bawn/approval", fields_object(&approval));
	}
	fields_text(&block, "type", SLICE("text"));
	fields_text(&block, "text", slice_str(line ? line : "refused"));
	text = fields_object(&block);
	content = (struct json){ .type = JSON_ARRAY, .count = 1, .items = &text };
	fields_json(&f, "_meta", fields_object(&meta));
	fields_json(&f, "content", content);
	fields_bool(&f, "isError", true);
	result = fields_object(&f);
	if (agent_answer(g, &p->id, &result).ptr)
		sent(g);
	calls_remove(g, p);
	agent_end_if_idle(g);
}

/* ---- the rest of the protocol ---- */

/* MCP 2025-11-25, basic/lifecycle: the version asked for when it is spoken here, else the newest. 2025-03-26 is not, for its batches. */
static struct slice choose_version(const struct json *asked)
{
	static const struct slice versions[] = { SLICE("2025-11-25"), SLICE("2025-06-18"), SLICE("2024-11-05") };

	for (size_t i = 0; asked && i < sizeof(versions) / sizeof(versions[0]); i++)
		if (slice_eq(asked->text, versions[i]))
			return versions[i];
	return versions[0];
}

static void on_initialize(struct gateway *g, const struct jsonrpc_message *m)
{
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	struct fields tools = FIELDS_INIT(&arena), capabilities = FIELDS_INIT(&arena), info = FIELDS_INIT(&arena), f = FIELDS_INIT(&arena);
	struct json result;

	fields_bool(&tools, "listChanged", true);
	fields_json(&capabilities, "tools", fields_object(&tools));
	fields_text(&info, "name", slice_str(g->server_name));
	fields_text(&info, "version", SLICE(BAWN_VERSION));
	fields_text(&f, "protocolVersion", choose_version(json_get_type(m->params, SLICE("protocolVersion"), JSON_STRING)));
	fields_json(&f, "capabilities", fields_object(&capabilities));
	fields_json(&f, "serverInfo", fields_object(&info));
	result = fields_object(&f);
	g->initialized = true;
	answer(g, &m->id, &result);
}

static void on_request(struct gateway *g, const struct jsonrpc_message *m)
{
	static const struct json empty = { .type = JSON_OBJECT };

	if (slice_eq(m->method, SLICE("initialize")))
		on_initialize(g, m);
	else if (slice_eq(m->method, SLICE("ping")))
		answer(g, &m->id, &empty);
	else if (!g->initialized)
		agent_answer_error(g, &m->id, JSONRPC_INVALID_REQUEST, SLICE("begin with initialize"));
	else if (slice_eq(m->method, SLICE("tools/list")))
		on_tools_list(g, m);
	else if (slice_eq(m->method, SLICE("tools/call")))
		on_tools_call(g, m);
	else
		agent_answer_error(g, &m->id, JSONRPC_METHOD_NOT_FOUND, SLICE("this method is not offered"));
}

/* ---- what cannot be read ---- */

static void fault(struct gateway *g, const char *what)
{
	struct msg_agent_fault m = { .what = slice_str(what) };

	channel_send(g->judge, MSG_agent_fault, &m);
	if (++g->faults >= SESSION_FAULTS_MAX)
		agent_end(g, "the agent sends what cannot be read");
}

/*
 * A message without one clear reading. Where it says beyond dispute which request it is, that request is refused: a call as the call that it
 * wanted to be, so that it is on the record with its tool; anything else by a JSON-RPC error. Else nobody can be answered, and the session ends.
 */
static void refuse_unreadable(struct gateway *g, struct skim *skim, int64_t code, const char *what)
{
	struct skim_found found;

	skim_finish(skim, &found);
	if (found.id.type == JSON_NULL) {
		fault(g, what);
		agent_answer_error(g, NULL, code, slice_str(what));
		agent_end(g, "the agent sent what cannot be read or answered");
		return;
	}
	if (g->initialized && found.tool.ptr && found.tool.len && !memchr(found.tool.ptr, '\0', found.tool.len) &&
	    slice_eq(found.method, SLICE("tools/call")) && !calls_find_id(g, &found.id)) {
		struct pending *p = calls_add(g, &found.id, NULL);
		struct msg_call_malformed m = { .call = p ? p->call : 0, .tool = found.tool, .what = slice_str(what) };

		if (p)
			channel_send(g->judge, MSG_call_malformed, &m);
		return;
	}
	fault(g, what);
	agent_answer_error(g, &found.id, code, slice_str(what));
}

static void on_line(void *ctx, struct slice line)
{
	struct gateway *g = ctx;
	cleanup_arena struct arena arena = ARENA_INIT(ARENA_MAX);
	struct jsonrpc_message m;
	struct json_fault json;
	enum jsonrpc_fault r;

	if (g->over)
		return;
	r = jsonrpc_parse(&arena, line, &agent_limits, &m, &json);
	if (r != JSONRPC_OK) {
		struct skim skim;

		skim_start(&skim);
		skim_feed(&skim, line);
		refuse_unreadable(g, &skim, r == JSONRPC_BAD_JSON ? JSONRPC_PARSE_ERROR : JSONRPC_INVALID_REQUEST,
				  r == JSONRPC_BAD_JSON ? json_error_text(json.error) : jsonrpc_fault_text(r));
		return;
	}
	if (m.kind == JSONRPC_REQUEST)
		on_request(g, &m);
	else if (m.kind == JSONRPC_NOTIFICATION && slice_eq(m.method, SLICE("notifications/cancelled")))
		on_cancelled(g, &m);
	/* Other notifications need no answer, and answers to what was never asked have no reader. */
}

static void on_oversize(void *ctx, struct slice piece, bool last)
{
	struct gateway *g = ctx;

	if (g->over)
		return;
	if (!g->skimming)
		skim_start(&g->skim);
	g->skimming = !last;
	skim_feed(&g->skim, piece);
	if (last)
		refuse_unreadable(g, &g->skim, JSONRPC_INVALID_REQUEST, "the message is larger than 4 MiB");
}

static void on_agent_end(void *ctx, const char *why)
{
	struct gateway *g = ctx;

	g->agent_at_end = true;
	if (why) {
		char line[200];

		snprintf(line, sizeof(line), "the agent cannot be read any more: %s", why);
		agent_end(g, line);
	} else {
		agent_end_if_idle(g);
	}
}

static void on_drained(void *ctx)
{
	struct gateway *g = ctx;

	g->agent_slow = false;
	pace(g);
	agent_end_if_idle(g);
}

static void on_out_broken(void *ctx)
{
	agent_end(ctx, "the agent closed its end");
}

/* The client process is gone: so is its agent. */
static void on_leash(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	agent_end(arg, "the client ended");
}

int agent_begin(struct gateway *g, int input, int output, int leash)
{
	static const struct reader_ops in = { on_line, on_oversize, on_agent_end };
	static const struct writer_ops out = { on_drained, on_out_broken };

	g->leash = leash;
	g->leash_event = event_new(g->loop, leash, EV_READ, on_leash, g);
	g->agent_out = writer_new(g->loop, output, QUEUE_MAX, &out, g);
	g->agent_in = reader_new(g->loop, input, LINE_AGENT_MAX, &in, g);
	if (!g->leash_event || !g->agent_out || !g->agent_in)
		return -ENOMEM;
	return event_add(g->leash_event, NULL);
}
