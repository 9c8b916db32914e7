/*
 * The rule set: rows come and go in any spelling, and what is left decides. The look-ups are also compared with a naive
 * model, in test_random.
 */
#include "core/rules.h"
#include "search.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>

enum { NOW = 1000 };

static struct rules *rules;

static void begin(void)
{
    rules = rules_new();
    ck_assert_ptr_nonnull(rules);
}

static void end(void)
{
    rules_free(rules);
}

static int put(enum rule_table table, const char *key, const char *client, const char *value, int64_t expires_at)
{
    struct rule_row row = { table, str_of(key), str_of(client), str_of(value), expires_at };
    struct error error;
    int r = rules_put(rules, &row, &error);
    ck_assert_int_eq(rules_seal(rules), 0);
    return r;
}

static void drop(enum rule_table table, const char *key, const char *client)
{
    struct rule_row row = { .table = table, .key = str_of(key), .client = str_of(client) };
    ck_assert_int_eq(rules_remove(rules, &row), 0);
    ck_assert_int_eq(rules_seal(rules), 0);
}

static const char *key_of(const struct rule *rule)
{
    static char text[RULE_TEXT_BYTES + 1], made[RULE_TEXT_BYTES];
    if (!rule)
        return "none";
    struct str key = rule_key_text(rule, made);
    (void)snprintf(text, sizeof text, "%.*s", STR_ARGS(key));
    return text;
}

/* The key of the row that decides about the address at that time, or "none". */
static const char *access_at(const char *address, int64_t now)
{
    struct ip_addr addr;
    ck_assert(ip_parse(str_of(address), &addr));
    const struct rule *rule = search(rules, &addr, NULL, now).access;
    return key_of(rule);
}

static const char *kill_at(const char *sender, int64_t now)
{
    struct mail_addr addr;
    ck_assert_int_eq(mail_parse(&addr, str_of(sender), MAIL_AS_REWRITTEN), 0);
    const struct rule *rule = search(rules, NULL, &addr, now).kill;
    mail_fini(&addr);
    return key_of(rule);
}

START_TEST(rows_of_one_meaning_stand_side_by_side)
{
    ck_assert_int_eq(put(RULE_ACCESS_BLOCK, "192.0.2.0/24", "", "grant", 0), 0);
    ck_assert_int_eq(put(RULE_ACCESS_BLOCK, "192.0.2.*", "", "deny", 0), 0);
    ck_assert_uint_eq(rules_count(rules, RULE_ACCESS_BLOCK), 2);
    ck_assert_str_eq(access_at("192.0.2.1", NOW), "192.0.2.*");
    drop(RULE_ACCESS_BLOCK, "192.0.2.0/255.255.255.0", ""); /* another row, which is not there */
    ck_assert_uint_eq(rules_count(rules, RULE_ACCESS_BLOCK), 2);
    drop(RULE_ACCESS_BLOCK, "192.0.2.*", "");
    ck_assert_str_eq(access_at("192.0.2.1", NOW), "192.0.2.0/24");
    ck_assert_int_eq(put(RULE_ACCESS_BLOCK, "192.0.2.0/24", "", "deny", 0), 0); /* replaced */
    ck_assert_uint_eq(rules_count(rules, RULE_ACCESS_BLOCK), 1);
    drop(RULE_ACCESS_BLOCK, "192.0.2.0/24", "");
    ck_assert_uint_eq(rules_count(rules, RULE_ACCESS_BLOCK), 0);
    ck_assert_str_eq(access_at("192.0.2.1", NOW), "none");
}
END_TEST

