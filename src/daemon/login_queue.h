/*
 * login_queue: logins that wait for the store, in the order in which they came.
 *
 * Bounded: where it is full, the oldest makes room. A login that waits is found by its address; one that is reported
 * again while it waits is prolonged in its place. All costs are O(1) but for the walk over the logins of one address.
 */
#ifndef GATEPOST_DAEMON_LOGIN_QUEUE_H
#define GATEPOST_DAEMON_LOGIN_QUEUE_H

#include "core/key_map.h"
#include "daemon/time_limits.h"
#include "store/login_store.h"

enum { LOGIN_QUEUE_MAX = 100000 };

struct login_report;
struct logins;

/* A login on its way to the store; allocated by queued_login_new and freed with free. */
struct queued_login {
    struct login_request request; /* first: the store hands it back */
    struct logins *logins;
    struct login_report *report;                /* who waits to hear of it, or NULL */
    struct time_limit limit;                    /* for telling him */
    struct queued_login *next, *prev;           /* the oldest first */
    uint64_t number;                            /* in that order */
    struct queued_login *next_here, *prev_here; /* of the same address */
    bool queued;
    bool is_direct; /* the store has it, and it has not waited */
    bool submitted; /* the store has it: it must not be freed */
    bool dropped;   /* no longer wanted while the store has it */
    bool stuck;     /* the store cannot take this one, though it takes others */
    uint64_t seen;  /* the last look-up that found it in the store, too */
    char texts[];   /* address, NUL, user */
};

struct login_queue {
    struct queued_login *first, *last;
    uint64_t last_number;
    size_t n;
    unsigned long n_forgotten; /* to make room */
    struct key_map index;      /* by address, and by address and user */
};

/* Not in the queue yet; NULL where memory is short. */
struct queued_login *queued_login_new(struct str address, struct str user, int64_t ends_at);

/* Takes the login over, and may free it at once: one that waits already is prolonged instead. Where the store has it,
 * it is then `dropped`. */
void login_queue_add(struct login_queue *queue, struct queued_login *login);

/* Puts a login of the queue at its end. */
void login_queue_move_last(struct login_queue *queue, struct queued_login *login);

/* Takes the login out, and frees it unless the store has it; it is then `dropped`. */
void login_queue_drop(struct login_queue *queue, struct queued_login *login);

/* The first login of the address, others by next_here; NULL where none waits. */
struct queued_login *login_queue_at(const struct login_queue *queue, struct str address);

/* The one that waits for this address and user; of two, of which the store has the older, the newer. */
struct queued_login *login_queue_find(const struct login_queue *queue, struct str address, struct str user);

/* Drops all. */
void login_queue_fini(struct login_queue *queue);

#endif
