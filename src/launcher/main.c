/*
 * Theory of operation
 *
 * The launcher builds sandboxes. The judge sends what one is to show (sandbox_mount, any number) and then its start
 * (sandbox_start); the launcher puts the plan together, starts it with sandbox.h, and, when the new process says that the program runs,
 * hands back the pipes to its input and output and the digest of its code. Standard error stays here and goes to the server's side log, so much of it a second; the rest is dropped.
 * When process 1 of a sandbox ends, everything in it has ended, and the judge is told how. When the judge goes, so does every
 * sandbox: nobody is left who could write to them. When the launcher goes, the kernel ends them.
 *
 * Security
 *
 * Holds: as root, CAP_SYS_ADMIN, CAP_SETUID, CAP_SETGID and CAP_DAC_READ_SEARCH; as an ordinary user nothing. An empty network. The
 * folder of the side logs. Reads: typed messages from init and the judge, and the programs' standard error, which it copies without
 * looking. Never policy text, an agent's words or a secret. Whoever took it over could, as root, read and map the machine's files
 * and start processes of any user; as an ordinary user, do what that user can. It has no Landlock domain, because a domain may not
 * mount; its seccomp filter is the one of confine_denied. Only the judge can speak to it.
 */
#include "launcher/main.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "child/child.h"
#include "launcher/sandbox.h"
#include "launcher/side_log.h"

enum {
	RUNS_MAX = 1024,
	SIDE_LOG_BYTES = 1 << 20, /* on disk, for each server */
	STDERR_KEPT = 1 << 20,    /* bytes a second kept of one program; more is dropped, so that a chatty program need not wait */
	STDERR_RATE = 128 << 20,  /* bytes a second taken from it; one that writes faster waits */
	STDERR_CHUNKS = 32,       /* read before others get their turn */
};

/* A server's side log, shared by its runs. */
struct log_file {
	struct log_file *next;
	struct side_log log;
	unsigned users;
	bool failing; /* said once */
};

/* One running sandbox. */
struct run {
	struct run *next;
	struct launcher *launcher;
	uint64_t id; /* the judge's number */
	struct sandbox sandbox;
	struct log_file *log;
	bool dropping; /* said once a second */
	bool killed;   /* by order */
	struct event *ready, *ended, *stderr_ready, *refill;
	size_t budget, keep; /* bytes of its standard error that may still be taken, and kept, this second */
};

/* The plan that the judge is dictating. One at a time; another number begins another. */
struct dictation {
	uint64_t id;
	struct arena arena;
	struct sandbox_mount mounts[SANDBOX_MOUNTS_MAX];
	size_t count;
	const char *refused; /* why its start will fail; NULL */
};

struct launcher {
	struct child child;
	struct channel *judge;
	struct sandbox_maker *maker;
	struct run *runs;
	size_t run_count;
	struct log_file *logs;
	struct dictation dictation;
};

/* ---- side logs ---- */

static struct log_file *log_take(struct launcher *l, const char *name)
{
	struct log_file *log;
	struct side_log opened;
	int r = side_log_open(&opened, FD_FIRST_EXTRA, name, SIDE_LOG_BYTES);

	if (r < 0) {
		log_warning("%s: its standard error is dropped: no side log: %s", name, strerror(-r));
		return NULL;
	}
	for (log = l->logs; log; log = log->next)
		if (strcmp(log->log.name, opened.name) == 0)
			break;
	if (log) {
		side_log_close(&opened);
		log->users++;
		return log;
	}
	log = calloc(1, sizeof(*log));
	if (!log) {
		side_log_close(&opened);
		return NULL;
	}
	*log = (struct log_file){ .next = l->logs, .log = opened, .users = 1 };
	l->logs = log;
	return log;
}

static void log_release(struct launcher *l, struct log_file *log)
{
	if (!log || --log->users)
		return;
	for (struct log_file **at = &l->logs; *at; at = &(*at)->next)
		if (*at == log) {
			*at = log->next;
			break;
		}
	side_log_close(&log->log);
	free(log);
}

static void log_bytes(struct log_file *log, const char *bytes, size_t len)
{
	int r = log ? side_log_write(&log->log, bytes, len) : 0;

	if (r < 0 && !log->failing)
		log_warning("%s cannot be written: %s", log->log.name, strerror(-r));
	if (log)
		log->failing = r < 0;
}

/* ---- a run ---- */

static void event_drop(struct event **event)
{
	if (*event)
		event_free(*event);
	*event = NULL;
}

