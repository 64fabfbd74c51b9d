/*
 * Runs every attack of attacks.h outside and inside a sandbox, as whoever starts it and, when that is root, once more as an
 * ordinary user.
 *
 *   run ATTACKS [NAME...]     ATTACKS: the attacking program; NAME: only these
 *
 * An attack passes when it succeeds outside and is refused inside with an errno that its line names. One that does not even succeed
 * outside proves nothing, and fails; where the kernel has nothing to attack, it is skipped and said so. Last line: "N passed, N
 * failed".
 */
#include "attacks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "launcher/sandbox.h"

enum { ORDINARY_USER = 65534, LEAKED_FD = 50, TARGETS = 16 };

struct attack {
	const char *name;
	enum control control;
	const char *refusals;
};

static const struct attack attacks[] = {
#define ATTACK(name, control, refusals) { #name, control, refusals },
	ATTACKS(ATTACK)
#undef ATTACK
};

/* What there is to attack. */
static struct {
	char folder[64];
	char program[96];
	pid_t victim, giver;
	int shm, port, port6;
	char queue[64], abstract[64], handle[512];
	bool routed;
} world;

static struct sandbox_maker *maker;

static void die(const char *what)
{
	fprintf(stderr, "escape tests: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *check(const char *what, long result)
{
	if (result < 0)
		die(what);
	return NULL;
}

/* ---- the world outside ---- */

static const char *place(const char *name)
{
	static char paths[4][160];
	static unsigned turn;
	char *path = paths[turn++ % 4];

	snprintf(path, sizeof(paths[0]), "%s%s%s", world.folder, name[0] ? "/" : "", name);
	return path;
}

static void make_file(const char *name, const char *content, mode_t mode)
{
	int fd = open(place(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	check(name, fd);
	check(name, io_write_all(fd, content, strlen(content)));
	close(fd);
}

static void copy_program(const char *from)
{
	cleanup_buf struct buf bytes = BUF_INIT(64u << 20);
	int in = open(from, O_RDONLY | O_CLOEXEC), out;

	check(from, in);
	check(from, io_read_all(in, &bytes));
	snprintf(world.program, sizeof(world.program), "%s", place("attacks"));
	out = open(world.program, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	check("attacks", out);
	check("attacks", io_write_all(out, bytes.ptr, bytes.len));
	close(in);
	close(out);
}

static int bind_unix(const struct sockaddr_un *at, socklen_t len, int type)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	check("unix socket", bind(fd, (const struct sockaddr *)at, len));
	if (type == SOCK_STREAM)
		check("unix socket", listen(fd, 100));
	return fd;
}

static int bind_path(const char *path, int type)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd;

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	fd = bind_unix(&at, sizeof(at), type);
	check(path, chmod(path, 0777));
	return fd;
}

/* Hands the folder above the workspace to whoever connects: only Landlock is left between a sandbox and what lies there. */
static void give_folders(int listener)
{
	int folder = open(world.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char byte = 'x', control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &folder, sizeof(folder));
	for (;;) {
		int client = accept(listener, NULL, NULL);

		if (client >= 0 && sendmsg(client, &msg, MSG_NOSIGNAL) < 0)
			_exit(1);
		close(client);
	}
}

static int listen_tcp(int family)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr *at = family == AF_INET6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
	socklen_t len = family == AF_INET6 ? sizeof(v6) : sizeof(v4);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, at, len) < 0 || listen(fd, 100) < 0 || getsockname(fd, at, &len) < 0)
		return 0;
	return ntohs(family == AF_INET6 ? v6.sin6_port : v4.sin_port);
}

static bool has_route(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(0xc0000201) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool routed = connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;

	close(fd);
	return routed;
}

static void take_handle(void)
{
	struct file_handle *handle = calloc(1, sizeof(*handle) + MAX_HANDLE_SZ);
	int mount_id;

	handle->handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(AT_FDCWD, place("secret"), handle, &mount_id, 0) == 0)
		for (unsigned i = 0; i < sizeof(*handle) + handle->handle_bytes; i++)
			snprintf(world.handle + 2 * i, 3, "%02x", ((unsigned char *)handle)[i]);
	free(handle);
}

