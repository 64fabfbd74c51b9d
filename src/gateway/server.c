/* The server's side: only reading. Whatever it says is checked for its shape here, and handed on decoded. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "gateway/gateway.h"
#include "parse/fields.h"
#include "screen/result.h"

enum {
	ARENA_MAX = 1024 * 1024 * 1024, /* of one message's tree */
	PROGRESS_QUEUE_MAX = 65536,     /* bytes waiting for the agent, from which on progress is dropped */
	MESSAGE_MAX = 4096,             /* bytes of an error's or a progress's text */
};

static const struct json_limits server_limits = { .bytes = LINE_SERVER_MAX, .depth = 64, .items = 1000000 };

/* It broke the protocol: the judge ends it; nothing more of it is read. */
static void fault(struct gateway *g, const char *what)
{
	struct msg_server_fault m = { .run = g->run, .what = slice_str(what) };

	channel_send(g->judge, MSG_server_fault, &m);
	server_end(g);
}

/* A text for a message field: UTF-8 without NUL, cut at `max` bytes on a character's border. */
static struct slice bounded(const struct json *text, size_t max)
{
	struct slice s = { 0 };
	const char *nul;

	if (!json_is(text, JSON_STRING))
		return s;
	s = text->text;
	if (s.len > max) {
		s.len = max;
		while (s.len && ((unsigned char)s.ptr[s.len] & 0xc0) == 0x80)
			s.len--;
	}
	nul = s.len ? memchr(s.ptr, '\0', s.len) : NULL;
	if (nul)
		s.len = (size_t)(nul - s.ptr);
	return s;
}

/*
 * The judge tells this process of a call's permission before it writes the call, so when the server speaks of it, that word is at least in
 * the quiet channel, which is read when it is needed.
 */
static struct pending *find_running(struct gateway *g, uint64_t id)
{
	struct pending *p = calls_find(g, id);

	if (!p || p->running)
		return p;
	g->proposed = 0;
	channel_drain(g->quiet);
	return calls_find(g, id);
}

/* ---- answers to the judge's own requests ---- */

static void on_initialized(struct gateway *g, const struct json *result)
{
	const struct json *info = json_get(result, SLICE("serverInfo"));
	struct msg_server_initialized m = { .run = g->run,
					    .protocol = bounded(json_get(result, SLICE("protocolVersion")), 32),
					    .name = bounded(json_get(info, SLICE("name")), 256),
					    .version = bounded(json_get(info, SLICE("version")), 256),
					    .tools = json_is(json_get(json_get(result, SLICE("capabilities")), SLICE("tools")), JSON_OBJECT) };
	static const struct slice spoken[] = { SLICE("2025-11-25"), SLICE("2025-06-18"), SLICE("2025-03-26"), SLICE("2024-11-05") };

	for (size_t i = 0; i < sizeof(spoken) / sizeof(spoken[0]); i++)
		if (slice_eq(m.protocol, spoken[i])) {
			g->server_initialized = true;
			channel_send(g->judge, MSG_server_initialized, &m);
			return;
		}
	fault(g, "it speaks no version of the protocol that is spoken here");
}

static void on_listed(struct gateway *g, uint64_t request, const struct json *result)
{
	const struct json *tools = json_get_type(result, SLICE("tools"), JSON_ARRAY), *cursor = json_get(result, SLICE("nextCursor"));
	cleanup_buf struct buf packed = BUF_INIT(4 * 1024 * 1024);
	struct msg_server_listed m = { .run = g->run, .request = request };

	if (!tools || (cursor && (cursor->type != JSON_STRING || cursor->text.len > 1024))) {
		fault(g, "its list of tools is malformed");
		return;
	}
	if (cursor)
		m.cursor = bounded(cursor, 1024);
	if (json_pack(&packed, tools) < 0) {
		fault(g, "its list of tools is too large");
		return;
	}
	m.tools = buf_slice(&packed);
	channel_send(g->judge, MSG_server_listed, &m);
}

static void on_own_answer(struct gateway *g, uint64_t id, const struct jsonrpc_message *m)
{
	struct msg_server_alive alive = { .run = g->run };
	char what[200];

	if (id == SERVER_ID_PING) /* an error is an answer, too */
		channel_send(g->judge, MSG_server_alive, &alive);
	else if (m->kind == JSONRPC_ERROR) {
		snprintf(what, sizeof(what), "it refused %s: %.*s", id == SERVER_ID_INITIALIZE ? "initialize" : "tools/list",
			 SLICE_ARG(bounded(json_get(m->error, SLICE("message")), 120)));
		fault(g, what);
	} else if (id == SERVER_ID_INITIALIZE) {
		on_initialized(g, m->result);
	} else {
		on_listed(g, id, m->result);
	}
}

