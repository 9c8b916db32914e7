/*
 * naive.c: see naive.h. It follows the order of SPEC: addresses and blocks (3), rules (4), settings (5), the
 * definitions and the steps of the decision (7), replies (8).
 *
 * Texts that are made on the way live in a pool until the answer is given. What depends on the logins is reckoned in
 * three values; MAYBE is there only for DATA and END-OF-MESSAGE while the login store is away.
 */
#include "naive.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unicase.h>
#include <unistr.h>

enum {
    ROUTING_HOPS_MAX = 10,       /* SPEC 7, step 10.2 */
    PLACEHOLDER_BYTES_MAX = 256, /* SPEC 8: text that came from the network */
    TEXT_BYTES_MAX = 512,        /* SPEC 8: a text setting */
    HOST_BYTES_MAX = 253,        /* SPEC 3: a host name */
    LABEL_BYTES_MAX = 63,        /* SPEC 3: a label of it */
    BLOCK_PART_BYTES = 64        /* longer than any address, mask or prefix length */
};

enum truth { NO, MAYBE, YES };

static enum truth truth_of(bool fact)
{
    return fact ? YES : NO;
}

static enum truth either(enum truth a, enum truth b)
{
    return a > b ? a : b;
}

/* ---- Texts ---- */

struct pool {
    struct scrap *newest;
};

struct scrap {
    struct scrap *older;
    max_align_t bytes[];
};

static void *pool_take(struct pool *pool, size_t size)
{
    struct scrap *scrap = malloc(sizeof *scrap + size);
    if (scrap == NULL)
        abort();
    scrap->older = pool->newest;
    pool->newest = scrap;
    return scrap->bytes;
}

static void pool_empty(struct pool *pool)
{
    while (pool->newest != NULL) {
        struct scrap *older = pool->newest->older;
        free(pool->newest);
        pool->newest = older;
    }
}

static char *text_part(struct pool *pool, const char *from, size_t length)
{
    char *copy = pool_take(pool, length + 1);
    memcpy(copy, from, length);
    copy[length] = '\0';
    return copy;
}

