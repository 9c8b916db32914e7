/*
 * lint_mend: the command that mends what `gatepost lint` has found.
 *
 * It is one for gatepost wherever that reaches just the row that is meant. Where several rows have the same key in
 * other spellings, or a key is one that gatepost does not understand, it is a statement for sqlite3.
 */
#ifndef GATEPOST_CLI_LINT_MEND_H
#define GATEPOST_CLI_LINT_MEND_H

#include "core/lint.h"
#include "store/rule_edit.h"

#include <stdio.h>

struct lint_mend {
    const char *database; /* the path */
    bool is_usual;        /* it is the one that gatepost finds by itself */
};

/* Writes the command, to be shown with cli_put; row is that of the finding, or NULL. Returns 0, or -ENOMEM. */
int lint_mend_write(FILE *out, const struct lint_mend *mend, const struct lint_finding *finding,
                    const struct stored_row *row);

#endif
