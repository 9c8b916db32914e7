/*
 * event: one login, reported to gatepostd over its login socket (section 9 of the specification).
 *
 * The event is name=value lines and an empty line, and so is the reply: action=OK, action=DEFER or action=REJECT, often
 * with a text behind it. Nothing here allocates, and nothing waits beyond the deadline.
 */
#ifndef GATEPOST_POSTLOGIN_EVENT_H
#define GATEPOST_POSTLOGIN_EVENT_H

#include "core/error.h"
#include "postlogin/deadline.h"

struct event {
    const char *user, *client_address;
    const char *service; /* NULL: not told */
};

enum event_result {
    EVENT_TAKEN,  /* it is on record, or the daemon is set not to record it */
    EVENT_KEPT,   /* the daemon has it, and will record it when its store is back */
    EVENT_REFUSED /* it was not reported */
};

/* Sends the event and waits for the reply. What is not EVENT_TAKEN has its cause in *error, which may hold whatever the
 * daemon sent. A daemon that was too slow may still take the event afterwards. */
enum event_result event_send(const char *socket_path, const struct event *event, const struct deadline *deadline,
                             struct error *error);

#endif
