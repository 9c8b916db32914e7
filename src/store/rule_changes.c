#include "store/rule_changes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum log_statement { LOG_END, LOG_LAST_SEQ, LOG_AT, LOG_BEHIND, LOG_STATEMENTS };

/* The columns of what the log says; `by` is no part of it. */
#define LOG_COLUMNS "seq, at, kind, key, op, old, new"
enum { COLUMN_SEQ, COLUMN_KIND = 2, COLUMN_OLD = 5, COLUMN_NEW, N_LOG_COLUMNS };
enum { COLUMN_KEY_FOUND = 4 };

static const char *const log_statements[LOG_STATEMENTS] = {
    [LOG_END] = "SELECT " LOG_COLUMNS " FROM rule_change ORDER BY seq DESC LIMIT 1",
    [LOG_LAST_SEQ] = "SELECT seq FROM sqlite_sequence WHERE name = 'rule_change'",
    [LOG_AT] = "SELECT " LOG_COLUMNS " FROM rule_change WHERE seq = ?1",
    [LOG_BEHIND] = "SELECT " LOG_COLUMNS " FROM rule_change WHERE seq > ?1 ORDER BY seq",
};

struct rule_changes {
    const struct database *database;
    sqlite3_stmt *log[LOG_STATEMENTS];
    sqlite3_stmt *row[RULE_TABLE_COUNT]; /* the row of a key in JSON, as it is now */
};

static int prepare(struct rule_changes *changes, const char *sql, sqlite3_stmt **stmt, struct error *error)
{
    const struct database *database = changes->database;
    if (sqlite3_prepare_v3(database->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL) != SQLITE_OK)
        return database_fail(database, "the log of changes", error);
    return 0;
}

static int prepare_row(struct rule_changes *changes, enum rule_table table, struct error *error)
{
    const struct rule_table_info *info = &rule_tables[table];
    char sql[512], client[64] = "", and_client[64] = "";
    if (info->client) {
        (void)snprintf(client, sizeof client, "json_extract(?1, '$.%s')", info->client);
        (void)snprintf(and_client, sizeof and_client, " AND t.%s = w.client", info->client);
    }
    (void)snprintf(sql, sizeof sql,
                   "SELECT w.key, w.client, %s%s, %s, t.%s IS NOT NULL"
                   " FROM (SELECT json_extract(?1, '$.%s') AS key, %s AS client) AS w"
                   " LEFT JOIN %s AS t ON t.%s = w.key%s",
                   info->value ? "t." : "", info->value ? info->value : "NULL",
                   table == RULE_SETTING ? "NULL" : "t.expires", info->key, info->key, info->client ? client : "NULL",
                   info->name, info->key, and_client);
    return prepare(changes, sql, &changes->row[table], error);
}

int rule_changes_open(struct rule_changes **out, const struct database *database, struct error *error)
{
    int r = 0;
    *out = NULL;
    struct rule_changes *changes = calloc(1, sizeof *changes);
    if (!changes)
        return error_set(error, -ENOMEM, "out of memory");
    changes->database = database;
    for (int i = 0; i < LOG_STATEMENTS && r == 0; i++)
        r = prepare(changes, log_statements[i], &changes->log[i], error);
    for (int t = 0; t < RULE_TABLE_COUNT && r == 0; t++)
        r = prepare_row(changes, (enum rule_table)t, error);
    if (r < 0)
        rule_changes_close(changes);
    else
        *out = changes;
    return r;
}

void rule_changes_close(struct rule_changes *changes)
{
    if (!changes)
        return;
    for (int i = 0; i < LOG_STATEMENTS; i++)
        (void)sqlite3_finalize(changes->log[i]);
    for (int t = 0; t < RULE_TABLE_COUNT; t++)
        (void)sqlite3_finalize(changes->row[t]);
    free(changes);
}

/* As a blob, since as a text SQLite would copy it for the sake of a NUL behind it. */
static struct str column_str(sqlite3_stmt *stmt, int column)
{
    const char *text = sqlite3_column_blob(stmt, column);
    return str_make(text ? text : "", text ? (size_t)sqlite3_column_bytes(stmt, column) : 0);
}

void rule_row_read(sqlite3_stmt *stmt, enum rule_table table, struct rule_row *row)
{
    row->table = table;
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

/* FNV-1a, each column with a byte behind it that no text holds. */
static void set_mark(struct rule_mark *mark, sqlite3_stmt *stmt)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (int column = 0; column < N_LOG_COLUMNS; column++) {
        struct str text = column_str(stmt, column);
        for (size_t i = 0; i <= text.n; i++)
            hash = (hash ^ (i < text.n ? (unsigned char)text.p[i] : 0xffU)) * UINT64_C(0x100000001b3);
    }
    mark->seq = sqlite3_column_int64(stmt, COLUMN_SEQ);
    mark->empty = false;
    mark->hash = hash;
}

