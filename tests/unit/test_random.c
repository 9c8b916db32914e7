/*
 * The decision against a naive one (naive.h), over random rule sets and requests made of few words, so that they meet.
 *
 * GATEPOST_RANDOM_SETS is how many rule sets to try, GATEPOST_RANDOM_SEED where to begin; a failure prints the seed and
 * the whole case. One set in eight has many rows.
 */
#include "core/decide.h"
#include "core/decide_batch.h"
#include "core/reply.h"
#include "naive.h"
#include "suite.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum { DEFAULT_SETS = 100000, PARTS = 4, MAX_ROWS = 40, REQUESTS = 3, MAX_ATTRS = 12, TEXT = 160, NOW = 1000000 };

/* Randomness: xorshift, seeded for each set by its number. */
static uint64_t state;

static uint32_t rnd(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 32) % below);
}

static void seed(uint64_t n)
{
    state = (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
    for (int i = 0; i < 4; i++)
        (void)rnd(2);
}

#define PICK(list) ((list)[rnd((uint32_t)COUNT(list))])

static const char *const addresses[] = { "192.0.2.1",         "192.0.2.10",  "192.0.2.200",  "198.51.100.7",
                                         "203.0.113.255",     "2001:db8::1", "2001:db8::ff", "2001:db8:1::1",
                                         "::ffff:192.0.2.10", "unknown",     "127.0.0.1",    "" };
static const char *const blocks[] = {
    "192.0.2.1",
    "192.0.2.10",
    "192.0.2.0/24",
    "192.0.2.0/255.255.255.0",
    "192.0.2.*",
    "192.0.2.1-50",
    "192.0.2.0/25",
    "192.0.2.5-192.0.2.13",
    "192.0.0.0/16",
    "0.0.0.0/0",
    "198.51.100.0/24",
    "198.51.100.7/32",
    "203.0.113.128/25",
    "203.0.113.0-203.0.113.255",
    "2001:db8::/32",
    "2001:DB8::1",
    "2001:db8::1-2001:db8::ff",
    "2001:db8::/64",
    "::/0",
    "::ffff:192.0.2.0/120",
    "2001:db8:0:0::1/128",
    "192.0.2.10/24",
    "192.0.2.300",
    "192.0.2.9-3",
    "192.0.2.1/33",
    "1.2.3",
    "2001:db8::/129",
    "192.0.2.0/255.0.255.0",
    "192.0.*.*",
    "::ffff:0:0/96",
    "127.0.0.0/8",
    "198.51.100.7-7",
};
static const char *const names[] = { "mail.example.net", "MAIL.Example.NET",  "example.net",       "a.mail.example.net",
                                     "unknown",          "other.example.org", "mail.example.net.", "" };
static const char *const host_rules[] = { "mail.example.net", ".example.net",      ".mail.example.net",
                                          "example.net",      "Mail.EXAMPLE.net.", ".net",
                                          ".example.org",     "unknown",           "10.example.7" };
static const char *const domains[] = {
    "example.com",
    "EXAMPLE.COM",
    "example.com.",
    "mail.example.com",
    "a.b.example.com",
    "example.net",
    "example.org",
    "widget.example",
    "bluewidget.example",
    "nifty.widget.example",
    "b\xc3\xbc"
    "cher.example",
    "xn--bcher-kva.example",
    "B\xc3\x9c"
    "CHER.Example",
    "[192.0.2.1]",
    "[IPv6:2001:db8::1]",
    "mail",
    "localhost",
    "exa mple.com",
    "example.com ",
    "-bad.example",
    "exa_mple.org",
    "fa\xc3\x9f.example",
    "xn--fa-hia.example",
    "",
    ".",
    "..",
    "\xff.example",
    "example\xe3\x80\x82"
    "com",
    "[junk]",
    "a..b",
    ".example.com",
};
static const char *const locals[] = {
    "fred",
    "FRED",
    "bob",
    "staff",
    "\xc5\xbf"
    "taff",
    "sta\xef\xac\x80",
    "staff+x",
    "Staff+",
    "+staff",
    "+staff+y",
    "boss",
    "MAILER-DAEMON",
    "mailer-daemon",
    "alice",
    "alice+tag",
    "bob-list",
    "j\xc3\xbcrgen",
    "J\xc3\x9cRGEN",
    "fred smith",
    "",
    "\xff",
    "a\xffZ",
    "announce",
    "stra\xc3\x9f"
    "e",
    "STRASSE",
};
static const char *const glue[] = { "%", "!", "@" };

/* user@domain and all that can be made of it. */
static void make_address(char *text, int depth)
{
    char inner[TEXT];
    const char *domain = PICK(domains);
    switch (depth > 0 ? rnd(12) : 0) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
        (void)snprintf(text, TEXT, "%s@%s", PICK(locals), domain);
        break;
    case 6:
        (void)snprintf(text, TEXT, "%s", PICK(locals));
        break;
    case 7:
        (void)snprintf(text, TEXT, "%s%%%s", PICK(locals), domain);
        break;
    case 8:
        (void)snprintf(text, TEXT, "%s!%s", domain, PICK(locals));
        break;
    case 9:
        make_address(inner, depth - 1);
        (void)snprintf(text, TEXT, "<%.150s>", inner);
        break;
    case 10:
        make_address(inner, depth - 1);
        (void)snprintf(text, TEXT, "%.100s%s%s", inner, PICK(glue), domain);
        break;
    default:
        make_address(inner, depth - 1);
        (void)snprintf(text, TEXT, "%s%s%.100s", domain, PICK(glue), inner);
        break;
    }
}

