/*
 * redis_fake: a scripted Redis on the rig's own loop, that says whatever a test wants.
 */
#ifndef GATEPOST_TESTS_REDIS_FAKE_H
#define GATEPOST_TESTS_REDIS_FAKE_H

#include "redis_rig.h"

enum { FAKE_CONNS_MAX = 256 };

struct fake_conn;

struct fake {
    struct rig *rig;
    union {
        uv_stream_t stream;
        uv_pipe_t pipe;
        uv_tcp_t tcp;
    } listener;
    bool is_tcp;
    int port;

    /* Answers to commands as bytes; NULL is none. What is not here gets an error. */
    const char *auth, *ping, *role, *sentinel, *look_up, *script, *scan;
    const char *trial; /* the look-up of no address that ends a greeting; it is not counted as one */
    bool closes;       /* the connection, after a look-up's answer */
    bool resets;       /* the same with a reset; over TCP only */
    bool holds;        /* answers, until fake_release */

    unsigned n_conns, n_reads, n_pings, n_look_ups, n_scripts, n_roles; /* all there were */
    char command[RIG_TEXT_SIZE];                                        /* the last one, but for INFO */
    struct fake_conn *conns[FAKE_CONNS_MAX];                            /* of which those that are closed are NULL */
};

/* A fake that greets well and has no logins, on the socket `name` in the folder, or on a port of 127.0.0.1 where name
 * is NULL. */
void fake_start(struct fake *fake, struct rig *rig, const char *name);

/* To every client. */
void fake_send(struct fake *fake, const char *bytes);
void fake_release(struct fake *fake);

/* Before the rig is closed. */
void fake_stop(struct fake *fake);

#endif
