/*
 * status: how the daemon is doing, as it tells the command line (gatepostd(8), CONTROL SOCKET).
 */
#ifndef GATEPOST_DAEMON_STATUS_H
#define GATEPOST_DAEMON_STATUS_H

#include "daemon/counters.h"
#include "daemon/logins.h"
#include "daemon/rule_watch.h"
#include "daemon/server.h"

/* Whom it asks. */
struct status_source {
    struct counters *counters;
    struct rule_watch *watch;
    const struct logins *logins;
    const char *logins_url; /* of which nothing but the scheme is told */
    const struct server_entrance *entrances;
    size_t n_entrances;
};

/* Calls visit with each name and value, which is valid during the call. */
typedef void status_visit(void *context, const char *name, struct str value);
void status_each(const struct status_source *source, status_visit *visit, void *context);

#endif
