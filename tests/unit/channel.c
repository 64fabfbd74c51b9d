/* ipc: channels over real socket pairs: messages, queues, descriptors, last words, freeing. Hostile peers: channel_enemy.c. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "channel_ends.h"

/* ---- honest ends ---- */

static void messages_go_both_ways(void **state)
{
	struct end gateway = { 0 }, judge = { .send_in_message = true };

	(void)state;
	open_both(&gateway, &judge);
	assert_int_equal(channel_peer(judge.channel), PROCESS_GATEWAY);
	for (unsigned i = 1; i <= 100; i++) {
		assert_int_equal(send_propose(&gateway, i), 0);
		run_until(&gateway.messages, i);
		assert_int_equal(judge.last_len, i);
		assert_true(judge.last_intact);
		assert_int_equal(gateway.last, MSG_call_running);
	}
	end_close(&gateway);
	assert_refused(&judge, -1, NULL, 100);
}

static void large_messages_travel_in_pieces(void **state)
{
	static const size_t sizes[] = { PIECE - 18, PIECE - 17, PIECE - 27, PIECE - 28, 2 * PIECE - 27, LARGE - 1, LARGE };
	struct end gateway = { 0 }, judge = { 0 };

	(void)state;
	open_both(&gateway, &judge);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(send_propose(&gateway, sizes[i]), 0);
		run_until(&judge.messages, i + 1);
		assert_int_equal(judge.last_len, sizes[i]);
		assert_true(judge.last_intact);
	}
	end_close(&gateway);
	end_close(&judge);
}

static void large_messages_pass_each_other(void **state)
{
	struct end gateway = { 0 }, judge = { 0 };
	struct msg_server_tools tools = { .run = 1, .tools = slice_of(large, 4 * 1024 * 1024) };

	(void)state;
	open_both(&gateway, &judge);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(send_propose(&gateway, LARGE), 0);
		assert_int_equal(channel_send(judge.channel, MSG_server_tools, &tools), 0);
	}
	run_until(&judge.messages, 4);
	run_until(&gateway.messages, 4);
	assert_true(judge.last_intact);
	end_close(&gateway);
	end_close(&judge);
}

static void a_message_over_its_maximum_is_not_sent(void **state)
{
	struct end gateway = { 0 }, judge = { 0 };

	(void)state;
	open_both(&gateway, &judge);
	assert_int_equal(send_propose(&gateway, LARGE + 1), -EMSGSIZE);
	assert_int_equal(send_propose(&gateway, 1), 0);
	run_until(&judge.messages, 1);
	assert_int_equal(judge.broken + gateway.broken, 0);
	end_close(&gateway);
	end_close(&judge);
}

static void what_the_socket_does_not_take_is_queued_in_order(void **state)
{
	struct end gateway = { 0 }, judge = { 0 };
	unsigned sent = 0;

	(void)state;
	open_both(&gateway, &judge);
	for (; sent < 3000; sent++)
		assert_int_equal(send_propose(&gateway, sent), 0);
	assert_true(channel_queued(gateway.channel) > 0);
	assert_int_equal(judge.messages, 0);
	while (judge.messages < sent) {
		unsigned before = judge.messages;

		event_base_loop(loop, EVLOOP_ONCE);
		if (judge.messages != before)
			assert_int_equal(judge.last_len, judge.messages - 1);
	}
	assert_int_equal(channel_queued(gateway.channel), 0);
	end_close(&gateway);
	end_close(&judge);
}

/* There is room in the socket again, but others wait. */
static void nothing_overtakes_what_is_queued(void **state)
{
	struct end gateway = { 0 }, judge = { 0 };
	unsigned sent = 0;

	(void)state;
	open_both(&gateway, &judge);
	while (channel_queued(gateway.channel) == 0)
		assert_int_equal(send_propose(&gateway, sent++), 0);
	channel_drain(judge.channel);
	assert_int_equal(send_propose(&gateway, sent++), 0);
	while (judge.messages < sent) {
		unsigned before = judge.messages;

		event_base_loop(loop, EVLOOP_ONCE);
		if (judge.messages != before)
			assert_int_equal(judge.last_len, judge.messages - 1);
	}
	end_close(&gateway);
	end_close(&judge);
}

