#include "store/rule_undo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAKEN_TABLE "temp.rule_undone"

const struct rule_log_part rule_undo_taken = { TAKEN_TABLE, INT64_MIN, INT64_MAX, true };

enum undo_statement { UNDO_LOOK, UNDO_INSERT, UNDO_UPDATE, UNDO_DELETE, UNDO_STATEMENTS };

struct rule_undo {
    struct rule_edit *edit;
    sqlite3_stmt *statements[RULE_TABLE_COUNT][UNDO_STATEMENTS]; /* NULL until they are needed */
};

static int fail(const struct rule_undo *undo, const char *what, struct error *error)
{
    return rule_db_fail(undo->edit->db, what, error);
}

int rule_undo_open(struct rule_undo **out, struct rule_edit *edit, struct error *error)
{
    *out = NULL;
    struct rule_undo *undo = calloc(1, sizeof *undo);
    if (!undo)
        return error_set(error, -ENOMEM, "out of memory");
    undo->edit = edit;
    int r = rule_db_exec(edit->db,
                         "CREATE TEMP TABLE IF NOT EXISTS rule_undone"
                         " (seq INTEGER PRIMARY KEY, at, \"by\", kind, key, op, old, new);"
                         "DELETE FROM " TAKEN_TABLE,
                         error);
    if (r < 0)
        rule_undo_close(undo);
    else
        *out = undo;
    return r;
}

void rule_undo_close(struct rule_undo *undo)
{
    if (!undo)
        return;
    for (int t = 0; t < RULE_TABLE_COUNT; t++)
        for (int i = 0; i < UNDO_STATEMENTS; i++)
            (void)sqlite3_finalize(undo->statements[t][i]);
    free(undo);
}

/* Taking. */

