#include "daemon/decision_log.h"

#include "core/reply.h"
#include "daemon/log.h"

#include <stdio.h>

bool decision_log_wants(uint32_t log_decisions, const struct decision *decision)
{
    if (log_decisions == DECISIONS_NONE || !log_wants(LEVEL_INFO))
        return false;
    return log_decisions == DECISIONS_ALL || decision->action == ACTION_REFUSE || decision->would != 0;
}

enum { RULE_NAME_BYTES = LOG_VALUE_MAX_BYTES + 2 }; /* enough for the log to see that it is cut */

static size_t put(char text[RULE_NAME_BYTES], size_t n, struct str more)
{
    size_t room = RULE_NAME_BYTES - n;
    if (more.n > room)
        more.n = room;
    memcpy(text + n, more.p, more.n);
    return n + more.n;
}

/* table:key, with the client of an accept_entry after a blank; or setting:name. */
static void add_rule(struct log_line *line, const struct decision *decision)
{
    static const struct str colon = STR(":"), blank = STR(" "), setting = STR("setting:");
    char text[RULE_NAME_BYTES], key_text[RULE_TEXT_BYTES], client_text[BLOCK_TEXT_SIZE];
    const struct rule *rule = decision->rule;
    size_t n = 0;
    if (rule) {
        struct str key = rule_key_text(rule, key_text), client = rule_client_text(rule, client_text);
        n = put(text, n, str_of(rule_tables[rule_table(rule)].name));
        n = put(text, put(text, n, colon), key);
        if (client.n > 0)
            n = put(text, put(text, n, blank), client);
    } else if (decision->setting != SETTING_NONE) {
        n = put(text, put(text, n, setting), str_of(setting_info(decision->setting)->name));
    }
    if (n > 0)
        log_add(line, "rule", str_make(text, n));
}

static void add_would(struct log_line *line, const struct decision *decision)
{
    char text[256];
    size_t n = 0;
    for (int r = 0; r < REASON_COUNT; r++)
        if ((decision->would & 1U << r) != 0)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? "," : "", reasons[r].name);
    if (decision->would_do != decision->action)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? "," : "",
                              decision->would_do == ACTION_OK ? "OK" : "BCC");
    if (n > 0)
        log_add(line, "would", str_make(text, n));
}

/* Which login made the difference, or that too many accounts share the address. */
static void add_login(struct log_line *line, const struct decision *decision)
{
    if (decision->login.n > 0)
        log_add(line, "login", decision->login);
    if (decision->too_many_logins > 0)
        log_add_number(line, "too_many_accounts", decision->too_many_logins);
}

static void add_attr(struct log_line *line, const char *name, const struct request *request, enum attribute attribute)
{
    if (request->attr[attribute].n > 0)
        log_add(line, name, request->attr[attribute]);
}

void decision_log(const struct decision *decision, const struct request *request, const struct settings *settings,
                  uint64_t microseconds)
{
    struct log_line line;
    struct str verb = str_of(reply_verb(decision, settings));
    log_begin(&line, LEVEL_INFO);
    log_add(&line, "action", str_first(verb, str_find(verb, ' ')));
    if (decision->reason != REASON_NONE)
        log_add(&line, "reason", str_of(reasons[decision->reason].name));
    add_would(&line, decision);
    add_rule(&line, decision);
    add_login(&line, decision);
    add_attr(&line, "state", request, ATTR_PROTOCOL_STATE);
    add_attr(&line, "client", request, ATTR_CLIENT_ADDRESS);
    add_attr(&line, "name", request, ATTR_CLIENT_NAME);
    add_attr(&line, "sasl", request, ATTR_SASL_USERNAME);
    log_add(&line, "sender", request->attr[ATTR_SENDER]);
    add_attr(&line, "recipient", request, ATTR_RECIPIENT);
    add_attr(&line, "instance", request, ATTR_INSTANCE);
    log_add_number(&line, "us", microseconds);
    log_end(&line);
}
