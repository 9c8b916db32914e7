#include "store/redis_dial.h"

#include <stdio.h>

enum {
    KEEPALIVE_S = 60,
    RESOLVE_MS = 5000 /* longer than a name server that works takes; then another host may do */
};

static void dial_next(struct redis_dial *dial);

static void dial_release(struct redis_dial *dial)
{
    if (--dial->n_open == 0)
        dial->closed(dial);
}

static void on_closed(uv_handle_t *handle)
{
    dial_release(handle->data);
}

void redis_dial_close(struct redis_dial *dial)
{
    dial->closing = true;
    uv_close((uv_handle_t *)&dial->timer, on_closed);
    if (dial->phase == DIAL_RESOLVING)
        (void)uv_cancel((uv_req_t *)&dial->lookup); /* else its callback comes when the look-up is through */
    else if (dial->phase == DIAL_OPEN && !uv_is_closing(&dial->peer.handle))
        uv_close(&dial->peer.handle, on_closed);
}

static void on_reopen(uv_handle_t *handle)
{
    struct redis_dial *dial = handle->data;
    dial->phase = DIAL_IDLE;
    if (!dial->closing)
        dial_next(dial);
    dial_release(dial);
}

/* This address is of no use. */
static void dial_give_up(struct redis_dial *dial, const char *fault)
{
    (void)uv_timer_stop(&dial->timer);
    if (dial->next_addr < dial->n_addrs)
        uv_close(&dial->peer.handle, on_reopen);
    else
        dial->failed(dial, fault);
}

static void on_late(uv_timer_t *timer)
{
    struct redis_dial *dial = timer->data;
    if (dial->phase == DIAL_RESOLVING)
        dial->failed(dial, "its name is not looked up in time");
    else
        dial_give_up(dial, "it does not take the connection");
}

static void on_connect(uv_connect_t *connect, int status)
{
    struct redis_dial *dial = connect->data;
    if (dial->closing || uv_is_closing(&dial->peer.handle))
        return;
    if (status < 0) {
        dial_give_up(dial, uv_strerror(status));
        return;
    }
    (void)uv_timer_stop(&dial->timer);
    dial->connected(dial);
}

static void dial_opened(struct redis_dial *dial)
{
    dial->n_open++;
    dial->phase = DIAL_OPEN;
    dial->peer.handle.data = dial;
    dial->connect.data = dial;
}

static void dial_next(struct redis_dial *dial)
{
    const struct sockaddr *addr = (const struct sockaddr *)&dial->addrs[dial->next_addr++];
    uint64_t share_ms = dial->limit_ms / dial->n_addrs;
    int r = uv_tcp_init(dial->timer.loop, &dial->peer.tcp);
    if (r < 0) {
        dial->failed(dial, uv_strerror(r));
        return;
    }
    dial_opened(dial);
    r = uv_tcp_connect(&dial->connect, &dial->peer.tcp, addr, on_connect);
    if (r == 0)
        r = uv_timer_start(&dial->timer, on_late, share_ms > 0 ? share_ms : 1, 0);
    if (r < 0) {
        dial_give_up(dial, uv_strerror(r));
        return;
    }
    (void)uv_tcp_nodelay(&dial->peer.tcp, 1);
    (void)uv_tcp_keepalive(&dial->peer.tcp, 1, KEEPALIVE_S);
}

static void dial_path(struct redis_dial *dial)
{
    int r = uv_pipe_init(dial->timer.loop, &dial->peer.pipe, 0);
    if (r == 0) {
        dial_opened(dial);
        uv_pipe_connect(&dial->connect, &dial->peer.pipe, dial->path, on_connect);
        r = uv_timer_start(&dial->timer, on_late, dial->limit_ms, 0);
    }
    if (r < 0)
        dial->failed(dial, uv_strerror(r));
}

static void on_resolved(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found)
{
    struct redis_dial *dial = lookup->data;
    dial->phase = DIAL_IDLE;
    if (!dial->closing)
        (void)uv_timer_stop(&dial->timer);
    for (const struct addrinfo *at = found; at && dial->n_addrs < REDIS_ADDRS_MAX; at = at->ai_next)
        if (at->ai_addrlen <= sizeof dial->addrs[0])
            memcpy(&dial->addrs[dial->n_addrs++], at->ai_addr, at->ai_addrlen);
    uv_freeaddrinfo(found);
    if (!dial->closing && dial->n_addrs > 0)
        dial_next(dial);
    else if (!dial->closing)
        dial->failed(dial, status < 0 ? uv_strerror(status) : "its name has no address");
    dial_release(dial);
}

static void dial_resolve(struct redis_dial *dial)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    char port[8];
    (void)snprintf(port, sizeof port, "%u", (unsigned)dial->host->port);
    dial->lookup.data = dial;
    int r = uv_getaddrinfo(dial->timer.loop, &dial->lookup, on_resolved, dial->host->name, port, &hints);
    if (r < 0) {
        dial->failed(dial, uv_strerror(r));
        return;
    }
    dial->phase = DIAL_RESOLVING;
    dial->n_open++;
    (void)uv_timer_start(&dial->timer, on_late, RESOLVE_MS, 0);
}

static void on_start(uv_timer_t *timer)
{
    struct redis_dial *dial = timer->data;
    const struct redis_host *host = dial->host;
    if (!host) {
        dial_path(dial);
    } else if (uv_ip4_addr(host->name, host->port, (struct sockaddr_in *)&dial->addrs[0]) == 0 ||
               uv_ip6_addr(host->name, host->port, (struct sockaddr_in6 *)&dial->addrs[0]) == 0) {
        dial->n_addrs = 1;
        dial_next(dial);
    } else {
        dial_resolve(dial);
    }
}

void redis_dial_start(struct redis_dial *dial, uv_loop_t *loop, const struct redis_host *host, const char *path,
                      uint32_t limit_ms)
{
    dial->host = host;
    dial->path = path;
    dial->limit_ms = limit_ms;
    (void)uv_timer_init(loop, &dial->timer); /* only fills it in */
    dial->timer.data = dial;
    dial->n_open = 1;
    (void)uv_timer_start(&dial->timer, on_start, 0, 0);
}
