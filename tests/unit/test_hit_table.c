#include "core/hit_table.h"
#include "made_rule.h"
#include "suite.h"

#include <stdio.h>

static struct hit_table *table;
static union rule_space space;

static void begin(void)
{
    table = hit_table_new();
    ck_assert_ptr_nonnull(table);
}

static void end(void)
{
    hit_table_free(table);
}

static bool hit(const struct rule_row *row, int64_t now)
{
    return hit_table_add(table, made_rule(&space, row, 0), now);
}

static const struct rule *numbered(unsigned number)
{
    char key[64];
    (void)snprintf(key, sizeof key, "2001:db8::%x:%x", number >> 16, number & 0xffff);
    struct rule_row row = made_row(RULE_ACCESS_BLOCK, key, "", "deny");
    return made_rule(&space, &row, 0);
}

START_TEST(each_row_has_its_hits_and_the_last)
{
    const struct rule_row rows[] = {
        made_row(RULE_ACCESS_BLOCK, "192.0.2.1", "", "deny"),
        made_row(RULE_ACCESS_BLOCK, "192.0.2.1/32", "", "deny"),
        made_row(RULE_RELAY_GRANT, "192.0.2.1", "", "grant"),
        made_row(RULE_KILL_ENTRY, "fred@example.com", "", ""),
        made_row(RULE_ACCEPT_ENTRY, "fred@example.com", "", ""),
        made_row(RULE_ACCEPT_ENTRY, "fred@example.com", "192.0.2.0/24", ""),
    };
    struct hit found;
    size_t at = 0;
    for (int i = 0; i < COUNT(rows); i++)
        for (int n = 0; n <= i; n++)
            ck_assert(hit(&rows[i], 1000 + n));
    memset(&space, 0, sizeof space); /* nothing of the rules is needed any more */
    ck_assert_uint_eq(hit_table_n(table), COUNT(rows));
    for (int i = 0; i < COUNT(rows); i++) {
        char key[RULE_TEXT_BYTES], client[BLOCK_TEXT_SIZE];
        ck_assert(hit_table_next(table, &at, &found));
        ck_assert_uint_eq(found.hits, (unsigned)i + 1);
        ck_assert_int_eq(found.last, 1000 + i);
        ck_assert_int_eq((int)rule_table(found.rule), (int)rows[i].table);
        ck_assert(str_equal(rule_key_text(found.rule, key), rows[i].key));
        ck_assert(str_equal(rule_client_text(found.rule, client), rows[i].client));
    }
    ck_assert(!hit_table_next(table, &at, &found));
    ck_assert_uint_eq(hit_table_lost(table), 0);
}
END_TEST

START_TEST(a_clock_that_goes_back_makes_no_hit_older)
{
    const struct rule_row row = made_row(RULE_KILL_ENTRY, "@example.com", "", "");
    struct hit found;
    size_t at = 0;
    hit(&row, 2000);
    hit(&row, 1000);
    ck_assert(hit_table_next(table, &at, &found));
    ck_assert_uint_eq(found.hits, 2);
    ck_assert_int_eq(found.last, 2000);
}
END_TEST

/* What there is no room for is counted as lost; what has an entry goes on being counted. Twice, as clearing must leave
 * nothing behind. */
START_TEST(it_is_bounded_by_the_number_of_rules)
{
    enum { TOO_MANY = 10 };
    for (int round = 0; round < 2; round++) {
        unsigned first_short = 0;
        for (unsigned i = 0; i < HIT_TABLE_MAX + TOO_MANY; i++)
            if (!hit_table_add(table, numbered(i), 1) && first_short == 0)
                first_short = i;
        ck_assert_uint_gt(first_short, HIT_TABLE_MAX / 2);
        ck_assert_uint_lt(first_short, HIT_TABLE_MAX);
        (void)hit_table_add(table, numbered(7), 5);
        ck_assert_uint_eq(hit_table_n(table), HIT_TABLE_MAX);
        ck_assert_uint_eq(hit_table_lost(table), TOO_MANY);
        uint64_t sum = 0;
        struct hit found;
        for (size_t at = 0; hit_table_next(table, &at, &found);)
            sum += found.hits;
        ck_assert_uint_eq(sum, HIT_TABLE_MAX + 1);
        hit_table_clear(table);
        ck_assert_uint_eq(hit_table_n(table), 0);
        ck_assert_uint_eq(hit_table_lost(table), 0);
    }
}
END_TEST

START_TEST(it_is_bounded_by_the_bytes)
{
    char key[1800];
    memset(key, 'x', sizeof key);
    (void)snprintf(key + sizeof key - 16, 16, "@example.com");
    struct rule_row row = made_row(RULE_LOCAL_USER, key, "", "bob@example.com");
    unsigned n = 0;
    while (hit_table_lost(table) == 0) {
        char number[9];
        (void)snprintf(number, sizeof number, "%08x", n++);
        memcpy(key, number, 8);
        hit(&row, 1);
        ck_assert_uint_lt(n, HIT_TABLE_MAX_BYTES / 1800 + 1);
    }
    ck_assert_uint_eq(hit_table_n(table), n - 1);
    ck_assert_uint_gt(n, HIT_TABLE_MAX_BYTES / 1800 / 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hit_table");
    TCase *tcase = suite_case(suite, "hit_table");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, each_row_has_its_hits_and_the_last);
    tcase_add_test(tcase, a_clock_that_goes_back_makes_no_hit_older);
    tcase_add_test(tcase, it_is_bounded_by_the_number_of_rules);
    tcase_add_test(tcase, it_is_bounded_by_the_bytes);
    return suite_run(suite);
}
