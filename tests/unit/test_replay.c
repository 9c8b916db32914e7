/*
 * What gatepost replay is made of: words, files of requests, tallies, and the causes of changes.
 */
#include "console/words.h"
#include "replay/changes.h"
#include "replay/request_file.h"
#include "replay/verdicts.h"
#include "rule_fixture.h"
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Words. */

static const struct {
    const char *line, *words; /* separated by |; NULL: refused */
} lines[] = {
    { "", "" },
    { "  \t ", "" },
    { "add deny 192.0.2.0/24", "add|deny|192.0.2.0/24" },
    { " add  deny ", "add|deny" },
    { "add deny 192.0.2.7 --note \"port scans\"", "add|deny|192.0.2.7|--note|port scans" },
    { "set text_relay 'no \"relay\" here'", "set|text_relay|no \"relay\" here" },
    { "set archive_to ''", "set|archive_to|" },
    { "a\\ b \"c\\\"d\" 'e\\f' g'h'\"i\"", "a b|c\"d|e\\f|ghi" },
    { "a\nb", "a|b" },
    { "'open", NULL },
    { "\"open\\\"", NULL },
    { "open\\", NULL },
};

START_TEST(a_line_is_cut_as_a_shell_would)
{
    struct words words;
    struct error error;
    char text[256] = "";
    int r = words_split(&words, lines[_i].line, &error);
    ck_assert_int_eq(r, lines[_i].words ? 0 : -EINVAL);
    for (int i = 0; i < words.n && r == 0; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? "|" : "", words.word[i]);
    if (r == 0) {
        ck_assert_str_eq(text, lines[_i].words);
        ck_assert_ptr_null(words.word[words.n]);
    }
    words_fini(&words);
}
END_TEST

/* Files of requests. */

#define GOOD "request=smtpd_access_policy\nsender=a@example.net\n\n"

static const struct {
    const char *what, *text;
    unsigned requests, malformed;
    uint64_t line, offset; /* of the last malformed one */
    const char *fault;
} files[] = {
    { "nothing", "", 0, 0, 0, 0, NULL },
    { "requests", GOOD GOOD, 2, 0, 0, 0, NULL },
    { "CRLF", "request=smtpd_access_policy\r\nsender=\r\n\r\n" GOOD, 2, 0, 0, 0, NULL },
    { "empty lines between", "\n" GOOD "\n\r\n\n" GOOD "\n\n", 2, 0, 0, 0, NULL },
    { "a line without =", GOOD "request=smtpd_access_policy\nnonsense\nx=1\n\n" GOOD, 2, 1, 4, 50, "without =" },
    { "a CR alone is no empty line", "nonsense\n\r\r\nx=1\n\n" GOOD, 1, 1, 1, 0, "without =" },
    { "an end in CRLF after nonsense", "nonsense\r\n\r\n" GOOD, 1, 1, 1, 0, "without =" },
    { "no request attribute", "sender=a@b\n\n" GOOD, 1, 1, 1, 0, "no request" },
    { "a login", "request=gatepost_login\nuser=a\n\n" GOOD, 1, 1, 1, 0, "unknown request" },
    { "a torn end", GOOD "request=smtpd_access_policy\nsender=b@exam", 1, 1, 4, 50, "ends within" },
    { "a torn end within its last line feed", GOOD "request=smtpd_access_policy\n", 1, 1, 4, 50, "ends within" },
    { "a CR at the end", GOOD "\r", 1, 1, 4, 50, "ends within" },
    { "nonsense without end", GOOD "nonsense\nnonsense", 1, 1, 4, 50, "without =" },
};

struct seen {
    unsigned requests, malformed;
    struct request_fault fault; /* the last one */
    bool given_up;
    uint64_t bytes;
};

