#include "core/block.h"

#include <arpa/inet.h>
#include <errno.h>

unsigned ip_bits(const struct ip_addr *addr)
{
    return addr->v6 ? 128 : 32;
}

static struct ip_addr ip_from_v4(uint32_t v4)
{
    return (struct ip_addr){ .hi = (uint64_t)v4 << 32 };
}

static uint64_t read_be64(const uint8_t *bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | bytes[i];
    return v;
}

/* The usual client is IPv4, and this is on the way of every request: inet_pton for it costs a copy and more. */
static bool parse_v4(struct str text, uint32_t *v4)
{
    uint32_t v = 0;
    size_t i = 0;
    for (int part = 0; part < 4; part++) {
        if (part > 0 && (i == text.n || text.p[i++] != '.'))
            return false;
        size_t start = i;
        uint32_t octet = 0;
        while (i < text.n && ascii_is_digit(text.p[i]) && i - start < 3)
            octet = octet * 10 + (uint32_t)(text.p[i++] - '0');
        if (i == start || octet > 255 || (text.p[start] == '0' && i - start > 1))
            return false;
        v = v << 8 | octet;
    }
    *v4 = v;
    return i == text.n;
}

bool ip_parse(struct str text, struct ip_addr *addr)
{
    uint32_t v4;
    if (parse_v4(text, &v4)) {
        *addr = ip_from_v4(v4);
        return true;
    }

    char copy[IP_TEXT_SIZE];
    struct in6_addr v6;
    if (text.n >= sizeof copy || str_find(text, ':') == text.n || str_find(text, '\0') != text.n)
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    if (inet_pton(AF_INET6, copy, &v6) != 1)
        return false;
    *addr = (struct ip_addr){ read_be64(v6.s6_addr), read_be64(v6.s6_addr + 8), true };
    if (addr->hi == 0 && addr->lo >> 32 == 0xffff)
        *addr = ip_from_v4((uint32_t)addr->lo);
    return true;
}

static char *put_decimal(char *to, unsigned octet)
{
    if (octet >= 100)
        *to++ = (char)('0' + octet / 100);
    if (octet >= 10)
        *to++ = (char)('0' + octet / 10 % 10);
    *to++ = (char)('0' + octet % 10);
    return to;
}

static char *put_hex(char *to, unsigned group)
{
    for (int shift = 12; shift >= 0; shift -= 4)
        if (group >> shift != 0 || shift == 0)
            *to++ = "0123456789abcdef"[group >> shift & 0xf];
    return to;
}

static unsigned group_of(const struct ip_addr *addr, int i)
{
    return (unsigned)((i < 4 ? addr->hi >> (48 - 16 * i) : addr->lo >> (112 - 16 * i)) & 0xffff);
}

/* The longest run of two or more groups of zeros, of several the first (RFC 5952, 4.2). */
static int find_zeros(const struct ip_addr *addr, int *begin)
{
    int best = 0;
    for (int i = 0; i < 8; i++) {
        int n = 0;
        while (i + n < 8 && group_of(addr, i + n) == 0)
            n++;
        if (n > best && n > 1) {
            best = n;
            *begin = i;
        }
        i += n;
    }
    return best;
}

static char *format_v6(const struct ip_addr *addr, char *to)
{
    int begin = -1, n = find_zeros(addr, &begin);
    for (int i = 0; i < 8; i++) {
        if (i == begin) {
            *to++ = ':';
            *to++ = ':';
            i += n - 1;
            continue;
        }
        if (i > 0 && i != begin + n)
            *to++ = ':';
        to = put_hex(to, group_of(addr, i));
    }
    return to;
}

void ip_format(const struct ip_addr *addr, char text[IP_TEXT_SIZE])
{
    char *to = text;
    for (int shift = 56; !addr->v6 && shift >= 32; shift -= 8) {
        if (shift < 56)
            *to++ = '.';
        to = put_decimal(to, (unsigned)(addr->hi >> shift & 0xff));
    }
    if (addr->v6)
        to = format_v6(addr, to);
    *to = '\0';
}

