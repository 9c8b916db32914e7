/*
 * rules_index: how the rule set is kept. For rules*.c alone.
 *
 * Each table has a trie, relay_grant two. A block that is no prefix is filed under each prefix that it is made of.
 *
 * Two things answer what is asked about an address without a domain, which stands for that name at every local domain:
 * rows whose address may be at a local domain are filed under their local part, too; and the killed patterns that cover
 * a local domain are listed. Both follow changes of local_domain, and leave it to the look-up what has expired.
 */
#ifndef GATEPOST_CORE_RULES_INDEX_H
#define GATEPOST_CORE_RULES_INDEX_H

#include "core/name_key.h"
#include "core/rules.h"

/* Those of tables that have addresses; the last is relay_grant's names. */
enum { TRIE_RELAY_NAMES = RULE_TABLE_COUNT, TRIE_COUNT };

/* Versions share these; `users` counts them. Looked after by the thread that changes rules. */
struct shared_settings {
    unsigned users;
    struct settings settings;
};

/* A killed pattern that covers a local domain, and so every bare sender. */
struct bare_kill {
    struct rule *rule; /* a copy */
    char *domain;      /* one that the pattern covers; local unless its row has expired */
};

struct bare_kills {
    unsigned users;
    size_t n, room;
    struct bare_kill *kills;
};

struct rules {
    uint64_t generation;
    const struct rules *base; /* that this is a fork of, until it is settled */
    struct trie_edit edit;
    struct trie trie[TRIE_COUNT];
    struct trie locals[RULE_TABLE_COUNT]; /* by local part: of kill_entry, local_user and local_list */
    struct shared_settings *settings;
    struct bare_kills *bare_kills;
    bool bare_kills_stale;
    size_t count[RULE_TABLE_COUNT], n_refusing[RULE_TABLE_COUNT];
};

/* Of hosts: the row for the name as a whole, or for the nearest domain that it is below. */
const struct rule *rules_match_host(const struct trie *trie, struct str name, enum rule_value preferred, int64_t now);

/* Visits the rows of addresses with this local part at domains that may be local; whether that of one is so now. */
bool rules_each_local(const struct rules *rules, enum rule_table table, struct str local, trie_visit *visit,
                      void *context);
bool rules_is_at_local_domain(const struct rules *rules, const struct rule *rule, int64_t now);

/* The list of struct bare_kill, made anew. NULL where memory is short. */
struct bare_kills *rules_find_bare_kills(const struct rules *rules);
void rules_release_bare_kills(struct bare_kills *kills);

#endif
