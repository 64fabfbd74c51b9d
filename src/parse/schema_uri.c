#include "parse/schema_uri.h"

#include <errno.h>

#include "base/buf.h"
#include "base/text.h"

enum { URI_MAX = 64 * 1024 };

struct parts {
	bool has_scheme, has_authority, has_query;
	struct slice scheme, authority, path, query, fragment;
};

static size_t find(struct slice s, size_t from, const char *set)
{
	while (from < s.len && !(s.ptr[from] && strchr(set, s.ptr[from])))
		from++;
	return from;
}

static struct slice cut(struct slice s, size_t from, size_t to)
{
	return slice_of(s.ptr + from, to - from);
}

static struct parts split(struct slice s)
{
	struct parts p = { 0 };
	size_t at, end = find(s, 0, "#");

	if (end < s.len)
		p.fragment = cut(s, end + 1, s.len);
	s.len = end;
	at = find(s, 0, ":/?");
	if (at < s.len && s.ptr[at] == ':' && at > 0) {
		p.has_scheme = true;
		p.scheme = cut(s, 0, at++);
	} else {
		at = 0;
	}
	if (s.len - at >= 2 && s.ptr[at] == '/' && s.ptr[at + 1] == '/') {
		end = find(s, at + 2, "/?");
		p.has_authority = true;
		p.authority = cut(s, at + 2, end);
		at = end;
	}
	end = find(s, at, "?");
	p.path = cut(s, at, end);
	if (end < s.len) {
		p.has_query = true;
		p.query = cut(s, end + 1, s.len);
	}
	return p;
}

/* RFC 3986, 5.2.4, on segments: "." says nothing and ".." takes the one before away. */
static int remove_dots(struct slice path, struct buf *out)
{
	size_t at = 0, floor = out->len;
	int r = 0;

	while (at < path.len && r == 0) {
		size_t start = at + (path.ptr[at] == '/');
		size_t end = find(path, start, "/");
		struct slice segment = cut(path, start, end);
		bool up = slice_eq(segment, SLICE(".."));

		if (!up && !slice_eq(segment, SLICE("."))) {
			r = buf_add_slice(out, cut(path, at, end));
		} else {
			while (up && out->len > floor && out->ptr[--out->len] != '/')
				;
			if (end == path.len)
				r = buf_add_char(out, '/');
		}
		at = end;
	}
	return r;
}

/* RFC 3986, 5.2.3: the base's path up to its last slash, then the reference's. */
static int merge(const struct parts *base, struct slice path, struct buf *out)
{
	size_t keep = base->path.len;
	int r;

	while (keep > 0 && base->path.ptr[keep - 1] != '/')
		keep--;
	r = base->has_authority && base->path.len == 0 ? buf_add_char(out, '/') : buf_add_slice(out, cut(base->path, 0, keep));
	return r ? r : buf_add_slice(out, path);
}

static int target_path(const struct parts *base, const struct parts *ref, struct buf *out)
{
	struct buf merged = BUF_INIT(URI_MAX);
	int r;

	if (ref->has_scheme || ref->has_authority || (ref->path.len && ref->path.ptr[0] == '/'))
		return remove_dots(ref->path, out);
	if (ref->path.len == 0)
		return buf_add_slice(out, base->path);
	r = merge(base, ref->path, &merged);
	if (r == 0)
		r = remove_dots(buf_slice(&merged), out);
	buf_free(&merged);
	return r;
}

static int put_target(const struct parts *base, const struct parts *ref, struct buf *out)
{
	const struct parts *scheme = ref->has_scheme ? ref : base;
	const struct parts *authority = ref->has_scheme || ref->has_authority ? ref : base;
	const struct parts *query = authority == ref || ref->path.len || ref->has_query ? ref : base;
	int r = 0;

	if (scheme->has_scheme) {
		r = buf_add_slice(out, scheme->scheme);
		r = r ? r : buf_add_char(out, ':');
	}
	if (r == 0 && authority->has_authority) {
		r = buf_add_str(out, "//");
		r = r ? r : buf_add_slice(out, authority->authority);
	}
	r = r ? r : target_path(base, ref, out);
	if (r == 0 && query->has_query) {
		r = buf_add_char(out, '?');
		r = r ? r : buf_add_slice(out, query->query);
	}
	return r;
}

static int undo_percent(struct arena *arena, struct slice s, struct slice *ret_s)
{
	char *to = arena_alloc(arena, s.len);
	size_t len = 0;

	if (!to)
		return -ENOMEM;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] != '%') {
			to[len++] = s.ptr[i];
			continue;
		}
		if (s.len - i < 3 || text_unhex(cut(s, i + 1, i + 3), &to[len], 1))
			return -EINVAL;
		len++;
		i += 2;
	}
	*ret_s = slice_of(to, len);
	return utf8_valid(*ret_s) ? 0 : -EINVAL;
}

int uri_resolve(struct arena *arena, struct slice base, struct slice reference, struct uri_reference *ret_reference)
{
	struct parts b = split(base), r = split(reference);
	struct uri_reference found = { .local = !r.has_scheme && !r.has_authority && r.path.len == 0 && !r.has_query };
	struct buf out = BUF_INIT(URI_MAX);
	int rc = undo_percent(arena, r.fragment, &found.fragment);

	if (rc == 0)
		rc = put_target(&b, &r, &out);
	if (rc == 0) {
		found.uri = arena_copy(arena, buf_slice(&out));
		rc = found.uri.ptr ? 0 : -ENOMEM;
	}
	buf_free(&out);
	if (rc == 0)
		*ret_reference = found;
	return rc == -EMSGSIZE ? -EINVAL : rc;
}
