/*
 * Removing rows from a trie, and joining what has become small.
 */
#include "core/trie.h"
#include "core/trie_node.h"

#include <errno.h>
#include <stdlib.h>

struct removal {
    struct trie_edit *edit;
    const struct trie_row *key;
    trie_is_meant *is_meant;
    const void *context;
};

static bool same_key(const struct trie_row *a, const struct trie_row *b)
{
    return a->key_n == b->key_n && a->bits == b->bits && memcmp(a->key, b->key, a->key_n + (a->bits ? 1U : 0U)) == 0;
}

static const struct trie_row *find_in(const struct trie_bucket *bucket, const struct removal *removal)
{
    const struct trie_row *row;
    for (uint32_t at = 0; at < bucket->used; at += row->size) {
        row = bucket_row(bucket, at);
        if (same_key(row, removal->key) && removal->is_meant(row, removal->context))
            return row;
    }
    return NULL;
}

static bool is_there(const struct trie_node *node, const struct removal *removal)
{
    unsigned depth = 0;
    while (node && node->kind != TRIE_BUCKET) {
        if (node->kind == TRIE_SKIP) {
            const struct trie_skip *skip = (const struct trie_skip *)node;
            if (skip_matches(skip, depth, removal->key) < skip->n)
                return false;
            depth += 2 * skip->n;
            node = skip->child;
        } else if (ends_at(removal->key, depth)) {
            node = ((const struct trie_branch *)node)->own;
        } else {
            unsigned half = half_byte(removal->key->key, depth++);
            const struct trie_branch *branch = (const struct trie_branch *)node;
            node = branch_has(node, half) ? branch->child[branch_place(node, half)] : NULL;
        }
    }
    return node && find_in((const struct trie_bucket *)node, removal) != NULL;
}

static int cut(const struct removal *removal, struct trie_node **link)
{
    const struct trie_bucket *bucket = (const struct trie_bucket *)*link;
    const struct trie_row *row = find_in(bucket, removal);
    uint32_t at = (uint32_t)((const unsigned char *)row - bucket->rows), n = row->size;
    if (n == bucket->used) {
        if (!trie_edit_reserve(removal->edit, 1))
            return -ENOMEM;
        trie_edit_discard(removal->edit, *link);
        *link = NULL;
        return 0;
    }
    int r = trie_edit_own(removal->edit, link);
    if (r < 0)
        return r;
    struct trie_bucket *mine = (struct trie_bucket *)*link;
    memmove(mine->rows + at, mine->rows + at + n, mine->used - at - n);
    mine->used -= n;
    return 0;
}

/* Tidying is left undone where memory is short: it changes nothing about what is found. */

static void tidy_skip(struct trie_edit *edit, struct trie_node **link)
{
    struct trie_skip *skip = (struct trie_skip *)*link;
    struct trie_node *child = skip->child;
    if (child && child->kind == TRIE_SKIP) {
        const struct trie_skip *next = (const struct trie_skip *)child;
        struct trie_skip *wider = trie_edit_reserve(edit, 1) ? realloc(skip, sizeof *skip + skip->n + next->n) : NULL;
        if (!wider)
            return;
        memcpy(wider->bytes + wider->n, next->bytes, next->n);
        wider->n += next->n;
        wider->child = next->child;
        trie_edit_discard(edit, child);
        *link = &wider->node;
    } else if (!child || child->kind == TRIE_BUCKET) {
        free(skip);
        *link = child;
    }
}

static void drop_child(struct trie_branch *branch, unsigned half)
{
    unsigned n = branch_children(&branch->node), place = branch_place(&branch->node, half);
    memmove(branch->child + place, branch->child + place + 1, (n - place - 1) * sizeof(struct trie_node *));
    branch->node = trie_node_with(&branch->node, (unsigned)branch->node.children & ~(1U << half));
}

/* The bytes of all rows below the branch, where these are all in buckets; else more than can be joined. */
static uint32_t bytes_below(const struct trie_branch *branch)
{
    uint32_t bytes = branch->own ? ((const struct trie_bucket *)branch->own)->used : 0;
    for (unsigned i = 0, n = branch_children(&branch->node); i < n && bytes <= TRIE_JOIN_BYTES; i++)
        bytes += branch->child[i]->kind == TRIE_BUCKET ? ((const struct trie_bucket *)branch->child[i])->used
                                                       : TRIE_JOIN_BYTES + 1;
    return bytes;
}

static void join_piece(struct trie_edit *edit, struct trie_bucket *whole, struct trie_node *node)
{
    const struct trie_bucket *piece = (const struct trie_bucket *)node;
    memcpy(whole->rows + whole->used, piece->rows, piece->used);
    whole->used += piece->used;
    trie_edit_discard(edit, node);
}

static void tidy_branch(struct trie_edit *edit, struct trie_node **link)
{
    struct trie_branch *branch = (struct trie_branch *)*link;
    unsigned n = branch_children(&branch->node);
    uint32_t bytes = bytes_below(branch);
    if (bytes > TRIE_JOIN_BYTES)
        return;
    struct trie_bucket *whole = bytes > 0 && trie_edit_reserve(edit, n + 1) ? trie_bucket_new(edit, bytes) : NULL;
    if (bytes > 0 && !whole)
        return;
    for (unsigned i = 0; i < n; i++)
        join_piece(edit, whole, branch->child[i]);
    if (branch->own)
        join_piece(edit, whole, branch->own);
    free(branch);
    *link = whole ? &whole->node : NULL;
}

/* The row is there. */
static int take_out(const struct removal *removal, struct trie_node **link, unsigned depth)
{
    if ((*link)->kind == TRIE_BUCKET)
        return cut(removal, link);
    int r = trie_edit_own(removal->edit, link);
    if (r < 0)
        return r;
    if ((*link)->kind == TRIE_SKIP) {
        struct trie_skip *skip = (struct trie_skip *)*link;
        r = take_out(removal, &skip->child, depth + 2 * skip->n);
        if (r == 0)
            tidy_skip(removal->edit, link);
        return r;
    }
    struct trie_branch *branch = (struct trie_branch *)*link;
    if (ends_at(removal->key, depth)) {
        r = cut(removal, &branch->own);
    } else {
        unsigned half = half_byte(removal->key->key, depth), place = branch_place(&branch->node, half);
        r = take_out(removal, &branch->child[place], depth + 1);
        if (r == 0 && !branch->child[place])
            drop_child(branch, half);
    }
    if (r == 0)
        tidy_branch(removal->edit, link);
    return r;
}

int trie_remove(struct trie *trie, struct trie_edit *edit, const struct trie_row *key, trie_is_meant *is_meant,
                const void *context)
{
    struct removal removal = { edit, key, is_meant, context };
    if (!is_there(trie->root, &removal))
        return 0;
    int r = take_out(&removal, &trie->root, 0);
    return r < 0 ? r : 1;
}
