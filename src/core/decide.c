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

/* Whether a login counts. */
enum finding { FINDING_NONE, FINDING_ONE, FINDING_UNKNOWN };

/* With the store away, any number of accounts may be on record besides those that are known. */
static enum finding find_at_address(const struct decider *d)
{
    const struct login_facts *logins = &d->query.logins;
    uint32_t max = decider_number(d, SETTING_POP_BEFORE_SMTP_MAX_ACCOUNTS);
    if (logins->state == LOGIN_UNAVAILABLE)
        return FINDING_UNKNOWN;
    if (max > 0 && logins->n_names > max) {
        d->decision->too_many_logins = logins->n_names;
        return FINDING_NONE;
    }
    if (logins->n_names == 0)
        return FINDING_NONE;
    d->decision->login = logins->names[0];
    return FINDING_ONE;
}

static enum finding find_of_sender(struct decider *d)
{
    const struct login_facts *logins = &d->query.logins;
    for (size_t i = 0; i < logins->n_names; i++) {
        int r = rules_login_is_sender(d->rules, logins->names[i], &d->sender, d->now);
        if (r < 0)
            d->error = r;
        if (r > 0) {
            d->decision->login = logins->names[i];
            return FINDING_ONE;
        }
    }
    return logins->state == LOGIN_UNAVAILABLE || logins->more ? FINDING_UNKNOWN : FINDING_NONE;
}

static void ask_for_login(struct decider *d)
{
    d->decision->needs_login = true;
    d->decision->login_addr = settings_login_addr(d->settings, d->addr);
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

/* With the store away nothing is refused that a login could permit, and nothing permitted that it could refuse. */
static void decide_without_knowing(struct decider *d, const struct decision *without)
{
    bool same = is_same_answer(d->decision, without);
    if (!same && (d->state == STATE_DATA || d->state == STATE_END_OF_MESSAGE)) {
        decide_steps_run(d, VIEW_LENIENT);
        return;
    }
    /* What would be refused only without a login is not known to be. */
    d->decision->would &= without->would;
    if (d->decision->would_do != without->would_do)
        d->decision->would_do = d->decision->action;
    if (!same)
        defer_unavailable(d);
}

/* The answer hangs on a login where it differs between one on record and none. What would be logged counts as part of
 * the answer, but is no ground for deferring. */
static void consider_login(struct decider *d)
{
    struct decision without = *d->decision;
    decide_steps_run(d, VIEW_ONE);
    if (is_same_answer(d->decision, &without) && d->decision->would == without.would &&
        d->decision->would_do == without.would_do) {
        *d->decision = without;
        return;
    }
    if (d->query.logins.state == LOGIN_NOT_ASKED) {
        ask_for_login(d);
        return;
    }
    bool by_address = decider_number(d, SETTING_POP_BEFORE_SMTP_MATCH) == MATCH_ADDRESS;
    switch (by_address ? find_at_address(d) : find_of_sender(d)) {
    case FINDING_ONE:
        break;
    case FINDING_NONE:
        without.too_many_logins = d->decision->too_many_logins;
        *d->decision = without;
        break;
    case FINDING_UNKNOWN:
        decide_without_knowing(d, &without);
        break;
    }
}

int decider_begin(struct decider *d, const struct decide_query *query)
{
    static const struct str none = STR("");
    d->query = *query;
    d->rules = query->rules;
    d->settings = rules_settings(query->rules);
    d->now = query->now;
    struct str sender = mail_trim(decider_attr(d, ATTR_SENDER));
    d->state = read_state(decider_attr(d, ATTR_PROTOCOL_STATE));
    d->sasl = decider_attr(d, ATTR_SASL_USERNAME).n > 0;
    d->has_sender = sender.n > 0;
    d->has_at = str_find(sender, '@') != sender.n;
    d->addr = ip_parse(decider_attr(d, ATTR_CLIENT_ADDRESS), &d->addr_space) ? &d->addr_space : NULL;
    d->kill = d->sender_domain = d->recipient_domain = (struct looked_up){ false, NULL };
    d->asked_login = false;
    d->error = 0;
    int r = mail_parse(&d->recipient, d->state == STATE_RCPT ? decider_attr(d, ATTR_RECIPIENT) : none, MAIL_AS_SENT);
    if (mail_parse(&d->sender, decider_attr(d, ATTR_SENDER), MAIL_AS_REWRITTEN) < 0 || r < 0)
        return -ENOMEM;
    return rules_search_begin(&d->search, d->rules, d->addr, decider_attr(d, ATTR_CLIENT_NAME), &d->sender, d->now);
}

int decider_decide(struct decider *d, struct decision *decision)
{
    d->decision = decision;
    decision->login = str_make("", 0);
    decision->too_many_logins = 0;
    rules_search_end(&d->search, &d->found);
    decide_steps_run(d, VIEW_NONE);
    if (d->error == 0 && d->asked_login)
        consider_login(d);
    return d->error;
}

void decider_fini(struct decider *d)
{
    mail_fini(&d->sender);
    mail_fini(&d->recipient);
}

int decide(const struct decide_query *query, struct decision *decision)
{
    struct decider d;
    int r = decider_begin(&d, query);
    while (r == 0 && rules_search_step(&d.search))
        ;
    if (r == 0)
        r = decider_decide(&d, decision);
    decider_fini(&d);
    return r;
}
