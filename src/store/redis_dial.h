/*
 * redis_dial: resolves a host, and connects a stream to the first of its addresses that takes the connection; or
 * connects one to the path of a socket.
 *
 * It is part of what it is for, which must stay until `closed` is called. libuv wants a stream to be closed and made
 * anew for each address; all that is done in here, and the stream may be used once `connected` has been called.
 */
#ifndef GATEPOST_STORE_REDIS_DIAL_H
#define GATEPOST_STORE_REDIS_DIAL_H

#include "store/redis_url.h"

#include <uv.h>

enum { REDIS_ADDRS_MAX = 4 /* of one host that are tried */ };

struct redis_dial {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } peer;

    /* Set by the user; called from the loop only. `failed` gets what has gone wrong, in words. */
    void (*connected)(struct redis_dial *dial);
    void (*failed)(struct redis_dial *dial, const char *fault);
    void (*closed)(struct redis_dial *dial);

    uv_timer_t timer;
    uv_getaddrinfo_t lookup;
    uv_connect_t connect;
    const struct redis_host *host;
    const char *path;
    uint32_t limit_ms;
    enum { DIAL_IDLE, DIAL_RESOLVING, DIAL_OPEN } phase; /* DIAL_OPEN: the stream is to be closed */
    bool closing;
    unsigned n_open; /* handles and requests that libuv has */
    struct sockaddr_storage addrs[REDIS_ADDRS_MAX];
    size_t n_addrs, next_addr;
};

/* Begins, within limit_ms for all addresses together; looking the name up has no limit but the resolver's own, so that
 * there is never more than one look-up. host, or where that is NULL path, must stay as long as the dial. */
void redis_dial_start(struct redis_dial *dial, uv_loop_t *loop, const struct redis_host *host, const char *path,
                      uint32_t limit_ms);

/* Closes everything, the stream too, and calls `closed` when that is done. Once only. */
void redis_dial_close(struct redis_dial *dial);

#endif
