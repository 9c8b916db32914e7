/*
 * gatepost complete: how a command line can go on, for the shell.
 *
 * Everything comes from the tables of the program itself. Nothing is complained of: who has pressed Tab wants no
 * message.
 */
#include "cli/command.h"
#include "cli/help.h"
#include "cli/usage.h"
#include "console/kind.h"
#include "core/request.h"
#include "core/settings.h"
#include "core/text.h"
#include "store/rule_edit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS_MAX = 200,       /* more than anybody reads */
    ROWS_SEEN_MAX = 5000, /* of another kind in the same table */
    BUSY_MS = 100
};

/* The command line so far. */
struct typed {
    struct cli *cli;
    const struct command *command; /* NULL: not yet */
    const char **words;            /* of the command, no options among them */
    size_t n_words;
    const struct option *open; /* an option that waits for its value, or NULL */
    bool options_ended;
    const char *prefix; /* of the word to be completed */
};

/* Offering. */

static void offer(const char *prefix, struct str word, const char *end)
{
    size_t n = strlen(prefix);
    if (word.n < n || memcmp(word.p, prefix, n) != 0 || !text_is_harmless(word))
        return;
    (void)fwrite(word.p, 1, word.n, stdout);
    printf("%s\n", end);
}

static void offer_files(void)
{
    puts("/FILES/");
}

/* The words between the separators. */
static void offer_choices(const char *prefix, struct str choices, const char *separators)
{
    for (size_t i = 0, n; i < choices.n; i += n + 1) {
        for (n = 0; i + n < choices.n && !strchr(separators, choices.p[i + n]); n++)
            ;
        offer(prefix, str_make(choices.p + i, n), "");
    }
}

static void offer_commands(const char *prefix)
{
    for (size_t i = 0; commands[i]; i++)
        offer(prefix, str_of(commands[i]->name), "");
}

static void offer_kinds(const char *prefix, const struct command *command)
{
    if (command == &history_command)
        offer(prefix, str_of(rule_tables[RULE_SETTING].name), "");
    for (size_t i = 0; i < KIND_COUNT; i++)
        offer(prefix, str_of(kinds[i].name), "");
}

static void offer_settings(const char *prefix)
{
    for (int s = 0; s < SETTING_COUNT; s++)
        offer(prefix, str_of(setting_info((enum setting)s)->name), "");
}

static void offer_attributes(const char *prefix)
{
    for (int a = ATTR_REQUEST; a <= ATTR_POLICY_CONTEXT; a++)
        offer(prefix, str_of(attribute_name((enum attribute)a)), "=");
}

/* Of a list, the last reason. */
static void offer_reasons(const char *prefix)
{
    const char *last = strrchr(prefix, ',');
    struct str before = str_make(prefix, last ? (size_t)(last - prefix) + 1 : 0);
    for (int r = 0; r <= REASON_COUNT; r++) {
        char word[512];
        const char *name = r < REASON_COUNT ? reasons[r].name : "all";
        if (r == REASON_UNVERIFIED || r == REASON_UNAVAILABLE || (r == REASON_COUNT && last))
            continue;
        int n = snprintf(word, sizeof word, "%.*s%s", STR_ARGS(before), name);
        if (n > 0 && (size_t)n < sizeof word)
            offer(prefix, str_of(word), "");
    }
}

static void offer_values(const char *prefix, const char *name)
{
    enum setting setting = name ? setting_by_name(str_of(name)) : SETTING_NONE;
    if (setting == SETTING_NONE)
        return;
    const struct setting_info *info = setting_info(setting);
    if (info->type == SETTING_IS_CHOICE)
        for (size_t i = 0; info->choices[i]; i++)
            offer(prefix, str_of(info->choices[i]), "");
    else if (info->type == SETTING_IS_REASONS)
        offer_reasons(prefix);
    else if (info->type == SETTING_IS_NUMBER)
        offer(prefix, str_of(info->preset), "");
}

/* Rows. */

struct rows {
    const struct kind *kind;
    const char *prefix;
    char *last; /* what was offered last: accept may have a sender for several clients, one after the other */
    size_t n_seen, n_offered;
};

static int offer_row(void *context, const struct stored_row *row)
{
    struct rows *rows = context;
    if (++rows->n_seen > ROWS_SEEN_MAX || rows->n_offered == ROWS_MAX)
        return -ECANCELED;
    if (kind_of(rows->kind->table, row->value) != rows->kind || (rows->last && strcmp(rows->last, row->key) == 0))
        return 0;
    offer(rows->prefix, str_of(row->key), "");
    rows->n_offered++;
    free(rows->last);
    rows->last = strdup(row->key);
    return 0;
}

static void offer_rows(const struct typed *typed, const char *kind)
{
    struct rows rows = { .kind = kind ? kind_find(kind) : NULL, .prefix = typed->prefix };
    struct rule_db *db = NULL;
    if (!rows.kind || typed->command == &add_command || cli_find_database(typed->cli) != STATUS_DONE)
        return;
    if (rule_db_open(&db, typed->cli->database, DATABASE_EXPECT, BUSY_MS, NULL) == 0)
        (void)rule_edit_walk_prefix(db, rows.kind->table, typed->prefix, offer_row, &rows, NULL);
    rule_db_close(db);
    free(rows.last);
}

