/*
 * trie: rows under keys of bits, in versions that share what is the same in both.
 *
 * A look-up finds the rows whose keys are prefixes of what is asked, and its cost hangs on the length of the key alone.
 * A change copies the few nodes on its way and leaves those of the version before as they are, so that one thread reads
 * one version while another prepares the next: publishing that is the assignment of a struct trie.
 *
 * Rows are packed side by side into buckets. A bucket that grows too large is split by the next four bits of the keys;
 * what becomes small again is joined. Nothing is kept beside the rows but some bytes of each bucket and branch.
 *
 * A key is either bits alone (an address), or text without bytes below TRIE_TEXT_MIN that ends in a mark, one byte
 * below TRIE_MARKS, behind which there may be a tail of bits. The two kinds are never mixed in one trie.
 */
#ifndef GATEPOST_CORE_TRIE_H
#define GATEPOST_CORE_TRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TRIE_MARKS = 4,
    TRIE_TEXT_MIN = 0x10,
    TRIE_KEY_MAX_BYTES = 2048 /* it bounds the depth, too */
};

/* Rows are copied byte by byte, and stand at even addresses. */
struct trie_row {
    uint16_t size;       /* of all of it, in bytes; even */
    uint16_t key_n;      /* whole bytes of the key */
    uint8_t bits;        /* of one more byte, 0 to 7; the rest of that byte is 0 */
    uint8_t tag;         /* the caller's */
    unsigned char key[]; /* behind it comes what else the caller keeps */
};

struct trie_node;

/* All zeros: empty. */
struct trie {
    struct trie_node *root;
};

/* A change from one version to the next, of any number of tries. `generation` is one more than that of the version that
 * it begins with. What it makes is the edit's own, until it is kept. */
struct trie_edit {
    uint64_t generation;
    struct trie_node **retired; /* nodes of the version before that the new one does not have */
    size_t n_retired, room;
};

/* The last generation there can be. */
#define TRIE_GENERATION_MAX ((UINT64_C(1) << 44) - 1)

/* Adds a row, whatever rows there are under the same key. Returns 0, or -ENOMEM: the trie is as good as before then. */
int trie_add(struct trie *trie, struct trie_edit *edit, const struct trie_row *row);

/* The same for very many rows, one after the other; to be followed by trie_load_end, and no look-up before that costs
 * what it should. */
int trie_load(struct trie *trie, struct trie_edit *edit, const struct trie_row *row);
int trie_load_end(struct trie *trie, struct trie_edit *edit);

/* Whether a row with the key that is asked for is the one that is meant. */
typedef bool trie_is_meant(const struct trie_row *row, const void *context);

/* Removes one row with the key of `key` that is_meant. Returns 1, 0 where there is none, or -ENOMEM as trie_add. */
int trie_remove(struct trie *trie, struct trie_edit *edit, const struct trie_row *key, trie_is_meant *is_meant,
                const void *context);

/* The version before is read no more: frees what the new one does not share. */
void trie_edit_keep(struct trie_edit *edit);

/* Forgets the list of what is retired: the version before stays. The edit's own nodes are freed with
 * trie_free_generation. */
void trie_edit_drop(struct trie_edit *edit);

/* Frees those nodes of a trie that were made in this generation; the others belong to versions before. */
void trie_free_generation(struct trie *trie, uint64_t generation);

/* Frees all nodes: the only version that there is. */
void trie_free(struct trie *trie);

/* Called with a row; true ends the walk. A row is valid as long as the version. */
typedef bool trie_visit(const struct trie_row *row, void *context);

/* What is looked for. Where n is 0 keys are bits alone, those of `tail`. */
struct trie_query {
    const unsigned char *text;
    size_t n;
    /* Whether a key may end with this mark behind the first `at` bytes of the text. */
    bool (*ends)(const struct trie_query *query, size_t at, unsigned char mark);
    size_t host_n; /* for `ends` */
    const unsigned char *tail;
    unsigned tail_bits;
};

/* Visits the rows whose keys are prefixes of the query, the shorter ones roughly first. Returns whether it was ended.
 */
bool trie_match(const struct trie *trie, const struct trie_query *query, trie_visit *visit, void *context);

/* The same by steps, so that several look-ups can be made by turns: each step fetches what its next one reads, and that
 * memory, which takes longer than all else, is then waited for at the same time. */
struct trie_walk {
    const struct trie_query *query;
    trie_visit *visit;
    void *context;
    const struct trie_node *node;   /* to be looked at */
    const struct trie_node *beside; /* the same, and first: keys that end here */
    size_t beside_at;
    unsigned depth;
    bool ended; /* by visit */
};

void trie_walk_begin(struct trie_walk *walk, const struct trie *trie, const struct trie_query *query, trie_visit *visit,
                     void *context);

/* Returns whether there is more. */
bool trie_walk_step(struct trie_walk *walk);

/* Visits the rows whose keys begin with these bytes. Returns whether it was ended. */
bool trie_each(const struct trie *trie, const unsigned char *begin, size_t n, trie_visit *visit, void *context);

#endif
