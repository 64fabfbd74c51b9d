#include "launcher/sandbox_fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

static void __attribute__((format(printf, 4, 0)))
sentence(struct sandbox_report *report, enum sandbox_stage stage, int error, const char *format, va_list args)
{
	report->stage = (uint32_t)stage;
	report->fault.error = error;
	text_vformat(report->fault.text, sizeof(report->fault.text), format, args);
}

int sandbox_fail(struct sandbox_report *report, enum sandbox_stage stage, int error, const char *format, ...)
{
	size_t used;
	va_list args;

	va_start(args, format);
	sentence(report, stage, error, format, args);
	va_end(args);
	used = strlen(report->fault.text);
	/* strerrordesc_np: no locale, no allocation, safe in a process that has just been cloned. */
	snprintf(report->fault.text + used, sizeof(report->fault.text) - used, ": %s",
		 strerrordesc_np(error) ? strerrordesc_np(error) : "?");
	return -error;
}

int sandbox_fail_plain(struct sandbox_report *report, enum sandbox_stage stage, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	sentence(report, stage, error, format, args);
	va_end(args);
	return -error;
}

/* A setting that is one number. */
static long setting(const char *path)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[32];
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	return strtol(text, NULL, 10);
}

static bool seccomp_stands(void)
{
	cleanup_fd int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	char text[4096];
	const char *line;
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return false;
	text[n] = '\0';
	line = strstr(text, "\nSeccomp:\t");
	return line && line[10] == '2';
}

void sandbox_facts_read(struct sandbox_facts *ret_facts)
{
	*ret_facts = (struct sandbox_facts){
		.unprivileged_userns_clone = (int)setting("/proc/sys/kernel/unprivileged_userns_clone"),
		.apparmor_restrict_userns = (int)setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
		.max_user_namespaces = setting("/proc/sys/user/max_user_namespaces"),
		.filtered = seccomp_stands(),
		.root = geteuid() == 0,
	};
}

/* Advice for a machine that gives no user namespace, or one without power. */
static const char *namespace_advice(int error, const struct sandbox_facts *facts)
{
	if (facts->max_user_namespaces == 0)
		return "user namespaces are switched off; as root: sysctl -w user.max_user_namespaces=15000";
	if (facts->unprivileged_userns_clone == 0 && !facts->root)
		return "user namespaces are kept from ordinary users; as root: sysctl -w kernel.unprivileged_userns_clone=1";
	if (facts->apparmor_restrict_userns == 1 && !facts->root)
		return "AppArmor keeps user namespaces from ordinary users (Ubuntu); as root allow this program \"userns\" in an AppArmor profile, or: "
		       "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";
	if (error == ENOSPC)
		return "too many namespaces exist; raise user.max_user_namespaces and its siblings under /proc/sys/user";
	if (error == EUSERS)
		return "user namespaces are nested too deeply (32 is the kernel's limit); run Bawn further out";
	if (error == EINVAL)
		return "this kernel is built without a namespace that is needed (user, mount, pid, net, ipc, uts, cgroup)";
	if (facts->filtered)
		return "a container's seccomp filter stands around Bawn; start the container with a filter that permits clone3, "
		       "unshare and mount "
		       "(docker run --security-opt seccomp=unconfined)";
	return "user namespaces are refused here: Bawn may be in a chroot, or a security module forbids them";
}

const char *sandbox_advice(enum sandbox_stage stage, int error, const struct sandbox_facts *facts)
{
	bool refused = error == EPERM || error == EACCES;

	switch (stage) {
	case SANDBOX_STAGE_CLONE:
	case SANDBOX_STAGE_USER:
		return namespace_advice(error, facts);
	case SANDBOX_STAGE_MOUNT:
		return refused && (facts->apparmor_restrict_userns == 1 || facts->filtered) ? namespace_advice(error, facts) : "";
	case SANDBOX_STAGE_PROC:
		return refused ? "the /proc around Bawn is masked, as containers do it; docker run --security-opt "
				 "systempaths=unconfined, "
				 "Kubernetes: procMount: Unmasked"
			       : "";
	case SANDBOX_STAGE_IDMAP:
		if (error == EINVAL)
			return "this file system cannot map owners (idmapped mounts); move the folder to ext4, xfs, btrfs or "
			       "tmpfs, or run Bawn as "
			       "an ordinary user";
		return refused ? "as root Bawn needs CAP_SYS_ADMIN, CAP_SETUID and CAP_SETGID; give them, or run Bawn as an "
				 "ordinary user"
			       : "";
	case SANDBOX_STAGE_LANDLOCK:
		return error == ENOSYS || error == EOPNOTSUPP
			       ? "Landlock is off; add landlock to the kernel's lsm= list and restart the machine"
			       : "";
	case SANDBOX_STAGE_SECCOMP:
		return error == EINVAL || error == ENOSYS ? "this kernel is built without CONFIG_SECCOMP_FILTER" : "";
	case SANDBOX_STAGE_RUNNING:
	case SANDBOX_STAGE_PLAN:
	case SANDBOX_STAGE_EXEC:
	case SANDBOX_STAGE_CODE:
	case SANDBOX_STAGE_OTHER:
		break;
	}
	return "";
}

int sandbox_fault_from(const struct sandbox_report *report, const struct sandbox_facts *facts, struct sandbox_fault *ret_fault)
{
	cleanup_buf struct buf text = BUF_INIT(sizeof(ret_fault->text) - 1);
	const char *advice = sandbox_advice((enum sandbox_stage)report->stage, report->fault.error, facts);
	size_t len = strnlen(report->fault.text, sizeof(report->fault.text));

	/* A sentence that grows past the room when escaped loses its end, byte by byte; the advice counts for more. */
	while (len && text_escape(&text, slice_of(report->fault.text, len)) < 0) {
		buf_clear(&text);
		len--;
	}
	if (advice[0] && buf_printf(&text, " (%s)", advice) < 0) {
		buf_clear(&text);
		buf_add_str(&text, advice);
	}
	memcpy(ret_fault->text, text.ptr ? text.ptr : "", text.len);
	ret_fault->text[text.len] = '\0';
	ret_fault->error = report->fault.error;
	return -report->fault.error;
}
