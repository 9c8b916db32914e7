/*
 * array: arrays that grow.
 */
#ifndef GATEPOST_CORE_ARRAY_H
#define GATEPOST_CORE_ARRAY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* Room for one more item behind the n that are there: *items has room for *size of item_bytes each, and may move.
 * Amortised O(1). False where memory is short, with all as it was. To be freed with free. */
static inline bool array_reserve(void **items, size_t *size, size_t n, size_t item_bytes)
{
    enum { FIRST_SIZE = 8 };
    if (n < *size)
        return true;
    size_t wider = *size ? *size * 2 : FIRST_SIZE;
    if (wider > SIZE_MAX / item_bytes)
        return false;
    void *moved = realloc(*items, wider * item_bytes);
    if (!moved)
        return false;
    *items = moved;
    *size = wider;
    return true;
}

/* The same for a pointer to items of any type. */
#define ARRAY_RESERVE(items, size, n) array_reserve((void **)&(items), &(size), (n), sizeof *(items))

#endif
