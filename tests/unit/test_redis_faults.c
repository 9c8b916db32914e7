/*
 * The Redis store with a scripted Redis: everything that a real one does not do on demand.
 */
#include "redis_fake.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum {
    NOW = 2000000000,
    MANY = 10000,
    RECOVERY_MAX_MS = 3000 /* a second, and what a busy machine adds to it */
};

#define ADDRESS "192.0.2.7"

static struct rig rig;
static struct fake fake;

static void begin(void)
{
    rig_open_at(&rig, "f");
    fake_start(&fake, &rig, "f");
}

static void end(void)
{
    fake_stop(&fake);
    rig_close(&rig);
}

static void expect_part(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "\"%s\" does not say \"%s\"", text, part);
}

#define TEN_OK "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n"

/* Answers to a look-up after which the store counts as away. */
static const struct {
    const char *answer, *cause;
    bool closes;
} outages[] = {
    { NULL, "does not answer within 1000 ms", false },
    { "", "has closed the connection", true },
    { "*2\r\n$5\r\nal", "has closed the connection", true },
    { "*2\r\n$5\r\nal", "does not answer within 1000 ms", false },
    { "hello\r\n", "sent what is no reply of Redis", false },
    { "HTTP/1.1 400 Bad Request\r\n\r\n", "sent what is no reply of Redis", false },
    { "*2147483647\r\n", "sent an array that is too long", false },
    { "*-7\r\n", "sent what is no reply of Redis", false },
    { "$524288000\r\nxxx", "sent a string that is too long", false },
    { ":1\r\n", "sent nonsense in answer to a command", false },
    { "+OK\r\n", "sent nonsense in answer to a command", false },
    { "$-1\r\n", "sent nonsense in answer to a command", false },
    { "*-1\r\n", "sent nonsense in answer to a command", false },
    { "*1\r\n:1\r\n", "sent nonsense in answer to a command", false },
    { "*1\r\n*1\r\n$1\r\na\r\n", "sent nonsense in answer to a command", false },
    { "*2\r\n$1\r\na\r\n-ERR no\r\n", "sent nonsense in answer to a command", false },
    { "-LOADING Redis is loading the dataset in memory\r\n", "it is loading its data (LOADING)", false },
    { "-NOAUTH Authentication required.\r\n", "it wants a password (NOAUTH)", false },
    { "-MASTERDOWN Link with MASTER is down\r\n", "lost its master (MASTERDOWN)", false },
    { "-BUSY Redis is busy running a script.\r\n", "somebody's script (BUSY)", false },
    { "-CLUSTERDOWN The cluster is down\r\n", "its cluster is down (CLUSTERDOWN)", false },
    { "-MOVED 3999 192.0.2.9:6379\r\n", "a node of a cluster (MOVED)", false },
};

START_TEST(outage_is_told_and_ends)
{
    struct rig_request request, second;
    begin();
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, NOW), "");
    fake.look_up = outages[_i].answer;
    fake.closes = outages[_i].closes;
    rig_fill(&request, LOGIN_LOOK_UP, ADDRESS, "", 0, NOW);
    rig_fill(&second, LOGIN_RECORD, ADDRESS, "alice", NOW + 60, NOW);
    ck_assert_int_eq(rig_submit(&rig, &request), 0);
    ck_assert_int_eq(rig_submit(&rig, &second), 0);
    fake.script = NULL;
    rig_wait(&rig, request.done && second.done);
    ck_assert_int_eq(request.request.outcome, LOGIN_AWAY);
    ck_assert_int_eq(second.request.outcome, LOGIN_AWAY);
    expect_part(request.why, outages[_i].cause);
    expect_part(rig.cause, outages[_i].cause);
    expect_part(rig.cause, rig_folder);
    ck_assert_int_eq(login_store_state(rig.store), LOGIN_STORE_DOWN);
    ck_assert_int_eq(rig_submit(&rig, &request), -EAGAIN);
    fake.look_up = "*1\r\n$5\r\nalice\r\n";
    fake.script = ":1\r\n";
    fake.closes = false;
    uint64_t begin_ns = uv_hrtime();
    rig_wait(&rig, rig.n_up == 2);
    ck_assert_uint_lt(uv_hrtime() - begin_ns, RECOVERY_MAX_MS * UINT64_C(1000000));
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, NOW), "alice");
    ck_assert_uint_eq(rig.n_down, 1);
    end();
}
END_TEST

