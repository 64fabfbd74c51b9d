/* One program, many attacks: attacks NAME KEY=VALUE... See attacks.h. */
#include "attacks.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char **targets;

/* The target of that name; a missing one is a mistake in the harness. */
static const char *target(const char *key)
{
	size_t len = strlen(key);

	for (char **t = targets; *t; t++)
		if (strncmp(*t, key, len) == 0 && (*t)[len] == '=')
			return *t + len + 1;
	printf("no target %s", key);
	exit(100);
}

static int target_number(const char *key)
{
	return (int)strtol(target(key), NULL, 10);
}

/* A path beneath a target; valid until the second next call. */
static const char *under(const char *key, const char *name)
{
	static char paths[2][4096];
	static int turn;

	turn = !turn;
	snprintf(paths[turn], sizeof(paths[turn]), "%s/%s", target(key), name);
	return paths[turn];
}

/* How a call went: >= 0 is success. */
static int went(long result)
{
	if (result >= 0)
		return ATTACK_SUCCEEDED;
	printf("%s", strerrorname_np(errno));
	return ATTACK_REFUSED;
}

static int refused(int error)
{
	errno = error;
	return went(-1);
}

/* Is this the control run? No sandbox has a /sys. Looked at first, so that asking disturbs no errno. */
static bool in_control;

static bool outside(void)
{
	return in_control;
}

/* ---- files ---- */

static int read_file(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY);

	return fd < 0 ? went(-1) : went(read(fd, &byte, 1) > 0 ? 0 : -1);
}

static int read_secret(void)
{
	return read_file(target("secret"));
}

static int read_by_dotdot(void)
{
	return chdir(target("work")) < 0 ? went(-1) : read_file("../secret");
}

static int read_by_symlink(void)
{
	const char *link = under("work", "link");

	unlink(link);
	if (symlink(target("secret"), link) < 0)
		return went(-1);
	return read_file(link);
}

static int hard_link_out(void)
{
	const char *link = under("work", "hard");

	unlink(link);
	return went(linkat(AT_FDCWD, target("secret"), AT_FDCWD, link, 0));
}

static int read_by_proc_self_root(void)
{
	char path[4096];

	snprintf(path, sizeof(path), "/proc/self/root%s", target("secret"));
	return read_file(path);
}

static int read_by_proc_self_cwd(void)
{
	return chdir(target("work")) < 0 ? went(-1) : read_file("/proc/self/cwd/../secret");
}

static int read_by_victim_root(void)
{
	char path[4096];

	snprintf(path, sizeof(path), "/proc/%d/root%s", target_number("victim"), target("secret"));
	return read_file(path);
}

static int read_victim_environ(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/environ", target_number("victim"));
	return read_file(path);
}

static int read_process_1(void)
{
	return read_file("/proc/1/cmdline");
}

/*
 * The harness, outside, made the handle of the secret; opening it needs a descriptor of the same file system, which the
 * workspace is.
 */
static int read_by_handle(void)
{
	struct file_handle *handle = calloc(1, sizeof(*handle) + MAX_HANDLE_SZ);
	const char *hex = target("handle");
	int dir = open(target("work"), O_RDONLY | O_DIRECTORY);

	if (!hex[0])
		return ATTACK_IMPOSSIBLE;
	for (unsigned i = 0; hex[2 * i] && i < sizeof(*handle) + MAX_HANDLE_SZ; i++)
		sscanf(hex + 2 * i, "%2hhx", (unsigned char *)handle + i);
	return went(open_by_handle_at(dir, handle, O_RDONLY));
}

/* The harness listens in the workspace, and hands a descriptor of the folder outside it to whoever connects. */
static int read_by_handed_folder(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), dir;

	if (chdir(target("work")) < 0)
		return went(-1);
	snprintf(to.sun_path, sizeof(to.sun_path), "giver");
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return went(-1);
	if (recvmsg(fd, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		return ATTACK_IMPOSSIBLE;
	memcpy(&dir, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(dir));
	return went(openat(dir, "secret", O_RDONLY));
}

static int read_shadow(void)
{
	return read_file("/etc/shadow");
}

static int list(const char *path)
{
	DIR *dir = opendir(path);

	return dir && readdir(dir) ? ATTACK_SUCCEEDED : went(-1);
}

static int list_home(void)
{
	return list("/home");
}

static int list_root_home(void)
{
	return list("/root");
}

/* Whose accounts are there? Every system has "daemon". */
static int see_accounts(void)
{
	FILE *f = fopen("/etc/passwd", "r");
	char line[1024];

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "daemon:", 7) == 0)
			return ATTACK_SUCCEEDED;
	return refused(ENOENT);
}

