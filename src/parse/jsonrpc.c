#include "parse/jsonrpc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define ID_MAX (INT64_C(1) << 53)

enum { MOST_MEMBERS = 4 };

/* The members of a message, and the kinds that may have each. */
enum {
	REQUEST = 1 << JSONRPC_REQUEST,
	NOTIFICATION = 1 << JSONRPC_NOTIFICATION,
	RESULT = 1 << JSONRPC_RESULT,
	ERROR = 1 << JSONRPC_ERROR
};

static const struct {
	struct slice name;
	unsigned kinds;
} known_members[] = {
	{ { "jsonrpc", 7 }, REQUEST | NOTIFICATION | RESULT | ERROR },
	{ { "id", 2 }, REQUEST | RESULT | ERROR },
	{ { "method", 6 }, REQUEST | NOTIFICATION },
	{ { "params", 6 }, REQUEST | NOTIFICATION },
	{ { "result", 6 }, RESULT },
	{ { "error", 5 }, ERROR },
};

const char *jsonrpc_fault_text(enum jsonrpc_fault fault)
{
	static const char *const texts[] = {
		[JSONRPC_OK] = "no error",
		[JSONRPC_BAD_JSON] = "the line is not acceptable JSON",
		[JSONRPC_BATCH] = "batches are not taken",
		[JSONRPC_NOT_OBJECT] = "a message is an object",
		[JSONRPC_BAD_VERSION] = "\"jsonrpc\" must be \"2.0\"",
		[JSONRPC_BAD_KIND] = "a message has exactly one of \"method\", \"result\" and \"error\"",
		[JSONRPC_BAD_MEMBER] = "the message has a member that does not belong there",
		[JSONRPC_BAD_ID] = "\"id\" must be a short string or an integer",
		[JSONRPC_BAD_METHOD] = "\"method\" must be a short string",
		[JSONRPC_BAD_PARAMS] = "\"params\" must be an object",
		[JSONRPC_BAD_RESULT] = "\"result\" must be an object",
		[JSONRPC_BAD_ERROR] = "\"error\" must have an integer \"code\" and a \"message\"",
	};
	size_t i = (size_t)fault;

	return i < sizeof(texts) / sizeof(*texts) ? texts[i] : "unknown fault";
}

/* As JavaScript and everybody else writes an integer. */
static bool is_plain_integer(struct slice text)
{
	size_t sign = text.len && text.ptr[0] == '-', digits = text.len - sign;

	if (digits == 0 || (text.ptr[sign] == '0' && text.len > 1))
		return false;
	for (size_t i = sign; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
	}
	return true;
}

bool jsonrpc_id_valid(const struct json *id)
{
	int64_t n;

	if (json_is(id, JSON_STRING))
		return id->text.len <= JSONRPC_ID_BYTES;
	return json_is(id, JSON_NUMBER) && is_plain_integer(id->text) && json_int64(id, &n) == 0 && n >= -ID_MAX && n <= ID_MAX;
}

static bool kind_of(const struct json *object, enum jsonrpc_kind *ret_kind)
{
	bool method = json_get(object, SLICE("method")), result = json_get(object, SLICE("result"));
	bool error = json_get(object, SLICE("error"));

	if (method + result + error != 1)
		return false;
	if (method)
		*ret_kind = json_get(object, SLICE("id")) ? JSONRPC_REQUEST : JSONRPC_NOTIFICATION;
	else
		*ret_kind = result ? JSONRPC_RESULT : JSONRPC_ERROR;
	return true;
}

static bool members_belong(const struct json *object, enum jsonrpc_kind kind)
{
	for (uint32_t i = 0; i < object->count; i++) {
		bool belongs = false;

		for (size_t j = 0; j < sizeof(known_members) / sizeof(*known_members); j++)
			belongs |= (known_members[j].kinds >> kind & 1) && slice_eq(object->members[i].name, known_members[j].name);
		if (!belongs)
			return false;
	}
	return true;
}

static enum jsonrpc_fault take_id(const struct json *object, struct jsonrpc_message *m)
{
	const struct json *id = json_get(object, SLICE("id"));

	if (m->kind == JSONRPC_NOTIFICATION)
		return JSONRPC_OK;
	/* Who could not read a request cannot name it: the one kind whose id may be null, or missing as MCP's schema has it. */
	if (m->kind == JSONRPC_ERROR && (!id || id->type == JSON_NULL))
		return JSONRPC_OK;
	if (!jsonrpc_id_valid(id))
		return JSONRPC_BAD_ID;
	m->id = *id;
	return JSONRPC_OK;
}

static enum jsonrpc_fault take_call(const struct json *object, struct jsonrpc_message *m)
{
	const struct json *method = json_get_type(object, SLICE("method"), JSON_STRING);

	if (!method || method->text.len == 0 || method->text.len > JSONRPC_METHOD_BYTES)
		return JSONRPC_BAD_METHOD;
	m->method = method->text;
	m->params = json_get(object, SLICE("params"));
	return !m->params || m->params->type == JSON_OBJECT ? JSONRPC_OK : JSONRPC_BAD_PARAMS;
}