/* Answers to the greeting with which a Redis cannot be used. */
static const struct {
    const char *auth, *ping, *cause;
} greetings[] = {
    { "+OK\r\n", "-LOADING Redis is loading the dataset in memory\r\n", "it is loading its data (LOADING)" },
    { "+OK\r\n", "-NOAUTH Authentication required.\r\n", "it wants a password (NOAUTH)" },
    { "+OK\r\n", "-DENIED Redis is running in protected mode\r\n", "protected mode" },
    { "-ERR max number of clients reached\r\n", "+PONG\r\n", "it has too many clients" },
    { "-WRONGPASS invalid username-password pair\r\n", "+PONG\r\n", "refuses the user or the password (WRONGPASS)" },
    { "-ERR unknown command 'AUTH', with args beginning with: 'alice' 's3cr\r\n", "+PONG\r\n",
      "it refuses the user or the password" },
    { ":1\r\n", "+PONG\r\n", "sent nonsense in answer to AUTH" },
    { "+OK\r\n", "-ERR alice is not s3cret\x01\r\n", "it gives an error that is not shown" },
    { "+OK\r\n", "-ERR a\x01\x1b[1mb\xc3\xbc\r\n", "it says \"ERR a??[1mb??\"" },
    { "+OK\r\n", "+OK\r\n", "sent nonsense in answer to PING" },
    { "+OK\r\n", "$4\r\nPONG\r\n", "sent nonsense in answer to PING" },
    { "+OK\r\n", "*2147483647\r\n", "sent an array that is too long" },
    { "+OK\r\n", NULL, "has taken the connection and does not answer" },
    { "+OK\r\n" TEN_OK, "+PONG\r\n", "sent nonsense in answer to" },
    { "+OK\r\n", "+PONG\r\n" TEN_OK, "" }, /* matched to INFO, or nobody's */
};

START_TEST(greeting_that_fails_is_told)
{
    char url[RIG_TEXT_SIZE];
    struct rig_request request;
    (void)snprintf(url, sizeof url, "redis+unix://alice:s3cret@%s/f?db=2", rig_folder);
    rig_open(&rig, url, RIG_TIMEOUT_MS);
    fake_start(&fake, &rig, "f");
    fake.auth = greetings[_i].auth;
    fake.ping = greetings[_i].ping;
    rig_fill(&request, LOGIN_RECORD, ADDRESS, "bob", NOW + 60, NOW);
    ck_assert_int_eq(rig_submit(&rig, &request), 0);
    rig_wait(&rig, request.done);
    ck_assert_int_eq(request.request.outcome, LOGIN_AWAY);
    rig_wait(&rig, rig.n_down == 1);
    if (greetings[_i].ping)
        expect_part(rig.cause, greetings[_i].cause);
    ck_assert(!strstr(rig.cause, "alice") && !strstr(rig.cause, "s3cr"));
    for (int i = 0; i < 20; i++)
        rig_round(&rig);
    fake.auth = "+OK\r\n";
    fake.ping = "+PONG\r\n";
    rig_wait(&rig, login_store_state(rig.store) == LOGIN_STORE_UP);
    ck_assert_int_eq(rig_record(&rig, ADDRESS, "bob", NOW + 60, NOW), LOGIN_DONE);
    end();
}
END_TEST

START_TEST(reply_that_nobody_asked_for_is_an_outage)
{
    begin();
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, NOW), "");
    fake_send(&fake, TEN_OK);
    rig_wait(&rig, rig.n_down == 1);
    expect_part(rig.cause, "sent a reply that nobody asked for");
    rig_wait(&rig, rig.n_up == 2);
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, NOW), "");
    end();
}
END_TEST