static int read_kernel_command_line(void)
{
	char text[16];
	int fd = open("/proc/cmdline", O_RDONLY);

	return fd >= 0 && read(fd, text, sizeof(text)) > 0 ? ATTACK_SUCCEEDED : refused(ENODATA);
}

static int read_sys(void)
{
	return list("/sys/kernel");
}

static int open_kernel_memory(void)
{
	if (open("/dev/mem", O_RDONLY) >= 0 || open("/dev/kmsg", O_RDONLY) >= 0)
		return ATTACK_SUCCEEDED;
	return went(-1);
}

static int open_disk(void)
{
	static const char *const disks[] = { "/dev/vda",     "/dev/sda",   "/dev/nvme0n1", "/dev/xvda",
					     "/dev/mmcblk0", "/dev/loop0", "/dev/dm-0" };

	for (size_t i = 0; i < sizeof(disks) / sizeof(disks[0]); i++)
		if (open(disks[i], O_RDONLY) >= 0)
			return ATTACK_SUCCEEDED;
	return outside() ? ATTACK_IMPOSSIBLE : refused(ENOENT);
}

static int write_read_only(void)
{
	return went(open(under("ro", "file"), O_WRONLY));
}

static int create_in_read_only(void)
{
	return went(open(under("ro", "created"), O_WRONLY | O_CREAT, 0600));
}

static int chmod_read_only(void)
{
	return went(chmod(under("ro", "file"), 0666));
}

/* Creates and removes again. */
static int create_at(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	if (fd < 0)
		return went(-1);
	unlink(path);
	return ATTACK_SUCCEEDED;
}

static int write_root(void)
{
	return create_at("/bawn-escape-test");
}

static int write_usr(void)
{
	return create_at("/usr/bawn-escape-test");
}

static int write_process_memory_file(void)
{
	return went(open("/proc/self/mem", O_RDWR));
}

static int write_core_pattern(void)
{
	return went(open("/proc/sys/kernel/core_pattern", O_WRONLY));
}

static int write_sysrq(void)
{
	int r = went(open("/proc/sysrq-trigger", O_WRONLY));

	/* A kernel without sysrq has no such file. */
	return r == ATTACK_REFUSED && outside() ? ATTACK_IMPOSSIBLE : r;
}

static int make_node(mode_t mode, dev_t device)
{
	const char *path = under("work", "node");

	unlink(path);
	return went(mknod(path, mode | 0600, device));
}

static int make_device(void)
{
	return make_node(S_IFBLK, makedev(7, 0));
}

static int make_whiteout(void)
{
	return make_node(S_IFCHR, makedev(0, 0));
}

/* ---- set-user-ID, by every way to a file's mode ---- */

/* A new file of our own; its path. */
static const char *own_file(void)
{
	const char *path = under("work", "own");
	int fd;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0755);
	if (fd >= 0)
		close(fd);
	return path;
}

static int mode_is_set(const char *path, mode_t bits)
{
	struct stat st;

	return stat(path, &st) == 0 && (st.st_mode & bits) == bits ? ATTACK_SUCCEEDED : ATTACK_REFUSED;
}

static int set_user_id_chmod(void)
{
	return went(syscall(SYS_chmod, own_file(), 04755));
}

/* The kernel reads the mode as 16 bits; a filter that compares 64 would see another number. */
static int set_user_id_high_bits(void)
{
	const char *path = own_file();

	return went(syscall(SYS_chmod, path, 0x7fff000000000000UL | 04755)) == ATTACK_SUCCEEDED ? mode_is_set(path, 04000)
												: ATTACK_REFUSED;
}

static int set_user_id_fchmod(void)
{
	return went(fchmod(open(own_file(), O_RDONLY), 06755));
}

static int set_user_id_fchmodat(void)
{
	return went(fchmodat(AT_FDCWD, own_file(), 04755, 0));
}

static int set_user_id_fchmodat2(void)
{
	return went(syscall(452, AT_FDCWD, own_file(), 04755, 0));
}

