/*
 * rules_best: of the rows that a look-up meets, the one that counts. For rules*.c alone.
 */
#ifndef GATEPOST_CORE_RULES_BEST_H
#define GATEPOST_CORE_RULES_BEST_H

#include "core/rule.h"

/* Of all live rows that are met, the one of the highest rank; of these one with the preferred value. */
struct rules_best {
    int64_t now;
    enum rule_value preferred;
    unsigned (*rank)(const struct rule *rule);
    const struct rule *rule;
    unsigned ranked;
};

static inline struct rules_best rules_best_of(enum rule_value preferred, unsigned (*rank)(const struct rule *rule),
                                              int64_t now)
{
    return (struct rules_best){ now, preferred, rank, NULL, 0 };
}

/* A trie_visit with a struct rules_best; never ends the walk. */
bool rules_keep_best(const struct trie_row *row, void *best);

#endif
