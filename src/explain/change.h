/*
 * change: a change of the rules as a command of gatepost, which can be tried on a rule set.
 */
#ifndef GATEPOST_EXPLAIN_CHANGE_H
#define GATEPOST_EXPLAIN_CHANGE_H

#include "console/kind.h"
#include "core/rules.h"

#include <stdio.h>

enum change_verb { CHANGE_ADD, CHANGE_REMOVE, CHANGE_SET };

enum { CHANGE_KEYS = 4 };

/* What does not apply is all zeros. */
struct change {
    enum change_verb verb;
    const struct kind *kind; /* of a row; NULL: of a table that is not known */
    struct str keys[CHANGE_KEYS];
    size_t n_keys;
    struct str client;    /* of accept; empty: any */
    bool for_a_while;     /* CHANGE_ADD: the row is to expire */
    enum setting setting; /* CHANGE_SET, and */
    struct str value;     /* its value */
};

/* Whether the command would be understood, and no terminal or shell misled by it. */
bool change_is_sound(const struct change *change);

/* Writes the arguments of gatepost, as words of a shell. */
void change_write(FILE *out, const struct change *change);

/* Does the same to a rule set, but of rows to be removed only to those that are spelled letter by letter like the keys.
 * Returns 0, or a negative errno after which the set is to be freed. */
int change_apply(const struct change *change, struct rules *rules);

#endif
