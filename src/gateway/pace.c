/*
 * Pacing. The judge serves every session in turn. What one session's strangers say beyond that waits here, and when it is too much,
 * they are not read: a queue that fills would end a channel, and large arguments wait in the judge and on their way to the record,
 * where others want to go, too.
 */
#include "gateway/gateway.h"

enum {
	JUDGE_QUEUE_HIGH = 1024 * 1024, /* bytes on their way to the judge */
	LOOK_MS = 5,                    /* a channel tells nobody that its queue has gone */
};

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	pace(arg);
}

static void look_again(struct gateway *g)
{
	if (!g->pace_timer)
		g->pace_timer = evtimer_new(g->loop, on_look, g);
	if (!g->pace_timer || event_add(g->pace_timer, &(struct timeval){ .tv_usec = LOOK_MS * 1000 }) < 0)
		agent_end(g, "out of memory");
}

void pace(struct gateway *g)
{
	bool complete = g->judge && g->quiet, slow = complete && channel_queued(g->judge) > JUDGE_QUEUE_HIGH;

	/* That a call runs is only learned by looking. */
	if (complete && g->undecided > SESSION_UNDECIDED_MAX) {
		g->proposed = 0;
		channel_drain(g->quiet);
	}
	if (g->agent_in)
		reader_pause(g->agent_in, !complete || slow || g->undecided > SESSION_UNDECIDED_MAX || g->call_count >= SESSION_CALLS_MAX);
	if (g->server_in)
		reader_pause(g->server_in, slow || g->agent_slow);
	if (slow || g->undecided > SESSION_UNDECIDED_MAX)
		look_again(g);
}
