#include "judge/status.h"

#include <errno.h>

#include "judge/server.h"

static int write_servers(const struct judge *judge, struct buf *out)
{
	int r = buf_add_str(out, "\"servers\":[");

	for (size_t i = 0; r == 0 && i < policy_server_count(judge->policy); i++) {
		r = buf_add_str(out, i ? "," : "");
		if (r == 0)
			r = json_write_string(out, slice_str(policy_server_at(judge->policy, i)->name));
	}
	return r < 0 ? r : buf_add_str(out, "],");
}

static int write_agents(const struct judge *judge, struct buf *out)
{
	int r = buf_add_str(out, "\"agents\":[");

	for (size_t i = 0; r == 0 && i < policy_agent_count(judge->policy); i++) {
		r = buf_add_str(out, i ? "," : "");
		if (r == 0)
			r = json_write_string(out, slice_str(policy_agent_at(judge->policy, i)));
	}
	return r < 0 ? r : buf_add_str(out, "],");
}

static int write_session(const struct session *s, struct buf *out)
{
	cleanup_arena struct arena arena = ARENA_INIT(16384);
	struct fields f = FIELDS_INIT(&arena);
	struct json object;

	fields_u64(&f, "session", s->id);
	fields_text(&f, "agent", slice_str(s->agent));
	fields_text(&f, "server", slice_str(server_name(s->server)));
	fields_text(&f, "state", slice_str(server_state_name(server_state(s->server))));
	fields_u64(&f, "pid", server_pid(s->server));
	fields_u64(&f, "starts", server_starts(s->server));
	fields_u64(&f, "tools", server_tool_count(s->server));
	fields_u64(&f, "calls", s->call_count);
	object = fields_object(&f);
	return f.failed ? -ENOMEM : json_write(out, &object);
}

int status_write(const struct judge *judge, struct buf *out)
{
	int r = 0;

	if (!judge->policy)
		return buf_add_str(out, "\"servers\":[],\"agents\":[],\"sessions\":[]");
	r = write_servers(judge, out);
	if (r == 0)
		r = write_agents(judge, out);
	if (r == 0)
		r = buf_add_str(out, "\"sessions\":[");
	for (const struct session *s = judge->sessions; r == 0 && s; s = s->next) {
		r = buf_add_str(out, s == judge->sessions ? "" : ",");
		if (r == 0)
			r = write_session(s, out);
	}
	return r < 0 ? r : buf_add_str(out, "]");
}
