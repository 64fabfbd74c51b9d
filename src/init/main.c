/*
 * Theory of operation
 *
 * `bawn serve` becomes init. It takes the lock of this policy's family, opens what the others need (the audit folder, the store's, the folder of the
 * side logs, the control socket), confines itself, starts audit, store, launcher, judge and console with confine_spawn, and connects them: each pair
 * of them that talks gets a socket pair, sent as `peer` messages, again whenever one of them has been restarted. It hands the judge the policy's
 * bytes and the agents' token hashes. On the judge's order it starts a gateway for each session.
 *
 * Security
 *
 * Holds: the right to start processes; as root, root's capabilities for the launcher. Reads: typed messages from the processes that it
 * started, the policy file and the token hashes, none of which it parses; no byte of an agent, a server or a browser reaches it. Whoever took it
 * over has the family. It cannot have a Landlock domain of its own, since the launcher, its child, must mount.
 */
#include "init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "init/family.h"
#include "init/lock.h"
#include "init/policy_file.h"
#include "parse/fields.h"

enum { OPEN_FILES = 8192 };

/* As root, what init keeps: to make namespaces and user maps (CAP_SETFCAP since 5.12 where user 0 is mapped), to end what it started, and to pass on what the launcher needs (sandbox.h). */
#define CAPABILITY(cap) (1ULL << (cap))
static const uint64_t root_capabilities = CAPABILITY(CAP_SYS_ADMIN) | CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SETGID) |
					  CAPABILITY(CAP_SETPCAP) | CAPABILITY(CAP_SETFCAP) | CAPABILITY(CAP_KILL) | CAPABILITY(CAP_DAC_READ_SEARCH);

/* ---- telling people ---- */

static void tell_waiting(struct family *f, const char *line)
{
	int fd = f->options->ready_fd;

	if (fd < 0 || f->serving)
		return;
	if (io_write_all(fd, line, strlen(line)) < 0)
		log_debug("nobody waits for the family any more");
}

/* A line for whoever started the family; it may name a folder, which may have any name. */
static void tell_starter(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void tell_starter(const char *format, ...)
{
	cleanup_buf struct buf line = BUF_INIT(32768);
	char text[PATH_MAX + 1200];
	va_list args;

	va_start(args, format);
	text_vformat(text, sizeof(text), format, args);
	va_end(args);
	if (buf_add_str(&line, "bawn: ") == 0 && text_escape(&line, slice_str(text)) == 0 && buf_add_char(&line, '\n') == 0)
		io_write_all(STDERR_FILENO, line.ptr, line.len);
}

void family_fail(struct family *f, const char *why)
{
	char line[1100];

	if (f->serving)
		log_error("%s", why);
	else
		tell_starter("%s", why);
	snprintf(line, sizeof(line), "%s\n", why);
	tell_waiting(f, line);
	family_stop(f, 1);
}

void family_record(struct family *f, const char *kind, struct member *about, const char *why)
{
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	cleanup_buf struct buf packed = BUF_INIT(16384);
	struct fields fields = FIELDS_INIT(&arena);
	struct msg_audit_append m = { .kind = slice_str(kind) };
	struct member *audit = family_core(f, PROCESS_AUDIT);
	struct json object;

	if (!audit || !audit->ready || !audit->channel)
		return;
	if (about) {
		fields_text(&fields, "process", slice_str(process_name(about->role)));
		fields_u64(&fields, "pid", (uint64_t)about->pid);
	}
	fields_text(&fields, "why", slice_str(why));
	object = fields_object(&fields);
	if (fields.failed || json_pack(&packed, &object) < 0)
		return;
	m.fields = buf_slice(&packed);
	channel_send(audit->channel, MSG_audit_append, &m);
}

void family_record_state(struct family *f, uint64_t since_us, struct slice why)
{
	f->unrecorded_since_us = since_us;
	snprintf(f->unrecorded_why, sizeof(f->unrecorded_why), "%.*s", SLICE_ARG(why));
}

/* ---- wiring ---- */

static void connect_pair(struct member *a, struct member *b)
{
	int pair[2];
	struct msg_peer to_a = { .role = (uint8_t)b->role, .session = b->session }, to_b = { .role = (uint8_t)a->role };

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		log_error("no channel between %s and %s: %s", process_name(a->role), process_name(b->role), strerror(errno));
		return;
	}
	to_a.channel = pair[0];
	to_b.channel = pair[1];
	channel_send(a->channel, MSG_peer, &to_a);
	channel_send(b->channel, MSG_peer, &to_b);
	close(pair[0]);
	close(pair[1]);
}