static int created(const char *path, int fd)
{
	return fd < 0 ? went(-1) : mode_is_set(path, 04000);
}

static int set_user_id_create(void)
{
	const char *path = under("work", "made");

	unlink(path);
	umask(0);
	return created(path, open(path, O_WRONLY | O_CREAT | O_EXCL, 04755));
}

static int set_user_id_creat(void)
{
	const char *path = under("work", "made");

	unlink(path);
	umask(0);
	return created(path, (int)syscall(SYS_creat, path, 04755));
}

static int set_user_id_openat2(void)
{
	struct open_how how = { .flags = O_WRONLY | O_CREAT | O_EXCL, .mode = 04755 };
	const char *path = under("work", "made");

	unlink(path);
	umask(0);
	return created(path, (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how)));
}

static int set_user_id_mknod(void)
{
	const char *path = under("work", "made");

	unlink(path);
	umask(0);
	return created(path, mknod(path, S_IFREG | 04755, 0));
}

static int set_user_id_temporary(void)
{
	const char *path = under("work", "made");
	char proc[64];
	int fd;

	unlink(path);
	umask(0);
	fd = open(target("work"), O_WRONLY | O_TMPFILE, 04755);
	if (fd < 0)
		return errno == EOPNOTSUPP ? ATTACK_IMPOSSIBLE : went(-1);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	return created(path, linkat(AT_FDCWD, proc, AT_FDCWD, path, AT_SYMLINK_FOLLOW));
}

static int set_group_id_chmod(void)
{
	return went(chmod(own_file(), 02755));
}

/*
 * Does a set-user-ID program run with its owner's rights? The dynamic loader shows the auxiliary vector only to a program that has
 * gained nothing, and then it says so.
 */
static int run_set_user_id(void)
{
	static const char *const programs[] = { "/usr/bin/su", "/usr/bin/passwd", "/usr/bin/mount", "/usr/bin/chsh" };
	char *env[] = { (char *)"LD_SHOW_AUXV=1", NULL };

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		struct stat st;
		char text[8192] = "", *argv[] = { (char *)programs[i], (char *)"--help", NULL };
		size_t used = 0;
		ssize_t n;
		int out[2];

		if (stat(programs[i], &st) < 0 || !(st.st_mode & S_ISUID))
			continue;
		if (pipe(out) < 0)
			return went(-1);
		if (fork() == 0) {
			dup2(out[1], 1);
			dup2(out[1], 2);
			close(out[0]);
			execve(programs[i], argv, env);
			_exit(127);
		}
		close(out[1]);
		while (used < sizeof(text) - 1 && (n = read(out[0], text + used, sizeof(text) - 1 - used)) > 0)
			used += (size_t)n;
		wait(NULL);
		for (char *p = text; (p = strstr(p, "AT_SECURE:")); p++)
			if (strtol(p + 10, NULL, 10) == 0)
				return refused(EPERM);
		return ATTACK_SUCCEEDED;
	}
	return ATTACK_IMPOSSIBLE;
}

/* ---- the view ---- */

/* The machine's root file system is somewhere in the mount table. */
static int see_host_root(void)
{
	FILE *f = fopen("/proc/self/mountinfo", "r");
	char line[4096], root[1024], point[1024];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %*s %*s %1023s %1023s", root, point) == 2 && strcmp(root, "/") == 0 &&
		    strcmp(point, "/") == 0 && !strstr(line, " - tmpfs "))
			return ATTACK_SUCCEEDED;
	return refused(ENOENT);
}

/* A mount on which set-user-ID files would count. Device nodes are mounts of one file each, which is no program. */
static int mount_with_set_user_id(void)
{
	FILE *f = fopen("/proc/self/mountinfo", "r");
	char line[4096], point[1024], options[1024];
	struct stat st;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %*s %*s %*s %1023s %1023s", point, options) == 2 && !strstr(options, "nosuid") &&
		    stat(point, &st) == 0 && !S_ISCHR(st.st_mode))
			return ATTACK_SUCCEEDED;
	return refused(ENOENT);
}

static int remount_writable(void)
{
	if (mount(NULL, target("ro"), NULL, MS_REMOUNT | MS_BIND, NULL) < 0)
		return went(-1);
	return write_read_only();
}

