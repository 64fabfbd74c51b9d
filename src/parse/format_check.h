/* The formats one by one; format.c has the table. Each is true when the whole of `s` is of the format. */
#pragma once

#include "base/slice.h"

/* RFC 3339, 5.6 and appendix A; a leap second only where one can be, at 23:59:60 UTC. */
bool format_date(struct slice s);
bool format_time(struct slice s);
bool format_date_time(struct slice s);
bool format_duration(struct slice s);

/* RFC 5321 (4.1.2), RFC 6531; labels beyond ASCII are not checked against IDNA. */
bool format_email(struct slice s);
bool format_idn_email(struct slice s);
/* RFC 1123 (2.1). */
bool format_hostname(struct slice s);
/* RFC 2673 (3.2) and RFC 4291 (2.2): no zone, no prefix length, no other notation of numbers. */
bool format_ipv4(struct slice s);
bool format_ipv6(struct slice s);

/* RFC 3986 and RFC 3987. */
bool format_uri(struct slice s);
bool format_uri_reference(struct slice s);
bool format_iri(struct slice s);
bool format_iri_reference(struct slice s);
/* RFC 6570. */
bool format_uri_template(struct slice s);
/* RFC 6901, and the draft on relative pointers. */
bool format_json_pointer(struct slice s);
bool format_relative_json_pointer(struct slice s);
/* RFC 4122. */
bool format_uuid(struct slice s);

/* Where a check stands in its string. */
struct cursor {
	struct slice s;
	size_t at;
};

static inline bool cursor_more(const struct cursor *c)
{
	return c->at < c->s.len;
}

/* The byte `ahead` of the cursor; NUL behind the end (and for a NUL, which no format allows). */
static inline char cursor_peek(const struct cursor *c, size_t ahead)
{
	return ahead < c->s.len - c->at ? c->s.ptr[c->at + ahead] : '\0';
}

static inline bool cursor_take(struct cursor *c, char wanted)
{
	if (!cursor_more(c) || c->s.ptr[c->at] != wanted)
		return false;
	c->at++;
	return true;
}

static inline bool ascii_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool ascii_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool ascii_hex(char c)
{
	return ascii_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Exactly `digits` decimal digits. */
static inline bool cursor_number(struct cursor *c, unsigned digits, unsigned *ret_n)
{
	unsigned n = 0;

	for (unsigned i = 0; i < digits; i++) {
		if (!ascii_digit(cursor_peek(c, i)))
			return false;
		n = n * 10 + (unsigned)(cursor_peek(c, i) - '0');
	}
	c->at += digits;
	*ret_n = n;
	return true;
}
