#include "core/decide_steps.h"

enum { MAX_ROUTING = 10 };

/* Notes and answers. */

static void note(struct decider *d, enum decide_outcome outcome, enum reason reason, const struct rule *rule,
                 enum setting setting, const char *why)
{
    d->decision->notes[d->decision->n_notes++] = (struct decide_note){ d->step, outcome, reason, rule, setting, why };
}

static bool pass(struct decider *d, const char *why)
{
    note(d, NOTE_PASSED, REASON_NONE, NULL, SETTING_NONE, why);
    return false;
}

static bool answer(struct decider *d, enum action action, const struct rule *rule, enum setting setting,
                   const char *why)
{
    note(d, NOTE_DECIDED, REASON_NONE, rule, setting, why);
    d->decision->action = action;
    d->decision->rule = rule;
    d->decision->setting = setting;
    return true;
}

/* The client would be granted by a name that it has not proved to have, perhaps because DNS failed for now. */
static bool is_unverified(struct decider *d)
{
    const struct rule *rule;
    if (decider_number(d, SETTING_RELAY_FOR) < RELAY_FOR_ADDRESSES ||
        !str_is(decider_attr(d, ATTR_CLIENT_NAME), "unknown"))
        return false;
    int r = rules_relay(d->rules, d->addr, decider_attr(d, ATTR_REVERSE_CLIENT_NAME), d->now, &rule);
    if (r < 0)
        d->error = r;
    return rule && rule_value(rule) == RULE_GRANT;
}

/* Answers with a refusal, unless it is only observed: then the next step decides. */
static bool refuse(struct decider *d, enum reason reason, const struct rule *rule, enum setting setting,
                   const char *why)
{
    static const uint32_t by_name =
        1U << REASON_VRFY | 1U << REASON_LOCAL_SENDER | 1U << REASON_ROUTED | 1U << REASON_LIST | 1U << REASON_RELAY;
    if ((decider_number(d, SETTING_OBSERVE) & (OBSERVE_ALL | 1U << reason)) != 0) {
        note(d, NOTE_OBSERVED, reason, rule, setting, why);
        d->decision->would |= 1U << reason;
        return false;
    }
    if ((by_name & 1U << reason) != 0 && is_unverified(d)) {
        reason = REASON_UNVERIFIED;
        why = "relay_grant names the client's host, but its name could not be verified";
    }
    note(d, NOTE_DECIDED, reason, rule, setting, why);
    d->decision->action = ACTION_REFUSE;
    d->decision->reason = reason;
    d->decision->rule = rule;
    d->decision->setting = setting;
    return true;
}

/* Definitions. */

static bool is_refused_client(const struct decider *d)
{
    return d->found.relay && rule_value(d->found.relay) == RULE_REFUSE;
}

static bool is_granted(const struct decider *d)
{
    return decider_number(d, SETTING_RELAY_FOR) >= RELAY_FOR_ADDRESSES && d->found.relay &&
           rule_value(d->found.relay) == RULE_GRANT;
}

/* A login counts; when_unknown says which way is the lenient one. */
static bool has_login(struct decider *d, bool when_unknown)
{
    if (decider_number(d, SETTING_POP_BEFORE_SMTP) == 0 || !d->addr || is_refused_client(d))
        return false;
    if (decider_number(d, SETTING_POP_BEFORE_SMTP_MATCH) == MATCH_SENDER && !d->has_sender)
        return false;
    d->asked_login = true;
    return d->view == VIEW_LENIENT ? when_unknown : d->view == VIEW_ONE;
}

/* The row that makes the difference, where a grant does. */
static const struct rule *grant_needed(const struct decider *d)
{
    return !d->sasl && is_granted(d) ? d->found.relay : NULL;
}

static bool is_authorized(struct decider *d)
{
    return d->sasl || is_granted(d) || has_login(d, true);
}

/* Keeps what was looked up. */
static const struct rule *found(struct looked_up *looked_up, const struct rule *rule)
{
    *looked_up = (struct looked_up){ true, rule };
    return rule;
}

static const struct rule *accepted(struct decider *d)
{
    if (decider_number(d, SETTING_RELAY_FOR) < RELAY_FOR_ADDRESSES || is_refused_client(d))
        return NULL;
    return d->found.accept;
}

static const struct rule *sender_domain(struct decider *d)
{
    return d->sender_domain.done ? d->sender_domain.rule
                                 : found(&d->sender_domain, rules_domain(d->rules, d->sender.domain, d->now));
}

static bool is_at_local_domain(struct decider *d)
{
    const struct rule *domain = sender_domain(d);
    return domain && rule_value(domain) == RULE_DOMAIN_LOCAL;
}

