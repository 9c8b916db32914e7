#include "core/settings.h"
#include "schema_sql.h"
#include "suite.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>

/* What SPEC 5 says: a value that is good or bad, and whether a CHECK of the schema can see that it is bad. */
enum verdict { GOOD, BAD, BAD_UNSEEN };

static const struct {
    const char *name, *value;
    enum verdict verdict;
} values[] = {
    { "relay_for", "nobody", GOOD },
    { "relay_for", "addresses", GOOD },
    { "relay_for", "local-users", GOOD },
    { "relay_for", "local-hosts", GOOD },
    { "relay_for", "anyone", GOOD },
    { "relay_for", "", BAD },
    { "relay_for", "Anyone", BAD },
    { "relay_for", "anyone ", BAD },
    { "unlisted_clients", "grant", GOOD },
    { "unlisted_clients", "deny", GOOD },
    { "unlisted_clients", "refuse", BAD },
    { "pop_before_smtp", "0", GOOD },
    { "pop_before_smtp", "10080", GOOD },
    { "pop_before_smtp", "10081", BAD },
    { "pop_before_smtp", "-1", BAD },
    { "pop_before_smtp", "+1", BAD },
    { "pop_before_smtp", "1.5", BAD },
    { "pop_before_smtp", "030", BAD },
    { "pop_before_smtp", "", BAD },
    { "pop_before_smtp", "1 ", BAD },
    { "pop_before_smtp", "99999999999999999999", BAD },
    { "pop_before_smtp_match", "sender", GOOD },
    { "pop_before_smtp_match", "address", GOOD },
    { "pop_before_smtp_match", "both", BAD },
    { "pop_before_smtp_max_accounts", "0", GOOD },
    { "pop_before_smtp_max_accounts", "1000", GOOD },
    { "pop_before_smtp_max_accounts", "1001", BAD },
    { "pop_before_smtp_skip", "", GOOD },
    { "pop_before_smtp_skip", "192.0.2.0/24, 2001:db8::/32 198.51.100.1-50", GOOD },
    { "pop_before_smtp_skip", "mail.example.net", BAD },
    { "pop_before_smtp_skip", "192.0.2.9-3", BAD_UNSEEN },
    { "pop_before_smtp_ipv6_prefix", "48", GOOD },
    { "pop_before_smtp_ipv6_prefix", "128", GOOD },
    { "pop_before_smtp_ipv6_prefix", "47", BAD },
    { "pop_before_smtp_ipv6_prefix", "129", BAD },
    { "local_sender_auth", "yes", GOOD },
    { "local_sender_auth", "no", GOOD },
    { "local_sender_auth", "1", BAD },
    { "refuse_null_sender", "authenticated", GOOD },
    { "refuse_null_sender", "no", GOOD },
    { "refuse_null_sender", "never", BAD },
    { "observe", "", GOOD },
    { "observe", "all", GOOD },
    { "observe", "kill", GOOD },
    { "observe", "access,submission vrfy, kill null-sender,invalid-sender local-sender routed list relay recipients",
      GOOD },
    { "observe", "unavailable", BAD },
    { "observe", "unverified", BAD },
    { "observe", "kill,spam", BAD },
    { "observe", "all kill", BAD },
    { "max_recipients", "2147483647", GOOD },
    { "max_recipients", "2147483648", BAD },
    { "observe", "killkill", BAD },
    { "require_valid_sender", "yes", GOOD },
    { "require_valid_sender", "YES", BAD },
    { "refuse_routed_recipient", "no", GOOD },
    { "refuse_routed_recipient", "off", BAD },
    { "recipient_delimiter", "", GOOD },
    { "recipient_delimiter", "+", GOOD },
    { "recipient_delimiter", "+-_", GOOD },
    { "recipient_delimiter", "a", BAD },
    { "recipient_delimiter", " ", BAD },
    { "recipient_delimiter", "\xc3\xbc", BAD },
    { "list_remote_mail", "no", GOOD },
    { "list_remote_mail", "maybe", BAD },
    { "max_recipients", "0", GOOD },
    { "max_recipients", "5000", GOOD },
    { "max_recipients", "many", BAD },
    { "submission_ports", "", GOOD },
    { "submission_ports", "587", GOOD },
    { "submission_ports", "465, 587", GOOD },
    { "submission_ports", "smtps", BAD },
    { "submission_ports", "465;587", BAD },
    { "submission_ports", "123456", BAD },
    { "submission_ports", "65536", BAD },
    { "submission_ports", "0", BAD },
    { "refuse_vrfy", "yes", GOOD },
    { "refuse_vrfy", "true", BAD },
    { "archive_to", "", GOOD },
    { "archive_to", "archive@example.com", GOOD },
    { "archive_to", "archive", BAD },
    { "archive_to", "@example.com", BAD },
    { "archive_to", "archive@", BAD },
    { "archive_to", "a@b@example.com", BAD },
    { "archive_to", "a b@example.com", BAD },
    { "archive_to", "a\n@example.com", BAD },
    { "archive_to", "a@-bad.example", BAD_UNSEEN },
    { "archive", "all", GOOD },
    { "archive", "inbound", GOOD },
    { "archive", "outbound", GOOD },
    { "archive", "none", BAD },
    { "reply_style", "verb", GOOD },
    { "reply_style", "code", GOOD },
    { "reply_style", "text", BAD },
    { "text_access", "go away", GOOD },
    { "text_null_sender", "100%% %{sender} %{client} %{recipient} %{domain}", GOOD },
    { "text_kill", "50% off", GOOD },
    { "text_kill", "%%{nothing}", GOOD },
    { "text_unavailable", "later", GOOD },
    { "text_unverified", "later", GOOD },
    { "text_relay", "", BAD },
    { "text_relay", "two\nlines", BAD },
    { "text_relay",
      "a\x7f"
      "b",
      BAD },
    { "text_relay", "%{host}", BAD },
    { "text_relay", "%{client", BAD },
};

