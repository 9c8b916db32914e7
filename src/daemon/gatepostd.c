/*
 * gatepostd: the daemon. Options, configuration, wiring, signals.
 */
#include "config.h"

#include "conf/config.h"
#include "conf/login_url.h"
#include "core/error.h"
#include "daemon/check.h"
#include "daemon/control.h"
#include "daemon/counters.h"
#include "daemon/hits.h"
#include "daemon/listener.h"
#include "daemon/log.h"
#include "daemon/login_report.h"
#include "daemon/options.h"
#include "daemon/policy.h"
#include "daemon/privileges.h"
#include "daemon/recorder.h"
#include "daemon/rule_watch.h"
#include "daemon/server.h"
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
    GRACE_MS = 20,             /* for requests that have been sent when we are told to stop */
    STOP_WAIT_MS = 5000,       /* for clients to take their answers */
    HITS_EVERY_MS = 60000,     /* hits of rules are written down */
    END_MS = 9000,             /* for all of that, though a name server or a disk that hangs cannot be called off */
    RESERVED_CONNECTIONS = 16, /* so that clients of the policy service cannot keep others out */
    DESCRIPTORS_BESIDE = 64 + RESERVED_CONNECTIONS
};

static const char unix_scheme[] = "unix:";

/* The kinds of endpoints. Login and control sockets are unix sockets, since their permissions say who may use them. */
static const struct service {
    const struct server_protocol *protocol;
    enum config_key listen, mode, group;
    bool only_unix;
    uint32_t reserved; /* connections beyond max_connections */
} services[] = {
    { &policy_protocol, CONFIG_LISTEN, CONFIG_SOCKET_MODE, CONFIG_SOCKET_GROUP, false, 0 },
    { &login_protocol, CONFIG_LOGIN_LISTEN, CONFIG_LOGIN_MODE, CONFIG_LOGIN_GROUP, true, RESERVED_CONNECTIONS },
    { &control_protocol, CONFIG_CONTROL_LISTEN, CONFIG_CONTROL_MODE, CONFIG_CONTROL_GROUP, true, RESERVED_CONNECTIONS },
};

enum { N_SERVICES = sizeof services / sizeof *services };

struct open_listener {
    struct listener *listener;
    size_t service;
    struct server_entrance *entrance;
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
    struct server_budget budget;
    struct server *servers[N_SERVICES];
    size_t n_running; /* of them */
    struct open_listener *listeners;
    struct server_entrance *entrances; /* one for each; they outlive the listeners */
    size_t n_listeners;
};

/* Stopping. */

static void close_listeners(struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->n_listeners; i++)
        listener_close(daemon->listeners[i].listener);
    daemon->n_listeners = 0;
}

