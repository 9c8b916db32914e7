/*
 * gatepost: the command line. Finds the command, reads the options that all share, and hands over.
 */
#include "config.h"

#include "cli/command.h"
#include "cli/help.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

const struct command *const commands[] = {
    &init_command,    &set_command,      &get_command,
    &add_command,     &remove_command,   &list_command,
    &lint_command,    &import_command,   &export_command,
    &edit_command,    &explain_command,  &replay_command,
    &history_command, &undo_command,     &prune_command,
    &backup_command,  &login_command,    &status_command,
    &help_command,    &complete_command, NULL,
};

enum { MAX_OPTIONS = 32, COMMON_HELP = 'h', COMMON_VERSION = 'V' };

const struct option common_options[] = {
    { "config", required_argument, NULL, 'c' },
    { "database", required_argument, NULL, 'd' },
    { "control", required_argument, NULL, 's' },
    { "by", required_argument, NULL, 'b' },
    { "json", no_argument, NULL, 'j' },
    { "help", no_argument, NULL, COMMON_HELP },
    { "version", no_argument, NULL, COMMON_VERSION },
    { NULL, 0, NULL, 0 },
};

/* The command's own options, then the common ones. */
static void join_options(const struct command *command, struct option all[MAX_OPTIONS])
{
    size_t n = 0;
    for (const struct option *o = command->options; o && o->name; o++)
        all[n++] = *o;
    for (const struct option *o = common_options; o->name; o++)
        all[n++] = *o;
    all[n] = (struct option){ 0 };
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

/* Options in front of the command. Returns an exit status, or -1 to go on. */
static int read_first_options(struct cli *cli, int argc, char **argv)
{
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, "+:c:hV", common_options, NULL)) != -1;) {
        if (c == COMMON_HELP) {
            help_print_overview();
            return STATUS_DONE;
        }
        if (c == COMMON_VERSION) {
            printf("gatepost %s\n", PACKAGE_VERSION);
            return STATUS_DONE;
        }
        if (!cli_take_common(cli, c))
            return cli_usage(c == ':' ? "%s needs a value" : "there is no option %s", argv[optind - 1]);
    }
    return optind < argc ? -1 : cli_usage("which command?");
}

static int run_command(struct cli *cli, int argc, char **argv)
{
    struct option all[MAX_OPTIONS];
    const struct command *command = help_find_command(argv[0]);
    if (!command)
        return cli_usage("there is no command \"%s\"", argv[0]);
    if (wants_help(argc, argv)) {
        help_print_command(command);
        return STATUS_DONE;
    }
    join_options(command, all);
    optind = 0;
    return command->run(cli, argc, argv, all);
}

int main(int argc, char **argv)
{
    struct cli cli = { 0 };
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    (void)sigaction(SIGPIPE, &ignore, NULL); /* a closed pipe is then an error of the write, and reported */
    int status = read_first_options(&cli, argc, argv);
    if (status < 0)
        status = run_command(&cli, argc - optind, argv + optind);
    free(cli.database);
    free(cli.control);
    return cli_finish(status);
}
