/*
 * Theory of operation
 *
 * One gateway serves one session. It parses what the agent says (agent.c) and what the session's server says (server.c), and hands
 * both on to the judge as decoded messages; what comes back from the server it screens before the agent gets it. calls.c matches
 * answers to questions; pace.c holds back whoever is faster than the judge; stream.c does the reading and writing. It answers
 * initialize, ping and tools/list itself, from what the judge told it.
 *
 * Security
 *
 * Reads: every byte of an agent and of a server, both hostile. Holds: this session's pipes, the agent's both ways, the server's only for
 * reading. It has no policy, no secret, no network, no files, and cannot write to the server: whoever took it over could lie to this agent, and propose
 * calls, which the judge decides as it decides any other.
 */
#include "gateway/main.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "gateway/gateway.h"

struct gateway_process {
	struct child child;
	struct gateway gateway;
};

static void on_running(struct gateway *g, const struct msg_call_running *m)
{
	struct pending *p = calls_find(g, m->call);

	if (!p)
		return; /* cancelled meanwhile */
	p->running = true;
	p->entry = m->entry;
	calls_decided(g, p);
}

static void on_quiet(void *ctx, struct channel *channel, struct message *m)
{
	(void)channel;
	if (m->type == MSG_call_running)
		on_running(ctx, &m->call_running);
}

/* Its end is that of the judge, which the other channel tells. */
static void on_quiet_broken(void *ctx, struct channel *channel, const char *why)
{
	(void)ctx;
	(void)channel;
	(void)why;
}

static void on_judge(void *ctx, struct channel *channel, struct message *m)
{
	struct gateway *g = ctx;

	(void)channel;
	if (g->over)
		return;
	switch ((int)m->type) {
	case MSG_call_refused:
		agent_on_refused(g, &m->call_refused);
		server_on_given_up(g);
		break;
	case MSG_server_output:
		server_begin(g, &m->server_output);
		break;
	case MSG_server_gone:
		server_end(g);
		agent_on_server_gone(g, m->server_gone.why);
		break;
	case MSG_server_tools:
		agent_on_tools(g, &m->server_tools);
		break;
	default:
		break;
	}
}

static void on_judge_broken(void *ctx, struct channel *channel, const char *why)
{
	struct gateway *g = ctx;

	(void)channel;
	if (why)
		child_misbehaved(g->child, PROCESS_JUDGE, 0, why);
	g->over = true;
	event_base_loopbreak(g->loop);
}

static void on_init(void *ctx, struct channel *channel, struct message *m)
{
	static const struct channel_ops ops = { on_judge, on_judge_broken }, quiet = { on_quiet, on_quiet_broken };
	struct gateway_process *p = ctx;
	struct gateway *g = &p->gateway;

	(void)channel;
	if (m->type == MSG_gateway_setup && !g->agent_in) {
		g->session = m->gateway_setup.session;
		snprintf(g->server_name, sizeof(g->server_name), "%.*s", SLICE_ARG(m->gateway_setup.server));
		if (agent_begin(g, fd_take(&m->gateway_setup.input), fd_take(&m->gateway_setup.output), fd_take(&m->gateway_setup.leash)) < 0) {
			agent_end(g, "out of memory");
			return;
		}
		pace(g); /* the agent is read only once there is a judge to tell */
	} else if (m->type == MSG_peer_quiet && !g->quiet) {
		if (child_connect(&p->child, PROCESS_JUDGE, fd_take(&m->peer_quiet.channel), &quiet, g, &g->quiet) == 0)
			channel_quiet(g->quiet);
		pace(g);
	} else if (m->type == MSG_peer && m->peer.role == PROCESS_JUDGE && !g->judge) {
		child_connect(&p->child, PROCESS_JUDGE, fd_take(&m->peer.channel), &ops, g, &g->judge);
		pace(g);
	} else if (m->type == MSG_stop) {
		agent_end(g, "bawn is shutting down");
	}
}

static void on_init_broken(void *ctx, struct channel *channel, const char *why)
{
	struct gateway_process *p = ctx;

	(void)channel;
	if (why)
		log_error("the channel to init broke: %s", why);
	event_base_loopbreak(p->child.loop);
}

int gateway_main(void)
{
	static const struct channel_ops ops = { on_init, on_init_broken };
	static const struct confine_plan plan = {
		.process = "gateway",
		.allow = confine_base,
		.allow_count = 0,
		.landlock = true,
		.dies_with_parent = true,
		.open_files = 256,
	};
	static struct gateway_process p;
	struct gateway *g = &p.gateway;

	signal(SIGPIPE, SIG_IGN);
	if (sodium_init() < 0 || child_begin(PROCESS_GATEWAY, &ops, &p, &p.child) < 0)
		return 1;
	g->child = &p.child;
	g->loop = p.child.loop;
	g->leash = -1;
	g->next_call = SERVER_ID_CALL_FIRST;
	g->tools = BUF_INIT(message_rule(MSG_server_tools)->max);
	if (child_confine(&p.child, &plan) < 0)
		return 1;
	child_run(&p.child);
	if (g->judge)
		channel_flush(g->judge);
	return 0;
}
