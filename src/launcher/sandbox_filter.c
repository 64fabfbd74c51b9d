#include "launcher/sandbox_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

enum verdict { VERDICT_ALLOW, VERDICT_ALLOW_IF, VERDICT_REFUSE, VERDICT_REFUSE_IF, VERDICT_REFUSE_LOCAL };

struct condition {
	unsigned argument;
	uint64_t mask, value;
};

struct rule {
	const char *name;
	enum verdict verdict;
	int error;
	const char *reason;
	unsigned condition_count;
	uint64_t words[9]; /* conditions, as the table writes them: argument, mask, value */
};

/* The table's conditions are counted by their words. */
#define WORDS(...) (unsigned)(sizeof((uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t) / 3)
#define ALLOW(call) { .name = #call, .verdict = VERDICT_ALLOW },
#define ALLOW_IF(call, ...) { .name = #call, .verdict = VERDICT_ALLOW_IF, .condition_count = WORDS(__VA_ARGS__), .words = { __VA_ARGS__ } },
#define REFUSE(call, code, why) { .name = #call, .verdict = VERDICT_REFUSE, .error = code, .reason = why },
#define REFUSE_IF(call, a, m, v, code, why) \
	{ .name = #call, .verdict = VERDICT_REFUSE_IF, .error = code, .reason = why, .condition_count = 1, .words = { a, m, v } },
#define REFUSE_IF2(call, a, m, v, b, n, w, code, why) \
	{ .name = #call, .verdict = VERDICT_REFUSE_IF, .error = code, .reason = why, .condition_count = 2, .words = { a, m, v, b, n, w } },
#define REFUSE_LOCAL(call, a, m, v, code, why) \
	{ .name = #call, .verdict = VERDICT_REFUSE_LOCAL, .error = code, .reason = why, .condition_count = 1, .words = { a, m, v } },

static const struct rule rules[] = {
#include "launcher/seccomp.tbl.h"
};

#define RULE_COUNT (sizeof(rules) / sizeof(rules[0]))

static int rule_add(scmp_filter_ctx filter, const struct rule *rule, uint32_t action)
{
	struct scmp_arg_cmp conditions[3];
	int number = seccomp_syscall_resolve_name(rule->name);

	/* A call of another architecture, or that this libseccomp does not know: refused by default. */
	if (number == __NR_SCMP_ERROR || number < 0)
		return 0;
	for (unsigned i = 0; i < rule->condition_count; i++) {
		const uint64_t *w = rule->words + 3 * i;

		conditions[i] = (struct scmp_arg_cmp){ .arg = (unsigned)w[0], .op = SCMP_CMP_MASKED_EQ, .datum_a = w[1], .datum_b = w[2] };
	}
	return seccomp_rule_add_array(filter, action, number, rule->condition_count, conditions);
}

/* The compiled program as bytes; libseccomp 2.5 gives it to a descriptor only. */
static int filter_export(scmp_filter_ctx filter, struct buf *out)
{
	cleanup_fd int fd = memfd_create("filter", MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = seccomp_export_bpf(filter, fd);
	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	return io_read_all(fd, out);
}

static int prog_take(struct buf *code, struct sock_fprog *ret_prog)
{
	if (code->len % sizeof(struct sock_filter) || code->len / sizeof(struct sock_filter) > BPF_MAXINSNS)
		return -E2BIG;
	*ret_prog = (struct sock_fprog){ .len = (unsigned short)(code->len / sizeof(struct sock_filter)), .filter = (void *)code->ptr };
	*code = (struct buf)BUF_INIT(code->max);
	return 0;
}

static scmp_filter_ctx filter_new(uint32_t action)
{
	scmp_filter_ctx filter = seccomp_init(action);

	if (!filter)
		return NULL;
	/* A foreign architecture (and x32, whose numbers libseccomp counts as one) ends the process, whatever the call. */
	if (seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) < 0 ||
	    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) < 0) {
		seccomp_release(filter);
		return NULL;
	}
	return filter;
}

/* A call newer than the table gets ENOSYS: "this kernel does not have it" is what libraries expect and fall back from. */
static int newer_calls(struct buf *code)
{
	int newest = 0;

	for (size_t i = 0; i < RULE_COUNT; i++) {
		int number = seccomp_syscall_resolve_name(rules[i].name);

		newest = number > newest ? number : newest;
	}
	{
		const struct sock_filter prologue[] = {
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, seccomp_arch_native(), 0, 4),
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
			/* x32's bit: libseccomp's part kills it. */
			BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 2, 0),
			BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)newest, 0, 1),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		};

		return buf_add(code, prologue, sizeof(prologue));
	}
}

