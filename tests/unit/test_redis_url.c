#include "store/redis_url.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>

/* What each says, as kind user password hosts path master db. */
static const struct {
    const char *url, *expected;
} good[] = {
    { "redis://localhost", "tcp - - localhost:6379 - - 0" },
    { "redis://192.0.2.1:7000", "tcp - - 192.0.2.1:7000 - - 0" },
    { "redis://redis.example.net/", "tcp - - redis.example.net:6379 - - 0" },
    { "redis://redis.example.net:1/15", "tcp - - redis.example.net:1 - - 15" },
    { "redis://[2001:db8::1]", "tcp - - [2001:db8::1]:6379 - - 0" },
    { "redis://[2001:db8::1]:65535/2", "tcp - - [2001:db8::1]:65535 - - 2" },
    { "redis://alice:s3cret@host", "tcp alice s3cret host:6379 - - 0" },
    { "redis://:s3cret@host:7000/1", "tcp - s3cret host:7000 - - 1" },
    { "redis://al%69ce:s3%3Acre%40t%2f%25@host", "tcp alice s3:cre@t/% host:6379 - - 0" },
    { "redis://alice:s3:cr@et@host", "tcp alice s3:cr@et host:6379 - - 0" }, /* as the last @ ends it */
    { "redis://alice:@host", "tcp alice - host:6379 - - 0" },
    { "redis+unix:///run/redis.sock", "unix - - - /run/redis.sock - 0" },
    { "redis+unix:///run/redis.sock?db=3", "unix - - - /run/redis.sock - 3" },
    { "redis+unix://alice:s3cret@/run/a%3Fb@c", "unix alice s3cret - /run/a?b@c - 0" },
    { "redis+sentinel://a/main", "sentinel - - a:26379 - main 0" },
    { "redis+sentinel://a:1,[2001:db8::2]:2,192.0.2.3/main/4",
      "sentinel - - a:1,[2001:db8::2]:2,192.0.2.3:26379 - main 4" },
    { "redis+sentinel://:s3cret@a,b/my%20main/", "sentinel - s3cret a:26379,b:26379 - my main 0" },
};

static const char *or_dash(const char *text)
{
    return *text ? text : "-";
}

START_TEST(url_is_understood)
{
    static const char *const kinds[] = { "tcp", "unix", "sentinel" };
    struct redis_url url;
    struct error error = { "" };
    char hosts[1024] = "", host[REDIS_ENDPOINT_SIZE], text[4096];
    int r = redis_url_parse(good[_i].url, &url, &error);
    ck_assert_msg(r == 0, "%s: %s", good[_i].url, error.text);
    for (size_t i = 0; i < url.n_hosts; i++) {
        redis_host_format(&url.hosts[i], host);
        (void)snprintf(hosts + strlen(hosts), sizeof hosts - strlen(hosts), "%s%s", i ? "," : "", host);
    }
    (void)snprintf(text, sizeof text, "%s %s %s %s %s %s %u", kinds[url.kind], or_dash(url.user), or_dash(url.password),
                   or_dash(hosts), or_dash(url.path), or_dash(url.master), (unsigned)url.db);
    ck_assert_str_eq(text, good[_i].expected);
    ck_assert(url.has_password == (strchr(good[_i].url, '@') != NULL && url.kind != REDIS_URL_UNIX) ||
              url.kind == REDIS_URL_UNIX);
}
END_TEST

#define X10  "xxxxxxxxxx"
#define X110 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define X550 X110 X110 X110 X110 X110