START_TEST(liar_is_not_asked_without_end)
{
    begin();
    fake.trial = "*0\r\n" TEN_OK;
    rig_wait(&rig, rig.n_down == 3);
    uint64_t begin_ns = uv_hrtime();
    unsigned conns = fake.n_conns;
    while (uv_hrtime() - begin_ns < UINT64_C(2000000000))
        rig_round(&rig);
    ck_assert_uint_le(fake.n_conns - conns, 12);
    ck_assert_uint_ge(fake.n_conns - conns, 1);
    end();
}
END_TEST

/* What greets well, but would not answer a look-up, is not up. */
static const struct {
    const char *trial, *why;
} trials[] = {
    { NULL, "does not answer" },
    { "+OK\r\n", "nonsense" },
    { ":1\r\n", "nonsense" },
    { "*2147483647\r\n", "sent" },
    { "-LOADING Redis is loading the dataset in memory\r\n", "loading" },
    { "-NOAUTH Authentication required.\r\n", "password" },
};

START_TEST(server_that_answers_no_look_up_is_not_up)
{
    begin();
    fake.trial = trials[_i].trial;
    rig_wait(&rig, rig.n_down == 1);
    expect_part(rig.cause, trials[_i].why);
    unsigned conns = fake.n_conns;
    rig_wait(&rig, fake.n_conns > conns + 1);
    ck_assert_uint_eq(rig.n_up, 0);
    ck_assert_int_eq(login_store_state(rig.store), LOGIN_STORE_DOWN);
    fake.trial = "-NOPERM this user has no permissions to run 'zrangebyscore'\r\n"; /* it answers at least */
    rig_wait(&rig, rig.n_up == 1);
    end();
}
END_TEST

/* Errors that say something about one command only. */
static const struct {
    const char *error;
    enum login_outcome outcome;
    const char *why;
} errors[] = {
    { "-READONLY You can't write against a read only replica.\r\n", LOGIN_NO_WRITES, "a replica (READONLY)" },
    { "-OOM command not allowed when used memory > 'maxmemory'.\r\n", LOGIN_NO_WRITES, "memory is full (OOM)" },
    { "-MISCONF Redis is configured to save RDB snapshots\r\n", LOGIN_NO_WRITES, "its disk (MISCONF)" },
    { "-NOREPLICAS Not enough good replicas to write.\r\n", LOGIN_NO_WRITES, "too few replicas" },
    { "-NOPERM this user has no permissions to run 'eval'\r\n", LOGIN_NO_WRITES, "lacks a permission (NOPERM)" },
    { "-ERR something else\r\n", LOGIN_NO_WRITES, "takes no writes: it says \"ERR something else\"" },
    { "-READONLYX\r\n", LOGIN_NO_WRITES, "it says \"READONLYX\"" },
    { "-\r\n", LOGIN_NO_WRITES, "it says \"\"" },
    { "-WRONGTYPE Operation against a key holding the wrong kind of value script: 12ab, on @user_script:1.\r\n",
      LOGIN_BAD_KEY, "no sorted set (WRONGTYPE)" },
    { "-ERR Error running script (call to f_12ab): @user_script:1: WRONGTYPE Operation against a key\r\n",
      LOGIN_BAD_KEY, "no sorted set (WRONGTYPE)" }, /* as Redis 6 has it */
    { "-ERR Error running script (call to f_12ab): @user_script: 2: -OOM command not allowed\r\n", LOGIN_NO_WRITES,
      "memory is full (OOM)" },
    { "-ERR Error running script (call to f_12ab): @user_script:\r\n", LOGIN_NO_WRITES, "takes no writes: it says" },
};

