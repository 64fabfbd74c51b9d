/* confine: what Landlock refuses, and what it must not. */
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "confine/landlock_abi.h"
#include "confine/layers.h"
#include "confine_child.h"

static const struct confine_rule file_rules[] = {
	{ .syscall = SCMP_SYS(openat), .why = "test" },   { .syscall = SCMP_SYS(mkdirat), .why = "test" },
	{ .syscall = SCMP_SYS(unlinkat), .why = "test" }, { .syscall = SCMP_SYS(kill), .why = "test" },
	{ .syscall = SCMP_SYS(connect), .why = "test" },  { .syscall = SCMP_SYS(socket), .why = "test" },
	{ .syscall = SCMP_SYS(truncate), .why = "test" },
};

/* Confined to the folder with these rights, and calls of file_rules allowed. */
static void confine_to(int folder, uint64_t access)
{
	struct confine_path path = { .fd = folder, .access = access };
	struct confine_plan plan = base_plan;

	plan.allow = file_rules;
	plan.allow_count = sizeof(file_rules) / sizeof(file_rules[0]);
	plan.paths = &path;
	plan.path_count = 1;
	must_confine(&plan);
}

static bool refused(int result, int error)
{
	return result < 0 && errno == error;
}

static int read_only_folder(const void *arg)
{
	int folder = open(arg, O_PATH | O_DIRECTORY | O_CLOEXEC), abi = confine_landlock_abi(&(struct confine_fault){ 0 });
	char file[64];

	snprintf(file, sizeof(file), "%s/file", (const char *)arg);
	confine_to(folder, CONFINE_FS_READ);
	if (abi >= 3 && !refused(truncate(file, 0), EACCES))
		return 5;
	if (openat(folder, "file", O_RDONLY) < 0)
		return 1;
	if (!refused(openat(folder, "file", O_WRONLY), EACCES) || !refused(openat(folder, "new", O_WRONLY | O_CREAT, 0600), EACCES))
		return 2;
	if (!refused(openat(folder, "../", O_RDONLY), EACCES) || !refused(openat(AT_FDCWD, "/etc/passwd", O_RDONLY), EACCES))
		return 3;
	if (!refused(mkdirat(folder, "folder", 0700), EACCES) || !refused(unlinkat(folder, "file", 0), EACCES))
		return 4;
	return 0;
}

static int writable_folder(const void *arg)
{
	int folder = open(arg, O_PATH | O_DIRECTORY | O_CLOEXEC);

	confine_to(folder, CONFINE_FS_STORE);
	if (openat(folder, "new", O_WRONLY | O_CREAT | O_TRUNC, 0600) < 0 || unlinkat(folder, "new", 0) < 0)
		return 1;
	if (!refused(mkdirat(folder, "folder", 0700), EACCES) ||
	    !refused(openat(folder, "../file", O_WRONLY | O_CREAT, 0600), EACCES))
		return 2;
	return 0;
}

static void only_the_plans_paths_can_be_opened(void **state)
{
	char folder[] = "/tmp/bawn-confine-XXXXXX", file[64];
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/file", folder);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_exit(in_child(read_only_folder, folder), 0);
	assert_exit(in_child(writable_folder, folder), 0);
	unlink(file);
	assert_int_equal(rmdir(folder), 0);
}

struct outside {
	int channel;
	struct sockaddr_un address; /* of an abstract socket that somebody listens on */
	socklen_t len;
};

/*
 * Neither a signal nor an abstract socket reaches anybody outside, but what is connected already goes on working, descriptors included.
 */
static int reach_out(const void *arg)
{
	const struct outside *outside = arg;
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte;
	struct iovec bytes = { &byte, 1 };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	pid_t parent = getppid();
	int fd, abi = confine_landlock_abi(&(struct confine_fault){ 0 });

	confine_to(outside->channel, 0);
	if (recvmsg(outside->channel, &message, 0) != 1 || byte != 'd' || !CMSG_FIRSTHDR(&message))
		return 1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	if (write(fd, "through", 7) != 7 || send(outside->channel, "y", 1, MSG_NOSIGNAL) != 1)
		return 2;
	if (abi < 6)
		return 0;
	if (!refused(kill(parent, 0), EPERM))
		return 3;
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (!refused(connect(fd, (const struct sockaddr *)&outside->address, outside->len), EPERM))
		return 4;
	return 0;
}

static void send_fd(int channel, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec bytes = { (void *)(uintptr_t) "d", 1 };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	assert_int_equal(sendmsg(channel, &message, 0), 1);
}

static void nobody_outside_is_reached(void **state)
{
	struct outside outside = { .address = { .sun_family = AF_UNIX }, .len = sizeof(outside.address) };
	int pair[2], pipes[2], listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[8] = "";

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(pipe(pipes), 0);
	/* Without a name of its own it gets an abstract one that nobody else has (unix(7), autobind). */
	assert_int_equal(bind(listener, (struct sockaddr *)&outside.address, sizeof(sa_family_t)), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&outside.address, &outside.len), 0);
	assert_int_equal(listen(listener, 1), 0);
	outside.channel = pair[0];
	send_fd(pair[1], pipes[1]);
	assert_exit(in_child(reach_out, &outside), 0);
	assert_int_equal(read(pipes[0], text, 7), 7);
	assert_string_equal(text, "through");
	close(pair[0]);
	close(pair[1]);
	close(pipes[0]);
	close(pipes[1]);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_plans_paths_can_be_opened),
		cmocka_unit_test(nobody_outside_is_reached),
	};

	return run_as_each("confine_landlock", tests, sizeof(tests) / sizeof(tests[0]));
}
