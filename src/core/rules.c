#include "core/rules.h"

#include "core/name_key.h"
#include "core/rules_index.h"

#include <errno.h>
#include <stdlib.h>

/* Settings. */

static struct shared_settings *new_settings(void)
{
    struct shared_settings *settings = malloc(sizeof *settings);
    if (!settings)
        return NULL;
    settings->users = 1;
    settings_init(&settings->settings);
    return settings;
}

static void release_settings(struct shared_settings *settings)
{
    if (!settings || --settings->users > 0)
        return;
    settings_fini(&settings->settings);
    free(settings);
}

/* A version has its own settings from its first change of them on. */
static int own_settings(struct rules *rules)
{
    if (rules->settings->users == 1)
        return 0;
    struct shared_settings *mine = new_settings();
    if (!mine)
        return -ENOMEM;
    if (settings_copy(&mine->settings, &rules->settings->settings) < 0) {
        release_settings(mine);
        return -ENOMEM;
    }
    release_settings(rules->settings);
    rules->settings = mine;
    return 0;
}

/* Versions. */

struct rules *rules_new(void)
{
    struct rules *rules = calloc(1, sizeof *rules);
    if (!rules)
        return NULL;
    rules->generation = rules->edit.generation = 1;
    rules->settings = new_settings();
    rules->bare_kills = rules_find_bare_kills(rules);
    if (!rules->settings || !rules->bare_kills) {
        rules_free(rules);
        return NULL;
    }
    return rules;
}

struct rules *rules_fork(const struct rules *base)
{
    struct rules *rules = malloc(sizeof *rules);
    if (!rules)
        return NULL;
    *rules = *base;
    rules->base = base;
    rules->generation++;
    rules->edit = (struct trie_edit){ .generation = rules->generation };
    rules->settings->users++;
    rules->bare_kills->users++;
    return rules;
}

static void release_shared(struct rules *rules)
{
    release_settings(rules->settings);
    rules_release_bare_kills(rules->bare_kills);
}

bool rules_is_fork(const struct rules *rules, const struct rules *base)
{
    return rules->base == base;
}

void rules_settle(struct rules *rules, struct rules *before)
{
    if (rules->base != before) {
        rules_free(before);
        return;
    }
    trie_edit_keep(&rules->edit);
    rules->base = NULL;
    trie_edit_drop(&before->edit);
    release_shared(before);
    free(before);
}

static void free_trie(const struct rules *rules, struct trie *trie)
{
    if (rules->base)
        trie_free_generation(trie, rules->generation);
    else
        trie_free(trie);
}

void rules_free(struct rules *rules)
{
    if (!rules)
        return;
    for (int t = 0; t < TRIE_COUNT; t++)
        free_trie(rules, &rules->trie[t]);
    for (int t = 0; t < RULE_TABLE_COUNT; t++)
        free_trie(rules, &rules->locals[t]);
    trie_edit_drop(&rules->edit);
    release_shared(rules);
    free(rules);
}

/* Filing. */

static bool is_local(const struct trie_row *row, void *context)
{
    (void)context;
    return rule_value(rule_of(row)) == RULE_DOMAIN_LOCAL;
}

/* The domain, written backwards, may be local at one time or another. */
static bool may_be_local(const struct rules *rules, const struct name_query *domain)
{
    return trie_match(&rules->trie[RULE_LOCAL_DOMAIN], &domain->query, is_local, NULL);
}

/* What was there before. */
struct former {
    bool found, refused;
};

struct meant {
    const struct trie_row *row;
    struct former *former;
};

static bool is_meant(const struct trie_row *row, const void *context)
{
    const struct meant *meant = context;
    if (!rule_is_same_row(row, meant->row))
        return false;
    *meant->former = (struct former){ true, rule_value(rule_of(row)) == RULE_REFUSE };
    return true;
}

static int take_from(struct rules *rules, struct trie *trie, const struct trie_row *row, struct former *former)
{
    struct meant meant = { row, former };
    int r = trie_remove(trie, &rules->edit, row, is_meant, &meant);
    return r < 0 ? r : 0;
}

