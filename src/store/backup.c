#include "store/backup.h"

#include "store/backup_target.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    STEP_PAGES = 256,    /* a megabyte: often enough to be shown and to be stopped */
    CHECK_STEPS = 10000, /* of SQLite's machine: a millisecond or so */
};

struct backup {
    const struct database *db;
    const char *to;
    char temporary[PATH_MAX];
    int fd; /* of the temporary file */
    backup_go_on *go_on;
    void *context;
    uint64_t checked;
};

/* Copying. */

static int fail_copy(const struct backup *backup, sqlite3 *copy, struct error *error)
{
    int code = sqlite3_errcode(copy), os = sqlite3_system_errno(copy);
    if (code == SQLITE_NOMEM)
        return error_set(error, -ENOMEM, "out of memory");
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        return error_set(error, -EBADMSG, "%s: cannot be copied: %s", backup->db->path, sqlite3_errmsg(copy));
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        return error_set(error, -EBUSY, "%s: cannot be copied: %s", backup->db->path, sqlite3_errmsg(copy));
    return error_set(error, -EIO, "%s: cannot be written: %s%s%s", backup->to, sqlite3_errmsg(copy), os ? ": " : "",
                     os ? strerror(os) : "");
}

static int copy_pages(const struct backup *backup, sqlite3 *copy, struct error *error)
{
    sqlite3_backup *pages = sqlite3_backup_init(copy, "main", backup->db->sqlite, "main");
    if (!pages)
        return fail_copy(backup, copy, error);
    bool stopped = false;
    int code = SQLITE_OK;
    while (code == SQLITE_OK && !stopped) {
        code = sqlite3_backup_step(pages, STEP_PAGES);
        uint64_t total = (uint64_t)sqlite3_backup_pagecount(pages), left = (uint64_t)sqlite3_backup_remaining(pages);
        stopped = !backup->go_on(backup->context, BACKUP_COPYING, total - left, total);
    }
    int finished = sqlite3_backup_finish(pages);
    if (stopped)
        return error_set(error, -ECANCELED, "%s: the backup was stopped", backup->to);
    return finished == SQLITE_OK ? 0 : fail_copy(backup, copy, error);
}

