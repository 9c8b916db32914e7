/*
 * paint: colours, for people only.
 */
#ifndef GATEPOST_CONSOLE_PAINT_H
#define GATEPOST_CONSOLE_PAINT_H

#include <stdio.h>

enum paint { PAINT_OFF, PAINT_STRONG, PAINT_FAINT, PAINT_GOOD, PAINT_BAD, PAINT_WARNING };

/* What makes a terminal show the text that follows so; "" where `out` is no terminal, TERM is dumb or absent, or
 * NO_COLOR is set and not empty (https://no-color.org). */
const char *paint(FILE *out, enum paint paint);

#endif
