/*
 * decide_steps: the steps of the decision, for decide.c alone.
 *
 * They are gone through with one view of logins at a time; decide.c compares the outcomes and says whether it takes a
 * login to tell them apart.
 */
#ifndef GATEPOST_CORE_DECIDE_STEPS_H
#define GATEPOST_CORE_DECIDE_STEPS_H

#include "core/decide.h"

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
    const struct decide_query *query;
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
    struct looked_up access, kill, accept, sender_domain, recipient_domain;
    struct ip_addr addr_space;
    const struct ip_addr *addr; /* NULL where the client has none */
    const struct rule *relay;   /* the row of relay_grant for the client, or NULL */
    enum login_view view;
    bool asked_login;
    enum decide_step step;
    int error;
};

static inline struct str decider_attr(const struct decider *d, enum attribute attribute)
{
    return d->query->request->attr[attribute];
}

static inline uint32_t decider_number(const struct decider *d, enum setting setting)
{
    return d->settings->number[setting];
}

/* Goes through the steps and writes the answer to d->decision. d->asked_login says whether a login could have mattered,
 * d->error is -ENOMEM where the answer is of no use. */
void decide_steps_run(struct decider *d, enum login_view view);

#endif
