/*
 * `format` of JSON Schema as an assertion: pure functions over strings, each by the RFC that the specification names.
 * The work is linear in the string.
 */
#pragma once

#include "base/slice.h"

enum {
	FORMAT_UNKNOWN = -1, /* nobody's format: an annotation, by the specification */
	FORMAT_REFUSED = -2, /* a format of the specification that is not checked here, so a schema that names it is refused */
};

/* The format's number (0 and up) for format_check, or one of the above. */
int format_find(struct slice name);

/* True when `s` (well-formed UTF-8) is of the format. */
bool format_check(int format, struct slice s);

/* What checking `len` bytes costs, in steps of about 16 bytes read. */
size_t format_steps(int format, size_t len);

/* "an e-mail address": what `must be` is followed by. */
const char *format_what(int format);