/* Reads what stands between two pipes' ends, as a file that comes in pieces. */
static struct seen read_through(const char *path)
{
    struct request_file file;
    struct request request;
    struct error error = { "" };
    struct seen seen = { 0 };
    ck_assert_msg(request_file_open(&file, path, &error) == 0, "%s", error.text);
    for (bool goes_on = true; goes_on;) {
        switch (request_file_take(&file, &request, &seen.fault)) {
        case REQUEST_FILE_TAKEN:
            seen.requests++;
            break;
        case REQUEST_FILE_MALFORMED:
            seen.malformed++;
            break;
        case REQUEST_FILE_MORE:
            ck_assert_int_eq(request_file_read(&file, &error), 0);
            break;
        case REQUEST_FILE_END:
            goes_on = false;
        }
    }
    ck_assert_uint_eq(file.n_requests, seen.requests);
    ck_assert_uint_eq(file.n_malformed, seen.malformed);
    seen.given_up = file.given_up;
    seen.bytes = file.offset;
    request_file_close(&file);
    return seen;
}

/* Standard input from a child that writes it in pieces of that size. */
static void feed(const char *text, size_t n, size_t piece)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    if (fork() == 0) {
        for (size_t at = 0; at < n; at += piece)
            if (write(ends[1], text + at, n - at < piece ? n - at : piece) < 0)
                break;
        _exit(0);
    }
    ck_assert_int_eq(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

START_TEST(requests_are_found_and_faults_are_located)
{
    static const size_t pieces[] = { 1, 7, 100000 };
    for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
        feed(files[_i].text, strlen(files[_i].text), pieces[p]);
        struct seen seen = read_through("-");
        ck_assert_msg(seen.requests == files[_i].requests && seen.malformed == files[_i].malformed,
                      "%s, in pieces of %zu: %u requests, %u malformed", files[_i].what, pieces[p], seen.requests,
                      seen.malformed);
        if (!files[_i].fault)
            continue;
        ck_assert_msg(strstr(seen.fault.text, files[_i].fault), "%s: %s", files[_i].what, seen.fault.text);
        ck_assert_uint_eq(seen.fault.line, files[_i].line);
        ck_assert_uint_eq(seen.fault.offset, files[_i].offset);
    }
}
END_TEST

enum { LARGE_BYTES = 12 << 20 };

static char large[LARGE_BYTES + 256];

START_TEST(a_request_may_have_131072_bytes_and_what_is_longer_is_passed_over)
{
    static const struct {
        size_t bytes;
        unsigned requests;
    } sizes[] = { { 131072, 2 }, { 131073, 1 }, { 1 << 20, 1 }, { LARGE_BYTES, 1 } };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        static const char head[] = "request=smtpd_access_policy\nsender=", end[] = "\n\n" GOOD;
        size_t n = sizes[i].bytes - 2;
        memset(large, 'x', n);
        memcpy(large, head, sizeof head - 1);
        memcpy(large + n, end, sizeof end - 1);
        feed(large, n + sizeof end - 1, 65536);
        struct seen seen = read_through("-");
        ck_assert_uint_eq(seen.requests, sizes[i].requests);
        ck_assert_uint_eq(seen.malformed, 2 - sizes[i].requests);
        ck_assert_uint_eq(seen.bytes, n + sizeof end - 1);
    }
}
END_TEST

START_TEST(a_nul_is_a_fault)
{
    static const char text[] = GOOD "request=smtpd_access_policy\nsender=a\0b\n\n" GOOD;
    feed(text, sizeof text - 1, 10);
    struct seen seen = read_through("-");
    ck_assert_uint_eq(seen.requests, 2);
    ck_assert_uint_eq(seen.malformed, 1);
    ck_assert_ptr_nonnull(strstr(seen.fault.text, "NUL"));
}
END_TEST

START_TEST(a_file_without_requests_is_given_up)
{
    struct seen seen = read_through("/dev/zero");
    ck_assert(seen.given_up);
    ck_assert_uint_eq(seen.requests, 0);
    ck_assert_uint_eq(seen.malformed, 1);
    ck_assert_uint_le(seen.bytes, REQUEST_FILE_MAX_BARREN + (2 << 20));
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = i % 3 == 0 ? 'x' : '\n';
    feed(large, sizeof large, 65536);
    seen = read_through("-");
    ck_assert(seen.given_up);
    ck_assert_uint_eq(seen.malformed, REQUEST_FILE_MAX_FAULTS);
}
END_TEST

