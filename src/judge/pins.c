#include "judge/pins_inside.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "judge/look_alike.h"
#include "judge/server.h"
#include "judge/stored.h"

enum {
	RETRY_S = 2,
	LISTED = 100, /* tools that an entry of the record names */
	LISTED_TEXT = 300,
	RENAMED_PAIRS = 64,       /* of new and gone tools that are compared: each is a hash over the definition */
	RENAMED_SIZE = 16 * 1024, /* bytes of a definition that is compared so */
};

/* ---- what is known ---- */

static void on_retry(evutil_socket_t fd, short what, void *arg);

struct pins *pins_of(struct judge *judge, const char *server)
{
	struct pins *p;

	for (p = judge->pins; p; p = p->next)
		if (strcmp(p->server, server) == 0)
			return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	*p = (struct pins){ .next = judge->pins, .judge = judge, .generation = 1 };
	snprintf(p->server, sizeof(p->server), "%s", server);
	p->retry = evtimer_new(judge->loop, on_retry, p);
	if (!p->retry) {
		free(p);
		return NULL;
	}
	judge->pins = p;
	return p;
}

void pins_forget(struct pins *p)
{
	p->state = PINS_UNKNOWN;
	p->generation++;
	event_add(p->retry, &(struct timeval){ .tv_sec = RETRY_S });
}

/* Takes rows of (tool, digest). What is on the record of them stays known. */
static int list_take(struct pin_list *l, const struct json *rows)
{
	struct pin_list fresh = { 0 };
	int r = 0;

	for (uint32_t i = 0; i < rows->count && r == 0; i++) {
		struct slice tool = stored_column(&rows->items[i], 0);
		const struct pin *before = pin_list_find(l, tool);

		r = pin_list_put(&fresh, tool, stored_column(&rows->items[i], 1));
		if (r == 0 && before)
			pin_list_find(&fresh, tool)->gone = before->gone;
	}
	pin_list_clear(r < 0 ? &fresh : l);
	if (r == 0)
		*l = fresh;
	return r;
}

static void on_offered(struct judge *judge, void *ctx, const struct json *rows, uint64_t changes, const char *why)
{
	struct pins *p = ctx;

	(void)changes;
	(void)why;
	if (!rows || list_take(&p->offered, rows) < 0) {
		pins_forget(p);
		return;
	}
	p->state = PINS_KNOWN;
	server_on_pins(judge, p->server);
}

static void on_accepted(struct judge *judge, void *ctx, const struct json *rows, uint64_t changes, const char *why)
{
	struct pins *p = ctx;
	struct json server = json_text(slice_str(p->server));

	(void)changes;
	(void)why;
	if (!rows || list_take(&p->accepted, rows) < 0)
		pins_forget(p);
	else
		stored_run(judge, STATEMENT_pin_offered, &server, 1, on_offered, p);
}

static void load(struct pins *p)
{
	struct json server = json_text(slice_str(p->server));

	p->state = PINS_LOADING;
	stored_run(p->judge, STATEMENT_pin_accepted, &server, 1, on_accepted, p);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct pins *p = arg;

	(void)fd;
	(void)what;
	if (p->state == PINS_UNKNOWN)
		load(p);
}

void pins_on_store(struct judge *judge)
{
	for (struct pins *p = judge->pins; p; p = p->next)
		if (p->state == PINS_UNKNOWN || p->state == PINS_KNOWN) {
			p->generation++;
			load(p);
		}
}

/* ---- keeping ---- */

static void on_kept(struct judge *judge, void *ctx, const struct json *rows, uint64_t changes, const char *why)
{
	(void)judge;
	(void)changes;
	(void)why;
	if (!rows && ((struct pins *)ctx)->state == PINS_KNOWN)
		pins_forget(ctx);
}

static void put(struct pins *p, const char *state, struct slice tool, const char *digest, struct slice definition, const char *why, stored_done *done, void *ctx)
{
	cleanup_arena struct arena arena = ARENA_INIT(4096);
	struct json values[] = {
		json_text(slice_str(p->server)), json_text(tool), json_text(slice_str(state)), json_text(slice_str(digest)), json_text(definition),
		why ? json_text(slice_str(why)) : (struct json){ .type = JSON_NULL }, json_u64(&arena, clock_wall_us()),
		(struct json){ .type = JSON_NULL },
	};

	stored_run(p->judge, STATEMENT_pin_put, values, sizeof(values) / sizeof(values[0]), done, ctx);
}

