/*
 * The look-ups of trie.h.
 */
#include "core/trie.h"
#include "core/trie_node.h"

enum { CACHE_LINE_BYTES = 64 };

/* Tails. `begin` is how many bytes of the key come before the tail. */

static bool tail_matches(const struct trie_query *query, const struct trie_row *row, size_t begin)
{
    const unsigned char *key = row->key + begin;
    size_t n = row->key_n - begin;
    if (8 * n + row->bits > query->tail_bits)
        return false;
    for (size_t i = 0; i < n; i++)
        if (key[i] != query->tail[i])
            return false;
    return row->bits == 0 || (key[n] ^ query->tail[n]) >> (8 - row->bits) == 0;
}

static void scan_tails(struct trie_walk *walk, const struct trie_node *node, size_t begin)
{
    const struct trie_bucket *bucket = (const struct trie_bucket *)node;
    const struct trie_row *row;
    for (uint32_t at = 0; at < bucket->used && !walk->ended; at += row->size) {
        row = bucket_row(bucket, at);
        walk->ended = tail_matches(walk->query, row, begin) && walk->visit(row, walk->context);
    }
}

/* The node behind this one, NULL where the walk ends. */
static const struct trie_node *step_tail(struct trie_walk *walk, const struct trie_node *node, size_t begin)
{
    const struct trie_query *query = walk->query;
    unsigned at = walk->depth - 2 * (unsigned)begin; /* in half-bytes of the tail */
    if (node->kind == TRIE_BUCKET) {
        scan_tails(walk, node, begin);
        return NULL;
    }
    if (node->kind == TRIE_SKIP) {
        const struct trie_skip *skip = (const struct trie_skip *)node;
        if (4 * at + 8 * skip->n > query->tail_bits || memcmp(query->tail + at / 2, skip->bytes, skip->n) != 0)
            return NULL;
        walk->depth += 2 * skip->n;
        return skip->child;
    }
    const struct trie_branch *branch = (const struct trie_branch *)node;
    walk->beside = branch->own;
    if (4 * (at + 1) > query->tail_bits)
        return NULL;
    unsigned half = half_byte(query->tail, at);
    walk->depth++;
    return branch_has(node, half) ? branch->child[branch_place(node, half)] : NULL;
}

static void match_tail(struct trie_walk *walk, const struct trie_node *node, size_t begin)
{
    while (node && !walk->ended) {
        node = step_tail(walk, node, begin);
        if (walk->beside)
            scan_tails(walk, walk->beside, begin);
        walk->beside = NULL;
    }
}

/* Text. No byte of it below TRIE_TEXT_MIN matches anything: it would be taken for a mark. */

static bool text_matches(const struct trie_query *query, const struct trie_row *row, size_t from)
{
    size_t i = from, n = row->key_n < query->n ? row->key_n : query->n;
    while (i < n && row->key[i] == query->text[i] && query->text[i] >= TRIE_TEXT_MIN)
        i++;
    return i < row->key_n && row->key[i] < TRIE_MARKS && query->ends(query, i, row->key[i]) &&
           tail_matches(query, row, i + 1);
}

static void scan_texts(struct trie_walk *walk, const struct trie_node *node, size_t from)
{
    const struct trie_bucket *bucket = (const struct trie_bucket *)node;
    const struct trie_row *row;
    for (uint32_t at = 0; at < bucket->used && !walk->ended; at += row->size) {
        row = bucket_row(bucket, at);
        walk->ended = text_matches(walk->query, row, from) && walk->visit(row, walk->context);
    }
}

/* The keys that end in a mark behind `at` bytes of text; node is what a branch has for the upper half of a mark. */
static void match_marks(struct trie_walk *walk, const struct trie_node *node, size_t at)
{
    unsigned depth = walk->depth;
    if (node->kind == TRIE_BUCKET) {
        scan_texts(walk, node, at);
        return;
    }
    const struct trie_branch *branch = (const struct trie_branch *)node;
    for (unsigned mark = 0; mark < TRIE_MARKS && !walk->ended; mark++) {
        if (!branch_has(node, mark) || !walk->query->ends(walk->query, at, (unsigned char)mark))
            continue;
        walk->depth = 2 * (unsigned)at + 2;
        match_tail(walk, branch->child[branch_place(node, mark)], at + 1);
    }
    walk->depth = depth;
}

