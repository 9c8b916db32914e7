#include "core/request.h"
#include "suite.h"

#include <stdio.h>

enum { MAX_BYTES = 1024 };

/* Feeds the text in pieces of `step` bytes and writes down what came out: for each request its state and sender, then
 * the fault. */
static void feed(const char *text, size_t n, size_t step, size_t max_bytes, char *out, size_t size)
{
    struct request_parser parser = { 0 };
    struct request request;
    size_t begin = 0, length = 0;
    const char *fault = NULL;
    out[0] = '\0';
    for (size_t end = step < n ? step : n;; end = end + step < n ? end + step : n) {
        enum request_progress progress;
        while ((progress = request_parse(&parser, &policy_form, text + begin, end - begin, max_bytes, &request, &length,
                                         &fault)) == REQUEST_COMPLETE) {
            size_t used = strlen(out);
            (void)snprintf(out + used, size - used, "[%.*s %.*s]", STR_ARGS(request.attr[ATTR_PROTOCOL_STATE]),
                           STR_ARGS(request.attr[ATTR_SENDER]));
            begin += length;
        }
        if (progress == REQUEST_MALFORMED) {
            size_t used = strlen(out);
            (void)snprintf(out + used, size - used, "!%s", fault);
            return;
        }
        if (end == n)
            return;
    }
}

#define BYTES(text) (text), sizeof(text) - 1

static const struct {
    const char *text;
    size_t n;
    const char *expected;
} streams[] = {
    { BYTES("request=smtpd_access_policy\nprotocol_state=RCPT\nsender=a@b\n\n"), "[RCPT a@b]" },
    { BYTES("protocol_state=RCPT\r\nsender=a@b\r\n\r\n"), "[RCPT a@b]" },
    { BYTES("sender=a\n\nsender=b\n\nsender=c\n"), "[ a][ b]" },
    { BYTES("sender=first\nsender=second\n\n"), "[ first]" },
    { BYTES("sender=\nsender=second\n\n"), "[ ]" },
    { BYTES("unknown=x\nsenders=x\nsende=x\nSENDER=x\n=x\n\n"), "[ ]" },
    { BYTES("sender=a=b=c\n\n"), "[ a=b=c]" },
    { BYTES("sender=a\rb\n\n"), "[ a\rb]" },
    { BYTES("sender=a\r\r\n\n"), "[ a\r]" },
    { BYTES("sender = a\n\n"), "[ ]" },
    { BYTES("\n\n\r\n"), "[ ][ ][ ]" },
    { BYTES("sender=a"), "" },
    { BYTES(""), "" },
    { BYTES("nonsense\n"), "!a line without =" },
    { BYTES("sender=a\n\nGET / HTTP/1.1\r\n"), "[ a]!a line without =" },
    { BYTES("sender=a\0b\n\n"), "!a NUL" },
    { BYTES("a\0b\n"), "!a NUL" },
    { BYTES("\0"), "!a NUL" },
    { BYTES("sender=a\n\n\0"), "[ a]!a NUL" },
};

START_TEST(stream_is_parsed_however_it_is_cut)
{
    char out[256];
    for (size_t step = 1; step <= streams[_i].n + 1; step++) {
        feed(streams[_i].text, streams[_i].n, step, MAX_BYTES, out, sizeof out);
        ck_assert_str_eq(out, streams[_i].expected);
    }
}
END_TEST

/* sender=xxx…, of so many bytes with the empty line. */
static char *long_request(size_t n)
{
    char *text = malloc(n + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', n);
    memcpy(text, "sender=", 7);
    memcpy(text + n - 2, "\n\n", 3);
    return text;
}

START_TEST(length_is_bounded_exactly)
{
    static const size_t steps[] = { 1, 7, 512, 1023, 1024, 1025, 4096 };
    char out[2 * MAX_BYTES];
    char *fits = long_request(MAX_BYTES), *longer = long_request(MAX_BYTES + 1);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        feed(fits, MAX_BYTES, steps[i], MAX_BYTES, out, sizeof out);
        ck_assert_int_eq(out[0], '[');
        feed(longer, MAX_BYTES + 1, steps[i], MAX_BYTES, out, sizeof out);
        ck_assert_str_eq(out, "!longer than max_request_bytes");
    }
    free(fits);
    free(longer);
}
END_TEST

START_TEST(many_attributes_are_only_a_matter_of_length)
{
    enum { N = 100000, LINE = 4 };
    size_t n = (size_t)N * LINE + 1;
    char *text = malloc(n), out[64];
    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < N; i++)
        memcpy(text + i * LINE, "a=b\n", LINE);
    text[n - 1] = '\n';
    feed(text, n, 1000, n, out, sizeof out);
    ck_assert_str_eq(out, "[ ]");
    feed(text, n, 1000, 65536, out, sizeof out);
    ck_assert_str_eq(out, "!longer than max_request_bytes");
    free(text);
}
END_TEST

static const struct {
    const struct request_form *form;
    const char *request;
    bool good;
} requests[] = {
    { &policy_form, "smtpd_access_policy", true },
    { &policy_form, "gatepost_login", false },
    { &policy_form, "gatepost_control", false },
    { &policy_form, "SMTPD_ACCESS_POLICY", false },
    { &policy_form, "", false },
    { &policy_form, "smtpd_access_policy ", false },
    { &login_form, "gatepost_login", true },
    { &login_form, "smtpd_access_policy", false },
    { &login_form, "gatepost_control", false },
    { &login_form, "", false },
    { &control_form, "gatepost_control", true },
    { &control_form, "gatepost_login", false },
    { &control_form, "smtpd_access_policy", false },
};

START_TEST(an_endpoint_takes_its_own_requests_alone)
{
    struct request request = { 0 };
    request.attr[ATTR_REQUEST] = str_of(requests[_i].request);
    ck_assert_int_eq(request_check(&request, requests[_i].form) == NULL, requests[_i].good);
}
END_TEST

START_TEST(a_form_has_attributes_of_its_own)
{
    static const struct {
        const char *name;
        bool policy, record, login, control;
    } names[] = {
        { "request", true, true, true, true },      { "client_address", true, true, true, true },
        { "sender", true, true, false, true },      { "policy_context", true, true, false, true },
        { "user", false, false, true, true },       { "service", false, false, true, true },
        { "command", false, false, false, true },   { "cursor", false, false, false, true },
        { RECORD_TIME, false, true, false, false }, { "nonsense", false, false, false, false },
        { "", false, false, false, false },
    };
    for (int i = 0; i < COUNT(names); i++) {
        struct str name = str_of(names[i].name);
        ck_assert_int_eq(attribute_by_name(&policy_form, name) != ATTR_COUNT, names[i].policy);
        ck_assert_int_eq(attribute_by_name(&record_form, name) != ATTR_COUNT, names[i].record);
        ck_assert_int_eq(attribute_by_name(&login_form, name) != ATTR_COUNT, names[i].login);
        ck_assert_int_eq(attribute_by_name(&control_form, name) != ATTR_COUNT, names[i].control);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("request");
    TCase *tcase = suite_case(suite, "request");
    tcase_add_loop_test(tcase, stream_is_parsed_however_it_is_cut, 0, COUNT(streams));
    tcase_add_test(tcase, length_is_bounded_exactly);
    tcase_add_test(tcase, many_attributes_are_only_a_matter_of_length);
    tcase_add_loop_test(tcase, an_endpoint_takes_its_own_requests_alone, 0, COUNT(requests));
    tcase_add_test(tcase, a_form_has_attributes_of_its_own);
    return suite_run(suite);
}
