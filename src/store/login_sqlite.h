/*
 * login_sqlite: logins kept in SQLite, behind login_store.h.
 */
#ifndef GATEPOST_STORE_LOGIN_SQLITE_H
#define GATEPOST_STORE_LOGIN_SQLITE_H

#include "store/login_store.h"

/* As login_store_open and login_store_check. */
int login_sqlite_open(struct login_store **store, uv_loop_t *loop, const struct login_store_options *options,
                      struct error *error);
int login_sqlite_check(const char *url, struct error *error);

#endif
