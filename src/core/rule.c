#include "core/rule.h"

#include "core/mail.h"
#include "core/name_key.h"

#include <errno.h>

/* The tag of a row: the table in the lowest bits, which of its values in the next, then what is kept behind the key. */
enum {
    TAG_TABLE = 7,
    TAG_VALUE_SHIFT = 3,
    TAG_VALUE = 3,
    TAG_EXPIRES = 1 << 5, /* 8 bytes */
    TAG_SPELLED = 1 << 6, /* key and client as stored */
    TAG_ACCOUNT = 1 << 7  /* the value of local_user as stored */
};

/* The first value of each table. */
static const enum rule_value first_values[RULE_TABLE_COUNT] = {
    [RULE_ACCESS_BLOCK] = RULE_GRANT,   [RULE_RELAY_GRANT] = RULE_GRANT,         [RULE_KILL_ENTRY] = RULE_PLAIN,
    [RULE_ACCEPT_ENTRY] = RULE_PLAIN,   [RULE_LOCAL_DOMAIN] = RULE_DOMAIN_LOCAL, [RULE_LOCAL_USER] = RULE_USER_ACCOUNT,
    [RULE_LOCAL_LIST] = RULE_LIST_OPEN,
};

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

enum { N_VALUES = sizeof values / sizeof *values };

/* Parts of a rule. */

enum rule_table rule_table(const struct rule *rule)
{
    return (enum rule_table)(rule_row_of(rule)->tag & TAG_TABLE);
}

enum rule_value rule_value(const struct rule *rule)
{
    unsigned which = rule_row_of(rule)->tag >> TAG_VALUE_SHIFT & TAG_VALUE;
    return (enum rule_value)(first_values[rule_table(rule)] + which);
}

static size_t key_bytes(const struct trie_row *row)
{
    return row->key_n + (row->bits ? 1U : 0U);
}

int64_t rule_expires_at(const struct rule *rule)
{
    const struct trie_row *row = rule_row_of(rule);
    int64_t expires_at = RULE_NEVER_EXPIRES;
    if ((row->tag & TAG_EXPIRES) != 0)
        memcpy(&expires_at, row->key + key_bytes(row), sizeof expires_at);
    return expires_at;
}

/* Texts behind the key: each its length in two bytes, then itself. */
static struct str text_at(const unsigned char *at)
{
    uint16_t n;
    memcpy(&n, at, sizeof n);
    return str_make((const char *)at + sizeof n, n);
}

static const unsigned char *texts_of(const struct trie_row *row)
{
    return row->key + key_bytes(row) + ((row->tag & TAG_EXPIRES) != 0 ? sizeof(int64_t) : 0);
}

static const unsigned char *behind(const unsigned char *at)
{
    return at + sizeof(uint16_t) + text_at(at).n;
}

/* Blocks. */

static bool is_family(unsigned char byte)
{
    return byte == PREFIX_KEY_V4 || byte == PREFIX_KEY_V6;
}

static struct str format_prefix(const unsigned char *key, size_t n, unsigned bits, char text[BLOCK_TEXT_SIZE])
{
    struct prefix prefix;
    prefix_key_read(key, n, bits, &prefix);
    prefix_format(&prefix, text);
    return str_of(text);
}

/* Texts. */

struct str rule_key_text(const struct rule *rule, char text[RULE_TEXT_BYTES])
{
    const struct trie_row *row = rule_row_of(rule);
    enum rule_table table = rule_table(rule);
    if ((row->tag & TAG_SPELLED) != 0)
        return text_at(texts_of(row));
    if (is_family(row->key[0]))
        return format_prefix(row->key, row->key_n, row->bits, text);
    return str_make(
        text, name_key_format(row->key, row->key_n, table == RULE_KILL_ENTRY || table == RULE_ACCEPT_ENTRY, text));
}

