/*
 * login_event: what a report of a POP or IMAP login says, and whether it is to be recorded. Pure.
 */
#ifndef GATEPOST_CORE_LOGIN_EVENT_H
#define GATEPOST_CORE_LOGIN_EVENT_H

#include "core/rules.h"

enum {
    LOGIN_USER_MAX_BYTES = 255, /* of a login name as reported */
    SECONDS_A_MINUTE = 60
};

enum login_verdict {
    LOGIN_EVENT_RECORD,
    LOGIN_EVENT_PASSED_OVER, /* right, but of an address or at a time of which logins are not recorded */
    LOGIN_EVENT_WRONG
};

/* What is to be recorded. It points into itself: it must not be copied. */
struct login_event {
    struct mail_addr user;      /* folded: user.whole is the name to record */
    char address[IP_TEXT_SIZE]; /* canonical, cut to what a login covers */
    int64_t ends_at;            /* Unix seconds */
    const char *why;            /* where it is not recorded: in words, a constant */
};

/* What is wrong with a login name as reported, a constant; NULL where nothing is. */
const char *login_event_user_fault(struct str user);

/* Judges the report of a login at `now` (Unix seconds). Returns 0, or -ENOMEM. The caller calls login_event_fini, after
 * a failure too. */
int login_event_judge(struct login_event *event, enum login_verdict *verdict, const struct rules *rules,
                      struct str user, struct str address, int64_t now);

void login_event_fini(struct login_event *event);

#endif
