/*
 * Hits of rules on their way from decisions to their database: with others who lock, spoil, fill or remove the file.
 */
#include "daemon/hits.h"
#include "made_rule.h"
#include "scene.h"
#include "store/hit_db.h"
#include "store/rule_db.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 128, BUSY_MS = 100, NEVER_MS = 1000000, SOON_MS = 10 };

static char folder[PATH_SIZE], path[PATH_SIZE + 16], hits_path[PATH_SIZE + 32];

static void sql(const char *where, const char *text)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    ck_assert_int_eq(sqlite3_open_v2(where, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_busy_timeout(db, 1000), SQLITE_OK);
    int code = sqlite3_exec(db, text, NULL, NULL, &message);
    ck_assert_msg(code == SQLITE_OK, "%s: %s", text, message ? message : "");
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

static struct hit_table *table;

static void begin(void)
{
    struct rule_db *db = NULL;
    struct error error;
    (void)snprintf(folder, sizeof folder, "/tmp/gatepost-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/rules.db", folder);
    (void)snprintf(hits_path, sizeof hits_path, "%s-hits", path);
    ck_assert_int_eq(rule_db_open(&db, path, DATABASE_CREATE, 1000, &error), 0);
    rule_db_close(db);
    table = hit_table_new();
    ck_assert_ptr_nonnull(table);
}

static void remove_hits(void)
{
    char name[2 * PATH_SIZE];
    (void)unlink(hits_path);
    (void)rmdir(hits_path);
    (void)snprintf(name, sizeof name, "%s-wal", hits_path);
    (void)unlink(name);
    (void)snprintf(name, sizeof name, "%s-shm", hits_path);
    (void)unlink(name);
}

static void end(void)
{
    static const char *const suffixes[] = { "", "-wal", "-shm" };
    char name[2 * PATH_SIZE];
    hit_table_free(table);
    remove_hits();
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        (void)unlink(name);
    }
    ck_assert_int_eq(rmdir(folder), 0);
}

static void hit(const struct rule_row *row, int which, int64_t now)
{
    union rule_space space;
    (void)hit_table_add(table, made_rule(&space, row, which), now);
}

static void hit_denied(const char *block, int64_t now)
{
    struct rule_row row = made_row(RULE_ACCESS_BLOCK, block, "", "deny");
    hit(&row, 0, now);
}

static int write_down(struct error *error)
{
    struct hit_db *db = NULL;
    int r = hit_db_open(&db, path, DATABASE_CREATE, BUSY_MS, error);
    if (r == 0)
        r = hit_db_add(db, table, error);
    hit_db_close(db);
    return r;
}

static void write_well(void)
{
    struct error error;
    int r = write_down(&error);
    ck_assert_msg(r == 0, "%s", error.text);
    hit_table_clear(table);
}

/* What is known of a row. */
static void expect_hits(enum rule_table kind, const char *key, const char *client, uint64_t hits, int64_t last)
{
    struct hit_db *db = NULL;
    struct error error;
    uint64_t n;
    int64_t at;
    ck_assert_int_eq(hit_db_open(&db, path, DATABASE_EXPECT, BUSY_MS, &error), 0);
    ck_assert_int_eq(hit_db_find(db, kind, str_of(key), str_of(client), &n, &at, &error), 0);
    hit_db_close(db);
    ck_assert_uint_eq(n, hits);
    ck_assert_int_eq(at, last);
}

static void expect_denied(const char *block, uint64_t hits, int64_t last)
{
    expect_hits(RULE_ACCESS_BLOCK, block, "", hits, last);
}