START_TEST(a_thousand_faults_with_requests_between_are_no_reason_to_give_up)
{
    static const char piece[] = "nonsense\n\n" GOOD;
    size_t n = 0;
    for (int i = 0; i < 2000; i++, n += sizeof piece - 1)
        memcpy(large + n, piece, sizeof piece - 1);
    feed(large, n, 65536);
    struct seen seen = read_through("-");
    ck_assert(!seen.given_up);
    ck_assert_uint_eq(seen.requests, 2000);
    ck_assert_uint_eq(seen.malformed, 2000);
}
END_TEST

START_TEST(a_folder_and_an_absent_file_are_told_apart)
{
    struct request_file file;
    struct error error;
    ck_assert_int_eq(request_file_open(&file, "/tmp", &error), -EISDIR);
    request_file_close(&file);
    ck_assert_int_eq(request_file_open(&file, "/no/such/file", &error), -ENOENT);
    request_file_close(&file);
}
END_TEST

/* Tallies. */

START_TEST(the_ten_most_frequent_come_first)
{
    struct tally tally = { 0 };
    struct tally_row rows[TALLY_TOP];
    char name[16], long_name[2 * TALLY_TEXT_BYTES];
    for (int i = 0; i < 1000; i++) {
        for (int j = 0; j <= i / 10; j++) {
            int n = snprintf(name, sizeof name, "c%03d", i);
            ck_assert_int_eq(tally_add(&tally, str_make(name, (size_t)n), str_of(j == 0 ? "" : "label")), 0);
        }
    }
    ck_assert_uint_eq(tally_top(&tally, rows), TALLY_TOP);
    ck_assert_uint_eq(tally_size(&tally), 1000);
    ck_assert_uint_eq(tally.n, 50500);
    for (int i = 0; i < TALLY_TOP; i++) {
        (void)snprintf(name, sizeof name, "c%03d", 990 + i);
        ck_assert(str_is(rows[i].name, name) && str_is(rows[i].label, "label"));
        ck_assert_uint_eq(rows[i].n, 100);
    }
    memset(long_name, 'x', sizeof long_name);
    for (int i = 0; i < 200; i++)
        ck_assert_int_eq(tally_add(&tally, str_make(long_name, sizeof long_name - (size_t)i), str_of("")), 0);
    ck_assert_uint_eq(tally_top(&tally, rows), TALLY_TOP);
    ck_assert_uint_eq(rows[0].n, 200); /* what is cut alike is one */
    ck_assert_uint_eq(rows[0].name.n, TALLY_TEXT_BYTES);
    tally_fini(&tally);
}
END_TEST

START_TEST(few_and_none_are_fewer_than_ten)
{
    struct tally tally = { 0 };
    struct tally_row rows[TALLY_TOP];
    ck_assert_uint_eq(tally_top(&tally, rows), 0);
    ck_assert_int_eq(tally_add(&tally, str_of(""), str_of("")), 0);
    ck_assert_int_eq(tally_add(&tally, str_of("b"), str_of("")), 0);
    ck_assert_uint_eq(tally_top(&tally, rows), 2);
    ck_assert_uint_eq(rows[0].name.n, 0);
    tally_fini(&tally);
}
END_TEST

/* Verdicts. */

static void judge(const struct rules *set, const struct request *request, struct verdict *verdict)
{
    struct decide_query query = { .rules = set, .request = request, .now = SCENE_NOW };
    ck_assert_int_eq(decide(&query, &verdict->decision), 0);
    ck_assert_int_eq(verdict_finish(verdict, &query), 0);
}

#define OURS "domain example.com; "

