/*
 * Theory of operation. One state says what may come next; it is moved by each byte. Of the containers that are open only their
 * kind is kept, one bit each, for SKIM_EXACT levels. Below, only the innermost one's kind is known, and when it closes, the kind of
 * the one around it is unknown until a colon, or its absence, tells.
 */
#include "parse/skim.h"

#include <strings.h>

#include "parse/jsonrpc.h"

enum state {
	BROKEN, /* nothing will be claimed */
	START,  /* the line's object */
	FIRST_NAME,
	NAME,
	COLON,
	FIRST_ITEM,
	VALUE,
	NAME_OR_VALUE, /* after a comma in a container of unknown kind */
	COLON_OR_AFTER,
	AFTER, /* comma or closing bracket */
	END,   /* white space */
	STRING,
	ESCAPE,
	HEX,
	WORD,
	MINUS,
	ZERO,
	INTEGER,
	DOT,
	FRACTION,
	E,
	E_SIGN,
	EXPONENT,
};

enum kind { KIND_UNKNOWN, KIND_ARRAY, KIND_OBJECT };

static const struct {
	struct slice name;
	enum skim_what what;
} top_members[] = {
	{ { "id", 2 }, SKIM_ID },
	{ { "method", 6 }, SKIM_METHOD },
};

void skim_start(struct skim *s)
{
	*s = (struct skim){ .state = START, .capture = SKIM_NOTHING, .wanted = SKIM_NOTHING };
}

static enum kind innermost(const struct skim *s)
{
	uint64_t level = s->depth - 1;

	if (s->depth > SKIM_EXACT)
		return (enum kind)s->deep_kind;
	return s->objects[level / 64] >> level % 64 & 1 ? KIND_OBJECT : KIND_ARRAY;
}

/* ---- captured text ---- */

static void keep(struct skim *s, const char *bytes, size_t len)
{
	struct skim_text *t = &s->texts[s->capture];

	if (len > sizeof(t->bytes) - t->len) {
		t->bad = true;
		return;
	}
	memcpy(t->bytes + t->len, bytes, len);
	t->len += len;
}

static void keep_code_point(struct skim *s, uint32_t c)
{
	char utf8[4];
	size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = len - 1; i > 0; i--, c >>= 6)
		utf8[i] = (char)(0x80 | (c & 0x3f));
	utf8[0] = (char)(len == 1 ? c : (0xf00U >> len & 0xff) | c);
	keep(s, utf8, len);
}

/*
 * Half of a surrogate pair in a text that matters: readers drop it, replace it or keep it, so the text is unusable, and after such
 * a name so is the line, since it could be any member.
 */
static void lone_surrogate(struct skim *s)
{
	if (s->capture == SKIM_NAME)
		s->state = BROKEN;
	else if (s->capture != SKIM_NOTHING)
		s->texts[s->capture].bad = true;
}

static void settle_surrogate(struct skim *s)
{
	if (s->high)
		lone_surrogate(s);
	s->high = 0;
}

static void end_escape(struct skim *s)
{
	uint32_t c = s->unit;

	s->state = STRING;
	if (s->high && c >= 0xdc00 && c <= 0xdfff) {
		c = 0x10000 + ((s->high - 0xd800) << 10) + (c - 0xdc00);
		s->high = 0;
		if (s->capture != SKIM_NOTHING)
			keep_code_point(s, c);
		return;
	}
	settle_surrogate(s);
	if (c >= 0xd800 && c <= 0xdbff)
		s->high = c;
	else if (c >= 0xdc00 && c <= 0xdfff)
		lone_surrogate(s);
	else if (c == 0 && s->capture == SKIM_NAME)
		s->state = BROKEN; /* some readers end a name there */
	else if (s->capture != SKIM_NOTHING)
		keep_code_point(s, c);
}

/* ---- members and values ---- */

static void want(struct skim *s, enum skim_what what, bool exact)
{
	struct skim_text *t = &s->texts[what];

	t->bad |= t->seen || !exact;
	t->seen = true;
	s->wanted = what;
}

