#include "store/rule_db.h"

#include "core/key_map.h"
#include "schema_sql.h"
#include "store/rule_changes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* As of the last reading. */
struct moment {
    int64_t data_version, schema_version;
    struct rule_mark mark;
};

struct rule_db {
    struct database database;
    struct rule_changes *changes; /* NULL until they are needed */
    sqlite3_stmt *look;           /* for changes, many times a second; NULL until it is needed */
    struct moment moment;
    struct key_map skipped; /* rows that are not understood, by table, key and client */
    size_t n_skipped[RULE_TABLE_COUNT];
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
    db->moment.data_version = -1;
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
    rule_changes_close(db->changes);
    (void)sqlite3_finalize(db->look);
    key_map_fini(&db->skipped, NULL);
    database_close(&db->database);
    free(db);
}

int rule_db_copy(struct rule_db *db, const char *path, int busy_ms, struct error *error)
{
    return database_copy(&db->database, path, busy_ms, error);
}

int rule_db_backup(struct rule_db *db, const char *to, backup_go_on *go_on, void *context, uint64_t *size_bytes,
                   struct error *error)
{
    return backup_write(&db->database, &kind, to, go_on, context, size_bytes, error);
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

/* Rows that are not understood. */

enum { SKIPPED_KEY_BYTES = 1024 }; /* of such a key: what begins alike is told apart no further */

static struct str skipped_key(const struct rule_row *row, char text[SKIPPED_KEY_BYTES])
{
    int n = snprintf(text, SKIPPED_KEY_BYTES, "%.*s %.*s", STR_ARGS(row->client), STR_ARGS(row->key));
    return str_make(text, n < 0 ? 0 : n < SKIPPED_KEY_BYTES ? (size_t)n : SKIPPED_KEY_BYTES - 1);
}

static void note_understood(struct rule_db *db, const struct rule_row *row)
{
    char text[SKIPPED_KEY_BYTES];
    if (db->skipped.used == 0)
        return;
    struct str key = skipped_key(row, text);
    if (!key_map_get(&db->skipped, (char)row->table, key))
        return;
    key_map_remove(&db->skipped, (char)row->table, key);
    db->n_skipped[row->table]--;
}

static int note_skipped(struct rule_db *db, const struct rule_row *row)
{
    char text[SKIPPED_KEY_BYTES];
    void **place = key_map_put(&db->skipped, (char)row->table, skipped_key(row, text));
    if (!place)
        return -ENOMEM;
    db->n_skipped[row->table] += *place ? 0 : 1;
    *place = db;
    return 0;
}

size_t rule_db_n_skipped(const struct rule_db *db)
{
    return db->skipped.used;
}

/* Reading. */

struct reader {
    struct rule_db *db;
    struct rules *rules;
    rule_db_skipped *skipped;
    void *context;
    bool anew; /* no row has been there before */
};

/* Takes a row as it is, or that it is gone. What is not understood counts as absent. */
static int take_row(void *context, const struct rule_row *row, bool absent, struct error *error)
{
    const struct reader *reader = context;
    struct rule_db *db = reader->db;
    struct error why;
    int r = absent         ? rules_remove(reader->rules, row)
            : reader->anew ? rules_add(reader->rules, row, &why)
                           : rules_put(reader->rules, row, &why);
    if (r == -EINVAL) {
        r = reader->anew ? 0 : rules_remove(reader->rules, row);
        if (r == 0)
            r = note_skipped(db, row);
        if (r == 0)
            reader->skipped(reader->context, row, &why);
    } else if (r == 0) {
        note_understood(db, row);
    }
    return r < 0 ? error_set(error, r, "%s: out of memory", db->database.path) : 0;
}

static int load_table(const struct reader *reader, enum rule_table table, struct error *error)
{
    struct rule_db *db = reader->db;
    const struct rule_table_info *info = &rule_tables[table];
    char sql[160];
    (void)snprintf(sql, sizeof sql, "SELECT %s, %s, %s, %s FROM %s", info->key, info->client ? info->client : "NULL",
                   info->value ? info->value : "NULL", table == RULE_SETTING ? "NULL" : "expires", info->name);
    sqlite3_stmt *stmt = NULL;
    int r = 0, code = sqlite3_prepare_v2(db->database.sqlite, sql, -1, &stmt, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    for (; code == SQLITE_ROW && r == 0; code = sqlite3_step(stmt)) {
        struct rule_row row;
        rule_row_read(stmt, table, &row);
        r = take_row((void *)reader, &row, false, error);
    }
    if (r == 0 && code != SQLITE_DONE)
        r = rule_db_fail(db, info->name, error);
    (void)sqlite3_finalize(stmt);
    if (r == 0 && rules_seal(reader->rules) < 0)
        r = error_set(error, -ENOMEM, "out of memory");
    return r;
}

/* Asked within a transaction, these are those of what it reads. */
static int read_versions(const struct rule_db *db, struct moment *moment, struct error *error)
{
    int r = database_number(&db->database, "PRAGMA data_version", &moment->data_version, error);
    return r < 0 ? r : database_number(&db->database, "PRAGMA schema_version", &moment->schema_version, error);
}

static int open_changes(struct rule_db *db, struct error *error)
{
    return db->changes ? 0 : rule_changes_open(&db->changes, &db->database, error);
}

/* Reads all tables, or the first n of these, into a new set, within a transaction. */
static int read_all(struct reader *reader, int n_tables, struct moment *moment, struct error *error)
{
    static const enum rule_table order[RULE_TABLE_COUNT] = { RULE_SETTING,     RULE_LOCAL_DOMAIN, RULE_ACCESS_BLOCK,
                                                             RULE_RELAY_GRANT, RULE_KILL_ENTRY,   RULE_ACCEPT_ENTRY,
                                                             RULE_LOCAL_USER,  RULE_LOCAL_LIST };
    struct rule_db *db = reader->db;
    key_map_fini(&db->skipped, NULL);
    memset(db->n_skipped, 0, sizeof db->n_skipped);
    reader->anew = true;
    reader->rules = rules_new();
    int r = reader->rules ? 0 : error_set(error, -ENOMEM, "out of memory");
    for (int i = 0; r == 0 && i < n_tables; i++)
        r = load_table(reader, order[i], error);
    if (r == 0)
        r = rule_changes_find_end(db->changes, &moment->mark, error);
    return r;
}

/* Follows the log of changes from `base` on. Returns 1 where it does not suffice. */
static int read_changes(struct reader *reader, const struct rules *base, struct moment *moment, struct error *error)
{
    struct rule_db *db = reader->db;
    if (!base || moment->schema_version != db->moment.schema_version)
        return 1;
    reader->rules = rules_fork(base);
    if (!reader->rules)
        return error_set(error, -ENOMEM, "out of memory");
    int r = rule_changes_follow(db->changes, &moment->mark, take_row, reader, error);
    if (r != 0) {
        rules_free(reader->rules);
        reader->rules = NULL;
    }
    return r;
}

/* A failure leaves it to the next reading to read all: what is known to be skipped may be out of step. */
static int read_rules(struct reader *reader, int n_tables, const struct rules *base, struct error *error)
{
    struct rule_db *db = reader->db;
    struct moment moment = db->moment;
    int r = open_changes(db, error);
    if (r == 0)
        r = rule_db_exec(db, "BEGIN", error);
    if (r == 0)
        r = read_versions(db, &moment, error);
    if (r == 0)
        r = read_changes(reader, base, &moment, error);
    if (r > 0)
        r = read_all(reader, n_tables, &moment, error);
    database_rollback(&db->database);
    if (r == 0 && rules_seal(reader->rules) < 0)
        r = error_set(error, -ENOMEM, "out of memory");
    db->moment = r == 0 ? moment : (struct moment){ .data_version = -1 };
    if (r < 0)
        rules_free(reader->rules);
    return r;
}

int rule_db_load(struct rule_db *db, struct rules **rules, rule_db_skipped *skipped, void *context, struct error *error)
{
    struct reader reader = { db, NULL, skipped, context, false };
    int r = read_rules(&reader, RULE_TABLE_COUNT, NULL, error);
    *rules = r == 0 ? reader.rules : NULL;
    return r;
}

int rule_db_load_settings(struct rule_db *db, struct rules **rules, rule_db_skipped *skipped, void *context,
                          struct error *error)
{
    struct reader reader = { db, NULL, skipped, context, false };
    int r = read_rules(&reader, 1, NULL, error);
    *rules = r == 0 ? reader.rules : NULL;
    return r;
}

int rule_db_update(struct rule_db *db, const struct rules *base, struct rules **rules, rule_db_skipped *skipped,
                   void *context, struct error *error)
{
    struct reader reader = { db, NULL, skipped, context, false };
    int r = read_rules(&reader, RULE_TABLE_COUNT, base, error);
    *rules = r == 0 ? reader.rules : NULL;
    return r;
}

int rule_db_changed(struct rule_db *db, struct error *error)
{
    sqlite3 *sqlite = db->database.sqlite;
    int r = database_check_file(&db->database, error);
    if (r < 0)
        return r;
    int code = db->look
                   ? SQLITE_OK
                   : sqlite3_prepare_v3(sqlite, "PRAGMA data_version", -1, SQLITE_PREPARE_PERSISTENT, &db->look, NULL);
    if (code != SQLITE_OK || sqlite3_step(db->look) != SQLITE_ROW)
        r = rule_db_fail(db, "cannot be read", error);
    else
        r = sqlite3_column_int64(db->look, 0) != db->moment.data_version;
    (void)sqlite3_reset(db->look);
    return r;
}

int rule_db_verify(struct rule_db *db, const struct rules *rules, struct error *error)
{
    bool same = true;
    int64_t data_version = 0;
    int r = rule_db_exec(db, "BEGIN", error);
    for (int table = 0; r == 0 && table < RULE_TABLE_COUNT; table++) {
        char sql[64];
        int64_t n = 0;
        (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", rule_tables[table].name);
        r = database_number(&db->database, sql, &n, error);
        same = same && (uint64_t)n == rules_count(rules, (enum rule_table)table) + db->n_skipped[table];
    }
    if (r == 0)
        r = database_number(&db->database, "PRAGMA data_version", &data_version, error);
    database_rollback(&db->database);
    return r < 0 ? r : same || data_version != db->moment.data_version;
}