struct ip_addr ip_mask(const struct ip_addr *addr, unsigned len)
{
    struct ip_addr masked = *addr;
    if (len < 64) {
        masked.hi &= len == 0 ? 0 : ~UINT64_C(0) << (64 - len);
        masked.lo = 0;
    } else if (len < 128) {
        masked.lo &= len == 64 ? 0 : ~UINT64_C(0) << (128 - len);
    }
    return masked;
}

/* The last address of the prefix that begins at addr. */
static struct ip_addr last_of(const struct ip_addr *addr, unsigned len)
{
    struct ip_addr none = { UINT64_MAX, UINT64_MAX, true };
    struct ip_addr mask = ip_mask(&none, len);
    struct ip_addr last = *addr;
    last.hi |= ~mask.hi;
    last.lo |= ~mask.lo;
    if (!addr->v6) {
        last.hi &= UINT64_C(0xffffffff) << 32;
        last.lo = 0;
    }
    return last;
}

int ip_compare(const struct ip_addr *a, const struct ip_addr *b)
{
    if (a->v6 != b->v6)
        return a->v6 ? 1 : -1;
    if (a->hi != b->hi)
        return a->hi < b->hi ? -1 : 1;
    if (a->lo != b->lo)
        return a->lo < b->lo ? -1 : 1;
    return 0;
}

static bool is_of_block(char c)
{
    return ascii_is_digit(c) || c == '.' || c == '-' || c == '*' || c == '/';
}

bool block_is_meant(struct str text)
{
    size_t i = 0;
    while (i < text.n && is_of_block(text.p[i]))
        i++;
    return (i == text.n && text.n > 0) || str_find(str_from(text, i), ':') < text.n - i;
}

static int parse_addr(struct str text, struct ip_addr *addr, struct error *error)
{
    if (ip_parse(text, addr))
        return 0;
    return error_set(error, -EINVAL, "\"%.*s\" is not an IP address: write e.g. 192.0.2.7 or 2001:db8::7",
                     STR_ARGS(text));
}

/* Bits of a mask such as 255.255.255.0, whose ones are all in front. */
static bool mask_to_len(uint32_t mask, unsigned *len)
{
    unsigned n = 0;
    while (n < 32 && (mask & UINT32_C(0x80000000) >> n) != 0)
        n++;
    *len = n;
    return n == 32 || mask << n == 0;
}

/* len counts the bits of what was written: a length over 96 of a mapped address becomes that of the IPv4 address. */
static int make_prefix(struct ip_addr addr, unsigned len, struct block *block)
{
    block->first = ip_mask(&addr, len);
    block->last = last_of(&block->first, len);
    block->host_bits = ip_compare(&block->first, &addr) != 0;
    return 0;
}

static int parse_prefix(struct str text, size_t slash, struct block *block, struct error *error)
{
    struct str base = str_first(text, slash), mask = str_from(text, slash + 1);
    struct ip_addr addr;
    int r = parse_addr(base, &addr, error);
    if (r < 0)
        return r;

    bool written_v6 = str_find(base, ':') != base.n;
    unsigned long len;
    uint32_t dotted;
    unsigned dotted_len;
    if (!written_v6 && parse_v4(mask, &dotted)) {
        if (!mask_to_len(dotted, &dotted_len))
            return error_set(error, -EINVAL, "the mask \"%.*s\" has a gap: its ones must all be in front",
                             STR_ARGS(mask));
        return make_prefix(addr, dotted_len, block);
    }
    if (!str_to_number(mask, written_v6 ? 128 : 32, &len) || (mask.n > 1 && mask.p[0] == '0'))
        return error_set(error, -EINVAL, "\"%.*s\" after the / is no length from 0 to %s", STR_ARGS(mask),
                         written_v6 ? "128" : "32, and no mask such as 255.255.255.0");
    if (!written_v6 || addr.v6)
        return make_prefix(addr, (unsigned)len, block);
    if (len >= 96)
        return make_prefix(addr, (unsigned)len - 96, block);

    /* Shorter than the mapped range: the IPv6 block that was written, of which no address is IPv4. */
    struct ip_addr mapped = { 0, UINT64_C(0xffff00000000) | addr.hi >> 32, true };
    return make_prefix(mapped, (unsigned)len, block);
}