/* Expected: counts by answer, in the order of sorting; then what is observed. */
static const struct {
    const char *rules, *requests[4], *totals, *observed;
} counted[] = {
    { OURS, { "RCPT", "RCPT", "MAIL" }, "3 DUNNO", "" },
    { OURS "deny 192.0.2.0/24", { "RCPT", "MAIL" }, "2 REJECT access [2 deny 192.0.2.0/24]", "" },
    { OURS "pop_before_smtp=0",
      { "RCPT to=x@example.org", "RCPT" },
      "1 DUNNO, 1 REJECT relay [1 setting relay_for]",
      "" },
    { OURS, { "RCPT to=x@example.org" }, "1 REJECT relay? [1 setting relay_for]", "" },
    { OURS "grant 192.0.2.0/24; archive_to=a@example.com", { "RCPT", "DATA" }, "1 OK, 1 BCC", "" },
    { OURS "observe=kill; kill @example.net; kill x@y",
      { "RCPT", "MAIL" },
      "2 DUNNO",
      "2 REJECT kill [2 kill @example.net]" },
    { OURS "observe=all; grant 192.0.2.0/24", { "RCPT", "VRFY" }, "2 DUNNO", "1 OK" },
    { OURS "grant .example.net",
      { "RCPT to=x@example.org name=unknown reverse=a.example.net" },
      "1 DEFER unverified? [1 setting relay_for]",
      "" },
};

static void describe(const struct verdict_group *groups, size_t n, char *text, size_t size)
{
    const struct verdict_group *sorted[VERDICT_GROUPS];
    struct tally_row rows[TALLY_TOP];
    char name[VERDICT_NAME_BYTES];
    text[0] = '\0';
    n = verdicts_sort(groups, n, sorted);
    for (size_t i = 0; i < n; i++) {
        size_t used = strlen(text);
        used += (size_t)snprintf(text + used, size - used, "%s%d %.*s%s", i ? ", " : "", (int)sorted[i]->n,
                                 STR_ARGS(verdict_name_answer(sorted[i]->action, sorted[i]->reason, name)),
                                 sorted[i]->needs_login ? "?" : "");
        size_t n_rules = tally_top(&sorted[i]->rules, rows);
        for (size_t r = 0; r < n_rules; r++)
            used += (size_t)snprintf(text + used, size - used, " [%d %.*s]", (int)rows[r].n, STR_ARGS(rows[r].name));
        ck_assert_uint_eq(sorted[i]->clients.n, sorted[i]->n);
    }
}

START_TEST(answers_are_counted_by_action_and_reason)
{
    static struct verdicts verdicts;
    char text[512];
    struct rules *set = scene_rules(counted[_i].rules);
    memset(&verdicts, 0, sizeof verdicts);
    for (int i = 0; i < 4 && counted[_i].requests[i]; i++) {
        char *wire = scene_wire(counted[_i].requests[i]);
        struct request request;
        struct verdict verdict;
        scene_parse(wire, &request);
        judge(set, &request, &verdict);
        ck_assert_int_eq(verdicts_add(&verdicts, &request, &verdict, NULL), 0);
        free(wire);
    }
    describe(verdicts.groups, VERDICT_GROUPS, text, sizeof text);
    ck_assert_str_eq(text, counted[_i].totals);
    describe(verdicts.observed, OBSERVED_GROUPS, text, sizeof text);
    ck_assert_str_eq(text, counted[_i].observed);
    verdicts_fini(&verdicts);
    rules_free(set);
}
END_TEST

/* Changes. */

#define DOMAIN "INSERT INTO local_domain (domain) VALUES ('example.com');"
#define FAR    "RCPT to=x@example.org"

