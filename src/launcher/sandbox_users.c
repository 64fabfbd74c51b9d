#include "launcher/sandbox_users.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"

int sandbox_users_init(struct sandbox_users *users, struct sandbox_report *report)
{
	cleanup_buf struct buf map = BUF_INIT(65536);
	unsigned inside = 1, outside = 1, count = 0, random;
	int r;

	*users = (struct sandbox_users){ 0 };
	if (geteuid() != 0)
		return 0;
	r = io_read_file(AT_FDCWD, "/proc/self/uid_map", &map);
	if (r == 0)
		r = buf_add_char(&map, '\0');
	if (r < 0)
		return sandbox_fail(report, SANDBOX_STAGE_USER, -r, "cannot read /proc/self/uid_map");
	if (sscanf(map.ptr, "%u %u %u", &inside, &outside, &count) != 3)
		return sandbox_fail_plain(report, SANDBOX_STAGE_USER, EINVAL, "/proc/self/uid_map is not understood");
	if (inside == 0 && outside == 0 && count != UINT32_MAX)
		return sandbox_fail_plain(report, SANDBOX_STAGE_USER, EPERM,
					  "Bawn is root in a user namespace whose root may be the machine's root; run it outside, "
					  "or as an ordinary user");
	/* Root of a namespace that stands for an ordinary user (a rootless container) can map no ranges, and need not. */
	users->ranged = inside == 0 && outside == 0;
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		random = (unsigned)getpid();
	users->next = random % SANDBOX_RANGES;
	return 0;
}

int sandbox_users_take(struct sandbox_users *users)
{
	for (unsigned tried = 0; tried < SANDBOX_RANGES; tried++) {
		unsigned slot = users->next;

		users->next = (users->next + 1) % SANDBOX_RANGES;
		if (users->used[slot / 8] & (1u << slot % 8))
			continue;
		users->used[slot / 8] = (uint8_t)(users->used[slot / 8] | 1u << slot % 8);
		return (int)slot;
	}
	return -EAGAIN;
}

void sandbox_users_release(struct sandbox_users *users, int slot)
{
	if (slot >= 0)
		users->used[slot / 8] = (uint8_t)(users->used[slot / 8] & ~(1u << slot % 8));
}

static int map_write(pid_t pid, const char *which, uint32_t inside, uint32_t kernel)
{
	char path[64], line[64];
	cleanup_fd int fd = -1;
	int len;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, which);
	len = snprintf(line, sizeof(line), "%u %u 1\n", inside, kernel);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return io_write_all(fd, line, (size_t)len);
}

int sandbox_users_map(pid_t pid, uint32_t inside_uid, uint32_t inside_gid, uint32_t kernel_uid, uint32_t kernel_gid)
{
	int r = map_write(pid, "uid_map", inside_uid, kernel_uid);

	return r < 0 ? r : map_write(pid, "gid_map", inside_gid, kernel_gid);
}

/* A process that exists only so that its user namespace does. It shares this one's memory and descriptors. */
struct idmap_holder {
	int ready_fd;
	int ns_fd;
};

static int idmap_hold(void *arg)
{
	struct idmap_holder *holder = arg;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Opened by the process itself: the launcher is not dumpable, so nobody else may look. */
	holder->ns_fd = open("/proc/thread-self/ns/user", O_RDONLY | O_CLOEXEC);
	if (holder->ns_fd < 0)
		holder->ns_fd = -errno;
	if (write(holder->ready_fd, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

int sandbox_users_idmap(uint32_t uid, uint32_t gid, uint32_t kernel)
{
	static char stack[16384] __attribute__((aligned(16)));
	struct idmap_holder holder = { .ns_fd = -ESRCH };
	int ready[2], pidfd = -1, r = 0;
	struct pollfd wait[2];
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -errno;
	holder.ready_fd = ready[1];
	pid = clone(idmap_hold, stack + sizeof(stack), CLONE_VM | CLONE_FILES | CLONE_NEWUSER | CLONE_PIDFD | SIGCHLD, &holder,
		    &pidfd);
	if (pid < 0) {
		r = -errno;
		goto close_pipe;
	}
	wait[0] = (struct pollfd){ .fd = ready[0], .events = POLLIN };
	wait[1] = (struct pollfd){ .fd = pidfd, .events = POLLIN };
	while (poll(wait, 2, -1) < 0 && errno == EINTR)
		;
	r = holder.ns_fd < 0 ? holder.ns_fd : sandbox_users_map(pid, uid, gid, kernel, kernel);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(pidfd);
	if (r < 0)
		fd_close(&holder.ns_fd);
close_pipe:
	close(ready[0]);
	close(ready[1]);
	return r < 0 ? r : holder.ns_fd;
}
