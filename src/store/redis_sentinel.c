#include "store/redis_sentinel.h"

#include "store/redis_error.h"

#include <errno.h>

/* A failover must not wait long for a sentinel that went down together with the master. */
enum { CONNECT_MS = 250, ANSWER_MS = 250 };

/* Asks on after a sentinel was of no use. */
static void ask_on(struct redis_sentinel *sentinel, const char *why)
{
    int r = redis_sentinel_ask(sentinel);
    if (r < 0)
        sentinel->gave_up(sentinel->context, r == -ENOMEM ? "out of memory" : why);
}

static void on_ended(void *context, enum redis_link_end end, const char *why)
{
    struct redis_sentinel *sentinel = context;
    (void)end;
    sentinel->link = NULL;
    ask_on(sentinel, why);
}

/* An answer is two texts: host and port. */
static bool read_master(const struct redis_reply *reply, struct redis_host *master)
{
    unsigned long port;
    if (reply->type != REDIS_ARRAY || reply->n_elements != 2 || reply->elements[0]->type != REDIS_TEXT ||
        reply->elements[1]->type != REDIS_TEXT)
        return false;
    struct str host = reply->elements[0]->text;
    if (host.n == 0 || host.n >= sizeof master->name || !str_to_number(reply->elements[1]->text, UINT16_MAX, &port))
        return false;
    for (size_t i = 0; i < host.n; i++)
        if (ascii_is_control(host.p[i]) || host.p[i] == ' ' || (unsigned char)host.p[i] >= 0x80)
            return false;
    memcpy(master->name, host.p, host.n);
    master->name[host.n] = '\0';
    master->port = (uint16_t)port;
    return true;
}

static void on_master(struct redis_call *call, struct redis_reply **reply)
{
    struct redis_sentinel *sentinel = (struct redis_sentinel *)((char *)call - offsetof(struct redis_sentinel, call));
    struct redis_host master;
    char error[REDIS_QUOTE_SIZE];
    if (read_master(*reply, &master)) {
        redis_sentinel_stop(sentinel);
        sentinel->found(sentinel->context, &master);
    } else if ((*reply)->type == REDIS_ERROR) {
        redis_error_describe((*reply)->text, sentinel->url, error);
        redis_link_fail(sentinel->link, "names no master: %s", error);
    } else if ((*reply)->type == REDIS_NIL) {
        redis_link_fail(sentinel->link, "knows no master %s", sentinel->url->master);
    } else {
        redis_link_fail(sentinel->link, "names no master, but sends nonsense");
    }
}

static void on_ready(void *context)
{
    struct redis_sentinel *sentinel = context;
    struct str words[] = { STR("SENTINEL"), STR("get-master-addr-by-name"), str_of(sentinel->url->master) };
    sentinel->call.replied = on_master;
    if (redis_link_send(sentinel->link, &sentinel->call, 3, words) < 0)
        redis_link_fail(sentinel->link, "cannot be asked: out of memory");
}

int redis_sentinel_ask(struct redis_sentinel *sentinel)
{
    const struct redis_url *url = sentinel->url;
    if (sentinel->n_asked == url->n_hosts)
        return -ENOENT;
    struct redis_link_options options = {
        .kind = REDIS_LINK_SENTINEL,
        .url = url,
        .host = &url->hosts[(sentinel->first + sentinel->n_asked) % url->n_hosts],
        .connect_ms = CONNECT_MS,
        .handshake_ms = ANSWER_MS,
        .ready = on_ready,
        .ended = on_ended,
        .context = sentinel,
    };
    sentinel->n_asked++;
    return redis_link_open(&sentinel->link, sentinel->loop, &options);
}

int redis_sentinel_begin(struct redis_sentinel *sentinel)
{
    sentinel->n_asked = 0;
    return redis_sentinel_ask(sentinel);
}

void redis_sentinel_trust(struct redis_sentinel *sentinel)
{
    sentinel->first = (sentinel->first + sentinel->n_asked - 1) % sentinel->url->n_hosts;
    sentinel->n_asked = 1;
}

void redis_sentinel_stop(struct redis_sentinel *sentinel)
{
    redis_link_close(sentinel->link);
    sentinel->link = NULL;
}
