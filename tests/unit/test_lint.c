/*
 * lint: each code with rows that have it, that have it not, and that nearly have it; then random rules, of which what
 * is called useless is removed, row by row and all at once, and no decision may change.
 */
#include "core/lint.h"
#include "search.h"
#include "seeded.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>

enum { NOW = 1000, MAX_ROWS = 64, TEXT = 256 };

struct test_row {
    struct rule_row row;
    char key[TEXT], client[TEXT], value[TEXT];
};

static struct test_row rows[MAX_ROWS];
static struct lint_finding findings[2 * MAX_ROWS];
static int n_rows, n_findings;

/* Rows in words: KIND KEY [from CLIENT] [account NAME] [until TIME]; several with ; between them. */

static const struct {
    const char *word;
    enum rule_table table;
    const char *value;
} words[] = {
    { "deny", RULE_ACCESS_BLOCK, "deny" },
    { "allow", RULE_ACCESS_BLOCK, "grant" },
    { "grant", RULE_RELAY_GRANT, "grant" },
    { "refuse", RULE_RELAY_GRANT, "refuse" },
    { "kill", RULE_KILL_ENTRY, "" },
    { "accept", RULE_ACCEPT_ENTRY, "" },
    { "domain", RULE_LOCAL_DOMAIN, "local" },
    { "relay-domain", RULE_LOCAL_DOMAIN, "relay" },
    { "odd-domain", RULE_LOCAL_DOMAIN, "odd" },
    { "user", RULE_LOCAL_USER, "" },
    { "list", RULE_LOCAL_LIST, "" },
    { "open-list", RULE_LOCAL_LIST, "yes" },
    { "closed-list", RULE_LOCAL_LIST, "no" },
};

static void add_row(enum rule_table table, const char *key, const char *client, const char *value, int64_t expires_at)
{
    ck_assert_int_lt(n_rows, MAX_ROWS);
    struct test_row *row = &rows[n_rows++];
    (void)snprintf(row->key, sizeof row->key, "%s", key);
    (void)snprintf(row->client, sizeof row->client, "%s", client);
    (void)snprintf(row->value, sizeof row->value, "%s", value);
    row->row = (struct rule_row){ table, str_of(row->key), str_of(row->client), str_of(row->value), expires_at };
}

static void read_rule(char *text)
{
    char *rest = text, *kind = strtok_r(text, " ", &rest), *key = strtok_r(NULL, " ", &rest), *word;
    const char *client = "", *value = NULL;
    enum rule_table table = RULE_SETTING;
    int64_t expires_at = RULE_NEVER_EXPIRES;
    if (strcmp(kind, "set") == 0) {
        add_row(RULE_SETTING, key, "", rest, RULE_NEVER_EXPIRES);
        return;
    }
    for (int i = 0; i < COUNT(words); i++) {
        if (strcmp(words[i].word, kind) == 0) {
            table = words[i].table;
            value = words[i].value;
        }
    }
    ck_assert_msg(value && key, "\"%s\" is no rule", kind);
    while ((word = strtok_r(NULL, " ", &rest))) {
        const char *argument = strtok_r(NULL, " ", &rest);
        ck_assert_ptr_nonnull(argument);
        if (strcmp(word, "from") == 0)
            client = argument;
        else if (strcmp(word, "account") == 0)
            value = argument;
        else
            expires_at = atoll(argument);
    }
    add_row(table, key, client, value, expires_at);
}

static void read_rules(const char *text)
{
    char copy[2048], *rest = copy, *rule;
    n_rows = 0;
    ck_assert_uint_lt(strlen(text), sizeof copy);
    (void)snprintf(copy, sizeof copy, "%s", text);
    while ((rule = strtok_r(NULL, ";", &rest)))
        read_rule(rule + strspn(rule, " "));
}

/* Looking at them. */

static int keep(void *context, const struct lint_finding *finding)
{
    (void)context;
    ck_assert_int_lt(n_findings, COUNT(findings));
    findings[n_findings++] = *finding;
    return 0;
}

static void look(void)
{
    struct lint *lint = lint_new(NOW, keep, NULL);
    n_findings = 0;
    for (int table = 0; table < RULE_TABLE_COUNT; table++) {
        for (int i = 0; i < n_rows; i++)
            if (rows[i].row.table == (enum rule_table)table)
                ck_assert_int_eq(lint_row(lint, &rows[i].row, i), 0);
        ck_assert_int_eq(lint_end(lint, (enum rule_table)table), 0);
    }
    lint_free(lint);
}

