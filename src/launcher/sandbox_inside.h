/*
 * What the sandbox's process 1 does between clone3 and the program's first instruction. Runs in a copy of the launcher's memory, which
 * has one thread; takes no lock, opens nothing that it does not close.
 */
#pragma once

#include <linux/filter.h>
#include <stdnoreturn.h>

#include "launcher/sandbox.h"
#include "launcher/sandbox_code.h"
#include "launcher/sandbox_fault.h"

#define SANDBOX_NAMES_MAX 96

/* Names in one of the host's folders, found once. */
struct sandbox_names {
	char name[SANDBOX_NAMES_MAX][40];
	bool folder[SANDBOX_NAMES_MAX];
	size_t count;
};

/* What every sandbox of this launcher has in common. */
struct sandbox_common {
	struct sandbox_names masks;        /* in /proc: what others could read and no program needs */
	struct sandbox_names extra_etc;    /* in /etc: harmless names that carry a version, java-17-openjdk */
	struct sock_fprog program, program_local; /* the program's filter: without and with local sockets that have a name */
	struct sock_fprog keeper;          /* process 1's */
	int landlock_abi;
	struct sandbox_code_cache code;
};

/* One sandbox, as process 1 is told. */
struct sandbox_inside {
	const struct sandbox_common *common;
	const struct sandbox_plan *plan; /* argv NULL: build everything, run nothing (the probe) */
	bool ranged;                     /* Bawn is root: the launcher writes the user map and has opened the trees */
	uid_t uid;                       /* the program's, as seen inside */
	gid_t gid;
	int stdin_fd, stdout_fd, stderr_fd; /* the program's ends */
	int go_fd;                       /* one byte when the maps are written; end of file when the launcher is gone */
	int status_fd;                   /* takes one struct sandbox_report */
	int trees[SANDBOX_MOUNTS_MAX];   /* ranged: each plan mount, detached and idmapped; else unused */
};

/*
 * The file that will be run, inside: argv[0] itself when it has a "/", else the first of that name in the folders of programs.
 * 0, -ENOENT when there is none, -ENAMETOOLONG.
 */
int sandbox_program_path(const struct sandbox_plan *plan, char *out, size_t size);

/* Does not return; ends with the program's exit status. */
noreturn void sandbox_inside(const struct sandbox_inside *inside);