static char *text_join(struct pool *pool, const char *a, const char *b)
{
    size_t length = strlen(a);
    char *joined = pool_take(pool, length + strlen(b) + 1);
    strcpy(joined, a);
    strcpy(joined + length, b);
    return joined;
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool ends_in(const char *text, const char *suffix)
{
    size_t length = strlen(text), tail = strlen(suffix);
    return length >= tail && same_text(text + length - tail, suffix);
}

static bool is_ascii(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text >= 0x80)
            return false;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static void lower_ascii(char *text)
{
    for (; *text != '\0'; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text - 'A' + 'a');
}

/* Digits alone, up to max; leading zeros are numbers too. */
static bool read_number(const char *text, uint64_t max, uint64_t *number)
{
    uint64_t n = 0;
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        uint64_t digit = (uint64_t)(*text - '0');
        if (!is_digit(*text) || n > (max - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *number = n;
    return n <= max;
}

/* ---- SPEC 3: client addresses and blocks ---- */

struct ip {
    unsigned bits; /* 32, 128, or 0: no address */
    unsigned char octet[16];
};

/* Every spelling of a block is a first and a last address. */
struct block {
    struct ip first, last;
};

static bool read_ip_as_written(const char *text, struct ip *ip)
{
    memset(ip, 0, sizeof *ip);
    if (inet_pton(AF_INET, text, ip->octet) == 1)
        ip->bits = 32;
    else if (inet_pton(AF_INET6, text, ip->octet) == 1)
        ip->bits = 128;
    return ip->bits != 0;
}

static bool is_mapped(const struct ip *ip)
{
    static const unsigned char prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
    return ip->bits == 128 && memcmp(ip->octet, prefix, sizeof prefix) == 0;
}

static void unmap(struct ip *ip)
{
    memmove(ip->octet, ip->octet + 12, 4);
    memset(ip->octet + 4, 0, 12);
    ip->bits = 32;
}

static bool read_ip(const char *text, struct ip *ip)
{
    bool understood = read_ip_as_written(text, ip);
    if (understood && is_mapped(ip))
        unmap(ip);
    return understood;
}

static int compare_ip(const struct ip *a, const struct ip *b)
{
    return memcmp(a->octet, b->octet, sizeof a->octet);
}

/* The aligned block of this prefix length around the address. */
static struct block block_around(const struct ip *ip, unsigned length)
{
    struct block block = { *ip, *ip };
    for (unsigned bit = length; bit < ip->bits; bit++) {
        unsigned char mask = (unsigned char)(0x80u >> (bit % 8));
        block.first.octet[bit / 8] = (unsigned char)(block.first.octet[bit / 8] & ~mask);
        block.last.octet[bit / 8] = (unsigned char)(block.last.octet[bit / 8] | mask);
    }
    return block;
}

/* Digits without needless zeros, as inet_pton wants them in an octet. */
static bool read_plain_number(const char *text, uint64_t max, unsigned *number)
{
    uint64_t n;
    if ((text[0] == '0' && text[1] != '\0') || !read_number(text, max, &n))
        return false;
    *number = (unsigned)n;
    return true;
}

/* 255.255.255.0 is 24; false where a one follows a zero. */
static bool read_mask(const char *text, unsigned *length)
{
    unsigned char octet[4];
    if (inet_pton(AF_INET, text, octet) != 1)
        return false;
    uint32_t mask = (uint32_t)octet[0] << 24 | (uint32_t)octet[1] << 16 | (uint32_t)octet[2] << 8 | octet[3];
    for (*length = 0; *length < 32 && (mask & 0x80000000u) != 0; mask <<= 1)
        ++*length;
    return mask == 0;
}

static bool read_prefix_block(const char *address, const char *length_text, struct block *block)
{
    struct ip ip;
    unsigned length;
    if (!read_ip_as_written(address, &ip))
        return false;
    if (!read_plain_number(length_text, ip.bits, &length) && !(ip.bits == 32 && read_mask(length_text, &length)))
        return false;
    *block = block_around(&ip, length);
    return true;
}

static bool read_range_block(const char *first, const char *last, struct block *block)
{
    unsigned octet;
    if (!read_ip_as_written(first, &block->first))
        return false;
    if (block->first.bits == 32 && read_plain_number(last, 255, &octet)) {
        block->last = block->first;
        block->last.octet[3] = (unsigned char)octet;
    } else if (!read_ip_as_written(last, &block->last)) {
        return false;
    }
    return block->first.bits == block->last.bits && compare_ip(&block->first, &block->last) <= 0;
}

/* 192.0.2.*: before is "192.0.2." */
static bool read_star_block(const char *before, struct block *block)
{
    char first[BLOCK_PART_BYTES + 4];
    snprintf(first, sizeof first, "%s0", before);
    if (!ends_in(before, ".") || !read_ip_as_written(first, &block->first) || block->first.bits != 32)
        return false;
    *block = block_around(&block->first, 24);
    return true;
}

static bool read_block_as_written(const char *text, struct block *block)
{
    char before[BLOCK_PART_BYTES];
    size_t split = strcspn(text, "/-*");
    if (split >= sizeof before)
        return false;
    memcpy(before, text, split);
    before[split] = '\0';
    const char *after = text + split + (text[split] != '\0');
    switch (text[split]) {
    case '/':
        return read_prefix_block(before, after, block);
    case '-':
        return read_range_block(before, after, block);
    case '*':
        return *after == '\0' && read_star_block(before, block);
    default:
        if (!read_ip_as_written(before, &block->first))
            return false;
        block->last = block->first;
        return true;
    }
}

static bool read_block(const char *text, struct block *block)
{
    if (!read_block_as_written(text, block))
        return false;
    if (is_mapped(&block->first) && is_mapped(&block->last)) {
        unmap(&block->first);
        unmap(&block->last);
    }
    return true;
}

static bool block_lies_in(const struct block *inner, const struct block *outer)
{
    return compare_ip(&outer->first, &inner->first) <= 0 && compare_ip(&inner->last, &outer->last) <= 0;
}

/*
 * The length of the prefix that holds the client when the block is written as the fewest prefixes, -1 where none
 * does: that prefix is the widest one around the client that the block holds whole.
 */
static int block_match(const struct block *block, const struct ip *client)
{
    if (client->bits == 0 || client->bits != block->first.bits)
        return -1;
    for (unsigned length = 0; length <= client->bits; length++) {
        struct block around = block_around(client, length);
        if (block_lies_in(&around, block))
            return (int)length;
    }
    return -1;
}

/* ---- SPEC 3: mail addresses and domains ---- */

/* domain as compared, "" for a bare address; local as compared, raw_local as written. */
struct address {
    const char *raw_local;
    const char *local;
    const char *domain;
};

static char *without_blanks(struct pool *pool, const char *text)
{
    char *copy = text_part(pool, text, strlen(text)), *end = copy;
    for (const char *p = copy; *p != '\0'; p++)
        if (*p != ' ' && *p != '\t')
            *end++ = *p;
    *end = '\0';
    return copy;
}

static void drop_trailing_dot(char *text)
{
    size_t length = strlen(text);
    if (length > 0 && text[length - 1] == '.')
        text[length - 1] = '\0';
}

/* The A-label form, or NULL where there is none. */
static char *to_ascii(struct pool *pool, const char *domain)
{
    uint8_t *converted = NULL;
    char *copy = NULL;
    if (u8_check((const uint8_t *)domain, strlen(domain)) != NULL)
        return NULL;
    if (idn2_lookup_u8((const uint8_t *)domain, &converted, IDN2_NONTRANSITIONAL) == IDN2_OK)
        copy = text_part(pool, (const char *)converted, strlen((const char *)converted));
    idn2_free(converted);
    return copy;
}

static const char *compared_domain(struct pool *pool, const char *text)
{
    char *domain = without_blanks(pool, text);
    drop_trailing_dot(domain);
    if (!is_ascii(domain)) {
        char *ascii = to_ascii(pool, domain);
        if (ascii != NULL) {
            /* A full stop or a blank of another script has become one of ASCII. */
            domain = without_blanks(pool, ascii);
            drop_trailing_dot(domain);
        }
    }
    lower_ascii(domain);
    return domain;
}

static const char *compared_local(struct pool *pool, const char *text)
{
    size_t length = strlen(text), folded_length = 0;
    char *copy = text_part(pool, text, length);
    if (is_ascii(text) || u8_check((const uint8_t *)text, length) != NULL) {
        lower_ascii(copy);
        return copy;
    }
    uint8_t *folded = u8_casefold((const uint8_t *)text, length, NULL, NULL, NULL, &folded_length);
    if (folded == NULL)
        abort();
    copy = text_part(pool, (const char *)folded, folded_length);
    free(folded);
    return copy;
}

static const char *without_brackets(struct pool *pool, const char *text)
{
    size_t length = strlen(text);
    if (length >= 2 && text[0] == '<' && text[length - 1] == '>')
        return text_part(pool, text + 1, length - 2);
    return text;
}

static struct address make_address(struct pool *pool, const char *local, const char *domain)
{
    return (struct address){ local, compared_local(pool, local), compared_domain(pool, domain) };
}

/* As it stands: the domain is what follows the last @. */
static struct address read_address(struct pool *pool, const char *text)
{
    text = without_brackets(pool, text);
    const char *at = strrchr(text, '@');
    if (at == NULL)
        return make_address(pool, text, "");
    return make_address(pool, text_part(pool, text, (size_t)(at - text)), at + 1);
}

/* As Postfix will rewrite it where it has no @: a!b is b@a, else a%b is a@b. */
static struct address read_sender(struct pool *pool, const char *text)
{
    const char *bare = without_brackets(pool, text);
    if (strchr(bare, '@') != NULL)
        return read_address(pool, text);
    const char *bang = strchr(bare, '!');
    if (bang != NULL && bang > bare && bang[1] != '\0')
        return make_address(pool, bang + 1, text_part(pool, bare, (size_t)(bang - bare)));
    const char *percent = strrchr(bare, '%');
    if (percent != NULL && percent > bare && percent[1] != '\0')
        return make_address(pool, text_part(pool, bare, (size_t)(percent - bare)), percent + 1);
    return make_address(pool, bare, "");
}

static bool is_bare(const struct address *address)
{
    return address->domain[0] == '\0';
}

static bool same_address(const struct address *a, const struct address *b)
{
    return same_text(a->local, b->local) && same_text(a->domain, b->domain);
}

/* [192.0.2.1] or [IPv6:2001:db8::1] */
static bool is_literal(const char *domain)
{
    char inside[BLOCK_PART_BYTES];
    unsigned char octets[16];
    size_t length = strlen(domain);
    if (length < 3 || length - 2 >= sizeof inside || domain[0] != '[' || domain[length - 1] != ']')
        return false;
    memcpy(inside, domain + 1, length - 2);
    inside[length - 2] = '\0';
    if (strncasecmp(inside, "ipv6:", 5) == 0)
        return inet_pton(AF_INET6, inside + 5, octets) == 1;
    return inet_pton(AF_INET, inside, octets) == 1;
}

static bool is_label(const char *label, size_t length)
{
    if (length == 0 || length > LABEL_BYTES_MAX || label[0] == '-' || label[length - 1] == '-')
        return false;
    for (size_t i = 0; i < length; i++)
        if (!is_letter(label[i]) && !is_digit(label[i]) && label[i] != '-' && label[i] != '_')
            return false;
    return true;
}

static bool is_host_name(const char *name)
{
    if (strlen(name) > HOST_BYTES_MAX)
        return false;
    for (;;) {
        size_t length = strcspn(name, ".");
        if (!is_label(name, length))
            return false;
        if (name[length] == '\0')
            return true;
        name += length + 1;
    }
}

/* What Postfix may complete with its own domain; it leaves what is in brackets alone. */
static bool is_single_label(const char *domain)
{
    size_t length = strlen(domain);
    bool bracketed = length >= 2 && domain[0] == '[' && domain[length - 1] == ']';
    return length > 0 && !bracketed && strchr(domain, '.') == NULL;
}

/* ---- SPEC 3: sender patterns ---- */

/* local NULL: any. host: the whole domain, or with tail what it ends in; with below at least one byte comes before. */
struct pattern {
    const char *local;
    const char *host;
    bool tail;
    bool below;
};

static size_t count_at(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++)
        n += *text == '@';
    return n;
}

/* A domain that may begin with a dot, which no conversion must see. */
static const char *compared_suffix(struct pool *pool, const char *text)
{
    const char *squeezed = without_blanks(pool, text);
    if (squeezed[0] != '.')
        return compared_domain(pool, squeezed);
    const char *rest = compared_domain(pool, squeezed + 1);
    return rest[0] == '\0' ? rest : text_join(pool, ".", rest);
}

static bool read_pattern(struct pool *pool, const char *text, struct pattern *pattern)
{
    text = without_brackets(pool, text);
    if (count_at(text) != 1)
        return false;
    const char *at = strchr(text, '@');
    const char *host = without_blanks(pool, at + 1);
    *pattern = (struct pattern){ 0 };
    if (at > text) {
        pattern->local = compared_local(pool, text_part(pool, text, (size_t)(at - text)));
        pattern->host = compared_domain(pool, host);
    } else if (host[0] == '*') {
        pattern->tail = true;
        pattern->host = compared_suffix(pool, host + 1);
    } else {
        pattern->tail = pattern->below = host[0] == '.';
        pattern->host = compared_suffix(pool, host);
    }
    return pattern->host[0] != '\0';
}

static bool pattern_takes_domain(const struct pattern *pattern, const char *domain)
{
    if (!pattern->tail)
        return same_text(pattern->host, domain);
    return ends_in(domain, pattern->host) && (!pattern->below || strlen(domain) > strlen(pattern->host));
}

static bool pattern_takes_local(const struct pattern *pattern, const char *local)
{
    return pattern->local == NULL || same_text(pattern->local, local);
}

static bool pattern_takes(const struct pattern *pattern, const struct address *sender)
{
    return !is_bare(sender) && pattern_takes_local(pattern, sender->local) &&
           pattern_takes_domain(pattern, sender->domain);
}

/* ---- SPEC 8: reasons and their replies ---- */

enum reason {
    ACCESS,
    SUBMISSION,
    VRFY,
    KILL,
    NULL_SENDER,
    INVALID_SENDER,
    LOCAL_SENDER,
    ROUTED,
    LIST,
    RELAY,
    UNVERIFIED,
    RECIPIENTS,
    UNAVAILABLE,
    REASONS
};

static const struct {
    const char *name, *verb, *code, *text;
} replies[REASONS] = {
    [ACCESS] = { "access", "REJECT 5.7.1", "521 5.7.1", "access denied" },
    [SUBMISSION] = { "submission", "REJECT 5.7.0", "530 5.7.0", "authentication required" },
    [VRFY] = { "vrfy", "REJECT 5.7.1", "502 5.7.1", "command not available" },
    [KILL] = { "kill", "REJECT 5.7.1", "501 5.7.1", "unacceptable mail address" },
    [NULL_SENDER] = { "null-sender", "REJECT 5.7.1", "550 5.7.1", "null sender not accepted" },
    [INVALID_SENDER] = { "invalid-sender", "REJECT 5.1.7", "501 5.1.7", "sender must be user@host" },
    [LOCAL_SENDER] = { "local-sender", "REJECT 5.7.1", "550 5.7.1", "local sender not authorized" },
    [ROUTED] = { "routed", "REJECT 5.7.1", "550 5.7.1", "routed recipient, not a gateway" },
    [LIST] = { "list", "REJECT 5.7.1", "550 5.7.1", "remote mail to this list is not accepted" },
    [RELAY] = { "relay", "REJECT 5.7.1", "550 5.7.1", "unknown local host %{domain}, not a gateway" },
    [UNVERIFIED] = { "unverified", "DEFER 4.7.25", "450 4.7.25", "client host name not verified, try again later" },
    [RECIPIENTS] = { "recipients", "REJECT 5.5.3", "550 5.5.3", "too many recipients" },
    [UNAVAILABLE] = { "unavailable", "DEFER 4.3.0", "451 4.3.0", "login records unavailable, try again later" },
};

/* ---- SPEC 5: settings ---- */

enum relay_for { NOBODY, ADDRESSES, LOCAL_USERS, LOCAL_HOSTS, ANYONE };
enum null_senders { NULL_TAKEN, NULL_REFUSED, NULL_REFUSED_AUTHENTICATED };
enum archived { ARCHIVE_ALL, ARCHIVE_INBOUND, ARCHIVE_OUTBOUND };

struct settings {
    int relay_for; /* enum relay_for, as the next ones: the position in the list of values */
    int unlisted_denied;
    int login_by_address;
    int local_sender_auth;
    int refuse_null_sender;
    int require_valid_sender;
    int refuse_routed_recipient;
    int list_remote_mail;
    int refuse_vrfy;
    int archive;
    int code_replies;
    uint64_t login_minutes;
    uint64_t login_accounts_max;
    uint64_t recipients_max;
    bool observed[REASONS];
    bool observe_all;
    const char *recipient_delimiter;
    const char *submission_ports;
    const char *archive_to;
    const char *text[REASONS];
};

/* values: the allowed ones, separated by blanks; *choice becomes the position of value among them. */
static void set_choice(int *choice, const char *values, const char *value)
{
    size_t length = strlen(value);
    if (length == 0 || strpbrk(value, " \t") != NULL)
        return;
    for (int position = 0; *values != '\0'; position++) {
        size_t word = strcspn(values, " ");
        if (word == length && strncmp(values, value, word) == 0)
            *choice = position;
        values += word + strspn(values + word, " ");
    }
}

static void set_number(uint64_t *number, uint64_t max, const char *value)
{
    uint64_t n;
    if (read_number(value, max, &n))
        *number = n;
}

/* The next word of a list separated by blanks or commas, NULL after the last. */
static const char *next_word(struct pool *pool, const char **list)
{
    const char *word = *list + strspn(*list, " \t,");
    size_t length = strcspn(word, " \t,");
    *list = word + length;
    return length > 0 ? text_part(pool, word, length) : NULL;
}

static int reason_named(const char *name)
{
    for (int reason = 0; reason < REASONS; reason++)
        if (same_text(replies[reason].name, name))
            return reason;
    return -1;
}

static void set_observe(struct settings *set, struct pool *pool, const char *value)
{
    bool observed[REASONS] = { false };
    const char *rest = value, *word = next_word(pool, &rest);
    if (word != NULL && same_text(word, "all") && next_word(pool, &rest) == NULL) {
        set->observe_all = true;
        return;
    }
    for (; word != NULL; word = next_word(pool, &rest)) {
        int reason = reason_named(word);
        if (reason < 0 || reason == UNVERIFIED || reason == UNAVAILABLE)
            return;
        observed[reason] = true;
    }
    memcpy(set->observed, observed, sizeof observed);
}

static void set_ports(const char **ports, struct pool *pool, const char *value)
{
    const char *rest = value;
    for (const char *word = next_word(pool, &rest); word != NULL; word = next_word(pool, &rest)) {
        uint64_t port;
        if (!read_number(word, 65535, &port) || port == 0)
            return;
    }
    *ports = value;
}

static void set_delimiter(const char **delimiter, const char *value)
{
    for (const char *p = value; *p != '\0'; p++)
        if (*p <= 0x20 || *p >= 0x7f || is_letter(*p) || is_digit(*p))
            return;
    *delimiter = value;
}

static void set_archive_to(const char **archive_to, struct pool *pool, const char *value)
{
    const char *at = strchr(value, '@');
    for (const char *p = value; *p != '\0'; p++)
        if (is_control(*p) || *p == ' ')
            return;
    if (*value != '\0') {
        if (count_at(value) != 1 || at == value)
            return;
        const char *domain = compared_domain(pool, at + 1);
        if (!is_literal(domain) && !is_host_name(domain))
            return;
    }
    *archive_to = value;
}

/* The length of a placeholder with its %{}, 0 where text does not begin with one that is known. */
static size_t placeholder_length(const char *text)
{
    static const char *const known[] = { "%{client}", "%{sender}", "%{recipient}", "%{domain}" };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strncmp(text, known[i], strlen(known[i])) == 0)
            return strlen(known[i]);
    return 0;
}

static bool is_reply_text(const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length > TEXT_BYTES_MAX)
        return false;
    for (const char *p = text; *p != '\0'; p++) {
        if (is_control(*p))
            return false;
        if (p[0] == '%' && p[1] == '{' && placeholder_length(p) == 0)
            return false;
        if (p[0] == '%' && p[1] == '%')
            p++;
    }
    return true;
}

