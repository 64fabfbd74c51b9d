#include "judge/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "judge/call.h"
#include "judge/pen.h"
#include "judge/pins.h"
#include "judge/record.h"
#include "judge/tools.h"

enum {
	BACKOFF_FIRST_MS = 200,
	BACKOFF_MOST_MS = 30000,
	STABLE_NS_LOG2 = 35, /* a run longer than about 34 s ends the back-off */
	PAGES_MAX = 64,
	SILENT_MS = 500,
	PINS_MS = 3000, /* for what was accepted to become known */
	RELIST_FIRST_MS = 100, /* between two listings, doubled with each */
	RELIST_MOST_MS = 60000,
	SLICE_NS = 2000000, /* of compiling at a time; others then get REST times as long */
	REST = 4,
	WITHHELD_TEXT = 300,
	PING_MS = 5000,
};

struct server {
	struct session *session;
	char name[65];
	enum server_state state;
	uint64_t run; /* the sandbox's number; 0: none */
	uint64_t starts;
	uint32_t pid;
	uint32_t timeout_ms;
	uint8_t code[32]; /* the digest of what runs, as mounted */
	struct pen *pen;
	int output; /* the reading end, until the gateway has it */
	struct tools *tools, *incoming;
	bool checking; /* incoming is complete and waits for what was accepted of it to be known */
	uint64_t pins_seen;
	unsigned pages;
	uint32_t list_id; /* the last tools/list */
	bool list_awaited; /* its answer is */
	bool list_again;
	struct buf cursor; /* of the page after the one that is being compiled */
	uint64_t listed_ns;
	uint32_t relist_ms;
	struct event *work; /* goes on compiling; or lists again, when it is time */
	struct buf shown; /* what the gateway was last told of the tools, packed */
	bool shown_once;
	uint32_t backoff_ms;
	uint64_t ready_ns;
	bool silent;  /* its output has ended */
	bool probing; /* a ping is under way */
	struct event *timer; /* next start, the end of the handshake's time, or of the time to end after its output has */
	char sandbox_layers[1025];
};

static void on_timer(evutil_socket_t fd, short what, void *arg);
static void on_work(evutil_socket_t fd, short what, void *arg);

struct server *server_new(struct session *session, const char *name)
{
	struct server *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->session = session;
	s->output = -1;
	s->timeout_ms = 60000;
	s->shown = BUF_INIT(message_rule(MSG_server_tools)->max);
	s->cursor = BUF_INIT(1024);
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->timer = evtimer_new(session->judge->loop, on_timer, s);
	s->work = evtimer_new(session->judge->loop, on_work, s);
	if (!s->timer || !s->work) {
		server_free(s);
		return NULL;
	}
	return s;
}

const char *server_name(const struct server *s)
{
	return s->name;
}

enum server_state server_state(const struct server *s)
{
	return s->state;
}

const char *server_state_name(enum server_state state)
{
	static const char *const names[] = { "down", "starting", "initializing", "listing", "ready" };

	return names[state];
}

uint32_t server_timeout_ms(const struct server *s)
{
	return s->timeout_ms;
}

uint32_t server_pid(const struct server *s)
{
	return s->pid;
}

uint64_t server_starts(const struct server *s)
{
	return s->starts;
}

size_t server_tool_count(const struct server *s)
{
	return s->tools ? s->tools->count : 0;
}

const struct tool *server_tool(const struct server *s, struct slice name)
{
	return s->tools ? tools_find(s->tools, name) : NULL;
}

bool server_unchecked(const struct server *s)
{
	return s->tools && !s->tools->settled;
}

static void set_timer(struct server *s, uint32_t ms)
{
	event_add(s->timer, &(struct timeval){ .tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000 });
}

static void describe(struct server *s, struct fields *f)
{
	fields_u64(f, "session", s->session->id);
	fields_text(f, "agent", slice_str(s->session->agent));
	fields_text(f, "server", slice_str(s->name));
}

static void record_event(struct server *s, const char *kind, const char *why)
{
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	struct fields f = FIELDS_INIT(&arena);

	describe(s, &f);
	fields_text(&f, "why", slice_str(why));
	record_append(s->session->judge, kind, &f, (struct slice){ 0 }, false, NULL, NULL);
}

/* ---- a run's beginning and end ---- */

static void send_mounts(struct judge *judge, const struct policy_server *p, uint64_t run)
{
	for (size_t i = 0; i < p->mount_count; i++) {
		struct msg_sandbox_mount m = { .sandbox = run, .writable = p->mounts[i].mode == MODE_READ_WRITE,
					       .workspace = strcmp(p->mounts[i].at, p->workdir) == 0,
					       .host = slice_str(p->mounts[i].host), .at = slice_str(p->mounts[i].at),
					       .beneath = slice_str(p->mounts[i].beneath) };

		channel_send(judge->launcher, MSG_sandbox_mount, &m);
	}
}

