/*
 * Theory of operation
 *
 * The console is the door for people: in this version only the control socket, through which the `bawn` commands speak with the family, in messages
 * of the same table as everybody else's. It passes on what was asked, to init, judge or store, and hands back the answer; it decides nothing beyond who may
 * connect. From the store it asks only statements that read. What a person decides goes to the judge with the user and process that the kernel
 * names, and the PIN that was typed.
 *
 * Security
 *
 * Holds: the listening socket and, for a moment, the descriptors of a client on their way to the judge. Reads: messages of local processes whose user
 * the kernel vouches for (SO_PEERCRED): the family's own user, or root; anybody else is closed unread. A malformed message closes that client, the rest goes
 * on. Whoever took it over could open sessions only for agents whose tokens he has, see the status and the approvals with their arguments, and shut the
 * family down; and he would learn the PIN of whoever types one from then on, and could decide with it.
 */
#include "console/main.h"

#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "child/child.h"
#include "ipc/statements.h"

enum {
	CLIENTS_MAX = 512,
	NEWS_QUEUE_MAX = 256 * 1024,
	UNREAD_MAX = 64 * 1024 * 1024, /* of what clients have not read, all of them together, but for news */
	OVERFLOW_UID = 65534,          /* user_namespaces(7) */
};

/* Who tells a part of the status. */
enum { PART_INIT = 1, PART_JUDGE = 2 };

/* One connected `bawn` command. */
struct client {
	struct client *next;
	struct console *console;
	struct channel *channel;
	uint32_t uid, pid;
	uint64_t request; /* what it waits for; 0: nothing */
	uint64_t answered; /* its last answer's number, among all of them */
	unsigned parts;   /* of the status still to come: PART_* bits */
	bool reading;     /* it is the store's answer that it waits for */
	uint32_t statement;
	struct buf values; /* what it wants to read, until the store is asked */
	bool watching;    /* it gets all news of approvals, until it goes */
};

struct console {
	struct child child;
	struct channel *judge, *store;
	struct event *acceptable;
	struct client *clients;
	size_t client_count;
	uint64_t last_request, last_answer, asking; /* asking: whose question the store is at; 0 when it is at none */
	uid_t uid;
};

static void client_free(struct client *c)
{
	for (struct client **at = &c->console->clients; *at; at = &(*at)->next)
		if (*at == c) {
			*at = c->next;
			break;
		}
	c->console->client_count--;
	channel_free(c->channel);
	buf_free(&c->values);
	free(c);
}

/* Those that do not read are closed, the one that has had its answer longest first, until there is room for others' answers. */
static void make_room(struct console *console)
{
	for (;;) {
		struct client *oldest = NULL;
		size_t all = 0;

		for (struct client *c = console->clients; c; c = c->next) {
			all += channel_queued(c->channel);
			if (channel_queued(c->channel) > NEWS_QUEUE_MAX && (!oldest || c->answered < oldest->answered))
				oldest = c;
		}
		if (all <= UNREAD_MAX || !oldest)
			return;
		log_warning("a client of the control socket is closed: it does not read its answers");
		client_free(oldest);
	}
}

static void done(struct client *c, uint8_t status, struct slice code, struct slice text, uint64_t entry)
{
	struct msg_cli_done m = { .status = status, .code = code, .text = text, .entry = entry };

	c->request = 0;
	c->answered = ++c->console->last_answer;
	c->reading = false;
	buf_free(&c->values);
	channel_send(c->channel, MSG_cli_done, &m);
}

static struct client *waiting(struct console *console, uint64_t request)
{
	for (struct client *c = console->clients; c; c = c->next)
		if (request && c->request == request)
			return c;
	return NULL;
}

/* ---- what clients ask ---- */

/* A socket that lingers would make whoever of the family closes it last wait for the client's peer, and everybody else with him. */
static void close_at_once(int fd)
{
	static const struct linger off = { .l_onoff = 0 };

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off)) < 0 && errno != ENOTSOCK)
		log_warning("a client's descriptor may linger: %s", strerror(errno));
}

static void on_session(struct client *c, struct msg_cli_session *m)
{
	struct msg_session_open open = { .request = c->request, .uid = c->uid, .pid = c->pid, .agent = m->agent, .server = m->server,
					 .token = m->token, .input = m->input, .output = m->output, .leash = m->leash };

	close_at_once(m->input);
	close_at_once(m->output);
	close_at_once(m->leash);
	if (!c->console->judge || channel_send(c->console->judge, MSG_session_open, &open) < 0)
		done(c, 1, SLICE("unavailable"), SLICE("the family is restarting; try again"), 0);
}