static void run_free(struct run *run)
{
	struct launcher *l = run->launcher;

	for (struct run **at = &l->runs; *at; at = &(*at)->next)
		if (*at == run) {
			*at = run->next;
			l->run_count--;
			break;
		}
	event_drop(&run->ready);
	event_drop(&run->ended);
	event_drop(&run->stderr_ready);
	event_drop(&run->refill);
	sandbox_end(l->maker, &run->sandbox);
	log_release(l, run->log);
	free(run);
}

static void runs_end(struct launcher *l)
{
	/* All at once, then one by one: none waits for another's end. */
	for (struct run *run = l->runs; run; run = run->next)
		sandbox_kill(&run->sandbox);
	while (l->runs)
		run_free(l->runs);
}

static struct run *run_find(struct launcher *l, uint64_t id)
{
	for (struct run *run = l->runs; run; run = run->next)
		if (run->id == id)
			return run;
	return NULL;
}

static void refill(struct run *run)
{
	run->budget = STDERR_RATE;
	run->keep = STDERR_KEPT;
	run->dropping = false;
}

/* Copies what is there, within the second's budget. False when there is no more to come. */
static bool stderr_copy(struct run *run)
{
	static const char dropped[] = "\n[bawn: more than was kept of this second is dropped]\n";
	char chunk[65536];
	ssize_t n;

	for (int i = 0; i < STDERR_CHUNKS && run->budget; i++) {
		size_t kept;

		n = read(run->sandbox.stderr_fd, chunk, run->budget < sizeof(chunk) ? run->budget : sizeof(chunk));
		if (n <= 0)
			return n < 0 && (errno == EAGAIN || errno == EINTR);
		run->budget -= (size_t)n;
		kept = (size_t)n < run->keep ? (size_t)n : run->keep;
		run->keep -= kept;
		if (kept)
			log_bytes(run->log, chunk, kept);
		if (kept < (size_t)n && !run->dropping) {
			run->dropping = true;
			log_bytes(run->log, dropped, sizeof(dropped) - 1);
		}
	}
	return true;
}

static void on_stderr(evutil_socket_t fd, short what, void *arg)
{
	struct run *run = arg;
	const struct timeval second = { .tv_sec = 1 };

	(void)fd;
	(void)what;
	if (!stderr_copy(run)) {
		event_del(run->stderr_ready);
		return;
	}
	if (!evtimer_pending(run->refill, NULL))
		evtimer_add(run->refill, &second);
	if (!run->budget)
		event_del(run->stderr_ready);
}

static void on_refill(evutil_socket_t fd, short what, void *arg)
{
	struct run *run = arg;

	(void)fd;
	(void)what;
	refill(run);
	event_add(run->stderr_ready, NULL);
}

static void on_ended(evutil_socket_t fd, short what, void *arg)
{
	struct run *run = arg;
	struct launcher *l = run->launcher;
	struct msg_sandbox_ended m = { .sandbox = run->id };
	char how[64];
	int status;

	(void)fd;
	(void)what;
	if (sandbox_reap(l->maker, &run->sandbox, &status) < 0)
		return;
	/* Its last words: at most what the pipe still holds. */
	refill(run);
	stderr_copy(run);
	snprintf(how, sizeof(how), status > 128 ? "signal %d" : "exit status %d", status > 128 ? status - 128 : status);
	m.how = slice_str(how);
	run_free(run);
	if (l->judge)
		channel_send(l->judge, MSG_sandbox_ended, &m);
}

static int run_watch(struct run *run)
{
	struct event_base *loop = run->launcher->child.loop;

	run->ended = event_new(loop, run->sandbox.pidfd, EV_READ, on_ended, run);
	run->stderr_ready = event_new(loop, run->sandbox.stderr_fd, EV_READ | EV_PERSIST, on_stderr, run);
	run->refill = evtimer_new(loop, on_refill, run);
	if (!run->ended || !run->stderr_ready || !run->refill)
		return -ENOMEM;
	return event_add(run->ended, NULL) < 0 || event_add(run->stderr_ready, NULL) < 0 ? -ENOMEM : 0;
}

/* ---- orders ---- */

static void dictation_begin(struct dictation *d, uint64_t id)
{
	if (d->id == id)
		return;
	arena_clear(&d->arena);
	d->id = id;
	d->count = 0;
	d->refused = NULL;
}

