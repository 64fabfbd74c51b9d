/* How a failed sandbox is told: the stage it failed in, one sentence, and what the machine's settings say about it. */
#pragma once

#include "launcher/sandbox.h"
#include "launcher/sandbox_code.h"

/* Where it failed; decides which advice fits. Crosses from the new process to the launcher, so only add at the end. */
enum sandbox_stage {
	SANDBOX_STAGE_RUNNING, /* no fault: the program runs */
	SANDBOX_STAGE_PLAN,    /* the plan asks for what cannot be */
	SANDBOX_STAGE_CLONE,
	SANDBOX_STAGE_USER,
	SANDBOX_STAGE_IDMAP,
	SANDBOX_STAGE_MOUNT,
	SANDBOX_STAGE_PROC,
	SANDBOX_STAGE_LANDLOCK,
	SANDBOX_STAGE_SECCOMP,
	SANDBOX_STAGE_EXEC,
	SANDBOX_STAGE_OTHER,
	SANDBOX_STAGE_CODE,    /* what it would run cannot be checked */
};

/* What the new process tells the launcher, once, whole: less than PIPE_BUF. */
struct sandbox_report {
	uint32_t stage;
	struct sandbox_fault fault;
	struct sandbox_code code;
};

/* What the machine's settings say; -1 where the setting does not exist. */
struct sandbox_facts {
	int unprivileged_userns_clone; /* kernel.unprivileged_userns_clone, Debian's and Arch's */
	int apparmor_restrict_userns;  /* kernel.apparmor_restrict_unprivileged_userns, Ubuntu's */
	long max_user_namespaces;      /* user.max_user_namespaces */
	bool filtered;                 /* somebody's seccomp filter stands around Bawn itself: a container */
	bool root;
};

/* Fills the report, adding the system's words for `error`; gives back -error. */
int sandbox_fail(struct sandbox_report *report, enum sandbox_stage stage, int error, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* As sandbox_fail, for a sentence that is complete without the system's words. */
int sandbox_fail_plain(struct sandbox_report *report, enum sandbox_stage stage, int error, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Reads the machine's settings. */
void sandbox_facts_read(struct sandbox_facts *ret_facts);

/* What to do about a failure in that stage with that error, "" when there is nothing to say. Static text. */
const char *sandbox_advice(enum sandbox_stage stage, int error, const struct sandbox_facts *facts);

/* The sentence for people: the report's, made printable, with the advice. Gives back -error. */
int sandbox_fault_from(const struct sandbox_report *report, const struct sandbox_facts *facts, struct sandbox_fault *ret_fault);