/* The row of the code has a definition as well, so that the difference that people are shown says something. */
static int code_definition(const char *code, struct buf *out)
{
	return buf_printf(out, "{\"code\":\"%s\"}", code);
}

/* What is withheld can be accepted from now on. True when it is not what was offered already. */
static bool offer(struct pins *p, struct slice tool, const char *digest, const struct json *definition, const char *why)
{
	cleanup_buf struct buf text = BUF_INIT(TOOL_DEFINITION_MAX);

	if (pin_is(pin_list_find(&p->offered, tool), digest))
		return false;
	if ((definition ? json_write(&text, definition) : code_definition(digest, &text)) < 0 ||
	    pin_list_put(&p->offered, tool, slice_str(digest)) < 0) {
		log_error("server %s: there is no memory to offer what is withheld", p->server);
		return false;
	}
	put(p, "offered", tool, digest, buf_slice(&text), why, on_kept, p);
	return true;
}

static void offer_no_more(struct pins *p, struct slice tool)
{
	struct json values[] = { json_text(slice_str(p->server)), json_text(tool), json_text(SLICE("offered")) };

	if (!pin_list_find(&p->offered, tool))
		return;
	stored_run(p->judge, STATEMENT_pin_forget, values, sizeof(values) / sizeof(values[0]), on_kept, p);
	pin_list_drop(&p->offered, tool);
}

/* ---- the record ---- */

void naming_begin(struct naming *n)
{
	*n = (struct naming){ .arena = ARENA_INIT(65536) };
	n->names = (struct json){ .type = JSON_ARRAY, .items = arena_array(&n->arena, LISTED, sizeof(struct json)) };
}

void naming_add(struct naming *n, struct slice name, const char *what)
{
	char *text = n->names.items && n->names.count < LISTED ? arena_alloc(&n->arena, LISTED_TEXT) : NULL;

	n->count++;
	if (!text)
		return;
	text_format(text, LISTED_TEXT, "%.*s%s%s", SLICE_ARG(name), what[0] ? ": " : "", what);
	n->names.items[n->names.count++] = json_text(slice_str(text));
}

/* An entry that names them; nothing when there are none and nobody waits for it. */
static void naming_record(struct naming *n, struct pins *p, const char *kind, const char *code, bool durable, record_done *done)
{
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	struct fields f = FIELDS_INIT(&arena);

	if (n->count || done) {
		fields_text(&f, "server", slice_str(p->server));
		fields_text(&f, "code", slice_str(code));
		fields_u64(&f, "tools", n->count);
		fields_json(&f, "names", n->names);
		record_append(p->judge, kind, &f, (struct slice){ 0 }, durable, done, p);
	}
	arena_free(&n->arena);
}

/* ---- first sight ---- */

/* What is accepted of a server that was never seen: a copy, because the session that showed it may end meanwhile. */
struct first {
	struct arena arena;
	struct first_pin {
		struct slice tool, definition;
		char digest[TOOL_HEX + 1];
	} *list;
	size_t count, awaited;
	bool failed;
	char code[TOOL_HEX + 1];
};

static void first_end(struct pins *p, bool kept)
{
	struct first *first = p->first;

	p->first = NULL;
	for (size_t i = 0; kept && i < first->count; i++)
		kept = pin_list_put(&p->accepted, first->list[i].tool, slice_str(first->list[i].digest)) == 0;
	if (kept)
		kept = pin_list_put(&p->accepted, (struct slice){ 0 }, slice_str(first->code)) == 0;
	arena_free(&first->arena);
	free(first);
	if (!kept) {
		pins_forget(p);
		return;
	}
	p->state = PINS_KNOWN;
	server_on_pins(p->judge, p->server);
}

static void on_first_code(struct judge *judge, void *ctx, const struct json *rows, uint64_t changes, const char *why)
{
	(void)judge;
	(void)changes;
	(void)why;
	first_end(ctx, rows != NULL);
}

/* The code's row comes last: a server without one is seen for the first time, whatever else became of it. */
static void first_code(struct pins *p)
{
	cleanup_buf struct buf text = BUF_INIT(256);
	struct first *first = p->first;

	if (first->failed || code_definition(first->code, &text) < 0)
		first_end(p, false);
	else
		put(p, "accepted", (struct slice){ 0 }, first->code, buf_slice(&text), NULL, on_first_code, p);
}

