/*
 * rule_fixture: rules read from a database in a folder of its own, and somebody else who changes them.
 */
#ifndef GATEPOST_TESTS_RULE_FIXTURE_H
#define GATEPOST_TESTS_RULE_FIXTURE_H

#include "core/rules.h"
#include "search.h"
#include "store/rule_db.h"
#include "suite.h"

#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

enum { FIXTURE_PATH_SIZE = 128 };

static char fixture_folder[FIXTURE_PATH_SIZE], fixture_path[FIXTURE_PATH_SIZE + 16];
static sqlite3 *fixture_writer;
static struct rule_db *db;
static struct rules *rules;

/* As the other one. */
static inline void sql(const char *text)
{
    char *message = NULL;
    int code = sqlite3_exec(fixture_writer, text, NULL, NULL, &message);
    ck_assert_msg(code == SQLITE_OK, "%s: %s", text, message ? message : "");
}

static inline void on_skipped(void *context, const struct rule_row *row, const struct error *why)
{
    (void)context;
    (void)row;
    (void)why;
}

/* Creates the database, runs the SQL, and reads the rules; vfs is the other one's, NULL for the usual one. */
static inline void rule_fixture_begin(const char *vfs, int busy_ms, const char *text)
{
    struct error error;
    (void)snprintf(fixture_folder, sizeof fixture_folder, "/tmp/gatepost-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(fixture_folder));
    (void)snprintf(fixture_path, sizeof fixture_path, "%s/rules.db", fixture_folder);
    ck_assert_int_eq(rule_db_open(&db, fixture_path, DATABASE_CREATE, busy_ms, &error), 0);
    ck_assert_int_eq(sqlite3_open_v2(fixture_path, &fixture_writer, SQLITE_OPEN_READWRITE, vfs), SQLITE_OK);
    sql(text);
    ck_assert_int_eq(rule_db_load(db, &rules, on_skipped, NULL, &error), 0);
}

static inline void rule_fixture_end(void)
{
    static const char *const suffixes[] = { "", "-wal", "-shm" };
    char name[2 * FIXTURE_PATH_SIZE];
    rules_free(rules);
    rule_db_close(db);
    (void)sqlite3_close(fixture_writer);
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(name, sizeof name, "%s%s", fixture_path, suffixes[i]);
        (void)unlink(name);
    }
    (void)rmdir(fixture_folder);
}

static inline bool is_denied(const struct rules *set, const char *text)
{
    struct ip_addr addr;
    return ip_parse(str_of(text), &addr) && search(set, &addr, NULL, 0).access;
}

#endif