/* What was found, as "code key", where there is another row that counts with "< key" behind it; ; between them. */
static const char *seen(void)
{
    static char text[4096];
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < n_findings; i++) {
        const struct lint_finding *f = &findings[i];
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? "; " : "", lint_infos[f->code].name);
        if (f->has_row)
            used += (size_t)snprintf(text + used, sizeof text - used, " %s", rows[f->row].key);
        if (f->has_other)
            used += (size_t)snprintf(text + used, sizeof text - used, " < %s", rows[f->other].key);
    }
    return text;
}

static const struct {
    const char *rules, *findings;
} cases[] = {
    { "", "" },
    /* What the README shows, and what many have besides. */
    { "domain example.com;relay-domain backup.example;grant 192.0.2.0/24;grant mail.example.net;refuse 192.0.2.66;"
      "deny 203.0.113.0/24 until 8200;kill fred@example.org;kill @*widget.example;"
      "accept partner@example.org from 198.51.100.0/28;closed-list staff;set max_recipients 100;"
      "domain example.org;grant 198.51.100.7;deny 2001:db8::/32 until 8200;set local_sender_auth yes",
      "" },
    { "domain example.com;grant 127.0.0.0/8;grant ::1;grant 127.0.0.1-127.0.0.50", "shadowed 127.0.0.1-127.0.0.50 < "
                                                                                   "127.0.0.0/8" },
    { "domain example.com;grant 192.168.1.0/24;grant fd12:3456:789a:1::/64;grant fe80::/64", "" },
    { "user alice@example.com;user info account alice@example.com;user info@example.com account bob;domain .lan", "" },

    /* not-understood */
    { "deny 192.0.2.300;refuse mail.example.net;kill nobody;accept @example.net from nowhere;domain a@b;"
      "odd-domain example.com;user @;list a@b@c;set no_such 1;set pop_before_smtp soon",
      "not-understood no_such; not-understood pop_before_smtp; not-understood 192.0.2.300; "
      "not-understood mail.example.net; not-understood nobody; not-understood @example.net; not-understood a@b; "
      "not-understood example.com; not-understood @; not-understood a@b@c" },
    { "set pop_before_smtp 10080;deny 192.0.2.255", "" },

    /* expired, and that alone */
    { "deny 192.0.2.7 until 1000", "expired 192.0.2.7" },
    { "deny 192.0.2.7 until 1001", "" },
    { "domain a.example;grant 0.0.0.0/0 until 999;grant 192.0.2.7/24 until 999;refuse 192.0.2.300 until 999;"
      "kill a@b.example until 1;kill A@b.example",
      "expired 192.0.2.300; expired 0.0.0.0/0; expired 192.0.2.7/24; expired a@b.example" },

    /* host-bits */
    { "deny 192.0.2.7/24", "host-bits 192.0.2.7/24" },
    { "deny 192.0.2.7/255.255.255.0;deny 192.0.2.9-192.0.2.17;deny 198.51.100.*;deny 203.0.113.0/255.255.255.0",
      "host-bits 192.0.2.7/255.255.255.0; shadowed 192.0.2.9-192.0.2.17 < 192.0.2.7/255.255.255.0" },
    { "deny 2001:db8::1/64", "host-bits 2001:db8::1/64" },
    { "accept a@b.example from 192.0.2.7/28", "host-bits a@b.example" },
    { "accept a@b.example from 192.0.2.0/28", "" },
    { "set pop_before_smtp_skip 192.0.2.1/24 ::1", "host-bits pop_before_smtp_skip" },
    { "set pop_before_smtp_skip 192.0.2.0/24,192.0.2.1-5", "" },
    { "deny 192.0.2.7/24;deny 192.0.2.0/24", "duplicate 192.0.2.7/24 < 192.0.2.0/24" },

    /* duplicate: once for each that is too many; the one that lives longest stays */
    { "deny 192.0.2.0/24;deny 192.0.2.*;deny 192.0.2.0/255.255.255.0",
      "duplicate 192.0.2.* < 192.0.2.0/24; duplicate 192.0.2.0/255.255.255.0 < 192.0.2.0/24" },
    { "deny 192.0.2.0/24 until 2000;deny 192.0.2.* until 3000", "duplicate 192.0.2.0/24 < 192.0.2.*" },
    { "deny 192.0.2.0/24;deny 192.0.2.0/25", "shadowed 192.0.2.0/25 < 192.0.2.0/24" },
    { "deny 192.0.2.1-5;deny 192.0.2.1-192.0.2.5", "duplicate 192.0.2.1-5 < 192.0.2.1-192.0.2.5" },
    { "deny 192.0.2.1-5;deny 192.0.2.1-6", "shadowed 192.0.2.1-5 < 192.0.2.1-6" },
    { "deny 192.0.2.1-5;deny 192.0.2.2-6", "" },
    { "domain a.example;grant MAIL.example.net.;grant mail.example.net",
      "duplicate MAIL.example.net. < mail.example.net" },
    { "kill Fred@Example.net;kill fred@example.net", "duplicate Fred@Example.net < fred@example.net" },
    { "accept a@b.example from 192.0.2.0/28;accept A@b.example from 192.0.2.0-15",
      "duplicate A@b.example < a@b.example" },
    { "accept a@b.example from 192.0.2.0/28;accept a@b.example from 192.0.2.16/28", "" },
    { "domain Example.com;domain example.com.;domain example.com",
      "duplicate Example.com < example.com; duplicate example.com. < example.com" },
    { "user INFO;user info", "duplicate INFO < info" },
    { "user INFO account alice;user info account Alice;user info account bob", "duplicate INFO < info" },
    { "user info account info;user INFO", "duplicate INFO < info" },
    { "user INFO account alice;user info account bob;user Info", "" },
    { "closed-list STAFF;closed-list staff;list news;list nEws", "duplicate STAFF < staff; duplicate nEws < news" },

    /* overruled */
    { "allow 192.0.2.0/24;deny 192.0.2.*", "overruled 192.0.2.0/24 < 192.0.2.*" },
    { "domain a.example;grant 192.0.2.0/24;refuse 192.0.2.*", "overruled 192.0.2.0/24 < 192.0.2.*" },
    { "domain a.example;grant 192.0.2.0/24;refuse 192.0.2.* until 2000", "" }, /* for now */
    { "domain a.example;grant 192.0.2.0/24 until 2000;refuse 192.0.2.* until 2000",
      "overruled 192.0.2.0/24 < 192.0.2.*" },
    { "relay-domain example.com;domain EXAMPLE.com", "overruled example.com < EXAMPLE.com" },
    { "open-list STAFF;closed-list staff;list Staff", "overruled STAFF < staff; overruled Staff < staff" },

    /* shadowed */
    { "domain a.example;grant 192.0.2.0/24;grant 192.0.2.7", "shadowed 192.0.2.7 < 192.0.2.0/24" },
    { "domain a.example;grant 192.0.2.0/24;refuse 192.0.2.7", "" },
    { "domain a.example;grant 192.0.2.0/24;refuse 192.0.2.0/28;grant 192.0.2.7", "" },
    { "domain a.example;grant 192.0.2.0/24;refuse 192.0.2.0/28 until 1000;grant 192.0.2.7",
      "expired 192.0.2.0/28; shadowed 192.0.2.7 < 192.0.2.0/24" },
    { "domain a.example;grant 192.0.2.0/24 until 2000;grant 192.0.2.7", "" },
    { "domain a.example;grant 192.0.2.0/24 until 2000;grant 192.0.2.7 until 2000",
      "shadowed 192.0.2.7 < 192.0.2.0/24" },
    { "domain a.example;grant 192.0.2.0/24;grant 192.0.2.0/26 until 2000;grant 192.0.2.7 until 3000",
      "shadowed 192.0.2.0/26 < 192.0.2.0/24; shadowed 192.0.2.7 < 192.0.2.0/24" },
    { "deny 192.0.2.0/24;deny 192.0.2.0/26;deny 192.0.2.7",
      "shadowed 192.0.2.0/26 < 192.0.2.0/24; shadowed 192.0.2.7 < 192.0.2.0/26" },
    { "deny 2001:db8::/32;deny 2001:db8::1;deny 2001:db9::1", "shadowed 2001:db8::1 < 2001:db8::/32" },
    { "deny 192.0.2.0/24;deny 192.0.2.250-192.0.3.5", "" },
    { "deny 192.0.2.0/24;deny 192.0.3.0/24;deny 192.0.2.250-192.0.3.5", "shadowed 192.0.2.250-192.0.3.5 < "
                                                                        "192.0.2.0/24" },
    { "deny 192.0.2.7-8;deny 192.0.2.7", "shadowed 192.0.2.7 < 192.0.2.7-8" },
    { "domain a.example;grant .example.net;grant .sub.example.net;grant mail.example.net",
      "shadowed .sub.example.net < .example.net; shadowed mail.example.net < .example.net" },
    { "domain a.example;grant .example.net;grant .sub.example.net;grant mail.example.net;refuse 192.0.2.0/24",
      "shadowed .sub.example.net < .example.net" }, /* a refused prefix comes before .example.net */
    { "domain a.example;grant .example.net;grant example.net;grant notexample.net", "" },
    { "kill @example.net;kill fred@example.net;kill @*ample.net;kill @.example.net;kill @mail.example.net;"
      "kill @*.example.net;kill a@other.example",
      "shadowed @example.net < @*ample.net; shadowed fred@example.net < @example.net; "
      "shadowed @.example.net < @*.example.net; shadowed @mail.example.net < @.example.net; "
      "shadowed @*.example.net < @*ample.net" },
    { "kill @.example.net;kill @*.example.net until 2000;kill @example.net;kill fred@example.net until 2000;"
      "kill fred@.example.net.example",
      "shadowed fred@example.net < @example.net" },
    { "accept @example.org from 192.0.2.0/24;accept a@example.org from 192.0.2.0/28;"
      "accept b@example.org from 192.0.3.0/28;accept @.example.org from 192.0.2.0/24;"
      "accept c@x.example.org from 192.0.2.1-3",
      "shadowed a@example.org < @example.org; shadowed c@x.example.org < @.example.org" },
    { "accept a@example.org from 192.0.2.0/28;accept a@example.org from 192.0.2.1", "shadowed a@example.org < "
                                                                                    "a@example.org" },
    { "domain .example.com;domain mail.example.com;relay-domain .sub.example.com;domain x.sub.example.com;"
      "domain example.com",
      "shadowed mail.example.com < .example.com" },

    /* What is to go covers nothing. */
    { "domain a.example;grant 0.0.0.0/0;grant 192.0.2.7", "grant-everybody 0.0.0.0/0" },
    { "accept @example.org;accept a@example.org from 192.0.2.1", "accept-any-client @example.org" },

    /* Settings. */
    { "set relay_for anyone", "relay-anyone relay_for" },
    { "set relay_for local-hosts", "forged-sender relay_for" },
    { "set relay_for local-users", "forged-sender relay_for" },
    { "set relay_for addresses", "" },
    { "set relay_for nobody", "" },
    { "set pop_before_smtp_match address;set pop_before_smtp_max_accounts 0",
      "logins-unlimited pop_before_smtp_max_accounts" },
    { "set pop_before_smtp_match address", "" },
    { "set pop_before_smtp_match sender;set pop_before_smtp_max_accounts 0", "" },
    { "set pop_before_smtp_match address;set pop_before_smtp_max_accounts 0;set pop_before_smtp 0", "" },
    { "set observe relay,list", "observe observe" },
    { "set observe ", "" },

    /* nobody-may-connect */
    { "set unlisted_clients deny", "nobody-may-connect unlisted_clients" },
    { "set unlisted_clients deny;allow 192.0.2.0/24 until 1000",
      "expired 192.0.2.0/24; nobody-may-connect unlisted_clients" },
    { "set unlisted_clients deny;allow 192.0.2.0/24", "" },
    { "set unlisted_clients grant", "" },
    { "deny 0.0.0.0/0;deny 192.0.2.7", "nobody-may-connect 0.0.0.0/0" },
    { "deny 0.0.0.0/0;allow 192.0.2.0/24", "" },
    { "deny 0.0.0.0/0;allow 2001:db8::/32", "nobody-may-connect 0.0.0.0/0" },
    { "deny ::/0", "" },
    { "deny 0.0.0.0/1", "" },

    /* Grants. */
    { "domain a.example;grant 0.0.0.0/0;grant ::/0;grant 0.0.0.0/1;grant 32.0.0.0-64.255.255.255;grant 2000::/3",
      "grant-everybody 0.0.0.0/0; grant-everybody ::/0; grant-everybody 0.0.0.0/1; "
      "grant-everybody 32.0.0.0-64.255.255.255; grant-everybody 2000::/3" },
    { "domain a.example;grant 192.0.0.0/15;grant 198.51.0.0-198.52.0.0;grant 2001:db8::/31;grant 198.0.0.0/8",
      "grant-great-block 192.0.0.0/15; grant-great-block 198.51.0.0-198.52.0.0; grant-great-block 2001:db8::/31; "
      "grant-great-block 198.0.0.0/8" },
    { "domain a.example;grant 192.0.0.0/16;grant 198.51.0.0-198.51.255.255;grant 2001:db8::/32", "" },
    { "domain a.example;refuse 0.0.0.0/0", "" },
    { "domain a.example;grant 10.0.0.0/8;grant 172.16.0.0/12;grant 192.168.0.0/16;grant 100.64.0.0/10;"
      "grant 169.254.0.0/16;grant fc00::/7;grant fe80::/10",
      "grant-private 10.0.0.0/8; grant-private 172.16.0.0/12; grant-private 192.168.0.0/16; "
      "grant-private 100.64.0.0/10; grant-private 169.254.0.0/16; grant-private fc00::/7; grant-private fe80::/10" },
    { "domain a.example;grant 10.1.2.0/23;grant 172.18.0.0/16;grant 10.0.1.0/24;grant fd00::/63",
      "grant-private 10.1.2.0/23; grant-private 172.18.0.0/16; grant-private fd00::/63" },
    { "domain a.example;grant 11.0.0.0/16;grant 192.169.0.0/16", "" },
    { "domain a.example;grant 172.17.0.0/16", "grant-docker 172.17.0.0/16" },
    { "domain a.example;grant 172.17.0.0/24;grant 172.17.0.1", "grant-docker 172.17.0.1" },
    { "domain a.example;grant 172.17.0.0/16;refuse 172.17.0.1", "" },
    { "domain a.example;grant 172.17.0.0/16;refuse 172.17.0.1 until 1000",
      "grant-docker 172.17.0.0/16; expired 172.17.0.1" },
    { "domain a.example;grant 172.17.0.2;grant 172.17.1.0/24", "" },
    { "domain a.example;grant .com;grant .co.uk;grant .lan",
      "grant-public-suffix .com; grant-public-suffix .co.uk; grant-public-suffix .lan" },
    { "domain a.example;grant localhost;grant com;grant co.uk;grant .example.co.uk;grant .co.example;grant .ibm.de",
      "" },

    /* accept */
    { "accept a@example.org;accept @*example.org from 0.0.0.0/0;accept b@example.net from ::/0",
      "accept-any-client a@example.org; accept-any-client @*example.org; accept-any-client b@example.net" },
    { "accept a@example.org from 192.0.0.0/15;accept a@example.com from 192.0.0.0/16",
      "accept-great-block a@example.org" },
    { "accept @*com;accept @.com;accept @*.co.uk;accept @*e from 0.0.0.0/0;accept @.com from 192.0.2.0/24;"
      "accept @com from 192.0.2.0/24",
      "accept-everybody @*com; accept-everybody @.com; accept-everybody @*.co.uk; accept-everybody @*e" },
    { "accept a@example.org from 10.0.0.0/8;accept a@example.org from 127.0.0.0/8", "" },

    /* list-with-domain */
    { "domain example.com;domain example.net;closed-list staff@example.com", "list-with-domain staff@example.com" },
    { "domain example.com;relay-domain example.net;closed-list staff@example.com", "" },
    { "domain example.com;domain example.net until 1000;closed-list staff@example.com", "expired example.net" },
    { "domain example.com;domain EXAMPLE.com;closed-list staff@example.com", "duplicate EXAMPLE.com < example.com" },
    { "domain example.com;domain example.net;closed-list staff@example.org", "" },
    { "domain example.com;domain example.net;closed-list staff@example.com;open-list staff", "" },
    { "domain example.com;domain example.net;closed-list staff@example.com;open-list staff until 1",
      "list-with-domain staff@example.com; expired staff" },
    { "domain .example.com;domain example.net;list staff@a.example.com", "list-with-domain staff@a.example.com" },
    { "domain example.com;domain example.net;closed-list staff", "" },

    /* no-local-domain */
    { "grant 192.0.2.0/24", "no-local-domain" },
    { "grant 192.0.2.0/24;domain example.com until 1000", "expired example.com; no-local-domain" },
    { "refuse 192.0.2.0/24", "" },
    { "grant 192.0.2.0/24 until 1000", "expired 192.0.2.0/24" },
    { "grant 192.0.2.0/24;relay-domain example.com", "" },
};

