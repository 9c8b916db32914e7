#include "core/prefix_map.h"

#include "seeded.h"
#include "suite.h"
#include "wide.h"

static struct prefix prefix_of(const char *text)
{
    struct block block;
    struct prefix prefix;
    ck_assert_int_eq(block_parse(str_of(text), &block, NULL), 0);
    struct block_rest rest = block_prefixes(&block);
    ck_assert(block_next_prefix(&rest, &prefix) && rest.done);
    return prefix;
}

/* Each prefix of the list, separated by blanks, maps to its own text. */
static void put_all(struct prefix_map *map, char *list)
{
    for (char *text; (text = strsep(&list, " ")) != NULL;) {
        struct prefix prefix = prefix_of(text);
        void **place = prefix_map_put(map, &prefix);
        ck_assert_ptr_nonnull(place);
        *place = text;
    }
}

static void check_match(const struct prefix_map *map, const char *client, const char *expected)
{
    void *values[PREFIX_MAP_DEPTH];
    char found[256] = "";
    struct ip_addr addr = addr_of(client);
    size_t n = prefix_map_match(map, &addr, values);
    for (size_t i = 0; i < n; i++) {
        if (i)
            strcat(found, " ");
        strcat(found, values[i]);
    }
    ck_assert_str_eq(found, expected);
}

static const struct {
    const char *prefixes, *addr, *found;
} matches[] = {
    { "192.0.2.0/24", "192.0.2.0", "192.0.2.0/24" },
    { "192.0.2.0/24", "192.0.2.255", "192.0.2.0/24" },
    { "192.0.2.0/24", "192.0.1.255", "" },
    { "192.0.2.0/24", "192.0.3.0", "" },
    /* The shortest first, in whatever order they came. */
    { "0.0.0.0/0 192.0.2.0/24 192.0.2.7", "192.0.2.7", "0.0.0.0/0 192.0.2.0/24 192.0.2.7" },
    { "192.0.2.7 192.0.2.0/24 0.0.0.0/0", "192.0.2.7", "0.0.0.0/0 192.0.2.0/24 192.0.2.7" },
    { "192.0.2.0/24 192.0.2.7 0.0.0.0/0", "192.0.2.7", "0.0.0.0/0 192.0.2.0/24 192.0.2.7" },
    { "192.0.2.7 192.0.2.0/24 0.0.0.0/0", "192.0.2.8", "0.0.0.0/0 192.0.2.0/24" },
    { "192.0.2.7 192.0.2.0/24 0.0.0.0/0", "192.0.3.7", "0.0.0.0/0" },
    /* Neighbours share a branch, not a match. */
    { "192.0.2.0/25 192.0.2.128/25", "192.0.2.127", "192.0.2.0/25" },
    { "192.0.2.0/25 192.0.2.128/25", "192.0.2.128", "192.0.2.128/25" },
    { "192.0.2.6 192.0.2.7 192.0.2.4/31", "192.0.2.5", "192.0.2.4/31" },
    { "198.51.100.0/24 203.0.113.0/24", "200.0.0.1", "" },
    /* IPv6, also around its 64th bit. */
    { "2001:db8::/32 2001:db8::/63 2001:db8::/64 2001:db8::/65", "2001:db8::1",
      "2001:db8::/32 2001:db8::/63 2001:db8::/64 2001:db8::/65" },
    { "2001:db8::/32 2001:db8::/63 2001:db8::/64 2001:db8::/65",
      "2001:db8:0:0:8000::", "2001:db8::/32 2001:db8::/63 2001:db8::/64" },
    { "2001:db8::/32 2001:db8::/63 2001:db8::/64 2001:db8::/65", "2001:db8:0:1::", "2001:db8::/32 2001:db8::/63" },
    { "::/0 2001:db8::1", "2001:db8::1", "::/0 2001:db8::1" },
    { "::/0 2001:db8::1", "2001:db8::2", "::/0" },
    /* The families are apart. */
    { "0.0.0.0/0 ::/0", "192.0.2.1", "0.0.0.0/0" },
    { "0.0.0.0/0 ::/0", "c000:201::", "::/0" },
    { "192.0.2.0/24", "c000:200::", "" },
};

START_TEST(all_prefixes_that_hold_the_address_are_found)
{
    struct prefix_map map = { 0 };
    char *list = strdup(matches[_i].prefixes);
    put_all(&map, list);
    check_match(&map, matches[_i].addr, matches[_i].found);
    prefix_map_fini(&map, NULL);
    free(list);
}
END_TEST

START_TEST(an_empty_map_holds_nothing)
{
    struct prefix_map map = { 0 };
    struct prefix prefix = prefix_of("0.0.0.0/0");
    check_match(&map, "192.0.2.1", "");
    ck_assert_ptr_null(prefix_map_get(&map, &prefix));
    prefix_map_remove(&map, &prefix);
    prefix_map_fini(&map, NULL);
    prefix_map_fini(&map, free);
}
END_TEST