START_TEST(error_costs_one_request)
{
    struct rig_request request;
    begin();
    fake.script = fake.look_up = fake.scan = errors[_i].error;
    rig_fill(&request, LOGIN_RECORD, ADDRESS, "alice", NOW + 60, NOW);
    ck_assert_int_eq(rig_ask(&rig, &request), errors[_i].outcome);
    expect_part(request.why, errors[_i].why);
    rig_fill(&request, LOGIN_REMOVE, ADDRESS, "", 0, NOW);
    ck_assert_int_eq(rig_ask(&rig, &request), errors[_i].outcome);
    rig_fill(&request, LOGIN_LOOK_UP, ADDRESS, "", 0, NOW);
    ck_assert_int_eq(rig_ask(&rig, &request), LOGIN_BAD_KEY);
    rig_fill(&request, LOGIN_LIST, "", "", 0, NOW);
    ck_assert_int_eq(rig_ask(&rig, &request), LOGIN_BAD_KEY);
    ck_assert_int_eq(login_store_state(rig.store), LOGIN_STORE_UP);
    ck_assert_uint_eq(rig.n_down, 0);
    end();
}
END_TEST

#define KEY "$24\r\ngatepost:login:192.0.2.7\r\n"

/* Answers to SCAN, and to the keys it named, that make no sense. */
static const struct {
    const char *scan, *members;
} list_nonsense[] = {
    { "*0\r\n", "*0\r\n" },
    { ":1\r\n", "*0\r\n" },
    { "*2\r\n$1\r\n0\r\n$1\r\nx\r\n", "*0\r\n" },
    { "*2\r\n$1\r\nx\r\n*0\r\n", "*0\r\n" },
    { "*2\r\n$0\r\n\r\n*0\r\n", "*0\r\n" },
    { "*2\r\n$21\r\n123456789012345678901\r\n*0\r\n", "*0\r\n" },
    { "*2\r\n:0\r\n*0\r\n", "*0\r\n" },
    { "*2\r\n$1\r\n0\r\n*1\r\n:1\r\n", "*0\r\n" },
    { "*2\r\n$1\r\n0\r\n*1\r\n" KEY, ":1\r\n" },
    { "*2\r\n$1\r\n0\r\n*1\r\n" KEY, "*1\r\n$1\r\na\r\n" },
    { "*2\r\n$1\r\n0\r\n*1\r\n" KEY, "-LOADING\r\n" },
    { "*2\r\n$1\r\n0\r\n*1\r\n" KEY, NULL },
};

START_TEST(list_of_nonsense_is_an_outage)
{
    struct rig_request request;
    begin();
    fake.scan = list_nonsense[_i].scan;
    fake.look_up = list_nonsense[_i].members;
    rig_fill(&request, LOGIN_LIST, "", "", 0, NOW);
    ck_assert_int_eq(rig_ask(&rig, &request), LOGIN_AWAY);
    ck_assert_uint_eq(rig.n_down, 1);
    end();
}
END_TEST

/* SCAN may name keys twice, and such as are none of ours; scores can be anything. */
START_TEST(list_takes_what_others_wrote)
{
    struct rig_request request;
    begin();
    fake.scan = "*2\r\n$2\r\n17\r\n*5\r\n" KEY "$3\r\nfoo\r\n" KEY "$15\r\ngatepost:login:\r\n"
                "$65\r\ngatepost:login:longer than an address can be, so nobody wrote it.\r\n";
    fake.look_up =
        "*8\r\n$1\r\na\r\n$10\r\n2000000060\r\n$1\r\nb\r\n$3\r\ninf\r\n$1\r\nc\r\n$3\r\n1e3\r\n$1\r\nd\r\n$1\r\nx\r\n";
    rig_fill(&request, LOGIN_LIST, "", "", 0, NOW);
    ck_assert_int_eq(rig_ask(&rig, &request), LOGIN_DONE);
    ck_assert_str_eq(request.names,
                     ADDRESS "/a=2000000060 " ADDRESS "/b=9223372036854775807 " ADDRESS "/c=1000 " ADDRESS "/d=0");
    ck_assert_str_eq(request.cursor, "17");
    fake.look_up = "-NOPERM no\r\n";
    ck_assert_int_eq(rig_ask(&rig, &request), LOGIN_BAD_KEY);
    expect_part(request.why, "lacks a permission");
    (void)snprintf(request.cursor, sizeof request.cursor, "no cursor");
    ck_assert_int_eq(rig_submit(&rig, &request), -EINVAL);
    ck_assert_uint_eq(rig.n_down, 0);
    end();
}
END_TEST

