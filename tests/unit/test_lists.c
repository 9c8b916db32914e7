/*
 * Lists of rules: which format they are, what is read from them, and that what is written is read again.
 */
#include "console/rule_line.h"
#include "lists/entries.h"
#include "lists/list_format.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Files. */

enum { PATH_SIZE = 64 };

static void write_file(char path[PATH_SIZE], const char *text, size_t n)
{
    (void)snprintf(path, PATH_SIZE, "/tmp/gatepost-test.XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, n), (ssize_t)n);
    ck_assert_int_eq(close(fd), 0);
}

static int read_file(struct list_file *file, const char *text, size_t n, struct error *error)
{
    char path[PATH_SIZE];
    write_file(path, text, n);
    int r = list_file_read(file, path, error);
    (void)unlink(path);
    file->name = "list";
    return r;
}

/* What is read: a line for each entry, fault (!) and what is passed over (?). */

static char said[4096];

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list args;
    size_t n = strlen(said);
    va_start(args, format);
    (void)vsnprintf(said + n, sizeof said - n, format, args);
    va_end(args);
}

static int take(void *context, const struct list_entry *entry)
{
    (void)context;
    say("%zu %s %.*s", entry->line, entry->kind->name, STR_ARGS(entry->key));
    if (entry->client.p)
        say(" from [%.*s]", STR_ARGS(entry->client));
    if (entry->value.p)
        say(" =%.*s", STR_ARGS(entry->value));
    if (entry->expires != RULE_NEVER_EXPIRES)
        say(" until %lld", (long long)entry->expires);
    if (entry->note.p)
        say(" # %.*s", STR_ARGS(entry->note));
    say("\n");
    return 0;
}

static void fault(void *context, size_t line, const char *text)
{
    (void)context;
    say("!%zu %.24s\n", line, text);
}

static void pass_over(void *context, size_t line, struct str what, const char *why)
{
    (void)context;
    (void)why;
    say("?%zu %.*s\n", line, STR_ARGS(what));
}

