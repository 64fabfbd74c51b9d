#include "cli/decide.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/text.h"
#include "cli/approval_view.h"
#include "store/database.h"
#include "store/person.h"

enum { SHOWN_MAX = 512 << 20, PERSON_SET_AT = 0, PERSON_SET_BY, PERSON_FAILURES, PERSON_LOCKED_UNTIL, REASON_MAX = 512 };

/* ---- the PIN ---- */

struct pin_state {
	bool set;
	uint64_t failures, locked_until;
};

static int read_state(const struct place *place, struct pin_state *ret_state)
{
	cleanup_rows struct rows rows = { .list = { .type = JSON_ARRAY } };
	int r = rows_read(place, STATEMENT_person_state, NULL, 0, &rows);

	if (r != CLI_OK)
		return r;
	*ret_state = (struct pin_state){ .set = rows.list.count > 0 };
	if (ret_state->set) {
		ret_state->failures = rows_u64(&rows, 0, PERSON_FAILURES);
		ret_state->locked_until = rows_u64(&rows, 0, PERSON_LOCKED_UNTIL);
	}
	return CLI_OK;
}

static int refuse_locked(const struct pin_state *state)
{
	uint64_t now = clock_wall_us();

	if (state->locked_until <= now)
		return CLI_OK;
	return cli_error(CLI_REFUSED, "the PIN was wrong %" PRIu64 " times in a row, and is locked for another %" PRIu64 " s", state->failures,
			 (state->locked_until - now + 999999) / 1000000);
}

int decide_can_ask(const struct place *place)
{
	struct pin_state state;
	int r = read_state(place, &state);

	if (r == CLI_OK && !state.set)
		return cli_error(CLI_REFUSED, "no PIN is set yet; `bawn approvals pin` sets one");
	return r == CLI_OK ? refuse_locked(&state) : r;
}

int decide_terminal(void)
{
	int fd = terminal_open();

	if (fd < 0)
		return -cli_error(CLI_REFUSED, "a PIN is asked for on the terminal, and this process has none");
	return fd;
}

int decide_ask_pin(int terminal, const char *prompt, struct secret *ret_secret)
{
	int r = terminal_ask(terminal, prompt, ret_secret);

	if (r == -ECANCELED || (r == 0 && ret_secret->len == 0))
		return cli_error(CLI_REFUSED, "no PIN was given; nothing was done");
	if (r == -EMSGSIZE)
		return cli_error(CLI_REFUSED, "a PIN has at most %d bytes; nothing was done", SECRET_MAX);
	return r < 0 ? cli_error(CLI_REFUSED, "the terminal cannot be read: %s", strerror(-r)) : CLI_OK;
}

int decide_refused(const struct place *place, const struct control_answer *answer)
{
	struct pin_state state;
	uint64_t left;

	if (strcmp(answer->code, "wrong_pin") != 0 || read_state(place, &state) != CLI_OK || refuse_locked(&state) != CLI_OK)
		return strcmp(answer->code, "wrong_pin") == 0 ? CLI_REFUSED : cli_error(CLI_REFUSED, "%.*s", SLICE_ARG(buf_slice(&answer->text)));
	left = state.failures < PERSON_TRIES ? PERSON_TRIES - state.failures : 1;
	return cli_error(CLI_REFUSED, "this is not the PIN; %" PRIu64 " %s left before it is locked", left, left == 1 ? "try" : "tries");
}

/* ---- approve, reject ---- */

static int not_pending(const struct approval *a)
{
	char sentence[SENTENCE_TEXT];

	view_sentence(a, sentence);
	return cli_error(CLI_REFUSED, "approval %.*s %s", SLICE_ARG(a->id), sentence);
}

/* Looked at again: somebody else may have been quicker, or its time may be over. */
static int refuse_decision(const struct place *place, const char *id, const struct control_answer *answer)
{
	cleanup_rows struct rows rows = { .list = { .type = JSON_ARRAY } };
	struct approval a;

	if (strcmp(answer->code, "not_pending") != 0 || view_fetch(place, id, &rows, &a) != CLI_OK || a.state == APPROVAL_PENDING)
		return decide_refused(place, answer);
	return not_pending(&a);
}

