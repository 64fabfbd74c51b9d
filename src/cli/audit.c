/* bawn audit: the record read and proven, from its folder alone; no family needs to run. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auditlog/reader.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "cli/place.h"

enum {
	LIMIT_MOST = 10000000,
	LINE_MAX_BYTES = 1 << 20,        /* an entry is at most 64 KiB, escaped at most eight times as long */
	SHOWN_MAX = 64 << 20,            /* one entry with its arguments, escaped */
	SUMMARY_TEXT = 240,              /* bytes of one text on a line of the list */
	ARGUMENTS_ARENA = 512 << 20,
	ROOT_TEXT = 45,                  /* base64 of a hash, and NUL */
};

/* The log's folder of this policy, open; or the exit status with the line printed, as a negative number. */
static int open_folder(const struct cli_args *args)
{
	char path[PATH_MAX + 8];
	struct place place;
	int fd, status = place_find(args, NULL, &place);

	if (status != CLI_OK)
		return -status;
	snprintf(path, sizeof(path), "%s/audit", place.state);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return -cli_error(CLI_REFUSED, "nothing was ever recorded for %s (there is no %s)", place.policy, path);
	if (fd < 0)
		return -cli_error(CLI_REFUSED, "%s: %s", path, strerror(errno));
	return fd;
}

static bool print(const struct buf *out)
{
	return out->len == 0 || fwrite(out->ptr, 1, out->len, stdout) == out->len;
}

/* ---- list ---- */

static struct slice text_member(const struct json *entry, const char *name)
{
	const struct json *v = json_get(entry, slice_str(name));

	return v && (v->type == JSON_STRING || v->type == JSON_NUMBER) ? v->text : slice_of(NULL, 0);
}

/* Escaped, cut with "..." where it is long, and padded to `width` columns. */
static int add_column(struct buf *out, struct slice text, size_t width)
{
	size_t start = out->len, columns;
	bool cut = text.len > SUMMARY_TEXT;
	int r;

	if (cut)
		for (text.len = SUMMARY_TEXT; text.len && ((unsigned char)text.ptr[text.len] & 0xc0) == 0x80;)
			text.len--;
	r = text_escape(out, text.len ? text : SLICE("-"));
	if (r == 0 && cut)
		r = buf_add_str(out, "...");
	columns = r == 0 ? utf8_length(slice_of(out->ptr + start, out->len - start)) : width;
	for (; r == 0 && columns < width; columns++)
		r = buf_add_char(out, ' ');
	return r == 0 ? buf_add_char(out, ' ') : r;
}

/* What came of it, in the words of the entry. */
static int add_summary(struct buf *out, const struct json *entry)
{
	static const char *const names[] = { "decision", "outcome", "code", "stage", "intent", "rule", "why", "what", "path", "file" };
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
		struct slice text = text_member(entry, names[i]);

		if (text.len == 0)
			continue;
		if (strcmp(names[i], "intent") == 0 || strcmp(names[i], "rule") == 0)
			r = buf_printf(out, "%s ", names[i]);
		if (r == 0)
			r = add_column(out, text, 0);
	}
	while (out->len && out->ptr[out->len - 1] == ' ')
		out->len--;
	return r == 0 ? buf_add_char(out, '\n') : r;
}

/* To the second: the list is for the eye, and a line is long. */
static int add_time(struct buf *out, struct slice time)
{
	static const size_t to_the_second = sizeof("2026-01-02T03:04:05") - 1;

	if (time.len <= to_the_second || time.ptr[to_the_second] != '.')
		return add_column(out, time, to_the_second + 1);
	return text_escape(out, slice_of(time.ptr, to_the_second)) ? -ENOMEM : buf_add_str(out, "Z ");
}

/* What it is about, as the policy names it: server.tool, else the server, else one of Bawn's processes. */
static int add_what(struct buf *out, const struct json *entry)
{
	struct slice server = text_member(entry, "server"), tool = text_member(entry, "tool");
	int r = buf_add_slice(out, server.len ? server : text_member(entry, tool.len ? "tool" : "process"));

	if (r == 0 && server.len && tool.len)
		r = buf_add_char(out, '.') || buf_add_slice(out, tool) ? -ENOMEM : 0;
	return r;
}

static int add_line(struct buf *out, const struct auditlog_entry *entry)
{
	int r = buf_printf(out, "%7llu ", (unsigned long long)entry->seq);
	cleanup_buf struct buf what = BUF_INIT(LINE_MAX_BYTES);

	if (r == 0)
		r = add_what(&what, &entry->value);
	if (r == 0)
		r = add_time(out, text_member(&entry->value, "time"));
	if (r == 0)
		r = add_column(out, text_member(&entry->value, "kind"), 18);
	if (r == 0)
		r = add_column(out, text_member(&entry->value, "session"), 4);
	if (r == 0)
		r = add_column(out, text_member(&entry->value, "agent"), 12);
	if (r == 0)
		r = add_column(out, buf_slice(&what), 26);
	return r == 0 ? add_summary(out, &entry->value) : r;
}

