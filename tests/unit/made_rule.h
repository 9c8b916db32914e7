/*
 * made_rule: a rule by itself, as the rule set would keep it.
 */
#ifndef GATEPOST_TESTS_MADE_RULE_H
#define GATEPOST_TESTS_MADE_RULE_H

#include "core/rule.h"

#include <check.h>

/* The row under its first prefix, or, `which` above 0, a further one. */
static inline const struct rule *made_rule(union rule_space *space, const struct rule_row *row, int which)
{
    struct rule_reading reading;
    struct prefix prefix;
    struct error error;
    bool has_client = row->client.n > 0;
    int r = rule_read(&reading, row, &error);
    ck_assert_msg(r == 0, "%s", error.text);
    bool is_block = reading.key.is_block;
    if (is_block || has_client) {
        struct block_rest rest = block_prefixes(has_client ? &reading.client : &reading.key.block);
        for (int i = 0; i <= which; i++)
            ck_assert(block_next_prefix(&rest, &prefix));
    }
    rule_make(space, &reading, is_block ? &prefix : NULL, has_client ? &prefix : NULL);
    rule_reading_fini(&reading);
    return rule_of(&space->row);
}

static inline struct rule_row made_row(enum rule_table table, const char *key, const char *client, const char *value)
{
    return (struct rule_row){ table, str_of(key), str_of(client), str_of(value), RULE_NEVER_EXPIRES };
}

#endif
