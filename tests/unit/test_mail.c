#include "core/mail.h"
#include "core/rule_key.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>

static const struct {
    const char *text;
    enum mail_reading reading;
    const char *local, *domain;
} addresses[] = {
    { "fred@example.net", MAIL_AS_SENT, "fred", "example.net" },
    { "FRED@EXAMPLE.Net", MAIL_AS_SENT, "fred", "example.net" },
    { "<fred@example.net>", MAIL_AS_SENT, "fred", "example.net" },
    { "<<fred@example.net>>", MAIL_AS_SENT, "<fred", "example.net>" },
    { "<>", MAIL_AS_SENT, "", "" },
    { "", MAIL_AS_REWRITTEN, "", "" },
    { "fred@example.net.", MAIL_AS_SENT, "fred", "example.net" },
    { "fred@example.net..", MAIL_AS_SENT, "fred", "example.net." },
    { "fred@exam ple.\tnet .", MAIL_AS_SENT, "fred", "example.net" },
    { "fred smith@example.net", MAIL_AS_SENT, "fred smith", "example.net" },
    { "a@b@c", MAIL_AS_SENT, "a@b", "c" },
    { "fred@", MAIL_AS_REWRITTEN, "fred", "" },
    { "fred@.", MAIL_AS_REWRITTEN, "fred", "" },
    { "@example.net", MAIL_AS_REWRITTEN, "", "example.net" },
    { "fred", MAIL_AS_REWRITTEN, "fred", "" },
    { "a!b", MAIL_AS_SENT, "a!b", "" },
    { "a!b", MAIL_AS_REWRITTEN, "b", "a" },
    { "a!b!c", MAIL_AS_REWRITTEN, "b!c", "a" },
    { "a%b", MAIL_AS_REWRITTEN, "a", "b" },
    { "a%b%c", MAIL_AS_REWRITTEN, "a%b", "c" },
    { "x!a%b", MAIL_AS_REWRITTEN, "a%b", "x" },
    { "!b", MAIL_AS_REWRITTEN, "!b", "" },
    { "a!", MAIL_AS_REWRITTEN, "a!", "" },
    { "!x%y", MAIL_AS_REWRITTEN, "!x", "y" },
    { "%b", MAIL_AS_REWRITTEN, "%b", "" },
    { "a%", MAIL_AS_REWRITTEN, "a%", "" },
    { "a%b@c", MAIL_AS_REWRITTEN, "a%b", "c" },
    { "j\xc3\xbcrgen@b\xc3\xbc"
      "cher.example",
      MAIL_AS_SENT, "j\xc3\xbcrgen", "xn--bcher-kva.example" },
    { "J\xc3\x9cRGEN@B\xc3\x9c"
      "CHER.Example",
      MAIL_AS_SENT, "j\xc3\xbcrgen", "xn--bcher-kva.example" },
    { "a@fa\xc3\x9f.example", MAIL_AS_SENT, "a", "xn--fa-hia.example" },
    { "a@XN--BCHER-KVA.Example", MAIL_AS_SENT, "a", "xn--bcher-kva.example" },
    { "a@example\xe3\x80\x82"
      "com",
      MAIL_AS_SENT, "a", "example.com" },
    { "a@example.com\xe3\x80\x82", MAIL_AS_SENT, "a", "example.com" },
    { "a@\xff.EXAMPLE", MAIL_AS_SENT, "a", "\xff.example" },
    { "\xc5\xbf"
      "taff@x",
      MAIL_AS_SENT, "staff", "x" },
    { "sta\xef\xac\x80@x", MAIL_AS_SENT, "staff", "x" },
    { "stra\xc3\x9f"
      "e@x",
      MAIL_AS_SENT, "strasse", "x" },
    { "A\xff\xc3\x9c@x", MAIL_AS_SENT, "a\xff\xc3\x9c", "x" },
    { "a@[IPv6:2001:DB8::1]", MAIL_AS_SENT, "a", "[ipv6:2001:db8::1]" },
};

