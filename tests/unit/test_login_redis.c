/*
 * The Redis store with a real redis-server.
 */
#include "redis_rig.h"
#include "suite.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#define ADDRESS "192.0.2.7"
#define KEY     "gatepost:login:" ADDRESS

static int64_t now_s(void)
{
    return time(NULL);
}

static long long expiry_of(const char *name, const char *key)
{
    return atoll(rig_redis(name, "TTL %s", key));
}

START_TEST(record_is_found_until_it_ends)
{
    struct rig rig;
    int64_t now = now_s();
    pid_t redis = rig_start_redis("s", NULL);
    rig_open_at(&rig, "s");
    ck_assert_int_eq(login_store_state(rig.store), LOGIN_STORE_OPENING);
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, now), "");
    ck_assert_int_eq(login_store_state(rig.store), LOGIN_STORE_UP);
    ck_assert_int_eq(rig_record(&rig, ADDRESS, "alice", now + 60, now), LOGIN_DONE);
    ck_assert_int_eq(rig_record(&rig, ADDRESS, "bob@example.com", now + 90, now), LOGIN_DONE);
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, now), "alice bob@example.com");
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, now + 59), "alice bob@example.com");
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, now + 60), "bob@example.com");
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, now + 90), "");
    ck_assert_str_eq(rig_look_up(&rig, "192.0.2.8", now), "");
    ck_assert_uint_eq(rig.n_up, 1);
    ck_assert_uint_eq(rig.n_down, 0);
    rig_close(&rig);
    rig_stop_redis(redis);
}
END_TEST

START_TEST(record_prolongs_and_never_shortens)
{
    struct rig rig;
    int64_t now = now_s();
    pid_t redis = rig_start_redis("s", NULL);
    rig_open_at(&rig, "s");
    ck_assert_int_eq(rig_record(&rig, ADDRESS, "alice", now + 1000, now), LOGIN_DONE);
    ck_assert_int_eq(rig_record(&rig, ADDRESS, "alice", now + 500, now), LOGIN_DONE);
    ck_assert_int_eq(atoll(rig_redis("s", "ZSCORE " KEY " alice")), now + 1000);
    ck_assert_int_eq(rig_record(&rig, ADDRESS, "alice", now + 2000, now), LOGIN_DONE);
    ck_assert_int_eq(atoll(rig_redis("s", "ZSCORE " KEY " alice")), now + 2000);
    ck_assert_int_eq(rig_record(&rig, ADDRESS, "bob", now + 100, now), LOGIN_DONE);
    ck_assert_int_gt(expiry_of("s", KEY), 1900);
    ck_assert_int_le(expiry_of("s", KEY), 2000);

    /* A key without expiry, as somebody's hand or a crash leaves it, gets one again. */
    ck_assert_str_eq(rig_redis("s", "PERSIST " KEY), "1");
    ck_assert_int_eq(rig_record(&rig, ADDRESS, "bob", now + 50, now), LOGIN_DONE);
    ck_assert_int_gt(expiry_of("s", KEY), 1900);

    /* What has ended goes at the next record, and a record that has ended leaves nothing. */
    ck_assert_int_eq(rig_record(&rig, ADDRESS, "carol", now + 300, now + 200), LOGIN_DONE);
    ck_assert_str_eq(rig_redis("s", "ZRANGE " KEY " 0 -1"), "carol alice");
    ck_assert_int_eq(rig_record(&rig, "192.0.2.8", "dave", now, now), LOGIN_DONE);
    ck_assert_str_eq(rig_redis("s", "EXISTS gatepost:login:192.0.2.8"), "0");
    ck_assert_str_eq(rig_redis("s", "ZADD gatepost:login:192.0.2.9 inf eve"), "1");
    ck_assert_int_eq(rig_record(&rig, "192.0.2.9", "dave", now + 10, now), LOGIN_DONE);
    ck_assert_int_gt(expiry_of("s", "gatepost:login:192.0.2.9"), 1000000);
    rig_close(&rig);
    rig_stop_redis(redis);
}
END_TEST

