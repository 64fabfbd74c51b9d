#include "base/text.h"

#include <errno.h>
#include <stdio.h>

int32_t utf8_next(struct slice s, size_t *at)
{
	static const int32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)s.ptr + *at;
	size_t left = s.len - *at, len;
	int32_t c;

	if (left == 0)
		return -1;
	if (p[0] < 0x80) {
		*at += 1;
		return p[0];
	}
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return -1;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (left < len)
		return -1;
	c = p[0] & (0x7f >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return -1;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return -1;
	*at += len;
	return c;
}

bool utf8_valid(struct slice s)
{
	for (size_t at = 0; at < s.len;) {
		uint64_t word;

		/* Eight ASCII bytes at a time: most of what passes here is ASCII. */
		if (s.len - at >= sizeof(word)) {
			memcpy(&word, s.ptr + at, sizeof(word));
			if (!(word & 0x8080808080808080ULL)) {
				at += sizeof(word);
				continue;
			}
		}
		if (utf8_next(s, &at) < 0)
			return false;
	}
	return true;
}

size_t utf8_length(struct slice s)
{
	size_t count = 0;

	for (size_t i = 0; i < s.len; i++)
		count += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
	return count;
}

int text_u64(struct slice s, uint64_t min, uint64_t max, uint64_t *ret_n)
{
	uint64_t n = 0;

	if (s.len == 0 || (s.len > 1 && s.ptr[0] == '0'))
		return -EINVAL;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, (uint64_t)(s.ptr[i] - '0'), &n))
			return -ERANGE;
	}
	if (n < min || n > max)
		return -ERANGE;
	*ret_n = n;
	return 0;
}

void text_hex(const void *bytes, size_t len, char *out)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = "0123456789abcdef"[p[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int text_unhex(struct slice s, void *ret_bytes, size_t len)
{
	unsigned char *out = ret_bytes;

	if (s.len / 2 != len || s.len % 2)
		return -EINVAL;
	for (size_t i = 0; i < s.len; i++)
		if (hex_digit(s.ptr[i]) < 0)
			return -EINVAL;
	for (size_t i = 0; i < len; i++)
		out[i] = (unsigned char)(hex_digit(s.ptr[2 * i]) << 4 | hex_digit(s.ptr[2 * i + 1]));
	return 0;
}

/* Code points that show nothing, reorder text or fold lines: what a reader must see as an escape. */
static bool invisible(int32_t c)
{
	static const struct { int32_t first, last; } ranges[] = {
		{ 0x00, 0x1f },     { 0x7f, 0x9f },     { 0xad, 0xad },     { 0x34f, 0x34f },   { 0x61c, 0x61c },
		{ 0x115f, 0x1160 }, { 0x17b4, 0x17b5 }, { 0x180b, 0x180f }, { 0x200b, 0x200f }, { 0x2028, 0x202e },
		{ 0x2060, 0x206f }, { 0x3164, 0x3164 }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 },
		{ 0xfff0, 0xfffb }, { 0xe000, 0xf8ff }, { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a }, { 0xe0000, 0x10ffff },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

int text_escape(struct buf *out, struct slice s)
{
	for (size_t at = 0; at < s.len;) {
		size_t start = at;
		int32_t c = utf8_next(s, &at);
		int r;

		if (c < 0)
			r = buf_printf(out, "\\x%02x", (unsigned)(unsigned char)s.ptr[at++]);
		else if (c == '\\')
			r = buf_add(out, "\\\\", 2);
		else if (invisible(c))
			r = buf_printf(out, c < 0x80 ? "\\x%02x" : "\\u{%x}", (unsigned)c);
		else
			r = buf_add(out, s.ptr + start, at - start);
		if (r < 0)
			return r;
	}
	return 0;
}

void text_vformat(char *out, size_t size, const char *format, va_list args)
{
	int len = vsnprintf(out, size, format, args);
	size_t end;

	if (len < 0)
		out[0] = '\0';
	if (len < 0 || (size_t)len < size)
		return;
	for (end = size - 4; end > 0 && ((unsigned char)out[end] & 0xc0) == 0x80; end--)
		;
	memcpy(out + end, "...", 4);
}

void text_format(char *out, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_vformat(out, size, format, args);
	va_end(args);
}

enum { NEAREST_MAX = 64 };

static size_t distance(struct slice a, const char *b, size_t b_len)
{
	size_t row[NEAREST_MAX + 1];

	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t change = diagonal + (a.ptr[i - 1] != b[j - 1]);
			size_t best = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;

			diagonal = row[j];
			row[j] = change < best ? change : best;
		}
	}
	return row[b_len];
}

const char *text_nearest(struct slice word, const char *const *candidates, size_t count)
{
	const char *best = NULL;
	size_t best_distance = 3;

	if (word.len > NEAREST_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(candidates[i]), d;

		if (len > NEAREST_MAX)
			continue;
		d = distance(word, candidates[i], len);
		if (d < best_distance && d * 2 < len + 1) {
			best = candidates[i];
			best_distance = d;
		}
	}
	return best;
}

void text_time(uint64_t us, char ret_text[32])
{
	uint64_t second = us / 1000000, of_day = second % 86400;
	/* Days since 0000-03-01, so that the leap day is the last of its year; eras of 400 years repeat. */
	uint64_t days = second / 86400 + 719468, era = days / 146097, of_era = days % 146097;
	uint64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint64_t from_march = (5 * of_year + 2) / 153;
	uint64_t day = of_year - (153 * from_march + 2) / 5 + 1, month = from_march < 10 ? from_march + 3 : from_march - 9;
	uint64_t year = year_of_era + era * 400 + (month <= 2);

	snprintf(ret_text, 32, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ", (unsigned)(year % 10000), (unsigned)(month % 100), (unsigned)(day % 100),
		 (unsigned)(of_day / 3600 % 100), (unsigned)(of_day / 60 % 60), (unsigned)(of_day % 60), (unsigned)(us % 1000000));
}
