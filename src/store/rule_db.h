/*
 * rule_db: the database of rules (SQLite, sql/schema.sql).
 *
 * Opens it, and reads it into a rule set. A handle has one owner at a time: it may go from thread to thread, but never
 * be used by two at once.
 */
#ifndef GATEPOST_STORE_RULE_DB_H
#define GATEPOST_STORE_RULE_DB_H

#include "core/rules.h"
#include "store/backup.h"
#include "store/database.h"

enum { RULE_DB_SCHEMA_VERSION = 1 };

struct rule_db;

/* As database_open. The caller closes *db. */
int rule_db_open(struct rule_db **db, const char *path, enum database_absent absent, int busy_ms, struct error *error);

/* NULL is fine. */
void rule_db_close(struct rule_db *db);

/* As database_copy. */
int rule_db_copy(struct rule_db *db, const char *path, int busy_ms, struct error *error);

/* As backup_write. */
int rule_db_backup(struct rule_db *db, const char *to, backup_go_on *go_on, void *context, uint64_t *size_bytes,
                   struct error *error);

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

/* The next version of `base`, which is what this handle has read last: applies what the log of changes says, or reads
 * all tables where that does not tell. Whether it is a fork of base, rules_is_fork says. */
int rule_db_update(struct rule_db *db, const struct rules *base, struct rules **rules, rule_db_skipped *skipped,
                   void *context, struct error *error);

/* Rows of what was read last that are skipped; of keys that are very long and begin alike, one counts. */
size_t rule_db_n_skipped(const struct rule_db *db);

/* The same for the settings alone. */
int rule_db_load_settings(struct rule_db *db, struct rules **rules, rule_db_skipped *skipped, void *context,
                          struct error *error);

/* Whether the tables have as many rows as `rules`, which is what this handle has read last. Where they have not, rows
 * have been changed without being logged, together with others that were. Costs a look at each row, and tells nothing
 * once there are newer changes. Returns 1, 0, or a negative errno with the reason in *error. */
int rule_db_verify(struct rule_db *db, const struct rules *rules, struct error *error);

/* Whether somebody has committed a change since the last load. Returns 1, 0, or a negative errno: -ESTALE where the
 * file has been replaced by another, -ENOENT where it is gone; the handle is to be closed then and the path opened
 * anew. */
int rule_db_changed(struct rule_db *db, struct error *error);

#endif
