/* One file or folder of the view, whole: what it looks like, and what it holds. */
#pragma once

#include <limits.h>
#include <sodium.h>
#include <sys/types.h>
#include <time.h>

#include "base/buf.h"
#include "launcher/sandbox_inside.h"

/* What may be looked at for one start. A plan that needs more does not start. */
enum {
	CODE_FILES_MAX = 200000,
	CODE_DEPTH_MAX = 64,
	CODE_NAMES_MAX = 64 << 20, /* bytes of the names of folders that are open at the same time */
	CODE_CHUNK = 256 << 10,
	CODE_SETTLE_S = 3, /* far above any clock's tick, and two seconds for file systems that count in those */
};
#define CODE_BYTES_MAX (8ULL << 30)

struct code_tree {
	const struct sandbox_inside *inside;
	struct sandbox_report *report;
	bool contents;  /* read, or only look */
	bool cacheable; /* the look says everything: until something is seen that says it does not */
	struct timespec settled; /* what changed at this time or later may change again without looking different */
	uint64_t files, bytes;
	dev_t dev; /* the file system whose kind is known */
	bool dev_known;
	crypto_generichash_state look;
	char path[PATH_MAX]; /* inside; of the entry at hand */
	size_t path_len;
	struct buf names; /* of the folders on the way, as a stack */
	char *chunk;
};

/*
 * The file or folder `path`, followed if it is a link, with everything below it: what it looks like and, when tree->contents, the
 * digest of what it holds. 0, or -errno with the report's fault.
 */
int code_tree(struct code_tree *tree, const char *path, uint8_t ret_look[SANDBOX_CODE_BYTES], uint8_t ret_digest[SANDBOX_CODE_BYTES]);

/* The plan's mount whose place is exactly `path`, or -1. */
int code_mount_at(const struct sandbox_plan *plan, const char *path);