START_TEST(names_may_hold_any_bytes_and_great_length)
{
    struct rig rig;
    struct rig_request request;
    int64_t now = now_s();
    char longest[LOGIN_NAME_MAX_BYTES + 1];
    pid_t redis = rig_start_redis("s", NULL);
    rig_open_at(&rig, "s");
    memset(longest, 'x', LOGIN_NAME_MAX_BYTES);
    longest[LOGIN_NAME_MAX_BYTES] = '\0';
    ck_assert_int_eq(rig_record(&rig, "2001:db8::1", longest, now + 60, now), LOGIN_DONE);
    ck_assert_str_eq(rig_look_up(&rig, "2001:db8::1", now), longest);
    ck_assert_str_eq(rig_redis("s", "ZADD gatepost:login:2001:db8::1 %lld %sy", (long long)now + 60, longest), "1");
    ck_assert_str_eq(rig_look_up(&rig, "2001:db8::1", now), longest);
    ck_assert_int_eq(rig_record(&rig, ADDRESS, "a\r\n*9'\"\xc3\xbc", now + 60, now), LOGIN_DONE);
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, now), "a\r\n*9'\"\xc3\xbc");
    rig_fill(&request, LOGIN_RECORD, "longer than any address can be, whatever its family", "x", now + 60, now);
    request.request.address.n = 46;
    ck_assert_int_eq(rig_submit(&rig, &request), -EINVAL);
    rig_close(&rig);
    rig_stop_redis(redis);
}
END_TEST

/* Gives a key n logins whose names are of 1000 bytes and more. */
static void fill_key(const char *key, int n, int64_t ends_at)
{
    ck_assert_str_eq(rig_redis("s",
                               "EVAL for\ti=1,%d\tdo\tredis.call('ZADD',KEYS[1],ARGV[1],string.rep('x',1000)..i)\tend "
                               "1 %s %lld",
                               n, key, (long long)ends_at),
                     "nil");
}

START_TEST(too_many_names_are_not_whole)
{
    struct rig rig;
    struct rig_request request;
    int64_t now = now_s();
    pid_t redis = rig_start_redis("s", NULL);
    rig_open_at(&rig, "s");
    fill_key(KEY, LOGIN_NAMES_MAX, now + 60);
    rig_fill(&request, LOGIN_LOOK_UP, ADDRESS, "", 0, now);
    ck_assert_int_eq(rig_ask(&rig, &request), LOGIN_DONE);
    ck_assert_uint_eq(request.request.n_entries, LOGIN_NAMES_MAX);
    ck_assert(request.request.whole);
    ck_assert_int_eq(rig_record(&rig, ADDRESS, "one more", now + 60, now), LOGIN_DONE);
    ck_assert_int_eq(rig_ask(&rig, &request), LOGIN_DONE);
    ck_assert_uint_eq(request.request.n_entries, LOGIN_NAMES_MAX);
    ck_assert(!request.request.whole);
    ck_assert_uint_eq(rig.n_down, 0);
    rig_close(&rig);
    rig_stop_redis(redis);
}
END_TEST

START_TEST(remove_counts_the_live_ones)
{
    struct rig rig;
    struct rig_request request;
    int64_t now = now_s();
    pid_t redis = rig_start_redis("s", NULL);
    rig_open_at(&rig, "s");
    ck_assert_int_eq(rig_record(&rig, ADDRESS, "alice", now + 60, now), LOGIN_DONE);
    ck_assert_int_eq(rig_record(&rig, ADDRESS, "bob", now + 60, now), LOGIN_DONE);
    ck_assert_int_eq(rig_record(&rig, ADDRESS, "carol", now + 10, now), LOGIN_DONE);
    rig_fill(&request, LOGIN_REMOVE, ADDRESS, "", 0, now + 20);
    ck_assert_int_eq(rig_ask(&rig, &request), LOGIN_DONE);
    ck_assert_uint_eq(request.request.n_removed, 2);
    ck_assert_str_eq(rig_redis("s", "EXISTS " KEY), "0");
    ck_assert_int_eq(rig_ask(&rig, &request), LOGIN_DONE);
    ck_assert_uint_eq(request.request.n_removed, 0);
    rig_close(&rig);
    rig_stop_redis(redis);
}
END_TEST