static int parse_range(struct str text, size_t dash, struct block *block, struct error *error)
{
    struct str from = str_first(text, dash), to = str_from(text, dash + 1);
    int r = parse_addr(from, &block->first, error);
    if (r < 0)
        return r;
    unsigned long octet;
    if (!block->first.v6 && str_find(from, ':') == from.n && str_to_number(to, 255, &octet)) {
        if (to.n > 1 && to.p[0] == '0')
            return error_set(error, -EINVAL, "\"%.*s\" after the - begins with 0", STR_ARGS(to));
        block->last = ip_from_v4((uint32_t)(block->first.hi >> 32 & 0xffffff00) | (uint32_t)octet);
    } else {
        r = parse_addr(to, &block->last, error);
        if (r < 0)
            return r;
    }
    if (block->first.v6 != block->last.v6)
        return error_set(error, -EINVAL, "\"%.*s\" goes from one address family to the other", STR_ARGS(text));
    if (ip_compare(&block->first, &block->last) > 0)
        return error_set(error, -EINVAL, "\"%.*s\" ends before it begins", STR_ARGS(text));
    return 0;
}

int block_parse(struct str text, struct block *block, struct error *error)
{
    *block = (struct block){ 0 };
    size_t at;
    if (text.n == 0)
        return error_set(error, -EINVAL, "an empty block");
    if (!block_is_meant(text))
        return error_set(error, -EINVAL,
                         "\"%.*s\" is no block: write an address, a prefix such as 192.0.2.0/24 or "
                         "2001:db8::/32, or a range such as 192.0.2.1-50",
                         STR_ARGS(text));
    if ((at = str_find(text, '-')) != text.n)
        return parse_range(text, at, block, error);
    if ((at = str_find(text, '/')) != text.n)
        return parse_prefix(text, at, block, error);
    if ((at = str_find(text, '*')) != text.n) {
        char zero[IP_TEXT_SIZE];
        if (at + 1 == text.n && text.n < sizeof zero && str_ends_with(text, (struct str)STR(".*"))) {
            memcpy(zero, text.p, text.n);
            zero[at] = '0';
            uint32_t v4;
            if (parse_v4(str_make(zero, text.n), &v4))
                return make_prefix(ip_from_v4(v4), 24, block);
        }
        return error_set(error, -EINVAL,
                         "\"%.*s\": a * can stand for the last of four numbers only; write a prefix "
                         "such as 192.0.0.0/16",
                         STR_ARGS(text));
    }
    int r = parse_addr(text, &block->first, error);
    block->last = block->first;
    return r;
}

struct block_rest block_prefixes(const struct block *block)
{
    return (struct block_rest){ .next = block->first, .last = block->last };
}

__extension__ typedef unsigned __int128 wide;

static wide wide_of(const struct ip_addr *v6)
{
    return (wide)v6->hi << 64 | v6->lo;
}

static struct ip_addr wide_to_addr(wide number)
{
    return (struct ip_addr){ (uint64_t)(number >> 64), (uint64_t)number, true };
}

/* How many bits at the end are 0; all of them where the number is. */
static unsigned zeros_at_end(wide number, unsigned bits)
{
    uint64_t high = (uint64_t)(number >> 64), low = (uint64_t)number;
    unsigned n = low ? (unsigned)__builtin_ctzll(low) : high ? 64 + (unsigned)__builtin_ctzll(high) : bits;
    return n < bits ? n : bits;
}