static void make_pattern(char *text)
{
    switch (rnd(7)) {
    case 0:
        (void)snprintf(text, TEXT, "@%s", PICK(domains));
        break;
    case 1:
        (void)snprintf(text, TEXT, "@.%s", PICK(domains));
        break;
    case 2: {
        const char *domain = PICK(domains);
        size_t n = strlen(domain);
        (void)snprintf(text, TEXT, "@*%s", domain + (n ? rnd((uint32_t)n) : 0));
        break;
    }
    default:
        (void)snprintf(text, TEXT, "%s@%s", PICK(locals), PICK(domains));
        break;
    }
}

/* Rules. */

struct random_row {
    char key[TEXT], client[TEXT], value[TEXT];
    bool has_value;
};

static struct random_row texts[MAX_ROWS];
static struct naive_row rows[MAX_ROWS];
static size_t n_rows;

static const struct {
    const char *name;
    const char *values[6];
} settings_tried[] = {
    { "relay_for", { "nobody", "addresses", "local-users", "local-hosts", "anyone" } },
    { "unlisted_clients", { "grant", "deny" } },
    { "pop_before_smtp", { "0", "30" } },
    { "pop_before_smtp_match", { "sender", "address" } },
    { "pop_before_smtp_max_accounts", { "0", "1", "2" } },
    { "local_sender_auth", { "yes", "no" } },
    { "refuse_null_sender", { "no", "yes", "authenticated" } },
    { "observe",
      { "", "all", "access,kill", "relay list", "vrfy null-sender submission", "local-sender,routed recipients" } },
    { "require_valid_sender", { "yes", "no" } },
    { "refuse_routed_recipient", { "yes", "no" } },
    { "recipient_delimiter", { "+", "", "+-", "-" } },
    { "list_remote_mail", { "yes", "no" } },
    { "max_recipients", { "0", "1", "5" } },
    { "submission_ports", { "", "587", "587, 465" } },
    { "refuse_vrfy", { "yes", "no" } },
    { "archive_to", { "", "archive@example.com", "nonsense" } },
    { "archive", { "all", "inbound", "outbound" } },
    { "reply_style", { "verb", "code" } },
    { "text_relay", { "no: %{sender} %{recipient} %{client} %{domain} 100%%", "%{what}", "plain" } },
    { "text_kill", { "%%{sender}", "%{sender}%{sender}" } },
};

static void set_value(struct random_row *text, const char *value)
{
    text->has_value = value != NULL;
    (void)snprintf(text->value, TEXT, "%s", value ? value : "");
}

static void make_setting(struct random_row *text)
{
    size_t s = rnd((uint32_t)COUNT(settings_tried)), n = 0;
    while (n < 6 && settings_tried[s].values[n])
        n++;
    (void)snprintf(text->key, TEXT, "%s", settings_tried[s].name);
    set_value(text, settings_tried[s].values[rnd((uint32_t)n)]);
}