/* A member name that may matter has ended. One that was too long to keep is none of these. */
static void classify(struct skim *s)
{
	const struct skim_text *t = &s->texts[SKIM_NAME];
	struct slice name = slice_of(t->bytes, t->len);

	if (s->depth == 2) {
		if (name.len == 4 && strncasecmp(name.ptr, "name", 4) == 0)
			want(s, SKIM_TOOL, slice_eq(name, SLICE("name")));
		return;
	}
	for (size_t i = 0; i < sizeof(top_members) / sizeof(*top_members); i++) {
		if (name.len == top_members[i].name.len && strncasecmp(name.ptr, top_members[i].name.ptr, name.len) == 0)
			want(s, top_members[i].what, slice_eq(name, top_members[i].name));
	}
	if (name.len == 6 && strncasecmp(name.ptr, "params", 6) == 0) {
		s->texts[SKIM_TOOL].bad |= s->params_seen || !slice_eq(name, SLICE("params"));
		s->params_seen = s->params_next = true;
	}
}

static void begin_string(struct skim *s, enum state after)
{
	s->state = STRING;
	s->after_string = (int)after;
	if (after == COLON && (s->depth == 1 || (s->depth == 2 && s->in_params))) {
		s->capture = SKIM_NAME;
		s->texts[SKIM_NAME] = (struct skim_text){ .seen = true };
	}
}

static void end_string(struct skim *s)
{
	settle_surrogate(s);
	if (s->state == BROKEN)
		return;
	s->state = s->after_string;
	if (s->capture == SKIM_NAME)
		classify(s);
	s->capture = SKIM_NOTHING;
}

static void open_container(struct skim *s, enum kind kind)
{
	if (s->depth < SKIM_EXACT) {
		uint64_t bit = UINT64_C(1) << s->depth % 64, *word = &s->objects[s->depth / 64];

		*word = kind == KIND_OBJECT ? *word | bit : *word & ~bit;
	}
	s->deep_kind = (int)kind;
	if (s->depth == 1)
		s->in_params = s->params_next;
	s->depth++;
	s->state = kind == KIND_OBJECT ? FIRST_NAME : FIRST_ITEM;
}

static void close_container(struct skim *s, enum kind kind)
{
	enum kind open = innermost(s);

	if (open != kind && open != KIND_UNKNOWN) {
		s->state = BROKEN;
		return;
	}
	s->depth--;
	s->deep_kind = KIND_UNKNOWN;
	s->state = s->depth == 0 ? END : AFTER;
}

/* Who is to have the scalar that begins; a value of another type makes what was wanted unusable. */
static void claim(struct skim *s, enum json_type type)
{
	enum skim_what what = s->wanted;

	s->wanted = SKIM_NOTHING;
	if (what == SKIM_NOTHING)
		return;
	s->texts[what].type = type;
	if (type == JSON_STRING || (type == JSON_NUMBER && what == SKIM_ID))
		s->capture = what;
	else
		s->texts[what].bad = true;
}

static void begin_word(struct skim *s, struct slice rest)
{
	claim(s, JSON_NULL);
	s->word = rest;
	s->state = WORD;
}

static void begin_number(struct skim *s, char c)
{
	claim(s, JSON_NUMBER);
	s->state = c == '-' ? MINUS : c == '0' ? ZERO : INTEGER;
	if (s->capture != SKIM_NOTHING)
		keep(s, &c, 1);
}

static void begin_value(struct skim *s, char c)
{
	bool maybe_name = s->state == NAME_OR_VALUE;

	if (maybe_name && c != '"')
		s->deep_kind = KIND_ARRAY;
	switch (c) {
	case '{':
	case '[':
		claim(s, c == '{' ? JSON_OBJECT : JSON_ARRAY);
		open_container(s, c == '{' ? KIND_OBJECT : KIND_ARRAY);
		break;
	case '"':
		claim(s, JSON_STRING);
		begin_string(s, maybe_name ? COLON_OR_AFTER : AFTER);
		break;
	case 't':
		begin_word(s, SLICE("rue"));
		break;
	case 'f':
		begin_word(s, SLICE("alse"));
		break;
	case 'n':
		begin_word(s, SLICE("ull"));
		break;
	case '-':
	case '0' ... '9':
		begin_number(s, c);
		break;
	default:
		s->state = BROKEN;
	}
	s->params_next = false;
}

