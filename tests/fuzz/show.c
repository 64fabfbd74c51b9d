/*
 * What a person is shown: whatever the text is, every line fits the terminal and is marked when it is not the first, holds only what stands for itself, and
 * different texts are shown differently. As JSON, it is also shown as a tree, and as a difference of its two halves.
 */
#include <assert.h>
#include <stdint.h>

#include "base/text.h"
#include "show/letters.h"
#include "show/show.h"

enum { MOST = 64 << 20, COLUMNS_TRIED = 177 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_lines(const struct buf *out, const char *mark, size_t unmarked_most)
{
	size_t unmarked = 0;

	for (size_t at = 0; at < out->len;) {
		const char *end = memchr(out->ptr + at, '\n', out->len - at);
		struct slice line = slice_of(out->ptr + at, end ? (size_t)(end - out->ptr) - at : out->len - at);

		unmarked += !slice_starts(line, slice_str(mark));
		for (size_t i = 0; i < line.len;) {
			int32_t c = utf8_next(line, &i);

			assert(c >= 0 && !(letter_bits(c) & LETTER_HIDDEN));
		}
		at += line.len + 1;
	}
	assert(unmarked <= unmarked_most);
}

static void show_one(struct slice text, unsigned columns)
{
	cleanup_buf struct buf folded = BUF_INIT(MOST);
	struct show show = SHOW_INIT(&folded, columns);

	assert(show_begin(&show, 0) == 0 && show_string(&show, text) == 0);
	check_lines(&folded, "  | ", 1);
}

static void show_apart(struct slice a, struct slice b)
{
	cleanup_buf struct buf one = BUF_INIT(MOST), other = BUF_INIT(MOST);
	struct show x = SHOW_INIT(&one, 0), y = SHOW_INIT(&other, 0);

	assert(show_string(&x, a) == 0 && show_string(&y, b) == 0);
	assert(slice_eq(buf_slice(&one), buf_slice(&other)) == slice_eq(a, b));
}

static void show_values(struct slice a, struct slice b, unsigned columns)
{
	cleanup_arena struct arena arena = ARENA_INIT(MOST);
	cleanup_buf struct buf out = BUF_INIT(MOST);
	struct show show = SHOW_INIT(&out, columns);
	struct json before, after;
	size_t count;

	if (json_parse(&arena, a, &json_limits_default, &before, NULL) != JSON_OK)
		return;
	assert(show_tree(&show, 2, &before) == 0);
	if (json_parse(&arena, b, &json_limits_default, &after, NULL) != JSON_OK)
		return;
	assert(show_difference(&show, 2, &before, &after, &count) == 0);
	assert((count == 0) == json_equal(&before, &after));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice whole, a, b;
	const char *bar;
	unsigned columns;

	if (size < 1 || size > 1 << 16)
		return 0;
	columns = 24 + data[0] % COLUMNS_TRIED;
	whole = slice_of(data + 1, size - 1);
	bar = memchr(whole.ptr, '|', whole.len);
	a = bar ? slice_of(whole.ptr, (size_t)(bar - whole.ptr)) : whole;
	b = bar ? slice_of(bar + 1, whole.len - a.len - 1) : whole;
	show_one(whole, columns);
	show_apart(a, b);
	show_values(a, b, columns);
	return 0;
}
