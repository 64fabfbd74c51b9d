#include "cli/bundle.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auditlog/reader.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/text.h"

enum {
	PIECE = 256 << 10,
	MANIFEST_MAX = 16 << 20,
	ARENA_MAX = 256 << 20,
	NAME_LONGEST = 128,
	HASH = crypto_hash_sha256_BYTES,
	DEPTH_MOST = 3,
};

static const char manifest_name[] = "manifest.json";

const char *bundle_part_name(enum bundle_part part)
{
	static const char *const names[BUNDLE_PARTS] = { [BUNDLE_AUDIT] = "audit", [BUNDLE_STORE] = "store", [BUNDLE_AGENTS] = "agents" };

	return names[part];
}

/* ---- files ---- */

static int copy_pieces(int from, int to, char *piece, crypto_hash_sha256_state *hash, uint64_t *bytes)
{
	for (;;) {
		ssize_t n = pread(from, piece, PIECE, (off_t)*bytes);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		crypto_hash_sha256_update(hash, (const unsigned char *)piece, (unsigned long long)n);
		r = to < 0 ? 0 : io_write_all(to, piece, (size_t)n);
		if (r < 0)
			return r;
		*bytes += (uint64_t)n;
	}
}

/* Reads it all, and writes it to `to` unless that is -1. */
static int read_through(int from, int to, unsigned char *ret_hash, uint64_t *ret_bytes)
{
	cleanup_free char *piece = malloc(PIECE);
	crypto_hash_sha256_state hash;
	unsigned char digest[HASH];
	uint64_t bytes = 0;
	int r;

	if (!piece)
		return -ENOMEM;
	crypto_hash_sha256_init(&hash);
	r = copy_pieces(from, to, piece, &hash, &bytes);
	crypto_hash_sha256_final(&hash, digest);
	if (ret_hash)
		memcpy(ret_hash, digest, HASH);
	if (ret_bytes)
		*ret_bytes = bytes;
	return r;
}

int bundle_copy(int from, int dir, const char *name, mode_t mode, unsigned char *ret_hash, uint64_t *ret_bytes)
{
	cleanup_fd int to = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	int r = to < 0 ? -errno : read_through(from, to, ret_hash, ret_bytes);

	return r == 0 && fsync(to) < 0 ? -errno : r;
}

int bundle_folder(int dir, const char *name)
{
	int fd;

	if (mkdirat(dir, name, 0700) < 0)
		return -errno;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

static void remove_below(int parent, const char *name, int depth)
{
	int fd = depth < DEPTH_MOST ? openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) : -1;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (dir) {
		while ((entry = readdir(dir)))
			if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && unlinkat(fd, entry->d_name, 0) < 0)
				remove_below(fd, entry->d_name, depth + 1);
		closedir(dir);
	} else if (fd >= 0) {
		close(fd);
	}
	unlinkat(parent, name, AT_REMOVEDIR);
}

void bundle_remove(int parent, const char *name)
{
	remove_below(parent, name, 0);
}

/* ---- the manifest ---- */

/* One regular file, as a member of the list. */
static int list_file(int dir, const char *part, const char *name, struct buf *out)
{
	cleanup_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	unsigned char hash[HASH];
	char hex[2 * HASH];
	uint64_t bytes;
	int r = fd < 0 ? -errno : read_through(fd, -1, hash, &bytes);

	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r < 0)
		return r;
	text_hex(hash, sizeof(hash), hex);
	return buf_printf(out, "%s{\"bytes\":%llu,\"path\":\"%s%s%s\",\"sha256\":\"%.*s\"}", out->ptr[out->len - 1] == '[' ? "" : ",\n",
			  (unsigned long long)bytes, part, part[0] ? "/" : "", name, (int)sizeof(hex), hex);
}

