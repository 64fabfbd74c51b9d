#include "cli/rows.h"

#include <errno.h>

enum { ARENA_MOST = 512 * 1024 * 1024 };

static bool fits(const struct json *value, char letter)
{
	if (value->type == JSON_NULL)
		return letter == 'T' || letter == 'I';
	return value->type == (letter == 't' || letter == 'T' ? JSON_STRING : JSON_NUMBER);
}

static bool is_table(const struct json *list, const char *columns)
{
	size_t count = strlen(columns);

	if (list->type != JSON_ARRAY)
		return false;
	for (uint32_t i = 0; i < list->count; i++) {
		const struct json *row = &list->items[i];

		if (row->type != JSON_ARRAY || row->count != count)
			return false;
		for (uint32_t k = 0; k < count; k++)
			if (!fits(&row->items[k], columns[k]))
				return false;
	}
	return true;
}

static int unpack(struct rows *rows, enum statement statement)
{
	int r = json_unpack(&rows->arena, buf_slice(&rows->answer.rows), &json_limits_default, &rows->list);

	return r == 0 && !is_table(&rows->list, statement_rule(statement)->columns) ? -EBADMSG : r;
}

static int ask(const struct place *place, enum statement statement, const struct json *values, uint32_t count, bool loud, struct rows *ret_rows)
{
	struct json list = { .type = JSON_ARRAY, .count = count, .items = (struct json *)values };
	cleanup_buf struct buf packed = BUF_INIT(message_rule(MSG_cli_store)->max);
	struct msg_cli_store m = { .statement = statement };
	int r, fd;

	*ret_rows = (struct rows){ .arena = ARENA_INIT(ARENA_MOST) };
	if (json_pack(&packed, &list) < 0)
		return loud ? cli_error(CLI_REFUSED, "the question is too long") : CLI_REFUSED;
	m.values = buf_slice(&packed);
	if (loud) {
		r = control_ask_running(place, MSG_cli_store, &m, &ret_rows->answer);
	} else {
		fd = control_connect(place);
		r = fd < 0 || control_ask(fd, MSG_cli_store, &m, &ret_rows->answer) < 0 ? CLI_REFUSED : CLI_OK;
	}
	if (r != CLI_OK)
		return r;
	if (ret_rows->answer.status != CLI_OK)
		return loud ? cli_error(CLI_REFUSED, "%.*s", SLICE_ARG(buf_slice(&ret_rows->answer.text))) : CLI_REFUSED;
	if (unpack(ret_rows, statement) < 0)
		return loud ? cli_error(CLI_REFUSED, "the store's answer could not be read") : CLI_REFUSED;
	return CLI_OK;
}

int rows_read(const struct place *place, enum statement statement, const struct json *values, uint32_t count, struct rows *ret_rows)
{
	return ask(place, statement, values, count, true, ret_rows);
}

int rows_try(const struct place *place, enum statement statement, const struct json *values, uint32_t count, struct rows *ret_rows)
{
	return ask(place, statement, values, count, false, ret_rows);
}

void rows_free(struct rows *rows)
{
	control_answer_free(&rows->answer);
	arena_free(&rows->arena);
}

static const struct json *at(const struct rows *rows, uint32_t row, uint32_t column)
{
	return &rows->list.items[row].items[column];
}

struct slice rows_text(const struct rows *rows, uint32_t row, uint32_t column)
{
	const struct json *v = at(rows, row, column);

	return v->type == JSON_STRING ? v->text : (struct slice){ 0 };
}

uint64_t rows_u64(const struct rows *rows, uint32_t row, uint32_t column)
{
	const struct json *v = at(rows, row, column);
	int64_t n = 0;

	return v->type == JSON_NUMBER && json_int64(v, &n) == 0 && n > 0 ? (uint64_t)n : 0;
}

bool rows_is_null(const struct rows *rows, uint32_t row, uint32_t column)
{
	return at(rows, row, column)->type == JSON_NULL;
}
