#include "core/lint_table.h"

#include "core/mail.h"
#include "core/name_key.h"

#include <errno.h>
#include <stdlib.h>

void lint_table_init(struct lint_table *table, enum rule_table which)
{
    *table = (struct lint_table){ .which = which, .edit.generation = 1 };
}

void lint_table_fini(struct lint_table *table)
{
    key_map_fini(&table->map, NULL);
    free(table->rows);
    free(table->places);
    free(table->of_rows);
    trie_free(&table->blocks);
    trie_free(&table->names);
    trie_edit_drop(&table->edit);
}

/* Adding. */

/* The array with room for one element more, at the same place or another; NULL where memory is short. */
static void *with_room(void *array, size_t n, size_t *room, size_t element_bytes)
{
    enum { FIRST_ROOM = 64 };
    if (n < *room)
        return array;
    size_t wider_n = *room ? *room * 2 : FIRST_ROOM;
    void *wider = wider_n <= UINT32_MAX ? realloc(array, wider_n * element_bytes) : NULL;
    if (wider)
        *room = wider_n;
    return wider;
}

/* The place with this key, made where there is none. */
static int put_place(struct lint_table *table, char kind, struct str key, uint32_t *number)
{
    void **value = key_map_put(&table->map, kind, key);
    if (!value)
        return -ENOMEM;
    if (!*value) {
        struct lint_place *places =
            with_room(table->places, table->n_places, &table->room_places, sizeof *table->places);
        if (!places)
            return -ENOMEM;
        table->places = places;
        places[table->n_places++] = (struct lint_place){ .n_names = 0 };
        *value = (void *)(uintptr_t)table->n_places;
    }
    *number = (uint32_t)(uintptr_t)*value - 1;
    return 0;
}

static int add_place_of_row(struct lint_table *table, uint32_t place)
{
    uint32_t *of_rows = with_room(table->of_rows, table->n_of_rows, &table->room_of_rows, sizeof *of_rows);
    if (!of_rows)
        return -ENOMEM;
    table->of_rows = of_rows;
    of_rows[table->n_of_rows++] = place;
    return 0;
}

/* A key as it is in a trie, and behind it what tells aliases of one account from those of another. */
struct place_key {
    unsigned char bytes[8 * TRIE_KEY_MAX_BYTES];
    size_t n;
    unsigned bits;
};

static void begin_key(struct place_key *place, const struct rule_key *key)
{
    place->bits = 0;
    place->n = key->is_block ? 0 : name_key_write(place->bytes, key->kind, key->name, key->local_n);
}

static void put_prefix(struct place_key *place, size_t begin, const struct prefix *prefix)
{
    place->n = begin + prefix_key_write(place->bytes + begin, prefix, &place->bits);
    place->n += place->bits ? 1 : 0;
}

static struct str key_bytes(const struct place_key *place)
{
    return str_make((const char *)place->bytes, place->n);
}

static bool has_client(const struct rule_reading *reading)
{
    return reading->row->client.n > 0;
}

/* Its prefixes; false where the row has none, but a name alone. */
static bool begin_prefixes(const struct rule_reading *reading, struct block_rest *rest)
{
    bool any = reading->key.is_block || has_client(reading);
    if (any)
        *rest = block_prefixes(has_client(reading) ? &reading->client : &reading->key.block);
    return any;
}

/* Accounts are told apart as they are compared; behind a name's mark there is room for any. */
static int put_account(struct place_key *place, const struct rule_reading *reading)
{
    struct mail_addr account;
    if (reading->value != RULE_USER_ALIAS)
        return 0;
    int r = mail_parse(&account, reading->account, MAIL_AS_SENT);
    if (r == 0) {
        memcpy(place->bytes + place->n, account.whole.p, account.whole.n);
        place->n += account.whole.n;
    }
    mail_fini(&account);
    return r;
}

