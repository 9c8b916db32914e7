#include "store/redis_client.h"

#include <errno.h>
#include <stdio.h>

enum {
    CONNECT_MAX_MS = 500, /* a server that is back must not be missed for long because its machine was silent */
    GREETING_MAX_MS = 1000,
    GREETING_SENTINEL_MAX_MS = 400, /* a master that hangs is not waited for while Sentinel may have another */
    PAUSE_FIRST_MS = 50,
    PAUSE_MAX_MS = 400,
    SETTLED_MS = 1000 /* a connection that lasted as long was a good one */
};

static void begin_try(struct redis_client *client);

static void on_pause_over(uv_timer_t *timer)
{
    begin_try(timer->data);
}

/* Pauses for between half and the whole of pause_ms, so that several daemons do not come all at once. */
static void try_later(struct redis_client *client)
{
    uint32_t ms = client->pause_ms ? client->pause_ms : PAUSE_FIRST_MS;
    client->pause_ms = ms * 2 < PAUSE_MAX_MS ? ms * 2 : PAUSE_MAX_MS;
    ms -= (uint32_t)(uv_hrtime() % (ms / 2 + 1));
    (void)uv_timer_start(&client->pause, on_pause_over, ms, 0);
}

static void go_down(struct redis_client *client, const char *why)
{
    if (client->state == LOGIN_STORE_DOWN)
        return;
    client->state = LOGIN_STORE_DOWN;
    client->owner.down(client->owner.context, why);
}

static void try_failed(struct redis_client *client, const char *why)
{
    try_later(client);
    go_down(client, why);
}

static void on_ready(void *context)
{
    struct redis_client *client = context;
    if (client->url.kind == REDIS_URL_SENTINEL)
        redis_sentinel_trust(&client->sentinel);
    client->state = LOGIN_STORE_UP;
    client->up_since_ms = uv_now(client->loop);
    client->owner.up(client->owner.context);
}

/* The connection that was in use has ended. */
static void end_use(struct redis_client *client, enum redis_link_end end, const char *why)
{
    bool settled = uv_now(client->loop) - client->up_since_ms >= SETTLED_MS;
    bool idle = end == REDIS_LINK_LOST && client->owner.is_idle(client->owner.context);
    if (settled)
        client->pause_ms = 0;
    if (settled && idle)
        (void)uv_timer_start(&client->pause, on_pause_over, 0, 0);
    else
        try_later(client);
    if (idle)
        client->state = LOGIN_STORE_OPENING;
    else
        go_down(client, why);
}

static void on_ended(void *context, enum redis_link_end end, const char *why)
{
    struct redis_client *client = context;
    client->link = NULL;
    if (client->state == LOGIN_STORE_UP)
        end_use(client, end, why);
    else if (client->url.kind != REDIS_URL_SENTINEL || redis_sentinel_ask(&client->sentinel) < 0)
        try_failed(client, why);
}

static int connect_to(struct redis_client *client, const struct redis_host *host)
{
    uint32_t greeting_ms = client->url.kind == REDIS_URL_SENTINEL ? GREETING_SENTINEL_MAX_MS : GREETING_MAX_MS;
    struct redis_link_options options = {
        .kind = client->url.kind == REDIS_URL_SENTINEL ? REDIS_LINK_MASTER : REDIS_LINK_SERVER,
        .url = &client->url,
        .host = host,
        .connect_ms = client->timeout_ms < CONNECT_MAX_MS ? client->timeout_ms : CONNECT_MAX_MS,
        .handshake_ms = client->timeout_ms < greeting_ms ? client->timeout_ms : greeting_ms,
        .trial = client->trial,
        .n_trial = REDIS_TRIAL_WORDS,
        .ready = on_ready,
        .ended = on_ended,
        .context = client,
    };
    return redis_link_open(&client->link, client->loop, &options);
}

static void on_master_found(void *context, const struct redis_host *master)
{
    struct redis_client *client = context;
    if (connect_to(client, master) < 0)
        try_failed(client, "out of memory");
}

static void on_no_master(void *context, const char *why)
{
    try_failed(context, why);
}

static void begin_try(struct redis_client *client)
{
    int r;
    if (client->url.kind == REDIS_URL_SENTINEL)
        r = redis_sentinel_begin(&client->sentinel);
    else
        r = connect_to(client, client->url.kind == REDIS_URL_UNIX ? NULL : &client->url.hosts[0]);
    if (r < 0)
        try_failed(client, "out of memory");
}

void redis_client_start(struct redis_client *client, uv_loop_t *loop, uint32_t timeout_ms,
                        const struct redis_client_owner *owner)
{
    client->loop = loop;
    client->owner = *owner;
    client->timeout_ms = timeout_ms;
    client->state = LOGIN_STORE_OPENING;
    client->sentinel = (struct redis_sentinel){
        .loop = loop, .url = &client->url, .found = on_master_found, .gave_up = on_no_master, .context = client
    };
    (void)uv_timer_init(loop, &client->pause); /* only fills it in */
    client->pause.data = client;
    (void)uv_timer_start(&client->pause, on_pause_over, 0, 0);
}

void redis_client_give_up(struct redis_client *client)
{
    struct error why;
    const struct redis_link *link = client->link ? client->link : client->sentinel.link;
    (void)snprintf(why.text, sizeof why.text, "%s has given no usable connection within %u ms",
                   link ? redis_link_name(link) : "Redis", (unsigned)client->timeout_ms);
    go_down(client, why.text);
}

void redis_client_close(struct redis_client *client, uv_close_cb on_closed, void *data)
{
    redis_link_close(client->link);
    redis_sentinel_stop(&client->sentinel);
    client->link = NULL;
    client->pause.data = data;
    uv_close((uv_handle_t *)&client->pause, on_closed);
}