static bool plain_name(struct slice name)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	if (name.len < 1 || name.len > NAME_LONGEST || name.ptr[0] == '.')
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!memchr(set, name.ptr[i], sizeof(set) - 1))
			return false;
	return true;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int list_part(int dir, const char *part, struct buf *out)
{
	cleanup_fd int fd = openat(dir, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct dirent **names = NULL;
	int r, count;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	count = scandirat(fd, ".", &names, NULL, by_name);
	r = count < 0 ? -errno : 0;
	for (int i = 0; i < count; i++) {
		if (r == 0 && plain_name(slice_str(names[i]->d_name)))
			r = list_file(fd, part, names[i]->d_name, out);
		free(names[i]);
	}
	free(names);
	return r == 0 && fsync(fd) < 0 ? -errno : r;
}

int bundle_seal(int dir, const char *path, const struct place *place, uint64_t entries)
{
	cleanup_buf struct buf out = BUF_INIT(MANIFEST_MAX);
	char made[32];
	int r;

	text_time(clock_wall_us(), made);
	r = buf_printf(&out, "{\"bawn\":\"" BAWN_VERSION "\",\"entries\":%llu,\"files\":[", (unsigned long long)entries);
	for (int i = 0; r == 0 && i < BUNDLE_PARTS; i++)
		r = list_part(dir, bundle_part_name((enum bundle_part)i), &out);
	if (r == 0 && faccessat(dir, "trusted", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		r = list_file(dir, "", "trusted", &out);
	if (r == 0)
		r = buf_printf(&out, "],\"format\":%d,\"made\":\"%s\",\"policy\":", BUNDLE_FORMAT, made);
	if (r == 0)
		r = json_write_string(&out, slice_str(place->policy));
	if (r == 0)
		r = buf_add_str(&out, "}\n");
	if (r == 0)
		r = fsync(dir) < 0 ? -errno : io_replace_file(dir, manifest_name, 0600, out.ptr, out.len);
	if (r == 0 && fsync(dir) < 0)
		r = -errno;
	return r < 0 ? cli_error(CLI_REFUSED, "cannot write %s: %s", path, strerror(-r)) : CLI_OK;
}

int bundle_read(int dir, const char *path, struct bundle *ret)
{
	cleanup_buf struct buf text = BUF_INIT(MANIFEST_MAX);
	int r = io_read_file(dir, manifest_name, &text);
	const struct json *format;
	struct json *top;
	int64_t version;
	char *kept;

	*ret = (struct bundle){ .dir = dir, .path = path, .arena = ARENA_INIT(ARENA_MAX) };
	if (r == -ENOENT)
		return cli_error(CLI_USAGE, "%s is no backup, or one that was not finished: it has no %s", path, manifest_name);
	if (r < 0)
		return cli_error(CLI_REFUSED, "cannot read %s/%s: %s", path, manifest_name, strerror(-r));
	/* The texts of the tree may borrow from the bytes. */
	top = arena_alloc(&ret->arena, sizeof(*top));
	kept = arena_alloc(&ret->arena, text.len + 1);
	if (!top || !kept)
		return cli_error(CLI_REFUSED, "no memory");
	memcpy(kept, text.ptr, text.len);
	if (json_parse(&ret->arena, slice_of(kept, text.len), &json_limits_default, top, NULL) != JSON_OK)
		return cli_error(CLI_REFUSED, "%s/%s is damaged", path, manifest_name);
	format = json_get_type(top, SLICE("format"), JSON_NUMBER);
	if (format && json_int64(format, &version) == 0 && version > BUNDLE_FORMAT)
		return cli_error(CLI_REFUSED, "%s was made by a newer Bawn (format %lld; this one knows up to %d)", path, (long long)version, BUNDLE_FORMAT);
	ret->files = json_get_type(top, SLICE("files"), JSON_ARRAY);
	if (!format || json_int64(format, &version) < 0 || version < 1 || !ret->files || !json_get_type(top, SLICE("made"), JSON_STRING) ||
	    !json_get_type(top, SLICE("entries"), JSON_NUMBER) ||
	    text_u64(json_get(top, SLICE("entries"))->text, 0, INT64_MAX, &ret->entries) < 0)
		return cli_error(CLI_REFUSED, "%s/%s is damaged", path, manifest_name);
	ret->made = json_get(top, SLICE("made"))->text;
	return CLI_OK;
}

/* ---- out of it again ---- */

/* "trusted", or a plain name in one of the parts: nothing else is ever written. */
static bool split_path(struct slice path, char part[16], char name[NAME_LONGEST + 1])
{
	part[0] = '\0';
	for (int i = 0; i < BUNDLE_PARTS; i++) {
		struct slice folder = slice_str(bundle_part_name((enum bundle_part)i));

		if (path.len > folder.len + 1 && slice_starts(path, folder) && path.ptr[folder.len] == '/') {
			snprintf(part, 16, "%.*s", SLICE_ARG(folder));
			path = slice_of(path.ptr + folder.len + 1, path.len - folder.len - 1);
			break;
		}
	}
	if (!plain_name(path) || (!part[0] && !slice_eq(path, SLICE("trusted"))))
		return false;
	snprintf(name, NAME_LONGEST + 1, "%.*s", SLICE_ARG(path));
	return true;
}

static int open_part(int dir, const char *part, bool make)
{
	int fd;

	if (make && part[0] && mkdirat(dir, part, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(dir, part[0] ? part : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

static int unpack_file(const struct bundle *b, int to, const struct json *file)
{
	const struct json *path = json_get_type(file, SLICE("path"), JSON_STRING), *said = json_get_type(file, SLICE("sha256"), JSON_STRING);
	char part[16], name[NAME_LONGEST + 1];
	unsigned char hash[HASH], expected[HASH];
	cleanup_fd int from_part = -1, to_part = -1, from = -1;
	int r;

	if (!path || !said || !split_path(path->text, part, name) || text_unhex(said->text, expected, HASH) < 0)
		return cli_error(CLI_REFUSED, "%s/%s is damaged: it names a file that cannot be part of a backup", b->path, manifest_name);
	from_part = open_part(b->dir, part, false);
	from = from_part < 0 ? -1 : openat(from_part, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (from < 0)
		return cli_error(CLI_REFUSED, "%s/%.*s cannot be read: %s", b->path, SLICE_ARG(path->text), strerror(errno));
	to_part = open_part(to, part, true);
	r = to_part < 0 ? to_part : bundle_copy(from, to_part, name, strcmp(name, "key.pub") == 0 ? 0644 : 0600, hash, NULL);
	if (r == 0 && fsync(to_part) < 0)
		r = -errno;
	if (r < 0)
		return cli_error(CLI_REFUSED, "%s/%.*s cannot be copied: %s", b->path, SLICE_ARG(path->text), strerror(-r));
	if (sodium_memcmp(hash, expected, HASH) != 0)
		return cli_error(CLI_REFUSED, "%s/%.*s is not what the backup's manifest says: it is damaged, or was changed", b->path, SLICE_ARG(path->text));
	return CLI_OK;
}

int bundle_unpack(const struct bundle *b, int to)
{
	int r = CLI_OK;

	for (uint32_t i = 0; r == CLI_OK && i < b->files->count; i++)
		r = unpack_file(b, to, &b->files->items[i]);
	return r;
}

/* ---- does it hold? ---- */

static void keep_first(void *ctx, const struct auditlog_finding *finding)
{
	struct buf *first = ctx;

	if (!first->len)
		auditlog_finding_text(first, finding);
}

int bundle_verify_record(int dir, const char *what, uint64_t *ret_entries)
{
	cleanup_fd int fd = openat(dir, bundle_part_name(BUNDLE_AUDIT), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	cleanup_buf struct buf first = BUF_INIT(4096);
	struct auditlog_verified verified;
	int r;

	*ret_entries = 0;
	if (fd < 0)
		return errno == ENOENT ? CLI_OK : cli_error(CLI_REFUSED, "%s cannot be read: %s", what, strerror(errno));
	r = auditlog_verify(fd, (struct slice){ 0 }, keep_first, &first, &verified);
	if (r < 0)
		return cli_error(CLI_REFUSED, "%s cannot be read: %s", what, strerror(-r));
	if (verified.findings)
		return cli_error(CLI_REFUSED, "%s does not hold: %.*s", what, (int)first.len, first.ptr ? first.ptr : "");
	*ret_entries = verified.entries;
	return CLI_OK;
}
