#include "store/login_sqlite.h"

#include "store/login_db.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum {
    BUSY_MS = 250,   /* a lock of another program is waited for */
    RETRY_MS = 500,  /* between two attempts to open the database anew */
    SWEEP_MS = 60000 /* between two sweeps of what has ended */
};

struct login_sqlite;

struct lane {
    uv_work_t work;
    uv_work_cb job;
    struct login_sqlite *store;
    struct login_request *waiting, **last;
    bool working; /* until all that was taken is done */
    bool sweep_due;

    /* The worker's, while it works. */
    struct login_db *db;
    struct login_request *taken, *rest;
    struct login_rows rows;
    int result;
    bool sweeps, swept_all;
    struct error error;
};

struct login_sqlite {
    struct login_store base;
    uv_timer_t timer, sweep_timer;
    uv_loop_t *loop;
    struct login_listener listener;
    enum login_store_state state;
    bool told; /* the listener knows how the first opening went */
    bool closing;
    bool sweep_failed; /* and the listener knows */
    unsigned n_timers; /* until they are closed */
    struct lane reads, writes;

    /* Opens and closes both connections, while no lane works. */
    uv_work_t work;
    bool working;
    char *path;
    int result;
    struct error error; /* why the store is down */
};

/* On the worker, or before the loop runs. */

static void close_lanes(struct login_sqlite *store)
{
    login_db_close(store->reads.db);
    login_db_close(store->writes.db);
    store->reads.db = store->writes.db = NULL;
}

static int open_lanes(struct login_sqlite *store)
{
    close_lanes(store);
    int r = login_db_open(&store->writes.db, store->path, BUSY_MS, &store->error);
    if (r == 0)
        r = login_db_open(&store->reads.db, store->path, BUSY_MS, &store->error);
    if (r < 0)
        close_lanes(store);
    return r;
}

/* After a failure. A damaged file can be opened, and would be found damaged again with the next request. */
static void open_job(uv_work_t *work)
{
    struct login_sqlite *store = work->data;
    store->result = open_lanes(store);
    if (store->result == 0 && (store->result = login_db_examine(store->reads.db, &store->error)) < 0)
        close_lanes(store);
}

static void close_job(uv_work_t *work)
{
    close_lanes(work->data);
}

static void read_job(uv_work_t *work)
{
    struct lane *lane = work->data;
    lane->result = login_db_read(lane->db, lane->taken, &lane->rest, &lane->rows, &lane->error);
}

static void write_job(uv_work_t *work)
{
    struct lane *lane = work->data;
    if (lane->sweeps)
        lane->result = login_db_sweep(lane->db, time(NULL), &lane->swept_all, &lane->error);
    else
        lane->result = login_db_write(lane->db, lane->taken, &lane->error);
}

/* On the loop. */

static void lane_init(struct lane *lane, struct login_sqlite *store, uv_work_cb job)
{
    lane->store = store;
    lane->job = job;
    lane->work.data = lane;
    lane->last = &lane->waiting;
}

static void free_store(struct login_sqlite *store)
{
    close_lanes(store);
    login_rows_fini(&store->reads.rows);
    login_rows_fini(&store->writes.rows);
    free(store->path);
    free(store);
}

static void on_closed(uv_work_t *work, int status)
{
    (void)status;
    free_store(work->data);
}

/* Once nothing works any more, the connections are closed on a worker too: the last one writes the log into the file.
 * uv_queue_work fails for want of a callback alone, here and below. */
static void go_on_closing(struct login_sqlite *store)
{
    if (store->n_timers > 0 || store->working || store->reads.working || store->writes.working)
        return;
    store->working = true;
    (void)uv_queue_work(store->loop, &store->work, close_job, on_closed);
}

static struct login_request *take_waiting(struct lane *lane)
{
    struct login_request *taken = lane->waiting;
    lane->waiting = NULL;
    lane->last = &lane->waiting;
    return taken;
}

