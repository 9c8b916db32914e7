#include "core/trie_node.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST_RETIRED = 64 };

static struct trie_node node_of(const struct trie_edit *edit, enum trie_kind kind, unsigned children)
{
    return (struct trie_node){ .generation = edit->generation & TRIE_GENERATION_MAX,
                               .kind = kind & 0xfU,
                               .children = children & 0xffffU };
}

struct trie_node trie_node_with(const struct trie_node *node, unsigned children)
{
    struct trie_node changed = *node;
    changed.children = children & 0xffffU;
    return changed;
}

uint32_t trie_bucket_room(uint32_t bytes)
{
    return ((bytes + 7) / 16) * 16 + 8;
}

struct trie_bucket *trie_bucket_new(const struct trie_edit *edit, uint32_t bytes)
{
    uint32_t room = trie_bucket_room(bytes);
    struct trie_bucket *bucket = malloc(sizeof *bucket + room);
    if (!bucket)
        return NULL;
    bucket->node = node_of(edit, TRIE_BUCKET, 0);
    bucket->used = 0;
    bucket->room = room;
    return bucket;
}

void trie_bucket_put(struct trie_bucket *bucket, const struct trie_row *row)
{
    memcpy(bucket->rows + bucket->used, row, row->size);
    bucket->used += row->size;
}

struct trie_node *trie_bucket_of(const struct trie_edit *edit, const struct trie_row *row)
{
    struct trie_bucket *bucket = trie_bucket_new(edit, row->size);
    if (!bucket)
        return NULL;
    trie_bucket_put(bucket, row);
    return &bucket->node;
}

size_t trie_branch_bytes(unsigned n_children)
{
    return sizeof(struct trie_branch) + n_children * sizeof(struct trie_node *);
}

struct trie_branch *trie_branch_new(const struct trie_edit *edit, unsigned children)
{
    struct trie_branch *branch = malloc(trie_branch_bytes(count_bits(children)));
    if (!branch)
        return NULL;
    branch->node = node_of(edit, TRIE_BRANCH, children);
    branch->own = NULL;
    return branch;
}

struct trie_node *trie_branch_to(const struct trie_edit *edit, unsigned half, struct trie_node *child)
{
    struct trie_branch *branch = trie_branch_new(edit, 1U << half);
    if (!branch)
        return NULL;
    branch->child[0] = child;
    return &branch->node;
}

struct trie_node *trie_skip_new(const struct trie_edit *edit, const unsigned char *bytes, size_t n,
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
        return trie_branch_bytes(branch_children(node));
    return sizeof(struct trie_skip) + ((const struct trie_skip *)node)->n;
}

/* What an edit may change. */

bool trie_edit_owns(const struct trie_edit *edit, const struct trie_node *node)
{
    return node->generation == edit->generation;
}

bool trie_edit_reserve(struct trie_edit *edit, size_t n)
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

void trie_edit_discard(struct trie_edit *edit, struct trie_node *node)
{
    if (trie_edit_owns(edit, node))
        free(node);
    else
        edit->retired[edit->n_retired++] = node;
}

int trie_edit_own(struct trie_edit *edit, struct trie_node **link)
{
    struct trie_node *node = *link;
    if (trie_edit_owns(edit, node))
        return 0;
    size_t n = node_bytes(node);
    struct trie_node *copy = trie_edit_reserve(edit, 1) ? malloc(n) : NULL;
    if (!copy)
        return -ENOMEM;
    memcpy(copy, node, n);
    copy->generation = edit->generation & TRIE_GENERATION_MAX;
    trie_edit_discard(edit, node);
    *link = copy;
    return 0;
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
        for (unsigned i = 0, n = branch_children(node); i < n; i++)
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