START_TEST(a_prefix_has_one_place)
{
    struct prefix_map map = { 0 };
    struct prefix prefix = prefix_of("192.0.2.0/24"), wider = prefix_of("192.0.2.0/23");
    int value;
    void **place = prefix_map_put(&map, &prefix);
    ck_assert_ptr_nonnull(place);
    ck_assert_ptr_null(*place);
    *place = &value;
    ck_assert_ptr_eq(prefix_map_put(&map, &prefix), place);
    ck_assert_ptr_eq(prefix_map_get(&map, &prefix), place);
    ck_assert_ptr_eq(*place, &value);
    ck_assert_ptr_null(prefix_map_get(&map, &wider));
    prefix_map_fini(&map, NULL);
}
END_TEST

static const struct {
    const char *prefixes, *removed, *addr, *found;
} removals[] = {
    { "192.0.2.0/24", "192.0.2.0/24", "192.0.2.7", "" },
    { "192.0.2.0/24", "192.0.2.0/25", "192.0.2.7", "192.0.2.0/24" }, /* absent ones */
    { "192.0.2.0/24", "192.0.2.0/23", "192.0.2.7", "192.0.2.0/24" },
    { "192.0.2.0/24", "192.0.3.0/24", "192.0.2.7", "192.0.2.0/24" },
    { "192.0.2.6 192.0.2.9", "192.0.2.0/28", "192.0.2.9", "192.0.2.9" }, /* where two branches join */
    { "192.0.2.0/24 192.0.2.7", "192.0.2.0/24", "192.0.2.7", "192.0.2.7" },
    { "192.0.2.0/24 192.0.2.7", "192.0.2.7", "192.0.2.7", "192.0.2.0/24" },
    { "192.0.2.6 192.0.2.9", "192.0.2.6", "192.0.2.9", "192.0.2.9" },
    { "192.0.2.0/28 192.0.2.6 192.0.2.9", "192.0.2.0/28", "192.0.2.9", "192.0.2.9" },
    { "192.0.2.0/28 192.0.2.6 192.0.2.9", "192.0.2.0/28", "192.0.2.6", "192.0.2.6" },
    { "2001:db8::/32 2001:db8::1 ::/0", "2001:db8::/32", "2001:db8::1", "::/0 2001:db8::1" },
    { "0.0.0.0/0 ::/0", "0.0.0.0/0", "2001:db8::1", "::/0" },
};

START_TEST(removing_a_prefix_leaves_the_others)
{
    struct prefix_map map = { 0 };
    struct prefix removed = prefix_of(removals[_i].removed);
    char *list = strdup(removals[_i].prefixes);
    put_all(&map, list);
    prefix_map_remove(&map, &removed);
    ck_assert_ptr_null(prefix_map_get(&map, &removed));
    check_match(&map, removals[_i].addr, removals[_i].found);
    prefix_map_fini(&map, NULL);
    free(list);
}
END_TEST

START_TEST(every_length_at_once_is_found)
{
    static const char *const deepest[] = { "203.0.113.85", "2001:db8:5555:aaaa:5555:aaaa:5555:aaaa" };
    struct prefix_map map = { 0 };
    struct ip_addr addr = addr_of(deepest[_i]);
    static int values[PREFIX_MAP_DEPTH];
    void *found[PREFIX_MAP_DEPTH];
    for (unsigned len = 0; len <= ip_bits(&addr); len++) {
        struct prefix prefix = { ip_mask(&addr, len), len };
        *prefix_map_put(&map, &prefix) = &values[len];
    }
    ck_assert_uint_eq(prefix_map_match(&map, &addr, found), ip_bits(&addr) + 1);
    for (unsigned len = 0; len <= ip_bits(&addr); len++)
        ck_assert_ptr_eq(found[len], &values[len]);
    prefix_map_fini(&map, NULL);
}
END_TEST

START_TEST(an_emptied_map_has_freed_each_value_once)
{
    struct prefix_map map = { 0 };
    uint64_t seed = 3;
    for (int i = 0; i < 1000; i++) {
        bool v6 = i % 2;
        struct ip_addr addr = wide_to_addr(seeded_next(&seed) & wide_max(v6), v6);
        unsigned len = seeded_below(&seed, ip_bits(&addr) + 1);
        struct prefix prefix = { ip_mask(&addr, len), len };
        void **place = prefix_map_put(&map, &prefix);
        if (!*place)
            *place = malloc(1);
    }
    prefix_map_fini(&map, free);
    check_match(&map, "192.0.2.1", "");
}
END_TEST

/* The naive model: a list of prefixes, gone through from end to end. */
enum { MODEL_MAX = 200, STEPS = 2000, STEPS_BETWEEN_CHECKS = 50 };

struct model {
    struct prefix prefixes[MODEL_MAX];
    char values[MODEL_MAX]; /* the value of prefix i is &values[i] */
    bool used[MODEL_MAX];
};

static bool model_holds(const struct prefix *prefix, const struct ip_addr *addr)
{
    wide first = wide_of(&prefix->addr), number = wide_of(addr);
    return prefix->addr.v6 == addr->v6 && number >= first && number - first <= wide_span(prefix->len, prefix->addr.v6);
}

