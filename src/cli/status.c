/* bawn status: what runs, and what each process is confined by. */
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/control.h"
#include "cli/status_people.h"
#include "parse/json.h"

static struct slice text_of(const struct json *object, const char *name)
{
	const struct json *v = json_get(object, slice_str(name));

	return v && (v->type == JSON_STRING || v->type == JSON_NUMBER) ? v->text : SLICE("-");
}

static bool flag(const struct json *layers, const char *name)
{
	return json_is(json_get(layers, slice_str(name)), JSON_TRUE);
}

/* A number or a hexadecimal set without its leading zeros: nothing is left of naught. */
static struct slice number_of(const struct json *layers, const char *name)
{
	struct slice text = text_of(layers, name);

	while (text.len && text.ptr[0] == '0')
		text = slice_of(text.ptr + 1, text.len - 1);
	return text;
}

static void print_namespaces(const struct json *list)
{
	for (uint32_t i = 0; list && i < list->count; i++)
		if (list->items[i].type == JSON_STRING)
			printf("%s%.*s", i ? " " : ", ns: ", SLICE_ARG(list->items[i].text));
}

/*
 * The layers in a phrase that fits beside the process in 100 columns: what is there that should be, in a fixed order, and in capitals what is
 * there that should not be. Everything that was measured is in --json.
 */
static void print_layers(const struct json *layers)
{
	struct slice seccomp = number_of(layers, "seccomp"), landlock = number_of(layers, "landlock"), caps = number_of(layers, "capabilities");

	printf("%s", seccomp.len ? "seccomp" : "NO SECCOMP");
	if (landlock.len)
		printf(", landlock %.*s", SLICE_ARG(landlock));
	printf("%s%s", flag(layers, "no_new_privs") ? ", no-new-privs" : ", NEW PRIVILEGES", flag(layers, "dumpable") ? ", DUMPABLE" : "");
	print_namespaces(json_get_type(layers, SLICE("namespaces"), JSON_ARRAY));
	printf(", caps: %.*s", SLICE_ARG(caps.len ? caps : SLICE("none")));
}

static void print_processes(const struct json *list)
{
	printf("\n%-9s %7s  %s\n", "process", "pid", "confined by");
	for (uint32_t i = 0; list && i < list->count; i++) {
		const struct json *p = &list->items[i];
		struct slice restarts = number_of(p, "restarts"), pid = number_of(p, "pid");

		printf("%-9.*s %7.*s  ", SLICE_ARG(text_of(p, "name")), SLICE_ARG(pid.len ? pid : SLICE("-")));
		if (json_is(json_get(p, SLICE("ready")), JSON_TRUE))
			print_layers(json_get_type(p, SLICE("layers"), JSON_OBJECT));
		else
			printf("starting");
		if (restarts.len)
			printf(", RESTARTED %.*s", SLICE_ARG(restarts));
		printf("\n");
	}
}

/* A folder that came with a project may be named anything. */
static void print_path(const char *title, struct slice path)
{
	cleanup_buf struct buf line = BUF_INIT(65536);

	if (text_escape(&line, path) == 0)
		printf("%-9s %.*s\n", title, (int)line.len, line.ptr);
}

/* Only when nothing can be recorded, for then every call is refused. */
static void print_record(const struct json *record)
{
	cleanup_buf struct buf line = BUF_INIT(65536);

	if (!record || json_is(json_get(record, SLICE("writable")), JSON_TRUE) || text_escape(&line, text_of(record, "why")) < 0)
		return;
	printf("record    CANNOT BE WRITTEN since %.*s: %.*s\n", SLICE_ARG(text_of(record, "since")), (int)line.len, line.ptr);
}

static void print_names(const char *title, const struct json *list)
{
	printf("%-9s", title);
	for (uint32_t i = 0; list && i < list->count; i++)
		if (list->items[i].type == JSON_STRING)
			printf("%s %.*s", i ? "," : "", SLICE_ARG(list->items[i].text));
	printf("\n");
}

static void print_sessions(const struct json *list)
{
	if (!list || !list->count) {
		printf("\nno sessions\n");
		return;
	}
	printf("\n%-9s %-16s %-16s %-12s %8s %6s %6s\n", "session", "agent", "server", "state", "pid", "starts", "tools");
	for (uint32_t i = 0; i < list->count; i++) {
		const struct json *s = &list->items[i];

		printf("%-9.*s %-16.*s %-16.*s %-12.*s %8.*s %6.*s %6.*s\n", SLICE_ARG(text_of(s, "session")), SLICE_ARG(text_of(s, "agent")),
		       SLICE_ARG(text_of(s, "server")), SLICE_ARG(text_of(s, "state")), SLICE_ARG(text_of(s, "pid")),
		       SLICE_ARG(text_of(s, "starts")), SLICE_ARG(text_of(s, "tools")));
	}
}

static int print_status(const struct cli_args *args, struct slice members)
{
	cleanup_arena struct arena arena = ARENA_INIT(64 * 1024 * 1024);
	cleanup_buf struct buf text = BUF_INIT(8 * 1024 * 1024);
	struct json status;

	if (buf_add_char(&text, '{') < 0 || buf_add_slice(&text, members) < 0 || buf_add_char(&text, '}') < 0 ||
	    json_parse(&arena, buf_slice(&text), &json_limits_default, &status, NULL) != JSON_OK)
		return cli_error(CLI_REFUSED, "the family's answer could not be read");
	if (cli_has(args, OPTION_json)) {
		printf("%.*s\n", (int)text.len, text.ptr);
		return CLI_OK;
	}
	print_path("policy", text_of(&status, "policy"));
	print_path("state", text_of(&status, "state"));
	print_record(json_get_type(&status, SLICE("record"), JSON_OBJECT));
	print_names("servers", json_get_type(&status, SLICE("servers"), JSON_ARRAY));
	print_names("agents", json_get_type(&status, SLICE("agents"), JSON_ARRAY));
	status_people_print(&status);
	print_processes(json_get_type(&status, SLICE("processes"), JSON_ARRAY));
	print_sessions(json_get_type(&status, SLICE("sessions"), JSON_ARRAY));
	return CLI_OK;
}

int cli_status(const struct cli_args *args)
{
	struct control_answer answer;
	struct msg_cli_status m;
	struct place place;
	int r = place_find(args, NULL, &place);

	if (r == CLI_OK)
		r = control_ask_running(&place, MSG_cli_status, &m, &answer);
	if (r != CLI_OK)
		return r;
	r = status_people_add(&place, &answer.json);
	r = r < 0 ? cli_error(CLI_REFUSED, "the family's answer is too long") : print_status(args, buf_slice(&answer.json));
	control_answer_free(&answer);
	return r;
}