/* "text_null_sender" is the text of null-sender. */
static void set_text(struct settings *set, const char *name, const char *value)
{
    char reason_name[32];
    if (strncmp(name, "text_", 5) != 0 || strlen(name) - 5 >= sizeof reason_name || strchr(name, '-') != NULL)
        return;
    strcpy(reason_name, name + 5);
    for (char *p = reason_name; *p != '\0'; p++)
        if (*p == '_')
            *p = '-';
    int reason = reason_named(reason_name);
    if (reason >= 0 && is_reply_text(value))
        set->text[reason] = value;
}

static const struct settings default_settings = {
    .relay_for = ADDRESSES,
    .login_minutes = 30,
    .login_accounts_max = 3,
    .refuse_routed_recipient = 1,
    .list_remote_mail = 1,
    .refuse_vrfy = 1,
    .recipient_delimiter = "+",
    .submission_ports = "",
    .archive_to = "",
};

static void apply_setting(struct settings *set, struct pool *pool, const char *name, const char *value)
{
    if (same_text(name, "relay_for"))
        set_choice(&set->relay_for, "nobody addresses local-users local-hosts anyone", value);
    else if (same_text(name, "unlisted_clients"))
        set_choice(&set->unlisted_denied, "grant deny", value);
    else if (same_text(name, "pop_before_smtp"))
        set_number(&set->login_minutes, 10080, value);
    else if (same_text(name, "pop_before_smtp_match"))
        set_choice(&set->login_by_address, "sender address", value);
    else if (same_text(name, "pop_before_smtp_max_accounts"))
        set_number(&set->login_accounts_max, 1000, value);
    else if (same_text(name, "local_sender_auth"))
        set_choice(&set->local_sender_auth, "no yes", value);
    else if (same_text(name, "refuse_null_sender"))
        set_choice(&set->refuse_null_sender, "no yes authenticated", value);
    else if (same_text(name, "observe"))
        set_observe(set, pool, value);
    else if (same_text(name, "require_valid_sender"))
        set_choice(&set->require_valid_sender, "no yes", value);
    else if (same_text(name, "refuse_routed_recipient"))
        set_choice(&set->refuse_routed_recipient, "no yes", value);
    else if (same_text(name, "recipient_delimiter"))
        set_delimiter(&set->recipient_delimiter, value);
    else if (same_text(name, "list_remote_mail"))
        set_choice(&set->list_remote_mail, "no yes", value);
    else if (same_text(name, "max_recipients"))
        set_number(&set->recipients_max, UINT64_MAX, value);
    else if (same_text(name, "submission_ports"))
        set_ports(&set->submission_ports, pool, value);
    else if (same_text(name, "refuse_vrfy"))
        set_choice(&set->refuse_vrfy, "no yes", value);
    else if (same_text(name, "archive_to"))
        set_archive_to(&set->archive_to, pool, value);
    else if (same_text(name, "archive"))
        set_choice(&set->archive, "all inbound outbound", value);
    else if (same_text(name, "reply_style"))
        set_choice(&set->code_replies, "verb code", value);
    else
        set_text(set, name, value);
}

