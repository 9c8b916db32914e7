/*
 * Every allocation fails once: what is asked for then reports it, and leaves nothing behind.
 */
#include "core/decide.h"
#include "core/key_map.h"
#include "failing.h"
#include "scene.h"
#include "search.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define X10  "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define LONG X100 X100 X100 X100 X100 X100 /* more than an address has room for without an allocation */

/* Requests whose decision has to allocate, in every place that can. */
static const struct {
    const char *rules, *request, *logins;
} scenes[] = {
    { "domain example.com", "RCPT from=" LONG "@example.net to=" LONG "@example.com", "none" },
    { "grant mail.example.net", "RCPT name=" LONG ".example.net", "none" },
    { "grant mail.example.net; domain example.com", "RCPT name=unknown reverse=" LONG ".example.net to=x@example.org",
      "none" },
    { "grant mail.example.net; domain example.com; local_sender_auth=yes; pop_before_smtp_match=address",
      "RCPT name=unknown reverse=" LONG ".example.net from=a@example.com to=x@example.org", "fred" },
    { "domain example.com; list staff no; refuse_routed_recipient=no", "RCPT to=" LONG "@example.com", "none" },
    { "domain example.com; list staff no", "RCPT to=" LONG "+x@example.com", "none" },
    { "domain example.com; list staff no; refuse_routed_recipient=no",
      "RCPT to=" LONG "%example.com%example.com@example.com", "none" },
    { "domain example.com; user " LONG "@example.com fred@example.com",
      "RCPT from=" LONG "@example.com to=x@example.org", "fred@example.com bob@example.com" },
    { "domain example.com; user boss@example.com " LONG "@example.com", "RCPT from=boss+x@example.com to=x@example.org",
      LONG "@example.com" },
    { "domain example.com; user boss@example.com", "RCPT from=" LONG "+x@example.com to=x@example.org", "fred" },
};

static int decide_once(const struct scene *scene, struct decision *decision)
{
    struct decide_query query = { .rules = scene->rules, .request = &scene->request, .now = SCENE_NOW };
    int r = decide(&query, decision);
    if (r == 0 && decision->needs_login) {
        query.logins = (struct login_facts){ .state = LOGIN_KNOWN, .names = scene->logins, .n_names = 0 };
        while (scene->logins[query.logins.n_names].n > 0)
            query.logins.n_names++;
        r = decide(&query, decision);
    }
    return r;
}

START_TEST(failed_allocation_costs_one_decision)
{
    struct scene scene;
    struct decision decision;
    memset(&scene, 0, sizeof scene);
    scene_decide(&scene, scenes[_i].rules, scenes[_i].request, scenes[_i].logins, SCENE_NOW);
    enum action action = scene.decision.action;
    long n = 0;
    int r;
    do {
        left = n++;
        r = decide_once(&scene, &decision);
        left = -1;
        ck_assert_msg(r == 0 || r == -ENOMEM, "%d", r);
    } while (r == -ENOMEM);
    ck_assert_msg(n > 1, "nothing was allocated");
    ck_assert_int_eq(decision.action, action);
    scene_fini(&scene);
}
END_TEST

static const struct rule_row rows[] = {
    { RULE_ACCESS_BLOCK, STR("192.0.2.1-50"), STR(""), STR("deny"), 0 },
    { RULE_RELAY_GRANT, STR("mail.example.net"), STR(""), STR("grant"), 0 },
    { RULE_RELAY_GRANT, STR("192.0.2.0/24"), STR(""), STR("grant"), 0 },
    { RULE_KILL_ENTRY, STR("@*example.com"), STR(""), STR(""), 0 },
    { RULE_KILL_ENTRY, STR("@.sub.example.com"), STR(""), STR(""), 0 },
    { RULE_KILL_ENTRY, STR("fred@example.com"), STR(""), STR(""), 0 },
    { RULE_ACCEPT_ENTRY, STR("@example.net"), STR("192.0.2.0/24"), STR(""), 0 },
    { RULE_ACCEPT_ENTRY, STR("@example.net"), STR(""), STR(""), 0 },
    { RULE_LOCAL_DOMAIN, STR("example.com"), STR(""), STR("local"), 0 },
    { RULE_LOCAL_DOMAIN, STR(".example.com"), STR(""), STR("local"), 0 },
    { RULE_LOCAL_USER, STR("staff@example.com"), STR(""), STR("bob@example.com"), 0 },
    { RULE_LOCAL_LIST,
      STR("b\xc3\xbc@b\xc3\xbc"
          "cher.example"),
      STR(""), STR("no"), 0 },
    { RULE_SETTING, STR("relay_for"), STR(""), STR("nobody"), 0 },
};

