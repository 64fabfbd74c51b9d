/* gateway: lines over descriptors of strangers: split anywhere, too long, paused, ended; and a writer that never blocks. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/stream.h"

enum { LINE = 100 };

struct seen {
	struct buf lines;    /* each line in brackets; an oversize one as <bytes> */
	size_t oversize;     /* bytes of the one under way */
	unsigned ends;
	bool end_failed, free_in_line;
	struct reader *reader;
};

static struct event_base *loop;

static void on_line(void *ctx, struct slice line)
{
	struct seen *s = ctx;

	buf_printf(&s->lines, "[%.*s]", SLICE_ARG(line));
	if (s->free_in_line) {
		reader_free(s->reader);
		s->reader = NULL;
	}
}

static void on_oversize(void *ctx, struct slice piece, bool last)
{
	struct seen *s = ctx;

	s->oversize += piece.len;
	if (last) {
		buf_printf(&s->lines, "<%zu>", s->oversize);
		s->oversize = 0;
	}
}

static void on_end(void *ctx, const char *why)
{
	struct seen *s = ctx;

	s->ends++;
	s->end_failed = why != NULL;
}

static const struct reader_ops ops = { on_line, on_oversize, on_end };

static void settle(void)
{
	for (int i = 0; i < 100; i++)
		event_base_loop(loop, EVLOOP_NONBLOCK);
}

/* A reader and the descriptor that feeds it: a pipe, or a socket that nobody made non-blocking. */
static int open_reader(struct seen *s, bool socket)
{
	int pair[2];

	*s = (struct seen){ .lines = BUF_INIT(1 << 20) };
	if (socket)
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	else
		assert_int_equal(pipe2(pair, O_NONBLOCK), 0);
	s->reader = reader_new(loop, pair[0], LINE, &ops, s);
	assert_non_null(s->reader);
	return pair[1];
}

static void expect(struct seen *s, const char *text)
{
	settle();
	assert_int_equal(buf_add_char(&s->lines, '\0'), 0);
	assert_string_equal(s->lines.ptr, text);
	s->lines.len--;
}

static void close_reader(struct seen *s, int fd)
{
	reader_free(s->reader);
	buf_free(&s->lines);
	if (fd >= 0)
		close(fd);
}

static void put(int fd, const char *bytes, size_t len)
{
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
}

static void lines_are_whole_wherever_they_are_cut(void **state)
{
	static const char text[] = "one\ntwo words\n\nthree\n";

	(void)state;
	for (int socket = 0; socket < 2; socket++)
		for (size_t cut = 0; cut < sizeof(text); cut++) {
			struct seen s;
			int fd = open_reader(&s, socket);

			put(fd, text, cut);
			settle();
			put(fd, text + cut, sizeof(text) - 1 - cut);
			expect(&s, "[one][two words][three]");
			close_reader(&s, fd);
		}
}

static void a_last_line_needs_no_newline(void **state)
{
	struct seen s;
	int fd = open_reader(&s, false);

	(void)state;
	put(fd, "one\ntw", 6);
	settle();
	put(fd, "o", 1);
	close(fd);
	expect(&s, "[one][two]");
	assert_int_equal(s.ends, 1);
	assert_false(s.end_failed);
	close_reader(&s, -1);
}

static void a_long_line_is_told_apart_and_the_next_is_whole(void **state)
{
	char text[3 * LINE];
	struct seen s;
	int fd = open_reader(&s, false);

	(void)state;
	memset(text, 'x', sizeof(text));
	put(fd, text, LINE);
	put(fd, "\n", 1);
	expect(&s, "[xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx]");
	buf_clear(&s.lines);
	put(fd, text, sizeof(text));
	settle();
	assert_int_equal(s.oversize, sizeof(text));
	put(fd, "yy\nnext\n", 8);
	expect(&s, "<302>[next]");
	close_reader(&s, fd);
}

/* However little memory it takes: who never ends his line is given up, and told apart from who closes. */
static void a_line_without_end_is_given_up(void **state)
{
	static char piece[65536];
	struct seen s;
	int fd = open_reader(&s, false);
	size_t sent = 0;

	(void)state;
	memset(piece, 'x', sizeof(piece));
	for (; !s.ends && sent <= LINE_ENDLESS + sizeof(piece); sent += sizeof(piece)) {
		put(fd, piece, sizeof(piece));
		while (s.oversize < sent + sizeof(piece) && !s.ends)
			event_base_loop(loop, EVLOOP_ONCE);
	}
	assert_int_equal(s.ends, 1);
	assert_true(s.end_failed);
	assert_in_range(s.oversize, LINE_ENDLESS + 1, LINE_ENDLESS + sizeof(piece));
	put(fd, "\nnext\n", 6);
	expect(&s, "");
	assert_int_equal(s.ends, 1);
	close_reader(&s, fd);
}

