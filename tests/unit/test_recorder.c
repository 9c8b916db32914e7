/*
 * What is recorded: the writer's buffers, the file with its rotation and its faults, and what the recorder writes.
 */
#include "core/request.h"
#include "daemon/record_file.h"
#include "daemon/recorder.h"
#include "daemon/writer.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

enum { PATH_SIZE = 128, TEXT_SIZE = 65536 };

static char folder[PATH_SIZE], path[PATH_SIZE + 16], older[PATH_SIZE + 16], moved[PATH_SIZE + 16];

static void set_up(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/gatepost-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/record", folder);
    (void)snprintf(older, sizeof older, "%s/record.1", folder);
    (void)snprintf(moved, sizeof moved, "%s/moved", folder);
}

static void tear_down(void)
{
    (void)unlink(path);
    (void)rmdir(path);
    (void)unlink(older);
    (void)rmdir(older);
    (void)unlink(moved);
    (void)rmdir(folder);
}

static void put_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

/* "" where it is absent; valid until the next call but one. */
static const char *text_of(const char *name)
{
    static char texts[2][TEXT_SIZE];
    static int which;
    char *text = texts[which ^= 1];
    FILE *file = fopen(name, "rb");
    size_t n = file ? fread(text, 1, TEXT_SIZE - 1, file) : 0;
    text[n] = '\0';
    if (file)
        ck_assert_int_eq(fclose(file), 0);
    return text;
}

/* The writer. */

struct slow {
    uv_sem_t entered, released;
    char text[64];
    unsigned long dropped;
};

static void write_slowly(void *context, char *bytes, size_t n, unsigned long dropped)
{
    struct slow *slow = context;
    uv_sem_post(&slow->entered);
    uv_sem_wait(&slow->released);
    strncat(slow->text, bytes, n);
    slow->dropped += dropped;
}

static bool put(struct writer *writer, const char *text)
{
    size_t n = strlen(text);
    char *room = writer_begin(writer, n);
    if (!room)
        return false;
    memcpy(room, text, n);
    writer_put(writer, n);
    return true;
}

START_TEST(what_finds_no_room_is_dropped_and_counted)
{
    static struct slow slow;
    struct writer *writer;
    ck_assert_int_eq(uv_sem_init(&slow.entered, 0), 0);
    ck_assert_int_eq(uv_sem_init(&slow.released, 0), 0);
    ck_assert_int_eq(writer_open(&writer, &(struct writer_job){ 10, write_slowly, &slow }), 0);
    ck_assert(put(writer, "abc"));
    writer_flush(writer);
    uv_sem_wait(&slow.entered); /* the other buffer is there now, and the thread is stuck */
    ck_assert(put(writer, "0123456"));
    ck_assert(!put(writer, "8910"));
    ck_assert(!put(writer, "8910"));
    ck_assert(put(writer, "789"));
    ck_assert(!put(writer, "x"));
    for (int i = 0; i < 10; i++)
        uv_sem_post(&slow.released);
    ck_assert(writer_close(writer));
    ck_assert_str_eq(slow.text, "abc0123456789");
    ck_assert_uint_eq(slow.dropped, 3);
}
END_TEST

START_TEST(a_writer_that_is_woken_looks_though_nothing_is_queued)
{
    static struct slow slow;
    struct writer *writer;
    ck_assert_int_eq(uv_sem_init(&slow.entered, 0), 0);
    ck_assert_int_eq(uv_sem_init(&slow.released, 10), 0);
    ck_assert_int_eq(writer_open(&writer, &(struct writer_job){ 10, write_slowly, &slow }), 0);
    writer_wake(writer);
    uv_sem_wait(&slow.entered);
    ck_assert(writer_close(writer));
}
END_TEST

/* The file. */

#define ONE   "request=smtpd_access_policy\nsender=one@example.net\n" RECORD_TIME "=1700000001\n\n"
#define TWO   "request=smtpd_access_policy\nsender=two@example.net\n" RECORD_TIME "=1700000002\n\n"
#define THREE "request=smtpd_access_policy\nsender=three@example.net\n" RECORD_TIME "=1700000003\n\n"
#define HALF  "request=smtpd_access_policy\nsender=h"

enum { ONE_BYTES = sizeof ONE - 1 };

static size_t append(struct record_file *file, const char *text, int expected)
{
    struct error error = { "" };
    size_t lost;
    int r = record_file_append(file, text, strlen(text), &lost, &error);
    ck_assert_msg(r == expected, "%d: %s", r, error.text);
    ck_assert(r == 0 || strncmp(error.text, file->path, strlen(file->path)) == 0);
    return lost;
}