static int64_t number(const char *query)
{
    struct sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    ck_assert_int_eq(sqlite3_open_v2(hits_path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, query, -1, &stmt, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
    int64_t found = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    return found;
}

/* The database. */

START_TEST(hits_add_up)
{
    hit_denied("192.0.2.1", 1000);
    hit_denied("192.0.2.1", 1001);
    hit_denied("192.0.2.2", 1002);
    write_well();
    hit_denied("192.0.2.1", 900);
    write_well();
    write_well(); /* of nothing */
    expect_denied("192.0.2.1", 3, 1001);
    expect_denied("192.0.2.2", 1, 1002);
    expect_denied("192.0.2.3", 0, 0);
    expect_hits(RULE_RELAY_GRANT, "192.0.2.1", "", 0, 0);
}
END_TEST

/* 192.0.2.1-50 is 192.0.2.1, 192.0.2.2/31 and others. */
START_TEST(a_range_is_one_row)
{
    struct rule_row row = made_row(RULE_ACCESS_BLOCK, "192.0.2.1-50", "", "deny");
    for (int which = 0; which < 5; which++)
        hit(&row, which, 1000 + which);
    write_well();
    expect_denied("192.0.2.1-50", 5, 1004);
    ck_assert_int_eq(number("SELECT count(*) FROM hit"), 1);
}
END_TEST

/* The texts are the row's, in whatever spelling and whatever they hold. */
static const struct {
    enum rule_table table;
    const char *key, *client;
} spelled[] = {
    { RULE_ACCESS_BLOCK, "192.0.2.0/255.255.255.0", "" },
    { RULE_RELAY_GRANT, ".Example.NET", "" },
    { RULE_KILL_ENTRY, "'; DROP TABLE hit; --@example.com", "" },
    { RULE_ACCEPT_ENTRY, "@*example.com", "" },
    { RULE_ACCEPT_ENTRY, "Fred@example.com", "192.0.2.1-9" },
    { RULE_LOCAL_DOMAIN, "b\u00fccher.example", "" },
    { RULE_LOCAL_USER, "\xff@example.com", "" },
    { RULE_LOCAL_LIST, "staff", "" },
};

START_TEST(a_row_is_found_as_it_is_spelled)
{
    struct rule_row row = made_row(spelled[_i].table, spelled[_i].key, spelled[_i].client,
                                   spelled[_i].table == RULE_ACCESS_BLOCK   ? "deny"
                                   : spelled[_i].table == RULE_RELAY_GRANT  ? "grant"
                                   : spelled[_i].table == RULE_LOCAL_DOMAIN ? "local"
                                                                            : "");
    hit(&row, 0, 7);
    write_well();
    expect_hits(spelled[_i].table, spelled[_i].key, spelled[_i].client, 1, 7);
}
END_TEST

START_TEST(the_file_has_the_mode_of_the_rules)
{
    struct stat st;
    ck_assert_int_eq(chmod(path, 0600), 0);
    write_well();
    ck_assert_int_eq(stat(hits_path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(hits_go_with_their_rows)
{
    struct rule_row accepted = made_row(RULE_ACCEPT_ENTRY, "@example.com", "192.0.2.0/24", "");
    sql(path, "INSERT INTO access_block (block, created) VALUES ('192.0.2.1', 1), ('192.0.2.2', 1), ('192.0.2.3', 1);"
              "INSERT INTO accept_entry (sender, client, created) VALUES ('@example.com', '192.0.2.0/24', 1)");
    hit_denied("192.0.2.1", 1000);
    hit_denied("192.0.2.2", 1000);
    hit_denied("192.0.2.3", 1000);
    hit(&accepted, 0, 1000);
    write_well();
    sql(path, "DELETE FROM access_block WHERE block = '192.0.2.2';"
              "DELETE FROM access_block WHERE block = '192.0.2.3';"
              "INSERT INTO access_block (block, created) VALUES ('192.0.2.3', 2000)");
    hit_denied("192.0.2.1", 3000);
    hit_denied("192.0.2.3", 3000);
    write_well();
    expect_denied("192.0.2.1", 2, 3000);
    expect_denied("192.0.2.2", 0, 0);
    expect_denied("192.0.2.3", 1, 3000);
    expect_hits(RULE_ACCEPT_ENTRY, "@example.com", "192.0.2.0/24", 1, 1000);
}
END_TEST

START_TEST(hits_are_written_without_the_rules)
{
    hit_denied("192.0.2.1", 1000);
    write_well();
    sql(path, "DROP TABLE rule_change");
    hit_denied("192.0.2.1", 1001);
    write_well();
    ck_assert_int_eq(unlink(path), 0);
    hit_denied("192.0.2.1", 1002);
    write_well();
    ck_assert_int_eq(access(path, F_OK), -1);
    expect_denied("192.0.2.1", 3, 1002);
}
END_TEST

START_TEST(lost_hits_are_said)
{
    struct hit_db *db = NULL;
    struct error error;
    int64_t since, lost_at;
    char key[64];
    for (unsigned i = 0; i < HIT_TABLE_MAX + 3; i++) {
        (void)snprintf(key, sizeof key, "2001:db8::%x:%x", i >> 16, i & 0xffff);
        hit_denied(key, 1);
    }
    write_well();
    ck_assert_int_eq(number("SELECT lost FROM counting"), 3);
    ck_assert_int_eq(number("SELECT count(*) FROM hit"), HIT_TABLE_MAX);
    ck_assert_int_eq(hit_db_open(&db, path, DATABASE_EXPECT, BUSY_MS, &error), 0);
    ck_assert_int_eq(hit_db_begin_reading(db, &since, &lost_at, &error), 0);
    ck_assert_int_gt(since, 0);
    ck_assert_int_ge(lost_at, since);
    hit_db_close(db);
}
END_TEST

/* What stands in the way; then the way is free again, and nothing has been lost or counted twice. */

static void put_letter(void)
{
    FILE *letter = fopen(hits_path, "w");
    ck_assert_ptr_nonnull(letter);
    for (int i = 0; i < 100; i++)
        fputs("Dear administrator, this is no database.\n", letter);
    ck_assert_int_eq(fclose(letter), 0);
}

static void put_folder(void)
{
    ck_assert_int_eq(mkdir(hits_path, 0700), 0);
}

static void put_rules(void)
{
    sql(path, "VACUUM");
    char command[4 * PATH_SIZE];
    (void)snprintf(command, sizeof command, "cp %s %s", path, hits_path);
    ck_assert_int_eq(system(command), 0);
}

static void put_newer(void)
{
    struct error error;
    ck_assert_int_eq(write_down(&error), 0);
    sql(hits_path, "PRAGMA user_version = 99");
}

static const struct obstacle {
    void (*put)(void);
    const char *said;
} obstacles[] = {
    { put_letter, "this is not an SQLite database" },
    { put_folder, "this is a directory" },
    { put_rules, "belongs to another program" },
    { put_newer, "upgrade gatepost" },
};

START_TEST(what_is_no_database_of_hits_is_left_alone)
{
    struct error error;
    struct stat before, after;
    obstacles[_i].put();
    ck_assert_int_eq(stat(hits_path, &before), 0);
    hit_denied("192.0.2.1", 1000);
    ck_assert_int_lt(write_down(&error), 0);
    ck_assert_msg(strstr(error.text, obstacles[_i].said), "%s", error.text);
    ck_assert_int_eq(stat(hits_path, &after), 0);
    ck_assert(before.st_ino == after.st_ino && before.st_size == after.st_size);
    remove_hits();
    write_well();
    expect_denied("192.0.2.1", 1, 1000);
}
END_TEST

START_TEST(a_lock_costs_nothing_but_time)
{
    struct sqlite3 *holder = NULL;
    struct error error;
    write_well();
    ck_assert_int_eq(sqlite3_open_v2(hits_path, &holder, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(holder, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    hit_denied("192.0.2.1", 1000);
    ck_assert_int_eq(write_down(&error), -EBUSY);
    ck_assert_int_eq(sqlite3_exec(holder, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(holder), SQLITE_OK);
    write_well();
    expect_denied("192.0.2.1", 1, 1000);
}
END_TEST

START_TEST(a_file_that_is_taken_away_while_it_is_written_gets_no_hits)
{
    struct hit_db *db = NULL;
    struct error error;
    hit_denied("192.0.2.1", 1000);
    ck_assert_int_eq(hit_db_open(&db, path, DATABASE_CREATE, BUSY_MS, &error), 0);
    ck_assert_int_eq(unlink(hits_path), 0);
    ck_assert_int_lt(hit_db_add(db, table, &error), 0);
    hit_db_close(db);
    write_well();
    expect_denied("192.0.2.1", 1, 1000);
}
END_TEST

/* A full disk, as far as one process can have it for itself. */
START_TEST(a_full_disk_is_borne)
{
    struct rlimit limit, small;
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    struct error error;
    char key[64];
    write_well();
    for (unsigned i = 0; i < 5000; i++) {
        (void)snprintf(key, sizeof key, "2001:db8::%x", i);
        hit_denied(key, 1000);
    }
    ck_assert_int_eq(sigaction(SIGXFSZ, &ignore, NULL), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 65536;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    int r = write_down(&error);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_lt(r, 0);
    write_well();
    ck_assert_int_eq(number("SELECT sum(hits) FROM hit"), 5000);
}
END_TEST

/* The daemon's side. */

static uv_loop_t loop;
static struct hits *hits;

static void open_hits(uint64_t interval_ms)
{
    struct error error;
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(hits_open(&hits, &loop, path, interval_ms, &error), 0);
}

static void close_hits(void)
{
    hits_close(hits);
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    hits_free(hits);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}

static void decide_once(const char *rules, const char *request)
{
    struct scene scene;
    scene_decide(&scene, rules, request, NULL, SCENE_NOW);
    hits_count(hits, &scene.decision, SCENE_NOW);
    scene_fini(&scene);
}

/* The file may just be being made, or closed. */
static bool is_there(const char *query)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    bool found = sqlite3_open_v2(hits_path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
                 sqlite3_prepare_v2(db, query, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW &&
                 sqlite3_column_int64(stmt, 0) != 0;
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
    return found;
}

/* Runs the loop until the query says so. */
static void wait_for(const char *query)
{
    while (!is_there(query))
        (void)uv_run(&loop, UV_RUN_ONCE);
}

START_TEST(every_rule_that_matters_is_hit_once_a_decision)
{
    static const char rules[] = "allow 192.0.2.0/24; grant 192.0.2.10; domain example.com; local_sender_auth=yes;"
                                "accept @example.com 192.0.2.0/24; kill @example.org; deny 198.51.100.0/24";
    open_hits(NEVER_MS);
    decide_once(rules, "RCPT from=a@example.com to=x@example.net");
    decide_once(rules, "RCPT from=a@example.com to=x@example.com client=203.0.113.1");
    close_hits();
    expect_hits(RULE_ACCESS_BLOCK, "192.0.2.0/24", "", 1, SCENE_NOW);
    expect_hits(RULE_RELAY_GRANT, "192.0.2.10", "", 1, SCENE_NOW);
    expect_hits(RULE_ACCEPT_ENTRY, "@example.com", "192.0.2.0/24", 1, SCENE_NOW);
    expect_hits(RULE_LOCAL_DOMAIN, "example.com", "", 1, SCENE_NOW);
    ck_assert_int_eq(number("SELECT count(*) FROM hit"), 4);
}
END_TEST

START_TEST(an_observed_refusal_is_a_hit)
{
    open_hits(NEVER_MS);
    decide_once("kill @example.net; observe=kill", "MAIL");
    close_hits();
    expect_hits(RULE_KILL_ENTRY, "@example.net", "", 1, SCENE_NOW);
}
END_TEST

START_TEST(hits_are_written_as_time_passes)
{
    open_hits(SOON_MS);
    for (int round = 1; round <= 3; round++) {
        char query[64];
        decide_once("deny 192.0.2.10", "CONNECT");
        (void)snprintf(query, sizeof query, "SELECT ifnull(sum(hits), 0) = %d FROM hit", round);
        wait_for(query);
    }
    close_hits();
    expect_denied("192.0.2.10", 3, SCENE_NOW);
}
END_TEST

START_TEST(hits_are_written_when_somebody_wants_it)
{
    open_hits(NEVER_MS);
    decide_once("deny 192.0.2.10", "CONNECT");
    hits_write(hits);
    wait_for("SELECT count(*) = 1 FROM hit");
    decide_once("deny 192.0.2.10", "CONNECT");
    hits_write(hits);
    decide_once("deny 192.0.2.10", "CONNECT"); /* while the others are being written */
    hits_write(hits);
    wait_for("SELECT ifnull(sum(hits), 0) = 3 FROM hit");
    close_hits();
}
END_TEST

/* More rules than fit are hit, with time for the worker when the table runs full. */
START_TEST(a_table_that_runs_full_is_written_early)
{
    open_hits(NEVER_MS);
    wait_for("SELECT since > 0 FROM counting");
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    for (unsigned i = 0; i < HIT_TABLE_MAX + 1000; i++) {
        union rule_space space;
        char key[64];
        (void)snprintf(key, sizeof key, "2001:db8::%x:%x", i >> 16, i & 0xffff);
        struct rule_row row = made_row(RULE_ACCESS_BLOCK, key, "", "deny");
        struct decision decision = { .n_notes = 1, .notes = { { .rule = made_rule(&space, &row, 0) } } };
        hits_count(hits, &decision, SCENE_NOW);
    }
    wait_for("SELECT count(*) > 40000 FROM hit");
    close_hits();
    ck_assert_int_eq(number("SELECT sum(hits) FROM hit"), HIT_TABLE_MAX + 1000);
    ck_assert_int_eq(number("SELECT lost FROM counting"), 0);
}
END_TEST

START_TEST(counting_begins_at_the_start)
{
    open_hits(NEVER_MS);
    wait_for("SELECT since > 0 FROM counting");
    close_hits();
}
END_TEST

START_TEST(what_cannot_be_written_is_kept_and_tried_again)
{
    put_folder();
    open_hits(SOON_MS);
    for (int i = 0; i < 20; i++) {
        decide_once("deny 192.0.2.10", "CONNECT");
        (void)uv_run(&loop, UV_RUN_ONCE);
    }
    ck_assert_int_eq(rmdir(hits_path), 0);
    wait_for("SELECT ifnull(sum(hits), 0) = 20 FROM hit");
    close_hits();
    expect_denied("192.0.2.10", 20, SCENE_NOW);
}
END_TEST

START_TEST(it_ends_when_nothing_can_be_written)
{
    put_folder();
    open_hits(NEVER_MS);
    decide_once("deny 192.0.2.10", "CONNECT");
    close_hits();
    ck_assert_int_eq(rmdir(hits_path), 0);
}
END_TEST

START_TEST(a_file_that_is_deleted_is_made_anew)
{
    open_hits(SOON_MS);
    decide_once("deny 192.0.2.10", "CONNECT");
    wait_for("SELECT count(*) FROM hit");
    remove_hits();
    decide_once("deny 192.0.2.10", "CONNECT");
    wait_for("SELECT count(*) FROM hit");
    close_hits();
    expect_denied("192.0.2.10", 1, SCENE_NOW);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hits");
    TCase *tcase = suite_case(suite, "hit_db");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, hits_add_up);
    tcase_add_test(tcase, a_range_is_one_row);
    tcase_add_loop_test(tcase, a_row_is_found_as_it_is_spelled, 0, COUNT(spelled));
    tcase_add_test(tcase, the_file_has_the_mode_of_the_rules);
    tcase_add_test(tcase, hits_go_with_their_rows);
    tcase_add_test(tcase, hits_are_written_without_the_rules);
    tcase_add_test(tcase, lost_hits_are_said);
    tcase_add_loop_test(tcase, what_is_no_database_of_hits_is_left_alone, 0, COUNT(obstacles));
    tcase_add_test(tcase, a_lock_costs_nothing_but_time);
    tcase_add_test(tcase, a_file_that_is_taken_away_while_it_is_written_gets_no_hits);
    tcase_add_test(tcase, a_full_disk_is_borne);
    tcase = suite_case(suite, "hits");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, every_rule_that_matters_is_hit_once_a_decision);
    tcase_add_test(tcase, an_observed_refusal_is_a_hit);
    tcase_add_test(tcase, hits_are_written_as_time_passes);
    tcase_add_test(tcase, hits_are_written_when_somebody_wants_it);
    tcase_add_test(tcase, a_table_that_runs_full_is_written_early);
    tcase_add_test(tcase, counting_begins_at_the_start);
    tcase_add_test(tcase, what_cannot_be_written_is_kept_and_tried_again);
    tcase_add_test(tcase, it_ends_when_nothing_can_be_written);
    tcase_add_test(tcase, a_file_that_is_deleted_is_made_anew);
    return suite_run(suite);
}
