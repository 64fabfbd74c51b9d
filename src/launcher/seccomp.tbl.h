/*
 * What the program in a sandbox may ask of the kernel. A call that is in no line, but older than the newest line, gets EPERM; a
 * newer one gets ENOSYS, so that libraries fall back. tests/unit/sandbox.c checks that every call libseccomp knows is named
 * here.
 *
 * ALLOW(name)
 * ALLOW_IF(name, argument, mask, value [, argument, mask, value ...])
 *                          allowed when each (argument & mask) == value, as 64 bits: what has other high bits is refused
 * REFUSE(name, errno, reason)
 * REFUSE_IF(name, argument, mask, value, errno, reason)
 *                          refused when (argument & mask) == value, otherwise as the call's ALLOW or ALLOW_IF says
 * REFUSE_IF2(name, a, mask, value, a, mask, value, errno, reason)
 * REFUSE_LOCAL(...)        as REFUSE_IF, only in sandboxes without local sockets (struct sandbox_plan)
 */

/* Files. */
ALLOW(access) ALLOW(chdir) ALLOW(chmod) ALLOW(chown) ALLOW(chown32) ALLOW(close) ALLOW(close_range) ALLOW(copy_file_range)
ALLOW(creat) ALLOW(dup) ALLOW(dup2) ALLOW(dup3) ALLOW(faccessat) ALLOW(faccessat2) ALLOW(fadvise64) ALLOW(fallocate) ALLOW(fchdir)
ALLOW(fchmod) ALLOW(fchmodat) ALLOW(fchown) ALLOW(fchownat) ALLOW(fcntl) ALLOW(fdatasync) ALLOW(fgetxattr) ALLOW(flistxattr)
ALLOW(flock) ALLOW(fremovexattr) ALLOW(fsetxattr) ALLOW(fstat) ALLOW(fstatfs) ALLOW(fsync) ALLOW(ftruncate) ALLOW(futimesat)
ALLOW(getcwd) ALLOW(getdents) ALLOW(getdents64) ALLOW(getxattr) ALLOW(ioctl) ALLOW(lchown) ALLOW(lgetxattr) ALLOW(link)
ALLOW(linkat) ALLOW(listxattr) ALLOW(llistxattr) ALLOW(lremovexattr) ALLOW(lseek) ALLOW(lsetxattr) ALLOW(lstat) ALLOW(mkdir)
ALLOW(mkdirat) ALLOW(mknod) ALLOW(mknodat) ALLOW(newfstatat) ALLOW(open) ALLOW(openat) ALLOW(pread64) ALLOW(preadv) ALLOW(preadv2)
ALLOW(pwrite64) ALLOW(pwritev) ALLOW(pwritev2) ALLOW(read) ALLOW(readahead) ALLOW(readlink) ALLOW(readlinkat) ALLOW(readv)
ALLOW(removexattr) ALLOW(rename) ALLOW(renameat) ALLOW(renameat2) ALLOW(rmdir) ALLOW(sendfile) ALLOW(setxattr) ALLOW(splice)
ALLOW(stat) ALLOW(statfs) ALLOW(statx) ALLOW(symlink) ALLOW(symlinkat) ALLOW(sync) ALLOW(sync_file_range) ALLOW(syncfs) ALLOW(tee)
ALLOW(truncate) ALLOW(umask) ALLOW(unlink) ALLOW(unlinkat) ALLOW(utime) ALLOW(utimensat) ALLOW(utimes) ALLOW(vmsplice)
ALLOW(write) ALLOW(writev) ALLOW(inotify_add_watch) ALLOW(inotify_init) ALLOW(inotify_init1) ALLOW(inotify_rm_watch)
ALLOW(io_cancel) ALLOW(io_destroy) ALLOW(io_getevents) ALLOW(io_pgetevents) ALLOW(io_setup) ALLOW(io_submit)

/* Memory. */
ALLOW(brk) ALLOW(get_mempolicy) ALLOW(madvise) ALLOW(membarrier) ALLOW(memfd_create) ALLOW(mincore) ALLOW(mlock) ALLOW(mlock2)
ALLOW(mlockall) ALLOW(mmap) ALLOW(mprotect) ALLOW(mremap) ALLOW(msync) ALLOW(munlock) ALLOW(munlockall) ALLOW(munmap)
ALLOW(pkey_alloc) ALLOW(pkey_free) ALLOW(pkey_mprotect) ALLOW(remap_file_pages)

