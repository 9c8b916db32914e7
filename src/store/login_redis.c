#include "store/login_redis.h"

#include "store/login_redis_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Replies. */

/* The names become entries, the same for all who asked. */
static void take_names(struct login_query *query, const struct redis_reply *reply)
{
    size_t n = 0, most = reply->n_elements < LOGIN_NAMES_MAX ? reply->n_elements : LOGIN_NAMES_MAX;
    struct login_entry *entries = NULL;
    struct str address = query->requests->address;
    char copy[IP_TEXT_SIZE]; /* the first to be told may take its text with it */
    if (most > 0 && (entries = malloc(most * sizeof *entries)) == NULL) {
        login_query_done(query, LOGIN_AWAY, "out of memory");
        return;
    }
    memcpy(copy, address.p, address.n);
    address.p = copy;
    for (size_t i = 0; i < most; i++)
        if (reply->elements[i]->text.n <= LOGIN_NAME_MAX_BYTES)
            entries[n++] = (struct login_entry){ address, reply->elements[i]->text, 0 };
    for (struct login_request *request = query->requests; request; request = request->next) {
        request->entries = entries;
        request->n_entries = n;
        request->whole = reply->n_elements <= LOGIN_NAMES_MAX;
    }
    login_query_done(query, LOGIN_DONE, NULL);
    free(entries);
}

static void on_reply(struct redis_call *call, struct redis_reply **reply)
{
    struct login_query *query = (struct login_query *)call;
    struct login_request *request = query->requests;
    enum login_outcome outcome;
    struct error why;
    if ((*reply)->type == REDIS_ERROR) {
        if (login_query_error(query, (*reply)->text, &outcome, &why))
            login_query_done(query, outcome, why.text);
    } else if (request->verb == LOGIN_LOOK_UP && redis_query_is_texts(*reply)) {
        take_names(query, *reply);
    } else if (request->verb == LOGIN_RECORD && (*reply)->type == REDIS_INTEGER) {
        login_query_done(query, LOGIN_DONE, NULL);
    } else if (request->verb == LOGIN_REMOVE && (*reply)->type == REDIS_INTEGER && (*reply)->integer >= 0) {
        request->n_removed = (size_t)(*reply)->integer;
        login_query_done(query, LOGIN_DONE, NULL);
    } else {
        redis_link_fail(query->store->client.link, "sent nonsense in answer to a command");
    }
}

/* Requests. */

static int send_query(struct login_query *query)
{
    struct login_redis *store = query->store;
    const struct login_request *request = query->requests;
    struct redis_link *link = store->client.link;
    char text[REDIS_KEY_SIZE];
    struct str key;
    query->sent = true;
    query->call.replied = on_reply;
    if (request->verb == LOGIN_LIST)
        return login_list_start(query);
    if (!redis_query_key(store->prefix, request->address, text, &key))
        return -EINVAL;
    switch (request->verb) {
    case LOGIN_RECORD:
        return redis_query_record(link, &query->call, key, request);
    case LOGIN_REMOVE:
        return redis_query_remove(link, &query->call, key, request);
    default:
        return redis_query_look_up(link, &query->call, key, request);
    }
}

static bool join(struct login_redis *store, struct login_request *request)
{
    struct login_query *other = login_query_find(store, request->address);
    /* What ends between the one second and the other must not count, so the answer is shared within one only. */
    if (other && request->verb == LOGIN_LOOK_UP && other->requests->now == request->now) {
        *other->last_request = request;
        other->last_request = &request->next;
        return true;
    }
    if (request->verb != LOGIN_LIST)
        login_query_forget(other);
    return false;
}

static int submit(struct login_store *base, struct login_request *request)
{
    struct login_redis *store = (struct login_redis *)base;
    if (store->closing || store->client.state == LOGIN_STORE_DOWN)
        return -EAGAIN;
    if (request->verb == LOGIN_LIST ? !login_list_is_cursor(request->cursor) : request->address.n >= IP_TEXT_SIZE)
        return -EINVAL;
    uv_update_time(store->timer.loop); /* the callback we are in may have taken long already */
    request->next = NULL;
    request->why = NULL;
    request->entries = NULL;
    request->n_entries = request->n_removed = 0;
    request->whole = false;
    if (join(store, request))
        return 0;
    struct login_query *query = calloc(1, sizeof *query);
    if (!query)
        return -ENOMEM;
    query->store = store;
    query->requests = request;
    query->last_request = &request->next;
    query->deadline_ms = uv_now(store->timer.loop) + store->timeout_ms;
    int r = store->client.state == LOGIN_STORE_UP ? send_query(query) : 0;
    if (r < 0) {
        if (query->release)
            query->release(query);
        free(query);
        return r;
    }
    login_query_add(store, query);
    if (request->verb == LOGIN_LOOK_UP)
        login_query_offer(query);
    return 0;
}

