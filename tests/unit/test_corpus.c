/*
 * Requests that a real Postfix sent (tests/corpus) under several rule sets, in one piece and byte by byte.
 */
#include "core/decide.h"
#include "core/reply.h"
#include "scene.h"
#include "suite.h"

#include <stdio.h>

enum { MAX_BYTES = 65536, SETS = 3 };

/* OURS: our domains alone. OPEN: the clients are granted, mail is archived. SHUT: as much as can be is refused. */
static const char *const rule_sets[SETS] = {
    "domain example.com; domain b\xc3\xbc"
    "cher.example",
    "domain example.com; grant 192.0.2.0/24; grant 2001:db8::/32; archive_to=archive@example.com",
    "domain example.com; deny 127.0.0.0/8; kill fred@example.net; submission_ports=587; require_valid_sender=yes; "
    "refuse_null_sender=yes; max_recipients=2; reply_style=code",
};

#define REJECT_RELAY(domain) "REJECT 5.7.1 unknown local host " domain ", not a gateway"
#define ROUTED               "REJECT 5.7.1 routed recipient, not a gateway"
#define KILL                 "501 5.7.1 unacceptable mail address"
#define NULL_SENDER          "550 5.7.1 null sender not accepted"
#define ARCHIVE              "BCC archive@example.com"

static const struct {
    const char *file;
    const char *expected[SETS];
} requests[] = {
    { "connect-loopback", { "DUNNO", "DUNNO", "521 5.7.1 access denied" } },
    { "data-many", { "DUNNO", ARCHIVE, KILL } },
    { "data-null-sender", { "DUNNO", ARCHIVE, NULL_SENDER } },
    { "data-plain-ipv4", { "DUNNO", ARCHIVE, KILL } },
    { "data-plain-ipv6", { "DUNNO", ARCHIVE, KILL } },
    { "data-sasl", { "DUNNO", ARCHIVE, "DUNNO" } },
    { "ehlo-plain-ipv4", { "DUNNO", "DUNNO", "DUNNO" } },
    { "ehlo-plain-ipv6", { "DUNNO", "DUNNO", "DUNNO" } },
    { "end-of-message-many", { "DUNNO", "DUNNO", KILL } },
    { "end-of-message-plain-ipv4", { "DUNNO", "DUNNO", KILL } },
    { "end-of-message-plain-ipv6", { "DUNNO", "DUNNO", KILL } },
    { "etrn-plain", { "REJECT 5.7.1 command not available", "DUNNO", "502 5.7.1 command not available" } },
    { "mail-null-sender", { "DUNNO", "DUNNO", NULL_SENDER } },
    { "mail-plain-ipv4", { "DUNNO", "DUNNO", KILL } },
    { "mail-plain-ipv6", { "DUNNO", "DUNNO", KILL } },
    { "mail-sasl", { "DUNNO", "DUNNO", "DUNNO" } },
    { "mail-size", { "DUNNO", "DUNNO", KILL } },
    { "rcpt-a-label", { "DUNNO", "OK", "550 5.7.1 unknown local host xn--bcher-kva.example, not a gateway" } },
    { "rcpt-bang-only", { ROUTED, "OK", KILL } },
    { "rcpt-bang-path", { ROUTED, "OK", KILL } },
    { "rcpt-double-at", { ROUTED, "OK", KILL } },
    { "rcpt-equals", { "DUNNO", "OK", "DUNNO" } },
    { "rcpt-ipv6-long", { "DUNNO", "OK", KILL } },
    { "rcpt-ipv6-mapped", { "DUNNO", "OK", KILL } },
    { "rcpt-literal-ipv6",
      { REJECT_RELAY("[ipv6:2001:db8::2]"), "OK", "550 5.7.1 unknown local host [ipv6:2001:db8::2], not a gateway" } },
    { "rcpt-literal",
      { REJECT_RELAY("[198.51.100.1]"), "OK", "550 5.7.1 unknown local host [198.51.100.1], not a gateway" } },
    { "rcpt-long-local", { "DUNNO", "OK", "DUNNO" } },
    { "rcpt-many-2", { "DUNNO", "OK", KILL } },
    { "rcpt-many-3", { "DUNNO", "OK", KILL } },
    { "rcpt-many", { "DUNNO", "OK", KILL } },
    { "rcpt-no-domain", { "DUNNO", "OK", "501 5.1.7 sender must be user@host" } },
    { "rcpt-null-sender", { "DUNNO", "OK", NULL_SENDER } },
    { "rcpt-percent-hack", { ROUTED, "OK", KILL } },
    { "rcpt-percent-only", { ROUTED, "OK", KILL } },
    { "rcpt-plain-ipv4", { "DUNNO", "OK", KILL } },
    { "rcpt-plain-ipv6", { "DUNNO", "OK", KILL } },
    { "rcpt-plus", { "DUNNO", "OK", "DUNNO" } },
    { "rcpt-quoted-at", { ROUTED, "OK", KILL } },
    { "rcpt-quoted-backslash", { ROUTED, "OK", "550 5.7.1 routed recipient, not a gateway" } },
    { "rcpt-quoted-needless", { "DUNNO", "OK", KILL } },
    { "rcpt-quoted-space", { "DUNNO", "OK", "DUNNO" } },
    { "rcpt-remote", { REJECT_RELAY("remote.example.org"), "OK", KILL } },
    { "rcpt-sasl", { "OK", "OK", "OK" } },
    { "rcpt-size", { "DUNNO", "OK", KILL } },
    { "rcpt-source-route", { REJECT_RELAY("remote.example.org"), "OK", KILL } },
    { "rcpt-submission", { "DUNNO", "OK", KILL } },
    { "rcpt-temp-name", { "DUNNO", "OK", KILL } },
    { "rcpt-tls-client-cert", { "DUNNO", "DUNNO", "521 5.7.1 access denied" } },
    { "rcpt-trailing-dot", { "DUNNO", "OK", KILL } },
    { "rcpt-unknown-name", { "DUNNO", "OK", KILL } },
    { "rcpt-upper-case", { "DUNNO", "OK", KILL } },
    { "rcpt-utf8", { "DUNNO", "OK", "550 5.7.1 unknown local host xn--bcher-kva.example, not a gateway" } },
    { "rcpt-xclient-login", { "OK", "OK", "OK" } },
    { "rcpt-xclient-port", { "DUNNO", "OK", "530 5.7.0 authentication required" } },
    { "vrfy-plain", { "REJECT 5.7.1 command not available", "DUNNO", "502 5.7.1 command not available" } },
};