/* Puts requests in front of those that wait. */
static void put_back(struct lane *lane, struct login_request *requests)
{
    struct login_request **end = &requests;
    while (*end)
        end = &(*end)->next;
    if (!lane->waiting)
        lane->last = end == &requests ? &lane->waiting : end;
    *end = lane->waiting;
    lane->waiting = requests;
}

static void finish(struct login_request *requests)
{
    while (requests) {
        struct login_request *request = requests;
        requests = request->next;
        request->done(request);
    }
}

static void fail_waiting(struct login_sqlite *store)
{
    struct lane *lanes[] = { &store->reads, &store->writes };
    for (size_t i = 0; i < 2; i++) {
        struct login_request *requests = take_waiting(lanes[i]);
        login_db_fail(requests, LOGIN_AWAY, store->closing ? "the store is being closed" : store->error.text);
        finish(requests);
    }
}

static void tell(struct login_sqlite *store, bool up, const char *why)
{
    store->told = true;
    if (store->listener.changed)
        store->listener.changed(store->listener.context, up, why);
}

static void on_timer(uv_timer_t *timer);

/* The timer fails for want of a callback, or once it is closed. */
static void go_down(struct login_sqlite *store)
{
    store->state = LOGIN_STORE_DOWN;
    (void)uv_timer_start(&store->timer, on_timer, RETRY_MS, 0);
    tell(store, false, store->error.text);
}

static void on_worked(uv_work_t *work, int status);

static bool can_start(const struct lane *lane)
{
    return lane->store->state == LOGIN_STORE_UP && !lane->store->closing && !lane->working;
}

static void work(struct lane *lane)
{
    lane->working = true;
    lane->sweeps = lane->sweep_due;
    lane->sweep_due = false;
    lane->taken = lane->sweeps ? NULL : take_waiting(lane);
    (void)uv_queue_work(lane->store->loop, &lane->work, lane->job, on_worked);
}

static void start(struct lane *lane)
{
    if (can_start(lane) && (lane->waiting || lane->sweep_due))
        work(lane);
}

static void on_sweep_timer(uv_timer_t *timer);

static void schedule_sweep(struct login_sqlite *store, uint64_t after_ms)
{
    if (!store->closing)
        (void)uv_timer_start(&store->sweep_timer, on_sweep_timer, after_ms, 0);
}

static void on_sweep_timer(uv_timer_t *timer)
{
    struct login_sqlite *store = timer->data;
    schedule_sweep(store, SWEEP_MS);
    store->writes.sweep_due = true;
    start(&store->writes);
}

/* What has ended does not count, swept or not: a failure is no reason to go without the store. */
static void note_swept(struct login_sqlite *store)
{
    struct lane *lane = &store->writes;
    bool failed = lane->result < 0;
    if (failed && !store->sweep_failed && store->listener.warned)
        store->listener.warned(store->listener.context, lane->error.text);
    store->sweep_failed = failed;
    lane->result = 0;
    if (!lane->swept_all)
        schedule_sweep(store, 0);
}

/* The lane works until all is done, so that what `done` submits waits, and what it closes is not freed here. */
static void on_worked(uv_work_t *work, int status)
{
    (void)status; /* never cancelled */
    struct lane *lane = work->data;
    struct login_sqlite *store = lane->store;
    put_back(lane, lane->rest);
    lane->rest = NULL;
    if (lane->sweeps)
        note_swept(store);
    if (lane->result < 0 && store->state == LOGIN_STORE_UP && !store->closing) {
        store->error = lane->error;
        go_down(store);
    }
    finish(lane->taken);
    lane->taken = NULL;
    login_rows_clear(&lane->rows);
    if (store->closing || store->state == LOGIN_STORE_DOWN)
        fail_waiting(store);
    lane->working = false;
    if (store->closing)
        go_on_closing(store);
    else
        start(lane);
}

static void come_up(struct login_sqlite *store)
{
    store->state = LOGIN_STORE_UP;
    tell(store, true, NULL);
    schedule_sweep(store, 0);
    start(&store->reads);
    start(&store->writes);
}

