/*
 * postfix_reply: what Postfix does with an answer, where main.cf is as gatepostd(8) has it.
 */
#ifndef GATEPOST_CLI_POSTFIX_REPLY_H
#define GATEPOST_CLI_POSTFIX_REPLY_H

#include "cli/explained.h"

/* Writes it as one sentence without a full stop, with the reply to the SMTP client where that is Postfix's own. */
void postfix_reply_write(FILE *out, const struct explained *x);

/* Writes the reply that an SMTP client gets for a refusal at RCPT, e.g. "554 5.7.1 <x@example.org>: Recipient address
 * rejected: access denied". */
void postfix_reply_write_refusal(FILE *out, const struct explained *x);

#endif
