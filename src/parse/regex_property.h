/* \p{...} of ECMA-262 (22.2.1.9 and its tables) in PCRE2's words. */
#pragma once

#include "base/buf.h"

/* Appends \p{...} or \P{...} for what stands between the braces. 0, -EINVAL when ECMA-262 has no such property, a buf error. */
int regex_property(struct slice body, bool negated, struct buf *out);