int sandbox_filter_allowed(struct sock_fprog *ret_prog)
{
	cleanup_buf struct buf code = BUF_INIT(BPF_MAXINSNS * sizeof(struct sock_filter));
	scmp_filter_ctx filter = filter_new(SCMP_ACT_ERRNO(EPERM));
	int r = filter ? newer_calls(&code) : -ENOMEM;

	for (size_t i = 0; i < RULE_COUNT && r == 0; i++) {
		if (rules[i].verdict == VERDICT_ALLOW || rules[i].verdict == VERDICT_ALLOW_IF)
			r = rule_add(filter, &rules[i], SCMP_ACT_ALLOW);
		else if (rules[i].verdict == VERDICT_REFUSE && rules[i].error != EPERM)
			r = rule_add(filter, &rules[i], SCMP_ACT_ERRNO((uint16_t)rules[i].error));
	}
	if (r == 0)
		r = filter_export(filter, &code);
	if (filter)
		seccomp_release(filter);
	return r < 0 ? r : prog_take(&code, ret_prog);
}

int sandbox_filter_refused(bool local_sockets, struct sock_fprog *ret_prog)
{
	cleanup_buf struct buf code = BUF_INIT(BPF_MAXINSNS * sizeof(struct sock_filter));
	scmp_filter_ctx filter = filter_new(SCMP_ACT_ALLOW);
	int r = filter ? 0 : -ENOMEM;

	for (size_t i = 0; i < RULE_COUNT && r == 0; i++)
		if (rules[i].verdict == VERDICT_REFUSE_IF || (rules[i].verdict == VERDICT_REFUSE_LOCAL && !local_sockets))
			r = rule_add(filter, &rules[i], SCMP_ACT_ERRNO((uint16_t)rules[i].error));
	if (r == 0)
		r = filter_export(filter, &code);
	if (filter)
		seccomp_release(filter);
	return r < 0 ? r : prog_take(&code, ret_prog);
}

int sandbox_filter_keeper(struct sock_fprog *ret_prog)
{
	static const int calls[] = { SCMP_SYS(write), SCMP_SYS(close), SCMP_SYS(wait4), SCMP_SYS(exit_group), SCMP_SYS(restart_syscall) };
	cleanup_buf struct buf code = BUF_INIT(BPF_MAXINSNS * sizeof(struct sock_filter));
	scmp_filter_ctx filter = filter_new(SCMP_ACT_KILL_PROCESS);
	int r = filter ? 0 : -ENOMEM;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	if (r == 0)
		r = filter_export(filter, &code);
	if (filter)
		seccomp_release(filter);
	return r < 0 ? r : prog_take(&code, ret_prog);
}

int sandbox_filter_install(const struct sock_fprog *prog)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, prog) < 0 ? -errno : 0;
}

int sandbox_filter_verdict(const char *name, const char **ret_reason)
{
	for (size_t i = 0; i < RULE_COUNT; i++) {
		if (rules[i].verdict >= VERDICT_REFUSE_IF || strcmp(rules[i].name, name) != 0)
			continue;
		*ret_reason = rules[i].reason ? rules[i].reason : "";
		return rules[i].verdict == VERDICT_REFUSE ? rules[i].error : 0;
	}
	return -1;
}
