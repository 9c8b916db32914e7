#include "schema_sql.h"
#include "search.h"
#include "store/rule_db.h"
#include "store/rule_edit.h"
#include "suite.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_SIZE = 128, BUSY_MS = 200 };

static char folder[PATH_SIZE], path[PATH_SIZE + 16];

static void begin(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/gatepost-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/rules.db", folder);
}

static void end(void)
{
    static const char *const names[] = { "rules.db", "rules.db-wal", "rules.db-shm", "rules.db-journal",
                                         "other.db", "other.db-wal", "other.db-shm" };
    char name[2 * PATH_SIZE];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(name, sizeof name, "%s/%s", folder, names[i]);
        (void)unlink(name);
        (void)rmdir(name);
    }
    ck_assert_int_eq(rmdir(folder), 0);
}

/* As somebody else would with plain sqlite3. */
static void sql(const char *where, const char *text)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    ck_assert_int_eq(sqlite3_open(where, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_busy_timeout(db, 1000), SQLITE_OK);
    int code = sqlite3_exec(db, text, NULL, NULL, &message);
    ck_assert_msg(code == SQLITE_OK, "%s: %s", text, message ? message : "");
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

static struct rule_db *open_db(enum database_absent absent)
{
    struct rule_db *db = NULL;
    struct error error = { "" };
    int r = rule_db_open(&db, path, absent, BUSY_MS, &error);
    ck_assert_msg(r == 0, "%d: %s", r, error.text);
    return db;
}

static void expect_failure(enum database_absent absent, int code, const char *part)
{
    struct rule_db *db = NULL;
    struct error error = { "" };
    int r = rule_db_open(&db, path, absent, BUSY_MS, &error);
    ck_assert_int_eq(r, code);
    ck_assert_ptr_null(db);
    ck_assert_msg(strstr(error.text, part) != NULL, "\"%s\" does not say \"%s\"", error.text, part);
    ck_assert_msg(strstr(error.text, path) != NULL, "\"%s\" does not name the file", error.text);
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(absent_database_is_created_or_missed)
{
    begin();
    expect_failure(DATABASE_EXPECT, -ENOENT, "no such database");
    rule_db_close(open_db(DATABASE_CREATE));
    rule_db_close(open_db(DATABASE_EXPECT));
    rule_db_close(open_db(DATABASE_CREATE));
    end();
}
END_TEST

START_TEST(empty_file_is_filled_or_refused)
{
    begin();
    write_file("");
    expect_failure(DATABASE_EXPECT, -EINVAL, "empty");
    rule_db_close(open_db(DATABASE_CREATE));
    rule_db_close(open_db(DATABASE_EXPECT));
    end();
}
END_TEST

START_TEST(what_is_no_database_is_named)
{
    begin();
    write_file("This is a letter to the administrator, and not what SQLite writes at the front of a database file.\n");
    expect_failure(DATABASE_CREATE, -EINVAL, "not an SQLite database");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    expect_failure(DATABASE_CREATE, -EISDIR, "directory");
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    expect_failure(DATABASE_CREATE, -EINVAL, "not a regular file");
    end();
}
END_TEST

START_TEST(foreign_and_newer_databases_are_left_alone)
{
    begin();
    sql(path, "CREATE TABLE mail (id INTEGER)");
    expect_failure(DATABASE_CREATE, -EINVAL, "another program");
    ck_assert_int_eq(unlink(path), 0);
    sql(path, "PRAGMA application_id = 1");
    expect_failure(DATABASE_CREATE, -EINVAL, "another program");
    ck_assert_int_eq(unlink(path), 0);
    rule_db_close(open_db(DATABASE_CREATE));
    sql(path, "PRAGMA user_version = 2");
    expect_failure(DATABASE_CREATE, -EINVAL, "newer");
    end();
}
END_TEST

START_TEST(file_without_rights_is_said_to_be_so)
{
    const struct passwd *nobody = getpwnam("nobody");
    begin();
    rule_db_close(open_db(DATABASE_CREATE));
    ck_assert_int_eq(chmod(folder, 0755), 0);
    ck_assert_int_eq(chmod(path, 0000), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(nobody->pw_uid), 0);
    expect_failure(DATABASE_CREATE, -EACCES, "cannot be read");
    ck_assert_int_eq(seteuid(getuid()), 0);
    ck_assert_int_eq(chmod(path, 0444), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(nobody->pw_uid), 0);
    expect_failure(DATABASE_CREATE, -EACCES, "cannot be written");
    ck_assert_int_eq(seteuid(getuid()), 0);
    end();
}
END_TEST

static void count_skipped(void *context, const struct rule_row *row, const struct error *why)
{
    (void)row;
    ck_assert(why->text[0] != '\0');
    ++*(int *)context;
}

static struct rules *load(struct rule_db *db, int *skipped)
{
    struct rules *rules = NULL;
    struct error error = { "" };
    *skipped = 0;
    int r = rule_db_load(db, &rules, count_skipped, skipped, &error);
    ck_assert_msg(r == 0, "%d: %s", r, error.text);
    return rules;
}

START_TEST(rows_are_loaded_and_bad_ones_skipped)
{
    int skipped;
    begin();
    struct rule_db *db = open_db(DATABASE_CREATE);
    sql(path, "INSERT INTO access_block (block) VALUES ('192.0.2.0/24'), ('192.0.2.9-3'), ('198.51.100.1/33');"
              "INSERT INTO setting VALUES ('relay_for', 'nobody');"
              "INSERT INTO local_user (address, account) VALUES ('info@example.com', 'bob@example.com');"
              "INSERT INTO accept_entry (sender, client) VALUES ('@example.org', '192.0.2.1-50'), ('@example.org', '');"
              "INSERT INTO kill_entry (sender, expires) VALUES ('@example.net', 0);"
              "PRAGMA ignore_check_constraints = 1;"
              "INSERT INTO setting VALUES ('no_such', 'x'), ('pop_before_smtp', 'soon');"
              "INSERT INTO local_domain (domain, kind) VALUES ('example.com', 'other');");
    struct rules *rules = load(db, &skipped);
    ck_assert_int_eq(skipped, 5);
    ck_assert_uint_eq(rules_count(rules, RULE_ACCESS_BLOCK), 1);
    ck_assert_uint_eq(rules_count(rules, RULE_ACCEPT_ENTRY), 2);
    ck_assert_uint_eq(rules_count(rules, RULE_LOCAL_USER), 1);
    ck_assert_uint_eq(rules_count(rules, RULE_SETTING), 1);
    ck_assert_uint_eq(rules_settings(rules)->number[SETTING_RELAY_FOR], RELAY_FOR_NOBODY);
    ck_assert_uint_eq(rules_settings(rules)->number[SETTING_POP_BEFORE_SMTP], 30);
    struct mail_addr sender;
    ck_assert_int_eq(mail_parse(&sender, str_of("a@example.net"), MAIL_AS_REWRITTEN), 0);
    ck_assert_ptr_null(search(rules, NULL, &sender, 1000).kill); /* expires = 0 is long past, not never */
    mail_fini(&sender);
    rules_free(rules);
    rule_db_close(db);
    end();
}
END_TEST

START_TEST(changes_of_others_are_noticed)
{
    int skipped;
    struct error error;
    char other[2 * PATH_SIZE];
    begin();
    struct rule_db *db = open_db(DATABASE_CREATE);
    rules_free(load(db, &skipped));
    ck_assert_int_eq(rule_db_changed(db, &error), 0);
    sql(path, "INSERT INTO access_block (block) VALUES ('192.0.2.0/24')");
    ck_assert_int_eq(rule_db_changed(db, &error), 1);
    ck_assert_int_eq(rule_db_changed(db, &error), 1);
    rules_free(load(db, &skipped));
    ck_assert_int_eq(rule_db_changed(db, &error), 0);
    (void)snprintf(other, sizeof other, "%s/other.db", folder);
    sql(other, schema_sql);
    ck_assert_int_eq(rename(other, path), 0);
    ck_assert_int_eq(rule_db_changed(db, &error), -ESTALE);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rule_db_changed(db, &error), -ENOENT);
    rule_db_close(db);
    end();
}
END_TEST

static int collect(void *context, const struct stored_row *row)
{
    char *text = context;
    (void)snprintf(text + strlen(text), 256 - strlen(text), "[%s %s %s %s %lld]", row->key, row->client,
                   row->value ? row->value : "-", row->note ? row->note : "-", (long long)row->expires);
    return 0;
}

static void expect_rows(struct rule_db *db, enum rule_table table, const char *expected)
{
    char text[256] = "";
    struct error error = { "" };
    ck_assert_int_eq(rule_edit_walk(db, table, collect, text, &error), 0);
    ck_assert_str_eq(text, expected);
}

static size_t count_rows(struct rule_db *db)
{
    int skipped;
    struct rules *rules = load(db, &skipped);
    ck_assert_int_eq(skipped, 0);
    size_t n = rules_count(rules, RULE_LOCAL_DOMAIN);
    rules_free(rules);
    return n;
}

/* The log of the old one must not be taken for the new one's. */
START_TEST(database_may_be_moved_over_one_with_a_log)
{
    char other[PATH_SIZE + 16], copy[2 * PATH_SIZE];
    struct error error = { "" };
    begin();
    (void)snprintf(other, sizeof other, "%s/other.db", folder);
    (void)snprintf(copy, sizeof copy, "VACUUM INTO '%s'", other);
    struct rule_db *db = open_db(DATABASE_CREATE);
    sql(path, copy);
    sql(other, "WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
               " INSERT INTO local_domain(domain) SELECT 'd' || i || '.example' FROM n");
    sql(path, "INSERT INTO local_domain(domain) VALUES('example.com')");
    ck_assert_uint_eq(count_rows(db), 1);
    ck_assert_int_eq(rename(other, path), 0);
    ck_assert_int_eq(rule_db_changed(db, &error), -ESTALE);
    rule_db_close(db);
    db = open_db(DATABASE_EXPECT);
    ck_assert_uint_eq(count_rows(db), 500);
    sql(path, "INSERT INTO local_domain(domain) VALUES('example.org')");
    ck_assert_uint_eq(count_rows(db), 501);
    rule_db_close(db);
    end();
}
END_TEST

START_TEST(edits_are_one_transaction_with_their_author)
{
    struct error error = { "" };
    struct rule_edit edit;
    begin();
    struct rule_db *db = open_db(DATABASE_CREATE);
    struct new_row deny = { RULE_ACCESS_BLOCK, "192.0.2.0/24", "", "deny", "why", 2000000000, 0 };
    struct new_row accept = { RULE_ACCEPT_ENTRY, "@example.org", "192.0.2.1", NULL, NULL, RULE_NEVER_EXPIRES, 0 };
    struct new_row wrong = { RULE_ACCESS_BLOCK, "no block", "", "deny", NULL, RULE_NEVER_EXPIRES, 0 };

    ck_assert_int_eq(rule_edit_begin(&edit, db, &error), 0);
    ck_assert_int_eq(rule_edit_insert(&edit, &deny, &error), 0);
    ck_assert_int_eq(rule_edit_insert(&edit, &wrong, &error), -EINVAL);
    rule_edit_rollback(&edit);
    expect_rows(db, RULE_ACCESS_BLOCK, "");

    ck_assert_int_eq(rule_edit_begin(&edit, db, &error), 0);
    ck_assert_int_eq(rule_edit_insert(&edit, &deny, &error), 0);
    ck_assert_int_eq(rule_edit_insert(&edit, &accept, &error), 0);
    ck_assert_int_eq(rule_edit_set(&edit, "relay_for", "nobody", &error), 0);
    ck_assert_int_eq(rule_edit_set(&edit, "relay_for", "addresses", &error), 0);
    ck_assert_int_eq(rule_edit_commit(&edit, "alice", &error), 0);
    expect_rows(db, RULE_ACCESS_BLOCK, "[192.0.2.0/24  deny why 2000000000]");
    expect_rows(db, RULE_ACCEPT_ENTRY, "[@example.org 192.0.2.1 - - 0]");

    deny.note = NULL;
    deny.expires = RULE_NEVER_EXPIRES;
    ck_assert_int_eq(rule_edit_begin(&edit, db, &error), 0);
    ck_assert_int_eq(rule_edit_update(&edit, 1, &deny, &error), 0);
    ck_assert_int_eq(rule_edit_delete(&edit, RULE_ACCEPT_ENTRY, 1, &error), 0);
    ck_assert_int_eq(rule_edit_commit(&edit, "bob", &error), 0);
    expect_rows(db, RULE_ACCESS_BLOCK, "[192.0.2.0/24  deny - 0]");
    expect_rows(db, RULE_ACCEPT_ENTRY, "");
    sql(path, "CREATE TEMP TABLE good (n CHECK (n = 1));"
              "INSERT INTO good SELECT group_concat(\"by\" || ' ' || op) = 'alice insert,alice insert,alice insert,"
              "alice update,bob update,bob delete' FROM (SELECT * FROM rule_change ORDER BY seq)");
    rule_db_close(db);
    end();
}
END_TEST

static int count_row(void *context, const struct stored_row *row)
{
    size_t *n = context;
    (void)row;
    return ++*n == 3 ? -ECANCELED : 0;
}

START_TEST(rows_are_walked_by_the_beginning_of_their_key)
{
    static const struct {
        const char *prefix;
        int result;
        size_t n;
    } walks[] = {
        { "", -ECANCELED, 3 }, { "192.0.2.1", 0, 2 }, { "192.0.2.10", 0, 1 }, { "192.0.2.2", 0, 1 },
        { "192.0.2.3", 0, 0 }, { "'", 0, 0 },         { "\xff", 0, 0 },       { "%", 0, 0 },
    };
    struct error error = { "" };
    struct rule_edit edit;
    begin();
    struct rule_db *db = open_db(DATABASE_CREATE);
    ck_assert_int_eq(rule_edit_begin(&edit, db, &error), 0);
    ck_assert_int_eq(
        rule_db_exec(db, "INSERT INTO access_block (block) VALUES ('192.0.2.1'), ('192.0.2.10'), ('192.0.2.2')",
                     &error),
        0);
    ck_assert_int_eq(rule_edit_commit(&edit, "alice", &error), 0);
    for (size_t i = 0; i < sizeof walks / sizeof *walks; i++) {
        size_t n = 0;
        int r = rule_edit_walk_prefix(db, RULE_ACCESS_BLOCK, walks[i].prefix, count_row, &n, &error);
        ck_assert_msg(r == walks[i].result && n == walks[i].n, "\"%s\": %d, %zu rows", walks[i].prefix, r, n);
    }
    rule_db_close(db);
    end();
}
END_TEST

START_TEST(expired_rows_are_pruned)
{
    struct error error = { "" };
    struct rule_edit edit;
    int64_t n = 0;
    begin();
    struct rule_db *db = open_db(DATABASE_CREATE);
    sql(path,
        "INSERT INTO access_block(block, verdict, expires) VALUES('192.0.2.1', 'deny', 10), ('192.0.2.2', 'grant', 10),"
        " ('192.0.2.3', 'deny', 11), ('192.0.2.4', 'deny', NULL)");
    ck_assert_int_eq(rule_edit_begin(&edit, db, &error), 0);
    ck_assert_int_eq(rule_edit_prune(&edit, RULE_ACCESS_BLOCK, NULL, 9, &n, &error), 0);
    ck_assert_int_eq(n, 0);
    ck_assert_int_eq(rule_edit_prune(&edit, RULE_ACCESS_BLOCK, "deny", 10, &n, &error), 0);
    ck_assert_int_eq(n, 1);
    ck_assert_int_eq(rule_edit_prune(&edit, RULE_ACCESS_BLOCK, NULL, 10, &n, &error), 0);
    ck_assert_int_eq(n, 2);
    ck_assert_int_eq(rule_edit_commit(&edit, "alice", &error), 0);
    expect_rows(db, RULE_ACCESS_BLOCK, "[192.0.2.3  deny - 11][192.0.2.4  deny - 0]");
    rule_db_close(db);
    end();
}
END_TEST

START_TEST(lock_of_another_writer_is_an_error_with_words)
{
    struct error error = { "" };
    struct rule_edit edit, other_edit;
    begin();
    struct rule_db *db = open_db(DATABASE_CREATE), *other = open_db(DATABASE_EXPECT);
    ck_assert_int_eq(rule_edit_begin(&other_edit, other, &error), 0);
    ck_assert_int_eq(rule_edit_begin(&edit, db, &error), -EBUSY);
    ck_assert_ptr_nonnull(strstr(error.text, "locked"));
    rule_edit_rollback(&other_edit);
    ck_assert_int_eq(rule_edit_begin(&edit, db, &error), 0);
    rule_edit_rollback(&edit);
    rule_db_close(db);
    rule_db_close(other);
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rule_db");
    TCase *tcase = suite_case(suite, "rule_db");
    tcase_add_test(tcase, absent_database_is_created_or_missed);
    tcase_add_test(tcase, empty_file_is_filled_or_refused);
    tcase_add_test(tcase, what_is_no_database_is_named);
    tcase_add_test(tcase, foreign_and_newer_databases_are_left_alone);
    tcase_add_test(tcase, file_without_rights_is_said_to_be_so);
    tcase_add_test(tcase, rows_are_loaded_and_bad_ones_skipped);
    tcase_add_test(tcase, changes_of_others_are_noticed);
    tcase_add_test(tcase, database_may_be_moved_over_one_with_a_log);
    tcase_add_test(tcase, edits_are_one_transaction_with_their_author);
    tcase_add_test(tcase, rows_are_walked_by_the_beginning_of_their_key);
    tcase_add_test(tcase, expired_rows_are_pruned);
    tcase_add_test(tcase, lock_of_another_writer_is_an_error_with_words);
    return suite_run(suite);
}
