/*
 * A stranger's text, shown to a person who is about to decide on it. What is shown cannot mislead by what terminals do with text:
 *
 * - what shows nothing, or moves, covers or strikes through what is around it, becomes \u{NNNN}: controls, bidirectional marks, format and default-ignorable
 *   characters, spaces other than U+0020, unassigned and private code points, the fourth mark on a letter and the second of a kind; bytes that are not UTF-8
 *   become \xNN. A backslash is doubled, so that no text can spell an escape.
 * - what looks like ASCII without being it becomes \u{NNNN}: in a word that has ASCII letters too, in a word that has nothing else, and between words unless
 *   it stands beside a letter of another script that cannot be mistaken. Words of other scripts stay readable. A word of one or two small
 *   letters, as prepositions are, stays among unmistakable words.
 * - letters that are written from right to left become \u{NNNN} in a text that has ASCII letters or digits as well: terminals would change their order.
 * - runs of blanks and line feeds, with which text can be pushed out of sight, become \{1000 spaces}, \{50 line feeds}.
 *
 * Nothing is ever cut. A text that is longer than the line goes on in the next one, after the mark "| ", with which no line of another meaning begins.
 *
 * All functions: 0 or a buf error.
 */
#pragma once

#include "base/buf.h"
#include "parse/json.h"

/* Where the text goes. Start with SHOW_INIT. */
struct show {
	struct buf *out;
	unsigned columns; /* of the terminal; 0: lines are as long as they get */
	bool wide;        /* the terminal may show letters of ambiguous width in two columns */
	bool ascii;       /* it is not known to read UTF-8, whose bytes may be controls to it: all else is escaped */
	unsigned column;  /* filled in the present line */
	unsigned margin;  /* blanks before the mark of a line that goes on */
	const char *lead; /* begins each line; or NULL */
};

#define SHOW_INIT(buffer, terminal_columns) ((struct show){ .out = (buffer), .columns = (terminal_columns) })

/* Ends the line. */
int show_end(struct show *show);

/* Begins a line: lead, then `indent` blanks. What goes on in further lines is marked beneath it. */
int show_begin(struct show *show, unsigned indent);

/* Our own words, ASCII. */
int show_words(struct show *show, const char *words) __attribute__((nonnull));

/* A stranger's text: as it is, with line feeds escaped, for sentences; */
int show_text(struct show *show, struct slice text);

/* in quotation marks, going on in a new line after each line feed; */
int show_string(struct show *show, struct slice text);

/* a name: as it is when it has only letters and digits of ASCII, "_", "-" and "." (and fewer than 65), else in quotation marks, with what is written from right to left escaped. */
int show_name(struct show *show, struct slice name);

/* Any value as an indented tree: a member a line, containers before their indented members. Begins and ends its lines itself. */
int show_tree(struct show *show, unsigned indent, const struct json *value);

/* The value after "name: " on a line that was begun with `indent`; ends the line. */
int show_value(struct show *show, unsigned indent, const struct json *value);

/* A list of the members by which two definitions differ, by path; texts by line. `ret_count`: how many differ. */
int show_difference(struct show *show, unsigned indent, const struct json *before, const struct json *after, size_t *ret_count);