/* Processes, threads, signals. What they may do to others is bounded by the process namespace and by having no capability. */
ALLOW(arch_prctl) ALLOW(capget) ALLOW(capset) ALLOW(execve) ALLOW(execveat) ALLOW(exit) ALLOW(exit_group) ALLOW(fork) ALLOW(futex)
ALLOW(futex_waitv) ALLOW(get_robust_list) ALLOW(get_thread_area) ALLOW(getcpu) ALLOW(getegid) ALLOW(geteuid) ALLOW(getgid)
ALLOW(getgroups) ALLOW(getitimer) ALLOW(getpgid) ALLOW(getpgrp) ALLOW(getpid) ALLOW(getppid) ALLOW(getpriority) ALLOW(getresgid)
ALLOW(getresuid) ALLOW(getrlimit) ALLOW(getrusage) ALLOW(getsid) ALLOW(gettid) ALLOW(getuid) ALLOW(ioprio_get) ALLOW(ioprio_set)
ALLOW(kill) ALLOW(landlock_add_rule) ALLOW(landlock_create_ruleset) ALLOW(landlock_restrict_self) ALLOW(pause) ALLOW(pidfd_open)
ALLOW(pidfd_send_signal) ALLOW(prctl) ALLOW(prlimit64) ALLOW(restart_syscall) ALLOW(rseq) ALLOW(rt_sigaction) ALLOW(rt_sigpending)
ALLOW(rt_sigprocmask) ALLOW(rt_sigqueueinfo) ALLOW(rt_sigreturn) ALLOW(rt_sigsuspend) ALLOW(rt_sigtimedwait)
ALLOW(rt_tgsigqueueinfo) ALLOW(sched_get_priority_max) ALLOW(sched_get_priority_min) ALLOW(sched_getaffinity) ALLOW(sched_getattr)
ALLOW(sched_getparam) ALLOW(sched_getscheduler) ALLOW(sched_rr_get_interval) ALLOW(sched_setaffinity) ALLOW(sched_setattr)
ALLOW(sched_setparam) ALLOW(sched_setscheduler) ALLOW(sched_yield) ALLOW(seccomp) ALLOW(set_robust_list) ALLOW(set_thread_area)
ALLOW(set_tid_address) ALLOW(setfsgid) ALLOW(setfsuid) ALLOW(setgid) ALLOW(setitimer) ALLOW(setpgid) ALLOW(setpriority)
ALLOW(setregid) ALLOW(setresgid) ALLOW(setresuid) ALLOW(setreuid) ALLOW(setrlimit) ALLOW(setsid) ALLOW(setuid) ALLOW(sigaltstack)
ALLOW(sysinfo) ALLOW(tgkill) ALLOW(time) ALLOW(times) ALLOW(tkill) ALLOW(uname) ALLOW(vfork) ALLOW(wait4) ALLOW(waitid)

/* Waiting, clocks, random. */
ALLOW(alarm) ALLOW(clock_getres) ALLOW(clock_gettime) ALLOW(clock_nanosleep) ALLOW(epoll_create) ALLOW(epoll_create1)
ALLOW(epoll_ctl) ALLOW(epoll_ctl_old) ALLOW(epoll_pwait) ALLOW(epoll_pwait2) ALLOW(epoll_wait) ALLOW(epoll_wait_old)
ALLOW(eventfd) ALLOW(eventfd2) ALLOW(getrandom) ALLOW(gettimeofday) ALLOW(nanosleep) ALLOW(pipe) ALLOW(pipe2) ALLOW(poll)
ALLOW(ppoll) ALLOW(pselect6) ALLOW(select) ALLOW(signalfd) ALLOW(signalfd4) ALLOW(timer_create) ALLOW(timer_delete)
ALLOW(timer_getoverrun) ALLOW(timer_gettime) ALLOW(timer_settime) ALLOW(timerfd_create) ALLOW(timerfd_gettime)
ALLOW(timerfd_settime)

/* System V and POSIX IPC: in a namespace of its own. */
ALLOW(mq_getsetattr) ALLOW(mq_notify) ALLOW(mq_open) ALLOW(mq_timedreceive) ALLOW(mq_timedsend) ALLOW(mq_unlink) ALLOW(msgctl)
ALLOW(msgget) ALLOW(msgrcv) ALLOW(msgsnd) ALLOW(semctl) ALLOW(semget) ALLOW(semop) ALLOW(semtimedop) ALLOW(shmat) ALLOW(shmctl)
ALLOW(shmdt) ALLOW(shmget)

/* Sockets: in a network namespace that leads nowhere. */
ALLOW(accept) ALLOW(accept4) ALLOW(bind) ALLOW(connect) ALLOW(getpeername) ALLOW(getsockname) ALLOW(getsockopt) ALLOW(listen)
ALLOW(recvfrom) ALLOW(recvmmsg) ALLOW(recvmsg) ALLOW(sendmmsg) ALLOW(sendmsg) ALLOW(sendto) ALLOW(setsockopt) ALLOW(shutdown)

