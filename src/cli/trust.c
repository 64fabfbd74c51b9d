/* bawn trust: a person accepts a project's policy as it is now. */
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/text.h"
#include "cli/place.h"
#include "init/policy_file.h"
#include "policy/policy.h"

enum { LINES_MAX = 4 * 1024 * 1024 };

/* The hash as a line of hex. */
static void hash_line(struct slice bytes, char out[2 * crypto_hash_sha256_BYTES + 1])
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(hash, (const unsigned char *)bytes.ptr, bytes.len);
	text_hex(hash, sizeof(hash), out);
	out[2 * sizeof(hash)] = '\n';
}

/* Only what loads can be accepted. */
static int load_check(const struct place *place, struct slice yaml)
{
	struct policy_options options = { .project = slice_str(place->project), .base = slice_str(place->base), .home = slice_str(place->home) };
	cleanup_buf struct buf lines = BUF_INIT(LINES_MAX);
	struct policy_problems problems = { 0 };
	struct policy *policy = NULL;
	int r = policy_load(yaml, &options, &policy, &problems);

	if (policy_problems_print(&lines, slice_str(place->policy), &problems) == 0)
		fwrite(lines.ptr, 1, lines.len, stderr);
	policy_problems_free(&problems);
	policy_free(policy);
	return r == 0 ? CLI_OK : cli_error(CLI_REFUSED, "a policy with errors cannot be accepted");
}

int cli_trust(const struct cli_args *args)
{
	char line[2 * crypto_hash_sha256_BYTES + 1];
	cleanup_buf struct buf yaml = BUF_INIT(POLICY_FILE_MAX), shown = BUF_INIT(LINES_MAX);
	struct place place;
	int r = place_find(args, args->operands[0], &place);

	if (r == CLI_OK)
		r = place_make(&place);
	if (r != CLI_OK)
		return r;
	if (!place.project[0])
		memcpy(place.project, place.base, sizeof(place.project)); /* named by its path, it is still judged as a project's */
	r = io_read_file(AT_FDCWD, place.policy, &yaml);
	if (r < 0)
		return cli_error(CLI_REFUSED, "cannot read %s: %s", place.policy, strerror(-r));
	r = load_check(&place, buf_slice(&yaml));
	if (r != CLI_OK)
		return r;
	hash_line(buf_slice(&yaml), line);
	r = io_replace_file(AT_FDCWD, place.trust, 0600, line, sizeof(line));
	if (r < 0)
		return cli_error(CLI_REFUSED, "cannot write %s: %s", place.trust, strerror(-r));
	/* A folder that came with a project may be named anything. */
	if (text_escape(&shown, slice_str(place.policy)) < 0)
		return cli_error(CLI_REFUSED, "no memory");
	printf("accepted %.*s as it is now (sha256 %.*s)\n", (int)shown.len, shown.ptr, (int)sizeof(line) - 1, line);
	return CLI_OK;
}
