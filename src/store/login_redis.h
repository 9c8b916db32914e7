/*
 * login_redis: logins kept in Redis, behind login_store.h.
 */
#ifndef GATEPOST_STORE_LOGIN_REDIS_H
#define GATEPOST_STORE_LOGIN_REDIS_H

#include "store/login_store.h"

/* As login_store_open and login_store_check. */
int login_redis_open(struct login_store **store, uv_loop_t *loop, const struct login_store_options *options,
                     struct error *error);
int login_redis_check(const char *url, struct error *error);

#endif