/* SQL that makes the rules before, and of these those after; expected: cause: before -> after. */
static const struct {
    const char *before, *after, *request, *expected;
} changed[] = {
    { DOMAIN, "INSERT INTO kill_entry (sender) VALUES ('x@example.net')", "RCPT", NULL },
    { DOMAIN, "INSERT INTO access_block (block) VALUES ('192.0.2.0/24')", "RCPT",
      "deny 192.0.2.0/24 (added): DUNNO -> REJECT access" },
    { DOMAIN "INSERT INTO access_block (block) VALUES ('192.0.2.0/24')", "DELETE FROM access_block", "RCPT",
      "deny 192.0.2.0/24 (removed): REJECT access -> DUNNO" },
    { DOMAIN "INSERT INTO relay_grant (client, verdict) VALUES ('192.0.2.0/24', 'grant')",
      "UPDATE relay_grant SET verdict = 'refuse'", FAR, "refuse 192.0.2.0/24 (changed): OK -> REJECT relay" },
    { DOMAIN "INSERT INTO access_block (block) VALUES ('192.0.2.0/24')", "UPDATE access_block SET expires = 1", "RCPT",
      "deny 192.0.2.0/24 (changed): REJECT access -> DUNNO" },
    { DOMAIN "INSERT INTO access_block (block) VALUES ('192.0.2.0/24')", "UPDATE access_block SET note = 'x'", "RCPT",
      NULL },
    { DOMAIN "INSERT INTO access_block (block) VALUES ('192.0.2.0/24'), ('192.0.2.0/25')",
      "DELETE FROM access_block WHERE block = '192.0.2.0/25'", "RCPT", NULL },
    { DOMAIN, "INSERT INTO accept_entry (sender, client) VALUES ('@example.net', '192.0.2.0/24')", FAR,
      "accept @example.net from 192.0.2.0/24 (added): REJECT relay (with a login OK) -> OK" },
    { DOMAIN, "INSERT INTO setting VALUES ('relay_for', 'anyone')", FAR,
      "setting relay_for (\"addresses\" -> \"anyone\"): REJECT relay (with a login OK) -> OK" },
    { DOMAIN "INSERT INTO relay_grant (client) VALUES ('192.0.2.0/24')",
      "INSERT INTO setting VALUES ('relay_for', 'nobody')", FAR,
      "setting relay_for (\"addresses\" -> \"nobody\"): OK -> REJECT relay (with a login OK)" },
    { DOMAIN, "INSERT INTO setting VALUES ('pop_before_smtp', '0')", FAR,
      "setting pop_before_smtp (\"30\" -> \"0\"): REJECT relay (with a login OK) -> REJECT relay" },
    { DOMAIN "INSERT INTO kill_entry (sender) VALUES ('@example.net')",
      "INSERT INTO setting VALUES ('observe', 'kill')", "RCPT",
      "setting observe (\"\" -> \"kill\"): REJECT kill -> DUNNO" },
    { DOMAIN "INSERT INTO kill_entry (sender) VALUES ('@example.net')",
      "INSERT INTO setting VALUES ('text_kill', 'go away')", "RCPT",
      "setting text_kill (\"unacceptable mail address\" -> \"go away\"): REJECT kill -> REJECT kill" },
    { DOMAIN "INSERT INTO kill_entry (sender) VALUES ('@example.net')",
      "INSERT INTO setting VALUES ('text_relay', 'go away')", "RCPT", NULL },
    { DOMAIN "INSERT INTO setting VALUES ('archive_to', 'a@example.com')", "UPDATE setting SET value = 'b@example.com'",
      "DATA", "setting archive_to (\"a@example.com\" -> \"b@example.com\"): BCC -> BCC" },
    { DOMAIN, "DELETE FROM local_domain", FAR,
      "domain example.com (removed): REJECT relay (with a login OK) -> DUNNO (with a login OK)" },
    { DOMAIN "INSERT INTO local_domain (domain) VALUES ('example.net')", "DELETE FROM local_domain", FAR,
      "several changes together: REJECT relay (with a login OK) -> DUNNO (with a login OK)" },
};

