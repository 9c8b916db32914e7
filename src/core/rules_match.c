/*
 * The look-ups of rules.h.
 */
#include "core/name_key.h"
#include "core/rules.h"
#include "core/rules_best.h"
#include "core/rules_index.h"

#include <errno.h>

/* Local domains. */

/* A name as a whole, or the nearest domain that it is below. */
const struct rule *rules_match_host(const struct trie *trie, struct str name, enum rule_value preferred, int64_t now)
{
    struct rules_best best = rules_best_of(preferred, rule_pattern_rank, now);
    struct name_query query;
    if (!trie->root)
        return NULL;
    name_query_init(&query, str_make("", 0), name);
    (void)trie_match(trie, &query.query, rules_keep_best, &best);
    return best.rule;
}

const struct rule *rules_domain(const struct rules *rules, struct str domain, int64_t now)
{
    return domain.n > 0 ? rules_match_host(&rules->trie[RULE_LOCAL_DOMAIN], domain, RULE_DOMAIN_LOCAL, now) : NULL;
}

bool rules_domain_is_local(const struct rules *rules, struct str domain, int64_t now)
{
    const struct rule *rule = rules_domain(rules, domain, now);
    return rule && rule_value(rule) == RULE_DOMAIN_LOCAL;
}

static bool is_live(const struct trie_row *row, void *now)
{
    return rule_is_live(rule_of(row), *(const int64_t *)now);
}

/* Ends at the first live row, which is almost always the first of all. */
bool rules_has_domain(const struct rules *rules, int64_t now)
{
    return trie_each(&rules->trie[RULE_LOCAL_DOMAIN], NULL, 0, is_live, &now);
}

/* Whether the domain of a rule that is filed under its local part is local now. */
bool rules_is_at_local_domain(const struct rules *rules, const struct rule *rule, int64_t now)
{
    const struct trie_row *row = rule_row_of(rule);
    struct rules_best best = rules_best_of(RULE_DOMAIN_LOCAL, rule_pattern_rank, now);
    struct name_query domain;
    struct str key = str_make((const char *)row->key, row->key_n - 1U);
    name_query_init_backwards(&domain, str_from(key, str_find_last(key, '@') + 1));
    (void)trie_match(&rules->trie[RULE_LOCAL_DOMAIN], &domain.query, rules_keep_best, &best);
    return best.rule && rule_value(best.rule) == RULE_DOMAIN_LOCAL;
}

/* Accounts and lists. */

/* The rows of addresses with this local part at domains that may be local. */
bool rules_each_local(const struct rules *rules, enum rule_table table, struct str local, trie_visit *visit,
                      void *context)
{
    unsigned char begin[TRIE_KEY_MAX_BYTES];
    if (local.n + 1 > sizeof begin || !rules->locals[table].root)
        return false;
    memcpy(begin, local.p, local.n);
    begin[local.n] = '@';
    return trie_each(&rules->locals[table], begin, local.n + 1, visit, context);
}

static unsigned all_alike(const struct rule *rule)
{
    (void)rule;
    return 0;
}

const struct rule *rules_account(const struct rules *rules, const struct mail_addr *sender, int64_t now)
{
    const struct trie *trie = &rules->trie[RULE_LOCAL_USER];
    struct rules_best best = rules_best_of(RULE_USER_ACCOUNT, all_alike, now);
    struct name_query query;
    if (!trie->root || sender->domain.n == 0)
        return NULL;
    name_query_init(&query, sender->local, sender->domain);
    (void)trie_match(trie, &query.query, rules_keep_best, &best);
    return best.rule && rule_value(best.rule) == RULE_USER_ACCOUNT ? best.rule : NULL;
}

/* Called with each live row that an address reaches. Returns 0 to go on, 1 to stop there, or -ENOMEM. */
typedef int user_visit(const struct rule *rule, void *context);

struct user_query {
    const struct rules *rules;
    enum rule_table table;
    int64_t now;
    user_visit *visit;
    void *context;
    size_t visited;
    int result;
};

static bool visit_user(const struct trie_row *row, void *context)
{
    struct user_query *query = context;
    const struct rule *rule = rule_of(row);
    if (!rule_is_live(rule, query->now))
        return false;
    query->visited++;
    query->result = query->visit(rule, query->context);
    return query->result != 0;
}

static bool visit_local_user(const struct trie_row *row, void *context)
{
    const struct user_query *query = context;
    return rules_is_at_local_domain(query->rules, rule_of(row), query->now) && visit_user(row, context);
}

static bool visit_name(struct user_query *query, struct str local, struct str domain)
{
    struct name_query name;
    name_query_init(&name, local, domain);
    return trie_match(&query->rules->trie[query->table], &name.query, visit_user, query);
}

/* The address, then its local part without domain; the first that has a row counts. A bare address has both at once. */
static bool visit_spelling(struct user_query *query, struct str local, struct str domain)
{
    struct str none = str_make("", 0);
    if (domain.n == 0)
        return visit_name(query, local, none) ||
               rules_each_local(query->rules, query->table, local, visit_local_user, query);
    if (visit_name(query, local, domain))
        return true;
    return query->visited == 0 && rules_domain_is_local(query->rules, domain, query->now) &&
           visit_name(query, local, none);
}

/* The address as it is, then without its extension. */
static int visit_users(struct user_query *query, const struct mail_addr *addr)
{
    if (!query->rules->trie[query->table].root || visit_spelling(query, addr->local, addr->domain) ||
        query->visited > 0)
        return query->result;
    struct str delimiters = settings_text(rules_settings(query->rules), SETTING_RECIPIENT_DELIMITER);
    struct str name = mail_without_extension(addr->local, delimiters);
    if (name.n < addr->local.n)
        (void)visit_spelling(query, name, addr->domain);
    return query->result;
}

bool rules_list_is_closed(const struct rules *rules, const struct rule *list)
{
    enum rule_value value = rule_value(list);
    return value == RULE_LIST_CLOSED ||
           (value == RULE_LIST_AS_SET && rules_settings(rules)->number[SETTING_LIST_REMOTE_MAIL] == CHOICE_NO);
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
    struct user_query query = { rules, RULE_LOCAL_LIST, now, visit_list, &list, 0, 0 };
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
    struct str delimiters = settings_text(rules_settings(query->rules), SETTING_RECIPIENT_DELIMITER);
    return is_same_account(query, sender->local, sender->domain) ||
           is_same_account(query, mail_without_extension(sender->local, delimiters), sender->domain);
}

static int visit_alias(const struct rule *rule, void *context)
{
    if (rule_value(rule) != RULE_USER_ALIAS)
        return 0;
    struct mail_addr account;
    int r = mail_parse(&account, rule_value_text(rule), MAIL_AS_SENT);
    if (r == 0)
        r = is_same_account(context, account.local, account.domain);
    mail_fini(&account);
    return r;
}

int rules_login_is_sender(const struct rules *rules, struct str login, const struct mail_addr *sender, int64_t now)
{
    struct mail_addr name;
    struct login_query wanted = { rules, &name, now };
    struct user_query query = { rules, RULE_LOCAL_USER, now, visit_alias, &wanted, 0, 0 };
    int r = mail_parse(&name, login, MAIL_AS_SENT);
    if (r == 0)
        r = is_sender_itself(&wanted, sender);
    if (r == 0)
        r = visit_users(&query, sender);
    mail_fini(&name);
    return r;
}
