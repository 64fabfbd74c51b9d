/* The short verbs that ask a running family for one thing. */
#include <stdio.h>

#include "cli/control.h"

int cli_reload(const struct cli_args *args)
{
	struct control_answer answer;
	struct msg_cli_reload m;
	struct place place;
	int r = place_find(args, NULL, &place);

	if (r == CLI_OK)
		r = control_ask_running(&place, MSG_cli_reload, &m, &answer);
	if (r != CLI_OK)
		return r;
	r = answer.status;
	/* The lines are those of `bawn check`, printable already. */
	if (answer.text.len)
		fprintf(stderr, "%.*s%s", (int)answer.text.len, answer.text.ptr, answer.text.ptr[answer.text.len - 1] == '\n' ? "" : "\n");
	if (r != CLI_OK)
		cli_error(r, "the policy is kept as it was");
	control_answer_free(&answer);
	return r;
}

int cli_shutdown(const struct cli_args *args)
{
	struct control_answer answer;
	struct msg_cli_shutdown m;
	struct place place;
	int r = place_find(args, NULL, &place);

	if (r == CLI_OK)
		r = control_ask_running(&place, MSG_cli_shutdown, &m, &answer);
	if (r != CLI_OK)
		return r;
	r = answer.status;
	control_answer_free(&answer);
	return r;
}
