/* What pins.c (checking) and pins_accept.c (accepting) share. */
#pragma once

#include "judge/pin_list.h"
#include "judge/pins.h"
#include "judge/record.h"

enum pins_state {
	PINS_UNKNOWN,
	PINS_LOADING,
	PINS_FIRST, /* the server is seen for the first time, which is being recorded and stored */
	PINS_KNOWN,
};

/* What the judge knows of one server's pins. Lives as long as the judge, so that whoever is called back finds it. */
struct pins {
	struct pins *next;
	struct judge *judge;
	char server[65];
	enum pins_state state;
	struct pin_list accepted, offered;
	uint64_t generation; /* of what is known; tools that were settled under another one are settled again */
	struct first *first;
	bool accepting; /* one at a time */
	struct event *retry;
};

/* What is known of that server's pins; made when it is not there yet. NULL when there is no memory. */
struct pins *pins_of(struct judge *judge, const char *server);

/* The store failed, or is gone: what it has is to be read again. Tools that were checked stay as they are until then. */
void pins_forget(struct pins *pins);

/* Names with something to say of each, as many as an entry takes. */
struct naming {
	struct arena arena;
	struct json names;
	size_t count;
};

void naming_begin(struct naming *naming);
void naming_add(struct naming *naming, struct slice name, const char *what);
