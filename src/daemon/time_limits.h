/*
 * time_limits: how long something may take, where all may take as long: a list in order, and one timer.
 */
#ifndef GATEPOST_DAEMON_TIME_LIMITS_H
#define GATEPOST_DAEMON_TIME_LIMITS_H

#include <stdbool.h>
#include <uv.h>

/* Part of what may take long. */
struct time_limit {
    void (*passed)(struct time_limit *limit); /* it does not run any more */
    struct time_limit *next, *prev;
    uint64_t at_ms;
    bool runs;
};

struct time_limits {
    uv_timer_t timer;
    uint32_t limit_ms;
    bool looked_again;
    struct time_limit *first, *last;
};

void time_limits_init(struct time_limits *limits, uv_loop_t *loop, uint32_t limit_ms);

/* Closes the timer: nothing passes any more. */
void time_limits_close(struct time_limits *limits);

/* Runs from now on, until it passes or is ended. */
void time_limit_begin(struct time_limits *limits, struct time_limit *limit, void (*passed)(struct time_limit *limit));

/* Returns whether it ran still. */
bool time_limit_end(struct time_limits *limits, struct time_limit *limit);

#endif