/* What rows share whose keys mean the same: their place, where they have but one and that says no more. */
static int put_name(struct lint_table *table, const struct rule_reading *reading, uint32_t *name, bool *is_place)
{
    struct place_key place;
    struct block_rest rest;
    struct prefix prefix;
    char kind = table->which == RULE_LOCAL_USER ? LINT_KEY_NAME : LINT_KEY_PLACE;
    begin_key(&place, &reading->key);
    if (begin_prefixes(reading, &rest)) {
        size_t begin = place.n;
        (void)block_next_prefix(&rest, &prefix);
        put_prefix(&place, begin, &prefix);
        kind = (char)(LINT_KEY_PLACE + place.bits);
        if (!rest.done) { /* the first prefix and the last address */
            kind = LINT_KEY_NAME;
            memcpy(place.bytes + place.n, &rest.last, sizeof rest.last);
            place.n += sizeof rest.last;
        }
    }
    *is_place = kind != LINT_KEY_NAME;
    return put_place(table, kind, key_bytes(&place), name);
}

static int add_place(struct lint_table *table, const struct place_key *place)
{
    uint32_t number;
    int r = put_place(table, (char)(LINT_KEY_PLACE + place->bits), key_bytes(place), &number);
    return r < 0 ? r : add_place_of_row(table, number);
}

static int add_places(struct lint_table *table, const struct rule_reading *reading)
{
    struct place_key place;
    struct block_rest rest;
    struct prefix prefix;
    begin_key(&place, &reading->key);
    int r = put_account(&place, reading);
    if (r < 0 || !begin_prefixes(reading, &rest))
        return r < 0 ? r : add_place(table, &place);
    for (size_t begin = place.n; r == 0 && block_next_prefix(&rest, &prefix);) {
        put_prefix(&place, begin, &prefix);
        r = add_place(table, &place);
    }
    return r;
}

static uint8_t rank_of(enum rule_value value)
{
    switch (value) {
    case RULE_REFUSE:
    case RULE_DOMAIN_LOCAL:
    case RULE_LIST_AS_SET:
        return 1;
    case RULE_LIST_CLOSED:
        return 2;
    default:
        return 0;
    }
}

static bool is_spelled(const struct rule_reading *reading)
{
    char client[BLOCK_TEXT_SIZE] = "";
    if (reading->row->client.n > 0)
        block_format(&reading->client, client);
    return !str_is(reading->row->key, reading->key.text) || !str_is(reading->row->client, client);
}

int lint_table_add(struct lint_table *table, const struct rule_reading *reading, int64_t id, int64_t until,
                   struct lint_row **row)
{
    uint32_t first = (uint32_t)table->n_of_rows, name = 0;
    bool is_place;
    struct lint_row *rows = with_room(table->rows, table->n_rows, &table->room_rows, sizeof *rows);
    if (!rows)
        return -ENOMEM;
    table->rows = rows;
    int r = put_name(table, reading, &name, &is_place);
    if (r == 0 && until > 0)
        r = is_place ? add_place_of_row(table, name) : add_places(table, reading);
    if (r < 0)
        return r;
    table->places[name].n_names++;
    *row = &rows[table->n_rows++];
    **row = (struct lint_row){
        .id = id,
        .until = until,
        .name = name,
        .first = first,
        .n = (uint32_t)table->n_of_rows - first,
        .rank = rank_of(reading->value),
        .danger = LINT_NOTHING,
        .is_spelled = is_spelled(reading),
        .has_host_bits = (reading->key.is_block && reading->key.block.host_bits) ||
                         (reading->row->client.n > 0 && reading->client.host_bits),
    };
    return 0;
}

int lint_table_add_name(struct lint_table *table, const struct rule_reading *reading)
{
    uint32_t name;
    bool is_place;
    int r = put_name(table, reading, &name, &is_place);
    if (r == 0)
        table->places[name].n_names++;
    return r;
}

bool lint_table_is_alone(const struct lint_table *table, const struct lint_row *row)
{
    return table->places[row->name].n_names == 1;
}

const struct lint_place *lint_table_find(const struct lint_table *table, struct str key)
{
    uint32_t number = (uint32_t)(uintptr_t)key_map_get(&table->map, LINT_KEY_PLACE, key);
    return number ? &table->places[number - 1] : NULL;
}
