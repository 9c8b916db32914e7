/*
 * Rules that are kept in step by the log of changes, against rules that are read anew.
 */
#include "core/rules.h"
#include "schema_sql.h"
#include "search.h"
#include "seeded.h"
#include "store/rule_db.h"
#include "suite.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 128, BUSY_MS = 1000, NOW = 1000000, LONG_LOG = 100000 };

static char folder[PATH_SIZE], path[PATH_SIZE + 16], other_path[PATH_SIZE + 16];
static sqlite3 *writer;
static struct rule_db *followed, *fresh;
static struct rules *rules;
static size_t n_skipped;

static void on_skipped(void *context, const struct rule_row *row, const struct error *why)
{
    (void)context;
    (void)row;
    (void)why;
    n_skipped++;
}

static void sql(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void sql(const char *format, ...)
{
    char text[4096], *message = NULL;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    int code = sqlite3_exec(writer, text, NULL, NULL, &message);
    ck_assert_msg(code == SQLITE_OK, "%s: %s", text, message ? message : "");
}

static struct rules *load(struct rule_db *db)
{
    struct error error;
    struct rules *loaded = NULL;
    int r = rule_db_load(db, &loaded, on_skipped, NULL, &error);
    ck_assert_msg(r == 0, "%s", error.text);
    return loaded;
}

static void begin(void)
{
    struct error error;
    (void)snprintf(folder, sizeof folder, "/tmp/gatepost-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/rules.db", folder);
    (void)snprintf(other_path, sizeof other_path, "%s/other.db", folder);
    ck_assert_int_eq(rule_db_open(&followed, path, DATABASE_CREATE, BUSY_MS, &error), 0);
    ck_assert_int_eq(rule_db_open(&fresh, path, DATABASE_EXPECT, BUSY_MS, &error), 0);
    ck_assert_int_eq(sqlite3_open(path, &writer), SQLITE_OK);
    ck_assert_int_eq(sqlite3_busy_timeout(writer, BUSY_MS), SQLITE_OK);
    sql("INSERT INTO local_domain (domain) VALUES ('example.com')"); /* so that the log has an end */
    rules = load(followed);
}

static void end(void)
{
    static const char *const names[] = { "rules.db", "rules.db-wal", "rules.db-shm",
                                         "other.db", "other.db-wal", "other.db-shm" };
    char name[2 * PATH_SIZE];
    rules_free(rules);
    rule_db_close(followed);
    rule_db_close(fresh);
    (void)sqlite3_close(writer);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(name, sizeof name, "%s/%s", folder, names[i]);
        (void)unlink(name);
    }
    (void)rmdir(folder);
}

/* Takes what has changed, and returns whether the log told it. */
static bool follow(void)
{
    struct error error;
    struct rules *next = NULL;
    int r = rule_db_changed(followed, &error);
    ck_assert_msg(r == 1, "%d %s", r, r < 0 ? error.text : "");
    r = rule_db_update(followed, rules, &next, on_skipped, NULL, &error);
    ck_assert_msg(r == 0, "%s", error.text);
    bool told = rules_is_fork(next, rules);
    rules_settle(next, rules);
    rules = next;
    return told;
}

/* Answers. Of rows that count alike, any may be named: what is compared is what they say. */

struct answer {
    int value;
    int64_t expires_at;
};

static struct answer answer_of(const struct rule *rule)
{
    if (!rule)
        return (struct answer){ -1, 0 };
    return (struct answer){ (int)rule_value(rule), 0 };
}

static bool same(struct answer a, struct answer b)
{
    return a.value == b.value && a.expires_at == b.expires_at;
}

static void compare_client(const struct rules *a, const struct rules *b, const char *text, int64_t now)
{
    struct ip_addr addr;
    const struct rule *relay_a, *relay_b;
    static const char *const names[] = { "unknown", "mail.example.net", "a.mail.example.net", "h1.example.org" };
    ck_assert(ip_parse(str_of(text), &addr));
    ck_assert_msg(same(answer_of(search(a, &addr, NULL, now).access), answer_of(search(b, &addr, NULL, now).access)),
                  "%s", text);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ck_assert_int_eq(rules_relay(a, &addr, str_of(names[i]), now, &relay_a), 0);
        ck_assert_int_eq(rules_relay(b, &addr, str_of(names[i]), now, &relay_b), 0);
        ck_assert_msg(same(answer_of(relay_a), answer_of(relay_b)), "%s %s", text, names[i]);
    }
}

