#include "parse/schema_text.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"

enum { SHOWN_BYTES = 256 }; /* of one piece, before escaping */

struct text text_over(char *to, size_t size)
{
	to[0] = '\0';
	return (struct text){ .to = to, .size = size };
}

static void add(struct text *t, const char *s, size_t len)
{
	if (t->cut)
		return;
	if (len < t->size - t->len) {
		memcpy(t->to + t->len, s, len);
		t->len += len;
		t->to[t->len] = '\0';
		return;
	}
	t->cut = true;
	len = t->size - t->len - 1;
	memcpy(t->to + t->len, s, len);
	/* Nothing after this point may end in half a character. */
	for (len = t->size - 4; len > 0 && ((unsigned char)t->to[len] & 0xC0) == 0x80; len--)
		;
	memcpy(t->to + len, "...", 4);
	t->len = len + 3;
}

void text_add(struct text *t, const char *s)
{
	add(t, s, strlen(s));
}

void text_addf(struct text *t, const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	text_add(t, line);
}

/* Where `s` may be cut at `most` bytes without cutting a character. */
static size_t whole_characters(struct slice s, size_t most)
{
	if (s.len <= most)
		return s.len;
	while (most > 0 && ((unsigned char)s.ptr[most] & 0xC0) == 0x80)
		most--;
	return most;
}

void text_add_shown(struct text *t, struct slice s, size_t most)
{
	cleanup_buf struct buf out = BUF_INIT(SHOWN_BYTES * 12);
	size_t len = whole_characters(s, most < SHOWN_BYTES ? most : SHOWN_BYTES);

	if (text_escape(&out, slice_of(s.ptr, len)))
		return;
	add(t, out.ptr ? out.ptr : "", out.len);
	if (len < s.len)
		text_add(t, "...");
}

void text_add_pattern(struct text *t, struct slice pattern, size_t most)
{
	size_t len = whole_characters(pattern, most < SHOWN_BYTES ? most : SHOWN_BYTES);
	struct slice rest = slice_of(pattern.ptr, len);

	while (rest.len) {
		const char *backslash = memchr(rest.ptr, '\\', rest.len);
		size_t piece = backslash ? (size_t)(backslash - rest.ptr) : rest.len;

		text_add_shown(t, slice_of(rest.ptr, piece), piece);
		if (backslash) {
			text_add(t, "\\");
			piece++;
		}
		rest = slice_of(rest.ptr + piece, rest.len - piece);
	}
	if (len < pattern.len)
		text_add(t, "...");
}

void text_add_token(struct text *t, struct slice token)
{
	cleanup_buf struct buf out = BUF_INIT(SHOWN_BYTES * 2);
	size_t len = whole_characters(token, SHOWN_BYTES);
	int r = 0;

	for (size_t i = 0; i < len && r == 0; i++) {
		if (token.ptr[i] == '~' || token.ptr[i] == '/')
			r = buf_add_str(&out, token.ptr[i] == '~' ? "~0" : "~1");
		else
			r = buf_add_char(&out, token.ptr[i]);
	}
	text_add(t, "/");
	if (r == 0)
		text_add_shown(t, buf_slice(&out), SHOWN_BYTES);
}
