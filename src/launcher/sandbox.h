/*
 * The sandbox: one program with its own file view, processes, network (none), IPC, host name and user, built by a single clone3
 * from a finished plan. Nothing here reads policy: what the plan does not name, the program does not have.
 *
 * What is inside: /usr, /bin, /lib* read-only; a minimal /etc; private /tmp, /var/tmp, /run and /dev/shm; a new read-only /proc
 * without the host's particulars; five harmless nodes in /dev; the plan's mounts. No /sys, no home folder, no terminal, no
 * descriptor but the three pipes. See docs/sandbox.md for each layer and what it stops.
 *
 * Single-threaded: the thread that starts a sandbox is the one whose death ends it (prctl(2), PR_SET_PDEATHSIG).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One folder, file or socket of the host, shown inside. Nothing is created on the host for it. */
struct sandbox_mount {
	const char *host; /* absolute; must exist, symbolic links are followed once, when the sandbox starts */
	const char *at;   /* absolute path inside, no "." or ".." part, no symbolic link on the way */
	bool writable;
	bool workspace; /* what the program works on, not a part of it: see sandbox_code.h */
	const char *beneath; /* absolute folder that `host` begins with and may not lead out of, by links or otherwise; NULL: anywhere */
};

/* 0 means the default. A value above what the launcher itself has is a fault. */
struct sandbox_limits {
	uint64_t open_files;    /* descriptors of one process; default 1024, at most 4096 */
	uint64_t processes;     /* processes and threads of the whole sandbox; default 512 */
	uint64_t file_size;     /* bytes of the largest file; default 4 GiB */
	uint64_t memory;        /* bytes of private writable memory of one process (RLIMIT_DATA); default 8 GiB */
	uint64_t address_space; /* bytes of one process's addresses; default unlimited: Node, Java and Go reserve far too much */
	uint64_t scratch;       /* bytes of /tmp, /var/tmp, /run and /dev/shm together; default 256 MiB */
};

/* All borrowed until sandbox_start returns. */
struct sandbox_plan {
	const char *name; /* for messages only */
	/* NULL-terminated; argv[0] without "/" is looked for inside, in /usr/local/bin:/usr/bin:/bin and the sbins. */
	char *const *argv;
	char *const *env;    /* NULL-terminated "NAME=value"; exactly this, nothing is added */
	const char *workdir; /* absolute path inside; NULL is "/" */
	const struct sandbox_mount *mounts;
	size_t mount_count; /* at most SANDBOX_MOUNTS_MAX */
	struct sandbox_limits limits;
	/*
	 * Local sockets with a name. A program that may make one can connect to any that a host process keeps in a folder that is
	 * shown; before Landlock ABI 9 (Linux 7.1) nothing else keeps it from that. So false refuses them on older kernels; pairs,
	 * which have no name, always work.
	 */
	bool local_sockets;
};

#define SANDBOX_MOUNTS_MAX 128

/*
 * What stands around a started sandbox. sandbox_start fails when a mandatory one cannot be had; only SANDBOX_IDMAP depends on
 * who runs Bawn.
 */
enum sandbox_layer {
	SANDBOX_USER_NS = 1u << 0,
	SANDBOX_MOUNT_NS = 1u << 1,
	SANDBOX_PID_NS = 1u << 2,
	SANDBOX_NET_NS = 1u << 3,
	SANDBOX_IPC_NS = 1u << 4,
	SANDBOX_UTS_NS = 1u << 5,
	SANDBOX_CGROUP_NS = 1u << 6,
	SANDBOX_NO_CAPABILITIES = 1u << 7,
	SANDBOX_NO_NEW_PRIVS = 1u << 8,
	SANDBOX_SECCOMP = 1u << 9,
	SANDBOX_LANDLOCK = 1u << 10,
	SANDBOX_IDMAP = 1u << 11, /* Bawn is root: own kernel user, files through idmapped mounts */
};

/* A short name of one layer, "seccomp". */
const char *sandbox_layer_name(enum sandbox_layer layer);