/* Reads the one row that a statement gives, if there is one. */
static int read_mark(struct rule_changes *changes, enum log_statement which, struct rule_mark *mark,
                     struct error *error)
{
    sqlite3_stmt *stmt = changes->log[which];
    int r = 0, code = sqlite3_step(stmt);
    if (code == SQLITE_ROW)
        set_mark(mark, stmt);
    else if (code != SQLITE_DONE)
        r = database_fail(changes->database, "the log of changes", error);
    (void)sqlite3_reset(stmt);
    return r;
}

int rule_changes_find_end(struct rule_changes *changes, struct rule_mark *mark, struct error *error)
{
    sqlite3_stmt *stmt = changes->log[LOG_LAST_SEQ];
    *mark = (struct rule_mark){ .empty = true };
    int r = read_mark(changes, LOG_END, mark, error);
    if (r < 0 || !mark->empty)
        return r;
    int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW)
        mark->seq = sqlite3_column_int64(stmt, 0);
    else if (code != SQLITE_DONE)
        r = database_fail(changes->database, "the log of changes", error);
    (void)sqlite3_reset(stmt);
    return r;
}

/* Whether the log is still the one that has been followed so far, and reaches back to there: what it told last must
 * still stand in it. A file that was put back over one whose log was empty has another version of the schema. */
static int check_mark(struct rule_changes *changes, const struct rule_mark *mark, bool *same, struct error *error)
{
    struct rule_mark there = { .empty = true };
    *same = mark->empty;
    if (mark->empty)
        return 0;
    if (sqlite3_bind_int64(changes->log[LOG_AT], 1, mark->seq) != SQLITE_OK)
        return database_fail(changes->database, "the log of changes", error);
    int r = read_mark(changes, LOG_AT, &there, error);
    *same = r == 0 && !there.empty && there.hash == mark->hash;
    return r;
}

/* Follows one side of one change: the row whose key the JSON holds. */
static int follow_row(struct rule_changes *changes, enum rule_table table, struct str json, rule_changed *changed,
                      void *context, struct error *error)
{
    sqlite3_stmt *stmt = changes->row[table];
    struct rule_row row;
    int r;
    if (sqlite3_bind_text64(stmt, 1, json.p, json.n, SQLITE_STATIC, SQLITE_UTF8) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW) {
        r = database_fail(changes->database, rule_tables[table].name, error);
    } else {
        rule_row_read(stmt, table, &row);
        r = changed(context, &row, sqlite3_column_int(stmt, COLUMN_KEY_FOUND) == 0, error);
    }
    (void)sqlite3_reset(stmt);
    return r;
}

static int table_of(struct str kind)
{
    for (int t = 0; t < RULE_TABLE_COUNT; t++)
        if (str_is(kind, rule_tables[t].name))
            return t;
    return -1;
}

/* Returns 1 where this is no change that we know. */
static int follow_change(struct rule_changes *changes, sqlite3_stmt *stmt, rule_changed *changed, void *context,
                         struct error *error)
{
    int table = table_of(column_str(stmt, COLUMN_KIND)), r = table < 0 ? 1 : 0;
    for (int column = COLUMN_OLD; column <= COLUMN_NEW && r == 0; column++)
        if (sqlite3_column_type(stmt, column) != SQLITE_NULL)
            r = follow_row(changes, (enum rule_table)table, column_str(stmt, column), changed, context, error);
    return r;
}

int rule_changes_follow(struct rule_changes *changes, struct rule_mark *mark, rule_changed *changed, void *context,
                        struct error *error)
{
    sqlite3_stmt *stmt = changes->log[LOG_BEHIND];
    struct rule_mark last = *mark;
    bool same;
    int r = check_mark(changes, mark, &same, error);
    if (r < 0 || !same)
        return r < 0 ? r : 1;
    if (sqlite3_bind_int64(stmt, 1, mark->seq) != SQLITE_OK)
        return database_fail(changes->database, "the log of changes", error);
    int code = sqlite3_step(stmt);
    /* One that was empty may have been filled beyond its measure since; then its beginning is gone. */
    if (code == SQLITE_ROW && mark->empty && sqlite3_column_int64(stmt, COLUMN_SEQ) != mark->seq + 1)
        r = 1;
    for (; code == SQLITE_ROW && r == 0; code = r == 0 ? sqlite3_step(stmt) : SQLITE_ROW) {
        r = follow_change(changes, stmt, changed, context, error);
        if (r == 0)
            set_mark(&last, stmt);
    }
    if (r == 0 && code != SQLITE_DONE)
        r = database_fail(changes->database, "the log of changes", error);
    (void)sqlite3_reset(stmt);
    if (r == 0 && last.seq <= mark->seq) /* something has changed, but nothing that is logged */
        r = 1;
    if (r == 0)
        *mark = last;
    return r;
}
