#include "judge/look_alike.h"

#include <stdlib.h>
#include <string.h>

/* One letter for all that look like it. */
static char letter(char c)
{
	if (c >= 'A' && c <= 'Z')
		c = (char)(c - 'A' + 'a');
	if (c == '0')
		return 'o';
	return c == '1' || c == 'i' ? 'l' : c;
}

void look_alike(struct slice name, char out[LOOK_ALIKE_MAX + 1])
{
	size_t len = 0;

	for (size_t i = 0; i < name.len && len < LOOK_ALIKE_MAX; i++) {
		char c = name.ptr[i];

		if (c == '_' || c == '-' || c == '.' || c == '/')
			continue;
		out[len++] = letter(c);
		if (len >= 2 && out[len - 2] == 'r' && out[len - 1] == 'n')
			out[--len - 1] = 'm';
		else if (len >= 2 && out[len - 2] == 'v' && out[len - 1] == 'v')
			out[--len - 1] = 'w';
	}
	out[len] = '\0';
}

static int compare(const void *a, const void *b)
{
	const struct look_alike_name *x = a, *y = b;

	return strcmp(x->look, y->look);
}

void look_alike_mark(struct look_alike_name *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		look_alike(list[i].name, list[i].look);
		list[i].alike = false;
	}
	qsort(list, count, sizeof(*list), compare);
	for (size_t begin = 0, end; begin < count; begin = end) {
		bool alike = false;

		for (end = begin + 1; end < count && strcmp(list[begin].look, list[end].look) == 0; end++)
			alike = alike || !slice_eq(list[begin].name, list[end].name);
		for (size_t i = begin; alike && i < end; i++)
			list[i].alike = true;
	}
}
