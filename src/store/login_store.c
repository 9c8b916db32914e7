#include "store/login_store.h"

#include "store/login_redis.h"
#include "store/login_sqlite.h"

#include <errno.h>

static const char sqlite_scheme[] = "sqlite:";

static bool is_sqlite(const char *url)
{
    return strncmp(url, sqlite_scheme, sizeof sqlite_scheme - 1) == 0;
}

int login_store_check(const char *url, struct error *error)
{
    return is_sqlite(url) ? login_sqlite_check(url, error) : login_redis_check(url, error);
}

int login_store_test(const char *url, struct error *error)
{
    return is_sqlite(url) ? login_sqlite_test(url, error) : login_redis_check(url, error);
}

int login_store_open(struct login_store **store, uv_loop_t *loop, const struct login_store_options *options,
                     struct error *error)
{
    return is_sqlite(options->url) ? login_sqlite_open(store, loop, options, error)
                                   : login_redis_open(store, loop, options, error);
}
