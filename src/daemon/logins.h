/*
 * logins: who has logged in, as the connections ask and report it.
 *
 * In front of the store stands a queue: a login that the store cannot take yet is kept, up to LOGIN_QUEUE_MAX, and
 * stored in order when the store is back. What waits there counts for this daemon's own answers. Nothing here blocks.
 */
#ifndef GATEPOST_DAEMON_LOGINS_H
#define GATEPOST_DAEMON_LOGINS_H

#include "core/decide.h"
#include "core/login_event.h"
#include "daemon/login_queue.h"

struct logins;

/* Opens the store of the options, whose listener is set here. Returns 0, or a negative errno with the fault in *error.
 */
int logins_open(struct logins **logins, uv_loop_t *loop, const struct login_store_options *options,
                struct error *error);

/* A look-up that somebody waits for. All zeros at first; the caller sets `answered` and `context`. */
struct login_wait {
    void (*answered)(struct login_wait *wait);
    void *context;
    struct login_facts facts;      /* valid during `answered` */
    struct login_look_up *look_up; /* under way, or NULL */
};

/* Asks which logins of the address are on record. `answered` is called once, perhaps before this returns; never after
 * login_wait_cancel. Returns 0, or -ENOMEM, and it is not called then. */
int logins_look_up(struct logins *logins, const struct ip_addr *addr, int64_t now, struct login_wait *wait);
void login_wait_cancel(struct login_wait *wait);

/* A report of a login whose fate somebody waits for. All zeros at first; the caller sets `answered` and `context`. */
struct login_report {
    /* The login is stored, or why it waits. */
    void (*answered)(struct login_report *report, const char *why_it_waits);
    void *context;
    struct queued_login *login; /* under way, or NULL */
};

/* Records the event at `now`. Like logins_look_up. */
int logins_record(struct logins *logins, const struct login_event *event, int64_t now, struct login_report *report);
void login_report_cancel(struct login_report *report);

/* Hands a request of the command line to the store, as login_store_submit does. */
int logins_submit(struct logins *logins, struct login_request *request);

/* How long an answer of the store is waited for. */
struct time_limits *logins_limits(struct logins *logins);

/* Forgets the logins of the address that wait, and returns how many they were; those that the store has in hand will
 * not wait. */
size_t logins_forget(struct logins *logins, struct str address);

/* The oldest of the logins that wait, others by their `next`; NULL where none does. */
const struct queued_login *logins_waiting(const struct logins *logins);

size_t logins_n_waiting(const struct logins *logins);

/* A store that does not answer in time counts as down. */
enum login_store_state logins_state(const struct logins *logins);

/* Ends the store, once it has had some time to take what waits; the rest is lost, and said to be. The loop must be run
 * for that to end. NULL is fine. */
void logins_close(struct logins *logins);

/* After the loop has ended. NULL is fine. */
void logins_free(struct logins *logins);

#endif
