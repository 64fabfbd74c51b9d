/*
 * What a Bawn process does to itself after it was exec'd and before it reads the first byte from anybody, and how it proves it.
 *
 * The layers, in the order in which they are put on: resource limits; no_new_privs; capabilities; not dumpable; Landlock; no memory
 * that turns executable; seccomp. Each is then measured by asking the kernel, and a mandatory one that is missing is a fault: nothing here
 * ever goes on with less. What a process may do stands in a table in its own source file, beside its main; what every event loop needs
 * (confine_base) is added to it.
 *
 * Landlock: landlock(7), linux/Documentation/userspace-api/landlock.rst. seccomp: seccomp(2), libseccomp.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* ---- what is wrong, for a person ---- */

/* Filled on every failure below: one printable sentence that says what is missing and how to put it right. */
struct confine_fault {
	const char *layer; /* "seccomp", "landlock", "user-namespaces", ...: one of confine's own constant names */
	int error;         /* the errno behind it, 0 when there is none */
	char text[480];
};

/* ---- seccomp rules ---- */

enum confine_check {
	CONFINE_ANY = 0, /* no condition: what an unset one is */
	CONFINE_IS,      /* argument == value */
	CONFINE_BITS,    /* (argument & mask) == value */
	CONFINE_OWN_PID, /* argument == getpid() of the process that is confined */
};

struct confine_condition {
	unsigned argument; /* 0 to 5 */
	enum confine_check check;
	uint64_t value, mask;
};

enum { CONFINE_CONDITIONS = 3 };

/*
 * One system call. Several rules for the same call are alternatives. The number is SCMP_SYS(name) from <seccomp.h>, which is also fine
 * for a call that this architecture does not have.
 */
struct confine_rule {
	int syscall;
	const char *why; /* who needs it; for a refusal, what it would give away */
	int error;       /* 0: allowed; else it is refused with this errno and the process goes on */
	struct confine_condition when[CONFINE_CONDITIONS]; /* all of them must hold; at most one for each argument */
};

/*
 * What every event loop needs: epoll, I/O on descriptors that are open already, memory that is not executable, futex, clocks, randomness,
 * exit. Never: making a socket, opening a path, executing, cloning, changing credentials or namespaces.
 */
extern const struct confine_rule confine_base[];
extern const size_t confine_base_count;

/* In addition, for a process that starts threads after it was confined (`threads` in its plan). Processes stay impossible. */
extern const struct confine_rule confine_threads[];
extern const size_t confine_threads_count;

/*
 * For init and launcher, which must make namespaces and processes: everything but these. Every sandbox inherits it, so each is refused
 * with an errno that ordinary programs cope with. Foreign system call ABIs (i386, x32) are killed.
 */
extern const struct confine_rule confine_denied[];
extern const size_t confine_denied_count;

/* ---- the plan ---- */

/* A folder or file, and what is allowed on it and beneath it: CONFINE_FS_* of landlock_abi.h, rights this kernel does not know left out. */
struct confine_path {
	int fd; /* O_PATH is enough; stays the caller's */
	uint64_t access;
};

struct confine_plan {
	const char *process;              /* "gateway", ...: for sentences */
	const struct confine_rule *allow; /* in addition to confine_base: every other call kills the process with SIGSYS. NULL: confine_denied */
	size_t allow_count;
	bool threads;
	bool landlock; /* false only for init and launcher: a Landlock domain may not mount, and is inherited */
	const struct confine_path *paths;
	size_t path_count;
	bool exec_memory;      /* true only for init and launcher. false: PROT_EXEC is refused by seccomp, and by the kernel where it can */
	bool dies_with_parent; /* demand that confine_spawn's parent-death signal is set; false only for init */
	uint64_t capabilities; /* those it may keep, 1 << CAP_*; 0 for everybody but init and launcher running as root */
	uint64_t open_files;   /* RLIMIT_NOFILE, not 0; core files are always 0 bytes */
	uint64_t memory;       /* RLIMIT_DATA in bytes; 0: as it is. Not applied under a sanitizer */
	uint64_t locked;       /* RLIMIT_MEMLOCK in bytes, lowered only; 0: as it is */
};

/* ---- the report ---- */

enum confine_namespace {
	CONFINE_NS_USER,
	CONFINE_NS_MOUNT,
	CONFINE_NS_PID,
	CONFINE_NS_NET,
	CONFINE_NS_IPC,
	CONFINE_NS_UTS,
	CONFINE_NS_CGROUP,
	CONFINE_NAMESPACES
};

/*
 * What the kernel says, not what the plan asked for. Plain numbers of fixed width, so that it can travel in a message between processes of
 * the same binary; those that answer yes or no are 1 or 0.
 */
struct confine_report {
	uint8_t seccomp;           /* mode: 0 none, 2 filter */
	uint8_t filters;           /* seccomp filters in force, the inherited ones included */
	uint8_t filters_inherited; /* of these, in force before confine_self */
	uint8_t no_new_privs;
	uint8_t dumpable;
	uint8_t exec_refused;    /* PR_GET_MDWE: the kernel itself refuses to make memory executable (6.3) */
	uint8_t landlock;        /* the ABI that landlock_restrict_self accepted; 0: no domain of its own */
	uint8_t files_refused;   /* a path that could be opened before could not be opened afterwards */
	uint8_t tcp_refused;     /* likewise binding a TCP port (Landlock ABI 4) */
	uint8_t scoped;          /* abstract unix sockets and signals outside are refused (Landlock ABI 6) */
	uint8_t death_signal;    /* what it gets when its parent dies */
	uint32_t uid;            /* as its own user namespace sees it */
	uint64_t capabilities;   /* permitted, effective, inheritable and ambient together */
	uint64_t bounding;       /* what an exec could give at most */
	uint64_t open_files, core_bytes;         /* limits */
	uint64_t namespaces[CONFINE_NAMESPACES]; /* the kernel's number of each; compare two reports with confine_apart */
};

/*
 * Puts on all layers of the plan and measures them. Call once, single-threaded, after exec, before the first foreign byte. 0; else
 * -errno with the fault filled, and the process must exit at once: it is half confined.
 */
int confine_self(const struct confine_plan *plan, struct confine_report *ret_report, struct confine_fault *ret_fault);

/* The namespaces in which two processes differ: a set of 1 << CONFINE_NS_*. */
uint32_t confine_apart(const struct confine_report *a, const struct confine_report *b);

/*
 * Holds a report that a process sent against what init asked for when it spawned it: `wanted` is a set of 1 << CONFINE_NS_* in which it must
 * differ from `own`. 0, or -EPERM with the fault filled.
 */
int confine_check_apart(const char *process, const struct confine_report *report, const struct confine_report *own, uint32_t wanted,
			struct confine_fault *ret_fault);

/* "user", "mount", "pid", "net", "ipc", "uts", "cgroup". */
const char *confine_namespace_name(enum confine_namespace ns);

/* Appends a report as one JSON object. `apart` is what confine_apart gave for it and init. 0 or a buf error. */
int confine_report_json(const struct confine_report *report, uint32_t apart, struct buf *out);

/*
 * Asked once when Bawn starts: can this kernel, in this container, for this user, do what is mandatory (user namespaces with mounts in
 * them, seccomp filters, Landlock ABI 2)? 0, or -errno with a sentence that names what is missing and the setting that enables it.
 */
int confine_probe(struct confine_fault *ret_fault);
