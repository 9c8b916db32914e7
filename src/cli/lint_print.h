/*
 * lint_print: what `gatepost lint` has found, for people and for programs.
 */
#ifndef GATEPOST_CLI_LINT_PRINT_H
#define GATEPOST_CLI_LINT_PRINT_H

#include "cli/lint_mend.h"
#include "store/rule_fetch.h"

#include <stdio.h>

struct lint_print {
    FILE *out;
    bool json;
    int64_t now;
    struct lint_mend mend;
    struct rule_fetch fetch;
    size_t n[LINT_SEVERITIES]; /* printed */
};

/* Prints a finding; they come by severity, the errors first. Returns 0, or a negative errno with the fault in *error.
 */
int lint_print_finding(struct lint_print *print, const struct lint_finding *finding, struct error *error);

/* Prints what comes behind the last. */
void lint_print_end(const struct lint_print *print);

#endif
