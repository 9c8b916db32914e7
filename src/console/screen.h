/*
 * screen: a text that takes the place of the one before it on a terminal.
 */
#ifndef GATEPOST_CONSOLE_SCREEN_H
#define GATEPOST_CONSOLE_SCREEN_H

#include <stdbool.h>
#include <stdio.h>

/* Whether `out` is a terminal on which that can be done. */
bool screen_is_terminal(FILE *out);

/* Shows the text from the top left corner on, over what stands there, so that nothing flickers. Of what the terminal
 * has no room for, nothing is shown. */
void screen_show(FILE *out, const char *text);

#endif