/* The run is over or could not begin: what it held is dropped, its calls fail, and the next start is set. */
static void run_ended(struct server *s, const char *why, bool waiting)
{
	struct judge *judge = s->session->judge;
	struct msg_server_gone gone = { .run = s->run, .why = slice_str(why) };

	s->state = SERVER_DOWN;
	s->run = 0;
	s->silent = s->probing = false;
	s->pid = 0;
	s->list_id = 0;
	s->list_awaited = false;
	s->relist_ms = 0;
	event_del(s->work);
	pen_free(s->pen);
	s->pen = NULL;
	fd_close(&s->output);
	tools_free(s->incoming);
	s->incoming = NULL;
	s->checking = false;
	if (s->session->gateway)
		channel_send(s->session->gateway, MSG_server_gone, &gone);
	if (s->ready_ns && (clock_monotonic_ns() - s->ready_ns) >> STABLE_NS_LOG2)
		s->backoff_ms = 0;
	s->ready_ns = 0;
	s->backoff_ms = s->backoff_ms ? s->backoff_ms * 2 : BACKOFF_FIRST_MS;
	if (s->backoff_ms > BACKOFF_MOST_MS)
		s->backoff_ms = BACKOFF_MOST_MS;
	if (!judge->stopping)
		set_timer(s, s->backoff_ms);
	call_server_gone(s->session, why, waiting);
}

static void kill_run(struct server *s)
{
	struct msg_sandbox_kill m = { .sandbox = s->run };

	if (s->run && s->session->judge->launcher)
		channel_send(s->session->judge->launcher, MSG_sandbox_kill, &m);
}

void server_start(struct server *s)
{
	struct judge *judge = s->session->judge;
	const struct policy_server *p = policy_server_find(judge->policy, slice_str(s->name));
	cleanup_buf struct buf command = BUF_INIT(70000), environment = BUF_INIT(70000);
	struct msg_sandbox_start m = { .name = slice_str(s->name) };

	if (s->state != SERVER_DOWN || judge->stopping)
		return;
	if (!judge->launcher) {
		set_timer(s, BACKOFF_FIRST_MS);
		return;
	}
	if (!p || !policy_agent_uses(judge->policy, slice_str(s->session->agent), slice_str(s->name))) {
		run_ended(s, "The policy no longer lets this agent use this server.", true);
		return;
	}
	s->timeout_ms = p->timeout_ms;
	s->run = m.sandbox = ++judge->last_sandbox;
	s->state = SERVER_STARTING;
	s->starts++;
	m.workdir = slice_str(p->workdir);
	send_mounts(judge, p, s->run);
	if (message_list_make(p->command, &command, &m.command) < 0 || message_list_make(p->env, &environment, &m.environment) < 0 ||
	    channel_send(judge->launcher, MSG_sandbox_start, &m) < 0) {
		run_ended(s, "The sandbox could not be ordered.", true);
		return;
	}
	set_timer(s, s->timeout_ms);
}

static void fault(struct server *s, const char *what);

/* Down: the back-off is over. Else: it is too late for the handshake, or for its end. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	(void)fd;
	(void)what;
	if (s->state == SERVER_DOWN) {
		server_start(s);
		return;
	}
	if (s->silent)
		fault(s, "it closed its output");
	else if (s->probing)
		fault(s, "it does not answer any more");
	else
		fault(s, "it did not finish its handshake in time");
}

static struct server *find_run(struct judge *judge, uint64_t run)
{
	for (struct session *s = judge->sessions; s; s = s->next)
		if (run && s->server->run == run)
			return s->server;
	return NULL;
}

/* The pen's end is broken: whatever the server is doing, it cannot be talked to any more. */
static void on_pen_broken(void *ctx, const char *why)
{
	struct server *s = ctx;

	record_event(s, "server.fault", why);
	kill_run(s);
	run_ended(s, "The server stopped reading.", false);
}

