/*
 * replay_print: what `gatepost replay` found, for people and for programs.
 */
#ifndef GATEPOST_REPLAY_REPLAY_PRINT_H
#define GATEPOST_REPLAY_REPLAY_PRINT_H

#include "replay/changes.h"
#include "replay/verdicts.h"

/* `changes` is NULL where nothing was compared. Both return 0, or -ENOMEM. */
int replay_print_text(const struct verdicts *verdicts, uint64_t n_malformed, const struct changes *changes);
int replay_print_json(const struct verdicts *verdicts, uint64_t n_malformed, const struct changes *changes);

#endif