static int print_entry(const struct auditlog_entry *entry, bool json)
{
	cleanup_buf struct buf out = BUF_INIT(LINE_MAX_BYTES);
	int r;

	if (json)
		r = buf_add_slice(&out, entry->text) < 0 || buf_add_char(&out, '\n') < 0 ? -ENOMEM : 0;
	else
		r = add_line(&out, entry);
	if (r < 0)
		return cli_error(CLI_REFUSED, "cannot print entry %llu: %s", (unsigned long long)entry->seq, strerror(-r));
	return print(&out) ? CLI_OK : CLI_REFUSED; /* why not is said at the end, for all commands */
}

/* The newest `limit` numbers that match, in a ring; or, without a limit, each is printed as it is found. */
struct listing {
	struct auditlog_filter filter;
	bool json;
	uint64_t limit, matched;
	uint64_t *newest;
};

static int list_matching(struct auditlog_reader *reader, struct listing *l)
{
	struct auditlog_fault fault;
	struct auditlog_entry entry;
	int r, status = CLI_OK;

	auditlog_reader_seek(reader, l->filter.since);
	while (status == CLI_OK && (r = auditlog_next(reader, &entry, &fault)) != 0) {
		if (r < 0)
			return cli_error(CLI_REFUSED, "%s; `bawn audit verify` says more", fault.what);
		if (!auditlog_matches(&l->filter, &entry))
			continue;
		if (l->newest)
			l->newest[l->matched % l->limit] = entry.seq;
		else
			status = print_entry(&entry, l->json);
		l->matched++;
	}
	return status;
}

static int list_newest(struct auditlog_reader *reader, const struct listing *l)
{
	uint64_t first = l->matched > l->limit ? l->matched - l->limit : 0;
	struct auditlog_fault fault;
	struct auditlog_entry entry;
	int status = CLI_OK;

	for (uint64_t i = first; i < l->matched && status == CLI_OK; i++) {
		auditlog_reader_seek(reader, l->newest[i % l->limit]);
		if (auditlog_next(reader, &entry, &fault) <= 0)
			return cli_error(CLI_REFUSED, "the log changed while it was read");
		status = print_entry(&entry, l->json);
	}
	return status;
}

static int list(const struct cli_args *args)
{
	struct listing l = { .filter = { .agent = slice_str(args->value[OPTION_agent]), .session = slice_str(args->value[OPTION_session]),
					 .kind = slice_str(args->value[OPTION_kind]), .tool = slice_str(args->value[OPTION_tool]) },
			     .json = cli_has(args, OPTION_json) };
	struct auditlog_reader *reader;
	struct auditlog_fault fault;
	cleanup_fd int dir_fd = -1;
	int status;

	if (cli_number(args, OPTION_since, 1, INT64_MAX, 0, &l.filter.since) != CLI_OK ||
	    cli_number(args, OPTION_limit, 1, LIMIT_MOST, 0, &l.limit) != CLI_OK)
		return CLI_USAGE;
	dir_fd = open_folder(args);
	if (dir_fd < 0)
		return -dir_fd;
	if (l.limit) {
		l.newest = calloc(l.limit, sizeof(*l.newest));
		if (!l.newest)
			return cli_error(CLI_REFUSED, "no memory");
	}
	if (auditlog_reader_open(dir_fd, &reader, &fault) < 0) {
		free(l.newest);
		return cli_error(CLI_REFUSED, "%s", fault.what);
	}
	status = list_matching(reader, &l);
	if (l.newest && status == CLI_OK)
		status = list_newest(reader, &l);
	auditlog_reader_free(reader);
	free(l.newest);
	return status;
}

/* ---- show ---- */

static const char *const state_names[] = {
	[ARGUMENTS_NONE] = "none",
	[ARGUMENTS_KEPT] = "kept",
	[ARGUMENTS_ERASED] = "erased",
	[ARGUMENTS_WRONG] = "not those that were recorded",
};

/* One member a line: texts as they are but escaped, everything else as JSON. */
static int add_members(struct buf *out, const struct json *object, const char *indent)
{
	cleanup_buf struct buf json = BUF_INIT(SHOWN_MAX);
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < object->count; i++) {
		const struct json_member *m = &object->members[i];

		buf_clear(&json);
		r = buf_add_str(out, indent);
		if (r == 0)
			r = add_column(out, m->name, 12);
		if (r == 0 && m->value.type != JSON_STRING)
			r = json_write(&json, &m->value);
		if (r == 0)
			r = text_escape(out, m->value.type == JSON_STRING ? m->value.text : buf_slice(&json));
		if (r == 0)
			r = buf_add_char(out, '\n');
	}
	return r;
}