/* The judge's word that a call may run has to be there before the server's answer, but need not wake the gateway. */
static void connect_quiet(struct member *judge, struct member *gateway)
{
	int pair[2];
	struct msg_peer_quiet to_judge = { .session = gateway->session }, to_gateway = { .session = gateway->session };

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		log_error("no second channel to a gateway: %s", strerror(errno));
		return;
	}
	to_judge.channel = pair[0];
	to_gateway.channel = pair[1];
	channel_send(judge->channel, MSG_peer_quiet, &to_judge);
	channel_send(gateway->channel, MSG_peer_quiet, &to_gateway);
	close(pair[0]);
	close(pair[1]);
}

static void connect_if_ready(struct member *a, enum process role)
{
	struct member *b = family_core(a->family, role);

	if (b && b->ready && b->channel)
		connect_pair(a, b);
}

static void on_token(void *ctx, const char *agent, const unsigned char hash[32])
{
	struct member *judge = ctx;
	struct msg_agent_token m = { .agent = slice_str(agent), .hash = slice_of(hash, 32) };

	channel_send(judge->channel, MSG_agent_token, &m);
}

/* Hands the judge these bytes as the policy; false with the reason when that cannot be done. */
static bool send_policy_bytes(struct family *f, struct slice yaml, char why[512])
{
	const struct init_options *o = f->options;
	struct member *judge = family_core(f, PROCESS_JUDGE);
	struct msg_policy m = { .request = ++f->policy_request, .path = slice_str(o->policy), .base = slice_str(o->base),
				.project = slice_str(o->project), .home = slice_str(o->home), .yaml = yaml };

	if (!judge || !judge->ready || policy_file_tokens(o, on_token, judge) < 0) {
		snprintf(why, 512, "the agents' tokens could not be read");
		return false;
	}
	if (channel_send(judge->channel, MSG_policy, &m) < 0) {
		snprintf(why, 512, "the judge could not be reached");
		return false;
	}
	return true;
}

/* Hands the judge the policy file as it is now. */
static bool send_policy(struct family *f, char why[512])
{
	return policy_file_read(f->options, &f->offered, why) == 0 && send_policy_bytes(f, buf_slice(&f->offered), why);
}

/* The judge cannot do without the record and the store: it gets its policy when all are there, in whatever order they came back. */
static void policy_if_ready(struct family *f)
{
	struct member *judge = family_core(f, PROCESS_JUDGE), *audit = family_core(f, PROCESS_AUDIT), *store = family_core(f, PROCESS_STORE);
	char why[512];

	if (f->policy_given || !judge || !judge->ready || !audit || !audit->ready || !store || !store->ready)
		return;
	f->policy_given = true;
	/* A judge that was restarted gets what was in force, whatever the file says by now. */
	if (f->serving ? !send_policy_bytes(f, buf_slice(&f->accepted), why) : !send_policy(f, why))
		family_fail(f, why);
}

static void serve_if_complete(struct family *f);

