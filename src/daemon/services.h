/*
 * services: what is spoken on which endpoints, and all that take part in it: sockets, servers, and their connections.
 *
 * services_bind is for the process that may still be root; services_make and services_start follow once there is
 * somebody to answer.
 */
#ifndef GATEPOST_DAEMON_SERVICES_H
#define GATEPOST_DAEMON_SERVICES_H

#include "daemon/control.h"
#include "daemon/listener.h"
#include "daemon/policy.h"
#include "daemon/privileges.h"

enum {
    SERVICE_COUNT = 3,
    SERVICES_RESERVED = 16 /* connections, so that clients of the policy service cannot keep others out */
};

struct service_listener;

/* All zeros at first. */
struct services {
    struct server_budget budget;
    struct server *servers[SERVICE_COUNT];
    size_t n_running; /* of them */
    struct service_listener *listeners;
    struct server_entrance *entrances; /* one for each; they outlive the listeners */
    size_t n_listeners, n_entrances;
    void (*ended)(void *context);
    void *context;
};

/* Binds the endpoints of the configuration, which must outlive them, with folders for the identity where these are the
 * presets. Login and control sockets that nobody has asked for are left out, with a warning, where they cannot be had.
 * Returns 0, or a negative errno with the fault in *error: -EINVAL for what is wrong with the configuration. */
int services_bind(struct services *services, uv_loop_t *loop, const struct config *config,
                  const struct identity *identity, struct error *error);

/* Makes the servers. All that is given must outlive them. Returns 0, or a negative errno with the fault in *error. */
int services_make(struct services *services, uv_loop_t *loop, const struct config *config, struct counters *counters,
                  struct policy *policy, struct control_desk *desk, struct error *error);

/* Begins to take connections. Returns 0, or a negative errno with the fault in *error. */
int services_start(struct services *services, struct error *error);

/* Takes no more connections. */
void services_close(struct services *services);

/* Ends the servers as server_stop does, and calls ended when the last connection is gone; where there is no server, at
 * once. */
void services_stop(struct services *services, uint64_t wait_ms, void (*ended)(void *context), void *context);

/* After the loop has ended. */
void services_free(struct services *services);

#endif