static bool is_bare(const struct decider *d)
{
    return d->sender.domain.n == 0;
}

static const struct rule *killed(struct decider *d)
{
    if (!is_bare(d))
        return d->found.kill;
    return d->kill.done ? d->kill.rule : found(&d->kill, rules_kill_bare(d->rules, d->sender.local, d->now));
}

static bool is_local_sender(struct decider *d)
{
    return d->has_sender && (is_bare(d) || domain_is_single_label(d->sender.domain) || is_at_local_domain(d));
}

static bool is_null_sender(struct decider *d)
{
    return !d->has_sender || (str_is(d->sender.local, "mailer-daemon") && is_local_sender(d));
}

/* Why a client may relay. */
struct right {
    const struct rule *rule;
    enum setting setting;
    const char *why;
};

/* relay_for = anyone is left out: it permits relaying, but makes nobody's mail outgoing. */
static bool has_right(struct decider *d, bool login_when_unknown, struct right *right)
{
    uint32_t relay_for = decider_number(d, SETTING_RELAY_FOR);
    *right = (struct right){ .setting = SETTING_NONE };
    if (d->sasl) {
        right->why = "authenticated by SASL";
        return true;
    }
    if (is_refused_client(d))
        return false;
    if (is_granted(d)) {
        right->rule = d->found.relay;
        right->why = "relay_grant lets this client relay";
        return true;
    }
    if ((right->rule = accepted(d)) != NULL) {
        right->why = "accept_entry lets this sender relay from this client";
        return true;
    }
    right->setting = SETTING_RELAY_FOR;
    if (relay_for >= RELAY_FOR_LOCAL_USERS && (right->rule = rules_account(d->rules, &d->sender, d->now)) != NULL) {
        right->why = "the sender is an account in local_user";
        return true;
    }
    if (relay_for >= RELAY_FOR_LOCAL_HOSTS && is_at_local_domain(d)) {
        right->rule = sender_domain(d);
        right->why = "the sender is in a local domain";
        return true;
    }
    right->setting = SETTING_POP_BEFORE_SMTP;
    right->why = "a recent mailbox login";
    return has_login(d, login_when_unknown);
}

static bool may_relay(struct decider *d, struct right *right)
{
    if (has_right(d, true, right))
        return true;
    *right = (struct right){ d->found.relay, SETTING_RELAY_FOR, "anyone may relay" };
    return decider_number(d, SETTING_RELAY_FOR) == RELAY_FOR_ANYONE && !is_refused_client(d);
}

/* Steps. Each returns whether it answered. */

static bool step_client(struct decider *d)
{
    const struct rule *row = d->found.access;
    if (row && rule_value(row) == RULE_REFUSE)
        return refuse(d, REASON_ACCESS, row, SETTING_NONE, "access_block denies this client");
    if (!row && decider_number(d, SETTING_UNLISTED_CLIENTS) == UNLISTED_DENY)
        return refuse(d, REASON_ACCESS, NULL, SETTING_UNLISTED_CLIENTS, "no row of access_block covers this client");
    note(d, NOTE_PASSED, REASON_NONE, row, row ? SETTING_NONE : SETTING_UNLISTED_CLIENTS,
         row ? "access_block grants this client" : "no row of access_block covers this client");
    return false;
}

static bool step_state(struct decider *d)
{
    if (d->state == STATE_OTHER)
        return answer(d, ACTION_DUNNO, NULL, SETTING_NONE, "nothing more is asked in this state");
    if (str_is(decider_attr(d, ATTR_POLICY_CONTEXT), "client"))
        return answer(d, ACTION_DUNNO, NULL, SETTING_NONE, "policy_context is client: only the client is judged");
    return pass(d, "sender or recipient are to be judged");
}

static bool step_submission(struct decider *d)
{
    if (!settings_has_port(d->settings, decider_attr(d, ATTR_SERVER_PORT)))
        return pass(d, "not a submission port");
    if (!d->sasl)
        return refuse(d, REASON_SUBMISSION, NULL, SETTING_SUBMISSION_PORTS, "a submission port, and no SASL login");
    return pass(d, "a submission port, and authenticated by SASL");
}

static bool step_vrfy(struct decider *d)
{
    if (d->state != STATE_VRFY && d->state != STATE_ETRN)
        return pass(d, "neither VRFY nor ETRN");
    if (decider_number(d, SETTING_REFUSE_VRFY) == CHOICE_NO)
        return answer(d, ACTION_DUNNO, NULL, SETTING_NONE, "VRFY and ETRN are open to all");
    const struct rule *grant = grant_needed(d);
    if (!d->sasl && !grant &&
        refuse(d, REASON_VRFY, NULL, SETTING_REFUSE_VRFY, "VRFY and ETRN are for authorized clients"))
        return true;
    return answer(d, ACTION_DUNNO, grant, SETTING_NONE, "VRFY and ETRN are open to this client");
}