/* It is one line that is counted. */
static void many_long_lines_are_not_one_without_end(void **state)
{
	static char piece[65536];
	struct seen s;
	int fd = open_reader(&s, false);

	(void)state;
	memset(piece, 'x', sizeof(piece));
	piece[sizeof(piece) - 1] = '\n';
	for (size_t sent = 0; sent <= LINE_ENDLESS + sizeof(piece); sent += sizeof(piece)) {
		put(fd, piece, sizeof(piece));
		while (s.lines.len == 0)
			event_base_loop(loop, EVLOOP_ONCE);
		buf_clear(&s.lines);
	}
	assert_int_equal(s.ends, 0);
	close_reader(&s, fd);
}

static void a_paused_reader_hands_out_nothing_and_loses_nothing(void **state)
{
	struct seen s;
	int fd = open_reader(&s, false);

	(void)state;
	reader_pause(s.reader, true);
	put(fd, "one\ntwo\n", 8);
	expect(&s, "");
	reader_pause(s.reader, false);
	expect(&s, "[one][two]");
	close_reader(&s, fd);
}

static void many_lines_at_once_are_all_handed_out(void **state)
{
	struct seen s;
	int fd = open_reader(&s, false);

	(void)state;
	for (int i = 0; i < 1000; i++)
		put(fd, "x\n", 2);
	settle();
	assert_int_equal(s.lines.len, 3000);
	close_reader(&s, fd);
}

static void a_reader_may_be_freed_by_its_own_line(void **state)
{
	struct seen s;
	int fd = open_reader(&s, false);

	(void)state;
	s.free_in_line = true;
	put(fd, "one\ntwo\n", 8);
	expect(&s, "[one]");
	close_reader(&s, fd);
}

/* ---- writing ---- */

static unsigned drained, broken;

static void on_drained(void *ctx)
{
	(void)ctx;
	drained++;
}

static void on_broken(void *ctx)
{
	(void)ctx;
	broken++;
}

static const struct writer_ops writer_ops = { on_drained, on_broken };

static void what_the_pipe_does_not_take_waits_in_order(void **state)
{
	size_t total = 0, got = 0;
	struct writer *w;
	int pair[2];

	(void)state;
	drained = broken = 0;
	assert_int_equal(pipe2(pair, O_NONBLOCK), 0);
	w = writer_new(loop, pair[1], 1 << 20, &writer_ops, NULL);
	assert_non_null(w);
	for (; total < 400000; total += 4) {
		char word[5];

		snprintf(word, sizeof(word), "%04zu", total / 4 % 10000);
		assert_int_equal(buf_add(writer_buf(w), word, 4), 0);
		writer_send(w);
	}
	assert_true(writer_queued(w) > 0);
	while (got < total) {
		char word[5] = { 0 }, want[5];

		if (read(pair[0], word, 4) != 4) {
			settle();
			continue;
		}
		snprintf(want, sizeof(want), "%04zu", got / 4 % 10000);
		assert_string_equal(word, want);
		got += 4;
	}
	assert_int_equal(writer_queued(w), 0);
	assert_true(drained > 0);
	close(pair[0]);
	assert_int_equal(buf_add(writer_buf(w), "x", 1), 0);
	writer_send(w);
	settle();
	assert_int_equal(broken, 1);
	writer_free(w);
}

static int set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	loop = event_base_new();
	return loop ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	event_base_free(loop);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_whole_wherever_they_are_cut),
		cmocka_unit_test(a_last_line_needs_no_newline),
		cmocka_unit_test(a_long_line_is_told_apart_and_the_next_is_whole),
		cmocka_unit_test(a_line_without_end_is_given_up),
		cmocka_unit_test(many_long_lines_are_not_one_without_end),
		cmocka_unit_test(a_paused_reader_hands_out_nothing_and_loses_nothing),
		cmocka_unit_test(many_lines_at_once_are_all_handed_out),
		cmocka_unit_test(a_reader_may_be_freed_by_its_own_line),
		cmocka_unit_test(what_the_pipe_does_not_take_waits_in_order),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