void server_on_sandbox_started(struct judge *judge, struct msg_sandbox_started *m)
{
	struct server *s = find_run(judge, m->sandbox);
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	struct fields f = FIELDS_INIT(&arena);
	char code[2 * sizeof(s->code)];

	if (!s || s->state != SERVER_STARTING || m->code.len != sizeof(s->code))
		return; /* ended meanwhile, and the order to kill it is under way */
	s->pid = m->pid;
	memcpy(s->code, m->code.ptr, sizeof(s->code));
	s->output = fd_take(&m->output);
	s->pen = pen_new(judge->loop, fd_take(&m->input), on_pen_broken, s);
	if (!s->pen) {
		kill_run(s);
		run_ended(s, "There is no memory for this server now.", true);
		return;
	}
	describe(s, &f);
	fields_u64(&f, "pid", m->pid);
	fields_text(&f, "layers", m->layers);
	text_hex(m->code.ptr, sizeof(s->code), code);
	fields_text(&f, "code", slice_of(code, sizeof(code)));
	record_append(judge, "server.start", &f, (struct slice){ 0 }, false, NULL, NULL);
	s->state = SERVER_INITIALIZING;
	server_on_gateway(s);
}

/* Both are there, gateway and sandbox: the gateway reads, the judge writes. */
void server_on_gateway(struct server *s)
{
	struct msg_server_output m = { .run = s->run, .output = s->output };

	if (!s->session->gateway || s->output < 0)
		return;
	channel_send(s->session->gateway, MSG_server_output, &m);
	fd_close(&s->output);
	pen_initialize(s->pen);
}

void server_on_sandbox_failed(struct judge *judge, const struct msg_sandbox_failed *m)
{
	struct server *s = find_run(judge, m->sandbox);
	char why[600];

	if (!s)
		return;
	text_format(why, sizeof(why), "The server could not be started: %.*s", SLICE_ARG(m->why));
	log_warning("server %s: %s", s->name, why);
	record_event(s, "server.fault", why);
	run_ended(s, "The server could not be started; `bawn audit list --kind server` says why to whoever runs Bawn.", true);
}

void server_on_sandbox_ended(struct judge *judge, const struct msg_sandbox_ended *m)
{
	struct server *s = find_run(judge, m->sandbox);
	char how[129], why[256] = "The server ended; whether it acted is not known.";
	bool early;

	if (!s)
		return;
	snprintf(how, sizeof(how), "%.*s", SLICE_ARG(m->how));
	record_event(s, "server.exit", how);
	early = s->state != SERVER_READY;
	if (early) {
		log_warning("server %s ended before it was ready: %s; what it printed is in servers/%s.log of the state folder", s->name, how, s->name);
		snprintf(why, sizeof(why), "The server ended before it was ready; `bawn audit list --kind server` says how to whoever runs Bawn, and "
			 "servers/%s.log, in the state folder that `bawn status` names, what it printed.", s->name);
	}
	run_ended(s, why, early);
}

void server_on_launcher_lost(struct judge *judge)
{
	for (struct session *s = judge->sessions; s; s = s->next)
		if (s->server->run) {
			record_event(s->server, "server.exit", "its launcher ended");
			run_ended(s->server, "The server ended with its launcher; whether it acted is not known.", false);
		}
}

void server_on_launcher_back(struct judge *judge)
{
	for (struct session *s = judge->sessions; s; s = s->next)
		server_start(s->server);
}

void server_free(struct server *s)
{
	if (!s)
		return;
	kill_run(s);
	if (s->timer)
		event_free(s->timer);
	if (s->work)
		event_free(s->work);
	pen_free(s->pen);
	fd_close(&s->output);
	tools_free(s->tools);
	tools_free(s->incoming);
	buf_free(&s->shown);
	buf_free(&s->cursor);
	free(s);
}

/* ---- the handshake ---- */

static void fault(struct server *s, const char *what)
{
	char why[400];

	text_format(why, sizeof(why), "The server broke the protocol: %s.", what);
	record_event(s, "server.fault", what);
	kill_run(s);
	run_ended(s, why, s->state != SERVER_READY);
}

static void list_tools(struct server *s, struct slice cursor)
{
	s->list_id = s->list_id && s->list_id < SERVER_ID_LIST_LAST ? s->list_id + 1 : SERVER_ID_LIST_FIRST;
	s->list_awaited = true;
	pen_list_tools(s->pen, s->list_id, cursor);
}

static void begin_listing(struct server *s)
{
	tools_free(s->incoming);
	s->incoming = tools_new(s->code);
	s->pages = 0;
	s->list_again = false;
	s->listed_ns = clock_monotonic_ns();
	if (!s->incoming) {
		fault(s, "there is no memory for its tools");
		return;
	}
	list_tools(s, (struct slice){ 0 });
}

