#include "core/trie.h"

#include "core/trie_node.h"

#include <errno.h>
#include <stdlib.h>

enum {
    BUCKET_BYTES = 512, /* more is split: to look through a bucket must not cost more than another branch */
    JOIN_BYTES = BUCKET_BYTES / 2,
    FIRST_RETIRED = 64,
    HALVES = 16
};

/* Nodes. */

static struct trie_node node_of(const struct trie_edit *edit, enum trie_kind kind, unsigned children)
{
    return (struct trie_node){ .generation = edit->generation & TRIE_GENERATION_MAX,
                               .kind = kind & 0xfU,
                               .children = children & 0xffffU };
}

static struct trie_node node_with(const struct trie_node *node, unsigned children)
{
    struct trie_node changed = *node;
    changed.children = children & 0xffffU;
    return changed;
}

/* The heap hands out 16 bytes at a time, with 8 of its own in front: these would be lost otherwise. */
static uint32_t round_room(uint32_t bytes)
{
    return ((bytes + 7) / 16) * 16 + 8;
}

static struct trie_bucket *new_bucket(const struct trie_edit *edit, uint32_t bytes)
{
    uint32_t room = round_room(bytes);
    struct trie_bucket *bucket = malloc(sizeof *bucket + room);
    if (!bucket)
        return NULL;
    bucket->node = node_of(edit, TRIE_BUCKET, 0);
    bucket->used = 0;
    bucket->room = room;
    return bucket;
}

static void put_row(struct trie_bucket *bucket, const struct trie_row *row)
{
    memcpy(bucket->rows + bucket->used, row, row->size);
    bucket->used += row->size;
}

static struct trie_node *new_bucket_of(const struct trie_edit *edit, const struct trie_row *row)
{
    struct trie_bucket *bucket = new_bucket(edit, row->size);
    if (!bucket)
        return NULL;
    put_row(bucket, row);
    return &bucket->node;
}

static size_t branch_bytes(unsigned n_children)
{
    return sizeof(struct trie_branch) + n_children * sizeof(struct trie_node *);
}

static unsigned n_children(const struct trie_node *branch)
{
    return (unsigned)__builtin_popcount((unsigned)branch->children);
}

static struct trie_branch *new_branch(const struct trie_edit *edit, unsigned children)
{
    struct trie_branch *branch = malloc(branch_bytes((unsigned)__builtin_popcount(children)));
    if (!branch)
        return NULL;
    branch->node = node_of(edit, TRIE_BRANCH, children);
    branch->own = NULL;
    return branch;
}

static struct trie_node *new_branch_to(const struct trie_edit *edit, unsigned half, struct trie_node *child)
{
    struct trie_branch *branch = new_branch(edit, 1U << half);
    if (!branch)
        return NULL;
    branch->child[0] = child;
    return &branch->node;
}

/* The child itself where there is nothing to skip. */
static struct trie_node *new_skip(const struct trie_edit *edit, const unsigned char *bytes, size_t n,
                                  struct trie_node *child)
{
    if (n == 0)
        return child;
    struct trie_skip *skip = malloc(sizeof *skip + n);
    if (!skip)
        return NULL;
    skip->node = node_of(edit, TRIE_SKIP, 0);
    skip->child = child;
    skip->n = (uint32_t)n;
    memcpy(skip->bytes, bytes, n);
    return &skip->node;
}

static size_t node_bytes(const struct trie_node *node)
{
    if (node->kind == TRIE_BUCKET)
        return sizeof(struct trie_bucket) + ((const struct trie_bucket *)node)->room;
    if (node->kind == TRIE_BRANCH)
        return branch_bytes(n_children(node));
    return sizeof(struct trie_skip) + ((const struct trie_skip *)node)->n;
}

/* What an edit may change. */

static bool is_own(const struct trie_edit *edit, const struct trie_node *node)
{
    return node->generation == edit->generation;
}

/* Room for retiring n more nodes. */
static bool reserve(struct trie_edit *edit, size_t n)
{
    if (edit->n_retired + n <= edit->room)
        return true;
    size_t room = edit->room ? 2 * edit->room : FIRST_RETIRED;
    struct trie_node **wider = realloc(edit->retired, room * sizeof *wider);
    if (!wider)
        return false;
    edit->retired = wider;
    edit->room = room;
    return true;
}

/* The new version has this node no more. Room is there, unless the node is the edit's own. */
static void discard(struct trie_edit *edit, struct trie_node *node)
{
    if (is_own(edit, node))
        free(node);
    else
        edit->retired[edit->n_retired++] = node;
}

/* Makes the node one that may be changed. */
static int own(struct trie_edit *edit, struct trie_node **link)
{
    struct trie_node *node = *link;
    if (is_own(edit, node))
        return 0;
    size_t n = node_bytes(node);
    struct trie_node *copy = reserve(edit, 1) ? malloc(n) : NULL;
    if (!copy)
        return -ENOMEM;
    memcpy(copy, node, n);
    copy->generation = edit->generation & TRIE_GENERATION_MAX;
    discard(edit, node);
    *link = copy;
    return 0;
}

