#include "store/rule_fetch.h"

#include <errno.h>
#include <string.h>

int rule_fetch_row(struct rule_fetch *fetch, enum rule_table table, int64_t rowid, struct stored_row *row,
                   struct error *error)
{
    sqlite3_stmt **stmt = &fetch->statements[table];
    char sql[RULE_EDIT_SELECT_BYTES + 32];
    int code = SQLITE_OK;
    if (!*stmt) {
        rule_edit_select(table, sql);
        code = sqlite3_prepare_v2(rule_db_handle(fetch->db), strcat(sql, " WHERE rowid = ?1"), -1, stmt, NULL);
    }
    (void)sqlite3_reset(*stmt);
    if (code == SQLITE_OK)
        code = sqlite3_bind_int64(*stmt, 1, rowid);
    if (code == SQLITE_OK)
        code = sqlite3_step(*stmt);
    if (code == SQLITE_DONE)
        return error_set(error, -ENOENT, "%s: row %lld is not there", rule_tables[table].name, (long long)rowid);
    if (code == SQLITE_ROW)
        rule_edit_read(*stmt, row);
    return code == SQLITE_ROW && row->key && row->client ? 0 : rule_db_fail(fetch->db, rule_tables[table].name, error);
}

void rule_fetch_fini(struct rule_fetch *fetch)
{
    for (int t = 0; t < RULE_TABLE_COUNT; t++) {
        (void)sqlite3_finalize(fetch->statements[t]);
        fetch->statements[t] = NULL;
    }
}
