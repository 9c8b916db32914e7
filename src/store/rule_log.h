/*
 * rule_log: the log of changes (table rule_change), for people: who changed which row from what to what.
 *
 * The rows are taken apart by SQLite's JSON functions. Anybody who may write the database may also have written
 * nonsense into the log; it is handed on as it stands, and marked.
 */
#ifndef GATEPOST_STORE_RULE_LOG_H
#define GATEPOST_STORE_RULE_LOG_H

#include "core/str.h"
#include "store/rule_edit.h"

/* A row as it was on one side of a change. */
struct logged_row {
    bool there;            /* false: there was none */
    bool sound;            /* it could be taken apart: `row` tells what it was, but for its rowid */
    struct str json;       /* as logged */
    struct stored_row row; /* of a setting: key and value */
};

struct logged_change {
    int64_t seq, at;
    const char *by;              /* NULL: whoever it was did not say, as with plain sqlite3 */
    const char *kind, *key, *op; /* as logged */
    enum rule_table table;       /* RULE_TABLE_COUNT where kind is no table of ours */
    bool sound;                  /* the table is known, and op and the rows agree */
    struct logged_row old, new;  /* before and after */
};

/* A part of the log. */
struct rule_log_part {
    const char *table; /* rule_change, or another of its columns */
    int64_t first, last;
    bool newest_first;
};

/* Called with each change; its texts are valid during the call. Returns 0 to go on, else a negative errno, which ends
 * the walk. */
typedef int rule_log_visit(void *context, const struct logged_change *change);

/* Walks through a part of the log. Returns 0, or a negative errno with the fault in *error; what visit returned is
 * handed on. */
int rule_log_walk(struct rule_db *db, const struct rule_log_part *part, rule_log_visit *visit, void *context,
                  struct error *error);

#endif
