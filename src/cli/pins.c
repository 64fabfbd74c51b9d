/* bawn pins: what servers offer, held against what was accepted of them. A server wrote all of it; so it goes through show.h. */
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "cli/approval_view.h"
#include "cli/decide.h"
#include "parse/fields.h"

enum { PAGE = 500, SHOWN_MAX = 512 << 20, ARENA_MOST = 512 << 20, DIGEST = 32, SERVER_MAX = 64, TOOL_MAX = 256 };

/* The columns of the statement pin_list, and that of pin_get which has the definition. */
enum column { COLUMN_SERVER, COLUMN_TOOL, COLUMN_STATE, COLUMN_DIGEST, COLUMN_WHY, COLUMN_SINCE, COLUMN_BY_UID, GET_DEFINITION = 4 };

/* A row of the store. */
struct row {
	struct slice digest, why;
	uint64_t since;
	bool there, by_person;
	uint32_t by_uid;
};

/* One tool, or with an empty name the server's code. */
struct pin {
	struct pin *next;
	struct slice server, tool;
	struct row accepted, offered;
};

struct pins {
	struct arena arena;
	struct pin *first, **last;
	size_t count, offered;
};

#define cleanup_pins __attribute__((cleanup(pins_free)))

static void pins_free(struct pins *pins)
{
	arena_free(&pins->arena);
}

static const char *state_of(const struct pin *pin)
{
	return !pin->offered.there ? "accepted" : pin->accepted.there ? "changed" : "new";
}

/* ---- reading ---- */

static struct pin *pin_of(struct pins *pins, struct slice server, struct slice tool)
{
	struct pin *pin = pins->first ? (struct pin *)((char *)pins->last - offsetof(struct pin, next)) : NULL;

	if (pin && slice_eq(pin->server, server) && slice_eq(pin->tool, tool))
		return pin;
	pin = arena_alloc(&pins->arena, sizeof(*pin));
	if (!pin)
		return NULL;
	pin->server = arena_copy(&pins->arena, server);
	pin->tool = arena_copy(&pins->arena, tool);
	*pins->last = pin;
	pins->last = &pin->next;
	pins->count++;
	return pin;
}

static int add_row(struct pins *pins, const struct rows *rows, uint32_t i)
{
	struct pin *pin = pin_of(pins, rows_text(rows, i, COLUMN_SERVER), rows_text(rows, i, COLUMN_TOOL));
	struct slice state = rows_text(rows, i, COLUMN_STATE);
	struct row *row;

	if (!pin)
		return -ENOMEM;
	if (!slice_eq(state, SLICE("accepted")) && !slice_eq(state, SLICE("offered")))
		return -EBADMSG;
	row = slice_eq(state, SLICE("offered")) ? &pin->offered : &pin->accepted;
	pins->offered += row == &pin->offered;
	*row = (struct row){ .there = true, .digest = arena_copy(&pins->arena, rows_text(rows, i, COLUMN_DIGEST)),
			     .why = arena_copy(&pins->arena, rows_text(rows, i, COLUMN_WHY)), .since = rows_u64(rows, i, COLUMN_SINCE),
			     .by_person = !rows_is_null(rows, i, COLUMN_BY_UID), .by_uid = (uint32_t)rows_u64(rows, i, COLUMN_BY_UID) };
	return 0;
}

/* All of a server, or of all servers when the name is empty, in the order of their names. */
static int read_pins(const struct place *place, const char *server, struct pins *pins)
{
	struct slice after[3] = { SLICE(""), SLICE(""), SLICE("") };
	bool more = true;
	int r = CLI_OK;

	*pins = (struct pins){ .arena = ARENA_INIT(ARENA_MOST), .last = &pins->first };
	while (r == CLI_OK && more) {
		struct json values[] = { json_text(slice_str(server)), json_text(after[0]), json_text(after[1]), json_text(after[2]),
					 json_u64(&pins->arena, PAGE) };
		cleanup_rows struct rows rows = { .list = { .type = JSON_ARRAY } };

		r = rows_read(place, STATEMENT_pin_list, values, 5, &rows);
		for (uint32_t i = 0; r == CLI_OK && i < rows.list.count; i++)
			if (add_row(pins, &rows, i) < 0)
				r = cli_error(CLI_REFUSED, "the store's answer could not be read");
		more = r == CLI_OK && rows.list.count == PAGE;
		for (uint32_t k = 0; more && k < 3; k++)
			after[k] = arena_copy(&pins->arena, rows_text(&rows, PAGE - 1, k));
	}
	return r;
}