/*
 * Families: local, IPv4 and IPv6 as stream (TCP, MPTCP) and datagram (UDP, ping), and netlink for reading routes. Every other
 * one (packet, vsock, the kernel's crypto, Bluetooth, TIPC, ...) is attack surface that no program here needs.
 */
ALLOW_IF(socket, 0, UINT64_MAX, AF_UNIX)
ALLOW_IF(socket, 0, UINT64_MAX, AF_INET, 1, 0xf, SOCK_STREAM, 2, UINT64_MAX, 0)
ALLOW_IF(socket, 0, UINT64_MAX, AF_INET, 1, 0xf, SOCK_STREAM, 2, UINT64_MAX, IPPROTO_TCP)
ALLOW_IF(socket, 0, UINT64_MAX, AF_INET, 1, 0xf, SOCK_STREAM, 2, UINT64_MAX, IPPROTO_MPTCP)
ALLOW_IF(socket, 0, UINT64_MAX, AF_INET, 1, 0xf, SOCK_DGRAM, 2, UINT64_MAX, 0)
ALLOW_IF(socket, 0, UINT64_MAX, AF_INET, 1, 0xf, SOCK_DGRAM, 2, UINT64_MAX, IPPROTO_UDP)
ALLOW_IF(socket, 0, UINT64_MAX, AF_INET, 1, 0xf, SOCK_DGRAM, 2, UINT64_MAX, IPPROTO_ICMP)
ALLOW_IF(socket, 0, UINT64_MAX, AF_INET6, 1, 0xf, SOCK_STREAM, 2, UINT64_MAX, 0)
ALLOW_IF(socket, 0, UINT64_MAX, AF_INET6, 1, 0xf, SOCK_STREAM, 2, UINT64_MAX, IPPROTO_TCP)
ALLOW_IF(socket, 0, UINT64_MAX, AF_INET6, 1, 0xf, SOCK_STREAM, 2, UINT64_MAX, IPPROTO_MPTCP)
ALLOW_IF(socket, 0, UINT64_MAX, AF_INET6, 1, 0xf, SOCK_DGRAM, 2, UINT64_MAX, 0)
ALLOW_IF(socket, 0, UINT64_MAX, AF_INET6, 1, 0xf, SOCK_DGRAM, 2, UINT64_MAX, IPPROTO_UDP)
ALLOW_IF(socket, 0, UINT64_MAX, AF_INET6, 1, 0xf, SOCK_DGRAM, 2, UINT64_MAX, IPPROTO_ICMPV6)
ALLOW_IF(socket, 0, UINT64_MAX, AF_NETLINK, 2, UINT64_MAX, NETLINK_ROUTE)
ALLOW_IF(socketpair, 0, UINT64_MAX, AF_UNIX)

/*
 * A socket's name is a file, and a shown folder may hold one that a host process listens at: an editor's, a database's. A pair
 * has no name, and a stream pair can never be connected elsewhere; a datagram pair can.
 */
REFUSE_LOCAL(socket, 0, 0xffffffff, AF_UNIX, EPERM, "could reach a host process that listens in a shown folder")
REFUSE_LOCAL(socketpair, 1, 0xf, SOCK_DGRAM, EPERM, "could send to a host process that listens in a shown folder")
REFUSE_LOCAL(socketpair, 1, 0xf, SOCK_RAW, EPERM, "the same under another name")

/* A process or thread, but no namespace. Newer callers try clone3 first, whose flags a filter cannot see. */
ALLOW_IF(clone, 0, CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET, 0)
REFUSE(clone3, ENOSYS, "its flags lie in memory, where a filter cannot see a new namespace; libraries fall back to clone")
REFUSE(unshare, EPERM, "a new user namespace gives every capability inside it, and with them the kernel's least tested code")
REFUSE(setns, EPERM, "entering another namespace")

/*
 * Only the plain Linux personality, and asking which it is: others switch off address randomisation or bring old semantics back.
 */
ALLOW_IF(personality, 0, UINT64_MAX, 0)
ALLOW_IF(personality, 0, UINT64_MAX, 0xffffffff)
ALLOW_IF(personality, 0, UINT64_MAX, UINT64_MAX)