static enum jsonrpc_fault take_error(const struct json *object, struct jsonrpc_message *m)
{
	const struct json *error = json_get(object, SLICE("error"));
	const struct json *code = json_get_type(error, SLICE("code"), JSON_NUMBER);
	int64_t n;

	if (!code || json_int64(code, &n) < 0 || !json_get_type(error, SLICE("message"), JSON_STRING))
		return JSONRPC_BAD_ERROR;
	if (error->count != (json_get(error, SLICE("data")) ? 3 : 2))
		return JSONRPC_BAD_ERROR;
	m->error = error;
	return JSONRPC_OK;
}

static enum jsonrpc_fault take_body(const struct json *object, struct jsonrpc_message *m)
{
	switch (m->kind) {
	case JSONRPC_REQUEST:
	case JSONRPC_NOTIFICATION:
		return take_call(object, m);
	case JSONRPC_RESULT:
		m->result = json_get_type(object, SLICE("result"), JSON_OBJECT);
		return m->result ? JSONRPC_OK : JSONRPC_BAD_RESULT;
	case JSONRPC_ERROR:
		return take_error(object, m);
	}
	return JSONRPC_BAD_KIND;
}

static enum jsonrpc_fault take_message(const struct json *object, struct jsonrpc_message *m)
{
	const struct json *version = json_get_type(object, SLICE("jsonrpc"), JSON_STRING);
	enum jsonrpc_fault fault;

	if (object->type != JSON_OBJECT)
		return object->type == JSON_ARRAY ? JSONRPC_BATCH : JSONRPC_NOT_OBJECT;
	if (!version || !slice_eq(version->text, SLICE("2.0")))
		return JSONRPC_BAD_VERSION;
	if (!kind_of(object, &m->kind))
		return JSONRPC_BAD_KIND;
	if (!members_belong(object, m->kind))
		return JSONRPC_BAD_MEMBER;
	fault = take_id(object, m);
	return fault ? fault : take_body(object, m);
}

enum jsonrpc_fault jsonrpc_parse(struct arena *arena, struct slice line, const struct json_limits *limits,
				 struct jsonrpc_message *ret_message, struct json_fault *json_fault)
{
	struct jsonrpc_message m = { .id.type = JSON_NULL };
	enum jsonrpc_fault fault;
	struct json object;

	if (json_parse(arena, line, limits, &object, json_fault) != JSON_OK)
		return JSONRPC_BAD_JSON;
	fault = take_message(&object, &m);
	if (fault == JSONRPC_OK)
		*ret_message = m;
	return fault;
}

/* A message being put together; its parts are borrowed until it is written. */
struct draft {
	struct json_member members[MOST_MEMBERS];
	uint32_t count;
};

static void draft_add(struct draft *d, struct slice name, struct json value)
{
	d->members[d->count++] = (struct json_member){ .name = name, .value = value };
}

static void draft_text(struct draft *d, struct slice name, struct slice text)
{
	draft_add(d, name, (struct json){ .type = JSON_STRING, .text = text });
}

static int draft_write(struct buf *out, struct draft *d)
{
	struct json object = { .type = JSON_OBJECT, .count = d->count, .members = d->members };
	size_t start = out->len;
	int r = json_write(out, &object);

	if (r == 0)
		r = buf_add_char(out, '\n');
	if (r < 0)
		out->len = start;
	return r;
}

int jsonrpc_write_request(struct buf *out, const struct json *id, struct slice method, const struct json *params)
{
	struct draft d = { .count = 0 };

	draft_add(&d, SLICE("id"), *id);
	draft_text(&d, SLICE("jsonrpc"), SLICE("2.0"));
	draft_text(&d, SLICE("method"), method);
	if (params)
		draft_add(&d, SLICE("params"), *params);
	return draft_write(out, &d);
}

int jsonrpc_write_notification(struct buf *out, struct slice method, const struct json *params)
{
	struct draft d = { .count = 0 };

	draft_text(&d, SLICE("jsonrpc"), SLICE("2.0"));
	draft_text(&d, SLICE("method"), method);
	if (params)
		draft_add(&d, SLICE("params"), *params);
	return draft_write(out, &d);
}

int jsonrpc_write_result(struct buf *out, const struct json *id, const struct json *result)
{
	struct draft d = { .count = 0 };

	draft_add(&d, SLICE("id"), *id);
	draft_text(&d, SLICE("jsonrpc"), SLICE("2.0"));
	draft_add(&d, SLICE("result"), *result);
	return draft_write(out, &d);
}

int jsonrpc_write_error(struct buf *out, const struct json *id, int64_t code, struct slice message, const struct json *data)
{
	struct draft error = { .count = 0 }, d = { .count = 0 };
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRId64, code);

	draft_add(&error, SLICE("code"), (struct json){ .type = JSON_NUMBER, .text = slice_of(digits, (size_t)len) });
	if (data)
		draft_add(&error, SLICE("data"), *data);
	draft_text(&error, SLICE("message"), message);

	draft_add(&d, SLICE("error"), (struct json){ .type = JSON_OBJECT, .count = error.count, .members = error.members });
	draft_add(&d, SLICE("id"), id ? *id : (struct json){ .type = JSON_NULL });
	draft_text(&d, SLICE("jsonrpc"), SLICE("2.0"));
	return draft_write(out, &d);
}
