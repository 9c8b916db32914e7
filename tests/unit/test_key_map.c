#include "core/key_map.h"

#include "seeded.h"
#include "suite.h"

#include <stdio.h>

static const struct {
    char kind;
    struct str key;
} keys[] = {
    { 'a', STR("") },
    { 'b', STR("") },
    { '\0', STR("") },
    { 'a', STR("\0") },
    { 'a', STR("\0\0") },
    { 'a', STR("x") },
    { 'b', STR("x") },
    { 'a', STR("x\0") },
    { 'a', STR("X") },
    { 'a', STR("xa") },
    { 'x', STR("a") },
    { 'a', STR("1234567") },
    { 'a', STR("12345678") },
    { 'a', STR("12345678\0") },
    { 'a', STR("123456789") },
    { 'a', STR("fred@example.com") },
    { 'a', STR("fred@example.net") },
    { 'd', STR("fred@example.com") },
    { 'a', STR("\xff\xfe") },
};

START_TEST(keys_that_differ_in_kind_or_bytes_are_apart)
{
    struct key_map map = { 0 };
    int values[COUNT(keys)];
    for (int i = 0; i < COUNT(keys); i++) {
        void **place = key_map_put(&map, keys[i].kind, keys[i].key);
        ck_assert_ptr_nonnull(place);
        ck_assert_ptr_null(*place);
        *place = &values[i];
    }
    key_map_remove(&map, keys[_i].kind, keys[_i].key);
    for (int i = 0; i < COUNT(keys); i++)
        ck_assert_ptr_eq(key_map_get(&map, keys[i].kind, keys[i].key), i == _i ? NULL : &values[i]);
    ck_assert_uint_eq(map.used, COUNT(keys) - 1);
    key_map_fini(&map, NULL);
}
END_TEST

START_TEST(an_empty_map_holds_nothing)
{
    struct key_map map = { 0 };
    size_t at = 0;
    char kind;
    struct str key;
    void *value;
    ck_assert_ptr_null(key_map_get(&map, 'a', str_of("x")));
    ck_assert(!key_map_next(&map, &at, &kind, &key, &value));
    key_map_remove(&map, 'a', str_of("x"));
    key_map_fini(&map, NULL);
    key_map_fini(&map, free);
}
END_TEST

START_TEST(a_key_has_one_place)
{
    struct key_map map = { 0 };
    int value;
    void **place = key_map_put(&map, 'a', str_of("x"));
    *place = &value;
    ck_assert_ptr_eq(key_map_put(&map, 'a', str_of("x")), place);
    ck_assert_ptr_eq(*place, &value);
    ck_assert_uint_eq(map.used, 1);
    key_map_fini(&map, NULL);
}
END_TEST

START_TEST(a_key_is_copied)
{
    struct key_map map = { 0 };
    int value;
    char text[] = "fred@example.com";
    *key_map_put(&map, 'a', str_of(text)) = &value;
    memset(text, 'x', sizeof text - 1);
    ck_assert_ptr_eq(key_map_get(&map, 'a', str_of("fred@example.com")), &value);
    ck_assert_ptr_null(key_map_get(&map, 'a', str_of(text)));
    key_map_fini(&map, NULL);
}
END_TEST

START_TEST(a_key_removed_and_put_again_is_new)
{
    struct key_map map = { 0 };
    int value;
    *key_map_put(&map, 'a', str_of("x")) = &value;
    key_map_remove(&map, 'a', str_of("x"));
    key_map_remove(&map, 'a', str_of("x"));
    ck_assert_ptr_null(key_map_get(&map, 'a', str_of("x")));
    ck_assert_ptr_null(*key_map_put(&map, 'a', str_of("x")));
    ck_assert_uint_eq(map.used, 1);
    key_map_fini(&map, NULL);
}
END_TEST

START_TEST(keys_of_any_length_are_told_apart_by_their_last_byte)
{
    struct key_map map = { 0 };
    char text[600];
    int values[2];
    memset(text, 'k', sizeof text);
    for (size_t n = 1; n <= sizeof text; n++) {
        *key_map_put(&map, 'a', str_make(text, n)) = &values[0];
        text[n - 1] = 'l';
        ck_assert_ptr_null(key_map_get(&map, 'a', str_make(text, n)));
        *key_map_put(&map, 'a', str_make(text, n)) = &values[1];
        text[n - 1] = 'k';
        ck_assert_ptr_eq(key_map_get(&map, 'a', str_make(text, n)), &values[0]);
    }
    ck_assert_uint_eq(map.used, 2 * sizeof text);
    key_map_fini(&map, NULL);
}
END_TEST

enum { MANY = 100000 };

static struct str numbered(char text[32], int number)
{
    return str_make(text, (size_t)snprintf(text, 32, "user%d@example.com", number));
}

START_TEST(many_keys_are_kept_and_visited_once_each)
{
    struct key_map map = { 0 };
    static char seen[MANY];
    char text[32], kind;
    struct str key;
    void *value;
    for (int i = 0; i < MANY; i++)
        *key_map_put(&map, 'a', numbered(text, i)) = &seen[i];
    for (int i = 0; i < MANY; i++)
        ck_assert_ptr_eq(key_map_get(&map, 'a', numbered(text, i)), &seen[i]);

    size_t n = 0;
    for (size_t at = 0; key_map_next(&map, &at, &kind, &key, &value); n++) {
        char *mark = value;
        ck_assert_int_eq(kind, 'a');
        ck_assert_int_eq(++*mark, 1);
        ck_assert(str_equal(key, numbered(text, (int)(mark - seen))));
    }
    ck_assert_uint_eq(n, MANY);

    for (int i = 0; i < MANY; i++)
        key_map_remove(&map, 'a', numbered(text, i));
    ck_assert_uint_eq(map.used, 0);
    key_map_fini(&map, NULL);
}
END_TEST

