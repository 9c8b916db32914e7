#include "core/trie.h"

#include "core/trie_node.h"

#include <errno.h>
#include <stdlib.h>

enum {
    HALVES = 16,
    LOAD_BYTES = 1 << 28 /* rows that are loaded into one bucket before it is split */
};

/* Adding. */

/* One that grows will do so again; one that is copied need not. */
static int append(struct trie_edit *edit, struct trie_node **link, const struct trie_row *row)
{
    struct trie_bucket *bucket = (struct trie_bucket *)*link;
    uint32_t bytes = bucket->used + row->size;
    if (trie_edit_owns(edit, *link) && bytes > bucket->room) {
        uint32_t room = trie_bucket_room(bytes + bytes / 4);
        struct trie_bucket *wider = realloc(bucket, sizeof *bucket + room);
        if (!wider)
            return -ENOMEM;
        wider->room = room;
        bucket = wider;
    } else if (!trie_edit_owns(edit, *link)) {
        struct trie_bucket *copy = trie_edit_reserve(edit, 1) ? trie_bucket_new(edit, bytes) : NULL;
        if (!copy)
            return -ENOMEM;
        memcpy(copy->rows, bucket->rows, bucket->used);
        copy->used = bucket->used;
        trie_edit_discard(edit, *link);
        bucket = copy;
    }
    trie_bucket_put(bucket, row);
    *link = &bucket->node;
    return 0;
}

/* Rows whose keys all end here cannot be told apart by the next half-byte. */
static bool can_split(const struct trie_bucket *bucket, unsigned depth)
{
    const struct trie_row *row;
    for (uint32_t at = 0; at < bucket->used; at += row->size) {
        row = bucket_row(bucket, at);
        if (!ends_at(row, depth))
            return true;
    }
    return false;
}

/* How many whole bytes behind `from` all keys of the bucket have in common, before the first mark. */
static size_t common_bytes(const struct trie_bucket *bucket, size_t from)
{
    const struct trie_row *first = bucket_row(bucket, 0), *row;
    size_t end = from;
    while (end < first->key_n && first->key[end] >= TRIE_MARKS)
        end++;
    for (uint32_t at = first->size; at < bucket->used && end > from; at += row->size) {
        size_t i = from;
        row = bucket_row(bucket, at);
        while (i < end && i < row->key_n && row->key[i] == first->key[i])
            i++;
        end = i;
    }
    return end - from;
}

static void free_pieces(struct trie_bucket *pieces[HALVES + 1])
{
    for (unsigned i = 0; i <= HALVES; i++)
        free(pieces[i]);
}

/* Deals the rows of the bucket out to buckets for each half-byte, and the last for those that end. */
static bool deal(const struct trie_edit *edit, const struct trie_bucket *bucket, unsigned depth,
                 struct trie_bucket *pieces[HALVES + 1])
{
    uint32_t bytes[HALVES + 1] = { 0 };
    const struct trie_row *row;
    for (uint32_t at = 0; at < bucket->used; at += row->size) {
        row = bucket_row(bucket, at);
        bytes[ends_at(row, depth) ? HALVES : half_byte(row->key, depth)] += row->size;
    }
    for (unsigned i = 0; i <= HALVES; i++)
        if (bytes[i] > 0 && !(pieces[i] = trie_bucket_new(edit, bytes[i])))
            return false;
    for (uint32_t at = 0; at < bucket->used; at += row->size) {
        row = bucket_row(bucket, at);
        trie_bucket_put(pieces[ends_at(row, depth) ? HALVES : half_byte(row->key, depth)], row);
    }
    return true;
}

static int split_into_branch(struct trie_edit *edit, struct trie_node **link, unsigned depth)
{
    struct trie_bucket *pieces[HALVES + 1] = { NULL };
    unsigned children = 0;
    bool dealt = trie_edit_reserve(edit, 1) && deal(edit, (struct trie_bucket *)*link, depth, pieces);
    for (unsigned i = 0; i < HALVES; i++)
        children |= (pieces[i] ? 1U : 0U) << i;
    struct trie_branch *branch = dealt ? trie_branch_new(edit, children) : NULL;
    if (!branch) {
        free_pieces(pieces);
        return -ENOMEM;
    }
    for (unsigned i = 0, n = 0; i < HALVES; i++)
        if (pieces[i])
            branch->child[n++] = &pieces[i]->node;
    branch->own = pieces[HALVES] ? &pieces[HALVES]->node : NULL;
    trie_edit_discard(edit, *link);
    *link = &branch->node;
    return 0;
}

static int split_bucket(struct trie_edit *edit, struct trie_node **link, unsigned depth)
{
    const struct trie_bucket *bucket = (const struct trie_bucket *)*link;
    size_t n = depth % 2 == 0 ? common_bytes(bucket, depth / 2) : 0;
    if (n == 0)
        return split_into_branch(edit, link, depth);
    struct trie_node *skip = trie_skip_new(edit, bucket_row(bucket, 0)->key + depth / 2, n, *link);
    if (!skip)
        return -ENOMEM;
    *link = skip;
    return 0;
}

