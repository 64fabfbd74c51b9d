/* No sanitizer: nothing in addition. */
#include "confine/layers.h"

const bool confine_sanitized = false;

void confine_sanitizer_stop(void)
{
}

const struct confine_rule confine_sanitizer[1] = { 0 };
const size_t confine_sanitizer_count = 0;
const char *const confine_environment[] = { "LC_ALL=C.UTF-8", NULL };
