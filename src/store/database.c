#include "store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAL_RETRY_MS = 10 };

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

int database_fail(const struct database *db, const char *what, struct error *error)
{
    int code = sqlite3_extended_errcode(db->sqlite);
    return error_set(error, errno_of(code), "%s: %s: %s", db->path, what, sqlite3_errmsg(db->sqlite));
}

int database_exec(const struct database *db, const char *sql, struct error *error)
{
    if (sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    char what[48];
    (void)snprintf(what, sizeof what, "%.40s", sql);
    what[strcspn(what, "\n")] = '\0';
    return database_fail(db, what, error);
}

int database_number(const struct database *db, const char *sql, int64_t *number, struct error *error)
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
        r = database_fail(db, "cannot be read", error);
    (void)sqlite3_finalize(stmt);
    return r;
}

/* What is to be said before SQLite is asked, because it would say it less clearly. */
static int check_path(const char *path, bool *is_absent, enum database_absent absent, struct error *error)
{
    struct stat st;
    *is_absent = stat(path, &st) < 0;
    if (*is_absent && (errno != ENOENT || absent == DATABASE_EXPECT))
        return errno == ENOENT ? error_set(error, -ENOENT, "%s: there is no such database", path)
                               : error_set(error, -errno, "%s: %s", path, strerror(errno));
    if (*is_absent)
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

/* Created here, because SQLite would let everybody read it. The log and its index get the same mode from SQLite. With
 * O_EXCL nobody has it open yet: closing a file takes away the locks that this process holds on it. */
static int create_file(const char *path, mode_t mode, struct error *error)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0 && errno == EEXIST)
        return 0;
    if (fd < 0)
        return errno == ENOENT ? error_set(error, -ENOENT, "%s: the folder: %s", path, strerror(ENOENT))
                               : error_set(error, -errno, "%s: cannot be created: %s", path, strerror(errno));
    return close(fd) < 0 ? error_set(error, -errno, "%s: cannot be created: %s", path, strerror(errno)) : 0;
}

static int read_identity(const struct database *db, int64_t *application_id, int64_t *version, bool *empty,
                         struct error *error)
{
    int64_t objects = 0;
    int r = database_number(db, "PRAGMA application_id", application_id, error);
    if (r == 0)
        r = database_number(db, "PRAGMA user_version", version, error);
    if (r == 0)
        r = database_number(db, "SELECT count(*) FROM sqlite_schema", &objects, error);
    *empty = *application_id == 0 && *version == 0 && objects == 0;
    return r;
}

static int check_identity(const struct database *db, const struct database_kind *kind, enum database_absent absent,
                          int64_t *version, struct error *error)
{
    int64_t application_id = 0;
    bool empty = false;
    int r = read_identity(db, &application_id, version, &empty, error);
    if (r < 0 || (empty && absent == DATABASE_CREATE))
        return r;
    if (empty)
        return error_set(error, -EINVAL, "%s: the database is empty; create it with: gatepost init", db->path);
    if (application_id != kind->application_id)
        return error_set(error, -EINVAL,
                         "%s: this database belongs to another program (application_id 0x%08" PRIx64
                         ", not 0x%08" PRIx64 ")",
                         db->path, application_id, kind->application_id);
    if (*version > kind->version)
        return error_set(error, -EINVAL,
                         "%s: the schema is version %" PRId64 ", newer than version %d, which this "
                         "program knows: upgrade gatepost",
                         db->path, *version, kind->version);
    if (*version < kind->version && absent == DATABASE_EXPECT)
        return error_set(error, -EINVAL,
                         "%s: the schema is version %" PRId64 ", older than version %d: run gatepost init", db->path,
                         *version, kind->version);
    return 0;
}

/* As of one moment: another process may just be creating it. */
static int check_identity_at_once(const struct database *db, const struct database_kind *kind,
                                  enum database_absent absent, int64_t *version, struct error *error)
{
    int r = database_exec(db, "BEGIN", error);
    if (r == 0)
        r = check_identity(db, kind, absent, version, error);
    database_rollback(db);
    return r;
}

void database_rollback(const struct database *db)
{
    if (sqlite3_get_autocommit(db->sqlite) == 0)
        (void)sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
}

/* SQLite keeps the mode in the file, and does not wait here for others who have just opened it. */
static int set_wal(const struct database *db, int busy_ms, struct error *error)
{
    int r = database_exec(db, "PRAGMA journal_mode = WAL", error);
    for (int waited_ms = 0; r == -EBUSY && waited_ms < busy_ms; waited_ms += WAL_RETRY_MS) {
        (void)sqlite3_sleep(WAL_RETRY_MS);
        r = database_exec(db, "PRAGMA journal_mode = WAL", error);
    }
    return r;
}

/* Another process may be doing the same: what is there is looked at again once we alone may write. */
static int migrate(const struct database *db, const struct database_kind *kind, struct error *error)
{
    int64_t version = 0;
    int r = database_exec(db, "BEGIN IMMEDIATE", error);
    if (r < 0)
        return r;
    r = check_identity(db, kind, DATABASE_CREATE, &version, error);
    for (; r == 0 && version < kind->version; version++)
        r = database_exec(db, kind->migrations[version], error);
    if (r == 0)
        r = database_exec(db, "COMMIT", error);
    if (r < 0)
        database_rollback(db);
    return r;
}