/* Pages through the list; the number of logins, and all texts in *names where it has room. */
static size_t list_all(struct rig *rig, int64_t now, char names[RIG_TEXT_SIZE])
{
    struct rig_request request;
    size_t n = 0, n_pages = 0;
    names[0] = '\0';
    rig_fill(&request, LOGIN_LIST, "", "", 0, now);
    do {
        ck_assert_int_eq(rig_ask(rig, &request), LOGIN_DONE);
        ck_assert_uint_lt(++n_pages, 1000);
        n += request.request.n_entries;
        if (*request.names)
            (void)snprintf(names + strlen(names), RIG_TEXT_SIZE - strlen(names), "[%s]", request.names);
    } while (request.cursor[0] != '\0');
    return n;
}

START_TEST(list_has_every_login_once)
{
    struct rig rig;
    char names[RIG_TEXT_SIZE], expected[RIG_TEXT_SIZE], address[IP_TEXT_SIZE];
    int64_t now = now_s();
    pid_t redis = rig_start_redis("s", NULL);
    rig_open_at(&rig, "s");
    ck_assert_uint_eq(list_all(&rig, now, names), 0);
    ck_assert_int_eq(rig_record(&rig, ADDRESS, "alice", now + 60, now), LOGIN_DONE);
    ck_assert_int_eq(rig_record(&rig, ADDRESS, "bob", now + 10, now), LOGIN_DONE);
    ck_assert_str_eq(rig_redis("s", "SET gatepost:login:192.0.2.1 x"), "OK");
    ck_assert_str_eq(rig_redis("s", "SET gatepost:other x"), "OK");
    ck_assert_str_eq(rig_redis("s", "ZADD gatepost:login:x\n\x1b[2J %lld x", (long long)now + 60), "1");
    ck_assert_str_eq(rig_redis("s", "ZADD gatepost:login:192.0.2.3/24 %lld x", (long long)now + 60), "1");
    ck_assert_str_eq(rig_redis("s", "ZADD gatepostXlogin:192.0.2.2 %lld x", (long long)now + 60), "1");
    ck_assert_uint_eq(list_all(&rig, now + 20, names), 1);
    (void)snprintf(expected, sizeof expected, "[" ADDRESS "/alice=%lld]", (long long)now + 60);
    ck_assert_str_eq(names, expected);
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(address, sizeof address, "2001:db8::%x", i + 1);
        ck_assert_int_eq(rig_record(&rig, address, "x", now + 60, now), LOGIN_DONE);
    }
    ck_assert_uint_eq(list_all(&rig, now + 20, names), 2001);
    rig_close(&rig);
    rig_stop_redis(redis);
}
END_TEST

START_TEST(list_of_much_is_cut_into_pages)
{
    struct rig rig;
    char names[RIG_TEXT_SIZE], key[RIG_NAME_SIZE];
    int64_t now = now_s();
    pid_t redis = rig_start_redis("s", NULL);
    rig_open_at(&rig, "s");
    for (int i = 1; i <= 6; i++) {
        (void)snprintf(key, sizeof key, "gatepost:login:192.0.2.%d", i);
        fill_key(key, 9000, now + 60);
    }
    ck_assert_uint_eq(list_all(&rig, now, names), 6 * 9000);
    rig_close(&rig);
    rig_stop_redis(redis);
}
END_TEST

START_TEST(error_of_one_key_is_no_outage)
{
    struct rig rig;
    struct rig_request request;
    int64_t now = now_s();
    pid_t redis = rig_start_redis("s", NULL);
    rig_open_at(&rig, "s");
    ck_assert_str_eq(rig_redis("s", "SET " KEY " x"), "OK");
    rig_fill(&request, LOGIN_LOOK_UP, ADDRESS, "", 0, now);
    ck_assert_int_eq(rig_ask(&rig, &request), LOGIN_BAD_KEY);
    ck_assert_ptr_nonnull(strstr(request.why, "no sorted set (WRONGTYPE)"));
    ck_assert_int_eq(rig_record(&rig, ADDRESS, "alice", now + 60, now), LOGIN_BAD_KEY);
    rig_fill(&request, LOGIN_REMOVE, ADDRESS, "", 0, now);
    ck_assert_int_eq(rig_ask(&rig, &request), LOGIN_BAD_KEY);
    ck_assert_int_eq(rig_record(&rig, "192.0.2.8", "alice", now + 60, now), LOGIN_DONE);
    ck_assert_int_eq(login_store_state(rig.store), LOGIN_STORE_UP);
    ck_assert_uint_eq(rig.n_down, 0);
    rig_close(&rig);
    rig_stop_redis(redis);
}
END_TEST