static int store(sqlite3 *db, const char *name, const char *value)
{
    sqlite3_stmt *stmt = NULL;
    ck_assert_int_eq(sqlite3_prepare_v2(db, "REPLACE INTO setting VALUES (?1, ?2)", -1, &stmt, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC), SQLITE_OK);
    ck_assert_int_eq(sqlite3_bind_text(stmt, 2, value, -1, SQLITE_STATIC), SQLITE_OK);
    int code = sqlite3_step(stmt);
    (void)sqlite3_finalize(stmt);
    return code;
}

static sqlite3 *open_schema(void)
{
    sqlite3 *db = NULL;
    ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, schema_sql, NULL, NULL, NULL), SQLITE_OK);
    return db;
}

START_TEST(table_and_schema_agree_on_values)
{
    struct settings settings;
    struct error error = { "" };
    sqlite3 *db = open_schema();
    enum setting setting = setting_by_name(str_of(values[_i].name));
    const char *about = values[_i].value;
    ck_assert_int_ne(setting, SETTING_NONE);
    settings_init(&settings);
    int r = settings_set(&settings, setting, str_of(about), &error);
    ck_assert_msg(r == (values[_i].verdict == GOOD ? 0 : -EINVAL), "%s \"%s\": %d", values[_i].name, about, r);
    if (r == 0)
        ck_assert(str_is(settings_text(&settings, setting), about));
    else
        ck_assert_msg(strstr(error.text, values[_i].name) != NULL, "\"%s\" does not name the setting", error.text);
    int code = store(db, values[_i].name, about);
    ck_assert_msg(code == (values[_i].verdict == BAD ? SQLITE_CONSTRAINT : SQLITE_DONE),
                  "%s \"%s\": the schema says %d", values[_i].name, about, code);
    settings_fini(&settings);
    (void)sqlite3_close(db);
}
END_TEST

START_TEST(every_setting_is_in_the_schema_with_its_preset)
{
    struct settings settings;
    sqlite3 *db = open_schema();
    settings_init(&settings);
    struct str preset = settings_text(&settings, (enum setting)_i);
    ck_assert_int_eq(store(db, setting_info((enum setting)_i)->name, preset.p), SQLITE_DONE);
    ck_assert_int_eq(settings_set(&settings, (enum setting)_i, preset, NULL), 0);
    ck_assert_int_eq(setting_by_name(str_of(setting_info((enum setting)_i)->name)), _i);
    settings_fini(&settings);
    (void)sqlite3_close(db);
}
END_TEST