static int open_sqlite(struct database *db, int busy_ms, struct error *error)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(db->path, &db->sqlite, flags, NULL) != SQLITE_OK) {
        if (!db->sqlite)
            return error_set(error, -ENOMEM, "out of memory");
        int os = sqlite3_system_errno(db->sqlite);
        return error_set(error, os ? -os : -EIO, "%s: cannot be opened: %s", db->path,
                         os ? strerror(os) : sqlite3_errmsg(db->sqlite));
    }
    if (sqlite3_busy_timeout(db->sqlite, busy_ms) != SQLITE_OK)
        return database_fail(db, "busy_timeout", error);
    return 0;
}

/* The name of one of the files; false where it is longer than any can be. */
static bool name_of_file(const struct database *db, int which, char name[PATH_MAX])
{
    static const char *const suffixes[DATABASE_FILES] = { "", "-wal", "-shm" };
    int n = snprintf(name, PATH_MAX, "%s%s", db->path, suffixes[which]);
    return n > 0 && n < PATH_MAX;
}

static void note_files(struct database *db)
{
    char name[PATH_MAX];
    struct stat st;
    for (int i = 0; i < DATABASE_FILES; i++) {
        bool found = name_of_file(db, i, name) && stat(name, &st) == 0;
        db->files[i].dev = found ? st.st_dev : 0;
        db->files[i].ino = found ? st.st_ino : 0;
    }
}

static bool is_file(const struct database *db, int which, const char *name)
{
    struct stat st;
    return stat(name, &st) == 0 && st.st_dev == db->files[which].dev && st.st_ino == db->files[which].ino;
}

/* A log that belongs to the old file and not to the one that is there now. */
static void remove_old_log(const struct database *db)
{
    char name[PATH_MAX];
    for (int i = 1; i < DATABASE_FILES; i++)
        if (db->files[i].ino != 0 && name_of_file(db, i, name) && is_file(db, i, name))
            (void)unlink(name); /* what cannot be removed is found out when the new file is opened */
}

int database_open(struct database *db, const struct database_kind *kind, const char *path, enum database_absent absent,
                  int busy_ms, struct error *error)
{
    bool is_absent;
    int64_t version = 0;
    *db = (struct database){ 0 };
    int r = check_path(path, &is_absent, absent, error);
    if (r == 0 && is_absent)
        r = create_file(path, kind->mode, error);
    if (r < 0)
        return r;
    if (!(db->path = strdup(path)))
        return error_set(error, -ENOMEM, "out of memory");
    note_files(db);
    ino_t ino = db->files[0].ino;
    r = open_sqlite(db, busy_ms, error);
    if (r == 0)
        r = check_identity_at_once(db, kind, absent, &version, error);
    if (r == 0 && absent == DATABASE_CREATE)
        r = set_wal(db, busy_ms, error);
    if (r == 0 && version < kind->version)
        r = migrate(db, kind, error);
    note_files(db);
    if (r == 0 && db->files[0].ino != ino)
        r = error_set(error, -ESTALE, "%s: the file has been replaced", db->path);
    if (r < 0)
        database_close(db);
    return r;
}

void database_close(struct database *db)
{
    struct error error;
    bool is_replaced = db->files[0].ino != 0 && database_check_file(db, &error) == -ESTALE;
    (void)sqlite3_close_v2(db->sqlite);
    if (is_replaced)
        remove_old_log(db);
    free(db->path);
    *db = (struct database){ 0 };
}

int database_check_file(const struct database *db, struct error *error)
{
    struct stat st;
    if (stat(db->path, &st) < 0)
        return error_set(error, -errno, "%s: %s", db->path, strerror(errno));
    if (st.st_dev != db->files[0].dev || st.st_ino != db->files[0].ino)
        return error_set(error, -ESTALE, "%s: the file has been replaced", db->path);
    return 0;
}

static int copy_pages(const struct database *db, sqlite3 *to, int busy_ms, struct error *error)
{
    int code = SQLITE_BUSY;
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", db->sqlite, "main");
    for (int waited_ms = 0; backup && waited_ms <= busy_ms; waited_ms += WAL_RETRY_MS) {
        code = sqlite3_backup_step(backup, -1);
        if (code != SQLITE_BUSY && code != SQLITE_LOCKED)
            break;
        (void)sqlite3_sleep(WAL_RETRY_MS);
    }
    (void)sqlite3_backup_finish(backup);
    return code == SQLITE_DONE
               ? 0
               : error_set(error, errno_of(code), "%s: cannot be copied: %s", db->path, sqlite3_errstr(code));
}

int database_copy(const struct database *db, const char *path, int busy_ms, struct error *error)
{
    sqlite3 *to = NULL;
    int r = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK
                ? copy_pages(db, to, busy_ms, error)
                : error_set(error, -EIO, "%s: cannot be opened: %s", path, to ? sqlite3_errmsg(to) : "out of memory");
    if (sqlite3_close(to) != SQLITE_OK && r == 0)
        r = error_set(error, -EIO, "%s: cannot be written", path);
    return r;
}
