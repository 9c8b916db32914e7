#include "lists/list_file.h"

#include "console/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unistr.h>

enum { CHUNK_BYTES = 1 << 16 };

static const char byte_order_mark[] = "\xef\xbb\xbf", header[] = "# gatepost ";

/* Files. */

static int open_file(struct list_file *file, const char *path, uint64_t *size, struct error *error)
{
    struct stat st;
    bool is_input = strcmp(path, "-") == 0;
    file->name = is_input ? "standard input" : path;
    int fd = is_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return error_set(error, -errno, "%s: %s", file->name, strerror(errno));
    *size = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    return fd;
}

/* Where the last line of what has been read begins. */
static size_t find_last_line(const struct list_file *file)
{
    const char *end = memrchr(file->bytes, '\n', file->n);
    return end ? (size_t)(end - file->bytes) + 1 : 0;
}

static size_t count_lines(const struct list_file *file, size_t n)
{
    size_t lines = 1;
    for (const char *p = file->bytes; (p = memchr(p, '\n', n - (size_t)(p - file->bytes))); p++)
        lines++;
    return lines;
}

static bool looks_like_json(const struct list_file *file)
{
    size_t mark_n = sizeof byte_order_mark - 1, i = 0;
    if (file->n >= mark_n && memcmp(file->bytes, byte_order_mark, mark_n) == 0)
        i = mark_n;
    while (i < file->n && strchr(" \t\r\n", file->bytes[i]))
        i++;
    if (i == file->n || (file->bytes[i] != '[' && file->bytes[i] != '{'))
        return false;
    return file->bytes[i] == '{' || i + 1 == file->n || strchr(" \t\r\n{]", file->bytes[i + 1]);
}

/* What is wrong with the n bytes that have just come. */
static int check_chunk(const struct list_file *file, size_t n, struct error *error)
{
    const char *chunk = file->bytes + file->n - n, *nul = memchr(chunk, '\0', n);
    const unsigned char *first = (const unsigned char *)file->bytes;
    if (file->n >= 2 && ((first[0] == 0xff && first[1] == 0xfe) || (first[0] == 0xfe && first[1] == 0xff)))
        return error_set(error, -EINVAL, "%s: this is UTF-16; save it as UTF-8 or as Latin-1", file->name);
    if (nul)
        return error_set(error, -EINVAL, "%s:%zu: a NUL byte: this is no text", file->name,
                         count_lines(file, (size_t)(nul - file->bytes)));
    if (!file->is_json && file->n - find_last_line(file) > LIST_LINE_MAX_BYTES)
        return error_set(error, -EINVAL, "%s:%zu: a line of more than %d bytes: this is no list", file->name,
                         count_lines(file, file->n), LIST_LINE_MAX_BYTES);
    if (file->n > LIST_FILE_MAX_BYTES)
        return error_set(error, -EFBIG, "%s: more than %d bytes", file->name, LIST_FILE_MAX_BYTES);
    return 0;
}

static int read_chunk(struct list_file *file, int fd, size_t *size, struct error *error)
{
    if (*size - file->n <= CHUNK_BYTES) {
        size_t wider = *size ? *size * 2 : 4 * CHUNK_BYTES;
        char *bytes = realloc(file->bytes, wider);
        if (!bytes)
            return error_set(error, -ENOMEM, "out of memory");
        file->bytes = bytes;
        *size = wider;
    }
    ssize_t n = read(fd, file->bytes + file->n, CHUNK_BYTES);
    if (n < 0)
        return errno == EINTR ? 1 : error_set(error, -errno, "%s: %s", file->name, strerror(errno));
    file->n += (size_t)n;
    file->bytes[file->n] = '\0';
    if (file->n == (size_t)n)
        file->is_json = looks_like_json(file);
    int r = n > 0 ? check_chunk(file, (size_t)n, error) : 0;
    return r < 0 ? r : n > 0;
}

static void find_marks(struct list_file *file)
{
    size_t mark_n = sizeof byte_order_mark - 1;
    if (file->n >= mark_n && memcmp(file->bytes, byte_order_mark, mark_n) == 0) {
        file->n -= mark_n;
        memmove(file->bytes, file->bytes + mark_n, file->n + 1);
    }
    file->is_ours = strncmp(file->bytes, header, sizeof header - 1) == 0;
}

int list_file_read(struct list_file *file, const char *path, struct error *error)
{
    uint64_t total = 0;
    size_t size = 0;
    struct progress progress;
    *file = (struct list_file){ 0 };
    int fd = open_file(file, path, &total, error);
    if (fd < 0)
        return fd;
    int r = 1;
    progress_begin(&progress, "reading", total);
    while (r > 0) {
        r = read_chunk(file, fd, &size, error);
        progress_at(&progress, file->n);
    }
    progress_end(&progress);
    if (fd != STDIN_FILENO)
        (void)close(fd);
    if (r == 0)
        find_marks(file);
    return r;
}

void list_file_fini(struct list_file *file)
{
    free(file->bytes);
    free(file->latin1);
    *file = (struct list_file){ 0 };
}

/* Lines. */

/* Each byte of Latin-1 is the code point of the same number. */
static int convert(struct list_file *file, struct str *line)
{
    size_t n = 0;
    if (file->latin1_size < 2 * line->n) {
        char *wider = realloc(file->latin1, 2 * line->n);
        if (!wider)
            return -ENOMEM;
        file->latin1 = wider;
        file->latin1_size = 2 * line->n;
    }
    for (size_t i = 0; i < line->n; i++) {
        unsigned char c = (unsigned char)line->p[i];
        if (c >= 0x80)
            file->latin1[n++] = (char)(0xc0 | c >> 6);
        file->latin1[n++] = (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c);
    }
    *line = str_make(file->latin1, n);
    file->n_latin1++;
    return 0;
}

int list_file_next(struct list_file *file, struct list_cursor *cursor, struct str *line)
{
    if (cursor->at >= file->n)
        return 0;
    struct str rest = str_make(file->bytes + cursor->at, file->n - cursor->at);
    size_t end = str_find(rest, '\n');
    cursor->at += end + 1;
    cursor->number++;
    cursor->indented = rest.p[0] == ' ' || rest.p[0] == '\t';
    *line = str_trim(str_first(rest, end));
    if (file->is_ours || str_is_ascii(*line) || !u8_check((const uint8_t *)line->p, line->n))
        return 1;
    return convert(file, line) < 0 ? -ENOMEM : 1;
}