/* ---- one byte in each state ---- */

static void after_value(struct skim *s, char c)
{
	static const enum state after_comma[] = {
		[KIND_UNKNOWN] = NAME_OR_VALUE,
		[KIND_ARRAY] = VALUE,
		[KIND_OBJECT] = NAME,
	};

	if (s->state == COLON_OR_AFTER)
		s->deep_kind = c == ':' ? KIND_OBJECT : KIND_ARRAY;
	if (c == ',')
		s->state = (int)after_comma[innermost(s)];
	else if (c == ':' && s->state == COLON_OR_AFTER)
		s->state = VALUE;
	else if (c == '}' || c == ']')
		close_container(s, c == '}' ? KIND_OBJECT : KIND_ARRAY);
	else
		s->state = BROKEN;
}

static void between_tokens(struct skim *s, char c)
{
	if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
		return;
	switch ((enum state)s->state) {
	case START:
		s->state = BROKEN;
		if (c == '{')
			open_container(s, KIND_OBJECT);
		break;
	case FIRST_NAME:
	case NAME:
		if (c == '"')
			begin_string(s, COLON);
		else if (c == '}' && s->state == FIRST_NAME)
			close_container(s, KIND_OBJECT);
		else
			s->state = BROKEN;
		break;
	case COLON:
		s->state = c == ':' ? VALUE : BROKEN;
		break;
	case FIRST_ITEM:
		if (c == ']')
			close_container(s, KIND_ARRAY);
		else
			begin_value(s, c);
		break;
	case VALUE:
	case NAME_OR_VALUE:
		begin_value(s, c);
		break;
	case COLON_OR_AFTER:
	case AFTER:
		after_value(s, c);
		break;
	case BROKEN:
	case END:
	case STRING:
	case ESCAPE:
	case HEX:
	case WORD:
	case MINUS:
	case ZERO:
	case INTEGER:
	case DOT:
	case FRACTION:
	case E:
	case E_SIGN:
	case EXPONENT:
		s->state = BROKEN;
	}
}

/* Where a number goes on with `c`; AFTER when it has ended, BROKEN when it may not end there. */
static enum state number_goes_on(enum state state, char c)
{
	bool digit = c >= '0' && c <= '9';

	switch (state) {
	case MINUS:
		return c == '0' ? ZERO : digit ? INTEGER : BROKEN;
	case INTEGER:
		if (digit)
			return INTEGER;
		/* fall through */
	case ZERO:
		return c == '.' ? DOT : c == 'e' || c == 'E' ? E : AFTER;
	case DOT:
		return digit ? FRACTION : BROKEN;
	case FRACTION:
		return digit ? FRACTION : c == 'e' || c == 'E' ? E : AFTER;
	case E:
		return digit ? EXPONENT : c == '+' || c == '-' ? E_SIGN : BROKEN;
	case E_SIGN:
		return digit ? EXPONENT : BROKEN;
	case EXPONENT:
		return digit ? EXPONENT : AFTER;
	case BROKEN:
	case START:
	case FIRST_NAME:
	case NAME:
	case COLON:
	case FIRST_ITEM:
	case VALUE:
	case NAME_OR_VALUE:
	case COLON_OR_AFTER:
	case AFTER:
	case END:
	case STRING:
	case ESCAPE:
	case HEX:
	case WORD:
		break;
	}
	return BROKEN;
}

static void in_number(struct skim *s, char c)
{
	s->state = (int)number_goes_on((enum state)s->state, c);
	if (s->state == AFTER) {
		s->capture = SKIM_NOTHING;
		between_tokens(s, c);
	} else if (s->capture != SKIM_NOTHING) {
		keep(s, &c, 1);
	}
}

static void in_word(struct skim *s, char c)
{
	if (c != s->word.ptr[0]) {
		s->state = BROKEN;
		return;
	}
	s->word.ptr++;
	if (--s->word.len == 0)
		s->state = AFTER;
}

/* The first byte of a sequence says how many follow, and what the second may be (RFC 3629, section 4). */
static bool utf8_lead(struct skim *s, unsigned char c)
{
	if (c < 0xc2 || c > 0xf4)
		return false;
	s->more = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	s->least = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	s->most = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	return true;
}

