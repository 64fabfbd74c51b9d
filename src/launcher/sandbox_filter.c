#include "launcher/sandbox_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

enum verdict { VERDICT_ALLOW, VERDICT_ALLOW_IF, VERDICT_REFUSE, VERDICT_REFUSE_IF, VERDICT_REFUSE_LOCAL };

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
#define ALLOW_IF(call, ...)                                                                                                        \
	{ .name = #call, .verdict = VERDICT_ALLOW_IF, .condition_count = WORDS(__VA_ARGS__), .words = { __VA_ARGS__ } },
#define REFUSE(call, code, why) { .name = #call, .verdict = VERDICT_REFUSE, .error = code, .reason = why },
#define REFUSE_IF(call, a, m, v, code, why) \
	{ .name = #call, .verdict = VERDICT_REFUSE_IF, .error = code, .reason = why, .condition_count = 1, .words = { a, m, v } },
#define REFUSE_IF2(call, a, m, v, b, n, w, code, why)                                                                              \
	{ .name = #call,                                                                                                           \
	  .verdict = VERDICT_REFUSE_IF,                                                                                            \
	  .error = code,                                                                                                           \
	  .reason = why,                                                                                                           \
	  .condition_count = 2,                                                                                                    \
	  .words = { a, m, v, b, n, w } },
#define REFUSE_LOCAL(call, a, m, v, code, why)                                                                                     \
	{ .name = #call,                                                                                                           \
	  .verdict = VERDICT_REFUSE_LOCAL,                                                                                         \
	  .error = code,                                                                                                           \
	  .reason = why,                                                                                                           \
	  .condition_count = 1,                                                                                                    \
	  .words = { a, m, v } },

static const struct rule rules[] = {
#include "launcher/seccomp.tbl.h"
};

#define RULE_COUNT (sizeof(rules) / sizeof(rules[0]))

/* ---- a program in the making ---- */

struct code {
	struct sock_filter *ins;
	unsigned len;
	bool full; /* said once, at the end */
};

/* Appends one instruction; its index. */
static unsigned emit(struct code *code, unsigned op, uint32_t k, unsigned jt, unsigned jf)
{
	if (code->len == BPF_MAXINSNS || jt > UINT8_MAX || jf > UINT8_MAX) {
		code->full = true;
		return 0;
	}
	code->ins[code->len] = (struct sock_filter){ .code = (uint16_t)op, .k = k, .jt = (uint8_t)jt, .jf = (uint8_t)jf };
	return code->len++;
}

static void emit_load(struct code *code, size_t offset)
{
	emit(code, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void emit_return(struct code *code, uint32_t action)
{
	emit(code, BPF_RET | BPF_K, action, 0, 0);
}

/*
 * One half of a 64-bit argument, compared when the mask has a bit there. Its jump, taken when they differ, is patched by the
 * caller.
 */
static unsigned emit_half(struct code *code, uint64_t argument, bool high, uint64_t mask, uint64_t value, unsigned jumps[6],
			  unsigned count)
{
	uint32_t bits = (uint32_t)(high ? mask >> 32 : mask), wanted = (uint32_t)(high ? value >> 32 : value);
	size_t half = (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) == high ? 4 : 0;

	if (!bits)
		return count;
	emit_load(code, offsetof(struct seccomp_data, args) + 8 * argument + half);
	if (bits != UINT32_MAX)
		emit(code, BPF_ALU | BPF_AND | BPF_K, bits, 0, 0);
	jumps[count] = emit(code, BPF_JMP | BPF_JEQ | BPF_K, wanted, 0, 0);
	return count + 1;
}

/* "When all conditions of the rule hold, return `action`"; goes on behind itself otherwise. */
static void emit_rule(struct code *code, const struct rule *rule, uint32_t action)
{
	unsigned jumps[6], count = 0;

	for (unsigned i = 0; i < rule->condition_count; i++) {
		const uint64_t *w = rule->words + 3 * i;

		count = emit_half(code, w[0], false, w[1], w[2], jumps, count);
		count = emit_half(code, w[0], true, w[1], w[2], jumps, count);
	}
	emit_return(code, action);
	for (unsigned i = 0; i < count && !code->full; i++)
		code->ins[jumps[i]].jf = (uint8_t)(code->len - jumps[i] - 1);
}

/* ---- what the table says of one call ---- */

static uint32_t refusal(int error)
{
	return SECCOMP_RET_ERRNO | (uint32_t)error;
}

static bool in_force(const struct rule *rule, bool local_sockets)
{
	return rule->verdict == VERDICT_REFUSE_IF || (rule->verdict == VERDICT_REFUSE_LOCAL && !local_sockets);
}

/* One call's rules, found once. */
struct call {
	int number;
	uint32_t otherwise; /* when no condition holds, or there is none */
	bool conditional;
};

static struct call call_decide(int number, const int *numbers, bool local_sockets)
{
	struct call call = { .number = number, .otherwise = refusal(EPERM) };

	for (size_t i = 0; i < RULE_COUNT; i++) {
		if (numbers[i] != number)
			continue;
		if (rules[i].verdict == VERDICT_ALLOW)
			call.otherwise = SECCOMP_RET_ALLOW;
		else if (rules[i].verdict == VERDICT_REFUSE)
			call.otherwise = refusal(rules[i].error);
		else if (rules[i].verdict == VERDICT_ALLOW_IF || in_force(&rules[i], local_sockets))
			call.conditional = true;
	}
	return call;
}

/* The refusals first: what they name is refused whatever else allows it. */
static void emit_call(struct code *code, const struct call *call, const int *numbers, bool local_sockets)
{
	for (size_t i = 0; call->conditional && i < RULE_COUNT; i++)
		if (numbers[i] == call->number && in_force(&rules[i], local_sockets))
			emit_rule(code, &rules[i], refusal(rules[i].error));
	for (size_t i = 0; call->conditional && i < RULE_COUNT; i++)
		if (numbers[i] == call->number && rules[i].verdict == VERDICT_ALLOW_IF)
			emit_rule(code, &rules[i], SECCOMP_RET_ALLOW);
	emit_return(code, call->otherwise);
}

/* ---- all calls, as runs of numbers with the same answer ---- */

/* A search tree over calls[0..count): each is the first of its run. Depth is the logarithm of their count. */
static void emit_tree(struct code *code, const struct call *calls, size_t count, const int *numbers, bool local_sockets)
{
	size_t half = count / 2;
	unsigned far;

	if (count == 1) {
		emit_call(code, calls, numbers, local_sockets);
		return;
	}
	emit(code, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)calls[half].number, 0, 1);
	far = emit(code, BPF_JMP | BPF_JA, 0, 0, 0);
	emit_tree(code, calls, half, numbers, local_sockets);
	if (!code->full)
		code->ins[far].k = code->len - far - 1;
	emit_tree(code, calls + half, count - half, numbers, local_sockets);
}

/*
 * What no call decides: a foreign architecture (and x32, by its bit) ends the process; a call newer than the table is one this
 * kernel lacks.
 */
static void emit_prologue(struct code *code, uint32_t newest)
{
	emit_load(code, offsetof(struct seccomp_data, arch));
	emit(code, BPF_JMP | BPF_JEQ | BPF_K, seccomp_arch_native(), 1, 0);
	emit_return(code, SECCOMP_RET_KILL_PROCESS);
	emit_load(code, offsetof(struct seccomp_data, nr));
	emit(code, BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1);
	emit_return(code, SECCOMP_RET_KILL_PROCESS);
	emit(code, BPF_JMP | BPF_JGT | BPF_K, newest, 0, 1);
	emit_return(code, refusal(ENOSYS));
}

static int code_take(struct code *code, struct sock_fprog *ret_prog)
{
	if (code->full) {
		free(code->ins);
		return -E2BIG;
	}
	*ret_prog = (struct sock_fprog){ .len = (unsigned short)code->len, .filter = code->ins };
	return 0;
}

enum { CALLS_MOST = 1024 };

int sandbox_filter_program(bool local_sockets, struct sock_fprog *ret_prog)
{
	struct code code = { .ins = calloc(BPF_MAXINSNS, sizeof(struct sock_filter)) };
	struct call calls[CALLS_MOST];
	int numbers[RULE_COUNT], newest = 0;
	size_t count = 0;

	if (!code.ins)
		return -ENOMEM;
	for (size_t i = 0; i < RULE_COUNT; i++) {
		/* Negative: a call of another architecture, or that this libseccomp does not know. */
		numbers[i] = seccomp_syscall_resolve_name(rules[i].name);
		newest = numbers[i] > newest ? numbers[i] : newest;
	}
	if (newest >= CALLS_MOST) {
		free(code.ins);
		return -E2BIG;
	}
	for (int number = 0; number <= newest; number++) {
		struct call call = call_decide(number, numbers, local_sockets);
		const struct call *last = count ? &calls[count - 1] : NULL;

		if (!last || last->conditional || call.conditional || last->otherwise != call.otherwise)
			calls[count++] = call;
	}
	emit_prologue(&code, (uint32_t)newest);
	emit_tree(&code, calls, count, numbers, local_sockets);
	return code_take(&code, ret_prog);
}

int sandbox_filter_keeper(struct sock_fprog *ret_prog)
{
	static const int allowed[] = { SCMP_SYS(write), SCMP_SYS(close), SCMP_SYS(wait4), SCMP_SYS(exit_group),
				       SCMP_SYS(restart_syscall) };
	struct code code = { .ins = calloc(BPF_MAXINSNS, sizeof(struct sock_filter)) };

	if (!code.ins)
		return -ENOMEM;
	emit_prologue(&code, 0x3fffffff);
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		emit(&code, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)allowed[i], 0, 1);
		emit_return(&code, SECCOMP_RET_ALLOW);
	}
	emit_return(&code, SECCOMP_RET_KILL_PROCESS);
	return code_take(&code, ret_prog);
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

/* The table's names as numbers, found once; negative: not of this architecture. Only for what follows: tests. */
static const int *table_numbers(void)
{
	static int numbers[RULE_COUNT];
	static bool known;

	for (size_t i = 0; i < RULE_COUNT && !known; i++)
		numbers[i] = seccomp_syscall_resolve_name(rules[i].name);
	known = true;
	return numbers;
}

static bool holds(const struct rule *rule, const uint64_t args[6])
{
	for (unsigned i = 0; i < rule->condition_count; i++)
		if ((args[rule->words[3 * i]] & rule->words[3 * i + 1]) != rule->words[3 * i + 2])
			return false;
	return true;
}

int sandbox_filter_expected(int number, const uint64_t args[6], bool local_sockets)
{
	int answer = EPERM;

	for (size_t i = 0; i < RULE_COUNT; i++) {
		const struct rule *rule = &rules[i];

		if (table_numbers()[i] != number)
			continue;
		if (in_force(rule, local_sockets) && holds(rule, args))
			return rule->error;
		if (rule->verdict == VERDICT_REFUSE)
			answer = rule->error;
		else if (rule->verdict == VERDICT_ALLOW || (rule->verdict == VERDICT_ALLOW_IF && holds(rule, args)))
			answer = 0;
	}
	return answer;
}

size_t sandbox_filter_edges(int number, unsigned argument, uint64_t *out, size_t room)
{
	size_t count = 0;

	for (size_t i = 0; i < RULE_COUNT; i++)
		for (unsigned c = 0; c < rules[i].condition_count; c++)
			if (rules[i].words[3 * c] == argument && count < room && table_numbers()[i] == number)
				out[count++] = rules[i].words[3 * c + 2];
	return count;
}
