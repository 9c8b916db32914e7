#include "store/rule_db.h"

#include "schema_sql.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct rule_db {
    struct database database;
    int64_t data_version; /* as of the last load */
};

static const char *const migrations[RULE_DB_SCHEMA_VERSION] = { schema_sql };

static const struct database_kind kind = {
    .application_id = 0x67617465, /* "gate" */
    .version = RULE_DB_SCHEMA_VERSION,
    .migrations = migrations,
    .mode = 0644,
};

int rule_db_open(struct rule_db **out, const char *path, enum database_absent absent, int busy_ms, struct error *error)
{
    *out = NULL;
    struct rule_db *db = calloc(1, sizeof *db);
    if (!db)
        return error_set(error, -ENOMEM, "out of memory");
    db->data_version = -1;
    int r = database_open(&db->database, &kind, path, absent, busy_ms, error);
    if (r < 0) {
        free(db);
        return r;
    }
    *out = db;
    return 0;
}

void rule_db_close(struct rule_db *db)
{
    if (!db)
        return;
    database_close(&db->database);
    free(db);
}

sqlite3 *rule_db_handle(struct rule_db *db)
{
    return db->database.sqlite;
}

int rule_db_fail(struct rule_db *db, const char *what, struct error *error)
{
    return database_fail(&db->database, what, error);
}

int rule_db_exec(struct rule_db *db, const char *sql, struct error *error)
{
    return database_exec(&db->database, sql, error);
}

static struct str column_str(sqlite3_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    return str_make(text ? text : "", text ? (size_t)sqlite3_column_bytes(stmt, column) : 0);
}

/* Columns: key, client, value, expires. */
static void read_row(sqlite3_stmt *stmt, struct rule_row *row)
{
    row->key = column_str(stmt, 0);
    row->client = column_str(stmt, 1);
    row->value = column_str(stmt, 2);
    row->expires_at = RULE_NEVER_EXPIRES;
    if (sqlite3_column_type(stmt, 3) != SQLITE_NULL) {
        row->expires_at = sqlite3_column_int64(stmt, 3);
        if (row->expires_at == RULE_NEVER_EXPIRES)
            row->expires_at = 1; /* 1970, one second off */
    }
}

static int load_table(struct rule_db *db, enum rule_table table, struct rules *rules, rule_db_skipped *skipped,
                      void *context, struct error *error)
{
    const struct rule_table_info *info = &rule_tables[table];
    char sql[160];
    (void)snprintf(sql, sizeof sql, "SELECT %s, %s, %s, %s FROM %s", info->key, info->client ? info->client : "NULL",
                   info->value ? info->value : "NULL", table == RULE_SETTING ? "NULL" : "expires", info->name);
    sqlite3_stmt *stmt = NULL;
    int r = 0, code = sqlite3_prepare_v2(db->database.sqlite, sql, -1, &stmt, NULL);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(stmt);
        if (code != SQLITE_ROW)
            break;
        struct rule_row row = { .table = table };
        struct error why;
        read_row(stmt, &row);
        r = rules_put(rules, &row, &why);
        if (r == -EINVAL) {
            skipped(context, &row, &why);
            r = 0;
        }
        if (r < 0) {
            error_set(error, r, "%s: %s", db->database.path, why.text);
            break;
        }
    }
    if (r == 0 && code != SQLITE_DONE)
        r = rule_db_fail(db, info->name, error);
    (void)sqlite3_finalize(stmt);
    return r;
}

/* Loads the tables up to `last`, with what belongs to the same moment. */
static int load(struct rule_db *db, enum rule_table last, struct rules **out, rule_db_skipped *skipped, void *context,
                struct error *error)
{
    *out = NULL;
    struct rules *rules = rules_new();
    if (!rules)
        return error_set(error, -ENOMEM, "out of memory");
    int64_t data_version = 0;
    int r = rule_db_exec(db, "BEGIN", error);
    for (int table = 0; r == 0 && table <= (int)last; table++)
        r = load_table(db, (enum rule_table)table, rules, skipped, context, error);
    if (r == 0) /* asked within the transaction, it is that of what has been read */
        r = database_number(&db->database, "PRAGMA data_version", &data_version, error);
    database_rollback(&db->database);
    if (r == 0 && rules_seal(rules) < 0)
        r = error_set(error, -ENOMEM, "out of memory");
    if (r < 0) {
        rules_free(rules);
        return r;
    }
    db->data_version = data_version;
    *out = rules;
    return 0;
}

int rule_db_load(struct rule_db *db, struct rules **rules, rule_db_skipped *skipped, void *context, struct error *error)
{
    return load(db, RULE_TABLE_COUNT - 1, rules, skipped, context, error);
}

int rule_db_load_settings(struct rule_db *db, struct rules **rules, rule_db_skipped *skipped, void *context,
                          struct error *error)
{
    return load(db, RULE_SETTING, rules, skipped, context, error);
}

int rule_db_changed(struct rule_db *db, struct error *error)
{
    int64_t data_version = 0;
    int r = database_check_file(&db->database, error);
    if (r == 0)
        r = database_number(&db->database, "PRAGMA data_version", &data_version, error);
    return r < 0 ? r : data_version != db->data_version;
}