static void on_mount(struct launcher *l, const struct msg_sandbox_mount *m)
{
	struct dictation *d = &l->dictation;
	struct sandbox_mount *mount;

	dictation_begin(d, m->sandbox);
	if (d->count == SANDBOX_MOUNTS_MAX) {
		d->refused = "it shows more paths than a sandbox can";
		return;
	}
	mount = &d->mounts[d->count];
	*mount = (struct sandbox_mount){ .host = arena_cstr(&d->arena, m->host),
					 .at = arena_cstr(&d->arena, m->at),
					 .writable = m->writable != 0,
					 .workspace = m->workspace != 0,
					 .beneath = m->beneath.len ? arena_cstr(&d->arena, m->beneath) : NULL };
	if (mount->host && mount->at && (mount->beneath || !m->beneath.len))
		d->count++;
	else
		d->refused = "it is larger than a plan may be";
}

/* The texts of a list as an argument vector; NULL when there is no room. */
static char **vector(struct arena *arena, const struct message_list *list)
{
	char **strings = arena_array(arena, (size_t)list->count + 1, sizeof(char *));
	struct slice item;
	size_t at = 0;

	for (uint32_t i = 0; strings && i < list->count && message_list_next(list, &at, &item); i++) {
		strings[i] = arena_cstr(arena, item);
		if (!strings[i])
			return NULL;
	}
	return strings;
}

static int plan_make(struct dictation *d, const struct msg_sandbox_start *m, struct sandbox_plan *ret_plan)
{
	struct sandbox_plan plan = {
		.name = arena_cstr(&d->arena, m->name),
		.argv = vector(&d->arena, &m->command),
		.env = vector(&d->arena, &m->environment),
		.workdir = m->workdir.len ? arena_cstr(&d->arena, m->workdir) : "/",
		.mounts = d->mounts,
		.mount_count = d->count,
	};

	if (!plan.name || !plan.argv || !plan.env || !plan.workdir)
		d->refused = "it is larger than a plan may be";
	*ret_plan = plan;
	return d->refused ? -E2BIG : 0;
}

static void tell_failed(struct launcher *l, uint64_t id, const char *why)
{
	struct msg_sandbox_failed m = { .sandbox = id, .why = slice_str(why) };

	channel_send(l->judge, MSG_sandbox_failed, &m);
}

static void tell_started(struct launcher *l, struct run *run)
{
	struct msg_sandbox_started m = { .sandbox = run->id, .pid = (uint32_t)run->sandbox.pid, .input = run->sandbox.stdin_fd,
					 .output = run->sandbox.stdout_fd,
					 .code = slice_of((const char *)run->sandbox.code, sizeof(run->sandbox.code)) };
	cleanup_buf struct buf layers = BUF_INIT(1024);

	for (unsigned bit = 1; bit <= SANDBOX_IDMAP; bit <<= 1)
		if (run->sandbox.layers & bit)
			buf_printf(&layers, "%s%s", layers.len ? " " : "", sandbox_layer_name((enum sandbox_layer)bit));
	m.layers = buf_slice(&layers);
	channel_send(l->judge, MSG_sandbox_started, &m);
	/* The pipes are the judge's now. */
	fd_close(&run->sandbox.stdin_fd);
	fd_close(&run->sandbox.stdout_fd);
}

static struct run *run_new(struct launcher *l, uint64_t id)
{
	struct run *run = l->run_count < RUNS_MAX ? calloc(1, sizeof(*run)) : NULL;

	if (!run)
		return NULL;
	*run = (struct run){
		.next = l->runs, .launcher = l, .id = id, .sandbox = SANDBOX_NONE, .budget = STDERR_RATE, .keep = STDERR_KEPT
	};
	l->runs = run;
	l->run_count++;
	return run;
}

/* The new process has said how its start went; or, after all this time, nothing. */
static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct run *run = arg;
	struct launcher *l = run->launcher;
	struct sandbox_fault fault = { .text = "the sandbox was not ready in time" };

	(void)fd;
	if ((what & EV_TIMEOUT) || sandbox_ready(l->maker, &run->sandbox, &fault) < 0) {
		if (!run->killed)
			log_warning("%s: %s", run->log ? run->log->log.name : "a server", fault.text);
		if (l->judge)
			tell_failed(l, run->id, fault.text);
		run_free(run);
		return;
	}
	event_drop(&run->ready);
	if (run_watch(run) == 0) {
		if (l->judge)
			tell_started(l, run);
		return;
	}
	if (l->judge)
		tell_failed(l, run->id, "out of memory");
	run_free(run);
}

