/*
 * The Redis store over TCP, and with sentinels: scripted ones, that name masters which are none.
 */
#include "redis_fake.h"
#include "suite.h"

#include <stdio.h>

enum { NOW = 2000000000 };

#define ADDRESS "192.0.2.7"
#define REPLICA "*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:1\r\n$9\r\nconnected\r\n:0\r\n"

static struct rig rig;
static struct fake servers[2], sentinels[2];
static char named[2][RIG_TEXT_SIZE];

/* The sentinel says that this port has the master. */
static void name_master(int sentinel, int port)
{
    char text[16];
    int n = snprintf(text, sizeof text, "%d", port);
    (void)snprintf(named[sentinel], sizeof named[0], "*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%s\r\n", n, text);
    sentinels[sentinel].sentinel = named[sentinel];
}

/* Both sentinels name the first server at first. The store is opened once all ports are known. */
static void begin(const char *credentials)
{
    char url[RIG_TEXT_SIZE];
    rig_init(&rig);
    for (int i = 0; i < 2; i++) {
        fake_start(&servers[i], &rig, NULL);
        fake_start(&sentinels[i], &rig, NULL);
        servers[i].look_up = i == 0 ? "*1\r\n$4\r\nzero\r\n" : "*1\r\n$3\r\none\r\n";
    }
    (void)snprintf(url, sizeof url, "redis+sentinel://%s127.0.0.1:%d,127.0.0.1:%d/main", credentials, sentinels[0].port,
                   sentinels[1].port);
    for (int i = 0; i < 2; i++)
        name_master(i, servers[0].port);
    rig_open_in(&rig, url, RIG_TIMEOUT_MS);
}

static void end(void)
{
    for (int i = 0; i < 2; i++) {
        fake_stop(&servers[i]);
        fake_stop(&sentinels[i]);
    }
    rig_close(&rig);
}

static void expect_part(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "\"%s\" does not say \"%s\"", text, part);
}

START_TEST(server_is_reached_by_name_and_address)
{
    static const char *const hosts[] = { "127.0.0.1", "localhost" };
    char url[RIG_TEXT_SIZE];
    rig_init(&rig);
    fake_start(&servers[0], &rig, NULL);
    (void)snprintf(url, sizeof url, "redis://:s3cret@%s:%d/3", hosts[_i], servers[0].port);
    rig_open_in(&rig, url, RIG_TIMEOUT_MS);
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, NOW), "");
    servers[0].look_up = "hello\r\n";
    expect_part(rig_look_up(&rig, ADDRESS, NOW), hosts[_i]);
    rig_wait(&rig, rig.n_up == 2);
    servers[0].resets = true;
    expect_part(rig_look_up(&rig, ADDRESS, NOW), "is lost: connection reset by peer");
    fake_stop(&servers[0]);
    rig_close(&rig);
}
END_TEST

START_TEST(absent_host_is_told)
{
    rig_init(&rig);
    rig_open_in(&rig, "redis://:s3cret@no-such-host.invalid", RIG_TIMEOUT_MS);
    rig_wait(&rig, rig.n_down == 1);
    expect_part(rig.cause, "Redis at no-such-host.invalid:6379 ");
    rig_close(&rig);
    rig_init(&rig);
    rig_open_in(&rig, "redis://:s3cret@127.0.0.1:1", RIG_TIMEOUT_MS);
    rig_wait(&rig, rig.n_down == 1);
    ck_assert_str_eq(rig.cause, "Redis at 127.0.0.1:1 cannot be reached: connection refused");
    rig_close(&rig);
}
END_TEST

START_TEST(master_is_asked_for)
{
    begin("");
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, NOW), "zero");
    ck_assert_str_eq(sentinels[0].command, "SENTINEL get-master-addr-by-name main");
    ck_assert_uint_eq(sentinels[1].n_conns, 0);
    ck_assert_uint_eq(servers[0].n_roles, 2); /* with the greeting, and in front of what had waited for it */
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, NOW), "zero");
    ck_assert_uint_eq(servers[0].n_roles, 3);
    end();
}
END_TEST

/* What the first sentinel may say or do; the second knows better. */
static const char *const useless[] = {
    NULL,
    "*-1\r\n",
    "$-1\r\n",
    "-ERR No such master with that name\r\n",
    "-NOAUTH Authentication required.\r\n",
    "*2\r\n$9\r\n127.0.0.1\r\n$1\r\n1\r\n",
    "*2\r\n$9\r\n127.0.0.1\r\n$5\r\n99999\r\n",
    "*2\r\n$0\r\n\r\n$1\r\n1\r\n",
    "*2\r\n$3\r\na b\r\n$1\r\n1\r\n",
    "*2\r\n:1\r\n:1\r\n",
    "*2147483647\r\n",
    "hello\r\n",
};