void family_on_ready(struct member *m)
{
	struct family *f = m->family;

	family_record(f, "process.start", m, NULL);
	switch ((int)m->role) {
	case PROCESS_JUDGE:
		f->policy_given = false;
		connect_if_ready(m, PROCESS_AUDIT);
		connect_if_ready(m, PROCESS_STORE);
		connect_if_ready(m, PROCESS_LAUNCHER);
		connect_if_ready(m, PROCESS_CONSOLE);
		policy_if_ready(f);
		break;
	case PROCESS_AUDIT:
		family_record_state(f, 0, (struct slice){ 0 });
		connect_if_ready(m, PROCESS_JUDGE);
		policy_if_ready(f);
		break;
	case PROCESS_STORE:
		connect_if_ready(m, PROCESS_JUDGE);
		connect_if_ready(m, PROCESS_CONSOLE);
		policy_if_ready(f);
		break;
	case PROCESS_LAUNCHER:
		connect_if_ready(m, PROCESS_JUDGE);
		break;
	case PROCESS_CONSOLE:
		connect_if_ready(m, PROCESS_JUDGE);
		connect_if_ready(m, PROCESS_STORE);
		break;
	case PROCESS_GATEWAY: {
		struct msg_gateway_setup setup = { .session = m->session, .server = slice_str(m->server), .input = m->fds[0],
						   .output = m->fds[1], .leash = m->fds[2] };
		struct member *judge = family_core(f, PROCESS_JUDGE);

		channel_send(m->channel, MSG_gateway_setup, &setup);
		for (size_t i = 0; i < 3; i++)
			fd_close(&m->fds[i]);
		if (judge && judge->ready) {
			/* The second one first: when the gateway has the first, it is complete. */
			connect_quiet(judge, m);
			connect_pair(judge, m);
		}
		break;
	}
	default:
		break;
	}
	serve_if_complete(f);
}

/* ---- what the members say ---- */

static void reload(struct family *f, uint64_t request)
{
	struct msg_reload_done done = { .request = request };
	struct member *console = family_core(f, PROCESS_CONSOLE);
	char why[512];

	if (!f->reload_request && send_policy(f, why)) {
		f->reload_request = request ? request : UINT64_MAX;
		return;
	}
	if (f->reload_request)
		snprintf(why, sizeof(why), "another reload is under way");
	log_error("the policy is kept as it was: %s", why);
	family_record(f, "policy.rejected", NULL, why);
	done.problems = slice_str(why);
	if (request && console && console->ready)
		channel_send(console->channel, MSG_reload_done, &done);
}

/* The policy is in force and everybody is connected: now clients may come. */
static void serve_if_complete(struct family *f)
{
	static const enum process needed[] = { PROCESS_AUDIT, PROCESS_STORE, PROCESS_LAUNCHER, PROCESS_JUDGE, PROCESS_CONSOLE };

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		const struct member *m = family_core(f, needed[i]);

		if (!m || !m->ready)
			return;
	}
	if (f->serving || !f->policy_accepted)
		return;
	tell_waiting(f, "ok\n");
	f->serving = true;
	tell_starter("serving %s, pid %d", f->options->policy, (int)getpid());
}

static void on_policy_result(struct family *f, const struct msg_policy_result *m)
{
	struct msg_reload_done done = { .request = f->reload_request, .ok = m->ok, .problems = m->problems };
	struct member *console = family_core(f, PROCESS_CONSOLE);
	bool offered = f->reload_request || !f->serving; /* else it is the accepted one again, for a new judge */

	if (m->ok && offered) {
		struct buf old = f->accepted;

		f->accepted = f->offered;
		f->offered = old;
	}
	if (f->serving) {
		if (!m->ok) {
			log_error("the new policy has errors; the old one stays in force");
			io_write_all(STDERR_FILENO, m->problems.ptr, m->problems.len);
		}
		if (f->reload_request && f->reload_request != UINT64_MAX && console && console->ready)
			channel_send(console->channel, MSG_reload_done, &done);
		f->reload_request = 0;
		return;
	}
	if (!m->ok) {
		const char *newline = m->problems.len ? memchr(m->problems.ptr, '\n', m->problems.len) : NULL;
		int first = newline ? (int)(newline - m->problems.ptr) : (int)m->problems.len;
		char line[1024];

		snprintf(line, sizeof(line), "the policy has errors (see `bawn check`): %.*s\n", first > 900 ? 900 : first, m->problems.ptr);
		tell_waiting(f, line);
		io_write_all(STDERR_FILENO, m->problems.ptr, m->problems.len);
		family_stop(f, 1);
		return;
	}
	f->policy_accepted = true;
	serve_if_complete(f);
}

static void write_member(const struct member *m, struct buf *out)
{
	if (buf_printf(out, "%s{\"name\":\"%s\",\"pid\":%d,\"restarts\":%u,\"ready\":%s", out->ptr[out->len - 1] == '[' ? "" : ",",
		       process_name(m->role), (int)m->pid, m->restarts, m->ready ? "true" : "false") < 0)
		return;
	if (m->role == PROCESS_GATEWAY)
		buf_printf(out, ",\"session\":%llu", (unsigned long long)m->session);
	buf_add_str(out, ",\"layers\":");
	if (confine_report_json(&m->report, m->role == PROCESS_INIT ? 0 : confine_apart(&m->report, &m->family->own), out) < 0)
		buf_add_str(out, "{}");
	buf_add_str(out, "}");
}

