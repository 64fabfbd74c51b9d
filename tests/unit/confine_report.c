/* confine: the report tells the truth, and whatever is missing is noticed and named. */
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#include "confine/landlock_abi.h"
#include "confine/layers.h"
#include "confine_child.h"

static int look_at_report(const void *arg)
{
	const struct confine_plan *plan = arg;
	struct confine_report r;
	struct confine_fault fault;

	if (confine_self(plan, &r, &fault) < 0) {
		dprintf(2, "%s\n", fault.text);
		return 99;
	}
	if (r.seccomp != 2 || r.filters != r.filters_inherited + 1 || !r.no_new_privs || r.dumpable || r.capabilities)
		return 1;
	if (r.open_files != 64 || r.core_bytes != 0 || r.uid != (plan->allow ? r.uid : geteuid()) || !r.namespaces[CONFINE_NS_NET])
		return 2;
	if (plan->landlock != (r.landlock >= CONFINE_LANDLOCK_LEAST) || plan->landlock != r.files_refused)
		return 3;
	if (r.landlock >= 4 && !r.tcp_refused)
		return 4;
	return r.exec_refused && plan->exec_memory ? 5 : 0;
}

static void the_report_says_what_the_kernel_says(void **state)
{
	(void)state;
	assert_exit(in_child(look_at_report, &base_plan), 0);
	assert_exit(in_child(look_at_report, &denylist_plan), 0);
}

/* A parent with a seccomp filter of its own, as init is: its child must not pass that off as its own. */
static int leave_out(const void *arg)
{
	enum confine_layer layer = *(const enum confine_layer *)arg;
	static const char *const names[LAYERS] = {
		[LAYER_LIMITS] = "limits",         [LAYER_NO_NEW_PRIVS] = "no-new-privs", [LAYER_CAPABILITIES] = "capabilities",
		[LAYER_DUMPABLE] = "not-dumpable", [LAYER_LANDLOCK] = "landlock",         [LAYER_MEMORY] = "memory",
		[LAYER_SECCOMP] = "seccomp",
	};
	struct confine_report report;
	struct confine_fault fault = { .layer = "none" };
	scmp_filter_ctx inherited;

	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* which a change of user took away, and exec gives back */
	if (layer == LAYER_SECCOMP) {
		inherited = seccomp_init(SCMP_ACT_ALLOW);
		if (!inherited || seccomp_rule_add(inherited, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(reboot), 0) < 0 ||
		    seccomp_load(inherited) < 0)
			return 98;
	}
	if (layer == LAYER_MEMORY && prctl(66 /* PR_GET_MDWE */, 0, 0, 0, 0) < 0)
		return 0; /* an older kernel: there is nothing to miss */
	if (layer == LAYER_CAPABILITIES && geteuid() != 0)
		return 0; /* nor here */
	if (confine_put_on(&base_plan, 1u << layer, &report, &fault) == 0)
		return 1;
	/* Without no_new_privs the kernel itself takes no Landlock domain from somebody without capabilities. */
	if (strcmp(fault.layer, names[layer]) != 0 && layer != LAYER_NO_NEW_PRIVS) {
		dprintf(2, "%s blamed for %s\n", fault.layer, names[layer]);
		return 2;
	}
	return 0;
}

/* Root with its capabilities could have a filter without no_new_privs: it is not taken for granted. */
static int leave_out_privs_as_root(const void *arg)
{
	struct confine_plan plan = denylist_plan;
	struct confine_report report;
	struct confine_fault fault = { .layer = "none" };

	(void)arg;
	plan.capabilities = UINT64_MAX;
	confine_put_on(&plan, 1u << LAYER_NO_NEW_PRIVS, &report, &fault);
	return strcmp(fault.layer, geteuid() == 0 ? "no-new-privs" : "seccomp") == 0 ? 0 : 1;
}

static void each_missing_layer_is_noticed(void **state)
{
	(void)state;
	for (enum confine_layer layer = 0; layer < LAYERS; layer++)
		assert_exit(in_child(leave_out, &layer), 0);
	assert_exit(in_child(leave_out_privs_as_root, NULL), 0);
}

