/*
 * JSON (RFC 8259), read strictly: one value, strict UTF-8, no duplicate member, stated limits. There is one reading: what was
 * judged is what is sent on, written out again canonically (RFC 8785), never the original bytes.
 *
 * A tree lives in the arena that it was parsed into; its slices borrow from that arena, never from the input.
 * Numbers keep their text as written; a number whose double overflows is refused, since readers disagree about it.
 *
 * The arena needs room for the input once, 32 bytes for each element of an array and 56 for each member of an object. While it
 * works, the parser takes as much again from malloc, but no more than the arena's maximum.
 */
#pragma once

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"

enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
	enum json_type type;
	uint32_t line, column; /* 1-based where the source has them (YAML, policy); 0 otherwise */
	uint32_t count;        /* elements or members */
	union {
		struct slice text;           /* JSON_STRING: decoded UTF-8, may hold NUL; JSON_NUMBER: as written */
		struct json *items;          /* JSON_ARRAY: `count` elements */
		struct json_member *members; /* JSON_OBJECT: `count` members in the order of the source */
	};
};

struct json_member {
	struct slice name;
	uint32_t line, column; /* of the name */
	struct json value;
};

/* What a document may hold at most. */
struct json_limits {
	size_t bytes;   /* input length */
	unsigned depth; /* nested containers; a scalar has depth 0. JSON_DEPTH_MAX is the most that is granted */
	size_t items;   /* values of all kinds, and member names do not count */
};

enum {
	JSON_DEPTH_MAX = 1024, /* of any tree, however made: what walks a tree (json_write, json_pack, json_equal) goes no deeper */
	/* Of a number's text; a canonical one always keeps within them when the number that it was made from did. */
	JSON_NUMBER_BYTES = 4096,
	JSON_NUMBER_DIGITS = 4000,   /* significant ones */
	JSON_NUMBER_EXPONENT = 9999, /* absolute, with one digit before the dot; a zero has none */
};

/* The limits for what a stranger sends. */
extern const struct json_limits json_limits_default; /* 16 MiB, 64 deep, 1,000,000 items */

enum json_error {
	JSON_OK,
	JSON_SYNTAX,    /* not RFC 8259 */
	JSON_UTF8,      /* malformed UTF-8, a byte order mark, or a lone surrogate escape */
	JSON_DUPLICATE, /* two members of one name (after decoding escapes) */
	JSON_DEPTH,
	JSON_ITEMS,
	JSON_BYTES,
	JSON_RANGE,  /* a number that overflows a double, or is beyond JSON_NUMBER_BYTES, _DIGITS or _EXPONENT */
	JSON_MEMORY, /* the arena's maximum, or no memory */
};

struct json_fault {
	enum json_error error;
	size_t offset; /* byte at which it was seen */
};

/* A short sentence fragment for people: "a member name appears twice". */
const char *json_error_text(enum json_error error);

/* Parses exactly one value, white space around it allowed. JSON_OK, or the error (also in *fault when that is not NULL). */
enum json_error json_parse(struct arena *arena, struct slice input, const struct json_limits *limits, struct json *ret_value,
			   struct json_fault *fault);

/* The member's value, or NULL when `object` is not an object or has none of that name. */
const struct json *json_get(const struct json *object, struct slice name);

/* json_get, and NULL as well when it is not of that type. */
const struct json *json_get_type(const struct json *object, struct slice name, enum json_type type);

static inline bool json_is(const struct json *v, enum json_type type)
{
	return v && v->type == type;
}

static inline bool json_is_bool(const struct json *v)
{
	return v && (v->type == JSON_TRUE || v->type == JSON_FALSE);
}

/* Of a text from elsewhere (YAML) that is to be a number: JSON_OK, JSON_SYNTAX or JSON_RANGE, as json_parse would say. */
enum json_error json_number_check(struct slice text);

/* The integer that a number denotes exactly (5, 5.0 and 0.5e1 are 5): 0, -EINVAL not an integer, -ERANGE. */
int json_int64(const struct json *number, int64_t *ret_n);

/* The nearest double. `number` is a JSON_NUMBER from json_parse, so it is finite. */
double json_double(const struct json *number);

/* Compares the exact decimal values of two number texts, whatever their size: <0, 0, >0. */
int json_number_cmp(struct slice a, struct slice b);

/* Equal as JSON values: numbers by exact value, objects without regard to order (JSON Schema 2020-12, core, 4.2.2). */
bool json_equal(const struct json *a, const struct json *b);

/*
 * Appends the canonical form (RFC 8785, JCS): members sorted by UTF-16 code units, shortest strings and numbers.
 *
 * A number that a double cannot hold without changing its decimal value (an integer beyond 2^53, say, or 333333333.33333329, which
 * ES6 would shorten) is written with all its digits instead, so that nobody is sent another value than was judged: laid out as
 * ES6 does, except that above 10^21 it has no exponent. Equal values are therefore always written alike, and nothing else is.
 *
 * 0, -EMSGSIZE (too deep, too), -ENOMEM; -EINVAL for a tree that no parser makes, with a string that is not well-formed UTF-8.
 * On failure `out` is as it was.
 */
int json_write(struct buf *out, const struct json *value);

/* Appends a string literal in canonical form, quotes included. `s` must be well-formed UTF-8, else -EINVAL. */
int json_write_string(struct buf *out, struct slice s);

/* Appends the shortest digits that read back as `v`, as ES6 and RFC 8785 have them. -EINVAL when it is not finite. */
int json_write_double(struct buf *out, double v);

/*
 * The packed form, in which a decoded value travels between processes: bounded binary, no second grammar to disagree about.
 * json_unpack is as strict as json_parse (UTF-8, duplicates, number syntax and range, limits, no leftover bytes) and takes only
 * what json_pack can have written; its sender may be hostile. 0, or -EMSGSIZE/-ENOMEM (pack), -EBADMSG/-ENOMEM (unpack).
 */
int json_pack(struct buf *out, const struct json *value);
int json_unpack(struct arena *arena, struct slice packed, const struct json_limits *limits, struct json *ret_value);
