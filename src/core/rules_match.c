/*
 * The look-ups of rules.h.
 */
#include "core/name_key.h"
#include "core/rules.h"
#include "core/rules_index.h"

#include <errno.h>

/* Of all live rows that are met, the one of the highest rank; of these one with the preferred value. */
struct best {
    int64_t now;
    enum rule_value preferred;
    unsigned (*rank)(const struct rule *rule);
    const struct rule *rule;
    unsigned ranked;
};

static bool keep_best(const struct trie_row *row, void *context)
{
    struct best *best = context;
    const struct rule *rule = rule_of(row);
    if (!rule_is_live(rule, best->now))
        return false;
    unsigned rank = best->rank(rule);
    if (!best->rule || rank > best->ranked || (rank == best->ranked && rule_value(rule) == best->preferred)) {
        best->rule = rule;
        best->ranked = rank;
    }
    return false;
}

/* Clients. */

/* The address as a query for prefixes; `bytes` must live as long. Nothing but an empty tail where there is none. */
static void set_tail(struct trie_query *query, const struct ip_addr *addr, unsigned char bytes[PREFIX_KEY_BYTES])
{
    unsigned bits;
    if (!addr)
        return;
    struct prefix whole = { *addr, ip_bits(addr) };
    query->tail_bits = 8 * (unsigned)prefix_key_write(bytes, &whole, &bits);
    query->tail = bytes;
}

static unsigned rank_of_prefix(const struct rule *rule)
{
    const struct trie_row *row = rule_row_of(rule);
    return 8U * row->key_n + row->bits;
}

/* The rows of the longest prefix that has a live one; a refusing row first. */
static const struct rule *longest_prefix(const struct trie *trie, const struct ip_addr *addr, int64_t now)
{
    struct best best = { now, RULE_REFUSE, rank_of_prefix, NULL, 0 };
    struct trie_query query = { .n = 0 };
    unsigned char bytes[PREFIX_KEY_BYTES];
    if (!addr)
        return NULL;
    set_tail(&query, addr, bytes);
    (void)trie_match(trie, &query, keep_best, &best);
    return best.rule;
}

const struct rule *rules_access(const struct rules *rules, const struct ip_addr *addr, int64_t now)
{
    return longest_prefix(&rules->trie[RULE_ACCESS_BLOCK], addr, now);
}

/* A name as a whole, or the nearest domain that it is below. */
static const struct rule *match_host(const struct trie *trie, struct str name, enum rule_value preferred, int64_t now)
{
    struct best best = { now, preferred, rule_pattern_rank, NULL, 0 };
    struct name_query query;
    if (!trie->root)
        return NULL;
    name_query_init(&query, str_make("", 0), name);
    (void)trie_match(trie, &query.query, keep_best, &best);
    return best.rule;
}

static bool is_whole(const struct rule *rule)
{
    const struct trie_row *row = rule_row_of(rule);
    return row->key[row->key_n - 1] == MARK_WHOLE;
}

int rules_relay(const struct rules *rules, const struct ip_addr *addr, struct str name, int64_t now,
                const struct rule **rule)
{
    const struct trie *names = &rules->trie[TRIE_RELAY_NAMES];
    const struct rule *named = NULL;
    *rule = NULL;
    if (names->root && !str_is(name, "unknown")) {
        struct mail_addr host;
        int r = mail_parse_domain(&host, name);
        if (r == 0 && host.domain.n > 0)
            named = match_host(names, host.domain, RULE_GRANT, now);
        mail_fini(&host);
        if (r < 0)
            return r;
    }
    *rule = named && is_whole(named) ? named : longest_prefix(&rules->trie[RULE_RELAY_GRANT], addr, now);
    if (!*rule)
        *rule = named;
    return 0;
}

/* Local domains. */

const struct rule *rules_domain(const struct rules *rules, struct str domain, int64_t now)
{
    return domain.n > 0 ? match_host(&rules->trie[RULE_LOCAL_DOMAIN], domain, RULE_DOMAIN_LOCAL, now) : NULL;
}

bool rules_domain_is_local(const struct rules *rules, struct str domain, int64_t now)
{
    const struct rule *rule = rules_domain(rules, domain, now);
    return rule && rule_value(rule) == RULE_DOMAIN_LOCAL;
}

static bool is_local(const struct trie_row *row, void *context)
{
    (void)context;
    return rule_value(rule_of(row)) == RULE_DOMAIN_LOCAL;
}

