/*
 * The look-ups of rules.h.
 */
#include "core/rules.h"
#include "core/rules_index.h"

#include <errno.h>

static const struct rule *first_live(const struct rule *chain, int64_t now)
{
    while (chain && !rule_is_live(chain, now))
        chain = chain->next;
    return chain;
}

/* Of rows whose keys mean the same, one that is live, and of these one with the given value where there is one. */
static const struct rule *first_preferring(const struct rule *chain, enum rule_value value, int64_t now)
{
    const struct rule *live = first_live(chain, now);
    for (const struct rule *rule = live; rule; rule = first_live(rule->next, now))
        if (rule->value == value)
            return rule;
    return live;
}

/* The rows of the longest prefix that has a live one; a refusing row first. */
static const struct rule *longest_prefix(const struct prefix_map *map, const struct ip_addr *addr, int64_t now)
{
    void *chains[PREFIX_MAP_DEPTH];
    for (size_t n = addr ? prefix_map_match(map, addr, chains) : 0; n > 0; n--) {
        const struct rule *rule = first_preferring(chains[n - 1], RULE_REFUSE, now);
        if (rule)
            return rule;
    }
    return NULL;
}

const struct rule *rules_access(const struct rules *rules, const struct ip_addr *addr, int64_t now)
{
    return longest_prefix(&rules->access, addr, now);
}

/* The live row for the nearest domain that the name is below. */
static const struct rule *nearest_below(const struct key_map *map, struct str name, enum rule_value preferred,
                                        int64_t now)
{
    name = domain_begin(name);
    while (domain_next_parent(&name)) {
        const struct rule *rule = first_preferring(key_map_get(map, NAME_BELOW, name), preferred, now);
        if (rule)
            return rule;
    }
    return NULL;
}

int rules_relay(const struct rules *rules, const struct ip_addr *addr, struct str name, int64_t now,
                const struct rule **rule)
{
    *rule = NULL;
    struct mail_addr host;
    bool named = rules->relay_names.used > 0 && !str_is(name, "unknown");
    if (named) {
        int r = mail_parse_domain(&host, name);
        if (r < 0) {
            mail_fini(&host);
            return r;
        }
        *rule = first_live(key_map_get(&rules->relay_names, NAME_DOMAIN, host.domain), now);
    }
    if (!*rule)
        *rule = longest_prefix(&rules->relay, addr, now);
    if (!*rule && named)
        *rule = nearest_below(&rules->relay_names, host.domain, RULE_GRANT, now);
    if (named)
        mail_fini(&host);
    return 0;
}

const struct rule *pattern_index_match_domain(const struct pattern_index *index, struct str domain,
                                              pattern_visit *visit, void *context)
{
    const struct key_map *map = &index->map;
    void *filed = key_map_get(map, NAME_DOMAIN, domain);
    const struct rule *rule = filed ? visit(filed, context) : NULL;
    struct str parent = domain_begin(domain);
    while (!rule && domain_next_parent(&parent))
        if ((filed = key_map_get(map, NAME_BELOW, parent)) != NULL)
            rule = visit(filed, context);
    for (size_t at = 0; !rule && at < domain.n; at++) {
        struct str suffix = str_from(domain, at);
        if (index->suffixes[suffix.n < SUFFIX_LENGTHS ? suffix.n : SUFFIX_LENGTHS - 1] == 0)
            continue;
        if ((filed = key_map_get(map, NAME_SUFFIX, suffix)) != NULL)
            rule = visit(filed, context);
    }
    return rule;
}

const struct rule *pattern_index_match(const struct pattern_index *index, const struct mail_addr *addr,
                                       pattern_visit *visit, void *context)
{
    if (index->map.used == 0 || addr->domain.n == 0)
        return NULL;
    void *filed = key_map_get(&index->map, NAME_ADDRESS, addr->whole);
    const struct rule *rule = filed ? visit(filed, context) : NULL;
    return rule ? rule : pattern_index_match_domain(index, addr->domain, visit, context);
}

static const struct rule *visit_kill(void *filed, void *context)
{
    return first_live(filed, *(const int64_t *)context);
}

