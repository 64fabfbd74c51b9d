/* libyaml's events into a tree, without recursion: one stack of finished values, one of open containers. */
#include "parse/yaml.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "base/text.h"

const struct json_limits yaml_limits_default = { .bytes = 1024 * 1024, .depth = 64, .items = 100000 };

enum { DEPTH_MOST = 256, SHOWN_MOST = 48 };

/* A container that is still open. Its finished members are values[first..]. */
struct open {
	size_t first;
	bool map;
	bool keyed; /* a map whose newest member waits for its value */
	uint32_t line, column;
};

struct reader {
	struct arena *arena;
	struct slice input;
	const struct json_limits *limits;
	struct yaml_faults *faults;
	struct json_member *values; /* an array's elements have no name */
	size_t value_count, value_cap;
	struct open opened[DEPTH_MOST];
	size_t depth;
	size_t items;
	size_t documents;
	int error; /* first reason to stop: -EINVAL, -ENOMEM */
};

static void fault_at(struct reader *r, size_t line, size_t column, const char *format, ...) __attribute__((format(printf, 4, 5)));

static void fault_at(struct reader *r, size_t line, size_t column, const char *format, ...)
{
	struct yaml_fault *f;
	va_list args;
	int len;

	if (r->faults->count == YAML_FAULTS_MAX)
		return;
	f = &r->faults->list[r->faults->count++];
	f->line = (uint32_t)line;
	f->column = (uint32_t)column;
	va_start(args, format);
	len = vsnprintf(f->text, sizeof(f->text), format, args);
	va_end(args);
	if (len >= (int)sizeof(f->text))
		memcpy(f->text + sizeof(f->text) - 4, "...", 4);
}

#define fault(r, mark, ...) fault_at(r, (mark)->line + 1, (mark)->column + 1, __VA_ARGS__)

/* A piece of the file for a message, escaped and short. */
struct shown {
	char text[4 * SHOWN_MOST + 16];
};

static struct shown show(struct slice s)
{
	cleanup_buf struct buf b = BUF_INIT(sizeof(((struct shown *)0)->text) - 4);
	struct shown out = { .text = "" };
	size_t whole = s.len;

	if (s.len > SHOWN_MOST) {
		/* Not in the middle of a character. */
		s.len = SHOWN_MOST;
		while (s.len && ((unsigned char)s.ptr[s.len] & 0xc0) == 0x80)
			s.len--;
	}
	if (text_escape(&b, s) < 0 || b.len == 0)
		return out;
	memcpy(out.text, b.ptr, b.len);
	if (s.len < whole)
		memcpy(out.text + b.len, "...", 4);
	return out;
}

/* ---- what the bytes may be, before libyaml sees them ---- */

/* Line and column of a byte, for faults that libyaml gives as an offset. */
static void position(struct slice input, size_t offset, size_t *ret_line, size_t *ret_column)
{
	size_t line = 1, column = 1;

	for (size_t i = 0; i < offset && i < input.len; i++) {
		if (input.ptr[i] == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)input.ptr[i] & 0xc0) != 0x80) {
			column++;
		}
	}
	*ret_line = line;
	*ret_column = column;
}