static void on_status(struct client *c)
{
	struct console *console = c->console;
	struct msg_status_ask ask = { .request = c->request };

	c->parts = PART_INIT;
	channel_send(console->child.init, MSG_status_ask, &ask);
	if (console->judge && channel_send(console->judge, MSG_status_ask, &ask) == 0)
		c->parts |= PART_JUDGE;
}

/* Who has waited longest for the store to be asked. */
static struct client *next_reader(const struct console *console)
{
	struct client *first = NULL;

	for (struct client *c = console->clients; c; c = c->next)
		if (c->reading && c->values.len && (!first || c->request < first->request))
			first = c;
	return first;
}

/* The store is asked one question after the other: its answers are large, and many at once would fill it and the way back. */
static void read_next(struct console *console)
{
	struct client *c;

	make_room(console);
	while (!console->asking && (c = next_reader(console))) {
		struct msg_store_run run = { .request = c->request, .statement = c->statement, .values = buf_slice(&c->values) };

		if (!console->store || channel_send(console->store, MSG_store_run, &run) < 0) {
			done(c, 1, SLICE("unavailable"), SLICE("the store is restarting; try again"), 0);
			continue;
		}
		console->asking = c->request;
		buf_free(&c->values);
	}
}

/* Which statements a person's command may run, and with what values, is the store's business: it knows the console's role. */
static void on_cli_store(struct client *c, const struct msg_cli_store *m)
{
	c->reading = true;
	c->statement = m->statement;
	c->values = BUF_INIT(message_rule(MSG_cli_store)->max);
	if (m->statement >= STATEMENT_COUNT || !(statement_rule((enum statement)m->statement)->roles & 1U << PROCESS_CONSOLE))
		done(c, 2, SLICE("not_granted"), SLICE("this may not be read from outside"), 0);
	else if (!m->values.len || buf_add_slice(&c->values, m->values) < 0)
		done(c, 1, SLICE("failed"), SLICE("the question cannot be read"), 0);
	else
		read_next(c->console);
}

static void on_cli_backup(struct client *c)
{
	struct console *console = c->console;
	struct msg_store_backup backup = { .request = c->request };

	c->reading = true;
	if (!console->store || channel_send(console->store, MSG_store_backup, &backup) < 0)
		done(c, 1, SLICE("unavailable"), SLICE("the store is restarting; try again"), 0);
}

/* Who decides is what the kernel says of the other end; the rest is the judge's business. */
static void on_cli_decide(struct client *c, const struct msg_cli_decide *m)
{
	struct msg_person_decide decide = { .request = c->request, .uid = c->uid, .pid = c->pid, .id = m->id, .approve = m->approve,
					    .reason = m->reason, .secret = m->secret };

	if (!c->console->judge || channel_send(c->console->judge, MSG_person_decide, &decide) < 0)
		done(c, 1, SLICE("unavailable"), SLICE("the family is restarting; try again"), 0);
}

static void on_cli_secret(struct client *c, const struct msg_cli_secret *m)
{
	struct msg_person_secret set = { .request = c->request, .uid = c->uid, .pid = c->pid, .old = m->old, .secret = m->secret };

	if (!c->console->judge || channel_send(c->console->judge, MSG_person_secret, &set) < 0)
		done(c, 1, SLICE("unavailable"), SLICE("the family is restarting; try again"), 0);
}

static void on_cli_accept(struct client *c, const struct msg_cli_accept *m)
{
	struct msg_person_accept accept = { .request = c->request, .uid = c->uid, .pid = c->pid, .server = m->server, .tool = m->tool,
					    .digest = m->digest, .secret = m->secret };

	if (!c->console->judge || channel_send(c->console->judge, MSG_person_accept, &accept) < 0)
		done(c, 1, SLICE("unavailable"), SLICE("the family is restarting; try again"), 0);
}

static void on_cli_watch(struct client *c)
{
	struct msg_cli_news first = { .state = SLICE("watching") };

	c->watching = true;
	channel_send(c->channel, MSG_cli_news, &first);
}

static void on_client(void *ctx, struct channel *channel, struct message *m)
{
	struct client *c = ctx;
	struct console *console = c->console;
	struct msg_reload reload;
	struct msg_shutdown shutdown;

	/* One question at a time, and no other before its answer was read: else one client could keep everybody busy. */
	if (c->request || channel_queued(channel) > 0) {
		log_warning("a client of the control socket is closed: it asks without waiting for its answer");
		client_free(c);
		return;
	}
	c->request = ++console->last_request;
	switch ((int)m->type) {
	case MSG_cli_session:
		on_session(c, &m->cli_session);
		break;
	case MSG_cli_status:
		on_status(c);
		break;
	case MSG_cli_store:
		on_cli_store(c, &m->cli_store);
		break;
	case MSG_cli_decide:
		on_cli_decide(c, &m->cli_decide);
		break;
	case MSG_cli_secret:
		on_cli_secret(c, &m->cli_secret);
		break;
	case MSG_cli_accept:
		on_cli_accept(c, &m->cli_accept);
		break;
	case MSG_cli_backup:
		on_cli_backup(c);
		break;
	case MSG_cli_watch:
		on_cli_watch(c);
		break;
	case MSG_cli_reload:
		reload.request = c->request;
		channel_send(console->child.init, MSG_reload, &reload);
		break;
	case MSG_cli_shutdown:
		done(c, 0, (struct slice){ 0 }, (struct slice){ 0 }, 0);
		channel_flush(c->channel);
		channel_send(console->child.init, MSG_shutdown, &shutdown);
		break;
	default:
		break;
	}
}