static size_t read_request(const char *name, char *text, size_t size)
{
    char path[256];
    const char *srcdir = getenv("srcdir");
    (void)snprintf(path, sizeof path, "%s/tests/corpus/%s.req", srcdir ? srcdir : ".", name);
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s is missing", path);
    size_t n = fread(text, 1, size, file);
    ck_assert_int_eq(fclose(file), 0);
    return n;
}

static size_t answer(const struct rules *rules, const struct request *request, char reply[REPLY_MAX_BYTES])
{
    struct decide_query query = { .rules = rules, .request = request, .now = SCENE_NOW };
    struct decision decision;
    ck_assert_ptr_null(request_check(request, &policy_form));
    ck_assert_int_eq(decide(&query, &decision), 0);
    if (decision.needs_login) {
        query.logins.state = LOGIN_KNOWN;
        ck_assert_int_eq(decide(&query, &decision), 0);
    }
    return reply_write(&decision, request, rules_settings(rules), reply);
}

START_TEST(recorded_request_is_answered)
{
    char text[4096], reply[REPLY_MAX_BYTES], expected[512];
    size_t n = read_request(requests[_i].file, text, sizeof text), length = 0;
    for (int set = 0; set < SETS; set++) {
        struct rules *rules = scene_rules(rule_sets[set]);
        (void)snprintf(expected, sizeof expected, "action=%s\n\n", requests[_i].expected[set]);
        struct request_parser parser = { 0 };
        struct request request;
        const char *fault = NULL;
        for (size_t at = 1; at < n; at++)
            ck_assert_int_eq(request_parse(&parser, &policy_form, text, at, MAX_BYTES, &request, &length, &fault),
                             REQUEST_INCOMPLETE);
        ck_assert_int_eq(request_parse(&parser, &policy_form, text, n, MAX_BYTES, &request, &length, &fault),
                         REQUEST_COMPLETE);
        ck_assert_uint_eq(length, n);
        size_t got = answer(rules, &request, reply);
        ck_assert_msg(got == strlen(expected) && memcmp(reply, expected, got) == 0, "rule set %d: got %.*s, not %s",
                      set, (int)got, reply, expected);
        rules_free(rules);
    }
}
END_TEST

START_TEST(all_recorded_requests_in_one_go)
{
    static char text[256 * 1024], replies[64 * 1024], expected[64 * 1024];
    size_t n = 0, at = 0, length, out = 0, wanted = 0;
    char reply[REPLY_MAX_BYTES];
    for (int i = 0; i < COUNT(requests); i++) {
        n += read_request(requests[i].file, text + n, sizeof text - n);
        wanted +=
            (size_t)snprintf(expected + wanted, sizeof expected - wanted, "action=%s\n\n", requests[i].expected[_i]);
    }
    struct rules *rules = scene_rules(rule_sets[_i]);
    struct request_parser parser = { 0 };
    struct request request;
    const char *fault = NULL;
    while (request_parse(&parser, &policy_form, text + at, n - at, MAX_BYTES, &request, &length, &fault) ==
           REQUEST_COMPLETE) {
        size_t got = answer(rules, &request, reply);
        memcpy(replies + out, reply, got);
        out += got;
        at += length;
    }
    ck_assert_ptr_null(fault);
    ck_assert_uint_eq(at, n);
    ck_assert_uint_eq(out, wanted);
    ck_assert(memcmp(replies, expected, out) == 0);
    rules_free(rules);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("corpus");
    TCase *tcase = suite_case(suite, "corpus");
    tcase_add_loop_test(tcase, recorded_request_is_answered, 0, COUNT(requests));
    tcase_add_loop_test(tcase, all_recorded_requests_in_one_go, 0, SETS);
    return suite_run(suite);
}