/* Arguments that are refused. An argument that the kernel reads as 32 bits is compared as 32 bits. */
REFUSE_IF(ioctl, 1, 0xffffffff, 0x5412, EPERM, "TIOCSTI types into a terminal as if a person did")
REFUSE_IF(ioctl, 1, 0xffffffff, 0x541c, EPERM, "TIOCLINUX pastes into the console")
REFUSE_IF(ioctl, 1, 0xffffffff, 0x541d, EPERM, "TIOCCONS redirects the console's output")
REFUSE_IF(ioctl, 1, 0xffffffff, 0x5423, EPERM, "TIOCSETD loads line disciplines, old kernel code")
REFUSE_IF(chmod, 1, 04000, 04000, EPERM, "a set-user-ID file would carry its owner's rights to whoever runs it on the host")
REFUSE_IF(chmod, 1, 02000, 02000, EPERM, "a set-group-ID file would do so for the group")
REFUSE_IF(fchmod, 1, 04000, 04000, EPERM, "set-user-ID")
REFUSE_IF(fchmod, 1, 02000, 02000, EPERM, "set-group-ID")
REFUSE_IF(fchmodat, 2, 04000, 04000, EPERM, "set-user-ID")
REFUSE_IF(fchmodat, 2, 02000, 02000, EPERM, "set-group-ID")
REFUSE_IF(creat, 1, 04000, 04000, EPERM, "set-user-ID")
REFUSE_IF(creat, 1, 02000, 02000, EPERM, "set-group-ID")
REFUSE_IF2(open, 1, O_CREAT, O_CREAT, 2, 04000, 04000, EPERM, "set-user-ID")
REFUSE_IF2(open, 1, O_CREAT, O_CREAT, 2, 02000, 02000, EPERM, "set-group-ID")
REFUSE_IF2(open, 1, O_TMPFILE, O_TMPFILE, 2, 04000, 04000, EPERM, "set-user-ID")
REFUSE_IF2(open, 1, O_TMPFILE, O_TMPFILE, 2, 02000, 02000, EPERM, "set-group-ID")
REFUSE_IF2(openat, 2, O_CREAT, O_CREAT, 3, 04000, 04000, EPERM, "set-user-ID")
REFUSE_IF2(openat, 2, O_CREAT, O_CREAT, 3, 02000, 02000, EPERM, "set-group-ID")
REFUSE_IF2(openat, 2, O_TMPFILE, O_TMPFILE, 3, 04000, 04000, EPERM, "set-user-ID")
REFUSE_IF2(openat, 2, O_TMPFILE, O_TMPFILE, 3, 02000, 02000, EPERM, "set-group-ID")
REFUSE_IF(mknod, 1, 04000, 04000, EPERM, "set-user-ID")
REFUSE_IF(mknod, 1, 02000, 02000, EPERM, "set-group-ID")
REFUSE_IF(mknodat, 2, 04000, 04000, EPERM, "set-user-ID")
REFUSE_IF(mknodat, 2, 02000, 02000, EPERM, "set-group-ID")
REFUSE_IF(mknod, 1, S_IFMT, S_IFCHR, EPERM, "devices; 0:0 is an overlay's mark for a removed file, and needs no capability")
REFUSE_IF(mknod, 1, S_IFMT, S_IFBLK, EPERM, "devices")
REFUSE_IF(mknodat, 2, S_IFMT, S_IFCHR, EPERM, "devices")
REFUSE_IF(mknodat, 2, S_IFMT, S_IFBLK, EPERM, "devices")

/* Calls whose arguments lie in memory, or that libraries do without. */
REFUSE(openat2, ENOSYS, "its mode lies in memory, where a filter cannot see set-user-ID; callers fall back to openat")
REFUSE(io_uring_setup, ENOSYS, "does what other calls do past this filter, and has been a steady source of kernel holes")
REFUSE(io_uring_enter, ENOSYS, "io_uring")
REFUSE(io_uring_register, ENOSYS, "io_uring")
REFUSE(memfd_secret, ENOSYS, "memory that not even limits can move")
REFUSE(process_madvise, EPERM, "acts on another process's memory")
REFUSE(process_mrelease, EPERM, "acts on another process's memory")

/* Other processes' insides. */
REFUSE(ptrace, EPERM, "reads and writes other processes; used to turn races in the kernel into holes")
REFUSE(process_vm_readv, EPERM, "reads other processes' memory")
REFUSE(process_vm_writev, EPERM, "writes other processes' memory")
REFUSE(pidfd_getfd, EPERM, "takes descriptors out of other processes")
REFUSE(kcmp, EPERM, "compares kernel addresses of other processes' objects")
REFUSE(perf_event_open, EPERM, "large kernel interface with a history of holes; sees other processes")
REFUSE(lookup_dcookie, EPERM, "profiling of the whole machine")
REFUSE(userfaultfd, EPERM, "stops the kernel in the middle of a copy: turns races into certainties")
REFUSE(bpf, EPERM, "loads programs into the kernel")

