#include "core/decide.h"

#include "core/decide_steps.h"

#include <errno.h>

static enum state read_state(struct str text)
{
    static const struct {
        const char *name;
        enum state state;
    } states[] = {
        { "RCPT", STATE_RCPT }, { "MAIL", STATE_MAIL },
        { "DATA", STATE_DATA }, { "END-OF-MESSAGE", STATE_END_OF_MESSAGE },
        { "VRFY", STATE_VRFY }, { "ETRN", STATE_ETRN },
    };
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (str_is(text, states[i].name))
            return states[i].state;
    return STATE_OTHER;
}

static bool is_same_answer(const struct decision *a, const struct decision *b)
{
    return a->action == b->action && a->reason == b->reason;
}

/* Returns 1 where a login on record counts, 0, or -ENOMEM. */
static int is_on_record(const struct decider *d)
{
    const struct login_facts *logins = &d->query->logins;
    uint32_t max = decider_number(d, SETTING_POP_BEFORE_SMTP_MAX_ACCOUNTS);
    if (decider_number(d, SETTING_POP_BEFORE_SMTP_MATCH) == MATCH_ADDRESS)
        return logins->n_names > 0 && (max == 0 || logins->n_names <= max);
    int r = 0;
    for (size_t i = 0; i < logins->n_names && r == 0; i++)
        r = rules_login_is_sender(d->rules, logins->names[i], &d->sender, d->now);
    return r;
}

static void ask_for_login(struct decider *d)
{
    unsigned len = d->addr->v6 ? decider_number(d, SETTING_POP_BEFORE_SMTP_IPV6_PREFIX) : ip_bits(d->addr);
    d->decision->needs_login = true;
    d->decision->login_addr = ip_mask(d->addr, len);
}

static void defer_unavailable(struct decider *d)
{
    struct decision *decision = d->decision;
    decision->action = decision->would_do = ACTION_REFUSE;
    decision->reason = REASON_UNAVAILABLE;
    decision->rule = NULL;
    decision->setting = SETTING_POP_BEFORE_SMTP;
    decision->notes[decision->n_notes - 1] = (struct decide_note){
        d->step, NOTE_DECIDED, REASON_UNAVAILABLE, NULL, SETTING_POP_BEFORE_SMTP, "the login records are unavailable"
    };
}

/* The answer hangs on a login where it differs between one on record and none. What would be logged counts as part of
 * the answer, but is no ground for deferring. */
static int consider_login(struct decider *d)
{
    struct decision without = *d->decision;
    decide_steps_run(d, VIEW_ONE);
    bool same = is_same_answer(d->decision, &without);
    if (same && d->decision->would == without.would && d->decision->would_do == without.would_do) {
        *d->decision = without;
        return 0;
    }
    int r;
    switch (d->query->logins.state) {
    case LOGIN_KNOWN:
        r = is_on_record(d);
        if (r == 0)
            *d->decision = without;
        return r < 0 ? r : 0;
    case LOGIN_UNAVAILABLE:
        if (!same && (d->state == STATE_DATA || d->state == STATE_END_OF_MESSAGE)) {
            decide_steps_run(d, VIEW_LENIENT);
            return 0;
        }
        /* What would be refused only without a login is not known to be. */
        d->decision->would &= without.would;
        if (d->decision->would_do != without.would_do)
            d->decision->would_do = d->decision->action;
        if (!same)
            defer_unavailable(d);
        return 0;
    case LOGIN_NOT_ASKED:
        break;
    }
    ask_for_login(d);
    return 0;
}

static int prepare(struct decider *d)
{
    struct str sender = mail_trim(decider_attr(d, ATTR_SENDER));
    d->state = read_state(decider_attr(d, ATTR_PROTOCOL_STATE));
    d->sasl = decider_attr(d, ATTR_SASL_USERNAME).n > 0;
    d->has_sender = sender.n > 0;
    d->has_at = str_find(sender, '@') != sender.n;
    if (ip_parse(decider_attr(d, ATTR_CLIENT_ADDRESS), &d->addr_space))
        d->addr = &d->addr_space;
    int r = mail_parse(&d->sender, decider_attr(d, ATTR_SENDER), MAIL_AS_REWRITTEN);
    if (r < 0)
        return r;
    return rules_relay(d->rules, d->addr, decider_attr(d, ATTR_CLIENT_NAME), d->now, &d->relay);
}

int decide(const struct decide_query *query, struct decision *decision)
{
    struct decider d;
    d.query = query;
    d.rules = query->rules;
    d.settings = rules_settings(query->rules);
    d.decision = decision;
    d.now = query->now;
    d.addr = NULL;
    d.asked_login = false;
    d.error = 0;
    int r = prepare(&d);
    if (r == 0) {
        decide_steps_run(&d, VIEW_NONE);
        r = d.error;
    }
    if (r == 0 && d.asked_login) {
        r = consider_login(&d);
        r = r < 0 ? r : d.error;
    }
    mail_fini(&d.sender);
    return r;
}