/* Adding. */

/* One that grows will do so again; one that is copied need not. */
static int append(struct trie_edit *edit, struct trie_node **link, const struct trie_row *row)
{
    struct trie_bucket *bucket = (struct trie_bucket *)*link;
    uint32_t bytes = bucket->used + row->size;
    if (is_own(edit, *link) && bytes > bucket->room) {
        uint32_t room = round_room(bytes + bytes / 4);
        struct trie_bucket *wider = realloc(bucket, sizeof *bucket + room);
        if (!wider)
            return -ENOMEM;
        wider->room = room;
        bucket = wider;
    } else if (!is_own(edit, *link)) {
        struct trie_bucket *copy = reserve(edit, 1) ? new_bucket(edit, bytes) : NULL;
        if (!copy)
            return -ENOMEM;
        memcpy(copy->rows, bucket->rows, bucket->used);
        copy->used = bucket->used;
        discard(edit, *link);
        bucket = copy;
    }
    put_row(bucket, row);
    *link = &bucket->node;
    return 0;
}

static bool ends_at(const struct trie_row *row, unsigned depth)
{
    return row_bits(row) < 4 * (depth + 1);
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
        if (bytes[i] > 0 && !(pieces[i] = new_bucket(edit, bytes[i])))
            return false;
    for (uint32_t at = 0; at < bucket->used; at += row->size) {
        row = bucket_row(bucket, at);
        put_row(pieces[ends_at(row, depth) ? HALVES : half_byte(row->key, depth)], row);
    }
    return true;
}

static int split_into_branch(struct trie_edit *edit, struct trie_node **link, unsigned depth)
{
    struct trie_bucket *pieces[HALVES + 1] = { NULL };
    unsigned children = 0;
    bool dealt = reserve(edit, 1) && deal(edit, (struct trie_bucket *)*link, depth, pieces);
    for (unsigned i = 0; i < HALVES; i++)
        children |= (pieces[i] ? 1U : 0U) << i;
    struct trie_branch *branch = dealt ? new_branch(edit, children) : NULL;
    if (!branch) {
        free_pieces(pieces);
        return -ENOMEM;
    }
    for (unsigned i = 0, n = 0; i < HALVES; i++)
        if (pieces[i])
            branch->child[n++] = &pieces[i]->node;
    branch->own = pieces[HALVES] ? &pieces[HALVES]->node : NULL;
    discard(edit, *link);
    *link = &branch->node;
    return 0;
}

static int split_bucket(struct trie_edit *edit, struct trie_node **link, unsigned depth)
{
    const struct trie_bucket *bucket = (const struct trie_bucket *)*link;
    size_t n = depth % 2 == 0 ? common_bytes(bucket, depth / 2) : 0;
    if (n == 0)
        return split_into_branch(edit, link, depth);
    struct trie_node *skip = new_skip(edit, bucket_row(bucket, 0)->key + depth / 2, n, *link);
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
    if (!reserve(edit, 1))
        return -ENOMEM;
    struct trie_node *rest = new_skip(edit, bytes + at + 1, skip->n - at - 1, skip->child);
    struct trie_node *low = rest ? new_branch_to(edit, bytes[at] & 0xfU, rest) : NULL;
    struct trie_node *high = low ? new_branch_to(edit, bytes[at] >> 4, low) : NULL;
    struct trie_node *first = high ? new_skip(edit, bytes, at, high) : NULL;
    if (!first) {
        free(high);
        free(low);
        if (rest != skip->child)
            free(rest);
        return -ENOMEM;
    }
    discard(edit, *link);
    *link = first;
    return 0;
}

/* How many of the bytes that are skipped the key has, too. */
static size_t skip_matches(const struct trie_skip *skip, unsigned depth, const struct trie_row *row)
{
    size_t i = 0;
    while (i < skip->n && depth / 2 + i < row->key_n && row->key[depth / 2 + i] == skip->bytes[i])
        i++;
    return i;
}

/* The node is a branch without that child, and may be changed. */
static int grow_branch(struct trie_node **link, unsigned half, struct trie_node *child)
{
    unsigned n = n_children(*link), place = branch_place(*link, half);
    struct trie_branch *branch = realloc(*link, branch_bytes(n + 1));
    if (!branch)
        return -ENOMEM;
    memmove(branch->child + place + 1, branch->child + place, (n - place) * sizeof(struct trie_node *));
    branch->child[place] = child;
    branch->node = node_with(&branch->node, (unsigned)branch->node.children | 1U << half);
    *link = &branch->node;
    return 0;
}

static int add_child(struct trie_edit *edit, struct trie_node **link, unsigned half, const struct trie_row *row)
{
    struct trie_node *bucket = new_bucket_of(edit, row);
    int r = bucket ? grow_branch(link, half, bucket) : -ENOMEM;
    if (r < 0)
        free(bucket);
    return r;
}

