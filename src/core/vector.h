/*
 * vector: bytes looked at 16 at a time, in the way that gcc and clang have for every processor.
 */
#ifndef GATEPOST_CORE_VECTOR_H
#define GATEPOST_CORE_VECTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { VECTOR_BYTES = 16 };

/* A comparison gives one of bytes that are all ones or all zeros. */
typedef signed char vector __attribute__((vector_size(VECTOR_BYTES)));

static inline vector vector_load(const char *p)
{
    vector v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline bool vector_all(vector found)
{
    uint64_t half[2];
    memcpy(half, &found, sizeof half);
    return (half[0] & half[1]) == UINT64_MAX;
}

/* A bit for each byte that was found, the lowest for the first. */
static inline unsigned vector_bits(vector found)
{
    static const uint64_t highest = UINT64_C(0x8080808080808080), gather = UINT64_C(0x0002040810204081);
    uint64_t half[2];
    memcpy(half, &found, sizeof half);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    half[0] = __builtin_bswap64(half[0]);
    half[1] = __builtin_bswap64(half[1]);
#endif
    return (unsigned)((half[0] & highest) * gather >> 56) | (unsigned)((half[1] & highest) * gather >> 56) << 8;
}

#endif
