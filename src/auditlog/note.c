#include "auditlog/note.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "base/text.h"

enum {
	ALGORITHM_ED25519 = 1,
	SIGNATURE = 64,
	STAMP = 4 + SIGNATURE, /* key id and signature */
	ROOT_TEXT = 44,        /* base64 of 32 bytes */
	STAMP_TEXT = 92,       /* base64 of STAMP bytes */
	KEY_TEXT = 44,         /* base64 of algorithm and public key */
};

/* A signature line begins with an em dash and a space. */
static const struct slice dash = SLICE("\xe2\x80\x94 ");

void note_key_of(const uint8_t public_key[NOTE_PUBLIC], struct note_key *ret_key)
{
	static const uint8_t kind[] = { '\n', ALGORITHM_ED25519 };
	crypto_hash_sha256_state state;
	uint8_t hash[crypto_hash_sha256_BYTES];
	char hex[9] = "";

	*ret_key = (struct note_key){ 0 };
	text_hex(public_key, 4, hex);
	snprintf(ret_key->name, sizeof(ret_key->name), "bawn/%s", hex);
	memcpy(ret_key->public_key, public_key, NOTE_PUBLIC);
	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, (const unsigned char *)ret_key->name, strlen(ret_key->name));
	crypto_hash_sha256_update(&state, kind, sizeof(kind));
	crypto_hash_sha256_update(&state, public_key, NOTE_PUBLIC);
	crypto_hash_sha256_final(&state, hash);
	memcpy(ret_key->id, hash, sizeof(ret_key->id));
}

static int add_base64(struct buf *out, const uint8_t *bytes, size_t len)
{
	char text[STAMP_TEXT + 1];

	if (sodium_base64_encoded_len(len, sodium_base64_VARIANT_ORIGINAL) > sizeof(text))
		return -EMSGSIZE;
	sodium_bin2base64(text, sizeof(text), bytes, len, sodium_base64_VARIANT_ORIGINAL);
	return buf_add_str(out, text);
}

/* Exactly `len` bytes in their one spelling. */
static int read_base64(struct slice text, uint8_t *ret_bytes, size_t len)
{
	const char *end;
	size_t got;

	if (sodium_base642bin(ret_bytes, len, text.ptr, text.len, NULL, &got, &end, sodium_base64_VARIANT_ORIGINAL) < 0 || got != len ||
	    end != text.ptr + text.len)
		return -EINVAL;
	return 0;
}

int note_key_write(struct buf *out, const struct note_key *key)
{
	uint8_t typed[1 + NOTE_PUBLIC] = { ALGORITHM_ED25519 };
	char id[8];
	int r;

	memcpy(typed + 1, key->public_key, NOTE_PUBLIC);
	text_hex(key->id, sizeof(key->id), id);
	r = buf_printf(out, "%s+%.8s+", key->name, id);
	return r < 0 ? r : add_base64(out, typed, sizeof(typed));
}

int note_key_read(struct slice text, struct note_key *ret_key)
{
	uint8_t typed[1 + NOTE_PUBLIC];
	struct note_key key;
	cleanup_buf struct buf again = BUF_INIT(256);

	if (text.len && text.ptr[text.len - 1] == '\n')
		text.len--;
	if (text.len < KEY_TEXT || read_base64(slice_of(text.ptr + text.len - KEY_TEXT, KEY_TEXT), typed, sizeof(typed)) < 0)
		return -EINVAL;
	if (typed[0] != ALGORITHM_ED25519)
		return -EINVAL;
	/* A log's name and id follow from its key, so there is one text for a key. */
	note_key_of(typed + 1, &key);
	if (note_key_write(&again, &key) < 0 || !slice_eq(buf_slice(&again), text))
		return -EINVAL;
	*ret_key = key;
	return 0;
}

int note_sign(struct buf *out, struct slice text, const struct note_key *key, const uint8_t secret[NOTE_SECRET])
{
	uint8_t stamp[STAMP];
	size_t before = out->len;
	int r;

	memcpy(stamp, key->id, sizeof(key->id));
	crypto_sign_detached(stamp + sizeof(key->id), NULL, (const unsigned char *)text.ptr, text.len, secret);
	r = buf_add_slice(out, text);
	if (r == 0)
		r = buf_printf(out, "\n%.*s%s ", SLICE_ARG(dash), key->name);
	if (r == 0)
		r = add_base64(out, stamp, sizeof(stamp));
	if (r == 0)
		r = buf_add_char(out, '\n');
	if (r < 0)
		out->len = before;
	return r;
}

