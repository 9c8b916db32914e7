#include "store/rule_diff.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Key and client of a row with a NUL between. */
enum { ROW_BYTES = RULE_TEXT_BYTES + 1 + BLOCK_TEXT_SIZE };

struct difference {
    enum rule_difference what;
    size_t value_n;
    char value[];
};

void rule_diff_fini(struct rule_diff *diff)
{
    key_map_fini(&diff->rows, free);
}

/* Empty where it is longer than that of any rule. */
static struct str row_name(char text[ROW_BYTES], struct str key, struct str client)
{
    int n = snprintf(text, ROW_BYTES, "%.*s%c%.*s", STR_ARGS(key), '\0', STR_ARGS(client));
    return str_make(text, n > 0 && n < ROW_BYTES ? (size_t)n : 0);
}

static struct str column(sqlite3_stmt *stmt, int i)
{
    const char *text = (const char *)sqlite3_column_text(stmt, i);
    return str_make(text ? text : "", (size_t)sqlite3_column_bytes(stmt, i));
}

static int note_row(struct rule_diff *diff, enum rule_table table, sqlite3_stmt *stmt, enum rule_difference what)
{
    char text[ROW_BYTES];
    struct str name = row_name(text, column(stmt, 0), column(stmt, 1)), value = column(stmt, 2);
    if (name.n == 0)
        return 0;
    void **place = key_map_put(&diff->rows, (char)table, name);
    struct difference *difference = malloc(sizeof *difference + value.n);
    if (!place || !difference) {
        free(difference);
        return -ENOMEM;
    }
    *difference = (struct difference){ what, value.n };
    if (value.n > 0)
        memcpy(difference->value, value.p, value.n);
    free(*place);
    *place = difference;
    return 0;
}

enum { COLUMN_BYTES = 32 };

static const char *column_of(char text[COLUMN_BYTES], const char *side, const char *column)
{
    if (!column)
        return "NULL";
    (void)snprintf(text, COLUMN_BYTES, "%s.%s", side, column);
    return text;
}

/* The rows of one side, a, that the other, b, has not or has otherwise: key, client, value, and whether b has the key.
 */
static sqlite3_stmt *prepare(struct rule_db *db, enum rule_table table, bool is_after)
{
    const struct rule_table_info *info = &rule_tables[table];
    char texts[4][COLUMN_BYTES], sql[512];
    const char *client_a = column_of(texts[0], "a", info->client), *client_b = column_of(texts[1], "b", info->client);
    const char *value_a = column_of(texts[2], "a", info->value), *value_b = column_of(texts[3], "b", info->value);
    sqlite3_stmt *stmt = NULL;
    (void)snprintf(
        sql, sizeof sql,
        "SELECT a.%s, %s, %s, b.%s IS NOT NULL FROM %s.%s AS a LEFT JOIN %s.%s AS b ON b.%s = a.%s AND %s IS %s "
        "WHERE b.%s IS NULL OR %s IS NOT %s OR a.expires IS NOT b.expires",
        info->key, client_a, value_a, info->key, is_after ? "other" : "main", info->name, is_after ? "main" : "other",
        info->name, info->key, info->key, client_b, client_a, info->key, value_a, value_b);
    (void)sqlite3_prepare_v2(rule_db_handle(db), sql, -1, &stmt, NULL);
    return stmt;
}

static int read_rows(struct rule_diff *diff, struct rule_db *db, enum rule_table table, bool is_after,
                     struct error *error)
{
    sqlite3_stmt *stmt = prepare(db, table, is_after);
    int r = 0, code = stmt ? sqlite3_step(stmt) : SQLITE_ERROR;
    for (; code == SQLITE_ROW && r == 0; code = r == 0 ? sqlite3_step(stmt) : code) {
        bool is_in_both = sqlite3_column_int(stmt, 3) != 0;
        r = note_row(diff, table, stmt, is_in_both ? RULE_IS_CHANGED : is_after ? RULE_IS_ADDED : RULE_IS_REMOVED);
    }
    if (r < 0)
        error_set(error, r, "out of memory");
    else if (code != SQLITE_DONE)
        r = rule_db_fail(db, rule_tables[table].name, error);
    (void)sqlite3_finalize(stmt);
    return r;
}

static int attach(struct rule_db *db, const char *path, struct error *error)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(rule_db_handle(db), "ATTACH DATABASE ?1 AS other", -1, &stmt, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_text(stmt, 1, path, -1, SQLITE_STATIC);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    int r = code == SQLITE_DONE ? 0 : rule_db_fail(db, path, error);
    (void)sqlite3_finalize(stmt);
    return r;
}

int rule_diff_read(struct rule_diff *diff, struct rule_db *before, const char *after, struct error *error)
{
    *diff = (struct rule_diff){ 0 };
    int r = attach(before, after, error);
    if (r < 0)
        return r;
    for (int table = RULE_SETTING + 1; table < RULE_TABLE_COUNT && r == 0; table++) {
        r = read_rows(diff, before, (enum rule_table)table, false, error);
        if (r == 0)
            r = read_rows(diff, before, (enum rule_table)table, true, error);
    }
    int detached = rule_db_exec(before, "DETACH DATABASE other", r == 0 ? error : NULL);
    return r < 0 ? r : detached;
}

enum rule_difference rule_diff_of(const struct rule_diff *diff, const struct rule *rule)
{
    char text[ROW_BYTES], key[RULE_TEXT_BYTES], client[BLOCK_TEXT_SIZE];
    if (diff->rows.used == 0)
        return RULE_IS_SAME;
    struct str name = row_name(text, rule_key_text(rule, key), rule_client_text(rule, client));
    const struct difference *difference = key_map_get(&diff->rows, (char)rule_table(rule), name);
    return difference ? difference->what : RULE_IS_SAME;
}

bool rule_diff_single(const struct rule_diff *diff, struct rule_diff_row *row)
{
    size_t at = 0;
    char table;
    struct str name;
    void *value;
    if (diff->rows.used != 1 || !key_map_next(&diff->rows, &at, &table, &name, &value))
        return false;
    const struct difference *difference = value;
    size_t key_n = str_find(name, '\0');
    *row = (struct rule_diff_row){ (enum rule_table)table, str_first(name, key_n), str_from(name, key_n + 1),
                                   str_make(difference->value, difference->value_n), difference->what };
    return true;
}