/* Characters that make a file look other than it is. */
static bool deceives(int32_t c)
{
	return c == 0x85 || c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

static int check_bytes(struct reader *r)
{
	size_t line, column;

	for (size_t at = 0; at < r->input.len;) {
		size_t start = at;
		int32_t c = utf8_next(r->input, &at);
		bool lone_cr = c == '\r' && (at == r->input.len || r->input.ptr[at] != '\n');

		if (c >= 0 && !lone_cr && !deceives(c) && (c >= ' ' || c == '\t' || c == '\n' || c == '\r') && c != 0x7f)
			continue;
		position(r->input, start, &line, &column);
		if (c < 0)
			fault_at(r, line, column, "not UTF-8 text (byte 0x%02x)", (unsigned)(unsigned char)r->input.ptr[start]);
		else if (c == 0xfeff && start == 0)
			fault_at(r, line, column, "the file begins with a byte order mark: save it as plain UTF-8");
		else if (lone_cr)
			fault_at(r, line, column, "a carriage return alone: lines end in LF or CR LF");
		else if (deceives(c))
			fault_at(r, line, column,
				 "the invisible character U+%04X: write it as an escape in double quotes, or leave it out",
				 (unsigned)c);
		else
			fault_at(r, line, column, "the control character 0x%02x", (unsigned)c);
		return -EINVAL;
	}
	return 0;
}

/* ---- plain scalars ---- */

static size_t digits(struct slice s, size_t at)
{
	while (at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9')
		at++;
	return at;
}

static bool is_json_number(struct slice s)
{
	size_t at = s.len && s.ptr[0] == '-', from = at;

	at = digits(s, at);
	if (at == from || (at > from + 1 && s.ptr[from] == '0'))
		return false;
	if (at < s.len && s.ptr[at] == '.') {
		from = ++at;
		at = digits(s, at);
		if (at == from)
			return false;
	}
	if (at < s.len && (s.ptr[at] == 'e' || s.ptr[at] == 'E')) {
		at++;
		if (at < s.len && (s.ptr[at] == '+' || s.ptr[at] == '-'))
			at++;
		from = at;
		at = digits(s, at);
		if (at == from)
			return false;
	}
	return at == s.len;
}

static bool all_of(struct slice s, size_t at, const char *set)
{
	bool digit = false;

	for (; at < s.len; at++) {
		if (!s.ptr[at] || !strchr(set, s.ptr[at]))
			return false;
		digit |= s.ptr[at] != '_';
	}
	return digit;
}

static bool one_of(struct slice s, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (slice_eq(s, slice_str(words[i])))
			return true;
	return false;
}

#define ONE_OF(s, ...)                                                                                                             \
	one_of(s, (const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

/* Digits and "_", at most one ".", perhaps an exponent: 012, 1_000, .5, 5., 1_0.0e+3. */
static bool is_loose_decimal(struct slice s)
{
	bool digit = false, dot = false;
	size_t at = 0;

	for (; at < s.len; at++) {
		char c = s.ptr[at];

		if (c >= '0' && c <= '9')
			digit = true;
		else if (c == '.' && !dot)
			dot = true;
		else if (c != '_' || !digit)
			break;
	}
	if (digit && at < s.len && (s.ptr[at] == 'e' || s.ptr[at] == 'E')) {
		at++;
		at += at < s.len && (s.ptr[at] == '+' || s.ptr[at] == '-');
		return at < s.len && all_of(s, at, "0123456789_");
	}
	return digit && at == s.len;
}

/* YAML 1.1 reads 1:30 as ninety. */
static bool is_sexagesimal(struct slice s)
{
	size_t at = digits(s, 0), parts = 0;

	while (at && at < s.len && s.ptr[at] == ':') {
		size_t from = ++at;

		at = digits(s, at);
		if (at == from)
			return false;
		parts++;
	}
	return parts && (at == s.len || (s.ptr[at] == '.' && (at + 1 == s.len || all_of(s, at + 1, "0123456789_"))));
}

/* What some YAML reader takes for a number, though it is none in JSON. */
static bool is_lookalike(struct slice s)
{
	if (s.len && (s.ptr[0] == '+' || s.ptr[0] == '-')) {
		s.ptr++;
		s.len--;
	}
	if (ONE_OF(s, ".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"))
		return true;
	if (s.len > 2 && s.ptr[0] == '0' && (s.ptr[1] == 'x' || s.ptr[1] == 'X'))
		return all_of(s, 2, "0123456789abcdefABCDEF_");
	if (s.len > 2 && s.ptr[0] == '0' && strchr("oObB", s.ptr[1]) && s.ptr[1])
		return all_of(s, 2, "01234567_");
	return is_loose_decimal(s) || is_sexagesimal(s);
}

static void resolve_plain(struct reader *r, const yaml_mark_t *mark, struct json *v)
{
	struct slice s = v->text;

	if (s.len == 0 || ONE_OF(s, "~", "null", "Null", "NULL"))
		v->type = JSON_NULL;
	else if (ONE_OF(s, "true", "True", "TRUE"))
		v->type = JSON_TRUE;
	else if (ONE_OF(s, "false", "False", "FALSE"))
		v->type = JSON_FALSE;
	else if (is_json_number(s))
		v->type = JSON_NUMBER;
	else if (is_lookalike(s))
		fault(r, mark, "YAML readers disagree about %s: write a plain decimal number, or quote it", show(s).text);
}

/* ---- building ---- */

static int value_push(struct reader *r, struct json_member m)
{
	if (r->value_count == r->value_cap) {
		size_t cap = r->value_cap ? 2 * r->value_cap : 64;
		struct json_member *grown = reallocarray(r->values, cap, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		r->values = grown;
		r->value_cap = cap;
	}
	r->values[r->value_count++] = m;
	return 0;
}

static bool wants_key(const struct reader *r)
{
	return r->depth && r->opened[r->depth - 1].map && !r->opened[r->depth - 1].keyed;
}

/* A finished value goes where the innermost container wants it. */
static int put(struct reader *r, const struct json *v)
{
	struct json_member m = { .value = *v, .line = v->line, .column = v->column };
	struct open *top = r->depth ? &r->opened[r->depth - 1] : NULL;

	if (wants_key(r)) {
		if (v->type == JSON_STRING)
			m.name = v->text;
		else if (v->type == JSON_ARRAY || v->type == JSON_OBJECT)
			fault_at(r, v->line, v->column, "a key must be a string, not a list or a map");
		else
			fault_at(r, v->line, v->column, "a key must be a string: quote it");
		top->keyed = true;
		return value_push(r, m);
	}
	if (top && top->map) {
		r->values[r->value_count - 1].value = *v;
		top->keyed = false;
		return 0;
	}
	return value_push(r, m);
}

static int by_name(const void *a, const void *b)
{
	const struct json_member *const *x = a, *const *y = b;
	int order = slice_cmp((*x)->name, (*y)->name);

	return order ? order : (*x > *y) - (*x < *y);
}

static int check_duplicates(struct reader *r, const struct json *map)
{
	cleanup_free const struct json_member **sorted = NULL;

	if (map->count < 2)
		return 0;
	sorted = calloc(map->count, sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < map->count; i++)
		sorted[i] = &map->members[i];
	qsort(sorted, map->count, sizeof(*sorted), by_name);
	for (size_t i = 1, first = 0; i < map->count; i++) {
		if (!slice_eq(sorted[i]->name, sorted[first]->name))
			first = i;
		else if (sorted[i]->name.ptr) /* a key that was no string has its fault already */
			fault_at(r, sorted[i]->line, sorted[i]->column, "key \"%s\" appears twice (first in line %u)",
				 show(sorted[i]->name).text, (unsigned)sorted[first]->line);
	}
	return 0;
}

static int close_container(struct reader *r)
{
	struct open *top = &r->opened[r->depth - 1];
	size_t count = r->value_count - top->first;
	const struct json_member *from = r->values + top->first;
	struct json v = {
		.type = top->map ? JSON_OBJECT : JSON_ARRAY,
		.line = top->line,
		.column = top->column,
		.count = (uint32_t)count,
	};

	if (top->map) {
		v.members = arena_array(r->arena, count, sizeof(*v.members));
		if (!v.members)
			return -ENOMEM;
		if (count)
			memcpy(v.members, from, count * sizeof(*from));
		if (check_duplicates(r, &v) < 0)
			return -ENOMEM;
	} else {
		v.items = arena_array(r->arena, count, sizeof(*v.items));
		if (!v.items)
			return -ENOMEM;
		for (size_t i = 0; i < count; i++)
			v.items[i] = from[i].value;
	}
	r->value_count = top->first;
	r->depth--;
	return put(r, &v);
}

/* Each value counts, keys do not. */
static int count_item(struct reader *r, const yaml_mark_t *mark)
{
	if (wants_key(r) || ++r->items <= r->limits->items)
		return 0;
	fault(r, mark, "more than %zu values in one file", r->limits->items);
	return -EINVAL;
}

static int open_container(struct reader *r, const yaml_event_t *e, bool map)
{
	if (count_item(r, &e->start_mark) < 0)
		return -EINVAL;
	if (r->depth == r->limits->depth || r->depth == DEPTH_MOST) {
		fault(r, &e->start_mark, "nested more than %zu deep", r->depth);
		return -EINVAL;
	}
	r->opened[r->depth++] = (struct open){
		.first = r->value_count,
		.map = map,
		.line = (uint32_t)e->start_mark.line + 1,
		.column = (uint32_t)e->start_mark.column + 1,
	};
	return 0;
}

static int put_scalar(struct reader *r, const yaml_event_t *e)
{
	const char *raw = (const char *)e->data.scalar.value;
	struct json v = { .type = JSON_STRING,
			  .line = (uint32_t)e->start_mark.line + 1,
			  .column = (uint32_t)e->start_mark.column + 1 };
	bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	if (count_item(r, &e->start_mark) < 0)
		return -EINVAL;
	v.text = arena_copy(r->arena, slice_of(raw, e->data.scalar.length));
	if (!v.text.ptr)
		return -ENOMEM;
	if (plain && wants_key(r) && slice_eq(v.text, SLICE("<<")))
		fault(r, &e->start_mark, "the merge key \"<<\" is not read: write the keys out");
	else if (plain)
		resolve_plain(r, &e->start_mark, &v);
	if (v.type == JSON_NUMBER && !isfinite(strtod(raw, NULL)))
		fault(r, &e->start_mark, "the number %s is too large", show(v.text).text);
	if (!utf8_valid(v.text))
		fault(r, &e->start_mark, "not UTF-8 text");
	return put(r, &v);
}

/* An alias was refused; null keeps its place. */
static int put_null(struct reader *r, const yaml_event_t *e)
{
	struct json v = { .type = JSON_NULL,
			  .line = (uint32_t)e->start_mark.line + 1,
			  .column = (uint32_t)e->start_mark.column + 1 };

	return count_item(r, &e->start_mark) < 0 ? -EINVAL : put(r, &v);
}

/* ---- events ---- */

static void check_properties(struct reader *r, const yaml_event_t *e, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		fault(r, &e->start_mark, "the anchor \"&%s\": anchors and aliases are not read: write the value out",
		      show(slice_str((const char *)anchor)).text);
	if (tag)
		fault(r, &e->start_mark, "the tag \"%s\": tags are not read: quote a value that has to be a string",
		      show(slice_str((const char *)tag)).text);
}

static int begin_document(struct reader *r, const yaml_event_t *e)
{
	const yaml_version_directive_t *version = e->data.document_start.version_directive;

	if (r->documents++) {
		fault(r, &e->start_mark, "a second document: one file is one document");
		return -EINVAL;
	}
	if (version && (version->major != 1 || version->minor != 2))
		fault(r, &e->start_mark, "this is read as YAML 1.2: leave the %%YAML directive out");
	if (e->data.document_start.tag_directives.start != e->data.document_start.tag_directives.end)
		fault(r, &e->start_mark, "a %%TAG directive: tags are not read");
	return 0;
}

static int handle(struct reader *r, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		return begin_document(r, e);
	case YAML_ALIAS_EVENT:
		fault(r, &e->start_mark,
		      "the alias \"*%s\": anchors and aliases are not read: write the value out (a string that begins with * is quoted)",
		      show(slice_str((const char *)e->data.alias.anchor)).text);
		return put_null(r, e);
	case YAML_SCALAR_EVENT:
		check_properties(r, e, e->data.scalar.anchor, e->data.scalar.tag);
		return put_scalar(r, e);
	case YAML_SEQUENCE_START_EVENT:
		check_properties(r, e, e->data.sequence_start.anchor, e->data.sequence_start.tag);
		return open_container(r, e, false);
	case YAML_MAPPING_START_EVENT:
		check_properties(r, e, e->data.mapping_start.anchor, e->data.mapping_start.tag);
		return open_container(r, e, true);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return close_container(r);
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		break;
	}
	return 0;
}

/* libyaml says what it expected; people ask what to do. What is usually meant by a problem, or "". */
static const char *syntax_hint(const char *problem)
{
	static const struct { const char *problem, *hint; } hints[] = {
		{ "did not find expected key", " (is a line indented differently from its neighbours?)" },
		{ "did not find expected '-' indicator", " (is a line indented differently from its neighbours?)" },
		{ "mapping values are not allowed in this context", " (is this line indented too far, or is a text with a colon not quoted?)" },
		{ "did not find expected alphabetic or numeric character", " (a string that begins with * or & is quoted)" },
		{ "found unknown escape character", " (in \"...\" a backslash is written \\\\)" },
		{ "could not find expected ':'", " (is a colon missing, or a line indented too far?)" },
		{ "found character that cannot start any token", " (a string that begins with this character is quoted)" },
	};

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (strcmp(problem, hints[i].problem) == 0)
			return hints[i].hint;
	return "";
}

static int syntax_fault(struct reader *r, const yaml_parser_t *p)
{
	size_t line, column, at = p->problem_mark.index;

	if (p->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (p->error == YAML_READER_ERROR) {
		position(r->input, p->problem_offset, &line, &column);
		fault_at(r, line, column, "not YAML: %s", p->problem);
		return -EINVAL;
	}
	/* The mark counts characters; for a look at the byte there it is near enough only in ASCII, and a hint is all it is for. */
	if (at < r->input.len && r->input.ptr[at] == '\t')
		fault(r, &p->problem_mark, "not YAML: a tab cannot indent, use spaces");
	else if (p->problem)
		fault(r, &p->problem_mark, "not YAML: %s%s%s%s", p->problem, p->context ? " " : "", p->context ? p->context : "",
		      syntax_hint(p->problem));
	else
		fault(r, &p->problem_mark, "not YAML");
	return -EINVAL;
}

/* Every event of the stream, until its end or the first reason to stop. */
static int read_events(struct reader *r, yaml_parser_t *p)
{
	for (;;) {
		yaml_event_t e;
		yaml_event_type_t type;
		int result;

		if (!yaml_parser_parse(p, &e))
			return syntax_fault(r, p);
		type = e.type;
		result = handle(r, &e);
		yaml_event_delete(&e);
		if (result < 0)
			return result;
		if (type == YAML_STREAM_END_EVENT)
			return 0;
	}
}

static int by_position(const void *a, const void *b)
{
	const struct yaml_fault *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return (x->column > y->column) - (x->column < y->column);
}

static int read_all(struct reader *r)
{
	yaml_parser_t p;
	int result;

	if (r->input.len > r->limits->bytes) {
		fault_at(r, 1, 1, "the file is larger than %zu bytes", r->limits->bytes);
		return -EINVAL;
	}
	if (check_bytes(r) < 0)
		return -EINVAL;
	if (!yaml_parser_initialize(&p))
		return -ENOMEM;
	yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
	/* An empty slice may have no pointer, which libyaml takes for a mistake of its caller and aborts. */
	yaml_parser_set_input_string(&p, (const unsigned char *)(r->input.len ? r->input.ptr : ""), r->input.len);
	result = read_events(r, &p);
	yaml_parser_delete(&p);
	if (result == 0 && r->documents == 0) {
		fault_at(r, 1, 1, "the file is empty");
		result = -EINVAL;
	}
	return result;
}

int yaml_parse(struct arena *arena, struct slice input, const struct json_limits *limits, struct json *ret_value,
	       struct yaml_faults *ret_faults)
{
	struct reader r = { .arena = arena, .input = input, .limits = limits, .faults = ret_faults };
	int result;

	ret_faults->count = 0;
	ret_faults->whole = false;
	result = read_all(&r);
	if (result == 0) {
		ret_faults->whole = true;
		*ret_value = r.values[0].value;
		if (ret_faults->count)
			result = -EINVAL;
	}
	qsort(ret_faults->list, ret_faults->count, sizeof(ret_faults->list[0]), by_position);
	free(r.values);
	return result;
}