static int put_in(struct rules *rules, struct trie *trie, const struct trie_row *row, struct former *former)
{
    int r = take_from(rules, trie, row, former);
    return r < 0 ? r : trie_add(trie, &rules->edit, row);
}

static bool has_locals(enum rule_table table)
{
    return table == RULE_KILL_ENTRY || table == RULE_LOCAL_USER || table == RULE_LOCAL_LIST;
}

/* Files an address that may be at a local domain under its local part, or takes it from there. */
static int refile_local(struct rules *rules, const struct rule *rule, bool wanted)
{
    union rule_space local;
    struct trie *trie = &rules->locals[rule_table(rule)];
    struct former former = { false, false };
    rule_make_local(&local, rule);
    return wanted ? put_in(rules, trie, &local.row, &former) : take_from(rules, trie, &local.row, &former);
}

/* Of an address: its domain. False for what is none. */
static bool domain_of(const struct trie_row *row, struct name_query *domain)
{
    struct str key = str_make((const char *)row->key, row->key_n);
    size_t at = str_find(key, '@');
    if (at == 0 || at + 2 >= key.n)
        return false;
    name_query_init_backwards(domain, str_first(key, at));
    return true;
}

static int file_local(struct rules *rules, const struct trie_row *row, bool wanted)
{
    struct name_query domain;
    if (!has_locals(rule_table(rule_of(row))) || !domain_of(row, &domain) || !may_be_local(rules, &domain))
        return 0;
    return refile_local(rules, rule_of(row), wanted);
}

/* What hangs on local_domain, where a row of that has come or gone. */
struct refiling {
    struct rules *rules;
    int result;
};

static bool refile(const struct trie_row *row, void *context)
{
    struct refiling *refiling = context;
    struct name_query domain;
    if (domain_of(row, &domain))
        refiling->result = refile_local(refiling->rules, rule_of(row), may_be_local(refiling->rules, &domain));
    return refiling->result < 0;
}

/* The addresses at that domain, or at all those below it, begin with its key but for the mark. */
static int refile_below(struct rules *rules, const struct trie_row *domain)
{
    struct refiling refiling = { rules, 0 };
    for (int t = 0; t < RULE_TABLE_COUNT && refiling.result == 0; t++)
        if (has_locals((enum rule_table)t))
            (void)trie_each(&rules->trie[t], domain->key, domain->key_n - 1U, refile, &refiling);
    return refiling.result;
}

/* A row comes or goes. */
struct filing {
    struct rules *rules;
    const struct rule_reading *reading;
    bool make;
    bool fresh; /* it cannot have been there before */
    struct former former;
};

static int file_rule(struct filing *filing, const struct prefix *block, const struct prefix *client)
{
    struct rules *rules = filing->rules;
    enum rule_table table = filing->reading->row->table;
    unsigned which = table == RULE_RELAY_GRANT && !block ? TRIE_RELAY_NAMES : (unsigned)table;
    union rule_space space;
    rule_make(&space, filing->reading, block, client);
    int r = filing->fresh  ? trie_load(&rules->trie[which], &rules->edit, &space.row)
            : filing->make ? put_in(rules, &rules->trie[which], &space.row, &filing->former)
                           : take_from(rules, &rules->trie[which], &space.row, &filing->former);
    if (r == 0)
        r = file_local(rules, &space.row, filing->make);
    if (r == 0 && table == RULE_LOCAL_DOMAIN)
        r = refile_below(rules, &space.row);
    return r;
}

static int file(struct filing *filing)
{
    const struct rule_reading *reading = filing->reading;
    bool has_client = reading->row->client.n > 0;
    struct prefix prefix;
    int r = 0;
    if (!reading->key.is_block && !has_client)
        return file_rule(filing, NULL, NULL);
    struct block_rest rest = block_prefixes(has_client ? &reading->client : &reading->key.block);
    while (r == 0 && block_next_prefix(&rest, &prefix))
        r = file_rule(filing, has_client ? NULL : &prefix, has_client ? &prefix : NULL);
    return r;
}

