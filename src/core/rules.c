#include "core/rules.h"

#include "core/rules_index.h"

#include <errno.h>
#include <stdlib.h>

static void free_chain(void *chain)
{
    struct rule *rule = chain;
    while (rule) {
        struct rule *next = rule->next;
        free(rule);
        rule = next;
    }
}

static void free_accept_clients(void *filed)
{
    struct accept_clients *clients = filed;
    prefix_map_fini(&clients->blocks, free_chain);
    free_chain(clients->any);
    free(clients);
}

struct rules *rules_new(void)
{
    struct rules *rules = calloc(1, sizeof *rules);
    if (rules) {
        settings_init(&rules->settings);
        rules->sealed = true;
    }
    return rules;
}

void rules_free(struct rules *rules)
{
    if (!rules)
        return;
    rules_free_bare_kills(rules);
    settings_fini(&rules->settings);
    prefix_map_fini(&rules->access, free_chain);
    prefix_map_fini(&rules->relay, free_chain);
    key_map_fini(&rules->relay_names, free_chain);
    key_map_fini(&rules->kill.map, free_chain);
    key_map_fini(&rules->accept.map, free_accept_clients);
    key_map_fini(&rules->domains, free_chain);
    key_map_fini(&rules->users, free_chain);
    key_map_fini(&rules->lists, free_chain);
    free(rules);
}

/* An alias names another account than itself. */
static int read_account(const struct rule_row *row, enum rule_value *value, struct error *error)
{
    if (row->value.n == 0) {
        *value = RULE_USER_ACCOUNT;
        return 0;
    }
    struct mail_addr address, account;
    int r = mail_parse(&address, row->key, MAIL_AS_SENT), r2 = mail_parse(&account, row->value, MAIL_AS_SENT);
    if (r == 0 && r2 == 0)
        *value = str_equal(address.whole, account.whole) ? RULE_USER_ACCOUNT : RULE_USER_ALIAS;
    else
        r = error_set(error, -ENOMEM, "out of memory");
    mail_fini(&address);
    mail_fini(&account);
    return r;
}

static int read_value(const struct rule_row *row, enum rule_value *value, struct error *error)
{
    static const struct {
        enum rule_table table;
        const char *text;
        enum rule_value value;
    } values[] = {
        { RULE_ACCESS_BLOCK, "deny", RULE_REFUSE },
        { RULE_ACCESS_BLOCK, "grant", RULE_GRANT },
        { RULE_RELAY_GRANT, "grant", RULE_GRANT },
        { RULE_RELAY_GRANT, "refuse", RULE_REFUSE },
        { RULE_LOCAL_DOMAIN, "local", RULE_DOMAIN_LOCAL },
        { RULE_LOCAL_DOMAIN, "relay", RULE_DOMAIN_RELAY },
        { RULE_LOCAL_LIST, "yes", RULE_LIST_OPEN },
        { RULE_LOCAL_LIST, "no", RULE_LIST_CLOSED },
        { RULE_LOCAL_LIST, "", RULE_LIST_AS_SET },
        { RULE_KILL_ENTRY, "", RULE_PLAIN },
        { RULE_ACCEPT_ENTRY, "", RULE_PLAIN },
    };
    if (row->table == RULE_LOCAL_USER)
        return read_account(row, value, error);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        if (values[i].table == row->table && str_is(row->value, values[i].text)) {
            *value = values[i].value;
            return 0;
        }
    }
    const char *column = rule_tables[row->table].value;
    return error_set(error, -EINVAL, "%s \"%.*s\" is not known", column ? column : "value", STR_ARGS(row->value));
}

static struct rule *new_rule(const struct rule_row *row, enum rule_value value)
{
    size_t n = row->key.n + row->client.n + row->value.n + 3;
    struct rule *rule = calloc(1, sizeof *rule + n);
    if (!rule)
        return NULL;
    rule->table = row->table;
    rule->value = value;
    rule->expires_at = row->expires_at;
    rule->key_n = row->key.n;
    rule->client_n = row->client.n;
    rule->value_n = row->value.n;
    char *at = rule->text;
    const struct str *parts[] = { &row->key, &row->client, &row->value };
    for (size_t i = 0; i < 3; i++) {
        if (parts[i]->n)
            memcpy(at, parts[i]->p, parts[i]->n);
        at += parts[i]->n + 1;
    }
    return rule;
}

