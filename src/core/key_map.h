/*
 * key_map: a hash from (kind of key, bytes) to pointers, which stay the caller's.
 *
 * The kind is a character of the caller's choosing, so that one map holds e.g. whole addresses and domains apart. Keys
 * are copied and owned by the map. They come from administrators, or from users who have logged in, so the hash need
 * not withstand chosen ones. Not thread safe. All zeros is an empty map.
 */
#ifndef GATEPOST_CORE_KEY_MAP_H
#define GATEPOST_CORE_KEY_MAP_H

#include "core/str.h"

#include <stdint.h>

struct key_slot;

struct key_map {
    struct key_slot *slots;
    size_t used, size; /* size is 0 or a power of two */
};

/* The place of the value for this key, made (holding NULL) where absent; NULL where memory is short, the map unchanged.
 * Valid until the map is changed. Amortised O(1). */
void **key_map_put(struct key_map *map, char kind, struct str key);

/* The value for this key, or NULL. O(1), whatever the number of keys. */
void *key_map_get(const struct key_map *map, char kind, struct str key);

/* Forgets the key; does nothing where it is absent. */
void key_map_remove(struct key_map *map, char kind, struct str key);

/* The next key and its value; *at is 0 at first. False at the end. The order means nothing; the map must not be changed
 * in between. */
bool key_map_next(const struct key_map *map, size_t *at, char *kind, struct str *key, void **value);

/* Empties the map, calling free_value (where not NULL) for each value. */
void key_map_fini(struct key_map *map, void (*free_value)(void *value));

#endif
