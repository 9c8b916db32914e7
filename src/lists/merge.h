/*
 * merge: the entries of a list, put together with the rows of the database.
 *
 * Within a transaction all rows are walked through, and what is to be done for each is found; then it is done, or
 * shown.
 */
#ifndef GATEPOST_LISTS_MERGE_H
#define GATEPOST_LISTS_MERGE_H

#include "lists/entries.h"
#include "lists/merge_base.h"
#include "store/rule_edit.h"

#include <stdio.h>

/* How the list meets what is there. */
struct merge_options {
    bool replace;     /* what the list has not is removed: of the kind, and where entries have a note, with that note */
    bool whole_table; /* of all kinds of the table */
    bool exact;       /* rows get the note and expiry of the list, also where it says none */
    bool show;        /* merge_show will be called */
    const struct merge_base *base; /* what there was when somebody began to edit it; or NULL */
};

struct merge_totals {
    size_t added, changed, removed, unchanged;
    size_t left; /* as they are, since they are somebody else's */
};

struct merge;

/* NULL where memory is short. The entries stay the caller's, and get their fate. */
struct merge *merge_new(struct entries *entries, const struct merge_options *options);

/* Rolls back what is not committed. NULL is fine. */
void merge_free(struct merge *merge);

/* Begins a transaction and finds out what is to be done. Contradictions are faults of the entries. Returns 0, or a
 * negative errno with the reason in *error. */
int merge_begin(struct merge *merge, struct rule_db *db, struct error *error);

/* Ends the transaction without a change; what was to be done can still be shown. */
void merge_rollback(struct merge *merge);

/* Prints what is, or was, to be done, a line a row: + added, - removed, ~ changed. Better not within the transaction,
 * since it may take as long as the reader does. */
void merge_show(const struct merge *merge, FILE *out);

/* Does it, and commits. *first to *last are the changes in the log; none where last is below first. */
int merge_commit(struct merge *merge, const char *by, int64_t *first, int64_t *last, struct error *error);

/* Warns where accept entries for any client have been added. */
void merge_warn_of_forging(const struct merge *merge);

/* Says how changes that have been committed can be undone, where the log still has them all. */
void merge_print_undo(int64_t first, int64_t last);

const struct merge_totals *merge_totals(const struct merge *merge);

#endif
