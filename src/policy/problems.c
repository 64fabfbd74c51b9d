/* Noting what is wrong with a policy, and telling it. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "policy/loader.h"

/* The last one says that there are more. */
enum { PROBLEMS_MAX = 500, SHOWN_BYTES = 64 };

static void add(struct loader *l, uint32_t line, uint32_t column, bool warning, const char *text)
{
	struct policy_problems *p = l->problems;

	if (p->count == l->problem_room) {
		size_t room = l->problem_room ? 2 * l->problem_room : 16;
		struct policy_problem *list = arena_array(&p->arena, room, sizeof(*list));

		if (!list) {
			l->out_of_memory = true;
			return;
		}
		if (p->count)
			memcpy(list, p->list, p->count * sizeof(*list));
		p->list = list;
		l->problem_room = room;
	}
	p->list[p->count++] = (struct policy_problem){ .line = line, .column = column, .warning = warning, .text = text };
}

bool problems_full(const struct loader *l)
{
	return l->problems->count > PROBLEMS_MAX;
}

/* One mistake is told once: what stands where YAML found a fault is not judged a second time. */
static bool told_already(const struct loader *l, uint32_t line, uint32_t column)
{
	for (size_t i = 0; i < l->tree_faults; i++)
		if (l->problems->list[i].line == line && l->problems->list[i].column == column)
			return true;
	return false;
}

__attribute__((format(printf, 5, 0))) static void note(struct loader *l, uint32_t line, uint32_t column, bool warning,
						       const char *format, va_list args)
{
	char text[768];
	const char *kept;

	if (!warning)
		l->errors++;
	if (problems_full(l) || told_already(l, line, column))
		return;
	if (l->problems->count == PROBLEMS_MAX) {
		add(l, UINT32_MAX, 0, false, "there are more problems than these; they are told when these are mended");
		return;
	}
	vsnprintf(text, sizeof(text), format, args);
	kept = arena_printf(&l->problems->arena, "%s", text);
	if (!kept)
		l->out_of_memory = true;
	else
		add(l, line, column, warning, kept);
}

void problem_error(struct loader *l, uint32_t line, uint32_t column, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note(l, line, column, false, format, args);
	va_end(args);
}

void problem_warning(struct loader *l, uint32_t line, uint32_t column, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note(l, line, column, true, format, args);
	va_end(args);
}

const char *problem_show(struct loader *l, struct slice s)
{
	cleanup_buf struct buf b = BUF_INIT(4 * SHOWN_BYTES + 64);
	size_t whole = s.len;
	const char *kept = NULL;

	if (problems_full(l))
		return "";
	if (s.len > SHOWN_BYTES) {
		s.len = SHOWN_BYTES;
		while (s.len && ((unsigned char)s.ptr[s.len] & 0xc0) == 0x80)
			s.len--;
	}
	if (text_escape(&b, s) == 0)
		kept = arena_printf(&l->problems->arena, "%.*s%s", (int)b.len, b.ptr ? b.ptr : "", s.len < whole ? "..." : "");
	if (!kept)
		l->out_of_memory = true;
	return kept ? kept : "";
}

static bool before(const struct policy_problem *a, const struct policy_problem *b)
{
	return a->line != b->line ? a->line < b->line : a->column < b->column;
}

void problems_sort(struct policy_problems *problems)
{
	/* Stable, and the list is short. */
	for (size_t i = 1; i < problems->count; i++) {
		struct policy_problem moved = problems->list[i];
		size_t at = i;

		for (; at && before(&moved, &problems->list[at - 1]); at--)
			problems->list[at] = problems->list[at - 1];
		problems->list[at] = moved;
	}
	/* The word about further ones was sorted last, and has no place in the file. */
	if (problems->count && problems->list[problems->count - 1].line == UINT32_MAX)
		problems->list[problems->count - 1].line = 0;
}

void policy_problems_free(struct policy_problems *problems)
{
	arena_free(&problems->arena);
	problems->list = NULL;
	problems->count = 0;
}

int policy_problems_print(struct buf *out, struct slice file, const struct policy_problems *problems)
{
	for (size_t i = 0; i < problems->count; i++) {
		const struct policy_problem *p = &problems->list[i];
		int r = text_escape(out, file);

		if (r == 0 && p->line)
			r = buf_printf(out, ":%u:%u", (unsigned)p->line, (unsigned)p->column);
		if (r == 0)
			r = buf_printf(out, ": %s%s\n", p->warning ? "warning: " : "", p->text);
		if (r < 0)
			return r;
	}
	return 0;
}

/* One object for each, as members of an array that the caller opens and closes. */
static int print_json(struct buf *out, struct slice file, const struct policy_problem *p)
{
	int r = buf_add_str(out, "{\"column\":");

	r = r ? r : buf_add_u64(out, p->column);
	r = r ? r : buf_add_str(out, ",\"file\":");
	r = r ? r : json_write_string(out, file);
	r = r ? r : buf_add_str(out, ",\"line\":");
	r = r ? r : buf_add_u64(out, p->line);
	r = r ? r : buf_printf(out, ",\"severity\":\"%s\",\"text\":", p->warning ? "warning" : "error");
	r = r ? r : json_write_string(out, slice_str(p->text));
	return r ? r : buf_add_char(out, '}');
}

int policy_problems_print_json(struct buf *out, struct slice file, const struct policy_problems *problems)
{
	int r = buf_add_char(out, '[');

	for (size_t i = 0; r == 0 && i < problems->count; i++) {
		if (i)
			r = buf_add_char(out, ',');
		r = r ? r : print_json(out, file, &problems->list[i]);
	}
	return r ? r : buf_add_char(out, ']');
}