static const char *make_row(struct random_row *text)
{
    *text = (struct random_row){ .has_value = false };
    switch (rnd(10)) {
    case 0:
        (void)snprintf(text->key, TEXT, "%s", PICK(blocks));
        set_value(text, rnd(2) ? "deny" : "grant");
        return "access_block";
    case 1:
    case 2: {
        bool host = rnd(3) == 0;
        (void)snprintf(text->key, TEXT, "%s", host ? PICK(host_rules) : PICK(blocks));
        set_value(text, rnd(3) ? "grant" : "refuse");
        return "relay_grant";
    }
    case 3:
        make_pattern(text->key);
        return "kill_entry";
    case 4:
        make_pattern(text->key);
        (void)snprintf(text->client, TEXT, "%s", rnd(3) ? PICK(blocks) : "");
        return "accept_entry";
    case 5:
    case 6:
        (void)snprintf(text->key, TEXT, "%s%s", rnd(4) ? "" : ".", PICK(domains));
        set_value(text, rnd(3) ? "local" : "relay");
        return "local_domain";
    case 7:
        (void)snprintf(text->key, TEXT, "%s%s%s", PICK(locals), rnd(3) ? "@" : "", rnd(3) ? PICK(domains) : "");
        if (rnd(2))
            make_address(text->value, 0);
        text->has_value = text->value[0] != '\0';
        return "local_user";
    case 8:
        (void)snprintf(text->key, TEXT, "%s%s%s", PICK(locals), rnd(3) ? "@" : "", rnd(3) ? PICK(domains) : "");
        set_value(text, rnd(3) == 0 ? NULL : rnd(2) ? "yes" : "no");
        return "local_list";
    default:
        make_setting(text);
        return "setting";
    }
}

/* The database has each key once. */
static bool is_there(const struct naive_row *row)
{
    for (size_t i = 0; i < n_rows; i++)
        if (strcmp(rows[i].table, row->table) == 0 && strcmp(rows[i].key, row->key) == 0 &&
            (!row->client || strcmp(rows[i].client, row->client) == 0))
            return true;
    return false;
}

static void make_rules(void)
{
    size_t wanted = rnd(8) == 0 ? MAX_ROWS : rnd(14);
    n_rows = 0;
    for (size_t i = 0; i < wanted; i++) {
        struct random_row *text = &texts[n_rows];
        const char *table = make_row(text);
        struct naive_row row = {
            .table = table,
            .key = text->key,
            .client = strcmp(table, "accept_entry") == 0 ? text->client : NULL,
            .value = text->has_value ? text->value : NULL,
            .expires = strcmp(table, "setting") == 0 || rnd(4) ? INT64_MAX : NOW - 1 + (int64_t)rnd(3),
        };
        if (!is_there(&row))
            rows[n_rows++] = row;
    }
}

static void put_row(struct rules *rules, const struct naive_row *row)
{
    struct rule_row put = {
        .key = str_of(row->key),
        .client = str_of(row->client),
        .value = str_of(row->value),
        .expires_at = row->expires == INT64_MAX ? RULE_NEVER_EXPIRES : row->expires,
    };
    while (strcmp(rule_tables[put.table].name, row->table) != 0)
        put.table++;
    int r = rules_put(rules, &put, NULL);
    ck_assert_msg(r == 0 || r == -EINVAL, "rules_put: %d", r);
}

/* Now and then the way to the same rules leads over other ones. */
static struct rules *build(void)
{
    struct rules *rules = rules_new();
    ck_assert_ptr_nonnull(rules);
    size_t n = n_rows;
    bool detour = rnd(8) == 0;
    if (detour) {
        struct naive_row kept[MAX_ROWS];
        struct random_row kept_texts[MAX_ROWS];
        memcpy(kept, rows, sizeof kept);
        memcpy(kept_texts, texts, sizeof kept_texts);
        make_rules();
        for (size_t i = 0; i < n_rows; i++)
            put_row(rules, &rows[i]);
        for (size_t i = 0; i < n_rows; i++) {
            struct rule_row gone = { .key = str_of(rows[i].key), .client = str_of(rows[i].client) };
            while (strcmp(rule_tables[gone.table].name, rows[i].table) != 0)
                gone.table++;
            ck_assert_int_eq(rules_remove(rules, &gone), 0);
        }
        memcpy(rows, kept, sizeof kept);
        memcpy(texts, kept_texts, sizeof kept_texts);
        n_rows = n;
        for (int table = 0; table < RULE_TABLE_COUNT; table++)
            ck_assert_uint_eq(rules_count(rules, (enum rule_table)table), 0);
    }
    for (size_t i = 0; i < n_rows; i++)
        put_row(rules, &rows[i]);
    ck_assert_int_eq(rules_seal(rules), 0);
    return rules;
}

