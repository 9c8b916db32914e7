#include "core/lint.h"

#include "core/lint_danger.h"
#include "core/lint_table.h"
#include "core/name_key.h"
#include "core/rules.h"

#include <errno.h>
#include <stdlib.h>

/* What decides in relay_grant about the address of Docker's bridge: the longest prefix that holds it. */
struct gateway {
    bool known;
    bool stays; /* the row is for other addresses, too */
    unsigned len;
    uint8_t rank;
    size_t row;
};

struct lint {
    int64_t now;
    lint_found *found;
    void *context;
    struct lint_table table; /* the one that is shown */
    struct settings settings;
    int64_t setting_rows[SETTING_COUNT];
    struct ip_addr docker;
    struct gateway gateway;
    bool any_may_connect, any_v4_may_connect; /* by access_block */
    bool any_granted;                         /* by relay_grant */
    struct rules *domains;                    /* local_domain alone */
    size_t n_local_domains;
};

struct lint *lint_new(int64_t now, lint_found *found, void *context)
{
    struct lint *lint = calloc(1, sizeof *lint);
    if (!lint)
        return NULL;
    lint->now = now;
    lint->found = found;
    lint->context = context;
    settings_init(&lint->settings);
    lint_table_init(&lint->table, RULE_SETTING);
    (void)ip_parse(str_of(LINT_DOCKER_GATEWAY), &lint->docker);
    lint->domains = rules_new();
    if (!lint->domains) {
        lint_free(lint);
        return NULL;
    }
    return lint;
}

void lint_free(struct lint *lint)
{
    if (!lint)
        return;
    lint_table_fini(&lint->table);
    settings_fini(&lint->settings);
    rules_free(lint->domains);
    free(lint);
}

/* Of a row of which nothing else has to be known; NULL: about none. */
static int tell(const struct lint *lint, enum lint_code code, enum rule_table table, const int64_t *row)
{
    struct lint_finding finding = { .code = (uint8_t)code, .table = (uint8_t)table };
    finding.has_row = row != NULL;
    finding.row = row ? *row : 0;
    return lint->found(lint->context, &finding);
}

/* Settings. */

static int take_setting(struct lint *lint, const struct rule_row *row, int64_t id)
{
    enum setting setting = setting_by_name(row->key);
    int r = setting == SETTING_NONE ? -EINVAL : settings_set(&lint->settings, setting, row->value, NULL);
    if (r == -EINVAL)
        return tell(lint, LINT_NOT_UNDERSTOOD, RULE_SETTING, &id);
    if (r == 0)
        lint->setting_rows[setting] = id;
    return r;
}

static bool has_host_bits(struct str blocks)
{
    struct str word;
    struct block block;
    while (str_next_word(&blocks, &word))
        if (block_parse(word, &block, NULL) == 0 && block.host_bits)
            return true;
    return false;
}

/* What a setting that is not at its preset brings about. */
static enum lint_code judge_setting(const struct settings *settings, enum setting setting)
{
    const uint32_t *number = settings->number;
    switch (setting) {
    case SETTING_RELAY_FOR:
        return number[setting] == RELAY_FOR_ANYONE        ? LINT_RELAY_ANYONE
               : number[setting] >= RELAY_FOR_LOCAL_USERS ? LINT_FORGED_SENDER
                                                          : LINT_NOTHING;
    case SETTING_POP_BEFORE_SMTP_MAX_ACCOUNTS:
        return number[setting] == 0 && number[SETTING_POP_BEFORE_SMTP] > 0 &&
                       number[SETTING_POP_BEFORE_SMTP_MATCH] == MATCH_ADDRESS
                   ? LINT_LOGINS_UNLIMITED
                   : LINT_NOTHING;
    case SETTING_POP_BEFORE_SMTP_SKIP:
        return has_host_bits(settings_text(settings, setting)) ? LINT_HOST_BITS : LINT_NOTHING;
    case SETTING_OBSERVE:
        return number[setting] != 0 ? LINT_OBSERVE : LINT_NOTHING;
    default:
        return LINT_NOTHING;
    }
}

static int end_settings(struct lint *lint)
{
    int r = 0;
    for (int s = 0; s < SETTING_COUNT && r == 0; s++) {
        enum lint_code code = lint->settings.text[s] ? judge_setting(&lint->settings, (enum setting)s) : LINT_NOTHING;
        if (code != LINT_NOTHING)
            r = tell(lint, code, RULE_SETTING, &lint->setting_rows[s]);
    }
    return r;
}

