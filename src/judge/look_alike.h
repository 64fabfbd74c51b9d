/*
 * Which names of tools a person or a model could take for one another. Names have only letters, digits and "_-./" (tools.c), so what
 * is alike is a short list: case; 0 and o; 1, l and i; rn and m; vv and w; and which separators there are, or whether there are any.
 */
#pragma once

#include "base/slice.h"

enum { LOOK_ALIKE_MAX = 128 }; /* bytes of a name */

/* What is the same for names that look alike, NUL-terminated. A longer name is cut. */
void look_alike(struct slice name, char out[LOOK_ALIKE_MAX + 1]);

struct look_alike_name {
	struct slice name; /* borrowed */
	void *owner;       /* the caller's */
	char look[LOOK_ALIKE_MAX + 1];
	bool alike; /* another name looks like this one */
};

/* Fills look and alike of each; sorts the list. The same name twice is not alike. */
void look_alike_mark(struct look_alike_name *list, size_t count);