/* kind, text, format that is recognised, what is read */
static const struct {
    const char *kind, *text, *format, *read;
} lists[] = {
    { "deny", "", "plain", "" },
    { "deny", "192.0.2.7\n\n# a comment\n192.0.2.0/24 until 2000000000 # a note\n", "plain",
      "1 deny 192.0.2.7\n4 deny 192.0.2.0/24 until 2000000000 # a note\n" },
    { "deny",
      "\xef\xbb\xbf"
      "192.0.2.7 \t\r\n2001:db8::/32",
      "plain", "1 deny 192.0.2.7\n2 deny 2001:db8::/32\n" },
    { "grant", "mail.example.net\n.example.org\n192.0.2.1-50\n192.0.2.*\n", "plain",
      "1 grant mail.example.net\n2 grant .example.org\n3 grant 192.0.2.1-50\n4 grant 192.0.2.*\n" },
    { "deny", "192.0.2.7 until tomorrow\n", "plain", "!1 until: \"tomorrow\" is no \n" },
    { "accept", "@example.org from 192.0.2.0/24\n\"a b@example.org\" from anywhere # x\n", "plain",
      "1 accept @example.org from [192.0.2.0/24]\n2 accept a b@example.org from [] # x\n" },
    { "domain", "example.com\n.example.net relay until 5\n", "plain",
      "1 domain example.com\n2 domain .example.net =relay until 5\n" },
    { "user", "bob\ninfo account bob@example.com\n\"a\\\"b\\\\c\" account \"d e\" # \" n \"\n", "plain",
      "1 user bob\n2 user info =bob@example.com\n3 user a\"b\\c =d e #  n \n" },
    { "list", "staff remote_mail no\nstaff2 remote_mail\nx relay\n\"open", "plain",
      "1 list staff =no\n2 list staff2 =\n!3 \"relay\" behind the key i\n!4 a \" without the one that\n" },
    { "kill", "fred@example.net\n@*widget.example\nwidget.example   \n192.0.2.7\n@host.example # x\n", "imail",
      "1 kill fred@example.net\n2 kill @*widget.example\n3 kill @widget.example\n4 deny 192.0.2.7\n"
      "5 kill @host.example # x\n" },
    { "accept", "partner.example\r\n192.0.2.7\r\n", "imail", "1 accept @partner.example\n2 grant 192.0.2.7\n" },
    { "kill",
      "b\xfc"
      "cher.example\nfred@\xc3\xbc.example\n",
      "imail",
      "1 kill @b\xc3\xbc"
      "cher.example\n2 kill fred@\xc3\xbc.example\n" },
    { "grant", "192.0.2.0 255.255.255.0\n192.0.2.7\t255.255.255.255\n198.51.100.0,255.255.255.0\n203.0.113.1\n",
      "imail",
      "1 grant 192.0.2.0/255.255.255.0\n2 grant 192.0.2.7/255.255.255.255\n3 grant 198.51.100.0/255.255.255.0\n"
      "4 grant 203.0.113.1\n" },
    { "grant",
      "; office\n192.168.0.1-50 ; desks\n192.168.*.* # all\n10.*.*.*\nmail.example.net;mx\n192.0.2.1;192.0.2.2\n",
      "icewarp",
      "2 grant 192.168.0.1-50 # desks\n3 grant 192.168.0.0/16 # all\n4 grant 10.0.0.0/8\n5 grant mail.example.net # "
      "mx\n"
      "!6 what follows \"192.0.2.1\"\n" },
    { "grant", "127.0.0.0/8 [::1]/128, [2001:db8::]/32\n  192.0.2.7\n", "mynetworks",
      "1 grant 127.0.0.0/8\n1 grant ::1/128\n1 grant 2001:db8::/32\n2 grant 192.0.2.7\n" },
    { "grant", "mynetworks = 192.0.2.0/24 hash:/etc/postfix/nets /etc/nets $mydestination host.example\n", "mynetworks",
      "1 grant 192.0.2.0/24\n?1 hash:/etc/postfix/nets\n?1 /etc/nets\n?1 $mydestination\n!1 \"host.example\" is no "
      "blo\n" },
    { "grant", "mynetworks=192.0.2.0/24,\n  198.51.100.0/24\n", "mynetworks",
      "1 grant 192.0.2.0/24\n2 grant 198.51.100.0/24\n" },
    { "grant", "mynetworks = \\\n  192.0.2.0/24 \\\n  [::1]/128\n", "mynetworks",
      "2 grant 192.0.2.0/24\n3 grant ::1/128\n" },
    { "grant", "192.0.2.1;192.168.0.1-50;10.*.*.*\n192.0.2.2 ; 192.0.2.0/24 only\n", "icewarp",
      "!1 what follows \"192.0.2.1\"\n2 grant 192.0.2.2 # 192.0.2.0/24 only\n" },
    { "deny", "IF 192.0.2.0/24\n192.0.2.9 reject\nEndIf\n192.0.2.8 permit_auth_destination, reject\n", "cidr",
      "!1 \"IF\" is not taken becaus\n2 deny 192.0.2.9\n!3 \"EndIf\" is not taken bec\n!4 "
      "\"permit_auth_destination\n" },
    { "grant", "!192.0.2.5, 192.0.2.0/24\n", "mynetworks", "1 grant 192.0.2.0/24\n!1 \"!192.0.2.5\" is not take\n" },
    { "grant", "192.0.2.0/24, !192.0.2.5\n", "mynetworks", "1 grant 192.0.2.0/24\n?1 192.0.2.5\n" },
    { "deny", "192.0.2.7 dunno\n192.0.2.0/24 reject\n[2001:db8::]/32 550 go\n away\n", "cidr",
      "1 allow 192.0.2.7\n2 deny 192.0.2.0/24\n3 deny 2001:db8::/32 # go away\n" },
    { "allow", "192.0.2.7 REJECT\n", "cidr", "1 deny 192.0.2.7\n" },
    { "refuse", "192.0.2.7 ok\n192.0.2.8 reject\n", "cidr", "1 grant 192.0.2.7\n2 refuse 192.0.2.8\n" },
    { "deny", "192.0.2.0/24 reject\n192.0.2.7 dunno\n", "cidr",
      "1 deny 192.0.2.0/24\n2 allow 192.0.2.7\n!2 192.0.2.7 would count he\n" },
    { "deny", "192.0.2.0/24 reject\n192.0.2.0/28 dunno\n192.0.2.7 reject\n", "cidr",
      "1 deny 192.0.2.0/24\n2 allow 192.0.2.0/28\n3 deny 192.0.2.7\n!2 192.0.2.0/28 would count\n" },
    { "deny", "192.0.2.7 hold\nif 192.0.2.0/24\n!192.0.2.9 reject\nendif\n192.0.2.1-9 reject\n192.0.2.1\n", "cidr",
      "!1 \"hold\" is no action that\n!2 \"if\" is not taken becaus\n!3 \"!192.0.2.9\" is not take\n"
      "!4 \"endif\" is not taken bec\n!5 \"192.0.2.1-9\" is no addr\n!6 \"192.0.2.1\" has no actio\n" },
    { "deny", "# gatepost deny cidr\n#: until 2000000000 # note\n192.0.2.7 reject\n192.0.2.8 reject\n", "cidr",
      "3 deny 192.0.2.7 until 2000000000 # note\n4 deny 192.0.2.8\n" },
    { "deny",
      "[ {\"kind\": \"deny\", \"block\": \"192.0.2.7\", \"verdict\": \"deny\", \"note\": null, \"created\": 1, "
      "\"expires\": 9},\n"
      "{\"block\": \"192.0.2.8\", \"note\": \"n\"}]\n",
      "json", "1 deny 192.0.2.7 until 9\n2 deny 192.0.2.8 # n\n" },
    { "deny", "{\"block\": \"192.0.2.8\"}", "json", "1 deny 192.0.2.8\n" },
    { "deny", "[]", "json", "" },
    { "deny",
      "[\n{\"block\": \"192.0.2.8\", \"verdict\": \"grant\"},\n{\"block\": 7},\n{\"note\": null},\n{\"x\": 1}, 5",
      "json",
      "!2 verdict \"grant\" is not o\n!3 \"block\" is neither a tex\n!4 \"block\" is missing\n!5 \"x\" is no column of "
      "acce\n"
      "!5 this is no JSON: '[' or \n" },
    { "deny", "[{\"block\": \"192.0.2.8\"} {\"block\": \"192.0.2.9\"}]", "json",
      "1 deny 192.0.2.8\n!1 a , or the ] that closes\n" },
    { "deny", "{\"block\": \"192.0.2.8\"} x", "json", "1 deny 192.0.2.8\n!1 something follows the en\n" },
    { "domain", "[{\"kind\": \"domain\", \"domain\": \"example.com\", \"relay\": true}]", "json",
      "1 domain example.com =relay\n" },
    { "accept", "[{\"sender\": \"@example.org\", \"client\": \"\"}, {\"sender\": \"@example.net\"}]", "json",
      "1 accept @example.org from []\n1 accept @example.net\n" },
};

