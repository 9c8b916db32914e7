/*
 * plan: one or two changes that may alter a decision, which is tried on a copy of the rules.
 */
#ifndef GATEPOST_EXPLAIN_PLAN_H
#define GATEPOST_EXPLAIN_PLAN_H

#include "explain/change.h"
#include "explain/explained.h"

enum { PLAN_MAX = 2 };

struct plan {
    const char *client; /* canonical; empty: no address */
    struct change change[PLAN_MAX];
    size_t n;
    const char *remark;                     /* or NULL */
    char key[CHANGE_KEYS][RULE_TEXT_BYTES]; /* of rows that were found while trying */
};

/* What it is for. */
enum goal { GOAL_OTHER_REASON, GOAL_RELAY, GOAL_NO_RELAY };

/* Tries it on a fork of the rules, and adds to a removal the further rows that have to go. Returns 1 with the new
 * decision, whose rows are gone, where the goal is reached; 0 where it is not; or a negative errno. */
int plan_try(struct plan *plan, const struct explained *x, enum goal goal, struct decision *decision);

/* Writes it as a line of a shell; then is the reason of a refusal that comes next, or NULL. */
void plan_write(FILE *out, const struct plan *plan, const char *program, const char *then);

/* The key of a row is the client's address and no other. */
bool plan_is_for_client_alone(const char *client, struct str key);

#endif
