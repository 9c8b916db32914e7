#include "daemon/record_file.h"

#include "core/request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    RECORD_MODE = 0600,
    TAIL_BYTES = 128 * 1024, /* in which the end of the last whole request is looked for */
    HEAD_BYTES = 4096        /* in which the first = is looked for */
};

/* Neither a pipe nor a device may hold us up, nor become our terminal. */
enum { OPEN_FLAGS = O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };

int record_file_init(struct record_file *file, const char *path, uint64_t max_bytes, struct error *error)
{
    *file = (struct record_file){ .max_bytes = max_bytes / 2, .fd = -1 };
    (void)snprintf(file->path, sizeof file->path, "%s", path);
    int n = snprintf(file->older, sizeof file->older, "%s.1", path);
    return n < (int)sizeof file->older ? 0 : error_set(error, -ENAMETOOLONG, "%s: the path is too long", path);
}

void record_file_close(struct record_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    file->fd = -1;
}

/* Requests. */

/* How many of the n bytes are whole requests, given that they begin with one. */
static size_t whole_requests(const char *bytes, size_t n)
{
    for (; n >= 2; n--)
        if (bytes[n - 1] == '\n' && bytes[n - 2] == '\n')
            return n;
    return 0;
}

static size_t first_request(const char *bytes, size_t n)
{
    const char *end = memmem(bytes, n, "\n\n", 2);
    return end ? (size_t)(end - bytes) + 2 : n;
}

static size_t count_requests(const char *bytes, size_t n)
{
    size_t count = 0;
    for (size_t at = 0; at < n; at += first_request(bytes + at, n - at))
        count++;
    return count;
}

/* Whether the last of these requests ends with the time, as the recorder has it. */
static bool is_ours(const char *bytes, size_t n)
{
    static const char mark[] = "\n" RECORD_TIME "=";
    size_t at = n - 2;
    while (at > 0 && ascii_is_digit(bytes[at - 1]))
        at--;
    return at < n - 2 && at >= sizeof mark - 1 && memcmp(bytes + at - (sizeof mark - 1), mark, sizeof mark - 1) == 0;
}

/* Opening. */

static int fail(const struct record_file *file, const char *what, struct error *error)
{
    return error_set(error, -errno, "%s: %s: %s", file->path, what, strerror(errno));
}

static int explain_open(const char *path, int code, struct error *error)
{
    if (code == ELOOP)
        return error_set(error, -code, "%s: this is a symbolic link, which is not followed", path);
    if (code == ENXIO || code == EISDIR)
        return error_set(error, -code, "%s: this is not a regular file", path);
    return error_set(error, -code, "%s: cannot be opened: %s", path, strerror(code));
}

/* The first line of a request has a =, which that of a letter or a database has not. */
static bool begins_with_attribute(int fd)
{
    char bytes[HEAD_BYTES];
    ssize_t n = pread(fd, bytes, sizeof bytes, 0);
    for (ssize_t i = 0; i < n; i++) {
        if (bytes[i] == '=')
            return true;
        if (bytes[i] == '\n' || bytes[i] == '\0')
            return false;
    }
    return n >= 0;
}

static int look_at(int fd, const char *path, uid_t owner, struct stat *st, struct error *error)
{
    if (fstat(fd, st) < 0)
        return error_set(error, -errno, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st->st_mode))
        return error_set(error, -EINVAL, "%s: this is not a regular file", path);
    if (st->st_uid != owner)
        return error_set(error, -EPERM, "%s: this file belongs to another user", path);
    if (!begins_with_attribute(fd))
        return error_set(error, -EINVAL, "%s: this file holds something other than requests", path);
    return 0;
}

/* A request that is not whole is cut off behind a whole one of ours; otherwise it is not ours to cut. Returns 1 where
 * the file is to be set aside instead. */
static int mend_end(struct record_file *file, struct error *error)
{
    size_t n = file->size_bytes < TAIL_BYTES ? (size_t)file->size_bytes : TAIL_BYTES;
    char *tail = malloc(n + 1);
    if (!tail)
        return error_set(error, -ENOMEM, "out of memory");
    int r = 0;
    if (pread(file->fd, tail, n, (off_t)(file->size_bytes - n)) != (ssize_t)n) {
        r = fail(file, "cannot be read", error);
    } else {
        size_t whole = whole_requests(tail, n);
        if (whole < n && (whole == 0 || !is_ours(tail, whole)))
            r = 1;
        else if (whole < n && ftruncate(file->fd, (off_t)(file->size_bytes - (n - whole))) < 0)
            r = fail(file, "cannot be cut", error);
        else
            file->size_bytes -= n - whole;
    }
    free(tail);
    return r;
}

