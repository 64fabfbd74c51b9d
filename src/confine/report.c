/* A report as JSON. */
#include <string.h>

#include "confine/confine.h"

static const char *const namespace_names[CONFINE_NAMESPACES] = {
	[CONFINE_NS_USER] = "user", [CONFINE_NS_MOUNT] = "mount", [CONFINE_NS_PID] = "pid",       [CONFINE_NS_NET] = "net",
	[CONFINE_NS_IPC] = "ipc",   [CONFINE_NS_UTS] = "uts",     [CONFINE_NS_CGROUP] = "cgroup",
};

const char *confine_namespace_name(enum confine_namespace ns)
{
	return namespace_names[ns];
}

/* The items of a JSON array. */
static int add_namespaces(struct buf *out, uint32_t set)
{
	const char *comma = "";
	int r = 0;

	for (unsigned ns = 0; ns < CONFINE_NAMESPACES && r == 0; ns++) {
		if (!(set >> ns & 1))
			continue;
		r = buf_printf(out, "%s\"%s\"", comma, namespace_names[ns]);
		comma = ",";
	}
	return r;
}

static const char *truth(bool b)
{
	return b ? "true" : "false";
}

int confine_report_json(const struct confine_report *report, uint32_t apart, struct buf *out)
{
	int r = buf_printf(
		out,
		"{\"seccomp\":%u,\"filters\":%u,\"filters_inherited\":%u,\"landlock\":%u,\"files_refused\":%s,\"tcp_refused\":%s,"
		"\"scoped\":%s,",
		report->seccomp, report->filters, report->filters_inherited, report->landlock, truth(report->files_refused),
		truth(report->tcp_refused), truth(report->scoped));

	if (r == 0)
		r = buf_printf(out,
			       "\"no_new_privs\":%s,\"dumpable\":%s,\"exec_refused\":%s,\"capabilities\":\"%016jx\",\"bounding\":"
			       "\"%016jx\","
			       "\"uid\":%u,\"open_files\":%ju,\"core_bytes\":%ju,\"dies_with_parent\":%s,\"namespaces\":[",
			       truth(report->no_new_privs), truth(report->dumpable), truth(report->exec_refused),
			       (uintmax_t)report->capabilities, (uintmax_t)report->bounding, report->uid,
			       (uintmax_t)report->open_files, (uintmax_t)report->core_bytes, truth(report->death_signal != 0));
	if (r == 0)
		r = add_namespaces(out, apart);
	return r == 0 ? buf_add_str(out, "]}") : r;
}
