/*
 * check: gatepostd --check.
 */
#ifndef GATEPOST_DAEMON_CHECK_H
#define GATEPOST_DAEMON_CHECK_H

#include "conf/config.h"

/* Tests the configuration and the database, without changing anything, and prints what it found. Returns an exit
 * status. */
int check_all(const struct config *config);

#endif
