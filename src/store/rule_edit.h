/*
 * rule_edit: changes of the rules in the database, as the command line makes them.
 *
 * All within one transaction: begin, any number of changes, commit or roll back. Rows are found by what their keys
 * mean, in whatever spelling they are stored.
 */
#ifndef GATEPOST_STORE_RULE_EDIT_H
#define GATEPOST_STORE_RULE_EDIT_H

#include "store/rule_db.h"

enum rule_edit_statement { EDIT_INSERT, EDIT_UPDATE, EDIT_DELETE, EDIT_STATEMENTS };

struct rule_edit {
    struct rule_db *db;
    int64_t first_seq;                                           /* changes of this transaction come after this one */
    int64_t unlogged;                                            /* changes yet to come that the log would not keep */
    int64_t n_unlogged;                                          /* of those made */
    sqlite3_stmt *statements[EDIT_STATEMENTS][RULE_TABLE_COUNT]; /* NULL until needed */
};

/* Begins a transaction; others that write are waited for. Returns 0, or a negative errno with the fault in *error;
 * after success the caller calls rule_edit_rollback, whatever happens. */
int rule_edit_begin(struct rule_edit *edit, struct rule_db *db, struct error *error);

/* Says that n changes are to come. The log keeps the newest RULE_LOG_KEPT; what it would have forgotten again at the
 * end is not written to it in the first place, which leaves it as it would be, and takes a fourth of the time. */
int rule_edit_expect(struct rule_edit *edit, int64_t n, struct error *error);

enum { RULE_LOG_KEPT = 100000 };

/* Writes who made the changes into rule_change, and the same time to all of them, and commits. After a failure nothing
 * has been changed. */
int rule_edit_commit(struct rule_edit *edit, const char *by, struct error *error);

/* The changes of the log that the transaction has made, before or after it is committed: first to last; none where last
 * is below first. */
int rule_edit_range(struct rule_edit *edit, int64_t *first, int64_t *last, struct error *error);

/* Undoes the changes; does nothing after a commit. */
void rule_edit_rollback(struct rule_edit *edit);

/* A row as it is in the database; the texts are valid during the call that hands it over. */
struct stored_row {
    int64_t rowid;
    const char *key, *client, *value; /* client is "" where the table has none; value may be NULL */
    size_t key_n, client_n, value_n;  /* their bytes, also behind a NUL that was put in by force */
    const char *note;                 /* may be NULL */
    int64_t created;
    bool has_expiry;
    int64_t expires;
};

/* The row as a rule set takes it; it points to the same texts. */
struct rule_row stored_row_as_rule(const struct stored_row *row, enum rule_table table);

/* Called with each row. Returns 0 to go on, or a negative errno, which ends the walk. */
typedef int rule_edit_visit(void *context, const struct stored_row *row);

/* Walks through a table of rules, or of settings, in the order of the keys. Returns 0, or a negative errno with the
 * fault in *error; what visit returned is handed on. */
int rule_edit_walk(struct rule_db *db, enum rule_table table, rule_edit_visit *visit, void *context,
                   struct error *error);

/* The same for the rows whose key begins with prefix, at no cost for the others. */
int rule_edit_walk_prefix(struct rule_db *db, enum rule_table table, const char *prefix, rule_edit_visit *visit,
                          void *context, struct error *error);

/* For rule_fetch.c: the statement that reads all rows of the table, and a row of what it reads, valid until its next
 * step. */
enum { RULE_EDIT_SELECT_BYTES = 256 };
void rule_edit_select(enum rule_table table, char sql[RULE_EDIT_SELECT_BYTES]);
void rule_edit_read(sqlite3_stmt *stmt, struct stored_row *row);

/* What is to be stored. */
struct new_row {
    enum rule_table table;
    const char *key, *client; /* canonical; client is "" where the table has none */
    const char *value;        /* may be NULL */
    const char *note;         /* may be NULL */
    int64_t expires;          /* RULE_NEVER_EXPIRES: never */
    int64_t created;          /* for rule_edit_insert; 0: now */
};

int rule_edit_insert(struct rule_edit *edit, const struct new_row *row, struct error *error);

/* Gives the row with this rowid the value, the expiry and the note. */
int rule_edit_update(struct rule_edit *edit, int64_t rowid, const struct new_row *row, struct error *error);

int rule_edit_delete(struct rule_edit *edit, enum rule_table table, int64_t rowid, struct error *error);

/* Deletes the rows that expired at that time or before, all or only those with this value, and adds their number to *n.
 */
int rule_edit_prune(struct rule_edit *edit, enum rule_table table, const char *value, int64_t expired_by, int64_t *n,
                    struct error *error);

int rule_edit_set(struct rule_edit *edit, const char *name, const char *value, struct error *error);

#endif