static void copy_rules(const char *to, const char *text)
{
    struct error error;
    sqlite3 *copy;
    int fd = open(to, O_WRONLY | O_CREAT | O_EXCL, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(close(fd), 0);
    ck_assert_msg(rule_db_copy(db, to, 1000, &error) == 0, "%s", error.text);
    ck_assert_int_eq(sqlite3_open(to, &copy), SQLITE_OK);
    char *message = NULL;
    ck_assert_msg(sqlite3_exec(copy, text, NULL, NULL, &message) == SQLITE_OK, "%s: %s", text, message ? message : "");
    ck_assert_int_eq(sqlite3_close(copy), SQLITE_OK);
}

static void check_change(const struct changes *changes, const char *expected)
{
    const struct change **sorted;
    char text[2048] = "";
    long n = changes_sort(changes, &sorted);
    ck_assert_int_eq(n, expected ? 1 : 0);
    ck_assert_uint_eq(changes->n, (uint64_t)(expected ? CHANGE_EXAMPLES + 2 : 0));
    if (expected) {
        const struct change *change = sorted[0];
        (void)snprintf(text, sizeof text, "%s: %s -> %s", change->cause, change->before, change->after);
        ck_assert_str_eq(text, expected);
        ck_assert_uint_eq(change->n, CHANGE_EXAMPLES + 2);
        ck_assert_uint_eq(change->n_examples, CHANGE_EXAMPLES);
        ck_assert(str_is(change->example[0].field[CHANGE_CLIENT], "192.0.2.10"));
        ck_assert(str_is(change->example[0].field[CHANGE_SENDER], "fred@example.net"));
    }
    free(sorted);
}

START_TEST(a_change_is_put_down_to_what_caused_it)
{
    char other[FIXTURE_PATH_SIZE + 32];
    struct rules *after;
    struct rule_db *other_db;
    struct rule_diff diff;
    struct changes changes;
    struct error error;
    struct request request;
    char *wire = scene_wire(changed[_i].request);
    rule_fixture_begin(NULL, 1000, changed[_i].before);
    (void)snprintf(other, sizeof other, "%s/other.db", fixture_folder);
    copy_rules(other, changed[_i].after);
    ck_assert_int_eq(rule_db_open(&other_db, other, DATABASE_EXPECT, 1000, &error), 0);
    ck_assert_int_eq(rule_db_load(other_db, &after, on_skipped, NULL, &error), 0);
    ck_assert_msg(rule_diff_read(&diff, db, other, &error) == 0, "%s", error.text);
    changes_init(&changes, rules, after, &diff);
    scene_parse(wire, &request);
    for (int i = 0; i < CHANGE_EXAMPLES + 2; i++) {
        struct verdict was, is;
        judge(rules, &request, &was);
        judge(after, &request, &is);
        ck_assert_int_eq(changes_add(&changes, &request, &was, &is), 0);
    }
    check_change(&changes, changed[_i].expected);
    changes_fini(&changes);
    rule_diff_fini(&diff);
    rules_free(after);
    rule_db_close(other_db);
    free(wire);
    (void)unlink(other);
    rule_fixture_end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("replay");
    TCase *tcase = suite_case(suite, "replay");
    tcase_add_loop_test(tcase, a_line_is_cut_as_a_shell_would, 0, COUNT(lines));
    tcase_add_loop_test(tcase, requests_are_found_and_faults_are_located, 0, COUNT(files));
    tcase_add_test(tcase, a_request_may_have_131072_bytes_and_what_is_longer_is_passed_over);
    tcase_add_test(tcase, a_nul_is_a_fault);
    tcase_add_test(tcase, a_file_without_requests_is_given_up);
    tcase_add_test(tcase, a_thousand_faults_with_requests_between_are_no_reason_to_give_up);
    tcase_add_test(tcase, a_folder_and_an_absent_file_are_told_apart);
    tcase_add_test(tcase, the_ten_most_frequent_come_first);
    tcase_add_test(tcase, few_and_none_are_fewer_than_ten);
    tcase_add_loop_test(tcase, answers_are_counted_by_action_and_reason, 0, COUNT(counted));
    tcase_add_loop_test(tcase, a_change_is_put_down_to_what_caused_it, 0, COUNT(changed));
    return suite_run(suite);
}
