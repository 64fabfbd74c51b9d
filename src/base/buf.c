#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUF_FIRST = 256 };

void buf_free(struct buf *b)
{
	free(b->ptr);
	b->ptr = NULL;
	b->len = b->cap = 0;
}

void buf_clear(struct buf *b)
{
	b->len = 0;
}

int buf_reserve(struct buf *b, size_t more)
{
	size_t need, cap;
	char *ptr;

	if (__builtin_add_overflow(b->len, more, &need) || need > b->max)
		return -EMSGSIZE;
	if (need <= b->cap)
		return 0;
	cap = b->cap ? b->cap : BUF_FIRST;
	while (cap < need)
		cap *= 2; /* need is at most max, which is far below SIZE_MAX / 2 */
	if (cap > b->max)
		cap = b->max;
	ptr = realloc(b->ptr, cap);
	if (!ptr)
		return -ENOMEM;
	b->ptr = ptr;
	b->cap = cap;
	return 0;
}

int buf_add(struct buf *b, const void *bytes, size_t len)
{
	int r = buf_reserve(b, len);

	if (r < 0)
		return r;
	if (len)
		memcpy(b->ptr + b->len, bytes, len);
	b->len += len;
	return 0;
}

int buf_add_slice(struct buf *b, struct slice s)
{
	return buf_add(b, s.ptr, s.len);
}

int buf_add_str(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int buf_add_char(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

int buf_add_u64(struct buf *b, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	return buf_add(b, digits + at, sizeof(digits) - at);
}

int buf_printf(struct buf *b, const char *format, ...)
{
	va_list args, again;
	int len, r;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	/* One byte more than is kept: vsnprintf writes a NUL, which stays outside len. */
	r = len < 0 ? -EINVAL : buf_reserve(b, (size_t)len + 1);
	if (r == 0) {
		vsnprintf(b->ptr + b->len, (size_t)len + 1, format, again);
		b->len += (size_t)len;
	}
	va_end(again);
	return r;
}

void buf_consume(struct buf *b, size_t len)
{
	if (len > b->len)
		len = b->len;
	if (len)
		memmove(b->ptr, b->ptr + len, b->len - len);
	b->len -= len;
}
