/*
 * database: what the SQLite databases of gatepost have in common.
 *
 * Opens one, creates and migrates it, and says in words why that cannot be done. A handle has one owner at a time: it
 * may go from thread to thread, but never be used by two at once.
 */
#ifndef GATEPOST_STORE_DATABASE_H
#define GATEPOST_STORE_DATABASE_H

#include "core/error.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What tells one of our databases from another, and from everybody else's. */
struct database_kind {
    int64_t application_id;
    int version;                   /* of the schema that this program knows */
    const char *const *migrations; /* SQL that takes a database from the version that is the index to the next one */
    mode_t mode;                   /* of a file that is created */
};

enum database_absent {
    DATABASE_CREATE, /* an absent or empty database is created, one of an older schema migrated, all with WAL */
    DATABASE_EXPECT  /* -ENOENT where it is absent; never changed */
};

enum { DATABASE_FILES = 3 }; /* the database, its write-ahead log, and the index of that */

struct database {
    sqlite3 *sqlite;
    char *path;
    struct {
        dev_t dev;
        ino_t ino; /* 0: absent */
    } files[DATABASE_FILES];
};

/* Opens the database at path for reading and writing; a lock of somebody else is waited for up to busy_ms. Returns 0,
 * or a negative errno with the reason in *error: what is there is no database, another program's, of a newer schema,
 * not readable, not writable, … The caller calls database_close after success. */
int database_open(struct database *db, const struct database_kind *kind, const char *path, enum database_absent absent,
                  int busy_ms, struct error *error);

/* Where another file has taken the place of the database, the old log, which SQLite would take for that of the new one,
 * is removed. */
void database_close(struct database *db);

/* Sets *error to "path: what: SQLite's message" and returns the negative errno for its code. */
int database_fail(const struct database *db, const char *what, struct error *error);

/* Runs SQL without results. */
int database_exec(const struct database *db, const char *sql, struct error *error);

/* The single number that the statement returns. */
int database_number(const struct database *db, const char *sql, int64_t *number, struct error *error);

/* Ends a transaction without effect, where there still is one. */
void database_rollback(const struct database *db);

/* Writes a copy, as of one moment and whatever others write meanwhile, into the empty file at path. A lock of somebody
 * else is waited for up to busy_ms. Returns 0, or a negative errno with the fault in *error. */
int database_copy(const struct database *db, const char *path, int busy_ms, struct error *error);

/* Returns 0 while the path still leads to the file that is open; -ESTALE where it has been replaced by another, -ENOENT
 * where it is gone. The handle is to be closed then and the path opened anew. */
int database_check_file(const struct database *db, struct error *error);

#endif