static void close_handle(void *pointer)
{
    uv_handle_t *handle = pointer;
    if (handle->type != UV_UNKNOWN_HANDLE && !uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void close_what_answers_need(struct daemon *daemon)
{
    logins_close(daemon->logins);
    hits_close(daemon->hits);
}

/* That is until the last connection is gone. */
static void on_server_ended(void *context)
{
    struct daemon *daemon = context;
    if (--daemon->n_running == 0)
        close_what_answers_need(daemon);
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
    close_listeners(daemon);
    if (daemon->n_running == 0)
        close_what_answers_need(daemon);
    for (size_t i = 0; i < N_SERVICES; i++)
        if (daemon->servers[i])
            server_stop(daemon->servers[i], STOP_WAIT_MS, on_server_ended, daemon);
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
    close_listeners(daemon);
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

static int open_listener(struct daemon *daemon, const struct config *config, size_t service, const char *endpoint,
                         struct error *error)
{
    const struct service *kind = &services[service];
    struct socket_access access = { config_number(config, kind->mode), config_text(config, kind->group) };
    struct open_listener *listener = &daemon->listeners[daemon->n_listeners];
    if (kind->only_unix && strncmp(endpoint, unix_scheme, sizeof unix_scheme - 1) != 0)
        return error_set(error, -EINVAL, "%s: \"%s\": only unix sockets (unix:/path) can be listened on here",
                         config_info(kind->listen)->name, endpoint);
    if (kind->only_unix && !config->value[kind->listen].set)
        make_folder_of(endpoint + sizeof unix_scheme - 1, &daemon->identity);
    int r = listener_open(&listener->listener, &daemon->loop, endpoint, &access, error);
    if (r < 0)
        return r;
    listener->service = service;
    listener->entrance = &daemon->entrances[daemon->n_listeners++];
    listener->entrance->endpoint = endpoint;
    return 0;
}

static bool is_asked_for(const struct config *config, const struct service *kind)
{
    return !kind->only_unix || config->value[kind->listen].set || config->value[kind->mode].set ||
           config->value[kind->group].set;
}

/* Login and control sockets that nobody has asked for are left out where they cannot be had. */
static int open_listeners(struct daemon *daemon, const struct config *config, struct error *error)
{
    size_t n = 0;
    for (size_t s = 0; s < N_SERVICES; s++)
        n += config->value[services[s].listen].n;
    daemon->listeners = calloc(n, sizeof *daemon->listeners);
    daemon->entrances = calloc(n, sizeof *daemon->entrances);
    if (!daemon->listeners || !daemon->entrances)
        return error_set(error, -ENOMEM, "out of memory");
    for (size_t s = 0; s < N_SERVICES; s++) {
        const struct config_value *listen = &config->value[services[s].listen];
        for (size_t i = 0; i < listen->n; i++) {
            int r = open_listener(daemon, config, s, listen->texts[i], error);
            if (r < 0 && !is_asked_for(config, &services[s]))
                log_warning("going on without %s: %s", config_info(services[s].listen)->name, error->text);
            else if (r < 0)
                return r;
        }
    }
    return 0;
}

static int make_servers(struct daemon *daemon, const struct config *config, struct error *error)
{
    struct server_limits limits = { .budget = &daemon->budget,
                                    .counters = &daemon->counters,
                                    .max_request_bytes = config_number(config, CONFIG_MAX_REQUEST_BYTES),
                                    .allow = &config->value[CONFIG_LISTEN_ALLOW] };
    daemon->budget.max = config_number(config, CONFIG_MAX_CONNECTIONS);
    counters_init(&daemon->counters, time(NULL), uv_hrtime());
    daemon->policy = (struct policy){ daemon->watch,      daemon->logins,   config_number(config, CONFIG_LOG_DECISIONS),
                                      decide_batch_new(), daemon->recorder, &daemon->counters,
                                      daemon->hits };
    if (!daemon->policy.batch)
        return error_set(error, -ENOMEM, "out of memory");
    daemon->desk = (struct control_desk){ { daemon->watch, daemon->logins },
                                          { &daemon->counters, daemon->watch, daemon->logins, daemon->logins_url,
                                            daemon->entrances, daemon->n_listeners } };
    for (size_t s = 0; s < N_SERVICES; s++) {
        void *context = services[s].protocol == &policy_protocol ? (void *)&daemon->policy : &daemon->desk;
        limits.reserved = services[s].reserved;
        int r = server_new(&daemon->servers[s], &daemon->loop, services[s].protocol, context, &limits, error);
        if (r < 0)
            return r;
        daemon->n_running++;
    }
    return 0;
}

static int start_listeners(struct daemon *daemon, struct error *error)
{
    int r = 0;
    for (size_t i = 0; i < daemon->n_listeners && r == 0; i++) {
        struct open_listener *listener = &daemon->listeners[i];
        listener->entrance->server = daemon->servers[listener->service];
        r = listener_start(listener->listener, server_accept, listener->entrance, error);
    }
    return r;
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
    int r = open_listeners(daemon, config, &error);
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
        recorder_open(&daemon->recorder, config, &error) < 0 || make_servers(daemon, config, &error) < 0)
        return fail(EX_CONFIG, &error);
    if ((r = rule_watch_start(daemon->watch)) < 0) {
        error_set(&error, r, "a thread: %s", uv_strerror(r));
        return fail(EX_OSERR, &error);
    }
    if (start_listeners(daemon, &error) < 0)
        return fail(EX_UNAVAILABLE, &error);
    return EX_OK;
}

static void free_all(struct daemon *daemon)
{
    for (size_t i = 0; i < N_SERVICES; i++)
        server_free(daemon->servers[i]);
    decide_batch_free(daemon->policy.batch);
    hits_free(daemon->hits);
    logins_free(daemon->logins);
    rule_watch_free(daemon->watch);
    free(daemon->listeners);
    free(daemon->entrances);
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