START_TEST(look_ups_of_one_address_share_a_query)
{
    struct rig_request same[5], later, other, record, after;
    begin();
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, NOW), "");
    fake.holds = true;
    fake.look_up = "*1\r\n$5\r\nalice\r\n";
    for (int i = 0; i < 5; i++) {
        rig_fill(&same[i], LOGIN_LOOK_UP, ADDRESS, "", 0, NOW);
        ck_assert_int_eq(rig_submit(&rig, &same[i]), 0);
        if (i == 2) /* it has been sent, and not answered */
            rig_wait(&rig, fake.n_look_ups == 2);
    }
    rig_fill(&other, LOGIN_LOOK_UP, "192.0.2.8", "", 0, NOW);
    rig_fill(&record, LOGIN_RECORD, ADDRESS, "bob", NOW + 60, NOW);
    rig_fill(&after, LOGIN_LOOK_UP, ADDRESS, "", 0, NOW);
    rig_fill(&later, LOGIN_LOOK_UP, ADDRESS, "", 0, NOW + 1);
    ck_assert_int_eq(rig_submit(&rig, &other), 0);
    ck_assert_int_eq(rig_submit(&rig, &record), 0);
    ck_assert_int_eq(rig_submit(&rig, &after), 0);
    ck_assert_int_eq(rig_submit(&rig, &later), 0);
    rig_wait(&rig, fake.n_look_ups == 5);
    ck_assert(!same[0].done);
    fake_release(&fake);
    rig_wait(&rig, later.done);
    for (int i = 0; i < 5; i++)
        ck_assert_str_eq(same[i].names, "alice");
    ck_assert(same[4].order < other.order && other.order < record.order && record.order < after.order);
    ck_assert_str_eq(after.names, "alice");
    ck_assert_uint_eq(fake.n_look_ups, 5);
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, NOW), "alice");
    ck_assert_uint_eq(fake.n_look_ups, 6);
    end();
}
END_TEST

START_TEST(many_look_ups_are_few_writes)
{
    static struct rig_request requests[MANY];
    char address[IP_TEXT_SIZE];
    begin();
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, NOW), "");
    unsigned reads = fake.n_reads;
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(address, sizeof address, "2001:db8::%x", i + 1);
        rig_fill(&requests[i], LOGIN_LOOK_UP, address, "", 0, NOW);
        ck_assert_int_eq(rig_submit(&rig, &requests[i]), 0);
    }
    rig_wait(&rig, requests[MANY - 1].done);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(requests[i].request.outcome, LOGIN_DONE);
    ck_assert_uint_eq(fake.n_look_ups, MANY + 1);
    ck_assert_uint_le(fake.n_reads - reads, 100); /* a megabyte, of which a socket takes some 200 KiB at a time */
    end();
}
END_TEST

START_TEST(more_than_can_wait_is_refused)
{
    static struct rig_request requests[2 * MANY];
    char user[LOGIN_NAME_MAX_BYTES + 1], url[RIG_TEXT_SIZE];
    unsigned refused = 0;
    memset(user, 'u', sizeof user - 1);
    user[sizeof user - 1] = '\0';
    (void)snprintf(url, sizeof url, "redis+unix://%s/f", rig_folder);
    rig_open(&rig, url, RIG_PATIENCE_MS); /* 16 MiB are on their way */
    fake_start(&fake, &rig, "f");
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, NOW), "");
    for (int i = 0; i < 2 * MANY; i++) {
        rig_fill(&requests[i], LOGIN_RECORD, ADDRESS, user, NOW + 60, NOW);
        int r = rig_submit(&rig, &requests[i]);
        ck_assert(r == 0 || r == -ENOMEM);
        refused += r == -ENOMEM;
    }
    ck_assert_uint_gt(refused, 0);
    ck_assert_uint_lt(refused, MANY);
    for (int i = 0; i < 2 * MANY - (int)refused; i++) /* once there was no room, there was none until now */
        rig_wait(&rig, requests[i].done);
    ck_assert_uint_eq(fake.n_scripts + refused, 2 * MANY);
    ck_assert_uint_eq(rig.n_down, 0);
    end();
}
END_TEST

