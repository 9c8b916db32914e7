/*
 * lint_table: the rows of one table side by side, to see which of them change nothing. For lint*.c alone.
 *
 * A row has places: one for each prefix of its block or its client, or the one of its name. Of the rows at a place
 * those of the highest rank count, and all of one rank say the same. So a row is without effect where, at each of its
 * places and for as long as it lives, another one counts, or would: the nearest of those that cover it.
 */
#ifndef GATEPOST_CORE_LINT_TABLE_H
#define GATEPOST_CORE_LINT_TABLE_H

#include "core/key_map.h"
#include "core/lint.h"

/* Kinds of keys in the map; that of a place goes up with its bits. */
enum { LINT_KEY_NAME = 'n', LINT_KEY_PLACE = '0' };

enum { LINT_RANKS = 3 }; /* refusing verdicts, closed lists and domains of our own count above the others */

struct lint_row {
    int64_t id;
    int64_t until;     /* INT64_MAX: for ever */
    uint32_t name;     /* of table->places: what all rows share whose key means the same */
    uint32_t first, n; /* of table->of_rows: its places; none where it has expired */
    uint8_t rank;
    uint8_t danger;  /* of enum lint_code */
    bool stays;      /* its danger does not mean that it is to go */
    bool is_spelled; /* otherwise than canonically */
    bool has_host_bits;
};

struct lint_place {
    struct str key;            /* of a trie, with a last byte for the bits that fill none */
    uint32_t best[LINT_RANKS]; /* one more than the number of the row that counts of this rank; 0: none */
    uint32_t n_names;          /* rows with this as their name */
    uint8_t bits;              /* of the last byte of key; 0: all */
    bool is_live[LINT_RANKS];  /* a row has this rank, be it one that is to go */
};

struct lint_table {
    enum rule_table which;
    struct key_map map; /* to one more than the number of a place */
    struct lint_row *rows;
    struct lint_place *places;
    uint32_t *of_rows;
    size_t n_rows, n_places, n_of_rows, room_rows, room_places, room_of_rows;
    struct trie blocks, names;
    struct trie_edit edit;
    bool has_refused; /* the highest of two ranks is there */
};

void lint_table_init(struct lint_table *table, enum rule_table which);
void lint_table_fini(struct lint_table *table);

/* Adds a row that has been understood, alive until then or expired (0). Returns 0 with the row in *row, which is valid
 * until the next is added; or -ENOMEM. */
int lint_table_add(struct lint_table *table, const struct rule_reading *reading, int64_t id, int64_t until,
                   struct lint_row **row);

/* Of the row no more than the key is understood: it is there, and has no effect. Returns 0, or -ENOMEM. */
int lint_table_add_name(struct lint_table *table, const struct rule_reading *reading);

/* To be called when all rows are there, with their danger. Returns 0, or -ENOMEM. */
int lint_table_seal(struct lint_table *table);

/* LINT_OVERRULED, LINT_DUPLICATE or LINT_SHADOWED where the row has no effect, with the row that counts in *other; or
 * LINT_NOTHING. */
enum lint_code lint_table_judge(const struct lint_table *table, const struct lint_row *row,
                                const struct lint_row **other);

/* No other row has this name. */
bool lint_table_is_alone(const struct lint_table *table, const struct lint_row *row);

/* The place with this key, NULL where there is none. */
const struct lint_place *lint_table_find(const struct lint_table *table, struct str key);

#endif