/* So many addresses that nodes are split and joined. */
static int put_many(struct rules *rules, int n, bool put)
{
    struct error error;
    char key[32];
    int r = 0;
    for (int i = 0; i < n && r == 0; i++) {
        (void)snprintf(key, sizeof key, i % 2 ? "192.0.2.%d" : "2001:db8::%d", i);
        struct rule_row row = { RULE_ACCESS_BLOCK, str_of(key), STR(""), STR("deny"), i };
        r = put ? rules_put(rules, &row, &error) : rules_remove(rules, &row);
    }
    return r;
}

/* Fills a rule set, seals it, and takes it apart; -ENOMEM as soon as an allocation fails. */
static int fill(struct rules *rules)
{
    struct error error;
    int r = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows && r == 0; i++)
        r = rules_put(rules, &rows[i], &error);
    if (r == 0)
        r = put_many(rules, 100, true);
    if (r == 0)
        r = rules_seal(rules);
    for (size_t i = 0; i < sizeof rows / sizeof *rows && r == 0; i++)
        r = rules_remove(rules, &rows[i]);
    return r == 0 ? put_many(rules, 100, false) : r;
}

static int build(void)
{
    struct rules *rules = rules_new();
    int r = rules ? fill(rules) : -ENOMEM;
    rules_free(rules);
    return r;
}

/* The same beside a version that must stay as it is. */
static int build_next(const struct rules *base)
{
    struct rules *rules = rules_fork(base);
    int r = rules ? put_many(rules, 150, false) : -ENOMEM;
    if (r == 0)
        r = fill(rules);
    rules_free(rules);
    return r;
}

START_TEST(failed_allocation_ends_a_load)
{
    long n = 0;
    int r;
    do {
        left = n++;
        r = build();
        left = -1;
        ck_assert_msg(r == 0 || r == -ENOMEM, "allocation %ld: %d", n, r);
    } while (r == -ENOMEM);
    ck_assert_int_gt(n, 40);
}
END_TEST

START_TEST(failed_allocation_ends_a_change_and_spares_the_version_before)
{
    struct rules *base = rules_new();
    struct ip_addr addr;
    long n = 0;
    int r;
    ck_assert_ptr_nonnull(base);
    ck_assert_int_eq(put_many(base, 150, true), 0);
    ck_assert_int_eq(rules_seal(base), 0);
    do {
        left = n++;
        r = build_next(base);
        left = -1;
        ck_assert_msg(r == 0 || r == -ENOMEM, "allocation %ld: %d", n, r);
        ck_assert_uint_eq(rules_count(base, RULE_ACCESS_BLOCK), 150);
    } while (r == -ENOMEM);
    ck_assert_int_gt(n, 40);
    ck_assert(ip_parse(str_of("192.0.2.149"), &addr));
    ck_assert_ptr_nonnull(search(base, &addr, NULL, 0).access);
    rules_free(base);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory");
    TCase *tcase = suite_case(suite, "memory");
    tcase_add_loop_test(tcase, failed_allocation_costs_one_decision, 0, COUNT(scenes));
    tcase_add_test(tcase, failed_allocation_ends_a_load);
    tcase_add_test(tcase, failed_allocation_ends_a_change_and_spares_the_version_before);
    return suite_run(suite);
}
