#include "store/rule_edit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BOUND = 6 };

struct bound {
    bool is_number;
    int64_t number;
    const char *text; /* NULL: NULL */
};

static struct bound text_value(const char *text)
{
    return (struct bound){ .text = text };
}

static struct bound number_value(int64_t number)
{
    return (struct bound){ .is_number = true, .number = number };
}

/* 0 is NULL. */
static struct bound time_value(int64_t time)
{
    return time == 0 ? text_value(NULL) : number_value(time);
}

static int prepare(struct rule_db *db, const char *sql, sqlite3_stmt **stmt)
{
    return *stmt ? SQLITE_OK : sqlite3_prepare_v2(rule_db_handle(db), sql, -1, stmt, NULL);
}

/* Runs a statement that returns nothing, and makes it ready for the next time. */
static int run(struct rule_db *db, sqlite3_stmt *stmt, const struct bound *values, int n, const char *what,
               struct error *error)
{
    int code = SQLITE_OK;
    for (int i = 0; i < n && code == SQLITE_OK; i++)
        code = values[i].is_number ? sqlite3_bind_int64(stmt, i + 1, values[i].number)
                                   : sqlite3_bind_text(stmt, i + 1, values[i].text, -1, SQLITE_STATIC);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    int r = code == SQLITE_DONE || code == SQLITE_ROW ? 0 : rule_db_fail(db, what, error);
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    return r;
}

static int run_once(struct rule_db *db, const char *sql, const struct bound *values, int n, const char *what,
                    struct error *error)
{
    sqlite3_stmt *stmt = NULL;
    int r =
        prepare(db, sql, &stmt) == SQLITE_OK ? run(db, stmt, values, n, what, error) : rule_db_fail(db, what, error);
    (void)sqlite3_finalize(stmt);
    return r;
}

/* The transaction. */

static const char rule_change[] = "rule_change";

