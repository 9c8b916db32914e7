/*
 * rules_index: how the rule set is kept. For rules*.c alone.
 *
 * A row is filed under one or more places: each prefix of its block, or its name, and local users and lists (and killed
 * addresses) also under their local part, which is how a bare address finds them. Each place has a chain of the rows
 * whose keys mean the same there.
 */
#ifndef GATEPOST_CORE_RULES_INDEX_H
#define GATEPOST_CORE_RULES_INDEX_H

#include "core/key_map.h"
#include "core/prefix_map.h"
#include "core/rules.h"

/* Kinds of key beside enum name_kind: the local part of an address that has a domain. */
enum { KEY_LOCAL_OF = 'o' };

enum { SUFFIX_LENGTHS = 256 };

/* Sender patterns. suffixes counts those of each length (the last entry: of that length and above), so that only
 * suffixes of lengths that occur are looked for. */
struct pattern_index {
    struct key_map map;
    size_t suffixes[SUFFIX_LENGTHS];
};

/* What accept_entry has for one pattern. */
struct accept_clients {
    struct prefix_map blocks; /* to chains */
    struct rule *any;         /* chain */
};

/* A killed pattern that covers a local domain, and so every bare sender. */
struct bare_kill {
    const struct rule *rule;
    char *domain; /* one that the pattern covers; local unless its row has expired */
};

struct rules {
    struct settings settings;
    size_t count[RULE_TABLE_COUNT];
    struct prefix_map access; /* to chains, as all maps below but accept */
    struct prefix_map relay;
    struct key_map relay_names;
    struct pattern_index kill;
    struct pattern_index accept; /* to struct accept_clients */
    struct key_map domains;
    struct key_map users;
    struct key_map lists;
    struct bare_kill *bare_kills;
    size_t n_bare_kills;
    bool sealed;
};

static inline bool rule_is_live(const struct rule *rule, int64_t now)
{
    return rule->expires_at == RULE_NEVER_EXPIRES || rule->expires_at > now;
}

/* Calls visit with what is filed under each pattern that covers the address, the most specific first, until it returns
 * a row; only_domain leaves whole addresses out. */
typedef const struct rule *pattern_visit(void *filed, void *context);
const struct rule *pattern_index_match(const struct pattern_index *index, const struct mail_addr *addr,
                                       pattern_visit *visit, void *context);
const struct rule *pattern_index_match_domain(const struct pattern_index *index, struct str domain,
                                              pattern_visit *visit, void *context);

/* The list of struct bare_kill, made anew. */
int rules_find_bare_kills(struct rules *rules);
void rules_free_bare_kills(struct rules *rules);

#endif
