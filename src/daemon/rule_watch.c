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

/*
 * The thread owns all but what is marked otherwise. It hands a new rule set over by `loaded`, and waits until the loop
 * has taken it; only then does it touch the sets again.
 */
struct rule_watch {
    uint32_t poll_ms;
    char *path;
    uv_async_t taking; /* wakes the loop, to take what is loaded or to learn that the thread has ended */
    uv_thread_t thread;
    bool started; /* the loop's */

    uv_mutex_t mutex; /* guards what follows, to the next blank line */
    uv_cond_t wake;
    bool wants_reread, stopping, ended;
    struct rules *loaded;    /* what has been read, or NULL */
    struct rules *retired;   /* what was in force before; the thread is to free that */
    uint64_t stale_since_ms; /* the first look that failed; 0: the last one did not */
    struct error stale_why;

    struct rules *rules; /* in force; the loop changes it while the thread waits for that */
    uint64_t generation; /* the loop's, as are the next two */
    uint64_t published_at_ms;
    size_t n_skipped_published;

    struct rule_db *db;
    bool failing; /* the last look failed */
    size_t n_skipped;
    uint64_t followed_at_ms;      /* the last change that the log has told of */
    uint64_t unverified_since_ms; /* the first such change that has not been verified; 0: none */
    struct key_map logged;        /* skipped rows that the log tells of */
    struct error error;
};

/* On the thread, or before it runs. */

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

static int read_rules(struct rule_watch *watch, const struct rules *base, struct rules **loaded)
{
    int r = rule_db_update(watch->db, base, loaded, on_skipped, watch, &watch->error);
    watch->n_skipped = rule_db_n_skipped(watch->db);
    if (r < 0)
        return r;
    watch->followed_at_ms = now_ms();
    if (!base || !rules_is_fork(*loaded, base))
        watch->unverified_since_ms = 0;
    else if (watch->unverified_since_ms == 0)
        watch->unverified_since_ms = watch->followed_at_ms;
    return 0;
}

