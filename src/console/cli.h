/*
 * cli: what the commands of gatepost share.
 */
#ifndef GATEPOST_CONSOLE_CLI_H
#define GATEPOST_CONSOLE_CLI_H

#include "core/error.h"
#include "core/rule_key.h"
#include "store/rule_db.h"

#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>

/* Exit statuses, beside those of sysexits.h. */
enum { STATUS_DONE = 0, STATUS_REFUSED = 1, STATUS_USAGE = 2 };

/* What the common options say. */
struct cli {
    const char *config_file; /* NULL: the usual one, where it exists */
    char *database;          /* owned */
    char *control;           /* endpoint of the daemon, owned */
    const char *by;          /* NULL: whoever is at the keyboard */
    bool json;
};

/* Prints "gatepost: text" on standard error, without what could steer a terminal, and returns the status. */
int cli_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Like cli_fail, with a word on how to get help; returns STATUS_USAGE. */
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Reads the common option c (a result of getopt_long). False where it is none of them. */
bool cli_take_common(struct cli *cli, int c);

/* The next of the command's own options, or -1 at the end of options; common ones are taken. '?' has been reported. */
int cli_next_option(struct cli *cli, int argc, char **argv, const struct option *all_options);

/* Find the control socket and the database: as given, else as configured. Return 0, or after a message an exit
 * status. */
int cli_find_control(struct cli *cli);
int cli_find_database(struct cli *cli);

/* Opens the database. Returns 0, or after a message an exit status. */
int cli_open(struct cli *cli, enum database_absent absent, struct rule_db **db);

/* Reads all rules, with a message for each row that is skipped; the caller frees them. Returns 0, or after a message an
 * exit status. */
int cli_load_rules(struct rule_db *db, struct rules **rules);

/* The exit status for a negative errno of the store. */
int cli_status_of(int code);

/* The same where a configuration or a database cannot be opened. */
int cli_status_of_opening(int code);

/* Who changes something, for rule_change: as --by says, else SUDO_USER, else the name of the user; never NULL. */
const char *cli_by(const struct cli *cli);

/* Writes text with ? for what could steer or mislead a terminal: control characters, and what is not UTF-8. */
void cli_put(FILE *out, const char *text);
void cli_put_str(FILE *out, struct str text);

/* Writes text as a JSON string with its quotes; what is not UTF-8 as U+FFFD. NULL is null. */
void cli_put_json(FILE *out, const char *text);
void cli_put_json_str(FILE *out, struct str text);

/* Checks that everything written to standard output got there. Returns status, or EX_IOERR after a message. */
int cli_finish(int status);

#endif