START_TEST(list_is_recognised_and_read)
{
    struct list_file file;
    struct list_sink sink = { NULL, take, fault, pass_over };
    struct error error;
    enum list_format format;
    const char *text = lists[_i].text;
    const struct kind *kind = kind_by_name(lists[_i].kind);
    ck_assert_msg(read_file(&file, text, strlen(text), &error) == 0, "%s", error.text);
    ck_assert_msg(list_format_recognise(&file, kind, &format, &error) == 0, "%s", error.text);
    ck_assert_str_eq(list_formats[format].name, lists[_i].format);
    said[0] = '\0';
    ck_assert_int_eq(list_formats[format].read(&file, kind, &sink), 0);
    ck_assert_str_eq(said, lists[_i].read);
    list_file_fini(&file);
}
END_TEST

/* kind, text in which lines speak for different formats */
static const struct {
    const char *kind, *text;
} unclear[] = {
    { "deny", "192.0.2.0 255.255.255.0\n192.0.2.7 reject\n" },
    { "grant", "192.0.2.0/24 ; office\n192.0.2.7, 192.0.2.8\n" },
    { "grant", "[::1]/128\n192.0.2.7 255.255.255.255\n" },
};

START_TEST(unclear_format_is_asked_for)
{
    struct list_file file;
    struct error error;
    enum list_format format;
    ck_assert_int_eq(read_file(&file, unclear[_i].text, strlen(unclear[_i].text), &error), 0);
    ck_assert_int_eq(list_format_recognise(&file, kind_by_name(unclear[_i].kind), &format, &error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error.text, "--from"));
    list_file_fini(&file);
}
END_TEST