static int add_arguments(struct buf *out, struct slice arguments)
{
	cleanup_arena struct arena arena = ARENA_INIT(ARGUMENTS_ARENA);
	struct json value;
	int r = buf_add_str(out, "\narguments:\n");

	if (r == 0 && json_parse(&arena, arguments, &json_limits_default, &value, NULL) == JSON_OK && value.type == JSON_OBJECT)
		return add_members(out, &value, "  ");
	if (r == 0)
		r = text_escape(out, arguments);
	return r == 0 ? buf_add_char(out, '\n') : r;
}

/* The entry's own object, in which "arguments" says besides what has become of them, and what they are. */
static int add_shown_json(struct buf *out, const struct auditlog_entry *entry)
{
	static const struct slice state_name = SLICE("\"state\":");
	int r = 0;

	if (entry->arguments_state == ARGUMENTS_NONE)
		return buf_add_slice(out, entry->text) < 0 ? -ENOMEM : buf_add_char(out, '\n');
	r = buf_add_char(out, '{');
	for (uint32_t i = 0; r == 0 && i < entry->value.count; i++) {
		const struct json_member *m = &entry->value.members[i];
		bool arguments = slice_eq(m->name, SLICE("arguments")) && m->value.type == JSON_OBJECT;

		if (i)
			r = buf_add_char(out, ',');
		if (r == 0)
			r = json_write_string(out, m->name);
		if (r == 0)
			r = buf_add_char(out, ':');
		if (r == 0)
			r = json_write(out, &m->value);
		if (r == 0 && arguments) {
			out->len--; /* the closing brace */
			r = buf_printf(out, ",%.*s\"%s\"", SLICE_ARG(state_name), state_names[entry->arguments_state]);
			if (r == 0 && entry->arguments_state == ARGUMENTS_KEPT && buf_add_str(out, ",\"value\":") == 0)
				r = buf_add_slice(out, entry->arguments);
			if (r == 0)
				r = buf_add_char(out, '}');
		}
	}
	return r == 0 ? buf_add_str(out, "}\n") : r;
}

static int add_shown(struct buf *out, const struct auditlog_entry *entry)
{
	int r = add_members(out, &entry->value, "");

	if (r == 0 && entry->arguments_state == ARGUMENTS_KEPT)
		return add_arguments(out, entry->arguments);
	if (r == 0 && entry->arguments_state != ARGUMENTS_NONE)
		r = buf_printf(out, "\narguments: %s\n", state_names[entry->arguments_state]);
	return r;
}

static int show(const struct cli_args *args)
{
	cleanup_buf struct buf out = BUF_INIT(SHOWN_MAX);
	struct auditlog_reader *reader;
	struct auditlog_fault fault;
	struct auditlog_entry entry;
	cleanup_fd int dir_fd = -1;
	uint64_t seq;
	int r, status = CLI_OK;

	if (!args->operands[1] || text_u64(slice_str(args->operands[1]), 1, INT64_MAX, &seq) < 0)
		return cli_error(CLI_USAGE, "audit show takes the number of an entry");
	dir_fd = open_folder(args);
	if (dir_fd < 0)
		return -dir_fd;
	if (auditlog_reader_open(dir_fd, &reader, &fault) < 0)
		return cli_error(CLI_REFUSED, "%s", fault.what);
	auditlog_reader_seek(reader, seq);
	r = auditlog_next(reader, &entry, &fault);
	if (r < 0)
		status = cli_error(CLI_REFUSED, "%s; `bawn audit verify` says more", fault.what);
	else if (r == 0)
		status = cli_error(CLI_REFUSED, "there is no entry %llu", (unsigned long long)seq);
	else if ((r = cli_has(args, OPTION_json) ? add_shown_json(&out, &entry) : add_shown(&out, &entry)) < 0)
		status = cli_error(CLI_REFUSED, "cannot print entry %llu: %s", (unsigned long long)seq, strerror(-r));
	else if (!print(&out))
		status = CLI_REFUSED;
	else if (entry.arguments_state == ARGUMENTS_WRONG)
		status = CLI_REFUSED;
	auditlog_reader_free(reader);
	return status;
}

/* ---- verify ---- */

struct verifying {
	bool json;
	struct buf findings; /* JSON, for the end */
	bool failed;
};

