#include "store/hit_db.h"

#include "hits_sql.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum statement { ATTACH, ADD, LOSE, FIND, STATEMENT_COUNT };

static const char *const statements[STATEMENT_COUNT] = {
    [ATTACH] = "ATTACH ?1 AS rules",
    [ADD] = ("INSERT INTO hit (kind, key, client, hits, last) VALUES (?1, ?2, ?3, ?4, ?5)"
             " ON CONFLICT DO UPDATE SET hits = hits + excluded.hits, last = max(last, excluded.last)"),
    [LOSE] = "UPDATE counting SET lost = lost + ?1, lost_at = iif(?1 > 0, unixepoch(), lost_at)",
    [FIND] = "SELECT hits, last FROM hit WHERE kind = ?1 AND key = ?2 AND client = ?3",
};

struct hit_db {
    struct database database;
    char *rules_path;
    sqlite3_stmt *statements[STATEMENT_COUNT]; /* NULL until they are needed */
};

static const char *const migrations[] = { hits_sql };

/* Who may read the rules may read this, and nobody else. */
static mode_t mode_of(const char *rules_path)
{
    struct stat st;
    return stat(rules_path, &st) == 0 ? st.st_mode & 0666 : 0600;
}

static int open_beside(struct hit_db *db, enum database_absent absent, int busy_ms, struct error *error)
{
    const struct database_kind kind = {
        .application_id = 0x67617468, /* "gath" */
        .version = 1,
        .migrations = migrations,
        .mode = mode_of(db->rules_path),
    };
    char *path = NULL;
    if (asprintf(&path, "%s-hits", db->rules_path) < 0)
        return error_set(error, -ENOMEM, "out of memory");
    int r = database_open(&db->database, &kind, path, absent, busy_ms, error);
    free(path);
    return r;
}

int hit_db_open(struct hit_db **out, const char *rules_path, enum database_absent absent, int busy_ms,
                struct error *error)
{
    *out = NULL;
    struct hit_db *db = calloc(1, sizeof *db);
    if (!db || !(db->rules_path = strdup(rules_path))) {
        free(db);
        return error_set(error, -ENOMEM, "out of memory");
    }
    int r = open_beside(db, absent, busy_ms, error);
    /* What a power cut takes of a minute's hits is not worth a wait for the disk. */
    if (r == 0)
        r = database_exec(&db->database, "PRAGMA synchronous = NORMAL", error);
    if (r < 0) {
        hit_db_close(db);
        return r;
    }
    *out = db;
    return 0;
}

void hit_db_close(struct hit_db *db)
{
    if (!db)
        return;
    for (int i = 0; i < STATEMENT_COUNT; i++)
        (void)sqlite3_finalize(db->statements[i]);
    if (db->database.path)
        database_close(&db->database);
    free(db->rules_path);
    free(db);
}

/* Statements. */

/* The statement, ready for its values; NULL where it cannot be had. */
static sqlite3_stmt *statement(struct hit_db *db, enum statement which)
{
    if (!db->statements[which] &&
        sqlite3_prepare_v3(db->database.sqlite, statements[which], -1, SQLITE_PREPARE_PERSISTENT,
                           &db->statements[which], NULL) != SQLITE_OK)
        return NULL;
    return db->statements[which];
}

static bool bind_text(sqlite3_stmt *stmt, int index, struct str text)
{
    return sqlite3_bind_text64(stmt, index, text.p ? text.p : "", text.n, SQLITE_STATIC, SQLITE_UTF8) == SQLITE_OK;
}

static bool bind_number(sqlite3_stmt *stmt, int index, int64_t number)
{
    return sqlite3_bind_int64(stmt, index, number) == SQLITE_OK;
}

/* Runs a statement that returns nothing, if its values could be bound. */
static int run(struct hit_db *db, sqlite3_stmt *stmt, bool is_bound, const char *what, struct error *error)
{
    int r = is_bound && sqlite3_step(stmt) == SQLITE_DONE ? 0 : database_fail(&db->database, what, error);
    (void)sqlite3_reset(stmt);
    return r;
}

/* Sweeping. */

/* The rules beside the hits, so that rows that are gone can be told. The file is not created where it is absent: a
 * connection hands its own flags on. */
static int attach_rules(struct hit_db *db, struct error *error)
{
    sqlite3_stmt *stmt = statement(db, ATTACH);
    return run(db, stmt, stmt && bind_text(stmt, 1, str_of(db->rules_path)), "the rules", error);
}

static int sweep_table(struct hit_db *db, enum rule_table table, struct error *error)
{
    const struct rule_table_info *info = &rule_tables[table];
    char sql[320];
    (void)snprintf(sql, sizeof sql,
                   "DELETE FROM hit WHERE kind = '%s' AND NOT EXISTS"
                   " (SELECT 1 FROM rules.%s r WHERE r.%s = hit.key AND %s%s = hit.client AND r.created <= hit.last)",
                   info->name, info->name, info->key, info->client ? "r." : "", info->client ? info->client : "''");
    return database_exec(&db->database, sql, error);
}

