/*
 * Theory of operation
 *
 * The judge takes decoded calls from the gateways, decides them by the compiled policy, has each intent recorded by the audit process, and
 * only then writes the call, canonically and from its own copy, to the server. It is event-driven and single-threaded; all state hangs on
 * one struct judge. call.c is the call path, in the order of its stages; session.c says who is who; server.c keeps a session's server
 * alive; approval.c is the stage approval, people.c what people decide; pen.c is the only writer to servers; tools.c takes in what a server says its tools are; record.c talks to the audit process,
 * stored.c to the store.
 *
 * Security
 *
 * Holds: the compiled policy, the hashes of the agents' tokens, the writing end of every server. Reads: decoded, bounded messages from its
 * siblings; among these a server's tool definitions and an agent's arguments, as packed trees that are checked again here. It has no files,
 * no network, and can start nothing: it asks the launcher. Whoever took it over could have servers called that its sessions already run, and
 * sandboxes started of its own invention, within what the launcher's user may do; each call would still be on the record, by the audit process's hand.
 */
#include "judge/main.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "judge/approval.h"
#include "judge/people.h"
#include "judge/pins.h"
#include "judge/record.h"
#include "judge/server.h"
#include "judge/session.h"
#include "judge/status.h"
#include "judge/stored.h"

struct judge_process {
	struct child child;
	struct judge judge;
};

/* ---- the policy ---- */

static void tokens_free(struct agent_token **list)
{
	while (*list) {
		struct agent_token *t = *list;

		*list = t->next;
		free(t);
	}
}

static void on_agent_token(struct judge *judge, const struct msg_agent_token *m)
{
	struct agent_token *t = calloc(1, sizeof(*t));

	if (!t || m->hash.len != sizeof(t->hash)) {
		free(t);
		return;
	}
	snprintf(t->agent, sizeof(t->agent), "%.*s", SLICE_ARG(m->agent));
	memcpy(t->hash, m->hash.ptr, sizeof(t->hash));
	t->next = judge->tokens_next;
	judge->tokens_next = t;
}

/* The problems as lines, as `bawn check` has them; what does not fit is left out, by whole lines. */
static void write_problems(const struct msg_policy *m, const struct policy_problems *problems, struct buf *out)
{
	if (policy_problems_print(out, m->path, problems) < 0)
		while (out->len && out->ptr[out->len - 1] != '\n')
			out->len--;
}

static void record_policy(struct judge *judge, const struct msg_policy *m, bool ok)
{
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	struct fields f = FIELDS_INIT(&arena);
	unsigned char hash[crypto_hash_sha256_BYTES];
	char hex[2 * sizeof(hash)];

	crypto_hash_sha256(hash, (const unsigned char *)m->yaml.ptr, m->yaml.len);
	text_hex(hash, sizeof(hash), hex);
	fields_text(&f, "path", m->path);
	fields_text(&f, "sha256", slice_of(hex, sizeof(hex)));
	if (ok) {
		fields_u64(&f, "agents", policy_agent_count(judge->policy));
		fields_u64(&f, "servers", policy_server_count(judge->policy));
	}
	record_append(judge, ok ? "policy.load" : "policy.rejected", &f, (struct slice){ 0 }, false, NULL, NULL);
}

/* A new policy is taken up whole or not at all. */
static void on_policy(struct judge *judge, const struct msg_policy *m)
{
	struct policy_options options = { .base = m->base, .project = m->project, .home = m->home };
	cleanup_buf struct buf lines = BUF_INIT(65536);
	struct msg_policy_result result = { .request = m->request };
	struct policy_problems problems = { 0 };
	struct policy *policy = NULL;
	int r = policy_load(m->yaml, &options, &policy, &problems);

	if (r == 0) {
		policy_free(judge->policy);
		judge->policy = policy;
		judge->policy_number++;
		tokens_free(&judge->tokens);
		judge->tokens = judge->tokens_next;
		judge->tokens_next = NULL;
	} else {
		tokens_free(&judge->tokens_next);
	}
	write_problems(m, &problems, &lines);
	record_policy(judge, m, r == 0);
	result.ok = r == 0;
	result.problems = buf_slice(&lines);
	channel_send(judge->init, MSG_policy_result, &result);
	policy_problems_free(&problems);
	if (r == 0) {
		session_policy_changed(judge);
		approval_review(judge);
	}
}

/* ---- peers ---- */

static void on_audit(void *ctx, struct channel *channel, struct message *m)
{
	struct judge *judge = ctx;

	(void)channel;
	if (m->type == MSG_audit_appended)
		record_on_appended(judge, &m->audit_appended);
	else if (m->type == MSG_audit_failed)
		record_on_failed(judge, &m->audit_failed);
}

static void on_broken(void *ctx, struct channel *channel, const char *why);

static void on_store(void *ctx, struct channel *channel, struct message *m)
{
	struct judge *judge = ctx;
	int r = 0;

	if (m->type == MSG_store_done)
		r = stored_on_done(judge, &m->store_done);
	else if (m->type == MSG_store_failed)
		r = stored_on_failed(judge, &m->store_failed);
	else if (m->type == MSG_person_answer)
		r = stored_on_person(judge, &m->person_answer);
	/* A handler may have been told meanwhile that the store is gone. */
	if (r < 0 && judge->store == channel)
		on_broken(judge, channel, "it answered what was not asked, or what cannot be read");
}

