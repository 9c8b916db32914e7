#include "core/rules_best.h"

bool rules_keep_best(const struct trie_row *row, void *context)
{
    struct rules_best *best = context;
    const struct rule *rule = rule_of(row);
    if (!rule_is_live(rule, best->now))
        return false;
    unsigned rank = best->rank(rule);
    if (!best->rule || rank > best->ranked || (rank == best->ranked && rule_value(rule) == best->preferred)) {
        best->rule = rule;
        best->ranked = rank;
    }
    return false;
}
