/* AddressSanitizer and UndefinedBehaviorSanitizer: what their runtime does in addition. Never in a build that is installed. */
#include <linux/prctl.h>
#include <seccomp.h>

#include "confine/layers.h"

const bool confine_sanitized = true;

/* Leaks are looked for at exit, by a thread that traces the others: exactly what is forbidden by then. */
static int confined;

void confine_sanitizer_stop(void)
{
	confined = 1;
}

/* LeakSanitizer asks this (sanitizer/lsan_interface.h). */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return confined;
}

const struct confine_rule confine_sanitizer[] = {
	{ .syscall = SCMP_SYS(sigaltstack), .why = "a thread's own stack for its signals" },
	{ .syscall = SCMP_SYS(sched_yield), .why = "its locks" },
	{ .syscall = SCMP_SYS(newfstatat), .why = "fstat, for its report" },
	{ .syscall = SCMP_SYS(readlink), .why = "its report names the program" },
	{ .syscall = SCMP_SYS(prctl),
	  .why = "its report names the thread",
	  .when = { { .argument = 0, .check = CONFINE_IS, .value = PR_GET_NAME } } },
	{ .syscall = SCMP_SYS(prctl),
	  .why = "it names its memory",
	  .when = { { .argument = 0, .check = CONFINE_IS, .value = PR_SET_VMA } } },
	{ .syscall = SCMP_SYS(openat), .why = "its report reads /proc/self/maps, if Landlock lets it" },
	{ .syscall = SCMP_SYS(open), .why = "the same" },
	{ .syscall = SCMP_SYS(clock_nanosleep), .why = "its locks" },
	{ .syscall = SCMP_SYS(getrlimit), .why = "how large the stack is" },
	{ .syscall = SCMP_SYS(prlimit64),
	  .why = "how large the stack is",
	  .when = { { .argument = 0, .check = CONFINE_IS, .value = 0 }, { .argument = 2, .check = CONFINE_IS, .value = 0 } } },
	{ .syscall = SCMP_SYS(sched_getaffinity), .why = "how large the stack is" },
};
const size_t confine_sanitizer_count = sizeof(confine_sanitizer) / sizeof(confine_sanitizer[0]);
const char *const confine_environment[] = { "LC_ALL=C.UTF-8",
					    "ASAN_OPTIONS=handle_segv=0:handle_sigbus=0:handle_sigfpe=0", NULL };