static bool utf8_byte(struct skim *s, unsigned char c)
{
	if (s->more == 0)
		return c < 0x80 || utf8_lead(s, c);
	if (c < s->least || c > s->most)
		return false;
	s->more--;
	s->least = 0x80;
	s->most = 0xbf;
	return true;
}

static void in_string(struct skim *s, char c)
{
	unsigned char byte = (unsigned char)c;

	if (!utf8_byte(s, byte) || byte < 0x20) {
		s->state = BROKEN;
	} else if (c == '"') {
		end_string(s);
	} else if (c == '\\') {
		s->state = ESCAPE;
	} else {
		settle_surrogate(s);
		if (s->capture != SKIM_NOTHING)
			keep(s, &c, 1);
	}
}

static void in_escape(struct skim *s, char c)
{
	static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	const char *letter = c ? strchr(letters, c) : NULL;

	if (c == 'u') {
		s->state = HEX;
		s->hex_digits = 4;
		s->unit = 0;
	} else if (letter) {
		s->state = STRING;
		settle_surrogate(s);
		if (s->capture != SKIM_NOTHING)
			keep(s, &meanings[letter - letters], 1);
	} else {
		s->state = BROKEN;
	}
}

static void in_hex(struct skim *s, char c)
{
	static const char digits[] = "00112233445566778899aAbBcCdDeEfF";
	const char *digit = c ? strchr(digits, c) : NULL;

	if (!digit) {
		s->state = BROKEN;
		return;
	}
	s->unit = s->unit << 4 | (uint32_t)(digit - digits) / 2;
	if (--s->hex_digits == 0)
		end_escape(s);
}

static void one_byte(struct skim *s, char c)
{
	switch ((enum state)s->state) {
	case BROKEN:
		return;
	case STRING:
		in_string(s, c);
		return;
	case ESCAPE:
		in_escape(s, c);
		return;
	case HEX:
		in_hex(s, c);
		return;
	case WORD:
		in_word(s, c);
		return;
	case MINUS:
	case ZERO:
	case INTEGER:
	case DOT:
	case FRACTION:
	case E:
	case E_SIGN:
	case EXPONENT:
		in_number(s, c);
		return;
	case START:
	case FIRST_NAME:
	case NAME:
	case COLON:
	case FIRST_ITEM:
	case VALUE:
	case NAME_OR_VALUE:
	case COLON_OR_AFTER:
	case AFTER:
	case END:
		between_tokens(s, c);
	}
}

static bool is_printable_ascii(char c)
{
	return (unsigned char)(c - 0x20) < 0x60;
}

/* How many bytes from `at` on are inside a string that does not matter, and change nothing. Nearly all of a large line are. */
static size_t skip_string(const struct skim *s, struct slice bytes, size_t at)
{
	size_t from = at;

	if (s->state != STRING || s->capture != SKIM_NOTHING || s->more > 0)
		return 0;
	while (at < bytes.len && is_printable_ascii(bytes.ptr[at]) && bytes.ptr[at] != '"' && bytes.ptr[at] != '\\')
		at++;
	return at - from;
}

void skim_feed(struct skim *s, struct slice bytes)
{
	size_t at = 0;

	while (at < bytes.len && s->state != BROKEN) {
		at += skip_string(s, bytes, at);
		if (at < bytes.len)
			one_byte(s, bytes.ptr[at++]);
	}
}

static struct slice usable(const struct skim *s, enum skim_what what)
{
	const struct skim_text *t = &s->texts[what];

	return s->state == END && t->seen && !t->bad ? slice_of(t->bytes, t->len) : slice_of(NULL, 0);
}

void skim_finish(struct skim *s, struct skim_found *ret_found)
{
	struct json id = { .type = s->texts[SKIM_ID].type, .text = usable(s, SKIM_ID) };
	bool known = id.text.ptr && jsonrpc_id_valid(&id);

	*ret_found = (struct skim_found){
		.id = known ? id : (struct json){ .type = JSON_NULL },
		.method = usable(s, SKIM_METHOD),
		.tool = usable(s, SKIM_TOOL),
	};
}
