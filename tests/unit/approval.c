/* approval: what a record is bound to, and that a damaged one is told from a sound one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "approval/approval.h"
#include "parse/fields.h"

#define PIN "pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp"
#define RULE "1111111111111111111111111111111111111111111111111111111111111111"

/* Of the record below; computed by another program from the documented form. */
#define SUBJECT "88aacf5e19ffe86f0ed463cebc79cc7ae47520a8d486e4217d2e78ec06e30af8"
#define DIGEST "8eb4155dcd44d8bd61fe0eb82361c4221404a2f3da0b43e7a6ff3cb2ddc0bc00"
#define ID "8eb4155dcd44d8bd61fe"

static struct approval sample(void)
{
	return (struct approval){
	    .agent = SLICE("dev"),
	    .session = 7,
	    .uid = 1000,
	    .server = SLICE("bank"),
	    .tool = SLICE("pay"),
	    .pin = SLICE(PIN),
	    .effect = SLICE("destructive"),
	    .rule = SLICE("agents.dev.ask[0]:9"),
	    .rule_digest = SLICE(RULE),
	    .arguments = SLICE("{\"amount\":5,\"to\":\"ü\"}"),
	    .created = 1700000000000000,
	    .expires = 1700003600000000,
	    .asked = 12,
	};
}

static void a_record_is_sealed_as_documented(void **state)
{
	struct approval a = sample();
	struct approval_seal seal;
	char subject[APPROVAL_HEX + 1];

	(void)state;
	assert_int_equal(approval_seal(&a, &seal), 0);
	assert_string_equal(seal.subject, SUBJECT);
	assert_string_equal(seal.digest, DIGEST);
	assert_string_equal(seal.id, ID);
	assert_int_equal(approval_subject(&a, subject), 0);
	assert_string_equal(subject, SUBJECT);
}

/* Everything that a person approves changes the subject; what else is asked changes the digest alone; what became of it changes
 * neither. */
static void each_column_is_under_its_digest(void **state)
{
	enum { ACT = 7, ASKED = 6, SINCE = 9 };
	struct approval changed[ACT + ASKED + SINCE];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < ACT + ASKED + SINCE; i++)
		changed[i] = sample();
	changed[n++].agent = SLICE("de");
	changed[n++].server = SLICE("bank2");
	changed[n++].tool = SLICE("pay_all");
	changed[n++].pin = SLICE("");
	changed[n++].effect = SLICE("write");
	changed[n++].rule_digest = SLICE("2");
	changed[n++].arguments = SLICE("{\"amount\":6,\"to\":\"ü\"}");
	assert_int_equal(n, ACT);
	changed[n++].session = 8;
	changed[n++].uid = 0;
	changed[n++].rule = SLICE("agents.dev.ask[1]:9");
	changed[n++].why = SLICE("x");
	changed[n++].created++;
	changed[n++].expires++;
	assert_int_equal(n, ACT + ASKED);
	changed[n++].asked = 0;
	changed[n++].state = APPROVAL_CONSUMED;
	changed[n++].decided = 1;
	changed[n++].decided_by = 1;
	changed[n++].same_user = true;
	changed[n++].reason = SLICE("no");
	changed[n++].ended = 1;
	changed[n++].intent = 1;
	changed[n++].told = true;
	for (size_t i = 0; i < n; i++) {
		struct approval_seal seal;

		assert_int_equal(approval_seal(&changed[i], &seal), 0);
		assert_int_equal(strcmp(seal.subject, SUBJECT) != 0, i < ACT);
		assert_int_equal(strcmp(seal.digest, DIGEST) != 0, i < ACT + ASKED);
	}
}

