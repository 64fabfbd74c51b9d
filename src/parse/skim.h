/*
 * A first look at a line that json_parse refuses (too large, too deep, a repeated name), so that the refusal can still be
 * addressed: which id it is, which method, which tool. It reads piece by piece in constant memory, lines of any length and depth,
 * and the result is used for nothing but the answer to whoever wrote the line.
 *
 * Nothing is claimed that another reader could dispute: the whole line must be one JSON object by the grammar and well-formed UTF-8
 * (SKIM_EXACT levels deep; below, brackets are only counted), and a member counts only when it stands once in its place, also with
 * the case of ASCII letters ignored, and decodes cleanly. What is claimed of a line that jsonrpc_parse accepts is what that found.
 */
#pragma once

#include "parse/json.h"

enum {
	SKIM_BYTES = 256, /* of each text, decoded */
	SKIM_EXACT = 1024,
};

/* What is looked for. */
enum skim_what { SKIM_ID, SKIM_METHOD, SKIM_TOOL, SKIM_WHATS, SKIM_NAME = SKIM_WHATS, SKIM_NOTHING };

struct skim_text {
	char bytes[SKIM_BYTES];
	size_t len;
	bool seen, bad;
	enum json_type type;
};

struct skim {
	struct skim_text texts[SKIM_WHATS + 1]; /* what was found, and the member name being read */
	enum skim_what wanted;                  /* where the value that comes next belongs */
	enum skim_what capture;                 /* where the string or number being read goes */
	int state;                              /* what may come next */
	int after_string;                       /* the state when the string being read has ended */
	struct slice word;                      /* what is left of true, false or null */
	uint32_t unit, high;                    /* the escape being read; half of a surrogate pair */
	unsigned hex_digits;                    /* that the escape still lacks */
	unsigned char more, least, most;        /* UTF-8: continuation bytes to come, and the range of the next */
	uint64_t depth;
	uint64_t objects[SKIM_EXACT / 64]; /* a bit for each level: an object or an array */
	int deep_kind;                     /* of the innermost container, below that */
	bool params_next, params_seen, in_params;
};

struct skim_found {
	struct json id;            /* JSON_STRING or JSON_NUMBER as jsonrpc_id_valid has it; JSON_NULL when it is not known */
	struct slice method, tool; /* top-level "method"; "name" in top-level "params"; ptr is NULL when not known */
};

void skim_start(struct skim *s);

/* Any number of times, in pieces of any size. */
void skim_feed(struct skim *s, struct slice bytes);

/* After the last piece. The slices borrow from `s` until it is started again. */
void skim_finish(struct skim *s, struct skim_found *ret_found);