static int last_seq(struct rule_db *db, int64_t *seq, struct error *error)
{
    sqlite3_stmt *stmt = NULL;
    int code = prepare(db,
                       "SELECT max(ifnull((SELECT max(seq) FROM rule_change), 0),"
                       " ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'rule_change'), 0))",
                       &stmt);
    int r = 0;
    if (code == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
        *seq = sqlite3_column_int64(stmt, 0);
    else
        r = rule_db_fail(db, rule_change, error);
    (void)sqlite3_finalize(stmt);
    return r;
}

int rule_edit_begin(struct rule_edit *edit, struct rule_db *db, struct error *error)
{
    *edit = (struct rule_edit){ .db = db };
    int r = rule_db_exec(db, "BEGIN IMMEDIATE", error);
    if (r < 0)
        return r;
    r = last_seq(db, &edit->first_seq, error);
    if (r < 0)
        rule_edit_rollback(edit);
    return r;
}

static int set_triggers(struct rule_edit *edit, int on, struct error *error)
{
    if (sqlite3_db_config(rule_db_handle(edit->db), SQLITE_DBCONFIG_ENABLE_TRIGGER, on, NULL) == SQLITE_OK)
        return 0;
    return error_set(error, -EIO, "the triggers of the database cannot be turned %s", on ? "on" : "off");
}

int rule_edit_expect(struct rule_edit *edit, int64_t n, struct error *error)
{
    if (n <= RULE_LOG_KEPT)
        return 0;
    edit->unlogged = n - RULE_LOG_KEPT;
    return set_triggers(edit, 0, error);
}

/* The log goes on as if it had seen them all. */
static int log_again(struct rule_edit *edit, struct error *error)
{
    static const char update[] = "UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'rule_change'",
                      insert[] = "INSERT INTO sqlite_sequence (name, seq) SELECT 'rule_change', ?1"
                                 " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'rule_change')";
    const struct bound seq = number_value(edit->first_seq + edit->n_unlogged);
    edit->unlogged = 0;
    int r = run_once(edit->db, insert, &seq, 1, rule_change, error);
    if (r == 0)
        r = run_once(edit->db, update, &seq, 1, rule_change, error);
    return r < 0 ? r : set_triggers(edit, 1, error);
}

/* Before each change. */
static int count_change(struct rule_edit *edit, struct error *error)
{
    if (edit->unlogged == 0)
        return 0;
    if (edit->n_unlogged == edit->unlogged)
        return log_again(edit, error);
    edit->n_unlogged++;
    return 0;
}

int rule_edit_commit(struct rule_edit *edit, const char *by, struct error *error)
{
    static const char sign[] = "UPDATE rule_change SET \"by\" = ?1, at = unixepoch() WHERE seq > ?2";
    const struct bound values[] = { text_value(by), number_value(edit->first_seq) };
    int r = edit->unlogged > 0 ? log_again(edit, error) : 0; /* fewer changes came than expected */
    if (r == 0)
        r = run_once(edit->db, sign, values, 2, rule_change, error);
    if (r == 0)
        r = rule_db_exec(edit->db, "COMMIT", error);
    rule_edit_rollback(edit); /* of which nothing is left to be rolled back after a commit */
    return r;
}

int rule_edit_range(struct rule_edit *edit, int64_t *first, int64_t *last, struct error *error)
{
    *first = edit->first_seq + 1;
    return last_seq(edit->db, last, error);
}

void rule_edit_rollback(struct rule_edit *edit)
{
    for (int s = 0; s < EDIT_STATEMENTS; s++) {
        for (int t = 0; t < RULE_TABLE_COUNT; t++) {
            (void)sqlite3_finalize(edit->statements[s][t]);
            edit->statements[s][t] = NULL;
        }
    }
    if (sqlite3_get_autocommit(rule_db_handle(edit->db)) == 0)
        (void)sqlite3_exec(rule_db_handle(edit->db), "ROLLBACK", NULL, NULL, NULL);
    if (edit->unlogged > 0)
        (void)set_triggers(edit, 1, NULL);
    edit->unlogged = 0;
}

static const char *column_text(sqlite3_stmt *stmt, int column)
{
    return (const char *)sqlite3_column_text(stmt, column);
}

void rule_edit_read(sqlite3_stmt *stmt, struct stored_row *row)
{
    *row = (struct stored_row){
        .rowid = sqlite3_column_int64(stmt, 0),
        .key = column_text(stmt, 1),
        .client = column_text(stmt, 2),
        .value = column_text(stmt, 3),
        .note = column_text(stmt, 4),
        .created = sqlite3_column_int64(stmt, 5),
        .has_expiry = sqlite3_column_type(stmt, 6) != SQLITE_NULL,
        .expires = sqlite3_column_int64(stmt, 6),
    };
    row->key_n = (size_t)sqlite3_column_bytes(stmt, 1);
    row->client_n = (size_t)sqlite3_column_bytes(stmt, 2);
    row->value_n = (size_t)sqlite3_column_bytes(stmt, 3);
}

static struct str text_of(const char *text, size_t n)
{
    return text ? str_make(text, n) : str_of(NULL);
}

struct rule_row stored_row_as_rule(const struct stored_row *row, enum rule_table table)
{
    struct rule_row rule = {
        .table = table,
        .key = text_of(row->key, row->key_n),
        .client = text_of(row->client, row->client_n),
        .value = text_of(row->value, row->value_n),
        .expires_at = row->has_expiry ? row->expires : RULE_NEVER_EXPIRES,
    };
    if (row->has_expiry && row->expires == RULE_NEVER_EXPIRES)
        rule.expires_at = 1; /* 1970, one second off */
    return rule;
}

void rule_edit_select(enum rule_table table, char sql[RULE_EDIT_SELECT_BYTES])
{
    const struct rule_table_info *info = &rule_tables[table];
    (void)snprintf(sql, RULE_EDIT_SELECT_BYTES, "SELECT rowid, %s, %s, %s, %s FROM %s", info->key,
                   info->client ? info->client : "''", info->value ? info->value : "NULL",
                   table == RULE_SETTING ? "NULL, 0, NULL" : "note, created, expires", info->name);
}

/* Of the rows that the condition leaves, where one is given with its two texts. */
static sqlite3_stmt *select_rows(struct rule_db *db, enum rule_table table, const char *from, const char *below)
{
    const struct rule_table_info *info = &rule_tables[table];
    char sql[RULE_EDIT_SELECT_BYTES + 128];
    rule_edit_select(table, sql);
    size_t n = strlen(sql);
    sqlite3_stmt *stmt = NULL;
    if (from)
        n += (size_t)snprintf(sql + n, sizeof sql - n, " WHERE %s >= ?1 AND %s < ?2", info->key, info->key);
    (void)snprintf(sql + n, sizeof sql - n, " ORDER BY %s", info->key);
    int code = sqlite3_prepare_v2(rule_db_handle(db), sql, -1, &stmt, NULL);
    if (code == SQLITE_OK && from)
        code = sqlite3_bind_text(stmt, 1, from, -1, SQLITE_TRANSIENT);
    if (code == SQLITE_OK && from)
        code = sqlite3_bind_text(stmt, 2, below, -1, SQLITE_TRANSIENT);
    if (code == SQLITE_OK)
        return stmt;
    (void)sqlite3_finalize(stmt);
    return NULL;
}

static int walk(struct rule_db *db, enum rule_table table, const char *from, const char *below, rule_edit_visit *visit,
                void *context, struct error *error)
{
    sqlite3_stmt *stmt = select_rows(db, table, from, below);
    int r = 0, code = stmt ? sqlite3_step(stmt) : SQLITE_ERROR;
    for (; code == SQLITE_ROW && r == 0; code = r == 0 ? sqlite3_step(stmt) : code) {
        struct stored_row row;
        rule_edit_read(stmt, &row);
        if (row.key && row.client)
            r = visit(context, &row);
        else
            r = rule_db_fail(db, rule_tables[table].name, error);
    }
    if (r == 0 && code != SQLITE_DONE)
        r = rule_db_fail(db, rule_tables[table].name, error);
    (void)sqlite3_finalize(stmt);
    return r;
}

int rule_edit_walk(struct rule_db *db, enum rule_table table, rule_edit_visit *visit, void *context,
                   struct error *error)
{
    return walk(db, table, NULL, NULL, visit, context, error);
}

int rule_edit_walk_prefix(struct rule_db *db, enum rule_table table, const char *prefix, rule_edit_visit *visit,
                          void *context, struct error *error)
{
    static const char last_character[] = "\xf4\x8f\xbf\xbf";
    size_t n = strlen(prefix);
    char *below = malloc(n + sizeof last_character);
    if (!below)
        return error_set(error, -ENOMEM, "out of memory");
    memcpy(below, prefix, n);
    memcpy(below + n, last_character, sizeof last_character);
    int r = walk(db, table, prefix, below, visit, context, error);
    free(below);
    return r;
}

/* Changes. */

static int change(struct rule_edit *edit, enum rule_edit_statement which, enum rule_table table, const char *sql,
                  const struct bound *values, int n, const char *what, struct error *error)
{
    sqlite3_stmt **stmt = &edit->statements[which][table];
    int r = count_change(edit, error);
    if (r < 0)
        return r;
    return prepare(edit->db, sql, stmt) == SQLITE_OK ? run(edit->db, *stmt, values, n, what, error)
                                                     : rule_db_fail(edit->db, what, error);
}

int rule_edit_insert(struct rule_edit *edit, const struct new_row *row, struct error *error)
{
    const struct rule_table_info *info = &rule_tables[row->table];
    const struct bound values[MAX_BOUND] = {
        text_value(row->key),     text_value(row->note),  time_value(row->expires),
        time_value(row->created), text_value(row->value), text_value(row->client)
    };
    char sql[256];
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO %s (%s, note, expires, created%s%s%s%s)"
                   " VALUES (?1, ?2, ?3, ifnull(?4, unixepoch())%s%s)",
                   info->name, info->key, info->value ? ", " : "", info->value ? info->value : "",
                   info->client ? ", " : "", info->client ? info->client : "", info->value ? ", ?5" : "",
                   info->client ? ", ?6" : "");
    int n = info->client ? 6 : info->value ? 5 : 4;
    return change(edit, EDIT_INSERT, row->table, sql, values, n, row->key, error);
}

