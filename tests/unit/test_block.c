#include "core/block.h"

#include "seeded.h"
#include "suite.h"
#include "wide.h"

#include <errno.h>

static struct str str_sized(const char *text, size_t n)
{
    return n ? str_make(text, n) : str_of(text);
}

static const struct {
    const char *text;
    const char *canonical;
} addresses[] = {
    { "192.0.2.7", "192.0.2.7" },
    { "0.0.0.0", "0.0.0.0" },
    { "255.255.255.255", "255.255.255.255" },
    { "2001:db8::1", "2001:db8::1" },
    { "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
    { "2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1" },
    { "::", "::" },
    { "::1", "::1" },
    { "2001:db8::", "2001:db8::" },
    /* RFC 5952, 4.2: a single 0 is not shortened, the longest run is, the first of equal ones. */
    { "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
    { "2001:db8:0:0:1:0:0:0", "2001:db8:0:0:1::" },
    { "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
    /* RFC 5952, 5: dotted only for well-known prefixes, and ::/96 is none. */
    { "::192.0.2.1", "::c000:201" },
    { "::0.1.0.0", "::1:0" },
    { "2001:db8::192.0.2.1", "2001:db8::c000:201" },
    { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
    { "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
    /* A v4-mapped address is the IPv4 address. */
    { "::ffff:192.0.2.7", "192.0.2.7" },
    { "::FFFF:c000:207", "192.0.2.7" },
    { "0:0:0:0:0:ffff:192.0.2.7", "192.0.2.7" },
    { "::ffff:0:0", "0.0.0.0" },
    { "::fffe:c000:207", "::fffe:c000:207" },
    { "::1:ffff:c000:207", "::1:ffff:c000:207" },
};

START_TEST(an_address_has_one_canonical_text)
{
    char text[IP_TEXT_SIZE];
    struct ip_addr addr = addr_of(addresses[_i].text);
    ip_format(&addr, text);
    ck_assert_str_eq(text, addresses[_i].canonical);
    ck_assert_int_eq(addr.v6, strchr(addresses[_i].canonical, ':') != NULL);
    ck_assert_uint_eq(ip_bits(&addr), addr.v6 ? 128 : 32);

    struct ip_addr again = addr_of(text);
    ck_assert_int_eq(ip_compare(&addr, &again), 0);
}
END_TEST

static const struct {
    const char *text;
    size_t n; /* where a NUL is in the text */
} no_addresses[] = {
    { "", 0 },
    { "unknown", 0 },
    { "192.0.2", 0 },
    { "192.0.2.", 0 },
    { ".192.0.2", 0 },
    { "192.0..2", 0 },
    { "192.0.2.1.", 0 },
    { "192.0.2.1.1", 0 },
    { "192.0.2.256", 0 },
    { "192.0.2.1000", 0 },
    { "192.0.2.01", 0 },
    { "192.0.2.00", 0 },
    { "192.0.2.-1", 0 },
    { "192.0.2.+1", 0 },
    { "192.0.2.0x1", 0 },
    { "192.0.2.a", 0 },
    { " 192.0.2.1", 0 },
    { "192.0.2.1 ", 0 },
    { "192.0.2.1\n", 0 },
    { "3221225985", 0 },
    { "192.0.2.1\0", 10 },
    { "192.0.2\0.1", 10 },
    { "2001:db8::1\0", 12 },
    { ":", 0 },
    { ":::", 0 },
    { "2001:db8", 0 },
    { "2001:db8::1::2", 0 },
    { "2001:db8:0:0:0:0:0:0:1", 0 },
    { "2001:db8:0:0:0:0:1", 0 },
    { "20010::1", 0 },
    { "2001:db8::g", 0 },
    { "[2001:db8::1]", 0 },
    { "2001:db8::1%lo", 0 },
    { "2001:db8::1 ", 0 },
    { "2001:db8::/32", 0 },
    { "::ffff:192.0.2.256", 0 },
    { "::ffff:192.0.2", 0 },
    { "::192.0.2.1:1", 0 },
    { "0000:0000:0000:0000:0000:ffff:192.000.002.0001", 0 },
};

START_TEST(what_is_no_address_is_refused)
{
    struct ip_addr addr;
    ck_assert(!ip_parse(str_sized(no_addresses[_i].text, no_addresses[_i].n), &addr));
}
END_TEST

START_TEST(an_address_need_not_end_in_nul)
{
    struct ip_addr addr, expected = addr_of("192.0.2.1");
    ck_assert(ip_parse(str_make("192.0.2.17", 9), &addr));
    ck_assert_int_eq(ip_compare(&addr, &expected), 0);
    expected = addr_of("2001:db8::1");
    ck_assert(ip_parse(str_make("2001:db8::17", 11), &addr));
    ck_assert_int_eq(ip_compare(&addr, &expected), 0);
}
END_TEST

static const char *const ascending[] = {
    "0.0.0.0",         "0.0.0.1", "192.0.2.1", "192.0.2.2",          "192.0.3.0",
    "255.255.255.255", "::",      "::1",       "::ffff:ffff:ffff:0", "2001:db8::1",
    "2001:db8:0:1::",  "8000::",  "ffff::1",
};

START_TEST(addresses_are_in_order_and_ipv4_is_first)
{
    struct ip_addr a = addr_of(ascending[_i]);
    for (int i = 0; i < COUNT(ascending); i++) {
        struct ip_addr b = addr_of(ascending[i]);
        int order = ip_compare(&a, &b);
        ck_assert_int_eq((order > 0) - (order < 0), (_i > i) - (_i < i));
    }
}
END_TEST

static const struct {
    const char *addr;
    unsigned len;
    const char *masked;
} masks[] = {
    { "203.0.113.255", 32, "203.0.113.255" },
    { "203.0.113.255", 31, "203.0.113.254" },
    { "203.0.113.255", 24, "203.0.113.0" },
    { "203.0.113.255", 1, "128.0.0.0" },
    { "203.0.113.255", 0, "0.0.0.0" },
    { "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 128, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff" },
    { "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 127, "2001:db8:ffff:ffff:ffff:ffff:ffff:fffe" },
    { "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 65, "2001:db8:ffff:ffff:8000::" },
    { "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 64, "2001:db8:ffff:ffff::" },
    { "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 63, "2001:db8:ffff:fffe::" },
    { "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 32, "2001:db8::" },
    { "ffff::1", 1, "8000::" },
    { "ffff::1", 0, "::" },
};

START_TEST(a_mask_clears_the_bits_beyond_it)
{
    struct ip_addr addr = addr_of(masks[_i].addr), expected = addr_of(masks[_i].masked);
    struct ip_addr masked = ip_mask(&addr, masks[_i].len);
    ck_assert_int_eq(ip_compare(&masked, &expected), 0);
}
END_TEST

static const struct {
    const char *text;
    const char *canonical;
    bool host_bits;
} blocks[] = {
    { "192.0.2.7", "192.0.2.7", false },
    { "192.0.2.7/32", "192.0.2.7", false },
    { "192.0.2.0/24", "192.0.2.0/24", false },
    { "192.0.2.7/24", "192.0.2.0/24", true },
    { "192.0.2.0/255.255.255.0", "192.0.2.0/24", false }, /* IMail: address and mask */
    { "192.0.2.9/255.255.255.0", "192.0.2.0/24", true },
    { "192.0.2.9/255.255.255.255", "192.0.2.9", false },
    { "0.0.0.0/0.0.0.0", "0.0.0.0/0", false },
    { "192.0.2.0/128.0.0.0", "128.0.0.0/1", true },
    { "0.0.0.0/0", "0.0.0.0/0", false },
    { "192.0.2.1/0", "0.0.0.0/0", true },
    { "192.0.2.1-50", "192.0.2.1-192.0.2.50", false }, /* IceWarp: range of the last octet */
    { "192.0.2.1-192.0.2.50", "192.0.2.1-192.0.2.50", false },
    { "192.0.2.4-7", "192.0.2.4/30", false },
    { "192.0.2.0-255", "192.0.2.0/24", false },
    { "192.0.2.7-7", "192.0.2.7", false },
    { "192.0.2.7-192.0.2.7", "192.0.2.7", false },
    { "192.0.2.255-192.0.3.0", "192.0.2.255-192.0.3.0", false },
    { "0.0.0.0-255.255.255.255", "0.0.0.0/0", false },
    { "192.0.2.*", "192.0.2.0/24", false },
    { "2001:db8::1", "2001:db8::1", false },
    { "2001:DB8::/32", "2001:db8::/32", false },
    { "2001:db8::1/32", "2001:db8::/32", true },
    { "2001:db8::1/128", "2001:db8::1", false },
    { "2001:db8::1/64", "2001:db8::/64", true },
    { "::/0", "::/0", false },
    { "2001:db8::1-2001:db8::ff", "2001:db8::1-2001:db8::ff", false },
    { "2001:db8::-2001:db8::ff", "2001:db8::/120", false },
    { "2001:db8::1-2001:DB8:0::1", "2001:db8::1", false },
    { "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0", false },
    /* A v4-mapped address is the IPv4 address, in blocks too. */
    { "::ffff:192.0.2.7", "192.0.2.7", false },
    { "::ffff:192.0.2.7/128", "192.0.2.7", false },
    { "::ffff:192.0.2.0/120", "192.0.2.0/24", false },
    { "::ffff:192.0.2.1/120", "192.0.2.0/24", true },
    { "::ffff:0:0/96", "0.0.0.0/0", false },
    { "::ffff:192.0.2.1-::ffff:192.0.2.50", "192.0.2.1-192.0.2.50", false },
    { "::ffff:192.0.2.1-192.0.2.50", "192.0.2.1-192.0.2.50", false },
};

START_TEST(a_block_is_understood_in_every_spelling)
{
    struct block block;
    struct error error;
    char text[BLOCK_TEXT_SIZE];
    int r = block_parse(str_of(blocks[_i].text), &block, &error);
    ck_assert_msg(r == 0, "%s", error.text);
    block_format(&block, text);
    ck_assert_str_eq(text, blocks[_i].canonical);
    ck_assert_int_eq(block.host_bits, blocks[_i].host_bits);
    ck_assert(block_is_meant(str_of(blocks[_i].text)));
}
END_TEST

START_TEST(the_canonical_text_is_the_same_block)
{
    struct block block, again;
    ck_assert_int_eq(block_parse(str_of(blocks[_i].text), &block, NULL), 0);
    ck_assert_int_eq(block_parse(str_of(blocks[_i].canonical), &again, NULL), 0);
    ck_assert_int_eq(ip_compare(&block.first, &again.first), 0);
    ck_assert_int_eq(ip_compare(&block.last, &again.last), 0);
    ck_assert(!again.host_bits);
}
END_TEST

static const struct {
    const char *text;
    size_t n;
} no_blocks[] = {
    { "", 0 },
    { "example.com", 0 },
    { "unknown", 0 },
    { "192.0.2", 0 },
    { "192.0.2.256", 0 },
    { "192.0.2.0/", 0 },
    { "192.0.2.0/33", 0 },
    { "192.0.2.0/-1", 0 },
    { "192.0.2.0/024", 0 },
    { "192.0.2.0/24 ", 0 },
    { " 192.0.2.0/24", 0 },
    { "192.0.2.0 /24", 0 },
    { "192.0.2.0/24/24", 0 },
    { "192.0.2.0/4294967320", 0 },
    { "192.0.2.0/18446744073709551640", 0 },
    { "192.0.2.0/255.0.255.0", 0 },
    { "192.0.2.0/0.0.0.255", 0 },
    { "192.0.2.0/255.255.255", 0 },
    { "192.0.2/24", 0 },
    { "/24", 0 },
    { "192.0.2.50-1", 0 },
    { "192.0.2.50-192.0.2.1", 0 },
    { "192.0.2.1-256", 0 },
    { "192.0.2.1-", 0 },
    { "-192.0.2.1", 0 },
    { "-", 0 },
    { "192.0.2.1-2-3", 0 },
    { "192.0.2.1-007", 0 },
    { "192.0.2.0/24-192.0.3.0/24", 0 },
    { "192.0.2.1-2.50", 0 },
    { "192.0.2.1-2001:db8::1", 0 },
    { "2001:db8::1-192.0.2.1", 0 },
    { "192.0.*", 0 },
    { "192.0.*.*", 0 },
    { "192.0.2.1*", 0 },
    { "192.0.*.1", 0 },
    { "192.0.2*", 0 },
    { "*", 0 },
    { "*.0.2.1", 0 },
    { "192.0.2.*/24", 0 },
    { "192.0.2.*-192.0.3.*", 0 },
    { "192.0.2.\0", 9 },
    { "192.0.2.0/24\0", 13 },
    { "2001:db8::/129", 0 },
    { "2001:db8::/ffff::", 0 },
    { "2001:db8::/255.255.255.0", 0 },
    { "2001:db8::/", 0 },
    { "2001:db8::*", 0 },
    { "2001:db8::1-ff", 0 },
    { "2001:db8::ff-2001:db8::1", 0 },
    { "2001:db8::1-", 0 },
    { "[2001:db8::1]", 0 },
    { "192.0.2.1:25", 0 },
};

START_TEST(what_is_no_block_is_refused_with_a_reason)
{
    struct block block;
    struct error error = { "" };
    struct str text = str_sized(no_blocks[_i].text, no_blocks[_i].n);
    ck_assert_int_eq(block_parse(text, &block, &error), -EINVAL);
    ck_assert_str_ne(error.text, "");
    ck_assert_int_eq(block_parse(text, &block, NULL), -EINVAL);
}
END_TEST

static const struct {
    const char *text;
    bool meant;
} meanings[] = {
    { "192.0.2.1", true },
    { "192.0.2.0/24", true },
    { "192.0.2.*", true },
    { "192.0.2.1-50", true },
    { "1.2.3", true },
    { "25", true },
    { "-", true },
    { "*", true },
    { "/", true },
    { "2001:db8::1", true },
    { "mail.example:25", true },
    { ":", true },
    { "", false },
    { "unknown", false },
    { "mail.example.net", false },
    { ".example.net", false },
    { "1.example", false },
    { "192.0.2.1 ", false },
    { "192.0.2.x", false },
    { "192.0.2.1_2", false },
};

START_TEST(a_block_is_told_from_a_name)
{
    ck_assert_int_eq(block_is_meant(str_of(meanings[_i].text)), meanings[_i].meant);
}
END_TEST

static const struct {
    const char *block, *addr;
    bool held;
} holdings[] = {
    { "192.0.2.0/24", "192.0.1.255", false },
    { "192.0.2.0/24", "192.0.2.0", true },
    { "192.0.2.0/24", "192.0.2.255", true },
    { "192.0.2.0/24", "192.0.3.0", false },
    { "192.0.2.1-50", "192.0.2.0", false },
    { "192.0.2.1-50", "192.0.2.1", true },
    { "192.0.2.1-50", "192.0.2.50", true },
    { "192.0.2.1-50", "192.0.2.51", false },
    { "192.0.2.0/24", "::ffff:192.0.2.9", true },
    { "::ffff:192.0.2.0/120", "192.0.2.9", true },
    { "2001:db8::/32", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", false },
    { "2001:db8::/32", "2001:db8::", true },
    { "2001:db8::/32", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true },
    { "2001:db8::/32", "2001:db9::", false },
    /* The families are apart, and a mapped address is IPv4. */
    { "0.0.0.0/0", "2001:db8::1", false },
    { "0.0.0.0/0", "::", false },
    { "::/0", "192.0.2.1", false },
    { "::/0", "::ffff:192.0.2.1", false },
    { "::/0", "2001:db8::1", true },
    { "::/64", "::ffff:192.0.2.1", false },
};

START_TEST(a_block_holds_its_addresses_and_no_others)
{
    struct block block;
    struct ip_addr addr = addr_of(holdings[_i].addr);
    ck_assert_int_eq(block_parse(str_of(holdings[_i].block), &block, NULL), 0);
    ck_assert_int_eq(block_holds(&block, &addr), holdings[_i].held);
}
END_TEST

static const struct {
    const char *block, *prefixes;
} splits[] = {
    { "192.0.2.7", "192.0.2.7" },
    { "192.0.2.0/24", "192.0.2.0/24" },
    { "0.0.0.0/0", "0.0.0.0/0" },
    { "::/0", "::/0" },
    { "192.0.2.1-50", "192.0.2.1 192.0.2.2/31 192.0.2.4/30 192.0.2.8/29 192.0.2.16/28 192.0.2.32/28 192.0.2.48/31 "
                      "192.0.2.50" },
    { "192.0.2.255-192.0.3.0", "192.0.2.255 192.0.3.0" },
    { "255.255.255.254-255.255.255.255", "255.255.255.254/31" },
    { "255.255.255.253-255.255.255.255", "255.255.255.253 255.255.255.254/31" },
    { "2001:db8::1-2001:db8::4", "2001:db8::1 2001:db8::2/127 2001:db8::4" },
    { "2001:db8::ffff:ffff:ffff:ffff-2001:db8:0:1::", "2001:db8::ffff:ffff:ffff:ffff 2001:db8:0:1::" },
};

START_TEST(a_block_is_made_of_the_fewest_prefixes)
{
    struct block block;
    struct prefix prefix;
    char all[1024] = "", one[BLOCK_TEXT_SIZE];
    ck_assert_int_eq(block_parse(str_of(splits[_i].block), &block, NULL), 0);
    for (struct block_rest rest = block_prefixes(&block); block_next_prefix(&rest, &prefix);) {
        prefix_format(&prefix, one);
        if (*all)
            strcat(all, " ");
        strcat(all, one);
    }
    ck_assert_str_eq(all, splits[_i].prefixes);
}
END_TEST

/* Checks that the prefixes follow each other from the first to the last address, each at its boundary, and that no
 * neighbours could be one. Returns how many there are. */
static int check_prefixes(const struct block *block)
{
    bool v6 = block->first.v6;
    wide next = wide_of(&block->first), last = wide_of(&block->last);
    struct block_rest rest = block_prefixes(block);
    struct prefix prefix, before = { .len = 0 };
    int n = 0;
    for (; block_next_prefix(&rest, &prefix); n++) {
        wide start = wide_of(&prefix.addr), span = wide_span(prefix.len, v6);
        ck_assert_int_eq(prefix.addr.v6, v6);
        ck_assert(start == next && (start & span) == 0);
        if (n > 0 && prefix.len == before.len)
            ck_assert((wide_of(&before.addr) & (span + 1)) != 0);
        before = prefix;
        next = start + span + 1;
        ck_assert(start + span <= last);
    }
    ck_assert(next == last + 1);
    ck_assert(!block_next_prefix(&rest, &prefix));
    return n;
}

static const struct {
    const char *block;
    int prefixes;
} greatest[] = {
    { "0.0.0.1-255.255.255.254", 62 },
    { "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", 254 },
};

START_TEST(the_worst_block_is_as_many_prefixes_as_said)
{
    struct block block;
    ck_assert_int_eq(block_parse(str_of(greatest[_i].block), &block, NULL), 0);
    ck_assert_int_eq(check_prefixes(&block), greatest[_i].prefixes);
}
END_TEST

enum { RANDOM_BLOCKS = 2000 };

/* Two numbers that have some leading bits in common, in order. */
static struct block random_block(uint64_t *seed)
{
    bool v6 = seeded_below(seed, 2);
    wide bits = (wide)seeded_next(seed) << 64 | seeded_next(seed);
    wide other = (wide)seeded_next(seed) << 64 | seeded_next(seed);
    unsigned common = seeded_below(seed, v6 ? 129 : 33);
    wide a = bits & wide_max(v6), b = a ^ (other & wide_span(common, v6));
    if (v6 && a >> 32 == 0xffff)
        a = b = 1; /* mapped: it is no IPv6 address */
    return (struct block){ wide_to_addr(a < b ? a : b, v6), wide_to_addr(a < b ? b : a, v6), false };
}

START_TEST(random_blocks_survive_text_and_prefixes)
{
    uint64_t seed = 1;
    for (int i = 0; i < RANDOM_BLOCKS; i++) {
        struct block block = random_block(&seed), again;
        char text[BLOCK_TEXT_SIZE];
        (void)check_prefixes(&block);
        block_format(&block, text);
        ck_assert_int_eq(block_parse(str_of(text), &again, NULL), 0);
        ck_assert_msg(ip_compare(&block.first, &again.first) == 0 && ip_compare(&block.last, &again.last) == 0 &&
                          !again.host_bits,
                      "%s", text);
    }
}
END_TEST

START_TEST(random_blocks_end_at_their_boundaries)
{
    uint64_t seed = 2;
    for (int i = 0; i < RANDOM_BLOCKS; i++) {
        struct block block = random_block(&seed);
        bool v6 = block.first.v6;
        wide first = wide_of(&block.first), last = wide_of(&block.last);
        struct ip_addr before = wide_to_addr(first - 1, v6), after = wide_to_addr(last + 1, v6);
        struct ip_addr within = wide_to_addr(first + (last - first) / 2, v6);
        ck_assert(block_holds(&block, &block.first) && block_holds(&block, &block.last));
        ck_assert(block_holds(&block, &within));
        ck_assert(first == 0 || !block_holds(&block, &before));
        ck_assert(last == wide_max(v6) || !block_holds(&block, &after));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("block");
    TCase *address = suite_case(suite, "addresses");
    tcase_add_loop_test(address, an_address_has_one_canonical_text, 0, COUNT(addresses));
    tcase_add_loop_test(address, what_is_no_address_is_refused, 0, COUNT(no_addresses));
    tcase_add_test(address, an_address_need_not_end_in_nul);
    tcase_add_loop_test(address, addresses_are_in_order_and_ipv4_is_first, 0, COUNT(ascending));
    tcase_add_loop_test(address, a_mask_clears_the_bits_beyond_it, 0, COUNT(masks));

    TCase *block = suite_case(suite, "blocks");
    tcase_add_loop_test(block, a_block_is_understood_in_every_spelling, 0, COUNT(blocks));
    tcase_add_loop_test(block, the_canonical_text_is_the_same_block, 0, COUNT(blocks));
    tcase_add_loop_test(block, what_is_no_block_is_refused_with_a_reason, 0, COUNT(no_blocks));
    tcase_add_loop_test(block, a_block_is_told_from_a_name, 0, COUNT(meanings));
    tcase_add_loop_test(block, a_block_holds_its_addresses_and_no_others, 0, COUNT(holdings));
    tcase_add_loop_test(block, a_block_is_made_of_the_fewest_prefixes, 0, COUNT(splits));
    tcase_add_loop_test(block, the_worst_block_is_as_many_prefixes_as_said, 0, COUNT(greatest));

    TCase *random = suite_case(suite, "random blocks");
    tcase_add_test(random, random_blocks_survive_text_and_prefixes);
    tcase_add_test(random, random_blocks_end_at_their_boundaries);
    return suite_run(suite);
}
