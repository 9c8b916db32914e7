/*
 * What only the store in SQLite has: its file, and others who use or spoil it.
 */
#include "login_fixture.h"
#include "store/login_db.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BUSY_MS = 5000, PAGE_BYTES = 4096 };

#define A "192.0.2.1"
#define B "192.0.2.2"

static struct login_fixture fixture;
static struct login_answer answer;

static void begin(void)
{
    fixture_begin(&fixture, LOGIN_IN_SQLITE);
}

static void end(void)
{
    fixture_end(&fixture);
}

/* Somebody else with plain sqlite3. */
static sqlite3 *other_open(void)
{
    sqlite3 *db = NULL;
    ck_assert_int_eq(sqlite3_open(fixture.path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_busy_timeout(db, BUSY_MS), SQLITE_OK);
    return db;
}

static void other_runs(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    int code = sqlite3_exec(db, sql, NULL, NULL, &message);
    ck_assert_msg(code == SQLITE_OK, "%s: %s", sql, message ? message : "");
}

static void other_closes(sqlite3 *db)
{
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

static void sql(const char *text)
{
    sqlite3 *db = other_open();
    other_runs(db, text);
    other_closes(db);
}

static int n_rows(void)
{
    sqlite3 *db = other_open();
    sqlite3_stmt *stmt = NULL;
    ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT count(*) FROM login", -1, &stmt, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
    int n = sqlite3_column_int(stmt, 0);
    ck_assert_int_eq(sqlite3_finalize(stmt), SQLITE_OK);
    other_closes(db);
    return n;
}

static void expect_names(const char *address, int now, const char *names)
{
    enum login_outcome outcome = fixture_look_up(&fixture, address, now, &answer);
    ck_assert_msg(outcome == LOGIN_DONE, "%s", answer.why);
    ck_assert_str_eq(answer.names, names);
}

static void expect_recorded(const char *address, const char *user, int now, int ends)
{
    ck_assert_int_eq(fixture_record(&fixture, address, user, now, ends), LOGIN_DONE);
}

static mode_t mode_of(const char *suffix)
{
    char path[FIXTURE_PATH_SIZE + 8];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s%s", fixture.path, suffix);
    ck_assert_int_eq(stat(path, &st), 0);
    return st.st_mode & 07777;
}

START_TEST(only_the_owner_may_read)
{
    begin();
    (void)umask(0);
    fixture_open(&fixture);
    expect_recorded(A, "alice", 0, 1000);
    ck_assert_uint_eq(mode_of(""), 0600);
    ck_assert_uint_eq(mode_of("-wal"), 0600);
    ck_assert_uint_eq(mode_of("-shm"), 0600);
    fixture_close(&fixture);
    end();
}
END_TEST

static const struct {
    const char *url;
    int result;
} urls[] = {
    { "sqlite:/var/lib/gatepost/logins.db", 0 },
    { "sqlite:///var/lib/gatepost/logins.db", 0 },
    { "sqlite:", -EINVAL },
    { "sqlite:logins.db", -EINVAL },
    { "sqlite:./logins.db", -EINVAL },
    { "sqlite::memory:", -EINVAL },
    { "sqlite:file:/logins.db", -EINVAL },
};

START_TEST(url_names_an_absolute_path)
{
    struct error error = { "" };
    ck_assert_int_eq(login_store_check(urls[_i].url, &error), urls[_i].result);
    if (urls[_i].result < 0)
        ck_assert_msg(strstr(error.text, "absolute path") != NULL, "%s", error.text);
}
END_TEST

static void make_foreign(void)
{
    sql("CREATE TABLE mail (id INTEGER)");
}

static void make_rules(void)
{
    sql("PRAGMA application_id = 0x67617465; PRAGMA user_version = 1; CREATE TABLE setting (name)");
}

static void make_newer(void)
{
    sql("PRAGMA application_id = 0x6761746c; PRAGMA user_version = 2; CREATE TABLE login (name)");
}

static void make_other_table(void)
{
    sql("PRAGMA application_id = 0x6761746c; PRAGMA user_version = 1; CREATE TABLE login (name)");
}

static void make_text(void)
{
    FILE *file = fopen(fixture.path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_gt(fprintf(file, "%1024s", "these are no logins"), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void make_directory(void)
{
    ck_assert_int_eq(mkdir(fixture.path, 0700), 0);
}

static void take_folder_away(void)
{
    ck_assert_int_eq(rmdir(fixture.folder), 0);
}

static void make_fifo(void)
{
    ck_assert_int_eq(mkfifo(fixture.path, 0600), 0);
}

static const struct {
    void (*make)(void);
    int result;
    const char *part; /* of what is said */
} faults[] = {
    { make_foreign, -EINVAL, "another program" },
    { make_rules, -EINVAL, "another program" },
    { make_newer, -EINVAL, "newer" },
    { make_other_table, -EIO, "no such column" },
    { make_text, -EINVAL, "not an SQLite" },
    { make_directory, -EISDIR, "directory" },
    { take_folder_away, -ENOENT, "folder" },
    { make_fifo, -EINVAL, "not a regular file" },
};

START_TEST(what_cannot_be_opened_is_named)
{
    struct error error = { "" };
    begin();
    faults[_i].make();
    ck_assert_int_eq(fixture_try_open(&fixture, false, &error), faults[_i].result);
    ck_assert_ptr_null(fixture.store);
    ck_assert_msg(strstr(error.text, faults[_i].part) != NULL, "%s", error.text);
    ck_assert_msg(strstr(error.text, fixture.path) != NULL, "%s", error.text);
    ck_assert_int_eq(uv_run(&fixture.loop, UV_RUN_DEFAULT), 0);
    if (faults[_i].make == take_folder_away)
        ck_assert_int_eq(mkdir(fixture.folder, 0700), 0);
    end();
}
END_TEST

START_TEST(file_of_somebody_else_is_named)
{
    struct error error = { "" };
    const struct passwd *nobody = getpwnam("nobody");
    ck_assert_ptr_nonnull(nobody);
    begin();
    fixture_open(&fixture);
    fixture_close(&fixture);
    ck_assert_int_eq(chmod(fixture.folder, 0755), 0);
    ck_assert_int_eq(chmod(fixture.path, 0), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(nobody->pw_uid), 0);
    ck_assert_int_eq(fixture_try_open(&fixture, false, &error), -EACCES);
    ck_assert_msg(strstr(error.text, "cannot be read") != NULL, "%s", error.text);
    ck_assert_int_eq(seteuid(getuid()), 0);
    end();
}
END_TEST

/* The store is down with these words, has answered what was asked, and takes no more. */
static void expect_down(const char *part)
{
    ck_assert_int_eq(answer.outcome, LOGIN_AWAY);
    ck_assert_msg(strstr(answer.why, part) != NULL, "%s", answer.why);
    fixture_await(&fixture, &fixture.n_down, 1);
    ck_assert_msg(strstr(fixture.down.text, part) != NULL, "%s", fixture.down.text);
    ck_assert_int_eq(login_store_state(fixture.store), LOGIN_STORE_DOWN);
    struct login_request request = { .verb = LOGIN_LOOK_UP, .address = str_of(A) };
    ck_assert_int_eq(login_store_submit(fixture.store, &request), -EAGAIN);
}

static void expect_down_then_up(const char *part)
{
    expect_down(part);
    fixture_await(&fixture, &fixture.n_up, 2);
    ck_assert_int_eq(login_store_state(fixture.store), LOGIN_STORE_UP);
    ck_assert_int_eq(fixture.n_down, 1);
}

START_TEST(deleted_file_is_created_anew)
{
    begin();
    fixture_open(&fixture);
    expect_recorded(A, "alice", 0, 1000);
    ck_assert_int_eq(unlink(fixture.path), 0);
    (void)fixture_look_up(&fixture, A, 0, &answer);
    expect_down_then_up("No such file");
    ck_assert_uint_eq(mode_of(""), 0600);
    expect_names(A, 0, "");
    expect_recorded(A, "bob", 0, 1000);
    expect_names(A, 0, "bob");
    fixture_close(&fixture);
    end();
}
END_TEST

static void remove_beside(const char *suffix)
{
    char path[FIXTURE_PATH_SIZE + 8];
    (void)snprintf(path, sizeof path, "%s%s", fixture.path, suffix);
    ck_assert_int_eq(unlink(path), 0);
}

/* As a backup is put back: without the log of the file that it replaces, or simply moved over it. */
static void replace_file(const char *by, bool with_log)
{
    if (with_log) {
        remove_beside("-wal");
        remove_beside("-shm");
    }
    ck_assert_int_eq(rename(by, fixture.path), 0);
}

START_TEST(replaced_file_is_opened_anew)
{
    char backup[FIXTURE_PATH_SIZE + 8], copy[FIXTURE_PATH_SIZE + 32];
    begin();
    fixture_open(&fixture);
    expect_recorded(A, "carol", 0, 1000);
    (void)snprintf(backup, sizeof backup, "%s.backup", fixture.path);
    (void)snprintf(copy, sizeof copy, "VACUUM INTO '%s'", backup);
    sql(copy);
    expect_recorded(A, "alice", 0, 1000);
    replace_file(backup, _i == 0);
    answer.outcome = fixture_record(&fixture, A, "bob", 0, 1000);
    ck_assert_int_eq(answer.outcome, LOGIN_AWAY);
    fixture_await(&fixture, &fixture.n_up, 2);
    ck_assert_msg(strstr(fixture.down.text, "replaced") != NULL, "%s", fixture.down.text);
    expect_recorded(A, "dave", 0, 1000);
    expect_names(A, 0, "carol|dave");
    fixture_close(&fixture);
    end();
}
END_TEST

START_TEST(lock_of_another_holds_up_writes_alone)
{
    begin();
    fixture_open(&fixture);
    expect_recorded(A, "alice", 0, 1000);
    sqlite3 *other = other_open();
    other_runs(other, "BEGIN IMMEDIATE; INSERT INTO login VALUES ('" B "', 'bob', 9000000000)");
    struct login_request record = {
        .verb = LOGIN_RECORD,
        .address = str_of(A),
        .user = str_of("carol"),
        .now = fixture.start,
        .ends_at = fixture.start + 1000,
        .done = fixture_on_done,
        .context = calloc(1, sizeof(struct login_answer)),
    };
    struct login_answer *recorded = record.context;
    ck_assert_ptr_nonnull(recorded);
    ck_assert_int_eq(login_store_submit(fixture.store, &record), 0);
    expect_names(A, 0, "alice"); /* while the record waits for the lock */
    expect_names(B, 0, "");
    fixture_await(&fixture, &recorded->n_done, 1);
    ck_assert_int_eq(recorded->outcome, LOGIN_NO_WRITES);
    ck_assert_msg(strstr(recorded->why, "locked by another program") != NULL, "%s", recorded->why);
    other_runs(other, "COMMIT");
    other_closes(other);
    expect_recorded(A, "carol", 0, 1000);
    expect_names(A, 0, "alice|carol");
    expect_names(B, 0, "bob");
    ck_assert_int_eq(fixture.n_down, 0);
    free(recorded);
    fixture_close(&fixture);
    end();
}
END_TEST

/* Places of locks and of the header in the wal-index, as SQLite's walformat page has them. */
enum { INDEX_LOCK_WRITE = 120, INDEX_LOCK_RECOVER = 122, INDEX_HEADER_BYTES = 96 };

/* Another program that recovers the log, and does not get done. */
static pid_t lock_out_readers(void)
{
    int ready[2];
    char byte = 0, path[FIXTURE_PATH_SIZE + 8];
    const char zeros[INDEX_HEADER_BYTES] = { 0 };
    (void)snprintf(path, sizeof path, "%s-shm", fixture.path);
    ck_assert_int_eq(pipe(ready), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct flock write_lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = INDEX_LOCK_WRITE, .l_len = 1 };
        struct flock recover_lock = {
            .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = INDEX_LOCK_RECOVER, .l_len = 1
        };
        int fd = open(path, O_RDWR);
        byte = fcntl(fd, F_SETLKW, &write_lock) == 0 && fcntl(fd, F_SETLKW, &recover_lock) == 0 &&
               pwrite(fd, zeros, sizeof zeros, 0) == sizeof zeros;
        (void)!write(ready[1], &byte, 1);
        (void)pause();
        _exit(0);
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    ck_assert_int_eq(byte, 1);
    (void)close(ready[0]);
    (void)close(ready[1]);
    return child;
}

static void kill_child(pid_t child)
{
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

START_TEST(lock_against_readers_is_no_reason_to_go_down)
{
    begin();
    fixture_open(&fixture);
    expect_recorded(A, "alice", 0, 1000);
    pid_t child = lock_out_readers();
    ck_assert_int_eq(fixture_look_up(&fixture, A, 0, &answer), LOGIN_AWAY);
    ck_assert_msg(strstr(answer.why, "locked by another program") != NULL, "%s", answer.why);
    kill_child(child);
    expect_names(A, 0, "alice");
    ck_assert_int_eq(fixture.n_down, 0);
    fixture_close(&fixture);
    end();
}
END_TEST

/* Submits the records all at once, and waits for them. */
static void record_together(struct login_request *requests, struct login_answer *answers, int n)
{
    for (int i = 0; i < n; i++) {
        requests[i].verb = LOGIN_RECORD;
        requests[i].now = fixture.start;
        requests[i].ends_at = fixture.start + 1000;
        requests[i].done = fixture_on_done;
        requests[i].context = &answers[i];
        answers[i].n_done = 0;
        ck_assert_int_eq(login_store_submit(fixture.store, &requests[i]), 0);
    }
    for (int i = 0; i < n; i++)
        fixture_await(&fixture, &answers[i].n_done, 1);
}

START_TEST(one_bad_record_spoils_no_other)
{
    enum { N = 5 };
    static struct login_answer answers[N];
    static char long_user[LOGIN_NAME_MAX_BYTES + 1];
    memset(long_user, 'x', sizeof long_user);
    /* The first goes alone; the others gather behind it and share a transaction. */
    struct login_request requests[N] = {
        { .address = str_of(B), .user = str_of("alice") },
        { .address = str_of(A), .user = str_of("alice") },
        { .address = str_of(A), .user = str_of("mallory") },
        { .address = str_of(A), .user = str_make(long_user, sizeof long_user) },
        { .address = str_of(A), .user = str_make(long_user, sizeof long_user - 1) },
    };
    begin();
    fixture_open(&fixture);
    sql("CREATE TRIGGER no_mallory BEFORE INSERT ON login WHEN NEW.user = 'mallory' "
        "BEGIN SELECT RAISE(ABORT, 'no'); END");
    record_together(requests, answers, N);
    ck_assert_int_eq(answers[0].outcome, LOGIN_DONE);
    ck_assert_int_eq(answers[1].outcome, LOGIN_DONE);
    ck_assert_int_eq(answers[2].outcome, LOGIN_BAD_KEY);
    ck_assert_int_eq(answers[3].outcome, LOGIN_BAD_KEY);
    ck_assert_int_eq(answers[4].outcome, LOGIN_DONE);
    ck_assert_int_eq(fixture_look_up(&fixture, A, 0, &answer), LOGIN_DONE);
    ck_assert_uint_eq(answer.n_entries, 2);
    ck_assert_int_eq(fixture.n_down, 0);
    fixture_close(&fixture);
    end();
}
END_TEST

START_TEST(two_stores_share_a_file)
{
    enum { N = 200 };
    static char names[N][16];
    static struct login_request requests[N];
    struct login_answer *answers = calloc(N, sizeof *answers);
    struct login_fixture second;
    ck_assert_ptr_nonnull(answers);
    begin();
    fixture_open(&fixture);
    fixture_begin(&second, LOGIN_IN_SQLITE);
    (void)snprintf(second.url, sizeof second.url, "%s", fixture.url);
    fixture_open(&second);
    ck_assert_int_eq(fixture_record(&second, A, "alice", 0, 1000), LOGIN_DONE);
    expect_names(A, 0, "alice");
    for (int i = 0; i < N; i++) {
        (void)snprintf(names[i], sizeof names[i], "user%d", i);
        requests[i] = (struct login_request){ .address = str_of(B), .user = str_of(names[i]) };
        ck_assert_int_eq(fixture_record(&second, B, "bob", 0, 1000 + i), LOGIN_DONE);
    }
    record_together(requests, answers, N);
    for (int i = 0; i < N; i++)
        ck_assert_int_eq(answers[i].outcome, LOGIN_DONE);
    ck_assert_int_eq(fixture_look_up(&second, B, 0, &answer), LOGIN_DONE);
    ck_assert_uint_eq(answer.n_entries, N + 1);
    fixture_close(&second);
    fixture_end(&second);
    expect_names(A, 0, "alice");
    fixture_close(&fixture);
    free(answers);
    end();
}
END_TEST

START_TEST(several_daemons_may_create_the_file_at_once)
{
    enum { N = 6 };
    pid_t children[N];
    begin();
    for (int i = 0; i < N; i++) {
        children[i] = fork();
        ck_assert_int_ge(children[i], 0);
        if (children[i] == 0) {
            struct error error = { "" };
            (void)uv_loop_fork(&fixture.loop);
            if (fixture_try_open(&fixture, false, &error) < 0) {
                (void)fprintf(stderr, "%s\n", error.text);
                _exit(EXIT_FAILURE);
            }
            fixture_await(&fixture, &fixture.n_up, 1);
            char user[] = { (char)('a' + i), '\0' };
            _exit(fixture_record(&fixture, A, user, 0, 1000) == LOGIN_DONE ? EXIT_SUCCESS : EXIT_FAILURE);
        }
    }
    for (int i = 0; i < N; i++) {
        int status = 0;
        ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
        ck_assert_int_eq(status, 0);
    }
    fixture_open(&fixture);
    expect_names(A, 0, "a|b|c|d|e|f");
    fixture_close(&fixture);
    end();
}
END_TEST

/* Many rounds of a sweep, since each is bounded. */
START_TEST(what_has_ended_is_swept_without_a_write)
{
    begin();
    fixture_open(&fixture);
    expect_recorded(A, "alice", 0, 1000);
    fixture_close(&fixture);
    sql("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) "
        "INSERT INTO login SELECT '198.51.100.1', i, i FROM n");
    fixture_open(&fixture);
    for (int i = 0; n_rows() > 1 && i < 500; i++) {
        (void)uv_run(&fixture.loop, UV_RUN_NOWAIT);
        (void)usleep(10000);
    }
    ck_assert_int_eq(n_rows(), 1);
    expect_names(A, 0, "alice");
    fixture_close(&fixture);
    end();
}
END_TEST

START_TEST(one_sweep_takes_a_bounded_number)
{
    struct login_db *db = NULL;
    struct error error;
    bool all = true;
    begin();
    ck_assert_int_eq(login_db_open(&db, fixture.path, 0, &error), 0);
    sql("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) "
        "INSERT INTO login SELECT '198.51.100.1', i, i FROM n");
    ck_assert_int_eq(login_db_sweep(db, 1500, &all, &error), 0);
    ck_assert(!all);
    ck_assert_int_eq(n_rows(), 1500 - LOGIN_DB_SWEEP_ROWS);
    ck_assert_int_eq(login_db_sweep(db, 1400, &all, &error), 0);
    ck_assert(all);
    ck_assert_int_eq(n_rows(), 100);
    login_db_close(db);
    end();
}
END_TEST

/* The index alone is damaged: look-ups do not need it. */
START_TEST(what_cannot_be_swept_is_no_outage)
{
    begin();
    fixture_open(&fixture);
    expect_recorded(A, "alice", 0, 1000);
    fixture_close(&fixture);
    sql("PRAGMA writable_schema = on; UPDATE sqlite_schema SET sql = 'CREATE INDEX login_ends ON login (user)' "
        "WHERE name = 'login_ends'");
    sql("INSERT INTO login VALUES ('198.51.100.1', 'bob', 1)");
    sql("PRAGMA writable_schema = on; UPDATE sqlite_schema SET sql = 'CREATE INDEX login_ends ON login (ends)' "
        "WHERE name = 'login_ends'");
    fixture.may_warn = true;
    fixture_open(&fixture);
    for (int i = 0; i < 20; i++) {
        (void)uv_run(&fixture.loop, UV_RUN_NOWAIT);
        (void)usleep(10000);
    }
    expect_names(A, 0, "alice");
    ck_assert_int_eq(fixture.n_down, 0);
    fixture_close(&fixture);
    end();
}
END_TEST

START_TEST(removal_leaves_nothing_for_a_clock_set_back)
{
    begin();
    fixture_open(&fixture);
    expect_recorded(A, "alice", 0, 10);
    expect_recorded(A, "bob", 0, 1000);
    struct login_request request = {
        .verb = LOGIN_REMOVE, .address = STR(A), .now = fixture.start + 20, .done = fixture_on_done, .context = &answer
    };
    fixture_ask(&fixture, &request, &answer);
    ck_assert_int_eq(answer.outcome, LOGIN_DONE);
    ck_assert_uint_eq(answer.n_removed, 1); /* alice's had ended */
    expect_names(A, 0, "");
    fixture_close(&fixture);
    end();
}
END_TEST

START_TEST(store_that_may_be_down_comes_up_by_itself)
{
    struct error error = { "" };
    begin();
    take_folder_away();
    ck_assert_int_eq(fixture_try_open(&fixture, true, &error), 0);
    ck_assert_int_eq(login_store_state(fixture.store), LOGIN_STORE_DOWN);
    fixture_await(&fixture, &fixture.n_down, 1);
    ck_assert_msg(strstr(fixture.down.text, "folder") != NULL, "%s", fixture.down.text);
    struct login_request request = { .verb = LOGIN_LOOK_UP, .address = str_of(A) };
    ck_assert_int_eq(login_store_submit(fixture.store, &request), -EAGAIN);
    ck_assert_int_eq(mkdir(fixture.folder, 0700), 0);
    fixture_await(&fixture, &fixture.n_up, 1);
    ck_assert_int_eq(fixture.n_down, 1);
    expect_recorded(A, "alice", 0, 1000);
    fixture_close(&fixture);
    end();
}
END_TEST

START_TEST(file_locked_from_the_start_is_waited_for)
{
    struct error error = { "" };
    begin();
    fixture_open(&fixture);
    fixture_close(&fixture);
    sqlite3 *other = other_open();
    other_runs(other, "PRAGMA locking_mode = EXCLUSIVE; INSERT INTO login VALUES ('" A "', 'bob', 9000000000)");
    ck_assert_int_eq(fixture_try_open(&fixture, _i > 0, &error), 0);
    fixture_await(&fixture, &fixture.n_down, 1);
    ck_assert_msg(strstr(fixture.down.text, "locked") != NULL, "%s", fixture.down.text);
    other_closes(other);
    fixture_await(&fixture, &fixture.n_up, 1);
    expect_names(A, 0, "bob");
    fixture_close(&fixture);
    end();
}
END_TEST

START_TEST(closing_while_down_is_fine)
{
    struct error error = { "" };
    begin();
    make_text();
    ck_assert_int_eq(fixture_try_open(&fixture, true, &error), 0);
    if (_i > 0)
        fixture_await(&fixture, &fixture.n_down, 1);
    fixture_close(&fixture);
    ck_assert_int_eq(fixture.n_down, _i);
    end();
}
END_TEST

/* The log has room to grow by some pages. */
START_TEST(full_disk_stops_writes_alone)
{
    struct rlimit limit;
    char user[16];
    int n = 0;
    begin();
    fixture_open(&fixture);
    ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = 64 * PAGE_BYTES;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    enum login_outcome outcome = LOGIN_DONE;
    for (; n < 1000 && outcome == LOGIN_DONE; n++) {
        (void)snprintf(user, sizeof user, "user%04d", n);
        outcome = fixture_record(&fixture, A, user, 0, 1000);
    }
    ck_assert_msg(outcome == LOGIN_NO_WRITES, "%s", fixture.down.text);
    ck_assert_int_eq(fixture_look_up(&fixture, A, 0, &answer), LOGIN_DONE);
    ck_assert_int_eq((int)answer.n_entries, n - 1);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    expect_recorded(A, user, 0, 1000);
    ck_assert_int_eq(fixture_look_up(&fixture, A, 0, &answer), LOGIN_DONE);
    ck_assert_int_eq((int)answer.n_entries, n);
    ck_assert_int_eq(fixture.n_down, 0);
    fixture_close(&fixture);
    end();
}
END_TEST

/* All pages but the first, which says what tables there are. */
static void spoil_file(void)
{
    char page[PAGE_BYTES];
    struct stat st;
    memset(page, 0xff, sizeof page);
    int fd = open(fixture.path, O_WRONLY);
    ck_assert_int_eq(fstat(fd, &st), 0);
    ck_assert_int_gt(st.st_size, PAGE_BYTES);
    for (off_t at = PAGE_BYTES; at < st.st_size; at += PAGE_BYTES)
        ck_assert_int_eq(pwrite(fd, page, sizeof page, at), PAGE_BYTES);
    ck_assert_int_eq(close(fd), 0);
}

enum { SEVERAL_RETRIES_MS = 1600 };

/* It can be opened all the same, but that is not enough to be up. */
START_TEST(damaged_file_keeps_the_store_down_until_it_is_replaced)
{
    begin();
    fixture.may_warn = true; /* it cannot be swept */
    fixture_open(&fixture);
    expect_recorded(A, "alice", 0, 1000);
    fixture_close(&fixture);
    spoil_file();
    fixture_open(&fixture);
    (void)fixture_look_up(&fixture, A, 0, &answer);
    expect_down("malformed");
    uint64_t until = uv_hrtime() + SEVERAL_RETRIES_MS * UINT64_C(1000000);
    while (uv_hrtime() < until)
        (void)uv_run(&fixture.loop, UV_RUN_ONCE);
    ck_assert_int_eq(fixture.n_up, 1);
    ck_assert_int_eq(fixture.n_down, 1);
    ck_assert_int_eq(unlink(fixture.path), 0);
    fixture_await(&fixture, &fixture.n_up, 2);
    expect_recorded(A, "bob", 0, 1000);
    fixture_close(&fixture);
    end();
}
END_TEST

static void die(struct login_request *request)
{
    if (request->outcome == LOGIN_DONE)
        (void)raise(SIGKILL);
    _exit(EXIT_FAILURE);
}

START_TEST(done_record_outlives_the_process)
{
    int status = 0;
    begin();
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct login_request request = {
            .verb = LOGIN_RECORD,
            .address = str_of(A),
            .user = str_of("alice"),
            .now = fixture.start,
            .ends_at = fixture.start + 1000,
            .done = die,
        };
        (void)uv_loop_fork(&fixture.loop);
        fixture_open(&fixture);
        (void)login_store_submit(fixture.store, &request);
        (void)uv_run(&fixture.loop, UV_RUN_DEFAULT);
        _exit(EXIT_FAILURE);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    fixture_open(&fixture);
    expect_names(A, 0, "alice");
    fixture_close(&fixture);
    end();
}
END_TEST

static void submit_large_look_ups(struct login_request *requests, struct login_answer *answers, int n)
{
    sql("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8000) "
        "INSERT INTO login SELECT '" A "', printf('%01000d', i), 9000000000 FROM n");
    for (int i = 0; i < n; i++) {
        answers[i].n_done = 0;
        requests[i] = (struct login_request){ .verb = LOGIN_LOOK_UP,
                                              .address = str_of(A),
                                              .now = fixture.start,
                                              .done = fixture_on_done,
                                              .context = &answers[i] };
        ck_assert_int_eq(login_store_submit(fixture.store, &requests[i]), 0);
    }
}

START_TEST(large_answers_come_a_few_at_a_time)
{
    enum { N = 4 };
    static struct login_answer answers[N];
    struct login_request requests[N];
    begin();
    fixture_open(&fixture);
    submit_large_look_ups(requests, answers, N);
    for (int i = 0; i < N; i++) {
        fixture_await(&fixture, &answers[i].n_done, 1);
        ck_assert_uint_eq(answers[i].n_entries, 8000);
        ck_assert(answers[i].whole);
    }
    expect_names(B, 0, "");
    fixture_close(&fixture);
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("login_sqlite");
    TCase *tcase = suite_case(suite, "login_sqlite");
    tcase_add_test(tcase, only_the_owner_may_read);
    tcase_add_loop_test(tcase, url_names_an_absolute_path, 0, COUNT(urls));
    tcase_add_loop_test(tcase, what_cannot_be_opened_is_named, 0, COUNT(faults));
    tcase_add_test(tcase, file_of_somebody_else_is_named);
    tcase_add_test(tcase, deleted_file_is_created_anew);
    tcase_add_loop_test(tcase, replaced_file_is_opened_anew, 0, 2);
    tcase_add_test(tcase, lock_of_another_holds_up_writes_alone);
    tcase_add_test(tcase, lock_against_readers_is_no_reason_to_go_down);
    tcase_add_test(tcase, one_bad_record_spoils_no_other);
    tcase_add_test(tcase, two_stores_share_a_file);
    tcase_add_test(tcase, several_daemons_may_create_the_file_at_once);
    tcase_add_test(tcase, what_has_ended_is_swept_without_a_write);
    tcase_add_test(tcase, one_sweep_takes_a_bounded_number);
    tcase_add_test(tcase, what_cannot_be_swept_is_no_outage);
    tcase_add_test(tcase, removal_leaves_nothing_for_a_clock_set_back);
    tcase_add_test(tcase, store_that_may_be_down_comes_up_by_itself);
    tcase_add_loop_test(tcase, file_locked_from_the_start_is_waited_for, 0, 2);
    tcase_add_loop_test(tcase, closing_while_down_is_fine, 0, 2);
    tcase_add_test(tcase, full_disk_stops_writes_alone);
    tcase_add_test(tcase, damaged_file_keeps_the_store_down_until_it_is_replaced);
    tcase_add_test(tcase, done_record_outlives_the_process);
    tcase_add_test(tcase, large_answers_come_a_few_at_a_time);
    return suite_run(suite);
}
