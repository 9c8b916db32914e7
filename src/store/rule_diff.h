/*
 * rule_diff: which rows differ between two databases of rules.
 *
 * Rows are the same when key, client, value and expiry are, letter by letter; notes do not count. Settings are not
 * compared. Memory and most of the time go into what differs.
 */
#ifndef GATEPOST_STORE_RULE_DIFF_H
#define GATEPOST_STORE_RULE_DIFF_H

#include "core/key_map.h"
#include "store/rule_db.h"

enum rule_difference { RULE_IS_SAME, RULE_IS_ADDED, RULE_IS_REMOVED, RULE_IS_CHANGED };

struct rule_diff {
    struct key_map rows;
};

/* Compares what `before` has with the database at the path after it, which exists. Returns 0, or a negative errno with
 * the fault in *error. The caller calls rule_diff_fini, after a failure too. */
int rule_diff_read(struct rule_diff *diff, struct rule_db *before, const char *after, struct error *error);
void rule_diff_fini(struct rule_diff *diff);

/* What has become of the row of this rule, which is one of either database. */
enum rule_difference rule_diff_of(const struct rule_diff *diff, const struct rule *rule);

/* A row that differs. */
struct rule_diff_row {
    enum rule_table table;
    struct str key, client, value; /* the diff's; the value is that of the row where it is, of both the one after */
    enum rule_difference difference;
};

/* The single row that differs; false where there are several or none. */
bool rule_diff_single(const struct rule_diff *diff, struct rule_diff_row *row);

#endif