/* The definition of one row, in `arena`. */
static int read_definition(const struct place *place, const struct pin *pin, const char *state, struct arena *arena, struct json *ret_value)
{
	struct json values[] = { json_text(pin->server), json_text(pin->tool), json_text(slice_str(state)) };
	cleanup_rows struct rows rows = { .list = { .type = JSON_ARRAY } };
	int r = rows_read(place, STATEMENT_pin_get, values, 3, &rows);

	if (r != CLI_OK)
		return r;
	if (rows.list.count != 1)
		return cli_error(CLI_REFUSED, "what is offered changed while it was read; try again");
	if (json_parse(arena, rows_text(&rows, 0, GET_DEFINITION), &json_limits_default, ret_value, NULL) != JSON_OK)
		return cli_error(CLI_REFUSED, "the store holds a definition that cannot be read");
	return CLI_OK;
}

/* ---- showing ---- */

static struct show on(int fd, struct buf *out)
{
	struct show show = SHOW_INIT(out, terminal_columns(fd));

	show.wide = terminal_is_wide();
	show.ascii = !terminal_is_utf8();
	return show;
}

/* "server.tool", or "server (its code)". */
static int show_subject(struct show *show, const struct pin *pin)
{
	int r = show_name(show, pin->server);

	if (r == 0)
		r = show_words(show, pin->tool.len ? "." : " (its code)");
	return r == 0 && pin->tool.len ? show_name(show, pin->tool) : r;
}

/* On a line of its own, so that it need not be folded. */
static int show_why(struct show *show, const struct row *row, unsigned indent)
{
	int r = row->why.len ? show_begin(show, indent) : 0;

	if (r == 0 && row->why.len)
		r = show_text(show, row->why);
	return r == 0 && row->why.len ? show_end(show) : r;
}

static int show_line(struct show *show, const struct pin *pin)
{
	const struct row *row = pin->offered.there ? &pin->offered : &pin->accepted;
	char since[TIME_TEXT], begin[TIME_TEXT + 16];
	int r = show_begin(show, 0);

	view_time(row->since, since);
	snprintf(begin, sizeof(begin), "%-8s  %-20s  ", state_of(pin), since);
	if (r == 0)
		r = show_words(show, begin);
	if (r == 0)
		r = show_subject(show, pin);
	if (r == 0)
		r = show_end(show);
	return r == 0 ? show_why(show, row, 10) : r;
}

/* "server.tool: changed since TIME" */
static int show_title(struct show *show, const struct pin *pin)
{
	const struct row *row = pin->offered.there ? &pin->offered : &pin->accepted;
	char since[TIME_TEXT], user[USER_TEXT], words[TIME_TEXT + USER_TEXT + 32];
	int r = show_begin(show, 0);

	view_time(row->since, since);
	view_user(row->by_uid, user);
	if (row->by_person)
		snprintf(words, sizeof(words), ": %s at %s by %s", state_of(pin), since, user);
	else
		snprintf(words, sizeof(words), ": %s since %s", state_of(pin), since);
	if (r == 0)
		r = show_subject(show, pin);
	if (r == 0)
		r = show_text(show, slice_str(words));
	if (r == 0)
		r = show_end(show);
	return r == 0 ? show_why(show, row, 2) : r;
}

static int show_note(struct show *show, const char *words)
{
	int r = show_begin(show, 2);

	if (r == 0)
		r = show_words(show, words);
	return r == 0 ? show_end(show) : r;
}

