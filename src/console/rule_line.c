#include "console/rule_line.h"

#include "console/cli.h"
#include "console/times.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { EXACT = -1 }; /* instead of a time: not for people */

/* How many bytes text has in front of a control character of ASCII, or in UTF-8 one of U+0080 to U+009F. */
static size_t find_control(struct str text)
{
    size_t i = 0;
    for (; i < text.n && !ascii_is_control(text.p[i]); i++)
        if (text.p[i] == '\xc2' && i + 1 < text.n && ((unsigned char)text.p[i + 1] & 0xe0) == 0x80)
            break;
    return i;
}

/* No row that has got past the CHECKs may add a line to a list that is read again, or steer the terminal. */
static void put_exactly(FILE *out, struct str text)
{
    while (text.n > 0) {
        size_t n = find_control(text);
        (void)fwrite(text.p, 1, n, out);
        if (n < text.n)
            fputc('?', out);
        text = str_from(text, n < text.n ? n + (text.p[n] == '\xc2' ? 2 : 1) : n);
    }
}

static void put_str(FILE *out, struct str text, int64_t now)
{
    if (now == EXACT)
        put_exactly(out, text);
    else
        cli_put_str(out, text);
}

static void put_quoted(FILE *out, const char *text, int64_t now)
{
    fputc('"', out);
    for (const char *rest = text; *rest;) {
        size_t n = strcspn(rest, "\"\\");
        if (n == 0) {
            fprintf(out, "\\%c", *rest++);
            continue;
        }
        put_str(out, str_make(rest, n), now);
        rest += n;
    }
    fputc('"', out);
}

static void put_word(FILE *out, const char *text, int64_t now)
{
    if (*text == '\0' || strpbrk(text, " \t#;\"\\"))
        put_quoted(out, text, now);
    else
        put_str(out, str_of(text), now);
}

static bool is_framed_by_blanks(const char *note)
{
    size_t n = strlen(note);
    return n == 0 || note[0] == ' ' || note[0] == '"' || note[n - 1] == ' ';
}

static void put_value(FILE *out, const struct kind *kind, const struct stored_row *row, int64_t now)
{
    if (kind->value || !row->value)
        return;
    if (kind->table == RULE_LOCAL_DOMAIN) {
        if (strcmp(row->value, "local") != 0) {
            fputc(' ', out);
            put_word(out, row->value, now);
        }
    } else {
        fprintf(out, " %s ", rule_tables[kind->table].value);
        put_word(out, row->value, now);
    }
}

static void put_terms(FILE *out, const struct kind *kind, const struct stored_row *row, int64_t now)
{
    if ((kind->options & KIND_HAS_CLIENT) != 0) {
        fputs(" from ", out);
        put_str(out, str_of(row->client[0] ? row->client : "anywhere"), now);
    }
    put_value(out, kind, row, now);
    if (row->has_expiry) {
        char text[TIMES_TEXT_SIZE];
        times_format(row->expires, text);
        fprintf(out, " %s %s", now != EXACT && row->expires <= now ? "expired" : "until", text);
    }
    if (!row->note)
        return;
    fputs(" # ", out);
    if (is_framed_by_blanks(row->note))
        put_quoted(out, row->note, now);
    else
        put_str(out, str_of(row->note), now);
}

static void put_line(FILE *out, const struct kind *kind, const struct stored_row *row, int64_t now)
{
    put_word(out, row->key, now);
    put_terms(out, kind, row, now);
}

void rule_line_write_terms(FILE *out, const struct kind *kind, const struct stored_row *row)
{
    put_terms(out, kind, row, EXACT);
}

void rule_line_write(FILE *out, const struct kind *kind, const struct stored_row *row)
{
    put_line(out, kind, row, EXACT);
}

char *rule_line_text(rule_line_writer *write, const struct kind *kind, const struct stored_row *row)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    if (!out)
        return NULL;
    write(out, kind, row);
    bool failed = ferror(out) != 0;
    failed = fclose(out) != 0 || failed;
    if (!failed)
        return text;
    free(text);
    return NULL;
}

void rule_line_show(FILE *out, const struct kind *kind, const struct stored_row *row, int64_t now)
{
    put_line(out, kind, row, now);
}

/* Beside the kind of a rule there is no room for the column of local_domain that has the same name. */
static void put_value_json(FILE *out, enum rule_table table, const struct stored_row *row, bool beside_kind)
{
    const char *column = rule_tables[table].value;
    if (table == RULE_LOCAL_DOMAIN && beside_kind) {
        fprintf(out, ", \"relay\": %s", row->value && strcmp(row->value, "relay") == 0 ? "true" : "false");
    } else if (column) {
        fprintf(out, ", \"%s\": ", column);
        cli_put_json(out, row->value);
    }
}

static void put_columns_json(FILE *out, enum rule_table table, const struct stored_row *row, bool beside_kind)
{
    const struct rule_table_info *info = &rule_tables[table];
    fprintf(out, "\"%s\": ", info->key);
    cli_put_json(out, row->key);
    if (info->client) {
        fprintf(out, ", \"%s\": ", info->client);
        cli_put_json(out, row->client);
    }
    put_value_json(out, table, row, beside_kind);
    if (table == RULE_SETTING)
        return;
    fputs(", \"note\": ", out);
    cli_put_json(out, row->note);
    fprintf(out, ", \"created\": %" PRId64 ", \"expires\": ", row->created);
    if (row->has_expiry)
        fprintf(out, "%" PRId64, row->expires);
    else
        fputs("null", out);
}

void rule_line_begin_json(FILE *out, const struct kind *kind, const struct stored_row *row)
{
    fputs("{\"kind\": ", out);
    cli_put_json(out, kind->name);
    fputs(", ", out);
    put_columns_json(out, kind->table, row, true);
}

void rule_line_write_json(FILE *out, const struct kind *kind, const struct stored_row *row)
{
    rule_line_begin_json(out, kind, row);
    fputc('}', out);
}

void rule_line_write_row_json(FILE *out, enum rule_table table, const struct stored_row *row)
{
    fputc('{', out);
    put_columns_json(out, table, row, false);
    fputc('}', out);
}
