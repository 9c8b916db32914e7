/*
 * signals: what the daemon is told from outside.
 *
 * From the first to the last line of its run no signal ends the process by itself, so that none costs what still waits
 * to be written.
 */
#ifndef GATEPOST_DAEMON_SIGNALS_H
#define GATEPOST_DAEMON_SIGNALS_H

#include <stdbool.h>
#include <uv.h>

enum { SIGNALS_WATCHED = 3 };

/* All zeros at first. */
struct signals {
    uv_signal_t handles[SIGNALS_WATCHED];
    void (*stop)(void *context, const char *name); /* SIGTERM or SIGINT; once is enough */
    void (*hangup)(void *context);                 /* SIGHUP; not any more once it stops */
    void *context;
    bool stopping;
};

/* Watches them, with the callbacks that are set. Returns 0, or a negative errno of libuv's. */
int signals_watch(struct signals *signals, uv_loop_t *loop);

/* Calls nobody any more, and keeps the loop from ending no longer. */
void signals_leave(struct signals *signals);

/* For the very end, after signals_leave; the loop must be run once more. Does nothing where none are watched. */
void signals_close(struct signals *signals);

#endif