/* Makes two branches of the byte at `at`, between what is skipped before and behind it. */
static int split_skip(struct trie_edit *edit, struct trie_node **link, size_t at)
{
    const struct trie_skip *skip = (const struct trie_skip *)*link;
    const unsigned char *bytes = skip->bytes;
    if (!trie_edit_reserve(edit, 1))
        return -ENOMEM;
    struct trie_node *rest = trie_skip_new(edit, bytes + at + 1, skip->n - at - 1, skip->child);
    struct trie_node *low = rest ? trie_branch_to(edit, bytes[at] & 0xfU, rest) : NULL;
    struct trie_node *high = low ? trie_branch_to(edit, bytes[at] >> 4, low) : NULL;
    struct trie_node *first = high ? trie_skip_new(edit, bytes, at, high) : NULL;
    if (!first) {
        free(high);
        free(low);
        if (rest != skip->child)
            free(rest);
        return -ENOMEM;
    }
    trie_edit_discard(edit, *link);
    *link = first;
    return 0;
}

/* The node is a branch without that child, and may be changed. */
static int grow_branch(struct trie_node **link, unsigned half, struct trie_node *child)
{
    unsigned n = branch_children(*link), place = branch_place(*link, half);
    struct trie_branch *branch = realloc(*link, trie_branch_bytes(n + 1));
    if (!branch)
        return -ENOMEM;
    memmove(branch->child + place + 1, branch->child + place, (n - place) * sizeof(struct trie_node *));
    branch->child[place] = child;
    branch->node = trie_node_with(&branch->node, (unsigned)branch->node.children | 1U << half);
    *link = &branch->node;
    return 0;
}

static int add_child(struct trie_edit *edit, struct trie_node **link, unsigned half, const struct trie_row *row)
{
    struct trie_node *bucket = trie_bucket_of(edit, row);
    int r = bucket ? grow_branch(link, half, bucket) : -ENOMEM;
    if (r < 0)
        free(bucket);
    return r;
}

static int add_own(struct trie_edit *edit, struct trie_branch *branch, const struct trie_row *row)
{
    if (branch->own)
        return append(edit, &branch->own, row);
    branch->own = trie_bucket_of(edit, row);
    return branch->own ? 0 : -ENOMEM;
}

/* One step of adding: goes on below by *link and *depth, or has `added`. */
static int step_branch(struct trie_edit *edit, struct trie_node ***link, unsigned *depth, const struct trie_row *row,
                       bool *added)
{
    int r = trie_edit_own(edit, *link);
    if (r < 0)
        return r;
    struct trie_branch *branch = (struct trie_branch *)**link;
    *added = true;
    if (ends_at(row, *depth))
        return add_own(edit, branch, row);
    unsigned half = half_byte(row->key, *depth);
    if (!branch_has(&branch->node, half))
        return add_child(edit, *link, half, row);
    *added = false;
    *link = &branch->child[branch_place(&branch->node, half)];
    ++*depth;
    return 0;
}

static int step_skip(struct trie_edit *edit, struct trie_node ***link, unsigned *depth, const struct trie_row *row)
{
    const struct trie_skip *skip = (const struct trie_skip *)**link;
    size_t n = skip_matches(skip, *depth, row);
    if (n < skip->n)
        return split_skip(edit, *link, n);
    int r = trie_edit_own(edit, *link);
    if (r < 0)
        return r;
    *depth += 2 * skip->n;
    *link = &((struct trie_skip *)**link)->child;
    return 0;
}

int trie_add(struct trie *trie, struct trie_edit *edit, const struct trie_row *row)
{
    struct trie_node **link = &trie->root;
    unsigned depth = 0;
    int r = 0;
    bool added = false;
    while (r == 0 && !added) {
        if (!*link) {
            *link = trie_bucket_of(edit, row);
            return *link ? 0 : -ENOMEM;
        }
        if ((*link)->kind == TRIE_BRANCH) {
            r = step_branch(edit, &link, &depth, row, &added);
        } else if ((*link)->kind == TRIE_SKIP) {
            r = step_skip(edit, &link, &depth, row);
        } else {
            const struct trie_bucket *bucket = (const struct trie_bucket *)*link;
            if (bucket->used + row->size <= TRIE_BUCKET_BYTES || !can_split(bucket, depth))
                return append(edit, link, row);
            r = split_bucket(edit, link, depth);
        }
    }
    return r;
}

/* Loading. */

static int split_all(struct trie_edit *edit, struct trie_node **link, unsigned depth)
{
    int r = 0;
    struct trie_node *node = *link;
    if (node->kind == TRIE_BUCKET) {
        const struct trie_bucket *bucket = (const struct trie_bucket *)node;
        if (bucket->used <= TRIE_BUCKET_BYTES || !can_split(bucket, depth))
            return 0;
        r = split_bucket(edit, link, depth);
        return r < 0 ? r : split_all(edit, link, depth);
    }
    if (node->kind == TRIE_SKIP)
        return split_all(edit, &((struct trie_skip *)node)->child, depth + 2 * ((struct trie_skip *)node)->n);
    struct trie_branch *branch = (struct trie_branch *)node;
    for (unsigned i = 0, n = branch_children(node); i < n && r == 0; i++)
        r = split_all(edit, &branch->child[i], depth + 1);
    return r;
}

int trie_load_end(struct trie *trie, struct trie_edit *edit)
{
    return trie->root && trie->root->kind == TRIE_BUCKET ? split_all(edit, &trie->root, 0) : 0;
}

int trie_load(struct trie *trie, struct trie_edit *edit, const struct trie_row *row)
{
    struct trie_node *root = trie->root;
    if (!root || root->kind != TRIE_BUCKET)
        return trie_add(trie, edit, row);
    if (((const struct trie_bucket *)root)->used < LOAD_BYTES)
        return append(edit, &trie->root, row);
    int r = trie_load_end(trie, edit);
    return r < 0 ? r : trie_add(trie, edit, row);
}
