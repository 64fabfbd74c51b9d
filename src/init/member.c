#include "init/family.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

enum {
	BACKOFF_FIRST_MS = 100,
	BACKOFF_MOST_MS = 10000,
	FAILURES_MOST = 8, /* in a row, before the family gives up */
	STABLE_SECONDS = 30,
	GATEWAY_END_SECONDS = 5,
};

/* What each process gets: its namespaces, its user, and the one descriptor beyond the channel. */
struct role {
	uint64_t namespaces;
	enum confine_user user;
	bool keeps_capabilities; /* as root */
};

static const struct role *role_of(const struct family *f, enum process process)
{
	static const uint64_t closed = CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
	static const struct role roles[PROCESS_COUNT] = {
		[PROCESS_GATEWAY] = { closed | CLONE_NEWPID, CONFINE_USER_HIGH, false },
		[PROCESS_JUDGE] = { closed | CLONE_NEWPID, CONFINE_USER_HIGH, false },
		[PROCESS_AUDIT] = { closed | CLONE_NEWPID, CONFINE_USER_SELF, false },
		[PROCESS_STORE] = { closed | CLONE_NEWPID, CONFINE_USER_SELF, false },
		/* Not in a process namespace of its own, so that the peers' numbers on the control socket mean something. */
		[PROCESS_CONSOLE] = { closed, CONFINE_USER_SELF, false },
		[PROCESS_LAUNCHER] = { closed, CONFINE_USER_SELF, false },
	};
	/* As root the launcher needs real capabilities, for idmapped mounts: so no user namespace of its own. */
	static const struct role root_launcher = { CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP, CONFINE_USER_SELF, true };

	return process == PROCESS_LAUNCHER && f->root ? &root_launcher : &roles[process];
}

/* The namespaces that a member must be seen to differ in. */
static uint32_t wanted_apart(uint64_t namespaces)
{
	static const struct { uint64_t flag; unsigned bit; } map[] = {
		{ CLONE_NEWUSER, CONFINE_NS_USER }, { CLONE_NEWNET, CONFINE_NS_NET }, { CLONE_NEWIPC, CONFINE_NS_IPC },
		{ CLONE_NEWUTS, CONFINE_NS_UTS },   { CLONE_NEWPID, CONFINE_NS_PID }, { CLONE_NEWCGROUP, CONFINE_NS_CGROUP },
	};
	uint32_t wanted = 0;

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (namespaces & map[i].flag)
			wanted |= 1U << map[i].bit;
	return wanted;
}

static int extra_fd(const struct family *f, enum process role)
{
	if (role == PROCESS_AUDIT)
		return f->audit_dir;
	if (role == PROCESS_STORE)
		return f->store_dir;
	if (role == PROCESS_LAUNCHER)
		return f->servers_dir;
	if (role == PROCESS_CONSOLE)
		return f->listener;
	return -1;
}

/* ---- a member's end ---- */

static void describe_exit(const siginfo_t *info, char why[128])
{
	if (info->si_code == CLD_EXITED)
		snprintf(why, 128, "exit status %d", info->si_status);
	else if (info->si_status == SIGSYS)
		snprintf(why, 128, "killed by its seccomp filter");
	else
		snprintf(why, 128, "signal %d", info->si_status);
}

static void member_drop(struct member *m)
{
	channel_free(m->channel);
	m->channel = NULL;
	if (m->exited)
		event_free(m->exited);
	m->exited = NULL;
	fd_close(&m->pidfd);
	m->pid = 0;
	m->ready = false;
}

static void member_free(struct member *m)
{
	for (struct member **at = &m->family->members; *at; at = &(*at)->next)
		if (*at == m) {
			*at = m->next;
			break;
		}
	member_drop(m);
	if (m->again)
		event_free(m->again);
	for (size_t i = 0; i < 3; i++)
		fd_close(&m->fds[i]);
	free(m);
}

static void tell_gateway_failed(struct family *f, uint64_t session, const char *why)
{
	struct msg_gateway_failed failed = { .session = session, .why = slice_str(why) };
	struct member *judge = family_core(f, PROCESS_JUDGE);

	if (judge && judge->ready)
		channel_send(judge->channel, MSG_gateway_failed, &failed);
}

static void member_kill(struct member *m)
{
	if (m->pidfd >= 0)
		pidfd_send_signal(m->pidfd, SIGKILL, NULL, 0);
}

static void stop_next(struct family *f);