/* Rows. */

/* The longest prefix of the block that holds the address; false where none does. */
static bool find_prefix(const struct block *block, const struct ip_addr *addr, unsigned *len)
{
    struct block_rest rest = block_prefixes(block);
    struct prefix prefix;
    while (block_holds(block, addr) && block_next_prefix(&rest, &prefix)) {
        struct ip_addr masked = ip_mask(addr, prefix.len);
        *len = prefix.len;
        if (ip_compare(&masked, &prefix.addr) == 0)
            return true;
    }
    return false;
}

static void look_at_gateway(struct lint *lint, const struct rule_reading *reading, const struct lint_row *row)
{
    struct gateway *gateway = &lint->gateway;
    unsigned len;
    if (!reading->key.is_block || !find_prefix(&reading->key.block, &lint->docker, &len))
        return;
    if (gateway->known && (len < gateway->len || (len == gateway->len && row->rank <= gateway->rank)))
        return;
    *gateway = (struct gateway){ .known = true, .len = len, .rank = row->rank, .row = lint->table.n_rows - 1 };
    gateway->stays = len < ip_bits(&lint->docker);
}

/* What a row that lives says about all clients or senders. */
static void look_at(struct lint *lint, const struct rule_reading *reading, struct lint_row *row)
{
    switch (reading->row->table) {
    case RULE_ACCESS_BLOCK:
        if (reading->value == RULE_GRANT) {
            lint->any_may_connect = true;
            lint->any_v4_may_connect = lint->any_v4_may_connect || !reading->key.block.first.v6;
        } else if (!reading->key.block.first.v6 && lint_is_whole_family(&reading->key.block)) {
            row->danger = LINT_NOBODY_MAY_CONNECT;
        }
        break;
    case RULE_RELAY_GRANT:
        if (reading->value == RULE_GRANT) {
            lint->any_granted = true;
            row->danger = (uint8_t)lint_danger_of_grant(reading);
        }
        look_at_gateway(lint, reading, row);
        break;
    case RULE_ACCEPT_ENTRY:
        row->danger = (uint8_t)lint_danger_of_accept(reading);
        break;
    default:
        break;
    }
}

static int take_not_understood(struct lint *lint, const struct rule_row *row, int64_t id, bool expired)
{
    struct rule_reading reading;
    int r = rule_read_key(&reading, row, NULL);
    if (r == 0)
        r = lint_table_add_name(&lint->table, &reading);
    rule_reading_fini(&reading);
    return r == 0 || r == -EINVAL ? tell(lint, expired ? LINT_EXPIRED : LINT_NOT_UNDERSTOOD, row->table, &id) : r;
}

static int take_rule(struct lint *lint, const struct rule_row *row, int64_t id)
{
    struct rule_reading reading;
    struct lint_row *taken;
    bool expired = row->expires_at != RULE_NEVER_EXPIRES && row->expires_at <= lint->now;
    int64_t until = expired ? 0 : row->expires_at == RULE_NEVER_EXPIRES ? INT64_MAX : row->expires_at;
    int r = rule_read(&reading, row, NULL);
    bool understood = r == 0;
    if (understood)
        r = lint_table_add(&lint->table, &reading, id, until, &taken);
    if (r == 0 && !expired)
        look_at(lint, &reading, taken);
    if (r == 0 && !expired && row->table == RULE_LOCAL_DOMAIN)
        r = rules_add(lint->domains, row, NULL);
    rule_reading_fini(&reading);
    return r == -EINVAL && !understood ? take_not_understood(lint, row, id, expired) : r;
}

static void begin_table(struct lint *lint, enum rule_table which)
{
    if (lint->table.which == which)
        return;
    lint_table_fini(&lint->table);
    lint_table_init(&lint->table, which);
}

int lint_row(struct lint *lint, const struct rule_row *row, int64_t id)
{
    begin_table(lint, row->table);
    return row->table == RULE_SETTING ? take_setting(lint, row, id) : take_rule(lint, row, id);
}

/* Judging. */