/* The domain of a row whose key is an address, as compared: what follows the @ of local_n bytes and whole. */
static bool is_at_local_domain(const struct rules *rules, const struct rule *rule, int64_t now)
{
    struct mail_addr addr;
    bool local = mail_parse(&addr, str_make(rule_key(rule), rule->key_n), MAIL_AS_SENT) == 0 &&
                 rules_domain_is_local(rules, addr.domain, now);
    mail_fini(&addr);
    return local;
}

static const struct rule *kill_bare(const struct rules *rules, struct str local, int64_t now)
{
    for (const struct rule *rule = key_map_get(&rules->kill.map, KEY_LOCAL_OF, local); rule; rule = rule->next)
        if (rule_is_live(rule, now) && is_at_local_domain(rules, rule, now))
            return rule;
    for (size_t i = 0; i < rules->n_bare_kills; i++) {
        const struct bare_kill *bare = &rules->bare_kills[i];
        if (rule_is_live(bare->rule, now) && rules_domain_is_local(rules, str_of(bare->domain), now))
            return bare->rule;
    }
    return NULL;
}

const struct rule *rules_kill(const struct rules *rules, const struct mail_addr *sender, int64_t now)
{
    if (rules->kill.map.used == 0)
        return NULL;
    if (sender->domain.n == 0)
        return kill_bare(rules, sender->local, now);
    return pattern_index_match(&rules->kill, sender, visit_kill, &now);
}

struct accept_query {
    const struct ip_addr *addr;
    int64_t now;
};

static const struct rule *visit_accept(void *filed, void *context)
{
    const struct accept_query *query = context;
    const struct accept_clients *clients = filed;
    const struct rule *rule = longest_prefix(&clients->blocks, query->addr, query->now);
    return rule ? rule : first_live(clients->any, query->now);
}

const struct rule *rules_accept(const struct rules *rules, const struct mail_addr *sender, const struct ip_addr *addr,
                                int64_t now)
{
    struct accept_query query = { addr, now };
    return pattern_index_match(&rules->accept, sender, visit_accept, &query);
}

const struct rule *rules_domain(const struct rules *rules, struct str domain, int64_t now)
{
    if (rules->domains.used == 0 || domain.n == 0)
        return NULL;
    const struct rule *rule =
        first_preferring(key_map_get(&rules->domains, NAME_DOMAIN, domain), RULE_DOMAIN_LOCAL, now);
    return rule ? rule : nearest_below(&rules->domains, domain, RULE_DOMAIN_LOCAL, now);
}

bool rules_domain_is_local(const struct rules *rules, struct str domain, int64_t now)
{
    const struct rule *rule = rules_domain(rules, domain, now);
    return rule && rule->value == RULE_DOMAIN_LOCAL;
}

/* Ends at the first live row, which is almost always the first of all. */
bool rules_has_domain(const struct rules *rules, int64_t now)
{
    size_t at = 0;
    char kind;
    struct str key;
    void *chain;
    while (key_map_next(&rules->domains, &at, &kind, &key, &chain))
        if (first_live(chain, now))
            return true;
    return false;
}

const struct rule *rules_account(const struct rules *rules, const struct mail_addr *sender, int64_t now)
{
    if (sender->domain.n == 0)
        return NULL;
    const struct rule *rule =
        first_preferring(key_map_get(&rules->users, NAME_ADDRESS, sender->whole), RULE_USER_ACCOUNT, now);
    return rule && rule->value == RULE_USER_ACCOUNT ? rule : NULL;
}

/* Called with each live row that an address reaches. Returns 0 to go on, 1 to stop there, or -ENOMEM. */
typedef int user_visit(const struct rule *rule, void *context);

struct user_query {
    const struct rules *rules;
    const struct key_map *map;
    int64_t now;
    user_visit *visit;
    void *context;
    size_t visited;
};

static int visit_chain(struct user_query *query, const struct rule *chain, bool at_local_domains)
{
    int r = 0;
    for (const struct rule *rule = chain; rule && r == 0; rule = rule->next) {
        if (!rule_is_live(rule, query->now))
            continue;
        if (at_local_domains && !is_at_local_domain(query->rules, rule, query->now))
            continue;
        query->visited++;
        r = query->visit(rule, query->context);
    }
    return r;
}