static void on_again(evutil_socket_t fd, short what, void *arg);

/* A core process that ended is started again, later and later; one that never comes up ends the family. */
static void restart_later(struct member *m, const char *why)
{
	unsigned ms = BACKOFF_FIRST_MS;
	char text[256];

	if (m->failures++ >= FAILURES_MOST) {
		snprintf(text, sizeof(text), "%s ended %u times in a row (%s); giving up", process_name(m->role), m->failures, why);
		family_fail(m->family, text);
		return;
	}
	for (unsigned i = 1; i < m->failures && ms < BACKOFF_MOST_MS; i++)
		ms *= 2;
	m->restarts++;
	event_add(m->again, &(struct timeval){ .tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000 });
}

static void on_exited(evutil_socket_t fd, short what, void *arg)
{
	struct member *m = arg;
	struct family *f = m->family;
	siginfo_t info = { 0 };
	char why[128];

	(void)what;
	if (waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
		return;
	describe_exit(&info, why);
	if (clock_monotonic_ns() - m->started_ns > STABLE_SECONDS * 1000000000ULL)
		m->failures = 0;
	member_drop(m);
	if (m->role != PROCESS_GATEWAY && !m->stopping) {
		log_error("%s ended: %s", process_name(m->role), why);
		family_record(f, "process.exit", m, why);
		if (m->role == PROCESS_AUDIT && !f->unrecorded_since_us)
			family_record_state(f, clock_wall_us(), SLICE("the audit process has ended and is started again"));
	}
	if (m->role == PROCESS_GATEWAY) {
		tell_gateway_failed(f, m->session, "the gateway ended");
		member_free(m);
	} else if (!f->stopping) {
		restart_later(m, why);
	}
	if (f->stopping)
		stop_next(f);
}

/* ---- a member's beginning ---- */

static void on_message(void *ctx, struct channel *channel, struct message *message)
{
	struct member *m = ctx;
	struct confine_fault fault;

	(void)channel;
	if (message->type != MSG_ready) {
		family_on_message(m, message);
		return;
	}
	if (message->ready.report.len != sizeof(m->report)) {
		member_kill(m);
		return;
	}
	memcpy(&m->report, message->ready.report.ptr, sizeof(m->report));
	if (confine_check_apart(process_name(m->role), &m->report, &m->family->own, wanted_apart(role_of(m->family, m->role)->namespaces),
				&fault) < 0) {
		family_fail(m->family, fault.text);
		return;
	}
	m->ready = true;
	channel_set_phase(m->channel, PHASE_SERVING);
	family_on_ready(m);
}

/* A member whose channel broke is of no use any more: it is killed, and its end handled like any other. */
static void on_broken(void *ctx, struct channel *channel, const char *why)
{
	struct member *m = ctx;

	(void)channel;
	if (why)
		log_error("%s broke its channel: %s", process_name(m->role), why);
	channel_free(m->channel);
	m->channel = NULL;
	m->ready = false;
	member_kill(m);
}

static int member_spawn(struct member *m)
{
	static const struct channel_ops ops = { on_message, on_broken };
	struct family *f = m->family;
	const struct role *role = role_of(f, m->role);
	const char *argv[] = { "bawn", "--process", process_name(m->role), NULL };
	cleanup_fd int far = -1;
	int pair[2], fds[2], r;
	struct confine_fault fault;
	struct confine_spawn spawn = { .process = process_name(m->role), .binary = f->binary, .argv = argv, .fds = fds, .fd_count = 1,
				       .log = STDERR_FILENO, .namespaces = role->namespaces, .user = role->user, .slot = m->slot,
				       .keep_capabilities = role->keeps_capabilities };

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	far = pair[1];
	r = channel_new(f->loop, pair[0], PROCESS_INIT, m->role, &ops, m, &m->channel);
	if (r < 0)
		return r;
	fds[0] = far;
	fds[1] = extra_fd(f, m->role);
	spawn.fd_count += fds[1] >= 0;
	m->started_ns = clock_monotonic_ns();
	r = confine_spawn(&spawn, &m->pid, &m->pidfd, &fault);
	if (r < 0) {
		log_error("%s", fault.text);
		member_drop(m);
		return r;
	}
	m->exited = event_new(f->loop, m->pidfd, EV_READ | EV_PERSIST, on_exited, m);
	if (!m->exited || event_add(m->exited, NULL) < 0)
		return -ENOMEM;
	return 0;
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	struct member *m = arg;

	(void)fd;
	(void)what;
	if (m->role == PROCESS_GATEWAY)
		member_kill(m); /* it had its time to end by itself */
	else if (!m->family->stopping && m->pid == 0 && member_spawn(m) < 0)
		restart_later(m, "it could not be started");
}

static struct member *find_gateway(struct family *f, uint64_t session)
{
	for (struct member *m = f->members; m; m = m->next)
		if (m->role == PROCESS_GATEWAY && m->session == session)
			return m;
	return NULL;
}

void family_close_gateway(struct family *f, uint64_t session)
{
	struct member *m = find_gateway(f, session);

	if (m)
		event_add(m->again, &(struct timeval){ .tv_sec = GATEWAY_END_SECONDS });
}

void family_on_misbehaved(struct family *f, const struct msg_misbehaved *message)
{
	struct member *m = message->role == PROCESS_GATEWAY ? find_gateway(f, message->session) :
			   message->role < PROCESS_COUNT ? family_core(f, (enum process)message->role) : NULL;
	char why[300];

	if (!m)
		return;
	text_format(why, sizeof(why), "killed, for it broke the rules of its channel: %.*s", SLICE_ARG(message->why));
	family_record(f, "process.misbehaved", m, why);
	member_kill(m);
}

static struct member *member_new(struct family *f, enum process role)
{
	struct member *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	*m = (struct member){ .family = f, .role = role, .pidfd = -1, .fds = { -1, -1, -1 } };
	m->slot = f->next_slot++ % CONFINE_SLOTS;
	m->again = evtimer_new(f->loop, on_again, m);
	if (!m->again) {
		free(m);
		return NULL;
	}
	m->next = f->members;
	f->members = m;
	return m;
}

struct member *family_core(struct family *f, enum process role)
{
	for (struct member *m = f->members; m; m = m->next)
		if (m->role == role && role != PROCESS_GATEWAY)
			return m;
	return NULL;
}

int family_start(struct family *f, enum process role)
{
	struct member *m = member_new(f, role);

	return m ? member_spawn(m) : -ENOMEM;
}

void family_start_gateway(struct family *f, struct msg_gateway_spawn *message)
{
	struct member *m = f->stopping ? NULL : member_new(f, PROCESS_GATEWAY);

	if (!m) {
		tell_gateway_failed(f, message->session, "no gateway could be started");
		return;
	}
	m->session = message->session;
	snprintf(m->server, sizeof(m->server), "%.*s", SLICE_ARG(message->server));
	m->fds[0] = fd_take(&message->input);
	m->fds[1] = fd_take(&message->output);
	m->fds[2] = fd_take(&message->leash);
	if (member_spawn(m) < 0) {
		tell_gateway_failed(f, message->session, "no gateway could be started; see the family's log");
		member_free(m);
	}
}

/* ---- the end of the family ---- */

static bool running(struct family *f, enum process role)
{
	for (struct member *m = f->members; m; m = m->next)
		if (m->role == role && m->pid)
			return true;
	return false;
}

static void tell_stop(struct family *f, enum process role)
{
	for (struct member *m = f->members; m; m = m->next) {
		struct msg_stop stop;

		if (m->role != role || !m->pid || m->stopping)
			continue;
		m->stopping = true;
		if (!m->channel || channel_send(m->channel, MSG_stop, &stop) < 0)
			member_kill(m);
	}
}

/* Whoever others report to ends after them; the record is closed last. */
static void stop_next(struct family *f)
{
	static const enum process order[] = { PROCESS_CONSOLE, PROCESS_JUDGE, PROCESS_GATEWAY, PROCESS_LAUNCHER, PROCESS_STORE,
					     PROCESS_AUDIT };

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (running(f, order[i])) {
			tell_stop(f, order[i]);
			return;
		}
	/* Not loopbreak: the loop may not have begun yet. */
	event_base_loopexit(f->loop, NULL);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct family *f = arg;

	(void)fd;
	(void)what;
	for (struct member *m = f->members; m; m = m->next)
		if (m->pid) {
			log_warning("%s did not end in time and is killed", process_name(m->role));
			member_kill(m);
			m->stopping = true;
		}
}

void family_stop(struct family *f, int status)
{
	if (f->stopping)
		return;
	f->stopping = true;
	f->status = status;
	f->deadline = evtimer_new(f->loop, on_deadline, f);
	if (f->deadline)
		event_add(f->deadline, &(struct timeval){ .tv_sec = 10 });
	stop_next(f);
}
