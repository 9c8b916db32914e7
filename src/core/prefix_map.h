/*
 * prefix_map: longest-prefix match over IPv4 and IPv6.
 *
 * Maps address prefixes to pointers, which stay the caller's. A path-compressed binary trie for each family: a look-up
 * walks at most one node for each bit in which the stored prefixes differ, whatever their number. The map owns its
 * nodes; keys are copied. Not thread safe. All zeros is an empty map.
 */
#ifndef GATEPOST_CORE_PREFIX_MAP_H
#define GATEPOST_CORE_PREFIX_MAP_H

#include "core/block.h"

struct prefix_node;

struct prefix_map {
    struct prefix_node *v4, *v6;
};

enum { PREFIX_MAP_DEPTH = 129 }; /* so many prefixes can hold one address: /0 to /128 */

/* The place of the value for this very prefix, made (holding NULL) where absent; NULL where memory is short, the map
 * unchanged. Valid until the map is changed. */
void **prefix_map_put(struct prefix_map *map, const struct prefix *key);

/* The place of the value for this very prefix, or NULL. */
void **prefix_map_get(const struct prefix_map *map, const struct prefix *key);

/* Forgets the prefix; does nothing where it is absent. */
void prefix_map_remove(struct prefix_map *map, const struct prefix *key);

/* Fills values with those of all prefixes that hold addr, the shortest first, and returns how many they are. */
size_t prefix_map_match(const struct prefix_map *map, const struct ip_addr *addr, void *values[PREFIX_MAP_DEPTH]);

/* Empties the map, calling free_value (where not NULL) for each value. */
void prefix_map_fini(struct prefix_map *map, void (*free_value)(void *value));

#endif
