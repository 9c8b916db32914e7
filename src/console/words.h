/*
 * words: a line of a command, cut into words as a shell would.
 *
 * Blanks separate words. What stands in single quotes is taken as it is, and in double quotes or without any a
 * backslash takes away the meaning of what follows.
 */
#ifndef GATEPOST_CONSOLE_WORDS_H
#define GATEPOST_CONSOLE_WORDS_H

#include "core/error.h"

struct words {
    int n;
    char **word; /* ends with NULL */
    char *texts;
};

/* Returns 0, -EINVAL with the fault in *error, or -ENOMEM. The caller calls words_fini, after a failure too. */
int words_split(struct words *words, const char *line, struct error *error);
void words_fini(struct words *words);

#endif