struct str rule_client_text(const struct rule *rule, char text[BLOCK_TEXT_SIZE])
{
    const struct trie_row *row = rule_row_of(rule);
    if ((row->tag & TAG_SPELLED) != 0)
        return text_at(behind(texts_of(row)));
    if (rule_table(rule) != RULE_ACCEPT_ENTRY)
        return str_make("", 0);
    size_t pattern_n = name_key_bytes(row->key, row->key_n);
    if (pattern_n == row->key_n)
        return str_make("", 0);
    return format_prefix(row->key + pattern_n, row->key_n - pattern_n, row->bits, text);
}

struct str rule_value_text(const struct rule *rule)
{
    const struct trie_row *row = rule_row_of(rule);
    if (rule_table(rule) == RULE_LOCAL_USER) {
        if ((row->tag & TAG_ACCOUNT) == 0)
            return str_make("", 0);
        const unsigned char *at = texts_of(row);
        return text_at((row->tag & TAG_SPELLED) != 0 ? behind(behind(at)) : at);
    }
    for (size_t i = 0; i < N_VALUES; i++)
        if (values[i].table == rule_table(rule) && values[i].value == rule_value(rule))
            return str_of(values[i].text);
    return str_make("", 0);
}

unsigned rule_pattern_rank(const struct rule *rule)
{
    const struct trie_row *row = rule_row_of(rule);
    size_t n = name_key_bytes(row->key, row->key_n);
    unsigned kind = row->key[n - 1] == MARK_SUFFIX ? 0 : row->key[n - 1] == MARK_BELOW ? 1 : 2;
    return kind << 16 | (unsigned)n;
}

bool rule_is_same_row(const struct trie_row *row, const void *rule)
{
    const struct trie_row *other = rule;
    if ((row->tag & TAG_SPELLED) != (other->tag & TAG_SPELLED))
        return false;
    if ((row->tag & TAG_SPELLED) == 0)
        return true;
    const unsigned char *at = texts_of(row), *other_at = texts_of(other);
    return str_equal(text_at(at), text_at(other_at)) && str_equal(text_at(behind(at)), text_at(behind(other_at)));
}

/* Reading rows. */

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
    if (row->table == RULE_LOCAL_USER)
        return read_account(row, value, error);
    for (size_t i = 0; i < N_VALUES; i++) {
        if (values[i].table == row->table && str_is(row->value, values[i].text)) {
            *value = values[i].value;
            return 0;
        }
    }
    const char *column = rule_tables[row->table].value;
    return error_set(error, -EINVAL, "%s \"%.*s\" is not known", column ? column : "value", STR_ARGS(row->value));
}

static bool is_one_prefix(const struct block *block)
{
    struct block_rest rest = block_prefixes(block);
    struct prefix prefix;
    (void)block_next_prefix(&rest, &prefix);
    return rest.done;
}

static bool is_canonical_client(struct str text, const struct block *block)
{
    char canonical[BLOCK_TEXT_SIZE];
    block_format(block, canonical);
    return is_one_prefix(block) && str_is(text, canonical);
}

/* All that is kept of a row must fit into one, and no address is as long as the keys that do not. */
static bool is_too_long(const struct rule_row *row, const struct rule_key *key)
{
    enum { MARKS_AND_CLIENT = 32 };
    size_t name_n = key->is_block ? 0 : key->name.n;
    return row->key.n > TRIE_KEY_MAX_BYTES || row->client.n > TRIE_KEY_MAX_BYTES / 2 ||
           name_n + MARKS_AND_CLIENT > TRIE_KEY_MAX_BYTES;
}

int rule_read_key(struct rule_reading *reading, const struct rule_row *row, struct error *error)
{
    struct rule_key *key = &reading->key;
    reading->row = row;
    reading->value = first_values[row->table];
    reading->account = str_make("", 0);
    int r = rule_key_parse(key, row->table, row->key, error);
    if (r == 0 && is_too_long(row, key))
        r = error_set(error, -EINVAL, "\"%.32s...\" is longer than any address", key->text);
    if (r == 0 && row->client.n > 0)
        r = block_parse(row->client, &reading->client, error);
    if (r == 0)
        reading->canonical = str_is(row->key, key->text) && (!key->is_block || is_one_prefix(&key->block)) &&
                             (row->client.n == 0 || is_canonical_client(row->client, &reading->client));
    return r;
}

