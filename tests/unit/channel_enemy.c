/* ipc: channels against a peer that was taken over. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "channel_ends.h"

/* ---- a peer that was taken over ---- */

static void garbage_is_refused(void **state)
{
	struct packet p;

	(void)state;
	for (size_t len = 1; len < HEADER; len++) {
		good_packet(&p);
		p.len = len;
		refuse_packet(&p, 0, "malformed packet");
	}
	good_packet(&p);
	p.bytes[2] = 2;
	refuse_packet(&p, 0, "malformed packet");
	p.bytes[2] = (char)0x80;
	refuse_packet(&p, 0, "malformed packet");
	first_piece(&p, LARGE);
	p.bytes[2] = 3;
	refuse_packet(&p, 0, "malformed packet");
	good_packet(&p);
	p.bytes[3] = 1;
	refuse_packet(&p, 0, "malformed packet");
	good_packet(&p);
	p.len--;
	refuse_packet(&p, 0, "missing");
	good_packet(&p);
	packet_add(&p, 0, 1);
	refuse_packet(&p, 0, "over its maximum");
	start_packet(&p, MSG_server_fault, 0);
	packet_add(&p, 1, 8);
	packet_add(&p, 0, 4);
	packet_add(&p, 0, 1);
	refuse_packet(&p, 0, "left over");
	start_packet(&p, MESSAGE_COUNT, 0);
	refuse_packet(&p, 0, "no such message");
	start_packet(&p, 0xffff, 0);
	refuse_packet(&p, 0, "no such message");
	start_packet(&p, 0xffff, 0);
	refuse_packet(&p, 3, "no such message");
}

static void a_packet_too_large_is_refused(void **state)
{
	struct packet p;

	(void)state;
	first_piece(&p, LARGE);
	packet_pad(&p, HEADER + PIECE + 1);
	refuse_packet(&p, 0, "too large");
	refuse_packet(&p, 3, "too large");
}

static void a_packet_without_bytes_is_refused(void **state)
{
	struct packet p = { .len = 0 };

	(void)state;
	refuse_packet(&p, 0, "malformed packet");
	refuse_packet(&p, 3, "malformed packet");
	refuse_packet(&p, 40, "too many descriptors");
}

static void wrong_numbers_of_descriptors_are_refused(void **state)
{
	struct packet p;

	(void)state;
	good_packet(&p);
	for (size_t count = 1; count <= MESSAGE_FDS_MAX; count++)
		refuse_packet(&p, count, "too many descriptors");
	refuse_packet(&p, MESSAGE_FDS_MAX + 1, "too many descriptors");
	refuse_packet(&p, MESSAGE_FDS_MAX + 2, "too many descriptors");
	refuse_packet(&p, 64, "too many descriptors");
}

