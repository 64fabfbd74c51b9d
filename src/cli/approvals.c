/* bawn approvals: the calls that wait for a person. What is shown here was written by an agent that may be anybody's: all of it goes through show.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/approval_view.h"
#include "cli/decide.h"
#include "cli/terminal.h"
#include "parse/fields.h"

enum {
	PAGE = 500,                  /* rows asked for at once */
	SHOWN_MAX = 512 << 20,
	LIMIT_MOST = 10000000,
};

/* The columns of the statements approval_list and approval_list_live. */
enum column {
	COLUMN_ROW,
	COLUMN_ID,
	COLUMN_STATE,
	COLUMN_AGENT,
	COLUMN_SERVER,
	COLUMN_TOOL,
	COLUMN_EFFECT,
	COLUMN_RULE,
	COLUMN_CREATED,
	COLUMN_EXPIRES,
	COLUMN_WHY,
	COLUMN_DECIDED,
	COLUMN_DECIDED_BY,
	COLUMN_SAME_USER,
	COLUMN_REASON,
	COLUMN_ENDED,
};

static struct show on_stdout(struct buf *out)
{
	struct show show = SHOW_INIT(out, terminal_columns(STDOUT_FILENO));

	show.wide = terminal_is_wide();
	show.ascii = !terminal_is_utf8();
	return show;
}

static int printed(const struct buf *out, int r)
{
	if (r == -EBADMSG)
		return cli_error(CLI_REFUSED, "the store holds a record that is damaged");
	if (r < 0)
		return cli_error(CLI_REFUSED, "this cannot be shown: %s", strerror(-r));
	if (out->len && fwrite(out->ptr, 1, out->len, stdout) != out->len)
		return CLI_REFUSED; /* why not is said at the end, for all commands */
	return CLI_OK;
}

/* ---- one line of the list ---- */

struct line {
	struct slice id, state, agent, server, tool;
	uint64_t expires, ended;
};

/* Words padded to `columns`, with two blanks after them. */
static int column(struct show *show, const char *words, int columns)
{
	char text[128];

	snprintf(text, sizeof(text), "%-*s  ", columns, words);
	return show_words(show, text);
}

static int show_line(struct show *show, const struct line *line)
{
	char id[APPROVAL_ID + 1], when[TIME_TEXT];
	enum approval_state state;
	int r = show_begin(show, 0);

	snprintf(id, sizeof(id), "%.*s", SLICE_ARG(line->id));
	if (!view_is_id(id) || !approval_state_find(line->state, &state))
		return -EBADMSG;
	if (state == APPROVAL_PENDING || state == APPROVAL_APPROVED)
		view_left(line->expires, when);
	else
		view_time(line->ended, when);
	if (r == 0)
		r = column(show, id, APPROVAL_ID);
	if (r == 0)
		r = column(show, approval_state_name(state), 9);
	if (r == 0)
		r = column(show, when, 20);
	if (r == 0)
		r = show_name(show, line->agent);
	if (r == 0)
		r = show_words(show, ": ");
	if (r == 0)
		r = show_name(show, line->server);
	if (r == 0)
		r = show_words(show, ".");
	if (r == 0)
		r = show_name(show, line->tool);
	return r == 0 ? show_end(show) : r;
}

/* ---- list ---- */

struct listing {
	const struct place *place;
	bool json, all;
	uint64_t left; /* rows still to be shown */
	uint64_t before, shown;
};

