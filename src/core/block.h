/*
 * block: IP addresses, and blocks of them in every spelling that an administrator writes.
 *
 * An address is kept left-aligned in 128 bits, so that prefixes of both families are compared from the top bit. The two
 * families are apart: no IPv6 block holds an IPv4 address. A v4-mapped IPv6 address (RFC 4291, 2.5.5.2) is the IPv4
 * address, in clients and in blocks alike.
 */
#ifndef GATEPOST_CORE_BLOCK_H
#define GATEPOST_CORE_BLOCK_H

#include "core/error.h"
#include "core/str.h"

#include <stdint.h>

struct ip_addr {
    uint64_t hi, lo; /* an IPv4 address stands in the top 32 bits of hi */
    bool v6;
};

struct prefix {
    struct ip_addr addr; /* all bits beyond len are 0 */
    unsigned len;        /* bits */
};

/* The addresses from first to last, of one family. */
struct block {
    struct ip_addr first, last;
    bool host_bits; /* bits were set below the mask; they have been cleared */
};

enum {
    IP_TEXT_SIZE = 46,                 /* the longest address and a NUL */
    BLOCK_TEXT_SIZE = 2 * IP_TEXT_SIZE /* two addresses and a dash */
};

/* IPv4 in four decimal numbers, or IPv6; false where text is neither. */
bool ip_parse(struct str text, struct ip_addr *addr);

/* Canonical text: RFC 5952 for IPv6. */
void ip_format(const struct ip_addr *addr, char text[IP_TEXT_SIZE]);

/* 32 or 128. */
unsigned ip_bits(const struct ip_addr *addr);

/* The address with all bits beyond the first `len` cleared. */
struct ip_addr ip_mask(const struct ip_addr *addr, unsigned len);

/* Less than, equal to or greater than 0, as memcmp; IPv4 comes before IPv6. */
int ip_compare(const struct ip_addr *a, const struct ip_addr *b);

/* True for what an administrator must have meant as a block, rightly spelled or not: made of digits and . - * / alone,
 * or with a colon in it. Anything else is a name. */
bool block_is_meant(struct str text);

/* Parses one of: address, address/length, address/mask, a.b.c.d-e, address-address, a.b.c.*. Returns 0, or -EINVAL with
 * what is wrong in *error. */
int block_parse(struct str text, struct block *block, struct error *error);

/* Canonical text: an address, a prefix, or first-last. */
void block_format(const struct block *block, char text[BLOCK_TEXT_SIZE]);

bool block_holds(const struct block *block, const struct ip_addr *addr);

/* Takes the first of the fewest prefixes that make up the block off its front; false when nothing is left. A block is
 * at most 254 prefixes. */
struct block_rest {
    struct ip_addr next, last;
    bool done;
};
struct block_rest block_prefixes(const struct block *block);
bool block_next_prefix(struct block_rest *rest, struct prefix *prefix);

void prefix_format(const struct prefix *prefix, char text[BLOCK_TEXT_SIZE]);

/* A prefix as the key of a trie: a byte for the family, then its bits. */
enum { PREFIX_KEY_V4 = 4, PREFIX_KEY_V6 = 6, PREFIX_KEY_BYTES = 17 };

/* Returns the number of whole bytes and sets that of the bits in the byte behind them, where there are any. */
size_t prefix_key_write(unsigned char *to, const struct prefix *prefix, unsigned *bits);
void prefix_key_read(const unsigned char *key, size_t n, unsigned bits, struct prefix *prefix);

#endif
