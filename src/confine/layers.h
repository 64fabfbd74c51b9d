/* The layers behind confine_self, one by one. Only this folder and its tests include this. */
#pragma once

#include "confine/confine.h"

/* In the order in which they are put on; seccomp is last because nothing before it could be done under it. */
enum confine_layer {
	LAYER_LIMITS,
	LAYER_NO_NEW_PRIVS,
	LAYER_CAPABILITIES,
	LAYER_DUMPABLE,
	LAYER_LANDLOCK,
	LAYER_MEMORY,
	LAYER_SECCOMP,
	LAYERS
};

/* What is learnt on the way and needed for the report. */
struct confine_state {
	int status; /* /proc/self/status, opened while paths could still be opened, read at the end; -1 before */
	bool memory_known; /* this kernel knows PR_GET_MDWE */
};

/* Each puts on one layer: 0, or -errno with the fault filled. */
int confine_landlock(const struct confine_plan *plan, struct confine_report *report, struct confine_fault *fault);
int confine_seccomp(const struct confine_plan *plan, struct confine_fault *fault);

/* What must be asked before any layer, before seccomp, and at the end. 0, or -errno with the fault filled. */
int confine_measure_before(struct confine_state *state, struct confine_report *report, struct confine_fault *fault);
int confine_measure_first(struct confine_state *state, struct confine_report *report, struct confine_fault *fault);
int confine_measure_last(struct confine_state *state, struct confine_report *report, struct confine_fault *fault);

/* Holds a finished report against the plan. 0, or -EPERM with the fault filled for the first layer that is missing. */
int confine_judge_report(const struct confine_plan *plan, const struct confine_state *state, const struct confine_report *report,
			 struct confine_fault *fault);

/*
 * confine_self, with a set of 1 << LAYER_* left out. The set is empty everywhere but in the tests, which show with it that the absence
 * of each layer is noticed.
 */
int confine_put_on(const struct confine_plan *plan, uint32_t left_out, struct confine_report *ret_report, struct confine_fault *fault);

/* Fills a fault and gives -error back (-EPERM for 0). */
int confine_fail(struct confine_fault *fault, const char *layer, int error, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The running kernel's Landlock ABI, or -errno with the fault filled when it is below CONFINE_LANDLOCK_LEAST. */
int confine_landlock_abi(struct confine_fault *fault);

/* The sentence for clone3 or unshare having failed with `error` while namespaces were asked for; gives -error back. */
int confine_explain_namespaces(struct confine_fault *fault, int error);

/* What differs under a sanitizer (sanitizer_on.c, sanitizer_off.c): its runtime makes calls of its own. */
extern const bool confine_sanitized;
void confine_sanitizer_stop(void); /* the process is confined: its runtime must not trace it any more */
extern const struct confine_rule confine_sanitizer[];
extern const size_t confine_sanitizer_count;
extern const char *const confine_environment[]; /* NULL-terminated: the whole environment of a spawned process */