/* Which. */

static bool is_small(struct str text)
{
    return text.n > 0 && text.p[0] >= 'a' && text.p[0] <= 'z';
}

static bool is_file(struct str argument)
{
    static const char file[] = "FILE";
    size_t n = sizeof file - 1;
    bool is_database = argument.n > 3 && memcmp(argument.p + argument.n - 3, ".db", 3) == 0;
    return is_database || (argument.n >= n && memcmp(argument.p, file, n) == 0);
}

static void offer_argument(void *context, struct str argument, const char *kind, const char *name)
{
    const struct typed *typed = context;
    const char *prefix = typed->prefix;
    const char *setting_kind = rule_tables[RULE_SETTING].name;
    if (is_small(argument))
        offer_choices(prefix, argument, "|");
    else if (str_is(argument, "KIND"))
        offer_kinds(prefix, typed->command);
    else if (str_is(argument, "KEY") && kind && strcmp(kind, setting_kind) == 0)
        offer_settings(prefix);
    else if (str_is(argument, "KEY"))
        offer_rows(typed, kind);
    else if (str_is(argument, "NAME"))
        offer_settings(prefix);
    else if (str_is(argument, "NAME=VALUE"))
        offer_attributes(prefix);
    else if (str_is(argument, "VALUE"))
        offer_values(prefix, name);
    else if (str_is(argument, "COMMAND"))
        offer_commands(prefix);
    else if (is_file(argument))
        offer_files();
}

static void offer_options(const struct typed *typed)
{
    const struct option *tables[] = { typed->command ? typed->command->options : NULL, common_options };
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
        for (const struct option *o = tables[t]; o && o->name; o++) {
            char word[64];
            int n = snprintf(word, sizeof word, "--%s", o->name);
            offer(typed->prefix, str_make(word, n > 0 ? (size_t)n : 0), "");
        }
    }
}

static void offer_option_value(const struct typed *typed)
{
    const char *command = typed->command ? typed->command->name : "";
    const struct option_help *help = help_of_option(command, typed->open->name);
    struct str argument = str_make("", 0);
    if (help && help->argument)
        argument = str_of(help->argument);
    else if (typed->command)
        argument = usage_of_option(typed->command, typed->open->name);
    if (is_file(argument))
        offer_files();
    else if (str_is(argument, "KIND"))
        offer_kinds(typed->prefix, typed->command);
    else if (is_small(argument))
        offer_choices(typed->prefix, argument, "|,");
}

/* Reading what has been typed. */

static const struct option *find_option(const struct typed *typed, const char *word)
{
    const struct option *tables[] = { typed->command ? typed->command->options : NULL, common_options };
    const char *name = strcmp(word, "-c") == 0 ? "config" : word[0] == '-' && word[1] == '-' ? word + 2 : "";
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const struct option *o = tables[t]; o && o->name; o++)
            if (strcmp(o->name, name) == 0)
                return o;
    return NULL;
}

/* Those that say where the rows are. */
static void take_value(const struct typed *typed, char *value)
{
    int c = typed->open->val;
    if (c == 'c' || c == 'd') {
        optarg = value;
        (void)cli_take_common(typed->cli, c);
    }
}

/* False where no command is called so. */
static bool take_word(struct typed *typed, char *word)
{
    if (typed->open) {
        take_value(typed, word);
        typed->open = NULL;
    } else if (!typed->options_ended && strcmp(word, "--") == 0) {
        typed->options_ended = true;
    } else if (!typed->options_ended && word[0] == '-' && word[1] != '\0') {
        const struct option *option = find_option(typed, word);
        typed->open = option && option->has_arg == required_argument ? option : NULL;
    } else if (typed->command) {
        typed->words[typed->n_words++] = word;
    } else {
        typed->command = help_find_command(word);
        return typed->command != NULL;
    }
    return true;
}

static void offer_next(struct typed *typed)
{
    if (typed->open)
        offer_option_value(typed);
    else if (typed->prefix[0] == '-' && !typed->options_ended)
        offer_options(typed);
    else if (!typed->command)
        offer_commands(typed->prefix);
    else
        usage_each_next(typed->command, typed->words, typed->n_words, offer_argument, typed);
}

static int run_complete(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    struct typed typed = { .cli = cli };
    bool known = true;
    if (cli_next_option(cli, argc, argv, all_options) != -1)
        return STATUS_USAGE;
    if (optind == argc)
        return cli_usage("complete takes the words of a command line, the last of them unfinished");
    if (!(typed.words = calloc((size_t)argc, sizeof *typed.words)))
        return cli_fail(EX_OSERR, "out of memory");
    for (int i = optind; i < argc - 1 && known; i++)
        known = take_word(&typed, argv[i]);
    typed.prefix = argv[argc - 1];
    if (known)
        offer_next(&typed);
    free(typed.words);
    return STATUS_DONE;
}

const struct command complete_command = {
    "complete",
    "-- WORD...",
    "Prints how a command line can go on, for the shell's completion.",
    "gatepost complete -- add de",
    NULL,
    run_complete,
};