/* The judgement by itself: a report that is as it should be passes, and each way to fall short is named. */
static void each_shortfall_is_named(void **state)
{
	static const struct confine_state known = { .memory_known = true };
	static const struct confine_report good = {
		.seccomp = 2,
		.filters = 2,
		.filters_inherited = 1,
		.no_new_privs = 1,
		.exec_refused = 1,
		.landlock = 6,
		.files_refused = 1,
		.tcp_refused = 1,
		.scoped = 1,
		.death_signal = SIGKILL,
		.open_files = 64,
	};
	struct confine_report bad[12];
	static const char *const layers[12] = {
		"limits",   "limits",   "no-new-privs", "capabilities", "not-dumpable", "landlock",
		"landlock", "landlock", "landlock",     "memory",       "seccomp",      "parent-death",
	};
	struct confine_plan plan = base_plan;
	struct confine_fault fault;

	(void)state;
	plan.dies_with_parent = true;
	assert_int_equal(confine_judge_report(&plan, &known, &good, &fault), 0);
	for (size_t i = 0; i < 12; i++)
		bad[i] = good;
	bad[0].core_bytes = 1;
	bad[1].open_files = 65;
	bad[2].no_new_privs = 0;
	bad[3].capabilities = 1ULL << 40;
	bad[4].dumpable = 1;
	bad[5].landlock = 1;
	bad[6].files_refused = 0;
	bad[7].tcp_refused = 0;
	bad[8].scoped = 0;
	bad[9].exec_refused = 0;
	bad[10].filters = 1;
	bad[11].death_signal = SIGTERM;
	for (size_t i = 0; i < 12; i++) {
		assert_int_equal(confine_judge_report(&plan, &known, &bad[i], &fault), -EPERM);
		assert_string_equal(fault.layer, layers[i]);
	}
	bad[0] = good;
	bad[0].seccomp = 0;
	assert_int_equal(confine_judge_report(&plan, &known, &bad[0], &fault), -EPERM);
}

static int outlive(const void *arg)
{
	struct confine_plan plan = base_plan;
	struct confine_report report;
	struct confine_fault fault;

	(void)arg;
	plan.dies_with_parent = true;
	return confine_self(&plan, &report, &fault) == -EPERM && strcmp(fault.layer, "parent-death") == 0 ? 0 : 1;
}

static int not_whole(const void *arg)
{
	struct confine_plan plan = base_plan;
	struct confine_report report;
	struct confine_fault fault;

	(void)arg;
	plan.landlock = false;
	if (confine_self(&plan, &report, &fault) != -EINVAL)
		return 1;
	plan = base_plan;
	plan.open_files = 0;
	return confine_self(&plan, &report, &fault) == -EINVAL ? 0 : 2;
}

static void a_plan_is_held_to(void **state)
{
	(void)state;
	assert_exit(in_child(outlive, NULL), 0);
	assert_exit(in_child(not_whole, NULL), 0);
}

static void a_report_is_compared_and_written(void **state)
{
	struct confine_report own = { .namespaces = { 1, 2, 3, 4, 5, 6, 7 } }, other = own;
	cleanup_buf struct buf json = BUF_INIT(4096);
	struct confine_fault fault;

	(void)state;
	other.namespaces[CONFINE_NS_USER] = 10;
	other.namespaces[CONFINE_NS_NET] = 40;
	other.seccomp = 2;
	other.filters = 2;
	other.landlock = 7;
	assert_int_equal(confine_apart(&other, &own), 1u << CONFINE_NS_USER | 1u << CONFINE_NS_NET);
	assert_int_equal(confine_check_apart("judge", &other, &own, 1u << CONFINE_NS_NET, &fault), 0);
	assert_int_equal(confine_check_apart("judge", &other, &own, 1u << CONFINE_NS_NET | 1u << CONFINE_NS_PID, &fault), -EPERM);
	assert_string_equal(fault.text, "judge: it shares the pid namespace with init");
	assert_int_equal(confine_report_json(&other, confine_apart(&other, &own), &json), 0);
	assert_non_null(memmem(json.ptr, json.len, "\"namespaces\":[\"user\",\"net\"]}", 28));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_report_says_what_the_kernel_says),
		cmocka_unit_test(each_missing_layer_is_noticed),
		cmocka_unit_test(each_shortfall_is_named),
		cmocka_unit_test(a_plan_is_held_to),
		cmocka_unit_test(a_report_is_compared_and_written),
	};

	return run_as_each("confine_report", tests, sizeof(tests) / sizeof(tests[0]));
}
