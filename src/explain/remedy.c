#include "explain/remedy.h"

#include "explain/plan.h"

#include <stdlib.h>

struct remedy {
    FILE *out;
    const struct explained *x;
    const struct str *note; /* of the step that answered */
    enum goal goal;
    char client[IP_TEXT_SIZE]; /* canonical; empty: no address */
    size_t n_written;
};

/* A row of just this client, which `gatepost add` would not overwrite. Were there several, it would be the longest. */
static bool has_own_row(const struct remedy *remedy, enum rule_table table)
{
    const struct explained *x = remedy->x;
    const struct rule *rule = NULL;
    struct ip_addr addr;
    char text[RULE_TEXT_BYTES];
    if (table == RULE_RELAY_GRANT && x->rules && ip_parse(str_of(remedy->client), &addr))
        return rules_relay(x->rules, &addr, str_of("unknown"), x->now, &rule) < 0 ||
               (rule && plan_is_for_client_alone(remedy->client, rule_key_text(rule, text)));
    for (size_t i = 0; i < x->explanation->n_notes; i++)
        if (str_is(x->explanation->note[i][NOTE_TABLE], rule_tables[table].name) &&
            plan_is_for_client_alone(remedy->client, x->explanation->note[i][NOTE_KEY]))
            return true;
    return false;
}

static bool is_sound(const struct remedy *remedy, const struct change *change, bool after_removal)
{
    bool for_client = change->verb == CHANGE_ADD &&
                      (change->kind->table == RULE_RELAY_GRANT || change->kind->table == RULE_ACCESS_BLOCK);
    return change_is_sound(change) && !(for_client && !after_removal && has_own_row(remedy, change->kind->table));
}

/* A command that would be refused, or cannot be shown, or out of memory cannot be tried, is not offered. */
static void offer(struct remedy *remedy, struct plan *plan)
{
    struct decision decision = { .action = ACTION_DUNNO };
    for (size_t i = 0; i < plan->n; i++)
        if (!is_sound(remedy, &plan->change[i], i > 0 && plan->change[i - 1].verb == CHANGE_REMOVE))
            return;
    if (remedy->x->rules && plan_try(plan, remedy->x, remedy->goal, &decision) != 1)
        return;
    bool refused = decision.action == ACTION_REFUSE && remedy->goal != GOAL_NO_RELAY;
    plan_write(remedy->out, plan, remedy->x->program, refused ? reasons[decision.reason].name : NULL);
    remedy->n_written++;
}

static void offer_one(struct remedy *remedy, struct change change)
{
    struct plan plan = { .client = remedy->client, .change = { change }, .n = 1 };
    offer(remedy, &plan);
}

static void offer_both(struct remedy *remedy, struct change first, struct change second, const char *remark)
{
    struct plan plan = { .client = remedy->client, .change = { first, second }, .n = 2, .remark = remark };
    offer(remedy, &plan);
}

/* Changes. */

static struct change set_to(enum setting setting, const char *value)
{
    return (struct change){ .verb = CHANGE_SET, .setting = setting, .value = str_of(value) };
}

static struct change add_key(const char *kind, struct str key)
{
    return (struct change){ .verb = CHANGE_ADD, .kind = kind_find(kind), .keys = { key }, .n_keys = 1 };
}

static struct change add_client(const struct remedy *remedy, const char *kind)
{
    struct change change = add_key(kind, str_of(remedy->client));
    change.for_a_while = true;
    return change;
}

/* The row that decided goes. */
static struct change remove_row(const struct remedy *remedy)
{
    const struct str *note = remedy->note;
    struct change change = { .verb = CHANGE_REMOVE, .keys = { note[NOTE_KEY] }, .n_keys = 1 };
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (str_is(note[NOTE_TABLE], rule_tables[kinds[i].table].name) &&
            (!kinds[i].value || str_is(note[NOTE_VALUE], kinds[i].value)))
            change.kind = &kinds[i];
    change.client = note[NOTE_CLIENT];
    return change;
}