static void on_opened(uv_work_t *work, int status)
{
    (void)status;
    struct login_sqlite *store = work->data;
    store->working = false;
    if (store->closing)
        go_on_closing(store);
    else if (store->result == 0)
        come_up(store);
    else
        (void)uv_timer_start(&store->timer, on_timer, RETRY_MS, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct login_sqlite *store = timer->data;
    if (!store->told && store->state == LOGIN_STORE_OPENING) {
        come_up(store);
    } else if (!store->told) {
        go_down(store);
    } else if (store->reads.working || store->writes.working) {
        (void)uv_timer_start(timer, on_timer, RETRY_MS, 0);
    } else {
        store->working = true;
        (void)uv_queue_work(store->loop, &store->work, open_job, on_opened);
    }
}

static int submit(struct login_store *base, struct login_request *request)
{
    struct login_sqlite *store = (struct login_sqlite *)base;
    if (store->closing || store->state == LOGIN_STORE_DOWN)
        return -EAGAIN;
    bool writes = request->verb == LOGIN_RECORD || request->verb == LOGIN_REMOVE;
    struct lane *lane = writes ? &store->writes : &store->reads;
    request->next = NULL;
    *lane->last = request;
    lane->last = &request->next;
    start(lane);
    return 0;
}

static enum login_store_state state(const struct login_store *base)
{
    return ((const struct login_sqlite *)base)->state;
}

static void on_timer_closed(uv_handle_t *timer)
{
    struct login_sqlite *store = timer->data;
    store->n_timers--;
    go_on_closing(store);
}

static void close_store(struct login_store *base)
{
    struct login_sqlite *store = (struct login_sqlite *)base;
    store->closing = true;
    uv_close((uv_handle_t *)&store->timer, on_timer_closed);
    uv_close((uv_handle_t *)&store->sweep_timer, on_timer_closed);
    fail_waiting(store);
}

static const struct login_store_ops ops = { .submit = submit, .state = state, .close = close_store };

static const char *path_of(const char *url)
{
    return url + sizeof "sqlite:" - 1;
}

int login_sqlite_check(const char *url, struct error *error)
{
    if (path_of(url)[0] != '/')
        return error_set(error, -EINVAL,
                         "logins: sqlite: takes an absolute path, as in sqlite:/var/lib/gatepost/logins.db");
    return 0;
}

int login_sqlite_test(const char *url, struct error *error)
{
    int r = login_sqlite_check(url, error);
    return r == 0 ? login_db_check(path_of(url), error) : r;
}

static struct login_sqlite *new_store(const struct login_store_options *options)
{
    struct login_sqlite *store = calloc(1, sizeof *store);
    if (!store || !(store->path = strdup(path_of(options->url)))) {
        free(store);
        return NULL;
    }
    store->base.ops = &ops;
    store->listener = options->listener;
    store->work.data = store->timer.data = store->sweep_timer.data = store;
    lane_init(&store->reads, store, read_job);
    lane_init(&store->writes, store, write_job);
    return store;
}

int login_sqlite_open(struct login_store **out, uv_loop_t *loop, const struct login_store_options *options,
                      struct error *error)
{
    int r = login_sqlite_check(options->url, error);
    if (r < 0)
        return r;
    struct login_sqlite *store = new_store(options);
    if (!store)
        return error_set(error, -ENOMEM, "out of memory");
    store->loop = loop;
    r = open_lanes(store);
    if (r < 0 && r != -EBUSY && !options->may_be_down) { /* a lock passes */
        *error = store->error;
        free_store(store);
        return r;
    }
    store->state = r < 0 ? LOGIN_STORE_DOWN : LOGIN_STORE_OPENING;
    /* These only fill in the handle. */
    (void)uv_timer_init(loop, &store->timer);
    (void)uv_timer_init(loop, &store->sweep_timer);
    store->n_timers = 2;
    (void)uv_timer_start(&store->timer, on_timer, 0, 0); /* what was found is told on the loop */
    *out = &store->base;
    return 0;
}