static void compare_sender(const struct rules *a, const struct rules *b, const char *text, int64_t now)
{
    struct mail_addr sender;
    struct ip_addr addr;
    const struct rule *list_a, *list_b;
    static const char *const clients[] = { "192.0.2.0", "192.0.2.77", "198.51.100.3", "2001:db8::7" };
    ck_assert_int_eq(mail_parse(&sender, str_of(text), MAIL_AS_REWRITTEN), 0);
    ck_assert_msg(!search(a, NULL, &sender, now).kill == !search(b, NULL, &sender, now).kill, "kill %s", text);
    ck_assert_msg(!rules_account(a, &sender, now) == !rules_account(b, &sender, now), "account %s", text);
    ck_assert_msg(rules_domain_is_local(a, sender.domain, now) == rules_domain_is_local(b, sender.domain, now), "%s",
                  text);
    ck_assert_int_eq(rules_list(a, &sender, now, &list_a), 0);
    ck_assert_int_eq(rules_list(b, &sender, now, &list_b), 0);
    ck_assert_msg((list_a && rules_list_is_closed(a, list_a)) == (list_b && rules_list_is_closed(b, list_b)), "%s",
                  text);
    ck_assert_int_eq(rules_login_is_sender(a, str_of("u1"), &sender, now),
                     rules_login_is_sender(b, str_of("u1"), &sender, now));
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++) {
        ck_assert(ip_parse(str_of(clients[i]), &addr));
        ck_assert_msg(!search(a, &addr, &sender, now).accept == !search(b, &addr, &sender, now).accept,
                      "accept %s from %s", text, clients[i]);
    }
    mail_fini(&sender);
}

/* The neighbours of each boundary that the random rows can have, and the senders that they can name. */
static void compare(void)
{
    struct rules *anew = load(fresh);
    char text[64];
    for (int t = 0; t < RULE_TABLE_COUNT; t++)
        ck_assert_uint_eq(rules_count(rules, (enum rule_table)t), rules_count(anew, (enum rule_table)t));
    ck_assert_uint_eq(rule_db_n_skipped(followed), rule_db_n_skipped(fresh));
    ck_assert_uint_eq(rules_settings(rules)->number[SETTING_MAX_RECIPIENTS],
                      rules_settings(anew)->number[SETTING_MAX_RECIPIENTS]);
    for (int64_t now = NOW - 1; now <= NOW + 1; now++) {
        for (int i = 0; i < 256; i += i % 16 == 1 ? 14 : 1) { /* around each multiple of 16 */
            (void)snprintf(text, sizeof text, "192.0.2.%d", i);
            compare_client(rules, anew, text, now);
            (void)snprintf(text, sizeof text, "2001:db8::%x", i);
            compare_client(rules, anew, text, now);
        }
        for (int user = 0; user < 4; user++) {
            for (int host = 0; host < 4; host++) {
                (void)snprintf(text, sizeof text, "u%d@h%d.example.%s", user, host, host % 2 ? "org" : "com");
                compare_sender(rules, anew, text, now);
            }
            (void)snprintf(text, sizeof text, "U%d", user);
            compare_sender(rules, anew, text, now);
        }
    }
    rules_free(anew);
}

/* Random rows. */

static const char *pick_block(uint64_t *seed, char text[64])
{
    unsigned at = 16 * seeded_below(seed, 16), kind = seeded_below(seed, 6);
    if (kind == 0)
        (void)snprintf(text, 64, "192.0.2.%u", at + seeded_below(seed, 2));
    else if (kind == 1)
        (void)snprintf(text, 64, "192.0.2.%u/%u", at, 24 + seeded_below(seed, 5));
    else if (kind == 2)
        (void)snprintf(text, 64, "192.0.2.%u-%u", at, at + seeded_below(seed, 15));
    else if (kind == 3)
        (void)snprintf(text, 64, "2001:DB8::%x/%u", at, 120 + seeded_below(seed, 5));
    else if (kind == 4)
        (void)snprintf(text, 64, "2001:db8::%x", at);
    else
        (void)snprintf(text, 64, "192.0.2.%u/255.255.255.240", at);
    return text;
}

