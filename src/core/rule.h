/*
 * rule: one row of the rules, as the rule set keeps it.
 *
 * Packed: what the key of its trie says is not kept again. A text is kept only where the administrator has spelled it
 * in another way than canonical. A rule belongs to a version of the rule set, and lives as long.
 */
#ifndef GATEPOST_CORE_RULE_H
#define GATEPOST_CORE_RULE_H

#include "core/rule_key.h"
#include "core/trie.h"

enum { RULE_NEVER_EXPIRES = 0 };

/* A row as it is stored in the database. */
struct rule_row {
    enum rule_table table;
    struct str key;
    struct str client;  /* of accept_entry; empty: any */
    struct str value;   /* the verdict, kind, account …; empty where the column is NULL or the table has none */
    int64_t expires_at; /* Unix seconds, or RULE_NEVER_EXPIRES */
};

/* What the value says. */
enum rule_value {
    RULE_GRANT, /* access_block, relay_grant */
    RULE_REFUSE,
    RULE_DOMAIN_LOCAL, /* local_domain */
    RULE_DOMAIN_RELAY,
    RULE_USER_ACCOUNT, /* local_user: an account of its own */
    RULE_USER_ALIAS,   /* local_user: of the account in its value */
    RULE_LIST_OPEN,    /* local_list: remote_mail yes, no, or as the setting */
    RULE_LIST_CLOSED,
    RULE_LIST_AS_SET,
    RULE_PLAIN /* kill_entry, accept_entry */
};

struct rule;

enum rule_table rule_table(const struct rule *rule);
enum rule_value rule_value(const struct rule *rule);
int64_t rule_expires_at(const struct rule *rule); /* Unix seconds, or RULE_NEVER_EXPIRES */

static inline bool rule_is_live(const struct rule *rule, int64_t now)
{
    int64_t expires_at = rule_expires_at(rule);
    return expires_at == RULE_NEVER_EXPIRES || expires_at > now;
}

enum { RULE_TEXT_BYTES = TRIE_KEY_MAX_BYTES + 1 };

/* Columns as they are stored. What has to be made up is written to text, and belongs to the caller; none of it ends in
 * NUL. */
struct str rule_key_text(const struct rule *rule, char text[RULE_TEXT_BYTES]);
struct str rule_client_text(const struct rule *rule, char text[BLOCK_TEXT_SIZE]);
struct str rule_value_text(const struct rule *rule);

/* For rule*.c, rules*.c and lint*.c: how rules are made. */

enum { RULE_MAX_BYTES = 4 * TRIE_KEY_MAX_BYTES };

union rule_space {
    struct trie_row row;
    unsigned char bytes[RULE_MAX_BYTES];
};

static inline const struct rule *rule_of(const struct trie_row *row)
{
    return (const struct rule *)(const void *)row;
}

static inline const struct trie_row *rule_row_of(const struct rule *rule)
{
    return (const struct trie_row *)(const void *)rule;
}

/* A row that has been understood, and must outlive this. */
struct rule_reading {
    const struct rule_row *row;
    struct rule_key key;
    enum rule_value value;
    struct str account;  /* of local_user, as stored; may be empty */
    struct block client; /* where the row has one */
    bool canonical;      /* key and client are spelled so that they can be made up again */
};

/* Understands a row of any table but RULE_SETTING. Returns 0; -EINVAL with the fault in *error; or -ENOMEM. The caller
 * calls rule_reading_fini, after a failure too. */
int rule_read(struct rule_reading *reading, const struct rule_row *row, struct error *error);

/* The same for key and client alone: enough to find the rule. */
int rule_read_key(struct rule_reading *reading, const struct rule_row *row, struct error *error);
void rule_reading_fini(struct rule_reading *reading);

/* Makes the rule for one prefix of its block, of its client, or neither (NULL). */
void rule_make(union rule_space *space, const struct rule_reading *reading, const struct prefix *block,
               const struct prefix *client);

/* Makes the rule again under the key of its local part, where it is an address. */
void rule_make_local(union rule_space *space, const struct rule *rule);

/* Whether both are the same row of the database, given that their keys are the same in a trie. */
bool rule_is_same_row(const struct trie_row *row, const void *rule);

/* How long the pattern is, for ranking: a whole address above a host, that above all below a domain, that above a
 * suffix, and the longer above the shorter. */
unsigned rule_pattern_rank(const struct rule *rule);

#endif
