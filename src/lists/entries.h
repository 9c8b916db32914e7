/*
 * entries: the rules of a list, understood, each that means the same once.
 *
 * Takes what a format reads (list_format.h) and prints faults with file and line as they are found, a hundred at most.
 */
#ifndef GATEPOST_LISTS_ENTRIES_H
#define GATEPOST_LISTS_ENTRIES_H

#include "core/key_map.h"
#include "lists/list_entry.h"

#include <stdbool.h>

/* What becomes of an entry where it meets the rows of the database. */
enum fate { FATE_ADDED, FATE_CHANGED, FATE_UNCHANGED, FATE_LEFT };

struct entry {
    size_t line;
    size_t at;      /* in the list */
    size_t n_lines; /* that mean the same */
    const struct kind *kind;
    const char *key, *client, *value, *note; /* canonical, in texts; value and note may be NULL */
    int64_t expires, created;
    enum fate fate;
    int64_t rowid; /* of the row to be changed */
    char *was;     /* that row as a line, where it is to be shown */
    char texts[];
};

struct entries {
    const char *name;        /* of the file; NULL where faults are to name the line alone */
    const struct kind *kind; /* that most are of */
    const char *note;        /* of all of them; or NULL */
    const char *client;      /* of those that name none, canonical; "" any; or NULL */
    bool quiet;              /* faults are counted, and not printed */
    struct entry **all;
    size_t n, size;
    unsigned tables;       /* that they are for, a bit each */
    struct key_map by_key; /* by entries_key */
    size_t n_repeated, n_passed_over, n_faults;
    size_t n_clientless; /* that name no client, and should: they are not among the others */
};

/* The four options are as above, and stay the caller's. */
void entries_init(struct entries *entries, const char *name, const struct kind *kind, const char *note,
                  const char *client);
void entries_fini(struct entries *entries);

/* Where a format hands its entries to. */
struct list_sink entries_sink(struct entries *entries);

/* The entry that means the same as such a row, or NULL. */
struct entry *entries_find(const struct entries *entries, enum rule_table table, const char *key);

/* Prints a fault, and counts it. Line 0 is none: what is wrong stands nowhere in the list. */
void entries_fault(struct entries *entries, size_t line, const char *text);

/* What all that mean the same have in common, made of canonical key and client; the caller frees it. NULL where memory
 * is short. */
char *entries_key(const char *key, const char *client);

/* The note or the expiry is said. */
bool entry_states_terms(const struct entry *entry);

/* Both say the same in as many lines, or there is neither; NULL is none. */
bool entries_are_same(const struct entry *a, const struct entry *b);

/* Equal, or both NULL. */
bool is_same_text(const char *a, const char *b);

#endif