static const char *pick_pattern(uint64_t *seed, char text[64])
{
    unsigned kind = seeded_below(seed, 6), host = seeded_below(seed, 4);
    const char *top = host % 2 ? "org" : "com";
    if (kind < 2)
        (void)snprintf(text, 64, kind ? "u%u@h%u.example.%s" : "U%u@H%u.Example.%s", seeded_below(seed, 4), host, top);
    else if (kind == 2)
        (void)snprintf(text, 64, "@h%u.example.%s", host, top);
    else if (kind == 3)
        (void)snprintf(text, 64, "@.example.%s", top);
    else
        (void)snprintf(text, 64, kind == 4 ? "@*%u.example.%s" : "@*h%u.example.%s", host, top);
    return text;
}

static const char *pick_expires(uint64_t *seed)
{
    static const char *const all[] = { "NULL", "NULL", "1000000", "1000001", "0" };
    return all[seeded_below(seed, 5)];
}

/* A row of that table: its columns, then two values for its key that another row may have. */
static void random_row(uint64_t *seed, enum rule_table table, char columns[64], char values[256], char key[128])
{
    char block[64], pattern[64];
    const char *expires = pick_expires(seed);
    unsigned i = seeded_below(seed, 4);
    switch (table) {
    case RULE_ACCESS_BLOCK:
        (void)snprintf(columns, 64, "block, verdict, expires");
        (void)snprintf(key, 128, "block = '%s'", pick_block(seed, block));
        (void)snprintf(values, 256, "'%s', '%s', %s", block, i % 2 ? "deny" : "grant", expires);
        break;
    case RULE_RELAY_GRANT:
        (void)snprintf(columns, 64, "client, verdict, expires");
        if (i == 3)
            (void)snprintf(block, sizeof block, "%s", seeded_below(seed, 2) ? "mail.example.net" : ".Example.net");
        else
            (void)pick_block(seed, block);
        (void)snprintf(key, 128, "client = '%s'", block);
        (void)snprintf(values, 256, "'%s', '%s', %s", block, i == 1 ? "refuse" : "grant", expires);
        break;
    case RULE_KILL_ENTRY:
        (void)snprintf(columns, 64, "sender, expires");
        (void)snprintf(key, 128, "sender = '%s'", pick_pattern(seed, pattern));
        (void)snprintf(values, 256, "'%s', %s", pattern, expires);
        break;
    case RULE_ACCEPT_ENTRY:
        (void)snprintf(columns, 64, "sender, client, expires");
        (void)snprintf(key, 128, "sender = '%s' AND client = '%s'", pick_pattern(seed, pattern),
                       i ? pick_block(seed, block) : strcpy(block, ""));
        (void)snprintf(values, 256, "'%s', '%s', %s", pattern, block, expires);
        break;
    case RULE_LOCAL_DOMAIN:
        (void)snprintf(columns, 64, "domain, kind, expires");
        (void)snprintf(block, sizeof block, "%s%u.example.%s", i == 0 ? "H" : "h", seeded_below(seed, 4),
                       seeded_below(seed, 2) ? "org" : "com");
        if (i == 1)
            (void)snprintf(block, sizeof block, ".example.%s", seeded_below(seed, 2) ? "org" : "com");
        (void)snprintf(key, 128, "domain = '%s'", block);
        (void)snprintf(values, 256, "'%s', '%s', %s", block, i == 2 ? "relay" : "local", expires);
        break;
    case RULE_LOCAL_USER:
    case RULE_LOCAL_LIST:
        (void)snprintf(columns, 64, "address, %s, expires", table == RULE_LOCAL_USER ? "account" : "remote_mail");
        (void)snprintf(pattern, sizeof pattern, i == 0 ? "u%u" : "u%u@h1.example.org", seeded_below(seed, 4));
        (void)snprintf(key, 128, "address = '%s'", pattern);
        (void)snprintf(values, 256, "'%s', %s, %s", pattern,
                       i < 2                      ? "NULL"
                       : table == RULE_LOCAL_LIST ? "'no'"
                                                  : "'u1@h1.example.org'",
                       expires);
        break;
    default:
        (void)snprintf(columns, 64, "name, value");
        (void)snprintf(key, 128, "name = 'max_recipients'");
        (void)snprintf(values, 256, "'max_recipients', '%u'", i);
        break;
    }
}

