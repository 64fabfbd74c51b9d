#include "show/letters.h"

#include <stddef.h>

/* In order; each holds up to the next one. */
static const struct { uint32_t first, bits; } runs[] = {
#include "letters.inc"
};

unsigned letter_bits(int32_t c)
{
	size_t low = 0, high = sizeof(runs) / sizeof(runs[0]);

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (runs[middle].first <= (uint32_t)c)
			low = middle;
		else
			high = middle;
	}
	return runs[low].bits;
}
