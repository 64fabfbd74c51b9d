#include "cli/approval_view.h"

#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "parse/fields.h"

enum { ARGUMENTS_ARENA = 512 * 1024 * 1024 };

/* ---- words ---- */

void view_time(uint64_t us, char out[TIME_TEXT])
{
	time_t seconds = (time_t)(us / 1000000);
	struct tm tm;

	if (us == 0 || !gmtime_r(&seconds, &tm) || strftime(out, TIME_TEXT, "%Y-%m-%d %H:%M:%SZ", &tm) == 0)
		snprintf(out, TIME_TEXT, "-");
}

void view_time_exact(uint64_t us, char out[TIME_TEXT])
{
	time_t seconds = (time_t)(us / 1000000);
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		snprintf(out, TIME_TEXT, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ", ((unsigned)tm.tm_year + 1900) % 10000, (unsigned)tm.tm_mon % 12 + 1,
			 (unsigned)tm.tm_mday % 32, (unsigned)tm.tm_hour % 24, (unsigned)tm.tm_min % 60, (unsigned)tm.tm_sec % 61, (unsigned)(us % 1000000));
	else
		out[0] = '\0';
}

void view_left(uint64_t until_us, char out[TIME_TEXT])
{
	uint64_t now = clock_wall_us(), s = until_us > now ? (until_us - now + 999999) / 1000000 : 0;

	if (s == 0)
		snprintf(out, TIME_TEXT, "its time is over");
	else if (s < 120)
		snprintf(out, TIME_TEXT, "%" PRIu64 " s left", s);
	else if (s < 120 * 60)
		snprintf(out, TIME_TEXT, "%" PRIu64 " min left", s / 60);
	else if (s < 48 * 3600)
		snprintf(out, TIME_TEXT, "%" PRIu64 " h left", s / 3600);
	else
		snprintf(out, TIME_TEXT, "%" PRIu64 " days left", s / 86400);
}

void view_user(uint32_t uid, char out[USER_TEXT])
{
	const struct passwd *user = getpwuid(uid);

	if (user)
		text_format(out, USER_TEXT, "user %s (%u)", user->pw_name, uid);
	else
		text_format(out, USER_TEXT, "user %u", uid);
}

bool view_is_id(const char *id)
{
	return strlen(id) == APPROVAL_ID && strspn(id, "0123456789abcdef") == APPROVAL_ID;
}

/* ---- fetching ---- */

int view_fetch(const struct place *place, const char *id, struct rows *ret_rows, struct approval *ret_approval)
{
	struct json value = json_text(slice_str(id));
	int r = rows_read(place, STATEMENT_approval_get, &value, 1, ret_rows);

	if (r != CLI_OK)
		return r;
	if (ret_rows->list.count == 0)
		return cli_error(CLI_REFUSED, "there is no approval %s in the family of %s; `bawn approvals list --all` shows those that there are", id, place->policy);
	if (approval_read(&ret_rows->list.items[0], ret_approval) < 0 || !slice_eq(ret_approval->id, slice_str(id)))
		return cli_error(CLI_REFUSED, "the record of approval %s is damaged: it is not what its id was made from, and nothing can be decided by it", id);
	/* The store writes that down a moment later. */
	if ((ret_approval->state == APPROVAL_PENDING || ret_approval->state == APPROVAL_APPROVED) && ret_approval->expires <= clock_wall_us()) {
		ret_approval->state = APPROVAL_EXPIRED;
		ret_approval->ended = ret_approval->expires;
	}
	return CLI_OK;
}

/* ---- what has become of it ---- */

static void add_reason(char out[SENTENCE_TEXT], struct slice reason)
{
	size_t len = strlen(out);

	if (reason.len)
		text_format(out + len, SENTENCE_TEXT - len, ": %.*s", SLICE_ARG(reason));
}

