#include "store/login_redis.h"

#include <errno.h>

int login_redis_check(const char *url, struct error *error)
{
    (void)url;
    return error_set(error, -EINVAL, "logins: no store of this kind yet");
}

int login_redis_open(struct login_store **store, uv_loop_t *loop, const struct login_store_options *options,
                     struct error *error)
{
    (void)store;
    (void)loop;
    return login_redis_check(options->url, error);
}
