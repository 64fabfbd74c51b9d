/* The terminal that a person sits at. A PIN is read from there and from nowhere else: never from standard input. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

enum { SECRET_MAX = 256 };

/* What was typed. Wiped by secret_wipe, on every way out of the function that holds it (cleanup_secret). */
struct secret {
	char bytes[SECRET_MAX];
	size_t len;
};

void secret_wipe(struct secret *secret);
#define cleanup_secret __attribute__((cleanup(secret_wipe)))

static inline struct slice secret_slice(const struct secret *secret)
{
	return slice_of(secret->bytes, secret->len);
}

/* The controlling terminal (/dev/tty), or -errno: -ENXIO and -ENOENT when there is none. The caller closes it. */
int terminal_open(void);

/*
 * Shows `prompt` and reads one line without echo. What was typed before the prompt does not count. Ctrl-C, Ctrl-Z and what else ends or stops a
 * process find the terminal as it was; after Ctrl-Z and `fg` it asks again. While it asks, and from then on, no process of the same user may look
 * into this one. 0; -ECANCELED when the line ends without a line feed (Ctrl-D, a terminal that is gone); -EMSGSIZE when it is longer than
 * SECRET_MAX; -errno.
 */
int terminal_ask(int terminal, const char *prompt, struct secret *ret_secret);

/* The columns of a terminal, 80 when it does not say; 0 when `fd` is none. */
unsigned terminal_columns(int fd);

/* What the locale says of the terminal: LC_ALL, else LC_CTYPE, else LANG. May letters of ambiguous width take two columns (Chinese, Japanese, Korean)? */
bool terminal_is_wide(void);

/* Does it read UTF-8? When nothing says so, no. */
bool terminal_is_utf8(void);
