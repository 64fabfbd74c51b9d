/*
 * The seccomp filters, compiled once from seccomp.tbl.h. The table's names become numbers by libseccomp; the program is written
 * here, because the whole of it (default refusals, conditions compared in the width that the kernel reads, foreign numbers, calls
 * newer than the table) is then one program of some two hundred instructions: installing one is part of every sandbox's start.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The sandboxed program's. What the table does not allow gets EPERM or the table's errno; calls newer than it ENOSYS; foreign
 * architectures and x32 end the process. Without `local_sockets` local sockets with a name are refused too. 0 or -errno;
 * free(prog->filter).
 */
int sandbox_filter_program(bool local_sockets, struct sock_fprog *ret_prog);

/* Process 1's, once the program runs: it reports, waits and exits, nothing else. */
int sandbox_filter_keeper(struct sock_fprog *ret_prog);

/* Installs one in the calling thread, which has no_new_privs. 0 or -errno. */
int sandbox_filter_install(const struct sock_fprog *prog);

/*
 * What the table says of a call by name: 0 allowed (perhaps by arguments), an errno, or -1 when it does not name it. For tests
 * and docs.
 */
int sandbox_filter_verdict(const char *name, const char **ret_reason);

/*
 * The table read plainly, to hold the compiled program against: 0 or the errno for a call of this number, at most the newest
 * one named.
 */
int sandbox_filter_expected(int number, const uint64_t args[6], bool local_sockets);

/* The values that the table's conditions compare this argument of this call with. */
size_t sandbox_filter_edges(int number, unsigned argument, uint64_t *out, size_t room);
