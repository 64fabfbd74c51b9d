/* bawn check: is a policy valid, and what in it deserves a second look? */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/text.h"
#include "cli/place.h"
#include "init/policy_file.h"
#include "parse/json.h"
#include "policy/policy.h"

enum { REPORT_MAX = 64 * 1024 * 1024 };

/* What is printed, gathered first, so that output that cannot be written is noticed once. */
struct report {
	struct slice file; /* as the user named it */
	struct buf out;
	struct buf looks; /* text lines, or JSON objects with commas between */
	size_t look_count;
	bool json;
	const char *accepted; /* "true", "false", or "null": it needs nobody's acceptance */
};

static int look_text(struct report *r, const struct policy_look *look)
{
	int e = text_escape(&r->looks, r->file);

	return e ? e : buf_printf(&r->looks, ":%u:%u: look: %s\n", look->line, look->column, look->text);
}

static int look_json(struct report *r, const struct policy_look *look)
{
	int e = buf_printf(&r->looks, "%s{\"column\":%u,\"kind\":\"%s\",\"line\":%u,\"text\":", r->look_count > 1 ? "," : "",
			   look->column, policy_look_name(look->kind), look->line);

	e = e ? e : json_write_string(&r->looks, slice_str(look->text));
	return e ? e : buf_add_char(&r->looks, '}');
}

static int add_look(void *ctx, const struct policy_look *look)
{
	struct report *r = ctx;

	r->look_count++;
	return r->json ? look_json(r, look) : look_text(r, look);
}

/* ---- what is not there: the one thing that the policy's text cannot say ---- */

static int missing(struct report *r, uint32_t line, uint32_t column, const char *format, ...) __attribute__((format(printf, 4, 5)));

