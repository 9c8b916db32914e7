/*
 * rule_check: what the database would refuse of a rule, or take though it makes no sense, said in words.
 */
#ifndef GATEPOST_CONSOLE_RULE_CHECK_H
#define GATEPOST_CONSOLE_RULE_CHECK_H

#include "console/kind.h"
#include "core/error.h"

/* Checks the key and the value (NULL: none is given) of a rule of this kind. Returns 0; or -EINVAL, or -ENOMEM, with
 * the fault in *error. */
int rule_check(const struct kind *kind, const struct rule_key *key, const char *value, struct error *error);

/* Checks a note, which may be none. Returns as rule_check. */
int rule_check_note(struct str note, struct error *error);

#endif
