/*
 * Which rows of a table change nothing: the second half of lint_table.h.
 */
#include "core/lint_table.h"
#include "core/name_key.h"

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
        if (kind == LINT_KEY_NAME)
            continue;
        table->places[number].key = key;
        table->places[number].bits = (uint8_t)(kind - LINT_KEY_PLACE);
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
