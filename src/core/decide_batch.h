/*
 * decide_batch: decisions on several requests, whose rules are looked up side by side.
 *
 * With millions of rules a decision mostly waits for memory; here it does so for all requests at the same time.
 */
#ifndef GATEPOST_CORE_DECIDE_BATCH_H
#define GATEPOST_CORE_DECIDE_BATCH_H

#include "core/decide.h"

enum { DECIDE_BATCH_MAX = 64 };

struct decide_batch;

/* NULL where memory is short. */
struct decide_batch *decide_batch_new(void);

/* NULL is fine. */
void decide_batch_free(struct decide_batch *batch);

/* Forgets the requests that are in it. */
void decide_batch_clear(struct decide_batch *batch);

/* Adds a request, which like the rules must stay as it is until the batch is cleared. Returns its place, or -ENOMEM,
 * also where DECIDE_BATCH_MAX are in it. */
int decide_batch_add(struct decide_batch *batch, const struct decide_query *query);

/* Looks up the rules for all. */
void decide_batch_look_up(struct decide_batch *batch);

/* As decide, for the request at that place. */
int decide_batch_decide(struct decide_batch *batch, int place, struct decision *decision);

#endif
