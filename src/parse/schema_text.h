/* Texts for faults: printable whatever goes in, cut with "..." where they would be too long. */
#pragma once

#include "base/slice.h"

struct text {
	char *to;
	size_t size, len; /* of `to`, its NUL included; used */
	bool cut;
};

/* An empty text over an array that is as large as a fault's. */
struct text text_over(char *to, size_t size);

void text_add(struct text *t, const char *s);
void text_addf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Anybody's bytes, made printable; at most `most` characters of output and then "...". */
void text_add_shown(struct text *t, struct slice s, size_t most);

/* The same of a regular expression, whose backslashes stay as they are: what is escaped means the same in it. */
void text_add_pattern(struct text *t, struct slice pattern, size_t most);

/* The same as a token of a JSON Pointer, "/" in front. */
void text_add_token(struct text *t, struct slice token);
