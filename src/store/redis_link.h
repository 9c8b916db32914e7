/*
 * redis_link: one connection to a Redis or a Sentinel, on the loop.
 *
 * It resolves, connects, says who we are (AUTH, SELECT, and PING and a command on trial to see that these are
 * answered), and is `ready` then. Commands are collected and written once per round of the loop; replies are matched to
 * them in order. Whatever goes wrong ends the link: `ended` says why, once, and from then on no callback of it is
 * called. Calls that are still outstanding are forgotten then, and are their owner's to settle. What the server sends
 * is not trusted: it is read within bounds, and a reply that nobody asked for ends the link.
 *
 * A link of the kind REDIS_LINK_MASTER asks for the ROLE in front of every batch of commands, in the same write, so
 * that a server which has become a replica ends the link before any of its answers is used.
 */
#ifndef GATEPOST_STORE_REDIS_LINK_H
#define GATEPOST_STORE_REDIS_LINK_H

#include "store/redis_reply.h"
#include "store/redis_url.h"

#include <uv.h>

struct redis_link;

/* A command that was sent, as part of what its owner knows about it. It is the link's until `replied` is called or the
 * link has ended. */
struct redis_call {
    /* The reply is freed afterwards; who keeps it sets *reply to NULL. */
    void (*replied)(struct redis_call *call, struct redis_reply **reply);
    struct redis_call *next; /* the link's */
    bool after_role;         /* the link's: the answer to a ROLE comes first */
};

enum redis_link_kind {
    REDIS_LINK_SERVER,
    REDIS_LINK_MASTER,
    REDIS_LINK_SENTINEL /* no SELECT, and one that wants no AUTH is used all the same */
};

enum redis_link_end {
    REDIS_LINK_FAILED,
    REDIS_LINK_LOST /* the connection was closed or reset after it was ready */
};

struct redis_link_options {
    enum redis_link_kind kind;
    const struct redis_url *url;   /* user, password, database and path; must stay until the link has ended */
    const struct redis_host *host; /* copied; NULL: the socket url->path */
    uint32_t connect_ms;           /* for all addresses of the host together; looking its name up has no limit */
    uint32_t handshake_ms;         /* until it is ready; with a Sentinel until it is closed */
    /* A command whose reply, an array or an error, shows that its like will be answered; n_trial 0: none. Must stay. */
    const struct str *trial;
    size_t n_trial;
    void (*ready)(void *context);
    void (*ended)(void *context, enum redis_link_end end, const char *why);
    void *context;
};

/* Begins to connect; the callbacks are called from the loop only. Returns 0 or -ENOMEM. */
int redis_link_open(struct redis_link **link, uv_loop_t *loop, const struct redis_link_options *options);

/* Takes a command, which is copied. Returns 0; -ENOMEM where memory, or room in what waits to be written, is short:
 * `replied` will not be called then. Only while the link is ready. */
int redis_link_send(struct redis_link *link, struct redis_call *call, size_t n_words, const struct str *words);

/* Ends the link because of what its owner found, as if it had failed by itself: the text follows the link's name. */
void redis_link_fail(struct redis_link *link, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Ends the link without a word. It frees itself. NULL is fine. */
void redis_link_close(struct redis_link *link);

/* "Redis at 192.0.2.1:6379". */
const char *redis_link_name(const struct redis_link *link);

#endif
