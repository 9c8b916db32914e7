/*
 * usage: the arguments of a command as its help shows them, taken apart, so that the shell's completion knows them too.
 *
 * What is in capitals stands for something, what is in small letters for itself, options with their values are passed
 * over, brackets and a final ... mean what they always do, and " | " parts whole alternatives.
 */
#ifndef GATEPOST_CLI_USAGE_H
#define GATEPOST_CLI_USAGE_H

#include "cli/command.h"

/* Called with the name of an argument that may come next, and with the words before it that stand for a KIND and for a
 * NAME, or NULL. */
typedef void usage_visit(void *context, struct str argument, const char *kind, const char *name);

/* Tells what may follow n words that are no options. */
void usage_each_next(const struct command *command, const char *const *words, size_t n, usage_visit *visit,
                     void *context);

/* What the option's value is called there, e.g. FILE or yes|no; empty where it is not told. */
struct str usage_of_option(const struct command *command, const char *option);

#endif
