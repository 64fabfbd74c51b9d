/* From tables to a seccomp filter. */
#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <unistd.h>

#include "confine/layers.h"

static struct scmp_arg_cmp comparison(const struct confine_condition *when)
{
	struct scmp_arg_cmp compare = { .arg = when->argument, .op = SCMP_CMP_EQ, .datum_a = when->value };

	if (when->check == CONFINE_OWN_PID)
		compare.datum_a = (scmp_datum_t)getpid();
	if (when->check == CONFINE_BITS) {
		compare.op = SCMP_CMP_MASKED_EQ;
		compare.datum_a = when->mask;
		compare.datum_b = when->value;
	}
	return compare;
}

/* A rule that says the opposite of the filter's default; a denial in an allowlist is allowed, a permission in a denylist is a
 * mistake. */
static int add_rule(scmp_filter_ctx filter, const struct confine_rule *rule, bool denylist, struct confine_fault *fault)
{
	struct scmp_arg_cmp comparisons[CONFINE_CONDITIONS];
	unsigned count = 0;
	int r;

	if (denylist && rule->error == 0)
		return confine_fail(fault, "seccomp", EINVAL, "a rule for system call %d permits what is permitted already",
				    rule->syscall);
	for (int i = 0; i < CONFINE_CONDITIONS; i++)
		if (rule->when[i].check != CONFINE_ANY)
			comparisons[count++] = comparison(&rule->when[i]);
	r = seccomp_rule_add_array(filter, rule->error ? SCMP_ACT_ERRNO((uint16_t)rule->error) : SCMP_ACT_ALLOW, rule->syscall,
				   count, comparisons);
	/* The same rule in two tables is no mistake. */
	if (r < 0 && r != -EEXIST)
		return confine_fail(fault, "seccomp", -r, "no seccomp rule for system call %d: %s", rule->syscall, strerror(-r));
	return 0;
}

static int add_table(scmp_filter_ctx filter, const struct confine_rule *rules, size_t count, bool denylist,
		     struct confine_fault *fault)
{
	for (size_t i = 0; i < count; i++) {
		int r = add_rule(filter, &rules[i], denylist, fault);

		if (r < 0)
			return r;
	}
	return 0;
}

static int add_tables(scmp_filter_ctx filter, const struct confine_plan *plan, struct confine_fault *fault)
{
	int r;

	if (!plan->allow)
		return add_table(filter, confine_denied, confine_denied_count, true, fault);
	r = add_table(filter, confine_base, confine_base_count, false, fault);
	if (r == 0 && plan->threads)
		r = add_table(filter, confine_threads, confine_threads_count, false, fault);
	if (r == 0)
		r = add_table(filter, confine_sanitizer, confine_sanitizer_count, false, fault);
	if (r == 0)
		r = add_table(filter, plan->allow, plan->allow_count, false, fault);
	return r;
}

static int load(scmp_filter_ctx filter, struct confine_fault *fault)
{
	int r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	/* no_new_privs is a layer of its own: it must not come about by the way. */
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
	/* A tree instead of a list; where libseccomp cannot, the list does the same more slowly. */
	if (r == 0)
		seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0)
		r = seccomp_load(filter);
	if (r < 0)
		return confine_fail(
			fault, "seccomp", -r,
			"the kernel does not take a seccomp filter (%s): it needs CONFIG_SECCOMP_FILTER, and a container's "
			"profile must allow seccomp",
			strerror(-r));
	return 0;
}

int confine_seccomp(const struct confine_plan *plan, struct confine_fault *fault)
{
	scmp_filter_ctx filter = seccomp_init(plan->allow ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ALLOW);
	int r;

	if (!filter)
		return confine_fail(fault, "seccomp", ENOMEM, "no memory for a seccomp filter");
	r = add_tables(filter, plan, fault);
	if (r == 0)
		r = load(filter, fault);
	seccomp_release(filter);
	return r;
}
