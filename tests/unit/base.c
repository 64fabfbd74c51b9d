/* base: slices, buffers, arenas, text. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/text.h"

static void buffer_keeps_its_maximum(void **state)
{
	cleanup_buf struct buf b = BUF_INIT(300);

	(void)state;
	for (int i = 0; i < 300; i++)
		assert_int_equal(buf_add_char(&b, 'x'), 0);
	assert_int_equal(buf_add_char(&b, 'x'), -EMSGSIZE);
	assert_int_equal(b.len, 300);
	buf_consume(&b, 299);
	assert_int_equal(buf_add_u64(&b, UINT64_MAX), 0);
	assert_true(slice_eq(buf_slice(&b), SLICE("x18446744073709551615")));
}

static void arena_keeps_its_maximum(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT(10000);

	(void)state;
	assert_non_null(arena_alloc(&a, 9000));
	assert_null(arena_alloc(&a, 2000));
	assert_null(arena_array(&a, SIZE_MAX / 2, 4));
	arena_clear(&a);
	assert_non_null(arena_alloc(&a, 9000));
}

static void utf8_is_strict(void **state)
{
	static const struct slice bad[] = {
		SLICE("\xc0\x80"), SLICE("\xe0\x80\x80"), SLICE("\xed\xa0\x80"), SLICE("\xf4\x90\x80\x80"), SLICE("\xff"),
		SLICE("\xe2\x82"), SLICE("aaaaaaaa\x80"), SLICE("\xf8\x88\x80\x80\x80"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(utf8_valid(bad[i]));
	assert_true(utf8_valid(SLICE("aé€😀 plain ascii tail")));
	assert_int_equal(utf8_length(SLICE("aé€😀")), 4);
}

static void numbers_are_read_once_and_in_range(void **state)
{
	uint64_t n = 7;

	(void)state;
	assert_int_equal(text_u64(SLICE("18446744073709551615"), 0, UINT64_MAX, &n), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(text_u64(SLICE("18446744073709551616"), 0, UINT64_MAX, &n), -ERANGE);
	assert_int_equal(text_u64(SLICE("01"), 0, 9, &n), -EINVAL);
	assert_int_equal(text_u64(SLICE(""), 0, 9, &n), -EINVAL);
	assert_int_equal(text_u64(SLICE("-1"), 0, 9, &n), -EINVAL);
	assert_int_equal(text_u64(SLICE("10"), 0, 9, &n), -ERANGE);
	assert_true(n == UINT64_MAX);
}

static void display_shows_what_hides(void **state)
{
	cleanup_buf struct buf b = BUF_INIT(1000);

	(void)state;
	assert_int_equal(text_escape(&b, SLICE("a\x1b[2J\xe2\x80\xae" "b\\\xff" "é\xf3\xa0\x80\xa1")), 0);
	assert_true(slice_eq(buf_slice(&b), SLICE("a\\x1b[2J\\u{202e}b\\\\\\xffé\\u{e0021}")));
}

static void cut_text_ends_in_a_whole_character(void **state)
{
	char out[16];

	(void)state;
	for (size_t before = 0; before < 8; before++) {
		text_format(out, sizeof(out), "%.*s%s", (int)before, "xxxxxxxx", "\u00e9\u20ac\U0001f600\u00e9\u20ac\U0001f600");
		assert_true(utf8_valid(slice_str(out)));
		assert_true(strlen(out) >= 12);
		assert_string_equal(out + strlen(out) - 3, "...");
	}
	text_format(out, sizeof(out), "%s", "123456789012345");
	assert_string_equal(out, "123456789012345");
	text_format(out, sizeof(out), "%s", "1234567890123456");
	assert_string_equal(out, "123456789012...");
	text_format(out, sizeof(out), "%s", "");
	assert_string_equal(out, "");
}

static void hex_round_trips(void **state)
{
	unsigned char bytes[3] = { 0, 0xab, 0xff }, back[3];
	char text[6];

	(void)state;
	text_hex(bytes, 3, text);
	assert_memory_equal(text, "00abff", 6);
	assert_int_equal(text_unhex(slice_of(text, 6), back, 3), 0);
	assert_memory_equal(bytes, back, 3);
	assert_int_equal(text_unhex(SLICE("00abf"), back, 3), -EINVAL);
	assert_int_equal(text_unhex(SLICE("00abfg"), back, 3), -EINVAL);
}

static void nearest_word(void **state)
{
	static const char *const words[] = { "egress", "allow", "agents" };

	(void)state;
	assert_string_equal(text_nearest(SLICE("egres"), words, 3), "egress");
	assert_string_equal(text_nearest(SLICE("agnets"), words, 3), "agents");
	assert_null(text_nearest(SLICE("zzz"), words, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffer_keeps_its_maximum),
		cmocka_unit_test(arena_keeps_its_maximum),
		cmocka_unit_test(utf8_is_strict),
		cmocka_unit_test(numbers_are_read_once_and_in_range),
		cmocka_unit_test(display_shows_what_hides),
		cmocka_unit_test(cut_text_ends_in_a_whole_character),
		cmocka_unit_test(hex_round_trips),
		cmocka_unit_test(nearest_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