START_TEST(address_is_read_as_compared)
{
    struct mail_addr addr;
    char whole[128];
    ck_assert_int_eq(mail_parse(&addr, str_of(addresses[_i].text), addresses[_i].reading), 0);
    (void)snprintf(whole, sizeof whole, "%s%s%s", addresses[_i].local, addresses[_i].domain[0] ? "@" : "",
                   addresses[_i].domain);
    ck_assert_msg(str_is(addr.local, addresses[_i].local) && str_is(addr.domain, addresses[_i].domain) &&
                      str_is(addr.whole, whole),
                  "%s: %.*s, %.*s, %.*s", addresses[_i].text, STR_ARGS(addr.local), STR_ARGS(addr.domain),
                  STR_ARGS(addr.whole));
    mail_fini(&addr);
}
END_TEST

START_TEST(long_addresses_are_read_whole)
{
    enum { N = 60000 };
    struct mail_addr addr;
    char *text = malloc(N);
    ck_assert_ptr_nonnull(text);
    for (size_t at = N / 10; at < N; at += N / 10) {
        memset(text, 'X', N);
        text[at] = '@';
        ck_assert_int_eq(mail_parse(&addr, str_make(text, N), MAIL_AS_SENT), 0);
        ck_assert_uint_eq(addr.local.n, at);
        ck_assert_uint_eq(addr.domain.n, N - at - 1);
        ck_assert_int_eq(addr.whole.p[at + 1], 'x');
        mail_fini(&addr);
        memset(text, 0xc3, at); /* no UTF-8 */
        ck_assert_int_eq(mail_parse(&addr, str_make(text, N), MAIL_AS_SENT), 0);
        mail_fini(&addr);
    }
    free(text);
}
END_TEST

static const struct {
    const char *local, *delimiters, *name;
} extensions[] = {
    { "staff+x", "+", "staff" },
    { "staff+x+y", "+", "staff" },
    { "staff", "+", "staff" },
    { "+staff", "+", "+staff" },
    { "+staff+x", "+", "+staff" },
    { "a-b+c", "+-", "a" },
    { "a-b", "", "a-b" },
    { "", "+", "" },
    { "++", "+", "+" },
};

START_TEST(extension_is_cut)
{
    struct str name = mail_without_extension(str_of(extensions[_i].local), str_of(extensions[_i].delimiters));
    ck_assert(str_is(name, extensions[_i].name));
}
END_TEST

static const struct {
    const char *domain;
    bool host_name, literal, single_label;
} domains[] = {
    { "example.com", true, false, false },
    { "mail", true, false, true },
    { "a_b.example", true, false, false },
    { "192.0.2.1", true, false, false },
    { "", false, false, false },
    { "-a.example", false, false, false },
    { "a-.example", false, false, false },
    { "a..example", false, false, false },
    { ".example", false, false, false },
    { "example.", false, false, false },
    { "a b", false, false, true },
    { "[192.0.2.1]", false, true, false },
    { "[ipv6:2001:db8::1]", false, true, false },
    { "[2001:db8::1]", false, false, false },
    { "[ipv6:192.0.2.1]", false, false, false },
    { "[junk]", false, false, false },
    { "[]", false, false, false },
    { "[192.0.2.1", false, false, false },
    { "[ipv6:]", false, false, false },
    { "b\xc3\xbc"
      "cher",
      false, false, true },
};

START_TEST(domain_is_of_its_kind)
{
    struct str domain = str_of(domains[_i].domain);
    ck_assert_int_eq(domain_is_host_name(domain), domains[_i].host_name);
    ck_assert_int_eq(domain_is_literal(domain), domains[_i].literal);
    ck_assert_int_eq(domain_is_single_label(domain), domains[_i].single_label);
}
END_TEST

START_TEST(label_has_63_and_name_253_bytes_at_most)
{
    char text[300];
    memset(text, 'a', sizeof text);
    ck_assert(domain_is_host_name(str_make(text, 63)));
    ck_assert(!domain_is_host_name(str_make(text, 64)));
    for (size_t i = 50; i < sizeof text; i += 51)
        text[i] = '.';
    ck_assert(domain_is_host_name(str_make(text, 253)));
    ck_assert(!domain_is_host_name(str_make(text, 254)));
}
END_TEST

