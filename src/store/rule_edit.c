#include "store/rule_edit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Runs a statement that returns nothing, with up to 5 bound values. */
enum { MAX_BOUND = 5 };

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

static struct bound expiry_value(int64_t expires)
{
    return expires == RULE_NEVER_EXPIRES ? text_value(NULL) : number_value(expires);
}

static int run(struct rule_db *db, const char *sql, const struct bound *values, int n, const char *what,
               struct error *error)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(rule_db_handle(db), sql, -1, &stmt, NULL);
    for (int i = 0; i < n && code == SQLITE_OK; i++)
        code = values[i].is_number ? sqlite3_bind_int64(stmt, i + 1, values[i].number)
                                   : sqlite3_bind_text(stmt, i + 1, values[i].text, -1, SQLITE_TRANSIENT);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    int r = code == SQLITE_DONE || code == SQLITE_ROW ? 0 : rule_db_fail(db, what, error);
    (void)sqlite3_finalize(stmt);
    return r;
}

int rule_edit_begin(struct rule_edit *edit, struct rule_db *db, struct error *error)
{
    sqlite3_stmt *stmt = NULL;
    *edit = (struct rule_edit){ .db = db };
    int r = rule_db_exec(db, "BEGIN IMMEDIATE", error);
    if (r < 0)
        return r;
    if (sqlite3_prepare_v2(rule_db_handle(db), "SELECT ifnull(max(seq), 0) FROM rule_change", -1, &stmt, NULL) ==
            SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        edit->first_seq = sqlite3_column_int64(stmt, 0);
    else
        r = rule_db_fail(db, "rule_change", error);
    (void)sqlite3_finalize(stmt);
    if (r < 0)
        rule_edit_rollback(edit);
    return r;
}

int rule_edit_commit(struct rule_edit *edit, const char *by, struct error *error)
{
    const struct bound values[] = { text_value(by), number_value(edit->first_seq) };
    int r = run(edit->db, "UPDATE rule_change SET \"by\" = ?1, at = unixepoch() WHERE seq > ?2", values, 2,
                "rule_change", error);
    if (r == 0)
        r = rule_db_exec(edit->db, "COMMIT", error);
    if (r < 0)
        rule_edit_rollback(edit);
    return r;
}

void rule_edit_rollback(struct rule_edit *edit)
{
    if (sqlite3_get_autocommit(rule_db_handle(edit->db)) == 0)
        (void)sqlite3_exec(rule_db_handle(edit->db), "ROLLBACK", NULL, NULL, NULL);
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

int rule_edit_walk(struct rule_db *db, enum rule_table table, rule_edit_visit *visit, void *context,
                   struct error *error)
{
    const struct rule_table_info *info = &rule_tables[table];
    char sql[RULE_EDIT_SELECT_BYTES + 32];
    rule_edit_select(table, sql);
    (void)strcat(strcat(sql, " ORDER BY "), info->key);
    sqlite3_stmt *stmt = NULL;
    int r = 0, code = sqlite3_prepare_v2(rule_db_handle(db), sql, -1, &stmt, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    for (; code == SQLITE_ROW && r == 0; code = r == 0 ? sqlite3_step(stmt) : code) {
        struct stored_row row;
        rule_edit_read(stmt, &row);
        if (row.key && row.client)
            r = visit(context, &row);
        else
            r = rule_db_fail(db, info->name, error);
    }
    if (r == 0 && code != SQLITE_DONE)
        r = rule_db_fail(db, info->name, error);
    (void)sqlite3_finalize(stmt);
    return r;
}

int rule_edit_insert(struct rule_edit *edit, const struct new_row *row, struct error *error)
{
    const struct rule_table_info *info = &rule_tables[row->table];
    char sql[256];
    struct bound values[MAX_BOUND] = { text_value(row->key), text_value(row->note), expiry_value(row->expires) };
    int n = 3;
    size_t used = (size_t)snprintf(sql, sizeof sql, "INSERT INTO %s (%s, note, expires", info->name, info->key);
    if (info->client) {
        used += (size_t)snprintf(sql + used, sizeof sql - used, ", %s", info->client);
        values[n++] = text_value(row->client);
    }
    if (info->value) {
        used += (size_t)snprintf(sql + used, sizeof sql - used, ", %s", info->value);
        values[n++] = text_value(row->value);
    }
    (void)snprintf(sql + used, sizeof sql - used, ") VALUES (?1, ?2, ?3%s%s)", n > 3 ? ", ?4" : "",
                   n > 4 ? ", ?5" : "");
    return run(edit->db, sql, values, n, row->key, error);
}

int rule_edit_renew(struct rule_edit *edit, int64_t rowid, const struct new_row *row, struct error *error)
{
    char sql[128];
    const struct bound values[] = { text_value(row->note), expiry_value(row->expires), number_value(rowid) };
    (void)snprintf(sql, sizeof sql, "UPDATE %s SET note = ?1, expires = ?2 WHERE rowid = ?3",
                   rule_tables[row->table].name);
    return run(edit->db, sql, values, 3, row->key, error);
}

int rule_edit_delete(struct rule_edit *edit, enum rule_table table, int64_t rowid, struct error *error)
{
    char sql[128];
    const struct bound values[] = { number_value(rowid) };
    (void)snprintf(sql, sizeof sql, "DELETE FROM %s WHERE rowid = ?1", rule_tables[table].name);
    return run(edit->db, sql, values, 1, rule_tables[table].name, error);
}

int rule_edit_set(struct rule_edit *edit, const char *name, const char *value, struct error *error)
{
    const struct bound values[] = { text_value(name), text_value(value) };
    return run(edit->db,
               "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2", values,
               2, name, error);
}
