/* How one definition differs from another: by path, texts by line. Everything is shown as show.h says. */
#include "show/show.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"

enum { INDENT = 2, LINES_MOST = 400 }; /* of a text, that are matched one by one; of a longer one all between its first and last change */

/* Where we are; each link lives in the caller's frame. */
struct path {
	const struct path *above;
	struct slice name; /* of a member */
	uint32_t item;     /* of an array, when there is no name */
};

struct difference {
	struct show *show;
	unsigned indent;
	size_t count;
};

static int compare(struct difference *d, const struct path *path, const struct json *before, const struct json *after);

/* ---- lines ---- */

static int show_path(struct show *s, const struct path *path)
{
	char item[32];
	int r;

	if (!path)
		return 0;
	r = show_path(s, path->above);
	snprintf(item, sizeof(item), "[%u]", path->item);
	if (r == 0 && !path->name.ptr)
		return show_words(s, item);
	if (r == 0 && path->above)
		r = show_words(s, ".");
	return r == 0 ? show_name(s, path->name) : r;
}

/* "changed: path" and such. */
static int show_headline(struct difference *d, const char *what, const struct path *path)
{
	int r = show_begin(d->show, d->indent);

	d->count++;
	if (r == 0)
		r = show_words(d->show, what);
	if (r == 0)
		r = path ? show_path(d->show, path) : show_words(d->show, "all of it");
	return r == 0 ? show_end(d->show) : r;
}

static int show_side(struct difference *d, const char *lead, const struct json *value)
{
	int r;

	d->show->lead = lead;
	r = show_tree(d->show, d->indent, value);
	d->show->lead = NULL;
	return r;
}

static int show_line(struct difference *d, const char *lead, struct slice line)
{
	int r;

	d->show->lead = lead;
	r = show_begin(d->show, d->indent);
	if (r == 0)
		r = show_string(d->show, line);
	if (r == 0)
		r = show_end(d->show);
	d->show->lead = NULL;
	return r;
}

static const char *const minus = "  - ", *const plus = "  + ";

static int removed(struct difference *d, const struct path *path, const struct json *value)
{
	int r = show_headline(d, "removed: ", path);

	return r == 0 ? show_side(d, minus, value) : r;
}

static int added(struct difference *d, const struct path *path, const struct json *value)
{
	int r = show_headline(d, "added: ", path);

	return r == 0 ? show_side(d, plus, value) : r;
}

/* ---- texts ---- */

struct lines {
	struct slice *list; /* each with its line feed */
	size_t count;
};

static int split(struct slice text, struct lines *ret)
{
	size_t count = 1, at = 0;

	for (size_t i = 0; i < text.len; i++)
		count += text.ptr[i] == '\n';
	*ret = (struct lines){ .list = calloc(count, sizeof(*ret->list)) };
	if (!ret->list)
		return -ENOMEM;
	while (at < text.len) {
		const char *end = memchr(text.ptr + at, '\n', text.len - at);
		size_t len = end ? (size_t)(end - text.ptr) + 1 - at : text.len - at;

		ret->list[ret->count++] = slice_of(text.ptr + at, len);
		at += len;
	}
	return 0;
}

static int show_same(struct difference *d, size_t count)
{
	char words[64];
	int r = count ? show_begin(d->show, d->indent + 4) : 0;

	if (count == 0)
		return 0;
	snprintf(words, sizeof(words), "(%zu line%s as before)", count, count == 1 ? "" : "s");
	if (r == 0)
		r = show_words(d->show, words);
	return r == 0 ? show_end(d->show) : r;
}

static int show_lines(struct difference *d, const char *lead, const struct slice *lines, size_t count)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = show_line(d, lead, lines[i]);
	return r;
}

/* The longest common subsequence of what lies between the first and the last change: room[i][j] of lines i.. and j.. */
static int show_matched(struct difference *d, const struct slice *a, size_t m, const struct slice *b, size_t n)
{
	cleanup_free uint16_t *room = calloc((m + 1) * (n + 1), sizeof(*room));
	size_t i = 0, j = 0, same = 0;
	int r = room ? 0 : -ENOMEM;

	for (size_t k = r == 0 ? m : 0; k-- > 0;)
		for (size_t l = n; l-- > 0;) {
			uint16_t down = room[(k + 1) * (n + 1) + l], right = room[k * (n + 1) + l + 1];

			room[k * (n + 1) + l] = slice_eq(a[k], b[l]) ? (uint16_t)(room[(k + 1) * (n + 1) + l + 1] + 1) : down > right ? down : right;
		}
	while (r == 0 && (i < m || j < n)) {
		if (i < m && j < n && slice_eq(a[i], b[j])) {
			same++, i++, j++;
			continue;
		}
		r = show_same(d, same);
		same = 0;
		if (r == 0 && i < m && (j == n || room[(i + 1) * (n + 1) + j] >= room[i * (n + 1) + j + 1]))
			r = show_line(d, minus, a[i++]);
		else if (r == 0)
			r = show_line(d, plus, b[j++]);
	}
	return r;
}

