#include "daemon/services.h"

#include "daemon/log.h"
#include "daemon/login_report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char unix_scheme[] = "unix:";

/* The kinds of endpoints. Login and control sockets are unix sockets, since their permissions say who may use them. */
static const struct kind {
    const struct server_protocol *protocol;
    enum config_key listen, mode, group;
    bool only_unix;
    uint32_t reserved; /* connections beyond max_connections */
} kinds[SERVICE_COUNT] = {
    { &policy_protocol, CONFIG_LISTEN, CONFIG_SOCKET_MODE, CONFIG_SOCKET_GROUP, false, 0 },
    { &login_protocol, CONFIG_LOGIN_LISTEN, CONFIG_LOGIN_MODE, CONFIG_LOGIN_GROUP, true, SERVICES_RESERVED },
    { &control_protocol, CONFIG_CONTROL_LISTEN, CONFIG_CONTROL_MODE, CONFIG_CONTROL_GROUP, true, SERVICES_RESERVED },
};

struct service_listener {
    struct listener *listener;
    size_t kind;
    struct server_entrance *entrance;
};

/* Endpoints. */

static int bind_endpoint(struct services *services, uv_loop_t *loop, const struct config *config, size_t k,
                         const char *endpoint, struct error *error)
{
    const struct kind *kind = &kinds[k];
    struct socket_access access = { config_number(config, kind->mode), config_text(config, kind->group) };
    struct service_listener *listener = &services->listeners[services->n_listeners];
    if (kind->only_unix && strncmp(endpoint, unix_scheme, sizeof unix_scheme - 1) != 0)
        return error_set(error, -EINVAL, "%s: \"%s\": only unix sockets (unix:/path) can be listened on here",
                         config_info(kind->listen)->name, endpoint);
    int r = listener_open(&listener->listener, loop, endpoint, &access, error);
    if (r < 0)
        return r;
    listener->kind = k;
    listener->entrance = &services->entrances[services->n_listeners++];
    listener->entrance->endpoint = endpoint;
    services->n_entrances = services->n_listeners;
    return 0;
}

static bool is_asked_for(const struct config *config, const struct kind *kind)
{
    return !kind->only_unix || config->value[kind->listen].set || config->value[kind->mode].set ||
           config->value[kind->group].set;
}

static int bind_kind(struct services *services, uv_loop_t *loop, const struct config *config, size_t k,
                     const struct identity *identity, struct error *error)
{
    const struct config_value *listen = &config->value[kinds[k].listen];
    for (size_t i = 0; i < listen->n; i++) {
        if (kinds[k].only_unix && !listen->set)
            make_folder_of(listen->texts[i] + sizeof unix_scheme - 1, identity);
        int r = bind_endpoint(services, loop, config, k, listen->texts[i], error);
        if (r < 0 && is_asked_for(config, &kinds[k]))
            return r;
        if (r < 0)
            log_warning("going on without %s: %s", config_info(kinds[k].listen)->name, error->text);
    }
    return 0;
}

int services_bind(struct services *services, uv_loop_t *loop, const struct config *config,
                  const struct identity *identity, struct error *error)
{
    size_t n = 0;
    int r = 0;
    for (size_t k = 0; k < SERVICE_COUNT; k++)
        n += config->value[kinds[k].listen].n;
    services->listeners = calloc(n, sizeof *services->listeners);
    services->entrances = calloc(n, sizeof *services->entrances);
    if (!services->listeners || !services->entrances)
        return error_set(error, -ENOMEM, "out of memory");
    for (size_t k = 0; k < SERVICE_COUNT && r == 0; k++)
        r = bind_kind(services, loop, config, k, identity, error);
    return r;
}

int services_start(struct services *services, struct error *error)
{
    int r = 0;
    for (size_t i = 0; i < services->n_listeners && r == 0; i++) {
        struct service_listener *listener = &services->listeners[i];
        listener->entrance->server = services->servers[listener->kind];
        r = listener_start(listener->listener, server_accept, listener->entrance, error);
    }
    return r;
}

void services_close(struct services *services)
{
    for (size_t i = 0; i < services->n_listeners; i++)
        listener_close(services->listeners[i].listener);
    services->n_listeners = 0;
}

/* Servers. */

int services_make(struct services *services, uv_loop_t *loop, const struct config *config, struct counters *counters,
                  struct policy *policy, struct control_desk *desk, struct error *error)
{
    struct server_limits limits = { .budget = &services->budget,
                                    .counters = counters,
                                    .max_request_bytes = config_number(config, CONFIG_MAX_REQUEST_BYTES),
                                    .allow = &config->value[CONFIG_LISTEN_ALLOW] };
    services->budget.max = config_number(config, CONFIG_MAX_CONNECTIONS);
    for (size_t k = 0; k < SERVICE_COUNT; k++) {
        void *context = kinds[k].protocol == &policy_protocol ? (void *)policy : desk;
        limits.reserved = kinds[k].reserved;
        int r = server_new(&services->servers[k], loop, kinds[k].protocol, context, &limits, error);
        if (r < 0)
            return r;
        services->n_running++;
    }
    return 0;
}

static void on_server_ended(void *context)
{
    struct services *services = context;
    if (--services->n_running == 0)
        services->ended(services->context);
}

void services_stop(struct services *services, uint64_t wait_ms, void (*ended)(void *context), void *context)
{
    services->ended = ended;
    services->context = context;
    if (services->n_running == 0)
        ended(context);
    for (size_t k = 0; k < SERVICE_COUNT; k++)
        if (services->servers[k])
            server_stop(services->servers[k], wait_ms, on_server_ended, services);
}

void services_free(struct services *services)
{
    for (size_t k = 0; k < SERVICE_COUNT; k++)
        server_free(services->servers[k]);
    free(services->listeners);
    free(services->entrances);
}
