#include "daemon/logins.h"

#include "daemon/log.h"
#include "daemon/login_queue.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

enum {
    RETRY_MS = 250,      /* how often the store is asked to take what waits */
    DRAIN_AT_ONCE = 500, /* logins that are handed to the store together */
    END_WAIT_MS = 2000,  /* for the store to take what waits, at the end */
    /* A store that keeps to its time-out, as Redis', is left to say so itself. One in a file cannot: a disk may hang.
     */
    ANSWER_GRACE_MS = 100
};

struct login_look_up {
    struct login_request request; /* first: the store hands it back */
    struct logins *logins;
    struct login_wait *wait; /* NULL: nobody waits any more */
    struct time_limit limit;
    bool late;
    char address[IP_TEXT_SIZE];
};

struct logins {
    uv_timer_t retry; /* at the end, the time for draining */
    struct login_store *store;
    uint32_t timeout_ms;
    struct time_limits limits; /* for answers of the store */
    size_t n_late;             /* look-ups that it has not answered in time, and not yet */
    struct login_queue queue;
    struct queued_login *direct; /* logins that the store has, and that have not waited */
    size_t n_draining;           /* of the queue, those that the store has */
    bool refuses;                /* the store has not taken the last login: one at a time is tried */
    bool refusal_said;           /* in the log, as is the next */
    enum { SAID_NOTHING, SAID_AWAY, SAID_ASKABLE } said;
    bool ending, closed;
    uint64_t n_look_ups;
    struct log_limit full_limit, change_limit, refusal_limit;
};

static void on_retry(uv_timer_t *timer);

static void schedule_retry(struct logins *logins)
{
    if (!logins->ending && logins->queue.n > 0 && !uv_is_active((uv_handle_t *)&logins->retry))
        (void)uv_timer_start(&logins->retry, on_retry, RETRY_MS, 0);
}

/* The login may be gone afterwards. */
static void keep(struct logins *logins, struct queued_login *login)
{
    unsigned long n_forgotten = logins->queue.n_forgotten;
    login_queue_add(&logins->queue, login);
    if (logins->queue.n_forgotten > n_forgotten)
        log_warning_limited(&logins->full_limit,
                            "%d logins wait for the login store, and the oldest are forgotten: %lu so far",
                            LOGIN_QUEUE_MAX, logins->queue.n_forgotten);
    schedule_retry(logins);
}

/* Recording. */

/* Says it once. */
static void say_refusal(struct logins *logins, const char *why)
{
    logins->refuses = true;
    if (logins->refusal_said)
        return;
    logins->refusal_said = true;
    log_warning_limited(&logins->refusal_limit, "the login store takes no logins, they wait: %s", why);
}

/* What has become of a login says whether the store takes others. */
static void note_outcome(struct logins *logins, const struct login_request *request)
{
    unsigned long suppressed;
    logins->refuses = request->outcome != LOGIN_DONE && request->outcome != LOGIN_BAD_KEY;
    if (request->outcome == LOGIN_NO_WRITES) {
        say_refusal(logins, request->why);
    } else if (request->outcome == LOGIN_DONE && logins->refusal_said) {
        logins->refusal_said = false;
        if (log_limit_take(&logins->refusal_limit, &suppressed))
            log_info("the login store takes logins again");
    }
}

static void drain(struct logins *logins, bool stuck_too);
static void finish_closing(struct logins *logins);

/* A login of the queue comes back. One that cannot be stored by itself makes room for the others. */
static void on_drained(struct logins *logins, struct queued_login *login)
{
    enum login_outcome outcome = login->request.outcome;
    logins->n_draining--;
    if (login->dropped) {
        free(login);
    } else if (outcome == LOGIN_DONE) {
        login_queue_drop(&logins->queue, login);
    } else if (outcome == LOGIN_BAD_KEY) {
        login_queue_move_last(&logins->queue, login);
        login->stuck = true;
    }
    if (logins->n_draining > 0)
        return;
    bool got_on = outcome == LOGIN_DONE || outcome == LOGIN_BAD_KEY;
    if (got_on)
        drain(logins, false);
    if (logins->ending && logins->n_draining == 0)
        finish_closing(logins);
    schedule_retry(logins);
}

static void direct_add(struct logins *logins, struct queued_login *login)
{
    login->prev = NULL;
    login->next = logins->direct;
    if (login->next)
        login->next->prev = login;
    logins->direct = login;
}

