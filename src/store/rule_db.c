#include "store/rule_db.h"

#include "schema_sql.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { APPLICATION_ID = 0x67617465 };

struct rule_db {
    sqlite3 *sqlite;
    char *path;
    dev_t dev;
    ino_t ino;
    int64_t data_version; /* as of the last load */
};

/* What takes a database from the version that is the index to the next one. */
static const char *const migrations[RULE_DB_SCHEMA_VERSION] = { schema_sql };

sqlite3 *rule_db_handle(struct rule_db *db)
{
    return db->sqlite;
}

static int errno_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return -EACCES;
    case SQLITE_CONSTRAINT:
        return -EINVAL;
    case SQLITE_FULL:
        return -ENOSPC;
    default:
        return -EIO;
    }
}

int rule_db_fail(struct rule_db *db, const char *what, struct error *error)
{
    int code = sqlite3_extended_errcode(db->sqlite);
    return error_set(error, errno_of(code), "%s: %s: %s", db->path, what, sqlite3_errmsg(db->sqlite));
}

int rule_db_exec(struct rule_db *db, const char *sql, struct error *error)
{
    if (sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    char what[48];
    (void)snprintf(what, sizeof what, "%.40s", sql);
    what[strcspn(what, "\n")] = '\0';
    return rule_db_fail(db, what, error);
}

/* The single number that the statement returns. */
static int query_number(struct rule_db *db, const char *sql, int64_t *number, struct error *error)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(db->sqlite, sql, -1, &stmt, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    int r = 0;
    if (code == SQLITE_ROW)
        *number = sqlite3_column_int64(stmt, 0);
    else if (sqlite3_errcode(db->sqlite) == SQLITE_NOTADB)
        r = error_set(error, -EINVAL, "%s: this is not an SQLite database", db->path);
    else
        r = rule_db_fail(db, "cannot be read", error);
    (void)sqlite3_finalize(stmt);
    return r;
}

/* What is to be said before SQLite is asked, because it would say it less clearly. */
static int check_path(const char *path, bool *absent, enum rule_db_absent mode, struct error *error)
{
    struct stat st;
    *absent = stat(path, &st) < 0;
    if (*absent && (errno != ENOENT || mode == RULE_DB_EXPECT))
        return errno == ENOENT ? error_set(error, -ENOENT, "%s: there is no such database", path)
                               : error_set(error, -errno, "%s: %s", path, strerror(errno));
    if (*absent)
        return 0;
    if (S_ISDIR(st.st_mode))
        return error_set(error, -EISDIR, "%s: this is a directory, not a database", path);
    if (!S_ISREG(st.st_mode))
        return error_set(error, -EINVAL, "%s: this is not a regular file", path);
    if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0)
        return error_set(error, -errno, "%s: cannot be read: %s", path, strerror(errno));
    if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0)
        return errno == EROFS ? error_set(error, -EROFS,
                                          "%s: the file system is read-only; SQLite's write-ahead log needs to "
                                          "write there",
                                          path)
                              : error_set(error, -errno, "%s: cannot be written: %s", path, strerror(errno));
    return 0;
}

static int read_identity(struct rule_db *db, int64_t *application_id, int64_t *version, bool *empty,
                         struct error *error)
{
    int64_t objects = 0;
    int r = query_number(db, "PRAGMA application_id", application_id, error);
    if (r == 0)
        r = query_number(db, "PRAGMA user_version", version, error);
    if (r == 0)
        r = query_number(db, "SELECT count(*) FROM sqlite_schema", &objects, error);
    *empty = *application_id == 0 && *version == 0 && objects == 0;
    return r;
}