/* It is a fault of this very program. */
static void what_the_table_forbids_is_not_even_sent(void **state)
{
	struct end gateway = { 0 }, judge = { 0 };
	pid_t pid;
	int status;

	(void)state;
	open_both(&gateway, &judge);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		dup2(null, STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		channel_send(gateway.channel, MSG_call_running, &(struct msg_call_running){ .call = 1 });
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	end_close(&gateway);
	end_close(&judge);
}

static void a_peer_that_does_not_read_breaks_the_channel(void **state)
{
	struct end gateway = { 0 };
	unsigned sent = 0;
	int pair[2], r;

	(void)state;
	pair_of(pair);
	open_end(&gateway, pair[0], PROCESS_GATEWAY, PROCESS_JUDGE);
	while ((r = send_propose(&gateway, LARGE)) == 0 && sent < 100)
		sent++;
	assert_int_equal(r, -ENOBUFS);
	assert_in_range(sent, 7, 8);
	assert_int_equal(gateway.broken, 0); /* never from inside channel_send */
	assert_int_equal(send_propose(&gateway, 1), -EPIPE);
	assert_refused(&gateway, -1, "does not read", 0);
	close(pair[1]);
}

/* Small messages cost more memory than they are long, and it is the memory that is bounded. */
static int outcome_later(struct end *e, uint64_t call)
{
	struct msg_call_outcome m = { .call = call };

	return channel_send_later(e->channel, MSG_call_outcome, &m);
}

/* What may wait comes before what is sent after it, or by itself a moment later. */
static void what_may_wait_travels_with_the_next(void **state)
{
	struct end gateway = { 0 }, judge = { 0 };

	(void)state;
	open_both(&gateway, &judge);
	assert_int_equal(outcome_later(&gateway, 1), 0);
	assert_int_equal(outcome_later(&gateway, 2), 0);
	channel_drain(judge.channel);
	assert_int_equal(judge.messages, 0);
	assert_int_equal(send_propose(&gateway, 10), 0);
	assert_int_equal(channel_queued(gateway.channel), 0);
	channel_drain(judge.channel);
	assert_int_equal(judge.messages, 3);
	assert_int_equal(judge.last, MSG_call_propose);
	assert_int_equal(outcome_later(&gateway, 3), 0);
	run_until(&judge.messages, 4);
	assert_int_equal(judge.last, MSG_call_outcome);
	assert_int_equal(outcome_later(&gateway, 4), 0);
	channel_flush(gateway.channel);
	channel_drain(judge.channel);
	assert_int_equal(judge.messages, 5);
	end_close(&gateway);
	end_close(&judge);
}

static void a_quiet_channel_is_read_only_when_asked(void **state)
{
	struct end gateway = { 0 }, judge = { 0 };

	(void)state;
	open_both(&gateway, &judge);
	channel_quiet(judge.channel);
	assert_int_equal(send_propose(&gateway, 10), 0);
	settle();
	assert_int_equal(judge.messages, 0);
	channel_drain(judge.channel);
	assert_int_equal(judge.messages, 1);
	end_close(&gateway);
	settle();
	assert_int_equal(judge.broken, 0);
	end_close(&judge);
}

static void the_queue_counts_its_memory(void **state)
{
	struct end judge = { 0 };
	unsigned sent = 0;
	int enemy = open_enemy(&judge), r;

	(void)state;
	while ((r = channel_send(judge.channel, MSG_call_running, &(struct msg_call_running){ .call = 1 })) == 0)
		sent++;
	assert_int_equal(r, -ENOBUFS);
	assert_in_range(sent, 100000, 64 * 1024 * 1024 / 52);
	close(enemy);
	assert_refused(&judge, -1, "does not read", 0);
}

static void queued_descriptors_are_bounded(void **state)
{
	struct end judge = { 0 };
	unsigned before = ends_open_fds();
	int enemy = open_enemy(&judge), null = open("/dev/null", O_RDONLY | O_CLOEXEC), r;

	(void)state;
	while ((r = send_output(&judge, null)) == 0)
		assert_in_range(ends_open_fds(), before, before + 200);
	assert_int_equal(r, -ENOBUFS);
	assert_int_equal(ends_open_fds(), before + 3); /* those of the queue are closed at once */
	close(null);
	close(enemy);
	assert_refused(&judge, -1, "does not read", 0);
}

static void descriptors_arrive(void **state)
{
	struct end init = { 0 }, gateway = { .take_fds = true };
	struct msg_gateway_setup m = { .session = 1, .server = SLICE("files") };
	int pair[2], in[2];
	char c = 0;

	(void)state;
	pair_of(pair);
	open_end(&init, pair[0], PROCESS_INIT, PROCESS_GATEWAY);
	open_end(&gateway, pair[1], PROCESS_GATEWAY, PROCESS_INIT);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	m.input = in[0];
	m.output = in[1];
	m.leash = in[1];
	assert_int_equal(channel_send(init.channel, MSG_gateway_setup, &m), 0);
	close(in[0]);
	close(in[1]);
	run_until(&gateway.messages, 1);
	assert_int_equal(write(gateway.fds[1], "x", 1), 1);
	assert_int_equal(read(gateway.fds[0], &c, 1), 1);
	assert_int_equal(c, 'x');
	for (int i = 0; i < MESSAGE_FDS_MAX; i++) {
		assert_int_equal(fcntl(gateway.fds[i], F_GETFD), FD_CLOEXEC);
		close(gateway.fds[i]);
	}
	end_close(&init);
	end_close(&gateway);
}

static void descriptors_that_nobody_takes_are_closed(void **state)
{
	struct end gateway = { 0 }, judge = { 0 };
	int in[2];
	char c;

	(void)state;
	open_both(&gateway, &judge);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	for (int i = 0; i < 50; i++)
		assert_int_equal(send_output(&judge, in[1]), 0);
	close(in[1]);
	run_until(&gateway.messages, 50);
	assert_int_equal(read(in[0], &c, 1), 0); /* nobody has the writing end any more */
	close(in[0]);
	end_close(&gateway);
	end_close(&judge);
}

static void flush_sends_what_is_queued(void **state)
{
	struct end gateway = { 0 };
	int pair[2], status;
	pid_t pid;

	(void)state;
	pair_of(pair);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		static char bytes[HEADER + PIECE];
		size_t total = 0;
		ssize_t n;

		close(pair[0]);
		while ((n = recv(pair[1], bytes, sizeof(bytes), 0)) > 0)
			total += (size_t)n - HEADER;
		_exit(total != LARGE + 27);
	}
	close(pair[1]);
	open_end(&gateway, pair[0], PROCESS_GATEWAY, PROCESS_JUDGE);
	assert_int_equal(send_propose(&gateway, LARGE), 0);
	channel_flush(gateway.channel);
	assert_int_equal(channel_queued(gateway.channel), 0);
	end_close(&gateway);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(gateway.broken, 0);
}

