/*
 * The public JSONTestSuite (json-parsing/test_parsing below BAWN_DATA, or beside the source tree): every y_ accepted, every n_
 * refused, and for each i_, where the standard leaves it open, the one verdict that json.h gives. Without the data the table
 * alone says what was decided; tests/unit/json.c covers the same ground.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "parse/json.h"

enum { ROOM = 64 << 20 };

/* What the suite leaves open, or accepts and Bawn does not. */
static const struct {
	const char *file;
	enum json_error verdict;
} decided[] = {
	/* Small values are kept with all their digits; only what has no double is refused, or an exponent out of all proportion. */
	{ "i_number_double_huge_neg_exp.json", JSON_OK },
	{ "i_number_huge_exp.json", JSON_RANGE },
	{ "i_number_neg_int_huge_exp.json", JSON_RANGE },
	{ "i_number_pos_double_huge_exp.json", JSON_RANGE },
	{ "i_number_real_neg_overflow.json", JSON_RANGE },
	{ "i_number_real_pos_overflow.json", JSON_RANGE },
	{ "i_number_real_underflow.json", JSON_RANGE },
	{ "i_number_too_big_neg_int.json", JSON_OK },
	{ "i_number_too_big_pos_int.json", JSON_OK },
	{ "i_number_very_big_negative_int.json", JSON_OK },
	/* Half a surrogate pair, written as an escape. */
	{ "i_object_key_lone_2nd_surrogate.json", JSON_UTF8 },
	{ "i_string_1st_surrogate_but_2nd_missing.json", JSON_UTF8 },
	{ "i_string_1st_valid_surrogate_2nd_invalid.json", JSON_UTF8 },
	{ "i_string_incomplete_surrogate_and_escape_valid.json", JSON_UTF8 },
	{ "i_string_incomplete_surrogate_pair.json", JSON_UTF8 },
	{ "i_string_incomplete_surrogates_escape_valid.json", JSON_UTF8 },
	{ "i_string_invalid_lonely_surrogate.json", JSON_UTF8 },
	{ "i_string_invalid_surrogate.json", JSON_UTF8 },
	{ "i_string_inverted_surrogates_U+1D11E.json", JSON_UTF8 },
	{ "i_string_lone_second_surrogate.json", JSON_UTF8 },
	/* Bytes that are not UTF-8, and other encodings. */
	{ "i_string_UTF-8_invalid_sequence.json", JSON_UTF8 },
	{ "i_string_UTF8_surrogate_U+D800.json", JSON_UTF8 },
	{ "i_string_invalid_utf-8.json", JSON_UTF8 },
	{ "i_string_iso_latin_1.json", JSON_UTF8 },
	{ "i_string_lone_utf8_continuation_byte.json", JSON_UTF8 },
	{ "i_string_not_in_unicode_range.json", JSON_UTF8 },
	{ "i_string_overlong_sequence_2_bytes.json", JSON_UTF8 },
	{ "i_string_overlong_sequence_6_bytes.json", JSON_UTF8 },
	{ "i_string_overlong_sequence_6_bytes_null.json", JSON_UTF8 },
	{ "i_string_truncated-utf-8.json", JSON_UTF8 },
	{ "i_string_UTF-16LE_with_BOM.json", JSON_UTF8 },
	{ "i_string_utf16BE_no_BOM.json", JSON_SYNTAX },
	{ "i_string_utf16LE_no_BOM.json", JSON_SYNTAX },
	{ "i_structure_UTF-8_BOM_empty_object.json", JSON_UTF8 },
	{ "i_structure_500_nested_arrays.json", JSON_DEPTH },
	/* Grammatical, and yet with two readings. */
	{ "y_object_duplicated_key.json", JSON_DUPLICATE },
	{ "y_object_duplicated_key_and_value.json", JSON_DUPLICATE },
};

struct counts {
	unsigned accepted, refused, open, decided;
};

static void verdict_of(int dir, const char *name, struct counts *c)
{
	cleanup_arena struct arena a = ARENA_INIT(ROOM);
	cleanup_buf struct buf text = BUF_INIT(ROOM);
	enum json_error error;
	struct json v;

	assert_int_equal(io_read_file(dir, name, &text), 0);
	error = json_parse(&a, buf_slice(&text), &json_limits_default, &v, NULL);
	for (size_t i = 0; i < sizeof(decided) / sizeof(*decided); i++) {
		if (strcmp(name, decided[i].file) == 0) {
			if (error != decided[i].verdict)
				fail_msg("%s: %s", name, json_error_text(error));
			c->decided++;
			return;
		}
	}
	c->accepted += name[0] == 'y';
	c->refused += name[0] == 'n';
	c->open += name[0] == 'i';
	if ((error == JSON_OK) != (name[0] == 'y'))
		fail_msg("%s: %s", name, json_error_text(error));
}

static DIR *open_suite(void)
{
	const char *data = getenv("BAWN_DATA"), *source = getenv("BAWN_SOURCE");
	char path[4096];

	if (data)
		snprintf(path, sizeof(path), "%s/json-parsing/test_parsing", data);
	else
		snprintf(path, sizeof(path), "%s/../shared/data/json-parsing/test_parsing", source ? source : ".");
	return opendir(path);
}

static void every_file_has_its_verdict(void **state)
{
	struct counts c = { 0 };
	DIR *dir = open_suite();
	struct dirent *entry;

	(void)state;
	if (!dir) {
		print_message("json-parsing: skipped, the data is not there\n");
		return;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			verdict_of(dirfd(dir), entry->d_name, &c);
	}
	closedir(dir);
	print_message("json-parsing: %u accepted, %u refused, %u as decided\n", c.accepted, c.refused, c.decided);
	assert_int_equal(c.open, 0);
	assert_int_equal(c.decided, sizeof(decided) / sizeof(*decided));
	assert_true(c.accepted >= 93 && c.refused >= 188);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_file_has_its_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