static void on_client_broken(void *ctx, struct channel *channel, const char *why)
{
	(void)channel;
	if (why)
		log_warning("a client of the control socket is closed: %s", why);
	client_free(ctx);
}

/*
 * The family's own user, and root. In an ordinary user's family this process has a user namespace that knows that user alone, and to which everybody else
 * is the overflow user; but who comes from outside of it has entered a folder, and opened a socket, that are closed to all but their owner, and that is root.
 */
static bool may_connect(const struct console *console, struct ucred *peer)
{
	if (console->uid != 0 && peer->uid == OVERFLOW_UID && console->uid != OVERFLOW_UID)
		peer->uid = 0;
	return peer->uid == console->uid || peer->uid == 0;
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	static const struct channel_ops ops = { on_client, on_client_broken };
	struct console *console = arg;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct client *c;
	int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (accepted < 0)
		return;
	if (getsockopt(accepted, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || !may_connect(console, &peer)) {
		log_warning("a connection by user %u is closed: only the family's own user may connect", (unsigned)peer.uid);
		close(accepted);
		return;
	}
	c = console->client_count < CLIENTS_MAX ? calloc(1, sizeof(*c)) : NULL;
	if (!c) {
		close(accepted);
		return;
	}
	*c = (struct client){ .next = console->clients, .console = console, .uid = peer.uid, .pid = (uint32_t)peer.pid };
	console->clients = c;
	console->client_count++;
	if (child_connect(&console->child, PROCESS_CLI, accepted, &ops, c, &c->channel) < 0)
		client_free(c);
}

/* ---- what the family answers ---- */

/* This part has come, or will not come any more. */
static void part_done(struct client *c, unsigned part)
{
	if (!(c->parts & part))
		return;
	c->parts &= ~part;
	if (!c->parts)
		done(c, 0, (struct slice){ 0 }, (struct slice){ 0 }, 0);
}

static void on_status_part(struct console *console, unsigned from, const struct msg_status_part *m)
{
	struct client *c = waiting(console, m->request);
	struct msg_cli_part part = { .json = m->json };

	if (!c || !(c->parts & from))
		return;
	channel_send(c->channel, MSG_cli_part, &part);
	part_done(c, from);
	make_room(console);
}

/* One that does not read its news for so long is closed: news are for whoever watches. */
static void on_news(struct console *console, const struct msg_approval_news *m)
{
	struct msg_cli_news news = { .id = m->id, .state = m->state };

	for (struct client *c = console->clients, *next; c; c = next) {
		next = c->next;
		if (c->watching && (channel_queued(c->channel) > NEWS_QUEUE_MAX || channel_send(c->channel, MSG_cli_news, &news) < 0))
			client_free(c);
	}
}

static void on_judge(void *ctx, struct channel *channel, struct message *m)
{
	struct console *console = ctx;
	struct client *c;

	(void)channel;
	if (m->type == MSG_session_opened) {
		c = waiting(console, m->session_opened.request);
		if (c)
			done(c, 0, (struct slice){ 0 }, (struct slice){ 0 }, m->session_opened.session);
	} else if (m->type == MSG_session_refused) {
		c = waiting(console, m->session_refused.request);
		if (c)
			done(c, 2, m->session_refused.code, m->session_refused.why, m->session_refused.entry);
	} else if (m->type == MSG_person_done) {
		c = waiting(console, m->person_done.request);
		if (c)
			done(c, m->person_done.status, m->person_done.code, m->person_done.text, m->person_done.entry);
	} else if (m->type == MSG_approval_news) {
		on_news(console, &m->approval_news);
	} else if (m->type == MSG_status_part) {
		on_status_part(console, PART_JUDGE, &m->status_part);
	}
}

/* Whoever waits for the judge gets his answer: that there is none. */
static void on_judge_broken(void *ctx, struct channel *channel, const char *why)
{
	struct console *console = ctx;

	if (why)
		child_misbehaved(&console->child, PROCESS_JUDGE, 0, why);
	channel_free(channel);
	console->judge = NULL;
	for (struct client *c = console->clients; c; c = c->next) {
		if (c->request && !c->parts && !c->reading && !c->watching)
			done(c, 1, SLICE("unavailable"), SLICE("the family is restarting; try again"), 0);
		part_done(c, PART_JUDGE);
	}
}

static void answer_reader(struct client *c, const struct message *m)
{
	struct msg_cli_copied copied;
	struct msg_cli_rows rows;

	if (!c || !c->reading)
		return;
	if (m->type == MSG_store_failed) {
		done(c, 1, SLICE("failed"), m->store_failed.why, 0);
		return;
	}
	if (m->type == MSG_store_copied) {
		copied.copy = m->store_copied.copy;
		channel_send(c->channel, MSG_cli_copied, &copied);
	} else {
		rows.rows = m->store_done.rows;
		channel_send(c->channel, MSG_cli_rows, &rows);
	}
	done(c, 0, (struct slice){ 0 }, (struct slice){ 0 }, 0);
}

static void on_store(void *ctx, struct channel *channel, struct message *m)
{
	struct console *console = ctx;
	uint64_t request = m->type == MSG_store_done   ? m->store_done.request :
			   m->type == MSG_store_copied ? m->store_copied.request :
							 m->store_failed.request;

	(void)channel;
	answer_reader(waiting(console, request), m);
	if (request != console->asking)
		return;
	console->asking = 0;
	read_next(console);
}

static void on_store_broken(void *ctx, struct channel *channel, const char *why)
{
	struct console *console = ctx;

	if (why)
		child_misbehaved(&console->child, PROCESS_STORE, 0, why);
	channel_free(channel);
	console->store = NULL;
	console->asking = 0;
	for (struct client *c = console->clients; c; c = c->next)
		if (c->request && c->reading)
			done(c, 1, SLICE("unavailable"), SLICE("the store is restarting; try again"), 0);
}

static void on_init(void *ctx, struct channel *channel, struct message *m)
{
	static const struct channel_ops ops = { on_judge, on_judge_broken }, store = { on_store, on_store_broken };
	struct console *console = ctx;
	struct client *c;

	(void)channel;
	if (m->type == MSG_peer && m->peer.role == PROCESS_STORE) {
		if (console->store)
			on_store_broken(console, console->store, NULL);
		child_connect(&console->child, PROCESS_STORE, fd_take(&m->peer.channel), &store, console, &console->store);
	} else if (m->type == MSG_peer && m->peer.role == PROCESS_JUDGE) {
		if (console->judge)
			on_judge_broken(console, console->judge, NULL);
		child_connect(&console->child, PROCESS_JUDGE, fd_take(&m->peer.channel), &ops, console, &console->judge);
	} else if (m->type == MSG_reload_done) {
		c = waiting(console, m->reload_done.request);
		if (c)
			done(c, m->reload_done.ok ? 0 : 1, (struct slice){ 0 }, m->reload_done.problems, 0);
	} else if (m->type == MSG_status_part) {
		on_status_part(console, PART_INIT, &m->status_part);
	} else if (m->type == MSG_stop) {
		event_base_loopbreak(console->child.loop);
	}
}

static void on_init_broken(void *ctx, struct channel *channel, const char *why)
{
	struct console *console = ctx;

	(void)channel;
	if (why)
		log_error("the channel to init broke: %s", why);
	event_base_loopbreak(console->child.loop);
}

int console_main(void)
{
	static const struct confine_rule allow[] = {
		{ .syscall = SCMP_SYS(accept4), .why = "connections to the control socket" },
		{ .syscall = SCMP_SYS(setsockopt), .why = "no lingering of a client's descriptors",
		  .when = { { .argument = 1, .check = CONFINE_IS, .value = SOL_SOCKET }, { .argument = 2, .check = CONFINE_IS, .value = SO_LINGER } } },
		{ .syscall = SCMP_SYS(getsockopt), .why = "who is at the other end", .when = { { .argument = 2, .check = CONFINE_IS, .value = SO_PEERCRED } } },
	};
	static const struct channel_ops ops = { on_init, on_init_broken };
	static const struct confine_plan plan = {
		.process = "console",
		.allow = allow,
		.allow_count = sizeof(allow) / sizeof(allow[0]),
		.landlock = true,
		.dies_with_parent = true,
		.open_files = 4096,
	};
	static struct console console;

	if (child_begin(PROCESS_CONSOLE, &ops, &console, &console.child) < 0)
		return 1;
	console.uid = geteuid();
	console.acceptable = event_new(console.child.loop, FD_FIRST_EXTRA, EV_READ | EV_PERSIST, on_acceptable, &console);
	if (!console.acceptable || event_add(console.acceptable, NULL) < 0 || child_confine(&console.child, &plan) < 0)
		return 1;
	return child_run(&console.child);
}