/* Prepares a statement and binds up to two numbers. The caller finalizes *stmt, after a failure too. */
static int prepare_numbers(struct rule_undo *undo, const char *sql, int64_t first, int64_t second, sqlite3_stmt **stmt,
                           struct error *error)
{
    int code = sqlite3_prepare_v2(rule_db_handle(undo->edit->db), sql, -1, stmt, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_int64(*stmt, 1, first);
    if (code == SQLITE_OK && sqlite3_bind_parameter_count(*stmt) > 1)
        code = sqlite3_bind_int64(*stmt, 2, second);
    return code == SQLITE_OK ? 0 : fail(undo, "the log of changes", error);
}

int rule_undo_find_ends(struct rule_undo *undo, int64_t *oldest, int64_t *newest, struct error *error)
{
    sqlite3_stmt *stmt = NULL;
    int r = prepare_numbers(undo, "SELECT ifnull(min(seq), 0), ifnull(max(seq), 0) FROM rule_change WHERE seq <= ?1",
                            undo->edit->first_seq, 0, &stmt, error);
    if (r == 0 && sqlite3_step(stmt) != SQLITE_ROW)
        r = fail(undo, "the log of changes", error);
    if (r == 0) {
        *oldest = sqlite3_column_int64(stmt, 0);
        *newest = sqlite3_column_int64(stmt, 1);
    }
    (void)sqlite3_finalize(stmt);
    return r;
}

int rule_undo_take(struct rule_undo *undo, int64_t first, int64_t last, int64_t *n, struct error *error)
{
    sqlite3_stmt *stmt = NULL;
    int r = prepare_numbers(undo,
                            "INSERT OR IGNORE INTO " TAKEN_TABLE
                            " SELECT seq, at, \"by\", kind, key, op, old, new FROM main.rule_change"
                            " WHERE seq BETWEEN ?1 AND ?2",
                            first, last, &stmt, error);
    if (r == 0 && sqlite3_step(stmt) != SQLITE_DONE)
        r = fail(undo, "the log of changes", error);
    if (r == 0)
        *n += sqlite3_changes64(rule_db_handle(undo->edit->db));
    (void)sqlite3_finalize(stmt);
    return r;
}

/* Statements: ?1 is the JSON that tells which row, ?2 the one that tells what is in it. */

enum { MAX_COLUMNS = 6 };

static int columns_of(enum rule_table table, const char *columns[MAX_COLUMNS])
{
    const struct rule_table_info *info = &rule_tables[table];
    int n = 0;
    columns[n++] = info->key;
    if (info->client)
        columns[n++] = info->client;
    if (info->value)
        columns[n++] = info->value;
    if (table != RULE_SETTING) {
        columns[n++] = "note";
        columns[n++] = "created";
        columns[n++] = "expires";
    }
    return n;
}

/* Appends a term for each of the columns; the format takes the name of the column, up to twice. */
static void append_terms(sqlite3_str *sql, const char *const *columns, int n, const char *format, const char *between)
{
    for (int i = 0; i < n; i++) {
        sqlite3_str_appendall(sql, i ? between : "");
        sqlite3_str_appendf(sql, format, columns[i], columns[i]);
    }
}

static void append_statement(sqlite3_str *sql, enum rule_table table, enum undo_statement which)
{
    const struct rule_table_info *info = &rule_tables[table];
    const char *columns[MAX_COLUMNS];
    int n = columns_of(table, columns), n_key = info->client ? 2 : 1;
    switch (which) {
    case UNDO_LOOK: /* whether the row is as the JSON says; no row where there is none */
        sqlite3_str_appendall(sql, "SELECT ");
        append_terms(sql, columns, n, "%s IS json_extract(?2, '$.%s')", " AND ");
        sqlite3_str_appendf(sql, " FROM %s", info->name);
        break;
    case UNDO_INSERT:
        sqlite3_str_appendf(sql, "INSERT INTO %s (", info->name);
        append_terms(sql, columns, n, "%s", ", ");
        sqlite3_str_appendall(sql, ") VALUES (");
        append_terms(sql, columns, n, "json_extract(?2, '$.%s')", ", ");
        sqlite3_str_appendall(sql, ")");
        return;
    case UNDO_UPDATE:
        sqlite3_str_appendf(sql, "UPDATE %s SET ", info->name);
        append_terms(sql, columns, n, "%s = json_extract(?2, '$.%s')", ", ");
        break;
    case UNDO_DELETE:
    default:
        sqlite3_str_appendf(sql, "DELETE FROM %s", info->name);
        break;
    }
    sqlite3_str_appendall(sql, " WHERE ");
    append_terms(sql, columns, n_key, "%s = json_extract(?1, '$.%s')", " AND ");
}

static int prepare(struct rule_undo *undo, enum rule_table table, enum undo_statement which, struct error *error)
{
    sqlite3 *sqlite = rule_db_handle(undo->edit->db);
    sqlite3_str *str = sqlite3_str_new(sqlite);
    append_statement(str, table, which);
    char *sql = sqlite3_str_finish(str);
    if (!sql)
        return error_set(error, -ENOMEM, "out of memory");
    int code = sqlite3_prepare_v3(sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &undo->statements[table][which], NULL);
    sqlite3_free(sql);
    return code == SQLITE_OK ? 0 : fail(undo, rule_tables[table].name, error);
}

/* Runs one of the statements. *seen gets the number in its row, or -1 where it has none; it may be NULL. */
static int run(struct rule_undo *undo, enum rule_table table, enum undo_statement which, const struct logged_row *row,
               const struct logged_row *content, int *seen, struct error *error)
{
    if (!undo->statements[table][which]) {
        int r = prepare(undo, table, which, error);
        if (r < 0)
            return r;
    }
    sqlite3_stmt *stmt = undo->statements[table][which];
    const struct str texts[] = { row->json, content->json };
    int r = 0, code = SQLITE_OK;
    for (int i = 0; i < sqlite3_bind_parameter_count(stmt) && code == SQLITE_OK; i++)
        code = sqlite3_bind_text64(stmt, i + 1, texts[i].p, texts[i].n, SQLITE_STATIC, SQLITE_UTF8);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        r = fail(undo, rule_tables[table].name, error);
    else if (seen)
        *seen = code == SQLITE_ROW ? sqlite3_column_int(stmt, 0) : -1;
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    return r;
}

/* Undoing. */

static bool has_moved(const struct logged_change *change)
{
    const struct stored_row *old = &change->old.row, *new = &change->new.row;
    return !change->new.there || strcmp(old->key, new->key) != 0 || strcmp(old->client, new->client) != 0;
}

/* Whether the row is as the change left it, and the place is free where it was before. */
static int look(struct rule_undo *undo, const struct logged_change *change, enum rule_undo_outcome *outcome,
                struct error *error)
{
    enum { AS_SAID = 1, ABSENT = -1 };
    int seen = AS_SAID, r = 0;
    *outcome = RULE_UNDONE;
    if (change->new.there)
        r = run(undo, change->table, UNDO_LOOK, &change->new, &change->new, &seen, error);
    if (r < 0 || seen != AS_SAID) {
        *outcome = RULE_UNDO_CHANGED;
        return r;
    }
    seen = ABSENT;
    if (change->old.there && has_moved(change))
        r = run(undo, change->table, UNDO_LOOK, &change->old, &change->old, &seen, error);
    if (seen != ABSENT)
        *outcome = RULE_UNDO_OCCUPIED;
    return r;
}

int rule_undo_change(struct rule_undo *undo, const struct logged_change *change, enum rule_undo_outcome *outcome,
                     struct error *error)
{
    *outcome = RULE_UNDO_SENSELESS;
    if (!change->sound)
        return 0;
    int r = look(undo, change, outcome, error);
    if (r < 0 || *outcome != RULE_UNDONE)
        return r;
    enum undo_statement which = !change->new.there ? UNDO_INSERT : change->old.there ? UNDO_UPDATE : UNDO_DELETE;
    return run(undo, change->table, which, &change->new, &change->old, NULL, error);
}

/* What it has opened. */

static void copy_text(sqlite3_stmt *stmt, int column, char *text, size_t size)
{
    const char *from = (const char *)sqlite3_column_text(stmt, column);
    (void)snprintf(text, size, "%s", from ? from : "");
}

int rule_undo_find_opened(struct rule_undo *undo, int64_t now, struct rule_undo_opened *opened, struct error *error)
{
    sqlite3_stmt *stmt = NULL;
    *opened = (struct rule_undo_opened){ .relay_for = "" };
    int r = prepare_numbers(undo,
                            "SELECT (SELECT value FROM setting WHERE name = 'relay_for' AND name IN"
                            "  (SELECT key FROM rule_change WHERE seq > ?1 AND kind = 'setting')),"
                            " count(*), min(sender) FROM accept_entry"
                            " WHERE client = '' AND (expires IS NULL OR expires > ?2) AND sender IN"
                            "  (SELECT key FROM rule_change WHERE seq > ?1 AND kind = 'accept_entry')",
                            undo->edit->first_seq, now, &stmt, error);
    if (r == 0 && sqlite3_step(stmt) != SQLITE_ROW)
        r = fail(undo, "the log of changes", error);
    if (r == 0) {
        copy_text(stmt, 0, opened->relay_for, sizeof opened->relay_for);
        opened->n_senders = sqlite3_column_int64(stmt, 1);
        copy_text(stmt, 2, opened->sender_text, sizeof opened->sender_text);
    }
    (void)sqlite3_finalize(stmt);
    return r;
}
