/*
 * wide: addresses as plain 128-bit numbers, to check by counting what block and trie do with bits.
 */
#ifndef GATEPOST_TESTS_WIDE_H
#define GATEPOST_TESTS_WIDE_H

#include "core/block.h"

#include <check.h>

__extension__ typedef unsigned __int128 wide;

static inline wide wide_max(bool v6)
{
    return v6 ? ~(wide)0 : UINT32_MAX;
}

static inline wide wide_of(const struct ip_addr *addr)
{
    return addr->v6 ? (wide)addr->hi << 64 | addr->lo : addr->hi >> 32;
}

static inline struct ip_addr wide_to_addr(wide number, bool v6)
{
    if (v6)
        return (struct ip_addr){ (uint64_t)(number >> 64), (uint64_t)number, true };
    return (struct ip_addr){ (uint64_t)number << 32, 0, false };
}

/* How many addresses a prefix has, less one. */
static inline wide wide_span(unsigned len, bool v6)
{
    return len == (v6 ? 128U : 32U) ? 0 : wide_max(v6) >> len;
}

/* An address that must be one. */
static inline struct ip_addr addr_of(const char *text)
{
    struct ip_addr addr;
    ck_assert_msg(ip_parse(str_of(text), &addr), "\"%s\" is no address", text);
    return addr;
}

#endif