/* Members cannot be shifted into each other: ("ab", "c") is not ("a", "bc"). */
static void neighbours_do_not_run_together(void **state)
{
	struct approval a = sample(), b = sample();
	char one[APPROVAL_HEX + 1], two[APPROVAL_HEX + 1];

	(void)state;
	a.server = SLICE("ab");
	a.tool = SLICE("c\",\"x\":\"");
	b.server = SLICE("a");
	b.tool = SLICE("bc\",\"x\":\"");
	assert_int_equal(approval_subject(&a, one), 0);
	assert_int_equal(approval_subject(&b, two), 0);
	assert_string_not_equal(one, two);
	a.tool = SLICE("\xff");
	assert_int_equal(approval_subject(&a, one), -EINVAL);
}

/* ---- rows ---- */

enum { COLUMNS = 25 };

/* The row that the store gives of the sample, approved and used. */
static void row(struct arena *arena, struct json items[COLUMNS])
{
	struct approval a = sample();
	const struct json row[COLUMNS] = {
	    json_text(SLICE(ID)),
	    json_text(SLICE(DIGEST)),
	    json_text(SLICE(SUBJECT)),
	    json_text(a.agent),
	    json_u64(arena, a.session),
	    json_u64(arena, a.uid),
	    json_text(a.server),
	    json_text(a.tool),
	    json_text(a.pin),
	    json_text(a.effect),
	    json_text(a.rule),
	    json_text(a.rule_digest),
	    json_text(a.arguments),
	    json_u64(arena, a.created),
	    json_u64(arena, a.expires),
	    json_u64(arena, a.asked),
	    json_text(a.why),
	    json_text(SLICE("consumed")),
	    json_u64(arena, 1700000001000000),
	    json_u64(arena, 1001),
	    json_u64(arena, 1),
	    json_text(SLICE("fine")),
	    json_u64(arena, 1700000002000000),
	    json_u64(arena, 44),
	    json_u64(arena, 0),
	};

	memcpy(items, row, sizeof(row));
}

static int read_row(struct json *items, uint32_t count, struct approval *ret)
{
	struct json array = {.type = JSON_ARRAY, .count = count, .items = items};

	return approval_read(&array, ret);
}

static void a_row_is_read_whole(void **state)
{
	cleanup_arena struct arena arena = ARENA_INIT(10000);
	struct json items[COLUMNS];
	struct approval a;

	(void)state;
	row(&arena, items);
	assert_int_equal(read_row(items, COLUMNS, &a), 0);
	assert_true(slice_eq(a.arguments, sample().arguments));
	assert_int_equal(a.session, 7);
	assert_int_equal(a.uid, 1000);
	assert_int_equal(a.asked, 12);
	assert_int_equal(a.state, APPROVAL_CONSUMED);
	assert_int_equal(a.decided, 1700000001000000);
	assert_int_equal(a.decided_by, 1001);
	assert_true(a.same_user);
	assert_true(slice_eq(a.reason, SLICE("fine")));
	assert_int_equal(a.ended, 1700000002000000);
	assert_int_equal(a.intent, 44);
	assert_false(a.told);

	items[15] = items[18] = items[19] = items[20] = items[21] = items[22] = items[23] = (struct json){.type = JSON_NULL};
	items[17] = json_text(SLICE("pending"));
	assert_int_equal(read_row(items, COLUMNS, &a), 0);
	assert_int_equal(a.state, APPROVAL_PENDING);
	assert_int_equal(a.asked + a.decided + a.decided_by + a.ended + a.intent, 0);
	assert_false(a.same_user);
	assert_int_equal(a.reason.len, 0);
}

/* The columns up to `why`, but for `asked`, are what was asked: another value in any of them is damage. */
static void a_damaged_row_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < 17; i++) {
		cleanup_arena struct arena arena = ARENA_INIT(10000);
		struct json items[COLUMNS];
		struct approval a = {.session = 99};

		if (i == 15)
			continue;
		row(&arena, items);
		items[i] = items[i].type == JSON_NUMBER ? json_u64(&arena, 3) : json_text(SLICE("other"));
		assert_int_equal(read_row(items, COLUMNS, &a), -EBADMSG);
		assert_int_equal(a.session, 99);
	}
}

