/*
 * login_db: one connection to a database of logins (SQLite, sql/logins.sql), and what is asked of it.
 *
 * Works through lists of requests, and sets in each what login_store.h says; `done` is not called here. A connection
 * has one owner at a time: it may go from thread to thread, but never be used by two at once. Reading and writing go
 * over connections of their own, so that no lock of a writer holds up a look-up (WAL).
 */
#ifndef GATEPOST_STORE_LOGIN_DB_H
#define GATEPOST_STORE_LOGIN_DB_H

#include "store/login_rows.h"

enum {
    LOGIN_DB_PAGE = 500,                   /* logins in one part of a list */
    LOGIN_DB_READ_BYTES = 4 * 1024 * 1024, /* texts read at a time, and then a look-up's; the rest waits */
    LOGIN_DB_SWEEP_ROWS = 1000             /* in one sweep */
};

struct login_db;

/* Opens the database, and creates it where it is absent, for its owner's eyes only. A lock of somebody else is waited
 * for up to busy_ms, now and later. Returns 0, or a negative errno with the reason in *error. */
int login_db_open(struct login_db **db, const char *path, int busy_ms, struct error *error);

/* Whether it could be opened, without changing anything; where it is absent, whether it could be made. Returns 0, or a
 * negative errno with the reason in *error. */
int login_db_check(const char *path, struct error *error);

/* Whether the whole file is sound; takes a while with a large one. Returns 0, or a negative errno with what is wrong in
 * *error. */
int login_db_examine(struct login_db *db, struct error *error);

/* NULL is fine. */
void login_db_close(struct login_db *db);

/* Answers look-ups and lists, as of one moment. Where they get very long, the last ones may be left for another time:
 * they are then cut off the list, and returned in *rest. The entries live in rows, which was empty.
 *
 * Both return 0, or a negative errno with the reason in *error where the connection is of no use any more and the path
 * is to be opened anew; no request is LOGIN_DONE then, and the reason is theirs, too. What others have locked or a full
 * disk shows in the requests alone. */
int login_db_read(struct login_db *db, struct login_request *requests, struct login_request **rest,
                  struct login_rows *rows, struct error *error);

/* Records and removes, in one transaction: when this returns, all that is LOGIN_DONE has been committed. */
int login_db_write(struct login_db *db, struct login_request *requests, struct error *error);

/* Sweeps what has ended at `now` (Unix seconds). *all is false where some were left for another sweep. A lock leaves it
 * for later, too. Returns 0, or a negative errno with the reason in *error; that says nothing against look-ups. */
int login_db_sweep(struct login_db *db, int64_t now, bool *all, struct error *error);

/* Sets all requests of the list to this outcome, with nothing found and nothing done. */
void login_db_fail(struct login_request *requests, enum login_outcome outcome, const char *why);

#endif
