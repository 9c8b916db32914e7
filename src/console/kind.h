/*
 * kind: what the command line calls the rows of a table.
 */
#ifndef GATEPOST_CONSOLE_KIND_H
#define GATEPOST_CONSOLE_KIND_H

#include "core/rule_key.h"

enum kind_option { KIND_HAS_CLIENT = 1, KIND_HAS_RELAY = 2, KIND_HAS_ACCOUNT = 4, KIND_HAS_REMOTE_MAIL = 8 };

struct kind {
    const char *name;
    enum rule_table table;
    const char *value; /* of its rows; NULL where they may have several */
    unsigned options;  /* of enum kind_option */
};

enum { KIND_COUNT = 9 };

extern const struct kind kinds[KIND_COUNT];

/* NULL where there is no such kind. */
const struct kind *kind_find(const char *name);

/* The same, with a message where there is none. */
const struct kind *kind_by_name(const char *name);

/* All their names, for messages: "deny, allow, ...". */
extern const char kind_names[];

/* The kind of a row with this value, for messages and lists. */
const struct kind *kind_of(enum rule_table table, const char *value);

#endif
