/*
 * The queries of the Redis store that are outstanding: their deadlines, who has joined them, and their ends.
 */
#include "store/login_redis_state.h"
#include "store/redis_error.h"

#include <stdlib.h>

enum {
    STALL_MS = 20, /* a timer that is as late tells of a loop that stood still */
    STALL_GRACE_MS = 50
};

/* Look-ups that wait for the answer to another. Clients choose their addresses, so the hash is seeded. */

static struct login_query **bucket_of(struct login_redis *store, struct str address)
{
    uint64_t h = store->join_seed;
    for (size_t i = 0; i < address.n; i++) {
        h = (h ^ (unsigned char)address.p[i]) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    return &store->joinable[h % JOIN_BUCKETS];
}

struct login_query *login_query_find(struct login_redis *store, struct str address)
{
    struct login_query *query = *bucket_of(store, address);
    while (query && !str_equal(query->requests->address, address))
        query = query->next_joinable;
    return query;
}

void login_query_forget(struct login_query *query)
{
    if (!query || !query->joinable)
        return;
    struct login_query **at = bucket_of(query->store, query->requests->address);
    while (*at != query)
        at = &(*at)->next_joinable;
    *at = query->next_joinable;
    query->joinable = false;
}

void login_query_offer(struct login_query *query)
{
    struct login_query **at = bucket_of(query->store, query->requests->address);
    query->next_joinable = *at;
    query->joinable = true;
    *at = query;
}

/* The queries that are outstanding, and their deadlines. */

static void on_timer(uv_timer_t *timer);

static void arm_timer(struct login_redis *store)
{
    uint64_t now = uv_now(store->timer.loop);
    store->looked_again = false;
    if (store->closing)
        return;
    if (!store->first)
        (void)uv_timer_stop(&store->timer);
    else
        (void)uv_timer_start(&store->timer, on_timer,
                             store->first->deadline_ms > now ? store->first->deadline_ms - now : 0, 0);
}

void login_query_add(struct login_redis *store, struct login_query *query)
{
    query->prev = store->last;
    if (store->last)
        store->last->next = query;
    else
        store->first = query;
    store->last = query;
    if (store->first == query)
        arm_timer(store);
}

void login_query_remove(struct login_query *query)
{
    struct login_redis *store = query->store;
    bool was_first = store->first == query;
    if (query->next)
        query->next->prev = query->prev;
    else
        store->last = query->prev;
    if (query->prev)
        query->prev->next = query->next;
    else
        store->first = query->next;
    login_query_forget(query);
    if (was_first)
        arm_timer(store);
}

/* Tells the requests of a query that is not among the outstanding ones any more. */
static void tell_requests(struct login_query *query, enum login_outcome outcome, const char *why)
{
    struct login_request *request = query->requests, *next;
    for (; request; request = next) {
        next = request->next;
        request->outcome = outcome;
        request->why = why;
        request->done(request);
    }
    if (query->release)
        query->release(query);
    free(query);
}

void login_query_done(struct login_query *query, enum login_outcome outcome, const char *why)
{
    login_query_remove(query);
    tell_requests(query, outcome, why);
}

void login_queries_end(struct login_query *query, const char *why)
{
    struct login_query *next;
    for (; query; query = next) {
        next = query->next;
        tell_requests(query, LOGIN_AWAY, why);
    }
}

struct login_query *login_queries_take(struct login_redis *store)
{
    struct login_query *all = store->first;
    for (struct login_query *query = all; query; query = query->next)
        login_query_forget(query);
    store->first = store->last = NULL;
    arm_timer(store);
    return all;
}

/* The deadline of the first query is over. If our own loop has stood still, its reply may wait to be read, or the
 * command to be written: that is why the loop goes on for a moment before the server is blamed. */
static void on_timer(uv_timer_t *timer)
{
    struct login_redis *store = timer->data;
    if (!store->looked_again) {
        bool late = uv_now(timer->loop) - store->first->deadline_ms >= STALL_MS;
        store->looked_again = true;
        (void)uv_timer_start(timer, on_timer, late ? STALL_GRACE_MS : 1, 0);
    } else if (store->client.state == LOGIN_STORE_OPENING) {
        redis_client_give_up(&store->client);
    } else if (store->client.link) {
        redis_link_fail(store->client.link, "does not answer within %u ms", (unsigned)store->timeout_ms);
    }
}

bool login_query_error(struct login_query *query, struct str text, enum login_outcome *outcome, struct error *why)
{
    struct redis_client *client = &query->store->client;
    enum login_verb verb = query->requests->verb;
    bool writes = verb == LOGIN_RECORD || verb == LOGIN_REMOVE;
    char error[REDIS_QUOTE_SIZE];
    const char *words;
    enum redis_error_kind kind = redis_error_classify(text, &words);
    redis_error_describe(text, &client->url, error);
    if (kind == REDIS_ERROR_AWAY) {
        redis_link_fail(client->link, "cannot be asked: %s", error);
        return false;
    }
    if (kind == REDIS_ERROR_READONLY && client->url.kind == REDIS_URL_SENTINEL) {
        redis_link_fail(client->link, "is not the master any more: %s", error);
        return false;
    }
    *outcome = writes && kind != REDIS_ERROR_BAD_KEY ? LOGIN_NO_WRITES : LOGIN_BAD_KEY;
    (void)error_set(why, 0, "%s %s: %s", redis_link_name(client->link),
                    *outcome == LOGIN_NO_WRITES ? "takes no writes" : "cannot tell the logins of this address", error);
    return true;
}
