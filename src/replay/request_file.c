#include "replay/request_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 20 };

int request_file_open(struct request_file *file, const char *path, struct error *error)
{
    struct stat st;
    bool is_input = strcmp(path, "-") == 0;
    *file = (struct request_file){ .name = is_input ? "standard input" : path, .fd = -1, .line = 1 };
    if (!(file->buffer = malloc(BUFFER_BYTES)))
        return error_set(error, -ENOMEM, "out of memory");
    file->fd = is_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (file->fd < 0 || fstat(file->fd, &st) < 0)
        return error_set(error, -errno, "%s: %s", file->name, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return error_set(error, -EISDIR, "%s: this is a directory, not a file of requests", file->name);
    return 0;
}

void request_file_close(struct request_file *file)
{
    if (file->fd > STDIN_FILENO)
        (void)close(file->fd);
    free(file->buffer);
    file->fd = -1;
    file->buffer = NULL;
}

int request_file_read(struct request_file *file, struct error *error)
{
    ssize_t n;
    memmove(file->buffer, file->buffer + file->at, file->n - file->at);
    file->n -= file->at;
    file->at = 0;
    do
        n = read(file->fd, file->buffer + file->n, BUFFER_BYTES - file->n);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return error_set(error, -errno, "%s: cannot be read: %s", file->name, strerror(errno));
    file->ended = n == 0;
    file->n += (size_t)n;
    return 0;
}

/* Passing over. */

static size_t count_lines(const char *bytes, size_t n)
{
    size_t lines = 0;
    for (size_t i = 0; i < n; i++)
        lines += bytes[i] == '\n';
    return lines;
}

static void pass(struct request_file *file, size_t n)
{
    file->line += count_lines(file->buffer + file->at, n);
    file->offset += n;
    file->at += n;
    file->barren += n;
    file->given_up = file->given_up || file->barren > REQUEST_FILE_MAX_BARREN;
}

/* The length of the empty line that the rest begins with, else 0. */
static size_t empty_line(struct str rest)
{
    if (rest.n > 0 && rest.p[0] == '\n')
        return 1;
    return rest.n > 1 && rest.p[0] == '\r' && rest.p[1] == '\n' ? 2 : 0;
}

static struct str rest_of(const struct request_file *file)
{
    return str_make(file->buffer + file->at, file->n - file->at);
}

/* Whether more has to be read to tell whether an empty line begins here. */
static bool is_undecided(const struct request_file *file)
{
    struct str rest = rest_of(file);
    return rest.n == 0 || (rest.n == 1 && rest.p[0] == '\r' && !file->ended);
}

static void skip_to_empty_line(struct request_file *file)
{
    while (file->skipping && (file->in_line ? file->at < file->n : !is_undecided(file))) {
        struct str rest = rest_of(file);
        size_t n = file->in_line ? 0 : empty_line(rest);
        file->skipping = n == 0;
        if (n == 0) {
            size_t end = str_find(rest, '\n');
            file->in_line = end == rest.n;
            n = file->in_line ? end : end + 1;
        }
        pass(file, n);
    }
}

static void pass_empty_lines(struct request_file *file)
{
    for (size_t n; file->parser.scanned == 0 && (n = empty_line(rest_of(file))) > 0;)
        pass(file, n);
}

/* Taking. */

static enum request_file_step reject(struct request_file *file, struct request_fault *fault, const char *text)
{
    *fault = (struct request_fault){ file->line, file->offset, text };
    request_parser_init(&file->parser);
    file->skipping = true;
    file->in_line = false;
    file->n_malformed++;
    file->given_up = file->given_up || ++file->faults >= REQUEST_FILE_MAX_FAULTS;
    return REQUEST_FILE_MALFORMED;
}

static enum request_file_step accept(struct request_file *file, size_t length)
{
    pass(file, length);
    file->faults = 0;
    file->barren = 0;
    file->n_requests++;
    return REQUEST_FILE_TAKEN;
}

enum request_file_step request_file_take(struct request_file *file, struct request *request,
                                         struct request_fault *fault)
{
    static const char too_long[] = "longer than 131072 bytes", unfinished[] = "the file ends within it";
    const char *text = NULL;
    size_t length = 0;
    skip_to_empty_line(file);
    if (!file->skipping)
        pass_empty_lines(file);
    struct str rest = rest_of(file);
    if (file->given_up || (file->ended && rest.n == 0))
        return REQUEST_FILE_END;
    if (is_undecided(file) || file->skipping)
        return file->ended ? REQUEST_FILE_END : REQUEST_FILE_MORE;
    enum request_progress progress =
        request_parse(&file->parser, &record_form, rest.p, rest.n, SIZE_MAX, request, &length, &text);
    if (progress == REQUEST_COMPLETE && !text)
        text = request_check(request, &record_form);
    if (progress == REQUEST_INCOMPLETE ? rest.n > REQUEST_FILE_MAX_BYTES : length > REQUEST_FILE_MAX_BYTES)
        text = too_long;
    else if (progress == REQUEST_INCOMPLETE && file->ended)
        text = unfinished;
    if (text)
        return reject(file, fault, text);
    return progress == REQUEST_INCOMPLETE ? REQUEST_FILE_MORE : accept(file, length);
}
