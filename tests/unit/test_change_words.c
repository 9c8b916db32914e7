#include "cli/change_list.h"
#include "cli/change_words.h"
#include "rule_fixture.h"
#include "store/rule_log.h"

#include <time.h>

static const struct rule_log_part whole = { "rule_change", 0, INT64_MAX, false };

static char *text;
static size_t text_n;
static FILE *out;

static void begin(const char *statements)
{
    ck_assert_int_eq(setenv("TZ", "UTC", 1), 0);
    tzset();
    rule_fixture_begin(NULL, 1000, "");
    sql(statements);
    sql("UPDATE rule_change SET at = 1795564800, \"by\" = 'alice' WHERE \"by\" IS NULL");
    out = open_memstream(&text, &text_n);
    ck_assert_ptr_nonnull(out);
}

static void end(void)
{
    free(text);
    rule_fixture_end();
}

/* What SQL, after other SQL, has done. */
static const struct {
    const char *before, *change, *words;
} changes[] = {
    { "", "INSERT INTO access_block(block) VALUES('203.0.113.0/24')", "added deny 203.0.113.0/24" },
    { "", "INSERT INTO access_block(block, verdict, note, expires) VALUES('::/0', 'grant', 'why', 1798761600)",
      "added allow ::/0 until 2027-01-01T00:00:00 # why" },
    { "", "INSERT INTO relay_grant(client, expires) VALUES('192.0.2.7', 5)",
      "added grant 192.0.2.7 until 1970-01-01T00:00:05" },
    { "", "INSERT INTO accept_entry(sender) VALUES('@example.org')", "added accept @example.org from anywhere" },
    { "", "INSERT INTO accept_entry(sender, client) VALUES('@example.org', '192.0.2.1')",
      "added accept @example.org from 192.0.2.1" },
    { "", "INSERT INTO local_domain(domain, kind) VALUES('example.com', 'relay')", "added domain example.com relay" },
    { "", "INSERT INTO local_user(address, account) VALUES('info', 'bob')", "added user info account bob" },
    { "", "INSERT INTO local_list(address, remote_mail) VALUES('staff', 'no')", "added list staff remote_mail no" },
    { "INSERT INTO kill_entry(sender) VALUES('a b@example.net')", "DELETE FROM kill_entry",
      "removed kill \"a b@example.net\"" },
    { "INSERT INTO relay_grant(client, verdict, note) VALUES('192.0.2.7', 'refuse', 'a')",
      "UPDATE relay_grant SET note = 'b c', expires = 1798761600",
      "changed refuse 192.0.2.7: note \"a\" -> \"b c\"; until never -> 2027-01-01T00:00:00" },
    { "INSERT INTO relay_grant(client, note, expires) VALUES('192.0.2.7', 'a', 1798761600)",
      "UPDATE relay_grant SET note = NULL, expires = NULL",
      "changed grant 192.0.2.7: note \"a\" -> none; until 2027-01-01T00:00:00 -> never" },
    { "INSERT INTO relay_grant(client) VALUES('192.0.2.7')",
      "UPDATE relay_grant SET client = '192.0.2.8', verdict = 'refuse', created = 5 WHERE created > 5",
      "changed grant 192.0.2.7: client 192.0.2.7 -> 192.0.2.8; verdict grant -> refuse; created " },
    { "INSERT INTO accept_entry(sender, client) VALUES('@example.org', '192.0.2.1')",
      "UPDATE accept_entry SET client = ''",
      "changed accept @example.org from 192.0.2.1: client 192.0.2.1 -> anywhere" },
    { "INSERT INTO local_user(address) VALUES('info')", "UPDATE local_user SET account = 'bob'",
      "changed user info: account none -> bob" },
    { "INSERT INTO access_block(block, created) VALUES('192.0.2.7', 5)",
      "REPLACE INTO access_block(block, verdict, created) VALUES('192.0.2.7', 'grant', 5)",
      "changed deny 192.0.2.7: verdict deny -> grant" },
    { "", "INSERT INTO setting VALUES('relay_for', 'nobody')", "set relay_for: addresses (default) -> nobody" },
    { "INSERT INTO setting VALUES('relay_for', 'nobody')", "UPDATE setting SET value = 'addresses'",
      "set relay_for: nobody -> addresses" },
    { "INSERT INTO setting VALUES('text_relay', 'go away')", "DELETE FROM setting",
      "set text_relay: \"go away\" -> \"unknown local host %{domain}, not a gateway\" (default)" },
    { "", "INSERT INTO setting VALUES('recipient_delimiter', '')", "set recipient_delimiter: + (default) -> \"\"" },
    { "INSERT INTO setting VALUES('archive', 'inbound')",
      "UPDATE setting SET name = 'archive_to', value = 'a@b.example'",
      "set archive: inbound -> all (default), archive_to: \"\" (default) -> a@b.example" },
    /* Nonsense in the log. */
    { "", "INSERT INTO rule_change(kind, key, op, old) VALUES('relay_grant', 'k' || char(27), 'delete', '{')",
      "delete of relay_grant k?, as the log has it: { -> nothing" },
    { "", "INSERT INTO rule_change(kind, key, op, old, new) VALUES('no table', 'k', 'insert', '{}', char(10))",
      "insert of \"no table\" k, as the log has it: {} -> ?" },
    { "", "INSERT INTO rule_change(kind, key, op, new) VALUES('relay_grant', 'k', 'insert', '{\"client\": 7}')",
      "insert of relay_grant k, as the log has it: nothing -> {\"client\": 7}" },
    { "", "INSERT INTO rule_change(kind, key, op) VALUES('relay_grant', 'k', 'insert')",
      "insert of relay_grant k, as the log has it: nothing -> nothing" },
    { "",
      "INSERT INTO rule_change(kind, key, op, new, old)"
      " VALUES('relay_grant', 'k', 'insert', '{\"client\": \"a\"}', '{\"client\": \"a\"}')",
      "insert of relay_grant k, as the log has it: {\"client\": \"a\"} -> {\"client\": \"a\"}" },
    { "",
      "INSERT INTO rule_change(kind, key, op, new)"
      " VALUES('relay_grant', 'k', 'insert', '{\"client\": \"a\\u001b]0;x\", \"verdict\": [1], \"expires\": "
      "\"soon\"}')",
      "added refuse \"a?]0;x\" expired 1970-01-01T00:00:00" },
};

