/*
 * remedy: the commands that would change a decision.
 *
 * What comes into question is tried on a copy of the rules first: only what would change the decision is offered.
 * Where the rules cannot be read, it is offered untried.
 */
#ifndef GATEPOST_EXPLAIN_REMEDY_H
#define GATEPOST_EXPLAIN_REMEDY_H

#include "explain/explained.h"

/* Writes each command as a line of a shell, the best first; after a blank and # what else would be refused then. To be
 * used as explained_write. */
void remedy_write(FILE *out, const struct explained *x);

#endif