static int add_own(struct trie_edit *edit, struct trie_branch *branch, const struct trie_row *row)
{
    if (branch->own)
        return append(edit, &branch->own, row);
    branch->own = new_bucket_of(edit, row);
    return branch->own ? 0 : -ENOMEM;
}

/* One step of adding: goes on below by *link and *depth, or has `added`. */
static int step_branch(struct trie_edit *edit, struct trie_node ***link, unsigned *depth, const struct trie_row *row,
                       bool *added)
{
    int r = own(edit, *link);
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
    int r = own(edit, *link);
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
            *link = new_bucket_of(edit, row);
            return *link ? 0 : -ENOMEM;
        }
        if ((*link)->kind == TRIE_BRANCH) {
            r = step_branch(edit, &link, &depth, row, &added);
        } else if ((*link)->kind == TRIE_SKIP) {
            r = step_skip(edit, &link, &depth, row);
        } else {
            const struct trie_bucket *bucket = (const struct trie_bucket *)*link;
            if (bucket->used + row->size <= BUCKET_BYTES || !can_split(bucket, depth))
                return append(edit, link, row);
            r = split_bucket(edit, link, depth);
        }
    }
    return r;
}

/* Removing. */

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
        if (!reserve(removal->edit, 1))
            return -ENOMEM;
        discard(removal->edit, *link);
        *link = NULL;
        return 0;
    }
    int r = own(removal->edit, link);
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
        struct trie_skip *wider = reserve(edit, 1) ? realloc(skip, sizeof *skip + skip->n + next->n) : NULL;
        if (!wider)
            return;
        memcpy(wider->bytes + wider->n, next->bytes, next->n);
        wider->n += next->n;
        wider->child = next->child;
        discard(edit, child);
        *link = &wider->node;
    } else if (!child || child->kind == TRIE_BUCKET) {
        free(skip);
        *link = child;
    }
}

static void drop_child(struct trie_branch *branch, unsigned half)
{
    unsigned n = n_children(&branch->node), place = branch_place(&branch->node, half);
    memmove(branch->child + place, branch->child + place + 1, (n - place - 1) * sizeof(struct trie_node *));
    branch->node = node_with(&branch->node, (unsigned)branch->node.children & ~(1U << half));
}

/* The bytes of all rows below the branch, where these are all in buckets; else more than can be joined. */
static uint32_t bytes_below(const struct trie_branch *branch)
{
    uint32_t bytes = branch->own ? ((const struct trie_bucket *)branch->own)->used : 0;
    for (unsigned i = 0, n = n_children(&branch->node); i < n && bytes <= JOIN_BYTES; i++)
        bytes += branch->child[i]->kind == TRIE_BUCKET ? ((const struct trie_bucket *)branch->child[i])->used
                                                       : JOIN_BYTES + 1;
    return bytes;
}

static void join_piece(struct trie_edit *edit, struct trie_bucket *whole, struct trie_node *node)
{
    const struct trie_bucket *piece = (const struct trie_bucket *)node;
    memcpy(whole->rows + whole->used, piece->rows, piece->used);
    whole->used += piece->used;
    discard(edit, node);
}

static void tidy_branch(struct trie_edit *edit, struct trie_node **link)
{
    struct trie_branch *branch = (struct trie_branch *)*link;
    unsigned n = n_children(&branch->node);
    uint32_t bytes = bytes_below(branch);
    if (bytes > JOIN_BYTES)
        return;
    struct trie_bucket *whole = bytes > 0 && reserve(edit, n + 1) ? new_bucket(edit, bytes) : NULL;
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
    int r = own(removal->edit, link);
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

/* Versions. */

void trie_edit_keep(struct trie_edit *edit)
{
    for (size_t i = 0; i < edit->n_retired; i++)
        free(edit->retired[i]);
    trie_edit_drop(edit);
}

void trie_edit_drop(struct trie_edit *edit)
{
    free(edit->retired);
    edit->retired = NULL;
    edit->n_retired = edit->room = 0;
}

/* A node below one of an older version is older, too. */
static void free_nodes(struct trie_node *node, bool all, uint64_t generation)
{
    if (!node || (!all && node->generation != generation))
        return;
    if (node->kind == TRIE_SKIP) {
        free_nodes(((struct trie_skip *)node)->child, all, generation);
    } else if (node->kind == TRIE_BRANCH) {
        struct trie_branch *branch = (struct trie_branch *)node;
        free_nodes(branch->own, all, generation);
        for (unsigned i = 0, n = n_children(node); i < n; i++)
            free_nodes(branch->child[i], all, generation);
    }
    free(node);
}

void trie_free_generation(struct trie *trie, uint64_t generation)
{
    free_nodes(trie->root, false, generation);
    trie->root = NULL;
}

void trie_free(struct trie *trie)
{
    free_nodes(trie->root, true, 0);
    trie->root = NULL;
}
