#include "daemon/signals.h"

#include <errno.h>
#include <signal.h>

static const struct {
    int number;
    const char *name; /* of those that stop it */
} watched[SIGNALS_WATCHED] = { { SIGTERM, "SIGTERM" }, { SIGINT, "SIGINT" }, { SIGHUP, NULL } };

static void on_signal(uv_signal_t *handle, int number)
{
    struct signals *signals = handle->data;
    const char *name = watched[handle - signals->handles].name;
    (void)number;
    if (signals->stopping)
        return;
    if (!name) {
        signals->hangup(signals->context);
        return;
    }
    signals->stopping = true;
    signals->stop(signals->context, name);
}

int signals_watch(struct signals *signals, uv_loop_t *loop)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    /* A limit of the size of files is then an error of the write, like a full disk. */
    if (sigaction(SIGPIPE, &ignore, NULL) < 0 || sigaction(SIGXFSZ, &ignore, NULL) < 0)
        return -errno;
    int r = 0;
    for (size_t i = 0; i < SIGNALS_WATCHED && r == 0; i++) {
        signals->handles[i].data = signals;
        r = uv_signal_init(loop, &signals->handles[i]);
        if (r == 0)
            r = uv_signal_start(&signals->handles[i], on_signal, watched[i].number);
    }
    return r;
}

void signals_leave(struct signals *signals)
{
    signals->stopping = true;
    for (size_t i = 0; i < SIGNALS_WATCHED; i++)
        if (signals->handles[i].type == UV_SIGNAL)
            uv_unref((uv_handle_t *)&signals->handles[i]);
}

void signals_close(struct signals *signals)
{
    for (size_t i = 0; i < SIGNALS_WATCHED; i++)
        if (signals->handles[i].type == UV_SIGNAL)
            uv_close((uv_handle_t *)&signals->handles[i], NULL);
}