/* Keys. NULL: not understood. */
static const struct {
    enum rule_table table;
    const char *text, *canonical;
} keys[] = {
    { RULE_ACCESS_BLOCK, "192.0.2.7/255.255.255.0", "192.0.2.0/24" },
    { RULE_ACCESS_BLOCK, "2001:DB8::/32", "2001:db8::/32" },
    { RULE_ACCESS_BLOCK, "::ffff:192.0.2.1", "192.0.2.1" },
    { RULE_ACCESS_BLOCK, "mail.example.net", NULL },
    { RULE_ACCESS_BLOCK, "", NULL },
    { RULE_RELAY_GRANT, "192.0.2.*", "192.0.2.0/24" },
    { RULE_RELAY_GRANT, "Mail.Example.NET.", "mail.example.net" },
    { RULE_RELAY_GRANT, ".Example.NET", ".example.net" },
    { RULE_RELAY_GRANT,
      "b\xc3\xbc"
      "cher.example",
      "xn--bcher-kva.example" },
    { RULE_RELAY_GRANT, "unknown", NULL },
    { RULE_RELAY_GRANT, "Unknown.", NULL },
    { RULE_RELAY_GRANT, "host.10", NULL },
    { RULE_RELAY_GRANT, "192.0.2", NULL },
    { RULE_RELAY_GRANT, "mail:25", NULL },
    { RULE_RELAY_GRANT, ".", NULL },
    { RULE_RELAY_GRANT, "a b", NULL },
    { RULE_RELAY_GRANT, "a@b", NULL },
    { RULE_KILL_ENTRY, "Fred@Example.NET", "fred@example.net" },
    { RULE_KILL_ENTRY, "@Example.NET", "@example.net" },
    { RULE_KILL_ENTRY, "@.Example.NET", "@.example.net" },
    { RULE_KILL_ENTRY, "@*Widget.example", "@*widget.example" },
    { RULE_KILL_ENTRY, "@*.Widget.example", "@*.widget.example" },
    { RULE_KILL_ENTRY, "<fred@example.net>", "fred@example.net" },
    { RULE_KILL_ENTRY, "fred@[192.0.2.1]", "fred@[192.0.2.1]" },
    { RULE_KILL_ENTRY, "example.net", NULL },
    { RULE_KILL_ENTRY, "fred@@example.net", NULL },
    { RULE_KILL_ENTRY, "fred@", NULL },
    { RULE_KILL_ENTRY, "@", NULL },
    { RULE_KILL_ENTRY, "@.", NULL },
    { RULE_KILL_ENTRY, "@*", NULL },
    { RULE_KILL_ENTRY, "a\nb@example.net", NULL },
    { RULE_LOCAL_DOMAIN, "Example.COM.", "example.com" },
    { RULE_LOCAL_DOMAIN, ".Example.COM", ".example.com" },
    { RULE_LOCAL_DOMAIN, "[192.0.2.1]", "[192.0.2.1]" },
    { RULE_LOCAL_DOMAIN, "fred@example.com", NULL },
    { RULE_LOCAL_DOMAIN, ".", NULL },
    { RULE_LOCAL_DOMAIN, "", NULL },
    { RULE_LOCAL_USER, "Staff", "staff" },
    { RULE_LOCAL_USER, "Staff@Example.com", "staff@example.com" },
    { RULE_LOCAL_USER, "a@b@c", NULL },
    { RULE_LOCAL_USER, "@example.com", NULL },
    { RULE_LOCAL_USER, "staff@", NULL },
    { RULE_LOCAL_LIST, "", NULL },
    { RULE_LOCAL_LIST,
      "\xc5\xbf"
      "taff",
      "staff" },
};

START_TEST(key_is_understood_and_canonical)
{
    struct rule_key key;
    struct error error = { "" };
    int r = rule_key_parse(&key, keys[_i].table, str_of(keys[_i].text), &error);
    ck_assert_msg(r == (keys[_i].canonical ? 0 : -EINVAL), "%s: %d %s", keys[_i].text, r, error.text);
    if (r == 0)
        ck_assert_str_eq(key.text, keys[_i].canonical);
    else
        ck_assert_str_ne(error.text, "");
    rule_key_fini(&key);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mail");
    TCase *tcase = suite_case(suite, "mail");
    tcase_add_loop_test(tcase, address_is_read_as_compared, 0, COUNT(addresses));
    tcase_add_test(tcase, long_addresses_are_read_whole);
    tcase_add_loop_test(tcase, extension_is_cut, 0, COUNT(extensions));
    tcase_add_loop_test(tcase, domain_is_of_its_kind, 0, COUNT(domains));
    tcase_add_test(tcase, label_has_63_and_name_253_bytes_at_most);
    tcase_add_loop_test(tcase, key_is_understood_and_canonical, 0, COUNT(keys));
    return suite_run(suite);
}
