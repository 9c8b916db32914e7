/*
 * control: what the command line asks the running daemon (gatepostd(8), CONTROL SOCKET).
 */
#ifndef GATEPOST_DAEMON_CONTROL_H
#define GATEPOST_DAEMON_CONTROL_H

#include "daemon/login_report.h"
#include "daemon/server.h"
#include "daemon/status.h"

struct control_desk {
    struct login_desk login; /* first, as login_report.h wants it */
    struct status_source status;
};

/* What is spoken on control_listen; its context is a struct control_desk. */
extern const struct server_protocol control_protocol;

#endif
