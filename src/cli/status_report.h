/*
 * status_report: what the daemon says of itself, for people and for programs.
 */
#ifndef GATEPOST_CLI_STATUS_REPORT_H
#define GATEPOST_CLI_STATUS_REPORT_H

#include "console/control.h"

/* One of several of a kind: a listener, a kind of rules, an action … */
struct status_item {
    struct str name;
    unsigned long all, minute; /* the numbers, of which there may be one */
    struct str rest;           /* the text behind */
};

struct status_items {
    struct status_item *items;
    size_t n, size;
};

/* Texts point into the daemon's reply. */
struct status_report {
    struct str version;
    unsigned long started, uptime; /* Unix seconds; seconds, as are all times below */
    struct status_items listeners; /* all: connections; rest: the endpoint */
    struct status_items rules;     /* name: the kind */
    unsigned long rules_skipped, generation, generation_age;
    bool is_stale;
    unsigned long stale_for;
    struct str stale_why;
    struct str login_store, login_state;
    unsigned long logins_waiting;
    struct status_items requests, refusals; /* name: action or reason */
    unsigned long protocol_errors, connections_refused;
    unsigned long granted, granted_for; /* requests of granted clients, in so many seconds */
    struct status_items clients;        /* name: the address; the busiest of them first */
};

/* Reads a reply of the daemon, which must outlive the report. False where it is none, or memory is short. The caller
 * calls status_report_fini, after a failure too. */
bool status_report_read(struct status_report *report, struct control *control);
void status_report_fini(struct status_report *report);

/* In a fixed layout that suits a terminal of 80 columns and, with three listeners, 24 lines. */
void status_report_print(FILE *out, const struct status_report *report);

void status_report_print_json(FILE *out, const struct status_report *report);

#endif