/* What keeps a Redis from writing, while it still answers look-ups. */
static const struct {
    const char *begin, *end, *why;
} no_writes[] = {
    { "REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "takes no writes: it is a replica (READONLY)" },
    { "CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "takes no writes: its memory is full (OOM)" },
    { "CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0", "too few replicas" },
    { "ACL SETUSER default -eval", "ACL SETUSER default +eval", "its user lacks a permission (NOPERM)" },
    { "ACL SETUSER default -zadd", "ACL SETUSER default +zadd", "takes no writes: " },
};

START_TEST(what_takes_no_writes_is_still_asked)
{
    struct rig rig;
    struct rig_request request;
    int64_t now = now_s();
    pid_t redis = rig_start_redis("s", NULL);
    rig_open_at(&rig, "s");
    ck_assert_int_eq(rig_record(&rig, ADDRESS, "alice", now + 60, now), LOGIN_DONE);
    ck_assert_str_eq(rig_redis("s", "%s", no_writes[_i].begin), "OK");
    rig_fill(&request, LOGIN_RECORD, ADDRESS, "bob", now + 60, now);
    ck_assert_int_eq(rig_ask(&rig, &request), LOGIN_NO_WRITES);
    ck_assert_msg(strstr(request.why, no_writes[_i].why) != NULL, "%s", request.why);
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, now), "alice");
    ck_assert_str_eq(rig_redis("s", "%s", no_writes[_i].end), "OK");
    ck_assert_int_eq(rig_ask(&rig, &request), LOGIN_DONE);
    ck_assert_uint_eq(rig.n_down, 0);
    rig_close(&rig);
    rig_stop_redis(redis);
}
END_TEST

START_TEST(policy_that_evicts_is_warned_of_once)
{
    static const char *const arguments[] = { "--maxmemory-policy", "allkeys-lru", NULL };
    struct rig rig;
    int64_t now = now_s();
    pid_t redis = rig_start_redis("s", arguments);
    rig_open_at(&rig, "s");
    rig_wait(&rig, rig.n_warned == 1);
    ck_assert_ptr_nonnull(strstr(rig.warning, "allkeys-lru"));
    rig_stop_redis(redis);
    rig_wait(&rig, rig.n_down == 1);
    redis = rig_start_redis("s", arguments);
    rig_wait(&rig, rig.n_up == 2);
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, now), "");
    ck_assert_uint_eq(rig.n_warned, 1);
    rig_close(&rig);
    rig_stop_redis(redis);
}
END_TEST

/* All that a user needs; with sentinels also +role. */
#define NEEDED                                                                                                         \
    "+ping +select +info +eval +zscore +zadd +zremrangebyscore +zrevrange +expireat +zcount +del +zrangebyscore +scan"