static struct record_file file_of(uint64_t max_bytes)
{
    struct record_file file;
    ck_assert_int_eq(record_file_init(&file, path, max_bytes, NULL), 0);
    return file;
}

START_TEST(a_file_is_made_for_its_owner_alone_and_appended_to)
{
    struct record_file file = file_of(1 << 20);
    struct stat st;
    (void)umask(0);
    ck_assert_uint_eq(append(&file, ONE, 0), 0);
    ck_assert_uint_eq(append(&file, TWO, 0), 0);
    record_file_close(&file);
    ck_assert_int_eq(chmod(path, 0644), 0);
    ck_assert_uint_eq(append(&file, THREE, 0), 0);
    ck_assert_str_eq(text_of(path), ONE TWO THREE);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & ALLPERMS, 0600);
    record_file_close(&file);
}
END_TEST

START_TEST(both_files_together_stay_below_the_maximum)
{
    static char all[TEXT_SIZE], kept[TEXT_SIZE];
    enum { MAX_BYTES = 1000, PIECES = 100 };
    struct record_file file = file_of(MAX_BYTES);
    unsigned rotations = 0;
    size_t before = 0;
    all[0] = '\0';
    for (int i = 0; i < PIECES; i++) {
        char piece[2048] = "";
        for (int j = 0; j <= i % 9; j++)
            (void)snprintf(piece + strlen(piece), 128, "request=smtpd_access_policy\nnumber=%d\n\n", i * 10 + j);
        ck_assert_uint_eq(append(&file, piece, 0), 0);
        strcat(all, piece);
        const char *newer = text_of(path), *older_text = text_of(older);
        (void)snprintf(kept, sizeof kept, "%s%s", older_text, newer);
        size_t n = strlen(kept);
        ck_assert_uint_le(n, MAX_BYTES);
        ck_assert_str_eq(all + strlen(all) - n, kept); /* the newest, in their order, without a gap */
        ck_assert(strlen(newer) == 0 || strcmp(newer + strlen(newer) - 2, "\n\n") == 0);
        ck_assert(strlen(older_text) == 0 || strcmp(older_text + strlen(older_text) - 2, "\n\n") == 0);
        rotations += strlen(newer) < before;
        before = strlen(newer);
    }
    ck_assert_uint_gt(rotations, 5);
    record_file_close(&file);
}
END_TEST

START_TEST(what_an_earlier_maximum_allowed_is_not_kept)
{
    struct record_file file = file_of(4 * ONE_BYTES);
    put_file(path, ONE ONE ONE);
    put_file(older, TWO TWO TWO);
    ck_assert_uint_eq(append(&file, THREE, 0), 0);
    ck_assert_str_eq(text_of(path), THREE);
    ck_assert_str_eq(text_of(older), "");
    record_file_close(&file);
}
END_TEST

START_TEST(a_request_that_no_file_holds_is_lost_alone)
{
    struct record_file file = file_of(2 * ONE_BYTES + 20);
    char text[1024];
    (void)snprintf(text, sizeof text, "%spadding=%0300d\n\n%s", ONE, 0, TWO);
    ck_assert_uint_eq(append(&file, text, 0), 1);
    ck_assert_str_eq(text_of(older), ONE);
    ck_assert_str_eq(text_of(path), TWO);
    record_file_close(&file);
}
END_TEST

static const struct {
    const char *what, *there, *expected, *older;
} ends[] = {
    { "an empty file", "", ONE, "" },
    { "whole requests", TWO, TWO ONE, "" },
    { "whole requests that begin strangely", "A Strange Name (1)=\n\n", "A Strange Name (1)=\n\n" ONE, "" },
    { "whole requests without our mark", "request=smtpd_access_policy\n\n", "request=smtpd_access_policy\n\n" ONE, "" },
    { "half a request after one of ours is cut off", TWO HALF, TWO ONE, "" },
    { "so is one without its empty line", TWO "request=smtpd_access_policy\n", TWO ONE, "" },
    { "half a request after what is not ours is set aside", "request=x\n\n" HALF, ONE, "request=x\n\n" HALF },
    { "half a request alone is set aside", HALF, ONE, HALF },
    { "so is the beginning of one", "reque", ONE, "reque" },
    { "a time without digits is not our mark", RECORD_TIME "=\n\n" HALF, ONE, RECORD_TIME "=\n\n" HALF },
};

START_TEST(no_half_request_ends_up_in_the_middle)
{
    struct record_file file = file_of(1 << 20);
    put_file(path, ends[_i].there);
    ck_assert_uint_eq(append(&file, ONE, 0), 0);
    ck_assert_msg(strcmp(text_of(path), ends[_i].expected) == 0, "%s: %s", ends[_i].what, text_of(path));
    ck_assert_msg(strcmp(text_of(older), ends[_i].older) == 0, "%s: %s", ends[_i].what, text_of(older));
    record_file_close(&file);
}
END_TEST