static int setattr_writable(void)
{
	struct mount_attr attr = { .attr_clr = MOUNT_ATTR_RDONLY };

	if (mount_setattr(AT_FDCWD, target("ro"), 0, &attr, sizeof(attr)) < 0)
		return went(-1);
	return write_read_only();
}

static int unmount_mask(void)
{
	return went(umount2(target("mask"), MNT_DETACH));
}

static int bind_over_proc(void)
{
	return went(mount(target("work"), "/proc", NULL, MS_BIND, NULL));
}

static int mount_tmpfs(void)
{
	return went(mount("none", target("work"), "tmpfs", 0, NULL));
}

static int new_mount_api(void)
{
	return went(fsopen("tmpfs", 0));
}

static int clone_tree(void)
{
	return went(open_tree(AT_FDCWD, target("work"), OPEN_TREE_CLONE | AT_RECURSIVE));
}

static int chroot_away(void)
{
	return went(chroot(target("work")));
}

static int pivot(void)
{
	if (chdir(target("work")) < 0)
		return went(-1);
	/* Where it may, EINVAL tells that the call got as far as looking at the folders. */
	if (syscall(SYS_pivot_root, ".", ".") < 0 && errno != EINVAL && errno != EBUSY)
		return went(-1);
	return ATTACK_SUCCEEDED;
}

static int unshare_user(void)
{
	return went(unshare(CLONE_NEWUSER));
}

static int reap_clone(long pid)
{
	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return went(-1);
	waitpid((pid_t)pid, NULL, 0);
	return ATTACK_SUCCEEDED;
}

static int clone_user(void)
{
	return reap_clone(syscall(SYS_clone, (unsigned long)CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL));
}

static int clone3_user(void)
{
	struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };

	return reap_clone(syscall(SYS_clone3, &args, sizeof(args)));
}

static int unshare_mount(void)
{
	return went(unshare(CLONE_NEWNS));
}

static int enter_namespace(void)
{
	return went(setns(open("/proc/self/ns/uts", O_RDONLY), 0));
}

/* A filter of one's own can only add refusals. */
static int stack_filter_then_unshare(void)
{
	struct sock_filter allow[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog prog = { .len = 1, .filter = allow };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return ATTACK_IMPOSSIBLE;
	return unshare_user();
}

static int become_root(void)
{
	return went(setresuid(0, 0, 0));
}

static int raise_capability(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { .effective = 1u << CAP_SYS_ADMIN, .permitted = 1u << CAP_SYS_ADMIN }, { 0 } };

	return went(syscall(SYS_capset, &header, data));
}

/* Would user 0, if there were one, gain capabilities by an exec or a change of user? */
static int root_by_exec(void)
{
	const int closed = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
			   SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

	return (prctl(PR_GET_SECUREBITS) & closed) == closed ? refused(EPERM) : ATTACK_SUCCEEDED;
}

static int set_groups(void)
{
	gid_t group = 0;

	return went(syscall(SYS_setgroups, 1, &group));
}

static int set_host_name(void)
{
	return went(sethostname("x", 1));
}

/* ---- processes ---- */

static int leaked_descriptor(void)
{
	for (int fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return ATTACK_SUCCEEDED;
	return refused(EBADF);
}

static int leaked_environment(void)
{
	return getenv("BAWN_ESCAPE_SECRET") ? ATTACK_SUCCEEDED : refused(ENODATA);
}

static int signal_victim(void)
{
	return went(kill(target_number("victim"), SIGCONT));
}

/* Everything that can be reached gets the signal; the harness looks afterwards whether its victim lives. */
static int signal_everybody(void)
{
	signal(SIGTERM, SIG_IGN);
	if (kill(-1, SIGTERM) < 0)
		return went(-1);
	for (int pid = 2; pid < 32768; pid++)
		if (pid != getpid())
			kill(pid, SIGKILL);
	return refused(ESRCH);
}

static int trace_child(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? errno : 0);
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status) ? refused(WEXITSTATUS(status)) : ATTACK_SUCCEEDED;
}

static int trace_process_1(void)
{
	return went(ptrace(PTRACE_ATTACH, 1, NULL, NULL));
}

/* The kernel drops a process's signal to its namespace's process 1 without a word: alive afterwards is refused. */
static int kill_process_1(void)
{
	if (kill(1, SIGKILL) < 0 || kill(1, SIGTERM) < 0 || kill(1, SIGUSR1) < 0)
		return went(-1);
	/* Had it died, so would this process have. */
	return refused(EPERM);
}

