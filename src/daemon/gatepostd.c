/*
 * gatepostd: the daemon. Options, configuration, wiring, signals.
 */
#include "config.h"

#include "conf/config.h"
#include "conf/login_url.h"
#include "core/error.h"
#include "daemon/check.h"
#include "daemon/counters.h"
#include "daemon/hits.h"
#include "daemon/log.h"
#include "daemon/options.h"
#include "daemon/recorder.h"
#include "daemon/rule_watch.h"
#include "daemon/services.h"
#include "daemon/signals.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum {
    USAGE_STATUS = 2,
    GRACE_MS = 20,         /* for requests that have been sent when we are told to stop */
    STOP_WAIT_MS = 5000,   /* for clients to take their answers */
    HITS_EVERY_MS = 60000, /* hits of rules are written down */
    END_MS = 9000,         /* for all of that, though a name server or a disk that hangs cannot be called off */
    DESCRIPTORS_BESIDE = 64 + SERVICES_RESERVED
};

struct daemon {
    uv_loop_t loop;
    struct signals signals;
    uv_timer_t grace, end;
    uv_prepare_t before_wait;
    struct identity identity;
    char logins_url[LOGIN_URL_SIZE];
    struct rule_watch *watch;
    struct logins *logins;
    struct recorder *recorder;
    struct hits *hits;
    struct counters counters;
    struct policy policy;
    struct control_desk desk;
    struct services services;
};

/* Stopping. */