/* The record, on the terminal whatever standard output is: what was decided must have been seen. */
static int show_on_terminal(int terminal, const struct approval *a, bool approve)
{
	cleanup_buf struct buf out = BUF_INIT(SHOWN_MAX);
	struct show show = SHOW_INIT(&out, terminal_columns(terminal));
	size_t lines = 0;
	int r;

	show.wide = terminal_is_wide();
	show.ascii = !terminal_is_utf8();
	r = view_record(&show, a);
	for (size_t i = 0; i < out.len; i++)
		lines += out.ptr[i] == '\n';
	if (r == 0)
		r = buf_printf(&out, "\n%s (%zu lines above)\n", approve ? "Approve this one call, exactly as shown?" : "Reject this call?", lines);
	if (r == 0)
		r = io_write_all(terminal, out.ptr, out.len);
	return r < 0 ? cli_error(CLI_REFUSED, "the record cannot be shown, so it cannot be decided: %s", strerror(-r)) : CLI_OK;
}

static int send_decision(const struct place *place, const struct approval *a, bool approve, const char *reason, const struct secret *secret)
{
	struct msg_cli_decide m = { .id = a->id, .approve = approve, .reason = slice_str(reason ? reason : ""), .secret = secret_slice(secret) };
	char id[APPROVAL_ID + 1], left[TIME_TEXT];
	struct control_answer answer;
	int r = control_ask_running(place, MSG_cli_decide, &m, &answer);

	snprintf(id, sizeof(id), "%.*s", SLICE_ARG(a->id));
	if (r != CLI_OK)
		return r;
	if (answer.status != CLI_OK) {
		r = refuse_decision(place, id, &answer);
	} else {
		view_left(a->expires, left);
		printf("%s %s (entry %" PRIu64 ")%s%s\n", approve ? "approved" : "rejected", id, answer.entry,
		       approve ? ": the same call runs once when the agent repeats it, " : "", approve ? left : "");
		if (answer.text.len)
			cli_error(CLI_OK, "%.*s", SLICE_ARG(buf_slice(&answer.text)));
	}
	control_answer_free(&answer);
	return r;
}

int decide(const struct place *place, const char *id, bool approve, const char *reason)
{
	cleanup_secret struct secret secret = { .len = 0 };
	cleanup_rows struct rows rows = { .list = { .type = JSON_ARRAY } };
	cleanup_fd int terminal = -1;
	struct approval a;
	int r;

	if (reason && (strlen(reason) > REASON_MAX || !utf8_valid(slice_str(reason))))
		return cli_error(CLI_USAGE, "--reason takes UTF-8, at most %d bytes", REASON_MAX);
	r = view_fetch(place, id, &rows, &a);
	if (r == CLI_OK && a.state != APPROVAL_PENDING)
		r = not_pending(&a);
	if (r == CLI_OK)
		r = decide_can_ask(place);
	if (r != CLI_OK)
		return r;
	terminal = decide_terminal();
	if (terminal < 0)
		return -terminal;
	r = show_on_terminal(terminal, &a, approve);
	if (r == CLI_OK)
		r = decide_ask_pin(terminal, "PIN: ", &secret);
	return r == CLI_OK ? send_decision(place, &a, approve, reason, &secret) : r;
}

/* ---- setting the PIN ---- */

static int ask_new(int terminal, struct secret *ret_secret)
{
	cleanup_secret struct secret again = { .len = 0 };
	int r = decide_ask_pin(terminal, "New PIN: ", ret_secret);

	if (r == CLI_OK && person_is_weak(secret_slice(ret_secret)))
		return cli_error(CLI_REFUSED, "a PIN has at least %d characters, three different ones among them, and is no plain row such as 123456; nothing was changed",
				 PERSON_SECRET_LEAST);
	if (r == CLI_OK)
		r = decide_ask_pin(terminal, "New PIN again: ", &again);
	if (r == CLI_OK && (again.len != ret_secret->len || sodium_memcmp(again.bytes, ret_secret->bytes, again.len) != 0))
		return cli_error(CLI_REFUSED, "these are two different PINs; nothing was changed");
	return r;
}