static int other_memory(long call)
{
	static char here[8], there[8];
	struct iovec local = { here, sizeof(here) }, remote = { there, sizeof(there) };

	return went(syscall(call, getpid(), &local, 1, &remote, 1, 0));
}

static int read_other_memory(void)
{
	return other_memory(SYS_process_vm_readv);
}

static int write_other_memory(void)
{
	return other_memory(SYS_process_vm_writev);
}

static int take_descriptor(void)
{
	return went(syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, getpid(), 0), 0, 0));
}

static int shared_memory(void)
{
	return went(shmget(target_number("shm"), 1, 0));
}

static int message_queue(void)
{
	return went(mq_open(target("queue"), O_RDONLY));
}

static int search_keyring(void)
{
	return went(syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, "user", "bawn-escape", 0));
}

static int add_key(void)
{
	return went(syscall(SYS_add_key, "user", "bawn-escape-planted", "x", 1, KEY_SPEC_PROCESS_KEYRING));
}

/*
 * These need no terminal: the filter answers before anybody looks what the descriptor is. Any other answer means that it did
 * not.
 */
static int terminal_call(unsigned long request)
{
	char byte = 'x';

	if (syscall(SYS_ioctl, 0, request, &byte) < 0 && errno == EPERM)
		return refused(EPERM);
	return ATTACK_SUCCEEDED;
}

static int type_into_terminal(void)
{
	return terminal_call(0x5412);
}

static int type_high_bits(void)
{
	return terminal_call(0x100005412UL);
}

static int paste_into_console(void)
{
	return terminal_call(0x541c);
}

static int set_line_discipline(void)
{
	return terminal_call(0x5423);
}

static int disable_randomisation(void)
{
	return went(personality(ADDR_NO_RANDOMIZE));
}

enum { BOMB = 200 }; /* the harness allows 64 */

static int fork_bomb(void)
{
	pid_t pids[BOMB];
	int count = 0, error = 0;

	while (count < BOMB && !error) {
		pids[count] = fork();
		if (pids[count] == 0)
			for (;;)
				pause();
		if (pids[count] < 0)
			error = errno;
		else
			count++;
	}
	while (count)
		kill(pids[--count], SIGKILL);
	while (wait(NULL) > 0)
		;
	return error ? refused(error) : ATTACK_SUCCEEDED;
}

/* Leaves a daemon that holds a lock; the harness looks whether the lock is still held when this has ended. */
static int survive(void)
{
	int ready[2];
	char byte;

	if (pipe(ready) < 0)
		return went(-1);
	if (fork() == 0) {
		int fd;

		setsid();
		if (fork() != 0)
			_exit(0);
		signal(SIGHUP, SIG_IGN);
		signal(SIGTERM, SIG_IGN);
		fd = open(under("work", "lock"), O_RDWR | O_CREAT, 0600);
		dprintf(fd, "%d", (int)getpid());
		flock(fd, LOCK_EX);
		if (write(ready[1], "", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	return read(ready[0], &byte, 1) == 1 ? ATTACK_SUCCEEDED : went(-1);
}

static int eat_memory(void)
{
	size_t size = 256u << 20;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return went(-1);
	p[size - 1] = 1;
	return ATTACK_SUCCEEDED;
}

static int fill(const char *path, size_t size)
{
	static char block[65536];
	int fd;

	signal(SIGXFSZ, SIG_IGN);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	if (fd < 0)
		return went(-1);
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, block, sizeof(block));

		if (n < 0) {
			int error = errno;

			unlink(path);
			return refused(error);
		}
		done += (size_t)n;
	}
	unlink(path);
	return ATTACK_SUCCEEDED;
}

static int fill_scratch(void)
{
	return fill(under("scratch", "flood"), 8u << 20);
}

static int huge_file(void)
{
	return fill(under("work", "flood"), 8u << 20);
}

static int hoard_descriptors(void)
{
	for (int i = 0; i < 200; i++)
		if (dup(0) < 0)
			return went(-1);
	return ATTACK_SUCCEEDED;
}

/* Outside, the harness has lowered the soft limit only. */
static int raise_limit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur++;
	if (limit.rlim_max < limit.rlim_cur)
		limit.rlim_max = limit.rlim_cur;
	return went(setrlimit(RLIMIT_NOFILE, &limit));
}

