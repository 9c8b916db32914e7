#include "console/paint.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_painted(FILE *out)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return !(no_color && *no_color) && term && *term && strcmp(term, "dumb") != 0 && isatty(fileno(out));
}

const char *paint(FILE *out, enum paint paint)
{
    static const char *const escapes[] = {
        [PAINT_OFF] = "\033[0m",   [PAINT_STRONG] = "\033[1m", [PAINT_FAINT] = "\033[2m",
        [PAINT_GOOD] = "\033[32m", [PAINT_BAD] = "\033[31m",   [PAINT_WARNING] = "\033[33m",
    };
    return is_painted(out) ? escapes[paint] : "";
}