static struct settings read_settings(struct pool *pool, const struct naive_row *rows, size_t n_rows, int64_t now)
{
    struct settings set = default_settings;
    for (int reason = 0; reason < REASONS; reason++)
        set.text[reason] = replies[reason].text;
    for (size_t i = 0; i < n_rows; i++)
        if (same_text(rows[i].table, "setting") && now < rows[i].expires && rows[i].value != NULL)
            apply_setting(&set, pool, rows[i].key, rows[i].value);
    return set;
}

/* ---- SPEC 4: rules ---- */

enum table { ACCESS_BLOCK, RELAY_GRANT, KILL_ENTRY, ACCEPT_ENTRY, LOCAL_DOMAIN, LOCAL_USER, LOCAL_LIST };
enum verdict { VERDICT_NONE, VERDICT_GRANT, VERDICT_REFUSE };

/* A row that was understood; what its table does not have stays zero. */
struct rule {
    enum table table;
    enum verdict verdict;
    bool has_block; /* of access_block, relay_grant, accept_entry */
    struct block block;
    const char *host; /* relay_grant: a host name; with its first dot where below; local_domain: likewise */
    bool below;
    struct pattern pattern;
    bool kind_is_local;
    struct address address; /* local_user, local_list */
    const char *account;
    const char *remote_mail;
};

static bool read_word(const char *value, const char *word_default, const char *word_other, bool *is_other)
{
    *is_other = value != NULL && same_text(value, word_other);
    return value == NULL || *is_other || same_text(value, word_default);
}

static bool read_access_block(const struct naive_row *row, struct rule *rule)
{
    bool grant;
    if (!read_word(row->value, "deny", "grant", &grant))
        return false;
    rule->verdict = grant ? VERDICT_GRANT : VERDICT_REFUSE;
    rule->has_block = read_block(row->key, &rule->block);
    return rule->has_block;
}

static bool looks_like_block(const char *text)
{
    return text[strspn(text, "0123456789.-*/")] == '\0' || strchr(text, ':') != NULL;
}

static bool is_client_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    const char *last = dot == NULL ? name : dot + 1;
    return is_host_name(name) && last[strspn(last, "0123456789")] != '\0' && !same_text(name, "unknown");
}

static bool read_relay_grant(struct pool *pool, const struct naive_row *row, struct rule *rule)
{
    bool refuse;
    if (!read_word(row->value, "grant", "refuse", &refuse))
        return false;
    rule->verdict = refuse ? VERDICT_REFUSE : VERDICT_GRANT;
    if (looks_like_block(row->key)) {
        rule->has_block = read_block(row->key, &rule->block);
        return rule->has_block;
    }
    rule->host = compared_suffix(pool, row->key);
    rule->below = rule->host[0] == '.';
    return !refuse && is_client_name(rule->host + rule->below);
}

static bool read_accept_entry(struct pool *pool, const struct naive_row *row, struct rule *rule)
{
    bool any = row->client == NULL || row->client[0] == '\0';
    rule->has_block = !any && read_block(row->client, &rule->block);
    return (any || rule->has_block) && read_pattern(pool, row->key, &rule->pattern);
}

