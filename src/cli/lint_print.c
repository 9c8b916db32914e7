#include "cli/lint_print.h"

#include "console/cli.h"
#include "console/paint.h"
#include "console/rule_line.h"

#include <errno.h>
#include <stdlib.h>

/* A finding with all that is to be printed of it. Rows are NULL where it is about none. */
struct told {
    const struct lint_finding *finding;
    const struct lint_info *info;
    const struct stored_row *row;
    const char *other; /* the row that counts instead, as a line; or NULL */
    const char *fault; /* what is not understood; or NULL */
    const char *mend;
};

/* Rows, and why they are not understood. */

enum { LINE_MAX_BYTES = 400 }; /* for people: a row that is longer was not meant to be read */

static void put_setting(FILE *out, const struct stored_row *row)
{
    cli_put(out, row->key);
    fputs(" \"", out);
    cli_put(out, row->value ? row->value : "");
    fputc('"', out);
}

/* The row as a line, which the caller frees, cut where it is too long; NULL where memory is short. */
static char *make_line(enum rule_table table, const struct stored_row *row, int64_t now)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    if (!out)
        return NULL;
    if (table == RULE_SETTING)
        put_setting(out, row);
    else
        rule_line_show(out, kind_of(table, row->value), row, now);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    if (n > LINE_MAX_BYTES)
        memcpy(text + LINE_MAX_BYTES + 1 - sizeof "...", "...", sizeof "...");
    return text;
}

static void find_fault(enum rule_table table, const struct stored_row *row, struct error *fault)
{
    const struct rule_row rule = stored_row_as_rule(row, table);
    struct rule_reading reading;
    struct settings settings;
    fault->text[0] = '\0';
    if (table != RULE_SETTING) {
        (void)rule_read(&reading, &rule, fault);
        rule_reading_fini(&reading);
        return;
    }
    enum setting setting = setting_by_name(rule.key);
    settings_init(&settings);
    if (setting == SETTING_NONE)
        (void)error_set(fault, -EINVAL, "there is no setting of that name");
    else
        (void)settings_set(&settings, setting, rule.value, fault);
    settings_fini(&settings);
}

/* For people. */

static void print_heading(const struct lint_print *print, enum lint_severity severity)
{
    static const enum paint paints[LINT_SEVERITIES] = { PAINT_BAD, PAINT_WARNING, PAINT_STRONG };
    bool first = print->n[LINT_ERROR] + print->n[LINT_WARNING] + print->n[LINT_NOTE] == 0;
    fprintf(print->out, "%s%s%ss%s\n", first ? "" : "\n", paint(print->out, paints[severity]),
            lint_severity_names[severity], paint(print->out, PAINT_OFF));
}

static void print_why(FILE *out, const struct told *told)
{
    fputs(told->info->why, out);
    if (told->fault || told->other) {
        fputs(": ", out);
        cli_put(out, told->fault ? told->fault : told->other);
    }
}

static const char *kind_name(const struct told *told)
{
    enum rule_table table = (enum rule_table)told->finding->table;
    return table == RULE_SETTING ? rule_tables[table].name : kind_of(table, told->row ? told->row->value : NULL)->name;
}

static int print_text(const struct lint_print *print, const struct told *told)
{
    FILE *out = print->out;
    char *line = told->row ? make_line((enum rule_table)told->finding->table, told->row, print->now) : NULL;
    if (told->row && !line)
        return -ENOMEM;
    if (print->n[told->info->severity] == 0)
        print_heading(print, told->info->severity);
    fprintf(out, "  %s%s%s  %s ", paint(out, PAINT_STRONG), told->info->name, paint(out, PAINT_OFF), kind_name(told));
    cli_put(out, line ? line : "-"); /* once more, for what the cut has left of a character */
    fputs("\n      ", out);
    print_why(out, told);
    fprintf(out, "\n      %s", paint(out, PAINT_GOOD));
    cli_put(out, told->mend);
    fprintf(out, "%s\n", paint(out, PAINT_OFF));
    free(line);
    return 0;
}

/* For programs. */

static void print_member(FILE *out, const char *name, bool is_null, struct str text)
{
    fprintf(out, ", \"%s\": ", name);
    if (is_null)
        fputs("null", out);
    else
        cli_put_json_str(out, text);
}

