/*
 * login_store: where logins are kept, as all else sees it. login_redis.c and login_sqlite.c are the stores.
 *
 * A login is an address (canonical text, cut to the prefix that counts), a folded login name, and the Unix second at
 * which it ends. A newer login prolongs what is on record, an older one never shortens it, and what has ended counts as
 * absent.
 *
 * Whatever is asked is a struct login_request of the caller's. The store holds it from login_store_submit until it
 * calls `done`: exactly once, on the loop, and never from within submit. Nothing here waits and nothing logs; what a
 * person must read goes to the listener.
 */
#ifndef GATEPOST_STORE_LOGIN_STORE_H
#define GATEPOST_STORE_LOGIN_STORE_H

#include "core/block.h"
#include "core/error.h"

#include <uv.h>

enum {
    LOGIN_NAME_MAX_BYTES = 1024, /* a folded login name; folding can triple its length */
    LOGIN_NAMES_MAX = 10000,     /* logins of one address that are handed over; with more, they are not `whole` */
    LOGIN_CURSOR_SIZE = IP_TEXT_SIZE + LOGIN_NAME_MAX_BYTES + 1
};

enum login_outcome {
    LOGIN_DONE,
    LOGIN_AWAY,      /* the store cannot be asked: gone, hung, loading, or answering nonsense */
    LOGIN_NO_WRITES, /* it answers, but takes no record for now: a replica, memory or disk full, no permission */
    LOGIN_BAD_KEY    /* this address or this login cannot be asked about; others can */
};

/* One login on record. The texts belong to the store and are valid during `done`. */
struct login_entry {
    struct str address, user;
    int64_t ends_at; /* Unix seconds */
};

enum login_verb {
    LOGIN_RECORD,  /* address, user, ends_at */
    LOGIN_LOOK_UP, /* address; gives entries, of which ends_at may be left 0 */
    LOGIN_REMOVE,  /* address; gives n_removed, which counts what has not ended */
    LOGIN_LIST     /* cursor; gives entries, maybe none, and the cursor for the next part */
};

struct login_request {
    enum login_verb verb;
    struct str address, user; /* the caller's, until done */
    int64_t ends_at, now;     /* Unix seconds */
    char *cursor; /* LOGIN_LIST: LOGIN_CURSOR_SIZE bytes of the caller's; "" at first, and when nothing is left */
    void (*done)(struct login_request *request);
    void *context;

    /* Set when it is done. */
    enum login_outcome outcome;
    const char *why; /* where it failed: in words, without secrets; valid during `done` */
    const struct login_entry *entries;
    size_t n_entries;
    bool whole; /* LOGIN_LOOK_UP: these are all */
    size_t n_removed;

    struct login_request *next; /* the store's */
};

/* Who is told what happens to a store. Called on the loop, with texts in words and without secrets. */
struct login_listener {
    /* The store has become usable, or cannot be asked any more; why is NULL where it is up. Never twice the same. */
    void (*changed)(void *context, bool up, const char *why);
    /* Something else that the administrator should know, such as an eviction policy that loses logins. */
    void (*warned)(void *context, const char *text);
    void *context;
};

enum login_store_state {
    LOGIN_STORE_OPENING, /* the first connection is being made: what is asked waits for it */
    LOGIN_STORE_UP,
    LOGIN_STORE_DOWN /* what is asked fails at once, until the store has been found to be back */
};

struct login_store_options {
    const char *url;    /* as in the configuration key `logins`; never shown to anybody */
    const char *prefix; /* of Redis keys */
    uint32_t timeout_ms;
    bool may_be_down; /* a store that cannot be opened yet is no failure; it is tried again */
    struct login_listener listener;
};

struct login_store;

struct login_store_ops {
    int (*submit)(struct login_store *store, struct login_request *request);
    enum login_store_state (*state)(const struct login_store *store);
    void (*close)(struct login_store *store);
};

/* What every store begins with. */
struct login_store {
    const struct login_store_ops *ops;
};

/* Opens the store that options->url names; options and its texts need not outlive the call. A server that is away is no
 * failure, a URL or a file that is wrong is. Returns 0, or a negative errno with the fault in *error. */
int login_store_open(struct login_store **store, uv_loop_t *loop, const struct login_store_options *options,
                     struct error *error);

/* Whether the URL is one of a store that this build has, without opening it. Returns 0, or -EINVAL with the fault (and
 * no secret) in *error. */
int login_store_check(const char *url, struct error *error);

/* Whether the store could be opened, as far as that can be told without changing anything; a server is not asked.
 * Returns 0, or a negative errno with the fault in *error. */
int login_store_test(const char *url, struct error *error);

/* Takes the request. Returns 0; -EAGAIN where the store is down, -EINVAL for a cursor or an address that is none, or
 * -ENOMEM, and `done` is then not called. */
static inline int login_store_submit(struct login_store *store, struct login_request *request)
{
    return store->ops->submit(store, request);
}

static inline enum login_store_state login_store_state(const struct login_store *store)
{
    return store->ops->state(store);
}

/* Ends the store: what is still asked is done with LOGIN_AWAY, before this returns or while the loop runs on. The loop
 * must be run for it to end; the store frees itself. The listener is not called any more. NULL is fine. */
static inline void login_store_close(struct login_store *store)
{
    if (store)
        store->ops->close(store);
}

#endif