int rule_edit_update(struct rule_edit *edit, int64_t rowid, const struct new_row *row, struct error *error)
{
    const struct rule_table_info *info = &rule_tables[row->table];
    const struct bound values[] = { text_value(row->note), time_value(row->expires), number_value(rowid),
                                    text_value(row->value) };
    char sql[160];
    (void)snprintf(sql, sizeof sql, "UPDATE %s SET note = ?1, expires = ?2%s%s%s WHERE rowid = ?3", info->name,
                   info->value ? ", " : "", info->value ? info->value : "", info->value ? " = ?4" : "");
    return change(edit, EDIT_UPDATE, row->table, sql, values, info->value ? 4 : 3, row->key, error);
}

int rule_edit_delete(struct rule_edit *edit, enum rule_table table, int64_t rowid, struct error *error)
{
    char sql[128];
    const struct bound values[] = { number_value(rowid) };
    (void)snprintf(sql, sizeof sql, "DELETE FROM %s WHERE rowid = ?1", rule_tables[table].name);
    return change(edit, EDIT_DELETE, table, sql, values, 1, rule_tables[table].name, error);
}

int rule_edit_prune(struct rule_edit *edit, enum rule_table table, const char *value, int64_t expired_by, int64_t *n,
                    struct error *error)
{
    const struct rule_table_info *info = &rule_tables[table];
    char sql[160];
    const struct bound values[] = { number_value(expired_by), text_value(value) };
    size_t used = (size_t)snprintf(sql, sizeof sql, "DELETE FROM %s WHERE expires <= ?1", info->name);
    if (value)
        (void)snprintf(sql + used, sizeof sql - used, " AND %s = ?2", info->value);
    int r = run_once(edit->db, sql, values, value ? 2 : 1, info->name, error);
    if (r == 0)
        *n += sqlite3_changes64(rule_db_handle(edit->db));
    return r;
}

int rule_edit_set(struct rule_edit *edit, const char *name, const char *value, struct error *error)
{
    const struct bound values[] = { text_value(name), text_value(value) };
    return run_once(edit->db,
                    "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
                    values, 2, name, error);
}
