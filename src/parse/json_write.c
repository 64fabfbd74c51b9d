/* The canonical form, RFC 8785. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "parse/json_inner.h"

enum {
	PLAIN_PLACE = 21, /* ES6 writes 0.DIGITS x 10^place without an exponent up to here, */
	PLAIN_SMALL = -6, /* and above here */
	SAFE_DIGITS = 15, /* a decimal of so many digits survives a double */
};

/* Bytes that a literal cannot hold as they are; for those with a short escape, its letter. */
static const char escapes[256] = {
	[0x00 ... 0x07] = 'u', ['\b'] = 'b', ['\t'] = 't',          ['\n'] = 'n', [0x0b] = 'u',
	['\f'] = 'f',          ['\r'] = 'r', [0x0e ... 0x1f] = 'u', ['"'] = '"',  ['\\'] = '\\',
};

static int add_escape(struct buf *out, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char text[6] = { '\\', escapes[c], '0', '0', hex[c >> 4], hex[c & 15] };

	return buf_add(out, text, escapes[c] == 'u' ? 6 : 2);
}

/* Where the first byte from `at` on stands that needs an escape. *high gets a bit when there was perhaps a byte of 0x80 or more. */
static size_t skip_plain(struct slice s, size_t at, uint64_t *high)
{
	for (; s.len - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
		uint64_t word = load_word(s.ptr + at), marks = mark_special(word);

		*high |= word & BYTE_TOPS;
		if (marks)
			return at + first_mark(marks);
	}
	for (; at < s.len && !escapes[(unsigned char)s.ptr[at]]; at++)
		*high |= (unsigned char)s.ptr[at] & 0x80;
	return at;
}

static int add_literal(struct buf *out, struct slice s)
{
	uint64_t high = 0;
	size_t at = 0;
	int r = buf_add_char(out, '"');

	while (r == 0 && at < s.len) {
		size_t plain = skip_plain(s, at, &high);

		r = buf_add(out, s.ptr + at, plain - at);
		if (r == 0 && plain < s.len)
			r = add_escape(out, (unsigned char)s.ptr[plain++]);
		at = plain;
	}
	if (r == 0 && high && !utf8_valid(s))
		r = -EINVAL;
	return r < 0 ? r : buf_add_char(out, '"');
}

int json_write_string(struct buf *out, struct slice s)
{
	size_t start = out->len;
	int r = add_literal(out, s);

	if (r < 0)
		out->len = start;
	return r;
}

static int add_zeros(struct buf *out, int64_t count)
{
	int r = 0;

	while (r == 0 && count-- > 0)
		r = buf_add_char(out, '0');
	return r;
}

/* Significant digits [from, to), which stand on both sides of the text's dot perhaps. */
static int add_digits(struct buf *out, const struct decimal *d, size_t from, size_t to)
{
	size_t split = d->dot < from ? from : d->dot > to ? to : d->dot;
	int r = buf_add(out, d->digits + from, split - from);

	return r < 0 ? r : buf_add(out, d->digits + split + 1, to - split);
}

static int add_exponent(struct buf *out, const struct decimal *d, int64_t exponent)
{
	int r = add_digits(out, d, 0, 1);

	if (r == 0 && d->count > 1)
		r = buf_add_char(out, '.');
	if (r == 0)
		r = add_digits(out, d, 1, d->count);
	if (r == 0)
		r = buf_add_str(out, exponent < 0 ? "e-" : "e+");
	return r < 0 ? r : buf_add_u64(out, (uint64_t)(exponent < 0 ? -exponent : exponent));
}

/* 0.DIGITS x 10^place, not zero, in ES6's layout; with `all` an integer has all its digits however large it is. */
static int add_decimal(struct buf *out, const struct decimal *d, int64_t place, bool all)
{
	int64_t count = (int64_t)d->count;
	int r = d->negative ? buf_add_char(out, '-') : 0;

	if (r < 0)
		return r;
	if (count <= place && (place <= PLAIN_PLACE || all)) {
		r = add_digits(out, d, 0, d->count);
		return r < 0 ? r : add_zeros(out, place - count);
	}
	if (place > 0 && (place <= PLAIN_PLACE || all)) {
		r = add_digits(out, d, 0, (size_t)place);
		if (r == 0)
			r = buf_add_char(out, '.');
		return r < 0 ? r : add_digits(out, d, (size_t)place, d->count);
	}
	if (place > PLAIN_SMALL && place <= 0) {
		r = buf_add_str(out, "0.");
		if (r == 0)
			r = add_zeros(out, -place);
		return r < 0 ? r : add_digits(out, d, 0, d->count);
	}
	return add_exponent(out, d, place - 1);
}

