/*
 * latency: how long answers took.
 *
 * A histogram of nanoseconds whose buckets are a 64th of their power of two wide: a quantile is at most 1.6 % too high,
 * and however much is counted, it takes the same memory.
 */
#ifndef GATEPOST_BENCH_LATENCY_H
#define GATEPOST_BENCH_LATENCY_H

#include <stdint.h>

enum {
    LATENCY_SUB_BITS = 6,
    LATENCY_SUB = 1 << LATENCY_SUB_BITS,
    LATENCY_BUCKETS = (64 - LATENCY_SUB_BITS + 1) * LATENCY_SUB
};

/* All zeros at first. */
struct latency {
    uint64_t n, max_ns;
    uint64_t buckets[LATENCY_BUCKETS];
};

void latency_add(struct latency *latency, uint64_t ns);

/* What the given share of the answers (0.99) took at most; 0 where there are none. */
uint64_t latency_quantile_ns(const struct latency *latency, double share);

#endif
