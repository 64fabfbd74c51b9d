/* Can this machine confine anything? Asked before the first process is started, so that the answer is one sentence and not a crash.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "confine/layers.h"

/* The first byte of a small file of /proc/sys, or 0 where there is none. */
static char setting(const char *path)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char c = 0;

	return fd >= 0 && read(fd, &c, 1) == 1 ? c : 0;
}

/* Settings of distributions that forbid user namespaces to ordinary users. */
static const struct {
	const char *path, *advice;
	char forbids;
} user_settings[] = {
	{ "/proc/sys/kernel/unprivileged_userns_clone",
	  "this system forbids user namespaces to ordinary users (Debian's setting): as root, sysctl -w "
	  "kernel.unprivileged_userns_clone=1",
	  '0' },
	{ "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
	  "AppArmor restricts user namespaces on this system (Ubuntu's setting): allow this program \"userns\" in an AppArmor profile, or as root, "
	  "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
	  '1' },
	{ "/proc/sys/user/max_user_namespaces",
	  "this system allows no user namespaces: as root, sysctl -w user.max_user_namespaces=15000", '0' },
};

int confine_explain_namespaces(struct confine_fault *fault, int error)
{
	static const char layer[] = "user-namespaces";

	if (error == EPERM || error == EACCES || error == ENOSPC)
		for (size_t i = 0; i < sizeof(user_settings) / sizeof(user_settings[0]); i++)
			if (setting(user_settings[i].path) == user_settings[i].forbids)
				return confine_fail(fault, layer, error, "%s", user_settings[i].advice);
	if (error == ENOSPC)
		return confine_fail(
			fault, layer, error,
			"there are as many namespaces as this system allows, or they are nested too deeply: as root, raise the "
			"user.max_*_namespaces settings");
	if (error == EINVAL)
		return confine_fail(fault, layer, error,
				    "this kernel lacks a kind of namespace that Bawn needs (CONFIG_USER_NS, "
				    "CONFIG_PID_NS, CONFIG_NET_NS, CONFIG_IPC_NS, CONFIG_UTS_NS, CONFIG_CGROUPS)");
	if (error == EPERM || error == EACCES || error == ENOSYS)
		return confine_fail(fault, layer, error,
				    "namespaces are refused (%s), as the seccomp profile of a container or a chroot does: allow "
				    "clone3, unshare "
				    "and mount in the container's profile (docker run --security-opt seccomp=..., --security-opt "
				    "apparmor=...), or run Bawn outside of it",
				    strerror(error));
	return confine_fail(fault, layer, error, "no namespace for Bawn's processes: %s", strerror(error));
}

/* In a child of its own, as an ordinary user would have it: a user namespace, and a mount inside it. The exit code is the errno. */
static int try_namespaces(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP) < 0)
		return errno;
	/* Where AppArmor lets the namespace come about, but takes the rights away in it, this is what fails. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return errno;
	if (mount("tmpfs", "/proc", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k") < 0)
		return errno;
	return 0;
}

static int probe_namespaces(struct confine_fault *fault)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(try_namespaces());
	if (child < 0)
		return confine_fail(fault, "processes", errno, "cannot start a process: %s", strerror(errno));
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return confine_fail(fault, "processes", errno, "cannot wait for a process: %s", strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return confine_explain_namespaces(fault, WIFEXITED(status) ? WEXITSTATUS(status) : EPERM);
}

static int probe_seccomp(struct confine_fault *fault)
{
	uint32_t action = SECCOMP_RET_KILL_PROCESS;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0)
		return 0;
	return confine_fail(
		fault, "seccomp", errno,
		"this kernel has no seccomp filters that kill a process (%s): it needs CONFIG_SECCOMP_FILTER, and a container's "
		"profile must allow the seccomp call",
		strerror(errno));
}

int confine_probe(struct confine_fault *ret_fault)
{
	int r;

	if (access("/proc/self/status", R_OK) < 0)
		return confine_fail(ret_fault, "proc", errno, "cannot read /proc/self/status (%s): mount proc on /proc",
				    strerror(errno));
	r = probe_seccomp(ret_fault);
	if (r == 0)
		r = confine_landlock_abi(ret_fault);
	if (r >= 0)
		r = probe_namespaces(ret_fault);
	return r;
}
