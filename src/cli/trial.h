/*
 * trial: a private copy of the database of rules, on which commands are tried.
 *
 * There is one at a time. It lies in a folder that nobody else can enter, and is removed by trial_end, or when a signal
 * ends the process.
 */
#ifndef GATEPOST_CLI_TRIAL_H
#define GATEPOST_CLI_TRIAL_H

#include "console/cli.h"

/* Copies the database, and runs the commands (add, remove, set, as on the command line) on the copy, printing nothing
 * but what is wrong with them. Returns 0, or after a message an exit status, that of the command which failed. The
 * caller calls trial_end, after a failure too. */
int trial_begin(struct rule_db *db, char *const *commands, int n);

/* The copy, until trial_end. */
const char *trial_path(void);

void trial_end(void);

#endif
