/*
 * Every allocation of looking for mistakes fails once: that is reported, nothing is lost, and the next attempt finds
 * all.
 */
#include "core/lint.h"
#include "failing.h"
#include "suite.h"

#include <errno.h>

static const struct {
    enum rule_table table;
    const char *key, *client, *value;
    int64_t expires_at;
} rows[] = {
    { RULE_SETTING, "relay_for", "", "anyone", 0 },
    { RULE_SETTING, "no_such", "", "1", 0 },
    { RULE_ACCESS_BLOCK, "192.0.2.1-50", "", "deny", 0 },
    { RULE_ACCESS_BLOCK, "192.0.2.0/24", "", "deny", 0 },
    { RULE_ACCESS_BLOCK, "192.0.2.300", "", "deny", 0 },
    { RULE_ACCESS_BLOCK, "2001:db8::1/32", "", "deny", 0 },
    { RULE_RELAY_GRANT, "0.0.0.0/0", "", "grant", 0 },
    { RULE_RELAY_GRANT, "mail.example.net", "", "grant", 0 },
    { RULE_RELAY_GRANT, ".example.net", "", "grant", 5 },
    { RULE_KILL_ENTRY, "@*example.net", "", "", 0 },
    { RULE_KILL_ENTRY, "fred@example.net", "", "", 0 },
    { RULE_KILL_ENTRY, "FRED@example.net", "", "", 0 },
    { RULE_ACCEPT_ENTRY, "@example.org", "192.0.2.1-50", "", 0 },
    { RULE_ACCEPT_ENTRY, "a@example.org", "", "", 0 },
    { RULE_LOCAL_DOMAIN, "example.com", "", "local", 0 },
    { RULE_LOCAL_DOMAIN, "example.net", "", "odd", 0 },
    { RULE_LOCAL_DOMAIN, "example.org", "", "local", 0 },
    { RULE_LOCAL_USER, "info", "", "alice@example.com", 0 },
    { RULE_LOCAL_USER, "INFO", "", "ALICE@example.com", 0 },
    { RULE_LOCAL_LIST, "staff@example.com", "", "no", 0 },
};

static int n_found;

static int count(void *context, const struct lint_finding *finding)
{
    (void)context;
    (void)finding;
    n_found++;
    return 0;
}

static int look(void)
{
    struct lint *lint = lint_new(1000, count, NULL);
    int r = lint ? 0 : -ENOMEM;
    n_found = 0;
    for (int table = 0; table < RULE_TABLE_COUNT && r == 0; table++) {
        for (int i = 0; i < COUNT(rows) && r == 0; i++) {
            const struct rule_row row = { rows[i].table, str_of(rows[i].key), str_of(rows[i].client),
                                          str_of(rows[i].value), rows[i].expires_at };
            if (rows[i].table == (enum rule_table)table)
                r = lint_row(lint, &row, i);
        }
        if (r == 0)
            r = lint_end(lint, (enum rule_table)table);
    }
    lint_free(lint);
    return r;
}

START_TEST(failed_allocation_is_reported)
{
    enum { FINDINGS = 13 };
    long n = 0;
    int r;
    do {
        left = n++;
        r = look();
        bool failed = left < 0;
        left = -1;
        ck_assert_msg(r == (failed ? -ENOMEM : 0), "allocation %ld: %d", n, r);
    } while (r < 0);
    ck_assert_int_gt(n, 50);
    ck_assert_int_eq(n_found, FINDINGS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lint_memory");
    TCase *tcase = suite_case(suite, "lint_memory");
    tcase_add_test(tcase, failed_allocation_is_reported);
    return suite_run(suite);
}
