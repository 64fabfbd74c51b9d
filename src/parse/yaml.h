/*
 * YAML for files that people write (YAML 1.2.2, read by libyaml), into the tree of parse/json.h with line and column. It is a
 * deliberate subset, so that a file has one reading whoever reads it:
 *
 *   - one document; string keys; no anchors, aliases, tags, merge keys or "%" directives other than "%YAML 1.2"; no duplicate keys;
 *   - a plain scalar is null, true, false or a number by the core schema, and otherwise a string; `yes`, `no`, `on` and `off` are
 *     strings; a number is written as in JSON, and what other readers would take for a number (0x10, 0o17, 012, +5, .5, 5., 1_000,
 *     1:30, .inf, .nan) is refused: it has to be quoted or written plainly. A quoted or block scalar is always a string;
 *   - strict UTF-8 without a byte order mark; lines end in LF or CR LF; characters that fold or reorder lines on a screen without
 *     showing (U+0085, U+2028, U+2029, U+FEFF, bidirectional controls) stand as escapes in double quotes or not at all.
 *
 * Columns count characters, not bytes, and a tab is one.
 */
#pragma once

#include "parse/json.h"

enum { YAML_FAULTS_MAX = 32, YAML_FAULT_TEXT = 320 };

struct yaml_fault {
	uint32_t line, column; /* 1-based */
	char text[YAML_FAULT_TEXT]; /* one printable line; pieces of the file in it are escaped and short */
};

struct yaml_faults {
	struct yaml_fault list[YAML_FAULTS_MAX]; /* in the order of the source; the first ones when there are more */
	size_t count;
	bool whole; /* the document was read to its end all the same */
};

extern const struct json_limits yaml_limits_default; /* 1 MiB, 64 deep, 100,000 items */

/*
 * Parses one document. 0, -EINVAL with at least one fault, -ENOMEM. The tree lives in `arena` and borrows nothing from `input`.
 * With -EINVAL and faults->whole, *ret_value is written too, so that a caller can go on to look for further mistakes to report; it is fit
 * for nothing else (an alias stands as null, a repeated key is there twice). Every other failure leaves *ret_value as it was.
 */
int yaml_parse(struct arena *arena, struct slice input, const struct json_limits *limits, struct json *ret_value,
	       struct yaml_faults *ret_faults);
