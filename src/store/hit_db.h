/*
 * hit_db: the database of hits (SQLite, sql/hits.sql): how often each row of the rules has mattered, and when last.
 *
 * It stands beside the rules' database, under the same name and -hits, and has its mode. A handle has one owner at a
 * time: it may go from thread to thread, but never be used by two at once.
 */
#ifndef GATEPOST_STORE_HIT_DB_H
#define GATEPOST_STORE_HIT_DB_H

#include "core/hit_table.h"
#include "store/database.h"

struct hit_db;

/* Opens the hits of the rules whose database is at that path; otherwise as database_open. The caller closes *db. */
int hit_db_open(struct hit_db **db, const char *rules_path, enum database_absent absent, int busy_ms,
                struct error *error);

/* NULL is fine. */
void hit_db_close(struct hit_db *db);

/* Drops the hits of rows that are gone, or were made anew since, where rules have changed at all; then adds the hits of
 * the table: all in one transaction. Returns 0, or a negative errno with the reason in *error and nothing changed. */
int hit_db_add(struct hit_db *db, const struct hit_table *table, struct error *error);

/* Begins to read, all as of one moment: since when hits are counted (Unix seconds), and when some had last to be left
 * out; 0: never. Returns 0, or a negative errno with the reason in *error. */
int hit_db_begin_reading(struct hit_db *db, int64_t *since, int64_t *lost_at, struct error *error);

/* What is known of one row; zeros where it has not been hit. Returns 0, or a negative errno with the reason in *error.
 */
int hit_db_find(struct hit_db *db, enum rule_table table, struct str key, struct str client, uint64_t *hits,
                int64_t *last, struct error *error);

#endif
