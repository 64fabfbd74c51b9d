/*
 * Both ends of a channel for the tests of channels, and a peer that sends whatever bytes it likes. An end keeps what it was told; its
 * message handler does what the test asks of it. Everything fails the running test by cmocka's assertions.
 */
#pragma once

#include <event2/event.h>

#include "ipc/channel.h"

enum { HEADER = 4, MORE = 1, PIECE = 48 * 1024, LARGE = 8 * 1024 * 1024 };

/* What one end has seen, and what its handler does. */
struct end {
	struct channel *channel;
	unsigned messages, broken;
	enum message_type last;
	size_t last_len;
	bool last_intact;
	bool has_why;
	char why[128];
	bool free_in_message, free_in_broken;
	struct channel **also_free;     /* another channel that the message handler frees */
	struct end *drain;              /* another end that the message handler drains */
	bool send_in_message;           /* answers each message, whatever becomes of it */
	int send_result;
	enum channel_phase next_phase;  /* set by the message handler when not 0 */
	int fds[MESSAGE_FDS_MAX];       /* taken when take_fds */
	bool take_fds;
	int refill;                     /* the message handler has this peer send another one, while refills is not 0 */
	unsigned refills;
};

extern struct event_base *loop; /* of the running test */
extern char *large;             /* LARGE + 1 bytes that do not repeat soon */
extern const struct channel_ops end_ops;

/* Before and after each test: tear_down fails when not the same number of descriptors is open. */
int ends_set_up(void **state);
int ends_tear_down(void **state);
#define CASE(name) cmocka_unit_test_setup_teardown(name, ends_set_up, ends_tear_down)

/* Runs the group with `large` made. */
#define RUN_ENDS(tests) (ends_prepare() ? 1 : ends_finish(cmocka_run_group_tests(tests, NULL, NULL)))
int ends_prepare(void);
int ends_finish(int failed);

unsigned ends_open_fds(void);
void pair_of(int pair[2]);

/* A channel in PHASE_SERVING; the two of a gateway and a judge; the judge's alone, the other end returned. */
void open_end(struct end *e, int fd, enum process self, enum process peer);
void open_both(struct end *gateway, struct end *judge);
int open_enemy(struct end *judge);
void end_close(struct end *e);

/* Runs what is ready until nothing is; until a count is reached. */
void settle(void);
void run_until(const unsigned *count, unsigned wanted);

/* A call_propose with `len` bytes of `large` as arguments; a server_output; any message that this end may send. */
int send_propose(struct end *e, size_t len);
int send_output(struct end *e, int fd);
int send_something(struct end *e);

/* One packet as it travels. */
struct packet {
	char bytes[HEADER + PIECE + 64];
	size_t len;
};

void start_packet(struct packet *p, unsigned type, unsigned flags);
void packet_add(struct packet *p, uint64_t n, size_t size);
void packet_pad(struct packet *p, size_t len);

/* A whole small message that a gateway may send; the first piece of a call_propose of `len` bytes of arguments. */
void good_packet(struct packet *p);
void first_piece(struct packet *p, uint32_t len);

void throw_bytes(int fd, const char *bytes, size_t len, size_t fd_count);
void throw_packet(int fd, const struct packet *p, size_t fd_count);

/*
 * The end is told once that its peer is refused, with a reason that has `part` in it (NULL: no reason), having got `messages` before;
 * what `enemy` (-1: closed) sends afterwards is not read. Closes both. refuse_packet: of a judge that is sent just this.
 */
void assert_refused(struct end *e, int enemy, const char *part, unsigned messages);
void refuse_packet(const struct packet *p, size_t fd_count, const char *part);
