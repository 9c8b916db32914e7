/*
 * tally: how often each of many things came, and which came most.
 */
#ifndef GATEPOST_REPLAY_TALLY_H
#define GATEPOST_REPLAY_TALLY_H

#include "core/key_map.h"

enum { TALLY_TOP = 10, TALLY_TEXT_BYTES = 512 /* of a thing's name; what is longer is cut */ };

/* All zeros at first. */
struct tally {
    struct key_map map;
    uint64_t n;
};

/* Counts one more of the thing; the first label that is not empty is kept. Returns 0, or -ENOMEM. */
int tally_add(struct tally *tally, struct str name, struct str label);

struct tally_row {
    struct str name, label; /* the tally's */
    uint64_t n;
};

/* Writes the things that came most often, the most frequent first, and of the equally frequent those first whose names
 * come first; returns how many there are. */
size_t tally_top(const struct tally *tally, struct tally_row rows[TALLY_TOP]);

/* How many different things there are. */
size_t tally_size(const struct tally *tally);

void tally_fini(struct tally *tally);

#endif
