/* Values compared as JSON Schema compares them, with every look at them charged to a budget of steps. */
#pragma once

#include "parse/json.h"

/* Takes `steps` from the budget; false when it has no more, and then it is empty. */
static inline bool budget_take(uint64_t *budget, uint64_t steps)
{
	if (*budget < steps) {
		*budget = 0;
		return false;
	}
	*budget -= steps;
	return true;
}

/* Equal values have equal hashes. 0 or -E2BIG. */
int value_hash(const struct json *value, uint64_t *budget, uint64_t *ret_hash);

/* 1 equal, 0 not, -E2BIG. */
int value_equal(const struct json *a, const struct json *b, uint64_t *budget);

/* A copy that borrows nothing; *ret_copy is the arena's. 0, -ENOMEM, -E2BIG (nested too deeply). */
int value_copy(struct arena *arena, const struct json *value, struct json *ret_copy);