static enum login_store_state state(const struct login_store *base)
{
    return ((const struct login_redis *)base)->client.state;
}

/* The connection comes and goes. */

/* Sends what has waited for the connection. */
static void send_waiting(struct login_redis *store)
{
    struct login_query *query = store->first, *next, *failed = NULL;
    for (; query; query = next) {
        next = query->next;
        if (send_query(query) < 0) {
            login_query_remove(query);
            query->next = failed;
            failed = query;
        }
    }
    login_queries_end(failed, "the request cannot be sent");
}

static void on_up(void *context)
{
    struct login_redis *store = context;
    bool report = store->reported != REPORTED_UP;
    store->reported = REPORTED_UP;
    login_policy_ask(store);
    send_waiting(store);
    if (report && !store->closing)
        store->listener.changed(store->listener.context, true, NULL);
}

static void on_down(void *context, const char *why)
{
    struct login_redis *store = context;
    struct login_query *all = login_queries_take(store);
    bool report = store->reported != REPORTED_DOWN;
    store->reported = REPORTED_DOWN;
    if (report)
        store->listener.changed(store->listener.context, false, why);
    login_queries_end(all, why);
}

static bool is_idle(void *context)
{
    return ((struct login_redis *)context)->first == NULL;
}

/* Beginning and end. */

static void on_closed(uv_handle_t *handle)
{
    struct login_redis *store = handle->data;
    if (--store->n_open > 0)
        return;
    explicit_bzero(&store->client.url, sizeof store->client.url);
    free(store);
}

static void close_store(struct login_store *base)
{
    struct login_redis *store = (struct login_redis *)base;
    if (store->closing)
        return;
    store->closing = true;
    struct login_query *all = login_queries_take(store);
    redis_client_close(&store->client, on_closed, store);
    uv_close((uv_handle_t *)&store->timer, on_closed);
    login_queries_end(all, "the store is being closed");
}

static const struct login_store_ops ops = { submit, state, close_store };

int login_redis_check(const char *url, struct error *error)
{
    struct redis_url parsed;
    int r = redis_url_parse(url, &parsed, error);
    explicit_bzero(&parsed, sizeof parsed);
    return r;
}

int login_redis_open(struct login_store **out, uv_loop_t *loop, const struct login_store_options *options,
                     struct error *error)
{
    struct login_redis *store = calloc(1, sizeof *store);
    struct redis_client_owner owner = { on_up, on_down, is_idle, store };
    if (!store)
        return error_set(error, -ENOMEM, "out of memory");
    int r = redis_url_parse(options->url, &store->client.url, error);
    if (r == 0 && strlen(options->prefix) > REDIS_PREFIX_MAX)
        r = error_set(error, -EINVAL, "redis_prefix is longer than %d bytes", REDIS_PREFIX_MAX);
    if (r == 0 && (r = uv_random(NULL, NULL, &store->join_seed, sizeof store->join_seed, 0, NULL)) < 0)
        error_set(error, r, "random numbers: %s", uv_strerror(r));
    if (r < 0) {
        explicit_bzero(store, sizeof *store);
        free(store);
        return r;
    }
    store->store.ops = &ops;
    store->listener = options->listener;
    store->timeout_ms = options->timeout_ms;
    (void)snprintf(store->prefix, sizeof store->prefix, "%s", options->prefix);
    struct str key;
    (void)redis_query_key(store->prefix, str_make("", 0), store->trial_key, &key);
    redis_query_trial(store->client.trial, key);
    (void)uv_timer_init(loop, &store->timer); /* only fills it in */
    store->timer.data = store;
    store->n_open = 2;
    redis_client_start(&store->client, loop, options->timeout_ms, &owner);
    *out = &store->store;
    return 0;
}