static int write_last(void *context, const struct logged_change *change)
{
    (void)context;
    rewind(out);
    change_words_write(out, change);
    fputc('\0', out);
    return 0;
}

START_TEST(change_has_its_words)
{
    struct error error = { "" };
    begin(changes[_i].before);
    sql(changes[_i].change);
    int r = rule_log_walk(db, &whole, write_last, NULL, &error);
    ck_assert_msg(r == 0, "%s", error.text);
    ck_assert_int_eq(fclose(out), 0);
    size_t n = strlen(changes[_i].words);
    bool open_ended = changes[_i].words[n - 1] == ' ';
    ck_assert_msg(open_ended ? strncmp(text, changes[_i].words, n) == 0 : strcmp(text, changes[_i].words) == 0,
                  "%s\nis not\n%s", text, changes[_i].words);
    end();
}
END_TEST

static int write_json(void *context, const struct logged_change *change)
{
    (void)context;
    change_words_write_json(out, change);
    return 0;
}

START_TEST(change_is_json)
{
    struct error error = { "" };
    begin("INSERT INTO local_domain(domain, note, created) VALUES('example.com', 'a \"note\"', 5)");
    sql("UPDATE setting SET value = value; DELETE FROM local_domain;"
        "INSERT INTO rule_change(kind, key, op, new) VALUES('x', 'k', 'insert', '{');"
        "UPDATE rule_change SET at = 7");
    ck_assert_int_eq(rule_log_walk(db, &whole, write_json, NULL, &error), 0);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_str_eq(
        text,
        "{\"seq\": 1, \"at\": 7, \"by\": \"alice\", \"kind\": \"domain\", \"table\": \"local_domain\", \"key\":"
        " \"example.com\", \"op\": \"insert\", \"old\": null, \"new\": {\"domain\": \"example.com\", \"kind\":"
        " \"local\", \"note\": \"a \\\"note\\\"\", \"created\": 5, \"expires\": null}}"
        "{\"seq\": 2, \"at\": 7, \"by\": null, \"kind\": \"domain\", \"table\": \"local_domain\", \"key\":"
        " \"example.com\", \"op\": \"delete\", \"old\": {\"domain\": \"example.com\", \"kind\": \"local\", \"note\":"
        " \"a \\\"note\\\"\", \"created\": 5, \"expires\": null}, \"new\": null}"
        "{\"seq\": 3, \"at\": 7, \"by\": null, \"kind\": \"x\", \"table\": \"x\", \"key\": \"k\", \"op\": \"insert\","
        " \"old\": null, \"new\": \"{\"}");
    end();
}
END_TEST