/* Where a row is filed: a place that holds a chain. With `make`, a place that does not exist is made. */
struct filing {
    struct rules *rules;
    const struct rule_row *row;
    enum rule_value value;
    bool make;
    bool found; /* the row was there before */
};

static void drop_from(struct filing *filing, struct rule **chain)
{
    const struct rule_row *row = filing->row;
    for (struct rule **link = chain; *link; link = &(*link)->next) {
        if (str_equal(str_make(rule_key(*link), (*link)->key_n), row->key) &&
            str_equal(str_make(rule_client(*link), (*link)->client_n), row->client)) {
            struct rule *gone = *link;
            *link = gone->next;
            free(gone);
            filing->found = true;
            return;
        }
    }
}

/* Puts the row into the chain in place of an older one with the same key, or takes it out. */
static int file_in_chain(struct filing *filing, void **place)
{
    struct rule *chain = *place;
    if (filing->make) {
        struct rule *rule = new_rule(filing->row, filing->value);
        if (!rule)
            return -ENOMEM;
        drop_from(filing, &chain);
        rule->next = chain;
        chain = rule;
    } else {
        drop_from(filing, &chain);
    }
    *place = chain;
    return 0;
}

static int file_in_prefix(struct filing *filing, struct prefix_map *map, const struct prefix *prefix)
{
    void **place = filing->make ? prefix_map_put(map, prefix) : prefix_map_get(map, prefix);
    if (!place)
        return filing->make ? -ENOMEM : 0;
    int r = file_in_chain(filing, place);
    if (!*place)
        prefix_map_remove(map, prefix);
    return r;
}

static int file_in_prefixes(struct filing *filing, struct prefix_map *map, const struct block *block)
{
    struct block_rest rest = block_prefixes(block);
    struct prefix prefix;
    int r = 0;
    while (r == 0 && block_next_prefix(&rest, &prefix))
        r = file_in_prefix(filing, map, &prefix);
    return r;
}

static int file_in_keys(struct filing *filing, struct key_map *map, char kind, struct str name)
{
    void *chain = key_map_get(map, kind, name);
    if (!chain && !filing->make)
        return 0;
    void **place = key_map_put(map, kind, name);
    if (!place)
        return -ENOMEM;
    int r = file_in_chain(filing, place);
    if (!*place)
        key_map_remove(map, kind, name);
    return r;
}

static int file_address(struct filing *filing, struct key_map *map, const struct rule_key *key)
{
    int r = file_in_keys(filing, map, (char)key->kind, key->name);
    if (r == 0 && key->kind == NAME_ADDRESS)
        r = file_in_keys(filing, map, KEY_LOCAL_OF, str_first(key->name, key->local_n));
    return r;
}

static size_t *suffix_count(struct pattern_index *index, struct str suffix)
{
    return &index->suffixes[suffix.n < SUFFIX_LENGTHS ? suffix.n : SUFFIX_LENGTHS - 1];
}

/* Keeps the count of suffixes in step while a key comes or goes. */
static void count_suffix(struct pattern_index *index, const struct rule_key *key, bool before)
{
    bool after = key_map_get(&index->map, (char)key->kind, key->name) != NULL;
    if (key->kind != NAME_SUFFIX || before == after)
        return;
    if (after)
        ++*suffix_count(index, key->name);
    else
        --*suffix_count(index, key->name);
}

static int file_accept_client(struct filing *filing, struct accept_clients *clients, const struct block *block)
{
    if (block)
        return file_in_prefixes(filing, &clients->blocks, block);
    void *chain = clients->any;
    int r = file_in_chain(filing, &chain);
    clients->any = chain;
    return r;
}

static int file_accept(struct filing *filing, struct rules *rules, const struct rule_key *key)
{
    struct key_map *map = &rules->accept.map;
    struct accept_clients *clients = key_map_get(map, (char)key->kind, key->name);
    struct block block;
    if (filing->row->client.n && block_parse(filing->row->client, &block, NULL) < 0)
        return 0; /* refused before it was put in, so there is nothing to remove */
    if (!clients) {
        if (!filing->make)
            return 0;
        void **place = key_map_put(map, (char)key->kind, key->name);
        if (!place)
            return -ENOMEM;
        *place = clients = calloc(1, sizeof *clients);
    }
    int r = clients ? file_accept_client(filing, clients, filing->row->client.n ? &block : NULL) : -ENOMEM;
    if (!clients || (!clients->any && !clients->blocks.v4 && !clients->blocks.v6)) {
        free(clients);
        key_map_remove(map, (char)key->kind, key->name);
    }
    return r;
}

