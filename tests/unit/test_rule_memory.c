/*
 * Every allocation of reading the rules fails once: the last good rules stay as they are, and the next attempt
 * succeeds.
 */
#include "failing.h"
#include "rule_fixture.h"

#include <errno.h>

enum { BUSY_MS = 1000 };

static void begin(void)
{
    rule_fixture_begin(NULL, BUSY_MS,
                       "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 199)"
                       " INSERT INTO access_block (block) SELECT printf('192.0.2.%d', i) FROM n;"
                       "INSERT INTO kill_entry (sender) VALUES ('@*example.com'), ('fred@example.com');"
                       "INSERT INTO local_domain (domain) VALUES ('example.com');"
                       "INSERT INTO setting VALUES ('max_recipients', '7')");
}

/* One change a round, followed by the row or, every other round, read with all others. */
START_TEST(failed_allocation_spares_the_rules_in_force)
{
    struct error error;
    long n = 0;
    int r;
    do {
        struct rules *next = NULL;
        bool denied = is_denied(rules, "198.51.100.7");
        sql(denied ? "DELETE FROM access_block WHERE block = '198.51.100.7'"
                   : "INSERT INTO access_block (block) VALUES ('198.51.100.7')");
        sql("REPLACE INTO setting VALUES ('max_recipients', abs(random()) % 1000);"
            "REPLACE INTO local_domain (domain, expires) VALUES ('example.com', abs(random()) % 1000000 + 1)");
        left = n++;
        r = rule_db_update(db, _i == 0 ? rules : NULL, &next, on_skipped, NULL, &error);
        bool failed = left < 0;
        left = -1;
        ck_assert_msg(r == (failed ? -ENOMEM : 0), "allocation %ld: %d %s", n, r, r ? error.text : "");
        ck_assert(is_denied(rules, "198.51.100.7") == denied && is_denied(rules, "192.0.2.150"));
        if (r < 0) {
            ck_assert_int_eq(rule_db_changed(db, &error), 1);
            ck_assert_int_eq(rule_db_update(db, rules, &next, on_skipped, NULL, &error), 0);
        }
        ck_assert(is_denied(next, "198.51.100.7") == !denied && is_denied(next, "192.0.2.150"));
        rules_settle(next, rules);
        rules = next;
    } while (r < 0);
    ck_assert_int_gt(n, 10);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rule_memory");
    TCase *tcase = suite_case(suite, "rule_memory");
    tcase_add_checked_fixture(tcase, begin, rule_fixture_end);
    tcase_add_loop_test(tcase, failed_allocation_spares_the_rules_in_force, 0, 2);
    return suite_run(suite);
}