#define MANY(table, columns, values, n)                                                                                \
    "WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < " #n ") INSERT INTO " table "(" columns           \
    ") SELECT " values " FROM n;"

/* Which changes are one line: the lines without the time. */
static const struct {
    const char *changes, *lines;
    bool all, plain;
} lists[] = {
    { "", "", false, false },
    { MANY("kill_entry", "sender", "'u' || i || '@example.net'", 2),
      "1 alice added kill u1@example.net\n"
      "2 alice added kill u2@example.net\n",
      false, false },
    { MANY("access_block", "block", "'192.0.2.' || i", 11), "1-11 alice added 11 deny (--all shows each)\n", false,
      false },
    { MANY("access_block", "block", "'192.0.2.' || i", 11), "added 11 deny\n", false, true },
    { MANY("access_block", "block", "'192.0.2.' || i", 20)
          MANY("relay_grant", "client", "'192.0.2.' || i",
               12) "INSERT INTO kill_entry(sender) VALUES('@example.net'); DELETE FROM access_block;",
      "1-20 alice added 20 deny (--all shows each)\n"
      "21-32 alice added 12 grant (--all shows each)\n"
      "33 alice added kill @example.net\n"
      "34-53 alice removed 20 deny (--all shows each)\n",
      false, false },
    /* Another second, another name, a gap between the numbers. */
    { MANY("access_block", "block", "'192.0.2.' || i", 36) "UPDATE rule_change SET at = 5 WHERE seq > 12;"
                                                           "UPDATE rule_change SET \"by\" = 'bob' WHERE seq > 24;"
                                                           "DELETE FROM rule_change WHERE seq = 12",
      "1-11 alice added 11 deny (--all shows each)\n"
      "13-24 alice added 12 deny (--all shows each)\n"
      "25-36 bob added 12 deny (--all shows each)\n",
      false, false },
    { MANY("access_block", "block, verdict", "'192.0.2.' || i, iif(i % 2, 'deny', 'grant')", 3),
      "1 alice added deny 192.0.2.1\n2 alice added allow 192.0.2.2\n3 alice added deny 192.0.2.3\n", true, false },
};

static int add_to_list(void *context, const struct logged_change *change)
{
    return change_list_add(context, change);
}

/* Without the time in front of each line, and with single blanks. */
static void squeeze(char *lines, bool plain)
{
    char *to = lines;
    for (const char *from = lines; *from;) {
        if (!plain)
            from += strcspn(from, " ");
        while (*from && *from != '\n') {
            while (*from == ' ' && (from[1] == ' ' || to == lines || to[-1] == '\n'))
                from++;
            *to++ = *from++;
        }
        if (*from)
            *to++ = *from++;
    }
    *to = '\0';
}

START_TEST(many_changes_are_one_line)
{
    struct error error = { "" };
    begin(lists[_i].changes);
    sql("UPDATE rule_change SET at = 7 WHERE at <> 5");
    struct change_list list = { .out = out, .all = lists[_i].all, .plain = lists[_i].plain };
    ck_assert_int_eq(rule_log_walk(db, &whole, add_to_list, &list, &error), 0);
    change_list_end(&list);
    ck_assert_int_eq(fclose(out), 0);
    squeeze(text, lists[_i].plain);
    ck_assert_str_eq(text, lists[_i].lines);
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("change_words");
    TCase *tcase = suite_case(suite, "change_words");
    tcase_add_loop_test(tcase, change_has_its_words, 0, COUNT(changes));
    tcase_add_test(tcase, change_is_json);
    tcase_add_loop_test(tcase, many_changes_are_one_line, 0, COUNT(lists));
    return suite_run(suite);
}