/* One statement of those that people write. */
static void random_statement(uint64_t *seed)
{
    enum rule_table table = (enum rule_table)seeded_below(seed, RULE_TABLE_COUNT);
    const char *name = rule_tables[table].name, *key_column = rule_tables[table].key;
    char columns[64], values[256], key[128], other[128], ignored[256];
    random_row(seed, table, columns, values, key);
    random_row(seed, table, columns, ignored, other);
    switch (seeded_below(seed, 8)) {
    case 0:
        sql("DELETE FROM %s WHERE %s", name, key);
        break;
    case 1:
        sql("INSERT OR IGNORE INTO %s (%s) VALUES (%s)", name, columns, values);
        break;
    case 2:
        sql("UPDATE OR REPLACE %s SET (%s) = (%s) WHERE %s", name, columns, values, other);
        break;
    case 3:
        if (table != RULE_SETTING)
            sql("UPDATE %s SET expires = %s WHERE %s > 'h'", name, pick_expires(seed), key_column);
        break;
    case 4:
        if (table != RULE_SETTING)
            sql("INSERT INTO %s (%s) VALUES (%s) ON CONFLICT DO UPDATE SET expires = excluded.expires", name, columns,
                values);
        break;
    default:
        sql("INSERT OR REPLACE INTO %s (%s) VALUES (%s)", name, columns, values);
        break;
    }
}

START_TEST(what_is_followed_is_what_would_be_read)
{
    uint64_t seed = 1000 + (uint64_t)_i;
    sql("PRAGMA recursive_triggers = %d", _i % 2);
    for (int i = 0; i < 60; i++) {
        unsigned n = 1 + seeded_below(&seed, i % 10 == 0 ? 60 : 3);
        sql("BEGIN");
        for (unsigned s = 0; s < n; s++)
            random_statement(&seed);
        sql(seeded_below(&seed, 6) == 0 ? "ROLLBACK" : "COMMIT");
        struct error error;
        if (rule_db_changed(followed, &error) == 0)
            continue;
        (void)follow(); /* a transaction that changes nothing in the end is not told of */
        compare();
    }
}
END_TEST

/* What the log tells, is followed. */
static const char *const told[] = {
    "INSERT INTO access_block (block) VALUES ('192.0.2.16')",
    "INSERT INTO kill_entry (sender) VALUES ('o''brien@h1.example.org')",
    "INSERT INTO kill_entry (sender) VALUES ('\"quoted\\ \"@h1.example.org')",
    "INSERT INTO kill_entry (sender) VALUES ('b\xc3\xbc@h1.example.org')",
    "INSERT INTO kill_entry (sender) VALUES (CAST(x'ff' AS TEXT) || '@h1.example.org')",
    "INSERT INTO accept_entry (sender) VALUES ('a b@h1.example.org'), ('a b@h2.example.org 192.0.2.1')",
    "INSERT INTO accept_entry (sender, client) VALUES ('a b@h1.example.org', '192.0.2.0/24')",
    "UPDATE local_domain SET domain = '.example.org'",
    "DELETE FROM local_domain",
    "INSERT INTO setting VALUES ('max_recipients', '7')",
    "INSERT INTO access_block (block) VALUES ('192.0.2.999')", /* not understood */
    "INSERT INTO access_block (block) VALUES ('192.0.2.999'); UPDATE access_block SET block = '192.0.2.99'",
    "INSERT INTO access_block (block) VALUES ('192.0.2.99'); UPDATE access_block SET block = '192.0.2.999'",
};

