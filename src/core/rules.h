/*
 * rules: the rule set, as the decision asks it.
 *
 * Filled row by row from the database, in any spelling and any order; rows whose keys mean the same stand side by side,
 * and all of them count. A look-up costs the same however many rules there are, and honours expiry at the time that it
 * is given, so that nothing has to be done when a row expires.
 *
 * A rule set is changed by one thread, then sealed, then only read. The next version is forked from it, shares all that
 * stays the same, and is changed while the one before is read. Every rule that a look-up returns belongs to the set,
 * and is valid until the set is changed or freed.
 */
#ifndef GATEPOST_CORE_RULES_H
#define GATEPOST_CORE_RULES_H

#include "core/mail.h"
#include "core/rule.h"
#include "core/settings.h"

struct rules;

/* An empty set. NULL where memory is short. */
struct rules *rules_new(void);

/* The next version of a sealed set, which must not be changed or forked any more, and stays until rules_settle or
 * rules_free of the fork. NULL where memory is short. */
struct rules *rules_fork(const struct rules *base);

bool rules_is_fork(const struct rules *rules, const struct rules *base);

/* Nobody reads the set `before` any more, in whose place this one has come: frees it, but for what they share. */
void rules_settle(struct rules *rules, struct rules *before);

/* Frees the set; of a fork that is not settled only what it has for itself, and the set that it was forked from is as
 * before. NULL is fine. */
void rules_free(struct rules *rules);

/* Adds a row, or replaces the one with the same key, letter by letter. Returns 0; -EINVAL where the row cannot be
 * understood, with the reason in *error and the set unchanged; or -ENOMEM, after which the set is of no further use. */
int rules_put(struct rules *rules, const struct rule_row *row, struct error *error);

/* The same for a row with whose key, letter by letter, none is there: for reading whole tables. Each is to be sealed,
 * and local_domain to be read before those that have addresses. */
int rules_add(struct rules *rules, const struct rule_row *row, struct error *error);

/* Removes the row with this key, letter by letter (table, key and client of *row count). Returns 0, also where there is
 * none; or -ENOMEM, after which the set is of no further use. */
int rules_remove(struct rules *rules, const struct rule_row *row);

/* To be called after changes and before look-ups. Returns 0, or -ENOMEM. */
int rules_seal(struct rules *rules);

/* Rows in force or expired, as far as they were understood. */
size_t rules_count(const struct rules *rules, enum rule_table table);

/* Those among them whose verdict is deny or refuse. */
size_t rules_count_refusing(const struct rules *rules, enum rule_table table);

const struct settings *rules_settings(const struct rules *rules);

/* Below, `now` is Unix seconds; where nothing matches NULL is returned. */

/* The row of relay_grant that decides about the client; name is its verified host name, or `unknown`. An exact name
 * counts as longer than any prefix, a domain as shorter. Returns 0 with the row or NULL in *rule, or -ENOMEM. */
int rules_relay(const struct rules *rules, const struct ip_addr *addr, struct str name, int64_t now,
                const struct rule **rule);

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
