#include "daemon/rule_watch.h"

#include "core/key_map.h"
#include "daemon/log.h"
#include "store/rule_db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    START_BUSY_MS = 5000,  /* at start-up, a lock is waited for */
    WATCH_BUSY_MS = 100,   /* later, the next look comes soon */
    RETRY_MS = 500,        /* after a failure, at least */
    SKIPPED_LOGGED = 1000, /* rows that are remembered as logged */
    SKIPPED_TEXT = 256
};

/* Rows that were skipped in one load: their number, and what was said of those that had not been logged before. */
struct skipped {
    size_t n;
    struct key_map logged;
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
    struct rules *retired; /* what it is to free */
    struct skipped skipped;
    int result;
    struct error error;
};

/* On the worker, or before the loop runs. */

static void on_skipped(void *context, const struct rule_row *row, const struct error *why)
{
    struct skipped *skipped = context;
    char text[SKIPPED_TEXT];
    skipped->n++;
    int n = snprintf(text, sizeof text, "%s %.*s %.*s", rule_tables[row->table].name, STR_ARGS(row->key),
                     STR_ARGS(row->client));
    struct str key = str_make(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
    if (skipped->logged.used >= SKIPPED_LOGGED || key_map_get(&skipped->logged, 0, key))
        return;
    void **place = key_map_put(&skipped->logged, 0, key);
    if (place) {
        *place = skipped;
        log_warning("a row of %s is skipped: %s", rule_tables[row->table].name, why->text);
    }
}

static int load(struct rule_watch *watch)
{
    watch->skipped.n = 0;
    return rule_db_load(watch->db, &watch->loaded, on_skipped, &watch->skipped, &watch->error);
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
    return r < 0 ? r : 1;
}

static void work(uv_work_t *request)
{
    struct rule_watch *watch = request->data;
    rules_free(watch->retired);
    watch->retired = NULL;
    watch->result = look(watch);
    if (watch->result == 1 || (watch->result == 0 && watch->reread))
        watch->result = load(watch);
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
    struct log_line line;
    size_t n;
    if (!log_wants(LEVEL_INFO))
        return;
    count_all(watch->rules, &n);
    log_begin(&line, LEVEL_INFO);
    log_add(&line, "msg", str_of("rules read"));
    log_add_number(&line, "rules", n);
    log_add_number(&line, "skipped", watch->skipped.n);
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
        r = load(watch);
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
    rules_free(watch->rules);
    rules_free(watch->loaded);
    rules_free(watch->retired);
    key_map_fini(&watch->skipped.logged, NULL);
    free(watch->path);
    free(watch);
}