static pid_t helper(void)
{
	pid_t pid = fork();

	check("fork", pid);
	return pid;
}

static void world_make(const char *program)
{
	struct sockaddr_un abstract = { .sun_family = AF_UNIX };
	struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = 1 };
	int giver, leaked;

	snprintf(world.folder, sizeof(world.folder), "/tmp/bawn-escape-XXXXXX");
	if (!mkdtemp(world.folder))
		die("mkdtemp");
	check("folder", chmod(world.folder, 0711));
	check("work", mkdir(place("work"), 0755));
	check("ro", mkdir(place("ro"), 0755));
	check("scratch", mkdir(place("scratch"), 0755));
	make_file("secret", "secret\n", 0600);
	make_file("ro/file", "read me\n", 0644);
	copy_program(program);
	leaked = open(place("secret"), O_RDONLY);
	check("leaked descriptor", dup2(leaked, LEAKED_FD));
	close(leaked);
	check("environment", setenv("BAWN_ESCAPE_SECRET", "secret", 1));
	snprintf(world.queue, sizeof(world.queue), "/bawn-escape-%d", (int)getpid());
	mq_open(world.queue, O_RDWR | O_CREAT, 0600, &attr);
	world.shm = 0x42000000 + (int)getpid();
	shmget(world.shm, 1, IPC_CREAT | 0600);
	syscall(SYS_add_key, "user", "bawn-escape", "secret", 6, KEY_SPEC_USER_KEYRING);
	snprintf(world.abstract, sizeof(world.abstract), "bawn-escape-%d", (int)getpid());
	memcpy(abstract.sun_path + 1, world.abstract, strlen(world.abstract));
	bind_unix(&abstract, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(world.abstract)), SOCK_STREAM);
	bind_path(place("socket"), SOCK_STREAM);
	bind_path(place("work/mailbox"), SOCK_DGRAM);
	giver = bind_path(place("work/giver"), SOCK_STREAM);
	world.port = listen_tcp(AF_INET);
	world.port6 = listen_tcp(AF_INET6);
	world.routed = has_route();
	take_handle();
	world.victim = helper();
	if (world.victim == 0)
		for (;;)
			pause();
	world.giver = helper();
	if (world.giver == 0)
		give_folders(giver);
	close(giver);
}

static void world_end(void)
{
	char rm[] = "/bin/rm", rf[] = "-rf", *argv[] = { rm, rf, world.folder, NULL };
	pid_t pid;

	kill(world.victim, SIGKILL);
	kill(world.giver, SIGKILL);
	mq_unlink(world.queue);
	shmctl(shmget(world.shm, 1, 0), IPC_RMID, NULL);
	pid = helper();
	if (pid == 0) {
		execv(rm, argv);
		_exit(1);
	}
	while (wait(NULL) > 0)
		;
}

/* The arguments of an attack. Inside, paths of what is shown are those of the sandbox; of everything else, those outside. */
static void targets_make(char *const argv[TARGETS], const char *name, bool inside)
{
	int i = 1;

	snprintf(argv[0], 256, "%s", inside ? "/attacks" : world.program);
	snprintf(argv[i++], 256, "%s", name);
	snprintf(argv[i++], 256, "secret=%s", place("secret"));
	snprintf(argv[i++], 256, "work=%s", inside ? "/work" : place("work"));
	snprintf(argv[i++], 256, "ro=%s", inside ? "/ro" : place("ro"));
	snprintf(argv[i++], 256, "scratch=%s", inside ? "/tmp" : place("scratch"));
	snprintf(argv[i++], 256, "mask=%s", inside ? "/proc/cmdline" : place("ro"));
	snprintf(argv[i++], 256, "socket=%s", place("socket"));
	snprintf(argv[i++], 256, "victim=%d", (int)world.victim);
	snprintf(argv[i++], 256, "shm=%d", world.shm);
	snprintf(argv[i++], 256, "queue=%s", world.queue);
	snprintf(argv[i++], 256, "abstract=%s", world.abstract);
	snprintf(argv[i++], 256, "port=%d", world.port);
	snprintf(argv[i++], 256, "port6=%d", world.port6);
	snprintf(argv[i++], 256, "routed=%d", world.routed);
	snprintf(argv[i++], 600, "handle=%s", world.handle);
}

