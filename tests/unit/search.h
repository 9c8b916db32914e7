/*
 * search: what the rule set says of a client and a sender, each by itself.
 */
#ifndef GATEPOST_TESTS_SEARCH_H
#define GATEPOST_TESTS_SEARCH_H

#include "core/rules_search.h"

#include <check.h>

/* Either may be NULL. */
static inline struct rules_found search(const struct rules *rules, const struct ip_addr *addr,
                                        const struct mail_addr *sender, int64_t now)
{
    static struct rules_search search;
    static struct mail_addr nobody;
    struct rules_found found;
    ck_assert_int_eq(mail_parse(&nobody, str_of(""), MAIL_AS_SENT), 0);
    ck_assert_int_eq(rules_search_begin(&search, rules, addr, str_of("unknown"), sender ? sender : &nobody, now), 0);
    while (rules_search_step(&search))
        ;
    rules_search_end(&search, &found);
    if (sender && sender->domain.n == 0)
        found.kill = rules_kill_bare(rules, sender->local, now);
    return found;
}

#endif
