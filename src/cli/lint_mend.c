#include "cli/lint_mend.h"

#include "console/kind.h"
#include "console/shell_word.h"
#include "core/settings.h"
#include "core/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum { LITERAL_MAX_BYTES = 1000 }; /* a longer key makes no command that anybody would paste */

static struct str key_of(const struct stored_row *row)
{
    return str_make(row->key, row->key_n);
}

static struct str client_of(const struct stored_row *row)
{
    return str_make(row->client, row->client_n);
}

/* Commands for gatepost. */

static void put_gatepost(FILE *out, const struct lint_mend *mend, const char *words)
{
    fputs("gatepost ", out);
    if (!mend->is_usual) {
        fputs("--database ", out);
        shell_word_put(out, str_of(mend->database));
        fputc(' ', out);
    }
    fputs(words, out);
}

static void put_key(FILE *out, struct str key)
{
    fputs(key.n > 0 && key.p[0] == '-' ? " -- " : " ", out);
    shell_word_put(out, key);
}

static void put_set(FILE *out, const struct lint_mend *mend, enum setting setting, struct str value)
{
    put_gatepost(out, mend, "set ");
    fputs(setting_info(setting)->name, out);
    put_key(out, value);
}

static void put_remove(FILE *out, const struct lint_mend *mend, const struct kind *kind, const struct stored_row *row)
{
    put_gatepost(out, mend, "remove ");
    fputs(kind->name, out);
    if ((kind->options & KIND_HAS_CLIENT) != 0) {
        fputs(row->client_n > 0 ? " --client " : " --any-client", out);
        if (row->client_n > 0)
            shell_word_put(out, client_of(row));
    }
    put_key(out, key_of(row));
}

/* Statements for sqlite3. */

static void put_literal(FILE *sql, struct str text)
{
    if (!text_is_harmless(text)) {
        fputs("CAST(x'", sql);
        for (size_t i = 0; i < text.n; i++)
            fprintf(sql, "%02x", (unsigned)(unsigned char)text.p[i]);
        fputs("' AS TEXT)", sql);
        return;
    }
    fputc('\'', sql);
    for (size_t i = 0; i < text.n; i++)
        fprintf(sql, text.p[i] == '\'' ? "%c'" : "%c", text.p[i]);
    fputc('\'', sql);
}

/* A rowid may be another row's after a VACUUM, so the length of what could not be written is compared, too. */
static void put_condition(FILE *sql, const struct stored_row *row, const char *column, struct str text)
{
    if (text.n <= LITERAL_MAX_BYTES) {
        fprintf(sql, "%s = ", column);
        put_literal(sql, text);
    } else {
        fprintf(sql, "rowid = %" PRId64 " AND length(CAST(%s AS BLOB)) = %zu", row->rowid, column, text.n);
    }
}

static void put_where(FILE *sql, enum rule_table table, const struct stored_row *row)
{
    fputs(" WHERE ", sql);
    put_condition(sql, row, rule_tables[table].key, key_of(row));
    if (rule_tables[table].client) {
        fputs(" AND ", sql);
        put_condition(sql, row, rule_tables[table].client, client_of(row));
    }
}

/* Writes the statement that `write` makes as an argument of sqlite3. */
typedef void write_sql(FILE *sql, enum rule_table table, const struct stored_row *row);

static int put_sqlite(FILE *out, const struct lint_mend *mend, write_sql *write, enum rule_table table,
                      const struct stored_row *row)
{
    char *text = NULL;
    size_t n = 0;
    FILE *sql = open_memstream(&text, &n);
    if (!sql)
        return -ENOMEM;
    write(sql, table, row);
    bool failed = ferror(sql) != 0;
    failed = fclose(sql) != 0 || failed;
    if (!failed) {
        fputs("sqlite3 ", out);
        shell_word_put(out, str_of(mend->database));
        fputc(' ', out);
        shell_word_put(out, str_make(text, n));
    }
    free(text);
    return failed ? -ENOMEM : 0;
}

static void write_delete(FILE *sql, enum rule_table table, const struct stored_row *row)
{
    fprintf(sql, "DELETE FROM %s", rule_tables[table].name);
    put_where(sql, table, row);
}

/* Sets the column to the block as gatepost writes it, where it is one. */
static void put_canonical(FILE *sql, const char *before, const char *column, struct str text)
{
    struct block block;
    char canonical[BLOCK_TEXT_SIZE];
    if (text.n == 0 || block_parse(text, &block, NULL) < 0)
        return;
    block_format(&block, canonical);
    fprintf(sql, "%s%s = '%s'", before, column, canonical);
}

/* In one statement, so that the block is never away, and with all that the row says besides. */
static void write_canonical(FILE *sql, enum rule_table table, const struct stored_row *row)
{
    const struct rule_table_info *info = &rule_tables[table];
    fprintf(sql, "UPDATE %s SET ", info->name);
    if (info->client)
        put_canonical(sql, "", info->client, client_of(row));
    else
        put_canonical(sql, "", info->key, key_of(row));
    put_where(sql, table, row);
}

static struct str local_of(struct str address)
{
    return str_first(address, str_find(address, '@'));
}

static void write_without_domain(FILE *sql, enum rule_table table, const struct stored_row *row)
{
    fprintf(sql, "UPDATE %s SET %s = ", rule_tables[table].name, rule_tables[table].key);
    put_literal(sql, local_of(key_of(row)));
    put_where(sql, table, row);
}

