/*
 * reason: why a request is refused or deferred, with the reply for each.
 */
#ifndef GATEPOST_CORE_REASON_H
#define GATEPOST_CORE_REASON_H

#include "core/str.h"

enum reason {
    REASON_ACCESS,
    REASON_SUBMISSION,
    REASON_VRFY,
    REASON_KILL,
    REASON_NULL_SENDER,
    REASON_INVALID_SENDER,
    REASON_LOCAL_SENDER,
    REASON_ROUTED,
    REASON_LIST,
    REASON_RELAY,
    REASON_UNVERIFIED,
    REASON_RECIPIENTS,
    REASON_UNAVAILABLE,
    REASON_COUNT,
    REASON_NONE = REASON_COUNT
};

struct reason_info {
    const char *name; /* in logs, in `observe`, and with _ for - after text_ in a setting's name */
    const char *verb; /* the action in reply style verb: Postfix chooses the numerical code */
    const char *code; /* in reply style code: as IMail and IceWarp reply */
    const char *text; /* by default */
};

extern const struct reason_info reasons[REASON_COUNT];

/* REASON_NONE where no reason has that name. */
enum reason reason_by_name(struct str name);

#endif
