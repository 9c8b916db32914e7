#include "rule_fixture.h"
#include "store/rule_edit.h"

#include <errno.h>
#include <sys/stat.h>

static char to[2 * FIXTURE_PATH_SIZE];

static void begin(void)
{
    rule_fixture_begin(NULL, 1000,
                       "WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO"
                       " kill_entry(sender, note) SELECT 'u' || i || '@example.net', 'to fill some pages' FROM n");
    (void)snprintf(to, sizeof to, "%s/copy.db", fixture_folder);
}

static void end(void)
{
    (void)unlink(to);
    rule_fixture_end();
    ck_assert_int_ne(access(fixture_folder, F_OK), 0); /* nothing was left in it */
}

struct watch {
    enum backup_stage stop_at;
    int calls_left; /* in that stage, until it is stopped; -1: never */
    uint64_t copied, total;
    bool checked;
};

static bool go_on(void *context, enum backup_stage stage, uint64_t done, uint64_t total)
{
    struct watch *watch = context;
    if (stage == BACKUP_COPYING) {
        ck_assert_uint_ge(done, watch->copied);
        ck_assert_uint_le(done, total);
        watch->copied = done;
        watch->total = total;
    }
    watch->checked = watch->checked || stage == BACKUP_CHECKING;
    if (stage == watch->stop_at && watch->calls_left == 0)
        return false;
    watch->calls_left -= stage == watch->stop_at && watch->calls_left > 0;
    return true;
}

static int write_copy(struct watch *watch, struct error *error)
{
    uint64_t size_bytes = 0;
    struct stat st;
    int r = rule_db_backup(db, to, go_on, watch, &size_bytes, error);
    if (r == 0) {
        ck_assert_int_eq(stat(to, &st), 0);
        ck_assert_uint_eq((uint64_t)st.st_size, size_bytes);
    }
    return r;
}

static int64_t count_kills(const char *path)
{
    sqlite3 *copy = NULL;
    sqlite3_stmt *stmt = NULL;
    ck_assert_int_eq(sqlite3_open_v2(path, &copy, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(copy, "SELECT count(*) FROM kill_entry", -1, &stmt, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    ck_assert_int_eq(sqlite3_close(copy), SQLITE_OK);
    return n;
}

START_TEST(copy_is_whole_and_shown)
{
    struct watch watch = { .calls_left = -1 };
    struct error error = { "" };
    begin();
    ck_assert_msg(write_copy(&watch, &error) == 0, "%s", error.text);
    ck_assert(watch.checked);
    ck_assert_uint_gt(watch.total, 0);
    ck_assert_uint_eq(watch.copied, watch.total);
    ck_assert_int_eq(count_kills(to), 20000);
    end();
}
END_TEST

/* Somebody commits between two steps of the copy: neither is it torn, nor begun anew. */
static bool write_meanwhile(void *context, enum backup_stage stage, uint64_t done, uint64_t total)
{
    if (stage == BACKUP_COPYING && done < total)
        sql("DELETE FROM kill_entry WHERE rowid % 7 = 3; UPDATE kill_entry SET note = note || 'x' WHERE rowid % 9 = 3");
    return go_on(context, stage, done, total);
}

START_TEST(copy_is_of_one_moment)
{
    struct watch watch = { .calls_left = -1 };
    struct error error = { "" };
    uint64_t size_bytes;
    begin();
    ck_assert_int_eq(rule_db_backup(db, to, write_meanwhile, &watch, &size_bytes, &error), 0);
    ck_assert_int_eq(count_kills(to), 20000);
    ck_assert_int_lt(count_kills(fixture_path), 20000);
    end();
}
END_TEST

static const struct {
    enum backup_stage stage;
    int after_calls;
} stops[] = { { BACKUP_COPYING, 0 }, { BACKUP_COPYING, 1 }, { BACKUP_CHECKING, 0 } };

/* Nobody must hear of a damaged database because memory was short. */
START_TEST(short_memory_is_no_damage)
{
    enum { STEP_BYTES = 1 << 19, STEPS_MAX = 200 };
    struct error error;
    int r = -ENOMEM, n = 0;
    begin();
    for (; r == -ENOMEM && n < STEPS_MAX; n++) {
        struct watch watch = { .calls_left = -1 };
        (void)sqlite3_hard_heap_limit64(sqlite3_memory_used() + n * STEP_BYTES + 1);
        r = write_copy(&watch, &error);
        (void)sqlite3_hard_heap_limit64(0);
    }
    ck_assert_msg(r == 0, "%s", error.text);
    ck_assert_int_gt(n, 3);
    end();
}
END_TEST

START_TEST(stopped_copy_leaves_the_older_one)
{
    struct watch never = { .calls_left = -1 }, watch = { stops[_i].stage, stops[_i].after_calls, 0, 0, false };
    struct error error = { "" };
    begin();
    ck_assert_int_eq(write_copy(&watch, &error), -ECANCELED);
    ck_assert_ptr_nonnull(strstr(error.text, "stopped"));
    ck_assert_int_ne(access(to, F_OK), 0);
    ck_assert_int_eq(write_copy(&never, &error), 0);
    sql("DELETE FROM kill_entry");
    watch = (struct watch){ stops[_i].stage, stops[_i].after_calls, 0, 0, false };
    ck_assert_int_eq(write_copy(&watch, &error), -ECANCELED);
    ck_assert_int_eq(count_kills(to), 20000);
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("backup");
    TCase *tcase = suite_case(suite, "backup");
    tcase_add_test(tcase, short_memory_is_no_damage);
    tcase_add_test(tcase, copy_is_whole_and_shown);
    tcase_add_test(tcase, copy_is_of_one_moment);
    tcase_add_loop_test(tcase, stopped_copy_leaves_the_older_one, 0, COUNT(stops));
    return suite_run(suite);
}
