/* The tables every process shares: what an event loop may do, what threads need, and what init and launcher may not. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "confine/confine.h"

/* The bits of futex's second argument that say which operation it is; the others (private, which clock) are modifiers. */
enum { FUTEX_OPERATION = 0x7f };

const struct confine_rule confine_base[] = {
	/* Descriptors that are open already. */
	{ .syscall = SCMP_SYS(read), .why = "pipes and files handed over" },
	{ .syscall = SCMP_SYS(readv), .why = "libevent's buffers" },
	{ .syscall = SCMP_SYS(write), .why = "pipes handed over, and the process's own log" },
	{ .syscall = SCMP_SYS(writev), .why = "libevent's buffers; glibc's last words before abort" },
	{ .syscall = SCMP_SYS(recvmsg), .why = "channels to siblings, with descriptors" },
	{ .syscall = SCMP_SYS(sendmsg), .why = "channels to siblings, with descriptors" },
	{ .syscall = SCMP_SYS(recvfrom),
	  .why = "recv on connected sockets: no sender's address",
	  .when = { { .argument = 4, .check = CONFINE_IS, .value = 0 } } },
	{ .syscall = SCMP_SYS(sendto),
	  .why = "send on connected sockets: no destination",
	  .when = { { .argument = 4, .check = CONFINE_IS, .value = 0 } } },
	{ .syscall = SCMP_SYS(shutdown), .why = "ending one direction of a connected socket" },
	{ .syscall = SCMP_SYS(getsockopt),
	  .why = "libevent asks for SO_ERROR",
	  .when = { { .argument = 1, .check = CONFINE_IS, .value = SOL_SOCKET } } },
	{ .syscall = SCMP_SYS(close), .why = "every descriptor ends here" },
	{ .syscall = SCMP_SYS(ioctl),
	  .why = "libevent asks how much there is to read",
	  .when = { { .argument = 1, .check = CONFINE_IS, .value = FIONREAD } } },
	{ .syscall = SCMP_SYS(fcntl),
	  .why = "is it close-on-exec?",
	  .when = { { .argument = 1, .check = CONFINE_IS, .value = F_GETFD } } },
	{ .syscall = SCMP_SYS(fcntl),
	  .why = "close-on-exec for what was received",
	  .when = { { .argument = 1, .check = CONFINE_IS, .value = F_SETFD } } },
	{ .syscall = SCMP_SYS(fcntl),
	  .why = "is it non-blocking?",
	  .when = { { .argument = 1, .check = CONFINE_IS, .value = F_GETFL } } },
	{ .syscall = SCMP_SYS(fcntl),
	  .why = "non-blocking for what was received",
	  .when = { { .argument = 1, .check = CONFINE_IS, .value = F_SETFL } } },
	{ .syscall = SCMP_SYS(fcntl),
	  .why = "a copy to hand on",
	  .when = { { .argument = 1, .check = CONFINE_IS, .value = F_DUPFD_CLOEXEC } } },
	{ .syscall = SCMP_SYS(pipe2),
	  .why = "libevent wakes itself with one; never the kernel's notification pipe (O_EXCL here)",
	  .when = { { .argument = 1, .check = CONFINE_BITS, .value = 0, .mask = O_EXCL } } },
	{ .syscall = SCMP_SYS(eventfd2), .why = "libevent wakes itself with one" },
	{ .syscall = SCMP_SYS(getuid), .why = "event_base_new asks whether it runs set-uid" },
	{ .syscall = SCMP_SYS(geteuid), .why = "event_base_new" },
	{ .syscall = SCMP_SYS(getgid), .why = "event_base_new" },
	{ .syscall = SCMP_SYS(getegid), .why = "event_base_new" },

	/* Waiting. */
	{ .syscall = SCMP_SYS(epoll_create1), .why = "event_base_new" },
	{ .syscall = SCMP_SYS(epoll_ctl), .why = "event_add, event_del" },
	{ .syscall = SCMP_SYS(epoll_wait), .why = "event_base_loop" },
	{ .syscall = SCMP_SYS(epoll_pwait), .why = "event_base_loop where there is no epoll_wait" },
	{ .syscall = SCMP_SYS(epoll_pwait2), .why = "event_base_loop of newer libevent" },
	{ .syscall = SCMP_SYS(poll), .why = "a blocking wait on one descriptor" },
	{ .syscall = SCMP_SYS(ppoll), .why = "poll where there is no poll" },
	{ .syscall = SCMP_SYS(restart_syscall), .why = "a wait goes on after a stop" },
	/* The kernel's plain locks; not those that inherit priorities, which nothing here uses and many exploits did. */
	{ .syscall = SCMP_SYS(futex),
	  .why = "glibc's locks",
	  .when = { { .argument = 1, .check = CONFINE_BITS, .value = FUTEX_WAIT, .mask = FUTEX_OPERATION } } },
	{ .syscall = SCMP_SYS(futex),
	  .why = "glibc's locks",
	  .when = { { .argument = 1, .check = CONFINE_BITS, .value = FUTEX_WAKE, .mask = FUTEX_OPERATION } } },
	{ .syscall = SCMP_SYS(futex),
	  .why = "glibc's conditions",
	  .when = { { .argument = 1, .check = CONFINE_BITS, .value = FUTEX_CMP_REQUEUE, .mask = FUTEX_OPERATION } } },
	{ .syscall = SCMP_SYS(futex),
	  .why = "glibc's conditions",
	  .when = { { .argument = 1, .check = CONFINE_BITS, .value = FUTEX_WAKE_OP, .mask = FUTEX_OPERATION } } },
	{ .syscall = SCMP_SYS(futex),
	  .why = "glibc's locks with a deadline",
	  .when = { { .argument = 1, .check = CONFINE_BITS, .value = FUTEX_WAIT_BITSET, .mask = FUTEX_OPERATION } } },
	{ .syscall = SCMP_SYS(futex),
	  .why = "the same",
	  .when = { { .argument = 1, .check = CONFINE_BITS, .value = FUTEX_WAKE_BITSET, .mask = FUTEX_OPERATION } } },

	/* Memory that is not executable. */
	{ .syscall = SCMP_SYS(brk), .why = "malloc" },
	{ .syscall = SCMP_SYS(mmap),
	  .why = "malloc, libsodium",
	  .when = { { .argument = 2, .check = CONFINE_BITS, .value = 0, .mask = PROT_EXEC } } },
	{ .syscall = SCMP_SYS(mprotect),
	  .why = "malloc, libsodium's guard pages",
	  .when = { { .argument = 2, .check = CONFINE_BITS, .value = 0, .mask = PROT_EXEC } } },
	{ .syscall = SCMP_SYS(munmap), .why = "malloc" },
	{ .syscall = SCMP_SYS(mremap), .why = "realloc" },
	{ .syscall = SCMP_SYS(madvise), .why = "free, libsodium keeps keys out of core files" },
	{ .syscall = SCMP_SYS(mlock), .why = "libsodium keeps keys out of swap" },
	{ .syscall = SCMP_SYS(munlock), .why = "libsodium" },
	{ .syscall = SCMP_SYS(sysinfo), .why = "glibc's qsort asks how much memory there is" },

	/* Clocks and randomness. */
	{ .syscall = SCMP_SYS(clock_gettime), .why = "where the vDSO cannot answer" },
	{ .syscall = SCMP_SYS(gettimeofday), .why = "where the vDSO cannot answer" },
	{ .syscall = SCMP_SYS(getrandom), .why = "libsodium, malloc" },

	/* Signals to itself, and the end. */
	{ .syscall = SCMP_SYS(rt_sigaction), .why = "libevent's signals; abort" },
	{ .syscall = SCMP_SYS(rt_sigprocmask), .why = "libevent's signals; abort" },
	{ .syscall = SCMP_SYS(rt_sigreturn), .why = "the end of every signal handler" },
	{ .syscall = SCMP_SYS(getpid), .why = "abort" },
	{ .syscall = SCMP_SYS(gettid), .why = "abort" },
	{ .syscall = SCMP_SYS(tgkill),
	  .why = "abort, so that init sees SIGABRT for a bug and SIGSYS only for what the filter stopped",
	  .when = { { .argument = 0, .check = CONFINE_OWN_PID }, { .argument = 2, .check = CONFINE_IS, .value = SIGABRT } } },
	{ .syscall = SCMP_SYS(exit), .why = "the end of a thread" },
	{ .syscall = SCMP_SYS(exit_group), .why = "the end" },
};
const size_t confine_base_count = sizeof(confine_base) / sizeof(confine_base[0]);

