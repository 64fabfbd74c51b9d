/*
 * The log file: a first line that names the format, then frames back to back.
 *
 *     u32 length of the payload, u32 CRC-32C of kind and payload, u8 kind, payload        (little endian)
 *
 *     'E'  an entry: one canonical JSON object; the leaf of the Merkle tree
 *     'A'  the arguments of the entry that follows directly: a nonce of 32 bytes, then canonical JSON; no leaf
 *     'X'  arguments that were erased: as many zeros as the 'A' had bytes
 *
 * A record is an 'E', with its 'A' or 'X' before it where the entry says that it has arguments.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"

#define FRAME_MAGIC "bawn audit log1\n"

enum {
	FRAME_MAGIC_LEN = 16,
	FRAME_HEADER = 9,
	FRAME_NONCE = 32,
	FRAME_ENTRY_MAX = 64 << 10,
	FRAME_ARGUMENTS_MAX = FRAME_NONCE + (4 << 20),
	FRAME_RECORD_MAX = 2 * FRAME_HEADER + FRAME_ARGUMENTS_MAX + FRAME_ENTRY_MAX,
};

enum frame_kind { FRAME_ENTRY = 'E', FRAME_ARGUMENTS = 'A', FRAME_ERASED = 'X' };

enum frame_state {
	FRAME_OK,
	FRAME_SHORT, /* more bytes are needed than there are */
	FRAME_FORM,  /* no such kind, or a length that the kind cannot have */
	FRAME_CRC,   /* well-formed, but the bytes are not those that were written */
};

struct frame {
	enum frame_kind kind;
	struct slice payload; /* of the bytes that were read; set for FRAME_OK and FRAME_CRC */
	size_t size;          /* header included; set except for FRAME_FORM, and for FRAME_SHORT 0 when not even the header is there */
};

/* Appends a frame whose payload is `first` and `second` together; 0 or a buf error. The caller keeps to the lengths above. */
int frame_add(struct buf *out, enum frame_kind kind, struct slice first, struct slice second);

/* Reads the frame that `bytes` begins with. */
enum frame_state frame_read(struct slice bytes, struct frame *ret_frame);

/* Little endian numbers, for the files beside the log as well. */
void put_u32(uint8_t *out, uint32_t n);
uint32_t get_u32(const void *bytes);