/* Requests. */

static char attr_texts[MAX_ATTRS][TEXT];
static struct naive_attr attrs[MAX_ATTRS];
static size_t n_attrs;

static char *add_attr(const char *name)
{
    attrs[n_attrs] = (struct naive_attr){ name, attr_texts[n_attrs] };
    attr_texts[n_attrs][0] = '\0';
    return attr_texts[n_attrs++];
}

static void make_request(void)
{
    static const char *const states[] = { "RCPT", "RCPT",    "RCPT", "RCPT",           "DATA",    "MAIL", "VRFY",
                                          "ETRN", "CONNECT", "EHLO", "END-OF-MESSAGE", "XCLIENT", "rcpt", "" };
    static const char *const counts[] = { "0", "1", "2", "5", "6", "", "x", "7x", "99999999999999999999" };
    static const char *const ports[] = { "25", "587", "465", "", "0587" };
    n_attrs = 0;
    (void)snprintf(add_attr("request"), TEXT, "smtpd_access_policy");
    (void)snprintf(add_attr("protocol_state"), TEXT, "%s", PICK(states));
    (void)snprintf(add_attr("client_address"), TEXT, "%s", PICK(addresses));
    (void)snprintf(add_attr("client_name"), TEXT, "%s", PICK(names));
    (void)snprintf(add_attr("reverse_client_name"), TEXT, "%s", PICK(names));
    (void)snprintf(add_attr("server_port"), TEXT, "%s", rnd(3) ? "25" : PICK(ports));
    if (rnd(8))
        make_address(add_attr("sender"), 2);
    else
        (void)snprintf(add_attr("sender"), TEXT, "%s", rnd(3) ? "" : "<>");
    make_address(add_attr("recipient"), 2);
    (void)snprintf(add_attr("recipient_count"), TEXT, "%s", PICK(counts));
    (void)snprintf(add_attr("sasl_username"), TEXT, "%s", rnd(6) ? "" : "alice");
    if (rnd(16) == 0)
        (void)snprintf(add_attr("policy_context"), TEXT, "%s", rnd(2) ? "client" : "other");
}

static const char *const logins_tried[] = { "fred@example.com",
                                            "fred",
                                            "bob@example.com",
                                            "alice",
                                            "boss",
                                            "staff@example.com",
                                            "alice@example.com",
                                            "alice+tag@example.com",
                                            "fred+x@example.com",
                                            "bob",
                                            "j\xc3\xbcrgen@example.net" };

static void print_case(uint64_t number)
{
    fprintf(stderr, "# case %" PRIu64 "\n", number);
    for (size_t i = 0; i < n_rows; i++)
        fprintf(stderr, "#   %s | %s | %s | %s | %" PRId64 "\n", rows[i].table, rows[i].key,
                rows[i].client ? rows[i].client : "-", rows[i].value ? rows[i].value : "NULL",
                rows[i].expires == INT64_MAX ? 0 : rows[i].expires - NOW);
    for (size_t i = 0; i < n_attrs; i++)
        fprintf(stderr, "#   %s=%s\n", attrs[i].name, attrs[i].value);
}

static void describe(const struct decision *decision, const struct request *request, const struct rules *rules,
                     char *text, size_t size)
{
    char action[REPLY_MAX_BYTES], would[256] = "";
    size_t n = reply_action(decision, request, rules_settings(rules), action, sizeof action);
    for (int r = 0; r < REASON_COUNT; r++)
        if ((decision->would & 1U << r) != 0)
            (void)snprintf(would + strlen(would), sizeof would - strlen(would), "%s%s", would[0] ? "," : "",
                           reasons[r].name);
    (void)snprintf(text, size, "%.*s (%s) would %s", (int)n, action,
                   decision->reason == REASON_NONE ? "" : reasons[decision->reason].name, would);
}

