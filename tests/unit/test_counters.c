/*
 * What the daemon counts of requests, and who among the granted clients is busiest.
 */
#include "daemon/counters.h"
#include "scene.h"
#include "suite.h"

#include <stdio.h>

static const uint64_t second_ns = 1000000000, start_ns = 5000000000;

static struct counters counters;

static void begin(void)
{
    counters_init(&counters, SCENE_NOW, start_ns);
}

/* One request, decided and counted so many seconds after the start. */
static void count(const char *rules, const char *request, uint64_t after_s)
{
    struct scene scene;
    scene_decide(&scene, rules, request, NULL, SCENE_NOW);
    counters_add(&counters, &scene.request, &scene.decision, start_ns + after_s * second_ns);
    scene_fini(&scene);
}

static const struct {
    const char *rules, *request;
    enum counted_state state;
    enum outcome outcome;
    enum counted_action action;
} cells[] = {
    { "", "CONNECT", COUNTED_CONNECT, OUTCOME_DUNNO, COUNTED_DUNNO },
    { "", "HELO", COUNTED_HELO, OUTCOME_DUNNO, COUNTED_DUNNO },
    { "", "EHLO", COUNTED_EHLO, OUTCOME_DUNNO, COUNTED_DUNNO },
    { "", "XCLIENT", COUNTED_XCLIENT, OUTCOME_DUNNO, COUNTED_DUNNO },
    { "", "BDAT", COUNTED_OTHER, OUTCOME_DUNNO, COUNTED_DUNNO },
    { "", "rcpt", COUNTED_OTHER, OUTCOME_DUNNO, COUNTED_DUNNO },
    { "", "END-OF-MESSAGE", COUNTED_END_OF_MESSAGE, OUTCOME_DUNNO, COUNTED_DUNNO },
    { "deny 192.0.2.10", "CONNECT", COUNTED_CONNECT, OUTCOME_REFUSED + (int)REASON_ACCESS, COUNTED_REJECT },
    { "", "VRFY", COUNTED_VRFY, OUTCOME_REFUSED + (int)REASON_VRFY, COUNTED_REJECT },
    { "", "ETRN", COUNTED_ETRN, OUTCOME_REFUSED + (int)REASON_VRFY, COUNTED_REJECT },
    { "kill @example.net", "MAIL", COUNTED_MAIL, OUTCOME_REFUSED + (int)REASON_KILL, COUNTED_REJECT },
    { "grant 192.0.2.10", "RCPT to=x@example.org", COUNTED_RCPT, OUTCOME_OK, COUNTED_OK },
    { "grant mail.example.net; domain example.com; pop_before_smtp=0",
      "RCPT to=x@example.org name=unknown reverse=mail.example.net", COUNTED_RCPT,
      OUTCOME_REFUSED + (int)REASON_UNVERIFIED, COUNTED_DEFER },
    { "archive_to=a@example.com", "DATA", COUNTED_DATA, OUTCOME_BCC, COUNTED_BCC },
    { "kill @example.net; observe=kill", "MAIL", COUNTED_MAIL, OUTCOME_DUNNO, COUNTED_DUNNO },
    { "kill @example.net; observe=all", "MAIL", COUNTED_MAIL, OUTCOME_DUNNO, COUNTED_DUNNO },
};

START_TEST(a_request_is_counted_by_state_and_answer)
{
    count(cells[_i].rules, cells[_i].request, 0);
    for (int s = 0; s < COUNTED_STATES; s++)
        for (int o = 0; o < OUTCOME_COUNT; o++)
            ck_assert_uint_eq(counters.requests[s][o], s == (int)cells[_i].state && o == (int)cells[_i].outcome);
    for (int a = 0; a < COUNTED_ACTIONS; a++) {
        struct count found = counters_of_action(&counters, (enum counted_action)a, start_ns);
        ck_assert_uint_eq(found.all, a == (int)cells[_i].action);
        ck_assert_uint_eq(found.minute, a == (int)cells[_i].action);
    }
}
END_TEST

