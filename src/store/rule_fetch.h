/*
 * rule_fetch: rows of the rules by their rowid, as rule_edit_walk hands them over.
 *
 * Within one transaction with a walk, the row is as it was there.
 */
#ifndef GATEPOST_STORE_RULE_FETCH_H
#define GATEPOST_STORE_RULE_FETCH_H

#include "store/rule_edit.h"

/* All zeros but db: nothing is prepared yet. */
struct rule_fetch {
    struct rule_db *db;
    sqlite3_stmt *statements[RULE_TABLE_COUNT];
};

/* Fetches a row, which is valid until the next one of the same table. Returns 0, or a negative errno with the fault in
 * *error, -ENOENT where the row is not there. */
int rule_fetch_row(struct rule_fetch *fetch, enum rule_table table, int64_t rowid, struct stored_row *row,
                   struct error *error);

void rule_fetch_fini(struct rule_fetch *fetch);

#endif
