#include "explain/change.h"

#include "console/shell_word.h"
#include "core/text.h"

#include <string.h>

/* It can be shown, and so be typed. */
static bool is_key(enum rule_table table, struct str text)
{
    struct rule_key key;
    if (!text_is_harmless(text))
        return false;
    bool good = rule_key_parse(&key, table, text, NULL) == 0;
    rule_key_fini(&key);
    return good;
}

static bool is_value(enum setting setting, struct str value)
{
    struct settings settings;
    settings_init(&settings);
    bool good = text_is_harmless(value) && settings_set(&settings, setting, value, NULL) == 0;
    settings_fini(&settings);
    return good;
}

bool change_is_sound(const struct change *change)
{
    if (change->verb == CHANGE_SET)
        return is_value(change->setting, change->value);
    if (!change->kind)
        return false;
    for (size_t i = 0; i < change->n_keys; i++)
        if (!is_key(change->kind->table, change->keys[i]))
            return false;
    return change->client.n == 0 || is_key(RULE_ACCESS_BLOCK, change->client);
}

static void write_row_options(FILE *out, const struct change *change)
{
    if (change->kind->table == RULE_ACCEPT_ENTRY && change->client.n == 0) {
        fputs(" --any-client", out);
    } else if (change->kind->table == RULE_ACCEPT_ENTRY) {
        fputs(" --client ", out);
        shell_word_put(out, change->client);
    }
    if (change->for_a_while)
        fputs(" --for 2h", out);
}

static void write_row(FILE *out, const struct change *change)
{
    bool dashed = false; /* a key could be taken for an option */
    for (size_t i = 0; i < change->n_keys; i++)
        dashed = dashed || change->keys[i].p[0] == '-';
    fprintf(out, "%s %s", change->verb == CHANGE_ADD ? "add" : "remove", change->kind->name);
    if (dashed) {
        write_row_options(out, change);
        fputs(" --", out);
    }
    for (size_t i = 0; i < change->n_keys; i++) {
        fputc(' ', out);
        shell_word_put(out, change->keys[i]);
    }
    if (!dashed)
        write_row_options(out, change);
}

void change_write(FILE *out, const struct change *change)
{
    if (change->verb != CHANGE_SET) {
        write_row(out, change);
        return;
    }
    fprintf(out, "set %s ", setting_info(change->setting)->name);
    shell_word_put(out, change->value);
}

static int apply_to_rows(const struct change *change, struct rules *rules)
{
    int r = 0;
    for (size_t i = 0; i < change->n_keys && r == 0; i++) {
        struct rule_row row = {
            .table = change->kind->table,
            .key = change->keys[i],
            .client = change->client,
            .value = str_of(change->kind->table == RULE_LOCAL_DOMAIN ? "local" : change->kind->value),
            .expires_at = RULE_NEVER_EXPIRES,
        };
        r = change->verb == CHANGE_ADD ? rules_put(rules, &row, NULL) : rules_remove(rules, &row);
    }
    return r;
}

int change_apply(const struct change *change, struct rules *rules)
{
    struct rule_row setting = { .table = RULE_SETTING, .value = change->value };
    int r;
    if (change->verb == CHANGE_SET) {
        setting.key = str_of(setting_info(change->setting)->name);
        r = rules_put(rules, &setting, NULL);
    } else {
        r = apply_to_rows(change, rules);
    }
    return r < 0 ? r : rules_seal(rules);
}
