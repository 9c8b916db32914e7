/*
 * listener: an endpoint on which connections are taken.
 *
 * Opened (bound, with its permissions set) while the process may still be root, and started once there is somebody to
 * answer. A stale unix socket is replaced; one on which a server answers is never taken from it.
 */
#ifndef GATEPOST_DAEMON_LISTENER_H
#define GATEPOST_DAEMON_LISTENER_H

#include "conf/endpoint.h"

#include <stdint.h>
#include <uv.h>

struct listener;

/* What a unix socket is to have. */
struct socket_access {
    uint32_t mode;
    const char *group; /* "" leaves the group as it is */
};

/* Called when a connection waits. The callee calls uv_accept on the stream; where it cannot for want of memory it
 * returns -ENOMEM and is called again later. */
typedef int listener_accept(uv_stream_t *server, bool is_unix, void *context);

/* Binds the endpoint. Returns 0 with *listener; or a negative errno with the fault in *error, -EADDRINUSE where another
 * server is running there. The loop must be run for listener_close to end. */
int listener_open(struct listener **listener, uv_loop_t *loop, const char *endpoint, const struct socket_access *access,
                  struct error *error);

/* Begins to take connections. Returns 0, or a negative errno with the fault in *error. */
int listener_start(struct listener *listener, listener_accept *accept, void *context, struct error *error);

/* Takes no more connections, removes a unix socket, and frees the listener when the loop has closed it. */
void listener_close(struct listener *listener);

#endif
