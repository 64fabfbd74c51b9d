#include "judge/pin_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t list_place(const struct pin_list *l, struct slice tool)
{
	size_t low = 0, high = l->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (slice_cmp(slice_str(l->list[middle].tool), tool) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct pin *pin_list_find(const struct pin_list *l, struct slice tool)
{
	size_t at = list_place(l, tool);

	return at < l->count && slice_eq(slice_str(l->list[at].tool), tool) ? &l->list[at] : NULL;
}

void pin_list_drop(struct pin_list *l, struct slice tool)
{
	struct pin *found = pin_list_find(l, tool);

	if (!found)
		return;
	free(found->tool);
	l->count--;
	memmove(found, found + 1, (size_t)(l->list + l->count - found) * sizeof(*found));
}

void pin_list_clear(struct pin_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->list[i].tool);
	free(l->list);
	*l = (struct pin_list){ 0 };
}

int pin_list_put(struct pin_list *l, struct slice tool, struct slice digest)
{
	struct pin *found = pin_list_find(l, tool), *more;
	size_t at = list_place(l, tool);
	char *name;

	if (digest.len != TOOL_HEX)
		return -EINVAL;
	if (found) {
		memcpy(found->digest, digest.ptr, TOOL_HEX);
		return 0;
	}
	if (l->count == l->room) {
		more = reallocarray(l->list, l->room ? l->room * 2 : 32, sizeof(*more));
		if (!more)
			return -ENOMEM;
		l->list = more;
		l->room = l->room ? l->room * 2 : 32;
	}
	name = strndup(tool.ptr ? tool.ptr : "", tool.len);
	if (!name)
		return -ENOMEM;
	memmove(&l->list[at + 1], &l->list[at], (l->count - at) * sizeof(*l->list));
	l->list[at] = (struct pin){ .tool = name };
	memcpy(l->list[at].digest, digest.ptr, TOOL_HEX);
	l->count++;
	return 0;
}

bool pin_is(const struct pin *pin, const char *digest)
{
	return pin && memcmp(pin->digest, digest, TOOL_HEX) == 0;
}
