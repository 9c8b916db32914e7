#include "core/lint_table.h"

#include "core/mail.h"
#include "core/name_key.h"

#include <errno.h>
#include <stdlib.h>

/* Kinds of keys in the map; that of a place goes up with its bits. */
enum { KEY_NAME = 'n', KEY_PLACE = '0' };

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
    char kind = table->which == RULE_LOCAL_USER ? KEY_NAME : KEY_PLACE;
    begin_key(&place, &reading->key);
    if (begin_prefixes(reading, &rest)) {
        size_t begin = place.n;
        (void)block_next_prefix(&rest, &prefix);
        put_prefix(&place, begin, &prefix);
        kind = (char)(KEY_PLACE + place.bits);
        if (!rest.done) { /* the first prefix and the last address */
            kind = KEY_NAME;
            memcpy(place.bytes + place.n, &rest.last, sizeof rest.last);
            place.n += sizeof rest.last;
        }
    }
    *is_place = kind != KEY_NAME;
    return put_place(table, kind, key_bytes(&place), name);
}

static int add_place(struct lint_table *table, const struct place_key *place)
{
    uint32_t number;
    int r = put_place(table, (char)(KEY_PLACE + place->bits), key_bytes(place), &number);
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

/* Sealing. */

/* Of two rows of one rank at a place: the one that lives longer counts, then the one that has more places, then the one
 * that is written canonically, then the first. So a row of which another copy counts can go. */
static bool is_better(const struct lint_row *row, const struct lint_row *than)
{
    if (row->until != than->until)
        return row->until > than->until;
    if (row->n != than->n)
        return row->n > than->n;
    return !row->is_spelled && than->is_spelled;
}

static void settle(struct lint_table *table, uint32_t number)
{
    const struct lint_row *row = &table->rows[number];
    for (uint32_t i = row->first; i < row->first + row->n; i++) {
        struct lint_place *place = &table->places[table->of_rows[i]];
        uint32_t *best = &place->best[row->rank];
        place->is_live[row->rank] = true;
        if (row->danger != LINT_NOTHING && !row->stays)
            continue;
        if (*best == 0 || is_better(row, &table->rows[*best - 1]))
            *best = number + 1;
    }
    table->has_refused = table->has_refused || (row->n > 0 && row->rank == 1);
}

static bool has_covers(enum rule_table which)
{
    return which != RULE_LOCAL_USER && which != RULE_LOCAL_LIST;
}

static bool is_block_key(const struct lint_place *place)
{
    return place->key.p[0] == PREFIX_KEY_V4 || place->key.p[0] == PREFIX_KEY_V6;
}

static size_t whole_bytes(const struct lint_place *place)
{
    return place->key.n - (place->bits ? 1U : 0U);
}

/* A row of the trie: the key, and behind it the number of the place. */
static int file_place(struct lint_table *table, uint32_t number)
{
    const struct lint_place *place = &table->places[number];
    union rule_space space;
    struct trie_row *row = &space.row;
    size_t n = offsetof(struct trie_row, key) + place->key.n;
    *row = (struct trie_row){ .key_n = (uint16_t)whole_bytes(place), .bits = place->bits };
    memcpy(row->key, place->key.p, place->key.n);
    memcpy(row->key + place->key.n, &number, sizeof number);
    n += sizeof number;
    if (n % 2 != 0)
        space.bytes[n++] = 0;
    row->size = (uint16_t)n;
    return trie_load(is_block_key(place) ? &table->blocks : &table->names, &table->edit, row);
}

static uint32_t number_of(const struct trie_row *row)
{
    uint32_t number;
    memcpy(&number, row->key + row->key_n + (row->bits ? 1 : 0), sizeof number);
    return number;
}

int lint_table_seal(struct lint_table *table)
{
    size_t at = 0;
    char kind;
    struct str key;
    void *value;
    int r = 0;
    for (size_t i = 0; i < table->n_rows; i++)
        settle(table, (uint32_t)i);
    while (r == 0 && key_map_next(&table->map, &at, &kind, &key, &value)) {
        uint32_t number = (uint32_t)(uintptr_t)value - 1;
        if (kind == KEY_NAME)
            continue;
        table->places[number].key = key;
        table->places[number].bits = (uint8_t)(kind - KEY_PLACE);
        if (has_covers(table->which))
            r = file_place(table, number);
    }
    if (r == 0)
        r = trie_load_end(&table->blocks, &table->edit);
    return r < 0 ? r : trie_load_end(&table->names, &table->edit);
}

/* Judging. */

/* What covers a place of a row: the nearest place where a row says the same for as long as this one lives, and the
 * nearest where something else is said. */
struct cover {
    const struct lint_table *table;
    const struct lint_row *row;
    uint32_t place;
    unsigned same_nearness, other_nearness;
    const struct lint_row *same;
};

/* The longer the prefix or the name, the nearer; a suffix is farther than the hosts below as much. */
static unsigned nearness(const struct lint_place *place)
{
    enum { TAIL_BITS_MAX = 0xff };
    const unsigned char *key = (const unsigned char *)place->key.p;
    unsigned bits = 8U * (unsigned)whole_bytes(place) + place->bits;
    if (is_block_key(place))
        return bits;
    unsigned n = (unsigned)name_key_bytes(key, place->key.n);
    return (2 * n + (key[n - 1] == MARK_SUFFIX ? 0 : 1)) * (TAIL_BITS_MAX + 1) + bits - 8 * n;
}

static bool visit_cover(const struct trie_row *trie_row, void *context)
{
    struct cover *cover = context;
    const struct lint_table *table = cover->table;
    const struct lint_row *row = cover->row;
    uint32_t number = number_of(trie_row);
    const struct lint_place *place = &table->places[number];
    if (number == cover->place)
        return false;
    bool higher = false, lower = false;
    for (unsigned rank = 0; rank < LINT_RANKS; rank++) {
        higher = higher || (rank > row->rank && place->is_live[rank]);
        lower = lower || (rank < row->rank && place->is_live[rank]);
    }
    const struct lint_row *best = place->best[row->rank] ? &table->rows[place->best[row->rank] - 1] : NULL;
    bool same = best && best->until >= row->until && !higher;
    unsigned near = nearness(place) + 1;
    if (same && near > cover->same_nearness) {
        cover->same_nearness = near;
        cover->same = best;
    } else if (!same && (higher || lower) && near > cover->other_nearness) {
        cover->other_nearness = near;
    }
    return false;
}

static bool is_whole_name(const struct lint_place *place)
{
    return !is_block_key(place) &&
           place->key.p[name_key_bytes((const unsigned char *)place->key.p, place->key.n) - 1] == MARK_WHOLE;
}

static const struct lint_row *find_cover(const struct lint_table *table, const struct lint_row *row, uint32_t number)
{
    const struct lint_place *place = &table->places[number];
    const unsigned char *key = (const unsigned char *)place->key.p;
    struct cover cover = { .table = table, .row = row, .place = number };
    struct name_query name;
    struct trie_query query = { .n = 0 };
    size_t name_n = is_block_key(place) ? 0 : name_key_bytes(key, place->key.n);
    if (name_n > 0) {
        /* A prefix that is refused comes between an exact name and the names below a domain. */
        if (table->which == RULE_RELAY_GRANT && table->has_refused && is_whole_name(place))
            return NULL;
        name_query_init_key(&name, key, name_n);
        query = name.query;
    }
    if (place->key.n > name_n) {
        query.tail = key + name_n;
        query.tail_bits = 8 * (unsigned)(whole_bytes(place) - name_n) + place->bits;
    }
    (void)trie_match(name_n > 0 ? &table->names : &table->blocks, &query, visit_cover, &cover);
    return cover.same_nearness > cover.other_nearness ? cover.same : NULL;
}

/* Why the row has no effect at that place, or LINT_NOTHING. */
static enum lint_code judge_place(const struct lint_table *table, const struct lint_row *row, uint32_t number,
                                  const struct lint_row **other)
{
    const struct lint_place *place = &table->places[number];
    for (unsigned rank = LINT_RANKS; rank-- > row->rank;) {
        *other = place->best[rank] ? &table->rows[place->best[rank] - 1] : NULL;
        if (*other && *other != row && (*other)->until >= row->until)
            return rank > row->rank ? LINT_OVERRULED : (*other)->name == row->name ? LINT_DUPLICATE : LINT_SHADOWED;
    }
    for (unsigned rank = 0; rank < row->rank; rank++)
        if (place->is_live[rank])
            return LINT_NOTHING; /* which would count instead */
    *other = has_covers(table->which) ? find_cover(table, row, number) : NULL;
    return *other ? LINT_SHADOWED : LINT_NOTHING;
}

enum lint_code lint_table_judge(const struct lint_table *table, const struct lint_row *row,
                                const struct lint_row **other)
{
    enum lint_code code = LINT_NOTHING;
    for (uint32_t i = 0; i < row->n; i++) {
        const struct lint_row *counts;
        enum lint_code here = judge_place(table, row, table->of_rows[row->first + i], &counts);
        if (here == LINT_NOTHING)
            return LINT_NOTHING;
        if (code == LINT_NOTHING || (here == LINT_OVERRULED && code != LINT_OVERRULED)) {
            code = here;
            *other = counts;
        }
    }
    return code;
}

bool lint_table_is_alone(const struct lint_table *table, const struct lint_row *row)
{
    return table->places[row->name].n_names == 1;
}

const struct lint_place *lint_table_find(const struct lint_table *table, struct str key)
{
    uint32_t number = (uint32_t)(uintptr_t)key_map_get(&table->map, KEY_PLACE, key);
    return number ? &table->places[number - 1] : NULL;
}