static void make_link(void)
{
    put_file(moved, "");
    ck_assert_int_eq(symlink(moved, path), 0);
}

static void make_folder(void)
{
    ck_assert_int_eq(mkdir(path, 0700), 0);
}

static void make_pipe(void)
{
    ck_assert_int_eq(mkfifo(path, 0600), 0);
}

static void make_letter(void)
{
    put_file(path, "Dear administrator,\n\nthis = a letter.\n\n");
}

static void make_database(void)
{
    static const char text[] = "SQLite format 3"; /* and a NUL, as in its files */
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, sizeof text, file), sizeof text);
    ck_assert_int_eq(fclose(file), 0);
}

static void make_foreign(void)
{
    put_file(path, ONE);
    if (geteuid() == 0)
        ck_assert_int_eq(chown(path, 12345, (gid_t)-1), 0);
    else
        make_letter(); /* nobody else's can be made */
}

static const struct {
    void (*make)(void);
    const char *text;
} refused[] = {
    { make_link, "symbolic link" },     { make_folder, "not a regular file" }, { make_pipe, "not a regular file" },
    { make_letter, "something other" }, { make_database, "something other" },  { make_foreign, "" },
};

START_TEST(what_is_no_record_is_refused_and_left_alone)
{
    struct record_file file = file_of(1 << 20);
    struct error error = { "" }, checked = { "" };
    struct stat before, after;
    refused[_i].make();
    ck_assert_int_eq(lstat(path, &before), 0);
    ck_assert_int_lt(record_file_check(path, (uid_t)-1, &checked), 0);
    ck_assert_int_lt(record_file_open(&file, &error), 0);
    ck_assert_ptr_nonnull(strstr(error.text, refused[_i].text));
    ck_assert_ptr_nonnull(strstr(checked.text, refused[_i].text));
    ck_assert_int_lt(file.fd, 0);
    ck_assert_int_eq(lstat(path, &after), 0);
    ck_assert_uint_eq(before.st_ino, after.st_ino);
    ck_assert_int_eq(before.st_size, after.st_size);
}
END_TEST

START_TEST(a_check_changes_nothing)
{
    struct error error;
    ck_assert_int_eq(record_file_check(path, (uid_t)-1, &error), 0);
    ck_assert_int_eq(access(path, F_OK), -1);
    put_file(path, ONE HALF);
    ck_assert_int_eq(record_file_check(path, (uid_t)-1, &error), 0);
    ck_assert_str_eq(text_of(path), ONE HALF);
    ck_assert_int_eq(record_file_check("/no/such/folder/record", (uid_t)-1, &error), -ENOENT);
}
END_TEST

