#include "core/explanation.h"

#include <stdio.h>

static const char *const field_names[EXPLANATION_FIELDS] = {
    [EXPLANATION_ACTION] = "action",
    [EXPLANATION_REASON] = "reason",
    [EXPLANATION_LOGINS] = "logins",
    [EXPLANATION_LOGIN] = "login",
    [EXPLANATION_TOO_MANY_ACCOUNTS] = "too_many_accounts",
    [EXPLANATION_OBSERVE_ALL] = "observe_all",
    [EXPLANATION_RECIPIENT_IS] = "recipient_is",
};

static const char *const note_names[EXPLANATION_NOTE_FIELDS] = {
    [NOTE_STEP] = "step",   [NOTE_NAME] = "name",       [NOTE_OUTCOME] = "outcome",
    [NOTE_WHY] = "why",     [NOTE_REASON] = "because",  [NOTE_TABLE] = "table",
    [NOTE_KEY] = "key",     [NOTE_CLIENT] = "client",   [NOTE_COLUMN] = "column",
    [NOTE_VALUE] = "value", [NOTE_SETTING] = "setting", [NOTE_SETTING_VALUE] = "setting_value",
};

static const struct {
    const char *number, *name;
} steps[STEP_COUNT + 1] = {
    [STEP_CLIENT] = { "1", "client" },
    [STEP_STATE] = { "2", "state" },
    [STEP_SUBMISSION] = { "3", "submission" },
    [STEP_VRFY] = { "4", "vrfy" },
    [STEP_KILL] = { "5", "kill" },
    [STEP_NULL_SENDER] = { "6", "null-sender" },
    [STEP_INVALID_SENDER] = { "7", "invalid-sender" },
    [STEP_LOCAL_SENDER] = { "8", "local-sender" },
    [STEP_MAIL] = { "9", "mail" },
    [STEP_RCPT] = { "10", "recipient" },
    [STEP_DATA] = { "11", "data" },
    [STEP_END] = { "12", "end" },
};

static void make_note(struct explanation *explanation, size_t i, const struct decide_note *note,
                      const struct settings *settings)
{
    struct str *text = explanation->note[i];
    static const char *const outcomes[] = { "passed", "observed", "decided" };
    text[NOTE_STEP] = str_of(steps[note->step].number);
    text[NOTE_NAME] = str_of(steps[note->step].name);
    text[NOTE_OUTCOME] = str_of(outcomes[note->outcome]);
    text[NOTE_WHY] = str_of(note->why);
    if (note->reason != REASON_NONE)
        text[NOTE_REASON] = str_of(reasons[note->reason].name);
    if (note->rule) {
        enum rule_table table = rule_table(note->rule);
        text[NOTE_TABLE] = str_of(rule_tables[table].name);
        text[NOTE_KEY] = rule_key_text(note->rule, explanation->key[i]);
        text[NOTE_CLIENT] = rule_client_text(note->rule, explanation->client[i]);
        text[NOTE_COLUMN] = str_of(rule_tables[table].value);
        text[NOTE_VALUE] = rule_value_text(note->rule);
    }
    if (note->setting != SETTING_NONE) {
        text[NOTE_SETTING] = str_of(setting_info(note->setting)->name);
        text[NOTE_SETTING_VALUE] = settings_text(settings, note->setting);
    }
}

/* What step 10 asks first. Short of memory, it is left open. */
static struct str whose_recipient(const struct decide_query *query)
{
    struct str text = query->request->attr[ATTR_RECIPIENT];
    struct mail_addr recipient;
    const char *answer = "";
    if (!str_is(query->request->attr[ATTR_PROTOCOL_STATE], "RCPT"))
        return str_of("");
    if (str_find(text, '@') == text.n)
        return str_of("local");
    if (mail_parse(&recipient, text, MAIL_AS_SENT) == 0) {
        const struct rule *domain = rules_domain(query->rules, recipient.domain, query->now);
        answer = !domain ? "foreign" : rule_value(domain) == RULE_DOMAIN_LOCAL ? "local" : "relay";
    }
    mail_fini(&recipient);
    return str_of(answer);
}

void explanation_make(struct explanation *explanation, const struct decision *decision,
                      const struct decide_query *query)
{
    const struct settings *settings = rules_settings(query->rules);
    struct str *field = explanation->field;
    memset(explanation->field, 0, sizeof explanation->field);
    memset(explanation->note, 0, sizeof explanation->note);
    size_t n = reply_action(decision, query->request, settings, explanation->action, sizeof explanation->action);
    field[EXPLANATION_ACTION] = str_make(explanation->action, n);
    if (decision->reason != REASON_NONE)
        field[EXPLANATION_REASON] = str_of(reasons[decision->reason].name);
    if (query->logins.state != LOGIN_NOT_ASKED)
        field[EXPLANATION_LOGINS] = str_of(query->logins.state == LOGIN_KNOWN ? "known" : "unavailable");
    field[EXPLANATION_LOGIN] = decision->login;
    if (decision->too_many_logins > 0) {
        (void)snprintf(explanation->too_many, sizeof explanation->too_many, "%zu", decision->too_many_logins);
        field[EXPLANATION_TOO_MANY_ACCOUNTS] = str_of(explanation->too_many);
    }
    if ((settings->number[SETTING_OBSERVE] & OBSERVE_ALL) != 0)
        field[EXPLANATION_OBSERVE_ALL] = str_of("yes");
    field[EXPLANATION_RECIPIENT_IS] = whose_recipient(query);
    explanation->n_notes = decision->n_notes;
    for (size_t i = 0; i < decision->n_notes; i++)
        make_note(explanation, i, &decision->notes[i], settings);
}

void explanation_each(const struct explanation *explanation, explanation_visit *visit, void *context)
{
    for (int f = 0; f < EXPLANATION_FIELDS; f++)
        if (explanation->field[f].n > 0)
            visit(context, field_names[f], explanation->field[f]);
    for (size_t i = 0; i < explanation->n_notes; i++)
        for (int f = 0; f < EXPLANATION_NOTE_FIELDS; f++)
            if (explanation->note[i][f].n > 0)
                visit(context, note_names[f], explanation->note[i][f]);
}

void explanation_take(struct explanation *explanation, struct str name, struct str value)
{
    for (int f = 0; f < EXPLANATION_FIELDS; f++)
        if (str_is(name, field_names[f]))
            explanation->field[f] = value;
    for (int f = 0; f < EXPLANATION_NOTE_FIELDS; f++) {
        if (!str_is(name, note_names[f]))
            continue;
        if (f == NOTE_STEP && explanation->n_notes < DECIDE_NOTES)
            explanation->n_notes++;
        if (explanation->n_notes > 0)
            explanation->note[explanation->n_notes - 1][f] = value;
    }
}