static void on_first_tool(struct judge *judge, void *ctx, const struct json *rows, uint64_t changes, const char *why)
{
	struct pins *p = ctx;

	(void)judge;
	(void)changes;
	(void)why;
	if (!rows)
		p->first->failed = true;
	if (--p->first->awaited == 0)
		first_code(p);
}

static void on_first_recorded(struct judge *judge, void *ctx, uint64_t entry, const char *why)
{
	struct pins *p = ctx;
	struct first *first = p->first;

	(void)judge;
	(void)why;
	if (!entry) {
		first_end(p, false);
		return;
	}
	first->awaited = 1; /* this loop: an answer may come at once */
	for (size_t i = 0; i < first->count; i++) {
		first->awaited++;
		put(p, "accepted", first->list[i].tool, first->list[i].digest, first->list[i].definition, NULL, on_first_tool, p);
	}
	if (--first->awaited == 0)
		first_code(p);
}

static int first_copy(struct first *first, const struct tool *tool)
{
	cleanup_buf struct buf text = BUF_INIT(TOOL_DEFINITION_MAX);
	struct first_pin *pin = &first->list[first->count];
	int r = json_write(&text, tool->definition);

	if (r < 0)
		return r;
	pin->tool = arena_copy(&first->arena, tool->name);
	pin->definition = arena_copy(&first->arena, buf_slice(&text));
	memcpy(pin->digest, tool->digest, sizeof(pin->digest));
	if (!pin->tool.ptr || !pin->definition.ptr)
		return -ENOMEM;
	first->count++;
	return 0;
}

/* Takes everything as it is, but for names that look like one another: nobody can say which of them is meant. */
static void first_sight(struct pins *p, const struct tools *tools)
{
	struct first *first = calloc(1, sizeof(*first));
	struct naming names;
	int r = 0;

	if (!first) {
		pins_forget(p);
		return;
	}
	naming_begin(&names);
	p->first = first;
	p->state = PINS_FIRST;
	first->arena = ARENA_INIT(TOOLS_DEFINITIONS_MAX + SERVER_TOOLS_MAX * 512);
	first->list = arena_array(&first->arena, tools->count + 1, sizeof(*first->list));
	memcpy(first->code, tools->code, sizeof(first->code));
	for (size_t i = 0; first->list && i < tools->count && r == 0; i++)
		if (tools->list[i].schema && !tools->list[i].alike) {
			r = first_copy(first, &tools->list[i]);
			naming_add(&names, tools->list[i].name, tools->list[i].digest);
		}
	if (!first->list || r < 0) {
		arena_free(&names.arena);
		first_end(p, false);
		return;
	}
	naming_record(&names, p, "pins.first", first->code, true, on_first_recorded);
}

/* ---- checking ---- */

const char *pins_why(enum tool_state state)
{
	static const char *const why[] = {
		[TOOL_UNCHECKED] = "what was accepted of its server is not known now",
		[TOOL_CHANGED] = "its definition is not the one that was accepted",
		[TOOL_NEW] = "it is new and nobody has accepted it",
		[TOOL_RENAMED] = "it is an accepted tool under another name",
		[TOOL_ALIKE] = "its name looks like another tool's",
		[TOOL_CODE] = "its server's code is not the one that was accepted",
	};

	return state == TOOL_ACCEPTED ? NULL : why[state];
}

/* Marks tools whose name looks like that of another tool that the server has or had. */
static int mark_alike(const struct pins *p, struct tools *tools)
{
	struct look_alike_name *names = calloc(tools->count + p->accepted.count + 1, sizeof(*names));
	size_t count = 0;

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < tools->count; i++)
		if (tools->list[i].schema)
			names[count++] = (struct look_alike_name){ .name = tools->list[i].name, .owner = &tools->list[i] };
	for (size_t i = 0; i < p->accepted.count; i++)
		if (p->accepted.list[i].tool[0])
			names[count++].name = slice_str(p->accepted.list[i].tool);
	look_alike_mark(names, count);
	for (size_t i = 0; i < tools->count; i++)
		tools->list[i].alike = false;
	for (size_t i = 0; i < count; i++)
		if (names[i].owner)
			((struct tool *)names[i].owner)->alike = names[i].alike;
	free(names);
	return 0;
}