static int missing(struct report *r, uint32_t line, uint32_t column, const char *format, ...)
{
	cleanup_buf struct buf text = BUF_INIT(REPORT_MAX);
	char line_text[3 * PATH_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(line_text, sizeof(line_text), format, args);
	va_end(args);
	if (text_escape(&text, slice_str(line_text)) < 0 || buf_add_char(&text, '\0') < 0)
		return -ENOMEM;
	return add_look(r, &(struct policy_look){ .kind = LOOK_MISSING, .line = line, .column = column, .text = text.ptr });
}

static int missing_mount(struct report *r, const struct policy_server *s, const struct policy_mount *m)
{
	struct stat st;

	if (stat(m->host, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? missing(r, m->line, m->column, "server %s: there is no %s", s->name, m->host) : 0;
	if (strcmp(m->at, s->workdir) == 0 && !S_ISDIR(st.st_mode))
		return missing(r, m->line, m->column, "server %s: %s is no folder, and the server starts in it", s->name, m->host);
	return 0;
}

/* A word of the command that names a file in a mounted folder, most often the program's entry. */
static int missing_word(struct report *r, const struct policy_server *s, const char *word)
{
	for (size_t i = 0; i < s->mount_count; i++) {
		const struct policy_mount *m = &s->mounts[i];
		size_t len = strlen(m->at);
		char path[2 * PATH_MAX];

		/* When the folder itself is missing, that was said. */
		if (strncmp(word, m->at, len) != 0 || word[len] != '/' || access(m->host, F_OK) < 0)
			continue;
		if ((size_t)snprintf(path, sizeof(path), "%s%s", m->host, word + len) < sizeof(path) && access(path, F_OK) < 0 && errno == ENOENT)
			return missing(r, s->line, s->column, "server %s: its command names %s, and there is no %s", s->name, word, path);
	}
	return 0;
}

static int missing_program(struct report *r, const struct policy_server *s)
{
	/* Where the sandbox looks, whatever PATH says. */
	static const char *const folders[] = { "/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin" };
	char path[PATH_MAX];

	if (strchr(s->command[0], '/'))
		return 0;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", folders[i], s->command[0]) < sizeof(path) && access(path, X_OK) == 0)
			return 0;
	return missing(r, s->line, s->column, "server %s: there is no program %s in /usr/bin and the like; mount another by `files:` and name it by its path", s->name,
		       s->command[0]);
}

static int look_for_missing(struct report *r, const struct policy *policy)
{
	int e = 0;

	for (size_t i = 0; e == 0 && i < policy_server_count(policy); i++) {
		const struct policy_server *s = policy_server_at(policy, i);

		for (size_t j = 0; e == 0 && j < s->mount_count; j++)
			e = missing_mount(r, s, &s->mounts[j]);
		e = e ? e : missing_program(r, s);
		for (size_t j = 0; e == 0 && s->command[j]; j++)
			e = missing_word(r, s, s->command[j]);
	}
	return e;
}

static size_t errors_in(const struct policy_problems *problems)
{
	size_t count = 0;

	for (size_t i = 0; i < problems->count; i++)
		count += !problems->list[i].warning;
	return count;
}

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

/* A project's policy is inert until a person has accepted it, however valid it is. */
static int print_accepted(struct report *r)
{
	int e;

	if (strcmp(r->accepted, "null") == 0)
		return 0;
	e = text_escape(&r->out, r->file);
	return e ? e : buf_add_str(&r->out, strcmp(r->accepted, "true") == 0 ? ": a project's policy, accepted as it is now\n" :
								 ": a project's policy, not accepted as it is now: nothing uses it until you run `bawn trust`\n");
}

static int print_text(struct report *r, const struct policy *policy, const struct policy_problems *problems)
{
	size_t errors = errors_in(problems), warnings = problems->count - errors;
	int e = policy_problems_print(&r->out, r->file, problems);

	e = e ? e : buf_add_slice(&r->out, buf_slice(&r->looks));
	e = e ? e : text_escape(&r->out, r->file);
	if (e)
		return e;
	if (!policy)
		return buf_printf(&r->out, ": not valid: %zu error%s, %zu warning%s\n", errors, plural(errors), warnings,
				  plural(warnings));
	e = buf_printf(&r->out, ": valid: %zu server%s, %zu agent%s; %zu warning%s, %zu to look at\n",
		       policy_server_count(policy), plural(policy_server_count(policy)), policy_agent_count(policy),
		       plural(policy_agent_count(policy)), warnings, plural(warnings), r->look_count);
	return e ? e : print_accepted(r);
}

static int print_json(struct report *r, const struct policy *policy, const struct policy_problems *problems)
{
	int e = buf_printf(&r->out, "{\"accepted\":%s,\"file\":", r->accepted);

	e = e ? e : json_write_string(&r->out, r->file);
	e = e ? e : buf_add_str(&r->out, ",\"looks\":[");
	e = e ? e : buf_add_slice(&r->out, buf_slice(&r->looks));
	e = e ? e : buf_add_str(&r->out, "],\"problems\":");
	e = e ? e : policy_problems_print_json(&r->out, r->file, problems);
	return e ? e : buf_printf(&r->out, ",\"valid\":%s}\n", policy ? "true" : "false");
}

static int check(struct report *r, const struct place *place, struct slice yaml)
{
	struct policy_options options = { .project = slice_str(place->project),
					  .base = slice_str(place->base),
					  .home = slice_str(place->home) };
	struct policy_problems problems = { 0 };
	struct policy *policy = NULL;
	int loaded = policy_load(yaml, &options, &policy, &problems);
	int e = loaded == -EINVAL ? 0 : loaded;

	if (loaded == 0)
		e = policy_review(policy, add_look, r);
	if (loaded == 0 && e == 0)
		e = look_for_missing(r, policy);
	if (e == 0)
		e = r->json ? print_json(r, policy, &problems) : print_text(r, policy, &problems);
	policy_problems_free(&problems);
	policy_free(policy);
	if (e < 0)
		return cli_error(CLI_REFUSED, "%s cannot be checked: %s", place->policy, strerror(-e));
	if (fwrite(r->out.ptr, 1, r->out.len, stdout) != r->out.len || fflush(stdout) == EOF)
		return cli_error(CLI_REFUSED, "cannot write: %s", strerror(errno));
	return loaded == 0 ? CLI_OK : CLI_REFUSED;
}

static const char *accepted(const struct place *place, struct slice yaml)
{
	struct init_options options = place_options(place);

	if (!options.trust)
		return "null";
	return policy_file_trusted(&options, yaml) ? "true" : "false";
}

int cli_check(const struct cli_args *args)
{
	const char *named = args->operands[0] ? args->operands[0] : args->value[OPTION_policy];
	cleanup_buf struct buf yaml = BUF_INIT(POLICY_FILE_MAX);
	struct report report = { .out = BUF_INIT(REPORT_MAX), .looks = BUF_INIT(REPORT_MAX), .json = cli_has(args, OPTION_json) };
	struct place place;
	int r = place_find(args, named, &place);

	if (r != CLI_OK)
		return r;
	r = io_read_file(AT_FDCWD, place.policy, &yaml);
	if (r == -EMSGSIZE)
		return cli_error(CLI_REFUSED, "%s is larger than %d bytes", place.policy, POLICY_FILE_MAX);
	if (r < 0)
		return cli_error(CLI_REFUSED, "cannot read %s: %s", place.policy, strerror(-r));
	report.file = slice_str(named ? named : place.policy);
	report.accepted = accepted(&place, buf_slice(&yaml));
	r = check(&report, &place, buf_slice(&yaml));
	buf_free(&report.out);
	buf_free(&report.looks);
	return r;
}
