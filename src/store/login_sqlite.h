/*
 * login_sqlite: logins kept in SQLite, behind login_store.h.
 *
 * The URL is sqlite:/path. What is asked goes to a worker in one of two lanes, reading (look up, list) and writing
 * (record, remove). A lane has its own connection and one job at a time, which takes all that waits there: while one
 * transaction is being written, the records for the next one gather. A look-up sees every record that was done when it
 * was submitted.
 *
 * Several programs may share the file. Where another holds its write lock for over a quarter of a second, writes are
 * LOGIN_NO_WRITES; where one locks out readers (which nobody does who knows WAL), look-ups are LOGIN_AWAY. Neither
 * puts the store down. An error of the database does, or a file that has been deleted or replaced: the path is then
 * opened anew every half second, and the file created where it is gone.
 */
#ifndef GATEPOST_STORE_LOGIN_SQLITE_H
#define GATEPOST_STORE_LOGIN_SQLITE_H

#include "store/login_store.h"

/* As login_store_open, login_store_check and login_store_test. The file is opened before this returns; a lock is waited
 * for as above. */
int login_sqlite_open(struct login_store **store, uv_loop_t *loop, const struct login_store_options *options,
                      struct error *error);
int login_sqlite_check(const char *url, struct error *error);
int login_sqlite_test(const char *url, struct error *error);

#endif
