#include "parse/regex_ecma.h"

#include <errno.h>

#include "base/text.h"
#include "parse/regex_property.h"

/* A group as the first pass found it; 0 is the whole pattern. */
struct group {
	unsigned parent;
	unsigned capture; /* 1-based number among the capturing ones, 0 when it captures nothing */
	struct slice name;
	bool repeated; /* may run more than once */
	bool assertion;
};

/* An open group of the second pass. */
struct level {
	unsigned group;
	unsigned long weight, size; /* of what it holds so far */
};

struct ecma {
	struct slice in;
	size_t at;
	struct buf *out;
	const char *fault;
	bool backreferences; /* somewhere in the pattern, so groups must capture */
	unsigned n_groups, n_captures;
	unsigned next; /* the group that the second pass opens next */
	unsigned depth;
	struct level level[REGEX_DEPTH + 1];
	struct group group[REGEX_GROUPS + 1];
};

struct quantifier {
	unsigned long min, max;
	bool unbounded, lazy;
};

enum { CLASS_LAST = 0x10FFFF };

static int refuse(struct ecma *e, const char *fault)
{
	e->fault = fault;
	return -EINVAL;
}

static bool more(const struct ecma *e)
{
	return e->at < e->in.len;
}

static char peek(const struct ecma *e, size_t ahead)
{
	return ahead < e->in.len - e->at ? e->in.ptr[e->at + ahead] : '\0';
}