/* Each holds s3cret or alice where a password or a user may have been meant. */
static const struct {
    const char *url, *part; /* of the error */
} bad[] = {
    { "", "not one of redis://" },
    { "s3cret", "not one of redis://" },
    { "http://alice:s3cret@host", "not one of redis://" },
    { "redis:host", "not one of redis://" },
    { "REDIS://host", "not one of redis://" },
    { "rediss://alice:s3cret@host", "rediss:// needs TLS" },
    { "redis://", "a host is missing" },
    { "redis:///1", "a host is missing" },
    { "redis://:s3cret@", "a host is missing" },
    { "redis://:s3cret@:7000", "a host is missing" },
    { "redis://:s3cret@ho st", "a host is missing or wrong" },
    { "redis://:s3cret@2001:db8::1", "a port is a number" },
    { "redis://:s3cret@[2001:db8::1", "a host is missing or wrong" },
    { "redis://:s3cret@[192.0.2.1]", "a host is missing or wrong" },
    { "redis://:s3cret@[]", "a host is missing or wrong" },
    { "redis://:s3cret@[2001:db8::1]7000", "a host is missing or wrong" },
    { "redis://:s3cret@" X550, "a host is missing or wrong" },
    { "redis://host:", "a port is a number" },
    { "redis://host:0", "a port is a number" },
    { "redis://host:65536", "a port is a number" },
    { "redis://host:s3cret", "a port is a number" },
    { "redis://alice:s3c/ret@host", "a port is a number" }, /* a slash that was not encoded */
    { "redis://alice:1/s3cret@host", "the database of Redis is a number" },
    { "redis://alice@host", "user:password or :password" },
    { "redis://alice:s3cret%4@host", "hexadecimal" },
    { "redis://alice:s3cret%@host", "hexadecimal" },
    { "redis://alice:s3cret%zz@host", "hexadecimal" },
    { "redis://alice:s3cret%00@host", "the password holds a NUL" },
    { "redis://alice%00:s3cret@host", "the user holds a NUL" },
    { "redis://:s3cret" X550 "@host", "the password is longer than 512 bytes" },
    { "redis://alice" X550 ":s3cret@host", "the user is longer than 512 bytes" },
    { "redis://:s3cret@host/main", "the database of Redis is a number" },
    { "redis://:s3cret@host/-1", "the database of Redis is a number" },
    { "redis://:s3cret@host/99999999999", "the database of Redis is a number" },
    { "redis://:s3cret@host/1/2", "the database of Redis is a number" },
    { "redis://a,b", "a host is missing or wrong" },
    { "redis+unix://", "the path of a socket begins with /" },
    { "redis+unix://s3cret", "the path of a socket begins with /" },
    { "redis+unix://:s3cret@host/path", "the path of a socket begins with /" },
    { "redis+unix:///" X110, "the path is longer than 107 bytes" },
    { "redis+unix:///path?db", "?db=N" },
    { "redis+unix:///path?db=", "a number" },
    { "redis+unix:///path?db=s3cret", "a number" },
    { "redis+unix:///path?s3cret=1", "?db=N" },
    { "redis+sentinel://a:1", "the name of the master" },
    { "redis+sentinel://a:1/", "the name of the master" },
    { "redis+sentinel://a:1//2", "the name of the master" },
    { "redis+sentinel://a:1/ma%0ain", "the name of the master" },
    { "redis+sentinel://a:1/main/s3cret", "a number" },
    { "redis+sentinel://a,,b/main", "a host is missing or wrong" },
    { "redis+sentinel://a,/main", "a host is missing or wrong" },
    { "redis+sentinel://a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a/main", "more than 16 sentinels" },
    { "redis+sentinel://:s3cret@/main", "a host is missing or wrong" },
};

START_TEST(fault_is_named_without_secrets)
{
    struct redis_url url;
    struct error error = { "" };
    ck_assert_int_eq(redis_url_parse(bad[_i].url, &url, &error), -EINVAL);
    ck_assert_msg(strstr(error.text, bad[_i].part) != NULL, "%s: %s", bad[_i].url, error.text);
    ck_assert_msg(!strstr(error.text, "s3c") && !strstr(error.text, "alice"), "%s: %s", bad[_i].url, error.text);
    ck_assert_int_eq(strncmp(error.text, "logins: ", 8), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redis_url");
    TCase *tcase = suite_case(suite, "redis_url");
    tcase_add_loop_test(tcase, url_is_understood, 0, COUNT(good));
    tcase_add_loop_test(tcase, fault_is_named_without_secrets, 0, COUNT(bad));
    return suite_run(suite);
}
