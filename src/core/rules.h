/*
 * rules: the rule set, as the decision asks it.
 *
 * Filled row by row from the database, in any spelling and any order; rows whose keys mean the same stand side by side,
 * and all of them count. A look-up costs the same however many rules there are, and honours expiry at the time that it
 * is given, so that nothing has to be done when a row expires.
 *
 * A rule set is changed by one thread, then sealed, then only read. Every `struct rule` that a look-up returns belongs
 * to the set, and is valid until the set is changed or freed.
 */
#ifndef GATEPOST_CORE_RULES_H
#define GATEPOST_CORE_RULES_H

#include "core/mail.h"
#include "core/rule_key.h"
#include "core/settings.h"

enum { RULE_NEVER_EXPIRES = 0 };

/* A row as it is stored. */
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
    RULE_USER_ALIAS,   /* local_user: of the account in `value_text` */
    RULE_LIST_OPEN,    /* local_list: remote_mail yes, no, or as the setting */
    RULE_LIST_CLOSED,
    RULE_LIST_AS_SET,
    RULE_PLAIN /* kill_entry, accept_entry */
};

struct rule {
    struct rule *next; /* a row whose key means the same */
    enum rule_table table;
    enum rule_value value;
    int64_t expires_at;
    size_t key_n, client_n, value_n;
    char text[]; /* key, client and value as stored, each followed by NUL */
};

static inline const char *rule_key(const struct rule *rule)
{
    return rule->text;
}

static inline const char *rule_client(const struct rule *rule)
{
    return rule->text + rule->key_n + 1;
}

static inline const char *rule_value_text(const struct rule *rule)
{
    return rule->text + rule->key_n + 1 + rule->client_n + 1;
}

struct rules;

/* NULL where memory is short. */
struct rules *rules_new(void);
void rules_free(struct rules *rules);

/* Adds a row, or replaces the one with the same key, letter by letter. Returns 0; -EINVAL where the row cannot be
 * understood, with the reason in *error and the set unchanged; or -ENOMEM, after which the set is of no further use. */
int rules_put(struct rules *rules, const struct rule_row *row, struct error *error);

/* Removes the row with this key, letter by letter (table, key and client of *row count). Returns 0, also where there is
 * none; or -ENOMEM, after which the set is of no further use. */
int rules_remove(struct rules *rules, const struct rule_row *row);

/* To be called after changes and before look-ups. Returns 0, or -ENOMEM. */
int rules_seal(struct rules *rules);

/* Rows in force or expired, as far as they were understood. */
size_t rules_count(const struct rules *rules, enum rule_table table);

const struct settings *rules_settings(const struct rules *rules);

/* Below, `now` is Unix seconds; where nothing matches NULL is returned. */

/* The row of access_block that decides about the client; addr is NULL for a client without an address. */
const struct rule *rules_access(const struct rules *rules, const struct ip_addr *addr, int64_t now);

/* The row of relay_grant that decides about the client; name is its verified host name, or `unknown`. An exact name
 * counts as longer than any prefix, a domain as shorter. Returns 0 with the row or NULL in *rule, or -ENOMEM. */
int rules_relay(const struct rules *rules, const struct ip_addr *addr, struct str name, int64_t now,
                const struct rule **rule);

/* A row of kill_entry that matches the sender. A bare one matches as if at any local domain. */
const struct rule *rules_kill(const struct rules *rules, const struct mail_addr *sender, int64_t now);

/* A row of accept_entry that matches sender and client; addr may be NULL. */
const struct rule *rules_accept(const struct rules *rules, const struct mail_addr *sender, const struct ip_addr *addr,
                                int64_t now);

/* The row of local_domain that covers the domain. */
const struct rule *rules_domain(const struct rules *rules, struct str domain, int64_t now);

/* That row's kind is local. */
bool rules_domain_is_local(const struct rules *rules, struct str domain, int64_t now);

/* local_domain has a row. */
bool rules_has_domain(const struct rules *rules, int64_t now);

/* The row that makes this very address, with its domain, an account of its own. */
const struct rule *rules_account(const struct rules *rules, const struct mail_addr *sender, int64_t now);

/* The row of local_list that the address reaches in one spelling or another; of several that count alike, one that
 * keeps remote mail out. Returns 0 with the row or NULL in *rule, or -ENOMEM. */
int rules_list(const struct rules *rules, const struct mail_addr *addr, int64_t now, const struct rule **rule);

/* Whether a row of local_list keeps remote mail out. */
bool rules_list_is_closed(const struct rules *rules, const struct rule *list);

/* Whether login is the sender's account, as itself or through an alias. Returns 1, 0, or -ENOMEM. */
int rules_login_is_sender(const struct rules *rules, struct str login, const struct mail_addr *sender, int64_t now);

#endif
