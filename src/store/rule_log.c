#include "store/rule_log.h"

#include <errno.h>
#include <stdlib.h>

enum { COLUMN_SEQ, COLUMN_AT, COLUMN_BY, COLUMN_KIND, COLUMN_KEY, COLUMN_OP, COLUMN_OLD, ROW_COLUMNS = 7 };
enum { COLUMN_NEW = COLUMN_OLD + ROW_COLUMNS };

/* The columns of one side; what is no JSON has none. */
static void append_row(sqlite3_str *sql, const char *side)
{
    sqlite3_str_appendf(sql,
                        ", c.%s, json_extract(c.%s_row, t.key), json_extract(c.%s_row, t.client),"
                        " json_extract(c.%s_row, t.value), json_extract(c.%s_row, '$.note'),"
                        " json_extract(c.%s_row, '$.created'), json_extract(c.%s_row, '$.expires')",
                        side, side, side, side, side, side, side);
}

/* Where in the JSON the columns of each table are. */
static void append_tables(sqlite3_str *sql)
{
    for (int t = 0; t < RULE_TABLE_COUNT; t++) {
        const struct rule_table_info *info = &rule_tables[t];
        char *client = info->client ? sqlite3_mprintf("$.%s", info->client) : NULL;
        char *value = info->value ? sqlite3_mprintf("$.%s", info->value) : NULL;
        sqlite3_str_appendf(sql, "%s(%Q, '$.%s', %Q, %Q)", t ? ", " : "", info->name, info->key, client, value);
        sqlite3_free(client);
        sqlite3_free(value);
    }
}

/* The caller frees it with sqlite3_free; NULL where memory is short. */
static char *make_sql(sqlite3 *sqlite, const struct rule_log_part *part)
{
    sqlite3_str *sql = sqlite3_str_new(sqlite);
    sqlite3_str_appendall(sql, "WITH t(kind, key, client, value) AS (VALUES ");
    append_tables(sql);
    sqlite3_str_appendall(sql, ") SELECT c.seq, c.at, c.\"by\", c.kind, c.key, c.op");
    append_row(sql, "old");
    append_row(sql, "new");
    sqlite3_str_appendf(sql,
                        " FROM (SELECT *, iif(json_valid(old), old, NULL) AS old_row,"
                        " iif(json_valid(new), new, NULL) AS new_row FROM %s WHERE seq BETWEEN ?1 AND ?2) AS c"
                        " LEFT JOIN t USING (kind) ORDER BY c.seq%s",
                        part->table, part->newest_first ? " DESC" : "");
    return sqlite3_str_finish(sql);
}

/* NULL where the column is. */
static const char *text_of(sqlite3_stmt *stmt, int column)
{
    return (const char *)sqlite3_column_text(stmt, column);
}

static const char *text_or_empty(sqlite3_stmt *stmt, int column)
{
    const char *text = text_of(stmt, column);
    return text ? text : "";
}

static void read_side(sqlite3_stmt *stmt, int first, struct logged_row *side)
{
    side->there = sqlite3_column_type(stmt, first) != SQLITE_NULL;
    side->json = str_make(text_or_empty(stmt, first), (size_t)sqlite3_column_bytes(stmt, first));
    side->sound = sqlite3_column_type(stmt, first + 1) == SQLITE_TEXT;
    side->row = (struct stored_row){
        .key = text_or_empty(stmt, first + 1),
        .client = text_or_empty(stmt, first + 2),
        .value = text_of(stmt, first + 3),
        .note = text_of(stmt, first + 4),
        .created = sqlite3_column_int64(stmt, first + 5),
        .has_expiry = sqlite3_column_type(stmt, first + 6) != SQLITE_NULL,
        .expires = sqlite3_column_int64(stmt, first + 6),
    };
}

static enum rule_table table_of(const char *kind)
{
    int t = 0;
    while (t < RULE_TABLE_COUNT && strcmp(rule_tables[t].name, kind) != 0)
        t++;
    return (enum rule_table)t;
}

/* Each op has the sides that it must have. */
static bool is_sound(const struct logged_change *change)
{
    bool had = strcmp(change->op, "insert") != 0, has = strcmp(change->op, "delete") != 0;
    return change->table != RULE_TABLE_COUNT && change->old.there == had && change->new.there == has &&
           (!had || change->old.sound) && (!has || change->new.sound) &&
           (!had || !has || strcmp(change->op, "update") == 0);
}

static void read_change(sqlite3_stmt *stmt, struct logged_change *change)
{
    change->seq = sqlite3_column_int64(stmt, COLUMN_SEQ);
    change->at = sqlite3_column_int64(stmt, COLUMN_AT);
    change->by = text_of(stmt, COLUMN_BY);
    change->kind = text_or_empty(stmt, COLUMN_KIND);
    change->key = text_or_empty(stmt, COLUMN_KEY);
    change->op = text_or_empty(stmt, COLUMN_OP);
    change->table = table_of(change->kind);
    read_side(stmt, COLUMN_OLD, &change->old);
    read_side(stmt, COLUMN_NEW, &change->new);
    change->sound = is_sound(change);
}

int rule_log_walk(struct rule_db *db, const struct rule_log_part *part, rule_log_visit *visit, void *context,
                  struct error *error)
{
    sqlite3 *sqlite = rule_db_handle(db);
    sqlite3_stmt *stmt = NULL;
    char *sql = make_sql(sqlite, part);
    if (!sql)
        return error_set(error, -ENOMEM, "out of memory");
    int r = 0, code = sqlite3_prepare_v2(sqlite, sql, -1, &stmt, NULL);
    sqlite3_free(sql);
    if (code == SQLITE_OK)
        code = sqlite3_bind_int64(stmt, 1, part->first);
    if (code == SQLITE_OK)
        code = sqlite3_bind_int64(stmt, 2, part->last);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    for (; code == SQLITE_ROW && r == 0; code = r == 0 ? sqlite3_step(stmt) : code) {
        struct logged_change change;
        read_change(stmt, &change);
        r = visit(context, &change);
    }
    if (r == 0 && code != SQLITE_DONE)
        r = rule_db_fail(db, "the log of changes", error);
    (void)sqlite3_finalize(stmt);
    return r;
}