START_TEST(finds_what_is_there_and_no_more)
{
    read_rules(cases[_i].rules);
    look();
    ck_assert_msg(strcmp(seen(), cases[_i].findings) == 0, "%s\nexpected: %s\nseen:     %s", cases[_i].rules,
                  cases[_i].findings, seen());
}
END_TEST

START_TEST(each_code_has_a_name_of_its_own_and_a_case)
{
    for (int code = 0; code < LINT_CODES; code++) {
        const char *name = lint_infos[code].name;
        bool shown = false;
        ck_assert_int_eq(lint_code_by_name(str_of(name)), code);
        for (int i = 0; i < COUNT(cases) && !shown; i++)
            shown = strstr(cases[i].findings, name) != NULL;
        ck_assert_msg(shown, "%s", name);
    }
    ck_assert_int_eq(lint_code_by_name(str_of("no-such-code")), LINT_NOTHING);
}
END_TEST

/* Whether gatepost reaches just this row by its key. */
static const struct {
    const char *rules;
    bool alone;
} lonely[] = {
    { "deny 192.0.2.7 until 1", true },
    { "deny 192.0.2.7 until 1;deny 192.0.2.7/32", false },
    { "deny 192.0.2.7 until 1;allow 192.0.2.7/32 until 1", false },
    { "deny 192.0.2.7-9 until 1;deny 192.0.2.7;deny 192.0.2.7-192.0.2.8", true },
    { "deny 192.0.2.7-9 until 1;deny 192.0.2.7-192.0.2.9", false },
    { "accept a@b.example from 192.0.2.1 until 1;accept a@b.example from 192.0.2.2", true },
    { "accept a@b.example from 192.0.2.1 until 1;accept A@b.example from 192.0.2.1/32", false },
    { "accept a@b.example from 192.0.2.1-3 until 1;accept A@b.example from 192.0.2.1-192.0.2.3", false },
    { "user info account alice until 1;user INFO account bob", false },
    { "user info account alice until 1;user info@example.com account alice", true },
    { "domain example.com until 1;domain .example.com", true },
    { "domain example.com until 1;odd-domain EXAMPLE.com", false },
};

