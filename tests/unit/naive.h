/*
 * naive: the decision of SPEC sections 3, 4, 5, 7 and 8, a second time and as plainly as can be.
 *
 * For tests only. It shares no code with src/: the real decision is compared with it over random rules and requests,
 * so whatever both get wrong is SPEC misread twice. Rules are linear lists, read from their text anew at each call;
 * nothing is indexed, kept or remembered between calls. Not for texts from outside: it aborts when memory runs out.
 */
#ifndef GATEPOST_TESTS_NAIVE_H
#define GATEPOST_TESTS_NAIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One row of the database. Rows that SPEC does not let be understood are skipped, as are those whose time is over.
 *
 * table:   "setting", "access_block", "relay_grant", "kill_entry", "accept_entry", "local_domain", "local_user",
 *          "local_list"
 * key:     the key column
 * client:  accept_entry's client ("" = any), else NULL
 * value:   verdict, kind, account, remote_mail or the setting's value; NULL where the column is NULL or absent
 * expires: Unix seconds, INT64_MAX = never
 */
struct naive_row {
    const char *table;
    const char *key;
    const char *client;
    const char *value;
    int64_t expires;
};

/* One attribute as on the wire; of a repeated one the first counts. */
struct naive_attr {
    const char *name;
    const char *value;
};

enum naive_login_state { NAIVE_LOGINS_KNOWN, NAIVE_LOGINS_UNAVAILABLE };

/* What is known of the logins from this client's (already masked) address: the names on record; while the store is
 * away, those that wait for it. */
struct naive_logins {
    enum naive_login_state state;
    const char *const *accounts;
    size_t n_accounts;
};

/*
 * action:      the text after "action="
 * reason:      the reason of SPEC 8 that decided, or ""
 * would:       the reasons that were observed, in the order of the steps, separated by commas
 * needs_login: action, reason or would differ between "a matching login is on record" and "none is"
 */
struct naive_answer {
    char action[20000];
    char reason[32];
    char would[256];
    bool needs_login;
};

/* Decides one request at the time now (Unix seconds). logins NULL means that none is on record. */
void naive_decide(const struct naive_row *rows, size_t n_rows, const struct naive_attr *attrs, size_t n_attrs,
                  int64_t now, const struct naive_logins *logins, struct naive_answer *answer);

#endif
