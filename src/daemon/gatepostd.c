/*
 * gatepostd: the daemon. Options, configuration, wiring, signals.
 */
#include "config.h"

#include "conf/config.h"
#include "core/error.h"
#include "daemon/check.h"
#include "daemon/listener.h"
#include "daemon/log.h"
#include "daemon/options.h"
#include "daemon/policy_server.h"
#include "daemon/privileges.h"
#include "daemon/rule_watch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum {
    USAGE_STATUS = 2,
    GRACE_MS = 20,       /* for requests that have been sent when we are told to stop */
    STOP_WAIT_MS = 5000, /* for clients to take their answers */
    DESCRIPTORS_BESIDE = 64
};

struct daemon {
    uv_loop_t loop;
    uv_signal_t sigterm, sigint, sighup;
    uv_timer_t grace;
    uv_prepare_t before_wait;
    struct rule_watch *watch;
    struct policy_server *server;
    struct listener **listeners;
    size_t n_listeners;
    bool stopping;
};

/* Stopping. */

static void close_listeners(struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->n_listeners; i++)
        listener_close(daemon->listeners[i]);
    daemon->n_listeners = 0;
}

static void on_grace_over(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    policy_server_stop(daemon->server, STOP_WAIT_MS);
    rule_watch_stop(daemon->watch);
    uv_close((uv_handle_t *)&daemon->sigterm, NULL);
    uv_close((uv_handle_t *)&daemon->sigint, NULL);
    uv_close((uv_handle_t *)&daemon->sighup, NULL);
    uv_close((uv_handle_t *)&daemon->before_wait, NULL);
    uv_close((uv_handle_t *)&daemon->grace, NULL);
}

static void on_stop_signal(uv_signal_t *signal, int number)
{
    struct daemon *daemon = signal->data;
    if (daemon->stopping)
        return;
    daemon->stopping = true;
    log_info("stopping on %s", number == SIGTERM ? "SIGTERM" : "SIGINT");
    close_listeners(daemon);
    (void)uv_timer_start(&daemon->grace, on_grace_over, GRACE_MS, 0);
}

static void on_hangup(uv_signal_t *signal, int number)
{
    struct daemon *daemon = signal->data;
    (void)number;
    log_reopen();
    log_info("SIGHUP: the rules are read anew");
    rule_watch_reread(daemon->watch);
}

static void on_before_wait(uv_prepare_t *prepare)
{
    (void)prepare;
    log_flush();
}

/* Starting. */

static int watch_signals(struct daemon *daemon)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    if (sigaction(SIGPIPE, &ignore, NULL) < 0)
        return -errno;
    daemon->sigterm.data = daemon->sigint.data = daemon->sighup.data = daemon->grace.data = daemon;
    int r = uv_signal_init(&daemon->loop, &daemon->sigterm);
    if (r == 0)
        r = uv_signal_init(&daemon->loop, &daemon->sigint);
    if (r == 0)
        r = uv_signal_init(&daemon->loop, &daemon->sighup);
    if (r == 0)
        r = uv_timer_init(&daemon->loop, &daemon->grace);
    if (r == 0)
        r = uv_prepare_init(&daemon->loop, &daemon->before_wait);
    if (r == 0)
        r = uv_signal_start(&daemon->sigterm, on_stop_signal, SIGTERM);
    if (r == 0)
        r = uv_signal_start(&daemon->sigint, on_stop_signal, SIGINT);
    if (r == 0)
        r = uv_signal_start(&daemon->sighup, on_hangup, SIGHUP);
    if (r == 0)
        r = uv_prepare_start(&daemon->before_wait, on_before_wait);
    return r;
}

static int open_listeners(struct daemon *daemon, const struct config *config, struct error *error)
{
    const struct config_value *listen = &config->value[CONFIG_LISTEN];
    struct socket_access access = { config_number(config, CONFIG_SOCKET_MODE),
                                    config_text(config, CONFIG_SOCKET_GROUP) };
    daemon->listeners = calloc(listen->n, sizeof(struct listener *));
    if (!daemon->listeners)
        return error_set(error, -ENOMEM, "out of memory");
    for (size_t i = 0; i < listen->n; i++) {
        int r = listener_open(&daemon->listeners[i], &daemon->loop, listen->texts[i], &access, error);
        if (r < 0)
            return r;
        daemon->n_listeners++;
    }
    return 0;
}

static int start_listeners(struct daemon *daemon, struct error *error)
{
    int r = 0;
    for (size_t i = 0; i < daemon->n_listeners && r == 0; i++)
        r = listener_start(daemon->listeners[i], policy_server_accept, daemon->server, error);
    return r;
}

static int fail(int status, const struct error *error)
{
    log_error("%s", error->text);
    return status;
}

/* Returns an exit status; EX_OK where everything has started. */
static int start(struct daemon *daemon, const struct config *config)
{
    struct error error = { "" };
    int r = watch_signals(daemon);
    if (r < 0) {
        error_set(&error, r, "signals: %s", uv_strerror(r));
        return fail(EX_OSERR, &error);
    }
    raise_descriptor_limit(config_number(config, CONFIG_MAX_CONNECTIONS) + DESCRIPTORS_BESIDE);
    if ((r = open_listeners(daemon, config, &error)) < 0)
        return fail(r == -EINVAL ? EX_CONFIG : EX_UNAVAILABLE, &error);
    if (drop_privileges(config_text(config, CONFIG_USER), config_text(config, CONFIG_GROUP), &error) < 0)
        return fail(EX_CONFIG, &error);
    if (rule_watch_open(&daemon->watch, &daemon->loop, config, &error) < 0)
        return fail(EX_CONFIG, &error);
    if (policy_server_new(&daemon->server, &daemon->loop, config, daemon->watch, &error) < 0)
        return fail(EX_CONFIG, &error);
    if ((r = rule_watch_start(daemon->watch)) < 0) {
        error_set(&error, r, "a timer: %s", uv_strerror(r));
        return fail(EX_OSERR, &error);
    }
    if (start_listeners(daemon, &error) < 0)
        return fail(EX_UNAVAILABLE, &error);
    return EX_OK;
}

static void close_left_over(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static int run(const struct config *config)
{
    struct daemon daemon = { .n_listeners = 0 };
    if (uv_loop_init(&daemon.loop) < 0) {
        log_error("the event loop cannot be made");
        return EX_OSERR;
    }
    int status = start(&daemon, config);
    if (status != EX_OK) {
        close_listeners(&daemon);
        uv_walk(&daemon.loop, close_left_over, NULL);
    }
    (void)uv_run(&daemon.loop, UV_RUN_DEFAULT);
    policy_server_free(daemon.server);
    rule_watch_free(daemon.watch);
    free(daemon.listeners);
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
