/*
 * login_redis_state: what the files of the Redis store share; nobody else includes it.
 */
#ifndef GATEPOST_STORE_LOGIN_REDIS_STATE_H
#define GATEPOST_STORE_LOGIN_REDIS_STATE_H

#include "store/redis_client.h"
#include "store/redis_query.h"

enum { JOIN_BUCKETS = 4096, POLICY_SIZE = 32 };

struct login_list;

/* What is asked of Redis for one request, or for several look-ups of one address. */
struct login_query {
    struct redis_call call;
    struct login_redis *store;
    struct login_query *next, *prev; /* outstanding, in the order of their deadlines */
    struct login_request *requests, **last_request;
    uint64_t deadline_ms;
    bool sent;
    bool joinable; /* a look-up of the same address and second may wait for this one's answer */
    struct login_query *next_joinable;
    struct login_list *list;                    /* LOGIN_LIST: how far it is */
    void (*release)(struct login_query *query); /* frees what else belongs to it, or NULL */
};

struct login_redis {
    struct login_store store;
    struct redis_client client;
    char prefix[REDIS_PREFIX_MAX + 1];
    char trial_key[REDIS_KEY_SIZE];
    uint32_t timeout_ms;
    struct login_listener listener;
    enum { REPORTED_NOTHING, REPORTED_UP, REPORTED_DOWN } reported;
    bool closing;
    unsigned n_open; /* handles that libuv still has */

    struct login_query *first, *last;
    uv_timer_t timer;  /* for the deadline of the first */
    bool looked_again; /* what has come in since the deadline has been read */
    uint64_t join_seed;
    struct login_query *joinable[JOIN_BUCKETS];

    struct redis_call info;
    char policy[POLICY_SIZE]; /* the eviction policy that was warned of */
};

/* The look-up of the address that may be joined; NULL where there is none. */
struct login_query *login_query_find(struct login_redis *store, struct str address);

/* From now on it may be joined; or nobody joins it any more, since it is answered, or something has been asked that
 * must be seen. NULL is fine for the latter. */
void login_query_offer(struct login_query *query);
void login_query_forget(struct login_query *query);

/* Puts the query among those that are outstanding, with its deadline, or takes it off. */
void login_query_add(struct login_redis *store, struct login_query *query);
void login_query_remove(struct login_query *query);

/* Takes all off, and ends those that are off. In between nothing of the store is in the way of what `done` may do:
 * submit anew, or close the store. */
struct login_query *login_queries_take(struct login_redis *store);
void login_queries_end(struct login_query *query, const char *why);

/* Ends the query: its requests are done with this outcome; entries and all else are set by who calls it. */
void login_query_done(struct login_query *query, enum login_outcome outcome, const char *why);

/* An error reply to the query: its meaning for the query, or for the connection. False in the latter case: the query
 * has been done with then. */
bool login_query_error(struct login_query *query, struct str text, enum login_outcome *outcome, struct error *why);

/* Whether a list can go on from there. */
bool login_list_is_cursor(const char *cursor);

/* Begins a page of the list. Returns as redis_link_send. */
int login_list_start(struct login_query *query);

/* Asks which eviction policy the server has, and warns of one that loses logins. */
void login_policy_ask(struct login_redis *store);

#endif
