#include "conf/login_url.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char file_scheme[] = "file:";

static int read_first_line(FILE *file, const char *path, char url[LOGIN_URL_SIZE], bool *is_open, struct error *error)
{
    struct stat st;
    if (fstat(fileno(file), &st) < 0)
        return error_set(error, -errno, "logins: %s: %s", path, strerror(errno));
    *is_open = (st.st_mode & S_IROTH) != 0;
    if (!fgets(url, LOGIN_URL_SIZE, file))
        return error_set(error, -EINVAL, "logins: %s: cannot be read, or is empty", path);
    size_t n = strcspn(url, "\r\n");
    if (url[n] == '\0' && n == LOGIN_URL_SIZE - 1)
        return error_set(error, -EINVAL, "logins: %s: the first line is longer than %d bytes", path,
                         LOGIN_URL_SIZE - 2);
    url[n] = '\0';
    return n > 0 ? 0 : error_set(error, -EINVAL, "logins: %s: the first line is empty", path);
}

int login_url_read(const char *value, char url[LOGIN_URL_SIZE], bool *is_open, struct error *error)
{
    *is_open = false;
    if (strncmp(value, file_scheme, sizeof file_scheme - 1) != 0) {
        if (strlen(value) >= LOGIN_URL_SIZE)
            return error_set(error, -EINVAL, "logins: longer than %d bytes", LOGIN_URL_SIZE - 1);
        (void)snprintf(url, LOGIN_URL_SIZE, "%s", value);
        return 0;
    }
    const char *path = value + sizeof file_scheme - 1;
    if (path[0] != '/')
        return error_set(error, -EINVAL, "logins: \"%s\": the path begins with /", value);
    FILE *file = fopen(path, "re");
    if (!file)
        return error_set(error, -errno, "logins: %s: %s", path, strerror(errno));
    int r = read_first_line(file, path, url, is_open, error);
    (void)fclose(file);
    return r;
}

void login_url_hide(char *value)
{
    char *from = strstr(value, "://"), *to = from ? strrchr(from, '@') : NULL;
    if (to)
        memset(from + 3, '*', (size_t)(to - from - 3));
}