START_TEST(slow_answer_in_time_is_taken)
{
    struct rig_request request;
    char url[RIG_TEXT_SIZE];
    (void)snprintf(url, sizeof url, "redis+unix://%s/f", rig_folder);
    rig_open(&rig, url, RIG_PATIENCE_MS);
    fake_start(&fake, &rig, "f");
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, NOW), "");
    fake.holds = true;
    fake.look_up = "*1\r\n$5\r\nalice\r\n";
    rig_fill(&request, LOGIN_LOOK_UP, ADDRESS, "", 0, NOW);
    ck_assert_int_eq(rig_submit(&rig, &request), 0);
    for (uint64_t end_ns = uv_hrtime() + 200000000; uv_hrtime() < end_ns;)
        rig_round(&rig);
    fake_release(&fake);
    rig_wait(&rig, request.done);
    ck_assert_str_eq(request.names, "alice");
    end();
}
END_TEST

/* The answer has come in time, or the question has not been sent yet, but the loop was busy elsewhere: the server is
 * not to blame. */
START_TEST(own_delay_is_no_outage)
{
    struct rig_request request;
    begin();
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, NOW), "");
    rig_fill(&request, LOGIN_LOOK_UP, ADDRESS, "", 0, NOW);
    ck_assert_int_eq(rig_submit(&rig, &request), 0);
    while (_i == 0 && fake.n_look_ups < 2)
        (void)uv_run(&rig.loop, UV_RUN_NOWAIT);
    ck_assert(!request.done);
    ck_assert_int_eq(usleep((RIG_TIMEOUT_MS + 200) * 1000), 0);
    rig_wait(&rig, request.done);
    ck_assert_int_eq(request.request.outcome, LOGIN_DONE);
    ck_assert_uint_eq(rig.n_down, 0);
    end();
}
END_TEST

START_TEST(request_waits_for_the_connection_and_no_longer)
{
    struct rig_request request;
    begin();
    fake.ping = NULL;
    rig_fill(&request, LOGIN_LOOK_UP, ADDRESS, "", 0, NOW);
    uint64_t begin_ns = uv_hrtime();
    ck_assert_int_eq(rig_submit(&rig, &request), 0);
    rig_wait(&rig, request.done);
    ck_assert_int_eq(request.request.outcome, LOGIN_AWAY);
    ck_assert_uint_ge(uv_hrtime() - begin_ns, (RIG_TIMEOUT_MS - 20) * UINT64_C(1000000));
    ck_assert_uint_lt(uv_hrtime() - begin_ns, 4 * RIG_TIMEOUT_MS * UINT64_C(1000000));
    ck_assert_int_eq(login_store_state(rig.store), LOGIN_STORE_DOWN);
    end();
}
END_TEST

/* What is done by those who are told: ask again, or close the store. */

static struct rig_request again;
static int again_result;

static void submit_again(struct login_request *request)
{
    (void)request;
    again_result = login_store_submit(rig.store, &again.request);
}

static void close_all(struct login_request *request)
{
    *(bool *)request->context = true;
    if (!rig.closing) {
        rig.closing = true;
        login_store_close(rig.store);
    }
}

static void free_own(struct login_request *request)
{
    ck_assert_uint_eq(request->n_entries, 1);
    ck_assert(str_is(request->entries[0].address, ADDRESS) && str_is(request->entries[0].user, "alice"));
    ++*(int *)request->context;
    free(request);
}

