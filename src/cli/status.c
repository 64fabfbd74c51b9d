/* bawn status: what runs, and what each process is confined by. */
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/control.h"
#include "parse/json.h"

static struct slice text_of(const struct json *object, const char *name)
{
	const struct json *v = json_get(object, slice_str(name));

	return v && (v->type == JSON_STRING || v->type == JSON_NUMBER) ? v->text : SLICE("-");
}

/* The layers as one phrase: every member that is set, numbers and texts with their value. */
static void print_layers(const struct json *layers)
{
	const char *comma = "";

	for (uint32_t i = 0; layers && i < layers->count; i++) {
		const struct json_member *m = &layers->members[i];

		if (m->value.type == JSON_TRUE)
			printf("%s%.*s", comma, SLICE_ARG(m->name));
		else if (m->value.type == JSON_NUMBER || m->value.type == JSON_STRING)
			printf("%s%.*s %.*s", comma, SLICE_ARG(m->name), SLICE_ARG(m->value.text));
		else if (m->value.type == JSON_ARRAY && m->value.count) {
			printf("%s%.*s", comma, SLICE_ARG(m->name));
			for (uint32_t k = 0; k < m->value.count; k++)
				if (m->value.items[k].type == JSON_STRING)
					printf(" %.*s", SLICE_ARG(m->value.items[k].text));
		} else
			continue;
		comma = ", ";
	}
	printf("\n");
}

static void print_processes(const struct json *list)
{
	printf("\n%-9s %8s %8s  %s\n", "process", "pid", "restarts", "confined by");
	for (uint32_t i = 0; list && i < list->count; i++) {
		const struct json *p = &list->items[i];

		printf("%-9.*s %8.*s %8.*s  ", SLICE_ARG(text_of(p, "name")), SLICE_ARG(text_of(p, "pid")), SLICE_ARG(text_of(p, "restarts")));
		if (json_is(json_get(p, SLICE("ready")), JSON_TRUE))
			print_layers(json_get_type(p, SLICE("layers"), JSON_OBJECT));
		else
			printf("starting\n");
	}
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
	printf("policy    %.*s\nstate     %.*s\n", SLICE_ARG(text_of(&status, "policy")), SLICE_ARG(text_of(&status, "state")));
	print_names("servers", json_get_type(&status, SLICE("servers"), JSON_ARRAY));
	print_names("agents", json_get_type(&status, SLICE("agents"), JSON_ARRAY));
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
	r = print_status(args, buf_slice(&answer.json));
	control_answer_free(&answer);
	return r;
}
