#include "cli/control.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ipc/channel.h"

enum {
	ANSWER_SECONDS = 30,  /* a family that is only restarting a process has answered by then */
	BACKUP_SECONDS = 600, /* a large store on a slow disk */
};

struct question {
	struct event_base *loop;
	struct control_answer *answer;
	int result;
};

/*
 * A runtime folder in /tmp may have been made by somebody else, with a socket in it: he would get the token and the agent's words. So whoever
 * listens must be this user or root; for root, the user whose folder it is.
 */
static bool listener_is_ours(int fd, int folder)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct stat st;
	uid_t expected = geteuid();

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || fstat(folder, &st) < 0)
		return false;
	return peer.uid == 0 || peer.uid == (expected == 0 ? st.st_uid : expected);
}

int control_connect(const struct place *place)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_fd int folder = open(place->runtime, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;

	if (folder < 0)
		return -errno;
	/* Through the folder's descriptor: a path may be longer than a socket's address. */
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/control.sock", folder);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	if (!listener_is_ours(fd, folder))
		return -EPERM;
	return fd_take(&fd);
}

static void on_message(void *ctx, struct channel *channel, struct message *m)
{
	struct question *q = ctx;
	struct control_answer *a = q->answer;

	(void)channel;
	if (m->type == MSG_cli_part) {
		if (m->cli_part.json.len && ((a->json.len && buf_add_char(&a->json, ',') < 0) || buf_add_slice(&a->json, m->cli_part.json) < 0))
			q->result = -ENOMEM;
		return;
	}
	if (m->type == MSG_cli_rows) {
		q->result = buf_add_slice(&a->rows, m->cli_rows.rows);
		return;
	}
	if (m->type == MSG_cli_copied) {
		fd_close(&a->copy);
		a->copy = fd_take(&m->cli_copied.copy);
		return;
	}
	a->status = m->cli_done.status;
	a->entry = m->cli_done.entry;
	snprintf(a->code, sizeof(a->code), "%.*s", SLICE_ARG(m->cli_done.code));
	if (q->result >= 0 || q->result == -ETIMEDOUT)
		q->result = buf_add_slice(&a->text, m->cli_done.text);
	event_base_loopbreak(q->loop);
}

static void on_broken(void *ctx, struct channel *channel, const char *why)
{
	struct question *q = ctx;

	(void)channel;
	q->result = why ? -EBADMSG : -EPIPE;
	event_base_loopbreak(q->loop);
}

int control_ask(int fd, enum message_type type, const void *msg, struct control_answer *ret_answer)
{
	static const struct channel_ops ops = { on_message, on_broken };
	struct question q = { .answer = ret_answer, .result = -EPIPE };
	struct channel *channel = NULL;
	int r;

	*ret_answer = (struct control_answer){ .text = BUF_INIT(65536), .json = BUF_INIT(4 * 1024 * 1024),
						  .rows = BUF_INIT(message_rule(MSG_cli_rows)->max), .copy = -1 };
	q.loop = event_base_new();
	if (!q.loop) {
		close(fd);
		return -ENOMEM;
	}
	r = channel_new(q.loop, fd, PROCESS_CLI, PROCESS_CONSOLE, &ops, &q, &channel);
	if (r == 0) {
		channel_set_phase(channel, PHASE_SERVING);
		r = channel_send(channel, type, msg);
	}
	if (r == 0) {
		q.result = -ETIMEDOUT;
		event_base_loopexit(q.loop, &(struct timeval){ .tv_sec = type == MSG_cli_backup ? BACKUP_SECONDS : ANSWER_SECONDS });
		event_base_dispatch(q.loop);
		r = q.result;
	}
	channel_free(channel);
	event_base_free(q.loop);
	if (r < 0)
		control_answer_free(ret_answer);
	return r;
}

void control_answer_free(struct control_answer *a)
{
	buf_free(&a->text);
	buf_free(&a->json);
	buf_free(&a->rows);
	fd_close(&a->copy);
}

