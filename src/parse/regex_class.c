/* Characters, escapes and classes of a pattern. */
#include "parse/regex_property.h"
#include "parse/regex_read.h"

enum { CLASS_LAST = 0x10FFFF };

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

int ecma_put_char(struct ecma *e, uint32_t c)
{
	if (c < 0x80 && (is_letter((char)c) || is_digit((char)c)))
		return buf_add_char(e->out, (char)c);
	return buf_printf(e->out, "\\x{%x}", (unsigned)c);
}

static int take_hex(struct ecma *e, unsigned digits, uint32_t *ret_c)
{
	uint32_t c = 0;

	for (unsigned i = 0; i < digits; i++, e->at++) {
		int v = hex_value(ecma_peek(e, 0));

		if (v < 0)
			return ecma_refuse(e, "has a malformed \\x or \\u");
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

	if (ecma_take(e, "{")) {
		do {
			int v = hex_value(ecma_peek(e, 0));

			if (v < 0 || c > CLASS_LAST)
				return ecma_refuse(e, "has a malformed \\x or \\u");
			c = c << 4 | (uint32_t)v;
			e->at++;
		} while (!ecma_take(e, "}"));
	} else {
		r = take_hex(e, 4, &c);
		if (r == 0 && c >= 0xD800 && c < 0xDC00 && ecma_take(e, "\\u")) {
			r = take_hex(e, 4, &low);
			if (r == 0 && low >= 0xDC00 && low < 0xE000)
				c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
		}
		if (r)
			return r;
	}
	if (c > CLASS_LAST || (c >= 0xD800 && c < 0xE000))
		return ecma_refuse(e, "names a character that no text can hold");
	*ret_c = c;
	return 0;
}

int ecma_take_character(struct ecma *e, uint32_t *ret_c)
{
	static const char from[] = "tnvfr", to[] = "\t\n\v\f\r";
	char c = ecma_peek(e, 0);
	const char *control = c ? strchr(from, c) : NULL;
	int r = 0;

	if (!ecma_more(e))
		return ecma_refuse(e, "ends in a backslash");
	if (control) {
		*ret_c = (uint32_t)to[control - from];
	} else if (c == '0' && !is_digit(ecma_peek(e, 1))) {
		*ret_c = 0;
	} else if (c == 'c' && is_letter(ecma_peek(e, 1))) {
		*ret_c = (uint32_t)ecma_peek(e, 1) & 31;
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

const char *ecma_class_escape(char c)
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
		return "\\x{9}-\\x{d}\\x{20}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{"
		       "feff}";
	case 'S':
		return "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}"
		       "\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}";
	default:
		return NULL;
	}
}

int ecma_put_property(struct ecma *e)
{
	bool negated = ecma_peek(e, 0) == 'P';
	struct slice body;
	size_t start;
	int r;

	e->at++;
	if (!ecma_take(e, "{"))
		return ecma_refuse(e, "has a \\p without {...}");
	start = e->at;
	while (ecma_more(e) && ecma_peek(e, 0) != '}')
		e->at++;
	body = slice_of(e->in.ptr + start, e->at - start);
	if (!ecma_take(e, "}"))
		return ecma_refuse(e, "has a \\p without {...}");
	r = regex_property(body, negated, e->out);
	return r == -EINVAL ? ecma_refuse(e, "has a \\p{...} that ECMA-262 does not know") : r;
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
	if (!ecma_take(e, "\\")) {
		int32_t c = utf8_next(e->in, &e->at);

		if (c < 0)
			return ecma_refuse(e, "is not UTF-8");
		*ret_c = (uint32_t)c;
		return 0;
	}
	if (ecma_take(e, "b")) {
		*ret_c = '\b';
		return 0;
	}
	r = ecma_take_character(e, ret_c);
	if (r)
		return r < 0 ? r : 0;
	*ret_single = false;
	set = ecma_class_escape(ecma_peek(e, 0));
	if (set) {
		e->at++;
		return buf_add_str(e->out, set);
	}
	if (ecma_peek(e, 0) == 'p' || ecma_peek(e, 0) == 'P')
		return ecma_put_property(e);
	return ecma_refuse(e, "has an escape that ECMA-262 does not know");
}

static int put_range(struct ecma *e)
{
	uint32_t first = 0, last = 0;
	bool single;
	int r = take_class_atom(e, &single, &first);

	if (r)
		return r;
	if (ecma_peek(e, 0) != '-' || ecma_peek(e, 1) == ']' || e->at + 1 >= e->in.len)
		return single ? ecma_put_char(e, first) : 0;
	if (!single)
		return ecma_refuse(e, "has a class range that begins with a set of characters");
	e->at++;
	r = take_class_atom(e, &single, &last);
	if (r)
		return r;
	if (!single)
		return ecma_refuse(e, "has a class range that ends with a set of characters");
	if (last < first)
		return ecma_refuse(e, "has a class range that is out of order");
	r = ecma_put_char(e, first);
	r = r ? r : buf_add_char(e->out, '-');
	return r ? r : ecma_put_char(e, last);
}

/* [:name:] at the cursor: a class of POSIX within a class, which ECMA-262 would read as its letters. */
static bool at_posix_class(const struct ecma *e)
{
	size_t i = 2;

	if (ecma_peek(e, 0) != '[' || ecma_peek(e, 1) != ':')
		return false;
	while (is_letter(ecma_peek(e, i)) || ecma_peek(e, i) == '^')
		i++;
	return i > 2 && ecma_peek(e, i) == ':' && ecma_peek(e, i + 1) == ']';
}

int ecma_put_class(struct ecma *e)
{
	bool negated = ecma_take(e, "^");
	int r;

	/* PCRE2 reads a bracket right behind the opening one as a member; in ECMA-262 it closes an empty class. */
	if (ecma_take(e, "]"))
		return buf_add_str(e->out, negated ? "[\\x{0}-\\x{10ffff}]" : "[^\\x{0}-\\x{10ffff}]");
	r = buf_add_str(e->out, negated ? "[^" : "[");
	while (r == 0 && !ecma_take(e, "]")) {
		if (at_posix_class(e))
			return ecma_refuse(e, "has a class of POSIX, which ECMA-262 does not know");
		r = ecma_more(e) ? put_range(e) : ecma_refuse(e, "has a class that is never closed");
	}
	return r ? r : buf_add_char(e->out, ']');
}
