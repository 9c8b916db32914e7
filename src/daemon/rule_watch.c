#include "daemon/rule_watch.h"

#include "core/key_map.h"
#include "daemon/log.h"
#include "store/rule_db.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    START_BUSY_MS = 5000,  /* at start-up, a lock is waited for */
    WATCH_BUSY_MS = 100,   /* later, the next look comes soon */
    RETRY_MS = 500,        /* after a failure, at least */
    SKIPPED_LOGGED = 1000, /* rows that are remembered as logged */
    SKIPPED_TEXT = 256,
    VERIFY_AFTER_MS = 5000,  /* of quiet: whether the log has told of all changes is found out */
    VERIFY_LATEST_MS = 60000 /* where there is none */
};

struct rule_watch {
    uv_timer_t timer;
    uv_work_t work;
    uint32_t poll_ms;
    char *path;
    bool working, stopping;
    bool wants_reread;
    struct rules *rules; /* in force */
    bool failing;        /* the last look failed */
    uint64_t generation;

    /* The worker's, while it works. */
    struct rule_db *db;
    bool reread;
    struct rules *loaded;  /* what it has read, or NULL */
    struct rules *retired; /* what was in force before; it is to free that */
    size_t n_skipped;
    uint64_t followed_at_ms;      /* the last change that the log has told of */
    uint64_t unverified_since_ms; /* the first such change that has not been verified; 0: none */
    struct key_map logged;        /* skipped rows that the log tells of */
    int result;
    struct error error;
};

/* On the worker, or before the loop runs. */

