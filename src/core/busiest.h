/*
 * busiest: which addresses ask most, in bounded memory.
 *
 * Four counters for each of 256 sets of addresses: one that is new takes the place of the least of its set, and what
 * that had counts as a possible error of the new one ("space saving", so that a busy address is never lost among rare
 * ones). As long as no five share a set the counts are exact. Two spans are kept, the one that runs and the one before
 * it: what is asked about reaches back one span at least and two at most.
 */
#ifndef GATEPOST_CORE_BUSIEST_H
#define GATEPOST_CORE_BUSIEST_H

#include "core/block.h"

enum { BUSIEST_SETS = 256, BUSIEST_WAYS = 4, BUSIEST_SPAN_S = 1800, BUSIEST_TOP = 5 };

struct busiest_client {
    struct ip_addr addr;
    uint32_t n;     /* 0: free */
    uint32_t error; /* so many of n may have been another's */
};

struct busiest_span {
    uint64_t begin_s, n; /* the requests of all */
    struct busiest_client clients[BUSIEST_SETS][BUSIEST_WAYS];
};

struct busiest {
    struct busiest_span spans[2];
    unsigned current;
};

struct busiest_top {
    uint64_t seconds; /* this far back */
    uint64_t n;       /* the requests of all */
    size_t n_clients;
    struct {
        struct ip_addr addr;
        uint64_t n; /* at least */
    } clients[BUSIEST_TOP];
};

/* Below, now_s are seconds of a clock that never goes back. */
void busiest_init(struct busiest *busiest, uint64_t now_s);

/* Counts a request of that address. O(1). */
void busiest_add(struct busiest *busiest, const struct ip_addr *addr, uint64_t now_s);

/* The busiest, the busier first. */
void busiest_find(struct busiest *busiest, uint64_t now_s, struct busiest_top *top);

#endif
