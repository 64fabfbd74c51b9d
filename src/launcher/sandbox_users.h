/*
 * Whose user a sandbox is. An ordinary user's sandbox is that user, alone in its map, under the same number. When Bawn is root each
 * sandbox has a range of kernel users of its own, so that none is kernel user 0 and no two are the same; files reach it through
 * idmapped mounts.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "launcher/sandbox_fault.h"

/* 0x70000000 to 0x7ffdffff: above every range that systemd, subuid(5) or containers hand out, below where 32 signed bits end. */
#define SANDBOX_RANGE_FIRST 0x70000000u
#define SANDBOX_RANGE_SIZE 0x10000u
#define SANDBOX_RANGES 0xffeu

/* The program's user and group inside, when Bawn is root. */
#define SANDBOX_USER_AS_ROOT 1000u

struct sandbox_users {
	bool ranged;
	uint8_t used[SANDBOX_RANGES / 8 + 1];
	unsigned next; /* rotates from a random start: a range is not given again soon */
};

/* Finds out which of the two it is. 0 or -errno with the report filled. */
int sandbox_users_init(struct sandbox_users *users, struct sandbox_report *report);

/* A free range, or -EAGAIN. */
int sandbox_users_take(struct sandbox_users *users);
void sandbox_users_release(struct sandbox_users *users, int slot);

/* The kernel's user of that range's program. */
static inline uint32_t sandbox_users_kernel(int slot)
{
	return SANDBOX_RANGE_FIRST + (uint32_t)slot * SANDBOX_RANGE_SIZE + SANDBOX_USER_AS_ROOT;
}

/* Writes /proc/PID/{uid,gid}_map: `inside` inside is `kernel` here, and nobody else exists. 0 or -errno. */
int sandbox_users_map(pid_t pid, uint32_t inside_uid, uint32_t inside_gid, uint32_t kernel_uid, uint32_t kernel_gid);

/* A user namespace for an idmapped mount: files of uid:gid belong to the kernel's user `kernel`. A descriptor or -errno. */
int sandbox_users_idmap(uint32_t uid, uint32_t gid, uint32_t kernel);