static void what_is_no_row_is_refused(void **state)
{
	cleanup_arena struct arena arena = ARENA_INIT(200000);
	struct json items[COLUMNS + 1], object = {.type = JSON_OBJECT};
	struct approval a;

	(void)state;
	assert_int_equal(approval_read(&object, &a), -EINVAL);
	row(&arena, items);
	for (uint32_t count = 0; count < COLUMNS; count++)
		assert_int_equal(read_row(items, count, &a), -EINVAL);
	items[COLUMNS] = items[0];
	assert_int_equal(read_row(items, COLUMNS + 1, &a), -EINVAL);
	for (size_t i = 0; i < COLUMNS; i++) {
		struct json kept = items[i];

		items[i] = (struct json){.type = JSON_TRUE};
		assert_int_equal(read_row(items, COLUMNS, &a), -EINVAL);
		items[i] = kept.type == JSON_NUMBER ? json_text(SLICE("5")) : json_u64(&arena, 5);
		assert_int_equal(read_row(items, COLUMNS, &a), -EINVAL);
		items[i] = kept;
		if (kept.type != JSON_NUMBER)
			continue;
		for (size_t j = 0; j < 3; j++) {
			static const struct slice bad[] = {SLICE("-1"), SLICE("1.5"), SLICE("9223372036854775808")};

			items[i].text = bad[j];
			assert_int_equal(read_row(items, COLUMNS, &a), -EINVAL);
		}
		items[i] = kept;
	}
	items[17] = json_text(SLICE("Pending"));
	assert_int_equal(read_row(items, COLUMNS, &a), -EINVAL);
	items[17] = json_text(SLICE("pending"));
	items[20] = json_u64(&arena, 2);
	assert_int_equal(read_row(items, COLUMNS, &a), -EINVAL);
	items[20] = json_u64(&arena, 0);
	assert_int_equal(read_row(items, COLUMNS, &a), 0);
}

/* What is put into the store is what approval_read takes for sound, column by column. */
static void a_new_record_goes_in_as_it_comes_out(void **state)
{
	cleanup_arena struct arena arena = ARENA_INIT(100000);
	cleanup_arena struct arena small = ARENA_INIT(100);
	struct json items[COLUMNS], values;
	struct approval a = sample(), b;
	struct approval_seal seal;

	(void)state;
	assert_int_equal(approval_seal(&a, &seal), 0);
	a.id = slice_str(seal.id);
	a.digest = slice_str(seal.digest);
	a.subject = slice_str(seal.subject);
	assert_int_equal(approval_new_values(&arena, &a, &values), 0);
	assert_int_equal(values.count, 18);
	assert_string_equal(arena_cstr(&arena, values.items[17].text), "100");
	row(&arena, items);
	memcpy(items, values.items, 17 * sizeof(items[0]));
	assert_int_equal(read_row(items, COLUMNS, &b), 0);
	assert_true(slice_eq(b.id, SLICE(ID)));

	assert_int_equal(approval_new_values(&small, &a, &values), -ENOMEM);
}

static void states_have_names(void **state)
{
	enum approval_state found;

	(void)state;
	for (enum approval_state s = 0; s < APPROVAL_STATES; s++) {
		assert_true(approval_state_find(slice_str(approval_state_name(s)), &found));
		assert_int_equal(found, s);
	}
	assert_null(approval_state_name(APPROVAL_STATES));
	assert_false(approval_state_find(SLICE(""), &found));
	assert_false(approval_state_find(SLICE("pendin"), &found));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_record_is_sealed_as_documented),
	    cmocka_unit_test(each_column_is_under_its_digest),
	    cmocka_unit_test(neighbours_do_not_run_together),
	    cmocka_unit_test(a_row_is_read_whole),
	    cmocka_unit_test(a_damaged_row_is_refused),
	    cmocka_unit_test(what_is_no_row_is_refused),
	    cmocka_unit_test(a_new_record_goes_in_as_it_comes_out),
	    cmocka_unit_test(states_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
