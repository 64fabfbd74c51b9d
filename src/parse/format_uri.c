#include <string.h>

#include "base/text.h"
#include "parse/format_check.h"

/* Characters beyond ASCII that an IRI may hold (RFC 3987, 2.2): ucschar, and in a query iprivate too. */
static bool is_iri_char(int32_t c, bool query)
{
	if ((c >= 0xE000 && c <= 0xF8FF) || c >= 0xF0000)
		return query && (c & 0xFFFF) < 0xFFFE;
	return (c >= 0xA0 && c <= 0xD7FF) || (c >= 0xF900 && c <= 0xFDCF) || (c >= 0xFDF0 && c <= 0xFFEF) ||
	       (c >= 0x10000 && c <= 0xEFFFF && (c & 0xFFFF) < 0xFFFE && !(c >= 0xE0000 && c < 0xE1000));
}

/* Unreserved, percent-encoded, sub-delimiters, those in `also`; with `wide`, IRI characters. */
static bool take_uri_char(struct cursor *c, const char *also, bool wide, bool query)
{
	char b = cursor_peek(c, 0);

	if (b == '%' && ascii_hex(cursor_peek(c, 1)) && ascii_hex(cursor_peek(c, 2))) {
		c->at += 3;
		return true;
	}
	if ((unsigned char)b >= 0x80 && wide) {
		size_t after = c->at;
		int32_t code = utf8_next(c->s, &after);

		if (code < 0 || !is_iri_char(code, query))
			return false;
		c->at = after;
		return true;
	}
	if (!ascii_letter(b) && !ascii_digit(b) && !(b && (strchr("-._~!$&'()*+,;=", b) || strchr(also, b))))
		return false;
	c->at++;
	return true;
}

static void take_uri_chars(struct cursor *c, const char *also, bool wide, bool query)
{
	while (take_uri_char(c, also, wide, query))
		;
}

/* IPvFuture behind "[": v, hexadecimal digits, a dot, characters. */
static bool is_ip_future(struct slice s)
{
	struct cursor c = { .s = s };
	size_t start;

	if (!cursor_take(&c, 'v') && !cursor_take(&c, 'V'))
		return false;
	start = c.at;
	while (ascii_hex(cursor_peek(&c, 0)))
		c.at++;
	if (c.at == start || !cursor_take(&c, '.'))
		return false;
	start = c.at;
	while (cursor_peek(&c, 0) != '%' && take_uri_char(&c, ":", false, false))
		;
	return c.at > start && !cursor_more(&c);
}

static bool take_host(struct cursor *c, bool wide)
{
	const char *end;
	struct slice literal;

	if (!cursor_take(c, '[')) {
		take_uri_chars(c, "", wide, false);
		return true;
	}
	end = memchr(c->s.ptr + c->at, ']', c->s.len - c->at);
	if (!end)
		return false;
	literal = slice_of(c->s.ptr + c->at, (size_t)(end - c->s.ptr) - c->at);
	c->at += literal.len + 1;
	return format_ipv6(literal) || is_ip_future(literal);
}

/* Behind "//". */
static bool take_authority(struct cursor *c, bool wide)
{
	struct cursor ahead = *c;

	take_uri_chars(&ahead, ":", wide, false);
	if (cursor_take(&ahead, '@'))
		*c = ahead;
	if (!take_host(c, wide))
		return false;
	if (cursor_take(c, ':'))
		while (ascii_digit(cursor_peek(c, 0)))
			c->at++;
	return !cursor_more(c) || strchr("/?#", cursor_peek(c, 0));
}

static bool take_scheme(struct cursor *c)
{
	size_t at = c->at;

	if (!ascii_letter(cursor_peek(c, 0)))
		return false;
	while (ascii_letter(cursor_peek(c, 0)) || ascii_digit(cursor_peek(c, 0)) || cursor_peek(c, 0) == '+' ||
	       cursor_peek(c, 0) == '-' || cursor_peek(c, 0) == '.')
		c->at++;
	if (cursor_take(c, ':'))
		return true;
	c->at = at;
	return false;
}