static int check_identity(struct rule_db *db, enum rule_db_absent mode, int64_t *version, struct error *error)
{
    int64_t application_id = 0;
    bool empty = false;
    int r = read_identity(db, &application_id, version, &empty, error);
    if (r < 0 || (empty && mode == RULE_DB_CREATE))
        return r;
    if (empty)
        return error_set(error, -EINVAL, "%s: the database is empty; create it with: gatepost init", db->path);
    if (application_id != APPLICATION_ID)
        return error_set(error, -EINVAL,
                         "%s: this database belongs to another program (application_id 0x%08" PRIx64 ", not 0x%08x)",
                         db->path, application_id, APPLICATION_ID);
    if (*version > RULE_DB_SCHEMA_VERSION)
        return error_set(error, -EINVAL,
                         "%s: the schema is version %" PRId64 ", newer than version %d, which this "
                         "program knows: upgrade gatepost",
                         db->path, *version, RULE_DB_SCHEMA_VERSION);
    if (*version < RULE_DB_SCHEMA_VERSION && mode == RULE_DB_EXPECT)
        return error_set(error, -EINVAL,
                         "%s: the schema is version %" PRId64 ", older than version %d: run gatepost init", db->path,
                         *version, RULE_DB_SCHEMA_VERSION);
    return 0;
}

/* Another process may be doing the same: what is there is looked at again once we alone may write. */
static int migrate(struct rule_db *db, struct error *error)
{
    int64_t version = 0;
    int r = rule_db_exec(db, "PRAGMA journal_mode = WAL", error);
    if (r == 0)
        r = rule_db_exec(db, "BEGIN IMMEDIATE", error);
    if (r < 0)
        return r;
    r = check_identity(db, RULE_DB_CREATE, &version, error);
    for (; r == 0 && version < RULE_DB_SCHEMA_VERSION; version++)
        r = rule_db_exec(db, migrations[version], error);
    if (r == 0)
        r = rule_db_exec(db, "COMMIT", error);
    if (r < 0)
        (void)sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
    return r;
}

static int open_sqlite(struct rule_db *db, enum rule_db_absent mode, int busy_ms, struct error *error)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (mode == RULE_DB_CREATE ? SQLITE_OPEN_CREATE : 0);
    if (sqlite3_open_v2(db->path, &db->sqlite, flags, NULL) != SQLITE_OK) {
        if (!db->sqlite)
            return error_set(error, -ENOMEM, "out of memory");
        int os = sqlite3_system_errno(db->sqlite);
        return error_set(error, os ? -os : -EIO, "%s: cannot be opened: %s", db->path,
                         os ? strerror(os) : sqlite3_errmsg(db->sqlite));
    }
    if (sqlite3_busy_timeout(db->sqlite, busy_ms) != SQLITE_OK)
        return rule_db_fail(db, "busy_timeout", error);
    return 0;
}

static int note_identity_of_file(struct rule_db *db, struct error *error)
{
    struct stat st;
    if (stat(db->path, &st) < 0)
        return error_set(error, -errno, "%s: %s", db->path, strerror(errno));
    db->dev = st.st_dev;
    db->ino = st.st_ino;
    return 0;
}

int rule_db_open(struct rule_db **out, const char *path, enum rule_db_absent mode, int busy_ms, struct error *error)
{
    bool absent;
    int64_t version = 0;
    *out = NULL;
    int r = check_path(path, &absent, mode, error);
    if (r < 0)
        return r;
    struct rule_db *db = calloc(1, sizeof *db);
    if (!db || !(db->path = strdup(path))) {
        free(db);
        return error_set(error, -ENOMEM, "out of memory");
    }
    db->data_version = -1;
    r = open_sqlite(db, mode, busy_ms, error);
    if (r == 0)
        r = check_identity(db, mode, &version, error);
    if (r == 0 && version < RULE_DB_SCHEMA_VERSION)
        r = migrate(db, error);
    if (r == 0)
        r = note_identity_of_file(db, error);
    if (r < 0) {
        rule_db_close(db);
        return r;
    }
    *out = db;
    return 0;
}

void rule_db_close(struct rule_db *db)
{
    if (!db)
        return;
    (void)sqlite3_close_v2(db->sqlite);
    free(db->path);
    free(db);
}

