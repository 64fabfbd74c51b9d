/* Names that could be taken for one another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "judge/look_alike.h"

static bool alike(const char *a, const char *b)
{
	struct look_alike_name list[] = { { .name = slice_str(a) }, { .name = slice_str(b) } };

	look_alike_mark(list, 2);
	assert_true(list[0].alike == list[1].alike);
	return list[0].alike;
}

static void what_looks_the_same_is_alike(void **state)
{
	static const char *const pairs[][2] = {
		{ "read_file", "Read_File" }, { "read_file", "read-file" }, { "read_file", "readfile" }, { "a.b/c", "a_b-c" }, { "tool", "t00l" },
		{ "list", "1ist" }, { "list", "Iist" }, { "item_l", "item_1" }, { "modern", "modem" }, { "w", "vv" }, { "w", "v-v" }, { "rn", "m" },
		{ "vvv", "wv" }, { "rrn", "rm" }, { "O0o", "ooo" }, { "_", "-" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (!alike(pairs[i][0], pairs[i][1]) || !alike(pairs[i][1], pairs[i][0]))
			fail_msg("%s and %s", pairs[i][0], pairs[i][1]);
	}
}

static void what_differs_is_not(void **state)
{
	static const char *const pairs[][2] = {
		{ "read", "write" }, { "read_file", "read_files" }, { "a", "b" }, { "read", "read" }, { "get2", "get3" }, { "nr", "m" }, { "v", "vv" }, { "", "a" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (alike(pairs[i][0], pairs[i][1]))
			fail_msg("%s and %s", pairs[i][0], pairs[i][1]);
}

/* The same name twice (observed and accepted) is one name, alone or in a group. */
static void each_of_a_group_is_marked(void **state)
{
	struct look_alike_name list[] = { { .name = SLICE("x") }, { .name = SLICE("Read") }, { .name = SLICE("read") }, { .name = SLICE("read") },
					  { .name = SLICE("x") } };
	unsigned marked = 0;

	(void)state;
	look_alike_mark(list, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_true(list[i].alike == (list[i].name.len == 4));
		marked += list[i].alike;
	}
	assert_int_equal(marked, 3);
	look_alike_mark(list, 0);
}

static void the_longest_name_fits(void **state)
{
	char name[300], look[LOOK_ALIKE_MAX + 1];

	(void)state;
	for (size_t len = 0; len < sizeof(name); len++) {
		memset(name, len % 2 ? 'r' : 'a', sizeof(name));
		look_alike(slice_of(name, len), look);
		assert_int_equal(strlen(look), len < LOOK_ALIKE_MAX ? len : LOOK_ALIKE_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_looks_the_same_is_alike),
		cmocka_unit_test(what_differs_is_not),
		cmocka_unit_test(each_of_a_group_is_marked),
		cmocka_unit_test(the_longest_name_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
