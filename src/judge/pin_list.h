/* What is accepted or offered of one server, by digests. */
#pragma once

#include "judge/server.h"

/* The digest of one tool's definition, or of the code, whose tool is "". */
struct pin {
	char *tool;
	char digest[TOOL_HEX + 1];
	bool gone; /* the server has it no more, and that is on the record */
};

/* Sorted by tool. */
struct pin_list {
	struct pin *list;
	size_t count, room;
};

/* NULL when there is none of that tool. Valid until the list changes. */
struct pin *pin_list_find(const struct pin_list *list, struct slice tool);

/* Adds it, or gives it another digest (64 hex digits). 0, -EINVAL, -ENOMEM. */
int pin_list_put(struct pin_list *list, struct slice tool, struct slice digest);
void pin_list_drop(struct pin_list *list, struct slice tool);
void pin_list_clear(struct pin_list *list);

/* `pin` may be NULL, which is no digest at all. */
bool pin_is(const struct pin *pin, const char *digest);
