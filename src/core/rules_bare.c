/*
 * Which killed patterns cover a local domain: these cover every bare sender, to which Postfix appends one of the site's
 * own domains. Found once for each change of the rules, since there are few; expiry is looked at when it is asked.
 */
#include "core/rules.h"
#include "core/rules_index.h"

#include <errno.h>
#include <stdlib.h>

void rules_free_bare_kills(struct rules *rules)
{
    for (size_t i = 0; i < rules->n_bare_kills; i++)
        free(rules->bare_kills[i].domain);
    free(rules->bare_kills);
    rules->bare_kills = NULL;
    rules->n_bare_kills = 0;
}

struct search {
    struct rules *rules;
    struct str mark, domain; /* the covered domain is the one followed by the other */
    size_t room;
    int result;
};

static bool grow(struct search *search)
{
    struct rules *rules = search->rules;
    if (rules->n_bare_kills < search->room)
        return true;
    size_t room = search->room ? search->room * 2 : 8;
    struct bare_kill *wider = realloc(rules->bare_kills, room * sizeof *wider);
    if (!wider)
        return false;
    rules->bare_kills = wider;
    search->room = room;
    return true;
}

/* Notes that all rows of the chain cover the domain. */
static const struct rule *note(void *chain, void *context)
{
    struct search *search = context;
    struct rules *rules = search->rules;
    for (const struct rule *rule = chain; rule && search->result == 0; rule = rule->next) {
        char *domain = grow(search) ? malloc(search->mark.n + search->domain.n + 1) : NULL;
        if (!domain) {
            search->result = -ENOMEM;
            break;
        }
        memcpy(domain, search->mark.p, search->mark.n);
        memcpy(domain + search->mark.n, search->domain.p, search->domain.n);
        domain[search->mark.n + search->domain.n] = '\0';
        rules->bare_kills[rules->n_bare_kills++] = (struct bare_kill){ rule, domain };
    }
    return NULL;
}

static bool has_local(const struct rule *chain)
{
    while (chain && chain->value != RULE_DOMAIN_LOCAL)
        chain = chain->next;
    return chain != NULL;
}

/* The patterns that cover a row of local_domain; "?.example" stands for any host below example. Returns whether there
 * are local domains with all below them. */
static bool find_covering(struct search *search)
{
    size_t at = 0;
    char kind, below[256];
    struct str name;
    void *chain;
    bool any_below = false;
    while (search->result == 0 && key_map_next(&search->rules->domains, &at, &kind, &name, &chain)) {
        if (!has_local(chain))
            continue;
        search->mark = str_make("", 0);
        search->domain = name;
        if (kind == NAME_BELOW) {
            any_below = true;
            if (name.n + 2 > sizeof below)
                continue; /* no domain name is as long */
            below[0] = '?';
            below[1] = '.';
            memcpy(below + 2, name.p, name.n);
            search->domain = str_make(below, name.n + 2);
        }
        (void)pattern_index_match_domain(&search->rules->kill, search->domain, note, search);
    }
    return any_below;
}

static bool is_below_local(const struct rules *rules, struct str name)
{
    while (domain_next_parent(&name))
        if (has_local(key_map_get(&rules->domains, NAME_BELOW, name)))
            return true;
    return false;
}

/* The patterns for hosts below a local domain. A host that no row names stands for those that a pattern covers. */
static void find_below(struct search *search)
{
    static const struct str marks[] = { STR(""), STR("?."), STR("?") };
    size_t at = 0;
    char kind;
    struct str name;
    void *chain;
    while (search->result == 0 && key_map_next(&search->rules->kill.map, &at, &kind, &name, &chain)) {
        if (kind != NAME_DOMAIN && kind != NAME_BELOW && kind != NAME_SUFFIX)
            continue;
        search->mark = marks[kind == NAME_DOMAIN ? 0 : kind == NAME_BELOW ? 1 : 2];
        search->domain = name;
        if (is_below_local(search->rules, name))
            (void)note(chain, search);
    }
}

int rules_find_bare_kills(struct rules *rules)
{
    struct search search = { .rules = rules };
    rules_free_bare_kills(rules);
    if (find_covering(&search))
        find_below(&search);
    return search.result;
}