/* Keys are shared by all of a user's processes, beyond any namespace. */
REFUSE(add_key, ENOSYS, "kernel keyrings are not divided by namespaces")
REFUSE(keyctl, ENOSYS, "kernel keyrings are not divided by namespaces")
REFUSE(request_key, ENOSYS, "kernel keyrings are not divided by namespaces")

/* The file view is made once. */
REFUSE(mount, EPERM, "changes the file view")
REFUSE(umount, EPERM, "changes the file view: what hides a file could be taken away")
REFUSE(umount2, EPERM, "changes the file view: what hides a file could be taken away")
REFUSE(pivot_root, EPERM, "changes the file view")
REFUSE(chroot, EPERM, "changes the file view")
REFUSE(open_tree, EPERM, "changes the file view")
REFUSE(move_mount, EPERM, "changes the file view")
REFUSE(fsopen, EPERM, "changes the file view")
REFUSE(fsconfig, EPERM, "changes the file view")
REFUSE(fsmount, EPERM, "changes the file view")
REFUSE(fspick, EPERM, "changes the file view")
REFUSE(mount_setattr, EPERM, "changes the file view: a read-only mount could be made writable")
REFUSE(name_to_handle_at, EOPNOTSUPP, "handles name files beyond the view")
REFUSE(open_by_handle_at, EPERM, "opens any file of a file system by number, past every path")
REFUSE(fanotify_init, EPERM, "watches whole file systems")
REFUSE(fanotify_mark, EPERM, "watches whole file systems")
REFUSE(quotactl, EPERM, "a file system's quotas")
REFUSE(quotactl_fd, EPERM, "a file system's quotas")
REFUSE(setgroups, EPERM, "supplementary groups")

/* The machine. */
REFUSE(acct, EPERM, "process accounting of the whole machine")
REFUSE(adjtimex, EPERM, "the machine's clock")
REFUSE(clock_adjtime, EPERM, "the machine's clock")
REFUSE(clock_settime, EPERM, "the machine's clock")
REFUSE(settimeofday, EPERM, "the machine's clock")
REFUSE(stime, EPERM, "the machine's clock")
REFUSE(create_module, ENOSYS, "kernel modules")
REFUSE(delete_module, EPERM, "kernel modules")
REFUSE(finit_module, EPERM, "kernel modules")
REFUSE(init_module, EPERM, "kernel modules")
REFUSE(query_module, ENOSYS, "kernel modules")
REFUSE(get_kernel_syms, ENOSYS, "kernel modules")
REFUSE(kexec_file_load, EPERM, "another kernel")
REFUSE(kexec_load, EPERM, "another kernel")
REFUSE(ioperm, EPERM, "hardware ports")
REFUSE(iopl, EPERM, "hardware ports")
REFUSE(reboot, EPERM, "the machine")
REFUSE(swapon, EPERM, "the machine's swap")
REFUSE(swapoff, EPERM, "the machine's swap")
REFUSE(sethostname, EPERM, "the host name")
REFUSE(setdomainname, EPERM, "the host name")
REFUSE(syslog, EPERM, "the kernel's log: addresses, other users' doings")
REFUSE(vhangup, EPERM, "terminals")
REFUSE(nfsservctl, ENOSYS, "long gone")
REFUSE(modify_ldt, EPERM, "segment tables: 16-bit code, and kernel holes in its past")
REFUSE(vm86, ENOSYS, "16-bit code")
REFUSE(vm86old, ENOSYS, "16-bit code")
REFUSE(mbind, EPERM, "where memory lies; a history of kernel holes, and nothing here needs it")
REFUSE(set_mempolicy, EPERM, "where memory lies")
REFUSE(set_mempolicy_home_node, EPERM, "where memory lies")
REFUSE(migrate_pages, EPERM, "where memory lies")
REFUSE(move_pages, EPERM, "where memory lies, of other processes too")
REFUSE(_sysctl, ENOSYS, "long gone")
REFUSE(afs_syscall, ENOSYS, "never was")
REFUSE(getpmsg, ENOSYS, "never was")
REFUSE(putpmsg, ENOSYS, "never was")
REFUSE(security, ENOSYS, "never was")
REFUSE(tuxcall, ENOSYS, "never was")
REFUSE(vserver, ENOSYS, "never was")
REFUSE(sysfs, ENOSYS, "lists the kernel's file systems; long superseded")
REFUSE(uselib, ENOSYS, "long gone")
REFUSE(ustat, ENOSYS, "long superseded")
