/*
 * hash: of short runs of bytes, for tables of what administrators and our own users chose; it does not withstand
 * chosen keys.
 */
#ifndef GATEPOST_CORE_HASH_H
#define GATEPOST_CORE_HASH_H

#include "core/str.h"

static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
    a ^= b;
    a *= UINT64_C(0x9e3779b97f4a7c15);
    return a ^ a >> 29;
}

/* Of the bytes and a number that goes with them. All bits are good, the lowest too. */
static inline uint64_t hash_bytes(uint64_t with, struct str bytes)
{
    uint64_t h = hash_mix(with, bytes.n), word;
    size_t i = 0;
    for (; i + sizeof word <= bytes.n; i += sizeof word) {
        memcpy(&word, bytes.p + i, sizeof word);
        h = hash_mix(h, word);
    }
    word = 0;
    if (i < bytes.n)
        memcpy(&word, bytes.p + i, bytes.n - i);
    h = hash_mix(h, word);
    return hash_mix(h, h >> 32);
}

#endif