static int row_json(struct buf *out, const struct rows *rows, uint32_t i)
{
	static const struct { enum column column; const char *name; } texts[] = {
		{ COLUMN_ID, "id" },	 { COLUMN_STATE, "state" },   { COLUMN_AGENT, "agent" }, { COLUMN_SERVER, "server" },
		{ COLUMN_TOOL, "tool" }, { COLUMN_EFFECT, "effect" }, { COLUMN_RULE, "rule" },	 { COLUMN_WHY, "why" },
	};
	cleanup_arena struct arena arena = ARENA_INIT(65536);
	struct fields f = FIELDS_INIT(&arena);
	struct json object;

	for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++)
		fields_text(&f, texts[k].name, rows_text(rows, i, texts[k].column));
	view_json_time(&f, "created", rows_u64(rows, i, COLUMN_CREATED));
	view_json_time(&f, "expires", rows_u64(rows, i, COLUMN_EXPIRES));
	view_json_time(&f, "decided", rows_u64(rows, i, COLUMN_DECIDED));
	if (!rows_is_null(rows, i, COLUMN_DECIDED_BY)) {
		fields_u64(&f, "decided_by", rows_u64(rows, i, COLUMN_DECIDED_BY));
		fields_bool(&f, "same_user", rows_u64(rows, i, COLUMN_SAME_USER) == 1);
	}
	fields_text(&f, "reason", rows_text(rows, i, COLUMN_REASON));
	view_json_time(&f, "ended", rows_u64(rows, i, COLUMN_ENDED));
	object = fields_object(&f);
	if (f.failed)
		return -ENOMEM;
	return json_write(out, &object) < 0 ? -ENOMEM : buf_add_char(out, '\n');
}

static int print_row(struct listing *l, const struct rows *rows, uint32_t i)
{
	struct line line = { .id = rows_text(rows, i, COLUMN_ID), .state = rows_text(rows, i, COLUMN_STATE), .agent = rows_text(rows, i, COLUMN_AGENT),
			     .server = rows_text(rows, i, COLUMN_SERVER), .tool = rows_text(rows, i, COLUMN_TOOL),
			     .expires = rows_u64(rows, i, COLUMN_EXPIRES), .ended = rows_u64(rows, i, COLUMN_ENDED) };
	cleanup_buf struct buf out = BUF_INIT(SHOWN_MAX);
	struct show show = on_stdout(&out);

	l->before = rows_u64(rows, i, COLUMN_ROW);
	l->shown++;
	return printed(&out, l->json ? row_json(&out, rows, i) : show_line(&show, &line));
}

/* A page; `ret_more` when there may be another one. */
static int print_page(struct listing *l, bool *ret_more)
{
	cleanup_arena struct arena arena = ARENA_INIT(4096);
	uint64_t most = l->left < PAGE ? l->left : PAGE;
	struct json values[] = { json_u64(&arena, l->before), json_u64(&arena, most) };
	cleanup_rows struct rows rows = { .list = { .type = JSON_ARRAY } };
	int r = rows_read(l->place, l->all ? STATEMENT_approval_list : STATEMENT_approval_list_live, values, 2, &rows);

	if (r == CLI_OK && l->shown == 0 && rows.list.count && !l->json)
		printf("%-20s  %-9s  %-20s  %s\n", "approval", "state", l->all ? "left, or ended" : "time left", "agent: tool");
	for (uint32_t i = 0; r == CLI_OK && i < rows.list.count; i++)
		r = print_row(l, &rows, i);
	l->left -= rows.list.count < l->left ? rows.list.count : l->left;
	*ret_more = r == CLI_OK && rows.list.count == most && l->left > 0;
	return r;
}

static int list_all(struct listing *l)
{
	bool more = true;
	int r = CLI_OK;

	while (r == CLI_OK && more)
		r = print_page(l, &more);
	return r;
}

static int list(const struct cli_args *args, const struct place *place)
{
	struct listing l = { .place = place, .json = cli_has(args, OPTION_json), .all = cli_has(args, OPTION_all) };
	int r = cli_number(args, OPTION_limit, 1, LIMIT_MOST, UINT64_MAX, &l.left);

	if (r == CLI_OK)
		r = list_all(&l);
	if (r == CLI_OK && l.shown == 0 && !l.json)
		printf("%s\n", l.all ? "no call ever waited for a person" : "nothing waits");
	return r;
}

/* ---- show ---- */

static int show_one(const struct cli_args *args, const struct place *place)
{
	cleanup_rows struct rows rows = { .list = { .type = JSON_ARRAY } };
	cleanup_buf struct buf out = BUF_INIT(SHOWN_MAX);
	struct show show = on_stdout(&out);
	struct approval a;
	int r = view_fetch(place, args->operands[1], &rows, &a);

	if (r != CLI_OK)
		return r;
	if (!cli_has(args, OPTION_json))
		return printed(&out, view_record(&show, &a));
	r = view_json(&out, &a);
	return printed(&out, r == 0 ? buf_add_char(&out, '\n') : r);
}

/* ---- watch ---- */

