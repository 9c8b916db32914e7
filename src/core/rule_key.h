/*
 * rule_key: the tables of rules, and what an administrator writes as a key in them, understood.
 *
 * Two keys that are spelled differently but mean the same have the same canonical text. The command line writes that
 * text; the rule set accepts any spelling.
 */
#ifndef GATEPOST_CORE_RULE_KEY_H
#define GATEPOST_CORE_RULE_KEY_H

#include "core/block.h"
#include "core/error.h"
#include "core/str.h"

enum rule_table {
    RULE_SETTING,
    RULE_ACCESS_BLOCK,
    RULE_RELAY_GRANT,
    RULE_KILL_ENTRY,
    RULE_ACCEPT_ENTRY,
    RULE_LOCAL_DOMAIN,
    RULE_LOCAL_USER,
    RULE_LOCAL_LIST,
    RULE_TABLE_COUNT
};

/* The columns of a table, beside note, created and expires; a setting has none of these. */
struct rule_table_info {
    const char *name;
    const char *key;    /* column */
    const char *client; /* second column of the key, or NULL */
    const char *value;  /* column, or NULL */
};

extern const struct rule_table_info rule_tables[RULE_TABLE_COUNT];

/* What a key that is no block is. */
enum name_kind {
    NAME_ADDRESS = 'a', /* local@domain */
    NAME_LOCAL = 'l',   /* a local part without domain */
    NAME_DOMAIN = 'd',  /* one host or domain */
    NAME_BELOW = 'b',   /* every host below one */
    NAME_SUFFIX = 's'   /* every domain that ends so */
};

enum { RULE_KEY_SMALL_BYTES = 128 }; /* a key that is longer costs an allocation */

/* It points into itself or into heap: it must not be copied. */
struct rule_key {
    bool is_block;
    struct block block;  /* where is_block */
    enum name_kind kind; /* where not, and */
    struct str name;     /* its address, domain or suffix, without what marks the kind; points into text */
    size_t local_n;      /* with NAME_ADDRESS: bytes of the local part */
    char *text;          /* canonical text */
    char *heap;
    char small[RULE_KEY_SMALL_BYTES];
};

/* Understands a key of any table but RULE_SETTING. Returns 0; -EINVAL with what is wrong and what would be right in
 * *error; or -ENOMEM. The caller calls rule_key_fini, after a failure too. */
int rule_key_parse(struct rule_key *key, enum rule_table table, struct str text, struct error *error);

void rule_key_fini(struct rule_key *key);

#endif
