/*
 * progress: a bar on standard error while something takes long; nothing where that is no terminal.
 */
#ifndef GATEPOST_CONSOLE_PROGRESS_H
#define GATEPOST_CONSOLE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what;
    uint64_t total;   /* 0: it is not known how much there is */
    int64_t drawn_ms; /* when the bar was drawn last */
    int64_t begun_ms;
    bool wanted, drawn;
};

/* Begins; what is e.g. "reading", and is not copied. What takes less than half a second shows no bar. */
void progress_begin(struct progress *progress, const char *what, uint64_t total);

/* So much of it is done. To be called as often as one likes. */
void progress_at(struct progress *progress, uint64_t done);

/* Takes the bar away. */
void progress_end(struct progress *progress);

#endif