static void on_skipped(void *context, const struct rule_row *row, const struct error *why)
{
    struct rule_watch *watch = context;
    char text[SKIPPED_TEXT];
    int n = snprintf(text, sizeof text, "%s %.*s %.*s", rule_tables[row->table].name, STR_ARGS(row->key),
                     STR_ARGS(row->client));
    struct str key = str_make(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
    if (watch->logged.used >= SKIPPED_LOGGED || key_map_get(&watch->logged, 0, key))
        return;
    void **place = key_map_put(&watch->logged, 0, key);
    if (place) {
        *place = watch;
        log_warning("a row of %s is skipped: %s", rule_tables[row->table].name, why->text);
    }
}

static uint64_t now_ms(void)
{
    return uv_hrtime() / 1000000;
}

static int read_rules(struct rule_watch *watch, const struct rules *base)
{
    int r = rule_db_update(watch->db, base, &watch->loaded, on_skipped, watch, &watch->error);
    watch->n_skipped = rule_db_n_skipped(watch->db);
    if (r < 0)
        return r;
    watch->followed_at_ms = now_ms();
    if (!base || !rules_is_fork(watch->loaded, base))
        watch->unverified_since_ms = 0;
    else if (watch->unverified_since_ms == 0)
        watch->unverified_since_ms = watch->followed_at_ms;
    return 0;
}

/* A change that is not logged (with triggers off) shows by itself, but not in the same moment as one that is. */
static int verify(struct rule_watch *watch)
{
    uint64_t now = now_ms();
    if (watch->unverified_since_ms == 0 ||
        (now - watch->followed_at_ms < VERIFY_AFTER_MS && now - watch->unverified_since_ms < VERIFY_LATEST_MS))
        return 0;
    int r = rule_db_verify(watch->db, watch->rules, &watch->error);
    if (r == 0) {
        log_warning("rules have been changed without being logged (are triggers off?): all are read anew");
        return read_rules(watch, NULL);
    }
    watch->unverified_since_ms = 0;
    return r < 0 ? r : 0;
}

/* Of what was read anew, much memory comes back to the heap, and from there to the system. */
static void free_retired(struct rule_watch *watch)
{
    bool whole;
    if (!watch->retired)
        return;
    whole = !rules_is_fork(watch->rules, watch->retired);
    rules_settle(watch->rules, watch->retired);
    watch->retired = NULL;
    if (whole)
        (void)malloc_trim(0);
}

static void reopen_if_needed(struct rule_watch *watch)
{
    if (watch->result == -ESTALE || watch->result == -ENOENT || watch->result == -EIO) {
        rule_db_close(watch->db);
        watch->db = NULL;
    }
}

/* Whether there is a change to read. An absent database is not created here: empty rules would open what is closed. */
static int look(struct rule_watch *watch)
{
    if (watch->db) {
        int r = rule_db_changed(watch->db, &watch->error);
        if (r != -ESTALE)
            return r;
        rule_db_close(watch->db);
    }
    int r = rule_db_open(&watch->db, watch->path, DATABASE_EXPECT, WATCH_BUSY_MS, &watch->error);
    if (r == 0)
        watch->reread = true;
    return r;
}

static void work(uv_work_t *request)
{
    struct rule_watch *watch = request->data;
    free_retired(watch);
    watch->result = look(watch);
    if (watch->reread && watch->result >= 0)
        watch->result = read_rules(watch, NULL);
    else if (watch->result == 1)
        watch->result = read_rules(watch, watch->rules);
    else if (watch->result == 0)
        watch->result = verify(watch);
    reopen_if_needed(watch);
}

/* On the loop. */

static void count_all(const struct rules *rules, size_t *n)
{
    *n = 0;
    for (int table = 0; table < RULE_TABLE_COUNT; table++)
        *n += rules_count(rules, (enum rule_table)table);
}

static void log_loaded(struct rule_watch *watch)
{
    static struct log_limit limit = { .burst = 60, .interval_s = 60 };
    struct log_line line;
    unsigned long suppressed;
    size_t n;
    if (!log_wants(LEVEL_INFO) || !log_limit_take(&limit, &suppressed))
        return;
    count_all(watch->rules, &n);
    log_begin(&line, LEVEL_INFO);
    log_add(&line, "msg",
            str_of(watch->retired && rules_is_fork(watch->rules, watch->retired) ? "rules changed" : "rules read"));
    log_add_number(&line, "rules", n);
    log_add_number(&line, "skipped", watch->n_skipped);
    log_add_number(&line, "generation", watch->generation);
    log_end(&line);
}

static void publish(struct rule_watch *watch)
{
    watch->retired = watch->rules;
    watch->rules = watch->loaded;
    watch->loaded = NULL;
    watch->generation++;
    log_loaded(watch);
}

static void report(struct rule_watch *watch)
{
    static struct log_limit limit = { .burst = 1, .interval_s = 60 };
    bool failed = watch->result < 0;
    if (failed && !watch->failing)
        log_warning("the rules cannot be read, the last good ones stay in force: %s", watch->error.text);
    else if (failed)
        log_warning_limited(&limit, "the rules still cannot be read: %s", watch->error.text);
    else if (watch->failing)
        log_info("the rules can be read again");
    watch->failing = failed;
}

static void on_timer(uv_timer_t *timer);

static void schedule(struct rule_watch *watch)
{
    uint64_t wait = watch->failing && watch->poll_ms < RETRY_MS ? RETRY_MS : watch->poll_ms;
    (void)uv_timer_start(&watch->timer, on_timer, watch->wants_reread ? 0 : wait, 0);
}

static void on_worked(uv_work_t *request, int status)
{
    struct rule_watch *watch = request->data;
    watch->working = false;
    if (status == UV_ECANCELED || watch->stopping)
        return;
    report(watch);
    if (watch->loaded)
        publish(watch);
    schedule(watch);
}

static void on_timer(uv_timer_t *timer)
{
    struct rule_watch *watch = timer->data;
    watch->reread = watch->wants_reread;
    watch->wants_reread = false;
    watch->working = uv_queue_work(timer->loop, &watch->work, work, on_worked) == 0;
    if (!watch->working)
        schedule(watch);
}

int rule_watch_open(struct rule_watch **out, uv_loop_t *loop, const struct config *config, struct error *error)
{
    struct rule_watch *watch = calloc(1, sizeof *watch);
    if (!watch || !(watch->path = strdup(config_text(config, CONFIG_DATABASE)))) {
        free(watch);
        return error_set(error, -ENOMEM, "out of memory");
    }
    watch->poll_ms = config_number(config, CONFIG_POLL_MS);
    watch->work.data = watch->timer.data = watch;
    int r = rule_db_open(&watch->db, watch->path, DATABASE_CREATE, START_BUSY_MS, &watch->error);
    if (r == 0)
        r = read_rules(watch, NULL);
    if (r < 0) {
        *error = watch->error;
        rule_watch_free(watch);
        return r;
    }
    if ((r = uv_timer_init(loop, &watch->timer)) < 0) {
        rule_watch_free(watch);
        return error_set(error, r, "a timer: %s", uv_strerror(r));
    }
    publish(watch);
    *out = watch;
    return 0;
}

int rule_watch_start(struct rule_watch *watch)
{
    return uv_timer_start(&watch->timer, on_timer, watch->poll_ms, 0);
}

const struct rules *rule_watch_rules(const struct rule_watch *watch)
{
    return watch->rules;
}

void rule_watch_reread(struct rule_watch *watch)
{
    watch->wants_reread = true;
    if (!watch->working && !watch->stopping)
        schedule(watch);
}

void rule_watch_stop(struct rule_watch *watch)
{
    watch->stopping = true;
    uv_close((uv_handle_t *)&watch->timer, NULL);
    if (watch->working)
        (void)uv_cancel((uv_req_t *)&watch->work);
}

void rule_watch_free(struct rule_watch *watch)
{
    if (!watch)
        return;
    rule_db_close(watch->db);
    rules_free(watch->loaded);
    free_retired(watch);
    rules_free(watch->rules);
    key_map_fini(&watch->logged, NULL);
    free(watch->path);
    free(watch);
}