/* The address, then its local part without domain; the first that has a row counts. A bare address has both at once. */
static int visit_spelling(struct user_query *query, const struct mail_addr *addr)
{
    const struct rule *anywhere = key_map_get(query->map, NAME_LOCAL, addr->local);
    int r;
    if (addr->domain.n == 0) {
        r = visit_chain(query, anywhere, false);
        return r ? r : visit_chain(query, key_map_get(query->map, KEY_LOCAL_OF, addr->local), true);
    }
    r = visit_chain(query, key_map_get(query->map, NAME_ADDRESS, addr->whole), false);
    if (r == 0 && query->visited == 0 && anywhere && rules_domain_is_local(query->rules, addr->domain, query->now))
        r = visit_chain(query, anywhere, false);
    return r;
}

/* The address as it is, then without its extension. */
static int visit_users(struct user_query *query, const struct mail_addr *addr)
{
    if (query->map->used == 0)
        return 0;
    int r = visit_spelling(query, addr);
    if (r || query->visited > 0)
        return r;
    struct str delimiters = settings_text(&query->rules->settings, SETTING_RECIPIENT_DELIMITER);
    struct str name = mail_without_extension(addr->local, delimiters);
    if (name.n == addr->local.n)
        return 0;
    struct mail_addr plain;
    r = mail_with_local(&plain, addr, name);
    if (r == 0)
        r = visit_spelling(query, &plain);
    mail_fini(&plain);
    return r;
}

bool rules_list_is_closed(const struct rules *rules, const struct rule *list)
{
    return list->value == RULE_LIST_CLOSED ||
           (list->value == RULE_LIST_AS_SET && rules->settings.number[SETTING_LIST_REMOTE_MAIL] == CHOICE_NO);
}

struct list_query {
    const struct rules *rules;
    const struct rule *found;
};

static int visit_list(const struct rule *rule, void *context)
{
    struct list_query *list = context;
    list->found = rule;
    return rules_list_is_closed(list->rules, rule);
}

int rules_list(const struct rules *rules, const struct mail_addr *addr, int64_t now, const struct rule **rule)
{
    struct list_query list = { rules, NULL };
    struct user_query query = { rules, &rules->lists, now, visit_list, &list, 0 };
    int r = visit_users(&query, addr);
    *rule = list.found;
    return r < 0 ? r : 0;
}

struct login_query {
    const struct rules *rules;
    const struct mail_addr *login;
    int64_t now;
};

/* A name without domain stands for that name at every local domain. */
static bool is_same_account(const struct login_query *query, struct str local, struct str domain)
{
    const struct mail_addr *login = query->login;
    if (!str_equal(local, login->local))
        return false;
    if (domain.n == 0 && login->domain.n == 0)
        return true;
    if (domain.n == 0 || login->domain.n == 0)
        return rules_domain_is_local(query->rules, domain.n ? domain : login->domain, query->now);
    return str_equal(domain, login->domain);
}

/* With or without the sender's extension. */
static bool is_sender_itself(const struct login_query *query, const struct mail_addr *sender)
{
    struct str delimiters = settings_text(&query->rules->settings, SETTING_RECIPIENT_DELIMITER);
    return is_same_account(query, sender->local, sender->domain) ||
           is_same_account(query, mail_without_extension(sender->local, delimiters), sender->domain);
}

static int visit_alias(const struct rule *rule, void *context)
{
    if (rule->value != RULE_USER_ALIAS)
        return 0;
    struct mail_addr account;
    int r = mail_parse(&account, str_make(rule_value_text(rule), rule->value_n), MAIL_AS_SENT);
    if (r == 0)
        r = is_same_account(context, account.local, account.domain);
    mail_fini(&account);
    return r;
}

int rules_login_is_sender(const struct rules *rules, struct str login, const struct mail_addr *sender, int64_t now)
{
    struct mail_addr name;
    struct login_query wanted = { rules, &name, now };
    struct user_query query = { rules, &rules->users, now, visit_alias, &wanted, 0 };
    int r = mail_parse(&name, login, MAIL_AS_SENT);
    if (r == 0)
        r = is_sender_itself(&wanted, sender);
    if (r == 0)
        r = visit_users(&query, sender);
    mail_fini(&name);
    return r;
}