static int file_pattern(struct filing *filing, struct pattern_index *index, const struct rule_key *key)
{
    bool before = key_map_get(&index->map, (char)key->kind, key->name) != NULL;
    int r = filing->row->table == RULE_ACCEPT_ENTRY ? file_accept(filing, filing->rules, key)
                                                    : file_address(filing, &index->map, key);
    count_suffix(index, key, before);
    return r;
}

static int file_row(struct filing *filing, const struct rule_key *key)
{
    struct rules *rules = filing->rules;
    switch (filing->row->table) {
    case RULE_ACCESS_BLOCK:
        return file_in_prefixes(filing, &rules->access, &key->block);
    case RULE_RELAY_GRANT:
        return key->is_block ? file_in_prefixes(filing, &rules->relay, &key->block)
                             : file_in_keys(filing, &rules->relay_names, (char)key->kind, key->name);
    case RULE_KILL_ENTRY:
        return file_pattern(filing, &rules->kill, key);
    case RULE_ACCEPT_ENTRY:
        return file_pattern(filing, &rules->accept, key);
    case RULE_LOCAL_DOMAIN:
        return file_in_keys(filing, &rules->domains, (char)key->kind, key->name);
    case RULE_LOCAL_USER:
        return file_address(filing, &rules->users, key);
    case RULE_LOCAL_LIST:
        return file_address(filing, &rules->lists, key);
    case RULE_SETTING:
    case RULE_TABLE_COUNT:
        break;
    }
    return -EINVAL;
}

/* Files the row or takes it out, and keeps the count in step. */
static int file(struct filing *filing, const struct rule_key *key)
{
    struct rules *rules = filing->rules;
    enum rule_table table = filing->row->table;
    int r = file_row(filing, key);
    if (table == RULE_KILL_ENTRY || table == RULE_LOCAL_DOMAIN)
        rules->sealed = false;
    if (r == 0 && filing->make && !filing->found)
        rules->count[table]++;
    else if (r == 0 && !filing->make && filing->found)
        rules->count[table]--;
    return r;
}

static int put_setting(struct rules *rules, const struct rule_row *row, struct error *error)
{
    enum setting setting = setting_by_name(row->key);
    if (setting == SETTING_NONE)
        return error_set(error, -EINVAL, "there is no setting of that name");
    bool found = rules->settings.text[setting] != NULL;
    int r = settings_set(&rules->settings, setting, row->value, error);
    if (r == 0 && !found)
        rules->count[RULE_SETTING]++;
    return r;
}

int rules_put(struct rules *rules, const struct rule_row *row, struct error *error)
{
    if (row->table == RULE_SETTING)
        return put_setting(rules, row, error);

    struct rule_key key;
    struct block client;
    struct filing filing = { .rules = rules, .row = row, .make = true };
    int r = rule_key_parse(&key, row->table, row->key, error);
    if (r == 0 && row->client.n)
        r = block_parse(row->client, &client, error);
    if (r == 0)
        r = read_value(row, &filing.value, error);
    if (r == 0 && row->table == RULE_RELAY_GRANT && !key.is_block && filing.value == RULE_REFUSE)
        r = error_set(error, -EINVAL, "a host name cannot be refused: a client without a name would escape");
    if (r == 0) {
        r = file(&filing, &key);
        if (r < 0)
            error_set(error, r, "out of memory");
    }
    rule_key_fini(&key);
    return r;
}

int rules_remove(struct rules *rules, const struct rule_row *row)
{
    if (row->table == RULE_SETTING) {
        enum setting setting = setting_by_name(row->key);
        if (setting != SETTING_NONE && rules->settings.text[setting]) {
            settings_unset(&rules->settings, setting);
            rules->count[RULE_SETTING]--;
        }
        return 0;
    }
    struct rule_key key;
    struct filing filing = { .rules = rules, .row = row };
    int r = rule_key_parse(&key, row->table, row->key, NULL);
    if (r == 0)
        r = file(&filing, &key);
    rule_key_fini(&key);
    return r == -EINVAL ? 0 : r; /* what could not be understood was never put in */
}

int rules_seal(struct rules *rules)
{
    if (rules->sealed)
        return 0;
    int r = rules_find_bare_kills(rules);
    rules->sealed = r == 0;
    return r;
}

size_t rules_count(const struct rules *rules, enum rule_table table)
{
    return rules->count[table];
}

const struct settings *rules_settings(const struct rules *rules)
{
    return &rules->settings;
}
