/*
 * change_words: a change of a rule or setting, in words or as JSON.
 *
 *   added deny 203.0.113.0/24 until 2026-12-31T18:00:00 # port scans
 *   removed grant 192.0.2.7
 *   changed grant 192.0.2.7: note "a" -> "b"; until never -> 2026-12-31T18:00:00
 *   set relay_for: nobody -> addresses (default)
 *
 * What could steer a terminal is replaced. A change that makes no sense is shown as it stands in the log.
 */
#ifndef GATEPOST_CLI_CHANGE_WORDS_H
#define GATEPOST_CLI_CHANGE_WORDS_H

#include "store/rule_log.h"

#include <stdio.h>

/* What the command line calls such rows, as they were before the change; for a change that makes no sense the table as
 * logged. */
const char *change_kind(const struct logged_change *change);

/* added, changed or removed. */
const char *change_verb(const struct logged_change *change);

/* Who it was, for people. */
const char *change_who(const struct logged_change *change);

/* What was done, without a line end. */
void change_words_write(FILE *out, const struct logged_change *change);

/* All of it as a JSON object. */
void change_words_write_json(FILE *out, const struct logged_change *change);

#endif