static bool is_pattern(const struct rule_reading *reading)
{
    return reading->row->table == RULE_KILL_ENTRY && reading->key.kind != NAME_ADDRESS;
}

static void count_change(const struct filing *filing)
{
    struct rules *rules = filing->rules;
    enum rule_table table = filing->reading->row->table;
    rules->count[table] += filing->make;
    rules->count[table] -= filing->former.found;
    rules->n_refusing[table] += filing->make && filing->reading->value == RULE_REFUSE;
    rules->n_refusing[table] -= filing->former.found && filing->former.refused;
}

static int change(struct filing *filing)
{
    struct rules *rules = filing->rules;
    enum rule_table table = filing->reading->row->table;
    int r = file(filing);
    if (table == RULE_LOCAL_DOMAIN || is_pattern(filing->reading))
        rules->bare_kills_stale = true;
    if (r == 0)
        count_change(filing);
    return r;
}

static int put_setting(struct rules *rules, const struct rule_row *row, struct error *error)
{
    enum setting setting = setting_by_name(row->key);
    if (setting == SETTING_NONE)
        return error_set(error, -EINVAL, "there is no setting of that name");
    if (own_settings(rules) < 0)
        return error_set(error, -ENOMEM, "out of memory");
    struct settings *settings = &rules->settings->settings;
    bool found = settings->text[setting] != NULL;
    int r = settings_set(settings, setting, row->value, error);
    if (r == 0 && !found)
        rules->count[RULE_SETTING]++;
    return r;
}

static int remove_setting(struct rules *rules, const struct rule_row *row)
{
    enum setting setting = setting_by_name(row->key);
    if (setting == SETTING_NONE || !rules->settings->settings.text[setting])
        return 0;
    int r = own_settings(rules);
    if (r == 0) {
        settings_unset(&rules->settings->settings, setting);
        rules->count[RULE_SETTING]--;
    }
    return r;
}

static int put(struct rules *rules, const struct rule_row *row, bool fresh, struct error *error)
{
    if (row->table == RULE_SETTING)
        return put_setting(rules, row, error);
    struct rule_reading reading;
    struct filing filing = { .rules = rules, .reading = &reading, .make = true, .fresh = fresh };
    int r = rule_read(&reading, row, error);
    if (r == 0 && (r = change(&filing)) < 0)
        error_set(error, r, "out of memory");
    rule_reading_fini(&reading);
    return r;
}

int rules_put(struct rules *rules, const struct rule_row *row, struct error *error)
{
    return put(rules, row, false, error);
}

int rules_add(struct rules *rules, const struct rule_row *row, struct error *error)
{
    return put(rules, row, true, error);
}

int rules_remove(struct rules *rules, const struct rule_row *row)
{
    if (row->table == RULE_SETTING)
        return remove_setting(rules, row);
    struct rule_reading reading;
    struct filing filing = { .rules = rules, .reading = &reading };
    int r = rule_read_key(&reading, row, NULL);
    if (r == 0)
        r = change(&filing);
    rule_reading_fini(&reading);
    return r == -EINVAL ? 0 : r; /* what could not be understood was never put in */
}

int rules_seal(struct rules *rules)
{
    for (int t = 0; t < TRIE_COUNT; t++)
        if (trie_load_end(&rules->trie[t], &rules->edit) < 0)
            return -ENOMEM;
    if (!rules->bare_kills_stale)
        return 0;
    struct bare_kills *kills = rules_find_bare_kills(rules);
    if (!kills)
        return -ENOMEM;
    rules_release_bare_kills(rules->bare_kills);
    rules->bare_kills = kills;
    rules->bare_kills_stale = false;
    return 0;
}

size_t rules_count(const struct rules *rules, enum rule_table table)
{
    return rules->count[table];
}

size_t rules_count_refusing(const struct rules *rules, enum rule_table table)
{
    return rules->n_refusing[table];
}

const struct settings *rules_settings(const struct rules *rules)
{
    return &rules->settings->settings;
}
