/* The short verbs that ask a running family for one thing. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>

#include "base/cleanup.h"
#include "cli/control.h"

enum { END_TRIES = 1000, END_WAIT_MS = 20 };

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
	else
		printf("the policy is in force as the file says now\n");
	control_answer_free(&answer);
	return r;
}

/* init holds the lock as long as it lives, and it ends last. */
static int wait_for_end(const struct place *place)
{
	char path[PATH_MAX];
	cleanup_fd int lock = -1;

	if ((size_t)snprintf(path, sizeof(path), "%s/lock", place->runtime) >= sizeof(path))
		return cli_error(CLI_REFUSED, "a path is too long");
	lock = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (lock < 0)
		return CLI_OK; /* the folder went with the family */
	for (int tries = 0; flock(lock, LOCK_EX | LOCK_NB) < 0; tries++) {
		if (errno != EWOULDBLOCK || tries == END_TRIES)
			return cli_error(CLI_REFUSED, "the family was told to end, but has not ended yet");
		nanosleep(&(struct timespec){ .tv_nsec = END_WAIT_MS * 1000000L }, NULL);
	}
	return CLI_OK;
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
	return r == CLI_OK ? wait_for_end(&place) : r;
}