START_TEST(unknown_setting_is_refused_by_both)
{
    sqlite3 *db = open_schema();
    ck_assert_int_eq(setting_by_name(str_of("no_such")), SETTING_NONE);
    ck_assert_int_eq(setting_by_name(str_of("")), SETTING_NONE);
    ck_assert_int_eq(store(db, "no_such", "x"), SQLITE_CONSTRAINT);
    ck_assert_int_eq(store(db, "relay_for", NULL), SQLITE_CONSTRAINT);
    (void)sqlite3_close(db);
}
END_TEST

START_TEST(failed_set_changes_nothing_and_unset_goes_back)
{
    struct settings settings;
    settings_init(&settings);
    ck_assert_int_eq(settings_set(&settings, SETTING_OBSERVE, str_of("kill relay"), NULL), 0);
    ck_assert_uint_eq(settings.number[SETTING_OBSERVE], 1U << REASON_KILL | 1U << REASON_RELAY);
    ck_assert_int_eq(settings_set(&settings, SETTING_OBSERVE, str_of("nonsense"), NULL), -EINVAL);
    ck_assert_uint_eq(settings.number[SETTING_OBSERVE], 1U << REASON_KILL | 1U << REASON_RELAY);
    settings_unset(&settings, SETTING_OBSERVE);
    ck_assert_uint_eq(settings.number[SETTING_OBSERVE], 0);
    settings_fini(&settings);
}
END_TEST

static const struct {
    const char *ports, *port;
    bool has;
} port_cases[] = {
    { "", "25", false },        { "587", "587", true },     { "465 587", "587", true },
    { "465,587", "465", true }, { "465,587", "58", false }, { "587", "", false },
    { "587", "smtp", false },   { "587", "0587", true },    { "587", "65536587", false },
};

START_TEST(ports_are_compared_as_numbers)
{
    struct settings settings;
    settings_init(&settings);
    ck_assert_int_eq(settings_set(&settings, SETTING_SUBMISSION_PORTS, str_of(port_cases[_i].ports), NULL), 0);
    ck_assert_int_eq(settings_has_port(&settings, str_of(port_cases[_i].port)), port_cases[_i].has);
    settings_fini(&settings);
}
END_TEST

START_TEST(text_has_512_bytes_at_most)
{
    char text[SETTING_TEXT_MAX_BYTES + 2];
    struct settings settings;
    sqlite3 *db = open_schema();
    settings_init(&settings);
    memset(text, 'x', sizeof text);
    text[SETTING_TEXT_MAX_BYTES] = '\0';
    ck_assert_int_eq(settings_set(&settings, SETTING_TEXT, str_of(text), NULL), 0);
    ck_assert_int_eq(store(db, "text_access", text), SQLITE_DONE);
    text[SETTING_TEXT_MAX_BYTES] = 'x';
    text[SETTING_TEXT_MAX_BYTES + 1] = '\0';
    ck_assert_int_eq(settings_set(&settings, SETTING_TEXT, str_of(text), NULL), -EINVAL);
    ck_assert_int_eq(store(db, "text_access", text), SQLITE_CONSTRAINT);
    ck_assert_int_eq(settings_set(&settings, SETTING_TEXT, str_make("a\0b", 3), NULL), -EINVAL);
    settings_fini(&settings);
    (void)sqlite3_close(db);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("settings");
    TCase *tcase = suite_case(suite, "settings");
    tcase_add_loop_test(tcase, table_and_schema_agree_on_values, 0, COUNT(values));
    tcase_add_loop_test(tcase, every_setting_is_in_the_schema_with_its_preset, 0, SETTING_COUNT);
    tcase_add_test(tcase, unknown_setting_is_refused_by_both);
    tcase_add_test(tcase, failed_set_changes_nothing_and_unset_goes_back);
    tcase_add_loop_test(tcase, ports_are_compared_as_numbers, 0, COUNT(port_cases));
    tcase_add_test(tcase, text_has_512_bytes_at_most);
    return suite_run(suite);
}
