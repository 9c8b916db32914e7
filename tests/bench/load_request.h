/*
 * load_request: what the load generator asks.
 *
 * Requests are numbered; the same number is the same request. Addresses and users are those of LOAD_LOGINS logins, one
 * user at each address, taken in an order that is not that of the addresses, so that a store is not spared the walk.
 * They are of the documentation ranges, as a Postfix or a Dovecot would report them. The rules must have example.com as
 * a local domain and a grant for 192.0.2.0/24.
 */
#ifndef GATEPOST_BENCH_LOAD_REQUEST_H
#define GATEPOST_BENCH_LOAD_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum load_kind {
    LOAD_EVENTS,    /* logins, for a login socket */
    LOAD_KNOWN,     /* foreign recipient, from a sender whose login LOAD_EVENTS has put on record: OK */
    LOAD_STRANGERS, /* the same where no login is on record: REJECT */
    LOAD_NEEDLESS,  /* needs no login: a local recipient, and a client that may relay, by turns: DUNNO, OK */
    LOAD_RULES,     /* against the rules of make-rules: what hits, what misses, and what is met deep in them */
    LOAD_KIND_COUNT
};

enum { LOAD_REQUEST_MAX_BYTES = 1024 };

/* False where there is no kind of that name: events, known, strangers, needless, rules. */
bool load_kind_parse(const char *name, enum load_kind *kind);

/* Writes the request and returns its length. */
size_t load_request_write(enum load_kind kind, uint64_t number, char text[LOAD_REQUEST_MAX_BYTES]);

/* How many rows of a kind make-rules was given, for LOAD_RULES. */
extern uint64_t load_rules_rows;

#endif
