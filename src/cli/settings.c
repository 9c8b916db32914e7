/*
 * gatepost set, get.
 */
#include "core/settings.h"
#include "cli/command.h"
#include "console/danger.h"
#include "store/rule_edit.h"

#include <errno.h>
#include <string.h>

enum { OPTION_YES = 0x100 };

static int store_setting(struct cli *cli, const char *name, const char *value)
{
    struct rule_db *db = NULL;
    struct rule_edit edit;
    struct error error;
    int status = cli_open(cli, DATABASE_EXPECT, &db);
    if (status != STATUS_DONE)
        return status;
    int r = rule_edit_begin(&edit, db, &error);
    if (r == 0) {
        r = rule_edit_set(&edit, name, value, &error);
        r = r < 0 ? r : rule_edit_commit(&edit, cli_by(cli), &error);
        rule_edit_rollback(&edit);
    }
    if (r < 0)
        status = cli_fail(cli_status_of(r), "%s", error.text);
    else
        printf("%s is now \"%s\"\n", name, value);
    rule_db_close(db);
    return status;
}

static int run_set(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    bool yes = false;
    for (int c; (c = cli_next_option(cli, argc, argv, all_options)) != -1;) {
        if (c != OPTION_YES)
            return STATUS_USAGE;
        yes = true;
    }
    if (argc - optind != 2)
        return cli_usage("set takes a name and a value; see: gatepost get");
    const char *name = argv[optind], *value = argv[optind + 1];
    enum setting setting = setting_by_name(str_of(name));
    if (setting == SETTING_NONE)
        return cli_fail(EX_DATAERR, "there is no setting \"%s\"; gatepost get lists them all", name);

    struct settings settings;
    struct error error;
    settings_init(&settings);
    int r = settings_set(&settings, setting, str_of(value), &error);
    settings_fini(&settings);
    if (r < 0)
        return cli_fail(cli_status_of(r), "%s", error.text);
    if (setting == SETTING_RELAY_FOR && danger_is_relay_for(value) && !yes)
        return danger_refuse_relay_for(value);
    return store_setting(cli, name, value);
}

static const struct option set_options[] = { { "yes", no_argument, NULL, OPTION_YES }, { NULL, 0, NULL, 0 } };

const struct command set_command = {
    "set", "NAME VALUE [--yes]", "Changes a setting.", "gatepost set pop_before_smtp 15", set_options, run_set,
};

/* The settings in force, through the same loader as the daemon's. */
static void ignore_skipped(void *context, const struct rule_row *row, const struct error *why)
{
    (void)context;
    if (row->table == RULE_SETTING)
        (void)cli_fail(0, "%.*s is skipped: %s", STR_ARGS(row->key), why->text);
}

static void print_settings(const struct settings *settings, enum setting only, bool json)
{
    bool first = true;
    if (json)
        fputs("{", stdout);
    for (int s = 0; s < SETTING_COUNT; s++) {
        const char *name = setting_info((enum setting)s)->name, *value = settings_text(settings, (enum setting)s).p;
        if (only != SETTING_NONE && only != (enum setting)s)
            continue;
        if (json) {
            printf("%s", first ? "" : ", ");
            cli_put_json(stdout, name);
            fputs(": ", stdout);
            cli_put_json(stdout, value);
        } else if (only != SETTING_NONE) {
            printf("%s\n", value);
        } else {
            printf("%-28s \"%s\"%s\n", name, value, settings->text[s] ? "" : "  (default)");
        }
        first = false;
    }
    if (json)
        fputs("}\n", stdout);
}

static int run_get(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    struct rule_db *db = NULL;
    struct rules *rules = NULL;
    struct error error;
    enum setting only = SETTING_NONE;
    if (cli_next_option(cli, argc, argv, all_options) != -1)
        return STATUS_USAGE;
    if (argc - optind > 1)
        return cli_usage("get takes one name, or none for all");
    if (optind < argc && (only = setting_by_name(str_of(argv[optind]))) == SETTING_NONE)
        return cli_fail(STATUS_REFUSED, "there is no setting \"%s\"; gatepost get lists them all", argv[optind]);
    int status = cli_open(cli, DATABASE_EXPECT, &db);
    if (status != STATUS_DONE)
        return status;
    int r = rule_db_load_settings(db, &rules, ignore_skipped, NULL, &error);
    if (r < 0)
        status = cli_fail(cli_status_of(r), "%s", error.text);
    else
        print_settings(rules_settings(rules), only, cli->json);
    rules_free(rules);
    rule_db_close(db);
    return status;
}

const struct command get_command = {
    "get", "[NAME]", "Prints a setting, or all of them.", "gatepost get relay_for", NULL, run_get,
};
