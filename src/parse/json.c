/*
 * Text to tree, without recursion. The input is copied into the arena once and strings are decoded in place there, since decoding
 * never lengthens them; a tree's slices therefore point into that copy. Values wait on one stack until the container that holds
 * them is closed, and then move into the arena together.
 */
#include "parse/json.h"

#include <stdlib.h>

#include "base/text.h"
#include "parse/json_inner.h"

enum {
	PADDING = 8,    /* NUL bytes after the copy: no token goes past them, so the scanners need no bounds */
	FIRST_WAIT = 24 /* values that wait without an allocation */
};

#define NO_CONTAINER SIZE_MAX

struct waiting {
	struct json_member member; /* the name is empty for an element */
	size_t outer;              /* for an open container: where the one around it waits */
};

struct parser {
	struct arena *arena;
	const struct json_limits *limits;
	char *text, *at, *end;
	struct waiting *waiting; /* `first`, or from malloc */
	size_t used, cap;
	size_t open; /* where the innermost open container waits */
	size_t items;
	unsigned depth, max_depth;
	struct json_fault fault;
	struct waiting first[FIRST_WAIT];
};

static bool fail(struct parser *p, enum json_error error, const char *at)
{
	p->fault = (struct json_fault){ .error = error, .offset = (size_t)(at - p->text) };
	return false;
}

/* No token begins at `at`. */
static bool fail_syntax(struct parser *p, const char *at)
{
	size_t i = 0;

	if (at < p->end && ((unsigned char)*at & 0x80) && utf8_next(slice_of(at, (size_t)(p->end - at)), &i) < 0)
		return fail(p, JSON_UTF8, at);
	return fail(p, JSON_SYNTAX, at);
}

static void skip_space(struct parser *p)
{
	while (*p->at == ' ' || *p->at == '\n' || *p->at == '\r' || *p->at == '\t')
		p->at++;
}

static bool grow(struct parser *p)
{
	size_t cap = p->cap * 2, bytes;
	struct waiting *more;

	if (__builtin_mul_overflow(cap, sizeof(*more), &bytes) || bytes > p->arena->max)
		return false;
	more = realloc(p->waiting == p->first ? NULL : p->waiting, bytes);
	if (!more)
		return false;
	if (p->waiting == p->first)
		memcpy(more, p->first, sizeof(p->first));
	p->waiting = more;
	p->cap = cap;
	return true;
}

/* A place for the value that begins at p->at; NULL past a limit. */
static struct json *add_value(struct parser *p, struct slice name)
{
	struct waiting *w;

	if (p->items >= p->limits->items || p->items >= UINT32_MAX) {
		fail(p, JSON_ITEMS, p->at);
		return NULL;
	}
	if (p->used == p->cap && !grow(p)) {
		fail(p, JSON_MEMORY, p->at);
		return NULL;
	}
	p->items++;
	w = &p->waiting[p->used++];
	*w = (struct waiting){ .member.name = name };
	return &w->member.value;
}

/*
 * The first byte from `at` on that a string does not simply contain: quote, backslash, control character. *high gets a bit when
 * there may have been a byte of 0x80 or more before it.
 */