START_TEST(log_is_followed)
{
    sql("BEGIN; %s; COMMIT", told[_i]);
    ck_assert(follow());
    compare();
    sql("INSERT INTO kill_entry (sender) VALUES ('u0@h0.example.com')");
    ck_assert(follow());
    compare();
}
END_TEST

static void triggers(int on)
{
    ck_assert_int_eq(sqlite3_db_config(writer, SQLITE_DBCONFIG_ENABLE_TRIGGER, on, NULL), SQLITE_OK);
}

static void change_without_triggers(void)
{
    triggers(0);
    sql("INSERT INTO access_block (block) VALUES ('192.0.2.0/26'); DELETE FROM local_domain");
    triggers(1);
}

static void drop_triggers(void)
{
    sql("BEGIN; DROP TRIGGER access_block_inserted; INSERT INTO access_block (block) VALUES ('192.0.2.0/26');"
        "INSERT INTO kill_entry (sender) VALUES ('@h1.example.org'); COMMIT");
}

static void empty_log(void)
{
    sql("BEGIN; DELETE FROM rule_change; INSERT INTO access_block (block) VALUES ('192.0.2.0/26'); COMMIT");
}

static void outrun_log(void)
{
    sql("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d + 10)"
        " INSERT INTO access_block (block) SELECT printf('198.51.%%d.%%d', i / 256 %% 256, i %% 256) || '/32'"
        " FROM n WHERE true ON CONFLICT DO UPDATE SET expires = 9",
        LONG_LOG);
}

/* As a first import does. */
static void outrun_empty_log(void)
{
    sql("DELETE FROM rule_change");
    ck_assert(!follow());
    outrun_log();
}

static void vacuum(void)
{
    sql("VACUUM");
}

