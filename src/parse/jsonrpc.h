/*
 * JSON-RPC 2.0 as the Model Context Protocol uses it (revision 2025-11-25): one message a line, no batches, ids that are strings or
 * integers, params and results that are objects. Read strictly: each kind has exactly its members, and nothing else is passed over.
 */
#pragma once

#include "parse/json.h"

enum {
	JSONRPC_ID_BYTES = 256,     /* of an id that is a string, decoded */
	JSONRPC_METHOD_BYTES = 256, /* at least 1 */
};

enum jsonrpc_kind { JSONRPC_REQUEST, JSONRPC_NOTIFICATION, JSONRPC_RESULT, JSONRPC_ERROR };

struct jsonrpc_message {
	enum jsonrpc_kind kind;
	struct json id;      /* JSON_NULL for a notification, and for an error that answers nothing in particular */
	struct slice method; /* of a request or notification */
	/* In the arena; NULL where the kind has none. `params` may be NULL for a request or notification, too. */
	const struct json *params, *result, *error;
};

/* Why a line is not a message. */
enum jsonrpc_fault {
	JSONRPC_OK,
	JSONRPC_BAD_JSON, /* struct json_fault says what */
	JSONRPC_BATCH,    /* an array, which MCP no longer has */
	JSONRPC_NOT_OBJECT,
	JSONRPC_BAD_VERSION, /* "jsonrpc" is not "2.0" */
	JSONRPC_BAD_KIND,    /* not exactly one of method, result and error */
	JSONRPC_BAD_MEMBER,  /* one that its kind does not have */
	JSONRPC_BAD_ID,      /* missing, or not as jsonrpc_id_valid has it */
	JSONRPC_BAD_METHOD,
	JSONRPC_BAD_PARAMS, /* not an object */
	JSONRPC_BAD_RESULT, /* not an object */
	JSONRPC_BAD_ERROR,  /* not an object of an integer code, a message, and perhaps data */
};

/* The codes of the specification, section 5.1. */
enum jsonrpc_code {
	JSONRPC_PARSE_ERROR = -32700,
	JSONRPC_INVALID_REQUEST = -32600,
	JSONRPC_METHOD_NOT_FOUND = -32601,
	JSONRPC_INVALID_PARAMS = -32602,
	JSONRPC_INTERNAL_ERROR = -32603,
};

/* A short sentence fragment for people. */
const char *jsonrpc_fault_text(enum jsonrpc_fault fault);

/*
 * Reads one line, with or without its newline. JSONRPC_OK, or the fault; for JSONRPC_BAD_JSON also *json_fault when that is not
 * NULL. What *ret_message points at lives in the arena.
 */
enum jsonrpc_fault jsonrpc_parse(struct arena *arena, struct slice line, const struct json_limits *limits,
				 struct jsonrpc_message *ret_message, struct json_fault *json_fault);

/*
 * An id that everybody reads alike: a string of at most JSONRPC_ID_BYTES, or an integer within +-2^53 that is written as one (no
 * fraction, no exponent, no -0). Two valid ids are equal when type and text are.
 */
bool jsonrpc_id_valid(const struct json *id);

static inline bool jsonrpc_id_equal(const struct json *a, const struct json *b)
{
	return a->type == b->type && slice_eq(a->text, b->text);
}

/*
 * Append one line, canonical JSON and a newline. `params` and `data` may be NULL for none; `id` of an error may be NULL for null.
 * 0 or what json_write gives; on failure `out` is as it was.
 */
int jsonrpc_write_request(struct buf *out, const struct json *id, struct slice method, const struct json *params);
int jsonrpc_write_notification(struct buf *out, struct slice method, const struct json *params);
int jsonrpc_write_result(struct buf *out, const struct json *id, const struct json *result);
int jsonrpc_write_error(struct buf *out, const struct json *id, int64_t code, struct slice message, const struct json *data);
