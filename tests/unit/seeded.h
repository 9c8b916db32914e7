/*
 * seeded: random numbers that are the same at each run, so that what fails once fails again.
 */
#ifndef GATEPOST_TESTS_SEEDED_H
#define GATEPOST_TESTS_SEEDED_H

#include <stdint.h>

/* The next of the 64-bit numbers that follow *state (splitmix64). */
static inline uint64_t seeded_next(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* A number from 0 to n - 1. */
static inline unsigned seeded_below(uint64_t *state, unsigned n)
{
    return (unsigned)(seeded_next(state) % n);
}

#endif
