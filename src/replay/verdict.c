#include "replay/verdict.h"

#include "console/kind.h"
#include "core/reply.h"

#include <limits.h>
#include <stdio.h>

/* With the sender's own name there is a login that counts, whichever way logins are matched. */
int verdict_finish(struct verdict *verdict, const struct decide_query *query)
{
    struct decide_query again = *query;
    struct decision with;
    verdict->needs_login = verdict->decision.needs_login;
    if (!verdict->needs_login)
        return 0;
    again.logins = (struct login_facts){ .state = LOGIN_KNOWN };
    int r = decide(&again, &verdict->decision);
    again.logins.names = &query->request->attr[ATTR_SENDER];
    again.logins.n_names = 1;
    if (r == 0)
        r = decide(&again, &with);
    if (r == 0) {
        verdict->login_action = with.action;
        verdict->login_reason = with.reason;
    }
    return r;
}

int64_t verdict_recorded_at(const struct request *request)
{
    unsigned long at;
    return str_to_number(request->attr[ATTR_RECORD_TIME], LONG_MAX, &at) ? (int64_t)at : 0;
}

static struct str printed(const char *text, int n, size_t size)
{
    return str_make(text, n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1);
}

const char *verdict_name_action(enum action action, enum reason reason)
{
    static const char *const names[] = { [ACTION_DUNNO] = "DUNNO", [ACTION_OK] = "OK", [ACTION_BCC] = "BCC" };
    if (action != ACTION_REFUSE)
        return names[action];
    return strncmp(reasons[reason].verb, "DEFER", 5) == 0 ? "DEFER" : "REJECT";
}

struct str verdict_name_answer(enum action action, enum reason reason, char text[VERDICT_NAME_BYTES])
{
    bool is_refusal = action == ACTION_REFUSE;
    int n = snprintf(text, VERDICT_NAME_BYTES, "%s%s%s", verdict_name_action(action, reason), is_refusal ? " " : "",
                     is_refusal ? reasons[reason].name : "");
    return printed(text, n, VERDICT_NAME_BYTES);
}

struct str verdict_name_row(enum rule_table table, struct str key, struct str client, struct str value,
                            char text[RULE_NAME_BYTES])
{
    char verdict[16];
    (void)snprintf(verdict, sizeof verdict, "%.*s", STR_ARGS(value));
    int n = snprintf(text, RULE_NAME_BYTES, "%s %.*s%s%.*s", kind_of(table, verdict)->name, STR_ARGS(key),
                     client.n > 0 ? " from " : "", STR_ARGS(client));
    return printed(text, n, RULE_NAME_BYTES);
}

struct str verdict_name_cause(const struct rule *rule, enum setting setting, char text[RULE_NAME_BYTES])
{
    char key[RULE_TEXT_BYTES], client[BLOCK_TEXT_SIZE];
    if (rule)
        return verdict_name_row(rule_table(rule), rule_key_text(rule, key), rule_client_text(rule, client),
                                rule_value_text(rule), text);
    if (setting == SETTING_NONE)
        return str_make(text, 0);
    return printed(text, snprintf(text, RULE_NAME_BYTES, "setting %s", setting_info(setting)->name), RULE_NAME_BYTES);
}