/* Without a journal: a copy that does not succeed is removed, and what does is brought to the disk as a whole. */
static int copy_database(const struct backup *backup, struct error *error)
{
    sqlite3 *copy = NULL;
    int r = 0;
    if (sqlite3_open_v2(backup->temporary, &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
        sqlite3_exec(copy, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL, NULL, NULL) != SQLITE_OK)
        r = copy ? fail_copy(backup, copy, error) : error_set(error, -ENOMEM, "out of memory");
    if (r == 0)
        r = copy_pages(backup, copy, error);
    (void)sqlite3_close_v2(copy);
    return r;
}

/* Checking. */

/* Counts the rows of each table, as a text to compare. The caller frees it. */
static int count_rows(const struct database *db, char **counts, struct error *error)
{
    sqlite3_stmt *stmt = NULL;
    sqlite3_str *text = sqlite3_str_new(db->sqlite);
    int r = 0;
    int code = sqlite3_prepare_v2(db->sqlite, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name", -1,
                                  &stmt, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    for (; code == SQLITE_ROW && r == 0; code = sqlite3_step(stmt)) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        char *sql = sqlite3_mprintf("SELECT count(*) FROM \"%w\"", name);
        int64_t n = 0;
        r = sql ? database_number(db, sql, &n, error) : error_set(error, -ENOMEM, "out of memory");
        sqlite3_free(sql);
        sqlite3_str_appendf(text, "%s %lld\n", name, (long long)n);
    }
    if (r == 0 && code != SQLITE_DONE)
        r = database_fail(db, "cannot be read", error);
    (void)sqlite3_finalize(stmt);
    *counts = sqlite3_str_finish(text);
    return r == 0 && !*counts ? error_set(error, -ENOMEM, "out of memory") : r;
}

static int on_check(void *context)
{
    struct backup *backup = context;
    return backup->go_on(backup->context, BACKUP_CHECKING, ++backup->checked, 0) ? 0 : 1;
}

/* Rows that somebody has got past the CHECKs are copied as they are: they are no damage. */
static int check_integrity(struct backup *backup, const struct database *copy, struct error *error)
{
    static const char short_of_memory[] = "error code=7"; /* SQLITE_NOMEM, in what is said of a page */
    sqlite3_stmt *stmt = NULL;
    int r = database_exec(copy, "PRAGMA ignore_check_constraints = ON", error);
    if (r < 0)
        return r;
    sqlite3_progress_handler(copy->sqlite, CHECK_STEPS, on_check, backup);
    int code = sqlite3_prepare_v2(copy->sqlite, "PRAGMA integrity_check(1)", -1, &stmt, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    const char *said = code == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : sqlite3_errmsg(copy->sqlite);
    if ((code & 0xff) == SQLITE_INTERRUPT)
        r = error_set(error, -ECANCELED, "%s: the backup was stopped", backup->to);
    else if (code == SQLITE_NOMEM || (code == SQLITE_ROW && (!said || strstr(said, short_of_memory))))
        r = error_set(error, -ENOMEM, "out of memory");
    else if (code != SQLITE_ROW || strcmp(said, "ok") != 0)
        r = error_set(error, -EBADMSG, "%s: the copy, and so this database, is damaged: %s", backup->db->path, said);
    (void)sqlite3_finalize(stmt);
    sqlite3_progress_handler(copy->sqlite, 0, NULL, NULL);
    return r;
}

/* Opens the copy as everybody will, and compares it with what was to be copied. */
static int check_copy(struct backup *backup, const struct database_kind *kind, const char *expected,
                      struct error *error)
{
    struct database copy;
    char *counts = NULL;
    int r = database_open(&copy, kind, backup->temporary, DATABASE_EXPECT, 0, error);
    if (r < 0)
        return error_prefix(error, r == -ENOMEM ? r : -EBADMSG, "the copy cannot be opened");
    r = check_integrity(backup, &copy, error);
    if (r == 0)
        r = count_rows(&copy, &counts, error);
    if (r == 0 && strcmp(counts, expected) != 0)
        r = error_set(error, -EBADMSG, "%s: the copy has other rows than this database", backup->db->path);
    sqlite3_free(counts);
    database_close(&copy);
    return r;
}

static int copy_and_check(struct backup *backup, const struct database_kind *kind, struct error *error)
{
    char *counts = NULL;
    int r = database_exec(backup->db, "BEGIN", error);
    if (r == 0)
        r = count_rows(backup->db, &counts, error);
    if (r == -EIO)
        r = -EBADMSG; /* of the database, and not of the copy */
    if (r == 0)
        r = copy_database(backup, error);
    database_rollback(backup->db);
    if (r == 0)
        r = check_copy(backup, kind, counts, error);
    sqlite3_free(counts);
    return r;
}

int backup_write(const struct database *db, const struct database_kind *kind, const char *to, backup_go_on *go_on,
                 void *context, uint64_t *size_bytes, struct error *error)
{
    struct backup backup = { .db = db, .to = to, .go_on = go_on, .context = context };
    struct stat st;
    int r = backup_target_check(db, kind->application_id, to, error);
    if (r == 0)
        r = backup_target_create(db, to, backup.temporary, &backup.fd, error);
    if (r < 0)
        return r;
    r = copy_and_check(&backup, kind, error);
    if (r == 0 && fstat(backup.fd, &st) == 0)
        *size_bytes = (uint64_t)st.st_size;
    if (r == 0)
        r = backup_target_replace(backup.fd, backup.temporary, to, error);
    /* Not before SQLite has closed it: that would take away SQLite's locks. */
    (void)close(backup.fd);
    if (r < 0)
        backup_target_discard(backup.temporary);
    return r;
}
