/* bawn agent new: an agent gets a token. The family keeps only its hash. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/text.h"
#include "cli/place.h"
#include "init/policy_file.h"
#include "policy/policy.h"

enum { TOKEN_RANDOM = 32, HASH_LEN = crypto_hash_sha256_BYTES };

static const char token_prefix[] = "bawn_agent_";

static bool agent_name_ok(const char *name)
{
	size_t len = strlen(name);

	return len >= 1 && len <= 64 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len;
}

/* A token for nobody is most often a slip of the pen. It is made all the same: the policy may be written later. */
static void warn_if_unknown(const struct place *place, const char *name)
{
	struct policy_options options = { .project = slice_str(place->project), .base = slice_str(place->base), .home = slice_str(place->home) };
	cleanup_buf struct buf yaml = BUF_INIT(POLICY_FILE_MAX);
	struct policy_problems problems = { 0 };
	struct policy *policy = NULL;

	if (io_read_file(AT_FDCWD, place->policy, &yaml) < 0)
		return;
	if (policy_load(buf_slice(&yaml), &options, &policy, &problems) == 0 && !policy_agent_exists(policy, slice_str(name)))
		cli_error(0, "warning: %s has no agent \"%s\"", place->policy, name);
	policy_problems_free(&problems);
	policy_free(policy);
}

/* Random bytes as text, told from other tokens by its beginning; one line. */
static size_t make_token(char out[128])
{
	unsigned char random[TOKEN_RANDOM];
	size_t len = sizeof(token_prefix) - 1;

	randombytes_buf(random, sizeof(random));
	memcpy(out, token_prefix, len);
	text_hex(random, sizeof(random), out + len);
	sodium_memzero(random, sizeof(random));
	len += 2 * sizeof(random);
	out[len++] = '\n';
	return len;
}

/* base/agents/NAME.suffix, the folder made when missing. */
static int write_agent_file(const char *base, const char *name, const char *suffix, struct slice line, char path[PATH_MAX])
{
	char folder[PATH_MAX];
	int r;

	if ((size_t)snprintf(folder, sizeof(folder), "%s/agents", base) >= sizeof(folder) ||
	    (size_t)snprintf(path, PATH_MAX, "%s/agents/%s.%s", base, name, suffix) >= PATH_MAX)
		return cli_error(CLI_REFUSED, "a path is too long");
	r = io_make_folders(folder);
	if (r == 0)
		r = io_replace_file(AT_FDCWD, path, 0600, line.ptr, line.len);
	return r < 0 ? cli_error(CLI_REFUSED, "cannot write %s: %s", path, strerror(-r)) : CLI_OK;
}

static int write_token(const struct cli_args *args, const struct place *place, const char *name, struct slice token, char path[PATH_MAX])
{
	const char *out = args->value[OPTION_token_file];
	int r;

	if (!out)
		return write_agent_file(place->config, name, "token", token, path);
	if ((size_t)snprintf(path, PATH_MAX, "%s", out) >= PATH_MAX)
		return cli_error(CLI_REFUSED, "a path is too long");
	r = io_replace_file(AT_FDCWD, path, 0600, token.ptr, token.len);
	return r < 0 ? cli_error(CLI_REFUSED, "cannot write %s: %s", path, strerror(-r)) : CLI_OK;
}

static int agent_new(const struct cli_args *args, const struct place *place, const char *name)
{
	char path[PATH_MAX], token[128], line[2 * HASH_LEN + 1];
	unsigned char hash[HASH_LEN];
	size_t len = make_token(token);
	int r;

	/* The file first: a hash whose token could not be written would lock the agent out. */
	r = write_token(args, place, name, slice_of(token, len), path);
	crypto_hash_sha256(hash, (const unsigned char *)token, len - 1);
	sodium_memzero(token, sizeof(token));
	if (r != CLI_OK)
		return r;
	printf("wrote %s; a running family takes it up with `bawn reload`\n", path);
	warn_if_unknown(place, name);
	text_hex(hash, sizeof(hash), line);
	line[2 * HASH_LEN] = '\n';
	return write_agent_file(place->state, name, "sha256", slice_of(line, sizeof(line)), path);
}

int cli_agent(const struct cli_args *args)
{
	struct place place;
	int r;

	if (!args->operands[0] || strcmp(args->operands[0], "new") != 0 || !args->operands[1])
		return cli_error(CLI_USAGE, "usage: bawn agent new NAME");
	if (!agent_name_ok(args->operands[1]))
		return cli_error(CLI_USAGE, "an agent's name is 1 to 64 of a-z, 0-9, \"_\" and \"-\", as in the policy");
	r = place_find(args, NULL, &place);
	if (r == CLI_OK)
		r = place_make(&place);
	return r == CLI_OK ? agent_new(args, &place, args->operands[1]) : r;
}