static bool step_kill(struct decider *d)
{
    if (!d->has_sender)
        return pass(d, "the sender is empty");
    const struct rule *row = killed(d);
    if (row)
        return refuse(d, REASON_KILL, row, SETTING_NONE, "kill_entry refuses this sender");
    return pass(d, "no row of kill_entry matches the sender");
}

static bool step_null_sender(struct decider *d)
{
    if (!is_null_sender(d))
        return pass(d, "the sender is not null");
    uint32_t refused = decider_number(d, SETTING_REFUSE_NULL_SENDER);
    if (refused == CHOICE_YES)
        return refuse(d, REASON_NULL_SENDER, NULL, SETTING_REFUSE_NULL_SENDER, "null senders are refused");
    if (refused == CHOICE_AUTHENTICATED && (d->sasl || has_login(d, false)))
        return refuse(d, REASON_NULL_SENDER, NULL, SETTING_REFUSE_NULL_SENDER,
                      "null senders are refused from authenticated clients");
    return pass(d, "this null sender is not refused");
}

static bool step_invalid_sender(struct decider *d)
{
    if (!d->has_sender)
        return pass(d, "the sender is empty");
    if (d->has_at && d->sender.local.n > 0 &&
        (domain_is_host_name(d->sender.domain) || domain_is_literal(d->sender.domain)))
        return pass(d, "the sender is user@host");
    if (decider_number(d, SETTING_REQUIRE_VALID_SENDER) == CHOICE_YES)
        return refuse(d, REASON_INVALID_SENDER, NULL, SETTING_REQUIRE_VALID_SENDER, "the sender is not user@host");
    return pass(d, "the sender is not user@host, which is allowed");
}

static bool step_local_sender(struct decider *d)
{
    if (!is_local_sender(d))
        return pass(d, "the sender is not local");
    if (decider_number(d, SETTING_LOCAL_SENDER_AUTH) == CHOICE_NO)
        return pass(d, "local senders need no authorization");
    const struct rule *row = accepted(d);
    if (!row)
        row = grant_needed(d);
    if (row || is_authorized(d)) {
        note(d, NOTE_PASSED, REASON_NONE, row, SETTING_LOCAL_SENDER_AUTH, "the local sender is authorized");
        return false;
    }
    return refuse(d, REASON_LOCAL_SENDER, sender_domain(d), SETTING_LOCAL_SENDER_AUTH,
                  "a local sender, and neither authorized nor in accept_entry");
}

static bool step_mail(struct decider *d)
{
    if (d->state != STATE_MAIL)
        return pass(d, "past MAIL");
    return answer(d, ACTION_DUNNO, NULL, SETTING_NONE, "nothing speaks against the sender");
}

/* The row of local_list that keeps remote mail out of the address, or NULL. */
static const struct rule *closed_list(struct decider *d, const struct mail_addr *addr)
{
    const struct rule *row = NULL;
    int r = rules_list(d->rules, addr, d->now, &row);
    if (r < 0)
        d->error = r;
    return row && rules_list_is_closed(d->rules, row) ? row : NULL;
}

/* The same for where Postfix would send mail for the recipient on to. */
static const struct rule *closed_list_behind(struct decider *d, struct str recipient)
{
    const struct rule *row = NULL;
    struct mail_addr addr;
    int r = mail_parse(&addr, recipient, MAIL_AS_REWRITTEN);
    for (int i = 0; i < MAX_ROUTING && r == 0 && mail_is_routed(addr.local) &&
                    rules_domain_is_local(d->rules, addr.domain, d->now);
         i++) {
        recipient = mail_sent_local(recipient, MAIL_AS_REWRITTEN);
        mail_fini(&addr);
        r = mail_parse(&addr, recipient, MAIL_AS_REWRITTEN);
    }
    if (r == 0)
        row = closed_list(d, &addr);
    else
        d->error = r;
    mail_fini(&addr);
    return row;
}