/* The end of the log of changes. */
static int find_end(struct hit_db *db, int64_t *end, struct error *error)
{
    return database_number(&db->database, "SELECT ifnull(max(seq), 0) FROM rules.rule_change", end, error);
}

/* What has come after `end` is found out the next time. */
static int sweep(struct hit_db *db, int64_t end, struct error *error)
{
    int64_t swept = 0;
    int r = database_number(&db->database, "SELECT swept FROM counting", &swept, error);
    if (r < 0 || end == swept)
        return r;
    for (int table = RULE_SETTING + 1; table < RULE_TABLE_COUNT && r == 0; table++)
        r = sweep_table(db, (enum rule_table)table, error);
    char sql[64];
    (void)snprintf(sql, sizeof sql, "UPDATE counting SET swept = %" PRId64, end);
    return r == 0 ? database_exec(&db->database, sql, error) : r;
}

/* Adding. */

static int add(struct hit_db *db, const struct hit *hit, struct error *error)
{
    char key_text[RULE_TEXT_BYTES], client_text[BLOCK_TEXT_SIZE];
    sqlite3_stmt *stmt = statement(db, ADD);
    bool is_bound = stmt && bind_text(stmt, 1, str_of(rule_tables[rule_table(hit->rule)].name)) &&
                    bind_text(stmt, 2, rule_key_text(hit->rule, key_text)) &&
                    bind_text(stmt, 3, rule_client_text(hit->rule, client_text)) &&
                    bind_number(stmt, 4, (int64_t)hit->hits) && bind_number(stmt, 5, hit->last);
    return run(db, stmt, is_bound, "the hits", error);
}

static int add_all(struct hit_db *db, const struct hit_table *table, struct error *error)
{
    struct hit hit;
    int r = 0;
    for (size_t at = 0; r == 0 && hit_table_next(table, &at, &hit);)
        r = add(db, &hit, error);
    return r;
}

static int lose(struct hit_db *db, uint64_t n, struct error *error)
{
    sqlite3_stmt *stmt = statement(db, LOSE);
    return run(db, stmt, stmt && bind_number(stmt, 1, (int64_t)n), "cannot be written", error);
}

/* What others have put in the place of the file, or taken away, is no place to write to: the commit must count. */
static int commit(struct hit_db *db, struct error *error)
{
    int r = database_check_file(&db->database, error);
    return r == 0 ? database_exec(&db->database, "COMMIT", error) : r;
}

int hit_db_add(struct hit_db *db, const struct hit_table *table, struct error *error)
{
    /* Rules that cannot be read are not the hits' fault, and said elsewhere; what is gone of them is found out later.
     */
    int64_t end;
    bool has_rules = attach_rules(db, NULL) == 0 && find_end(db, &end, NULL) == 0;
    /* BEGIN IMMEDIATE would lock the rules, too, and keep whoever changes them waiting. So that nobody comes in
     * between, what is written first is written always. */
    int r = database_exec(&db->database, "BEGIN", error);
    if (r == 0)
        r = lose(db, hit_table_lost(table), error);
    if (r == 0 && has_rules)
        r = sweep(db, end, error);
    if (r == 0)
        r = add_all(db, table, error);
    if (r == 0)
        r = commit(db, error);
    if (r < 0)
        database_rollback(&db->database);
    return r;
}

/* Reading. */

int hit_db_begin_reading(struct hit_db *db, int64_t *since, int64_t *lost_at, struct error *error)
{
    int r = database_exec(&db->database, "BEGIN", error);
    if (r == 0)
        r = database_number(&db->database, "SELECT since FROM counting", since, error);
    return r < 0 ? r : database_number(&db->database, "SELECT ifnull(lost_at, 0) FROM counting", lost_at, error);
}

int hit_db_find(struct hit_db *db, enum rule_table table, struct str key, struct str client, uint64_t *hits,
                int64_t *last, struct error *error)
{
    sqlite3_stmt *stmt = statement(db, FIND);
    bool is_bound = stmt && bind_text(stmt, 1, str_of(rule_tables[table].name)) && bind_text(stmt, 2, key) &&
                    bind_text(stmt, 3, client);
    int code = is_bound ? sqlite3_step(stmt) : SQLITE_ERROR;
    *hits = code == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    *last = code == SQLITE_ROW ? sqlite3_column_int64(stmt, 1) : 0;
    int r = code == SQLITE_ROW || code == SQLITE_DONE ? 0 : database_fail(&db->database, "the hits", error);
    (void)sqlite3_reset(stmt);
    return r;
}
