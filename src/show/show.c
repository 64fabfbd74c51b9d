#include "show/show.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "show/letters.h"

enum {
	COLUMNS_LEAST = 24,     /* a narrower terminal folds by itself */
	MARK_COLUMNS = 2,       /* "| " */
	MARKS_MOST = 3,         /* on one letter; Hebrew and Vietnamese need two or three */
	SPACES_MOST = 8,        /* in a row, as they are */
	LINE_FEEDS_MOST = 3,
	NAME_MOST = 64,
	PREPOSITION_MOST = 2,   /* letters */
	PREPOSITIONS_MOST = 3,  /* in a row */
	COMBINING_DOT_ABOVE = 0x307,
};

enum style { STYLE_TEXT, STYLE_STRING, STYLE_NAME };

/* ---- lines ---- */

/* The last column stays free: terminals do not agree on what happens there. */
static unsigned columns_of(const struct show *s)
{
	return (s->columns < COLUMNS_LEAST ? COLUMNS_LEAST : s->columns) - 1;
}

/* A margin that leaves no room for the longest escape would be no help. */
static unsigned margin_of(const struct show *s, unsigned margin)
{
	unsigned most = s->columns ? columns_of(s) / 3 : margin;

	return margin < most ? margin : most;
}

static int begin_line(struct show *s, unsigned indent)
{
	int r = s->lead ? buf_add_str(s->out, s->lead) : 0;

	s->column = s->lead ? (unsigned)strlen(s->lead) : 0;
	for (unsigned i = 0; r == 0 && i < indent; i++)
		r = buf_add_char(s->out, ' ');
	s->column += indent;
	return r;
}

int show_begin(struct show *s, unsigned indent)
{
	s->margin = margin_of(s, indent + 2);
	return begin_line(s, margin_of(s, indent));
}

int show_end(struct show *s)
{
	s->column = 0;
	return buf_add_char(s->out, '\n');
}

/* The text goes on in the next line. */
static int go_on(struct show *s)
{
	int r = show_end(s);

	if (r == 0)
		r = begin_line(s, s->margin);
	s->column += MARK_COLUMNS;
	return r == 0 ? buf_add_str(s->out, "| ") : r;
}

/* One character of so many columns, in a place where `reserve` more are free for what belongs to it. */
static int put(struct show *s, const void *bytes, size_t len, unsigned columns, unsigned reserve)
{
	int r = 0;

	if (s->columns && s->column + columns + reserve > columns_of(s))
		r = go_on(s);
	s->column += columns;
	return r == 0 ? buf_add(s->out, bytes, len) : r;
}

/* ASCII that stays together where a line has room for it. */
static int put_ascii(struct show *s, const char *ascii, size_t len)
{
	unsigned reserve = s->columns && len <= columns_of(s) ? (unsigned)len : 1;
	int r = 0;

	for (size_t i = 0; r == 0 && i < len; i++)
		r = put(s, ascii + i, 1, 1, i ? 0 : reserve - 1);
	return r;
}

int show_words(struct show *s, const char *words)
{
	int r = 0;

	/* Word by word, each with the blanks before it. */
	while (r == 0 && *words) {
		size_t blanks = strspn(words, " "), len = blanks + strcspn(words + blanks, " ");

		r = put_ascii(s, words, len);
		words += len;
	}
	return r;
}

