/*
 * gatepost init.
 */
#include "cli/command.h"

static int run_init(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    struct rule_db *db = NULL;
    if (cli_next_option(cli, argc, argv, all_options) != -1)
        return STATUS_USAGE;
    if (optind < argc)
        return cli_usage("init takes no arguments");
    int status = cli_open(cli, DATABASE_CREATE, &db);
    if (status == STATUS_DONE)
        printf("%s is ready, schema version %d\n", cli->database, RULE_DB_SCHEMA_VERSION);
    rule_db_close(db);
    return status;
}

const struct command init_command = {
    "init",
    "",
    "Creates the database of rules, or brings it up to date.",
    "gatepost init --database /var/lib/gatepost/gatepost.db",
    NULL,
    run_init,
};