static bool rcpt_ours(struct decider *d, const struct rule *domain)
{
    const struct mail_addr *recipient = &d->recipient;
    if (mail_is_routed(recipient->local)) {
        if (is_authorized(d))
            return answer(d, ACTION_OK, grant_needed(d), SETTING_NONE, "a routed recipient, from an authorized client");
        if (decider_number(d, SETTING_REFUSE_ROUTED_RECIPIENT) == CHOICE_YES &&
            refuse(d, REASON_ROUTED, domain, SETTING_REFUSE_ROUTED_RECIPIENT, "a routed recipient"))
            return true;
    }
    const struct rule *list = closed_list(d, recipient);
    if (!list && mail_is_routed(recipient->local))
        list = closed_list_behind(d, decider_attr(d, ATTR_RECIPIENT));
    if (list && !is_authorized(d) && refuse(d, REASON_LIST, list, SETTING_NONE, "a list that is closed to remote mail"))
        return true;
    if (d->sasl)
        return answer(d, ACTION_OK, NULL, SETTING_NONE, "our recipient, from a client authenticated by SASL");
    if (is_granted(d))
        return answer(d, ACTION_OK, d->found.relay, SETTING_NONE, "our recipient, from a client in relay_grant");
    return answer(d, ACTION_DUNNO, domain, SETTING_NONE, "our recipient");
}

static bool rcpt_foreign(struct decider *d)
{
    struct right right;
    if (may_relay(d, &right))
        return answer(d, ACTION_OK, right.rule, right.setting, right.why);
    if (!rules_has_domain(d->rules, d->now))
        return answer(d, ACTION_DUNNO, NULL, SETTING_NONE,
                      "local_domain is empty: Postfix's reject_unauth_destination decides");
    return refuse(d, REASON_RELAY, d->found.relay, SETTING_RELAY_FOR, "a foreign recipient, and no right to relay");
}

static bool step_rcpt(struct decider *d)
{
    if (d->state != STATE_RCPT)
        return pass(d, "not RCPT");
    struct str text = decider_attr(d, ATTR_RECIPIENT);
    const struct rule *domain = d->recipient_domain.done
                                    ? d->recipient_domain.rule
                                    : found(&d->recipient_domain, rules_domain(d->rules, d->recipient.domain, d->now));
    bool ours = domain || str_find(text, '@') == text.n;
    return ours ? rcpt_ours(d, domain) : rcpt_foreign(d);
}

/* What is not a number counts as 0. */
static bool is_more_than(struct str text, uint32_t max)
{
    unsigned long count = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (!ascii_is_digit(text.p[i]))
            return false;
        if (count <= max)
            count = count * 10 + (unsigned long)(text.p[i] - '0');
    }
    return count > max;
}

static bool is_archived(struct decider *d)
{
    struct right right;
    uint32_t kind = decider_number(d, SETTING_ARCHIVE);
    if (settings_text(d->settings, SETTING_ARCHIVE_TO).n == 0)
        return false;
    return kind == ARCHIVE_ALL || has_right(d, kind == ARCHIVE_OUTBOUND, &right) == (kind == ARCHIVE_OUTBOUND);
}

static bool step_data(struct decider *d)
{
    if (d->state != STATE_DATA)
        return pass(d, "not DATA");
    struct right right;
    uint32_t max = decider_number(d, SETTING_MAX_RECIPIENTS);
    if (max > 0 && is_more_than(decider_attr(d, ATTR_RECIPIENT_COUNT), max) && has_right(d, false, &right) &&
        refuse(d, REASON_RECIPIENTS, right.rule, SETTING_MAX_RECIPIENTS, "an outgoing message to too many recipients"))
        return true;
    if (is_archived(d))
        return answer(d, ACTION_BCC, NULL, SETTING_ARCHIVE_TO, "a copy goes to the archive");
    return answer(d, ACTION_DUNNO, NULL, SETTING_NONE, "nothing speaks against the message");
}

static bool step_end(struct decider *d)
{
    return answer(d, ACTION_DUNNO, NULL, SETTING_NONE, "no step before this one answered");
}

static bool (*const steps[])(struct decider *) = {
    [STEP_CLIENT] = step_client,
    [STEP_STATE] = step_state,
    [STEP_SUBMISSION] = step_submission,
    [STEP_VRFY] = step_vrfy,
    [STEP_KILL] = step_kill,
    [STEP_NULL_SENDER] = step_null_sender,
    [STEP_INVALID_SENDER] = step_invalid_sender,
    [STEP_LOCAL_SENDER] = step_local_sender,
    [STEP_MAIL] = step_mail,
    [STEP_RCPT] = step_rcpt,
    [STEP_DATA] = step_data,
    [STEP_END] = step_end,
};

void decide_steps_run(struct decider *d, enum login_view view)
{
    struct decision *decision = d->decision;
    decision->needs_login = false;
    decision->reason = REASON_NONE;
    decision->would = 0;
    decision->n_notes = 0;
    d->view = view;
    for (d->step = STEP_CLIENT; !steps[d->step](d); d->step++)
        ;
    decision->would_do = decision->action;
    if ((decider_number(d, SETTING_OBSERVE) & OBSERVE_ALL) != 0)
        decision->action = ACTION_DUNNO;
}