START_TEST(knows_whether_a_key_is_enough)
{
    read_rules(lonely[_i].rules);
    look();
    for (int i = 0; i < n_findings; i++)
        if (findings[i].row == 0)
            ck_assert_int_eq(findings[i].alone, lonely[_i].alone);
    ck_assert_int_gt(n_findings, 0);
}
END_TEST

START_TEST(bytes_that_were_put_in_by_force_are_not_understood)
{
    static const char nul[] = "192.0.2.1\0 and more", escape[] = "\033[2Jexample.com", latin[] = "caf\xe9@example.com";
    static char huge[3000];
    memset(huge, 'a', sizeof huge);
    n_rows = 0;
    add_row(RULE_ACCESS_BLOCK, "", "", "deny", RULE_NEVER_EXPIRES);
    add_row(RULE_LOCAL_DOMAIN, escape, "", "local", RULE_NEVER_EXPIRES);
    add_row(RULE_LOCAL_USER, latin, "", "", RULE_NEVER_EXPIRES); /* an address, if an odd one */
    add_row(RULE_LOCAL_LIST, "", "", "", RULE_NEVER_EXPIRES);
    rows[0].row.key = str_make(nul, sizeof nul - 1);
    rows[3].row.key = str_make(huge, sizeof huge);
    look();
    ck_assert_int_eq(n_findings, 3);
    for (int i = 0; i < n_findings; i++) {
        ck_assert_int_eq(findings[i].code, LINT_NOT_UNDERSTOOD);
        ck_assert_int_ne(findings[i].row, 2);
    }
}
END_TEST

