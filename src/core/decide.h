/*
 * decide: what to answer to a policy request. Pure: the rules, the time and what is known of logins are arguments.
 *
 * Where the answer hangs on a login, decide says so instead of waiting: the caller looks the address up and calls again
 * with what it learned, and the same code decides.
 */
#ifndef GATEPOST_CORE_DECIDE_H
#define GATEPOST_CORE_DECIDE_H

#include "core/request.h"
#include "core/rules.h"

/* What is known of the logins from the client's address. */
enum login_state {
    LOGIN_NOT_ASKED,
    LOGIN_KNOWN,
    LOGIN_UNAVAILABLE /* the look-up failed */
};

/* The names are on record, whatever the state; each stands there once. */
struct login_facts {
    enum login_state state;
    const struct str *names;
    size_t n_names;
    bool more; /* with LOGIN_KNOWN: there are more than these */
};

struct decide_query {
    const struct rules *rules; /* sealed */
    const struct request *request;
    struct login_facts logins;
    int64_t now; /* Unix seconds */
};

enum action { ACTION_DUNNO, ACTION_OK, ACTION_REFUSE, ACTION_BCC };

/* Steps of section 7 of the specification, as gatepost-rules(7) numbers them. */
enum decide_step {
    STEP_CLIENT = 1,
    STEP_STATE,
    STEP_SUBMISSION,
    STEP_VRFY,
    STEP_KILL,
    STEP_NULL_SENDER,
    STEP_INVALID_SENDER,
    STEP_LOCAL_SENDER,
    STEP_MAIL,
    STEP_RCPT,
    STEP_DATA,
    STEP_END,
    STEP_COUNT = STEP_END
};

enum decide_outcome { NOTE_PASSED, NOTE_OBSERVED, NOTE_DECIDED };

/* What a step found. A step may leave several notes, e.g. for a refusal that is only observed. */
struct decide_note {
    enum decide_step step;
    enum decide_outcome outcome;
    enum reason reason;      /* of a refusal, else REASON_NONE */
    const struct rule *rule; /* the row that mattered, or NULL */
    enum setting setting;    /* the setting that mattered, or SETTING_NONE */
    const char *why;         /* in words, a constant */
};

enum { DECIDE_NOTES = 2 * STEP_COUNT };

struct decision {
    bool needs_login;          /* no answer yet: look up login_addr */
    struct ip_addr login_addr; /* cut to pop_before_smtp_ipv6_prefix */

    enum action action;
    enum reason reason;      /* of a refusal, else REASON_NONE */
    const struct rule *rule; /* the row that decided, or NULL */
    enum setting setting;    /* the setting that decided, or SETTING_NONE */
    struct str login;        /* the login that made the difference, where one did; belongs to the query */
    size_t too_many_logins;  /* so many accounts at the address that none of them counts, where that made it */
    uint32_t would;          /* reasons that were observed, a bit each */
    enum action would_do;    /* with observe = all: what would have been answered otherwise */

    struct decide_note notes[DECIDE_NOTES]; /* the way to the answer */
    size_t n_notes;
};

/* Returns 0, or -ENOMEM. Rules in *decision belong to the rule set. */
int decide(const struct decide_query *query, struct decision *decision);

#endif
