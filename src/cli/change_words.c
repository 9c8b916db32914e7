#include "cli/change_words.h"

#include "console/cli.h"
#include "console/kind.h"
#include "console/rule_line.h"
#include "console/times.h"
#include "core/settings.h"

#include <inttypes.h>
#include <string.h>

enum { WHENEVER = 0 }; /* as the present for rule_line_show: no expiry is called past */

/* The side that tells which row it is. */
static const struct logged_row *side_of(const struct logged_change *change)
{
    return change->old.there ? &change->old : &change->new;
}

const char *change_kind(const struct logged_change *change)
{
    if (!change->sound || change->table == RULE_SETTING)
        return change->kind;
    return kind_of(change->table, side_of(change)->row.value)->name;
}

const char *change_who(const struct logged_change *change)
{
    return change->by ? change->by : "(by SQL)";
}

const char *change_verb(const struct logged_change *change)
{
    return !change->old.there ? "added" : change->new.there ? "changed" : "removed";
}

/* Rules. */

static void put_text(FILE *out, const char *text)
{
    if (!text) {
        fputs("none", out);
        return;
    }
    bool quoted = *text == '\0' || strchr(text, ' ');
    fputs(quoted ? "\"" : "", out);
    cli_put(out, text);
    fputs(quoted ? "\"" : "", out);
}

static void put_note(FILE *out, const char *note)
{
    if (!note) {
        fputs("none", out);
        return;
    }
    fputc('"', out);
    cli_put(out, note);
    fputc('"', out);
}

static void put_time(FILE *out, bool there, int64_t moment)
{
    char text[TIMES_TEXT_SIZE] = "never";
    if (there)
        times_format(moment, text);
    fputs(text, out);
}

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* Writes ": column " in front of the first difference, "; column " in front of the others. */
static void begin_difference(FILE *out, int *n, const char *column)
{
    fprintf(out, "%s %s ", (*n)++ ? ";" : ":", column);
}

static void put_text_difference(FILE *out, int *n, const char *column, const char *old, const char *new,
                                void (*put)(FILE *, const char *))
{
    if (is_same_text(old, new))
        return;
    begin_difference(out, n, column);
    put(out, old);
    fputs(" -> ", out);
    put(out, new);
}

static void put_time_difference(FILE *out, int *n, const char *column, bool old_there, int64_t old, bool new_there,
                                int64_t new)
{
    if (old_there == new_there && (!old_there || old == new))
        return;
    begin_difference(out, n, column);
    put_time(out, old_there, old);
    fputs(" -> ", out);
    put_time(out, new_there, new);
}

static void put_client(FILE *out, const char *client)
{
    cli_put(out, *client ? client : "anywhere");
}

static void put_differences(FILE *out, enum rule_table table, const struct stored_row *old,
                            const struct stored_row *new)
{
    const struct rule_table_info *info = &rule_tables[table];
    int n = 0;
    put_text_difference(out, &n, info->key, old->key, new->key, put_text);
    if (info->client)
        put_text_difference(out, &n, info->client, old->client, new->client, put_client);
    if (info->value)
        put_text_difference(out, &n, info->value, old->value, new->value, put_text);
    put_text_difference(out, &n, "note", old->note, new->note, put_note);
    put_time_difference(out, &n, "until", old->has_expiry, old->expires, new->has_expiry, new->expires);
    put_time_difference(out, &n, "created", true, old->created, true, new->created);
}

static void write_rule(FILE *out, const struct logged_change *change)
{
    const struct stored_row *row = &side_of(change)->row;
    const struct kind *kind = kind_of(change->table, row->value);
    fprintf(out, "%s %s ", change_verb(change), kind->name);
    if (!change->old.there || !change->new.there) {
        rule_line_show(out, kind, row, WHENEVER);
        return;
    }
    put_text(out, row->key);
    if (row->client[0]) {
        fputs(" from ", out);
        put_client(out, row->client);
    }
    put_differences(out, change->table, row, &change->new.row);
}

/* Settings. */

static void put_setting(FILE *out, const char *name, const char *value)
{
    static const struct settings presets;
    enum setting setting = setting_by_name(str_of(name));
    if (value || setting == SETTING_NONE) {
        put_text(out, value);
        return;
    }
    put_text(out, settings_text(&presets, setting).p);
    fputs(" (default)", out);
}

static void put_setting_change(FILE *out, const char *name, const char *old, const char *new)
{
    put_text(out, name);
    fputs(": ", out);
    put_setting(out, name, old);
    fputs(" -> ", out);
    put_setting(out, name, new);
}

static void write_setting(FILE *out, const struct logged_change *change)
{
    const struct stored_row *old = &change->old.row, *new = &change->new.row;
    const char *had = change->old.there ? old->value : NULL, *has = change->new.there ? new->value : NULL;
    fputs("set ", out);
    if (!change->old.there || !change->new.there || strcmp(old->key, new->key) == 0) {
        put_setting_change(out, side_of(change)->row.key, had, has);
        return;
    }
    put_setting_change(out, old->key, had, NULL);
    fputs(", ", out);
    put_setting_change(out, new->key, NULL, has);
}

/* What makes no sense. */
static void write_as_it_stands(FILE *out, const struct logged_change *change)
{
    cli_put(out, change->op);
    fputs(" of ", out);
    put_text(out, change->kind);
    fputc(' ', out);
    put_text(out, change->key);
    fputs(", as the log has it: ", out);
    cli_put_str(out, change->old.there ? change->old.json : str_of("nothing"));
    fputs(" -> ", out);
    cli_put_str(out, change->new.there ? change->new.json : str_of("nothing"));
}

void change_words_write(FILE *out, const struct logged_change *change)
{
    if (!change->sound)
        write_as_it_stands(out, change);
    else if (change->table == RULE_SETTING)
        write_setting(out, change);
    else
        write_rule(out, change);
}

/* JSON. */

static void write_row_json(FILE *out, const struct logged_change *change, const struct logged_row *side)
{
    if (!side->there)
        fputs("null", out);
    else if (change->sound)
        rule_line_write_row_json(out, change->table, &side->row);
    else
        cli_put_json_str(out, side->json);
}

void change_words_write_json(FILE *out, const struct logged_change *change)
{
    const struct {
        const char *name, *value;
    } texts[] = {
        { "by", change->by }, { "kind", change_kind(change) }, { "table", change->kind }, { "key", change->key },
        { "op", change->op },
    };
    fprintf(out, "{\"seq\": %" PRId64 ", \"at\": %" PRId64, change->seq, change->at);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        fprintf(out, ", \"%s\": ", texts[i].name);
        cli_put_json(out, texts[i].value);
    }
    fputs(", \"old\": ", out);
    write_row_json(out, change, &change->old);
    fputs(", \"new\": ", out);
    write_row_json(out, change, &change->new);
    fputc('}', out);
}
