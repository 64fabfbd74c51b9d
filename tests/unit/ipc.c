/* ipc: every message of the table through the codec, whole, cut, lengthened, oversized and malformed. Channels: channel.c. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "ipc/message.h"

/* The table once more, expanded here and not taken from the codec, so that one is checked against the other. */
enum kind { END, INTEGER, A_TEXT, SOME_BYTES, A_LIST, DESCRIPTOR };

struct field {
	enum kind kind;
	size_t offset, max, items; /* an integer's max is its size */
};

struct entry {
	const char *name;
	struct field fields[12];
};

#define U8(name) { INTEGER, offsetof(this_message, name), 1, 0 },
#define U32(name) { INTEGER, offsetof(this_message, name), 4, 0 },
#define U64(name) { INTEGER, offsetof(this_message, name), 8, 0 },
#define TEXT(name, maximum) { A_TEXT, offsetof(this_message, name), maximum, 0 },
#define BYTES(name, maximum) { SOME_BYTES, offsetof(this_message, name), maximum, 0 },
#define LIST(name, count, maximum) { A_LIST, offsetof(this_message, name), maximum, count },
#define FD(name) { DESCRIPTOR, offsetof(this_message, name), 0, 0 },
#define MESSAGE(name, senders, receivers, phases, often, ...)                                                                      \
	static struct entry entry_##name(void)                                                                                     \
	{                                                                                                                          \
		typedef struct msg_##name this_message;                                                                            \
		return (struct entry){ #name, { __VA_ARGS__{ END, sizeof(this_message), 0, 0 } } };                                \
	}
#include "ipc/messages.tbl.h"
#undef MESSAGE

#define MESSAGE(name, senders, receivers, phases, often, ...) [MSG_##name] = entry_##name,
static struct entry (*const entries[MESSAGE_COUNT])(void) = {
#include "ipc/messages.tbl.h"
};
#undef MESSAGE

enum { LARGEST = 16 * 1024 * 1024, SMALL = 3 };

/* How the fields are filled: nothing in them, a little, or all that the table permits. */
enum fill { MINIMAL, LITTLE, MAXIMAL };

/* What is done to the one field that a test spoils. */
enum spoil {
	WHOLE,
	TOO_LONG,        /* one byte more than permitted, all of it there */
	PAST_THE_END,    /* a length of UINT32_MAX */
	NOT_UTF8,
	WITH_NUL,
	COUNT_MORE,
	COUNT_LESS,
	COUNT_HUGE,
	ITEM_PAST_THE_END,
	ITEM_HUGE,
	TOO_MANY_ITEMS,  /* all of them empty */
	LEFTOVER_IN_LIST,
	LIST_NOT_UTF8,
	LIST_WITH_NUL,
};

static char pool[LARGEST]; /* what fields are made of: printable */

static void put(struct buf *b, uint64_t n, size_t size)
{
	for (size_t i = 0; i < size; i++)
		assert_int_equal(buf_add_char(b, (char)(n >> (8 * i))), 0);
}

static void put_bytes(struct buf *b, const void *bytes, size_t len)
{
	assert_int_equal(buf_add(b, bytes, len), 0);
}

static uint64_t filled_int(const struct field *f, enum fill fill)
{
	return fill == MINIMAL ? 0 : fill == LITTLE ? 1 : UINT64_MAX >> (64 - 8 * f->max);
}

static size_t filled_len(const struct field *f, enum fill fill)
{
	return fill == MINIMAL ? 0 : fill == MAXIMAL || f->max < SMALL ? f->max : SMALL;
}

/* One item of a list. */
static void put_item(struct buf *b, size_t len)
{
	put(b, len, 4);
	put_bytes(b, pool, len);
}

/* The items of a list: as many as permitted, with all the bytes together that are permitted. Returns their count. */
static uint32_t put_items(struct buf *b, const struct field *f, enum fill fill)
{
	size_t items = fill == MINIMAL ? 0 : fill == LITTLE ? 2 : f->items, total = filled_len(f, fill);

	for (size_t i = 0; i < items; i++)
		put_item(b, i + 1 < items ? total / items : total - total / items * (items - 1));
	return (uint32_t)items;
}

static void put_list(struct buf *b, const struct field *f, enum fill fill, enum spoil spoil)
{
	cleanup_buf struct buf items = BUF_INIT(LARGEST);
	uint32_t count = put_items(&items, f, fill);

	switch (spoil) {
	case TOO_LONG:
		buf_clear(&items);
		put_item(&items, f->max + 1);
		count = 1;
		break;
	case TOO_MANY_ITEMS:
		buf_clear(&items);
		for (count = 0; count <= f->items; count++)
			put_item(&items, 0);
		break;
	case ITEM_PAST_THE_END:
		put(&items, 2, 4);
		put_bytes(&items, "x", 1);
		count++;
		break;
	case ITEM_HUGE:
		put(&items, UINT32_MAX, 4);
		put_bytes(&items, "x", 1);
		count++;
		break;
	case LEFTOVER_IN_LIST:
		put_bytes(&items, "\0\0\0", 3);
		break;
	case LIST_NOT_UTF8:
	case LIST_WITH_NUL:
		put(&items, 1, 4);
		put_bytes(&items, spoil == LIST_NOT_UTF8 ? "\xff" : "\0", 1);
		count++;
		break;
	case COUNT_MORE:
		count++;
		break;
	case COUNT_LESS:
		count--;
		break;
	case COUNT_HUGE:
		count = UINT32_MAX;
		break;
	case WHOLE:
	case PAST_THE_END:
	case NOT_UTF8:
	case WITH_NUL:
		break;
	}
	put(b, count, 4);
	put(b, spoil == PAST_THE_END ? UINT32_MAX : items.len, 4);
	put_bytes(b, items.ptr, items.len);
}

static void put_run(struct buf *b, const struct field *f, enum fill fill, enum spoil spoil)
{
	size_t len = spoil == TOO_LONG ? f->max + 1 : filled_len(f, fill);

	if (spoil == NOT_UTF8 || spoil == WITH_NUL) {
		put(b, 2, 4);
		put_bytes(b, spoil == NOT_UTF8 ? "a\xc0" : "a\0", 2);
		return;
	}
	put(b, spoil == PAST_THE_END ? UINT32_MAX : len, 4);
	put_bytes(b, pool, len);
}

/* The encoding written by hand, with field number `bad` spoilt; returns how many descriptors go with it. */
static size_t by_hand(const struct entry *e, enum fill fill, size_t bad, enum spoil spoil, struct buf *b)
{
	size_t fd_count = 0;

	buf_clear(b);
	for (size_t i = 0; e->fields[i].kind != END; i++) {
		const struct field *f = &e->fields[i];
		enum spoil this_spoil = i == bad ? spoil : WHOLE;

		if (f->kind == INTEGER)
			put(b, filled_int(f, fill), f->max);
		else if (f->kind == A_LIST)
			put_list(b, f, fill, this_spoil);
		else if (f->kind == DESCRIPTOR)
			fd_count++;
		else
			put_run(b, f, fill, this_spoil);
	}
	return fd_count;
}

static void *member(struct message *m, const struct field *f)
{
	return (char *)&m->ready + f->offset;
}

/* The same message as a struct. Lists are kept in `lists`, one for each field. */
static void fill_struct(enum message_type type, enum fill fill, const int *fds, struct buf lists[12], struct message *m)
{
	struct entry e = entries[type]();

	memset(m, 0, sizeof(*m));
	m->type = type;
	for (size_t i = 0; e.fields[i].kind != END; i++) {
		const struct field *f = &e.fields[i];
		uint64_t n = filled_int(f->kind == INTEGER ? f : &(struct field){ INTEGER, 0, 1, 0 }, fill);

		lists[i] = BUF_INIT(LARGEST);
		if (f->kind == INTEGER)
			memcpy(member(m, f), &n, f->max);
		else if (f->kind == DESCRIPTOR)
			*(int *)member(m, f) = *fds++;
		else if (f->kind == A_LIST) {
			struct message_list *list = member(m, f);

			list->count = put_items(&lists[i], f, fill);
			list->bytes = buf_slice(&lists[i]);
		} else {
			*(struct slice *)member(m, f) = slice_of(pool, filled_len(f, fill));
		}
	}
}

static void free_lists(const struct entry *e, struct buf lists[12])
{
	for (size_t i = 0; e->fields[i].kind != END; i++)
		buf_free(&lists[i]);
}

static void assert_same(const struct entry *e, struct message *a, struct message *b)
{
	for (size_t i = 0; e->fields[i].kind != END; i++) {
		const struct field *f = &e->fields[i];
		void *x = member(a, f), *y = member(b, f);

		if (f->kind == INTEGER) {
			assert_memory_equal(x, y, f->max);
		} else if (f->kind == DESCRIPTOR) {
			assert_int_equal(*(int *)x, *(int *)y);
		} else if (f->kind == A_LIST) {
			assert_int_equal(((struct message_list *)x)->count, ((struct message_list *)y)->count);
			assert_true(slice_eq(((struct message_list *)x)->bytes, ((struct message_list *)y)->bytes));
		} else {
			assert_true(slice_eq(*(struct slice *)x, *(struct slice *)y));
		}
	}
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void open_some(int fds[MESSAGE_FDS_MAX + 1])
{
	for (int i = 0; i <= MESSAGE_FDS_MAX; i++)
		assert_true((fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0);
}

/* Each is still open and is closed here: nobody but this test may have closed one. */
static void close_some(int fds[MESSAGE_FDS_MAX + 1], size_t from)
{
	for (size_t i = from; i <= MESSAGE_FDS_MAX; i++)
		assert_int_equal(close(fds[i]), 0);
}

/* Decodes from memory of exactly that size, so that a read past the end is seen by the sanitizer. */
static void assert_refused(enum message_type type, struct slice bytes, const int *fds, size_t fd_count)
{
	cleanup_free char *exact = malloc(bytes.len ? bytes.len : 1);
	struct message m, before;
	const char *why = NULL;

	assert_non_null(exact);
	if (bytes.len)
		memcpy(exact, bytes.ptr, bytes.len);
	memset(&m, 0x5a, sizeof(m));
	before = m;
	if (message_decode(type, slice_of(exact, bytes.len), fds, fd_count, &m, &why) != -EBADMSG)
		fail_msg("%s of %zu bytes is not refused", message_rule(type)->name, bytes.len);
	assert_non_null(why);
	assert_memory_equal(&m, &before, sizeof(m));
	for (size_t i = 0; i < fd_count; i++)
		assert_true(is_open(fds[i]));
}

static void round_trip(enum message_type type, enum fill fill)
{
	struct entry e = entries[type]();
	cleanup_buf struct buf hand = BUF_INIT(LARGEST), out = BUF_INIT(LARGEST);
	struct buf lists[12];
	struct message m, back;
	int fds[MESSAGE_FDS_MAX + 1], listed[MESSAGE_FDS_MAX];
	const char *why = NULL;
	size_t fd_count = 99, expected = by_hand(&e, fill, SIZE_MAX, WHOLE, &hand);

	open_some(fds);
	fill_struct(type, fill, fds, lists, &m);
	assert_int_equal(message_encode(type, &m.ready, &out, listed, &fd_count), 0);
	assert_int_equal(fd_count, expected);
	assert_true(slice_eq(buf_slice(&out), buf_slice(&hand)));
	assert_true(out.len <= message_rule(type)->max);
	assert_true(fill != MAXIMAL || out.len == message_rule(type)->max);
	assert_int_equal(message_decode(type, buf_slice(&out), listed, fd_count, &back, &why), 0);
	assert_int_equal(back.type, type);
	assert_same(&e, &m, &back);
	message_clear(&back);
	for (size_t i = 0; i < fd_count; i++)
		assert_false(is_open(fds[i]));
	message_clear(&back); /* forgets what it closed */
	close_some(fds, fd_count);
	free_lists(&e, lists);
}

static void every_message_round_trips(void **state)
{
	(void)state;
	for (enum message_type t = 0; t < MESSAGE_COUNT; t++) {
		assert_string_equal(message_rule(t)->name, entries[t]().name);
		round_trip(t, MINIMAL);
		round_trip(t, LITTLE);
		round_trip(t, MAXIMAL);
	}
	assert_null(message_rule(MESSAGE_COUNT));
}

/* Every length of a short message; of a long one those near its start and the boundaries of its fields, and some between. */
static bool worth_cutting(size_t at, size_t len, enum fill fill)
{
	return fill != MAXIMAL || at < 1024 || len - at < 64 || at % 65521 == 0 || (at & (at - 1)) == 0 || ((at + 1) & at) == 0;
}

static void every_truncation_is_refused(void **state)
{
	cleanup_buf struct buf b = BUF_INIT(LARGEST);
	int fds[MESSAGE_FDS_MAX + 1];

	(void)state;
	open_some(fds);
	for (enum message_type t = 0; t < MESSAGE_COUNT; t++)
		for (enum fill fill = MINIMAL; fill <= MAXIMAL; fill++) {
			struct entry e = entries[t]();
			size_t fd_count = by_hand(&e, fill, SIZE_MAX, WHOLE, &b);

			for (size_t at = 0; at < b.len; at++)
				if (worth_cutting(at, b.len, fill))
					assert_refused(t, slice_of(b.ptr, at), fds, fd_count);
			put_bytes(&b, "", 1); /* and one byte appended */
			assert_refused(t, buf_slice(&b), fds, fd_count);
		}
	close_some(fds, 0);
}

static void descriptors_are_counted(void **state)
{
	cleanup_buf struct buf b = BUF_INIT(LARGEST);
	int fds[MESSAGE_FDS_MAX + 1];

	(void)state;
	open_some(fds);
	for (enum message_type t = 0; t < MESSAGE_COUNT; t++) {
		struct entry e = entries[t]();
		size_t right = by_hand(&e, LITTLE, SIZE_MAX, WHOLE, &b);

		for (size_t count = 0; count <= MESSAGE_FDS_MAX + 1; count++)
			if (count != right)
				assert_refused(t, buf_slice(&b), fds, count);
	}
	close_some(fds, 0);
}

static void refuse_spoilt(enum message_type type, size_t field, enum spoil spoil)
{
	struct entry e = entries[type]();
	cleanup_buf struct buf b = BUF_INIT(LARGEST);
	int fds[MESSAGE_FDS_MAX + 1];
	size_t fd_count = by_hand(&e, LITTLE, field, spoil, &b);

	open_some(fds);
	assert_refused(type, buf_slice(&b), fds, fd_count);
	close_some(fds, 0);
}

static void spoilt_fields_are_refused(void **state)
{
	(void)state;
	for (enum message_type t = 0; t < MESSAGE_COUNT; t++) {
		struct entry e = entries[t]();

		for (size_t i = 0; e.fields[i].kind != END; i++) {
			if (e.fields[i].kind == INTEGER || e.fields[i].kind == DESCRIPTOR)
				continue;
			refuse_spoilt(t, i, TOO_LONG);
			refuse_spoilt(t, i, PAST_THE_END);
			if (e.fields[i].kind == A_TEXT) {
				refuse_spoilt(t, i, NOT_UTF8);
				refuse_spoilt(t, i, WITH_NUL);
			}
			for (enum spoil s = COUNT_MORE; e.fields[i].kind == A_LIST && s <= LIST_WITH_NUL; s++)
				refuse_spoilt(t, i, s);
		}
	}
}

static void bytes_may_be_anything(void **state)
{
	struct msg_call_outcome m = { .digest = SLICE("\xff\0\xc0\x80") };
	cleanup_buf struct buf b = BUF_INIT(LARGEST);
	struct message back;
	const char *why;
	int fds[MESSAGE_FDS_MAX];
	size_t fd_count;

	(void)state;
	assert_int_equal(message_encode(MSG_call_outcome, &m, &b, fds, &fd_count), 0);
	assert_int_equal(message_decode(MSG_call_outcome, buf_slice(&b), NULL, 0, &back, &why), 0);
	assert_true(slice_eq(back.call_outcome.digest, m.digest));
}

/* Spoils one member of the struct and asserts that nothing is written. */
static void encoder_refuses(enum message_type type, size_t field, enum spoil spoil, int expected)
{
	struct entry e = entries[type]();
	const struct field *f = &e.fields[field];
	cleanup_buf struct buf out = BUF_INIT(LARGEST), items = BUF_INIT(LARGEST);
	struct buf lists[12];
	struct message m;
	int fds[MESSAGE_FDS_MAX + 1], listed[MESSAGE_FDS_MAX];
	size_t fd_count = 99;

	open_some(fds);
	fill_struct(type, LITTLE, fds, lists, &m);
	if (f->kind == DESCRIPTOR) {
		*(int *)member(&m, f) = -1;
	} else if (f->kind == A_LIST) {
		struct message_list *list = member(&m, f);

		put_list(&items, f, LITTLE, spoil);
		memcpy(&list->count, items.ptr, 4);
		list->bytes = slice_of(items.ptr + 8, items.len - 8);
	} else {
		*(struct slice *)member(&m, f) = spoil == TOO_LONG ? slice_of(pool, f->max + 1) :
						 spoil == NOT_UTF8 ? SLICE("a\xc0") : SLICE("a\0");
	}
	put_bytes(&out, "before", 6);
	assert_int_equal(message_encode(type, &m.ready, &out, listed, &fd_count), expected);
	assert_true(slice_eq(buf_slice(&out), SLICE("before")));
	assert_int_equal(fd_count, 99);
	close_some(fds, 0);
	free_lists(&e, lists);
}

static void encoder_refuses_what_the_decoder_would(void **state)
{
	(void)state;
	for (enum message_type t = 0; t < MESSAGE_COUNT; t++) {
		struct entry e = entries[t]();

		for (size_t i = 0; e.fields[i].kind != END; i++) {
			enum kind kind = e.fields[i].kind;

			if (kind == DESCRIPTOR)
				encoder_refuses(t, i, WHOLE, -EBADF);
			if (kind == A_TEXT || kind == SOME_BYTES || kind == A_LIST)
				encoder_refuses(t, i, TOO_LONG, -EMSGSIZE);
			if (kind == A_TEXT) {
				encoder_refuses(t, i, NOT_UTF8, -EINVAL);
				encoder_refuses(t, i, WITH_NUL, -EINVAL);
			}
			if (kind != A_LIST)
				continue;
			encoder_refuses(t, i, TOO_MANY_ITEMS, -EMSGSIZE);
			encoder_refuses(t, i, LIST_NOT_UTF8, -EINVAL);
			encoder_refuses(t, i, LIST_WITH_NUL, -EINVAL);
			encoder_refuses(t, i, COUNT_MORE, -EINVAL);
			encoder_refuses(t, i, ITEM_PAST_THE_END, -EINVAL);
			encoder_refuses(t, i, LEFTOVER_IN_LIST, -EINVAL);
		}
	}
}

static void encoder_keeps_the_buffers_maximum(void **state)
{
	struct msg_call_refused m = { .code = SLICE("not_granted"), .stage = SLICE("grant"), .why = SLICE("no") };
	cleanup_buf struct buf whole = BUF_INIT(LARGEST);
	int fds[MESSAGE_FDS_MAX];
	size_t fd_count;

	(void)state;
	assert_int_equal(message_encode(MSG_call_refused, &m, &whole, fds, &fd_count), 0);
	for (size_t max = 0; max < whole.len; max++) {
		cleanup_buf struct buf b = BUF_INIT(max);

		assert_int_equal(message_encode(MSG_call_refused, &m, &b, fds, &fd_count), -EMSGSIZE);
		assert_int_equal(b.len, 0);
	}
}

static void unknown_types_are_refused(void **state)
{
	struct message m;
	const char *why = NULL;

	(void)state;
	assert_int_equal(message_decode(MESSAGE_COUNT, SLICE(""), NULL, 0, &m, &why), -EBADMSG);
	assert_non_null(why);
	assert_int_equal(message_decode((enum message_type)0xffff, SLICE(""), NULL, 0, &m, &why), -EBADMSG);
}

/* A gateway reads strangers' bytes: what it may say reaches its own session, and never ends another process. */
static void gateway_reaches_its_session_only(void **state)
{
	static const struct {
		enum message_type type;
		unsigned receivers;
	} permitted[] = {
		{ MSG_ready, 1U << PROCESS_INIT },
		{ MSG_session_end, 1U << PROCESS_JUDGE },
		{ MSG_call_propose, 1U << PROCESS_JUDGE },
		{ MSG_call_malformed, 1U << PROCESS_JUDGE },
		{ MSG_call_cancel, 1U << PROCESS_JUDGE },
		{ MSG_call_outcome, 1U << PROCESS_JUDGE },
		{ MSG_agent_fault, 1U << PROCESS_JUDGE },
		{ MSG_server_initialized, 1U << PROCESS_JUDGE },
		{ MSG_server_listed, 1U << PROCESS_JUDGE },
		{ MSG_server_changed, 1U << PROCESS_JUDGE },
		{ MSG_server_asks, 1U << PROCESS_JUDGE },
		{ MSG_server_alive, 1U << PROCESS_JUDGE },
		{ MSG_server_silent, 1U << PROCESS_JUDGE },
		{ MSG_server_fault, 1U << PROCESS_JUDGE },
	};

	(void)state;
	for (unsigned type = 0; type < MESSAGE_COUNT; type++) {
		const struct message_rule *rule = message_rule((enum message_type)type);
		unsigned receivers = 0;

		for (size_t i = 0; i < sizeof(permitted) / sizeof(permitted[0]); i++)
			if (permitted[i].type == type)
				receivers = permitted[i].receivers;
		if (rule->senders & 1U << PROCESS_GATEWAY)
			assert_int_equal(rule->receivers, receivers);
		else
			assert_int_equal(receivers, 0);
	}
}

static void lists_are_made_and_walked(void **state)
{
	char a[] = "node", b[] = "", c[] = "é";
	char *strings[] = { a, b, c, NULL };
	cleanup_buf struct buf out = BUF_INIT(100), none = BUF_INIT(100), small = BUF_INIT(10);
	struct message_list list, empty;
	struct slice item;
	size_t at = 0;

	(void)state;
	assert_int_equal(message_list_make(strings, &out, &list), 0);
	assert_int_equal(list.count, 3);
	for (int i = 0; i < 3; i++) {
		assert_true(message_list_next(&list, &at, &item));
		assert_true(slice_eq(item, slice_str(strings[i])));
	}
	assert_false(message_list_next(&list, &at, &item));
	assert_int_equal(message_list_make(NULL, &none, &empty), 0);
	assert_int_equal(empty.count, 0);
	at = 0;
	assert_false(message_list_next(&empty, &at, &item));
	assert_int_equal(message_list_make(strings, &small, &empty), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_round_trips),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(descriptors_are_counted),
		cmocka_unit_test(spoilt_fields_are_refused),
		cmocka_unit_test(bytes_may_be_anything),
		cmocka_unit_test(encoder_refuses_what_the_decoder_would),
		cmocka_unit_test(encoder_keeps_the_buffers_maximum),
		cmocka_unit_test(unknown_types_are_refused),
		cmocka_unit_test(gateway_reaches_its_session_only),
		cmocka_unit_test(lists_are_made_and_walked),
	};

	memset(pool, 'a', sizeof(pool));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