void server_on_initialized(struct server *s, const struct msg_server_initialized *m)
{
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	struct fields f = FIELDS_INIT(&arena);

	if (m->run != s->run)
		return;
	if (s->state != SERVER_INITIALIZING) {
		fault(s, "it answered initialize twice");
		return;
	}
	if (!m->tools) {
		fault(s, "it offers no tools");
		return;
	}
	describe(s, &f);
	fields_text(&f, "protocol", m->protocol);
	fields_text(&f, "name", m->name);
	fields_text(&f, "version", m->version);
	record_append(s->session->judge, "server.initialized", &f, (struct slice){ 0 }, false, NULL, NULL);
	pen_initialized(s->pen);
	s->state = SERVER_LISTING;
	begin_listing(s);
}

/* What changed is on the record: the count, and each withheld tool with the reason. */
static void record_tools(struct server *s)
{
	cleanup_arena struct arena arena = ARENA_INIT(1024 * 1024);
	struct fields f = FIELDS_INIT(&arena);
	struct json withheld = { .type = JSON_ARRAY, .items = arena_array(&arena, s->tools->count, sizeof(struct json)) };

	describe(s, &f);
	fields_u64(&f, "tools", s->tools->count);
	for (size_t i = 0; withheld.items && i < s->tools->count && withheld.count < 100; i++) {
		const struct tool *t = &s->tools->list[i];
		const char *why = t->withheld ? t->withheld : pins_why(t->state);
		char *text = why ? arena_alloc(&arena, WITHHELD_TEXT) : NULL;

		if (!text)
			continue;
		text_format(text, WITHHELD_TEXT, "%.*s: %s", SLICE_ARG(t->name), why);
		withheld.items[withheld.count++] = json_text(slice_str(text));
	}
	if (withheld.count)
		fields_json(&f, "withheld", withheld);
	record_append(s->session->judge, "server.tools", &f, (struct slice){ 0 }, false, NULL, NULL);
}

/* A server that changes its tools all the time is asked less and less often; each change that is seen is on the record. */
static void list_later(struct server *s)
{
	uint64_t since_ms = (clock_monotonic_ns() - s->listed_ns) / 1000000;

	if (since_ms > 10ULL * s->relist_ms)
		s->relist_ms = 0;
	s->relist_ms = s->relist_ms ? s->relist_ms * 2 : RELIST_FIRST_MS;
	if (s->relist_ms > RELIST_MOST_MS)
		s->relist_ms = RELIST_MOST_MS;
	s->list_again = true;
	since_ms = since_ms < s->relist_ms ? s->relist_ms - since_ms : 0;
	event_add(s->work, &(struct timeval){ .tv_sec = (time_t)(since_ms / 1000), .tv_usec = (suseconds_t)(since_ms % 1000) * 1000 });
}

static void listing_done(struct server *s)
{
	bool changed = !s->tools || !tools_equal(s->tools, s->incoming);

	s->checking = false;
	tools_free(s->tools);
	s->tools = s->incoming;
	s->incoming = NULL;
	if (s->state == SERVER_LISTING) {
		s->state = SERVER_READY;
		s->ready_ns = clock_monotonic_ns();
		if (!s->silent)
			event_del(s->timer);
	}
	if (changed)
		record_tools(s);
	server_show_tools(s);
	if (s->list_again)
		list_later(s);
	call_server_ready(s->session);
}

/*
 * The listing is complete: are its tools what was accepted? When the store cannot say in a while, the server is taken up with all of them
 * withheld; server_on_pins() finds them later.
 */
static void check(struct server *s)
{
	s->checking = true;
	if (pins_check(s->session->judge, s->name, s->incoming)) {
		listing_done(s);
		return;
	}
	/* That it takes long now is not the server's fault. */
	if (s->state == SERVER_LISTING && !s->silent)
		event_del(s->timer);
	event_add(s->work, &(struct timeval){ .tv_sec = PINS_MS / 1000 });
}

static void check_again(struct server *s)
{
	if (s->checking) {
		if (!pins_check(s->session->judge, s->name, s->incoming))
			return;
		event_del(s->work);
		listing_done(s);
	} else if (s->tools && pins_check(s->session->judge, s->name, s->tools)) {
		server_show_tools(s);
	}
}

void server_on_pins(struct judge *judge, const char *name)
{
	const uint64_t round = ++judge->pins_round;
	struct session *s = judge->sessions;

	/* Calls that waited are decided on the way, which may end sessions: so from the beginning each time. */
	while (s) {
		if (s->server->pins_seen == round || strcmp(s->server->name, name) != 0) {
			s = s->next;
			continue;
		}
		s->server->pins_seen = round;
		check_again(s->server);
		s = judge->sessions;
	}
}