static void write_record_state(const struct family *f, struct buf *out)
{
	char since[32];

	if (!f->unrecorded_since_us) {
		buf_add_str(out, ",\"record\":{\"writable\":true}");
		return;
	}
	text_time(f->unrecorded_since_us, since);
	buf_printf(out, ",\"record\":{\"since\":\"%s\",\"why\":", since);
	json_write_string(out, slice_str(f->unrecorded_why));
	buf_add_str(out, ",\"writable\":false}");
}

static void on_status_ask(struct family *f, struct channel *channel, uint64_t request)
{
	cleanup_buf struct buf json = BUF_INIT(1024 * 1024);
	struct msg_status_part part = { .request = request };
	struct member self = { .family = f, .role = PROCESS_INIT, .pid = getpid(), .ready = true, .report = f->own };

	buf_add_str(&json, "\"policy\":");
	json_write_string(&json, slice_str(f->options->policy));
	buf_add_str(&json, ",\"state\":");
	json_write_string(&json, slice_str(f->options->state));
	write_record_state(f, &json);
	buf_add_str(&json, ",\"processes\":[");
	write_member(&self, &json);
	for (const struct member *m = f->members; m; m = m->next)
		write_member(m, &json);
	buf_add_str(&json, "]");
	part.json = buf_slice(&json);
	channel_send(channel, MSG_status_part, &part);
}

static void on_sessions_count(struct family *f, uint32_t sessions)
{
	if (!f->linger)
		return;
	if (sessions)
		event_del(f->linger);
	else
		event_add(f->linger, &(struct timeval){ .tv_sec = f->options->linger });
}

void family_on_message(struct member *m, struct message *message)
{
	struct family *f = m->family;
	char why[1100];

	switch ((int)message->type) {
	case MSG_fatal:
		text_format(why, sizeof(why), "%s: %.*s", process_name(m->role), SLICE_ARG(message->fatal.why));
		family_fail(f, why);
		break;
	case MSG_audit_state:
		family_record_state(f, message->audit_state.since_us, message->audit_state.why);
		break;
	case MSG_policy_result:
		on_policy_result(f, &message->policy_result);
		break;
	case MSG_gateway_spawn:
		family_start_gateway(f, &message->gateway_spawn);
		break;
	case MSG_gateway_close:
		family_close_gateway(f, message->gateway_close.session);
		break;
	case MSG_misbehaved:
		family_on_misbehaved(f, &message->misbehaved);
		break;
	case MSG_sessions_count:
		on_sessions_count(f, message->sessions_count.sessions);
		break;
	case MSG_reload:
		reload(f, message->reload.request);
		break;
	case MSG_status_ask:
		on_status_ask(f, m->channel, message->status_ask.request);
		break;
	case MSG_shutdown:
		family_stop(f, 0);
		break;
	default: /* audit's answers to entries that nobody waits for */
		break;
	}
}

/* ---- signals ---- */

static void on_end_signal(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	family_stop(arg, 0);
}

static void on_hangup(evutil_socket_t sig, short what, void *arg)
{
	struct family *f = arg;

	(void)sig;
	(void)what;
	if (f->serving && !f->stopping)
		reload(f, 0);
}

static void on_linger(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	log_info("no session for a while: the family ends");
	family_stop(arg, 0);
}

/* ---- the beginning ---- */

/* A folder beneath the state, made when missing. The descriptor, or -errno. */
static int open_folder(const char *parent, const char *name)
{
	char path[PATH_MAX];
	int r;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", parent, name) >= sizeof(path))
		return -ENAMETOOLONG;
	r = io_make_folders(path);
	if (r < 0)
		return r;
	r = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return r < 0 ? -errno : r;
}

