/*
 * policy: what Postfix asks, and what it is answered.
 */
#ifndef GATEPOST_DAEMON_POLICY_H
#define GATEPOST_DAEMON_POLICY_H

#include "core/decide_batch.h"
#include "daemon/counters.h"
#include "daemon/hits.h"
#include "daemon/logins.h"
#include "daemon/recorder.h"
#include "daemon/rule_watch.h"
#include "daemon/server.h"

/* The context of a server with policy_protocol. */
struct policy {
    const struct rule_watch *watch;
    struct logins *logins;
    uint32_t log_decisions; /* enum of config.h */
    struct decide_batch *batch;
    struct recorder *recorder;
    struct counters *counters;
    struct hits *hits;
};

extern const struct server_protocol policy_protocol;

#endif
