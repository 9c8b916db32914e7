#include "explain/plan.h"

#include <errno.h>

static int decide_with(const struct explained *x, const struct rules *rules, enum login_state state,
                       const struct str *login, struct decision *decision)
{
    struct login_facts logins = { .state = state, .names = login, .n_names = login->n > 0 ? 1 : 0 };
    struct decide_query query = { .rules = rules, .request = x->request, .now = x->now };
    return explained_decide(&query, &logins, decision);
}

/* With the login that is pretended, else what the explanation tells: the one that counted, or that none did. */
static int decide_again(const struct explained *x, const struct rules *rules, struct decision *decision)
{
    const struct str *field = x->explanation->field;
    bool away = str_is(field[EXPLANATION_LOGINS], "unavailable");
    return decide_with(x, rules, away ? LOGIN_UNAVAILABLE : LOGIN_KNOWN,
                       x->source == LOGIN_PRETENDED ? &x->login : &field[EXPLANATION_LOGIN], decision);
}

static bool is_reached(const struct explained *x, enum goal goal, const struct decision *decision)
{
    if (goal == GOAL_OTHER_REASON)
        return decision->reason != explained_reason(x);
    return (decision->action == ACTION_OK) == (goal == GOAL_RELAY);
}

bool plan_is_for_client_alone(const char *client, struct str key)
{
    struct rule_key read;
    bool same =
        rule_key_parse(&read, RULE_RELAY_GRANT, key, NULL) == 0 && read.is_block && strcmp(read.text, client) == 0;
    rule_key_fini(&read);
    return same;
}

/* It can be removed together with those of the change. */
static bool is_alike(const struct change *change, const struct rule *rule)
{
    char client[BLOCK_TEXT_SIZE];
    if (change->verb != CHANGE_REMOVE || change->n_keys == CHANGE_KEYS || !rule ||
        rule_table(rule) != change->kind->table)
        return false;
    if (change->kind->value && !str_is(rule_value_text(rule), change->kind->value))
        return false;
    return change->kind->table != RULE_ACCEPT_ENTRY || str_equal(rule_client_text(rule, client), change->client);
}

/* The row that decides now has to go, too: it is the same in another spelling, or a broader one. Where another change
 * comes after, that outdoes the broader ones. */
static bool add_row(struct plan *plan, size_t i, const struct rule *rule)
{
    struct change *change = &plan->change[i];
    if (!is_alike(change, rule))
        return false;
    char *text = plan->key[change->n_keys];
    struct str key = rule_key_text(rule, text);
    if (i + 1 < plan->n && !plan_is_for_client_alone(plan->client, key))
        return false;
    memmove(text, key.p, key.n);
    change->keys[change->n_keys++] = str_make(text, key.n);
    return true;
}

static int try(struct plan *plan, const struct explained *x, enum goal goal, struct decision *decision,
               struct rules *rules)
{
    int r = 0;
    for (size_t i = 0; i < plan->n && r == 0; i++) {
        do {
            r = change_apply(&plan->change[i], rules);
            if (r == 0)
                r = decide_again(x, rules, decision);
        } while (r == 0 && !is_reached(x, goal, decision) && add_row(plan, i, decision->rule));
    }
    return r < 0 ? r : is_reached(x, goal, decision);
}

/* The daemon tells of logins only where its answer hangs on one. Where that of the change does, one may be on record,
 * and must not make it useless; one by the sender counts, whichever way logins are matched. */
static int try_with_login(const struct explained *x, enum goal goal, const struct rules *rules)
{
    struct decision decision;
    if (x->source != LOGIN_OF_DAEMON || x->explanation->field[EXPLANATION_LOGINS].n > 0)
        return 1;
    int r = decide_with(x, rules, LOGIN_KNOWN, &x->request->attr[ATTR_SENDER], &decision);
    return r < 0 ? r : is_reached(x, goal, &decision);
}

int plan_try(struct plan *plan, const struct explained *x, enum goal goal, struct decision *decision)
{
    struct rules *rules = rules_fork(x->rules);
    if (!rules)
        return -ENOMEM;
    int r = try(plan, x, goal, decision, rules);
    if (r == 1)
        r = try_with_login(x, goal, rules);
    rules_free(rules);
    return r;
}

void plan_write(FILE *out, const struct plan *plan, const char *program, const char *then)
{
    for (size_t i = 0; i < plan->n; i++) {
        fprintf(out, "%s%s ", i > 0 ? " && " : "", program);
        change_write(out, &plan->change[i]);
    }
    if (plan->remark)
        fprintf(out, " # %s", plan->remark);
    if (then)
        fprintf(out, " # then: %s", then);
    fputc('\n', out);
}