/* How to start it, as it can be typed here; and where it was looked for, when that may not be where it is: after `su`, say, or from cron. */
static int not_running(const struct place *place)
{
	char own[PATH_MAX + 16];
	const char *set = getenv("XDG_RUNTIME_DIR");
	bool named;

	snprintf(own, sizeof(own), "%s/bawn.yaml", place->config);
	named = !place->project[0] && strcmp(place->policy, own) != 0;
	return cli_error(CLI_REFUSED, "no family of %s is running (start one with `bawn serve%s%s`)%s%s", place->policy, named ? " --policy " : "",
			 named ? place->policy : "", set && set[0] == '/' ? "" : "; XDG_RUNTIME_DIR is not set here, so it was looked for in ",
			 set && set[0] == '/' ? "" : place->runtime);
}

int control_connect_running(const struct place *place, int *ret_fd)
{
	int fd = control_connect(place);

	if (fd == -ENOENT && access(place->policy, F_OK) < 0)
		return cli_error(CLI_REFUSED, "there is no %s, and no family of it is running", place->policy);
	if (fd == -ENOENT || fd == -ECONNREFUSED)
		return not_running(place);
	if (fd == -EPERM)
		return cli_error(CLI_REFUSED, "%s/control.sock belongs to another user; nothing was said to it", place->runtime);
	if (fd < 0)
		return cli_error(CLI_REFUSED, "cannot reach the family of %s: %s", place->policy, strerror(-fd));
	*ret_fd = fd;
	return CLI_OK;
}

int control_ask_running(const struct place *place, enum message_type type, const void *msg, struct control_answer *ret_answer)
{
	int fd = -1, r = control_connect_running(place, &fd);

	if (r != CLI_OK)
		return r;
	r = control_ask(fd, type, msg, ret_answer);
	if (r == -ETIMEDOUT)
		return cli_error(CLI_REFUSED, "the family did not answer within %d seconds", ANSWER_SECONDS);
	if (r == -EPIPE)
		return cli_error(CLI_REFUSED, "the family ended or closed the connection before it answered");
	return r < 0 ? cli_error(CLI_REFUSED, "the family's answer could not be read: %s", strerror(-r)) : CLI_OK;
}

/* ---- watching ---- */

struct watch {
	struct event_base *loop;
	int (*news)(void *ctx, struct slice id, struct slice state);
	void *ctx;
	int status;
};

static void on_news(void *ctx, struct channel *channel, struct message *m)
{
	struct watch *w = ctx;

	(void)channel;
	if (m->type == MSG_cli_news)
		w->status = w->news(w->ctx, m->cli_news.id, m->cli_news.state);
	else
		w->status = cli_error(CLI_REFUSED, "the family's answer is not one to this question");
	if (w->status != CLI_OK)
		event_base_loopbreak(w->loop);
}

static void on_watch_broken(void *ctx, struct channel *channel, const char *why)
{
	struct watch *w = ctx;

	(void)channel;
	w->status = cli_error(CLI_REFUSED, "%s", why ? why : "the family has ended");
	event_base_loopbreak(w->loop);
}

int control_watch(int fd, int (*news)(void *ctx, struct slice id, struct slice state), void *ctx)
{
	static const struct channel_ops ops = { on_news, on_watch_broken };
	struct watch w = { .loop = event_base_new(), .news = news, .ctx = ctx, .status = CLI_REFUSED };
	struct channel *channel = NULL;
	struct msg_cli_watch m;
	int r = w.loop ? channel_new(w.loop, fd, PROCESS_CLI, PROCESS_CONSOLE, &ops, &w, &channel) : -ENOMEM;

	if (!w.loop)
		close(fd);
	if (r == 0) {
		channel_set_phase(channel, PHASE_SERVING);
		r = channel_send(channel, MSG_cli_watch, &m);
	}
	if (r == 0)
		event_base_dispatch(w.loop);
	else
		w.status = cli_error(CLI_REFUSED, "the family cannot be watched: %s", strerror(-r));
	channel_free(channel);
	if (w.loop)
		event_base_free(w.loop);
	return w.status;
}