static int show_changed_lines(struct difference *d, const struct lines *before, const struct lines *after)
{
	size_t least = before->count < after->count ? before->count : after->count, first = 0, last = 0, m, n;
	const struct slice *a, *b;
	int r;

	while (first < least && slice_eq(before->list[first], after->list[first]))
		first++;
	while (last < least - first && slice_eq(before->list[before->count - 1 - last], after->list[after->count - 1 - last]))
		last++;
	a = before->list + first, m = before->count - first - last;
	b = after->list + first, n = after->count - first - last;
	r = show_same(d, first);
	if (r == 0 && m <= LINES_MOST && n <= LINES_MOST) {
		r = show_matched(d, a, m, b, n);
	} else if (r == 0) {
		r = show_lines(d, minus, a, m);
		if (r == 0)
			r = show_lines(d, plus, b, n);
	}
	return r == 0 ? show_same(d, last) : r;
}

static int compare_texts(struct difference *d, struct slice before, struct slice after)
{
	struct lines a = { 0 }, b = { 0 };
	int r = split(before, &a);

	if (r == 0)
		r = split(after, &b);
	if (r == 0)
		r = show_changed_lines(d, &a, &b);
	free(a.list);
	free(b.list);
	return r;
}

/* ---- containers ---- */

static int by_name(const void *a, const void *b)
{
	return slice_cmp((*(const struct json_member *const *)a)->name, (*(const struct json_member *const *)b)->name);
}

/* The members in order of their names, and a NULL. */
static const struct json_member **in_order(const struct json *object)
{
	const struct json_member **list = calloc((size_t)object->count + 1, sizeof(*list));

	for (uint32_t i = 0; list && i < object->count; i++)
		list[i] = &object->members[i];
	if (list && object->count)
		qsort(list, object->count, sizeof(*list), by_name);
	return list;
}

static int compare_objects(struct difference *d, const struct path *path, const struct json *before, const struct json *after)
{
	cleanup_free const struct json_member **a = in_order(before), **b = in_order(after);
	const struct json_member *const *x = a, *const *y = b;
	int r = a && b ? 0 : -ENOMEM;

	while (r == 0 && (*x || *y)) {
		int order = !*x ? 1 : !*y ? -1 : slice_cmp((*x)->name, (*y)->name);
		struct path here = { .above = path, .name = order <= 0 ? (*x)->name : (*y)->name };

		if (!here.name.ptr)
			here.name = SLICE("");
		if (order < 0)
			r = removed(d, &here, &(*x++)->value);
		else if (order > 0)
			r = added(d, &here, &(*y++)->value);
		else
			r = compare(d, &here, &(*x++)->value, &(*y++)->value);
	}
	return r;
}

/* What was put in or taken out in one place leaves the rest as it was. */
static int compare_arrays(struct difference *d, const struct path *path, const struct json *before, const struct json *after)
{
	uint32_t least = before->count < after->count ? before->count : after->count, first = 0, last = 0;
	int r = 0;

	while (first < least && json_equal(&before->items[first], &after->items[first]))
		first++;
	while (last < least - first && json_equal(&before->items[before->count - 1 - last], &after->items[after->count - 1 - last]))
		last++;
	for (uint32_t i = first; r == 0 && before->count == after->count && i < before->count - last; i++) {
		struct path here = { .above = path, .item = i };

		r = compare(d, &here, &before->items[i], &after->items[i]);
	}
	if (before->count == after->count)
		return r;
	for (uint32_t i = first; r == 0 && i < before->count - last; i++)
		r = removed(d, &(struct path){ .above = path, .item = i }, &before->items[i]);
	for (uint32_t i = first; r == 0 && i < after->count - last; i++)
		r = added(d, &(struct path){ .above = path, .item = i }, &after->items[i]);
	return r;
}

static int compare(struct difference *d, const struct path *path, const struct json *before, const struct json *after)
{
	int r;

	if (before->type == JSON_OBJECT && after->type == JSON_OBJECT)
		return compare_objects(d, path, before, after);
	if (before->type == JSON_ARRAY && after->type == JSON_ARRAY)
		return compare_arrays(d, path, before, after);
	if (json_equal(before, after))
		return 0;
	r = show_headline(d, "changed: ", path);
	if (r == 0 && before->type == JSON_STRING && after->type == JSON_STRING)
		return compare_texts(d, before->text, after->text);
	if (r == 0)
		r = show_side(d, minus, before);
	return r == 0 ? show_side(d, plus, after) : r;
}

int show_difference(struct show *show, unsigned indent, const struct json *before, const struct json *after, size_t *ret_count)
{
	struct difference d = { .show = show, .indent = indent };
	int r = compare(&d, NULL, before, after);

	if (r == 0)
		*ret_count = d.count;
	return r;
}
