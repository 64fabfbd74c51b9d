/* confine_self: the layers in their order, and the judgement of what was measured. */
#include "confine/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "confine/landlock_abi.h"
#include "confine/layers.h"
#include "confine/securebits.h"

int confine_fail(struct confine_fault *fault, const char *layer, int error, const char *format, ...)
{
	va_list args;

	fault->layer = layer;
	fault->error = error;
	va_start(args, format);
	vsnprintf(fault->text, sizeof(fault->text), format, args);
	va_end(args);
	return error ? -error : -EPERM;
}

/* Lowers a limit, soft and hard, to at most `value`; a lower one that was there already stays. */
static int lower_limit(struct confine_fault *fault, __rlimit_resource_t resource, const char *name, uint64_t value)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0)
		return confine_fail(fault, "limits", errno, "cannot read the limit on %s: %s", name, strerror(errno));
	if (limit.rlim_max > value)
		limit.rlim_max = value;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(resource, &limit) < 0)
		return confine_fail(fault, "limits", errno, "cannot limit %s to %ju: %s", name, (uintmax_t)value, strerror(errno));
	return 0;
}

static int put_limits(const struct confine_plan *plan, struct confine_fault *fault)
{
	int r = lower_limit(fault, RLIMIT_CORE, "core files", 0);

	if (r == 0)
		r = lower_limit(fault, RLIMIT_NOFILE, "open files", plan->open_files);
	if (r == 0 && plan->memory && !confine_sanitized)
		r = lower_limit(fault, RLIMIT_DATA, "memory", plan->memory);
	if (r == 0 && plan->locked)
		r = lower_limit(fault, RLIMIT_MEMLOCK, "locked memory", plan->locked);
	return r;
}

static int put_no_new_privs(struct confine_fault *fault)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return confine_fail(fault, "no-new-privs", errno, "cannot set no_new_privs: %s", strerror(errno));
	return 0;
}

/*
 * The bounding set and the secure bits can be narrowed only by a process that has CAP_SETPCAP: root without confine_spawn. A
 * process that confine_spawn started had it done before exec, and an ordinary user has nothing to gain from either.
 */
static void narrow_what_exec_gives(uint64_t keep)
{
	for (int cap = 0; cap < 64 && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (!(keep >> cap & 1))
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	if (keep == 0)
		prctl(PR_SET_SECUREBITS, CONFINE_SECUREBITS, 0, 0, 0);
}

static int put_capabilities(const struct confine_plan *plan, struct confine_fault *fault)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	narrow_what_exec_gives(plan->capabilities);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capget, &header, data) < 0)
		return confine_fail(fault, "capabilities", errno, "cannot read capabilities: %s", strerror(errno));
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(plan->capabilities >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &header, data) < 0)
		return confine_fail(fault, "capabilities", errno, "cannot drop capabilities: %s", strerror(errno));
	return 0;
}

static int put_dumpable(struct confine_fault *fault)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return confine_fail(fault, "not-dumpable", errno, "cannot become not dumpable: %s", strerror(errno));
	return 0;
}

/* Newer than the headers: refuse, in the kernel, to make memory executable that was not so at exec (Linux 6.3; EINVAL before). */
enum { SET_MDWE = 65, MDWE_REFUSE_EXEC_GAIN = 1 };