/* Side by side with one that differs, each is decided as by itself. */
static void compare_batch(const struct decide_query *query, const struct decision *alone)
{
    static struct decide_batch *batch;
    static const struct request nothing;
    struct decide_query other = *query;
    struct decision decision;
    other.request = &nothing;
    if (!batch)
        ck_assert_ptr_nonnull(batch = decide_batch_new());
    ck_assert_int_eq(decide_batch_add(batch, query), 0);
    ck_assert_int_eq(decide_batch_add(batch, &other), 1);
    ck_assert_int_eq(decide_batch_add(batch, query), 2);
    decide_batch_look_up(batch);
    for (int place = 2; place >= 0; place -= 2) {
        ck_assert_int_eq(decide_batch_decide(batch, place, &decision), 0);
        ck_assert_int_eq(decision.needs_login, alone->needs_login);
        ck_assert_int_eq(decision.action, alone->action);
        ck_assert_int_eq(decision.reason, alone->reason);
        ck_assert_ptr_eq(decision.rule, alone->rule);
    }
    decide_batch_clear(batch);
}

static void compare(const struct rules *rules, uint64_t number)
{
    struct str names_known[3];
    const char *naive_names[3];
    size_t n = rnd(4);
    for (size_t i = 0; i < n; i++) {
        naive_names[i] = logins_tried[(rnd((uint32_t)COUNT(logins_tried) / 3) * 3 + i) % (size_t)COUNT(logins_tried)];
        names_known[i] = str_of(naive_names[i]);
    }
    bool away = rnd(3) == 0;
    struct naive_logins logins = { away ? NAIVE_LOGINS_UNAVAILABLE : NAIVE_LOGINS_KNOWN, naive_names, n };
    struct naive_answer expected;
    naive_decide(rows, n_rows, attrs, n_attrs, NOW, &logins, &expected);

    struct request request;
    for (int a = 0; a < ATTR_COUNT; a++)
        request.attr[a] = str_make("", 0);
    for (size_t i = 0; i < n_attrs; i++)
        request.attr[attribute_by_name(&policy_form, str_of(attrs[i].name))] = str_of(attrs[i].value);
    struct decide_query query = { .rules = rules, .request = &request, .now = NOW };
    struct decision decision;
    ck_assert_int_eq(decide(&query, &decision), 0);
    compare_batch(&query, &decision);
    bool needs_login = decision.needs_login;
    if (needs_login) {
        query.logins =
            (struct login_facts){ .state = away ? LOGIN_UNAVAILABLE : LOGIN_KNOWN, .names = names_known, .n_names = n };
        ck_assert_int_eq(decide(&query, &decision), 0);
        ck_assert(!decision.needs_login);
    }
    static char got[sizeof expected.action + 512], wanted[sizeof expected + 64];
    describe(&decision, &request, rules, got, sizeof got);
    (void)snprintf(wanted, sizeof wanted, "%s (%s) would %s", expected.action, expected.reason, expected.would);
    if (strcmp(got, wanted) != 0 || (expected.needs_login && !needs_login)) {
        print_case(number);
        for (size_t i = 0; i < n; i++)
            fprintf(stderr, "#   login %s%s\n", naive_names[i], away ? " (away)" : "");
        ck_abort_msg("case %" PRIu64 ": decided \"%s\" login %d, the naive way says \"%s\" login %d", number, got,
                     needs_login, wanted, expected.needs_login);
    }
}

static uint64_t number_from(const char *name, uint64_t preset)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : preset;
}

START_TEST(decision_agrees_with_the_naive_one)
{
    uint64_t sets = number_from("GATEPOST_RANDOM_SETS", DEFAULT_SETS) / PARTS;
    uint64_t first = number_from("GATEPOST_RANDOM_SEED", 0) + sets * (uint64_t)_i;
    for (uint64_t number = first; number < first + sets; number++) {
        seed(number);
        make_rules();
        struct rules *rules = build();
        for (int i = 0; i < REQUESTS; i++) {
            make_request();
            compare(rules, number);
        }
        rules_free(rules);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("random");
    TCase *tcase = suite_case(suite, "random");
    tcase_set_timeout(tcase, 1800);
    tcase_add_loop_test(tcase, decision_agrees_with_the_naive_one, 0, PARTS);
    return suite_run(suite);
}