int decide_pin(const struct place *place)
{
	cleanup_secret struct secret old = { .len = 0 }, secret = { .len = 0 };
	cleanup_fd int terminal = -1;
	struct control_answer answer;
	struct msg_cli_secret m;
	struct pin_state state;
	int r = read_state(place, &state);

	if (r == CLI_OK)
		r = refuse_locked(&state);
	if (r != CLI_OK)
		return r;
	terminal = decide_terminal();
	if (terminal < 0)
		return -terminal;
	if (state.set)
		r = decide_ask_pin(terminal, "Old PIN: ", &old);
	if (r == CLI_OK)
		r = ask_new(terminal, &secret);
	if (r != CLI_OK)
		return r;
	m = (struct msg_cli_secret){ .old = secret_slice(&old), .secret = secret_slice(&secret) };
	r = control_ask_running(place, MSG_cli_secret, &m, &answer);
	if (r != CLI_OK)
		return r;
	r = answer.status == CLI_OK ? CLI_OK : decide_refused(place, &answer);
	if (r == CLI_OK)
		printf("the PIN is %s\n", state.set ? "changed" : "set");
	control_answer_free(&answer);
	return r;
}

/* ---- without a family ---- */

struct check {
	struct event_base *loop;
	enum person_verdict verdict;
	uint64_t wait_ms;
};

/* There is no transaction but the person's own. */
static int no_transaction(void *ctx)
{
	(void)ctx;
	return SQLITE_OK;
}

static void on_verdict(void *ctx, uint64_t request, enum person_verdict verdict, uint64_t wait_ms)
{
	struct check *check = ctx;

	(void)request;
	check->verdict = verdict;
	check->wait_ms = wait_ms;
	event_base_loopexit(check->loop, NULL);
}

static int refuse_verdict(const struct check *check)
{
	uint64_t seconds = (check->wait_ms + 999) / 1000;

	if (check->verdict == PERSON_OK)
		return CLI_OK;
	if (check->wait_ms)
		return cli_error(CLI_REFUSED, "the PIN was wrong too often, and is locked for another %" PRIu64 " s; nothing was done", seconds);
	return cli_error(CLI_REFUSED, "%s; nothing was done", check->verdict == PERSON_WRONG ? "this is not the PIN" : "the PIN cannot be checked");
}

/* As the store process does it: counted on the disk before it is looked at. */
static int check_unserved(sqlite3 *db, struct slice secret)
{
	struct check check = { .loop = event_base_new(), .verdict = PERSON_FAILED };
	struct person_options options = { .db = db, .loop = check.loop, .before_write = no_transaction, .answer = on_verdict, .ctx = &check };
	struct person *person = check.loop ? person_new(&options) : NULL;

	if (person) {
		person_check(person, 1, secret);
		event_base_dispatch(check.loop);
	}
	person_free(person);
	if (check.loop)
		event_base_free(check.loop);
	return refuse_verdict(&check);
}

static int ask_unserved(sqlite3 *db)
{
	cleanup_secret struct secret secret = { .len = 0 };
	cleanup_fd int terminal = decide_terminal();
	int r;

	if (terminal < 0)
		return -terminal;
	r = decide_ask_pin(terminal, "PIN: ", &secret);
	return r == CLI_OK ? check_unserved(db, secret_slice(&secret)) : r;
}

/* What is damaged, or a newer version's, has no PIN that could be asked for; what cannot be opened now for any other reason may have one. */
int decide_unserved(const char *path)
{
	struct database_fault fault;
	sqlite3 *db;
	bool set;
	int r;

	if (access(path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR))
		return CLI_OK;
	if (database_open(path, &db, &fault) < 0)
		return fault.lasting && !fault.in_use ? CLI_OK : cli_error(CLI_REFUSED, "whether a PIN is set is not known: %s; nothing was done", fault.text);
	r = person_is_set(db, &set) < 0 ? cli_error(CLI_REFUSED, "whether a PIN is set is not known; nothing was done") : CLI_OK;
	if (r == CLI_OK && set)
		r = ask_unserved(db);
	database_close(db);
	return r;
}
