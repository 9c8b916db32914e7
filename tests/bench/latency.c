#include "latency.h"

/* Below LATENCY_SUB each nanosecond has its bucket; above, the leading bits of the number are its place. */
static unsigned bucket_of(uint64_t ns)
{
    if (ns < LATENCY_SUB)
        return (unsigned)ns;
    unsigned shift = 63 - LATENCY_SUB_BITS - (unsigned)__builtin_clzll(ns);
    return shift * LATENCY_SUB + (unsigned)(ns >> shift);
}

/* The greatest number of a bucket. */
static uint64_t bucket_end(unsigned bucket)
{
    if (bucket < LATENCY_SUB)
        return bucket;
    unsigned shift = bucket / LATENCY_SUB - 1;
    uint64_t leading = bucket - shift * LATENCY_SUB;
    return (leading << shift) + (((uint64_t)1 << shift) - 1);
}

void latency_add(struct latency *latency, uint64_t ns)
{
    latency->n++;
    latency->buckets[bucket_of(ns)]++;
    if (ns > latency->max_ns)
        latency->max_ns = ns;
}

uint64_t latency_quantile_ns(const struct latency *latency, double share)
{
    uint64_t wanted = (uint64_t)((double)latency->n * share), passed = 0;
    for (unsigned bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
        passed += latency->buckets[bucket];
        if (passed > wanted) {
            uint64_t end = bucket_end(bucket);
            return end < latency->max_ns ? end : latency->max_ns;
        }
    }
    return latency->max_ns;
}