static bool read_local_domain(struct pool *pool, const struct naive_row *row, struct rule *rule)
{
    bool relay;
    if (!read_word(row->value, "local", "relay", &relay) || strchr(row->key, '@') != NULL)
        return false;
    rule->kind_is_local = !relay;
    rule->host = compared_suffix(pool, row->key);
    rule->below = rule->host[0] == '.';
    return rule->host[0] != '\0';
}

/* user@domain, or user alone. */
static bool read_row_address(struct pool *pool, const char *text, struct address *address)
{
    size_t n = count_at(text);
    *address = read_address(pool, text);
    return n <= 1 && address->local[0] != '\0' && (n == 0 || !is_bare(address));
}

static bool read_local_list(struct pool *pool, const struct naive_row *row, struct rule *rule)
{
    bool no;
    rule->remote_mail = row->value;
    return read_word(row->value, "yes", "no", &no) && read_row_address(pool, row->key, &rule->address);
}

static bool read_rule(struct pool *pool, const struct naive_row *row, struct rule *rule)
{
    static const char *const tables[] = { "access_block", "relay_grant", "kill_entry", "accept_entry",
                                          "local_domain", "local_user",  "local_list" };
    size_t table = 0;
    while (table < sizeof tables / sizeof tables[0] && !same_text(tables[table], row->table))
        table++;
    *rule = (struct rule){ .table = (enum table)table };
    switch (table) {
    case ACCESS_BLOCK:
        return read_access_block(row, rule);
    case RELAY_GRANT:
        return read_relay_grant(pool, row, rule);
    case KILL_ENTRY:
        return read_pattern(pool, row->key, &rule->pattern);
    case ACCEPT_ENTRY:
        return read_accept_entry(pool, row, rule);
    case LOCAL_DOMAIN:
        return read_local_domain(pool, row, rule);
    case LOCAL_USER:
        rule->account = row->value;
        return read_row_address(pool, row->key, &rule->address);
    case LOCAL_LIST:
        return read_local_list(pool, row, rule);
    default:
        return false;
    }
}

/* ---- All that a decision knows ---- */

struct request {
    const char *state;
    const char *policy_context;
    const char *client_address;
    struct ip client;
    const char *client_name;
    const char *reverse_client_name;
    const char *server_port;
    const char *recipient_count;
    bool sasl;
    const char *raw_sender;
    bool sender_empty;
    struct address sender_as_sent;
    struct address sender; /* as Postfix will rewrite it */
    const char *raw_recipient;
    bool recipient_has_at;
    struct address recipient;
};

struct world {
    struct pool pool;
    struct settings set;
    struct rule *rules;
    size_t n_rules;
    struct request request;
};

static const char *attribute(const struct naive_attr *attrs, size_t n_attrs, const char *name)
{
    for (size_t i = 0; i < n_attrs; i++)
        if (same_text(attrs[i].name, name))
            return attrs[i].value;
    return "";
}

static void read_request(struct world *world, const struct naive_attr *attrs, size_t n_attrs)
{
    struct request *request = &world->request;
    struct pool *pool = &world->pool;
    request->state = attribute(attrs, n_attrs, "protocol_state");
    request->policy_context = attribute(attrs, n_attrs, "policy_context");
    request->client_address = attribute(attrs, n_attrs, "client_address");
    read_ip(request->client_address, &request->client);
    request->client_name = compared_domain(pool, attribute(attrs, n_attrs, "client_name"));
    request->reverse_client_name = compared_domain(pool, attribute(attrs, n_attrs, "reverse_client_name"));
    request->server_port = attribute(attrs, n_attrs, "server_port");
    request->recipient_count = attribute(attrs, n_attrs, "recipient_count");
    request->sasl = attribute(attrs, n_attrs, "sasl_username")[0] != '\0';
    request->raw_sender = attribute(attrs, n_attrs, "sender");
    request->sender_empty = without_brackets(pool, request->raw_sender)[0] == '\0';
    request->sender_as_sent = read_address(pool, request->raw_sender);
    request->sender = read_sender(pool, request->raw_sender);
    request->raw_recipient = attribute(attrs, n_attrs, "recipient");
    request->recipient_has_at = strchr(request->raw_recipient, '@') != NULL;
    request->recipient = read_address(pool, request->raw_recipient);
}

static void read_rules(struct world *world, const struct naive_row *rows, size_t n_rows, int64_t now)
{
    world->rules = pool_take(&world->pool, (n_rows + 1) * sizeof *world->rules);
    world->n_rules = 0;
    for (size_t i = 0; i < n_rows; i++)
        if (now < rows[i].expires && read_rule(&world->pool, &rows[i], &world->rules[world->n_rules]))
            world->n_rules++;
}

/* ---- SPEC 4: what the rules say ---- */

/* The longest prefix around the client decides; of equal ones a refusing verdict. */
static enum verdict verdict_of_blocks(const struct world *world, enum table table)
{
    enum verdict verdict = VERDICT_NONE;
    int longest = -1;
    for (size_t i = 0; i < world->n_rules; i++) {
        const struct rule *rule = &world->rules[i];
        if (rule->table != table || !rule->has_block)
            continue;
        int length = block_match(&rule->block, &world->request.client);
        if (length > longest || (length >= 0 && length == longest && rule->verdict == VERDICT_REFUSE)) {
            longest = length;
            verdict = rule->verdict;
        }
    }
    return verdict;
}

/* Host names only ever grant. */
static bool host_granted(const struct world *world, const char *name, bool below)
{
    for (size_t i = 0; i < world->n_rules; i++) {
        const struct rule *rule = &world->rules[i];
        if (rule->table != RELAY_GRANT || rule->host == NULL || rule->below != below)
            continue;
        if (below ? strlen(name) > strlen(rule->host) && ends_in(name, rule->host) : same_text(name, rule->host))
            return true;
    }
    return false;
}

/* What relay_grant says of the client if this were its name. */
static enum verdict relay_verdict(const struct world *world, const char *name)
{
    bool named = name[0] != '\0' && !same_text(name, "unknown");
    if (named && host_granted(world, name, false))
        return VERDICT_GRANT;
    enum verdict verdict = verdict_of_blocks(world, RELAY_GRANT);
    if (verdict == VERDICT_NONE && named && host_granted(world, name, true))
        return VERDICT_GRANT;
    return verdict;
}

enum kind { KIND_NONE, KIND_RELAY, KIND_LOCAL };

/* The whole name, else the longest .domain; of equal ones one that says local. */
static enum kind domain_kind(const struct world *world, const char *domain)
{
    enum kind kind = KIND_NONE;
    size_t longest = 0;
    for (size_t i = 0; i < world->n_rules; i++) {
        const struct rule *rule = &world->rules[i];
        if (rule->table != LOCAL_DOMAIN)
            continue;
        bool exact = !rule->below && same_text(domain, rule->host);
        if (!exact && !(rule->below && strlen(domain) > strlen(rule->host) && ends_in(domain, rule->host)))
            continue;
        size_t length = exact ? SIZE_MAX : strlen(rule->host);
        enum kind says = rule->kind_is_local ? KIND_LOCAL : KIND_RELAY;
        if (length > longest || (length == longest && says > kind)) {
            longest = length;
            kind = says;
        }
    }
    return kind;
}

static bool is_local_domain(const struct world *world, const char *domain)
{
    return domain[0] != '\0' && domain_kind(world, domain) == KIND_LOCAL;
}

