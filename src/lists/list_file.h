/*
 * list_file: a file of rules, read into memory and cut into lines.
 *
 * Takes what the programs of others have written: CRLF, a byte order mark, Latin-1. What is no text is refused before
 * much of it has been read.
 */
#ifndef GATEPOST_LISTS_LIST_FILE_H
#define GATEPOST_LISTS_LIST_FILE_H

#include "core/error.h"
#include "core/str.h"

enum {
    LIST_LINE_MAX_BYTES = 65536, /* but of JSON, which may be one line */
    LIST_FILE_MAX_BYTES = 1 << 30
};

struct list_file {
    const char *name;
    char *bytes; /* owned; ends in NUL */
    size_t n;
    bool is_json;    /* it begins as an array or object does */
    bool is_ours;    /* its first line says that gatepost has written it, so that no byte of it is Latin-1 */
    size_t n_latin1; /* lines that were no UTF-8 and have been read as Latin-1 */
    char *latin1;    /* the last of them, converted */
    size_t latin1_size;
};

/* Reads the file; "-" is standard input. Returns 0; -EINVAL where it is no text; or another negative errno; always with
 * the fault in *error. The caller calls list_file_fini, after a failure too. */
int list_file_read(struct list_file *file, const char *path, struct error *error);
void list_file_fini(struct list_file *file);

/* Goes through the lines. All zeros at first. */
struct list_cursor {
    size_t at;     /* bytes */
    size_t number; /* of the line, from 1 */
    bool indented; /* it began with a blank */
};

/* The next line, in UTF-8 unless the file is ours, without its end and blanks around it. Valid until the next call.
 * Returns 1; 0 at the end; or -ENOMEM. */
int list_file_next(struct list_file *file, struct list_cursor *cursor, struct str *line);

#endif
