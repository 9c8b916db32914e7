#include "replay/changes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void changes_init(struct changes *changes, const struct rules *before, const struct rules *after,
                  const struct rule_diff *diff)
{
    *changes = (struct changes){ .before = before, .after = after, .diff = diff };
    for (int s = 0; s < SETTING_COUNT; s++) {
        enum setting setting = (enum setting)s;
        bool differs =
            !str_equal(settings_text(rules_settings(before), setting), settings_text(rules_settings(after), setting));
        changes->differs[s] = differs;
        if (differs && (s >= SETTING_TEXT || s == SETTING_REPLY_STYLE || s == SETTING_ARCHIVE_TO))
            changes->text_differs = true;
    }
}

static void free_change(void *value)
{
    struct change *change = value;
    for (size_t i = 0; i < change->n_examples; i++)
        free(change->example[i].texts);
    free(change->cause);
    free(change->before);
    free(change->after);
    free(change);
}

void changes_fini(struct changes *changes)
{
    key_map_fini(&changes->groups, free_change);
}

/* Causes. */

struct cause {
    const struct rule *rule;
    enum setting setting;
    enum rule_difference difference; /* of the rule */
};

static bool is_changed_rule(const struct changes *changes, const struct rule *rule, struct cause *cause)
{
    if (!rule)
        return false;
    *cause = (struct cause){ rule, SETTING_NONE, rule_diff_of(changes->diff, rule) };
    return cause->difference != RULE_IS_SAME;
}

static bool is_changed_setting(const struct changes *changes, enum setting setting, struct cause *cause)
{
    *cause = (struct cause){ NULL, setting, RULE_IS_SAME };
    return setting != SETTING_NONE && changes->differs[setting];
}

static bool find_rule_on_way(const struct changes *changes, const struct decision *decision, struct cause *cause)
{
    for (size_t i = decision->n_notes; i-- > 0;)
        if (is_changed_rule(changes, decision->notes[i].rule, cause))
            return true;
    return false;
}

static bool find_setting_on_way(const struct changes *changes, const struct decision *decision, struct cause *cause)
{
    for (size_t i = decision->n_notes; i-- > 0;)
        if (is_changed_setting(changes, decision->notes[i].setting, cause))
            return true;
    return false;
}

static bool find_setting_of_text(const struct changes *changes, const struct decision *after, struct cause *cause)
{
    return after->action == ACTION_REFUSE &&
           (is_changed_setting(changes, (enum setting)(SETTING_TEXT + (int)after->reason), cause) ||
            is_changed_setting(changes, SETTING_REPLY_STYLE, cause));
}

static bool is_observed(const struct decision *decision)
{
    return decision->would != 0 || decision->would_do != decision->action;
}

/* Settings that no step names: what is observed, and which logins count. */
static bool find_unnamed_setting(const struct changes *changes, const struct verdict *before,
                                 const struct verdict *after, struct cause *cause)
{
    if ((is_observed(&before->decision) || is_observed(&after->decision)) &&
        is_changed_setting(changes, SETTING_OBSERVE, cause))
        return true;
    return before->needs_login != after->needs_login &&
           (is_changed_setting(changes, SETTING_POP_BEFORE_SMTP, cause) ||
            is_changed_setting(changes, SETTING_POP_BEFORE_SMTP_MATCH, cause));
}

/* The row that decides now and is new or another than before, else the one that decided before and is no longer there
 * as it was; then such a row or setting on the way. */
static bool find_cause(const struct changes *changes, const struct verdict *verdict_before,
                       const struct verdict *verdict_after, struct cause *cause)
{
    const struct decision *before = &verdict_before->decision, *after = &verdict_after->decision;
    return is_changed_rule(changes, after->rule, cause) || is_changed_rule(changes, before->rule, cause) ||
           find_rule_on_way(changes, after, cause) || find_rule_on_way(changes, before, cause) ||
           is_changed_setting(changes, after->setting, cause) || is_changed_setting(changes, before->setting, cause) ||
           find_setting_on_way(changes, after, cause) || find_setting_on_way(changes, before, cause) ||
           find_unnamed_setting(changes, verdict_before, verdict_after, cause);
}