static void flush_gives_up_a_peer_that_does_not_read(void **state)
{
	struct end judge = { 0 };
	int enemy = open_enemy(&judge);

	(void)state;
	for (int i = 0; i < 2000; i++)
		assert_int_equal(channel_send(judge.channel, MSG_call_running, &(struct msg_call_running){ .call = 1 }), 0);
	channel_flush(judge.channel);
	assert_refused(&judge, enemy, "does not read", 0);
}

static void last_words_are_heard(void **state)
{
	struct end gateway = { 0 }, judge = { .send_in_message = true };

	(void)state;
	open_both(&gateway, &judge);
	/* The gateway closes with a message unread (a reset for the judge), its own in the socket, and the judge still answering. */
	assert_int_equal(channel_send(judge.channel, MSG_call_running, &(struct msg_call_running){ .call = 1 }), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(send_propose(&gateway, 10), 0);
	assert_int_equal(channel_send(gateway.channel, MSG_session_end, &(struct msg_session_end){ .why = SLICE("done") }), 0);
	end_close(&gateway);
	run_until(&judge.broken, 1);
	assert_int_equal(judge.last, MSG_session_end);
	assert_int_equal(judge.send_result, -EPIPE);
	assert_refused(&judge, -1, NULL, 6);
}

static void last_words_are_heard_after_a_failed_send(void **state)
{
	struct end gateway = { 0 }, judge = { 0 };

	(void)state;
	open_both(&gateway, &judge);
	assert_int_equal(channel_send(gateway.channel, MSG_session_end, &(struct msg_session_end){ .why = SLICE("done") }), 0);
	end_close(&gateway);
	assert_int_equal(channel_send(judge.channel, MSG_call_running, &(struct msg_call_running){ .call = 1 }), -EPIPE);
	assert_int_equal(judge.broken, 0);
	assert_refused(&judge, -1, NULL, 1);
}

/* What cannot be sent any more is no reason not to read. */
static void last_words_are_heard_over_a_full_queue(void **state)
{
	struct end judge = { 0 };
	int enemy = open_enemy(&judge);
	struct packet p;

	(void)state;
	while (channel_queued(judge.channel) == 0)
		assert_int_equal(channel_send(judge.channel, MSG_call_running, &(struct msg_call_running){ .call = 1 }), 0);
	good_packet(&p);
	for (int i = 0; i < 5; i++)
		throw_packet(enemy, &p, 0);
	close(enemy);
	assert_refused(&judge, -1, NULL, 5);
}

/* ---- freeing ---- */

static void the_message_handler_may_free_its_channel(void **state)
{
	struct packet p;

	(void)state;
	for (int drained = 0; drained < 2; drained++) {
		struct end judge = { .free_in_message = true };
		int enemy = open_enemy(&judge);

		good_packet(&p);
		throw_packet(enemy, &p, 0);
		throw_packet(enemy, &p, 0);
		if (drained)
			channel_drain(judge.channel);
		settle();
		assert_int_equal(judge.messages, 1);
		assert_int_equal(judge.broken, 0);
		assert_null(judge.channel);
		close(enemy);
	}
}

static void broken_may_free_its_channel(void **state)
{
	struct end judge = { .free_in_broken = true };
	int enemy = open_enemy(&judge);
	struct packet p = { .len = 1 };

	(void)state;
	throw_packet(enemy, &p, 1);
	assert_refused(&judge, enemy, "malformed", 0);
	assert_null(judge.channel);
}

/* A sends, its handler drains B, whose handler frees A (inner = false) or B and A. */
static void freed_from_within(bool inner)
{
	struct end a = { 0 }, b = { 0 };
	int to_a = open_enemy(&a), to_b = open_enemy(&b);
	struct packet p;

	a.drain = &b;
	b.also_free = &a.channel;
	b.free_in_message = inner;
	good_packet(&p);
	throw_packet(to_b, &p, 0);
	throw_packet(to_b, &p, 0);
	throw_packet(to_a, &p, 0);
	throw_packet(to_a, &p, 0);
	channel_drain(a.channel);
	settle();
	assert_null(a.channel);
	assert_int_equal(a.messages, 1);
	assert_int_equal(b.messages, inner ? 1 : 2);
	end_close(&b);
	close(to_a);
	close(to_b);
}

static void a_drained_channels_handler_may_free_others(void **state)
{
	(void)state;
	freed_from_within(false);
	freed_from_within(true);
}

static void drain_inside_a_handler_reads_all(void **state)
{
	struct end a = { 0 }, b = { 0 };
	int to_a = open_enemy(&a), to_b = open_enemy(&b);
	struct packet p;

	(void)state;
	a.drain = &b;
	good_packet(&p);
	for (int i = 0; i < 100; i++)
		throw_packet(to_b, &p, 0);
	throw_packet(to_a, &p, 0);
	channel_drain(a.channel);
	assert_int_equal(a.messages, 1);
	assert_int_equal(b.messages, 100);
	/* Broken while drained: told from the loop, not from in here. */
	close(to_b);
	channel_drain(b.channel);
	assert_int_equal(b.broken, 0);
	assert_refused(&b, -1, NULL, 100);
	end_close(&a);
	close(to_a);
}

/* A handler that drains its own channel gets the next message while it still reads its own. */
static void a_handler_may_drain_its_own_channel(void **state)
{
	struct end judge = { 0 };
	int enemy = open_enemy(&judge);
	struct packet p;

	(void)state;
	judge.drain = &judge;
	good_packet(&p);
	for (int i = 0; i < 10; i++)
		throw_packet(enemy, &p, 0);
	settle();
	assert_int_equal(judge.messages, 10);
	p.len = 1;
	throw_packet(enemy, &p, 0);
	assert_refused(&judge, enemy, "malformed", 10);
}

/* A peer that never stops keeps the drainer from nothing for ever. */
static void draining_ends_although_more_comes(void **state)
{
	struct end judge = { .refills = 20000 };
	int enemy = open_enemy(&judge);
	struct packet p;

	(void)state;
	judge.refill = enemy;
	good_packet(&p);
	throw_packet(enemy, &p, 0);
	channel_drain(judge.channel);
	assert_in_range(judge.messages, 1, 10000);
	end_close(&judge);
	close(enemy);
}

static void freeing_loses_what_is_queued(void **state)
{
	struct end judge = { 0 };
	int enemy = open_enemy(&judge), null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(channel_send(judge.channel, MSG_call_running, &(struct msg_call_running){ .call = 1 }), 0);
	assert_int_equal(send_output(&judge, null), 0);
	end_close(&judge);
	channel_free(NULL);
	close(null);
	close(enemy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(messages_go_both_ways),
		CASE(large_messages_travel_in_pieces),
		CASE(large_messages_pass_each_other),
		CASE(a_message_over_its_maximum_is_not_sent),
		CASE(what_the_socket_does_not_take_is_queued_in_order),
		CASE(nothing_overtakes_what_is_queued),
		CASE(what_the_table_forbids_is_not_even_sent),
		CASE(a_peer_that_does_not_read_breaks_the_channel),
		CASE(what_may_wait_travels_with_the_next),
		CASE(a_quiet_channel_is_read_only_when_asked),
		CASE(the_queue_counts_its_memory),
		CASE(queued_descriptors_are_bounded),
		CASE(descriptors_arrive),
		CASE(descriptors_that_nobody_takes_are_closed),
		CASE(flush_sends_what_is_queued),
		CASE(flush_gives_up_a_peer_that_does_not_read),
		CASE(last_words_are_heard),
		CASE(last_words_are_heard_after_a_failed_send),
		CASE(last_words_are_heard_over_a_full_queue),
		CASE(the_message_handler_may_free_its_channel),
		CASE(broken_may_free_its_channel),
		CASE(a_drained_channels_handler_may_free_others),
		CASE(drain_inside_a_handler_reads_all),
		CASE(a_handler_may_drain_its_own_channel),
		CASE(draining_ends_although_more_comes),
		CASE(freeing_loses_what_is_queued),
	};

	return RUN_ENDS(tests);
}