static bool is_reference(struct slice s, bool absolute, bool wide)
{
	struct cursor c = { .s = s };
	bool scheme = take_scheme(&c);

	if (absolute && !scheme)
		return false;
	if (cursor_peek(&c, 0) == '/' && cursor_peek(&c, 1) == '/') {
		c.at += 2;
		if (!take_authority(&c, wide))
			return false;
	} else if (!scheme) {
		/* The first segment of a relative path holds no colon, or it would read as a scheme. */
		take_uri_chars(&c, "@", wide, false);
		if (cursor_peek(&c, 0) == ':')
			return false;
	}
	take_uri_chars(&c, ":@/", wide, false);
	if (cursor_take(&c, '?'))
		take_uri_chars(&c, ":@/?", wide, true);
	if (cursor_take(&c, '#'))
		take_uri_chars(&c, ":@/?", wide, false);
	return !cursor_more(&c);
}

bool format_uri(struct slice s)
{
	return is_reference(s, true, false);
}

bool format_uri_reference(struct slice s)
{
	return is_reference(s, false, false);
}

bool format_iri(struct slice s)
{
	return is_reference(s, true, true);
}

bool format_iri_reference(struct slice s)
{
	return is_reference(s, false, true);
}

static bool take_variable_char(struct cursor *c)
{
	char b = cursor_peek(c, 0);

	if (b == '%' && ascii_hex(cursor_peek(c, 1)) && ascii_hex(cursor_peek(c, 2))) {
		c->at += 3;
		return true;
	}
	if (!ascii_letter(b) && !ascii_digit(b) && b != '_')
		return false;
	c->at++;
	return true;
}

static bool take_variable(struct cursor *c)
{
	do {
		if (!take_variable_char(c))
			return false;
		while (take_variable_char(c))
			;
	} while (cursor_take(c, '.'));
	if (cursor_take(c, '*'))
		return true;
	if (cursor_take(c, ':')) {
		unsigned digits = 0;

		if (cursor_peek(c, 0) == '0')
			return false;
		while (ascii_digit(cursor_peek(c, digits)))
			digits++;
		c->at += digits;
		return digits >= 1 && digits <= 4;
	}
	return true;
}

/* Behind "{". */
static bool take_expression(struct cursor *c)
{
	char b = cursor_peek(c, 0);

	if (b && strchr("+#./;?&", b))
		c->at++;
	do {
		if (!take_variable(c))
			return false;
	} while (cursor_take(c, ','));
	return cursor_take(c, '}');
}

bool format_uri_template(struct slice s)
{
	struct cursor c = { .s = s };

	while (cursor_more(&c)) {
		char b = cursor_peek(&c, 0);
		size_t after = c.at;
		int32_t code;

		if (cursor_take(&c, '{')) {
			if (!take_expression(&c))
				return false;
			continue;
		}
		if (b == '%' && !(ascii_hex(cursor_peek(&c, 1)) && ascii_hex(cursor_peek(&c, 2))))
			return false;
		code = utf8_next(s, &after);
		if (code <= ' ' || code == 0x7F || (code < 0x80 && strchr("\"<>\\^`|}", b)) ||
		    (code >= 0x80 && !is_iri_char(code, true)))
			return false;
		c.at = after;
	}
	return true;
}

static bool take_pointer(struct cursor *c)
{
	if (cursor_more(c) && cursor_peek(c, 0) != '/')
		return false;
	for (; cursor_more(c); c->at++)
		if (cursor_peek(c, 0) == '~' && cursor_peek(c, 1) != '0' && cursor_peek(c, 1) != '1')
			return false;
	return true;
}

bool format_json_pointer(struct slice s)
{
	struct cursor c = { .s = s };

	return take_pointer(&c);
}

bool format_relative_json_pointer(struct slice s)
{
	struct cursor c = { .s = s };
	size_t digits = 0;

	while (ascii_digit(cursor_peek(&c, digits)))
		digits++;
	if (digits == 0 || (digits > 1 && s.ptr[0] == '0'))
		return false;
	c.at = digits;
	if (cursor_take(&c, '#'))
		return !cursor_more(&c);
	return take_pointer(&c);
}