static bool has_row(const struct remedy *remedy, enum rule_table table)
{
    return str_is(remedy->note[NOTE_TABLE], rule_tables[table].name);
}

/* What comes into question, by reason. */

static void offer_grant(struct remedy *remedy)
{
    if (remedy->client[0])
        offer_one(remedy, add_client(remedy, "grant"));
}

static void for_access(struct remedy *remedy)
{
    if (remedy->client[0])
        offer_one(remedy, add_client(remedy, "allow"));
    if (has_row(remedy, RULE_ACCESS_BLOCK))
        offer_one(remedy, remove_row(remedy));
    offer_one(remedy, set_to(SETTING_UNLISTED_CLIENTS, "grant"));
}

/* The ports without that of the request. */
static void for_submission(struct remedy *remedy)
{
    struct str rest = remedy->note[NOTE_SETTING_VALUE], word;
    char *ports = malloc(rest.n + 1);
    unsigned long port, listed;
    size_t n = 0;
    if (!ports)
        return;
    bool is_number = str_to_number(remedy->x->request->attr[ATTR_SERVER_PORT], UINT16_MAX, &port);
    while (is_number && str_next_word(&rest, &word)) {
        if (str_to_number(word, UINT16_MAX, &listed) && listed == port)
            continue;
        if (n > 0)
            ports[n++] = ' ';
        memcpy(ports + n, word.p, word.n);
        n += word.n;
    }
    ports[n] = '\0';
    offer_one(remedy, set_to(SETTING_SUBMISSION_PORTS, ports));
    free(ports);
}

/* Where relaying is not what was refused. */
static void offer_grant_beyond(struct remedy *remedy)
{
    struct plan plan = { .client = remedy->client, .n = 1, .remark = "which lets it relay, too" };
    plan.change[0] = add_client(remedy, "grant");
    if (remedy->client[0])
        offer(remedy, &plan);
}

static void for_vrfy(struct remedy *remedy)
{
    offer_one(remedy, set_to(SETTING_REFUSE_VRFY, "no"));
    offer_grant_beyond(remedy);
}

static void for_kill(struct remedy *remedy)
{
    offer_one(remedy, remove_row(remedy));
}

static void for_null_sender(struct remedy *remedy)
{
    offer_one(remedy, set_to(SETTING_REFUSE_NULL_SENDER, "authenticated"));
    offer_one(remedy, set_to(SETTING_REFUSE_NULL_SENDER, "no"));
}

static void for_invalid_sender(struct remedy *remedy)
{
    offer_one(remedy, set_to(SETTING_REQUIRE_VALID_SENDER, "no"));
}

/* From this client alone: whoever forges the sender elsewhere gains nothing. */
static void offer_accept(struct remedy *remedy)
{
    struct mail_addr sender;
    if (mail_parse(&sender, remedy->x->request->attr[ATTR_SENDER], MAIL_AS_REWRITTEN) == 0 && remedy->client[0]) {
        struct change accept = add_key("accept", sender.whole);
        accept.client = str_of(remedy->client);
        accept.for_a_while = true;
        offer_one(remedy, accept);
    }
    mail_fini(&sender);
}

static void for_local_sender(struct remedy *remedy)
{
    offer_grant(remedy);
    offer_accept(remedy);
    offer_one(remedy, set_to(SETTING_LOCAL_SENDER_AUTH, "no"));
}

static void for_routed(struct remedy *remedy)
{
    offer_grant(remedy);
    offer_one(remedy, set_to(SETTING_REFUSE_ROUTED_RECIPIENT, "no"));
}

static void for_list(struct remedy *remedy)
{
    offer_one(remedy, remove_row(remedy));
    offer_one(remedy, set_to(SETTING_LIST_REMOTE_MAIL, "yes"));
    offer_grant_beyond(remedy);
}

