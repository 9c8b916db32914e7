#include "core/key_map.h"

#include "core/hash.h"

#include <stdlib.h>

/* text is the kind followed by the key, n + 1 bytes, or NULL in a free slot. Linear probing; removal shifts back, so
 * there are no tombstones. */
struct key_slot {
    uint64_t hash;
    char *text;
    size_t n;
    void *value;
};

enum { FIRST_SIZE = 16 };

static uint64_t hash_of(char kind, struct str key)
{
    return hash_bytes((unsigned char)kind, key);
}

/* The slot of the key, or the free one where it would be; the map has at least one free slot. */
static struct key_slot *find(const struct key_map *map, uint64_t hash, char kind, struct str key)
{
    size_t mask = map->size - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct key_slot *slot = &map->slots[i];
        if (!slot->text)
            return slot;
        if (slot->hash == hash && slot->n == key.n && slot->text[0] == kind &&
            (key.n == 0 || memcmp(slot->text + 1, key.p, key.n) == 0))
            return slot;
    }
}

static bool grow(struct key_map *map)
{
    struct key_map wider = { .size = map->size ? map->size * 2 : FIRST_SIZE, .used = map->used };
    wider.slots = calloc(wider.size, sizeof *wider.slots);
    if (!wider.slots)
        return false;
    size_t mask = wider.size - 1;
    for (size_t i = 0; i < map->size; i++) {
        if (!map->slots[i].text)
            continue;
        size_t to = map->slots[i].hash & mask;
        while (wider.slots[to].text)
            to = (to + 1) & mask;
        wider.slots[to] = map->slots[i];
    }
    free(map->slots);
    *map = wider;
    return true;
}

void **key_map_put(struct key_map *map, char kind, struct str key)
{
    if (map->used + 1 > map->size / 4 * 3 && !grow(map))
        return NULL;
    uint64_t hash = hash_of(kind, key);
    struct key_slot *slot = find(map, hash, kind, key);
    if (slot->text)
        return &slot->value;
    char *text = malloc(key.n + 1);
    if (!text)
        return NULL;
    text[0] = kind;
    if (key.n)
        memcpy(text + 1, key.p, key.n);
    *slot = (struct key_slot){ hash, text, key.n, NULL };
    map->used++;
    return &slot->value;
}

void *key_map_get(const struct key_map *map, char kind, struct str key)
{
    return map->used ? find(map, hash_of(kind, key), kind, key)->value : NULL;
}

void key_map_remove(struct key_map *map, char kind, struct str key)
{
    if (map->used == 0)
        return;
    struct key_slot *gap = find(map, hash_of(kind, key), kind, key);
    if (!gap->text)
        return;
    free(gap->text);
    map->used--;

    size_t mask = map->size - 1;
    size_t hole = (size_t)(gap - map->slots);
    for (size_t i = (hole + 1) & mask; map->slots[i].text; i = (i + 1) & mask) {
        size_t home = map->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole] = (struct key_slot){ 0 };
}

bool key_map_next(const struct key_map *map, size_t *at, char *kind, struct str *key, void **value)
{
    while (*at < map->size) {
        const struct key_slot *slot = &map->slots[(*at)++];
        if (!slot->text)
            continue;
        *kind = slot->text[0];
        *key = str_make(slot->text + 1, slot->n);
        *value = slot->value;
        return true;
    }
    return false;
}

void key_map_fini(struct key_map *map, void (*free_value)(void *value))
{
    for (size_t i = 0; i < map->size; i++) {
        if (map->slots[i].value && free_value)
            free_value(map->slots[i].value);
        free(map->slots[i].text);
    }
    free(map->slots);
    *map = (struct key_map){ 0 };
}
