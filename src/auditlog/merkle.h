/*
 * The Merkle tree of RFC 6962, section 2: leaves hash with a 0x00 before them, nodes with 0x01. Only the frontier is kept: the
 * roots of the complete subtrees, one for each bit set in the size, which is all that appending and the root need.
 */
#pragma once

#include <stdint.h>

#include "base/slice.h"

enum { MERKLE_HASH = 32, MERKLE_LEVELS = 64 };

struct merkle {
	uint64_t size;                               /* leaves */
	uint8_t nodes[MERKLE_LEVELS][MERKLE_HASH];   /* [k]: the subtree of 2^k leaves, meaningful when bit k of size is set */
};

/* The leaf hash of one entry. */
void merkle_leaf(struct slice entry, uint8_t ret_hash[MERKLE_HASH]);

/* Adds a leaf hash. At most 2^63 leaves: nobody gets there. */
void merkle_append(struct merkle *tree, const uint8_t leaf[MERKLE_HASH]);

/* The root; of the empty tree the hash of nothing. */
void merkle_root(const struct merkle *tree, uint8_t ret_root[MERKLE_HASH]);

/* An inclusion proof is the roots of these ranges of leaves, lowest level first. */
struct merkle_range {
	uint64_t first, count;
};

/* The ranges for leaf `index` of a tree of `size` > index leaves, and how many (at most MERKLE_LEVELS). */
size_t merkle_path(uint64_t index, uint64_t size, struct merkle_range ret_path[MERKLE_LEVELS]);

/* True when `proof` shows `leaf` to be number `index` of the tree of `size` leaves with that root. */
bool merkle_included(const uint8_t leaf[MERKLE_HASH], uint64_t index, uint64_t size, const uint8_t (*proof)[MERKLE_HASH], size_t count,
		     const uint8_t root[MERKLE_HASH]);
