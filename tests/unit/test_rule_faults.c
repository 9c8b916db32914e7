/*
 * Whatever the disk does while the rules are read anew or followed, the last good ones stay as they are, and the next
 * attempt succeeds: each access to the files fails once, and each once with all that come after it.
 */
#include "rule_fixture.h"

#include <errno.h>

enum { BUSY_MS = 1 };

/* What befalls which kind of access. */
enum fault { READ_FAILS, PAGE_CORRUPTED, DISK_FULL, LOCKED, SHARED_MEMORY_FAILS, FAULT_COUNT };

static struct {
    enum fault fault;
    long left; /* accesses of that kind until it comes; below 0: never */
    bool stays;
    bool happened;
} plan = { .left = -1 };

static bool comes(enum fault fault)
{
    if (plan.fault != fault || plan.left < 0 || plan.left-- > 0)
        return false;
    plan.left = plan.stays ? 0 : -1;
    plan.happened = true;
    return true;
}

/* A VFS of SQLite that hands everything on, but for that. */

struct file {
    sqlite3_file base;
    sqlite3_file real[];
};

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct file *)file)->real;
}

#define HAND_ON_ALONE(method) real_of(file)->pMethods->method(real_of(file))
#define HAND_ON(method, ...)  real_of(file)->pMethods->method(real_of(file), __VA_ARGS__)

static int x_close(sqlite3_file *file)
{
    return HAND_ON_ALONE(xClose);
}

static int x_read(sqlite3_file *file, void *to, int n, sqlite3_int64 at)
{
    if (comes(READ_FAILS))
        return SQLITE_IOERR_READ;
    int code = HAND_ON(xRead, to, n, at);
    if (code == SQLITE_OK && n >= 512 && comes(PAGE_CORRUPTED))
        memset(to, 0xa5, (size_t)n);
    return code;
}

static int x_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 at)
{
    return comes(DISK_FULL) ? SQLITE_FULL : HAND_ON(xWrite, from, n, at);
}

static int x_truncate(sqlite3_file *file, sqlite3_int64 n)
{
    return HAND_ON(xTruncate, n);
}

static int x_sync(sqlite3_file *file, int flags)
{
    return HAND_ON(xSync, flags);
}

static int x_size(sqlite3_file *file, sqlite3_int64 *n)
{
    return HAND_ON(xFileSize, n);
}

static int x_lock(sqlite3_file *file, int level)
{
    return comes(LOCKED) ? SQLITE_BUSY : HAND_ON(xLock, level);
}

static int x_unlock(sqlite3_file *file, int level)
{
    return HAND_ON(xUnlock, level);
}

static int x_is_locked(sqlite3_file *file, int *locked)
{
    return HAND_ON(xCheckReservedLock, locked);
}

static int x_control(sqlite3_file *file, int which, void *argument)
{
    return HAND_ON(xFileControl, which, argument);
}

static int x_sector(sqlite3_file *file)
{
    return HAND_ON_ALONE(xSectorSize);
}

static int x_traits(sqlite3_file *file)
{
    return HAND_ON_ALONE(xDeviceCharacteristics);
}

static int x_shm_map(sqlite3_file *file, int page, int n, int extend, void volatile **at)
{
    return comes(SHARED_MEMORY_FAILS) ? SQLITE_IOERR_SHMMAP : HAND_ON(xShmMap, page, n, extend, at);
}

static int x_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return (flags & SQLITE_SHM_LOCK) != 0 && comes(LOCKED) ? SQLITE_BUSY : HAND_ON(xShmLock, offset, n, flags);
}

static void x_shm_barrier(sqlite3_file *file)
{
    HAND_ON_ALONE(xShmBarrier);
}

static int x_shm_unmap(sqlite3_file *file, int remove)
{
    return HAND_ON(xShmUnmap, remove);
}

static const sqlite3_io_methods methods = {
    2,         x_close,  x_read,   x_write,   x_truncate, x_sync,        x_size,      x_lock, x_unlock, x_is_locked,
    x_control, x_sector, x_traits, x_shm_map, x_shm_lock, x_shm_barrier, x_shm_unmap, NULL,   NULL,
};

static sqlite3_vfs *real_vfs, vfs;

