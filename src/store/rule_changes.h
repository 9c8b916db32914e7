/*
 * rule_changes: what the log of changes (table rule_change) says, applied to a rule set.
 *
 * The log says which rows have changed; what they are now is read from their tables, as of the same moment. So it does
 * not matter how often or in which order a row has changed. For rule_db.c alone.
 */
#ifndef GATEPOST_STORE_RULE_CHANGES_H
#define GATEPOST_STORE_RULE_CHANGES_H

#include "core/rules.h"
#include "store/database.h"

/* How far a log has been followed. */
struct rule_mark {
    int64_t seq;
    bool empty;    /* the log has had no row yet, or no more */
    uint64_t hash; /* of what that row of the log says: in a file that was put back it says something else */
};

struct rule_changes;

/* The caller calls rule_changes_close. Returns 0, or a negative errno with the reason in *error. */
int rule_changes_open(struct rule_changes **changes, const struct database *database, struct error *error);

/* NULL is fine. */
void rule_changes_close(struct rule_changes *changes);

/* Sets the mark to the end of the log. */
int rule_changes_find_end(struct rule_changes *changes, struct rule_mark *mark, struct error *error);

/* A row as it is now. `absent`: its table has it no more. Returns 0, or a negative errno with the reason in *error. */
typedef int rule_changed(void *context, const struct rule_row *row, bool absent, struct error *error);

/* Calls changed for each row that the log tells of behind the mark, and moves the mark. Returns 0; 1 where the log does
 * not tell what has changed, with the mark unchanged, so that all has to be read anew; or a negative errno with the
 * reason in *error. */
int rule_changes_follow(struct rule_changes *changes, struct rule_mark *mark, rule_changed *changed, void *context,
                        struct error *error);

/* Columns: key, client, value, expires. The row points into the statement, until its next step. */
void rule_row_read(sqlite3_stmt *stmt, enum rule_table table, struct rule_row *row);

#endif
