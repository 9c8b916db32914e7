#include "store/login_db.h"

#include "logins_sql.h"
#include "store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum statement { BEGIN_READ, BEGIN_WRITE, COMMIT, LOOK_UP, LIST, RECORD, COUNT, REMOVE, SWEEP, STATEMENT_COUNT };

static const char *const statements[STATEMENT_COUNT] = {
    [BEGIN_READ] = "BEGIN",
    [BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [LOOK_UP] = "SELECT address, user, ends FROM login WHERE address = ?1 AND ends > ?2 LIMIT ?3",
    [LIST] = "SELECT address, user, ends FROM login WHERE (address, user) > (?1, ?2) AND ends > ?3"
             " ORDER BY address, user LIMIT ?4",
    [RECORD] = "INSERT INTO login (address, user, ends) VALUES (?1, ?2, ?3)"
               " ON CONFLICT DO UPDATE SET ends = excluded.ends WHERE excluded.ends > ends",
    [COUNT] = "SELECT count(*) FROM login WHERE address = ?1 AND ends > ?2",
    [REMOVE] = "DELETE FROM login WHERE address = ?1",
    [SWEEP] = "DELETE FROM login WHERE (address, user) IN"
              " (SELECT address, user FROM login WHERE ends <= ?1 ORDER BY ends LIMIT ?2)",
};

struct login_db {
    struct database database;
    sqlite3_stmt *statements[STATEMENT_COUNT];
};

static const char *const migrations[] = { logins_sql };

static const struct database_kind kind = {
    .application_id = 0x6761746c, /* "gatl" */
    .version = 1,
    .migrations = migrations,
    .mode = 0600, /* who reads mail from where is private */
};

static int prepare(struct login_db *db, struct error *error)
{
    for (int i = 0; i < STATEMENT_COUNT; i++)
        if (sqlite3_prepare_v3(db->database.sqlite, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &db->statements[i],
                               NULL) != SQLITE_OK)
            return database_fail(&db->database, "the logins", error);
    return 0;
}

int login_db_open(struct login_db **out, const char *path, int busy_ms, struct error *error)
{
    *out = NULL;
    struct login_db *db = calloc(1, sizeof *db);
    if (!db)
        return error_set(error, -ENOMEM, "out of memory");
    int r = database_open(&db->database, &kind, path, DATABASE_CREATE, busy_ms, error);
    if (r < 0) {
        free(db);
        return r;
    }
    /* NORMAL does not wait for the disk at each commit: what is committed outlives this process, if not a power cut. */
    r = database_exec(&db->database, "PRAGMA synchronous = NORMAL", error);
    if (r == 0)
        r = prepare(db, error);
    if (r < 0) {
        login_db_close(db);
        return r;
    }
    *out = db;
    return 0;
}

static int check_folder(const char *path, struct error *error)
{
    char *copy = strdup(path);
    int r = copy ? 0 : -ENOMEM;
    if (r == 0 && faccessat(AT_FDCWD, dirname(copy), W_OK | X_OK, AT_EACCESS) < 0)
        r = -errno;
    free(copy);
    return r < 0 ? error_set(error, r, "%s: the folder: %s", path, strerror(-r)) : 0;
}

int login_db_check(const char *path, struct error *error)
{
    struct database database;
    int r = database_open(&database, &kind, path, DATABASE_EXPECT, 0, error);
    if (r == 0)
        database_close(&database);
    return r == -ENOENT ? check_folder(path, error) : r;
}

int login_db_examine(struct login_db *db, struct error *error)
{
    sqlite3_stmt *stmt = NULL;
    int r = 0, code = sqlite3_prepare_v2(db->database.sqlite, "PRAGMA integrity_check(1)", -1, &stmt, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    const char *found = code == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    if (!found)
        r = database_fail(&db->database, "cannot be examined", error);
    else if (strcmp(found, "ok") != 0)
        r = error_set(error, -EIO, "%s: the database is damaged: %s", db->database.path, found);
    (void)sqlite3_finalize(stmt);
    return r;
}

void login_db_close(struct login_db *db)
{
    if (!db)
        return;
    for (int i = 0; i < STATEMENT_COUNT; i++)
        (void)sqlite3_finalize(db->statements[i]);
    database_close(&db->database);
    free(db);
}

static bool bind_text(sqlite3_stmt *stmt, int index, struct str text)
{
    return sqlite3_bind_text64(stmt, index, text.p ? text.p : "", text.n, SQLITE_STATIC, SQLITE_UTF8) == SQLITE_OK;
}

static bool bind_number(sqlite3_stmt *stmt, int index, int64_t number)
{
    return sqlite3_bind_int64(stmt, index, number) == SQLITE_OK;
}

/* Runs a statement that returns nothing. Gives SQLite's extended code. */
static int run(struct login_db *db, enum statement which)
{
    int code = sqlite3_step(db->statements[which]);
    (void)sqlite3_reset(db->statements[which]);
    return code == SQLITE_DONE ? SQLITE_OK : sqlite3_extended_errcode(db->database.sqlite);
}

void login_db_fail(struct login_request *requests, enum login_outcome outcome, const char *why)
{
    for (struct login_request *request = requests; request; request = request->next) {
        request->outcome = outcome;
        request->why = why;
        request->entries = NULL;
        request->n_entries = request->n_removed = 0;
    }
}

/* Why this cannot be done for now, where the connection is still good; NULL where it is not. A write that the system
 * refuses says nothing against reading, which finds out for itself. */
static const char *why_not_now(int code, bool writing)
{
    if ((code & 0xff) == SQLITE_BUSY)
        return "the database is locked by another program";
    if ((code & 0xff) == SQLITE_NOMEM)
        return "out of memory";
    if (!writing || code == SQLITE_READONLY_DBMOVED)
        return NULL;
    if ((code & 0xff) == SQLITE_FULL)
        return "the disk is full";
    if (code == SQLITE_IOERR_WRITE) /* to SQLite a quota is not a full disk */
        return "the system refuses to write: a quota, a limit or a fault of the disk";
    return (code & 0xff) == SQLITE_READONLY || (code & 0xff) == SQLITE_PERM ? "the database is read-only" : NULL;
}

/* The transaction has failed, and with it all that was asked. */
static int give_up(struct login_db *db, int code, struct login_request *requests, bool writing, struct error *error)
{
    const char *why = why_not_now(code, writing);
    int r = why ? 0 : database_fail(&db->database, writing ? "cannot be written" : "cannot be read", error);
    login_db_fail(requests, why && writing ? LOGIN_NO_WRITES : LOGIN_AWAY, why ? why : error->text);
    database_rollback(&db->database);
    return r;
}

/* Whether the file is still the one at the path: what would be read or written elsewhere counts for nothing. */
static int check_file(struct login_db *db, struct login_request *requests, struct error *error)
{
    int r = database_check_file(&db->database, error);
    if (r < 0)
        login_db_fail(requests, LOGIN_AWAY, error->text);
    return r;
}

static void set_done(struct login_request *request)
{
    request->outcome = LOGIN_DONE;
    request->why = NULL;
    request->entries = NULL;
    request->n_entries = request->n_removed = 0;
    request->whole = false;
}

/* Reading. */

static struct str column_str(sqlite3_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    return str_make(text, text ? (size_t)sqlite3_column_bytes(stmt, column) : 0);
}

static int read_rows(struct login_db *db, enum statement which, struct login_request *request, struct login_rows *rows)
{
    sqlite3_stmt *stmt = db->statements[which];
    int code = sqlite3_step(stmt);
    for (; code == SQLITE_ROW; code = sqlite3_step(stmt)) {
        struct str address = column_str(stmt, 0), user = column_str(stmt, 1);
        if (!address.p || !user.p || login_rows_add(rows, address, user, sqlite3_column_int64(stmt, 2)) < 0)
            break;
        request->n_entries++;
    }
    (void)sqlite3_reset(stmt);
    if (code == SQLITE_ROW)
        return SQLITE_NOMEM;
    return code == SQLITE_DONE ? SQLITE_OK : sqlite3_extended_errcode(db->database.sqlite);
}

/* Takes the row back that was read to see whether there are more than `most`. */
static bool cut(struct login_request *request, struct login_rows *rows, size_t most)
{
    if (request->n_entries <= most)
        return false;
    login_rows_drop_last(rows);
    request->n_entries--;
    return true;
}

static int look_up(struct login_db *db, struct login_request *request, struct login_rows *rows)
{
    sqlite3_stmt *stmt = db->statements[LOOK_UP];
    if (!bind_text(stmt, 1, request->address) || !bind_number(stmt, 2, request->now) ||
        !bind_number(stmt, 3, LOGIN_NAMES_MAX + 1))
        return SQLITE_NOMEM;
    int code = read_rows(db, LOOK_UP, request, rows);
    request->whole = !cut(request, rows, LOGIN_NAMES_MAX);
    return code;
}

/* A cursor is the address and the user of the last login that was handed over, with a blank between them. */
static void set_cursor(struct login_request *request, const struct login_rows *rows)
{
    struct str address, user;
    login_rows_last(rows, &address, &user);
    int n = snprintf(request->cursor, LOGIN_CURSOR_SIZE, "%.*s %.*s", STR_ARGS(address), STR_ARGS(user));
    if (n < 0 || (size_t)n >= LOGIN_CURSOR_SIZE) { /* somebody has turned the CHECKs of the table off */
        request->outcome = LOGIN_BAD_KEY;
        request->why = "a login in the database is longer than it may be";
    }
}

static int list(struct login_db *db, struct login_request *request, struct login_rows *rows)
{
    sqlite3_stmt *stmt = db->statements[LIST];
    struct str cursor = str_make(request->cursor, strnlen(request->cursor, LOGIN_CURSOR_SIZE));
    struct str address = str_first(cursor, str_find(cursor, ' '));
    struct str user = str_from(cursor, address.n < cursor.n ? address.n + 1 : cursor.n);
    if (!bind_text(stmt, 1, address) || !bind_text(stmt, 2, user) || !bind_number(stmt, 3, request->now) ||
        !bind_number(stmt, 4, LOGIN_DB_PAGE + 1))
        return SQLITE_NOMEM;
    int code = read_rows(db, LIST, request, rows);
    request->cursor[0] = '\0';
    if (cut(request, rows, LOGIN_DB_PAGE))
        set_cursor(request, rows);
    return code;
}

int login_db_read(struct login_db *db, struct login_request *requests, struct login_request **rest,
                  struct login_rows *rows, struct error *error)
{
    *rest = NULL;
    int r = check_file(db, requests, error);
    if (r < 0)
        return r;
    int code = run(db, BEGIN_READ);
    for (struct login_request *request = requests; request && code == SQLITE_OK; request = request->next) {
        set_done(request);
        code = request->verb == LOGIN_LIST ? list(db, request, rows) : look_up(db, request, rows);
        if (code == SQLITE_OK && rows->text_bytes > LOGIN_DB_READ_BYTES) {
            *rest = request->next;
            request->next = NULL;
        }
    }
    if (code == SQLITE_OK)
        code = run(db, COMMIT);
    if (code != SQLITE_OK) {
        login_rows_clear(rows);
        r = give_up(db, code, requests, false, error);
    }
    login_rows_settle(rows, requests);
    return r;
}

/* Writing. */

static int record(struct login_db *db, const struct login_request *request)
{
    sqlite3_stmt *stmt = db->statements[RECORD];
    if (request->ends_at <= request->now)
        return SQLITE_OK;
    if (!bind_text(stmt, 1, request->address) || !bind_text(stmt, 2, request->user) ||
        !bind_number(stmt, 3, request->ends_at))
        return SQLITE_NOMEM;
    return run(db, RECORD);
}

/* What has ended goes too, though it does not count: a clock that is set back must not bring it to life again. */
static int remove_all(struct login_db *db, struct login_request *request)
{
    sqlite3_stmt *count = db->statements[COUNT];
    if (!bind_text(count, 1, request->address) || !bind_number(count, 2, request->now) ||
        !bind_text(db->statements[REMOVE], 1, request->address))
        return SQLITE_NOMEM;
    int code = sqlite3_step(count);
    size_t n = code == SQLITE_ROW ? (size_t)sqlite3_column_int64(count, 0) : 0;
    (void)sqlite3_reset(count);
    if (code != SQLITE_ROW)
        return sqlite3_extended_errcode(db->database.sqlite);
    code = run(db, REMOVE);
    if (code == SQLITE_OK)
        request->n_removed = n;
    return code;
}

/* A login that the table does not take is that request's own fault, and undone by itself: the others go on. */
static int write_one(struct login_db *db, struct login_request *request)
{
    set_done(request);
    int code = request->verb == LOGIN_REMOVE ? remove_all(db, request) : record(db, request);
    if ((code & 0xff) != SQLITE_CONSTRAINT || sqlite3_get_autocommit(db->database.sqlite) != 0)
        return code;
    request->outcome = LOGIN_BAD_KEY;
    request->why = "the database does not take this login";
    return SQLITE_OK;
}

int login_db_write(struct login_db *db, struct login_request *requests, struct error *error)
{
    int r = check_file(db, requests, error);
    if (r < 0)
        return r;
    int code = run(db, BEGIN_WRITE);
    for (struct login_request *request = requests; request && code == SQLITE_OK; request = request->next)
        code = write_one(db, request);
    if (code == SQLITE_OK)
        code = run(db, COMMIT);
    return code == SQLITE_OK ? check_file(db, requests, error) : give_up(db, code, requests, true, error);
}

int login_db_sweep(struct login_db *db, int64_t now, bool *all, struct error *error)
{
    sqlite3_stmt *stmt = db->statements[SWEEP];
    *all = true;
    if (!bind_number(stmt, 1, now) || !bind_number(stmt, 2, LOGIN_DB_SWEEP_ROWS))
        return error_set(error, -ENOMEM, "out of memory");
    int code = run(db, SWEEP);
    if ((code & 0xff) == SQLITE_BUSY)
        return 0;
    if (code != SQLITE_OK)
        return database_fail(&db->database, "what has ended cannot be swept", error);
    *all = sqlite3_changes64(db->database.sqlite) < LOGIN_DB_SWEEP_ROWS;
    return 0;
}
