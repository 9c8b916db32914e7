/*
 * Names with several addresses. The resolver is ours: libuv finds this getaddrinfo before that of the C library.
 */
#include "redis_fake.h"
#include "suite.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NOW = 2000000000, ANSWERS_MAX = 8 };

static struct rig rig;
static struct fake fake;
static const char *addresses; /* what every name has, with blanks between */
static volatile bool slow;

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    static struct sockaddr_in where[ANSWERS_MAX];
    static struct addrinfo answers[ANSWERS_MAX];
    char text[RIG_TEXT_SIZE];
    int n = 0;
    (void)name;
    while (slow)
        (void)usleep(1000);
    (void)snprintf(text, sizeof text, "%s", addresses);
    for (char *word = strtok(text, " "); word && n < ANSWERS_MAX; word = strtok(NULL, " "), n++) {
        where[n] = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(service)) };
        (void)inet_pton(AF_INET, word, &where[n].sin_addr);
        answers[n] = (struct addrinfo){ .ai_family = AF_INET,
                                        .ai_socktype = hints->ai_socktype,
                                        .ai_addr = (struct sockaddr *)&where[n],
                                        .ai_addrlen = sizeof where[n] };
        if (n > 0)
            answers[n - 1].ai_next = &answers[n];
    }
    *found = n > 0 ? answers : NULL;
    return n > 0 ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *found)
{
    (void)found;
}

static void begin(const char *all)
{
    char url[RIG_TEXT_SIZE];
    addresses = all;
    rig_init(&rig);
    fake_start(&fake, &rig, NULL);
    (void)snprintf(url, sizeof url, "redis://redis.example.net:%d", fake.port);
    rig_open_in(&rig, url, RIG_TIMEOUT_MS);
}

static void end(void)
{
    fake_stop(&fake);
    rig_close(&rig);
}

START_TEST(address_that_answers_is_used)
{
    static const char *const lists[] = { "127.0.0.1", "127.0.0.2 127.0.0.1",
                                         "127.0.0.2 127.0.0.3 127.0.0.4 127.0.0.1" };
    begin(lists[_i]);
    ck_assert_str_eq(rig_look_up(&rig, "192.0.2.7", NOW), "");
    ck_assert_uint_eq(rig.n_down, 0);
    end();
}
END_TEST

START_TEST(name_without_such_an_address_is_told)
{
    static const struct {
        const char *addresses, *cause;
    } lists[] = { { "", "cannot be reached: unknown node or service" },
                  { "127.0.0.2", "cannot be reached: connection refused" },
                  { "127.0.0.2 127.0.0.3", "cannot be reached: connection refused" },
                  { "127.0.0.2 127.0.0.3 127.0.0.4 127.0.0.5 127.0.0.1", "cannot be reached: connection refused" } };
    begin(lists[_i].addresses);
    rig_wait(&rig, rig.n_down == 1);
    ck_assert_msg(strstr(rig.cause, "Redis at redis.example.net:") && strstr(rig.cause, lists[_i].cause), "%s",
                  rig.cause);
    addresses = "127.0.0.1";
    rig_wait(&rig, rig.n_up == 1);
    end();
}
END_TEST

/* A socket whose queue is full, so that it neither takes nor refuses. */
static void fill_queue(int sockets[], int n, const char *address, int port)
{
    struct sockaddr_in where = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    ck_assert_int_eq(inet_pton(AF_INET, address, &where.sin_addr), 1);
    sockets[0] = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(sockets[0], (struct sockaddr *)&where, sizeof where), 0);
    ck_assert_int_eq(listen(sockets[0], 0), 0);
    for (int i = 1; i < n; i++) {
        sockets[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(sockets[i], (struct sockaddr *)&where, sizeof where);
    }
}

START_TEST(silent_address_is_not_waited_for)
{
    int sockets[8];
    begin("127.0.0.2 127.0.0.1");
    fill_queue(sockets, 8, "127.0.0.2", fake.port);
    ck_assert_str_eq(rig_look_up(&rig, "192.0.2.7", NOW), "");
    addresses = "127.0.0.2";
    fake.closes = true;
    (void)rig_look_up(&rig, "192.0.2.7", NOW);
    rig_wait(&rig, login_store_state(rig.store) == LOGIN_STORE_DOWN);
    for (int i = 0; i < 200; i++)
        rig_round(&rig);
    ck_assert_int_eq(login_store_state(rig.store), LOGIN_STORE_DOWN);
    fake.closes = false;
    addresses = "127.0.0.1";
    rig_wait(&rig, login_store_state(rig.store) == LOGIN_STORE_UP);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(close(sockets[i]), 0);
    end();
}
END_TEST

START_TEST(slow_resolver_is_waited_for_and_closed)
{
    struct rig_request request;
    slow = true;
    begin("127.0.0.1");
    rig_fill(&request, LOGIN_LOOK_UP, "192.0.2.7", "", 0, NOW);
    ck_assert_int_eq(rig_submit(&rig, &request), 0);
    rig_wait(&rig, request.done);
    ck_assert_ptr_nonnull(strstr(request.why, "has given no usable connection within 1000 ms"));
    ck_assert_int_eq(login_store_state(rig.store), LOGIN_STORE_DOWN);
    if (_i == 0) {
        slow = false;
        rig_wait(&rig, rig.n_up == 1);
    }
    fake_stop(&fake);
    rig.closing = true;
    login_store_close(rig.store);
    (void)uv_run(&rig.loop, UV_RUN_NOWAIT);
    slow = false;
    ck_assert_int_eq(uv_run(&rig.loop, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uv_loop_close(&rig.loop), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redis_dial");
    TCase *tcase = suite_case(suite, "redis_dial");
    tcase_add_loop_test(tcase, address_that_answers_is_used, 0, 3);
    tcase_add_loop_test(tcase, name_without_such_an_address_is_told, 0, 4);
    tcase_add_test(tcase, silent_address_is_not_waited_for);
    tcase_add_loop_test(tcase, slow_resolver_is_waited_for_and_closed, 0, 2);
    return suite_run(suite);
}