void view_sentence(const struct approval *a, char out[SENTENCE_TEXT])
{
	char decided[TIME_TEXT], ended[TIME_TEXT], left[TIME_TEXT], user[USER_TEXT];

	view_time(a->decided, decided);
	view_time(a->ended, ended);
	view_left(a->expires, left);
	view_user(a->decided_by, user);
	switch (a->state) {
	case APPROVAL_PENDING:
		text_format(out, SENTENCE_TEXT, "waits for a decision, %s", left);
		break;
	case APPROVAL_APPROVED:
		text_format(out, SENTENCE_TEXT, "was approved by %s at %s, and is not used yet, %s", user, decided, left);
		break;
	case APPROVAL_REJECTED:
		text_format(out, SENTENCE_TEXT, "was rejected by %s at %s", user, decided);
		add_reason(out, a->reason);
		break;
	case APPROVAL_EXPIRED:
		if (a->decided)
			text_format(out, SENTENCE_TEXT, "was approved by %s, but not used, and expired at %s", user, ended);
		else
			text_format(out, SENTENCE_TEXT, "expired at %s, before anybody decided", ended);
		break;
	case APPROVAL_WITHDRAWN:
		text_format(out, SENTENCE_TEXT, "was withdrawn at %s", ended);
		add_reason(out, a->reason);
		break;
	case APPROVAL_CONSUMED:
	case APPROVAL_STATES:
	default:
		text_format(out, SENTENCE_TEXT, "was approved by %s, and used at %s (entry %" PRIu64 ")", user, ended, a->intent);
	}
}

/* ---- the whole record ---- */

static int begin_field(struct show *show, const char *name)
{
	char title[16];
	int r = show_begin(show, 2);

	snprintf(title, sizeof(title), "%-9s ", name);
	return r == 0 ? show_words(show, title) : r;
}

static int field(struct show *show, const char *name, struct slice text)
{
	int r = text.len ? begin_field(show, name) : 0;

	if (r == 0 && text.len)
		r = show_text(show, text);
	return r == 0 && text.len ? show_end(show) : r;
}

/* server.tool, each as a name. */
static int tool_field(struct show *show, const struct approval *a)
{
	int r = begin_field(show, "tool");

	if (r == 0)
		r = show_name(show, a->server);
	if (r == 0)
		r = show_words(show, ".");
	if (r == 0)
		r = show_name(show, a->tool);
	return r == 0 ? show_end(show) : r;
}

static int agent_field(struct show *show, const struct approval *a)
{
	char user[USER_TEXT], words[USER_TEXT + 64];
	int r = begin_field(show, "agent");

	view_user(a->uid, user);
	snprintf(words, sizeof(words), " (session %" PRIu64 ", run by %s)", a->session, user);
	if (r == 0)
		r = show_name(show, a->agent);
	if (r == 0)
		r = show_text(show, slice_str(words));
	return r == 0 ? show_end(show) : r;
}

static int time_field(struct show *show, const char *name, uint64_t us, const char *then, uint64_t entry)
{
	char time[TIME_TEXT], words[TIME_TEXT + 64];

	if (us == 0)
		return 0;
	view_time(us, time);
	if (entry)
		snprintf(words, sizeof(words), "%s, entry %" PRIu64, time, entry);
	else
		snprintf(words, sizeof(words), "%s%s%s", time, then ? ", " : "", then ? then : "");
	return field(show, name, slice_str(words));
}

static int state_line(struct show *show, const struct approval *a)
{
	char sentence[SENTENCE_TEXT];
	int r = show_begin(show, 0);

	view_sentence(a, sentence);
	if (r == 0)
		r = show_words(show, "approval ");
	if (r == 0)
		r = show_name(show, a->id);
	if (r == 0)
		r = show_words(show, " ");
	if (r == 0)
		r = show_text(show, slice_str(sentence));
	return r == 0 ? show_end(show) : r;
}

