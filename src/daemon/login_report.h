/*
 * login_report: a report of a login, from the login socket or the command line, to its answer.
 *
 * The answer is action=OK once the login is stored, action=OK not recorded, action=DEFER and why it waits, or
 * action=REJECT and what is wrong.
 */
#ifndef GATEPOST_DAEMON_LOGIN_REPORT_H
#define GATEPOST_DAEMON_LOGIN_REPORT_H

#include "daemon/logins.h"
#include "daemon/rule_watch.h"
#include "daemon/server.h"

/* Begins what a server context holds that takes reports. */
struct login_desk {
    const struct rule_watch *watch;
    struct logins *logins;
};

/* Begins what a server state holds. */
struct login_report_state {
    struct login_report report;
    struct server_conn *conn;
};

/* Judges and records the login that the request in hand reports (user, client_address, service), answers, and logs it.
 * Returns 0, or -ENOMEM. */
int login_report_answer(struct server_conn *conn, const struct request *request);

/* To be called where the connection ends before the answer. */
void login_report_abandon(struct server_conn *conn);

/* What is spoken on login_listen; its context is a struct login_desk. */
extern const struct server_protocol login_protocol;

#endif
