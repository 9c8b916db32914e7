/*
 * prefix_map and key_map against lists that are searched from end to end.
 */
#include "core/key_map.h"
#include "core/prefix_map.h"
#include "seeded.h"
#include "suite.h"

#include <stdio.h>

enum { ROUNDS = 200, STEPS = 200, ENTRIES = 64 };

struct entry {
    struct prefix prefix;
    int value;
};

/* Few bits vary, so that prefixes nest and meet. */
static struct ip_addr random_addr(uint64_t *state)
{
    struct ip_addr addr = { .v6 = seeded_below(state, 2) };
    addr.hi = (uint64_t)seeded_below(state, 4) << 62 | (uint64_t)seeded_below(state, 4) << 40 |
              (uint64_t)seeded_below(state, 4) << 32;
    if (addr.v6)
        addr.lo = (uint64_t)seeded_below(state, 4) << 62 | seeded_below(state, 4);
    return addr;
}

static struct prefix random_prefix(uint64_t *state)
{
    struct ip_addr addr = random_addr(state);
    unsigned len = seeded_below(state, ip_bits(&addr) + 1);
    return (struct prefix){ ip_mask(&addr, len), len };
}

static struct entry *find(struct entry *entries, size_t n, const struct prefix *prefix)
{
    for (size_t i = 0; i < n; i++)
        if (entries[i].prefix.len == prefix->len && ip_compare(&entries[i].prefix.addr, &prefix->addr) == 0)
            return &entries[i];
    return NULL;
}

static bool holds(const struct prefix *prefix, const struct ip_addr *addr)
{
    struct ip_addr masked = ip_mask(addr, prefix->len);
    return ip_compare(&masked, &prefix->addr) == 0;
}

/* What the map says of an address is what the list says, the shortest first. */
static void compare(const struct prefix_map *map, const struct entry *entries, size_t n, const struct ip_addr *addr)
{
    void *values[PREFIX_MAP_DEPTH];
    size_t found = prefix_map_match(map, addr, values), expected = 0;
    for (unsigned len = 0; len <= 128; len++) {
        for (size_t i = 0; i < n; i++) {
            if (entries[i].prefix.len != len || !holds(&entries[i].prefix, addr))
                continue;
            ck_assert_uint_lt(expected, found);
            ck_assert_ptr_eq(values[expected], &entries[i].value);
            expected++;
        }
    }
    ck_assert_uint_eq(found, expected);
}

/* The addresses on both sides of both ends of a prefix. */
static void compare_neighbours(const struct prefix_map *map, const struct entry *entries, size_t n,
                               const struct prefix *prefix)
{
    struct ip_addr first = prefix->addr, last = prefix->addr, other;
    for (unsigned bit = prefix->len; bit < ip_bits(&last); bit++) {
        if (bit < 64)
            last.hi |= UINT64_C(1) << (63 - bit);
        else
            last.lo |= UINT64_C(1) << (127 - bit);
    }
    compare(map, entries, n, &first);
    compare(map, entries, n, &last);
    uint64_t one = first.v6 ? 1 : UINT64_C(1) << 32, *low = first.v6 ? &other.lo : &other.hi;
    other = first;
    *low -= one;
    if (first.v6 && first.lo == 0)
        other.hi--;
    compare(map, entries, n, &other);
    other = last;
    *low += one;
    if (last.v6 && other.lo == 0)
        other.hi++;
    compare(map, entries, n, &other);
}

START_TEST(prefixes_are_found_as_in_a_list)
{
    uint64_t state = (uint64_t)_i;
    struct prefix_map map = { 0 };
    struct entry entries[ENTRIES];
    size_t n = 0;
    for (int step = 0; step < STEPS; step++) {
        struct prefix prefix = random_prefix(&state);
        struct entry *there = find(entries, n, &prefix);
        if (there && seeded_below(&state, 2)) {
            prefix_map_remove(&map, &prefix);
            *there = entries[--n];
            if (there != &entries[n]) /* the last one has moved */
                *prefix_map_get(&map, &there->prefix) = &there->value;
        } else if (!there && n < ENTRIES) {
            entries[n].prefix = prefix;
            void **place = prefix_map_put(&map, &prefix);
            ck_assert_ptr_nonnull(place);
            ck_assert_ptr_null(*place);
            *place = &entries[n++].value;
        } else {
            ck_assert_int_eq(prefix_map_get(&map, &prefix) != NULL, there != NULL);
        }
        struct ip_addr addr = random_addr(&state);
        compare(&map, entries, n, &addr);
        if (n > 0)
            compare_neighbours(&map, entries, n, &entries[seeded_below(&state, (unsigned)n)].prefix);
    }
    for (size_t i = 0; i < n; i++)
        prefix_map_remove(&map, &entries[i].prefix);
    ck_assert_ptr_null(map.v4);
    ck_assert_ptr_null(map.v6);
}
END_TEST

START_TEST(keys_are_found_as_in_a_list)
{
    enum { KEYS = 300 };
    uint64_t state = (uint64_t)_i;
    struct key_map map = { 0 };
    int values[KEYS];
    bool there[KEYS] = { false };
    size_t used = 0;
    for (int step = 0; step < 20 * STEPS; step++) {
        unsigned k = seeded_below(&state, KEYS);
        char text[64], kind = k % 2 ? 'a' : 'b';
        /* Keys of many lengths; each text stands for two keys, one of each kind. */
        int n = snprintf(text, sizeof text, "%*u", 1 + (int)(k / 2 % 24), k / 2);
        struct str key = str_make(text, (size_t)n);
        ck_assert_ptr_eq(key_map_get(&map, kind, key), there[k] ? &values[k] : NULL);
        if (seeded_below(&state, 2)) {
            void **place = key_map_put(&map, kind, key);
            ck_assert_ptr_nonnull(place);
            ck_assert_ptr_eq(*place, there[k] ? &values[k] : NULL);
            *place = &values[k];
            used += !there[k];
            there[k] = true;
        } else {
            key_map_remove(&map, kind, key);
            used -= there[k];
            there[k] = false;
        }
        ck_assert_uint_eq(map.used, used);
    }
    size_t at = 0, seen = 0;
    char kind;
    struct str key;
    void *value;
    while (key_map_next(&map, &at, &kind, &key, &value)) {
        ck_assert(there[(int *)value - values]);
        seen++;
    }
    ck_assert_uint_eq(seen, used);
    key_map_fini(&map, NULL);
    ck_assert_ptr_null(key_map_get(&map, 'a', str_of("0")));
}
END_TEST

START_TEST(empty_key_is_a_key)
{
    struct key_map map = { 0 };
    int value;
    key_map_remove(&map, 'a', str_make(NULL, 0));
    ck_assert_ptr_null(key_map_get(&map, 'a', str_make(NULL, 0)));
    *key_map_put(&map, 'a', str_make(NULL, 0)) = &value;
    ck_assert_ptr_eq(key_map_get(&map, 'a', str_make(NULL, 0)), &value);
    ck_assert_ptr_null(key_map_get(&map, 'b', str_make(NULL, 0)));
    key_map_fini(&map, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("maps");
    TCase *tcase = suite_case(suite, "maps");
    tcase_add_loop_test(tcase, prefixes_are_found_as_in_a_list, 0, ROUNDS);
    tcase_add_loop_test(tcase, keys_are_found_as_in_a_list, 0, 20);
    tcase_add_test(tcase, empty_key_is_a_key);
    return suite_run(suite);
}
