#include "store/login_sqlite.h"

#include <errno.h>

int login_sqlite_check(const char *url, struct error *error)
{
    (void)url;
    return error_set(error, -EINVAL, "logins: no store of this kind yet");
}

int login_sqlite_open(struct login_store **store, uv_loop_t *loop, const struct login_store_options *options,
                      struct error *error)
{
    (void)store;
    (void)loop;
    return login_sqlite_check(options->url, error);
}
