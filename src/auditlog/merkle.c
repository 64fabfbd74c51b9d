#include "auditlog/merkle.h"

#include <sodium.h>

void merkle_leaf(struct slice entry, uint8_t ret_hash[MERKLE_HASH])
{
	static const uint8_t prefix = 0x00;
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, &prefix, 1);
	crypto_hash_sha256_update(&state, (const unsigned char *)entry.ptr, entry.len);
	crypto_hash_sha256_final(&state, ret_hash);
}

/* `ret_hash` may be one of the two. */
static void node(const uint8_t left[MERKLE_HASH], const uint8_t right[MERKLE_HASH], uint8_t ret_hash[MERKLE_HASH])
{
	uint8_t both[1 + 2 * MERKLE_HASH];

	both[0] = 0x01;
	memcpy(both + 1, left, MERKLE_HASH);
	memcpy(both + 1 + MERKLE_HASH, right, MERKLE_HASH);
	crypto_hash_sha256(ret_hash, both, sizeof(both));
}

void merkle_append(struct merkle *tree, const uint8_t leaf[MERKLE_HASH])
{
	uint8_t carry[MERKLE_HASH];
	unsigned level = 0;

	memcpy(carry, leaf, MERKLE_HASH);
	for (; tree->size >> level & 1; level++)
		node(tree->nodes[level], carry, carry);
	memcpy(tree->nodes[level], carry, MERKLE_HASH);
	tree->size++;
}

void merkle_root(const struct merkle *tree, uint8_t ret_root[MERKLE_HASH])
{
	bool any = false;

	for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
		if (!(tree->size >> level & 1))
			continue;
		if (any)
			node(tree->nodes[level], ret_root, ret_root);
		else
			memcpy(ret_root, tree->nodes[level], MERKLE_HASH);
		any = true;
	}
	if (!any)
		crypto_hash_sha256(ret_root, NULL, 0);
}

size_t merkle_path(uint64_t index, uint64_t size, struct merkle_range ret_path[MERKLE_LEVELS])
{
	struct merkle_range down[MERKLE_LEVELS];
	uint64_t first = 0;
	size_t count = 0;

	while (size > 1) {
		uint64_t left = 1;

		while (left < size - left)
			left *= 2; /* the largest power of two below size */
		if (index - first < left) {
			down[count++] = (struct merkle_range){ first + left, size - left };
			size = left;
		} else {
			down[count++] = (struct merkle_range){ first, left };
			first += left;
			size -= left;
		}
	}
	for (size_t i = 0; i < count; i++)
		ret_path[i] = down[count - 1 - i];
	return count;
}

bool merkle_included(const uint8_t leaf[MERKLE_HASH], uint64_t index, uint64_t size, const uint8_t (*proof)[MERKLE_HASH], size_t count,
		     const uint8_t root[MERKLE_HASH])
{
	struct merkle_range path[MERKLE_LEVELS];
	uint8_t hash[MERKLE_HASH];

	if (index >= size || merkle_path(index, size, path) != count)
		return false;
	memcpy(hash, leaf, MERKLE_HASH);
	for (size_t i = 0; i < count; i++) {
		if (path[i].first < index)
			node(proof[i], hash, hash);
		else
			node(hash, proof[i], hash);
	}
	return memcmp(hash, root, MERKLE_HASH) == 0;
}
