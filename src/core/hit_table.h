/*
 * hit_table: how often each rule has mattered, and when last, until somebody writes that down.
 *
 * A rule dies with its version of the rule set, so what is kept is a copy of its bytes, and these tell one rule from
 * another; no text is made. A row that is filed under several prefixes has an entry for each. Bounded: beyond
 * HIT_TABLE_MAX rules, or HIT_TABLE_MAX_BYTES, hits of further ones are only counted as lost. Not thread safe.
 */
#ifndef GATEPOST_CORE_HIT_TABLE_H
#define GATEPOST_CORE_HIT_TABLE_H

#include "core/rule.h"

enum { HIT_TABLE_MAX = 65536, HIT_TABLE_MAX_BYTES = 8 * 1024 * 1024 };

struct hit_table;

struct hit {
    const struct rule *rule; /* the table's copy */
    uint64_t hits;
    int64_t last; /* Unix seconds */
};

/* NULL where memory is short. */
struct hit_table *hit_table_new(void);

/* NULL is fine. */
void hit_table_free(struct hit_table *table);

/* Counts a hit at `now`. O(1). Returns whether there is room for a good many more rules; once there is not, the table
 * should be handed over before hits are lost. */
bool hit_table_add(struct hit_table *table, const struct rule *rule, int64_t now);

/* Rules that have been hit. */
size_t hit_table_n(const struct hit_table *table);

/* Hits for which there was no room. */
uint64_t hit_table_lost(const struct hit_table *table);

/* The next rule that has been hit, in the order in which they first were; *at is 0 at first. False at the end. */
bool hit_table_next(const struct hit_table *table, size_t *at, struct hit *hit);

/* Forgets everything, and keeps the memory. */
void hit_table_clear(struct hit_table *table);

#endif