enum { CAUSE_BYTES = RULE_NAME_BYTES + 2 * SETTING_TEXT_MAX_BYTES };

static void name_setting(const struct changes *changes, enum setting setting, char text[CAUSE_BYTES])
{
    struct str before = settings_text(rules_settings(changes->before), setting);
    struct str after = settings_text(rules_settings(changes->after), setting);
    (void)snprintf(text, CAUSE_BYTES, "setting %s (\"%.*s\" -> \"%.*s\")", setting_info(setting)->name,
                   STR_ARGS(before), STR_ARGS(after));
}

static void name_row(struct str name, enum rule_difference difference, char text[CAUSE_BYTES])
{
    static const char *const words[] = { "as before", "added", "removed", "changed" };
    (void)snprintf(text, CAUSE_BYTES, "%.*s (%s)", STR_ARGS(name), words[difference]);
}

/* What is not on the way can still be the cause, such as the last row of local_domain: where little else differs. */
static void name_other_cause(const struct changes *changes, const struct decision *before, const struct decision *after,
                             char text[CAUSE_BYTES])
{
    char name[RULE_NAME_BYTES];
    struct rule_diff_row row;
    enum setting setting = SETTING_RELAY_FOR;
    while (setting < SETTING_NONE && !changes->differs[setting])
        setting++;
    if (rule_diff_single(changes->diff, &row))
        name_row(verdict_name_row(row.table, row.key, row.client, row.value, name), row.difference, text);
    else if (changes->diff->rows.used == 0 && setting != SETTING_NONE)
        name_setting(changes, setting, text);
    else if (after->rule)
        (void)snprintf(text, CAUSE_BYTES, "%.*s (decides now)",
                       STR_ARGS(verdict_name_cause(after->rule, SETTING_NONE, name)));
    else if (before->rule)
        (void)snprintf(text, CAUSE_BYTES, "%.*s (decides no longer)",
                       STR_ARGS(verdict_name_cause(before->rule, SETTING_NONE, name)));
    else
        (void)snprintf(text, CAUSE_BYTES, "several changes together");
}

static void name_cause(const struct changes *changes, const struct verdict *before, const struct verdict *after,
                       bool is_text_alone, char text[CAUSE_BYTES])
{
    char name[RULE_NAME_BYTES];
    struct cause cause;
    bool found = is_text_alone ? find_setting_of_text(changes, &after->decision, &cause) ||
                                     is_changed_setting(changes, after->decision.setting, &cause)
                               : find_cause(changes, before, after, &cause);
    if (!found)
        name_other_cause(changes, &before->decision, &after->decision, text);
    else if (cause.rule)
        name_row(verdict_name_cause(cause.rule, SETTING_NONE, name), cause.difference, text);
    else
        name_setting(changes, cause.setting, text);
}

/* Groups. */

enum { ANSWER_BYTES = 2 * VERDICT_NAME_BYTES + 32 };

static void name_answer(const struct verdict *verdict, char text[ANSWER_BYTES])
{
    char without[VERDICT_NAME_BYTES], with[VERDICT_NAME_BYTES];
    struct str answer = verdict_name_answer(verdict->decision.action, verdict->decision.reason, without);
    int n = snprintf(text, ANSWER_BYTES, "%.*s", STR_ARGS(answer));
    if (!verdict->needs_login)
        return;
    answer = verdict_name_answer(verdict->login_action, verdict->login_reason, with);
    (void)snprintf(text + n, ANSWER_BYTES - (size_t)n, " (with a login %.*s)", STR_ARGS(answer));
}