/* Then the kernel leaves it out, and the packet is not what was sent. */
static void a_descriptor_for_which_there_is_no_room_is_refused(void **state)
{
	struct end judge = { 0 };
	int enemy = open_enemy(&judge);
	struct rlimit was, none;
	struct packet p;

	(void)state;
	good_packet(&p);
	throw_packet(enemy, &p, 1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = (struct rlimit){ 0, was.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	channel_drain(judge.channel);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_refused(&judge, enemy, "too many descriptors", 0);
}

/* One more than a message ever has, which the kernel still hands over whole: the message does not do with the others. */
static void one_descriptor_more_than_ever_is_refused(void **state)
{
	struct end judge = { 0 };
	struct packet p;
	int pair[2];

	(void)state;
	for (size_t fds = MESSAGE_FDS_MAX; fds <= MESSAGE_FDS_MAX + 1; fds++) {
		judge = (struct end){ 0 };
		pair_of(pair);
		open_end(&judge, pair[1], PROCESS_JUDGE, PROCESS_CONSOLE);
		start_packet(&p, MSG_session_open, 0);
		packet_add(&p, 7, 8);
		for (int i = 0; i < 5; i++)
			packet_add(&p, 0, 4);
		throw_packet(pair[0], &p, fds);
		settle();
		assert_int_equal(judge.messages, fds == MESSAGE_FDS_MAX);
		assert_int_equal(judge.broken, fds != MESSAGE_FDS_MAX);
		close(pair[0]);
		end_close(&judge);
	}
}

static void a_missing_descriptor_is_refused(void **state)
{
	struct end launcher_seen = { 0 };
	struct packet p;
	int pair[2];

	(void)state;
	start_packet(&p, MSG_sandbox_started, 0);
	packet_add(&p, 1, 8);
	packet_add(&p, 1, 4);
	packet_add(&p, 0, 4); /* no code, no layers */
	packet_add(&p, 0, 4);
	for (size_t count = 0; count < 2; count++) {
		launcher_seen = (struct end){ 0 };
		pair_of(pair);
		open_end(&launcher_seen, pair[1], PROCESS_JUDGE, PROCESS_LAUNCHER);
		throw_packet(pair[0], &p, count);
		assert_refused(&launcher_seen, pair[0], "descriptor is missing", 0);
	}
}

static void descriptors_on_a_later_piece_are_refused(void **state)
{
	struct end judge = { 0 };
	int enemy = open_enemy(&judge);
	struct packet p;

	(void)state;
	first_piece(&p, LARGE);
	throw_packet(enemy, &p, 0);
	start_packet(&p, MSG_call_propose, MORE);
	packet_pad(&p, HEADER + PIECE);
	throw_packet(enemy, &p, 1);
	assert_refused(&judge, enemy, "interrupted", 0);
}

/* They are held until the message is whole, and let go as soon as it cannot become so: before the owner frees the channel. */
static void descriptors_of_half_a_message_are_let_go(void **state)
{
	struct end judge = { 0 };
	int enemy = open_enemy(&judge);
	unsigned before = ends_open_fds();
	struct packet p;

	(void)state;
	first_piece(&p, LARGE);
	throw_packet(enemy, &p, 3);
	settle();
	assert_int_equal(ends_open_fds(), before + 3);
	good_packet(&p);
	throw_packet(enemy, &p, 3);
	settle();
	assert_int_equal(ends_open_fds(), before);
	assert_refused(&judge, enemy, "interrupted", 0);
}

static void interleaved_messages_are_refused(void **state)
{
	struct end judge = { 0 };
	int enemy = open_enemy(&judge);
	struct packet p;

	(void)state;
	good_packet(&p);
	throw_packet(enemy, &p, 0);
	first_piece(&p, LARGE);
	throw_packet(enemy, &p, 0);
	good_packet(&p);
	throw_packet(enemy, &p, 0);
	assert_refused(&judge, enemy, "interrupted", 1);
}

static void an_empty_later_piece_is_refused(void **state)
{
	struct end judge = { 0 };
	int enemy = open_enemy(&judge);
	struct packet p;

	(void)state;
	first_piece(&p, PIECE - 17);
	throw_packet(enemy, &p, 0);
	start_packet(&p, MSG_call_propose, 0);
	throw_packet(enemy, &p, 0);
	assert_refused(&judge, enemy, "interrupted", 0);
}

static void small_pieces_are_refused(void **state)
{
	struct packet p;

	(void)state;
	first_piece(&p, LARGE);
	p.len--;
	refuse_packet(&p, 0, "malformed packet");
	p.len = HEADER;
	refuse_packet(&p, 0, "malformed packet");
}

static void a_message_without_end_is_refused(void **state)
{
	struct end judge = { 0 };
	int enemy = open_enemy(&judge);
	size_t pieces = 1;
	struct packet p;

	(void)state;
	first_piece(&p, UINT32_MAX);
	throw_packet(enemy, &p, 0);
	start_packet(&p, MSG_call_propose, MORE);
	packet_pad(&p, HEADER + PIECE);
	for (; !judge.broken && pieces < 1000; pieces++) {
		throw_packet(enemy, &p, 0);
		settle();
	}
	assert_int_equal(pieces, message_rule(MSG_call_propose)->max / PIECE + 1);
	assert_refused(&judge, enemy, "over its maximum", 0);
}

static void a_large_message_of_a_small_type_is_refused(void **state)
{
	struct packet p;

	(void)state;
	start_packet(&p, MSG_server_changed, MORE);
	packet_pad(&p, HEADER + PIECE);
	refuse_packet(&p, 0, "over its maximum");
}

static void closing_mid_message_is_told(void **state)
{
	struct end judge = { 0 };
	int enemy = open_enemy(&judge);
	struct packet p;

	(void)state;
	first_piece(&p, LARGE);
	throw_packet(enemy, &p, 3);
	close(enemy);
	assert_refused(&judge, -1, "closed in the middle", 0);
}

/* Every message of the table, from every process to every process: a channel takes just those that the table permits. */
static bool taken(enum message_type type, enum process self, enum process peer, enum channel_phase phase)
{
	struct end e = { 0 };
	struct packet p;
	int pair[2];
	bool refused;

	pair_of(pair);
	open_end(&e, pair[1], self, peer);
	channel_set_phase(e.channel, phase);
	start_packet(&p, type, 0);
	packet_pad(&p, HEADER + 3);
	throw_packet(pair[0], &p, 0);
	close(pair[0]);
	settle();
	assert_int_equal(e.broken, 1);
	refused = strstr(e.why, "may not send") || strstr(e.why, "not permitted now");
	end_close(&e);
	return !refused;
}

static void the_table_says_who_and_when(void **state)
{
	(void)state;
	for (enum message_type t = 0; t < MESSAGE_COUNT; t++)
		for (enum process self = 0; self < PROCESS_COUNT; self++)
			for (enum process peer = 0; peer < PROCESS_COUNT; peer++)
				for (enum channel_phase phase = PHASE_SETUP; phase <= PHASE_SERVING; phase++) {
					const struct message_rule *r = message_rule(t);
					bool permitted = r->senders & 1U << peer && r->receivers & 1U << self && r->phases & phase;

					assert_int_equal(taken(t, self, peer, phase), permitted);
				}
}

static void a_new_channel_is_in_setup(void **state)
{
	struct end judge = { 0 };
	struct packet p;
	int pair[2];

	(void)state;
	pair_of(pair);
	assert_int_equal(channel_new(loop, pair[1], PROCESS_JUDGE, PROCESS_GATEWAY, &end_ops, &judge, &judge.channel), 0);
	good_packet(&p);
	throw_packet(pair[0], &p, 0);
	assert_refused(&judge, pair[0], "not permitted now", 0);
}

static void once_is_once(void **state)
{
	struct end judge = { 0 };
	int enemy = open_enemy(&judge);
	struct packet p;

	(void)state;
	start_packet(&p, MSG_session_end, 0);
	packet_add(&p, 0, 4);
	throw_packet(enemy, &p, 0);
	settle();
	assert_int_equal(judge.messages, 1);
	throw_packet(enemy, &p, 0);
	assert_refused(&judge, enemy, "only once", 1);
}

/* Begun while it was permitted, finished when it no longer is. */
static void the_phase_counts_when_the_message_is_whole(void **state)
{
	struct end judge = { 0 };
	int enemy = open_enemy(&judge);
	struct packet p;

	(void)state;
	first_piece(&p, PIECE);
	throw_packet(enemy, &p, 0);
	settle();
	channel_set_phase(judge.channel, PHASE_SETUP);
	start_packet(&p, MSG_call_propose, 0);
	packet_pad(&p, HEADER + 17);
	throw_packet(enemy, &p, 0);
	assert_refused(&judge, enemy, "not permitted now", 0);
}

static void the_handler_may_end_the_phase(void **state)
{
	struct end judge = { .next_phase = PHASE_SETUP };
	int enemy = open_enemy(&judge);
	struct packet p;

	(void)state;
	good_packet(&p);
	throw_packet(enemy, &p, 0);
	throw_packet(enemy, &p, 0);
	assert_refused(&judge, enemy, "not permitted now", 1);
}
/* ---- too many descriptors of one user on their way ---- */

/* An ordinary user with few descriptors: the kernel then refuses to carry more of them than that. */
static void become_poor(void)
{
	struct rlimit few = { 40, 40 };

	setrlimit(RLIMIT_NOFILE, &few);
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0))
		_exit(77);
}

