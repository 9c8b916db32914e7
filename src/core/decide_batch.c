#include "core/decide_batch.h"

#include "core/decide_steps.h"

#include <errno.h>
#include <stdlib.h>

struct decide_batch {
    size_t n;
    struct decider deciders[DECIDE_BATCH_MAX];
};

struct decide_batch *decide_batch_new(void)
{
    return calloc(1, sizeof(struct decide_batch));
}

void decide_batch_free(struct decide_batch *batch)
{
    if (batch)
        decide_batch_clear(batch);
    free(batch);
}

void decide_batch_clear(struct decide_batch *batch)
{
    while (batch->n > 0)
        decider_fini(&batch->deciders[--batch->n]);
}

int decide_batch_add(struct decide_batch *batch, const struct decide_query *query)
{
    if (batch->n == DECIDE_BATCH_MAX)
        return -ENOMEM;
    struct decider *d = &batch->deciders[batch->n];
    int r = decider_begin(d, query);
    if (r < 0) {
        decider_fini(d);
        return r;
    }
    return (int)batch->n++;
}

void decide_batch_look_up(struct decide_batch *batch)
{
    struct decider *going[DECIDE_BATCH_MAX];
    size_t n = batch->n;
    for (size_t i = 0; i < n; i++)
        going[i] = &batch->deciders[i];
    while (n > 0) {
        size_t still = 0;
        for (size_t i = 0; i < n; i++)
            if (rules_search_step(&going[i]->search))
                going[still++] = going[i];
        n = still;
    }
}

int decide_batch_decide(struct decide_batch *batch, int place, struct decision *decision)
{
    return decider_decide(&batch->deciders[place], decision);
}