/* A change that is not logged (with triggers off) shows by itself, but not in the same moment as one that is. */
static int verify(struct rule_watch *watch, struct rules **loaded)
{
    uint64_t now = now_ms();
    if (watch->unverified_since_ms == 0 ||
        (now - watch->followed_at_ms < VERIFY_AFTER_MS && now - watch->unverified_since_ms < VERIFY_LATEST_MS))
        return 0;
    int r = rule_db_verify(watch->db, watch->rules, &watch->error);
    if (r == 0) {
        log_warning("rules have been changed without being logged (are triggers off?): all are read anew");
        return read_rules(watch, NULL, loaded);
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

static void reopen_if_needed(struct rule_watch *watch, int result)
{
    if (result == -ESTALE || result == -ENOENT || result == -EIO) {
        rule_db_close(watch->db);
        watch->db = NULL;
    }
}

/* Whether there is a change to read. An absent database is not created here: empty rules would open what is closed. */
static int look(struct rule_watch *watch, bool *reread)
{
    if (watch->db) {
        int r = rule_db_changed(watch->db, &watch->error);
        if (r != -ESTALE)
            return r;
        rule_db_close(watch->db);
    }
    int r = rule_db_open(&watch->db, watch->path, DATABASE_EXPECT, WATCH_BUSY_MS, &watch->error);
    if (r == 0)
        *reread = true;
    return r;
}

/* Looks once. A new set is in *loaded, which else stays NULL. */
static int look_and_read(struct rule_watch *watch, bool reread, struct rules **loaded)
{
    int r = look(watch, &reread);
    if (reread && r >= 0)
        r = read_rules(watch, NULL, loaded);
    else if (r == 1)
        r = read_rules(watch, watch->rules, loaded);
    else if (r == 0)
        r = verify(watch, loaded);
    reopen_if_needed(watch, r);
    return r;
}

static void note_stale(struct rule_watch *watch, bool failed)
{
    uv_mutex_lock(&watch->mutex);
    if (!failed)
        watch->stale_since_ms = 0;
    else if (watch->stale_since_ms == 0)
        watch->stale_since_ms = now_ms();
    watch->stale_why = watch->error;
    uv_mutex_unlock(&watch->mutex);
}

static void report(struct rule_watch *watch, bool failed)
{
    static struct log_limit limit = { .burst = 1, .interval_s = 60 };
    if (failed && !watch->failing)
        log_warning("the rules cannot be read, the last good ones stay in force: %s", watch->error.text);
    else if (failed)
        log_warning_limited(&limit, "the rules still cannot be read: %s", watch->error.text);
    else if (watch->failing)
        log_info("the rules can be read again");
    if (failed || watch->failing) {
        log_flush();
        note_stale(watch, failed);
    }
    watch->failing = failed;
}

static void log_loaded(struct rule_watch *watch, const struct rules *rules, bool whole)
{
    static struct log_limit limit = { .burst = 60, .interval_s = 60 };
    struct log_line line;
    unsigned long suppressed;
    size_t n = 0;
    if (!log_wants(LEVEL_INFO) || !log_limit_take(&limit, &suppressed))
        return;
    for (int table = 0; table < RULE_TABLE_COUNT; table++)
        n += rules_count(rules, (enum rule_table)table);
    log_begin(&line, LEVEL_INFO);
    log_add(&line, "msg", str_of(whole ? "rules read" : "rules changed"));
    log_add_number(&line, "rules", n);
    log_add_number(&line, "skipped", watch->n_skipped);
    log_add_number(&line, "generation", watch->generation);
    log_end(&line);
}

/* The thread. */

/* Until it is time to look, or somebody wants something. The mutex is held. */
static void wait_for_turn(struct rule_watch *watch)
{
    uint64_t wait_ms = watch->failing && watch->poll_ms < RETRY_MS ? RETRY_MS : watch->poll_ms;
    uint64_t now = uv_hrtime(), until = now + wait_ms * 1000000;
    for (; !watch->stopping && !watch->wants_reread && now < until; now = uv_hrtime())
        (void)uv_cond_timedwait(&watch->wake, &watch->mutex, until - now);
}

/* False where the loop takes nothing any more. */
static bool hand_over(struct rule_watch *watch, struct rules *loaded)
{
    uv_mutex_lock(&watch->mutex);
    watch->loaded = loaded;
    (void)uv_async_send(&watch->taking);
    while (watch->loaded && !watch->stopping)
        uv_cond_wait(&watch->wake, &watch->mutex);
    bool taken = !watch->loaded;
    uv_mutex_unlock(&watch->mutex);
    return taken;
}

static void run(void *context)
{
    struct rule_watch *watch = context;
    uv_mutex_lock(&watch->mutex);
    while (!watch->stopping) {
        struct rules *loaded = NULL;
        wait_for_turn(watch);
        bool reread = watch->wants_reread;
        if (watch->stopping)
            break;
        watch->wants_reread = false;
        uv_mutex_unlock(&watch->mutex);
        report(watch, look_and_read(watch, reread, &loaded) < 0);
        if (loaded && hand_over(watch, loaded))
            free_retired(watch);
        uv_mutex_lock(&watch->mutex);
    }
    watch->ended = true;
    (void)uv_async_send(&watch->taking);
    uv_mutex_unlock(&watch->mutex);
}

/* On the loop. */

static void publish(struct rule_watch *watch, struct rules *loaded)
{
    bool whole = !watch->rules || !rules_is_fork(loaded, watch->rules);
    watch->retired = watch->rules;
    watch->rules = loaded;
    watch->generation++;
    watch->published_at_ms = now_ms();
    watch->n_skipped_published = watch->n_skipped;
    log_loaded(watch, loaded, whole);
}

static void on_taking(uv_async_t *async)
{
    struct rule_watch *watch = async->data;
    uv_mutex_lock(&watch->mutex);
    if (watch->loaded && !watch->stopping) {
        publish(watch, watch->loaded);
        watch->loaded = NULL;
        uv_cond_signal(&watch->wake);
    }
    bool ended = watch->ended;
    uv_mutex_unlock(&watch->mutex);
    if (ended && !uv_is_closing((uv_handle_t *)async))
        uv_close((uv_handle_t *)async, NULL);
}

static struct rule_watch *watch_new(const struct config *config)
{
    struct rule_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    watch->path = strdup(config_text(config, CONFIG_DATABASE));
    watch->poll_ms = config_number(config, CONFIG_POLL_MS);
    if (!watch->path || uv_mutex_init(&watch->mutex) < 0) {
        free(watch->path);
        free(watch);
        return NULL;
    }
    if (uv_cond_init(&watch->wake) < 0) {
        uv_mutex_destroy(&watch->mutex);
        free(watch->path);
        free(watch);
        return NULL;
    }
    return watch;
}

int rule_watch_open(struct rule_watch **out, uv_loop_t *loop, const struct config *config, struct error *error)
{
    struct rule_watch *watch = watch_new(config);
    struct rules *loaded = NULL;
    if (!watch)
        return error_set(error, -ENOMEM, "out of memory");
    int r = rule_db_open(&watch->db, watch->path, DATABASE_CREATE, START_BUSY_MS, &watch->error);
    if (r == 0)
        r = read_rules(watch, NULL, &loaded);
    if (r == 0 && (r = uv_async_init(loop, &watch->taking, on_taking)) < 0)
        error_set(&watch->error, r, "to be woken: %s", uv_strerror(r));
    if (r < 0) {
        *error = watch->error;
        rules_free(loaded);
        rule_watch_free(watch);
        return r;
    }
    watch->taking.data = watch;
    publish(watch, loaded);
    *out = watch;
    return 0;
}

int rule_watch_start(struct rule_watch *watch)
{
    int r = uv_thread_create(&watch->thread, run, watch);
    watch->started = r == 0;
    return r;
}

const struct rules *rule_watch_rules(const struct rule_watch *watch)
{
    return watch->rules;
}

void rule_watch_describe(struct rule_watch *watch, struct rule_watch_state *state)
{
    uv_mutex_lock(&watch->mutex);
    uint64_t now = now_ms();
    *state = (struct rule_watch_state){
        .generation = watch->generation,
        .age_ms = now - watch->published_at_ms,
        .n_skipped = watch->n_skipped_published,
        .stale = watch->stale_since_ms != 0,
        .stale_ms = now - watch->stale_since_ms,
        .why = watch->stale_why,
    };
    uv_mutex_unlock(&watch->mutex);
}

void rule_watch_reread(struct rule_watch *watch)
{
    uv_mutex_lock(&watch->mutex);
    watch->wants_reread = true;
    uv_cond_signal(&watch->wake);
    uv_mutex_unlock(&watch->mutex);
}

void rule_watch_stop(struct rule_watch *watch)
{
    uv_mutex_lock(&watch->mutex);
    watch->stopping = true;
    uv_cond_signal(&watch->wake);
    uv_mutex_unlock(&watch->mutex);
    if (!watch->started)
        uv_close((uv_handle_t *)&watch->taking, NULL);
}

void rule_watch_free(struct rule_watch *watch)
{
    if (!watch)
        return;
    if (watch->started)
        (void)uv_thread_join(&watch->thread);
    rule_db_close(watch->db);
    rules_free(watch->loaded);
    free_retired(watch);
    rules_free(watch->rules);
    key_map_fini(&watch->logged, NULL);
    uv_cond_destroy(&watch->wake);
    uv_mutex_destroy(&watch->mutex);
    free(watch->path);
    free(watch);
}
