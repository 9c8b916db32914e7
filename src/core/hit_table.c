#include "core/hit_table.h"

#include "core/hash.h"

#include <stdlib.h>

enum {
    SLOTS = 2 * HIT_TABLE_MAX, /* a power of two; at least half of them stay free */
    PLENTY = HIT_TABLE_MAX / 4 * 3,
    PLENTY_BYTES = HIT_TABLE_MAX_BYTES / 4 * 3,
    FIRST_BYTES = 16 * 1024
};

/* One rule, with its row behind. Records stand side by side, so that no more memory is touched than is needed. */
struct record {
    int64_t last;
    uint64_t hits;
    unsigned char row[];
};

/* Linear probing. The tag saves the look at most records that are not meant. */
struct slot {
    uint32_t tag;
    uint32_t place; /* where the record begins, in units of the alignment, from 1; 0: free */
};

struct hit_table {
    size_t n;
    uint64_t lost;
    unsigned char *records;
    size_t used, size; /* bytes */
    struct slot slots[SLOTS];
};

struct hit_table *hit_table_new(void)
{
    return calloc(1, sizeof(struct hit_table));
}

void hit_table_free(struct hit_table *table)
{
    if (table)
        free(table->records);
    free(table);
}

static struct record *record_at(const struct hit_table *table, size_t at)
{
    return (struct record *)(void *)(table->records + at);
}

static const struct trie_row *row_of(const struct record *record)
{
    return (const struct trie_row *)(const void *)record->row;
}

static size_t record_bytes(const struct trie_row *row)
{
    size_t n = sizeof(struct record) + row->size, unit = _Alignof(struct record);
    return (n + unit - 1) / unit * unit;
}

static bool make_room(struct hit_table *table, size_t n)
{
    size_t size = table->size ? table->size : FIRST_BYTES;
    while (size < table->used + n)
        size *= 2;
    if (size == table->size)
        return true;
    unsigned char *wider = size <= HIT_TABLE_MAX_BYTES ? realloc(table->records, size) : NULL;
    if (!wider)
        return false;
    table->records = wider;
    table->size = size;
    return true;
}

static struct record *add_record(struct hit_table *table, struct slot *slot, uint32_t tag, const struct trie_row *row)
{
    size_t n = record_bytes(row);
    if (table->n == HIT_TABLE_MAX || !make_room(table, n))
        return NULL;
    struct record *record = record_at(table, table->used);
    record->hits = 0;
    record->last = 0;
    memcpy(record->row, row, row->size);
    *slot = (struct slot){ tag, (uint32_t)(table->used / _Alignof(struct record) + 1) };
    table->used += n;
    table->n++;
    return record;
}

static struct record *record_of(const struct hit_table *table, const struct slot *slot)
{
    return record_at(table, (slot->place - (size_t)1) * _Alignof(struct record));
}

/* The record of the rule, made where there is none; NULL where there is no room. */
static struct record *find(struct hit_table *table, const struct trie_row *row)
{
    uint64_t hash = hash_bytes(0, str_make((const char *)row, row->size));
    uint32_t tag = (uint32_t)(hash >> 32);
    for (size_t i = hash & (SLOTS - 1);; i = (i + 1) & (SLOTS - 1)) {
        struct slot *slot = &table->slots[i];
        if (slot->place == 0)
            return add_record(table, slot, tag, row);
        if (slot->tag != tag)
            continue;
        struct record *record = record_of(table, slot);
        if (row_of(record)->size == row->size && memcmp(record->row, row, row->size) == 0)
            return record;
    }
}

bool hit_table_add(struct hit_table *table, const struct rule *rule, int64_t now)
{
    struct record *record = find(table, rule_row_of(rule));
    if (record) {
        record->hits++;
        record->last = now > record->last ? now : record->last;
    } else {
        table->lost++;
    }
    return table->n < PLENTY && table->used < PLENTY_BYTES;
}

size_t hit_table_n(const struct hit_table *table)
{
    return table->n;
}

uint64_t hit_table_lost(const struct hit_table *table)
{
    return table->lost;
}

bool hit_table_next(const struct hit_table *table, size_t *at, struct hit *hit)
{
    if (*at == table->used)
        return false;
    const struct record *record = record_at(table, *at);
    *hit = (struct hit){ rule_of(row_of(record)), record->hits, record->last };
    *at += record_bytes(row_of(record));
    return true;
}

void hit_table_clear(struct hit_table *table)
{
    table->n = table->used = 0;
    table->lost = 0;
    memset(table->slots, 0, sizeof table->slots);
}