static int refuse(void *context, const struct lint_finding *finding)
{
    (void)finding;
    return *(int *)context;
}

START_TEST(what_the_caller_returns_ends_it)
{
    int r = -EPIPE;
    struct lint *lint = lint_new(NOW, refuse, &r);
    read_rules("set relay_for anyone;deny 192.0.2.300");
    ck_assert_int_eq(lint_row(lint, &rows[0].row, 0), 0);
    ck_assert_int_eq(lint_end(lint, RULE_SETTING), -EPIPE);
    ck_assert_int_eq(lint_row(lint, &rows[1].row, 1), -EPIPE);
    lint_free(lint);
    lint_free(NULL);
}
END_TEST

/* Random rules. */

#define PICK(list) ((list)[seeded_below(&state, COUNT(list))])

static uint64_t state;

static const char *const random_domains[] = { "example.com",    ".example.com",    "a.example.com",
                                              ".a.example.com", "b.a.example.com", ".com",
                                              "EXAMPLE.com.",   "example.net",     ".b.a.example.com" };
static const char *const random_names[] = { "example.com",     ".example.com",  "a.example.com",  ".a.example.com",
                                            "B.a.example.com", ".example.com.", "b.a.example.com" };
static const char *const random_patterns[] = {
    "@example.com", "@.example.com",     "@a.example.com",   "@.a.example.com",  "@*example.com", "@*.example.com",
    "@*.com",       "@*ample.com",       "x@example.com",    "x@a.example.com",  "X@Example.com", "y@a.example.com",
    "@*m",          "x@b.a.example.com", "@b.a.example.com", "@*.a.example.com", "@*e.com",       "@net",
};
static const char *const random_users[] = {
    "x", "X", "x@example.com", "x@a.example.com", "X@EXAMPLE.com", "y", "y@example.net"
};
static const char *const random_accounts[] = { "", "x", "X", "y@example.com", "Y@example.com.", "x@example.com" };
static const char *const random_lists[] = { "", "yes", "no" };
static const int64_t random_times[] = { 0, 0, 0, NOW + 10, NOW + 20, NOW - 1 };

