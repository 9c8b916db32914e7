#include "core/prefix_map.h"

#include <stdlib.h>

/* A node without value joins two branches and so has two children. A child's prefix is longer than its parent's. */
struct prefix_node {
    struct prefix key;
    void *value;
    struct prefix_node *child[2];
};

static unsigned bit_at(const struct ip_addr *addr, unsigned at)
{
    return (unsigned)((at < 64 ? addr->hi >> (63 - at) : addr->lo >> (127 - at)) & 1);
}

/* In how many leading bits a and b agree, up to max. */
static unsigned common_bits(const struct ip_addr *a, const struct ip_addr *b, unsigned max)
{
    uint64_t hi = a->hi ^ b->hi, lo = a->lo ^ b->lo;
    unsigned n = hi ? (unsigned)__builtin_clzll(hi) : lo ? 64 + (unsigned)__builtin_clzll(lo) : 128;
    return n < max ? n : max;
}

static bool holds(const struct prefix *key, const struct ip_addr *addr)
{
    return common_bits(&key->addr, addr, key->len) == key->len;
}

static struct prefix_node *new_node(const struct ip_addr *addr, unsigned len)
{
    struct prefix_node *node = calloc(1, sizeof *node);
    if (node)
        node->key = (struct prefix){ ip_mask(addr, len), len };
    return node;
}

static struct prefix_node **root_of(struct prefix_map *map, const struct ip_addr *addr)
{
    return addr->v6 ? &map->v6 : &map->v4;
}

void **prefix_map_put(struct prefix_map *map, const struct prefix *key)
{
    struct prefix_node **link = root_of(map, &key->addr);
    struct prefix_node *at;
    while ((at = *link) != NULL && at->key.len < key->len && holds(&at->key, &key->addr))
        link = &at->child[bit_at(&key->addr, at->key.len)];

    unsigned common = at ? common_bits(&at->key.addr, &key->addr, at->key.len < key->len ? at->key.len : key->len) : 0;
    if (at && common == key->len && at->key.len == key->len)
        return &at->value;

    struct prefix_node *node = new_node(&key->addr, key->len);
    if (!node)
        return NULL;
    if (at && common < key->len) {
        struct prefix_node *fork = new_node(&key->addr, common);
        if (!fork) {
            free(node);
            return NULL;
        }
        fork->child[bit_at(&at->key.addr, common)] = at;
        fork->child[bit_at(&key->addr, common)] = node;
        *link = fork;
    } else {
        if (at)
            node->child[bit_at(&at->key.addr, key->len)] = at;
        *link = node;
    }
    return &node->value;
}

void **prefix_map_get(const struct prefix_map *map, const struct prefix *key)
{
    struct prefix_node *at = key->addr.v6 ? map->v6 : map->v4;
    while (at && at->key.len < key->len && holds(&at->key, &key->addr))
        at = at->child[bit_at(&key->addr, at->key.len)];
    if (!at || at->key.len != key->len || !holds(&at->key, &key->addr) || !at->value)
        return NULL;
    return &at->value;
}

/* Takes a node that neither has a value nor joins two branches out of the trie. */
static void drop_if_idle(struct prefix_node **link)
{
    struct prefix_node *node = *link;
    if (node->value || (node->child[0] && node->child[1]))
        return;
    *link = node->child[0] ? node->child[0] : node->child[1];
    free(node);
}

void prefix_map_remove(struct prefix_map *map, const struct prefix *key)
{
    struct prefix_node **parent = NULL, **link = root_of(map, &key->addr);
    while (*link && (*link)->key.len < key->len && holds(&(*link)->key, &key->addr)) {
        parent = link;
        link = &(*link)->child[bit_at(&key->addr, (*link)->key.len)];
    }
    if (!*link || (*link)->key.len != key->len || !holds(&(*link)->key, &key->addr))
        return;
    (*link)->value = NULL;
    drop_if_idle(link);
    if (parent)
        drop_if_idle(parent);
}

size_t prefix_map_match(const struct prefix_map *map, const struct ip_addr *addr, void *values[PREFIX_MAP_DEPTH])
{
    size_t n = 0;
    const struct prefix_node *at = addr->v6 ? map->v6 : map->v4;
    while (at && holds(&at->key, addr)) {
        if (at->value)
            values[n++] = at->value;
        if (at->key.len == ip_bits(addr))
            break;
        at = at->child[bit_at(addr, at->key.len)];
    }
    return n;
}

/* Recursion is bounded by the number of bits. */
static void free_nodes(struct prefix_node *node, void (*free_value)(void *value))
{
    if (!node)
        return;
    free_nodes(node->child[0], free_value);
    free_nodes(node->child[1], free_value);
    if (node->value && free_value)
        free_value(node->value);
    free(node);
}

void prefix_map_fini(struct prefix_map *map, void (*free_value)(void *value))
{
    free_nodes(map->v4, free_value);
    free_nodes(map->v6, free_value);
    *map = (struct prefix_map){ 0 };
}