START_TEST(range_counts_as_its_prefixes)
{
    ck_assert_int_eq(put(RULE_ACCESS_BLOCK, "192.0.2.1-50", "", "deny", 0), 0);
    ck_assert_int_eq(put(RULE_ACCESS_BLOCK, "192.0.2.0/27", "", "grant", 0), 0);
    ck_assert_str_eq(access_at("192.0.2.0", NOW), "192.0.2.0/27");
    ck_assert_str_eq(access_at("192.0.2.1", NOW), "192.0.2.1-50");  /* a /32 of the range */
    ck_assert_str_eq(access_at("192.0.2.17", NOW), "192.0.2.1-50"); /* its /28 */
    ck_assert_str_eq(access_at("192.0.2.40", NOW), "192.0.2.1-50");
    ck_assert_str_eq(access_at("192.0.2.50", NOW), "192.0.2.1-50");
    ck_assert_str_eq(access_at("192.0.2.51", NOW), "none");
    drop(RULE_ACCESS_BLOCK, "192.0.2.1-50", "");
    ck_assert_str_eq(access_at("192.0.2.40", NOW), "none");
    ck_assert_str_eq(access_at("192.0.2.1", NOW), "192.0.2.0/27");
}
END_TEST

static void expect_counts(enum rule_table table, size_t all, size_t refusing)
{
    ck_assert_uint_eq(rules_count(rules, table), all);
    ck_assert_uint_eq(rules_count_refusing(rules, table), refusing);
}

START_TEST(rows_are_counted_by_their_verdict)
{
    ck_assert_int_eq(put(RULE_ACCESS_BLOCK, "192.0.2.1-50", "", "deny", 0), 0); /* of several prefixes */
    ck_assert_int_eq(put(RULE_ACCESS_BLOCK, "192.0.2.0/24", "", "deny", 0), 0);
    ck_assert_int_eq(put(RULE_ACCESS_BLOCK, "192.0.2.7", "", "grant", 0), 0);
    ck_assert_int_eq(put(RULE_RELAY_GRANT, "192.0.2.7", "", "refuse", 0), 0);
    ck_assert_int_eq(put(RULE_RELAY_GRANT, "mail.example.net", "", "grant", 0), 0);
    expect_counts(RULE_ACCESS_BLOCK, 3, 2);
    expect_counts(RULE_RELAY_GRANT, 2, 1);
    ck_assert_int_eq(put(RULE_ACCESS_BLOCK, "192.0.2.1-50", "", "grant", NOW), 0); /* replaced */
    ck_assert_int_eq(put(RULE_ACCESS_BLOCK, "192.0.2.7", "", "deny", 0), 0);
    ck_assert_int_eq(put(RULE_ACCESS_BLOCK, "192.0.2.7", "", "deny", NOW), 0);
    expect_counts(RULE_ACCESS_BLOCK, 3, 2);
    drop(RULE_ACCESS_BLOCK, "192.0.2.1-50", "");
    drop(RULE_ACCESS_BLOCK, "192.0.2.99", "");
    expect_counts(RULE_ACCESS_BLOCK, 2, 2);
    drop(RULE_ACCESS_BLOCK, "192.0.2.7", "");
    drop(RULE_ACCESS_BLOCK, "192.0.2.0/24", "");
    expect_counts(RULE_ACCESS_BLOCK, 0, 0);
    expect_counts(RULE_KILL_ENTRY, 0, 0);
}
END_TEST

START_TEST(row_expires_to_the_second)
{
    ck_assert_int_eq(put(RULE_ACCESS_BLOCK, "192.0.2.7", "", "deny", NOW), 0);
    ck_assert_int_eq(put(RULE_ACCESS_BLOCK, "192.0.2.0/24", "", "grant", 0), 0);
    ck_assert_str_eq(access_at("192.0.2.7", NOW - 1), "192.0.2.7");
    ck_assert_str_eq(access_at("192.0.2.7", NOW), "192.0.2.0/24");
    ck_assert_int_eq(put(RULE_LOCAL_DOMAIN, "example.com", "", "local", NOW), 0);
    ck_assert(rules_has_domain(rules, NOW - 1));
    ck_assert(!rules_has_domain(rules, NOW));
}
END_TEST