START_TEST(done_may_free_the_request)
{
    int n = 0;
    begin();
    fake.look_up = "*1\r\n$5\r\nalice\r\n";
    for (int i = 0; i < 3; i++) {
        struct rig_request *request = malloc(sizeof *request);
        rig_fill(request, LOGIN_LOOK_UP, ADDRESS, "", 0, NOW);
        request->request.done = free_own;
        request->request.context = &n;
        ck_assert_int_eq(rig_submit(&rig, request), 0);
    }
    rig_wait(&rig, n == 3);
    ck_assert_uint_eq(fake.n_look_ups, 1);
    end();
}
END_TEST

START_TEST(done_may_submit)
{
    struct rig_request request;
    begin();
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, NOW), "");
    rig_fill(&request, LOGIN_LOOK_UP, ADDRESS, "", 0, NOW);
    rig_fill(&again, LOGIN_LOOK_UP, ADDRESS, "", 0, NOW);
    request.request.done = submit_again;
    again_result = -1;
    ck_assert_int_eq(rig_submit(&rig, &request), 0);
    rig_wait(&rig, again.done);
    ck_assert_int_eq(again_result, 0);
    fake.look_up = "hello\r\n";
    ck_assert_int_eq(rig_submit(&rig, &request), 0);
    rig_wait(&rig, again_result == -EAGAIN);
    end();
}
END_TEST

START_TEST(done_may_close_the_store)
{
    struct rig_request requests[3];
    bool done[3] = { false, false, false };
    begin();
    ck_assert_str_eq(rig_look_up(&rig, ADDRESS, NOW), "");
    for (int i = 0; i < 3; i++) {
        rig_fill(&requests[i], LOGIN_LOOK_UP, i == 1 ? "192.0.2.8" : ADDRESS, "", 0, NOW);
        requests[i].request.done = close_all;
        requests[i].request.context = &done[i];
        ck_assert_int_eq(rig_submit(&rig, &requests[i]), 0);
    }
    if (_i > 0)
        fake.look_up = _i == 1 ? "hello\r\n" : NULL;
    rig_wait(&rig, done[0] && done[1] && done[2]);
    fake_stop(&fake);
    ck_assert_int_eq(uv_run(&rig.loop, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uv_loop_close(&rig.loop), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redis_faults");
    TCase *tcase = suite_case(suite, "redis_faults");
    tcase_add_unchecked_fixture(tcase, rig_make_folder, rig_remove_folder);
    tcase_add_loop_test(tcase, outage_is_told_and_ends, 0, COUNT(outages));
    tcase_add_loop_test(tcase, greeting_that_fails_is_told, 0, COUNT(greetings));
    tcase_add_test(tcase, reply_that_nobody_asked_for_is_an_outage);
    tcase_add_test(tcase, liar_is_not_asked_without_end);
    tcase_add_loop_test(tcase, server_that_answers_no_look_up_is_not_up, 0, COUNT(trials));
    tcase_add_loop_test(tcase, error_costs_one_request, 0, COUNT(errors));
    tcase_add_loop_test(tcase, list_of_nonsense_is_an_outage, 0, COUNT(list_nonsense));
    tcase_add_test(tcase, list_takes_what_others_wrote);
    tcase_add_test(tcase, look_ups_of_one_address_share_a_query);
    tcase_add_test(tcase, many_look_ups_are_few_writes);
    tcase_add_test(tcase, more_than_can_wait_is_refused);
    tcase_add_test(tcase, slow_answer_in_time_is_taken);
    tcase_add_loop_test(tcase, own_delay_is_no_outage, 0, 2);
    tcase_add_test(tcase, request_waits_for_the_connection_and_no_longer);
    tcase_add_test(tcase, done_may_free_the_request);
    tcase_add_test(tcase, done_may_submit);
    tcase_add_loop_test(tcase, done_may_close_the_store, 0, 3);
    return suite_run(suite);
}
