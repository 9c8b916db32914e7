#include "console/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_MS = 500, EVERY_MS = 100, BAR_COLUMNS = 40 };

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void progress_begin(struct progress *progress, const char *what, uint64_t total)
{
    *progress = (struct progress){ .what = what, .total = total, .wanted = isatty(STDERR_FILENO) };
    if (progress->wanted)
        progress->begun_ms = now_ms();
}

static void draw(const struct progress *progress, uint64_t done)
{
    if (progress->total == 0) {
        fprintf(stderr, "\r%s %" PRIu64 "\033[K", progress->what, done);
        return;
    }
    double part = done < progress->total ? (double)done / (double)progress->total : 1;
    int full = (int)(part * BAR_COLUMNS);
    fprintf(stderr, "\r%s [%.*s%*s] %3d %%\033[K", progress->what, full, "########################################",
            BAR_COLUMNS - full, "", (int)(part * 100));
}

void progress_at(struct progress *progress, uint64_t done)
{
    if (!progress->wanted)
        return;
    int64_t now = now_ms();
    if (now - progress->begun_ms < FIRST_MS || now - progress->drawn_ms < EVERY_MS)
        return;
    draw(progress, done);
    progress->drawn = true;
    progress->drawn_ms = now;
}

void progress_end(struct progress *progress)
{
    if (progress->drawn)
        fputs("\r\033[K", stderr);
    progress->wanted = false;
}
