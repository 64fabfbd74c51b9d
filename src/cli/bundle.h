/*
 * A backup's folder, as docs/backup.md describes it: the parts of a state folder that must not be lost, and `manifest.json`, which is written last: size and
 * SHA-256 of every file. Functions print what is wrong in one line and give back an exit status.
 */
#pragma once

#include <sys/types.h>

#include "cli/place.h"
#include "parse/json.h"

enum { BUNDLE_FORMAT = 1 };

/* The folders of a state that are kept; besides, the file `trusted`. */
enum bundle_part { BUNDLE_AUDIT, BUNDLE_STORE, BUNDLE_AGENTS, BUNDLE_PARTS };
const char *bundle_part_name(enum bundle_part part);

/* What the manifest says. */
struct bundle {
	int dir; /* borrowed */
	const char *path; /* of it, for people */
	struct arena arena;
	uint64_t entries; /* of the record */
	struct slice made;
	const struct json *files;
};

/* Copies what `from` (any descriptor that can be read) holds to a new file, synced. 0 or -errno; *ret_hash (32 bytes) and *ret_bytes may be NULL. */
int bundle_copy(int from, int dir, const char *name, mode_t mode, unsigned char *ret_hash, uint64_t *ret_bytes);

/* Makes `name`, 0700, in `dir` and opens it. The descriptor or -errno. */
int bundle_folder(int dir, const char *name);

/* Removes a folder of files and of such folders; what cannot be removed stays. */
void bundle_remove(int parent, const char *name);

/* Writes the manifest of what lies in the folder by now. */
int bundle_seal(int dir, const char *path, const struct place *place, uint64_t entries);

/* Reads the manifest: is it one, and of a format that is known? The caller frees with arena_free(&bundle.arena). */
int bundle_read(int dir, const char *path, struct bundle *ret_bundle);

/* Copies every file of the manifest into `to`, and checks it on the way. */
int bundle_unpack(const struct bundle *bundle, int to);

/* Proves the copy of a record (0 entries when there is none) and opens the copy of a store; `what` is told when it does not hold. */
int bundle_verify_record(int dir, const char *what, uint64_t *ret_entries);
