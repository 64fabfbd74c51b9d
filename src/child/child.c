#include "child/child.h"

#include <errno.h>

#include "base/log.h"

int child_begin(enum process self, const struct channel_ops *ops, void *ctx, struct child *ret_child)
{
	struct event_config *config = event_config_new();
	struct child c = { .self = self };
	int r;

	log_init(process_name(self), LOG_INFO);
	if (!config)
		return -ENOMEM;
	/* No threads use the loop, and the monotonic clock of milliseconds is enough: no timerfd, no locks. */
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	c.loop = event_base_new_with_config(config);
	event_config_free(config);
	if (!c.loop)
		return -ENOMEM;
	r = channel_new(c.loop, FD_INIT_CHANNEL, self, PROCESS_INIT, ops, ctx, &c.init);
	if (r < 0)
		return r;
	*ret_child = c;
	return 0;
}

static bool may_send(const struct child *child, enum message_type type)
{
	return message_rule(type)->senders & 1U << child->self;
}

void child_fatal(struct child *child, const char *why)
{
	struct msg_fatal fatal = { .why = slice_str(why) };

	log_error("%s", why);
	if (may_send(child, MSG_fatal))
		channel_send(child->init, MSG_fatal, &fatal);
}

void child_misbehaved(struct child *child, enum process peer, uint64_t session, const char *why)
{
	struct msg_misbehaved m = { .role = (uint8_t)peer, .session = session, .why = slice_str(why) };

	log_error("the channel to %s broke: %s", process_name(peer), why);
	if (peer != PROCESS_INIT && child->init && may_send(child, MSG_misbehaved))
		channel_send(child->init, MSG_misbehaved, &m);
}

int child_confine_self(struct child *child, const struct confine_plan *plan)
{
	struct confine_fault fault;
	int r = confine_self(plan, &child->report, &fault);

	if (r < 0)
		child_fatal(child, fault.text);
	return r;
}

int child_ready(struct child *child)
{
	struct msg_ready ready = { .report = slice_of(&child->report, sizeof(child->report)) };
	int r = channel_send(child->init, MSG_ready, &ready);

	if (r == 0)
		channel_set_phase(child->init, PHASE_SERVING);
	return r;
}

int child_confine(struct child *child, const struct confine_plan *plan)
{
	int r = child_confine_self(child, plan);

	return r < 0 ? r : child_ready(child);
}

int child_run(struct child *child)
{
	if (event_base_dispatch(child->loop) < 0)
		return 1;
	if (child->init)
		channel_flush(child->init);
	return 0;
}

int child_connect(struct child *child, enum process peer, int fd, const struct channel_ops *ops, void *ctx, struct channel **ret_channel)
{
	int r = channel_new(child->loop, fd, child->self, peer, ops, ctx, ret_channel);

	if (r == 0)
		channel_set_phase(*ret_channel, PHASE_SERVING);
	return r;
}