/* The socket is writable all the while: who waits for that does not wait at all. */
static int waits_to_write(const struct event_base *base, const struct event *event, void *arg)
{
	(void)base;
	(void)arg;
	return event_pending(event, EV_WRITE, NULL);
}

/* Other pairs are filled until the kernel refuses; then the channel queues, waits, and sends when there is room again. */
static int outlast_the_limit(void)
{
	struct end gateway = { 0 }, judge = { 0 };
	int hoard[2], pair[2];
	char byte[64];

	pair_of(hoard);
	pair_of(pair);
	become_poor();
	for (int i = 0; i < 12; i++) {
		int fds[8] = { 0 };
		union {
			struct cmsghdr align;
			char bytes[CMSG_SPACE(sizeof(fds))];
		} control = { 0 };
		struct iovec iov = { .iov_base = byte, .iov_len = 1 };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(fds));
		memcpy(CMSG_DATA(c), fds, sizeof(fds));
		if (sendmsg(hoard[0], &msg, MSG_DONTWAIT) < 0)
			break;
	}
	if (errno != ETOOMANYREFS)
		return 77;
	open_end(&judge, pair[0], PROCESS_JUDGE, PROCESS_GATEWAY);
	open_end(&gateway, pair[1], PROCESS_GATEWAY, PROCESS_JUDGE);
	if (send_output(&judge, 0) < 0 || channel_queued(judge.channel) == 0)
		return 1;
	settle();
	if (event_base_foreach_event(loop, waits_to_write, NULL))
		return 3;
	close(hoard[1]);
	close(hoard[0]);
	run_until(&gateway.messages, 1);
	return gateway.broken || judge.broken || channel_queued(judge.channel) ? 2 : 0;
}

