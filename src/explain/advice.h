/*
 * advice: what an administrator would write to the user whose mail it is, in plain words.
 *
 * No names of tables or settings, no codes: what happened, why, and what the user can do. The texts hold what came from
 * the network, as it came.
 */
#ifndef GATEPOST_EXPLAIN_ADVICE_H
#define GATEPOST_EXPLAIN_ADVICE_H

#include "explain/explained.h"

/* Writes what follows "Your mail to x@example.org " in the sentence, with its full stop, e.g. "was refused because …".
 */
void advice_write(FILE *out, const struct explained *x);

/* How the sentence begins where it is not about mail to somebody: for VRFY and ETRN. Else NULL. */
const char *advice_subject(const struct explained *x);

/* Writes the words for several recipients: "a, b and c", and of many only how many there are. */
void advice_write_recipients(FILE *out, const struct str *recipients, size_t n);

#endif
