/*
 * The control socket without a terminal: what `bawn approvals` says to the family, for tests and benches that decide much or at odd moments. Usage: e2e-control
 * SOCKET. Each line of standard input is one question, its words separated by tabs:
 *
 *   approve ID PIN | reject ID PIN REASON | accept SERVER TOOL DIGEST PIN | pin OLD NEW | watch | read ID | hurry ID | hoard ID
 *
 * "hurry" asks twice without waiting; "hoard" asks, never reads, and says "hoarding".
 *
 * Each answer is one line: "done STATUS CODE ENTRY TEXT" or "news ID STATE". It ends when the family closes the connection, or with its input.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/text.h"
#include "ipc/channel.h"
#include "ipc/statements.h"
#include "parse/fields.h"

struct control {
	struct event_base *loop;
	struct channel *channel;
	bool waiting, watching, deaf;
};

static void on_message(void *ctx, struct channel *channel, struct message *m)
{
	struct control *c = ctx;

	(void)channel;
	if (m->type == MSG_cli_news) {
		printf("news\t%.*s\t%.*s\n", SLICE_ARG(m->cli_news.id), SLICE_ARG(m->cli_news.state));
	} else if (m->type == MSG_cli_done) {
		printf("done\t%u\t%.*s\t%llu\t%.*s\n", m->cli_done.status, SLICE_ARG(m->cli_done.code), (unsigned long long)m->cli_done.entry,
		       SLICE_ARG(m->cli_done.text));
		c->waiting = false;
		event_base_loopbreak(c->loop);
	}
	fflush(stdout);
}

static void on_broken(void *ctx, struct channel *channel, const char *why)
{
	(void)ctx;
	(void)channel;
	fprintf(stderr, "e2e-control: the connection ended: %s\n", why ? why : "closed");
	exit(1);
}

static int read_record(struct control *c, const char *id)
{
	struct json value = json_text(slice_str(id)), list = { .type = JSON_ARRAY, .count = 1, .items = &value };
	struct buf packed = BUF_INIT(message_rule(MSG_cli_store)->max);
	struct msg_cli_store m = { .statement = STATEMENT_approval_get };
	int r = json_pack(&packed, &list);

	m.values = buf_slice(&packed);
	if (r == 0)
		r = channel_send(c->channel, MSG_cli_store, &m);
	buf_free(&packed);
	return r;
}

static int ask(struct control *c, char *line)
{
	const char *words[5] = { "", "", "", "", "" };
	unsigned char digest[32];

	for (size_t i = 0; i < 5 && line; i++)
		words[i] = strsep(&line, "\t");
	if (strcmp(words[0], "approve") == 0 || strcmp(words[0], "reject") == 0) {
		struct msg_cli_decide m = { .id = slice_str(words[1]), .approve = words[0][0] == 'a', .reason = slice_str(words[3]),
					    .secret = slice_str(words[2]) };

		return channel_send(c->channel, MSG_cli_decide, &m);
	}
	if (strcmp(words[0], "accept") == 0) {
		struct msg_cli_accept m = { .server = slice_str(words[1]), .tool = slice_str(words[2]), .digest = slice_of(digest, sizeof(digest)),
					    .secret = slice_str(words[4]) };

		return text_unhex(slice_str(words[3]), digest, sizeof(digest)) < 0 ? -EINVAL : channel_send(c->channel, MSG_cli_accept, &m);
	}
	if (strcmp(words[0], "pin") == 0) {
		struct msg_cli_secret m = { .old = slice_str(words[1]), .secret = slice_str(words[2]) };

		return channel_send(c->channel, MSG_cli_secret, &m);
	}
	if (strcmp(words[0], "watch") == 0) {
		struct msg_cli_watch m;

		c->watching = true;
		return channel_send(c->channel, MSG_cli_watch, &m);
	}
	if (strcmp(words[0], "read") == 0)
		return read_record(c, words[1]);
	if (strcmp(words[0], "hurry") == 0)
		return read_record(c, words[1]) == 0 ? read_record(c, words[1]) : -EPIPE;
	if (strcmp(words[0], "hoard") == 0) {
		c->deaf = true;
		return read_record(c, words[1]);
	}
	return -EINVAL;
}

int main(int argc, char **argv)
{
	static const struct channel_ops ops = { on_message, on_broken };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct control c = { .loop = event_base_new() };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	char line[4096];

	if (argc != 2 || snprintf(address.sun_path, sizeof(address.sun_path), "%s", argv[1]) >= (int)sizeof(address.sun_path) ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    channel_new(c.loop, fd, PROCESS_CLI, PROCESS_CONSOLE, &ops, &c, &c.channel) < 0) {
		fprintf(stderr, "e2e-control: cannot connect: %s\n", strerror(errno));
		return 1;
	}
	channel_set_phase(c.channel, PHASE_SERVING);
	while (!c.watching && fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		c.waiting = true;
		if (ask(&c, line) < 0) {
			fprintf(stderr, "e2e-control: cannot ask: %s\n", line);
			return 2;
		}
		if (c.deaf) {
			puts("hoarding");
			fflush(stdout);
			c.waiting = false;
		}
		while (c.waiting)
			event_base_dispatch(c.loop);
	}
	channel_free(c.channel);
	event_base_free(c.loop);
	return 0;
}