START_TEST(users_and_passwords_are_used)
{
    struct rig rig;
    char url[RIG_TEXT_SIZE], names[RIG_TEXT_SIZE];
    int64_t now = now_s();
    struct rig_request request;
    pid_t redis = rig_start_redis("s", NULL);
    (void)snprintf(url, sizeof url, "redis+unix://gate:s%%3acret@%s/s?db=3", rig_folder);
    ck_assert_str_eq(rig_redis("s", "ACL SETUSER gate on >s:cret ~gatepost:login:* " NEEDED), "OK");
    rig_open(&rig, url, RIG_TIMEOUT_MS);
    ck_assert_int_eq(rig_record(&rig, ADDRESS, "alice", now + 60, now), LOGIN_DONE);
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, now), "alice");
    ck_assert_uint_eq(list_all(&rig, now, names), 1);
    rig_fill(&request, LOGIN_REMOVE, ADDRESS, "", 0, now);
    ck_assert_int_eq(rig_ask(&rig, &request), LOGIN_DONE);
    ck_assert_int_eq(rig_record(&rig, ADDRESS, "alice", now + 60, now), LOGIN_DONE);
    ck_assert_str_eq(rig_redis("s", "DBSIZE"), "0");
    rig_close(&rig);

    ck_assert_str_eq(rig_redis("s", "ACL SETUSER gate resetpass >other"), "OK");
    rig_open(&rig, url, RIG_TIMEOUT_MS);
    rig_wait(&rig, rig.n_down == 1);
    ck_assert_ptr_nonnull(strstr(rig.cause, "it refuses the user or the password (WRONGPASS)"));
    ck_assert_ptr_null(strstr(rig.cause, "cret"));
    ck_assert_str_eq(rig_redis("s", "ACL SETUSER gate >s:cret"), "OK");
    rig_wait(&rig, rig.n_up == 1);
    rig_close(&rig);

    ck_assert_str_eq(rig_redis("s", "CONFIG SET requirepass hidden"), "OK");
    (void)snprintf(url, sizeof url, "redis+unix://:hidden@%s/s", rig_folder);
    rig_open(&rig, url, RIG_TIMEOUT_MS);
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, now), "");
    rig_close(&rig);
    rig_open_at(&rig, "s");
    rig_wait(&rig, rig.n_down == 1);
    ck_assert_ptr_nonnull(strstr(rig.cause, "it wants a password (NOAUTH)"));
    rig_close(&rig);
    rig_stop_redis(redis);
}
END_TEST

START_TEST(stopped_server_is_noticed_and_found_again)
{
    struct rig rig;
    struct rig_request requests[3];
    int64_t now = now_s();
    pid_t redis = rig_start_redis("s", NULL);
    rig_open_at(&rig, "s");
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, now), "");
    ck_assert_int_eq(kill(redis, SIGSTOP), 0);
    for (int i = 0; i < 3; i++) {
        rig_fill(&requests[i], i == 1 ? LOGIN_RECORD : LOGIN_LOOK_UP, ADDRESS, "alice", now + 60, now);
        ck_assert_int_eq(rig_submit(&rig, &requests[i]), 0);
    }
    rig_wait(&rig, requests[0].done && requests[1].done && requests[2].done);
    ck_assert_int_eq(requests[0].request.outcome, LOGIN_AWAY);
    ck_assert_int_eq(requests[1].request.outcome, LOGIN_AWAY);
    ck_assert_ptr_nonnull(strstr(requests[2].why, "does not answer within 1000 ms"));
    ck_assert_int_eq(login_store_state(rig.store), LOGIN_STORE_DOWN);
    ck_assert_int_eq(rig_submit(&rig, &requests[0]), -EAGAIN);
    for (int i = 0; i < 300; i++)
        rig_round(&rig);
    ck_assert_int_eq(kill(redis, SIGCONT), 0);
    rig_wait(&rig, rig.n_up == 2);
    ck_assert_int_eq(rig_record(&rig, ADDRESS, "bob", now + 60, now), LOGIN_DONE);
    ck_assert_uint_eq(rig.n_down, 1);
    rig_close(&rig);
    rig_stop_redis(redis);
}
END_TEST

START_TEST(absent_server_is_found_when_it_comes)
{
    struct rig rig;
    int64_t now = now_s();
    rig_open_at(&rig, "later");
    rig_wait(&rig, rig.n_down == 1);
    ck_assert_msg(strstr(rig.cause, "cannot be reached: no such file") != NULL, "%s", rig.cause);
    pid_t redis = rig_start_redis("later", NULL);
    rig_wait(&rig, rig.n_up == 1);
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, now), "");
    rig_close(&rig);
    rig_stop_redis(redis);
}
END_TEST