static int show_difference_of(struct show *show, const struct json *before, const struct json *after)
{
	size_t count = 0;
	int r = show_difference(show, 2, before, after, &count);

	return r == 0 && count == 0 ? show_note(show, "its definition is as before; the server's code is not") : r;
}

/* What is offered against what was accepted; all of it where there is only one of the two. CLI_OK or the exit status. */
static int show_pin(struct show *show, const struct place *place, const struct pin *pin)
{
	cleanup_arena struct arena arena = ARENA_INIT(ARENA_MOST);
	struct json accepted, offered;
	int r = CLI_OK, shown = show->out->len ? buf_add_char(show->out, '\n') : 0;

	if (shown == 0)
		shown = show_title(show, pin);

	if (pin->accepted.there)
		r = read_definition(place, pin, "accepted", &arena, &accepted);
	if (r == CLI_OK && pin->offered.there)
		r = read_definition(place, pin, "offered", &arena, &offered);
	if (r != CLI_OK)
		return r;
	if (shown == 0 && pin->accepted.there && pin->offered.there)
		shown = show_difference_of(show, &accepted, &offered);
	else if (shown == 0)
		shown = show_tree(show, 2, pin->offered.there ? &offered : &accepted);
	return shown < 0 ? cli_error(CLI_REFUSED, "this cannot be shown: %s", strerror(-shown)) : CLI_OK;
}

static int print(const struct buf *out, int r)
{
	if (r < 0)
		return cli_error(CLI_REFUSED, "this cannot be shown: %s", strerror(-r));
	return out->len && fwrite(out->ptr, 1, out->len, stdout) != out->len ? CLI_REFUSED : CLI_OK;
}

/* ---- list ---- */

static void json_row(struct fields *f, const struct row *row, const char *digest, const char *since)
{
	char *time = row->there ? arena_alloc(f->arena, TIME_TEXT) : NULL;

	if (row->there && !time)
		f->failed = true;
	if (!time)
		return;
	view_time_exact(row->since, time);
	fields_text(f, digest, row->digest);
	fields_text(f, since, slice_str(time));
}

static int pin_json(struct buf *out, const struct pin *pin)
{
	cleanup_arena struct arena arena = ARENA_INIT(65536);
	struct fields f = FIELDS_INIT(&arena);
	struct json object;

	fields_text(&f, "server", pin->server);
	fields_text(&f, "tool", pin->tool);
	fields_text(&f, "state", slice_str(state_of(pin)));
	json_row(&f, &pin->accepted, "accepted", "accepted_at");
	if (pin->accepted.by_person)
		fields_u64(&f, "accepted_by", pin->accepted.by_uid);
	json_row(&f, &pin->offered, "offered", "offered_at");
	fields_text(&f, "why", pin->offered.why);
	object = fields_object(&f);
	if (f.failed || json_write(out, &object) < 0)
		return -ENOMEM;
	return buf_add_char(out, '\n');
}

static int list(const struct cli_args *args, const struct place *place)
{
	cleanup_pins struct pins pins = { .count = 0 };
	cleanup_buf struct buf out = BUF_INIT(SHOWN_MAX);
	struct show show = on(STDOUT_FILENO, &out);
	int r = read_pins(place, "", &pins), shown = 0;

	if (r != CLI_OK)
		return r;
	if (!cli_has(args, OPTION_json))
		shown = pins.count ? buf_printf(&out, "%-8s  %-20s  %s\n", "state", "since", "server.tool") : buf_add_str(&out, "no server was started yet\n");
	for (const struct pin *pin = pins.first; shown == 0 && pin; pin = pin->next)
		shown = cli_has(args, OPTION_json) ? pin_json(&out, pin) : show_line(&show, pin);
	return print(&out, shown);
}

/* ---- show ---- */

static const struct pin *find_tool(const struct pins *pins, const char *tool)
{
	for (const struct pin *pin = pins->first; pin; pin = pin->next)
		if (pin->tool.len && slice_eq(pin->tool, slice_str(tool)))
			return pin;
	return NULL;
}