START_TEST(an_emptied_map_has_freed_each_value_once)
{
    struct key_map map = { 0 };
    char text[32];
    for (int i = 0; i < 1000; i++)
        if (i % 3) /* the others stay NULL */
            *key_map_put(&map, 'a', numbered(text, i)) = malloc(1);
        else
            ck_assert_ptr_nonnull(key_map_put(&map, 'a', numbered(text, i)));
    key_map_fini(&map, free);
    ck_assert_ptr_null(key_map_get(&map, 'a', numbered(text, 1)));
    ck_assert_uint_eq(map.used, 0);
    key_map_fini(&map, free);
}
END_TEST

/* The naive model: a list of keys, gone through from end to end. */
enum { MODEL_MAX = 300, STEPS = 8000, STEPS_BETWEEN_CHECKS = 500, KEY_MAX = 12 };

struct entry {
    bool used;
    char kind;
    size_t n;
    char key[KEY_MAX];
    char value; /* the value of an entry is &value */
};

static struct entry *model_find(struct entry *model, char kind, struct str key)
{
    for (int i = 0; i < MODEL_MAX; i++)
        if (model[i].used && model[i].kind == kind && str_equal(str_make(model[i].key, model[i].n), key))
            return &model[i];
    return NULL;
}

static struct entry *model_free_entry(struct entry *model)
{
    for (int i = 0; i < MODEL_MAX; i++)
        if (!model[i].used)
            return &model[i];
    return NULL;
}

/* Few different bytes, so that keys collide, in the hash and altogether. */
static struct str random_key(uint64_t *seed, char text[KEY_MAX])
{
    size_t n = seeded_below(seed, 4) ? seeded_below(seed, 6) : seeded_below(seed, KEY_MAX + 1);
    for (size_t i = 0; i < n; i++)
        text[i] = "ab\0\xff"[seeded_below(seed, 4)];
    return str_make(text, n);
}

static void put_in_both(struct entry *model, struct key_map *map, char kind, struct str key)
{
    struct entry *entry = model_find(model, kind, key), *old = entry;
    if (!entry && !(entry = model_free_entry(model)))
        return;
    void **place = key_map_put(map, kind, key);
    ck_assert_ptr_nonnull(place);
    ck_assert_ptr_eq(*place, old ? &old->value : NULL);
    *place = &entry->value;
    entry->used = true;
    entry->kind = kind;
    entry->n = key.n;
    memcpy(entry->key, key.p, key.n);
}

static void check_against_model(struct entry *model, const struct key_map *map)
{
    size_t used = 0, visited = 0;
    char kind;
    struct str key;
    void *value;
    for (int i = 0; i < MODEL_MAX; i++) {
        if (!model[i].used)
            continue;
        used++;
        ck_assert_ptr_eq(key_map_get(map, model[i].kind, str_make(model[i].key, model[i].n)), &model[i].value);
    }
    ck_assert_uint_eq(map->used, used);
    for (size_t at = 0; key_map_next(map, &at, &kind, &key, &value); visited++)
        ck_assert_ptr_eq(value, &model_find(model, kind, key)->value);
    ck_assert_uint_eq(visited, used);
}

START_TEST(random_puts_and_removals_are_kept_as_in_a_list)
{
    static struct entry model[MODEL_MAX];
    uint64_t seed = (uint64_t)_i;
    struct key_map map = { 0 };
    for (int step = 1; step <= STEPS; step++) {
        char text[KEY_MAX], kind = (char)('a' + seeded_below(&seed, 2));
        struct str key = random_key(&seed, text);
        /* It fills and empties by turns. */
        if (seeded_below(&seed, 10) < (step / 1000 % 2 ? 2 : 8)) {
            put_in_both(model, &map, kind, key);
        } else {
            struct entry *entry = model_find(model, kind, key);
            key_map_remove(&map, kind, key);
            if (entry)
                entry->used = false;
        }
        key = random_key(&seed, text);
        struct entry *entry = model_find(model, kind, key);
        ck_assert_ptr_eq(key_map_get(&map, kind, key), entry ? &entry->value : NULL);
        if (step % STEPS_BETWEEN_CHECKS == 0)
            check_against_model(model, &map);
    }
    key_map_fini(&map, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("key_map");
    TCase *map = suite_case(suite, "map");
    tcase_add_loop_test(map, keys_that_differ_in_kind_or_bytes_are_apart, 0, COUNT(keys));
    tcase_add_test(map, an_empty_map_holds_nothing);
    tcase_add_test(map, a_key_has_one_place);
    tcase_add_test(map, a_key_is_copied);
    tcase_add_test(map, a_key_removed_and_put_again_is_new);
    tcase_add_test(map, keys_of_any_length_are_told_apart_by_their_last_byte);
    tcase_add_test(map, many_keys_are_kept_and_visited_once_each);
    tcase_add_test(map, an_emptied_map_has_freed_each_value_once);

    TCase *random = suite_case(suite, "random changes");
    tcase_add_loop_test(random, random_puts_and_removals_are_kept_as_in_a_list, 0, 4);
    return suite_run(suite);
}
