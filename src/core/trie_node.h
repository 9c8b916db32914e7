/*
 * trie_node: the nodes of a trie. For trie*.c alone.
 *
 * Depth counts half-bytes of the key. A bucket holds rows; a branch has a child for each half-byte that follows, and a
 * bucket of rows whose keys end before that; a skip stands for whole bytes that all keys below it have in common, none
 * of them a mark.
 */
#ifndef GATEPOST_CORE_TRIE_NODE_H
#define GATEPOST_CORE_TRIE_NODE_H

#include "core/trie.h"

#include <string.h>

enum trie_kind { TRIE_BUCKET, TRIE_BRANCH, TRIE_SKIP };

struct trie_node {
    uint64_t generation : 44;
    uint64_t kind : 4;
    uint64_t children : 16; /* of a branch: a bit for each half-byte */
};

struct trie_bucket {
    struct trie_node node;
    uint32_t used, room; /* bytes */
    unsigned char rows[];
};

struct trie_branch {
    struct trie_node node;
    struct trie_node *own;     /* a bucket, or NULL */
    struct trie_node *child[]; /* those that there are, in order */
};

struct trie_skip {
    struct trie_node node;
    struct trie_node *child;
    uint32_t n; /* bytes */
    unsigned char bytes[];
};

static inline unsigned half_byte(const unsigned char *key, unsigned depth)
{
    return depth % 2 == 0 ? key[depth / 2] >> 4 : key[depth / 2] & 0xfU;
}

static inline bool branch_has(const struct trie_node *branch, unsigned half)
{
    return (branch->children >> half & 1) != 0;
}

/* Where the child for the half-byte stands, or would stand. */
static inline unsigned branch_place(const struct trie_node *branch, unsigned half)
{
    return (unsigned)__builtin_popcount((unsigned)branch->children & ((1U << half) - 1));
}

static inline unsigned row_bits(const struct trie_row *row)
{
    return 8U * row->key_n + row->bits;
}

/* The rows of a bucket: for (at = 0; at < used; at += row->size). */
static inline const struct trie_row *bucket_row(const struct trie_bucket *bucket, uint32_t at)
{
    return (const struct trie_row *)(const void *)(bucket->rows + at);
}

#endif