/* Blocks that meet: of 192.0.2.0 to 192.0.2.15, in all spellings, and some of IPv6. */
static void make_block(char text[TEXT])
{
    unsigned a = seeded_below(&state, 16), len = 27 + seeded_below(&state, 6);
    unsigned b = a + seeded_below(&state, 16 - a), mask = 256 - (1U << (32 - len));
    switch (seeded_below(&state, 7)) {
    case 0:
        (void)snprintf(text, TEXT, "192.0.2.%u", a);
        break;
    case 1:
    case 2:
        (void)snprintf(text, TEXT, "192.0.2.%u/%u", a & mask, len);
        break;
    case 3:
        (void)snprintf(text, TEXT, "192.0.2.%u/255.255.255.%u", a, mask);
        break;
    case 4:
        (void)snprintf(text, TEXT, "192.0.2.%u-%u", a, b);
        break;
    case 5:
        (void)snprintf(text, TEXT, "192.0.2.%u-192.0.2.%u", a, b);
        break;
    default:
        (void)snprintf(text, TEXT, "2001:db8::%x/%u", a, 120 + seeded_below(&state, 9));
        break;
    }
}

static void make_row(enum rule_table table)
{
    char key[TEXT], client[TEXT] = "";
    const char *value = "";
    switch (table) {
    case RULE_ACCESS_BLOCK:
    case RULE_RELAY_GRANT:
        make_block(key);
        value = seeded_below(&state, 3) ? "grant" : table == RULE_ACCESS_BLOCK ? "deny" : "refuse";
        if (table == RULE_RELAY_GRANT && seeded_below(&state, 3) == 0) {
            (void)snprintf(key, TEXT, "%s", PICK(random_names));
            value = "grant";
        }
        break;
    case RULE_KILL_ENTRY:
    case RULE_ACCEPT_ENTRY:
        (void)snprintf(key, TEXT, "%s", PICK(random_patterns));
        if (table == RULE_ACCEPT_ENTRY && seeded_below(&state, 5))
            make_block(client);
        break;
    case RULE_LOCAL_DOMAIN:
        (void)snprintf(key, TEXT, "%s", PICK(random_domains));
        value = seeded_below(&state, 3) ? "local" : "relay";
        break;
    case RULE_LOCAL_USER:
        (void)snprintf(key, TEXT, "%s", PICK(random_users));
        value = PICK(random_accounts);
        break;
    default:
        (void)snprintf(key, TEXT, "%s", PICK(random_users));
        value = PICK(random_lists);
        break;
    }
    for (int i = 0; i < n_rows; i++)
        if (rows[i].row.table == table && strcmp(rows[i].key, key) == 0 && strcmp(rows[i].client, client) == 0)
            return; /* as the database would have it */
    add_row(table, key, client, value, PICK(random_times));
}