/* ---- answers to calls: screen ---- */

static void report_outcome(struct gateway *g, const struct pending *p, struct slice outcome, struct slice body, const char *what)
{
	unsigned char digest[crypto_hash_sha256_BYTES];
	struct msg_call_outcome m = { .call = p->call, .outcome = outcome, .bytes = body.len, .what = slice_str(what) };

	if (body.ptr) {
		crypto_hash_sha256(digest, (const unsigned char *)body.ptr, body.len);
		m.digest = slice_of(digest, sizeof(digest));
	}
	/* Nobody waits for it: it travels with the next call. */
	channel_send_later(g->judge, MSG_call_outcome, &m);
}

static void withhold(struct gateway *g, struct pending *p, const char *why)
{
	char text[300];
	struct msg_call_refused refused = { .call = p->call, .entry = p->entry, .code = SLICE("withheld"), .stage = SLICE("screen") };

	report_outcome(g, p, SLICE("withheld"), (struct slice){ 0 }, why);
	snprintf(text, sizeof(text), "The tool ran, but its result is not handed on: %s.", why);
	refused.why = slice_str(text);
	agent_on_refused(g, &refused);
}

/* The outcome is on its way to the record before the answer is on its way to the agent. */
static void on_result(struct gateway *g, struct pending *p, struct arena *arena, const struct json *result)
{
	struct screen_report report;
	struct json clean;
	struct slice body;

	if (screen_result(arena, result, p->entry, &clean, &report) < 0) {
		withhold(g, p, "it is too large to be screened");
		return;
	}
	if (report.withheld) {
		withhold(g, p, report.withheld);
		return;
	}
	body = agent_answer(g, &p->id, &clean);
	if (!body.ptr)
		return;
	report_outcome(g, p, report.tool_error ? SLICE("tool_error") : SLICE("ok"), body, NULL);
	writer_send(g->agent_out);
	if (writer_queued(g->agent_out))
		g->agent_slow = true;
	calls_remove(g, p);
	agent_end_if_idle(g);
}

static void on_call_error(struct gateway *g, struct pending *p, const struct json *error)
{
	const struct json *code = json_get(error, SLICE("code"));
	struct slice message = bounded(json_get(error, SLICE("message")), MESSAGE_MAX);
	struct json id = p->id;
	int64_t n = JSONRPC_INTERNAL_ERROR;
	char what[257];

	if (code)
		json_int64(code, &n);
	snprintf(what, sizeof(what), "%.*s", SLICE_ARG(bounded(json_get(error, SLICE("message")), 250)));
	report_outcome(g, p, SLICE("rpc_error"), (struct slice){ 0 }, what);
	agent_answer_error(g, &id, n, message);
	calls_remove(g, p);
	agent_end_if_idle(g);
}

/* An answer to what was not asked is a broken server; one that comes after its call was given up is late. */
static void on_call_answer(struct gateway *g, uint64_t id, struct arena *arena, const struct jsonrpc_message *m)
{
	struct pending *p = find_running(g, id);

	if (id >= g->next_call || (p && !p->running)) {
		fault(g, "it answered a call that was not made");
		return;
	}
	if (!p || p->cancelled)
		return;
	if (m->kind == JSONRPC_RESULT)
		on_result(g, p, arena, m->result);
	else
		on_call_error(g, p, m->error);
}

/* ---- what it says of itself ---- */

static void on_progress(struct gateway *g, const struct json *params)
{
	cleanup_arena struct arena arena = ARENA_INIT(65536);
	const struct json *token = json_get_type(params, SLICE("progressToken"), JSON_NUMBER);
	const struct json *progress = json_get_type(params, SLICE("progress"), JSON_NUMBER);
	const struct json *total = json_get_type(params, SLICE("total"), JSON_NUMBER);
	struct slice message = bounded(json_get(params, SLICE("message")), MESSAGE_MAX);
	struct fields f = FIELDS_INIT(&arena);
	struct pending *p;
	struct json out;
	int64_t id;

	if (!token || !progress || json_int64(token, &id) < 0 || id < SERVER_ID_CALL_FIRST)
		return;
	p = find_running(g, (uint64_t)id);
	if (!p || !p->running || p->cancelled || p->progress.type == JSON_NULL || writer_queued(g->agent_out) > PROGRESS_QUEUE_MAX)
		return;
	fields_json(&f, "progressToken", p->progress);
	fields_json(&f, "progress", *progress);
	if (total)
		fields_json(&f, "total", *total);
	fields_text(&f, "message", message);
	out = fields_object(&f);
	agent_notify(g, SLICE("notifications/progress"), &out);
}