static bool has_local_domain_rows(const struct world *world)
{
    for (size_t i = 0; i < world->n_rules; i++)
        if (world->rules[i].table == LOCAL_DOMAIN)
            return true;
    return false;
}

/* A label that is part of no rule's domain: it stands for all hosts that no rule names. */
static const char *fresh_label(struct world *world)
{
    char label[24];
    for (unsigned n = 0;; n++) {
        bool used = false;
        snprintf(label, sizeof label, "fresh%u", n);
        for (size_t i = 0; i < world->n_rules; i++)
            used |= world->rules[i].table == LOCAL_DOMAIN && strstr(world->rules[i].host, label) != NULL;
        if (!used)
            return text_part(&world->pool, label, strlen(label));
    }
}

static bool takes_at(const struct world *world, const struct pattern *pattern, const char *domain)
{
    return pattern_takes_domain(pattern, domain) && is_local_domain(world, domain);
}

/*
 * Is there a domain of kind local that the pattern takes? It is named by a row, or else some row .domain decides on
 * it; then an unnamed host just below that .domain, or one that ends in the pattern's own text, serves as well.
 */
static bool takes_some_local_domain(struct world *world, const struct pattern *pattern)
{
    if (!pattern->tail)
        return is_local_domain(world, pattern->host);
    const char *fresh = fresh_label(world);
    for (size_t i = 0; i < world->n_rules; i++) {
        const struct rule *rule = &world->rules[i];
        if (rule->table != LOCAL_DOMAIN)
            continue;
        if (takes_at(world, pattern, rule->below ? text_join(&world->pool, fresh, rule->host) : rule->host))
            return true;
    }
    if (pattern->host[0] != '.' && takes_at(world, pattern, pattern->host))
        return true;
    return takes_at(world, pattern, text_join(&world->pool, fresh, pattern->host));
}

static bool killed(struct world *world)
{
    const struct address *sender = &world->request.sender;
    for (size_t i = 0; i < world->n_rules; i++) {
        const struct rule *rule = &world->rules[i];
        if (rule->table != KILL_ENTRY)
            continue;
        if (pattern_takes(&rule->pattern, sender))
            return true;
        if (is_bare(sender) && pattern_takes_local(&rule->pattern, sender->local) &&
            takes_some_local_domain(world, &rule->pattern))
            return true;
    }
    return false;
}

static bool accept_entry_matches(const struct world *world)
{
    for (size_t i = 0; i < world->n_rules; i++) {
        const struct rule *rule = &world->rules[i];
        if (rule->table == ACCEPT_ENTRY && pattern_takes(&rule->pattern, &world->request.sender) &&
            (!rule->has_block || block_match(&rule->block, &world->request.client) >= 0))
            return true;
    }
    return false;
}

/* ---- SPEC 3: looking up local_user and local_list ---- */

/* Without the extension; false where there is none. */
static bool strip_extension(struct world *world, const struct address *from, struct address *to)
{
    if (from->local[0] == '\0')
        return false;
    size_t length = 1 + strcspn(from->local + 1, world->set.recipient_delimiter);
    *to = *from;
    to->local = text_part(&world->pool, from->local, length);
    return from->local[length] != '\0';
}

/* A bare address is the row without domain and those at any domain of kind local. */
static bool row_is_address(const struct world *world, const struct rule *rule, const struct address *address)
{
    if (same_address(&rule->address, address))
        return true;
    return is_bare(address) && same_text(rule->address.local, address->local) &&
           is_local_domain(world, rule->address.domain);
}

static bool row_is_local_part(const struct world *world, const struct rule *rule, const struct address *address)
{
    return is_bare(&rule->address) && same_text(rule->address.local, address->local) &&
           is_local_domain(world, address->domain);
}

typedef bool row_test(const struct world *world, const struct rule *rule, const struct address *address);

static size_t collect(const struct world *world, enum table table, const struct address *address, row_test *test,
                      const struct rule **found)
{
    size_t n = 0;
    for (size_t i = 0; i < world->n_rules; i++)
        if (world->rules[i].table == table && test(world, &world->rules[i], address))
            found[n++] = &world->rules[i];
    return n;
}

/* The rows found at the first place of the order where there are any. */
static size_t look_up(struct world *world, enum table table, const struct address *address, const struct rule ***found)
{
    struct address base;
    *found = pool_take(&world->pool, (world->n_rules + 1) * sizeof **found);
    size_t n = collect(world, table, address, row_is_address, *found);
    if (n == 0)
        n = collect(world, table, address, row_is_local_part, *found);
    if (n == 0 && strip_extension(world, address, &base)) {
        n = collect(world, table, &base, row_is_address, *found);
        if (n == 0)
            n = collect(world, table, &base, row_is_local_part, *found);
    }
    return n;
}

static bool list_is_closed(struct world *world, const struct address *recipient)
{
    const struct rule **found;
    size_t n = look_up(world, LOCAL_LIST, recipient, &found);
    for (size_t i = 0; i < n; i++) {
        const char *remote_mail = found[i]->remote_mail;
        if (remote_mail == NULL ? !world->set.list_remote_mail : same_text(remote_mail, "no"))
            return true;
    }
    return false;
}

/* What the recipient's routing leads to. */
static struct address routed_recipient(struct world *world)
{
    struct address address = read_sender(&world->pool, world->request.raw_recipient);
    for (int hop = 0; hop < ROUTING_HOPS_MAX; hop++) {
        if (!is_local_domain(world, address.domain) || strpbrk(address.raw_local, "@!%") == NULL)
            break;
        address = read_sender(&world->pool, address.raw_local);
    }
    return address;
}

/* ---- SPEC 7: logins ---- */

/* Names without a domain stand for themselves at any domain of kind local. */
static bool same_account(const struct world *world, const struct address *a, const struct address *b)
{
    if (!same_text(a->local, b->local))
        return false;
    if (same_text(a->domain, b->domain))
        return true;
    return (is_bare(a) && is_local_domain(world, b->domain)) || (is_bare(b) && is_local_domain(world, a->domain));
}

static bool login_is_sender(struct world *world, const struct address *login)
{
    const struct address *sender = &world->request.sender;
    const struct rule **found;
    struct address base;
    if (same_account(world, sender, login))
        return true;
    if (strip_extension(world, sender, &base) && same_account(world, &base, login))
        return true;
    size_t n = look_up(world, LOCAL_USER, sender, &found);
    for (size_t i = 0; i < n; i++) {
        if (found[i]->account == NULL)
            continue;
        struct address account = read_address(&world->pool, found[i]->account);
        if (same_account(world, &account, login))
            return true;
    }
    return false;
}

static bool login_by_sender(struct world *world, const struct naive_logins *logins)
{
    for (size_t i = 0; i < logins->n_accounts; i++) {
        struct address login = read_address(&world->pool, logins->accounts[i]);
        if (login_is_sender(world, &login))
            return true;
    }
    return false;
}

static bool login_by_address(struct world *world, const struct naive_logins *logins)
{
    struct address *seen = pool_take(&world->pool, (logins->n_accounts + 1) * sizeof *seen);
    size_t n = 0;
    for (size_t i = 0; i < logins->n_accounts; i++) {
        size_t known = 0;
        seen[n] = read_address(&world->pool, logins->accounts[i]);
        while (!same_address(&seen[known], &seen[n]))
            known++;
        n += known == n;
    }
    return n >= 1 && (world->set.login_accounts_max == 0 || n <= world->set.login_accounts_max);
}