static const struct trie_node *step_text(struct trie_walk *walk, const struct trie_node *node)
{
    const struct trie_query *query = walk->query;
    size_t at = walk->depth / 2;
    if (node->kind == TRIE_BUCKET) {
        scan_texts(walk, node, at);
        return NULL;
    }
    if (node->kind == TRIE_SKIP) {
        const struct trie_skip *skip = (const struct trie_skip *)node;
        if (at + skip->n > query->n || memcmp(query->text + at, skip->bytes, skip->n) != 0)
            return NULL;
        walk->depth += 2 * skip->n;
        return skip->child;
    }
    const struct trie_branch *branch = (const struct trie_branch *)node;
    if (walk->depth % 2 == 0 && branch_has(node, 0)) {
        walk->beside = branch->child[0];
        walk->beside_at = at;
    }
    if (at >= query->n || query->text[at] < TRIE_TEXT_MIN)
        return NULL;
    unsigned half = half_byte(query->text, walk->depth++);
    return branch_has(node, half) ? branch->child[branch_place(node, half)] : NULL;
}

/* Walks. */

/* What most look-ups need of a node: its beginning, and what of a branch or bucket comes next. */
static void prefetch(const struct trie_node *node)
{
    __builtin_prefetch(node);
    __builtin_prefetch((const char *)node + CACHE_LINE_BYTES);
}

void trie_walk_begin(struct trie_walk *walk, const struct trie *trie, const struct trie_query *query, trie_visit *visit,
                     void *context)
{
    *walk = (struct trie_walk){ .query = query, .visit = visit, .context = context, .node = trie->root };
}

bool trie_walk_step(struct trie_walk *walk)
{
    const struct trie_node *beside = walk->beside;
    bool is_text = walk->query->n > 0;
    walk->beside = NULL;
    if (beside && is_text)
        match_marks(walk, beside, walk->beside_at);
    else if (beside)
        scan_tails(walk, beside, 0);
    if (!walk->node || walk->ended)
        return false;
    walk->node = is_text ? step_text(walk, walk->node) : step_tail(walk, walk->node, 0);
    if (walk->beside)
        prefetch(walk->beside);
    if (walk->node)
        prefetch(walk->node);
    return walk->beside || (walk->node && !walk->ended);
}

bool trie_match(const struct trie *trie, const struct trie_query *query, trie_visit *visit, void *context)
{
    struct trie_walk walk;
    trie_walk_begin(&walk, trie, query, visit, context);
    while (trie_walk_step(&walk))
        ;
    return walk.ended;
}

/* All rows below a node. */

struct beginning {
    const unsigned char *bytes;
    size_t n;
};

static bool each_row(const struct trie_bucket *bucket, const struct beginning *begin, trie_visit *visit, void *context)
{
    const struct trie_row *row;
    for (uint32_t at = 0; at < bucket->used; at += row->size) {
        row = bucket_row(bucket, at);
        if (row->key_n >= begin->n && (begin->n == 0 || memcmp(row->key, begin->bytes, begin->n) == 0) &&
            visit(row, context))
            return true;
    }
    return false;
}

static bool each_below(const struct trie_node *node, const struct beginning *begin, trie_visit *visit, void *context)
{
    if (!node)
        return false;
    if (node->kind == TRIE_BUCKET)
        return each_row((const struct trie_bucket *)node, begin, visit, context);
    if (node->kind == TRIE_SKIP)
        return each_below(((const struct trie_skip *)node)->child, begin, visit, context);
    const struct trie_branch *branch = (const struct trie_branch *)node;
    bool ended = each_below(branch->own, begin, visit, context);
    for (unsigned i = 0, n = branch_children(node); i < n && !ended; i++)
        ended = each_below(branch->child[i], begin, visit, context);
    return ended;
}

bool trie_each(const struct trie *trie, const unsigned char *begin, size_t n, trie_visit *visit, void *context)
{
    struct beginning beginning = { begin, n };
    const struct trie_node *node = trie->root;
    unsigned depth = 0;
    while (node && node->kind != TRIE_BUCKET && depth / 2 < n) {
        if (node->kind == TRIE_SKIP) {
            const struct trie_skip *skip = (const struct trie_skip *)node;
            size_t rest = n - depth / 2;
            if (memcmp(skip->bytes, begin + depth / 2, rest < skip->n ? rest : skip->n) != 0)
                return false;
            depth += 2 * skip->n;
            node = skip->child;
        } else {
            unsigned half = half_byte(begin, depth++);
            const struct trie_branch *branch = (const struct trie_branch *)node;
            node = branch_has(node, half) ? branch->child[branch_place(node, half)] : NULL;
        }
    }
    return each_below(node, &beginning, visit, context);
}
