/*
 * gatepost help.
 */
#include "cli/help.h"
#include "cli/command.h"

#include <string.h>

enum { COLUMNS = 80, NAME_COLUMNS = 10, OPTION_COLUMNS = 24 };

const struct command *help_find_command(const char *name)
{
    for (size_t i = 0; commands[i]; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

/* The end of the next piece that is not to be parted: a word, an option in brackets with all it takes, or a text in
 * quotes. */
static size_t next_piece(const char *text)
{
    size_t n = 0;
    int depth = 0;
    bool quoted = false;
    while (text[n] && (text[n] != ' ' || depth > 0 || quoted)) {
        depth += (text[n] == '[') - (text[n] == ']');
        quoted ^= text[n] == '"';
        n++;
    }
    return n;
}

/* Writes the words from `column` on, further lines from `indent` on; what is put behind a line that goes on is `more`.
 */
static void print_wrapped(const char *text, size_t column, size_t indent, const char *more)
{
    bool first = true;
    for (size_t n; *text; text += n + strspn(text + n, " ")) {
        n = next_piece(text);
        if (!first && column + 1 + n + strlen(more) > COLUMNS) {
            printf("%s\n%*s", more, (int)indent, "");
            column = indent;
        } else if (!first) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)n, text);
        column += n;
        first = false;
    }
    putchar('\n');
}

static void print_option(const char *command, const struct option *option)
{
    const struct option_help *help = help_of_option(command, option->name);
    int n = printf("  --%s%s%s", option->name, help && help->argument ? " " : "",
                   help && help->argument ? help->argument : "");
    if (!help) {
        putchar('\n');
        return;
    }
    size_t column = n > 0 ? (size_t)n : 0;
    if (column + 2 > OPTION_COLUMNS)
        printf("\n%*s", OPTION_COLUMNS, "");
    else
        printf("%*s", (int)(OPTION_COLUMNS - column), "");
    print_wrapped(help->meaning, OPTION_COLUMNS, OPTION_COLUMNS, "");
}

static void print_options(const char *command, const struct option *options)
{
    for (; options && options->name; options++)
        print_option(command, options);
}

void help_print_overview(void)
{
    printf("usage: gatepost [options] COMMAND [arguments]\n"
           "Rules of the Postfix policy server gatepost; see gatepost(1).\n\n"
           "Commands:\n");
    for (size_t i = 0; commands[i]; i++) {
        printf("  %-*s", NAME_COLUMNS, commands[i]->name);
        print_wrapped(commands[i]->summary, NAME_COLUMNS + 2, NAME_COLUMNS + 2, "");
    }
    printf("\nBefore or after the command:\n");
    print_options("", common_options);
    printf("\nOn one of them: gatepost help COMMAND\n");
}

void help_print_command(const struct command *command)
{
    const struct command_help *help = help_of(command->name);
    int n = printf("usage: gatepost %s", command->name);
    size_t column = n > 0 ? (size_t)n : 0;
    if (*command->arguments)
        putchar(' ');
    print_wrapped(command->arguments, column + 1, column + 1, "");
    putchar('\n');
    print_wrapped(command->summary, 0, 0, "");
    if (help && help->about) {
        putchar('\n');
        print_wrapped(help->about, 0, 0, "");
    }
    if (command->options) {
        printf("\nOptions, beside those of gatepost --help:\n");
        print_options(command->name, command->options);
    }
    printf("\nExample:\n  ");
    print_wrapped(command->example, 2, 6, " \\");
}

static int run_help(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    if (cli_next_option(cli, argc, argv, all_options) != -1)
        return STATUS_USAGE;
    if (argc - optind > 1)
        return cli_usage("help takes one command, or none for all");
    if (optind == argc) {
        help_print_overview();
        return STATUS_DONE;
    }
    const struct command *command = help_find_command(argv[optind]);
    if (!command)
        return cli_usage("there is no command \"%s\"", argv[optind]);
    help_print_command(command);
    return STATUS_DONE;
}

const struct command help_command = {
    "help", "[COMMAND]", "Prints what a command does and takes.", "gatepost help add", NULL, run_help,
};