static char *skip_plain(char *at, uint64_t *high)
{
	for (;; at += sizeof(uint64_t)) {
		uint64_t word = load_word(at), marks = mark_special(word);

		*high |= word & BYTE_TOPS;
		if (marks)
			return at + first_mark(marks);
	}
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Four hex digits, or -1. */
static int32_t hex4(const char *at)
{
	int32_t unit = 0;

	for (int i = 0; i < 4; i++) {
		int digit = hex_value(at[i]);

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

static char *put_utf8(char *out, int32_t c)
{
	if (c < 0x80) {
		*out++ = (char)c;
	} else if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
		*out++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*out++ = (char)(0xe0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	} else {
		*out++ = (char)(0xf0 | c >> 18);
		*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	}
	return out;
}

/* p->at is past "\u". */
static bool read_unicode_escape(struct parser *p, char **out)
{
	const char *escape = p->at - 2;
	int32_t c = hex4(p->at), low;

	if (c < 0)
		return fail(p, JSON_SYNTAX, escape);
	p->at += 4;
	if (c >= 0xd800 && c <= 0xdfff) {
		if (c >= 0xdc00 || p->at[0] != '\\' || p->at[1] != 'u')
			return fail(p, JSON_UTF8, escape);
		low = hex4(p->at + 2);
		if (low < 0)
			return fail(p, JSON_SYNTAX, p->at);
		if (low < 0xdc00 || low > 0xdfff)
			return fail(p, JSON_UTF8, escape);
		p->at += 6;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	*out = put_utf8(*out, c);
	return true;
}

/* p->at is on a backslash. */
static bool read_escape(struct parser *p, char **out)
{
	static const char plain[128] = {
		['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t',
	};
	unsigned char c = (unsigned char)p->at[1];

	p->at += 2;
	if (c == 'u')
		return read_unicode_escape(p, out);
	if (c >= sizeof(plain) || !plain[c])
		return fail(p, JSON_SYNTAX, p->at - 2);
	*(*out)++ = plain[c];
	return true;
}

/* The run up to the next quote, backslash or control character. An escape cannot fall inside a UTF-8 sequence. */
static bool read_run(struct parser *p, struct slice *ret_run)
{
	uint64_t high = 0;
	char *stop = skip_plain(p->at, &high);
	struct slice run = slice_of(p->at, (size_t)(stop - p->at));

	if (high && !utf8_valid(run)) {
		size_t at = 0;

		while (utf8_next(run, &at) >= 0)
			;
		return fail(p, JSON_UTF8, run.ptr + at);
	}
	p->at = stop;
	*ret_run = run;
	return true;
}

/* p->at is past the opening quote. */
static bool read_string(struct parser *p, struct slice *ret_s)
{
	char *start = p->at, *out;
	struct slice run;

	if (!read_run(p, &run))
		return false;
	out = p->at;
	while (*p->at == '\\') {
		if (!read_escape(p, &out) || !read_run(p, &run))
			return false;
		memmove(out, run.ptr, run.len);
		out += run.len;
	}
	if (*p->at != '"')
		return fail(p, JSON_SYNTAX, p->at);
	p->at++;
	*ret_s = slice_of(start, (size_t)(out - start));
	return true;
}

static bool read_number(struct parser *p, struct json *v)
{
	const char *end = json_number_scan(p->at, p->end);

	if (!end)
		return fail(p, JSON_SYNTAX, p->at);
	v->type = JSON_NUMBER;
	v->text = slice_of(p->at, (size_t)(end - p->at));
	if (json_number_range(v->text) != JSON_OK)
		return fail(p, JSON_RANGE, p->at);
	p->at += v->text.len;
	return true;
}

static bool read_word(struct parser *p, struct json *v, struct slice word, enum json_type type)
{
	if (!slice_starts(slice_of(p->at, (size_t)(p->end - p->at)), word))
		return fail(p, JSON_SYNTAX, p->at);
	v->type = type;
	p->at += word.len;
	return true;
}

static bool open_container(struct parser *p, struct json *v, enum json_type type)
{
	if (p->depth >= p->max_depth)
		return fail(p, JSON_DEPTH, p->at);
	p->depth++;
	p->at++;
	v->type = type;
	p->waiting[p->used - 1].outer = p->open;
	p->open = p->used - 1;
	return true;
}

/* A scalar, or a container's opening bracket. */
static bool begin_value(struct parser *p, struct slice name)
{
	struct json *v;

	skip_space(p);
	v = add_value(p, name);
	if (!v)
		return false;
	switch (*p->at) {
	case '{':
		return open_container(p, v, JSON_OBJECT);
	case '[':
		return open_container(p, v, JSON_ARRAY);
	case '"':
		p->at++;
		v->type = JSON_STRING;
		return read_string(p, &v->text);
	case 't':
		return read_word(p, v, SLICE("true"), JSON_TRUE);
	case 'f':
		return read_word(p, v, SLICE("false"), JSON_FALSE);
	case 'n':
		return read_word(p, v, SLICE("null"), JSON_NULL);
	case '-':
	case '0' ... '9':
		return read_number(p, v);
	default:
		return fail_syntax(p, p->at);
	}
}

/* A member's name and colon, when the innermost open container is an object. */
static bool read_name(struct parser *p, struct slice *ret_name)
{
	if (p->open == NO_CONTAINER || p->waiting[p->open].member.value.type != JSON_OBJECT)
		return true;
	skip_space(p);
	if (*p->at != '"')
		return fail_syntax(p, p->at);
	p->at++;
	if (!read_string(p, ret_name))
		return false;
	skip_space(p);
	if (*p->at != ':')
		return fail_syntax(p, p->at);
	p->at++;
	return true;
}

static bool move_items(struct parser *p, struct json *v, const struct waiting *from, size_t count)
{
	struct json *items = count ? arena_array(p->arena, count, sizeof(*items)) : NULL;

	if (count && !items)
		return fail(p, JSON_MEMORY, p->at);
	for (size_t i = 0; i < count; i++)
		items[i] = from[i].member.value;
	v->items = items;
	return true;
}

static bool move_members(struct parser *p, struct json *v, const struct waiting *from, size_t count)
{
	struct json_member *members = count ? arena_array(p->arena, count, sizeof(*members)) : NULL;
	size_t index;
	int repeat;

	if (count && !members)
		return fail(p, JSON_MEMORY, p->at);
	for (size_t i = 0; i < count; i++)
		members[i] = from[i].member;
	repeat = json_names_repeat(members, count, &index);
	if (repeat < 0)
		return fail(p, JSON_MEMORY, p->at);
	if (repeat)
		return fail(p, JSON_DUPLICATE, members[index].name.ptr);
	v->members = members;
	return true;
}

/* p->at is on the closing bracket of the innermost container. */
static bool close_container(struct parser *p)
{
	struct waiting *w = &p->waiting[p->open];
	struct json *v = &w->member.value;
	size_t count = p->used - p->open - 1;

	if (!(v->type == JSON_OBJECT ? move_members : move_items)(p, v, w + 1, count))
		return false;
	v->count = (uint32_t)count;
	p->used = p->open + 1;
	p->open = w->outer;
	p->depth--;
	p->at++;
	return true;
}

static bool at_close(struct parser *p)
{
	skip_space(p);
	return p->open != NO_CONTAINER && *p->at == (p->waiting[p->open].member.value.type == JSON_OBJECT ? '}' : ']');
}

static bool parse_document(struct parser *p)
{
	for (;;) {
		size_t around = p->open;
		struct slice name = { 0 };

		if (!read_name(p, &name) || !begin_value(p, name))
			return false;
		if (p->open != around && !at_close(p))
			continue;
		while (at_close(p)) {
			if (!close_container(p))
				return false;
		}
		if (p->open == NO_CONTAINER)
			return p->at == p->end || fail_syntax(p, p->at);
		if (*p->at != ',')
			return fail_syntax(p, p->at);
		p->at++;
	}
}

static bool take_input(struct parser *p, struct slice input)
{
	if (input.len > p->limits->bytes || input.len > SIZE_MAX - PADDING) {
		p->fault = (struct json_fault){ .error = JSON_BYTES, .offset = p->limits->bytes };
		return false;
	}
	p->text = arena_alloc(p->arena, input.len + PADDING);
	if (!p->text) {
		p->fault = (struct json_fault){ .error = JSON_MEMORY };
		return false;
	}
	if (input.len)
		memcpy(p->text, input.ptr, input.len);
	p->at = p->text;
	p->end = p->text + input.len;
	if (slice_starts(input, SLICE("\xef\xbb\xbf")))
		return fail(p, JSON_UTF8, p->text);
	return true;
}

enum json_error json_parse(struct arena *arena, struct slice input, const struct json_limits *limits, struct json *ret_value,
			   struct json_fault *fault)
{
	struct parser p = { .arena = arena, .limits = limits, .open = NO_CONTAINER, .cap = FIRST_WAIT };

	p.waiting = p.first;
	p.max_depth = limits->depth < JSON_DEPTH_MAX ? limits->depth : JSON_DEPTH_MAX;
	if (take_input(&p, input) && parse_document(&p))
		*ret_value = p.waiting[0].member.value;
	if (p.waiting != p.first)
		free(p.waiting);
	if (fault && p.fault.error != JSON_OK)
		*fault = p.fault;
	return p.fault.error;
}