/* Mending. */

static int put_removal(FILE *out, const struct lint_mend *mend, const struct lint_finding *finding,
                       const struct stored_row *row)
{
    enum rule_table table = (enum rule_table)finding->table;
    if (!finding->alone || row->key_n > LITERAL_MAX_BYTES || !text_is_harmless(key_of(row)))
        return put_sqlite(out, mend, write_delete, table, row);
    put_remove(out, mend, kind_of(table, row->value), row);
    return 0;
}

static int mend_list(FILE *out, const struct lint_mend *mend, const struct lint_finding *finding,
                     const struct stored_row *row)
{
    struct str local = local_of(key_of(row));
    bool plain = text_is_harmless(key_of(row)) && (!row->note || text_is_harmless(str_of(row->note)));
    if (!finding->alone || !plain)
        return put_sqlite(out, mend, write_without_domain, RULE_LOCAL_LIST, row);
    put_gatepost(out, mend, "add list");
    if (row->value)
        fprintf(out, " --remote-mail %s", row->value);
    if (row->has_expiry)
        fprintf(out, " --until %" PRId64, row->expires);
    if (row->note) {
        fputs(" --note ", out);
        shell_word_put(out, str_of(row->note));
    }
    put_key(out, local);
    fputs(" && ", out);
    put_remove(out, mend, kind_of(RULE_LOCAL_LIST, row->value), row);
    return 0;
}

static int mend_docker(FILE *out, const struct lint_mend *mend, const struct lint_finding *finding,
                       const struct stored_row *row)
{
    struct block block;
    if (block_parse(key_of(row), &block, NULL) == 0 && ip_compare(&block.first, &block.last) == 0)
        return put_removal(out, mend, finding, row);
    put_gatepost(out, mend, "add refuse " LINT_DOCKER_GATEWAY);
    return 0;
}

/* The blocks of a setting, as they are meant. */
static int mend_blocks(FILE *out, const struct lint_mend *mend, const struct stored_row *row)
{
    char *text = NULL, canonical[BLOCK_TEXT_SIZE];
    size_t n = 0;
    struct str rest = str_make(row->value, row->value_n), word;
    struct block block;
    FILE *value = open_memstream(&text, &n);
    if (!value)
        return -ENOMEM;
    while (str_next_word(&rest, &word)) {
        if (block_parse(word, &block, NULL) < 0)
            continue;
        block_format(&block, canonical);
        fprintf(value, "%s%s", ftell(value) > 0 ? " " : "", canonical);
    }
    bool failed = ferror(value) != 0;
    failed = fclose(value) != 0 || failed;
    if (!failed)
        put_set(out, mend, setting_by_name(key_of(row)), str_make(text, n));
    free(text);
    return failed ? -ENOMEM : 0;
}

/* What counts of a setting that is not understood is its default, which is made to be what is there. */
static int mend_not_understood(FILE *out, const struct lint_mend *mend, const struct lint_finding *finding,
                               const struct stored_row *row)
{
    enum setting setting = finding->table == RULE_SETTING ? setting_by_name(key_of(row)) : SETTING_NONE;
    struct settings presets;
    if (setting == SETTING_NONE)
        return put_sqlite(out, mend, write_delete, (enum rule_table)finding->table, row);
    settings_init(&presets);
    put_set(out, mend, setting, settings_text(&presets, setting));
    settings_fini(&presets);
    return 0;
}

static void set(FILE *out, const struct lint_mend *mend, enum setting setting, const char *value)
{
    put_set(out, mend, setting, str_of(value));
}

int lint_mend_write(FILE *out, const struct lint_mend *mend, const struct lint_finding *finding,
                    const struct stored_row *row)
{
    bool is_setting = finding->table == RULE_SETTING;
    switch ((enum lint_code)finding->code) {
    case LINT_NOT_UNDERSTOOD:
        return mend_not_understood(out, mend, finding, row);
    case LINT_RELAY_ANYONE:
    case LINT_FORGED_SENDER:
        set(out, mend, SETTING_RELAY_FOR, "addresses");
        return 0;
    case LINT_LOGINS_UNLIMITED:
        set(out, mend, SETTING_POP_BEFORE_SMTP_MAX_ACCOUNTS, "3");
        return 0;
    case LINT_OBSERVE:
        set(out, mend, SETTING_OBSERVE, "");
        return 0;
    case LINT_NO_LOCAL_DOMAIN:
        put_gatepost(out, mend, "add domain \"$(postconf -xh mydomain)\"");
        return 0;
    case LINT_NOBODY_MAY_CONNECT:
        if (!is_setting)
            return put_removal(out, mend, finding, row);
        set(out, mend, SETTING_UNLISTED_CLIENTS, "grant");
        return 0;
    case LINT_HOST_BITS:
        return is_setting ? mend_blocks(out, mend, row)
                          : put_sqlite(out, mend, write_canonical, (enum rule_table)finding->table, row);
    case LINT_LIST_WITH_DOMAIN:
        return mend_list(out, mend, finding, row);
    case LINT_GRANT_DOCKER:
        return mend_docker(out, mend, finding, row);
    default:
        return put_removal(out, mend, finding, row);
    }
}