/* Would this be the accepted definition if it had the accepted name? */
static bool renamed_from(const struct tool *tool, const struct pin *accepted)
{
	struct json_member members[8];
	struct json definition = *tool->definition;
	char digest[TOOL_HEX + 1];

	if (definition.count > sizeof(members) / sizeof(members[0]))
		return false;
	memcpy(members, definition.members, definition.count * sizeof(members[0]));
	definition.members = members;
	for (uint32_t i = 0; i < definition.count; i++)
		if (slice_eq(members[i].name, SLICE("name")))
			members[i].value = json_text(slice_str(accepted->tool));
	return tools_digest(&definition, digest) == 0 && pin_is(accepted, digest);
}

static bool renamed(const struct pins *p, const struct tools *tools, const struct tool *tool, unsigned *pairs)
{
	if (tool->size > RENAMED_SIZE)
		return false;
	for (size_t i = 0; i < p->accepted.count && *pairs < RENAMED_PAIRS; i++) {
		const struct pin *pin = &p->accepted.list[i];

		if (!pin->tool[0] || tools_find(tools, slice_str(pin->tool)))
			continue;
		++*pairs;
		if (renamed_from(tool, pin))
			return true;
	}
	return false;
}

static enum tool_state state_of(const struct pins *p, const struct tools *tools, const struct tool *tool, bool code_accepted, unsigned *pairs)
{
	const struct pin *pin = pin_list_find(&p->accepted, tool->name);

	if (pin && (!tool->schema || !pin_is(pin, tool->digest)))
		return TOOL_CHANGED;
	if (pin)
		return code_accepted ? TOOL_ACCEPTED : TOOL_CODE;
	if (tool->alike)
		return TOOL_ALIKE;
	return renamed(p, tools, tool, pairs) ? TOOL_RENAMED : TOOL_NEW;
}

static void record_gone(struct pins *p, struct tools *tools)
{
	struct naming names;

	naming_begin(&names);
	for (size_t i = 0; i < p->accepted.count; i++) {
		struct pin *pin = &p->accepted.list[i];
		bool gone = pin->tool[0] && !tools_find(tools, slice_str(pin->tool));

		if (gone && !pin->gone)
			naming_add(&names, slice_str(pin->tool), "");
		pin->gone = gone;
	}
	naming_record(&names, p, "pins.removed", tools->code, false, NULL);
}

/* What the last listing has not is offered no more. */
static void offer_only(struct pins *p, struct tools *tools)
{
	for (size_t i = p->offered.count; i > 0; i--) {
		struct slice tool = slice_str(p->offered.list[i - 1].tool);

		if (tool.len && !tools_find(tools, tool))
			offer_no_more(p, tool);
	}
}

/* Once for each listing: what is withheld is offered, and what is new in that goes on the record. */
static void settle(struct pins *p, struct tools *tools, bool code_accepted)
{
	struct naming names;

	naming_begin(&names);
	offer_only(p, tools);
	if (code_accepted)
		offer_no_more(p, (struct slice){ 0 });
	else if (offer(p, (struct slice){ 0 }, tools->code, NULL, pins_why(TOOL_CODE)))
		naming_add(&names, SLICE("(code)"), pins_why(TOOL_CODE));
	for (size_t i = 0; i < tools->count; i++) {
		struct tool *tool = &tools->list[i];
		bool withheld = tool->schema && tool->state != TOOL_ACCEPTED && tool->state != TOOL_CODE;

		if (!withheld)
			offer_no_more(p, tool->name);
		else if (offer(p, tool->name, tool->digest, tool->definition, pins_why(tool->state)))
			naming_add(&names, tool->name, pins_why(tool->state));
	}
	naming_record(&names, p, "pins.withheld", tools->code, false, NULL);
	record_gone(p, tools);
}

bool pins_check(struct judge *judge, const char *server, struct tools *tools)
{
	struct pins *p = pins_of(judge, server);
	const struct pin *code = p ? pin_list_find(&p->accepted, (struct slice){ 0 }) : NULL;
	const bool code_accepted = pin_is(code, tools->code);
	unsigned pairs = 0;

	if (p && p->state == PINS_UNKNOWN)
		load(p);
	if (!p || p->state != PINS_KNOWN || mark_alike(p, tools) < 0)
		return false;
	if (!code) {
		first_sight(p, tools);
		return false;
	}
	for (size_t i = 0; i < tools->count; i++) {
		struct tool *tool = &tools->list[i];

		tool->known = pin_list_find(&p->accepted, tool->name) != NULL;
		tool->state = state_of(p, tools, tool, code_accepted, &pairs);
	}
	if (tools->settled != p->generation) {
		tools->settled = p->generation;
		settle(p, tools, code_accepted);
	}
	return true;
}