static void offer_domain(struct remedy *remedy)
{
    struct mail_addr recipient;
    struct plan plan = { .client = remedy->client, .n = 1, .remark = "where that domain is ours" };
    if (mail_parse(&recipient, remedy->x->request->attr[ATTR_RECIPIENT], MAIL_AS_SENT) == 0) {
        plan.change[0] = add_key("domain", recipient.domain);
        offer(remedy, &plan);
    }
    mail_fini(&recipient);
}

static void for_relay(struct remedy *remedy)
{
    size_t before = remedy->n_written;
    offer_grant(remedy);
    if (remedy->n_written == before && remedy->client[0]) {
        if (has_row(remedy, RULE_RELAY_GRANT))
            offer_both(remedy, remove_row(remedy), add_client(remedy, "grant"), NULL);
        else
            offer_both(remedy, set_to(SETTING_RELAY_FOR, "addresses"), add_client(remedy, "grant"),
                       "then all rows of grant and accept count");
    }
    offer_accept(remedy);
    if (explained_reason(remedy->x) == REASON_RELAY)
        offer_domain(remedy);
}

static void for_recipients(struct remedy *remedy)
{
    struct str count = remedy->x->request->attr[ATTR_RECIPIENT_COUNT];
    struct change more = { .verb = CHANGE_SET, .setting = SETTING_MAX_RECIPIENTS, .value = count };
    offer_one(remedy, more);
}

/* To end what permits relaying. */
static void against_relaying(struct remedy *remedy)
{
    if (remedy->note[NOTE_TABLE].n > 0 && !has_row(remedy, RULE_LOCAL_DOMAIN))
        offer_one(remedy, remove_row(remedy));
    if (remedy->client[0])
        offer_one(remedy, add_client(remedy, "refuse"));
    if (remedy->client[0] && remedy->n_written == 0 && has_row(remedy, RULE_RELAY_GRANT))
        offer_both(remedy, remove_row(remedy), add_client(remedy, "refuse"), NULL);
    if (str_is(remedy->note[NOTE_SETTING], "relay_for"))
        offer_one(remedy, set_to(SETTING_RELAY_FOR, "addresses"));
}

static void for_reason(struct remedy *remedy, enum reason reason)
{
    static void (*const offers[REASON_COUNT])(struct remedy *) = {
        [REASON_ACCESS] = for_access,
        [REASON_SUBMISSION] = for_submission,
        [REASON_VRFY] = for_vrfy,
        [REASON_KILL] = for_kill,
        [REASON_NULL_SENDER] = for_null_sender,
        [REASON_INVALID_SENDER] = for_invalid_sender,
        [REASON_LOCAL_SENDER] = for_local_sender,
        [REASON_ROUTED] = for_routed,
        [REASON_LIST] = for_list,
        [REASON_RELAY] = for_relay,
        [REASON_UNVERIFIED] = offer_grant,
        [REASON_RECIPIENTS] = for_recipients,
        [REASON_UNAVAILABLE] = offer_grant,
    };
    offers[reason](remedy);
}

void remedy_write(FILE *out, const struct explained *x)
{
    struct remedy remedy = { .out = out, .x = x, .note = explained_answer(x), .goal = GOAL_OTHER_REASON };
    struct ip_addr addr;
    if (!remedy.note)
        return;
    if (ip_parse(x->request->attr[ATTR_CLIENT_ADDRESS], &addr))
        ip_format(&addr, remedy.client);
    enum reason reason = explained_reason(x);
    bool observes_all = x->explanation->field[EXPLANATION_OBSERVE_ALL].n > 0;
    if (reason != REASON_NONE) {
        for_reason(&remedy, reason);
    } else if (observes_all || x->request->attr[ATTR_SASL_USERNAME].n > 0) {
        return; /* no rule makes a difference */
    } else if (explained_outcome(x) == OUTCOME_LEFT && !explained_is_routed(x)) {
        remedy.goal = GOAL_RELAY;
        for_relay(&remedy);
    } else if (explained_outcome(x) == OUTCOME_RELAYED) {
        remedy.goal = GOAL_NO_RELAY;
        against_relaying(&remedy);
    }
}
