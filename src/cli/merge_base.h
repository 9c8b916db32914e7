/*
 * merge_base: rows as they were when somebody began to edit them, to find out what others have changed meanwhile.
 */
#ifndef GATEPOST_CLI_MERGE_BASE_H
#define GATEPOST_CLI_MERGE_BASE_H

#include "cli/kind.h"
#include "core/key_map.h"
#include "store/rule_edit.h"

/* All zeros is empty. */
struct merge_base {
    struct key_map rows;
};

/* Keeps what the row says; is_edited: it is one of those that are edited, and not of another kind in the same table.
 * Returns 0; -EINVAL where its key is not understood; or -ENOMEM. */
int merge_base_add(struct merge_base *base, enum rule_table table, const struct stored_row *row, bool is_edited);
void merge_base_fini(struct merge_base *base);

/* What was said by the row that was stored with the same key and client: a rowid would not do, since SQLite gives that
 * of a removed row to a new one. *terms is NULL where there was none. Returns 0 or -ENOMEM. */
int merge_base_of_row(const struct merge_base *base, const struct stored_row *row, const char **terms);

/* What was said by an edited row with this merge_key; NULL where there was none. */
const char *merge_base_of_key(const struct merge_base *base, const char *key);

/* What a row says beside its key: equal texts say the same. The caller frees it. NULL where memory is short. */
char *merge_terms(const struct stored_row *row);

/* What all rows that mean the same have in common (entries_key); the caller frees it. Returns as merge_base_add. */
int merge_key(enum rule_table table, const struct stored_row *row, char **key);

#endif