static int open_once(struct record_file *file, struct error *error)
{
    struct stat st;
    file->fd = open(file->path, O_RDWR | O_APPEND | O_CREAT | OPEN_FLAGS, RECORD_MODE);
    if (file->fd < 0)
        return explain_open(file->path, errno, error);
    int r = look_at(file->fd, file->path, geteuid(), &st, error);
    if (r < 0)
        return r;
    file->size_bytes = (uint64_t)st.st_size;
    file->dev = st.st_dev;
    file->ino = st.st_ino;
    if ((st.st_mode & ALLPERMS) != RECORD_MODE && fchmod(file->fd, RECORD_MODE) < 0)
        return fail(file, "the mode cannot be set", error);
    return mend_end(file, error);
}

/* What is longer than it may be, since less is allowed than once was, is not kept. */
static int set_aside(struct record_file *file, struct error *error)
{
    record_file_close(file);
    if (file->size_bytes > file->max_bytes)
        return unlink(file->path) < 0 ? fail(file, "cannot be removed", error) : 0;
    if (rename(file->path, file->older) < 0 && errno != ENOENT)
        return fail(file, "cannot be renamed", error);
    return 0;
}

static void remove_long_older(const struct record_file *file)
{
    struct stat st;
    if (lstat(file->older, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size > file->max_bytes)
        (void)unlink(file->older);
}

int record_file_open(struct record_file *file, struct error *error)
{
    if (file->fd >= 0)
        return 0;
    remove_long_older(file);
    int r = open_once(file, error);
    if (r > 0 && (r = set_aside(file, error)) == 0)
        r = open_once(file, error);
    if (r < 0)
        record_file_close(file);
    return r;
}

/* Appending. */

/* Others may have moved it, removed it or its folder, or put another one in its place. */
static bool is_in_place(struct record_file *file)
{
    struct stat st;
    if (lstat(file->path, &st) < 0 || st.st_dev != file->dev || st.st_ino != file->ino)
        return false;
    file->size_bytes = (uint64_t)st.st_size;
    return true;
}

/* Writes whole requests. Where that fails midway, what is whole stays, and *done says how much it is. */
static int write_requests(struct record_file *file, const char *bytes, size_t n, size_t *done, struct error *error)
{
    int r = 0;
    size_t written = 0;
    while (written < n && r == 0) {
        ssize_t more = write(file->fd, bytes + written, n - written);
        if (more >= 0)
            written += (size_t)more;
        else if (errno != EINTR)
            r = fail(file, "cannot be written", error);
    }
    *done = r == 0 ? n : whole_requests(bytes, written);
    file->size_bytes += *done;
    if (*done < written && ftruncate(file->fd, (off_t)file->size_bytes) < 0)
        record_file_close(file); /* the end is mended when it is opened again */
    return r;
}

/* Appends what the file has room for, or makes room. A request for which an empty file is too small is lost. */
static int append_some(struct record_file *file, const char *bytes, size_t n, size_t *done, size_t *lost,
                       struct error *error)
{
    uint64_t room = file->size_bytes < file->max_bytes ? file->max_bytes - file->size_bytes : 0;
    size_t fits = n <= room ? n : whole_requests(bytes, (size_t)room);
    *done = 0;
    if (fits > 0)
        return write_requests(file, bytes, fits, done, error);
    if (file->size_bytes > 0) {
        int r = set_aside(file, error);
        return r < 0 ? r : record_file_open(file, error);
    }
    *done = first_request(bytes, n);
    ++*lost;
    return 0;
}

int record_file_append(struct record_file *file, const char *bytes, size_t n, size_t *lost, struct error *error)
{
    size_t at = 0, done;
    *lost = 0;
    if (file->fd >= 0 && !is_in_place(file))
        record_file_close(file);
    int r = record_file_open(file, error);
    for (; at < n && r == 0; at += done)
        r = append_some(file, bytes + at, n - at, &done, lost, error);
    *lost += count_requests(bytes + at, n - at);
    return r;
}

/* Checking. */

static int check_folder(const char *path, bool is_own, struct error *error)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int n = slash ? snprintf(folder, sizeof folder, "%.*s/", (int)(slash - path), path)
                  : snprintf(folder, sizeof folder, ".");
    if (n >= (int)sizeof folder)
        return error_set(error, -ENAMETOOLONG, "%s: the path is too long", path);
    if (faccessat(AT_FDCWD, folder, is_own ? W_OK | X_OK : F_OK, AT_EACCESS) < 0)
        return error_set(error, -errno, "%s: cannot be made: %s", path, strerror(errno));
    return 0;
}

int record_file_check(const char *path, uid_t owner, struct error *error)
{
    struct record_file file;
    struct stat st;
    bool is_own = owner == (uid_t)-1 || owner == geteuid();
    int r = record_file_init(&file, path, 0, error);
    if (r < 0)
        return r;
    file.fd = open(path, O_RDONLY | OPEN_FLAGS);
    if (file.fd < 0 && errno == ENOENT)
        return check_folder(path, is_own, error);
    r = file.fd < 0 ? explain_open(path, errno, error) : look_at(file.fd, path, is_own ? geteuid() : owner, &st, error);
    record_file_close(&file);
    return r;
}
