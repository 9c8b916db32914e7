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

enum {
    TRIE_BUCKET_BYTES = 512, /* more is split: to look through a bucket must not cost more than another branch */
    TRIE_JOIN_BYTES = TRIE_BUCKET_BYTES / 2
};

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

/* Without a processor's instruction for it, which cannot be counted on, the compiler calls a function. */
static inline unsigned count_bits(unsigned bits)
{
    bits -= bits >> 1 & 0x5555U;
    bits = (bits & 0x3333U) + (bits >> 2 & 0x3333U);
    bits = (bits + (bits >> 4)) & 0x0f0fU;
    return (bits + (bits >> 8)) & 0x1fU;
}

static inline unsigned branch_children(const struct trie_node *branch)
{
    return count_bits((unsigned)branch->children);
}

static inline bool branch_has(const struct trie_node *branch, unsigned half)
{
    return (branch->children >> half & 1) != 0;
}

/* Where the child for the half-byte stands, or would stand. */
static inline unsigned branch_place(const struct trie_node *branch, unsigned half)
{
    return count_bits((unsigned)branch->children & ((1U << half) - 1));
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

/* Whether the key ends before the half-byte behind this depth. */
static inline bool ends_at(const struct trie_row *row, unsigned depth)
{
    return row_bits(row) < 4 * (depth + 1);
}

/* How many of the bytes that are skipped the key has, too. */
static inline size_t skip_matches(const struct trie_skip *skip, unsigned depth, const struct trie_row *row)
{
    size_t i = 0;
    while (i < skip->n && depth / 2 + i < row->key_n && row->key[depth / 2 + i] == skip->bytes[i])
        i++;
    return i;
}

/* Nodes of the edit's own generation; NULL where memory is short. */

/* Bytes for rows in a bucket: the heap hands out 16 at a time, with 8 of its own in front, which would be lost. */
uint32_t trie_bucket_room(uint32_t bytes);
struct trie_bucket *trie_bucket_new(const struct trie_edit *edit, uint32_t bytes);
struct trie_node *trie_bucket_of(const struct trie_edit *edit, const struct trie_row *row);

/* There is room for it. */
void trie_bucket_put(struct trie_bucket *bucket, const struct trie_row *row);

size_t trie_branch_bytes(unsigned n_children);
struct trie_branch *trie_branch_new(const struct trie_edit *edit, unsigned children);
struct trie_node *trie_branch_to(const struct trie_edit *edit, unsigned half, struct trie_node *child);

/* The same node with other children. */
struct trie_node trie_node_with(const struct trie_node *node, unsigned children);

/* The child itself where there is nothing to skip. */
struct trie_node *trie_skip_new(const struct trie_edit *edit, const unsigned char *bytes, size_t n,
                                struct trie_node *child);

/* What an edit may change. */
bool trie_edit_owns(const struct trie_edit *edit, const struct trie_node *node);

/* Room for discarding n more nodes of versions before. */
bool trie_edit_reserve(struct trie_edit *edit, size_t n);

/* The new version has this node no more. */
void trie_edit_discard(struct trie_edit *edit, struct trie_node *node);

/* Makes the node one that may be changed. Returns 0, or -ENOMEM. */
int trie_edit_own(struct trie_edit *edit, struct trie_node **link);

#endif