static int add_finding_json(struct buf *out, const struct auditlog_finding *f)
{
	int r = buf_printf(out, "%s{\"file\":\"%s\",\"entry\":%llu,\"byte\":%llu,\"what\":", out->len ? "," : "", f->file,
			   (unsigned long long)f->seq, (unsigned long long)f->offset);

	if (r == 0)
		r = json_write_string(out, slice_str(f->what));
	return r == 0 ? buf_add_char(out, '}') : r;
}

static void on_finding(void *ctx, const struct auditlog_finding *f)
{
	struct verifying *v = ctx;
	cleanup_buf struct buf line = BUF_INIT(1024);

	if (v->json)
		v->failed = add_finding_json(&v->findings, f) < 0 || v->failed;
	else if (auditlog_finding_text(&line, f) == 0 && buf_add_char(&line, '\n') == 0)
		v->failed = !print(&line) || v->failed;
}

/* As a checkpoint spells it. */
static const char *root_text(const struct auditlog_verified *v, char room[ROOT_TEXT])
{
	return sodium_bin2base64(room, ROOT_TEXT, v->root, MERKLE_HASH, sodium_base64_VARIANT_ORIGINAL);
}

static void print_verified(const struct auditlog_verified *v)
{
	char root[ROOT_TEXT];

	printf("%llu %s, root %s, %llu %s verified\n", (unsigned long long)v->entries, v->entries == 1 ? "entry" : "entries",
	       root_text(v, root), (unsigned long long)v->checkpoints, v->checkpoints == 1 ? "checkpoint" : "checkpoints");
	if (v->signed_entries < v->entries)
		printf("of these, the newest %llu not signed for yet\n", (unsigned long long)(v->entries - v->signed_entries));
	if (v->erased)
		printf("arguments erased: of %llu\n", (unsigned long long)v->erased);
	if (v->findings)
		printf("something is WRONG: %llu finding%s above\n", (unsigned long long)v->findings, v->findings == 1 ? "" : "s");
	else
		printf("nothing is wrong\n");
}

static void print_verified_json(const struct auditlog_verified *v, const struct buf *findings)
{
	char root[ROOT_TEXT];

	printf("{\"entries\":%llu,\"signed\":%llu,\"root\":\"%s\",\"checkpoints\":%llu,\"arguments\":%llu,\"erased\":%llu,\"findings\":[%.*s]}\n",
	       (unsigned long long)v->entries, (unsigned long long)v->signed_entries, root_text(v, root),
	       (unsigned long long)v->checkpoints, (unsigned long long)v->arguments, (unsigned long long)v->erased, (int)findings->len,
	       findings->len ? findings->ptr : "");
}

static int verify(const struct cli_args *args)
{
	cleanup_buf struct buf key = BUF_INIT(256);
	struct verifying v = { .json = cli_has(args, OPTION_json), .findings = BUF_INIT(SHOWN_MAX) };
	struct auditlog_verified verified;
	cleanup_fd int dir_fd = -1;
	int r = 0;

	if (args->value[OPTION_key])
		r = io_read_file(AT_FDCWD, args->value[OPTION_key], &key);
	if (r < 0)
		return cli_error(CLI_USAGE, "cannot read %s: %s", args->value[OPTION_key], strerror(-r));
	if (args->value[OPTION_key] && key.len == 0)
		return cli_error(CLI_USAGE, "%s is empty", args->value[OPTION_key]);
	dir_fd = open_folder(args);
	if (dir_fd < 0)
		return -dir_fd;
	r = auditlog_verify(dir_fd, buf_slice(&key), on_finding, &v, &verified);
	if (r == -EINVAL)
		return cli_error(CLI_USAGE, "%s is no public key of an audit log", args->value[OPTION_key]);
	if (r < 0)
		return cli_error(CLI_REFUSED, "the log cannot be read: %s", strerror(-r));
	if (v.json)
		print_verified_json(&verified, &v.findings);
	else
		print_verified(&verified);
	buf_free(&v.findings);
	return verified.findings || v.failed ? CLI_REFUSED : CLI_OK;
}

int cli_audit(const struct cli_args *args)
{
	static const struct { const char *name; size_t operands; int (*run)(const struct cli_args *args); } verbs[] = {
		{ "list", 1, list },
		{ "show", 2, show },
		{ "verify", 1, verify },
	};

	for (size_t i = 0; args->operands[0] && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(args->operands[0], verbs[i].name) != 0)
			continue;
		if (args->operands[1] && verbs[i].operands == 1)
			return cli_error(CLI_USAGE, "audit %s does not take \"%s\"", verbs[i].name, args->operands[1]);
		return verbs[i].run(args);
	}
	return cli_error(CLI_USAGE, "audit takes list, show or verify; see `bawn audit --help`");
}