/* Could any record of a login make a difference to `login`? An empty sender is nobody's account. */
static bool login_possible(const struct world *world)
{
    return world->set.login_minutes > 0 && world->request.client.bits != 0 &&
           relay_verdict(world, world->request.client_name) != VERDICT_REFUSE &&
           (world->set.login_by_address || !world->request.sender_empty);
}

static bool login_known(struct world *world, const struct naive_logins *logins)
{
    if (logins == NULL || !login_possible(world))
        return false;
    return world->set.login_by_address ? login_by_address(world, logins) : login_by_sender(world, logins);
}

/* ---- SPEC 7: the other definitions ---- */

/* One walk through the steps, with what is taken for true of the login. */
struct walk {
    struct world *world;
    enum truth login;
    bool would[REASONS];
    char action[20000];
    const char *reason;
};

static bool relay_refused(const struct world *world)
{
    return relay_verdict(world, world->request.client_name) == VERDICT_REFUSE;
}

static bool granted_as(const struct world *world, const char *client_name)
{
    return world->set.relay_for >= ADDRESSES && relay_verdict(world, client_name) == VERDICT_GRANT;
}

static bool granted(const struct world *world)
{
    return granted_as(world, world->request.client_name);
}

static bool unverified(const struct world *world)
{
    return same_text(world->request.client_name, "unknown") && granted_as(world, world->request.reverse_client_name);
}

static enum truth authorized(const struct walk *walk)
{
    return either(truth_of(walk->world->request.sasl || granted(walk->world)), walk->login);
}

static bool accepted(const struct world *world)
{
    return world->set.relay_for >= ADDRESSES && !relay_refused(world) && accept_entry_matches(world);
}

/* The sender, whole and with its domain, is a row of local_user that is no alias. */
static bool sender_is_user(struct world *world)
{
    const struct address *sender = &world->request.sender;
    for (size_t i = 0; i < world->n_rules; i++) {
        const struct rule *rule = &world->rules[i];
        if (rule->table != LOCAL_USER || is_bare(sender) || !same_address(&rule->address, sender))
            continue;
        if (rule->account == NULL)
            return true;
        struct address account = read_address(&world->pool, rule->account);
        if (same_address(&account, sender))
            return true;
    }
    return false;
}

/* May relay, other than by relay_for = anyone alone. */
static enum truth outgoing(const struct walk *walk)
{
    struct world *world = walk->world;
    if (world->request.sasl)
        return YES;
    if (relay_refused(world))
        return NO;
    if (granted(world) || accepted(world))
        return YES;
    if (world->set.relay_for >= LOCAL_USERS && sender_is_user(world))
        return YES;
    if (world->set.relay_for >= LOCAL_HOSTS && is_local_domain(world, world->request.sender.domain))
        return YES;
    return walk->login;
}

static enum truth may_relay(const struct walk *walk)
{
    if (walk->world->set.relay_for == ANYONE && !relay_refused(walk->world))
        return YES;
    return outgoing(walk);
}

static bool sender_is_local(const struct world *world)
{
    const struct address *sender = &world->request.sender;
    return !world->request.sender_empty &&
           (is_bare(sender) || is_local_domain(world, sender->domain) || is_single_label(sender->domain));
}

static bool sender_is_null(const struct world *world)
{
    const struct address *sender = &world->request.sender;
    if (world->request.sender_empty)
        return true;
    return same_text(sender->local, "mailer-daemon") &&
           (is_bare(sender) || is_local_domain(world, sender->domain) || is_single_label(sender->domain));
}

static bool sender_is_valid(const struct world *world)
{
    const struct address *sender = &world->request.sender_as_sent;
    return sender->local[0] != '\0' && (is_literal(sender->domain) || is_host_name(sender->domain));
}

static bool state_is(const struct world *world, const char *state)
{
    return same_text(world->request.state, state);
}

/* ---- SPEC 8: replies ---- */

static size_t append_from_network(char *to, const char *text)
{
    size_t length = strnlen(text, PLACEHOLDER_BYTES_MAX);
    for (size_t i = 0; i < length; i++)
        to[i] = is_control(text[i]) ? '?' : text[i];
    return length;
}

static const char *placeholder_value(const struct world *world, const char *placeholder)
{
    switch (placeholder[2]) {
    case 'c':
        return world->request.client_address;
    case 's':
        return world->request.raw_sender;
    case 'r':
        return world->request.raw_recipient;
    default:
        return world->request.recipient.domain;
    }
}

static void write_text(const struct world *world, const char *text, char *to)
{
    while (*text != '\0') {
        size_t length = placeholder_length(text);
        if (length > 0) {
            to += append_from_network(to, placeholder_value(world, text));
            text += length;
        } else {
            text += text[0] == '%' && text[1] == '%';
            *to++ = *text++;
        }
    }
    *to = '\0';
}

/* Gives the reason's reply as the answer. */
static void reply(struct walk *walk, enum reason reason)
{
    const struct settings *set = &walk->world->set;
    int length = snprintf(walk->action, sizeof walk->action, "%s ",
                          set->code_replies ? replies[reason].code : replies[reason].verb);
    write_text(walk->world, set->text[reason], walk->action + length);
    walk->reason = replies[reason].name;
}

/* ---- SPEC 7: the steps. Each says whether it answered. ---- */

static bool answer_plain(struct walk *walk, const char *action, const char *argument)
{
    snprintf(walk->action, sizeof walk->action, "%s%s", action, argument);
    walk->reason = "";
    return true;
}

static bool refuse(struct walk *walk, enum reason reason)
{
    bool deferrable = reason == VRFY || reason == LOCAL_SENDER || reason == ROUTED || reason == LIST || reason == RELAY;
    if (walk->world->set.observe_all || walk->world->set.observed[reason]) {
        walk->would[reason] = true;
        return false;
    }
    reply(walk, deferrable && unverified(walk->world) ? UNVERIFIED : reason);
    return true;
}

static bool step_1_client(struct walk *walk)
{
    enum verdict verdict = verdict_of_blocks(walk->world, ACCESS_BLOCK);
    bool denied = verdict == VERDICT_REFUSE || (verdict == VERDICT_NONE && walk->world->set.unlisted_denied);
    return denied && refuse(walk, ACCESS);
}

static bool step_2_state(struct walk *walk)
{
    static const char *const states[] = { "MAIL", "RCPT", "DATA", "END-OF-MESSAGE", "VRFY", "ETRN" };
    bool known = false;
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        known |= state_is(walk->world, states[i]);
    if (known && !same_text(walk->world->request.policy_context, "client"))
        return false;
    return answer_plain(walk, "DUNNO", "");
}

static bool step_3_submission(struct walk *walk)
{
    const char *rest = walk->world->set.submission_ports;
    uint64_t server_port, port;
    if (walk->world->request.sasl || !read_number(walk->world->request.server_port, 65535, &server_port))
        return false;
    for (;;) {
        const char *word = next_word(&walk->world->pool, &rest);
        if (word == NULL)
            return false;
        if (read_number(word, 65535, &port) && port == server_port)
            return refuse(walk, SUBMISSION);
    }
}