static int model_find(const struct model *model, const struct prefix *prefix)
{
    for (int i = 0; i < MODEL_MAX; i++)
        if (model->used[i] && model->prefixes[i].len == prefix->len &&
            ip_compare(&model->prefixes[i].addr, &prefix->addr) == 0)
            return i;
    return -1;
}

static void check_against_model(const struct model *model, const struct prefix_map *map, struct ip_addr addr)
{
    void *found[PREFIX_MAP_DEPTH];
    const char *expected[PREFIX_MAP_DEPTH] = { NULL };
    for (int i = 0; i < MODEL_MAX; i++)
        if (model->used[i] && model_holds(&model->prefixes[i], &addr))
            expected[model->prefixes[i].len] = &model->values[i];

    size_t n = prefix_map_match(map, &addr, found), at = 0;
    for (unsigned len = 0; len <= ip_bits(&addr); len++)
        if (expected[len])
            ck_assert(at < n && found[at++] == expected[len]);
    ck_assert_uint_eq(at, n);
}

/* Both neighbours of both ends of every prefix. */
static void check_boundaries(const struct model *model, const struct prefix_map *map)
{
    for (int i = 0; i < MODEL_MAX; i++) {
        if (!model->used[i])
            continue;
        const struct prefix *prefix = &model->prefixes[i];
        bool v6 = prefix->addr.v6;
        wide first = wide_of(&prefix->addr), last = first + wide_span(prefix->len, v6);
        wide ends[] = { first - 1, first, last, last + 1 };
        for (size_t e = 0; e < 4; e++)
            check_against_model(model, map, wide_to_addr(ends[e] & wide_max(v6), v6));
    }
}

/* Few different bits, so that prefixes nest and collide. */
static struct prefix random_prefix(uint64_t *seed)
{
    bool v6 = seeded_below(seed, 2);
    wide number = v6 ? (wide)UINT64_C(0x20010db800000000) << 64 : UINT32_C(0xcb007100);
    for (int i = 0; i < 3; i++)
        number ^= (wide)1 << seeded_below(seed, v6 ? 128 : 32);
    struct ip_addr addr = wide_to_addr(number, v6);
    unsigned len = seeded_below(seed, ip_bits(&addr) + 1);
    return (struct prefix){ ip_mask(&addr, len), len };
}

static void put_in_both(struct model *model, struct prefix_map *map, const struct prefix *prefix)
{
    int at = model_find(model, prefix);
    for (int i = 0; at < 0 && i < MODEL_MAX; i++)
        if (!model->used[i])
            at = i;
    if (at < 0)
        return;
    void **place = prefix_map_put(map, prefix);
    ck_assert_ptr_nonnull(place);
    ck_assert_ptr_eq(*place, model->used[at] ? &model->values[at] : NULL);
    *place = &model->values[at];
    model->prefixes[at] = *prefix;
    model->used[at] = true;
}

/* Mostly one that is there. */
static void remove_from_both(struct model *model, struct prefix_map *map, uint64_t *seed)
{
    int at = (int)seeded_below(seed, MODEL_MAX);
    struct prefix prefix = model->used[at] ? model->prefixes[at] : random_prefix(seed);
    prefix_map_remove(map, &prefix);
    ck_assert_ptr_null(prefix_map_get(map, &prefix));
    if ((at = model_find(model, &prefix)) >= 0)
        model->used[at] = false;
}

START_TEST(random_puts_and_removals_match_as_a_list_does)
{
    uint64_t seed = (uint64_t)_i;
    struct model model = { 0 };
    struct prefix_map map = { 0 };
    for (int step = 1; step <= STEPS; step++) {
        struct prefix prefix = random_prefix(&seed);
        /* It fills and empties by turns. */
        if (seeded_below(&seed, 10) < (step / 500 % 2 ? 2 : 8))
            put_in_both(&model, &map, &prefix);
        else
            remove_from_both(&model, &map, &seed);
        void **place = prefix_map_get(&map, &prefix);
        int at = model_find(&model, &prefix);
        ck_assert_ptr_eq(place ? *place : NULL, at >= 0 ? &model.values[at] : NULL);
        if (step % STEPS_BETWEEN_CHECKS == 0)
            check_boundaries(&model, &map);
    }
    for (int i = 0; i < MODEL_MAX; i++)
        if (model.used[i])
            prefix_map_remove(&map, &model.prefixes[i]);
    ck_assert_ptr_null(map.v4);
    ck_assert_ptr_null(map.v6);
    prefix_map_fini(&map, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("prefix_map");
    TCase *map = suite_case(suite, "map");
    tcase_add_loop_test(map, all_prefixes_that_hold_the_address_are_found, 0, COUNT(matches));
    tcase_add_test(map, an_empty_map_holds_nothing);
    tcase_add_test(map, a_prefix_has_one_place);
    tcase_add_loop_test(map, removing_a_prefix_leaves_the_others, 0, COUNT(removals));
    tcase_add_loop_test(map, every_length_at_once_is_found, 0, 2);
    tcase_add_test(map, an_emptied_map_has_freed_each_value_once);

    TCase *random = suite_case(suite, "random changes");
    tcase_add_loop_test(random, random_puts_and_removals_match_as_a_list_does, 0, 4);
    return suite_run(suite);
}