START_TEST(next_sentinel_is_asked)
{
    begin("");
    sentinels[0].sentinel = useless[_i];
    rig_wait(&rig, rig.n_up == 1);
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, NOW), "zero");
    /* From now on the second is asked first. */
    unsigned conns = sentinels[0].n_conns;
    servers[0].look_up = "hello\r\n";
    expect_part(rig_look_up(&rig, ADDRESS, NOW), "no reply of Redis");
    servers[0].look_up = "*0\r\n";
    rig_wait(&rig, login_store_state(rig.store) == LOGIN_STORE_UP);
    ck_assert_uint_eq(sentinels[0].n_conns, conns);
    end();
}
END_TEST

START_TEST(hung_sentinels_cost_a_request_its_time_and_no_more)
{
    struct rig_request request;
    begin("");
    sentinels[0].ping = sentinels[1].ping = NULL;
    rig_fill(&request, LOGIN_LOOK_UP, ADDRESS, "", 0, NOW);
    ck_assert_int_eq(rig_ask(&rig, &request), LOGIN_AWAY);
    expect_part(request.why, "Sentinel at 127.0.0.1:");
    sentinels[1].ping = "+PONG\r\n";
    sentinels[1].sentinel = NULL;
    rig_wait(&rig, sentinels[1].command[0] == 'S');
    name_master(1, servers[1].port);
    rig_wait(&rig, rig.n_up == 1);
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, NOW), "one");
    end();
}
END_TEST

START_TEST(replica_is_never_used)
{
    begin("");
    servers[0].role = REPLICA;
    name_master(1, servers[1].port);
    rig_wait(&rig, rig.n_up == 1);
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, NOW), "one");
    ck_assert_uint_eq(servers[0].n_look_ups, 0);
    name_master(1, servers[0].port);
    servers[1].role = _i == 0 ? REPLICA : "-NOPERM this user has no permissions to run 'role'\r\n";
    expect_part(rig_look_up(&rig, ADDRESS, NOW), _i == 0 ? "is not the master" : "does not tell its role");
    for (int i = 0; i < 100; i++)
        rig_round(&rig);
    ck_assert_int_eq(login_store_state(rig.store), LOGIN_STORE_DOWN);
    servers[0].role = "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n";
    rig_wait(&rig, login_store_state(rig.store) == LOGIN_STORE_UP);
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, NOW), "zero");
    ck_assert_uint_eq(servers[1].n_look_ups, 2); /* the second of which was answered, and not believed */
    end();
}
END_TEST

START_TEST(master_that_takes_no_writes_is_left)
{
    struct rig_request request;
    begin("");
    rig_wait(&rig, rig.n_up == 1);
    servers[0].script = "-READONLY You can't write against a read only replica.\r\n";
    name_master(0, servers[1].port);
    rig_fill(&request, LOGIN_RECORD, ADDRESS, "alice", NOW + 60, NOW);
    ck_assert_int_eq(rig_ask(&rig, &request), LOGIN_AWAY);
    expect_part(request.why, "is not the master any more: it is a replica (READONLY)");
    rig_wait(&rig, rig.n_up == 2);
    ck_assert_int_eq(rig_ask(&rig, &request), LOGIN_DONE);
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, NOW), "one");
    end();
}
END_TEST

START_TEST(sentinel_without_password_is_used)
{
    begin("alice:s3cret@");
    sentinels[0].auth = _i == 0 ? "-ERR AUTH <password> called without any password configured\r\n"
                                : "-ERR unknown command 'AUTH', with args beginning with: 'alice' 's3cret'\r\n";
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, NOW), "zero");
    ck_assert_uint_eq(sentinels[1].n_conns, 0);
    end();
}
END_TEST

START_TEST(without_a_master_the_store_is_down)
{
    begin("alice:s3cret@");
    sentinels[0].sentinel = "*-1\r\n";
    sentinels[1].sentinel = "-ERR s3cret is no master of alice\r\n";
    rig_wait(&rig, rig.n_down == 1);
    expect_part(rig.cause, "Sentinel at 127.0.0.1:");
    expect_part(rig.cause, "names no master: it gives an error that is not shown");
    name_master(1, servers[1].port);
    rig_wait(&rig, rig.n_up == 1);
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, NOW), "one");
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redis_sentinel");
    TCase *tcase = suite_case(suite, "redis_sentinel");
    tcase_add_loop_test(tcase, server_is_reached_by_name_and_address, 0, 2);
    tcase_add_test(tcase, absent_host_is_told);
    tcase_add_test(tcase, master_is_asked_for);
    tcase_add_loop_test(tcase, next_sentinel_is_asked, 0, COUNT(useless));
    tcase_add_test(tcase, hung_sentinels_cost_a_request_its_time_and_no_more);
    tcase_add_loop_test(tcase, replica_is_never_used, 0, 2);
    tcase_add_test(tcase, master_that_takes_no_writes_is_left);
    tcase_add_loop_test(tcase, sentinel_without_password_is_used, 0, 2);
    tcase_add_test(tcase, without_a_master_the_store_is_down);
    return suite_run(suite);
}