static int x_open(sqlite3_vfs *self, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    (void)self;
    int code = real_vfs->xOpen(real_vfs, name, real_of(file), flags, out_flags);
    file->pMethods = real_of(file)->pMethods ? &methods : NULL;
    return code;
}

/* SQLite waits for a lock up to ten seconds; nobody is there who could leave one. */
static int x_sleep(sqlite3_vfs *self, int us)
{
    (void)self;
    return us;
}

static void install_vfs(void)
{
    real_vfs = sqlite3_vfs_find(NULL);
    vfs = *real_vfs;
    vfs.zName = "faulty";
    vfs.szOsFile += (int)sizeof(struct file);
    vfs.xOpen = x_open;
    vfs.xSleep = x_sleep;
    ck_assert_int_eq(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
}

static void begin(void)
{
    install_vfs();
    rule_fixture_begin(real_vfs->zName, BUSY_MS,
                       "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 1999)"
                       " INSERT INTO access_block (block) SELECT printf('198.51.%d.%d', i / 256, i % 256) FROM n");
}

static void end(void)
{
    rule_fixture_end();
    (void)sqlite3_vfs_unregister(&vfs);
}

/* Looks and reads as the daemon does; a handle that is broken is opened anew. */
static int look(bool anew, struct rules **next, struct error *error)
{
    int r = db ? rule_db_changed(db, error) : rule_db_open(&db, fixture_path, DATABASE_EXPECT, BUSY_MS, error);
    if (r >= 0)
        r = rule_db_update(db, anew ? NULL : rules, next, on_skipped, NULL, error);
    if (r == -ESTALE || r == -ENOENT || r == -EIO) {
        rule_db_close(db);
        db = NULL;
    }
    return r;
}

/* The handle begins without anything in its cache, as after a great change, or is opened anew. */
static void forget_pages(bool anew)
{
    ck_assert_int_eq(sqlite3_db_release_memory(rule_db_handle(db)), SQLITE_OK);
    sql("PRAGMA wal_checkpoint(TRUNCATE)");
    if (!anew)
        return;
    rule_db_close(db);
    db = NULL;
}

static void try_fault(long n, bool anew)
{
    struct error error = { "" };
    struct rules *next = NULL;
    bool denied = is_denied(rules, "192.0.2.7");
    sql(denied ? "DELETE FROM access_block WHERE block = '192.0.2.7'"
               : "INSERT INTO access_block (block) VALUES ('192.0.2.7')");
    forget_pages(anew);
    plan.happened = false;
    plan.left = n;
    int r = look(anew, &next, &error);
    plan.left = -1;
    ck_assert(is_denied(rules, "192.0.2.7") == denied && is_denied(rules, "198.51.7.207"));
    if (r < 0) {
        ck_assert_msg(plan.happened, "%s", error.text);
        ck_assert_ptr_null(next);
        ck_assert_msg(error.text[0], "access %ld fails without a word", n);
        r = look(anew || !db, &next, &error);
        ck_assert_msg(r == 0, "after a fault at access %ld: %s", n, error.text);
    }
    ck_assert_msg(is_denied(next, "192.0.2.7") == !denied && is_denied(next, "198.51.7.207"), "access %ld", n);
    ck_assert_uint_eq(rules_count(next, RULE_ACCESS_BLOCK), denied ? 2000 : 2001);
    rules_settle(next, rules);
    rules = next;
}

START_TEST(fault_spares_the_rules_in_force)
{
    long n = 0;
    bool anew = _i / FAULT_COUNT / 2 == 1;
    plan.fault = (enum fault)(_i % FAULT_COUNT);
    plan.stays = _i / FAULT_COUNT % 2 == 1;
    do
        try_fault(n++, anew);
    while (plan.happened);
    bool is_rare = plan.fault == DISK_FULL || (plan.fault == SHARED_MEMORY_FAILS && !anew);
    ck_assert_int_gt(n, is_rare ? 0 : 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rule_faults");
    TCase *tcase = suite_case(suite, "rule_faults");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_loop_test(tcase, fault_spares_the_rules_in_force, 0, FAULT_COUNT * 4);
    return suite_run(suite);
}