/* How many bits of an address are the host's in the longest prefix that begins with `next` and does not go beyond
 * `last`. */
static unsigned host_bits_v4(uint64_t next, uint64_t last)
{
    unsigned host = next ? (unsigned)__builtin_ctzll(next) : 32;
    while (next + (UINT64_C(1) << host) - 1 > last)
        host--;
    return host;
}

static unsigned host_bits_v6(wide next, wide last)
{
    unsigned host = zeros_at_end(next, 128);
    while (next + (host == 128 ? ~(wide)0 : ((wide)1 << host) - 1) > last)
        host--;
    return host;
}

bool block_next_prefix(struct block_rest *rest, struct prefix *prefix)
{
    if (rest->done)
        return false;
    if (!rest->next.v6) {
        uint64_t next = rest->next.hi >> 32, last = rest->last.hi >> 32;
        unsigned host = next == last ? 0 : host_bits_v4(next, last);
        *prefix = (struct prefix){ rest->next, 32 - host };
        next += UINT64_C(1) << host;
        rest->done = next > last;
        rest->next = ip_from_v4((uint32_t)next);
        return true;
    }
    wide next = wide_of(&rest->next), last = wide_of(&rest->last);
    unsigned host = next == last ? 0 : host_bits_v6(next, last);
    *prefix = (struct prefix){ rest->next, 128 - host };
    wide end = next + (host == 128 ? ~(wide)0 : ((wide)1 << host) - 1);
    rest->done = end == last;
    rest->next = wide_to_addr(end + 1);
    return true;
}

void prefix_format(const struct prefix *prefix, char text[BLOCK_TEXT_SIZE])
{
    ip_format(&prefix->addr, text);
    if (prefix->len < ip_bits(&prefix->addr)) {
        char *to = text + strlen(text);
        *to++ = '/';
        to = put_decimal(to, prefix->len);
        *to = '\0';
    }
}

void block_format(const struct block *block, char text[BLOCK_TEXT_SIZE])
{
    struct block_rest rest = block_prefixes(block);
    struct prefix prefix;
    (void)block_next_prefix(&rest, &prefix);
    if (rest.done) {
        prefix_format(&prefix, text);
        return;
    }
    ip_format(&block->first, text);
    size_t used = strlen(text);
    text[used++] = '-';
    ip_format(&block->last, text + used);
}

bool block_holds(const struct block *block, const struct ip_addr *addr)
{
    return block->first.v6 == addr->v6 && ip_compare(&block->first, addr) <= 0 && ip_compare(addr, &block->last) <= 0;
}

size_t prefix_key_write(unsigned char *to, const struct prefix *prefix, unsigned *bits)
{
    size_t n = 0;
    unsigned bytes = prefix->len / 8;
    *bits = prefix->len % 8;
    to[n++] = prefix->addr.v6 ? PREFIX_KEY_V6 : PREFIX_KEY_V4;
    for (unsigned i = 0; i < bytes + (*bits ? 1 : 0); i++) {
        uint64_t half = i < 8 ? prefix->addr.hi : prefix->addr.lo;
        to[n++] = (unsigned char)(half >> (56 - i % 8 * 8));
    }
    return 1 + bytes;
}

void prefix_key_read(const unsigned char *key, size_t n, unsigned bits, struct prefix *prefix)
{
    *prefix = (struct prefix){ .addr.v6 = key[0] == PREFIX_KEY_V6, .len = (unsigned)(n - 1) * 8 + bits };
    for (size_t i = 1; i < n + (bits ? 1 : 0); i++) {
        uint64_t *half = i <= 8 ? &prefix->addr.hi : &prefix->addr.lo;
        *half |= (uint64_t)key[i] << (56 - (i - 1) % 8 * 8);
    }
}
