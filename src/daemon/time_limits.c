#include "daemon/time_limits.h"

#include <stddef.h>

enum {
    STALL_MS = 20, /* a timer that is as late tells of a loop that stood still */
    STALL_GRACE_MS = 100
};

static void on_timer(uv_timer_t *timer);

static void start(struct time_limits *limits, uint64_t after_ms)
{
    if (!uv_is_closing((uv_handle_t *)&limits->timer))
        (void)uv_timer_start(&limits->timer, on_timer, after_ms, 0);
}

static void start_for_first(struct time_limits *limits)
{
    uint64_t now = uv_now(limits->timer.loop);
    if (limits->first)
        start(limits, limits->first->at_ms > now ? limits->first->at_ms - now : 0);
}

/* Where our own loop has stood still, what is waited for may have come and not been read: the loop goes on for a moment
 * first. */
static void on_timer(uv_timer_t *timer)
{
    struct time_limits *limits = timer->data;
    uint64_t now = uv_now(timer->loop);
    if (!limits->looked_again && limits->first && limits->first->at_ms <= now) {
        limits->looked_again = true;
        start(limits, limits->first->at_ms + STALL_MS <= now ? STALL_GRACE_MS : 1);
        return;
    }
    limits->looked_again = false;
    while (limits->first && limits->first->at_ms <= now) {
        struct time_limit *limit = limits->first;
        (void)time_limit_end(limits, limit);
        limit->passed(limit);
    }
    start_for_first(limits);
}

void time_limits_init(struct time_limits *limits, uv_loop_t *loop, uint32_t limit_ms)
{
    (void)uv_timer_init(loop, &limits->timer); /* only fills it in */
    limits->timer.data = limits;
    limits->limit_ms = limit_ms;
}

void time_limits_close(struct time_limits *limits)
{
    uv_close((uv_handle_t *)&limits->timer, NULL);
}

/* The timer is left to run out where nothing waits for it any more: to start it anew for each would cost more. */
void time_limit_begin(struct time_limits *limits, struct time_limit *limit, void (*passed)(struct time_limit *limit))
{
    *limit = (struct time_limit){
        .passed = passed, .prev = limits->last, .at_ms = uv_now(limits->timer.loop) + limits->limit_ms, .runs = true
    };
    if (limits->last)
        limits->last->next = limit;
    else
        limits->first = limit;
    limits->last = limit;
    if (!uv_is_active((uv_handle_t *)&limits->timer))
        start_for_first(limits);
}

bool time_limit_end(struct time_limits *limits, struct time_limit *limit)
{
    if (!limit->runs)
        return false;
    if (limit->next)
        limit->next->prev = limit->prev;
    else
        limits->last = limit->prev;
    if (limit->prev)
        limit->prev->next = limit->next;
    else
        limits->first = limit->next;
    limit->runs = false;
    return true;
}
