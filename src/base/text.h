/* Text helpers: strict UTF-8, range-checked numbers, hex, safe display, spelling distance. */
#pragma once

#include <stdarg.h>
#include <stdint.h>

#include "base/buf.h"

/* True when `s` is well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF). */
bool utf8_valid(struct slice s);

/* Decodes one code point at s[*at] of well-formed UTF-8 and advances *at; -1 at the end or on a malformed byte. */
int32_t utf8_next(struct slice s, size_t *at);

/* How many code points well-formed UTF-8 holds. */
size_t utf8_length(struct slice s);

/* A decimal number without sign, leading zeros or spaces, in [min, max]: 0, -EINVAL, -ERANGE. */
int text_u64(struct slice s, uint64_t min, uint64_t max, uint64_t *ret_n);

/* Lower-case hex. out has room for 2 * len bytes; no NUL is written. */
void text_hex(const void *bytes, size_t len, char *out);

/* The reverse; s.len must be 2 * len. 0 or -EINVAL. Upper and lower case are read. */
int text_unhex(struct slice s, void *ret_bytes, size_t len);

/*
 * Appends `s` for display on a terminal or in a log line: printable ASCII and well-formed printable Unicode stay; control
 * characters, malformed bytes, bidirectional and invisible format characters become \xNN or \u{NNNN}; backslash is doubled.
 * 0 or a buf error.
 */
int text_escape(struct buf *out, struct slice s);

/*
 * snprintf for a text that travels or is recorded: what does not fit is cut between two characters, never within one, and ends in "...".
 * `size` is at least 4.
 */
void text_format(char *out, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
void text_vformat(char *out, size_t size, const char *format, va_list args) __attribute__((format(printf, 3, 0)));

/* Microseconds since 1970 as RFC 3339, UTC, microseconds: 27 bytes and a NUL. No time zone file is read. */
void text_time(uint64_t us, char ret_text[32]);

/* The candidate nearest in spelling to `word` when it is near enough to be meant (Levenshtein <= 2 and < half), else NULL. */
const char *text_nearest(struct slice word, const char *const *candidates, size_t count);