static int print_json(const struct lint_print *print, const struct told *told)
{
    FILE *out = print->out;
    const struct stored_row *row = told->row;
    const struct rule_table_info *info = &rule_tables[told->finding->table];
    bool first = print->n[LINT_ERROR] + print->n[LINT_WARNING] + print->n[LINT_NOTE] == 0;
    char *why = NULL;
    size_t why_n = 0;
    FILE *sentence = open_memstream(&why, &why_n);
    if (!sentence)
        return -ENOMEM;
    print_why(sentence, told);
    if (fclose(sentence) != 0) {
        free(why);
        return -ENOMEM;
    }
    fprintf(out, "%s{\"code\": \"%s\", \"severity\": \"%s\", \"kind\": \"%s\", \"table\": \"%s\"",
            first ? "[\n " : ",\n ", told->info->name, lint_severity_names[told->info->severity], kind_name(told),
            info->name);
    print_member(out, "key", !row, row ? str_make(row->key, row->key_n) : str_make("", 0));
    print_member(out, "client", !row || !info->client, row ? str_make(row->client, row->client_n) : str_make("", 0));
    print_member(out, "value", !row || !row->value, row ? str_make(row->value, row->value_n) : str_make("", 0));
    print_member(out, "why", false, str_make(why, why_n));
    print_member(out, "mend", false, str_of(told->mend));
    fputc('}', out);
    free(why);
    return 0;
}

/* Both. */

static int fetch(struct lint_print *print, const struct lint_finding *finding, int64_t id, struct stored_row *row,
                 struct error *error)
{
    return rule_fetch_row(&print->fetch, (enum rule_table)finding->table, id, row, error);
}

/* The line of the row that counts instead. It is fetched before the row itself, whose texts it would end. */
static int make_other(struct lint_print *print, const struct lint_finding *finding, char **other, struct error *error)
{
    struct stored_row row;
    int r = finding->has_other ? fetch(print, finding, finding->other, &row, error) : 0;
    if (r == 0 && finding->has_other && !(*other = make_line((enum rule_table)finding->table, &row, print->now)))
        r = error_set(error, -ENOMEM, "out of memory");
    return r;
}

static int make_mend(const struct lint_print *print, const struct told *told, char **mend)
{
    size_t n = 0;
    FILE *out = open_memstream(mend, &n);
    if (!out)
        return -ENOMEM;
    int r = lint_mend_write(out, &print->mend, told->finding, told->row);
    return fclose(out) != 0 ? -ENOMEM : r;
}

int lint_print_finding(struct lint_print *print, const struct lint_finding *finding, struct error *error)
{
    struct told told = { .finding = finding, .info = &lint_infos[finding->code] };
    struct stored_row row;
    struct error fault;
    char *other = NULL, *mend = NULL;
    int r = make_other(print, finding, &other, error);
    if (r == 0 && finding->has_row)
        r = fetch(print, finding, finding->row, &row, error);
    if (r == 0) {
        told.row = finding->has_row ? &row : NULL;
        told.other = other;
        if (finding->code == LINT_NOT_UNDERSTOOD) {
            find_fault((enum rule_table)finding->table, &row, &fault);
            told.fault = fault.text;
        }
        r = make_mend(print, &told, &mend);
        told.mend = mend;
        if (r == 0)
            r = print->json ? print_json(print, &told) : print_text(print, &told);
        if (r < 0)
            (void)error_set(error, r, "out of memory");
    }
    if (r == 0)
        print->n[told.info->severity]++;
    free(other);
    free(mend);
    return r;
}

void lint_print_end(const struct lint_print *print)
{
    bool any = false;
    if (!print->json)
        fputc('\n', print->out);
    for (int s = 0; s < LINT_SEVERITIES && !print->json; s++) {
        if (print->n[s] == 0)
            continue;
        fprintf(print->out, "%s%zu %s%s", any ? ", " : "", print->n[s], lint_severity_names[s],
                print->n[s] == 1 ? "" : "s");
        any = true;
    }
    fputs(print->json ? "\n]\n" : "\n", print->out);
}