static void limit_files(rlim_t bytes)
{
    struct rlimit limit = { bytes, RLIM_INFINITY };
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(a_full_disk_leaves_whole_requests_and_is_written_again)
{
    struct record_file file = file_of(1 << 20);
    ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    limit_files(2 * ONE_BYTES + 30);
    ck_assert_uint_eq(append(&file, ONE TWO THREE THREE, -EFBIG), 2);
    ck_assert_str_eq(text_of(path), ONE TWO);
    ck_assert_uint_eq(append(&file, THREE, -EFBIG), 1);
    ck_assert_str_eq(text_of(path), ONE TWO);
    limit_files(RLIM_INFINITY);
    ck_assert_uint_eq(append(&file, THREE, 0), 0);
    ck_assert_str_eq(text_of(path), ONE TWO THREE);
    record_file_close(&file);
}
END_TEST

START_TEST(a_file_that_is_no_longer_in_its_place_is_made_anew)
{
    struct record_file file = file_of(1 << 20);
    ck_assert_uint_eq(append(&file, ONE, 0), 0);
    ck_assert_int_eq(rename(path, moved), 0);
    ck_assert_uint_eq(append(&file, TWO, 0), 0);
    ck_assert_str_eq(text_of(moved), ONE);
    ck_assert_str_eq(text_of(path), TWO);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(unlink(moved), 0);
    ck_assert_int_eq(rmdir(folder), 0);
    ck_assert_uint_eq(append(&file, ONE TWO, -ENOENT), 2);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    ck_assert_uint_eq(append(&file, THREE, 0), 0);
    ck_assert_str_eq(text_of(path), THREE);
    record_file_close(&file);
}
END_TEST

START_TEST(where_the_older_one_cannot_be_replaced_nothing_grows)
{
    struct record_file file = file_of(4 * ONE_BYTES);
    ck_assert_int_eq(mkdir(older, 0700), 0);
    ck_assert_uint_eq(append(&file, ONE TWO, 0), 0);
    ck_assert_uint_eq(append(&file, ONE, -EISDIR), 1);
    ck_assert_uint_eq(append(&file, ONE, -EISDIR), 1);
    ck_assert_str_eq(text_of(path), ONE TWO);
    record_file_close(&file);
}
END_TEST

/* The recorder. */

static struct recorder *recorder_of(struct config *config)
{
    struct recorder *recorder = NULL;
    struct error error = { "" };
    ck_assert_int_eq(config_init(config), 0);
    ck_assert_int_eq(recorder_open(&recorder, config, &error), 0);
    ck_assert_ptr_null(recorder); /* nobody asked for it */
    ck_assert_int_eq(config_set(config, CONFIG_RECORD, path, NULL), 0);
    ck_assert_msg(recorder_open(&recorder, config, &error) == 0, "%s", error.text);
    return recorder;
}

static const struct {
    const char *came, *recorded;
} requests[] = {
    { "request=smtpd_access_policy\nsender=\n\n", "request=smtpd_access_policy\nsender=\n" },
    { "request=smtpd_access_policy\r\nsender=a@b\r\n\r\n", "request=smtpd_access_policy\nsender=a@b\n" },
    { "request=smtpd_access_policy\nsender=a@b\r\r\n\n", "request=smtpd_access_policy\nsender=a@b\r\r\n" },
    { "request=smtpd_access_policy\nsender=\"a\rb\"@example.net\nUnknown Name=1=2\n\n",
      "request=smtpd_access_policy\nsender=\"a\rb\"@example.net\nUnknown Name=1=2\n" },
    { "request=smtpd_access_policy\nsender=\xff\xfe\x1b[m\n\n",
      "request=smtpd_access_policy\nsender=\xff\xfe\x1b[m\n" },
};

START_TEST(a_request_is_recorded_as_it_came)
{
    char expected[256];
    struct config config;
    struct recorder *recorder = recorder_of(&config);
    for (int i = 0; i < 2; i++)
        recorder_put(recorder, str_of(requests[_i].came), 1700000000 + i);
    recorder_close(recorder);
    (void)snprintf(expected, sizeof expected, "%sgatepost_time=1700000000\n\n%sgatepost_time=1700000001\n\n",
                   requests[_i].recorded, requests[_i].recorded);
    ck_assert_str_eq(text_of(path), expected);
    config_fini(&config);
}
END_TEST

START_TEST(all_requests_are_recorded_when_it_ends)
{
    static const char request[] = "request=smtpd_access_policy\nprotocol_state=RCPT\n\n";
    enum { REQUESTS = 20000 };
    struct config config;
    struct recorder *recorder = recorder_of(&config);
    struct stat st;
    for (int i = 0; i < REQUESTS; i++)
        recorder_put(recorder, str_of(request), 1700000000);
    recorder_flush(recorder);
    recorder_close(recorder);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_size, REQUESTS * (off_t)(sizeof request - 1 + sizeof RECORD_TIME "=1700000000"));
    config_fini(&config);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recorder");
    TCase *tcase = suite_case(suite, "recorder");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, what_finds_no_room_is_dropped_and_counted);
    tcase_add_test(tcase, a_writer_that_is_woken_looks_though_nothing_is_queued);
    tcase_add_test(tcase, a_file_is_made_for_its_owner_alone_and_appended_to);
    tcase_add_test(tcase, both_files_together_stay_below_the_maximum);
    tcase_add_test(tcase, what_an_earlier_maximum_allowed_is_not_kept);
    tcase_add_test(tcase, a_request_that_no_file_holds_is_lost_alone);
    tcase_add_loop_test(tcase, no_half_request_ends_up_in_the_middle, 0, COUNT(ends));
    tcase_add_loop_test(tcase, what_is_no_record_is_refused_and_left_alone, 0, COUNT(refused));
    tcase_add_test(tcase, a_check_changes_nothing);
    tcase_add_test(tcase, a_full_disk_leaves_whole_requests_and_is_written_again);
    tcase_add_test(tcase, a_file_that_is_no_longer_in_its_place_is_made_anew);
    tcase_add_test(tcase, where_the_older_one_cannot_be_replaced_nothing_grows);
    tcase_add_loop_test(tcase, a_request_is_recorded_as_it_came, 0, COUNT(requests));
    tcase_add_test(tcase, all_requests_are_recorded_when_it_ends);
    return suite_run(suite);
}