static void on_notification(struct gateway *g, const struct jsonrpc_message *m)
{
	struct msg_server_changed changed = { .run = g->run };

	if (slice_eq(m->method, SLICE("notifications/progress")))
		on_progress(g, m->params);
	else if (slice_eq(m->method, SLICE("notifications/tools/list_changed")))
		channel_send(g->judge, MSG_server_changed, &changed);
	/* Log messages and the like were not asked for. */
}

static void on_request(struct gateway *g, const struct jsonrpc_message *m)
{
	cleanup_buf struct buf id = BUF_INIT(1024);
	struct msg_server_asks asks = { .run = g->run };

	if (m->method.len > 128 || memchr(m->method.ptr, '\0', m->method.len) || json_pack(&id, &m->id) < 0) {
		fault(g, "its request is malformed");
		return;
	}
	asks.method = m->method;
	asks.id = buf_slice(&id);
	channel_send(g->judge, MSG_server_asks, &asks);
}

/* ---- reading ---- */

static void on_answer(struct gateway *g, struct arena *arena, const struct jsonrpc_message *m)
{
	int64_t id;

	if (m->id.type != JSON_NUMBER || json_int64(&m->id, &id) < 0 || id < SERVER_ID_INITIALIZE)
		fault(g, "it answered with an id that it was not given");
	else if (id < SERVER_ID_CALL_FIRST)
		on_own_answer(g, (uint64_t)id, m);
	else
		on_call_answer(g, (uint64_t)id, arena, m);
}

static void on_line(void *ctx, struct slice line)
{
	struct gateway *g = ctx;
	cleanup_arena struct arena arena = ARENA_INIT(ARENA_MAX);
	struct jsonrpc_message m;
	struct json_fault json;
	enum jsonrpc_fault r;
	char what[200];

	if (g->over)
		return;
	r = jsonrpc_parse(&arena, line, &server_limits, &m, &json);
	if (r != JSONRPC_OK) {
		snprintf(what, sizeof(what), "it wrote a line that is not a message: %s",
			 r == JSONRPC_BAD_JSON ? json_error_text(json.error) : jsonrpc_fault_text(r));
		fault(g, what);
	} else if (m.kind == JSONRPC_REQUEST) {
		on_request(g, &m);
	} else if (m.kind == JSONRPC_NOTIFICATION) {
		on_notification(g, &m);
	} else {
		on_answer(g, &arena, &m);
	}
	pace(g);
}

/* A result that is too large costs its own call, when it says which one that is. */
static void on_oversize(void *ctx, struct slice piece, bool last)
{
	struct gateway *g = ctx;
	struct skim_found found;
	struct pending *p = NULL;
	int64_t id;

	if (!g->server_skimming)
		skim_start(&g->server_skim);
	g->server_skimming = !last;
	skim_feed(&g->server_skim, piece);
	if (!last)
		return;
	skim_finish(&g->server_skim, &found);
	if (found.id.type == JSON_NUMBER && !found.method.ptr && json_int64(&found.id, &id) == 0 && id >= SERVER_ID_CALL_FIRST)
		p = find_running(g, (uint64_t)id);
	if (p && p->running && !p->cancelled)
		withhold(g, p, "it is larger than 16 MiB");
	else
		fault(g, "it wrote a message larger than 16 MiB");
}

static void on_end(void *ctx, const char *why)
{
	struct gateway *g = ctx;
	struct msg_server_silent m = { .run = g->run };

	if (why) {
		fault(g, why);
		return;
	}
	channel_send(g->judge, MSG_server_silent, &m);
	server_end(g);
}

void server_begin(struct gateway *g, struct msg_server_output *m)
{
	static const struct reader_ops ops = { on_line, on_oversize, on_end };

	server_end(g);
	g->run = m->run;
	g->server_initialized = false;
	g->server_skimming = false;
	g->server_in = reader_new(g->loop, fd_take(&m->output), LINE_SERVER_MAX, &ops, g);
	if (!g->server_in)
		agent_end(g, "out of memory");
	pace(g);
}

void server_end(struct gateway *g)
{
	reader_free(g->server_in);
	g->server_in = NULL;
}

void server_on_given_up(struct gateway *g)
{
	if (g->server_in && g->server_skimming)
		fault(g, "it wrote a message larger than 16 MiB");
}