struct sandbox {
	pid_t pid;      /* the sandbox's process 1, as the launcher sees it; not reaped before sandbox_reap or sandbox_end */
	int pidfd;      /* readable when everything inside has ended */
	int stdin_fd;   /* writing end */
	int stdout_fd;  /* reading end */
	int stderr_fd;  /* reading end; its bytes belong into a side log (side_log.h), never to an agent */
	unsigned layers; /* enum sandbox_layer, or-ed */
	uint32_t uid;   /* the kernel's user of everything inside */
	int slot;       /* which range of users, -1 when Bawn is not root */
	int status_fd;  /* until sandbox_ready: readable when it runs, or when it is known why not */
	int go_fd;      /* until sandbox_ready: ours to hold */
	uint8_t code[32]; /* the digest of its code as mounted, see sandbox_code.h; zeros when it runs nothing */
};

enum { SANDBOX_READY_MS = 60000 };

#define SANDBOX_NONE ((struct sandbox){ .pid = -1, .pidfd = -1, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1, .slot = -1, .status_fd = -1, .go_fd = -1 })

/* What went wrong, for people: one printable line that says what, where and what to do. */
struct sandbox_fault {
	int error; /* errno of the operation, positive */
	char text[480];
};

/* Everything that is made once and used for each sandbox: the compiled filter, the list of masks, the users in use. */
struct sandbox_maker;

/* 0 with *ret_maker (sandbox_maker_free), else -errno and *fault. Opens no descriptor that stays open. */
int sandbox_maker_new(struct sandbox_maker **ret_maker, struct sandbox_fault *fault);
void sandbox_maker_free(struct sandbox_maker *maker);

/*
 * Can this machine do it? Builds a whole sandbox, with every layer, that runs nothing. 0, or -errno and a fault that names the
 * missing layer and how to enable it (user namespaces and their sysctls, AppArmor's restriction, a container's seccomp filter or
 * masked /proc, idmapped mounts).
 */
int sandbox_probe(struct sandbox_maker *maker, struct sandbox_fault *fault);

/*
 * Begins to build the sandbox, which goes on by itself: reading the program's code can take seconds. 0, or -errno and *fault.
 * Descriptors are close-on-exec; the pipes' ends here are non-blocking. The sandbox dies with this thread.
 */
int sandbox_begin(struct sandbox_maker *maker, const struct sandbox_plan *plan, struct sandbox *ret_sandbox, struct sandbox_fault *fault);

/*
 * After status_fd became readable: 0 when execve has succeeded inside (the program's first instruction), or -errno and *fault, and the
 * sandbox has ended. -ENOENT: the command or a mount's host path does not exist.
 */
int sandbox_ready(struct sandbox_maker *maker, struct sandbox *sandbox, struct sandbox_fault *fault);

/* Both, waiting in between: -ETIMEDOUT when it is not ready within SANDBOX_READY_MS. */
int sandbox_start(struct sandbox_maker *maker, const struct sandbox_plan *plan, struct sandbox *ret_sandbox,
		  struct sandbox_fault *fault);

/* Ends everything inside, at once. Safe to repeat; pidfd becomes readable. */
void sandbox_kill(const struct sandbox *sandbox);

/*
 * After pidfd became readable: 0 with how the program ended, 0..255 (128 + signal when a signal ended it), as a shell has it;
 * -EAGAIN while it runs. The user range is free again after this; the descriptors stay the caller's.
 */
int sandbox_reap(struct sandbox_maker *maker, struct sandbox *sandbox, int *ret_status);

/* Kills, waits, reaps, closes all descriptors, and leaves SANDBOX_NONE. Nothing is left on the machine. */
void sandbox_end(struct sandbox_maker *maker, struct sandbox *sandbox);

/*
 * For whoever confines the launcher: the capabilities (bit N is capability N) that starting needs. 0 when Bawn is not root: a new
 * user namespace brings its own. As root: CAP_SYS_ADMIN (idmapped mounts), CAP_SETUID and CAP_SETGID (user maps),
 * CAP_DAC_READ_SEARCH (opening the plan's paths).
 */
uint64_t sandbox_capabilities(void);