int rule_read(struct rule_reading *reading, const struct rule_row *row, struct error *error)
{
    int r = rule_read_key(reading, row, error);
    if (r == 0 && row->value.n > TRIE_KEY_MAX_BYTES)
        r = error_set(error, -EINVAL, "an account is longer than any address");
    if (r == 0)
        r = read_value(row, &reading->value, error);
    if (r == 0 && row->table == RULE_RELAY_GRANT && !reading->key.is_block && reading->value == RULE_REFUSE)
        r = error_set(error, -EINVAL, "a host name cannot be refused: a client without a name would escape");
    if (r == 0 && row->table == RULE_LOCAL_USER)
        reading->account = row->value;
    return r;
}

void rule_reading_fini(struct rule_reading *reading)
{
    rule_key_fini(&reading->key);
}

/* Making rules. */

static void begin(union rule_space *space, enum rule_table table, enum rule_value value)
{
    unsigned which = (unsigned)value - (unsigned)first_values[table];
    space->row = (struct trie_row){ .tag = (uint8_t)((unsigned)table | which << TAG_VALUE_SHIFT) };
}

static void put_prefix(struct trie_row *row, const struct prefix *prefix)
{
    unsigned bits;
    size_t n = prefix_key_write(row->key + row->key_n, prefix, &bits);
    row->key_n = (uint16_t)(row->key_n + n);
    row->bits = (uint8_t)bits;
}

static unsigned char *put_text(unsigned char *to, struct str text)
{
    uint16_t n = (uint16_t)text.n;
    memcpy(to, &n, sizeof n);
    if (n > 0)
        memcpy(to + sizeof n, text.p, n);
    return to + sizeof n + n;
}

/* What is kept behind the key, of what is not empty. */
struct tail {
    int64_t expires_at;
    bool spelled;
    struct str key, client, account;
};

static void end(union rule_space *space, const struct tail *tail)
{
    struct trie_row *row = &space->row;
    unsigned char *to = row->key + key_bytes(row);
    if (tail->expires_at != RULE_NEVER_EXPIRES) {
        row->tag |= TAG_EXPIRES;
        memcpy(to, &tail->expires_at, sizeof tail->expires_at);
        to += sizeof tail->expires_at;
    }
    if (tail->spelled) {
        row->tag |= TAG_SPELLED;
        to = put_text(put_text(to, tail->key), tail->client);
    }
    if (tail->account.n > 0) {
        row->tag |= TAG_ACCOUNT;
        to = put_text(to, tail->account);
    }
    if ((to - space->bytes) % 2 != 0)
        *to++ = 0;
    row->size = (uint16_t)(to - space->bytes);
}

void rule_make(union rule_space *space, const struct rule_reading *reading, const struct prefix *block,
               const struct prefix *client)
{
    const struct rule_row *row = reading->row;
    const struct rule_key *key = &reading->key;
    struct tail tail = { row->expires_at, !reading->canonical, row->key, row->client, reading->account };
    begin(space, row->table, reading->value);
    if (block)
        put_prefix(&space->row, block);
    else
        space->row.key_n = (uint16_t)name_key_write(space->row.key, key->kind, key->name, key->local_n);
    if (client)
        put_prefix(&space->row, client);
    end(space, &tail);
}

void rule_make_local(union rule_space *space, const struct rule *rule)
{
    const struct trie_row *row = rule_row_of(rule);
    char text[RULE_TEXT_BYTES], name[RULE_TEXT_BYTES];
    struct tail tail = { rule_expires_at(rule), true, rule_key_text(rule, text), str_make("", 0), str_make("", 0) };
    struct str address = str_make(name, name_key_format(row->key, row->key_n, false, name));
    if (rule_table(rule) == RULE_LOCAL_USER)
        tail.account = rule_value_text(rule);
    begin(space, rule_table(rule), rule_value(rule));
    space->row.key_n = (uint16_t)name_key_write_local(space->row.key, address, str_find_last(address, '@'));
    end(space, &tail);
}