static bool take(struct ecma *e, const char *text)
{
	if (!slice_starts(slice_of(e->in.ptr + e->at, e->in.len - e->at), slice_str(text)))
		return false;
	e->at += strlen(text);
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Digits up to a number that no limit here comes near; more of them stay at that number. */
static unsigned long take_number(struct ecma *e)
{
	unsigned long n = 0;

	for (; is_digit(peek(e, 0)); e->at++)
		if (n < 100000000)
			n = n * 10 + (unsigned long)(peek(e, 0) - '0');
	return n;
}

/*
 * {n}, {n,} or {n,m} at the cursor: 1 and the cursor behind it, 0 when the brace is an ordinary character, -EINVAL.
 * "{,n}" is a count in some dialects and ordinary text in others; it is refused.
 */
static int take_braces(struct ecma *e, struct quantifier *q)
{
	size_t start = e->at;

	e->at++;
	if (peek(e, 0) == ',' && is_digit(peek(e, 1)))
		return refuse(e, "has \"{,\", which readers disagree about");
	if (!is_digit(peek(e, 0)))
		goto ordinary;
	q->min = q->max = take_number(e);
	if (take(e, ",")) {
		q->unbounded = !is_digit(peek(e, 0));
		if (!q->unbounded)
			q->max = take_number(e);
	}
	if (!take(e, "}"))
		goto ordinary;
	if (q->min > REGEX_REPEAT || q->max > REGEX_REPEAT)
		return refuse(e, "repeats more than 65535 times");
	if (!q->unbounded && q->max < q->min)
		return refuse(e, "has a repeat whose counts are out of order");
	return 1;
ordinary:
	e->at = start;
	return 0;
}

/* A quantifier at the cursor: 1, 0 when there is none, -EINVAL. */
static int take_quantifier(struct ecma *e, struct quantifier *q)
{
	int r = 1;

	*q = (struct quantifier){ 0 };
	if (take(e, "*"))
		q->unbounded = true;
	else if (take(e, "+"))
		*q = (struct quantifier){ .min = 1, .unbounded = true };
	else if (take(e, "?"))
		q->max = 1;
	else if (peek(e, 0) == '{' && more(e))
		r = take_braces(e, q);
	else
		return 0;
	if (r > 0)
		q->lazy = take(e, "?");
	return r;
}

/* ---- the first pass: groups, their names, and what is repeated ---- */

static int take_name(struct ecma *e, struct slice *ret_name)
{
	size_t start = e->at;
	struct slice name;

	while (is_letter(peek(e, 0)) || is_digit(peek(e, 0)) || peek(e, 0) == '_' || peek(e, 0) == '$')
		e->at++;
	name = slice_of(e->in.ptr + start, e->at - start);
	if (name.len == 0 || name.len > 64 || is_digit(name.ptr[0]) || !take(e, ">"))
		return refuse(e, "has a group name that is not one (letters, digits, _ and $ are read)");
	*ret_name = name;
	return 0;
}

/* Reads what follows "(" and fills `g`. */
static int take_group_head(struct ecma *e, struct group *g)
{
	bool captures = true;
	int r = 0;

	if (take(e, "?:")) {
		captures = false;
	} else if (take(e, "?=") || take(e, "?!") || take(e, "?<=") || take(e, "?<!")) {
		captures = false;
		g->assertion = true;
	} else if (take(e, "?<")) {
		r = take_name(e, &g->name);
	} else if (peek(e, 0) == '?') {
		return refuse(e, "has a group that ECMA-262 does not know");
	}
	g->capture = captures ? ++e->n_captures : 0;
	return r;
}

static int name_is_new(struct ecma *e, struct slice name)
{
	for (unsigned i = 1; name.len && i < e->n_groups; i++)
		if (slice_eq(e->group[i].name, name))
			return refuse(e, "names two groups alike");
	return 0;
}

static int find_group(struct ecma *e, unsigned *open)
{
	struct group *g;
	int r;

	if (e->n_groups >= REGEX_GROUPS)
		return refuse(e, "has too many groups");
	if (e->depth >= REGEX_DEPTH)
		return refuse(e, "nests groups too deeply");
	g = &e->group[++e->n_groups];
	g->parent = *open;
	*open = e->n_groups;
	e->depth++;
	r = take_group_head(e, g);
	return r ? r : name_is_new(e, g->name);
}

static int close_found(struct ecma *e, unsigned *open)
{
	struct quantifier q;
	int r;

	if (*open == 0)
		return refuse(e, "closes a group that is not open");
	r = take_quantifier(e, &q);
	if (r < 0)
		return r;
	e->group[*open].repeated = r > 0 && (q.unbounded || q.max > 1);
	*open = e->group[*open].parent;
	e->depth--;
	return 0;
}

static int find_groups(struct ecma *e)
{
	unsigned open = 0;
	bool in_class = false;
	int r = 0;

	while (more(e) && r == 0) {
		char c = e->in.ptr[e->at++];

		if (c == '\\') {
			e->backreferences |= !in_class && (peek(e, 0) == 'k' || (peek(e, 0) >= '1' && peek(e, 0) <= '9'));
			e->at += more(e);
		} else if (in_class) {
			in_class = c != ']';
		} else if (c == '[') {
			in_class = true;
		} else if (c == '(') {
			r = find_group(e, &open);
		} else if (c == ')') {
			r = close_found(e, &open);
		}
	}
	if (r == 0 && open)
		r = refuse(e, "has a group that is never closed");
	e->at = 0;
	e->depth = 0;
	return r;
}

/* ---- the second pass: terms ---- */

static int put_char(struct ecma *e, uint32_t c)
{
	if (c < 0x80 && (is_letter((char)c) || is_digit((char)c)))
		return buf_add_char(e->out, (char)c);
	return buf_printf(e->out, "\\x{%x}", (unsigned)c);
}

static int take_hex(struct ecma *e, unsigned digits, uint32_t *ret_c)
{
	uint32_t c = 0;

	for (unsigned i = 0; i < digits; i++, e->at++) {
		int v = hex_value(peek(e, 0));

		if (v < 0)
			return refuse(e, "has a malformed \\x or \\u");
		c = c << 4 | (uint32_t)v;
	}
	*ret_c = c;
	return 0;
}

/* Behind "\u": {h...}, or four digits, or two of those that make a surrogate pair. */
static int take_unicode(struct ecma *e, uint32_t *ret_c)
{
	uint32_t c = 0, low;
	int r;

	if (take(e, "{")) {
		do {
			int v = hex_value(peek(e, 0));

			if (v < 0 || c > CLASS_LAST)
				return refuse(e, "has a malformed \\x or \\u");
			c = c << 4 | (uint32_t)v;
			e->at++;
		} while (!take(e, "}"));
	} else {
		r = take_hex(e, 4, &c);
		if (r == 0 && c >= 0xD800 && c < 0xDC00 && take(e, "\\u")) {
			r = take_hex(e, 4, &low);
			if (r == 0 && low >= 0xDC00 && low < 0xE000)
				c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
		}
		if (r)
			return r;
	}
	if (c > CLASS_LAST || (c >= 0xD800 && c < 0xE000))
		return refuse(e, "names a character that no text can hold");
	*ret_c = c;
	return 0;
}

/* Behind a backslash: an escape that stands for one character. 1, 0 when it is no such escape, -EINVAL. */
static int take_character_escape(struct ecma *e, uint32_t *ret_c)
{
	static const char from[] = "tnvfr", to[] = "\t\n\v\f\r";
	char c = peek(e, 0);
	const char *control = c ? strchr(from, c) : NULL;
	int r = 0;

	if (!more(e))
		return refuse(e, "ends in a backslash");
	if (control) {
		*ret_c = (uint32_t)to[control - from];
	} else if (c == '0' && !is_digit(peek(e, 1))) {
		*ret_c = 0;
	} else if (c == 'c' && is_letter(peek(e, 1))) {
		*ret_c = (uint32_t)peek(e, 1) & 31;
		e->at++;
	} else if (c == 'x' || c == 'u') {
		e->at++;
		r = c == 'x' ? take_hex(e, 2, ret_c) : take_unicode(e, ret_c);
		return r ? r : 1;
	} else if (c > ' ' && c < 0x7F && !is_letter(c) && !is_digit(c)) {
		/* ECMA-262 has only the syntax characters here; other punctuation means itself wherever it is read. */
		*ret_c = (uint32_t)c;
	} else {
		return 0;
	}
	e->at++;
	return 1;
}

/* \d \D \s \S \w \W as members of a class, for PCRE2; NULL for others. */
static const char *class_escape(char c)
{
	switch (c) {
	case 'd':
		return "0-9";
	case 'D':
		return "\\x{0}-\\x{2f}\\x{3a}-\\x{10ffff}";
	case 'w':
		return "0-9A-Z_a-z";
	case 'W':
		return "\\x{0}-\\x{2f}\\x{3a}-\\x{40}\\x{5b}-\\x{5e}\\x{60}\\x{7b}-\\x{10ffff}";
	case 's':
		return "\\x{9}-\\x{d}\\x{20}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}";
	case 'S':
		return "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}"
		       "\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}";
	default:
		return NULL;
	}
}

/* \p{...} behind the backslash. */
static int put_property(struct ecma *e)
{
	bool negated = peek(e, 0) == 'P';
	struct slice body;
	size_t start;
	int r;

	e->at++;
	if (!take(e, "{"))
		return refuse(e, "has a \\p without {...}");
	start = e->at;
	while (more(e) && peek(e, 0) != '}')
		e->at++;
	body = slice_of(e->in.ptr + start, e->at - start);
	if (!take(e, "}"))
		return refuse(e, "has a \\p without {...}");
	r = regex_property(body, negated, e->out);
	return r == -EINVAL ? refuse(e, "has a \\p{...} that ECMA-262 does not know") : r;
}

/*
 * One member of a class. *ret_single tells whether it is one character, in *ret_c and not written yet; otherwise it has been
 * written.
 */
static int take_class_atom(struct ecma *e, bool *ret_single, uint32_t *ret_c)
{
	const char *set;
	int r;

	*ret_single = true;
	if (!take(e, "\\")) {
		int32_t c = utf8_next(e->in, &e->at);

		if (c < 0)
			return refuse(e, "is not UTF-8");
		*ret_c = (uint32_t)c;
		return 0;
	}
	if (take(e, "b")) {
		*ret_c = '\b';
		return 0;
	}
	r = take_character_escape(e, ret_c);
	if (r)
		return r < 0 ? r : 0;
	*ret_single = false;
	set = class_escape(peek(e, 0));
	if (set) {
		e->at++;
		return buf_add_str(e->out, set);
	}
	if (peek(e, 0) == 'p' || peek(e, 0) == 'P')
		return put_property(e);
	return refuse(e, "has an escape that ECMA-262 does not know");
}

static int put_range(struct ecma *e)
{
	uint32_t first = 0, last = 0;
	bool single;
	int r = take_class_atom(e, &single, &first);

	if (r)
		return r;
	if (peek(e, 0) != '-' || peek(e, 1) == ']' || e->at + 1 >= e->in.len)
		return single ? put_char(e, first) : 0;
	if (!single)
		return refuse(e, "has a class range that begins with a set of characters");
	e->at++;
	r = take_class_atom(e, &single, &last);
	if (r)
		return r;
	if (!single)
		return refuse(e, "has a class range that ends with a set of characters");
	if (last < first)
		return refuse(e, "has a class range that is out of order");
	r = put_char(e, first);
	r = r ? r : buf_add_char(e->out, '-');
	return r ? r : put_char(e, last);
}

/* Behind "[". */
static int put_class(struct ecma *e)
{
	bool negated = take(e, "^");
	int r;

	/* PCRE2 reads a bracket right behind the opening one as a member; in ECMA-262 it closes an empty class. */
	if (take(e, "]"))
		return buf_add_str(e->out, negated ? "[\\x{0}-\\x{10ffff}]" : "(?!)");
	r = buf_add_str(e->out, negated ? "[^" : "[");
	while (r == 0 && !take(e, "]"))
		r = more(e) ? put_range(e) : refuse(e, "has a class that is never closed");
	return r ? r : buf_add_char(e->out, ']');
}

static int put_backreference(struct ecma *e, unsigned capture)
{
	for (unsigned i = 1; i <= e->n_groups; i++) {
		const struct group *g = &e->group[i];

		if (g->capture != capture)
			continue;
		/* ECMA-262 forgets the inner groups at each round of an outer repeat, PCRE2 does not. */
		for (unsigned up = g->parent; up; up = e->group[up].parent)
			if (e->group[up].repeated)
				return refuse(e, "refers back to a group inside a repeated group");
		return buf_printf(e->out, "(?C1)\\g{%u}(?C0)", capture);
	}
	return refuse(e, "refers back to a group that it does not have");
}

static int put_named_backreference(struct ecma *e)
{
	struct slice name;
	int r = take(e, "k<") ? take_name(e, &name) : refuse(e, "has a \\k without <name>");

	if (r)
		return r;
	for (unsigned i = 1; i <= e->n_groups; i++)
		if (slice_eq(e->group[i].name, name))
			return put_backreference(e, e->group[i].capture);
	return refuse(e, "refers back to a group that it does not have");
}

/* Behind a backslash, outside a class. *ret_assertion: what was written matches no character. */
static int put_escape(struct ecma *e, bool *ret_assertion)
{
	char c = peek(e, 0);
	const char *set = class_escape(c);
	uint32_t code;
	int r;

	if (c == 'b' || c == 'B') {
		e->at++;
		*ret_assertion = true;
		return buf_add_str(e->out, c == 'b' ? "\\b" : "\\B");
	}
	if (set) {
		e->at++;
		return buf_printf(e->out, "[%s]", set);
	}
	if (c == 'p' || c == 'P')
		return put_property(e);
	if (c == 'k')
		return put_named_backreference(e);
	if (c >= '1' && c <= '9') {
		unsigned long n = take_number(e);

		return put_backreference(e, n > REGEX_GROUPS ? REGEX_GROUPS + 1 : (unsigned)n);
	}
	r = take_character_escape(e, &code);
	if (r == 0)
		return refuse(e, "has an escape that ECMA-262 does not know");
	return r < 0 ? r : put_char(e, code);
}

static int grow(struct ecma *e, unsigned long weight, unsigned long size)
{
	struct level *l = &e->level[e->depth];

	l->weight += weight;
	l->size += size;
	return l->weight > REGEX_WEIGHT || l->size > REGEX_WEIGHT ? refuse(e, "is too large when its repeats are multiplied out") : 0;
}

/* Whatever may follow a term: its quantifier, then the callout that charges the repeating. */
static int put_quantifier(struct ecma *e, bool assertion, bool group, unsigned long weight, unsigned long size)
{
	struct quantifier q;
	unsigned long copies;
	int r = take_quantifier(e, &q);

	if (r < 0)
		return r;
	if (r == 0)
		return grow(e, weight, size);
	if (assertion)
		return refuse(e, "repeats an assertion");
	if (q.unbounded)
		r = buf_printf(e->out, "{%lu,}%s(?C0)", q.min, q.lazy ? "?" : "");
	else
		r = buf_printf(e->out, "{%lu,%lu}%s(?C0)", q.min, q.max, q.lazy ? "?" : "");
	copies = q.unbounded ? q.min + 1 : q.max;
	/* A repeated character is one instruction; a repeated group is written out as often as its count says. */
	return r ? r : grow(e, weight * (q.min ? q.min : 1), size * (group && copies ? copies : 1));
}

/* Each alternative of a group that repeats begins with a callout, so that no round goes uncounted. */
static int put_alternative_start(struct ecma *e)
{
	const struct group *g = &e->group[e->level[e->depth].group];

	return e->depth == 0 || g->repeated ? buf_add_str(e->out, "(?C0)") : 0;
}

static int put_group_start(struct ecma *e)
{
	const struct group *g = &e->group[++e->next];
	size_t start = e->at;
	struct group again = { 0 };
	int r;

	r = take_group_head(e, &again);
	if (r)
		return r;
	if (g->assertion)
		r = buf_printf(e->out, "(%.*s", (int)(e->at - start), e->in.ptr + start);
	else
		r = buf_add_str(e->out, g->capture && e->backreferences ? "(" : "(?:");
	e->level[++e->depth] = (struct level){ .group = e->next };
	return r ? r : put_alternative_start(e);
}

static int put_group_end(struct ecma *e)
{
	struct level l = e->level[e->depth--];
	int r = buf_add_char(e->out, ')');

	return r ? r : put_quantifier(e, e->group[l.group].assertion, true, l.weight + 1, l.size + 1);
}

static int put_literal(struct ecma *e)
{
	int32_t c = utf8_next(e->in, &e->at);

	return c < 0 ? refuse(e, "is not UTF-8") : put_char(e, (uint32_t)c);
}

static int put_term(struct ecma *e)
{
	size_t written = e->out->len;
	bool assertion = false;
	struct quantifier q;
	int r = take_quantifier(e, &q);

	if (r)
		return r < 0 ? r : refuse(e, "repeats nothing");
	if (take(e, "("))
		return put_group_start(e);
	if (take(e, ")"))
		return put_group_end(e);
	if (take(e, "|")) {
		r = buf_add_char(e->out, '|');
		return r ? r : put_alternative_start(e);
	}
	if (take(e, "^")) {
		assertion = true;
		r = buf_add_char(e->out, '^');
	} else if (take(e, "$")) {
		assertion = true;
		r = buf_add_char(e->out, '$');
	} else if (take(e, ".")) {
		r = buf_add_str(e->out, "[^\\n\\r\\x{2028}\\x{2029}]");
	} else if (take(e, "[")) {
		r = put_class(e);
	} else if (take(e, "\\")) {
		r = put_escape(e, &assertion);
	} else {
		r = put_literal(e);
	}
	/* A class is compared member by member. */
	return r ? r : put_quantifier(e, assertion, false, 1 + (e->out->len - written) / 16, 1);
}

int regex_ecma(struct slice pattern, struct buf *out, unsigned *ret_weight, const char **ret_fault)
{
	struct ecma e = { .in = pattern, .out = out };
	int r = pattern.len > REGEX_PATTERN ? refuse(&e, "is longer than 8192 bytes") : find_groups(&e);

	e.n_captures = 0;
	if (r == 0)
		r = put_alternative_start(&e);
	while (r == 0 && more(&e))
		r = put_term(&e);
	if (r == 0)
		*ret_weight = (unsigned)e.level[0].weight;
	else
		*ret_fault = e.fault;
	return r;
}

bool regex_valid(struct slice pattern)
{
	struct buf out = BUF_INIT(REGEX_PATTERN * 512);
	const char *fault;
	unsigned weight;
	int r = regex_ecma(pattern, &out, &weight, &fault);

	buf_free(&out);
	return r == 0;
}
