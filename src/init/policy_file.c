#include "init/policy_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"

enum { HASH_LEN = crypto_hash_sha256_BYTES };

/* A file with 64 hex digits; anything else is not a hash. */
static int read_hash(int dir, const char *path, unsigned char hash[HASH_LEN])
{
	cleanup_buf struct buf text = BUF_INIT(256);
	int r = io_read_file(dir, path, &text);

	if (r < 0)
		return r;
	while (text.len && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == ' '))
		text.len--;
	return text_unhex(buf_slice(&text), hash, HASH_LEN);
}

bool policy_file_trusted(const struct init_options *options, struct slice yaml)
{
	unsigned char accepted[HASH_LEN], now[HASH_LEN];

	if (!options->trust)
		return true;
	crypto_hash_sha256(now, (const unsigned char *)yaml.ptr, yaml.len);
	return read_hash(AT_FDCWD, options->trust, accepted) == 0 && sodium_memcmp(accepted, now, HASH_LEN) == 0;
}

int policy_file_read(const struct init_options *options, struct buf *out, char why[512])
{
	int r;

	buf_clear(out);
	r = io_read_file(AT_FDCWD, options->policy, out);
	if (r == -EMSGSIZE) {
		snprintf(why, 512, "%s is larger than %d bytes", options->policy, POLICY_FILE_MAX);
		return r;
	}
	if (r < 0) {
		snprintf(why, 512, "cannot read %s: %s", options->policy, strerror(-r));
		return r;
	}
	if (!policy_file_trusted(options, buf_slice(out))) {
		snprintf(why, 512, "%.300s is a project's policy that you have not accepted as it is now; read it, then run `bawn trust`", options->policy);
		return -EACCES;
	}
	return 0;
}

static bool agent_name_ok(struct slice name)
{
	if (name.len < 1 || name.len > 64)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
			return false;
	}
	return true;
}

int policy_file_tokens(const struct init_options *options, void (*found)(void *ctx, const char *agent, const unsigned char hash[32]), void *ctx)
{
	static const char suffix[] = ".sha256";
	char path[PATH_MAX], name[65];
	struct dirent *entry;
	DIR *dir;

	if ((size_t)snprintf(path, sizeof(path), "%s/agents", options->state) >= sizeof(path))
		return -ENAMETOOLONG;
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);
		unsigned char hash[HASH_LEN];
		struct slice agent;

		if (len < sizeof(suffix) || strcmp(entry->d_name + len - (sizeof(suffix) - 1), suffix) != 0)
			continue;
		agent = slice_of(entry->d_name, len - (sizeof(suffix) - 1));
		if (!agent_name_ok(agent) || read_hash(dirfd(dir), entry->d_name, hash) < 0)
			continue;
		snprintf(name, sizeof(name), "%.*s", SLICE_ARG(agent));
		found(ctx, name, hash);
	}
	closedir(dir);
	return 0;
}
