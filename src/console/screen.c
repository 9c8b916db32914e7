#include "console/screen.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* ECMA-48. */
static const char home[] = "\033[H", clear_to_line_end[] = "\033[K", clear_below[] = "\033[J";

bool screen_is_terminal(FILE *out)
{
    const char *term = getenv("TERM");
    return term && *term && strcmp(term, "dumb") != 0 && isatty(fileno(out));
}

/* A terminal that does not know its size is taken as one of the usual size. */
static struct winsize size_of(FILE *out)
{
    struct winsize size;
    if (ioctl(fileno(out), TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0)
        size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
    return size;
}

/* The bytes of the first characters of a line, each of them a column wide. */
static size_t fitting_bytes(const char *line, size_t n, unsigned columns)
{
    size_t i = 0;
    for (unsigned used = 0; i < n; i++)
        if (((unsigned char)line[i] & 0xc0) != 0x80 && used++ == columns)
            break;
    return i;
}

void screen_show(FILE *out, const char *text)
{
    struct winsize size = size_of(out);
    fputs(home, out);
    for (unsigned row = 0; *text && row < size.ws_row; row++) {
        size_t n = strcspn(text, "\n");
        (void)fwrite(text, 1, fitting_bytes(text, n, size.ws_col - 1U), out); /* behind the last column lines wrap */
        fputs(clear_to_line_end, out);
        if (row + 1U < size.ws_row)
            fputc('\n', out);
        text += text[n] ? n + 1 : n;
    }
    fputs(clear_below, out);
}
