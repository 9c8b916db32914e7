#include "core/login_event.h"

static bool holds_control(struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (ascii_is_control(text.p[i]))
            return true;
    return false;
}

const char *login_event_user_fault(struct str user)
{
    size_t i = 0;
    while (i < user.n && (user.p[i] == ' ' || user.p[i] == '<' || user.p[i] == '>'))
        i++;
    if (i == user.n)
        return "no user";
    if (user.n > LOGIN_USER_MAX_BYTES)
        return "a user of more than 255 bytes";
    if (holds_control(user))
        return "a user with control characters";
    return NULL;
}

/* NULL, or what is wrong. */
static const char *fault_of(struct str user, struct str address, struct ip_addr *addr)
{
    const char *fault = login_event_user_fault(user);
    if (fault)
        return fault;
    if (address.n == 0)
        return "no client_address";
    if (!ip_parse(address, addr))
        return "client_address is no IP address";
    return NULL;
}

/* NULL, or why logins of this address are not recorded. Returns 0, or -ENOMEM. */
static int find_exception(const struct rules *rules, const struct ip_addr *addr, int64_t now, const char **why)
{
    const struct settings *settings = rules_settings(rules);
    static const struct str no_name = STR("unknown");
    const struct rule *relay = NULL;
    *why = NULL;
    if (settings->number[SETTING_POP_BEFORE_SMTP] == 0) {
        *why = "pop_before_smtp is 0";
    } else if (settings_skip_login(settings, addr)) {
        *why = "the address is in pop_before_smtp_skip";
    } else {
        int r = rules_relay(rules, addr, no_name, now, &relay);
        if (r < 0)
            return r;
        if (relay && rule_value(relay) == RULE_REFUSE)
            *why = "relay_grant refuses the address";
    }
    return 0;
}

int login_event_judge(struct login_event *event, enum login_verdict *verdict, const struct rules *rules,
                      struct str user, struct str address, int64_t now)
{
    const struct settings *settings = rules_settings(rules);
    struct ip_addr addr;
    int r = mail_parse(&event->user, user, MAIL_AS_SENT);
    if (r < 0)
        return r;
    *verdict = LOGIN_EVENT_WRONG;
    event->why = fault_of(user, address, &addr);
    if (!event->why && event->user.whole.n == 0) /* @ alone */
        event->why = "no user";
    if (event->why)
        return 0;
    r = find_exception(rules, &addr, now, &event->why);
    *verdict = event->why ? LOGIN_EVENT_PASSED_OVER : LOGIN_EVENT_RECORD;
    addr = settings_login_addr(settings, &addr);
    ip_format(&addr, event->address);
    event->ends_at = now + (int64_t)settings->number[SETTING_POP_BEFORE_SMTP] * SECONDS_A_MINUTE;
    return r;
}

void login_event_fini(struct login_event *event)
{
    mail_fini(&event->user);
}
