/*
 * lint_danger: whether a rule that lets somebody in lets in too many. For lint*.c alone.
 */
#ifndef GATEPOST_CORE_LINT_DANGER_H
#define GATEPOST_CORE_LINT_DANGER_H

#include "core/lint.h"

/* What a row of relay_grant that grants opens, but for LINT_GRANT_DOCKER, which hangs on the rows beside it. */
enum lint_code lint_danger_of_grant(const struct rule_reading *grant);

/* What a row of accept_entry opens. */
enum lint_code lint_danger_of_accept(const struct rule_reading *accept);

/* A block with all addresses of a family. */
bool lint_is_whole_family(const struct block *block);

#endif