static void direct_remove(struct logins *logins, struct queued_login *login)
{
    if (login->next)
        login->next->prev = login->prev;
    if (login->prev)
        login->prev->next = login->next;
    else
        logins->direct = login->next;
}

/* A login that has not waited comes back: it has been stored, or waits from now on. One that has been removed meanwhile
 * does not; it counts as stored before that. */
static void on_direct(struct logins *logins, struct queued_login *login)
{
    struct login_report *report = login->report;
    bool settled = login->request.outcome == LOGIN_DONE || login->dropped;
    const char *why = settled ? NULL : login->request.why;
    (void)time_limit_end(&logins->limits, &login->limit);
    direct_remove(logins, login);
    if (settled || logins->closed)
        free(login);
    else
        keep(logins, login);
    if (!report)
        return;
    report->login = NULL;
    report->answered(report, why);
}

static void on_recorded(struct login_request *request)
{
    struct queued_login *login = (struct queued_login *)request;
    struct logins *logins = login->logins;
    login->submitted = false;
    note_outcome(logins, request);
    if (login->is_direct)
        on_direct(logins, login);
    else
        on_drained(logins, login);
}

/* Hands the oldest of the queue to the store: one as long as it refuses, else many. Those that have ended are done
 * with. What is stuck stands at the end. */
static void drain(struct logins *logins, bool stuck_too)
{
    int64_t now = time(NULL);
    size_t most = logins->refuses ? 1 : DRAIN_AT_ONCE;
    struct queued_login *next;
    if (!logins->queue.first || logins->n_draining > 0 || logins->closed ||
        login_store_state(logins->store) != LOGIN_STORE_UP)
        return;
    for (struct queued_login *login = logins->queue.first; login && logins->n_draining < most; login = next) {
        next = login->next;
        if (login->request.ends_at <= now) {
            login_queue_drop(&logins->queue, login);
            continue;
        }
        if (login->stuck && !stuck_too)
            break;
        login->request.now = now;
        login->stuck = login->is_direct = false;
        if (login_store_submit(logins->store, &login->request) < 0)
            break;
        login->submitted = true;
        logins->n_draining++;
    }
}

static void on_retry(uv_timer_t *timer)
{
    struct logins *logins = timer->data;
    drain(logins, true);
    schedule_retry(logins);
}

/* Says once that the store cannot be asked, and once that it can. */
static void note_askable(struct logins *logins, const char *why)
{
    enum login_store_state state = logins_state(logins);
    unsigned long suppressed;
    if (logins->said != SAID_AWAY && state == LOGIN_STORE_DOWN) {
        logins->said = SAID_AWAY;
        log_warning_limited(&logins->change_limit, "the login store cannot be asked: %s", why);
    } else if (logins->said != SAID_ASKABLE && state == LOGIN_STORE_UP) {
        logins->said = SAID_ASKABLE;
        if (log_limit_take(&logins->change_limit, &suppressed))
            log_info("the login store can be asked");
    }
}

static struct error no_answer(const struct logins *logins)
{
    struct error why;
    (void)error_set(&why, 0, "it does not answer within %u ms", (unsigned)logins->timeout_ms);
    return why;
}

/* The store has a login that waits from now on as if it had been given back to be tried again. It may be gone
 * afterwards. */
static void keep_direct(struct logins *logins, struct queued_login *login)
{
    (void)time_limit_end(&logins->limits, &login->limit);
    direct_remove(logins, login);
    login->is_direct = false;
    logins->n_draining++;
    keep(logins, login);
}

/* The store has a login for too long. */
static void on_login_late(struct time_limit *limit)
{
    struct queued_login *login = (struct queued_login *)((char *)limit - offsetof(struct queued_login, limit));
    struct logins *logins = login->logins;
    struct login_report *report = login->report;
    struct error why = no_answer(logins);
    bool settled = login->dropped; /* as in on_direct */
    say_refusal(logins, why.text);
    login->report = NULL;
    if (!settled)
        keep_direct(logins, login);
    if (!report)
        return;
    report->login = NULL;
    report->answered(report, settled ? NULL : why.text);
}