/* The server's pins; with a tool, that it is among them. */
static int read_named(const struct cli_args *args, const struct place *place, struct pins *pins)
{
	const char *server = args->operands[1], *tool = args->operands[2];
	int r;

	if (!server[0] || strlen(server) > SERVER_MAX || !utf8_valid(slice_str(server)) ||
	    (tool && (!tool[0] || strlen(tool) > TOOL_MAX || !utf8_valid(slice_str(tool)))))
		return cli_error(CLI_USAGE, "a server's name has at most %d bytes, a tool's at most %d", SERVER_MAX, TOOL_MAX);
	r = read_pins(place, server, pins);
	if (r == CLI_OK && !pins->count)
		return cli_error(CLI_REFUSED, "nothing is known of a server \"%s\"; `bawn pins list` shows what is", server);
	if (r == CLI_OK && tool && !find_tool(pins, tool))
		return cli_error(CLI_REFUSED, "%s has no tool \"%s\" that is known; `bawn pins list` shows what is", server, tool);
	return r;
}

/* Those that are asked for: the tool that is named, else all that is offered. */
static int show_each(struct show *show, const struct cli_args *args, const struct place *place, const struct pins *pins)
{
	int r = CLI_OK;

	if (args->operands[2])
		return show_pin(show, place, find_tool(pins, args->operands[2]));
	for (const struct pin *pin = pins->first; r == CLI_OK && pin; pin = pin->next)
		if (pin->offered.there)
			r = show_pin(show, place, pin);
	return r;
}

static int show_named(const struct cli_args *args, const struct place *place)
{
	cleanup_pins struct pins pins = { .count = 0 };
	cleanup_buf struct buf out = BUF_INIT(SHOWN_MAX);
	struct show show = on(STDOUT_FILENO, &out);
	int r = read_named(args, place, &pins);

	if (r == CLI_OK && !args->operands[2] && pins.offered == 0) {
		printf("nothing of %s waits to be accepted\n", args->operands[1]);
		return CLI_OK;
	}
	if (r == CLI_OK)
		r = show_each(&show, args, place, &pins);
	return r == CLI_OK ? print(&out, 0) : r;
}

/* ---- accept ---- */

/* What the judge holds against what is offered by then: see person_accept in messages.tbl.h. */
static int digest_of(const struct pins *pins, const struct pin *one, unsigned char ret_digest[DIGEST])
{
	cleanup_buf struct buf text = BUF_INIT(ARENA_MOST);
	int r = 0;

	if (one)
		return text_unhex(one->offered.digest, ret_digest, DIGEST);
	r = buf_add_char(&text, '[');
	for (const struct pin *pin = pins->first; r == 0 && pin; pin = pin->next) {
		if (!pin->offered.there)
			continue;
		r = buf_add_str(&text, text.len > 1 ? ",[" : "[");
		if (r == 0)
			r = json_write_string(&text, pin->tool);
		if (r == 0)
			r = buf_add_char(&text, ',');
		if (r == 0)
			r = json_write_string(&text, pin->offered.digest);
		if (r == 0)
			r = buf_add_char(&text, ']');
	}
	if (r == 0)
		r = buf_add_char(&text, ']');
	if (r == 0)
		crypto_hash_sha256(ret_digest, (const unsigned char *)text.ptr, text.len);
	return r;
}

static const char *accepts_what(const struct cli_args *args, const struct pins *pins)
{
	size_t code = 0;

	for (const struct pin *pin = pins->first; pin; pin = pin->next)
		code += pin->offered.there && !pin->tool.len;
	if (args->operands[2] || (pins->offered == 1 && !code))
		return "this definition";
	return pins->offered == 1 ? "this code" : code ? "this code and all of these definitions" : "all of these definitions";
}