/* All that is not gone. */
static struct rules *make_rules(const bool *gone)
{
    struct rules *rules = rules_new();
    for (int i = 0; i < n_rows; i++)
        if (!gone[i])
            ck_assert_int_eq(rules_put(rules, &rows[i].row, NULL), 0);
    ck_assert_int_eq(rules_seal(rules), 0);
    return rules;
}

static const char *const probe_names[] = { "unknown", "example.com", "a.example.com", "b.a.example.com" };
static const char *const probe_senders[] = { "x@example.com",
                                             "y@example.com",
                                             "x@a.example.com",
                                             "y@a.example.com",
                                             "x@b.a.example.com",
                                             "z@sample.com",
                                             "x",
                                             "x@net",
                                             "q@c.a.example.com",
                                             "X@example.net",
                                             "y" };
static const char *const probe_domains[] = { "example.com",       "a.example.com", "b.a.example.com",
                                             "c.b.a.example.com", "example.net",   "other.com" };

static int value_of(const struct rule *rule)
{
    return rule ? (int)rule_value(rule) : -1;
}

static void make_address(int i, struct ip_addr *addr)
{
    char text[TEXT];
    (void)snprintf(text, sizeof text, i < 18 ? "192.0.2.%d" : "2001:db8::%d", i < 18 ? i : i - 18);
    ck_assert(ip_parse(str_of(text), addr));
}

enum { PROBE_ADDRESSES = 24, MAX_PROBES = 4096 };

/* What all of it comes to, as numbers. */
static int probe(const struct rules *rules, enum rule_table table, int64_t now, int *out)
{
    const struct rule *rule;
    int n = 0;
    for (int a = 0; a < PROBE_ADDRESSES && (table == RULE_ACCESS_BLOCK || table == RULE_RELAY_GRANT); a++) {
        struct ip_addr addr;
        make_address(a, &addr);
        out[n++] = value_of(search(rules, &addr, NULL, now).access);
        for (int i = 0; i < COUNT(probe_names) && table == RULE_RELAY_GRANT; i++) {
            ck_assert_int_eq(rules_relay(rules, &addr, str_of(probe_names[i]), now, &rule), 0);
            out[n++] = value_of(rule);
        }
    }
    for (int i = 0; i < COUNT(probe_domains); i++)
        out[n++] = value_of(rules_domain(rules, str_of(probe_domains[i]), now));
    for (int i = 0; i < COUNT(probe_senders) && table != RULE_ACCESS_BLOCK && table != RULE_RELAY_GRANT; i++) {
        struct mail_addr sender;
        ck_assert_int_eq(mail_parse(&sender, str_of(probe_senders[i]), MAIL_AS_REWRITTEN), 0);
        out[n++] = search(rules, NULL, &sender, now).kill != NULL;
        for (int a = 0; a < PROBE_ADDRESSES && table == RULE_ACCEPT_ENTRY; a++) {
            struct ip_addr addr;
            make_address(a, &addr);
            out[n++] = search(rules, &addr, &sender, now).accept != NULL;
        }
        out[n++] = rules_account(rules, &sender, now) != NULL;
        for (int u = 0; u < COUNT(probe_senders); u++)
            out[n++] = rules_login_is_sender(rules, str_of(probe_senders[u]), &sender, now);
        ck_assert_int_eq(rules_list(rules, &sender, now, &rule), 0);
        out[n++] = rule ? rules_list_is_closed(rules, rule) : -1;
        mail_fini(&sender);
    }
    ck_assert_int_le(n, MAX_PROBES);
    return n;
}

