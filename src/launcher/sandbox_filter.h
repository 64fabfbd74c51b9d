/*
 * The seccomp filters, compiled once from seccomp.tbl.h by libseccomp. Two that stack (the stricter answer wins): one lists what is allowed,
 * everything else is refused; one refuses calls by their arguments, compared in the width that the kernel reads them.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>

/* The program's: what is allowed. Calls newer than the table get ENOSYS, foreign architectures and x32 kill. 0 or -errno; free(prog->filter). */
int sandbox_filter_allowed(struct sock_fprog *ret_prog);

/* The program's: what is refused by argument; without `local_sockets`, local sockets with a name too. */
int sandbox_filter_refused(bool local_sockets, struct sock_fprog *ret_prog);

/* Process 1's, once the program runs: it waits and exits, nothing else. */
int sandbox_filter_keeper(struct sock_fprog *ret_prog);

/* Installs one in the calling thread, which has no_new_privs. 0 or -errno. */
int sandbox_filter_install(const struct sock_fprog *prog);

/* What the table says of a call by name: 0 allowed (perhaps by arguments), an errno, or -1 when it does not name it. For tests and docs. */
int sandbox_filter_verdict(const char *name, const char **ret_reason);
