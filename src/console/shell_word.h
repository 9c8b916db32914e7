/*
 * shell_word: text as a word of a command that a person can paste into a shell.
 */
#ifndef GATEPOST_CONSOLE_SHELL_WORD_H
#define GATEPOST_CONSOLE_SHELL_WORD_H

#include "core/str.h"

#include <stdio.h>

/* Writes the text as one word, quoted where a shell needs it. No byte of it may be NUL. */
void shell_word_put(FILE *out, struct str text);

#endif