/* As `.restore` does: into the same file, of an older state to which the same number of other changes was made. */
static void restore(void)
{
    sqlite3 *copy = NULL;
    ck_assert_int_eq(sqlite3_open(other_path, &copy), SQLITE_OK);
    sqlite3_backup *backup = sqlite3_backup_init(copy, "main", writer, "main");
    ck_assert_ptr_nonnull(backup);
    ck_assert_int_eq(sqlite3_backup_step(backup, -1), SQLITE_DONE);
    ck_assert_int_eq(sqlite3_backup_finish(backup), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(copy,
                                  "INSERT INTO access_block (block) VALUES ('192.0.2.128/25');"
                                  "INSERT INTO access_block (block) VALUES ('192.0.2.64/26')",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sql("INSERT INTO kill_entry (sender) VALUES ('u1@h1.example.org')");
    ck_assert(follow());
    backup = sqlite3_backup_init(writer, "main", copy, "main");
    ck_assert_int_eq(sqlite3_backup_step(backup, -1), SQLITE_DONE);
    ck_assert_int_eq(sqlite3_backup_finish(backup), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(copy), SQLITE_OK);
}

static void restore_over_an_empty_log(void)
{
    sqlite3 *other = NULL;
    struct rule_db *made = NULL;
    struct error error;
    sql("DELETE FROM rule_change");
    ck_assert(!follow());
    ck_assert_int_eq(rule_db_open(&made, other_path, DATABASE_CREATE, BUSY_MS, &error), 0);
    rule_db_close(made);
    ck_assert_int_eq(sqlite3_open(other_path, &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_db_config(other, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, "INSERT INTO access_block (block) VALUES ('192.0.2.64/26')", NULL, NULL, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_db_config(other, SQLITE_DBCONFIG_ENABLE_TRIGGER, 1, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other,
                                  "INSERT INTO rule_change (seq, kind, key, op, new) VALUES (1000, 'kill_entry', 'x', "
                                  "'insert', '{\"sender\":\"x@example.net\"}')",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_backup *backup = sqlite3_backup_init(writer, "main", other, "main");
    ck_assert_int_eq(sqlite3_backup_step(backup, -1), SQLITE_DONE);
    ck_assert_int_eq(sqlite3_backup_finish(backup), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(other), SQLITE_OK);
}

/* As long as nothing is logged, the first change is told of all the same. */
START_TEST(log_that_begins_is_followed)
{
    sql("DELETE FROM rule_change");
    ck_assert(!follow());
    sql("INSERT INTO kill_entry (sender) VALUES ('u0@h0.example.com')");
    ck_assert(follow());
    compare();
}
END_TEST

static void run_on(sqlite3 *database, const char *text)
{
    char *message = NULL;
    int code = sqlite3_exec(database, text, NULL, NULL, &message);
    ck_assert_msg(code == SQLITE_OK, "%s: %s", text, message ? message : "");
}

/* Two write, one reads all the time and so keeps the log of SQLite from beginning anew, which it then does. */
START_TEST(others_beside_are_followed)
{
    sqlite3 *second = NULL, *reader = NULL;
    ck_assert_int_eq(sqlite3_open(path, &second), SQLITE_OK);
    ck_assert_int_eq(sqlite3_open(path, &reader), SQLITE_OK);
    ck_assert_int_eq(sqlite3_busy_timeout(second, BUSY_MS), SQLITE_OK);
    run_on(reader, "BEGIN; SELECT count(*) FROM kill_entry");
    for (int i = 0; i < 200; i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "REPLACE INTO access_block (block) VALUES ('192.0.2.%d')", i % 128);
        run_on(i % 2 ? second : writer, text);
        (void)snprintf(text, sizeof text, "REPLACE INTO kill_entry (sender) VALUES ('u%d@h%d.example.org')", i % 3,
                       i % 5);
        run_on(i % 3 ? second : writer, text);
        if (i == 100)
            run_on(reader, "COMMIT");
        if (i % 10 == 9)
            run_on(second, i < 100 ? "PRAGMA wal_checkpoint(PASSIVE)" : "PRAGMA wal_checkpoint(TRUNCATE)");
        (void)follow(); /* the same once more in the same second is no change that is logged */
        if (i % 20 == 19)
            compare();
    }
    ck_assert_int_eq(sqlite3_close(second), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(reader), SQLITE_OK);
}
END_TEST

static void (*const untold[])(void) = { change_without_triggers, drop_triggers, empty_log, outrun_log,
                                        outrun_empty_log,        vacuum,        restore,   restore_over_an_empty_log };

START_TEST(what_the_log_does_not_tell_is_read_anew)
{
    untold[_i]();
    ck_assert(!follow());
    compare();
    sql("INSERT INTO kill_entry (sender) VALUES ('u0@h0.example.com')");
    ck_assert(follow());
    compare();
}
END_TEST

/* The log tells of something, and so hides what it does not tell of. */
START_TEST(what_hides_behind_the_log_is_found_by_counting)
{
    struct error error;
    ck_assert_int_eq(rule_db_verify(followed, rules, &error), 1);
    change_without_triggers();
    sql("INSERT INTO kill_entry (sender) VALUES ('u1@h1.example.org')");
    ck_assert(follow());
    ck_assert_int_eq(rule_db_verify(followed, rules, &error), 0);
    sql("INSERT INTO access_block (block) VALUES ('192.0.2.999')");
    ck_assert_int_eq(rule_db_verify(followed, rules, &error), 1); /* it is too late to tell */
    rules_free(rules);
    rules = load(followed);
    ck_assert_int_eq(rule_db_verify(followed, rules, &error), 1); /* with a row that is skipped */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rule_changes");
    TCase *tcase = suite_case(suite, "rule_changes");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_loop_test(tcase, what_is_followed_is_what_would_be_read, 0, 12);
    tcase_add_loop_test(tcase, log_is_followed, 0, sizeof told / sizeof *told);
    tcase_add_test(tcase, log_that_begins_is_followed);
    tcase_add_test(tcase, others_beside_are_followed);
    tcase_add_loop_test(tcase, what_the_log_does_not_tell_is_read_anew, 0, sizeof untold / sizeof *untold);
    tcase_add_test(tcase, what_hides_behind_the_log_is_found_by_counting);
    return suite_run(suite);
}
