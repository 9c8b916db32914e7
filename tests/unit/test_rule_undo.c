#include "rule_fixture.h"
#include "store/rule_undo.h"

#include <errno.h>
#include <inttypes.h>

enum { STATE_SIZE = 4096 };

/* All rows of all tables, as text. */
static void read_state(char state[STATE_SIZE])
{
    sqlite3_stmt *stmt = NULL;
    sqlite3_str *query = sqlite3_str_new(NULL);
    for (int t = 0; t < RULE_TABLE_COUNT; t++)
        sqlite3_str_appendf(query, "%s SELECT json FROM %s_json", t ? " UNION ALL" : "", rule_tables[t].name);
    char *text = sqlite3_str_finish(query);
    ck_assert_int_eq(sqlite3_prepare_v2(fixture_writer, text, -1, &stmt, NULL), SQLITE_OK);
    sqlite3_free(text);
    char *rows[64];
    size_t n = 0, used = 0;
    for (; sqlite3_step(stmt) == SQLITE_ROW; n++)
        rows[n] = strdup((const char *)sqlite3_column_text(stmt, 0));
    (void)sqlite3_finalize(stmt);
    state[0] = '\0';
    for (size_t done = 0; done < n; done++) { /* in the order of the texts: rowids may differ */
        size_t least = 0;
        for (size_t i = 1; i < n; i++)
            if (!rows[least] || (rows[i] && strcmp(rows[i], rows[least]) < 0))
                least = i;
        used += (size_t)snprintf(state + used, STATE_SIZE - used, "%s\n", rows[least]);
        free(rows[least]);
        rows[least] = NULL;
    }
}