static struct str column_str(sqlite3_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    return str_make(text ? text : "", text ? (size_t)sqlite3_column_bytes(stmt, column) : 0);
}

/* Columns: key, client, value, expires. */
static void read_row(sqlite3_stmt *stmt, struct rule_row *row)
{
    row->key = column_str(stmt, 0);
    row->client = column_str(stmt, 1);
    row->value = column_str(stmt, 2);
    row->expires_at = RULE_NEVER_EXPIRES;
    if (sqlite3_column_type(stmt, 3) != SQLITE_NULL) {
        row->expires_at = sqlite3_column_int64(stmt, 3);
        if (row->expires_at == RULE_NEVER_EXPIRES)
            row->expires_at = 1; /* 1970, one second off */
    }
}

static int load_table(struct rule_db *db, enum rule_table table, struct rules *rules, rule_db_skipped *skipped,
                      void *context, struct error *error)
{
    const struct rule_table_info *info = &rule_tables[table];
    char sql[160];
    (void)snprintf(sql, sizeof sql, "SELECT %s, %s, %s, %s FROM %s", info->key, info->client ? info->client : "NULL",
                   info->value ? info->value : "NULL", table == RULE_SETTING ? "NULL" : "expires", info->name);
    sqlite3_stmt *stmt = NULL;
    int r = 0, code = sqlite3_prepare_v2(db->sqlite, sql, -1, &stmt, NULL);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(stmt);
        if (code != SQLITE_ROW)
            break;
        struct rule_row row = { .table = table };
        struct error why;
        read_row(stmt, &row);
        r = rules_put(rules, &row, &why);
        if (r == -EINVAL) {
            skipped(context, &row, &why);
            r = 0;
        }
        if (r < 0) {
            error_set(error, r, "%s: %s", db->path, why.text);
            break;
        }
    }
    if (r == 0 && code != SQLITE_DONE)
        r = rule_db_fail(db, info->name, error);
    (void)sqlite3_finalize(stmt);
    return r;
}

/* Loads the tables up to `last`, with what belongs to the same moment. */
static int load(struct rule_db *db, enum rule_table last, struct rules **out, rule_db_skipped *skipped, void *context,
                struct error *error)
{
    *out = NULL;
    struct rules *rules = rules_new();
    if (!rules)
        return error_set(error, -ENOMEM, "out of memory");
    int64_t data_version = 0;
    int r = rule_db_exec(db, "BEGIN", error);
    for (int table = 0; r == 0 && table <= (int)last; table++)
        r = load_table(db, (enum rule_table)table, rules, skipped, context, error);
    if (r == 0) /* asked within the transaction, it is that of what has been read */
        r = query_number(db, "PRAGMA data_version", &data_version, error);
    if (sqlite3_get_autocommit(db->sqlite) == 0)
        (void)sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
    if (r == 0 && rules_seal(rules) < 0)
        r = error_set(error, -ENOMEM, "out of memory");
    if (r < 0) {
        rules_free(rules);
        return r;
    }
    db->data_version = data_version;
    *out = rules;
    return 0;
}

int rule_db_load(struct rule_db *db, struct rules **rules, rule_db_skipped *skipped, void *context, struct error *error)
{
    return load(db, RULE_TABLE_COUNT - 1, rules, skipped, context, error);
}

int rule_db_load_settings(struct rule_db *db, struct rules **rules, rule_db_skipped *skipped, void *context,
                          struct error *error)
{
    return load(db, RULE_SETTING, rules, skipped, context, error);
}

int rule_db_changed(struct rule_db *db, struct error *error)
{
    struct stat st;
    int64_t data_version = 0;
    if (stat(db->path, &st) < 0)
        return error_set(error, -errno, "%s: %s", db->path, strerror(errno));
    if (st.st_dev != db->dev || st.st_ino != db->ino)
        return error_set(error, -ESTALE, "%s: the file has been replaced", db->path);
    int r = query_number(db, "PRAGMA data_version", &data_version, error);
    return r < 0 ? r : data_version != db->data_version;
}