static int arguments(struct show *show, const struct approval *a)
{
	cleanup_arena struct arena arena = ARENA_INIT(ARGUMENTS_ARENA);
	struct json value;
	int r;

	if (json_parse(&arena, a->arguments, &json_limits_default, &value, NULL) != JSON_OK)
		return -EBADMSG;
	r = show_begin(show, 2);
	if (r == 0)
		r = show_words(show, "arguments:");
	if (r == 0)
		r = show_end(show);
	return r == 0 ? show_tree(show, 4, &value) : r;
}

int view_record(struct show *show, const struct approval *a)
{
	char left[TIME_TEXT];
	bool live = a->state == APPROVAL_PENDING || a->state == APPROVAL_APPROVED;
	int r = state_line(show, a);

	view_left(a->expires, left);
	if (r == 0)
		r = agent_field(show, a);
	if (r == 0)
		r = tool_field(show, a);
	if (r == 0)
		r = field(show, "effect", a->effect);
	if (r == 0)
		r = field(show, "rule", a->rule);
	if (r == 0)
		r = field(show, "why", a->why);
	if (r == 0)
		r = time_field(show, "asked", a->created, NULL, a->asked);
	if (r == 0)
		r = time_field(show, "expires", a->expires, live ? left : NULL, 0);
	if (r == 0)
		r = time_field(show, "decided", a->decided, a->same_user ? "as the user that the agent's client runs as" : NULL, 0);
	if (r == 0)
		r = time_field(show, a->state == APPROVAL_CONSUMED ? "used" : "ended", a->ended, NULL, a->intent);
	if (r == 0)
		r = field(show, "reason", a->reason);
	if (r == 0)
		r = field(show, "pin", a->pin);
	return r == 0 ? arguments(show, a) : r;
}

/* ---- JSON ---- */

void view_json_time(struct fields *f, const char *name, uint64_t us)
{
	char *text = us ? arena_alloc(f->arena, TIME_TEXT) : NULL;

	if (us && !text)
		f->failed = true;
	if (!text)
		return;
	view_time_exact(us, text);
	fields_text(f, name, slice_str(text));
}

static void json_since(struct fields *f, const struct approval *a)
{
	fields_text(f, "state", slice_str(approval_state_name(a->state)));
	view_json_time(f, "decided", a->decided);
	if (a->decided) {
		fields_u64(f, "decided_by", a->decided_by);
		fields_bool(f, "same_user", a->same_user);
	}
	fields_text(f, "reason", a->reason);
	view_json_time(f, "ended", a->ended);
	if (a->intent)
		fields_u64(f, "intent", a->intent);
}

int view_json(struct buf *out, const struct approval *a)
{
	cleanup_arena struct arena arena = ARENA_INIT(ARGUMENTS_ARENA);
	struct fields f = FIELDS_INIT(&arena);
	struct json value, object;

	if (json_parse(&arena, a->arguments, &json_limits_default, &value, NULL) != JSON_OK)
		return -EBADMSG;
	fields_text(&f, "id", a->id);
	fields_text(&f, "digest", a->digest);
	fields_text(&f, "subject", a->subject);
	fields_text(&f, "agent", a->agent);
	fields_u64(&f, "session", a->session);
	fields_u64(&f, "uid", a->uid);
	fields_text(&f, "server", a->server);
	fields_text(&f, "tool", a->tool);
	fields_text(&f, "pin", a->pin);
	fields_text(&f, "effect", a->effect);
	fields_text(&f, "rule", a->rule);
	fields_text(&f, "rule_digest", a->rule_digest);
	fields_json(&f, "arguments", value);
	view_json_time(&f, "created", a->created);
	view_json_time(&f, "expires", a->expires);
	if (a->asked)
		fields_u64(&f, "asked", a->asked);
	fields_text(&f, "why", a->why);
	json_since(&f, a);
	object = fields_object(&f);
	return f.failed ? -ENOMEM : json_write(out, &object);
}