/* Takes the first line off `rest`, without its newline; false when there is no whole line. */
static bool take_line(struct slice *rest, struct slice *ret_line)
{
	const char *end = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;

	if (!end)
		return false;
	*ret_line = slice_of(rest->ptr, (size_t)(end - rest->ptr));
	*rest = slice_of(end + 1, rest->len - ret_line->len - 1);
	return true;
}

/* Whether a signature line is `key`'s own, and if so whether it holds: 1 good, 0 somebody else's, -EBADMSG. */
static int check_signature(struct slice line, const struct note_key *key, struct slice text)
{
	struct slice name = slice_str(key->name);
	uint8_t stamp[STAMP];
	const char *space;

	if (!slice_starts(line, dash))
		return -EBADMSG;
	line = slice_of(line.ptr + dash.len, line.len - dash.len);
	space = line.len ? memchr(line.ptr, ' ', line.len) : NULL;
	if (!space || space == line.ptr)
		return -EBADMSG;
	if (!slice_eq(slice_of(line.ptr, (size_t)(space - line.ptr)), name))
		return 0;
	line = slice_of(line.ptr + name.len + 1, line.len - name.len - 1);
	if (read_base64(line, stamp, sizeof(stamp)) < 0)
		return -EBADMSG;
	if (memcmp(stamp, key->id, sizeof(key->id)) != 0)
		return 0; /* a key of the same name that is not ours, as the format allows */
	if (crypto_sign_verify_detached(stamp + sizeof(key->id), (const unsigned char *)text.ptr, text.len, key->public_key) < 0)
		return -EBADMSG;
	return 1;
}

int note_open(struct slice note, const struct note_key *key, struct slice *ret_text)
{
	const char *blank = note.len >= 2 && note.len <= NOTE_MAX ? memmem(note.ptr, note.len, "\n\n", 2) : NULL;
	struct slice text, rest, line;
	bool signed_by_us = false;

	if (!blank || !utf8_valid(note))
		return -EBADMSG;
	text = slice_of(note.ptr, (size_t)(blank - note.ptr) + 1);
	rest = slice_of(blank + 2, note.len - text.len - 1);
	while (take_line(&rest, &line)) {
		int r = check_signature(line, key, text);

		if (r < 0)
			return r;
		signed_by_us = signed_by_us || r > 0;
	}
	if (!signed_by_us || rest.len)
		return -EBADMSG;
	*ret_text = text;
	return 0;
}

int checkpoint_sign(struct buf *out, const struct checkpoint *checkpoint, const struct note_key *key, const uint8_t secret[NOTE_SECRET])
{
	cleanup_buf struct buf text = BUF_INIT(256);
	int r;

	r = buf_printf(&text, "%s\n%llu\n", key->name, (unsigned long long)checkpoint->size);
	if (r == 0)
		r = add_base64(&text, checkpoint->root, MERKLE_HASH);
	if (r == 0)
		r = buf_add_char(&text, '\n');
	return r < 0 ? r : note_sign(out, buf_slice(&text), key, secret);
}

int checkpoint_open(struct slice note, const struct note_key *key, struct checkpoint *ret_checkpoint)
{
	struct checkpoint checkpoint;
	struct slice text, origin, size, root;

	if (note_open(note, key, &text) < 0)
		return -EBADMSG;
	if (!take_line(&text, &origin) || !take_line(&text, &size) || !take_line(&text, &root) || text.len)
		return -EBADMSG;
	if (!slice_eq(origin, slice_str(key->name)) || text_u64(size, 0, INT64_MAX, &checkpoint.size) < 0 || root.len != ROOT_TEXT ||
	    read_base64(root, checkpoint.root, MERKLE_HASH) < 0)
		return -EBADMSG;
	*ret_checkpoint = checkpoint;
	return 0;
}

size_t note_length(struct slice notes)
{
	const char *blank = notes.len >= 2 ? memmem(notes.ptr, notes.len < NOTE_MAX ? notes.len : NOTE_MAX, "\n\n", 2) : NULL;
	struct slice rest, line;
	size_t len;

	if (!blank)
		return 0;
	len = (size_t)(blank - notes.ptr) + 2;
	rest = slice_of(blank + 2, notes.len - len);
	while (slice_starts(rest, dash)) {
		if (!take_line(&rest, &line))
			return 0;
		len += line.len + 1;
	}
	return len <= NOTE_MAX ? len : 0;
}
