#include "approval/approval.h"

#include <errno.h>
#include <sodium.h>

#include "base/text.h"
#include "parse/fields.h"

enum { WHOLE_MAX = 65536, SCRATCH = 16384 };

static const char *const state_names[APPROVAL_STATES] = {
    [APPROVAL_PENDING] = "pending", [APPROVAL_APPROVED] = "approved",   [APPROVAL_REJECTED] = "rejected",
    [APPROVAL_EXPIRED] = "expired", [APPROVAL_WITHDRAWN] = "withdrawn", [APPROVAL_CONSUMED] = "consumed",
};

const char *approval_state_name(enum approval_state state)
{
	return state < APPROVAL_STATES ? state_names[state] : NULL;
}

bool approval_state_find(struct slice name, enum approval_state *ret_state)
{
	for (enum approval_state s = 0; s < APPROVAL_STATES; s++)
		if (slice_eq(name, slice_str(state_names[s]))) {
			*ret_state = s;
			return true;
		}
	return false;
}

void approval_sha256(struct slice text, char ret_hex[APPROVAL_HEX + 1])
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(hash, (const unsigned char *)text.ptr, text.len);
	text_hex(hash, sizeof(hash), ret_hex);
	ret_hex[APPROVAL_HEX] = '\0';
}

/* Every member is there, also an empty one: fields_text would leave it out. */
static void member(struct fields *f, const char *name, struct slice text)
{
	fields_json(f, name, json_text(text));
}

static int hash_fields(struct fields *f, char ret_hex[APPROVAL_HEX + 1])
{
	cleanup_buf struct buf text = BUF_INIT(WHOLE_MAX);
	struct json object = fields_object(f);
	int r = f->failed ? -ENOMEM : json_write(&text, &object);

	if (r == 0)
		approval_sha256(buf_slice(&text), ret_hex);
	return r;
}

/* What a person approves: nothing of the session or of the time is in it. */
static void describe_act(const struct approval *a, const char arguments[APPROVAL_HEX + 1], struct fields *f)
{
	member(f, "agent", a->agent);
	member(f, "arguments", slice_str(arguments));
	member(f, "effect", a->effect);
	member(f, "pin", a->pin);
	member(f, "rule", a->rule_digest);
	member(f, "server", a->server);
	member(f, "tool", a->tool);
}

int approval_subject(const struct approval *a, char ret_hex[APPROVAL_HEX + 1])
{
	cleanup_arena struct arena scratch = ARENA_INIT(SCRATCH);
	struct fields f = FIELDS_INIT(&scratch);
	char arguments[APPROVAL_HEX + 1];

	approval_sha256(a->arguments, arguments);
	describe_act(a, arguments, &f);
	return hash_fields(&f, ret_hex);
}

int approval_seal(const struct approval *a, struct approval_seal *ret_seal)
{
	cleanup_arena struct arena scratch = ARENA_INIT(SCRATCH);
	struct fields f = FIELDS_INIT(&scratch);
	struct approval_seal seal;
	int r = approval_subject(a, seal.subject);

	if (r < 0)
		return r;
	/* The arguments are under the digest by way of the subject. */
	member(&f, "agent", a->agent);
	fields_u64(&f, "created", a->created);
	member(&f, "effect", a->effect);
	fields_u64(&f, "expires", a->expires);
	member(&f, "pin", a->pin);
	member(&f, "rule", a->rule);
	member(&f, "rule_digest", a->rule_digest);
	member(&f, "server", a->server);
	fields_u64(&f, "session", a->session);
	member(&f, "subject", slice_str(seal.subject));
	member(&f, "tool", a->tool);
	fields_u64(&f, "uid", a->uid);
	member(&f, "why", a->why);
	r = hash_fields(&f, seal.digest);
	if (r < 0)
		return r;
	memcpy(seal.id, seal.digest, APPROVAL_ID);
	seal.id[APPROVAL_ID] = '\0';
	*ret_seal = seal;
	return 0;
}