int logins_record(struct logins *logins, const struct login_event *event, int64_t now, struct login_report *report)
{
    struct queued_login *login = queued_login_new(str_of(event->address), event->user.whole, event->ends_at);
    if (!login)
        return -ENOMEM;
    login->logins = logins;
    login->request.now = now;
    login->request.done = on_recorded;
    bool must_wait = logins->refuses && (logins->queue.n > 0 || logins->n_draining > 0);
    if (!must_wait && login_store_submit(logins->store, &login->request) == 0) {
        login->submitted = login->is_direct = true;
        login->report = report;
        report->login = login;
        direct_add(logins, login);
        time_limit_begin(&logins->limits, &login->limit, on_login_late);
        return 0;
    }
    keep(logins, login);
    report->answered(report, "the login store is not available; the login is kept until it is");
    return 0;
}

void login_report_cancel(struct login_report *report)
{
    if (report->login)
        report->login->report = NULL;
    report->login = NULL;
}

/* Looking up. */

enum { NAMES_SMALL = 32 };

struct names {
    struct str small[NAMES_SMALL];
    struct str *all;
    size_t n, size;
};

static bool names_add(struct names *names, struct str name)
{
    if (names->n == names->size) {
        struct str *wider = names->all == names->small ? malloc(2 * names->size * sizeof *wider)
                                                       : realloc(names->all, 2 * names->size * sizeof *wider);
        if (!wider)
            return false;
        if (names->all == names->small)
            memcpy(wider, names->small, sizeof names->small);
        names->all = wider;
        names->size *= 2;
    }
    names->all[names->n++] = name;
    return true;
}

/* Those that wait and are not among the names of the store. There may be very many at one address; more names than
 * LOGIN_NAMES_MAX are never handed over. */
static bool collect_waiting(struct names *names, struct logins *logins, const struct login_request *request)
{
    const struct login_queue *queue = &logins->queue;
    struct queued_login *login = login_queue_at(queue, request->address);
    if (!login)
        return true;
    uint64_t number = ++logins->n_look_ups;
    for (size_t i = 0; i < names->n; i++) {
        struct queued_login *same = login_queue_find(queue, request->address, names->all[i]);
        if (same)
            same->seen = number;
    }
    for (; login; login = login->next_here) {
        struct str user = login->request.user;
        if (login->request.ends_at <= request->now || login->seen == number ||
            login_queue_find(queue, request->address, user) != login)
            continue;
        if (names->n >= LOGIN_NAMES_MAX || !names_add(names, user))
            return false;
    }
    return true;
}

static bool collect_stored(struct names *names, const struct login_request *request)
{
    for (size_t i = 0; i < request->n_entries; i++)
        if (!names_add(names, request->entries[i].user))
            return false;
    return true;
}

static void answer_wait(struct login_look_up *look_up, bool known)
{
    struct logins *logins = look_up->logins;
    struct login_wait *wait = look_up->wait;
    const struct login_request *request = &look_up->request;
    struct names names = { .all = names.small, .size = NAMES_SMALL };
    bool all = (!known || collect_stored(&names, request)) && collect_waiting(&names, logins, request);
    look_up->wait = NULL;
    wait->look_up = NULL;
    wait->facts = (struct login_facts){ .state = known ? LOGIN_KNOWN : LOGIN_UNAVAILABLE,
                                        .names = names.all,
                                        .n_names = names.n,
                                        .more = known && (!request->whole || !all) };
    wait->answered(wait);
    if (names.all != names.small)
        free(names.all);
}

static void on_looked_up(struct login_request *request)
{
    struct login_look_up *look_up = (struct login_look_up *)request;
    struct logins *logins = look_up->logins;
    (void)time_limit_end(&logins->limits, &look_up->limit);
    if (look_up->late) {
        logins->n_late--;
        note_askable(logins, request->why);
    }
    if (look_up->wait)
        answer_wait(look_up, request->outcome == LOGIN_DONE);
    free(look_up);
}

/* The store has a look-up for too long. It keeps the request until it is done with it; nobody waits for that. */
static void on_look_up_late(struct time_limit *limit)
{
    struct login_look_up *look_up = (struct login_look_up *)((char *)limit - offsetof(struct login_look_up, limit));
    struct logins *logins = look_up->logins;
    struct error why = no_answer(logins);
    look_up->late = true;
    logins->n_late++;
    note_askable(logins, why.text);
    if (look_up->wait)
        answer_wait(look_up, false);
}