START_TEST(no_text_is_refused)
{
    static const char long_line[LIST_LINE_MAX_BYTES + 2] = { 0 };
    char line[sizeof long_line];
    static const struct {
        const char *bytes;
        size_t n;
        const char *what;
    } files[] = { { "192.0.2.1\n\0\n", 12, "list" },
                  { "\xff\xfe"
                    "1\0",
                    4, "UTF-16" } };
    struct list_file file;
    struct error error;
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(read_file(&file, files[i].bytes, files[i].n, &error), -EINVAL);
        ck_assert_msg(strstr(error.text, i == 0 ? ":2: a NUL" : files[i].what), "%s", error.text);
        list_file_fini(&file);
    }
    memset(line, 'x', sizeof line);
    ck_assert_int_eq(read_file(&file, line, sizeof line, &error), -EINVAL);
    ck_assert_msg(strstr(error.text, ":1: a line of more"), "%s", error.text);
    list_file_fini(&file);
    ck_assert_int_lt(list_file_read(&file, "/tmp", &error), 0);
    list_file_fini(&file);
    ck_assert_int_eq(list_file_read(&file, "/nonexistent/list", &error), -ENOENT);
    list_file_fini(&file);
}
END_TEST

/* Rows, written and read again. */
static const struct {
    const char *kind;
    struct stored_row row;
} rows[] = {
    { "deny", { .key = "192.0.2.0/24", .client = "", .value = "deny" } },
    { "deny",
      { .key = "2001:db8::/32",
        .client = "",
        .value = "deny",
        .note = "a # note",
        .has_expiry = true,
        .expires = 4000000000 } },
    { "grant", { .key = ".example.net", .client = "", .value = "grant", .note = " \"framed\" " } },
    { "kill", { .key = "a b#c;d\"e\\f@example.net", .client = "", .note = "" } },
    { "accept", { .key = "@example.org", .client = "192.0.2.0/24" } },
    { "accept", { .key = "@example.org", .client = "" } },
    { "domain", { .key = "example.com", .client = "", .value = "local" } },
    { "domain", { .key = "example.com", .client = "", .value = "relay", .has_expiry = true, .expires = INT64_MAX } },
    { "user", { .key = "x y", .client = "", .value = "bob smith@example.com", .note = "\xc3\xbc" } },
    { "user", { .key = "#bob", .client = "" } },
    { "list", { .key = "staff", .client = "", .value = "no", .note = "\"" } },
};

static bool is_text(struct str text, const char *expected)
{
    return expected ? text.p && str_is(text, expected) : !text.p;
}

static int compare_with_row(void *context, const struct list_entry *entry)
{
    const struct stored_row *row = context;
    bool single = entry->kind->value != NULL, local = row->value && strcmp(row->value, "local") == 0;
    ck_assert(is_text(entry->key, row->key));
    ck_assert(is_text(entry->note, row->note));
    ck_assert(single || is_text(entry->value, local ? (entry->value.p ? "local" : NULL) : row->value));
    ck_assert_int_eq(entry->expires, row->has_expiry ? row->expires : RULE_NEVER_EXPIRES);
    if ((entry->kind->options & KIND_HAS_CLIENT) != 0)
        ck_assert(is_text(entry->client, row->client));
    say("read");
    return 0;
}

START_TEST(what_is_written_is_read)
{
    const struct kind *kind = kind_by_name(rows[_i / 2].kind);
    struct stored_row row = rows[_i / 2].row;
    bool json = _i % 2 == 1;
    struct list_sink sink = { &row, compare_with_row, fault, pass_over };
    struct list_file file;
    struct error error;
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    if (json)
        rule_line_write_json(out, kind, &row);
    else
        rule_line_write(out, kind, &row);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_int_eq(read_file(&file, text, n, &error), 0);
    said[0] = '\0';
    ck_assert_int_eq(list_formats[json ? LIST_JSON : LIST_PLAIN].read(&file, kind, &sink), 0);
    ck_assert_msg(strcmp(said, "read") == 0, "%s gave %s", text, said);
    list_file_fini(&file);
    free(text);
}
END_TEST

