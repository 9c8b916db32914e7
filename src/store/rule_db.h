/*
 * rule_db: the database of rules (SQLite, sql/schema.sql).
 *
 * Opens it, and reads it into a rule set. A handle has one owner at a time: it may go from thread to thread, but never
 * be used by two at once.
 */
#ifndef GATEPOST_STORE_RULE_DB_H
#define GATEPOST_STORE_RULE_DB_H

#include "core/rules.h"
#include "store/database.h"

enum { RULE_DB_SCHEMA_VERSION = 1 };

struct rule_db;

/* As database_open. The caller closes *db. */
int rule_db_open(struct rule_db **db, const char *path, enum database_absent absent, int busy_ms, struct error *error);

/* NULL is fine. */
void rule_db_close(struct rule_db *db);

/* For statements of one's own; stays the handle's. */
sqlite3 *rule_db_handle(struct rule_db *db);

/* Sets *error to "path: what: SQLite's message" and returns the negative errno for its code. */
int rule_db_fail(struct rule_db *db, const char *what, struct error *error);

/* Runs SQL without results. */
int rule_db_exec(struct rule_db *db, const char *sql, struct error *error);

/* Called for each row that is skipped because it cannot be understood. */
typedef void rule_db_skipped(void *context, const struct rule_row *row, const struct error *why);

/* Reads all tables, as of one moment, into a new and sealed rule set, which the caller frees. */
int rule_db_load(struct rule_db *db, struct rules **rules, rule_db_skipped *skipped, void *context,
                 struct error *error);

/* The same for the settings alone. */
int rule_db_load_settings(struct rule_db *db, struct rules **rules, rule_db_skipped *skipped, void *context,
                          struct error *error);

/* Whether somebody has committed a change since the last load. Returns 1, 0, or a negative errno: -ESTALE where the
 * file has been replaced by another, -ENOENT where it is gone; the handle is to be closed then and the path opened
 * anew. */
int rule_db_changed(struct rule_db *db, struct error *error);

#endif
