#include "core/reply.h"
#include "suite.h"

#include <stdio.h>

static struct request request;
static struct settings settings;

static void begin(void)
{
    settings_init(&settings);
    for (int a = 0; a < ATTR_COUNT; a++)
        request.attr[a] = str_make("", 0);
    request.attr[ATTR_CLIENT_ADDRESS] = str_of("192.0.2.10");
    request.attr[ATTR_SENDER] = str_of("Fred@Example.NET");
    request.attr[ATTR_RECIPIENT] = str_of("<Bob@B\xc3\x9c"
                                          "CHER.example.>");
}

static void end(void)
{
    settings_fini(&settings);
}

static void expect(enum action action, enum reason reason, const char *expected)
{
    char text[REPLY_MAX_BYTES], wanted[REPLY_MAX_BYTES];
    struct decision decision = { .action = action, .reason = reason };
    size_t n = reply_write(&decision, &request, &settings, text);
    int wanted_n = snprintf(wanted, sizeof wanted, "action=%s\n\n", expected);
    ck_assert_msg(n == (size_t)wanted_n && memcmp(text, wanted, n) == 0, "got %.*s, not %s", (int)n, text, wanted);
}

/* SPEC 8. */
static const struct {
    enum reason reason;
    const char *verb, *code;
} replies[] = {
    { REASON_ACCESS, "REJECT 5.7.1 access denied", "521 5.7.1 access denied" },
    { REASON_SUBMISSION, "REJECT 5.7.0 authentication required", "530 5.7.0 authentication required" },
    { REASON_VRFY, "REJECT 5.7.1 command not available", "502 5.7.1 command not available" },
    { REASON_KILL, "REJECT 5.7.1 unacceptable mail address", "501 5.7.1 unacceptable mail address" },
    { REASON_NULL_SENDER, "REJECT 5.7.1 null sender not accepted", "550 5.7.1 null sender not accepted" },
    { REASON_INVALID_SENDER, "REJECT 5.1.7 sender must be user@host", "501 5.1.7 sender must be user@host" },
    { REASON_LOCAL_SENDER, "REJECT 5.7.1 local sender not authorized", "550 5.7.1 local sender not authorized" },
    { REASON_ROUTED, "REJECT 5.7.1 routed recipient, not a gateway", "550 5.7.1 routed recipient, not a gateway" },
    { REASON_LIST, "REJECT 5.7.1 remote mail to this list is not accepted",
      "550 5.7.1 remote mail to this list is not accepted" },
    { REASON_RELAY, "REJECT 5.7.1 unknown local host xn--bcher-kva.example, not a gateway",
      "550 5.7.1 unknown local host xn--bcher-kva.example, not a gateway" },
    { REASON_UNVERIFIED, "DEFER 4.7.25 client host name not verified, try again later",
      "450 4.7.25 client host name not verified, try again later" },
    { REASON_RECIPIENTS, "REJECT 5.5.3 too many recipients", "550 5.5.3 too many recipients" },
    { REASON_UNAVAILABLE, "DEFER 4.3.0 login records unavailable, try again later",
      "451 4.3.0 login records unavailable, try again later" },
};

START_TEST(refusal_is_said_in_both_styles)
{
    ck_assert_int_eq(COUNT(replies), REASON_COUNT);
    expect(ACTION_REFUSE, replies[_i].reason, replies[_i].verb);
    ck_assert_int_eq(settings_set(&settings, SETTING_REPLY_STYLE, str_of("code"), NULL), 0);
    expect(ACTION_REFUSE, replies[_i].reason, replies[_i].code);
}
END_TEST

START_TEST(permits_have_no_style)
{
    ck_assert_int_eq(settings_set(&settings, SETTING_ARCHIVE_TO, str_of("Archive@Example.com"), NULL), 0);
    for (int style = 0; style < 2; style++) {
        expect(ACTION_DUNNO, REASON_NONE, "DUNNO");
        expect(ACTION_OK, REASON_NONE, "OK");
        expect(ACTION_BCC, REASON_NONE, "BCC Archive@Example.com");
        ck_assert_int_eq(settings_set(&settings, SETTING_REPLY_STYLE, str_of("code"), NULL), 0);
    }
}
END_TEST

static const struct {
    const char *text, *expected;
} texts[] = {
    { "no", "no" },
    { "%{client} %{sender} %{recipient} %{domain}", "192.0.2.10 Fred@Example.NET <Bob@B\xc3\x9c"
                                                    "CHER.example.> xn--bcher-kva.example" },
    { "100%% and 50%", "100% and 50%" },
    { "%%{client}", "%{client}" },
    { "%{client}%{client}", "192.0.2.10192.0.2.10" },
    { "DUNNO", "DUNNO" },
};

START_TEST(placeholders_are_replaced)
{
    char expected[256];
    ck_assert_int_eq(settings_set(&settings, SETTING_TEXT + REASON_KILL, str_of(texts[_i].text), NULL), 0);
    (void)snprintf(expected, sizeof expected, "REJECT 5.7.1 %s", texts[_i].expected);
    expect(ACTION_REFUSE, REASON_KILL, expected);
}
END_TEST

START_TEST(network_text_is_cut_and_cleaned)
{
    char sender[1000], expected[400], big[SETTING_TEXT_MAX_BYTES + 1] = "";
    memset(sender, 's', sizeof sender);
    request.attr[ATTR_SENDER] = str_make(sender, sizeof sender);
    ck_assert_int_eq(settings_set(&settings, SETTING_TEXT + REASON_KILL, str_of("%{sender}."), NULL), 0);
    (void)snprintf(expected, sizeof expected, "REJECT 5.7.1 %.256s.", sender);
    expect(ACTION_REFUSE, REASON_KILL, expected);
    request.attr[ATTR_SENDER] = str_of("a\nb\r\x01\x7f\xc3\xbc");
    expect(ACTION_REFUSE, REASON_KILL, "REJECT 5.7.1 a?b???\xc3\xbc.");

    /* As much as a text can ask for still fits. */
    request.attr[ATTR_SENDER] = str_make(sender, sizeof sender);
    while (strlen(big) + 9 <= SETTING_TEXT_MAX_BYTES)
        memcpy(big + strlen(big), "%{sender}", 10);
    ck_assert_int_eq(settings_set(&settings, SETTING_TEXT + REASON_KILL, str_of(big), NULL), 0);
    char text[REPLY_MAX_BYTES];
    struct decision decision = { .action = ACTION_REFUSE, .reason = REASON_KILL };
    size_t n = reply_write(&decision, &request, &settings, text);
    ck_assert_uint_eq(n, strlen("action=REJECT 5.7.1 \n\n") + SETTING_TEXT_MAX_BYTES / 9 * 256);
    ck_assert_uint_lt(n, REPLY_MAX_BYTES);
    ck_assert_int_eq(text[n - 1], '\n');
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reply");
    TCase *tcase = suite_case(suite, "reply");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_loop_test(tcase, refusal_is_said_in_both_styles, 0, COUNT(replies));
    tcase_add_test(tcase, permits_have_no_style);
    tcase_add_loop_test(tcase, placeholders_are_replaced, 0, COUNT(texts));
    tcase_add_test(tcase, network_text_is_cut_and_cleaned);
    return suite_run(suite);
}