static int64_t last_seq(void)
{
    sqlite3_stmt *stmt = NULL;
    ck_assert_int_eq(sqlite3_prepare_v2(fixture_writer, "SELECT ifnull(max(seq), 0) FROM rule_change", -1, &stmt, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
    int64_t seq = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return seq;
}

struct undoing {
    struct rule_undo *undo;
    enum rule_undo_outcome outcome; /* the first that is not RULE_UNDONE */
    struct error error;
};

static int undo_one(void *context, const struct logged_change *change)
{
    struct undoing *undoing = context;
    enum rule_undo_outcome outcome = RULE_UNDONE;
    int r = rule_undo_change(undoing->undo, change, &outcome, &undoing->error);
    if (undoing->outcome == RULE_UNDONE)
        undoing->outcome = outcome;
    return r;
}

/* Undoes a part of the log, and commits if that can be done. Returns how many changes it has. */
static int64_t undo(struct undoing *undoing, int64_t first, int64_t last)
{
    struct rule_edit edit;
    int64_t n = 0;
    *undoing = (struct undoing){ .outcome = RULE_UNDONE };
    ck_assert_int_eq(rule_edit_begin(&edit, db, &undoing->error), 0);
    ck_assert_int_eq(rule_undo_open(&undoing->undo, &edit, &undoing->error), 0);
    ck_assert_int_eq(rule_undo_take(undoing->undo, first, last, &n, &undoing->error), 0);
    int r = rule_log_walk(db, &rule_undo_taken, undo_one, undoing, &undoing->error);
    rule_undo_close(undoing->undo);
    if (r == 0 && undoing->outcome == RULE_UNDONE)
        ck_assert_int_eq(rule_edit_commit(&edit, "tester", &undoing->error), 0);
    rule_edit_rollback(&edit);
    return r < 0 ? r : n;
}

#define ROWS                                                                                                           \
    "INSERT INTO access_block VALUES('192.0.2.1', 'deny', 'a note', 5, NULL), ('192.0.2.2', 'grant', NULL, 6, 7);"     \
    "INSERT INTO relay_grant VALUES('mail.example.net', 'grant', 'it''s', 5, 8), ('192.0.2.3', 'refuse', '', 5, "      \
    "NULL);"                                                                                                           \
    "INSERT INTO kill_entry VALUES('eve@example.net', NULL, 5, NULL), ('@*widget.example', 'é \"quoted\" \\', 5, 9);" \
    "INSERT INTO accept_entry VALUES('@example.org', '', NULL, 5, NULL), ('@example.org', '192.0.2.1', 'x', 5, 6);"    \
    "INSERT INTO local_domain VALUES('example.com', 'local', NULL, 5, NULL), ('b.example', 'relay', NULL, 5, NULL);"   \
    "INSERT INTO local_user VALUES('bob', NULL, NULL, 5, NULL), ('info', 'bob', NULL, 5, NULL);"                       \
    "INSERT INTO local_list VALUES('staff', NULL, NULL, 5, NULL), ('all', 'no', NULL, 5, 7);"                          \
    "INSERT INTO setting VALUES('relay_for', 'nobody'), ('text_relay', 'go \"away\"');"

static const char *const histories[] = {
    /* Each op on each table. */
    "INSERT INTO access_block(block) VALUES('192.0.2.9')",
    "UPDATE access_block SET verdict = 'grant', note = NULL, expires = 99, created = 1",
    "DELETE FROM access_block",
    "INSERT INTO relay_grant(client, note) VALUES('192.0.2.9', 'new')",
    "UPDATE relay_grant SET note = 'other', expires = NULL",
    "DELETE FROM relay_grant",
    "INSERT INTO kill_entry(sender) VALUES('mallory@example.net')",
    "UPDATE kill_entry SET note = 'x'",
    "DELETE FROM kill_entry",
    "INSERT INTO accept_entry(sender, client) VALUES('@example.org', '192.0.2.2'), ('a@b.example', '')",
    "UPDATE accept_entry SET expires = 4",
    "DELETE FROM accept_entry",
    "INSERT INTO local_domain(domain, kind) VALUES('example.net', 'relay')",
    "UPDATE local_domain SET kind = 'relay'",
    "DELETE FROM local_domain",
    "INSERT INTO local_user(address, account) VALUES('eve', 'bob')",
    "UPDATE local_user SET account = iif(account IS NULL, 'x', NULL)",
    "DELETE FROM local_user",
    "INSERT INTO local_list(address, remote_mail) VALUES('list', 'yes')",
    "UPDATE local_list SET remote_mail = 'yes'",
    "DELETE FROM local_list",
    "INSERT INTO setting VALUES('archive', 'inbound')",
    "UPDATE setting SET value = 'addresses' WHERE name = 'relay_for'",
    "DELETE FROM setting",
    /* Keys that change, by themselves and over others. */
    "UPDATE access_block SET block = '192.0.2.9' WHERE block = '192.0.2.1'",
    "UPDATE accept_entry SET client = '192.0.2.9', sender = '@example.net' WHERE client = ''",
    "UPDATE accept_entry SET client = '2001:db8::1' WHERE client = '192.0.2.1'",
    "UPDATE setting SET name = 'archive', value = 'all' WHERE name = 'relay_for'",
    "UPDATE OR REPLACE access_block SET block = '192.0.2.2' WHERE block = '192.0.2.1'",
    "UPDATE access_block SET block = '192.0.2.8' WHERE block = '192.0.2.1';"
    "UPDATE access_block SET block = '192.0.2.1' WHERE block = '192.0.2.2';"
    "UPDATE access_block SET block = '192.0.2.2' WHERE block = '192.0.2.8'",
    /* Replacing, also by rowid. */
    "REPLACE INTO access_block(block, verdict) VALUES('192.0.2.1', 'grant'), ('192.0.2.7', 'grant')",
    "REPLACE INTO access_block(rowid, block) VALUES(1, '192.0.2.2')",
    "REPLACE INTO accept_entry(sender) VALUES('@example.org')",
    "REPLACE INTO setting VALUES('relay_for', 'anyone'), ('archive', 'all')",
    "INSERT INTO relay_grant(client) VALUES('192.0.2.3') ON CONFLICT (client) DO UPDATE SET verdict = 'grant'",
    "PRAGMA recursive_triggers = ON; REPLACE INTO access_block(rowid, block) VALUES(1, '192.0.2.2');"
    "REPLACE INTO relay_grant(client) VALUES('192.0.2.3'); UPDATE OR REPLACE local_user SET address = 'bob'",
    /* Many changes of one row, and what ends where it began. */
    "UPDATE access_block SET note = 'one'; UPDATE access_block SET note = 'two'; DELETE FROM access_block;"
    "INSERT INTO access_block(block) VALUES('192.0.2.1'); UPDATE access_block SET expires = 5",
    "INSERT INTO kill_entry(sender) VALUES('x@example.net'); DELETE FROM kill_entry WHERE sender = 'x@example.net'",
    "UPDATE local_domain SET note = 'x'; UPDATE local_domain SET note = NULL",
};

START_TEST(what_is_undone_is_as_it_was)
{
    char before[STATE_SIZE], after[STATE_SIZE], now[STATE_SIZE];
    struct undoing undoing;
    rule_fixture_begin(NULL, 1000, ROWS);
    read_state(before);
    int64_t mark = last_seq();
    sql(histories[_i]);
    read_state(after);
    int64_t end = last_seq();

    ck_assert_int_gt(undo(&undoing, mark + 1, end), 0);
    ck_assert_msg(undoing.outcome == RULE_UNDONE, "%d: %s", (int)undoing.outcome, undoing.error.text);
    read_state(now);
    ck_assert_str_eq(now, before);

    /* And an undo is undone the same way. */
    int64_t undone = last_seq();
    ck_assert_int_gt(undo(&undoing, end + 1, undone), 0);
    ck_assert_int_eq(undoing.outcome, RULE_UNDONE);
    read_state(now);
    ck_assert_str_eq(now, after);
    ck_assert_int_eq(undo(&undoing, last_seq() + 1, INT64_MAX), 0);
    rule_fixture_end();
}
END_TEST

/* SQL behind which the first change of `change` cannot be undone. */
static const struct {
    const char *change, *since;
    enum rule_undo_outcome outcome;
} conflicts[] = {
    { "INSERT INTO access_block(block) VALUES('192.0.2.9')", "DELETE FROM access_block WHERE block = '192.0.2.9'",
      RULE_UNDO_CHANGED },
    { "INSERT INTO access_block(block) VALUES('192.0.2.9')", "UPDATE access_block SET note = 'x'", RULE_UNDO_CHANGED },
    { "INSERT INTO access_block(block) VALUES('192.0.2.9')", "UPDATE access_block SET expires = 9", RULE_UNDO_CHANGED },
    { "INSERT INTO access_block(block) VALUES('192.0.2.9')",
      "UPDATE access_block SET block = '192.0.2.10' WHERE block = '192.0.2.9'", RULE_UNDO_CHANGED },
    { "UPDATE access_block SET note = 'x' WHERE block = '192.0.2.1'", "UPDATE access_block SET created = 1",
      RULE_UNDO_CHANGED },
    { "DELETE FROM access_block WHERE block = '192.0.2.1'", "INSERT INTO access_block(block) VALUES('192.0.2.1')",
      RULE_UNDO_OCCUPIED },
    { "UPDATE access_block SET block = '192.0.2.9' WHERE block = '192.0.2.1'",
      "INSERT INTO access_block(block) VALUES('192.0.2.1')", RULE_UNDO_OCCUPIED },
    { "INSERT INTO accept_entry(sender) VALUES('a@b.example')",
      "UPDATE accept_entry SET client = '192.0.2.1' WHERE sender = 'a@b.example'", RULE_UNDO_CHANGED },
    { "DELETE FROM setting WHERE name = 'relay_for'", "INSERT INTO setting VALUES('relay_for', 'anyone')",
      RULE_UNDO_OCCUPIED },
    { "INSERT INTO setting VALUES('archive', 'all')", "UPDATE setting SET value = 'inbound' WHERE name = 'archive'",
      RULE_UNDO_CHANGED },
    /* Without a trace. */
    { "DELETE FROM access_block WHERE block = '192.0.2.1'",
      "INSERT INTO access_block(block) VALUES('192.0.2.1'); DELETE FROM rule_change WHERE seq ="
      " (SELECT max(seq) FROM rule_change)",
      RULE_UNDO_OCCUPIED },
    /* Nonsense. */
    { "INSERT INTO rule_change(kind, key, op, old) VALUES('access_block', 'x', 'delete', '{')", "",
      RULE_UNDO_SENSELESS },
    { "INSERT INTO rule_change(kind, key, op, old) VALUES('no_table', 'x', 'delete', '{}')", "", RULE_UNDO_SENSELESS },
};

START_TEST(what_was_changed_since_stays)
{
    char before[STATE_SIZE], now[STATE_SIZE];
    struct undoing undoing;
    rule_fixture_begin(NULL, 1000, ROWS);
    int64_t first = last_seq() + 1;
    sql(conflicts[_i].change);
    sql(conflicts[_i].since);
    read_state(before);
    int64_t end = last_seq();
    ck_assert_int_eq(undo(&undoing, first, first), 1);
    ck_assert_int_eq(undoing.outcome, conflicts[_i].outcome);
    read_state(now);
    ck_assert_str_eq(now, before);
    ck_assert_int_eq(last_seq(), end);
    rule_fixture_end();
}
END_TEST

START_TEST(row_that_the_database_refuses_is_an_error)
{
    struct undoing undoing;
    rule_fixture_begin(NULL, 1000, ROWS);
    sql("INSERT INTO rule_change(kind, key, op, old) VALUES('access_block', 'x', 'delete',"
        " '{\"block\": \"no block\", \"verdict\": \"deny\", \"created\": 5}')");
    ck_assert_int_eq(undo(&undoing, last_seq(), last_seq()), -EINVAL);
    ck_assert_ptr_nonnull(strstr(undoing.error.text, "block is an IP address"));
    sql("INSERT INTO rule_change(kind, key, op, old) VALUES('access_block', 'x', 'delete', '{\"block\": "
        "\"192.0.2.9\"}')");
    ck_assert_int_eq(undo(&undoing, last_seq(), last_seq()), -EINVAL);
    rule_fixture_end();
}
END_TEST

/* What lets strangers relay is found, and nothing else. */
static const struct {
    const char *change, *relay_for;
    int n_senders;
    const char *sender;
} openings[] = {
    { "DELETE FROM local_user", "", 0, "" },
    { "UPDATE setting SET value = 'addresses' WHERE name = 'relay_for'", "nobody", 0, "" },
    { "DELETE FROM setting WHERE name = 'relay_for'", "nobody", 0, "" },
    { "INSERT INTO setting VALUES('archive', 'all')", "", 0, "" },
    { "DELETE FROM accept_entry", "", 1, "@example.org" },
    { "DELETE FROM accept_entry WHERE client <> ''", "", 0, "" },
    { "INSERT INTO accept_entry(sender) VALUES('a@b.example')", "", 0, "" },
    { "UPDATE accept_entry SET client = '192.0.2.9' WHERE client = ''", "", 1, "@example.org" },
    { "UPDATE accept_entry SET expires = 99 WHERE client = ''; DELETE FROM accept_entry WHERE client = ''", "", 1,
      "@example.org" },
};

START_TEST(what_opens_the_relay_is_found)
{
    enum { NOW = 1000 };
    struct rule_edit edit;
    struct rule_undo_opened opened;
    struct undoing undoing = { .outcome = RULE_UNDONE };
    int64_t n = 0, oldest, newest;
    rule_fixture_begin(NULL, 1000, ROWS "INSERT INTO accept_entry VALUES('@expired.example', '', NULL, 5, 999);");
    int64_t mark = last_seq();
    sql(openings[_i].change);
    ck_assert_int_eq(rule_edit_begin(&edit, db, &undoing.error), 0);
    ck_assert_int_eq(rule_undo_open(&undoing.undo, &edit, &undoing.error), 0);
    ck_assert_int_eq(rule_undo_find_ends(undoing.undo, &oldest, &newest, &undoing.error), 0);
    ck_assert_int_eq(oldest, 1);
    ck_assert_int_eq(newest, last_seq());
    ck_assert_int_eq(rule_undo_take(undoing.undo, mark + 1, newest, &n, &undoing.error), 0);
    ck_assert_int_eq(rule_log_walk(db, &rule_undo_taken, undo_one, &undoing, &undoing.error), 0);
    ck_assert_int_eq(rule_undo_find_opened(undoing.undo, NOW, &opened, &undoing.error), 0);
    ck_assert_str_eq(opened.relay_for, openings[_i].relay_for);
    ck_assert_int_eq(opened.n_senders, openings[_i].n_senders);
    ck_assert_str_eq(opened.sender_text, openings[_i].sender);
    rule_undo_close(undoing.undo);
    rule_edit_rollback(&edit);
    rule_fixture_end();
}
END_TEST

/* Each row that is put back pushes the oldest out of the log: what is to be undone must not be among them. */
START_TEST(full_log_is_undone_as_a_whole)
{
    struct undoing undoing;
    char before[STATE_SIZE], after[STATE_SIZE], now[STATE_SIZE];
    rule_fixture_begin(NULL, 1000, ROWS);
    read_state(before);
    sql("UPDATE sqlite_sequence SET seq = 500000 WHERE name = 'rule_change';"
        "UPDATE access_block SET note = 'one'; DELETE FROM local_user;"
        "UPDATE sqlite_sequence SET seq = 599999 WHERE name = 'rule_change';"
        "UPDATE access_block SET note = 'two' WHERE block = '192.0.2.1'");
    read_state(after);
    int64_t end = last_seq();
    ck_assert_int_eq(end, 600000);
    ck_assert_int_eq(undo(&undoing, 1, end), 5);
    ck_assert_int_eq(undoing.outcome, RULE_UNDONE);
    read_state(now);
    ck_assert_str_eq(now, before);
    ck_assert_int_eq(undo(&undoing, end + 1, last_seq()), 5);
    read_state(now);
    ck_assert_str_eq(now, after);
    rule_fixture_end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rule_undo");
    TCase *tcase = suite_case(suite, "rule_undo");
    tcase_add_loop_test(tcase, what_is_undone_is_as_it_was, 0, COUNT(histories));
    tcase_add_loop_test(tcase, what_was_changed_since_stays, 0, COUNT(conflicts));
    tcase_add_test(tcase, row_that_the_database_refuses_is_an_error);
    tcase_add_loop_test(tcase, what_opens_the_relay_is_found, 0, COUNT(openings));
    tcase_add_test(tcase, full_log_is_undone_as_a_whole);
    return suite_run(suite);
}
