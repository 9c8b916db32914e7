#include "replay/verdicts.h"

enum { ADDRESS_BYTES = 64, NAME_BYTES = 256 }; /* of a client; what is longer is none */

static struct verdict_group *group_of(struct verdicts *verdicts, const struct verdict *verdict)
{
    const struct decision *decision = &verdict->decision;
    enum reason reason = decision->action == ACTION_REFUSE ? decision->reason : REASON_NONE;
    size_t i = ((size_t)decision->action * (REASON_COUNT + 1) + (size_t)reason) * 2 + verdict->needs_login;
    struct verdict_group *group = &verdicts->groups[i];
    group->action = decision->action;
    group->reason = reason;
    group->needs_login = verdict->needs_login;
    return group;
}

static struct str cut(struct str text, size_t n)
{
    return text.n > n ? str_first(text, n) : text;
}

static int count(struct verdict_group *group, const struct request *request, const struct rule *rule,
                 enum setting setting)
{
    char text[RULE_NAME_BYTES];
    struct str none = str_make("", 0), name = request->attr[ATTR_CLIENT_NAME];
    group->n++;
    int r = tally_add(&group->clients, cut(request->attr[ATTR_CLIENT_ADDRESS], ADDRESS_BYTES),
                      str_is(name, "unknown") ? none : cut(name, NAME_BYTES));
    if (r == 0 && group->action == ACTION_REFUSE)
        r = tally_add(&group->rules, verdict_name_cause(rule, setting, text), none);
    return r;
}

/* Each refusal that was only observed, and what observe = all made DUNNO of. */
static int count_observed(struct verdicts *verdicts, const struct request *request, const struct decision *decision)
{
    int r = 0;
    for (size_t i = 0; i < decision->n_notes && r == 0; i++) {
        const struct decide_note *note = &decision->notes[i];
        if (note->outcome != NOTE_OBSERVED)
            continue;
        struct verdict_group *group = &verdicts->observed[note->reason];
        group->action = ACTION_REFUSE;
        group->reason = note->reason;
        r = count(group, request, note->rule, note->setting);
    }
    if (r < 0 || decision->would_do == decision->action)
        return r;
    struct verdict_group *group = &verdicts->observed[REASON_COUNT + decision->would_do];
    group->action = decision->would_do;
    group->reason = REASON_NONE;
    return count(group, request, NULL, SETTING_NONE);
}

static void note_time(struct verdicts *verdicts, int64_t at)
{
    if (at == 0)
        return;
    if (verdicts->first == 0 || at < verdicts->first)
        verdicts->first = at;
    if (at > verdicts->last)
        verdicts->last = at;
}

int verdicts_add(struct verdicts *verdicts, const struct request *request, const struct verdict *verdict,
                 const struct verdict *after)
{
    const struct decision *decision = &verdict->decision;
    verdicts->n++;
    verdicts->n_needs_login += verdict->needs_login;
    note_time(verdicts, verdict_recorded_at(request));
    if (after)
        group_of(verdicts, after)->n_after++;
    int r = count(group_of(verdicts, verdict), request, decision->rule, decision->setting);
    if (r == 0 && (decision->would != 0 || decision->would_do != decision->action))
        r = count_observed(verdicts, request, decision);
    return r;
}

size_t verdicts_sort(const struct verdict_group *groups, size_t n, const struct verdict_group **sorted)
{
    size_t used = 0;
    for (size_t g = 0; g < n; g++) {
        if (groups[g].n + groups[g].n_after == 0)
            continue;
        size_t i = used++;
        for (; i > 0 && sorted[i - 1]->n < groups[g].n; i--)
            sorted[i] = sorted[i - 1];
        sorted[i] = &groups[g];
    }
    return used;
}

static void fini_groups(struct verdict_group *groups, size_t n)
{
    for (size_t g = 0; g < n; g++) {
        tally_fini(&groups[g].clients);
        tally_fini(&groups[g].rules);
    }
}

void verdicts_fini(struct verdicts *verdicts)
{
    fini_groups(verdicts->groups, VERDICT_GROUPS);
    fini_groups(verdicts->observed, OBSERVED_GROUPS);
}
