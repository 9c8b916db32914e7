/*
 * counters: what the daemon counts of requests and connections, for `gatepost status` and the metrics.
 *
 * Counting a request is a few increments. Only the loop counts and reads.
 */
#ifndef GATEPOST_DAEMON_COUNTERS_H
#define GATEPOST_DAEMON_COUNTERS_H

#include "core/busiest.h"
#include "core/decide.h"

enum counted_state {
    COUNTED_RCPT,
    COUNTED_MAIL,
    COUNTED_DATA,
    COUNTED_END_OF_MESSAGE,
    COUNTED_CONNECT,
    COUNTED_HELO,
    COUNTED_EHLO,
    COUNTED_VRFY,
    COUNTED_ETRN,
    COUNTED_XCLIENT,
    COUNTED_OTHER,
    COUNTED_STATES
};

/* What a request was answered: an action, or the reason of a refusal or deferral. */
enum outcome {
    OUTCOME_DUNNO,
    OUTCOME_OK,
    OUTCOME_BCC,
    OUTCOME_REFUSED,
    OUTCOME_COUNT = OUTCOME_REFUSED + REASON_COUNT
};

/* As Postfix reads them: the first word of a reply in reply style verb. */
enum counted_action { COUNTED_DUNNO, COUNTED_OK, COUNTED_REJECT, COUNTED_DEFER, COUNTED_BCC, COUNTED_ACTIONS };

enum { COUNTERS_MINUTE_S = 60 };

struct counters {
    uint64_t requests[COUNTED_STATES][OUTCOME_COUNT]; /* since the start */
    uint64_t protocol_errors;                         /* malformed requests, of all kinds of endpoints */
    uint64_t connections_refused;                     /* closed as soon as they were made */
    struct busiest granted;                           /* whom relay_grant lets relay */
    int64_t started_at;                               /* Unix seconds */
    uint64_t begin_ns, second;                        /* of the clock of uv_hrtime */
    uint32_t seconds[COUNTERS_MINUTE_S][OUTCOME_COUNT];
};

struct count {
    uint64_t all, minute; /* since the start, and in the last 60 seconds */
};

/* Below, now_ns is uv_hrtime's; now is in Unix seconds. */
void counters_init(struct counters *counters, int64_t now, uint64_t now_ns);

/* Counts a request that is answered by the decision. */
void counters_add(struct counters *counters, const struct request *request, const struct decision *decision,
                  uint64_t now_ns);

const char *counted_action_name(enum counted_action action);
enum counted_action outcome_action(enum outcome outcome);

/* Sums over the states. */
struct count counters_of_outcome(struct counters *counters, enum outcome outcome, uint64_t now_ns);
struct count counters_of_action(struct counters *counters, enum counted_action action, uint64_t now_ns);

#endif
