/* References between schemas: RFC 3986 resolution (5.2), and percent-encoding undone. */
#pragma once

#include "base/arena.h"

struct uri_reference {
	struct slice uri;      /* resolved against the base, without fragment */
	struct slice fragment; /* percent-encoding undone */
	bool local;            /* there was nothing but a fragment, or not even that */
};

/* What `reference` means under `base` (absolute, or empty when nobody has said). Slices are the arena's or borrowed. 0, -EINVAL,
 * -ENOMEM. */
int uri_resolve(struct arena *arena, struct slice base, struct slice reference, struct uri_reference *ret_reference);