static void close_handle(void *pointer)
{
    uv_handle_t *handle = pointer;
    if (handle->type != UV_UNKNOWN_HANDLE && !uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* That is until the last connection is gone. */
static void close_what_answers_need(void *context)
{
    struct daemon *daemon = context;
    logins_close(daemon->logins);
    hits_close(daemon->hits);
}

/* What is left has no way to end: a look-up of a name, or hits and logins on their way to a disk that hangs. */
static void on_end_overdue(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    recorder_close(daemon->recorder);
    log_error("ended without waiting any longer for a name server or a disk that does not answer");
    log_close();
    _exit(EX_OSERR);
}

/* Ends whatever has been started. */
static void end_all(struct daemon *daemon)
{
    signals_leave(&daemon->signals);
    services_close(&daemon->services);
    services_stop(&daemon->services, STOP_WAIT_MS, close_what_answers_need, daemon);
    if (daemon->watch)
        rule_watch_stop(daemon->watch);
    close_handle(&daemon->before_wait);
    close_handle(&daemon->grace);
    if (daemon->end.type == UV_TIMER) {
        (void)uv_timer_start(&daemon->end, on_end_overdue, END_MS, 0);
        uv_unref((uv_handle_t *)&daemon->end);
    }
}

static void on_grace_over(uv_timer_t *timer)
{
    end_all(timer->data);
}

static void on_stop(void *context, const char *name)
{
    struct daemon *daemon = context;
    log_info("stopping on %s", name);
    services_close(&daemon->services);
    (void)uv_timer_start(&daemon->grace, on_grace_over, GRACE_MS, 0);
}

static void on_hangup(void *context)
{
    struct daemon *daemon = context;
    log_reopen();
    recorder_reopen(daemon->recorder);
    log_info("SIGHUP: the rules are read anew, and their hits written");
    rule_watch_reread(daemon->watch);
    hits_write(daemon->hits);
}

static void on_before_wait(uv_prepare_t *prepare)
{
    const struct daemon *daemon = prepare->data;
    recorder_flush(daemon->recorder);
    log_flush();
}

/* Starting. */

static int start_handles(struct daemon *daemon)
{
    daemon->signals = (struct signals){ .stop = on_stop, .hangup = on_hangup, .context = daemon };
    daemon->grace.data = daemon->end.data = daemon->before_wait.data = daemon;
    int r = uv_timer_init(&daemon->loop, &daemon->grace);
    if (r == 0)
        r = uv_timer_init(&daemon->loop, &daemon->end);
    if (r == 0)
        r = uv_prepare_init(&daemon->loop, &daemon->before_wait);
    if (r == 0)
        r = uv_prepare_start(&daemon->before_wait, on_before_wait);
    return r < 0 ? r : signals_watch(&daemon->signals, &daemon->loop);
}

static int make_services(struct daemon *daemon, const struct config *config, struct error *error)
{
    counters_init(&daemon->counters, time(NULL), uv_hrtime());
    daemon->policy = (struct policy){ daemon->watch,      daemon->logins,   config_number(config, CONFIG_LOG_DECISIONS),
                                      decide_batch_new(), daemon->recorder, &daemon->counters,
                                      daemon->hits };
    if (!daemon->policy.batch)
        return error_set(error, -ENOMEM, "out of memory");
    daemon->desk = (struct control_desk){ { daemon->watch, daemon->logins },
                                          { &daemon->counters, daemon->watch, daemon->logins, daemon->logins_url,
                                            daemon->services.entrances, daemon->services.n_entrances } };
    return services_make(&daemon->services, &daemon->loop, config, &daemon->counters, &daemon->policy, &daemon->desk,
                         error);
}

/* The URL is read while root may read it. A store of the presets that cannot be opened is no reason not to start. */
static int read_logins_url(struct daemon *daemon, const struct config *config, struct error *error)
{
    bool is_open;
    int r = login_url_read(config_text(config, CONFIG_LOGINS), daemon->logins_url, &is_open, error);
    if (r == 0)
        r = login_store_check(daemon->logins_url, error);
    if (r < 0)
        return r;
    if (is_open)
        log_warning("logins: others can read the file that holds the URL");
    if (!config->value[CONFIG_LOGINS].set)
        make_folder_of(strchr(daemon->logins_url, '/'), &daemon->identity);
    return 0;
}

static int open_logins(struct daemon *daemon, const struct config *config, struct error *error)
{
    struct login_store_options options = {
        .url = daemon->logins_url,
        .prefix = config_text(config, CONFIG_REDIS_PREFIX),
        .timeout_ms = config_number(config, CONFIG_REDIS_TIMEOUT_MS),
        .may_be_down = !config->value[CONFIG_LOGINS].set,
    };
    return logins_open(&daemon->logins, &daemon->loop, &options, error);
}

static int fail(int status, const struct error *error)
{
    log_error("%s", error->text);
    return status;
}

/* While we may still be root. */
static int start_privileged(struct daemon *daemon, const struct config *config)
{
    struct error error = { "" };
    const char *user = config_text(config, CONFIG_USER), *group = config_text(config, CONFIG_GROUP);
    if (find_identity(user, group, &daemon->identity, &error) < 0)
        return fail(EX_CONFIG, &error);
    if (!config->value[CONFIG_DATABASE].set)
        make_folder_of(config_text(config, CONFIG_DATABASE), &daemon->identity);
    if (read_logins_url(daemon, config, &error) < 0)
        return fail(EX_CONFIG, &error);
    int r = services_bind(&daemon->services, &daemon->loop, config, &daemon->identity, &error);
    if (r < 0)
        return fail(r == -EINVAL ? EX_CONFIG : EX_UNAVAILABLE, &error);
    if (drop_privileges(user, group, &error) < 0)
        return fail(EX_CONFIG, &error);
    return EX_OK;
}

/* Returns an exit status; EX_OK where everything has started. */
static int start(struct daemon *daemon, const struct config *config)
{
    struct error error = { "" };
    int r = start_handles(daemon);
    if (r < 0) {
        error_set(&error, r, "signals and timers: %s", uv_strerror(r));
        return fail(EX_OSERR, &error);
    }
    raise_descriptor_limit(config_number(config, CONFIG_MAX_CONNECTIONS) + DESCRIPTORS_BESIDE);
    int status = start_privileged(daemon, config);
    if (status != EX_OK)
        return status;
    if (rule_watch_open(&daemon->watch, &daemon->loop, config, &error) < 0 || open_logins(daemon, config, &error) < 0 ||
        hits_open(&daemon->hits, &daemon->loop, config_text(config, CONFIG_DATABASE), HITS_EVERY_MS, &error) < 0 ||
        recorder_open(&daemon->recorder, config, &error) < 0 || make_services(daemon, config, &error) < 0)
        return fail(EX_CONFIG, &error);
    if ((r = rule_watch_start(daemon->watch)) < 0) {
        error_set(&error, r, "a thread: %s", uv_strerror(r));
        return fail(EX_OSERR, &error);
    }
    if (services_start(&daemon->services, &error) < 0)
        return fail(EX_UNAVAILABLE, &error);
    return EX_OK;
}

static void free_all(struct daemon *daemon)
{
    services_free(&daemon->services);
    decide_batch_free(daemon->policy.batch);
    hits_free(daemon->hits);
    logins_free(daemon->logins);
    rule_watch_free(daemon->watch);
}

static int run(const struct config *config)
{
    static struct daemon daemon;
    if (uv_loop_init(&daemon.loop) < 0) {
        log_error("the event loop cannot be made");
        return EX_OSERR;
    }
    int status = start(&daemon, config);
    if (status != EX_OK)
        end_all(&daemon);
    (void)uv_run(&daemon.loop, UV_RUN_DEFAULT);
    recorder_close(daemon.recorder);
    free_all(&daemon);
    close_handle(&daemon.end);
    signals_close(&daemon.signals);
    (void)uv_run(&daemon.loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&daemon.loop) < 0)
        log_error("handles were left open");
    log_info("ended with status %d", status);
    return status;
}

/* Says which keys are set that wait for a later version. */
static void report_unused(const struct config *config)
{
    for (int k = 0; k < CONFIG_COUNT; k++)
        if (config->value[k].set && !config_info((enum config_key)k)->in_use)
            log_warning("%s is set, but not in use in this version", config_info((enum config_key)k)->name);
}

static int run_logged(const struct config *config)
{
    struct error error;
    if (log_open(config, &error) < 0) {
        fprintf(stderr, "gatepostd: %s\n", error.text);
        return EX_CONFIG;
    }
    log_info("gatepostd %s starts", PACKAGE_VERSION);
    report_unused(config);
    int status = run(config);
    log_close();
    return status;
}

int main(int argc, char **argv)
{
    struct config config;
    struct error error;
    enum options_mode mode;
    bool usage;
    int status = EX_OK;
    int r = options_read(argc, argv, &config, &mode, &usage, &error);
    if (r < 0) {
        fprintf(stderr, "gatepostd: %s\n%s", error.text, usage ? "Try: gatepostd --help\n" : "");
        status = usage ? USAGE_STATUS : EX_CONFIG;
    } else if (mode == OPTIONS_HELP) {
        options_print_help();
    } else if (mode == OPTIONS_VERSION) {
        printf("gatepostd %s\n", PACKAGE_VERSION);
    } else if (mode == OPTIONS_CHECK) {
        status = check_all(&config);
    } else {
        status = run_logged(&config);
    }
    config_fini(&config);
    return status;
}