/* Between these times, nothing expires. */
static const int64_t probe_times[] = { NOW, NOW + 10, NOW + 20 };

static int probe_all(const bool *gone, enum rule_table table, int *out)
{
    struct rules *rules = make_rules(gone);
    int n = 0;
    for (int i = 0; i < COUNT(probe_times); i++)
        n += probe(rules, table, probe_times[i], out + n);
    ck_assert_int_le(n, MAX_PROBES);
    rules_free(rules);
    return n;
}

static void expect_same_decisions(const int *before, const bool *gone, enum rule_table table, const char *about)
{
    static int after[MAX_PROBES];
    for (int i = 0, n = probe_all(gone, table, after); i < n; i++)
        ck_assert_msg(before[i] == after[i], "%s: decision %d was %d and is %d", about, i, before[i], after[i]);
}

static bool is_useless(enum lint_code code)
{
    return code == LINT_SHADOWED || code == LINT_DUPLICATE || code == LINT_OVERRULED || code == LINT_EXPIRED;
}

enum { SETS = 60 };

/* Each row that is useless goes by itself, then all of them. Returns how many there are. */
static int remove_useless(enum rule_table table, unsigned set)
{
    static int before[MAX_PROBES];
    bool none[MAX_ROWS] = { false }, told[MAX_ROWS] = { false }, all[MAX_ROWS] = { false };
    char about[TEXT * 8];
    int useless = 0;
    (void)probe_all(none, table, before);
    for (int i = 0; i < n_findings; i++) {
        const struct lint_finding *f = &findings[i];
        bool one[MAX_ROWS] = { false };
        if (!f->has_row)
            continue;
        ck_assert_msg(!told[f->row], "set %u: a row is told of twice: %s", set, seen());
        told[f->row] = true;
        if (!is_useless((enum lint_code)f->code))
            continue;
        one[f->row] = all[f->row] = true;
        useless++;
        (void)snprintf(about, sizeof about, "set %u, without %s, of: %.1500s", set, rows[f->row].key, seen());
        expect_same_decisions(before, one, table, about);
    }
    (void)snprintf(about, sizeof about, "set %u, without all of: %.1500s", set, seen());
    expect_same_decisions(before, all, table, about);
    return useless;
}

/* GATEPOST_RANDOM_SETS is how many rule sets to try. */
START_TEST(what_is_useless_can_go)
{
    enum rule_table table = (enum rule_table)(RULE_ACCESS_BLOCK + _i);
    const char *wanted = getenv("GATEPOST_RANDOM_SETS");
    int sets = wanted ? atoi(wanted) : SETS, useless = 0;
    for (int set = 0; set < sets; set++) {
        state = (uint64_t)set * RULE_TABLE_COUNT + table;
        n_rows = 0;
        for (unsigned i = 0, n = 2 + seeded_below(&state, 12); i < n; i++)
            make_row(table);
        for (unsigned i = 0; i < 3 && table != RULE_LOCAL_DOMAIN; i++)
            make_row(RULE_LOCAL_DOMAIN);
        look();
        useless += remove_useless(table, (unsigned)set);
    }
    ck_assert_int_gt(useless, sets / 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lint");
    TCase *tcase = suite_case(suite, "lint");
    tcase_add_loop_test(tcase, finds_what_is_there_and_no_more, 0, COUNT(cases));
    tcase_add_test(tcase, each_code_has_a_name_of_its_own_and_a_case);
    tcase_add_loop_test(tcase, knows_whether_a_key_is_enough, 0, COUNT(lonely));
    tcase_add_test(tcase, bytes_that_were_put_in_by_force_are_not_understood);
    tcase_add_test(tcase, what_the_caller_returns_ends_it);
    tcase_add_loop_test(tcase, what_is_useless_can_go, 0, RULE_TABLE_COUNT - RULE_ACCESS_BLOCK);
    return suite_run(suite);
}