static int print_news(const struct listing *l, const struct approval *a)
{
	struct line line = { .id = a->id, .state = slice_str(approval_state_name(a->state)), .agent = a->agent, .server = a->server, .tool = a->tool,
			     .expires = a->expires, .ended = a->ended };
	cleanup_buf struct buf out = BUF_INIT(SHOWN_MAX);
	struct show show = on_stdout(&out);
	int r;

	if (l->json) {
		r = view_json(&out, a);
		return printed(&out, r == 0 ? buf_add_char(&out, '\n') : r);
	}
	return printed(&out, show_line(&show, &line));
}

/* What waits already comes first; from then on each change, as it is by now. */
static int on_news(void *ctx, struct slice id, struct slice state)
{
	struct listing *l = ctx;
	cleanup_rows struct rows rows = { .list = { .type = JSON_ARRAY } };
	char text[33];
	struct approval a;
	int r;

	(void)state;
	if (id.len == 0) {
		r = list_all(l);
	} else {
		snprintf(text, sizeof(text), "%.*s", SLICE_ARG(id));
		r = view_fetch(l->place, text, &rows, &a);
		if (r == CLI_OK)
			r = print_news(l, &a);
	}
	if (fflush(stdout) == EOF)
		return CLI_REFUSED;
	return r;
}

static int watch(const struct cli_args *args, const struct place *place)
{
	struct listing l = { .place = place, .json = cli_has(args, OPTION_json), .left = UINT64_MAX };
	int fd = -1, r = control_connect_running(place, &fd);

	return r == CLI_OK ? control_watch(fd, on_news, &l) : r;
}

/* ---- the verbs ---- */

static int approve(const struct cli_args *args, const struct place *place)
{
	return decide(place, args->operands[1], true, NULL);
}

static int reject(const struct cli_args *args, const struct place *place)
{
	return decide(place, args->operands[1], false, args->value[OPTION_reason]);
}

static int pin(const struct cli_args *args, const struct place *place)
{
	(void)args;
	return decide_pin(place);
}

#define BIT(option) (1ULL << OPTION_##option)

static const struct verb {
	const char *name;
	bool takes_id;
	int (*run)(const struct cli_args *args, const struct place *place);
	uint64_t options;
} verbs[] = {
	{ "list", false, list, BIT(all) | BIT(json) | BIT(limit) }, { "show", true, show_one, BIT(json) }, { "watch", false, watch, BIT(json) },
	{ "approve", true, approve, 0 }, { "reject", true, reject, BIT(reason) },	       { "pin", false, pin, 0 },
};

static int usage(const struct verb *v, const struct cli_args *args)
{
	static const struct { enum cli_option option; const char *name; } some[] = {
		{ OPTION_all, "all" }, { OPTION_json, "json" }, { OPTION_limit, "limit" }, { OPTION_reason, "reason" },
	};

	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		if (cli_has(args, some[i].option) && !(v->options & 1ULL << some[i].option))
			return cli_error(CLI_USAGE, "`bawn approvals %s` does not take --%s", v->name, some[i].name);
	if (!v->takes_id && args->operands[1])
		return cli_error(CLI_USAGE, "`bawn approvals %s` does not take \"%s\"", v->name, args->operands[1]);
	if (v->takes_id && !args->operands[1])
		return cli_error(CLI_USAGE, "`bawn approvals %s` needs the id of an approval; `bawn approvals list` shows them", v->name);
	if (v->takes_id && !view_is_id(args->operands[1]))
		return cli_error(CLI_USAGE, "\"%s\" is not the id of an approval: that is %d digits from 0 to 9 and a to f", args->operands[1], APPROVAL_ID);
	return CLI_OK;
}

int cli_approvals(const struct cli_args *args)
{
	struct place place;
	int r;

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (!args->operands[0] || strcmp(args->operands[0], verbs[i].name) != 0)
			continue;
		r = usage(&verbs[i], args);
		if (r == CLI_OK)
			r = place_find(args, NULL, &place);
		return r == CLI_OK ? verbs[i].run(args, &place) : r;
	}
	return cli_error(CLI_USAGE, "approvals takes \"list\", \"show ID\", \"watch\", \"approve ID\", \"reject ID\" or \"pin\"");
}
