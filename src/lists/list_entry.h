/*
 * list_entry: what is read from a list, whatever its format.
 */
#ifndef GATEPOST_LISTS_LIST_ENTRY_H
#define GATEPOST_LISTS_LIST_ENTRY_H

#include "console/kind.h"
#include "core/rule.h"

#include <stdint.h>

/* What a list says of one rule, not yet understood. Texts are valid during the call that hands them over; those with a
 * NULL pointer are not said. */
struct list_entry {
    size_t line;
    const struct kind *kind;
    struct str key;
    struct str client; /* empty: said to be any */
    struct str value;  /* of kinds that have several */
    struct str note;
    int64_t expires; /* RULE_NEVER_EXPIRES: never */
    int64_t created; /* 0: now */
};

/* Takes what a format reads. `take` returns 0, or a negative errno that ends the reading. */
struct list_sink {
    void *context;
    int (*take)(void *context, const struct list_entry *entry);
    /* What stands there is wrong; text says what, and what would be right. */
    void (*fault)(void *context, size_t line, const char *text);
    /* What stands there is no rule of ours; the rest is taken. */
    void (*pass_over)(void *context, size_t line, struct str what, const char *why);
};

/* Hands over a fault, printed into a text of bounded length. */
void list_sink_fault(const struct list_sink *sink, size_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