static int dump_core(void)
{
	struct rlimit limit = { 4096, 4096 };
	int r = went(setrlimit(RLIMIT_CORE, &limit));

	return r == ATTACK_REFUSED && outside() ? ATTACK_IMPOSSIBLE : r;
}

/* ---- the network ---- */

static int abstract_socket(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = strlen(target("abstract"));

	memcpy(to.sun_path + 1, target("abstract"), len);
	return went(connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&to,
			    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len)));
}

static int path_socket(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", target("socket"));
	return went(connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&to, sizeof(to)));
}

/* A host process listens in the workspace itself, where its socket is to be seen. */
static int workspace_socket(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0 || chdir(target("work")) < 0)
		return went(-1);
	snprintf(to.sun_path, sizeof(to.sun_path), "giver");
	return went(connect(fd, (struct sockaddr *)&to, sizeof(to)));
}

/* The same by a datagram: one end of a pair may be connected anew. */
static int workspace_socket_by_pair(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int pair[2];

	if (chdir(target("work")) < 0 || socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0)
		return went(-1);
	snprintf(to.sun_path, sizeof(to.sun_path), "mailbox");
	return went(sendto(pair[0], "x", 1, 0, (struct sockaddr *)&to, sizeof(to)));
}

static int connect4(const char *address, int port, int type)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	inet_pton(AF_INET, address, &to.sin_addr);
	return went(connect(socket(AF_INET, type, 0), (struct sockaddr *)&to, sizeof(to)));
}

static int connect6(const char *address, int port)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };

	inet_pton(AF_INET6, address, &to.sin6_addr);
	return went(connect(socket(AF_INET6, SOCK_STREAM, 0), (struct sockaddr *)&to, sizeof(to)));
}

static int loopback_tcp(void)
{
	return connect4("127.0.0.1", target_number("port"), SOCK_STREAM);
}

static int loopback_tcp6(void)
{
	return target_number("port6") ? connect6("::1", target_number("port6")) : ATTACK_IMPOSSIBLE;
}

static int loopback_mapped(void)
{
	return connect6("::ffff:127.0.0.1", target_number("port"));
}

/* A datagram socket is connected by finding a route; nothing is sent. */
static int route_out(void)
{
	return target_number("routed") ? connect4("192.0.2.1", 53, SOCK_DGRAM) : ATTACK_IMPOSSIBLE;
}

static int route_metadata(void)
{
	return target_number("routed") ? connect4("169.254.169.254", 80, SOCK_DGRAM) : ATTACK_IMPOSSIBLE;
}

/* A kernel that does not have the family has nothing to attack there. */
static int open_socket(unsigned long family, int type, int protocol)
{
	if (syscall(SYS_socket, family, type, protocol) >= 0)
		return ATTACK_SUCCEEDED;
	return errno == EAFNOSUPPORT || errno == EPROTONOSUPPORT ? ATTACK_IMPOSSIBLE : went(-1);
}

static int raw_socket(void)
{
	return open_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

static int packet_socket(void)
{
	return open_socket(AF_PACKET, SOCK_RAW, 0);
}

/* The kernel reads the family as 32 bits. */
static int packet_high_bits(void)
{
	return open_socket(0x100000000UL | AF_PACKET, SOCK_RAW, 0);
}

static int vsock_socket(void)
{
	return open_socket(AF_VSOCK, SOCK_STREAM, 0);
}

static int crypto_socket(void)
{
	return open_socket(AF_ALG, SOCK_SEQPACKET, 0);
}

static int uevent_socket(void)
{
	return open_socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
}

static int generic_socket(void)
{
	return open_socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
}

static int packet_pair(void)
{
	int pair[2];

	/* Where it is permitted, the kernel answers that this family makes no pairs. */
	return socketpair(AF_INET, SOCK_STREAM, 0, pair) < 0 && errno == EPERM ? refused(EPERM) : ATTACK_SUCCEEDED;
}

/* Route reads are fine; making an interface through the same socket needs a capability. */
static int add_interface(void)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
		char attributes[64];
	} ask = { .header = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
			      .nlmsg_type = RTM_NEWLINK,
			      .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK } };
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[256];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	ask.info.ifi_index = 1;
	ask.info.ifi_change = 1; /* take the loopback down, and leave it so */
	if (fd < 0 || send(fd, &ask, ask.header.nlmsg_len, 0) < 0 || recv(fd, &answer, sizeof(answer), 0) < 0)
		return went(-1);
	return answer.error.error ? refused(-answer.error.error) : ATTACK_SUCCEEDED;
}