/* Dangers that hang on more than the row. */
static void settle_dangers(struct lint *lint)
{
    struct lint_table *table = &lint->table;
    if (table->which == RULE_ACCESS_BLOCK && lint->any_v4_may_connect)
        for (size_t i = 0; i < table->n_rows; i++)
            table->rows[i].danger = LINT_NOTHING;
    if (table->which == RULE_RELAY_GRANT && lint->gateway.known && lint->gateway.rank == 0) {
        struct lint_row *row = &table->rows[lint->gateway.row];
        row->danger = row->danger == LINT_NOTHING ? LINT_GRANT_DOCKER : row->danger;
        row->stays = row->danger == LINT_GRANT_DOCKER && lint->gateway.stays;
    }
}

/* A list at a local domain that others would answer for, too, unless it is written without one as well. */
static bool is_at_one_of_several(const struct lint *lint, const struct lint_row *row)
{
    const struct lint_table *table = &lint->table;
    const struct lint_place *place = &table->places[table->of_rows[row->first]], *bare;
    char text[RULE_TEXT_BYTES];
    struct str address =
        str_make(text, name_key_format((const unsigned char *)place->key.p, place->key.n, false, text));
    size_t at = str_find_last(address, '@');
    if (at == address.n || lint->n_local_domains < 2 ||
        !rules_domain_is_local(lint->domains, str_from(address, at + 1), lint->now))
        return false;
    bare = lint_table_find(table, str_from(place->key, str_find(place->key, '@')));
    return !bare || !(bare->is_live[0] || bare->is_live[1] || bare->is_live[2]);
}

static enum lint_code judge(const struct lint *lint, const struct lint_row *row, const struct lint_row **other)
{
    *other = NULL;
    if (row->n == 0)
        return LINT_EXPIRED;
    if (row->danger != LINT_NOTHING)
        return (enum lint_code)row->danger;
    enum lint_code code = lint_table_judge(&lint->table, row, other);
    if (code == LINT_NOTHING && lint->table.which == RULE_LOCAL_LIST && is_at_one_of_several(lint, row))
        return LINT_LIST_WITH_DOMAIN;
    if (code == LINT_NOTHING && row->has_host_bits && lint_table_is_alone(&lint->table, row))
        return LINT_HOST_BITS;
    return code;
}

static int judge_rows(struct lint *lint)
{
    const struct lint_table *table = &lint->table;
    int r = 0;
    for (size_t i = 0; i < table->n_rows && r == 0; i++) {
        const struct lint_row *row = &table->rows[i], *other;
        enum lint_code code = judge(lint, row, &other);
        if (code == LINT_NOTHING)
            continue;
        const struct lint_finding finding = {
            .row = row->id,
            .other = other ? other->id : 0,
            .code = (uint8_t)code,
            .table = (uint8_t)table->which,
            .has_row = true,
            .has_other = other != NULL,
            .alone = lint_table_is_alone(table, row),
        };
        r = lint->found(lint->context, &finding);
    }
    return r;
}

/* What concerns no row, or that of a setting. */
static int judge_table(struct lint *lint)
{
    const struct lint_table *table = &lint->table;
    if (table->which == RULE_ACCESS_BLOCK && !lint->any_may_connect &&
        lint->settings.number[SETTING_UNLISTED_CLIENTS] == UNLISTED_DENY)
        return tell(lint, LINT_NOBODY_MAY_CONNECT, RULE_SETTING, &lint->setting_rows[SETTING_UNLISTED_CLIENTS]);
    if (table->which != RULE_LOCAL_DOMAIN)
        return 0;
    for (size_t i = 0; i < table->n_places; i++)
        lint->n_local_domains += table->places[i].is_live[1] ? 1 : 0;
    if (rules_seal(lint->domains) < 0)
        return -ENOMEM;
    bool missing = lint->any_granted && !rules_has_domain(lint->domains, lint->now);
    return missing ? tell(lint, LINT_NO_LOCAL_DOMAIN, RULE_LOCAL_DOMAIN, NULL) : 0;
}

int lint_end(struct lint *lint, enum rule_table table)
{
    begin_table(lint, table);
    if (table == RULE_SETTING)
        return end_settings(lint);
    settle_dangers(lint);
    int r = lint_table_seal(&lint->table);
    if (r == 0)
        r = judge_rows(lint);
    return r < 0 ? r : judge_table(lint);
}