START_TEST(closed_while_idle_is_no_outage)
{
    struct rig rig;
    int64_t now = now_s();
    pid_t redis = rig_start_redis("s", NULL);
    rig_open_at(&rig, "s");
    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(rig_look_up(&rig, ADDRESS, now), "");
        (void)rig_redis("s", "CLIENT KILL TYPE normal SKIPME yes");
        rig_wait(&rig, login_store_state(rig.store) != LOGIN_STORE_UP);
        ck_assert_int_eq(login_store_state(rig.store), LOGIN_STORE_OPENING);
    }
    /* One that has lasted is made again at once. */
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, now), "");
    for (uint64_t end = uv_hrtime() + UINT64_C(1100000000); uv_hrtime() < end;)
        rig_round(&rig);
    (void)rig_redis("s", "CLIENT KILL TYPE normal SKIPME yes");
    rig_wait(&rig, login_store_state(rig.store) != LOGIN_STORE_UP);
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, now), "");
    ck_assert_uint_eq(rig.n_up, 1);
    ck_assert_uint_eq(rig.n_down, 0);
    rig_close(&rig);
    rig_stop_redis(redis);
}
END_TEST

/* What is wrong with the configuration is told before anything is begun. */
START_TEST(wrong_configuration_is_refused)
{
    char prefix[400];
    struct error error;
    struct rig rig;
    struct login_store_options options = { .url = "redis://:s3cret@host:port", .prefix = "gatepost:" };
    rig_init(&rig);
    ck_assert_int_eq(login_store_check(options.url, &error), -EINVAL);
    ck_assert_int_eq(login_store_open(&rig.store, &rig.loop, &options, &error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error.text, "a port is a number"));
    memset(prefix, 'x', sizeof prefix - 1);
    prefix[sizeof prefix - 1] = '\0';
    options.url = "redis://:s3cret@host";
    options.prefix = prefix;
    ck_assert_int_eq(login_store_check(options.url, &error), 0);
    ck_assert_int_eq(login_store_open(&rig.store, &rig.loop, &options, &error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error.text, "redis_prefix"));
    ck_assert_int_eq(uv_loop_close(&rig.loop), 0);
}
END_TEST

START_TEST(close_ends_what_is_in_flight)
{
    static struct rig_request requests[1000];
    struct rig rig;
    int64_t now = now_s();
    char address[IP_TEXT_SIZE];
    pid_t redis = rig_start_redis("s", NULL);
    rig_open_at(&rig, "s");
    if (_i > 0)
        ck_assert_str_eq(rig_look_up(&rig, ADDRESS, now), "");
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(address, sizeof address, "192.0.2.%d", i % 250);
        rig_fill(&requests[i], (enum login_verb)(i % 4), address, "alice", now + 60, now);
        ck_assert_int_eq(rig_submit(&rig, &requests[i]), 0);
    }
    for (int i = 1; i < _i; i++)
        (void)uv_run(&rig.loop, UV_RUN_NOWAIT);
    rig_close(&rig);
    for (int i = 0; i < 1000; i++)
        ck_assert(requests[i].done);
    rig_stop_redis(redis);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("login_redis");
    TCase *tcase = suite_case(suite, "login_redis");
    tcase_add_unchecked_fixture(tcase, rig_make_folder, rig_remove_folder);
    tcase_add_test(tcase, record_is_found_until_it_ends);
    tcase_add_test(tcase, record_prolongs_and_never_shortens);
    tcase_add_test(tcase, names_may_hold_any_bytes_and_great_length);
    tcase_add_test(tcase, too_many_names_are_not_whole);
    tcase_add_test(tcase, remove_counts_the_live_ones);
    tcase_add_test(tcase, list_has_every_login_once);
    tcase_add_test(tcase, list_of_much_is_cut_into_pages);
    tcase_add_test(tcase, error_of_one_key_is_no_outage);
    tcase_add_loop_test(tcase, what_takes_no_writes_is_still_asked, 0, COUNT(no_writes));
    tcase_add_test(tcase, policy_that_evicts_is_warned_of_once);
    tcase_add_test(tcase, users_and_passwords_are_used);
    tcase_add_test(tcase, stopped_server_is_noticed_and_found_again);
    tcase_add_test(tcase, absent_server_is_found_when_it_comes);
    tcase_add_test(tcase, closed_while_idle_is_no_outage);
    tcase_add_test(tcase, wrong_configuration_is_refused);
    tcase_add_loop_test(tcase, close_ends_what_is_in_flight, 0, 4);
    return suite_run(suite);
}