/* ---- the kernel's doors ---- */

/* A call with arguments that no real use has: any answer but a refusal by the filter means that the kernel looked at them. */
static int door(long number, long a, long b, long c, long d, long e)
{
	if (syscall(number, a, b, c, d, e, 0) >= 0)
		return ATTACK_SUCCEEDED;
	/* EPERM and ENOSYS are the filter's words. Where the kernel itself says them, there is nothing to attack. */
	if (errno == EPERM || errno == ENOSYS || errno == EOPNOTSUPP)
		return outside() ? ATTACK_IMPOSSIBLE : went(-1);
	return ATTACK_SUCCEEDED;
}

#define DOOR(name, ...) \
	static int call_##name(void) \
	{ \
		return door(SYS_##name, __VA_ARGS__); \
	}
DOOR(io_uring_setup, 0, 0, 0, 0, 0)
DOOR(io_uring_enter, -1, 0, 0, 0, 0)
DOOR(io_uring_register, -1, 0, 0, 0, 0)
DOOR(bpf, 9999, 0, 0, 0, 0)
DOOR(userfaultfd, -1, 0, 0, 0, 0)
DOOR(perf_event_open, 0, 0, -1, -1, 0)
DOOR(kcmp, 0x7ffffff, 0x7ffffff, 0, 0, 0)
DOOR(init_module, 0, 0, 0, 0, 0)
DOOR(finit_module, -1, 0, -1, 0, 0)
DOOR(delete_module, 0, 0, 0, 0, 0)
DOOR(kexec_load, 0, 0, 0, -1, 0)
DOOR(swapon, 0, 0, 0, 0, 0)
DOOR(reboot, 0, 0, 0, 0, 0)
DOOR(quotactl, -1, 0, 0, 0, 0)
DOOR(syslog, 10, 0, 0, 0, 0)
DOOR(acct, 1, 0, 0, 0, 0)
DOOR(settimeofday, 1, 0, 0, 0, 0)
DOOR(clock_settime, 0, 1, 0, 0, 0)
DOOR(adjtimex, 1, 0, 0, 0, 0)
DOOR(ioperm, -1, 2, 1, 0, 0)
DOOR(modify_ldt, 0, 1, 0, 0, 0)
DOOR(mbind, 1, 1, 99, 0, 0)
DOOR(move_pages, 0, 1, 1, 0, 0)
DOOR(fanotify_init, -1, 0, 0, 0, 0)
DOOR(process_madvise, -1, 0, 0, 0, 0)
DOOR(memfd_secret, -1, 0, 0, 0, 0)

/* Its refusal is EOPNOTSUPP; a bad path reaches the kernel as EFAULT. */
static int call_name_to_handle_at(void)
{
	return door(SYS_name_to_handle_at, AT_FDCWD, 1, 1, 1, 0);
}

/* Newer than the filter's table, whatever it is: listmount. */
static int call_newest(void)
{
	return door(458, 0, 0, 0, 0, -1);
}

#ifdef __x86_64__
static int int80(void)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
	return result > 0 ? ATTACK_SUCCEEDED : ATTACK_IMPOSSIBLE;
}

/* A kernel without x32 answers ENOSYS, which is already an answer. */
static int x32(void)
{
	syscall(0x40000000L | SYS_getpid);
	return ATTACK_SUCCEEDED;
}
#else
static int int80(void)
{
	return ATTACK_IMPOSSIBLE;
}

static int x32(void)
{
	return ATTACK_IMPOSSIBLE;
}
#endif

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} attacks[] = {
#define ATTACK(name, control, refusals) { #name, name },
		ATTACKS(ATTACK)
#undef ATTACK
	};

	if (argc < 2)
		return 100;
	targets = argv + 2;
	in_control = access("/sys/kernel", F_OK) == 0;
	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++)
		if (strcmp(argv[1], attacks[i].name) == 0)
			return attacks[i].run();
	return 100;
}
