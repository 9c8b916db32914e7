/*
 * Rows by their rowid are those of a walk, to the last byte.
 */
#include "rule_fixture.h"
#include "store/rule_fetch.h"

#include <errno.h>

enum { BUSY_MS = 1000 };

static struct rule_fetch fetch;

static void begin(void)
{
    rule_fixture_begin(NULL, BUSY_MS,
                       "PRAGMA ignore_check_constraints = on;"
                       "INSERT INTO access_block (rowid, block, note, created, expires) VALUES"
                       " (7, '192.0.2.7', 'seven', 5, 6), (8, '192.0.2.8' || char(0) || 'x', NULL, 5, NULL);"
                       "INSERT INTO accept_entry (sender, client) VALUES ('a@example.org', '192.0.2.1');"
                       "INSERT INTO local_user (address, account) VALUES ('info', NULL);"
                       "INSERT INTO setting VALUES ('max_recipients', '7')");
    fetch = (struct rule_fetch){ .db = db };
}

static void end(void)
{
    rule_fetch_fini(&fetch);
    rule_fixture_end();
}

static bool is_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

struct walk {
    enum rule_table table;
    int n;
};

static int expect_fetched(void *context, const struct stored_row *walked)
{
    struct walk *walk = context;
    struct stored_row row;
    struct error error;
    ck_assert_int_eq(rule_fetch_row(&fetch, walk->table, walked->rowid, &row, &error), 0);
    ck_assert(is_same(row.key, walked->key) && is_same(row.client, walked->client) &&
              is_same(row.value, walked->value));
    ck_assert(is_same(row.note, walked->note));
    ck_assert(row.key_n == walked->key_n && row.client_n == walked->client_n && row.value_n == walked->value_n);
    ck_assert(row.created == walked->created && row.has_expiry == walked->has_expiry && row.expires == walked->expires);
    walk->n++;
    return 0;
}

START_TEST(fetches_what_a_walk_finds)
{
    struct error error;
    struct walk walk = { .n = 0 };
    for (int table = 0; table < RULE_TABLE_COUNT; table++) {
        walk.table = (enum rule_table)table;
        ck_assert_int_eq(rule_edit_walk(db, walk.table, expect_fetched, &walk, &error), 0);
    }
    ck_assert_int_eq(walk.n, 5);
}
END_TEST

START_TEST(counts_the_bytes_behind_a_nul)
{
    struct stored_row row;
    struct error error;
    ck_assert_int_eq(rule_fetch_row(&fetch, RULE_ACCESS_BLOCK, 8, &row, &error), 0);
    ck_assert_str_eq(row.key, "192.0.2.8");
    ck_assert_uint_eq(row.key_n, sizeof "192.0.2.8" - 1 + 2);
    ck_assert_uint_eq(stored_row_as_rule(&row, RULE_ACCESS_BLOCK).key.n, row.key_n);
    ck_assert_int_eq(stored_row_as_rule(&row, RULE_ACCESS_BLOCK).expires_at, RULE_NEVER_EXPIRES);
    ck_assert_int_eq(rule_fetch_row(&fetch, RULE_ACCESS_BLOCK, 7, &row, &error), 0);
    ck_assert_int_eq(stored_row_as_rule(&row, RULE_ACCESS_BLOCK).expires_at, 6);
}
END_TEST

START_TEST(says_that_a_row_is_not_there)
{
    struct stored_row row;
    struct error error;
    ck_assert_int_eq(rule_fetch_row(&fetch, RULE_ACCESS_BLOCK, 99, &row, &error), -ENOENT);
    ck_assert_ptr_nonnull(strstr(error.text, "99"));
    sql("DROP TABLE local_list");
    ck_assert_int_lt(rule_fetch_row(&fetch, RULE_LOCAL_LIST, 1, &row, &error), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rule_fetch");
    TCase *tcase = suite_case(suite, "rule_fetch");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, fetches_what_a_walk_finds);
    tcase_add_test(tcase, counts_the_bytes_behind_a_nul);
    tcase_add_test(tcase, says_that_a_row_is_not_there);
    return suite_run(suite);
}
