/*
 * explain_session: decides the requests that Postfix would make in a session, and prints what comes of each and of all.
 */
#ifndef GATEPOST_EXPLAIN_EXPLAIN_SESSION_H
#define GATEPOST_EXPLAIN_EXPLAIN_SESSION_H

#include "console/control.h"
#include "explain/conclusion.h"

enum { SESSION_MAX_TO = 100 };

struct session {
    struct request request; /* what all requests of the session have in common */
    bool pretended;         /* made by options, not by NAME=VALUE */
    struct str to[SESSION_MAX_TO];
    size_t n_to;
    struct str login; /* pretended; empty: none */
    bool live;
    bool json;
    char *program;           /* how gatepost is to be called for a change; owned */
    struct rules *rules;     /* to decide by, or with live to try changes by, and then maybe NULL */
    struct control *control; /* with live: the daemon to ask */
    size_t n_printed;
    struct conclusion conclusion;
};

/* Explains the one request, or the whole session. Returns 0, or after a message an exit status. */
int explain_session_run(struct session *session);

#endif
