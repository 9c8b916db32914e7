/*
 * decide_steps: the steps of the decision, for decide.c alone.
 *
 * They are gone through with one view of logins at a time; decide.c compares the outcomes and says whether it takes a
 * login to tell them apart.
 */
#ifndef GATEPOST_CORE_DECIDE_STEPS_H
#define GATEPOST_CORE_DECIDE_STEPS_H

#include "core/decide.h"
#include "core/rules_search.h"

enum state {
    STATE_OTHER, /* CONNECT, EHLO, HELO, XCLIENT, and what is not known */
    STATE_VRFY,
    STATE_ETRN,
    STATE_MAIL,
    STATE_RCPT,
    STATE_DATA,
    STATE_END_OF_MESSAGE
};

/* How a step is to take a login that it asks for. */
enum login_view {
    VIEW_NONE,   /* none is on record */
    VIEW_ONE,    /* one is */
    VIEW_LENIENT /* cannot be known, and nothing may be refused for it */
};

/* What a look-up has given: the steps may be gone through several times, and the answer is always the same. */
struct looked_up {
    bool done;
    const struct rule *rule;
};

struct decider {
    struct decide_query query;
    const struct rules *rules;
    const struct settings *settings;
    struct decision *decision;
    int64_t now;
    enum state state;
    bool sasl;
    bool has_sender; /* it is not empty */
    bool has_at;     /* it was sent with an @ */
    struct mail_addr sender;
    struct mail_addr recipient; /* at RCPT */
    struct rules_search search;
    struct rules_found found;
    struct looked_up kill, sender_domain, recipient_domain;
    struct ip_addr addr_space;
    const struct ip_addr *addr; /* NULL where the client has none */
    enum login_view view;
    bool asked_login;
    enum decide_step step;
    int error;
};

static inline struct str decider_attr(const struct decider *d, enum attribute attribute)
{
    return d->query.request->attr[attribute];
}

static inline uint32_t decider_number(const struct decider *d, enum setting setting)
{
    return d->settings->number[setting];
}

/* Reads the request and begins to look its rules up: what comes first of decide. The caller calls decider_fini, after a
 * failure too. Returns 0, or -ENOMEM. */
int decider_begin(struct decider *d, const struct decide_query *query);

/* Once the search is at its end: the rest of decide. Returns 0, or -ENOMEM. */
int decider_decide(struct decider *d, struct decision *decision);

void decider_fini(struct decider *d);

/* Goes through the steps and writes the answer to d->decision. d->asked_login says whether a login could have mattered,
 * d->error is -ENOMEM where the answer is of no use. */
void decide_steps_run(struct decider *d, enum login_view view);

#endif