static uint64_t minute_at(uint64_t after_s)
{
    return counters_of_outcome(&counters, OUTCOME_DUNNO, start_ns + after_s * second_ns).minute;
}

START_TEST(the_last_minute_goes_on)
{
    count("", "CONNECT", 0);
    count("", "CONNECT", 30);
    count("", "CONNECT", 30);
    ck_assert_uint_eq(minute_at(59), 3);
    ck_assert_uint_eq(minute_at(60), 2);
    count("", "CONNECT", 61);
    ck_assert_uint_eq(minute_at(89), 3);
    ck_assert_uint_eq(minute_at(90), 1);
    ck_assert_uint_eq(minute_at(121), 0);
    count("", "CONNECT", 500);
    ck_assert_uint_eq(minute_at(500), 1);
    ck_assert_uint_eq(minute_at(100000), 0);
    ck_assert_uint_eq(counters_of_outcome(&counters, OUTCOME_DUNNO, start_ns).all, 5);
}
END_TEST

/* Its time is that of its arrival, and others have come meanwhile. */
START_TEST(an_answer_that_took_long_counts_when_it_is_given)
{
    count("", "CONNECT", 100);
    count("", "CONNECT", 70);
    ck_assert_uint_eq(minute_at(159), 2);
    ck_assert_uint_eq(minute_at(160), 0);
}
END_TEST

static const struct {
    const char *rules, *request;
    bool is_granted;
} grants[] = {
    { "grant 192.0.2.10; domain example.com", "RCPT to=x@example.org", true },
    { "grant 192.0.2.10; domain example.com", "RCPT to=x@example.com", true },
    { "grant mail.example.net", "RCPT to=x@example.org name=mail.example.net", true },
    { "grant 192.0.2.10; observe=all", "RCPT to=x@example.org", true },
    { "grant 192.0.2.10", "MAIL", false },
    { "grant 192.0.2.10; relay_for=nobody; domain example.com; pop_before_smtp=0", "RCPT to=x@example.org", false },
    { "grant 192.0.2.11; relay_for=anyone", "RCPT to=x@example.org", false },
    { "accept @example.net", "RCPT to=x@example.org", false },
    { "grant 192.0.2.10", "RCPT to=x@example.org sasl=alice", false },
    { "grant 192.0.2.10", "RCPT to=x@example.org client=unknown", false },
};

START_TEST(granted_is_whom_relay_grant_lets_relay)
{
    struct busiest_top top;
    count(grants[_i].rules, grants[_i].request, 1);
    busiest_find(&counters.granted, 6, &top);
    ck_assert_uint_eq(top.n, grants[_i].is_granted);
    ck_assert_uint_eq(top.n_clients, grants[_i].is_granted);
    ck_assert_uint_eq(top.seconds, 1);
}
END_TEST

/* Who is busiest. */

static struct busiest busiest;

static struct ip_addr address(unsigned number)
{
    char text[IP_TEXT_SIZE];
    struct ip_addr addr;
    (void)snprintf(text, sizeof text, number % 2 ? "2001:db8::%x:%x" : "192.0.%u.%u", number >> 8 & 255, number & 255);
    if (number >= 65536)
        (void)snprintf(text, sizeof text, "2001:db8:1::%x:%x", number >> 16, number & 0xffff);
    ck_assert(ip_parse(str_of(text), &addr));
    return addr;
}

static void ask(unsigned number, unsigned times, uint64_t now_s)
{
    struct ip_addr addr = address(number);
    while (times-- > 0)
        busiest_add(&busiest, &addr, now_s);
}

static void expect_client(const struct busiest_top *top, size_t place, unsigned number, uint64_t n)
{
    struct ip_addr addr = address(number);
    ck_assert_uint_lt(place, top->n_clients);
    ck_assert_int_eq(ip_compare(&top->clients[place].addr, &addr), 0);
    ck_assert_uint_eq(top->clients[place].n, n);
}

