/*
 * Starts one of Bawn's processes: clone3 into its namespaces, then execveat of Bawn's own binary with exactly the descriptors it needs.
 * Used by init, from its only thread: the parent-death signal follows the thread that cloned.
 *
 * The child: standard input and output are /dev/null, standard error is `log`; descriptors 3, 4, ... are those given, in order;
 * every other one is closed. Signals are at their defaults and unblocked, the working folder is "/", the environment is one fixed
 * variable. It is killed when init dies. With CLONE_NEWPID it is process 1 of its namespace: a signal that it does not handle,
 * SIGKILL apart, does not reach it, and what it starts dies with it; but /proc still counts as outside, so that a process which looks for
 * others by number there (launcher, writing user maps) must not have it.
 */
#pragma once

#include <sys/types.h>

#include "confine/confine.h"

enum confine_user {
	/* The user Bawn runs as; in its own user namespace, if one is asked for, mapped to itself alone. */
	CONFINE_USER_SELF,
	/*
	 * For a process that needs no files: when Bawn runs as the machine's root, an unprivileged user that nobody else is, one for each
	 * `slot`; for an ordinary user, or root of a namespace that stands for one, the same as CONFINE_USER_SELF. Needs CLONE_NEWUSER.
	 */
	CONFINE_USER_HIGH,
};

enum { CONFINE_SLOTS = 4096 };

struct confine_spawn {
	const char *process;     /* for sentences */
	int binary;              /* Bawn's own, opened O_PATH | O_CLOEXEC; stays the caller's */
	const char *const *argv; /* NULL-terminated */
	const int *fds;          /* become 3, 4, ...; stay the caller's */
	size_t fd_count;
	int log;             /* becomes standard error; -1: /dev/null */
	uint64_t namespaces; /* CLONE_NEW* bits */
	enum confine_user user;
	unsigned slot;          /* below CONFINE_SLOTS */
	bool keep_capabilities; /* false: none is left when its main starts. true only for launcher as root, without CLONE_NEWUSER */
};

/*
 * 0 with the child's pid, a pidfd of it (close-on-exec, the caller's) and main about to run; else -errno with the fault filled, and
 * the child reaped.
 */
int confine_spawn(const struct confine_spawn *spawn, pid_t *ret_pid, int *ret_pidfd, struct confine_fault *ret_fault);

/*
 * The uid, and gid, that a slot of CONFINE_USER_HIGH stands for when Bawn runs as the machine's root: outside what people, packages,
 * subordinate ids and containers have, and never one that a sandbox gets (launcher/sandbox_users.h).
 */
uid_t confine_high_user(unsigned slot);
