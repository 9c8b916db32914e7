/*
 * rules_search: what the rule set says of a client and a sender.
 *
 * With very many rules a look-up mostly waits for memory. Those that nearly every decision takes are made side by side
 * therefore, and those of several requests together.
 */
#ifndef GATEPOST_CORE_RULES_SEARCH_H
#define GATEPOST_CORE_RULES_SEARCH_H

#include "core/name_key.h"
#include "core/rules.h"
#include "core/rules_best.h"

/* The rows that decide; NULL where nothing matches. */
struct rules_found {
    const struct rule *access; /* of access_block */
    const struct rule *relay;  /* of relay_grant: as rules_relay */
    const struct rule *kill;   /* of kill_entry; of a bare sender rules_kill_bare tells */
    const struct rule *accept; /* of accept_entry, for sender and client */
};

struct rules_lookup {
    struct trie_walk walk;
    struct rules_best best;
    bool done;
};

enum { RULES_LOOKUPS = 4 };

struct rules_search {
    const struct rules *rules;
    const struct rule *named; /* of relay_grant, by the client's name */
    size_t n_lookups;
    struct rules_lookup lookups[RULES_LOOKUPS];
    struct trie_query client, accepted;
    struct name_query name;
    unsigned char addr[PREFIX_KEY_BYTES];
};

/* The address is NULL for a client without one; its name is verified, or `unknown`. The search must stay where it is,
 * and all that it is given. Returns 0, or -ENOMEM. */
int rules_search_begin(struct rules_search *search, const struct rules *rules, const struct ip_addr *addr,
                       struct str client_name, const struct mail_addr *sender, int64_t now);

/* Goes one step further. Returns whether there is more. */
bool rules_search_step(struct rules_search *search);

void rules_search_end(struct rules_search *search, struct rules_found *found);

/* The row of kill_entry that matches a sender without domain: as if at any local domain. May look at all patterns that
 * cover a local domain. */
const struct rule *rules_kill_bare(const struct rules *rules, struct str local, int64_t now);

#endif