static void on_start(struct launcher *l, const struct msg_sandbox_start *m)
{
	const struct timeval limit = { .tv_sec = SANDBOX_READY_MS / 1000 };
	struct dictation *d = &l->dictation;
	struct sandbox_fault fault;
	struct sandbox_plan plan;
	struct run *run;

	dictation_begin(d, m->sandbox);
	run = run_find(l, m->sandbox) ? NULL : run_new(l, m->sandbox);
	if (!run) {
		tell_failed(l, m->sandbox, "there are too many sandboxes");
		return;
	}
	if (plan_make(d, m, &plan) < 0) {
		tell_failed(l, m->sandbox, d->refused);
		run_free(run);
	} else if (sandbox_begin(l->maker, &plan, &run->sandbox, &fault) < 0) {
		log_warning("%s: %s", plan.name, fault.text);
		tell_failed(l, m->sandbox, fault.text);
		run_free(run);
	} else {
		run->log = log_take(l, plan.name);
		run->ready = event_new(l->child.loop, run->sandbox.status_fd, EV_READ, on_ready, run);
		if (!run->ready || event_add(run->ready, &limit) < 0) {
			tell_failed(l, m->sandbox, "out of memory");
			run_free(run);
		}
	}
	dictation_begin(d, 0);
}

static void on_judge(void *ctx, struct channel *channel, struct message *m)
{
	struct launcher *l = ctx;
	struct run *run;

	(void)channel;
	if (m->type == MSG_sandbox_mount) {
		on_mount(l, &m->sandbox_mount);
	} else if (m->type == MSG_sandbox_start) {
		on_start(l, &m->sandbox_start);
	} else if (m->type == MSG_sandbox_kill) {
		run = run_find(l, m->sandbox_kill.sandbox);
		if (run) {
			run->killed = true;
			sandbox_kill(&run->sandbox);
		}
	}
}

static void on_judge_broken(void *ctx, struct channel *channel, const char *why)
{
	struct launcher *l = ctx;

	if (why)
		log_error("the channel to judge broke: %s", why);
	channel_free(channel);
	l->judge = NULL;
	dictation_begin(&l->dictation, 0);
	runs_end(l);
}

static void on_init(void *ctx, struct channel *channel, struct message *m)
{
	static const struct channel_ops ops = { on_judge, on_judge_broken };
	struct launcher *l = ctx;

	(void)channel;
	if (m->type == MSG_peer && m->peer.role == PROCESS_JUDGE) {
		if (l->judge)
			on_judge_broken(l, l->judge, NULL);
		child_connect(&l->child, PROCESS_JUDGE, fd_take(&m->peer.channel), &ops, l, &l->judge);
	} else if (m->type == MSG_stop) {
		event_base_loopbreak(l->child.loop);
	}
}

static void on_init_broken(void *ctx, struct channel *channel, const char *why)
{
	struct launcher *l = ctx;

	(void)channel;
	if (why)
		log_error("the channel to init broke: %s", why);
	event_base_loopbreak(l->child.loop);
}

/* This machine cannot do it: a restart would not help. */
static int cannot(struct launcher *l, const struct sandbox_fault *fault)
{
	struct msg_fatal m = { .why = slice_str(fault->text) };

	log_error("%s", fault->text);
	channel_send(l->child.init, MSG_fatal, &m);
	channel_flush(l->child.init);
	return 1;
}

int launcher_main(void)
{
	static const struct channel_ops ops = { on_init, on_init_broken };
	static struct launcher launcher = { .dictation = { .arena = ARENA_INIT(2 << 20) } };
	const struct confine_plan plan = {
		.process = "launcher",
		.exec_memory = true,
		.dies_with_parent = true,
		.capabilities = sandbox_capabilities(),
		.open_files = 8192,
	};
	struct sandbox_fault fault;
	int status;

	if (child_begin(PROCESS_LAUNCHER, &ops, &launcher, &launcher.child) < 0)
		return 1;
	if (sandbox_maker_new(&launcher.maker, &fault) < 0)
		return cannot(&launcher, &fault);
	if (child_confine(&launcher.child, &plan) < 0)
		return 1;
	/* A whole sandbox, built by the confined process as each later one will be. */
	if (sandbox_probe(launcher.maker, &fault) < 0)
		return cannot(&launcher, &fault);
	status = child_run(&launcher.child);
	runs_end(&launcher);
	sandbox_maker_free(launcher.maker);
	return status;
}
