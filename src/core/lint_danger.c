#include "core/lint_danger.h"

#include "core/mail.h"

/* How large a block is: by the bits in which its addresses differ, of those that are looked at. */
enum size { SIZE_USUAL, SIZE_LARGE, SIZE_GREAT, SIZE_EVERYBODY };

/* The most addresses of a size, as a number of bits; nobody has more than a block of the last, or of its private
 * network more than the first in one place. */
static const struct {
    unsigned v4, v6;
} size_bits[] = {
    [SIZE_USUAL] = { 8, 64 },  /* a /24, a /64 */
    [SIZE_LARGE] = { 16, 96 }, /* a /16, a /32 */
    [SIZE_GREAT] = { 24, 112 } /* a /8, a /16 */
};

/* Bits of the number of addresses less one. */
static unsigned span_bits(const struct block *block)
{
    uint64_t hi = block->last.hi - block->first.hi - (block->last.lo < block->first.lo ? 1 : 0);
    uint64_t lo = block->last.lo - block->first.lo;
    if (!block->first.v6) {
        lo = hi >> 32;
        hi = 0;
    }
    if (hi != 0)
        return 128 - (unsigned)__builtin_clzll(hi);
    return lo != 0 ? 64 - (unsigned)__builtin_clzll(lo) : 0;
}

static enum size size_of(const struct block *block)
{
    unsigned bits = span_bits(block);
    for (int size = SIZE_USUAL; size < SIZE_EVERYBODY; size++)
        if (bits <= (block->first.v6 ? size_bits[size].v6 : size_bits[size].v4))
            return (enum size)size;
    return SIZE_EVERYBODY;
}

static bool is_within(const struct block *block, const char *const *others, size_t n)
{
    struct block other;
    for (size_t i = 0; i < n; i++)
        if (block_parse(str_of(others[i]), &other, NULL) == 0 && block_holds(&other, &block->first) &&
            block_holds(&other, &block->last))
            return true;
    return false;
}

static bool is_loopback(const struct block *block)
{
    static const char *const blocks[] = { "127.0.0.0/8", "::1" };
    return is_within(block, blocks, sizeof blocks / sizeof *blocks);
}

/* Of such networks there are many, and what comes through NAT, a proxy or a container seems to come from one. */
static bool is_private(const struct block *block)
{
    static const char *const blocks[] = { "10.0.0.0/8",     "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
                                          "169.254.0.0/16", "fc00::/7",      "fe80::/10" };
    return is_within(block, blocks, sizeof blocks / sizeof *blocks);
}

/* Of Docker's usual bridge only the address of that is shared with the world. */
static bool is_docker(const struct block *block)
{
    static const char *const blocks[] = { "172.17.0.0/16" };
    return is_within(block, blocks, 1);
}

bool lint_is_whole_family(const struct block *block)
{
    struct block_rest rest = block_prefixes(block);
    struct prefix first;
    return block_next_prefix(&rest, &first) && first.len == 0;
}

static bool is_one_of(struct str word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(word, words[i]))
            return true;
    return false;
}

/* One label, or as in co.uk one of the few words below a country under which all the world registers names. */
static bool is_public_suffix(struct str name)
{
    static const char *const words[] = { "ac", "co", "com", "edu", "go", "gob", "gov",
                                         "gv", "ne", "net", "nom", "or", "org" };
    enum { COUNTRY_BYTES = 2 };
    size_t dot = str_find(name, '.');
    if (dot == name.n)
        return true;
    return name.n - dot - 1 == COUNTRY_BYTES && is_one_of(str_first(name, dot), words, sizeof words / sizeof *words);
}

enum lint_code lint_danger_of_grant(const struct rule_reading *grant)
{
    const struct rule_key *key = &grant->key;
    if (!key->is_block)
        return key->kind == NAME_BELOW && is_public_suffix(key->name) ? LINT_GRANT_PUBLIC_SUFFIX : LINT_NOTHING;
    enum size size = size_of(&key->block);
    if (size == SIZE_USUAL || is_loopback(&key->block) || is_docker(&key->block))
        return LINT_NOTHING;
    if (is_private(&key->block))
        return LINT_GRANT_PRIVATE;
    return size == SIZE_EVERYBODY ? LINT_GRANT_EVERYBODY : size == SIZE_GREAT ? LINT_GRANT_GREAT_BLOCK : LINT_NOTHING;
}

/* Patterns that nearly every sender can be made to match. */
static bool is_any_sender(const struct rule_key *key)
{
    return (key->kind == NAME_BELOW && is_public_suffix(key->name)) ||
           (key->kind == NAME_SUFFIX && is_public_suffix(domain_begin(key->name)));
}

enum lint_code lint_danger_of_accept(const struct rule_reading *accept)
{
    bool any_client = accept->row->client.n == 0;
    enum size size = any_client ? SIZE_EVERYBODY : size_of(&accept->client);
    if (!any_client && (size < SIZE_GREAT || is_loopback(&accept->client) || is_private(&accept->client)))
        return LINT_NOTHING;
    if (is_any_sender(&accept->key))
        return LINT_ACCEPT_EVERYBODY;
    return size == SIZE_EVERYBODY ? LINT_ACCEPT_ANY_CLIENT : LINT_ACCEPT_GREAT_BLOCK;
}