/* Bound through the folder's descriptor, so that a long path is no obstacle. */
static int listen_control(const struct init_options *o)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_fd int folder = open(o->runtime, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;

	if (folder < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/control.sock", folder);
	if (unlinkat(folder, "control.sock", 0) < 0 && errno != ENOENT)
		return -errno;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 64) < 0)
		return -errno;
	return fd_take(&fd);
}

/* The lock is still held: it is this family's own. */
static void unlink_control(const struct init_options *o)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/control.sock", o->runtime) < sizeof(path))
		unlink(path);
}

static int open_all(struct family *f)
{
	f->binary = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	if (f->binary < 0)
		return -errno;
	f->audit_dir = open_folder(f->options->state, "audit");
	f->store_dir = open_folder(f->options->state, "store");
	f->servers_dir = open_folder(f->options->state, "servers");
	f->listener = listen_control(f->options);
	if (f->audit_dir < 0)
		return f->audit_dir;
	if (f->store_dir < 0)
		return f->store_dir;
	if (f->servers_dir < 0)
		return f->servers_dir;
	return f->listener < 0 ? f->listener : 0;
}

static int add_signals(struct family *f)
{
	static const struct { int sig; event_callback_fn handler; } handlers[] = {
		{ SIGTERM, on_end_signal }, { SIGINT, on_end_signal }, { SIGHUP, on_hangup },
	};

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
		struct event *e = evsignal_new(f->loop, handlers[i].sig, handlers[i].handler, f);

		if (!e || event_add(e, NULL) < 0)
			return -ENOMEM;
	}
	if (f->options->linger) {
		f->linger = evtimer_new(f->loop, on_linger, f);
		if (!f->linger)
			return -ENOMEM;
		on_sessions_count(f, 0);
	}
	return 0;
}

static int confine_init(struct family *f, struct confine_fault *fault)
{
	struct confine_plan plan = { .process = "init", .exec_memory = true, .open_files = OPEN_FILES,
				     .capabilities = f->root ? root_capabilities : 0 };
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max < plan.open_files)
		plan.open_files = files.rlim_max;
	return confine_self(&plan, &f->own, fault);
}

static int start_all(struct family *f)
{
	static const enum process core[] = { PROCESS_AUDIT, PROCESS_STORE, PROCESS_LAUNCHER, PROCESS_JUDGE, PROCESS_CONSOLE };

	for (size_t i = 0; i < sizeof(core) / sizeof(core[0]); i++) {
		int r = family_start(f, core[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static int run(struct family *f)
{
	cleanup_buf struct buf yaml = BUF_INIT(POLICY_FILE_MAX);
	struct confine_fault fault;
	char why[600];
	int lock = -1, r;

	if (policy_file_read(f->options, &yaml, why) < 0) {
		family_fail(f, why);
		return 1;
	}
	buf_free(&yaml);
	r = family_lock(f->options->runtime, &lock); /* held for the life of the process */
	if (r < 0) {
		snprintf(why, sizeof(why), r == -EWOULDBLOCK ? "a family serves this policy already (see `bawn status`)" :
							       "cannot lock %.400s/lock: %s", f->options->runtime, strerror(-r));
		family_fail(f, why);
		return 1;
	}
	r = open_all(f);
	if (r < 0) {
		snprintf(why, sizeof(why), "cannot prepare %.400s: %s", f->options->state, strerror(-r));
		family_fail(f, why);
		return 1;
	}
	if (confine_probe(&fault) < 0 || confine_init(f, &fault) < 0) {
		family_fail(f, fault.text);
		return 1;
	}
	if (add_signals(f) < 0 || start_all(f) < 0)
		family_fail(f, "the processes could not be started; the reason is above");
	event_base_dispatch(f->loop);
	unlink_control(f->options);
	return f->status;
}

int init_main(const struct init_options *options)
{
	struct family f = { .options = options, .binary = -1, .listener = -1, .audit_dir = -1, .store_dir = -1, .servers_dir = -1,
			    .root = geteuid() == 0, .offered = BUF_INIT(POLICY_FILE_MAX), .accepted = BUF_INIT(POLICY_FILE_MAX) };
	struct event_config *config = event_config_new();

	log_init("init", LOG_INFO);
	if (!config || sodium_init() < 0)
		return 1;
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	f.loop = event_base_new_with_config(config);
	event_config_free(config);
	return f.loop ? run(&f) : 1;
}
