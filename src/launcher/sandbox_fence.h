/* Landlock: a second fence around the same view, which holds when a mount does not. */
#pragma once

#include "launcher/sandbox_inside.h"

/* From this ABI on the fence itself keeps a program from connecting to sockets that were made outside. */
#define SANDBOX_FENCE_SOCKETS 9

/* The running kernel's Landlock ABI, or -errno. */
int sandbox_fence_abi(void);

/* Restricts the calling process (in its new root, with no_new_privs) to the plan's view. 0 or -errno with the report filled. */
int sandbox_fence(const struct sandbox_inside *inside, struct sandbox_report *report);