/*
 * Whether the decimal is exactly what ES6 writes for its double. Up to 15 digits it is, wherever doubles are normal.
 * Only asked about large numbers, so small ones and their thinner doubles do not come here.
 */
static bool is_shortest(const struct decimal *d, const struct json *number)
{
	char digits[SHORTEST_DIGITS];
	size_t count;
	int place;

	if (d->count <= SAFE_DIGITS)
		return true;
	count = shortest_digits(json_double(number), digits, &place);
	if (count != d->count || place != decimal_place(d))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (digits[i] != decimal_digit(d, i))
			return false;
	}
	return true;
}

/*
 * No arithmetic is needed to write a number: where a double keeps its decimal value, ES6's digits are the text's own significant
 * digits, and elsewhere all of them are wanted. Only the layout of large values depends on which of the two it is.
 */
static int write_number(struct buf *out, const struct json *number)
{
	struct decimal d;
	int64_t place;

	if (is_short_integer(number->text) && !slice_eq(number->text, SLICE("-0")))
		return buf_add_slice(out, number->text);
	decimal_read(number->text, &d);
	if (d.count == 0)
		return buf_add_char(out, '0');
	place = decimal_place(&d);
	return add_decimal(out, &d, place, place > PLAIN_PLACE && !is_shortest(&d, number));
}

int json_write_double(struct buf *out, double v)
{
	char digits[SHORTEST_DIGITS];
	struct decimal d = { .digits = digits, .dot = SIZE_MAX, .negative = v < 0 };
	size_t start = out->len;
	int place, r;

	if (!(v - v == 0)) /* infinite, or no number */
		return -EINVAL;
	d.count = shortest_digits(v, digits, &place);
	r = d.count == 0 ? buf_add_char(out, '0') : add_decimal(out, &d, place, false);
	if (r < 0)
		out->len = start;
	return r;
}

static int write_value(struct buf *out, const struct json *v, unsigned depth);

static int write_items(struct buf *out, const struct json *array, unsigned depth)
{
	int r = buf_add_char(out, '[');

	for (uint32_t i = 0; r == 0 && i < array->count; i++) {
		if (i > 0)
			r = buf_add_char(out, ',');
		if (r == 0)
			r = write_value(out, &array->items[i], depth);
	}
	return r < 0 ? r : buf_add_char(out, ']');
}

static int write_member(struct buf *out, const struct json_member *m, bool first, unsigned depth)
{
	int r = first ? 0 : buf_add_char(out, ',');

	if (r == 0)
		r = json_write_string(out, m->name);
	if (r == 0)
		r = buf_add_char(out, ':');
	return r < 0 ? r : write_value(out, &m->value, depth);
}

static int member_cmp(const void *a, const void *b)
{
	const struct json_member *const *x = a, *const *y = b;

	return json_name_cmp16((*x)->name, (*y)->name);
}

static void sort_few(const struct json_member **order, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		const struct json_member *m = order[i];
		size_t at = i;

		for (; at > 0 && member_cmp(&order[at - 1], &m) > 0; at--)
			order[at] = order[at - 1];
		order[at] = m;
	}
}

static int write_members(struct buf *out, const struct json *object, unsigned depth)
{
	const struct json_member *few[FEW_MEMBERS], **order = few;
	cleanup_free const struct json_member **many = NULL;
	int r;

	if (object->count > FEW_MEMBERS) {
		order = many = calloc(object->count, sizeof(*many));
		if (!many)
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < object->count; i++)
		order[i] = &object->members[i];
	if (many)
		qsort(many, object->count, sizeof(*many), member_cmp);
	else
		sort_few(few, object->count);
	r = buf_add_char(out, '{');
	for (uint32_t i = 0; r == 0 && i < object->count; i++)
		r = write_member(out, order[i], i == 0, depth);
	return r < 0 ? r : buf_add_char(out, '}');
}

static int write_value(struct buf *out, const struct json *v, unsigned depth)
{
	switch (v->type) {
	case JSON_NULL:
		return buf_add_str(out, "null");
	case JSON_FALSE:
		return buf_add_str(out, "false");
	case JSON_TRUE:
		return buf_add_str(out, "true");
	case JSON_NUMBER:
		return write_number(out, v);
	case JSON_STRING:
		return json_write_string(out, v->text);
	case JSON_ARRAY:
		return depth < JSON_DEPTH_MAX ? write_items(out, v, depth + 1) : -EMSGSIZE;
	case JSON_OBJECT:
		return depth < JSON_DEPTH_MAX ? write_members(out, v, depth + 1) : -EMSGSIZE;
	}
	return -EINVAL;
}

int json_write(struct buf *out, const struct json *value)
{
	size_t start = out->len;
	int r = write_value(out, value, 0);

	if (r < 0)
		out->len = start;
	return r;
}