static int put_escape(struct show *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int put_escape(struct show *s, const char *format, ...)
{
	char text[48];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return put_ascii(s, text, (size_t)len);
}

/* ---- words ---- */

struct word {
	size_t end; /* byte after it */
	size_t letters, ascii, alike, small; /* marks and digits of ASCII are not counted */
};

static struct word measure(struct slice text, size_t at)
{
	struct word w = { .end = at };

	for (;;) {
		int32_t c = utf8_next(text, &at);
		unsigned bits = c < 0 ? 0 : letter_bits(c);

		if (!(bits & LETTER_WORD))
			return w;
		w.end = at;
		if (bits & LETTER_MARK || c == '_' || (c >= '0' && c <= '9'))
			continue;
		w.letters++;
		w.ascii += c < 0x80;
		w.alike += (bits & LETTER_ALIKE) != 0;
		w.small += (bits & LETTER_SMALL) != 0;
	}
}

/* Of another script than ASCII's, with at least one letter that shows it. */
static bool is_unmistakable(const struct word *w)
{
	return w->ascii == 0 && w->letters > w->alike;
}

/* ---- one text ---- */

struct text {
	struct show *show;
	struct slice s;
	size_t at;
	enum style style;
	bool leftwards_hidden;
	struct word before;  /* the last word that is no preposition */
	int32_t last;        /* the code point before, when it was shown as it is, else -1 */
	int32_t base;        /* the letter that marks would go on, else -1 */
	int32_t mark;        /* the last mark on it */
	unsigned marks;
};

static int hide(struct text *t, int32_t c)
{
	t->last = t->base = -1;
	return put_escape(t->show, "\\u{%x}", (unsigned)c);
}

static unsigned width_of(const struct show *s, unsigned bits)
{
	return bits & LETTER_WIDE || (bits & LETTER_PERHAPS_WIDE && s->wide) ? 2 : 1;
}

/* A mark has to stay on the line of its letter, so the letter keeps room for it: some terminals give a mark a column. */
static int show_as_is(struct text *t, size_t start, int32_t c, unsigned bits)
{
	size_t at = t->at;
	int32_t next = utf8_next(t->s, &at);
	bool marked = next >= 0x80 && letter_bits(next) & LETTER_MARK;

	t->last = c;
	return put(t->show, t->s.ptr + start, t->at - start, width_of(t->show, bits), marked ? MARKS_MOST : 0);
}

static int show_mark(struct text *t, size_t start, int32_t c)
{
	bool dot = c == COMBINING_DOT_ABOVE && (t->base == 'i' || t->base == 'j');

	if (t->base < 0 || t->marks == MARKS_MOST || c == t->mark || dot)
		return hide(t, c);
	t->marks++;
	t->mark = c;
	t->show->column++;
	return buf_add(t->show->out, t->s.ptr + start, t->at - start);
}

static int show_letter(struct text *t, size_t start, int32_t c, unsigned bits, bool alike_hidden)
{
	int r;

	if ((c >= 0x80 && t->show->ascii) || (bits & LETTER_ALIKE && alike_hidden) || (bits & LETTER_LEFTWARDS && t->leftwards_hidden))
		return hide(t, c);
	if (bits & LETTER_MARK)
		return show_mark(t, start, c);
	r = show_as_is(t, start, c, bits);
	t->base = c == '_' || (c >= '0' && c <= '9') ? -1 : c;
	t->mark = -1;
	t->marks = 0;
	return r;
}

/* One or two small letters that all look like ASCII, between blanks. */
static bool is_short(struct slice s, const struct word *w, size_t start)
{
	bool begins = start == 0 || s.ptr[start - 1] == ' ', ends = w->end == s.len || s.ptr[w->end] == ' ';

	return w->letters > 0 && w->letters <= PREPOSITION_MOST && w->alike == w->letters && w->small == w->letters && begins && ends;
}

/*
 * "поехал с другом, а у моря": such words cannot be meant as other ones when the word before, or the next one that is no such word, says which
 * script it is.
 */
static bool is_preposition(const struct text *t, const struct word *w, size_t start)
{
	struct word next = *w;

	if (!is_short(t->s, w, start))
		return false;
	if (is_unmistakable(&t->before))
		return true;
	for (int i = 0; i < PREPOSITIONS_MOST && next.end < t->s.len; i++) {
		size_t at = next.end + 1;

		next = measure(t->s, at);
		if (!is_short(t->s, &next, at))
			return is_unmistakable(&next);
	}
	return false;
}

static int show_word(struct text *t)
{
	struct word w = measure(t->s, t->at);
	bool preposition = is_preposition(t, &w, t->at), alike_hidden = w.ascii > 0 || (w.alike == w.letters && !preposition);
	int r = 0;

	while (r == 0 && t->at < w.end) {
		size_t start = t->at;
		int32_t c = utf8_next(t->s, &t->at);

		r = show_letter(t, start, c, letter_bits(c), alike_hidden);
	}
	if (!preposition)
		t->before = w;
	return r;
}

/* ---- between words ---- */

static bool is_foreign_letter(int32_t c)
{
	return c >= 0x80 && (letter_bits(c) & (LETTER_WORD | LETTER_ALIKE | LETTER_MARK)) == LETTER_WORD;
}

/* How often the code point of one byte at `at` follows in a row, from there. */
static size_t run_of(const struct text *t, size_t at)
{
	size_t end = at;

	while (end < t->s.len && t->s.ptr[end] == t->s.ptr[at])
		end++;
	return end - at;
}

/* The columns of what follows up to the next blank, no further than `most`. */
static unsigned columns_to_blank(const struct text *t, size_t at, unsigned most)
{
	unsigned columns = 0;

	while (columns <= most) {
		int32_t c = utf8_next(t->s, &at);

		if (c < 0 || c == ' ' || c == '\n')
			return columns;
		columns += width_of(t->show, letter_bits(c));
	}
	return columns;
}

/* Words stay whole where a line has room for them. Blanks go before them, to the next line, where they are seen. */
static int keep_next_word(struct text *t, size_t blanks)
{
	const struct show *s = t->show;
	unsigned most, word, need;

	if (!s->columns)
		return 0;
	most = columns_of(s) - s->margin - MARK_COLUMNS - (unsigned)blanks - (s->lead ? (unsigned)strlen(s->lead) : 0);
	word = columns_to_blank(t, t->at + blanks - 1, most);
	need = (unsigned)blanks + (word <= most ? word : 1);
	return s->column + need > columns_of(s) ? go_on(t->show) : 0;
}

static int show_spaces(struct text *t, size_t start)
{
	size_t run = run_of(t, start);
	int r = run <= SPACES_MOST && t->last != ' ' ? keep_next_word(t, run) : 0;

	t->last = ' ';
	if (r < 0)
		return r;
	if (run <= SPACES_MOST)
		return put_ascii(t->show, " ", 1);
	t->at = start + run;
	return put_escape(t->show, "\\{%zu spaces}", run);
}

static int show_line_feeds(struct text *t, size_t start)
{
	size_t run = run_of(t, start);
	int r;

	t->last = -1;
	if (run > LINE_FEEDS_MOST) {
		t->at = start + run;
		r = put_escape(t->show, "\\{%zu line feeds}", run);
	} else {
		r = put_ascii(t->show, "\\n", 2);
	}
	return r == 0 && t->style == STYLE_STRING && t->at < t->s.len ? go_on(t->show) : r;
}

/* Full-width punctuation belongs to Chinese and Japanese text, and is recognized by standing in it. */
static bool stands_in_foreign_text(const struct text *t)
{
	size_t at = t->at;
	int32_t next = utf8_next(t->s, &at);

	return is_foreign_letter(t->last) || (next >= 0 && is_foreign_letter(next));
}

static int show_other(struct text *t, size_t start, int32_t c, unsigned bits)
{
	t->base = -1;
	switch (c) {
	case ' ':
		return show_spaces(t, start);
	case '\n':
		return show_line_feeds(t, start);
	case '\r':
		return put_ascii(t->show, "\\r", 2);
	case '\t':
		return put_ascii(t->show, "\\t", 2);
	case '\\':
		return put_ascii(t->show, "\\\\", 2);
	case '"':
		return t->style == STYLE_TEXT ? show_as_is(t, start, c, bits) : put_ascii(t->show, "\\\"", 2);
	default:
		if (bits & LETTER_HIDDEN || (c >= 0x80 && t->show->ascii) || (bits & LETTER_LEFTWARDS && t->leftwards_hidden) || (bits & LETTER_ALIKE && !stands_in_foreign_text(t)))
			return hide(t, c);
		return show_as_is(t, start, c, bits);
	}
}

static bool has_ascii_words(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < 0x80 && letter_bits(s.ptr[i]) & LETTER_WORD)
			return true;
	return false;
}