/* A while at a time: a stranger's schemas can take long, and everybody's calls are decided here. */
static void compile_some(struct server *s)
{
	uint64_t begin = clock_monotonic_ns(), rest;

	while (tools_compile_next(s->incoming)) {
		rest = (clock_monotonic_ns() - begin) * REST;
		if (rest <= (uint64_t)SLICE_NS * REST)
			continue;
		event_add(s->work, &(struct timeval){ .tv_sec = (time_t)(rest / 1000000000), .tv_usec = (suseconds_t)(rest % 1000000000 / 1000) });
		return;
	}
	if (s->cursor.len)
		list_tools(s, buf_slice(&s->cursor));
	else
		check(s);
}

static void on_work(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	(void)fd;
	(void)what;
	if (s->checking)
		listing_done(s);
	else if (s->incoming)
		compile_some(s);
	else if (s->list_again)
		begin_listing(s);
}

void server_on_listed(struct server *s, const struct msg_server_listed *m)
{
	const char *why;

	if (m->run != s->run)
		return;
	if (!s->list_awaited || m->request != s->list_id) {
		fault(s, "it answered a tools/list that was not asked");
		return;
	}
	s->list_awaited = false;
	if (++s->pages > PAGES_MAX) {
		fault(s, "its list of tools does not end");
		return;
	}
	if (tools_add_page(s->incoming, m->tools, &why) < 0) {
		fault(s, why);
		return;
	}
	buf_clear(&s->cursor);
	if (buf_add_slice(&s->cursor, m->cursor) < 0) {
		fault(s, "there is no memory for its tools");
		return;
	}
	compile_some(s);
}

void server_on_changed(struct server *s, uint64_t run)
{
	if (run != s->run || (s->state != SERVER_LISTING && s->state != SERVER_READY))
		return;
	if (s->incoming || s->list_again)
		s->list_again = true; /* one listing at a time, however often it says so */
	else
		list_later(s);
}

void server_on_asks(struct server *s, const struct msg_server_asks *m)
{
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	struct json id;

	if (m->run != s->run || !s->pen)
		return;
	if (json_unpack(&arena, m->id, &json_limits_default, &id) < 0 || (id.type != JSON_STRING && id.type != JSON_NUMBER)) {
		fault(s, "it sent a request with a malformed id");
		return;
	}
	pen_answer(s->pen, &id, m->method);
}

void server_probe(struct server *s)
{
	if (s->state != SERVER_READY || s->probing || s->silent || pen_ping(s->pen) < 0)
		return;
	s->probing = true;
	set_timer(s, PING_MS);
}

void server_on_alive(struct server *s, uint64_t run)
{
	if (run != s->run || !s->probing)
		return;
	s->probing = false;
	if (!s->silent)
		event_del(s->timer);
}

/* A server that ends closes its output first: it gets a moment to end, so that how it ended is what is recorded. */
void server_on_silent(struct server *s, uint64_t run)
{
	if (run != s->run || s->silent)
		return;
	s->silent = true;
	set_timer(s, SILENT_MS);
}

void server_on_fault(struct server *s, const struct msg_server_fault *m)
{
	char what[257];

	if (m->run != s->run)
		return;
	snprintf(what, sizeof(what), "%.*s", SLICE_ARG(m->what));
	call_record_fault(s->session, "server", m->what);
	fault(s, what);
}

void server_show_tools(struct server *s)
{
	cleanup_buf struct buf packed = BUF_INIT(4 * 1024 * 1024);
	struct msg_server_tools m = { .run = s->run };
	struct judge *judge = s->session->judge;

	if (!s->tools || !s->session->gateway)
		return;
	if (tools_pack_granted(s->tools, judge->policy, slice_str(s->session->agent), slice_str(s->name), &packed) < 0) {
		log_error("server %s: its definitions are too large to show", s->name);
		return;
	}
	if (s->shown_once && slice_eq(buf_slice(&packed), buf_slice(&s->shown)))
		return;
	s->shown_once = true;
	m.tools = buf_slice(&packed);
	channel_send(s->session->gateway, MSG_server_tools, &m);
	buf_free(&s->shown);
	s->shown = packed;
	packed = BUF_INIT(0);
}

/* ---- the pen ---- */

int server_write_call(struct server *s, uint64_t call, struct slice tool, struct slice arguments, bool progress)
{
	if (s->state != SERVER_READY)
		return -EPIPE;
	return pen_call(s->pen, call, tool, arguments, progress);
}

int server_write_cancel(struct server *s, uint64_t call, struct slice reason)
{
	if (s->state != SERVER_READY)
		return -EPIPE;
	return pen_cancel(s->pen, call, reason);
}