START_TEST(the_five_busiest_are_found)
{
    static const unsigned times[] = { 3, 9, 1, 7, 2, 8, 6 };
    static const unsigned order[] = { 1, 5, 3, 6, 0 };
    struct busiest_top top;
    busiest_init(&busiest, 0);
    busiest_find(&busiest, 0, &top);
    ck_assert_uint_eq(top.n_clients, 0);
    for (unsigned i = 0; i < 7; i++)
        ask(i, times[i], 10);
    busiest_find(&busiest, 40, &top);
    ck_assert_uint_eq(top.n, 36);
    ck_assert_uint_eq(top.seconds, 40);
    ck_assert_uint_eq(top.n_clients, BUSIEST_TOP);
    for (size_t i = 0; i < BUSIEST_TOP; i++)
        expect_client(&top, i, order[i], times[order[i]]);
}
END_TEST

START_TEST(what_is_long_ago_is_forgotten)
{
    struct busiest_top top;
    busiest_init(&busiest, 100);
    ask(1, 5, 100);
    ask(2, 4, 100 + BUSIEST_SPAN_S); /* the next span */
    ask(1, 1, 100 + BUSIEST_SPAN_S + 1);
    busiest_find(&busiest, 100 + 2 * BUSIEST_SPAN_S - 1, &top);
    ck_assert_uint_eq(top.n, 10);
    ck_assert_uint_eq(top.seconds, 2 * BUSIEST_SPAN_S - 1);
    expect_client(&top, 0, 1, 6);
    expect_client(&top, 1, 2, 4);
    busiest_find(&busiest, 100 + 2 * BUSIEST_SPAN_S, &top);
    ck_assert_uint_eq(top.n, 5);
    ck_assert_uint_eq(top.seconds, BUSIEST_SPAN_S);
    expect_client(&top, 0, 2, 4);
    expect_client(&top, 1, 1, 1);
    busiest_find(&busiest, 100 + 5 * BUSIEST_SPAN_S, &top);
    ck_assert_uint_eq(top.n, 0);
    ck_assert_uint_eq(top.n_clients, 0);
}
END_TEST

/* Those that are rare fill every place many times over. */
START_TEST(a_busy_one_is_found_among_very_many)
{
    enum { RARE = 100000, BUSY = 1, SECOND = 2 };
    struct busiest_top top;
    unsigned busy = 0, second = 0;
    busiest_init(&busiest, 0);
    for (unsigned i = 0; i < RARE; i++) {
        ask(1000 + i, 1, 1);
        if (i % 10 == 0)
            ask(BUSY, 5, 1), busy += 5;
        if (i % 20 == 0)
            ask(SECOND, 4, 1), second += 4;
    }
    busiest_find(&busiest, 2, &top);
    ck_assert_uint_eq(top.n, RARE + busy + second);
    struct ip_addr first = address(BUSY), next = address(SECOND);
    ck_assert_int_eq(ip_compare(&top.clients[0].addr, &first), 0);
    ck_assert_int_eq(ip_compare(&top.clients[1].addr, &next), 0);
    ck_assert_uint_le(top.clients[0].n, busy);
    ck_assert_uint_ge(top.clients[0].n, busy / 10 * 9);
    ck_assert_uint_le(top.clients[1].n, second);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("counters");
    TCase *tcase = suite_case(suite, "counters");
    tcase_add_checked_fixture(tcase, begin, NULL);
    tcase_add_loop_test(tcase, a_request_is_counted_by_state_and_answer, 0, COUNT(cells));
    tcase_add_test(tcase, the_last_minute_goes_on);
    tcase_add_test(tcase, an_answer_that_took_long_counts_when_it_is_given);
    tcase_add_loop_test(tcase, granted_is_whom_relay_grant_lets_relay, 0, COUNT(grants));
    tcase = suite_case(suite, "busiest");
    tcase_add_test(tcase, the_five_busiest_are_found);
    tcase_add_test(tcase, what_is_long_ago_is_forgotten);
    tcase_add_test(tcase, a_busy_one_is_found_among_very_many);
    return suite_run(suite);
}
