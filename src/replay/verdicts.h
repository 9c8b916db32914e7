/*
 * verdicts: what has been decided on many requests, counted.
 */
#ifndef GATEPOST_REPLAY_VERDICTS_H
#define GATEPOST_REPLAY_VERDICTS_H

#include "replay/tally.h"
#include "replay/verdict.h"

/* Requests that are answered alike. */
struct verdict_group {
    enum action action;
    enum reason reason;
    bool needs_login;     /* the answer is that without one */
    uint64_t n;           /* by the rules */
    uint64_t n_after;     /* by those that they are compared with */
    struct tally clients; /* by address, labelled with the name */
    struct tally rules;   /* that refused */
};

enum {
    VERDICT_GROUPS = (ACTION_BCC + 1) * (REASON_COUNT + 1) * 2,
    OBSERVED_GROUPS = REASON_COUNT + ACTION_BCC + 1 /* by reason; and what else `observe` kept from being done */
};

/* All zeros at first. */
struct verdicts {
    uint64_t n, n_needs_login;
    int64_t first, last; /* when the requests were recorded, in Unix seconds; 0: that is not known */
    struct verdict_group groups[VERDICT_GROUPS];
    struct verdict_group observed[OBSERVED_GROUPS];
};

/* Counts a request; `after` is NULL where the rules are not compared with others. Returns 0, or -ENOMEM. */
int verdicts_add(struct verdicts *verdicts, const struct request *request, const struct verdict *verdict,
                 const struct verdict *after);

/* Writes the groups that are not empty, the greatest first; returns how many there are. */
size_t verdicts_sort(const struct verdict_group *groups, size_t n, const struct verdict_group **sorted);

void verdicts_fini(struct verdicts *verdicts);

#endif