static char **targets_new(const char *name, bool inside)
{
	char **argv = calloc(TARGETS + 1, sizeof(char *));

	for (int i = 0; i < TARGETS; i++)
		argv[i] = calloc(1, 600);
	targets_make(argv, name, inside);
	return argv;
}

static void targets_free(char **argv)
{
	for (int i = 0; i < TARGETS; i++)
		free(argv[i]);
	free(argv);
}

/* Is `said` one of the words? "-" is any. */
static bool named(const char *refusals, const char *said)
{
	size_t len = strlen(said);

	for (const char *p = refusals; len && (p = strstr(p, said)); p += len)
		if ((p == refusals || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
			return true;
	return strcmp(refusals, "-") == 0;
}

/* ---- one attack ---- */

struct outcome {
	int status; /* ATTACK_*, or 128 + signal */
	char said[512];
};

/* Reads what the attack prints to its end. */
static void listen_to(int fd, struct outcome *outcome)
{
	size_t used = 0;

	for (;;) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		ssize_t n;

		poll(&wait, 1, -1);
		n = read(fd, outcome->said + used, sizeof(outcome->said) - 1 - used);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	outcome->said[used] = '\0';
}

/* Root of fresh user, mount, network and host name namespaces, with the read-only folder mounted as the sandbox has it. */
static void become_namespaced(void)
{
	char line[64];
	unsigned uid = geteuid(), gid = getegid();
	const char *files[] = { "/proc/self/setgroups", "/proc/self/uid_map", "/proc/self/gid_map" };

	check("unshare", unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC));
	for (int i = 0; i < 3; i++) {
		int fd = open(files[i], O_WRONLY | O_CLOEXEC);

		snprintf(line, sizeof(line), i == 0 ? "deny" : "0 %u 1", i == 1 ? uid : gid);
		check(files[i], fd);
		check(files[i], io_write_all(fd, line, strlen(line)));
		close(fd);
	}
	check("bind", mount(place("ro"), place("ro"), NULL, MS_BIND, NULL));
	check("bind", mount(NULL, place("ro"), NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
}

static void become_control(enum control control)
{
	struct rlimit files;

	if (control == CONTROL_NAMESPACED)
		become_namespaced();
	if (control == CONTROL_UNPRIVILEGED && geteuid() == 0 &&
	    (setgroups(0, NULL) < 0 || setresgid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER) < 0 ||
	     setresuid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER) < 0))
		die("setresuid");
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = 512;
	setrlimit(RLIMIT_NOFILE, &files);
}

static void run_outside(const struct attack *attack, struct outcome *outcome)
{
	char **argv = targets_new(attack->name, false);
	int out[2], status;
	pid_t pid;

	check("pipe", pipe2(out, O_CLOEXEC));
	pid = helper();
	if (pid == 0) {
		dup2(out[1], 1);
		become_control(attack->control);
		execv(argv[0], argv);
		_exit(101);
	}
	close(out[1]);
	/* Its end first: a survivor keeps the pipe open. */
	waitpid(pid, &status, 0);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	{
		ssize_t n = read(out[0], outcome->said, sizeof(outcome->said) - 1);

		outcome->said[n > 0 ? n : 0] = '\0';
	}
	close(out[0]);
	outcome->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	targets_free(argv);
}

static void run_inside(const struct attack *attack, struct outcome *outcome)
{
	static char *const env[] = { NULL };
	char **argv = targets_new(attack->name, true);
	const struct sandbox_mount mounts[] = {
		{ .host = place("work"), .at = "/work", .writable = true },
		{ .host = place("ro"), .at = "/ro" },
		{ .host = world.program, .at = "/attacks" },
	};
	const struct sandbox_plan plan = {
		.name = attack->name,
		.argv = argv,
		.env = env,
		.mounts = mounts,
		.mount_count = 3,
		.local_sockets = named(LOCAL_SOCKETS, attack->name),
		.limits = { .open_files = 64, .processes = 64, .file_size = 1u << 20, .memory = 64u << 20, .scratch = 1u << 20 },
	};
	struct sandbox sandbox = SANDBOX_NONE;
	struct sandbox_fault fault;
	struct pollfd ended;

	if (sandbox_start(maker, &plan, &sandbox, &fault) < 0) {
		outcome->status = 102;
		snprintf(outcome->said, sizeof(outcome->said), "%s", fault.text);
	} else {
		ended = (struct pollfd){ .fd = sandbox.pidfd, .events = POLLIN };
		listen_to(sandbox.stdout_fd, outcome);
		poll(&ended, 1, -1);
		sandbox_reap(maker, &sandbox, &outcome->status);
		sandbox_end(maker, &sandbox);
	}
	targets_free(argv);
}

/* ---- what the harness itself looks at ---- */

/* Is the lock of `survive` still held? With `end`, whoever holds it is ended. */
static bool survivor(bool end)
{
	cleanup_fd int fd = open(place("work/lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	bool held = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;
	char pid[16] = "";

	if (held && end && read(fd, pid, sizeof(pid) - 1) > 0)
		kill((pid_t)strtol(pid, NULL, 10), SIGKILL);
	unlink(place("work/lock"));
	return held;
}

static bool victim_lives(void)
{
	return waitpid(world.victim, NULL, WNOHANG) == 0;
}

/* ---- judging ---- */

static int passed, failed, skipped;

static void verdict(const struct attack *attack, bool good, const char *what)
{
	printf("%s %-26s %s\n", good ? "ok  " : "FAIL", attack->name, what);
	if (good)
		passed++;
	else
		failed++;
	fflush(stdout);
}

static bool control_possible(const struct attack *attack)
{
	return attack->control != CONTROL_NONE && (attack->control != CONTROL_ROOT || geteuid() == 0);
}

/* True when the attack is worth running inside: it succeeds outside, or cannot be shown to here. */
static bool control_judged(const struct attack *attack)
{
	struct outcome out = { 0 };
	char why[640];
	bool survives = strcmp(attack->name, "survive") == 0;

	if (!control_possible(attack))
		return true;
	run_outside(attack, &out);
	if (survives && !survivor(true))
		out.status = ATTACK_REFUSED;
	if (out.status == ATTACK_SUCCEEDED)
		return true;
	if (out.status == ATTACK_IMPOSSIBLE) {
		printf("skip %-26s nothing to attack on this machine\n", attack->name);
		skipped++;
		return false;
	}
	snprintf(why, sizeof(why), "proves nothing: outside the sandbox it fails too (status %d, %s)", out.status, out.said);
	verdict(attack, false, why);
	return false;
}

static void attack_judge(const struct attack *attack)
{
	struct outcome in = { 0 };
	char what[800];
	bool good;

	if (!control_judged(attack))
		return;
	run_inside(attack, &in);
	if (in.status == 128 + SIGSYS)
		snprintf(in.said, sizeof(in.said), "SIGSYS");
	good = (in.status == ATTACK_REFUSED || in.status == 128 + SIGSYS) && named(attack->refusals, in.said);
	if (strcmp(attack->name, "survive") == 0)
		good = in.status == ATTACK_SUCCEEDED && !survivor(true);
	if (!victim_lives()) {
		verdict(attack, false, "a process outside was killed");
		exit(1);
	}
	snprintf(what, sizeof(what), "%s%s%s", good ? "refused: " : "", in.said,
		 control_possible(attack) ? "" : " (no control run as this user)");
	if (!good)
		snprintf(what, sizeof(what), "status %d, %s; expected %s", in.status, in.said, attack->refusals);
	verdict(attack, good, what);
}

/* ---- seen from outside ---- */

/* The program in a sandbox: the only child of its process 1. */
static pid_t program_of(pid_t process_1)
{
	char path[64], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)process_1, (int)process_1);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		die(path);
	close(fd);
	return (pid_t)strtol(text, NULL, 10);
}

static bool status_holds(pid_t pid, const char *line)
{
	cleanup_buf struct buf text = BUF_INIT(65536);
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	return io_read_file(AT_FDCWD, path, &text) == 0 && buf_add_char(&text, '\0') == 0 && strstr(text.ptr, line);
}

static bool oom_adjusted(pid_t pid)
{
	cleanup_buf struct buf text = BUF_INIT(64);
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	return io_read_file(AT_FDCWD, path, &text) == 0 && slice_eq(buf_slice(&text), SLICE("500\n"));
}

static bool namespace_differs(pid_t pid, const char *name)
{
	char path[64], theirs[64] = "", ours[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
	if (readlink(path, theirs, sizeof(theirs) - 1) <= 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	return readlink(path, ours, sizeof(ours) - 1) > 0 && strcmp(ours, theirs) != 0;
}

static void seen_from_outside(void)
{
	static const char *const spaces[] = { "user", "mnt", "pid", "net", "ipc", "uts", "cgroup" };
	static const char none[] = "\t0000000000000000\n";
	static char *const env[] = { NULL };
	char sleep[] = "sleep", time[] = "1000", line[128], *argv[] = { sleep, time, NULL };
	const struct sandbox_plan plan = { .name = "outside", .argv = argv, .env = env };
	struct sandbox sandbox = SANDBOX_NONE;
	struct sandbox_fault fault;
	pid_t both[2];

	if (sandbox_start(maker, &plan, &sandbox, &fault) < 0) {
		verdict(&(struct attack){ .name = "seen_from_outside" }, false, fault.text);
		return;
	}
	both[0] = sandbox.pid;
	both[1] = program_of(sandbox.pid);
	for (int i = 0; i < 2; i++) {
		static const char *const sets[] = { "CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:" };
		const char *who = i ? "of the program" : "of process 1";

		for (size_t s = 0; s < 5; s++) {
			snprintf(line, sizeof(line), "\n%s%s", sets[s], none);
			verdict(&(struct attack){ .name = sets[s] }, status_holds(both[i], line), who);
		}
		verdict(&(struct attack){ .name = "NoNewPrivs" }, status_holds(both[i], "\nNoNewPrivs:\t1\n"), who);
		verdict(&(struct attack){ .name = "Seccomp" }, status_holds(both[i], "\nSeccomp:\t2\n"), who);
		snprintf(line, sizeof(line), "\nUid:\t%u\t%u\t%u\t%u\n", sandbox.uid, sandbox.uid, sandbox.uid, sandbox.uid);
		verdict(&(struct attack){ .name = "Uid" }, sandbox.uid != 0 && status_holds(both[i], line), who);
	}
	/* An ordinary user's groups cannot be taken away: giving up one could give a right that it denies. */
	verdict(&(struct attack){ .name = "expendable" }, oom_adjusted(both[1]), "goes first when memory runs out");
	if (geteuid() == 0)
		verdict(&(struct attack){ .name = "Groups" }, status_holds(both[1], "\nGroups:\t \n"), "none");
	for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++)
		verdict(&(struct attack){ .name = spaces[i] }, namespace_differs(both[1], spaces[i]), "namespace of its own");
	sandbox_end(maker, &sandbox);
	verdict(&(struct attack){ .name = "ended" }, kill(both[1], 0) < 0 && errno == ESRCH, "nothing is left");
}

/*
 * What the host mounts beneath a shown folder after the start does not appear inside, even where the host's mounts are shared. In a
 * mount namespace of its own, so that the machine's mounts stay as they are; as root only, since another's mounts are never shared
 * with a sandbox.
 */
static int late_mount(void)
{
	static char *const env[] = { NULL };
	char cat[] = "sh", c[] = "-c", line[] = "read x; test ! -e /ro/late/file", *argv[] = { cat, c, line, NULL };
	const struct sandbox_mount mount_ro = { .host = place("ro"), .at = "/ro" };
	const struct sandbox_plan plan = { .name = "late_mount", .argv = argv, .env = env, .mounts = &mount_ro, .mount_count = 1 };
	struct sandbox sandbox = SANDBOX_NONE;
	struct sandbox_fault fault;
	struct pollfd ended;
	int status = 1;

	check("unshare", unshare(CLONE_NEWNS));
	check("private", mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL));
	check("late", mkdir(place("ro/late"), 0755));
	check("bind", mount(place("ro"), place("ro"), NULL, MS_BIND, NULL));
	check("shared", mount(NULL, place("ro"), NULL, MS_SHARED, NULL));
	if (sandbox_start(maker, &plan, &sandbox, &fault) < 0)
		return 1;
	check("tmpfs", mount("none", place("ro/late"), "tmpfs", 0, NULL));
	make_file("ro/late/file", "x", 0644);
	check("write", write(sandbox.stdin_fd, "\n", 1));
	ended = (struct pollfd){ .fd = sandbox.pidfd, .events = POLLIN };
	poll(&ended, 1, -1);
	sandbox_reap(maker, &sandbox, &status);
	sandbox_end(maker, &sandbox);
	return status;
}

static void late_mount_judge(void)
{
	int status;
	pid_t pid = helper();

	if (pid == 0)
		_exit(late_mount());
	waitpid(pid, &status, 0);
	verdict(&(struct attack){ .name = "late_mount" }, WIFEXITED(status) && WEXITSTATUS(status) == 0,
		"a later mount of the host does not appear");
}

/* ---- */

static bool wanted(const char *name, char **names)
{
	if (!names[0])
		return true;
	for (; *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

static void on_signal(int number)
{
	(void)number;
}

static int run_all(const char *program, char **names)
{
	const struct sigaction handled = { .sa_handler = on_signal };
	const gid_t group = ORDINARY_USER - 1;
	struct sandbox_fault fault;

	/* Things that a launcher may have and a sandbox must not: a supplementary group, a signal handler. */
	if (geteuid() == 0)
		check("setgroups", setgroups(1, &group));
	check("sigaction", sigaction(SIGUSR1, &handled, NULL));

	printf("# as user %u\n", (unsigned)geteuid());
	if (sandbox_maker_new(&maker, &fault) < 0 || sandbox_probe(maker, &fault) < 0) {
		printf("FAIL no sandbox here: %s\n", fault.text);
		return 1;
	}
	world_make(program);
	if (!names[0])
		seen_from_outside();
	if (!names[0] && geteuid() == 0)
		late_mount_judge();
	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++)
		if (wanted(attacks[i].name, names))
			attack_judge(&attacks[i]);
	world_end();
	sandbox_maker_free(maker);
	printf("%d passed, %d failed (%d skipped)\n", passed, failed, skipped);
	return failed ? 1 : 0;
}

/*
 * Root's second run: the same program as an ordinary user. Both files are opened before, since their folders may be closed to
 * that user.
 */
static int run_ordinary(const char *program, char **names)
{
	int self = open("/proc/self/exe", O_RDONLY), attacking = open(program, O_RDONLY), status;
	char path[32], *argv[200] = { (char *)"run", path };
	pid_t pid;

	for (int i = 0; names[i] && i < 190; i++)
		argv[i + 2] = names[i];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", attacking);
	pid = helper();
	if (pid == 0) {
		if (setgroups(0, NULL) < 0 || setresgid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER) < 0 ||
		    setresuid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER) < 0 || chdir("/") < 0)
			die("setresuid");
		fcntl(self, F_SETFD, FD_CLOEXEC);
		fexecve(self, argv, environ);
		die("fexecve");
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	int status;

	if (argc < 2) {
		fprintf(stderr, "usage: run ATTACKS [NAME...]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	status = run_all(argv[1], argv + 2);
	if (geteuid() == 0 && run_ordinary(argv[1], argv + 2) != 0)
		status = 1;
	return status;
}