static bool step_4_vrfy(struct walk *walk)
{
    struct world *world = walk->world;
    if (!state_is(world, "VRFY") && !state_is(world, "ETRN"))
        return false;
    if (world->set.refuse_vrfy && !world->request.sasl && !granted(world) && refuse(walk, VRFY))
        return true;
    return answer_plain(walk, "DUNNO", "");
}

static bool step_5_kill(struct walk *walk)
{
    return !walk->world->request.sender_empty && killed(walk->world) && refuse(walk, KILL);
}

static bool step_6_null_sender(struct walk *walk)
{
    int refused = walk->world->set.refuse_null_sender;
    if (!sender_is_null(walk->world) || refused == NULL_TAKEN)
        return false;
    if (refused == NULL_REFUSED_AUTHENTICATED && either(truth_of(walk->world->request.sasl), walk->login) != YES)
        return false;
    return refuse(walk, NULL_SENDER);
}

static bool step_7_invalid_sender(struct walk *walk)
{
    struct world *world = walk->world;
    return !world->request.sender_empty && !sender_is_valid(world) && world->set.require_valid_sender &&
           refuse(walk, INVALID_SENDER);
}

static bool step_8_local_sender(struct walk *walk)
{
    struct world *world = walk->world;
    return sender_is_local(world) && world->set.local_sender_auth && authorized(walk) == NO && !accepted(world) &&
           refuse(walk, LOCAL_SENDER);
}

static bool step_9_mail(struct walk *walk)
{
    return state_is(walk->world, "MAIL") && answer_plain(walk, "DUNNO", "");
}

static bool recipient_is_routed(const struct walk *walk)
{
    return strpbrk(walk->world->request.recipient.raw_local, "@!%") != NULL;
}

static bool recipient_is_closed_list(const struct walk *walk)
{
    struct address routed = routed_recipient(walk->world);
    return list_is_closed(walk->world, &walk->world->request.recipient) || list_is_closed(walk->world, &routed);
}

static bool answer_our_recipient(struct walk *walk)
{
    struct world *world = walk->world;
    if (recipient_is_routed(walk)) {
        if (authorized(walk) == YES)
            return answer_plain(walk, "OK", "");
        if (world->set.refuse_routed_recipient && refuse(walk, ROUTED))
            return true;
    }
    if (authorized(walk) == NO && recipient_is_closed_list(walk) && refuse(walk, LIST))
        return true;
    return answer_plain(walk, world->request.sasl || granted(world) ? "OK" : "DUNNO", "");
}

static bool step_10_recipient(struct walk *walk)
{
    struct world *world = walk->world;
    if (!state_is(world, "RCPT"))
        return false;
    if (!world->request.recipient_has_at || domain_kind(world, world->request.recipient.domain) != KIND_NONE)
        return answer_our_recipient(walk);
    if (may_relay(walk) == YES)
        return answer_plain(walk, "OK", "");
    if (!has_local_domain_rows(world))
        return answer_plain(walk, "DUNNO", "");
    return refuse(walk, RELAY);
}

static bool too_many_recipients(const struct world *world)
{
    uint64_t count = 0;
    const char *text = world->request.recipient_count;
    if (text[0] != '\0' && text[strspn(text, "0123456789")] == '\0' && !read_number(text, UINT64_MAX, &count))
        count = UINT64_MAX; /* a number too, and above any limit but this one */
    return world->set.recipients_max > 0 && count > world->set.recipients_max;
}

/* While it is not known where a message goes, the archive gets its copy. */
static bool is_archived(const struct walk *walk)
{
    switch (walk->world->set.archive) {
    case ARCHIVE_INBOUND:
        return outgoing(walk) != YES;
    case ARCHIVE_OUTBOUND:
        return outgoing(walk) != NO;
    default:
        return true;
    }
}

static bool step_11_data(struct walk *walk)
{
    struct world *world = walk->world;
    if (!state_is(world, "DATA"))
        return false;
    if (too_many_recipients(world) && outgoing(walk) == YES && refuse(walk, RECIPIENTS))
        return true;
    if (world->set.archive_to[0] != '\0' && is_archived(walk))
        return answer_plain(walk, "BCC ", world->set.archive_to);
    return answer_plain(walk, "DUNNO", "");
}

static bool step_12_end(struct walk *walk)
{
    return answer_plain(walk, "DUNNO", "");
}

static void walk_steps(struct walk *walk, struct world *world, enum truth login)
{
    static bool (*const steps[])(struct walk *) = {
        step_1_client, step_2_state,       step_3_submission,     step_4_vrfy,
        step_5_kill,   step_6_null_sender, step_7_invalid_sender, step_8_local_sender,
        step_9_mail,   step_10_recipient,  step_11_data,          step_12_end,
    };
    memset(walk->would, 0, sizeof walk->would);
    walk->world = world;
    walk->login = login;
    for (size_t i = 0; !steps[i](walk); i++)
        ;
    if (world->set.observe_all)
        answer_plain(walk, "DUNNO", "");
}

/* ---- The answer ---- */

static bool same_answer(const struct walk *a, const struct walk *b)
{
    return same_text(a->action, b->action) && same_text(a->reason, b->reason);
}

static void give_answer(const struct walk *walk, struct naive_answer *answer)
{
    strcpy(answer->action, walk->action);
    strcpy(answer->reason, walk->reason);
    answer->would[0] = '\0';
    for (int reason = 0; reason < REASONS; reason++) {
        if (!walk->would[reason])
            continue;
        if (answer->would[0] != '\0')
            strcat(answer->would, ",");
        strcat(answer->would, replies[reason].name);
    }
}

/* The logins matter and cannot be asked: with is the walk with a matching login, without the one without. */
static void answer_unavailable(struct world *world, struct walk *with, const struct walk *without)
{
    if (state_is(world, "DATA") || state_is(world, "END-OF-MESSAGE")) {
        walk_steps(with, world, MAYBE);
        return;
    }
    if (!same_answer(with, without))
        reply(with, UNAVAILABLE);
    for (int reason = 0; reason < REASONS; reason++)
        with->would[reason] &= without->would[reason]; /* only what is certain */
}

static void decide(struct world *world, const struct naive_logins *logins, struct naive_answer *answer)
{
    struct walk with, without;
    walk_steps(&with, world, truth_of(login_possible(world)));
    walk_steps(&without, world, NO);
    answer->needs_login = !same_answer(&with, &without) || memcmp(with.would, without.would, sizeof with.would) != 0;
    bool waits = logins != NULL && !world->set.login_by_address && login_known(world, logins);
    if (answer->needs_login && logins != NULL && logins->state == NAIVE_LOGINS_UNAVAILABLE && !waits) {
        answer_unavailable(world, &with, &without);
        give_answer(&with, answer);
    } else {
        give_answer(login_known(world, logins) ? &with : &without, answer);
    }
}

void naive_decide(const struct naive_row *rows, size_t n_rows, const struct naive_attr *attrs, size_t n_attrs,
                  int64_t now, const struct naive_logins *logins, struct naive_answer *answer)
{
    struct world world = { .pool = { NULL } };
    world.set = read_settings(&world.pool, rows, n_rows, now);
    read_rules(&world, rows, n_rows, now);
    read_request(&world, attrs, n_attrs);
    decide(&world, logins, answer);
    pool_empty(&world.pool);
}