static int show_on_terminal(int terminal, const struct cli_args *args, const struct place *place, const struct pins *pins)
{
	cleanup_buf struct buf out = BUF_INIT(SHOWN_MAX);
	struct show show = on(terminal, &out);
	int r = show_each(&show, args, place, pins), written;

	if (r != CLI_OK)
		return r;
	written = buf_printf(&out, "\nAccept %s?\n", accepts_what(args, pins));
	if (written == 0)
		written = io_write_all(terminal, out.ptr, out.len);
	return written < 0 ? cli_error(CLI_REFUSED, "this cannot be shown, so it cannot be accepted: %s", strerror(-written)) : CLI_OK;
}

static int send_accept(const struct cli_args *args, const struct place *place, const struct pins *pins, const struct secret *secret)
{
	const char *tool = args->operands[2];
	unsigned char digest[DIGEST];
	struct msg_cli_accept m = { .server = slice_str(args->operands[1]), .tool = slice_str(tool ? tool : ""), .digest = slice_of(digest, DIGEST),
				    .secret = secret_slice(secret) };
	struct control_answer answer;
	int r;

	if (digest_of(pins, tool ? find_tool(pins, tool) : NULL, digest) < 0)
		return cli_error(CLI_REFUSED, "the store holds a digest that cannot be read");
	r = control_ask_running(place, MSG_cli_accept, &m, &answer);
	if (r != CLI_OK)
		return r;
	r = answer.status == CLI_OK ? CLI_OK : decide_refused(place, &answer);
	if (r == CLI_OK)
		printf("accepted (entry %" PRIu64 ")\n", answer.entry);
	if (r == CLI_OK && answer.text.len)
		cli_error(CLI_OK, "%.*s", SLICE_ARG(buf_slice(&answer.text)));
	control_answer_free(&answer);
	return r;
}

static int accept_named(const struct cli_args *args, const struct place *place)
{
	cleanup_secret struct secret secret = { .len = 0 };
	cleanup_pins struct pins pins = { .count = 0 };
	cleanup_fd int terminal = -1;
	int r = read_named(args, place, &pins);

	if (r == CLI_OK && (args->operands[2] ? !find_tool(&pins, args->operands[2])->offered.there : pins.offered == 0))
		return cli_error(CLI_REFUSED, "nothing of %s%s%s waits to be accepted", args->operands[1], args->operands[2] ? "." : "",
				 args->operands[2] ? args->operands[2] : "");
	if (r == CLI_OK)
		r = decide_can_ask(place);
	if (r != CLI_OK)
		return r;
	terminal = decide_terminal();
	if (terminal < 0)
		return -terminal;
	r = show_on_terminal(terminal, args, place, &pins);
	if (r == CLI_OK)
		r = decide_ask_pin(terminal, "PIN: ", &secret);
	return r == CLI_OK ? send_accept(args, place, &pins, &secret) : r;
}

/* ---- the verbs ---- */

int cli_pins(const struct cli_args *args)
{
	static const struct { const char *name; bool takes_server; int (*run)(const struct cli_args *args, const struct place *place); } verbs[] = {
		{ "list", false, list },
		{ "show", true, show_named },
		{ "accept", true, accept_named },
	};
	struct place place;
	int r;

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (!args->operands[0] || strcmp(args->operands[0], verbs[i].name) != 0)
			continue;
		if (!verbs[i].takes_server && args->operands[1])
			return cli_error(CLI_USAGE, "`bawn pins %s` does not take \"%s\"", verbs[i].name, args->operands[1]);
		if (verbs[i].takes_server && !args->operands[1])
			return cli_error(CLI_USAGE, "`bawn pins %s` needs the name of a server", verbs[i].name);
		if (verbs[i].takes_server && cli_has(args, OPTION_json))
			return cli_error(CLI_USAGE, "`bawn pins %s` has no --json; `bawn pins list --json` has the digests", verbs[i].name);
		r = place_find(args, NULL, &place);
		return r == CLI_OK ? verbs[i].run(args, &place) : r;
	}
	return cli_error(CLI_USAGE, "pins takes \"list\", \"show SERVER [TOOL]\" or \"accept SERVER [TOOL]\"");
}