/* What makes a clone a thread of this process and nothing else. */
enum {
	THREAD_FLAGS = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
		       CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
};

const struct confine_rule confine_threads[] = {
	{ .syscall = SCMP_SYS(clone3),
	  .why = "its flags are behind a pointer that a filter cannot read; glibc then uses clone",
	  .error = ENOSYS },
	{ .syscall = SCMP_SYS(clone),
	  .why = "pthread_create, with exactly its flags",
	  .when = { { .argument = 0, .check = CONFINE_IS, .value = THREAD_FLAGS } } },
	{ .syscall = SCMP_SYS(set_robust_list), .why = "glibc, in each new thread" },
	{ .syscall = SCMP_SYS(rseq), .why = "glibc, in each new thread" },
	{ .syscall = SCMP_SYS(sched_getaffinity), .why = "malloc: how many arenas" },
	{ .syscall = SCMP_SYS(prlimit64),
	  .why = "pthread_create: how large a stack; reading its own only",
	  .when = { { .argument = 0, .check = CONFINE_IS, .value = 0 }, { .argument = 2, .check = CONFINE_IS, .value = 0 } } },
};
const size_t confine_threads_count = sizeof(confine_threads) / sizeof(confine_threads[0]);

const struct confine_rule confine_denied[] = {
	/* The kernel itself. */
	{ .syscall = SCMP_SYS(kexec_load), .why = "another kernel", .error = EPERM },
	{ .syscall = SCMP_SYS(kexec_file_load), .why = "another kernel", .error = EPERM },
	{ .syscall = SCMP_SYS(init_module), .why = "code in the kernel", .error = EPERM },
	{ .syscall = SCMP_SYS(finit_module), .why = "code in the kernel", .error = EPERM },
	{ .syscall = SCMP_SYS(delete_module), .why = "code out of the kernel", .error = EPERM },
	{ .syscall = SCMP_SYS(bpf), .why = "programs in the kernel, and the richest source of its bugs", .error = EPERM },
	{ .syscall = SCMP_SYS(perf_event_open), .why = "measures other processes; many kernel bugs", .error = EPERM },
	{ .syscall = SCMP_SYS(reboot), .why = "the machine", .error = EPERM },
	{ .syscall = SCMP_SYS(syslog), .why = "the kernel's log, with addresses in it", .error = EPERM },
	{ .syscall = SCMP_SYS(swapon), .why = "the machine's memory", .error = EPERM },
	{ .syscall = SCMP_SYS(swapoff), .why = "the machine's memory", .error = EPERM },
	{ .syscall = SCMP_SYS(acct), .why = "a record of everybody's processes", .error = EPERM },
	{ .syscall = SCMP_SYS(quotactl), .why = "other people's disk space", .error = EPERM },
	{ .syscall = SCMP_SYS(quotactl_fd), .why = "other people's disk space", .error = EPERM },
	{ .syscall = SCMP_SYS(nfsservctl), .why = "gone from the kernel", .error = ENOSYS },
	{ .syscall = SCMP_SYS(iopl), .why = "the hardware's ports", .error = EPERM },
	{ .syscall = SCMP_SYS(ioperm), .why = "the hardware's ports", .error = EPERM },
	{ .syscall = SCMP_SYS(vhangup), .why = "the terminal of others", .error = EPERM },

	/* Time is part of the record. */
	{ .syscall = SCMP_SYS(settimeofday), .why = "the clock", .error = EPERM },
	{ .syscall = SCMP_SYS(stime), .why = "the clock", .error = EPERM },
	{ .syscall = SCMP_SYS(clock_settime), .why = "the clock", .error = EPERM },
	{ .syscall = SCMP_SYS(clock_settime64), .why = "the clock", .error = EPERM },
	{ .syscall = SCMP_SYS(adjtimex), .why = "the clock", .error = EPERM },
	{ .syscall = SCMP_SYS(clock_adjtime), .why = "the clock", .error = EPERM },
	{ .syscall = SCMP_SYS(clock_adjtime64), .why = "the clock", .error = EPERM },

	/* Other processes. */
	{ .syscall = SCMP_SYS(ptrace), .why = "another process's memory and registers", .error = EPERM },
	{ .syscall = SCMP_SYS(process_vm_readv), .why = "another process's memory", .error = EPERM },
	{ .syscall = SCMP_SYS(process_vm_writev), .why = "another process's memory", .error = EPERM },
	{ .syscall = SCMP_SYS(pidfd_getfd), .why = "another process's descriptors", .error = EPERM },
	{ .syscall = SCMP_SYS(kcmp), .why = "compares what others hold, with kernel addresses behind it", .error = EPERM },
	{ .syscall = SCMP_SYS(move_pages), .why = "another process's memory", .error = EPERM },
	{ .syscall = SCMP_SYS(migrate_pages), .why = "another process's memory", .error = EPERM },
	{ .syscall = SCMP_SYS(lookup_dcookie), .why = "other processes' paths", .error = EPERM },
	{ .syscall = SCMP_SYS(open_by_handle_at), .why = "files by number, past every folder's permission", .error = EPERM },
	{ .syscall = SCMP_SYS(fanotify_init), .why = "everybody's file accesses", .error = EPERM },

	/* Keys that belong to the user's session and not to a namespace. */
	{ .syscall = SCMP_SYS(add_key), .why = "the user's keyrings", .error = EPERM },
	{ .syscall = SCMP_SYS(request_key), .why = "the user's keyrings", .error = EPERM },
	{ .syscall = SCMP_SYS(keyctl), .why = "the user's keyrings", .error = EPERM },

	/* Wide doors that have let many exploits through, and that programs do without. */
	{ .syscall = SCMP_SYS(userfaultfd), .why = "stops the kernel in the middle of a copy", .error = EPERM },
	{ .syscall = SCMP_SYS(io_uring_setup), .why = "system calls that no filter sees", .error = ENOSYS },
	{ .syscall = SCMP_SYS(io_uring_enter), .why = "system calls that no filter sees", .error = ENOSYS },
	{ .syscall = SCMP_SYS(io_uring_register), .why = "system calls that no filter sees", .error = ENOSYS },
	{ .syscall = SCMP_SYS(modify_ldt), .why = "16-bit segments", .error = ENOSYS },
	{ .syscall = SCMP_SYS(vm86), .why = "16-bit code", .error = ENOSYS },
	{ .syscall = SCMP_SYS(uselib), .why = "gone from libc", .error = ENOSYS },
	{ .syscall = SCMP_SYS(_sysctl), .why = "gone from the kernel", .error = ENOSYS },
	{ .syscall = SCMP_SYS(socket),
	  .why = "the hypervisor, which no network namespace hides",
	  .error = EAFNOSUPPORT,
	  .when = { { .argument = 0, .check = CONFINE_BITS, .value = AF_VSOCK, .mask = UINT32_MAX } } },
	{ .syscall = SCMP_SYS(socket),
	  .why = "the kernel's cipher code",
	  .error = EAFNOSUPPORT,
	  .when = { { .argument = 0, .check = CONFINE_BITS, .value = AF_ALG, .mask = UINT32_MAX } } },

	/* A terminal that is shared with a person would run what is typed into it. */
	{ .syscall = SCMP_SYS(ioctl),
	  .why = "typing into the terminal",
	  .error = EPERM,
	  .when = { { .argument = 1, .check = CONFINE_BITS, .value = TIOCSTI, .mask = UINT32_MAX } } },
	{ .syscall = SCMP_SYS(ioctl),
	  .why = "pasting into the console",
	  .error = EPERM,
	  .when = { { .argument = 1, .check = CONFINE_BITS, .value = TIOCLINUX, .mask = UINT32_MAX } } },
};
const size_t confine_denied_count = sizeof(confine_denied) / sizeof(confine_denied[0]);
