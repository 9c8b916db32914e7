#include "daemon/hits.h"

#include "daemon/log.h"
#include "store/hit_db.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
    BUSY_MS = 2000,        /* a lock of somebody else's is waited for, on the worker */
    EARLY_EVERY_MS = 10000 /* tables that run full are not written more often: that would be all the disk does */
};

/* The loop owns all but what is marked otherwise. */
struct hits {
    uv_work_t work;
    uv_timer_t timer;
    char *rules_path;
    struct hit_table *filling;
    struct hit_table *handed; /* the worker's while `busy`; else empty, or what could not be written */
    int result;               /* the worker's, as are the next two */
    struct error error;
    uint64_t n_lost; /* of what it has written */
    bool busy, wanted, ending;
    bool failing;
    uint64_t early_at_ms; /* a table that runs full may be written from then on */
    struct log_limit failing_limit, lost_limit;
};

/* On the worker. The database is opened each time: whatever has been done to the file meanwhile, it is the one at the
 * path that counts. */

static void on_work(uv_work_t *work)
{
    struct hits *hits = work->data;
    struct hit_db *db = NULL;
    hits->result = hit_db_open(&db, hits->rules_path, DATABASE_CREATE, BUSY_MS, &hits->error);
    if (hits->result == 0)
        hits->result = hit_db_add(db, hits->handed, &hits->error);
    hit_db_close(db);
    if (hits->result < 0)
        return;
    hits->n_lost = hit_table_lost(hits->handed);
    hit_table_clear(hits->handed);
}

/* On the loop. */

static const struct log_limit seldom = { .burst = 1, .interval_s = 3600 };

static void report(struct hits *hits)
{
    if (hits->result < 0) {
        log_warning_limited(&hits->failing_limit,
                            "the hits of rules cannot be written, they are kept and tried again: %s", hits->error.text);
    } else if (hits->failing) {
        log_info("the hits of rules can be written again");
        hits->failing_limit = seldom;
    }
    hits->failing = hits->result < 0;
    if (hits->result == 0 && hits->n_lost > 0)
        log_warning_limited(&hits->lost_limit,
                            "%" PRIu64 " hits of rules are not counted: too many different rules are hit in a short "
                            "time, or could not be written for long",
                            hits->n_lost);
}

static uint64_t lost_with(const struct hit_table *table)
{
    struct hit hit;
    uint64_t n = hit_table_lost(table);
    for (size_t at = 0; hit_table_next(table, &at, &hit);)
        n += hit.hits;
    return n;
}

static void finish_closing(struct hits *hits)
{
    uint64_t n = lost_with(hits->handed) + lost_with(hits->filling);
    if (n > 0)
        log_warning("%" PRIu64 " hits of rules could not be written and are lost", n);
    uv_close((uv_handle_t *)&hits->timer, NULL);
}

static void begin_writing(struct hits *hits);

static void on_written(uv_work_t *work, int status)
{
    struct hits *hits = work->data;
    bool again = hits->wanted || hits->ending;
    (void)status; /* nobody cancels it */
    hits->busy = hits->wanted = false;
    report(hits);
    if (hits->result == 0 && again && hit_table_n(hits->filling) > 0)
        begin_writing(hits);
    else if (hits->ending)
        finish_closing(hits);
}

/* What could not be written before goes first. */
static void begin_writing(struct hits *hits)
{
    if (hit_table_n(hits->handed) == 0) {
        struct hit_table *emptied = hits->handed;
        hits->handed = hits->filling;
        hits->filling = emptied;
    } else {
        hits->wanted = true;
    }
    hits->busy = true;
    (void)uv_queue_work(hits->timer.loop, &hits->work, on_work, on_written); /* it fails without a callback alone */
}

void hits_write(struct hits *hits)
{
    if (hits->busy)
        hits->wanted = true;
    else if (hit_table_n(hits->filling) > 0 || hit_table_n(hits->handed) > 0)
        begin_writing(hits);
}

static void on_interval(uv_timer_t *timer)
{
    hits_write(timer->data);
}

static void write_early(struct hits *hits)
{
    uint64_t now_ms = uv_now(hits->timer.loop);
    if (hits->busy || now_ms < hits->early_at_ms)
        return;
    hits->early_at_ms = now_ms + EARLY_EVERY_MS;
    begin_writing(hits);
}

/* A rule may matter in several steps, and is hit once. */
static bool is_noted_before(const struct decision *decision, size_t i)
{
    for (size_t before = 0; before < i; before++)
        if (decision->notes[before].rule == decision->notes[i].rule)
            return true;
    return false;
}

void hits_count(struct hits *hits, const struct decision *decision, int64_t now)
{
    for (size_t i = 0; i < decision->n_notes; i++) {
        const struct rule *rule = decision->notes[i].rule;
        if (rule && !is_noted_before(decision, i) && !hit_table_add(hits->filling, rule, now))
            write_early(hits);
    }
}

/* Beginning and end. */

int hits_open(struct hits **out, uv_loop_t *loop, const char *rules_path, uint64_t interval_ms, struct error *error)
{
    struct hits *hits = calloc(1, sizeof *hits);
    if (!hits)
        return error_set(error, -ENOMEM, "out of memory");
    hits->rules_path = strdup(rules_path);
    hits->filling = hit_table_new();
    hits->handed = hit_table_new();
    hits->failing_limit = hits->lost_limit = seldom;
    if (!hits->rules_path || !hits->filling || !hits->handed || uv_timer_init(loop, &hits->timer) < 0) {
        hits_free(hits);
        return error_set(error, -ENOMEM, "out of memory");
    }
    hits->timer.data = hits->work.data = hits;
    (void)uv_timer_start(&hits->timer, on_interval, interval_ms, interval_ms);
    begin_writing(hits);
    *out = hits;
    return 0;
}

void hits_close(struct hits *hits)
{
    if (!hits || hits->ending)
        return;
    hits->ending = true;
    (void)uv_timer_stop(&hits->timer);
    if (hits->busy)
        return;
    hits_write(hits);
    if (!hits->busy)
        finish_closing(hits);
}

void hits_free(struct hits *hits)
{
    if (!hits)
        return;
    hit_table_free(hits->filling);
    hit_table_free(hits->handed);
    free(hits->rules_path);
    free(hits);
}