START_TEST(bare_sender_is_killed_as_at_any_local_domain)
{
    ck_assert_int_eq(put(RULE_KILL_ENTRY, "boss@example.com", "", "", 0), 0);
    ck_assert_int_eq(put(RULE_KILL_ENTRY, "@.sub.example.net", "", "", 0), 0);
    ck_assert_str_eq(kill_at("boss", NOW), "none");
    ck_assert_int_eq(put(RULE_LOCAL_DOMAIN, "example.com", "", "local", NOW), 0);
    ck_assert_str_eq(kill_at("boss", NOW - 1), "boss@example.com");
    ck_assert_str_eq(kill_at("boss", NOW), "none");
    ck_assert_str_eq(kill_at("fred", NOW - 1), "none");
    ck_assert_int_eq(put(RULE_LOCAL_DOMAIN, ".example.net", "", "local", 0), 0);
    ck_assert_str_eq(kill_at("fred", NOW), "@.sub.example.net");
    ck_assert_int_eq(put(RULE_LOCAL_DOMAIN, ".sub.example.net", "", "relay", 0), 0);
    ck_assert_str_eq(kill_at("fred", NOW), "none");
    ck_assert_int_eq(put(RULE_LOCAL_DOMAIN, "a.sub.example.net", "", "local", 0), 0);
    ck_assert_str_eq(kill_at("fred", NOW), "@.sub.example.net");
    drop(RULE_KILL_ENTRY, "@.sub.example.net", "");
    ck_assert_str_eq(kill_at("fred", NOW), "none");
}
END_TEST

static const struct {
    enum rule_table table;
    const char *key, *client, *value;
} bad_rows[] = {
    { RULE_ACCESS_BLOCK, "192.0.2.300", "", "deny" },
    { RULE_ACCESS_BLOCK, "192.0.2.1", "", "refuse" },
    { RULE_ACCESS_BLOCK, "192.0.2.1", "", "" },
    { RULE_RELAY_GRANT, "mail.example.net", "", "refuse" },
    { RULE_KILL_ENTRY, "nobody", "", "" },
    { RULE_ACCEPT_ENTRY, "@example.net", "everywhere", "" },
    { RULE_LOCAL_DOMAIN, "example.com", "", "foreign" },
    { RULE_LOCAL_LIST, "staff", "", "maybe" },
    { RULE_SETTING, "no_such", "", "1" },
    { RULE_SETTING, "pop_before_smtp", "", "soon" },
};

START_TEST(bad_row_leaves_the_set_as_it_was)
{
    ck_assert_int_eq(put(bad_rows[_i].table, bad_rows[_i].key, bad_rows[_i].client, bad_rows[_i].value, 0), -EINVAL);
    for (int table = 0; table < RULE_TABLE_COUNT; table++)
        ck_assert_uint_eq(rules_count(rules, (enum rule_table)table), 0);
    drop(bad_rows[_i].table, bad_rows[_i].key, bad_rows[_i].client);
}
END_TEST

START_TEST(setting_goes_back_to_its_preset)
{
    ck_assert_int_eq(put(RULE_SETTING, "relay_for", "", "nobody", 0), 0);
    ck_assert_uint_eq(rules_settings(rules)->number[SETTING_RELAY_FOR], RELAY_FOR_NOBODY);
    drop(RULE_SETTING, "relay_for", "");
    ck_assert_uint_eq(rules_settings(rules)->number[SETTING_RELAY_FOR], RELAY_FOR_ADDRESSES);
    ck_assert_uint_eq(rules_count(rules, RULE_SETTING), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rules");
    TCase *tcase = suite_case(suite, "rules");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, rows_of_one_meaning_stand_side_by_side);
    tcase_add_test(tcase, range_counts_as_its_prefixes);
    tcase_add_test(tcase, rows_are_counted_by_their_verdict);
    tcase_add_test(tcase, row_expires_to_the_second);
    tcase_add_test(tcase, bare_sender_is_killed_as_at_any_local_domain);
    tcase_add_loop_test(tcase, bad_row_leaves_the_set_as_it_was, 0, COUNT(bad_rows));
    tcase_add_test(tcase, setting_goes_back_to_its_preset);
    return suite_run(suite);
}
