/*
 * The digest of a program's code as the sandbox shows it: what is accepted once must be what runs the next time.
 *
 * What counts: the executable; the file that each word of the command names, when there is one; and, where such a file lies in a
 * read-only mount of the plan that is not the workspace, that whole mount, because a program's other parts lie beside it: names,
 * kinds, executable bits, link targets, contents. So do read-only mounts called node_modules that the program's own folders lead to,
 * and those that PYTHONPATH and its like name. A file in the workspace, or where the sandbox may write, counts only when it looks
 * like a program: data changes there all the time. The system's own folders count by the named file alone; they are root's.
 *
 * BLAKE2b, 256 bits, which libsodium computes four times as fast as SHA-256: a copy of Node.js alone is 99 MB.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SANDBOX_CODE_BYTES 32

enum {
	SANDBOX_CODE_FRESH = 24, /* digests that one start adds to the cache */
	SANDBOX_CODE_CACHED = 512,
};

/* What a file or mount looked like to stat(2), everywhere in it, and the digest of its contents then. */
struct sandbox_code_known {
	uint8_t look[SANDBOX_CODE_BYTES], digest[SANDBOX_CODE_BYTES];
};

/*
 * What this launcher has read before, so that the second start of a server only looks. The launcher holds it, each new process has
 * it by fork, and tells what it read itself.
 */
struct sandbox_code_cache {
	struct sandbox_code_known known[SANDBOX_CODE_CACHED];
	size_t count, next; /* the oldest is replaced first */
};

struct sandbox_code {
	uint8_t digest[SANDBOX_CODE_BYTES];
	uint32_t fresh_count;
	struct sandbox_code_known fresh[SANDBOX_CODE_FRESH];
};

struct sandbox_inside;
struct sandbox_report;

/*
 * Within the finished view, as the program's user, in its working folder. 0 with the report's code written, or -errno with its
 * fault: what cannot be read whole within the limits is not run.
 */
int sandbox_code(const struct sandbox_inside *inside, struct sandbox_report *report);

/* The launcher: takes over what a start has read. */
void sandbox_code_learn(struct sandbox_code_cache *cache, const struct sandbox_code *code);
