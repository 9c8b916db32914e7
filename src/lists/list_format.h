/*
 * list_format: the formats of lists that can be read.
 */
#ifndef GATEPOST_LISTS_LIST_FORMAT_H
#define GATEPOST_LISTS_LIST_FORMAT_H

#include "lists/list_entry.h"
#include "lists/list_file.h"

enum list_format { LIST_PLAIN, LIST_JSON, LIST_CIDR, LIST_MYNETWORKS, LIST_IMAIL, LIST_ICEWARP, LIST_FORMATS };

struct list_format_info {
    const char *name;    /* as after --from */
    const char *meaning; /* for people */
    bool whole_table;    /* it speaks of all verdicts of the table, not of one kind */
    bool states_all;     /* it says of each rule whether it has a note and an expiry */
    int (*read)(struct list_file *file, const struct kind *kind, const struct list_sink *sink);
};

extern const struct list_format_info list_formats[LIST_FORMATS];

/* LIST_FORMATS where there is none of that name. */
enum list_format list_format_by_name(const char *name);

/* Finds out by what stands in the file which format it has. Returns 0 with *format; -EINVAL where lines speak for
 * different ones, or where it is a list of gatepost of another kind, with the fault in *error; or -ENOMEM. */
int list_format_recognise(struct list_file *file, const struct kind *kind, enum list_format *format,
                          struct error *error);

/* Whether the kind's keys are blocks of addresses, or may be. */
bool list_kind_has_blocks(const struct kind *kind);

/* For the formats. */

int list_read_plain(struct list_file *file, const struct kind *kind, const struct list_sink *sink);
int list_read_json(struct list_file *file, const struct kind *kind, const struct list_sink *sink);
int list_read_cidr(struct list_file *file, const struct kind *kind, const struct list_sink *sink);
int list_read_mynetworks(struct list_file *file, const struct kind *kind, const struct list_sink *sink);
int list_read_imail(struct list_file *file, const struct kind *kind, const struct list_sink *sink);
int list_read_icewarp(struct list_file *file, const struct kind *kind, const struct list_sink *sink);

/* The lines that are neither empty nor begin with # or ;. Returns as list_file_next. */
int list_next_line(struct list_file *file, struct list_cursor *cursor, struct str *line);

/* Cuts what follows the first of the marks that stands at the front or behind a blank off the line: a remark, without
 * the mark and blanks around it; its pointer is NULL where it says nothing. */
struct str list_cut_remark(struct str *line, const char *marks);

/* Reads what stands behind a key in the plain format into the entry. What is in quotes goes to text, which has room for
 * as many bytes as terms has, and belongs to the entry. False after a fault. */
bool list_read_terms(const struct list_sink *sink, struct str terms, struct list_entry *entry, char *text);

/* A file, a $parameter, or type:/name of a table, as Postfix has them in lists. */
bool list_is_table(struct str word);

/* What makes the lines of a cidr table conditional, in any case. */
bool list_is_condition(struct str word);

/* Cuts "mynetworks =" off the line; false where it does not begin so. */
bool list_cut_mynetworks(struct str *line);

/* The kind of the same table that is the other verdict. */
const struct kind *list_other_kind(const struct kind *kind);

#endif
