/*
 * postfix_reply: what Postfix does with an answer, where main.cf is as gatepostd(8) has it.
 */
#ifndef GATEPOST_EXPLAIN_POSTFIX_REPLY_H
#define GATEPOST_EXPLAIN_POSTFIX_REPLY_H

#include "explain/explained.h"

/* Writes it as one sentence without a full stop, with the reply to the SMTP client where that is Postfix's own. */
void postfix_reply_write(FILE *out, const struct explained *x);

#endif
