#include "store/backup_target.h"

#include "core/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What SQLite keeps beside a database, by these names. */
static const char *const companions[] = { "-wal", "-shm", "-journal" };
enum { N_COMPANIONS = sizeof companions / sizeof *companions };

static bool is_same_file(const char *a, const char *b)
{
    struct stat st_a, st_b;
    return stat(a, &st_a) == 0 && stat(b, &st_b) == 0 && st_a.st_dev == st_b.st_dev && st_a.st_ino == st_b.st_ino;
}

/* The folder that a path names a file in; false where the path is too long to be one. */
static bool folder_of(const char *path, char folder[PATH_MAX])
{
    struct str all = str_of(path);
    size_t slash = str_find_last(all, '/');
    int n = slash == all.n ? snprintf(folder, PATH_MAX, ".") : snprintf(folder, PATH_MAX, "%.*s/", (int)slash, path);
    return n > 0 && n < PATH_MAX;
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* By whatever way it is reached, and also where it is not there yet. */
static bool is_name_of(const char *path, const char *name)
{
    char a[PATH_MAX], b[PATH_MAX];
    if (is_same_file(path, name))
        return true;
    return strcmp(base_of(path), base_of(name)) == 0 && folder_of(path, a) && folder_of(name, b) && is_same_file(a, b);
}

static bool belongs_to(const char *to, const char *database)
{
    char name[PATH_MAX];
    if (is_name_of(to, database))
        return true;
    for (size_t i = 0; i < N_COMPANIONS; i++) {
        int n = snprintf(name, sizeof name, "%s%s", database, companions[i]);
        if (n > 0 && n < PATH_MAX && is_name_of(to, name))
            return true;
    }
    return false;
}

/* Where SQLite keeps the application's number in the file (https://www.sqlite.org/fileformat.html, 1.3). */
static bool is_database(const char *path, int64_t application_id)
{
    enum { HEADER_BYTES = 100, ID_OFFSET = 68 };
    static const char magic[16] = "SQLite format 3";
    unsigned char header[HEADER_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, header, sizeof header);
    (void)close(fd);
    const unsigned char *id = header + ID_OFFSET;
    return n == HEADER_BYTES && memcmp(header, magic, sizeof magic) == 0 &&
           ((int64_t)id[0] << 24 | id[1] << 16 | id[2] << 8 | id[3]) == application_id;
}

/* The log of another database would be taken for that of the copy. */
static int check_companions(const char *to, struct error *error)
{
    char name[PATH_MAX];
    struct stat st;
    for (size_t i = 0; i < N_COMPANIONS; i++) {
        int n = snprintf(name, sizeof name, "%s%s", to, companions[i]);
        if (n > 0 && n < PATH_MAX && lstat(name, &st) == 0)
            return error_set(error, -EEXIST, "%s: is a database in use, since there is %s; not overwritten", to, name);
    }
    return 0;
}

int backup_target_check(const struct database *db, int64_t application_id, const char *to, struct error *error)
{
    struct stat st;
    if (belongs_to(to, db->path))
        return error_set(error, -EEXIST, "%s: this is the database itself, or belongs to it", to);
    if (lstat(to, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return error_set(error, -EEXIST, "%s: this is a directory; name a file in it", to);
        if (S_ISLNK(st.st_mode))
            return error_set(error, -EEXIST, "%s: this is a symbolic link; name the file itself", to);
        if (!S_ISREG(st.st_mode))
            return error_set(error, -EEXIST, "%s: this is not a regular file", to);
        if (st.st_size > 0 && !is_database(to, application_id))
            return error_set(error, -EEXIST, "%s: is there, and is no older backup; not overwritten", to);
    }
    return check_companions(to, error);
}

/* Members of the group of another file may do no more than everybody may. */
static mode_t mode_for_copy(const struct stat *database, const struct stat *copy)
{
    mode_t others = database->st_mode & (S_IROTH | S_IWOTH), group = database->st_mode & (S_IRGRP | S_IWGRP);
    if (database->st_gid != copy->st_gid)
        group &= others << 3;
    return S_IRUSR | S_IWUSR | group | others;
}

int backup_target_create(const struct database *db, const char *to, char temporary[PATH_MAX], int *fd,
                         struct error *error)
{
    struct stat database, copy;
    /* SQLite may take a name that begins with "file:" for more than a name. */
    int n = snprintf(temporary, PATH_MAX, "%s%s.XXXXXX", *to == '/' ? "" : "./", to);
    if (n < 0 || n >= PATH_MAX)
        return error_set(error, -ENAMETOOLONG, "%.200s...: %s", to, strerror(ENAMETOOLONG));
    *fd = mkostemp(temporary, O_CLOEXEC);
    if (*fd < 0)
        return error_set(error, -errno, "%s: a file cannot be created in that folder: %s", to, strerror(errno));
    if (stat(db->path, &database) == 0 && fstat(*fd, &copy) == 0 && fchmod(*fd, mode_for_copy(&database, &copy)) == 0)
        return 0;
    int r = error_set(error, -errno, "%s: cannot be given the rights of %s: %s", to, db->path, strerror(errno));
    (void)close(*fd);
    (void)unlink(temporary);
    return r;
}

static int sync_folder(const char *to, struct error *error)
{
    char folder[PATH_MAX];
    int fd = folder_of(to, folder) ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0)
        return 0; /* one that may be written and not read: what can be done has been done */
    int r = fsync(fd) == 0 || errno == EINVAL ? 0 : -errno;
    (void)close(fd);
    return r == 0 ? 0 : error_set(error, r, "%s: the copy is there, but its folder: %s", to, strerror(-r));
}

int backup_target_replace(int fd, const char *temporary, const char *to, struct error *error)
{
    if (fsync(fd) < 0)
        return error_set(error, -errno, "%s: cannot be brought to the disk: %s", to, strerror(errno));
    if (rename(temporary, to) < 0)
        return error_set(error, -errno, "%s: cannot be replaced: %s", to, strerror(errno));
    return sync_folder(to, error);
}

void backup_target_discard(const char *temporary)
{
    char name[PATH_MAX];
    (void)unlink(temporary);
    for (size_t i = 0; i < N_COMPANIONS; i++) {
        int n = snprintf(name, sizeof name, "%s%s", temporary, companions[i]);
        if (n > 0 && n < PATH_MAX)
            (void)unlink(name);
    }
}