static int show_all(struct show *show, struct slice s, enum style style)
{
	struct text t = { .show = show, .s = s, .style = style, .last = -1, .base = -1, .mark = -1,
			  .leftwards_hidden = style == STYLE_NAME || has_ascii_words(s) };
	int r = 0;

	while (r == 0 && t.at < s.len) {
		size_t start = t.at;
		int32_t c = utf8_next(s, &t.at);
		unsigned bits = c < 0 ? 0 : letter_bits(c);

		if (c < 0) {
			t.last = t.base = -1;
			r = put_escape(show, "\\x%02x", (unsigned)(unsigned char)s.ptr[t.at++]);
		} else if (bits & LETTER_WORD) {
			t.at = start;
			r = show_word(&t);
		} else {
			r = show_other(&t, start, c, bits);
		}
	}
	return r;
}

static int show_quoted(struct show *show, struct slice s, enum style style)
{
	int r = put_ascii(show, "\"", 1);

	if (r == 0)
		r = show_all(show, s, style);
	return r == 0 ? put_ascii(show, "\"", 1) : r;
}

int show_text(struct show *show, struct slice text)
{
	return show_all(show, text, STYLE_TEXT);
}

int show_string(struct show *show, struct slice text)
{
	return show_quoted(show, text, STYLE_STRING);
}

static bool is_plain_name(struct slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.'))
			return false;
	}
	return name.len > 0 && name.len <= NAME_MOST;
}

int show_name(struct show *show, struct slice name)
{
	return is_plain_name(name) ? put_ascii(show, name.ptr, name.len) : show_quoted(show, name, STYLE_NAME);
}
