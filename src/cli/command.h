/*
 * command: what gatepost can be told to do. Each command has a file of its own.
 */
#ifndef GATEPOST_CLI_COMMAND_H
#define GATEPOST_CLI_COMMAND_H

#include "console/cli.h"

/* A command gets its own arguments, without the options that are its `options`. */
struct command {
    const char *name;
    const char *arguments;
    const char *summary;
    const char *example;
    const struct option *options; /* of its own, ended by zeros, or NULL; val is from 0x100 on */
    int (*run)(struct cli *cli, int argc, char **argv, const struct option *all_options);
};

extern const struct command init_command, set_command, get_command, add_command, remove_command, list_command,
    import_command, export_command, edit_command, lint_command, explain_command, replay_command, history_command,
    undo_command, prune_command, backup_command, login_command, status_command, help_command, complete_command;

#endif