/* Copies the texts, one behind the other. */
static int take_example(struct change *change, const struct request *request, const struct str replies[2])
{
    static const enum attribute attributes[] = {
        [CHANGE_STATE] = ATTR_PROTOCOL_STATE, [CHANGE_CLIENT] = ATTR_CLIENT_ADDRESS, [CHANGE_NAME] = ATTR_CLIENT_NAME,
        [CHANGE_SENDER] = ATTR_SENDER,        [CHANGE_RECIPIENT] = ATTR_RECIPIENT,
    };
    if (change->n_examples == CHANGE_EXAMPLES)
        return 0;
    struct change_example *example = &change->example[change->n_examples];
    size_t size = 1;
    for (int f = 0; f < CHANGE_FIELDS; f++) {
        struct str text = f < CHANGE_BEFORE ? request->attr[attributes[f]] : replies[f - CHANGE_BEFORE];
        example->field[f] = text.n < CHANGE_TEXT_BYTES ? text : str_first(text, CHANGE_TEXT_BYTES);
        size += example->field[f].n;
    }
    char *to = example->texts = malloc(size);
    if (!to)
        return -ENOMEM;
    for (int f = 0; f < CHANGE_FIELDS; f++) {
        size_t n = example->field[f].n;
        if (n > 0)
            memcpy(to, example->field[f].p, n);
        example->field[f].p = to;
        to += n;
    }
    example->at = verdict_recorded_at(request);
    change->n_examples++;
    return 0;
}

static struct change *make_change(const char *cause, const char *before, const char *after, bool is_text_alone)
{
    struct change *change = calloc(1, sizeof *change);
    if (!change)
        return NULL;
    change->is_text_alone = is_text_alone;
    change->cause = strdup(cause);
    change->before = strdup(before);
    change->after = strdup(after);
    if (change->cause && change->before && change->after)
        return change;
    free_change(change);
    return NULL;
}

static struct change *find_change(struct changes *changes, const struct verdict *before, const struct verdict *after,
                                  bool is_text_alone)
{
    char cause[CAUSE_BYTES], from[ANSWER_BYTES], to[ANSWER_BYTES], key[CAUSE_BYTES + 2 * ANSWER_BYTES];
    name_cause(changes, before, after, is_text_alone, cause);
    name_answer(before, from);
    name_answer(after, to);
    int n = snprintf(key, sizeof key, "%s\n%s\n%s", cause, from, to);
    void **place = key_map_put(&changes->groups, is_text_alone, str_make(key, (size_t)n));
    if (place && !*place)
        *place = make_change(cause, from, to, is_text_alone);
    return place ? *place : NULL;
}

static bool is_same_answer(const struct verdict *a, const struct verdict *b)
{
    if (a->decision.action != b->decision.action || a->decision.reason != b->decision.reason ||
        a->needs_login != b->needs_login)
        return false;
    return !a->needs_login || (a->login_action == b->login_action && a->login_reason == b->login_reason);
}

int changes_add(struct changes *changes, const struct request *request, const struct verdict *before,
                const struct verdict *after)
{
    char texts[2][REPLY_MAX_BYTES];
    bool is_same = is_same_answer(before, after);
    if (is_same && !changes->text_differs)
        return 0;
    const struct str replies[2] = {
        str_make(texts[0],
                 reply_action(&before->decision, request, rules_settings(changes->before), texts[0], sizeof texts[0])),
        str_make(texts[1],
                 reply_action(&after->decision, request, rules_settings(changes->after), texts[1], sizeof texts[1])),
    };
    if (is_same && str_equal(replies[0], replies[1]))
        return 0;
    struct change *change = find_change(changes, before, after, is_same);
    if (!change)
        return -ENOMEM;
    changes->n++;
    change->n++;
    return take_example(change, request, replies);
}

static int compare(const void *left, const void *right)
{
    const struct change *a = *(const struct change *const *)left, *b = *(const struct change *const *)right;
    if (a->n != b->n)
        return a->n > b->n ? -1 : 1;
    int order = strcmp(a->cause, b->cause);
    if (order == 0)
        order = strcmp(a->before, b->before);
    return order ? order : strcmp(a->after, b->after);
}

long changes_sort(const struct changes *changes, const struct change ***sorted)
{
    size_t at = 0, n = 0;
    char kind;
    struct str key;
    void *value;
    *sorted = calloc(changes->groups.used + 1, sizeof(struct change *));
    if (!*sorted)
        return -ENOMEM;
    while (key_map_next(&changes->groups, &at, &kind, &key, &value))
        if (value)
            (*sorted)[n++] = value;
    if (n > 0)
        qsort(*sorted, n, sizeof **sorted, compare);
    return (long)n;
}
