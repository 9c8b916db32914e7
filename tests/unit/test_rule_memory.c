/*
 * Every allocation of reading the rules fails once: the last good rules stay as they are, and the next attempt
 * succeeds.
 */
#include "core/rules.h"
#include "failing.h"
#include "search.h"
#include "store/rule_db.h"
#include "suite.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

enum { PATH_SIZE = 128, BUSY_MS = 1000 };

static char folder[PATH_SIZE], path[PATH_SIZE + 16];
static sqlite3 *writer;
static struct rule_db *db;
static struct rules *rules;

static void sql(const char *text)
{
    char *message = NULL;
    int code = sqlite3_exec(writer, text, NULL, NULL, &message);
    ck_assert_msg(code == SQLITE_OK, "%s: %s", text, message ? message : "");
}

static void on_skipped(void *context, const struct rule_row *row, const struct error *why)
{
    (void)context;
    (void)row;
    (void)why;
}

static void begin(void)
{
    struct error error;
    (void)snprintf(folder, sizeof folder, "/tmp/gatepost-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/rules.db", folder);
    ck_assert_int_eq(rule_db_open(&db, path, DATABASE_CREATE, BUSY_MS, &error), 0);
    ck_assert_int_eq(sqlite3_open(path, &writer), SQLITE_OK);
    sql("WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 199)"
        " INSERT INTO access_block (block) SELECT printf('192.0.2.%d', i) FROM n");
    sql("INSERT INTO kill_entry (sender) VALUES ('@*example.com'), ('fred@example.com');"
        "INSERT INTO local_domain (domain) VALUES ('example.com'); INSERT INTO setting VALUES ('max_recipients', '7')");
    ck_assert_int_eq(rule_db_load(db, &rules, on_skipped, NULL, &error), 0);
}

static void end(void)
{
    static const char *const suffixes[] = { "", "-wal", "-shm" };
    char name[2 * PATH_SIZE];
    rules_free(rules);
    rule_db_close(db);
    (void)sqlite3_close(writer);
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        (void)unlink(name);
    }
    (void)rmdir(folder);
}

static bool is_denied(const struct rules *set, const char *text)
{
    struct ip_addr addr;
    return ip_parse(str_of(text), &addr) && search(set, &addr, NULL, 0).access;
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
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_loop_test(tcase, failed_allocation_spares_the_rules_in_force, 0, 2);
    return suite_run(suite);
}
