/* bawn agent new: an agent gets a token. The family keeps only its hash. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

/* The agent's files of this policy; the token may be kept elsewhere, by --token-file. */
static int find_files(const struct cli_args *args, const struct place *place, const char *name, char token[PATH_MAX], char hash[PATH_MAX])
{
	const char *elsewhere = args->value[OPTION_token_file];
	int token_len = elsewhere ? snprintf(token, PATH_MAX, "%s", elsewhere) : snprintf(token, PATH_MAX, "%s/%s.token", place->agents, name);

	if ((size_t)token_len >= PATH_MAX || (size_t)snprintf(hash, PATH_MAX, "%s/%s.sha256", place->agents, name) >= PATH_MAX)
		return cli_error(CLI_REFUSED, "a path is too long");
	return CLI_OK;
}

/* A token in use is not replaced by a slip of the pen, nor is a file that may be something else. */
static int refuse_to_replace(const struct cli_args *args, const char *name, const char *token, const char *hash)
{
	if (cli_has(args, OPTION_replace))
		return CLI_OK;
	if (access(hash, F_OK) == 0)
		return cli_error(CLI_REFUSED, "%s has a token for this policy already (its hash is %s); with --replace it gets another, and the old one stops "
				 "working with the next `bawn reload`", name, hash);
	if (access(token, F_OK) == 0)
		return cli_error(CLI_REFUSED, "%s is there already; with --replace it is written over", token);
	return CLI_OK;
}

static int write_file(const char *path, const char *line, size_t len)
{
	int r = io_replace_file(AT_FDCWD, path, 0600, line, len);

	return r < 0 ? cli_error(CLI_REFUSED, "cannot write %s: %s", path, strerror(-r)) : CLI_OK;
}

/* The token that was in the usual place is void when the new one is kept elsewhere. */
static void remove_old(const struct cli_args *args, const struct place *place, const char *name)
{
	char path[PATH_MAX];

	if (args->value[OPTION_token_file] && (size_t)snprintf(path, sizeof(path), "%s/%s.token", place->agents, name) < sizeof(path))
		unlink(path);
}

static int agent_new(const struct cli_args *args, const struct place *place, const char *name)
{
	char token_path[PATH_MAX], hash_path[PATH_MAX], token[128], line[2 * HASH_LEN + 1];
	unsigned char hash[HASH_LEN];
	size_t len;
	int made = io_make_folders(place->agents), r = find_files(args, place, name, token_path, hash_path);

	if (made < 0)
		return cli_error(CLI_REFUSED, "cannot make %s: %s", place->agents, strerror(-made));
	if (r == CLI_OK)
		r = refuse_to_replace(args, name, token_path, hash_path);
	if (r != CLI_OK)
		return r;
	len = make_token(token);
	crypto_hash_sha256(hash, (const unsigned char *)token, len - 1);
	text_hex(hash, sizeof(hash), line);
	line[2 * HASH_LEN] = '\n';
	/* The file first: a hash whose token could not be written would lock the agent out. */
	r = write_file(token_path, token, len);
	sodium_memzero(token, sizeof(token));
	if (r == CLI_OK)
		r = write_file(hash_path, line, sizeof(line));
	if (r != CLI_OK)
		return r;
	remove_old(args, place, name);
	printf("wrote %s; a running family takes it up with `bawn reload`\n", token_path);
	warn_if_unknown(place, name);
	return CLI_OK;
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
