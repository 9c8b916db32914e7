/*
 * control: what the command line asks the running daemon (gatepostd(8), CONTROL SOCKET).
 */
#ifndef GATEPOST_DAEMON_CONTROL_H
#define GATEPOST_DAEMON_CONTROL_H

#include "daemon/server.h"

/* What is spoken on control_listen; its context is a struct login_desk. */
extern const struct server_protocol control_protocol;

#endif
