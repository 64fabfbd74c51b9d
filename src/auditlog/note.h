/*
 * Signed notes and checkpoints, as the Community Cryptography Specification Project writes them down: c2sp.org/signed-note,
 * c2sp.org/tlog-checkpoint. A note may carry further signature lines (witnesses); ours is the one that must be there and hold.
 */
#pragma once

#include <stdint.h>

#include "auditlog/merkle.h"
#include "base/buf.h"

enum {
	NOTE_NAME_MAX = 64,
	NOTE_MAX = 4096,       /* bytes of a whole note, witnesses' lines included */
	NOTE_PUBLIC = 32, NOTE_SEED = 32, NOTE_SECRET = 64,
};

/* Who signs: the name is the log's origin as well. */
struct note_key {
	char name[NOTE_NAME_MAX + 1];
	uint8_t id[4];
	uint8_t public_key[NOTE_PUBLIC];
};

/* A log of so many entries has this root. */
struct checkpoint {
	uint64_t size;
	uint8_t root[MERKLE_HASH];
};

/* The key of a log: its name is "bawn/" and the first four bytes of the public key in hex. */
void note_key_of(const uint8_t public_key[NOTE_PUBLIC], struct note_key *ret_key);

/* The verifier key "name+id+base64", without a newline; reading allows one at the end. 0 or a buf error; 0 or -EINVAL. */
int note_key_write(struct buf *out, const struct note_key *key);
int note_key_read(struct slice text, struct note_key *ret_key);

/* Appends the note of `text` (which ends with a newline) signed with `secret`. 0 or a buf error. */
int note_sign(struct buf *out, struct slice text, const struct note_key *key, const uint8_t secret[NOTE_SECRET]);

/* The text of a note that `key` has signed: 0, or -EBADMSG when it is no note, or not signed by this key. *ret_text is within `note`. */
int note_open(struct slice note, const struct note_key *key, struct slice *ret_text);

/* Appends a checkpoint as a signed note; 0 or a buf error. */
int checkpoint_sign(struct buf *out, const struct checkpoint *checkpoint, const struct note_key *key, const uint8_t secret[NOTE_SECRET]);

/* The reverse, signature verified: 0 or -EBADMSG. */
int checkpoint_open(struct slice note, const struct note_key *key, struct checkpoint *ret_checkpoint);

/*
 * The length of the note that `notes` begins with, where notes follow one another: it ends where a line that is no signature line
 * follows its signature lines, or where `notes` ends. 0 when there is no whole note.
 */
size_t note_length(struct slice notes);
