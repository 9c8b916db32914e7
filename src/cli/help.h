/*
 * help: what `gatepost help` prints, and where the words for it stand.
 *
 * A command says its arguments, what it does in a sentence, and an example (struct command); what is to be said of its
 * options, and more of itself where one sentence is not enough, stands in help_text.c. A test holds all three together.
 */
#ifndef GATEPOST_CLI_HELP_H
#define GATEPOST_CLI_HELP_H

#include "cli/command.h"

/* All commands, in the order of the help, ended by NULL (gatepost.c). */
extern const struct command *const commands[];

/* The options that all share, ended by zeros (gatepost.c). */
extern const struct option common_options[];

/* NULL where there is none of that name. */
const struct command *help_find_command(const char *name);

struct option_help {
    const char *option;   /* without dashes; NULL ends a table */
    const char *argument; /* what it is called: FILE, TIME, yes|no …; NULL: it takes none */
    const char *meaning;
};

struct command_help {
    const char *command;
    const char *about;                 /* beyond the summary, or NULL */
    const struct option_help *options; /* NULL: it has none of its own */
};

/* The words for a command; NULL where there are none. */
const struct command_help *help_of(const char *command);

/* The words for an option of the command, or of one that all share; NULL where there are none. */
const struct option_help *help_of_option(const char *command, const char *option);

/* Print to standard output, at most 80 columns wide. */
void help_print_overview(void);
void help_print_command(const struct command *command);

#endif
