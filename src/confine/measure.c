/* What the kernel says of this process. */
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "confine/layers.h"

enum { GET_MDWE = 66, MDWE_REFUSE_EXEC_GAIN = 1, STATUS_MAX = 1 << 20 };

static const char *const namespace_files[CONFINE_NAMESPACES] = {
	[CONFINE_NS_USER] = "/proc/self/ns/user",     [CONFINE_NS_MOUNT] = "/proc/self/ns/mnt",
	[CONFINE_NS_PID] = "/proc/self/ns/pid",       [CONFINE_NS_NET] = "/proc/self/ns/net",
	[CONFINE_NS_IPC] = "/proc/self/ns/ipc",       [CONFINE_NS_UTS] = "/proc/self/ns/uts",
	[CONFINE_NS_CGROUP] = "/proc/self/ns/cgroup",
};

/* The rest of the line of /proc/self/status that starts with `name`, which ends in a colon; blanks in front dropped. */
static struct slice status_field(struct slice status, struct slice name)
{
	while (status.len) {
		const char *end = memchr(status.ptr, '\n', status.len);
		size_t len = end ? (size_t)(end - status.ptr) : status.len;
		struct slice line = slice_of(status.ptr, len);

		if (slice_starts(line, name)) {
			line = slice_of(line.ptr + name.len, line.len - name.len);
			while (line.len && (*line.ptr == '\t' || *line.ptr == ' '))
				line = slice_of(line.ptr + 1, line.len - 1);
			return line;
		}
		len += end != NULL;
		status = slice_of(status.ptr + len, status.len - len);
	}
	return slice_of(NULL, 0);
}

static int status_number(struct slice status, struct slice name, uint64_t *ret_n)
{
	return text_u64(status_field(status, name), 0, UINT64_MAX, ret_n);
}

/* A capability set: 16 hexadecimal digits. */
static int status_set(struct slice status, struct slice name, uint64_t *ret_set)
{
	unsigned char bytes[8];
	int r = text_unhex(status_field(status, name), bytes, sizeof(bytes));

	if (r < 0)
		return r;
	*ret_set = 0;
	for (size_t i = 0; i < sizeof(bytes); i++)
		*ret_set = *ret_set << 8 | bytes[i];
	return 0;
}

static int read_status(int fd, struct buf *out, struct confine_fault *fault)
{
	int r = io_read_all(fd, out);

	return r == 0 ? 0 : confine_fail(fault, "proc", -r, "cannot read /proc/self/status: %s", strerror(-r));
}

static int open_status(struct confine_fault *fault)
{
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return confine_fail(fault, "proc", errno, "cannot read /proc/self/status (%s): mount proc on /proc",
				    strerror(errno));
	return fd;
}

int confine_measure_before(struct confine_state *state, struct confine_report *report, struct confine_fault *fault)
{
	cleanup_buf struct buf status = BUF_INIT(STATUS_MAX);
	cleanup_fd int now = open_status(fault);
	uint64_t filters = 0;
	int r;

	if (now < 0)
		return now;
	r = read_status(now, &status, fault);
	if (r < 0)
		return r;
	if (status_number(buf_slice(&status), SLICE("Seccomp_filters:"), &filters) < 0 || filters > 200)
		return confine_fail(fault, "seccomp", EPROTO, "the kernel does not say how many seccomp filters are in force");
	report->filters_inherited = (uint8_t)filters;
	state->status = open_status(fault);
	return state->status < 0 ? state->status : 0;
}

static int measure_namespaces(struct confine_report *report, struct confine_fault *fault)
{
	for (unsigned ns = 0; ns < CONFINE_NAMESPACES; ns++) {
		struct stat st;

		if (stat(namespace_files[ns], &st) < 0)
			return confine_fail(fault, "proc", errno, "cannot look at %s: %s", namespace_files[ns], strerror(errno));
		report->namespaces[ns] = st.st_ino;
	}
	return 0;
}

static int measure_limits(struct confine_report *report, struct confine_fault *fault)
{
	struct rlimit core, files;

	if (getrlimit(RLIMIT_CORE, &core) < 0 || getrlimit(RLIMIT_NOFILE, &files) < 0)
		return confine_fail(fault, "limits", errno, "cannot read limits: %s", strerror(errno));
	report->core_bytes = core.rlim_max;
	report->open_files = files.rlim_max;
	return 0;
}

int confine_measure_first(struct confine_state *state, struct confine_report *report, struct confine_fault *fault)
{
	int signal = 0, memory, r = measure_namespaces(report, fault);

	if (r == 0)
		r = measure_limits(report, fault);
	if (r < 0)
		return r;
	report->dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0;
	memory = prctl(GET_MDWE, 0, 0, 0, 0);
	state->memory_known = memory >= 0;
	report->exec_refused = memory > 0 && (memory & MDWE_REFUSE_EXEC_GAIN);
	if (prctl(PR_GET_PDEATHSIG, &signal, 0, 0, 0) == 0)
		report->death_signal = (uint8_t)signal;
	report->uid = geteuid();
	return 0;
}

int confine_measure_last(struct confine_state *state, struct confine_report *report, struct confine_fault *fault)
{
	cleanup_buf struct buf status = BUF_INIT(STATUS_MAX);
	uint64_t seccomp = 0, filters = 0, privs = 0, sets[4] = { 0 };
	struct slice s;
	int r = read_status(state->status, &status, fault);

	if (r < 0)
		return r;
	s = buf_slice(&status);
	if (status_number(s, SLICE("Seccomp:"), &seccomp) < 0 || status_number(s, SLICE("Seccomp_filters:"), &filters) < 0 ||
	    status_number(s, SLICE("NoNewPrivs:"), &privs) < 0 || status_set(s, SLICE("CapInh:"), &sets[0]) < 0 ||
	    status_set(s, SLICE("CapPrm:"), &sets[1]) < 0 || status_set(s, SLICE("CapEff:"), &sets[2]) < 0 ||
	    status_set(s, SLICE("CapAmb:"), &sets[3]) < 0 || status_set(s, SLICE("CapBnd:"), &report->bounding) < 0)
		return confine_fail(fault, "proc", EPROTO, "/proc/self/status does not say what confines this process");
	report->seccomp = (uint8_t)(seccomp < 3 ? seccomp : 3);
	report->filters = (uint8_t)(filters < 255 ? filters : 255);
	report->no_new_privs = privs == 1;
	report->capabilities = sets[0] | sets[1] | sets[2] | sets[3];
	return 0;
}