START_TEST(forced_row_stays_one_line)
{
    struct stored_row row = { .key = "a\n@example.net",
                              .client = "",
                              .note = "x\n0.0.0.0/0\x1b\x7f\xc2\x9b"
                                      "31m \xc3\xbc \xc2" };
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    rule_line_write(out, kind_by_name("kill"), &row);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_str_eq(text, "a?@example.net # x?0.0.0.0/0???31m \xc3\xbc \xc2");
    free(text);
}
END_TEST

/* Entries. */

START_TEST(entries_that_mean_the_same_are_merged)
{
    static const char text[] = "192.0.2.0/24 # first\n192.0.2.7/255.255.255.0\n192.0.2.* # last\n192.0.2.300\n";
    const struct kind *kind = kind_by_name("deny");
    struct entries entries;
    struct list_file file;
    struct error error;
    ck_assert_int_eq(read_file(&file, text, strlen(text), &error), 0);
    entries_init(&entries, "list", kind, NULL, NULL);
    struct list_sink sink = entries_sink(&entries);
    ck_assert_int_eq(list_read_plain(&file, kind, &sink), 0);
    ck_assert_uint_eq(entries.n, 1);
    ck_assert_uint_eq(entries.n_repeated, 2);
    ck_assert_uint_eq(entries.n_faults, 1);
    ck_assert_str_eq(entries.all[0]->key, "192.0.2.0/24");
    ck_assert_str_eq(entries.all[0]->note, "last");
    entries_fini(&entries);
    list_file_fini(&file);
}
END_TEST

/* Those of a database all count: so the one that stays lives as long as any of them. */
static const struct {
    const char *first, *second;
    int64_t expires;
    const char *note;
} repeated[] = {
    { "192.0.2.0/24 # note", "192.0.2.* until 2000000000", RULE_NEVER_EXPIRES, "note" },
    { "192.0.2.* until 2000000000 # old", "192.0.2.0/24", RULE_NEVER_EXPIRES, "old" },
    { "192.0.2.0/24 until 2000000001", "192.0.2.* until 2000000000 # new", 2000000001, "new" },
    { "192.0.2.0/24 until 2000000000 # old", "192.0.2.* until 2000000001 # new", 2000000001, "new" },
};

START_TEST(what_is_repeated_lives_longest)
{
    char text[256];
    const struct kind *kind = kind_by_name("deny");
    struct entries entries;
    struct list_file file;
    struct error error;
    int n = snprintf(text, sizeof text, "%s\n%s\n", repeated[_i].first, repeated[_i].second);
    ck_assert_int_eq(read_file(&file, text, (size_t)n, &error), 0);
    entries_init(&entries, "list", kind, NULL, NULL);
    struct list_sink sink = entries_sink(&entries);
    ck_assert_int_eq(list_read_plain(&file, kind, &sink), 0);
    ck_assert_uint_eq(entries.n, 1);
    ck_assert_int_eq(entries.all[0]->expires, repeated[_i].expires);
    ck_assert_str_eq(entries.all[0]->note, repeated[_i].note);
    entries_fini(&entries);
    list_file_fini(&file);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lists");
    TCase *tcase = suite_case(suite, "lists");
    tcase_add_loop_test(tcase, list_is_recognised_and_read, 0, COUNT(lists));
    tcase_add_loop_test(tcase, unclear_format_is_asked_for, 0, COUNT(unclear));
    tcase_add_test(tcase, no_text_is_refused);
    tcase_add_loop_test(tcase, what_is_written_is_read, 0, 2 * COUNT(rows));
    tcase_add_test(tcase, forced_row_stays_one_line);
    tcase_add_test(tcase, entries_that_mean_the_same_are_merged);
    tcase_add_loop_test(tcase, what_is_repeated_lives_longest, 0, COUNT(repeated));
    return suite_run(suite);
}
