/* skim on any line: the pieces that it comes in change nothing, and what is claimed is what json_parse and jsonrpc_parse see. */
#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"
#include "parse/jsonrpc.h"
#include "parse/skim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct json_limits limits = { .bytes = 1 << 20, .depth = SKIM_EXACT, .items = 1 << 20 };

static void require(bool held)
{
	if (!held)
		abort();
}

static bool same_text(struct slice a, struct slice b)
{
	return (a.ptr == NULL) == (b.ptr == NULL) && slice_eq(a, b);
}

/* In pieces whose lengths come from the line itself. */
static void skim_pieces(struct skim *s, struct slice line, struct skim_found *found)
{
	size_t at = 0;

	skim_start(s);
	while (at < line.len) {
		size_t piece = ((unsigned char)line.ptr[at] & 7) + 1;

		piece = piece < line.len - at ? piece : line.len - at;
		skim_feed(s, slice_of(line.ptr + at, piece));
		at += piece;
	}
	skim_finish(s, found);
}

/* What is claimed of a line that is JSON is what stands there. */
static void check_against_tree(const struct skim_found *f, const struct json *v)
{
	const struct json *id = json_get(v, SLICE("id")), *method = json_get(v, SLICE("method"));
	const struct json *tool = json_get(json_get(v, SLICE("params")), SLICE("name"));

	require(f->id.type == JSON_NULL || (id && jsonrpc_id_equal(&f->id, id)));
	require(!f->method.ptr || (json_is(method, JSON_STRING) && slice_eq(f->method, method->text)));
	require(!f->tool.ptr || (json_is(tool, JSON_STRING) && slice_eq(f->tool, tool->text)));
}

static void check_against_message(struct arena *a, struct slice line, const struct skim_found *f)
{
	struct jsonrpc_message m;

	if (jsonrpc_parse(a, line, &limits, &m, NULL) != JSONRPC_OK)
		return;
	/* The one reason to say less: a NUL in a name, perhaps written as an escape. */
	if (memmem(line.ptr, line.len, "\\u0000", 6))
		return;
	require(jsonrpc_id_equal(&f->id, &m.id) && slice_eq(f->method, m.method));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_arena struct arena a = ARENA_INIT((size_t)256 << 20);
	struct slice line = slice_of(data, size);
	struct skim_found whole, pieces;
	struct skim s, t;
	struct json v;
	bool claims;

	skim_start(&s);
	skim_feed(&s, line);
	skim_finish(&s, &whole);
	skim_pieces(&t, line, &pieces);
	require(jsonrpc_id_equal(&whole.id, &pieces.id) && same_text(whole.method, pieces.method) &&
		same_text(whole.tool, pieces.tool));

	claims = whole.id.type != JSON_NULL || whole.method.ptr || whole.tool.ptr;
	switch (json_parse(&a, line, &limits, &v, NULL)) {
	case JSON_OK:
		check_against_tree(&whole, &v);
		check_against_message(&a, line, &whole);
		break;
	case JSON_SYNTAX:
		require(!claims);
		break;
	case JSON_UTF8:
		require(!claims || utf8_valid(line)); /* half a surrogate pair in a text that does not matter */
		break;
	case JSON_DUPLICATE:
	case JSON_DEPTH:
	case JSON_ITEMS:
	case JSON_BYTES:
	case JSON_RANGE:
	case JSON_MEMORY:
		break;
	}
	return 0;
}
