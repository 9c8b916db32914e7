/*
 * redis_client: the one connection to Redis, made and made again.
 *
 *                 ready                     failed, lost with something outstanding
 *   OPENING ----------------------> UP -------------------------------------------> DOWN
 *      ^  \                         |                                               ^  |
 *      |   `------------------------|------ failed, or the owner gave up ----------'   |
 *      `---- lost while idle -------'                                                  |
 *                                   ^-------- the probe was answered -----------------'
 *
 * While DOWN it probes: a try to connect and to be greeted, one at a time, with pauses that double up to PAUSE_MAX_MS.
 * A server that comes back only to fail again at once does not make the pauses short again. With Sentinel, each try
 * first finds out who the master is.
 */
#ifndef GATEPOST_STORE_REDIS_CLIENT_H
#define GATEPOST_STORE_REDIS_CLIENT_H

#include "store/login_store.h"
#include "store/redis_link.h"
#include "store/redis_sentinel.h"

/* What the owner does; none of it is called from within the functions below, but `down` from redis_link_fail and
 * redis_client_give_up. */
struct redis_client_owner {
    void (*up)(void *context);
    void (*down)(void *context, const char *why); /* what is outstanding will not be answered */
    bool (*is_idle)(void *context);               /* nothing is outstanding */
    void *context;
};

enum { REDIS_TRIAL_WORDS = 7 };

struct redis_client {
    struct redis_url url;
    struct str
        trial[REDIS_TRIAL_WORDS]; /* a look-up, so that a server that greets well but does not answer these is not up */
    enum login_store_state state;
    struct redis_link *link; /* being made, or in use; NULL between tries */

    uv_loop_t *loop;
    uv_timer_t pause;
    struct redis_sentinel sentinel;
    struct redis_client_owner owner;
    uint32_t timeout_ms, pause_ms;
    uint64_t up_since_ms;
};

/* Begins to connect to client->url; this and the trial have been filled in by the caller. */
void redis_client_start(struct redis_client *client, uv_loop_t *loop, uint32_t timeout_ms,
                        const struct redis_client_owner *owner);

/* While OPENING: this has taken too long. From now on it is DOWN, and the try that is under way is the probe. */
void redis_client_give_up(struct redis_client *client);

/* Closes all; the owner is not called any more. The struct, whose data is the timer's, may be freed in on_closed. */
void redis_client_close(struct redis_client *client, uv_close_cb on_closed, void *data);

#endif
