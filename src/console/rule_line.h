/*
 * rule_line: a row as a line of text, the plain format of lists.
 *
 *   KEY [from BLOCK | from anywhere] [relay] [account NAME] [remote_mail yes|no] [until TIME] [# NOTE]
 *
 * What holds a blank or one of # ; " \ stands in double quotes, with a backslash in front of " and \.
 */
#ifndef GATEPOST_CONSOLE_RULE_LINE_H
#define GATEPOST_CONSOLE_RULE_LINE_H

#include "console/kind.h"
#include "store/rule_edit.h"

#include <stdio.h>

/* Writes all that a line can hold of the row (not when it was created), letter by letter but for control characters,
 * which no rule has, and no line end. */
void rule_line_write(FILE *out, const struct kind *kind, const struct stored_row *row);

/* What stands behind the key, with a blank in front; nothing where there is nothing to say. */
void rule_line_write_terms(FILE *out, const struct kind *kind, const struct stored_row *row);

/* What one of the two writes, as a text; the caller frees it. NULL where memory is short. */
typedef void rule_line_writer(FILE *out, const struct kind *kind, const struct stored_row *row);
char *rule_line_text(rule_line_writer *write, const struct kind *kind, const struct stored_row *row);

/* The whole line for people: what could steer a terminal is replaced, and what has expired is said to have. */
void rule_line_show(FILE *out, const struct kind *kind, const struct stored_row *row, int64_t now);

/* Writes the row as a JSON object, {"kind": …, columns}. */
void rule_line_write_json(FILE *out, const struct kind *kind, const struct stored_row *row);

/* Writes the columns alone as a JSON object; of a setting its name and value. */
void rule_line_write_row_json(FILE *out, enum rule_table table, const struct stored_row *row);

/* The same without the brace at the end, for what is to be said beside. */
void rule_line_begin_json(FILE *out, const struct kind *kind, const struct stored_row *row);

#endif
