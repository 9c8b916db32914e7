/*
 * merge_base: what there was when somebody began to edit, to find out what they and others have changed meanwhile.
 */
#ifndef GATEPOST_LISTS_MERGE_BASE_H
#define GATEPOST_LISTS_MERGE_BASE_H

#include "lists/entries.h"
#include "store/rule_edit.h"

struct merge_base {
    struct entries shown; /* to who edits, read back as the editor got them */
    struct key_map rows;  /* all of the table, of other kinds too */
};

/* Keeps what the row says. Returns 0; -EINVAL where its key is not understood; or -ENOMEM. */
int merge_base_add(struct merge_base *base, enum rule_table table, const struct stored_row *row);
void merge_base_fini(struct merge_base *base);

/* Whether there was this row, and it said the same: 1, 0, or -ENOMEM. It is known by its key and client as they are
 * stored: a rowid would not do, since SQLite gives that of a removed row to a new one. */
int merge_base_has(const struct merge_base *base, const struct stored_row *row);

/* What all rows that mean the same have in common (entries_key); the caller frees it. Returns as merge_base_add. */
int merge_key(enum rule_table table, const struct stored_row *row, char **key);

#endif