int logins_look_up(struct logins *logins, const struct ip_addr *addr, int64_t now, struct login_wait *wait)
{
    struct login_look_up *look_up = calloc(1, sizeof *look_up);
    if (!look_up)
        return -ENOMEM;
    ip_format(addr, look_up->address);
    look_up->logins = logins;
    look_up->wait = wait;
    look_up->request = (struct login_request){
        .verb = LOGIN_LOOK_UP, .address = str_of(look_up->address), .now = now, .done = on_looked_up
    };
    wait->look_up = look_up;
    if (logins->n_late > 0 || login_store_submit(logins->store, &look_up->request) < 0) {
        answer_wait(look_up, false);
        free(look_up);
    } else {
        time_limit_begin(&logins->limits, &look_up->limit, on_look_up_late);
    }
    return 0;
}

void login_wait_cancel(struct login_wait *wait)
{
    if (wait->look_up)
        wait->look_up->wait = NULL;
    wait->look_up = NULL;
}

/* For the command line. */

size_t logins_forget(struct logins *logins, struct str address)
{
    size_t n = 0;
    for (struct queued_login *login = logins->direct; login; login = login->next)
        login->dropped = login->dropped || str_equal(login->request.address, address);
    for (struct queued_login *login; (login = login_queue_at(&logins->queue, address)) != NULL; n++)
        login_queue_drop(&logins->queue, login);
    return n;
}

int logins_submit(struct logins *logins, struct login_request *request)
{
    return login_store_submit(logins->store, request);
}

struct time_limits *logins_limits(struct logins *logins)
{
    return &logins->limits;
}

const struct queued_login *logins_waiting(const struct logins *logins)
{
    return logins->queue.first;
}

size_t logins_n_waiting(const struct logins *logins)
{
    return logins->queue.n;
}

enum login_store_state logins_state(const struct logins *logins)
{
    return logins->n_late > 0 ? LOGIN_STORE_DOWN : login_store_state(logins->store);
}

/* Beginning and end. */

static void on_changed(void *context, bool up, const char *why)
{
    struct logins *logins = context;
    note_askable(logins, why);
    if (up) {
        logins->refuses = false;
        drain(logins, true);
    }
}

static void on_warned(void *context, const char *text)
{
    (void)context;
    log_warning("the login store: %s", text);
}

int logins_open(struct logins **out, uv_loop_t *loop, const struct login_store_options *options, struct error *error)
{
    struct logins *logins = calloc(1, sizeof *logins);
    if (!logins)
        return error_set(error, -ENOMEM, "out of memory");
    struct login_store_options with_listener = *options;
    with_listener.listener = (struct login_listener){ on_changed, on_warned, logins };
    logins->full_limit = (struct log_limit){ .burst = 1, .interval_s = 60 };
    logins->change_limit = logins->refusal_limit = (struct log_limit){ .burst = 100, .interval_s = 60 };
    int r = uv_timer_init(loop, &logins->retry);
    if (r < 0) {
        free(logins);
        return error_set(error, r, "a timer: %s", uv_strerror(r));
    }
    logins->retry.data = logins;
    logins->timeout_ms = options->timeout_ms;
    time_limits_init(&logins->limits, loop, options->timeout_ms + ANSWER_GRACE_MS);
    *out = logins;
    return login_store_open(&logins->store, loop, &with_listener, error);
}

static void finish_closing(struct logins *logins)
{
    if (logins->closed)
        return;
    logins->closed = true;
    if (logins->queue.n > 0)
        log_warning("%zu logins that wait for the login store are lost", logins->queue.n);
    uv_close((uv_handle_t *)&logins->retry, NULL);
    time_limits_close(&logins->limits);
    login_store_close(logins->store);
}

static void on_end_wait_over(uv_timer_t *timer)
{
    finish_closing(timer->data);
}

void logins_close(struct logins *logins)
{
    if (!logins || logins->ending)
        return;
    struct queued_login *login, *next;
    logins->ending = true;
    for (login = logins->direct; login; login = next) { /* nobody waits for these, but they count */
        next = login->next;
        if (!login->dropped && !login->report)
            keep_direct(logins, login);
    }
    (void)uv_timer_start(&logins->retry, on_end_wait_over, END_WAIT_MS, 0);
    drain(logins, true);
    if (logins->n_draining == 0)
        finish_closing(logins);
}

void logins_free(struct logins *logins)
{
    if (!logins)
        return;
    login_queue_fini(&logins->queue);
    free(logins);
}
