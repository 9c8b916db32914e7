#include "core/login_event.h"
#include "scene.h"
#include "suite.h"

#include <stdio.h>

#define LONG_255                                                                                                       \
    "uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu" \
    "uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu" \
    "uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu"
#define ADDR "192.0.2.7"

/* Expected: "USER ADDRESS MINUTES", or "-why" where it is passed over, or "!why" where it is wrong. */
static const struct {
    const char *rules, *user, *address, *expected;
} events[] = {
    { "", "alice", ADDR, "alice 192.0.2.7 30" },
    { "", "Alice@Example.COM", ADDR, "alice@example.com 192.0.2.7 30" },
    { "", "alice@example.com.", ADDR, "alice@example.com 192.0.2.7 30" },
    { "",
      "\xc5\xbftaff@b\xc3\xbc"
      "cher.example",
      ADDR, "staff@xn--bcher-kva.example 192.0.2.7 30" },
    { "", "<alice>", ADDR, "alice 192.0.2.7 30" },
    { "", "alice smith", ADDR, "alice smith 192.0.2.7 30" },
    { "", LONG_255, ADDR, LONG_255 " 192.0.2.7 30" },
    { "pop_before_smtp=5", "alice", ADDR, "alice 192.0.2.7 5" },
    { "pop_before_smtp=10080", "alice", ADDR, "alice 192.0.2.7 10080" },
    { "", "alice", "::ffff:192.0.2.7", "alice 192.0.2.7 30" },
    { "", "alice", "2001:0DB8:0::0001", "alice 2001:db8::1 30" },
    { "pop_before_smtp_ipv6_prefix=64", "alice", "2001:db8::1:2:3:4", "alice 2001:db8:: 30" },
    { "pop_before_smtp_ipv6_prefix=56", "alice", "2001:db8:1:2345::1", "alice 2001:db8:1:2300:: 30" },
    { "pop_before_smtp_ipv6_prefix=64", "alice", ADDR, "alice 192.0.2.7 30" },
    { "", "alice", "127.0.0.1", "-the address is in pop_before_smtp_skip" },
    { "", "alice", "::1", "-the address is in pop_before_smtp_skip" },
    { "pop_before_smtp_skip=192.0.2.0/29, 2001:db8::/32", "alice", ADDR, "-the address is in pop_before_smtp_skip" },
    { "pop_before_smtp_skip=192.0.2.0/29, 2001:db8::/32", "alice", "2001:db8::1",
      "-the address is in pop_before_smtp_skip" },
    { "pop_before_smtp_skip=192.0.2.0/29, 2001:db8::/32", "alice", "127.0.0.1", "alice 127.0.0.1 30" },
    { "pop_before_smtp_skip=", "alice", "127.0.0.1", "alice 127.0.0.1 30" },
    { "pop_before_smtp=0", "alice", ADDR, "-pop_before_smtp is 0" },
    { "refuse 192.0.2.0/24", "alice", ADDR, "-relay_grant refuses the address" },
    { "refuse 192.0.2.0/24; grant 192.0.2.7", "alice", ADDR, "alice 192.0.2.7 30" },
    { "grant 192.0.2.0/24", "alice", ADDR, "alice 192.0.2.7 30" },
    { "refuse 192.0.2.0/24 until 1000", "alice", ADDR, "alice 192.0.2.7 30" },
    { "refuse 2001:db8::/32", "alice", "2001:db8::1", "-relay_grant refuses the address" },
    { "", "", ADDR, "!no user" },
    { "", "<>", ADDR, "!no user" },
    { "", " ", ADDR, "!no user" },
    { "", "<> ", ADDR, "!no user" },
    { "", "@", ADDR, "!no user" },
    { "", LONG_255 "u", ADDR, "!a user of more than 255 bytes" },
    { "", "a\nb", ADDR, "!a user with control characters" },
    { "", "a\x7f", ADDR, "!a user with control characters" },
    { "", "alice", "", "!no client_address" },
    { "", "alice", "unknown", "!client_address is no IP address" },
    { "", "alice", "192.0.2", "!client_address is no IP address" },
    { "", "alice", "192.0.2.0/24", "!client_address is no IP address" },
    { "", "alice", "192.0.2.7 ", "!client_address is no IP address" },
    { "pop_before_smtp=0", "", ADDR, "!no user" },
};

START_TEST(an_event_is_judged)
{
    struct rules *rules = scene_rules(events[_i].rules);
    struct login_event event;
    enum login_verdict verdict;
    char text[512];
    ck_assert_int_eq(
        login_event_judge(&event, &verdict, rules, str_of(events[_i].user), str_of(events[_i].address), SCENE_NOW), 0);
    if (verdict == LOGIN_EVENT_RECORD)
        (void)snprintf(text, sizeof text, "%.*s %s %d", STR_ARGS(event.user.whole), event.address,
                       (int)(event.ends_at - SCENE_NOW) / SECONDS_A_MINUTE);
    else
        (void)snprintf(text, sizeof text, "%c%s", verdict == LOGIN_EVENT_WRONG ? '!' : '-', event.why);
    ck_assert_str_eq(text, events[_i].expected);
    login_event_fini(&event);
    rules_free(rules);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("login_event");
    TCase *tcase = suite_case(suite, "login_event");
    tcase_add_loop_test(tcase, an_event_is_judged, 0, COUNT(events));
    return suite_run(suite);
}
