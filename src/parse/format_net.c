#include <string.h>

#include "parse/format_check.h"

/* A label of letters, digits and inner hyphens; with `wide`, of characters beyond ASCII as well. */
static bool is_label(struct slice s, bool wide)
{
	if (s.len < 1 || s.len > 63 || s.ptr[0] == '-' || s.ptr[s.len - 1] == '-')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (!ascii_letter(c) && !ascii_digit(c) && c != '-' && !(wide && (unsigned char)c >= 0x80))
			return false;
	}
	return true;
}

static bool is_domain(struct slice s, bool wide)
{
	size_t start = 0;

	if (s.len == 0 || s.len > 253)
		return false;
	for (size_t i = 0; i <= s.len; i++) {
		if (i < s.len && s.ptr[i] != '.')
			continue;
		if (!is_label(slice_of(s.ptr + start, i - start), wide))
			return false;
		start = i + 1;
	}
	return true;
}

bool format_hostname(struct slice s)
{
	return is_domain(s, false);
}

bool format_ipv4(struct slice s)
{
	struct cursor c = { .s = s };

	for (unsigned part = 0; part < 4; part++) {
		unsigned n = 0, digits = 0;

		if (part && !cursor_take(&c, '.'))
			return false;
		for (; ascii_digit(cursor_peek(&c, 0)) && digits < 4; digits++, c.at++)
			n = n * 10 + (unsigned)(cursor_peek(&c, 0) - '0');
		/* A leading zero is octal to some readers. */
		if (digits == 0 || digits > 3 || n > 255 || (digits > 1 && s.ptr[c.at - digits] == '0'))
			return false;
	}
	return !cursor_more(&c);
}

bool format_ipv6(struct slice s)
{
	struct cursor c = { .s = s };
	unsigned groups = 0;
	bool gap = false;

	if (cursor_peek(&c, 0) == ':' && cursor_peek(&c, 1) != ':')
		return false;
	while (cursor_more(&c)) {
		unsigned digits = 0;

		if (cursor_peek(&c, 0) == ':' && cursor_peek(&c, 1) == ':') {
			if (gap)
				return false;
			gap = true;
			c.at += 2;
			if (!cursor_more(&c))
				break;
		} else if (groups > 0 && !cursor_take(&c, ':')) {
			return false;
		}
		while (ascii_hex(cursor_peek(&c, digits)))
			digits++;
		if (cursor_peek(&c, digits) == '.') {
			if (!format_ipv4(slice_of(s.ptr + c.at, s.len - c.at)))
				return false;
			groups += 2;
			break;
		}
		if (digits < 1 || digits > 4 || ++groups > 8)
			return false;
		c.at += digits;
	}
	return gap ? groups < 8 : groups == 8;
}

static bool is_atom_char(char c, bool wide)
{
	return ascii_letter(c) || ascii_digit(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c)) ||
	       (wide && (unsigned char)c >= 0x80);
}

static bool take_dot_string(struct cursor *c, bool wide)
{
	do {
		size_t start = c->at;

		while (is_atom_char(cursor_peek(c, 0), wide))
			c->at++;
		if (c->at == start)
			return false;
	} while (cursor_take(c, '.'));
	return true;
}

static bool take_quoted_string(struct cursor *c, bool wide)
{
	while (!cursor_take(c, '"')) {
		char b;

		cursor_take(c, '\\');
		b = cursor_peek(c, 0);
		if (!(b >= ' ' && b <= '~') && !(wide && (unsigned char)b >= 0x80))
			return false;
		c->at++;
	}
	return true;
}

static bool is_address_literal(struct slice s)
{
	if (s.len < 2 || s.ptr[0] != '[' || s.ptr[s.len - 1] != ']')
		return false;
	s = slice_of(s.ptr + 1, s.len - 2);
	if (s.len > 5 && strncasecmp(s.ptr, "IPv6:", 5) == 0)
		return format_ipv6(slice_of(s.ptr + 5, s.len - 5));
	return format_ipv4(s);
}

static bool is_mailbox(struct slice s, bool wide)
{
	struct cursor c = { .s = s };
	bool local = cursor_take(&c, '"') ? take_quoted_string(&c, wide) : take_dot_string(&c, wide);
	struct slice domain;

	if (!local || c.at > 64 || !cursor_take(&c, '@'))
		return false;
	domain = slice_of(s.ptr + c.at, s.len - c.at);
	return is_domain(domain, wide) || is_address_literal(domain);
}

bool format_email(struct slice s)
{
	return is_mailbox(s, false);
}

bool format_idn_email(struct slice s)
{
	return is_mailbox(s, true);
}

bool format_uuid(struct slice s)
{
	if (s.len != 36)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s.ptr[i] != '-' : !ascii_hex(s.ptr[i]))
			return false;
	}
	return true;
}