bool rules_may_be_local(const struct rules *rules, const struct name_query *domain)
{
    return trie_match(&rules->trie[RULE_LOCAL_DOMAIN], &domain->query, is_local, NULL);
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
static bool is_at_local_domain(const struct rules *rules, const struct rule *rule, int64_t now)
{
    const struct trie_row *row = rule_row_of(rule);
    struct best best = { now, RULE_DOMAIN_LOCAL, rule_pattern_rank, NULL, 0 };
    struct name_query domain;
    struct str key = str_make((const char *)row->key, row->key_n - 1U);
    name_query_init_backwards(&domain, str_from(key, str_find_last(key, '@') + 1));
    (void)trie_match(&rules->trie[RULE_LOCAL_DOMAIN], &domain.query, keep_best, &best);
    return best.rule && rule_value(best.rule) == RULE_DOMAIN_LOCAL;
}

/* Senders. */

struct local_kill {
    const struct rules *rules;
    int64_t now;
    const struct rule *found;
};

static bool is_kill_in_force(const struct trie_row *row, void *context)
{
    struct local_kill *kill = context;
    const struct rule *rule = rule_of(row);
    if (!rule_is_live(rule, kill->now) || !is_at_local_domain(kill->rules, rule, kill->now))
        return false;
    kill->found = rule;
    return true;
}

/* The rows of addresses with this local part at domains that may be local. */
static bool each_local(const struct rules *rules, enum rule_table table, struct str local, trie_visit *visit,
                       void *context)
{
    unsigned char begin[TRIE_KEY_MAX_BYTES];
    if (local.n + 1 > sizeof begin || !rules->locals[table].root)
        return false;
    memcpy(begin, local.p, local.n);
    begin[local.n] = '@';
    return trie_each(&rules->locals[table], begin, local.n + 1, visit, context);
}

static const struct rule *kill_bare(const struct rules *rules, struct str local, int64_t now)
{
    struct local_kill kill = { rules, now, NULL };
    const struct bare_kills *bare = rules->bare_kills;
    if (each_local(rules, RULE_KILL_ENTRY, local, is_kill_in_force, &kill))
        return kill.found;
    for (size_t i = 0; i < bare->n; i++)
        if (rule_is_live(bare->kills[i].rule, now) && rules_domain_is_local(rules, str_of(bare->kills[i].domain), now))
            return bare->kills[i].rule;
    return NULL;
}

const struct rule *rules_kill(const struct rules *rules, const struct mail_addr *sender, int64_t now)
{
    const struct trie *trie = &rules->trie[RULE_KILL_ENTRY];
    struct best best = { now, RULE_PLAIN, rule_pattern_rank, NULL, 0 };
    struct name_query query;
    if (!trie->root)
        return NULL;
    if (sender->domain.n == 0)
        return kill_bare(rules, sender->local, now);
    name_query_init(&query, sender->local, sender->domain);
    (void)trie_match(trie, &query.query, keep_best, &best);
    return best.rule;
}

/* The pattern counts most, then how much of the client the row names. */
static unsigned rank_of_accept(const struct rule *rule)
{
    const struct trie_row *row = rule_row_of(rule);
    size_t pattern_n = name_key_bytes(row->key, row->key_n);
    return rule_pattern_rank(rule) << 8 | (8U * (unsigned)(row->key_n - pattern_n) + row->bits);
}

const struct rule *rules_accept(const struct rules *rules, const struct mail_addr *sender, const struct ip_addr *addr,
                                int64_t now)
{
    const struct trie *trie = &rules->trie[RULE_ACCEPT_ENTRY];
    struct best best = { now, RULE_PLAIN, rank_of_accept, NULL, 0 };
    struct name_query query;
    unsigned char bytes[PREFIX_KEY_BYTES];
    if (!trie->root || sender->domain.n == 0)
        return NULL;
    name_query_init(&query, sender->local, sender->domain);
    set_tail(&query.query, addr, bytes);
    (void)trie_match(trie, &query.query, keep_best, &best);
    return best.rule;
}

/* Accounts and lists. */

static unsigned all_alike(const struct rule *rule)
{
    (void)rule;
    return 0;
}

const struct rule *rules_account(const struct rules *rules, const struct mail_addr *sender, int64_t now)
{
    const struct trie *trie = &rules->trie[RULE_LOCAL_USER];
    struct best best = { now, RULE_USER_ACCOUNT, all_alike, NULL, 0 };
    struct name_query query;
    if (!trie->root || sender->domain.n == 0)
        return NULL;
    name_query_init(&query, sender->local, sender->domain);
    (void)trie_match(trie, &query.query, keep_best, &best);
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
    return is_at_local_domain(query->rules, rule_of(row), query->now) && visit_user(row, context);
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
        return visit_name(query, local, none) || each_local(query->rules, query->table, local, visit_local_user, query);
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