static void a_full_allowance_of_descriptors_is_outlasted(void **state)
{
	pid_t pid = fork();
	int status = 0;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(60); /* should it wait for what never comes */
		_exit(outlast_the_limit());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("skipped: this kernel or user has no such limit\n");
		return;
	}
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(garbage_is_refused),
		CASE(a_packet_too_large_is_refused),
		CASE(a_packet_without_bytes_is_refused),
		CASE(wrong_numbers_of_descriptors_are_refused),
		CASE(a_descriptor_for_which_there_is_no_room_is_refused),
		CASE(one_descriptor_more_than_ever_is_refused),
		CASE(a_missing_descriptor_is_refused),
		CASE(descriptors_on_a_later_piece_are_refused),
		CASE(descriptors_of_half_a_message_are_let_go),
		CASE(interleaved_messages_are_refused),
		CASE(an_empty_later_piece_is_refused),
		CASE(small_pieces_are_refused),
		CASE(a_message_without_end_is_refused),
		CASE(a_large_message_of_a_small_type_is_refused),
		CASE(closing_mid_message_is_told),
		CASE(the_table_says_who_and_when),
		CASE(a_new_channel_is_in_setup),
		CASE(once_is_once),
		CASE(the_phase_counts_when_the_message_is_whole),
		CASE(the_handler_may_end_the_phase),
		CASE(a_full_allowance_of_descriptors_is_outlasted),
	};

	return RUN_ENDS(tests);
}
