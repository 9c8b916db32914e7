/*
 * redis_sentinel: asks the sentinels, one after another, where the master is.
 *
 * A round begins at the one that was right last and asks each once. Whoever uses it says whether the master that was
 * named is one, and otherwise lets it ask on.
 */
#ifndef GATEPOST_STORE_REDIS_SENTINEL_H
#define GATEPOST_STORE_REDIS_SENTINEL_H

#include "store/redis_link.h"

struct redis_sentinel {
    /* Set by the user, whose context is passed on. Neither function is called from within those below. */
    uv_loop_t *loop;
    const struct redis_url *url;
    void (*found)(void *context, const struct redis_host *master);
    void (*gave_up)(void *context, const char *why); /* all were asked; why is what the last one did */
    void *context;

    size_t first;   /* where a round begins */
    size_t n_asked; /* in this round */
    struct redis_link *link;
    struct redis_call call;
};

/* Begins a round. Returns 0 or -ENOMEM. */
int redis_sentinel_begin(struct redis_sentinel *sentinel);

/* Asks the next one of the round, as what was found is of no use. Returns 0, -ENOMEM, or -ENOENT where all were asked.
 */
int redis_sentinel_ask(struct redis_sentinel *sentinel);

/* What was found was right: the next round begins with who said it. */
void redis_sentinel_trust(struct redis_sentinel *sentinel);

/* Stops asking; no function is called any more. */
void redis_sentinel_stop(struct redis_sentinel *sentinel);

#endif
