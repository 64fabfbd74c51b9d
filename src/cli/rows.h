/* What the store of a running family holds, read by a statement that the console's role may run. */
#pragma once

#include "cli/control.h"
#include "ipc/statements.h"
#include "parse/json.h"

struct rows {
	struct control_answer answer;
	struct arena arena;
	struct json list; /* of arrays with the statement's columns; checked against the table */
};

/* CLI_OK, or the exit status with the line printed. The caller frees with rows_free, which a struct that was never read allows when it is zeroed. */
int rows_read(const struct place *place, enum statement statement, const struct json *values, uint32_t count, struct rows *ret_rows);

/* The same without a line when there is none. */
int rows_try(const struct place *place, enum statement statement, const struct json *values, uint32_t count, struct rows *ret_rows);

void rows_free(struct rows *rows);
#define cleanup_rows __attribute__((cleanup(rows_free)))

/* A column of row `row`: empty and 0 for null. */
struct slice rows_text(const struct rows *rows, uint32_t row, uint32_t column);
uint64_t rows_u64(const struct rows *rows, uint32_t row, uint32_t column);
bool rows_is_null(const struct rows *rows, uint32_t row, uint32_t column);
