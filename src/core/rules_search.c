#include "core/rules_search.h"

#include "core/rules_index.h"

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

static bool is_whole(const struct rule *rule)
{
    const struct trie_row *row = rule_row_of(rule);
    return row->key[row->key_n - 1] == MARK_WHOLE;
}

static int match_client_name(const struct rules *rules, struct str name, int64_t now, const struct rule **rule)
{
    const struct trie *names = &rules->trie[TRIE_RELAY_NAMES];
    struct mail_addr host;
    *rule = NULL;
    if (!names->root || str_is(name, "unknown"))
        return 0;
    int r = mail_parse_domain(&host, name);
    if (r == 0 && host.domain.n > 0)
        *rule = rules_match_host(names, host.domain, RULE_GRANT, now);
    mail_fini(&host);
    return r;
}

/* An exact name counts as longer than any prefix, a domain as shorter. */
static const struct rule *longer(const struct rule *named, const struct rule *prefix)
{
    return named && (is_whole(named) || !prefix) ? named : prefix;
}

int rules_relay(const struct rules *rules, const struct ip_addr *addr, struct str name, int64_t now,
                const struct rule **rule)
{
    struct rules_best best = rules_best_of(RULE_REFUSE, rank_of_prefix, now);
    struct trie_query query = { .n = 0 };
    unsigned char bytes[PREFIX_KEY_BYTES];
    int r = match_client_name(rules, name, now, rule);
    if (r < 0 || !addr)
        return r;
    set_tail(&query, addr, bytes);
    (void)trie_match(&rules->trie[RULE_RELAY_GRANT], &query, rules_keep_best, &best);
    *rule = longer(*rule, best.rule);
    return 0;
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
    if (!rule_is_live(rule, kill->now) || !rules_is_at_local_domain(kill->rules, rule, kill->now))
        return false;
    kill->found = rule;
    return true;
}

const struct rule *rules_kill_bare(const struct rules *rules, struct str local, int64_t now)
{
    struct local_kill kill = { rules, now, NULL };
    const struct bare_kills *bare = rules->bare_kills;
    if (rules_each_local(rules, RULE_KILL_ENTRY, local, is_kill_in_force, &kill))
        return kill.found;
    for (size_t i = 0; i < bare->n; i++)
        if (rule_is_live(bare->kills[i].rule, now) && rules_domain_is_local(rules, str_of(bare->kills[i].domain), now))
            return bare->kills[i].rule;
    return NULL;
}

/* The pattern counts most, then how much of the client the row names. */
static unsigned rank_of_accept(const struct rule *rule)
{
    const struct trie_row *row = rule_row_of(rule);
    size_t pattern_n = name_key_bytes(row->key, row->key_n);
    return rule_pattern_rank(rule) << 8 | (8U * (unsigned)(row->key_n - pattern_n) + row->bits);
}

/* Searches. */

enum { ACCESS, RELAY, KILL, ACCEPT };

static void add_lookup(struct rules_search *search, enum rule_table table, const struct trie_query *query,
                       struct rules_best best)
{
    struct rules_lookup *lookup = &search->lookups[search->n_lookups++];
    lookup->best = best;
    lookup->done = false;
    trie_walk_begin(&lookup->walk, &search->rules->trie[table], query, rules_keep_best, &lookup->best);
}

int rules_search_begin(struct rules_search *search, const struct rules *rules, const struct ip_addr *addr,
                       struct str client_name, const struct mail_addr *sender, int64_t now)
{
    search->rules = rules;
    search->n_lookups = 0;
    search->client = (struct trie_query){ .n = 0 };
    set_tail(&search->client, addr, search->addr);
    add_lookup(search, RULE_ACCESS_BLOCK, &search->client, rules_best_of(RULE_REFUSE, rank_of_prefix, now));
    add_lookup(search, RULE_RELAY_GRANT, &search->client, rules_best_of(RULE_REFUSE, rank_of_prefix, now));
    if (sender->domain.n > 0) {
        name_query_init(&search->name, sender->local, sender->domain);
        search->accepted = search->name.query;
        set_tail(&search->accepted, addr, search->addr);
        add_lookup(search, RULE_KILL_ENTRY, &search->name.query, rules_best_of(RULE_PLAIN, rule_pattern_rank, now));
        add_lookup(search, RULE_ACCEPT_ENTRY, &search->accepted, rules_best_of(RULE_PLAIN, rank_of_accept, now));
    }
    return match_client_name(rules, client_name, now, &search->named);
}

bool rules_search_step(struct rules_search *search)
{
    bool more = false;
    for (size_t i = 0; i < search->n_lookups; i++) {
        struct rules_lookup *lookup = &search->lookups[i];
        if (!lookup->done) {
            lookup->done = !trie_walk_step(&lookup->walk);
            more = more || !lookup->done;
        }
    }
    return more;
}

void rules_search_end(struct rules_search *search, struct rules_found *found)
{
    const struct rules_lookup *lookups = search->lookups;
    found->access = lookups[ACCESS].best.rule;
    found->relay = longer(search->named, lookups[RELAY].best.rule);
    found->kill = search->n_lookups > KILL ? lookups[KILL].best.rule : NULL;
    found->accept = search->n_lookups > ACCEPT ? lookups[ACCEPT].best.rule : NULL;
}