static int put_memory(const struct confine_plan *plan, struct confine_fault *fault)
{
	if (plan->exec_memory || prctl(SET_MDWE, MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0 || errno == EINVAL)
		return 0;
	return confine_fail(fault, "memory", errno, "cannot give up executable memory: %s", strerror(errno));
}

static int put_layer(enum confine_layer layer, const struct confine_plan *plan, struct confine_report *report,
		     struct confine_fault *fault)
{
	switch (layer) {
	case LAYER_LIMITS:
		return put_limits(plan, fault);
	case LAYER_NO_NEW_PRIVS:
		return put_no_new_privs(fault);
	case LAYER_CAPABILITIES:
		return put_capabilities(plan, fault);
	case LAYER_DUMPABLE:
		return put_dumpable(fault);
	case LAYER_LANDLOCK:
		return plan->landlock ? confine_landlock(plan, report, fault) : 0;
	case LAYER_MEMORY:
		return put_memory(plan, fault);
	case LAYER_SECCOMP:
		return confine_seccomp(plan, fault);
	case LAYERS:
		break;
	}
	return confine_fail(fault, "confine", EINVAL, "no such layer");
}

static int put_all(const struct confine_plan *plan, uint32_t left_out, struct confine_state *state, struct confine_report *report,
		   struct confine_fault *fault)
{
	int r = confine_measure_before(state, report, fault);

	for (enum confine_layer layer = 0; layer < LAYERS && r == 0; layer++) {
		if (layer == LAYER_SECCOMP)
			r = confine_measure_first(state, report, fault);
		if (r == 0 && !(left_out >> layer & 1))
			r = put_layer(layer, plan, report, fault);
	}
	if (r == 0)
		r = confine_measure_last(state, report, fault);
	return r;
}

int confine_put_on(const struct confine_plan *plan, uint32_t left_out, struct confine_report *ret_report,
		   struct confine_fault *fault)
{
	struct confine_state state = { .status = -1 };
	struct confine_report report = { 0 };
	char name[16];
	int r;

	if (plan->open_files == 0 || (plan->allow == NULL) != !plan->landlock)
		return confine_fail(fault, "confine", EINVAL, "%s: its plan is not whole", plan->process);
	snprintf(name, sizeof(name), "bawn-%s", plan->process);
	prctl(PR_SET_NAME, name, 0, 0, 0);
	confine_sanitizer_stop();
	r = put_all(plan, left_out, &state, &report, fault);
	fd_close(&state.status);
	if (r == 0)
		r = confine_judge_report(plan, &state, &report, fault);
	if (r == 0)
		*ret_report = report;
	return r;
}

int confine_self(const struct confine_plan *plan, struct confine_report *ret_report, struct confine_fault *ret_fault)
{
	return confine_put_on(plan, 0, ret_report, ret_fault);
}

/* One sentence for each thing that the report may show to be missing. */
int confine_judge_report(const struct confine_plan *plan, const struct confine_state *state, const struct confine_report *report,
			 struct confine_fault *fault)
{
	const struct {
		bool missing;
		const char *layer, *what;
	} checks[] = {
		{ report->core_bytes != 0, "limits", "it could still write core files" },
		{ report->open_files > plan->open_files, "limits", "it may open more files than its plan says" },
		{ !report->no_new_privs, "no-new-privs", "no_new_privs is not set" },
		{ report->capabilities & ~plan->capabilities, "capabilities", "it still holds capabilities" },
		{ report->dumpable, "not-dumpable", "another process of the user could read its memory" },
		{ plan->landlock && report->landlock < CONFINE_LANDLOCK_LEAST, "landlock", "it has no Landlock domain" },
		{ plan->landlock && !report->files_refused, "landlock", "it could still open files outside its plan" },
		{ plan->landlock && report->landlock >= 4 && !report->tcp_refused, "landlock", "it could still use TCP ports" },
		{ plan->landlock && report->landlock >= 6 && !report->scoped, "landlock", "it could still signal other processes" },
		{ !plan->exec_memory && state->memory_known && !report->exec_refused, "memory",
		  "it could still make memory executable" },
		{ report->seccomp != 2, "seccomp", "no seccomp filter is in force" },
		{ report->filters <= report->filters_inherited, "seccomp", "its own seccomp filter is not in force" },
		{ plan->dies_with_parent && report->death_signal != SIGKILL, "parent-death", "it would outlive init" },
	};

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		if (checks[i].missing)
			return confine_fail(fault, checks[i].layer, EPERM, "%s: %s", plan->process, checks[i].what);
	return 0;
}

uint32_t confine_apart(const struct confine_report *a, const struct confine_report *b)
{
	uint32_t apart = 0;

	for (unsigned ns = 0; ns < CONFINE_NAMESPACES; ns++)
		if (a->namespaces[ns] != b->namespaces[ns])
			apart |= 1u << ns;
	return apart;
}

int confine_check_apart(const char *process, const struct confine_report *report, const struct confine_report *own, uint32_t wanted,
			struct confine_fault *ret_fault)
{
	uint32_t shared = wanted & ~confine_apart(report, own);

	if (shared == 0)
		return 0;
	return confine_fail(ret_fault, "namespaces", EPERM, "%s: it shares the %s namespace with init", process,
			    confine_namespace_name((enum confine_namespace)__builtin_ctz(shared)));
}