static void on_launcher(void *ctx, struct channel *channel, struct message *m)
{
	struct judge *judge = ctx;

	(void)channel;
	if (m->type == MSG_sandbox_started)
		server_on_sandbox_started(judge, &m->sandbox_started);
	else if (m->type == MSG_sandbox_failed)
		server_on_sandbox_failed(judge, &m->sandbox_failed);
	else if (m->type == MSG_sandbox_ended)
		server_on_sandbox_ended(judge, &m->sandbox_ended);
}

static void on_console(void *ctx, struct channel *channel, struct message *m)
{
	struct judge *judge = ctx;

	if (m->type == MSG_session_open) {
		session_on_open(judge, &m->session_open);
	} else if (m->type == MSG_person_decide) {
		people_on_decide(judge, &m->person_decide);
	} else if (m->type == MSG_person_secret) {
		people_on_secret(judge, &m->person_secret);
	} else if (m->type == MSG_person_accept) {
		pins_on_accept(judge, &m->person_accept);
	} else if (m->type == MSG_status_ask) {
		cleanup_buf struct buf json = BUF_INIT(1024 * 1024);
		struct msg_status_part part = { .request = m->status_ask.request };

		if (status_write(judge, &json) < 0)
			buf_clear(&json);
		part.json = buf_slice(&json);
		channel_send(channel, MSG_status_part, &part);
	}
}

/* A sibling is gone: init kills what misbehaved and starts it anew; here, only what depended on it ends. */
static void on_broken(void *ctx, struct channel *channel, const char *why)
{
	struct judge *judge = ctx;
	enum process peer = channel_peer(channel);

	if (why)
		child_misbehaved(judge->child, peer, 0, why);
	channel_free(channel);
	if (peer == PROCESS_AUDIT) {
		judge->audit = NULL;
		record_on_lost(judge);
	} else if (peer == PROCESS_STORE) {
		judge->store = NULL;
		stored_on_lost(judge);
	} else if (peer == PROCESS_LAUNCHER) {
		judge->launcher = NULL;
		server_on_launcher_lost(judge);
	} else if (peer == PROCESS_CONSOLE) {
		judge->console = NULL;
	}
}

static void connect_peer(struct judge_process *p, struct msg_peer *m)
{
	static const struct channel_ops audit = { on_audit, on_broken }, store = { on_store, on_broken }, launcher = { on_launcher, on_broken },
					console = { on_console, on_broken };
	struct judge *judge = &p->judge;
	int fd = fd_take(&m->channel);

	switch (m->role) {
	case PROCESS_AUDIT:
		if (judge->audit)
			on_broken(judge, judge->audit, NULL);
		child_connect(&p->child, PROCESS_AUDIT, fd, &audit, judge, &judge->audit);
		break;
	case PROCESS_STORE:
		if (judge->store)
			on_broken(judge, judge->store, NULL);
		child_connect(&p->child, PROCESS_STORE, fd, &store, judge, &judge->store);
		approval_on_store(judge);
		pins_on_store(judge);
		break;
	case PROCESS_LAUNCHER:
		if (judge->launcher)
			on_broken(judge, judge->launcher, NULL);
		child_connect(&p->child, PROCESS_LAUNCHER, fd, &launcher, judge, &judge->launcher);
		server_on_launcher_back(judge);
		break;
	case PROCESS_CONSOLE:
		if (judge->console)
			on_broken(judge, judge->console, NULL);
		child_connect(&p->child, PROCESS_CONSOLE, fd, &console, judge, &judge->console);
		break;
	case PROCESS_GATEWAY:
		session_on_gateway(judge, m->session, fd);
		break;
	default:
		close(fd);
		break;
	}
}

static void stop(struct judge_process *p)
{
	p->judge.stopping = true;
	while (p->judge.sessions)
		session_close(p->judge.sessions, "bawn is shutting down");
	/* The last records are in the audit process's socket: the kernel keeps them after this process is gone. */
	if (p->judge.audit)
		channel_flush(p->judge.audit);
	if (p->judge.launcher)
		channel_flush(p->judge.launcher);
	event_base_loopbreak(p->child.loop);
}

static void on_init(void *ctx, struct channel *channel, struct message *m)
{
	struct judge_process *p = ctx;

	(void)channel;
	if (m->type == MSG_peer)
		connect_peer(p, &m->peer);
	else if (m->type == MSG_peer_quiet)
		session_on_quiet(&p->judge, m->peer_quiet.session, fd_take(&m->peer_quiet.channel));
	else if (m->type == MSG_agent_token)
		on_agent_token(&p->judge, &m->agent_token);
	else if (m->type == MSG_policy)
		on_policy(&p->judge, &m->policy);
	else if (m->type == MSG_gateway_failed)
		session_on_gateway_failed(&p->judge, &m->gateway_failed);
	else if (m->type == MSG_stop)
		stop(p);
}

static void on_init_broken(void *ctx, struct channel *channel, const char *why)
{
	struct judge_process *p = ctx;

	(void)channel;
	if (why)
		log_error("the channel to init broke: %s", why);
	event_base_loopbreak(p->child.loop);
}

int judge_main(void)
{
	static const struct channel_ops ops = { on_init, on_init_broken };
	static const struct confine_plan plan = {
		.process = "judge",
		.allow = confine_base, /* nothing beyond an event loop's needs */
		.allow_count = 0,
		.landlock = true,
		.dies_with_parent = true,
		.open_files = 4096,
	};
	static struct judge_process p;

	if (sodium_init() < 0 || child_begin(PROCESS_JUDGE, &ops, &p, &p.child) < 0)
		return 1;
	p.judge.child = &p.child;
	p.judge.loop = p.child.loop;
	p.judge.init = p.child.init;
	if (approval_watch_time(&p.judge) < 0 || child_confine(&p.child, &plan) < 0)
		return 1;
	return child_run(&p.child);
}
