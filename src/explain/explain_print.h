/*
 * explain_print: an explained request, for people and for programs.
 */
#ifndef GATEPOST_EXPLAIN_EXPLAIN_PRINT_H
#define GATEPOST_EXPLAIN_EXPLAIN_PRINT_H

#include "explain/explained.h"

/* The request, each step, and what Postfix does with the answer. */
void explain_print_text(const struct explained *x);

/* The same as a JSON object, with the commands and the sentence of the conclusion. */
void explain_print_json(const struct explained *x);

#endif
