#include "daemon/counters.h"

static const uint64_t second_ns = 1000000000;

/* In the order in which they are most often seen. */
static const struct str states[COUNTED_STATES] = {
    [COUNTED_RCPT] = STR("RCPT"),       [COUNTED_MAIL] = STR("MAIL"),
    [COUNTED_DATA] = STR("DATA"),       [COUNTED_END_OF_MESSAGE] = STR("END-OF-MESSAGE"),
    [COUNTED_CONNECT] = STR("CONNECT"), [COUNTED_HELO] = STR("HELO"),
    [COUNTED_EHLO] = STR("EHLO"),       [COUNTED_VRFY] = STR("VRFY"),
    [COUNTED_ETRN] = STR("ETRN"),       [COUNTED_XCLIENT] = STR("XCLIENT"),
    [COUNTED_OTHER] = STR("other"),
};

void counters_init(struct counters *counters, int64_t now, uint64_t now_ns)
{
    *counters = (struct counters){ .started_at = now, .begin_ns = now_ns, .second = now_ns / second_ns };
    busiest_init(&counters->granted, counters->second);
}

static enum counted_state state_of(struct str text)
{
    for (int s = 0; s < COUNTED_OTHER; s++)
        if (str_equal(text, states[s]))
            return (enum counted_state)s;
    return COUNTED_OTHER;
}

static enum outcome outcome_of(const struct decision *decision)
{
    switch (decision->action) {
    case ACTION_OK:
        return OUTCOME_OK;
    case ACTION_REFUSE:
        return (enum outcome)(OUTCOME_REFUSED + (int)decision->reason);
    case ACTION_BCC:
        return OUTCOME_BCC;
    case ACTION_DUNNO:
        break;
    }
    return OUTCOME_DUNNO;
}

/* The seconds that have passed since the last time begin with nothing. An answer that was long in coming brings an
 * earlier time than others have brought: it counts now. */
static uint32_t *second_at(struct counters *counters, uint64_t now_ns)
{
    uint64_t now = now_ns / second_ns;
    if (now >= counters->second + COUNTERS_MINUTE_S)
        memset(counters->seconds, 0, sizeof counters->seconds);
    else
        for (uint64_t s = counters->second + 1; s <= now; s++)
            memset(counters->seconds[s % COUNTERS_MINUTE_S], 0, sizeof *counters->seconds);
    if (now > counters->second)
        counters->second = now;
    return counters->seconds[counters->second % COUNTERS_MINUTE_S];
}

static bool is_granted(const struct decision *decision)
{
    return decision->would_do == ACTION_OK && decision->rule && rule_table(decision->rule) == RULE_RELAY_GRANT &&
           rule_value(decision->rule) == RULE_GRANT;
}

void counters_add(struct counters *counters, const struct request *request, const struct decision *decision,
                  uint64_t now_ns)
{
    struct ip_addr addr;
    enum outcome outcome = outcome_of(decision);
    counters->requests[state_of(request->attr[ATTR_PROTOCOL_STATE])][outcome]++;
    second_at(counters, now_ns)[outcome]++;
    if (is_granted(decision) && ip_parse(request->attr[ATTR_CLIENT_ADDRESS], &addr))
        busiest_add(&counters->granted, &addr, counters->second);
}

const char *counted_action_name(enum counted_action action)
{
    static const char *const names[COUNTED_ACTIONS] = {
        [COUNTED_DUNNO] = "DUNNO", [COUNTED_OK] = "OK",   [COUNTED_REJECT] = "REJECT",
        [COUNTED_DEFER] = "DEFER", [COUNTED_BCC] = "BCC",
    };
    return names[action];
}

enum counted_action outcome_action(enum outcome outcome)
{
    static const enum counted_action plain[OUTCOME_REFUSED] = {
        [OUTCOME_DUNNO] = COUNTED_DUNNO,
        [OUTCOME_OK] = COUNTED_OK,
        [OUTCOME_BCC] = COUNTED_BCC,
    };
    if (outcome < OUTCOME_REFUSED)
        return plain[outcome];
    return reasons[outcome - OUTCOME_REFUSED].verb[0] == 'D' ? COUNTED_DEFER : COUNTED_REJECT;
}

struct count counters_of_outcome(struct counters *counters, enum outcome outcome, uint64_t now_ns)
{
    struct count count = { 0, 0 };
    (void)second_at(counters, now_ns);
    for (int s = 0; s < COUNTED_STATES; s++)
        count.all += counters->requests[s][outcome];
    for (int s = 0; s < COUNTERS_MINUTE_S; s++)
        count.minute += counters->seconds[s][outcome];
    return count;
}

struct count counters_of_action(struct counters *counters, enum counted_action action, uint64_t now_ns)
{
    struct count sum = { 0, 0 };
    for (int o = 0; o < OUTCOME_COUNT; o++) {
        if (outcome_action((enum outcome)o) != action)
            continue;
        struct count count = counters_of_outcome(counters, (enum outcome)o, now_ns);
        sum.all += count.all;
        sum.minute += count.minute;
    }
    return sum;
}
